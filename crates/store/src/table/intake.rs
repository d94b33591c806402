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
    /// Bodies, or lines of syslog, that could not be read.
    pub refused: i64,
    /// When something came last.
    pub last_at: Option<Timestamp>,
    /// What was wrong last.
    pub last_problem: Option<String>,
    /// Lines of syslog for which there was no room.
    pub dropped: i64,
    /// Ranges of addresses it sends syslog from; a JSON list.
    pub addresses: String,
    /// Client certificates it sends syslog with; a JSON list.
    pub certificates: String,
    /// What is fetched from it; JSON. `None`: nothing is.
    pub poll: Option<String>,
    /// What fetching needs to know, encrypted.
    pub poll_secrets: Option<Vec<u8>>,
    /// How fetching goes.
    pub course: PollCourse,
}

/// How fetching from a source goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollCourse {
    /// Where to go on: path and query. `None`: at the beginning.
    pub next: Option<String>,
    /// Counts bookings; whoever books names the one it began from.
    pub turn: i64,
    /// When it is due.
    pub due_at: Option<Timestamp>,
    /// When the other system last answered as it should.
    pub done_at: Option<Timestamp>,
    /// Failures in a row.
    pub failing: i64,
    /// Why it failed last.
    pub error: Option<String>,
    /// Time of the newest event that came, as the other system tells it.
    pub newest_at: Option<Timestamp>,
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
     unknown, refused, last_at, last_problem, dropped, addresses, certificates, poll, poll_secrets,
     poll_next, poll_turn, poll_at, poll_done_at, poll_failing, poll_error, poll_newest_at";

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
        dropped: row.int("dropped")?,
        addresses: row.text("addresses")?,
        certificates: row.text("certificates")?,
        poll: row.maybe_text("poll")?,
        poll_secrets: row.maybe_bytes("poll_secrets")?,
        course: PollCourse {
            next: row.maybe_text("poll_next")?,
            turn: row.int("poll_turn")?,
            due_at: row.maybe_time("poll_at")?,
            done_at: row.maybe_time("poll_done_at")?,
            failing: row.int("poll_failing")?,
            error: row.maybe_text("poll_error")?,
            newest_at: row.maybe_time("poll_newest_at")?,
        },
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
                refused, dropped, addresses, certificates, poll, poll_secrets, poll_turn, poll_at,
                poll_failing)
               VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, 0, $6, $7, $8, $9, 0, $10, 0)";
    let Source { name, dialect, secret_hash, enabled, created_at, .. } = source;
    let Source { addresses, certificates, poll, poll_secrets, course, .. } = source;
    let mut values = args![name, dialect, *secret_hash, *enabled, *created_at];
    values.extend(args![addresses, certificates, poll.as_deref(), poll_secrets.as_deref()]);
    values.extend(args![course.due_at]);
    tx.execute(sql, values).await.map(|_| ())
}

/// Sets what a person sets of a source, and where fetching goes on.
pub async fn update(tx: &mut Tx, source: &Source) -> Result<bool, Error> {
    let sql = "UPDATE intake_source SET enabled = $2, secret_hash = $3, addresses = $4,
               certificates = $5, poll = $6, poll_secrets = $7, poll_next = $8,
               poll_turn = poll_turn + 1, poll_at = $9, poll_failing = $10, poll_error = $11,
               poll_done_at = $12, poll_newest_at = $13 WHERE name = $1";
    let Source { name, enabled, secret_hash, addresses, certificates, .. } = source;
    let Source { poll, poll_secrets, course, .. } = source;
    let mut values = args![name, *enabled, *secret_hash, addresses, certificates];
    values.extend(args![poll.as_deref(), poll_secrets.as_deref(), course.next.as_deref()]);
    values.extend(args![course.due_at, course.failing, course.error.as_deref()]);
    values.extend(args![course.done_at, course.newest_at]);
    Ok(tx.execute(sql, values).await? == 1)
}

/// Books what came of fetching from a source, if nobody booked anything since `course.turn`.
pub async fn book(tx: &mut Tx, name: &str, course: &PollCourse) -> Result<bool, Error> {
    let sql = "UPDATE intake_source SET poll_next = $3, poll_turn = poll_turn + 1, poll_at = $4,
               poll_done_at = $5, poll_failing = $6, poll_error = $7, poll_newest_at = $8
               WHERE name = $1 AND poll_turn = $2";
    let PollCourse { next, turn, due_at, done_at, failing, error, newest_at } = course;
    let mut values = args![name, *turn, next.as_deref(), *due_at, *done_at, *failing];
    values.extend(args![error.as_deref(), *newest_at]);
    Ok(tx.execute(sql, values).await? == 1)
}

/// Names of the sources that are to be fetched from by `now`, those that wait longest first.
pub async fn due(link: &mut Link, now: Timestamp) -> Result<Vec<String>, Error> {
    let sql = "SELECT name FROM intake_source
               WHERE enabled = 1 AND poll IS NOT NULL AND poll_at <= $1
               ORDER BY poll_at, name";
    link.rows(sql, args![now]).await?.iter().map(|row| row.text("name")).collect()
}

/// How many sources are fetched from.
pub async fn polled(link: &mut Link) -> Result<u64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM intake_source WHERE enabled = 1 AND poll IS NOT NULL";
    Ok(u64::try_from(link.number(sql, Vec::new()).await?).unwrap_or(0))
}

/// Counts lines of a source for which there was no room.
pub async fn dropped(tx: &mut Tx, name: &str, lines: i64) -> Result<(), Error> {
    let sql = "UPDATE intake_source SET dropped = dropped + $2 WHERE name = $1";
    tx.execute(sql, args![name, lines]).await.map(|_| ())
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

/// Counts bodies, or lines of syslog, that could not be read.
pub async fn refused(
    tx: &mut Tx,
    name: &str,
    count: i64,
    why: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "UPDATE intake_source SET refused = refused + $4, last_at = $2, last_problem = $3
               WHERE name = $1";
    tx.execute(sql, args![name, now, why, count]).await.map(|_| ())
}

/// Notes that an event of a source is there; false if it was noted since `since` already.
pub async fn note(
    tx: &mut Tx,
    source: &str,
    key: [u8; 32],
    since: Timestamp,
    now: Timestamp,
) -> Result<bool, Error> {
    let sql = "INSERT INTO intake_seen (source, key, seen_at) VALUES ($1, $2, $4)
               ON CONFLICT (source, key) DO UPDATE SET seen_at = excluded.seen_at
               WHERE intake_seen.seen_at < $3";
    Ok(tx.execute(sql, args![source, key, since, now]).await? == 1)
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
