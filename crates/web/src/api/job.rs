//! Jobs: asynchronous operations.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use chancery_engine::job::{JobQuery, Kind, QueueView, STATES};
use chancery_engine::{Engine, Permission, row};
use chancery_event::Timestamp;
use chancery_event::id::JobId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::Operations;
use super::event::EventRecord;
use super::listing::{Page, limit, open_timed, timed};
use crate::edge::{Caller, Json, Params, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::JobRead, routes!(list_jobs));
    operations.any(Permission::JobRead, routes!(list_queues));
    operations.any(Permission::JobRead, routes!(read_job));
    operations.any(Permission::JobRead, routes!(job_causes));
    operations.any(Permission::JobWrite, routes!(cancel_job));
    operations.any(Permission::JobWrite, routes!(retry_job));
}

/// A job.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Job {
    /// Its identifier.
    id: String,
    /// What it does.
    #[schema(example = "certificate.import")]
    kind: String,
    /// What people call it.
    name: String,
    /// `queued`, `running`, `success`, `failed` or `cancelled`.
    state: String,
    /// The same in capitals: `QUEUED`, `RUNNING`, `SUCCESS`, `FAILED`, `CANCELLED`.
    status: String,
    /// The queue it waits in.
    queue: String,
    /// The authority it works with, where it works with one.
    ca_id: Option<String>,
    /// The certificate that it issued, where it issued one.
    issued_certificate_id: Option<String>,
    /// The request's identifier at the authority, where there is one.
    external_request_id: Option<String>,
    /// From when its last try began to its end, or to now while it runs, in milliseconds; absent
    /// while it waits.
    duration_ms: Option<i64>,
    /// What it was asked to do.
    #[schema(value_type = Object)]
    payload: Value,
    /// What came of it.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// Why it failed, the last time it did.
    error: Option<String>,
    /// Tries so far.
    attempts: i64,
    /// Tries at most.
    attempts_max: i64,
    /// Progress: steps done.
    done: i64,
    /// Progress: steps in all; 0: not known.
    total: i64,
    /// `kind/id` of who or what asked for it: `account/…`, `schedule/NAME`, `trigger/NAME`.
    triggered_by: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    scheduled_at: Timestamp,
    /// Not before this time.
    #[schema(value_type = String, format = DateTime)]
    run_at: Timestamp,
    /// When the last try began.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
}

impl Job {
    /// The columns of an export.
    pub(super) const COLUMNS: &[&str] = &[
        "id",
        "scheduled_at",
        "kind",
        "name",
        "status",
        "queue",
        "triggered_by",
        "run_at",
        "started_at",
        "completed_at",
        "duration_ms",
        "attempts",
        "attempts_max",
        "done",
        "total",
        "error",
    ];

    pub(super) fn new(row: row::Job, now: Timestamp) -> Self {
        let payload: Value = serde_json::from_str(&row.payload).unwrap_or_default();
        let result: Option<Value> =
            row.result.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let told = |name: &str| {
            let found = result.as_ref().and_then(|result| result[name].as_str());
            found.or_else(|| payload[name].as_str()).map(str::to_owned)
        };
        let end = row.completed_at.unwrap_or(now);
        Self {
            status: row.state.to_ascii_uppercase(),
            ca_id: told("authority_id"),
            issued_certificate_id: told("issued_certificate_id"),
            external_request_id: told("external_request_id"),
            duration_ms: row
                .started_at
                .filter(|_| row.state != "queued")
                .map(|started| end.since(started).max(0) / 1_000),
            queue: row.queue,
            id: row.id.to_string(),
            kind: row.kind,
            name: row.name,
            state: row.state,
            payload,
            result,
            error: row.error,
            attempts: row.attempts,
            attempts_max: row.attempts_max,
            done: row.done,
            total: row.total,
            triggered_by: row.triggered_by,
            scheduled_at: row.scheduled_at,
            run_at: row.run_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
        }
    }
}

/// Which jobs.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct JobParams {
    /// Condition, such as `state:failed asked:last(7d)`.
    #[param(example = "state:failed")]
    filter: Option<String>,
    /// `queued`, `running`, `success`, `failed` or `cancelled`.
    state: Option<String>,
    /// What they do, such as `certificate.import`.
    kind: Option<String>,
    /// The queue they wait in.
    queue: Option<String>,
    /// Asked for at this time (RFC 3339) or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Asked for before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Items of a page, 1 to 1000; 50 unless told otherwise.
    #[serde(deserialize_with = "super::listing::number")]
    limit: Option<usize>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

/// Jobs
///
/// Newest first.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs",
    params(JobParams),
    responses((status = 200, description = "A page", body = Page<Job>)))]
async fn list_jobs(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<JobParams>,
) -> Result<Response, Problem> {
    let limit = limit(params.limit)?;
    let before = open_timed::<JobId>(params.cursor.as_deref())?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let state = given(params.state).map(|state| state.to_ascii_lowercase());
    if state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(Problem::invalid("state", format!("one of {}", STATES.join(", "))));
    }
    let kind = given(params.kind);
    if kind.as_deref().is_some_and(|kind| Kind::parse(kind).is_none()) {
        let kinds = Kind::ALL.map(Kind::as_str).join(", ");
        return Err(Problem::invalid("kind", format!("one of {kinds}")));
    }
    let mut text = match params.filter.as_deref().map(str::trim) {
        None | Some("") => String::new(),
        Some(filter) => {
            engine.parse_job_filter(filter)?;
            format!("({filter})")
        }
    };
    for (field, value) in [("state", state), ("kind", kind), ("queue", given(params.queue))] {
        if let Some(value) = value {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            text.push_str(&format!(" {field}:\"{quoted}\""));
        }
    }
    for (sign, at) in [(">=", params.from), ("<", params.to)] {
        if let Some(at) = at {
            text.push_str(&format!(" asked{sign}{at}"));
        }
    }
    let filter = engine.parse_job_filter(&text)?;
    let query = JobQuery { filter, before, after: None, limit };
    let page = engine.find_jobs(caller.context(), &query).await?;
    let last = page.items.last().filter(|_| page.older);
    let next_cursor = last.map(|job| timed(job.scheduled_at, job.id));
    let jobs = page.items;
    let now = engine.environment().now();
    let items = jobs.into_iter().map(|job| Job::new(job, now)).collect();
    Ok(Page { items, next_cursor, previous_cursor: None }.answer(&uri))
}

/// One job
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The job", body = Job)))]
async fn read_job(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<JobId>,
) -> Result<Json<Job>, Problem> {
    read(&engine, &caller, id).await
}

async fn read(engine: &Engine, caller: &Caller, id: JobId) -> Result<Json<Job>, Problem> {
    let row = engine.job(caller.context(), id).await?;
    Ok(Json(Job::new(row, engine.environment().now())))
}

/// A named queue.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Queue {
    /// Its name.
    name: &'static str,
    /// How many of its jobs run at a time, whatever the other queues do.
    at_a_time: usize,
    /// How many run.
    running: u64,
    /// How many wait.
    queued: u64,
}

/// Queues of jobs
///
/// Each with its own limit, so that a slow kind starves no other.
#[utoipa::path(get, path = "/api/v1/jobs/queues", tag = "jobs",
    responses((status = 200, description = "The queues", body = Page<Queue>)))]
async fn list_queues(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<Page<Queue>>, Problem> {
    let queues = engine.job_queues(caller.context()).await?;
    let queue = |view: QueueView| {
        let QueueView { name, at_a_time, running, queued } = view;
        Queue { name, at_a_time, running, queued }
    };
    Ok(Json(Page::whole(queues.into_iter().map(queue).collect())))
}

/// What led to a job
///
/// The events that caused it, the nearest first: what queued it, what caused that, and so on.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/causes", tag = "jobs",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The chain", body = Page<EventRecord>)))]
async fn job_causes(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<JobId>,
) -> Result<Json<Page<EventRecord>>, Problem> {
    let chain = engine.job_causes(caller.context(), id).await?;
    Ok(Json(Page::whole(chain.iter().map(EventRecord::from).collect())))
}

/// Cancel a job
///
/// One that has not ended. What it did already stays.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/cancel", tag = "jobs",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The job as it is now", body = Job)))]
async fn cancel_job(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<JobId>,
) -> Result<Json<Job>, Problem> {
    engine.cancel_job(caller.context(), id).await?;
    read(&engine, &caller, id).await
}

/// Retry a job
///
/// Queues a failed one again.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/retry", tag = "jobs",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The job as it is now", body = Job)))]
async fn retry_job(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<JobId>,
) -> Result<Json<Job>, Problem> {
    engine.retry_job(caller.context(), id).await?;
    read(&engine, &caller, id).await
}
