//! The caller's own account.

use axum::extract::State;
use axum::http::StatusCode;
use chancery_engine::{Engine, Permission, Secret};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::Operations;
use crate::edge::{Caller, Json, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::OwnWrite, routes!(read_me));
    operations.any(Permission::OwnWrite, routes!(change_password));
    operations.any(Permission::OwnWrite, routes!(confirm_session));
}

/// Who the caller is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Me {
    /// Identifier of the account.
    id: String,
    /// Login name.
    name: String,
    /// What people call it.
    display_name: String,
    /// The role under which this request acts.
    role: &'static str,
    /// What that role may do.
    permissions: Vec<&'static str>,
    /// `password` (a browser session) or `token`.
    authentication: String,
    /// The password must be changed first.
    must_change: bool,
}

/// A new password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The present password.
    present_password: String,
    /// The new one, at least 12 characters.
    password: String,
}

/// The password, given once more.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    /// One's password.
    password: String,
}

/// Who am I
#[utoipa::path(get, path = "/api/v1/me", tag = "access",
    responses((status = 200, description = "The caller", body = Me)))]
async fn read_me(caller: Caller) -> Result<Json<Me>, Problem> {
    let identity = caller.identity().ok_or_else(Problem::unauthenticated)?;
    let permissions = Permission::ALL.iter().filter(|&&permission| identity.role.may(permission));
    let authentication = caller.context().authentication.as_ref();
    Ok(Json(Me {
        id: identity.account.to_string(),
        name: identity.name.clone(),
        display_name: identity.display_name.clone(),
        role: identity.role.as_str(),
        permissions: permissions.map(|permission| permission.as_str()).collect(),
        authentication: authentication.map(|how| how.method.to_string()).unwrap_or_default(),
        must_change: identity.must_change,
    }))
}

/// Change my password
///
/// Ends one's other sessions.
#[utoipa::path(post, path = "/api/v1/me/password", tag = "access",
    request_body = PasswordChange,
    responses((status = 204, description = "It is changed")))]
async fn change_password(
    State(engine): State<Engine>,
    caller: Caller,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let present = Secret::new(change.present_password);
    engine.change_own_password(caller.context(), present, Secret::new(change.password)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Confirm my session
///
/// What gives power away (tokens, accounts, roles, passwords of others, what others see) asks a
/// session for the password again when it was given some minutes ago, with the problem
/// `confirmation_due`. Tokens are not asked.
#[utoipa::path(post, path = "/api/v1/me/confirmation", tag = "access",
    request_body = Confirmation,
    responses((status = 204, description = "It is confirmed")))]
async fn confirm_session(
    State(engine): State<Engine>,
    caller: Caller,
    Json(given): Json<Confirmation>,
) -> Result<StatusCode, Problem> {
    engine.confirm_session(caller.context(), Secret::new(given.password)).await?;
    Ok(StatusCode::NO_CONTENT)
}
