//! Giving events their index, and covering them with a signed checkpoint.

use std::sync::{Arc, Mutex};

use chancery_event::{Event, LogIndex, Timestamp};
use chancery_seal::hash::Hash;

use crate::{Error, Link, SqlValue, Tx, args};

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
#[derive(Debug)]
pub struct Indexed {
    /// Its row in `pending_event`.
    pub seq: i64,
    /// Its index.
    pub index: LogIndex,
    /// The event, opened from `entry`.
    pub event: Arc<Event>,
    /// The bytes to seal.
    pub entry: Vec<u8>,
    /// Salt and canonical JSON of the personal part.
    pub part: Option<([u8; 32], Vec<u8>)>,
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
    events: Vec<Indexed>,
    /// Tiles that changed, by level and index.
    tiles: Vec<(u8, u64, Vec<u8>)>,
    now: Timestamp,
    rows: Mutex<Option<Vec<Vec<SqlValue>>>>,
}

impl Sequence {
    /// The indexes of `events` continue at `from`; `tiles` are the tiles that changed, by level and
    /// index.
    pub fn new(
        from: u64,
        events: Vec<Indexed>,
        tiles: Vec<(u8, u64, Vec<u8>)>,
        now: Timestamp,
    ) -> Self {
        let sequence = Self { from, events, tiles, now, rows: Mutex::default() };
        let rows = sequence.made();
        Self { rows: Mutex::new(Some(rows)), ..sequence }
    }

    fn made(&self) -> Vec<Vec<SqlValue>> {
        let row = |e: &Indexed| event_row(e.index, &e.event, &e.entry, e.part.as_ref(), self.now);
        self.events.iter().map(row).collect()
    }

    /// The rows; a transaction that runs again has them made again.
    fn rows(&self) -> Vec<Vec<SqlValue>> {
        let made = self.rows.lock().ok().and_then(|mut rows| rows.take());
        made.unwrap_or_else(|| self.made())
    }

    /// The events.
    pub fn events(&self) -> &[Indexed] {
        &self.events
    }
}

/// Moves events from pending into the log.
///
/// # Errors
/// [`Error::Conflict`] if the log does not have as many entries any more as was thought;
/// [`Error::Exists`] if it has one of the events, where an index says so.
pub async fn sequence(tx: &mut Tx, sequence: &Sequence) -> Result<(), Error> {
    let Sequence { from, events, tiles, .. } = sequence;
    let to = from + events.len() as u64;
    let sql = "UPDATE log_state SET size = $2 WHERE one = 1 AND size = $1";
    if tx.execute(sql, args![*from, to]).await? != 1 {
        return Err(Error::Conflict("the log"));
    }
    super::make_room(tx, to).await?;
    tx.insert_many(EVENT_HEAD, "", sequence.rows()).await?;
    if tx.remove_pending(events.iter().map(|e| e.seq)).await? != events.len() as u64 {
        return Err(Error::Conflict("the pending events"));
    }
    let rows = tiles
        .iter()
        .map(|(level, index, hashes)| args![*level, *index, hashes.as_slice()])
        .collect();
    let tail = "ON CONFLICT (level, tile_index) DO UPDATE SET hashes = excluded.hashes";
    tx.insert_many("INSERT INTO log_tile (level, tile_index, hashes)", tail, rows).await
}

pub(crate) const EVENT_HEAD: &str =
    "INSERT INTO event (log_index, id, type, severity, result, reason, origin, time,
     sealed_at, actor_kind, actor_id, actor_name, client_ip, subject_kind, subject_id,
     subject_name, transaction_id, cause, node, entry, salt, part)";

pub(crate) fn event_row(
    index: LogIndex,
    event: &Event,
    entry: &[u8],
    part: Option<&([u8; 32], Vec<u8>)>,
    now: Timestamp,
) -> Vec<SqlValue> {
    let personal = event.personal();
    let subject = event.subject();
    let (salt, part) = match part {
        Some((salt, part)) => (SqlValue::from(*salt), SqlValue::from(part.as_slice())),
        None => (SqlValue::Null, SqlValue::Null),
    };
    vec![
        index.into(),
        crate::value::id(event.id),
        (&*event.type_name).into(),
        event.severity.as_str().into(),
        event.outcome.result.as_str().into(),
        event.outcome.reason.as_deref().into(),
        event.origin.as_str().into(),
        event.time.into(),
        now.into(),
        event.actor.kind.as_str().into(),
        event.actor.id.as_deref().into(),
        personal.and_then(|p| p.actor_name.as_deref()).into(),
        personal.and_then(|p| p.client_ip.as_deref()).into(),
        subject.map(|s| s.kind.as_str()).into(),
        subject.map(|s| s.id.as_str()).into(),
        subject.and_then(|s| s.name.as_deref()).into(),
        event.transaction.map(|id| id.to_string()).into(),
        event.cause.map(|id| id.to_string()).into(),
        event.node.to_string().into(),
        entry.into(),
        salt,
        part,
    ]
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
