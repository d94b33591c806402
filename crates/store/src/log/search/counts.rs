//! Counting events: facets, histogram, totals.
//!
//! Where the filter concerns only what the hourly counts have, they answer, whatever the size of
//! the log. Otherwise the newest matches are counted, up to a bound, and the answer says so.

use std::collections::BTreeMap;

use chancery_event::filter::Filter;
use chancery_event::{Severity, Timestamp};

use super::columns::HourColumns;
use super::{Span, condition, matching, reach};
use crate::filter_sql::{Dialect, SqlFragment, compile};
use crate::log::projection;
use crate::{Error, Link, SqlValue, args};

/// Events that are counted one by one at most.
const SAMPLE_MAX: u64 = 20_000;

/// The values of one field with their counts, most frequent first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetGroup {
    /// Name of the field.
    pub field: &'static str,
    /// Values and counts.
    pub values: Vec<(String, u64)>,
}

/// A number of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub value: u64,
    /// There are at least so many: counting stopped there.
    pub at_least: bool,
}

/// One bar of a histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// From this time.
    pub from: Timestamp,
    /// Up to, but not including, this time.
    pub to: Timestamp,
    /// Counts by severity; severities without events are left out.
    pub by_severity: Vec<(Severity, u64)>,
}

const FIELDS: [(&str, &str); 4] =
    [("type", "type"), ("severity", "severity"), ("outcome", "result"), ("origin", "origin")];

/// The filter over the hourly counts, if they can answer it.
fn over_hours(filter: &Filter, now_us: i64, first: usize) -> Option<SqlFragment> {
    compile(filter, &HourColumns, Dialect::Sqlite, now_us, first).ok()
}

/// Counts by type, severity, outcome and origin. True: only the newest matches were counted.
pub async fn facets(
    link: &mut Link,
    filter: &Filter,
    now_us: i64,
) -> Result<(Vec<FacetGroup>, bool), Error> {
    let mut groups = Vec::with_capacity(FIELDS.len());
    let sealed = crate::log::state(link).await?.signed_size;
    let projected = crate::log::cursor(link, projection::CURSOR).await?.0.min(sealed);
    let mut sampled = false;
    let by_hours = over_hours(filter, now_us, 1);
    for (field, column) in FIELDS {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let rest = match &by_hours {
            Some(fragment) => {
                let sql = format!(
                    "SELECT h.{column} AS value, SUM(h.events) AS n FROM event_hour h
                     WHERE {} GROUP BY h.{column}",
                    fragment.sql
                );
                for row in link.rows(sql, fragment.args.clone()).await? {
                    *counts.entry(row.text("value")?).or_default() += row.count("n")?;
                }
                (projected, sealed)
            }
            None => (0, sealed),
        };
        let counted = one_by_one(link, filter, rest, column, &mut counts, now_us).await?;
        sampled |= counted >= SAMPLE_MAX;
        let mut values: Vec<_> = counts.into_iter().collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        groups.push(FacetGroup { field, values });
    }
    Ok((groups, sampled))
}

/// Counts the newest matches of a span by a column; answers how many were counted.
async fn one_by_one(
    link: &mut Link,
    filter: &Filter,
    span: Span,
    column: &str,
    counts: &mut BTreeMap<String, u64>,
    now_us: i64,
) -> Result<u64, Error> {
    let (_, by_sql) = reach(link, filter).await?;
    let mut counted = 0;
    let tail = (span.0.max(by_sql), span.1);
    if tail.0 < tail.1 {
        for sealed in matching(link, filter, chancery_event::search::schema(), tail, now_us).await?
        {
            let event = sealed.event();
            let value = match column {
                "type" => event.type_name.as_ref(),
                "severity" => event.severity.as_str(),
                "result" => event.outcome.result.as_str(),
                _ => event.origin.as_str(),
            };
            *counts.entry(value.to_owned()).or_default() += 1;
            counted += 1;
        }
    }
    let indexed = (span.0, span.1.min(by_sql));
    if indexed.0 < indexed.1 {
        let fragment = condition(filter, now_us, 4)?;
        let sql = format!(
            "SELECT value, COUNT(*) AS n FROM
             (SELECT e.{column} AS value FROM event e
              WHERE e.log_index >= $1 AND e.log_index < $2 AND ({})
              ORDER BY e.log_index DESC LIMIT $3) AS newest GROUP BY value",
            fragment.sql
        );
        let mut values: Vec<SqlValue> = args![indexed.0, indexed.1, SAMPLE_MAX];
        values.extend(fragment.args);
        for row in link.rows(sql, values).await? {
            let n = row.count("n")?;
            *counts.entry(row.text("value")?).or_default() += n;
            counted += n;
        }
    }
    Ok(counted)
}

/// How many events the filter selects.
pub async fn count(link: &mut Link, filter: &Filter, now_us: i64) -> Result<Count, Error> {
    let (groups, sampled) = facets_of(link, filter, now_us).await?;
    Ok(Count { value: groups, at_least: sampled })
}

async fn facets_of(link: &mut Link, filter: &Filter, now_us: i64) -> Result<(u64, bool), Error> {
    if *filter == Filter::All {
        return Ok((crate::log::state(link).await?.signed_size, false));
    }
    let (groups, sampled) = facets(link, filter, now_us).await?;
    let total = groups.first().map_or(0, |group| group.values.iter().map(|(_, n)| n).sum());
    Ok((total, sampled))
}

/// Counts per bucket between two times, stacked by severity. The edges are whole hours when the
/// buckets are at least an hour wide.
pub async fn histogram(
    link: &mut Link,
    filter: &Filter,
    from: Timestamp,
    to: Timestamp,
    buckets: usize,
    now_us: i64,
) -> Result<Vec<Bucket>, Error> {
    let span = to.since(from).max(1);
    let buckets = i64::try_from(buckets.clamp(1, 500)).unwrap_or(500);
    let mut width = (span + buckets - 1) / buckets;
    let hour = Timestamp::HOUR;
    let hourly = width >= hour;
    if hourly {
        width = (width + hour - 1) / hour * hour;
    }
    let start = if hourly { from.micros().div_euclid(hour) * hour } else { from.micros() };
    let number = usize::try_from((to.micros() - start + width - 1) / width).unwrap_or(1).max(1);
    let mut counts: Vec<BTreeMap<Severity, u64>> = vec![BTreeMap::new(); number];
    let mut add = |time: i64, severity: &str, n: u64| {
        let place = usize::try_from((time - start).div_euclid(width)).ok();
        if let (Some(bucket), Some(severity)) =
            (place.and_then(|place| counts.get_mut(place)), Severity::parse(severity))
        {
            *bucket.entry(severity).or_default() += n;
        }
    };
    let by_hours = if hourly { over_hours(filter, now_us, 4) } else { None };
    let sealed = crate::log::state(link).await?.signed_size;
    let mut rest = (0, sealed);
    if let Some(fragment) = by_hours {
        let sql = format!(
            "SELECT $1 + (h.hour - $1) / $3 * $3 AS at, h.severity AS severity,
             SUM(h.events) AS n FROM event_hour h
             WHERE h.hour >= $1 AND h.hour < $2 AND ({})
             GROUP BY at, h.severity",
            fragment.sql
        );
        let mut values: Vec<SqlValue> = args![start, to, width];
        values.extend(fragment.args);
        for row in link.rows(sql, values).await? {
            add(row.int("at")?, &row.text("severity")?, row.count("n")?);
        }
        rest.0 = crate::log::cursor(link, projection::CURSOR).await?.0.min(sealed);
    }
    for (time, severity, n) in times(link, filter, rest, (start, to.micros()), now_us).await? {
        add(time, &severity, n);
    }
    Ok((0i64..)
        .zip(counts)
        .map(|(place, counts)| Bucket {
            from: Timestamp::from_micros(start + place * width),
            to: Timestamp::from_micros(start + (place + 1) * width),
            by_severity: counts.into_iter().collect(),
        })
        .collect())
}

/// Times and severities of the matches of a span between two times, the newest, up to a bound.
async fn times(
    link: &mut Link,
    filter: &Filter,
    span: Span,
    (from, to): (i64, i64),
    now_us: i64,
) -> Result<Vec<(i64, String, u64)>, Error> {
    let (_, by_sql) = reach(link, filter).await?;
    let mut found = Vec::new();
    let tail = (span.0.max(by_sql), span.1);
    if tail.0 < tail.1 {
        let schema = chancery_event::search::schema();
        for sealed in matching(link, filter, schema, tail, now_us).await? {
            let event = sealed.event();
            found.push((event.time.micros(), event.severity.as_str().to_owned(), 1));
        }
    }
    let indexed = (span.0, span.1.min(by_sql));
    if indexed.0 < indexed.1 {
        let fragment = condition(filter, now_us, 6)?;
        let sql = format!(
            "SELECT e.time AS at, e.severity AS severity FROM event e
             WHERE e.log_index >= $1 AND e.log_index < $2 AND e.time >= $3 AND e.time < $4
             AND ({}) ORDER BY e.time DESC LIMIT $5",
            fragment.sql
        );
        let mut values: Vec<SqlValue> = args![indexed.0, indexed.1, from, to, SAMPLE_MAX];
        values.extend(fragment.args);
        for row in link.rows(sql, values).await? {
            found.push((row.int("at")?, row.text("severity")?, 1));
        }
    }
    Ok(found)
}
