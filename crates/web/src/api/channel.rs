//! Channels: the means by which people are told. What forwarders and channels share stands in
//! `destination`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use chancery_engine::delivery::{Class, DestinationEdit, DestinationView};
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::destination::{
    DestinationVersion, RecoverWish, Recovered, Rotation, SavedDestination, Switch, Trial,
};
use super::listing::{FilterParams, Page, Place};
use super::{Operations, destination, version};
use crate::edge::{Caller, Json, Params, PathOf, Problem};

const CLASS: Class = Class::Channel;

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::ForwarderRead, routes!(list_channels));
    operations.any(Permission::ConfigurationWrite, routes!(create_channel));
    operations.any(Permission::ForwarderRead, routes!(read_channel));
    operations.any(Permission::ConfigurationWrite, routes!(update_channel));
    operations.any(Permission::ConfigurationWrite, routes!(delete_channel));
    operations.any(Permission::ForwarderRead, routes!(list_channel_versions));
    operations.any(Permission::ConfigurationWrite, routes!(switch_channel));
    operations.any(Permission::ConfigurationWrite, routes!(try_channel));
    operations.any(Permission::ConfigurationWrite, routes!(rotate_channel_secret));
    operations.any(Permission::ConfigurationWrite, routes!(recover_channel));
}

/// A channel with how it goes.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Channel {
    /// Its identity; never changes.
    #[schema(example = "mail")]
    name: String,
    /// How it sends: `email`, `slack`, `teams`, `webhook`, `servicenow`.
    #[schema(example = "email")]
    kind: String,
    /// Counts its changes.
    version: i64,
    /// Whether it sends.
    enabled: bool,
    /// Why it does not: `by_hand`, `failing` (for days) or `gone` (the receiver said so).
    disabled_because: Option<String>,
    /// What it says. See the guide to notifications.
    #[schema(value_type = Object)]
    body: Value,
    /// Where it sends, without secrets.
    endpoint: String,
    /// Names of its secrets; what they are is never told.
    secrets: Vec<String>,
    /// What the receiver verifies its signatures with, where that is no secret.
    public_key: Option<String>,
    /// Messages that wait.
    waiting: u64,
    /// Messages that were given up, and can be recovered.
    dead: u64,
    /// Age of the oldest message that waits, in seconds.
    lag_s: u64,
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

impl Channel {
    /// Columns of a table of them.
    pub(super) const COLUMNS: &'static [&'static str] = &[
        "name",
        "kind",
        "enabled",
        "disabled_because",
        "endpoint",
        "version",
        "waiting",
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

impl From<DestinationView> for Channel {
    fn from(view: DestinationView) -> Self {
        let DestinationView { row, definition, endpoint, secrets, public_key, backlog } = view;
        Self {
            body: definition.channel_body(),
            endpoint,
            secrets,
            public_key,
            waiting: backlog.waiting,
            dead: backlog.dead,
            lag_s: backlog.lag_s,
            name: row.name,
            kind: row.kind,
            version: row.version,
            enabled: row.enabled,
            disabled_because: row.disabled_because,
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

/// A channel to be made.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "mail", "body": { "kind": "email",
    "settings": { "server": "smtp.example.org", "from": "chancery@example.org" } } }))]
struct NewChannel {
    /// Words of `a-z` and `0-9` joined by `-` or `.`; forwarders and channels share them.
    name: String,
    /// What it is to say: `kind`, `title`, `description`, `settings`.
    #[schema(value_type = Object)]
    body: Value,
    /// Secrets by name, such as `password`; they are never told again.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// Whether it sends at once.
    #[serde(default)]
    enabled: Option<bool>,
}

/// What a channel is to say.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ChannelChange {
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

/// Channels
#[utoipa::path(get, path = "/api/v1/channels", tag = "notifications", params(FilterParams),
    responses((status = 200, description = "By name", body = Page<Channel>)))]
async fn list_channels(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<FilterParams>,
) -> Result<Response, Problem> {
    let views = engine.find_destinations(caller.context(), CLASS, params.filter()).await?;
    let items = views.into_iter().map(Channel::from);
    Ok(params.page(items, |one: &Channel| Place::named(&one.name))?.answer(&uri))
}

/// Make a channel
///
/// Addresses it names are resolved and judged as they will be when something is sent. A secret that
/// is needed and not given is made and told in the answer, once.
#[utoipa::path(post, path = "/api/v1/channels", tag = "notifications",
    request_body = NewChannel,
    responses((status = 201, description = "It was made", body = SavedDestination)))]
async fn create_channel(
    State(engine): State<Engine>,
    caller: Caller,
    Json(new): Json<NewChannel>,
) -> Result<Response, Problem> {
    let edit =
        DestinationEdit { body: new.body, secrets: new.secrets, enabled: new.enabled, start: None };
    destination::create(&engine, &caller, CLASS, "channels", &new.name, edit).await
}

/// One channel
#[utoipa::path(get, path = "/api/v1/channels/{name}", tag = "notifications",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "The channel", body = Channel)))]
async fn read_channel(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(name): PathOf<String>,
) -> Result<Response, Problem> {
    let view = engine.destination(caller.context(), CLASS, &name).await?;
    version::tagged(&headers, view.row.version, &Channel::from(view))
}

/// Change a channel
///
/// The whole body is replaced; secrets that are not named stay. Its kind cannot change.
#[utoipa::path(put, path = "/api/v1/channels/{name}", tag = "notifications",
    params(("name" = String, Path, description = "Name")),
    request_body = ChannelChange,
    responses((status = 200, description = "It was changed", body = SavedDestination)))]
async fn update_channel(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(name): PathOf<String>,
    Json(change): Json<ChannelChange>,
) -> Result<Response, Problem> {
    let edit = DestinationEdit {
        body: change.body,
        secrets: change.secrets,
        enabled: change.enabled,
        start: None,
    };
    destination::update(&engine, &caller, CLASS, &name, &headers, change.version, edit).await
}

/// Delete a channel
///
/// Refused while a notification profile names it. What waits for it is given up; its deliveries
/// stay readable.
#[utoipa::path(delete, path = "/api/v1/channels/{name}", tag = "notifications",
    params(("name" = String, Path, description = "Name")),
    responses((status = 204, description = "It is gone")))]
async fn delete_channel(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<StatusCode, Problem> {
    engine.delete_destination(caller.context(), CLASS, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Versions of a channel
#[utoipa::path(get, path = "/api/v1/channels/{name}/versions", tag = "notifications",
    params(("name" = String, Path, description = "Name")),
    responses((status = 200, description = "Newest first", body = Page<DestinationVersion>)))]
async fn list_channel_versions(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<Page<DestinationVersion>>, Problem> {
    destination::versions(&engine, &caller, CLASS, &name).await
}

/// Switch a channel on or off
///
/// Messages wait while it is off, and are sent when it is on again.
#[utoipa::path(post, path = "/api/v1/channels/{name}/switch", tag = "notifications",
    params(("name" = String, Path, description = "Name")), request_body = Switch,
    responses((status = 204, description = "Done")))]
async fn switch_channel(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(switch): Json<Switch>,
) -> Result<StatusCode, Problem> {
    engine.switch_destination(caller.context(), CLASS, &name, switch.enabled).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whom a trial is sent to.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct TrialWish {
    /// Mail addresses; empty: those of the channel, or else the caller's own.
    #[serde(default)]
    recipients: Vec<String>,
}

/// Try a channel out
///
/// Sends a message at once, by the same rules as always, and answers what came of it.
#[utoipa::path(post, path = "/api/v1/channels/{name}/test", tag = "notifications",
    params(("name" = String, Path, description = "Name")), request_body = TrialWish,
    responses((status = 200, description = "What came of it", body = Trial)))]
async fn try_channel(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(wish): Json<TrialWish>,
) -> Result<Json<Trial>, Problem> {
    let sent = engine.try_channel(caller.context(), &name, wish.recipients).await?;
    Ok(Json(sent.into()))
}

/// Replace the signing secret of a channel
///
/// For the hours of overlap both the old and the new one sign. The new one is told in the answer,
/// once.
#[utoipa::path(post, path = "/api/v1/channels/{name}/rotate-secret", tag = "notifications",
    params(("name" = String, Path, description = "Name")), request_body = Rotation,
    responses((status = 200, description = "The new secret", body = SavedDestination)))]
async fn rotate_channel_secret(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(rotation): Json<Rotation>,
) -> Result<Response, Problem> {
    destination::rotate(&engine, &caller, CLASS, &name, &rotation).await
}

/// Recover what a channel gave up
///
/// Puts every dead message made since a time back to be sent, under its old identifier.
#[utoipa::path(post, path = "/api/v1/channels/{name}/recover", tag = "notifications",
    params(("name" = String, Path, description = "Name")), request_body = RecoverWish,
    responses((status = 200, description = "How many", body = Recovered)))]
async fn recover_channel(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(wish): Json<RecoverWish>,
) -> Result<Json<Recovered>, Problem> {
    let deliveries = engine.recover_deliveries(caller.context(), CLASS, &name, wish.since).await?;
    Ok(Json(Recovered { deliveries }))
}
