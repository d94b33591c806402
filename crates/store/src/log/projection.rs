//! Projections of the log: random keys, words and hourly counts, kept a moment behind by a cursor.
//!
//! Inserting them in batches after sealing keeps the cost of random keys out of the path that
//! callers wait for. Readers see the tail that is not projected yet as well ([`super::search`]).

use std::collections::BTreeMap;

use chancery_event::{LogIndex, Timestamp, search};

use super::{Sealed, move_cursor};
use crate::{Error, Tx, args};

/// Name of the projection's cursor.
pub(crate) const CURSOR: &str = "projection";

/// Start of the hour or day, type, severity, result, origin.
type Bucket<'a> = (i64, &'a str, &'a str, &'a str, &'a str);

/// A sealed event with the words it is found by.
#[derive(Debug)]
pub struct ProjectedEvent<'a> {
    /// The event.
    pub sealed: &'a Sealed,
    /// Its words, lower-case, separated by spaces.
    pub words: String,
}

/// Projects events `from..`, which must be contiguous, and moves the cursor, all in `tx`.
pub async fn project(
    tx: &mut Tx,
    from: LogIndex,
    events: &[ProjectedEvent<'_>],
    now: Timestamp,
) -> Result<(), Error> {
    let Some(last) = events.last() else { return Ok(()) };
    let to = LogIndex(last.sealed.index().0 + 1);
    move_cursor(tx, CURSOR, from, to, now).await?;
    let mut targets = Vec::new();
    let mut keys = Vec::new();
    let mut words = Vec::new();
    let mut hours: BTreeMap<Bucket<'_>, i64> = BTreeMap::new();
    let mut spans: BTreeMap<i64, (LogIndex, LogIndex)> = BTreeMap::new();
    for projected in events {
        let (event, index) = (projected.sealed.event(), projected.sealed.index());
        targets.extend(search::targets(event).map(|reference| (reference, index)));
        keys.extend(keys_of(projected.sealed));
        words.push(args![index, tx.dialect().stored_words(&projected.words).into_owned()]);
        let hour = event.time.micros().div_euclid(Timestamp::HOUR) * Timestamp::HOUR;
        let bucket = (
            hour,
            &*event.type_name,
            event.severity.as_str(),
            event.outcome.result.as_str(),
            event.origin.as_str(),
        );
        *hours.entry(bucket).or_default() += 1;
        spans.entry(hour).or_insert((index, index)).1 = index;
    }
    // Sorted, so that neighbouring keys land on the same pages.
    targets.sort_unstable();
    keys.sort_unstable();
    let rows = targets.into_iter().map(|(reference, index)| args![reference, index]).collect();
    tx.insert_many("INSERT INTO event_target (reference, log_index)", "", rows).await?;
    let rows = keys.into_iter().map(|(name, value, index)| args![name, value, index]).collect();
    tx.insert_many("INSERT INTO event_key (name, value, log_index)", "", rows).await?;
    forget_erased(tx, from, to).await?;
    let (head, tail) = tx.dialect().event_words();
    tx.insert_many(head, tail, words).await?;
    count(tx, hours).await?;
    let rows = spans.into_iter().map(|(hour, (first, last))| args![hour, first, last]).collect();
    // The log is projected in order: what is there already begins earlier.
    let tail = "ON CONFLICT (hour) DO UPDATE SET last_index = excluded.last_index";
    tx.insert_many("INSERT INTO event_span (hour, first_index, last_index)", tail, rows).await
}

/// Adds to the counts per hour and per day.
async fn count(tx: &mut Tx, hours: BTreeMap<Bucket<'_>, i64>) -> Result<(), Error> {
    let mut days: BTreeMap<Bucket<'_>, i64> = BTreeMap::new();
    for ((hour, kind, severity, result, origin), events) in &hours {
        let day = hour.div_euclid(Timestamp::DAY) * Timestamp::DAY;
        *days.entry((day, *kind, *severity, *result, *origin)).or_default() += events;
    }
    for (table, unit, counts) in [("event_hour", "hour", hours), ("event_day", "day", days)] {
        let rows = counts
            .into_iter()
            .map(|((start, kind, severity, result, origin), events)| {
                args![start, kind, severity, result, origin, events]
            })
            .collect();
        let head = format!("INSERT INTO {table} ({unit}, type, severity, result, origin, events)");
        let tail = format!(
            "ON CONFLICT ({unit}, type, severity, result, origin)
             DO UPDATE SET events = {table}.events + excluded.events"
        );
        tx.insert_many(&head, &tail, rows).await?;
    }
    Ok(())
}

/// The events were read before this transaction began. Whose personal part was erased in between
/// must not get its keys back.
async fn forget_erased(tx: &mut Tx, from: LogIndex, to: LogIndex) -> Result<(), Error> {
    let sql = "DELETE FROM event_key
               WHERE log_index >= $1 AND log_index < $2 AND name IN ('actor_name', 'client_ip')
               AND log_index IN (SELECT e.log_index FROM event e
                   WHERE e.log_index >= $1 AND e.log_index < $2 AND e.part IS NULL)";
    tx.execute(sql, args![from, to]).await.map(|_| ())
}

pub(crate) fn keys_of(sealed: &Sealed) -> impl Iterator<Item = (&'static str, String, LogIndex)> {
    let (event, index) = (sealed.event(), sealed.index());
    let personal = event.personal();
    [
        ("actor_id", event.actor.id.as_deref().map(str::to_ascii_lowercase)),
        ("actor_name", personal.and_then(|p| p.actor_name.as_deref()).map(str::to_ascii_lowercase)),
        ("client_ip", personal.and_then(|p| p.client_ip.as_deref()).map(str::to_ascii_lowercase)),
        ("transaction", event.transaction.map(|id| id.to_string())),
        ("cause", event.cause.map(|id| id.to_string())),
    ]
    .into_iter()
    .filter_map(move |(name, value)| Some((name, value?, index)))
}
