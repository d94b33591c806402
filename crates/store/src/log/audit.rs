//! Rows of the log as they stand, with what is wrong in them that the sealed bytes cannot tell: a
//! personal part that is not the committed one, a column that says other than the entry.
//!
//! For verification only. Nothing here trusts a row, and nothing stops at the first bad one.

use chancery_event::entry::SaltedPart;
use chancery_event::{Event, LogIndex};

use super::sequence::{EVENT_HEAD, EVENT_WIDTH, push_event};
use crate::sheet::{Held, Sheet};
use crate::{Error, Link, Row, args};

/// An entry as it is stored, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Its index.
    pub index: u64,
    /// The sealed bytes.
    pub entry: Vec<u8>,
    /// Whether its personal part was erased.
    pub erased: bool,
    /// What is wrong with the row beside the bytes; `None`: nothing.
    pub flaw: Option<String>,
}

/// The stored entries `from..to` in order, judged; missing ones are left out.
///
/// # Errors
/// The database cannot be read. A row that cannot be understood is no error but a flaw.
pub async fn audit(link: &mut Link, from: u64, to: u64) -> Result<Vec<Audited>, Error> {
    let sql = format!(
        "SELECT {} FROM event WHERE log_index >= $1 AND log_index < $2 ORDER BY log_index",
        columns()
    );
    link.rows(sql, args![from, to]).await?.iter().map(judge).collect()
}

/// The columns of `event`, as the statement that fills them names them.
fn columns() -> &'static str {
    EVENT_HEAD.split_once('(').map_or("", |(_, columns)| columns.trim_end_matches(')'))
}

fn judge(row: &Row) -> Result<Audited, Error> {
    let index = row.count("log_index")?;
    let entry = row.bytes("entry")?;
    let (erased, flaw) = match check(row, index, &entry) {
        Ok(erased) => (erased, None),
        Err(flaw) => (false, Some(flaw)),
    };
    Ok(Audited { index, entry, erased, flaw })
}

/// Whether the personal part was erased, or what is wrong.
fn check(row: &Row, index: u64, entry: &[u8]) -> Result<bool, String> {
    let stored = |error: Error| error.to_string();
    let salt = row.maybe_bytes("salt").map_err(stored)?;
    let part = row.maybe_bytes("part").map_err(stored)?;
    let personal = match (salt, part) {
        (Some(salt), Some(part)) => {
            let salt = salt.try_into().map_err(|_| "the salt does not have 32 bytes".to_owned())?;
            Some(SaltedPart { salt, part })
        }
        (None, None) => None,
        _ => return Err("of salt and personal part only one is there".to_owned()),
    };
    let event = Event::open(entry, personal.as_ref()).map_err(|error| spelled(&error))?;
    let erased = matches!(event.personal, chancery_event::PersonalPart::Committed(_));
    let sealed_at = row.time("sealed_at").map_err(stored)?;
    let part = personal.as_ref().map(|personal| (&personal.salt, &*personal.part));
    let mut expected = Sheet::new(EVENT_WIDTH, 1, 2_048);
    push_event(&mut expected, LogIndex(index), &event, entry, part, sealed_at);
    for (place, column) in columns().split(',').map(str::trim).enumerate() {
        // The bytes are what everything is compared with; salt and part were opened above.
        if !matches!(column, "entry" | "salt" | "part")
            && !holds(row, column, expected.value(0, place))
        {
            return Err(format!("the column {column} does not say what the entry says"));
        }
    }
    Ok(erased)
}

fn holds(row: &Row, column: &str, expected: Held<'_>) -> bool {
    match expected {
        Held::Int(value) => row.maybe_int(column).is_ok_and(|found| found == Some(value)),
        Held::Text(value) => {
            let found = row.read_text(column);
            let Ok(value) = std::str::from_utf8(value) else { return false };
            found.is_ok_and(|found| found == row.dialect().storable(value))
        }
        Held::Null => row.is_null(column).unwrap_or(false),
        Held::Real(_) | Held::Bytes(_) => false,
    }
}

/// An error with its causes in one line.
pub(super) fn spelled(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Indexes of rows that no entry of the log can have, ten at most: behind its end, or negative.
///
/// # Errors
/// The database cannot be read.
pub async fn surplus(link: &mut Link) -> Result<Vec<i64>, Error> {
    // One statement: the log may grow between two.
    let sql = "SELECT log_index FROM event
               WHERE log_index < 0 OR log_index >= (SELECT size FROM log_state WHERE one = 1)
               ORDER BY log_index LIMIT 10";
    link.rows(sql, args![]).await?.iter().map(|row| row.int("log_index")).collect()
}
