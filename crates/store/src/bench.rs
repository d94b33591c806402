//! The plain way to write the same rows: what a program without a sealed log would do.
//!
//! `chancery bench` measures the engine against it. Same database settings, same tables and indexes
//! (the very migration), same durability, as many rows to a statement as the engine writes; no
//! pending rows, no hashes, no checkpoint, no second look. Never used by a running server.

mod copy;
mod questions;
mod rows;

pub use questions::{certificate_facets, event_questions, make_due};
pub use rows::{alerts, fill, jobs, unrecorded_runs};

use std::path::Path;

use chancery_event::LogIndex;

use crate::filter_sql::Dialect;
use crate::log::Sealed;
use crate::sheet::Sheets;
use crate::table::certificate::{self, Certificate, Name, NewCertificate};
use crate::table::delivery::{self, Attempt};
use crate::{DatabaseUrl, Error, Settings, SqlValue, Tx, backend, log};

/// Bytes of a personal part with a name, an address and a program.
const PART_BYTES: usize = 81;

/// A database that takes rows as they come.
pub struct Plain {
    tx: Tx,
    way: Way,
}

/// How plain rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As many rows to an INSERT as the engine writes.
    Insert,
    /// COPY; on PostgreSQL alone.
    Copy,
}

/// A certificate with its bytes and names, as it is stored.
pub type CertificateRow = (Certificate, Vec<u8>, Vec<Name>);

impl Plain {
    /// A new database in `dir`, with the schema of the real one.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub async fn open(dir: &Path) -> Result<Self, Error> {
        Self::of(&Settings::embedded(dir), Way::Insert).await
    }

    /// A database with the schema of the real one; nothing else may write it meanwhile.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn of(settings: &Settings, way: Way) -> Result<Self, Error> {
        Ok(Self { tx: Tx::new(backend::plain(settings).await?), way })
    }

    /// Inserts events with everything they are searched by, in one durable commit.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_events(&mut self, events: &[Sealed]) -> Result<(), Error> {
        self.begin().await?;
        let dialect = self.tx.dialect();
        let end = events.last().map_or(0, |sealed| sealed.index().0 + 1);
        log::make_room(&mut self.tx.link, end).await?;
        let mut rows = Sheets::new(log::EVENT_WIDTH, 2_048);
        let mut found_by = log::Rows::new(events.len());
        for (number, sealed) in events.iter().enumerate() {
            let (event, index) = (sealed.event(), sealed.index());
            let rows = rows.next(events.len() - number);
            // Of the size of the real ones; what the bytes are does not matter here.
            let part = event.personal().map(|_| (&[7; 32], &[b'p'; PART_BYTES][..]));
            log::push_event(rows, index, event, sealed.entry(), part, sealed.sealed_at());
            found_by.push(dialect, event, index);
        }
        match self.way {
            Way::Insert => {
                self.tx.insert_sheets(log::EVENT_HEAD, "", &rows, log::EVENT_ROWS).await?;
                log::write_rows(&mut self.tx, &found_by).await?;
            }
            Way::Copy => {
                for rows in rows.all() {
                    copy::rows(&mut self.tx, log::EVENT_HEAD, rows).await?;
                }
                let (tables, words) = found_by.tables();
                for (head, rows) in tables {
                    copy::rows(&mut self.tx, head, rows).await?;
                }
                let head = "INSERT INTO event_text (id, words)";
                for words in words.all() {
                    copy::rows(&mut self.tx, head, &copy::words(words)).await?;
                }
            }
        }
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

    /// Inserts attempts at deliveries, in one durable commit.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_attempts(&mut self, rows: &[Attempt]) -> Result<(), Error> {
        self.begin().await?;
        delivery::add_attempts(&mut self.tx, rows).await?;
        self.commit().await
    }

    async fn begin(&mut self) -> Result<(), Error> {
        // One savepoint less than the engine needs: nobody else is in this commit.
        self.tx.savepoint = true;
        let begin = match self.tx.dialect() {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        };
        self.tx.link.execute(begin, Vec::<SqlValue>::new()).await.map(|_| ())
    }

    async fn commit(&mut self) -> Result<(), Error> {
        self.tx.end_unit(true).await?;
        self.tx.write_recorded().await?;
        self.tx.link.execute("COMMIT", Vec::<SqlValue>::new()).await.map(|_| ())
    }
}

/// Makes a schema of its own for throw-away data on a server, and answers how it is opened.
///
/// # Errors
/// The server cannot be used, or its user may not make schemas.
pub async fn throw_away(url: &DatabaseUrl, name: &str) -> Result<DatabaseUrl, Error> {
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    backend::postgres::run(url, &format!("CREATE SCHEMA {name}")).await?;
    Ok(url.clone().in_schema(&name))
}

/// Removes what [`throw_away`] made.
///
/// # Errors
/// The server cannot be used.
pub async fn remove(url: &DatabaseUrl, name: &str) -> Result<(), Error> {
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    backend::postgres::run(url, &format!("DROP SCHEMA IF EXISTS {name} CASCADE")).await
}

/// The index after the last event whose projections are written.
///
/// # Errors
/// The store cannot be read.
pub async fn projected(link: &mut crate::Link) -> Result<LogIndex, Error> {
    log::cursor(link, "projection").await
}
