//! Whether this node sees the archive that the others write.
//!
//! One node writes the archive, and every one reads it. Where each has a directory of its own disc
//! under the same name, nothing fails until somebody asks a node for what another one removed. So
//! each looks whether the first and the newest bundle that were written are where it would read
//! them. One for which no archive is set looks for the first and the last that events were removed
//! from: such a log may have come from an embedded database.

use std::sync::Arc;
use std::time::Duration;

use chancery_seal::BundleId;
use chancery_seal::tile::TILE_WIDTH;
use chancery_store::log;
use tokio::sync::watch;

use super::{Archive, CURSOR, WIDTH};
use crate::{Engine, Error};

/// How long until it is looked again where nothing was written yet, or something was missing.
const SOON: Duration = Duration::from_secs(3);
/// The same where all was as it should be.
const LATER: Duration = Duration::from_secs(600);

/// What a look found.
enum Sight {
    /// Nothing was written yet, or it cannot be told what was.
    Nothing,
    /// What was written.
    Good,
    /// Not that.
    Bad(String),
}

/// Looks now and then, until `stop` is set.
pub(crate) async fn run(engine: Engine, mut stop: watch::Receiver<bool>) {
    if !engine.0.store.is_shared() {
        return;
    }
    let mut was_bad = false;
    loop {
        let pause = match look(&engine).await {
            Ok(Sight::Good) => {
                if was_bad {
                    tracing::info!("this node sees the archive now");
                }
                was_bad = false;
                engine.health().sees_archive(None);
                LATER
            }
            Ok(Sight::Bad(what)) => {
                if !was_bad {
                    tracing::error!("{what}");
                }
                was_bad = true;
                engine.health().sees_archive(Some(what));
                SOON
            }
            // The store is away: others tell of that.
            Ok(Sight::Nothing) | Err(_) => SOON,
        };
        if tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

async fn look(engine: &Engine) -> Result<Sight, Error> {
    let mut link = engine.link().await?;
    let Some(archive) = engine.archive() else {
        let removed = log::removed_bounds(&mut link).await?;
        drop(link);
        let Some((first, last)) = removed else { return Ok(Sight::Nothing) };
        let Some(archive) = engine.settings().archive.clone() else {
            let what = "events were removed into an archive, and none is set";
            return Ok(Sight::Bad(what.to_owned()));
        };
        return Ok(found(&archive, [first / WIDTH, last / WIDTH], |place, id| {
            format!(
                "events were removed into an archive, and none is set: {place} lacks {id}. Copy the archive from where it was written to a directory or bucket that every node sees, and set archive.directory (or archive.s3_…) to it on each"
            )
        })
        .await);
    };
    let written = log::cursor(&mut link, CURSOR).await?.0 / WIDTH;
    drop(link);
    let Some(newest) = written.checked_sub(1) else { return Ok(Sight::Nothing) };
    Ok(found(&archive, [0, newest], |place, id| {
        format!(
            "the archive {place}, as this node sees it, lacks {id}, which was written to the archive: all nodes need one directory or bucket that each of them sees. What is missing here has to be copied from where the others wrote it"
        )
    })
    .await)
}

/// Whether bundles are in an archive; `lacks` says what is wrong with one that has them not.
async fn found(
    archive: &Arc<dyn Archive>,
    bundles: [u64; 2],
    lacks: impl Fn(String, BundleId) -> String,
) -> Sight {
    for number in bundles {
        let Ok(id) = BundleId::new(number, TILE_WIDTH) else { return Sight::Nothing };
        match archive.has(id.to_string()).await {
            Ok(true) => {}
            Ok(false) => return Sight::Bad(lacks(archive.place(), id)),
            Err(error) => return Sight::Bad(error.to_string()),
        }
    }
    Sight::Good
}
