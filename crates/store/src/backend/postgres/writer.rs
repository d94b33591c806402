//! Units of work on PostgreSQL: whoever waits is taken into one transaction, each unit behind a
//! savepoint of its own, and one durable commit answers them all.
//!
//! Transactions are `SERIALIZABLE`. One that loses against another node's is undone and its units
//! run again: first together, holding the turn that lets no other such transaction in between, then
//! each alone. After such a loss first attempts take their turn as well for a while: nodes that do
//! not meet run side by side, nodes that do meet queue instead of undoing each other's work.
//!
//! A connection that breaks before the commit has written nothing: the units run again on a new
//! one. If it breaks *during* the commit, the server is asked what became of the transaction
//! (`fate.rs`), and nobody is answered before that is known, or known not to be knowable. What is
//! not knowable is never run again: it may have been written, or be about to be.
//!
//! Crash here: no caller has been answered; the server undoes what was not committed.

mod fate;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::sync::{mpsc, watch};

use fate::{Fate, Mark};

use super::Trouble;
use super::session::{Kind, Session, connect};
use crate::writer::{Unit, asked, panic_text};
use crate::{Error, Tx};
#[cfg(any(test, feature = "faults"))]
use crate::{fault::Moment, writer::names};

/// Units that one commit takes at most: the server keeps that many savepoints at hand.
const UNITS_MAX: usize = 60;
/// How often a unit is run again that loses against others.
const TRIES_MAX: u32 = 20;
/// How long first attempts take their turn after a loss.
const WARY: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);

/// One lane: a connection and what it is to run.
pub(super) struct Writer {
    lane: &'static str,
    session: Session,
    /// None: not connected.
    tx: Option<Tx>,
    /// Counts commits that recorded events.
    commits: Arc<watch::Sender<u64>>,
    /// Counts commits that other nodes have to hear of.
    news: Arc<watch::Sender<u64>>,
    wary_until: Instant,
}

/// How a transaction is tried.
#[derive(Clone, Copy, Default)]
struct Manner {
    /// With the turn that no two transactions hold at a time.
    in_turn: bool,
    /// With a savepoint around each statement.
    careful: bool,
}

/// Why nothing was written, or is not known to have been.
enum Failure {
    /// It lost against another transaction.
    Again(Error),
    /// A unit went on after a statement of it had failed.
    Carelessly,
    /// The connection broke, or there is none.
    Lost(Error),
    /// As it stands it cannot be written.
    Final(Error),
    /// Whether it was written cannot be found out.
    Unknown(Error),
}

impl Failure {
    fn of(trouble: Trouble, error: Error) -> Self {
        if trouble.again {
            Self::Again(error)
        } else if trouble.lost {
            Self::Lost(error)
        } else {
            Self::Final(error)
        }
    }
}

type Units = [Box<dyn Unit>];

impl Writer {
    pub(super) fn new(
        lane: &'static str,
        session: Session,
        commits: Arc<watch::Sender<u64>>,
        news: Arc<watch::Sender<u64>>,
    ) -> Self {
        Self { lane, session, tx: None, commits, news, wary_until: Instant::now() }
    }

    /// Runs until all senders are gone or `closing` is set; what was sent before is still done, and
    /// the connection is closed.
    pub(super) async fn run(
        mut self,
        mut queue: mpsc::Receiver<Box<dyn Unit>>,
        mut closing: watch::Receiver<bool>,
    ) {
        loop {
            let first = tokio::select! {
                biased;
                first = queue.recv() => first,
                () = asked(&mut closing) => {
                    queue.close();
                    queue.recv().await
                }
            };
            let Some(first) = first else { break };
            let mut units = vec![first];
            // Callers that the last commit answered may be about to come back.
            tokio::task::yield_now().await;
            while units.len() < UNITS_MAX
                && let Ok(next) = queue.try_recv()
            {
                units.push(next);
            }
            self.commit(units).await;
        }
        if let Some(tx) = self.tx.take()
            && let Err(error) = tx.link.close().await
        {
            tracing::debug!(%error, "the connection was not closed in order");
        }
    }

    /// Commits units, together if that can be, and answers them.
    async fn commit(&mut self, mut units: Vec<Box<dyn Unit>>) {
        let wary = Instant::now() < self.wary_until;
        let mut manner = Manner { in_turn: wary, careful: false };
        for attempt in 0.. {
            match self.attempt(&mut units, manner).await {
                Ok(events) => return self.committed(units, events),
                Err(Failure::Again(_)) if attempt == 0 => {
                    self.wary_until = Instant::now() + WARY;
                    manner.in_turn = true;
                }
                // A connection that rested may have died meanwhile: one more is worth it.
                Err(Failure::Lost(_)) if attempt == 0 => {}
                Err(Failure::Lost(error) | Failure::Unknown(error)) => {
                    return self.failed(units, error);
                }
                Err(Failure::Final(error)) if units.len() == 1 => {
                    return self.failed(units, error);
                }
                Err(_) => break,
            }
        }
        for unit in units {
            self.alone(unit).await;
        }
    }

    /// Commits one unit by itself.
    async fn alone(&mut self, unit: Box<dyn Unit>) {
        let mut unit = vec![unit];
        let mut manner = Manner { in_turn: true, careful: false };
        let mut lost = 0;
        let mut last = None;
        let mut pause = Duration::from_millis(1);
        for _ in 0..TRIES_MAX {
            match self.attempt(&mut unit, manner).await {
                Ok(events) => return self.committed(unit, events),
                Err(Failure::Carelessly) => manner.careful = true,
                Err(Failure::Again(error)) => {
                    last = Some(error);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE);
                }
                Err(Failure::Lost(_)) if lost == 0 => lost += 1,
                Err(Failure::Lost(error) | Failure::Final(error) | Failure::Unknown(error)) => {
                    return self.failed(unit, error);
                }
            }
        }
        let what = last.map_or_else(String::new, |error| format!(": {error}"));
        let what = format!("others keep changing what this changes{what}");
        self.failed(unit, Error::Unavailable(what));
    }

    fn committed(&self, units: Vec<Box<dyn Unit>>, events: usize) {
        if events > 0 {
            self.commits.send_modify(|count| *count += 1);
        }
        if events > 0 || self.lane == "sealing" {
            self.news.send_modify(|count| *count += 1);
        }
        for unit in units {
            unit.answer(Ok(()));
        }
    }

    fn failed(&self, units: Vec<Box<dyn Unit>>, error: Error) {
        tracing::error!(%error, lane = self.lane, units = units.len(), "commit failed");
        let error = Arc::new(error);
        for unit in units {
            unit.answer(Err(error.clone()));
        }
    }

    /// Tries to commit units in one transaction; answers how many events they recorded.
    async fn attempt(&mut self, units: &mut Units, manner: Manner) -> Result<usize, Failure> {
        if self.tx.is_none() {
            let link = connect(&self.session).await;
            self.tx = Some(Tx::new(link.map_err(|unfit| Failure::Lost(unfit.into()))?));
        }
        let Some(tx) = &mut self.tx else {
            return Err(Failure::Lost(Error::Closed));
        };
        let origin = tx.link.server().map(|connection| connection.origin()).unwrap_or_default();
        let done = perform(tx, units, manner, self.session.kind()).await;
        if done.is_err() {
            tx.forget();
            if tx.control("ROLLBACK").await.is_err() {
                self.tx = None;
            }
        }
        let (events, mark) = done?;
        #[cfg(any(test, feature = "faults"))]
        crate::fault::strike(names(units), Moment::Before).await;
        match self.finish().await {
            Ok(()) => {
                #[cfg(any(test, feature = "faults"))]
                crate::fault::strike(names(units), Moment::After).await;
                Ok(events)
            }
            Err(Failure::Lost(error)) => {
                self.tx = None;
                // Without a number it wrote nothing; it can be run again.
                let Some(mark) = mark else { return Err(Failure::Lost(error)) };
                tracing::warn!(%error, lane = self.lane, "a commit was not answered; asking for its fate");
                match fate::of(&self.session, &mark, &origin).await {
                    Fate::Committed => Ok(events),
                    Fate::Undone => Err(Failure::Lost(error)),
                    Fate::Unknown => {
                        let what = "whether the last change was written is not known";
                        let what = format!("{error}; {what}");
                        Err(Failure::Unknown(Error::Unavailable(what)))
                    }
                }
            }
            Err(failure) => {
                if let Some(tx) = &mut self.tx {
                    let _ = tx.control("ROLLBACK").await;
                }
                Err(failure)
            }
        }
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        let Some(tx) = &mut self.tx else { return Err(Failure::Lost(Error::Closed)) };
        match tx.control("COMMIT").await {
            Ok(()) => Ok(()),
            Err(error) => Err(Failure::of(tx.trouble(), error)),
        }
    }
}

impl Tx {
    async fn control(&mut self, sql: &str) -> Result<(), Error> {
        match self.link.server() {
            Some(connection) => connection.control(sql).await,
            None => Err(Error::Closed),
        }
    }

    fn trouble(&mut self) -> Trouble {
        self.link.server().map(super::Connection::take_trouble).unwrap_or_default()
    }
}

/// Runs units up to the commit; answers how many events they recorded, and by what the transaction
/// is known if it wrote anything.
async fn perform(
    tx: &mut Tx,
    units: &mut Units,
    manner: Manner,
    kind: Kind,
) -> Result<(usize, Option<Mark>), Failure> {
    tx.trouble();
    if let Some(connection) = tx.link.server() {
        connection.set_careful(false);
    }
    // LOCK waits before the transaction's view is taken, so that the view is of after the wait.
    let lock = if manner.in_turn { "LOCK TABLE turn IN EXCLUSIVE MODE; " } else { "" };
    let begin =
        format!("BEGIN ISOLATION LEVEL {} READ WRITE; {lock}SAVEPOINT unit", kind.isolation());
    for (place, unit) in units.iter_mut().enumerate() {
        let sql = if place == 0 { begin.as_str() } else { "RELEASE unit; SAVEPOINT unit" };
        if let Err(error) = tx.control(sql).await {
            return Err(Failure::of(tx.trouble(), error));
        }
        run(tx, unit, manner.careful).await?;
    }
    let event = tx.recorded.first().map(|recorded| recorded.event_id);
    let events = match tx.write_recorded().await {
        Ok(events) => events,
        Err(error) => return Err(Failure::of(tx.trouble(), error)),
    };
    let sql = "SELECT CAST(pg_current_xact_id_if_assigned() AS TEXT) AS number";
    let number = match tx.link.row(sql, Vec::new()).await {
        Ok(row) => row.and_then(|row| row.maybe_text("number").ok().flatten()),
        Err(error) => return Err(Failure::of(tx.trouble(), error)),
    };
    Ok((events, number.map(|number| Mark { number, event })))
}

/// Runs one unit behind its savepoint, and undoes it if it refuses.
async fn run(tx: &mut Tx, unit: &mut Box<dyn Unit>, careful: bool) -> Result<(), Failure> {
    tx.savepoint = true;
    if let Some(connection) = tx.link.server() {
        connection.set_careful(careful);
    }
    let name = unit.name();
    let kept = AssertUnwindSafe(unit.run(tx)).catch_unwind().await;
    if let Some(connection) = tx.link.server() {
        connection.set_careful(false);
    }
    let kept = kept.unwrap_or_else(|panic| {
        tracing::error!(transaction = name, panic = panic_text(&*panic), "a unit panicked");
        false
    });
    let trouble = tx.trouble();
    if trouble.again || trouble.lost {
        let what = "the transaction was given up".to_owned();
        return Err(Failure::of(trouble, Error::Unavailable(what)));
    }
    if trouble.ignored || trouble.failed && kept {
        return Err(Failure::Carelessly);
    }
    tx.end_unit(kept).await.map_err(|error| Failure::of(tx.trouble(), error))
}

#[cfg(test)]
mod tests;
