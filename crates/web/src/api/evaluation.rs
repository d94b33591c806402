//! Evaluations: what came of asking triggers, and why.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use chancery_engine::reaction::record::{EvaluationQuery, Row};
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use chancery_event::id::{EvaluationId, EventId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::Operations;
use super::facet::{FacetGroup, Facets};
use super::listing::{Page, limit};
use crate::edge::{Caller, Json, Params, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::AutomationRead, routes!(list_evaluations));
    operations.any(Permission::AutomationRead, routes!(evaluation_facets));
    operations.any(Permission::AutomationRead, routes!(read_evaluation));
    operations.any(Permission::AutomationRead, routes!(event_reactions));
}

/// One trigger that was asked about one event.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Evaluation {
    /// Its identifier.
    id: String,
    /// The event; of an upload that was ignored, the failed operation.
    event: String,
    /// Place of the event in the log; absent if it was asked before the event was sealed.
    log_index: Option<u64>,
    /// The type of event that the trigger listened to.
    event_type: String,
    /// What the event is about, as `kind/id`.
    object: Option<String>,
    /// Where the trigger is bound: `platform`, `group/NAME`, `ra_profile/NAME`.
    scope: String,
    /// The trigger.
    trigger: String,
    /// Its version.
    trigger_version: i64,
    /// Revision of the whole configuration.
    revision: i64,
    /// `matched`, `ignored`, `nearly`, `not_matched` or `not_reached`.
    verdict: String,
    /// Some step could not be carried out.
    failed: bool,
    /// Its rules with every comparison: what was expected and what was there.
    #[schema(value_type = Object)]
    explanation: Value,
    /// Its steps with their results.
    #[schema(value_type = Object)]
    steps: Value,
    /// Microseconds it took.
    took_us: u64,
    /// When it was asked.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl Evaluation {
    /// The columns of an export.
    pub(super) const COLUMNS: &[&str] = &[
        "id",
        "at",
        "trigger",
        "trigger_version",
        "verdict",
        "failed",
        "event_type",
        "event",
        "log_index",
        "object",
        "scope",
        "revision",
        "took_us",
    ];
}

impl From<Row> for Evaluation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            event: row.event_id.to_string(),
            log_index: row.log_index.map(|index| index.0),
            event_type: row.event_type,
            object: row.object,
            scope: row.scope,
            trigger: row.trigger,
            trigger_version: row.trigger_version,
            revision: row.revision,
            verdict: row.verdict,
            failed: row.failed,
            explanation: serde_json::from_str(&row.explanation).unwrap_or_default(),
            steps: serde_json::from_str(&row.steps).unwrap_or_default(),
            took_us: row.took_us,
            at: row.at,
        }
    }
}

/// Which evaluations.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EvaluationParams {
    /// A filter, such as `trigger:weak-keys verdict:nearly`.
    filter: Option<String>,
    /// Items of a page, 1 to 1000; 50 unless told otherwise.
    #[serde(deserialize_with = "super::listing::number")]
    limit: Option<usize>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

/// Evaluations
///
/// Newest first.
#[utoipa::path(get, path = "/api/v1/evaluations", tag = "automation",
    params(EvaluationParams),
    responses((status = 200, description = "A page", body = Page<Evaluation>)))]
async fn list_evaluations(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<EvaluationParams>,
) -> Result<Response, Problem> {
    let limit = limit(params.limit)?;
    let before = match params.cursor.as_deref().filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(
            text.parse::<EvaluationId>()
                .map_err(|_| Problem::invalid("cursor", "take it from the answer before"))?,
        ),
    };
    let filter = engine.parse_evaluation_filter(params.filter.as_deref().unwrap_or_default())?;
    let query = EvaluationQuery { filter, before, after: None, limit };
    let page = engine.evaluations(caller.context(), &query).await?;
    let next_cursor = page.items.last().filter(|_| page.older).map(|row| row.id.to_string());
    let items = page.items.into_iter().map(Evaluation::from).collect();
    Ok(Page { items, next_cursor, previous_cursor: None }.answer(&uri))
}

/// Counts of evaluations
#[utoipa::path(get, path = "/api/v1/evaluations/facets", tag = "automation",
    params(EvaluationParams),
    responses((status = 200, description = "By verdict, trigger, type and scope", body = Facets)))]
async fn evaluation_facets(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<EvaluationParams>,
) -> Result<Json<Facets>, Problem> {
    let filter = engine.parse_evaluation_filter(params.filter.as_deref().unwrap_or_default())?;
    let (_, groups) = engine.evaluation_counts(caller.context(), &filter).await?;
    let groups = groups.into_iter().map(|(field, values)| FacetGroup::new(field, values));
    Ok(Json(Facets { groups: groups.collect(), sampled: false }))
}

/// One evaluation
#[utoipa::path(get, path = "/api/v1/evaluations/{id}", tag = "automation",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The evaluation", body = Evaluation)))]
async fn read_evaluation(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<EvaluationId>,
) -> Result<Json<Evaluation>, Problem> {
    Ok(Json(engine.evaluation(caller.context(), id).await?.into()))
}

/// What reacted to an event
///
/// Every trigger that was asked, in order, with what came of it and why.
#[utoipa::path(get, path = "/api/v1/events/{id}/reactions", tag = "automation",
    params(("id" = String, Path, description = "Identifier of the event")),
    responses((status = 200, description = "The evaluations", body = Page<Evaluation>)))]
async fn event_reactions(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<EventId>,
) -> Result<Json<Page<Evaluation>>, Problem> {
    let rows = engine.reactions(caller.context(), id).await?;
    Ok(Json(Page::whole(rows.into_iter().map(Evaluation::from).collect())))
}
