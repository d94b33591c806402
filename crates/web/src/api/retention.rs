//! Rules of retention, legal holds, runs.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chancery_engine::retention::{self, Hold, HoldDraft, Placed, Preview, Rule, RuleDraft, Run};
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::Operations;
use super::listing::Page;
use super::upload::{Queued, located, queued};
use crate::edge::{Caller, Json, PathOf, Problem};

/// Runs of one answer.
const RUNS: usize = 200;

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::RetentionRead, routes!(list_retention_rules));
    operations.any(Permission::RetentionWrite, routes!(create_retention_rule));
    operations.any(Permission::RetentionRead, routes!(retention_rule));
    operations.any(Permission::RetentionWrite, routes!(update_retention_rule));
    operations.any(Permission::RetentionWrite, routes!(delete_retention_rule));
    operations.any(Permission::RetentionRead, routes!(preview_retention));
    operations.any(Permission::RetentionRead, routes!(list_retention_runs));
    operations.any(Permission::RetentionWrite, routes!(start_retention_run));
    operations.any(Permission::RetentionRead, routes!(list_legal_holds));
    operations.any(Permission::RetentionWrite, routes!(place_legal_hold));
    operations.any(Permission::RetentionRead, routes!(legal_hold));
    operations.any(Permission::RetentionWrite, routes!(release_legal_hold));
}

/// A rule by which events leave the database. They stay in the sealed log and in the archive.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct RetentionRule {
    /// Its name.
    #[schema(example = "sessions")]
    name: String,
    /// Counts its changes.
    version: i64,
    /// Whether it is followed.
    enabled: bool,
    /// Which events, in the condition language; empty: every event.
    #[schema(example = "type:session.*")]
    filter: String,
    /// From what its days count: `event`, its time, or `expiry`, that of the certificate it is
    /// about.
    #[schema(example = "event")]
    basis: String,
    /// So many days after that they go.
    #[schema(example = 400)]
    after_days: u32,
    /// What it says, in a sentence; not to be parsed.
    sentence: String,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
}

impl From<Rule> for RetentionRule {
    fn from(rule: Rule) -> Self {
        Self {
            sentence: retention::sentence(&rule),
            name: rule.name,
            version: rule.version,
            enabled: rule.enabled,
            filter: rule.filter,
            basis: rule.basis,
            after_days: rule.after_days,
            changed_at: rule.changed_at,
        }
    }
}

/// A rule to be made, changed or tried.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "sessions", "filter": "type:session.*", "basis": "event", "after_days": 400
}))]
struct RetentionRuleWish {
    /// 1 to 60 lower-case letters, digits and hyphens.
    #[serde(default)]
    name: String,
    /// Which events; empty: every event.
    #[serde(default)]
    filter: String,
    /// `event` or `expiry`; `event` unless told otherwise.
    basis: Option<String>,
    /// 1 to 36,500 days.
    after_days: u32,
    /// Whether it is followed; it is unless told otherwise.
    enabled: Option<bool>,
    /// For a change: only if it still has this version.
    version: Option<i64>,
}

impl RetentionRuleWish {
    fn draft(self, name: Option<String>) -> RuleDraft {
        RuleDraft {
            name: name.unwrap_or(self.name),
            filter: self.filter,
            basis: self.basis.unwrap_or_else(|| "event".to_owned()),
            after_days: self.after_days,
            enabled: self.enabled.unwrap_or(true),
        }
    }
}

/// Who still needs events.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct RetentionLimit {
    /// A consumer of the log, a forwarder, a delivery that waits.
    #[schema(example = "the archive")]
    who: String,
    /// The first log index that it needs.
    index: u64,
}

/// What a rule would remove if it ran now.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct RetentionPreview {
    /// What the rule says, in a sentence.
    sentence: String,
    /// Events that would go.
    events: u64,
    /// Counting stopped there: it may be more.
    at_least: bool,
    /// Events that legal holds keep.
    held: u64,
    /// Events that the rule reaches and somebody still needs.
    waiting: u64,
    /// Time of the oldest that would go.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest: Option<Timestamp>,
    /// Time of the newest that would go.
    #[schema(value_type = Option<String>, format = DateTime)]
    newest: Option<Timestamp>,
    /// Who needs which events still, the one in the way first.
    limits: Vec<RetentionLimit>,
    /// Where the entries are kept; absent: nowhere, and nothing goes.
    archive: Option<String>,
}

impl From<Preview> for RetentionPreview {
    fn from(preview: Preview) -> Self {
        let limit =
            |limit: retention::Limit| RetentionLimit { who: limit.who, index: limit.index.0 };
        Self {
            sentence: preview.sentence,
            events: preview.events,
            at_least: preview.at_least,
            held: preview.held,
            waiting: preview.waiting,
            oldest: preview.oldest,
            newest: preview.newest,
            limits: preview.limits.into_iter().map(limit).collect(),
            archive: preview.archive,
        }
    }
}

/// A run of a rule.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct RetentionRun {
    /// Its identifier, and that of the event about it.
    id: String,
    /// Name of the rule.
    rule: String,
    /// Its version.
    rule_version: i64,
    /// What it said, in a sentence.
    sentence: String,
    /// `running`, `succeeded` or `failed`.
    #[schema(example = "succeeded")]
    state: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Events removed.
    removed: u64,
    /// Events that legal holds kept.
    held: u64,
    /// The first that it removed.
    first_index: Option<u64>,
    /// The last that it removed.
    last_index: Option<u64>,
    /// Why it failed.
    message: Option<String>,
}

impl From<Run> for RetentionRun {
    fn from(run: Run) -> Self {
        Self {
            id: run.id.to_string(),
            rule: run.rule,
            rule_version: run.rule_version,
            sentence: run.rule_text,
            state: run.state,
            started_at: run.started_at,
            ended_at: run.ended_at,
            removed: run.removed,
            held: run.held,
            first_index: run.first_index.map(|index| index.0),
            last_index: run.last_index.map(|index| index.0),
            message: run.message,
        }
    }
}

/// What no rule of retention removes.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct LegalHold {
    /// Its name.
    #[schema(example = "case-2026-7")]
    name: String,
    /// Which events it holds.
    filter: String,
    /// Why.
    reason: String,
    /// Kind and identifier of who placed it.
    placed_by: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    placed_at: Timestamp,
    /// Kind and identifier of who ended it.
    released_by: Option<String>,
    /// When it ended; absent: it lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    released_at: Option<Timestamp>,
    /// Events in the database that it names, told once, by the answer that places it; none: it
    /// holds what may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
    /// Counting stopped there: it may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_least: Option<bool>,
}

impl From<Placed> for LegalHold {
    fn from(placed: Placed) -> Self {
        let events = placed.events;
        Self {
            events: events.map(|events| events.value),
            at_least: events.map(|events| events.at_least),
            ..placed.hold.into()
        }
    }
}

impl From<Hold> for LegalHold {
    fn from(hold: Hold) -> Self {
        Self {
            name: hold.name,
            filter: hold.filter,
            reason: hold.reason,
            placed_by: hold.placed_by,
            placed_at: hold.placed_at,
            released_by: hold.released_by,
            released_at: hold.released_at,
            events: None,
            at_least: None,
        }
    }
}

/// A legal hold to be placed: a filter or a certificate.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "name": "case-2026-7", "filter": "family:certificate", "reason": "Asked for by the court."
}))]
struct LegalHoldWish {
    /// 1 to 60 lower-case letters, digits and hyphens.
    name: String,
    /// Which events; `*` for every event.
    filter: String,
    /// Identifier of a certificate: every event about it.
    certificate: String,
    /// Why.
    reason: String,
}

/// Rules of retention
#[utoipa::path(get, path = "/api/v1/retention/rules", tag = "retention",
    responses((status = 200, description = "All rules, by name", body = Page<RetentionRule>)))]
async fn list_retention_rules(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<Page<RetentionRule>>, Problem> {
    let all = engine.retention_rules(caller.context()).await?;
    Ok(Json(Page::whole(all.into_iter().map(RetentionRule::from).collect())))
}

/// Make a rule of retention
///
/// Try it with the preview first: what it removes is gone from the database, and with it what it
/// said about people.
#[utoipa::path(post, path = "/api/v1/retention/rules", tag = "retention",
    request_body = RetentionRuleWish,
    responses((status = 201, description = "The rule", body = RetentionRule)))]
async fn create_retention_rule(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<RetentionRuleWish>,
) -> Result<Response, Problem> {
    let made = engine.create_retention_rule(caller.context(), wish.draft(None)).await?;
    let location = located(&format!("/api/v1/retention/rules/{}", made.name));
    Ok((StatusCode::CREATED, location, Json(RetentionRule::from(made))).into_response())
}

/// A rule of retention
#[utoipa::path(get, path = "/api/v1/retention/rules/{name}", tag = "retention",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "The rule", body = RetentionRule)))]
async fn retention_rule(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<RetentionRule>, Problem> {
    Ok(Json(engine.retention_rule(caller.context(), &name).await?.into()))
}

/// Change a rule of retention
#[utoipa::path(put, path = "/api/v1/retention/rules/{name}", tag = "retention",
    params(("name" = String, Path, description = "Its name")),
    request_body = RetentionRuleWish,
    responses((status = 200, description = "The rule", body = RetentionRule)))]
async fn update_retention_rule(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(wish): Json<RetentionRuleWish>,
) -> Result<Json<RetentionRule>, Problem> {
    let version = wish.version;
    let draft = wish.draft(Some(name));
    let changed = engine.update_retention_rule(caller.context(), version, draft).await?;
    Ok(Json(changed.into()))
}

/// Delete a rule of retention
///
/// What it removed stays removed.
#[utoipa::path(delete, path = "/api/v1/retention/rules/{name}", tag = "retention",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 204, description = "It is gone")))]
async fn delete_retention_rule(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<StatusCode, Problem> {
    engine.delete_retention_rule(caller.context(), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a rule would remove
///
/// Changes nothing.
#[utoipa::path(post, path = "/api/v1/retention/preview", tag = "retention",
    request_body = RetentionRuleWish,
    responses((status = 200, description = "What it would remove now", body = RetentionPreview)))]
async fn preview_retention(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<RetentionRuleWish>,
) -> Result<Json<RetentionPreview>, Problem> {
    let preview = engine.preview_retention(caller.context(), &wish.draft(None)).await?;
    Ok(Json(preview.into()))
}

/// Runs of rules of retention
#[utoipa::path(get, path = "/api/v1/retention/runs", tag = "retention",
    responses((status = 200, description = "The newest runs", body = Page<RetentionRun>)))]
async fn list_retention_runs(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<Page<RetentionRun>>, Problem> {
    let runs = engine.retention_runs(caller.context(), RUNS).await?;
    Ok(Json(Page::whole(runs.into_iter().map(RetentionRun::from).collect())))
}

/// Follow all rules of retention now
#[utoipa::path(post, path = "/api/v1/retention/runs", tag = "retention",
    responses((status = 202, description = "It is at work; see the job", body = Queued)))]
async fn start_retention_run(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Response, Problem> {
    Ok(queued(engine.queue_retention(caller.context()).await?))
}

/// Legal holds
#[utoipa::path(get, path = "/api/v1/retention/holds", tag = "retention",
    responses((status = 200, description = "Those that last first", body = Page<LegalHold>)))]
async fn list_legal_holds(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<Page<LegalHold>>, Problem> {
    let all = engine.legal_holds(caller.context()).await?;
    Ok(Json(Page::whole(all.into_iter().map(LegalHold::from).collect())))
}

/// Place a legal hold
///
/// Nothing that it names is removed while it lasts; a run that is at work stops at it. A
/// certificate that nobody knows is refused; a filter may name what is still to come.
#[utoipa::path(post, path = "/api/v1/retention/holds", tag = "retention",
    request_body = LegalHoldWish,
    responses((status = 201, description = "The hold", body = LegalHold)))]
async fn place_legal_hold(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<LegalHoldWish>,
) -> Result<Response, Problem> {
    let draft = HoldDraft {
        name: wish.name,
        filter: wish.filter,
        certificate: wish.certificate,
        reason: wish.reason,
    };
    let placed = engine.place_legal_hold(caller.context(), draft).await?;
    let location = located(&format!("/api/v1/retention/holds/{}", placed.hold.name));
    Ok((StatusCode::CREATED, location, Json(LegalHold::from(placed))).into_response())
}

/// A legal hold
#[utoipa::path(get, path = "/api/v1/retention/holds/{name}", tag = "retention",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "The hold", body = LegalHold)))]
async fn legal_hold(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<LegalHold>, Problem> {
    Ok(Json(engine.legal_hold(caller.context(), &name).await?.into()))
}

/// End a legal hold
#[utoipa::path(post, path = "/api/v1/retention/holds/{name}/release", tag = "retention",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 204, description = "It has ended")))]
async fn release_legal_hold(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<StatusCode, Problem> {
    engine.release_legal_hold(caller.context(), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
