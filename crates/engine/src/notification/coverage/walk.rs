//! The loop that keeps where every certificate stands: it follows the log for those that changed,
//! and walks all of them when what it depends on did. Both go on side by side, so that a walk over
//! millions holds up neither what is new nor the canary.

use std::sync::Arc;

use chancery_event::id::CertificateId;
use chancery_event::{EventType, LogIndex, TargetKind};
use chancery_store::table::reach::{self as table, Reach};
use chancery_store::table::setting;
use chancery_store::{Lane, Link, Tx, log};
use tokio::sync::watch;

use super::counts as counts_of;
use super::survey::Survey;
use crate::notification::canary::Lookout;
use crate::reaction::happening::Subject;
use crate::{Engine, Error};

/// Name of the cursor.
const CURSOR: &str = "coverage";
/// Indexes looked through at a time.
const WINDOW: u64 = 16_384;
const EVENTS_MAX: usize = 2_000;
/// Certificates looked at in one transaction.
const WALK: usize = 200;
const TICK: std::time::Duration = std::time::Duration::from_secs(2);
/// Setting that names the circumstances under which every certificate was looked at.
pub(super) const WALKED: &str = "coverage.walked";

/// Keeps coverage until `stop` is set.
pub(crate) async fn run(engine: Engine, mut stop: watch::Receiver<bool>) {
    let mut keeper = engine.keeper("coverage");
    let (mut walk, mut canary) = (Walk::default(), Lookout::default());
    loop {
        let more = match keeper.on_duty(walk.round(&engine)).await {
            Ok(Some(Ok(more))) => more,
            Ok(None) => {
                (walk, canary) = (Walk::default(), Lookout::default());
                false
            }
            Ok(Some(Err(error))) | Err(error) => {
                tracing::error!(%error, "coverage was not looked at");
                walk = Walk::default();
                false
            }
        };
        if *stop.borrow() {
            keeper.give_back().await;
            return;
        }
        // Another loop than the herald, so that a herald that stands still is found out.
        match keeper.on_duty(canary.look(&engine)).await {
            Ok(Some(Ok(())) | None) => {}
            Ok(Some(Err(error))) | Err(error) => tracing::error!(%error, "the canary was lost"),
        }
        if more {
            tokio::task::yield_now().await;
            continue;
        }
        // Coverage is a moment behind: a pause lets many events be one look.
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// Where the walk over all certificates stands.
#[derive(Default)]
pub(crate) struct Walk {
    /// The circumstances it goes by; `None`: it has not begun.
    circumstances: Option<String>,
    survey: Option<Arc<Survey>>,
    /// Number of the last certificate looked at; `None`: all were.
    at: Option<i64>,
    /// This pass ends behind this one; `None`: behind the last.
    until: Option<i64>,
    /// Those up to here were looked at under other circumstances: another pass.
    again: Option<i64>,
}

impl Walk {
    /// Looks at what changed, and goes on with the walk; true if there is more.
    pub(crate) async fn round(&mut self, engine: &Engine) -> Result<bool, Error> {
        let mut link = engine.link().await?;
        let now = engine.environment().now();
        let circumstances = table::circumstances(&mut link, now).await?;
        let mut begins_at = None;
        if self.circumstances.as_deref() != Some(circumstances.as_str()) {
            self.survey =
                Some(Arc::new(Survey::read(&engine.0.reach_memory.press, &mut link, now).await?));
            if self.circumstances.replace(circumstances.clone()).is_some() && self.at.is_some() {
                self.changed();
            } else {
                let walked = setting::find(&mut link, WALKED).await?;
                if walked.as_deref() != Some(circumstances.as_str()) {
                    begins_at = Some(log::latest_index(&mut link).await?);
                }
            }
        }
        drop(link);
        if let Some(end) = begins_at {
            begin(engine, end).await?;
            (self.at, self.until, self.again) = (Some(0), None, None);
        }
        let Some(survey) = self.survey.clone() else { return Ok(false) };
        let follows = self.follow(engine, &survey).await?;
        let walks = self.step(engine, &survey, circumstances).await?;
        Ok(follows || walks)
    }

    /// What it depends on changed on the way: it goes on by what counts now, and those behind it
    /// are looked at once more.
    fn changed(&mut self) {
        self.again = self.at.filter(|at| *at > 0);
        self.until = None;
    }

    async fn step(
        &mut self,
        engine: &Engine,
        survey: &Survey,
        circumstances: String,
    ) -> Result<bool, Error> {
        let Some(at) = self.at else { return Ok(false) };
        let mut link = engine.link().await?;
        let some = table::next(&mut link, at, WALK).await?;
        let last = some.last().map_or(at, |(_, number, _)| *number);
        let is_end = some.len() < WALK || self.until.is_some_and(|until| last >= until);
        let found = looked_at(&mut link, survey, some).await?;
        drop(link);
        let walked = (is_end && self.again.is_none()).then_some(circumstances);
        write(engine, found, walked, None).await?;
        match (is_end, self.again.take()) {
            (false, again) => (self.at, self.again) = (Some(last), again),
            (true, Some(again)) => (self.at, self.until) = (Some(0), Some(again)),
            (true, None) => (self.at, self.until) = (None, None),
        }
        Ok(true)
    }

    /// Looks at the certificates that the log tells of.
    async fn follow(&self, engine: &Engine, survey: &Survey) -> Result<bool, Error> {
        let mut link = engine.link().await?;
        let from = log::cursor(&mut link, CURSOR).await?;
        let size = log::latest_index(&mut link).await?;
        if from >= size {
            return Ok(false);
        }
        let to = LogIndex(size.0.min(from.0 + WINDOW));
        let types: Vec<&str> = EventType::ALL
            .iter()
            .filter(|of| of.info().resource == TargetKind::Certificate)
            .map(|of| of.name())
            .collect();
        let events =
            log::glances(&mut link, (from, to), &types, log::Glance::default(), EVENTS_MAX).await?;
        let end = match events.last() {
            Some((last, _)) if events.len() == EVENTS_MAX => LogIndex(last.0 + 1),
            _ => to,
        };
        let mut ids: Vec<CertificateId> = events
            .iter()
            .flat_map(|(_, event)| &event.targets)
            .filter(|target| target.kind == TargetKind::Certificate)
            .filter_map(|target| target.id.parse().ok())
            .collect();
        ids.sort();
        ids.dedup();
        let there = table::existing(&mut link, &ids).await?;
        let some = there.into_iter().map(|id| (id, 0, true)).collect();
        let found = looked_at(&mut link, survey, some).await?;
        drop(link);
        write(engine, found, None, Some((from, end))).await?;
        Ok(end < size)
    }
}

type Looked = (Vec<CertificateId>, Vec<Reach>);

/// Begins a walk: what the log has told until now is covered by it. That it is not done yet is
/// noted, because circumstances may come back.
async fn begin(engine: &Engine, end: LogIndex) -> Result<(), Error> {
    let now = engine.environment().now();
    engine
        .0
        .store
        .transaction_in(Lane::Last, "coverage.begin", move |tx: &mut Tx| {
            Box::pin(async move {
                setting::put(tx, WALKED, "").await?;
                let cursor = log::cursor(tx, CURSOR).await?;
                if end > cursor {
                    log::move_cursor(tx, CURSOR, cursor, end, now).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .await
}

async fn looked_at(
    link: &mut Link,
    survey: &Survey,
    some: Vec<(CertificateId, i64, bool)>,
) -> Result<Looked, Error> {
    let (mut ids, mut rows) = (Vec::with_capacity(some.len()), Vec::new());
    for (id, _, counts) in some {
        ids.push(id);
        if !counts {
            continue;
        }
        let Some(subject) = Subject::read(link, id).await? else { continue };
        if !counts_of(&subject) {
            continue;
        }
        let (state, reason) = survey.state(&subject);
        if state != "reached" {
            rows.push(Reach {
                certificate: id,
                state: state.to_owned(),
                reason: reason.to_owned(),
                not_after: subject.row.not_after,
                looked_at: survey.now,
            });
        }
    }
    Ok((ids, rows))
}

async fn write(
    engine: &Engine,
    found: Looked,
    walked: Option<String>,
    moved: Option<(LogIndex, LogIndex)>,
) -> Result<(), Error> {
    let now = engine.environment().now();
    let work = Arc::new((found, walked));
    engine
        .0
        .store
        .transaction_in(Lane::Last, "coverage", move |tx: &mut Tx| {
            let work = work.clone();
            Box::pin(async move {
                let ((ids, rows), walked) = &*work;
                // One that was deleted meanwhile has no row to refer to.
                let named: Vec<_> = rows.iter().map(|row| row.certificate).collect();
                let there = table::existing(tx, &named).await?;
                let is_there = |row: &&Reach| there.contains(&row.certificate);
                let rows: Vec<_> = rows.iter().filter(is_there).cloned().collect();
                table::put(tx, ids, &rows).await?;
                if let Some(walked) = walked {
                    setting::put(tx, WALKED, walked).await?;
                }
                if let Some((from, to)) = moved {
                    log::move_cursor(tx, CURSOR, from, to, now).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .await
}
