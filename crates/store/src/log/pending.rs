//! Pending events: recorded, not yet sealed.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use chancery_event::Timestamp;
use chancery_event::id::EventId;

use crate::sheet::Sheets;
use crate::{Error, Link, Recorded, Row, SqlValue, Tx, args, value};

/// A row of `pending_event` as it was found, trusted by nobody until its seal was checked. Its
/// bytes stay where the database put them.
pub struct PendingRow {
    /// Arrival number.
    pub seq: i64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    row: Row,
    readable: bool,
}

impl PendingRow {
    fn new(row: Row) -> Result<Self, Error> {
        let recorded_at = row.time("recorded_at");
        let mut readable = recorded_at.is_ok()
            && row.read_text("event_id").is_ok()
            && row.read_bytes("entry").is_ok();
        for column in ["salt", "part", "seal"] {
            readable &= row.is_null(column)? || row.read_bytes(column).is_ok();
        }
        let recorded_at = recorded_at.unwrap_or(Timestamp::from_micros(0));
        Ok(Self { seq: row.int("seq")?, recorded_at, row, readable })
    }

    /// Whether each value is of its column's type: a column of the embedded engine takes any. What
    /// is not reads as nothing.
    pub fn is_readable(&self) -> bool {
        self.readable
    }

    /// Identifier of the event, as text: a row may have been injected.
    pub fn event_id(&self) -> Cow<'_, str> {
        self.row.read_text("event_id").unwrap_or_default()
    }

    /// Canonical entry bytes.
    pub fn entry(&self) -> &[u8] {
        self.row.read_bytes("entry").unwrap_or_default()
    }

    /// Salt and canonical JSON of the personal part.
    pub fn part(&self) -> Option<([u8; 32], &[u8])> {
        let salt = self.row.read_bytes("salt").ok()?;
        // A salt of another length cannot fit the seal: taken as zeros, it will be refused.
        Some((salt.try_into().unwrap_or([0; 32]), self.row.read_bytes("part").ok()?))
    }

    /// The seal of the pending event; `None`: it has none.
    pub fn seal(&self) -> Option<&[u8]> {
        self.row.read_bytes("seal").ok()
    }
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
pub struct Quarantine {
    /// The row.
    pub row: PendingRow,
    /// Why.
    pub reason: QuarantineReason,
}

pub(crate) async fn insert_pending(tx: &mut Tx, events: &[Arc<Recorded>]) -> Result<(), Error> {
    let mut sheets = Sheets::new(6, 1_536);
    for (number, event) in events.iter().enumerate() {
        let rows = sheets.next(events.len() - number);
        rows.push_id(event.event_id);
        rows.push(event.recorded_at);
        rows.push(&*event.entry);
        rows.push(event.part.as_ref().map(|(salt, _)| salt));
        rows.push(event.part.as_ref().map(|(_, part)| &**part));
        rows.push(&event.seal);
    }
    let head = "INSERT INTO pending_event (event_id, recorded_at, entry, salt, part, seal)";
    tx.insert_sheets(head, "", &sheets, 64).await
}

/// The oldest pending rows, `limit` at most.
pub async fn pending(link: &mut Link, limit: usize) -> Result<Vec<PendingRow>, Error> {
    let sql = "SELECT seq, event_id, recorded_at, entry, salt, part, seal
               FROM pending_event ORDER BY seq LIMIT $1";
    link.rows(sql, args![limit]).await?.into_iter().map(PendingRow::new).collect()
}

/// Which of these identifiers the log has, also where their events were removed from the database.
pub async fn sealed_ids(link: &mut Link, ids: &[String]) -> Result<HashSet<String>, Error> {
    let mut known = HashSet::new();
    for few in ids.chunks(500) {
        let places = vec!["?"; few.len()].join(", ");
        let sql = format!(
            "SELECT id FROM event WHERE id IN ({places})
             UNION ALL SELECT id FROM removed_event WHERE id IN ({places})"
        );
        let values = few.iter().chain(few).map(SqlValue::from);
        let found = link.rows(sql, values.collect()).await?;
        for row in &found {
            known.insert(row.text("id")?);
        }
    }
    Ok(known)
}

/// Whether the log has any of these identifiers, for a log in parts, which refuses no second event
/// of one identifier by itself. Identifiers begin with the time at which they were made: most of
/// those of new events are greater than any that the log has, and cost one question together. The
/// others are looked for in every part.
pub async fn any_sealed(link: &mut Link, ids: &[EventId]) -> Result<bool, Error> {
    let newest = link.row("SELECT MAX(id) AS id FROM event", Vec::new()).await?;
    let newest = newest.map(|row| row.maybe_text("id")).transpose()?.flatten();
    let Some(newest) = newest else { return Ok(false) };
    let mut old: Vec<String> =
        ids.iter().map(ToString::to_string).filter(|id| *id <= newest).collect();
    old.sort_unstable();
    for few in old.chunks(500) {
        let places = vec!["?"; few.len()].join(", ");
        // Counted, and between bounds: to find the first, or of a part that it has no statistics of
        // yet, the planner would go through the table.
        let sql = format!(
            "SELECT COUNT(*) AS n FROM event WHERE id >= ? AND id <= ? AND id IN ({places})"
        );
        let values = few.first().into_iter().chain(few.last()).chain(few).map(SqlValue::from);
        if link.number(sql, values.collect()).await? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether any of these identifiers is that of an event that was removed from the database. Those
/// of new events are greater than any of them, and cost one question.
pub async fn any_removed(link: &mut Link, ids: &[EventId]) -> Result<bool, Error> {
    let newest = link.row("SELECT MAX(id) AS id FROM removed_event", Vec::new()).await?;
    let newest = newest.map(|row| row.maybe_text("id")).transpose()?.flatten();
    let Some(newest) = newest else { return Ok(false) };
    let old: Vec<String> = ids.iter().map(ToString::to_string).filter(|id| *id <= newest).collect();
    for few in old.chunks(500) {
        let places = vec!["?"; few.len()].join(", ");
        let sql = format!("SELECT 1 AS n FROM removed_event WHERE id IN ({places}) LIMIT 1");
        if link.number(sql, few.iter().map(SqlValue::from).collect()).await? == 1 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an event with this identifier is in the log, or waits to be sealed. It reads all that
/// waits: for the rare caller that does not know what became of its commit.
pub async fn is_recorded(link: &mut Link, id: EventId) -> Result<bool, Error> {
    let sql = "SELECT 1 AS n FROM event WHERE id = $1
               UNION ALL SELECT 1 AS n FROM removed_event WHERE id = $1
               UNION ALL SELECT 1 AS n FROM pending_event WHERE event_id = $1 LIMIT 1";
    Ok(link.number(sql, vec![value::id(id)]).await? == 1)
}

/// How many events wait to be sealed, a million at most. In order, because a server steps over rows
/// that have left along the key, and looks at each of them in the table.
pub async fn pending_count(link: &mut Link) -> Result<u64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM
               (SELECT seq FROM pending_event ORDER BY seq LIMIT 1000000) AS waiting";
    link.row(sql, vec![]).await?.map_or(Ok(0), |row| row.count("n"))
}

/// Whether an event waits to be sealed.
pub async fn is_pending(link: &mut Link) -> Result<bool, Error> {
    let sql = "SELECT 1 AS n FROM pending_event ORDER BY seq LIMIT 1";
    Ok(link.number(sql, vec![]).await? == 1)
}

/// How many pending events were ever set aside.
pub async fn quarantined_count(link: &mut Link) -> Result<u64, Error> {
    link.row("SELECT COUNT(*) AS n FROM quarantined_event", vec![])
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
                &*row.event_id(),
                row.recorded_at,
                row.entry(),
                row.seal(),
                reason.as_str(),
                at
            ],
        )
        .await?;
        tx.execute("DELETE FROM pending_event WHERE seq = $1", args![row.seq]).await?;
    }
    Ok(())
}
