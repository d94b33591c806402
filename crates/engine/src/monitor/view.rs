//! What people see of monitors and schedules: state, runs, what is watched, what comes next.

use std::time::{Duration, Instant};

use chancery_event::Timestamp;
use chancery_event::id::CertificateId;
use chancery_store::table::monitor as table;
use chancery_store::table::task::{self, Run, Task};
use chancery_store::table::{automation as definitions, certificate};

use super::condition::MISSING;
use super::definition::{Definition, Kind};
use super::timetable::{Timetable, time_of_day};
use crate::automation::{Class, Object};
use crate::{Context, Engine, Error, Permission, schedule};

/// Runs on one page at most.
const RUNS_MAX: usize = 1_000;
/// How long a run by hand waits for a monitor to be set up.
const SET_UP: Duration = Duration::from_secs(20);
/// How often it looks whether it is.
const LOOK: Duration = Duration::from_millis(50);

/// A monitor or schedule with how it stands.
#[derive(Clone, Debug)]
pub struct TaskView {
    /// Its definition.
    pub object: Object,
    /// When it is due next; `None`: it is paused or cannot run.
    pub next_at: Option<Timestamp>,
    /// Why it cannot run, if it cannot.
    pub problem: Option<String>,
    /// Somebody runs it at the moment.
    pub running: bool,
    /// It was due and has not run.
    pub missing: bool,
    /// The newest run that ended.
    pub last: Option<Run>,
}

/// Whether everything is being watched, for the first page.
#[derive(Clone, Debug)]
pub struct Watchfulness {
    /// The ends of certificates are not watched as they should be: the sentence or a gap says why.
    pub bad: bool,
    /// No monitor looks at all of them.
    pub nobody: bool,
    /// No run over the certificates has ended yet, so that nothing can be said.
    pub unknown: bool,
    /// About the certificates, such as `48,211 of 48,211 evaluated at 10:00:03, next 11:00`.
    pub sentence: String,
    /// Why something is not watched, certificates or anything else, one sentence each.
    pub gaps: Vec<String>,
    /// What the program found wrong with itself while everything may be watched, one sentence each.
    pub findings: Vec<String>,
}

impl Watchfulness {
    /// Whether everything is being watched, as far as anything is known.
    pub fn is_whole(&self) -> bool {
        !self.bad && self.gaps.is_empty()
    }
}

/// What a monitor thinks of one object.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// Name of the monitor.
    pub monitor: String,
    /// When it looks at the object next; `None`: nothing is left to come.
    pub next_at: Option<Timestamp>,
    /// When it last did.
    pub looked_at: Option<Timestamp>,
    /// What came of it: `fired`, or why not; empty before the first look.
    pub verdict: String,
    /// The object that keeps it silent.
    pub held_by: Option<String>,
}

impl Engine {
    /// Monitors or schedules with how they stand, by name.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn tasks(&self, context: &Context, class: Class) -> Result<Vec<TaskView>, Error> {
        context.require(Permission::AutomationRead)?;
        let mut link = self.link().await?;
        let tasks = task::all(&mut link).await?;
        let runs = task::latest_runs(&mut link).await?;
        let rows = definitions::of_class(&mut link, class.as_str()).await?;
        let now = (self.environment().now(), self.lease_time());
        rows.into_iter().map(|row| Ok(view(Object::read(row)?, &tasks, &runs, now))).collect()
    }

    /// One monitor or schedule.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn task(
        &self,
        context: &Context,
        class: Class,
        name: &str,
    ) -> Result<TaskView, Error> {
        let found = self.tasks(context, class).await?;
        let found = found.into_iter().find(|view| view.object.name == name);
        found.ok_or_else(|| Error::not_found(class.as_str(), name))
    }

    /// Runs of a monitor or schedule, newest first, from before a time.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn task_runs(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        before: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<Run>, Error> {
        context.require(Permission::AutomationRead)?;
        let limit = limit.clamp(1, RUNS_MAX + 1);
        Ok(task::runs(&mut self.link().await?, class.as_str(), name, before, limit).await?)
    }

    /// Runs a monitor at once, or queues the job of a schedule; answers the run. A paused one runs
    /// too. The job acts for the caller, who needs the permission of what it does.
    ///
    /// # Errors
    /// There is none of this name; it is running already, or the caller may not do what the job
    /// does: that is recorded as well.
    pub async fn run_task(
        &self,
        context: &Context,
        class: Class,
        name: &str,
    ) -> Result<Run, Error> {
        context.require(Permission::JobWrite)?;
        let object = self.task(context, class, name).await?.object;
        if class == Class::Schedule {
            return schedule::fire_by_hand(self, context, &object).await;
        }
        self.set_up_in_time(&object).await?;
        super::run::perform(self, context, &object, None).await
    }

    /// Waits until a monitor that was just made is set up: that is the work of whoever has the
    /// clock, on this node or another.
    async fn set_up_in_time(&self, object: &Object) -> Result<(), Error> {
        let deadline = Instant::now() + SET_UP;
        loop {
            let tasks = task::all(&mut self.link().await?).await?;
            let class = object.class.as_str();
            if tasks.iter().any(|task| task.class == class && task.name == object.name) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::Conflict {
                    reason: "not_set_up",
                    message: "this monitor is not set up yet; try again in a moment".to_owned(),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Pauses a monitor or schedule or lets it go on: a new version of its definition (operation
    /// `configuration.update`).
    ///
    /// # Errors
    /// There is none of this name, or the caller may not change it.
    pub async fn pause_task(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        paused: bool,
    ) -> Result<(), Error> {
        let object = self.task(context, class, name).await?.object;
        let version = Some(object.version);
        self.update_automation(context, class, name, version, object.body, !paused).await?;
        Ok(())
    }

    /// Whether everything is being watched.
    ///
    /// # Errors
    /// The caller may not see monitors.
    pub async fn watchfulness(&self, context: &Context) -> Result<Watchfulness, Error> {
        let monitors = self.tasks(context, Class::Monitor).await?;
        let (mut gaps, mut findings) = (Vec::new(), Vec::new());
        for monitor in &monitors {
            findings.extend(finding(monitor));
            gaps.extend(gap(monitor));
        }
        let mut of_certificates: Vec<_> =
            monitors.iter().filter(|view| watches_all_certificates(view)).collect();
        // Of several one that works is enough.
        of_certificates.sort_by_key(|view| (gap(view).is_some(), view.last.is_none()));
        let Some(monitor) = of_certificates.first() else {
            let sentence = "No monitor watches the ends of all certificates.".to_owned();
            let (bad, nobody, unknown) = (true, true, false);
            return Ok(Watchfulness { bad, nobody, unknown, sentence, gaps, findings });
        };
        let zone = Definition::read(&monitor.object.body)?.timetable.time_zone().to_owned();
        let next = match monitor.next_at {
            Some(at) => format!(", next {}", &time_of_day(at, &zone)[..5]),
            None => String::new(),
        };
        let mut bad = gap(monitor).is_some();
        let sentence = match &monitor.last {
            Some(run) => {
                let (watched, all) = (run.counts.watched, run.counts.inventory);
                if watched != all {
                    bad = true;
                    gaps.push(format!("{watched} of {all} certificates are watched."));
                }
                let at = time_of_day(run.started_at, &zone);
                format!("{} of {} evaluated at {at}{next}", grouped(watched), grouped(all))
            }
            None => format!("not evaluated yet{next}"),
        };
        let (nobody, unknown) = (false, monitor.last.is_none());
        Ok(Watchfulness { bad, nobody, unknown, sentence, gaps, findings })
    }

    /// Who watches a certificate, when next, and what came of it.
    ///
    /// # Errors
    /// There is no such certificate.
    pub async fn outlook(
        &self,
        context: &Context,
        id: CertificateId,
    ) -> Result<Vec<Outlook>, Error> {
        context.require(Permission::CertificateRead)?;
        let mut link = self.link().await?;
        if certificate::find(&mut link, id).await?.is_none() {
            return Err(Error::not_found("certificate", id));
        }
        let found = table::of_object(&mut link, &id.to_string()).await?;
        let outlook = |(monitor, watch): (String, table::Watch)| Outlook {
            monitor,
            next_at: (watch.due_at != table::NEVER).then_some(watch.due_at),
            looked_at: watch.looked_at,
            verdict: watch.verdict,
            held_by: watch.held_by,
        };
        Ok(found.into_iter().map(outlook).collect())
    }
}

/// Why a monitor does not watch what it is there for, if it does not. One that somebody has paused
/// is not there for anything.
fn gap(monitor: &TaskView) -> Option<String> {
    let name = &monitor.object.name;
    if !monitor.object.enabled {
        return None;
    }
    if let Some(problem) = &monitor.problem {
        return Some(format!("The monitor {name} cannot run: {problem}"));
    }
    if monitor.missing {
        return Some(format!("The monitor {name} has not run when it was due."));
    }
    let run = monitor.last.as_ref().filter(|run| run.state == "failed")?;
    // The program looking at itself has run: what it found wrong is another matter.
    let why = run.message.as_deref().unwrap_or("no reason is known");
    let failed = || format!("The last run of the monitor {name} failed: {why}");
    (!looks_at_the_program(monitor)).then(failed)
}

/// What the program found wrong with itself at the last look.
fn finding(monitor: &TaskView) -> Option<String> {
    let run = monitor.last.as_ref().filter(|run| run.state == "failed")?;
    let why = run.message.as_deref().unwrap_or("no reason is known");
    (monitor.object.enabled && looks_at_the_program(monitor))
        .then(|| format!("Chancery itself: {why}"))
}

fn looks_at_the_program(monitor: &TaskView) -> bool {
    Definition::read(&monitor.object.body).is_ok_and(|found| found.kind == Kind::Internal)
}

fn watches_all_certificates(monitor: &TaskView) -> bool {
    let watches =
        |found: Definition| found.kind == Kind::CertificateExpiry && found.filter.is_none();
    monitor.object.enabled && Definition::read(&monitor.object.body).is_ok_and(watches)
}

/// The timetable of a definition, if it can be read.
pub(super) fn timetable_of(object: &Object) -> Option<Timetable> {
    match object.class {
        Class::Schedule => {
            schedule::Definition::read(&object.body).ok().map(|found| found.timetable)
        }
        _ => Definition::read(&object.body).ok().map(|found| found.timetable),
    }
}

fn view(
    object: Object,
    tasks: &[Task],
    runs: &[Run],
    (now, lease_time): (Timestamp, Timestamp),
) -> TaskView {
    let class = object.class.as_str();
    let task = tasks.iter().find(|task| task.class == class && task.name == object.name);
    let last = runs.iter().find(|run| run.class == class && run.name == object.name);
    let running = task.is_some_and(|task| task.is_held(lease_time));
    let next_at = match task {
        Some(task) if task.version == object.version => Some(task.next_at),
        // It is about to be set up.
        _ => timetable_of(&object).and_then(|timetable| timetable.next_after(now)),
    };
    let next_at = next_at.filter(|at| object.enabled && *at != Timestamp::LAST);
    TaskView {
        missing: next_at.is_some_and(|at| now.since(at) > MISSING) && !running,
        next_at,
        problem: task.and_then(|task| task.problem.clone()),
        running,
        last: last.cloned(),
        object,
    }
}

/// A number with separators: `48,211`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
