//! What forwarders and channels share: both are destinations, each behind addresses of its own.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_engine::Engine;
use chancery_engine::delivery::{Class, DestinationEdit, Saved, Sent};
use chancery_event::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::listing::Page;
use super::upload::located;
use super::version;
use crate::edge::{Caller, Json, Problem, Unrepeatable};

/// What became of saving.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct SavedDestination {
    /// Its name.
    name: String,
    /// The version that counts now.
    version: i64,
    /// Secrets that were made here, such as `signing`: told this once.
    generated: BTreeMap<String, String>,
}

impl SavedDestination {
    pub(super) fn of(name: &str, saved: Saved) -> Self {
        let generated = saved.generated.into_iter().collect();
        Self { name: name.to_owned(), version: saved.version, generated }
    }
}

/// One version of a destination.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct DestinationVersion {
    /// Its number.
    version: i64,
    /// Whether it was to send.
    enabled: bool,
    /// What it said; null in the version that deleted it.
    #[schema(value_type = Option<Object>)]
    body: Value,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Identifier of the account that made it.
    created_by: Option<String>,
}

impl From<(i64, bool, Value, Timestamp, Option<String>)> for DestinationVersion {
    fn from(
        (version, enabled, body, created_at, created_by): (
            i64,
            bool,
            Value,
            Timestamp,
            Option<String>,
        ),
    ) -> Self {
        Self { version, enabled, body, created_at, created_by }
    }
}

/// On or off.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    /// Whether it is to send.
    pub(super) enabled: bool,
}

/// What came of a trial.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Trial {
    /// Whether it got through.
    delivered: bool,
    /// Status of the answer.
    status: Option<u16>,
    /// Why it failed, in one word.
    failure: Option<&'static str>,
    /// The same in a sentence.
    error: Option<String>,
    /// Head of what was sent, secrets left out.
    #[schema(value_type = Object)]
    request: Value,
    /// Head of what came back; never its body.
    #[schema(value_type = Object)]
    response: Value,
}

impl From<Sent> for Trial {
    fn from(sent: Sent) -> Self {
        Self {
            delivered: sent.failure.is_none(),
            status: sent.status,
            failure: sent.failure.as_ref().map(|failure| failure.word),
            error: sent.failure.map(|failure| failure.message),
            request: sent.request,
            response: sent.response,
        }
    }
}

/// How a secret is replaced.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// Hours for which the old secret signs as well, 0 to 720.
    #[serde(default = "overlap")]
    pub(super) overlap_hours: u32,
}

fn overlap() -> u32 {
    24
}

/// Since when.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecoverWish {
    /// Deliveries made at this time or later.
    #[schema(value_type = String, format = DateTime)]
    pub(super) since: Timestamp,
}

/// How many.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Recovered {
    /// Deliveries that were put back.
    pub(super) deliveries: u64,
}

/// Makes a destination; `folder` is where those of its class are.
pub(super) async fn create(
    engine: &Engine,
    caller: &Caller,
    class: Class,
    folder: &str,
    name: &str,
    edit: DestinationEdit,
) -> Result<Response, Problem> {
    let saved = engine.create_destination(caller.context(), class, name, edit).await?;
    let place = located(&format!("/api/v1/{folder}/{name}"));
    Ok((StatusCode::CREATED, place, told_once(name, saved)).into_response())
}

/// Changes a destination, if it still has the version that was read.
pub(super) async fn update(
    engine: &Engine,
    caller: &Caller,
    class: Class,
    name: &str,
    headers: &HeaderMap,
    version: Option<i64>,
    edit: DestinationEdit,
) -> Result<Response, Problem> {
    let condition = version::if_match(headers)?;
    let saved = engine
        .update_destination(caller.context(), class, name, condition.or(version), edit)
        .await
        .map_err(|error| Problem::from(error).under_condition(condition.is_some()))?;
    Ok(told_once(name, saved))
}

/// Replaces the signing secret of a destination.
pub(super) async fn rotate(
    engine: &Engine,
    caller: &Caller,
    class: Class,
    name: &str,
    rotation: &Rotation,
) -> Result<Response, Problem> {
    let hours = rotation.overlap_hours;
    let saved = engine.rotate_signing_secret(caller.context(), class, name, hours).await?;
    Ok(told_once(name, saved))
}

/// The versions of a destination, newest first.
pub(super) async fn versions(
    engine: &Engine,
    caller: &Caller,
    class: Class,
    name: &str,
) -> Result<Json<Page<DestinationVersion>>, Problem> {
    let versions = engine.destination_versions(caller.context(), class, name).await?;
    Ok(Json(Page::whole(versions.into_iter().map(DestinationVersion::from).collect())))
}

/// An answer that may hold a secret.
fn told_once(name: &str, saved: Saved) -> Response {
    let mut response = Json(SavedDestination::of(name, saved)).into_response();
    response.extensions_mut().insert(Unrepeatable);
    response
}
