//! What administrators set up: groups, RA profiles, definitions of custom attributes.
//!
//! Every change is an operation with before and after. What is in use cannot be deleted.

pub mod attribute;
mod label;

use chancery_event::types::Change;
use serde_json::Value;

use crate::Error;

pub use label::{LabelClass, LabelDraft};

/// A name that people read: trimmed, 1 to 100 characters, no control characters.
pub(crate) fn name(text: &str) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 100 || text.chars().any(char::is_control) {
        return Err(Error::invalid("name", "1 to 100 characters, without control characters"));
    }
    Ok(text.to_owned())
}

/// A description: at most 1,000 characters.
pub(crate) fn description(text: &str) -> Result<String, Error> {
    let text = text.trim();
    if text.chars().count() > 1_000 {
        return Err(Error::invalid("description", "at most 1,000 characters"));
    }
    Ok(text.to_owned())
}

/// Adds a change if there is one.
pub(crate) fn note(
    changes: &mut Vec<Change>,
    member: &str,
    before: Option<Value>,
    after: Option<Value>,
) {
    if before != after {
        changes.push(Change { member: member.to_owned(), before, after });
    }
}

/// The refusal to delete something that is used.
pub(crate) fn in_use(uses: i64) -> Error {
    Error::Conflict {
        reason: "in_use",
        message: format!("{uses} certificates use it; take it from them first"),
    }
}
