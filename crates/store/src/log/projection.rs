//! Projections of the log: random keys, words and hourly counts, kept a moment behind by a cursor.
//!
//! Inserting them in batches after sealing keeps the cost of random keys out of the path that
//! callers wait for. Readers see the tail that is not projected yet as well ([`super::search`]).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chancery_event::{Event, LogIndex, Timestamp, search};

use super::move_cursor;
use crate::filter_sql::Dialect;
use crate::{Error, SqlValue, Tx, args};

/// Name of the projection's cursor.
pub(crate) const CURSOR: &str = "projection";

/// Start of the hour or day, type, severity, result, origin.
pub(super) type Bucket = (i64, Cow<'static, str>, &'static str, &'static str, &'static str);
pub(super) type Rows = Vec<Vec<SqlValue>>;

/// What projecting some events writes, made before the transaction: while one is open, everybody
/// else who writes waits.
pub struct Projection {
    from: LogIndex,
    to: LogIndex,
    events: Vec<(LogIndex, Arc<Event>)>,
    /// Targets, keys, words.
    rows: Mutex<Option<[Rows; 3]>>,
    hours: BTreeMap<Bucket, i64>,
    spans: BTreeMap<i64, (LogIndex, LogIndex)>,
}

impl Projection {
    /// The projection of events `from..`, which follow each other and which signed checkpoints
    /// cover.
    pub fn new(from: LogIndex, events: Vec<(LogIndex, Arc<Event>)>) -> Self {
        let to = LogIndex(from.0 + events.len() as u64);
        let mut hours: BTreeMap<Bucket, i64> = BTreeMap::new();
        let mut spans: BTreeMap<i64, (LogIndex, LogIndex)> = BTreeMap::new();
        for (index, event) in &events {
            let bucket = bucket(event);
            let hour = bucket.0;
            *hours.entry(bucket).or_default() += 1;
            spans.entry(hour).or_insert((*index, *index)).1 = *index;
        }
        let rows = Mutex::new(Some(rows_of(&events)));
        Self { from, to, events, rows, hours, spans }
    }
}

/// The hour and what else an event is counted by.
pub(super) fn bucket(event: &Event) -> Bucket {
    (
        event.time.micros().div_euclid(Timestamp::HOUR) * Timestamp::HOUR,
        event.type_name.clone(),
        event.severity.as_str(),
        event.outcome.result.as_str(),
        event.origin.as_str(),
    )
}

pub(super) fn rows_of(events: &[(LogIndex, Arc<Event>)]) -> [Rows; 3] {
    let mut targets = Vec::new();
    let mut keys = Vec::new();
    let mut words = Vec::with_capacity(events.len());
    for (index, event) in events {
        targets.extend(search::targets(event).map(|reference| (reference, *index)));
        keys.extend(keys_of(event, *index));
        words.push(args![*index, search::words(event)]);
    }
    // Sorted, so that neighbouring keys land on the same pages.
    targets.sort_unstable();
    keys.sort_unstable();
    let targets = targets.into_iter().map(|(reference, index)| args![reference, index]).collect();
    let keys = keys.into_iter().map(|(name, value, index)| args![name, value, index]).collect();
    [targets, keys, words]
}

/// A row of words as the text index takes them.
pub(super) fn stored(dialect: Dialect, mut row: Vec<SqlValue>) -> Vec<SqlValue> {
    if let Some(SqlValue::Text(words)) = row.last_mut()
        && let Cow::Owned(stored) = dialect.stored_words(words)
    {
        *words = stored;
    }
    row
}

/// Writes a projection and moves the cursor, all in `tx`.
///
/// # Errors
/// [`Error::Conflict`] if the cursor does not stand where the projection begins.
pub async fn project(tx: &mut Tx, projection: &Projection, now: Timestamp) -> Result<(), Error> {
    let Projection { from, to, .. } = *projection;
    if projection.events.is_empty() {
        return Ok(());
    }
    move_cursor(tx, CURSOR, from, to, now).await?;
    // A transaction that runs again has the rows made again.
    let made = projection.rows.lock().ok().and_then(|mut rows| rows.take());
    let [targets, keys, words] = made.unwrap_or_else(|| rows_of(&projection.events));
    tx.insert_many("INSERT INTO event_target (reference, log_index)", "", targets).await?;
    tx.insert_many("INSERT INTO event_key (name, value, log_index)", "", keys).await?;
    forget_erased(tx, from, to).await?;
    let (head, tail) = tx.dialect().event_words();
    let words = words.into_iter().map(|row| stored(tx.dialect(), row)).collect();
    tx.insert_many(head, tail, words).await?;
    count(tx, &projection.hours).await?;
    let row = |(hour, (first, last)): (&i64, &(LogIndex, LogIndex))| args![*hour, *first, *last];
    let rows = projection.spans.iter().map(row).collect();
    // The log is projected in order: what is there already begins earlier.
    let tail = "ON CONFLICT (hour) DO UPDATE SET last_index = excluded.last_index";
    tx.insert_many("INSERT INTO event_span (hour, first_index, last_index)", tail, rows).await
}

/// Adds to the counts per hour and per day.
pub(super) async fn count(tx: &mut Tx, hours: &BTreeMap<Bucket, i64>) -> Result<(), Error> {
    let mut days: BTreeMap<Bucket, i64> = BTreeMap::new();
    for ((hour, kind, severity, result, origin), events) in hours {
        let day = hour.div_euclid(Timestamp::DAY) * Timestamp::DAY;
        *days.entry((day, kind.clone(), *severity, *result, *origin)).or_default() += events;
    }
    for (table, unit, counts) in [("event_hour", "hour", hours), ("event_day", "day", &days)] {
        let rows = counts
            .iter()
            .map(|((start, kind, severity, result, origin), events)| {
                args![*start, &**kind, *severity, *result, *origin, *events]
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

pub(crate) fn keys_of(
    event: &Event,
    index: LogIndex,
) -> impl Iterator<Item = (&'static str, String, LogIndex)> {
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
