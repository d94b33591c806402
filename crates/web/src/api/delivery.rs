//! Deliveries: what was sent where, every attempt at it, and sending it again.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use chancery_engine::delivery::{self, DELIVERY_STATES as STATES, DeliveryQuery};
use chancery_engine::history::ExportRecord;
use chancery_engine::{Engine, Error, Permission};
use chancery_event::Timestamp;
use chancery_event::id::{DeliveryId, EventId};
use futures::stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::Operations;
use super::event::streamed;
use super::export::{self, Format};
use super::listing::{LIMIT_MAX, Page, limit};
use crate::edge::{Caller, Json, Params, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::ForwarderRead, routes!(list_deliveries));
    operations.any(Permission::ForwarderRead, routes!(count_deliveries));
    operations.any(Permission::Export, routes!(export_deliveries));
    operations.any(Permission::ForwarderRead, routes!(read_delivery));
    operations.any(Permission::ForwarderRead, routes!(event_deliveries));
    operations.any(Permission::ForwarderWrite, routes!(resend_delivery));
}

/// One event, batch or message for one destination.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Delivery {
    /// Its identifier, which the receiver sees with every attempt.
    id: String,
    /// Name of the destination.
    destination: String,
    /// Why it was made: `log`, `replay`, `message` or `test`.
    reason: String,
    /// `waiting`, `delivered` or `dead`.
    state: String,
    /// Log index of its first event; absent: it carries a message.
    first_index: Option<u64>,
    /// Log index of its last event.
    last_index: Option<u64>,
    /// How many events it carries.
    events: u64,
    /// Type of its first event.
    event_type: Option<String>,
    /// Tries so far.
    attempts: i64,
    /// When it is tried next, if it waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    /// Status of the last answer.
    status: Option<i64>,
    /// Why the last attempt failed.
    error: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was tried first.
    #[schema(value_type = Option<String>, format = DateTime)]
    first_attempt_at: Option<Timestamp>,
    /// When it was tried last.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_attempt_at: Option<Timestamp>,
    /// When it got through, or was given up.
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
}

impl From<delivery::Delivery> for Delivery {
    fn from(row: delivery::Delivery) -> Self {
        let waits = row.state == "waiting";
        Self {
            id: row.id.to_string(),
            destination: row.destination,
            reason: row.reason,
            state: row.state,
            first_index: row.first_index,
            last_index: row.last_index,
            events: row.events,
            event_type: row.event_type,
            attempts: row.attempts,
            next_at: waits.then_some(row.next_at),
            status: row.status,
            error: row.error,
            created_at: row.created_at,
            first_attempt_at: row.first_attempt_at,
            last_attempt_at: row.last_attempt_at,
            completed_at: row.completed_at,
        }
    }
}

/// One try.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Attempt {
    /// From 1.
    number: i64,
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How long it took, in milliseconds.
    took_ms: f64,
    /// `delivered` or `failed`.
    outcome: String,
    /// Status of the answer.
    status: Option<i64>,
    /// Why it failed.
    error: Option<String>,
    /// Head of what was sent, secrets left out.
    #[schema(value_type = Object)]
    request: Value,
    /// Head of what came back; never its body.
    #[schema(value_type = Object)]
    response: Value,
    /// The node that tried.
    node: String,
}

impl From<delivery::Attempt> for Attempt {
    fn from(row: delivery::Attempt) -> Self {
        let json = |text: &str| serde_json::from_str(text).unwrap_or_default();
        // Microseconds of an attempt fit a float exactly.
        #[allow(clippy::cast_precision_loss)]
        let took_ms = row.took_us as f64 / 1_000.0;
        Self {
            number: row.number,
            at: row.at,
            took_ms,
            outcome: row.outcome,
            status: row.status,
            error: row.error,
            request: json(&row.request),
            response: json(&row.response),
            node: row.node,
        }
    }
}

/// A delivery with its attempts.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct DeliveryWhole {
    /// The delivery.
    #[serde(flatten)]
    delivery: Delivery,
    /// The message that it carries; absent: it carries events.
    message: Option<Message>,
    /// Its attempts, newest first, 200 at most.
    tries: Vec<Attempt>,
}

/// The message of a delivery.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Message {
    /// Its subject; only for those with `personal:read`.
    subject: Option<String>,
    /// Mail addresses that it goes to; only for those with `personal:read`.
    recipients: Option<Vec<String>>,
    /// How many those are; 0 where the channel itself knows whom it reaches.
    recipient_count: u64,
    /// Identifier of the event that it tells of.
    event: Option<String>,
    /// Identifiers of the notices that it carries out, 100 at most.
    notices: Vec<String>,
}

impl From<delivery::MessageView> for Message {
    fn from(view: delivery::MessageView) -> Self {
        Self {
            subject: view.subject,
            recipients: view.recipients,
            recipient_count: view.recipient_count,
            event: view.event,
            notices: view.notices.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Which deliveries.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeliveryParams {
    /// Of this destination.
    destination: Option<String>,
    /// `waiting`, `delivered` or `dead`.
    state: Option<String>,
    /// `log`, `replay`, `message` or `test`.
    reason: Option<String>,
    /// Whose first event is of this type.
    event_type: Option<String>,
    /// Condition, such as `state:dead status>=500 error:timeout`.
    filter: Option<String>,
    /// Made at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Made before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// How many, 1 to 1,000; 50 unless told otherwise.
    #[serde(deserialize_with = "super::listing::number")]
    limit: Option<usize>,
    /// Where the page before this one ended.
    cursor: Option<String>,
}

fn query(engine: &Engine, params: &DeliveryParams) -> Result<DeliveryQuery, Problem> {
    if let Some(state) = params.state.as_deref().filter(|state| !STATES.contains(state)) {
        let message = format!("{state} is none of {}", STATES.join(", "));
        return Err(Problem::invalid("state", message));
    }
    let before = match params.cursor.as_deref() {
        None => None,
        Some(text) => Some(text.parse().map_err(|error| Problem::invalid("cursor", error))?),
    };
    Ok(DeliveryQuery {
        destinations: params.destination.clone().into_iter().collect(),
        state: params.state.clone(),
        reason: params.reason.clone(),
        event_type: params.event_type.clone(),
        from: params.from,
        to: params.to,
        filter: engine.parse_delivery_filter(params.filter.as_deref().unwrap_or_default())?,
        before,
        after: None,
    })
}

/// Deliveries
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "deliveries",
    params(DeliveryParams),
    responses((status = 200, description = "Newest first", body = Page<Delivery>)))]
async fn list_deliveries(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<DeliveryParams>,
) -> Result<Response, Problem> {
    let limit = limit(params.limit)?;
    let mut rows = engine.deliveries(caller.context(), query(&engine, &params)?, limit + 1).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.id.to_string());
    let items = rows.into_iter().map(Delivery::from).collect();
    Ok(Page { items, next_cursor, previous_cursor: None }.answer(&uri))
}

/// How many deliveries of a destination are in a state.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct DeliveryCount {
    /// Name of the destination.
    destination: String,
    /// `waiting`, `delivered` or `dead`.
    state: String,
    /// How many.
    count: u64,
}

/// Counts of deliveries
#[utoipa::path(get, path = "/api/v1/deliveries/counts", tag = "deliveries",
    params(DeliveryParams),
    responses((status = 200, description = "By destination and state", body = Page<DeliveryCount>)))]
async fn count_deliveries(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<DeliveryParams>,
) -> Result<Json<Page<DeliveryCount>>, Problem> {
    let counts = engine.delivery_counts(caller.context(), query(&engine, &params)?).await?;
    let counts = counts.into_iter().map(|(destination, state, count)| DeliveryCount {
        destination,
        state,
        count,
    });
    Ok(Json(Page::whole(counts.collect())))
}

/// Which deliveries, and how they are written.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeliveryExportParams {
    /// `ndjson` (unless told otherwise) or `csv`.
    #[param(example = "csv")]
    format: Option<String>,
    /// Of this destination.
    destination: Option<String>,
    /// `waiting`, `delivered` or `dead`.
    state: Option<String>,
    /// `log`, `replay`, `message` or `test`.
    reason: Option<String>,
    /// Whose first event is of this type.
    event_type: Option<String>,
    /// Condition, such as `state:dead status>=500 error:timeout`.
    filter: Option<String>,
    /// Made at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Made before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

impl Delivery {
    /// Head line of a table of them.
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "destination",
        "state",
        "reason",
        "event_type",
        "events",
        "first_index",
        "last_index",
        "attempts",
        "status",
        "error",
        "created_at",
        "last_attempt_at",
        "completed_at",
    ];

    fn cells(&self) -> Vec<String> {
        let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        vec![
            self.id.clone(),
            self.destination.clone(),
            self.state.clone(),
            self.reason.clone(),
            self.event_type.clone().unwrap_or_default(),
            self.events.to_string(),
            number(self.first_index),
            number(self.last_index),
            self.attempts.to_string(),
            self.status.map(|status| status.to_string()).unwrap_or_default(),
            self.error.clone().unwrap_or_default(),
            self.created_at.to_string(),
            time(self.last_attempt_at),
            time(self.completed_at),
        ]
    }
}

/// Export deliveries
///
/// All deliveries that fit and that one may see, newest first.
#[utoipa::path(get, path = "/api/v1/deliveries/export", tag = "deliveries",
    params(DeliveryExportParams),
    responses((status = 200, description = "Rows as they are read",
        content((String = "application/x-ndjson"), (String = "text/csv")))))]
async fn export_deliveries(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<DeliveryExportParams>,
) -> Result<Response, Problem> {
    let format = Format::parse(params.format.as_deref())?;
    let DeliveryExportParams { destination, state, reason, event_type, filter, from, to, .. } =
        params;
    let told: Vec<String> = [
        ("destination", &destination),
        ("state", &state),
        ("reason", &reason),
        ("type", &event_type),
    ]
    .into_iter()
    .filter_map(|(name, word)| word.as_ref().map(|word| format!("{name}:{word}")))
    .chain(filter.clone().filter(|text| !text.trim().is_empty()))
    .chain(from.map(|at| format!("created>={at}")))
    .chain(to.map(|at| format!("created<{at}")))
    .collect();
    let params = DeliveryParams {
        destination,
        state,
        reason,
        event_type,
        filter,
        from,
        to,
        ..DeliveryParams::default()
    };
    let query = query(&engine, &params)?;
    let counts = engine.delivery_counts(caller.context(), query.clone()).await?;
    let count = counts.iter().map(|(.., count)| count).sum();
    let record =
        ExportRecord { format: format.as_str(), count, query: told.join(" "), range: None };
    engine.record_delivery_export(caller.context(), record).await?;
    let state = DeliveryExport { engine, caller, query: Some(query), format, is_first: true };
    let rows = stream::try_unfold(state, DeliveryExport::page);
    let name = format!("deliveries.{}", format.as_str());
    Ok((streamed(format.media_type(), Some(&name)), Body::from_stream(rows)).into_response())
}

struct DeliveryExport {
    engine: Engine,
    caller: Caller,
    /// What to read next; `None` at the end.
    query: Option<DeliveryQuery>,
    format: Format,
    is_first: bool,
}

impl DeliveryExport {
    async fn page(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        let Some(query) = self.query.take() else { return Ok(None) };
        let context = export::still(&self.engine, self.caller.context()).await?;
        let rows = self.engine.deliveries(&context, query.clone(), LIMIT_MAX).await?;
        if rows.len() == LIMIT_MAX {
            let before = rows.last().map(|row| row.id);
            self.query = Some(DeliveryQuery { before, ..query });
        }
        let rows: Vec<Delivery> = rows.into_iter().map(Delivery::from).collect();
        let bytes = self.format.write(&rows, Delivery::COLUMNS, Delivery::cells, self.is_first)?;
        self.is_first = false;
        Ok(Some((bytes, self)))
    }
}

/// One delivery with its attempts
#[utoipa::path(get, path = "/api/v1/deliveries/{id}", tag = "deliveries",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The delivery", body = DeliveryWhole)))]
async fn read_delivery(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<DeliveryId>,
) -> Result<Json<DeliveryWhole>, Problem> {
    let view = engine.delivery(caller.context(), id).await?;
    let tries = view.attempts.into_iter().map(Attempt::from).collect();
    let message = view.message.map(Message::from);
    Ok(Json(DeliveryWhole { delivery: view.row.into(), message, tries }))
}

/// Deliveries of an event
///
/// Those that carry it, alone or in a batch, of the forwarders that one may see: 100 at most.
#[utoipa::path(get, path = "/api/v1/events/{id}/deliveries", tag = "deliveries",
    params(("id" = String, Path, description = "Identifier of the event")),
    responses((status = 200, description = "Newest first", body = Page<Delivery>)))]
async fn event_deliveries(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<EventId>,
) -> Result<Json<Page<Delivery>>, Problem> {
    let seen = engine.event(caller.context(), id).await?;
    let rows = engine.deliveries_of_event(caller.context(), seen.index).await?;
    Ok(Json(Page::whole(rows.into_iter().map(Delivery::from).collect())))
}

/// Send a delivery again
///
/// Under its identifier: a receiver that keeps those sees that it has it already.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/resend", tag = "deliveries",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 202, description = "It waits to be sent")))]
async fn resend_delivery(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<DeliveryId>,
) -> Result<StatusCode, Problem> {
    engine.resend_delivery(caller.context(), id).await?;
    Ok(StatusCode::ACCEPTED)
}
