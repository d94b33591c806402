//! `chancery backup`: a consistent copy of a data directory, also while a server runs on it.
//!
//! Named with `--server`, the running server makes it and records it. Otherwise this process makes
//! it: as the engine when no server runs there, which records it; beside a running server, or
//! without the passphrase of the log key, by reading alone, which is said. The copy is verified
//! before it is called one: its log against the key that was copied with it.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chancery_engine::backup::{self, Backup};
use chancery_engine::{Context, Engine};
use chancery_event::Environment;
use chancery_store::{Settings, Store};
use serde_json::json;

use super::progress;
use super::text::{number, plain};
use super::verify::{self, DataDir};
use crate::cli::GlobalArguments;
use crate::cli::backup::BackupArguments;
use crate::client::{Body, Client};
use crate::config::Config;

/// Between two looks at the job of a server.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long recorded events may take to be sealed before the copy is made without waiting.
const SETTLE_MAX: Duration = Duration::from_secs(5);

/// Runs the command.
///
/// # Errors
/// The data cannot be read, or the copy not written. A copy whose log does not hold is no error
/// but the exit status 1; it is kept, as the only copy of what there is.
pub async fn run(global: &GlobalArguments, arguments: &BackupArguments) -> Result<ExitCode> {
    match (&global.server, &arguments.destination) {
        (Some(_), None) => by_server(global).await,
        (Some(_), Some(_)) => {
            bail!(
                "the server writes to its own backup_dir: leave out DEST, or else --server and the \
                 variable CHANCERY_URL"
            )
        }
        (None, None) => bail!("name the directory to write to, or the server with --server"),
        (None, Some(destination)) => here(global, arguments, destination).await,
    }
}

/// Has the server make it.
async fn by_server(global: &GlobalArguments) -> Result<ExitCode> {
    let client = Client::new(global)?;
    let (_, answer) = client.post("backups", &[], Body::None).await?;
    let job = answer["job"].as_str().context("the server names no job")?.to_owned();
    let bar = progress::awaited("waiting for the backup of the server");
    let result = loop {
        let document = client.get(&format!("jobs/{job}"), &[]).await?;
        match document["state"].as_str() {
            Some("success") => break document["result"].clone(),
            Some("queued" | "running") => {
                progress::tell_of_job(&bar, &document);
                tokio::time::sleep(LOOK_EVERY).await;
            }
            state => {
                let error = document["error"].as_str().unwrap_or("no reason was given");
                bail!("the job {job} is {}: {}", state.unwrap_or("unknown"), plain(error));
            }
        }
    };
    bar.finish_and_clear();
    if global.json {
        outln!("{:#}", json!({ "job": job, "backup": result }))?;
    } else {
        outln!(
            "The server made a backup in {}: {} bytes, {} log entries.",
            plain(result["directory"].as_str().unwrap_or("?")),
            number(result["size_bytes"].as_u64().unwrap_or(0)),
            number(result["log_size"].as_u64().unwrap_or(0)),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes it here, and verifies it.
async fn here(
    global: &GlobalArguments,
    arguments: &BackupArguments,
    destination: &Path,
) -> Result<ExitCode> {
    let config = Config::load(&arguments.settings.inputs(false))?;
    let from = config.serving.data_dir.clone();
    if let Some(url) = config.serving.database.url() {
        bail!(
            "the database is {}: copy it with the tools of its server, for example pg_dump \
             --format=custom, and beside it the directory {}",
            url.place(),
            from.join("keys").display()
        );
    }
    // Reading first: where there is no data, none is made.
    let store = Store::open_to_read(&Settings::embedded(&from)).await?;
    let (made, recorded) = match recorded(&config, destination).await {
        Ok(made) => (made, true),
        Err(why) => {
            errln!(
                "This backup is not recorded in the log ({why:#}); a running server makes and \
                 records one by chancery backup --server URL."
            );
            let now = Environment::system().now();
            let _bar = progress::awaited("copying");
            (backup::copy(&store, &from, destination, now).await.map_err(Into::into), false)
        }
    };
    drop(store);
    let made = made.context("nothing was backed up")?;
    let key = verify::of_data_dir(destination)?;
    let (archive, _) = super::serve::archive(&config, &config.serving.data_dir)?;
    let copy = DataDir::open(destination).await?.with_archive(archive);
    let report = verify::log(copy, key, None, None).await?;
    if global.json {
        let document = json!({
            "destination": destination.display().to_string(),
            "bytes": made.size_bytes,
            "sha256": made.sha256,
            "recorded": recorded,
            "verification": report.document(),
        });
        outln!("{document:#}")?;
    } else {
        outln!(
            "Copied {} to {}: {} bytes.",
            from.display(),
            destination.display(),
            number(made.size_bytes)
        )?;
        outln!("{}", report.text())?;
    }
    Ok(if report.fault.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes it as the engine of the data directory; the outer error is why that cannot be.
async fn recorded(config: &Config, destination: &Path) -> Result<Result<Backup>> {
    let environment = Environment::system();
    let settings = super::serve::settings(config, config.serving.data_dir.clone(), false)?;
    let running = Engine::start(settings, environment.clone()).await?;
    super::restore::tell_of_copy(&running);
    let context = Context::command_line(&environment);
    // What was recorded is under a checkpoint in the copy, as far as it comes to that.
    let bar = progress::awaited("copying");
    running.engine().settle(SETTLE_MAX).await;
    let made = running.engine().back_up(&context, destination).await;
    bar.finish_and_clear();
    let stopped = running.stop().await.context("the stop could not be recorded");
    Ok(made.map_err(Into::into).and_then(|made| stopped.map(|()| made)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_to_is_told_once() {
        let global = GlobalArguments::default();
        let arguments = BackupArguments { destination: None, settings: Default::default() };
        let error = run(&global, &arguments).await.unwrap_err();
        assert!(error.to_string().contains("--server"), "{error}");
        let global = GlobalArguments { server: Some("http://127.0.0.1:1".into()), ..global };
        let arguments = BackupArguments { destination: Some("/x".into()), ..arguments };
        let error = run(&global, &arguments).await.unwrap_err();
        assert!(error.to_string().contains("leave out DEST"), "{error}");
        assert!(error.to_string().contains("CHANCERY_URL"), "{error}");
    }
}
