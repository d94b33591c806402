//! What the program knows about its own condition.
//!
//! Shared by the loops, owned by the engine; plain atomics and one lock for texts, never held
//! across an await.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use chancery_event::Timestamp;

/// The condition of the program, updated by its loops.
#[derive(Debug, Default)]
pub struct Health {
    sealed_at: AtomicI64,
    sealed_size: AtomicU64,
    quarantined: Mutex<Quarantined>,
    leaving: AtomicBool,
    outdated: AtomicBool,
    stopped: Mutex<Option<String>>,
    /// What some node of this database tells of it.
    stopped_elsewhere: Mutex<Option<String>>,
    writes: Mutex<Option<String>>,
    /// Since when the store refused writes, and why, until that has been written down.
    refusal: Mutex<Option<(Timestamp, String)>>,
    /// What is wrong with the archive as this node sees it; `None`: it was not looked at.
    archive: Mutex<Option<Option<String>>>,
}

/// Pending rows that were set aside.
#[derive(Debug, Default)]
struct Quarantined {
    /// How many, as long as the alert about them is not resolved.
    rows: u64,
    /// How often this process has set some aside: who read the store before that is late.
    turns: u64,
}

/// One finding about the program's condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `log`, `store`, `pending_events`, `archive`, `version`.
    pub part: &'static str,
    /// True: as it should be.
    pub good: bool,
    /// One sentence.
    pub message: String,
}

impl Health {
    /// This node found that sealing has stopped, for this reason.
    pub(crate) fn stop_sealing(&self, why: String) {
        if let Ok(mut stopped) = self.stopped.lock() {
            *stopped = Some(why);
        }
    }

    /// What the nodes of this database tell about sealing having stopped; `None`: nothing.
    pub(crate) fn stopped_elsewhere(&self, why: Option<String>) {
        if let Ok(mut stopped) = self.stopped_elsewhere.lock() {
            *stopped = why;
        }
    }

    /// What made sealing stop has gone away.
    pub(crate) fn seals_again(&self) {
        if let Ok(mut stopped) = self.stopped.lock() {
            *stopped = None;
        }
        self.outdated.store(false, Ordering::Relaxed);
    }

    /// An event waits to be sealed that this node cannot read.
    pub(crate) fn is_outdated(&self) {
        self.outdated.store(true, Ordering::Relaxed);
    }

    /// Why sealing has stopped, if it has: what this node found, else what another one tells.
    pub fn sealing_stopped(&self) -> Option<String> {
        let own = self.stopped.lock().ok()?.clone();
        own.or_else(|| self.stopped_elsewhere.lock().ok()?.clone())
    }

    /// A checkpoint over `size` entries was signed, by whichever node.
    pub(crate) fn sealed(&self, at: Timestamp, size: u64) {
        if self.sealed_size.fetch_max(size, Ordering::Relaxed) <= size {
            self.sealed_at.store(at.micros(), Ordering::Relaxed);
        }
    }

    /// When the newest checkpoint that this process knows was signed.
    pub fn sealed_at(&self) -> Option<Timestamp> {
        let micros = self.sealed_at.load(Ordering::Relaxed);
        (micros != 0).then(|| Timestamp::from_micros(micros))
    }

    /// This node was told to stop: no more requests are to be sent to it.
    pub fn leaves(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether this node was told to stop.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// This process has set rows aside; with them there are `rows`.
    pub(crate) fn sets_aside(&self, rows: u64) {
        if let Ok(mut quarantined) = self.quarantined.lock() {
            quarantined.turns += 1;
            quarantined.rows = rows;
        }
    }

    /// To be asked before the store is, for [`Health::sees_quarantined`].
    pub(crate) fn turns_of_quarantine(&self) -> u64 {
        self.quarantined.lock().map_or(0, |quarantined| quarantined.turns)
    }

    /// How many rows the store says were set aside, by whichever node, and wait for somebody.
    pub(crate) fn sees_quarantined(&self, rows: u64, turns: u64) {
        if let Ok(mut quarantined) = self.quarantined.lock()
            && quarantined.turns == turns
        {
            quarantined.rows = rows;
        }
    }

    /// Pending rows that were set aside, as long as the alert about them is not resolved.
    pub fn quarantined(&self) -> u64 {
        self.quarantined.lock().map_or(0, |quarantined| quarantined.rows)
    }

    /// Notes that the store takes writes.
    pub(crate) fn takes_writes(&self) {
        if let Ok(mut writes) = self.writes.lock() {
            *writes = None;
        }
    }

    /// Notes that the store refuses writes. What is noted first stays until it is written down.
    pub(crate) fn refuses_writes(&self, at: Timestamp, why: String) {
        if let Ok(mut refusal) = self.refusal.lock() {
            refusal.get_or_insert_with(|| (at, why.clone()));
        }
        if let Ok(mut writes) = self.writes.lock() {
            *writes = Some(why);
        }
    }

    /// Since when the store refused writes, and why, for one who writes it down.
    pub(crate) fn take_refusal(&self) -> Option<(Timestamp, String)> {
        self.refusal.lock().ok()?.take()
    }

    /// A refusal could not be written down.
    pub(crate) fn keep_refusal(&self, refusal: (Timestamp, String)) {
        if let Ok(mut kept) = self.refusal.lock() {
            *kept = Some(refusal);
        }
    }

    /// The archive was looked at; what is wrong with it, if anything is.
    pub(crate) fn sees_archive(&self, bad: Option<String>) {
        if let Ok(mut archive) = self.archive.lock() {
            *archive = Some(bad);
        }
    }

    /// What this process has found about itself.
    pub fn findings(&self) -> Vec<Finding> {
        let finding = |part, bad: Option<String>, good: &str| Finding {
            part,
            good: bad.is_none(),
            message: bad.unwrap_or_else(|| good.to_owned()),
        };
        let quarantined = self.quarantined();
        let writes = self.writes.lock().ok().and_then(|writes| writes.clone());
        let mut findings = vec![
            finding("log", self.sealing_stopped(), "the log is sealed and its tree holds"),
            finding("store", writes, "the store takes writes"),
            finding(
                "pending_events",
                (quarantined > 0).then(|| {
                    format!("{quarantined} pending events were set aside: not written by this program, or twice")
                }),
                "no pending event was set aside, or the alert about it is resolved",
            ),
        ];
        if let Some(bad) = self.archive.lock().ok().and_then(|archive| archive.clone()) {
            findings.push(finding("archive", bad, "the archive has what was written to it"));
        }
        if self.outdated.load(Ordering::Relaxed) {
            let what = "an event of a newer version waits to be sealed: upgrade this node";
            findings.push(Finding { part: "version", good: false, message: what.to_owned() });
        }
        findings
    }
}
