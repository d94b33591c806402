//! How an evaluation is told: its verdict, why, and what was done.

use chancery_engine::automation::Class;
use chancery_engine::reaction::record::Row;
use maud::{Markup, html};
use serde_json::Value;

use super::href;
use crate::ui::{self, Icon, Tone};

/// A verdict as a badge.
pub(in crate::page) fn verdict(word: &str) -> Markup {
    match word {
        "matched" => ui::badge(Tone::Good, Icon::CheckCircle, "Matched"),
        "ignored" => ui::badge(Tone::Notice, Icon::Deny, "Ignored"),
        "nearly" => ui::badge(Tone::Info, Icon::Hourglass, "Nearly"),
        "not_reached" => ui::badge(Tone::Neutral, Icon::Next, "Not reached"),
        _ => ui::badge(Tone::Neutral, Icon::Cross, "No match"),
    }
}

/// Every rule with every comparison.
pub(in crate::page) fn explanation(json: &Value, verdict: &str) -> Markup {
    let rules = json.as_array().cloned().unwrap_or_default();
    html! {
        @if rules.is_empty() {
            p.muted {
                @if verdict == "not_reached" { "An ignoring trigger of its scope was first." }
                @else { "It has no rules, so that it always holds." }
            }
        }
        @for rule in &rules {
            @let name = rule["rule"].as_str().unwrap_or_default();
            div.rule-told {
                p {
                    (held(&rule["holds"])) " "
                    a href=(href(Class::Rule, name)) { (name) }
                    " " span.muted { "version " (rule["version"]) }
                }
                (part(&rule["reason"]))
            }
        }
    }
}

fn held(value: &Value) -> Markup {
    match value.as_bool() {
        Some(true) => ui::badge(Tone::Good, Icon::Check, "holds"),
        _ => ui::badge(Tone::Warning, Icon::Cross, "does not hold"),
    }
}

/// One part of a filter with what was found.
fn part(reason: &Value) -> Markup {
    for (list, words) in [("and", "All of these:"), ("or", "One of these:")] {
        if let Some(parts) = reason[list].as_array() {
            return html! {
                div.reason { (held(&reason["holds"])) " " (words)
                    ul { @for one in parts { li { (part(one)) } } } }
            };
        }
    }
    if reason["not"].is_object() {
        return html! { div.reason { (held(&reason["holds"])) " Not:" ul { li { (part(&reason["not"])) } } } };
    }
    if reason["words"].is_array() {
        let missing = list(&reason["missing"]);
        return html! {
            div.reason { (held(&reason["holds"])) " words " (ui::code(&list(&reason["words"])))
                @if !missing.is_empty() { ", missing " (ui::code(&missing)) } }
        };
    }
    if reason["all"] == true {
        return html! { div.reason { (held(&reason["holds"])) " always" } };
    }
    comparison(reason)
}

fn list(value: &Value) -> String {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

fn comparison(reason: &Value) -> Markup {
    let actual = &reason["actual"];
    let count = reason["actual_count"].as_u64().unwrap_or(0);
    html! {
        div.reason {
            (held(&reason["holds"])) " "
            (ui::code(reason["text"].as_str().unwrap_or_default()))
            " — there was "
            @if actual.is_null() { em { "a value that is not kept" } }
            @else if count == 0 { em { "nothing" } }
            @else { (ui::code(&list(actual))) }
            @if count > 20 { " and " (count - 20) " more" }
        }
    }
}

/// The comparisons that did not hold, in one line.
pub(in crate::page) fn missed(row: &Row) -> String {
    let json: Value = serde_json::from_str(&row.explanation).unwrap_or_default();
    let mut found = Vec::new();
    for rule in json.as_array().into_iter().flatten().filter(|rule| rule["holds"] != true) {
        leaves(&rule["reason"], &mut found);
    }
    found.join("; ")
}

fn leaves(reason: &Value, found: &mut Vec<String>) {
    if reason["holds"] == true {
        return;
    }
    for name in ["and", "or"] {
        reason[name].as_array().into_iter().flatten().for_each(|part| leaves(part, found));
    }
    if reason["not"].is_object() {
        found.push("a part that must not hold does".to_owned());
    }
    if let Some(text) = reason["text"].as_str() {
        let there = list(&reason["actual"]);
        let there = if there.is_empty() { "nothing".to_owned() } else { there };
        found.push(format!("{text}, there was {there}"));
    }
    if reason["words"].is_array() {
        found.push(format!("missing {}", list(&reason["missing"])));
    }
}

/// Steps with their results.
pub(in crate::page) fn steps(json: &Value) -> Markup {
    let steps = json.as_array().cloned().unwrap_or_default();
    html! {
        @if steps.is_empty() { p.muted { "No step followed." } }
        ul.plain { @for step in &steps {
            @let result = step["result"].as_str().unwrap_or_default();
            @let action = step["action"].as_str().unwrap_or_default();
            li {
                @match result {
                    "done" => (ui::badge(Tone::Good, Icon::Check, "Done")),
                    "unchanged" => (ui::badge(Tone::Neutral, Icon::Check, "Was so already")),
                    "overridden" => (ui::badge(Tone::Neutral, Icon::Skip, "The upload says otherwise")),
                    "stopped" => (ui::badge(Tone::Warning, Icon::Deny, "Stopped")),
                    _ => (ui::badge(Tone::Bad, Icon::Cross, "Failed")),
                }
                " " (step["does"].as_str().unwrap_or_default())
                @if let Some(reason) = step["reason"].as_str() { ": " strong { (reason) } }
                " " span.muted { a href=(href(Class::Action, action)) { (action) } " version " (step["version"]) }
                @if let Some(event) = step["event"].as_str() { " · " a href={"/events/" (event)} { "its event" } }
            }
        } }
    }
}

/// What reacted to an event, what did not and why.
pub(in crate::page) fn reactions(rows: &[Row]) -> Markup {
    html! {
        @if rows.is_empty() { p.muted { "No trigger listens to events like this one." } }
        @for row in rows {
            @let explained: Value = serde_json::from_str(&row.explanation).unwrap_or_default();
            @let done: Value = serde_json::from_str(&row.steps).unwrap_or_default();
            details.reaction open[matches!(row.verdict.as_str(), "matched" | "ignored")] {
                summary {
                    (verdict(&row.verdict)) " " strong { (row.trigger) }
                    " " span.muted { "version " (row.trigger_version) ", " (row.scope) }
                    @if row.failed { " " (ui::badge(Tone::Bad, Icon::Cross, "A step failed")) }
                    @let why = missed(row);
                    @if !why.is_empty() { " — " (why) }
                }
                (explanation(&explained, &row.verdict))
                (steps(&done))
                p { a href={"/automation/history/" (row.id)} { "The record" } " · "
                    a href=(href(Class::Trigger, &row.trigger)) { "The trigger" } }
            }
        }
    }
}
