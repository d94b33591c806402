//! Fast-forward: what the monitors will report in the days to come, what the triggers will make of
//! it, and whom it will reach. The present inventory and configuration, the runs of the timetables,
//! the events that those runs would record, and the very function that evaluates live.
//!
//! Nothing is carried out, so that a step does not change what comes after it. The alerts that
//! monitors and steps would raise are followed: their events meet the triggers as well. Changes of
//! status, and of what steps would place elsewhere, are not. Silences are those
//! of now. Nothing is kept but the fact that something was tried.

mod caused;
mod reach;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chancery_event::id::{CertificateId, EventId};
use chancery_event::{Event, EventType, Timestamp};
use chancery_store::{Link, table::task};
use serde::{Deserialize, Serialize};

use reach::{Reach, Told};

use super::Configuration;
use super::evaluate::{Evaluation, evaluate};
use super::happening::{Happening, Subject, certificate_of};
use super::trial::TrialEdit;
use crate::automation::{Book, Class};
use crate::monitor::active::Active;
use crate::monitor::{Definition, Lookout};
use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error, Permission};

/// Days that can be looked ahead at most.
pub const DAYS_MAX: u32 = 3_660;
/// Events listed at most; counts cover everything.
pub const ITEMS_MAX: usize = 500;
/// Events simulated at most.
const EVENTS_MAX: u64 = 200_000;

/// What will come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ahead {
    /// Events that monitors will record.
    pub events: u64,
    /// Events that those will cause, and so on: alerts that are raised.
    pub caused: u64,
    /// How many on each day (start of the day, UTC).
    pub by_day: BTreeMap<Timestamp, u64>,
    /// How many of each type.
    pub by_type: BTreeMap<String, u64>,
    /// How often each trigger will come to each verdict.
    pub verdicts: BTreeMap<String, BTreeMap<String, u64>>,
    /// How many events will be told to whom: `account:NAME`, `role:NAME`, `address:MAIL`;
    /// `channel:NAME` where a channel has readers of its own.
    pub reach: BTreeMap<String, u64>,
    /// How many events will be told through each channel; `bell` is one.
    pub channels: BTreeMap<String, u64>,
    /// Events that nobody is told of; those that raise an alert stand in the list of alerts all the
    /// same.
    pub unheard: u64,
    /// Notices that cannot be given, by reason.
    pub undeliverable: BTreeMap<String, u64>,
    /// Objects that will be silent, by reason.
    pub silent: BTreeMap<String, u64>,
    /// The first events, in order.
    pub items: Vec<AheadItem>,
    /// There is more than was simulated.
    pub cut: bool,
}

/// One event to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AheadItem {
    /// When the run records it.
    pub at: Timestamp,
    /// The monitor.
    pub monitor: String,
    /// The type of the event that causes it; absent: the run of the monitor does.
    pub because_of: Option<String>,
    /// Its type.
    pub event_type: String,
    /// Identifier of what it is about.
    pub object: String,
    /// Its name, unless that is about a person.
    pub name: Option<String>,
    /// What the event says of the threshold.
    pub threshold: Option<String>,
    /// Triggers that act on it, with what their steps would do.
    pub reactions: Vec<Reaction>,
    /// Whom they tell.
    pub reaches: Vec<String>,
    /// Through which channels.
    pub channels: Vec<String>,
}

/// A trigger that acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// Its name.
    pub trigger: String,
    /// `matched` or `ignored`.
    pub verdict: String,
    /// What its steps would do.
    pub steps: Vec<String>,
}

impl Engine {
    /// Simulates the monitor runs of the next `days` and what the triggers make of them (operation
    /// `configuration.test`). `edits` are changes to try that are not saved.
    ///
    /// # Errors
    /// The number of days, or changes that cannot work.
    pub async fn fast_forward(
        &self,
        context: &Context,
        days: u32,
        edits: &[TrialEdit],
    ) -> Result<Ahead, Error> {
        context.require(Permission::AutomationTry)?;
        if days == 0 || days > DAYS_MAX {
            return Err(Error::invalid("days", format!("1 to {DAYS_MAX}")));
        }
        let now = self.environment().now();
        let mut link = self.link().await?;
        let (book, around) = self.book_with(&mut link, edits).await?;
        let mut work = Work {
            configuration: Configuration::compile(&book, &around)?,
            reach: Reach::read(&mut link, &book, now).await?,
            scribe: self.as_monitor(),
            subjects: HashMap::new(),
            alerts: HashSet::new(),
            expiring: i64::from(self.settings().expiring_days) * Timestamp::DAY,
            ahead: Ahead::default(),
        };
        let until = now.plus(i64::from(days) * Timestamp::DAY);
        let saved = Book::read(&mut link).await?;
        for monitor in running(&mut link, &book, &saved).await? {
            work.monitor(&mut link, &monitor, (now, until)).await?;
        }
        drop(link);
        self.note_trial(context, "ahead").await?;
        let mut ahead = work.ahead;
        ahead.items.sort_by(|a, b| (a.at, &a.object).cmp(&(b.at, &b.object)));
        ahead.items.truncate(ITEMS_MAX);
        Ok(ahead)
    }

    /// Writes what a run of a monitor writes.
    fn as_monitor(&self) -> Scribe {
        let run = self.environment().id::<EventId>();
        Scribe { operation: Some(run), ..self.scribe(&Context::system(self.environment())) }
    }
}

/// A monitor that runs.
struct Runs {
    active: Active,
    /// It is another one than is saved under its name, if one is.
    is_draft: bool,
}

/// The monitors that run.
async fn running(link: &mut Link, book: &Book, saved: &Book) -> Result<Vec<Runs>, Error> {
    let tasks = task::all(link).await?;
    let mut running = Vec::new();
    for object in book.of_class(Class::Monitor).filter(|object| object.enabled) {
        let old = saved.find(Class::Monitor, &object.name);
        let is_draft = old.is_none_or(|old| old.body != object.body);
        let broken = tasks.iter().any(|task| {
            task.class == "monitor" && task.name == object.name && task.problem.is_some()
        });
        if broken && !is_draft {
            continue;
        }
        let definition = Definition::read(&object.body)?;
        let active = Active::new(link, &object.name, object.version, definition).await?;
        running.push(Runs { active, is_draft });
    }
    Ok(running)
}

struct Work {
    configuration: Configuration,
    reach: Reach,
    scribe: Scribe,
    subjects: HashMap<CertificateId, Option<Arc<Subject>>>,
    /// Causes that have an alert by then.
    alerts: HashSet<String>,
    /// A certificate counts as expiring this long before its end, in microseconds.
    expiring: i64,
    ahead: Ahead,
}

impl Work {
    async fn monitor(
        &mut self,
        link: &mut Link,
        Runs { active, is_draft }: &Runs,
        (now, until): (Timestamp, Timestamp),
    ) -> Result<(), Error> {
        let Some(watched) = active.definition.kind.watched() else { return Ok(()) };
        let runs = active.definition.timetable.clone();
        let mut lookout = Lookout::new(active, watched, now, until, Some(&runs));
        if *is_draft {
            lookout = lookout.of_draft();
        }
        let mut silent = BTreeSet::new();
        while let Some(batch) = lookout.next(link).await? {
            for coming in batch {
                match (coming.draft, coming.silent) {
                    (Some(draft), _) => {
                        if self.ahead.events >= EVENTS_MAX {
                            self.ahead.cut = true;
                            return Ok(());
                        }
                        let told = (coming.object, coming.name);
                        self.event(link, &active.name, coming.at, draft, told).await?;
                        if let Some(new) = coming.alert {
                            self.raised(link, &active.name, coming.at, &new).await?;
                        }
                    }
                    (None, Some(reason)) if silent.insert(coming.object) => {
                        *self.ahead.silent.entry(reason.to_owned()).or_default() += 1;
                    }
                    _ => {}
                }
            }
        }
        self.ahead.cut |= lookout.cut;
        Ok(())
    }

    async fn event(
        &mut self,
        link: &mut Link,
        monitor: &str,
        at: Timestamp,
        draft: Draft,
        (object, name): (String, Option<String>),
    ) -> Result<(), Error> {
        let mut event = self.scribe.occurrence(self.scribe.environment().id(), draft);
        event.time = at;
        self.follow(link, monitor, event, (object, name), None).await
    }

    /// Asks the triggers about an event, and about what their steps would cause.
    async fn follow(
        &mut self,
        link: &mut Link,
        monitor: &str,
        event: Event,
        told_as: (String, Option<String>),
        because_of: Option<String>,
    ) -> Result<(), Error> {
        let mut waiting = vec![(event, told_as, because_of)];
        while let Some((event, (object, name), because_of)) = waiting.pop() {
            let Some(event_type) = EventType::of(&event) else { continue };
            let (at, certificate) = (event.time, certificate_of(&event));
            let (evaluations, told) = match self.configuration.concerns(event_type) {
                false => (Vec::new(), Told::default()),
                true => {
                    let subject = self.subject(link, certificate, at).await?;
                    let subject = subject.as_deref();
                    let happening =
                        Happening { event: &event, event_type, index: None, subject, now: at };
                    let evaluations = evaluate(&self.configuration, &happening);
                    let told = self.reach.of(link, &event, subject, at, &evaluations).await?;
                    (evaluations, told)
                }
            };
            for new in caused::alerts(&event, &evaluations) {
                if let Some(caused) = self.alert_event(link, &new, Some(&event)).await? {
                    let told_as = caused::told_as(&caused);
                    waiting.push((caused, told_as, Some(event_type.name().to_owned())));
                }
            }
            let threshold = event.detail.get("threshold").and_then(|value| value.as_str());
            let held = evaluations.iter().filter(|one| one.verdict.held());
            let item = AheadItem {
                at,
                monitor: monitor.to_owned(),
                because_of,
                event_type: event_type.name().to_owned(),
                object,
                name,
                threshold: threshold.map(str::to_owned),
                reactions: held.map(reaction).collect(),
                reaches: told.whom.iter().cloned().collect(),
                channels: told.channels.iter().cloned().collect(),
            };
            self.ahead.count(event_type, item, &evaluations, &told);
        }
        Ok(())
    }

    /// The certificate as it will be then: nothing but time changes.
    async fn subject(
        &mut self,
        link: &mut Link,
        id: Option<CertificateId>,
        at: Timestamp,
    ) -> Result<Option<Arc<Subject>>, Error> {
        let Some(id) = id else { return Ok(None) };
        let known = match self.subjects.get(&id) {
            Some(known) => known.clone(),
            None => {
                let read = Subject::read(link, id).await?.map(Arc::new);
                self.subjects.insert(id, read.clone());
                read
            }
        };
        Ok(known.map(|mut subject| {
            let status = self.status_then(&subject, at).to_owned();
            if status != subject.row.status {
                Arc::make_mut(&mut subject).row.status = status;
            }
            subject
        }))
    }

    /// Its status by its own dates; what stands above it is taken to stay as it is.
    fn status_then<'s>(&self, subject: &'s Subject, at: Timestamp) -> &'s str {
        let end = subject.row.not_after;
        match subject.row.status.as_str() {
            status @ ("invalid" | "revoked") => status,
            _ if end <= at => "expired",
            "valid" if end.plus(-self.expiring) <= at => "expiring",
            status => status,
        }
    }
}

fn reaction(evaluation: &Evaluation) -> Reaction {
    Reaction {
        trigger: evaluation.trigger.name.clone(),
        verdict: evaluation.verdict.as_str().to_owned(),
        steps: evaluation.planned.iter().map(|planned| planned.effect.told()).collect(),
    }
}

impl Ahead {
    fn count(
        &mut self,
        event_type: EventType,
        item: AheadItem,
        evaluations: &[Evaluation],
        told: &Told,
    ) {
        *self.by_type.entry(event_type.name().to_owned()).or_default() += 1;
        if item.because_of.is_none() && event_type != EventType::AlertRaised {
            let day = item.at.micros().div_euclid(Timestamp::DAY) * Timestamp::DAY;
            *self.by_day.entry(Timestamp::from_micros(day)).or_default() += 1;
            self.events += 1;
            self.unheard += u64::from(told.whom.is_empty());
        } else {
            self.caused += 1;
        }
        for one in evaluations {
            let of = self.verdicts.entry(one.trigger.name.clone()).or_default();
            *of.entry(one.verdict.as_str().to_owned()).or_default() += 1;
        }
        for (of, names) in [(&mut self.reach, &told.whom), (&mut self.channels, &told.channels)] {
            for name in names {
                *of.entry(name.clone()).or_default() += 1;
            }
        }
        for why in &told.failed {
            *self.undeliverable.entry(why.clone()).or_default() += 1;
        }
        self.items.push(item);
        // Bounded; the first ones in time are kept.
        if self.items.len() >= ITEMS_MAX * 20 {
            self.items.sort_by(|a, b| (a.at, &a.object).cmp(&(b.at, &b.object)));
            self.items.truncate(ITEMS_MAX);
        }
    }
}
