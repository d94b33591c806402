//! `chancery certificates import`: every certificate under a directory.
//!
//! Files are read and taken apart here; only certificates leave the machine, never a private key
//! beside them. Large imports become jobs of the server, so that nothing is lost when the
//! connection breaks.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chancery_pki::container::{self, ContainerError};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::upload::{self, Item};
use super::walk::{self, Found};
use crate::cli::GlobalArguments;
use crate::cli::certificates::ImportArguments;
use crate::client::{Body, Client};
use crate::command::progress;
use crate::command::text::{counted, number, plain};

/// Largest file that is looked into: none with certificates is larger.
const FILE_BYTES_MAX: u64 = container::INPUT_BYTES_MAX as u64;
/// Largest request.
const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Certificates in one request at most.
const REQUEST_CERTIFICATES_MAX: usize = 1_000;
/// From so many certificates on, the server works them off as a job.
const ASYNC_FROM: usize = 50;
/// Between two looks at a job.
const POLL: Duration = Duration::from_millis(300);
/// Reasons for refusals that are shown.
const SHOWN_MAX: usize = 10;

/// What the files below a directory hold.
#[derive(Default)]
struct Harvest {
    files: u64,
    without: u64,
    /// What the walk passed over.
    found: Found,
    /// Files with a private key.
    keys: Vec<String>,
    locked: u64,
    broken: Vec<Broken>,
    repeated: u64,
    certificates: Vec<String>,
    seen: HashSet<Vec<u8>>,
}

/// A certificate, or a whole file, that cannot be read.
struct Broken {
    file: String,
    /// Which certificate of the file, from 0; `None`: the file itself.
    position: Option<usize>,
    reason: String,
}

/// What the server did with them.
#[derive(Default)]
struct Outcome {
    accepted: u64,
    known: u64,
    refused: BTreeMap<String, u64>,
    jobs: Vec<String>,
}

/// Runs the command; status 1 when the server refused a certificate that it does not have already.
pub(super) async fn run(global: &GlobalArguments, arguments: ImportArguments) -> Result<ExitCode> {
    let harvest = {
        let arguments = arguments.clone();
        tokio::task::spawn_blocking(move || gather(&arguments)).await.context("reading ended")??
    };
    let result = if arguments.dry_run || harvest.certificates.is_empty() {
        Outcome::default()
    } else {
        send(&Client::new(global)?, &arguments, &harvest).await?
    };
    if global.json {
        outln!("{:#}", document(&arguments, &harvest, &result))?;
    } else {
        print(&arguments, &harvest, &result)?;
    }
    Ok(if result.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn gather(arguments: &ImportArguments) -> Result<Harvest> {
    let mut found = walk::files(&arguments.directory, FILE_BYTES_MAX)?;
    let files = std::mem::take(&mut found.files);
    let mut harvest = Harvest { found, ..Harvest::default() };
    let bar = progress::entries(files.len() as u64, "reading");
    for path in files {
        bar.inc(1);
        harvest.files += 1;
        match std::fs::read(&path) {
            Ok(bytes) => harvest.take(&path, &bytes),
            Err(error) => harvest.found.unreadable.push(format!("{}: {error}", path.display())),
        }
    }
    bar.finish_and_clear();
    Ok(harvest)
}

impl Harvest {
    fn take(&mut self, path: &Path, bytes: &[u8]) {
        let broken = |position, reason: String| Broken {
            file: path.display().to_string(),
            position,
            reason: plain(&reason),
        };
        match container::read(bytes, None) {
            Ok(found) => {
                for found in found {
                    let certificate = match found.result {
                        Ok(certificate) => certificate,
                        Err(reason) => {
                            self.broken.push(broken(Some(found.index), reason.to_string()));
                            continue;
                        }
                    };
                    if self.seen.insert(certificate.der().to_vec()) {
                        self.certificates.push(certificate.to_pem());
                    } else {
                        self.repeated += 1;
                    }
                }
            }
            Err(ContainerError::PrivateKey { .. }) => self.keys.push(path.display().to_string()),
            Err(ContainerError::PasswordMissing | ContainerError::PasswordWrong) => {
                self.locked += 1;
            }
            Err(
                ContainerError::Empty
                | ContainerError::NotACertificate { .. }
                | ContainerError::UnknownFormat { .. }
                | ContainerError::NoCertificates,
            ) => self.without += 1,
            Err(ContainerError::Broken { index, reason }) => {
                self.broken.push(broken(Some(index), reason.to_string()));
            }
            Err(error) => self.broken.push(broken(None, error.to_string())),
        }
    }
}

/// PEM in requests of bounded size.
fn requests(certificates: &[String]) -> Vec<(usize, String)> {
    let mut requests: Vec<(usize, String)> = Vec::new();
    for pem in certificates {
        match requests.last_mut() {
            Some((count, body))
                if *count < REQUEST_CERTIFICATES_MAX
                    && body.len() + pem.len() <= REQUEST_BYTES_MAX =>
            {
                *count += 1;
                body.push_str(pem);
            }
            _ => requests.push((1, pem.clone())),
        }
    }
    requests
}

async fn send(client: &Client, arguments: &ImportArguments, harvest: &Harvest) -> Result<Outcome> {
    let total = harvest.certificates.len();
    let bar = progress::entries(total as u64, "uploading");
    let is_async = arguments.asynchronous || total >= ASYNC_FROM;
    let query = [("mode", if is_async { "async" } else { "sync" }.to_owned())];
    let wish = upload::placement(&arguments.placement)?;
    let mut result = Outcome::default();
    for (count, body) in requests(&harvest.certificates) {
        let mut wish = wish.clone();
        wish["certificate"] = Value::String(body);
        let sent = client.post("certificates", &query, Body::Json(wish)).await;
        match sent {
            Ok((StatusCode::ACCEPTED, answer)) => {
                let job = answer["job"].as_str().unwrap_or_default().to_owned();
                if !arguments.asynchronous {
                    result.wait(client, &job).await?;
                }
                result.jobs.push(job);
            }
            Ok((status, answer)) => {
                Item::all(status, &answer).into_iter().for_each(|item| result.take(item));
            }
            // One certificate, or several of one fate, are answered with that.
            Err(error) => {
                let items = Item::refused(error)?;
                if items.len() != count {
                    let problem = items.into_iter().find_map(|item| item.problem);
                    bail!("{}", problem.unwrap_or_else(|| "no reason given".to_owned()));
                }
                items.into_iter().for_each(|item| result.take(item));
            }
        }
        bar.inc(count as u64);
    }
    bar.finish_and_clear();
    Ok(result)
}

impl Outcome {
    fn take(&mut self, item: Item) {
        if item.id.is_some() {
            self.accepted += 1;
            return;
        }
        let problem = item.problem.unwrap_or_else(|| "no reason given".to_owned());
        if item.existing.is_some() {
            self.known += 1;
        } else {
            *self.refused.entry(problem).or_default() += 1;
        }
    }

    /// Waits until a job has ended, and counts what it did.
    async fn wait(&mut self, client: &Client, job: &str) -> Result<()> {
        loop {
            let document = client.get(&format!("jobs/{job}"), &[]).await?;
            if self.take_job(job, &document) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Counts what a job did; false while it is still at work.
    fn take_job(&mut self, job: &str, document: &Value) -> bool {
        match document["state"].as_str() {
            Some("queued" | "running") => return false,
            Some("success") => {}
            state => {
                let state = state.unwrap_or("in an unknown state");
                let error = document["error"].as_str().unwrap_or("it gives no reason");
                let reason = plain(&format!("the job {job} is {state}: {error}"));
                *self.refused.entry(reason).or_default() += 1;
                return true;
            }
        }
        let count = |name: &str| document["result"][name].as_u64().unwrap_or(0);
        self.accepted += count("added");
        self.known += count("duplicates");
        let refused = count("invalid") + count("ignored");
        let items = document["result"]["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let told =
            items.iter().filter(|item| !matches!(item["error"].as_str(), None | Some("duplicate")));
        let mut named = 0;
        for item in told {
            let reason = item["message"].as_str().unwrap_or("no reason given");
            *self.refused.entry(plain(reason)).or_default() += 1;
            named += 1;
        }
        if refused > named {
            *self.refused.entry(format!("see the job {job}")).or_default() += refused - named;
        }
        true
    }
}

fn document(arguments: &ImportArguments, harvest: &Harvest, result: &Outcome) -> Value {
    json!({
        "directory": arguments.directory.display().to_string(),
        "dry_run": arguments.dry_run,
        "files": harvest.files,
        "files_without_certificates": harvest.without,
        "files_too_large": harvest.found.large.len(),
        "too_large": harvest.found.large,
        "files_with_private_keys": harvest.keys.len(),
        "with_private_keys": harvest.keys,
        "files_empty": harvest.found.empty,
        "files_of_another_name": harvest.found.again,
        "directories_too_deep": harvest.found.deep,
        "files_with_passwords": harvest.locked,
        "broken": harvest.broken.len(),
        "broken_certificates": harvest.broken.iter().map(|broken| json!({
            "file": broken.file, "position": broken.position, "reason": broken.reason,
        })).collect::<Vec<_>>(),
        "repeated": harvest.repeated,
        "unreadable": harvest.found.unreadable,
        "certificates": harvest.certificates.len(),
        "accepted": result.accepted,
        "already_known": result.known,
        "refused": result.refused.values().sum::<u64>(),
        "reasons": result.refused,
        "jobs": result.jobs,
    })
}

fn print(arguments: &ImportArguments, harvest: &Harvest, result: &Outcome) -> std::io::Result<()> {
    let certificates = harvest.certificates.len() as u64;
    outln!(
        "{} in {}: {}.",
        counted(harvest.files, "file", "files"),
        arguments.directory.display(),
        counted(certificates, "certificate", "certificates")
    )?;
    let found = &harvest.found;
    let large = format!("larger than {} MiB", FILE_BYTES_MAX / (1024 * 1024));
    let passed_over = [
        (harvest.without, "without a certificate"),
        (harvest.keys.len() as u64, "with a private key, passed over whole"),
        (harvest.locked, "behind a password: upload them with --password-file"),
        (found.large.len() as u64, &large),
        (found.empty, "without a byte"),
        (found.again, "under another name as well, looked at once"),
    ];
    for (count, what) in passed_over.into_iter().filter(|(count, _)| *count > 0) {
        outln!("  {} {what}", counted(count, "file", "files"))?;
    }
    if !found.deep.is_empty() {
        let deep = counted(found.deep.len() as u64, "directory", "directories");
        outln!("  {deep} too deep to be looked into")?;
    }
    if harvest.repeated > 0 {
        outln!("  {} there more than once", counted(harvest.repeated, "copy", "copies"))?;
    }
    if !harvest.broken.is_empty() {
        let broken = counted(harvest.broken.len() as u64, "certificate", "certificates");
        outln!("  {broken} that cannot be read")?;
    }
    for Broken { file, position, reason } in harvest.broken.iter().take(SHOWN_MAX) {
        let which = position.map(|at| format!(", certificate {}", at + 1)).unwrap_or_default();
        errln!("cannot read {}{which}: {reason}", plain(file));
    }
    tell_passed_over(harvest);
    if arguments.dry_run {
        return outln!("Nothing was uploaded.");
    }
    if arguments.asynchronous && !result.jobs.is_empty() {
        return outln!("Queued as {}.", result.jobs.join(", "));
    }
    let refused: u64 = result.refused.values().sum();
    outln!(
        "{} uploaded, {} known already, {} refused.",
        number(result.accepted),
        number(result.known),
        number(refused)
    )?;
    for (reason, count) in result.refused.iter().take(SHOWN_MAX) {
        errln!("refused {}: {reason}", number(*count));
    }
    Ok(())
}

/// Names what was passed over and may hold what somebody looks for.
fn tell_passed_over(harvest: &Harvest) {
    let found = &harvest.found;
    for path in found.unreadable.iter().take(SHOWN_MAX) {
        errln!("cannot read {}", plain(path));
    }
    let named = [
        (&harvest.keys, "it holds a private key"),
        (&found.large, "it is too large"),
        (&found.deep, "it is too deep"),
    ];
    for (paths, why) in named {
        for path in paths.iter().take(SHOWN_MAX) {
            errln!("passed over {}: {why}", plain(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_bounded() {
        let one = "x".repeat(REQUEST_BYTES_MAX / 3);
        let sizes = |certificates: &[String]| -> Vec<usize> {
            requests(certificates).iter().map(|(count, _)| *count).collect()
        };
        assert_eq!(sizes(&vec![one; 7]), [3, 3, 1]);
        assert_eq!(sizes(&vec!["x".to_owned(); 2_001]), [1_000, 1_000, 1]);
        assert_eq!(sizes(&[]), [0_usize; 0]);
    }

    #[test]
    fn jobs_are_counted_when_they_have_ended() {
        let mut outcome = Outcome::default();
        assert!(!outcome.take_job("j", &json!({ "state": "running" })));
        let result = json!({
            "added": 5, "duplicates": 2, "invalid": 3, "ignored": 0,
            "items": [
                { "position": 0, "certificate": "c" },
                { "position": 1, "error": "duplicate", "message": "it is there already" },
                { "position": 2, "error": "invalid", "message": "broken" },
            ],
        });
        assert!(outcome.take_job("j", &json!({ "state": "success", "result": result })));
        assert_eq!((outcome.accepted, outcome.known), (5, 2));
        let reasons = BTreeMap::from([("broken".to_owned(), 1), ("see the job j".to_owned(), 2)]);
        assert_eq!(outcome.refused, reasons);
        assert!(outcome.take_job("k", &json!({ "state": "failed", "error": "no" })));
        assert_eq!(outcome.refused["the job k is failed: no"], 1);
    }

    #[test]
    fn files_are_taken_apart() {
        let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let mut harvest = Harvest::default();
        let mut take = |name: &str, bytes: &[u8]| harvest.take(Path::new(name), bytes);
        take("a.pem", pem.as_bytes());
        take("a.der", made.cert.der());
        take("a.key", key.as_bytes());
        take("readme", b"hello");
        take("short.der", &made.cert.der()[..40]);
        take(
            "short.p7b",
            &[&b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"[..], &[0xa0]].concat(),
        );
        assert_eq!(harvest.certificates.len(), 1);
        assert_eq!((harvest.repeated, harvest.without), (1, 1));
        assert_eq!(harvest.keys, ["a.key"]);
        let broken: Vec<_> =
            harvest.broken.iter().map(|one| (one.file.as_str(), one.position)).collect();
        assert_eq!(broken, [("short.der", Some(0)), ("short.p7b", None)]);
        assert!(harvest.broken.iter().all(|one| one.reason.contains("at byte")));
    }
}
