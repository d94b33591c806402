//! `chancery retention`: rules, legal holds and runs, over the API of a server.

use std::io::Write;

use anyhow::{Result, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::{progress, text};
use crate::cli::GlobalArguments;
use crate::cli::retention::{PreviewArguments, RetentionCommand, RuleArguments};
use crate::client::{Body, Client};

/// Runs the command.
///
/// # Errors
/// The server was not reached or refused, or the output cannot be written.
pub async fn run(global: &GlobalArguments, command: RetentionCommand) -> Result<()> {
    let client = Client::new(global)?;
    match command {
        RetentionCommand::List => {
            let names = ["name", "enabled", "sentence", "changed_at"];
            let head = ["NAME", "FOLLOWED", "REMOVES", "CHANGED"];
            list(global, &client, "retention/rules", &head, &names).await
        }
        RetentionCommand::Add(rule) => {
            let (_, made) = client.post("retention/rules", &[], Body::Json(wish(&rule))).await?;
            tell(global, &made, "sentence")
        }
        RetentionCommand::Change(rule) => {
            let path = format!("retention/rules/{}", rule.name);
            let answer = client.send(Method::PUT, &path, &[], Body::Json(wish(&rule)), &[]).await?;
            tell(global, &serde_json::from_slice(&answer.bytes().await?)?, "sentence")
        }
        RetentionCommand::Preview(what) => {
            let (_, preview) =
                client.post("retention/preview", &[], Body::Json(said(&what))).await?;
            show_preview(global, &preview)
        }
        RetentionCommand::Delete(rule) => {
            let path = format!("retention/rules/{}", rule.name);
            client.send(Method::DELETE, &path, &[], Body::None, &[]).await.map(|_| ())
        }
        RetentionCommand::Run => follow(global, &client).await,
        RetentionCommand::Runs => {
            let names =
                ["rule", "state", "removed", "held", "first_index", "last_index", "started_at"];
            let head = ["RULE", "STATE", "REMOVED", "HELD", "FIRST", "LAST", "BEGAN"];
            list(global, &client, "retention/runs", &head, &names).await
        }
        RetentionCommand::Holds => {
            let names = ["name", "filter", "reason", "placed_by", "placed_at", "released_at"];
            let head = ["NAME", "HOLDS", "WHY", "BY", "SINCE", "ENDED"];
            list(global, &client, "retention/holds", &head, &names).await
        }
        RetentionCommand::Hold(hold) => {
            let wish = json!({
                "name": hold.name,
                "filter": hold.filter,
                "certificate": hold.certificate,
                "reason": hold.reason,
            });
            let (_, placed) = client.post("retention/holds", &[], Body::Json(wish)).await?;
            tell(global, &placed, "filter")?;
            if !global.json {
                tell_held(&placed)?;
            }
            Ok(())
        }
        RetentionCommand::Release(hold) => {
            let path = format!("retention/holds/{}/release", hold.name);
            client.send(Method::POST, &path, &[], Body::None, &[]).await.map(|_| ())
        }
    }
}

fn said(what: &PreviewArguments) -> Value {
    json!({ "filter": what.filter, "basis": what.basis, "after_days": what.days })
}

fn wish(rule: &RuleArguments) -> Value {
    let mut wish = said(&rule.what);
    wish["name"] = rule.name.clone().into();
    wish["enabled"] = (!rule.disabled).into();
    wish
}

fn tell(global: &GlobalArguments, made: &Value, member: &str) -> Result<()> {
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{made:#}")?;
    } else {
        let name = text::plain(made["name"].as_str().unwrap_or_default());
        writeln!(out, "{name}: {}", text::plain(made[member].as_str().unwrap_or_default()))?;
    }
    Ok(())
}

/// What a hold that was placed names at once.
fn tell_held(placed: &Value) -> Result<()> {
    let mut out = crate::terminal::out();
    let more = if placed["at_least"] == true { "at least " } else { "" };
    match placed["events"].as_u64() {
        None => {}
        Some(0) => writeln!(out, "it names no event now, only what may come")?,
        Some(count) => {
            writeln!(out, "it names {more}{} now", text::counted(count, "event", "events"))?;
        }
    }
    Ok(())
}

fn show_preview(global: &GlobalArguments, preview: &Value) -> Result<()> {
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{preview:#}")?;
        return Ok(());
    }
    let number = |name: &str| text::number(preview[name].as_u64().unwrap_or(0));
    let more = if preview["at_least"] == true { "at least " } else { "" };
    write!(out, "would remove {more}{} events", number("events"))?;
    if let Some(oldest) = preview["oldest"].as_str() {
        write!(out, ", the oldest from {oldest}")?;
    }
    writeln!(out)?;
    if preview["held"] != 0 {
        writeln!(out, "{} are kept by legal holds", number("held"))?;
    }
    if preview["waiting"] != 0 {
        let limit = &preview["limits"][0];
        let who = text::plain(limit["who"].as_str().unwrap_or_default());
        writeln!(out, "{} stay until {who} needs them no more", number("waiting"))?;
    }
    if preview["archive"].is_null() {
        writeln!(out, "no archive is set: nothing goes")?;
    }
    Ok(())
}

/// Starts a run and waits for its job.
async fn follow(global: &GlobalArguments, client: &Client) -> Result<()> {
    let (_, queued) = client.post("retention/runs", &[], Body::None).await?;
    let job = queued["job"].as_str().unwrap_or_default().to_owned();
    let bar = progress::awaited("removing what the rules say");
    loop {
        let job = client.get(&format!("jobs/{job}"), &[]).await?;
        match job["state"].as_str() {
            Some("queued" | "running") => {
                progress::tell_of_job(&bar, &job);
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
            Some("success") => {
                bar.finish_and_clear();
                let result = &job["result"];
                let mut out = crate::terminal::out();
                if global.json {
                    writeln!(out, "{result:#}")?;
                } else {
                    let number = |name: &str| text::number(result[name].as_u64().unwrap_or(0));
                    writeln!(out, "removed {}, held {}", number("removed"), number("held"))?;
                }
                return Ok(());
            }
            _ => bail!("{}", job["error"].as_str().unwrap_or("the run did not end")),
        }
    }
}

async fn list(
    global: &GlobalArguments,
    client: &Client,
    path: &str,
    head: &[&str],
    names: &[&str],
) -> Result<()> {
    let items = client.list(path, &[], 10_000).await?;
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{:#}", Value::Array(items))?;
        return Ok(());
    }
    let cell = |item: &Value, name: &str| match &item[name] {
        Value::String(text) => text::plain(text).to_string(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let rows: Vec<Vec<String>> =
        items.iter().map(|item| names.iter().map(|name| cell(item, name)).collect()).collect();
    text::table(&mut out, head, &rows)
}
