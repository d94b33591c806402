//! Keeps the projections of the log a moment behind it: targets, keys, words, hourly counts.
//!
//! A consumer like any other: it reads sealed events at its cursor and moves it in the transaction
//! that writes the projections.

use std::sync::Arc;
use std::time::Duration;

use chancery_event::{Environment, LogIndex};
use chancery_store::log::{self, Projection, Sealed};
use chancery_store::{Lane, Store, Tx};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Error;
use crate::recent::{Reader, Recent};
use crate::tenure::{Keeper, Standing};

/// Events projected in one transaction at most.
const BATCH_MAX: usize = 4_096;
/// How long events gather between two batches under load: random keys and text cost far less in
/// large batches, and readers see the tail that is not projected anyway.
const GATHER: Duration = Duration::from_millis(200);
/// When nothing more was sealed for so long, there is nothing to gather.
const LULL: Duration = Duration::from_millis(40);
const TICK: Duration = Duration::from_secs(1);
/// After fewer new events nobody asks for statistics.
const NEWS: u64 = 8_192;

/// Statistics of the log, which a server is asked to make anew while it grows.
#[derive(Default)]
struct Statistics {
    /// How far the log was when they were made.
    at: u64,
    work: Option<JoinHandle<Option<u64>>>,
}

impl Statistics {
    /// Asks for them if the log has grown, beside the projections.
    async fn look(&mut self, store: &Store, size: u64) {
        if let Some(done) = self.work.take_if(|work| work.is_finished()) {
            self.at = done.await.ok().flatten().unwrap_or(self.at);
        }
        if !store.is_shared() || self.work.is_some() || size < self.at.saturating_add(NEWS) {
            return;
        }
        let (store, since) = (store.clone(), LogIndex(self.at));
        self.work = Some(tokio::spawn(async move {
            let made = log::analyze(&store, since).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the server made no statistics of the log");
                true
            });
            made.then_some(size)
        }));
    }

    async fn end(self) {
        if let Some(work) = self.work {
            work.abort();
            let _ = work.await;
        }
    }
}

/// Projects until `stop` is set.
pub(crate) async fn run(
    store: Store,
    recent: Arc<Recent>,
    environment: Environment,
    mut keeper: Keeper,
    mut sealed: watch::Receiver<u64>,
    mut stop: watch::Receiver<bool>,
) {
    let mut statistics = Statistics::default();
    loop {
        sealed.mark_unchanged();
        match turn(&mut keeper, &store, &recent, &environment).await {
            Ok(0) => {}
            Ok(count) => {
                let size = *sealed.borrow();
                statistics.look(&store, size).await;
                if count == BATCH_MAX {
                    continue;
                }
                let gathered = tokio::time::timeout(GATHER, lull(sealed.clone()));
                tokio::select! {
                    _ = gathered => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            }
            Err(error) => {
                tracing::error!(%error, "projection failed");
            }
        }
        if *stop.borrow() {
            statistics.end().await;
            keeper.give_back().await;
            return;
        }
        tokio::select! {
            _ = sealed.changed() => {}
            _ = stop.changed() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// Ends when nothing more is sealed for a moment.
async fn lull(mut sealed: watch::Receiver<u64>) {
    while let Ok(Ok(())) = tokio::time::timeout(LULL, sealed.changed()).await {}
}

/// One batch if this node is the one that projects. Two would not spoil anything, because the
/// cursor lets one of them through; the other's work would be in vain.
async fn turn(
    keeper: &mut Keeper,
    store: &Store,
    recent: &Recent,
    environment: &Environment,
) -> Result<usize, Error> {
    match keeper.standing().await? {
        Standing::Other => {
            // Nobody here takes what the sealer of this node keeps for its projector.
            recent.leave(Reader::Projector);
            Ok(0)
        }
        Standing::Alone | Standing::Holder(_) => {
            let done = round(store, recent, environment).await;
            if done.as_ref().is_err_and(Error::is_unreadable) {
                keeper.give_way().await;
            }
            done
        }
    }
}

/// One batch; answers how many events it projected.
pub(crate) async fn round(
    store: &Store,
    recent: &Recent,
    environment: &Environment,
) -> Result<usize, Error> {
    let mut link = store.read().await?;
    let from = log::cursor(&mut link, "projection").await?;
    let mut events = recent.next(Reader::Projector, from, BATCH_MAX);
    if events.is_empty() {
        let before = recent.first().filter(|first| *first > from);
        let room = before.map_or(BATCH_MAX as u64, |first| first.0 - from.0);
        let limit = usize::try_from(room).unwrap_or(BATCH_MAX).min(BATCH_MAX);
        let stored = log::range(&mut link, from, limit).await?;
        events = stored.into_iter().map(Sealed::into_event).collect();
    }
    let dialect = link.dialect();
    drop(link);
    let count = events.len();
    if count == 0 {
        return Ok(0);
    }
    let projection = Arc::new(Projection::new(dialect, from, &events));
    drop(events);
    let now = environment.now();
    store
        .transaction_in(Lane::Behind, "projection", move |tx: &mut Tx| {
            let projection = projection.clone();
            Box::pin(async move { Ok::<(), Error>(log::project(tx, &projection, now).await?) })
        })
        .await?;
    Ok(count)
}

#[cfg(test)]
mod tests;
