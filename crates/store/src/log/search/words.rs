//! How events with words are found on a server.
//!
//! Its index of words answers all events of a part of the log or none, and its planner knows little
//! of how frequent words are: it takes the beginning of one for a fiftieth of all events, and words
//! that stand together for as frequent as the product of each. So they are judged by the events at
//! the end of the log. If they are few, they are found once, by the index; what else is asked is
//! looked at on each of them.

use super::plan::{Plan, Span};
use super::source::{joined, push};
use crate::log::PART_WIDTH;
use crate::{Error, Link, SqlValue, args};

/// Events at the end of the log by which words are judged to be few.
const SAMPLE: u64 = 4_096;
/// Words that more than one of so many events have are found by looking at each.
const COMMON: u64 = 100;
/// Fewer events than this are found at once by the index of words.
const FEW: u64 = 5_000;

/// How events with words are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As the engine finds them. A server goes through the log from its end until it has enough.
    InOrder,
    /// Event by event along the log: they are so common that few are looked at in vain.
    Each,
    /// They are few and were found: their log indexes, with commas between.
    These(String),
}

impl Plan {
    /// How many events of a span have words, and how they are best found.
    pub(super) async fn number_with(
        &self,
        link: &mut Link,
        query: &str,
        (low, high): Span,
        many: u64,
    ) -> Result<(u64, Way), Error> {
        let (of, has) = self.words("$3");
        let each = self.dialect.each_has_words("event_text", "$3");
        let most = many.max(FEW);
        let mut these = Vec::new();

        let near = low.max(high.saturating_sub(SAMPLE));
        let values = args![near, high, query, most];
        let found = link.row(first_few(&of, &each), values).await?;
        let mut named = found.map_or(Ok(0), |row| add(&row, &mut these))?;
        let looked_at = (high - near).max(1);
        if named.saturating_mul(high - low) / looked_at >= most {
            let way = if named > looked_at / COMMON { Way::Each } else { Way::InOrder };
            return Ok((many, way));
        }
        let sql = first_few(&of, &has);
        let mut end = near;
        while low < end && named < most {
            let begin = low.max(end.saturating_sub(PART_WIDTH));
            let found = link.row(sql.clone(), args![begin, end, query, most - named]).await?;
            named += found.map_or(Ok(0), |row| add(&row, &mut these))?;
            end = begin;
        }
        let way = if named < most { Way::These(these.join(",")) } else { Way::InOrder };
        Ok((named.min(many), way))
    }

    /// The statement that looks at events with words in order, of the span `$1` to `$2` and `$3`
    /// of them at most.
    pub(super) fn with_words(
        &self,
        query: &str,
        way: &Way,
        select: &str,
        (order, fits): (&str, &str),
        values: &mut Vec<SqlValue>,
    ) -> String {
        let query = match way {
            Way::These(these) => return each(select, &push(values, these.as_str()), order, fits),
            Way::InOrder | Way::Each => push(values, query),
        };
        let (of, mut has) = self.words(&query);
        if *way == Way::Each {
            has = self.dialect.each_has_words("event_text", &query);
        }
        joined(select, "event_text", &of, order, fits, &has)
    }
}

/// Adds what [`first_few`] answers; how many they are.
fn add(row: &crate::Row, these: &mut Vec<String>) -> Result<u64, Error> {
    these.extend(row.maybe_text("these")?);
    row.count("n")
}

/// The first so many events that have words, and how many they are. All of them are gone through
/// until there are enough: of a limit the planner would conclude to read the part from its end.
fn first_few(of: &str, has: &str) -> String {
    format!(
        "WITH named AS MATERIALIZED (
             SELECT {of} AS at FROM event_text WHERE {has} AND {of} >= $1 AND {of} < $2
         )
         SELECT COUNT(*) AS n, string_agg(CAST(at AS TEXT), ',') AS these
         FROM (SELECT at FROM named LIMIT $4) AS few"
    )
}

/// The statement that looks at few events, whose log indexes are at a place, one by one in order
/// (`OFFSET 0` keeps the planner from joining otherwise).
fn each(select: &str, these: &str, order: &str, fits: &str) -> String {
    format!(
        "SELECT {select} FROM (
             SELECT CAST(at AS BIGINT) AS at
             FROM unnest(string_to_array(CAST({these} AS TEXT), ',')) AS at ORDER BY 1 {order}
         ) AS named CROSS JOIN LATERAL (
             SELECT * FROM event e WHERE e.log_index = named.at
             AND e.log_index >= $1 AND e.log_index < $2 AND {fits} OFFSET 0
         ) AS e
         ORDER BY named.at {order} LIMIT $3"
    )
}
