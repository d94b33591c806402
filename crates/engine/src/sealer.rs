//! The sealer: gives recorded events their index and covers them with a signed checkpoint.
//!
//! One round is two transactions. `seal.sequence` moves pending events into the log and grows the
//! tree. `seal.publish` reads the entries added since the last checkpoint *back from the store*,
//! recomputes the root from them over the stored edge of the tree, and only signs if it is the root
//! of the stored tiles. The second is durable before anybody hears of it, and the first with it.
//! Every round starts from what the store says, never from memory, so the code after a crash is the
//! code of every day (invariant 7).
//!
//! Of several nodes one seals: the one that holds the lease, whose token every transaction here
//! checks. The others only watch how far the log is. A transaction that recorded an event may
//! commit late, behind others with later numbers in `pending_event`: it does not matter, because
//! that number is no order anybody relies on. An event gets its index when the sealer finds it, and
//! only what the sealer found is taken out.
//!
//! A log that is not the one this node knows is not continued (`remembered/known.rs`).
//!
//! Crash between the two: the next round publishes what was sequenced. Crash before the first
//! commits: the events are still pending.

mod aside;
mod checkpoint;
pub(crate) mod halt;
mod stop;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chancery_event::entry::SaltedPart;
use chancery_event::{Event, LogIndex};
use chancery_seal::hash::Hash;
use chancery_seal::{Signer, leaf_hash};
use chancery_store::log::{self, Indexed, PendingRow, Quarantine};
use chancery_store::log::{QuarantineReason, Sequence, State};
use chancery_store::{Lane, Store, Tx};
use tokio::sync::watch;

use stop::{Failures, Trouble};

pub(crate) use checkpoint::stored_edge;

use crate::health::Health;
use crate::remembered::known::Known;
use crate::scribe::{Desk, Scribe};
use crate::tenure::{Keeper, Standing};
use crate::{Context, Error};

/// Events that one round seals at most.
const BATCH_MAX: usize = 4_096;
/// How long the sealer sleeps without a signal.
const TICK: Duration = Duration::from_millis(500);
/// How long events gather between two rounds under load: each round is two durable commits.
const GATHER: Duration = Duration::from_millis(5);
/// How long it waits after a round that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Pending rows, judged.
struct Checked {
    events: Vec<Indexed>,
    /// Leaf hashes of their bytes, which are those that their seals fit.
    leaves: Vec<Hash>,
    bad: Vec<Quarantine>,
}

/// The sealer's parts.
pub(crate) struct Sealer {
    pub(crate) store: Store,
    pub(crate) desk: Arc<Desk>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) health: Arc<Health>,
    /// What this node knows was sealed.
    pub(crate) known: Arc<Known>,
    /// The size of the log that signed checkpoints cover; everybody who waits for events watches
    /// it.
    pub(crate) sealed: watch::Sender<u64>,
    /// How long another node shows no life before this one seals in its place.
    pub(crate) takeover: Duration,
}

impl Sealer {
    /// Seals until `stop` is set and everything is sealed that was pending then. What other nodes
    /// record meanwhile is theirs to seal: it may never end.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut committed = self.store.committed();
        let node = self.desk.node.to_string();
        let mut keeper = Keeper::new(self.store.clone(), "sealer", node, self.takeover);
        let mut failures = Failures::default();
        // Once it is to stop: how many of those that were pending then are left.
        let mut left: Option<u64> = None;
        loop {
            committed.mark_unchanged();
            let done = self.turn(&mut keeper).await;
            if done.is_ok() {
                self.passed(&mut failures).await;
            }
            match done {
                Ok(done) if *stop.borrow() => {
                    let rest = match left {
                        Some(rest) => rest.saturating_sub(done as u64),
                        None => self.pending().await,
                    };
                    if done == 0 || rest == 0 {
                        keeper.give_back().await;
                        return;
                    }
                    left = Some(rest);
                }
                Ok(0) => {
                    tokio::select! {
                        _ = committed.changed() => {}
                        _ = stop.changed() => {}
                        () = tokio::time::sleep(TICK) => {}
                    }
                }
                Ok(BATCH_MAX) => {}
                Ok(_) => tokio::time::sleep(GATHER).await,
                Err(trouble) => {
                    self.failed(&trouble, &mut failures).await;
                    let ends = *stop.borrow();
                    // Another node may see the log as it ought to be.
                    if ends || trouble.is_damage() {
                        keeper.give_back().await;
                    } else if trouble.is_unreadable() {
                        keeper.give_way().await;
                    }
                    if ends {
                        return;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// How many events wait; none where that cannot be told.
    async fn pending(&self) -> u64 {
        let Ok(mut link) = self.store.read().await else { return 0 };
        log::pending_count(&mut link).await.unwrap_or(0)
    }

    /// One round if this node holds the lease, else a look at how far the log is.
    async fn turn(&self, keeper: &mut Keeper) -> Result<usize, Trouble> {
        let standing = keeper.standing().await?;
        if matches!(standing, Standing::Other) {
            self.watch().await?;
            return match self.known.missing().filter(|missing| missing.own) {
                Some(missing) => Err(Trouble::lost(missing)),
                None => Ok(0),
            };
        }
        match self.round(&standing).await {
            Err(trouble) if trouble.is_conflict() && self.store.is_shared() => {
                tracing::warn!(what = %trouble.error(), "another node has sealed meanwhile");
                keeper.lost();
                Ok(1)
            }
            Ok(done) => {
                if self.known.halt().is_some() && (done > 0 || self.holds().await?) {
                    self.unhalt(&standing).await?;
                }
                Ok(done)
            }
            failed => failed,
        }
    }

    /// Looks how far the log is.
    async fn watch(&self) -> Result<(), Error> {
        let state = log::state(&mut self.store.read().await?).await?;
        self.announce(state.signed_size);
        Ok(())
    }

    fn scribe(&self) -> Scribe {
        Scribe {
            desk: self.desk.clone(),
            context: Context::system(&self.desk.environment),
            operation: None,
        }
    }

    /// One round; answers how many events it sealed or set aside.
    pub(crate) async fn round(&self, standing: &Standing) -> Result<usize, Trouble> {
        let mut link = self.store.read().await?;
        let state = log::state(&mut link).await?;
        if let Some(missing) = self.known.lacks(&mut link, state.signed_size).await? {
            return Err(Trouble::lost(missing));
        }
        if state.signed_size < state.size {
            drop(link);
            self.publish(state, standing).await?;
            self.announce(state.size);
            link = self.store.read().await?;
        }
        let rows = log::pending(&mut link, BATCH_MAX).await?;
        drop(link);
        if rows.is_empty() {
            self.announce(state.size);
            return Ok(0);
        }
        let count = rows.len();
        let Checked { events, leaves, bad } = self.check(rows, state.size)?;
        if !bad.is_empty() {
            self.set_aside(bad, standing).await?;
        }
        if !events.is_empty() {
            let size = state.size + events.len() as u64;
            if self.repeats(&events).await? {
                let trouble = Error::Internal("an event is there twice".to_owned()).into();
                return self.set_aside_known(state.size, trouble, standing).await;
            }
            let sound = (events, leaves);
            let events = match self.sequence(state.size, sound, standing).await {
                Err(trouble) if trouble.exists() => {
                    return self.set_aside_known(state.size, trouble, standing).await;
                }
                done => done?,
            };
            let state = State { size, signed_size: state.size };
            self.publish(state, standing).await?;
            self.desk.recent.sealed(events.into_iter());
            self.announce(size);
        }
        Ok(count)
    }

    fn announce(&self, size: u64) {
        self.sealed.send_if_modified(|known| {
            let grown = *known < size;
            *known = (*known).max(size);
            grown
        });
    }

    /// Tells trustworthy rows from the others.
    fn check(&self, rows: Vec<PendingRow>, size: u64) -> Result<Checked, Error> {
        let mut leaves = Vec::with_capacity(rows.len());
        let mut events = Vec::with_capacity(rows.len());
        let mut bad = Vec::new();
        for row in rows {
            let leaf = leaf_hash(row.entry());
            let verdict = match row.seal() {
                _ if !row.is_readable() => Err(QuarantineReason::Unreadable),
                None => Err(QuarantineReason::Unsealed),
                Some(seal) => self.open(&row, &leaf, seal)?,
            };
            match verdict {
                Ok(event) => {
                    let index = LogIndex(size + events.len() as u64);
                    events.push(Indexed { row, index, event });
                    leaves.push(leaf);
                }
                Err(reason) => bad.push(Quarantine { row, reason }),
            }
        }
        Ok(Checked { events, leaves, bad })
    }

    /// The event of a row, or why the row is set aside. Where other nodes may be newer, one whose
    /// seal is good is never set aside for what this node does not know.
    fn open(
        &self,
        row: &PendingRow,
        leaf: &Hash,
        seal: &[u8],
    ) -> Result<Result<Arc<Event>, QuarantineReason>, Error> {
        let desk = &self.desk;
        let part = row.part();
        let signed = part.as_ref().map(|(salt, part)| (salt, *part));
        let tag = desk.pending_seal(&row.event_id(), row.recorded_at, leaf, signed);
        if verify_slices_are_equal(tag.as_ref(), seal).is_err() {
            return Ok(Err(QuarantineReason::InvalidSeal));
        }
        let recent = seal.try_into().ok().and_then(|seal| desk.recent.take(seal));
        if let Some(event) = recent {
            return Ok(Ok(event));
        }
        let part = part.map(|(salt, part)| SaltedPart { salt, part: part.to_vec() });
        match Event::open(row.entry(), part.as_ref()) {
            Ok(event) => Ok(Ok(Arc::new(event))),
            Err(error) if self.store.is_shared() => Err(stop::unreadable(&row.event_id(), &error)),
            Err(error) => {
                tracing::error!(event = %row.event_id(), %error, "a pending event cannot be read");
                Ok(Err(QuarantineReason::Unreadable))
            }
        }
    }

    async fn sequence(
        &self,
        from: u64,
        (events, leaves): (Vec<Indexed>, Vec<Hash>),
        standing: &Standing,
    ) -> Result<Vec<(LogIndex, Arc<Event>)>, Trouble> {
        let mut edge = stored_edge(&mut self.store.read().await?, from).await?;
        let mut changed: HashMap<(u8, u64), Vec<u8>> = HashMap::new();
        let full = edge.append_many(leaves);
        for tile in full.into_iter().chain(edge.partial_tiles()) {
            changed.insert((tile.id.level(), tile.id.index()), tile.bytes);
        }
        let mut tiles: Vec<_> =
            changed.into_iter().map(|((level, index), bytes)| (level, index, bytes)).collect();
        tiles.sort_unstable();
        let now = self.desk.environment.now();
        let work = Arc::new((Sequence::new(from, &events, &tiles, now), standing.clone()));
        let indexed = events.into_iter().map(|event| (event.index, event.event)).collect();
        self.store
            .transaction_in(Lane::Step, "seal.sequence", move |tx: &mut Tx| {
                let work = work.clone();
                Box::pin(async move {
                    work.1.keep(tx).await?;
                    Ok::<(), Error>(log::sequence(tx, &work.0).await?)
                })
            })
            .await?;
        Ok(indexed)
    }
}
