//! How much a forwarder would get: its selection over the events of the last week, before anything
//! is saved or sent.
//!
//! Newest first, up to [`LOOK_MAX`] events of the selected types: a busy log is answered for as far
//! as it was looked at, and the answer says so.

use std::sync::Arc;

use chancery_event::{EventType, LogIndex, Timestamp};
use chancery_store::log::{self, Sealed};
use chancery_store::table::attribute;
use serde_json::Value;

use super::definition::Definition;
use super::selection::{Folders, Selector, know_folders};
use super::{Class, Error};
use crate::reaction::happening::{Subject, certificate_of};
use crate::{Context, Engine};

/// Events of the selected types that are looked at.
const LOOK_MAX: u64 = 50_000;
/// Indexes looked through at a time.
const WINDOW: u64 = 2_048;
/// Events that are shown.
const SAMPLES: usize = 5;
const DAY: i64 = Timestamp::DAY;

/// What a selection would have got.
#[derive(Clone, Debug, Default)]
pub struct Matches {
    /// Events of the last 24 hours.
    pub last_day: u64,
    /// Events of the last 7 days.
    pub last_week: u64,
    /// All events of the selected types were looked at; otherwise only the newest of them.
    pub is_complete: bool,
    /// When the oldest of those that were looked at came about, where not all were.
    pub since: Option<Timestamp>,
    /// The newest that match, without what is about people.
    pub samples: Vec<Arc<Sealed>>,
}

impl Engine {
    /// What the selection of a forwarder's body would have got of the last 7 days.
    ///
    /// # Errors
    /// The caller may not make forwarders, or a member of the body cannot be accepted.
    pub async fn preview_forwarder(
        &self,
        context: &Context,
        body: &Value,
    ) -> Result<Matches, Error> {
        context.require(Class::Forwarder.permission())?;
        self.may_carry(context, Class::Forwarder).await?;
        let definition = Definition::read(body)?;
        let mut link = self.link().await?;
        let attributes = attribute::all(&mut link).await?;
        definition.select.check_filter(&attributes)?;
        let selector = Selector::new(&definition.select, &attributes)?;
        let types: Vec<&str> = selector.types().map(EventType::name).collect();
        let now = self.environment().now();
        let (week, day) = (now.plus(-7 * DAY), now.plus(-DAY));
        let mut found = Matches { is_complete: true, ..Matches::default() };
        let Some(first) = log::first_since(&mut link, week).await? else { return Ok(found) };
        let mut to = log::latest_index(&mut link).await?.0;
        let (mut looked, mut folders) = (0, Folders::new());
        while to > first.0 {
            let from = to.saturating_sub(WINDOW).max(first.0);
            let limit = usize::try_from(WINDOW).unwrap_or(usize::MAX);
            let range = (LogIndex(from), LogIndex(to));
            let events = log::of_types(&mut link, range, &types, limit).await?;
            looked += events.len() as u64;
            let oldest = events.first().map(|sealed| sealed.event().time);
            for sealed in events.into_iter().rev() {
                let event = sealed.event();
                let subject = match certificate_of(event).filter(|_| selector.needs_object()) {
                    Some(id) => Subject::read(&mut link, id).await?,
                    None => None,
                };
                if selector.needs_folders() {
                    know_folders(&mut link, event, &mut folders).await?;
                }
                let around = (subject.as_ref(), &folders);
                // Events of other systems may be older than their place in the log.
                let is_new = event.time >= week;
                if !is_new || !selector.holds(event, sealed.index(), around, now) {
                    continue;
                }
                found.last_week += 1;
                found.last_day += u64::from(event.time >= day);
                if found.samples.len() < SAMPLES {
                    found.samples.push(Arc::new(sealed.without_personal()));
                }
            }
            to = from;
            if looked >= LOOK_MAX && to > first.0 {
                (found.is_complete, found.since) = (false, oldest);
                break;
            }
        }
        Ok(found)
    }
}
