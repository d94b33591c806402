//! Looking at decisions: lists, counts, and what was told of an object. Why somebody was told of an
//! event, or was not: `why.rs`.
//!
//! Everybody may ask about themselves. Decisions about others show their addresses and are for
//! those who may see accounts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chancery_event::filter::{Filter, Schema};
use chancery_event::id::AlertId;
use chancery_event::{Target, TargetKind, Timestamp};
use chancery_store::table::notice::search::{self, By};
use chancery_store::table::notice::{self as table, Notice, Query};
use chancery_store::table::notification::{self, Escalation, Stream};
use chancery_store::table::{account, delivery};
use serde_json::Value;

use crate::configuration::Changes;
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// Decisions of one list at most: a page of a thousand, and one to tell that there are more.
const LIST_MAX: usize = 1_001;

/// A decision with what became of its delivery.
#[derive(Clone, Debug)]
pub struct Told {
    /// The decision.
    pub notice: Notice,
    /// State of the delivery, where there is one: `waiting`, `delivered`, `dead`.
    pub delivery_state: Option<String>,
    /// Why its last attempt failed.
    pub delivery_error: Option<String>,
    /// What people call whom it is for.
    pub account_name: Option<String>,
}

impl Engine {
    /// Decisions that fit, newest first. Without the permission to see accounts, or to see all
    /// events, one's own.
    ///
    /// # Errors
    /// The caller may not see alerts.
    pub async fn notices(
        &self,
        context: &Context,
        query: Query,
        limit: usize,
    ) -> Result<Vec<Told>, Error> {
        let all = self.sees_all_events(context).await?;
        let Some(query) = own(context, query, all)? else { return Ok(Vec::new()) };
        let mut link = self.link().await?;
        let rows = table::page(&mut link, &query, limit.clamp(1, LIST_MAX)).await?;
        told(&mut link, rows).await
    }

    /// The fields decisions are filtered by.
    pub fn notice_schema(&self) -> Schema {
        search::schema()
    }

    /// Reads a search expression for decisions; for [`Query::filter`].
    ///
    /// # Errors
    /// It cannot be understood; the error says where and what may have been meant.
    pub fn parse_notice_filter(&self, text: &str) -> Result<Option<(Filter, Timestamp)>, Error> {
        let filter = Filter::parse(text, &search::schema())?;
        Ok((filter != Filter::All).then(|| (filter, self.environment().now())))
    }

    /// How many decisions that fit were made by each profile or channel, the most frequent first.
    ///
    /// # Errors
    /// As [`Engine::notices`].
    pub async fn notice_tally(
        &self,
        context: &Context,
        query: Query,
        by: By,
    ) -> Result<Vec<(String, u64)>, Error> {
        let all = self.sees_all_events(context).await?;
        let Some(query) = own(context, query, all)? else { return Ok(Vec::new()) };
        Ok(search::tally(&mut self.link().await?, &query, by).await?)
    }

    /// How many decisions that fit were made: decision, reason, count.
    ///
    /// # Errors
    /// As [`Engine::notices`].
    pub async fn notice_counts(
        &self,
        context: &Context,
        query: Query,
    ) -> Result<Vec<(String, String, u64)>, Error> {
        let all = self.sees_all_events(context).await?;
        let Some(query) = own(context, query, all)? else { return Ok(Vec::new()) };
        Ok(table::counts(&mut self.link().await?, &query).await?)
    }

    /// How often an object was told of, by profile.
    ///
    /// # Errors
    /// The caller may not see alerts.
    pub async fn notice_streams(
        &self,
        context: &Context,
        object: &str,
    ) -> Result<Vec<Stream>, Error> {
        context.require(Permission::AlertRead)?;
        self.require_all_events(context).await?;
        Ok(notification::streams_of(&mut self.link().await?, object).await?)
    }

    /// Lets repetitions about an object begin anew (operation `configuration.update` of the class
    /// `notification_stream`); answers how many streams there were.
    ///
    /// # Errors
    /// The caller may not change alerts.
    pub async fn reset_notice_streams(
        &self,
        context: &Context,
        object: &str,
        profile: Option<String>,
    ) -> Result<u64, Error> {
        let attempt = chancery_event::types::configuration::Update {
            class: "notification_stream".into(),
            object_id: Some(crate::configuration::shortened(object)),
            object_name: None,
            changes: Vec::new(),
        };
        let object = object.to_owned();
        self.operation(context, Permission::AlertWrite, &attempt)?
            .run(move |tx, _| {
                let (object, profile, attempt) = (object.clone(), profile.clone(), attempt.clone());
                Box::pin(async move {
                    let gone = notification::reset_streams(tx, &object, profile.as_deref()).await?;
                    let mut changes = Changes::default();
                    changes.note("streams", gone.into(), 0.into());
                    let payload = chancery_event::types::configuration::Update {
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let target = Target::new(TargetKind::Configuration, "notification_stream");
                    Ok(Done { value: gone, draft: Draft::new(&payload)?.target(target) })
                })
            })
            .await
    }

    /// The escalations of an alert.
    ///
    /// # Errors
    /// The caller may not see alerts.
    pub async fn escalations(
        &self,
        context: &Context,
        alert: AlertId,
    ) -> Result<Vec<Escalation>, Error> {
        self.alert(context, alert).await?;
        Ok(notification::escalations_of(&mut self.link().await?, alert).await?)
    }
}

/// The query, narrowed to the caller's own decisions unless they may see accounts and all events.
fn own(context: &Context, mut query: Query, all_events: bool) -> Result<Option<Query>, Error> {
    context.require(Permission::AlertRead)?;
    if all_events && context.require(Permission::AccountRead).is_ok() {
        return Ok(Some(query));
    }
    let Some(account) = context.account_id() else { return Ok(None) };
    if query.account.is_some_and(|wanted| wanted != account) {
        return Ok(None);
    }
    query.account = Some(account);
    Ok(Some(query))
}

pub(super) async fn told(
    link: &mut chancery_store::Link,
    rows: Vec<Notice>,
) -> Result<Vec<Told>, Error> {
    let mut list = Vec::with_capacity(rows.len());
    let mut names = HashMap::new();
    for notice in rows {
        let delivery = match notice.delivery {
            Some(id) => delivery::find(link, id).await?,
            None => None,
        };
        let account_name = match notice.account {
            None => None,
            Some(id) => {
                if let Entry::Vacant(place) = names.entry(id) {
                    place.insert(account::find(link, id).await?.map(|account| account.name));
                }
                names.get(&id).cloned().flatten()
            }
        };
        list.push(Told {
            delivery_state: delivery.as_ref().map(|row| row.state.clone()),
            delivery_error: delivery.and_then(|row| row.error),
            notice,
            account_name,
        });
    }
    Ok(list)
}

/// Why, in words.
pub(crate) fn reason_words(reason: &str) -> &'static str {
    match reason {
        "frequency" => "the profile tells of the same thing less often",
        "repetitions" => "the profile has told of the same thing as often as it may",
        "duplicate" => "they were told of the same event by another path",
        "no_address" => "there is no mail address for them",
        "no_account" => "the bell is for accounts",
        "bouncing" => "the mail server refuses their address",
        "disabled_account" => "their account is disabled or gone",
        "template" => "its template could not be used: it went out with the built-in text",
        "channel_off" => "the channel is switched off",
        "channel_missing" => "the channel is not there any more",
        "nobody" => "the profile reaches nobody",
        "digest" => "it waits for the next digest",
        "quiet_hours" => "it waits for the end of quiet hours",
        "profile_off" => "the profile is switched off",
        "profile_missing" => "the profile is not there any more",
        "event_missing" => "the event is not in the log",
        "failed" => "it could not be decided; the log of the server says why",
        _ => "no reason is known",
    }
}

impl Told {
    /// How the profile leads to whom it is for.
    pub fn paths(&self) -> Vec<String> {
        match serde_json::from_str(&self.notice.paths) {
            Ok(Value::Array(items)) => {
                items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Why, in words; empty for what was simply sent.
    pub fn reason(&self) -> &'static str {
        if self.notice.reason.is_empty() { "" } else { reason_words(&self.notice.reason) }
    }
}
