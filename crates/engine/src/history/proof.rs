//! Proofs that an event is in the log (C2SP tlog-proof).

use std::collections::HashMap;

use chancery_event::LogIndex;
use chancery_event::id::EventId;
use chancery_seal::tlog_proof::TlogProof;
use chancery_seal::{Note, TileId, proof};
use chancery_store::log;

use crate::{Context, Engine, Error, Permission};

impl Engine {
    /// The proof that an event is in the log: index, hashes, checkpoint. It verifies off-line, with
    /// the sealed bytes and the verifier key.
    ///
    /// # Errors
    /// There is no such sealed event, or the stored tree is damaged.
    pub async fn proof(&self, context: &Context, id: EventId) -> Result<String, Error> {
        context.require(Permission::EventRead)?;
        // Refused here as where it is read: the proof tells the place of the event. Of one that was
        // removed the tree has the hash as before.
        let LogIndex(index) = self.event(context, id).await?.index;
        let mut link = self.link().await?;
        let checkpoint = log::checkpoint(&mut link).await?;
        let checkpoint = checkpoint
            .filter(|checkpoint| checkpoint.size > index)
            .ok_or_else(|| Error::not_found("checkpoint over event", id))?;
        let wanted = proof::tiles_for_inclusion(index, checkpoint.size);
        let keys = wanted.iter().map(|tile| (tile.level(), tile.index())).collect();
        let stored = log::tiles(&mut link, keys).await?;
        let tiles: HashMap<TileId, Vec<u8>> = wanted
            .into_iter()
            .filter_map(|tile| {
                let hashes = stored.get(&(tile.level(), tile.index()))?;
                Some((tile, hashes.get(..tile.byte_len())?.to_vec()))
            })
            .collect();
        let damaged = |what: String| Error::LogDamaged(what);
        let hashes = proof::inclusion_proof(&tiles, index, checkpoint.size)
            .map_err(|error| damaged(error.to_string()))?;
        let note =
            Note::parse(checkpoint.note.as_bytes()).map_err(|error| damaged(error.to_string()))?;
        TlogProof::new(index, hashes, note)
            .map(|proof| proof.to_string())
            .map_err(|error| damaged(error.to_string()))
    }
}
