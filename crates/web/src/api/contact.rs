//! How accounts and groups are reached, and who belongs to a group.

use axum::extract::State;
use axum::http::StatusCode;
use chancery_engine::notification::Contact;
use chancery_engine::{Engine, Permission};
use chancery_event::id::{AccountId, GroupId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::routes;

use super::Operations;
use crate::edge::{Caller, Json, PathOf, Problem};

/// Adds the operations.
pub(super) fn add(operations: &mut Operations<'_>) {
    operations.any(Permission::OwnWrite, routes!(read_contact));
    operations.any(Permission::OwnWrite, routes!(set_contact));
    operations.any(Permission::AccountRead, routes!(read_group_contact));
    operations.any(Permission::ConfigurationWrite, routes!(set_group_contact));
}

/// How somebody is reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "email": "ada@example.org", "chat": "<@U024BE7LH>",
    "quiet_hours": { "from": "22:00", "to": "07:00", "time_zone": "Europe/Prague",
        "except": ["critical"] } }))]
struct ContactShown {
    /// A mail address, instead of the account's own.
    email: Option<String>,
    /// How chats mention them.
    chat: Option<String>,
    /// Their own quiet hours, as in a profile.
    #[schema(value_type = Option<Object>)]
    quiet_hours: Value,
}

impl From<Contact> for ContactShown {
    fn from(contact: Contact) -> Self {
        let Contact { email, chat, quiet_hours } = contact;
        Self { email, chat, quiet_hours }
    }
}

impl From<ContactShown> for Contact {
    fn from(shown: ContactShown) -> Self {
        let ContactShown { email, chat, quiet_hours } = shown;
        Self { email, chat, quiet_hours }
    }
}

/// How an account is reached
///
/// Everybody may see their own.
#[utoipa::path(get, path = "/api/v1/accounts/{id}/contact", tag = "notifications",
    params(("id" = String, Path, description = "Identifier of the account")),
    responses((status = 200, description = "Contact data", body = ContactShown)))]
async fn read_contact(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<AccountId>,
) -> Result<Json<ContactShown>, Problem> {
    Ok(Json(engine.contact(caller.context(), id).await?.into()))
}

/// Set how an account is reached
///
/// Everybody may set their own, signed in with a browser; a token needs `account:write`.
#[utoipa::path(put, path = "/api/v1/accounts/{id}/contact", tag = "notifications",
    params(("id" = String, Path, description = "Identifier of the account")),
    request_body = ContactShown,
    responses((status = 204, description = "It was set")))]
async fn set_contact(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<AccountId>,
    Json(contact): Json<ContactShown>,
) -> Result<StatusCode, Problem> {
    engine.set_contact(caller.context(), id, contact.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How a group is reached, and who belongs to it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "email": "web-team@example.org", "members": ["ada", "grace"] }))]
struct GroupContactShown {
    /// The mail address of its list.
    email: Option<String>,
    /// How chats mention it.
    chat: Option<String>,
    /// Quiet hours of its list, as in a profile.
    #[schema(value_type = Option<Object>)]
    quiet_hours: Value,
    /// Login names of its members.
    members: Vec<String>,
}

/// How a group is reached
#[utoipa::path(get, path = "/api/v1/groups/{id}/contact", tag = "notifications",
    params(("id" = String, Path, description = "Identifier of the group")),
    responses((status = 200, description = "Contact data and members", body = GroupContactShown)))]
async fn read_group_contact(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<GroupId>,
) -> Result<Json<GroupContactShown>, Problem> {
    let found = engine.group_contact(caller.context(), id).await?;
    let members = found.members.into_iter().map(|(_, name)| name).collect();
    let Contact { email, chat, quiet_hours } = found.contact;
    Ok(Json(GroupContactShown { email, chat, quiet_hours, members }))
}

/// Set how a group is reached
#[utoipa::path(put, path = "/api/v1/groups/{id}/contact", tag = "notifications",
    params(("id" = String, Path, description = "Identifier of the group")),
    request_body = GroupContactShown,
    responses((status = 204, description = "It was set")))]
async fn set_group_contact(
    State(engine): State<Engine>,
    caller: Caller,
    PathOf(id): PathOf<GroupId>,
    Json(wish): Json<GroupContactShown>,
) -> Result<StatusCode, Problem> {
    let GroupContactShown { email, chat, quiet_hours, members } = wish;
    let contact = Contact { email, chat, quiet_hours };
    engine.set_group_contact(caller.context(), id, contact, members).await?;
    Ok(StatusCode::NO_CONTENT)
}
