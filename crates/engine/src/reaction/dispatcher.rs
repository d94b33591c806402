//! Live: sealed events in the order of the log, each evaluated once.
//!
//! A consumer like any other: it reads at its cursor and moves it in the transaction that writes
//! the evaluations and carries out the steps. A crash before the commit leaves nothing, one after
//! it leaves everything; a unique index holds that no trigger acts twice on an event.
//!
//! Events that no trigger listens to are passed over by the database, without being opened. Their
//! cursor moves now and then only, so that they cost no commit of their own.
//!
//! Memory is bounded by a batch of [`BATCH_MAX`] events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_event::id::{EvaluationId, EventId, TransactionId};
use chancery_event::types::trigger as types;
use chancery_event::{EventType, LogIndex, Origin, Target, Timestamp};
use chancery_store::log::{self, Sealed};
use chancery_store::table::evaluation as table;
use chancery_store::{Link, Tx};
use tokio::sync::watch;

use super::Configuration;
use super::carry::{self, Ending, Occasion};
use super::evaluate::{Evaluation, evaluate};
use super::happening::{Happening, Subject, certificate_of};
use super::record::{self, Happened};
use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error};

/// Name of the cursor.
pub(crate) const CURSOR: &str = "dispatch";
/// Events that triggers act on in one transaction at most.
const BATCH_MAX: usize = 32;
/// Indexes looked through at a time.
const WINDOW: u64 = 16_384;
/// The cursor is moved at the latest this many passed events behind.
const LAG_MAX: u64 = 65_536;
/// With so many causes behind it, an event is not acted on any more (invariant 13).
pub(crate) const DEPTH_MAX: u16 = 8;
const TICK: Duration = Duration::from_secs(1);
/// Between two sweeps of old evaluations.
const SWEEP: Duration = Duration::from_secs(3_600);
/// Evaluations deleted in one transaction at most.
const SWEEP_MAX: usize = 2_000;

/// Types that are evaluated before what they tell of happens; see `stage`.
pub(crate) fn is_staged(event_type: EventType) -> bool {
    matches!(event_type, EventType::CertificateUploaded | EventType::CertificateDiscovered)
}

/// Where the dispatcher stands.
#[derive(Default)]
pub(crate) struct Place {
    /// Everything before it has been looked at in this process.
    seen: u64,
    /// The configuration it was looked at with.
    revision: i64,
    /// A batch failed: go event by event until one has passed.
    careful: bool,
    /// Another node dispatches.
    other: bool,
}

impl Place {
    /// Where to go on after a round that failed: where the cursor stands.
    pub(crate) fn after(error: &Error) -> Self {
        Self { careful: !error.is_transient(), ..Self::default() }
    }
}

/// Dispatches until `stop` is set.
pub(crate) async fn run(engine: Engine, mut stop: watch::Receiver<bool>) {
    let mut sealed = engine.sealed();
    let mut changed = engine.0.automation.subscribe();
    let mut place = Place::default();
    let mut swept: Option<Instant> = None;
    let mut keeper = engine.keeper("dispatcher");
    loop {
        sealed.mark_unchanged();
        let result = match keeper.on_duty(round(&engine, &mut place)).await {
            Ok(Some(result)) => result,
            Ok(None) => watched(&engine, &mut place).await,
            Err(error) => Err(error),
        };
        engine.0.dispatched.send_replace(place.seen);
        if let Err(error) = &result {
            tracing::error!(%error, "dispatch failed");
            place = Place::after(error);
        }
        if *stop.borrow() {
            keeper.give_back().await;
            return;
        }
        if matches!(result, Ok(true)) {
            continue;
        }
        if place.other {
            tokio::select! {
                _ = sealed.changed() => {}
                _ = stop.changed() => {}
                () = tokio::time::sleep(TICK) => {}
            }
            continue;
        }
        if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            swept = Some(Instant::now());
            if let Err(error) = sweep(&engine).await {
                tracing::error!(%error, "old evaluations were not deleted");
            }
        }
        let idle = tokio::select! {
            _ = sealed.changed() => false,
            _ = changed.changed() => false,
            _ = stop.changed() => true,
            () = tokio::time::sleep(TICK) => true,
        };
        if idle && let Err(error) = catch_up(&engine, &place).await {
            tracing::error!(%error, "the cursor of the dispatcher was not moved");
        }
    }
}

/// Follows the node that dispatches by its cursor. This one starts there if it has to.
async fn watched(engine: &Engine, place: &mut Place) -> Result<bool, Error> {
    let cursor = log::cursor(&mut engine.link().await?, CURSOR).await?;
    *place = Place { seen: cursor.0, other: true, ..Place::default() };
    Ok(false)
}

/// Looks through one window of the log; true if there is more.
pub(crate) async fn round(engine: &Engine, place: &mut Place) -> Result<bool, Error> {
    place.other = false;
    let mut link = engine.link().await?;
    let cursor = log::cursor(&mut link, CURSOR).await?;
    let size = log::latest_index(&mut link).await?.0;
    let configuration = engine.configuration(&mut link).await?;
    if configuration.revision != place.revision {
        // What was passed over stays passed over, also when the new one would listen to it.
        drop(link);
        catch_up(engine, place).await?;
        place.revision = configuration.revision;
        return Ok(true);
    }
    let from = cursor.0.max(place.seen);
    if from >= size {
        place.seen = from;
        return Ok(false);
    }
    let to = size.min(from + WINDOW);
    let limit = if place.careful { 1 } else { BATCH_MAX };
    let events = concerning(&mut link, &configuration, from, to, limit).await?;
    drop(link);
    let end = match events.last() {
        Some(last) if events.len() == limit => last.index().0 + 1,
        _ => to,
    };
    if events.is_empty() && end - cursor.0 < LAG_MAX {
        place.seen = end;
        return Ok(end < size);
    }
    let careful = place.careful;
    let batch = Batch { configuration, events, from: cursor, to: LogIndex(end) };
    dispatch(engine, batch, careful).await?;
    place.careful = false;
    place.seen = end;
    Ok(end < size)
}

/// Events that some trigger listens to.
async fn concerning(
    link: &mut Link,
    configuration: &Configuration,
    from: u64,
    to: u64,
    limit: usize,
) -> Result<Vec<Sealed>, Error> {
    let types: Vec<_> =
        configuration.listened().filter(|of| !is_staged(*of)).map(EventType::name).collect();
    Ok(log::of_types(link, (LogIndex(from), LogIndex(to)), &types, limit).await?)
}

/// Moves the cursor to where everything has been looked at.
pub(crate) async fn catch_up(engine: &Engine, place: &Place) -> Result<(), Error> {
    let cursor = log::cursor(&mut engine.link().await?, CURSOR).await?;
    if place.seen <= cursor.0 {
        return Ok(());
    }
    let (to, now) = (LogIndex(place.seen), engine.environment().now());
    engine
        .0
        .store
        .transaction("dispatch.pass", move |tx: &mut Tx| {
            Box::pin(async move { Ok(log::move_cursor(tx, CURSOR, cursor, to, now).await?) })
        })
        .await
}

struct Batch {
    configuration: Arc<Configuration>,
    events: Vec<Sealed>,
    from: LogIndex,
    to: LogIndex,
}

/// Acts on a batch and moves the cursor, in one transaction. With `careful` an event whose steps
/// fail the transaction is recorded with that failure, so that it does not stand in the way.
async fn dispatch(engine: &Engine, batch: Batch, careful: bool) -> Result<(), Error> {
    let batch = Arc::new(batch);
    let run = async |refusal: Option<String>| {
        let (engine, batch) = (engine.clone(), batch.clone());
        let store = engine.0.store.clone();
        store
            .transaction("dispatch", move |tx: &mut Tx| {
                let (engine, batch, refusal) = (engine.clone(), batch.clone(), refusal.clone());
                Box::pin(async move { act(tx, &engine, &batch, refusal.as_deref()).await })
            })
            .await
    };
    let jobs = match run(None).await {
        Err(error) if careful && !error.is_transient() && !lost(&error) => {
            run(Some(error.to_string())).await?
        }
        result => result?,
    };
    if jobs {
        engine.0.jobs_waiting.notify_one();
    }
    Ok(())
}

/// Somebody else moved the cursor: nothing of this batch is to be kept.
fn lost(error: &Error) -> bool {
    matches!(error, Error::Store(chancery_store::Error::Conflict(_)))
}

/// True if a job was started.
async fn act(
    tx: &mut Tx,
    engine: &Engine,
    batch: &Batch,
    refusal: Option<&str>,
) -> Result<bool, Error> {
    let now = engine.environment().now();
    let mut rows = Vec::new();
    let mut jobs = false;
    for sealed in &batch.events {
        let event = sealed.event();
        let Some(event_type) = EventType::of(event) else { continue };
        let subject = match certificate_of(event) {
            Some(id) => Subject::read(tx, id).await?,
            None => None,
        };
        let subject = subject.as_ref();
        let index = Some(sealed.index());
        let happening = Happening { event, event_type, index, subject, now };
        let evaluations = evaluate(&batch.configuration, &happening);
        if evaluations.is_empty() {
            continue;
        }
        let scribe = engine.scribe(&reacting(engine, event));
        let happened = Happened {
            log_index: index,
            event_id: event.id,
            event_type: event_type.name(),
            object: event.subject().map(Target::reference),
            revision: batch.configuration.revision,
            at: now,
            discreet: false,
        };
        let occasion = Occasion {
            event: event.id,
            certificate: subject.map(|subject| subject.row.id),
            object: event.subject().cloned(),
            event_type: event_type.name(),
            log_index: index,
            appendix: None,
            about: None,
            candidate: None,
        };
        stopped(tx, &scribe, event, &evaluations)?;
        for evaluation in &evaluations {
            let steps = match refusal {
                _ if event.depth >= DEPTH_MAX => carry::none_of(evaluation, &Ending::Stopped),
                Some(refusal) => carry::none_of(evaluation, &Ending::Failed(refusal.to_owned())),
                None => {
                    let placed = carry::place(tx, &scribe, &occasion, evaluation).await?;
                    carry::carry(tx, &scribe, &occasion, evaluation, placed).await?
                }
            };
            jobs |= steps.iter().any(|step| step.planned.word == "start_job");
            let id = engine.environment().id::<EvaluationId>();
            rows.push(record::row(id, &happened, evaluation, &steps));
        }
    }
    record::in_order(&mut rows);
    table::insert(tx, &rows).await?;
    log::move_cursor(tx, CURSOR, batch.from, batch.to, now).await?;
    Ok(jobs)
}

/// On whose behalf steps run: the program's, caused by the event.
fn reacting(engine: &Engine, event: &chancery_event::Event) -> Context {
    Context {
        origin: Origin::Trigger,
        transaction: event
            .transaction
            .unwrap_or_else(|| engine.environment().id::<TransactionId>()),
        cause: Some(event.id),
        depth: event.depth.saturating_add(1),
        ..Context::system(engine.environment())
    }
}

/// Says that triggers would have acted and do not, where too many causes stand behind the event.
/// Nothing is said of saying so: that would go on for ever.
fn stopped(
    tx: &mut Tx,
    scribe: &Scribe,
    event: &chancery_event::Event,
    evaluations: &[Evaluation],
) -> Result<(), Error> {
    let held = evaluations.iter().filter(|one| one.verdict.held() && !one.planned.is_empty());
    let triggers: Vec<_> = held.map(|one| one.trigger.name.clone()).collect();
    let own = event.type_name == EventType::TriggerStopped.name();
    if event.depth < DEPTH_MAX || triggers.is_empty() || own {
        return Ok(());
    }
    let payload = types::Stopped {
        event_id: event.id,
        event_type: event.type_name.clone(),
        event_depth: event.depth,
        triggers: triggers.clone(),
    };
    let mut draft = Draft::new(&payload)?;
    for name in &triggers {
        draft = draft.target(crate::automation::Class::Trigger.target(name));
    }
    for target in &event.targets {
        draft = draft.target(target.clone());
    }
    scribe.record(tx, draft).map(|_: EventId| ())
}

/// Deletes evaluations that are kept no longer.
pub(crate) async fn sweep(engine: &Engine) -> Result<u64, Error> {
    let settings = engine.settings();
    let days = i64::from(settings.keep_evaluations_days);
    let before = engine.environment().now().plus(-days * 24 * 3_600 * Timestamp::SECOND);
    let most = settings.keep_evaluations_max;
    let mut gone = 0;
    loop {
        let deleted = engine
            .0
            .store
            .transaction("dispatch.sweep", move |tx: &mut Tx| {
                Box::pin(async move {
                    Ok::<u64, Error>(table::sweep(tx, before, most, SWEEP_MAX).await?)
                })
            })
            .await?;
        gone += deleted;
        if deleted == 0 {
            return Ok(gone);
        }
    }
}
