//! `chancery notices`: who was told of what, over a server's API.

use std::io::Write as _;

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::forwarders::{print, say, word};
use super::text;
use crate::cli::GlobalArguments;
use crate::cli::notices::NoticesCommand;
use crate::client::{Body, Client};

/// Runs the command.
///
/// # Errors
/// The server was not reached or refused, or the output cannot be written.
pub async fn run(global: &GlobalArguments, command: NoticesCommand) -> Result<()> {
    use NoticesCommand as Wanted;
    let client = Client::new(global)?;
    match command {
        Wanted::List(of) => {
            let query = given([
                ("filter", of.filter),
                ("decision", of.decision),
                ("reason", of.reason),
                ("profile", of.profile),
                ("event", of.event),
            ]);
            let found = client.list("notices", &query, of.limit).await?;
            notices(global, found)
        }
        Wanted::Why(of) => {
            let query = given([("event", Some(of.event)), ("account", of.account)]);
            let why = client.get("notices/why", &query).await?;
            if global.json {
                return print(&why);
            }
            let mut out = crate::terminal::out();
            for sentence in why["answer"].as_array().into_iter().flatten() {
                writeln!(out, "{}", text::plain(sentence.as_str().unwrap_or_default()))?;
            }
            Ok(())
        }
        Wanted::Coverage(of) => {
            print(&client.get(&format!("certificates/{}/coverage", of.certificate), &[]).await?)
        }
        Wanted::Unreached(of) => {
            let query = given([("state", of.state), ("path", of.path)]);
            let found = client.list("notifications/unreached", &query, of.limit).await?;
            unreached(global, found)
        }
        Wanted::Reset(of) => {
            let wish = json!({ "object": of.object, "profile": of.profile });
            let done = client.post("notices/reset", &[], Body::Json(wish)).await?.1;
            let count = done["streams"].as_u64().unwrap_or_default();
            say(global, &format!("Begun anew: {count}. What comes next is told."), &done)
        }
        Wanted::Bouncing => {
            bouncing(global, client.list("notifications/refused-addresses", &[], 10_000).await?)
        }
        Wanted::Clear(of) => {
            // RFC 3986 §3.3: what would end a segment of the path.
            let escapes = [("%", "%25"), ("/", "%2F"), ("?", "%3F"), ("#", "%23")];
            let escaped = |text: String, (of, by): &(&str, &str)| text.replace(of, by);
            let address = escapes.iter().fold(of.address.clone(), escaped);
            let path = format!("notifications/refused-addresses/{address}");
            client.send(Method::DELETE, &path, &[], Body::None, &[]).await?;
            writeln!(crate::terminal::out(), "Mail goes to {} again.", text::plain(&of.address))?;
            Ok(())
        }
        Wanted::Preview(of) => {
            let wish = json!({ "profile": of.profile, "event": of.event });
            let path = "notifications/preview";
            print(&client.post(path, &[], Body::Json(wish)).await?.1)
        }
    }
}

fn bouncing(global: &GlobalArguments, found: Vec<Value>) -> Result<()> {
    if global.json {
        return print(&Value::Array(found));
    }
    let row = |one: &Value| {
        let names = ["address", "since", "channel", "error"];
        names.map(|name| word(one, name)).to_vec()
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    text::table(&mut crate::terminal::out(), &["ADDRESS", "SINCE", "BY", "WHY"], &rows)
}

/// Parameters that were given.
fn given<const N: usize>(all: [(&'static str, Option<String>); N]) -> Vec<(&'static str, String)> {
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn notices(global: &GlobalArguments, found: Vec<Value>) -> Result<()> {
    if global.json {
        return print(&Value::Array(found));
    }
    let row = |one: &Value| {
        let whom = match word(one, "account_name") {
            empty if empty.is_empty() => word(one, "address"),
            name => name,
        };
        let (decision, why) = (word(one, "decision"), word(one, "reason"));
        vec![word(one, "at"), whom, word(one, "channel"), word(one, "event_type"), decision, why]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let head = ["WHEN", "WHOM", "BY", "EVENT", "DECISION", "WHY"];
    text::table(&mut crate::terminal::out(), &head, &rows)
}

fn unreached(global: &GlobalArguments, found: Vec<Value>) -> Result<()> {
    if global.json {
        return print(&Value::Array(found));
    }
    let row = |one: &Value| {
        let (state, reason) = (word(one, "state"), word(one, "reason"));
        let (owner, path) = (word(one, "owner"), word(one, "path"));
        vec![word(one, "not_after"), state, reason, owner, path, word(one, "subject")]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let head = ["ENDS", "WHO HEARS", "WHY", "OWNER", "FOLDER", "SUBJECT"];
    text::table(&mut crate::terminal::out(), &head, &rows)
}
