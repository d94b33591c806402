//! `chancery config export | plan | diff | apply`: the automation of a server, over its API.

use std::io::{Read as _, Write};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::{progress, text};
use crate::cli::GlobalArguments;
use crate::cli::config::{
    ConfigCommand, ConfigDiffArguments, ConfigExportArguments, ConfigFileArguments,
};
use crate::client::{Body, Client};

/// Between two looks at a job.
const POLL: Duration = Duration::from_millis(500);

/// Runs the command.
///
/// # Errors
/// The server was not reached or refused, or a file cannot be read or written.
pub async fn run(global: &GlobalArguments, command: &ConfigCommand) -> Result<()> {
    let client = Client::new(global)?;
    let mut out = crate::terminal::out();
    match command {
        ConfigCommand::Check(_) => bail!("this command stands alone and was not run"),
        ConfigCommand::Export(arguments) => export(&client, arguments).await,
        ConfigCommand::Plan(arguments) => {
            let body = Body::Json(document(arguments)?);
            let plan = client.post("automation/plan", &[], body).await?.1;
            tell_plan(global, &plan, "would", &mut out)
        }
        ConfigCommand::Apply(arguments) => {
            let body = Body::Json(document(arguments)?);
            let answer = client.send(Method::PUT, "automation/apply", &[], body, &[]).await?;
            let plan: Value = serde_json::from_slice(&answer.bytes().await?)?;
            tell_plan(global, &plan, "did", &mut out)
        }
        ConfigCommand::Diff(arguments) => {
            let tried = diff(&client, arguments).await?;
            tell_diff(global, &tried, &mut out)
        }
    }
}

async fn export(client: &Client, arguments: &ConfigExportArguments) -> Result<()> {
    let answer = client.send(Method::GET, "automation/export", &[], Body::None, &[]).await?;
    let bytes = answer.bytes().await?;
    match &arguments.output {
        None => crate::terminal::out().write_all(&bytes)?,
        Some(file) => std::fs::write(file, &bytes)
            .with_context(|| format!("cannot write {}", file.display()))?,
    }
    Ok(())
}

fn document(arguments: &ConfigFileArguments) -> Result<Value> {
    let mut toml = String::new();
    if arguments.file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut toml).context("cannot read standard input")?;
    } else {
        toml = std::fs::read_to_string(&arguments.file)
            .with_context(|| format!("cannot read {}", arguments.file.display()))?;
    }
    Ok(json!({ "toml": toml, "prune": arguments.prune }))
}

fn tell_plan(
    global: &GlobalArguments,
    plan: &Value,
    word: &str,
    out: &mut dyn Write,
) -> Result<()> {
    if global.json {
        writeln!(out, "{plan:#}")?;
        return Ok(());
    }
    let changes = plan["changes"].as_array().cloned().unwrap_or_default();
    if changes.is_empty() {
        let nothing = if word == "did" { "Nothing changed" } else { "Nothing would change" };
        writeln!(out, "{nothing}; revision {}.", plan["revision"])?;
        return Ok(());
    }
    let member = |change: &Value, name: &str| change[name].as_str().unwrap_or_default().to_owned();
    let rows: Vec<Vec<String>> = changes
        .iter()
        .map(|change| {
            let members = change["members"].as_array().into_iter().flatten();
            let members: Vec<_> = members.filter_map(Value::as_str).collect();
            vec![
                member(change, "doing"),
                member(change, "class"),
                member(change, "name"),
                members.join(", "),
            ]
        })
        .collect();
    text::table(out, &["CHANGE", "CLASS", "NAME", "MEMBERS"], &rows)?;
    writeln!(out, "Revision {}.", plan["revision"])?;
    Ok(())
}

/// The verdicts that differ; a long stretch is a job that is waited for.
async fn diff(client: &Client, arguments: &ConfigDiffArguments) -> Result<Value> {
    let mut body = document(&arguments.file)?;
    for (name, time) in [("from", &arguments.from), ("to", &arguments.to)] {
        if let Some(time) = time {
            body[name] = json!(time);
        }
    }
    let (status, answer) = client.post("automation/diff", &[], Body::Json(body)).await?;
    if status != reqwest::StatusCode::ACCEPTED {
        return Ok(answer);
    }
    let path = format!("jobs/{}", answer["job"].as_str().unwrap_or_default());
    let bar = progress::entries(1, "looking through history");
    loop {
        let job = client.get(&path, &[]).await?;
        bar.set_length(job["total"].as_u64().unwrap_or(0));
        bar.set_position(job["done"].as_u64().unwrap_or(0));
        match job["state"].as_str() {
            Some("success") => {
                bar.finish_and_clear();
                return Ok(job["result"].clone());
            }
            Some("failed" | "cancelled") => {
                bail!("the job ended without a result: {}", job["error"].as_str().unwrap_or("–"));
            }
            _ => tokio::time::sleep(POLL).await,
        }
    }
}

fn tell_diff(global: &GlobalArguments, tried: &Value, out: &mut dyn Write) -> Result<()> {
    if global.json {
        writeln!(out, "{tried:#}")?;
        return Ok(());
    }
    let differ = if tried["differing"] == 1 { "verdict differs" } else { "verdicts differ" };
    writeln!(
        out,
        "{} events, {} of them concern a trigger; {} {differ}.",
        tried["events"], tried["concerned"], tried["differing"]
    )?;
    let list = |name: &str| tried[name].as_array().cloned().unwrap_or_default();
    let rows: Vec<Vec<String>> = list("differences").iter().map(row).collect();
    if !rows.is_empty() {
        text::table(out, &["INDEX", "TYPE", "TRIGGER", "SAVED", "WITH THE FILE"], &rows)?;
    }
    let rows: Vec<Vec<String>> = list("not_compared").iter().map(uncompared).collect();
    if !rows.is_empty() {
        writeln!(out, "Changed as well, and not compared with history:")?;
        text::table(out, &["CLASS", "NAME", "WHY"], &rows)?;
    }
    Ok(())
}

fn uncompared(object: &Value) -> Vec<String> {
    ["class", "name", "why"].map(|name| object[name].as_str().unwrap_or_default().to_owned()).into()
}

/// A line about one difference. Where the verdict is the same, the steps that differ stand behind.
fn row(difference: &Value) -> Vec<String> {
    let some =
        if difference["after"].is_null() { &difference["before"] } else { &difference["after"] };
    let side = |side: &str| {
        let verdict = difference[side]["verdict"].as_str().unwrap_or("–");
        let steps = difference[format!("steps_{side}")].as_array().into_iter().flatten();
        let steps: Vec<_> = steps.filter_map(Value::as_str).collect();
        match steps.is_empty() {
            true => verdict.to_owned(),
            false => format!("{verdict}: {}", steps.join("; ")),
        }
    };
    let member = |name: &str| some[name].as_str().unwrap_or_default().to_owned();
    vec![
        some["index"].to_string(),
        member("event_type"),
        member("trigger"),
        side("before"),
        side("after"),
    ]
}
