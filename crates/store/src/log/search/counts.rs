//! Counting events: facets and totals, and what histograms are made of.
//!
//! Where the filter concerns only what the counts per day, hour and block have, they answer,
//! whatever the size of the log: blocks for the parts of hours at the ends of the asked time, and
//! for bars that are not of whole hours. Otherwise the newest matches are counted, up to a bound,
//! and the answer says so.

use std::collections::BTreeMap;

use chancery_event::Timestamp;
use chancery_event::filter::Filter;
use chancery_event::search::family_of;

use super::plan::{Plan, Span};
use super::source::Found;
use crate::log::{Sealed, projection};
use crate::{Error, Link, Row, SqlValue, args};

/// Events that are counted one by one at most.
const SAMPLE_MAX: usize = 10_000;
/// Events that are looked at to count them, where no index names few and no counts have them.
const SCAN_MAX: u64 = 100_000;
const HOUR: i64 = Timestamp::HOUR;
const DAY: i64 = Timestamp::DAY;

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

/// By what events are counted.
#[derive(Clone, Copy)]
pub(super) enum Grouping {
    /// By type, severity, result and origin.
    Values,
    /// By severity and time: the start of the first bar and the width of all.
    Bars { start: i64, width: i64 },
}

/// Start of the bar, type, severity, result, origin; what the grouping does not ask for is empty.
pub(super) type Group = (i64, [String; 4]);

const COLUMNS: [&str; 4] = ["type", "severity", "result", "origin"];

impl Grouping {
    /// The start of the bar that has a time, as an expression over that.
    pub(super) fn at(self, values: &mut Vec<SqlValue>) -> impl Fn(&str) -> String + use<> {
        let bars = match self {
            Self::Values => None,
            Self::Bars { start, width } => {
                values.extend(args![start, width]);
                Some((values.len() - 1, values.len()))
            }
        };
        move |time| match bars {
            None => "0".to_owned(),
            Some((start, width)) => {
                format!("(${start} + ({time} - ${start}) / ${width} * ${width})")
            }
        }
    }

    /// The columns of a group, over rows that have [`COLUMNS`], and where it begins.
    pub(super) fn select(self, at: &str) -> String {
        match self {
            Self::Values => format!("{at} AS at, type, severity, result, origin"),
            Self::Bars { .. } => {
                format!("{at} AS at, '' AS type, severity, '' AS result, '' AS origin")
            }
        }
    }

    pub(super) fn group_by(self) -> &'static str {
        match self {
            Self::Values => "1, type, severity, result, origin",
            Self::Bars { .. } => "1, severity",
        }
    }

    fn of(self, sealed: &Sealed) -> Group {
        let event = sealed.event();
        let severity = event.severity.as_str().to_owned();
        match self {
            Self::Values => {
                let result = event.outcome.result.as_str().to_owned();
                let origin = event.origin.as_str().to_owned();
                (0, [event.type_name.to_string(), severity, result, origin])
            }
            Self::Bars { start, width } => {
                let at = start + (event.time.micros() - start).div_euclid(width) * width;
                (at, [String::new(), severity, String::new(), String::new()])
            }
        }
    }
}

/// What was counted.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) counts: BTreeMap<Group, u64>,
    /// Only the newest matches were.
    pub(super) sampled: bool,
}

impl Tally {
    /// Adds a row that has a group and its number; answers the number.
    pub(super) fn add(&mut self, row: &Row) -> Result<u64, Error> {
        let n = row.count("n")?;
        let [a, b, c, d] = COLUMNS;
        let group = [row.text(a)?, row.text(b)?, row.text(c)?, row.text(d)?];
        *self.counts.entry((row.int("at")?, group)).or_default() += n;
        Ok(n)
    }

    fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    fn by(&self, value: impl Fn(&[String; 4]) -> Option<&str>) -> Vec<(String, u64)> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for ((_, group), n) in &self.counts {
            if let Some(value) = value(group) {
                *counts.entry(value).or_default() += n;
            }
        }
        let mut values: Vec<_> = counts.into_iter().map(|(v, n)| (v.to_owned(), n)).collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        values
    }
}

impl Plan {
    /// Counts what the filter selects.
    pub(super) async fn tally(&self, link: &mut Link, grouping: Grouping) -> Result<Tally, Error> {
        let mut tally = Tally::default();
        if self.is_void() {
            return Ok(tally);
        }
        // Whole hours: from the first that begins in the asked time to the last that ends in it.
        let (from, to) = self.times;
        let first = if from == i64::MIN { from } else { ceiling(from, HOUR) };
        let last = if to == i64::MAX { to } else { to.div_euclid(HOUR) * HOUR };
        let hourly = match grouping {
            Grouping::Values => true,
            Grouping::Bars { start, width } => start % HOUR == 0 && width % HOUR == 0,
        };
        if self.over_hours(1).is_none() {
            self.one_by_one(link, (0, self.sealed), grouping, &mut tally).await?;
            return Ok(tally);
        }
        let (projected, edges) = if hourly && first < last {
            let projected = self.add_hours(link, (first, last), grouping, &mut tally).await?;
            (projected, vec![(from, first), (last, to)])
        } else {
            (self.projected, vec![(from, to)])
        };
        for times in edges {
            let edge = Self { times, ..self.clone() };
            edge.add_blocks(link, projected, grouping, &mut tally).await?;
        }
        self.one_by_one(link, (projected, self.sealed), grouping, &mut tally).await?;
        Ok(tally)
    }

    /// Adds what the counts per day and hour say about whole hours; answers how far they go. Counts
    /// and cursor come from one statement, so that nothing is counted twice while the projection
    /// moves on.
    async fn add_hours(
        &self,
        link: &mut Link,
        (first, last): (i64, i64),
        grouping: Grouping,
        tally: &mut Tally,
    ) -> Result<u64, Error> {
        let daily = match grouping {
            Grouping::Values => true,
            Grouping::Bars { start, width } => start % DAY == 0 && width % DAY == 0,
        };
        // Whole days within the whole hours; none if days are of no use.
        let (mut from, mut to) = (ceiling(first, DAY), last.div_euclid(DAY) * DAY);
        if !daily || from >= to {
            (from, to) = (last, last);
        }
        let mut values = args![projection::CURSOR, first, last, from, to];
        let select = grouping.select(&grouping.at(&mut values)("h.hour"));
        let Some(fragment) = self.over_hours(values.len() + 1) else { return Ok(0) };
        values.extend(fragment.args);
        let columns = "type, severity, result, origin, events";
        let sql = format!(
            "SELECT c.next_index, s.at, s.type, s.severity, s.result, s.origin, s.n
             FROM log_cursor c LEFT JOIN (
                 SELECT {select}, CAST(SUM(h.events) AS BIGINT) AS n FROM (
                     SELECT hour, {columns} FROM event_hour WHERE hour >= $2 AND hour < $4
                     UNION ALL
                     SELECT day, {columns} FROM event_day WHERE day >= $4 AND day < $5
                     UNION ALL
                     SELECT hour, {columns} FROM event_hour WHERE hour >= $5 AND hour < $3
                 ) AS h WHERE {} GROUP BY {}
             ) AS s ON 1 = 1 WHERE c.name = $1",
            fragment.sql,
            grouping.group_by()
        );
        let mut projected = 0;
        for row in link.rows(sql, values).await? {
            projected = row.count("next_index")?;
            if row.maybe_int("n")?.is_some() {
                tally.add(&row)?;
            }
        }
        Ok(projected)
    }

    /// Counts the newest matches of a span, also where it is not projected yet.
    async fn one_by_one(
        &self,
        link: &mut Link,
        span: Span,
        grouping: Grouping,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let (projected, tail) = self.divided(span);
        if tail.0 < tail.1 {
            if self.lags {
                for sealed in self.matching(link, tail, Found::Newest, SAMPLE_MAX).await? {
                    *tally.counts.entry(grouping.of(&sealed)).or_default() += 1;
                }
            } else {
                self.by_sql(link, tail, false, grouping, tally).await?;
            }
        }
        let projected = self.narrowed(link, projected).await?;
        for piece in self.pieces(link, projected, Found::Newest).await? {
            self.by_sql(link, piece, true, grouping, tally).await?;
            if tally.sampled {
                break;
            }
        }
        Ok(())
    }

    /// Counts the newest matches of a span by SQL.
    async fn by_sql(
        &self,
        link: &mut Link,
        mut span: Span,
        projected: bool,
        grouping: Grouping,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        if span.0 >= span.1 {
            return Ok(());
        }
        let (source, named) = self.source(link, span, projected, SAMPLE_MAX as u64).await?;
        // What only waits to be counted is counted whole, if that is done soon.
        let limit = if self.over_hours(1).is_some() { SCAN_MAX as usize } else { SAMPLE_MAX };
        if named >= SAMPLE_MAX as u64 && span.1 - span.0 > SCAN_MAX {
            span.0 = span.1 - SCAN_MAX;
            tally.sampled = true;
        }
        let select = "e.time, e.type, e.severity, e.result, e.origin";
        let (newest, mut values) = self.statement(&source, select, span, Found::Newest, limit)?;
        let select = grouping.select(&grouping.at(&mut values)("newest.time"));
        let sql = format!(
            "SELECT {select}, COUNT(*) AS n FROM ({newest}) AS newest GROUP BY {}",
            grouping.group_by()
        );
        let mut counted = 0;
        for row in link.rows(sql, values).await? {
            counted += tally.add(&row)?;
        }
        tally.sampled |= counted >= limit as u64;
        Ok(())
    }
}

/// The first multiple of the unit that is at this time or after it.
pub(super) fn ceiling(time: i64, unit: i64) -> i64 {
    -(time.saturating_neg().div_euclid(unit)) * unit
}

/// What there is of the events that a filter selects.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Counts by type, severity, outcome, origin and family.
    pub groups: Vec<FacetGroup>,
    /// How many they are.
    pub count: Count,
    /// Only the newest matches were counted by value.
    pub sampled: bool,
}

/// Counts by type, family, severity, outcome and origin, and in all.
///
/// # Errors
/// The filter does not fit the schema of events, or the store cannot be read.
pub async fn facets(link: &mut Link, filter: &Filter, now_us: i64) -> Result<Counted, Error> {
    let plan = Plan::new(link, filter, now_us).await?;
    let tally = plan.tally(link, Grouping::Values).await?;
    let groups = vec![
        FacetGroup { field: "type", values: tally.by(|group| Some(&group[0])) },
        FacetGroup { field: "severity", values: tally.by(|group| Some(&group[1])) },
        FacetGroup { field: "outcome", values: tally.by(|group| Some(&group[2])) },
        FacetGroup { field: "origin", values: tally.by(|group| Some(&group[3])) },
        FacetGroup { field: "family", values: tally.by(|group| family_of(&group[0])) },
    ];
    let count = Count { value: tally.total(), at_least: tally.sampled };
    Ok(Counted { groups, count, sampled: tally.sampled })
}

/// How many events the filter selects.
///
/// # Errors
/// As [`facets`].
pub async fn count(link: &mut Link, filter: &Filter, now_us: i64) -> Result<Count, Error> {
    let plan = Plan::new(link, filter, now_us).await?;
    let any = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM removed_span LIMIT 1) AS few";
    if *filter == Filter::All && link.number(any, Vec::new()).await? == 0 {
        return Ok(Count { value: plan.sealed, at_least: false });
    }
    let tally = plan.tally(link, Grouping::Values).await?;
    Ok(Count { value: tally.total(), at_least: tally.sampled })
}
