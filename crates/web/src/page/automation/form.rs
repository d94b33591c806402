//! From the body of an object to the fields of a form, and back.

use chancery_engine::Error;
use chancery_engine::automation::{Class, file};
use chancery_event::filter::Filter;
use serde_json::{Map, Value, json};

use crate::page::typed::Typed;

/// Actions that a form offers places for, unless there are more.
pub(super) const ACTION_PLACES: usize = 5;
/// Actions that a trigger can have.
pub(super) const ACTIONS_MAX: usize = 50;

/// How many places for actions a form needs: all that are filled, and one more.
pub(super) fn places(typed: &Typed) -> usize {
    let filled = (0..ACTIONS_MAX).rev().find(|place| typed.has(&format!("action{place}")));
    filled.map_or(0, |last| last + 2).clamp(ACTION_PLACES, ACTIONS_MAX)
}

/// Texts of a list.
pub(super) fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// A filter as text, whatever its spelling.
pub(super) fn filter_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        tree => {
            let schema = chancery_engine::reaction::all_fields(&[]);
            Filter::from_json(tree, &schema).map_or_else(|_| tree.to_string(), |f| f.to_text())
        }
    }
}

/// A scope in one word, as the choices of the form spell it.
pub(super) fn scope_text(scope: &Value) -> String {
    let kind = scope["kind"].as_str().unwrap_or("platform");
    match scope["name"].as_str() {
        Some(name) if !name.is_empty() => format!("{kind}/{name}"),
        _ => kind.to_owned(),
    }
}

/// A body as what the fields of its form hold.
pub(super) fn fill(typed: Typed, class: Class, body: &Value, enabled: bool) -> Typed {
    // Boxes that are not ticked do not come in: a form that was sent says all there is.
    if typed.has("sent") {
        return typed;
    }
    let text = |member: &str| body[member].as_str().unwrap_or_default().to_owned();
    let mut typed = typed.or("title", text("title")).or("description", text("description"));
    if enabled {
        typed = typed.or("enabled", "1");
    }
    match class {
        Class::Rule => typed.or("filter", filter_text(&body["filter"])),
        Class::Action => typed.or("steps", steps_text(&body["steps"])),
        Class::Scope => {
            typed.or("scope", scope_text(body)).or("mode", body["mode"].as_str().unwrap_or("add"))
        }
        _ => {
            let mut typed = typed
                .or_all("event_types", texts(&body["event_types"]))
                .or_all("rules", texts(&body["rules"]))
                .or("scope", scope_text(&body["scope"]))
                .or("order", body["order"].as_i64().unwrap_or(0).to_string());
            if body["ignore"] == true {
                typed = typed.or("ignore", "1");
            }
            for (place, action) in texts(&body["actions"]).into_iter().enumerate() {
                typed = typed.or(&format!("action{place}"), action);
            }
            typed
        }
    }
}

/// Steps as TOML, one table for each.
pub(super) fn steps_text(steps: &Value) -> String {
    let steps = steps.as_array().cloned().unwrap_or_default();
    let tables = steps.iter().map(|step| {
        let Some(members) = step.as_object() else { return String::new() };
        // The word first, then the members by name.
        let mut lines = vec!["[[steps]]".to_owned()];
        let word = members.get("step").into_iter().map(|value| ("step", value));
        let rest = members.iter().filter(|(name, _)| *name != "step");
        for (name, value) in word.chain(rest.map(|(name, value)| (name.as_str(), value))) {
            lines.push(format!("{name} = {}", toml_value(value)));
        }
        lines.join("\n")
    });
    tables.collect::<Vec<_>>().join("\n\n")
}

fn toml_value(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let parts =
                members.iter().map(|(name, value)| format!("{name} = {}", toml_value(value)));
            format!("{{ {} }}", parts.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(toml_value).collect::<Vec<_>>().join(", "))
        }
        // A text of JSON is one of TOML.
        other => other.to_string(),
    }
}

/// The body that a form says.
///
/// # Errors
/// The steps are no TOML.
pub(super) fn body(typed: &Typed, class: Class) -> Result<Value, Error> {
    let mut body = Map::new();
    for member in ["title", "description"] {
        if let Some(text) = typed.some(member) {
            body.insert(member.to_owned(), text.into());
        }
    }
    match class {
        Class::Rule => {
            body.insert("filter".to_owned(), typed.text("filter").into());
        }
        Class::Action => {
            body.insert("steps".to_owned(), file::read_steps(typed.raw("steps"))?);
        }
        Class::Scope => {
            let (kind, name) = scope(typed.text("scope"));
            body.insert("kind".to_owned(), kind.into());
            body.insert("name".to_owned(), name.into());
            body.insert("mode".to_owned(), typed.text("mode").into());
        }
        _ => trigger(typed, &mut body),
    }
    Ok(body.into())
}

fn trigger(typed: &Typed, body: &mut Map<String, Value>) {
    body.insert("event_types".to_owned(), typed.all("event_types").into());
    body.insert("rules".to_owned(), typed.all("rules").into());
    let mut actions: Vec<String> = Vec::new();
    for place in 0..ACTIONS_MAX {
        let action = typed.text(&format!("action{place}"));
        if !action.is_empty() && !actions.iter().any(|known| known == action) {
            actions.push(action.to_owned());
        }
    }
    body.insert("actions".to_owned(), actions.into());
    body.insert("ignore".to_owned(), typed.has("ignore").into());
    let (kind, name) = scope(typed.text("scope"));
    let mut scope = json!({ "kind": kind });
    if !name.is_empty() {
        scope["name"] = name.into();
    }
    body.insert("scope".to_owned(), scope);
    let order = typed.text("order");
    let number = order.parse::<i64>().map_or_else(|_| order.into(), Value::from);
    body.insert("order".to_owned(), if order.is_empty() { 0.into() } else { number });
}

fn scope(text: &str) -> (&str, &str) {
    text.split_once('/').unwrap_or((text, ""))
}

/// A fault of a body as one of a field that the form of its class has.
pub(super) fn placed(error: Error, class: Class) -> Error {
    match error {
        Error::Invalid { field, message } => {
            let mut parts = field.trim_start_matches('/').splitn(2, '/');
            let (member, rest) = (parts.next().unwrap_or_default(), parts.next());
            let member = match member {
                "actions" => "action0",
                "kind" | "name" if field.starts_with('/') && class == Class::Scope => "scope",
                other => other,
            };
            let message = match rest {
                Some(rest) if member == "steps" => format!("{}: {message}", step_place(rest)),
                _ => message,
            };
            Error::invalid(member, message)
        }
        error => error,
    }
}

/// `2/owner` is step 3, owner.
fn step_place(rest: &str) -> String {
    let (number, member) = rest.split_once('/').unwrap_or((rest, ""));
    let number = number.parse::<u32>().map_or(0, |number| number + 1);
    match member {
        "" => format!("step {number}"),
        member => format!("step {number}, {member}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_survives_its_form() {
        let trigger = json!({ "title": "T", "event_types": ["certificate.update"], "rules": ["r"],
            "actions": ["a", "b", "c", "d", "e", "f", "g"], "ignore": false, "order": 3,
            "scope": { "kind": "group", "name": "web/prod" } });
        let action = json!({ "steps": [
            { "step": "set_owner", "owner": { "from": "object.attribute.team" } },
            { "step": "set_groups", "groups": ["a \"b\"", "c"] },
        ] });
        let cases = [
            (Class::Trigger, trigger),
            (Class::Action, action),
            (Class::Rule, json!({ "filter": "object.cn:a", "description": "d" })),
            (Class::Scope, json!({ "kind": "ra_profile", "name": "p", "mode": "replace" })),
        ];
        for (class, wanted) in cases {
            let typed = fill(Typed::default(), class, &wanted, true);
            assert!(typed.has("enabled"));
            assert_eq!(body(&typed, class).unwrap(), wanted);
            let wanted = if class == Class::Trigger { 8 } else { ACTION_PLACES };
            assert_eq!(places(&typed), wanted);
        }
    }

    #[test]
    fn faults_find_their_field() {
        let field = |pointer: &str| match placed(Error::invalid(pointer, "m"), Class::Rule) {
            Error::Invalid { field, message } => (field, message),
            error => panic!("{error}"),
        };
        assert_eq!(field("/steps/1/owner/from"), ("steps".into(), "step 2, owner/from: m".into()));
        assert_eq!(field("/filter"), ("filter".into(), "m".into()));
        assert_eq!(field("/actions/2").0, "action0");
        assert_eq!((field("name").0, field("/name").0), ("name".into(), "name".into()));
        let scope = placed(Error::invalid("/name", "m"), Class::Scope);
        assert!(matches!(scope, Error::Invalid { field, .. } if field == "scope"));
    }
}
