//! One connection to the database, without generics: text and arguments in, rows out.

use std::borrow::Cow;

use crate::backend::postgres;
use crate::backend::sqlite::{self, Lent};
use crate::filter_sql::Dialect;
use crate::lent::Reading;
use crate::sheet::Sheet;
use crate::transaction::values_statement;
use crate::{Error, Row, SqlValue};

/// Rows that go to a server with one statement at most.
const TRIP_ROWS: usize = 8_192;

/// A connection. Reads are open to everybody; writes go through [`crate::Tx`].
pub struct Link {
    pub(crate) inner: Inner,
    /// Lent to whom, for a check.
    _reading: Option<Reading>,
}

pub(crate) enum Inner {
    /// A connection of its own (the writer).
    Own(Box<sqlite::Connection>),
    /// A connection lent for reading.
    Lent(Box<Lent>),
    /// A connection to a server.
    Postgres(Box<postgres::Connection>),
}

/// A connection to either engine.
enum Engine<'a> {
    Sqlite(&'a mut sqlite::Connection),
    Postgres(&'a mut postgres::Connection),
}

/// First words of a statement, to name it in an error.
pub(crate) fn context(sql: &str) -> String {
    sql.split_whitespace().take(6).collect::<Vec<_>>().join(" ")
}

impl Link {
    /// A connection of its own.
    pub(crate) fn own(inner: Inner) -> Self {
        Self { inner, _reading: None }
    }

    /// One that is lent for reading.
    pub(crate) fn lent(inner: Inner) -> Self {
        Self { inner, _reading: Some(Reading::begin()) }
    }

    fn engine(&mut self) -> Result<Engine<'_>, Error> {
        match &mut self.inner {
            Inner::Own(connection) => Ok(Engine::Sqlite(connection)),
            Inner::Lent(lent) => lent.connection().map(Engine::Sqlite),
            Inner::Postgres(connection) => Ok(Engine::Postgres(connection)),
        }
    }

    /// Which SQL this connection speaks, where the engines differ.
    pub fn dialect(&self) -> Dialect {
        match &self.inner {
            Inner::Own(_) | Inner::Lent(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The connection to the server, if there is one.
    pub(crate) fn server(&mut self) -> Option<&mut postgres::Connection> {
        match &mut self.inner {
            Inner::Postgres(connection) => Some(connection),
            Inner::Own(_) | Inner::Lent(_) => None,
        }
    }

    /// All rows of a query.
    pub async fn rows(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<SqlValue>,
    ) -> Result<Vec<Row>, Error> {
        match self.engine()? {
            Engine::Sqlite(connection) => {
                // Nothing waits here; a task of many statements must still let others run.
                tokio::task::consume_budget().await;
                let (rows, _) = connection.run(sql.into(), &args)?;
                Ok(rows.into_iter().map(Row::from).collect())
            }
            Engine::Postgres(connection) => {
                let rows = connection.rows(sql.into(), args).await?;
                Ok(rows.into_iter().map(Row::from).collect())
            }
        }
    }

    /// The first row of a query, if there is one.
    pub async fn row(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<SqlValue>,
    ) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// The first column, named `n`, of the first row, as an integer; 0 without rows.
    pub async fn number(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<SqlValue>,
    ) -> Result<i64, Error> {
        match self.row(sql, args).await? {
            Some(row) => Ok(row.maybe_int("n")?.unwrap_or(0)),
            None => Ok(0),
        }
    }

    /// Runs a statement that changes rows; returns how many.
    pub(crate) async fn execute(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<SqlValue>,
    ) -> Result<u64, Error> {
        match self.engine()? {
            Engine::Sqlite(connection) => {
                tokio::task::consume_budget().await;
                connection.run(sql.into(), &args).map(|(_, changed)| changed)
            }
            Engine::Postgres(connection) => connection.execute(sql.into(), args).await,
        }
    }

    /// Inserts rows in one statement; `head` stands before the rows, `tail` behind them.
    pub(crate) async fn insert_rows(
        &mut self,
        head: &str,
        tail: &str,
        rows: Vec<Vec<SqlValue>>,
    ) -> Result<u64, Error> {
        if let Engine::Postgres(connection) = self.engine()? {
            return connection.insert_rows(head, tail, rows).await;
        }
        let width = rows.first().map_or(1, Vec::len);
        let sql = values_statement(head, tail, width, rows.len());
        self.execute(sql, rows.into_iter().flatten().collect()).await
    }

    /// Inserts the rows of sheets, `most` of them with one statement of the embedded engine. To a
    /// server they go in as few trips as they fit.
    pub(crate) async fn insert_sheets(
        &mut self,
        head: &str,
        tail: &str,
        sheets: &[Sheet],
        most: usize,
    ) -> Result<(), Error> {
        match self.engine()? {
            Engine::Sqlite(connection) => {
                sheets.iter().try_for_each(|sheet| connection.insert(head, tail, sheet, most))
            }
            Engine::Postgres(connection) => {
                let mut all = sheets.iter().flat_map(|sheet| sheet.to_rows(0, sheet.len()));
                loop {
                    let rows: Vec<_> = all.by_ref().take(TRIP_ROWS).collect();
                    if rows.is_empty() {
                        return Ok(());
                    }
                    connection.insert_rows(head, tail, rows).await?;
                }
            }
        }
    }

    /// Whether the embedded engine's writer is in no transaction.
    pub(crate) fn is_undone(&mut self) -> bool {
        match &mut self.inner {
            Inner::Own(connection) => connection.is_between_transactions(),
            _ => false,
        }
    }

    /// Whether commits of the embedded engine's writer wait until the disc has them.
    pub(crate) fn wait_for_disc(&mut self, wait: bool) -> Result<(), Error> {
        let Inner::Own(connection) = &mut self.inner else { return Ok(()) };
        // Such a statement works while it is prepared: one that is kept prepared would do nothing.
        let sql = if wait { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
        connection.tell(sql).map_err(|error| Error::from_sqlite(context(sql), error))
    }

    /// Closes the connection in order and waits until it is closed.
    pub(crate) async fn close(self) -> Result<(), Error> {
        match self.inner {
            Inner::Own(connection) => connection.close(),
            Inner::Lent(_) => Ok(()),
            Inner::Postgres(connection) => {
                connection.close().await.map_err(|error| Error::from_sqlx("close", error))
            }
        }
    }

    /// Runs several statements without arguments (migrations).
    pub(crate) async fn script(&mut self, sql: &'static str) -> Result<(), Error> {
        match self.engine()? {
            Engine::Sqlite(connection) => connection.script(sql),
            Engine::Postgres(connection) => connection.script(sql).await,
        }
    }
}
