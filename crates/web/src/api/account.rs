//! Accounts.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chancery_engine::access::{AccountChange, AccountView, NewAccount};
use chancery_engine::{Engine, Permission, Secret};
use chancery_event::Timestamp;
use chancery_event::id::AccountId;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use super::listing::{FilterParams, Page, Place};
use super::upload::located;
use super::wire::{clearable, clearable_time};
use super::{Operations, version};
use crate::edge::{Caller, Json, Params, PathOf, Problem, Unrepeatable};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::AccountRead, routes!(list_accounts));
    operations.any(Permission::AccountRead, routes!(read_account));
    operations.any(Permission::AccountWrite, routes!(create_account));
    operations.any(Permission::AccountWrite, routes!(update_account));
    operations.any(Permission::AccountWrite, routes!(delete_account));
    operations.any(Permission::AccountWrite, routes!(unlock_account));
    operations.any(Permission::AccountWrite, routes!(reset_password));
}

/// An account.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Account {
    /// Its identifier.
    id: String,
    /// Login name.
    #[schema(example = "alice")]
    name: String,
    /// What people call it.
    display_name: String,
    /// Mail address.
    email: Option<String>,
    /// `administrator`, `operator`, `auditor` or `viewer`.
    role: String,
    /// May not log in.
    disabled: bool,
    /// Locked until this time.
    #[schema(value_type = Option<String>, format = DateTime)]
    locked_until: Option<Timestamp>,
    /// From when on neither it nor its tokens may log in; null: it has no end.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// The password must be changed at the next login.
    must_change: bool,
    /// When the password was set.
    #[schema(value_type = Option<String>, format = DateTime)]
    password_set_at: Option<Timestamp>,
    /// From when on the password must be changed; null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    password_ends_at: Option<Timestamp>,
    /// Last successful login.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_login_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Counts changes.
    version: i64,
}

impl Account {
    /// The columns of a table of them.
    pub(super) const COLUMNS: &[&str] = &[
        "id",
        "name",
        "display_name",
        "email",
        "role",
        "disabled",
        "locked_until",
        "expires_at",
        "must_change",
        "password_set_at",
        "last_login_at",
        "created_at",
    ];
}

impl From<AccountView> for Account {
    fn from(view: AccountView) -> Self {
        Self {
            id: view.id.to_string(),
            name: view.name,
            display_name: view.display_name,
            email: view.email,
            role: view.role,
            disabled: view.disabled,
            locked_until: view.locked_until,
            expires_at: view.expires_at,
            must_change: view.must_change,
            password_set_at: view.password_set_at,
            password_ends_at: view.password_ends_at,
            last_login_at: view.last_login_at,
            created_at: view.created_at,
            version: view.version,
        }
    }
}

/// An account to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "alice", "display_name": "Alice Example", "role": "operator" }))]
struct AccountWish {
    /// Login name.
    name: String,
    /// What people call it; the login name unless told otherwise.
    #[serde(default)]
    display_name: String,
    /// Mail address.
    #[serde(default)]
    email: Option<String>,
    /// `administrator`, `operator`, `auditor` or `viewer`.
    role: String,
    /// Its password; absent: one is made and answered once.
    #[serde(default)]
    password: Option<String>,
    /// From when on it may not be used; absent: it has no end.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// An account that was just made.
#[derive(Serialize, utoipa::ToSchema)]
struct MadeAccount {
    #[serde(flatten)]
    account: Account,
    /// The password that was made; told this once, to be changed at the first login.
    #[serde(skip_serializing_if = "Option::is_none")]
    one_time_password: Option<String>,
}

/// A password that was made.
#[derive(Serialize, utoipa::ToSchema)]
struct MadePassword {
    /// Told this once, to be changed at the next login.
    one_time_password: String,
}

/// A change. What is absent stays.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "role": "auditor" }))]
struct AccountPatch {
    /// What people call it.
    display_name: Option<String>,
    /// Mail address; null clears.
    #[serde(deserialize_with = "clearable")]
    email: Option<String>,
    /// `administrator`, `operator`, `auditor` or `viewer`.
    role: Option<String>,
    /// May not log in.
    disabled: Option<bool>,
    /// From when on it may not be used; null takes the end away.
    #[serde(deserialize_with = "clearable_time")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<Timestamp>>,
    /// The version that was read; `If-Match` says the same.
    version: Option<i64>,
}

async fn one(engine: &Engine, caller: &Caller, id: AccountId) -> Result<Account, Problem> {
    let all = engine.accounts(caller.context()).await?;
    let found = all.into_iter().find(|account| account.id == id);
    found.map(Account::from).ok_or_else(Problem::not_found)
}

/// Accounts
#[utoipa::path(get, path = "/api/v1/accounts", tag = "access", params(FilterParams),
    responses((status = 200, description = "By login name", body = Page<Account>)))]
async fn list_accounts(
    State(engine): State<Engine>,
    caller: Caller,
    uri: Uri,
    Params(params): Params<FilterParams>,
) -> Result<Response, Problem> {
    let accounts = engine.find_accounts(caller.context(), params.filter()).await?;
    let items = accounts.into_iter().map(Account::from);
    Ok(params.page(items, |one: &Account| Place::named(&one.name))?.answer(&uri))
}

/// One account
#[utoipa::path(get, path = "/api/v1/accounts/{id}", tag = "access",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The account", body = Account)))]
async fn read_account(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<AccountId>,
) -> Result<Response, Problem> {
    let account = one(&engine, &caller, id).await?;
    version::tagged(&headers, account.version, &account)
}

/// Make an account
///
/// Without a password, one is made; the answer is the only place where it is ever told.
#[utoipa::path(post, path = "/api/v1/accounts", tag = "access",
    request_body = AccountWish,
    responses((status = 201, description = "The account", body = MadeAccount)))]
async fn create_account(
    State(engine): State<Engine>,
    caller: Caller,
    Json(wish): Json<AccountWish>,
) -> Result<Response, Problem> {
    let new = NewAccount {
        name: wish.name,
        display_name: wish.display_name,
        email: wish.email,
        role: wish.role,
        password: wish.password.map(Secret::new),
        expires_at: wish.expires_at,
    };
    let (id, password) = engine.create_account(caller.context(), new).await?;
    let account = one(&engine, &caller, id).await?;
    let one_time_password = password.map(|secret| secret.expose().clone());
    let is_secret = one_time_password.is_some();
    let body = Json(MadeAccount { account, one_time_password });
    let location = located(&format!("/api/v1/accounts/{id}"));
    let mut response = (StatusCode::CREATED, location, body).into_response();
    if is_secret {
        response.extensions_mut().insert(Unrepeatable);
    }
    Ok(response)
}

/// Change an account
#[utoipa::path(patch, path = "/api/v1/accounts/{id}", tag = "access",
    params(("id" = String, Path, description = "Identifier")),
    request_body = AccountPatch,
    responses((status = 200, description = "The account as it is now", body = Account)))]
async fn update_account(
    State(engine): State<Engine>,
    caller: Caller,
    headers: HeaderMap,
    PathOf(id): PathOf<AccountId>,
    Json(patch): Json<AccountPatch>,
) -> Result<Json<Account>, Problem> {
    let condition = version::if_match(&headers)?;
    let change = AccountChange {
        display_name: patch.display_name,
        email: patch.email,
        role: patch.role,
        disabled: patch.disabled,
        expires_at: patch.expires_at,
    };
    engine
        .update_account(caller.context(), id, condition.or(patch.version), change)
        .await
        .map_err(|error| Problem::from(error).under_condition(condition.is_some()))?;
    one(&engine, &caller, id).await.map(Json)
}

/// Delete an account
///
/// With its sessions, tokens and views. Its name stays in events until it is erased there.
#[utoipa::path(delete, path = "/api/v1/accounts/{id}", tag = "access",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 204, description = "It is gone")))]
async fn delete_account(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<AccountId>,
) -> Result<StatusCode, Problem> {
    engine.delete_account(caller.context(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unlock an account
///
/// Ends the lock after too many failed logins.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/unlock", tag = "access",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The account as it is now", body = Account)))]
async fn unlock_account(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<AccountId>,
) -> Result<Json<Account>, Problem> {
    engine.unlock_account(caller.context(), id).await?;
    one(&engine, &caller, id).await.map(Json)
}

/// Reset a password
///
/// Gives the account a new password, told once, and ends its sessions.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/password", tag = "access",
    params(("id" = String, Path, description = "Identifier")),
    responses((status = 200, description = "The password", body = MadePassword)))]
async fn reset_password(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<AccountId>,
) -> Result<Response, Problem> {
    let secret = engine.reset_password(caller.context(), id).await?;
    let body = MadePassword { one_time_password: secret.expose().clone() };
    let mut response = Json(body).into_response();
    response.extensions_mut().insert(Unrepeatable);
    Ok(response)
}
