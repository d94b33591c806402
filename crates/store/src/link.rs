//! One connection to the database, without generics: text and arguments in, rows out.

use std::borrow::Cow;

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, AssertSqlSafe, SqlSafeStr as _, Sqlite};

use crate::backend::postgres;
use crate::filter_sql::Dialect;
use crate::transaction::values_statement;
use crate::{Error, Row, SqlValue};

/// A connection. Reads are open to everybody; writes go through [`crate::Tx`].
pub struct Link {
    pub(crate) inner: Inner,
}

pub(crate) enum Inner {
    /// A connection of its own (the writer).
    Own(Box<SqliteConnection>),
    /// A connection lent by the pool of readers.
    Pooled(sqlx::pool::PoolConnection<Sqlite>),
    /// A connection to a server.
    Postgres(Box<postgres::Connection>),
}

/// A connection to either engine.
enum Engine<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut postgres::Connection),
}

fn bind(args: Vec<SqlValue>) -> Result<SqliteArguments, Error> {
    let mut bound = SqliteArguments::default();
    bound.reserve(args.len(), 0);
    for value in args {
        match value {
            SqlValue::Null => bound.add(None::<i64>),
            SqlValue::Int(v) => bound.add(v),
            SqlValue::Real(v) => bound.add(v),
            SqlValue::Text(v) => bound.add(v),
            SqlValue::Bytes(v) => bound.add(v),
            SqlValue::Bool(v) => bound.add(i64::from(v)),
        }
        .map_err(|error| Error::Damaged(format!("argument: {error}")))?;
    }
    Ok(bound)
}

/// First words of a statement, to name it in an error.
pub(crate) fn context(sql: &str) -> String {
    sql.split_whitespace().take(6).collect::<Vec<_>>().join(" ")
}

impl Link {
    fn engine(&mut self) -> Engine<'_> {
        match &mut self.inner {
            Inner::Own(connection) => Engine::Sqlite(connection),
            Inner::Pooled(connection) => Engine::Sqlite(connection),
            Inner::Postgres(connection) => Engine::Postgres(connection),
        }
    }

    /// Which SQL this connection speaks, where the engines differ.
    pub fn dialect(&self) -> Dialect {
        match &self.inner {
            Inner::Own(_) | Inner::Pooled(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The connection to the server, if there is one.
    pub(crate) fn server(&mut self) -> Option<&mut postgres::Connection> {
        match &mut self.inner {
            Inner::Postgres(connection) => Some(connection),
            Inner::Own(_) | Inner::Pooled(_) => None,
        }
    }

    /// All rows of a query.
    pub async fn rows(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<SqlValue>,
    ) -> Result<Vec<Row>, Error> {
        let sql = sql.into();
        let connection = match self.engine() {
            Engine::Sqlite(connection) => connection,
            Engine::Postgres(connection) => {
                let rows = connection.rows(sql, args).await?;
                return Ok(rows.into_iter().map(Row::from).collect());
            }
        };
        let bound = bind(args)?;
        let context = context(&sql);
        let statement = AssertSqlSafe(sql.into_owned()).into_sql_str();
        sqlx::query_with(statement, bound)
            .fetch_all(connection)
            .await
            .map(|rows| rows.into_iter().map(Row::from).collect())
            .map_err(|error| Error::from_sqlx(context, error))
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
        let sql = sql.into();
        let connection = match self.engine() {
            Engine::Sqlite(connection) => connection,
            Engine::Postgres(connection) => return connection.execute(sql, args).await,
        };
        let bound = bind(args)?;
        let context = context(&sql);
        let statement = AssertSqlSafe(sql.into_owned()).into_sql_str();
        sqlx::query_with(statement, bound)
            .execute(connection)
            .await
            .map(|done| done.rows_affected())
            .map_err(|error| Error::from_sqlx(context, error))
    }

    /// Inserts rows in one statement; `head` stands before the rows, `tail` behind them.
    pub(crate) async fn insert_rows(
        &mut self,
        head: &str,
        tail: &str,
        rows: Vec<Vec<SqlValue>>,
    ) -> Result<u64, Error> {
        if let Engine::Postgres(connection) = self.engine() {
            return connection.insert_rows(head, tail, rows).await;
        }
        let width = rows.first().map_or(1, Vec::len);
        let sql = values_statement(head, tail, width, rows.len());
        self.execute(sql, rows.into_iter().flatten().collect()).await
    }

    /// Closes the connection in order and waits until it is closed.
    pub(crate) async fn close(self) -> Result<(), Error> {
        match self.inner {
            Inner::Own(connection) => sqlx::Connection::close(*connection).await,
            Inner::Pooled(connection) => connection.close().await,
            Inner::Postgres(connection) => connection.close().await,
        }
        .map_err(|error| Error::from_sqlx("close", error))
    }

    /// Runs several statements without arguments (migrations).
    pub(crate) async fn script(&mut self, sql: &'static str) -> Result<(), Error> {
        let connection = match self.engine() {
            Engine::Sqlite(connection) => connection,
            Engine::Postgres(connection) => return connection.script(sql).await,
        };
        sqlx::raw_sql(sql)
            .execute(connection)
            .await
            .map(|_| ())
            .map_err(|error| Error::from_sqlx(context(sql), error))
    }
}
