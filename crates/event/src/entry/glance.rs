//! A quick look at an entry of ours: what conditions look at, without the personal part.
//!
//! For who looks at very many events and keeps none of them. Nothing is checked but what cannot be
//! read otherwise: what stands in the log was checked when it was sealed. A test holds that every
//! field that events are filtered by says the same as of an event that was opened.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::OpenError;
use crate::catalogue::EventType;
use crate::envelope::{
    Actor, ActorKind, Event, Origin, Outcome, PersonalPart, Severity, Target, TargetKind, Verdict,
};

#[derive(Deserialize)]
struct Entry<'a, D> {
    id: &'a str,
    #[serde(rename = "type", borrow)]
    type_name: Cow<'a, str>,
    time: &'a str,
    #[serde(borrow)]
    data: Data<'a, D>,
}

#[derive(Deserialize)]
struct Data<'a, D> {
    version: u16,
    outcome: Ended,
    severity: &'a str,
    actor: Acted<'a>,
    origin: &'a str,
    transaction: Option<&'a str>,
    cause: Option<&'a str>,
    depth: u16,
    targets: Vec<Aimed<'a>>,
    node: &'a str,
    detail: D,
}

#[derive(Deserialize)]
struct Ended {
    result: String,
    reason: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Acted<'a> {
    kind: &'a str,
    id: Option<String>,
}

#[derive(Deserialize)]
struct Aimed<'a> {
    kind: &'a str,
    id: String,
    name: Option<String>,
}

/// A detail that is passed over.
#[derive(Deserialize)]
struct Unread {}

impl Event {
    /// What conditions look at in an entry, without its personal part, and with `detail` false
    /// without its detail. The source, the authentication and the role of who acted are left out
    /// as well. What cannot be read so is opened as [`Event::open`] does.
    ///
    /// # Errors
    /// [`OpenError::Read`]: the bytes are no event.
    pub fn glance(entry: &[u8], detail: bool) -> Result<Self, OpenError> {
        let seen = match detail {
            true => read::<Map<String, Value>>(entry, |detail| detail),
            false => read::<Unread>(entry, |Unread {}| Map::new()),
        };
        match seen {
            Some(event) => Ok(event),
            None => Self::open(entry, None),
        }
    }
}

fn read<'a, D: Deserialize<'a>>(
    entry: &'a [u8],
    detail: impl FnOnce(D) -> Map<String, Value>,
) -> Option<Event> {
    let Entry { id, type_name, time, data } = serde_json::from_slice::<Entry<'a, D>>(entry).ok()?;
    let type_name = match EventType::parse(&type_name).filter(|of| of.name() == type_name) {
        Some(known) => Cow::Borrowed(known.name()),
        None => Cow::Owned(type_name.into_owned()),
    };
    let target = |aimed: Aimed<'_>| {
        Some(Target { kind: TargetKind::parse(aimed.kind)?, id: aimed.id, name: aimed.name })
    };
    Some(Event {
        id: id.parse().ok()?,
        source: Cow::Borrowed(""),
        type_name,
        type_version: data.version,
        time: time.parse().ok()?,
        outcome: Outcome {
            result: Verdict::parse(&data.outcome.result)?,
            reason: data.outcome.reason.map(Cow::Owned),
            message: data.outcome.message,
        },
        severity: Severity::parse(data.severity)?,
        actor: Actor { kind: ActorKind::parse(data.actor.kind)?, id: data.actor.id, role: None },
        authentication: None,
        origin: Origin::parse(data.origin)?,
        transaction: parsed(data.transaction)?,
        cause: parsed(data.cause)?,
        depth: data.depth,
        targets: data.targets.into_iter().map(target).collect::<Option<_>>()?,
        node: data.node.parse().ok()?,
        detail: detail(data.detail),
        personal: PersonalPart::None,
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

    #[test]
    fn a_glance_shows_what_opening_shows() {
        for event_type in EventType::ALL {
            let entry = event_type.example().entry([7; 32]).unwrap().bytes;
            let opened = Event::open(&entry, None).unwrap();
            let glanced = Event::glance(&entry, true).unwrap();
            let of = |event| Searchable { event, index: LogIndex(3) };
            for field in schema().fields() {
                let (one, other) = (of(&opened), of(&glanced));
                assert_eq!(one.values(&field.name), other.values(&field.name), "{}", field.name);
            }
            assert_eq!(of(&opened).texts(), of(&glanced).texts(), "{event_type}");
            assert_eq!(opened.detail, glanced.detail);
            assert_eq!((opened.depth, opened.type_version), (glanced.depth, glanced.type_version));
            assert!(Event::glance(&entry, false).unwrap().detail.is_empty());
        }
        assert!(Event::glance(b"{}", true).is_err());
    }
}
