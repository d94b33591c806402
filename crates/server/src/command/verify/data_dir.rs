//! The log in a data directory or in a database on a server, also while nodes run on it.

use std::path::Path;

use anyhow::{Context as _, Result};
use chancery_seal::{BundleId, TileId, bundle};
use chancery_store::{DatabaseUrl, Settings, Store, log};

use super::source::{Fetch, Fetched, Finding};

/// A data directory, opened for reading.
pub(crate) struct DataDir {
    store: Store,
    name: String,
}

impl DataDir {
    /// Opens the store in `path` for reading only.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let store = Store::open_to_read(&Settings::embedded(path)).await?;
        Ok(Self { store, name: path.display().to_string() })
    }
}

impl DataDir {
    /// Opens a database on a server for reading only.
    pub(crate) async fn on_server(url: DatabaseUrl) -> Result<Self> {
        let name = url.place().to_owned();
        let store = Store::open_to_read(&Settings::postgres(url)).await?;
        Ok(Self { store, name })
    }
}

impl Fetch for DataDir {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn surplus(&self) -> Result<Vec<Finding>> {
        let rows = log::surplus(&mut self.store.read().await?).await?;
        let finding = |index: i64| Finding {
            index: u64::try_from(index).unwrap_or(0),
            what: format!("a row with the log index {index} is outside of the log"),
        };
        Ok(rows.into_iter().map(finding).collect())
    }

    async fn checkpoint(&self) -> Result<Option<Vec<u8>>> {
        let checkpoint = log::checkpoint(&mut self.store.read().await?).await?;
        Ok(checkpoint.map(|checkpoint| checkpoint.note.into_bytes()))
    }

    async fn tile(&self, id: TileId) -> Result<Option<Vec<u8>>> {
        let mut link = self.store.read().await?;
        Ok(log::tile(&mut link, id.level(), id.index()).await?)
    }

    async fn bundle(&self, id: BundleId) -> Result<Option<Fetched>> {
        let first = id.index() * u64::from(chancery_seal::tile::TILE_WIDTH);
        let mut link = self.store.read().await?;
        let rows = log::audit(&mut link, first, first + u64::from(id.width())).await?;
        let mut fetched = Fetched::default();
        for (index, row) in (first..).zip(rows) {
            // Behind a gap nothing has its place; the bundle ends there and is found too short.
            if row.index != index {
                break;
            }
            bundle::push_entry(&mut fetched.bytes, &row.entry)
                .with_context(|| format!("entry {index}"))?;
            fetched.entries += 1;
            fetched.erased += u64::from(row.erased);
            fetched.findings.extend(row.flaw.map(|what| Finding { index, what }));
        }
        Ok((fetched.entries > 0).then_some(fetched))
    }
}
