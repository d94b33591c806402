//! `chancery channels`: the means by which people are told, over a server's API.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::forwarders::{print, say, state, tried, wish, word};
use super::text;
use crate::cli::GlobalArguments;
use crate::cli::channels::ChannelsCommand;
use crate::client::{Body, Client};

/// Runs the command.
///
/// # Errors
/// The server was not reached or refused, a file cannot be read, or the output cannot be written.
pub async fn run(global: &GlobalArguments, command: ChannelsCommand) -> Result<()> {
    use ChannelsCommand as Wanted;
    let client = Client::new(global)?;
    let post = async |path: String, body: Value| -> Result<Value> {
        Ok(client.post(&path, &[], Body::Json(body)).await?.1)
    };
    let at = |name: &str, what: &str| format!("channels/{name}/{what}");
    match command {
        Wanted::List => list(global, &client).await,
        Wanted::Show(of) => print(&client.get(&format!("channels/{}", of.name), &[]).await?),
        Wanted::Create(arguments) => {
            let mut new = wish(&arguments.file, &arguments.secrets)?;
            new["name"] = json!(arguments.name);
            print(&post("channels".to_owned(), new).await?)
        }
        Wanted::Update(arguments) => {
            let path = format!("channels/{}", arguments.name);
            let body = Body::Json(wish(&arguments.file, &arguments.secrets)?);
            let saved = client.send(Method::PUT, &path, &[], body, &[]).await?;
            print(&saved.json::<Value>().await?)
        }
        Wanted::Test(of) => {
            tried(&post(at(&of.name, "test"), json!({ "recipients": of.to })).await?)
        }
        Wanted::Enable(of) => {
            post(at(&of.name, "switch"), json!({ "enabled": true })).await?;
            let done = json!({ "channel": of.name, "enabled": true });
            say(global, "It is switched on. What waits is sent.", &done)
        }
        Wanted::Disable(of) => {
            post(at(&of.name, "switch"), json!({ "enabled": false })).await?;
            let done = json!({ "channel": of.name, "enabled": false });
            say(global, "It is switched off.", &done)
        }
        Wanted::Recover(of) => {
            print(&post(at(&of.name, "recover"), json!({ "since": of.since })).await?)
        }
        Wanted::Delete(of) => {
            let path = format!("channels/{}", of.name);
            client.send(Method::DELETE, &path, &[], Body::None, &[]).await?;
            let done = json!({ "channel": of.name, "deleted": true });
            say(global, "The channel is deleted.", &done)
        }
    }
}

async fn list(global: &GlobalArguments, client: &Client) -> Result<()> {
    let channels = client.list("channels", &[], 10_000).await?;
    if global.json {
        return print(&Value::Array(channels));
    }
    let row = |one: &Value| {
        let (waiting, dead) = (one["waiting"].to_string(), one["dead"].to_string());
        let (kind, endpoint) = (word(one, "kind"), word(one, "endpoint"));
        vec![word(one, "name"), state(one), kind, waiting, dead, endpoint, word(one, "last_error")]
    };
    let rows: Vec<Vec<String>> = channels.iter().map(row).collect();
    let head = ["CHANNEL", "STATE", "KIND", "WAITING", "GIVEN UP", "TO", "LAST ERROR"];
    text::table(&mut crate::terminal::out(), &head, &rows)
}
