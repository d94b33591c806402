//! What is served under `/log/` (C2SP tlog-tiles): checkpoint, hash tiles, entry bundles.
//!
//! Nothing beyond the signed size is given out, and every answer is exactly as wide as it was asked
//! for, so that an answer never changes and may be cached for ever.

use chancery_seal::{BundleId, TileId, bundle};
use chancery_store::log;

use crate::{Context, Engine, Error, Permission};

impl Engine {
    /// The newest signed checkpoint, as a signed note.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn log_checkpoint(&self) -> Result<Option<log::Checkpoint>, Error> {
        Ok(log::checkpoint(&mut self.link().await?).await?)
    }

    /// A hash tile; `None` if the signed tree does not have it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn log_tile(&self, id: TileId) -> Result<Option<Vec<u8>>, Error> {
        let mut link = self.link().await?;
        let size = log::state(&mut link).await?.signed_size;
        // What the tree of the signed size has at this place; a narrower tile is its beginning.
        let held = TileId::in_tree(id.level(), id.index(), size);
        if held.is_none_or(|held| held.width() < id.width()) {
            return Ok(None);
        }
        let stored = log::tile(&mut link, id.level(), id.index()).await?;
        Ok(stored.and_then(|hashes| hashes.get(..id.byte_len()).map(<[u8]>::to_vec)))
    }

    /// An entry bundle; `None` if the signed log does not have it.
    ///
    /// # Errors
    /// The caller may not read the log or not see all events, or the stored log is damaged.
    pub async fn log_bundle(
        &self,
        context: &Context,
        id: BundleId,
    ) -> Result<Option<Vec<u8>>, Error> {
        context.require(Permission::LogRead)?;
        self.require_all_events(context).await?;
        let mut link = self.link().await?;
        let size = log::state(&mut link).await?.signed_size;
        let from = id.index() * 256;
        let to = from + u64::from(id.width());
        if to > size {
            return Ok(None);
        }
        drop(link);
        let entries = self.whole_entries(from, to).await?;
        if entries.len() != usize::from(id.width()) {
            return Err(Error::LogDamaged(format!("entries {from} to {to} are not all there")));
        }
        bundle::encode(entries.iter().map(|(_, entry)| entry))
            .map(Some)
            .map_err(|error| Error::LogDamaged(error.to_string()))
    }
}
