//! `chancery certificates`: the inventory of a server, over its API.

mod import;
mod upload;
mod walk;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::text::{self, plain};
use crate::cli::GlobalArguments;
use crate::cli::certificates::{CertificateListArguments, CertificatesCommand};
use crate::client::{Body, Client};

/// Runs the command; status 1 when a certificate was refused.
///
/// # Errors
/// The server was not reached or refused, or standard output cannot be written.
pub async fn run(global: &GlobalArguments, command: CertificatesCommand) -> Result<ExitCode> {
    match command {
        CertificatesCommand::Upload(arguments) => {
            return upload::run(global, &Client::new(global)?, arguments).await;
        }
        CertificatesCommand::Import(arguments) => return import::run(global, arguments).await,
        CertificatesCommand::List(arguments) => {
            list(global, &Client::new(global)?, arguments).await?;
        }
        CertificatesCommand::Show(arguments) => {
            show(global, &Client::new(global)?, &arguments.certificate, arguments.pem).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(
    global: &GlobalArguments,
    client: &Client,
    arguments: CertificateListArguments,
) -> Result<()> {
    let query = [("filter", arguments.filter), ("sort", "expires".to_owned())];
    let items = client.list("certificates", &query, arguments.limit).await?;
    let mut out = crate::terminal::out();
    if global.json {
        writeln!(out, "{:#}", Value::Array(items))?;
        return Ok(());
    }
    let cell = |item: &Value, name: &str| item[name].as_str().unwrap_or("—").to_owned();
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            vec![
                cell(item, "id"),
                cell(item, "not_after").chars().take(10).collect(),
                cell(item, "status"),
                cell(item, "path"),
                cell(item, "subject"),
            ]
        })
        .collect();
    text::table(&mut out, &["ID", "UNTIL", "STATUS", "PATH", "SUBJECT"], &rows)?;
    if items.len() as u64 == arguments.limit {
        errln!("There may be more: --limit {}", arguments.limit.saturating_mul(10));
    }
    Ok(())
}

async fn show(global: &GlobalArguments, client: &Client, wanted: &str, pem: bool) -> Result<()> {
    let id = identify(client, wanted.trim()).await?;
    if pem {
        let path = format!("certificates/{id}/pem");
        let response = client.send(reqwest::Method::GET, &path, &[], Body::None, &[]).await?;
        let pem = response.text().await.context("the answer broke off")?;
        outln!("{}", pem.trim_end())?;
        return Ok(());
    }
    let document = client.get(&format!("certificates/{id}"), &[]).await?;
    if global.json {
        outln!("{document:#}")?;
        return Ok(());
    }
    let mut out = crate::terminal::out();
    print_certificate(&mut out, &document)?;
    let query = [("limit", "5".to_owned())];
    let events = client.get(&format!("certificates/{id}/events"), &query).await;
    // Who may see the certificate may not see events.
    let events = events.ok().and_then(|page| page["items"].as_array().cloned());
    let events = events.unwrap_or_default();
    if !events.is_empty() {
        writeln!(out, "\nLatest events:")?;
        for event in events {
            let member = |at: &str| event.pointer(at).and_then(Value::as_str).unwrap_or_default();
            let time: String = member("/event/time").chars().take(19).collect();
            writeln!(out, "  {}Z  {}", time.replace('T', " "), plain(member("/sentence")))?;
        }
    }
    Ok(())
}

/// The id of the one certificate whose id or fingerprint begins like this.
async fn identify(client: &Client, wanted: &str) -> Result<String> {
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    if wanted.parse::<chancery_event::id::CertificateId>().is_ok() {
        return Ok(wanted.to_owned());
    }
    let fingerprint = wanted.replace(':', "").to_ascii_lowercase();
    ensure!(
        is_hex(&fingerprint),
        "{wanted} is neither the id nor the SHA-256 fingerprint of a certificate"
    );
    let filter = format!("fingerprint:{fingerprint}*");
    let found = client.list("certificates", &[("filter", filter)], 2).await?;
    match found.as_slice() {
        [one] => Ok(one["id"].as_str().unwrap_or_default().to_owned()),
        [] => bail!("no certificate has a fingerprint that begins with {fingerprint}"),
        _ => bail!("several certificates have a fingerprint that begins with {fingerprint}"),
    }
}

fn print_certificate(out: &mut dyn std::io::Write, document: &Value) -> Result<()> {
    let text = |name: &str| document[name].as_str().map(plain);
    writeln!(out, "{}", text("subject").unwrap_or_default())?;
    let mut row = |name: &str, value: Option<String>| match value.filter(|v| !v.is_empty()) {
        Some(value) => writeln!(out, "  {name:14}{value}"),
        None => Ok(()),
    };
    row("id", text("id"))?;
    row("issuer", text("issuer"))?;
    row("serial", text("serial"))?;
    row("SHA-256", text("fingerprint_sha256"))?;
    row("from", text("not_before"))?;
    row("until", text("not_after"))?;
    row("status", text("status"))?;
    row("because", text("status_reason"))?;
    let size = document["key_size"].as_u64().filter(|size| *size > 0);
    let size = size.map(|size| format!(", {size} bits")).unwrap_or_default();
    row("key", text("key_algorithm").map(|key| format!("{key}{size}")))?;
    row("signature", text("signature_algorithm"))?;
    row("names", Some(joined(&document["names"], "value")))?;
    row("path", text("path"))?;
    row("owner", document["owner"]["name"].as_str().map(plain))?;
    row("groups", Some(joined(&document["groups"], "name")))?;
    row("RA profile", document["ra_profile"]["name"].as_str().map(plain))?;
    row("chain", Some(joined(&document["chain"], "subject")))?;
    row("replaced by", text("replaced_by"))?;
    Ok(())
}

/// One member of each item, or the items themselves where they are texts.
fn joined(items: &Value, name: &str) -> String {
    let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = items.iter().filter_map(|item| item.as_str().or_else(|| item[name].as_str()));
    texts.map(plain).collect::<Vec<_>>().join(", ")
}
