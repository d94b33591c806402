//! Schedules: a timetable that queues a job.
//!
//! A run begins when its job is queued (`schedule.start`) and ends with the job
//! (`schedule.finished`, in the transaction that ends the job). While it has not ended, the next
//! one is refused and that is recorded: runs never overlap.

use std::sync::Arc;

use chancery_event::id::EventId;
use chancery_event::types::job as types;
use chancery_event::{Outcome, Target, TargetKind, Timestamp};
use chancery_store::Tx;
use chancery_store::table::job::{self as jobs, Job};
use chancery_store::table::lease::Term;
use chancery_store::table::task::{self, Counts, Run};
use serde_json::Value;

use crate::automation::{Class, Object};
use crate::job::{self, Kind};
use crate::monitor::definition::{only, text, timetable};
use crate::monitor::timetable::Timetable;
use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error};

const MEMBERS: [&str; 6] = ["title", "description", "job_kind", "cron", "time_zone", "payload"];

/// What a schedule is told to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The kind of its jobs.
    pub job_kind: Kind,
    /// When it queues one.
    pub timetable: Timetable,
    /// What its jobs are asked to do.
    pub payload: Value,
}

impl Definition {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Invalid`] whose field is a JSON pointer into the body.
    pub fn read(body: &Value) -> Result<Self, Error> {
        let members =
            body.as_object().ok_or_else(|| Error::invalid("", "the body is an object"))?;
        only(members, "", &MEMBERS)?;
        text(members, "", "title")?;
        text(members, "", "description")?;
        let known: Vec<_> = Kind::SCHEDULED.iter().map(|kind| kind.as_str()).collect();
        let job_kind = text(members, "", "job_kind")?
            .and_then(Kind::parse)
            .filter(|kind| Kind::SCHEDULED.contains(kind))
            .ok_or_else(|| {
                Error::invalid("/job_kind", format!("write one of {}", known.join(", ")))
            })?;
        let payload = match members.get("payload") {
            None | Some(Value::Null) => Value::Object(serde_json::Map::new()),
            Some(payload @ Value::Object(members)) if members.is_empty() => payload.clone(),
            Some(_) => {
                return Err(Error::invalid("/payload", "jobs of this kind take an empty object"));
            }
        };
        Ok(Self { job_kind, timetable: timetable(members, "")?, payload })
    }
}

/// Queues the job of a schedule on behalf of somebody.
///
/// # Errors
/// [`Error::Forbidden`] if they may not do what the job does; as [`fire`]. All of it is recorded.
pub(crate) async fn fire_by_hand(
    engine: &Engine,
    context: &Context,
    object: &Object,
) -> Result<Run, Error> {
    let definition = Definition::read(&object.body)?;
    let permission = definition.job_kind.permission();
    if let Err(error) = context.require(permission) {
        let attempt = types::ScheduleStart {
            schedule_id: Some(object.name.clone()),
            job_kind: definition.job_kind.as_str().into(),
            due_at: None,
            job_id: None,
        };
        let operation = engine.operation(context, permission, &attempt)?;
        return Err(operation.about(target(&object.name)).fail(error).await);
    }
    fire(engine, context, object, &definition.timetable, None).await
}

/// Queues the job of a schedule.
///
/// # Errors
/// [`Error::Conflict`] if the job of the run before has not ended, or somebody else is at it; both
/// that and its refusal are recorded.
pub(crate) async fn fire(
    engine: &Engine,
    context: &Context,
    object: &Object,
    timetable: &Timetable,
    due_at: Option<Timestamp>,
) -> Result<Run, Error> {
    let definition = Definition::read(&object.body)?;
    let id = engine.environment().id::<EventId>();
    // What the job does is brought about by the run, and that by whoever asked for it.
    let caused =
        Context { cause: Some(id), depth: context.depth.saturating_add(1), ..context.clone() };
    let mut new =
        job::of_kind(engine.environment(), &caused, definition.job_kind, &definition.payload)?;
    new.job.triggered_by = format!("schedule/{}", object.name);
    let now = engine.environment().now();
    let run = Run {
        id,
        class: Class::Schedule.as_str().to_owned(),
        name: object.name.clone(),
        version: object.version,
        due_at,
        started_at: now,
        ended_at: None,
        state: "running".to_owned(),
        counts: Counts { reasons: "{}".to_owned(), ..Counts::default() },
        message: None,
        job: Some(new.job.id),
    };
    let next = timetable.next_after(now).unwrap_or(Timestamp::LAST);
    let scribe = Scribe { operation: Some(id), ..engine.scribe(context) };
    let term = Term::of(engine.lease_time(), task::LEASE);
    let work = Arc::new((run, new, (engine.lease_token(), term), object.enabled));
    let run = engine
        .0
        .store
        .transaction("schedule.start", move |tx: &mut Tx| {
            let (work, scribe) = (work.clone(), scribe.clone());
            Box::pin(async move {
                let (run, new, token, enabled) = &*work;
                let next = if *enabled { next } else { Timestamp::LAST };
                start(tx, &scribe, run.clone(), new, token, next).await
            })
        })
        .await?;
    engine.0.jobs_waiting.notify_one();
    match run.state.as_str() {
        "refused" => Err(Error::Conflict {
            reason: "running",
            message: "the job of the run before has not ended".to_owned(),
        }),
        _ => Ok(run),
    }
}

async fn start(
    tx: &mut Tx,
    scribe: &Scribe,
    mut run: Run,
    new: &jobs::NewJob,
    (token, term): &(String, Term),
    next: Timestamp,
) -> Result<Run, Error> {
    let open = task::open_run(tx, &run.class, &run.name).await?;
    let mut outcome = Outcome::success();
    if let Some(open) = open {
        "refused".clone_into(&mut run.state);
        run.ended_at = Some(run.started_at);
        run.job = None;
        let message = format!("the run of {} has not ended", open.started_at);
        run.message = Some(message.clone());
        outcome = Outcome::failure("overlap", message);
    }
    if task::find(tx, &run.class, &run.name).await?.is_none() {
        // Right after a start its task may not be set up yet: that follows, because of the version.
        task::put(tx, &run.class, &run.name, 0, None, next).await?;
    }
    if task::begin(tx, token, &run, *term).await?.is_none() {
        return Err(Error::Conflict {
            reason: "running",
            message: "this schedule is being started already".to_owned(),
        });
    }
    if run.job.is_some() {
        jobs::enqueue(tx, new).await?;
        scribe.record(tx, job::queued(&new.job)?)?;
    }
    task::end(tx, token, &run, next).await?;
    let payload = types::ScheduleStart {
        schedule_id: Some(run.name.clone()),
        job_kind: new.job.kind.clone().into(),
        due_at: run.due_at,
        job_id: run.job,
    };
    let mut draft = Draft::new(&payload)?.outcome(outcome).target(target(&run.name));
    if let Some(job) = run.job {
        draft = draft.target(Target::new(TargetKind::Job, job).named(&new.job.name));
    }
    tx.record(scribe.completion(run.id, draft)?);
    Ok(run)
}

fn target(name: &str) -> Target {
    Target::new(TargetKind::Schedule, name).named(name)
}

/// Ends the run of a schedule with its job: called where a job ends, in the same transaction.
/// `state` is that of the event: `succeeded`, `failed` or `cancelled`.
pub(crate) async fn job_ended(
    tx: &mut Tx,
    scribe: &Scribe,
    job: &Job,
    state: &'static str,
    message: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    if !job.triggered_by.starts_with("schedule/") {
        return Ok(());
    }
    let Some(mut run) = task::open_run_of_job(tx, job.id).await? else { return Ok(()) };
    run.ended_at = Some(now);
    let good = state == "succeeded";
    run.state = if good { "succeeded" } else { "failed" }.to_owned();
    run.message = message.map(str::to_owned);
    task::end_run(tx, &run).await?;
    let payload = types::ScheduleFinished {
        schedule_id: run.name.clone(),
        schedule_name: run.name.clone(),
        job_kind: job.kind.clone().into(),
        state: run.state.clone().into(),
        duration_ms: u64::try_from(now.since(run.started_at) / 1_000).ok(),
    };
    let mut draft = Draft::new(&payload)?
        .target(target(&run.name))
        .target(Target::new(TargetKind::Job, job.id).named(&job.name));
    if !good {
        let reason = if state == "cancelled" { "cancelled" } else { "job_failed" };
        draft = draft.outcome(Outcome { message: None, ..Outcome::failure(reason, "") });
        if let Some(message) = message {
            draft.personal.insert("message".to_owned(), message.into());
        }
    }
    // Caused by the event that started the run, as everything is that the job records.
    let mut scribe = scribe.clone();
    scribe.operation = (scribe.context.cause != Some(run.id)).then_some(run.id);
    scribe.record(tx, draft).map(|_| ())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_default_is_a_definition_and_faults_have_a_place() {
        for (name, body) in crate::monitor::defaults::schedules() {
            Definition::read(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let refused = |body: Value| match Definition::read(&body).unwrap_err() {
            Error::Invalid { field, .. } => field,
            other => panic!("{other}"),
        };
        let body = |kind: &str, cron: &str| json!({ "job_kind": kind, "cron": cron });
        assert_eq!(refused(body("certificate.upload", "0 * * * *")), "/job_kind");
        assert_eq!(refused(body("log.verify", "never")), "/cron");
        assert_eq!(refused(json!({ "job_kind": "log.verify" })), "/cron");
    }
}
