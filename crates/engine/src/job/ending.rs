//! How a try of a job ends, and what is written then: state and event in one transaction.

use std::sync::Arc;

use chancery_event::types::job as types;
use chancery_event::{Environment, Outcome, Timestamp};
use chancery_store::Tx;
use chancery_store::table::job::{self, Job, Lease};
use serde_json::Value;

use super::{JobError, context_of, target};
use crate::alert::cause;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, schedule};

/// How long the first retry waits; each further one waits twice as long.
const RETRY_FIRST: i64 = 5 * Timestamp::SECOND;
/// How long a retry waits at most.
const RETRY_MOST: i64 = Timestamp::HOUR;

/// How a try ended.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// Well.
    Success(Value),
    /// For good, with a reason for programs and a message for people.
    Failure { reason: &'static str, message: String },
    /// To be tried again.
    Again(String),
    /// Cut short because the program stops; does not count.
    HandedBack,
    /// The job belongs to somebody else by now, or to nobody.
    Lost,
}

impl Ending {
    /// What a failed try means for the job.
    pub(super) fn failed(job: &Job, error: JobError) -> Self {
        if error.retry && job.attempts < job.attempts_max {
            Self::Again(error.message)
        } else {
            Self::Failure { reason: "job_failed", message: error.message }
        }
    }
}

/// Writes how a try ended.
pub(super) async fn write(
    engine: &Engine,
    lease: &Arc<Lease>,
    ending: Ending,
) -> Result<(), Error> {
    if matches!(ending, Ending::Lost) {
        return Ok(());
    }
    let context = context_of(lease.job());
    let scribe = engine.scribe(&context.unwrap_or_else(|| Context::system(engine.environment())));
    let now = engine.environment().now();
    let run_at = now.plus(delay(lease.job().attempts, engine.environment()));
    let work = Arc::new((lease.clone(), ending));
    engine
        .0
        .store
        .transaction("job.end", move |tx: &mut Tx| {
            let (work, scribe) = (work.clone(), scribe.clone());
            Box::pin(async move {
                let (lease, ending) = &*work;
                match ending {
                    Ending::Success(result) => {
                        job::succeed(tx, lease, &result.to_string(), now).await?;
                        let job = lease.job();
                        scribe.record(tx, succeeded(job, result, now)?)?;
                        cause::job_settled(tx, &scribe, job.id, "job_succeeded").await?;
                        schedule::job_ended(tx, &scribe, job, "succeeded", None, now).await?;
                    }
                    Ending::Failure { reason, message } => {
                        job::fail(tx, lease, message, now).await?;
                        let job = lease.job();
                        let event = scribe.record(tx, failed(job, reason, message, now)?)?;
                        cause::job_failed(tx, &scribe, job, reason, message, event).await?;
                        let why = Some(message.as_str());
                        schedule::job_ended(tx, &scribe, job, "failed", why, now).await?;
                    }
                    Ending::Again(message) => {
                        job::retry_later(tx, lease, message, run_at).await?;
                    }
                    Ending::HandedBack => job::hand_back(tx, lease).await?,
                    Ending::Lost => {}
                }
                Ok(())
            })
        })
        .await
}

/// How long to wait after this many tries: half of it certain, half by chance, so that what failed
/// together is not tried again together.
pub(super) fn delay(attempts: i64, environment: &Environment) -> i64 {
    let doublings = u32::try_from(attempts.clamp(1, 20) - 1).unwrap_or(0);
    let whole = (RETRY_FIRST << doublings).min(RETRY_MOST);
    let chance = i64::from(u32::from_be_bytes(environment.random()));
    whole / 2 + (whole / 2) * chance / i64::from(u32::MAX)
}

fn finished(job: &Job, state: &'static str, now: Timestamp) -> types::Finished {
    let context = context_of(job);
    let spent = job.started_at.map_or(0, |started| now.since(started));
    types::Finished {
        job_id: job.id,
        job_kind: job.kind.clone().into(),
        state: state.into(),
        attempts: u32::try_from(job.attempts).unwrap_or(0),
        queued_at: job.scheduled_at,
        duration_ms: u64::try_from(spent / 1_000).unwrap_or(0),
        started_by: context.and_then(|context| context.account_id()),
        items: None,
        items_failed: None,
    }
}

fn succeeded(job: &Job, result: &Value, now: Timestamp) -> Result<Draft, Error> {
    let payload = types::Finished {
        items: result["count"].as_u64(),
        items_failed: result["invalid"].as_u64(),
        ..finished(job, "succeeded", now)
    };
    Ok(Draft::new(&payload)?.target(target(job)))
}

/// The message may repeat what somebody sent: it goes into the erasable part.
fn failed(job: &Job, reason: &'static str, message: &str, now: Timestamp) -> Result<Draft, Error> {
    let outcome = Outcome { message: None, ..Outcome::failure(reason, "") };
    let mut draft = Draft::new(&finished(job, "failed", now))?.target(target(job)).outcome(outcome);
    draft.personal.insert("message".to_owned(), message.into());
    Ok(draft)
}

/// The event of a job that somebody cancelled.
pub(super) fn cancelled(job: &Job, now: Timestamp) -> Result<Draft, Error> {
    Ok(Draft::new(&finished(job, "cancelled", now))?.target(target(job)))
}
