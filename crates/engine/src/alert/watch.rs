//! Keeps alerts true as time passes: ends snoozes, resolves what went away by itself, tells of what
//! could not be told when it happened, and deletes resolved ones after their time.
//!
//! The loop takes no input: it asks the store and the program's own condition. A snooze that ended
//! while the program was down ends when it is back.

use std::sync::Arc;
use std::time::Duration;

use chancery_event::Timestamp;
use chancery_event::id::AccountId;
use chancery_store::Tx;
use chancery_store::table::account;
use chancery_store::table::alert::{self, change};
use tokio::sync::watch;

use super::cause::{ACCOUNT_LOCKED, SEAL_STOPPED, store_refused};
use super::undo::KEPT;
use super::{resolve, wake};
use crate::{Context, Engine, Error};

/// Snoozes ended in one transaction at most.
const BATCH_MAX: usize = 256;
/// Alerts deleted in one transaction at most.
const SWEEP_MAX: usize = 500;
/// How long the loop sleeps at most, and at least.
const TICK: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// Watches until `stop` is set.
pub(crate) async fn run(engine: Engine, mut stop: watch::Receiver<bool>) {
    loop {
        match round(&engine).await {
            Ok(BATCH_MAX) if !*stop.borrow() => continue,
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "watching alerts failed"),
        }
        if *stop.borrow() {
            return;
        }
        let until = next(&engine).await.unwrap_or(TICK);
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(until) => {}
        }
    }
}

async fn next(engine: &Engine) -> Result<Duration, Error> {
    let due = alert::next_snooze_end(&mut engine.link().await?).await?;
    let Some(due) = due else { return Ok(TICK) };
    let micros = due.since(engine.environment().now());
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or(0)).clamp(PAUSE, TICK))
}

/// Writes down that the store refused writes, as soon as it takes one.
async fn tell_refusal(engine: &Engine) -> Result<(), Error> {
    let Some(refusal) = engine.health().take_refusal() else { return Ok(()) };
    let scribe = engine.scribe(&Context::system(engine.environment()));
    let known = refusal.clone();
    let told = engine
        .0
        .store
        .transaction("alert.refusal", move |tx: &mut Tx| {
            let (scribe, (since, why)) = (scribe.clone(), known.clone());
            Box::pin(async move { store_refused(tx, &scribe, since, &why).await })
        })
        .await;
    match told {
        Ok(()) => engine.health().takes_writes(),
        Err(_) => engine.health().keep_refusal(refusal),
    }
    told
}

/// Deletes alerts that were resolved long ago.
async fn sweep(engine: &Engine, now: Timestamp) -> Result<(), Error> {
    let days = i64::from(engine.settings().keep_resolved_alerts_days);
    let before = now.plus(-days * Timestamp::DAY);
    while alert::any_resolved_before(&mut engine.link().await?, before).await? {
        engine
            .0
            .store
            .transaction("alert.sweep", move |tx: &mut Tx| {
                Box::pin(
                    async move { Ok::<u64, Error>(alert::sweep(tx, before, SWEEP_MAX).await?) },
                )
            })
            .await?;
    }
    Ok(())
}

/// Forgets changes that cannot be taken back any more.
async fn forget(engine: &Engine, now: Timestamp) -> Result<(), Error> {
    let before = now.plus(-KEPT);
    while change::any_before(&mut engine.link().await?, before).await? {
        let forgotten = engine.0.store.transaction("alert.forget", move |tx: &mut Tx| {
            Box::pin(async move { Ok::<u64, Error>(change::sweep(tx, before, SWEEP_MAX).await?) })
        });
        forgotten.await?;
    }
    Ok(())
}

/// One round; answers how many snoozes ended.
pub(crate) async fn round(engine: &Engine) -> Result<usize, Error> {
    let now = engine.environment().now();
    tell_refusal(engine).await?;
    sweep(engine, now).await?;
    forget(engine, now).await?;
    let mut link = engine.link().await?;
    let over = alert::snoozes_over(&mut link, now, BATCH_MAX).await?;
    let gone = gone(engine, &mut link, now).await?;
    drop(link);
    let count = over.len();
    if count == 0 && gone.is_empty() {
        return Ok(0);
    }
    let scribe = engine.scribe(&Context::system(engine.environment()));
    let work = Arc::new((over, gone));
    engine
        .0
        .store
        .transaction("alert.watch", move |tx: &mut Tx| {
            let (work, scribe) = (work.clone(), scribe.clone());
            Box::pin(async move {
                let (over, gone) = &*work;
                for read in over {
                    // Somebody may have changed it since it was read.
                    let Some(mut row) = alert::find(tx, read.id).await? else { continue };
                    let still = row.state == "snoozed";
                    if still && row.snoozed_until.is_some_and(|until| until <= now) {
                        wake(tx, &scribe, &mut row, "time_over", now)?;
                        alert::update(tx, &row).await?;
                    }
                }
                for (key, reason) in gone {
                    resolve(tx, &scribe, key, reason).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .await?;
    Ok(count)
}

/// Causes that went away without anybody's doing, each with the word for it.
async fn gone(
    engine: &Engine,
    link: &mut chancery_store::Link,
    now: Timestamp,
) -> Result<Vec<(String, &'static str)>, Error> {
    let mut gone = Vec::new();
    let health = engine.health();
    if health.sealing_stopped().is_none()
        && health.sealed_at().is_some()
        && alert::unresolved(link, SEAL_STOPPED).await?.is_some()
    {
        gone.push((SEAL_STOPPED.to_owned(), "sealing_works"));
    }
    for key in alert::unresolved_keys(link, ACCOUNT_LOCKED).await? {
        let id = key.strip_prefix(ACCOUNT_LOCKED).and_then(|id| id.parse::<AccountId>().ok());
        let found = match id {
            Some(id) => account::find(link, id).await?,
            None => None,
        };
        match found {
            None => gone.push((key, "account_deleted")),
            Some(row) if row.locked_until.is_none_or(|until| until <= now) => {
                gone.push((key, "lock_ended"));
            }
            Some(_) => {}
        }
    }
    Ok(gone)
}
