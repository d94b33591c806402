//! Group commit for the embedded engine: one task owns the one writing connection, takes every
//! unit of work that is waiting, runs them one after another and commits them together.
//!
//! While one commit waits for the disk the next group gathers, so that the cost of a durable
//! commit is shared by all who wait for it. A unit that fails is undone alone: units before it in
//! its group may run twice for that, as they may on PostgreSQL. If the commit fails, all units of
//! the group fail, and nothing of them is written. On a crash here, no caller has been answered
//! yet.
//!
//! Units wait in three lanes. The sealer's go first: a checkpoint must not queue behind the load
//! that it is to cover. One joins the group that is at work, and a group that has one ends soon: on
//! a slow disc commits are what everybody waits for, and two that share one are both done earlier.
//! What readers do without for a moment goes last, when nobody else waits or when it has waited
//! long enough.
//!
//! Nobody outside is answered for giving an event its index, nor for a projection: until something
//! else is committed behind them, they may be lost with the power, and are then done again. Such a
//! unit ([`Lane::Step`], [`Lane::Behind`]) commits without waiting for the disc, unless others wait
//! to share its commit. Whatever waits for the disc makes everything before it durable as well:
//! there is one write-ahead log.
//!
//! A commit that fails fails for all who share it, but for the sealer: its units run once more,
//! each alone. What some caller's unit broke must not look as if sealing had stopped.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};

#[cfg(any(test, feature = "faults"))]
use crate::fault::Moment;
use crate::{Error, Tx};

/// Units that one commit takes at most.
const UNITS_MAX: usize = 1_024;
/// Once a group has worked this long, it commits with what it has. Tests group what they queue,
/// however slow the machine.
const GROUP_MS: u128 = if cfg!(test) { u128::MAX } else { 25 };

/// How long others still join a group after a unit that is of no caller.
const SOON_MS: u128 = if cfg!(test) { u128::MAX } else { 5 };

/// A unit that goes last has its turn when it has waited this long, whoever else waits.
const LAST_MS: u128 = 150;

/// In which order a unit is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Before everything else: the sealer.
    First,
    /// The same, and durable only with what is committed after it.
    Step,
    /// As it comes.
    Common,
    /// When nobody else waits.
    Last,
    /// The same, and durable only with what is committed after it: what is made from sealed events
    /// again if it is lost.
    Behind,
}

impl Lane {
    /// The caller may only be answered when the commit is durable.
    fn lasts(self) -> bool {
        matches!(self, Self::First | Self::Common | Self::Last)
    }

    /// It goes before everything else.
    fn leads(self) -> bool {
        matches!(self, Self::First | Self::Step)
    }
}

/// The units that wait, by lane.
pub(crate) struct Lanes<T> {
    pub(crate) first: T,
    pub(crate) common: T,
    pub(crate) last: T,
}

pub(crate) type Senders = Lanes<mpsc::Sender<Box<dyn Unit>>>;
pub(crate) type Queues = Lanes<mpsc::Receiver<Box<dyn Unit>>>;

/// The lanes of one store.
pub(crate) fn lanes() -> (Senders, Queues) {
    let (first, first_queue) = mpsc::channel(16);
    let (common, common_queue) = mpsc::channel(4_096);
    let (last, last_queue) = mpsc::channel(16);
    let queues = Lanes { first: first_queue, common: common_queue, last: last_queue };
    (Lanes { first, common, last }, queues)
}

impl Senders {
    pub(crate) fn of(&self, lane: Lane) -> &mpsc::Sender<Box<dyn Unit>> {
        match lane {
            Lane::First | Lane::Step => &self.first,
            Lane::Common => &self.common,
            Lane::Last | Lane::Behind => &self.last,
        }
    }
}

impl Queues {
    /// The next unit; `None`: all lanes are closed and empty.
    async fn next(&mut self, since_last: Instant) -> Option<Box<dyn Unit>> {
        if since_last.elapsed().as_millis() >= LAST_MS
            && self.first.is_empty()
            && let Ok(unit) = self.last.try_recv()
        {
            return Some(unit);
        }
        tokio::select! {
            biased;
            Some(unit) = self.first.recv() => Some(unit),
            Some(unit) = self.common.recv() => Some(unit),
            Some(unit) = self.last.recv() => Some(unit),
            else => None,
        }
    }

    /// A unit that may join a group, without waiting.
    fn joining(&mut self) -> Option<Box<dyn Unit>> {
        self.first.try_recv().or_else(|_| self.common.try_recv()).ok()
    }

    fn close(&mut self) {
        self.first.close();
        self.common.close();
        self.last.close();
    }
}

/// A unit of work, its type erased.
pub(crate) trait Unit: Send {
    /// Runs the unit; true if its changes are to be kept.
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, bool>;
    /// Answers the caller, after the commit or its failure.
    fn answer(self: Box<Self>, commit: Result<(), Arc<Error>>);
    /// The name of the transaction.
    fn name(&self) -> &'static str;
    /// Where it waited.
    fn lane(&self) -> Lane;
}

pub(crate) struct Work<T, E, F> {
    pub(crate) name: &'static str,
    pub(crate) lane: Lane,
    pub(crate) work: F,
    pub(crate) result: Option<Result<T, E>>,
    pub(crate) reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Unit for Work<T, E, F>
where
    F: for<'a> Fn(&'a mut Tx) -> BoxFuture<'a, Result<T, E>> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let result = (self.work)(tx).await;
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn answer(self: Box<Self>, commit: Result<(), Arc<Error>>) {
        let result = match (self.result, commit) {
            // A unit that refused keeps its own reason, whatever became of the others.
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(E::from(Error::Commit(error))),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(E::from(Error::BrokeOff(self.name))),
        };
        // A caller that has gone away needs no answer.
        let _ = self.reply.send(result);
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn lane(&self) -> Lane {
        self.lane
    }
}

/// Runs until all senders are gone or `closing` is set; what was sent before is still done, and the
/// connection is closed. `committed` counts commits that wrote events.
pub(crate) async fn run(
    mut tx: Tx,
    mut units: Queues,
    committed: watch::Sender<u64>,
    mut closing: watch::Receiver<bool>,
) {
    let mut since_last = Instant::now();
    loop {
        let first = tokio::select! {
            biased;
            first = units.next(since_last) => first,
            () = asked(&mut closing) => {
                units.close();
                units.next(since_last).await
            }
        };
        let Some(first) = first else { break };
        if matches!(first.lane(), Lane::Last | Lane::Behind) {
            since_last = Instant::now();
        }
        let (result, group) = commit(&mut tx, first, Some(&mut units), &committed).await;
        let shared = result.is_err() && group.len() > 1;
        for unit in group {
            if shared && unit.lane().leads() {
                let (result, alone) = commit(&mut tx, unit, None, &committed).await;
                alone.into_iter().for_each(|unit| unit.answer(result.clone()));
            } else {
                unit.answer(result.clone());
            }
        }
    }
    if let Err(error) = tx.link.close().await {
        tracing::warn!(%error, "the database was not closed in order");
    }
}

pub(crate) async fn asked(closing: &mut watch::Receiver<bool>) {
    // The store that holds the other end is what asks; without it nobody can.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// A commit as its units are told of it, and the units that shared it.
type Committed = (Result<(), Arc<Error>>, Vec<Box<dyn Unit>>);

/// Commits a unit, with those of `units` that join it.
async fn commit(
    tx: &mut Tx,
    first: Box<dyn Unit>,
    units: Option<&mut Queues>,
    committed: &watch::Sender<u64>,
) -> Committed {
    let mut group = Vec::new();
    let result = match commit_group(tx, first, units, &mut group).await {
        Ok(events) => {
            if events > 0 {
                committed.send_modify(|count| *count += 1);
            }
            Ok(())
        }
        Err(error) => {
            tx.forget();
            // Some failures have already ended the transaction; then this is refused, rightly.
            let _ = tx.link.execute("ROLLBACK", Vec::new()).await;
            tracing::error!(error = %error, units = group.len(), "commit failed");
            Err(Arc::new(error))
        }
    };
    (result, group)
}

async fn commit_group(
    tx: &mut Tx,
    first: Box<dyn Unit>,
    mut units: Option<&mut Queues>,
    group: &mut Vec<Box<dyn Unit>>,
) -> Result<usize, Error> {
    let (mut since, mut limit) = (Instant::now(), GROUP_MS);
    let lasts =
        first.lane().lasts() || units.as_ref().is_some_and(|units| !units.common.is_empty());
    tx.bare = true;
    if let Err(error) = begin(tx, lasts).await {
        group.push(first);
        return Err(error);
    }
    let mut kept: Vec<bool> = Vec::new();
    let mut next = Some(first);
    while let Some(mut unit) = next.take() {
        let lane = unit.lane();
        let ended = work(tx, unit.as_mut()).await;
        group.push(unit);
        kept.push(ended?);
        if tx.bare && tx.wrote && kept.last() == Some(&false) {
            again(tx, lasts, group, &mut kept).await?;
        }
        if lane != Lane::Common {
            // However long this one took, whoever waits may share the commit.
            (since, limit) = (Instant::now(), SOON_MS);
        }
        let Some(units) = &mut units else { continue };
        if lasts && group.len() < UNITS_MAX && since.elapsed().as_millis() < limit {
            next = units.joining();
            if next.is_none() && lane == Lane::Common {
                // Callers that the last commit answered may be about to come back.
                tokio::task::yield_now().await;
                next = units.joining();
            }
        }
    }
    let events = tx.write_recorded().await?;
    #[cfg(any(test, feature = "faults"))]
    crate::fault::strike(names(group), Moment::Before).await;
    tx.link.execute("COMMIT", Vec::new()).await?;
    #[cfg(any(test, feature = "faults"))]
    crate::fault::strike(names(group), Moment::After).await;
    Ok(events)
}

/// Runs one unit to its end; answers whether it is kept.
async fn work(tx: &mut Tx, unit: &mut dyn Unit) -> Result<bool, Error> {
    tx.begin_unit();
    let kept = AssertUnwindSafe(unit.run(tx)).catch_unwind().await;
    let kept = kept.unwrap_or_else(|panic| {
        let (transaction, panic) = (unit.name(), panic_text(&*panic));
        tracing::error!(transaction, panic, "a unit panicked");
        false
    });
    tx.end_unit(kept).await?;
    Ok(kept)
}

/// Undoes what a unit has written that failed, with everything before it, and does again what was
/// kept, now with savepoints: another failure costs nobody else anything.
async fn again(
    tx: &mut Tx,
    lasts: bool,
    group: &mut [Box<dyn Unit>],
    kept: &mut [bool],
) -> Result<(), Error> {
    tx.forget();
    tx.link.execute("ROLLBACK", Vec::new()).await?;
    begin(tx, lasts).await?;
    tx.bare = !kept.contains(&true);
    for (unit, kept) in group.iter_mut().zip(kept) {
        if *kept {
            *kept = work(tx, unit.as_mut()).await?;
        }
    }
    Ok(())
}

/// The names of transactions.
#[cfg(any(test, feature = "faults"))]
pub(crate) fn names(units: &[Box<dyn Unit>]) -> Vec<&'static str> {
    units.iter().map(|unit| unit.name()).collect()
}

/// Begins a transaction whose commit waits for the disc if it `lasts`.
async fn begin(tx: &mut Tx, lasts: bool) -> Result<(), Error> {
    if tx.lasts != lasts {
        tx.link.wait_for_disc(lasts)?;
        tx.lasts = lasts;
    }
    tx.link.execute("BEGIN IMMEDIATE", Vec::new()).await.map(|_| ())
}

pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}

#[cfg(test)]
mod tests;
