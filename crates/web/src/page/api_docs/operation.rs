//! One operation of the API: what it is for, what it takes, what it answers, and a command that
//! calls it.

use maud::{Markup, html};
use serde_json::Value;

use super::Entry;
use crate::page::prose::prose;
use crate::ui::{self, Icon, Tone};

/// An operation, folded.
pub(super) fn markup(document: &Value, entry: &Entry<'_>, base: &str) -> Markup {
    let id = entry.operation["operationId"].as_str().unwrap_or_default();
    let permission = entry.operation["x-permission"].as_str();
    let summary = entry.operation["summary"].as_str().unwrap_or_default();
    html! {
        details.operation id={"op-" (id)} {
            summary {
                span class={"badge method " (tone(entry.method).class())} { (entry.method.to_uppercase()) }
                (crate::page::prose::parted(entry.path))
                span.muted { (summary) }
            }
            div.stack {
                (description(entry.operation))
                p { @match permission {
                    Some(permission) => {
                        (ui::badge(Tone::Neutral, Icon::Key, permission)) " is asked for."
                    }
                    None => (ui::badge(Tone::Neutral, Icon::Info, "Open to everybody")),
                } }
                (parameters(id, entry.operation))
                (body(document, id, entry.operation))
                (answers(document, id, entry.operation))
                (ui::json_block(&format!("curl-{id}"), "Example", &curl(entry, base)))
            }
        }
    }
}

fn tone(method: &str) -> Tone {
    match method {
        "get" => Tone::Info,
        "delete" => Tone::Bad,
        _ => Tone::Good,
    }
}

/// The description without the sentence about the permission, which is shown as a badge.
fn description(operation: &Value) -> Markup {
    let text = operation["description"].as_str().unwrap_or_default();
    let said = |part: &&str| {
        !part.trim().is_empty()
            && !part.starts_with("Permission: ")
            && *part != "Open to everybody."
    };
    html! { @for part in text.split("\n\n").filter(said) { p { (prose(part)) } } }
}

/// A table with a heading; nothing where there are no rows.
fn table(label: &str, heads: [&str; 3], rows: &[[Markup; 3]]) -> Markup {
    html! {
        @if !rows.is_empty() {
            div.table-wrap tabindex="0" role="group" aria-label=(label) { table.plain {
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { @for [name, kind, meaning] in rows {
                    tr { th scope="row" { (name) } td { (kind) } td { (meaning) } }
                } }
            } }
        }
    }
}

fn parameters(id: &str, operation: &Value) -> Markup {
    let rows: Vec<[Markup; 3]> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| {
            let name = parameter["name"].as_str().unwrap_or_default();
            let place = parameter["in"].as_str().unwrap_or_default();
            let is_required = parameter["required"].as_bool().unwrap_or(false);
            [
                html! { (ui::code(name)) @if is_required { " " span.muted { "required" } } },
                html! { (place) ", " (kind(&parameter["schema"])) },
                html! {
                    (prose(parameter["description"].as_str().unwrap_or_default()))
                    @if let Some(example) = plain(&parameter["example"]) {
                        " Such as " (ui::code(&example)) "."
                    }
                },
            ]
        })
        .collect();
    table(&format!("Parameters of {id}"), ["Parameter", "Where", "Meaning"], &rows)
}

fn body(document: &Value, id: &str, operation: &Value) -> Markup {
    let content = operation["requestBody"]["content"].as_object();
    let types: Vec<&str> = content.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let rows = members(document, schema);
    html! {
        @if !types.is_empty() {
            p { strong { "Body: " } @for (place, name) in types.iter().enumerate() {
                @if place > 0 { ", " } (ui::code(name))
            } }
        }
        (table(&format!("Body of {id}"), ["Member", "Holds", "Meaning"], &rows))
    }
}

/// The members of an object, also behind a reference.
fn members(document: &Value, schema: &Value) -> Vec<[Markup; 3]> {
    let schema = resolved(document, schema);
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let members = schema["properties"].as_object().into_iter().flatten();
    members
        .map(|(name, member)| {
            [
                html! {
                    (ui::code(name))
                    @if required.contains(&name.as_str()) { " " span.muted { "required" } }
                },
                html! { (kind(member)) },
                prose(member["description"].as_str().unwrap_or_default()),
            ]
        })
        .collect()
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(&Value::Null),
        None => schema,
    }
}

fn answers(document: &Value, id: &str, operation: &Value) -> Markup {
    let answers = operation["responses"].as_object();
    let is_good = |status: &str| status.starts_with('2') || status.starts_with('3');
    let rows: Vec<[Markup; 3]> = answers
        .into_iter()
        .flatten()
        .map(|(status, answer)| {
            let answer = resolved(document, answer);
            let content = answer["content"].as_object().and_then(|all| all.iter().next());
            let (media, schema) = content.map_or(("", &Value::Null), |(media, content)| {
                (media.as_str(), &content["schema"])
            });
            let tone = if is_good(status) { Tone::Good } else { Tone::Neutral };
            let mark = if is_good(status) { Icon::Check } else { Icon::CrossCircle };
            [
                ui::badge(tone, mark, status),
                html! {
                    @if is_good(status) {
                        (prose(&kind(schema))) @if !media.is_empty() { " " span.muted { (media) } }
                    } @else { span.muted { "problem document" } }
                },
                prose(answer["description"].as_str().unwrap_or_default()),
            ]
        })
        .collect();
    let good = answers.into_iter().flatten().find(|(status, _)| is_good(status));
    let schema =
        good.map_or(&Value::Null, |(_, answer)| &answer["content"]["application/json"]["schema"]);
    let members = members(document, schema);
    html! {
        (table(&format!("Answers of {id}"), ["Answer", "Holds", "When"], &rows))
        @if !members.is_empty() {
            details { summary { "Members of the answer" }
                (table(&format!("Members of the answer of {id}"), ["Member", "Holds", "Meaning"], &members))
            }
        }
    }
}

/// What a schema holds, in words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|text| text.rsplit('/').next()) {
        return match name.strip_prefix("Page_") {
            Some(items) => format!("page of {items}"),
            None => name.to_owned(),
        };
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        if let Some(all) = schema[several].as_array() {
            let kinds: Vec<String> = all.iter().map(kind).filter(|kind| kind != "null").collect();
            return kinds.join(" or ");
        }
    }
    let name = match &schema["type"] {
        Value::String(name) => name.clone(),
        Value::Array(all) => {
            let names = all.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            names.collect::<Vec<_>>().join(" or ")
        }
        _ => String::new(),
    };
    match (name.as_str(), schema["format"].as_str()) {
        ("array", _) if schema["items"]["format"] == "int32" => "bytes".to_owned(),
        ("array", _) => format!("list of {}", kind(&schema["items"])),
        ("string", Some("date-time")) => "time".to_owned(),
        ("string", None) => "text".to_owned(),
        ("string", Some(format)) => format.to_owned(),
        _ => name,
    }
}

/// A value of an example as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A command that calls the operation.
fn curl(entry: &Entry<'_>, base: &str) -> String {
    let operation = entry.operation;
    let mut parts = vec!["curl".to_owned()];
    match entry.method {
        "get" => {}
        method => parts.push(format!("--request {}", method.to_uppercase())),
    }
    if operation["x-permission"].is_string() {
        parts.push("--header \"Authorization: Bearer $TOKEN\"".to_owned());
    }
    let content = operation["requestBody"]["content"].as_object();
    if let Some(content) = content {
        let raw = content.keys().find(|name| name.as_str() == "application/x-pem-file");
        match raw {
            Some(media) => parts
                .push(format!("--header 'Content-Type: {media}' \\\n  --data-binary @server.pem")),
            None => parts.push(
                "--header 'Content-Type: application/json' \\\n  --data @body.json".to_owned(),
            ),
        }
    }
    let query = operation["parameters"].as_array().into_iter().flatten().filter(|parameter| {
        parameter["in"] == "query" && !parameter["example"].is_null() && entry.method == "get"
    });
    let mut is_first = true;
    for parameter in query {
        let name = parameter["name"].as_str().unwrap_or_default();
        let value = plain(&parameter["example"]).unwrap_or_default().replace('\'', "'\\''");
        let get = if is_first { "--get " } else { "" };
        parts.push(format!("{get}--data-urlencode '{name}={value}'"));
        is_first = false;
    }
    let path = entry.path.replace('{', "$").replace('}', "");
    parts.push(format!("\"{base}{path}\""));
    parts.join(" \\\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(schema: Value, expected: &str) {
        assert_eq!(kind(&schema), expected, "{schema}");
    }

    #[test]
    fn schemas_have_words() {
        check(json!({ "$ref": "#/components/schemas/Page_Job" }), "page of Job");
        check(json!({ "type": "string" }), "text");
        check(json!({ "type": ["string", "null"], "format": "date-time" }), "time");
        check(json!({ "type": "array", "items": { "type": "string" } }), "list of text");
        check(json!({ "type": "array", "items": { "format": "int32" } }), "bytes");
        check(json!({ "oneOf": [{ "type": "null" }, { "$ref": "#/x/Note" }] }), "Note");
        check(Value::Null, "");
    }

    #[test]
    fn the_example_is_a_command_a_shell_takes() {
        let operation = json!({
            "x-permission": "event:read",
            "parameters": [
                { "name": "id", "in": "path", "example": "1" },
                { "name": "filter", "in": "query", "example": "actor:'x' expires<30d" },
            ],
        });
        let entry = Entry { method: "get", path: "/api/v1/things/{id}", operation: &operation };
        let text = curl(&entry, "https://chancery.example");
        assert_eq!(
            text,
            "curl \\\n  --header \"Authorization: Bearer $TOKEN\" \\\n  --get --data-urlencode \
             'filter=actor:'\\''x'\\'' expires<30d' \\\n  \
             \"https://chancery.example/api/v1/things/$id\""
        );
    }
}
