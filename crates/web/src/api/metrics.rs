//! Figures for Prometheus (OpenMetrics text).

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use chancery_engine::{Figures, Permission};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use super::Operations;
use crate::edge::{Access, AppState, Problem};

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Adds the route.
pub(super) fn add(operations: &mut Operations<'_>) {
    let access = Access::Any(Permission::MetricsRead);
    operations.routes.add(Method::GET, "/metrics", access, metrics);
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Limited {
    limited: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct JobState {
    state: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Going {
    class: String,
    state: &'static str,
}

async fn metrics(State(state): State<AppState>) -> Result<Response, Problem> {
    let figures = state.engine.figures().await?;
    let now = state.engine.environment().now();
    // From the database: the node that is asked may never have sealed.
    let lag = figures.pending_since.map_or(0.0, |since| now.since(since).max(0) as f64 / 1e6);
    let mut registry = Registry::with_prefix("chancery");
    let health = state.engine.health();
    let stopped = health.sealing_stopped().is_some();
    describe(&mut registry, &figures, (lag, stopped));
    let refused = Family::<Limited, Counter>::default();
    let requests = ("request", state.limiter.refused());
    for (limited, count) in state.engine.rate_limited().into_iter().chain([requests]) {
        refused.get_or_create(&Limited { limited }).inc_by(count);
    }
    registry.register("rate_limited", "Refused because there were too many, by what", refused);
    state.figures.register(&mut registry);
    let mut out = String::new();
    text::encode(&mut out, &registry).map_err(|_| Problem::internal())?;
    let media_type = HeaderValue::from_static(MEDIA_TYPE);
    Ok(([(header::CONTENT_TYPE, media_type)], out).into_response())
}

fn describe(registry: &mut Registry, figures: &Figures, (lag, stopped): (f64, bool)) {
    let sealed = ConstCounter::new(figures.log_size);
    registry.register("events_sealed", "Events in the sealed log", sealed);
    let recorded = ConstCounter::new(figures.log_size + figures.pending);
    registry.register("events_recorded", "Events recorded, sealed or not", recorded);
    let set_aside = ConstCounter::new(figures.quarantined);
    registry.register("events_quarantined", "Pending events that were ever set aside", set_aside);
    let stopped = ConstGauge::new(i64::from(stopped));
    registry.register("sealing_stopped", "1: sealing has stopped, as any node found", stopped);
    let whole = |value: u64| ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    registry.register("events_pending", "Events that wait to be sealed", whole(figures.pending));
    registry.register(
        "events_unprojected",
        "Sealed events that wait to be indexed",
        whole(figures.unprojected),
    );
    registry.register(
        "seal_lag_seconds",
        "How long the oldest event that waits has waited for its seal",
        ConstGauge::new(lag),
    );
    registry.register("log_size", "Entries a signed checkpoint covers", whole(figures.log_size));
    registry.register("certificates", "Certificates in the inventory", whole(figures.certificates));
    registry.register("store_bytes", "Bytes of the database", whole(figures.store_bytes));
    registry.register("uptime_seconds", "Age of this process", whole(figures.uptime_seconds));
    let jobs = Family::<JobState, Gauge<u64, AtomicU64>>::default();
    for (state, count) in &figures.jobs {
        jobs.get_or_create(&JobState { state: state.clone() }).set(*count);
    }
    registry.register("jobs", "Jobs by state", jobs);
    let going = |counts: &BTreeMap<(String, &'static str), u64>| {
        let family = Family::<Going, Gauge<u64, AtomicU64>>::default();
        for ((class, state), count) in counts {
            family.get_or_create(&Going { class: class.clone(), state }).set(*count);
        }
        family
    };
    registry.register(
        "destinations",
        "Forwarders and channels by how it goes: off, on, behind, paused, retrying",
        going(&figures.destinations),
    );
    registry.register(
        "deliveries",
        "Deliveries that wait or were given up (dead)",
        going(&figures.deliveries),
    );
}
