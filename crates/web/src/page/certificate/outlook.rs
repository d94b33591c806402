//! What somebody who opens a certificate wants to know first: who answers for it, what happened
//! last, what is next.

use chancery_engine::Permission;
use chancery_engine::history::SeenEvent;
use chancery_engine::inventory::CertificateView;
use chancery_event::Timestamp;
use maud::{Markup, html};

use crate::page::shell::Shell;
use crate::page::typed::sentence;
use crate::ui::{self, Answered, Icon, Tone};

/// The three questions with their answers. `events` are newest first.
pub(super) fn answers(shell: &Shell, view: &CertificateView, events: &[SeenEvent]) -> Markup {
    let (owner_tone, owner) = owner(shell, view);
    let (next_tone, next) = next(shell, view);
    ui::answers(
        "In short",
        &[
            Answered {
                question: "Who answers for it",
                tone: owner_tone,
                mark: Icon::User,
                answer: owner,
            },
            Answered {
                question: "What happened last",
                tone: Tone::Neutral,
                mark: Icon::Events,
                answer: last(events, shell.now()),
            },
            Answered {
                question: "What is next",
                tone: next_tone,
                mark: Icon::Hourglass,
                answer: next,
            },
        ],
    )
}

fn owner(shell: &Shell, view: &CertificateView) -> (Tone, Markup) {
    let groups = html! {
        @if !view.groups.is_empty() {
            p.muted {
                "In "
                @for (place, (_, name)) in view.groups.iter().enumerate() {
                    @if place > 0 { ", " } (name)
                }
            }
        }
    };
    match &view.owner_name {
        Some(name) => (Tone::Neutral, html! { p { strong { (name) } } (groups) }),
        None => (
            Tone::Warning,
            html! {
                p { strong { "Nobody" } }
                (groups)
                @if shell.may(Permission::CertificateWrite) {
                    p { a href={"/certificates/" (view.row.id) "/edit"} { "Give it an owner" } }
                }
            },
        ),
    }
}

fn last(events: &[SeenEvent], now: i64) -> Markup {
    html! { @match events.first() {
        Some(seen) => {
            p { a href={"/events/" (seen.event.id)} { (chancery_event::sentence(&seen.event)) } }
            p.muted { (ui::relative(seen.event.time.micros(), now)) }
        }
        None => p.muted { "Its events are being sealed; look again in a moment." }
    } }
}

/// What somebody has to do, or what will come by itself.
fn next(shell: &Shell, view: &CertificateView) -> (Tone, Markup) {
    let row = &view.row;
    let now = shell.now();
    let end = row.not_after.micros();
    let days = i64::from(shell.engine().settings().expiring_days);
    let until = || ui::relative(end, now);
    if row.archived {
        return (Tone::Neutral, html! { p { "Nothing: it is put away." } });
    }
    if let Some((id, name, _)) = &view.replaced_by {
        let successor = html! { a href={"/certificates/" (id)} { (name) } };
        let words = if end <= now { "It has ended, and " } else { "Take it out of service: " };
        return (Tone::Info, html! { p { (words) (successor) " has taken its place." } });
    }
    if end <= now {
        return (
            Tone::Critical,
            html! { p { strong { "Replace it." } " It ended " (until()) ", and nothing has taken its place." } },
        );
    }
    match row.status.as_str() {
        "expiring" => (
            Tone::Warning,
            html! { p { strong { "Renew it." } " It ends " (until()) ", and nothing takes its place yet." } },
        ),
        "valid" | "not_yet_valid" => {
            let warned = end - days * Timestamp::DAY;
            (
                Tone::Good,
                html! {
                    p { "Nothing has to be done." }
                    p.muted { "It counts as expiring from " (ui::date(warned)) " and ends " (until()) "." }
                },
            )
        }
        _ => (
            Tone::Warning,
            html! {
                p { strong { "Find out why it is not trusted. " } (sentence(&row.status_reason)) }
                p.muted { "It ends " (until()) "." }
            },
        ),
    }
}
