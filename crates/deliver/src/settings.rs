//! Members of a definition's settings, read with their place for errors. What nobody has read is
//! refused at the end: a member that is misspelt must not be passed over.

use std::cell::RefCell;
use std::collections::BTreeSet;

use chancery_engine::Error;
use serde_json::{Map, Value};

/// Reads settings.
pub(crate) struct Settings<'a> {
    members: &'a Map<String, Value>,
    read: RefCell<BTreeSet<&'static str>>,
}

/// The place of a member.
pub(crate) fn place(name: &str) -> String {
    format!("settings/{name}")
}

impl<'a> Settings<'a> {
    pub(crate) fn new(members: &'a Map<String, Value>) -> Self {
        Self { members, read: RefCell::new(BTreeSet::new()) }
    }

    fn member(&self, name: &'static str) -> Option<&'a Value> {
        self.read.borrow_mut().insert(name);
        self.members.get(name).filter(|value| !value.is_null() && *value != "")
    }

    /// A text.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&'a str>, Error> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= 65_536 => Ok(Some(text.trim())),
            Some(_) => Err(Error::invalid(place(name), "a text of at most 65,536 bytes")),
        }
    }

    /// A text that has to be there.
    pub(crate) fn needed(&self, name: &'static str, what: &str) -> Result<&'a str, Error> {
        self.text(name)?.ok_or_else(|| Error::invalid(place(name), format!("{what} is needed")))
    }

    /// One of several words.
    pub(crate) fn word(
        &self,
        name: &'static str,
        words: &[&'static str],
    ) -> Result<&'static str, Error> {
        let default = words.first().copied().unwrap_or_default();
        let Some(given) = self.text(name)? else { return Ok(default) };
        words
            .iter()
            .copied()
            .find(|word| *word == given)
            .ok_or_else(|| Error::invalid(place(name), format!("one of {}", words.join(", "))))
    }

    /// A whole number within bounds.
    pub(crate) fn number(
        &self,
        name: &'static str,
        default: i64,
        (least, most): (i64, i64),
    ) -> Result<i64, Error> {
        let given = match self.member(name) {
            None => return Ok(default),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(value) => value.as_i64(),
        };
        given
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| Error::invalid(place(name), format!("a number from {least} to {most}")))
    }

    /// Yes or no.
    pub(crate) fn flag(&self, name: &'static str, default: bool) -> Result<bool, Error> {
        match self.member(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Error::invalid(place(name), "true or false")),
        }
    }

    /// A list of texts.
    pub(crate) fn list(&self, name: &'static str) -> Result<Vec<&'a str>, Error> {
        let wrong = || Error::invalid(place(name), "a list of at most 100 texts");
        match self.member(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) if items.len() <= 100 => {
                items.iter().map(|item| item.as_str().ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    /// Names with texts, such as headers.
    pub(crate) fn pairs(&self, name: &'static str) -> Result<Vec<(&'a str, &'a str)>, Error> {
        let wrong = || Error::invalid(place(name), "at most 50 names, each with a text");
        match self.member(name) {
            None => Ok(Vec::new()),
            Some(Value::Object(members)) if members.len() <= 50 => members
                .iter()
                .map(|(name, value)| Ok((name.as_str(), value.as_str().ok_or_else(wrong)?)))
                .collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// Refuses what nobody asked for.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        let read = self.read.borrow();
        match self.members.keys().find(|name| !read.contains(name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let known: Vec<_> = read.iter().copied().collect();
                let message = format!("nobody knows it here; there are {}", known.join(", "));
                Err(Error::invalid(place(name), message))
            }
        }
    }
}
