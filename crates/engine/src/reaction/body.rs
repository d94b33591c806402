//! Reading a body member by member: every fault has its place as a JSON pointer (RFC 6901), and
//! members that nobody asked for are faults too.

use serde_json::{Map, Value};

use crate::Error;
use crate::configuration::{DESCRIPTION_LENGTH_MAX, NAME_LENGTH_MAX};

/// A JSON object that is being read.
pub(crate) struct Body<'a> {
    members: &'a Map<String, Value>,
    pointer: String,
    asked: Vec<&'static str>,
}

impl<'a> Body<'a> {
    /// Reads `json`, which stands at `pointer`.
    pub(crate) fn new(json: &'a Value, pointer: impl Into<String>) -> Result<Self, Error> {
        let pointer = pointer.into();
        match json.as_object() {
            Some(members) => Ok(Self { members, pointer, asked: Vec::new() }),
            None => Err(Error::invalid(pointer, "expected an object")),
        }
    }

    /// The place of a member.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    /// A fault of a member.
    pub(crate) fn fault(&self, name: &str, message: impl Into<String>) -> Error {
        Error::invalid(self.at(name), message)
    }

    /// A member as it is; null counts as absent.
    pub(crate) fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.asked.push(name);
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A member that must be there.
    pub(crate) fn need(&mut self, name: &'static str) -> Result<&'a Value, Error> {
        self.value(name).ok_or_else(|| self.fault(name, "is missing"))
    }

    /// A text; an empty one counts as absent.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<&'a str>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.fault(name, "expected a text")),
        }
    }

    /// A text that must be there.
    pub(crate) fn need_text(&mut self, name: &'static str) -> Result<&'a str, Error> {
        self.text(name)?.ok_or_else(|| self.fault(name, "is missing"))
    }

    /// A list of texts, each once; absent: empty.
    pub(crate) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, Error> {
        let Some(value) = self.value(name) else { return Ok(Vec::new()) };
        let Value::Array(items) = value else {
            return Err(self.fault(name, "expected a list of texts"));
        };
        let mut texts: Vec<String> = Vec::with_capacity(items.len());
        for (position, item) in items.iter().enumerate() {
            let place = format!("{}/{position}", self.at(name));
            let text = item.as_str().map(str::trim).filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| Error::invalid(&place, "expected a text"))?;
            if texts.iter().any(|other| other == text) {
                return Err(Error::invalid(place, format!("“{text}” stands here twice")));
            }
            texts.push(text.to_owned());
        }
        Ok(texts)
    }

    /// True or false; absent: false.
    pub(crate) fn flag(&mut self, name: &'static str) -> Result<bool, Error> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.fault(name, "expected true or false")),
        }
    }

    /// A whole number between two bounds; absent: 0.
    pub(crate) fn number(&mut self, name: &'static str, most: i64) -> Result<i64, Error> {
        match self.value(name) {
            None => Ok(0),
            Some(value) => {
                value.as_i64().filter(|number| (-most..=most).contains(number)).ok_or_else(|| {
                    self.fault(name, format!("expected a whole number, {most} at most"))
                })
            }
        }
    }

    /// Title and description, which every object has.
    pub(crate) fn words(&mut self) -> Result<(), Error> {
        if self.text("title")?.is_some_and(|title| title.chars().count() > NAME_LENGTH_MAX) {
            return Err(self.fault("title", format!("at most {NAME_LENGTH_MAX} characters")));
        }
        let long = |text: &str| text.chars().count() > DESCRIPTION_LENGTH_MAX;
        if self.text("description")?.is_some_and(long) {
            let message = format!("at most {DESCRIPTION_LENGTH_MAX} characters");
            return Err(self.fault("description", message));
        }
        Ok(())
    }

    /// Refuses members that nobody asked for.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self.members.keys().find(|name| !self.asked.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let known = self.asked.join(", ");
                let place = self.at(&name.replace('~', "~0").replace('/', "~1"));
                Err(Error::invalid(place, format!("there is no such member; there are: {known}")))
            }
        }
    }
}
