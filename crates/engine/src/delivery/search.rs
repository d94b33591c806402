//! Searching destinations. There are few of them and most of what people search for is not stored
//! (how it goes, what waits), so the filter is asked of each one that the caller may see.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use chancery_event::Timestamp;
use chancery_event::filter::{Field, FieldKind, Filter, Keywords, Object, Schema, Values};
use chancery_store::table::delivery::search;
use chancery_store::table::destination::{self, Destination};

use super::{Class, DestinationView};
use crate::{Context, Engine, Error};

/// How it goes with a destination.
const STATES: [&str; 5] = ["on", "behind", "retrying", "paused", "off"];

/// The fields destinations are filtered by.
fn schema() -> Schema {
    let open = || FieldKind::Keyword(Keywords::open());
    let text = |name: &str, doc: &str| Field::new(name, FieldKind::Text, doc);
    let time = |name: &str, doc: &str| Field::new(name, FieldKind::Timestamp, doc);
    let number = |name: &str, doc: &str| Field::new(name, FieldKind::Integer, doc);
    Schema::new(
        "destination",
        vec![
            Field::new("name", open(), "Its name"),
            text("title", "What people call it"),
            Field::new("kind", open(), "How it sends: webhook, syslog, email, …"),
            Field::new("state", FieldKind::Keyword(Keywords::known(STATES)), "How it goes"),
            text("to", "Where it sends").alias("endpoint"),
            text("path", "The folder it lives in"),
            text("error", "Why the last attempt failed"),
            number("waiting", "Deliveries that wait"),
            number("dead", "Deliveries that were given up").alias("given_up"),
            number("failures", "Failed attempts in a row"),
            time("got_through", "When something got through last").alias("last_success"),
            time("changed", "When it was changed last"),
            time("created", "When it was made"),
        ],
    )
}

struct Searchable<'a>(&'a DestinationView, Timestamp);

impl DestinationView {
    /// How it goes, in the word that filters use.
    pub fn state(&self, now: Timestamp) -> &'static str {
        state(&self.row, now)
    }
}

fn state(row: &Destination, now: Timestamp) -> &'static str {
    let is_paused = row.course.open_until.is_some_and(|until| until > now);
    match row.course.failures {
        _ if !row.enabled => "off",
        0 if row.course.lagging => "behind",
        0 => "on",
        _ if is_paused => "paused",
        _ => "retrying",
    }
}

/// Counts by class and state.
type Counts = BTreeMap<(String, &'static str), u64>;

impl Engine {
    /// How many destinations there are, and how many deliveries that are not settled.
    pub(crate) async fn delivery_figures(&self) -> Result<(Counts, Counts), Error> {
        let now = self.environment().now();
        let mut link = self.link().await?;
        let (mut destinations, mut deliveries) = (Counts::new(), Counts::new());
        let mut classes = HashMap::new();
        for row in destination::all(&mut link, None).await? {
            *destinations.entry((row.class.clone(), state(&row, now))).or_default() += 1;
            for state in ["waiting", "dead"] {
                deliveries.entry((row.class.clone(), state)).or_default();
            }
            classes.insert(row.name, row.class);
        }
        for (name, waiting, dead) in search::unsettled(&mut link).await? {
            // What was meant for one that was deleted is nobody's.
            let Some(class) = classes.get(&name) else { continue };
            *deliveries.entry((class.clone(), "waiting")).or_default() += waiting;
            *deliveries.entry((class.clone(), "dead")).or_default() += dead;
        }
        Ok((destinations, deliveries))
    }
}

impl Object for Searchable<'_> {
    fn values(&self, field: &str) -> Values<'_> {
        let Self(view, _) = self;
        let row = &view.row;
        let count = |count: u64| Values::from(i64::try_from(count).unwrap_or(i64::MAX));
        let time = |at: Option<Timestamp>| at.map_or(Values::None, |at| Values::time(at.micros()));
        match field {
            "name" => row.name.as_str().into(),
            "title" => view.definition.title.as_str().into(),
            "kind" => row.kind.as_str().into(),
            "state" => view.state(self.1).into(),
            "to" => view.endpoint.as_str().into(),
            "path" => row.path.as_str().into(),
            "error" => row.course.last_error.as_deref().into(),
            "waiting" => count(view.backlog.waiting),
            "dead" => count(view.backlog.dead),
            "failures" => row.course.failures.into(),
            "got_through" => time(row.course.last_success_at),
            "changed" => time(Some(row.changed_at)),
            "created" => time(Some(row.created_at)),
            _ => Values::None,
        }
    }

    fn texts(&self) -> Vec<Cow<'_, str>> {
        let Self(view, _) = self;
        let texts = [
            view.row.name.as_str(),
            &view.definition.title,
            &view.definition.description,
            &view.row.kind,
            &view.endpoint,
            &view.row.path,
        ];
        texts.into_iter().map(Cow::Borrowed).collect()
    }
}

impl Engine {
    /// The fields destinations are filtered by.
    pub fn destination_schema(&self) -> Schema {
        schema()
    }

    /// The destinations of a class that fit a filter and that the caller may see, by name.
    ///
    /// # Errors
    /// The filter cannot be understood, or the caller may not see any.
    pub async fn find_destinations(
        &self,
        context: &Context,
        class: Class,
        filter: &str,
    ) -> Result<Vec<DestinationView>, Error> {
        let schema = schema();
        let filter = Filter::parse(filter, &schema)?.compile(&schema)?;
        let now = self.environment().now();
        let mut views = self.destinations(context, class).await?;
        views.retain(|view| filter.holds(&Searchable(view, now), now.micros()));
        Ok(views)
    }
}
