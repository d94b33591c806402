//! An alert in one line: in its list, on the first page, beside the object it is about.

use chancery_engine::alert::ShownAlert;
use chancery_event::{Target, TargetKind};
use maud::{Markup, html};

use super::event_row;
use crate::ui::{self, Column, Row, Table, Tone};

/// The meaning of an alert at the edge of its row.
pub(super) fn tone(shown: &ShownAlert) -> Option<Tone> {
    match (shown.alert.resolved_at, shown.alert.severity.as_str()) {
        (Some(_), _) => None,
        (None, "critical") => Some(Tone::Critical),
        (None, "error") => Some(Tone::Bad),
        (None, "warning") => Some(Tone::Warning),
        _ => None,
    }
}

/// The object an alert is about, with a link where it has a page.
pub(super) fn object(shown: &ShownAlert) -> Markup {
    let Some((kind, id)) = &shown.alert.object else { return html! { span.muted { "—" } } };
    let words = kind.replace('_', " ");
    let name = shown.alert.object_name.as_deref();
    let href =
        TargetKind::parse(kind).and_then(|kind| event_row::target_href(&Target::new(kind, id)));
    html! {
        span.muted { (words) } " "
        @match href {
            Some(href) => a href=(href) { (name.unwrap_or("open it")) },
            None => (name.unwrap_or(id)),
        }
    }
}

/// State, and the mark of what the reader has not read.
pub(super) fn state(shown: &ShownAlert) -> Markup {
    html! {
        (ui::alert_state(&shown.alert.state))
        @if shown.unread && shown.alert.resolved_at.is_none() { " " (ui::alert_state("unread")) }
    }
}

/// Title, with how often the cause has occurred.
pub(super) fn title(shown: &ShownAlert) -> Markup {
    let title = &shown.alert.title;
    html! {
        @if shown.unread && shown.alert.resolved_at.is_none() { strong { (title) } } @else { (title) }
        @if shown.alert.occurrences > 1 { " " span.count { "× " (shown.alert.occurrences) } }
    }
}

/// Columns of tables without boxes to tick.
pub(super) fn columns() -> Vec<Column> {
    vec![
        Column::new("Alert"),
        Column::new("Severity, state"),
        Column::new("About"),
        Column::new("Raised"),
        Column::new("With").optional(),
    ]
}

/// A row of such a table.
pub(super) fn row(shown: &ShownAlert) -> Row {
    let alert = &shown.alert;
    let with = alert.assigned_to.or(alert.acknowledged.map(|(by, _)| by));
    Row {
        href: Some(format!("/alerts/{}", alert.id)),
        tone: tone(shown),
        cells: vec![
            html! { (title(shown)) br; span.muted { (alert.kind) } },
            html! { div.badges { (ui::severity(&alert.severity)) " " (state(shown)) } },
            html! { span { (object(shown)) } },
            html! { span {
                (ui::time(alert.created_at.micros()))
                @if alert.occurrences > 1 {
                    br; span.muted { "last " (ui::time(alert.last_seen_at.micros())) }
                }
            } },
            match with {
                Some(id) => html! { (shown.name_of(id)) },
                None => html! { span.muted { "—" } },
            },
        ],
    }
}

/// A table of alerts to read.
pub(super) fn table(id: &str, caption: &str, alerts: &[ShownAlert]) -> Markup {
    let rows: Vec<Row> = alerts.iter().map(row).collect();
    ui::data_table(&Table { id, caption, columns: &columns(), rows: &rows })
}
