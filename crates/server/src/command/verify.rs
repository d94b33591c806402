//! `chancery verify`: a log, a range of it, an export or a single proof.
//!
//! Read in this order: `source` (bytes from somewhere, fetched ahead), `data_dir` and `remote`
//! (where from), `published` (what else is known of the log), `export` and `proof` (files), `trust`
//! (whose key), `report` (what is told).
//!
//! What holds and what does not is decided in `chancery_seal` and `chancery_event` alone; here it
//! is fetched, compared with what surrounds the bytes, and told. Nothing is ever repaired.

mod content;
mod data_dir;
mod export;
mod proof;
mod published;
mod remote;
mod report;
mod source;
mod trust;

use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use chancery_engine::archive::{Archive, Directory};
use chancery_seal::verify::VerifyError;
use chancery_seal::{Checkpoint, Note, verify};

use crate::cli::GlobalArguments;
use crate::cli::verify::VerifyArguments;
use crate::command::progress;
use crate::terminal::is_nobody_reading;
use report::{Fault, Report};
use source::Ahead;

pub(crate) use data_dir::DataDir;
pub(crate) use source::Fetch;
pub(crate) use trust::{Key, of_data_dir};

/// Status when it could not be looked at.
const NOT_LOOKED_AT: u8 = 2;

/// Runs the command; prints its own errors, because their exit status is another.
pub async fn run(global: &GlobalArguments, arguments: &VerifyArguments) -> ExitCode {
    match verify(global, arguments).await {
        Ok(report) => {
            if let Err(error) = report.print(global.json).map_err(anyhow::Error::from)
                && !is_nobody_reading(&error)
            {
                errln!("error: {error:#}");
                return ExitCode::from(NOT_LOOKED_AT);
            }
            if report.fault.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            errln!("error: {error:#}");
            ExitCode::from(NOT_LOOKED_AT)
        }
    }
}

async fn verify(global: &GlobalArguments, arguments: &VerifyArguments) -> Result<Report> {
    if let (Some(from), Some(to)) = (arguments.from, arguments.to) {
        ensure!(from <= to, "--from {from} is behind --to {to}");
    }
    let given = trust::given(&arguments.key)?;
    if let Some(file) = &arguments.proof {
        return proof::verify(file, arguments.entry.as_deref(), given);
    }
    if let Some(file) = &arguments.export {
        return export::verify(file, given, arguments.from, arguments.to).await;
    }
    if let Some(url) = &arguments.url {
        let remote = remote::Remote::new(global, url)?;
        let key = match given {
            Some(key) => key,
            None => remote.key().await?,
        };
        let mut report = log(remote, key.clone(), arguments.from, arguments.to).await?;
        if let Some(file) = &arguments.published {
            let remote = remote::Remote::new(global, url)?;
            published::compare(file, &remote, &key, &mut report).await?;
        }
        return Ok(report);
    }
    in_database(arguments, given).await
}

/// Verifies the log of a data directory, or that of a database on a server.
async fn in_database(arguments: &VerifyArguments, given: Option<Key>) -> Result<Report> {
    let (data_dir, database, archive) = match &arguments.data_dir {
        Some(data_dir) => (data_dir.clone(), None, None),
        None => {
            let config = super::configured()?;
            let data_dir = config.serving.data_dir.clone();
            let (archive, _) = super::serve::archive(&config, &data_dir)?;
            (data_dir, config.serving.database.url(), Some(archive))
        }
    };
    let archive = arguments.archive.as_deref().map(directory).or(archive);
    let key = match given {
        Some(key) => key,
        None => trust::of_data_dir(&data_dir)?,
    };
    let open = async || match database.clone() {
        Some(url) => DataDir::on_server(url).await,
        None => DataDir::open(&data_dir).await,
    };
    let stored = open().await?;
    let stored = match archive {
        Some(archive) => stored.with_archive(archive),
        None => stored,
    };
    let mut report = log(stored, key.clone(), arguments.from, arguments.to).await?;
    let stored = open().await?;
    published::compare_kept(&data_dir, &stored, &mut report).await?;
    if let Some(file) = &arguments.published {
        published::compare(file, &stored, &key, &mut report).await?;
    }
    Ok(report)
}

/// The archive in a directory that was named.
pub(crate) fn directory(path: &Path) -> Arc<dyn Archive> {
    Arc::new(Directory::new(path))
}

/// Verifies the log that `fetch` reaches, or its entries `from..=to`.
pub(crate) async fn log<F: Fetch>(
    fetch: F,
    key: Key,
    from: Option<u64>,
    to: Option<u64>,
) -> Result<Report> {
    let started = Instant::now();
    let mut report = Report::new(fetch.name(), &key);
    let note = fetch.checkpoint().await?;
    let size = note.as_deref().map_or(0, stated_size);
    let range = range(from, to, size)?;
    let whole = from.is_none() && to.is_none();
    if !whole {
        report.range = Some(range.clone());
    }
    let bar = progress::entries(range.end - range.start, "verifying");
    let ahead = Ahead::start(fetch, note, range.clone(), size);
    let trust = key.trust.clone();
    let told = bar.clone();
    let (outcome, ahead) = tokio::task::spawn_blocking(move || {
        let progress = |done| told.set_position(done);
        let outcome = if whole {
            verify::verify_log(&ahead, &trust, progress)
        } else {
            verify::verify_range(&ahead, &trust, range, progress)
        };
        (outcome, ahead)
    })
    .await
    .context("the verification ended early")?;
    bar.finish_and_clear();
    let seen = ahead.finish().await?;
    report.erased = Some(seen.erased);
    report.entries = seen.entries;
    let of_log = match outcome {
        Ok(opened) => {
            report.take_checkpoint(&opened.checkpoint);
            None
        }
        Err(VerifyError::Fault(fault)) => Some(Fault::of_log(&fault)),
        Err(VerifyError::Source(error)) => return Err(error),
    };
    report.fault = Fault::first(of_log, &seen.findings);
    report.elapsed = started.elapsed();
    Ok(report)
}

/// The size that a checkpoint states, trusted or not: only for knowing what to fetch ahead.
fn stated_size(note: &[u8]) -> u64 {
    let checkpoint = Note::parse(note).ok().and_then(|note| note.text().parse::<Checkpoint>().ok());
    checkpoint.map_or(0, |checkpoint| checkpoint.size())
}

/// The entries to look at, as a half-open range.
fn range(from: Option<u64>, to: Option<u64>, size: u64) -> Result<Range<u64>> {
    let start = from.unwrap_or(0);
    let end = to.map_or(size, |to| to.saturating_add(1));
    if from.is_some() || to.is_some() {
        if size == 0 {
            bail!("the log has no signed entries: there is no range to verify");
        }
        ensure!(
            start < size && end <= size,
            "the log has the signed entries 0 to {}: the range is not within it",
            size - 1
        );
    }
    Ok(start..end)
}
