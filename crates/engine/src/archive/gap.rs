//! Notices an archive that ends before its cursor: an older copy was put back, or the place was
//! changed without its content. The cursor is in the database and knows nothing of that.
//!
//! It goes back to where the archive ends, and what lies between is written again from the
//! database. What was removed from there meanwhile is nowhere else: that is said, once for each
//! bundle, and the rest goes on.

use std::sync::Arc;

use chancery_event::LogIndex;
use chancery_seal::BundleId;
use chancery_seal::tile::TILE_WIDTH;
use chancery_store::{Lane, Tx, log};

use super::write::BATCH;
use super::{Archive, CURSOR, WIDTH};
use crate::{Engine, Error};

/// Moves the cursor back to where the archive ends, if that is before it.
pub(super) async fn close(engine: &Engine, archive: &Arc<dyn Archive>) -> Result<(), Error> {
    let cursor = log::cursor(&mut engine.link().await?, CURSOR).await?;
    let written = cursor.0 / WIDTH;
    let end = end(archive, written).await?;
    if end == written {
        return Ok(());
    }
    // Bundles of one batch are written in any order: what is there already is written again.
    let from = LogIndex(end.saturating_sub(BATCH) * WIDTH);
    tracing::warn!(
        archive = archive.place(),
        "the archive ends at entry {}, and {} had been written: the rest is written again",
        end * WIDTH,
        written * WIDTH,
    );
    let now = engine.environment().now();
    engine
        .0
        .store
        .transaction_in(Lane::Last, "archive", move |tx: &mut Tx| {
            Box::pin(async move {
                Ok::<(), Error>(log::move_cursor(tx, CURSOR, cursor, from, now).await?)
            })
        })
        .await
}

/// How many of the first `written` bundles the archive has. Only its end is looked for: steps back
/// that double, then halves between what is there and what is not.
async fn end(archive: &Arc<dyn Archive>, written: u64) -> Result<u64, Error> {
    let (mut missing, mut step) = (written, 1);
    let mut there = loop {
        if missing == 0 {
            return Ok(0);
        }
        let number = missing.saturating_sub(step);
        if has(archive, number).await? {
            break number;
        }
        (missing, step) = (number, step * 2);
    };
    while missing - there > 1 {
        let middle = there + (missing - there) / 2;
        if has(archive, middle).await? {
            there = middle;
        } else {
            missing = middle;
        }
    }
    Ok(missing)
}

/// Says so where the archive lacks a bundle that entries were removed from: it cannot be written.
pub(super) async fn tell_if_lost(archive: &Arc<dyn Archive>, number: u64) -> Result<(), Error> {
    if !has(archive, number).await? {
        tracing::error!(
            archive = archive.place(),
            "the archive lacks the entries {} to {}, and some of them were removed from the \
             database: they are nowhere else. Put a newer copy of the archive in its place",
            number * WIDTH,
            (number + 1) * WIDTH - 1,
        );
    }
    Ok(())
}

/// Whether the archive has a bundle.
async fn has(archive: &Arc<dyn Archive>, number: u64) -> Result<bool, Error> {
    let id = BundleId::new(number, TILE_WIDTH);
    let id = id.map_err(|error| Error::LogDamaged(error.to_string()))?;
    Ok(archive.get(id.to_string()).await?.is_some())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures::future::BoxFuture;

    use super::*;
    use crate::archive::ArchiveError;

    /// Has the first bundles, and counts how often it is asked.
    struct Prefix(u64, AtomicU64);

    impl Archive for Prefix {
        fn put(&self, _: String, _: Vec<u8>) -> BoxFuture<'static, Result<(), ArchiveError>> {
            Box::pin(async { Ok(()) })
        }

        fn get(&self, path: String) -> BoxFuture<'static, Result<Option<Vec<u8>>, ArchiveError>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            let digits = path.trim_start_matches("tile/entries/").replace(['x', '/'], "");
            let number: u64 = digits.parse().unwrap();
            let found = (number < self.0).then(Vec::new);
            Box::pin(async move { Ok(found) })
        }

        fn place(&self) -> String {
            "here".to_owned()
        }
    }

    #[tokio::test]
    async fn the_end_of_an_archive_is_found_with_few_looks() {
        for written in [0, 1, 2, 3, 17, 1_000, 100_001] {
            for there in [0, 1, 2, 16, 998, 999, 1_000, 70_000, 100_000, 100_001] {
                let there = there.min(written);
                let prefix = Arc::new(Prefix(there, AtomicU64::new(0)));
                let archive: Arc<dyn Archive> = prefix.clone();
                assert_eq!(end(&archive, written).await.unwrap(), there, "of {written}");
                let looks = prefix.1.load(Ordering::Relaxed);
                let few = if there == written { 1 } else { 40 };
                assert!(looks <= few, "{there} of {written}: {looks} looks");
            }
        }
    }
}
