//! An export in a file.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use chancery_event::{Event, PersonalPart, SaltedPart};
use chancery_seal::Verifier;
use chancery_seal::export::{ExportError, LINE_MAX, Line, Proof, Reader};

use super::report::{Fault, Report};
use super::trust::{Key, KeySource};
use crate::command::progress;

/// What the lines of an export beside its bytes showed.
#[derive(Default)]
struct Seen {
    unchecked: u64,
    without: u64,
}

/// Verifies the export in `path`; with `from` and `to`, that it also reaches so far.
pub(super) async fn verify(
    path: &Path,
    given: Option<Key>,
    from: Option<u64>,
    to: Option<u64>,
) -> Result<Report> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || read(&path, given, from, to))
        .await
        .context("the verification ended early")?
}

fn read(path: &Path, given: Option<Key>, from: Option<u64>, to: Option<u64>) -> Result<Report> {
    let started = Instant::now();
    let place = || format!("cannot read the export {}", path.display());
    let file = File::open(path).with_context(place)?;
    let reader = match Reader::open(lines(BufReader::new(file))) {
        Ok(reader) => reader,
        Err(ExportError::Source(error)) => return Err(error).with_context(place),
        Err(error) => {
            return Err(anyhow::Error::new(error))
                .with_context(|| format!("{} is no export that can be verified", path.display()));
        }
    };
    let header = reader.header();
    let key = match (given, &header.key) {
        (Some(key), _) => key,
        (None, Some(key)) => {
            let verifier: Verifier = key.parse().context("the key in the export is none")?;
            Key::new(vec![verifier], KeySource::Export)
        }
        (None, None) => anyhow::bail!("the export names no key: give that of the log with --key"),
    };
    let mut report = Report::new(path.display().to_string(), &key);
    warn(&mut report, header);
    let total = match (&header.proof, header.first, header.last) {
        (Proof::Range(proof), ..) => proof.end.saturating_sub(proof.start),
        _ => 0,
    };
    report.range = check_range(header, from, to)?;
    let bar = progress::entries(total, "verifying");
    let mut seen = Seen::default();
    let verified =
        reader.verify(&key.trust, |line| content(line, &mut seen), |done| bar.set_position(done));
    bar.finish_and_clear();
    match verified {
        Ok(verified) => {
            report.take_checkpoint(&verified.opened.checkpoint);
            report.entries = verified.events;
            report.erased = Some(seen.without);
            if seen.unchecked > 0 {
                report.warnings.push(format!(
                    "the personal parts of {} events are shown without their salt: they were not \
                     compared with their commitments",
                    seen.unchecked
                ));
            }
        }
        Err(ExportError::Source(error)) => return Err(error).with_context(place),
        Err(error) => report.fault = Some(Fault::new(error.index(), error)),
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

fn warn(report: &mut Report, header: &chancery_seal::export::Header) {
    if let (Some(filter), Proof::Each) = (&header.filter, &header.proof) {
        report.warnings.push(format!(
            "the export is a selection ({filter}): each event is proven to be in the log; that \
             there are no others is not"
        ));
    }
}

/// The range asked for, if the export can hold it.
fn check_range(
    header: &chancery_seal::export::Header,
    from: Option<u64>,
    to: Option<u64>,
) -> Result<Option<std::ops::Range<u64>>> {
    let Proof::Range(proof) = &header.proof else {
        ensure!(
            from.is_none() && to.is_none(),
            "the export is a selection: it cannot be held against --from and --to"
        );
        return Ok(None);
    };
    let start = from.unwrap_or(proof.start);
    let end = to.map_or(proof.end, |to| to.saturating_add(1));
    ensure!(
        proof.start <= start && start <= end && end <= proof.end,
        "the export holds the entries {} to {}: the range asked for is not within it",
        proof.start,
        proof.end.saturating_sub(1)
    );
    Ok(Some(proof.start..proof.end))
}

/// Lines of bounded length, without their newlines.
fn lines(mut reader: BufReader<File>) -> impl Iterator<Item = std::io::Result<String>> {
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        let limit = LINE_MAX as u64 + 2;
        match reader.by_ref().take(limit).read_until(b'\n', &mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => return Some(Err(error)),
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        // What is no UTF-8 is no JSON either, and is refused as such with its line number.
        Some(Ok(String::from_utf8_lossy(&line).into_owned()))
    })
}

/// Holds the event that is shown against the sealed one.
fn content(line: &Line, seen: &mut Seen) -> Result<(), String> {
    let told = |error: &dyn Fn() -> anyhow::Error| format!("{:#}", error());
    let sealed = Event::open(line.entry.as_bytes(), None)
        .map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
    if line.event.is_null() {
        return Ok(());
    }
    let mut shown = Event::from_json(&line.event)
        .map_err(|error| format!("the event shown: {:#}", anyhow::Error::new(error)))?;
    match (&shown.personal, &sealed.personal) {
        (PersonalPart::Clear(_), PersonalPart::Committed(commitment)) => {
            match line.salt_bytes() {
                Some(salt) => {
                    let entry =
                        shown.entry(salt).map_err(|e| told(&|| anyhow::Error::new(e.clone())))?;
                    let part = entry.personal.as_ref().map(SaltedPart::commitment);
                    if part.as_ref() != Some(commitment) {
                        return Err("the personal part is not the one committed to".to_owned());
                    }
                }
                None => seen.unchecked += 1,
            }
            shown.personal = sealed.personal.clone();
        }
        (PersonalPart::None | PersonalPart::Committed(_), PersonalPart::Committed(_)) => {
            seen.without += 1;
            shown.personal = sealed.personal.clone();
        }
        _ => {}
    }
    if shown == sealed { Ok(()) } else { Err("the event shown is not the sealed one".to_owned()) }
}
