//! Reading the log: lists, one event, proofs, the tiles that auditors fetch, erasure, verification.
//!
//! Names and addresses of people are shown to those with [`Permission::PersonalRead`]; others see
//! that there was something, as its commitment, and may not search by it either.

mod access;
mod erasure;
mod export;
mod proof;
mod scope;
mod tiles;
mod verification;

use chancery_event::envelope::{Event, PersonalPart};
use chancery_event::filter::{Filter, Schema};
use chancery_event::id::EventId;
use chancery_event::search::Searchable;
use chancery_event::{LogIndex, Timestamp};
use chancery_store::log::{self, Bucket, Count, FacetGroup, PageRequest, Sealed};

use crate::{Context, Engine, Error, Permission};

pub use access::EventAccess;
pub use erasure::{ExportRecord, Exported};
pub use export::{EventExport, bounds};
pub use verification::VerifyReport;

/// Events on one page at most.
pub const PAGE_MAX: usize = 1_000;

/// Which events.
#[derive(Clone, Debug)]
pub struct EventQuery {
    /// The filter, parsed with [`Engine::event_schema`].
    pub filter: Filter,
    /// Only events before this index.
    pub before: Option<LogIndex>,
    /// Only events from this index on.
    pub from: Option<LogIndex>,
    /// Events at most; bounded by [`PAGE_MAX`].
    pub limit: usize,
    /// Ascending instead of descending.
    pub oldest_first: bool,
}

/// An event as a reader may see it.
#[derive(Clone, Debug)]
pub struct SeenEvent {
    /// Its place in the log.
    pub index: LogIndex,
    /// When it got its index.
    pub sealed_at: Timestamp,
    /// The event; its personal part only as a commitment where the reader may not see it.
    pub event: Event,
    /// The sealed bytes.
    pub entry: Vec<u8>,
    /// The salt of the commitment to the personal part, where that part is shown.
    pub salt: Option<[u8; 32]>,
    /// By what it was removed from the database; it comes from the archive then.
    pub removed: Option<log::Removal>,
}

impl SeenEvent {
    /// An event out of the archive, which has neither its personal part nor when it was sealed: the
    /// time of the event stands for that.
    fn archived(
        index: LogIndex,
        entry: Vec<u8>,
        removed: Option<log::Removal>,
    ) -> Result<Self, Error> {
        let event = Event::open(&entry, None)
            .map_err(|error| Error::LogDamaged(format!("entry {index}: {error}")))?;
        Ok(Self { index, sealed_at: event.time, event, entry, salt: None, removed })
    }
}

/// A page of events.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The events, in the order asked for.
    pub events: Vec<SeenEvent>,
    /// There are more in that direction.
    pub more: bool,
}

/// Counts by field.
#[derive(Clone, Debug)]
pub struct Facets {
    /// Fields with their values.
    pub groups: Vec<FacetGroup>,
    /// Only the newest matches were counted.
    pub sampled: bool,
    /// Actors were counted over the newest matches only.
    pub actors_sampled: bool,
    /// How many events there are.
    pub count: Count,
}

impl Engine {
    /// The fields that events are filtered by.
    pub fn event_schema(&self) -> &'static Schema {
        chancery_event::search::schema()
    }

    /// Reads a search expression for events.
    ///
    /// # Errors
    /// It cannot be understood; the error says where and what may have been meant.
    pub fn parse_event_filter(&self, text: &str) -> Result<Filter, Error> {
        Ok(Filter::parse(text, self.event_schema())?)
    }

    /// A page of sealed events.
    ///
    /// # Errors
    /// The caller may not read events, or not search by people.
    pub async fn events(&self, context: &Context, query: EventQuery) -> Result<EventPage, Error> {
        may_search(context, &query.filter)?;
        let request = PageRequest {
            before: query.before,
            from: query.from,
            oldest_first: query.oldest_first,
            limit: query.limit.clamp(1, PAGE_MAX),
        };
        let filter = self.visible(context, &query.filter).await?;
        let now = self.environment().now().micros();
        let mut link = self.link().await?;
        let page = log::page(&mut link, &filter, request, now).await?;
        let events = page.events.into_iter().map(|sealed| seen(context, sealed)).collect();
        Ok(EventPage { events, more: page.more })
    }

    /// One event.
    ///
    /// # Errors
    /// There is none, it is not sealed yet, or the caller may not read events.
    pub async fn event(&self, context: &Context, id: EventId) -> Result<SeenEvent, Error> {
        context.require(Permission::EventRead)?;
        let mut link = self.link().await?;
        let sealed = log::by_id(&mut link, id).await?;
        let removed = match &sealed {
            Some(_) => None,
            None => log::removed_index(&mut link, id).await?,
        };
        // An archive may take its time.
        drop(link);
        match (sealed, removed) {
            (Some(sealed), _) => self.shown(context, sealed).await,
            (None, Some(index)) => self.shown_from_archive(context, index).await,
            (None, None) => Err(Error::not_found("event", id)),
        }
        .map_err(|error| gone(error, id))
    }

    /// The event at an index.
    ///
    /// # Errors
    /// As [`Engine::event`].
    pub async fn event_at(&self, context: &Context, index: LogIndex) -> Result<SeenEvent, Error> {
        context.require(Permission::EventRead)?;
        let found = log::by_index(&mut self.link().await?, index).await?;
        match found {
            Some(sealed) => self.shown(context, sealed).await,
            None => self.shown_from_archive(context, index).await,
        }
    }

    /// An event that was removed from the database, out of the archive.
    pub(crate) async fn removed_event(&self, index: LogIndex) -> Result<SeenEvent, Error> {
        let removed = log::removal(&mut self.link().await?, index).await?;
        let removed = removed.ok_or_else(|| Error::not_found("event", index))?;
        let entry = self.archived_entry(index).await?;
        SeenEvent::archived(index, entry, Some(removed))
    }

    /// Counts of the events that a filter selects, by field and in all. Those who may see people
    /// also get the actors of the newest matches.
    ///
    /// # Errors
    /// As [`Engine::events`].
    pub async fn event_facets(&self, context: &Context, filter: &Filter) -> Result<Facets, Error> {
        may_search(context, filter)?;
        let filter = &self.visible(context, filter).await?;
        let now = self.environment().now().micros();
        let mut link = self.link().await?;
        let counted = log::facets(&mut link, filter, now).await?;
        let log::Counted { mut groups, count, sampled } = counted;
        let mut actors_sampled = false;
        if context.may(Permission::PersonalRead) {
            let (values, of_newest) = log::actors(&mut link, filter, now).await?;
            groups.push(FacetGroup { field: "actor", values });
            actors_sampled = of_newest;
        }
        Ok(Facets { groups, sampled, actors_sampled, count })
    }

    /// Counts of the events that a filter selects, over time, in so many bars at most. True: only
    /// the newest matches were counted.
    ///
    /// # Errors
    /// As [`Engine::events`].
    pub async fn event_bars(
        &self,
        context: &Context,
        filter: &Filter,
        span: (Timestamp, Timestamp),
        buckets: usize,
    ) -> Result<(Vec<Bucket>, bool), Error> {
        may_search(context, filter)?;
        let filter = &self.visible(context, filter).await?;
        let now = self.environment().now().micros();
        Ok(log::bars(&mut self.link().await?, filter, span, buckets, now).await?)
    }

    /// How many events a filter selects.
    ///
    /// # Errors
    /// As [`Engine::events`].
    pub async fn event_count(&self, context: &Context, filter: &Filter) -> Result<Count, Error> {
        may_search(context, filter)?;
        let filter = &self.visible(context, filter).await?;
        let now = self.environment().now().micros();
        Ok(log::count(&mut self.link().await?, filter, now).await?)
    }
}

impl Engine {
    /// The index of the first event that was sealed at `since` or later, whoever may see it: the
    /// log is sealed in order.
    ///
    /// # Errors
    /// The caller may not read events.
    pub async fn sealed_since(&self, context: &Context, since: Timestamp) -> Result<u64, Error> {
        context.require(Permission::EventRead)?;
        let size = self.log_checkpoint().await?.map_or(0, |checkpoint| checkpoint.size);
        let now = self.environment().now().micros();
        let mut link = self.link().await?;
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            // Events in between may have been removed: the next one tells.
            let request = PageRequest {
                from: Some(LogIndex(middle)),
                oldest_first: true,
                limit: 1,
                ..PageRequest::default()
            };
            let page = log::page(&mut link, &Filter::All, request, now).await?;
            match page.events.first() {
                Some(next) if next.sealed_at() < since => low = next.index().0 + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// What the caller may see of an event, if of it at all; otherwise it is as if it were not
    /// there. The scope is asked about all of it, as lists ask, also where the caller may not see
    /// who acted.
    async fn shown(&self, context: &Context, sealed: Sealed) -> Result<SeenEvent, Error> {
        let scope = self.event_scope(context).await?;
        match scope.is_none_or(|scope| self.is_within(&scope, sealed.event(), sealed.index())) {
            true => Ok(seen(context, sealed)),
            false => Err(Error::not_found("event", sealed.index())),
        }
    }

    /// As [`Engine::shown`], of an event that was removed. Who acted is not in the archive: a scope
    /// that asks for that cannot be judged there, and nothing is shown.
    async fn shown_from_archive(
        &self,
        context: &Context,
        index: LogIndex,
    ) -> Result<SeenEvent, Error> {
        let scope = self.event_scope(context).await?;
        if scope.as_ref().is_some_and(asks_for_people) {
            return Err(Error::not_found("event", index));
        }
        let seen = self.removed_event(index).await?;
        match scope.is_none_or(|scope| self.is_within(&scope, &seen.event, index)) {
            true => Ok(seen),
            false => Err(Error::not_found("event", index)),
        }
    }

    fn is_within(&self, scope: &Filter, event: &Event, index: LogIndex) -> bool {
        let searchable = Searchable { event, index };
        let now = self.environment().now().micros();
        // A scope that cannot be asked holds nothing.
        scope.compile(self.event_schema()).is_ok_and(|scope| scope.holds(&searchable, now))
    }
}

/// One that is not in sight answers as one that is not there, in the same words.
fn gone(error: Error, id: EventId) -> Error {
    match error {
        Error::NotFound { .. } => Error::not_found("event", id),
        other => other,
    }
}

/// What the caller may see of an event.
fn seen(context: &Context, sealed: Sealed) -> SeenEvent {
    let mut event = sealed.event().clone();
    if !context.may(Permission::PersonalRead)
        && matches!(event.personal, PersonalPart::Clear(_))
        && let Ok(committed) = Event::open(sealed.entry(), None)
    {
        event = committed;
    }
    let shown = matches!(event.personal, PersonalPart::Clear(_));
    SeenEvent {
        salt: sealed.salt().filter(|_| shown).copied(),
        index: sealed.index(),
        sealed_at: sealed.sealed_at(),
        event,
        entry: sealed.entry().to_vec(),
        removed: None,
    }
}

/// Refuses callers who may not read events, or who search by people they may not see.
fn may_search(context: &Context, filter: &Filter) -> Result<(), Error> {
    context.require(Permission::EventRead)?;
    // A tree built by a program may not fit; that is the caller's fault, not the store's.
    filter.compile(chancery_event::search::schema())?;
    if asks_for_people(filter) { context.require(Permission::PersonalRead) } else { Ok(()) }
}

/// Whether a filter compares what only the personal part of an event tells.
pub(crate) fn asks_for_people(filter: &Filter) -> bool {
    let mut personal = false;
    filter.each_comparison(&mut |comparison| {
        personal |= matches!(comparison.field.as_str(), "actor" | "ip");
    });
    personal
}
