//! How long jobs are kept that have ended.
//!
//! A job carries on whose behalf it runs, with names and addresses, and what it works on. Both go
//! when it has succeeded or was cancelled; of one that has failed, when it can be tried again no
//! more. What is left is deleted after its time. Their events tell the story for ever.
//!
//! Crash here: the next round goes on.

use chancery_event::Timestamp;
use chancery_store::Tx;
use chancery_store::table::job;

use crate::alert::cause;
use crate::{Context, Engine, Error};

/// A job that failed this long ago cannot be tried again.
const RETRIED_DAYS: i64 = 30;
/// Jobs changed in one transaction at most.
const SWEEP_MAX: usize = 500;

/// Deletes what is over, and forgets what cannot be tried again.
pub(crate) async fn sweep(engine: &Engine) -> Result<(), Error> {
    let now = engine.environment().now();
    let before = |days: i64| now.plus(-days * Timestamp::DAY);
    let kept = i64::from(engine.settings().keep_jobs_days);
    let (failed, ended) = (before(RETRIED_DAYS.min(kept)), before(kept));
    let scribe = engine.scribe(&Context::system(engine.environment()));
    while job::any_over(&mut engine.link().await?, failed, ended).await? {
        let scribe = scribe.clone();
        let swept = engine.0.store.transaction("job.sweep", move |tx: &mut Tx| {
            let scribe = scribe.clone();
            Box::pin(async move {
                job::forget(tx, failed, SWEEP_MAX).await?;
                for (id, failed) in job::sweep(tx, ended, SWEEP_MAX).await? {
                    if failed {
                        cause::job_settled(tx, &scribe, id, "job_deleted").await?;
                    }
                }
                Ok::<(), Error>(())
            })
        });
        swept.await?;
    }
    Ok(())
}
