//! Event to JSON: as a value for people and APIs, as canonical bytes for the log.
//!
//! The two are written apart because the second is on the path of every event; a property test
//! holds them equal. Member names stand in canonical order (RFC 8785 §3.2.3): keep them sorted.

use std::io::Write as _;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::{Value, json};

use crate::canonical::{self, CanonicalError, write_str};
use crate::envelope::{Event, Personal, PersonalPart, Target};
use crate::id::{Id, LogIndex};

impl Event {
    /// The native JSON: CloudEvents 1.0, structured mode.
    pub fn to_json(&self) -> Value {
        Native { event: self, index: None }.value()
    }

    /// The name of the schema of this event's data (CloudEvents `dataschema`).
    pub fn data_schema(&self) -> String {
        format!("{SCHEMA_PREFIX}{}:{}", self.type_name, self.type_version)
    }
}

/// The native JSON of an event; of a sealed one with the extension `sequence`: its log index as
/// text, padded so that texts sort as numbers do.
#[derive(Clone, Copy)]
pub(crate) struct Native<'a> {
    pub(crate) event: &'a Event,
    pub(crate) index: Option<LogIndex>,
}

impl Native<'_> {
    pub(crate) fn value(self) -> Value {
        // Unwrap safety: all keys are texts, and every member is one of JSON.
        serde_json::to_value(self).expect("an event is JSON")
    }
}

impl Serialize for Native<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let event = self.event;
        let mut members = to.serialize_map(None)?;
        members.serialize_entry("specversion", "1.0")?;
        members.serialize_entry("id", &event.id)?;
        members.serialize_entry("source", &event.source)?;
        members.serialize_entry("type", &event.type_name)?;
        if let Some(subject) = event.subject() {
            members.serialize_entry("subject", &subject.reference())?;
        }
        members.serialize_entry("time", &event.time)?;
        members.serialize_entry("datacontenttype", "application/json")?;
        members.serialize_entry("dataschema", &event.data_schema())?;
        if let Some(index) = self.index {
            members.serialize_entry("sequence", &format_args!("{:020}", index.0))?;
        }
        members.serialize_entry("data", &Data(event))?;
        members.end()
    }
}

/// The member `data` of the native JSON.
struct Data<'a>(&'a Event);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let mut members = to.serialize_map(None)?;
        members.serialize_entry("version", &event.type_version)?;
        members.serialize_entry("outcome", &event.outcome)?;
        members.serialize_entry("severity", &event.severity)?;
        members.serialize_entry("actor", &event.actor)?;
        if let Some(authentication) = &event.authentication {
            members.serialize_entry("authentication", authentication)?;
        }
        members.serialize_entry("origin", &event.origin)?;
        if let Some(transaction) = &event.transaction {
            members.serialize_entry("transaction", transaction)?;
        }
        if let Some(cause) = &event.cause {
            members.serialize_entry("cause", cause)?;
        }
        members.serialize_entry("depth", &event.depth)?;
        members.serialize_entry("targets", &event.targets)?;
        members.serialize_entry("node", &event.node)?;
        members.serialize_entry("detail", &event.detail)?;
        match &event.personal {
            PersonalPart::Clear(part) if !part.is_empty() => {
                members.serialize_entry("personal", part)?;
            }
            PersonalPart::None | PersonalPart::Clear(_) => {}
            PersonalPart::Committed(commitment) => {
                members.serialize_entry("personal", &Committed { commitment })?;
            }
        }
        members.end()
    }
}

/// A personal part that is not shown.
#[derive(Serialize)]
struct Committed<'a> {
    commitment: &'a str,
}

/// What the name of every schema of ours begins with.
pub(super) const SCHEMA_PREFIX: &str = "urn:chancery:event-type:";

/// Canonical bytes of an event whose personal part is replaced by `commitment`.
pub(super) fn event(event: &Event, commitment: Option<&str>) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(br#"{"data":"#);
    data(&mut out, event, commitment).map_err(|error| error.under("data"))?;
    out.extend_from_slice(br#","datacontenttype":"application/json","dataschema":"#);
    // Type names need no escapes when they are of the catalogue, but the envelope takes any.
    write_str(&mut out, &event.data_schema());
    out.extend_from_slice(br#","id":"#);
    id(&mut out, event.id);
    out.extend_from_slice(br#","source":"#);
    write_str(&mut out, &event.source);
    out.extend_from_slice(br#","specversion":"1.0""#);
    if let Some(subject) = event.subject() {
        out.extend_from_slice(br#","subject":"#);
        write_str(&mut out, &subject.reference());
    }
    out.extend_from_slice(br#","time":""#);
    // Writing into a Vec cannot fail, here and below.
    let _ = write!(out, "{}", event.time);
    out.extend_from_slice(br#"","type":"#);
    write_str(&mut out, &event.type_name);
    out.push(b'}');
    Ok(out)
}

fn data(out: &mut Vec<u8>, event: &Event, commitment: Option<&str>) -> Result<(), CanonicalError> {
    out.extend_from_slice(br#"{"actor":{"#);
    if let Some(id) = &event.actor.id {
        out.extend_from_slice(br#""id":"#);
        write_str(out, id);
        out.push(b',');
    }
    out.extend_from_slice(br#""kind":"#);
    write_str(out, event.actor.kind.as_str());
    optional(out, br#","role":"#, event.actor.role.as_deref());
    out.push(b'}');
    if let Some(authentication) = &event.authentication {
        out.extend_from_slice(br#","authentication":{"#);
        if let Some(credential) = &authentication.credential {
            out.extend_from_slice(br#""credential":"#);
            write_str(out, credential);
            out.push(b',');
        }
        out.extend_from_slice(br#""method":"#);
        write_str(out, &authentication.method);
        out.push(b'}');
    }
    if let Some(cause) = event.cause {
        out.extend_from_slice(br#","cause":"#);
        id(out, cause);
    }
    let _ = write!(out, r#","depth":{},"detail":"#, event.depth);
    canonical::write_map(out, &event.detail).map_err(|error| error.under("detail"))?;
    out.extend_from_slice(br#","node":"#);
    id(out, event.node);
    out.extend_from_slice(br#","origin":"#);
    write_str(out, event.origin.as_str());
    out.extend_from_slice(br#","outcome":{"#);
    if let Some(message) = &event.outcome.message {
        out.extend_from_slice(br#""message":"#);
        write_str(out, message);
        out.push(b',');
    }
    if let Some(reason) = &event.outcome.reason {
        out.extend_from_slice(br#""reason":"#);
        write_str(out, reason);
        out.push(b',');
    }
    out.extend_from_slice(br#""result":"#);
    write_str(out, event.outcome.result.as_str());
    out.push(b'}');
    if let Some(commitment) = commitment {
        out.extend_from_slice(br#","personal":{"commitment":"#);
        write_str(out, commitment);
        out.push(b'}');
    }
    out.extend_from_slice(br#","severity":"#);
    write_str(out, event.severity.as_str());
    out.extend_from_slice(br#","targets":["#);
    targets(out, &event.targets);
    out.push(b']');
    if let Some(transaction) = event.transaction {
        out.extend_from_slice(br#","transaction":"#);
        id(out, transaction);
    }
    let _ = write!(out, r#","version":{}}}"#, event.type_version);
    Ok(())
}

fn targets(out: &mut Vec<u8>, targets: &[Target]) {
    for (at, target) in targets.iter().enumerate() {
        out.extend_from_slice(if at > 0 { br#",{"id":"# } else { br#"{"id":"# });
        write_str(out, &target.id);
        out.extend_from_slice(br#","kind":"#);
        write_str(out, target.kind.as_str());
        optional(out, br#","name":"#, target.name.as_deref());
        out.push(b'}');
    }
}

/// Canonical bytes of a personal part.
pub(super) fn personal(part: &Personal) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(128);
    optional(&mut out, br#","actor_name":"#, part.actor_name.as_deref());
    optional(&mut out, br#","client_ip":"#, part.client_ip.as_deref());
    if !part.detail.is_empty() {
        out.extend_from_slice(br#","detail":"#);
        canonical::write_map(&mut out, &part.detail)
            .map_err(|error| error.under("detail").under("personal").under("data"))?;
    }
    optional(&mut out, br#","session":"#, part.session.as_deref());
    if !part.targets.is_empty() {
        out.extend_from_slice(br#","targets":"#);
        let targets = part.targets.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        canonical::write_map(&mut out, &targets)?;
    }
    optional(&mut out, br#","user_agent":"#, part.user_agent.as_deref());
    match out.first_mut() {
        // Every member above begins with a comma; the first one's becomes the brace.
        Some(first) => *first = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
    Ok(out)
}

fn optional(out: &mut Vec<u8>, name: &[u8], value: Option<&str>) {
    if let Some(value) = value {
        out.extend_from_slice(name);
        write_str(out, value);
    }
}

fn id(out: &mut Vec<u8>, id: impl Id) {
    let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
    out.push(b'"');
    out.extend_from_slice(id.uuid().as_hyphenated().encode_lower(&mut buffer).as_bytes());
    out.push(b'"');
}
