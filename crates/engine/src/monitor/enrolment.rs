//! Keeps what is watched in step with what there is: a consumer of the sealed log with a cursor of
//! its own, so that nothing that enters is missed, whatever happens in between.
//!
//! An event about an object makes every monitor compute its times anew; an event about a successor
//! wakes what it keeps silent.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chancery_event::catalogue::{EventType, Kind as EventKind};
use chancery_event::{Event, LogIndex, TargetKind, Timestamp, Verdict};
use chancery_store::log::{self, Sealed};
use chancery_store::table::monitor::{self as table, Watch, Watched};
use chancery_store::{Link, Tx};

use super::active::Active;
use super::certificate;
use super::definition::Definition;
use super::token;
use crate::alert::cause;
use crate::automation::{Class, Object};
use crate::recent::Reader;
use crate::scribe::Scribe;
use crate::{Context, Engine, Error};

/// The consumer's name.
const CURSOR: &str = "monitor";
/// Events read at a time.
const BATCH_MAX: usize = 1_024;
/// Objects written in one transaction when a monitor is set up.
const SET_UP_MAX: usize = 2_000;
/// How far the cursor may stay behind while nothing concerns any monitor: moving it is a commit.
pub(crate) const LAZY: u64 = 1_000;

/// What a batch of events touches.
#[derive(Debug, Default)]
struct Touched {
    certificates: BTreeSet<String>,
    deleted: BTreeSet<String>,
    tokens: BTreeSet<String>,
    accounts: BTreeSet<String>,
    /// A group or an RA profile has another name.
    labels: bool,
}

impl Touched {
    fn of(events: &[(LogIndex, Arc<Event>)]) -> Self {
        let mut touched = Self::default();
        for (_, event) in events {
            touched.add(event);
        }
        touched
    }

    fn add(&mut self, event: &Event) {
        let Some(event_type) = EventType::parse(&event.type_name) else { return };
        // What monitors found changes nothing; what failed has changed nothing.
        if event_type.info().kind == EventKind::Monitoring
            || event.outcome.result != Verdict::Success
            || matches!(event_type, EventType::MonitorRun | EventType::AlertRaised)
        {
            return;
        }
        for target in &event.targets {
            match target.kind {
                TargetKind::Group | TargetKind::RaProfile => {
                    self.labels |= event_type == EventType::ConfigurationUpdate;
                }
                TargetKind::Certificate => {
                    if event_type == EventType::CertificateDelete {
                        self.deleted.insert(target.id.clone());
                    }
                    self.certificates.insert(target.id.clone());
                }
                TargetKind::Token => {
                    self.tokens.insert(target.id.clone());
                }
                TargetKind::Account => {
                    self.accounts.insert(target.id.clone());
                }
                _ => {}
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.certificates.is_empty()
            && self.tokens.is_empty()
            && self.accounts.is_empty()
            && !self.labels
    }
}

/// Handles what was sealed since the last time; answers whether there is more.
pub(crate) async fn round(engine: &Engine) -> Result<bool, Error> {
    let mut link = engine.link().await?;
    let from = log::cursor(&mut link, CURSOR).await?;
    let ahead = engine.0.monitor_ahead.get(from);
    batch(engine, link, from, ahead, LAZY).await
}

/// As [`round`], but what was read ahead is read again, and the cursor is moved behind it.
async fn settled_round(engine: &Engine) -> Result<bool, Error> {
    let mut link = engine.link().await?;
    let from = log::cursor(&mut link, CURSOR).await?;
    batch(engine, link, from, from, 0).await
}

/// Handles the events from `ahead` on, and moves the cursor from `from` behind them, unless nothing
/// of them matters and it stays within `lazy`.
async fn batch(
    engine: &Engine,
    mut link: Link,
    from: LogIndex,
    ahead: LogIndex,
    lazy: u64,
) -> Result<bool, Error> {
    let mut events = engine.0.desk.recent.next(Reader::Monitors, ahead, BATCH_MAX);
    if events.is_empty() {
        let stored = log::range(&mut link, ahead, BATCH_MAX).await?;
        events = stored.into_iter().map(Sealed::into_event).collect();
    }
    let Some((last, _)) = events.last() else { return Ok(false) };
    let to = LogIndex(last.0 + 1);
    let touched = Touched::of(&events);
    let more = events.len() == BATCH_MAX;
    if touched.is_empty() && to.0 - from.0 < lazy {
        engine.0.monitor_ahead.set(from, to);
        return Ok(more);
    }
    let monitors = active(&mut link).await?;
    drop(link);
    let work = Arc::new((monitors, touched));
    let scribe = engine.scribe(&Context::system(engine.environment()));
    engine
        .0
        .store
        .transaction("monitor.enrol", move |tx: &mut Tx| {
            let (work, scribe) = (work.clone(), scribe.clone());
            Box::pin(async move {
                let now = scribe.now();
                let (monitors, touched) = &*work;
                enrol(tx, &scribe, monitors, touched, now).await?;
                Ok::<(), Error>(log::move_cursor(tx, CURSOR, from, to, now).await?)
            })
        })
        .await?;
    Ok(more)
}

/// Handles everything that is sealed by now.
pub(crate) async fn catch_up(engine: &Engine) -> Result<(), Error> {
    while goes_on(round(engine).await)? {}
    Ok(())
}

/// As [`catch_up`], and the cursor stands behind it: for who asks what monitors still need.
pub(crate) async fn settle(engine: &Engine) -> Result<(), Error> {
    while goes_on(settled_round(engine).await)? {}
    Ok(())
}

fn goes_on(round: Result<bool, Error>) -> Result<bool, Error> {
    match round {
        // Somebody else moved the cursor, and did what lies before it.
        Err(Error::Store(chancery_store::Error::Conflict(_))) => Ok(true),
        other => other,
    }
}

/// Every monitor that watches objects, paused ones among them. One whose filter is broken watches
/// without it: it cannot run, and misses nothing.
async fn active(link: &mut Link) -> Result<Vec<Active>, Error> {
    let rows = chancery_store::table::automation::of_class(link, Class::Monitor.as_str()).await?;
    let mut monitors = Vec::new();
    for row in rows {
        let object = Object::read(row)?;
        let Ok(mut definition) = Definition::read(&object.body) else { continue };
        if definition.kind.watched().is_none() {
            continue;
        }
        let made = Active::new(link, &object.name, object.version, definition.clone()).await;
        monitors.push(match made {
            Ok(active) => active,
            Err(Error::Invalid { .. }) => {
                definition.filter = None;
                Active::new(link, &object.name, object.version, definition).await?
            }
            Err(error) => return Err(error),
        });
    }
    Ok(monitors)
}

async fn enrol(
    tx: &mut Tx,
    scribe: &Scribe,
    monitors: &[Active],
    touched: &Touched,
    now: Timestamp,
) -> Result<(), Error> {
    let holders: Vec<_> = touched.certificates.iter().cloned().collect();
    let mut certificates = touched.certificates.clone();
    for part in holders.chunks(500) {
        certificates.extend(table::predecessors(tx, part).await?);
    }
    for monitor in monitors {
        let Some(watched) = monitor.definition.kind.watched() else { continue };
        let of_certificates = matches!(watched, Watched::Certificates | Watched::Authorities);
        let ids = match watched {
            Watched::Certificates | Watched::Authorities => &certificates,
            Watched::Tokens | Watched::TokenUses | Watched::TokenAges => &touched.tokens,
            Watched::AccountUses
            | Watched::Accounts
            | Watched::Passwords
            | Watched::PasswordAges => &touched.accounts,
        };
        let ids: Vec<String> = ids.iter().cloned().collect();
        if touched.labels && monitor.definition.filter.is_some() {
            table::wake_filtered(tx, &monitor.name, now).await?;
        }
        if ids.is_empty() {
            continue;
        }
        let found = watched.spans(tx, &ids).await?;
        let known = table::some(tx, &monitor.name, &ids).await?;
        let mut rows: HashMap<String, Watch> = found
            .iter()
            .map(|span| (span.object.clone(), monitor.watch(span, known.get(&span.object), now)))
            .collect();
        if of_certificates {
            certificate::settle(tx, scribe, monitor, &mut rows, now).await?;
        } else {
            for id in &ids {
                let span = found.iter().find(|span| span.object == *id);
                token::settle(tx, scribe, monitor, id, span, now).await?;
            }
        }
        let mut rows: Vec<_> = rows.into_values().collect();
        rows.sort_by(|a, b| a.object.cmp(&b.object));
        table::put(tx, &monitor.name, &rows).await?;
        let is_gone = |id: &&String| !found.iter().any(|span| span.object == **id);
        let gone: Vec<_> = known.keys().filter(is_gone).cloned().collect();
        table::remove(tx, &monitor.name, &gone).await?;
    }
    table::wake(tx, &holders, now).await?;
    for id in &touched.deleted {
        cause::end_settled(tx, scribe, id, "deleted").await?;
    }
    Ok(())
}

/// Enrols everything there is for one monitor that is new or has changed; what has fired is not
/// fired again. Answers how many objects it watches.
pub(crate) async fn set_up(engine: &Engine, active: &Active) -> Result<u64, Error> {
    let Some(watched) = active.definition.kind.watched() else { return Ok(0) };
    let of_certificates = matches!(watched, Watched::Certificates | Watched::Authorities);
    let active = Arc::new(active.clone());
    let now = engine.environment().now();
    let scribe = engine.scribe(&Context::system(engine.environment()));
    let mut after = String::new();
    loop {
        let spans = watched.page(&mut engine.link().await?, &after, SET_UP_MAX).await?;
        let Some(last) = spans.last() else { break };
        after.clone_from(&last.object);
        let work = (active.clone(), Arc::new(spans), scribe.clone());
        engine
            .0
            .store
            .transaction("monitor.set_up", move |tx: &mut Tx| {
                let (active, spans, scribe) = work.clone();
                Box::pin(async move {
                    let ids: Vec<_> = spans.iter().map(|span| span.object.clone()).collect();
                    let known = table::some(tx, &active.name, &ids).await?;
                    let mut rows: HashMap<String, Watch> = spans
                        .iter()
                        .map(|span| {
                            let row = active.watch(span, known.get(&span.object), now);
                            (span.object.clone(), row)
                        })
                        .collect();
                    // What a narrower definition does not look at any more has no alert of it.
                    if of_certificates {
                        certificate::settle(tx, &scribe, &active, &mut rows, now).await?;
                    }
                    let rows: Vec<_> =
                        spans.iter().filter_map(|s| rows.remove(&s.object)).collect();
                    Ok::<(), Error>(table::put(tx, &active.name, &rows).await?)
                })
            })
            .await?;
    }
    Ok(table::count(&mut engine.link().await?, &active.name).await?)
}

/// How far the consumer has read beyond its stored cursor, while nothing concerned it. Forgotten
/// with the process, and when somebody else moves the cursor.
#[derive(Debug, Default)]
pub(crate) struct Ahead(std::sync::Mutex<(u64, u64)>);

impl Ahead {
    fn get(&self, stored: LogIndex) -> LogIndex {
        match self.0.lock() {
            Ok(ahead) if ahead.0 == stored.0 && ahead.1 > stored.0 => LogIndex(ahead.1),
            _ => stored,
        }
    }

    fn set(&self, stored: LogIndex, to: LogIndex) {
        if let Ok(mut ahead) = self.0.lock() {
            *ahead = (stored.0, to.0);
        }
    }
}
