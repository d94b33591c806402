//! A stored log as the verifier wants it: tiles and bundles, read from the database when asked for.
//!
//! The verifier is synchronous: call it from a thread that may block.

use std::borrow::Cow;

use anyhow::{Context as _, Result, anyhow};
use chancery_seal::checkpoint::Trust;
use chancery_seal::proof::TileSource;
use chancery_seal::tile::{BundleId, TILE_WIDTH, TileId};
use chancery_seal::verify::{LogSource, verify_log};
use chancery_seal::{Verifier, bundle};
use chancery_store::{Store, log};
use tokio::runtime::Handle;

/// The log in a store.
pub struct StoredLog {
    store: Store,
    runtime: Handle,
}

impl StoredLog {
    /// The log of `store`; to be made within a runtime, and used on a thread that may block.
    pub fn new(store: Store) -> Self {
        Self { store, runtime: Handle::current() }
    }

    /// Verifies every entry, every tile and the newest checkpoint; answers the size of the log.
    ///
    /// # Errors
    /// The log is faulty or cannot be read.
    pub async fn verify(store: Store, verifier: Verifier) -> Result<u64> {
        let source = Self::new(store);
        tokio::task::spawn_blocking(move || {
            let trust = Trust::new(verifier.name(), vec![verifier.clone()]);
            let opened = verify_log(&source, &trust, |_| {}).map_err(|error| match error {
                chancery_seal::verify::VerifyError::Fault(fault) => anyhow!(fault),
                chancery_seal::verify::VerifyError::Source(error) => error,
            })?;
            Ok(opened.checkpoint.size())
        })
        .await
        .context("verification")?
    }
}

impl TileSource for StoredLog {
    type Error = anyhow::Error;

    fn tile(&self, id: TileId) -> Result<Option<Cow<'_, [u8]>>> {
        self.runtime.block_on(async {
            let mut link = self.store.read().await?;
            Ok(log::tile(&mut link, id.level(), id.index()).await?.map(Cow::Owned))
        })
    }
}

impl LogSource for StoredLog {
    fn checkpoint(&self) -> Result<Option<Vec<u8>>> {
        self.runtime.block_on(async {
            let mut link = self.store.read().await?;
            Ok(log::checkpoint(&mut link).await?.map(|checkpoint| checkpoint.note.into_bytes()))
        })
    }

    fn bundle(&self, id: BundleId) -> Result<Option<Cow<'_, [u8]>>> {
        let from = id.index() * u64::from(TILE_WIDTH);
        let entries = self.runtime.block_on(async {
            let mut link = self.store.read().await?;
            log::entries(&mut link, from, from + u64::from(id.width())).await
        })?;
        if entries.len() != usize::from(id.width()) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        for (_, entry) in &entries {
            bundle::push_entry(&mut bytes, entry)?;
        }
        Ok(Some(Cow::Owned(bytes)))
    }
}
