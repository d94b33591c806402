//! API tokens.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chancery_engine::access::{NewToken, TokenView};
use chancery_engine::{Engine, Permission};
use chancery_event::Timestamp;
use chancery_event::id::TokenId;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::Operations;
use super::listing::{FilterParams, Page, Place};
use super::upload::located;
use crate::edge::{Caller, Json, Params, PathOf, Problem, Unrepeatable};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::OwnWrite, routes!(list_tokens));
    operations.any(Permission::OwnWrite, routes!(read_token));
    operations.any(Permission::OwnWrite, routes!(create_token));
    operations.any(Permission::OwnWrite, routes!(revoke_token));
}

/// A token, without its secret.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Token {
    /// Its identifier.
    id: String,
    /// What it is for.
    name: String,
    /// The account it acts for.
    account: String,
    /// Login name of that account.
    account_name: String,
    /// Its role.
    role: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    used_at: Option<Timestamp>,
}

impl Token {
    /// The columns of a table of them.
    pub(super) const COLUMNS: &[&str] = &[
        "id",
        "name",
        "account",
        "account_name",
        "role",
        "created_at",
        "expires_at",
        "revoked_at",
        "used_at",
    ];
}

impl From<TokenView> for Token {
    fn from(view: TokenView) -> Self {
        Self {
            id: view.id.to_string(),
            name: view.name,
            account: view.account.to_string(),
            account_name: view.account_name,
            role: view.role,
            created_at: view.created_at,
            expires_at: view.expires_at,
            revoked_at: view.revoked_at,
            used_at: view.used_at,
        }
    }
}

/// A token to be made.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "nightly import", "role": "operator", "days": 90 }))]
struct TokenWish {
    /// What it is for.
    name: String,
    /// Identifier of the account it acts for; one's own unless told otherwise.
    #[serde(default)]
    account: Option<String>,
    /// `administrator`, `operator`, `auditor` or `viewer`; that of the account unless told
    /// otherwise.
    #[serde(default)]
    role: Option<String>,
    /// How long it lives, in days, 1 to 366.
    days: u32,
}

/// A token that was just made.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct MadeToken {
    /// Its identifier.
    id: String,
    /// The token itself; told this once.
    token: String,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Tokens
///
/// All of them for those with `account:read`, one's own for others.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "access", params(FilterParams),
    responses((status = 200, description = "Newest first", body = Page<Token>)))]
async fn list_tokens(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<FilterParams>,
) -> Result<Response, Problem> {
    let tokens = engine.find_tokens(caller.context(), params.filter()).await?;
    let place = |token: &Token| Place::newest_first(token.created_at, &token.id);
    Ok(params.page(tokens.into_iter().map(Token::from), place)?.answer(&uri))
}

/// One token
///
/// One's own; others' with `account:read`.
#[utoipa::path(get, path = "/api/v1/tokens/{id}", tag = "access",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The token, without its secret", body = Token)))]
async fn read_token(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<TokenId>,
) -> Result<Json<Token>, Problem> {
    let tokens = engine.tokens(caller.context()).await?;
    let found = tokens.into_iter().find(|token| token.id == id).ok_or_else(Problem::not_found)?;
    Ok(Json(found.into()))
}

/// Make a token
///
/// For oneself; for other accounts with `account:write`. Its role is never more than the account's
/// nor the caller's. The answer is the only place where the token is ever told.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "access",
    request_body = TokenWish,
    responses((status = 201, description = "The token", body = MadeToken)))]
async fn create_token(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<TokenWish>,
) -> Result<Response, Problem> {
    let TokenWish { name, account, role, days } = wish;
    let new = NewToken { name, account, role, days };
    let made = engine.create_token(caller.context(), new).await?;
    let body = MadeToken {
        id: made.id.to_string(),
        token: made.secret.expose().clone(),
        expires_at: made.expires_at,
    };
    let location = located(&format!("/api/v1/tokens/{}", made.id));
    let mut response = (StatusCode::CREATED, location, Json(body)).into_response();
    response.extensions_mut().insert(Unrepeatable);
    Ok(response)
}

/// Revoke a token
///
/// One's own; others' with `account:write`.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "access",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 204, description = "It is revoked")))]
async fn revoke_token(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<TokenId>,
) -> Result<StatusCode, Problem> {
    engine.revoke_token(caller.context(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
