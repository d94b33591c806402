//! Trying out: one trigger on one event, triggers on recorded history, and what a change of the
//! configuration would have done differently. The same function as live; nothing is carried out and
//! nothing is kept but the fact that something was tried.
//!
//! Objects are seen as they are now: history has the events, not every state of every object. Times
//! that a rule counts from now on are counted from the event on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use chancery_event::id::{EventId, JobId};
use chancery_event::types::configuration as types;
use chancery_event::{EventType, Target, TargetKind, Timestamp};
use chancery_store::log;
use chancery_store::table::job::Job;
use chancery_store::{Link, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Configuration;
use super::configuration::Surroundings;
use super::difference::not_compared;
use super::evaluate::{Evaluation, Verdict, evaluate};
use super::happening::{Happening, Subject, certificate_of};
use super::{coarse, fine};
use crate::automation::{Book, Class, Edit, check, proposed};
use crate::job::{self, JobError, Progress};
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

pub use super::difference::{Difference, NotCompared};

/// Samples that are shown.
pub const SAMPLES_MAX: usize = 50;
/// A longer stretch of the log becomes a job.
pub const AT_ONCE_MAX: u64 = 100_000;

/// Name of a trigger that is being written, in the answer of a preview.
pub const PREVIEWED: &str = "preview.trigger";

/// What is to be tried out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// This trigger alone, whether or not it is enabled; absent: all that are.
    #[serde(default)]
    pub trigger: Option<String>,
    /// Changes that are not saved, tried as if they were.
    #[serde(default)]
    pub edits: Vec<TrialEdit>,
    /// From this time on.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// Before this time.
    #[serde(default)]
    pub to: Option<Timestamp>,
    /// Compare with what is saved, and tell the differences.
    #[serde(default)]
    pub compare: bool,
    /// Have a job do it also where the stretch is short.
    #[serde(default)]
    pub queued: bool,
}

/// A change that is not saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialEdit {
    /// Its class.
    pub class: String,
    /// Its name.
    pub name: String,
    /// What it is to say; absent: it is to go.
    #[serde(default)]
    pub body: Option<Value>,
    /// Whether it is to count.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

impl TrialEdit {
    fn edit(&self) -> Result<Edit, Error> {
        let class = Class::parse(&self.class);
        let class = class.ok_or_else(|| Error::invalid("class", "there is no such class"))?;
        let (name, body) = (self.name.clone(), self.body.clone());
        Ok(Edit { class, name, body, enabled: self.enabled })
    }
}

/// What came of trying.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// Events of the stretch.
    pub events: u64,
    /// Of them, those that a trigger listens to.
    pub concerned: u64,
    /// How often each trigger came to each verdict.
    pub verdicts: BTreeMap<String, BTreeMap<String, u64>>,
    /// Some events whose verdict was that all rules held, the newest last.
    pub samples: Vec<Sample>,
    /// Some events that only one comparison kept from a match.
    pub near: Vec<Sample>,
    /// Whether it was compared with what is saved.
    #[serde(default)]
    pub compared: bool,
    /// How many verdicts differ from what is saved, or lead to other steps.
    pub differing: u64,
    /// Some of them.
    pub differences: Vec<Difference>,
    /// Changed objects that were not compared on history, by class and name.
    #[serde(default)]
    pub not_compared: Vec<NotCompared>,
    /// Microseconds it took.
    pub took_us: u64,
}

/// One verdict on one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The event.
    pub event: EventId,
    /// Its place in the log.
    pub index: u64,
    /// Its type.
    pub event_type: String,
    /// What it is about.
    pub subject: Option<String>,
    /// The trigger.
    pub trigger: String,
    /// What came of it.
    pub verdict: String,
    /// What its steps would do.
    pub steps: Vec<String>,
}

impl Engine {
    /// Tries a trigger on one event and carries nothing out (operation `configuration.test`).
    ///
    /// # Errors
    /// There is no such trigger or event, or the changes to try cannot work.
    pub async fn dry_run(
        &self,
        context: &Context,
        trigger: &str,
        edits: &[TrialEdit],
        event: EventId,
    ) -> Result<Vec<Evaluation>, Error> {
        context.require(Permission::AutomationTry)?;
        self.require_all_events(context).await?;
        let mut link = self.link().await?;
        let (book, around) = self.book_with(&mut link, edits).await?;
        let configuration = Configuration::only(&book, &around, trigger)?;
        let sealed = log::by_id(&mut link, event).await?;
        let sealed = sealed.ok_or_else(|| Error::not_found("sealed event", event))?;
        let tried = sealed.event();
        let subject = match certificate_of(tried) {
            Some(id) => Subject::read(&mut link, id).await?,
            None => None,
        };
        // What “within 30 days” means is a question of when it happened.
        let (index, now) = (Some(sealed.index()), tried.time);
        let subject = subject.as_ref();
        let evaluations = match EventType::of(tried) {
            Some(event_type) => {
                let happening = Happening { event: tried, event_type, index, subject, now };
                evaluate(&configuration, &happening)
            }
            None => Vec::new(),
        };
        drop(link);
        self.note_trial(context, trigger).await?;
        Ok(evaluations)
    }

    /// Tries triggers on recorded events (operation `configuration.test`). `Err` of the answer: the
    /// stretch is long, and a job does it.
    ///
    /// # Errors
    /// The changes to try cannot work.
    pub async fn back_test(
        &self,
        context: &Context,
        trial: Trial,
    ) -> Result<Result<Tried, JobId>, Error> {
        context.require(Permission::AutomationTry)?;
        self.require_all_events(context).await?;
        let mut link = self.link().await?;
        let (from, to) = stretch(&mut link, &trial).await?;
        // What cannot work is said at once, also when a job is to do it.
        let tested = self.tested(&mut link, &trial).await?;
        drop(link);
        self.note_trial(context, trial.trigger.as_deref().unwrap_or("all")).await?;
        if !trial.queued && to.saturating_sub(from) <= AT_ONCE_MAX {
            return self.look_through(&tested, (from, to), &Progress::none()).await.map(Ok);
        }
        let payload = json!({ "trial": trial });
        let new = job::of_kind(self.environment(), context, job::Kind::BackTest, &payload)?;
        let (id, scribe) = (new.job.id, self.scribe(context));
        self.0
            .store
            .transaction("back_test.queue", move |tx: &mut Tx| {
                let (scribe, new) = (scribe.clone(), new.clone());
                Box::pin(async move { job::enqueue(tx, &scribe, &new).await })
            })
            .await?;
        self.0.jobs_waiting.notify_one();
        Ok(Err(id))
    }

    /// How many recorded events a filter of automation would select among the newest `most` of
    /// some types: the preview of a rule while it is written.
    ///
    /// # Errors
    /// The filter cannot be understood.
    pub async fn preview_rule(
        &self,
        context: &Context,
        filter: &Value,
        types: &[EventType],
        most: u64,
    ) -> Result<Tried, Error> {
        let names: Vec<_> = types.iter().map(|event_type| event_type.name()).collect();
        let rule = edit(Class::Rule, "preview.rule", json!({ "filter": filter }));
        let trigger = json!({ "event_types": names, "rules": ["preview.rule"] });
        self.preview(context, vec![rule], trigger, most).await
    }

    /// What a trigger would have made of the newest `most` recorded events, while it is written.
    ///
    /// # Errors
    /// The body cannot work: the field is a JSON pointer into it.
    pub async fn preview_trigger(
        &self,
        context: &Context,
        body: &Value,
        most: u64,
    ) -> Result<Tried, Error> {
        self.preview(context, Vec::new(), body.clone(), most).await
    }

    async fn preview(
        &self,
        context: &Context,
        mut edits: Vec<TrialEdit>,
        mut trigger: Value,
        most: u64,
    ) -> Result<Tried, Error> {
        context.require(Permission::AutomationTry)?;
        self.require_all_events(context).await?;
        // One that does nothing yet cannot be saved, but what it fits can be counted.
        let idle = trigger["ignore"] != true
            && trigger["actions"].as_array().is_none_or(|actions| actions.is_empty());
        if idle && let Some(members) = trigger.as_object_mut() {
            members.insert("ignore".to_owned(), true.into());
        }
        edits.push(edit(Class::Trigger, PREVIEWED, trigger));
        let trial = Trial { trigger: Some(PREVIEWED.to_owned()), edits, ..Trial::default() };
        let mut link = self.link().await?;
        let tested = self.tested(&mut link, &trial).await?;
        let to = log::latest_index(&mut link).await?.0;
        drop(link);
        let stretch = (to.saturating_sub(most), to);
        let mut tried = self.look_through(&tested, stretch, &Progress::none()).await?;
        if idle {
            tried.matched_instead();
        }
        Ok(tried)
    }

    pub(super) async fn note_trial(&self, context: &Context, name: &str) -> Result<(), Error> {
        let payload = types::Test {
            class: Class::Trigger.as_str().into(),
            object_id: Some(name.to_owned()),
            object_name: Some(name.to_owned()),
        };
        let target = Target::new(TargetKind::Trigger, name);
        self.operation(context, Permission::AutomationTry, &payload)?
            .run(move |_, _| {
                let (payload, target) = (payload.clone(), target.clone());
                Box::pin(async move {
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target) })
                })
            })
            .await
    }

    /// The saved configuration with changes that are not saved.
    pub(super) async fn book_with(
        &self,
        link: &mut Link,
        edits: &[TrialEdit],
    ) -> Result<(Book, Surroundings), Error> {
        let saved = Book::read(link).await?;
        let around = check::surroundings(link).await?;
        let edits = edits.iter().map(TrialEdit::edit).collect::<Result<Vec<_>, _>>()?;
        let book = proposed(&saved, &edits, self.environment().now())?;
        check::book(link, &saved, &book).await?;
        Ok((book, around))
    }

    async fn tested(&self, link: &mut Link, trial: &Trial) -> Result<Arc<Tested>, Error> {
        let (book, around) = self.book_with(link, &trial.edits).await?;
        let compile = |book: &Book| match &trial.trigger {
            Some(name) => Configuration::only(book, &around, name),
            None => Configuration::compile(book, &around),
        };
        let with = compile(&book)?;
        let (mut saved, mut uncompared) = (None, Vec::new());
        if trial.compare {
            let before = Book::read(link).await?;
            let compiled = match &trial.trigger {
                Some(name) => Configuration::saved_alone(&before, &around, name)?,
                None => Configuration::compile(&before, &around)?,
            };
            uncompared = not_compared(&before, &book, &[&compiled, &with]);
            saved = Some(compiled);
        }
        let listened = |of: &EventType| {
            with.concerns(*of) || saved.as_ref().is_some_and(|saved| saved.concerns(*of))
        };
        let types = EventType::ALL.iter().copied().filter(listened).map(EventType::name).collect();
        Ok(Arc::new(Tested { with, saved, types, uncompared }))
    }

    async fn look_through(
        &self,
        tested: &Arc<Tested>,
        (from, to): (u64, u64),
        progress: &Progress,
    ) -> Result<Tried, Error> {
        let started = Instant::now();
        let now = self.environment().now();
        let mut tried = Tried {
            events: to.saturating_sub(from),
            compared: tested.saved.is_some(),
            not_compared: tested.uncompared.clone(),
            ..Tried::default()
        };
        if let Some(columns) = coarse::columns(tested.saved.iter().chain([&tested.with])) {
            let count = coarse::Count { engine: self, tested, columns, now, tried };
            let mut tried = count.through((from, to), progress).await?;
            tried.took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            return Ok(tried);
        }
        let look = fine::Look::new(self, tested);
        tried = look.through((from, to), tried, progress).await?;
        tried.took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(tried)
    }
}

fn edit(class: Class, name: &str, body: Value) -> TrialEdit {
    let class = class.as_str().to_owned();
    TrialEdit { class, name: name.to_owned(), body: Some(body), enabled: true }
}

/// Configurations that are tried side by side.
pub(super) struct Tested {
    pub(super) with: Configuration,
    pub(super) saved: Option<Configuration>,
    pub(super) types: Vec<&'static str>,
    /// What is changed and says nothing about events.
    uncompared: Vec<NotCompared>,
}

impl Tried {
    /// Tells what would be ignored as a match.
    fn matched_instead(&mut self) {
        for of in self.verdicts.values_mut() {
            if let Some(count) = of.remove(Verdict::Ignored.as_str()) {
                *of.entry(Verdict::Matched.as_str().to_owned()).or_default() += count;
            }
        }
        for sample in &mut self.samples {
            Verdict::Matched.as_str().clone_into(&mut sample.verdict);
        }
    }

    pub(super) fn count(&mut self, tested: &Tested, happening: &Happening<'_>) {
        let evaluations = evaluate(&tested.with, happening);
        for one in &evaluations {
            let of = self.verdicts.entry(one.trigger.name.clone()).or_default();
            *of.entry(one.verdict.as_str().to_owned()).or_default() += 1;
            let list = match one.verdict {
                verdict if verdict.held() => &mut self.samples,
                Verdict::Nearly => &mut self.near,
                _ => continue,
            };
            if list.len() >= SAMPLES_MAX {
                list.remove(0);
            }
            list.push(sample(one, happening));
        }
        let Some(saved) = &tested.saved else { return };
        let before = evaluate(saved, happening);
        let same = |one: &Evaluation, other: &Evaluation| one.trigger.name == other.trigger.name;
        for after in &evaluations {
            let old = before.iter().find(|old| same(old, after));
            self.differ(Difference::of(old, Some(after), happening));
        }
        for old in before.iter().filter(|old| !evaluations.iter().any(|new| same(new, old))) {
            self.differ(Difference::of(Some(old), None, happening));
        }
    }

    /// Adds what came of the events behind those of `self`.
    pub(super) fn join(&mut self, next: Self) {
        for (trigger, counts) in next.verdicts {
            let of = self.verdicts.entry(trigger).or_default();
            for (verdict, count) in counts {
                *of.entry(verdict).or_default() += count;
            }
        }
        self.samples.extend(next.samples);
        self.near.extend(next.near);
        self.trim();
        self.differing += next.differing;
        let left = SAMPLES_MAX.saturating_sub(self.differences.len());
        self.differences.extend(next.differences.into_iter().take(left));
    }

    /// Keeps the newest of what is shown.
    pub(super) fn trim(&mut self) {
        for list in [&mut self.samples, &mut self.near] {
            let over = list.len().saturating_sub(SAMPLES_MAX);
            list.drain(..over);
        }
    }

    fn differ(&mut self, difference: Option<Difference>) {
        let Some(difference) = difference else { return };
        self.differing += 1;
        if self.differences.len() < SAMPLES_MAX {
            self.differences.push(difference);
        }
    }
}

pub(super) fn sample(evaluation: &Evaluation, happening: &Happening<'_>) -> Sample {
    Sample {
        event: happening.event.id,
        index: happening.index.map_or(0, |index| index.0),
        event_type: happening.event_type.name().to_owned(),
        subject: happening.event.subject().and_then(|target| target.name.clone()),
        trigger: evaluation.trigger.name.clone(),
        verdict: evaluation.verdict.as_str().to_owned(),
        steps: evaluation.planned.iter().map(|planned| planned.effect.told()).collect(),
    }
}

/// The indexes of the events between two times.
async fn stretch(link: &mut Link, trial: &Trial) -> Result<(u64, u64), Error> {
    let size = log::latest_index(link).await?.0;
    let from = match trial.from {
        Some(from) => log::first_since(link, from).await?.map_or(size, |index| index.0),
        None => 0,
    };
    let to = match trial.to {
        Some(to) => log::first_since(link, to).await?.map_or(size, |index| index.0),
        None => size,
    };
    Ok((from, to.max(from)))
}

/// Works off a back-test.
pub(crate) async fn run_job(
    engine: &Engine,
    context: Context,
    job: &Job,
    progress: &Progress,
) -> Result<Value, JobError> {
    let damaged = || JobError { retry: false, message: "the payload is damaged".to_owned() };
    let payload: Value = serde_json::from_str(&job.payload).map_err(|_| damaged())?;
    let trial: Trial = serde_json::from_value(payload["trial"].clone()).map_err(|_| damaged())?;
    context.require(Permission::AutomationTry).map_err(JobError::of)?;
    // The scope may have been set since the job was queued.
    engine.require_all_events(&context).await.map_err(JobError::of)?;
    let work = async {
        let mut link = engine.link().await?;
        let tested = engine.tested(&mut link, &trial).await?;
        let stretch = stretch(&mut link, &trial).await?;
        drop(link);
        engine.look_through(&tested, stretch, progress).await
    };
    let tried = work.await.map_err(JobError::of)?;
    serde_json::to_value(&tried).map_err(|_| damaged())
}
