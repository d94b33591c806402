//! Trying a destination out: one parcel at once, by the same rules as always.

use std::sync::Arc;
use std::time::Duration;

use chancery_event::id::AccountId;
use chancery_event::types::configuration as types;
use chancery_event::{EventType, LogIndex};
use chancery_store::Link;
use chancery_store::log::{self, Sealed};
use chancery_store::table::{account, attribute, contact, destination as table};
use serde_json::Value;

use super::change::ready;
use super::receipt::target;
use super::selection::{Folders, Selector, know_folders};
use super::{Address, Class, Content, Delivery, Message, Parcel, Sent};
use crate::configuration::shortened;
use crate::operation::Done;
use crate::reaction::happening::{Subject, certificate_of};
use crate::scribe::Draft;
use crate::{Context, Engine, Error};

/// Entries of the log that are looked through for an event that a forwarder selects.
const EXAMPLES_MAX: u64 = 2_048;
/// How long a trial waits for the first event to be sealed.
const FIRST: Duration = Duration::from_secs(5);
/// Addresses that one trial goes to at most.
const TRIAL_RECIPIENTS_MAX: usize = 20;

impl Engine {
    /// Sends one trial at once and answers what came of it (operation `configuration.test`).
    /// Nothing is queued. A stream gets the newest event that it selects,
    /// a channel for people a message.
    ///
    /// # Errors
    /// There is none, or the caller may not manage it. That the trial failed is in the answer.
    pub async fn try_destination(
        &self,
        context: &Context,
        class: Class,
        name: &str,
    ) -> Result<Sent, Error> {
        self.try_out(context, class, name, Vec::new()).await
    }

    /// Sends one trial message through a channel at once and answers what came of it (operation
    /// `configuration.test`). Without recipients it goes to those of the channel, or else to the
    /// caller.
    ///
    /// # Errors
    /// As [`Engine::try_destination`].
    pub async fn try_channel(
        &self,
        context: &Context,
        name: &str,
        recipients: Vec<String>,
    ) -> Result<Sent, Error> {
        self.try_out(context, Class::Channel, name, recipients).await
    }

    async fn try_out(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        recipients: Vec<String>,
    ) -> Result<Sent, Error> {
        let attempt = types::Test {
            class: class.as_str().into(),
            object_id: Some(shortened(name)),
            object_name: Some(shortened(name)),
        };
        let operation =
            self.operation(context, class.permission(), &attempt)?.about(target(&shortened(name)));
        let sent = async {
            let row = self.manageable(context, class, name).await?;
            self.may_carry(context, class).await?;
            if recipients.len() > TRIAL_RECIPIENTS_MAX {
                let message = format!("at most {TRIAL_RECIPIENTS_MAX} addresses");
                return Err(Error::invalid("recipients", message));
            }
            let sender = self.senders()?;
            let mut link = self.link().await?;
            let address = Arc::new(self.address(&mut link, &row).await?);
            let own = match context.account_id() {
                Some(id) if recipients.is_empty() => own_address(&mut link, id).await?,
                _ => None,
            };
            drop(link);
            let parcel = self.trial(&address, class, recipients, own).await?;
            let row = trial_row(name, &parcel);
            let now = self.environment().now();
            let started = std::time::Instant::now();
            let sent = sender.send(address, parcel).await;
            Ok((row, sent, now, started.elapsed()))
        };
        let (operation, (row, sent, at, took)) = ready(operation, sent.await).await?;
        let node = self.0.desk.node.to_string();
        let kept = sent.clone();
        let name = name.to_owned();
        operation
            .run(move |tx, scribe| {
                let (attempt, name, mut row) = (attempt.clone(), name.clone(), row.clone());
                let (sent, node) = (kept.clone(), node.clone());
                Box::pin(async move {
                    let kind = table::find(tx, &name).await?.map(|row| row.kind);
                    super::receipt::trial(tx, scribe, &mut row, &sent, (at, took), node, kind)
                        .await?;
                    if sent.failure.is_none() {
                        table::tested(tx, &name, at).await?;
                    }
                    let draft = Draft::new(&attempt)?.target(target(&name));
                    Ok(Done { value: (), draft: super::receipt::outcome(draft, &sent) })
                })
            })
            .await?;
        Ok(sent)
    }

    async fn trial(
        &self,
        address: &Address,
        class: Class,
        recipients: Vec<String>,
        own: Option<String>,
    ) -> Result<Parcel, Error> {
        let now = self.environment().now();
        let kind = address.definition.kind.as_str();
        let speaks = class == Class::Channel || matches!(kind, "email" | "slack" | "teams");
        let content = if speaks {
            let mut message = Message::trial(&address.name);
            message.recipients = recipients;
            if let Some(to) = address.definition.settings.get("to").and_then(Value::as_array)
                && message.recipients.is_empty()
            {
                message.recipients =
                    to.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
            }
            if kind == "email" && message.recipients.is_empty() {
                message.recipients.extend(own);
            }
            Content::Message(Box::new(message))
        } else {
            let sealed = self.example(address).await?;
            Content::Events(vec![Arc::new(sealed.without_personal())])
        };
        Ok(Parcel {
            id: self.environment().id(),
            created_at: now,
            now,
            attempt: 1,
            content,
            public_url: self.settings().public_url.clone(),
        })
    }
}

impl Engine {
    /// The newest event that a forwarder selects, of the last ones; or else the newest there is.
    ///
    /// A new installation seals its first events in a moment: that is waited for.
    async fn example(&self, address: &Address) -> Result<Sealed, Error> {
        let mut sealed = self.sealed();
        let first = tokio::time::timeout(FIRST, sealed.wait_for(|size| *size > 0));
        if !matches!(first.await, Ok(Ok(_))) {
            return Err(Error::Conflict {
                reason: "nothing_sealed",
                message: "no event is sealed yet that could be sent".to_owned(),
            });
        }
        let mut link = self.link().await?;
        let size = log::latest_index(&mut link).await?;
        let from = LogIndex(size.0.saturating_sub(EXAMPLES_MAX));
        let attributes = attribute::all(&mut link).await?;
        let selector = Selector::new(&address.definition.select, &attributes)?;
        let types: Vec<&str> = selector.types().map(EventType::name).collect();
        let limit = usize::try_from(EXAMPLES_MAX).unwrap_or(usize::MAX);
        let found = log::of_types(&mut link, (from, size), &types, limit).await?;
        let (now, mut folders) = (self.environment().now(), Folders::new());
        for sealed in found.into_iter().rev() {
            if selector.needs_folders() {
                know_folders(&mut link, sealed.event(), &mut folders).await?;
            }
            let subject = match certificate_of(sealed.event()).filter(|_| selector.needs_object()) {
                Some(id) => Subject::read(&mut link, id).await?,
                None => None,
            };
            let around = (subject.as_ref(), &folders);
            if selector.holds(sealed.event(), sealed.index(), around, now) {
                return Ok(sealed);
            }
        }
        let newest = LogIndex(size.0.saturating_sub(1));
        let sealed = log::by_index(&mut link, newest).await?;
        sealed.ok_or_else(|| Error::not_found("event", newest))
    }
}

/// Where mail for an account goes: its contact data count before the address it was made with.
async fn own_address(link: &mut Link, id: AccountId) -> Result<Option<String>, Error> {
    let contact = contact::find(link, "account", &id.to_string()).await?;
    match contact.and_then(|contact| contact.email) {
        Some(address) => Ok(Some(address)),
        None => Ok(account::find(link, id).await?.and_then(|account| account.email)),
    }
}

/// A trial as a row of its own.
fn trial_row(name: &str, parcel: &Parcel) -> Delivery {
    let (index, event_type, message) = match &parcel.content {
        Content::Events(events) => {
            let first = events.first();
            let event_type = first.map(|one| one.event().type_name.to_string());
            (first.map(|one| one.index().0), event_type, None)
        }
        Content::Message(message) => (None, None, Some(&**message)),
    };
    let content = match message {
        Some(message) => serde_json::json!({ "message": message }),
        None => serde_json::json!({ "events": index.into_iter().collect::<Vec<_>>() }),
    };
    Delivery {
        id: parcel.id,
        destination: name.to_owned(),
        reason: "test".to_owned(),
        first_index: index,
        last_index: index,
        events: u64::from(index.is_some()),
        event_type,
        content: content.to_string(),
        state: "dead".to_owned(),
        attempts: 0,
        next_at: parcel.now,
        created_at: parcel.now,
        first_attempt_at: None,
        last_attempt_at: None,
        completed_at: Some(parcel.now),
        status: None,
        error: None,
    }
}
