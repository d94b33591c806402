//! Forwarders and channels: the list, one of them with its attempts and backlog, and what can be
//! done with it. Both are destinations; what differs stands in a [`Shelf`].

mod edit;
mod kind;
mod list;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::delivery::{Class, DeliveryQuery, DestinationView};
use chancery_engine::{Error, Permission};
use chancery_event::Timestamp;
use maud::{Markup, html};

use super::deliveries;
use super::form::Fields;
use super::question::Question;
use super::shell::Shell;
use super::typed::{Typed, sentence};
use super::{GET, POST};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, AlertKind, Crumb, Field, Icon, Nav, Tone};

/// Deliveries shown on the page of a destination.
const RECENT: usize = 20;

/// One class of destinations as its pages show it.
pub(super) struct Shelf {
    class: Class,
    /// Where its pages are.
    root: &'static str,
    /// One of them.
    noun: &'static str,
    /// Several of them, as a title.
    plural: &'static str,
    about: &'static str,
    empty: &'static str,
    nav: Nav,
    write: Permission,
}

static FORWARDERS: Shelf = Shelf {
    class: Class::Forwarder,
    root: "/forwarders",
    noun: "forwarder",
    plural: "Forwarders",
    about: "Standing streams of events to other systems. None of them ever slows anything down.",
    empty: "A forwarder sends events that you select to a webhook, syslog, a file, NATS, mail, a chat or ServiceNow. What cannot be sent at once is tried for three days, and nothing is lost.",
    nav: Nav::Forwarders,
    write: Permission::ForwarderWrite,
};

static CHANNELS: Shelf = Shelf {
    class: Class::Channel,
    root: "/channels",
    noun: "channel",
    plural: "Channels",
    about: "The means by which people are told. Notification profiles say who is told of what.",
    empty: "A channel carries messages to people: a mail server, Slack, Microsoft Teams, ServiceNow or a webhook. With a mail server the default profile works at once: owners hear of their certificates.",
    nav: Nav::Notifications,
    write: Permission::ConfigurationWrite,
};

impl Shelf {
    fn is_channels(&self) -> bool {
        self.class == Class::Channel
    }

    fn one(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }

    fn at(&self, name: &str, what: &str) -> String {
        format!("{}/{name}/{what}", self.root)
    }

    /// Where its list is taken out as a file.
    fn export(&self) -> &'static str {
        match self.class {
            Class::Forwarder => "/api/v1/deliveries/forwarders/export",
            Class::Channel => "/api/v1/notifications/channels/export",
        }
    }

    fn tabs(&self) -> Markup {
        match self.class {
            Class::Forwarder => places(self.root),
            Class::Channel => super::notification::places(self.root),
        }
    }

    /// What a version said, as this class shows it: a channel has nothing of a stream.
    fn shown(&self, body: &serde_json::Value) -> serde_json::Value {
        match chancery_engine::delivery::Definition::read(body) {
            Ok(definition) if self.is_channels() => definition.channel_body(),
            _ => body.clone(),
        }
    }
}

pub(super) fn add(routes: &mut Routes) {
    for shelf in [&FORWARDERS, &CHANNELS] {
        shelved(routes, shelf);
    }
    let write = Access::Session(Permission::ForwarderWrite);
    routes.add(GET, "/forwarders/{name}/replay", write, ask_replay);
    routes.add(POST, "/forwarders/{name}/replay", write, replay);
}

fn shelved(routes: &mut Routes, shelf: &'static Shelf) {
    let read = Access::Session(Permission::ForwarderRead);
    let write = Access::Session(shelf.write);
    routes.add(GET, shelf.root, read, async move |shell: Shell| {
        shell.answer(list::view(&shell, shelf)).await
    });
    edit::add(routes, shelf);
    routes.add(
        GET,
        &shelf.one("{name}"),
        read,
        async move |shell: Shell, Path(name): Path<String>| {
            shell.answer(one(&shell, shelf, &name)).await
        },
    );
    for (what, handler) in [("test", Deed::Test), ("on", Deed::On), ("off", Deed::Off)] {
        routes.add(
            POST,
            &shelf.at("{name}", what),
            write,
            async move |shell: Shell, Path(name): Path<String>, _: Fields| {
                shell.answer(done(&shell, shelf, &name, handler)).await
            },
        );
    }
    for (what, asked) in
        [("delete", Asked::Delete), ("recover", Asked::Recover), ("rotate", Asked::Rotate)]
    {
        routes.add(
            GET,
            &shelf.at("{name}", what),
            write,
            async move |shell: Shell, Path(name): Path<String>| {
                let (action, back) = (shelf.at(&name, what), shelf.one(&name));
                asked.question(shelf, &action).page(&shell, shelf.nav, &back)
            },
        );
        routes.add(
            POST,
            &shelf.at("{name}", what),
            write,
            async move |shell: Shell, Path(name): Path<String>, Fields(typed): Fields| {
                shell.answer(answered(&shell, shelf, &name, asked, typed)).await
            },
        );
    }
}

/// What is asked about before it is done.
#[derive(Clone, Copy)]
enum Asked {
    Delete,
    Recover,
    Rotate,
}

impl Asked {
    fn question<'a>(self, shelf: &Shelf, action: &'a str) -> Question<'a> {
        match self {
            Self::Delete => delete_question(shelf, action),
            Self::Recover => recover_question(action, &Typed::default()),
            Self::Rotate => rotate_question(action),
        }
    }
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

fn moment(at: Option<Timestamp>) -> Markup {
    match at {
        Some(at) => ui::time(at.micros()),
        None => html! { span.muted { "—" } },
    }
}

async fn one(shell: &Shell, shelf: &Shelf, name: &str) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let view = engine.destination(context, shelf.class, name).await?;
    let query = DeliveryQuery { destinations: vec![name.to_owned()], ..DeliveryQuery::default() };
    let recent = engine.deliveries(context, query, RECENT).await?;
    let versions = engine.destination_versions(context, shelf.class, name).await?;
    let bodies: Vec<serde_json::Value> =
        versions.iter().map(|(_, _, body, ..)| shelf.shown(body)).collect();
    let versions: Vec<_> = versions
        .iter()
        .zip(&bodies)
        .map(|((number, enabled, _, at, by), body)| super::version_list::Version {
            number: *number,
            enabled: *enabled,
            body,
            at: *at,
            by: by.as_deref(),
        })
        .collect();
    let may = shell.may(shelf.write);
    let says = match shelf.class {
        Class::Forwarder => view.definition.body(),
        Class::Channel => view.definition.channel_body(),
    };
    let title = match view.definition.title.as_str() {
        "" => name,
        title => title,
    };
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: shelf.plural, href: Some(shelf.root) },
            Crumb { label: name, href: None },
        ]))
        (ui::page_header(title, &view.definition.description, html! { @if may { (actions(shell, shelf, &view)) } }))
        @if let Some(error) = &view.row.course.last_error {
            (ui::alert_box(AlertKind::Error, &sentence(&format!("the last attempt failed: {error}"))))
        }
        div.columns {
            div id="destination-state" data-refresh="5" {
                (ui::section("state", "State", html! {}, facts(shelf, &view, shell.now())))
            }
            (ui::section("says", "What it says", html! {}, html! {
                (ui::json_block("definition", "Definition", &serde_json::to_string_pretty(&says).unwrap_or_default()))
            }))
        }
        (ui::section("recent", "Newest deliveries",
            html! { a href={"/deliveries?destination=" (name)} { "All of them" } },
            html! {
                @if recent.is_empty() { p.muted { "Nothing was sent yet." } }
                @else { (deliveries::table("recent-deliveries", &recent)) }
            }))
        (super::version_list::section(&versions))
    };
    Ok(shell.page(shelf.nav, title, body))
}

fn facts(shelf: &Shelf, view: &DestinationView, now: i64) -> Markup {
    let (row, backlog) = (&view.row, &view.backlog);
    let mut pairs = vec![
        ("State", state(view, now)),
        ("Kind", html! { (kind::label(&row.kind)) }),
        ("Sends to", ui::code(&view.endpoint)),
    ];
    if !shelf.is_channels() {
        pairs.push(("Folder", ui::code(&row.path)));
        pairs.push((
            "Log not looked at",
            html! { (backlog.log_entries) " entries, from index " (row.next_index) },
        ));
    }
    pairs.extend([
        (
            "Waiting",
            html! { (backlog.waiting) " deliveries" @if backlog.lag_s > 0 { ", the oldest for " (backlog.lag_s) " s" } },
        ),
        ("Given up", html! { (backlog.dead) " deliveries" }),
        ("Last tried", moment(row.course.last_attempt_at)),
        ("Last got through", moment(row.course.last_success_at)),
        ("Failed in a row", html! { (row.course.failures) }),
    ]);
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

fn actions(shell: &Shell, shelf: &Shelf, view: &DestinationView) -> Markup {
    let name = &view.row.name;
    let at = |what: &str| shelf.at(name, what);
    let form = |what: &str, label: &str, primary: bool| {
        html! { form method="post" action=(at(what)) { (ui::csrf_input(shell.csrf()))
        button.primary[primary] type="submit" { (label) } } }
    };
    html! {
        (form("test", "Try it out", true))
        (ui::button("Change", &at("edit"), None, false))
        @if view.row.enabled { (form("off", "Switch off", false)) } @else { (form("on", "Switch on", false)) }
        @if view.backlog.dead > 0 { (recover_question(&at("recover"), &Typed::default()).dialog(shell)) }
        @if !shelf.is_channels() {
            @let field = replay_field(&from_index(view.row.next_index.0));
            (replay_question(&at("replay"), field).dialog(shell))
        }
        @if view.secrets.iter().any(|secret| secret == "signing") { (rotate_question(&at("rotate")).dialog(shell)) }
        (delete_question(shelf, &at("delete")).dialog(shell))
    }
}

fn delete_question<'a>(shelf: &Shelf, action: &'a str) -> Question<'a> {
    let (title, submit) = match shelf.class {
        Class::Forwarder => ("Delete this forwarder?", "Delete the forwarder"),
        Class::Channel => ("Delete this channel?", "Delete the channel"),
    };
    Question {
        id: "delete-dialog",
        trigger: "Delete…",
        title,
        text: "What waits for it is given up. What was sent stays on record.",
        action,
        submit,
        is_final: true,
        fields: None,
    }
}

fn recover_question<'a>(action: &'a str, typed: &Typed) -> Question<'a> {
    let since = typed.field(
        "since",
        "since",
        "Made since",
        "A time such as 2026-11-01T00:00:00Z. Empty: all of them.",
    );
    Question {
        id: "recover-dialog",
        trigger: "Recover…",
        title: "Send again what was given up?",
        text: "Deliveries that were given up are put back, under their old identifiers.",
        action,
        submit: "Send them again",
        is_final: false,
        fields: Some(ui::field(&since)),
    }
}

/// The form of a replay, before anything was typed.
fn from_index(index: u64) -> Typed {
    Typed::default().or("from_index", index.to_string())
}

fn replay_field(typed: &Typed) -> Markup {
    let hint = "Every event of the log is numbered from 0.";
    let from = typed.field("from-index", "from_index", "From log index", hint);
    let hint = "Which is not sent any more. Empty: up to where the forwarder is now.";
    let to = typed.field("to-index", "to_index", "Up to log index", hint);
    html! {
        @if let Some(error) = typed.general_error(&["from_index", "to_index"]) {
            (ui::alert_box(AlertKind::Error, error))
        }
        (ui::field(&Field { kind: "number", required: true, ..from }))
        (ui::field(&Field { kind: "number", ..to }))
    }
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

async fn done(shell: &Shell, shelf: &Shelf, name: &str, deed: Deed) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let notice = match deed {
        Deed::On => {
            engine.switch_destination(context, shelf.class, name, true).await?;
            "It is switched on, and goes on where it was.".to_owned()
        }
        Deed::Off => {
            engine.switch_destination(context, shelf.class, name, false).await?;
            match shelf.class {
                Class::Forwarder => "It is switched off. What comes waits in the log.",
                Class::Channel => "It is switched off. What waits for it is kept.",
            }
            .to_owned()
        }
        Deed::Test => {
            let sent = engine.try_destination(context, shelf.class, name).await?;
            match (sent.failure, sent.status) {
                (None, Some(status)) => format!("The trial got through: the answer was {status}."),
                (None, None) => "The trial got through.".to_owned(),
                (Some(failure), _) => format!("The trial failed: {}.", failure.message),
            }
        }
    };
    Ok(shell.done(&shelf.one(name), &notice))
}

async fn answered(
    shell: &Shell,
    shelf: &Shelf,
    name: &str,
    asked: Asked,
    typed: Typed,
) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    match asked {
        Asked::Delete => {
            engine.delete_destination(context, shelf.class, name).await?;
            Ok(shell.done(shelf.root, &format!("The {} is deleted.", shelf.noun)))
        }
        Asked::Recover => {
            let since = match typed.some("since").map(|text| text.parse()).transpose() {
                Ok(since) => since.unwrap_or(Timestamp::from_micros(0)),
                Err(_) => {
                    let message = "a time such as 2026-11-01T00:00:00Z";
                    let typed = typed.refused(Error::invalid("since", message))?;
                    let action = shelf.at(name, "recover");
                    let question = recover_question(&action, &typed);
                    return Ok(asked_again(shell, shelf, name, &question));
                }
            };
            let count = engine.recover_deliveries(context, shelf.class, name, since).await?;
            let notice = format!("{count} deliveries wait to be sent again.");
            Ok(shell.done(&shelf.one(name), &notice))
        }
        Asked::Rotate => {
            let saved = engine.rotate_signing_secret(context, shelf.class, name, 24).await?;
            Ok(edit::told_once(shell, shelf, name, &saved.generated))
        }
    }
}

/// The question once more, with what was typed and what was wrong with it.
fn asked_again(shell: &Shell, shelf: &Shelf, name: &str, question: &Question<'_>) -> Response {
    let mut response = question.page(shell, shelf.nav, &shelf.one(name));
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response
}

async fn ask_replay(shell: Shell, Path(name): Path<String>) -> Response {
    let (action, back) = (format!("/forwarders/{name}/replay"), format!("/forwarders/{name}"));
    replay_question(&action, replay_field(&from_index(0))).page(&shell, Nav::Forwarders, &back)
}

async fn replay(shell: Shell, Path(name): Path<String>, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let number = |member: &'static str| {
                let number = typed.text(member).trim().parse::<u64>();
                number.map_err(|_| Error::invalid(member, "a whole number"))
            };
            let done = async {
                let from = number("from_index")?;
                let to = typed.some("to_index").map(|_| number("to_index")).transpose()?;
                shell.engine().replay_forwarder(shell.context(), &name, from, to).await
            };
            let removed = match done.await {
                Ok(removed) => removed,
                Err(error) => {
                    let action = FORWARDERS.at(&name, "replay");
                    let fields = replay_field(&typed.clone().refused(error)?);
                    let question = replay_question(&action, fields);
                    return Ok(asked_again(&shell, &FORWARDERS, &name, &question));
                }
            };
            let notice = match removed {
                0 => "It goes on from there.".to_owned(),
                some => format!(
                    "It goes on from there. {} events of that part left the database and are not sent.",
                    ui::grouped(some)
                ),
            };
            Ok(shell.done(&format!("/forwarders/{name}"), &notice))
        })
        .await
}
