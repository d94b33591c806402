//! Entries of ours, read without a tree of values in between: what is on the path of every reader
//! of the log.
//!
//! Whatever is not exactly as this program writes it is left to [`Event::from_json`], which says
//! what is wrong. A test holds that both read the same.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{OpenError, ReadError, is_commitment, write::SCHEMA_PREFIX};
use crate::catalogue::EventType;
use crate::envelope::{
    Actor, ActorKind, Authentication, Event, Origin, Outcome, PersonalPart, Severity, Target,
    TargetKind, Verdict,
};

#[derive(Deserialize)]
struct Entry<'a, D> {
    specversion: &'a str,
    datacontenttype: &'a str,
    #[serde(borrow)]
    dataschema: Cow<'a, str>,
    id: &'a str,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    type_name: Cow<'a, str>,
    #[serde(default, deserialize_with = "present")]
    subject: Option<String>,
    time: &'a str,
    #[serde(borrow)]
    data: Data<'a, D>,
}

#[derive(Deserialize)]
struct Data<'a, D> {
    version: u16,
    outcome: Ended,
    severity: &'a str,
    #[serde(borrow)]
    actor: Acted<'a>,
    #[serde(default, deserialize_with = "present")]
    authentication: Option<Proved>,
    origin: &'a str,
    #[serde(default, deserialize_with = "present")]
    transaction: Option<&'a str>,
    #[serde(default, deserialize_with = "present")]
    cause: Option<&'a str>,
    depth: u16,
    #[serde(borrow)]
    targets: Vec<Aimed<'a>>,
    node: &'a str,
    detail: D,
    #[serde(default, deserialize_with = "present")]
    personal: Option<Committed>,
}

#[derive(Deserialize)]
struct Ended {
    result: String,
    #[serde(default, deserialize_with = "present")]
    reason: Option<String>,
    #[serde(default, deserialize_with = "present")]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Acted<'a> {
    kind: &'a str,
    #[serde(default, deserialize_with = "present")]
    id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    role: Option<String>,
}

#[derive(Deserialize)]
struct Proved {
    method: String,
    #[serde(default, deserialize_with = "present")]
    credential: Option<String>,
}

#[derive(Deserialize)]
struct Aimed<'a> {
    kind: &'a str,
    id: String,
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Committed {
    commitment: String,
}

/// A detail that is passed over.
#[derive(Deserialize)]
struct Unread {}

/// An optional member that is there: `null` is no value of it.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl Event {
    /// Reads the native JSON of an event from bytes.
    ///
    /// # Errors
    /// [`ReadError`] with the place that is wrong.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, ReadError> {
        match read::<Map<String, Value>>(bytes, |detail| detail) {
            Some(event) => Ok(event),
            None => Self::from_json(&serde_json::from_slice(bytes)?),
        }
    }

    /// What conditions look at in an entry, without its personal part, and with `detail` false
    /// without its detail: for who looks at very many events and keeps none of them.
    ///
    /// # Errors
    /// [`OpenError::Read`]: the bytes are no event.
    pub fn glance(entry: &[u8], detail: bool) -> Result<Self, OpenError> {
        if detail {
            return Self::open(entry, None);
        }
        match read::<Unread>(entry, |Unread {}| Map::new()) {
            Some(event) => Ok(event),
            None => Self::open(entry, None).map(|event| Self { detail: Map::new(), ..event }),
        }
    }
}

fn read<'a, D: Deserialize<'a>>(
    entry: &'a [u8],
    detail: impl FnOnce(D) -> Map<String, Value>,
) -> Option<Event> {
    let entry: Entry<'a, D> = serde_json::from_slice(entry).ok()?;
    let Entry { id, source, type_name, time, data, .. } = entry;
    let schema = entry.dataschema.strip_prefix(SCHEMA_PREFIX)?.strip_prefix(&*type_name)?;
    let is_ours = entry.specversion == "1.0"
        && entry.datacontenttype == "application/json"
        && schema.strip_prefix(':')? == data.version.to_string();
    let type_name = match EventType::parse(&type_name).filter(|of| of.name() == type_name) {
        Some(known) => Cow::Borrowed(known.name()),
        None => Cow::Owned(type_name.into_owned()),
    };
    let target = |aimed: Aimed<'_>| {
        Some(Target { kind: TargetKind::parse(aimed.kind)?, id: aimed.id, name: aimed.name })
    };
    let targets: Vec<Target> = data.targets.into_iter().map(target).collect::<Option<_>>()?;
    let is_ours = is_ours && entry.subject == targets.first().map(Target::reference);
    let personal = match data.personal {
        None => PersonalPart::None,
        Some(Committed { commitment }) if is_commitment(&commitment) => {
            PersonalPart::Committed(commitment)
        }
        Some(_) => return None,
    };
    let Acted { kind, id: actor, role } = data.actor;
    is_ours.then_some(Event {
        id: id.parse().ok()?,
        source: Cow::Owned(source.into_owned()),
        type_name,
        type_version: data.version,
        time: time.parse().ok()?,
        outcome: Outcome {
            result: Verdict::parse(&data.outcome.result)?,
            reason: data.outcome.reason.map(Cow::Owned),
            message: data.outcome.message,
        },
        severity: Severity::parse(data.severity)?,
        actor: Actor { kind: ActorKind::parse(kind)?, id: actor, role: role.map(Cow::Owned) },
        authentication: data.authentication.map(|Proved { method, credential }| Authentication {
            method: Cow::Owned(method),
            credential,
        }),
        origin: Origin::parse(data.origin)?,
        transaction: parsed(data.transaction)?,
        cause: parsed(data.cause)?,
        depth: data.depth,
        targets,
        node: data.node.parse().ok()?,
        detail: detail(data.detail),
        personal,
    })
}

/// What an optional member says; `None`: it cannot be read.
fn parsed<T: std::str::FromStr>(text: Option<&str>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => text.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Object as _;
    use crate::id::LogIndex;
    use crate::search::{Searchable, schema};

    fn slowly(entry: &[u8]) -> Result<Event, ReadError> {
        Event::from_json(&serde_json::from_slice(entry)?)
    }

    #[test]
    fn a_quick_reading_says_what_a_slow_one_does() {
        for event_type in EventType::ALL {
            let mut event = event_type.example();
            for _ in 0..2 {
                let entry = event.entry([7; 32]).unwrap().bytes;
                let quick = read::<Map<String, Value>>(&entry, |detail| detail);
                assert_eq!(quick.unwrap(), slowly(&entry).unwrap(), "{event_type}");
                // As bare as events become, and with texts that need escapes.
                event.targets.clear();
                event.authentication = None;
                event.transaction = None;
                event.cause = None;
                event.actor.id = Some("a \"b\" \\ \u{7}".to_owned());
                event.actor.role = None;
                event.source = Cow::Borrowed("urn:\u{1}\"");
                event.outcome.message = Some("line\nline".to_owned());
                event.personal = PersonalPart::None;
            }
        }
    }

    #[test]
    fn what_is_changed_in_an_entry_is_read_or_refused_alike() {
        let entry = EventType::CertificateUpload.example().entry([7; 32]).unwrap().bytes;
        let whole: Value = serde_json::from_slice(&entry).unwrap();
        let mut pointers = Vec::new();
        places(&whole, String::new(), &mut pointers);
        let mut refused = 0;
        for pointer in pointers {
            for other in [None, Some(Value::Null), Some("x".into()), Some(7.into())] {
                let mut changed = whole.clone();
                match other {
                    Some(other) => *changed.pointer_mut(&pointer).unwrap() = other,
                    None => remove(&mut changed, &pointer),
                }
                let bytes = serde_json::to_vec(&changed).unwrap();
                match (Event::from_slice(&bytes), Event::from_json(&changed)) {
                    (Ok(quick), Ok(slow)) => assert_eq!(quick, slow, "{pointer}"),
                    (Err(quick), Err(slow)) => {
                        assert_eq!(quick.to_string(), slow.to_string());
                        refused += 1;
                    }
                    (quick, slow) => panic!("{pointer}: {quick:?} and {slow:?}"),
                }
            }
        }
        assert!(refused > 50, "{refused}");
        assert!(Event::from_slice(b"{}").is_err());
        assert!(Event::from_slice(b"").is_err());
    }

    fn places(value: &Value, at: String, all: &mut Vec<String>) {
        if !at.is_empty() {
            all.push(at.clone());
        }
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, inner)| places(inner, format!("{at}/{name}"), all));
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items.for_each(|(number, inner)| places(inner, format!("{at}/{number}"), all));
            }
            _ => {}
        }
    }

    fn remove(value: &mut Value, pointer: &str) {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match value.pointer_mut(parent).unwrap() {
            Value::Object(members) => drop(members.remove(name)),
            Value::Array(items) => drop(items.remove(name.parse().unwrap())),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_glance_shows_what_opening_shows() {
        for event_type in EventType::ALL {
            let entry = event_type.example().entry([7; 32]).unwrap().bytes;
            let opened = Event::open(&entry, None).unwrap();
            assert_eq!(opened, Event::glance(&entry, true).unwrap());
            let glanced = Event::glance(&entry, false).unwrap();
            assert!(glanced.detail.is_empty());
            let whole = Event { detail: opened.detail.clone(), ..glanced };
            let of = |event| Searchable { event, index: LogIndex(3) };
            for field in schema().fields() {
                let (one, other) = (of(&opened), of(&whole));
                assert_eq!(one.values(&field.name), other.values(&field.name), "{}", field.name);
            }
            assert_eq!(of(&opened).texts(), of(&whole).texts(), "{event_type}");
        }
        assert!(Event::glance(b"{}", true).is_err());
        assert!(Event::glance(b"{}", false).is_err());
    }
}
