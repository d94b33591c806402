//! Giving events their index, and covering them with a signed checkpoint.

use std::sync::Arc;

use chancery_event::{Event, LogIndex, Timestamp};
use chancery_seal::hash::Hash;

use super::PendingRow;
use crate::sheet::{Sheet, Sheets};
use crate::{Error, Link, Tx, args};

/// How far the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Entries that have an index.
    pub size: u64,
    /// Entries that a signed checkpoint covers.
    pub signed_size: u64,
}

/// A signed checkpoint as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Entries it covers.
    pub size: u64,
    /// Root hash of the tree over them.
    pub root: Hash,
    /// The signed note (C2SP tlog-checkpoint).
    pub note: String,
    /// When it was signed.
    pub signed_at: Timestamp,
}

/// An event with the index it is to get.
pub struct Indexed {
    /// Where it was pending: the bytes to seal.
    pub row: PendingRow,
    /// Its index.
    pub index: LogIndex,
    /// The event, opened from the row.
    pub event: Arc<Event>,
}

/// How far the log is.
pub async fn state(link: &mut Link) -> Result<State, Error> {
    let row = link
        .row("SELECT size, signed_size FROM log_state WHERE one = 1", vec![])
        .await?
        .ok_or_else(|| Error::Damaged("the state of the log is missing".to_owned()))?;
    Ok(State { size: row.count("size")?, signed_size: row.count("signed_size")? })
}

/// Events that are to move from pending into the log, their rows made before the transaction: while
/// one is open, everybody else who writes waits.
pub struct Sequence {
    from: u64,
    /// Their rows in `pending_event`.
    pending: Vec<i64>,
    rows: Sheets,
    tiles: Sheet,
}

impl Sequence {
    /// The indexes of `events` continue at `from`; `tiles` are the tiles that changed, by level and
    /// index.
    pub fn new(
        from: u64,
        events: &[Indexed],
        tiles: &[(u8, u64, Vec<u8>)],
        now: Timestamp,
    ) -> Self {
        let mut rows = Sheets::new(EVENT_WIDTH, 2_048);
        for (number, Indexed { row, index, event }) in events.iter().enumerate() {
            let part = row.part();
            let part = part.as_ref().map(|(salt, part)| (salt, *part));
            push_event(rows.next(events.len() - number), *index, event, row.entry(), part, now);
        }
        let mut changed = Sheet::new(3, tiles.len(), 8_192);
        for (level, index, hashes) in tiles {
            changed.push(i64::from(*level));
            changed.push(LogIndex(*index));
            changed.push(&**hashes);
        }
        let pending = events.iter().map(|event| event.row.seq).collect();
        Self { from, pending, rows, tiles: changed }
    }
}

/// Moves events from pending into the log.
///
/// # Errors
/// [`Error::Conflict`] if the log does not have as many entries any more as was thought;
/// [`Error::Exists`] if it has one of the events, where an index says so.
pub async fn sequence(tx: &mut Tx, sequence: &Sequence) -> Result<(), Error> {
    let Sequence { from, pending, rows, tiles } = sequence;
    let count = pending.len() as u64;
    let sql = "UPDATE log_state SET size = $2 WHERE one = 1 AND size = $1";
    if tx.execute(sql, args![*from, from + count]).await? != 1 {
        return Err(Error::Conflict("the log"));
    }
    super::make_room(tx, from + count).await?;
    tx.insert_sheets(EVENT_HEAD, "", rows, EVENT_ROWS).await?;
    if tx.remove_pending(pending.iter().copied()).await? != count {
        return Err(Error::Conflict("the pending events"));
    }
    let tail = "ON CONFLICT (level, tile_index) DO UPDATE SET hashes = excluded.hashes";
    tx.insert_sheet("INSERT INTO log_tile (level, tile_index, hashes)", tail, tiles, 1).await
}

pub(crate) const EVENT_HEAD: &str =
    "INSERT INTO event (log_index, id, type, severity, result, reason, origin, time,
     sealed_at, actor_kind, actor_id, actor_name, client_ip, subject_kind, subject_id,
     subject_name, transaction_id, cause, node, entry, salt, part)";
/// Columns that [`EVENT_HEAD`] names.
pub(crate) const EVENT_WIDTH: usize = 22;
/// Rows that the embedded engine takes with one statement.
pub(crate) const EVENT_ROWS: usize = 64;

/// Adds the row of an event, as [`EVENT_HEAD`] names its columns.
pub(crate) fn push_event(
    rows: &mut Sheet,
    index: LogIndex,
    event: &Event,
    entry: &[u8],
    part: Option<(&[u8; 32], &[u8])>,
    now: Timestamp,
) {
    let personal = event.personal();
    let subject = event.subject();
    rows.push(index);
    rows.push_id(event.id);
    rows.push(&*event.type_name);
    rows.push(event.severity.as_str());
    rows.push(event.outcome.result.as_str());
    rows.push(event.outcome.reason.as_deref());
    rows.push(event.origin.as_str());
    rows.push(event.time);
    rows.push(now);
    rows.push(event.actor.kind.as_str());
    rows.push(event.actor.id.as_deref());
    rows.push(personal.and_then(|p| p.actor_name.as_deref()));
    rows.push(personal.and_then(|p| p.client_ip.as_deref()));
    rows.push(subject.map(|s| s.kind.as_str()));
    rows.push(subject.map(|s| s.id.as_str()));
    rows.push(subject.and_then(|s| s.name.as_deref()));
    rows.push_maybe_id(event.transaction);
    rows.push_maybe_id(event.cause);
    rows.push_id(event.node);
    rows.push(entry);
    rows.push(part.map(|(salt, _)| salt));
    rows.push(part.map(|(_, part)| part));
}

/// Stores a signed checkpoint that extends the one over `from` entries.
///
/// Of the older ones, one per hour stays.
///
/// # Errors
/// [`Error::Conflict`] if the newest checkpoint does not cover `from` entries any more.
pub async fn publish(tx: &mut Tx, from: u64, checkpoint: &Checkpoint) -> Result<(), Error> {
    let sql = "UPDATE log_state SET signed_size = $2
               WHERE one = 1 AND signed_size = $1 AND size >= $2";
    if tx.execute(sql, args![from, checkpoint.size]).await? != 1 {
        return Err(Error::Conflict("the checkpoint"));
    }
    let hour = Timestamp::HOUR;
    let start = checkpoint.signed_at.micros().div_euclid(hour) * hour;
    let sql = "DELETE FROM log_checkpoint WHERE size = $1 AND signed_at >= $2";
    tx.execute(sql, args![from, start]).await?;
    tx.execute(
        "INSERT INTO log_checkpoint (size, root, note, signed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (size) DO UPDATE SET root = $2, note = $3, signed_at = $4",
        args![checkpoint.size, checkpoint.root.0, &checkpoint.note, checkpoint.signed_at],
    )
    .await?;
    Ok(())
}

/// The newest signed checkpoint.
pub async fn checkpoint(link: &mut Link) -> Result<Option<Checkpoint>, Error> {
    let sql = "SELECT size, root, note, signed_at FROM log_checkpoint ORDER BY size DESC LIMIT 1";
    link.row(sql, vec![])
        .await?
        .map(|row| {
            Ok(Checkpoint {
                size: row.count("size")?,
                root: Hash(row.array("root")?),
                note: row.text("note")?,
                signed_at: row.time("signed_at")?,
            })
        })
        .transpose()
}
