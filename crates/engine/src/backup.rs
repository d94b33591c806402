//! Backups: a consistent copy of a data directory, also while a server runs on it (operation
//! `backup.create`); and the record of one that was put back (`log.restore`).
//!
//! The copy is a data directory of its own: database and keys, readable by the owner alone. It is
//! written under another name and renamed when it is complete and on the disc, so that what has the
//! name of a backup is one. Crash here: a `.partial` directory stays behind, and the next try of
//! the same backup takes it away.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use chancery_event::Timestamp;
use chancery_event::id::JobId;
use chancery_event::types::log as types;
use chancery_seal::Hash;
use chancery_store::table::job::Job;
use chancery_store::{Settings, Store, Tx, log};
use serde_json::{Value, json};

use crate::alert::cause;
use crate::inventory::hex;
use crate::job::{JobError, Kind};
use crate::operation::Done;
use crate::scribe::Draft;
use crate::sealer::halt;
use crate::{Context, Engine, Error, Permission};

/// A backup that was made.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Where it is.
    pub directory: PathBuf,
    /// Bytes of its database.
    pub size_bytes: u64,
    /// SHA-256 of its database, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Entries under the checkpoint in it.
    pub log_size: u64,
    /// When it was begun: everything committed before is in it.
    pub as_of: Timestamp,
}

fn failed(path: &Path, error: impl std::fmt::Display) -> Error {
    let message = format!("cannot write {}: {error}", path.display());
    Error::Conflict { reason: "backup_failed", message }
}

/// Copies the data directory `from`, whose store is open, to `destination`.
///
/// # Errors
/// `destination` exists and is not empty, or cannot be written; what was written is taken away.
pub async fn copy(
    store: &Store,
    from: &Path,
    destination: &Path,
    as_of: Timestamp,
) -> Result<Backup, Error> {
    let partial = partial_of(destination)?;
    let made = async {
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(|error| failed(&partial, error))?;
        }
        let mut builder = fs::DirBuilder::new();
        // The copy holds the signing key.
        builder.recursive(true).mode(0o700);
        builder.create(&partial).map_err(|error| failed(&partial, error))?;
        let database = partial.join("chancery.db");
        store.backup(&database).await?;
        let (from, to) = (from.to_owned(), partial.clone());
        let finish = move || finish(&from, &to).map_err(|error| failed(&to, error));
        let (size_bytes, sha256) = blocking(finish).await?;
        let log_size = size_of_log(&partial).await?;
        // Directories that held nothing are replaced; others refuse.
        fs::rename(&partial, destination).map_err(|error| failed(destination, error))?;
        if let Some(parent) = destination.parent().filter(|parent| parent.is_dir()) {
            sync(parent).map_err(|error| failed(parent, error))?;
        }
        let directory = destination.to_owned();
        Ok(Backup { directory, size_bytes, sha256, log_size, as_of })
    };
    let made = made.await;
    if made.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    made
}

/// The name a backup has until it is complete; refuses a destination that is taken.
fn partial_of(destination: &Path) -> Result<PathBuf, Error> {
    let message = "is not empty: name a directory that does not exist yet";
    let taken = || Error::invalid("destination", format!("{} {message}", destination.display()));
    match fs::read_dir(destination).map(|entries| entries.count()) {
        Ok(0) => {}
        Ok(_) => return Err(taken()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(destination, error)),
    }
    let name = destination.file_name().ok_or_else(taken)?;
    let mut partial = name.to_owned();
    partial.push(".partial");
    Ok(destination.with_file_name(partial))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let task = tokio::task::spawn_blocking(work).await;
    task.map_err(|error| Error::Internal(format!("backup: {error}")))?
}

/// Copies the keys and puts everything on the disc; answers size and hash of the database.
fn finish(from: &Path, to: &Path) -> io::Result<(u64, String)> {
    let database = to.join("chancery.db");
    let mut context = digest::Context::new(&digest::SHA256);
    let mut file = File::open(&database)?;
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = io::Read::read(&mut file, &mut buffer)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        context.update(buffer.get(..read).unwrap_or_default());
    }
    file.sync_all()?;
    let (from, keys) = (from.join("keys"), to.join("keys"));
    fs::create_dir(&keys)?;
    fs::set_permissions(&keys, fs::metadata(&from)?.permissions())?;
    for entry in fs::read_dir(&from)? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.is_file()) else { continue };
        // fs::copy keeps the mode.
        fs::copy(&path, keys.join(name))?;
        sync(&keys.join(name))?;
    }
    sync(&keys)?;
    sync(to)?;
    Ok((bytes, hex(context.finish().as_ref())))
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

async fn size_of_log(directory: &Path) -> Result<u64, Error> {
    let store = Store::open_to_read(&Settings::embedded(directory)).await?;
    let state = log::state(&mut store.read().await?).await?;
    store.close().await;
    Ok(state.signed_size)
}

/// From what the data was put back.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Entries under the checkpoint of the copy.
    pub log_size: u64,
    /// Size and root of the newest checkpoint that is known to have been published.
    pub published: Option<(u64, Hash)>,
}

impl Restored {
    /// Published entries that the copy does not have; `None`: nobody knows.
    pub fn lost(&self) -> Option<u64> {
        self.published.as_ref().map(|(size, _)| size.saturating_sub(self.log_size))
    }
}

impl Engine {
    /// Records that the data was put back from a copy (operation `log.restore`), before anything
    /// else is done with it.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub(crate) async fn note_restore(
        &self,
        context: &Context,
        restored: &Restored,
    ) -> Result<(), Error> {
        let published = restored.published.as_ref();
        let payload = types::Restore {
            log_size: restored.log_size,
            published_size: published.map(|(size, _)| *size),
            published_root: published.map(|(_, root)| hex(root.as_bytes())),
            lost: restored.lost(),
        };
        let (target, known) = (self.log_target(), restored.published);
        let (log, from, lost) = (target.clone(), payload.log_size, payload.lost);
        self.operation(context, Permission::Backup, &payload)?
            .run(move |tx, _| {
                let (payload, target) = (payload.clone(), target.clone());
                Box::pin(async move {
                    if let Some(known) = known.filter(|known| known.0 > payload.log_size) {
                        crate::remembered::note_loss(tx, payload.log_size, known).await?;
                    }
                    // What a node said is missing is covered by that; what else it said, the first
                    // round finds again.
                    halt::remove(tx).await?;
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target) })
                })
            })
            .await?;
        if lost == Some(0) {
            return Ok(());
        }
        // Behind the record, which is the first that goes on. Crash here: the record is there, and
        // nobody is alerted.
        let scribe = self.scribe(context);
        let alert = self.0.store.transaction("restore.alert", move |tx: &mut Tx| {
            let (scribe, log) = (scribe.clone(), log.clone());
            Box::pin(async move { cause::log_lost(tx, &scribe, log, from, lost).await })
        });
        alert.await
    }

    /// Makes a backup in `destination` (operation `backup.create`).
    ///
    /// # Errors
    /// The directory is not empty or cannot be written; storage is full.
    pub async fn back_up(&self, context: &Context, destination: &Path) -> Result<Backup, Error> {
        let as_of = self.environment().now();
        let attempt = types::BackupCreate {
            size_bytes: None,
            bytes_sha256: None,
            log_size: None,
            as_of: Some(as_of),
        };
        let operation = self.operation(context, Permission::Backup, &attempt)?;
        let made = match context.require(Permission::Backup) {
            Ok(()) => copy(&self.0.store, &self.settings().data_dir, destination, as_of).await,
            Err(error) => Err(error),
        };
        let backup = match made {
            Ok(backup) => backup,
            Err(error @ Error::Forbidden { .. }) => return Err(operation.fail(error).await),
            Err(error) => {
                let why = error.to_string();
                let failed = operation.fail_noting(error, move |tx, scribe, event| {
                    let why = why.clone();
                    Box::pin(async move { cause::backup_failed(tx, scribe, &why, event).await })
                });
                return Err(failed.await);
            }
        };
        let payload = types::BackupCreate {
            size_bytes: Some(backup.size_bytes),
            bytes_sha256: Some(backup.sha256.clone()),
            log_size: Some(backup.log_size),
            as_of: Some(as_of),
        };
        operation
            .run(move |tx, scribe| {
                let payload = payload.clone();
                Box::pin(async move {
                    cause::backup_made(tx, scribe).await?;
                    Ok(Done { value: (), draft: Draft::new(&payload)? })
                })
            })
            .await?;
        Ok(backup)
    }

    /// Queues a backup below the directory that the settings name.
    ///
    /// # Errors
    /// The caller may not make backups.
    pub async fn queue_backup(&self, context: &Context) -> Result<JobId, Error> {
        let attempt = types::BackupCreate {
            size_bytes: None,
            bytes_sha256: None,
            log_size: None,
            as_of: None,
        };
        self.queue(context, Permission::Backup, Kind::BackupCreate, &attempt).await
    }

    /// Works off a queued backup. Its name is that of the job, so that a try that broke off leaves
    /// nothing behind the next one.
    pub(crate) async fn run_backup(&self, context: &Context, job: &Job) -> Result<Value, JobError> {
        let time: String = job.scheduled_at.to_string().chars().take(19).collect();
        let short: String = job.id.to_string().chars().rev().take(8).collect();
        let name = format!("{}-{short}", time.replace(':', "-"));
        let destination = self.settings().backup_dir.join(name);
        let backup = self.back_up(context, &destination).await.map_err(JobError::of)?;
        Ok(json!({
            "directory": backup.directory.display().to_string(),
            "size_bytes": backup.size_bytes,
            "sha256": backup.sha256,
            "log_size": backup.log_size,
            "as_of": backup.as_of.to_string(),
        }))
    }
}
