//! Keeps the projections of the log a moment behind it: targets, keys, words, hourly counts.
//!
//! A consumer like any other: it reads sealed events at its cursor and moves it in the transaction
//! that writes the projections.

use std::sync::Arc;
use std::time::Duration;

use chancery_event::{Environment, LogIndex};
use chancery_store::log::{self, ProjectedEvent, Sealed};
use chancery_store::{Store, Tx};
use tokio::sync::watch;

use crate::Error;

/// Events projected in one transaction at most.
const BATCH_MAX: usize = 2_048;
/// How long events gather between two batches under load: random keys and text cost far less in
/// large batches, and readers see the tail that is not projected anyway.
const GATHER: Duration = Duration::from_millis(100);
const TICK: Duration = Duration::from_secs(1);

/// Projects until `stop` is set.
pub(crate) async fn run(
    store: Store,
    environment: Environment,
    mut sealed: watch::Receiver<u64>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        sealed.mark_unchanged();
        match round(&store, &environment).await {
            Ok(count) if count == BATCH_MAX => continue,
            Ok(0) => {}
            Ok(_) => {
                let _ = tokio::time::timeout(GATHER, stop.wait_for(|stop| *stop)).await;
            }
            Err(error) => {
                tracing::error!(%error, "projection failed");
            }
        }
        if *stop.borrow() {
            return;
        }
        tokio::select! {
            _ = sealed.changed() => {}
            _ = stop.changed() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// One batch; answers how many events it projected.
pub(crate) async fn round(store: &Store, environment: &Environment) -> Result<usize, Error> {
    let mut link = store.read().await?;
    let from = log::cursor(&mut link, "projection").await?;
    let events = log::range(&mut link, from, BATCH_MAX).await?;
    drop(link);
    let count = events.len();
    if count == 0 {
        return Ok(0);
    }
    let work = Arc::new(events);
    let now = environment.now();
    store
        .transaction("projection", move |tx: &mut Tx| {
            let events: Arc<Vec<Sealed>> = work.clone();
            Box::pin(async move {
                let projected: Vec<_> = events
                    .iter()
                    .map(|sealed| ProjectedEvent {
                        sealed,
                        words: chancery_event::search::words(sealed.event()),
                    })
                    .collect();
                Ok::<(), Error>(log::project(tx, LogIndex(from.0), &projected, now).await?)
            })
        })
        .await?;
    Ok(count)
}
