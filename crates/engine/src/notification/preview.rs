//! Trying a profile or a template out: on a real past event, with the real list of recipients.
//! Nothing is queued but what is asked for.

use std::sync::Arc;

use chancery_event::id::{DeliveryId, EventId};
use chancery_event::types::configuration as types;
use chancery_event::{EventType, LogIndex};
use chancery_store::log;
use serde_json::Value;

use super::book::Profiles;
use super::compose;
use super::decide::{Case, Decision, Verdict};
use super::profile::{BELL, Profile};
use super::recipient::Directory;
use super::template::{Rendered, Template};
use super::{herald, write};
use crate::automation::{Book, Class, check};
use crate::configuration::shortened;
use crate::delivery;
use crate::operation::Done;
use crate::reaction::TriggerBody;
use crate::reaction::configuration::profiles_of;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// One recipient and channel of a preview.
#[derive(Clone, Debug)]
pub struct PreviewRow {
    /// What people call them; empty: the channel itself.
    pub name: String,
    /// Their login name's account.
    pub account: Option<chancery_event::id::AccountId>,
    /// Where mail would go.
    pub address: Option<String>,
    /// The channel.
    pub channel: String,
    /// How the profile leads there.
    pub paths: Vec<String>,
    /// `send`, `hold` or `skip`.
    pub decision: &'static str,
    /// Why it is held or skipped, in words.
    pub reason: &'static str,
    /// Until when it is held.
    pub due_at: Option<chancery_event::Timestamp>,
}

/// What a profile would make of an event.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The event it was tried on.
    pub event: EventId,
    /// Its place in the log; `None`: an example, because there is no such event yet.
    pub index: Option<LogIndex>,
    /// Its type.
    pub event_type: String,
    /// What they would read.
    pub message: Rendered,
    /// Who would be told, who not, and why.
    pub rows: Vec<PreviewRow>,
}

/// What came of a trial that was sent.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The channel.
    pub channel: String,
    /// The address it goes to.
    pub address: Option<String>,
}

impl Engine {
    /// What a profile would make of a past event: the message, and everybody who would be told or
    /// not. Without an event, of the newest one of a type that some trigger tells of through it and
    /// that the template is for, or of an example; where no trigger tells through it, of the types
    /// of the template, or else of the end of a certificate. `body` is what the profile would say
    /// if it were saved; `template` is one that is not saved.
    ///
    /// # Errors
    /// There is no such profile or event, or a body cannot be accepted.
    pub async fn preview_notification(
        &self,
        context: &Context,
        name: Option<&str>,
        body: Option<Value>,
        template: Option<Value>,
        event: Option<EventId>,
    ) -> Result<Preview, Error> {
        context.require(Permission::AutomationRead)?;
        context.require(Permission::AccountRead)?;
        self.require_all_events(context).await?;
        if body.is_some() || template.is_some() {
            // What is not saved yet is for those who may try things out.
            context.require(Permission::AutomationTry)?;
        }
        let (preview, ..) = self.previewed(name, body, template, event).await?;
        Ok(preview)
    }

    /// The profile and the template that are asked for: saved, given, or built in.
    async fn asked_for(
        &self,
        link: &mut chancery_store::Link,
        name: Option<&str>,
        body: Option<Value>,
        template: Option<Value>,
    ) -> Result<(Profile, Template), Error> {
        let around = check::surroundings(link).await?;
        let profiles = Profiles::of(&Book::read(link).await?);
        let (profile, own) = match (body, name) {
            (Some(body), _) => {
                super::check_profile(&body, &around)?;
                let profile = Profile::read(&body)?;
                let own = profile.template.as_deref().and_then(|name| profiles.template(name));
                let own = own.cloned().unwrap_or_else(Template::built_in);
                (profile, own)
            }
            (None, Some(name)) => {
                let named = profiles.find(name);
                let missing = || Error::not_found(Class::Profile.as_str(), shortened(name));
                let named = named.ok_or_else(missing)?;
                (named.profile.clone(), named.template.clone())
            }
            (None, None) => (
                Profile::read(&serde_json::json!({ "recipients": ["default"] }))?,
                Template::built_in(),
            ),
        };
        let template = match template {
            Some(body) => {
                Template::check(&body, &around.attributes)?;
                Template::read(&body)?
            }
            None => own,
        };
        Ok((profile, template))
    }

    async fn previewed(
        &self,
        name: Option<&str>,
        body: Option<Value>,
        template: Option<Value>,
        event: Option<EventId>,
    ) -> Result<(Preview, compose::Notified, Template), Error> {
        let mut link = self.link().await?;
        let (profile, template) = self.asked_for(&mut link, name, body, template).await?;
        let types = match name {
            Some(name) => types_for(&Book::read(&mut link).await?, name, &template),
            None => template.event_types.clone(),
        };
        let sealed = match event {
            Some(id) => {
                let found = log::by_id(&mut link, id).await?;
                Some(found.ok_or_else(|| Error::not_found("event", id))?)
            }
            None => newest(&mut link, &types).await?,
        };
        let now = self.environment().now();
        let directory = Directory::read(&mut link, now).await?;
        let (event, subject) = match &sealed {
            Some(sealed) => {
                let subject = herald::subject(&mut link, sealed.event()).await?;
                (sealed.event().clone(), subject)
            }
            None => {
                let event_type = types.first().copied().unwrap_or(EventType::CertificateExpiring);
                (event_type.example(), None)
            }
        };
        let case = Case {
            profile: &profile,
            directory: &directory,
            event: &event,
            subject: subject.as_ref(),
            now,
            repetition: None,
            is_urgent: false,
        };
        let decisions = case.decide();
        let first = decisions.iter().find_map(|one| one.person.as_ref());
        let names = (name.unwrap_or("new"), "preview", "preview");
        let notified = match &sealed {
            Some(sealed) => write::notified(self, names, ("", ""), sealed, subject.clone(), first),
            None => {
                let event_type = EventType::of(&event).unwrap_or(EventType::CertificateExpiring);
                compose::Notified::example(event_type)
            }
        };
        let message = compose::filled(&template, &notified)?;
        let preview = Preview {
            event: event.id,
            index: sealed.as_ref().map(log::Sealed::index),
            event_type: event.type_name.to_string(),
            message,
            rows: decisions.into_iter().map(row).collect(),
        };
        Ok((preview, notified, template))
    }

    /// The messages of a trial: channel, message, address.
    async fn trials(
        &self,
        context: &Context,
        name: &str,
        event: Option<EventId>,
    ) -> Result<Vec<(String, delivery::Message, Option<String>)>, Error> {
        context.require(Permission::AutomationWrite)?;
        self.require_all_events(context).await?;
        let (_, notified, template) = self.previewed(Some(name), None, None, event).await?;
        let mut link = self.link().await?;
        let now = self.environment().now();
        let directory = Directory::read(&mut link, now).await?;
        let profiles = Profiles::of(&Book::read(&mut link).await?);
        let named = profiles.find(name);
        let named = named.ok_or_else(|| Error::not_found("profile", shortened(name)))?;
        let own = context.account_id().and_then(|id| directory.account(id));
        let address = own.and_then(|person| person.address);
        let mut messages = Vec::new();
        for channel in super::decide::channels(&named.profile.channels, &directory) {
            if channel == BELL {
                continue;
            }
            let Some(row) = directory.channels.get(&channel) else { continue };
            if !row.enabled {
                // It would wait until somebody switches the channel on, perhaps for days.
                let message = format!("the channel {channel} is switched off");
                return Err(Error::Conflict { reason: "channel_off", message });
            }
            let whom = ["a trial".to_owned()];
            let mut message = compose::one(&template, &notified, &row.kind, &whom).message;
            message.subject = format!("Trial: {}", message.subject);
            let is_mail = row.kind == "email";
            if is_mail {
                message.recipients = address.clone().into_iter().collect();
                if message.recipients.is_empty() {
                    return Err(Error::Conflict {
                        reason: "no_address",
                        message: "your account has no mail address to send it to".to_owned(),
                    });
                }
            }
            messages.push((channel, message, address.clone().filter(|_| is_mail)));
        }
        Ok(messages)
    }

    /// Sends what a profile would make of a past event to the caller alone, through each of its
    /// channels (operation `configuration.test`). Chats and other shared channels get it as they
    /// are.
    ///
    /// # Errors
    /// As [`Engine::preview_notification`]; the caller has no mail address.
    pub async fn try_profile(
        &self,
        context: &Context,
        name: &str,
        event: Option<EventId>,
    ) -> Result<Vec<Sending>, Error> {
        let attempt = types::Test {
            class: Class::Profile.as_str().into(),
            object_id: Some(shortened(name)),
            object_name: Some(shortened(name)),
        };
        let operation = self
            .operation(context, Permission::AutomationWrite, &attempt)?
            .about(Class::Profile.target(&shortened(name)));
        let prepared = self.trials(context, name, event);
        let messages = match prepared.await {
            Ok(messages) => Arc::new(messages),
            Err(error) => return Err(operation.fail(error).await),
        };
        let environment = self.environment().clone();
        let target = Class::Profile.target(name);
        let sent = operation
            .run(move |tx, scribe| {
                let (messages, attempt) = (messages.clone(), attempt.clone());
                let (environment, target) = (environment.clone(), target.clone());
                Box::pin(async move {
                    let mut sent = Vec::new();
                    for (channel, message, address) in messages.iter() {
                        let id = environment.id::<DeliveryId>();
                        delivery::enqueue(tx, id, channel, "test", message, scribe.now()).await?;
                        sent.push(Sending {
                            delivery: id,
                            channel: channel.clone(),
                            address: address.clone(),
                        });
                    }
                    Ok(Done { value: sent, draft: Draft::new(&attempt)?.target(target) })
                })
            })
            .await?;
        for one in &sent {
            self.wake_courier_for(&one.channel);
        }
        Ok(sent)
    }
}

fn row(decision: Decision) -> PreviewRow {
    let (word, reason, due_at) = match decision.verdict {
        Verdict::Send => ("send", "", None),
        Verdict::Hold(reason, at) => ("hold", reason, Some(at)),
        Verdict::Skip(reason) => ("skip", reason, None),
    };
    let person = decision.person;
    PreviewRow {
        name: person.as_ref().map(|one| one.name.clone()).unwrap_or_default(),
        account: person.as_ref().and_then(|one| one.account),
        address: person.as_ref().and_then(|one| one.address.clone()),
        paths: person.map(|one| one.paths).unwrap_or_default(),
        channel: decision.channel,
        decision: word,
        reason: if reason.is_empty() { "" } else { super::query::reason_words(reason) },
        due_at,
    }
}

/// The types of events that a profile's message may be about: those that some trigger tells of
/// through it, as far as the template is for them; or else all that the template is for.
fn types_for(book: &Book, profile: &str, template: &Template) -> Vec<EventType> {
    let tells = |action: &String| {
        let action = book.find(Class::Action, action);
        action.is_some_and(|found| profiles_of(&found.body).iter().any(|(_, name)| name == profile))
    };
    let mut told: Vec<EventType> = book
        .of_class(Class::Trigger)
        .filter(|object| object.enabled)
        .filter_map(|object| TriggerBody::read(&object.body).ok())
        .filter(|trigger| trigger.actions.iter().any(tells))
        .flat_map(|trigger| trigger.event_types)
        .collect();
    let own = &template.event_types;
    told.retain(|one| own.is_empty() || own.contains(one));
    if told.is_empty() { own.clone() } else { told }
}

/// The newest event of one of these types; of any type that is about a certificate's end otherwise.
async fn newest(
    link: &mut chancery_store::Link,
    types: &[EventType],
) -> Result<Option<log::Sealed>, Error> {
    const WINDOW: u64 = 65_536;
    let default = [
        EventType::CertificateExpiring,
        EventType::CertificateExpired,
        EventType::CertificateStatusChanged,
        EventType::CertificateUploaded,
    ];
    let types = if types.is_empty() { &default[..] } else { types };
    let names: Vec<&str> = types.iter().map(|one| one.name()).collect();
    let size = log::latest_index(link).await?;
    let from = LogIndex(size.0.saturating_sub(WINDOW));
    Ok(log::newest_of_types(link, (from, size), &names).await?)
}
