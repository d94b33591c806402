//! Looking at destinations, deliveries and attempts: each caller sees those in reach.

use chancery_event::filter::{Filter, Schema};
use chancery_event::id::{DeliveryId, NoticeId};
use chancery_event::types::delivery::Export;
use chancery_event::{LogIndex, Timestamp};
use chancery_store::table::delivery::{self as table, Attempt, Delivery, search};
use chancery_store::table::destination::{self, Destination};
use chancery_store::{Link, log};
use serde_json::Value;

use super::window::WINDOW;
use super::{Class, Definition, DeliveryQuery, Message, Reach, carried, lag};
use crate::history::ExportRecord;
use crate::notification::NoticeQuery;
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// Deliveries of one list at most: a page of a thousand, and one to tell that there are more.
const LIST_MAX: usize = 1_001;
/// Deliveries that are shown of one event.
const OF_EVENT_MAX: usize = 100;
/// Deliveries that are looked at for them.
const CANDIDATES_MAX: usize = 5_000;
/// Attempts that are shown of one delivery.
const ATTEMPTS_MAX: usize = 200;

/// Decisions that are shown of one message.
const NOTICES_MAX: usize = 100;

/// What a destination has still to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Entries of the log that it has not looked at.
    pub log_entries: u64,
    /// Deliveries that wait.
    pub waiting: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    /// Age of the oldest delivery that waits, in seconds.
    pub lag_s: u64,
}

/// A destination with how it goes.
#[derive(Clone, Debug)]
pub struct DestinationView {
    /// Its row.
    pub row: Destination,
    /// What it says.
    pub definition: Definition,
    /// Where it sends, without secrets.
    pub endpoint: String,
    /// Names of its secrets.
    pub secrets: Vec<String>,
    /// The key that its receiver verifies signatures with, where there is one.
    pub public_key: Option<String>,
    /// What it has still to send.
    pub backlog: Backlog,
}

/// A delivery with what is known of it.
#[derive(Clone, Debug)]
pub struct DeliveryView {
    /// Its row.
    pub row: Delivery,
    /// What its destination is; `None`: it was deleted.
    pub class: Option<Class>,
    /// Its attempts, the newest first.
    pub attempts: Vec<Attempt>,
    /// The message that it carries, if it carries no events.
    pub message: Option<MessageView>,
}

/// The message of a delivery. What it says and whom it goes to is about people.
#[derive(Clone, Debug)]
pub struct MessageView {
    /// Its subject; only with [`Permission::PersonalRead`].
    pub subject: Option<String>,
    /// Mail addresses that it goes to; only with [`Permission::PersonalRead`].
    pub recipients: Option<Vec<String>>,
    /// How many those are; 0 where the channel itself knows whom it reaches.
    pub recipient_count: u64,
    /// The event that it tells of.
    pub event: Option<String>,
    /// Decisions that it carries out, as far as the caller may see them; 100 at most.
    pub notices: Vec<NoticeId>,
}

impl Engine {
    /// The destinations of a class that the caller may see, by name.
    ///
    /// # Errors
    /// The caller may not see any.
    pub async fn destinations(
        &self,
        context: &Context,
        class: Class,
    ) -> Result<Vec<DestinationView>, Error> {
        let sight = self.sight(context, class).await?;
        let mut link = self.link().await?;
        let rows = destination::all(&mut link, Some(class.as_str())).await?;
        let size = log::latest_index(&mut link).await?.0;
        let mut views = Vec::new();
        for row in rows.into_iter().filter(|row| sight.covers(&row.name, &row.path)) {
            views.push(self.view_of(&mut link, row, size).await?);
        }
        Ok(views)
    }

    /// One destination.
    ///
    /// # Errors
    /// There is none of this name that the caller may see.
    pub async fn destination(
        &self,
        context: &Context,
        class: Class,
        name: &str,
    ) -> Result<DestinationView, Error> {
        let sight = self.sight(context, class).await?;
        let mut link = self.link().await?;
        let row = self.destination_row(&mut link, class, name).await?;
        if !sight.covers(&row.name, &row.path) {
            return Err(Error::not_found(class.as_str(), &row.name));
        }
        let size = log::latest_index(&mut link).await?.0;
        self.view_of(&mut link, row, size).await
    }

    /// Every version of a destination, newest first: number, whether it was on, body, when, by
    /// whom.
    ///
    /// # Errors
    /// As [`Engine::destination`].
    pub async fn destination_versions(
        &self,
        context: &Context,
        class: Class,
        name: &str,
    ) -> Result<Vec<(i64, bool, Value, Timestamp, Option<String>)>, Error> {
        let row = self.destination(context, class, name).await?.row;
        let versions = destination::versions(&mut self.link().await?, name).await?;
        Ok(versions
            .into_iter()
            // Those of another one that had this name are nobody's any more.
            .filter(|one| one.created_at >= row.created_at)
            .map(|one| {
                let body = serde_json::from_str(&one.body).unwrap_or(Value::Null);
                (one.version, one.enabled, body, one.created_at, one.created_by)
            })
            .collect())
    }

    /// Deliveries that fit and that the caller may see, newest first.
    ///
    /// # Errors
    /// The caller may not see any.
    pub async fn deliveries(
        &self,
        context: &Context,
        query: DeliveryQuery,
        limit: usize,
    ) -> Result<Vec<Delivery>, Error> {
        let Some(query) = self.within_sight(context, query).await? else { return Ok(Vec::new()) };
        let limit = limit.clamp(1, LIST_MAX);
        let rows = search::page(&mut self.link().await?, &query, limit).await?;
        Ok(rows.into_iter().map(shown).collect())
    }

    /// The fields deliveries are filtered by.
    pub fn delivery_schema(&self) -> Schema {
        search::schema()
    }

    /// Reads a search expression for deliveries; for [`DeliveryQuery::filter`].
    ///
    /// # Errors
    /// It cannot be understood; the error says where and what may have been meant.
    pub fn parse_delivery_filter(&self, text: &str) -> Result<Option<(Filter, Timestamp)>, Error> {
        let filter = Filter::parse(text, &search::schema())?;
        Ok((filter != Filter::All).then(|| (filter, self.environment().now())))
    }

    /// Records that deliveries were exported (operation `delivery.export`), before they are given
    /// out.
    ///
    /// # Errors
    /// The caller may not export.
    pub async fn record_delivery_export(
        &self,
        context: &Context,
        export: ExportRecord,
    ) -> Result<(), Error> {
        let payload = Export {
            format: export.format.into(),
            count: export.count,
            filtered: !export.query.is_empty(),
            query: (!export.query.is_empty()).then_some(export.query),
        };
        let operation = self.operation(context, Permission::Export, &payload)?;
        let allowed = context.require(Permission::ForwarderRead);
        let (operation, ()) = super::ready(operation, allowed).await?;
        operation
            .run(move |_, _| {
                let payload = payload.clone();
                Box::pin(async move { Ok(Done { value: (), draft: Draft::new(&payload)? }) })
            })
            .await
    }

    /// How many deliveries that fit are in which state, by destination.
    ///
    /// # Errors
    /// The caller may not see any.
    pub async fn delivery_counts(
        &self,
        context: &Context,
        query: DeliveryQuery,
    ) -> Result<Vec<(String, String, u64)>, Error> {
        let Some(query) = self.within_sight(context, query).await? else { return Ok(Vec::new()) };
        Ok(search::counts(&mut self.link().await?, &query).await?)
    }

    /// How many deliveries that fit were made in each span of `width_us` microseconds.
    ///
    /// # Errors
    /// The caller may not see any.
    pub async fn delivery_histogram(
        &self,
        context: &Context,
        query: DeliveryQuery,
        span: (Timestamp, Timestamp),
        width_us: i64,
    ) -> Result<Vec<(Timestamp, u64)>, Error> {
        let Some(query) = self.within_sight(context, query).await? else { return Ok(Vec::new()) };
        Ok(search::histogram(&mut self.link().await?, &query, span, width_us).await?)
    }

    /// One delivery with its attempts, and the message that it carries.
    ///
    /// # Errors
    /// There is none with this identifier that the caller may see.
    pub async fn delivery(&self, context: &Context, id: DeliveryId) -> Result<DeliveryView, Error> {
        context.require(Permission::ForwarderRead)?;
        let row = self.delivery_row(id).await?;
        let of = DeliveryQuery {
            destinations: vec![row.destination.clone()],
            ..DeliveryQuery::default()
        };
        if self.within_sight(context, of).await?.is_none() {
            return Err(Error::not_found("delivery", id));
        }
        let message = match carried(&row)?.message {
            Some(message) => Some(self.message_view(context, id, message).await?),
            None => None,
        };
        let mut link = self.link().await?;
        let attempts = table::attempts(&mut link, id, ATTEMPTS_MAX).await?;
        let found = destination::find(&mut link, &row.destination).await?;
        // Another destination of the same name has nothing to do with it.
        let found = found.filter(|destination| destination.created_at <= row.created_at);
        let class = found.map(|destination| match destination.class.as_str() {
            "forwarder" => Class::Forwarder,
            _ => Class::Channel,
        });
        Ok(DeliveryView { row: shown(row), class, attempts, message })
    }

    /// What the caller may know of a message.
    async fn message_view(
        &self,
        context: &Context,
        id: DeliveryId,
        message: Message,
    ) -> Result<MessageView, Error> {
        let people = context.may(Permission::PersonalRead);
        let query = NoticeQuery { delivery: Some(id), ..NoticeQuery::default() };
        let notices = match context.may(Permission::AlertRead) {
            true => self.notices(context, query, NOTICES_MAX).await?,
            false => Vec::new(),
        };
        Ok(MessageView {
            recipient_count: message.recipients.len() as u64,
            subject: people.then_some(message.subject),
            recipients: people.then_some(message.recipients),
            event: message.event,
            notices: notices.into_iter().map(|told| told.notice.id).collect(),
        })
    }

    /// The newest deliveries that carry the event at this index of the log, alone or in a batch, of
    /// those that the caller may see: 100 at most.
    ///
    /// # Errors
    /// The caller may see no deliveries at all.
    pub async fn deliveries_of_event(
        &self,
        context: &Context,
        index: LogIndex,
    ) -> Result<Vec<Delivery>, Error> {
        let Some(query) = self.within_sight(context, DeliveryQuery::default()).await? else {
            return Ok(Vec::new());
        };
        let mut link = self.link().await?;
        let found = search::of_event(&mut link, index.0, WINDOW, CANDIDATES_MAX).await?;
        let seen = |row: &Delivery| {
            query.destinations.is_empty() || query.destinations.contains(&row.destination)
        };
        let carries =
            |row: &Delivery| carried(row).is_ok_and(|carried| carried.events.contains(&index.0));
        let fits = found.into_iter().filter(|row| seen(row) && carries(row));
        Ok(fits.take(OF_EVENT_MAX).map(shown).collect())
    }

    pub(super) async fn delivery_row(&self, id: DeliveryId) -> Result<Delivery, Error> {
        let found = table::find(&mut self.link().await?, id).await?;
        found.ok_or_else(|| Error::not_found("delivery", id))
    }

    async fn sight(&self, context: &Context, class: Class) -> Result<Reach, Error> {
        context.require(Permission::ForwarderRead)?;
        match class {
            Class::Forwarder => self.forwarder_sight(context).await,
            Class::Channel => Ok(Reach::All),
        }
    }

    /// The query narrowed to what the caller may see; `None`: to nothing. Deliveries tell of
    /// events, so who may not see all of those sees none of these.
    async fn within_sight(
        &self,
        context: &Context,
        mut query: DeliveryQuery,
    ) -> Result<Option<DeliveryQuery>, Error> {
        let sight = self.sight(context, Class::Forwarder).await?;
        if !self.sees_all_events(context).await? {
            return Ok(None);
        }
        if sight == Reach::All {
            return Ok(Some(query));
        }
        let rows = destination::all(&mut self.link().await?, None).await?;
        let is_channel = |class: &str| class == Class::Channel.as_str();
        let seen =
            rows.iter().filter(|row| is_channel(&row.class) || sight.covers(&row.name, &row.path));
        let wanted =
            |name: &String| query.destinations.is_empty() || query.destinations.contains(name);
        let names: Vec<String> =
            seen.map(|row| row.name.clone()).filter(|name| wanted(name)).collect();
        query.destinations = names;
        Ok(Some(query).filter(|query| !query.destinations.is_empty()))
    }

    async fn view_of(
        &self,
        link: &mut Link,
        row: Destination,
        size: u64,
    ) -> Result<DestinationView, Error> {
        let address = self.address(link, &row).await?;
        let (mut endpoint, mut public_key) = (String::new(), None);
        if let Ok(sender) = self.senders() {
            let mut secrets = address.secrets.clone();
            endpoint = match sender.check(&address.definition, &mut secrets) {
                Ok(checked) => checked.endpoint,
                Err(error) => error.to_string(),
            };
            public_key = sender.public_key(&address.definition, &address.secrets);
        }
        let (waiting, dead) = search::backlog(link, &row.name, row.created_at).await?;
        let lag = lag::of(link, &row, waiting, size, self.environment().now()).await?;
        let log_entries = match row.class.as_str() {
            "forwarder" => size.saturating_sub(row.next_index.0),
            _ => 0,
        };
        let lag_s = u64::try_from(lag / Timestamp::SECOND).unwrap_or(0);
        let backlog = Backlog { log_entries, waiting, dead, lag_s };
        let secrets = address.secrets.names();
        Ok(DestinationView {
            row,
            definition: address.definition,
            endpoint,
            secrets,
            public_key,
            backlog,
        })
    }
}

/// A delivery as it leaves the engine: a message may name people, so it stays.
fn shown(mut row: Delivery) -> Delivery {
    if row.first_index.is_none() {
        row.content = "{}".to_owned();
    }
    row
}
