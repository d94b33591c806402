//! JSON Schema 2020-12 of whole events.
//!
//! The envelope is written here once; `detail` comes from the payload's Rust type. Schemas are
//! open: a reader must bear members that it does not know.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::EventType;
use crate::envelope::{ActorKind, Origin, Severity, TargetKind, Verdict};

/// The schema of an event of `event_type`.
pub(super) fn of(event_type: EventType) -> Value {
    let info = event_type.info();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_name(event_type),
        "title": info.name,
        "description": info.description.replace('\n', " ").replace("  ", " "),
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "datacontenttype",
                     "dataschema", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid"},
            "source": {"type": "string", "minLength": 1, "format": "uri-reference"},
            "type": {"const": info.name},
            "subject": {"type": "string", "description": "The first target, as `kind/id`."},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"const": schema_name(event_type)},
        }
    });
    schema["properties"]["data"] = data(event_type);
    schema
}

/// The name of that schema (CloudEvents `dataschema`).
fn schema_name(event_type: EventType) -> String {
    let info = event_type.info();
    format!("urn:chancery:event-type:{}:{}", info.name, info.version)
}

fn data(event_type: EventType) -> Value {
    json!({
        "type": "object",
        "required": ["version", "outcome", "severity", "actor", "origin", "depth", "targets",
                     "node", "detail"],
        "properties": {
            "version": {"const": event_type.info().version},
            "outcome": {
                "type": "object",
                "required": ["result"],
                "properties": {
                    "result": {"enum": words(Verdict::ALL)},
                    "reason": {"type": "string"},
                    "message": {"type": "string"},
                }
            },
            "severity": {"enum": words(Severity::ALL)},
            "actor": {
                "type": "object",
                "required": ["kind"],
                "properties": {
                    "kind": {"enum": words(ActorKind::ALL)},
                    "id": {"type": "string"},
                    "role": {"type": "string"},
                }
            },
            "authentication": {
                "type": "object",
                "required": ["method"],
                "properties": {
                    "method": {"type": "string"},
                    "credential": {"type": "string"},
                }
            },
            "origin": {"enum": words(Origin::ALL)},
            "transaction": {"type": "string", "format": "uuid"},
            "cause": {"type": "string", "format": "uuid"},
            "depth": {"type": "integer", "minimum": 0, "maximum": 65_535},
            "targets": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["kind", "id"],
                    "properties": {
                        "kind": {"enum": words(TargetKind::ALL)},
                        "id": {"type": "string"},
                        "name": {"type": "string"},
                    }
                }
            },
            "node": {"type": "string", "format": "uuid"},
            "detail": detail(event_type),
            "personal": personal(event_type),
        }
    })
}

fn words<T: std::fmt::Display>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

/// The schema of the members of the type's own detail.
pub(super) fn detail(event_type: EventType) -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut generator = settings.into_generator();
    let mut schema = (event_type.info().shape.schema)(&mut generator).to_value();
    tidy(&mut schema);
    if let Value::Object(members) = &mut schema {
        members.remove("description");
    }
    schema
}

/// Absent members are left out of our JSON, so `null` never stands for them; and Rust's formats of
/// integers mean nothing outside.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            let integer = members.get("type").is_some_and(|name| name == "integer");
            if integer {
                members.remove("format");
            }
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            if let Some(Value::Array(options)) = members.get_mut("anyOf") {
                options.retain(|option| option.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(only)] = options.as_slice() {
                    let only = only.clone();
                    members.remove("anyOf");
                    members.extend(only);
                }
            }
            members.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn personal(event_type: EventType) -> Value {
    let text = |about: &str| json!({"type": "string", "description": about.replace('\n', " ")});
    let mut members = Map::new();
    for (name, about) in event_type.info().personal.iter().copied().flatten() {
        members.insert((*name).to_owned(), text(about));
    }
    json!({
        "description": "What is about a person: in clear, or its commitment alone.",
        "type": "object",
        "properties": {
            "commitment": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
            "actor_name": text("Login name of the actor, as it was."),
            "client_ip": text("Address the request came from."),
            "user_agent": text("The client's own description of itself."),
            "session": text("Identifier of the browser session."),
            "targets": {
                "description": "Names of targets that are people, by `kind/id`.",
                "type": "object",
                "additionalProperties": {"type": "string"},
            },
            "detail": {"type": "object", "properties": members},
        }
    })
}
