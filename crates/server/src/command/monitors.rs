//! `chancery monitors` and `chancery schedules`: what runs by the clock of a server, over its API.

use std::io::Write;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{jobs, text};
use crate::cli::GlobalArguments;
use crate::cli::monitors::{ForecastArguments, MonitorsCommand, RunArguments, SchedulesCommand};
use crate::client::{Body, Client};

/// Runs a command about monitors.
///
/// # Errors
/// The server was not reached or refused, or the output cannot be written.
pub async fn run(global: &GlobalArguments, command: MonitorsCommand) -> Result<()> {
    let client = Client::new(global)?;
    let path = "monitors";
    match command {
        MonitorsCommand::List(only) => list(global, &client, path, only.filter).await,
        MonitorsCommand::Run(one) => run_now(global, &client, &one.name).await,
        MonitorsCommand::Pause(one) => change(global, &client, path, &one.name, "pause").await,
        MonitorsCommand::Resume(one) => change(global, &client, path, &one.name, "resume").await,
        MonitorsCommand::Forecast(arguments) => forecast(global, &client, arguments).await,
    }
}

/// Runs a command about schedules.
///
/// # Errors
/// The server was not reached or refused, the output cannot be written, or a job that is waited for
/// fails.
pub async fn run_schedules(global: &GlobalArguments, command: SchedulesCommand) -> Result<()> {
    let client = Client::new(global)?;
    let path = "schedules";
    match command {
        SchedulesCommand::List(only) => list(global, &client, path, only.filter).await,
        SchedulesCommand::Run(arguments) => queue(global, &client, &arguments).await,
        SchedulesCommand::Pause(one) => change(global, &client, path, &one.name, "pause").await,
        SchedulesCommand::Resume(one) => change(global, &client, path, &one.name, "resume").await,
    }
}

/// What a run counted, in one line.
fn counts(run: &Value) -> String {
    if run.is_null() {
        return "-".to_owned();
    }
    let skipped = run["skipped"].as_object().into_iter().flatten();
    let skipped: String =
        skipped.map(|(why, count)| format!(", {count} {}", why.replace('_', " "))).collect();
    format!("{} of {} reported{skipped}", run["fired"], run["watched"])
}

async fn list(global: &GlobalArguments, client: &Client, path: &str, filter: String) -> Result<()> {
    let tasks = client.list(path, &[("filter", filter)], 10_000).await?;
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{:#}", Value::Array(tasks))?;
        return Ok(());
    }
    let is_schedules = path == "schedules";
    let rows: Vec<Vec<String>> = tasks
        .iter()
        .map(|task| {
            let last = &task["last_run"];
            vec![
                text::plain(task["name"].as_str().unwrap_or_default()),
                state(task).to_owned(),
                text::moment(&last["started_at"]),
                text::moment(&task["next_at"]),
                match is_schedules {
                    true => text::plain(last["job"].as_str().unwrap_or("-")),
                    false => counts(last),
                },
            ]
        })
        .collect();
    let head = match is_schedules {
        true => ["SCHEDULE", "STATE", "LAST RUN", "NEXT RUN", "JOB"],
        false => ["MONITOR", "STATE", "LAST RUN", "NEXT RUN", "FOUND"],
    };
    text::table(&mut out, &head, &rows)
}

/// How it goes with a monitor or schedule.
fn state(task: &Value) -> &'static str {
    let is = |name: &str| task[name] == Value::Bool(true);
    let words = [
        (task["problem"].is_string(), "cannot run"),
        (is("missing"), "missing"),
        (is("paused"), "paused"),
        (is("running"), "running"),
        (task["last_run"]["state"] == "failed", "failed"),
    ];
    words.into_iter().find(|(holds, _)| *holds).map_or("on time", |(_, word)| word)
}

/// Pauses or resumes one of them.
async fn change(
    global: &GlobalArguments,
    client: &Client,
    path: &str,
    name: &str,
    action: &str,
) -> Result<()> {
    let (_, task) = client.post(&format!("{path}/{name}/{action}"), &[], Body::None).await?;
    match global.json {
        true => outln!("{task:#}")?,
        false => outln!("{}: {}", text::plain(name), state(&task))?,
    }
    Ok(())
}

/// Queues the job of a schedule, and waits for it where that is wished.
async fn queue(global: &GlobalArguments, client: &Client, arguments: &RunArguments) -> Result<()> {
    let path = format!("schedules/{}/run", arguments.name);
    let (_, run) = client.post(&path, &[], Body::None).await?;
    let job = run["job"].as_str().context("no job was queued")?;
    if arguments.wait {
        return jobs::show(global, &jobs::ended(client, job).await?);
    }
    match global.json {
        true => outln!("{run:#}")?,
        false => outln!("job {job} is queued")?,
    }
    Ok(())
}

async fn run_now(global: &GlobalArguments, client: &Client, name: &str) -> Result<()> {
    let (_, run) = client.post(&format!("monitors/{name}/run"), &[], Body::None).await?;
    if global.json {
        outln!("{run:#}")?;
    } else {
        outln!("{}: {}", run["state"].as_str().unwrap_or("?"), counts(&run))?;
    }
    let why = run["message"].as_str().unwrap_or("no reason given");
    let state = run["state"].as_str().unwrap_or("in an unknown state");
    let is_well = matches!(state, "succeeded" | "running");
    ensure!(is_well, "the run is {}: {}", text::plain(state), text::plain(why));
    Ok(())
}

async fn forecast(
    global: &GlobalArguments,
    client: &Client,
    arguments: ForecastArguments,
) -> Result<()> {
    let path = format!("monitors/{}/forecast", arguments.name);
    let forecast = client.get(&path, &[("days", arguments.days.to_string())]).await?;
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{forecast:#}")?;
        return Ok(());
    }
    let items = forecast["items"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = items
        .map(|item| {
            let name = item["name"].as_str().or(item["object"].as_str()).unwrap_or_default();
            vec![
                text::moment(&item["at"]),
                text::plain(item["threshold"].as_str().unwrap_or_default()),
                item["silent"].as_str().unwrap_or("reported").to_owned(),
                text::plain(name),
            ]
        })
        .collect();
    text::table(&mut out, &["AT", "THRESHOLD", "THEN", "OBJECT"], &rows)?;
    writeln!(out, "{} to be reported in {} days", forecast["fires"], arguments.days)?;
    Ok(())
}
