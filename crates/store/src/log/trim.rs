//! Removing events from the hot tables, and what is left to tell of them.
//!
//! Whoever calls [`trim`] has made sure that the entries are in the archive and that no consumer
//! still needs them. What goes: the row with its personal part, targets, keys, words, its share of
//! the counts, and with the last event of an hour or a block what is noted of that. What stays:
//! hash tiles, checkpoints, and where and by whom it was removed.
//!
//! Sealed bytes and indexes never change by this.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_event::id::EventId;
use chancery_event::{Event, LogIndex, Timestamp};

use super::projection::{Bucket, Rows, bucket, count};
use super::search::block_count::BlockCounts;
use crate::{Error, Link, Tx, args, value};

/// An identifier that was removed before stays with its first place: a second event of it must not
/// stop the run for ever.
pub(super) const KNOWN: &str = "ON CONFLICT (id) DO NOTHING";
/// A setting: counts the changes of legal holds.
pub(crate) const HOLDS: &str = "legal_holds_revision";

/// By what an event was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Its place in the log.
    pub index: LogIndex,
    /// The run, which has the identifier of its event.
    pub run: EventId,
    /// Name of the rule.
    pub rule: String,
    /// What the rule said then, in a sentence.
    pub rule_text: String,
    /// When the run began.
    pub at: Timestamp,
}

/// Which revision the legal holds have.
pub(crate) async fn holds_revision(link: &mut Link) -> Result<i64, Error> {
    let row = link.row("SELECT value FROM setting WHERE name = $1", args![HOLDS]).await?;
    let text = row.map(|row| row.text("value")).transpose()?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// As [`holds_revision`], and nobody changes them until the transaction on a server has ended. Each
/// of its statements must see what is committed by then.
pub(super) async fn holds_kept(link: &mut Link) -> Result<i64, Error> {
    // Before the first hold there is no row that could be locked. Whoever places that hold at this
    // moment either has made the row, and is waited for here, or finds this one and waits.
    let sql = "INSERT INTO setting (name, value) VALUES ($1, '0')
               ON CONFLICT (name) DO NOTHING";
    link.execute(sql, args![HOLDS]).await?;
    link.execute("SELECT value FROM setting WHERE name = $1 FOR SHARE", args![HOLDS]).await?;
    holds_revision(link).await
}

/// Removes events, all or none of them, as part of `run`.
///
/// # Errors
/// [`Error::Conflict`] if one of them is gone already, or the legal holds have another revision
/// than they were judged by.
pub async fn trim(
    tx: &mut Tx,
    run: EventId,
    holds: i64,
    events: &[(LogIndex, Arc<Event>)],
) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    if holds_revision(tx).await? != holds {
        return Err(Error::Conflict("a legal hold"));
    }
    let gone = (
        "WITH gone (log_index) AS (",
        ") DELETE FROM event WHERE log_index IN (SELECT log_index FROM gone)",
    );
    // Sets the savepoint of the unit.
    tx.execute("DELETE FROM removed_span WHERE first_index < 0", Vec::new()).await?;
    let indexes = events.iter().map(|(index, _)| args![*index]).collect();
    if tx.link.insert_rows(gone.0, gone.1, indexes).await? != events.len() as u64 {
        return Err(Error::Conflict("the log"));
    }
    let mut rows = Rows::new(events.len());
    for (index, event) in events {
        rows.push(tx.dialect(), event, *index);
    }
    rows.sort();
    let ([(_, targets), (_, keys)], words) = rows.tables();
    let (head, tail) = (
        "WITH gone (reference, log_index) AS (",
        ") DELETE FROM event_target WHERE (reference, log_index) IN
         (SELECT reference, log_index FROM gone)",
    );
    tx.insert_sheet(head, tail, targets, 256).await?;
    let (head, tail) = (
        "WITH gone (name, value, log_index) AS (",
        ") DELETE FROM event_key WHERE (name, value, log_index) IN
         (SELECT name, value, log_index FROM gone)",
    );
    tx.insert_sheet(head, tail, keys, 256).await?;
    let (head, tail) = tx.dialect().delete_event_words();
    tx.insert_sheets(head, tail, words, 256).await?;
    uncount(tx, events).await?;
    super::search::block::forget(tx, events).await?;
    let rows = events.iter().map(|(index, event)| vec![value::id(event.id), (*index).into()]);
    let rows = rows.collect();
    tx.insert_many("INSERT INTO removed_event (id, log_index)", KNOWN, rows).await?;
    note_spans(tx, run, events).await
}

async fn uncount(tx: &mut Tx, events: &[(LogIndex, Arc<Event>)]) -> Result<(), Error> {
    let mut hours: BTreeMap<Bucket, i64> = BTreeMap::new();
    let mut blocks = BlockCounts::default();
    for (index, event) in events {
        *hours.entry(bucket(event)).or_default() -= 1;
        blocks.add(event, *index, -1);
    }
    count(tx, &hours).await?;
    blocks.write(tx).await?;
    blocks.forget(tx).await?;
    let first = hours.keys().next().map_or(0, |bucket| bucket.0);
    let last = hours.keys().next_back().map_or(0, |bucket| bucket.0);
    let sql = "DELETE FROM event_hour WHERE hour >= $1 AND hour <= $2 AND events <= 0";
    tx.execute(sql, args![first, last]).await?;
    let day = |hour: i64| hour.div_euclid(Timestamp::DAY) * Timestamp::DAY;
    let sql = "DELETE FROM event_day WHERE day >= $1 AND day <= $2 AND events <= 0";
    tx.execute(sql, args![day(first), day(last)]).await?;
    // Of an hour that counts nothing there is no place to look at.
    let sql = "DELETE FROM event_span WHERE hour >= $1 AND hour <= $2
               AND NOT EXISTS (SELECT 1 FROM event_hour h WHERE h.hour = event_span.hour)";
    tx.execute(sql, args![first, last]).await.map(|_| ())
}

/// Notes who removed the events: one row for neighbours, also over batches.
async fn note_spans(
    tx: &mut Tx,
    run: EventId,
    events: &[(LogIndex, Arc<Event>)],
) -> Result<(), Error> {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for (index, _) in events {
        match spans.last_mut() {
            Some(span) if span.1 + 1 == index.0 => span.1 = index.0,
            _ => spans.push((index.0, index.0)),
        }
    }
    let run = run.to_string();
    let mut spans = spans.into_iter();
    if let Some((first, last)) = spans.next() {
        let sql = "UPDATE removed_span SET last_index = $2
                   WHERE run = $3 AND last_index = $1 - 1 AND first_index =
                   (SELECT MAX(first_index) FROM removed_span WHERE first_index < $1)";
        if tx.execute(sql, args![first, last, &run]).await? == 0 {
            let sql = "INSERT INTO removed_span (first_index, last_index, run) VALUES ($1, $2, $3)";
            tx.execute(sql, args![first, last, &run]).await?;
        }
    }
    let rows = spans.map(|(first, last)| args![first, last, &run]).collect();
    tx.insert_many("INSERT INTO removed_span (first_index, last_index, run)", "", rows).await
}

/// Where the event stood that has this identifier and was removed.
pub async fn removed_index(link: &mut Link, id: EventId) -> Result<Option<LogIndex>, Error> {
    let sql = "SELECT log_index FROM removed_event WHERE id = $1";
    let row = link.row(sql, vec![value::id(id)]).await?;
    row.map(|row| row.count("log_index").map(LogIndex)).transpose()
}

/// By what the event at an index was removed; `None`: it was not.
pub async fn removal(link: &mut Link, index: LogIndex) -> Result<Option<Removal>, Error> {
    let sql = "SELECT s.run, r.rule, r.rule_text, r.started_at
               FROM (SELECT run, last_index FROM removed_span WHERE first_index <= $1
                     ORDER BY first_index DESC LIMIT 1) AS s
               JOIN retention_run r ON r.id = s.run WHERE s.last_index >= $1";
    let row = link.row(sql, args![index]).await?;
    row.map(|row| {
        Ok(Removal {
            index,
            run: row.id("run")?,
            rule: row.text("rule")?,
            rule_text: row.text("rule_text")?,
            at: row.time("started_at")?,
        })
    })
    .transpose()
}

/// Which of the entries `from..to` were removed: first and last of each row of neighbours, in
/// order.
pub async fn removed_spans(link: &mut Link, from: u64, to: u64) -> Result<Vec<(u64, u64)>, Error> {
    // Spans do not overlap: the last one that begins before the range may reach into it.
    let sql = "SELECT first_index, last_index FROM removed_span
               WHERE first_index < $2 AND last_index >= $1 AND first_index >= coalesce(
                   (SELECT MAX(first_index) FROM removed_span WHERE first_index <= $1), 0)
               ORDER BY first_index";
    link.rows(sql, args![from, to])
        .await?
        .iter()
        .map(|row| Ok((row.count("first_index")?.max(from), row.count("last_index")?.min(to - 1))))
        .collect()
}

/// The first and the last entry of all that were removed; `None`: none were.
pub async fn removed_bounds(link: &mut Link) -> Result<Option<(u64, u64)>, Error> {
    // Spans do not overlap: the one that begins last ends last.
    let sql = "SELECT first_index, (SELECT last_index FROM removed_span
                   ORDER BY first_index DESC LIMIT 1) AS last_index
               FROM removed_span ORDER BY first_index LIMIT 1";
    let row = link.row(sql, vec![]).await?;
    row.map(|row| Ok((row.count("first_index")?, row.count("last_index")?))).transpose()
}

/// How many events a run removed, the first of them and the last.
pub async fn removed_by(
    link: &mut Link,
    run: EventId,
) -> Result<(u64, Option<LogIndex>, Option<LogIndex>), Error> {
    let sql = "SELECT MIN(first_index) AS first, MAX(last_index) AS last,
               CAST(SUM(last_index - first_index + 1) AS BIGINT) AS n
               FROM removed_span WHERE run = $1";
    let Some(row) = link.row(sql, vec![value::id(run)]).await? else { return Ok((0, None, None)) };
    let number = |name: &str| -> Result<Option<u64>, Error> {
        Ok(row.maybe_int(name)?.and_then(|index| u64::try_from(index).ok()))
    };
    let index = |name: &str| number(name).map(|found| found.map(LogIndex));
    Ok((number("n")?.unwrap_or(0), index("first")?, index("last")?))
}
