//! The herald: decides calls, sends what was held, goes up the levels of escalation.
//!
//! The loop takes no input (invariant 7): a signal and a timer wake the same code. One node at a
//! time has it. What is decided about a call is one transaction with the end of the call: a crash
//! before it leaves the call waiting, one after it leaves the deliveries queued. No network here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_event::Timestamp;
use chancery_store::table::{notice, notification};
use chancery_store::{Link, Tx, log};
use tokio::sync::watch;

use super::book::Profiles;
use super::recipient::Directory;
use super::write::{self, Case, Woken};
use crate::reaction::Subject;
use crate::reaction::happening::certificate_of;
use crate::{Engine, Error};

/// Calls decided in one transaction at most.
const CALLS_MAX: usize = 32;
/// Held notices sent in one transaction at most.
pub(super) const HELD_MAX: usize = 1_000;
/// Escalations in one transaction at most.
const LEVELS_MAX: usize = 32;
/// A call whose event is not in the log after this long is given up.
const PATIENCE: i64 = 600 * Timestamp::SECOND;
const TICK: Duration = Duration::from_secs(1);
/// Between two sweeps of old decisions.
const SWEEP: Duration = Duration::from_secs(3_600);
const SWEEP_MAX: usize = 2_000;

/// Works until `stop` is set.
pub(crate) async fn run(engine: Engine, mut stop: watch::Receiver<bool>) {
    let mut sealed = engine.sealed();
    let mut dispatched = engine.0.dispatched.subscribe();
    let mut keeper = engine.keeper("herald");
    let mut herald = Herald::default();
    let mut swept: Option<Instant> = None;
    loop {
        sealed.mark_unchanged();
        dispatched.mark_unchanged();
        let more = match keeper.on_duty(herald.round(&engine)).await {
            Ok(Some(Ok(more))) => more,
            Ok(None) => false,
            Ok(Some(Err(error))) | Err(error) => {
                tracing::error!(%error, "notifications failed");
                herald = Herald { careful: !error.is_transient(), ..Herald::default() };
                false
            }
        };
        if *stop.borrow() {
            keeper.give_back().await;
            return;
        }
        if more {
            continue;
        }
        if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            swept = Some(Instant::now());
            if let Err(error) = sweep(&engine).await {
                tracing::error!(%error, "old notices were not deleted");
            }
        }
        tokio::select! {
            _ = sealed.changed() => {}
            _ = dispatched.changed() => {}
            _ = stop.changed() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// What the loop keeps in memory: nothing that is not read again.
#[derive(Default)]
pub(crate) struct Herald {
    profiles: Option<Arc<Profiles>>,
    /// A batch failed: go call by call, and give up the one that fails again.
    careful: bool,
}

impl Herald {
    /// Does what can be done now; true if there may be more.
    pub(crate) async fn round(&mut self, engine: &Engine) -> Result<bool, Error> {
        let now = engine.environment().now();
        let mut link = engine.link().await?;
        let limit = if self.careful { 1 } else { CALLS_MAX };
        let calls = notification::waiting(&mut link, limit.max(2)).await?;
        let held = notice::due(&mut link, now, HELD_MAX).await?;
        let levels = notification::escalations_due(&mut link, now, LEVELS_MAX).await?;
        if calls.is_empty() && held.is_empty() && levels.is_empty() {
            return Ok(false);
        }
        let profiles = Profiles::current(&mut link, self.profiles.take()).await?;
        self.profiles = Some(profiles.clone());
        let directory = Arc::new(Directory::read(&mut link, now).await?);
        let (mut cases, mut outcomes) = (Vec::new(), Vec::new());
        for call in calls.into_iter().take(limit) {
            match case(&mut link, call, now).await? {
                Found::Case(case) => cases.push(*case),
                Found::Waits => {}
                Found::Never(id) => outcomes.push((id, "event_missing")),
            }
        }
        let mut escalated = Vec::new();
        for level in levels {
            let call = notification::find(&mut link, level.call).await?;
            let found = match call {
                Some(call) => case(&mut link, call, now.plus(-PATIENCE)).await?,
                None => Found::Never(level.call),
            };
            let found = match found {
                Found::Case(case) => Some(*case),
                Found::Waits | Found::Never(_) => None,
            };
            escalated.push((level, found));
        }
        let mut bundles = Vec::new();
        for (key, rows) in write::bundles(held, &directory) {
            let mut notices = Vec::with_capacity(rows.len());
            for row in rows {
                let found = log::by_id(&mut link, row.event_id).await?;
                let found = match found {
                    Some(sealed) => {
                        let subject = subject(&mut link, sealed.event()).await?;
                        Some((sealed, subject))
                    }
                    None => None,
                };
                notices.push((row, found));
            }
            bundles.push((key, notices));
        }
        drop(link);
        let any = !cases.is_empty() || !outcomes.is_empty();
        let more = any || !bundles.is_empty() || !escalated.is_empty();
        let work = Arc::new(write::Work {
            engine: engine.clone(),
            profiles,
            directory,
            cases,
            outcomes,
            escalated,
            bundles,
            now,
        });
        let woken = self.write(engine, work).await?;
        self.careful = false;
        for channel in &woken.channels {
            engine.wake_courier_for(channel);
        }
        Ok(more)
    }

    async fn write(&self, engine: &Engine, work: Arc<write::Work>) -> Result<Woken, Error> {
        let run = async |refusal: bool| {
            let work = work.clone();
            engine
                .0
                .store
                .transaction("notify", move |tx: &mut Tx| {
                    let work = work.clone();
                    Box::pin(async move {
                        match refusal {
                            false => work.carry_out(tx).await,
                            true => work.give_up(tx).await,
                        }
                    })
                })
                .await
        };
        match run(false).await {
            Err(error) if self.careful && !error.is_transient() => {
                tracing::error!(%error, "a notification cannot be decided");
                run(true).await
            }
            result => result,
        }
    }
}

enum Found {
    Case(Box<Case>),
    Waits,
    Never(chancery_event::id::NotificationId),
}

/// A call with its event and object as they are now.
async fn case(link: &mut Link, call: notification::Call, now: Timestamp) -> Result<Found, Error> {
    let Some(sealed) = log::by_id(link, call.event_id).await? else {
        let is_old = now.since(call.at) > PATIENCE;
        return Ok(if is_old { Found::Never(call.id) } else { Found::Waits });
    };
    let subject = subject(link, sealed.event()).await?;
    Ok(Found::Case(Box::new(Case { call, sealed, subject })))
}

pub(super) async fn subject(
    link: &mut Link,
    event: &chancery_event::Event,
) -> Result<Option<Subject>, Error> {
    match certificate_of(event) {
        Some(id) => Subject::read(link, id).await,
        None => Ok(None),
    }
}

/// Deletes decisions that are kept no longer.
async fn sweep(engine: &Engine) -> Result<(), Error> {
    let days = i64::from(engine.settings().keep_evaluations_days);
    let before = engine.environment().now().plus(-days * Timestamp::DAY);
    loop {
        let deleted = engine
            .0
            .store
            .transaction("notify.sweep", move |tx: &mut Tx| {
                Box::pin(async move {
                    let notices = notice::sweep(tx, before, SWEEP_MAX).await?;
                    let calls = notification::sweep(tx, before, SWEEP_MAX).await?;
                    Ok::<u64, Error>(notices + calls)
                })
            })
            .await?;
        if deleted == 0 {
            return Ok(());
        }
    }
}

/// A digest's recipient and channel.
pub(super) type BundleKey = (String, String, String);
/// Held notices by what they are bundled under.
pub(super) type Bundled = BTreeMap<BundleKey, Vec<notice::Notice>>;
/// Channels that have something new to send.
pub(super) type Channels = BTreeSet<String>;
