//! JSON to event: strict about what it knows, deaf to what it does not.
//!
//! Every refusal names the place as a JSON pointer (RFC 6901). Members that this version does not
//! know are left out of the event and are no error, so that an older program reads a newer log.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::{is_commitment, write::SCHEMA_PREFIX};
use crate::envelope::{
    Actor, ActorKind, Authentication, Event, Origin, Outcome, Personal, PersonalPart, Severity,
    Target, TargetKind, Verdict,
};

/// JSON that is not an event.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON.
    #[error("it is not JSON")]
    Json(#[from] serde_json::Error),
    /// A member is missing.
    #[error("“{pointer}” is missing")]
    Missing {
        /// JSON pointer of the member.
        pointer: String,
    },
    /// A member has the wrong JSON type.
    #[error("“{pointer}” is not {expected}")]
    Kind {
        /// JSON pointer of the member.
        pointer: String,
        /// What was expected, with its article.
        expected: &'static str,
    },
    /// A member has a value that it cannot have.
    #[error("“{pointer}” cannot be “{found}”: expected {expected}")]
    Value {
        /// JSON pointer of the member.
        pointer: String,
        /// What was found, shortened to 80 characters.
        found: String,
        /// What was expected.
        expected: String,
    },
}

impl ReadError {
    /// JSON pointer of the member at fault; empty when the text is not JSON at all.
    pub fn pointer(&self) -> &str {
        match self {
            Self::Json(_) => "",
            Self::Missing { pointer }
            | Self::Kind { pointer, .. }
            | Self::Value { pointer, .. } => pointer,
        }
    }
}

impl Event {
    /// Reads the native JSON of an event.
    ///
    /// # Errors
    /// [`ReadError`] with the place that is wrong.
    pub fn from_json(value: &Value) -> Result<Self, ReadError> {
        let event = Members::of(value, String::new)?;
        event.fixed("specversion", "1.0")?;
        event.fixed("datacontenttype", "application/json")?;
        let data = event.object("data")?;
        let targets = targets(&data)?;
        match targets.first() {
            Some(first) => event.fixed("subject", &first.reference())?,
            None => {
                if let Some(subject) = event.optional_text("subject")? {
                    let expected = "no subject where there is no target".to_owned();
                    return Err(event.refused("subject", subject, expected));
                }
            }
        }
        let type_name = event.text("type")?;
        let type_version = data.small("version")?;
        let schema = format!("{SCHEMA_PREFIX}{type_name}:{type_version}");
        event.equal("dataschema", event.text("dataschema")?, &schema)?;
        Ok(Self {
            id: event.parsed("id")?,
            source: Cow::Owned(event.text("source")?.to_owned()),
            type_name: Cow::Owned(type_name.to_owned()),
            type_version,
            time: event.parsed("time")?,
            outcome: outcome(&data.object("outcome")?)?,
            severity: data.word("severity", Severity::parse)?,
            actor: actor(&data.object("actor")?)?,
            authentication: data
                .optional_object("authentication")?
                .map(authentication)
                .transpose()?,
            origin: data.word("origin", Origin::parse)?,
            transaction: data.optional_parsed("transaction")?,
            cause: data.optional_parsed("cause")?,
            depth: data.small("depth")?,
            targets,
            node: data.parsed("node")?,
            detail: data.object("detail")?.map.clone(),
            personal: personal(&data)?,
        })
    }
}

fn outcome(members: &Members<'_>) -> Result<Outcome, ReadError> {
    Ok(Outcome {
        result: members.word("result", Verdict::parse)?,
        reason: members.optional_text("reason")?.map(|text| Cow::Owned(text.to_owned())),
        message: members.optional_text("message")?.map(str::to_owned),
    })
}

fn actor(members: &Members<'_>) -> Result<Actor, ReadError> {
    Ok(Actor {
        kind: members.word("kind", ActorKind::parse)?,
        id: members.optional_text("id")?.map(str::to_owned),
        role: members.optional_text("role")?.map(|text| Cow::Owned(text.to_owned())),
    })
}

fn authentication(members: Members<'_>) -> Result<Authentication, ReadError> {
    Ok(Authentication {
        method: Cow::Owned(members.text("method")?.to_owned()),
        credential: members.optional_text("credential")?.map(str::to_owned),
    })
}

fn targets(data: &Members<'_>) -> Result<Vec<Target>, ReadError> {
    let Value::Array(items) = data.value("targets")? else {
        return Err(data.kind("targets", "an array"));
    };
    let mut targets = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let target = Members::of(item, || format!("{}/targets/{at}", data.pointer))?;
        targets.push(Target {
            kind: target.word("kind", TargetKind::parse)?,
            id: target.text("id")?.to_owned(),
            name: target.optional_text("name")?.map(str::to_owned),
        });
    }
    Ok(targets)
}

fn personal(data: &Members<'_>) -> Result<PersonalPart, ReadError> {
    let Some(part) = data.optional_object("personal")? else {
        return Ok(PersonalPart::None);
    };
    if let Some(commitment) = part.optional_text("commitment")? {
        if !is_commitment(commitment) {
            let expected = "sha256: and 64 lower-case hexadecimal digits".to_owned();
            return Err(part.refused("commitment", commitment, expected));
        }
        return Ok(PersonalPart::Committed(commitment.to_owned()));
    }
    let mut targets = BTreeMap::new();
    if let Some(names) = part.optional_object("targets")? {
        for reference in names.map.keys() {
            targets.insert(reference.clone(), names.text(reference)?.to_owned());
        }
    }
    let owned = |name| part.optional_text(name).map(|text| text.map(str::to_owned));
    let part = Personal {
        actor_name: owned("actor_name")?,
        client_ip: owned("client_ip")?,
        user_agent: owned("user_agent")?,
        session: owned("session")?,
        targets,
        detail: part.optional_object("detail")?.map(|m| m.map.clone()).unwrap_or_default(),
    };
    Ok(if part.is_empty() { PersonalPart::None } else { PersonalPart::Clear(part) })
}

/// The members of one object, and where it stands.
struct Members<'a> {
    map: &'a Map<String, Value>,
    pointer: String,
}

impl<'a> Members<'a> {
    fn of(value: &'a Value, pointer: impl FnOnce() -> String) -> Result<Self, ReadError> {
        match value {
            Value::Object(map) => Ok(Self { map, pointer: pointer() }),
            _ => Err(ReadError::Kind { pointer: pointer(), expected: "an object" }),
        }
    }

    fn at(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"))
    }

    fn kind(&self, name: &str, expected: &'static str) -> ReadError {
        ReadError::Kind { pointer: self.at(name), expected }
    }

    fn refused(&self, name: &str, found: &str, expected: String) -> ReadError {
        let found = found.chars().take(80).collect();
        ReadError::Value { pointer: self.at(name), found, expected }
    }

    fn value(&self, name: &str) -> Result<&'a Value, ReadError> {
        self.map.get(name).ok_or_else(|| ReadError::Missing { pointer: self.at(name) })
    }

    fn text(&self, name: &str) -> Result<&'a str, ReadError> {
        self.value(name)?.as_str().ok_or_else(|| self.kind(name, "a string"))
    }

    fn optional_text(&self, name: &str) -> Result<Option<&'a str>, ReadError> {
        if self.map.contains_key(name) { self.text(name).map(Some) } else { Ok(None) }
    }

    fn object(&self, name: &str) -> Result<Self, ReadError> {
        Members::of(self.value(name)?, || self.at(name))
    }

    fn optional_object(&self, name: &str) -> Result<Option<Self>, ReadError> {
        if self.map.contains_key(name) { self.object(name).map(Some) } else { Ok(None) }
    }

    fn small(&self, name: &str) -> Result<u16, ReadError> {
        let number = self.value(name)?.as_u64().and_then(|number| u16::try_from(number).ok());
        number.ok_or_else(|| self.kind(name, "an integer from 0 to 65535"))
    }

    fn word<T>(&self, name: &str, parse: fn(&str) -> Option<T>) -> Result<T, ReadError> {
        let text = self.text(name)?;
        parse(text).ok_or_else(|| self.refused(name, text, "one of the known words".to_owned()))
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, ReadError> {
        let text = self.text(name)?;
        text.parse().map_err(|error: T::Err| self.refused(name, text, error.to_string()))
    }

    fn optional_parsed<T: FromStr<Err: std::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, ReadError> {
        if self.map.contains_key(name) { self.parsed(name).map(Some) } else { Ok(None) }
    }

    fn fixed(&self, name: &str, expected: &str) -> Result<(), ReadError> {
        self.equal(name, self.text(name)?, expected)
    }

    fn equal(&self, name: &str, found: &str, expected: &str) -> Result<(), ReadError> {
        if found == expected {
            return Ok(());
        }
        Err(self.refused(name, found, format!("“{expected}”")))
    }
}
