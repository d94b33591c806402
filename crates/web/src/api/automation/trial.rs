//! Trying triggers out: on one event, and on recorded history.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chancery_engine::reaction::trial::{Trial, TrialEdit, Tried};
use chancery_engine::reaction::{Evaluation, record};
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use chancery_event::id::{EventId, JobId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::file::json;
use crate::api::Operations;
use crate::api::listing::Page;
use crate::api::upload::located;
use crate::edge::{Caller, Json, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::AutomationTry, routes!(dry_run));
    operations.any(Permission::AutomationTry, routes!(back_test));
    operations.any(Permission::AutomationTry, routes!(back_test_all));
    operations.any(Permission::AutomationTry, routes!(preview));
    operations.any(Permission::AutomationTry, routes!(fast_forward));
}

/// A change that is tried and not saved.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct TriedChange {
    /// `rule`, `action`, `trigger` or `scope`.
    class: String,
    /// Its name.
    name: String,
    /// What it is to say; absent: it is to go.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    body: Option<Value>,
    /// Whether it is to count.
    #[serde(default = "super::enabled")]
    enabled: bool,
}

impl From<TriedChange> for TrialEdit {
    fn from(change: TriedChange) -> Self {
        let TriedChange { class, name, body, enabled } = change;
        Self { class, name, body, enabled }
    }
}

/// One event to try a trigger on.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct DryRun {
    /// Identifier of a sealed event.
    #[schema(value_type = String)]
    event: EventId,
    /// Changes to try that are not saved.
    #[serde(default)]
    changes: Vec<TriedChange>,
}

/// What a trigger makes of an event.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct DryVerdict {
    /// The trigger.
    trigger: String,
    /// Its version.
    version: i64,
    /// The scope it was asked for.
    scope: String,
    /// `matched`, `ignored`, `nearly`, `not_matched` or `not_reached`.
    verdict: &'static str,
    /// Its rules with every comparison: what was expected and what was there.
    #[schema(value_type = Object)]
    explanation: Value,
    /// What its steps would do; nothing was done.
    steps: Vec<String>,
}

impl From<&Evaluation> for DryVerdict {
    fn from(evaluation: &Evaluation) -> Self {
        Self {
            trigger: evaluation.trigger.name.clone(),
            version: evaluation.trigger.version,
            scope: evaluation.scope.to_string(),
            verdict: evaluation.verdict.as_str(),
            explanation: record::explanation(evaluation, false),
            steps: evaluation.planned.iter().map(|planned| planned.effect.told()).collect(),
        }
    }
}

/// Try a trigger on one event
///
/// The same function as live; nothing is carried out. Empty: the trigger does not listen to it, or
/// is bound to something else.
#[utoipa::path(post, path = "/api/v1/automation/triggers/{name}/dry-run", tag = "automation",
    params(("name" = String, Path, description = "Name of the trigger")),
    request_body = DryRun,
    responses((status = 200, description = "What came of it", body = Page<DryVerdict>)))]
async fn dry_run(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(asked): Json<DryRun>,
) -> Result<Json<Page<DryVerdict>>, Problem> {
    let edits: Vec<_> = asked.changes.into_iter().map(TrialEdit::from).collect();
    let evaluations = engine.dry_run(caller.context(), &name, &edits, asked.event).await?;
    Ok(Json(Page::whole(evaluations.iter().map(DryVerdict::from).collect())))
}

/// A stretch of history.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
struct BackTest {
    /// From this time on.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before this time.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Changes to try that are not saved.
    changes: Vec<TriedChange>,
    /// Compare with what is saved, and tell the differences.
    compare: bool,
    /// Have a job do it also where the stretch is short.
    queued: bool,
}

impl BackTest {
    fn trial(self, trigger: Option<String>) -> Trial {
        let Self { from, to, changes, compare, queued } = self;
        let edits = changes.into_iter().map(TrialEdit::from).collect();
        Trial { trigger, edits, from, to, compare, queued }
    }
}

/// What was found, or the job that finds it.
pub(super) fn answer(tried: Result<Tried, JobId>) -> Result<Response, Problem> {
    match tried {
        Ok(tried) => Ok(Json(json(&tried)?).into_response()),
        Err(job) => {
            let told = serde_json::json!({ "job": job.to_string() });
            let place = located(&format!("/api/v1/jobs/{job}"));
            Ok((StatusCode::ACCEPTED, place, Json(told)).into_response())
        }
    }
}

/// Try a trigger on recorded history
///
/// Answers counts and samples; a long stretch becomes a job (202) with the same result. Objects are
/// seen as they are now.
#[utoipa::path(post, path = "/api/v1/automation/triggers/{name}/back-test", tag = "automation",
    params(("name" = String, Path, description = "Name of the trigger")),
    request_body = BackTest,
    responses((status = 200, description = "Counts and samples", body = Object),
        (status = 202, description = "The job that does it", body = Object)))]
async fn back_test(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(asked): Json<BackTest>,
) -> Result<Response, Problem> {
    answer(engine.back_test(caller.context(), asked.trial(Some(name))).await?)
}

/// Try all enabled triggers on recorded history
#[utoipa::path(post, path = "/api/v1/automation/back-test", tag = "automation",
    request_body = BackTest,
    responses((status = 200, description = "Counts and samples", body = Object),
        (status = 202, description = "The job that does it", body = Object)))]
async fn back_test_all(
    State(engine): State<Engine>,
    caller: Caller,
    Json(asked): Json<BackTest>,
) -> Result<Response, Problem> {
    answer(engine.back_test(caller.context(), asked.trial(None)).await?)
}

/// A rule that is being written.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "filter": "object.key_size<2048", "types": "certificate.uploaded" }))]
struct RulePreview {
    /// The filter, as text or as a tree.
    #[schema(value_type = Object)]
    filter: Value,
    /// Types of events, joined by commas.
    types: String,
}

/// Newest events that a preview looks at.
const PREVIEW_MAX: u64 = 50_000;

/// How many past events a rule would match
///
/// Looks at the newest 50,000 events.
#[utoipa::path(post, path = "/api/v1/automation/preview", tag = "automation",
    request_body = RulePreview,
    responses((status = 200, description = "Counts and samples", body = Object)))]
async fn preview(
    State(engine): State<Engine>,
    caller: Caller,
    Json(asked): Json<RulePreview>,
) -> Result<Json<Value>, Problem> {
    let types = super::event_types(&asked.types)?;
    let tried = engine.preview_rule(caller.context(), &asked.filter, &types, PREVIEW_MAX).await?;
    Ok(Json(json(&tried)?))
}

/// Days to look ahead.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "days": 30 }))]
struct FastForward {
    /// How many, 1 to 3660.
    days: u32,
    /// Changes to try that are not saved.
    #[serde(default)]
    changes: Vec<TriedChange>,
}

/// What will come in the next days
///
/// Simulates the monitor runs with the present inventory and configuration, and asks the triggers
/// about the events that they will record, with the same function as live: what will fire, when,
/// and whom it will reach. Nothing is carried out.
#[utoipa::path(post, path = "/api/v1/automation/fast-forward", tag = "automation",
    request_body = FastForward,
    responses((status = 200, description = "Counts, and the first 500 events", body = Object)))]
async fn fast_forward(
    State(engine): State<Engine>,
    caller: Caller,
    Json(asked): Json<FastForward>,
) -> Result<Json<Value>, Problem> {
    let edits: Vec<_> = asked.changes.into_iter().map(TrialEdit::from).collect();
    let ahead = engine.fast_forward(caller.context(), asked.days, &edits).await?;
    Ok(Json(json(&ahead)?))
}
