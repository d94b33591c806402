//! Sources of events of other systems.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chancery_engine::intake::{NewSource, PollView, PollWish, SourceChange, SourceView};
use chancery_engine::{Engine, Permission, Secret};
use chancery_event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::Operations;
use super::listing::Page;
use super::upload::located;
use crate::edge::{Caller, Json, PathOf, Problem, Unrepeatable};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::IntakeRead, routes!(list_intake_sources));
    operations.any(Permission::IntakeRead, routes!(read_intake_source));
    operations.any(Permission::IntakeWrite, routes!(create_intake_source));
    operations.any(Permission::IntakeWrite, routes!(update_intake_source));
    operations.any(Permission::IntakeWrite, routes!(delete_intake_source));
}

/// A system that may send its events, without its secret.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct IntakeSource {
    /// Its name; it sends to `/intake/{name}`.
    #[schema(example = "okta-production")]
    name: String,
    /// What it speaks.
    #[schema(example = "okta")]
    dialect: String,
    /// Whether it may send.
    enabled: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Events taken in.
    accepted: i64,
    /// Events that were there already.
    repeated: i64,
    /// Events taken in whose code is not known.
    unknown: i64,
    /// Bodies that could not be read.
    refused: i64,
    /// When something came last.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_at: Option<Timestamp>,
    /// What was wrong last; only for those with `personal:read`.
    last_problem: Option<String>,
    /// Lines of syslog for which there was no room.
    dropped: i64,
    /// Ranges of addresses it sends syslog from.
    addresses: Vec<String>,
    /// Client certificates it sends syslog with: SHA-256 fingerprints, or names.
    certificates: Vec<String>,
    /// What is fetched from it.
    poll: Option<Poll>,
}

/// What is fetched from a source, and how that goes.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Poll {
    /// The address of the other system.
    #[schema(example = "https://example.okta.com")]
    url: String,
    /// Its filter.
    filter: Option<String>,
    /// How often is asked, in seconds.
    every_s: u32,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// It has trust anchors of its own.
    has_ca: bool,
    /// When it is asked next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    /// When the other system last answered as it should.
    #[schema(value_type = Option<String>, format = DateTime)]
    answered_at: Option<Timestamp>,
    /// Failures in a row.
    failures: i64,
    /// Why it failed last.
    error: Option<String>,
}

impl From<PollView> for Poll {
    fn from(view: PollView) -> Self {
        Self {
            url: view.url,
            filter: view.filter,
            every_s: view.every_s,
            since: view.since,
            has_ca: view.has_ca,
            next_at: view.next_at,
            answered_at: view.answered_at,
            failures: view.failures,
            error: view.error,
        }
    }
}

/// What is to be fetched from a source that speaks okta. In a change, what is absent stays.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "url": "https://example.okta.com", "token": "00abc", "filter": "eventType sw \"pki.\"" }))]
struct PollWishWire {
    /// The address of the other system, without `/api/v1/logs`.
    url: String,
    /// Its filter (SCIM). Empty: none.
    filter: Option<String>,
    /// How often is asked: 10 to 86,400 seconds, at first 60 unless told otherwise.
    every_s: Option<u32>,
    /// Since when; a day ago unless told otherwise. Given again, it begins again there.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Trust anchors instead of the machine's, PEM. Empty: those of the machine.
    ca: Option<String>,
    /// Its API token. Kept encrypted, never shown. Absent: the one that is kept, for the same
    /// address.
    token: Option<String>,
}

impl From<PollWishWire> for PollWish {
    fn from(wire: PollWishWire) -> Self {
        Self {
            url: wire.url,
            filter: wire.filter,
            every_s: wire.every_s,
            since: wire.since,
            ca: wire.ca,
            token: wire.token.map(Secret::new),
        }
    }
}

impl From<SourceView> for IntakeSource {
    fn from(view: SourceView) -> Self {
        Self {
            name: view.name,
            dialect: view.dialect,
            enabled: view.enabled,
            created_at: view.created_at,
            accepted: view.accepted,
            repeated: view.repeated,
            unknown: view.unknown,
            refused: view.refused,
            last_at: view.last_at,
            last_problem: view.last_problem,
            dropped: view.dropped,
            addresses: view.addresses,
            certificates: view.certificates,
            poll: view.poll.map(Poll::from),
        }
    }
}

/// A source to be made.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "okta-production", "dialect": "okta" }))]
struct IntakeSourceWish {
    /// 1 to 60 lower-case letters, digits and hyphens.
    name: String,
    /// `cloudevents`, `okta`, `akeyless`, `horizon`, `czertainly`, `qcecuring`, `ocsf`, `ecs`,
    /// `cef`, `leef` or `rfc5424`.
    dialect: String,
    /// Ranges of addresses it sends syslog from, such as `10.0.0.0/8`. With `certificates`, both
    /// must fit; without either, it may send none.
    #[serde(default)]
    addresses: Vec<String>,
    /// Client certificates it sends syslog with: SHA-256 fingerprints, or common or DNS names.
    #[serde(default)]
    certificates: Vec<String>,
    /// What is fetched from it.
    poll: Option<PollWishWire>,
}

/// A change of a source. What is absent stays.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "enabled": false }))]
struct IntakeSourceChange {
    /// Whether it may send.
    enabled: Option<bool>,
    /// True: it gets a new secret, which is answered; the old one ends at once.
    #[serde(default)]
    renew_secret: bool,
    /// Ranges of addresses it sends syslog from.
    addresses: Option<Vec<String>>,
    /// Client certificates it sends syslog with.
    certificates: Option<Vec<String>>,
    /// What is fetched from it.
    poll: Option<PollWishWire>,
    /// True: nothing is fetched from it any more.
    #[serde(default)]
    stop_polling: bool,
}

/// A secret that was just made.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct IntakeSecret {
    /// The source.
    name: String,
    /// Where it sends to.
    address: String,
    /// The secret; told this once.
    secret: String,
}

/// Sources of events
#[utoipa::path(get, path = "/api/v1/intake-sources", tag = "configuration",
    responses((status = 200, description = "All sources, by name", body = Page<IntakeSource>)))]
async fn list_intake_sources(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<Page<IntakeSource>>, Problem> {
    let all = engine.intake_sources(caller.context()).await?;
    Ok(Json(Page::whole(all.into_iter().map(IntakeSource::from).collect())))
}

/// One source of events
#[utoipa::path(get, path = "/api/v1/intake-sources/{name}", tag = "configuration",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "The source", body = IntakeSource)))]
async fn read_intake_source(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<IntakeSource>, Problem> {
    let all = engine.intake_sources(caller.context()).await?;
    let found = all.into_iter().find(|source| source.name == name);
    Ok(Json(found.ok_or_else(Problem::not_found)?.into()))
}

fn secret(engine: &Engine, made: chancery_engine::intake::CreatedSource) -> IntakeSecret {
    let base = engine.settings().public_url.trim_end_matches('/').to_owned();
    IntakeSecret {
        address: format!("{base}/intake/{}", made.name),
        secret: made.secret.expose().clone(),
        name: made.name,
    }
}

/// Make a source of events
///
/// The answer is the only place where its secret is ever told.
#[utoipa::path(post, path = "/api/v1/intake-sources", tag = "configuration",
    request_body = IntakeSourceWish,
    responses((status = 201, description = "Its secret", body = IntakeSecret)))]
async fn create_intake_source(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<IntakeSourceWish>,
) -> Result<Response, Problem> {
    let new = NewSource {
        name: wish.name,
        dialect: wish.dialect,
        addresses: wish.addresses,
        certificates: wish.certificates,
        poll: wish.poll.map(PollWish::from),
    };
    let made = engine.create_intake_source(caller.context(), new).await?;
    let location = located(&format!("/api/v1/intake-sources/{}", made.name));
    let mut response = (StatusCode::CREATED, location, Json(secret(&engine, made))).into_response();
    response.extensions_mut().insert(Unrepeatable);
    Ok(response)
}

/// Change a source of events
#[utoipa::path(patch, path = "/api/v1/intake-sources/{name}", tag = "configuration",
    params(("name" = String, Path, description = "Its name")),
    request_body = IntakeSourceChange,
    responses((status = 200, description = "Its new secret", body = IntakeSecret),
        (status = 204, description = "It is changed")))]
async fn update_intake_source(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Json(change): Json<IntakeSourceChange>,
) -> Result<Response, Problem> {
    let change = SourceChange {
        enabled: change.enabled,
        renew_secret: change.renew_secret,
        addresses: change.addresses,
        certificates: change.certificates,
        poll: change.poll.map(PollWish::from),
        stop_polling: change.stop_polling,
    };
    let made = engine.update_intake_source(caller.context(), &name, change).await?;
    let Some(made) = made else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    let mut response = Json(secret(&engine, made)).into_response();
    response.extensions_mut().insert(Unrepeatable);
    Ok(response)
}

/// Delete a source of events
///
/// Its events stay.
#[utoipa::path(delete, path = "/api/v1/intake-sources/{name}", tag = "configuration",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 204, description = "It is gone")))]
async fn delete_intake_source(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<StatusCode, Problem> {
    engine.delete_intake_source(caller.context(), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
