//! One run of a monitor: claimed by a lease, done in batches, recorded as `monitor.run`.
//!
//! The run's identifier is that of its event, so everything recorded in between is caused by it. A
//! run whose runner died is found by the next one, which records that it was broken off. What it
//! had done stays done: every batch was a transaction with its marks.

use std::sync::{Arc, Mutex};

use chancery_event::id::EventId;
use chancery_event::types::job as types;
use chancery_event::{Outcome, Severity, Target, TargetKind, Timestamp, Verdict};
use chancery_store::table::lease::Term;
use chancery_store::table::monitor as table;
use chancery_store::table::task::{self, Run};
use chancery_store::{Tx, log};
use futures::future::BoxFuture;

use super::active::Active;
use super::definition::{Definition, Kind};
use super::tally::Tally;
use super::timetable::Timetable;
use super::{certificate, condition, enrolment, token};
use crate::automation::Object;
use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error};

/// Objects looked at in one transaction at most.
const BATCH_MAX: usize = 1_000;
/// A run that failed is tried again after this long at the latest.
const RETRY: i64 = 5 * 60 * Timestamp::SECOND;
/// An object that is this old and is not watched was missed; a younger one is on its way.
const ON_ITS_WAY: i64 = 60 * Timestamp::SECOND;

/// A run at work.
struct AtWork {
    engine: Engine,
    token: String,
    run: Run,
    scribe: Scribe,
}

/// Runs a monitor.
///
/// # Errors
/// [`Error::Conflict`] if somebody else runs it; that the store cannot be written.
pub(crate) async fn perform(
    engine: &Engine,
    context: &Context,
    object: &Object,
    due_at: Option<Timestamp>,
) -> Result<Run, Error> {
    let definition = Definition::read(&object.body)?;
    let mut work = begin(engine, context, object, due_at).await?;
    let mut tally = Tally::default();
    let done = work.work(object, &definition, &mut tally).await;
    let timetable = object.enabled.then_some(&definition.timetable);
    work.end(timetable, tally, done).await?;
    Ok(work.run)
}

async fn begin(
    engine: &Engine,
    context: &Context,
    object: &Object,
    due_at: Option<Timestamp>,
) -> Result<AtWork, Error> {
    let run = Run {
        id: engine.environment().id::<EventId>(),
        class: "monitor".to_owned(),
        name: object.name.clone(),
        version: object.version,
        due_at,
        started_at: engine.environment().now(),
        ended_at: None,
        state: "running".to_owned(),
        counts: Tally::default().counts(),
        message: None,
        job: None,
    };
    let token = engine.lease_token();
    let scribe = Scribe { operation: Some(run.id), ..engine.scribe(context) };
    let claim = (token.clone(), run.clone(), scribe.clone());
    let term = Term::of(engine.lease_time(), task::LEASE);
    let begun = engine
        .0
        .store
        .transaction("monitor.begin", move |tx: &mut Tx| {
            let (token, run, scribe) = claim.clone();
            Box::pin(async move {
                let Some(broken) = task::begin(tx, &token, &run, term).await? else {
                    return Ok(false);
                };
                for broken in broken {
                    let outcome = Outcome {
                        result: Verdict::Abandoned,
                        reason: Some("broken_off".into()),
                        message: Some("the program ended during this run".to_owned()),
                    };
                    let draft = draft(&broken, &Tally::default())?.outcome(outcome);
                    tx.record(scribe.completion(broken.id, draft)?);
                }
                Ok::<_, Error>(true)
            })
        })
        .await?;
    if !begun {
        return Err(Error::Conflict {
            reason: "running",
            message: "this monitor is running already".to_owned(),
        });
    }
    Ok(AtWork { engine: engine.clone(), token, run, scribe })
}

/// What the event of a run says; the counts are those of the tally where it has more.
fn draft(run: &Run, tally: &Tally) -> Result<Draft, Error> {
    let duration = run.ended_at.map_or(0, |ended| ended.since(run.started_at));
    let payload = types::MonitorRun {
        monitor: run.name.clone(),
        monitor_version: Some(run.version),
        due_at: run.due_at,
        inventory: run.counts.inventory,
        watched: run.counts.watched,
        evaluated: run.counts.evaluated,
        found: run.counts.fired,
        skipped: tally.skipped(),
        skipped_because: tally.reasons(),
        repaired: run.counts.repaired,
        duration_ms: u64::try_from(duration / 1_000).unwrap_or(0),
    };
    let target = Target::new(TargetKind::Monitor, &run.name).named(&run.name);
    Ok(Draft::new(&payload)?.target(target))
}

impl AtWork {
    async fn work(
        &mut self,
        object: &Object,
        definition: &Definition,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let mut link = self.engine.link().await?;
        let made = Active::new(&mut link, &object.name, object.version, definition.clone()).await;
        drop(link);
        let active = Arc::new(made?);
        match definition.kind {
            Kind::Limits => {
                let usages = Arc::new(condition::usages(&self.engine, &active).await?);
                self.unit("monitor.look", tally, move |tx, scribe, now, tally| {
                    let (active, usages) = (active.clone(), usages.clone());
                    Box::pin(async move {
                        condition::limits(tx, scribe, &active, &usages, now, tally).await
                    })
                })
                .await
            }
            Kind::Jobs => {
                self.unit("monitor.look", tally, move |tx, scribe, now, tally| {
                    let active = active.clone();
                    Box::pin(async move { condition::jobs(tx, scribe, &active, now, tally).await })
                })
                .await
            }
            Kind::Internal => {
                let found = condition::findings(&self.engine, self.run.started_at).await?;
                let found = Arc::new(found);
                self.unit("monitor.look", tally, move |tx, scribe, _, tally| {
                    let (active, found) = (active.clone(), found.clone());
                    Box::pin(async move {
                        condition::internal(tx, scribe, &active, &found, tally).await
                    })
                })
                .await
            }
            _ => self.look_at_all(active, tally).await,
        }
    }

    /// Looks at everything that is due.
    async fn look_at_all(&mut self, active: Arc<Active>, tally: &mut Tally) -> Result<(), Error> {
        let Some(watched) = active.definition.kind.watched() else { return Ok(()) };
        enrolment::catch_up(&self.engine).await?;
        // A definition that somebody changed a moment ago and runs at once: what is watched still
        // has the times of the old one.
        let tasks = task::all(&mut self.engine.link().await?).await?;
        let own = tasks.iter().find(|task| task.class == "monitor" && task.name == active.name);
        if own.is_none_or(|task| task.version != active.version) {
            enrolment::set_up(&self.engine, &active).await?;
        }
        self.count(&active, watched, tally).await?;
        loop {
            // The time is that of the start: what becomes due meanwhile is for the next run.
            let now = self.run.started_at;
            let mut link = self.engine.link().await?;
            let waiting = !table::due(&mut link, &active.name, now, 1).await?.is_empty();
            drop(link);
            if !waiting {
                return Ok(());
            }
            let active = active.clone();
            self.unit("monitor.look", tally, move |tx, scribe, now, tally| {
                let active = active.clone();
                Box::pin(async move {
                    let batch = table::due(tx, &active.name, now, BATCH_MAX).await?;
                    if active.definition.kind.has_filter() {
                        certificate::look(tx, scribe, &active, batch, now, tally).await
                    } else {
                        token::look(tx, scribe, &active, batch, now, tally).await
                    }
                })
            })
            .await?;
        }
    }

    /// Compares what is watched with what there is, and puts right what differs.
    async fn count(
        &mut self,
        active: &Arc<Active>,
        watched: table::Watched,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        // Side by side: both look at every row of a large inventory.
        let (mut link, mut other) = (self.engine.link().await?, self.engine.link().await?);
        (tally.watched, tally.inventory) =
            tokio::try_join!(table::count(&mut link, &active.name), watched.count(&mut other))?;
        drop(other);
        let on_its_way = log::is_pending(&mut link).await?;
        // Equal counts may hide that one is missing and another one gone.
        let by_name = self.engine.0.monitor_memory.compares(&active.name, self.run.started_at);
        if tally.watched == tally.inventory && !by_name {
            return Ok(());
        }
        // Looked for outside the transaction: it may take a second, and everybody writes meanwhile.
        let mut missing = watched.missing(&mut link, &active.name, 100_000).await?;
        let mut orphans = watched.orphans(&mut link, &active.name, 100_000).await?;
        drop(link);
        let now = self.run.started_at;
        if on_its_way {
            missing.retain(|span| is_old(&span.object, now));
            // What was deleted a moment ago is as old as what was deleted long ago.
            orphans.clear();
        }
        if missing.is_empty() && orphans.is_empty() && on_its_way {
            return Ok(());
        }
        let work = Arc::new((active.clone(), missing, orphans));
        self.unit("monitor.count", tally, move |tx, _, now, tally| {
            let work = work.clone();
            Box::pin(async move {
                let (active, missing, orphans) = &*work;
                let old = |object: &String| is_old(object, now);
                let missed = missing.iter().filter(|span| old(&span.object)).count();
                tally.repaired += (missed + orphans.iter().filter(|id| old(id)).count()) as u64;
                let rows: Vec<_> =
                    missing.iter().map(|span| active.watch(span, None, now)).collect();
                table::put(tx, &active.name, &rows).await?;
                table::remove(tx, &active.name, orphans).await?;
                tally.watched = table::recount(tx, &active.name).await?;
                tally.inventory = watched.count(tx).await?;
                Ok(())
            })
        })
        .await
    }

    /// One transaction of the run: what it does, and how far the run is by then.
    async fn unit<F>(&mut self, name: &'static str, tally: &mut Tally, work: F) -> Result<(), Error>
    where
        F: for<'a> Fn(
                &'a mut Tx,
                &'a Scribe,
                Timestamp,
                &'a mut Tally,
            ) -> BoxFuture<'a, Result<(), Error>>
            + Send
            + Sync
            + 'static,
    {
        let term = Term::of(self.engine.lease_time(), task::LEASE);
        let (work, scribe) = (Arc::new(work), Arc::new(self.scribe.clone()));
        let (token, run) = (self.token.clone(), self.run.clone());
        let start = tally.clone();
        // The unit may run twice: each time it counts from where the run was.
        let counted = Arc::new(Mutex::new(tally.clone()));
        let result = counted.clone();
        self.engine
            .0
            .store
            .transaction(name, move |tx: &mut Tx| {
                let (work, scribe, token) = (work.clone(), scribe.clone(), token.clone());
                let (mut run, mut tally, result) = (run.clone(), start.clone(), result.clone());
                Box::pin(async move {
                    work(tx, &scribe, run.started_at, &mut tally).await?;
                    run.counts = tally.counts();
                    task::progress(tx, &token, &run, term).await?;
                    if let Ok(mut result) = result.lock() {
                        *result = tally;
                    }
                    Ok::<(), Error>(())
                })
            })
            .await?;
        if let Ok(counted) = counted.lock() {
            tally.clone_from(&counted);
        }
        self.run.counts = tally.counts();
        Ok(())
    }

    /// Ends the run and records it. Without a timetable, for a monitor that is paused, no other one
    /// is due.
    async fn end(
        &mut self,
        timetable: Option<&Timetable>,
        tally: Tally,
        done: Result<(), Error>,
    ) -> Result<(), Error> {
        let now = self.engine.environment().now();
        self.run.ended_at = Some(now.max(self.run.started_at));
        self.run.counts = tally.counts();
        let next = timetable.and_then(|timetable| timetable.next_after(now));
        let again = timetable.map_or(Timestamp::LAST, |_| now.plus(RETRY));
        let next = next.unwrap_or(Timestamp::LAST);
        let (outcome, severity, next) = match &done {
            Err(error) => {
                let outcome = Outcome::failure(error.reason(), error.to_string());
                (outcome, None, next.min(again))
            }
            Ok(()) if !tally.findings.is_empty() => {
                (Outcome::failure("unhealthy", tally.findings.join("; ")), None, next)
            }
            Ok(()) if tally.repaired > 0 => {
                let outcome = Outcome {
                    reason: Some("not_watched".into()),
                    message: Some(format!("{} objects were put right", tally.repaired)),
                    ..Outcome::success()
                };
                (outcome, Some(Severity::Error), next)
            }
            Ok(()) => (Outcome::success(), None, next),
        };
        self.run.message.clone_from(&outcome.message);
        self.run.state = match outcome.result {
            Verdict::Success => "succeeded",
            _ => "failed",
        }
        .to_owned();
        let mut draft = draft(&self.run, &tally)?.outcome(outcome);
        if let Some(severity) = severity {
            draft = draft.severity(severity);
        }
        let recorded = self.scribe.completion(self.run.id, draft)?;
        let (token, run) = (self.token.clone(), self.run.clone());
        self.engine
            .0
            .store
            .transaction("monitor.end", move |tx: &mut Tx| {
                let (token, run, recorded) = (token.clone(), run.clone(), recorded.clone());
                Box::pin(async move {
                    task::end(tx, &token, &run, next).await?;
                    tx.record(recorded);
                    Ok::<(), Error>(())
                })
            })
            .await
    }
}

/// Whether an identifier, which begins with the time it was made, is not of this minute.
fn is_old(object: &str, now: Timestamp) -> bool {
    let digits: String = object.chars().filter(|c| *c != '-').take(12).collect();
    match i64::from_str_radix(&digits, 16) {
        Ok(millis) => now.since(Timestamp::from_micros(millis.saturating_mul(1_000))) > ON_ITS_WAY,
        Err(_) => true,
    }
}
