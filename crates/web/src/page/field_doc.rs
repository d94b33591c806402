//! What the members of an event's detail mean, from the schema of its type.

use chancery_event::EventType;
use serde_json::Value;

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldDoc {
    pub(super) name: String,
    /// Its JSON type in words: `string (uuid)`, `array of string`.
    pub(super) kind: String,
    pub(super) required: bool,
    pub(super) doc: String,
    /// It is about a person: never sealed in clear, erasable.
    pub(super) personal: bool,
}

/// The members of the detail of a type, those about a person last.
pub(super) fn of(event_type: EventType) -> Vec<FieldDoc> {
    let schema = event_type.schema();
    let data = &schema["properties"]["data"]["properties"];
    let mut fields = members(&data["detail"], false);
    fields.extend(members(&data["personal"]["properties"]["detail"], true));
    fields
}

fn members(schema: &Value, personal: bool) -> Vec<FieldDoc> {
    let required = schema["required"].as_array();
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    let properties = schema["properties"].as_object();
    let fields = properties.into_iter().flatten().map(|(name, member)| FieldDoc {
        kind: kind(member),
        required: !personal && is_required(name),
        doc: member["description"].as_str().unwrap_or_default().to_owned(),
        name: name.clone(),
        personal,
    });
    fields.collect()
}

fn kind(member: &Value) -> String {
    let base = member["type"].as_str().unwrap_or("any");
    match (base, member["format"].as_str()) {
        ("array", _) => format!("array of {}", kind(&member["items"])),
        (base, Some(format)) => format!("{base} ({format})"),
        (base, None) => base.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_every_type_is_explained() {
        for &event_type in EventType::ALL {
            for field in of(event_type) {
                assert!(!field.doc.is_empty(), "{event_type}: {}", field.name);
                assert!(
                    !field.kind.contains("any"),
                    "{event_type}: {}: {}",
                    field.name,
                    field.kind
                );
            }
        }
    }
}
