//! Sealed events: what every reader of the log gets.

use std::sync::Arc;

use chancery_event::entry::{OpenError, SaltedPart};
use chancery_event::envelope::PersonalPart;
use chancery_event::id::EventId;
use chancery_event::{Event, LogIndex, Timestamp};

use super::audit::spelled;
use crate::filter_sql::Dialect;
use crate::{Error, Link, Row, args, value};

/// An event that has its index in the log and that a signed checkpoint covers.
///
/// Only this module makes one.
#[derive(Clone, Debug)]
pub struct Sealed {
    index: LogIndex,
    sealed_at: Timestamp,
    event: Event,
    entry: Vec<u8>,
    salt: Option<[u8; 32]>,
    /// What the entry commits to, where the event has its personal part in clear.
    commitment: Option<String>,
}

impl Sealed {
    /// Its place in the log.
    pub fn index(&self) -> LogIndex {
        self.index
    }

    /// When it got its index.
    pub fn sealed_at(&self) -> Timestamp {
        self.sealed_at
    }

    /// The event, its personal part in clear unless erased.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Its place and the event alone.
    pub fn into_event(self) -> (LogIndex, Arc<Event>) {
        (self.index, Arc::new(self.event))
    }

    /// An entry out of the archive, which the caller compared with the tree: it has neither its
    /// personal part nor when it was sealed. The time of the event stands for that.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn archived(index: LogIndex, entry: Vec<u8>) -> Result<Self, Error> {
        let event = Event::open(&entry, None).map_err(|error| unreadable(index, &error))?;
        Ok(Self { index, sealed_at: event.time, event, entry, salt: None, commitment: None })
    }

    /// The same without what is about people: their commitment alone.
    #[must_use]
    pub fn without_personal(&self) -> Self {
        let mut event = self.event.clone();
        if let Some(commitment) = &self.commitment {
            event.personal = PersonalPart::Committed(commitment.clone());
        }
        let (index, sealed_at) = (self.index, self.sealed_at);
        let entry = self.entry.clone();
        Self { index, sealed_at, event, entry, salt: None, commitment: None }
    }

    /// The sealed bytes.
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// The salt of the commitment to the personal part, unless erased. Whoever may see the part may
    /// see the salt; to others it must not be shown, because with it a guess can be tested.
    pub fn salt(&self) -> Option<&[u8; 32]> {
        self.salt.as_ref()
    }
}

pub(crate) const COLUMNS: &str = "e.log_index, e.sealed_at, e.entry, e.salt, e.part";
/// Unsealed rows are nobody's business: every reader's query carries this.
pub(crate) const COVERED: &str = "e.log_index < (SELECT signed_size FROM log_state WHERE one = 1)";

pub(crate) fn read(row: &Row) -> Result<Sealed, Error> {
    let index = LogIndex(row.count("log_index")?);
    let entry = row.bytes("entry")?;
    let part = part_of(row, index)?;
    let unread = |error| unreadable(index, &error);
    let mut event = Event::open(&entry, None).map_err(unread)?;
    let commitment = part.as_ref().map(|part| event.reveal(part)).transpose().map_err(unread)?;
    let salt = part.map(|part| part.salt);
    Ok(Sealed { index, sealed_at: row.time("sealed_at")?, event, entry, salt, commitment })
}

fn read_bare(row: &Row) -> Result<Sealed, Error> {
    let index = LogIndex(row.count("log_index")?);
    let entry = row.bytes("entry")?;
    let event = Event::open(&entry, None).map_err(|error| unreadable(index, &error))?;
    let sealed_at = row.time("sealed_at")?;
    Ok(Sealed { index, sealed_at, event, entry, salt: None, commitment: None })
}

fn unreadable(index: LogIndex, error: &OpenError) -> Error {
    Error::Unreadable(format!("entry {index}: {}", spelled(error)))
}

/// What a row says about people.
fn part_of(row: &Row, index: LogIndex) -> Result<Option<SaltedPart>, Error> {
    let (Some(salt), Some(part)) = (row.maybe_bytes("salt")?, row.maybe_bytes("part")?) else {
        return Ok(None);
    };
    let salt = salt.try_into().map_err(|_| Error::Damaged(format!("salt of entry {index}")))?;
    Ok(Some(SaltedPart { salt, part }))
}

/// The sealed event with this identifier.
pub async fn by_id(link: &mut Link, id: EventId) -> Result<Option<Sealed>, Error> {
    // Added to, so that a server does not make a map of all that is covered.
    let sql = format!(
        "SELECT {COLUMNS} FROM event e WHERE e.id = $1
         AND (e.log_index + 0) < (SELECT signed_size FROM log_state WHERE one = 1)"
    );
    link.row(sql, vec![value::id(id)]).await?.as_ref().map(read).transpose()
}

/// The sealed event at this index.
pub async fn by_index(link: &mut Link, index: LogIndex) -> Result<Option<Sealed>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM event e WHERE e.log_index = $1 AND {COVERED}");
    link.row(sql, args![index]).await?.as_ref().map(read).transpose()
}

/// Sealed events from `from` on, in order, `limit` at most.
pub async fn range(link: &mut Link, from: LogIndex, limit: usize) -> Result<Vec<Sealed>, Error> {
    let mut found: Vec<Sealed> = Vec::new();
    if link.dialect() == Dialect::Postgres {
        // The planner of a server would sort all that follows to answer with the first of it.
        let to = LogIndex(from.0.saturating_add(limit as u64));
        let sql = format!(
            "SELECT {COLUMNS} FROM event e WHERE e.log_index >= $1 AND e.log_index < $2
             AND {COVERED} ORDER BY e.log_index"
        );
        let rows = link.rows(sql, args![from, to]).await?;
        found = rows.iter().map(read).collect::<Result<_, _>>()?;
    }
    if found.len() < limit {
        // The end of the log, or events that were removed.
        let next = found.last().map_or(from, |last| LogIndex(last.index.0 + 1));
        let sql = format!(
            "SELECT {COLUMNS} FROM event e WHERE e.log_index >= $1 AND {COVERED}
             ORDER BY e.log_index LIMIT $2"
        );
        let rows = link.rows(sql, args![next, limit - found.len()]).await?;
        for row in &rows {
            found.push(read(row)?);
        }
    }
    Ok(found)
}

/// Sealed events of some types with indexes `from..to`, in order, `limit` at most. The rows of
/// other types are passed over where they lie: none of them is opened.
pub async fn of_types(
    link: &mut Link,
    range: (LogIndex, LogIndex),
    types: &[&str],
    limit: usize,
) -> Result<Vec<Sealed>, Error> {
    rows_of_types(link, COLUMNS, range, types, limit).await?.iter().map(read).collect()
}

/// The same without what is about people ([`Sealed::without_personal`]), which is not even read.
pub async fn of_types_bare(
    link: &mut Link,
    range: (LogIndex, LogIndex),
    types: &[&str],
    limit: usize,
) -> Result<Vec<Sealed>, Error> {
    let columns = "e.log_index, e.sealed_at, e.entry";
    rows_of_types(link, columns, range, types, limit).await?.iter().map(read_bare).collect()
}

async fn rows_of_types(
    link: &mut Link,
    columns: &str,
    (from, to): (LogIndex, LogIndex),
    types: &[&str],
    limit: usize,
) -> Result<Vec<Row>, Error> {
    if types.is_empty() || from >= to {
        return Ok(Vec::new());
    }
    let places = vec!["?"; types.len()].join(",");
    // Joined to nothing, so that the planner stays on the order of the log: both engines take it.
    let sql = format!(
        "SELECT {columns} FROM event e WHERE e.log_index >= ? AND e.log_index < ?
         AND (e.type || '') IN ({places}) AND {COVERED} ORDER BY e.log_index LIMIT ?"
    );
    let mut values = args![from, to];
    values.extend(types.iter().map(|name| crate::SqlValue::from(*name)));
    values.push(limit.into());
    link.rows(sql, values).await
}

/// What a look at many events shows beside what every entry says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// The detail.
    pub detail: bool,
    /// What is about people, unless erased.
    pub personal: bool,
}

/// The same, of which nothing but what conditions ask for is read ([`Event::glance`]).
pub async fn glances(
    link: &mut Link,
    range: (LogIndex, LogIndex),
    types: &[&str],
    glance: Glance,
    limit: usize,
) -> Result<Vec<(LogIndex, Event)>, Error> {
    let columns = match glance.personal {
        true => "e.log_index, e.entry, e.salt, e.part",
        false => "e.log_index, e.entry",
    };
    let seen = |row: &Row| {
        let (index, entry) = entry_of(row)?;
        let damaged = |error| Error::Damaged(format!("entry {index}: {error}"));
        let mut event = Event::glance(entry, glance.detail).map_err(damaged)?;
        if glance.personal
            && let Some(part) = part_of(row, LogIndex(index))?
        {
            event.reveal(&part).map_err(damaged)?;
        }
        Ok((LogIndex(index), event))
    };
    rows_of_types(link, columns, range, types, limit).await?.iter().map(seen).collect()
}

/// The newest sealed event of some types with an index of `from..to`.
pub async fn newest_of_types(
    link: &mut Link,
    (from, to): (LogIndex, LogIndex),
    types: &[&str],
) -> Result<Option<Sealed>, Error> {
    if types.is_empty() || from >= to {
        return Ok(None);
    }
    let places = vec!["?"; types.len()].join(",");
    let sql = format!(
        "SELECT {COLUMNS} FROM event e WHERE e.log_index >= ? AND e.log_index < ?
         AND (e.type || '') IN ({places}) AND {COVERED} ORDER BY e.log_index DESC LIMIT 1"
    );
    let mut values = args![from, to];
    values.extend(types.iter().map(|name| crate::SqlValue::from(*name)));
    link.row(sql, values).await?.as_ref().map(read).transpose()
}

/// The sealed events at these indexes, in order; those that are not there are left out.
pub async fn at_indexes(link: &mut Link, indexes: &[u64]) -> Result<Vec<Sealed>, Error> {
    let mut found = Vec::with_capacity(indexes.len());
    for chunk in indexes.chunks(1_000) {
        let places = vec!["?"; chunk.len()].join(",");
        let sql = format!(
            "SELECT {COLUMNS} FROM event e WHERE e.log_index IN ({places}) AND {COVERED}
             ORDER BY e.log_index"
        );
        let values = chunk.iter().map(|index| (*index).into()).collect();
        for row in &link.rows(sql, values).await? {
            found.push(read(row)?);
        }
    }
    Ok(found)
}

/// The first sealed event at or after a time.
pub async fn first_since(link: &mut Link, time: Timestamp) -> Result<Option<LogIndex>, Error> {
    let sql = format!(
        "SELECT e.log_index FROM event e WHERE e.time >= $1 AND {COVERED}
         ORDER BY e.log_index LIMIT 1"
    );
    let row = link.row(sql, args![time]).await?;
    row.map(|row| row.count("log_index").map(LogIndex)).transpose()
}

/// The index after the newest sealed event.
pub async fn latest_index(link: &mut Link) -> Result<LogIndex, Error> {
    super::state(link).await.map(|state| LogIndex(state.signed_size))
}

/// The time of the newest sealed event.
pub async fn latest_time(link: &mut Link) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT time FROM event ORDER BY log_index DESC LIMIT 1";
    link.row(sql, vec![]).await?.map(|row| row.time("time")).transpose()
}

/// The bytes of entries `from..to`, in order, as they are in the store: for the sealer, for entry
/// bundles and for verification. Missing entries are left out; callers check the indexes.
pub async fn entries(link: &mut Link, from: u64, to: u64) -> Result<Vec<(u64, Vec<u8>)>, Error> {
    let rows = entry_rows(link, from, to).await?;
    rows.iter().map(|row| entry_of(row).map(|(index, entry)| (index, entry.to_vec()))).collect()
}

/// The same where the database put them, for [`entry_of`].
pub async fn entry_rows(link: &mut Link, from: u64, to: u64) -> Result<Vec<Row>, Error> {
    let sql = "SELECT log_index, entry FROM event
               WHERE log_index >= $1 AND log_index < $2 ORDER BY log_index";
    link.rows(sql, args![from, to]).await
}

/// Index and bytes in a row of [`entry_rows`].
pub fn entry_of(row: &Row) -> Result<(u64, &[u8]), Error> {
    Ok((row.count("log_index")?, row.read_bytes("entry")?))
}
