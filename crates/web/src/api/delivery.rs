//! Deliveries: what was sent where, every attempt at it, and sending it again.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use chancery_engine::delivery::{self, DeliveryQuery};
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use chancery_event::id::DeliveryId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::Operations;
use super::listing::{Page, limit};
use crate::edge::{Caller, Json, Params, PathOf, Problem};

/// States of a delivery.
const STATES: [&str; 3] = ["waiting", "delivered", "dead"];

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::ForwarderRead, routes!(list_deliveries));
    operations.any(Permission::ForwarderRead, routes!(count_deliveries));
    operations.any(Permission::ForwarderRead, routes!(read_delivery));
    operations.any(Permission::ForwarderWrite, routes!(resend_delivery));
}

/// One event, batch or message for one destination.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Delivery {
    /// Its identifier, which the receiver sees with every attempt.
    id: String,
    /// Name of the destination.
    destination: String,
    /// Why it was made: `log`, `message` or `test`.
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
    /// Its attempts, newest first, 200 at most.
    tries: Vec<Attempt>,
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
    /// `log`, `message` or `test`.
    reason: Option<String>,
    /// Whose first event is of this type.
    event_type: Option<String>,
    /// Made at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Made before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// How many, 1 to 1,000; 50 unless told otherwise.
    limit: Option<usize>,
    /// Where the page before this one ended.
    cursor: Option<String>,
}

fn query(params: &DeliveryParams) -> Result<DeliveryQuery, Problem> {
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
    let mut rows = engine.deliveries(caller.context(), query(&params)?, limit + 1).await?;
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
    let counts = engine.delivery_counts(caller.context(), query(&params)?).await?;
    let counts = counts.into_iter().map(|(destination, state, count)| DeliveryCount {
        destination,
        state,
        count,
    });
    Ok(Json(Page::whole(counts.collect())))
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
    let (row, attempts) = engine.delivery(caller.context(), id).await?;
    let tries = attempts.into_iter().map(Attempt::from).collect();
    Ok(Json(DeliveryWhole { delivery: row.into(), tries }))
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
