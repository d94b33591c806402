//! The plain way to write the same rows: what a program without a sealed log would do.
//!
//! `chancery bench` measures the engine against it. Same database settings, same tables and indexes
//! (the very migration), same durability, as many rows to a statement as the engine writes; no
//! pending rows, no hashes, no checkpoint, no second look. Never used by a running server.

mod questions;
mod rows;

pub use questions::{certificate_facets, event_questions, make_due};
pub use rows::{alerts, fill, unrecorded_runs};

use std::path::Path;

use chancery_event::{LogIndex, search};

use crate::log::Sealed;
use crate::table::certificate::{self, Certificate, Name, NewCertificate};
use crate::{Error, Settings, SqlValue, Tx, args, backend, log};

/// A database that takes rows as they come.
pub struct Plain {
    tx: Tx,
}

/// A certificate with its bytes and names, as it is stored.
pub type CertificateRow = (Certificate, Vec<u8>, Vec<Name>);

impl Plain {
    /// A new database in `dir`, with the schema of the real one.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub async fn open(dir: &Path) -> Result<Self, Error> {
        let link = backend::plain(&Settings::embedded(dir)).await?;
        Ok(Self { tx: Tx::new(link) })
    }

    /// Inserts events with everything they are searched by, in one durable commit.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_events(&mut self, events: &[Sealed]) -> Result<(), Error> {
        self.begin().await?;
        let tx = &mut self.tx;
        let rows = events
            .iter()
            .map(|sealed| {
                let event = sealed.event();
                // Of the size of the real ones; what the bytes are does not matter here.
                let part = event.personal().and_then(|part| serde_json::to_vec(part).ok());
                let part = part.map(|part| ([7; 32], part));
                log::event_row(
                    sealed.index(),
                    event,
                    sealed.entry(),
                    part.as_ref(),
                    sealed.sealed_at(),
                )
            })
            .collect();
        tx.insert_many(log::EVENT_HEAD, "", rows).await?;
        let (mut targets, mut keys, mut words) = (Vec::new(), Vec::new(), Vec::new());
        for sealed in events {
            let (event, index) = (sealed.event(), sealed.index());
            targets.extend(search::targets(event).map(|reference| args![reference, index]));
            let keyed = log::keys_of(event, index);
            keys.extend(keyed.map(|(name, value, index)| args![name, value, index]));
            words.push(args![index, search::words(event)]);
        }
        tx.insert_many("INSERT INTO event_target (reference, log_index)", "", targets).await?;
        tx.insert_many("INSERT INTO event_key (name, value, log_index)", "", keys).await?;
        tx.insert_many("INSERT INTO event_text (rowid, words)", "", words).await?;
        self.commit().await
    }

    /// Inserts certificates with their bytes and names, in one durable commit: each with its own
    /// statements, as callers that upload one each make the engine do.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_certificates(&mut self, rows: &[CertificateRow]) -> Result<(), Error> {
        self.begin().await?;
        for (row, der, names) in rows {
            certificate::insert(&mut self.tx, row, der, names, 1).await?;
        }
        self.commit().await
    }

    /// The same with as many rows to a statement as an import of the engine writes.
    ///
    /// # Errors
    /// What the database says.
    pub async fn import_certificates(&mut self, rows: &[CertificateRow]) -> Result<(), Error> {
        self.begin().await?;
        let mut batch = Vec::with_capacity(rows.len());
        for (row, der, names) in rows {
            batch.push(NewCertificate { row, der, names, issuers_known: 1 });
        }
        certificate::insert_all(&mut self.tx, &batch).await?;
        self.commit().await
    }

    async fn begin(&mut self) -> Result<(), Error> {
        // One savepoint less than the engine needs: nobody else is in this commit.
        self.tx.savepoint = true;
        self.tx.link.execute("BEGIN IMMEDIATE", Vec::<SqlValue>::new()).await.map(|_| ())
    }

    async fn commit(&mut self) -> Result<(), Error> {
        self.tx.end_unit(true).await?;
        self.tx.write_recorded().await?;
        self.tx.link.execute("COMMIT", Vec::<SqlValue>::new()).await.map(|_| ())
    }
}

/// The index after the last event whose projections are written.
///
/// # Errors
/// The store cannot be read.
pub async fn projected(link: &mut crate::Link) -> Result<LogIndex, Error> {
    log::cursor(link, "projection").await
}
