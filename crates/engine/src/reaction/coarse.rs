//! A back-test of rules that look at nothing but what many events have in common: how severe, how
//! it ended and why, by which way it came. Such events are counted together by the store and one
//! stands for all of them before the very function that runs live; only those that are shown are
//! opened. A test holds that nothing comes out otherwise than event by event.
//!
//! Rules that look at more (a name, a time, the object, words) are none of this file's business:
//! [`columns`] says so, and `trial` goes through the log.

use chancery_event::envelope::{ActorKind, Origin, Severity, Target, TargetKind};
use chancery_event::{Event, EventType, LogIndex, Timestamp, Verdict as Ending};
use chancery_store::Link;
use chancery_store::log::{self, Alike, Group, Sealed};

use super::Configuration;
use super::definition::ScopeKind;
use super::evaluate::{Evaluation, Verdict, evaluate};
use super::happening::{Happening, Subject, certificate_of};
use super::trial::{SAMPLES_MAX, Sample, Tested, Tried, sample};
use crate::job::Progress;
use crate::{Engine, Error};

/// Indexes looked through at a time.
const WINDOW: u64 = 65_536;
/// Groups in one statement at most.
const GROUPS_MAX: usize = 100;

/// Fields that a type alone answers, and those that a column does.
fn column(field: &str) -> Option<Option<Alike>> {
    Some(match field {
        "type" | "family" | "kind" => None,
        "severity" => Some(Alike::Severity),
        "outcome" => Some(Alike::Result),
        "reason" => Some(Alike::Reason),
        "origin" => Some(Alike::Origin),
        "actor_kind" => Some(Alike::ActorKind),
        "subject_kind" => Some(Alike::SubjectKind),
        _ => return None,
    })
}

/// The columns that decide about everything that is tried; `None`: more than columns does.
pub(super) fn columns<'a>(
    configurations: impl IntoIterator<Item = &'a Configuration>,
) -> Option<Vec<Alike>> {
    let mut columns = Vec::new();
    for trigger in configurations.into_iter().flat_map(Configuration::triggers) {
        if trigger.body.scope.kind != ScopeKind::Platform {
            return None;
        }
        for rule in &trigger.rules {
            for field in rule.filter.fields()? {
                columns.extend(column(field)?);
            }
        }
    }
    columns.sort_unstable();
    columns.dedup();
    Some(columns)
}

/// An event that stands for a group. What no rule looks at is that of the type's example.
fn stand_in(event_type: EventType, group: &Group, columns: &[Alike]) -> Option<Event> {
    let mut event = event_type.example();
    for (column, value) in columns.iter().zip(&group.values) {
        let text = value.as_deref();
        match column {
            Alike::Severity => event.severity = Severity::parse(text?)?,
            Alike::Result => event.outcome.result = Ending::parse(text?)?,
            Alike::Reason => event.outcome.reason = text.map(|text| text.to_owned().into()),
            Alike::Origin => event.origin = Origin::parse(text?)?,
            Alike::ActorKind => event.actor.kind = ActorKind::parse(text?)?,
            Alike::SubjectKind => {
                event.targets.clear();
                if let Some(kind) = text {
                    event.targets.push(Target::new(TargetKind::parse(kind)?, ""));
                }
            }
        }
    }
    Some(event)
}

/// A window of the log with the groups of which something is shown.
struct Shown {
    window: (LogIndex, LogIndex),
    held: Vec<Group>,
    near: Vec<Group>,
}

pub(super) struct Count<'a> {
    pub(super) engine: &'a Engine,
    pub(super) tested: &'a Tested,
    pub(super) columns: Vec<Alike>,
    pub(super) now: Timestamp,
    pub(super) tried: Tried,
}

impl Count<'_> {
    /// Tries everything on the events `from..to`.
    pub(super) async fn through(
        mut self,
        (from, to): (u64, u64),
        progress: &Progress,
    ) -> Result<Tried, Error> {
        let mut link = self.engine.link().await?;
        let mut shown = Vec::new();
        let mut place = from;
        while place < to {
            let end = to.min(place + WINDOW);
            let window = (LogIndex(place), LogIndex(end));
            let types = &self.tested.types;
            let groups = log::alike(&mut link, window, types, &self.columns).await?;
            let mut of = Shown { window, held: Vec::new(), near: Vec::new() };
            let mut exact = Vec::new();
            for group in groups {
                if !self.group(&group, &mut of) {
                    exact.push(group);
                }
            }
            self.one_by_one(&mut link, window, &exact).await?;
            shown.push(of);
            place = end;
            progress.report(place - from, to - from).await?;
            tokio::task::yield_now().await;
        }
        for near in [false, true] {
            let list = self.samples(&mut link, &shown, near).await?;
            let of = if near { &mut self.tried.near } else { &mut self.tried.samples };
            of.extend(list);
            of.sort_by_key(|sample| sample.index);
            let over = of.len().saturating_sub(SAMPLES_MAX);
            of.drain(..over);
        }
        Ok(self.tried)
    }

    /// Decides about a group; false: its events have to be looked at one by one.
    fn group(&mut self, group: &Group, shown: &mut Shown) -> bool {
        let Some(event_type) = EventType::parse(&group.type_name) else { return true };
        let Some(event) = stand_in(event_type, group, &self.columns) else { return false };
        let (subject, index, now) = (None, None, self.now);
        let happening = Happening { event: &event, event_type, index, subject, now };
        let evaluations = evaluate(&self.tested.with, &happening);
        let any =
            |of: &[Evaluation], fits: fn(Verdict) -> bool| of.iter().any(|one| fits(one.verdict));
        if let Some(saved) = &self.tested.saved {
            // What they would do is compared, and that depends on the event.
            let before = evaluate(saved, &happening);
            if any(&evaluations, Verdict::held) || any(&before, Verdict::held) {
                return false;
            }
        }
        self.tried.concerned += group.count;
        for one in &evaluations {
            let of = self.tried.verdicts.entry(one.trigger.name.clone()).or_default();
            *of.entry(one.verdict.as_str().to_owned()).or_default() += group.count;
        }
        if any(&evaluations, Verdict::held) {
            shown.held.push(group.clone());
        }
        if any(&evaluations, |verdict| verdict == Verdict::Nearly) {
            shown.near.push(group.clone());
        }
        true
    }

    async fn one_by_one(
        &mut self,
        link: &mut Link,
        window: (LogIndex, LogIndex),
        groups: &[Group],
    ) -> Result<(), Error> {
        let mut events = Vec::new();
        for part in groups.chunks(GROUPS_MAX) {
            let part: Vec<_> = part.iter().collect();
            let most = usize::try_from(WINDOW).unwrap_or(usize::MAX);
            events.extend(log::newest_of(link, window, &part, &self.columns, most).await?);
        }
        events.sort_by_key(Sealed::index);
        for sealed in &events {
            let Some(event_type) = EventType::of(sealed.event()) else { continue };
            let subject = subject_of(link, sealed).await?;
            let happening = self.happening(sealed, event_type, subject.as_ref());
            self.tried.concerned += 1;
            self.tried.count(self.tested, &happening);
        }
        Ok(())
    }

    fn happening<'h>(
        &self,
        sealed: &'h Sealed,
        event_type: EventType,
        subject: Option<&'h Subject>,
    ) -> Happening<'h> {
        let (event, index) = (sealed.event(), Some(sealed.index()));
        Happening { event, event_type, index, subject, now: event.time }
    }

    /// The newest verdicts of a kind, the newest last.
    async fn samples(
        &self,
        link: &mut Link,
        shown: &[Shown],
        near: bool,
    ) -> Result<Vec<Sample>, Error> {
        let mut list = Vec::new();
        for of in shown.iter().rev() {
            let groups: Vec<_> = if near { &of.near } else { &of.held }.iter().collect();
            let left = SAMPLES_MAX - list.len();
            // Each group adds conditions to its statement: the newest of some, then of others.
            let mut events = Vec::new();
            for part in groups.chunks(GROUPS_MAX) {
                let columns = &self.columns;
                events.extend(log::newest_of(link, of.window, part, columns, left).await?);
            }
            events.sort_by_key(|sealed| std::cmp::Reverse(sealed.index()));
            events.truncate(left);
            for sealed in &events {
                let Some(event_type) = EventType::of(sealed.event()) else { continue };
                let subject = subject_of(link, sealed).await?;
                let happening = self.happening(sealed, event_type, subject.as_ref());
                let evaluations = evaluate(&self.tested.with, &happening);
                let fits = |one: &&Evaluation| match near {
                    true => one.verdict == Verdict::Nearly,
                    false => one.verdict.held(),
                };
                list.extend(evaluations.iter().rev().filter(fits).map(|e| sample(e, &happening)));
            }
            list.truncate(SAMPLES_MAX);
            if list.len() == SAMPLES_MAX {
                break;
            }
        }
        list.reverse();
        Ok(list)
    }
}

async fn subject_of(link: &mut Link, sealed: &Sealed) -> Result<Option<Subject>, Error> {
    match certificate_of(sealed.event()) {
        Some(id) => Subject::read(link, id).await,
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
