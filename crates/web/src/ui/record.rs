//! Blocks that show one thing in detail: its fields, its story, its raw text, what changed.

use maud::{Markup, html};

use super::{Icon, Tone, icon, time};

/// Names and values. Values are markup, so that they can be badges, times and links.
#[must_use]
pub fn key_values(pairs: &[(&str, Markup)]) -> Markup {
    html! {
        dl.kv { @for (name, value) in pairs { div { dt { (name) } dd { (value) } } } }
    }
}

/// A hash or serial in groups of four digits, with a button that copies it without the spaces.
#[must_use]
pub fn fingerprint(hex: &str) -> Markup {
    let digits: Vec<char> = hex.chars().collect();
    html! {
        span.fingerprint {
            code {
                @for group in digits.chunks(4) { span { (group.iter().collect::<String>()) } }
            }
            button.copy type="button" data-copy=(hex) title="Copy" {
                (icon(Icon::Copy)) span.visually-hidden { "Copy" }
            }
        }
    }
}

/// Text as it is (JSON, PEM, a signed checkpoint) with a button that copies it.
#[must_use]
pub fn json_block(id: &str, label: &str, text: &str) -> Markup {
    html! {
        figure.raw {
            figcaption {
                span { (label) }
                button.copy type="button" data-copy-from=(id) { (icon(Icon::Copy)) span { "Copy" } }
            }
            pre id=(id) tabindex="0" { code { (text) } }
        }
    }
}

/// A moment in the story of an object.
#[derive(Debug, Clone)]
pub struct TimelineItem<'a> {
    /// When, µs since 1970.
    pub at: i64,
    /// Its mark.
    pub mark: Icon,
    /// What happened, one sentence.
    pub sentence: Markup,
    /// The event.
    pub href: Option<&'a str>,
    /// Its meaning.
    pub tone: Tone,
    /// Whether it has not happened yet (expiry, planned renewal).
    pub ahead: bool,
}

/// A story, in the order given.
#[must_use]
pub fn timeline(items: &[TimelineItem<'_>]) -> Markup {
    html! {
        ol.timeline { @for item in items {
            li.ahead[item.ahead] {
                span class={"mark " (item.tone.class())} { (icon(item.mark)) }
                div.timeline-body {
                    p { @match item.href {
                        Some(href) => a href=(href) { (item.sentence) },
                        None => (item.sentence),
                    } }
                    p.muted { (time(item.at)) @if item.ahead { " · expected" } }
                }
            }
        } }
    }
}

/// A field before and after.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// The field.
    pub field: &'a str,
    /// What it was; nothing when it was not there.
    pub before: Option<&'a str>,
    /// What it is; nothing when it is gone.
    pub after: Option<&'a str>,
}

/// What changed: removals marked −, additions +, changes ±.
#[must_use]
pub fn diff_table(caption: &str, changes: &[Change<'_>]) -> Markup {
    html! {
        div.table-wrap tabindex="0" role="group" aria-label=(caption) {
            table.plain.diff {
                caption.visually-hidden { (caption) }
                thead { tr {
                    th scope="col" { span.visually-hidden { "Kind" } }
                    th scope="col" { "Field" } th scope="col" { "Before" } th scope="col" { "After" }
                } }
                tbody { @for change in changes { (diff_row(change)) } }
            }
        }
    }
}

fn diff_row(change: &Change<'_>) -> Markup {
    let (sign, word) = match (change.before, change.after) {
        (None, Some(_)) => ("+", "added"),
        (Some(_), None) => ("−", "removed"),
        (before, after) if before == after => ("=", "unchanged"),
        _ => ("±", "changed"),
    };
    html! {
        tr class=(word) {
            td.sign { span aria-hidden="true" { (sign) } span.visually-hidden { (word) } }
            th scope="row" { (change.field) }
            td { @match change.before { Some(text) => del { (text) }, None => span.muted { "—" } } }
            td { @match change.after { Some(text) => ins { (text) }, None => span.muted { "—" } } }
        }
    }
}

/// The bar of a live list. The script listens at `stream_href` for `row` messages whose data is a
/// table row, collects them and offers them; nothing moves until the reader says so. Hidden without
/// scripts.
#[must_use]
pub fn live_region(table_id: &str, stream_href: &str) -> Markup {
    html! {
        div.live data-live=(stream_href) data-into=(table_id) hidden {
            span.live-state role="status" { "Live" }
            button.live-show type="button" hidden {}
            button.live-pause type="button" aria-pressed="false" { "Pause" }
        }
    }
}
