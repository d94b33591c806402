//! One connection to SQLite: binds arguments, runs statements, reads rows into memory of our own.
//!
//! A statement runs on the thread that asks for it. Handing each one to a thread of the database
//! and its rows back cost more than most statements do. The writer has a thread for itself; a
//! reader lets other tasks move to another thread first when a statement is not known to be quick.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{OpenFlags, ToSql};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::sheet::{Held, Sheet};
use crate::transaction::values_statement;
use crate::{Error, SqlValue};

/// A statement that took less than this on average runs without giving way to other tasks.
const QUICK: Duration = Duration::from_micros(300);
/// Statements that are remembered at most; questions of people have texts without end.
const KNOWN_MAX: usize = 1_024;
/// Bytes that rows of an answer have together, roughly: one piece of memory that grows without end
/// is copied again and again.
const ANSWER_BYTES: usize = 128 * 1_024;
/// Statements that stay prepared.
const PREPARED_MAX: usize = 256;
/// A question of a reader is broken off after this time, as `statement_timeout` does on a server:
/// few connections read, and one question must not keep one from the others.
pub(super) const QUESTION_MAX: Duration = Duration::from_secs(20);
/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// A connection of its own.
pub(crate) struct Connection {
    /// Never locked, only reached through `&mut`: it makes the connection one that may be shared.
    database: Mutex<rusqlite::Connection>,
    known: HashMap<Cow<'static, str>, Known>,
    /// Whoever runs here has the thread for itself.
    alone: bool,
    limit: Option<Limit>,
}

/// How long a statement may take.
struct Limit {
    most: Duration,
    /// When the present one has to end, in microseconds since `since`.
    until_us: Arc<AtomicU64>,
    since: Instant,
}

/// What is known of a statement that ran before.
struct Known {
    /// For each place of the statement, the number of its argument, from 0.
    places: Box<[usize]>,
    columns: Columns,
    /// Running average of the time it takes; `None` until it has run.
    takes: Option<Duration>,
    /// Rows and bytes of its last answer, at most those of one sheet.
    size: (usize, usize),
}

type Columns = Arc<[Box<str>]>;

/// A part of what a statement answered.
struct Answer {
    columns: Columns,
    rows: Sheet,
}

/// A row in memory, which it shares with the other rows of its answer.
#[derive(Clone)]
pub(crate) struct Row {
    answer: Arc<Answer>,
    number: usize,
}

impl Row {
    /// The value in a column.
    pub(crate) fn value(&self, column: &str) -> Result<Held<'_>, Error> {
        let place = self.answer.columns.iter().position(|name| **name == *column);
        match place {
            Some(place) => Ok(self.answer.rows.value(self.number, place)),
            None => Err(Error::Damaged(format!("column {column}: the answer has none"))),
        }
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Null => ValueRef::Null,
            Self::Int(v) => ValueRef::Integer(*v),
            Self::Real(v) => ValueRef::Real(*v),
            Self::Text(v) => ValueRef::Text(v.as_bytes()),
            Self::Bytes(v) => ValueRef::Blob(v),
            Self::Bool(v) => ValueRef::Integer(i64::from(*v)),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

impl ToSql for Held<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Null => ValueRef::Null,
            Self::Int(v) => ValueRef::Integer(*v),
            Self::Real(v) => ValueRef::Real(*v),
            Self::Text(v) => ValueRef::Text(v),
            Self::Bytes(v) => ValueRef::Blob(v),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

impl<'a> From<ValueRef<'a>> for Held<'a> {
    fn from(value: ValueRef<'a>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(v) => Self::Int(v),
            ValueRef::Real(v) => Self::Real(v),
            ValueRef::Text(v) => Self::Text(v),
            ValueRef::Blob(v) => Self::Bytes(v),
        }
    }
}

impl Connection {
    /// Opens a file, which is made if `create` says so. `alone`: whoever uses the connection has a
    /// thread for itself.
    pub(crate) fn open(file: &Path, create: bool, alone: bool) -> Result<Self, rusqlite::Error> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
        Self::over(rusqlite::Connection::open_with_flags(file, flags)?, alone)
    }

    /// A database in memory.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Result<Self, rusqlite::Error> {
        Self::over(rusqlite::Connection::open_in_memory()?, true)
    }

    fn over(database: rusqlite::Connection, alone: bool) -> Result<Self, rusqlite::Error> {
        database.set_prepared_statement_cache_capacity(PREPARED_MAX);
        // Else a plan depends on what is bound, and every statement that compares with a value or
        // has a limit is prepared anew each time that it runs.
        database.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        super::regexp::define(&database)?;
        Ok(Self { database: Mutex::new(database), known: HashMap::new(), alone, limit: None })
    }

    /// Breaks statements off that take longer than this.
    pub(super) fn limit(&mut self, most: Duration) -> Result<(), rusqlite::Error> {
        let (until_us, since) = (Arc::new(AtomicU64::new(u64::MAX)), Instant::now());
        let until = until_us.clone();
        let over = move || micros(since.elapsed()) > until.load(Ordering::Relaxed);
        self.database().progress_handler(STEPS, Some(over))?;
        self.limit = Some(Limit { most, until_us, since });
        Ok(())
    }

    /// Whether no transaction is open.
    pub(crate) fn is_between_transactions(&mut self) -> bool {
        self.database().is_autocommit()
    }

    fn database(&mut self) -> &mut rusqlite::Connection {
        self.database.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// All rows of a statement, and how many it changed if it changes any.
    pub(crate) fn run(
        &mut self,
        sql: Cow<'static, str>,
        args: &[SqlValue],
    ) -> Result<(Vec<Row>, u64), Error> {
        let takes = self.known.get(&sql).and_then(|known| known.takes);
        let done = if self.alone || takes.is_some_and(|takes| takes < QUICK) {
            self.run_here(sql, args)
        } else {
            giving_way(|| self.run_here(sql, args))
        };
        done.map_err(|(context, error)| Error::from_sqlite(context, error))
    }

    fn run_here(
        &mut self,
        sql: Cow<'static, str>,
        args: &[SqlValue],
    ) -> Result<(Vec<Row>, u64), (String, rusqlite::Error)> {
        let started = Instant::now();
        if let Some(limit) = &self.limit {
            let until = micros(limit.since.elapsed() + limit.most);
            limit.until_us.store(until, Ordering::Relaxed);
        }
        let database = self.database.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut known = self.known.remove(&sql);
        let done = run_known(database, &mut known, &sql, args)
            .map_err(|error| (crate::link::context(&sql), error));
        if let Some(mut known) = known {
            let took = started.elapsed();
            known.takes = known.takes.map_or(Some(took), |takes| Some((takes * 7 + took) / 8));
            if self.known.len() >= KNOWN_MAX {
                self.known.clear();
            }
            self.known.insert(sql, known);
        }
        done
    }

    /// Inserts the rows of a sheet, `most` of them with one statement; `head` stands before the
    /// rows of each, `tail` behind them.
    pub(crate) fn insert(
        &mut self,
        head: &str,
        tail: &str,
        sheet: &Sheet,
        most: usize,
    ) -> Result<(), Error> {
        insert(self.database(), (head, tail), sheet, most)
            .map_err(|error| Error::from_sqlite(crate::link::context(head), error))
    }

    /// The integer in the first column of the one row that a statement answers.
    pub(crate) fn integer(&mut self, sql: &str) -> Result<i64, rusqlite::Error> {
        self.database().query_row(sql, (), |row| row.get(0))
    }

    /// Runs statements without arguments and answers that change nothing that is known.
    pub(crate) fn tell(&mut self, sql: &str) -> Result<(), rusqlite::Error> {
        self.database().execute_batch(sql)
    }

    /// Runs several statements without arguments.
    pub(crate) fn script(&mut self, sql: &str) -> Result<(), Error> {
        // What was known of answers may have changed with the schema.
        self.known.clear();
        self.database()
            .execute_batch(sql)
            .map_err(|error| Error::from_sqlite(crate::link::context(sql), error))
    }

    /// Calls `look` after each commit, with how many frames the write-ahead log has then, in place
    /// of what SQLite does with a long one.
    pub(super) fn after_commits<F>(&mut self, look: F) -> Result<(), rusqlite::Error>
    where
        F: FnMut(&mut Wal, i32) -> rusqlite::Result<()> + Send + 'static,
    {
        self.database().wal_hook(Some(look))
    }

    /// Writes the write-ahead log back as far as readers let it; answers how many of its frames are
    /// written back.
    pub(super) fn write_back(&mut self) -> Result<i64, rusqlite::Error> {
        // It was busy, frames of the log, those written back.
        self.database().query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |row| row.get(2))
    }

    /// Frames of the write-ahead log.
    #[cfg(test)]
    pub(super) fn frames(&mut self) -> Result<i64, rusqlite::Error> {
        self.database().query_row("PRAGMA wal_checkpoint(NOOP)", (), |row| row.get(1))
    }

    /// Closes the connection in order.
    pub(crate) fn close(mut self) -> Result<(), Error> {
        let unhooked = self.database().wal_hook(None::<fn(&mut Wal, i32) -> rusqlite::Result<()>>);
        unhooked.map_err(|error| Error::from_sqlite("close", error))?;
        let database = self.database.into_inner().unwrap_or_else(PoisonError::into_inner);
        database.close().map_err(|(_, error)| Error::from_sqlite("close", error))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn run_known(
    database: &rusqlite::Connection,
    known: &mut Option<Known>,
    sql: &str,
    args: &[SqlValue],
) -> rusqlite::Result<(Vec<Row>, u64)> {
    let mut statement = database.prepare_cached(sql)?;
    let known = known.get_or_insert_with(|| describe(&statement));
    let Known { places, columns, size, .. } = known;
    for (place, number) in places.iter().enumerate() {
        let Some(argument) = args.get(*number) else {
            return Err(rusqlite::Error::InvalidParameterCount(args.len(), number + 1));
        };
        statement.raw_bind_parameter(place + 1, argument)?;
    }
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    // It is likely to answer with as much as the last time.
    let mut sheet = Sheet::new(columns.len(), size.0, size.1 / size.0.max(1));
    *size = (0, 0);
    while let Some(row) = rows.next()? {
        if sheet.bytes() > ANSWER_BYTES {
            *size = (sheet.len(), sheet.bytes());
            let next = Sheet::new(columns.len(), sheet.len(), ANSWER_BYTES / sheet.len());
            hand_out(&mut found, columns, std::mem::replace(&mut sheet, next));
        }
        for place in 0..columns.len() {
            sheet.push(row.get_ref(place)?);
        }
    }
    drop(rows);
    drop(statement);
    if size.0 == 0 {
        *size = (sheet.len(), sheet.bytes());
    }
    hand_out(&mut found, columns, sheet);
    Ok((found, database.changes()))
}

fn hand_out(found: &mut Vec<Row>, columns: &Columns, rows: Sheet) {
    let numbers = 0..rows.len();
    if !numbers.is_empty() {
        let answer = Arc::new(Answer { columns: columns.clone(), rows });
        found.extend(numbers.map(|number| Row { answer: answer.clone(), number }));
    }
}

/// Inserts rows of a sheet, `most` with one statement.
fn insert(
    database: &rusqlite::Connection,
    (head, tail): (&str, &str),
    sheet: &Sheet,
    most: usize,
) -> rusqlite::Result<()> {
    let (width, mut done, mut size) = (sheet.width(), 0, most.max(1));
    while done < sheet.len() {
        let left = sheet.len() - done;
        if size > left {
            // Few distinct texts, so that prepared statements are found again.
            size /= 2;
            continue;
        }
        let mut statement = database.prepare_cached(&values_statement(head, tail, width, size))?;
        for _ in 0..left / size {
            for place in 0..width * size {
                let value = sheet.value(done + place / width, place % width);
                statement.raw_bind_parameter(place + 1, value)?;
            }
            statement.raw_execute()?;
            done += size;
        }
    }
    Ok(())
}

fn describe(statement: &rusqlite::Statement<'_>) -> Known {
    let places = (1..=statement.parameter_count())
        .map(|place| {
            let number = statement.parameter_name(place).and_then(|name| name.get(1..));
            let number = number.and_then(|number| number.parse::<usize>().ok());
            number.unwrap_or(place).saturating_sub(1)
        })
        .collect();
    let columns = statement.column_names().map(Box::from).collect();
    Known { places, columns, takes: None, size: (0, 0) }
}

/// Runs `work`, which may take long, so that other tasks of this thread go on elsewhere.
fn giving_way<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // One thread for everything: there is no elsewhere.
        _ => work(),
    }
}

#[cfg(test)]
mod tests;
