//! One connection to the database, without generics: text and arguments in, rows out.

use std::borrow::Cow;

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, AssertSqlSafe, SqlSafeStr as _, Sqlite};

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
fn context(sql: &str) -> String {
    sql.split_whitespace().take(6).collect::<Vec<_>>().join(" ")
}

impl Link {
    fn connection(&mut self) -> &mut SqliteConnection {
        match &mut self.inner {
            Inner::Own(connection) => connection,
            Inner::Pooled(connection) => connection,
        }
    }

    /// All rows of a query.
    pub async fn rows(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<SqlValue>,
    ) -> Result<Vec<Row>, Error> {
        let sql = sql.into();
        let bound = bind(args)?;
        let context = context(&sql);
        let statement = AssertSqlSafe(sql.into_owned()).into_sql_str();
        sqlx::query_with(statement, bound)
            .fetch_all(self.connection())
            .await
            .map(|rows| rows.into_iter().map(Row).collect())
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
        let bound = bind(args)?;
        let context = context(&sql);
        let statement = AssertSqlSafe(sql.into_owned()).into_sql_str();
        sqlx::query_with(statement, bound)
            .execute(self.connection())
            .await
            .map(|done| done.rows_affected())
            .map_err(|error| Error::from_sqlx(context, error))
    }

    /// Closes the connection in order and waits until it is closed.
    pub(crate) async fn close(self) -> Result<(), Error> {
        match self.inner {
            Inner::Own(connection) => sqlx::Connection::close(*connection).await,
            Inner::Pooled(connection) => connection.close().await,
        }
        .map_err(|error| Error::from_sqlx("close", error))
    }

    /// Runs several statements without arguments (migrations).
    pub(crate) async fn script(&mut self, sql: &'static str) -> Result<(), Error> {
        sqlx::raw_sql(sql)
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(|error| Error::from_sqlx(context(sql), error))
    }
}
