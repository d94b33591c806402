//! Jobs: asynchronous operations with state, attempts, payload and result.
//!
//! A job is queued in the transaction of what asked for it, and carries on whose behalf it runs.
//! `runner` leases jobs and does the slow thing. What a job does may be done twice: its effects
//! are those of operations that refuse to do the same again.

mod ending;
mod listing;
pub(crate) mod retention;
pub(crate) mod runner;
mod starting;

use std::sync::Arc;

use chancery_event::catalogue::Payload;
use chancery_event::id::JobId;
use chancery_event::types::job as types;
use chancery_event::{Actor, Environment, Target, TargetKind, Timestamp};
use chancery_store::Tx;
use chancery_store::table::job::{self, Job, Lease, NewJob};
use serde_json::{Value, json};

use crate::alert::cause;
use crate::context::Carried;
use crate::inventory::PlacementRequest;
use crate::operation::Done;
use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error, Permission, schedule};

pub use listing::{
    Counts, FACETS, JOBS_COUNTED_MAX, JobPage, JobQuery, QueueView, STATES, queue_limits,
};

/// Jobs of one list at most: a page of a thousand, and one to tell that there are more.
const LIST_MAX: usize = 1_001;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Works off an upload.
    CertificateUpload,
    /// Works off a bulk import.
    CertificateImport,
    /// Checks a certificate of the inventory again, or all of them.
    CertificateValidate,
    /// Verifies the whole log.
    LogVerify,
    /// Makes a backup.
    BackupCreate,
    /// Tries automation out on recorded events.
    BackTest,
    /// Puts a certificate in that is about to end, to see whether people hear of it.
    Canary,
    /// Follows the rules of retention.
    RetentionRun,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::CertificateUpload,
        Self::CertificateImport,
        Self::CertificateValidate,
        Self::LogVerify,
        Self::BackupCreate,
        Self::BackTest,
        Self::Canary,
        Self::RetentionRun,
    ];
    /// Kinds that a schedule can queue.
    pub const SCHEDULED: [Self; 5] = [
        Self::CertificateValidate,
        Self::LogVerify,
        Self::BackupCreate,
        Self::Canary,
        Self::RetentionRun,
    ];

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CertificateUpload => "certificate.upload",
            Self::CertificateImport => "certificate.import",
            Self::CertificateValidate => "certificate.validate",
            Self::LogVerify => "log.verify",
            Self::BackupCreate => "backup.create",
            Self::BackTest => "automation.back_test",
            Self::Canary => "notification.canary",
            Self::RetentionRun => "retention.run",
        }
    }

    /// The kind that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The queue it waits in.
    fn queue(self) -> &'static str {
        match self {
            Self::CertificateUpload => "upload",
            Self::CertificateImport => "import",
            Self::CertificateValidate => "validation",
            Self::LogVerify => "verification",
            Self::BackupCreate => "backup",
            Self::Canary => "canary",
            Self::RetentionRun => "retention",
            Self::BackTest => "back_test",
        }
    }

    /// What people call it.
    fn name(self) -> &'static str {
        match self {
            Self::CertificateUpload => "Upload of certificates",
            Self::CertificateImport => "Import of certificates",
            Self::CertificateValidate => "Validation of certificates",
            Self::LogVerify => "Verification of the log",
            Self::BackupCreate => "Backup",
            Self::BackTest => "Back-test of automation",
            Self::Canary => "Canary for every channel",
            Self::RetentionRun => "Rules of retention",
        }
    }

    /// What somebody has to be allowed who starts such a job by hand: what it does is on their
    /// behalf.
    pub fn permission(self) -> Permission {
        match self {
            Self::CertificateUpload
            | Self::CertificateImport
            | Self::CertificateValidate
            | Self::Canary => Permission::CertificateWrite,
            Self::LogVerify => Permission::LogVerify,
            Self::BackupCreate => Permission::Backup,
            Self::BackTest => Permission::AutomationTry,
            Self::RetentionRun => Permission::RetentionWrite,
        }
    }

    /// Tries at most.
    fn attempts_max(self) -> i64 {
        match self {
            Self::CertificateUpload | Self::CertificateImport | Self::CertificateValidate => 5,
            Self::LogVerify | Self::BackupCreate | Self::Canary | Self::RetentionRun => 3,
            Self::BackTest => 2,
        }
    }

    /// Whether it is about one certificate, and so can be started by a trigger.
    pub fn about_a_certificate(self) -> bool {
        matches!(self, Self::CertificateValidate)
    }
}

/// Why a try of a job failed.
#[derive(Clone, Debug)]
pub(crate) struct JobError {
    /// Trying again later may help.
    pub(crate) retry: bool,
    /// For people; may repeat what somebody sent.
    pub(crate) message: String,
}

impl JobError {
    /// A failed operation.
    pub(crate) fn of(error: Error) -> Self {
        Self { retry: error.is_transient(), message: error.to_string() }
    }
}

/// Where a job at work tells how far it is.
pub(crate) struct Progress(Option<(Engine, Arc<Lease>)>);

impl Progress {
    /// For the same work outside of a job.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    fn of(engine: Engine, lease: Arc<Lease>) -> Self {
        Self(Some((engine, lease)))
    }

    /// Tells that `done` of `total` steps are done, and keeps the lease alive.
    ///
    /// # Errors
    /// The job was cancelled or taken over: stop.
    pub(crate) async fn report(&self, done: u64, total: u64) -> Result<(), Error> {
        let Some((engine, lease)) = &self.0 else { return Ok(()) };
        let lease = lease.clone();
        let until = engine.lease_time().plus(runner::LEASE);
        engine
            .0
            .store
            .transaction("job.progress", move |tx: &mut Tx| {
                let lease = lease.clone();
                Box::pin(async move { Ok(job::progress(tx, &lease, done, total, until).await?) })
            })
            .await
    }
}

/// An upload as a job for [`chancery_store::table::job::enqueue`], on behalf of a context. Whoever
/// queues it wakes the runner after the commit.
pub(crate) fn new(
    engine: &Engine,
    context: &Context,
    kind: Kind,
    placement: &PlacementRequest,
    input: Vec<u8>,
) -> Result<NewJob, Error> {
    let payload = json!({ "placement": placement, "size_bytes": input.len() });
    let mut job = of_kind(engine.environment(), context, kind, &payload)?;
    job.input = Some(input);
    Ok(job)
}

/// The event of a job that waits for its turn.
pub(crate) fn queued(job: &Job) -> Result<Draft, Error> {
    let payload = types::Queued { job_id: job.id, job_kind: job.kind.clone().into() };
    Ok(Draft::new(&payload)?.target(target(job)))
}

/// A job without input.
pub(crate) fn of_kind(
    environment: &Environment,
    context: &Context,
    kind: Kind,
    payload: &Value,
) -> Result<NewJob, Error> {
    let carried = serde_json::to_string(&context.carried())
        .map_err(|error| Error::Internal(format!("context of a job: {error}")))?;
    let now = environment.now();
    Ok(NewJob {
        job: Job {
            id: environment.id(),
            kind: kind.as_str().to_owned(),
            queue: kind.queue().to_owned(),
            name: kind.name().to_owned(),
            state: "queued".to_owned(),
            payload: payload.to_string(),
            result: None,
            error: None,
            attempts: 0,
            attempts_max: kind.attempts_max(),
            done: 0,
            total: 0,
            triggered_by: asked_by(&context.actor),
            context: carried,
            scheduled_at: now,
            run_at: now,
            started_at: None,
            completed_at: None,
        },
        input: None,
        unique_key: None,
    })
}

/// Who asked for a job.
fn asked_by(actor: &Actor) -> String {
    match &actor.id {
        Some(id) => format!("{}/{id}", actor.kind),
        None => actor.kind.to_string(),
    }
}

/// Queues a job and records that.
pub(crate) async fn enqueue(tx: &mut Tx, scribe: &Scribe, new: &NewJob) -> Result<bool, Error> {
    if !job::enqueue(tx, new).await? {
        return Ok(false);
    }
    scribe.record(tx, queued(&new.job)?)?;
    Ok(true)
}

/// Queues a job that nobody can have queued before, and records that.
pub(crate) async fn enqueue_new(tx: &mut Tx, scribe: &Scribe, new: &NewJob) -> Result<(), Error> {
    match enqueue(tx, scribe, new).await? {
        true => Ok(()),
        false => Err(Error::Internal(format!("there is a job {} already", new.job.id))),
    }
}

/// On whose behalf a job runs.
fn context_of(job: &Job) -> Option<Context> {
    serde_json::from_str::<Carried>(&job.context).ok().map(Carried::context)
}

impl Engine {
    /// Queues work that needs no input, for somebody with the permission. What is refused leaves
    /// the event of the operation that the work would have been, which `attempt` describes.
    pub(crate) async fn queue<P: Payload>(
        &self,
        context: &Context,
        permission: Permission,
        kind: Kind,
        attempt: &P,
    ) -> Result<JobId, Error> {
        match self.try_queue(context, permission, kind).await {
            Ok(id) => Ok(id),
            Err(error) => Err(self.operation(context, permission, attempt)?.fail(error).await),
        }
    }

    async fn try_queue(
        &self,
        context: &Context,
        permission: Permission,
        kind: Kind,
    ) -> Result<JobId, Error> {
        context.require(permission)?;
        let job = of_kind(self.environment(), context, kind, &json!({}))?;
        let id = job.job.id;
        let scribe = self.scribe(context);
        self.0
            .store
            .transaction("job.queue", move |tx: &mut Tx| {
                let (scribe, job) = (scribe.clone(), job.clone());
                Box::pin(async move { enqueue_new(tx, &scribe, &job).await })
            })
            .await?;
        self.0.jobs_waiting.notify_one();
        Ok(id)
    }

    /// Jobs, newest first, optionally in one state or of one kind, from before a position.
    ///
    /// # Errors
    /// The caller may not see jobs.
    pub async fn jobs(
        &self,
        context: &Context,
        state: Option<&str>,
        kind: Option<&str>,
        before: Option<(Timestamp, JobId)>,
        limit: usize,
    ) -> Result<Vec<Job>, Error> {
        context.require(Permission::JobRead)?;
        let own = self.own_jobs_alone(context).await?;
        let limit = limit.clamp(1, LIST_MAX);
        let asked_by = own.as_deref();
        let mut link = self.link().await?;
        let items = job::page(&mut link, (state, kind, asked_by), before, limit).await?;
        Ok(items.into_iter().map(|job| shown(job, own.is_none())).collect())
    }

    /// One job.
    ///
    /// # Errors
    /// There is none with this identifier.
    pub async fn job(&self, context: &Context, id: JobId) -> Result<Job, Error> {
        context.require(Permission::JobRead)?;
        let found = job::find(&mut self.link().await?, id).await?;
        let own = self.own_jobs_alone(context).await?;
        found
            .filter(|job| own.as_ref().is_none_or(|own| job.triggered_by == *own))
            .map(|job| shown(job, own.is_none()))
            .ok_or_else(|| Error::not_found("job", id))
    }

    /// Cancels a job that has not ended (operation `job.cancel`). One that is at work stops at its
    /// next step; what it has done stays.
    ///
    /// # Errors
    /// There is none, or it has ended.
    pub async fn cancel_job(&self, context: &Context, id: JobId) -> Result<(), Error> {
        let attempt = types::Cancel { job_id: Some(id), job_kind: None, old_state: None };
        self.operation(context, Permission::JobWrite, &attempt)?
            .about(Target::new(TargetKind::Job, id))
            .run(move |tx, scribe| {
                Box::pin(async move {
                    let found = job::find(tx, id).await?;
                    let row = found.ok_or_else(|| Error::not_found("job", id))?;
                    let now = scribe.now();
                    if !job::cancel(tx, id, now).await? {
                        return Err(Error::Conflict {
                            reason: "ended",
                            message: "the job has ended already".to_owned(),
                        });
                    }
                    scribe.record(tx, ending::cancelled(&row, now)?)?;
                    schedule::job_ended(tx, scribe, &row, "cancelled", None, now).await?;
                    cause::job_settled(tx, scribe, id, "job_cancelled").await?;
                    let payload = types::Cancel {
                        job_id: Some(id),
                        job_kind: Some(row.kind.clone().into()),
                        old_state: Some(row.state.clone().into()),
                    };
                    let draft = Draft::new(&payload)?.target(target(&row));
                    Ok(Done { value: (), draft })
                })
            })
            .await?;
        self.0.jobs_waiting.notify_one();
        Ok(())
    }

    /// Queues a failed job again (operation `job.retry`); its attempts are counted anew.
    ///
    /// # Errors
    /// There is none, or it has not failed.
    pub async fn retry_job(&self, context: &Context, id: JobId) -> Result<(), Error> {
        let attempt = types::Retry { job_id: Some(id), job_kind: None, attempts: None };
        self.operation(context, Permission::JobWrite, &attempt)?
            .about(Target::new(TargetKind::Job, id))
            .run(move |tx, scribe| {
                Box::pin(async move {
                    let found = job::find(tx, id).await?;
                    let row = found.ok_or_else(|| Error::not_found("job", id))?;
                    if row.state == "failed" && row.is_forgotten() {
                        return Err(Error::Conflict {
                            reason: "too_old",
                            message: "what it worked on is not kept any more: ask for it anew"
                                .to_owned(),
                        });
                    }
                    if !job::retry(tx, id, scribe.now()).await? {
                        return Err(Error::Conflict {
                            reason: "not_failed",
                            message: "only a job that has failed can be tried again".to_owned(),
                        });
                    }
                    let payload = types::Retry {
                        job_id: Some(id),
                        job_kind: Some(row.kind.clone().into()),
                        attempts: u32::try_from(row.attempts).ok(),
                    };
                    let draft = Draft::new(&payload)?.target(target(&row));
                    Ok(Done { value: (), draft })
                })
            })
            .await?;
        self.0.jobs_waiting.notify_one();
        Ok(())
    }
}

fn target(job: &Job) -> Target {
    Target::new(TargetKind::Job, job.id).named(&job.name)
}

/// A job as it leaves the engine: without the context, which has names and addresses of people, and
/// without events that it tells of where the reader may not see all of them.
fn shown(mut job: Job, all_events: bool) -> Job {
    job.context = "{}".to_owned();
    if !all_events && Kind::parse(&job.kind) == Some(Kind::BackTest) {
        job.result = None;
    }
    job
}

#[cfg(test)]
mod tests {
    use super::{Kind, runner};

    #[test]
    fn kinds_have_one_spelling_and_a_queue_that_runs() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
            assert!(runner::has_queue(kind.queue()), "{kind:?}");
        }
    }
}
