//! `chancery sources`: systems that send their events, over the API of a server.

use std::io::Write;

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::text;
use crate::cli::GlobalArguments;
use crate::cli::sources::SourcesCommand;
use crate::client::{Body, Client};

/// Runs the command.
///
/// # Errors
/// The server was not reached or refused, or the output cannot be written.
pub async fn run(global: &GlobalArguments, command: SourcesCommand) -> Result<()> {
    let client = Client::new(global)?;
    match command {
        SourcesCommand::List => list(global, &client).await,
        SourcesCommand::Add(new) => {
            let wish = json!({ "name": new.name, "dialect": new.dialect });
            let (_, made) = client.post("intake-sources", &[], Body::Json(wish)).await?;
            tell(global, &made)
        }
        SourcesCommand::Enable(source) => change(global, &client, &source.name, true).await,
        SourcesCommand::Disable(source) => change(global, &client, &source.name, false).await,
        SourcesCommand::Renew(source) => {
            let path = format!("intake-sources/{}", source.name);
            let wish = Body::Json(json!({ "renew_secret": true }));
            let answer = client.send(Method::PATCH, &path, &[], wish, &[]).await?;
            tell(global, &serde_json::from_slice(&answer.bytes().await?)?)
        }
        SourcesCommand::Delete(source) => {
            let path = format!("intake-sources/{}", source.name);
            client.send(Method::DELETE, &path, &[], Body::None, &[]).await?;
            let done = json!({ "source": source.name, "deleted": true });
            say(global, "The source is deleted.", &done)
        }
    }
}

/// What was done, as a sentence or as one document.
fn say(global: &GlobalArguments, text: &str, done: &Value) -> Result<()> {
    if global.json {
        outln!("{done:#}")?
    } else {
        outln!("{text}")?
    }
    Ok(())
}

async fn change(
    global: &GlobalArguments,
    client: &Client,
    name: &str,
    enabled: bool,
) -> Result<()> {
    let path = format!("intake-sources/{name}");
    let wish = Body::Json(json!({ "enabled": enabled }));
    client.send(Method::PATCH, &path, &[], wish, &[]).await?;
    let text = if enabled { "Its events are taken in." } else { "Its events are refused." };
    say(global, text, &json!({ "source": name, "enabled": enabled }))
}

/// The secret alone on standard output, so that it can be piped; the rest beside it.
fn tell(global: &GlobalArguments, made: &Value) -> Result<()> {
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{made:#}")?;
        return Ok(());
    }
    let member = |name: &str| text::plain(made[name].as_str().unwrap_or_default());
    errln!("{} sends to {}; its secret, shown once:", member("name"), member("address"));
    writeln!(out, "{}", member("secret"))?;
    Ok(())
}

async fn list(global: &GlobalArguments, client: &Client) -> Result<()> {
    let sources = client.list("intake-sources", &[], 10_000).await?;
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{:#}", Value::Array(sources))?;
        return Ok(());
    }
    let row = |source: &Value| -> Vec<String> {
        let text = |name: &str| match &source[name] {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        let state = if source["enabled"] == true { "active" } else { "disabled" };
        let names = ["accepted", "repeated", "unknown", "refused", "last_at"];
        let figures = names.into_iter().map(text);
        [text("name"), text("dialect"), state.to_owned()].into_iter().chain(figures).collect()
    };
    let rows: Vec<Vec<String>> = sources.iter().map(row).collect();
    let head = ["NAME", "SPEAKS", "STATE", "TAKEN IN", "REPEATED", "UNKNOWN", "REFUSED", "LAST"];
    text::table(&mut out, &head, &rows)
}
