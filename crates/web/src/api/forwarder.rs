//! Forwarders: standing streams of events to other systems.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use chancery_engine::delivery::{Class, DestinationEdit, DestinationView, ForwarderAccess};
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use chancery_event::id::AccountId;
use chancery_event::sentence::sentence;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa_axum::routes;

use super::destination::{
    DestinationVersion, RecoverWish, Recovered, Rotation, SavedDestination, Switch, Trial,
};
use super::listing::{FilterParams, Page, Place};
use super::{Operations, destination, version};
use crate::edge::{Caller, Json, Params, PathOf, Problem};

const CLASS: Class = Class::Forwarder;

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::ForwarderRead, routes!(list_forwarders));
    operations.any(Permission::ForwarderWrite, routes!(create_forwarder));
    operations.any(Permission::ForwarderWrite, routes!(preview_forwarder));
    operations.any(Permission::ForwarderRead, routes!(read_forwarder));
    operations.any(Permission::ForwarderWrite, routes!(update_forwarder));
    operations.any(Permission::ForwarderWrite, routes!(delete_forwarder));
    operations.any(Permission::ForwarderRead, routes!(list_forwarder_versions));
    operations.any(Permission::ForwarderWrite, routes!(switch_forwarder));
    operations.any(Permission::ForwarderWrite, routes!(try_forwarder));
    operations.any(Permission::ForwarderWrite, routes!(rotate_forwarder_secret));
    operations.any(Permission::ForwarderWrite, routes!(replay_forwarder));
    operations.any(Permission::ForwarderWrite, routes!(recover_forwarder));
    operations.any(Permission::AccountRead, routes!(read_forwarder_access));
    operations.any(Permission::AccountWrite, routes!(set_forwarder_access));
}

/// A forwarder with how it goes.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Forwarder {
    /// Its identity; never changes.
    #[schema(example = "soc-webhook")]
    name: String,
    /// How it sends.
    #[schema(example = "webhook")]
    kind: String,
    /// Counts its changes.
    version: i64,
    /// Whether it sends.
    enabled: bool,
    /// Why it does not: `by_hand`, `failing` (for days) or `gone` (the receiver said so).
    disabled_because: Option<String>,
    /// What it says. See the guide to forwarders.
    #[schema(value_type = Object)]
    body: Value,
    /// Where it sends, without secrets.
    endpoint: String,
    /// Names of its secrets; what they are is never told.
    secrets: Vec<String>,
    /// What the receiver verifies its signatures with, where that is no secret.
    public_key: Option<String>,
    /// The next log index it has not looked at.
    next_index: u64,
    /// Entries of the log from there on.
    backlog_log: u64,
    /// Deliveries that wait.
    backlog_waiting: u64,
    /// Deliveries that were given up, and can be recovered.
    dead: u64,
    /// Age of the oldest delivery that waits, in seconds.
    lag_s: u64,
    /// When its next batch is due, if it is a periodic one.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_batch_at: Option<Timestamp>,
    /// Failed attempts in a row.
    failures: i64,
    /// When the first of them was.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// Nothing is sent before: too many attempts in a row failed.
    #[schema(value_type = Option<String>, format = DateTime)]
    paused_until: Option<Timestamp>,
    /// When something was tried last.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_attempt_at: Option<Timestamp>,
    /// When something got through last.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_success_at: Option<Timestamp>,
    /// Why the last attempt failed.
    last_error: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
}

impl Forwarder {
    /// Columns of a table of them.
    pub(super) const COLUMNS: &'static [&'static str] = &[
        "name",
        "kind",
        "enabled",
        "disabled_because",
        "endpoint",
        "version",
        "next_index",
        "backlog_log",
        "backlog_waiting",
        "dead",
        "lag_s",
        "failures",
        "failing_since",
        "last_attempt_at",
        "last_success_at",
        "last_error",
        "created_at",
        "changed_at",
    ];
}

impl From<DestinationView> for Forwarder {
    fn from(view: DestinationView) -> Self {
        let DestinationView { row, definition, endpoint, secrets, public_key, backlog } = view;
        Self {
            body: definition.body(),
            endpoint,
            secrets,
            public_key,
            backlog_log: backlog.log_entries,
            backlog_waiting: backlog.waiting,
            dead: backlog.dead,
            lag_s: backlog.lag_s,
            name: row.name,
            kind: row.kind,
            version: row.version,
            enabled: row.enabled,
            disabled_because: row.disabled_because,
            next_index: row.next_index.0,
            next_batch_at: row.batch_at,
            failures: row.course.failures,
            failing_since: row.course.failing_since,
            paused_until: row.course.open_until,
            last_attempt_at: row.course.last_attempt_at,
            last_success_at: row.course.last_success_at,
            last_error: row.course.last_error,
            created_at: row.created_at,
            changed_at: row.changed_at,
        }
    }
}

/// A forwarder to be made.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "soc-webhook", "body": { "kind": "webhook",
    "select": { "event_types": ["certificate.*"] },
    "settings": { "url": "https://soc.example.org/hooks/chancery" } } }))]
struct NewForwarder {
    /// Words of `a-z` and `0-9` joined by `-` or `.`.
    name: String,
    /// What it is to say.
    #[schema(value_type = Object)]
    body: Value,
    /// Secrets by name, such as `token`; they are never told again.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// Whether it sends at once.
    #[serde(default)]
    enabled: Option<bool>,
    /// The log index to begin at; absent: with what comes from now on.
    #[serde(default)]
    start: Option<u64>,
}

/// What a forwarder is to say.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ForwarderChange {
    /// What it is to say, whole.
    #[schema(value_type = Object)]
    body: Value,
    /// Secrets to set; an empty text takes one away. Others stay.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// Whether it sends; absent: as it is.
    #[serde(default)]
    enabled: Option<bool>,
    /// The version that was read; `If-Match` says the same.
    #[serde(default)]
    version: Option<i64>,
}

/// Forwarders
///
/// Those that the caller may manage; all of them for administrators and auditors.
#[utoipa::path(get, path = "/api/v1/forwarders", tag = "deliveries", params(FilterParams),
    responses((status = 200, description = "By name", body = Page<Forwarder>)))]
async fn list_forwarders(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<FilterParams>,
) -> Result<Response, Problem> {
    let views = engine.find_destinations(caller.context(), CLASS, params.filter()).await?;
    let items = views.into_iter().map(Forwarder::from);
    Ok(params.page(items, |one: &Forwarder| Place::named(&one.name))?.answer(&uri))
}

/// Make a forwarder
///
/// Addresses it names are resolved and judged as they will be when something is sent. A secret that
/// is needed and not given is made and told in the answer, once.
#[utoipa::path(post, path = "/api/v1/forwarders", tag = "deliveries",
    request_body = NewForwarder,
    responses((status = 201, description = "It was made", body = SavedDestination)))]
async fn create_forwarder(
    State(engine): State<Engine>,
    caller: Caller,
    Json(new): Json<NewForwarder>,
) -> Result<Response, Problem> {
    let edit = DestinationEdit {
        body: new.body,
        secrets: new.secrets,
        enabled: new.enabled,
        start: new.start,
    };
    destination::create(&engine, &caller, CLASS, "forwarders", &new.name, edit).await
}

/// What a selection would have got.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct SelectionWish {
    /// The body of a forwarder, saved or not; only what it selects counts.
    #[schema(value_type = Object)]
    body: Value,
}

/// How much a selection would have got of the last week.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct SelectionMatches {
    /// Events of the last 24 hours.
    last_24_hours: u64,
    /// Events of the last 7 days.
    last_7_days: u64,
    /// Everything was looked at; otherwise only what came since `since`.
    is_complete: bool,
    /// When the oldest event that was looked at came about, where not all were.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// The newest that match.
    samples: Vec<SelectedEvent>,
}

/// An event that a selection would have got.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct SelectedEvent {
    /// Its identifier.
    id: String,
    /// Its type.
    r#type: String,
    /// When it came about.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// What it says, in a sentence.
    sentence: String,
}

/// How much a forwarder would get
///
/// Asks the selection of a body about the events of the last 24 hours and 7 days. Nothing is saved
/// and nothing is sent.
#[utoipa::path(post, path = "/api/v1/deliveries/preview", tag = "deliveries",
    request_body = SelectionWish,
    responses((status = 200, description = "How many, and the newest of them", body = SelectionMatches)))]
async fn preview_forwarder(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<SelectionWish>,
) -> Result<Json<SelectionMatches>, Problem> {
    let found = engine.preview_forwarder(caller.context(), &wish.body).await?;
    let samples = found.samples.iter().map(|sealed| {
        let event = sealed.event();
        SelectedEvent {
            id: event.id.to_string(),
            r#type: event.type_name.to_string(),
            time: event.time,
            sentence: sentence(event),
        }
    });
    Ok(Json(SelectionMatches {
        last_24_hours: found.last_day,
        last_7_days: found.last_week,
        is_complete: found.is_complete,
        since: found.since,
        samples: samples.collect(),
    }))
}

/// One forwarder
#[utoipa::path(get, path = "/api/v1/forwarders/{name}", tag = "deliveries",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "The forwarder", body = Forwarder)))]
async fn read_forwarder(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(name): PathOf<String>,
) -> Result<Response, Problem> {
    let view = engine.destination(caller.context(), CLASS, &name).await?;
    version::tagged(&headers, view.row.version, &Forwarder::from(view))
}

/// Change a forwarder
///
/// The whole body is replaced; secrets that are not named stay. Its kind cannot change.
#[utoipa::path(put, path = "/api/v1/forwarders/{name}", tag = "deliveries",
    params(("name" = String, Path, description = "Name")),
    request_body = ForwarderChange,
    responses((status = 200, description = "It was changed", body = SavedDestination)))]
async fn update_forwarder(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(name): PathOf<String>,
    Json(change): Json<ForwarderChange>,
) -> Result<Response, Problem> {
    let edit = DestinationEdit {
        body: change.body,
        secrets: change.secrets,
        enabled: change.enabled,
        start: None,
    };
    destination::update(&engine, &caller, CLASS, &name, &headers, change.version, edit).await
}

/// Delete a forwarder
///
/// What waits for it is given up; its deliveries stay readable.
#[utoipa::path(delete, path = "/api/v1/forwarders/{name}", tag = "deliveries",
    params(("name" = String, Path, description = "Name")),
    responses((status = 204, description = "It is gone")))]
async fn delete_forwarder(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<StatusCode, Problem> {
    engine.delete_destination(caller.context(), CLASS, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Versions of a forwarder
#[utoipa::path(get, path = "/api/v1/forwarders/{name}/versions", tag = "deliveries",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "Newest first", body = Page<DestinationVersion>)))]
async fn list_forwarder_versions(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<Page<DestinationVersion>>, Problem> {
    destination::versions(&engine, &caller, CLASS, &name).await
}

/// Switch a forwarder on or off
///
/// Switched on, it goes on where it was: nothing is left out.
#[utoipa::path(post, path = "/api/v1/forwarders/{name}/switch", tag = "deliveries",
    params(("name" = String, Path, description = "Name")), request_body = Switch,
    responses((status = 204, description = "Done")))]
async fn switch_forwarder(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(switch): Json<Switch>,
) -> Result<StatusCode, Problem> {
    engine.switch_destination(caller.context(), CLASS, &name, switch.enabled).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try a forwarder out
///
/// Sends the newest event of the log (or a message, where people read) at once, by the same rules
/// as always, and answers what came of it.
#[utoipa::path(post, path = "/api/v1/forwarders/{name}/test", tag = "deliveries",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "What came of it", body = Trial)))]
async fn try_forwarder(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<Trial>, Problem> {
    let sent = engine.try_destination(caller.context(), CLASS, &name).await?;
    Ok(Json(sent.into()))
}

/// Replace the signing secret of a forwarder
///
/// For the hours of overlap both the old and the new one sign. The new one is told in the answer,
/// once.
#[utoipa::path(post, path = "/api/v1/forwarders/{name}/rotate-secret", tag = "deliveries",
    params(("name" = String, Path, description = "Name")), request_body = Rotation,
    responses((status = 200, description = "The new secret", body = SavedDestination)))]
async fn rotate_forwarder_secret(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(rotation): Json<Rotation>,
) -> Result<Response, Problem> {
    destination::rotate(&engine, &caller, CLASS, &name, &rotation).await
}

/// From where, and up to where.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayWish {
    /// The log index to go to.
    from_index: u64,
    /// The log index to end before; where the forwarder is now unless told otherwise.
    #[serde(default)]
    to_index: Option<u64>,
}

/// What a replay does not send.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Replay {
    /// Entries of that part of the log that left the database.
    removed: u64,
}

/// Replay the log to a forwarder
///
/// Everything of that part of the log that it selects is sent, as new deliveries; then it goes on
/// where it was. What left the database is not sent, and counted in the answer.
#[utoipa::path(post, path = "/api/v1/forwarders/{name}/replay", tag = "deliveries",
    params(("name" = String, Path, description = "Name")), request_body = ReplayWish,
    responses((status = 202, description = "It goes on from there", body = Replay)))]
async fn replay_forwarder(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(wish): Json<ReplayWish>,
) -> Result<(StatusCode, Json<Replay>), Problem> {
    let (from, to) = (wish.from_index, wish.to_index);
    let removed = engine.replay_forwarder(caller.context(), &name, from, to).await?;
    Ok((StatusCode::ACCEPTED, Json(Replay { removed })))
}

/// Recover what a forwarder gave up
///
/// Puts every dead delivery made since a time back to be sent, under its old identifier.
#[utoipa::path(post, path = "/api/v1/forwarders/{name}/recover", tag = "deliveries",
    params(("name" = String, Path, description = "Name")), request_body = RecoverWish,
    responses((status = 200, description = "How many", body = Recovered)))]
async fn recover_forwarder(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(wish): Json<RecoverWish>,
) -> Result<Json<Recovered>, Problem> {
    let deliveries = engine.recover_deliveries(caller.context(), CLASS, &name, wish.since).await?;
    Ok(Json(Recovered { deliveries }))
}

/// The forwarders that an account may manage.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Access {
    /// `none`, `named` (`names`, and those in `paths`) or `all`.
    forwarders: String,
    /// Names of forwarders.
    #[serde(default)]
    names: Vec<String>,
    /// Folders.
    #[serde(default)]
    paths: Vec<String>,
}

/// The forwarders that an account may manage
#[utoipa::path(get, path = "/api/v1/accounts/{id}/forwarder-access", tag = "access",
    params(("id" = String, Path, description = "Identifier of the account")),
    responses((status = 200, description = "What it may do", body = Access)))]
async fn read_forwarder_access(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<AccountId>,
) -> Result<Response, Problem> {
    let (found, version) = engine.forwarder_access(caller.context(), id).await?;
    let ForwarderAccess { forwarders, names, paths } = found;
    version::tagged(&headers, version, &Access { forwarders, names, paths })
}

/// Set the forwarders that an account may manage
///
/// Administrators may everything whatever is set here; viewers never manage forwarders. With
/// `If-Match`, only if nobody changed it since.
#[utoipa::path(put, path = "/api/v1/accounts/{id}/forwarder-access", tag = "access",
    params(("id" = String, Path, description = "Identifier of the account")),
    request_body = Access,
    responses((status = 204, description = "It was set")))]
async fn set_forwarder_access(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<AccountId>,
    Json(access): Json<Access>,
) -> Result<StatusCode, Problem> {
    let Access { forwarders, names, paths } = access;
    let access = ForwarderAccess { forwarders, names, paths };
    let version = version::if_match(&headers)?;
    engine
        .set_forwarder_access(caller.context(), id, version, access)
        .await
        .map_err(|error| Problem::from(error).under_condition(version.is_some()))?;
    Ok(StatusCode::NO_CONTENT)
}
