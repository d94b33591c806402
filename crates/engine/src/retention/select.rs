//! Which events a rule reaches, and which of them a hold keeps.
//!
//! Candidates come from the search that lists use, by indexes, oldest first; holds and the expiry
//! of certificates are judged for each of them in memory.

use std::collections::{BTreeMap, BTreeSet};

use chancery_event::filter::{Compiled, Filter};
use chancery_event::search::Searchable;
use chancery_event::{Event, LogIndex, TargetKind, Timestamp};
use chancery_store::Link;
use chancery_store::log::{self, PageRequest, Sealed};
use chancery_store::table::retention::{self as table, Rule};

use super::{Basis, Limit, days_before, filter_of};
use crate::monitor::enrolment::LAZY;
use crate::{Engine, Error, archive};

/// A rule, ready to be asked.
pub(super) struct Selector {
    /// The rule's filter, and its time where that counts from the event.
    pub(super) filter: Filter,
    /// Certificates that ended before this have been over for long enough; `None`: the rule counts
    /// from the event.
    expired_before: Option<Timestamp>,
    pub(super) holds: Holds,
    /// Nothing at or behind this index is removed.
    pub(super) cut: LogIndex,
    now_us: i64,
}

/// The legal holds that last.
pub(super) struct Holds {
    pub(super) filters: Vec<(String, Filter)>,
    compiled: Vec<Compiled>,
    /// Changes with every hold that is placed or ended.
    pub(super) revision: i64,
}

impl Holds {
    pub(super) async fn read(link: &mut Link) -> Result<Self, Error> {
        let (rows, revision) = table::lasting_holds(link).await?;
        let mut holds = Self { filters: Vec::new(), compiled: Vec::new(), revision };
        for row in rows {
            // A hold that cannot be read must not hold nothing.
            let filter = filter_of(&row.filter)?;
            holds.compiled.push(filter.compile(chancery_event::search::schema())?);
            holds.filters.push((row.name, filter));
        }
        Ok(holds)
    }

    pub(super) fn keep(&self, event: &Event, index: LogIndex, now_us: i64) -> bool {
        let searchable = Searchable { event, index };
        self.compiled.iter().any(|hold| hold.holds(&searchable, now_us))
    }
}

/// Events of a rule, judged.
#[derive(Default)]
pub(super) struct Batch {
    /// Those that may go.
    pub(super) chosen: Vec<Sealed>,
    /// How many a hold keeps.
    pub(super) held: u64,
    /// Where to go on; `None`: there are no more.
    pub(super) next: Option<LogIndex>,
}

impl Selector {
    /// Settled: the monitors' cursor stands behind what they have seen.
    pub(super) async fn new(
        engine: &Engine,
        link: &mut Link,
        rule: &Rule,
        settled: bool,
    ) -> Result<Self, Error> {
        let now = engine.environment().now();
        let before = days_before(now, rule.after_days);
        let filter = filter_of(&rule.filter)?;
        let by_event = Basis::parse(&rule.basis) != Some(Basis::Expiry);
        // An event about a certificate is no younger than the certificate's end is old only where
        // the clock says so; any event of it may go then.
        let more = match by_event {
            true => format!("time<{before}"),
            false => "subject_kind:certificate".to_owned(),
        };
        let more = engine.parse_event_filter(&more)?;
        let filter = if filter == Filter::All { more } else { Filter::And(vec![filter, more]) };
        let cut = limits(link, settled).await?.first().map_or(LogIndex(0), |limit| limit.index);
        Ok(Self {
            filter,
            expired_before: (!by_event).then_some(before),
            holds: Holds::read(link).await?,
            cut,
            now_us: now.micros(),
        })
    }

    /// Whether the rule reaches everything before a time.
    pub(super) fn is_plain(&self, rule: &Rule) -> bool {
        rule.filter.is_empty() && self.expired_before.is_none()
    }

    /// The next events from `from` on, `limit` looked at.
    pub(super) async fn next(
        &self,
        link: &mut Link,
        from: LogIndex,
        limit: usize,
    ) -> Result<Batch, Error> {
        let request =
            PageRequest { before: Some(self.cut), from: Some(from), oldest_first: true, limit };
        if from >= self.cut {
            return Ok(Batch::default());
        }
        let page = log::page(link, &self.filter, request, self.now_us).await?;
        let last = page.events.last().filter(|_| page.more);
        let next = last.map(|last| LogIndex(last.index().0 + 1));
        let mut batch = Batch { next, ..Batch::default() };
        let mut events = page.events;
        if let Some(before) = self.expired_before {
            let over = over_before(link, &events, before).await?;
            events.retain(|sealed| subject_of(sealed.event()).is_some_and(|id| over.contains(id)));
        }
        for sealed in events {
            if self.holds.keep(sealed.event(), sealed.index(), self.now_us) {
                batch.held += 1;
            } else {
                batch.chosen.push(sealed);
            }
        }
        Ok(batch)
    }
}

/// The certificate that an event is about.
fn subject_of(event: &Event) -> Option<&str> {
    let subject = event.subject().filter(|subject| subject.kind == TargetKind::Certificate);
    subject.map(|subject| subject.id.as_str())
}

/// Which of the certificates that events are about ended before a time.
async fn over_before(
    link: &mut Link,
    events: &[Sealed],
    before: Timestamp,
) -> Result<BTreeSet<String>, Error> {
    let ids: BTreeSet<&str> =
        events.iter().filter_map(|sealed| subject_of(sealed.event())).collect();
    let ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
    let ends: BTreeMap<String, Timestamp> = table::ends_of(link, &ids).await?.into_iter().collect();
    Ok(ends.into_iter().filter(|(_, end)| *end < before).map(|(id, _)| id).collect())
}

/// Who still needs events, and from where on; the one in the way first. Without an archive nothing
/// goes. Unsettled, monitors that are as far behind as they may be are left out: a run begins by
/// moving their cursor.
pub(super) async fn limits(link: &mut Link, settled: bool) -> Result<Vec<Limit>, Error> {
    let size = log::latest_index(link).await?.0;
    let needed = table::needed(link).await?;
    let archive = format!("the {}", archive::CURSOR);
    let lags = |who: &str, index: LogIndex| who != "the monitor" || index.0 + LAZY < size;
    let mut limits: Vec<Limit> = needed
        .into_iter()
        .filter(|(who, index)| settled || lags(who, *index))
        .map(|(who, index)| Limit { who, index })
        .collect();
    if !limits.iter().any(|limit| limit.who == archive) {
        limits.insert(0, Limit { who: archive, index: LogIndex(0) });
    }
    // The indexes that events are taken out of are filled by then.
    if !limits.iter().any(|limit| limit.who == "the projection") {
        limits.insert(0, Limit { who: "the projection".to_owned(), index: LogIndex(0) });
    }
    limits.sort_by(|a, b| a.index.cmp(&b.index).then_with(|| a.who.cmp(&b.who)));
    Ok(limits)
}
