//! Projections of the log: random keys, words and hourly counts, kept a moment behind by a cursor.
//!
//! Inserting them in batches after sealing keeps the cost of random keys out of the path that
//! callers wait for. Readers see the tail that is not projected yet as well ([`super::search`]).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_event::id::Id;
use chancery_event::{Event, LogIndex, Timestamp, search};

use super::move_cursor;
use super::search::block::Blocks;
use super::search::block_count::BlockCounts;
use crate::filter_sql::Dialect;
use crate::sheet::{Sheet, Sheets};
use crate::{Error, Tx, args};

/// Name of the projection's cursor.
pub(crate) const CURSOR: &str = "projection";

const TARGET_HEAD: &str = "INSERT INTO event_target (reference, log_index)";
const KEY_HEAD: &str = "INSERT INTO event_key (name, value, log_index)";

/// Start of the hour or day, type, severity, result, origin.
pub(super) type Bucket = (i64, Cow<'static, str>, &'static str, &'static str, &'static str);

/// What events are searched by, as rows.
pub(crate) struct Rows {
    targets: Sheet,
    keys: Sheet,
    words: Sheets,
    text: String,
    /// Events still to come.
    left: usize,
}

impl Rows {
    /// No rows yet; room for those of so many events.
    pub(crate) fn new(events: usize) -> Self {
        Self {
            targets: Sheet::new(2, events, 64),
            keys: Sheet::new(3, events * 4, 48),
            words: Sheets::new(2, 1_024),
            left: events,
            text: String::new(),
        }
    }

    /// Adds those of an event.
    pub(crate) fn push(&mut self, dialect: Dialect, event: &Event, index: LogIndex) {
        for reference in search::targets(event) {
            self.targets.push(&reference);
            self.targets.push(index);
        }
        let personal = event.personal();
        let mut key = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                self.keys.push(name);
                self.keys.push_lowered(value);
                self.keys.push(index);
            }
        };
        key("actor_id", event.actor.id.as_deref());
        key("actor_name", personal.and_then(|p| p.actor_name.as_deref()));
        key("client_ip", personal.and_then(|p| p.client_ip.as_deref()));
        for (name, id) in
            [("transaction", event.transaction.map(Id::uuid)), ("cause", event.cause.map(Id::uuid))]
        {
            if let Some(id) = id {
                let mut text = [0; 36];
                key(name, Some(id.as_hyphenated().encode_lower(&mut text)));
            }
        }
        self.text.clear();
        search::write_words(&mut self.text, event);
        let words = self.words.next(self.left.max(1));
        words.push(index);
        words.push(&*dialect.stored_words(&self.text));
        self.left = self.left.saturating_sub(1);
    }

    /// The tables, as the head of an insertion, with their rows; of words their own rows alone.
    pub(crate) fn tables(&self) -> ([(&'static str, &Sheet); 2], &Sheets) {
        ([(TARGET_HEAD, &self.targets), (KEY_HEAD, &self.keys)], &self.words)
    }

    /// Sorts them, so that neighbouring keys land on the same pages.
    pub(super) fn sort(&mut self) {
        self.targets.sort();
        self.keys.sort();
    }
}

/// Inserts what events are searched by, words last.
pub(crate) async fn write_rows(tx: &mut Tx, rows: &Rows) -> Result<(), Error> {
    tx.insert_sheet(TARGET_HEAD, "", &rows.targets, 256).await?;
    tx.insert_sheet(KEY_HEAD, "", &rows.keys, 256).await?;
    let (head, tail) = tx.dialect().event_words();
    // One by one: the text index writes itself out before each statement of several rows.
    tx.insert_sheets(head, tail, &rows.words, 1).await
}

/// What projecting some events writes, made before the transaction: while one is open, everybody
/// else who writes waits.
pub struct Projection {
    from: LogIndex,
    to: LogIndex,
    rows: Rows,
    hours: BTreeMap<Bucket, i64>,
    spans: BTreeMap<i64, (LogIndex, LogIndex)>,
    blocks: Blocks,
    block_counts: BlockCounts,
}

impl Projection {
    /// The projection of events `from..` in order, which signed checkpoints cover, for a store of
    /// this dialect. Between two that do not follow each other, events were removed: a log that
    /// moved is projected anew.
    pub fn new(dialect: Dialect, from: LogIndex, events: &[(LogIndex, Arc<Event>)]) -> Self {
        let to = events.last().map_or(from, |(last, _)| LogIndex(last.0 + 1));
        let mut hours: BTreeMap<Bucket, i64> = BTreeMap::new();
        let mut spans: BTreeMap<i64, (LogIndex, LogIndex)> = BTreeMap::new();
        let mut rows = Rows::new(events.len());
        let mut blocks = Blocks::default();
        let mut block_counts = BlockCounts::default();
        for (index, event) in events {
            blocks.push(event, *index);
            block_counts.add(event, *index, 1);
            let bucket = bucket(event);
            let hour = bucket.0;
            *hours.entry(bucket).or_default() += 1;
            spans.entry(hour).or_insert((*index, *index)).1 = *index;
            rows.push(dialect, event, *index);
        }
        rows.sort();
        Self { from, to, rows, hours, spans, blocks, block_counts }
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

/// Writes a projection and moves the cursor, all in `tx`.
///
/// # Errors
/// [`Error::Conflict`] if the cursor does not stand where the projection begins.
pub async fn project(tx: &mut Tx, projection: &Projection, now: Timestamp) -> Result<(), Error> {
    let Projection { from, to, .. } = *projection;
    if from == to {
        return Ok(());
    }
    move_cursor(tx, CURSOR, from, to, now).await?;
    write_rows(tx, &projection.rows).await?;
    forget_erased(tx, from, to).await?;
    projection.blocks.write(tx).await?;
    projection.block_counts.write(tx).await?;
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
