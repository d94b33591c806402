//! `chancery restore`: puts a backup back as the data directory.
//!
//! A log that goes on from an older copy gives indexes a second time that had been published
//! before: a fork, which everybody who kept a later checkpoint can prove. That cannot be undone; it
//! can be said. So the newest published checkpoint is compared, what is lost is told, and the first
//! thing that the restored log records is that it was restored, from where and with what loss.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use chancery_engine::archive::Archive;
use chancery_engine::backup::{self, Restored};
use chancery_engine::{Engine, Running, Settings as EngineSettings, node, remembered};
use chancery_event::Environment;
use chancery_seal::proof::{consistency_proof, tiles_for_consistency, verify_consistency};
use chancery_seal::{Hash, TileId};
use chancery_store::{Settings, Store};
use serde_json::json;

use super::text::counted;
use super::verify::{self, DataDir, Fetch as _};
use crate::cli::GlobalArguments;
use crate::cli::backup::RestoreArguments;
use crate::config::Config;

/// Runs the command.
///
/// # Errors
/// The backup does not verify or is of another log than the published checkpoint, the data
/// directory is taken, or the log key cannot be opened; nothing is left half done.
pub async fn run(global: &GlobalArguments, arguments: &RestoreArguments) -> Result<()> {
    let config = Config::load(&arguments.settings.inputs(false))?;
    let to = &config.serving.data_dir;
    let Some(from) = &arguments.backup else {
        return in_place(global, arguments, &config).await;
    };
    let key = verify::of_data_dir(from)?;
    // Entries that were removed from the database are in no backup, but in the archive.
    let archive = archive(&config, arguments)?;
    let backup = DataDir::open(from).await?.with_archive(archive.clone());
    let report = verify::log(backup, key.clone(), None, None).await?;
    if report.fault.is_some() {
        errln!("{}", report.text());
        bail!("the log in {} does not hold: it is not put back", from.display());
    }
    let log_size = report.size.unwrap_or(0);
    let published = match &arguments.published {
        Some(file) => Some(published(file, DataDir::open(from).await?, &key, log_size).await?),
        None => None,
    };
    let store = Store::open_to_read(&Settings::embedded(from)).await?;
    let environment = Environment::system();
    backup::copy(&store, from, to, environment.now()).await.context("nothing was put back")?;
    drop(store);
    let restored = Restored { log_size, published };
    if let Err(error) = record(&config, archive, &environment, &restored).await {
        let _ = std::fs::remove_dir_all(to);
        return Err(error.context("the restoring cannot be recorded: nothing was put back"));
    }
    tell(global, &format!("Put back into {}", to.display()), to, &restored)?;
    Ok(())
}

/// Compares a database that was put back with what is known of its log, and records the restoring.
async fn in_place(
    global: &GlobalArguments,
    arguments: &RestoreArguments,
    config: &Config,
) -> Result<()> {
    let data_dir = &config.serving.data_dir;
    let open = async || match config.serving.database.url() {
        Some(url) => DataDir::on_server(url).await,
        None => DataDir::open(data_dir).await,
    };
    let key = verify::of_data_dir(data_dir)?;
    let told = nobody_else(config, data_dir).await?;
    let archive = archive(config, arguments)?;
    let stored = open().await?.with_archive(archive.clone());
    let report = verify::log(stored, key.clone(), None, None).await?;
    if report.fault.is_some() {
        errln!("{}", report.text());
        bail!("the log in the database does not hold: put another copy back");
    }
    let log_size = report.size.unwrap_or(0);
    let kept = data_dir.join(remembered::FILE);
    let known = [arguments.published.clone(), kept.exists().then_some(kept)];
    let mut newest: Option<(u64, Hash)> = None;
    for file in known.into_iter().flatten() {
        let found = published(&file, open().await?, &key, log_size).await?;
        newest = newest.filter(|newest| newest.0 >= found.0).or(Some(found));
    }
    // A node that ran when the database lost its end told how far the log had been.
    let newest = [newest, told].into_iter().flatten().max_by_key(|(size, _)| *size);
    let restored = Restored { log_size, published: newest };
    record(config, archive, &Environment::system(), &restored).await?;
    tell(global, "The database is as it was put back", data_dir, &restored)?;
    Ok(())
}

/// Refuses while a node works on the database; answers what one told of a loss.
async fn nobody_else(config: &Config, data_dir: &Path) -> Result<Option<(u64, Hash)>> {
    let settings = match config.serving.database.url() {
        Some(url) => Settings::postgres(url),
        None => Settings::embedded(data_dir),
    };
    let store = Store::open_to_read(&settings).await?;
    let living = node::living(&store).await?;
    let told = remembered::told(&store).await?;
    store.close().await;
    if let Some((id, host)) = living.first() {
        bail!(
            "the node {id} on {host} works on this database: stop every node first, so that nothing is recorded in a log that is about to change"
        );
    }
    Ok(told)
}

/// Size and root of a published checkpoint, after it was compared with the backup.
async fn published(
    file: &Path,
    source: DataDir,
    key: &verify::Key,
    log_size: u64,
) -> Result<(u64, Hash)> {
    let note = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let opened = key.trust.open(&note).with_context(|| {
        format!("{} is no checkpoint of the log in {}", file.display(), source.name())
    })?;
    let later = &opened.checkpoint;
    let Some(own) = source.checkpoint().await? else {
        return Ok((later.size(), *later.root()));
    };
    let own = key.trust.open(&own).context("the checkpoint of the backup")?.checkpoint;
    if later.size() <= log_size {
        let mut tiles: HashMap<TileId, Vec<u8>> = HashMap::new();
        for id in tiles_for_consistency(later.size(), own.size()) {
            tiles.extend(source.tile(id).await?.map(|bytes| (id, bytes)));
        }
        let proof = consistency_proof(&tiles, later.size(), own.size())
            .context("the tiles of the backup")?;
        let holds = verify_consistency(later.size(), later.root(), own.size(), own.root(), &proof);
        ensure!(
            holds.is_ok(),
            "the log in {} is not the one that published {}: they differ within the first {}",
            source.name(),
            file.display(),
            counted(later.size(), "entry", "entries"),
        );
    }
    Ok((later.size(), *later.root()))
}

/// Where entries are that were removed from the database: the directory that was named, which may
/// lie aside for now, or the archive of the configuration.
fn archive(config: &Config, arguments: &RestoreArguments) -> Result<Arc<dyn Archive>> {
    match &arguments.archive {
        Some(path) => Ok(verify::directory(path)),
        None => Ok(super::serve::archive(config, &config.serving.data_dir)?.0),
    }
}

async fn record(
    config: &Config,
    archive: Arc<dyn Archive>,
    environment: &Environment,
    restored: &Restored,
) -> Result<()> {
    let settings = super::serve::settings(config, config.serving.data_dir.clone(), false)?;
    // What runs meanwhile finds the archive where it is now, and makes no second one.
    let archive = Some(archive);
    let settings = EngineSettings { restored: Some(restored.clone()), archive, ..settings };
    let running = Engine::start(settings, environment.clone()).await?;
    running.stop().await.context("the stop could not be recorded")
}

/// Says that a command found itself on a copy, where it did.
pub(crate) fn tell_of_copy(running: &Running) {
    if let Some(size) = running.unknown_loss {
        errln!(
            "This is a copy of the log, and nobody can tell whether something that was published \
             is missing. It goes on after {}; that is recorded as log.restore. chancery restore \
             compares a copy with the newest checkpoint that anybody has.",
            counted(size, "entry", "entries"),
        );
    }
}

fn tell(
    global: &GlobalArguments,
    done: &str,
    data_dir: &Path,
    restored: &Restored,
) -> std::io::Result<()> {
    if global.json {
        let document = json!({
            "data_dir": data_dir.display().to_string(),
            "log_size": restored.log_size,
            "published_size": restored.published.as_ref().map(|(size, _)| size),
            "lost": restored.lost(),
        });
        return outln!("{document:#}");
    }
    outln!("{done}: the log goes on after {}.", counted(restored.log_size, "entry", "entries"))?;
    match restored.lost() {
        Some(0) => outln!("Nothing that was published is missing."),
        Some(lost) => outln!(
            "{} that had been published {} lost, from index {}. Other events take these indexes: \
             to whoever kept the published checkpoint the log has forked here. This is recorded \
             as log.restore; tell those who watch the log.",
            counted(lost, "entry", "entries"),
            if lost == 1 { "is" } else { "are" },
            restored.log_size,
        ),
        None => outln!(
            "Whether anything was published after the backup is not known: name the newest \
             checkpoint that anybody has with --published to find out. The restoring is recorded \
             as log.restore."
        ),
    }
}
