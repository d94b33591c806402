//! What events are found by: the fields of the filter, their values in one event, and its words.
//!
//! The words are those of the sealed part alone: personal data is found by its own fields, which
//! erasure clears, never by text.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde_json::Value as Json;

use crate::catalogue::{EventType, Kind};
use crate::envelope::{Event, Origin, Severity, TargetKind, Verdict};
use crate::filter::{Field, FieldKind, Keywords, Object, Schema, Values};
use crate::id::LogIndex;

/// The fields that events are filtered by.
pub fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::new("event", fields()));
    &SCHEMA
}

fn words_of<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str) -> Keywords {
    Keywords::known(all.iter().map(|&value| word(value)))
}

fn types() -> Keywords {
    let mut types = Keywords::known(EventType::ALL.iter().map(|event_type| event_type.name()));
    for event_type in EventType::ALL {
        for dialect in event_type.info().dialects {
            types = types.alias(dialect.code, event_type.name());
        }
    }
    types
}

fn families() -> Keywords {
    let mut families: Vec<_> =
        EventType::ALL.iter().map(|event_type| event_type.family()).collect();
    families.sort_unstable();
    families.dedup();
    Keywords::known(families)
}

/// The family of a type: the first part of its dotted name.
pub fn family_of(type_name: &str) -> Option<&str> {
    type_name.split_once('.').map(|(family, _)| family).filter(|family| !family.is_empty())
}

/// The kind of a type, where the catalogue knows it.
pub fn kind_of(type_name: &str) -> Option<Kind> {
    let known = EventType::parse(type_name).filter(|known| known.name() == type_name);
    known.map(|known| known.info().kind)
}

/// The kind of target that a field like `certificate` stands for: such a field holds the
/// identifiers of the targets of that kind. `node` is none of them, because that field is the node
/// that recorded the event.
pub fn target_kind(field: &str) -> Option<TargetKind> {
    TargetKind::parse(field).filter(|kind| *kind != TargetKind::Node)
}

fn fields() -> Vec<Field> {
    let keyword =
        |name: &str, words: Keywords, doc: &str| Field::new(name, FieldKind::Keyword(words), doc);
    let severities = words_of(Severity::ALL, Severity::as_str);
    let kinds = [Kind::Operation, Kind::Occurrence, Kind::Monitoring];
    let mut fields = vec![
        keyword("type", types(), "Type of the event; other systems' codes are understood").facet(),
        keyword("family", families(), "First part of the type's name, such as certificate").facet(),
        keyword(
            "kind",
            words_of(&kinds, Kind::as_str),
            "operation: somebody did it; occurrence: it came about; monitoring: a monitor found it",
        ),
        Field::new("severity", FieldKind::Ordered(severities), "How much it matters")
            .alias("level")
            .facet(),
        keyword("outcome", words_of(Verdict::ALL, Verdict::as_str), "How it ended")
            .alias("result")
            .facet(),
        keyword("reason", Keywords::open(), "Why it ended so, as a stable word"),
        keyword("origin", words_of(Origin::ALL, Origin::as_str), "By which way it came in").facet(),
        Field::new("time", FieldKind::Timestamp, "When it happened").alias("at").sortable(),
        Field::new("index", FieldKind::Integer, "Place in the sealed log").sortable(),
        Field::new("id", FieldKind::Id, "Identifier of the event"),
        keyword("actor", Keywords::open(), "Login name of who acted; gone when erased"),
        keyword("actor_kind", Keywords::open(), "Kind of who acted: account, system, anonymous"),
        Field::new("actor_id", FieldKind::Id, "Identifier of who acted"),
        keyword("ip", Keywords::open(), "Address of the client; gone when erased"),
        Field::new("subject", FieldKind::Text, "Name of what it is about"),
        keyword(
            "subject_kind",
            words_of(TargetKind::ALL, TargetKind::as_str),
            "Kind of what it is about",
        ),
        Field::new("target", FieldKind::Id, "Anything it is about, as kind/id: certificate/0193…"),
        Field::new("transaction", FieldKind::Id, "The request or unit of work it belongs to"),
        Field::new("cause", FieldKind::Id, "The event that brought it about"),
        Field::new("node", FieldKind::Id, "The node that recorded it"),
    ];
    fields.extend(TargetKind::ALL.iter().filter_map(|kind| {
        let kind = target_kind(kind.as_str())?.as_str();
        let doc = format!("Identifier of a target of the kind {kind}");
        let field = Field::new(kind, FieldKind::Id, doc);
        // Sources of events are systems outside.
        let is_source = kind == TargetKind::ThirdParty.as_str();
        Some(if is_source { field.alias("source") } else { field })
    }));
    fields
}

/// A sealed event as the filter sees it.
#[derive(Clone, Copy, Debug)]
pub struct Searchable<'a> {
    /// The event.
    pub event: &'a Event,
    /// Its place in the log.
    pub index: LogIndex,
}

impl Object for Searchable<'_> {
    fn values(&self, field: &str) -> Values<'_> {
        let event = self.event;
        let personal = event.personal();
        match field {
            "type" => event.type_name.as_ref().into(),
            "family" => family_of(&event.type_name).into(),
            "kind" => kind_of(&event.type_name).map(Kind::as_str).into(),
            "severity" => event.severity.as_str().into(),
            "outcome" => event.outcome.result.as_str().into(),
            "reason" => event.outcome.reason.as_deref().map(str::to_ascii_lowercase).into(),
            "origin" => event.origin.as_str().into(),
            "time" => Values::time(event.time.micros()),
            "index" => i64::try_from(self.index.0).unwrap_or(i64::MAX).into(),
            "id" => event.id.to_string().into(),
            "actor" => {
                personal.and_then(|p| p.actor_name.as_deref()).map(str::to_ascii_lowercase).into()
            }
            "actor_kind" => event.actor.kind.as_str().into(),
            "actor_id" => event.actor.id.as_deref().map(str::to_ascii_lowercase).into(),
            "ip" => {
                personal.and_then(|p| p.client_ip.as_deref()).map(str::to_ascii_lowercase).into()
            }
            "subject" => event.subject().and_then(|target| target.name.as_deref()).into(),
            "subject_kind" => event.subject().map(|target| target.kind.as_str()).into(),
            "target" => targets(event).collect(),
            "transaction" => event.transaction.map(|id| id.to_string()).into(),
            "cause" => event.cause.map(|id| id.to_string()).into(),
            "node" => event.node.to_string().into(),
            field => match target_kind(field) {
                Some(kind) => targets(event)
                    .filter_map(|reference| {
                        let (of, id) = reference.split_once('/')?;
                        (of == kind.as_str()).then(|| id.to_owned())
                    })
                    .collect(),
                None => Values::None,
            },
        }
    }

    fn texts(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Owned(words(self.event))]
    }
}

/// The targets as `kind/id`, in lower case, each once.
pub fn targets(event: &Event) -> impl Iterator<Item = String> {
    let mut references: Vec<String> =
        event.targets.iter().map(|target| target.reference().to_ascii_lowercase()).collect();
    references.sort_unstable();
    references.dedup();
    references.into_iter()
}

/// The text that word search looks through: everything readable of the sealed part.
pub fn words(event: &Event) -> String {
    let mut text = String::with_capacity(256);
    write_words(&mut text, event);
    text
}

/// Appends [`words`] to a text that is empty.
pub fn write_words(text: &mut String, event: &Event) {
    let mut add = |part: &str| {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(part);
    };
    add(&event.type_name);
    if let Some(reason) = &event.outcome.reason {
        add(reason);
    }
    if let Some(message) = &event.outcome.message {
        add(message);
    }
    for target in &event.targets {
        add(&target.id);
        if let Some(name) = &target.name {
            add(name);
        }
    }
    for value in event.detail.values() {
        leaves(value, &mut add);
    }
}

fn leaves(value: &Json, add: &mut impl FnMut(&str)) {
    match value {
        Json::String(text) => add(text),
        Json::Array(items) => items.iter().for_each(|item| leaves(item, add)),
        Json::Object(members) => members.values().for_each(|member| leaves(member, add)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;

    fn holds(text: &str, event: &Event) -> bool {
        let filter = Filter::parse(text, schema()).unwrap();
        let searchable = Searchable { event, index: LogIndex(7) };
        filter.compile(schema()).unwrap().holds(&searchable, event.time.micros())
    }

    #[test]
    fn an_event_is_found_by_its_fields_and_by_the_names_other_systems_use() {
        let event = EventType::CertificateUpload.example();
        for text in [
            "type:certificate.upload",
            "type:LIFECYCLE-IMPORT",
            "type:certificate.*",
            "origin:*",
            "index:7 outcome:success severity<warning",
            "time:last(1h)",
            "family:certificate kind:operation",
            "certificate:* target:certificate/*",
            "count(certificate)=1",
        ] {
            assert!(holds(text, &event), "{text}");
        }
        let id = &event.subject().unwrap().id;
        assert!(holds(&format!("certificate:{id} target:certificate/{id}"), &event));
        assert!(!holds(&format!("account:{id}"), &event));
        assert!(!holds("type:token.create", &event));
        assert!(!holds("-type:certificate.*", &event));
    }
}
