//! Covering the log with a signed checkpoint: reading back, recomputing, comparing, and only then
//! signing (invariant 4).

use std::sync::Arc;

use chancery_seal::hash::Hash;
use chancery_seal::{Edge, leaf_hash};
use chancery_store::log::{self, State};
use chancery_store::{Lane, Link, Tx};

use super::stop::Trouble;
use super::{BATCH_MAX, Sealer};
use crate::Error;
use crate::tenure::Standing;

impl Sealer {
    /// Recomputes the root from what the store gives back, and signs it if it is right.
    pub(super) async fn publish(&self, state: State, standing: &Standing) -> Result<(), Trouble> {
        let State { size, signed_size } = state;
        let root = self.recomputed(state).await?;
        let damaged = |error: &dyn std::fmt::Display| Error::LogDamaged(error.to_string());
        let note = chancery_seal::Checkpoint::new(self.signer.verifier().name(), size, root)
            .and_then(|checkpoint| checkpoint.sign(&[&self.signer]))
            .map_err(|error| damaged(&error))?
            .to_string();
        let signed_at = self.desk.environment.now();
        let checkpoint = log::Checkpoint { size, root, note, signed_at };
        let newest = checkpoint.clone();
        let work = Arc::new((checkpoint, standing.clone()));
        self.store
            .transaction_in(Lane::First, "seal.publish", move |tx: &mut Tx| {
                let work = work.clone();
                Box::pin(async move {
                    work.1.keep(tx).await?;
                    Ok::<(), Error>(log::publish(tx, signed_size, &work.0).await?)
                })
            })
            .await?;
        self.known.learn(&newest);
        self.health.sealed(signed_at, size);
        Ok(())
    }

    /// The root of the log as the store gives it back, if it is the one of the stored tree.
    async fn recomputed(&self, State { size, signed_size }: State) -> Result<Hash, Trouble> {
        let mut link = self.store.read().await?;
        let mut edge = stored_edge(&mut link, signed_size).await?;
        if let Some(last) = log::checkpoint(&mut link).await?
            && (last.size != signed_size || edge.root() != last.root)
        {
            let what = format!(
                "the stored tree over {signed_size} entries does not have the root of the signed checkpoint"
            );
            return Err(Trouble::root(what, last.root, edge.root()));
        }
        if let Some(missing) = self.known.lacks_root(signed_size, &edge.root()) {
            return Err(Trouble::lost(missing));
        }
        while edge.size() < size {
            let (from, to) = (edge.size(), size.min(edge.size() + BATCH_MAX as u64));
            for row in &log::entry_rows(&mut link, from, to).await? {
                let (index, entry) = log::entry_of(row)?;
                if index != edge.size() {
                    let what = format!("entry {} is missing from the store", edge.size());
                    return Err(Trouble::missing(what));
                }
                edge.append(leaf_hash(entry));
            }
            if edge.size() != to {
                let what = format!("entry {} is missing from the store", edge.size());
                return Err(Trouble::missing(what));
            }
        }
        let root = edge.root();
        let stored = stored_edge(&mut link, size).await?.root();
        if root != stored {
            let what = format!(
                "entries {signed_size} to {size}, read back, do not give the root of the stored tree"
            );
            return Err(Trouble::root(what, stored, root));
        }
        Ok(root)
    }

    /// Whether nothing waits, and the stored tree is the one of the signed checkpoint.
    pub(super) async fn holds(&self) -> Result<bool, Error> {
        let mut link = self.store.read().await?;
        let State { size, signed_size } = log::state(&mut link).await?;
        if signed_size < size || log::is_pending(&mut link).await? {
            return Ok(false);
        }
        let root = stored_edge(&mut link, size).await?.root();
        let last = log::checkpoint(&mut link).await?;
        Ok(last.map_or(size == 0, |last| last.size == size && last.root == root))
    }
}

/// The edge of the tree over the first `size` entries, from the stored tiles.
pub(crate) async fn stored_edge(link: &mut Link, size: u64) -> Result<Edge, Error> {
    let wanted =
        chancery_seal::tree::edge_tiles(size).map(|tile| (tile.level(), tile.index())).collect();
    let tiles = log::tiles(link, wanted).await?;
    Edge::from_tiles(size, |id| {
        let hashes = tiles.get(&(id.level(), id.index()))?;
        hashes.get(..id.byte_len()).map(<[u8]>::to_vec)
    })
    .map_err(|error| Error::LogDamaged(error.to_string()))
}
