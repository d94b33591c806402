//! Monitors that look at few things each time instead of watching many objects: limits, late jobs,
//! and the program itself.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Instant;

use chancery_event::types::{account, authority};
use chancery_event::{LogIndex, Outcome, Severity, Target, TargetKind, Timestamp};
use chancery_store::table::job::{self, Job};
use chancery_store::table::monitor::{self as table, Watch};
use chancery_store::table::node::{self, Node};
use chancery_store::table::task::{self, Task};
use chancery_store::table::{account as accounts, certificate};
use chancery_store::{Link, Tx, log};

use super::active::Active;
use super::alarm::{self, Alarm};
use super::tally::Tally;
use crate::scribe::{Draft, Scribe};
use crate::{Engine, Error};

/// A job that was due this long ago and still waits is late.
const LATE: i64 = 15 * 60 * Timestamp::SECOND;
/// Late jobs that one run reports at most; all of them are looked at.
const REPORTED_MAX: usize = 500;
/// Rows read at a time.
const PAGE: usize = 500;
/// A job that has run for this long is stuck.
const STUCK: i64 = 2 * Timestamp::HOUR;
/// An event that waits this long for its seal.
const SEAL_LAG: i64 = 60 * Timestamp::SECOND;
/// A run that is later than this is missing.
pub(crate) const MISSING: i64 = 10 * 60 * Timestamp::SECOND;
/// Wall clock and machine clock may differ by this much between two looks.
const JUMP: i64 = 30 * Timestamp::SECOND;
/// Free space that is too little: below both.
const FREE_BYTES: u64 = 1 << 30;
const FREE_PERCENT: u64 = 5;
/// Jobs of schedules that failed are told this long, unless a later one goes well.
const FAILED: i64 = 8 * Timestamp::DAY;

/// One count against its limit.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    counted: &'static str,
    count: u64,
    limit: u64,
}

/// The counts that have a limit.
pub(super) async fn usages(engine: &Engine, active: &Active) -> Result<Vec<Usage>, Error> {
    let mut link = engine.link().await?;
    let limits = active.definition.limits;
    let mut usages = Vec::new();
    if let Some(limit) = limits.certificates {
        let count = u64::try_from(certificate::count(&mut link).await?).unwrap_or(0);
        usages.push(Usage { counted: "certificates", count, limit });
    }
    if let Some(limit) = limits.accounts {
        let count = accounts::all(&mut link).await?.len() as u64;
        usages.push(Usage { counted: "accounts", count, limit });
    }
    if let Some(limit) = limits.storage_mib {
        let count = engine.0.store.size_bytes().await? >> 20;
        usages.push(Usage { counted: "storage_mib", count, limit });
    }
    Ok(usages)
}

/// Reports limits that were reached since the last look.
pub(super) async fn limits(
    tx: &mut Tx,
    scribe: &Scribe,
    active: &Active,
    usages: &[Usage],
    now: Timestamp,
    tally: &mut Tally,
) -> Result<(), Error> {
    let names = usages.iter().map(|usage| usage.counted).chain([VALIDITY]);
    let names: Vec<_> = names.map(str::to_owned).collect();
    let known = table::some(tx, &active.name, &names).await?;
    (tally.inventory, tally.watched) = (usages.len() as u64, usages.len() as u64);
    let mut keep = Vec::new();
    let was = known.get(VALIDITY).is_some_and(|watch| watch.verdict == "fired");
    keep.extend(validity(tx, scribe, active, was, now, tally).await?);
    for usage in usages {
        tally.evaluated += 1;
        let was = known.get(usage.counted).is_some_and(|watch| watch.verdict == "fired");
        let reached = usage.count >= usage.limit;
        let key = format!("limit/{}", usage.counted);
        match (was, reached) {
            (false, true) => {
                tally.fired += 1;
                scribe.record(tx, reached_draft(usage)?)?;
                let title = format!("{} of {} {}", usage.count, usage.limit, usage.counted);
                let alarm = Alarm {
                    key,
                    kind: "limit_reached",
                    severity: Severity::Error,
                    title,
                    message: "A limit set in the monitor is reached.".to_owned(),
                    object: None,
                };
                alarm::raise(tx, scribe, &active.name, alarm).await?;
            }
            (true, true) => tally.skip("reported_before"),
            (true, false) => {
                alarm::resolve(tx, scribe, &key, "below_limit").await?;
                tally.skip("below_limit");
            }
            (false, false) => tally.skip("below_limit"),
        }
        keep.push(mark(usage.counted, reached, now));
    }
    // A limit that was taken out of the monitor is reached no more.
    let mut gone = marks(tx, &active.name).await?;
    gone.retain(|object| keep.iter().all(|watch| watch.object != *object));
    for object in &gone {
        alarm::resolve(tx, scribe, &format!("limit/{object}"), "limit_removed").await?;
    }
    table::remove(tx, &active.name, &gone).await?;
    Ok(table::put(tx, &active.name, &keep).await?)
}

/// Everything a monitor has a mark of.
async fn marks(tx: &mut Tx, monitor: &str) -> Result<Vec<String>, Error> {
    let mut after = (Timestamp::FIRST, String::new());
    let mut objects = Vec::new();
    loop {
        let page = table::coming(tx, monitor, table::NEVER, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(objects) };
        after = (last.due_at, last.object.clone());
        objects.extend(page.into_iter().map(|watch| watch.object));
    }
}

/// What the end of the agreed limits is called among what is watched.
const VALIDITY: &str = "valid_until";

/// Reports that the agreed limits are not in force any more, or are again.
async fn validity(
    tx: &mut Tx,
    scribe: &Scribe,
    active: &Active,
    was_over: bool,
    now: Timestamp,
    tally: &mut Tally,
) -> Result<Option<Watch>, Error> {
    let until = active.definition.limits.valid_until;
    if until.is_none() && !was_over {
        return Ok(None);
    }
    tally.inventory += 1;
    tally.watched += 1;
    tally.evaluated += 1;
    let over = until.filter(|until| *until <= now);
    let key = format!("limit/{VALIDITY}");
    let payload = authority::LicenseCheck { check: "validity".into(), valid_until: until };
    let target = Target::new(TargetKind::Configuration, "limits");
    let draft = Draft::new(&payload)?.target(target);
    match (was_over, over) {
        (false, Some(until)) => {
            tally.fired += 1;
            let message = format!("the agreed limits were in force until {until}");
            scribe.record(tx, draft.outcome(Outcome::failure("expired", &message)))?;
            let alarm = Alarm {
                key,
                kind: "limit_expired",
                severity: Severity::Error,
                title: "The agreed limits are not in force any more".to_owned(),
                message: format!("They were agreed on until {until}. Agree anew and set the end."),
                object: None,
            };
            alarm::raise(tx, scribe, &active.name, alarm).await?;
        }
        (true, None) => {
            scribe.record(tx, draft)?;
            alarm::resolve(tx, scribe, &key, "in_force").await?;
            tally.skip("in_force");
        }
        (true, Some(_)) => tally.skip("reported_before"),
        (false, None) => tally.skip("in_force"),
    }
    Ok(Some(mark(VALIDITY, over.is_some(), now)))
}

fn mark(object: &str, fired: bool, now: Timestamp) -> Watch {
    Watch {
        object: object.to_owned(),
        due_at: table::NEVER,
        handled: now,
        held_by: None,
        verdict: if fired { "fired" } else { "good" }.to_owned(),
        looked_at: Some(now),
    }
}

/// Accounts are the clients of this program; everything else is a limit of what it may hold.
fn reached_draft(usage: &Usage) -> Result<Draft, Error> {
    let message = format!("{} of {} {}", usage.count, usage.limit, usage.counted);
    if usage.counted == "accounts" {
        let payload = account::ClientCountReached { count: usage.count, limit: usage.limit };
        let target = Target::new(TargetKind::Configuration, "limits");
        return Ok(Draft::new(&payload)?.target(target));
    }
    let payload = authority::LicenseLimitReached {
        counted: usage.counted.into(),
        count: usage.count,
        limit: usage.limit,
    };
    let target = Target::new(TargetKind::Configuration, "limits");
    let outcome = Outcome::failure("limit_reached", message);
    Ok(Draft::new(&payload)?.outcome(outcome).target(target))
}

/// Raises alerts for jobs that wait or run too long, and resolves those of others.
pub(super) async fn jobs(
    tx: &mut Tx,
    scribe: &Scribe,
    active: &Active,
    now: Timestamp,
    tally: &mut Tally,
) -> Result<(), Error> {
    let counts = job::counts(tx).await?;
    let open = counts.iter().filter(|(state, _)| matches!(state.as_str(), "queued" | "running"));
    tally.inventory = open.map(|(_, count)| count).sum();
    tally.watched = tally.inventory;
    // What is late no more is left over.
    let mut known: HashSet<String> = marks(tx, &active.name).await?.into_iter().collect();
    let mut keep = Vec::new();
    let mut after = (Timestamp::FIRST, String::new());
    loop {
        let late = job::late(tx, now.plus(-LATE), now.plus(-STUCK), &after, PAGE).await?;
        let Some(last) = late.last() else { break };
        after = (last.run_at, last.id.to_string());
        tally.evaluated += late.len() as u64;
        for job in &late {
            if known.remove(&job.id.to_string()) {
                tally.skip("reported_before");
            } else if keep.len() == REPORTED_MAX {
                tally.skip("left_to_the_next_run");
            } else {
                tally.fired += 1;
                alarm::raise(tx, scribe, &active.name, late_alarm(job, now)).await?;
                keep.push(mark(&job.id.to_string(), true, now));
            }
        }
    }
    let over: Vec<_> = known.into_iter().collect();
    for few in over.chunks(PAGE) {
        for id in few {
            alarm::resolve(tx, scribe, &job_key(id), "job_went_on").await?;
        }
        table::remove(tx, &active.name, few).await?;
    }
    Ok(table::put(tx, &active.name, &keep).await?)
}

fn job_key(id: &str) -> String {
    format!("job/{id}/late")
}

fn late_alarm(job: &Job, now: Timestamp) -> Alarm {
    let (kind, since, word) = match job.started_at.filter(|_| job.state == "running") {
        Some(started) => ("job_stuck", started, "has run"),
        None => ("job_late", job.run_at, "has waited"),
    };
    let minutes = now.since(since) / (60 * Timestamp::SECOND);
    Alarm {
        key: job_key(&job.id.to_string()),
        kind,
        severity: Severity::Warning,
        title: format!("A job of the kind {} {word} for {minutes} min", job.kind),
        message: "Look at the job: cancel it, or find out what it waits for.".to_owned(),
        object: Some(Target::new(TargetKind::Job, job.id).named(&job.name)),
    }
}

/// Two clocks read at the same moment.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    wall: Timestamp,
    machine: Instant,
}

/// What the internal monitor remembers between two looks; lost with the process.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Option<Clocks>>, Mutex<HashMap<String, Timestamp>>);

impl Memory {
    /// Whether a monitor is to compare what it watches with what there is one by one: once a day.
    pub(super) fn compares(&self, monitor: &str, now: Timestamp) -> bool {
        let Ok(mut compared) = self.1.lock() else { return false };
        let last = compared.get(monitor);
        if last.is_some_and(|last| now.since(*last) < Timestamp::DAY) {
            return false;
        }
        compared.insert(monitor.to_owned(), now);
        true
    }
}

/// One finding about the program.
#[derive(Clone, Debug)]
pub(super) struct Found {
    part: &'static str,
    /// What is wrong; `None`: nothing.
    bad: Option<String>,
}

/// Looks at the program itself.
pub(super) async fn findings(engine: &Engine, now: Timestamp) -> Result<Vec<Found>, Error> {
    let mut found: Vec<_> = engine
        .health()
        .findings()
        .into_iter()
        .map(|finding| Found {
            part: finding.part,
            bad: (!finding.good).then_some(finding.message),
        })
        .collect();
    let mut link = engine.link().await?;
    found.push(Found { part: "seal_lag", bad: seal_lag(&mut link, now).await? });
    found.push(Found { part: "consumers", bad: consumers(engine, &mut link).await? });
    found.push(Found { part: "clock", bad: clock(engine, &mut link, now).await? });
    found.push(Found { part: "disk", bad: disk(engine) });
    let tasks = task::all(&mut link).await?;
    found.push(Found { part: "timetable", bad: timetable(&tasks, now, engine.lease_time()) });
    found.push(Found { part: "automation", bad: automation(&mut link).await? });
    let failed = job::failed_schedules(&mut link, now.plus(-FAILED)).await?;
    let text = || format!("the newest job of {} failed", failed.join(", "));
    found.push(Found { part: "failed_jobs", bad: (!failed.is_empty()).then(text) });
    Ok(found)
}

async fn seal_lag(link: &mut Link, now: Timestamp) -> Result<Option<String>, Error> {
    let oldest = log::pending(link, 1).await?.first().map(|row| row.recorded_at);
    let lag = oldest.map_or(0, |oldest| now.since(oldest));
    let text = || format!("an event has waited {} s for its seal", lag / Timestamp::SECOND);
    Ok((lag > SEAL_LAG).then(text))
}

async fn consumers(engine: &Engine, link: &mut Link) -> Result<Option<String>, Error> {
    let size = log::state(link).await?.signed_size;
    for (name, next) in log::cursors(link).await? {
        let LogIndex(next) = next;
        let behind = size.saturating_sub(next);
        if behind > engine.settings().consumer_lag_max {
            return Ok(Some(format!("the consumer {name} is {behind} events behind the log")));
        }
    }
    Ok(None)
}

async fn clock(engine: &Engine, link: &mut Link, now: Timestamp) -> Result<Option<String>, Error> {
    let present = Clocks { wall: now, machine: Instant::now() };
    let before = match engine.0.monitor_memory.0.lock() {
        Ok(mut memory) => memory.replace(present),
        Err(_) => None,
    };
    let seconds = |micros: i64| micros / Timestamp::SECOND;
    if let Some(before) = before {
        let passed = i64::try_from((present.machine - before.machine).as_micros());
        let jump = now.since(before.wall) - passed.unwrap_or(i64::MAX);
        if jump.abs() > JUMP {
            let way = if jump > 0 { "forward" } else { "back" };
            return Ok(Some(format!("the clock jumped {way} by {} s", seconds(jump.abs()))));
        }
    }
    let off = off(engine, link).await?;
    if !off.is_empty() {
        return Ok(Some(off.join("; ")));
    }
    let latest = log::latest_time(link).await?;
    let behind = latest.map_or(0, |latest| latest.since(now));
    let text = || {
        let own = format!(" of node {} on {}", engine.0.desk.node, engine.host());
        let whose = if engine.0.store.is_shared() { &own } else { "" };
        format!("the clock{whose} is {} s behind the newest event of the log", seconds(behind))
    };
    Ok((behind > JUMP).then(text))
}

/// Nodes whose clocks differ from that of the database server, as each of them found at its last
/// beat: the one that is off need not be the one that looks.
async fn off(engine: &Engine, link: &mut Link) -> Result<Vec<String>, Error> {
    if !engine.0.store.is_shared() {
        return Ok(Vec::new());
    }
    let told = |node: &Node| {
        let own = node.id == engine.0.desk.node;
        let ahead = if own { engine.ahead() } else { node.ahead };
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        let by = ahead.abs() / Timestamp::SECOND;
        let (host, id) = (&node.host, node.id);
        let text = || {
            format!("the clock of node {id} on {host} is {by} s {way} that of the database server")
        };
        (ahead.abs() > JUMP).then(text)
    };
    Ok(node::running(link).await?.iter().filter_map(told).collect())
}

/// Triggers whose references have gone behind the program's back.
async fn automation(link: &mut Link) -> Result<Option<String>, Error> {
    let broken = crate::reaction::snapshot::broken(link).await?;
    let told = broken.iter().map(|(name, why)| format!("the trigger {name} does not work: {why}"));
    let told: Vec<_> = told.collect();
    Ok((!told.is_empty()).then(|| told.join("; ")))
}

fn disk(engine: &Engine) -> Option<String> {
    let (free, all) = engine.settings().room.of(&engine.settings().data_dir)?;
    let percent = free.saturating_mul(100).checked_div(all).unwrap_or(100);
    (free < FREE_BYTES && percent < FREE_PERCENT)
        .then(|| format!("{} MiB are left on the disk, {percent} %", free >> 20))
}

fn timetable(tasks: &[Task], now: Timestamp, lease_time: Timestamp) -> Option<String> {
    let late = |task: &&Task| {
        let running = task.is_held(lease_time);
        task.problem.is_none() && !running && now.since(task.next_at) > MISSING
    };
    let missing: Vec<_> = tasks.iter().filter(late).map(|task| task.name.as_str()).collect();
    let broken = tasks.iter().find_map(|task| Some((&task.name, task.problem.as_ref()?)));
    match (missing.is_empty(), broken) {
        (false, _) => Some(format!("no run of {} when it was due", missing.join(", "))),
        (true, Some((name, problem))) => Some(format!("{name} cannot run: {problem}")),
        (true, None) => None,
    }
}

/// Raises alerts for what is wrong and resolves those of what is not any more.
pub(super) async fn internal(
    tx: &mut Tx,
    scribe: &Scribe,
    active: &Active,
    found: &[Found],
    tally: &mut Tally,
) -> Result<(), Error> {
    tally.inventory = found.len() as u64;
    tally.watched = tally.inventory;
    tally.evaluated = tally.inventory;
    for finding in found {
        let key = format!("internal/{}", finding.part);
        match &finding.bad {
            None => alarm::resolve(tx, scribe, &key, "good_again").await?,
            Some(message) => {
                tally.fired += 1;
                tally.findings.push(message.clone());
                let alarm = Alarm {
                    key,
                    kind: "internal",
                    severity: Severity::Error,
                    title: format!("Chancery itself: {}", finding.part.replace('_', " ")),
                    message: message.clone(),
                    object: None,
                };
                alarm::raise(tx, scribe, &active.name, alarm).await?;
            }
        }
    }
    Ok(())
}
