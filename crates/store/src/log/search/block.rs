//! Blocks of the log: which values of few occur where.
//!
//! Some fields have few values, so that an index over them would name half of the log. What
//! matters is where a value does *not* occur: the projection notes for each block of the log which
//! values of these fields it has, and a search for a rare one reads those blocks alone. A block of
//! which some events were removed is still named; it is looked at and nothing is found. What is
//! noted of one goes with its last event.

use std::collections::BTreeSet;
use std::sync::Arc;

use chancery_event::filter::{Filter, Object as _, Scalar, Test, Value};
use chancery_event::search::{Searchable, schema};
use chancery_event::{Event, LogIndex};

use super::plan::{Plan, Span};
use super::source::Found;
use crate::{Error, Link, Tx, args};

/// Events of a block. The number is in the stored rows.
pub(super) const BLOCK: u64 = 256;
/// Blocks that are read one by one at most; what lies beyond is searched as if nothing were known.
const BLOCKS_MAX: usize = 512;
const FIELDS: [&str; 4] = ["node", "actor_kind", "subject_kind", "reason"];

/// What a run of events says of its blocks: field, value and block, each once.
#[derive(Default)]
pub(crate) struct Blocks {
    rows: Vec<(&'static str, String, u64)>,
    /// Where the newest block begins in them.
    newest: usize,
}

impl Blocks {
    /// Adds an event; they come in the order of the log.
    pub(crate) fn push(&mut self, event: &Event, index: LogIndex) {
        let block = index.0 / BLOCK;
        if self.rows.last().is_some_and(|row| row.2 != block) {
            self.newest = self.rows.len();
        }
        let searchable = Searchable { event, index };
        for field in FIELDS {
            for value in searchable.values(field).as_slice() {
                let Value::Text(text) = value else { continue };
                let known = &self.rows[self.newest..];
                if !known.iter().any(|(name, value, _)| *name == field && *value == text.as_ref()) {
                    self.rows.push((field, text.clone().into_owned(), block));
                }
            }
        }
    }

    /// Writes them; a block may have been written in part before.
    pub(crate) async fn write(&self, tx: &mut Tx) -> Result<(), Error> {
        let row = |(field, value, block): &(&'static str, String, u64)| {
            args![*field, value.to_ascii_lowercase(), *block]
        };
        let rows = self.rows.iter().map(row).collect();
        let tail = "ON CONFLICT (field, value, block) DO NOTHING";
        tx.insert_many("INSERT INTO event_block (field, value, block)", tail, rows).await
    }
}

/// The blocks that events are in.
fn around(events: &[(LogIndex, Arc<Event>)]) -> BTreeSet<u64> {
    events.iter().map(|(index, _)| index.0 / BLOCK).collect()
}

/// Forgets the blocks of events that were removed, where they are full and nothing of them is left.
///
/// One that is not full may get more: what is noted of that must stay.
pub(crate) async fn forget(tx: &mut Tx, removed: &[(LogIndex, Arc<Event>)]) -> Result<(), Error> {
    let tail = format!(
        ") DELETE FROM event_block WHERE block IN (
             SELECT gone.block FROM gone
             WHERE (gone.block + 1) * {BLOCK} <= (SELECT size FROM log_state)
             AND (SELECT e.log_index FROM event e WHERE e.log_index >= gone.block * {BLOCK}
                  AND e.log_index < (gone.block + 1) * {BLOCK} LIMIT 1) IS NULL)"
    );
    let rows = around(removed).into_iter().map(|block| args![block]).collect();
    tx.insert_many("WITH gone (block) AS (", &tail, rows).await
}

/// The blocks that lie whole in a range of log indexes: the first, and the one behind the last.
pub(crate) fn within(first: u64, end: u64) -> (u64, u64) {
    (first.div_ceil(BLOCK), end / BLOCK)
}

impl Plan {
    /// The pieces of a projected span in which events that are wanted may lie, in the order in
    /// which they are wanted. Neighbours are one piece; the last may be all the rest of the span.
    pub(super) async fn pieces(
        &self,
        link: &mut Link,
        span: Span,
        found: Found,
    ) -> Result<Vec<Span>, Error> {
        let mut best = None;
        for part in &self.parts {
            let Some((field, values)) = asked(part) else { continue };
            let blocks = blocks(link, field, values.as_deref(), span, found).await?;
            if best.as_ref().is_none_or(|best: &Vec<u64>| blocks.len() < best.len()) {
                best = Some(blocks);
            }
        }
        let Some(blocks) = best else { return Ok(vec![span]) };
        Ok(joined(&blocks, BLOCKS_MAX, span, found == Found::OldestFirst))
    }
}

/// The first `max` blocks as pieces of a span, neighbours as one, and all that lies beyond as
/// another.
fn joined(blocks: &[u64], max: usize, span: Span, oldest_first: bool) -> Vec<Span> {
    let mut pieces: Vec<Span> = Vec::new();
    for block in blocks.iter().take(max) {
        let (low, high) = (span.0.max(block * BLOCK), span.1.min((block + 1) * BLOCK));
        match pieces.last_mut() {
            Some(last) if last.1 == low => last.1 = high,
            Some(last) if last.0 == high => last.0 = low,
            _ => pieces.push((low, high)),
        }
    }
    match blocks.get(max) {
        Some(block) if oldest_first => pieces.push((block * BLOCK, span.1)),
        Some(block) => pieces.push((span.0, span.1.min((block + 1) * BLOCK))),
        None => {}
    }
    pieces
}

/// The field with blocks that a part asks for, and its values; `None` for any.
fn asked(part: &Filter) -> Option<(&'static str, Option<Vec<String>>)> {
    let Filter::Comparison(comparison) = part else { return None };
    let field = FIELDS.into_iter().find(|field| comparison.field == *field)?;
    match Test::new(comparison, schema()).ok()? {
        Test::Exists => Some((field, None)),
        Test::AnyOf { values, .. } => {
            let text = |value: Scalar| match value {
                Scalar::Text(text) => Some(text.to_ascii_lowercase()),
                _ => None,
            };
            Some((field, Some(values.into_iter().map(text).collect::<Option<_>>()?)))
        }
        _ => None,
    }
}

/// The blocks of a span that have one of these values, one more at most than are read.
async fn blocks(
    link: &mut Link,
    field: &str,
    values: Option<&[String]>,
    (low, high): Span,
    found: Found,
) -> Result<Vec<u64>, Error> {
    let mut arguments = args![field, low / BLOCK, high / BLOCK, BLOCKS_MAX + 1];
    let among = match values {
        Some([]) => return Ok(Vec::new()),
        Some(values) => {
            let first = arguments.len() + 1;
            let places: Vec<_> = (first..first + values.len()).map(|n| format!("${n}")).collect();
            arguments.extend(values.iter().map(|value| crate::SqlValue::from(value.as_str())));
            format!("AND value IN ({})", places.join(","))
        }
        None => String::new(),
    };
    let order = found.order();
    let sql = format!(
        "SELECT DISTINCT block FROM event_block WHERE field = $1 {among}
         AND block >= $2 AND block <= $3 ORDER BY block {order} LIMIT $4"
    );
    link.rows(sql, arguments).await?.iter().map(|row| row.count("block")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_pieces_and_what_lies_beyond_is_one_more() {
        let span = (100, 2_600);
        assert_eq!(joined(&[], 3, span, true), []);
        assert_eq!(joined(&[0, 1, 4], 3, span, true), [(100, 512), (1_024, 1_280)]);
        assert_eq!(joined(&[10, 4, 3], 3, span, false), [(2_560, 2_600), (768, 1_280)]);
        assert_eq!(joined(&[0, 2, 3, 9], 3, span, true)[2..], [(2_304, 2_600)]);
        assert_eq!(joined(&[0, 2, 3, 9], 3, span, true)[..2], [(100, 256), (512, 1_024)]);
        assert_eq!(joined(&[9, 3], 1, span, false), [(2_304, 2_560), (100, 1_024)]);
    }
}
