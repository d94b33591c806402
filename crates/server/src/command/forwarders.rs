//! `chancery forwarders`: forwarders and deliveries of a server, over its API.

use std::io::Read as _;

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::text;
use crate::cli::GlobalArguments;
use crate::cli::forwarders::{DeliveriesArguments, ForwardersCommand};
use crate::client::{Body, Client};

/// Runs the command.
///
/// # Errors
/// The server was not reached or refused, a file cannot be read, or the output cannot be written.
pub async fn run(global: &GlobalArguments, command: ForwardersCommand) -> Result<()> {
    use ForwardersCommand as Wanted;
    let client = Client::new(global)?;
    let post = async |path: String, body: Value| -> Result<Value> {
        Ok(client.post(&path, &[], Body::Json(body)).await?.1)
    };
    let at = |name: &str, what: &str| format!("forwarders/{name}/{what}");
    match command {
        Wanted::List => list(global, &client).await,
        Wanted::Deliveries(arguments) => deliveries(global, &client, arguments).await,
        Wanted::Show(of) => print(&client.get(&format!("forwarders/{}", of.name), &[]).await?),
        Wanted::Create(arguments) => {
            let mut new = wish(&arguments.file, &arguments.secrets)?;
            new["name"] = json!(arguments.name);
            print(&post("forwarders".to_owned(), new).await?)
        }
        Wanted::Update(arguments) => {
            let path = format!("forwarders/{}", arguments.name);
            let body = Body::Json(wish(&arguments.file, &arguments.secrets)?);
            let saved = client.send(Method::PUT, &path, &[], body, &[]).await?;
            print(&saved.json::<Value>().await?)
        }
        Wanted::Preview(of) => {
            let wish = json!({ "body": wish(&of.file, &[])?["body"] });
            print(&post("deliveries/preview".to_owned(), wish).await?)
        }
        Wanted::Test(of) => tried(&post(at(&of.name, "test"), json!({})).await?),
        Wanted::Enable(of) => {
            post(at(&of.name, "switch"), json!({ "enabled": true })).await?;
            let done = json!({ "forwarder": of.name, "enabled": true });
            say(global, "It is switched on, and goes on where it was.", &done)
        }
        Wanted::Disable(of) => {
            post(at(&of.name, "switch"), json!({ "enabled": false })).await?;
            let done = json!({ "forwarder": of.name, "enabled": false });
            say(global, "It is switched off.", &done)
        }
        Wanted::Replay(of) => {
            let wish = json!({ "from_index": of.from, "to_index": of.to });
            let answer = post(at(&of.name, "replay"), wish).await?;
            let removed = answer["removed"].as_u64().unwrap_or(0);
            let done = json!({ "forwarder": of.name, "from_index": of.from, "to_index": of.to,
                "removed": removed });
            let text = match removed {
                0 => "It goes on from there.".to_owned(),
                some => format!("It goes on from there. {some} events left the database."),
            };
            say(global, &text, &done)
        }
        Wanted::Recover(of) => {
            print(&post(at(&of.name, "recover"), json!({ "since": of.since })).await?)
        }
        Wanted::RotateSecret(of) => {
            let body = json!({ "overlap_hours": of.overlap_hours });
            print(&post(at(&of.name, "rotate-secret"), body).await?)
        }
        Wanted::Resend(of) => {
            post(format!("deliveries/{}/resend", of.id), json!({})).await?;
            say(global, "It waits to be sent again.", &json!({ "delivery": of.id, "resent": true }))
        }
        Wanted::Delete(of) => {
            let path = format!("forwarders/{}", of.name);
            client.send(Method::DELETE, &path, &[], Body::None, &[]).await?;
            let done = json!({ "forwarder": of.name, "deleted": true });
            say(global, "The forwarder is deleted.", &done)
        }
    }
}

/// What came of a trial: a command that delivered nothing has failed.
pub(super) fn tried(answer: &Value) -> Result<()> {
    print(answer)?;
    ensure!(answer["delivered"] == json!(true), "it was not delivered");
    Ok(())
}

/// What was done, as a sentence or as one document.
pub(super) fn say(global: &GlobalArguments, text: &str, done: &Value) -> Result<()> {
    if global.json {
        return print(done);
    }
    Ok(outln!("{text}")?)
}

pub(super) fn print(value: &Value) -> Result<()> {
    Ok(outln!("{value:#}")?)
}

/// What the file says, with the secrets.
pub(super) fn wish(file: &str, secret_files: &[String]) -> Result<Value> {
    let read = |path: &str| -> Result<String> {
        if path == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            return Ok(text);
        }
        std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
    };
    let text = read(file)?;
    let body: Value = serde_json::from_str(&text).with_context(|| format!("{file} is not JSON"))?;
    let mut secrets = Map::new();
    for secret in secret_files {
        let (name, path) = secret.split_once('=').context("--secret takes NAME=FILE")?;
        secrets.insert(name.to_owned(), json!(read(path)?.trim_end_matches(['\r', '\n'])));
    }
    Ok(json!({ "body": body, "secrets": secrets }))
}

/// Whether a destination is on, and gets through.
pub(super) fn state(one: &Value) -> String {
    match (one["enabled"] == json!(true), one["failures"].as_i64().unwrap_or(0)) {
        (false, _) => "off",
        (true, 0) => "on",
        (true, _) => "failing",
    }
    .to_owned()
}

/// A text member.
pub(super) fn word(one: &Value, name: &str) -> String {
    text::plain(one[name].as_str().unwrap_or_default())
}

async fn list(global: &GlobalArguments, client: &Client) -> Result<()> {
    let forwarders = client.list("forwarders", &[], 10_000).await?;
    if global.json {
        return print(&Value::Array(forwarders));
    }
    let rows: Vec<Vec<String>> = forwarders
        .iter()
        .map(|one| {
            vec![
                word(one, "name"),
                state(one),
                word(one, "kind"),
                one["backlog_waiting"].to_string(),
                one["dead"].to_string(),
                one["backlog_log"].to_string(),
                word(one, "endpoint"),
            ]
        })
        .collect();
    let head = ["FORWARDER", "STATE", "KIND", "WAITING", "GIVEN UP", "LOG", "TO"];
    text::table(&mut crate::terminal::out(), &head, &rows)
}

async fn deliveries(
    global: &GlobalArguments,
    client: &Client,
    arguments: DeliveriesArguments,
) -> Result<()> {
    let mut query = Vec::new();
    if let Some(name) = arguments.forwarder {
        query.push(("destination", name));
    }
    if let Some(state) = arguments.state {
        query.push(("state", state));
    }
    let found = client.list("deliveries", &query, arguments.limit).await?;
    if global.json {
        return print(&Value::Array(found));
    }
    let word = |one: &Value, name: &str| text::plain(one[name].as_str().unwrap_or("-"));
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|one| {
            vec![
                word(one, "id"),
                word(one, "destination"),
                word(one, "state"),
                one["attempts"].to_string(),
                word(one, "event_type"),
                word(one, "error"),
            ]
        })
        .collect();
    let head = ["DELIVERY", "DESTINATION", "STATE", "ATTEMPTS", "EVENT", "LAST ERROR"];
    text::table(&mut crate::terminal::out(), &head, &rows)
}
