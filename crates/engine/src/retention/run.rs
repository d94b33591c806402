//! A run: follows every rule that is enabled, removes what they reach, records one event for each.
//!
//! It is the work of a job (`retention.run`): one at a time, under a lease, with progress,
//! cancelled like any other. Crash here: what was removed is noted with it; the next run ends the
//! one that broke off, records it, and goes on.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use chancery_event::id::JobId;
use chancery_event::types::log as types;
use chancery_event::{Event, LogIndex, Outcome, Severity, Timestamp};
use chancery_store::log::{self, Part, Sealed};
use chancery_store::table::retention::{self as table, Rule, Run};
use chancery_store::{Lane, Tx};
use serde_json::{Value, json};

use super::select::{Holds, Selector};
use super::sentence;
use crate::job::{JobError, Kind, Progress};
use crate::monitor::enrolment;
use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error, Permission};

/// Events looked at, and removed in one transaction, at most.
const BATCH: usize = 500;
/// How long a part that is dropped waits for the readers of each of its tables.
const READERS_MAX: Duration = Duration::from_secs(2);
/// Entries of a bundle.
const WIDTH: u64 = chancery_seal::tile::TILE_WIDTH as u64;

/// Bundles that were read back from the archive and checked, by number.
type Checked = BTreeMap<u64, Vec<Vec<u8>>>;

/// A run of all rules that was tried, for the event of its refusal.
fn attempt() -> types::RetentionRun {
    types::RetentionRun {
        rule: String::new(),
        rule_version: 0,
        basis: "all".into(),
        after_days: 0,
        removed: 0,
        held: 0,
        first_index: None,
        last_index: None,
        archive: None,
        query: None,
    }
}

impl Engine {
    /// Queues a run of all rules that are enabled.
    ///
    /// # Errors
    /// The caller may not change what is kept.
    pub async fn queue_retention(&self, context: &Context) -> Result<JobId, Error> {
        self.queue(context, Permission::RetentionWrite, Kind::RetentionRun, &attempt()).await
    }

    /// Follows all rules that are enabled.
    ///
    /// # Errors
    /// Who it acts for may not change what is kept; a rule could not be followed to its end, the
    /// others were.
    pub(crate) async fn run_retention(
        &self,
        context: &Context,
        progress: &Progress,
    ) -> Result<Value, JobError> {
        if let Err(error) = context.require(Permission::RetentionWrite) {
            let operation = self.operation(context, Permission::RetentionWrite, &attempt());
            return Err(JobError::of(operation.map_err(JobError::of)?.fail(error).await));
        }
        self.end_broken_runs(context).await.map_err(JobError::of)?;
        let rules = async { Ok::<_, Error>(table::rules(&mut self.link().await?).await?) };
        let rules = rules.await.map_err(JobError::of)?;
        let (mut removed, mut held, mut followed) = (0, 0, 0);
        let mut failed = None;
        for rule in rules.into_iter().filter(|rule| rule.enabled) {
            let run = self.follow(context, &rule, progress).await;
            match run {
                Ok(run) => {
                    removed += run.removed;
                    held += run.held;
                    followed += 1;
                }
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) => Err(JobError::of(error)),
            None => Ok(json!({ "rules": followed, "removed": removed, "held": held })),
        }
    }

    /// Follows one rule, and records that it did.
    async fn follow(
        &self,
        context: &Context,
        rule: &Rule,
        progress: &Progress,
    ) -> Result<Run, Error> {
        let (id, now) = (self.environment().id(), self.environment().now());
        let mut run = Run::begun(id, (&rule.name, rule.version), &sentence(rule), now);
        self.write(Note::Begins, &run, None).await?;
        let worked = self.remove(rule, &mut run, progress).await;
        run.ended_at = Some(self.environment().now());
        run.state = if worked.is_ok() { "succeeded" } else { "failed" }.to_owned();
        run.message = worked.as_ref().err().map(ToString::to_string);
        // What counts is what is gone: a batch may have been committed whose answer was lost.
        let gone = log::removed_by(&mut self.link().await?, run.id).await?;
        (run.removed, run.first_index, run.last_index) = gone;
        let place = self.archive_place();
        let draft = draft(&run, Some(rule), place)?;
        self.write(Note::Ends, &run, Some((self.scribe(context), draft))).await?;
        worked.map(|()| run)
    }

    async fn write(
        &self,
        note: Note,
        run: &Run,
        event: Option<(Scribe, Draft)>,
    ) -> Result<(), Error> {
        let work = Arc::new((run.clone(), event));
        self.0
            .store
            .transaction("retention.note", move |tx: &mut Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (run, event) = &*work;
                    match note {
                        Note::Begins => table::begin(tx, run).await?,
                        Note::Ends => table::note(tx, run).await?,
                    }
                    if let Some((scribe, draft)) = event {
                        tx.record(scribe.completion(run.id, draft.clone())?);
                    }
                    Ok::<(), Error>(())
                })
            })
            .await
    }

    /// Records runs whose program died.
    async fn end_broken_runs(&self, context: &Context) -> Result<(), Error> {
        let scribe = self.scribe(context);
        let place = self.archive_place();
        self.0
            .store
            .transaction("retention.broken", move |tx: &mut Tx| {
                let (scribe, place) = (scribe.clone(), place.clone());
                Box::pin(async move {
                    for run in table::end_broken(tx, scribe.now()).await? {
                        tx.record(scribe.completion(run.id, draft(&run, None, place.clone())?)?);
                    }
                    Ok::<(), Error>(())
                })
            })
            .await
    }

    async fn remove(&self, rule: &Rule, run: &mut Run, progress: &Progress) -> Result<(), Error> {
        if self.archive().is_none() {
            return Err(Error::Conflict {
                reason: "no_archive",
                message: "no archive is set: see docs/RETENTION.md".to_owned(),
            });
        }
        // Monitors read ahead of their cursor: only what that is behind counts as seen.
        enrolment::settle(self).await?;
        let mut selector = Selector::new(self, &mut self.link().await?, rule, true).await?;
        if selector.is_plain(rule) {
            self.drop_parts(rule, &selector, run, progress).await?;
        }
        let mut from = LogIndex(0);
        let mut checked = Checked::new();
        loop {
            progress.report(run.removed, 0).await?;
            let mut link = self.link().await?;
            let batch = selector.next(&mut link, from, BATCH).await?;
            drop(link);
            let next = batch.next;
            match self.remove_batch(batch.chosen, selector.holds.revision, run, &mut checked).await
            {
                Ok(()) => {}
                // A hold was placed or ended meanwhile: judge these events anew.
                Err(Error::Store(chancery_store::Error::Conflict("a legal hold"))) => {
                    selector.holds = Holds::read(&mut self.link().await?).await?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            run.held += batch.held;
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        self.drop_empty_parts(&selector, run).await
    }

    /// Removes events whose entries are in the archive as they were sealed.
    async fn remove_batch(
        &self,
        chosen: Vec<Sealed>,
        holds: i64,
        run: &mut Run,
        checked: &mut Checked,
    ) -> Result<(), Error> {
        if chosen.is_empty() {
            return Ok(());
        }
        let first = chosen.first().map_or(0, |sealed| sealed.index().0 / WIDTH);
        checked.retain(|number, _| *number >= first);
        for sealed in &chosen {
            let (number, place) = (sealed.index().0 / WIDTH, sealed.index().0 % WIDTH);
            let entries = match checked.entry(number) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(self.archived(number).await?),
            };
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            if entries.get(place).map(Vec::as_slice) != Some(sealed.entry()) {
                let message = format!("entry {} is not what was sealed", sealed.index());
                return Err(Error::LogDamaged(message));
            }
        }
        let events: Vec<(LogIndex, Arc<Event>)> =
            chosen.into_iter().map(Sealed::into_event).collect();
        let mut after = run.clone();
        after.removed += events.len() as u64;
        let first = events.first().map(|(index, _)| *index);
        after.first_index = after.first_index.min(first).or(first);
        after.last_index = events.last().map(|(index, _)| *index).max(after.last_index);
        let work = Arc::new((events, after.clone()));
        self.0
            .store
            .transaction_in(Lane::Last, "retention.trim", move |tx: &mut Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (events, run) = &*work;
                    // First: it refuses if this run has been ended.
                    table::note(tx, run).await?;
                    Ok::<(), Error>(log::trim(tx, run.id, holds, events).await?)
                })
            })
            .await?;
        *run = after;
        Ok(())
    }

    /// Drops parts of the log out of which the rule removes everything.
    async fn drop_parts(
        &self,
        rule: &Rule,
        selector: &Selector,
        run: &mut Run,
        progress: &Progress,
    ) -> Result<(), Error> {
        let before = super::days_before(run.started_at, rule.after_days);
        let parts = log::parts(&mut self.link().await?).await?;
        for part in parts {
            if part.end > selector.cut.0 || !self.all_may_go(part, before, selector).await? {
                continue;
            }
            for number in part.first / WIDTH..part.end / WIDTH {
                progress.report(run.removed, 0).await?;
                self.archived(number).await?;
            }
            self.drop_part(part, selector, run).await?;
        }
        Ok(())
    }

    /// Whether nothing in a part is too young or held.
    async fn all_may_go(
        &self,
        part: Part,
        before: Timestamp,
        selector: &Selector,
    ) -> Result<bool, Error> {
        let mut link = self.link().await?;
        let (first, end) = (LogIndex(part.first), LogIndex(part.end));
        if log::newest_time(&mut link, first, end).await?.is_none_or(|newest| newest >= before) {
            return Ok(false);
        }
        let now = self.environment().now().micros();
        for (_, hold) in &selector.holds.filters {
            let request = log::PageRequest {
                before: Some(end),
                from: Some(first),
                oldest_first: true,
                limit: 1,
            };
            if !log::page(&mut link, hold, request, now).await?.events.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn drop_part(&self, part: Part, selector: &Selector, run: &mut Run) -> Result<(), Error> {
        let (store, holds) = (&self.0.store, selector.holds.revision);
        match log::drop_part(store, part, run.id, holds, READERS_MAX).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Readers did not let go, or a hold was placed: its events go one by one.
            Err(
                chancery_store::Error::Unavailable(_)
                | chancery_store::Error::Conflict("a legal hold"),
            ) => {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        let gone = log::removed_by(&mut self.link().await?, run.id).await?;
        (run.removed, run.first_index, run.last_index) = gone;
        self.write(Note::Ends, run, None).await
    }

    /// Parts whose events are all gone one by one go as well, but never the last.
    async fn drop_empty_parts(&self, selector: &Selector, run: &mut Run) -> Result<(), Error> {
        let parts = log::parts(&mut self.link().await?).await?;
        for part in parts {
            if part.end > selector.cut.0 {
                break;
            }
            let (first, end) = (LogIndex(part.first), LogIndex(part.end));
            if log::newest_time(&mut self.link().await?, first, end).await?.is_none() {
                self.drop_part(part, selector, run).await?;
            }
        }
        Ok(())
    }
}

/// What is written of a run.
#[derive(Clone, Copy)]
enum Note {
    Begins,
    Ends,
}

/// The event of a run.
fn draft(run: &Run, rule: Option<&Rule>, archive: Option<String>) -> Result<Draft, Error> {
    let payload = types::RetentionRun {
        rule: run.rule.clone(),
        rule_version: run.rule_version,
        basis: rule.map_or_else(|| "event".into(), |rule| rule.basis.clone().into()),
        after_days: rule.map_or(0, |rule| rule.after_days),
        removed: run.removed,
        held: run.held,
        first_index: run.first_index.map(|index| index.0),
        last_index: run.last_index.map(|index| index.0),
        archive,
        query: rule.map(|rule| rule.filter.clone()).filter(|filter| !filter.is_empty()),
    };
    let mut draft = Draft::new(&payload)?.target(super::target("retention_rule", &run.rule));
    if run.removed == 0 && run.message.is_none() {
        // It happens every day to most rules; that events go is worth more than a glance.
        draft = draft.severity(Severity::Info);
    }
    if let Some(message) = &run.message {
        draft = draft.outcome(Outcome { message: None, ..Outcome::failure("incomplete", "") });
        draft.personal.insert("message".to_owned(), message.clone().into());
    }
    Ok(draft)
}
