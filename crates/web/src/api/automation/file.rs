//! The whole automation as a TOML file: written out, planned, applied.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chancery_engine::automation::file;
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use crate::api::Operations;
use crate::edge::{Caller, Json, Params, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::AutomationRead, routes!(export));
    operations.any(Permission::AutomationTry, routes!(plan));
    operations.any(Permission::AutomationTry, routes!(diff));
    operations.any(Permission::AutomationWrite, routes!(apply));
}

/// A file.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "toml": "[rule.weak-keys]\nfilter = \"object.key_size<2048\"\n" }))]
struct ConfigurationFile {
    /// TOML: `[rule.weak-keys]` with the members of its body.
    toml: String,
    /// What the file does not have goes.
    #[serde(default)]
    prune: bool,
    /// Apply only if the configuration still has this revision.
    #[serde(default)]
    revision: Option<i64>,
}

/// What a file would change.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct ConfigurationPlan {
    /// The revision it was compared with.
    revision: i64,
    /// What would change.
    changes: Vec<PlannedChange>,
}

/// One object that would change.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct PlannedChange {
    /// `create`, `update` or `delete`.
    doing: &'static str,
    /// Its class.
    class: &'static str,
    /// Its name.
    name: String,
    /// Members that differ.
    members: Vec<String>,
}

/// How a file is written.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FileParams {
    /// `toml`, the only one there is.
    #[param(example = "toml")]
    format: Option<String>,
}

/// The automation as a file
#[utoipa::path(get, path = "/api/v1/automation/export", tag = "automation",
    params(FileParams),
    responses((status = 200, description = "TOML", body = String, content_type = "application/toml")))]
async fn export(
    State(engine): State<Engine>,
    caller: Caller,
    Params(params): Params<FileParams>,
) -> Result<Response, Problem> {
    if params.format.as_deref().is_some_and(|format| format != "toml") {
        return Err(Problem::invalid("format", "`toml`; there is no other one"));
    }
    let book = engine.automation_book(caller.context()).await?;
    let text = file::write(&book)?;
    Ok(([(header::CONTENT_TYPE, "application/toml")], text).into_response())
}

/// What applying a file would change
#[utoipa::path(post, path = "/api/v1/automation/plan", tag = "automation",
    request_body = ConfigurationFile,
    responses((status = 200, description = "The changes; nothing was changed", body = ConfigurationPlan)))]
async fn plan(
    State(engine): State<Engine>,
    caller: Caller,
    Json(asked): Json<ConfigurationFile>,
) -> Result<Json<ConfigurationPlan>, Problem> {
    let (revision, planned) =
        engine.plan_automation(caller.context(), &asked.toml, asked.prune).await?;
    Ok(Json(ConfigurationPlan { revision, changes: planned.into_iter().map(told).collect() }))
}

fn told(planned: file::Planned) -> PlannedChange {
    PlannedChange {
        doing: planned.doing.as_str(),
        class: planned.edit.class.as_str(),
        name: planned.edit.name,
        members: planned.members,
    }
}

/// A file and a stretch of history.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct BehaviourDiff {
    /// TOML, as for the plan.
    toml: String,
    /// What the file does not have goes.
    #[serde(default)]
    prune: bool,
    /// From this time on.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before this time.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// What a file would have done differently
///
/// Evaluates recorded events with what is saved and with the file. Where a verdict is the same and
/// its steps are not, `steps_before` and `steps_after` name those that only one side has.
/// `not_compared` names what the file changes besides and history says nothing about: monitors,
/// schedules, notification profiles and templates, and what no trigger uses. A long stretch becomes
/// a job.
#[utoipa::path(post, path = "/api/v1/automation/diff", tag = "automation",
    request_body = BehaviourDiff,
    responses((status = 200, description = "Verdicts that differ", body = Object),
        (status = 202, description = "The job that finds them", body = Object)))]
async fn diff(
    State(engine): State<Engine>,
    caller: Caller,
    Json(asked): Json<BehaviourDiff>,
) -> Result<Response, Problem> {
    let BehaviourDiff { toml, prune, from, to } = asked;
    super::trial::answer(
        engine.compare_automation(caller.context(), &toml, prune, (from, to)).await?,
    )
}

/// Apply a file
///
/// All of its changes are one revision, or nothing is changed.
#[utoipa::path(put, path = "/api/v1/automation/apply", tag = "automation",
    request_body = ConfigurationFile,
    responses((status = 200, description = "What was changed", body = ConfigurationPlan)))]
async fn apply(
    State(engine): State<Engine>,
    caller: Caller,
    Json(asked): Json<ConfigurationFile>,
) -> Result<Json<ConfigurationPlan>, Problem> {
    let ConfigurationFile { toml, prune, revision } = asked;
    let (revision, planned) =
        engine.apply_automation_file(caller.context(), &toml, prune, revision).await?;
    Ok(Json(ConfigurationPlan { revision, changes: planned.into_iter().map(told).collect() }))
}

/// An answer as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(value).map_err(|_| Problem::internal())
}
