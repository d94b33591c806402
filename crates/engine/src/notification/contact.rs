//! Contact data: how accounts and groups are reached, and who belongs to a group.
//!
//! Everybody sets their own. What is set may name people: events say that it changed, and keep the
//! values in their erasable part.

use chancery_event::id::{AccountId, GroupId};
use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind};
use chancery_store::table::account;
use chancery_store::table::contact as table;
use chancery_store::table::label::{self, Class as Label};
use chancery_store::table::notice;
use serde_json::Value;

use super::profile::is_address;
use super::quiet::Quiet;
use crate::configuration::Changes;
use crate::operation::Done;
use crate::reaction::body::Body;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// Longest chat handle, in characters.
const CHAT_MAX: usize = 100;
/// Members of a group at most.
const MEMBERS_MAX: usize = 2_000;

/// How somebody is reached.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contact {
    /// A mail address: instead of the account's own; of a group its list.
    pub email: Option<String>,
    /// How chats mention them, such as `<@U024BE7LH>`.
    pub chat: Option<String>,
    /// Their own quiet hours, as in a profile; null: none.
    pub quiet_hours: Value,
}

/// A group's contact data with its members.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupContact {
    /// Its list and its chat.
    pub contact: Contact,
    /// Identifiers and login names of its members.
    pub members: Vec<(AccountId, String)>,
}

/// An address that a mail server refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedAddress {
    /// The address.
    pub address: String,
    /// Since when.
    pub since: chancery_event::Timestamp,
    /// How often.
    pub refusals: i64,
    /// By the server of which channel.
    pub channel: String,
    /// What came back.
    pub error: String,
}

impl Contact {
    fn of(row: Option<table::Contact>) -> Self {
        row.map_or_else(Self::default, |row| Self {
            email: row.email,
            chat: row.chat,
            quiet_hours: serde_json::from_str(&row.quiet).unwrap_or(Value::Null),
        })
    }

    /// The row, checked.
    fn row(
        &self,
        kind: &str,
        id: &str,
        now: chancery_event::Timestamp,
    ) -> Result<table::Contact, Error> {
        let given = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let (email, chat) = (given(&self.email), given(&self.chat));
        if email.as_deref().is_some_and(|email| !is_address(email)) {
            return Err(Error::invalid("email", "an address such as ada@example.org"));
        }
        let wrong =
            |chat: &str| chat.chars().count() > CHAT_MAX || chat.chars().any(char::is_control);
        if chat.as_deref().is_some_and(wrong) {
            return Err(Error::invalid(
                "chat",
                format!("one line of at most {CHAT_MAX} characters"),
            ));
        }
        let quiet = match &self.quiet_hours {
            Value::Null => String::new(),
            json => {
                let mut body = Body::new(json, "quiet_hours")?;
                let quiet = Quiet::read(&mut body)?;
                body.finish()?;
                quiet.to_json().to_string()
            }
        };
        Ok(table::Contact {
            kind: kind.to_owned(),
            id: id.to_owned(),
            email: email.map(|email| email.to_lowercase()),
            chat,
            quiet,
            changed_at: now,
        })
    }
}

impl Engine {
    /// How an account is reached.
    ///
    /// # Errors
    /// There is none, or the caller may see neither accounts nor this one.
    pub async fn contact(&self, context: &Context, id: AccountId) -> Result<Contact, Error> {
        if context.account_id() != Some(id) {
            context.require(Permission::AccountRead)?;
        }
        let mut link = self.link().await?;
        if account::find(&mut link, id).await?.is_none() {
            return Err(Error::not_found("account", id));
        }
        Ok(Contact::of(table::find(&mut link, "account", &id.to_string()).await?))
    }

    /// Sets how an account is reached (operation `configuration.update` of the class `contact`).
    /// Its addresses count as reachable again.
    ///
    /// # Errors
    /// There is no such account, it is somebody else's, or a member cannot be accepted.
    pub async fn set_contact(
        &self,
        context: &Context,
        id: AccountId,
        contact: Contact,
    ) -> Result<(), Error> {
        // Where notices go is for people: a token, which may have leaked, does not divert them.
        let own = context.account_id() == Some(id) && context.token_id().is_none();
        let permission = if own { Permission::OwnWrite } else { Permission::AccountWrite };
        let attempt = attempt("contact", id.to_string());
        let target = Target::new(TargetKind::Account, id);
        let operation = self.operation(context, permission, &attempt)?.about(target.clone());
        operation
            .run(move |tx, scribe| {
                let (contact, attempt, target) = (contact.clone(), attempt.clone(), target.clone());
                Box::pin(async move {
                    let Some(known) = account::find(tx, id).await? else {
                        return Err(Error::not_found("account", id));
                    };
                    let (account, id) = (id, id.to_string());
                    let before = Contact::of(table::find(tx, "account", &id).await?);
                    let row = contact.row("account", &id, scribe.now())?;
                    for address in [&row.email, &known.email].into_iter().flatten() {
                        table::accept(tx, address).await?;
                    }
                    table::put(tx, &row).await?;
                    // What waits for the end of quiet hours is decided again.
                    notice::hasten_account(tx, account, scribe.now()).await?;
                    let changes = changed(&before, &Contact::of(Some(row)));
                    let payload = types::Update { changes: changes.sealed(), ..attempt };
                    let draft = Draft::new(&payload)?.target(target);
                    Ok(Done { value: (), draft: changes.complete(draft) })
                })
            })
            .await
    }

    /// How a group is reached, and who belongs to it.
    ///
    /// # Errors
    /// There is none.
    pub async fn group_contact(
        &self,
        context: &Context,
        id: GroupId,
    ) -> Result<GroupContact, Error> {
        context.require(Permission::AccountRead)?;
        let mut link = self.link().await?;
        let id = id.to_string();
        if label::find(&mut link, Label::Group, &id).await?.is_none() {
            return Err(Error::not_found("group", id));
        }
        let mut members = Vec::new();
        for account in table::members_of(&mut link, &id).await? {
            if let Some(found) = account::find(&mut link, account).await? {
                members.push((account, found.name));
            }
        }
        members.sort_by(|a, b| a.1.cmp(&b.1));
        let contact = Contact::of(table::find(&mut link, "group", &id).await?);
        Ok(GroupContact { contact, members })
    }

    /// Sets how a group is reached, and who belongs to it, by login name (operation
    /// `configuration.update` of the class `group_contact`).
    ///
    /// # Errors
    /// There is no such group or account, or a member cannot be accepted.
    pub async fn set_group_contact(
        &self,
        context: &Context,
        id: GroupId,
        contact: Contact,
        members: Vec<String>,
    ) -> Result<(), Error> {
        let attempt = attempt("group_contact", id.to_string());
        let target = Target::new(TargetKind::Group, id);
        let operation = self
            .operation(context, Permission::ConfigurationWrite, &attempt)?
            .about(target.clone());
        operation
            .run(move |tx, scribe| {
                let (contact, attempt, target) = (contact.clone(), attempt.clone(), target.clone());
                let members = members.clone();
                Box::pin(async move {
                    let id = id.to_string();
                    if label::find(tx, Label::Group, &id).await?.is_none() {
                        return Err(Error::not_found("group", id));
                    }
                    if members.len() > MEMBERS_MAX {
                        let message = format!("at most {MEMBERS_MAX} members");
                        return Err(Error::invalid("members", message));
                    }
                    let mut accounts = Vec::with_capacity(members.len());
                    for name in &members {
                        let found = account::by_name(tx, name).await?;
                        let missing = || format!("there is no account “{name}”");
                        let found = found.ok_or_else(|| Error::invalid("members", missing()))?;
                        accounts.push(found.id);
                    }
                    let before = Contact::of(table::find(tx, "group", &id).await?);
                    let row = contact.row("group", &id, scribe.now())?;
                    if let Some(address) = &row.email {
                        table::accept(tx, address).await?;
                    }
                    if let Some(address) = &before.email {
                        notice::hasten_address(tx, address, scribe.now()).await?;
                    }
                    table::put(tx, &row).await?;
                    let was = table::members_of(tx, &id).await?.len();
                    table::set_members(tx, &id, &accounts).await?;
                    let mut changes = changed(&before, &Contact::of(Some(row)));
                    changes.note("members", was.into(), accounts.len().into());
                    let payload = types::Update { changes: changes.sealed(), ..attempt };
                    let draft = Draft::new(&payload)?.target(target);
                    Ok(Done { value: (), draft: changes.complete(draft) })
                })
            })
            .await
    }

    /// Mail addresses that a server refused for good.
    ///
    /// # Errors
    /// The caller may not see accounts.
    pub async fn refused_addresses(&self, context: &Context) -> Result<Vec<RefusedAddress>, Error> {
        context.require(Permission::AccountRead)?;
        let rows = table::refused(&mut self.link().await?).await?;
        let shown = |row: table::Refused| RefusedAddress {
            address: row.address,
            since: row.refused_since,
            refusals: row.refusals,
            channel: row.channel,
            error: row.error,
        };
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Lets mail go again to an address that was refused for good (operation
    /// `configuration.delete` of the class `refused_address`): its mailbox was put right. The
    /// address is in the erasable part of the event.
    ///
    /// # Errors
    /// The caller may not change accounts, or the address is not refused.
    pub async fn clear_refused_address(
        &self,
        context: &Context,
        address: &str,
    ) -> Result<(), Error> {
        let attempt = types::Delete {
            class: "refused_address".into(),
            object_id: None,
            object_name: None,
            certificates: None,
        };
        let operation = self.operation(context, Permission::AccountWrite, &attempt)?;
        let address = address.trim().to_lowercase();
        operation
            .run(move |tx, _| {
                let (address, attempt) = (address.clone(), attempt.clone());
                Box::pin(async move {
                    if !table::accept(tx, &address).await? {
                        return Err(Error::not_found("refused address", &address));
                    }
                    let mut draft = Draft::new(&attempt)?;
                    draft.personal.insert("address".to_owned(), address.into());
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}

fn attempt(class: &'static str, id: String) -> types::Update {
    types::Update {
        class: class.into(),
        object_id: Some(id),
        object_name: None,
        changes: Vec::new(),
    }
}

fn changed(before: &Contact, after: &Contact) -> Changes {
    let mut changes = Changes::default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (old, new) = (text(&before.email), text(&after.email));
    changes.note_private("email", &old, &new);
    changes.note_private("chat", &text(&before.chat), &text(&after.chat));
    let (old, new) = (before.quiet_hours.to_string(), after.quiet_hours.to_string());
    changes.note("quiet_hours", old.into(), new.into());
    changes
}
