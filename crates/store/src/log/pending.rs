//! Pending events: recorded, not yet sealed.

use std::collections::HashSet;

use chancery_event::Timestamp;
use chancery_event::id::EventId;

use crate::{Error, Link, Recorded, Row, SqlValue, Tx, args, value};

/// A row of `pending_event` as it was found, trusted by nobody until its seal was checked.
#[derive(Clone, Debug)]
pub struct PendingRow {
    /// Arrival number.
    pub seq: i64,
    /// Identifier of the event, as text: a row may have been injected.
    pub event_id: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Canonical entry bytes.
    pub entry: Vec<u8>,
    /// Salt and canonical JSON of the personal part.
    pub part: Option<([u8; 32], Vec<u8>)>,
    /// The seal of the pending event; `None`: it has none.
    pub seal: Option<Vec<u8>>,
}

/// Why a pending row was set aside instead of being sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuarantineReason {
    /// It had no seal: somebody else than this program wrote it.
    Unsealed,
    /// Its seal does not fit its contents: somebody changed it.
    InvalidSeal,
    /// Its seal fits but its bytes are not an event this program can read.
    Unreadable,
    /// Its seal fits, and an event with its identifier is in the log or waits before it.
    Duplicate,
}

impl QuarantineReason {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsealed => "unsealed",
            Self::InvalidSeal => "invalid_seal",
            Self::Unreadable => "unreadable",
            Self::Duplicate => "duplicate",
        }
    }
}

/// A pending row to set aside.
#[derive(Clone, Debug)]
pub struct Quarantine {
    /// The row.
    pub row: PendingRow,
    /// Why.
    pub reason: QuarantineReason,
}

pub(crate) async fn insert_pending(tx: &mut Tx, events: Vec<Recorded>) -> Result<(), Error> {
    let rows = events
        .into_iter()
        .map(|event| {
            let (salt, part) = match event.part {
                Some((salt, part)) => (SqlValue::from(salt), SqlValue::Bytes(part)),
                None => (SqlValue::Null, SqlValue::Null),
            };
            vec![
                value::id(event.event_id),
                event.recorded_at.into(),
                SqlValue::Bytes(event.entry),
                salt,
                part,
                event.seal.into(),
            ]
        })
        .collect();
    let head = "INSERT INTO pending_event (event_id, recorded_at, entry, salt, part, seal)";
    tx.insert_many(head, "", rows).await
}

fn read(row: &Row) -> Result<PendingRow, Error> {
    let part = match (row.maybe_bytes("salt")?, row.maybe_bytes("part")?) {
        // A salt of another length cannot fit the seal: kept as zeros, it will be refused.
        (Some(salt), Some(part)) => Some((salt.try_into().unwrap_or([0; 32]), part)),
        _ => None,
    };
    Ok(PendingRow {
        seq: row.int("seq")?,
        event_id: row.text("event_id")?,
        recorded_at: row.time("recorded_at")?,
        entry: row.bytes("entry")?,
        part,
        seal: row.maybe_bytes("seal")?,
    })
}

/// The oldest pending rows, `limit` at most.
pub async fn pending(link: &mut Link, limit: usize) -> Result<Vec<PendingRow>, Error> {
    let sql = "SELECT seq, event_id, recorded_at, entry, salt, part, seal
               FROM pending_event ORDER BY seq LIMIT $1";
    link.rows(sql, args![limit]).await?.iter().map(read).collect()
}

/// Which of these identifiers the log has.
pub async fn sealed_ids(link: &mut Link, ids: &[String]) -> Result<HashSet<String>, Error> {
    let mut known = HashSet::new();
    for few in ids.chunks(500) {
        let places = vec!["?"; few.len()].join(", ");
        let sql = format!("SELECT id FROM event WHERE id IN ({places})");
        let found = link.rows(sql, few.iter().map(SqlValue::from).collect()).await?;
        for row in &found {
            known.insert(row.text("id")?);
        }
    }
    Ok(known)
}

/// Whether the log has any of these identifiers behind an index. Of the databases only the embedded
/// one refuses a second event of one identifier by itself.
pub async fn any_sealed_since(link: &mut Link, from: u64, ids: &[EventId]) -> Result<bool, Error> {
    for few in ids.chunks(500) {
        let places = vec!["?"; few.len()].join(", ");
        let sql =
            format!("SELECT 1 AS n FROM event WHERE log_index >= ? AND id IN ({places}) LIMIT 1");
        let values = std::iter::once(SqlValue::from(from));
        let values = values.chain(few.iter().map(|id| value::id(*id)));
        if link.number(sql, values.collect()).await? == 1 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an event with this identifier is in the log, or waits to be sealed. It reads all that
/// waits: for the rare caller that does not know what became of its commit.
pub async fn is_recorded(link: &mut Link, id: EventId) -> Result<bool, Error> {
    let sql = "SELECT 1 AS n FROM event WHERE id = $1
               UNION ALL SELECT 1 AS n FROM pending_event WHERE event_id = $1 LIMIT 1";
    Ok(link.number(sql, vec![value::id(id)]).await? == 1)
}

/// How many events wait to be sealed.
pub async fn pending_count(link: &mut Link) -> Result<u64, Error> {
    link.row("SELECT COUNT(*) AS n FROM pending_event", vec![])
        .await?
        .map_or(Ok(0), |row| row.count("n"))
}

/// Sets rows aside as evidence and takes them out of the pending ones.
pub async fn quarantine(tx: &mut Tx, rows: &[Quarantine], at: Timestamp) -> Result<(), Error> {
    for Quarantine { row, reason } in rows {
        tx.execute(
            "INSERT INTO quarantined_event
             (seq, event_id, recorded_at, entry, seal, reason, quarantined_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            args![
                row.seq,
                &row.event_id,
                row.recorded_at,
                row.entry.clone(),
                row.seal.clone(),
                reason.as_str(),
                at
            ],
        )
        .await?;
        tx.execute("DELETE FROM pending_event WHERE seq = $1", args![row.seq]).await?;
    }
    Ok(())
}
