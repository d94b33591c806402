//! The newest checkpoint that this node knows, kept in a file beside its keys and not in the
//! database: whoever puts an older copy of the database back is not to go on as if nothing had
//! been lost.
//!
//! At the start the two are compared. A log that ends before the remembered checkpoint, or has
//! another tree under it, is refused until somebody says so (`chancery restore --in-place`), which
//! compares, tells what is lost and records it.
//!
//! Crash here: the file is renamed when it is whole, and may be a second old. It is never ahead of
//! what was committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chancery_seal::{Checkpoint, Hash, Note};
use chancery_store::table::setting;
use chancery_store::{Link, Store, Tx, log};
use tokio::sync::watch;

use crate::engine::StartError;
use crate::sealer::stored_edge;
use crate::{Engine, Error};

/// Name of the file in the data directory.
pub const FILE: &str = "checkpoint";
/// The setting that says which part of another branch is known to be lost.
const RESTORED: &str = "log.restored";
/// The file is written this often at most.
const PAUSE: Duration = Duration::from_secs(1);

/// The checkpoint that a node on this data directory knows: size and root.
///
/// # Errors
/// There is a file, and it is none of ours.
pub fn read(data_dir: &Path) -> Result<Option<(u64, Hash)>, StartError> {
    let path = data_dir.join(FILE);
    let damaged = |what: String| StartError::Remembered { path: path.clone(), what };
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(damaged(error.to_string())),
    };
    let note = Note::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    let checkpoint: Checkpoint =
        note.text().parse().map_err(|_| damaged("it is no checkpoint".to_owned()))?;
    Ok(Some((checkpoint.size(), *checkpoint.root())))
}

/// Refuses a database that lacks what this node knows was sealed.
pub(crate) async fn compare(store: &Store, data_dir: &Path) -> Result<(), StartError> {
    let Some((size, root)) = read(data_dir)? else { return Ok(()) };
    let mut link = store.read().await?;
    let found = log::state(&mut link).await?.size;
    if size <= found && stored_edge(&mut link, size).await?.root() == root {
        return Ok(());
    }
    if let Some((from, to)) = known_loss(&mut link).await?
        && from < size
        && size <= to
    {
        return Ok(());
    }
    Err(StartError::LogLost { known: size, found, file: data_dir.join(FILE) })
}

/// Which entries of another branch are known, and recorded, to be lost: from, and up to.
async fn known_loss(link: &mut Link) -> Result<Option<(u64, u64)>, StartError> {
    let Some(text) = setting::find(link, RESTORED).await? else { return Ok(None) };
    let mut numbers = text.split(' ').map(|number| number.parse::<u64>().ok());
    Ok(match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(from), Some(to)) => Some((from, to)),
        _ => None,
    })
}

/// Notes which entries of another branch are lost.
pub(crate) async fn note_loss(tx: &mut Tx, from: u64, to: u64) -> Result<(), Error> {
    Ok(setting::put(tx, RESTORED, &format!("{from} {to}")).await?)
}

/// Keeps the file in step until `stop` is set.
pub(crate) async fn run(engine: Engine, mut stop: watch::Receiver<bool>) {
    let mut sealed = engine.sealed();
    loop {
        sealed.mark_unchanged();
        if let Err(error) = keep(&engine).await {
            tracing::warn!(%error, "the newest checkpoint was not written down");
        }
        tokio::select! {
            _ = sealed.changed() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if tokio::time::timeout(PAUSE, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

/// Writes down the newest checkpoint.
pub(crate) async fn keep(engine: &Engine) -> Result<(), Error> {
    let Some(newest) = log::checkpoint(&mut engine.link().await?).await? else { return Ok(()) };
    let path = engine.settings().data_dir.join(FILE);
    let partial: PathBuf = path.with_extension("partial");
    let write = move || {
        fs::write(&partial, newest.note)?;
        fs::rename(&partial, &path)
    };
    let written = tokio::task::spawn_blocking(write).await;
    let failed = |what: String| Error::Internal(format!("the newest checkpoint: {what}"));
    written.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))
}
