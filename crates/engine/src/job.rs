//! Jobs: asynchronous operations with state, attempts, payload and result.
//!
//! A job is queued in the transaction of what asked for it and runs under a lease (`runner`). It
//! acts on behalf of who asked: their context travels with it.

pub(crate) mod runner;

use chancery_event::id::{AccountId, JobId};
use chancery_event::types::job as types;
use chancery_event::{Target, TargetKind, Timestamp};
use chancery_store::table::job::{self, Job, NewJob};
use serde_json::json;

use crate::inventory::PlacementRequest;
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

pub(crate) use runner::Progress;

/// What jobs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An asynchronous upload.
    CertificateUpload,
    /// A bulk import.
    CertificateImport,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::CertificateUpload, Self::CertificateImport];

    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CertificateUpload => "certificate.upload",
            Self::CertificateImport => "certificate.import",
        }
    }

    /// The kind that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The queue it waits in, and how many of that queue run at once.
    pub(crate) fn queue(self) -> (&'static str, usize) {
        match self {
            Self::CertificateUpload => ("upload", 4),
            Self::CertificateImport => ("import", 1),
        }
    }
}

/// Why a job could not be done.
#[derive(Clone, Debug)]
pub(crate) struct JobError {
    /// Trying again may help.
    pub(crate) retry: bool,
    /// What went wrong, for people.
    pub(crate) message: String,
}

impl JobError {
    /// What an operation's refusal means for the job.
    pub(crate) fn of(error: Error) -> Self {
        Self { retry: error.is_transient(), message: error.to_string() }
    }
}

/// A job to queue, on behalf of a context.
pub(crate) fn new(
    engine: &Engine,
    context: &Context,
    kind: Kind,
    placement: &PlacementRequest,
    input: Vec<u8>,
) -> Result<NewJob, Error> {
    let now = engine.environment().now();
    let text = |error: serde_json::Error| Error::Internal(format!("job: {error}"));
    let actor = &context.actor;
    let triggered_by = match &actor.id {
        Some(id) => format!("{}/{id}", actor.kind),
        None => actor.kind.to_string(),
    };
    let payload = json!({ "placement": placement, "size_bytes": input.len() });
    let name = match kind {
        Kind::CertificateUpload => "Upload of certificates",
        Kind::CertificateImport => "Import of certificates",
    };
    let job = Job {
        id: engine.environment().id(),
        kind: kind.as_str().to_owned(),
        queue: kind.queue().0.to_owned(),
        name: name.to_owned(),
        state: "queued".to_owned(),
        payload: payload.to_string(),
        result: None,
        error: None,
        attempts: 0,
        attempts_max: 5,
        done: 0,
        total: 0,
        triggered_by,
        context: serde_json::to_string(&context.carried()).map_err(text)?,
        scheduled_at: now,
        run_at: now,
        started_at: None,
        completed_at: None,
    };
    Ok(NewJob { job, input: Some(input), unique_key: None })
}

/// Who started a job, if it was an account.
pub(crate) fn started_by(job: &Job) -> Option<AccountId> {
    job.triggered_by.strip_prefix("account/")?.parse().ok()
}

fn target(job: &Job) -> Target {
    Target::new(TargetKind::Job, job.id).named(&job.name)
}

impl Engine {
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
        let limit = limit.clamp(1, 1_001);
        Ok(job::page(&mut self.link().await?, state, kind, before, limit).await?)
    }

    /// One job.
    ///
    /// # Errors
    /// There is none, or the caller may not see jobs.
    pub async fn job(&self, context: &Context, id: JobId) -> Result<Job, Error> {
        context.require(Permission::JobRead)?;
        let found = job::find(&mut self.link().await?, id).await?;
        found.ok_or_else(|| Error::not_found("job", id))
    }

    /// Cancels a job that has not ended (operation `job.cancel`). What it did already stays.
    ///
    /// # Errors
    /// There is none, or it has ended.
    pub async fn cancel_job(&self, context: &Context, id: JobId) -> Result<(), Error> {
        let attempt = types::Cancel { job_id: Some(id), job_kind: None, old_state: None };
        self.operation(context, Permission::JobWrite, &attempt)?
            .about(Target::new(TargetKind::Job, id))
            .run(move |tx, scribe| {
                let (attempt, now) = (attempt.clone(), scribe.now());
                Box::pin(async move {
                    let old = job::find(tx, id).await?;
                    let old = old.ok_or_else(|| Error::not_found("job", id))?;
                    if !job::cancel(tx, id, now).await? {
                        return Err(Error::Conflict {
                            reason: "ended",
                            message: format!("the job has ended: {}", old.state),
                        });
                    }
                    let payload = types::Cancel {
                        job_kind: Some(old.kind.clone().into()),
                        old_state: Some(old.state.clone().into()),
                        ..attempt
                    };
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target(&old)) })
                })
            })
            .await
    }

    /// Queues a failed job again (operation `job.retry`).
    ///
    /// # Errors
    /// There is none, or it has not failed.
    pub async fn retry_job(&self, context: &Context, id: JobId) -> Result<(), Error> {
        let attempt = types::Retry { job_id: Some(id), job_kind: None, attempts: None };
        self.operation(context, Permission::JobWrite, &attempt)?
            .about(Target::new(TargetKind::Job, id))
            .run(move |tx, scribe| {
                let (attempt, now) = (attempt.clone(), scribe.now());
                Box::pin(async move {
                    let old = job::find(tx, id).await?;
                    let old = old.ok_or_else(|| Error::not_found("job", id))?;
                    if !job::retry(tx, id, now).await? {
                        return Err(Error::Conflict {
                            reason: "not_failed",
                            message: format!("the job has not failed: {}", old.state),
                        });
                    }
                    let payload = types::Retry {
                        job_kind: Some(old.kind.clone().into()),
                        attempts: u32::try_from(old.attempts).ok(),
                        ..attempt
                    };
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target(&old)) })
                })
            })
            .await?;
        self.0.jobs_waiting.notify_one();
        Ok(())
    }
}
