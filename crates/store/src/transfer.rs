//! Copies an embedded store into an empty database on a server, where the same log goes on.
//!
//! Everything is read from the one and written to the other in one transaction: a crash leaves the
//! server's database empty and the embedded one as it was. Crash after that one was committed: the
//! log is on both sides, and the caller has not heard of it. Either may go on, and the other not
//! any more: whoever begins there has the newer checkpoint beside the keys. What is derived from
//! the log is not copied but made anew, by the projector after the next start and by the triggers
//! of the schema.
//!
//! Nothing may be at work on either side; the embedded store is locked meanwhile.

use crate::backend::postgres;
use crate::table::certificate::Texts;
use crate::{DatabaseUrl, Error, Link, Row, Settings, SqlValue, Store, args, log};

/// Rows read and written at a time.
const BATCH: i64 = 2_000;

/// Tables whose rows are made anew, and those that say who is at work now.
const LEFT: [&str; 16] = [
    "certificate_count",
    "certificate_hour",
    "certificate_reach",
    "certificate_text",
    "event_block",
    "event_block_count",
    "event_day",
    "event_hour",
    "event_key",
    "event_span",
    "event_target",
    "event_text",
    "lease",
    "log_part",
    "node",
    "schema_step",
];

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transferred {
    /// Rows of all tables.
    pub rows: u64,
    /// Entries of the log.
    pub log_size: u64,
    /// Entries of these that had been removed into the archive.
    pub removed: u64,
    /// The server has counted what its plans go by.
    pub analyzed: bool,
}

/// Keeps every process from the directory that was copied, until it is dropped: its log must not go
/// on there as well.
#[must_use = "whoever starts on the directory meanwhile forks the log"]
pub struct Held {
    _lock: Option<crate::backend::sqlite::Lock>,
}

/// A column and how its values are stored.
struct Column {
    name: String,
    kind: String,
}

struct Table {
    name: String,
    columns: Vec<Column>,
    /// What its rows are read in the order of.
    key: Vec<Column>,
}

/// Copies the store of a data directory; `told` hears of each table with its rows. The directory
/// stays locked as long as the caller keeps what holds it.
///
/// # Errors
/// A process is at work on the directory, the database on the server is not empty or cannot be
/// used; nothing was written then. Where the commit is not answered, the error says so.
pub async fn transfer(
    from: &Settings,
    to: &DatabaseUrl,
    mut told: impl FnMut(&str, u64) + Send,
) -> Result<(Transferred, Held), Error> {
    let source = Store::open(from).await?;
    let mut target = postgres::plain(to).await?;
    let at = |what: String| Error::Server { place: to.place().to_owned(), what };
    if !is_empty(&mut target).await? {
        let what = "the database on the server has a log already: name an empty one. If an earlier \
                    run was broken off, it may have finished copying: empty that database and \
                    move again, unless a node has worked on it";
        return Err(at(what.to_owned()));
    }
    let mut link = source.read().await?;
    target.script("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL idle_in_transaction_session_timeout = '1h'").await?;
    let sealed = link.number("SELECT size AS n FROM log_state", Vec::new()).await?;
    log::make_room(&mut target, u64::try_from(sealed).unwrap_or(0)).await?;
    let mut done = Transferred::default();
    // Tables in the order in which they were made: none refers to a later one.
    for table in tables(&mut link).await? {
        let rows = copy(&mut link, &mut target, &table).await?;
        done.rows += rows;
        told(&table.name, rows);
    }
    words(&mut link, &mut target).await?;
    target.execute("DELETE FROM log_cursor WHERE name = 'projection'", Vec::new()).await?;
    for (table, column) in [("pending_event", "seq"), ("certificate", "number")] {
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'),
             (SELECT coalesce(MAX({column}), 0) + 1 FROM {table}), false) AS n"
        );
        target.row(sql, Vec::new()).await?;
    }
    let sql = "SELECT size AS n FROM log_state";
    done.log_size = u64::try_from(target.number(sql, Vec::new()).await?).unwrap_or(0);
    let sql = "SELECT CAST(coalesce(SUM(last_index - first_index + 1), 0) AS BIGINT) AS n
               FROM removed_span";
    done.removed = u64::try_from(target.number(sql, Vec::new()).await?).unwrap_or(0);
    let committed = target.script("COMMIT").await;
    committed.map_err(|error| at(format!("whether the copy is there is not known: {error}")))?;
    #[cfg(any(test, feature = "faults"))]
    crate::fault::strike(vec!["transfer"], crate::fault::Moment::After).await;
    // It is copied: nothing that fails from here on makes it less so.
    done.analyzed = target.script("ANALYZE").await.is_ok();
    let _ = target.close().await;
    drop(link);
    let _lock = source.close_and_hold().await;
    Ok((done, Held { _lock }))
}

async fn is_empty(target: &mut Link) -> Result<bool, Error> {
    let sql = "SELECT (SELECT COUNT(*) FROM setting) + (SELECT COUNT(*) FROM pending_event)
               + (SELECT coalesce(MAX(size), 0) FROM log_state) AS n";
    Ok(target.number(sql, Vec::new()).await? == 0)
}

async fn tables(link: &mut Link) -> Result<Vec<Table>, Error> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'
               ORDER BY rowid";
    let mut tables = Vec::new();
    for row in link.rows(sql, Vec::new()).await? {
        let name = row.text("name")?;
        // The tables that full text is kept in have names that begin with that of theirs.
        let of_words = |name: &str| {
            ["certificate_text", "event_text"].iter().any(|words| name.starts_with(words))
        };
        if LEFT.contains(&name.as_str()) || of_words(&name) {
            continue;
        }
        let sql = "SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid";
        let mut columns = Vec::new();
        let mut key = Vec::new();
        for row in link.rows(sql, args![&name]).await? {
            let column =
                || Ok::<_, Error>(Column { name: row.text("name")?, kind: row.text("type")? });
            columns.push(column()?);
            let place = row.int("pk")?;
            if place > 0 {
                key.push((place, column()?));
            }
        }
        key.sort_by_key(|(place, _)| *place);
        let key = key.into_iter().map(|(_, column)| column).collect();
        tables.push(Table { name, columns, key });
    }
    Ok(tables)
}

fn value(row: &Row, column: &Column) -> Result<SqlValue, Error> {
    Ok(match column.kind.as_str() {
        "BIGINT" | "INTEGER" => row.maybe_int(&column.name)?.into(),
        "TEXT" => row.maybe_text(&column.name)?.into(),
        "BLOB" => row.maybe_bytes(&column.name)?.into(),
        "DOUBLE PRECISION" => row.maybe_real(&column.name)?.into(),
        other => return Err(Error::Damaged(format!("a column of the type {other}"))),
    })
}

/// Copies the rows of a table; answers how many.
async fn copy(from: &mut Link, to: &mut Link, table: &Table) -> Result<u64, Error> {
    let Table { name, columns, key } = table;
    // The schema has made rows of its own, such as the empty state of the log.
    to.execute(format!("DELETE FROM {name}"), Vec::new()).await?;
    let listed = |columns: &[Column]| {
        columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let all = listed(columns);
    let (order, places) = if key.is_empty() {
        ("rowid".to_owned(), "?".to_owned())
    } else {
        (listed(key), vec!["?"; key.len()].join(", "))
    };
    let head = format!("INSERT INTO {name} ({all})");
    let rowid = if key.is_empty() { ", rowid AS row_number" } else { "" };
    let mut after: Option<Vec<SqlValue>> = None;
    let mut count = 0;
    loop {
        let beyond = match after {
            Some(_) => format!("WHERE ({order}) > ({places})"),
            None => String::new(),
        };
        let sql = format!("SELECT {all}{rowid} FROM {name} {beyond} ORDER BY {order} LIMIT ?");
        let mut values = after.take().unwrap_or_default();
        values.push(BATCH.into());
        let rows = from.rows(sql, values).await?;
        let Some(last) = rows.last() else { return Ok(count) };
        after = Some(if key.is_empty() {
            vec![last.int("row_number")?.into()]
        } else {
            key.iter().map(|column| value(last, column)).collect::<Result<_, _>>()?
        });
        count += rows.len() as u64;
        let rows = rows
            .iter()
            .map(|row| columns.iter().map(|column| value(row, column)).collect())
            .collect::<Result<Vec<Vec<SqlValue>>, Error>>()?;
        to.insert_rows(&head, "", rows).await?;
    }
}

/// Makes the words that certificates are found by anew.
async fn words(from: &mut Link, to: &mut Link) -> Result<(), Error> {
    let sql = "SELECT c.id, c.number, c.subject_dn, c.subject_cn, c.issuer_dn, c.serial,
                   c.fingerprint_sha256, coalesce(
                   (SELECT group_concat(n.value, ' ') FROM certificate_name n
                    WHERE n.certificate = c.id), '') AS names
               FROM certificate c WHERE c.number > $1 ORDER BY c.number LIMIT $2";
    let dialect = to.dialect();
    let (head, tail) = dialect.certificate_words();
    let mut after = 0;
    loop {
        let rows = from.rows(sql, args![after, BATCH]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.int("number")?;
        let rows = rows
            .iter()
            .map(|row| {
                let common_name = row.maybe_text("subject_cn")?;
                let texts = Texts {
                    subject: &row.text("subject_dn")?,
                    common_name: common_name.as_deref(),
                    issuer: &row.text("issuer_dn")?,
                    serial: &row.text("serial")?,
                    fingerprint: &row.text("fingerprint_sha256")?,
                    names: &row.text("names")?,
                };
                let words = dialect.stored_words(&texts.indexed()).into_owned();
                Ok(args![row.text("id")?, words])
            })
            .collect::<Result<_, Error>>()?;
        to.insert_rows(head, tail, rows).await?;
    }
}
