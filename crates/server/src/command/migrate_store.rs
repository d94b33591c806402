//! `chancery migrate-store`: moves the embedded database to a PostgreSQL server, where the same log
//! goes on with the same keys.
//!
//! The copy is verified against the checkpoint of the original before anything counts as done. The
//! original is renamed then, so that nobody starts on it by mistake and forks the log. Crash before
//! that: both are there, and as soon as a node has worked on one of them none begins on the other.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use chancery_store::{DatabaseUrl, Settings, transfer};
use serde_json::json;

use super::progress;
use super::text::{counted, number};
use super::verify::{self, DataDir, Fetch as _};
use crate::cli::GlobalArguments;
use crate::cli::backup::MigrateStoreArguments;
use crate::config::Config;

/// Where to, from the file, the variable or the command line.
fn address(arguments: &MigrateStoreArguments) -> Result<DatabaseUrl> {
    let (text, from) = match (&arguments.to_file, &arguments.to) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file);
            (text.with_context(|| format!("cannot read {}", file.display()))?, "--to-file")
        }
        (None, Some(to)) => (to.clone(), "--to"),
        (None, None) => bail!("--to names the address of the empty database"),
    };
    // What a variable says is not on the command line.
    let is_argument = std::env::args_os().any(|argument| {
        let argument = argument.to_string_lossy();
        argument == text.as_str() || argument.strip_prefix("--to=") == Some(&text)
    });
    if is_argument && DatabaseUrl::has_password(&text) {
        errln!(
            "The password in --to can be read by everybody on this machine while the command \
             runs. Leave it out and set CHANCERY_DATABASE_PASSWORD or database_password_file, or \
             give the whole address in CHANCERY_MIGRATE_TO or with --to-file; and change this one."
        );
    }
    text.trim().parse().map_err(|error: String| anyhow::anyhow!("{from}: {error}"))
}

/// Refuses where there is nothing to move.
fn is_there(original: &Path, aside: &Path) -> Result<()> {
    ensure!(
        original.exists() || !aside.exists(),
        "the embedded database was moved to a server before, and is {} now: set `database` to the \
         address of that server, and start",
        aside.display()
    );
    ensure!(original.exists(), "there is no embedded database: no file {}", original.display());
    Ok(())
}

/// Runs the command.
///
/// # Errors
/// A server runs on the data, the database named is not empty or cannot be used, or the copy does
/// not verify; the original is as it was.
pub async fn run(global: &GlobalArguments, arguments: &MigrateStoreArguments) -> Result<()> {
    let config = Config::load(&arguments.settings.inputs(false))?;
    let data_dir = &config.serving.data_dir;
    let (original, aside) = (data_dir.join("chancery.db"), data_dir.join("chancery.db.moved"));
    is_there(&original, &aside)?;
    let to = config.serving.database_password.with(address(arguments)?);
    let key = verify::of_data_dir(data_dir)?;
    let before = DataDir::open(data_dir).await?.checkpoint().await?;
    let bar = progress::awaited("moving rows");
    // Held until the old database has another name: a supervisor may start the server meanwhile.
    let (done, held) = transfer(&Settings::embedded(data_dir), &to, |table, rows| {
        if rows > 0 {
            bar.suspend(|| errln!("{table}: {}", counted(rows, "row", "rows")));
        }
    })
    .await
    .context("nothing counts as moved, and the original is as it was")?;
    bar.finish_and_clear();
    if !done.analyzed {
        errln!(
            "The database has not counted its rows yet, and may be slow until it has: it does so \
             by itself, or at once with ANALYZE."
        );
    }
    let (archive, is_named) = super::serve::archive(&config, data_dir)?;
    let copy = DataDir::on_server(to.clone()).await?.with_archive(archive.clone());
    ensure!(
        copy.checkpoint().await? == before,
        "the copy has another checkpoint than the original: use neither before this is understood"
    );
    let report = verify::log(copy, key, None, None).await?;
    if report.fault.is_some() {
        errln!("{}", report.text());
        bail!("the log of the copy does not hold; the original is as it was");
    }
    std::fs::rename(&original, &aside)
        .with_context(|| format!("cannot rename {}", original.display()))?;
    drop(held);
    if done.removed > 0 {
        errln!("{}", about_archive(done.removed, &archive.place(), is_named));
    }
    if global.json {
        let document = json!({
            "rows": done.rows,
            "log_size": done.log_size,
            "to": to.place(),
            "removed": done.removed,
            "archive": (done.removed > 0).then(|| archive.place()),
        });
        outln!("{document:#}")?;
    } else {
        outln!(
            "Moved {} rows to {}; the log of {} verifies there and goes on. Set database to that \
             address and start the server on the same data directory. The old database is {}.",
            number(done.rows),
            to.place(),
            counted(done.log_size, "entry", "entries"),
            aside.display(),
        )?;
    }
    Ok(())
}

/// What to do about events that are in the archive and not in the database.
fn about_archive(removed: u64, place: &str, is_named: bool) -> String {
    let removed = counted(removed, "event was", "events were");
    let what =
        format!("{removed} removed from the log into the archive {place}, which is not moved.");
    if is_named {
        return format!(
            "{what} Every node needs it: give each the same setting of `archive`, and a directory \
             must be one that all of them see."
        );
    }
    format!(
        "{what} Before a second node starts, copy that directory to one that every node sees, or to \
         a bucket, and set archive.directory (or archive.s3_…) to it on each node. Until then \
         retention removes nothing, and no other node can show those events."
    )
}
