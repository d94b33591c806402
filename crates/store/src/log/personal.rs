//! Erasure of the personal part of events: proofs stay valid, the person is gone.

use chancery_event::LogIndex;

use crate::{Error, Tx, args};

/// Erases the personal part of the event at `index`; true if there was one.
///
/// Salt, part and everything derived from them go: the commitment in the sealed bytes can then no
/// longer be tied to any text, not even by trying. The embedded database overwrites what it
/// deletes; [`crate::Store::write_back`] does away with what its write-ahead log still has. A
/// server keeps deleted rows until it vacuums, and its own logs and every backup for as long as
/// they are kept.
pub async fn erase(tx: &mut Tx, index: LogIndex) -> Result<bool, Error> {
    let sql = "UPDATE event SET salt = NULL, part = NULL, actor_name = NULL, client_ip = NULL
               WHERE log_index = $1 AND part IS NOT NULL";
    let erased = tx.execute(sql, args![index]).await? > 0;
    let sql = "DELETE FROM event_key
               WHERE log_index = $1 AND name IN ('actor_name', 'client_ip')";
    tx.execute(sql, args![index]).await?;
    Ok(erased)
}
