//! `docs/EVENTS.md`: the catalogue for people.

use std::fmt::Write as _;

use serde_json::Value;

use super::{EventType, Kind, schema};

/// The whole page, in Markdown.
pub fn events_page() -> String {
    let mut page = String::from(
        "# Events\n\n\
         Every type of event, generated from the catalogue in `crates/event`; do not edit it.\n\
         *Operations* end in an outcome, *occurrences* came about, *monitoring* events were found\n\
         by a monitor. A type that is *not yet* recorded has its name and payload fixed already.\n\
         Members marked *personal* stand in `data.personal.detail` and can be erased; all others\n\
         stand in `data.detail` and are sealed for ever.\n\n",
    );
    let produced = EventType::ALL.iter().filter(|t| t.info().produced).count();
    // Writing into a String cannot fail, here and below.
    let _ = writeln!(page, "{} types, {produced} of them recorded.\n", EventType::ALL.len());
    for family in families() {
        let _ = write!(page, "- **{}**:", heading(family));
        for (at, event_type) in of_family(family).enumerate() {
            let name = event_type.name();
            let comma = if at > 0 { "," } else { "" };
            let _ = write!(page, "{comma} [`{name}`](#{})", name.replace('.', ""));
        }
        page.push('\n');
    }
    for family in families() {
        let _ = writeln!(page, "\n## {}", heading(family));
        for event_type in of_family(family) {
            entry(&mut page, event_type);
        }
    }
    page
}

fn families() -> Vec<&'static str> {
    let mut families = Vec::new();
    for event_type in EventType::ALL {
        if !families.contains(&event_type.family()) {
            families.push(event_type.family());
        }
    }
    families
}

fn of_family(family: &str) -> impl Iterator<Item = EventType> {
    EventType::ALL.iter().copied().filter(move |event_type| event_type.family() == family)
}

fn heading(family: &str) -> String {
    family.replace('_', " ")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn entry(page: &mut String, event_type: EventType) {
    let info = event_type.info();
    let _ = writeln!(page, "\n### {}\n\n{}\n", info.name, one_line(info.description));
    let _ = write!(page, "{}, version {}, {}", info.kind.as_str(), info.version, info.severity);
    if info.kind == Kind::Operation || info.severity_on_failure != info.severity {
        let _ = write!(page, " ({} on failure)", info.severity_on_failure);
    }
    let _ = write!(page, ", about: {}", info.resource);
    if !info.overridden_by.is_empty() {
        let scopes: Vec<_> = info.overridden_by.iter().map(|scope| scope.as_str()).collect();
        let _ = write!(page, ", overridden by: {}", scopes.join(", "));
    }
    page.push_str(if info.produced { ".\n" } else { "; **not yet recorded**.\n" });
    if !info.dialects.is_empty() {
        page.push('\n');
        for name in info.dialects {
            let old = if name.deprecated { ", deprecated" } else { "" };
            let (system, outcomes) = (name.system.as_str(), name.outcomes.words());
            let _ = writeln!(page, "- {system} `{}` ({outcomes}{old})", name.code);
        }
    }
    members(page, event_type);
}

fn members(page: &mut String, event_type: EventType) {
    page.push_str("\n| member | type | meaning |\n|---|---|---|\n");
    let detail = schema::detail(event_type);
    let required: Vec<&str> = detail["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    if let Some(properties) = detail["properties"].as_object() {
        for (name, member) in properties {
            let optional = if required.contains(&name.as_str()) { "" } else { ", optional" };
            let meaning = one_line(member["description"].as_str().unwrap_or_default());
            let _ = writeln!(page, "| `{name}` | {}{optional} | {meaning} |", kind_of(member));
        }
    }
    for (name, about) in event_type.info().personal.iter().copied().flatten() {
        let _ = writeln!(page, "| `{name}` | text, personal, optional | {} |", one_line(about));
    }
}

fn kind_of(schema: &Value) -> String {
    match schema["type"].as_str() {
        Some("array") => format!("list of {}", kind_of(&schema["items"])),
        Some("integer") => "whole number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("object") => "object".to_owned(),
        Some("string") => match schema["format"].as_str() {
            Some("uuid") => "identifier".to_owned(),
            Some("date-time") => "time".to_owned(),
            _ => "text".to_owned(),
        },
        _ => "any JSON".to_owned(),
    }
}
