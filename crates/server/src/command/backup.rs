//! `chancery backup`: a consistent copy of a data directory, also while a server runs on it.
//!
//! The copy is a data directory of its own. It is verified before it is called one: its log against
//! the key that was copied with it. A copy that cannot be completed is taken away again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use chancery_store::{Settings, Store};
use serde_json::json;

use super::text::number;
use super::verify::{self, DataDir};
use crate::cli::GlobalArguments;
use crate::cli::backup::BackupArguments;
use crate::config::Config;

/// Runs the command.
///
/// # Errors
/// The data cannot be read, or the copy not written. A copy whose log does not hold is no error
/// but the exit status 1; it is kept, as the only copy of what there is.
pub async fn run(global: &GlobalArguments, arguments: &BackupArguments) -> Result<ExitCode> {
    let config = Config::load(&arguments.settings.inputs(false))?;
    let from = &config.serving.data_dir;
    if let Some(url) = config.serving.database.url() {
        bail!(
            "the database is {}: copy it with the tools of its server, for example pg_dump \
             --format=custom, and beside it the directory {}",
            url.place(),
            from.join("keys").display()
        );
    }
    let store = Store::open_to_read(&Settings::embedded(from)).await?;
    let destination = &arguments.destination;
    let made = prepare(destination)?;
    if let Err(error) = copy(&store, from, destination).await {
        clear(destination, made);
        return Err(error.context("nothing was backed up"));
    }
    drop(store);
    let key = verify::of_data_dir(destination)?;
    let report = verify::log(DataDir::open(destination).await?, key, None, None).await?;
    let bytes = size_of(destination)?;
    if global.json {
        let document = json!({
            "destination": destination.display().to_string(),
            "bytes": bytes,
            "verification": report.document(),
        });
        println!("{document:#}");
    } else {
        println!(
            "Copied {} to {}: {} bytes.",
            from.display(),
            destination.display(),
            number(bytes)
        );
        println!("{}", report.text());
    }
    Ok(if report.fault.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes the directory, readable by the owner alone; answers whether it was made just now.
fn prepare(destination: &Path) -> Result<bool> {
    use std::os::unix::fs::DirBuilderExt as _;
    let place = || format!("cannot write to {}", destination.display());
    match fs::read_dir(destination) {
        Ok(mut entries) => {
            ensure!(
                entries.next().is_none(),
                "{} is not empty: name a directory that does not exist yet",
                destination.display()
            );
            Ok(false)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // The copy holds the signing key.
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(destination).with_context(place)?;
            Ok(true)
        }
        Err(error) => Err(error).with_context(place),
    }
}

async fn copy(store: &Store, from: &Path, destination: &Path) -> Result<()> {
    let database = destination.join("chancery.db");
    store.backup(&database).await?;
    sync(&database)?;
    let keys = destination.join("keys");
    copy_keys(&from.join("keys"), &keys)?;
    sync(&keys)?;
    sync(destination)
}

/// Copies the files of a directory with their modes.
fn copy_keys(from: &Path, to: &Path) -> Result<()> {
    let place = |path: &Path| format!("cannot copy {}", path.display());
    fs::create_dir(to).with_context(|| place(from))?;
    let mode = fs::metadata(from).with_context(|| place(from))?.permissions();
    fs::set_permissions(to, mode).with_context(|| place(from))?;
    for entry in fs::read_dir(from).with_context(|| place(from))? {
        let path = entry.with_context(|| place(from))?.path();
        let Some(name) = path.file_name() else { continue };
        ensure!(path.is_file(), "{} is not a file: only files are keys", path.display());
        // fs::copy keeps the mode.
        fs::copy(&path, to.join(name)).with_context(|| place(&path))?;
        sync(&to.join(name))?;
    }
    Ok(())
}

/// Waits until a file or directory is on the disc.
fn sync(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.with_context(|| format!("cannot write {}", path.display()))
}

/// Takes an incomplete copy away: only what this command writes.
fn clear(destination: &Path, made: bool) {
    let _ = fs::remove_file(destination.join("chancery.db"));
    let _ = fs::remove_dir_all(destination.join("keys"));
    if made {
        let _ = fs::remove_dir(destination);
    }
}

fn size_of(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    let mut waiting: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                waiting.push(entry.path());
            } else {
                bytes += metadata.len();
            }
        }
    }
    if bytes == 0 {
        bail!("{} is empty", directory.display());
    }
    Ok(bytes)
}
