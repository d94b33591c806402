//! When sealing has stopped: what is wrong, and telling it.
//!
//! What does not verify counts as stopped at once. So does a failure that does not go away: nothing
//! else would tell anybody that events pile up unsealed. Either way the sealer tries again, and
//! sealing works again when the log has grown, whichever node did it: that node has compared the
//! stored tree with the signed checkpoint, and the new entries with the tree. So it does when
//! nothing waits any more and that comparison holds. The event that tells of the stop is written as
//! soon as the store takes it, and is among the first that are sealed then.

use std::error::Error as _;
use std::sync::Arc;

use chancery_event::entry::OpenError;
use chancery_event::types;
use chancery_event::{Outcome, Target, TargetKind};
use chancery_seal::Hash;
use chancery_store::Tx;

use super::Sealer;
use super::halt::{self, Halt};
use crate::Error;
use crate::alert::cause;
use crate::inventory::hex;
use crate::remembered::known::Missing;
use crate::scribe::Draft;
use crate::tenure::Standing;

/// Rounds in a row that fail for no passing reason before sealing counts as stopped.
const FAILURES_MAX: u32 = 3;

/// Why a round failed.
#[derive(Debug)]
pub(crate) struct Trouble {
    error: Error,
    stopped_by: &'static str,
    /// The root that was expected, and the one that was computed.
    roots: Option<(Hash, Hash)>,
    /// What was sealed and the database lacks.
    missing: Option<Missing>,
}

impl Trouble {
    /// The database lacks what is known to have been sealed.
    pub(super) fn lost(missing: Missing) -> Self {
        let error = Error::LogDamaged(missing.to_string());
        Self { error, stopped_by: "log_lost", roots: None, missing: Some(missing) }
    }

    /// The tree does not have the root it ought to have.
    pub(super) fn root(what: String, expected: Hash, computed: Hash) -> Self {
        let error = Error::LogDamaged(what);
        Self {
            error,
            stopped_by: "root_mismatch",
            roots: Some((expected, computed)),
            missing: None,
        }
    }

    /// An entry is not there.
    pub(super) fn missing(what: String) -> Self {
        let error = Error::LogDamaged(what);
        Self { error, stopped_by: "entry_missing", roots: None, missing: None }
    }

    /// Another node has done it, or holds the lease.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self.error, Error::Store(chancery_store::Error::Conflict(_)))
    }

    /// A row of this identity was there already.
    pub(super) fn exists(&self) -> bool {
        matches!(self.error, Error::Store(chancery_store::Error::Exists(_)))
    }

    /// The log does not verify; another node may see it otherwise.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self.error, Error::LogDamaged(_)) && self.missing.is_none()
    }

    /// There is an event that this node cannot read; a newer one may.
    pub(super) fn is_unreadable(&self) -> bool {
        self.error.is_unreadable()
    }

    pub(super) fn error(&self) -> &Error {
        &self.error
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let stopped_by = match &error {
            Error::LogDamaged(_) => "tree_damaged",
            error if error.is_unreadable() => "unreadable",
            _ => "store",
        };
        Self { error, stopped_by, roots: None, missing: None }
    }
}

impl From<chancery_store::Error> for Trouble {
    fn from(error: chancery_store::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        trouble.error
    }
}

/// An event that waits carries a good seal, and this program cannot read it.
pub(super) fn unreadable(event: &str, error: &OpenError) -> Error {
    let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let what = format!("the event {event}, which waits to be sealed, cannot be read ({why})");
    Error::Store(chancery_store::Error::Unreadable(what))
}

/// Rounds that failed one after another.
#[derive(Default)]
pub(super) struct Failures {
    count: u32,
    /// Sealing counts as stopped because of them.
    stopped: Option<Stopped>,
}

/// That sealing counts as stopped.
#[derive(Default)]
struct Stopped {
    /// The size that the log had then, once somebody could read it.
    size: Option<u64>,
    /// The event that tells of it is recorded.
    recorded: bool,
    /// The log does not verify; else something failed again and again.
    damaged: bool,
}

impl Sealer {
    /// A turn did not fail.
    pub(super) async fn passed(&self, failures: &mut Failures) {
        let Some(stopped) = &mut failures.stopped else {
            failures.count = 0;
            return;
        };
        let size = *self.sealed.borrow();
        let grown = *stopped.size.get_or_insert(size) < size;
        // What cannot be read now is looked at again in the next turn.
        if grown || self.holds().await.unwrap_or(false) {
            *failures = Failures::default();
            self.health.seals_again();
        }
    }

    /// A round failed: tells it if sealing has stopped.
    pub(super) async fn failed(&self, trouble: &Trouble, failures: &mut Failures) {
        tracing::error!(error = %trouble.error, "sealing failed");
        if !trouble.error.is_transient() {
            failures.count += 1;
        }
        let damaged = matches!(trouble.error, Error::LogDamaged(_));
        if trouble.is_unreadable() && failures.stopped.is_none() {
            // Said by this node at once. Nobody else hears of it if another one seals the event.
            self.health.is_outdated();
            failures.stopped = Some(Stopped { size: self.size().await, ..Stopped::default() });
        }
        if !damaged && failures.count < FAILURES_MAX {
            return;
        }
        let stopped = failures.stopped.get_or_insert_default();
        if damaged && !stopped.damaged {
            // Damage is told also where something else was told before.
            *stopped = Stopped { damaged, ..Stopped::default() };
        }
        if stopped.recorded {
            return;
        }
        self.health.stop_sealing(trouble.error.to_string());
        // The first round after a start may have failed before anybody knew the size.
        stopped.size = self.size().await.or(stopped.size);
        match self.record_stop(trouble).await {
            Ok(()) => stopped.recorded = true,
            Err(error) => tracing::error!(%error, "that sealing has stopped was not recorded"),
        }
    }

    /// How far the log is, if that can be read.
    async fn size(&self) -> Option<u64> {
        let watched = self.watch().await;
        watched
            .inspect_err(|error| tracing::warn!(%error, "how far the log is could not be read"))
            .ok()
            .map(|()| *self.sealed.borrow())
    }

    /// Takes away the notice that sealing has stopped: this node seals.
    pub(super) async fn unhalt(&self, standing: &Standing) -> Result<(), Error> {
        let standing = standing.clone();
        self.store
            .transaction("seal.resumed", move |tx: &mut Tx| {
                let standing = standing.clone();
                Box::pin(async move {
                    standing.keep(tx).await?;
                    halt::remove(tx).await
                })
            })
            .await?;
        self.known.no_halt();
        self.health.stopped_elsewhere(None);
        Ok(())
    }

    /// Records that sealing has stopped, unless another node of this database did. The event stays
    /// pending until somebody has put the log right.
    async fn record_stop(&self, trouble: &Trouble) -> Result<(), Error> {
        let error = &trouble.error;
        let scribe = self.scribe();
        let root = |hash: &Hash| hex(hash.as_bytes());
        let missing = trouble.missing.as_ref();
        let expected = trouble.roots.as_ref().map(|(expected, _)| expected);
        let payload = types::log::SealStopped {
            stopped_by: trouble.stopped_by.into(),
            log_size: missing.map_or(*self.sealed.borrow(), |missing| missing.known.0),
            expected_root: expected.or(missing.map(|missing| &missing.known.1)).map(root),
            computed_root: trouble.roots.as_ref().map(|(_, computed)| root(computed)),
        };
        let target = Target::new(TargetKind::Log, self.signer.verifier().name().to_owned());
        let why = error.to_string();
        let known = missing.map(|missing| missing.known);
        let told = (trouble.stopped_by, why.clone());
        let halt = Halt::new(self.desk.node.to_string(), scribe.now(), told, known);
        let draft = Draft::new(&payload)?
            .outcome(Outcome::failure(error.reason(), why))
            .target(target.clone());
        let work = Arc::new((scribe, draft, target, halt));
        let told = work.clone();
        self.store
            .transaction("seal.stopped", move |tx: &mut Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (scribe, draft, target, halt) = &*work;
                    if halt::put(tx, halt).await? {
                        let event = scribe.record(tx, draft.clone())?;
                        cause::seal_stopped(tx, scribe, target.clone(), &halt.why, event).await?;
                    }
                    Ok::<(), Error>(())
                })
            })
            .await?;
        self.known.halted(&told.3);
        Ok(())
    }
}
