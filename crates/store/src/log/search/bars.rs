//! Histograms: counts by time and severity.

use std::collections::BTreeMap;

use chancery_event::filter::Filter;
use chancery_event::{Severity, Timestamp};

use super::counts::{Grouping, ceiling};
use super::plan::Plan;
use crate::{Error, Link};

const HOUR: i64 = Timestamp::HOUR;
const QUARTER: i64 = HOUR / 4;

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

/// Where bars between two times begin, how wide each is, and how many they are. Widths of an hour
/// and more are whole hours; among `many` events so are those of a quarter of it.
fn layout((from, to): (i64, i64), bars: usize, many: bool) -> (i64, i64, i64) {
    let bars = i64::try_from(bars.clamp(1, 500)).unwrap_or(500);
    let mut width = (to.saturating_sub(from).max(1) + bars - 1) / bars;
    let mut start = from;
    if width >= if many { QUARTER } else { HOUR } {
        width = ceiling(width, HOUR);
        start = start.div_euclid(HOUR) * HOUR;
    }
    (start, width, ((to - start + width - 1) / width).max(1))
}

/// Counts per bucket between two times, stacked by severity. When the buckets are at least an hour
/// wide, their edges are whole hours: the first may begin before `from`, the last may end after
/// `to`. Among millions of events an hour is also the width of those of a quarter of it and more,
/// so there may be fewer than asked for. True: only the newest matches were counted.
///
/// # Errors
/// As [`super::facets`].
pub async fn bars(
    link: &mut Link,
    filter: &Filter,
    (from, to): (Timestamp, Timestamp),
    buckets: usize,
    now_us: i64,
) -> Result<(Vec<Bucket>, bool), Error> {
    let mut plan = Plan::new(link, filter, now_us).await?;
    let (from, to) = (from.micros(), to.micros());
    let many = plan.has_many_blocks(link, (from, to)).await?;
    let (start, width, number) = layout((from, to), buckets, many);
    plan.between(start, start + number * width);
    let tally = plan.tally(link, Grouping::Bars { start, width }).await?;
    let mut bars = BTreeMap::new();
    for ((at, [_, severity, ..]), n) in &tally.counts {
        if let Some(severity) = Severity::parse(severity) {
            let bar: &mut BTreeMap<Severity, u64> = bars.entry(*at).or_default();
            *bar.entry(severity).or_default() += n;
        }
    }
    let buckets = (0..number)
        .map(|place| start + place * width)
        .map(|at| Bucket {
            from: Timestamp::from_micros(at),
            to: Timestamp::from_micros(at + width),
            by_severity: bars.remove(&at).unwrap_or_default().into_iter().collect(),
        })
        .collect();
    Ok((buckets, tally.sampled))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = Timestamp::DAY;

    #[test]
    fn bars_are_whole_hours_where_hours_are_counted() {
        let (day, minute) = (20_000 * DAY, HOUR / 60);
        let (from, to) = (day + 7 * minute, day + DAY + 7 * minute);
        // A day in sixty bars of 24 minutes; among millions of events, in bars of an hour.
        assert_eq!(layout((from, to), 60, false), (from, 24 * minute, 60));
        assert_eq!(layout((from, to), 60, true), (day, HOUR, 25));
        // Bars of ten minutes stay so; those of more than an hour are of two.
        assert_eq!(layout((from, from + 10 * HOUR), 60, true), (from, 10 * minute, 60));
        assert_eq!(layout((from, from + 90 * HOUR), 60, false), (day, 2 * HOUR, 46));
        assert_eq!(layout((from, from), 0, false), (from, 1, 1));
    }
}
