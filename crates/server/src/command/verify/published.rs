//! What the log must have beside its own checkpoint: a checkpoint that somebody kept, or that the
//! node keeps beside its keys. An older copy of a log holds by itself; only those tell.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use chancery_engine::{StartError, remembered};
use chancery_seal::proof::{consistency_proof, tiles_for_consistency, verify_consistency};
use chancery_seal::{Hash, TileId};

use super::data_dir::DataDir;
use super::report::{Fault, Report};
use super::source::Fetch;
use super::trust::Key;
use crate::command::text::{counted, number};

/// The log ends before an entry that it had.
fn cut_off(size: u64, known: u64, file: &Path) -> Fault {
    let what = format!(
        "the log ends here, and the checkpoint in {} covers {}: the last {} not there",
        file.display(),
        counted(known, "entry", "entries"),
        match known - size {
            1 => "is".to_owned(),
            lost => format!("{} are", number(lost)),
        },
    );
    Fault { index: Some(size), entries: None, what, others: 0 }
}

/// The log has other entries than it had.
fn forked(known: u64, file: &Path) -> Fault {
    let what = format!(
        "the log is not the one that published the checkpoint in {}: they differ in these entries",
        file.display()
    );
    Fault { index: None, entries: Some(0..known), what, others: 0 }
}

/// Compares a log that holds with the checkpoint in a file.
pub(super) async fn compare<F: Fetch>(
    file: &Path,
    source: &F,
    key: &Key,
    report: &mut Report,
) -> Result<()> {
    let note = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let opened = key.trust.open(&note).with_context(|| {
        format!("{} is no checkpoint of the log {}", file.display(), key.trust.origin())
    })?;
    let (known, root) = (opened.checkpoint.size(), *opened.checkpoint.root());
    if report.fault.is_some() {
        return Ok(());
    }
    let size = report.size.unwrap_or(0);
    if known > size {
        report.fault = Some(cut_off(size, known, file));
        return Ok(());
    }
    let Some(own) = &report.root else { return Ok(()) };
    let own: Hash = own.parse().context("the root of the log")?;
    let mut tiles: HashMap<TileId, Vec<u8>> = HashMap::new();
    for id in tiles_for_consistency(known, size) {
        tiles.extend(source.tile(id).await?.map(|bytes| (id, bytes)));
    }
    let proof = consistency_proof(&tiles, known, size).context("the tiles of the log")?;
    if verify_consistency(known, &root, size, &own, &proof).is_err() {
        report.fault = Some(forked(known, file));
    }
    Ok(())
}

/// Compares a log that holds with the checkpoint that the node on this data directory keeps.
pub(super) async fn compare_kept(
    data_dir: &Path,
    source: &DataDir,
    report: &mut Report,
) -> Result<()> {
    if report.fault.is_some() {
        return Ok(());
    }
    match remembered::compare(source.store(), data_dir).await {
        Ok(()) => {}
        Err(StartError::LogLost { known, found, file }) => {
            report.fault = Some(match known > found {
                true => cut_off(found, known, &file),
                false => forked(known, &file),
            });
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
