//! Commits that fail when a test says so: the next one of a name, some of them, or all.
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

/// What a store suffers from until it is told otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// Nothing is written and nothing can be read.
    Outage,
    /// One transaction in so many fails, every second of those after it was written. Which ones
    /// follows from the seed.
    Flaky {
        /// One in how many.
        one_in: u64,
        /// What they follow from.
        seed: u64,
    },
}

/// Faults that wait for their transaction, and those of a whole time.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    waiting: Vec<(&'static str, Fault)>,
    trouble: Trouble,
}

impl Faults {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn add(&self, name: &'static str, fault: Fault) {
        self.inner().waiting.push((name, fault));
    }

    pub(crate) fn suffer(&self, trouble: Trouble) {
        self.inner().trouble = trouble;
    }

    /// The fault that waits for this transaction, which it meets only once, or that of the time.
    pub(crate) fn take(&self, name: &str) -> Option<Fault> {
        let mut inner = self.inner();
        if let Some(position) = inner.waiting.iter().position(|(waiting, _)| *waiting == name) {
            return Some(inner.waiting.remove(position).1);
        }
        match &mut inner.trouble {
            Trouble::None => None,
            Trouble::Outage => Some(Fault::NotPersisted),
            Trouble::Flaky { one_in, seed } => {
                // A linear congruential generator: its upper bits are good enough here.
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let drawn = *seed >> 33;
                let fault = if drawn & 1 == 0 { Fault::Persisted } else { Fault::NotPersisted };
                ((drawn >> 1) % (*one_in).max(1) == 0).then_some(fault)
            }
        }
    }

    /// Whether nothing can be read.
    pub(crate) fn is_out(&self) -> bool {
        self.inner().trouble == Trouble::Outage
    }

    pub(crate) fn waiting(&self) -> usize {
        self.inner().waiting.len()
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
