//! Places in lists, as answers give them out and callers send them back.
//!
//! To callers a cursor is opaque: JSON of what the list is ordered by, what the item has there,
//! its identifier and the way to go, in base64url (RFC 4648 section 5, without padding). Whoever
//! makes one up gets a page of what lies behind it, or an error; it opens nothing.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::LogIndex;

/// Where a page of a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// What the list is ordered by; empty where there is one order.
    pub order: String,
    /// What the item has there.
    pub value: Value,
    /// The identifier of the item among those that have the same; empty where none has.
    pub id: String,
    /// Whether the page before the item is meant.
    pub backwards: bool,
}

/// What lists are ordered by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number; times are microseconds since 1970.
    Number(i64),
    /// A text, without the character NUL.
    Text(String),
}

/// A text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it is no cursor of this list: take it from the answer before")]
pub struct CursorError;

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let (order, value, id, backwards): (String, Value, String, bool) =
            serde_json::from_slice(&bytes).map_err(|_| CursorError)?;
        // PostgreSQL takes no NUL in a text, so that no item has one.
        let has_nul = |text: &str| text.contains('\0');
        let is_refused = has_nul(&id) || matches!(&value, Value::Text(text) if has_nul(text));
        if is_refused { Err(CursorError) } else { Ok(Self { order, value, id, backwards }) }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = (&self.order, &self.value, &self.id, self.backwards);
        let text = serde_json::to_string(&parts).map_err(|_| fmt::Error)?;
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

/// Where a page of the log goes on: before a log index (`b17`) or behind it (`a17`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogCursor {
    /// With the entries before it.
    Before(LogIndex),
    /// With the entries behind it.
    After(LogIndex),
}

impl FromStr for LogCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (side, index) = text.split_at_checked(1).ok_or(CursorError)?;
        let index = index.parse().map_err(|_| CursorError)?;
        match side {
            "b" => Ok(Self::Before(index)),
            "a" => Ok(Self::After(index)),
            _ => Err(CursorError),
        }
    }
}

impl fmt::Display for LogCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(index) => write!(f, "b{index}"),
            Self::After(index) => write!(f, "a{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_the_log_are_a_side_and_an_index() {
        assert_eq!("b17".parse(), Ok(LogCursor::Before(LogIndex(17))));
        assert_eq!("a0".parse(), Ok(LogCursor::After(LogIndex(0))));
        for wrong in ["", "x1", "b", "b-1", "17", "ü1"] {
            assert_eq!(wrong.parse::<LogCursor>(), Err(CursorError), "{wrong}");
        }
        assert_eq!(LogCursor::Before(LogIndex(17)).to_string(), "b17");
    }

    #[test]
    fn what_is_given_out_is_read_back() {
        for value in [Value::Number(-7), Value::Text("CN=ä, O=\"x\"".to_owned())] {
            let cursor =
                Cursor { order: "subject".to_owned(), value, id: "id".to_owned(), backwards: true };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn what_was_not_given_out_is_refused() {
        let of = |json: &str| URL_SAFE_NO_PAD.encode(json).parse::<Cursor>();
        assert!(of(r#"["", 1, "", false]"#).is_ok());
        for wrong in [
            "",
            "[]",
            r#"["", 1, ""]"#,
            r#"["", null, "", false]"#,
            r#"["", 1.5, "", false]"#,
            r#"["", 9223372036854775808, "", false]"#,
            r#"["", "a\u0000", "", false]"#,
            r#"["", 1, "a\u0000", false]"#,
        ] {
            assert_eq!(of(wrong), Err(CursorError), "{wrong}");
        }
        assert_eq!("not base64!".parse::<Cursor>(), Err(CursorError));
    }
}
