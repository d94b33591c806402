//! Lists of deliveries, and their counts.

use chancery_event::Timestamp;
use chancery_event::id::DeliveryId;

use super::{COLUMNS, Delivery, read};
use crate::table::newest_first;
use crate::{Error, Link, SqlValue, args, value};

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
    /// From before this position.
    pub before: Option<DeliveryId>,
    /// The next ones newer than this position.
    pub after: Option<DeliveryId>,
}

fn conditions(query: &Query, values: &mut Vec<SqlValue>) -> String {
    let mut text = "1 = 1".to_owned();
    let mut add = |condition: &str, new: Vec<SqlValue>| {
        text.push_str(" AND ");
        text.push_str(condition);
        values.extend(new);
    };
    if !query.destinations.is_empty() {
        let places = vec!["?"; query.destinations.len()].join(",");
        let names = query.destinations.iter().map(SqlValue::from).collect();
        add(&format!("destination IN ({places})"), names);
    }
    let words = [
        ("state = ?", &query.state),
        ("reason = ?", &query.reason),
        ("event_type = ?", &query.event_type),
    ];
    for (condition, word) in words {
        if let Some(word) = word {
            add(condition, args![word]);
        }
    }
    if let Some(from) = query.from {
        add("created_at >= ?", args![from]);
    }
    if let Some(to) = query.to {
        add("created_at < ?", args![to]);
    }
    text
}

/// Deliveries that fit, newest first.
pub async fn page(link: &mut Link, query: &Query, limit: usize) -> Result<Vec<Delivery>, Error> {
    let mut values = Vec::new();
    let text = conditions(query, &mut values);
    let select = format!("SELECT {COLUMNS} FROM delivery WHERE {text}");
    let between = (query.before.map(value::id), query.after.map(value::id));
    newest_first(link, &select, values, between, limit).await?.iter().map(read).collect()
}

/// How many deliveries of each destination are in each state: name, state, count.
pub async fn counts(link: &mut Link, query: &Query) -> Result<Vec<(String, String, u64)>, Error> {
    let mut values = Vec::new();
    let text = conditions(query, &mut values);
    let sql = format!(
        "SELECT destination, state, COUNT(*) AS n FROM delivery WHERE {text}
         GROUP BY destination, state ORDER BY destination, state"
    );
    let rows = link.rows(sql, values).await?;
    rows.iter()
        .map(|row| Ok((row.text("destination")?, row.text("state")?, row.count("n")?)))
        .collect()
}

/// How many deliveries of a destination wait and are dead, by their narrow indexes.
pub async fn backlog(link: &mut Link, destination: &str) -> Result<(u64, u64), Error> {
    let count = |state: &str| {
        format!("SELECT COUNT(*) AS n FROM delivery WHERE destination = $1 AND state = '{state}'")
    };
    let waiting = link.number(count("waiting"), args![destination]).await?;
    let dead = link.number(count("dead"), args![destination]).await?;
    Ok((u64::try_from(waiting).unwrap_or(0), u64::try_from(dead).unwrap_or(0)))
}

/// The deliveries that carry the event at a log index as their only or first one.
pub async fn of_event(link: &mut Link, index: u64, limit: usize) -> Result<Vec<Delivery>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM delivery WHERE first_index = $1 ORDER BY id LIMIT $2");
    link.rows(sql, args![index, limit]).await?.iter().map(read).collect()
}
