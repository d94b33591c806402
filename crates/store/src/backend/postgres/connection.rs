//! One connection to PostgreSQL: binds arguments, runs statements, notes what went wrong.
//!
//! A statement that fails leaves the transaction of PostgreSQL unusable, where SQLite goes on. So a
//! connection remembers the trouble it had since it was last asked; the writer decides by it. In
//! careful mode each statement has a savepoint of its own, and a transaction goes on as it would
//! there.
//!
//! No statement waits for ever: beyond its limit the connection is given up, because what would
//! still come back on it could be taken for the answer to another question.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnection, PgRow, PgTypeInfo, Postgres};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, SqlSafeStr as _, Type};

use super::Limits;
use super::columns::Columns;
use super::placeholders::numbered;
use crate::link::context;
use crate::{Error, SqlValue};

/// How long a step of the schema may take before its connection is given up.
const STEP_MAX: Duration = Duration::from_secs(3_600);

/// A connection, or what is left of it.
pub(crate) struct Connection {
    held: Held,
    trouble: Trouble,
    careful: bool,
    /// How long a statement may take before the connection is given up.
    limit: Duration,
    /// The same for statements that begin and end transactions.
    answer: Duration,
    /// Which server, course of its log and database this is; empty where nobody asks.
    origin: Arc<str>,
}

enum Held {
    Own(Box<PgConnection>),
    Pooled(sqlx::pool::PoolConnection<Postgres>),
    /// Given up.
    Lost,
}

/// What went wrong on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// A statement failed: the transaction takes no other until it is rolled back.
    pub(crate) failed: bool,
    /// Another statement was tried after that.
    pub(crate) ignored: bool,
    /// The transaction lost against another one; the same work may succeed when it is run again.
    pub(crate) again: bool,
    /// The connection is gone.
    pub(crate) lost: bool,
}

/// NULL of whichever type the statement expects.
struct Untyped;

impl Type<Postgres> for Untyped {
    fn type_info() -> PgTypeInfo {
        // The pseudo-type `unknown`: the server infers the type, as for a literal.
        PgTypeInfo::with_oid(Oid(705))
    }
}

impl Encode<'_, Postgres> for Untyped {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

/// Text as PostgreSQL can store it: it has no U+0000, which becomes the sign for it, U+2400.
pub(crate) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{2400}") } else { text }
}

fn bind(args: Vec<SqlValue>) -> Result<PgArguments, Error> {
    let mut bound = PgArguments::default();
    bound.reserve(args.len(), 0);
    for value in args {
        match value {
            SqlValue::Null => bound.add(Untyped),
            SqlValue::Int(v) => bound.add(v),
            SqlValue::Real(v) => bound.add(v),
            SqlValue::Text(v) => bound.add(storable(v)),
            SqlValue::Bytes(v) => bound.add(v),
            SqlValue::Bool(v) => bound.add(i64::from(v)),
        }
        .map_err(|error| Error::Damaged(format!("argument: {error}")))?;
    }
    Ok(bound)
}

impl Connection {
    pub(crate) fn own(connection: PgConnection, origin: Arc<str>, limits: Limits) -> Self {
        Self { origin, ..Self::new(Held::Own(Box::new(connection)), limits) }
    }

    pub(crate) fn pooled(connection: sqlx::pool::PoolConnection<Postgres>, limits: Limits) -> Self {
        Self::new(Held::Pooled(connection), limits)
    }

    fn new(held: Held, limits: Limits) -> Self {
        let (trouble, origin) = (Trouble::default(), Arc::from(""));
        let answer = limits.answer();
        Self { held, trouble, careful: false, limit: answer, answer, origin }
    }

    /// Which server, course of its log and database this is. Numbers of transactions are to be
    /// compared within one of them only.
    pub(crate) fn origin(&self) -> Arc<str> {
        self.origin.clone()
    }

    /// From now on a statement may take as long as a step of the schema.
    pub(crate) fn be_patient(&mut self) {
        self.limit = STEP_MAX;
    }

    /// What went wrong since this was last asked.
    pub(crate) fn take_trouble(&mut self) -> Trouble {
        std::mem::take(&mut self.trouble)
    }

    /// Whether each statement is to have a savepoint of its own.
    pub(crate) fn set_careful(&mut self, careful: bool) {
        self.careful = careful;
    }

    pub(crate) async fn rows(
        &mut self,
        sql: Cow<'static, str>,
        args: Vec<SqlValue>,
    ) -> Result<Vec<PgRow>, Error> {
        let bound = bind(args)?;
        self.careful(sql, bound, true).await.map(|(rows, _)| rows)
    }

    pub(crate) async fn execute(
        &mut self,
        sql: Cow<'static, str>,
        args: Vec<SqlValue>,
    ) -> Result<u64, Error> {
        if args.is_empty() && is_control(&sql) {
            return self.control(&sql).await.map(|()| 0);
        }
        let bound = bind(args)?;
        self.careful(sql, bound, false).await.map(|(_, done)| done)
    }

    /// Inserts all rows in one statement, column by column: `head` is what stands before `VALUES`,
    /// `tail` what follows the rows.
    pub(crate) async fn insert_rows(
        &mut self,
        head: &str,
        tail: &str,
        rows: Vec<Vec<SqlValue>>,
    ) -> Result<u64, Error> {
        let columns = Columns::of(rows)?;
        let sql = columns.statement(head, tail);
        let bound = columns.bind()?;
        self.careful(sql.into(), bound, false).await.map(|(_, done)| done)
    }

    /// Runs a `COPY … FROM STDIN` with these data, in the text format.
    pub(crate) async fn copy(&mut self, sql: &str, data: Vec<u8>) -> Result<(), Error> {
        let connection = self.connection()?;
        let copied = tokio::time::timeout(STEP_MAX, async {
            let mut copy = connection.copy_in_raw(sql).await?;
            copy.send(data).await?;
            copy.finish().await
        });
        let copied = copied.await;
        self.judged(context(sql), copied.map(|copied| copied.map(|_| ())))
    }

    /// Runs statements without arguments and answers, one after another, in one trip.
    pub(crate) async fn control(&mut self, sql: &str) -> Result<(), Error> {
        self.raw(sql, self.answer).await
    }

    /// Runs the statements of a step of the schema.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<(), Error> {
        self.raw(sql, STEP_MAX).await
    }

    async fn raw(&mut self, sql: &str, limit: Duration) -> Result<(), Error> {
        let context = context(sql);
        let connection = self.connection()?;
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let done = tokio::time::timeout(limit, query.execute(connection)).await;
        self.judged(context, done.map(|done| done.map(|_| ())))
    }

    async fn careful(
        &mut self,
        sql: Cow<'static, str>,
        bound: PgArguments,
        wants_rows: bool,
    ) -> Result<(Vec<PgRow>, u64), Error> {
        if !self.careful {
            return self.run(sql, bound, wants_rows).await;
        }
        self.control("SAVEPOINT statement").await?;
        let done = self.run(sql, bound, wants_rows).await;
        if done.is_ok() {
            self.control("RELEASE statement").await?;
        } else if !self.trouble.again && !self.trouble.lost {
            self.control("ROLLBACK TO statement; RELEASE statement").await?;
            self.trouble = Trouble::default();
        }
        done
    }

    async fn run(
        &mut self,
        sql: Cow<'static, str>,
        bound: PgArguments,
        wants_rows: bool,
    ) -> Result<(Vec<PgRow>, u64), Error> {
        let context = context(&sql);
        let limit = self.limit;
        let connection = self.connection()?;
        let statement = AssertSqlSafe(numbered(sql).into_owned()).into_sql_str();
        let query = sqlx::query_with(statement, bound);
        let done = if wants_rows {
            let rows = tokio::time::timeout(limit, query.fetch_all(connection)).await;
            rows.map(|rows| rows.map(|rows| (rows, 0)))
        } else {
            let done = tokio::time::timeout(limit, query.execute(connection)).await;
            done.map(|done| done.map(|done| (Vec::new(), done.rows_affected())))
        };
        self.judged(context, done)
    }

    fn connection(&mut self) -> Result<&mut PgConnection, Error> {
        self.trouble.ignored |= self.trouble.failed;
        match &mut self.held {
            Held::Own(connection) => Ok(connection),
            Held::Pooled(connection) => Ok(&mut **connection),
            Held::Lost => {
                self.trouble.lost = true;
                Err(Error::Unavailable("the connection to the database is lost".to_owned()))
            }
        }
    }

    fn judged<T>(
        &mut self,
        context: String,
        done: Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed>,
    ) -> Result<T, Error> {
        let error = match done {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => error,
            Err(_) => {
                self.give_up();
                let what = format!("it did not answer in time ({context})");
                return Err(Error::Unavailable(what));
            }
        };
        self.trouble.failed = true;
        let code = error.as_database_error().and_then(|said| said.code().map(Cow::into_owned));
        match code.as_deref() {
            // Serialization failure, deadlock.
            Some("40001" | "40P01") => self.trouble.again = true,
            // Shut down, crashed, starting; the session was ended. Read only: the server is no
            // primary any more, or never was one; the next connection may lead to one.
            Some("57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25006") => self.give_up(),
            Some(_) => {}
            None if matches!(
                error,
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)
            ) =>
            {
                self.give_up();
            }
            None => {}
        }
        Err(Error::from_sqlx(context, error))
    }

    /// Lets go of the connection without a word to the server, which may not hear it.
    pub(crate) fn give_up(&mut self) {
        self.trouble.failed = true;
        self.trouble.lost = true;
        if let Held::Pooled(connection) = std::mem::replace(&mut self.held, Held::Lost) {
            drop(connection.detach());
        }
    }

    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        match self.held {
            Held::Own(connection) => sqlx::Connection::close(*connection).await,
            Held::Pooled(connection) => connection.close().await,
            Held::Lost => Ok(()),
        }
    }
}

/// Whether a statement begins, ends or divides a transaction: such are not worth preparing.
fn is_control(sql: &str) -> bool {
    ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"].iter().any(|word| sql.starts_with(word))
}
