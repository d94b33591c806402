//! `chancery certificates upload`: files, one after the other.
//!
//! One file may be wrong and the next right, so each has its own outcome, also one that cannot be
//! read. Without a server there is no next one; what was done until then is told all the same.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Error, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::cli::GlobalArguments;
use crate::cli::certificates::{PlacementArguments, UploadArguments};
use crate::client::{self, Body, Client, Refusal};
use crate::command::text::{self, counted, plain};

/// Largest file that is read. Which one is too large the server decides, whose limit can be set;
/// this protects the memory of this process.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What became of one certificate, or of a file as a whole.
#[derive(Default)]
pub(super) struct Item {
    pub(super) subject: Option<String>,
    pub(super) id: Option<String>,
    /// The job that works it off.
    pub(super) job: Option<String>,
    /// Why it did not enter, in one line.
    pub(super) problem: Option<String>,
    /// The stable word of that.
    code: Option<String>,
    status: Option<u64>,
    /// The certificate that is in the inventory already.
    pub(super) existing: Option<String>,
}

impl Item {
    /// The items in the answer to an upload.
    pub(super) fn all(status: StatusCode, answer: &Value) -> Vec<Self> {
        let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
        if let Some(items) = answer["items"].as_array() {
            let item = |item: &Value| Self {
                subject: text(item, "subject"),
                id: text(item, "id"),
                ..Self::of_problem(&item["problem"])
            };
            return items.iter().map(item).collect();
        }
        vec![match status {
            StatusCode::ACCEPTED => Self { job: text(answer, "job"), ..Self::default() },
            _ => {
                Self { subject: text(answer, "subject"), id: text(answer, "id"), ..Self::default() }
            }
        }]
    }

    /// The items of a request that was refused: it may have been refused certificate by
    /// certificate. The error itself where nobody refused anything.
    pub(super) fn refused(error: Error) -> Result<Vec<Self>> {
        let Some(refusal) = error.downcast_ref::<Refusal>() else { return Err(error) };
        if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&refusal.status) {
            // That is about the caller, and so about every file.
            return Err(error);
        }
        if refusal.problem["items"].is_array() {
            return Ok(Self::all(refusal.status, &refusal.problem));
        }
        let told = Self::of_problem(&refusal.problem);
        let problem = Some(told.problem.clone().unwrap_or_else(|| refusal.to_string()));
        let status = Some(u64::from(refusal.status.as_u16()));
        Ok(vec![Self { problem, status, ..told }])
    }

    fn of_problem(problem: &Value) -> Self {
        Self {
            problem: client::told(problem),
            code: client::code(problem).map(str::to_owned),
            status: problem["status"].as_u64(),
            existing: problem["existing"].as_str().map(str::to_owned),
            ..Self::default()
        }
    }

    fn of_file(error: &Error) -> Self {
        let code = Some("file_unreadable".to_owned());
        Self { problem: Some(plain(&format!("{error:#}"))), code, ..Self::default() }
    }

    fn document(&self, file: &str) -> Value {
        json!({
            "file": file, "subject": self.subject, "id": self.id, "job": self.job,
            "problem": self.problem, "code": self.code, "status": self.status,
            "existing": self.existing,
        })
    }
}

/// What happened so far.
#[derive(Default)]
struct Done {
    accepted: u64,
    queued: u64,
    refused: u64,
    items: Vec<Value>,
}

/// Runs the command; status 1 when something did not enter.
pub(super) async fn run(
    global: &GlobalArguments,
    client: &Client,
    arguments: UploadArguments,
) -> Result<ExitCode> {
    let password = arguments.password_file.as_deref().map(password).transpose()?;
    let mut wish = placement(&arguments.placement)?;
    if let Some(password) = password {
        wish["password"] = json!(password);
    }
    let query = [("mode", if arguments.asynchronous { "async" } else { "sync" }.to_owned())];
    let (mut done, mut broken) = (Done::default(), None);
    for file in &arguments.files {
        let name = file.display().to_string();
        let items = match read(file) {
            Err(error) => Ok(vec![Item::of_file(&error)]),
            Ok(bytes) => {
                let mut body = wish.clone();
                body["certificate"] = json!(spelt(bytes));
                match client.post("certificates", &query, Body::Json(body)).await {
                    Ok((status, answer)) => Ok(Item::all(status, &answer)),
                    Err(error) => Item::refused(error),
                }
            }
        };
        match items {
            Ok(items) => items.into_iter().try_for_each(|item| done.take(global, &name, item))?,
            Err(error) => {
                broken = Some(error.context(name));
                break;
            }
        }
    }
    done.tell(global)?;
    match broken {
        Some(error) => Err(error),
        None if done.refused == 0 => Ok(ExitCode::SUCCESS),
        None => Ok(ExitCode::FAILURE),
    }
}

impl Done {
    fn take(&mut self, global: &GlobalArguments, file: &str, item: Item) -> Result<()> {
        self.accepted += u64::from(item.id.is_some());
        self.queued += u64::from(item.job.is_some());
        self.refused += u64::from(item.id.is_none() && item.job.is_none());
        if global.json {
            self.items.push(item.document(file));
            return Ok(());
        }
        let subject = item.subject.as_deref().map(plain);
        let named = subject.map_or_else(|| file.to_owned(), |subject| format!("{file}: {subject}"));
        match (item.id, item.job) {
            (Some(id), _) => outln!("{named}: {id}")?,
            (None, Some(job)) => outln!("{named}: queued as job {job}")?,
            (None, None) => {
                let problem = item.problem.unwrap_or_else(|| "refused".to_owned());
                errln!("{named}: {problem}");
            }
        }
        Ok(())
    }

    fn tell(&self, global: &GlobalArguments) -> Result<()> {
        if global.json {
            let document = json!({
                "accepted": self.accepted, "queued": self.queued, "refused": self.refused,
                "items": self.items,
            });
            outln!("{document:#}")?;
        } else if self.accepted + self.refused > 1 {
            let total = counted(self.accepted, "certificate", "certificates");
            outln!("{total} uploaded, {} refused.", text::number(self.refused))?;
        }
        Ok(())
    }
}

/// The members of an upload that say where certificates belong.
pub(super) fn placement(arguments: &PlacementArguments) -> Result<Value> {
    let mut wish = json!({});
    let texts = [
        ("path", &arguments.path),
        ("owner", &arguments.owner),
        ("ra_profile", &arguments.ra_profile),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            wish[name] = json!(text);
        }
    }
    if !arguments.groups.is_empty() {
        wish["groups"] = json!(arguments.groups);
    }
    for attribute in &arguments.attributes {
        let (name, value) = attribute
            .split_once('=')
            .with_context(|| format!("--attribute takes NAME=VALUE, not {attribute}"))?;
        // Given several times, it is a list.
        match &mut wish["attributes"][name] {
            Value::Array(values) => values.push(json!(value)),
            given @ Value::String(_) => *given = json!([given.take(), value]),
            absent => *absent = json!(value),
        }
    }
    if arguments.trust_anchor {
        wish["trust_anchor"] = json!(true);
    }
    Ok(wish)
}

fn password(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the password file {}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The contents of a file as the interface wants them. PEM goes as it is: as base64 of base64 a
/// file that the server takes would be a body that it refuses.
fn spelt(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN") => text,
        Ok(text) => STANDARD.encode(text),
        Err(error) => STANDARD.encode(error.as_bytes()),
    }
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
    read.context("cannot read it")?;
    let mib = FILE_BYTES_MAX / (1024 * 1024);
    ensure!(bytes.len() as u64 <= FILE_BYTES_MAX, "it is larger than {mib} MiB");
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placement_is_spelt_as_the_interface_wants_it() {
        let arguments = PlacementArguments {
            path: Some("/prod".to_owned()),
            groups: vec!["web".to_owned(), "a, b".to_owned()],
            attributes: vec!["stage=prod".into(), "site=a=b".into(), "site=c".into()],
            trust_anchor: true,
            ..PlacementArguments::default()
        };
        assert_eq!(
            placement(&arguments).unwrap(),
            json!({
                "path": "/prod", "groups": ["web", "a, b"], "trust_anchor": true,
                "attributes": { "stage": "prod", "site": ["a=b", "c"] },
            })
        );
        assert_eq!(placement(&PlacementArguments::default()).unwrap(), json!({}));
        let attributes = vec!["stage".to_owned()];
        assert!(placement(&PlacementArguments { attributes, ..Default::default() }).is_err());
    }
}
