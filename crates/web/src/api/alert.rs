//! Alerts: lists, one by one, and what people do about them.

mod wire;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use chancery_engine::alert::{Action, AlertFilter, AlertQuery, Selection, Sort};
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use chancery_event::id::AlertId;
use serde::Deserialize;
use utoipa_axum::routes;

pub(super) use wire::Alert;

use wire::{
    AlertSelection, Assignment, Closing, ReadSelection, Settled, Snooze, TakingBack, Unread,
};

use super::Operations;
use super::facet::{Bars, FacetGroup, Facets};
use super::listing::{Page, limit};
use crate::edge::{Caller, Json, Params, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    let (read, write) = (Permission::AlertRead, Permission::AlertWrite);
    operations.any(read, routes!(list_alerts));
    operations.any(read, routes!(alert_facets));
    operations.any(read, routes!(alert_histogram));
    operations.any(read, routes!(unread_alerts));
    operations.any(read, routes!(read_alert));
    operations.any(Permission::OwnWrite, routes!(mark_alerts_read));
    operations.any(Permission::OwnWrite, routes!(mark_alerts_unread));
    operations.any(write, routes!(acknowledge_alerts));
    operations.any(write, routes!(unacknowledge_alerts));
    operations.any(write, routes!(assign_alerts));
    operations.any(write, routes!(snooze_alerts));
    operations.any(write, routes!(wake_alerts));
    operations.any(write, routes!(resolve_alerts));
    operations.any(write, routes!(reopen_alerts));
    operations.any(write, routes!(undo_alerts));
}

/// Which alerts.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertParams {
    /// Condition, such as `severity>=error unread:true`.
    #[param(example = "severity>=error")]
    filter: Option<String>,
    /// `-created` (unless told otherwise), `seen` or `severity`; a leading `-` turns the order
    /// round.
    #[param(example = "-severity")]
    sort: Option<String>,
    /// Items of a page, 1 to 1000; 50 unless told otherwise.
    #[serde(deserialize_with = "super::listing::number")]
    limit: Option<usize>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

/// A condition alone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AlertCondition {
    filter: Option<String>,
}

/// A condition alone, and a span of time.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertSpan {
    /// Condition, such as `kind:job_failed`.
    filter: Option<String>,
    /// From this time on (RFC 3339); 30 days ago unless told otherwise.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Until before this time; now unless told otherwise.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// How many spans, 1 to 500; 60 unless told otherwise.
    buckets: Option<i64>,
}

pub(super) fn filter(engine: &Engine, text: Option<&str>) -> Result<AlertFilter, Problem> {
    Ok(engine.parse_alert_filter(text.unwrap_or_default().trim())?)
}

pub(super) fn sort(text: Option<&str>) -> Result<(Sort, bool), Problem> {
    let text = text.filter(|text| !text.is_empty()).unwrap_or("-created");
    let (name, descending) = match text.strip_prefix('-') {
        Some(name) => (name, true),
        None => (text, false),
    };
    let sort = Sort::parse(name)
        .ok_or_else(|| Problem::invalid("sort", "one of created, seen, severity"))?;
    Ok((sort, descending))
}

/// Alerts
///
/// A page of them, the newest first unless told otherwise. Resolved ones are listed when the filter
/// asks by `state` or `resolved`.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts",
    params(AlertParams),
    responses((status = 200, description = "A page", body = Page<Alert>)))]
async fn list_alerts(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<AlertParams>,
) -> Result<Response, Problem> {
    let (sort, descending) = sort(params.sort.as_deref())?;
    let query = AlertQuery {
        filter: filter(&engine, params.filter.as_deref())?,
        sort,
        descending,
        cursor: params.cursor.filter(|cursor| !cursor.is_empty()),
        limit: limit(params.limit)?,
    };
    let page = engine.alerts(caller.context(), &query).await?;
    let items = page.items.iter().map(Alert::from).collect();
    Ok(Page { items, next_cursor: page.next, previous_cursor: page.previous }.answer(&uri))
}

/// Facets of alerts
///
/// How many of the alerts that fit the filter have each state, severity, kind and so on.
#[utoipa::path(get, path = "/api/v1/alerts/facets", tag = "alerts",
    params(("filter" = Option<String>, Query, description = "Condition")),
    responses((status = 200, description = "Counts by field and value", body = Facets)))]
async fn alert_facets(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<AlertCondition>,
) -> Result<Json<Facets>, Problem> {
    let filter = filter(&engine, params.filter.as_deref())?;
    let found = engine.alert_facets(caller.context(), &filter).await?;
    let groups = found.into_iter().map(|(field, values)| FacetGroup::new(field, values)).collect();
    Ok(Json(Facets { groups, sampled: false }))
}

/// Alerts over time
///
/// How many of the alerts that fit the filter were raised in each span of time.
#[utoipa::path(get, path = "/api/v1/alerts/histogram", tag = "alerts",
    params(AlertSpan),
    responses((status = 200, description = "Counts; spans without any are left out", body = Bars)))]
async fn alert_histogram(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<AlertSpan>,
) -> Result<Json<Bars>, Problem> {
    let filter = filter(&engine, params.filter.as_deref())?;
    let now = engine.environment().now();
    let to = params.to.unwrap_or(now);
    let from = params.from.unwrap_or(to.plus(-30 * Timestamp::DAY));
    if from >= to {
        return Err(Problem::invalid("from", "a time before `to`"));
    }
    let buckets = params.buckets.unwrap_or(60);
    if !(1..=500).contains(&buckets) {
        return Err(Problem::invalid("buckets", "between 1 and 500"));
    }
    let width = (to.since(from) / buckets).max(1);
    let found = engine.alert_times(caller.context(), &filter, from, to, width).await?;
    Ok(Json(Bars::new(found.into_iter().map(|(at, count)| (at, at.plus(width), count)))))
}

/// Unread alerts
///
/// How many alerts that are neither resolved nor snoozed the caller has not read, counted up to
/// 1000.
#[utoipa::path(get, path = "/api/v1/alerts/unread", tag = "alerts",
    responses((status = 200, description = "The count", body = Unread)))]
async fn unread_alerts(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<Unread>, Problem> {
    let unread = engine.unread_alerts(caller.context(), 1_000).await?;
    Ok(Json(Unread { unread }))
}

/// One alert
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The alert", body = Alert)))]
async fn read_alert(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<AlertId>,
) -> Result<Json<Alert>, Problem> {
    Ok(Json(Alert::from(&engine.alert(caller.context(), id).await?)))
}

/// What a body selects: by identifiers or by a condition, never both.
fn selection(
    engine: &Engine,
    ids: &[String],
    condition: Option<&str>,
) -> Result<Selection, Problem> {
    match (ids, condition) {
        ([], Some(text)) => Ok(Selection::Filter(filter(engine, Some(text))?)),
        ([], None) => Err(Problem::invalid("ids", "name alerts by `ids` or by `filter`")),
        (_, Some(_)) => Err(Problem::invalid("filter", "either `ids` or `filter`, not both")),
        (ids, None) => {
            let parsed: Result<Vec<AlertId>, _> = ids.iter().map(|id| id.parse()).collect();
            parsed.map(Selection::Ids).map_err(|error| Problem::invalid("ids", error.to_string()))
        }
    }
}

async fn mark(
    engine: &Engine,
    caller: &Caller,
    wish: &ReadSelection,
    read: bool,
) -> Result<Json<Settled>, Problem> {
    let context = caller.context();
    if wish.all {
        let count = match read {
            true => engine.mark_all_alerts_read(context).await?,
            false => engine.unmark_all_alerts_read(context).await?,
        };
        return Ok(Json(Settled::of_all(count, read)));
    }
    let selection = selection(engine, &wish.ids, wish.filter.as_deref())?;
    let changed = engine.mark_alerts(context, &selection, read).await?;
    Ok(Json(Settled::of_marks(&changed, read)))
}

/// Mark alerts as read
///
/// For the caller alone: by identifiers, by a condition, or all there are.
#[utoipa::path(post, path = "/api/v1/alerts/read", tag = "alerts",
    request_body = ReadSelection,
    responses((status = 200, description = "What it changed", body = Settled)))]
async fn mark_alerts_read(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<ReadSelection>,
) -> Result<Json<Settled>, Problem> {
    mark(&engine, &caller, &wish, true).await
}

/// Mark alerts as unread
///
/// For the caller alone. `all` takes the last "all read" back.
#[utoipa::path(post, path = "/api/v1/alerts/unread", tag = "alerts",
    request_body = ReadSelection,
    responses((status = 200, description = "What it changed", body = Settled)))]
async fn mark_alerts_unread(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<ReadSelection>,
) -> Result<Json<Settled>, Problem> {
    mark(&engine, &caller, &wish, false).await
}

async fn settle(
    engine: &Engine,
    caller: &Caller,
    (ids, condition): (&[String], Option<&str>),
    action: Action,
) -> Result<Json<Settled>, Problem> {
    let selection = selection(engine, ids, condition)?;
    let settled = engine.settle_alerts(caller.context(), &selection, &action).await?;
    Ok(Json(Settled::from(settled)))
}

/// Acknowledge alerts
///
/// Says to everybody that the caller takes care of them.
#[utoipa::path(post, path = "/api/v1/alerts/acknowledge", tag = "alerts",
    request_body = AlertSelection,
    responses((status = 200, description = "What it changed", body = Settled)))]
async fn acknowledge_alerts(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<AlertSelection>,
) -> Result<Json<Settled>, Problem> {
    let of = (wish.ids.as_slice(), wish.filter.as_deref());
    settle(&engine, &caller, of, Action::Acknowledge).await
}

/// Take acknowledgements back
#[utoipa::path(post, path = "/api/v1/alerts/unacknowledge", tag = "alerts",
    request_body = AlertSelection,
    responses((status = 200, description = "What it changed", body = Settled)))]
async fn unacknowledge_alerts(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<AlertSelection>,
) -> Result<Json<Settled>, Problem> {
    let of = (wish.ids.as_slice(), wish.filter.as_deref());
    settle(&engine, &caller, of, Action::Unacknowledge).await
}

/// Assign alerts
///
/// To an account by login name, `me` or identifier; to nobody when it is absent.
#[utoipa::path(post, path = "/api/v1/alerts/assign", tag = "alerts",
    request_body = Assignment,
    responses((status = 200, description = "What it changed", body = Settled)))]
async fn assign_alerts(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<Assignment>,
) -> Result<Json<Settled>, Problem> {
    let to = match wish.assigned_to.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Some(engine.assignee(caller.context(), text).await?),
        None => None,
    };
    let of = (wish.ids.as_slice(), wish.filter.as_deref());
    settle(&engine, &caller, of, Action::Assign(to)).await
}

/// Snooze alerts
///
/// Until a time within the next 90 days, or until the cause occurs again if that is earlier.
#[utoipa::path(post, path = "/api/v1/alerts/snooze", tag = "alerts",
    request_body = Snooze,
    responses((status = 200, description = "What it changed", body = Settled)))]
async fn snooze_alerts(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<Snooze>,
) -> Result<Json<Settled>, Problem> {
    let action = Action::Snooze { until: wish.until, until_change: wish.until_change };
    settle(&engine, &caller, (&wish.ids, wish.filter.as_deref()), action).await
}

/// End snoozes
#[utoipa::path(post, path = "/api/v1/alerts/wake", tag = "alerts",
    request_body = AlertSelection,
    responses((status = 200, description = "What it changed", body = Settled)))]
async fn wake_alerts(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<AlertSelection>,
) -> Result<Json<Settled>, Problem> {
    let of = (wish.ids.as_slice(), wish.filter.as_deref());
    settle(&engine, &caller, of, Action::Wake).await
}

/// Resolve alerts
///
/// Declares them dealt with. A cause that comes back opens a new alert.
#[utoipa::path(post, path = "/api/v1/alerts/resolve", tag = "alerts",
    request_body = Closing,
    responses((status = 200, description = "What it changed", body = Settled)))]
async fn resolve_alerts(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<Closing>,
) -> Result<Json<Settled>, Problem> {
    let action = Action::Resolve { comment: wish.comment.filter(|text| !text.trim().is_empty()) };
    settle(&engine, &caller, (&wish.ids, wish.filter.as_deref()), action).await
}

/// Reopen alerts
///
/// Those whose cause has another alert by now stay resolved.
#[utoipa::path(post, path = "/api/v1/alerts/reopen", tag = "alerts",
    request_body = AlertSelection,
    responses((status = 200, description = "What it changed", body = Settled)))]
async fn reopen_alerts(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<AlertSelection>,
) -> Result<Json<Settled>, Problem> {
    let of = (wish.ids.as_slice(), wish.filter.as_deref());
    settle(&engine, &caller, of, Action::Reopen).await
}

/// Take a change back
///
/// Every alert that the caller changed by it, and that nobody has changed since, stands as it stood
/// before: acknowledged by whom it was, given to and by whom it was. Within a day.
#[utoipa::path(post, path = "/api/v1/alerts/undo", tag = "alerts",
    request_body = TakingBack,
    responses((status = 200, description = "What it changed", body = Settled)))]
async fn undo_alerts(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<TakingBack>,
) -> Result<Json<Settled>, Problem> {
    let change = wish.change.parse().map_err(|_| Problem::invalid("change", "an identifier"))?;
    Ok(Json(Settled::from(engine.undo_alerts(caller.context(), change).await?)))
}
