//! What runs by the clock: sets monitors and schedules up from their definitions, keeps what is
//! watched in step with the log, and runs what is due.
//!
//! The loop takes no input (invariant 7): it reads definitions and times from the store. Each task
//! has a lease, so that one runner has it at a time; a run that was missed while nobody ran happens
//! once, at the first opportunity. A definition that only a newer node can read is left to it, and
//! so is the lease. A clock that was put back makes nothing wait: a task is due no
//! later than its timetable says from now on.

use std::sync::Arc;
use std::time::Duration;

use chancery_event::types::job as types;
use chancery_event::{Outcome, Target, TargetKind, Timestamp};
use chancery_store::Tx;
use chancery_store::table::task::{self, Task};
use chancery_store::table::{automation as definitions, monitor, setting};
use tokio::sync::watch;

use crate::automation::{Class, Object};
use crate::monitor::timetable::Timetable;
use crate::monitor::{Definition, Kind, active::Active, alarm, defaults, enrolment};
use crate::recent::Reader;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, schedule};

/// How long the loop sleeps at most.
const TICK: Duration = Duration::from_secs(1);
/// A setting: the definitions of a new installation were made.
const DEFAULTS_MADE: &str = "automation_defaults";

/// What is set up.
#[derive(Default)]
pub(crate) struct Agenda {
    items: Vec<Item>,
    /// Revision of the configuration that it was made from.
    revision: Option<i64>,
}

struct Item {
    object: Object,
    /// `None`: it cannot run.
    timetable: Option<Timetable>,
    /// Whether only a newer program can read it.
    is_foreign: bool,
}

/// Works until `stop` is set.
pub(crate) async fn run(engine: Engine, mut agenda: Agenda, mut stop: watch::Receiver<bool>) {
    let mut sealed = engine.sealed();
    let mut changed = engine.0.automation.subscribe();
    let mut keeper = engine.keeper("agenda");
    loop {
        sealed.mark_unchanged();
        changed.mark_unchanged();
        match keeper.on_duty(agenda.round(&engine)).await {
            Ok(Some(Ok(()))) if agenda.has_foreign() => keeper.give_way().await,
            Ok(Some(Ok(()))) => {}
            // Whoever takes over starts from what the store says.
            Ok(None) => {
                agenda = Agenda::default();
                engine.0.desk.recent.leave(Reader::Monitors);
            }
            Ok(Some(Err(error))) | Err(error) => {
                tracing::error!(%error, "what runs by the clock failed");
            }
        }
        if *stop.borrow() {
            keeper.give_back().await;
            return;
        }
        tokio::select! {
            _ = sealed.changed() => {}
            _ = changed.changed() => {}
            _ = stop.changed() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

impl Agenda {
    /// Whether something of it is for a newer node.
    fn has_foreign(&self) -> bool {
        self.items.iter().any(|item| item.is_foreign && item.object.enabled)
    }

    /// Sets up what changed, enrols what came in, runs what is due.
    pub(crate) async fn round(&mut self, engine: &Engine) -> Result<(), Error> {
        self.sync(engine).await?;
        enrolment::catch_up(engine).await?;
        let (now, lease_time) = (engine.environment().now(), engine.lease_time());
        let tasks = task::all(&mut engine.link().await?).await?;
        for item in &self.items {
            let (Some(timetable), true) = (&item.timetable, item.object.enabled) else { continue };
            let same = |task: &&Task| {
                task.name == item.object.name && task.class == item.object.class.as_str()
            };
            let Some(task) = tasks.iter().find(same) else { continue };
            // Both clocks that went back and timetables that changed end here.
            let latest = timetable.next_after(now).unwrap_or(Timestamp::LAST);
            if task.next_at > latest {
                plan(engine, task, latest).await?;
            }
            if task.next_at <= now && !task.is_held(lease_time) {
                run_one(engine, &item.object, timetable, task.next_at).await?;
            }
        }
        Ok(())
    }

    /// Reads the definitions if they changed, and sets up what is new. What cannot run is tried
    /// again each time: it may be something around it that has changed.
    pub(crate) async fn sync(&mut self, engine: &Engine) -> Result<(), Error> {
        let mut link = engine.link().await?;
        let revision = definitions::revision(&mut link).await?;
        let all_run = self.items.iter().all(|item| item.timetable.is_some());
        if self.revision == Some(revision) && all_run {
            return Ok(());
        }
        let mut objects = Vec::new();
        for class in [Class::Monitor, Class::Schedule] {
            for row in definitions::of_class(&mut link, class.as_str()).await? {
                objects.push(Object::read(row)?);
            }
        }
        let tasks = task::all(&mut link).await?;
        drop(link);
        self.items.clear();
        for object in objects {
            let class = object.class.as_str();
            let known = tasks.iter().find(|task| task.class == class && task.name == object.name);
            let made = prepare(engine, &object).await;
            let problem = made.as_ref().err().map(ToString::to_string);
            let is_foreign = !is_readable(&object);
            let is_new = known.is_none_or(|known| known.version != object.version);
            // What a newer node has set up stays as it is: a run that is missed is not lost.
            let is_other = known.is_some_and(|known| known.problem != problem);
            if is_new
                || (is_other && !(is_foreign && known.is_some_and(|task| task.problem.is_none())))
            {
                set_up(engine, &object, &made, problem.as_deref()).await?;
            }
            let timetable = made.ok().map(|made| made.timetable);
            self.items.push(Item { object, timetable, is_foreign });
        }
        // The program looks at itself last: what was missed while it was down is done by then.
        self.items.sort_by_key(|item| item.object.body["kind"] == Kind::Internal.as_str());
        for task in &tasks {
            let same = |item: &Item| {
                item.object.class.as_str() == task.class && item.object.name == task.name
            };
            if !self.items.iter().any(same) {
                remove(engine, task).await?;
            }
        }
        self.revision = Some(revision);
        Ok(())
    }
}

/// A definition that can run.
struct Prepared {
    timetable: Timetable,
    active: Option<Active>,
}

/// Whether this program can read a definition. Each is read before it is saved: one that cannot be
/// was saved by a newer node.
fn is_readable(object: &Object) -> bool {
    match object.class {
        Class::Schedule => schedule::Definition::read(&object.body).is_ok(),
        _ => Definition::read(&object.body).is_ok(),
    }
}

async fn prepare(engine: &Engine, object: &Object) -> Result<Prepared, Error> {
    if object.class == Class::Schedule {
        let timetable = schedule::Definition::read(&object.body)?.timetable;
        return Ok(Prepared { timetable, active: None });
    }
    let definition = Definition::read(&object.body)?;
    let timetable = definition.timetable.clone();
    let mut link = engine.link().await?;
    let active = Active::new(&mut link, &object.name, object.version, definition).await?;
    Ok(Prepared { timetable, active: Some(active) })
}

/// Sets one task up and records it (`monitor.start`), also when it cannot be.
async fn set_up(
    engine: &Engine,
    object: &Object,
    made: &Result<Prepared, Error>,
    problem: Option<&str>,
) -> Result<(), Error> {
    let now = engine.environment().now();
    let mut watched = None;
    let next = match made {
        Ok(Prepared { timetable, active }) => {
            if let Some(active) = active {
                watched = Some(enrolment::set_up(engine, active).await?);
            }
            timetable.next_after(now).filter(|_| object.enabled).unwrap_or(Timestamp::LAST)
        }
        Err(_) => Timestamp::LAST,
    };
    let kind = object.body.get("kind").and_then(serde_json::Value::as_str);
    let payload = types::MonitorStart {
        monitor: object.name.clone(),
        monitor_version: object.version,
        monitor_kind: kind.map(|kind| kind.to_owned().into()),
        watched,
    };
    let mut draft = Draft::new(&payload)?
        .target(Target::new(TargetKind::Monitor, &object.name).named(&object.name));
    if let Some(problem) = problem {
        draft = draft.outcome(Outcome::failure("cannot_run", ""));
        draft.outcome.message = None;
        draft.personal.insert("message".to_owned(), problem.into());
    }
    let is_monitor = object.class == Class::Monitor;
    let scribe = engine.scribe(&Context::system(engine.environment()));
    let work = Arc::new((object.clone(), problem.map(str::to_owned), draft));
    engine
        .0
        .store
        .transaction("task.set_up", move |tx: &mut Tx| {
            let (work, scribe) = (work.clone(), scribe.clone());
            Box::pin(async move {
                let (object, problem, draft) = &*work;
                let (class, version) = (object.class.as_str(), object.version);
                // The node that has the clock may have done it, if this one was frozen.
                let known = task::find(tx, class, &object.name).await?;
                if known.is_some_and(|known| {
                    (known.version, known.problem) == (version, problem.clone())
                }) {
                    return Ok(());
                }
                task::put(tx, class, &object.name, version, problem.as_deref(), next).await?;
                if is_monitor {
                    scribe.record(tx, draft.clone())?;
                }
                Ok::<(), Error>(())
            })
        })
        .await
}

async fn remove(engine: &Engine, gone: &Task) -> Result<(), Error> {
    let gone = gone.clone();
    let scribe = engine.scribe(&Context::system(engine.environment()));
    engine
        .0
        .store
        .transaction("task.remove", move |tx: &mut Tx| {
            let (gone, scribe) = (gone.clone(), scribe.clone());
            Box::pin(async move {
                task::remove(tx, &gone.class, &gone.name).await?;
                if gone.class == Class::Monitor.as_str() {
                    alarm::forget(tx, &scribe, &gone.name).await?;
                    monitor::clear(tx, &gone.name).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .await
}

async fn plan(engine: &Engine, task: &Task, next: Timestamp) -> Result<(), Error> {
    let task = task.clone();
    engine
        .0
        .store
        .transaction("task.plan", move |tx: &mut Tx| {
            let task = task.clone();
            Box::pin(async move {
                Ok::<(), Error>(task::plan(tx, &task.class, &task.name, next).await?)
            })
        })
        .await
}

/// Runs what is due. What fails is recorded by itself and must not keep the others waiting.
async fn run_one(
    engine: &Engine,
    object: &Object,
    timetable: &Timetable,
    due_at: Timestamp,
) -> Result<(), Error> {
    let context = Context::system(engine.environment());
    let done = match object.class {
        Class::Schedule => {
            schedule::fire(engine, &context, object, timetable, Some(due_at)).await.map(|_| ())
        }
        _ => crate::monitor::run::perform(engine, &context, object, Some(due_at)).await.map(|_| ()),
    };
    match done {
        Ok(()) | Err(Error::Conflict { .. }) => Ok(()),
        Err(error) => {
            tracing::error!(class = %object.class, name = object.name, %error, "a run failed");
            Ok(())
        }
    }
}

impl Engine {
    /// Makes the definitions of a new installation, once: what somebody deletes stays deleted. The
    /// event of the first start covers them.
    pub(crate) async fn make_default_automation(&self) -> Result<(), Error> {
        let now = self.environment().now();
        self.0
            .store
            .transaction("automation.defaults", move |tx: &mut Tx| {
                Box::pin(async move {
                    if setting::find(tx, DEFAULTS_MADE).await?.is_some() {
                        return Ok::<(), Error>(());
                    }
                    let revision = definitions::next_revision(tx).await?;
                    let monitors = defaults::monitors().into_iter().map(|d| (Class::Monitor, d));
                    let schedules = defaults::schedules().into_iter().map(|d| (Class::Schedule, d));
                    let told = crate::notification::defaults();
                    for (class, (name, body)) in monitors.chain(schedules).chain(told) {
                        let row = definitions::Object {
                            class: class.as_str().to_owned(),
                            name: name.to_owned(),
                            version: definitions::next_version(tx, class.as_str(), name).await?,
                            revision,
                            enabled: true,
                            body: body.to_string(),
                            created_at: now,
                            created_by: None,
                        };
                        definitions::put(tx, &row).await?;
                    }
                    setting::put(tx, DEFAULTS_MADE, "1").await?;
                    Ok(())
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use chancery_event::environment::{ManualClock, SeededEntropy};
    use chancery_event::{Environment, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::{Settings, Stepped};

    #[tokio::test]
    async fn a_schedule_that_only_a_newer_node_can_read_is_left_as_it_set_it_up() {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-11-21T00:00:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(7));
        let mut settings = Settings::new(dir.path());
        settings.allow_unencrypted_key = true;
        let stepped = Stepped::open(settings, environment).await.unwrap();
        let engine = stepped.engine();
        let due_at = clock_after(engine, -60);
        let body = json!({ "job_kind": "certificate.renew", "cron": "0 3 * * *" }).to_string();
        // As a newer node leaves it: saved, and set up.
        let put = engine.0.store.transaction("task.set_up", move |tx: &mut Tx| {
            let body = body.clone();
            Box::pin(async move {
                let revision = definitions::next_revision(tx).await?;
                let row = definitions::Object {
                    class: "schedule".to_owned(),
                    name: "renewal".to_owned(),
                    version: 1,
                    revision,
                    enabled: true,
                    body,
                    created_at: due_at,
                    created_by: None,
                };
                definitions::put(tx, &row).await?;
                task::put(tx, "schedule", "renewal", 1, None, due_at).await?;
                Ok::<(), Error>(())
            })
        });
        put.await.unwrap();
        let mut agenda = Agenda::default();
        for _ in 0..2 {
            agenda.round(engine).await.unwrap();
            assert!(agenda.has_foreign(), "the lease is left to a newer node");
            let tasks = task::all(&mut engine.link().await.unwrap()).await.unwrap();
            let left = tasks.iter().find(|task| task.name == "renewal").unwrap();
            assert_eq!((left.problem.as_deref(), left.next_at), (None, due_at), "{left:?}");
            let others = tasks.iter().filter(|task| task.name != "renewal");
            assert!(others.clone().count() > 0);
            others.for_each(|task| assert!(task.next_at > due_at, "{task:?}"));
        }
    }

    /// So many seconds from now.
    fn clock_after(engine: &Engine, seconds: i64) -> Timestamp {
        engine.environment().now().plus(seconds * Timestamp::SECOND)
    }
}
