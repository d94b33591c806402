//! What somebody wants a destination to be, checked as it will be used: by its sender, and by where
//! its hosts lead. Nothing is written here.
//!
//! Secrets stay with the receiver that they were given for: whoever may change an address need not
//! be the one who knows them.

use std::sync::Arc;

use chancery_store::Link;
use chancery_store::table::{attribute, destination};
use serde_json::Value;

use super::change::{DestinationEdit, Generated};
use super::definition::Definition;
use super::{Address, Checked, Class, Secrets};
use crate::configuration::Changes;
use crate::net::NetError;
use crate::reaction::field;
use crate::reaction::reference::Named;
use crate::{Engine, Error};

/// Largest body, in bytes of JSON.
const BODY_MAX: usize = 65_536;
/// Largest secret, in bytes.
const SECRET_MAX: usize = 32_768;
/// Members that may name people or repeat what they wrote.
const PRIVATE: [&str; 4] = ["title", "description", "select", "settings"];

/// Secrets that stay with us; all others are sent.
const STAY: [&str; 5] =
    ["signing", "signing_previous", "signing_previous_until", "payload_key", "client_key"];
/// Settings that say whom secrets are sent to, and how, beside the address.
const TRUSTED: [&str; 4] = ["ca", "username", "security", "tls"];

/// What is ready to be written.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) definition: Definition,
    pub(super) secrets: Secrets,
    pub(super) sealed: Option<Vec<u8>>,
    pub(super) given: Vec<String>,
    pub(super) generated: Generated,
}

impl Engine {
    /// Refuses that secrets which are sent follow an address that somebody changed: whoever may
    /// change it need not be the one who knows them.
    pub(super) fn keeps_secrets(
        &self,
        old: &Address,
        new: &Prepared,
        edit: &DestinationEdit,
    ) -> Result<(), Error> {
        let sender = self.senders()?;
        let receiver = |definition: &Definition, secrets: &Secrets| {
            let checked = sender.check(definition, &mut secrets.clone()).ok()?;
            let hosts: Vec<_> = checked.hosts.into_iter().map(|(_, h, port)| (h, port)).collect();
            let scheme = checked.endpoint.split("://").next().map(str::to_owned);
            let trusted = TRUSTED.map(|name| definition.settings.get(name).cloned());
            Some((hosts, scheme, trusted))
        };
        let before = receiver(&old.definition, &old.secrets);
        if before.is_some() && before == receiver(&new.definition, &new.secrets) {
            return Ok(());
        }
        let kept = |name: &String| {
            !STAY.contains(&name.as_str())
                && !edit.secrets.contains_key(name)
                && new.secrets.find(name).is_some()
        };
        match old.secrets.names().into_iter().find(kept) {
            None => Ok(()),
            Some(name) => Err(Error::invalid(
                format!("secrets/{name}"),
                "it was given for another receiver: give it once more",
            )),
        }
    }

    /// Asks a receiver whether it wants what it will be sent, where its kind has a way to ask.
    pub(super) async fn ask_receiver(&self, address: Address) -> Result<(), Error> {
        let challenge = crate::access::random_text(self.environment());
        let asked = self.senders()?.verify(Arc::new(address), challenge).await;
        asked.map_err(|error| Error::invalid("settings/url", error.message))
    }

    /// Checks a definition as it will be used: by its sender, and by where its hosts lead.
    pub(super) async fn prepare(
        &self,
        class: Class,
        name: &str,
        edit: &DestinationEdit,
        mut secrets: Secrets,
        leads_elsewhere: bool,
    ) -> Result<Prepared, Error> {
        if edit.body.to_string().len() > BODY_MAX {
            return Err(Error::invalid("body", format!("at most {BODY_MAX} bytes")));
        }
        let definition = Definition::read(&edit.body)?;
        let attributes = attribute::all(&mut self.link().await?).await?;
        definition.select.check_filter(&attributes)?;
        if class == Class::Channel {
            definition.check_channel()?;
        }
        let sender = self.senders()?;
        if !sender.kinds().contains(&definition.kind.as_str()) {
            let message = format!("one of {}", sender.kinds().join(", "));
            return Err(Error::invalid("kind", message));
        }
        for (secret, value) in &edit.secrets {
            if value.len() > SECRET_MAX {
                let message = format!("at most {SECRET_MAX} bytes");
                return Err(Error::invalid(format!("secrets/{secret}"), message));
            }
            secrets.set(secret, value);
        }
        let before = secrets.names();
        let checked: Checked = sender.check(&definition, &mut secrets)?;
        if leads_to_intake(&checked.endpoint, &self.settings().public_url) {
            let member = checked.hosts.first().map_or("settings/url", |(member, ..)| member);
            let message = "it leads back to this server: every event would come in again";
            return Err(Error::invalid(member, message));
        }
        let network = sender.network();
        for (member, host, _) in checked.hosts.iter().filter(|_| leads_elsewhere) {
            network
                .addresses(host)
                .await
                .map_err(|error: NetError| Error::invalid(member.clone(), error.to_string()))?;
        }
        let made = secrets.names().into_iter().filter(|name| !before.contains(name));
        let generated =
            made.filter_map(|name| Some((name.clone(), secrets.find(&name)?.to_owned()))).collect();
        let sealed = secrets.sealed(&self.0.secrets_key, name, self.environment())?;
        let given = edit.secrets.keys().cloned().collect();
        Ok(Prepared { definition, secrets, sealed, given, generated })
    }
}

/// Whether a receiver is a source of this server itself, by the address that people reach it at.
fn leads_to_intake(endpoint: &str, public_url: &str) -> bool {
    let own = format!("{}/intake/", public_url.trim_end_matches('/')).to_lowercase();
    endpoint.to_lowercase().starts_with(&own)
}

impl Prepared {
    /// The destination as its sender will see it.
    pub(super) fn address(&self, name: &str) -> Address {
        Address {
            name: name.to_owned(),
            version: 0,
            definition: self.definition.clone(),
            secrets: self.secrets.clone(),
            made: super::Made::default(),
        }
    }
}

/// Refuses what only the other class can be. Mail of a forwarder has the recipients that its
/// settings name; mail of a channel has those of each message.
pub(super) fn check_recipients(class: Class, definition: &Definition) -> Result<(), Error> {
    let mode = definition.settings.get("mode").and_then(Value::as_str);
    if class == Class::Channel && definition.kind == "servicenow" && mode == Some("akeyless") {
        let message = "this endpoint takes events, and a channel carries messages";
        return Err(Error::invalid("settings/mode", message));
    }
    let named = definition.settings.get("to").is_some_and(|to| match to {
        serde_json::Value::Array(list) => !list.is_empty(),
        serde_json::Value::String(text) => !text.trim().is_empty(),
        _ => false,
    });
    if class == Class::Forwarder && definition.kind == "email" && !named {
        return Err(Error::invalid("settings/to", "at least one mail address is needed"));
    }
    Ok(())
}

/// The forwarders whose filter asks for something by its name, in words.
pub(crate) async fn filtering_by(link: &mut Link, named: &Named<'_>) -> Result<Vec<String>, Error> {
    let mut users = Vec::new();
    for row in destination::all(link, Some(Class::Forwarder.as_str())).await? {
        let version = destination::version(link, &row.name, row.version).await?;
        let body = version.and_then(|version| serde_json::from_str(&version.body).ok());
        let Some(definition): Option<Definition> = body else { continue };
        let filter = definition.select.read_filter(&field::all(named.attributes));
        if filter.is_ok_and(|filter| named.is_asked_for(&filter, "object.")) {
            users.push(format!("forwarder “{}”", row.name));
        }
    }
    Ok(users)
}

/// What changed, for the event: never a secret, and what may be about people apart.
pub(super) fn changes(
    old: Option<&Address>,
    new: Option<&Prepared>,
    was: Option<bool>,
    is: Option<bool>,
) -> Changes {
    let members = |body: Option<Value>| body.and_then(|body| body.as_object().cloned());
    let before = members(old.map(|old| old.definition.body())).unwrap_or_default();
    let after = members(new.map(|new| new.definition.body())).unwrap_or_default();
    let mut changes = Changes::default();
    changes.note("enabled", was.into(), is.into());
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let text = |value: Option<&Value>| match value {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        let (old, new) = (text(before.get(name)), text(after.get(name)));
        if PRIVATE.contains(&name.as_str()) {
            changes.note_private(name, &old, &new);
        } else {
            changes.note(name, old.into(), new.into());
        }
    }
    let old = old.map(|old| old.secrets.names()).unwrap_or_default();
    let names = new.map(|new| new.secrets.names()).unwrap_or_default();
    changes.note("secrets", old.into(), names.into());
    let given = new.map(|new| new.given.clone()).unwrap_or_default();
    changes.note("secrets_set", Value::Null, given.into());
    changes
}
