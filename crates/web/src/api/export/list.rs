//! Exports of alerts, jobs, evaluations, accounts, tokens, forwarders, channels and automation:
//! exactly what a list shows under its search, in the same way as events and certificates.
//!
//! A page is read when the one before it has been taken: whoever reads slowly holds nothing.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chancery_engine::alert::AlertQuery;
use chancery_engine::automation::Listed;
use chancery_engine::delivery::Class;
use chancery_engine::history::{ExportRecord, Exported};
use chancery_engine::job::JobQuery;
use chancery_engine::reaction::record::EvaluationQuery;
use chancery_engine::{Engine, Error, Permission};
use chancery_event::Timestamp;
use futures::future::BoxFuture;
use futures::stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::{Format, still};
use crate::api::automation::{self, AutomationObject};
use crate::api::{
    Operations, account, alert, channel, evaluation, event, forwarder, job, listing, token,
};
use crate::edge::{Caller, Params, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::Export, routes!(export_alerts));
    operations.any(Permission::Export, routes!(export_jobs));
    operations.any(Permission::Export, routes!(export_evaluations));
    operations.any(Permission::Export, routes!(export_accounts));
    operations.any(Permission::Export, routes!(export_tokens));
    operations.any(Permission::Export, routes!(export_forwarders));
    operations.any(Permission::Export, routes!(export_channels));
    operations.any(Permission::Export, routes!(export_automation));
}

/// What is exported, and how.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// Condition; what the list shows without one unless told otherwise.
    filter: Option<String>,
    /// `ndjson` (unless told otherwise) or `csv`.
    #[param(example = "csv")]
    format: Option<String>,
}

/// The cells of a row under these columns; what is no plain value is left to NDJSON.
fn cells<T: Serialize>(row: &T, columns: &[&str]) -> Vec<String> {
    let value = serde_json::to_value(row).unwrap_or_default();
    let cell = |name: &&str| match &value[*name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    columns.iter().map(cell).collect()
}

pub(super) type Read<T, P> =
    Box<dyn Fn(Option<P>) -> BoxFuture<'static, Result<(Vec<T>, Option<P>), Error>> + Send>;

/// Page after page until there is none. `read` answers a page and where the next one begins.
pub(super) fn pages<T, P>(
    format: Format,
    name: &str,
    columns: &'static [&'static str],
    read: Read<T, P>,
) -> Response
where
    T: Serialize + Send + 'static,
    P: Send + 'static,
{
    // `None` at the end; `Some(None)` before the first page.
    let start = (Some(None::<P>), true, read);
    let rows = stream::try_unfold(start, move |(place, is_first, read)| async move {
        let Some(place) = place else { return Ok::<_, Error>(None) };
        let (rows, next) = read(place).await?;
        let bytes: Bytes = format.write(&rows, columns, |row| cells(row, columns), is_first)?;
        Ok(Some((bytes, (next.map(Some), false, read))))
    });
    let name = format!("{name}.{}", format.as_str());
    (event::streamed(format.media_type(), Some(&name)), Body::from_stream(rows)).into_response()
}

pub(super) fn record(format: Format, count: u64, query: String) -> ExportRecord {
    ExportRecord { format: format.as_str(), count, query, range: None }
}

/// Export alerts
///
/// All alerts that fit the filter, the newest first. Resolved ones are among them when the filter
/// asks by `state` or `resolved`.
#[utoipa::path(get, path = "/api/v1/alerts/export", tag = "alerts",
    params(ListParams),
    responses((status = 200, description = "Rows as they are read",
        content((String = "application/x-ndjson"), (String = "text/csv")))))]
async fn export_alerts(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let format = Format::parse(params.format.as_deref())?;
    let filter = alert::filter(&engine, params.filter.as_deref())?;
    let count = engine.alert_count(caller.context(), &filter).await?;
    let told = record(format, count, filter.filter().to_text());
    engine.record_list_export(caller.context(), Exported::Alerts, told).await?;
    let (sort, descending) = alert::sort(None)?;
    let query = AlertQuery { filter, sort, descending, cursor: None, limit: listing::LIMIT_MAX };
    let context = caller.context().clone();
    let read: Read<alert::Alert, String> = Box::new(move |cursor| {
        let (engine, context) = (engine.clone(), context.clone());
        let query = AlertQuery { cursor, ..query.clone() };
        Box::pin(async move {
            let context = still(&engine, &context).await?;
            let page = engine.alerts(&context, &query).await?;
            Ok((page.items.iter().map(alert::Alert::from).collect(), page.next))
        })
    });
    Ok(pages(format, "alerts", alert::Alert::COLUMNS, read))
}

/// Export jobs
///
/// All jobs that fit the filter, the newest first.
#[utoipa::path(get, path = "/api/v1/jobs/export", tag = "jobs",
    params(ListParams),
    responses((status = 200, description = "Rows as they are read",
        content((String = "application/x-ndjson"), (String = "text/csv")))))]
async fn export_jobs(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let format = Format::parse(params.format.as_deref())?;
    let filter = engine.parse_job_filter(params.filter.as_deref().unwrap_or_default())?;
    let count = engine.job_count(caller.context(), &filter).await?;
    let told = record(format, count, filter.to_text());
    engine.record_list_export(caller.context(), Exported::Jobs, told).await?;
    let context = caller.context().clone();
    let query = JobQuery { filter, before: None, after: None, limit: listing::LIMIT_MAX };
    let read: Read<job::Job, _> = Box::new(move |before| {
        let (engine, context) = (engine.clone(), context.clone());
        let query = JobQuery { before, ..query.clone() };
        Box::pin(async move {
            let context = still(&engine, &context).await?;
            let page = engine.find_jobs(&context, &query).await?;
            let last = page.items.last().filter(|_| page.older);
            let next = last.map(|job| (job.scheduled_at, job.id));
            let now = engine.environment().now();
            Ok((page.items.into_iter().map(|row| job::Job::new(row, now)).collect(), next))
        })
    });
    Ok(pages(format, "jobs", job::Job::COLUMNS, read))
}

/// Export evaluations
///
/// Everything that triggers made of events and that fits the filter, the newest first.
#[utoipa::path(get, path = "/api/v1/evaluations/export", tag = "automation",
    params(ListParams),
    responses((status = 200, description = "Rows as they are read",
        content((String = "application/x-ndjson"), (String = "text/csv")))))]
async fn export_evaluations(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let format = Format::parse(params.format.as_deref())?;
    let filter = engine.parse_evaluation_filter(params.filter.as_deref().unwrap_or_default())?;
    let count = engine.evaluation_count(caller.context(), &filter).await?;
    let told = record(format, count, filter.to_text());
    engine.record_list_export(caller.context(), Exported::Evaluations, told).await?;
    let context = caller.context().clone();
    let query = EvaluationQuery { filter, before: None, after: None, limit: listing::LIMIT_MAX };
    let read: Read<evaluation::Evaluation, _> = Box::new(move |before| {
        let (engine, context) = (engine.clone(), context.clone());
        let query = EvaluationQuery { before, ..query.clone() };
        Box::pin(async move {
            let context = still(&engine, &context).await?;
            let page = engine.evaluations(&context, &query).await?;
            let next = page.items.last().filter(|_| page.older).map(|row| row.id);
            Ok((page.items.into_iter().map(evaluation::Evaluation::from).collect(), next))
        })
    });
    Ok(pages(format, "evaluations", evaluation::Evaluation::COLUMNS, read))
}

/// A list that is read whole: which it is, what its file is called, and its columns.
type Whole = (Exported, &'static str, &'static [&'static str]);

/// All rows that `find` answers for the filter, and the event that they were taken out.
async fn whole<R, T>(
    engine: &Engine,
    caller: &Caller,
    params: ListParams,
    (list, name, columns): Whole,
    find: impl AsyncFnOnce(&str) -> Result<Vec<R>, Error>,
) -> Result<Response, Problem>
where
    T: From<R> + Serialize + Clone + Send + Sync + 'static,
{
    let format = Format::parse(params.format.as_deref())?;
    let filter = params.filter.unwrap_or_default();
    let found = find(&filter).await?;
    let told = record(format, found.len() as u64, filter);
    engine.record_list_export(caller.context(), list, told).await?;
    let rows: Vec<T> = found.into_iter().map(T::from).collect();
    let read: Read<T, ()> = Box::new(move |_| {
        let rows = rows.clone();
        Box::pin(async move { Ok((rows, None)) })
    });
    Ok(pages(format, name, columns, read))
}

/// Export accounts
///
/// All accounts that fit the filter, by login name.
#[utoipa::path(get, path = "/api/v1/accounts/export", tag = "access",
    params(ListParams),
    responses((status = 200, description = "Rows",
        content((String = "application/x-ndjson"), (String = "text/csv")))))]
async fn export_accounts(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let list = (Exported::Accounts, "accounts", account::Account::COLUMNS);
    let find = async |filter: &str| engine.find_accounts(caller.context(), filter).await;
    whole::<_, account::Account>(&engine, &caller, params, list, find).await
}

/// Export tokens
///
/// All tokens that fit the filter, newest first, without their secrets: of all accounts for those
/// with `account:read`.
#[utoipa::path(get, path = "/api/v1/tokens/export", tag = "access",
    params(ListParams),
    responses((status = 200, description = "Rows",
        content((String = "application/x-ndjson"), (String = "text/csv")))))]
async fn export_tokens(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let list = (Exported::Tokens, "tokens", token::Token::COLUMNS);
    let find = async |filter: &str| engine.find_tokens(caller.context(), filter).await;
    whole::<_, token::Token>(&engine, &caller, params, list, find).await
}

/// Export forwarders
///
/// All forwarders that fit the filter and that one may see, by name, without their secrets.
#[utoipa::path(get, path = "/api/v1/deliveries/forwarders/export", tag = "deliveries",
    params(ListParams),
    responses((status = 200, description = "Rows",
        content((String = "application/x-ndjson"), (String = "text/csv")))))]
async fn export_forwarders(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let list = (Exported::Forwarders, "forwarders", forwarder::Forwarder::COLUMNS);
    let find = async |filter: &str| {
        engine.find_destinations(caller.context(), Class::Forwarder, filter).await
    };
    whole::<_, forwarder::Forwarder>(&engine, &caller, params, list, find).await
}

/// Export channels
///
/// All channels that fit the filter, by name, without their secrets.
#[utoipa::path(get, path = "/api/v1/notifications/channels/export", tag = "notifications",
    params(ListParams),
    responses((status = 200, description = "Rows",
        content((String = "application/x-ndjson"), (String = "text/csv")))))]
async fn export_channels(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let list =
        (Exported::Configuration(Class::Channel.as_str()), "channels", channel::Channel::COLUMNS);
    let find = async |filter: &str| {
        engine.find_destinations(caller.context(), Class::Channel, filter).await
    };
    whole::<_, channel::Channel>(&engine, &caller, params, list, find).await
}

/// An object of automation as a row of a file.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct AutomationRow {
    #[serde(flatten)]
    object: AutomationObject,
    /// What people call it.
    title: String,
    /// `on`, `off` or `broken`; of monitors and schedules `on_time`, `paused`, `broken`, `running`,
    /// `missing` or `failed`.
    state: &'static str,
    /// When it ran last: monitors and schedules.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_run_at: Option<Timestamp>,
    /// When it is due: monitors and schedules.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_run_at: Option<Timestamp>,
}

impl AutomationRow {
    const COLUMNS: &'static [&'static str] = &[
        "class",
        "name",
        "title",
        "state",
        "problem",
        "last_run_at",
        "next_run_at",
        "version",
        "changed_at",
        "body",
    ];
}

impl From<Listed> for AutomationRow {
    fn from(listed: Listed) -> Self {
        let task = listed.task.as_ref();
        Self {
            title: listed.object.title().to_owned(),
            state: listed.state(),
            last_run_at: task.and_then(|task| Some(task.last.as_ref()?.started_at)),
            next_run_at: task.and_then(|task| task.next_at),
            object: listed.into(),
        }
    }
}

/// Export objects of automation
///
/// All of a class that fit the filter, by name. The whole automation as one file, to be applied
/// again, is `GET /api/v1/automation/export`.
#[utoipa::path(get, path = "/api/v1/automation/lists/{class}/export", tag = "automation",
    params(("class" = String, Path, description = "Class, in the plural"), ListParams),
    responses((status = 200, description = "Rows",
        content((AutomationRow = "application/x-ndjson"), (String = "text/csv")))))]
async fn export_automation(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(word): PathOf<String>,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let class = automation::class(&word)?;
    let list = (Exported::Configuration(class.as_str()), class.plural(), AutomationRow::COLUMNS);
    let find = async |filter: &str| engine.find_automation(caller.context(), class, filter).await;
    whole::<_, AutomationRow>(&engine, &caller, params, list, find).await
}
