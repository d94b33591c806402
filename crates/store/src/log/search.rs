//! Searching sealed events: pages, facets, histogram, counts.
//!
//! Targets, keys, words and hourly counts are projected a moment behind the log. What depends on
//! them is answered by SQL up to the projection's cursor and in memory, by the same filter, behind
//! it: a reader never misses the newest events.
//!
//! Read in this order: `plan` (a filter taken apart), `class` (what a few hundred rows tell of all
//! events), `block` (where a value is not), `source` (where a search begins), this file (pages),
//! `counts`, `block_count` (counts of less than an hour), `bars`.

mod actors;
mod bars;
pub(super) mod block;
pub(super) mod block_count;
mod class;
mod columns;
mod counts;
mod plan;
mod source;
mod words;

use chancery_event::LogIndex;
use chancery_event::filter::Filter;
use chancery_event::search::Searchable;

use self::plan::{Plan, Span};
use self::source::{Found, Source};
use super::Sealed;
use super::sealed::{COLUMNS, read};
use crate::filter_sql::FilterSqlError;
use crate::{Error, Link, args};

pub use actors::{NEWEST as ACTORS_COUNTED, actors};
pub use bars::{Bucket, bars};
pub use counts::{Count, Counted, FacetGroup, count, facets};

/// Events read at once where the filter is evaluated in memory.
const CHUNK: u64 = 512;
/// An index that names fewer events than this is used at once; none is asked for more.
const MANY: u64 = 2_000;
/// Events at the end of the log that are looked at before an index is used: a filter that selects
/// many of them is answered there.
const NEAR: u64 = 1_000;

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

fn refused(error: FilterSqlError) -> Error {
    Error::Damaged(format!("filter: {error}"))
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
    let plan = Plan::new(link, filter, now_us).await?;
    let low = request.from.map_or(0, |index| index.0);
    let high = request.before.map_or(plan.sealed, |index| index.0);
    // One more than asked for tells whether there are more.
    let mut wanted = request.limit.saturating_add(1);
    let mut events = Vec::new();
    let found = if request.oldest_first { Found::OldestFirst } else { Found::NewestFirst };
    let (projected, tail) = plan.divided((low, high));
    let spans = if request.oldest_first { [projected, tail] } else { [tail, projected] };
    for span in spans {
        if span.0 >= span.1 || wanted == 0 {
            continue;
        }
        let more = if span == projected {
            let span = plan.narrowed(link, span).await?;
            let span = plan.within_days(link, span).await?;
            let mut events = Vec::new();
            for piece in plan.pieces(link, span, found).await? {
                let wanted = wanted - events.len();
                if wanted > 0 {
                    events.extend(plan.events(link, piece, true, found, wanted).await?);
                }
            }
            events
        } else if plan.lags {
            plan.matching(link, span, found, wanted).await?
        } else {
            plan.events(link, span, false, found, wanted).await?
        };
        wanted -= more.len();
        events.extend(more);
    }
    let more = events.len() > request.limit;
    events.truncate(request.limit);
    Ok(EventPage { events, more })
}

impl Plan {
    /// The events of a span by SQL.
    async fn events(
        &self,
        link: &mut Link,
        mut span: Span,
        projected: bool,
        found: Found,
        limit: usize,
    ) -> Result<Vec<Sealed>, Error> {
        if span.0 >= span.1 || self.is_void() {
            return Ok(Vec::new());
        }
        let (source, named) = self.source(link, span, projected, MANY).await?;
        let mut events = Vec::new();
        let by_words = matches!(source, Source::Words(..));
        if source != Source::Log && named >= MANY && !by_words {
            let near = if found == Found::OldestFirst {
                (span.0, span.1.min(span.0.saturating_add(NEAR)))
            } else {
                (span.0.max(span.1.saturating_sub(NEAR)), span.1)
            };
            events = self.rows(link, &Source::Log, near, found, limit).await?;
            span = if found == Found::OldestFirst { (near.1, span.1) } else { (span.0, near.0) };
        }
        if events.len() < limit && span.0 < span.1 {
            let rest = limit - events.len();
            events.extend(self.rows(link, &source, span, found, rest).await?);
        }
        Ok(events)
    }

    async fn rows(
        &self,
        link: &mut Link,
        source: &Source,
        span: Span,
        found: Found,
        limit: usize,
    ) -> Result<Vec<Sealed>, Error> {
        let (sql, values) = self.statement(source, COLUMNS, span, found, limit)?;
        link.rows(sql, values).await?.iter().map(read).collect()
    }

    /// The events of a span by the filter in memory, read in chunks from the end asked for.
    async fn matching(
        &self,
        link: &mut Link,
        mut span: Span,
        found: Found,
        limit: usize,
    ) -> Result<Vec<Sealed>, Error> {
        let oldest_first = found == Found::OldestFirst;
        let order = if oldest_first { "ASC" } else { "DESC" };
        let sql = format!(
            "SELECT {COLUMNS} FROM event e WHERE e.log_index >= $1 AND e.log_index < $2
             ORDER BY e.log_index {order}"
        );
        let mut events = Vec::new();
        while span.0 < span.1 && events.len() < limit {
            let chunk = if oldest_first {
                (span.0, span.1.min(span.0 + CHUNK))
            } else {
                (span.0.max(span.1.saturating_sub(CHUNK)), span.1)
            };
            span = if oldest_first { (chunk.1, span.1) } else { (span.0, chunk.0) };
            for row in link.rows(sql.clone(), args![chunk.0, chunk.1]).await? {
                let sealed = read(&row)?;
                let searchable = Searchable { event: sealed.event(), index: sealed.index() };
                if self.compiled.holds(&searchable, self.now_us) {
                    events.push(sealed);
                }
            }
        }
        events.truncate(limit);
        Ok(events)
    }
}
