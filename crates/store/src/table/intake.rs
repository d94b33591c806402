//! Sources of events of other systems, and which of their events are there already.

use chancery_event::Timestamp;
use chancery_event::id::CertificateId;

use crate::{Error, Link, Row, Tx, args};

/// A source as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its identity: a name of lower-case letters, digits and hyphens.
    pub name: String,
    /// What it speaks.
    pub dialect: String,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// Whether it may send.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Events taken in.
    pub accepted: i64,
    /// Events that were there already.
    pub repeated: i64,
    /// Events taken in whose code is not known.
    pub unknown: i64,
    /// Bodies that could not be read.
    pub refused: i64,
    /// When something came last.
    pub last_at: Option<Timestamp>,
    /// What was wrong last.
    pub last_problem: Option<String>,
}

/// What one body adds to the figures of its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events taken in.
    pub accepted: i64,
    /// Events that were there already.
    pub repeated: i64,
    /// Events taken in whose code is not known.
    pub unknown: i64,
}

const COLUMNS: &str = "name, dialect, secret_hash, enabled, created_at, accepted, repeated,
     unknown, refused, last_at, last_problem";

fn read(row: &Row) -> Result<Source, Error> {
    Ok(Source {
        name: row.text("name")?,
        dialect: row.text("dialect")?,
        secret_hash: row.array("secret_hash")?,
        enabled: row.flag("enabled")?,
        created_at: row.time("created_at")?,
        accepted: row.int("accepted")?,
        repeated: row.int("repeated")?,
        unknown: row.int("unknown")?,
        refused: row.int("refused")?,
        last_at: row.maybe_time("last_at")?,
        last_problem: row.maybe_text("last_problem")?,
    })
}

/// All sources, by name.
pub async fn all(link: &mut Link) -> Result<Vec<Source>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM intake_source ORDER BY name");
    link.rows(sql, Vec::new()).await?.iter().map(read).collect()
}

/// The source with this name.
pub async fn find(link: &mut Link, name: &str) -> Result<Option<Source>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM intake_source WHERE name = $1");
    link.row(sql, args![name]).await?.as_ref().map(read).transpose()
}

/// Inserts a source; [`Error::Exists`] if its name is taken.
pub async fn insert(tx: &mut Tx, source: &Source) -> Result<(), Error> {
    let sql = "INSERT INTO intake_source
               (name, dialect, secret_hash, enabled, created_at, accepted, repeated, unknown,
                refused)
               VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0)";
    let Source { name, dialect, secret_hash, enabled, created_at, .. } = source;
    let values = args![name, dialect, *secret_hash, *enabled, *created_at];
    tx.execute(sql, values).await.map(|_| ())
}

/// Sets whether a source may send, and its secret.
pub async fn update(
    tx: &mut Tx,
    name: &str,
    enabled: bool,
    secret_hash: [u8; 32],
) -> Result<bool, Error> {
    let sql = "UPDATE intake_source SET enabled = $2, secret_hash = $3 WHERE name = $1";
    Ok(tx.execute(sql, args![name, enabled, secret_hash]).await? == 1)
}

/// Deletes a source and what is known of its events; true if it was there.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<bool, Error> {
    tx.execute("DELETE FROM intake_seen WHERE source = $1", args![name]).await?;
    let sql = "DELETE FROM intake_source WHERE name = $1";
    Ok(tx.execute(sql, args![name]).await? == 1)
}

/// Adds to the figures of a source.
pub async fn count(tx: &mut Tx, name: &str, tally: Tally, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE intake_source SET accepted = accepted + $2, repeated = repeated + $3,
               unknown = unknown + $4, last_at = $5 WHERE name = $1";
    let Tally { accepted, repeated, unknown } = tally;
    tx.execute(sql, args![name, accepted, repeated, unknown, now]).await.map(|_| ())
}

/// Counts a body that could not be read.
pub async fn refused(tx: &mut Tx, name: &str, why: &str, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE intake_source SET refused = refused + 1, last_at = $2, last_problem = $3
               WHERE name = $1";
    tx.execute(sql, args![name, now, why]).await.map(|_| ())
}

/// Notes that an event of a source is there; false if it was before.
pub async fn note(tx: &mut Tx, source: &str, key: [u8; 32], now: Timestamp) -> Result<bool, Error> {
    let sql = "INSERT INTO intake_seen (source, key, seen_at) VALUES ($1, $2, $3)
               ON CONFLICT (source, key) DO NOTHING";
    Ok(tx.execute(sql, args![source, key, now]).await? == 1)
}

/// Forgets what was noted before a time.
pub async fn forget_before(tx: &mut Tx, time: Timestamp) -> Result<(), Error> {
    let sql = "DELETE FROM intake_seen WHERE seen_at < $1";
    tx.execute(sql, args![time]).await.map(|_| ())
}

/// Certificates with one of two spellings of a serial number, with their issuers; 50 at most.
pub async fn by_serial(
    link: &mut Link,
    serial: &str,
    other: &str,
) -> Result<Vec<(CertificateId, String)>, Error> {
    let sql = "SELECT id, issuer_dn FROM certificate WHERE serial IN ($1, $2)
               ORDER BY id LIMIT 50";
    let rows = link.rows(sql, args![serial, other]).await?;
    rows.iter().map(|row| Ok((row.id("id")?, row.text("issuer_dn")?))).collect()
}
