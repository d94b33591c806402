//! `chancery alerts`: alerts of a server, over its API.

use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};

use super::text;
use crate::cli::GlobalArguments;
use crate::cli::alerts::{AlertsCommand, ListArguments};
use crate::client::{Body, Client};

/// Runs the command.
///
/// # Errors
/// The server was not reached or refused, or the output cannot be written.
pub async fn run(global: &GlobalArguments, command: AlertsCommand) -> Result<()> {
    let client = Client::new(global)?;
    match command {
        AlertsCommand::List(arguments) => list(global, &client, arguments).await,
        AlertsCommand::Ack(arguments) => {
            let wish = json!({ "filter": arguments.filter });
            settle(global, &client, "acknowledge", wish, "acknowledged").await
        }
        AlertsCommand::Resolve(arguments) => {
            let wish = json!({ "filter": arguments.filter, "comment": arguments.comment });
            settle(global, &client, "resolve", wish, "resolved").await
        }
    }
}

async fn list(global: &GlobalArguments, client: &Client, arguments: ListArguments) -> Result<()> {
    let alerts = client.list("alerts", &[("filter", arguments.filter)], arguments.limit).await?;
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{:#}", Value::Array(alerts))?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = alerts.iter().map(cells).collect();
    text::table(&mut out, &["RAISED", "SEVERITY", "STATE", "TIMES", "KIND", "ALERT"], &rows)
}

/// Time, severity, state, count, kind and title of an alert as the API tells it.
fn cells(alert: &Value) -> Vec<String> {
    let member = |name: &str| text::plain(alert[name].as_str().unwrap_or_default());
    let raised: String = member("created_at").chars().take(19).collect();
    vec![
        format!("{}Z", raised.replace('T', " ")),
        member("severity"),
        member("state"),
        alert["occurrences"].to_string(),
        member("kind"),
        member("title"),
    ]
}

async fn settle(
    global: &GlobalArguments,
    client: &Client,
    action: &str,
    wish: Value,
    done: &str,
) -> Result<()> {
    let (_, settled) = client.post(&format!("alerts/{action}"), &[], Body::Json(wish)).await?;
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{settled:#}")?;
        return Ok(());
    }
    let count = settled["count"].as_u64().unwrap_or(0);
    writeln!(out, "{} {done}", text::counted(count, "alert", "alerts"))?;
    Ok(())
}
