//! One connection to the database, without generics: text and arguments in, rows out.

use std::borrow::Cow;

use crate::backend::sqlite::{Connection, Lent};
use crate::{Error, Row, SqlValue};

/// A connection. Reads are open to everybody; writes go through [`crate::Tx`].
pub struct Link {
    pub(crate) inner: Inner,
}

pub(crate) enum Inner {
    /// A connection of its own (the writer).
    Own(Box<Connection>),
    /// A connection lent for reading.
    Lent(Lent),
}

/// First words of a statement, to name it in an error.
pub(crate) fn context(sql: &str) -> String {
    sql.split_whitespace().take(6).collect::<Vec<_>>().join(" ")
}

impl Link {
    fn connection(&mut self) -> Result<&mut Connection, Error> {
        match &mut self.inner {
            Inner::Own(connection) => Ok(connection),
            Inner::Lent(lent) => lent.connection(),
        }
    }

    /// All rows of a query.
    pub async fn rows(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<SqlValue>,
    ) -> Result<Vec<Row>, Error> {
        // Statements do not wait for anything; a task of many must still let others run.
        tokio::task::consume_budget().await;
        let (rows, _) = self.connection()?.run(sql.into(), &args)?;
        Ok(rows.into_iter().map(Row).collect())
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
        tokio::task::consume_budget().await;
        self.connection()?.run(sql.into(), &args).map(|(_, changed)| changed)
    }

    /// Closes the connection in order.
    pub(crate) fn close(self) -> Result<(), Error> {
        match self.inner {
            Inner::Own(connection) => connection.close(),
            Inner::Lent(_) => Ok(()),
        }
    }

    /// Runs several statements without arguments (migrations).
    pub(crate) async fn script(&mut self, sql: &'static str) -> Result<(), Error> {
        self.connection()?.script(sql)
    }
}
