//! The caller's own browser sessions.

use axum::extract::State;
use axum::http::StatusCode;
use chancery_engine::access::SessionView;
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use chancery_event::id::SessionId;
use serde::Serialize;
use utoipa_axum::routes;

use super::Operations;
use super::listing::Page;
use crate::edge::{Caller, Json, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::OwnWrite, routes!(list_sessions));
    operations.any(Permission::OwnWrite, routes!(end_session));
}

/// A browser session.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Session {
    /// Its identifier.
    id: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = String, format = DateTime)]
    seen_at: Timestamp,
    /// When it ends whatever happens.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// It is the one that asks.
    present: bool,
}

impl From<SessionView> for Session {
    fn from(view: SessionView) -> Self {
        Self {
            id: view.id.to_string(),
            created_at: view.created_at,
            seen_at: view.seen_at,
            expires_at: view.expires_at,
            present: view.present,
        }
    }
}

/// My sessions
///
/// The browser sessions of one's account that have not ended, newest first.
#[utoipa::path(get, path = "/api/v1/me/sessions", tag = "access",
    responses((status = 200, description = "Newest first", body = Page<Session>)))]
async fn list_sessions(
    State(engine): State<Engine>,
    caller: Caller,
) -> Result<Json<Page<Session>>, Problem> {
    let sessions = engine.sessions(caller.context()).await?;
    Ok(Json(Page::whole(sessions.into_iter().map(Session::from).collect())))
}

/// End a session
///
/// One's own; anybody's with `account:write`.
#[utoipa::path(delete, path = "/api/v1/me/sessions/{id}", tag = "access",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 204, description = "It has ended")))]
async fn end_session(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<SessionId>,
) -> Result<StatusCode, Problem> {
    engine.end_session(caller.context(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
