//! An event in one line: in lists, live streams and stories.

use chancery_engine::history::SeenEvent;
use chancery_event::envelope::PersonalPart;
use chancery_event::{ActorKind, Event, Severity, Target, TargetKind, Verdict};
use maud::{Markup, html};

use super::prose::parted;
use crate::ui::{self, Column, Icon, Row, TimelineItem, Tone};

/// The columns of a list of events.
pub(super) fn columns() -> [Column; 6] {
    [
        Column::new("What happened"),
        Column::new("Time"),
        Column::new("Severity"),
        Column::new("Outcome"),
        Column::new("Type").optional(),
        Column::new("Actor").optional(),
    ]
}

/// A row of such a list.
pub(super) fn row(seen: &SeenEvent) -> Row {
    let event = &seen.event;
    Row {
        href: Some(format!("/events/{}", event.id)),
        tone: match event.severity {
            Severity::Critical => Some(Tone::Critical),
            Severity::Error => Some(Tone::Bad),
            _ => None,
        },
        cells: vec![
            html! { (chancery_event::sentence(event)) },
            ui::time(event.time.micros()),
            ui::severity(event.severity.as_str()),
            ui::outcome(event.outcome.result.as_str()),
            parted(&event.type_name),
            html! { (actor(event)) },
        ],
    }
}

/// Who acted, in words. Names are shown where they are in clear.
pub(super) fn actor(event: &Event) -> String {
    if let Some(name) = event.personal().and_then(|personal| personal.actor_name.as_deref()) {
        return name.to_owned();
    }
    match (event.actor.kind, &event.personal) {
        (ActorKind::System, _) => "system".to_owned(),
        (ActorKind::Anonymous, _) => "anonymous".to_owned(),
        (_, PersonalPart::Committed(_)) => "not shown".to_owned(),
        (kind, _) => kind.as_str().to_owned(),
    }
}

/// What people call a target.
pub(super) fn target_name(event: &Event, target: &Target) -> String {
    let personal = event.personal().and_then(|part| part.targets.get(&target.reference()));
    match personal.or(target.name.as_ref()) {
        Some(name) => name.clone(),
        None => format!("{} {}", target.kind.as_str().replace('_', " "), target.id),
    }
}

/// Where a target is shown, if it is.
pub(super) fn target_href(target: &Target) -> Option<String> {
    let id = &target.id;
    Some(match target.kind {
        TargetKind::Certificate => format!("/certificates/{id}"),
        TargetKind::Event => format!("/events/{id}"),
        TargetKind::Job => format!("/jobs/{id}"),
        TargetKind::Alert => format!("/alerts/{id}"),
        TargetKind::Destination => format!("/forwarders/{id}"),
        TargetKind::Log => "/log-view".to_owned(),
        TargetKind::Account => format!("/administration/accounts/{id}"),
        TargetKind::Token => "/administration/tokens".to_owned(),
        TargetKind::Group => "/administration/groups".to_owned(),
        TargetKind::RaProfile => "/administration/ra-profiles".to_owned(),
        TargetKind::Attribute => "/administration/attributes".to_owned(),
        _ => return None,
    })
}

/// The mark and meaning of an event in a story.
pub(super) fn mark(event: &Event) -> (Icon, Tone) {
    let failed = !matches!(
        event.outcome.result,
        Verdict::Success | Verdict::Allow | Verdict::Skipped | Verdict::Scheduled
    );
    let tone = match event.severity {
        _ if failed => Tone::Bad,
        Severity::Critical => Tone::Critical,
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Warning,
        Severity::Info => Tone::Info,
        Severity::Debug => Tone::Neutral,
    };
    let family = event.type_name.split('.').next().unwrap_or_default();
    let mark = match family {
        _ if failed => Icon::CrossCircle,
        _ if tone == Tone::Warning => Icon::Warning,
        "certificate" => Icon::Certificate,
        "log" | "event" => Icon::Seal,
        "account" | "session" => Icon::User,
        "token" => Icon::Key,
        "job" => Icon::Jobs,
        "alert" => Icon::Bell,
        _ => Icon::Info,
    };
    (mark, tone)
}

/// Events as a story, in the order given.
pub(super) fn story(events: &[SeenEvent]) -> Markup {
    let hrefs: Vec<String> =
        events.iter().map(|seen| format!("/events/{}", seen.event.id)).collect();
    let items: Vec<TimelineItem<'_>> = events
        .iter()
        .zip(&hrefs)
        .map(|(seen, href)| {
            let (mark, tone) = mark(&seen.event);
            TimelineItem {
                at: seen.event.time.micros(),
                mark,
                sentence: html! { (chancery_event::sentence(&seen.event)) },
                href: Some(href),
                tone,
                ahead: false,
            }
        })
        .collect();
    ui::timeline(&items)
}
