//! What administrators set up: groups, RA profiles, custom attributes.
//!
//! Every change is one operation whose event says, member by member, what was before and after.
//! Descriptions are free text and may be about people: their wording goes into the erasable part of
//! the event, and the sealed part says only that they changed.
//!
//! Read in this order: `label` (groups and RA profiles), [`attribute`], `attribute/value`.

pub mod attribute;
mod label;

use chancery_event::types::Change;
use serde_json::{Value, json};

use crate::Error;
use crate::scribe::Draft;

pub use label::{LabelClass, LabelDraft};

/// Longest name, in characters.
pub const NAME_LENGTH_MAX: usize = 100;
/// Longest description, in characters.
pub const DESCRIPTION_LENGTH_MAX: usize = 2_000;

/// A name without blanks around it: 1 to 100 characters, none of them a control character.
///
/// # Errors
/// [`Error::Invalid`] for `field`.
pub(crate) fn name(field: &str, text: &str) -> Result<String, Error> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > NAME_LENGTH_MAX {
        return Err(Error::invalid(field, format!("1 to {NAME_LENGTH_MAX} characters")));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid(field, "no control characters"));
    }
    Ok(name.to_owned())
}

/// A description without blanks around it; it may be empty and have several lines.
fn description(text: &str) -> Result<String, Error> {
    let description = text.trim();
    if description.chars().count() > DESCRIPTION_LENGTH_MAX {
        let message = format!("at most {DESCRIPTION_LENGTH_MAX} characters");
        return Err(Error::invalid("description", message));
    }
    if description.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Error::invalid("description", "no control characters"));
    }
    Ok(description.to_owned())
}

/// What somebody typed, cut to what an event takes.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(NAME_LENGTH_MAX).collect()
}

/// The members of an object that changed.
#[derive(Default)]
pub(crate) struct Changes {
    sealed: Vec<Change>,
    personal: Vec<Value>,
}

impl Changes {
    /// Notes a member if it changed. `None` and empty texts and lists count as absent.
    pub(crate) fn note(&mut self, member: &str, before: Value, after: Value) {
        let (before, after) = (present(before), present(after));
        if before != after {
            self.sealed.push(Change { member: member.to_owned(), before, after });
        }
    }

    /// Notes a member that may be about a person: what it says goes into the erasable part.
    pub(crate) fn note_private(&mut self, member: &str, before: &str, after: &str) {
        if before == after {
            return;
        }
        self.sealed.push(Change { member: member.to_owned(), before: None, after: None });
        let (before, after) = (present(before.into()), present(after.into()));
        self.personal.push(json!({ "member": member, "before": before, "after": after }));
    }

    /// Whether nothing changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.sealed.is_empty()
    }

    /// The changes for the sealed part.
    pub(crate) fn sealed(&self) -> Vec<Change> {
        self.sealed.clone()
    }

    /// Adds to a draft what belongs in its erasable part.
    pub(crate) fn complete(self, mut draft: Draft) -> Draft {
        if !self.personal.is_empty() {
            draft.personal.insert("changes".to_owned(), self.personal.into());
        }
        draft
    }
}

fn present(value: Value) -> Option<Value> {
    match &value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(items) if items.is_empty() => None,
        _ => Some(value),
    }
}

/// Refuses a change to an object that has another version than the one it was made from.
pub(crate) fn same_version(
    what: &'static str,
    stored: i64,
    expected: Option<i64>,
) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != stored => {
            Err(Error::Store(chancery_store::Error::Conflict(what)))
        }
        _ => Ok(()),
    }
}

/// Tells a name that is taken from other failures of the store.
pub(crate) fn taken(what: &str) -> impl FnOnce(chancery_store::Error) -> Error {
    let message = format!("there is {what} of this name already");
    move |error| match error {
        chancery_store::Error::Exists(_) => Error::Conflict { reason: "name_taken", message },
        error => Error::Store(error),
    }
}

/// Refuses to delete what certificates carry.
fn unused(what: &str, uses: i64) -> Result<(), Error> {
    if uses == 0 {
        return Ok(());
    }
    let carry = if uses == 1 { "certificate carries" } else { "certificates carry" };
    let message = format!("{uses} {carry} the {what}; take it off them first");
    Err(Error::Conflict { reason: "in_use", message })
}
