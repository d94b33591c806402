//! A single event with its C2SP tlog-proof.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use chancery_event::{Event, PersonalPart};
use chancery_seal::TlogProof;
use chancery_seal::tlog_proof::TlogProofError;
use serde_json::Value;

use super::report::{Fault, Report};
use super::trust::{self, Key};

/// Verifies the proof in `path` for the event in `entry`, or for the extra data of the proof.
pub(super) fn verify(path: &Path, entry: Option<&Path>, given: Option<Key>) -> Result<Report> {
    let started = Instant::now();
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let text = String::from_utf8(read(path)?)
        .with_context(|| format!("{} is no tlog-proof", path.display()))?;
    let proof: TlogProof =
        text.parse().with_context(|| format!("{} is no tlog-proof", path.display()))?;
    let key = match given {
        Some(key) => key,
        None => trust::of_data_dir(&crate::command::configured()?.serving.data_dir)
            .context("name the key of the log with --key")?,
    };
    let bytes = match (entry, proof.extra()) {
        (Some(entry), _) => read(entry)?,
        (None, Some(extra)) => extra.to_vec(),
        (None, None) => bail!("the proof does not carry its event: name it with --entry"),
    };
    let mut report = Report::new(path.display().to_string(), &key);
    let mut outcome = None;
    let in_clear = shows_personal_part(&bytes);
    for candidate in candidates(bytes) {
        let verified = proof.verify(&candidate, &key.trust);
        let wrong_entry = matches!(verified, Err(TlogProofError::Inclusion(_)));
        outcome = Some((verified, candidate));
        if !wrong_entry {
            break;
        }
    }
    match outcome.context("there is no event to verify")? {
        // What was sealed is a salted commitment. Without the salt nobody can tell whether this
        // text is what was committed to, so it is no fault either.
        (Err(TlogProofError::Inclusion(_)), _) if in_clear => bail!(
            "the event is shown with its personal part in clear, from which its sealed bytes \
             cannot be made: fetch them from /api/v1/events/{}/entry and name that file with \
             --entry",
            proof.index()
        ),
        (Ok(opened), entry) => {
            report.take_checkpoint(&opened.checkpoint);
            report.range = Some(proof.index()..proof.index().saturating_add(1));
            report.entries = 1;
            if let Err(error) = Event::open(&entry, None) {
                report.fault = Some(Fault::new(Some(proof.index()), error));
            }
        }
        (Err(error), _) => report.fault = Some(Fault::new(Some(proof.index()), error)),
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

/// Whether it is the JSON of an event as those see it who may see personal data.
fn shows_personal_part(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return false };
    let event = Event::from_json(value.get("event").unwrap_or(&value));
    event.is_ok_and(|event| matches!(event.personal, PersonalPart::Clear(_)))
}

/// What could be meant by a file with an event: its sealed bytes as they are or with a newline
/// behind them, a line of an export, or the JSON of the event, from which the bytes are made.
fn candidates(bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_slice::<Value>(&bytes) {
        if let Some(entry) = value.get("entry").and_then(Value::as_str) {
            found.push(entry.as_bytes().to_vec());
        }
        let event = value.get("event").unwrap_or(&value);
        if let Ok(event) = Event::from_json(event)
            // A personal part in clear has no commitment without its salt.
            && !matches!(event.personal, PersonalPart::Clear(_))
            && let Ok(entry) = event.entry([0; 32])
        {
            found.push(entry.bytes);
        }
    }
    if let Some(line) = bytes.strip_suffix(b"\n") {
        found.insert(0, line.to_vec());
    }
    found.insert(0, bytes);
    found
}
