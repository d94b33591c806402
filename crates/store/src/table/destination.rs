//! Destinations: forwarders and notification channels, their versions, and how it goes with them.
//!
//! A node that serves a destination writes its token into the row; what it then writes about it
//! names the token, so that a node that lost its lease cannot move the cursor or book a receipt.

use chancery_event::{LogIndex, Timestamp};

use super::lease::Term;
use crate::{Error, Link, Row, Tx, args};

/// A destination as stored, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// `forwarder` or `channel`.
    pub class: String,
    /// How it sends.
    pub kind: String,
    /// The version that counts.
    pub version: i64,
    /// Whether it is served.
    pub enabled: bool,
    /// The folder it lives in.
    pub path: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
    /// Why it is not enabled.
    pub disabled_because: Option<String>,
    /// The next log index it has not looked at.
    pub next_index: LogIndex,
    /// While it sends again: up to which index, and where it goes on after that.
    pub replay: Option<(LogIndex, LogIndex)>,
    /// When its next batch is due.
    pub batch_at: Option<Timestamp>,
    /// How it goes.
    pub course: Course,
}

/// How it goes with a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// Failed attempts in a row.
    pub failures: i64,
    /// When the first of them was.
    pub failing_since: Option<Timestamp>,
    /// Nothing is sent before.
    pub open_until: Option<Timestamp>,
    /// When something was tried last.
    pub last_attempt_at: Option<Timestamp>,
    /// When something got through last.
    pub last_success_at: Option<Timestamp>,
    /// When a trial got through last: trials alone write it.
    pub tested_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// It has been said that it is behind.
    pub lagging: bool,
}

/// One version of a destination.
#[derive(Clone)]
pub struct Version {
    /// Name of the destination.
    pub name: String,
    /// Its number, from 1.
    pub version: i64,
    /// Whether it is to be served.
    pub enabled: bool,
    /// JSON without secrets; `null`: deleted.
    pub body: String,
    /// Encrypted secrets.
    pub secrets: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The account that made it.
    pub created_by: Option<String>,
}

const COLUMNS: &str = "name, class, kind, version, enabled, path, created_at, changed_at, \
    disabled_because, next_index, replay_to, resume_at, batch_at, failures, failing_since, \
    open_until, \
    last_attempt_at, last_success_at, tested_at, last_error, lagging";

fn read(row: &Row) -> Result<Destination, Error> {
    let index = |column| {
        row.maybe_int(column).map(|value| value.and_then(|value| u64::try_from(value).ok()))
    };
    let replay = index("replay_to")?.zip(index("resume_at")?);
    Ok(Destination {
        name: row.text("name")?,
        class: row.text("class")?,
        kind: row.text("kind")?,
        version: row.int("version")?,
        enabled: row.flag("enabled")?,
        path: row.text("path")?,
        created_at: row.time("created_at")?,
        changed_at: row.time("changed_at")?,
        disabled_because: row.maybe_text("disabled_because")?,
        next_index: LogIndex(row.count("next_index")?),
        replay: replay.map(|(to, resume)| (LogIndex(to), LogIndex(resume))),
        batch_at: row.maybe_time("batch_at")?,
        course: Course {
            failures: row.int("failures")?,
            failing_since: row.maybe_time("failing_since")?,
            open_until: row.maybe_time("open_until")?,
            last_attempt_at: row.maybe_time("last_attempt_at")?,
            last_success_at: row.maybe_time("last_success_at")?,
            tested_at: row.maybe_time("tested_at")?,
            last_error: row.maybe_text("last_error")?,
            lagging: row.flag("lagging")?,
        },
    })
}

/// All destinations, or those of one class, by name.
pub async fn all(link: &mut Link, class: Option<&str>) -> Result<Vec<Destination>, Error> {
    let sql =
        format!("SELECT {COLUMNS} FROM destination WHERE ($1 = '' OR class = $1) ORDER BY name");
    link.rows(sql, args![class.unwrap_or("")]).await?.iter().map(read).collect()
}

/// The destination of this name.
pub async fn find(link: &mut Link, name: &str) -> Result<Option<Destination>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM destination WHERE name = $1");
    link.row(sql, args![name]).await?.as_ref().map(read).transpose()
}

/// Inserts a destination.
pub async fn insert(tx: &mut Tx, new: &Destination) -> Result<(), Error> {
    let sql = "INSERT INTO destination (name, class, kind, version, enabled, path, created_at,
               changed_at, disabled_because, next_index, batch_at, failures, lagging)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0)";
    let values = args![
        &new.name,
        &new.class,
        &new.kind,
        new.version,
        new.enabled,
        &new.path,
        new.created_at,
        new.changed_at,
        new.disabled_because.clone(),
        new.next_index,
        new.batch_at
    ];
    tx.execute(sql, values).await.map(|_| ())
}

/// Writes what a change of the definition changes. A node that serves it takes it up anew.
pub async fn update(tx: &mut Tx, row: &Destination) -> Result<(), Error> {
    let sql = "UPDATE destination SET version = $2, enabled = $3, path = $4, changed_at = $5,
               disabled_because = $6, next_index = $7, batch_at = $8, failures = $9,
               failing_since = $10, open_until = $11, replay_to = $12, resume_at = $13,
               lease = NULL, lease_until = NULL WHERE name = $1";
    let values = args![
        &row.name,
        row.version,
        row.enabled,
        &row.path,
        row.changed_at,
        row.disabled_because.clone(),
        row.next_index,
        row.batch_at,
        row.course.failures,
        row.course.failing_since,
        row.course.open_until,
        row.replay.map(|(to, _)| to),
        row.replay.map(|(_, resume)| resume)
    ];
    tx.execute(sql, values).await.map(|_| ())
}

/// Deletes a destination; its versions stay.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<(), Error> {
    tx.execute("DELETE FROM destination WHERE name = $1", args![name]).await.map(|_| ())
}

/// Adds a version.
pub async fn add_version(tx: &mut Tx, new: &Version) -> Result<(), Error> {
    let sql = "INSERT INTO destination_version (name, version, enabled, body, secrets, created_at,
               created_by) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = args![
        &new.name,
        new.version,
        new.enabled,
        &new.body,
        new.secrets.clone(),
        new.created_at,
        new.created_by.clone()
    ];
    tx.execute(sql, values).await.map(|_| ())
}

fn read_version(row: &Row) -> Result<Version, Error> {
    Ok(Version {
        name: row.text("name")?,
        version: row.int("version")?,
        enabled: row.flag("enabled")?,
        body: row.text("body")?,
        secrets: row.maybe_bytes("secrets")?,
        created_at: row.time("created_at")?,
        created_by: row.maybe_text("created_by")?,
    })
}

/// One version.
pub async fn version(link: &mut Link, name: &str, version: i64) -> Result<Option<Version>, Error> {
    let sql = "SELECT * FROM destination_version WHERE name = $1 AND version = $2";
    link.row(sql, args![name, version]).await?.as_ref().map(read_version).transpose()
}

/// The number that the next version of this name gets.
pub async fn next_version(link: &mut Link, name: &str) -> Result<i64, Error> {
    let sql = "SELECT MAX(version) AS n FROM destination_version WHERE name = $1";
    Ok(link.number(sql, args![name]).await? + 1)
}

/// The newest body under this name, also of a destination that was deleted.
pub async fn last_body(link: &mut Link, name: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT body FROM destination_version WHERE name = $1 AND body <> 'null'
               ORDER BY version DESC LIMIT 1";
    link.row(sql, args![name]).await?.map(|row| row.text("body")).transpose()
}

/// Every version of a destination, newest first.
pub async fn versions(link: &mut Link, name: &str) -> Result<Vec<Version>, Error> {
    let sql = "SELECT * FROM destination_version WHERE name = $1 ORDER BY version DESC LIMIT 200";
    link.rows(sql, args![name]).await?.iter().map(read_version).collect()
}

/// Takes up to `limit` enabled destinations that nobody serves; with `renew`, those of `token`
/// count among them. A lease that ends later than any can is nobody's: the clock was put back.
pub async fn lease(
    tx: &mut Tx,
    token: &str,
    limit: usize,
    renew: bool,
    term: Term,
) -> Result<(), Error> {
    let sql = "UPDATE destination SET lease = $1, lease_until = $4 WHERE name IN (
                   SELECT name FROM destination WHERE enabled = 1
                   AND (lease IS NULL OR (lease = $1 AND $5 = 1) OR lease_until <= $3
                        OR lease_until > $6)
                   ORDER BY CASE WHEN lease = $1 THEN 0 ELSE 1 END, name LIMIT $2)
               AND (lease IS NULL OR lease = $1 OR lease_until <= $3 OR lease_until > $6)";
    // The condition stands twice: two nodes may choose the same row, and the second looks again.
    let renew = i64::from(renew);
    let values = args![token, limit, term.from, term.until, renew, term.latest()];
    tx.execute(sql, values).await.map(|_| ())
}

/// Gives back everything that `token` serves.
pub async fn release(tx: &mut Tx, token: &str) -> Result<(), Error> {
    let sql = "UPDATE destination SET lease = NULL, lease_until = NULL WHERE lease = $1";
    tx.execute(sql, args![token]).await.map(|_| ())
}

/// Takes every lease away: who held one is known to be gone.
pub async fn release_all(tx: &mut Tx) -> Result<(), Error> {
    let sql = "UPDATE destination SET lease = NULL, lease_until = NULL WHERE lease IS NOT NULL";
    tx.execute(sql, Vec::new()).await.map(|_| ())
}

/// What `token` serves.
pub async fn held(link: &mut Link, token: &str) -> Result<Vec<Destination>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM destination WHERE lease = $1 AND enabled = 1");
    link.rows(sql, args![token]).await?.iter().map(read).collect()
}

/// Moves the cursor of a destination that `token` serves; false: the lease is lost, or somebody
/// moved the cursor, and nothing that belongs to the move may be written.
pub async fn move_cursor(
    tx: &mut Tx,
    name: &str,
    token: &str,
    (from, to): (LogIndex, LogIndex),
    batch_at: Option<Timestamp>,
) -> Result<bool, Error> {
    // Whoever comes to where it goes on has sent everything again.
    let sql = "UPDATE destination SET next_index = $4, batch_at = $5,
               replay_to = CASE WHEN $4 >= resume_at THEN NULL ELSE replay_to END,
               resume_at = CASE WHEN $4 >= resume_at THEN NULL ELSE resume_at END
               WHERE name = $1 AND lease = $2 AND next_index = $3";
    let moved = tx.execute(sql, args![name, token, from, to, batch_at]).await?;
    Ok(moved == 1)
}

/// Writes how it goes with a destination that `token` serves; false: the lease is lost, and nothing
/// that belongs to it may be written.
pub async fn book(tx: &mut Tx, name: &str, token: &str, course: &Course) -> Result<bool, Error> {
    let sql = "UPDATE destination SET failures = $3, failing_since = $4, open_until = $5,
               last_attempt_at = $6, last_success_at = $7, last_error = $8, lagging = $9
               WHERE name = $1 AND lease = $2";
    let values = args![
        name,
        token,
        course.failures,
        course.failing_since,
        course.open_until,
        course.last_attempt_at,
        course.last_success_at,
        course.last_error.clone(),
        course.lagging
    ];
    Ok(tx.execute(sql, values).await? == 1)
}

/// Keeps that a trial got through. Whoever serves the destination has a course of its own in
/// memory, which is written over this one: a column that it does not write.
pub async fn tested(tx: &mut Tx, name: &str, at: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE destination SET tested_at = $2 WHERE name = $1";
    tx.execute(sql, args![name, at]).await.map(|_| ())
}

/// Switches a destination off because of what it did; true if it was on.
pub async fn disable(
    tx: &mut Tx,
    name: &str,
    because: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let sql = "UPDATE destination SET enabled = 0, disabled_because = $2, changed_at = $3,
               lease = NULL, lease_until = NULL WHERE name = $1 AND enabled = 1";
    Ok(tx.execute(sql, args![name, because, now]).await? == 1)
}
