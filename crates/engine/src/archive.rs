//! The archive: entry bundles and hash tiles of the log outside of the database, under the paths of
//! C2SP tlog-tiles.
//!
//! Read in this order: [`Archive`] (where bytes are kept), `Directory` (on disk), `run` (the loop
//! that writes behind the log), `gap` (an archive that ends too early), reading back, `sight`
//! (whether a node sees what others write). One node writes, by lease; what is full never changes,
//! so that writing twice does no harm. Its cursor moves after the bytes are safe, and events leave
//! the database only behind it
//! ([`crate::retention`]).
//!
//! A bundle that is read here is checked against the hash tile in the database before anybody sees
//! it. Personal data never comes here: it is not in the sealed bytes.

mod directory;
mod gap;
pub(crate) mod sight;
mod write;

use std::sync::Arc;

use chancery_event::LogIndex;
use chancery_seal::tile::TILE_WIDTH;
use chancery_seal::{BundleId, TileId, bundle, leaf_hash};
use chancery_store::{Link, log};
use futures::future::BoxFuture;

use crate::{Engine, Error};

pub use directory::Directory;
pub(crate) use write::run;

/// Encoded bundles that follow each other.
pub(crate) type Bundles = Vec<Option<Vec<u8>>>;

/// Entries of a bundle.
const WIDTH: u64 = TILE_WIDTH as u64;
/// The name of its cursor.
pub(crate) const CURSOR: &str = "archive";

/// Why the archive did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the archive {place}: {what}")]
pub struct ArchiveError {
    /// Which archive.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

/// Where tiles and entry bundles are kept.
pub trait Archive: Send + Sync + 'static {
    /// Keeps bytes under a path such as `tile/entries/x001/067`; answers when they are safe. What
    /// was there before is replaced.
    fn put(&self, path: String, bytes: Vec<u8>) -> BoxFuture<'static, Result<(), ArchiveError>>;

    /// The bytes under a path; `None` if there are none.
    fn get(&self, path: String) -> BoxFuture<'static, Result<Option<Vec<u8>>, ArchiveError>>;

    /// Whether there are bytes under a path.
    fn has(&self, path: String) -> BoxFuture<'static, Result<bool, ArchiveError>> {
        let found = self.get(path);
        Box::pin(async move { Ok(found.await?.is_some()) })
    }

    /// Where it is, for people: never with credentials.
    fn place(&self) -> String;
}

impl From<ArchiveError> for Error {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error.to_string())
    }
}

impl Engine {
    /// The archive that entries are written to, where there is one. A directory that nobody named
    /// is no archive for a database that other nodes use as well.
    pub(crate) fn archive(&self) -> Option<Arc<dyn Archive>> {
        let settings = self.settings();
        let own = settings.database.is_none();
        settings.archive.clone().filter(|_| own || settings.archive_always)
    }

    /// The entries of a full bundle from the archive, checked against the tile of the log.
    ///
    /// # Errors
    /// [`Error::Archive`] if there is no archive, it does not answer or lacks the bundle;
    /// [`Error::LogDamaged`] if what it has is not what was sealed.
    pub(crate) async fn archived(&self, index: u64) -> Result<Vec<Vec<u8>>, Error> {
        let damaged = |what: String| Error::LogDamaged(what);
        // Also where nothing is written: a log that moved to a server may have been trimmed before.
        let archive = self.settings().archive.clone().ok_or_else(|| {
            Error::Archive("entries were removed from the database, and no archive is set".into())
        })?;
        let id = BundleId::new(index, TILE_WIDTH).map_err(|error| damaged(error.to_string()))?;
        let place = archive.place();
        let bytes = archive.get(id.to_string()).await?;
        let lacks = || Error::Archive(format!("the archive {place} lacks {id}"));
        let bytes = bytes.ok_or_else(lacks)?;
        let entries =
            bundle::decode(id, &bytes).map_err(|error| damaged(format!("{id}: {error}")))?;
        // Only now: nobody waits for a connection while an archive takes its time.
        let hashes = stored_hashes(&mut self.link().await?, id.tile()).await?;
        let fits = hashes.len() == entries.len()
            && entries.iter().zip(&hashes).all(|(entry, hash)| leaf_hash(entry) == *hash);
        if !fits {
            return Err(damaged(format!("{id} in the archive {place} is not what was sealed")));
        }
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// The bytes of entries `from..to` in order, those that were removed from the archive. What is
    /// in neither is left out; callers count.
    ///
    /// # Errors
    /// The store cannot be read; as [`Engine::archived`].
    pub(crate) async fn whole_entries(
        &self,
        from: u64,
        to: u64,
    ) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let mut link = self.link().await?;
        let entries = log::entries(&mut link, from, to).await?;
        let wanted = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        if entries.len() >= wanted {
            return Ok(entries);
        }
        let removed = log::removed_spans(&mut link, from, to).await?;
        drop(link);
        let mut found = Vec::new();
        let mut bundle: Option<(u64, Vec<Vec<u8>>)> = None;
        for index in removed.into_iter().flat_map(|(first, last)| first..=last) {
            let number = index / WIDTH;
            if bundle.as_ref().is_none_or(|(known, _)| *known != number) {
                bundle = Some((number, self.archived(number).await?));
            }
            let place = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
            let entry = bundle.as_ref().and_then(|(_, entries)| entries.get(place)).cloned();
            found.extend(entry.map(|entry| (index, entry)));
        }
        Ok(together(entries, found))
    }

    /// The bundles of entries `from..to`, of which `from` is the first of a bundle: what
    /// [`Engine::whole_entries`] gives, encoded. One that lacks an entry is shorter; one with an
    /// entry that fits none is left out.
    ///
    /// # Errors
    /// As [`Engine::whole_entries`].
    pub(crate) async fn whole_bundles(&self, from: u64, to: u64) -> Result<Bundles, Error> {
        let mut link = self.link().await?;
        let rows = log::entry_rows(&mut link, from, to).await?;
        drop(link);
        let wanted = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        if rows.len() < wanted {
            let entries = self.whole_entries(from, to).await?;
            let entries = entries.iter().map(|(index, entry)| (*index, entry.as_slice()));
            return Ok(bundles(from, to, &entries.collect::<Vec<_>>()));
        }
        let entries = rows.iter().map(log::entry_of).collect::<Result<Vec<_>, _>>()?;
        Ok(bundles(from, to, &entries))
    }

    /// The sealed bytes of an entry that was removed.
    pub(crate) async fn archived_entry(&self, index: LogIndex) -> Result<Vec<u8>, Error> {
        let entries = self.archived(index.0 / WIDTH).await?;
        let place = usize::try_from(index.0 % WIDTH).unwrap_or(usize::MAX);
        let entry = entries.into_iter().nth(place);
        entry.ok_or_else(|| Error::LogDamaged(format!("entry {index} is not in its bundle")))
    }
}

/// Entries of the database and of the archive, each index once and in order: what is removed
/// between the two readings is in both.
fn together(stored: Vec<(u64, Vec<u8>)>, archived: Vec<(u64, Vec<u8>)>) -> Vec<(u64, Vec<u8>)> {
    let mut entries = stored;
    entries.extend(archived);
    entries.sort_by_key(|(index, _)| *index);
    entries.dedup_by_key(|(index, _)| *index);
    entries
}

/// Encodes entries in order into the bundles of `from..to`.
fn bundles(from: u64, to: u64, entries: &[(u64, &[u8])]) -> Bundles {
    let encode = |number: u64| {
        let start = entries.partition_point(|(index, _)| *index < number * WIDTH);
        let end = entries.partition_point(|(index, _)| *index < (number + 1) * WIDTH);
        let few = entries.get(start..end).unwrap_or_default();
        bundle::encode(few.iter().map(|(_, entry)| entry)).ok()
    };
    (from / WIDTH..to.div_ceil(WIDTH)).map(encode).collect()
}

/// The hashes of a full tile as the database has them.
async fn stored_hashes(link: &mut Link, id: TileId) -> Result<Vec<chancery_seal::Hash>, Error> {
    let stored = log::tile(link, id.level(), id.index()).await?;
    let stored = stored.ok_or_else(|| Error::LogDamaged(format!("the tile {id} is missing")))?;
    id.hashes(&stored).map_err(|error| Error::LogDamaged(format!("{id}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_while_it_is_read_is_there_once() {
        let entry = |index: u64| (index, vec![u8::try_from(index).unwrap()]);
        let stored = vec![entry(1), entry(2), entry(5)];
        let archived = vec![entry(2), entry(3), entry(4), entry(5)];
        assert_eq!(together(stored, archived), (1..=5).map(entry).collect::<Vec<_>>());
    }
}
