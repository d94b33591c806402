//! The versions of something that is configured: when each was made, what changed with it, and what
//! it said altogether.

use chancery_event::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use crate::ui;

/// One version, as it is shown.
pub(super) struct Version<'a> {
    /// Its number.
    pub(super) number: i64,
    /// Whether it was on.
    pub(super) enabled: bool,
    /// What it said, without secrets; `null`: it was deleted.
    pub(super) body: &'a Value,
    /// When it was made.
    pub(super) at: Timestamp,
    /// The account that made it, where that is shown.
    pub(super) by: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn says(&self) -> (bool, &'a Value) {
        (self.enabled, self.body)
    }
}

/// The section of a page; newest first.
pub(super) fn section(versions: &[Version<'_>]) -> Markup {
    let items = versions.iter().enumerate().map(|(place, version)| {
        let before = versions.get(place + 1);
        let changes = before.map(|before| changes(before.says(), version.says()));
        item(version, changes)
    });
    ui::section(
        "versions",
        "Versions",
        html! {},
        html! { ul.plain { @for item in items { li { (item) } } } },
    )
}

fn item(version: &Version<'_>, changes: Option<Vec<Change>>) -> Markup {
    let id = format!("version-{}", version.number);
    html! {
        "Version " (version.number) ", " (ui::time(version.at.micros()))
        @if let Some(by) = version.by { ", by " a href={"/administration/accounts/" (by)} { "an account" } }
        @if !version.enabled { " " span.muted { "(off)" } }
        @if version.body.is_null() { p { "It was deleted." } }
        @else if let Some(changes) = changes {
            @if changes.is_empty() { p.muted { "It says the same as the one before." } }
            @else { (list(&changes)) }
        }
        @if !version.body.is_null() {
            details {
                summary { "What version " (version.number) " says" }
                (ui::json_block(&id, "Definition", &serde_json::to_string_pretty(version.body).unwrap_or_default()))
            }
        }
    }
}

/// What is different in one place.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    place: String,
    old: Option<String>,
    new: Option<String>,
}

/// What is different between two states of one thing, each whether it is on and what it says.
pub(super) fn differences(before: (bool, &Value), after: (bool, &Value)) -> Markup {
    html! { div.diff { (list(&changes(before, after))) } }
}

fn list(changes: &[Change]) -> Markup {
    html! { dl { @for change in changes {
        dt { code.break { (change.place) } }
        dd {
            @if let Some(old) = &change.old { del { (old) } }
            @if change.old.is_some() && change.new.is_some() { " " }
            @if let Some(new) = &change.new { ins { (new) } }
        }
    } } }
}

fn changes(before: (bool, &Value), after: (bool, &Value)) -> Vec<Change> {
    let mut found = Vec::new();
    if before.0 != after.0 {
        let word = |on: bool| Some(if on { "on" } else { "off" }.to_owned());
        let (old, new) = (word(before.0), word(after.0));
        found.push(Change { place: "enabled".to_owned(), old, new });
    }
    let empty = Value::Object(serde_json::Map::new());
    let old = if before.1.is_null() { &empty } else { before.1 };
    differ("", Some(old), Some(after.1), &mut found);
    found
}

/// Goes down where both are objects; lists and plain values are told as wholes.
fn differ(place: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Change>) {
    if old == new {
        return;
    }
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) {
        let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let below = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            differ(&below, old.get(name), new.get(name), found);
        }
        return;
    }
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let (old, new) = (old.map(shown), new.map(shown));
    found.push(Change { place: place.to_owned(), old, new });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_changed_is_told_place_by_place() {
        let (old, new) = (
            json!({ "recipients": ["owner"], "digest": { "cron": "a", "zone": "UTC" }, "gone": 1 }),
            json!({ "recipients": ["owner", "x"], "digest": { "cron": "b", "zone": "UTC" }, "made": "t" }),
        );
        let told = changes((true, &old), (false, &new));
        let told: Vec<_> = told
            .iter()
            .map(|one| (one.place.as_str(), one.old.as_deref(), one.new.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("enabled", Some("on"), Some("off")),
                ("digest.cron", Some("a"), Some("b")),
                ("gone", Some("1"), None),
                ("made", None, Some("t")),
                ("recipients", Some("[\"owner\"]"), Some("[\"owner\",\"x\"]")),
            ]
        );
        assert!(changes((true, &old), (true, &old)).is_empty());
        let none = Value::Null;
        assert_eq!(changes((true, &none), (true, &old)).len(), 3);
    }
}
