//! One row of an answer, read by column name.

use std::borrow::Cow;

use chancery_event::Timestamp;
use chancery_event::id::Id;
use sqlx::postgres::PgRow;
use sqlx::{Column as _, Decode, Postgres, Row as _, TypeInfo as _, ValueRef as _};

use crate::Error;
use crate::backend::sqlite;
use crate::filter_sql::Dialect;
use crate::sheet::Held;

/// A row. Reading a column that is missing, or of another type, is [`Error::Damaged`].
pub struct Row(Inner);

enum Inner {
    Sqlite(sqlite::Row),
    Postgres(PgRow),
}

impl From<sqlite::Row> for Row {
    fn from(row: sqlite::Row) -> Self {
        Self(Inner::Sqlite(row))
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self(Inner::Postgres(row))
    }
}

fn damaged(column: &str, error: sqlx::Error) -> Error {
    Error::Damaged(format!("column {column}: {error}"))
}

fn other(column: &str, found: Held<'_>, expected: &str) -> Error {
    let found = match found {
        Held::Null => "NULL",
        Held::Int(_) => "an integer",
        Held::Real(_) => "a real number",
        Held::Text(_) => "text",
        Held::Bytes(_) => "bytes",
    };
    Error::Damaged(format!("column {column}: {found}, expected {expected}"))
}

fn of_server<'r, T: Decode<'r, Postgres>>(row: &'r PgRow, column: &str) -> Result<T, Error> {
    row.try_get_unchecked(column).map_err(|error| damaged(column, error))
}

fn int_of_server(row: &PgRow, column: &str) -> Result<i64, Error> {
    // Columns are BIGINT; what a statement makes of constants need not be.
    let found = row.try_column(column).map(|found| found.type_info().name());
    match found.map_err(|error| damaged(column, error))? {
        "INT4" => row.try_get::<i32, _>(column).map(i64::from),
        "INT2" => row.try_get::<i16, _>(column).map(i64::from),
        "BOOL" => row.try_get::<bool, _>(column).map(i64::from),
        _ => row.try_get::<i64, _>(column),
    }
    .map_err(|error| damaged(column, error))
}

impl Row {
    /// Which engine it is from.
    pub(crate) fn dialect(&self) -> Dialect {
        match &self.0 {
            Inner::Sqlite(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    pub(crate) fn is_null(&self, column: &str) -> Result<bool, Error> {
        match &self.0 {
            Inner::Sqlite(row) => Ok(row.value(column)? == Held::Null),
            Inner::Postgres(row) => {
                let value = row.try_get_raw(column).map_err(|error| damaged(column, error))?;
                Ok(value.is_null())
            }
        }
    }

    /// TEXT, lent.
    pub(crate) fn read_text(&self, column: &str) -> Result<Cow<'_, str>, Error> {
        let row = match &self.0 {
            Inner::Sqlite(row) => row,
            Inner::Postgres(row) => return of_server::<&str>(row, column).map(Cow::Borrowed),
        };
        match row.value(column)? {
            // Nothing keeps a database from calling any bytes text.
            Held::Text(text) => std::str::from_utf8(text)
                .map(Cow::Borrowed)
                .map_err(|_| other(column, Held::Bytes(text), "text")),
            // A column of SQLite takes any type.
            Held::Int(number) => Ok(number.to_string().into()),
            found => Err(other(column, found, "text")),
        }
    }

    /// BLOB, lent.
    pub(crate) fn read_bytes(&self, column: &str) -> Result<&[u8], Error> {
        let row = match &self.0 {
            Inner::Sqlite(row) => row,
            Inner::Postgres(row) => return of_server(row, column),
        };
        match row.value(column)? {
            Held::Bytes(bytes) | Held::Text(bytes) => Ok(bytes),
            found => Err(other(column, found, "bytes")),
        }
    }

    /// BIGINT.
    pub fn int(&self, column: &str) -> Result<i64, Error> {
        let row = match &self.0 {
            Inner::Sqlite(row) => row,
            Inner::Postgres(row) => return int_of_server(row, column),
        };
        match row.value(column)? {
            Held::Int(number) => Ok(number),
            // What a statement makes of sums and quotients.
            #[allow(clippy::cast_possible_truncation)]
            Held::Real(number) => Ok(number as i64),
            found => Err(other(column, found, "an integer")),
        }
    }

    /// BIGINT that is never negative.
    pub fn count(&self, column: &str) -> Result<u64, Error> {
        let value = self.int(column)?;
        u64::try_from(value).map_err(|_| Error::Damaged(format!("column {column}: {value} < 0")))
    }

    /// BIGINT or NULL.
    pub fn maybe_int(&self, column: &str) -> Result<Option<i64>, Error> {
        if self.is_null(column)? { Ok(None) } else { self.int(column).map(Some) }
    }

    /// DOUBLE PRECISION or NULL.
    pub fn maybe_real(&self, column: &str) -> Result<Option<f64>, Error> {
        let row = match &self.0 {
            Inner::Sqlite(row) => row,
            Inner::Postgres(row) => return of_server(row, column),
        };
        match row.value(column)? {
            Held::Null => Ok(None),
            Held::Real(number) => Ok(Some(number)),
            #[allow(clippy::cast_precision_loss)]
            Held::Int(number) => Ok(Some(number as f64)),
            found => Err(other(column, found, "a number")),
        }
    }

    /// BIGINT 0 or 1.
    pub fn flag(&self, column: &str) -> Result<bool, Error> {
        self.int(column).map(|value| value != 0)
    }

    /// TEXT.
    pub fn text(&self, column: &str) -> Result<String, Error> {
        self.read_text(column).map(Cow::into_owned)
    }

    /// TEXT or NULL.
    pub fn maybe_text(&self, column: &str) -> Result<Option<String>, Error> {
        if self.is_null(column)? { Ok(None) } else { self.text(column).map(Some) }
    }

    /// BLOB.
    pub fn bytes(&self, column: &str) -> Result<Vec<u8>, Error> {
        self.read_bytes(column).map(<[u8]>::to_vec)
    }

    /// BLOB or NULL.
    pub fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, Error> {
        if self.is_null(column)? { Ok(None) } else { self.bytes(column).map(Some) }
    }

    /// BLOB of exactly `N` bytes.
    pub fn array<const N: usize>(&self, column: &str) -> Result<[u8; N], Error> {
        let bytes = self.read_bytes(column)?;
        bytes.try_into().map_err(|_| {
            Error::Damaged(format!("column {column}: {} bytes, expected {N}", bytes.len()))
        })
    }

    /// A time.
    pub fn time(&self, column: &str) -> Result<Timestamp, Error> {
        self.int(column).map(Timestamp::from_micros)
    }

    /// A time or NULL.
    pub fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>, Error> {
        Ok(self.maybe_int(column)?.map(Timestamp::from_micros))
    }

    /// An identifier.
    pub fn id<T: Id + std::str::FromStr>(&self, column: &str) -> Result<T, Error> {
        let text = self.read_text(column)?;
        text.parse()
            .map_err(|_| Error::Damaged(format!("column {column}: “{text}” is no identifier")))
    }

    /// An identifier or NULL.
    pub fn maybe_id<T: Id + std::str::FromStr>(&self, column: &str) -> Result<Option<T>, Error> {
        if self.is_null(column)? { Ok(None) } else { self.id(column).map(Some) }
    }
}
