//! `chancery certificates`: the inventory of a server, over its API.

mod import;
mod walk;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::text::{self, counted, plain};
use crate::cli::GlobalArguments;
use crate::cli::certificates::{CertificateListArguments, CertificatesCommand, UploadArguments};
use crate::client::{self, Body, Client};

/// Largest file that is uploaded.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Runs the command; status 1 when a certificate was refused.
///
/// # Errors
/// The server was not reached or refused, or a file cannot be read.
pub async fn run(global: &GlobalArguments, command: CertificatesCommand) -> Result<ExitCode> {
    match command {
        CertificatesCommand::Upload(arguments) => {
            return upload(global, &Client::new(global)?, arguments).await;
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

/// What became of one certificate.
struct Item {
    subject: Option<String>,
    id: Option<String>,
    problem: Option<String>,
}

impl Item {
    /// The items in the answer to an upload.
    fn all(status: StatusCode, answer: &Value) -> Vec<Self> {
        let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
        if status == StatusCode::CREATED {
            let subject = text(answer, "subject");
            return vec![Self { subject, id: text(answer, "id"), problem: None }];
        }
        let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        items
            .iter()
            .map(|item| Self {
                subject: text(item, "subject"),
                id: text(item, "id"),
                problem: client::told(&item["problem"]),
            })
            .collect()
    }
}

async fn upload(
    global: &GlobalArguments,
    client: &Client,
    arguments: UploadArguments,
) -> Result<ExitCode> {
    let password = arguments.password_file.as_deref().map(password).transpose()?;
    let (mut documents, mut accepted, mut refused) = (Vec::new(), 0_u64, 0_u64);
    for file in &arguments.files {
        let bytes = read(file)?;
        let mut body = json!({ "certificate": STANDARD.encode(&bytes) });
        if let Some(password) = &password {
            body["password"] = json!(password);
        }
        if let Some(path) = &arguments.path {
            body["path"] = json!(path);
        }
        let name = file.display().to_string();
        let items = match client.post("certificates", &[], Body::Json(body)).await {
            Ok((status, answer)) => Item::all(status, &answer),
            // One file may be wrong and the next right; without a server there is no next one.
            Err(error) if arguments.files.len() > 1 && is_refusal(&error) => {
                vec![Item { subject: None, id: None, problem: Some(format!("{error:#}")) }]
            }
            Err(error) => return Err(error.context(name)),
        };
        for item in items {
            let Item { subject, id, problem } = item;
            accepted += u64::from(id.is_some());
            refused += u64::from(id.is_none());
            if global.json {
                documents.push(json!({
                    "file": name, "subject": subject, "id": id, "problem": problem,
                }));
                continue;
            }
            let subject = plain(subject.as_deref().unwrap_or("?"));
            match (id, problem) {
                (Some(id), _) => println!("{name}: {subject}: {id}"),
                (None, problem) => {
                    let problem = problem.unwrap_or_else(|| "refused".to_owned());
                    eprintln!("{name}: {subject}: {problem}");
                }
            }
        }
    }
    if global.json {
        let document = json!({ "accepted": accepted, "refused": refused, "items": documents });
        println!("{document:#}");
    } else if accepted + refused > 1 {
        let total = counted(accepted, "certificate", "certificates");
        println!("{total} uploaded, {} refused.", text::number(refused));
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_refusal(error: &anyhow::Error) -> bool {
    error.to_string().starts_with("the server refused")
}

fn password(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the password file {}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The bytes of a file, or of standard input for `-`.
fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = FILE_BYTES_MAX + 1;
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(
        bytes.len() as u64 <= FILE_BYTES_MAX,
        "{} is larger than {FILE_BYTES_MAX} bytes",
        path.display()
    );
    Ok(bytes)
}

async fn list(
    global: &GlobalArguments,
    client: &Client,
    arguments: CertificateListArguments,
) -> Result<()> {
    let query = [("filter", arguments.filter), ("sort", "expires".to_owned())];
    let items = client.list("certificates", &query, arguments.limit).await?;
    let mut out = std::io::stdout().lock();
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
        eprintln!("There may be more: --limit {}", arguments.limit.saturating_mul(10));
    }
    Ok(())
}

async fn show(global: &GlobalArguments, client: &Client, wanted: &str, pem: bool) -> Result<()> {
    let id = identify(client, wanted.trim()).await?;
    if pem {
        let path = format!("certificates/{id}/pem");
        let response = client.send(reqwest::Method::GET, &path, &[], Body::None, &[]).await?;
        print!("{}", response.text().await.context("the answer broke off")?);
        return Ok(());
    }
    let document = client.get(&format!("certificates/{id}"), &[]).await?;
    if global.json {
        println!("{document:#}");
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
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
