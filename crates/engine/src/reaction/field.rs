//! The fields that conditions see: those of events, the members of their details as `detail.NAME`,
//! and those of the object as `object.NAME`.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use chancery_event::filter::{Field, FieldKind, Keywords, Schema, Value, Values};
use chancery_event::{EventType, TargetKind, Timestamp, search};
use chancery_store::table::alert;
use chancery_store::table::attribute::Attribute;
use chancery_store::table::certificate::search as inventory;
use serde_json::{Map, Value as Json};

/// Members of a detail are looked for this deep.
const DEPTH_MAX: usize = 3;

/// Whether events of a type are about one certificate that conditions can look at.
pub(crate) fn has_certificate(event_type: EventType) -> bool {
    event_type.info().resource == TargetKind::Certificate
        && !matches!(event_type, EventType::CertificateImport | EventType::CertificateExport)
}

/// Whether that certificate is still there to be changed.
pub(crate) fn can_place(event_type: EventType) -> bool {
    has_certificate(event_type) && event_type != EventType::CertificateDelete
}

/// The fields for conditions on events of these types.
pub fn schema(types: &[EventType], attributes: &[Attribute]) -> Schema {
    let mut members: BTreeMap<String, Field> = BTreeMap::new();
    for event_type in types {
        for field in detail_fields(*event_type) {
            members
                .entry(field.name.clone())
                .and_modify(|known| {
                    if !same_kind(&known.kind, &field.kind) {
                        known.kind = FieldKind::Text;
                    }
                })
                .or_insert_with(|| field.clone());
        }
    }
    let mut fields: Vec<Field> = members.into_values().collect();
    if types.iter().any(|event_type| has_certificate(*event_type)) {
        fields.extend(inventory::schema(attributes).fields().iter().map(object_field));
    }
    let event = search::schema();
    Schema::new("automation", event.fields().to_vec()).with_fields(fields)
}

/// The fields for conditions on any event: what a rule may use before a trigger uses it.
pub fn all(attributes: &[Attribute]) -> Schema {
    schema(EventType::ALL, attributes)
}

fn object_field(field: &Field) -> Field {
    let mut field = field.clone();
    field.name = format!("object.{}", field.name);
    field.aliases.iter_mut().for_each(|alias| *alias = format!("object.{alias}"));
    field
}

pub(super) fn same_kind(one: &FieldKind, other: &FieldKind) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// The members of a type's detail as fields.
pub fn detail_fields(event_type: EventType) -> &'static [Field] {
    members_of(event_type).map_or(&[], |members| members.fields.as_slice())
}

/// The members of a type's detail.
#[derive(Default)]
struct Members {
    fields: Vec<Field>,
    /// Names of those that may have several values.
    lists: Vec<String>,
}

fn members_of(event_type: EventType) -> Option<&'static Members> {
    static MEMBERS: LazyLock<Vec<OnceLock<Members>>> =
        LazyLock::new(|| EventType::ALL.iter().map(|_| OnceLock::new()).collect());
    MEMBERS.get(event_type as usize).map(|cell| {
        cell.get_or_init(|| {
            let schema = event_type.schema();
            let mut members = Members::default();
            let detail = &schema["properties"]["data"]["properties"]["detail"];
            collect(detail, "detail", (1, false), &mut members);
            members.fields.iter_mut().for_each(|field| name_words(event_type, field));
            members
        })
    })
}

/// Members whose words are those of a list that somebody else keeps.
fn name_words(event_type: EventType, field: &mut Field) {
    let words: &[&str] = match (event_type, field.name.as_str()) {
        (EventType::CertificateStatusChanged, "detail.old_status" | "detail.new_status")
        | (EventType::CertificateUploaded, "detail.status") => &inventory::STATUSES,
        (EventType::AlertEscalated, "detail.old_severity" | "detail.new_severity") => {
            &alert::SEVERITIES
        }
        _ => return,
    };
    field.kind = FieldKind::Keyword(Keywords::known(words));
}

/// Whether no event, and no object of one, has more than one value of a field.
pub(crate) fn has_one_value(field: &str) -> bool {
    if let Some(name) = field.strip_prefix("object.") {
        return !matches!(name, "name" | "group" | "key_usage" | "eku")
            && !name.starts_with("attribute.");
    }
    if field.starts_with("detail.") {
        let is_list = |of: &EventType| {
            members_of(*of).is_some_and(|members| members.lists.iter().any(|list| list == field))
        };
        return !EventType::ALL.iter().any(is_list);
    }
    field != "target" && search::target_kind(field).is_none()
}

fn collect(schema: &Json, name: &str, (depth, many): (usize, bool), found: &mut Members) {
    let Some(members) = schema["properties"].as_object() else { return };
    for (member, schema) in members {
        let name = format!("{name}.{member}");
        let doc = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
        // A list is a field with several values.
        let many = many || schema["items"].is_object();
        let schema = if schema["items"].is_object() { &schema["items"] } else { schema };
        match kind(schema) {
            Some(kind) => {
                found.lists.extend(many.then(|| name.clone()));
                found.fields.push(Field::new(name, kind, doc));
            }
            None if depth < DEPTH_MAX => collect(schema, &name, (depth + 1, many), found),
            None => {}
        }
    }
}

/// The kind of a member's values; `None` if it has members of its own.
fn kind(schema: &Json) -> Option<FieldKind> {
    let first = |json: &Json| match json {
        Json::Array(kinds) => kinds.first().and_then(Json::as_str).map(str::to_owned),
        json => json.as_str().map(str::to_owned),
    };
    let kind = first(&schema["type"]);
    match (kind.as_deref(), schema["format"].as_str()) {
        (Some("object"), _) => None,
        (Some("boolean"), _) => Some(FieldKind::Boolean),
        (Some("integer"), _) => Some(FieldKind::Integer),
        (Some("number"), _) => Some(FieldKind::Decimal),
        (Some("string"), Some("date-time")) => Some(FieldKind::Timestamp),
        (Some("string"), Some("uuid")) => Some(FieldKind::Id),
        _ => Some(FieldKind::Text),
    }
}

/// The values of a member of a detail, typed as its field says.
pub(super) fn detail_values(
    detail: &Map<String, Json>,
    path: &str,
    kind: Option<&FieldKind>,
) -> Values<'static> {
    let mut values = Vec::new();
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    if let Some(json) = detail.get(first) {
        gather(json, rest, kind, &mut values);
    }
    match values.len() {
        0 => Values::None,
        1 => values.pop().map_or(Values::None, Values::One),
        _ => Values::Many(values),
    }
}

fn gather(
    json: &Json,
    path: Option<&str>,
    kind: Option<&FieldKind>,
    values: &mut Vec<Value<'static>>,
) {
    match (json, path) {
        (Json::Array(items), path) => {
            items.iter().for_each(|item| gather(item, path, kind, values));
        }
        (Json::Object(members), Some(path)) => {
            let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
            if let Some(json) = members.get(first) {
                gather(json, rest, kind, values);
            }
        }
        (json, None) => values.extend(typed(json, kind)),
        (_, Some(_)) => {}
    }
}

fn typed(json: &Json, kind: Option<&FieldKind>) -> Option<Value<'static>> {
    match (kind, json) {
        (_, Json::Null) => None,
        (Some(FieldKind::Integer), json) => json.as_i64().map(Value::Integer),
        (Some(FieldKind::Decimal), json) => json.as_f64().map(Value::Decimal),
        (Some(FieldKind::Boolean), json) => json.as_bool().map(Value::Boolean),
        (Some(FieldKind::Timestamp), json) => {
            let time = json.as_str()?.parse::<Timestamp>().ok()?;
            Some(Value::Time(time.micros()))
        }
        (
            Some(FieldKind::Id | FieldKind::Keyword(_) | FieldKind::Ordered(_)),
            Json::String(text),
        ) => Some(Value::Text(text.to_ascii_lowercase().into())),
        (_, Json::String(text)) => Some(Value::Text(text.clone().into())),
        (_, json) => Some(Value::Text(json.to_string().into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(name: &str, types: &[EventType]) -> Option<&'static str> {
        schema(types, &[]).field(name).map(|field| field.kind.noun())
    }

    #[test]
    fn members_of_the_detail_are_typed_by_the_catalogue() {
        let types = [EventType::CertificateStatusChanged, EventType::CertificateUpdate];
        assert_eq!(kind_of("detail.new_status", &types), Some("a keyword"));
        assert!(has_one_value("detail.new_status") && !has_one_value("detail.changes.member"));
        assert!(has_one_value("object.cn") && !has_one_value("object.name"));
        assert!(has_one_value("outcome") && !has_one_value("certificate"));
        assert_eq!(kind_of("detail.not_after", &types), Some("a time"));
        assert_eq!(kind_of("detail.certificate_id", &types), Some("an id"));
        assert_eq!(kind_of("detail.changes.member", &types), Some("text"));
        assert_eq!(kind_of("object.key_size", &types), Some("a whole number"));
        assert_eq!(kind_of("object.san", &types), Some("a keyword"), "aliases too");
        assert_eq!(kind_of("object.cn", &[EventType::TokenCreate]), None, "no certificate there");
        assert_eq!(kind_of("detail.new_status", &[EventType::TokenCreate]), None);
    }

    #[test]
    fn values_are_found_through_lists_and_typed() {
        let detail = serde_json::json!({ "changes": [{ "member": "owner" }, { "member": "path" }],
            "not_after": "2026-11-21T00:00:00Z", "size": 7 });
        let detail = detail.as_object().unwrap();
        let of = |path, kind: FieldKind| detail_values(detail, path, Some(&kind));
        assert_eq!(of("changes.member", FieldKind::Text).as_slice().len(), 2);
        assert!(matches!(of("not_after", FieldKind::Timestamp), Values::One(Value::Time(_))));
        assert_eq!(of("size", FieldKind::Integer), Values::One(Value::Integer(7)));
        assert_eq!(of("nothing.there", FieldKind::Text), Values::None);
    }

    #[test]
    fn every_type_of_the_catalogue_has_readable_fields() {
        for event_type in EventType::ALL {
            for field in detail_fields(*event_type) {
                assert!(field.name.starts_with("detail."), "{event_type} {}", field.name);
            }
        }
        assert!(all(&[]).fields().len() > 200);
    }
}
