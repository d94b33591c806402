//! `chancery monitors`: monitors of a server, over its API.

use std::io::Write;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::text;
use crate::cli::GlobalArguments;
use crate::cli::monitors::{ForecastArguments, MonitorsCommand};
use crate::client::{Body, Client};

/// Runs the command.
///
/// # Errors
/// The server was not reached or refused, or the output cannot be written.
pub async fn run(global: &GlobalArguments, command: MonitorsCommand) -> Result<()> {
    let client = Client::new(global)?;
    match command {
        MonitorsCommand::List => list(global, &client).await,
        MonitorsCommand::Run(arguments) => run_now(global, &client, &arguments.name).await,
        MonitorsCommand::Forecast(arguments) => forecast(global, &client, arguments).await,
    }
}

/// A time of the API without its fraction.
fn moment(value: &Value) -> String {
    match value.as_str() {
        Some(text) => format!("{}Z", text.chars().take(19).collect::<String>().replace('T', " ")),
        None => "-".to_owned(),
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

async fn list(global: &GlobalArguments, client: &Client) -> Result<()> {
    let monitors = client.list("monitors", &[], 10_000).await?;
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{:#}", Value::Array(monitors))?;
        return Ok(());
    }
    let state = |monitor: &Value| {
        let is = |name: &str| monitor[name] == Value::Bool(true);
        let words = [
            (monitor["problem"].is_string(), "cannot run"),
            (is("missing"), "missing"),
            (is("paused"), "paused"),
            (is("running"), "running"),
            (monitor["last_run"]["state"] == "failed", "failed"),
        ];
        words.into_iter().find(|(holds, _)| *holds).map_or("on time", |(_, word)| word).to_owned()
    };
    let rows: Vec<Vec<String>> = monitors
        .iter()
        .map(|monitor| {
            vec![
                text::plain(monitor["name"].as_str().unwrap_or_default()),
                state(monitor),
                moment(&monitor["last_run"]["started_at"]),
                moment(&monitor["next_at"]),
                counts(&monitor["last_run"]),
            ]
        })
        .collect();
    text::table(&mut out, &["MONITOR", "STATE", "LAST RUN", "NEXT RUN", "FOUND"], &rows)
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
                moment(&item["at"]),
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
