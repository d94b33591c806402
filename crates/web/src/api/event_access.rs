//! Which events an account may see.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chancery_engine::history::EventAccess;
use chancery_engine::{Engine, Permission};
use chancery_event::id::AccountId;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::{Operations, version};
use crate::edge::{Caller, Json, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::AccountRead, routes!(read_event_access));
    operations.any(Permission::AccountWrite, routes!(set_event_access));
}

/// The events that an account may see.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "events": "scoped", "paths": ["/prod/web"] }))]
struct EventAccessSetting {
    /// `none`, `scoped` (`paths` and `filter`) or `all`.
    events: String,
    /// Folders: events about certificates that live in or below them.
    #[serde(default)]
    paths: Vec<String>,
    /// A filter as in the search: events that it selects, besides those of the folders.
    #[serde(default)]
    filter: String,
}

/// The events that an account may see
#[utoipa::path(get, path = "/api/v1/accounts/{id}/event-access", tag = "access",
    params(("id" = String, Path, description = "Identifier of the account")),
    responses((status = 200, description = "What it may see", body = EventAccessSetting)))]
async fn read_event_access(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<AccountId>,
) -> Result<Response, Problem> {
    let (access, version) = engine.event_access(caller.context(), id).await?;
    let EventAccess { events, paths, filter } = access;
    version::tagged(&headers, version, &EventAccessSetting { events, paths, filter })
}

/// Set the events that an account may see
///
/// It holds for its tokens as well. Administrators see everything whatever is set here. Who may not
/// see all events may not set up forwarders or try out automation either. With `If-Match`, only if
/// nobody changed it since.
#[utoipa::path(put, path = "/api/v1/accounts/{id}/event-access", tag = "access",
    params(("id" = String, Path, description = "Identifier of the account")),
    request_body = EventAccessSetting,
    responses((status = 204, description = "It was set")))]
async fn set_event_access(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<AccountId>,
    Json(setting): Json<EventAccessSetting>,
) -> Result<StatusCode, Problem> {
    let EventAccessSetting { events, paths, filter } = setting;
    let access = EventAccess { events, paths, filter };
    let version = version::if_match(&headers)?;
    engine
        .set_event_access(caller.context(), id, version, access)
        .await
        .map_err(|error| Problem::from(error).under_condition(version.is_some()))?;
    Ok(StatusCode::NO_CONTENT)
}
