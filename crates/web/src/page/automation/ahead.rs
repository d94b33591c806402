//! Fast-forward: what will fire in the days to come, and whom it will reach.

use std::collections::BTreeMap;

use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::automation::Class;
use chancery_engine::reaction::ahead::{Ahead, AheadItem};
use maud::{Markup, html};

use super::{href, parts, reason};
use crate::edge::{Access, Problem, Routes};
use crate::page::form::Fields;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, ChoiceOption, Column, Field, Nav, Row, Table};

/// Events listed.
const LISTED: usize = 100;

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::AutomationRead);
    let tries = Access::Session(Permission::AutomationTry);
    routes.add(GET, "/automation/ahead", read, async |shell: Shell| {
        shell.answer(async { Ok(page(&shell, &Typed::default(), html! {})) }).await
    });
    routes.add(POST, "/automation/ahead", tries, async |shell: Shell, Fields(typed): Fields| {
        shell.answer(look(&shell, typed)).await
    });
}

async fn look(shell: &Shell, typed: Typed) -> Result<Response, Problem> {
    let days = typed.text("days").parse().unwrap_or(0);
    match shell.engine().fast_forward(shell.context(), days, &[]).await {
        Ok(ahead) => Ok(page(shell, &typed, told(&ahead))),
        Err(error) => Ok(page(shell, &typed.refused(error)?, html! {})),
    }
}

fn page(shell: &Shell, typed: &Typed, told: Markup) -> Response {
    let typed = typed.clone().or("days", "30");
    let field = Field { required: true, ..typed.field("days", "days", "Over the next", "") };
    let spans = [
        ("7", "7 days"),
        ("30", "30 days"),
        ("90", "90 days"),
        ("365", "year"),
        ("1095", "three years"),
    ];
    let choices = spans.map(|(value, label)| ChoiceOption { value, label });
    let body = html! {
        (ui::page_header("Automation", "The days to come: what monitors will report, what triggers will \
            make of it, and whom it will reach.", html! {}))
        (parts("/automation/ahead"))
        @if shell.may(Permission::AutomationTry) { (ui::post_form("/automation/ahead", shell.csrf(), false, html! {
            p.hint { "Ends are known, so the future can be computed: with the certificates, triggers and \
                monitors of now. Nothing is carried out; the events of alerts that steps would raise are followed. Not here is what \
                would come of changes: another status, a certificate that a trigger has moved." }
            (ui::select_field(&field, &choices))
            div.actions { button.primary type="submit" { "Look ahead" } }
        })) } @else { p.hint { "Operators, auditors and administrators may look ahead." } }
        (told)
    };
    shell.page(Nav::Automation, "Days to come", body)
}

fn told(ahead: &Ahead) -> Markup {
    let by_day: Vec<u64> = ahead.by_day.values().copied().collect();
    html! {
        (summary(ahead))
        div.columns {
            (ui::section("reach", "Whom it will reach", html! {}, reach(ahead)))
            (ui::section("verdicts", "What triggers will make of it", html! {}, verdicts(ahead)))
        }
        (ui::section("days", "Event by event", html! {}, html! {
            @if by_day.len() > 1 { (ui::sparkline("Events by day", &by_day)) }
            @if ahead.items.is_empty() { p.muted { "Nothing will be reported." } }
            @else { (table(&ahead.items)) }
            @if ahead.events > LISTED as u64 {
                p.hint { "The first " (LISTED.min(ahead.items.len())) " of " (ui::grouped(ahead.events)) "." }
            }
        }))
    }
}

fn summary(ahead: &Ahead) -> Markup {
    let silent: u64 = ahead.silent.values().sum();
    html! {
        p.verdict id="ahead" {
            strong { (ui::grouped(ahead.events)) } @if ahead.events == 1 { " event" } @else { " events" }
            " to come, and " (ui::grouped(ahead.caused)) " that they cause: " (counts(&ahead.by_type)) "."
            @if silent > 0 { " " (ui::grouped(silent)) " objects stay silent: " (counts(&ahead.silent)) "." }
        }
        @if ahead.cut { (ui::alert_box(AlertKind::Warning, "There is more than was simulated: ask for fewer days.")) }
    }
}

fn counts(of: &BTreeMap<String, u64>) -> String {
    let text = |(name, count): (&String, &u64)| {
        format!("{} {}", ui::grouped(*count), name.replace('_', " "))
    };
    if of.is_empty() {
        "none".to_owned()
    } else {
        of.iter().map(text).collect::<Vec<_>>().join(", ")
    }
}

fn reach(ahead: &Ahead) -> Markup {
    html! {
        @if ahead.reach.is_empty() { p { "Nobody hears of anything." } }
        ul.plain { @for (whom, count) in &ahead.reach {
            li { strong { (person(whom)) } " hears of " (ui::grouped(*count)) }
        } }
        @if !ahead.channels.is_empty() { p { "Through " (counts(&ahead.channels)) "." } }
        @if ahead.unheard > 0 {
            p { (ui::grouped(ahead.unheard)) " reach nobody: those with an alert stand in the list of alerts, for whoever looks there." }
        }
        @for (why, count) in &ahead.undeliverable {
            p { (ui::badge(ui::Tone::Bad, ui::Icon::Cross, "Cannot be told")) " " (ui::grouped(*count)) ": " (why) }
        }
    }
}

/// `account:ada` as people say it.
fn person(whom: &str) -> String {
    match whom.split_once(':') {
        Some(("account", name)) => name.to_owned(),
        Some(("role", role)) => format!("Everybody with the role {role}"),
        Some(("address", address)) => address.to_owned(),
        Some(("channel", channel)) => format!("Whoever reads {channel}"),
        _ => whom.to_owned(),
    }
}

fn verdicts(ahead: &Ahead) -> Markup {
    html! {
        @if ahead.verdicts.is_empty() { p.muted { "No trigger listens to what monitors report." } }
        ul.plain { @for (trigger, of) in &ahead.verdicts { li {
            a href=(href(Class::Trigger, trigger)) { (trigger) } " "
            @for (word, count) in of { (reason::verdict(word)) " " (ui::grouped(*count)) " " }
        } } }
    }
}

fn table(items: &[AheadItem]) -> Markup {
    let columns = [
        Column::new("When"),
        Column::new("About"),
        Column::new("Event"),
        Column::new("Triggers").optional(),
        Column::new("Reaches"),
    ];
    let rows: Vec<Row> = items
        .iter()
        .take(LISTED)
        .map(|item| {
            let about = item.name.as_deref().unwrap_or(&item.object);
            let certificate = item.event_type.starts_with("certificate.");
            let reaches: Vec<_> = item.reaches.iter().map(|whom| person(whom)).collect();
            Row {
                href: None,
                tone: None,
                cells: vec![
                    ui::time(item.at.micros()),
                    html! {
                        @if certificate { a href={"/certificates/" (item.object)} { (about) } }
                        @else { (about) }
                    },
                    html! { (item.event_type) " "
                        @if let Some(cause) = &item.because_of { span.muted { "because of " (cause) " " } }
                        span.muted { (item.threshold.as_deref().unwrap_or_default()) } },
                    html! { @for reaction in &item.reactions {
                        div { a href=(href(Class::Trigger, &reaction.trigger)) { (reaction.trigger) }
                            @if !reaction.steps.is_empty() { ": " (reaction.steps.join("; ")) } }
                    } },
                    html! { @if reaches.is_empty() { span.muted { "nobody" } } @else { (reaches.join(", ")) } },
                ],
            }
        })
        .collect();
    ui::data_table(&Table {
        id: "ahead-list",
        caption: "Events to come",
        columns: &columns,
        rows: &rows,
    })
}
