//! Counts of sealed events: facets, over time, in all.

use std::collections::BTreeMap;

use axum::extract::State;
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::Operations;
use super::event::filter;
use super::facet::{Bars, FacetGroup, Facets, FilterParams, check_span, check_within};
use crate::edge::{Caller, Json, Params, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::EventRead, routes!(event_facets));
    operations.any(Permission::EventRead, routes!(event_histogram));
    operations.any(Permission::EventRead, routes!(event_count));
}

/// Facets of events
///
/// How many of the events that fit the filter have each type, severity, outcome and so on.
#[utoipa::path(get, path = "/api/v1/events/facets", tag = "events",
    params(FilterParams),
    responses((status = 200, description = "Counts by field and value", body = Facets)))]
async fn event_facets(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<FilterParams>,
) -> Result<Json<Facets>, Problem> {
    let filter = filter(&engine, params.filter.as_deref())?;
    let found = engine.event_facets(caller.context(), &filter).await?;
    let actors = found.actors_sampled;
    let groups = found.groups.into_iter().map(|group| {
        let is_sampled = actors && group.field == "actor";
        FacetGroup::new(group.field, group.values).sampled(is_sampled)
    });
    let groups = groups.collect();
    Ok(Json(Facets { groups, sampled: found.sampled }))
}

/// Spans of time.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HistogramParams {
    /// Condition, such as `outcome:failure`.
    filter: Option<String>,
    /// From this time on (RFC 3339); a day before `to` unless told otherwise.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Until before this time; now unless told otherwise.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// How many spans at most, 1 to 500; 48 unless told otherwise. Those of an hour and more are of
    /// whole hours.
    buckets: Option<usize>,
}

/// Events over time
///
/// How many of the events that fit the filter fall into each span of time, by severity.
#[utoipa::path(get, path = "/api/v1/events/histogram", tag = "events",
    params(HistogramParams),
    responses((status = 200, description = "Counts by span of time", body = Bars)))]
async fn event_histogram(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<HistogramParams>,
) -> Result<Json<Bars>, Problem> {
    let filter = filter(&engine, params.filter.as_deref())?;
    let to = params.to.unwrap_or_else(|| engine.environment().now());
    let from = params.from.unwrap_or_else(|| to.plus(-Timestamp::DAY));
    check_span(from, to)?;
    let buckets = check_within("buckets", params.buckets.unwrap_or(48), 1..=500)?;
    let (found, sampled) =
        engine.event_bars(caller.context(), &filter, (from, to), buckets).await?;
    let bars = found.into_iter().map(|bucket| {
        let by_severity: BTreeMap<_, _> = bucket
            .by_severity
            .into_iter()
            .map(|(severity, count)| (severity.as_str(), count))
            .collect();
        (bucket.from, bucket.to, by_severity)
    });
    Ok(Json(Bars::by_severity(bars, sampled)))
}

/// How many.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct EventCount {
    /// How many were counted.
    count: u64,
    /// There may be more: counting was stopped.
    at_least: bool,
}

/// Count events
#[utoipa::path(get, path = "/api/v1/events/count", tag = "events",
    params(FilterParams),
    responses((status = 200, description = "How many fit the filter", body = EventCount)))]
async fn event_count(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<FilterParams>,
) -> Result<Json<EventCount>, Problem> {
    let filter = filter(&engine, params.filter.as_deref())?;
    let count = engine.event_count(caller.context(), &filter).await?;
    Ok(Json(EventCount { count: count.value, at_least: count.at_least }))
}
