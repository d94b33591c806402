//! Deliveries: one event, batch or message for one destination, and every attempt at it.
//!
//! What is written in great numbers (new deliveries, receipts) goes in statements of many rows.

pub mod search;

use std::collections::BTreeMap;

use chancery_event::Timestamp;
use chancery_event::id::DeliveryId;

use crate::{Error, Link, Row, SqlValue, Tx, args, value};

/// A delivery as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its identifier, which the receiver sees.
    pub id: DeliveryId,
    /// Name of the destination.
    pub destination: String,
    /// `log`, `replay`, `message` or `test`.
    pub reason: String,
    /// Log index of its first event.
    pub first_index: Option<u64>,
    /// Log index of its last event.
    pub last_index: Option<u64>,
    /// How many events it carries.
    pub events: u64,
    /// Type of its first event.
    pub event_type: Option<String>,
    /// JSON: log indexes, or a message.
    pub content: String,
    /// `waiting`, `delivered` or `dead`.
    pub state: String,
    /// Tries so far.
    pub attempts: i64,
    /// Not tried before.
    pub next_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was tried first.
    pub first_attempt_at: Option<Timestamp>,
    /// When it was tried last.
    pub last_attempt_at: Option<Timestamp>,
    /// When it got through, or was given up.
    pub completed_at: Option<Timestamp>,
    /// Status of the last answer.
    pub status: Option<i64>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// One try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The delivery.
    pub delivery: DeliveryId,
    /// From 1.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// How long it took, in microseconds.
    pub took_us: i64,
    /// `delivered` or `failed`.
    pub outcome: String,
    /// Status of the answer.
    pub status: Option<i64>,
    /// JSON: head of what was sent.
    pub request: String,
    /// JSON: head of what came back.
    pub response: String,
    /// Why it failed.
    pub error: Option<String>,
    /// The node that tried.
    pub node: String,
}

pub(crate) const COLUMNS: &str = "id, destination, reason, first_index, last_index, events, \
    event_type, content, state, attempts, next_at, created_at, first_attempt_at, \
    last_attempt_at, completed_at, status, error";

pub(crate) fn read(row: &Row) -> Result<Delivery, Error> {
    let index = |column| {
        row.maybe_int(column).map(|value| value.and_then(|value| u64::try_from(value).ok()))
    };
    Ok(Delivery {
        id: row.id("id")?,
        destination: row.text("destination")?,
        reason: row.text("reason")?,
        first_index: index("first_index")?,
        last_index: index("last_index")?,
        events: row.count("events")?,
        event_type: row.maybe_text("event_type")?,
        content: row.text("content")?,
        state: row.text("state")?,
        attempts: row.int("attempts")?,
        next_at: row.time("next_at")?,
        created_at: row.time("created_at")?,
        first_attempt_at: row.maybe_time("first_attempt_at")?,
        last_attempt_at: row.maybe_time("last_attempt_at")?,
        completed_at: row.maybe_time("completed_at")?,
        status: row.maybe_int("status")?,
        error: row.maybe_text("error")?,
    })
}

/// Inserts deliveries as they are.
pub async fn insert(tx: &mut Tx, new: &[Delivery]) -> Result<(), Error> {
    let rows = new.iter().map(|row| {
        let mut values = vec![value::id(row.id)];
        values.extend(args![
            &row.destination,
            &row.reason,
            row.first_index,
            row.last_index,
            row.events,
            row.event_type.clone(),
            &row.content,
            &row.state,
            row.attempts,
            row.next_at,
            row.created_at
        ]);
        values
    });
    let head = "INSERT INTO delivery (id, destination, reason, first_index, last_index, events,
                event_type, content, state, attempts, next_at, created_at)";
    tx.insert_many(head, "", rows.collect()).await
}

/// Writes what an attempt changed about deliveries that wait. One that was taken away meanwhile
/// stays away.
pub async fn book(tx: &mut Tx, rows: &[Delivery]) -> Result<(), Error> {
    // Deliveries that simply got through are most of them, and end in one statement.
    let (plain, others): (Vec<&Delivery>, Vec<&Delivery>) = rows
        .iter()
        .partition(|row| row.state == "delivered" && row.attempts == 1 && row.error.is_none());
    let mut alike: BTreeMap<Option<i64>, Vec<&Delivery>> = BTreeMap::new();
    for row in plain {
        alike.entry(row.status).or_default().push(row);
    }
    // They ended within one round of booking: the time of one is good enough for all, and each
    // attempt keeps its own.
    for chunk in alike.values().flat_map(|rows| rows.chunks(500)) {
        let Some(first) = chunk.first() else { continue };
        let places = vec!["?"; chunk.len()].join(",");
        let sql = format!(
            "UPDATE delivery SET state = 'delivered', attempts = 1, first_attempt_at = ?,
             last_attempt_at = ?, completed_at = ?, status = ?, error = NULL
             WHERE state = 'waiting' AND id IN ({places})"
        );
        let at = first.completed_at;
        let mut values = args![at, at, at, first.status];
        values.extend(chunk.iter().map(|row| value::id(row.id)));
        tx.execute(sql, values).await?;
    }
    for row in others {
        let sql = "UPDATE delivery SET state = $2, attempts = $3, next_at = $4,
                   first_attempt_at = $5, last_attempt_at = $6, completed_at = $7, status = $8,
                   error = $9 WHERE id = $1 AND state = 'waiting'";
        let mut values = vec![value::id(row.id)];
        values.extend(args![
            &row.state,
            row.attempts,
            row.next_at,
            row.first_attempt_at,
            row.last_attempt_at,
            row.completed_at,
            row.status,
            row.error.clone()
        ]);
        tx.execute(sql, values).await?;
    }
    Ok(())
}

/// Inserts attempts. A number that is taken belongs to another node's try of the same moment: the
/// first one that was written stays.
pub async fn add_attempts(tx: &mut Tx, new: &[Attempt]) -> Result<(), Error> {
    let rows = new.iter().map(|row| {
        let mut values: Vec<SqlValue> = vec![value::id(row.delivery)];
        values.extend(args![
            row.number,
            row.at,
            row.took_us,
            &row.outcome,
            row.status,
            &row.request,
            &row.response,
            row.error.clone(),
            &row.node
        ]);
        values
    });
    let head = "INSERT INTO delivery_attempt (delivery, number, at, took_us, outcome, status,
                request, response, error, node)";
    tx.insert_many(head, "ON CONFLICT DO NOTHING", rows.collect()).await
}

/// Deliveries of a destination that wait, the one due first in front.
pub async fn waiting(
    link: &mut Link,
    destination: &str,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<Delivery>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM delivery WHERE destination = $1 AND state = 'waiting'
         AND next_at <= $2 ORDER BY next_at, id LIMIT $3"
    );
    link.rows(sql, args![destination, before, limit]).await?.iter().map(read).collect()
}

/// Deliveries of a destination that wait, the oldest in front, whenever they are due.
pub async fn oldest(
    link: &mut Link,
    destination: &str,
    limit: usize,
) -> Result<Vec<Delivery>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM delivery WHERE destination = $1 AND state = 'waiting'
         ORDER BY created_at, first_index, id LIMIT $2"
    );
    link.rows(sql, args![destination, limit]).await?.iter().map(read).collect()
}

/// Deliveries of a destination that wait, in the order of the log, whenever they are due. Clocks
/// may go back, and what is sent again was made last.
pub async fn in_log_order(
    link: &mut Link,
    destination: &str,
    limit: usize,
) -> Result<Vec<Delivery>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM delivery WHERE destination = $1 AND state = 'waiting'
         ORDER BY first_index, id LIMIT $2"
    );
    link.rows(sql, args![destination, limit]).await?.iter().map(read).collect()
}

/// When the next delivery of a destination is due.
pub async fn next_due(link: &mut Link, destination: &str) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT MIN(next_at) AS n FROM delivery WHERE destination = $1 AND state = 'waiting'";
    match link.row(sql, args![destination]).await? {
        Some(row) => row.maybe_time("n"),
        None => Ok(None),
    }
}

/// When the next delivery of a destination is due after a time.
pub async fn next_later(
    link: &mut Link,
    destination: &str,
    after: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT MIN(next_at) AS n FROM delivery WHERE destination = $1
               AND state = 'waiting' AND next_at > $2";
    match link.row(sql, args![destination, after]).await? {
        Some(row) => row.maybe_time("n"),
        None => Ok(None),
    }
}

/// How many deliveries of a destination wait, up to `most`.
pub async fn waiting_count(link: &mut Link, destination: &str, most: u64) -> Result<u64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM delivery WHERE destination = $1
               AND state = 'waiting' LIMIT $2) AS few";
    Ok(u64::try_from(link.number(sql, args![destination, most]).await?).unwrap_or(0))
}

/// Makes everything that waits for a destination due at once: it answers again.
pub async fn hasten(tx: &mut Tx, destination: &str, now: Timestamp) -> Result<u64, Error> {
    let sql = "UPDATE delivery SET next_at = $2 WHERE destination = $1 AND state = 'waiting'
               AND next_at > $2";
    tx.execute(sql, args![destination, now]).await
}

/// Puts one delivery back to wait, with its attempts kept; true if there was one to put back.
pub async fn resend(tx: &mut Tx, id: DeliveryId, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE delivery SET state = 'waiting', next_at = $2, first_attempt_at = NULL,
               completed_at = NULL WHERE id = $1";
    let values = vec![value::id(id), now.into()];
    Ok(tx.execute(sql, values).await? == 1)
}

/// Puts the dead deliveries of a destination made since a time back to wait; trials stay what they
/// were.
pub async fn recover(
    tx: &mut Tx,
    destination: &str,
    since: Timestamp,
    now: Timestamp,
) -> Result<u64, Error> {
    let sql = "UPDATE delivery SET state = 'waiting', next_at = $3, first_attempt_at = NULL,
               completed_at = NULL WHERE destination = $1 AND state = 'dead' AND reason <> 'test'
               AND created_at >= $2";
    tx.execute(sql, args![destination, since, now]).await
}

/// Gives up everything that waits for a destination, which is gone.
pub async fn give_up(tx: &mut Tx, destination: &str, now: Timestamp) -> Result<u64, Error> {
    let sql = "UPDATE delivery SET state = 'dead', completed_at = $2,
               error = 'the destination was deleted'
               WHERE destination = $1 AND state = 'waiting'";
    tx.execute(sql, args![destination, now]).await
}

/// Deletes deliveries that ended before a time, with their attempts; `limit` at most.
pub async fn sweep(tx: &mut Tx, before: Timestamp, limit: usize) -> Result<u64, Error> {
    let old = "SELECT id FROM delivery WHERE completed_at < $1 AND state <> 'waiting'
               ORDER BY completed_at, id LIMIT $2";
    let sql = format!("DELETE FROM delivery_attempt WHERE delivery IN ({old})");
    tx.execute(sql, args![before, limit]).await?;
    tx.execute(format!("DELETE FROM delivery WHERE id IN ({old})"), args![before, limit]).await
}

/// The delivery with this identifier.
pub async fn find(link: &mut Link, id: DeliveryId) -> Result<Option<Delivery>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM delivery WHERE id = $1");
    link.row(sql, vec![value::id(id)]).await?.as_ref().map(read).transpose()
}

/// Every attempt at a delivery, the newest first, `limit` at most.
pub async fn attempts(
    link: &mut Link,
    id: DeliveryId,
    limit: usize,
) -> Result<Vec<Attempt>, Error> {
    let sql = "SELECT * FROM delivery_attempt WHERE delivery = $1 ORDER BY number DESC LIMIT $2";
    let rows = link.rows(sql, vec![value::id(id), limit.into()]).await?;
    let read = |row: &Row| {
        Ok(Attempt {
            delivery: row.id("delivery")?,
            number: row.int("number")?,
            at: row.time("at")?,
            took_us: row.int("took_us")?,
            outcome: row.text("outcome")?,
            status: row.maybe_int("status")?,
            request: row.text("request")?,
            response: row.text("response")?,
            error: row.maybe_text("error")?,
            node: row.text("node")?,
        })
    };
    rows.iter().map(read).collect()
}
