//! Commits that fail when a test says so, the next one of a name, some of them, or all, and
//! processes that die in the middle of one.
//!
//! A failed commit leaves its caller not knowing whether it was persisted. Both must end well, so
//! faults come in pairs. Compiled for tests only.
//!
//! A process that a test runs looks, at each commit, into the file that [`ARMED`] names. It holds
//! one line: the name of a transaction, `before` or `after` its commit, and what to do there:
//! `kill` the process, `freeze` it until somebody wakes it, or `hold` the commit until there is a
//! file of the same name that ends in `.go`. Of several processes with the same file the first to
//! come there takes it away, and it alone obeys.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

/// What becomes of the next transaction of a name. Its caller is told that it failed, unless it is
/// spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was written.
    NotPersisted,
    /// All of it was written.
    Persisted,
    /// Nothing: it goes through, and what waits for the name behind this meets the one after it.
    Spared,
}

/// Names the file that says where a process is to be struck.
const ARMED: &str = "FAULT_IN_CHANCERY";

/// When a process is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// All statements were sent and the commit was not.
    Before,
    /// The commit is durable, and nobody has heard of it.
    After,
}

/// Does to this process what the file says, if it is meant.
pub(crate) async fn strike(units: Vec<&'static str>, moment: Moment) {
    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os(ARMED).map(PathBuf::from));
    let Some(file) = file else { return };
    let Some(what) = claim(file, &units, moment) else { return };
    let signal = match what.as_str() {
        "kill" => "-KILL",
        "freeze" => "-STOP",
        "hold" => {
            let go = file.with_extension("go");
            while !go.exists() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            return;
        }
        other => panic!("{ARMED} says {other}"),
    };
    let own = std::process::id().to_string();
    let done = std::process::Command::new("kill").args([signal, &own]).status();
    assert!(done.is_ok_and(|status| status.success()), "kill {signal} {own}");
}

/// What the file says about this moment of one of these transactions; it is gone afterwards.
fn claim(file: &Path, units: &[&str], moment: Moment) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let mut words = text.split_whitespace();
    let (unit, when, what) = (words.next()?, words.next()?, words.next()?);
    let now = if moment == Moment::Before { "before" } else { "after" };
    if when != now || !units.contains(&unit) {
        return None;
    }
    let own = file.with_extension(std::process::id().to_string());
    std::fs::rename(file, own).ok()?;
    Some(what.to_owned())
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
            return Some(inner.waiting.remove(position).1).filter(|fault| *fault != Fault::Spared);
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

/// What is changed of an event that waits. Its seal stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Altered {
    /// Its identifier.
    Identifier,
    /// The time at which it was recorded.
    Time,
    /// The bytes of its entry.
    Entry,
    /// The salt of its personal part.
    Salt,
    /// The bytes of its personal part.
    Part,
    /// It has no personal part any more.
    NoPart,
}

/// What somebody with the database file may change behind the program's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// A pending event without a seal appears.
    ForgedPending,
    /// A pending event appears whose values are of other types, where the engine takes them.
    OddPending,
    /// The newest pending event, one with a personal part, is not what was recorded any more.
    AlteredPending(Altered),
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
