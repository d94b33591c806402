//! Searching sealed events: pages, facets, histogram, counts.
//!
//! Targets, keys, words and hourly counts are projected a moment behind the log. What depends on
//! them is answered by SQL up to the projection's cursor and in memory, by the same filter, behind
//! it: a reader never misses the newest events.

mod columns;
mod counts;

use chancery_event::LogIndex;
use chancery_event::filter::{Filter, Schema};
use chancery_event::search::{Searchable, schema};

use self::columns::{EventColumns, lags};
use super::sealed::{COLUMNS, read};
use super::{Sealed, projection, range};
use crate::filter_sql::{Dialect, FilterSqlError, SqlFragment, compile};
use crate::{Error, Link, SqlValue, args};

pub use counts::{Bucket, Count, FacetGroup, count, facets, histogram};

/// Events read at once from the part that is not projected yet.
const TAIL_CHUNK: usize = 512;

/// Which page of events.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageRequest {
    /// Only events before this index.
    pub before: Option<LogIndex>,
    /// Only events from this index on.
    pub from: Option<LogIndex>,
    /// Ascending instead of descending.
    pub oldest_first: bool,
    /// Events at most.
    pub limit: usize,
}

/// A page of events.
#[derive(Debug)]
pub struct EventPage {
    /// The events, in the order asked for.
    pub events: Vec<Sealed>,
    /// There are more in that direction.
    pub more: bool,
}

/// A part of the log: from the first index, up to but not including the second.
type Span = (u64, u64);

fn refused(error: FilterSqlError) -> Error {
    Error::Damaged(format!("filter: {error}"))
}

/// The filter as SQL over `event e`, its placeholders beginning at `first`.
fn condition(filter: &Filter, now_us: i64, first: usize) -> Result<SqlFragment, Error> {
    compile(filter, &EventColumns, Dialect::Sqlite, now_us, first).map_err(refused)
}

/// How far the log is sealed, and how far of that SQL can answer this filter.
async fn reach(link: &mut Link, filter: &Filter) -> Result<(u64, u64), Error> {
    let sealed = super::state(link).await?.signed_size;
    if !lags(filter) {
        return Ok((sealed, sealed));
    }
    let projected = super::cursor(link, projection::CURSOR).await?.0;
    Ok((sealed, projected.min(sealed)))
}

/// A page of the sealed events that the filter selects.
///
/// # Errors
/// The filter does not fit the schema of events, or the store cannot be read.
pub async fn page(
    link: &mut Link,
    filter: &Filter,
    request: PageRequest,
    now_us: i64,
) -> Result<EventPage, Error> {
    let (sealed, by_sql) = reach(link, filter).await?;
    let low = request.from.map_or(0, |index| index.0);
    let high = request.before.map_or(sealed, |index| index.0.min(sealed));
    // One more than asked for tells whether there are more.
    let mut wanted = request.limit + 1;
    let mut events = Vec::new();
    let indexed = (low, high.min(by_sql));
    let tail = (low.max(by_sql), high);
    let spans = if request.oldest_first { [indexed, tail] } else { [tail, indexed] };
    for span in spans {
        if span.0 >= span.1 || wanted == 0 {
            continue;
        }
        let found = if span == tail && by_sql < sealed {
            tail_events(link, filter, span, request.oldest_first, wanted, now_us).await?
        } else {
            sql_events(link, filter, span, request.oldest_first, wanted, now_us).await?
        };
        wanted -= found.len();
        events.extend(found);
    }
    let more = events.len() > request.limit;
    events.truncate(request.limit);
    Ok(EventPage { events, more })
}

async fn sql_events(
    link: &mut Link,
    filter: &Filter,
    span: Span,
    oldest_first: bool,
    limit: usize,
    now_us: i64,
) -> Result<Vec<Sealed>, Error> {
    let fragment = condition(filter, now_us, 4)?;
    let order = if oldest_first { "ASC" } else { "DESC" };
    let sql = format!(
        "SELECT {COLUMNS} FROM event e WHERE e.log_index >= $1 AND e.log_index < $2
         AND ({}) ORDER BY e.log_index {order} LIMIT $3",
        fragment.sql
    );
    let mut values: Vec<SqlValue> = args![span.0, span.1, limit];
    values.extend(fragment.args);
    link.rows(sql, values).await?.iter().map(read).collect()
}

/// Reads the unprojected part and evaluates the filter in memory.
async fn tail_events(
    link: &mut Link,
    filter: &Filter,
    span: Span,
    oldest_first: bool,
    limit: usize,
    now_us: i64,
) -> Result<Vec<Sealed>, Error> {
    let mut found = matching(link, filter, schema(), span, now_us).await?;
    if !oldest_first {
        found.reverse();
    }
    found.truncate(limit);
    Ok(found)
}

/// All events of a span that the filter selects, in order, evaluated in memory.
async fn matching(
    link: &mut Link,
    filter: &Filter,
    schema: &Schema,
    span: Span,
    now_us: i64,
) -> Result<Vec<Sealed>, Error> {
    let compiled = filter.compile(schema).map_err(|error| refused(error.into()))?;
    let mut found = Vec::new();
    let mut from = span.0;
    while from < span.1 {
        let chunk = range(link, LogIndex(from), TAIL_CHUNK).await?;
        let Some(last) = chunk.last().map(|event| event.index().0) else { break };
        from = last + 1;
        found.extend(chunk.into_iter().filter(|sealed| {
            let searchable = Searchable { event: sealed.event(), index: sealed.index() };
            sealed.index().0 < span.1 && compiled.holds(&searchable, now_us)
        }));
    }
    Ok(found)
}
