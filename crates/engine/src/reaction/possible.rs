//! Whether a condition can ever hold for events of some types: what cannot is refused when it is
//! saved, not found out by waiting.
//!
//! For each type, what the type decides by itself is put in (its name, its family, fields that it
//! does not have); what is left is looked through for contradictions.

use chancery_event::EventType;
use chancery_event::filter::{Comparison, Filter, Object as Fields, Schema, Values, contradiction};

use super::field;
use crate::Error;

/// Refuses a condition that no event of these types can meet.
pub(crate) fn possible(filter: &Filter, types: &[EventType], schema: &Schema) -> Result<(), Error> {
    let mut first = None;
    for event_type in types {
        let left = of_type(filter, *event_type, schema);
        match contradiction(&left, schema, &field::has_one_value) {
            None => return Ok(()),
            Some(why) => {
                first.get_or_insert((event_type, why));
            }
        }
    }
    let Some((event_type, why)) = first else { return Ok(()) };
    Err(Error::invalid("", format!("no {event_type} can meet this: {why}")))
}

/// The same condition with what the type decides put in.
fn of_type(filter: &Filter, event_type: EventType, schema: &Schema) -> Filter {
    let each = |parts: &[Filter]| parts.iter().map(|p| of_type(p, event_type, schema)).collect();
    match filter {
        Filter::And(parts) => Filter::And(each(parts)),
        Filter::Or(parts) => Filter::Or(each(parts)),
        Filter::Not(part) => Filter::Not(Box::new(of_type(part, event_type, schema))),
        Filter::Comparison(comparison) if is_decided(comparison, event_type, schema) => {
            let holds = filter.compile(schema).is_ok_and(|c| c.holds(&TypeAlone(event_type), 0));
            if holds { Filter::All } else { Filter::Not(Box::new(Filter::All)) }
        }
        other => other.clone(),
    }
}

/// Whether the type alone says how a comparison comes out.
fn is_decided(comparison: &Comparison, event_type: EventType, schema: &Schema) -> bool {
    let Some(field) = schema.field(&comparison.field) else { return false };
    let name = field.name.as_str();
    let lacks = || !field::detail_fields(event_type).iter().any(|member| member.name == name);
    matches!(name, "type" | "family" | "kind")
        || (name.starts_with("detail.") && lacks())
        || (name.starts_with("object.") && !field::has_certificate(event_type))
}

/// An event of which nothing is known but its type.
struct TypeAlone(EventType);

impl Fields for TypeAlone {
    fn values(&self, field: &str) -> Values<'_> {
        match field {
            "type" => self.0.name().into(),
            "family" => self.0.family().into(),
            "kind" => self.0.info().kind.as_str().into(),
            _ => Values::None,
        }
    }
}
