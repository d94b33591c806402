//! One row of an answer, read by column name.

use chancery_event::Timestamp;
use chancery_event::id::Id;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Decode, Postgres, Row as _, Sqlite, TypeInfo as _, ValueRef as _};

use crate::Error;
use crate::filter_sql::Dialect;

/// A row. Reading a column that is missing, or of another type, is [`Error::Damaged`].
pub struct Row(Inner);

enum Inner {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self(Inner::Sqlite(row))
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self(Inner::Postgres(row))
    }
}

impl Row {
    /// Which engine it is from.
    pub(crate) fn dialect(&self) -> Dialect {
        match &self.0 {
            Inner::Sqlite(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    fn read<'r, T>(&'r self, column: &str) -> Result<T, Error>
    where
        T: Decode<'r, Sqlite> + Decode<'r, Postgres>,
    {
        match &self.0 {
            Inner::Sqlite(row) => row.try_get_unchecked(column),
            Inner::Postgres(row) => row.try_get_unchecked(column),
        }
        .map_err(|error| Error::Damaged(format!("column {column}: {error}")))
    }

    fn is_null(&self, column: &str) -> Result<bool, Error> {
        match &self.0 {
            Inner::Sqlite(row) => row.try_get_raw(column).map(|value| value.is_null()),
            Inner::Postgres(row) => row.try_get_raw(column).map(|value| value.is_null()),
        }
        .map_err(|error| Error::Damaged(format!("column {column}: {error}")))
    }

    /// BIGINT.
    pub fn int(&self, column: &str) -> Result<i64, Error> {
        let Inner::Postgres(row) = &self.0 else { return self.read(column) };
        // Columns are BIGINT; what a statement makes of constants need not be.
        let found = row.try_column(column).map(|found| found.type_info().name());
        let wide = found.map_err(|error| Error::Damaged(format!("column {column}: {error}")))?;
        match wide {
            "INT4" => row.try_get::<i32, _>(column).map(i64::from),
            "INT2" => row.try_get::<i16, _>(column).map(i64::from),
            "BOOL" => row.try_get::<bool, _>(column).map(i64::from),
            _ => row.try_get::<i64, _>(column),
        }
        .map_err(|error| Error::Damaged(format!("column {column}: {error}")))
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
        if self.is_null(column)? { Ok(None) } else { self.read(column).map(Some) }
    }

    /// BIGINT 0 or 1.
    pub fn flag(&self, column: &str) -> Result<bool, Error> {
        self.int(column).map(|value| value != 0)
    }

    /// TEXT.
    pub fn text(&self, column: &str) -> Result<String, Error> {
        self.read(column)
    }

    /// TEXT or NULL.
    pub fn maybe_text(&self, column: &str) -> Result<Option<String>, Error> {
        if self.is_null(column)? { Ok(None) } else { self.text(column).map(Some) }
    }

    /// BLOB.
    pub fn bytes(&self, column: &str) -> Result<Vec<u8>, Error> {
        self.read(column)
    }

    /// BLOB or NULL.
    pub fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, Error> {
        if self.is_null(column)? { Ok(None) } else { self.bytes(column).map(Some) }
    }

    /// BLOB of exactly `N` bytes.
    pub fn array<const N: usize>(&self, column: &str) -> Result<[u8; N], Error> {
        self.bytes(column)?.try_into().map_err(|other: Vec<u8>| {
            Error::Damaged(format!("column {column}: {} bytes, expected {N}", other.len()))
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
        let text = self.text(column)?;
        text.parse()
            .map_err(|_| Error::Damaged(format!("column {column}: “{text}” is no identifier")))
    }

    /// An identifier or NULL.
    pub fn maybe_id<T: Id + std::str::FromStr>(&self, column: &str) -> Result<Option<T>, Error> {
        if self.is_null(column)? { Ok(None) } else { self.id(column).map(Some) }
    }
}
