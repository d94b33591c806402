//! Monitors and schedules: how they stand, their runs, what a monitor will report.
//!
//! Definitions are objects of automation: a change makes a new version, pausing too.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chancery_engine::automation::Class;
use chancery_engine::monitor::{Forecast, TaskView};
use chancery_engine::{Engine, Permission, row};
use chancery_event::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::listing::{FilterParams, Page, Place, limit};
use super::upload::located;
use super::{Operations, version};
use crate::edge::{Caller, Json, Params, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    let (read, run, write) =
        (Permission::AutomationRead, Permission::JobWrite, Permission::AutomationWrite);
    operations.any(read, routes!(list_monitors));
    operations.any(read, routes!(read_monitor));
    operations.any(write, routes!(create_monitor));
    operations.any(write, routes!(update_monitor));
    operations.any(write, routes!(delete_monitor));
    operations.any(read, routes!(list_monitor_runs));
    operations.any(run, routes!(run_monitor));
    operations.any(write, routes!(pause_monitor));
    operations.any(write, routes!(resume_monitor));
    operations.any(read, routes!(list_schedules));
    operations.any(read, routes!(read_schedule));
    operations.any(write, routes!(create_schedule));
    operations.any(write, routes!(update_schedule));
    operations.any(write, routes!(delete_schedule));
    operations.any(read, routes!(list_schedule_runs));
    operations.any(run, routes!(run_schedule));
    operations.any(write, routes!(pause_schedule));
    operations.any(write, routes!(resume_schedule));
    operations.any(read, routes!(forecast_monitor));
}

/// A monitor or schedule with how it stands.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Task {
    /// Its name, which is its identity.
    #[schema(example = "certificate-expiry")]
    name: String,
    /// What people call it.
    title: String,
    /// Counts changes of the definition.
    version: i64,
    /// Whether it is paused.
    paused: bool,
    /// The definition.
    #[schema(value_type = Object)]
    definition: Value,
    /// When it is due next; absent when it is paused or cannot run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    /// Somebody runs it at the moment.
    running: bool,
    /// It was due and has not run.
    missing: bool,
    /// Why it cannot run, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// The newest run that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<Run>,
}

/// One run.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Run {
    /// Its identifier, and that of the event about it.
    id: String,
    /// Version of the definition.
    version: i64,
    /// When it was due; absent when somebody asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// `running`, `succeeded`, `failed`, `broken_off` or `refused`.
    state: String,
    /// Objects there are.
    inventory: u64,
    /// Objects that are watched.
    watched: u64,
    /// Objects that were due.
    evaluated: u64,
    /// Objects that were reported.
    fired: u64,
    /// Reasons for not reporting, with counts.
    #[schema(value_type = Object)]
    skipped: Value,
    /// Objects that were watched wrongly or not at all, and are put right.
    repaired: u64,
    /// What went wrong, or what was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The job of a schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
}

impl From<row::Run> for Run {
    fn from(run: row::Run) -> Self {
        Self {
            id: run.id.to_string(),
            version: run.version,
            due_at: run.due_at,
            started_at: run.started_at,
            ended_at: run.ended_at,
            state: run.state,
            inventory: run.counts.inventory,
            watched: run.counts.watched,
            evaluated: run.counts.evaluated,
            fired: run.counts.fired,
            skipped: serde_json::from_str(&run.counts.reasons).unwrap_or_default(),
            repaired: run.counts.repaired,
            message: run.message,
            job: run.job.map(|job| job.to_string()),
        }
    }
}

impl From<TaskView> for Task {
    fn from(view: TaskView) -> Self {
        Self {
            title: view.object.title().to_owned(),
            name: view.object.name,
            version: view.object.version,
            paused: !view.object.enabled,
            definition: view.object.body,
            next_at: view.next_at,
            running: view.running,
            missing: view.missing,
            problem: view.problem,
            last_run: view.last.map(Run::from),
        }
    }
}

/// A definition to be made.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "production",
    "definition": {
        "kind": "certificate_expiry",
        "filter": "path:/prod",
        "schedule": { "cron": "0 * * * *", "time_zone": "Europe/Prague" },
        "thresholds": ["30d/33%", "7d/10%", "0d"]
    }
}))]
struct TaskWish {
    /// Words of a-z and 0-9 joined by `-` or `.`; cannot be changed.
    name: String,
    /// The definition.
    #[schema(value_type = Object)]
    definition: Value,
    /// It is made, and waits until it is resumed.
    #[serde(default)]
    paused: bool,
}

/// A new version of a definition.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "definition": {
        "kind": "certificate_expiry",
        "schedule": { "cron": "0 6 * * *", "time_zone": "UTC" },
        "thresholds": ["60d/40%", "0d"]
    },
    "version": 1
}))]
struct TaskChange {
    /// The definition, whole.
    #[schema(value_type = Object)]
    definition: Value,
    /// The version that was read; `If-Match` says the same. Without it the newest is replaced.
    #[serde(default)]
    version: Option<i64>,
}

/// What a monitor will report.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct ForecastAnswer {
    /// How many will be reported.
    fires: u64,
    /// How many will be silent as things are now, by reason.
    #[schema(value_type = Object)]
    silent: Value,
    /// How many will be reported, by day (UTC).
    #[schema(value_type = Object)]
    by_day: Value,
    /// What comes, in order; the first 500.
    items: Vec<ForecastItem>,
    /// There are more objects than were looked at.
    cut: bool,
}

/// One crossing of a threshold.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct ForecastItem {
    /// When the threshold is crossed; the run that follows reports it.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The object.
    object: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The threshold.
    #[schema(example = "30d/33%")]
    threshold: String,
    /// Why it will not be reported, as things are now.
    #[serde(skip_serializing_if = "Option::is_none")]
    silent: Option<&'static str>,
}

impl From<Forecast> for ForecastAnswer {
    fn from(forecast: Forecast) -> Self {
        let by_day = forecast.by_day.iter();
        let by_day = by_day.map(|(day, n)| (day.to_string()[..10].to_owned(), Value::from(*n)));
        let silent = forecast.silent.iter().map(|(why, n)| ((*why).to_owned(), Value::from(*n)));
        let item = |item: chancery_engine::monitor::Forecasted| ForecastItem {
            at: item.at,
            object: item.object,
            name: item.name,
            threshold: item.threshold,
            silent: item.silent,
        };
        Self {
            fires: forecast.fires,
            silent: Value::Object(silent.collect()),
            by_day: Value::Object(by_day.collect()),
            items: forecast.items.into_iter().map(item).collect(),
            cut: forecast.cut,
        }
    }
}

/// Which runs.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunParams {
    /// Items of a page, 1 to 1000; 50 unless told otherwise.
    #[serde(deserialize_with = "super::listing::number")]
    limit: Option<usize>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

/// How far to look.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ForecastParams {
    /// Days, 1 to 3660; 30 unless told otherwise.
    days: Option<u32>,
}

async fn all(
    engine: &Engine,
    caller: &Caller,
    class: Class,
    uri: &Uri,
    params: FilterParams,
) -> Result<Response, Problem> {
    let found = engine.find_automation(caller.context(), class, params.filter()).await?;
    let tasks = found.into_iter().filter_map(|listed| listed.task);
    let tasks = tasks.map(Task::from);
    Ok(params.page(tasks, |task| Place::named(&task.name))?.answer(uri))
}

async fn one(engine: &Engine, caller: &Caller, class: Class, name: &str) -> Result<Task, Problem> {
    Ok(engine.task(caller.context(), class, name).await?.into())
}

async fn create(
    engine: &Engine,
    caller: &Caller,
    class: Class,
    wish: TaskWish,
) -> Result<Response, Problem> {
    let TaskWish { name, definition, paused } = wish;
    engine.create_automation(caller.context(), class, &name, definition, !paused).await?;
    let location = located(&format!("/api/v1/{}/{name}", class.plural()));
    let made = Json(one(engine, caller, class, &name).await?);
    Ok((StatusCode::CREATED, location, made).into_response())
}

async fn change(
    engine: &Engine,
    caller: &Caller,
    class: Class,
    name: &str,
    headers: &HeaderMap,
    change: TaskChange,
) -> Result<Json<Task>, Problem> {
    let condition = version::if_match(headers)?;
    let version = condition.or(change.version);
    engine
        .update_automation(caller.context(), class, name, version, change.definition, None)
        .await
        .map_err(|error| Problem::from(error).under_condition(condition.is_some()))?;
    one(engine, caller, class, name).await.map(Json)
}

async fn runs(
    engine: &Engine,
    caller: &Caller,
    class: Class,
    name: &str,
    params: RunParams,
    uri: &Uri,
) -> Result<Response, Problem> {
    let limit = limit(params.limit)?;
    let before = params.cursor.as_deref().filter(|cursor| !cursor.is_empty());
    let before = before
        .map(|cursor| cursor.parse().map(Timestamp::from_micros))
        .transpose()
        .map_err(|_| Problem::invalid("cursor", "take it from the answer before"))?;
    // The task must be there: a wrong name is no empty list.
    engine.task(caller.context(), class, name).await?;
    let mut runs = engine.task_runs(caller.context(), class, name, before, limit + 1).await?;
    let more = runs.len() > limit;
    runs.truncate(limit);
    let next = runs.last().filter(|_| more).map(|run| run.started_at.micros().to_string());
    let items: Vec<Run> = runs.into_iter().map(Run::from).collect();
    Ok(Page { items, next_cursor: next, previous_cursor: None }.answer(uri))
}

async fn pause(
    engine: &Engine,
    caller: &Caller,
    class: Class,
    name: &str,
    paused: bool,
) -> Result<Json<Task>, Problem> {
    engine.pause_task(caller.context(), class, name, paused).await?;
    one(engine, caller, class, name).await.map(Json)
}

/// Monitors
#[utoipa::path(get, path = "/api/v1/monitors", tag = "automation", params(FilterParams),
    responses((status = 200, description = "Those that fit, by name", body = Page<Task>)))]
async fn list_monitors(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<FilterParams>,
) -> Result<Response, Problem> {
    all(&engine, &caller, Class::Monitor, &uri, params).await
}

/// One monitor
#[utoipa::path(get, path = "/api/v1/monitors/{name}", tag = "automation",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "How it stands", body = Task)))]
async fn read_monitor(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(name): PathOf<String>,
) -> Result<Response, Problem> {
    let found = one(&engine, &caller, Class::Monitor, &name).await?;
    version::tagged(&headers, found.version, &found)
}

/// Make a monitor
#[utoipa::path(post, path = "/api/v1/monitors", tag = "automation",
    request_body = TaskWish,
    responses((status = 201, description = "How it stands", body = Task)))]
async fn create_monitor(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<TaskWish>,
) -> Result<Response, Problem> {
    create(&engine, &caller, Class::Monitor, wish).await
}

/// Change a monitor
#[utoipa::path(put, path = "/api/v1/monitors/{name}", tag = "automation",
    params(("name" = String, Path, description = "Name")),
    request_body = TaskChange,
    responses((status = 200, description = "How it stands", body = Task)))]
async fn update_monitor(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(name): PathOf<String>,
    Json(wish): Json<TaskChange>,
) -> Result<Json<Task>, Problem> {
    change(&engine, &caller, Class::Monitor, &name, &headers, wish).await
}

/// Delete a monitor
#[utoipa::path(delete, path = "/api/v1/monitors/{name}", tag = "automation",
    params(("name" = String, Path, description = "Name")),
    responses((status = 204, description = "It is gone")))]
async fn delete_monitor(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<StatusCode, Problem> {
    engine.delete_automation(caller.context(), Class::Monitor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Runs of a monitor
///
/// Newest first.
#[utoipa::path(get, path = "/api/v1/monitors/{name}/runs", tag = "automation",
    params(("name" = String, Path, description = "Name"), RunParams),
    responses((status = 200, description = "A page", body = Page<Run>)))]
async fn list_monitor_runs(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    PathOf(name): PathOf<String>,
    Params(params): Params<RunParams>,
) -> Result<Response, Problem> {
    runs(&engine, &caller, Class::Monitor, &name, params, &uri).await
}

/// Run a monitor now
///
/// Answers when the run has ended.
#[utoipa::path(post, path = "/api/v1/monitors/{name}/run", tag = "automation",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "The run", body = Run)))]
async fn run_monitor(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<Run>, Problem> {
    Ok(Json(engine.run_task(caller.context(), Class::Monitor, &name).await?.into()))
}

/// Pause a monitor
#[utoipa::path(post, path = "/api/v1/monitors/{name}/pause", tag = "automation",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "How it stands", body = Task)))]
async fn pause_monitor(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<Task>, Problem> {
    pause(&engine, &caller, Class::Monitor, &name, true).await
}

/// Resume a monitor
#[utoipa::path(post, path = "/api/v1/monitors/{name}/resume", tag = "automation",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "How it stands", body = Task)))]
async fn resume_monitor(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<Task>, Problem> {
    pause(&engine, &caller, Class::Monitor, &name, false).await
}

/// Schedules
#[utoipa::path(get, path = "/api/v1/schedules", tag = "automation", params(FilterParams),
    responses((status = 200, description = "Those that fit, by name", body = Page<Task>)))]
async fn list_schedules(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<FilterParams>,
) -> Result<Response, Problem> {
    all(&engine, &caller, Class::Schedule, &uri, params).await
}

/// One schedule
#[utoipa::path(get, path = "/api/v1/schedules/{name}", tag = "automation",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "How it stands", body = Task)))]
async fn read_schedule(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(name): PathOf<String>,
) -> Result<Response, Problem> {
    let found = one(&engine, &caller, Class::Schedule, &name).await?;
    version::tagged(&headers, found.version, &found)
}

/// Make a schedule
#[utoipa::path(post, path = "/api/v1/schedules", tag = "automation",
    request_body = TaskWish,
    responses((status = 201, description = "How it stands", body = Task)))]
async fn create_schedule(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<TaskWish>,
) -> Result<Response, Problem> {
    create(&engine, &caller, Class::Schedule, wish).await
}

/// Change a schedule
#[utoipa::path(put, path = "/api/v1/schedules/{name}", tag = "automation",
    params(("name" = String, Path, description = "Name")),
    request_body = TaskChange,
    responses((status = 200, description = "How it stands", body = Task)))]
async fn update_schedule(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(name): PathOf<String>,
    Json(wish): Json<TaskChange>,
) -> Result<Json<Task>, Problem> {
    change(&engine, &caller, Class::Schedule, &name, &headers, wish).await
}

/// Delete a schedule
#[utoipa::path(delete, path = "/api/v1/schedules/{name}", tag = "automation",
    params(("name" = String, Path, description = "Name")),
    responses((status = 204, description = "It is gone")))]
async fn delete_schedule(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<StatusCode, Problem> {
    engine.delete_automation(caller.context(), Class::Schedule, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Runs of a schedule
///
/// Newest first.
#[utoipa::path(get, path = "/api/v1/schedules/{name}/runs", tag = "automation",
    params(("name" = String, Path, description = "Name"), RunParams),
    responses((status = 200, description = "A page", body = Page<Run>)))]
async fn list_schedule_runs(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    PathOf(name): PathOf<String>,
    Params(params): Params<RunParams>,
) -> Result<Response, Problem> {
    runs(&engine, &caller, Class::Schedule, &name, params, &uri).await
}

/// Run a schedule now
///
/// Queues its job and answers the run.
#[utoipa::path(post, path = "/api/v1/schedules/{name}/run", tag = "automation",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "The run", body = Run)))]
async fn run_schedule(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<Run>, Problem> {
    Ok(Json(engine.run_task(caller.context(), Class::Schedule, &name).await?.into()))
}

/// Pause a schedule
#[utoipa::path(post, path = "/api/v1/schedules/{name}/pause", tag = "automation",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "How it stands", body = Task)))]
async fn pause_schedule(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<Task>, Problem> {
    pause(&engine, &caller, Class::Schedule, &name, true).await
}

/// Resume a schedule
#[utoipa::path(post, path = "/api/v1/schedules/{name}/resume", tag = "automation",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "How it stands", body = Task)))]
async fn resume_schedule(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<Task>, Problem> {
    pause(&engine, &caller, Class::Schedule, &name, false).await
}

/// What a monitor will report
///
/// The next days, with the inventory and the definition as they are now. Nothing is recorded.
#[utoipa::path(get, path = "/api/v1/monitors/{name}/forecast", tag = "automation",
    params(("name" = String, Path, description = "Name"), ForecastParams),
    responses((status = 200, description = "The forecast", body = ForecastAnswer)))]
async fn forecast_monitor(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Params(params): Params<ForecastParams>,
) -> Result<Json<ForecastAnswer>, Problem> {
    let days = params.days.unwrap_or(30);
    Ok(Json(engine.forecast(caller.context(), &name, days).await?.into()))
}
