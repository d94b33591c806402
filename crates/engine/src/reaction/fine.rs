//! A back-test event by event: of what conditions look at, and no more, on several threads.
//!
//! Windows of the log are looked through side by side and put together in the order of the log.
//! Each event is read as far as the rules look at it, and judged by the function that runs live,
//! which says no more than the verdict; what is shown is read again, and whole. Where two
//! configurations are compared, what they would do counts as well, and everything is read at once.
//!
//! Memory: a batch of events and their subjects for each window that is looked at.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use chancery_event::{Event, EventType, LogIndex};
use chancery_store::Link;
use chancery_store::log::{self, Glance, Sealed};
use futures::StreamExt as _;

use super::definition::ScopeKind;
use super::evaluate::{Said, Verdict, evaluate, evaluate_saying};
use super::happening::{Happening, Subject, certificate_of};
use super::trial::{SAMPLES_MAX, Tested, Tried, sample};
use crate::job::Progress;
use crate::{Engine, Error};

/// Events read in one go.
const BATCH: usize = 512;
/// Indexes looked through by one task.
const WINDOW: u64 = 16_384;
/// Tasks side by side at most.
const TASKS_MAX: usize = 4;

/// What has to be read of each event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wants {
    /// All of it: what steps would do.
    whole: bool,
    /// Its detail, and what is about people.
    glance: Glance,
    /// What it is about.
    object: bool,
}

impl Wants {
    fn of(tested: &Tested) -> Self {
        if tested.saved.is_some() {
            return Self { whole: true, object: true, ..Self::default() };
        }
        let mut wants = Self::default();
        for trigger in tested.with.triggers() {
            // In which groups it is, and which profile it has, is told by the object alone.
            let scope = trigger.body.scope.kind;
            wants.object |= matches!(scope, ScopeKind::Group | ScopeKind::RaProfile);
            for rule in &trigger.rules {
                // Words are looked for in the detail too.
                wants.glance.detail |= rule.filter.fields().is_none();
                for field in rule.filter.fields().unwrap_or_default() {
                    wants.glance.personal |= matches!(field, "actor" | "ip");
                    wants.glance.detail |= field.starts_with("detail.");
                    wants.object |= field.starts_with("object.");
                }
            }
        }
        wants
    }
}

/// What came of a window.
#[derive(Default)]
struct Seen {
    concerned: u64,
    verdicts: HashMap<String, [u64; Verdict::ALL.len()]>,
    /// The newest events on which some rules held, and those on which they nearly did.
    held: VecDeque<u64>,
    near: VecDeque<u64>,
    /// Where configurations are compared: all that came of it.
    compared: Tried,
}

impl Seen {
    fn count(&mut self, tested: &Tested, happening: &Happening<'_>) {
        self.concerned += 1;
        if tested.saved.is_some() {
            return self.compared.count(tested, happening);
        }
        let index = happening.index.map_or(0, |index| index.0);
        let evaluations = evaluate_saying(&tested.with, happening, Said::Verdict);
        for evaluation in &evaluations {
            let counts = match self.verdicts.get_mut(&evaluation.trigger.name) {
                Some(counts) => counts,
                None => self.verdicts.entry(evaluation.trigger.name.clone()).or_default(),
            };
            if let Some(count) = counts.get_mut(evaluation.verdict as usize) {
                *count += 1;
            }
            let list = match evaluation.verdict {
                verdict if verdict.held() => &mut self.held,
                Verdict::Nearly => &mut self.near,
                _ => continue,
            };
            if list.back() != Some(&index) {
                newest(list, index);
            }
        }
    }
}

fn newest(list: &mut VecDeque<u64>, index: u64) {
    if list.len() >= SAMPLES_MAX {
        list.pop_front();
    }
    list.push_back(index);
}

/// A back-test under way.
#[derive(Clone)]
pub(super) struct Look {
    engine: Engine,
    tested: Arc<Tested>,
    wants: Wants,
}

impl Look {
    pub(super) fn new(engine: &Engine, tested: &Arc<Tested>) -> Self {
        Self { engine: engine.clone(), tested: tested.clone(), wants: Wants::of(tested) }
    }

    /// Tries everything on the events `from..to`.
    pub(super) async fn through(
        self,
        (from, to): (u64, u64),
        mut tried: Tried,
        progress: &Progress,
    ) -> Result<Tried, Error> {
        let starts = (0..to.saturating_sub(from).div_ceil(WINDOW)).map(|n| from + n * WINDOW);
        let tasks = std::thread::available_parallelism().map_or(1, usize::from).min(TASKS_MAX);
        let mut windows = futures::stream::iter(starts)
            .map(|start| {
                let look = self.clone();
                tokio::spawn(async move { look.window(start, to.min(start + WINDOW)).await })
            })
            .buffered(tasks);
        let (mut held, mut near) = (VecDeque::new(), VecDeque::new());
        let mut place = from;
        while let Some(seen) = windows.next().await {
            let seen = seen.map_err(|error| Error::Internal(format!("back-test: {error}")))??;
            tried.concerned += seen.concerned;
            for (trigger, counts) in &seen.verdicts {
                let of = tried.verdicts.entry(trigger.clone()).or_default();
                for (verdict, count) in Verdict::ALL.iter().zip(counts).filter(|(_, n)| **n > 0) {
                    *of.entry(verdict.as_str().to_owned()).or_default() += count;
                }
            }
            seen.held.into_iter().for_each(|index| newest(&mut held, index));
            seen.near.into_iter().for_each(|index| newest(&mut near, index));
            tried.join(seen.compared);
            place = to.min(place + WINDOW);
            progress.report(place - from, to - from).await?;
        }
        self.show(&mut tried, &held, &near).await?;
        Ok(tried)
    }

    async fn window(self, from: u64, to: u64) -> Result<Seen, Error> {
        let mut seen = Seen::default();
        let mut link = self.engine.link().await?;
        let mut place = from;
        while place < to {
            let window = (LogIndex(place), LogIndex(to));
            let events = self.read(&mut link, window).await?;
            place = match events.last() {
                Some((last, _)) if events.len() == BATCH => last.0 + 1,
                _ => to,
            };
            let subjects = match self.wants.object {
                true => subjects(&mut link, events.iter().map(|(_, event)| event)).await?,
                false => HashMap::new(),
            };
            for (index, event) in &events {
                let subject = certificate_of(event).and_then(|id| subjects.get(&id));
                if let Some(happening) = happening(event, *index, subject) {
                    seen.count(&self.tested, &happening);
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(seen)
    }

    /// A batch of events, as far as they are looked at.
    async fn read(
        &self,
        link: &mut Link,
        window: (LogIndex, LogIndex),
    ) -> Result<Vec<(LogIndex, Event)>, Error> {
        let types = &self.tested.types;
        if self.wants.whole {
            let events = log::of_types(link, window, types, BATCH).await?;
            let whole = events.into_iter().map(Sealed::into_event);
            return Ok(whole.map(|(index, event)| (index, Arc::unwrap_or_clone(event))).collect());
        }
        Ok(log::glances(link, window, types, self.wants.glance, BATCH).await?)
    }

    /// Reads whole what is shown, and asks again with everything said.
    async fn show(
        &self,
        tried: &mut Tried,
        held: &VecDeque<u64>,
        near: &VecDeque<u64>,
    ) -> Result<(), Error> {
        let indexes: BTreeSet<u64> = held.iter().chain(near).copied().collect();
        let indexes: Vec<u64> = indexes.into_iter().collect();
        let mut link = self.engine.link().await?;
        let events = log::at_indexes(&mut link, &indexes).await?;
        let subjects = subjects(&mut link, events.iter().map(Sealed::event)).await?;
        for sealed in &events {
            let (event, index) = (sealed.event(), sealed.index());
            let subject = certificate_of(event).and_then(|id| subjects.get(&id));
            let Some(happening) = happening(event, index, subject) else { continue };
            for evaluation in &evaluate(&self.tested.with, &happening) {
                let (shown, list) = match evaluation.verdict {
                    verdict if verdict.held() => (held, &mut tried.samples),
                    Verdict::Nearly => (near, &mut tried.near),
                    _ => continue,
                };
                if shown.contains(&index.0) {
                    list.push(sample(evaluation, &happening));
                }
            }
        }
        tried.trim();
        Ok(())
    }
}

fn happening<'h>(
    event: &'h Event,
    index: LogIndex,
    subject: Option<&'h Subject>,
) -> Option<Happening<'h>> {
    let event_type = EventType::of(event)?;
    // What “within 30 days” means is a question of when it happened.
    Some(Happening { event, event_type, index: Some(index), subject, now: event.time })
}

async fn subjects<'e>(
    link: &mut Link,
    events: impl Iterator<Item = &'e Event>,
) -> Result<HashMap<chancery_event::id::CertificateId, Subject>, Error> {
    let ids: BTreeSet<_> = events.filter_map(certificate_of).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    Subject::read_many(link, &ids).await
}
