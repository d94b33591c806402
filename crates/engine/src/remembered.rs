//! The newest checkpoint that this node knows, kept in a file beside its keys and not in the
//! database: whoever puts an older copy of the database back is not to go on as if nothing had
//! been lost.
//!
//! At the start the two are compared. A log that ends before the remembered checkpoint, or has
//! another tree under it, is refused until somebody says so (`chancery restore --in-place`), which
//! compares, tells what is lost and records it. While the node runs, `known` compares the
//! database with what the node knows, and the file never follows a database that lacks it.
//!
//! A data directory that remembers nothing, beside a log that has begun, is a copy: a backup, or
//! keys beside a database that was loaded from a dump. Nobody can tell what it lacks. Unless a node
//! that knows the log works on it, `log.restore` says so before anything else is done. A directory
//! in which the log begins says that with a file of its own, until there is a checkpoint to keep.
//!
//! Crash here: the file is renamed when it is whole and on the disk, and may be a second old. It is
//! never ahead of what was committed.

pub(crate) mod known;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chancery_seal::{Checkpoint, Hash, Note};
use chancery_store::table::setting;
use chancery_store::{Link, Store, Tx, log};
use tokio::sync::watch;

use self::known::Known;
use crate::alert::cause;
use crate::engine::StartError;
use crate::sealer::stored_edge;
use crate::{Engine, Error, Settings, key, node};

/// Name of the file in the data directory.
pub const FILE: &str = "checkpoint";
/// The setting that says which branches are known to be lost.
const RESTORED: &str = "log.restored";
/// Name of the file that says which of them this node has gone along with.
const SEEN: &str = "checkpoint.restored";
/// Name of the file that says that the log begins here.
const BEGUN: &str = "checkpoint.begun";
/// Branches kept at most.
const LOSSES_MAX: usize = 16;
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

/// Refuses a database that lacks what the node on this data directory knows was sealed.
///
/// # Errors
/// [`StartError::LogLost`] if it does; or something cannot be read.
pub async fn compare(store: &Store, data_dir: &Path) -> Result<(), StartError> {
    let Some((size, root)) = read(data_dir)? else { return Ok(()) };
    let mut link = store.read().await?;
    let found = log::state(&mut link).await?.size;
    if size <= found && stored_edge(&mut link, size).await?.root() == root {
        return Ok(());
    }
    // A loss that this node has gone along with already excuses nothing that is lost after it.
    let seen = Losses::parse(&fs::read_to_string(data_dir.join(SEEN)).unwrap_or_default());
    if losses(&mut link).await?.excuse(size, &root, &seen) {
        return Ok(());
    }
    Err(StartError::LogLost { known: size, found, file: data_dir.join(FILE) })
}

/// What this node knows was sealed, after the database was compared with it.
pub(crate) async fn compared(store: &Store, settings: &Settings) -> Result<Arc<Known>, StartError> {
    let mut unknown_loss = None;
    if settings.restored.is_none() {
        compare(store, &settings.data_dir).await?;
        unknown_loss = copy_of(store, &settings.data_dir).await?;
    }
    Ok(Arc::new(Known::of(&mut store.read().await?, unknown_loss).await?))
}

/// The size of the log, if it is a copy of which nobody can tell what it lacks: this data directory
/// remembers nothing of a log that has begun, and no node works on it.
async fn copy_of(store: &Store, data_dir: &Path) -> Result<Option<u64>, StartError> {
    let remembers = [FILE, BEGUN].iter().any(|name| data_dir.join(name).exists());
    let state = log::state(&mut store.read().await?).await?;
    if remembers || state.size == 0 || node::lives(store).await? {
        return Ok(None);
    }
    tracing::warn!(
        log_size = state.signed_size,
        "this is a copy of the log: the data directory does not know how far the log had been, so nobody can tell whether something that was published is missing. The log goes on from index {} and records that as log.restore. chancery restore compares a copy with the newest checkpoint that anybody has (docs/BACKUP.md)",
        state.signed_size,
    );
    Ok(Some(state.signed_size))
}

/// Says that what this data directory will remember is the log that it has now.
pub(crate) fn begin(data_dir: &Path) -> Result<(), key::KeyError> {
    if data_dir.join(FILE).exists() || data_dir.join(BEGUN).exists() {
        return Ok(());
    }
    let text = b"The log of this data directory begins here, or was compared.\n";
    key::write(&data_dir.join(BEGUN), text, 0o644)
}

/// A branch of the log that is known, and recorded, to be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Loss {
    /// Entries that both branches have.
    from: u64,
    /// Its newest checkpoint.
    to: u64,
    root: Hash,
}

/// What is known to be lost, the newest first; as text one a line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Losses(Vec<Loss>);

impl Losses {
    fn parse(text: &str) -> Self {
        let loss = |line: &str| {
            let mut words = line.split(' ');
            let (from, to) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some(Loss { from, to, root: words.next()?.parse().ok()? })
        };
        Self(text.lines().filter_map(loss).collect())
    }

    fn text(&self) -> String {
        let line = |loss: &Loss| format!("{} {} {}\n", loss.from, loss.to, loss.root);
        self.0.iter().map(line).collect()
    }

    /// Whether a checkpoint is of a branch that is known to be lost, and of none in `seen`.
    fn excuse(&self, size: u64, root: &Hash, seen: &Self) -> bool {
        self.0.iter().any(|loss| {
            let within = size < loss.to || size == loss.to && *root == loss.root;
            !seen.0.contains(loss) && loss.from < size && within
        })
    }
}

async fn losses(link: &mut Link) -> Result<Losses, chancery_store::Error> {
    Ok(Losses::parse(&setting::find(link, RESTORED).await?.unwrap_or_default()))
}

/// Notes that a branch of the log is lost behind `from` entries, known by its newest checkpoint.
pub(crate) async fn note_loss(
    tx: &mut Tx,
    from: u64,
    (to, root): (u64, Hash),
) -> Result<(), Error> {
    let mut losses = losses(tx).await?;
    losses.0.insert(0, Loss { from, to, root });
    losses.0.truncate(LOSSES_MAX);
    Ok(setting::put(tx, RESTORED, &losses.text()).await?)
}

/// Watches the log in the database and keeps the file in step, until `stop` is set.
pub(crate) async fn run(engine: Engine, mut stop: watch::Receiver<bool>) {
    let mut sealed = engine.sealed();
    // Where other nodes work, the database may change without a word.
    let shared = engine.0.store.is_shared();
    loop {
        sealed.mark_unchanged();
        if let Err(error) = keep(&engine).await {
            tracing::warn!(%error, "the newest checkpoint was not written down");
        }
        tokio::select! {
            _ = sealed.changed() => {}
            () = tokio::time::sleep(PAUSE), if shared => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if tokio::time::timeout(PAUSE, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

/// Looks at the database, and writes down the newest checkpoint that this node knows: that of the
/// database, unless the database lacks what was sealed.
pub(crate) async fn keep(engine: &Engine) -> Result<(), Error> {
    let turns = engine.health().turns_of_quarantine();
    let mut link = engine.link().await?;
    let known = &engine.0.known;
    known.look(&mut link).await?;
    engine.health().stopped_elsewhere(known.halt().map(|halt| halt.told()));
    let Some(newest) = known.checkpoint() else { return Ok(()) };
    engine.health().sealed(newest.signed_at, newest.size);
    let losses = losses(&mut link).await?.text();
    let quarantined = cause::quarantined_waiting(&mut link).await?;
    engine.health().sees_quarantined(quarantined, turns);
    drop(link);
    let path = engine.settings().data_dir.join(FILE);
    let seen = engine.settings().data_dir.join(SEEN);
    let begun = engine.settings().data_dir.join(BEGUN);
    let write = move || {
        if !fs::read(&path).is_ok_and(|kept| kept == newest.note.as_bytes()) {
            key::write(&path, newest.note.as_bytes(), 0o644)?;
        }
        // From now on it is that file which says so: without it this would be a copy.
        let _ = fs::remove_file(&begun);
        // Behind it: dying here, this node goes along with the loss once more.
        if losses.is_empty() || fs::read_to_string(&seen).is_ok_and(|seen| seen == losses) {
            return Ok(());
        }
        key::write(&seen, losses.as_bytes(), 0o644)
    };
    let written = tokio::task::spawn_blocking(write).await;
    let failed = |what: String| Error::Internal(format!("the newest checkpoint: {what}"));
    let written = written.map_err(|error| failed(error.to_string()))?;
    written.map_err(|error: key::KeyError| failed(error.to_string()))
}

/// What another node knows was sealed, if one says that the database lacks it: size and root.
///
/// # Errors
/// The store cannot be read.
pub async fn told(store: &Store) -> Result<Option<(u64, Hash)>, Error> {
    let halt = crate::sealer::halt::find(&mut store.read().await?).await?;
    Ok(halt.and_then(|halt| halt.known()))
}
