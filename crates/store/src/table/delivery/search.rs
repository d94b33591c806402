//! Lists of deliveries, and their counts: by members, and by a filter like every other list.

use chancery_event::filter::{Field, FieldKind, Filter, Keywords, Schema, Word};
use chancery_event::id::DeliveryId;
use chancery_event::{EventType, Timestamp};

use super::{COLUMNS, Delivery, read};
use crate::filter_sql::{Arguments, Column, Columns, Dialect, compile};
use crate::table::newest_first;
use crate::{Error, Link, Row, SqlValue, args};

/// States of a delivery.
pub const STATES: [&str; 3] = ["waiting", "delivered", "dead"];
/// Why a delivery was made.
pub const REASONS: [&str; 4] = ["log", "replay", "message", "test"];

/// Which deliveries.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Of these destinations; empty: of all.
    pub destinations: Vec<String>,
    /// In this state.
    pub state: Option<String>,
    /// Made for this reason.
    pub reason: Option<String>,
    /// Whose first event is of this type.
    pub event_type: Option<String>,
    /// Made at this time or later.
    pub from: Option<Timestamp>,
    /// Made before this time.
    pub to: Option<Timestamp>,
    /// Which fit this filter over [`schema`], with the time that its spans count from.
    pub filter: Option<(Filter, Timestamp)>,
    /// From before this position.
    pub before: Option<DeliveryId>,
    /// The next ones newer than this position.
    pub after: Option<DeliveryId>,
}

/// The fields deliveries are filtered by.
pub fn schema() -> Schema {
    let open = || FieldKind::Keyword(Keywords::open());
    let known = |words: &[&'static str]| FieldKind::Keyword(Keywords::known(words.iter().copied()));
    let types = Keywords::known(EventType::ALL.iter().map(|event_type| event_type.name()));
    let time = |name: &str, doc: &str| Field::new(name, FieldKind::Timestamp, doc);
    let number = |name: &str, doc: &str| Field::new(name, FieldKind::Integer, doc);
    Schema::new(
        "delivery",
        vec![
            Field::new("state", known(&STATES), "How it stands"),
            Field::new("destination", open(), "Name of the forwarder or channel")
                .alias("forwarder")
                .alias("channel"),
            Field::new("reason", known(&REASONS), "Why it was made"),
            Field::new("type", FieldKind::Keyword(types), "Type of its first event"),
            Field::new("error", FieldKind::Text, "Why the last attempt failed"),
            number("status", "Status of the last answer, such as 503"),
            number("attempts", "Tries so far"),
            number("events", "How many events it carries"),
            number("index", "Log index of its first event").alias("first_index"),
            number("last_index", "Log index of its last event"),
            time("created", "When it was made").alias("made"),
            time("tried", "When it was tried last").alias("last_attempt"),
            time("ended", "When it got through, or was given up").alias("completed"),
            time("next", "When it is tried next").alias("next_try"),
            Field::new("id", FieldKind::Id, "Its identifier"),
        ],
    )
}

struct DeliveryColumns<'a>(&'a Schema);

impl Columns for DeliveryColumns<'_> {
    fn schema(&self) -> &Schema {
        self.0
    }

    fn column(&self, field: &str) -> Option<Column> {
        Some(match field {
            "state" | "destination" | "reason" | "attempts" | "events" | "id" => {
                Column::plain(format!("d.{field}"))
            }
            "error" | "status" | "last_index" => Column::nullable(format!("d.{field}")),
            "type" => Column::nullable("d.event_type"),
            "index" => Column::nullable("d.first_index"),
            "created" => Column::plain("d.created_at"),
            "tried" => Column::nullable("d.last_attempt_at"),
            "ended" => Column::nullable("d.completed_at"),
            "next" => Column::nullable("(CASE WHEN d.state = 'waiting' THEN d.next_at END)"),
            _ => return None,
        })
    }

    fn words(&self, words: &[Word], _: Dialect, arguments: &mut Arguments) -> Option<String> {
        // Their words are those of the destination, the type and the error.
        let text = "lower(d.destination || ' ' || coalesce(d.event_type, '') || ' ' ||
                    coalesce(d.error, ''))";
        Some(arguments.containing(words, text))
    }
}

/// The condition of a query; its values join `values`.
fn conditions(
    query: &Query,
    dialect: Dialect,
    values: &mut Vec<SqlValue>,
) -> Result<String, Error> {
    let mut parts: Vec<String> = Vec::new();
    let mut add = |values: &mut Vec<SqlValue>, condition: &str, new: SqlValue| {
        values.push(new);
        parts.push(format!("{condition} ${}", values.len()));
    };
    let words = [
        ("d.state =", &query.state),
        ("d.reason =", &query.reason),
        ("d.event_type =", &query.event_type),
    ];
    for (condition, word) in words {
        if let Some(word) = word {
            add(values, condition, word.as_str().into());
        }
    }
    for (condition, at) in [("d.created_at >=", query.from), ("d.created_at <", query.to)] {
        if let Some(at) = at {
            add(values, condition, at.into());
        }
    }
    if !query.destinations.is_empty() {
        let first = values.len() + 1;
        values.extend(query.destinations.iter().map(SqlValue::from));
        let places: Vec<String> = (first..=values.len()).map(|place| format!("${place}")).collect();
        parts.push(format!("d.destination IN ({})", places.join(",")));
    }
    if let Some((filter, now)) = &query.filter {
        let schema = schema();
        let columns = DeliveryColumns(&schema);
        let fragment = compile(filter, &columns, dialect, now.micros(), values.len() + 1)
            .map_err(|error| Error::Damaged(format!("filter: {error}")))?;
        parts.push(format!("({})", fragment.sql));
        values.extend(fragment.args);
    }
    Ok(if parts.is_empty() { "1 = 1".to_owned() } else { parts.join(" AND ") })
}

/// Deliveries that fit, newest first: those older than one position, or the next ones newer than
/// the other.
pub async fn page(link: &mut Link, query: &Query, limit: usize) -> Result<Vec<Delivery>, Error> {
    let mut values = Vec::new();
    let text = conditions(query, link.dialect(), &mut values)?;
    let select = (format!("SELECT {COLUMNS} FROM delivery d WHERE {text}"), "d.id");
    let between = (query.before, query.after);
    newest_first(link, select, values, between, limit).await?.iter().map(read).collect()
}

/// How many deliveries of each destination are in each state: name, state, count.
pub async fn counts(link: &mut Link, query: &Query) -> Result<Vec<(String, String, u64)>, Error> {
    let mut values = Vec::new();
    let text = conditions(query, link.dialect(), &mut values)?;
    let sql = format!(
        "SELECT d.destination, d.state, COUNT(*) AS n FROM delivery d WHERE {text}
         GROUP BY d.destination, d.state ORDER BY d.destination, d.state"
    );
    let rows = link.rows(sql, values).await?;
    rows.iter()
        .map(|row| Ok((row.text("destination")?, row.text("state")?, row.count("n")?)))
        .collect()
}

/// How many deliveries that fit were made in each span of `width` microseconds from one time to
/// another: when it begins, count. Spans with none are left out.
pub async fn histogram(
    link: &mut Link,
    query: &Query,
    (from, to): (Timestamp, Timestamp),
    width: i64,
) -> Result<Vec<(Timestamp, u64)>, Error> {
    let mut values: Vec<SqlValue> = args![from, to, width.max(1)];
    let text = conditions(query, link.dialect(), &mut values)?;
    let sql = format!(
        "SELECT $1 + (d.created_at - $1) / $3 * $3 AS span, COUNT(*) AS n FROM delivery d
         WHERE d.created_at >= $1 AND d.created_at < $2 AND {text} GROUP BY span ORDER BY span"
    );
    let rows = link.rows(sql, values).await?;
    rows.iter().map(|row| Ok((row.time("span")?, row.count("n")?))).collect()
}

/// How many deliveries of a destination wait and were given up since it was made, by their narrow
/// indexes. Trials do not count.
pub async fn backlog(
    link: &mut Link,
    destination: &str,
    made: Timestamp,
) -> Result<(u64, u64), Error> {
    let waiting = "SELECT COUNT(*) AS n FROM delivery WHERE destination = $1
                   AND state = 'waiting'";
    let waiting = link.number(waiting, args![destination]).await?;
    let dead = "SELECT COUNT(*) AS n FROM delivery WHERE destination = $1 AND state = 'dead'
                AND reason <> 'test' AND created_at >= $2";
    let dead = link.number(dead, args![destination, made]).await?;
    Ok((u64::try_from(waiting).unwrap_or(0), u64::try_from(dead).unwrap_or(0)))
}

/// How many deliveries of each destination wait, and how many were given up, trials left out.
pub async fn unsettled(link: &mut Link) -> Result<Vec<(String, u64, u64)>, Error> {
    let sql = "SELECT destination, CAST(SUM(waiting) AS BIGINT) AS waiting,
                   CAST(SUM(dead) AS BIGINT) AS dead FROM (
                   SELECT destination, COUNT(*) AS waiting, 0 AS dead FROM delivery
                   WHERE state = 'waiting' GROUP BY destination
                   UNION ALL
                   SELECT destination, 0 AS waiting, COUNT(*) AS dead FROM delivery
                   WHERE state = 'dead' AND reason <> 'test' GROUP BY destination) AS unsettled
               GROUP BY destination ORDER BY destination";
    let read =
        |row: &Row| Ok((row.text("destination")?, row.count("waiting")?, row.count("dead")?));
    link.rows(sql, vec![]).await?.iter().map(read).collect()
}

/// The newest deliveries that may carry the event at a log index: those of it alone, and batches
/// that begin no more than `span` before it and end no more than that behind it. Whether a batch
/// carries it stands in its content.
pub async fn of_event(
    link: &mut Link,
    index: u64,
    span: u64,
    limit: usize,
) -> Result<Vec<Delivery>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM delivery WHERE id IN (
             SELECT id FROM delivery WHERE first_index = $1
             UNION
             SELECT id FROM delivery WHERE events > 1 AND last_index >= $1 AND last_index < $2
             AND first_index < $1)
         ORDER BY id DESC LIMIT $3"
    );
    link.rows(sql, args![index, index.saturating_add(span), limit])
        .await?
        .iter()
        .map(read)
        .collect()
}
