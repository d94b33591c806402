//! `chancery sources`: systems that send their events, over the API of a server.

use std::io::{IsTerminal as _, Read as _, Write};

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
        SourcesCommand::Enable(source) => change(&client, &source.name, true).await,
        SourcesCommand::Disable(source) => change(&client, &source.name, false).await,
        SourcesCommand::Renew(source) => {
            let path = format!("intake-sources/{}", source.name);
            let wish = Body::Json(json!({ "renew_secret": true }));
            let answer = client.send(Method::PATCH, &path, &[], wish, &[]).await?;
            tell(global, &serde_json::from_slice(&answer.bytes().await?)?)
        }
        SourcesCommand::Syslog(wish) => {
            let mut change = json!({});
            if wish.nobody || !wish.addresses.is_empty() {
                change["addresses"] = json!(wish.addresses);
            }
            if wish.nobody || !wish.certificates.is_empty() {
                change["certificates"] = json!(wish.certificates);
            }
            patch(&client, &wish.name, change).await
        }
        SourcesCommand::Poll(wish) => {
            if wish.stop {
                return patch(&client, &wish.name, json!({ "stop_polling": true })).await;
            }
            let token = if wish.keep_token { None } else { Some(token()?) };
            let poll = json!({ "url": wish.address, "filter": wish.filter, "every_s": wish.every,
                "since": wish.since, "token": token });
            patch(&client, &wish.name, json!({ "poll": poll })).await
        }
        SourcesCommand::Delete(source) => {
            let path = format!("intake-sources/{}", source.name);
            client.send(Method::DELETE, &path, &[], Body::None, &[]).await.map(|_| ())
        }
    }
}

async fn change(client: &Client, name: &str, enabled: bool) -> Result<()> {
    patch(client, name, json!({ "enabled": enabled })).await
}

async fn patch(client: &Client, name: &str, change: Value) -> Result<()> {
    let path = format!("intake-sources/{name}");
    client.send(Method::PATCH, &path, &[], Body::Json(change), &[]).await.map(|_| ())
}

/// The API token, which no command line may hold.
fn token() -> Result<String> {
    let mut input = std::io::stdin();
    let token = if input.is_terminal() {
        rpassword::prompt_password("API token: ")?
    } else {
        let mut text = String::new();
        input.read_to_string(&mut text)?;
        text.lines().next().unwrap_or_default().to_owned()
    };
    Ok(token.trim().to_owned())
}

/// The secret alone on standard output, so that it can be piped; the rest beside it.
fn tell(global: &GlobalArguments, made: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if global.json {
        writeln!(out, "{made:#}")?;
        return Ok(());
    }
    let member = |name: &str| text::plain(made[name].as_str().unwrap_or_default());
    eprintln!("{} sends to {}; its secret, shown once:", member("name"), member("address"));
    writeln!(out, "{}", member("secret"))?;
    Ok(())
}

async fn list(global: &GlobalArguments, client: &Client) -> Result<()> {
    let sources = client.list("intake-sources", &[], 10_000).await?;
    let mut out = std::io::stdout().lock();
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
        let names = ["accepted", "repeated", "unknown", "refused", "dropped", "last_at"];
        let figures = names.into_iter().map(text);
        [text("name"), text("dialect"), state.to_owned()].into_iter().chain(figures).collect()
    };
    let rows: Vec<Vec<String>> = sources.iter().map(row).collect();
    let head = [
        "NAME", "SPEAKS", "STATE", "TAKEN IN", "REPEATED", "UNKNOWN", "REFUSED", "DROPPED", "LAST",
    ];
    text::table(&mut out, &head, &rows)
}
