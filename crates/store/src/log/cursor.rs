//! Durable cursors: where each consumer of the log stands.

use chancery_event::{LogIndex, Timestamp};

use crate::{Error, Link, Tx, args};

/// The next index that consumer `name` has not handled; 0 for a new one.
pub async fn cursor(link: &mut Link, name: &str) -> Result<LogIndex, Error> {
    let sql = "SELECT next_index FROM log_cursor WHERE name = $1";
    match link.row(sql, args![name]).await? {
        Some(row) => row.count("next_index").map(LogIndex),
        None => Ok(LogIndex(0)),
    }
}

/// Where every consumer stands, by name.
pub async fn cursors(link: &mut Link) -> Result<Vec<(String, LogIndex)>, Error> {
    link.rows("SELECT name, next_index FROM log_cursor ORDER BY name", vec![])
        .await?
        .iter()
        .map(|row| Ok((row.text("name")?, LogIndex(row.count("next_index")?))))
        .collect()
}

/// Moves the cursor of `name` from `from` to `to`, in the same transaction as the effects of what
/// lies between.
///
/// # Errors
/// [`Error::Conflict`] if the cursor does not stand at `from`: somebody else has moved it, and the
/// effects of this transaction must not be kept.
pub async fn move_cursor(
    tx: &mut Tx,
    name: &str,
    from: LogIndex,
    to: LogIndex,
    now: Timestamp,
) -> Result<(), Error> {
    let moved = tx
        .execute(
            "INSERT INTO log_cursor (name, next_index, moved_at) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET next_index = $2, moved_at = $3
             WHERE log_cursor.next_index = $4",
            args![name, to, now, from],
        )
        .await?;
    if moved == 1 { Ok(()) } else { Err(Error::Conflict("the cursor")) }
}
