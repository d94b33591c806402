//! Projections of the log: random keys, words and hourly counts, kept a moment behind by a cursor.
//!
//! Inserting them in batches after sealing keeps the cost of random keys out of the path that
//! callers wait for. Readers see the tail that is not projected yet as well ([`super::search`]).

use std::collections::BTreeMap;

use chancery_event::{LogIndex, Timestamp};

use super::{Sealed, move_cursor};
use crate::{Error, Tx, args};

/// Name of the projection's cursor.
pub(crate) const CURSOR: &str = "projection";

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
    let mut hours: BTreeMap<(i64, &str, &str, &str, &str), i64> = BTreeMap::new();
    for projected in events {
        let (event, index) = (projected.sealed.event(), projected.sealed.index());
        for target in &event.targets {
            targets.push((target.reference(), index));
        }
        keys.extend(keys_of(projected.sealed));
        words.push(args![index, &projected.words]);
        let hour = event.time.micros().div_euclid(Timestamp::HOUR) * Timestamp::HOUR;
        let bucket = (
            hour,
            &*event.type_name,
            event.severity.as_str(),
            event.outcome.result.as_str(),
            event.origin.as_str(),
        );
        *hours.entry(bucket).or_default() += 1;
    }
    // Sorted, so that neighbouring keys land on the same pages.
    targets.sort_unstable();
    targets.dedup();
    keys.sort_unstable();
    let rows = targets.into_iter().map(|(reference, index)| args![reference, index]).collect();
    tx.insert_many("INSERT INTO event_target (reference, log_index)", "", rows).await?;
    let rows = keys.into_iter().map(|(name, value, index)| args![name, value, index]).collect();
    tx.insert_many("INSERT INTO event_key (name, value, log_index)", "", rows).await?;
    tx.insert_many("INSERT INTO event_text (rowid, words)", "", words).await?;
    let rows = hours
        .into_iter()
        .map(|((hour, kind, severity, result, origin), count)| {
            args![hour, kind, severity, result, origin, count]
        })
        .collect();
    let tail = "ON CONFLICT (hour, type, severity, result, origin)
                DO UPDATE SET events = event_hour.events + excluded.events";
    let head = "INSERT INTO event_hour (hour, type, severity, result, origin, events)";
    tx.insert_many(head, tail, rows).await
}

pub(crate) fn keys_of(sealed: &Sealed) -> impl Iterator<Item = (&'static str, String, LogIndex)> {
    let (event, index) = (sealed.event(), sealed.index());
    let personal = event.personal();
    [
        ("actor_id", event.actor.id.clone()),
        ("actor_name", personal.and_then(|p| p.actor_name.as_deref()).map(str::to_ascii_lowercase)),
        ("client_ip", personal.and_then(|p| p.client_ip.clone())),
        ("transaction", event.transaction.map(|id| id.to_string())),
        ("cause", event.cause.map(|id| id.to_string())),
    ]
    .into_iter()
    .filter_map(move |(name, value)| Some((name, value?, index)))
}
