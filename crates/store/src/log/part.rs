//! Parts of the hot tables on a server: ranges of log indexes, made ahead, dropped as wholes.
//!
//! The log index is the order of time that every reader uses, so a part holds a stretch of time.
//! The first parts have [`WIDTH`] entries, later ones a sixteenth of the log: their number grows
//! with the logarithm of the log. A part is made beside its table and attached, which stops no
//! reader.
//!
//! The embedded engine has no parts: [`make_room`] does nothing there and [`parts`] is empty.
//! Nothing here may ever make a part for everything else: attaching beside one would lock and read
//! it.

use std::time::Duration;

use chancery_event::id::EventId;
use chancery_event::{LogIndex, Timestamp};

use crate::filter_sql::Dialect;
use crate::{Error, Link, Tx, args};

/// Entries of the first parts.
pub const WIDTH: u64 = 1 << 20;
/// A setting: entries of the parts to come, where they are not as built in.
const WIDTH_SET: &str = "log_part_width";
/// Tables that are divided, and the column that is the log index.
pub(super) const TABLES: [(&str, &str); 4] = [
    ("event", "log_index"),
    ("event_target", "log_index"),
    ("event_key", "log_index"),
    ("event_text", "id"),
];

/// A range of log indexes that has tables of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first index in it.
    pub first: u64,
    /// The index behind the last.
    pub end: u64,
}

impl Part {
    /// Name of its piece of a table.
    pub(super) fn of(self, table: &str) -> String {
        format!("{table}_p{}", self.first)
    }
}

/// The parts there are, in order.
pub async fn parts(link: &mut Link) -> Result<Vec<Part>, Error> {
    let sql = "SELECT first_index, end_index FROM log_part ORDER BY first_index";
    link.rows(sql, Vec::new())
        .await?
        .iter()
        .map(|row| Ok(Part { first: row.count("first_index")?, end: row.count("end_index")? }))
        .collect()
}

/// Sets how many entries the parts to come have. For tests, and for who knows better.
pub async fn set_width(tx: &mut Tx, entries: u64) -> Result<(), Error> {
    crate::table::setting::put(tx, WIDTH_SET, &entries.to_string()).await
}

/// Makes sure that there are parts for the entries before `to`, and some for those to come.
///
/// Runs in the transaction that gives events their indexes: one at a time does that, and what it
/// makes here is there or not with what it seals.
pub(crate) async fn make_room(link: &mut Link, to: u64) -> Result<(), Error> {
    if link.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let end = "SELECT MAX(end_index) AS n FROM log_part";
    let mut end = u64::try_from(link.number(end, Vec::new()).await?).unwrap_or(0);
    // The next one is made when a quarter of the last is left.
    while end < to.saturating_add(WIDTH / 4) {
        let width = width(link, end).await?;
        if end >= to.saturating_add(width / 4) {
            break;
        }
        make(link, Part { first: end, end: end + width }).await?;
        end += width;
    }
    Ok(())
}

async fn width(link: &mut Link, size: u64) -> Result<u64, Error> {
    let set = crate::table::setting::find(link, WIDTH_SET).await?;
    let set = set.and_then(|text| text.parse::<u64>().ok()).filter(|width| *width >= 256);
    // A block of a search lies in one part.
    let set = set.map(|width| width - width % 256);
    Ok(set.unwrap_or_else(|| WIDTH.max((size / 16).next_power_of_two())))
}

async fn make(link: &mut Link, part: Part) -> Result<(), Error> {
    for (table, _) in TABLES {
        let name = part.of(table);
        let sql = format!(
            "CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS
             INCLUDING INDEXES INCLUDING STORAGE)"
        );
        link.execute(sql, Vec::new()).await?;
        let sql = format!(
            "ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({}) TO ({})",
            part.first, part.end
        );
        link.execute(sql, Vec::new()).await?;
    }
    let sql = "INSERT INTO log_part (first_index, end_index) VALUES ($1, $2)";
    link.execute(sql, args![part.first, part.end]).await.map(|_| ())
}

/// The time of the newest event in a range of log indexes that is still there.
pub async fn newest_time(
    link: &mut Link,
    from: LogIndex,
    to: LogIndex,
) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT MAX(time) AS time FROM event WHERE log_index >= $1 AND log_index < $2";
    let row = link.row(sql, args![from, to]).await?;
    row.map_or(Ok(None), |row| row.maybe_time("time"))
}

/// Drops a part with everything in it, as removed by `run`; answers how many events that were.
///
/// In a transaction of its own on a connection of its own. What takes long comes first and locks
/// nothing that others write; the counts, the holds and the run are locked at the end of it, which
/// waits for readers, `wait_max` for each table at most: then nothing is dropped.
///
/// # Errors
/// [`Error::Conflict`] if the holds have another revision by now, or somebody ended the run.
/// [`Error::Unavailable`] if readers did not let go.
pub async fn drop_part(
    store: &crate::Store,
    part: Part,
    run: EventId,
    holds: i64,
    wait_max: Duration,
) -> Result<u64, Error> {
    let mut link = store.alone().await?;
    if let Some(connection) = link.server() {
        // There may be millions of rows to count.
        connection.be_patient();
    }
    let dropped = async {
        let begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '{}ms'; \
             SET LOCAL statement_timeout = '1h'; \
             SET LOCAL idle_in_transaction_session_timeout = '1h'",
            wait_max.as_millis()
        );
        script(&mut link, &begin).await?;
        // Looked at again at the end, when it counts.
        if super::trim::holds_revision(&mut link).await? != holds {
            return Err(Error::Conflict("a legal hold"));
        }
        let removed = note_removed(&mut link, part, run).await?;
        uncount(&mut link, part).await?;
        // Nobody places a hold until this has ended.
        if super::trim::holds_kept(&mut link).await? != holds {
            return Err(Error::Conflict("a legal hold"));
        }
        crate::table::retention::still_runs(&mut link, run).await?;
        for (table, _) in TABLES {
            link.execute(format!("DROP TABLE {}", part.of(table)), Vec::new()).await?;
        }
        let gone = "DELETE FROM log_part WHERE first_index = $1 AND end_index = $2";
        if link.execute(gone, args![part.first, part.end]).await? != 1 {
            return Err(Error::Conflict("the parts of the log"));
        }
        link.script("COMMIT").await?;
        Ok(removed)
    }
    .await;
    if dropped.is_err() {
        let _ = link.script("ROLLBACK").await;
    }
    link.close().await?;
    dropped
}

fn rows(Part { first, end }: Part) -> String {
    format!("FROM event WHERE log_index >= {first} AND log_index < {end}")
}

/// Notes what is in a part as removed; answers how many events that are.
///
/// As a script, which may take as long as a step of the schema: there may be millions of rows.
async fn note_removed(link: &mut Link, part: Part, run: EventId) -> Result<u64, Error> {
    let (rows, known) = (rows(part), super::trim::KNOWN);
    let sql = format!(
        "INSERT INTO removed_span (first_index, last_index, run)
         SELECT MIN(log_index), MAX(log_index), '{run}' FROM (
             SELECT log_index, log_index - ROW_NUMBER() OVER (ORDER BY log_index) AS island
             {rows}) AS numbered GROUP BY island;
         INSERT INTO removed_event (id, log_index) SELECT id, log_index {rows} {known}"
    );
    script(link, &sql).await?;
    // Of the rows of neighbours, which are few: asked for rows, a server has to answer soon.
    let counted = "SELECT CAST(SUM(last_index - first_index + 1) AS BIGINT) AS n FROM removed_span
                   WHERE run = $1 AND first_index >= $2 AND first_index < $3";
    let range = vec![crate::value::id(run), part.first.into(), part.end.into()];
    Ok(u64::try_from(link.number(counted, range).await?).unwrap_or(0))
}

/// Takes what is in a part out of the counts, and forgets its hours and blocks. The part is read
/// first, for hours and days at once, and rows of counts are locked after that.
async fn uncount(link: &mut Link, part: Part) -> Result<(), Error> {
    let (rows, hour, day) = (rows(part), Timestamp::HOUR, Timestamp::DAY);
    // An hour that reaches behind the part goes with what is there.
    let (end, (first, last)) = (part.end, super::search::block::within(part.first, part.end));
    let same = |table: &str, gone: &str, unit: &str| {
        let columns = [unit, "type", "severity", "result", "origin"];
        columns.map(|column| format!("{table}.{column} = {gone}.{column}")).join(" AND ")
    };
    let (of_hour, of_day) = (same("event_hour", "gone", "hour"), same("event_day", "days", "day"));
    let sql = format!(
        "WITH gone AS MATERIALIZED (
             SELECT (time - ((time % {hour}) + {hour}) % {hour}) AS hour, type, severity, result,
                    origin, COUNT(*) AS n
             {rows} GROUP BY 1, type, severity, result, origin),
         days AS MATERIALIZED (
             SELECT (hour - ((hour % {day}) + {day}) % {day}) AS day, type, severity, result,
                    origin, CAST(SUM(n) AS BIGINT) AS n
             FROM gone GROUP BY 1, type, severity, result, origin),
         hours AS (
             UPDATE event_hour SET events = event_hour.events - gone.n FROM gone WHERE {of_hour})
         UPDATE event_day SET events = event_day.events - days.n FROM days WHERE {of_day};
         DELETE FROM event_hour WHERE events <= 0;
         DELETE FROM event_day WHERE events <= 0;
         DELETE FROM event_span WHERE last_index < {end}
         AND NOT EXISTS (SELECT 1 FROM event_hour h WHERE h.hour = event_span.hour);
         DELETE FROM event_block WHERE block >= {first} AND block < {last};
         DELETE FROM event_block_count WHERE block >= {first} AND block < {last}",
    );
    script(link, &sql).await
}

/// Runs statements on a server.
pub(super) async fn script(link: &mut Link, sql: &str) -> Result<(), Error> {
    match link.server() {
        Some(connection) => connection.script(sql).await,
        None => Err(Error::NotHere("the embedded database has no parts")),
    }
}
