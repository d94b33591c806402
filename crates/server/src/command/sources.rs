//! `chancery sources`: systems that send their events, over the API of a server.

use std::io::{IsTerminal as _, Read as _, Write};

use anyhow::{Context as _, Result};
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
        SourcesCommand::Enable(source) => {
            let wish = json!({ "enabled": true });
            change(global, &client, &source.name, wish, "Its events are taken in.").await
        }
        SourcesCommand::Disable(source) => {
            let wish = json!({ "enabled": false });
            change(global, &client, &source.name, wish, "Its events are refused.").await
        }
        SourcesCommand::Renew(source) => {
            let path = format!("intake-sources/{}", source.name);
            let wish = Body::Json(json!({ "renew_secret": true }));
            let answer = client.send(Method::PATCH, &path, &[], wish, &[]).await?;
            tell(global, &serde_json::from_slice(&answer.bytes().await?)?)
        }
        SourcesCommand::Syslog(wish) => {
            let mut who = json!({});
            if wish.nobody || !wish.addresses.is_empty() {
                who["addresses"] = json!(wish.addresses);
            }
            if wish.nobody || !wish.certificates.is_empty() {
                who["certificates"] = json!(wish.certificates);
            }
            let text = "It is settled who may send over syslog.";
            change(global, &client, &wish.name, who, text).await
        }
        SourcesCommand::Poll(wish) => {
            if wish.stop {
                let stop = json!({ "stop_polling": true });
                return change(global, &client, &wish.name, stop, "It is fetched no more.").await;
            }
            let ca = match (&wish.ca, wish.no_ca) {
                (Some(file), _) => Some(
                    std::fs::read_to_string(file)
                        .with_context(|| format!("cannot read {}", file.display()))?,
                ),
                (None, true) => Some(String::new()),
                (None, false) => None,
            };
            let token = if wish.keep_token { None } else { Some(token()?) };
            let poll = json!({ "url": wish.address, "filter": wish.filter, "every_s": wish.every,
                "since": wish.since, "ca": ca, "token": token });
            let poll = json!({ "poll": poll });
            change(global, &client, &wish.name, poll, "It is fetched from now on.").await
        }
        SourcesCommand::Delete(source) => {
            let path = format!("intake-sources/{}", source.name);
            client.send(Method::DELETE, &path, &[], Body::None, &[]).await?;
            let done = json!({ "source": source.name, "deleted": true });
            super::forwarders::say(global, "The source is deleted.", &done)
        }
    }
}

/// Changes a source, and says what holds now.
async fn change(
    global: &GlobalArguments,
    client: &Client,
    name: &str,
    wish: Value,
    text: &str,
) -> Result<()> {
    let path = format!("intake-sources/{name}");
    client.send(Method::PATCH, &path, &[], Body::Json(wish), &[]).await?;
    let now = client.get(&path, &[]).await?;
    super::forwarders::say(global, text, &now)
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
