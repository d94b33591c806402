//! Who acts in the events that a filter selects: a facet over a bounded number of the newest ones.
//!
//! The counts per hour know nothing about people, and must not: erasing somebody would not reach
//! them. So the rows themselves are counted, never more than [`NEWEST`] of them.

use std::collections::BTreeMap;

use chancery_event::filter::Filter;

use super::plan::{Plan, Span};
use super::source::Found;
use crate::{Error, Link};

/// Matches that are counted at most.
pub const NEWEST: usize = 2_000;
/// Events that are looked at to find them, where no index names few.
const SCAN_MAX: u64 = 20_000;
/// Names that are answered at most.
const NAMES_MAX: usize = 12;

/// The names of the actors of the newest matches with their counts, most frequent first. Events
/// without a name, and those from which it was erased, are left out. True: there are older matches
/// that were not counted.
///
/// # Errors
/// The filter does not fit the schema of events, or the store cannot be read.
pub async fn actors(
    link: &mut Link,
    filter: &Filter,
    now_us: i64,
) -> Result<(Vec<(String, u64)>, bool), Error> {
    let plan = Plan::new(link, filter, now_us).await?;
    if plan.is_void() {
        return Ok((Vec::new(), false));
    }
    let (projected, tail) = plan.divided((0, plan.sealed));
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut sampled = false;
    if tail.0 < tail.1 {
        let matching = plan.matching(link, tail, Found::Newest, NEWEST).await?;
        sampled = matching.len() >= NEWEST;
        for sealed in matching {
            let personal = sealed.event().personal();
            if let Some(name) = personal.and_then(|part| part.actor_name.clone()) {
                *counts.entry(name).or_default() += 1;
            }
        }
    }
    let (older, is_part) = projected_actors(&plan, link, projected).await?;
    for (name, count) in older {
        *counts.entry(name).or_default() += count;
    }
    let mut values: Vec<(String, u64)> = counts.into_iter().collect();
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values.truncate(NAMES_MAX);
    Ok((values, sampled || is_part))
}

async fn projected_actors(
    plan: &Plan,
    link: &mut Link,
    projected: Span,
) -> Result<(Vec<(String, u64)>, bool), Error> {
    let mut span = plan.narrowed(link, projected).await?;
    if span.0 >= span.1 {
        return Ok((Vec::new(), false));
    }
    let (source, named) = plan.source(link, span, true, NEWEST as u64).await?;
    let is_cut = named >= NEWEST as u64 && span.1 - span.0 > SCAN_MAX;
    if is_cut {
        span.0 = span.1 - SCAN_MAX;
    }
    let (newest, values) = plan.statement(&source, "e.actor_name", span, Found::Newest, NEWEST)?;
    let sql = format!(
        "SELECT actor_name AS value, COUNT(*) AS n FROM ({newest}) AS newest GROUP BY actor_name"
    );
    let (mut found, mut counted) = (Vec::new(), 0);
    for row in link.rows(sql, values).await? {
        let count = row.count("n")?;
        counted += count;
        found.extend(row.maybe_text("value")?.map(|name| (name, count)));
    }
    Ok((found, is_cut || counted >= NEWEST as u64))
}
