//! `chancery jobs`: jobs of a server, over its API.

use std::io::Write;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{progress, text};
use crate::cli::GlobalArguments;
use crate::cli::jobs::{JobsCommand, ListArguments};
use crate::client::{Body, Client};

/// How often a job is looked at that somebody waits for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Runs the command.
///
/// # Errors
/// The server was not reached or refused, or the output cannot be written.
pub async fn run(global: &GlobalArguments, command: JobsCommand) -> Result<()> {
    let client = Client::new(global)?;
    match command {
        JobsCommand::List(arguments) => list(global, &client, arguments).await,
        JobsCommand::Show(job) => {
            let found = client.get(&format!("jobs/{}", job.id), &[]).await?;
            show(global, &found)
        }
        JobsCommand::Cancel(job) => change(global, &client, &job.id, "cancel").await,
        JobsCommand::Retry(job) => change(global, &client, &job.id, "retry").await,
    }
}

async fn list(global: &GlobalArguments, client: &Client, arguments: ListArguments) -> Result<()> {
    let jobs = client.list("jobs", &[("filter", arguments.filter)], arguments.limit).await?;
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{:#}", Value::Array(jobs))?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = jobs.iter().map(cells).collect();
    text::table(&mut out, &["ASKED FOR", "STATE", "DONE", "KIND", "BY", "JOB"], &rows)
}

/// Time, state, progress, kind, who asked and identifier of a job as the API tells it.
fn cells(job: &Value) -> Vec<String> {
    let member = |name: &str| text::plain(job[name].as_str().unwrap_or_default());
    vec![
        text::moment(&job["scheduled_at"]),
        member("state"),
        progress(job),
        member("kind"),
        member("triggered_by"),
        member("id"),
    ]
}

fn progress(job: &Value) -> String {
    match (job["done"].as_u64(), job["total"].as_u64()) {
        (Some(done), Some(total)) if total > 0 => format!("{done}/{total}"),
        _ => "-".to_owned(),
    }
}

/// Prints a job, one member a line.
pub(super) fn show(global: &GlobalArguments, job: &Value) -> Result<()> {
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{job:#}")?;
        return Ok(());
    }
    for (name, value) in job.as_object().into_iter().flatten() {
        let shown = match value {
            Value::Null => continue,
            Value::String(text) => text::plain(text),
            other => other.to_string(),
        };
        writeln!(out, "{:<24}{shown}", name.replace('_', " "))?;
    }
    Ok(())
}

async fn change(global: &GlobalArguments, client: &Client, id: &str, action: &str) -> Result<()> {
    let (_, job) = client.post(&format!("jobs/{id}/{action}"), &[], Body::None).await?;
    if global.json {
        return show(global, &job);
    }
    outln!("{}: {}", text::plain(id), job["state"].as_str().unwrap_or("?"))?;
    Ok(())
}

/// Waits until a job has ended; answers it.
///
/// # Errors
/// The server was not reached, or the job did not succeed.
pub(super) async fn ended(client: &Client, id: &str) -> Result<Value> {
    let bar = progress::awaited("waiting for the job");
    loop {
        let job = client.get(&format!("jobs/{id}"), &[]).await?;
        let state = job["state"].as_str().unwrap_or_default();
        if !matches!(state, "queued" | "running") {
            let why = job["error"].as_str().unwrap_or("no reason given");
            ensure!(state == "success", "job {id} is {state}: {}", text::plain(why));
            return Ok(job);
        }
        progress::tell_of_job(&bar, &job);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
