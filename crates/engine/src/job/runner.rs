//! Runs jobs under leases.
//!
//! The loop takes no input: a signal and a timer wake it, and it asks the store what is due. Each
//! queue has its own limit, so that a slow kind starves nobody. Progress keeps a lease alive. A job
//! whose runner died is taken over when its lease has run out; a runner that lost its lease finds
//! its reports refused and stops.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chancery_event::types::job as types;
use chancery_event::{Outcome, Timestamp};
use chancery_store::Tx;
use chancery_store::table::job::{self, Job, Lease};
use futures::FutureExt as _;
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore, watch};

use super::{JobError, Kind, started_by, target};
use crate::context::Carried;
use crate::scribe::Draft;
use crate::{Engine, Error};

/// How long a lease lasts without a sign of life.
const LEASE: i64 = 60 * Timestamp::SECOND;
/// How often a running job's lease is extended.
const HEARTBEAT: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_secs(2);
/// How long running jobs may go on after the signal to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Reports the progress of a job; without a job it reports to nobody.
#[derive(Clone)]
pub(crate) struct Progress(Option<Arc<Held>>);

struct Held {
    engine: Engine,
    lease: Mutex<Option<Lease>>,
}

impl Progress {
    /// For work that is no job.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Reports progress and keeps the lease alive.
    ///
    /// # Errors
    /// The lease is lost: the job was cancelled or taken over. The work must stop.
    pub(crate) async fn report(&self, done: u64, total: u64) -> Result<(), Error> {
        match &self.0 {
            Some(held) => held.report(Some((done, total))).await,
            None => Ok(()),
        }
    }
}

impl Held {
    async fn report(&self, progress: Option<(u64, u64)>) -> Result<(), Error> {
        let mut slot = self.lease.lock().await;
        let Some(lease) = slot.take() else {
            return Err(chancery_store::Error::Conflict("the job").into());
        };
        let until = self.engine.environment().now().plus(LEASE);
        let (id, shared) = (lease.job().id, Arc::new(Mutex::new(lease)));
        let work = shared.clone();
        let reported = self
            .engine
            .0
            .store
            .transaction("job.progress", move |tx: &mut Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (done, total) = match progress {
                        Some(progress) => progress,
                        None => match job::find(tx, id).await? {
                            Some(job) => (
                                u64::try_from(job.done).unwrap_or(0),
                                u64::try_from(job.total).unwrap_or(0),
                            ),
                            None => (0, 0),
                        },
                    };
                    let mut lease = work.lock().await;
                    Ok::<(), Error>(job::progress(tx, &mut lease, done, total, until).await?)
                })
            })
            .await;
        *slot = Arc::into_inner(shared).map(Mutex::into_inner);
        reported
    }
}

/// Runs jobs until `stop` is set, then waits a bounded time for those at work.
pub(crate) async fn run(engine: Engine, mut stop: watch::Receiver<bool>) {
    let queues: Vec<_> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let (queue, limit) = kind.queue();
            (queue, limit, Arc::new(Semaphore::new(limit)))
        })
        .collect();
    while !*stop.borrow() {
        for (queue, _, permits) in &queues {
            if let Err(error) = start_due(&engine, queue, permits).await {
                tracing::error!(%error, queue, "jobs could not be leased");
            }
        }
        tokio::select! {
            () = engine.0.jobs_waiting.notified() => {}
            _ = stop.changed() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
    for (_, limit, permits) in queues {
        let all = u32::try_from(limit).unwrap_or(u32::MAX);
        // Whoever is still at work after that loses nothing: the lease runs out and another takes
        // over.
        let _ = tokio::time::timeout(GRACE, permits.acquire_many(all)).await;
    }
}

/// Leases as many due jobs as there are permits, and starts them.
async fn start_due(
    engine: &Engine,
    queue: &'static str,
    permits: &Arc<Semaphore>,
) -> Result<(), Error> {
    while let Ok(permit) = permits.clone().try_acquire_owned() {
        let due = job::next_due(&mut engine.link().await?, queue).await?;
        let now = engine.environment().now();
        if due.is_none_or(|due| due > now) {
            return Ok(());
        }
        let token = crate::inventory::hex(&engine.environment().random::<16>());
        let leased = engine
            .0
            .store
            .transaction("job.lease", move |tx: &mut Tx| {
                let token = token.clone();
                Box::pin(async move {
                    let until = now.plus(LEASE);
                    Ok::<_, Error>(job::lease(tx, queue, 1, &token, now, until).await?)
                })
            })
            .await?;
        let Some(lease) = leased.into_iter().next() else { return Ok(()) };
        let engine = engine.clone();
        tokio::spawn(async move {
            let id = lease.job().id;
            if let Err(error) = one(&engine, lease).await {
                tracing::warn!(%error, job = %id, "the end of a job was not recorded");
            }
            drop(permit);
            engine.0.jobs_waiting.notify_one();
        });
    }
    Ok(())
}

/// Runs one job to its end and records it.
async fn one(engine: &Engine, lease: Lease) -> Result<(), Error> {
    let job = lease.job().clone();
    let held = Arc::new(Held { engine: engine.clone(), lease: Mutex::new(Some(lease)) });
    let progress = Progress(Some(held.clone()));
    let work = AssertUnwindSafe(execute(engine, &job, &progress)).catch_unwind();
    let heartbeat = async {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            if held.report(None).await.is_err() {
                return;
            }
        }
    };
    let outcome = tokio::select! {
        outcome = work => outcome.unwrap_or_else(|_| Err(JobError {
            retry: true,
            message: "the job broke off".to_owned(),
        })),
        () = heartbeat => return Err(chancery_store::Error::Conflict("the job").into()),
    };
    let Some(lease) = held.lease.lock().await.take() else {
        return Err(chancery_store::Error::Conflict("the job").into());
    };
    finish(engine, lease, outcome).await
}

async fn execute(engine: &Engine, job: &Job, progress: &Progress) -> Result<Value, JobError> {
    let broken = |message: &str| JobError { retry: false, message: message.to_owned() };
    let kind =
        Kind::parse(&job.kind).ok_or_else(|| broken("this version does not know the kind"))?;
    let carried: Carried =
        serde_json::from_str(&job.context).map_err(|_| broken("the context is damaged"))?;
    let context = carried.context();
    let mut link = engine.link().await.map_err(JobError::of)?;
    let input = job::input(&mut link, job.id).await.map_err(|error| JobError::of(error.into()))?;
    drop(link);
    let input = input.ok_or_else(|| broken("the input is gone"))?;
    match kind {
        Kind::CertificateUpload => {
            crate::inventory::bulk::run_upload(engine, context, job, input, progress).await
        }
        Kind::CertificateImport => {
            crate::inventory::bulk::run_import(engine, context, job, input, progress).await
        }
    }
}

/// Writes how the job ended, with its event, or when it is tried again.
async fn finish(
    engine: &Engine,
    lease: Lease,
    outcome: Result<Value, JobError>,
) -> Result<(), Error> {
    let job = lease.job();
    let again = matches!(&outcome, Err(error) if error.retry && job.attempts < job.attempts_max);
    let jitter = i64::from(engine.environment().random::<1>()[0]) * 4_000;
    let attempts = u32::try_from(job.attempts.clamp(1, 10)).unwrap_or(1);
    let delay = (Timestamp::SECOND << attempts) + jitter;
    let carried: Option<Carried> = serde_json::from_str(&job.context).ok();
    let context = match carried {
        Some(carried) => carried.context(),
        None => crate::Context::system(engine.environment()),
    };
    let scribe = engine.scribe(&context);
    let work = Arc::new((lease, outcome));
    engine
        .0
        .store
        .transaction("job.finish", move |tx: &mut Tx| {
            let (work, scribe) = (work.clone(), scribe.clone());
            Box::pin(async move {
                let (lease, outcome) = &*work;
                let now = scribe.now();
                match outcome {
                    Ok(result) => {
                        job::succeed(tx, lease, &result.to_string(), now).await?;
                        scribe.record(tx, finished(lease.job(), Ok(result), now)?)?;
                    }
                    Err(error) if again => {
                        job::retry_later(tx, lease, &error.message, now.plus(delay)).await?;
                    }
                    Err(error) => {
                        job::fail(tx, lease, &error.message, now).await?;
                        scribe.record(tx, finished(lease.job(), Err(error), now)?)?;
                    }
                }
                Ok::<(), Error>(())
            })
        })
        .await
}

fn finished(job: &Job, outcome: Result<&Value, &JobError>, now: Timestamp) -> Result<Draft, Error> {
    let began = job.started_at.unwrap_or(job.scheduled_at);
    let number = |value: &Value, name: &str| value[name].as_u64();
    let payload = types::Finished {
        job_id: job.id,
        job_kind: job.kind.clone().into(),
        state: if outcome.is_ok() { "succeeded" } else { "failed" }.into(),
        attempts: u32::try_from(job.attempts).unwrap_or(u32::MAX),
        queued_at: job.scheduled_at,
        duration_ms: u64::try_from(now.since(began).max(0) / 1_000).unwrap_or(0),
        started_by: started_by(job),
        items: outcome.ok().and_then(|result| number(result, "count")),
        items_failed: outcome.ok().and_then(|result| number(result, "invalid")),
    };
    let mut draft = Draft::new(&payload)?.target(target(job));
    if let Err(error) = outcome {
        // The message may repeat what somebody sent: it stays out of the sealed part.
        draft = draft.outcome(Outcome {
            result: chancery_event::Verdict::Failure,
            reason: Some("job_failed".into()),
            message: None,
        });
        draft.personal.insert("message".to_owned(), error.message.clone().into());
    }
    Ok(draft)
}
