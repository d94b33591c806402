//! The value of one argument of an SQL statement, independent of the engine that runs it.

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// BIGINT; times are microseconds since 1970-01-01T00:00:00Z.
    Int(i64),
    /// DOUBLE PRECISION or REAL.
    Real(f64),
    /// TEXT, without NUL characters.
    Text(String),
    /// BYTEA or BLOB.
    Bytes(Vec<u8>),
    /// BOOLEAN; SQLite keeps it as 0 or 1.
    Bool(bool),
}

impl From<i64> for SqlValue {
    fn from(number: i64) -> Self {
        SqlValue::Int(number)
    }
}

impl From<i32> for SqlValue {
    fn from(number: i32) -> Self {
        SqlValue::Int(number.into())
    }
}

impl From<u32> for SqlValue {
    fn from(number: u32) -> Self {
        SqlValue::Int(number.into())
    }
}

impl From<f64> for SqlValue {
    fn from(number: f64) -> Self {
        SqlValue::Real(number)
    }
}

impl From<bool> for SqlValue {
    fn from(flag: bool) -> Self {
        SqlValue::Bool(flag)
    }
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        SqlValue::Text(text.to_owned())
    }
}

impl From<&String> for SqlValue {
    fn from(text: &String) -> Self {
        SqlValue::Text(text.clone())
    }
}

impl From<String> for SqlValue {
    fn from(text: String) -> Self {
        SqlValue::Text(text)
    }
}

impl From<&[u8]> for SqlValue {
    fn from(bytes: &[u8]) -> Self {
        SqlValue::Bytes(bytes.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for SqlValue {
    fn from(bytes: [u8; N]) -> Self {
        SqlValue::Bytes(bytes.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for SqlValue {
    fn from(bytes: &[u8; N]) -> Self {
        SqlValue::Bytes(bytes.to_vec())
    }
}

impl From<Vec<u8>> for SqlValue {
    fn from(bytes: Vec<u8>) -> Self {
        SqlValue::Bytes(bytes)
    }
}

impl<T: Into<SqlValue>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(SqlValue::Null, Into::into)
    }
}
