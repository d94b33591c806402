//! Writes what is full behind the log into the archive, and moves the cursor.

use std::sync::Arc;
use std::time::Duration;

use chancery_event::LogIndex;
use chancery_seal::tile::TILE_WIDTH;
use chancery_seal::{BundleId, TileId, bundle};
use chancery_store::table::retention as table;
use chancery_store::{Lane, Tx, log};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::watch;

use super::{Archive, CURSOR, WIDTH, gap};
use crate::{Engine, Error};

/// How long the loop sleeps at most.
const TICK: Duration = Duration::from_secs(2);
/// How long it waits after a failure.
const PAUSE: Duration = Duration::from_secs(15);
/// Bundles written before the cursor moves.
pub(super) const BATCH: u64 = 16;
/// Objects written at a time.
const AT_A_TIME: usize = 8;

/// Works until `stop` is set.
pub(crate) async fn run(
    engine: Engine,
    archive: Arc<dyn Archive>,
    mut stop: watch::Receiver<bool>,
) {
    let mut sealed = engine.sealed();
    let mut keeper = engine.keeper("archiver");
    // Whoever begins looks first whether the archive has what was written.
    let mut is_whole = false;
    loop {
        sealed.mark_unchanged();
        let turn = async {
            if !is_whole {
                gap::close(&engine, &archive).await?;
            }
            round(&engine, &archive).await
        };
        let done = keeper.on_duty(turn).await;
        is_whole = match &done {
            Ok(Some(Ok(_))) => true,
            Ok(None) => false,
            _ => is_whole,
        };
        let pause = match done {
            Ok(Some(Ok(true))) => Duration::ZERO,
            Ok(Some(Ok(false)) | None) => TICK,
            Ok(Some(Err(error))) | Err(error) => {
                tracing::error!(%error, "the archive was not written");
                PAUSE
            }
        };
        if *stop.borrow() {
            keeper.give_back().await;
            return;
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Writes some bundles; true if there may be more.
pub(crate) async fn round(engine: &Engine, archive: &Arc<dyn Archive>) -> Result<bool, Error> {
    let mut link = engine.link().await?;
    let from = log::cursor(&mut link, CURSOR).await?.0;
    let size = log::latest_index(&mut link).await?.0;
    let to = (size / WIDTH * WIDTH).min(from + BATCH * WIDTH);
    if to <= from || !is_wanted(engine, &mut link, from).await? {
        return Ok(false);
    }
    drop(link);
    let objects = objects(engine, archive, from / WIDTH, to / WIDTH).await?;
    let put = |(path, bytes): (String, Vec<u8>)| archive.put(path, bytes);
    stream::iter(objects).map(put).buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
    let now = engine.environment().now();
    let (from, to) = (LogIndex(from), LogIndex(to));
    engine
        .0
        .store
        .transaction_in(Lane::Last, "archive", move |tx: &mut Tx| {
            Box::pin(
                async move { Ok::<(), Error>(log::move_cursor(tx, CURSOR, from, to, now).await?) },
            )
        })
        .await?;
    Ok(true)
}

/// An archive that nobody configured is written once there is a rule that needs it, or was one.
async fn is_wanted(
    engine: &Engine,
    link: &mut chancery_store::Link,
    from: u64,
) -> Result<bool, Error> {
    if engine.settings().archive_always || from > 0 {
        return Ok(true);
    }
    let is_ruled = table::rules(link).await?.iter().any(|rule| rule.enabled);
    Ok(is_ruled || !table::runs(link, 1).await?.is_empty())
}

/// The bundles `first..end` and the hash tiles that are full with them, as paths and bytes. Of a
/// bundle that entries were removed from there is only what the archive has.
async fn objects(
    engine: &Engine,
    archive: &Arc<dyn Archive>,
    first: u64,
    end: u64,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut link = engine.link().await?;
    let entries = log::entries(&mut link, first * WIDTH, end * WIDTH).await?;
    let mut objects = Vec::new();
    let mut removed = Vec::new();
    let mut tiles: Vec<(u8, u64)> = Vec::new();
    let damaged = |what: String| Error::LogDamaged(what);
    for number in first..end {
        let id = BundleId::new(number, TILE_WIDTH).map_err(|error| damaged(error.to_string()))?;
        let start = entries.partition_point(|(index, _)| *index < number * WIDTH);
        let stop = entries.partition_point(|(index, _)| *index < (number + 1) * WIDTH);
        let own = entries.get(start..stop).unwrap_or_default();
        if own.len() as u64 == WIDTH {
            let bytes = bundle::encode(own.iter().map(|(_, entry)| entry));
            objects.push((id.to_string(), bytes.map_err(|error| damaged(error.to_string()))?));
        } else {
            let lacks = WIDTH - own.len() as u64;
            let spans = log::removed_spans(&mut link, number * WIDTH, (number + 1) * WIDTH).await?;
            if spans.into_iter().map(|(first, last)| last - first + 1).sum::<u64>() < lacks {
                return Err(damaged(format!("entries of {id} are not all there")));
            }
            removed.push(number);
        }
        // A tile is full with the last bundle below it.
        let (mut level, mut done) = (0, number + 1);
        loop {
            tiles.push((level, done - 1));
            if done % WIDTH != 0 {
                break;
            }
            (level, done) = (level + 1, done / WIDTH);
        }
    }
    let stored = log::tiles(&mut link, tiles.clone()).await?;
    for (level, index) in tiles {
        let id = TileId::new(level, index, TILE_WIDTH).map_err(|e| damaged(e.to_string()))?;
        let hashes = stored.get(&(level, index)).filter(|hashes| hashes.len() == id.byte_len());
        let hashes = hashes.ok_or_else(|| damaged(format!("the tile {id} is not all there")))?;
        objects.push((id.to_string(), hashes.clone()));
    }
    drop(link);
    for number in removed {
        gap::tell_if_lost(archive, number).await?;
    }
    Ok(objects)
}
