//! The herald: decides calls, sends what was held, goes up the levels of escalation.
//!
//! The loop takes no input (invariant 7): a signal and a timer wake the same code. One node at a
//! time has it. What is decided about a call is one transaction with the end of the call: a crash
//! before it leaves the call waiting, one after it leaves the deliveries queued. No network here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_event::Timestamp;
use chancery_store::table::{notice, notification};
use chancery_store::{Link, Tx, log};
use tokio::sync::watch;

use super::book::Profiles;
use super::recipient::Directory;
use super::release::Bundle;
use super::write::{Case, Woken, Work};
use crate::reaction::Subject;
use crate::reaction::happening::certificate_of;
use crate::{Engine, Error};

/// Calls decided in one transaction at most.
const CALLS_MAX: usize = 32;
/// Escalations in one transaction at most.
const LEVELS_MAX: usize = 32;
/// Things done one by one after a batch failed: more than a batch has.
const CAREFUL: usize = CALLS_MAX + LEVELS_MAX + 1;
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
                let careful = if error.is_transient() { 0 } else { CAREFUL };
                herald = Herald { careful, ..Herald::default() };
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
    /// A batch failed: so many things are done one by one, and what fails again is given up.
    careful: usize,
}

impl Herald {
    /// Does what can be done now; true if there may be more.
    pub(crate) async fn round(&mut self, engine: &Engine) -> Result<bool, Error> {
        let mut woken = Woken::default();
        let Some(works) = self.prepare(engine).await? else { return Ok(false) };
        let more = !works.is_empty();
        for work in works {
            woken.channels.extend(self.write(engine, Arc::new(work)).await?.channels);
        }
        for channel in &woken.channels {
            engine.wake_courier_for(channel);
        }
        Ok(more)
    }

    /// Reads what can be done now, as one transaction each; `None`: nothing waits.
    pub(super) async fn prepare(&mut self, engine: &Engine) -> Result<Option<Vec<Work>>, Error> {
        let now = engine.environment().now();
        let mut link = engine.link().await?;
        let calls = notification::waiting(&mut link, CALLS_MAX).await?;
        let levels = notification::escalations_due(&mut link, now, LEVELS_MAX).await?;
        let due = notice::first_due(&mut link, now).await?;
        if calls.is_empty() && due.is_none() && levels.is_empty() {
            self.careful = 0;
            return Ok(None);
        }
        let profiles = Profiles::current(&mut link, self.profiles.take()).await?;
        self.profiles = Some(profiles.clone());
        let directory = Arc::new(Directory::read(&mut link, now).await?);
        let mut first = Work {
            engine: engine.clone(),
            profiles,
            directory,
            cases: Vec::new(),
            outcomes: Vec::new(),
            escalated: Vec::new(),
            bundle: None,
            now,
        };
        let mut second = first.empty();
        for call in calls {
            if self.careful > 0 && first.is_begun() {
                break;
            }
            let (id, profile) = (call.id, call.profile.clone());
            match case(&mut link, call, now).await {
                Ok(Found::Case(case)) => first.cases.push(*case),
                Ok(Found::Waits) => {}
                Ok(Found::Never(id)) => first.outcomes.push((id, "event_missing", profile)),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => {
                    tracing::error!(%error, %id, "what a notification is about cannot be read");
                    first.outcomes.push((id, "failed", profile));
                }
            }
        }
        for level in levels {
            if self.careful > 0 && first.is_begun() {
                break;
            }
            let found = level_case(&mut link, &level, now).await?;
            first.escalated.push((level, found));
        }
        if let Some(due) = due.filter(|_| self.careful == 0 || !first.is_begun()) {
            let (profiles, directory) = (&second.profiles, &second.directory);
            let bundle = Bundle::read(&mut link, profiles, directory, &due, now).await?;
            second.bundle = Some(bundle);
        }
        Ok(Some([first, second].into_iter().filter(Work::is_begun).collect()))
    }

    pub(super) async fn write(&mut self, engine: &Engine, work: Arc<Work>) -> Result<Woken, Error> {
        let run = async |refusal: Option<String>| {
            let work = work.clone();
            engine
                .0
                .store
                .transaction("notify", move |tx: &mut Tx| {
                    let (work, refusal) = (work.clone(), refusal.clone());
                    Box::pin(async move {
                        match refusal {
                            None => work.carry_out(tx).await,
                            Some(why) => work.give_up(tx, &why).await,
                        }
                    })
                })
                .await
        };
        let result = match run(None).await {
            Err(error) if self.careful > 0 && !error.is_transient() => {
                tracing::error!(%error, "a notification cannot be decided");
                self.careful = 1;
                run(Some(error.to_string())).await
            }
            result => result,
        };
        self.careful = self.careful.saturating_sub(1);
        result
    }
}

/// The call that a level goes on from. What cannot be read drops the level.
async fn level_case(
    link: &mut Link,
    level: &notification::Escalation,
    now: Timestamp,
) -> Result<Option<Case>, Error> {
    let found = async {
        match notification::find(link, level.call).await? {
            Some(call) => case(link, call, now.plus(-PATIENCE)).await,
            None => Ok(Found::Never(level.call)),
        }
    };
    match found.await {
        Ok(Found::Case(case)) => Ok(Some(*case)),
        Ok(Found::Waits | Found::Never(_)) => Ok(None),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            tracing::error!(%error, id = %level.id, "what an escalation is about cannot be read");
            Ok(None)
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
    let now = engine.environment().now();
    let before = now.plus(-days * Timestamp::DAY);
    loop {
        let deleted = engine
            .0
            .store
            .transaction("notify.sweep", move |tx: &mut Tx| {
                Box::pin(async move {
                    let notices = notice::sweep(tx, before, SWEEP_MAX).await?;
                    let calls = notification::sweep(tx, before, now, SWEEP_MAX).await?;
                    Ok::<u64, Error>(notices + calls)
                })
            })
            .await?;
        if deleted == 0 {
            return Ok(());
        }
    }
}

/// Channels that have something new to send.
pub(super) type Channels = BTreeSet<String>;

#[cfg(test)]
mod tests;
