//! Counts per block of the log: what happened in less than an hour.
//!
//! Events come nearly in the order of time, so most blocks lie whole in the asked time, or in one
//! bar of a histogram, or outside. Only of those that a boundary divides the events are read. A
//! block that gets more events is not used: what was counted and what is left to count must meet
//! where the projection stood when counting began.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chancery_event::{Event, LogIndex};

use super::block::BLOCK;
use super::counts::{Grouping, Tally};
use super::plan::Plan;
use super::source::Source;
use crate::{Error, Link, Tx, args};

/// Blocks that are added up at most: ten million events.
const BLOCKS_MAX: u64 = 40_000;

/// More blocks than this are added up only where nothing else tells: two million events.
const BLOCKS_MANY: u64 = 8_000;

/// Block, type, severity, result, origin.
type Key = (u64, Cow<'static, str>, &'static str, &'static str, &'static str);

/// How many, and when the first and the last of them happened.
#[derive(Clone, Copy)]
struct Counted {
    events: i64,
    first: i64,
    last: i64,
}

/// What is to be added to the counts of blocks, or taken from them.
#[derive(Default)]
pub(crate) struct BlockCounts(BTreeMap<Key, Counted>);

impl BlockCounts {
    /// Adds an event so many times; −1 takes it away.
    pub(crate) fn add(&mut self, event: &Event, index: LogIndex, times: i64) {
        let at = event.time.micros();
        let key = (
            index.0 / BLOCK,
            event.type_name.clone(),
            event.severity.as_str(),
            event.outcome.result.as_str(),
            event.origin.as_str(),
        );
        let none = Counted { events: 0, first: at, last: at };
        let counted = self.0.entry(key).or_insert(none);
        counted.events += times;
        counted.first = counted.first.min(at);
        counted.last = counted.last.max(at);
    }

    /// Writes them; a block may have been written in part before.
    pub(crate) async fn write(&self, tx: &mut Tx) -> Result<(), Error> {
        let row = |((block, kind, severity, result, origin), counted): (&Key, &Counted)| {
            let Counted { events, first, last } = *counted;
            args![*block, &**kind, *severity, *result, *origin, events, first, last]
        };
        let rows = self.0.iter().map(row).collect();
        let head = "INSERT INTO event_block_count
             (block, type, severity, result, origin, events, first_time, last_time)";
        let tail = "ON CONFLICT (block, type, severity, result, origin) DO UPDATE SET
             events = event_block_count.events + excluded.events,
             first_time = CASE WHEN excluded.first_time < event_block_count.first_time
                 THEN excluded.first_time ELSE event_block_count.first_time END,
             last_time = CASE WHEN excluded.last_time > event_block_count.last_time
                 THEN excluded.last_time ELSE event_block_count.last_time END";
        tx.insert_many(head, tail, rows).await
    }

    /// Deletes those of these blocks that count nothing any more.
    pub(crate) async fn forget(&self, tx: &mut Tx) -> Result<(), Error> {
        let (Some((first, _)), Some((last, _))) =
            (self.0.first_key_value(), self.0.last_key_value())
        else {
            return Ok(());
        };
        let sql = "DELETE FROM event_block_count
                   WHERE block >= $1 AND block <= $2 AND events <= 0";
        tx.execute(sql, args![first.0, last.0]).await.map(|_| ())
    }
}

impl Plan {
    /// Whether so many blocks may have events between these times, whatever else is asked, that
    /// adding them up takes long.
    pub(super) async fn has_many_blocks(
        &self,
        link: &mut Link,
        (from, to): (i64, i64),
    ) -> Result<bool, Error> {
        let between = Self { times: (from, to), ..self.clone() };
        let (low, high) = between.narrowed(link, (0, self.projected)).await?;
        Ok(high.saturating_sub(low) / BLOCK > BLOCKS_MANY)
    }

    /// Adds what happened in the asked time, which has bounds, of the log up to `projected`.
    pub(super) async fn add_blocks(
        &self,
        link: &mut Link,
        projected: u64,
        grouping: Grouping,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        if self.is_void() {
            return Ok(());
        }
        let (low, high) = self.narrowed(link, (0, projected)).await?;
        if low >= high {
            return Ok(());
        }
        let full = projected / BLOCK;
        let (mut first, end) = (low / BLOCK, high.div_ceil(BLOCK).min(full));
        if end.saturating_sub(first) > BLOCKS_MAX {
            first = end - BLOCKS_MAX;
            tally.sampled = true;
        }
        let (from, to) = self.times;
        let mut values = args![from, to, first, end, low.max(full * BLOCK), high];
        let at = grouping.at(&mut values);
        let Some(fragment) = self.over_hours(values.len() + 1) else { return Ok(()) };
        values.extend(fragment.args);
        let fits = self.condition(&Source::Log, &mut values)?;
        let of_block = format!(
            "e.log_index >= d.block * {BLOCK} AND e.log_index < (d.block + 1) * {BLOCK} AND {fits}"
        );
        let sql = format!(
            "WITH counted AS (
                 SELECT h.block, {at} AS at, h.type, h.severity, h.result, h.origin, h.events,
                     CASE WHEN h.first_time >= $1 AND h.last_time < $2 AND {at} = {at_last}
                     THEN 1 ELSE 0 END AS whole
                 FROM event_block_count h
                 WHERE h.block >= $3 AND h.block < $4 AND h.last_time >= $1 AND h.first_time < $2
                 AND {asked}
             ), divided AS (SELECT DISTINCT block FROM counted WHERE whole = 0)
             SELECT {group}, CAST(SUM(events) AS BIGINT) AS n FROM (
                 SELECT at, type, severity, result, origin, events FROM counted
                 WHERE block NOT IN (SELECT block FROM divided)
                 UNION ALL
                 SELECT {at_event} AS at, e.type, e.severity, e.result, e.origin, 1 AS events
                 FROM {events_divided}
                 UNION ALL
                 SELECT {at_event} AS at, e.type, e.severity, e.result, e.origin, 1 AS events
                 FROM event e WHERE e.log_index >= $5 AND e.log_index < $6 AND {fits}
             ) AS found GROUP BY {group_by}",
            at = at("h.first_time"),
            at_last = at("h.last_time"),
            at_event = at("e.time"),
            asked = fragment.sql,
            group = grouping.select("at"),
            group_by = grouping.group_by(),
            events_divided = self.dialect.each_with("divided AS d", "event", &of_block, BLOCK),
        );
        for row in link.rows(sql, values).await? {
            tally.add(&row)?;
        }
        Ok(())
    }
}
