//! Damage to a database, as somebody with access to its file could do it: for the tests that show
//! that it is found. Only built with the feature `tamper`; no program of ours has it.

use std::path::Path;

use rusqlite::Connection;

/// One way to damage a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Changes one byte in the middle of an entry.
    Entry(u64),
    /// Puts the bytes of the first entry into the row of the second.
    Copy(u64, u64),
    /// Exchanges the bytes of two entries.
    Swap(u64, u64),
    /// Takes a row away.
    Delete(u64),
    /// Adds a row behind the log, made from the entry named.
    Append(u64),
    /// Changes one byte of a hash in a tile: level, index, position of the hash.
    Tile(u8, u64, u16),
    /// Takes a tile away: level, index.
    DeleteTile(u8, u64),
    /// Changes the size in the newest checkpoint.
    Checkpoint,
    /// Takes all checkpoints away.
    DeleteCheckpoints,
    /// Says something else in a column beside an entry.
    Column(u64),
    /// Says something else in the personal part of an entry.
    Personal(u64),
    /// Puts a pending event without a seal in, made from the entry named.
    Unsealed(u64),
    /// Puts a pending event with a made-up seal in, made from the entry named.
    WrongSeal(u64),
}

/// Damages the database in `data_dir`, which nobody else may have open.
///
/// # Errors
/// What the database says, or that there was nothing to damage.
pub async fn tamper(data_dir: &Path, damage: Damage) -> Result<(), rusqlite::Error> {
    let connection = Connection::open(data_dir.join("chancery.db"))?;
    match apply(&connection, damage)? {
        0 => Err(rusqlite::Error::QueryReturnedNoRows),
        _ => Ok(()),
    }
}

/// Changes the blob by exchanging the byte at `at` (counted from 1) for another one.
fn flipped(column: &str, at: &str) -> String {
    // SQLite has no exclusive or: the byte becomes X, or Y where it is X.
    let byte = format!("substr({column}, {at}, 1)");
    format!(
        "CAST(substr({column}, 1, {at} - 1) AS BLOB) ||
         CASE {byte} WHEN x'58' THEN x'59' ELSE x'58' END || substr({column}, {at} + 1)"
    )
}

fn apply(connection: &Connection, damage: Damage) -> Result<usize, rusqlite::Error> {
    let one = |table: &str, column: &str, at: &str, place: String| {
        let value = flipped(column, at);
        format!("UPDATE {table} SET {column} = CAST({value} AS BLOB) WHERE {place}")
    };
    let pending = |index: u64, seal: &str| {
        format!(
            "INSERT INTO pending_event (event_id, recorded_at, entry, salt, part, seal)
             SELECT id, sealed_at, entry, salt, part, {seal} FROM event WHERE log_index = {index}"
        )
    };
    let sql = match damage {
        Damage::Entry(index) => {
            one("event", "entry", "(length(entry) / 2)", format!("log_index = {index}"))
        }
        Damage::Copy(from, to) => format!(
            "UPDATE event SET entry = (SELECT entry FROM event WHERE log_index = {from})
             WHERE log_index = {to}"
        ),
        Damage::Swap(a, b) => format!(
            "UPDATE event SET entry = (SELECT other.entry FROM event other
                 WHERE other.log_index = {a} + {b} - event.log_index)
             WHERE log_index IN ({a}, {b})"
        ),
        Damage::Delete(index) => format!("DELETE FROM event WHERE log_index = {index}"),
        Damage::Append(index) => format!(
            "INSERT INTO event (log_index, id, type, severity, result, origin, time, sealed_at,
                 actor_kind, node, entry)
             SELECT (SELECT size FROM log_state), 'x' || id, type, severity, result, origin, time,
                 sealed_at, actor_kind, node, entry FROM event WHERE log_index = {index}"
        ),
        Damage::Tile(level, index, hash) => one(
            "log_tile",
            "hashes",
            &format!("({hash} * 32 + 5)"),
            format!("level = {level} AND tile_index = {index}"),
        ),
        Damage::DeleteTile(level, index) => {
            format!("DELETE FROM log_tile WHERE level = {level} AND tile_index = {index}")
        }
        // The size stands in the second line: one digit more at its end.
        Damage::Checkpoint => "UPDATE log_checkpoint SET note = replace(note, char(10) || size || \
             char(10), char(10) || size || '0' || char(10))
             WHERE size = (SELECT MAX(size) FROM log_checkpoint)"
            .to_owned(),
        Damage::DeleteCheckpoints => "DELETE FROM log_checkpoint".to_owned(),
        Damage::Column(index) => {
            format!("UPDATE event SET severity = 'debug' WHERE log_index = {index}")
        }
        Damage::Personal(index) => {
            one("event", "part", "(length(part) / 2)", format!("log_index = {index}"))
        }
        Damage::Unsealed(index) => pending(index, "NULL"),
        Damage::WrongSeal(index) => pending(index, "zeroblob(32)"),
    };
    connection.execute(&sql, [])
}
