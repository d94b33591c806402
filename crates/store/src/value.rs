//! Values that go into statements, in the few types both database engines share.

use chancery_event::Timestamp;
use chancery_event::id::{Id, LogIndex};

/// One argument of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// BIGINT; booleans are stored as 0 and 1, times as microseconds since the Unix epoch.
    Int(i64),
    /// DOUBLE PRECISION.
    Real(f64),
    /// TEXT.
    Text(String),
    /// BLOB or BYTEA.
    Bytes(Vec<u8>),
    /// BOOLEAN, stored as BIGINT 0 or 1.
    Bool(bool),
}

macro_rules! from {
    ($($source:ty => |$v:ident| $value:expr;)+) => {$(
        impl From<$source> for SqlValue {
            fn from($v: $source) -> Self {
                $value
            }
        }
    )+};
}

from! {
    i64 => |v| Self::Int(v);
    i32 => |v| Self::Int(v.into());
    u8 => |v| Self::Int(v.into());
    u16 => |v| Self::Int(v.into());
    u32 => |v| Self::Int(v.into());
    u64 => |v| Self::Int(i64::try_from(v).unwrap_or(i64::MAX));
    usize => |v| Self::Int(i64::try_from(v).unwrap_or(i64::MAX));
    f64 => |v| Self::Real(v);
    bool => |v| Self::Bool(v);
    &str => |v| Self::Text(v.to_owned());
    String => |v| Self::Text(v);
    &String => |v| Self::Text(v.clone());
    Vec<u8> => |v| Self::Bytes(v);
    &[u8] => |v| Self::Bytes(v.to_vec());
    Timestamp => |v| Self::Int(v.micros());
    LogIndex => |v| Self::from(v.0);
}

impl<const N: usize> From<[u8; N]> for SqlValue {
    fn from(v: [u8; N]) -> Self {
        Self::Bytes(v.to_vec())
    }
}

impl<T: Into<Self>> From<Option<T>> for SqlValue {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}

/// An identifier as an argument: TEXT, hyphenated.
pub fn id(id: impl Id) -> SqlValue {
    SqlValue::Text(id.uuid().as_hyphenated().to_string())
}

/// Builds the arguments of a statement: `args![a, b, c]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::SqlValue::from($value)),*] };
}
