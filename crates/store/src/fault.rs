//! Commits that fail when a test says so.
//!
//! A failed commit leaves its caller not knowing whether it was persisted. Both must end well, so
//! faults come in pairs. Compiled for tests only.

use std::sync::Mutex;

/// What becomes of the next transaction of a name. Either way its caller is told that it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was written.
    NotPersisted,
    /// All of it was written.
    Persisted,
}

/// Faults that wait for their transaction.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<(&'static str, Fault)>>);

impl Faults {
    pub(crate) fn add(&self, name: &'static str, fault: Fault) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((name, fault));
    }

    /// The fault that waits for this transaction, which it meets only once.
    pub(crate) fn take(&self, name: &str) -> Option<Fault> {
        let mut waiting = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let position = waiting.iter().position(|(waiting, _)| *waiting == name)?;
        Some(waiting.remove(position).1)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).len()
    }
}

/// What somebody with the database file may change behind the program's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// A pending event without a seal appears.
    ForgedPending,
    /// A pending event appears whose values are of other types, where the engine takes them.
    OddPending,
    /// The newest pending event appears a second time.
    CopiedPending,
    /// An event that was set aside, and that the log has, waits again.
    ReplayedPending,
    /// An entry stands behind the end of the log.
    EntryBehind,
    /// It is gone again.
    NothingBehind,
    /// What waits to be sealed disappears.
    NothingPending,
    /// The newest entry of the log gets other bytes.
    NewestEntry,
    /// The first hash of the first tile changes.
    FirstHash,
    /// The first tile is put where nobody looks for it.
    FirstTile,
    /// It is where it was.
    SameTile,
    /// The newest checkpoint gets another root.
    NewestRoot,
}
