//! Forwarders: the list, one of them with its attempts and backlog, and what can be done with it.

mod edit;
mod kind;

use axum::extract::Path;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::delivery::{Class, DeliveryQuery, DestinationView};
use chancery_event::Timestamp;
use maud::{Markup, html};

use super::deliveries;
use super::form::Fields;
use super::question::Question;
use super::shell::Shell;
use super::typed::sentence;
use super::{GET, POST};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, AlertKind, Column, Crumb, Field, Icon, Nav, Row, Table, Tone};

const CLASS: Class = Class::Forwarder;
/// Deliveries shown on the page of a forwarder.
const RECENT: usize = 20;

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::ForwarderRead);
    let write = Access::Session(Permission::ForwarderWrite);
    routes.add(GET, "/forwarders", read, async |shell: Shell| shell.answer(list(&shell)).await);
    edit::add(routes);
    routes.add(GET, "/forwarders/{name}", read, async |shell: Shell, Path(name): Path<String>| {
        shell.answer(one(&shell, &name)).await
    });
    for (what, handler) in [("test", Deed::Test), ("on", Deed::On), ("off", Deed::Off)] {
        let path = format!("/forwarders/{{name}}/{what}");
        routes.add(
            POST,
            &path,
            write,
            async move |shell: Shell, Path(name): Path<String>, _: Fields| {
                shell.answer(done(&shell, &name, handler)).await
            },
        );
    }
    routes.add(GET, "/forwarders/{name}/delete", write, ask_delete);
    routes.add(POST, "/forwarders/{name}/delete", write, delete);
    routes.add(GET, "/forwarders/{name}/replay", write, ask_replay);
    routes.add(POST, "/forwarders/{name}/replay", write, replay);
    routes.add(GET, "/forwarders/{name}/recover", write, ask_recover);
    routes.add(POST, "/forwarders/{name}/recover", write, recover);
    routes.add(GET, "/forwarders/{name}/rotate", write, ask_rotate);
    routes.add(POST, "/forwarders/{name}/rotate", write, rotate);
}

#[derive(Clone, Copy)]
enum Deed {
    Test,
    On,
    Off,
}

/// The tabs of what leaves the house.
pub(super) fn places(current: &str) -> Markup {
    let tabs = [("Forwarders", "/forwarders"), ("Deliveries", "/deliveries")];
    let tabs: Vec<ui::Tab<'_>> = tabs
        .iter()
        .map(|(label, href)| ui::Tab { label, href, selected: *href == current, count: None })
        .collect();
    ui::tabs("What leaves the house", &tabs)
}

/// How it goes with a forwarder.
fn state(view: &DestinationView, now: i64) -> Markup {
    let row = &view.row;
    if !row.enabled {
        let why = match row.disabled_because.as_deref() {
            Some("failing") => "Switched off: failed for days",
            Some("gone") => "Switched off: receiver is gone",
            _ => "Switched off",
        };
        return ui::badge(Tone::Bad, Icon::Deny, why);
    }
    let paused = row.course.open_until.is_some_and(|until| until.micros() > now);
    match row.course.failures {
        0 if row.course.lagging => ui::badge(Tone::Warning, Icon::Hourglass, "Behind"),
        0 if row.course.last_success_at.is_some() => {
            ui::badge(Tone::Good, Icon::Check, "Gets through")
        }
        0 => ui::badge(Tone::Neutral, Icon::Hourglass, "Nothing sent yet"),
        _ if paused => ui::badge(Tone::Bad, Icon::CrossCircle, "Failing, paused"),
        _ => ui::badge(Tone::Warning, Icon::Refresh, "Retrying"),
    }
}

async fn list(shell: &Shell) -> Result<Response, Problem> {
    let views = shell.engine().destinations(shell.context(), CLASS).await?;
    let columns = [
        Column::new("Forwarder"),
        Column::new("State"),
        Column::new("Kind"),
        Column::new("Sends to").optional(),
        Column::new("Waiting").number(),
        Column::new("Given up").number(),
        Column::new("Last got through").optional(),
    ];
    let now = shell.now();
    let rows: Vec<Row> = views
        .iter()
        .map(|view| Row {
            href: Some(format!("/forwarders/{}", view.row.name)),
            tone: match (view.row.enabled, view.row.course.failures, view.backlog.dead) {
                (false, ..) => None,
                (true, 0, 0) => None,
                (true, 0, _) => Some(Tone::Warning),
                _ => Some(Tone::Bad),
            },
            cells: vec![
                html! {
                    (view.row.name)
                    @if !view.definition.title.is_empty() { " " span.muted { (view.definition.title) } }
                },
                state(view, now),
                html! { (kind::label(&view.row.kind)) },
                html! { span.muted { (view.endpoint) } },
                html! { (view.backlog.waiting) },
                html! { (view.backlog.dead) },
                moment(view.row.course.last_success_at),
            ],
        })
        .collect();
    let new = || ui::button("New forwarder", "/forwarders/new", None, true);
    let may = shell.may(Permission::ForwarderWrite);
    let body = html! {
        (ui::page_header("Forwarders", "Standing streams of events to other systems. None of them ever slows anything down.",
            html! { @if may && !views.is_empty() { (new()) } }))
        (places("/forwarders"))
        @if views.is_empty() {
            (ui::empty_state("No forwarder here",
                "A forwarder sends events that you select to a webhook, syslog, a file, NATS, mail, a chat or ServiceNow. What cannot be sent at once is tried for three days, and nothing is lost.",
                may.then(new)))
        } @else {
            (ui::data_table(&Table { id: "forwarders", caption: "Forwarders, by name", columns: &columns, rows: &rows }))
        }
    };
    Ok(shell.page(Nav::Forwarders, "Forwarders", body))
}

fn moment(at: Option<Timestamp>) -> Markup {
    match at {
        Some(at) => ui::time(at.micros()),
        None => html! { span.muted { "—" } },
    }
}

async fn one(shell: &Shell, name: &str) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let view = engine.destination(context, CLASS, name).await?;
    let query = DeliveryQuery { destinations: vec![name.to_owned()], ..DeliveryQuery::default() };
    let recent = engine.deliveries(context, query, RECENT).await?;
    let versions = engine.destination_versions(context, CLASS, name).await?;
    let may = shell.may(Permission::ForwarderWrite);
    let title = match view.definition.title.as_str() {
        "" => name,
        title => title,
    };
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Forwarders", href: Some("/forwarders") },
            Crumb { label: name, href: None },
        ]))
        (ui::page_header(title, &view.definition.description, html! { @if may { (actions(shell, &view)) } }))
        @if let Some(error) = &view.row.course.last_error {
            (ui::alert_box(AlertKind::Error, &sentence(&format!("the last attempt failed: {error}"))))
        }
        div.columns {
            div id="forwarder-state" data-refresh="5" {
                (ui::section("state", "State", html! {}, facts(&view, shell.now())))
            }
            (ui::section("says", "What it says", html! {}, html! {
                (ui::json_block("definition", "Definition", &serde_json::to_string_pretty(&view.definition.body()).unwrap_or_default()))
            }))
        }
        (ui::section("recent", "Newest deliveries",
            html! { a href={"/deliveries?destination=" (name)} { "All of them" } },
            html! {
                @if recent.is_empty() { p.muted { "Nothing was sent yet." } }
                @else { (deliveries::table("recent-deliveries", &recent)) }
            }))
        (ui::section("versions", "Versions", html! {}, html! { ol reversed {
            @for (version, enabled, _, at, by) in &versions {
                li { "Version " (version) ", " (ui::time(at.micros()))
                    @if let Some(by) = by { ", by " a href={"/administration/accounts/" (by)} { "an account" } }
                    @if !enabled { " " span.muted { "(off)" } }
                }
            }
        } }))
    };
    Ok(shell.page(Nav::Forwarders, title, body))
}

fn facts(view: &DestinationView, now: i64) -> Markup {
    let (row, backlog) = (&view.row, &view.backlog);
    let mut pairs = vec![
        ("State", state(view, now)),
        ("Kind", html! { (kind::label(&row.kind)) }),
        ("Sends to", ui::code(&view.endpoint)),
        ("Folder", ui::code(&row.path)),
        (
            "Log not looked at",
            html! { (backlog.log_entries) " entries, from index " (row.next_index) },
        ),
        (
            "Waiting",
            html! { (backlog.waiting) " deliveries" @if backlog.lag_s > 0 { ", the oldest for " (backlog.lag_s) " s" } },
        ),
        ("Given up", html! { (backlog.dead) " deliveries" }),
        ("Last tried", moment(row.course.last_attempt_at)),
        ("Last got through", moment(row.course.last_success_at)),
        ("Failed in a row", html! { (row.course.failures) }),
    ];
    if row.course.failures > 0 {
        pairs.push(("Failing since", moment(row.course.failing_since)));
        pairs.push(("Paused until", moment(row.course.open_until)));
    }
    if let Some(at) = row.batch_at {
        pairs.push(("Next batch", ui::time(at.micros())));
    }
    if !view.secrets.is_empty() {
        pairs.push(("Secrets set", html! { (view.secrets.join(", ")) }));
    }
    if let Some(key) = &view.public_key {
        pairs.push(("Verify with", ui::code(key)));
    }
    ui::key_values(&pairs)
}

fn actions(shell: &Shell, view: &DestinationView) -> Markup {
    let name = &view.row.name;
    let at = |what: &str| format!("/forwarders/{name}/{what}");
    let form = |what: &str, label: &str, primary: bool| {
        html! { form method="post" action=(at(what)) { (ui::csrf_input(shell.csrf()))
        button.primary[primary] type="submit" { (label) } } }
    };
    html! {
        (form("test", "Try it out", true))
        (ui::button("Change", &at("edit"), None, false))
        @if view.row.enabled { (form("off", "Switch off", false)) } @else { (form("on", "Switch on", false)) }
        @if view.backlog.dead > 0 { (recover_question(&at("recover")).dialog(shell)) }
        (replay_question(&at("replay"), replay_field(view.row.next_index.0)).dialog(shell))
        @if view.secrets.iter().any(|secret| secret == "signing") { (rotate_question(&at("rotate")).dialog(shell)) }
        (delete_question(&at("delete")).dialog(shell))
    }
}

fn delete_question(action: &str) -> Question<'_> {
    Question {
        id: "delete-dialog",
        trigger: "Delete…",
        title: "Delete this forwarder?",
        text: "What waits for it is given up. What was sent stays on record.",
        action,
        submit: "Delete the forwarder",
        is_final: true,
        fields: None,
    }
}

fn recover_question(action: &str) -> Question<'_> {
    Question {
        id: "recover-dialog",
        trigger: "Recover…",
        title: "Send again what was given up?",
        text: "Every delivery that was given up is put back, under its old identifier.",
        action,
        submit: "Send them again",
        is_final: false,
        fields: None,
    }
}

fn replay_field(index: u64) -> Markup {
    let value = index.to_string();
    ui::field(&Field {
        id: "from-index",
        name: "from_index",
        label: "From log index",
        kind: "number",
        value: &value,
        hint: "Every event of the log is numbered from 0.",
        required: true,
        ..Field::default()
    })
}

fn replay_question(action: &str, field: Markup) -> Question<'_> {
    Question {
        id: "replay-dialog",
        trigger: "Replay…",
        title: "Replay the log from an index?",
        text: "Everything from there that the forwarder selects is sent once more, as new deliveries.",
        action,
        submit: "Replay",
        is_final: false,
        fields: Some(field),
    }
}

fn rotate_question(action: &str) -> Question<'_> {
    Question {
        id: "rotate-dialog",
        trigger: "New secret…",
        title: "Replace the signing secret?",
        text: "A new one is made and shown once. For 24 hours both sign, so that the receiver can follow.",
        action,
        submit: "Make a new secret",
        is_final: false,
        fields: None,
    }
}

async fn done(shell: &Shell, name: &str, deed: Deed) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let back = format!("/forwarders/{name}");
    let notice = match deed {
        Deed::On => {
            engine.switch_destination(context, CLASS, name, true).await?;
            "It is switched on, and goes on where it was.".to_owned()
        }
        Deed::Off => {
            engine.switch_destination(context, CLASS, name, false).await?;
            "It is switched off. What comes waits in the log.".to_owned()
        }
        Deed::Test => {
            let sent = engine.try_destination(context, CLASS, name).await?;
            match (sent.failure, sent.status) {
                (None, Some(status)) => format!("The trial got through: the answer was {status}."),
                (None, None) => "The trial got through.".to_owned(),
                (Some(failure), _) => format!("The trial failed: {}.", failure.message),
            }
        }
    };
    Ok(shell.done(&back, &notice))
}

async fn ask_delete(shell: Shell, Path(name): Path<String>) -> Response {
    let (action, back) = (format!("/forwarders/{name}/delete"), format!("/forwarders/{name}"));
    delete_question(&action).page(&shell, Nav::Forwarders, &back)
}

async fn delete(shell: Shell, Path(name): Path<String>, _: Fields) -> Response {
    shell
        .answer(async {
            shell.engine().delete_destination(shell.context(), CLASS, &name).await?;
            Ok(shell.done("/forwarders", "The forwarder is deleted."))
        })
        .await
}

async fn ask_recover(shell: Shell, Path(name): Path<String>) -> Response {
    let (action, back) = (format!("/forwarders/{name}/recover"), format!("/forwarders/{name}"));
    recover_question(&action).page(&shell, Nav::Forwarders, &back)
}

async fn recover(shell: Shell, Path(name): Path<String>, _: Fields) -> Response {
    shell
        .answer(async {
            let (engine, since) = (shell.engine(), Timestamp::from_micros(0));
            let count = engine.recover_deliveries(shell.context(), CLASS, &name, since).await?;
            let notice = format!("{count} deliveries wait to be sent again.");
            Ok(shell.done(&format!("/forwarders/{name}"), &notice))
        })
        .await
}

async fn ask_replay(shell: Shell, Path(name): Path<String>) -> Response {
    let (action, back) = (format!("/forwarders/{name}/replay"), format!("/forwarders/{name}"));
    replay_question(&action, replay_field(0)).page(&shell, Nav::Forwarders, &back)
}

async fn replay(shell: Shell, Path(name): Path<String>, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let from = typed
                .text("from_index")
                .parse()
                .map_err(|_| Problem::invalid("from_index", "a whole number".to_owned()))?;
            shell.engine().replay_forwarder(shell.context(), &name, from).await?;
            Ok(shell.done(&format!("/forwarders/{name}"), "It goes on from there."))
        })
        .await
}

async fn ask_rotate(shell: Shell, Path(name): Path<String>) -> Response {
    let (action, back) = (format!("/forwarders/{name}/rotate"), format!("/forwarders/{name}"));
    rotate_question(&action).page(&shell, Nav::Forwarders, &back)
}

async fn rotate(shell: Shell, Path(name): Path<String>, _: Fields) -> Response {
    shell
        .answer(async {
            let (engine, context) = (shell.engine(), shell.context());
            let saved = engine.rotate_signing_secret(context, CLASS, &name, 24).await?;
            Ok(edit::told_once(&shell, &name, &saved.generated))
        })
        .await
}
