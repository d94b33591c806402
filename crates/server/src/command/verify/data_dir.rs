//! The log in a data directory or in a database on a server, also while nodes run on it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use chancery_engine::archive::{Archive, Directory};
use chancery_event::Event;
use chancery_seal::{BundleId, TileId, bundle};
use chancery_store::log::Audited;
use chancery_store::{DatabaseUrl, Settings, Store, log};

use super::source::{Fetch, Fetched, Finding};

/// A data directory, opened for reading.
pub(crate) struct DataDir {
    store: Store,
    name: String,
    /// Where entries are that were removed from the database.
    archive: Option<Arc<dyn Archive>>,
}

impl DataDir {
    /// Opens the store in `path` for reading only.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let store = Store::open_to_read(&Settings::embedded(path)).await?;
        let archive = Directory::new(path.join("archive"));
        Ok(Self { store, name: path.display().to_string(), archive: Some(Arc::new(archive)) })
    }
}

impl DataDir {
    /// Opens a database on a server for reading only.
    pub(crate) async fn on_server(url: DatabaseUrl) -> Result<Self> {
        let name = url.place().to_owned();
        let store = Store::open_to_read(&Settings::postgres(url)).await?;
        Ok(Self { store, name, archive: None })
    }

    /// The same log, of which entries that were removed from the database are in `archive`.
    pub(crate) fn with_archive(mut self, archive: Arc<dyn Archive>) -> Self {
        self.archive = Some(archive);
        self
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The entries of a full bundle in the archive, with their indexes.
    async fn archived(&self, id: BundleId, first: u64) -> Result<Vec<(u64, Vec<u8>)>> {
        let what = "entries were removed from the database, and";
        let archive = self.archive.as_ref();
        let archive = archive.with_context(|| format!("{what} no archive is known"))?;
        let full = id.full();
        let bytes = archive.get(full.to_string()).await?;
        let bytes = bytes.with_context(|| {
            let place = archive.place();
            format!("{what} {full} is not in {place}: verify and restore take --archive DIR")
        })?;
        let entries = bundle::decode(full, &bytes).with_context(|| format!("{full}"))?;
        Ok((first..).zip(entries.into_iter().map(<[u8]>::to_vec)).collect())
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
        let end = first + u64::from(id.width());
        let mut rows = log::audit(&mut link, first, end).await?;
        let mut fetched = Fetched::default();
        if (rows.len() as u64) < end - first {
            // Only what the database says was removed: a row that is missing otherwise stays so.
            let removed = log::removed_spans(&mut link, first, end).await?;
            drop(link);
            if !removed.is_empty() {
                let gone = |index: u64| removed.iter().any(|(a, b)| (*a..=*b).contains(&index));
                let archived = self.archived(id, first).await?;
                let archived = archived.into_iter().filter(|(index, _)| gone(*index));
                rows.extend(archived.map(|(index, entry)| {
                    let flaw = content(&entry);
                    Audited { index, entry, erased: true, flaw }
                }));
                rows.sort_by_key(|row| row.index);
            }
        }
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

/// What is wrong in an entry that has no row beside it.
fn content(entry: &[u8]) -> Option<String> {
    Event::open(entry, None).err().map(|error| error.to_string())
}
