//! Sources: which other systems may send their events, and what came of it.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::intake::{
    CreatedSource, NewSource, PollView, PollWish, SourceChange, SourceView,
};
use chancery_engine::{Permission, Secret};
use chancery_event::Dialect;
use maud::{Markup, html};

use super::{parts, shown_once};
use crate::edge::{Access, Problem, Routes};
use crate::page::form::Fields;
use crate::page::question::Question;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, ChoiceOption, Column, Field, Icon, Nav, Row, Table, Tone};

const PATH: &str = "/administration/sources";

pub(super) fn add(routes: &mut Routes) {
    let write = Access::Session(Permission::IntakeWrite);
    routes.add(GET, PATH, Access::Session(Permission::IntakeRead), show);
    routes.add(POST, PATH, write, create);
    routes.add(POST, "/administration/sources/{name}", write, change);
    for asked in [Asked::Renew, Asked::Delete] {
        let path = format!("{PATH}/{{name}}/{}", asked.word());
        routes.add(GET, &path, write, async move |shell: Shell, Path(name): Path<String>| {
            shell.answer(ask(&shell, &name, asked)).await
        });
        routes.add(
            POST,
            &path,
            write,
            async move |shell: Shell, Path(name): Path<String>, _: Fields| {
                shell.answer(answered(&shell, &name, asked)).await
            },
        );
    }
    routes.add(GET, "/administration/sources/{name}/edit", write, edit);
    routes.add(POST, "/administration/sources/{name}/edit", write, save);
}

/// What is asked about before it is done.
#[derive(Clone, Copy)]
enum Asked {
    Renew,
    Delete,
}

impl Asked {
    fn word(self) -> &'static str {
        match self {
            Self::Renew => "renew",
            Self::Delete => "delete",
        }
    }

    /// The question, for those that `of` tells apart on one page.
    fn question<'a>(self, of: &'a Asking) -> Question<'a> {
        let (trigger, text, submit, is_final) = match self {
            Self::Renew => (
                "New secret…",
                "The secret that it sends with is refused from now on. The new one is shown once.",
                "Make a new secret",
                false,
            ),
            Self::Delete => (
                "Delete…",
                "What it sends is refused from now on, and its secret is gone. Its events stay.",
                "Delete the source",
                true,
            ),
        };
        Question {
            id: &of.id,
            trigger,
            title: &of.title,
            text,
            action: &of.action,
            submit,
            is_final,
            fields: None,
        }
    }
}

/// One question about one source.
struct Asking {
    id: String,
    title: String,
    action: String,
}

impl Asking {
    fn of(name: &str, asked: Asked) -> Self {
        let word = asked.word();
        let title = match asked {
            Asked::Renew => format!("Replace the secret of {name}?"),
            Asked::Delete => format!("Delete the source {name}?"),
        };
        let (id, action) = (format!("{word}-{name}"), format!("{PATH}/{name}/{word}"));
        Self { id, title, action }
    }
}

async fn ask(shell: &Shell, name: &str, asked: Asked) -> Result<Response, Problem> {
    let source = find(shell, name).await?;
    let asking = Asking::of(&source.name, asked);
    Ok(asked.question(&asking).page(shell, Nav::Administration, PATH))
}

async fn answered(shell: &Shell, name: &str, asked: Asked) -> Result<Response, Problem> {
    match asked {
        Asked::Renew => Ok(match renewed(shell, name).await? {
            Some(made) => told(shell, &made),
            None => shell.done(PATH, "The source has a new secret."),
        }),
        Asked::Delete => {
            shell.engine().delete_intake_source(shell.context(), name).await?;
            Ok(shell.done(PATH, "The source is gone; its events stay."))
        }
    }
}

async fn show(shell: Shell) -> Response {
    shell.answer(view(&shell, &Typed::default().or("dialect", "cloudevents"))).await
}

/// The dialects that can be read, each once.
fn choices() -> Vec<ChoiceOption<'static>> {
    let modes = [Dialect::CloudEventsBinary, Dialect::OktaHook, Dialect::AkeylessTypes];
    let choice = |dialect: &Dialect| ChoiceOption { value: dialect.name(), label: dialect.label() };
    Dialect::ALL.iter().filter(|dialect| !modes.contains(dialect)).map(choice).collect()
}

async fn view(shell: &Shell, typed: &Typed) -> Result<Response, Problem> {
    let sources = shell.engine().intake_sources(shell.context()).await?;
    let body = html! {
        (ui::page_header("Administration", "Other systems that send their events here.", html! {}))
        (parts(shell, PATH))
        @if sources.is_empty() {
            (ui::empty_state("No sources", "A source is a system that sends its events here: Okta, Akeyless, Horizon, CZERTAINLY, anything that speaks CloudEvents or syslog. Its events stand in the same log, under its name.", None))
        } @else {
            (table(shell, &sources))
        }
        @if shell.may(Permission::IntakeWrite) {
            (ui::section("new-source", "New source", html! {}, form(shell, typed)))
        }
    };
    let mut response = shell.page(Nav::Administration, "Sources", body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn table(shell: &Shell, sources: &[SourceView]) -> Markup {
    let columns = [
        Column::new("Name"),
        Column::new("Speaks"),
        Column::new("Comes by"),
        Column::new("State"),
        Column::new("Taken in"),
        Column::new("Repeated").optional(),
        Column::new("Unknown codes").optional(),
        Column::new("Refused"),
        Column::new("Last"),
        Column::new("Action"),
    ];
    let rows: Vec<Row> = sources.iter().map(|source| row(shell, source)).collect();
    ui::data_table(&Table {
        id: "source-list",
        caption: "Sources, by name",
        columns: &columns,
        rows: &rows,
    })
}

fn row(shell: &Shell, source: &SourceView) -> Row {
    let state = if source.enabled {
        ui::badge(Tone::Good, Icon::Check, "Active")
    } else {
        ui::badge(Tone::Neutral, Icon::Deny, "Disabled")
    };
    let last = match source.last_at {
        Some(at) => ui::relative(at.micros(), shell.now()),
        None => html! { span.muted { "never" } },
    };
    let toggle = if source.enabled { ("disable", "Disable") } else { ("enable", "Enable") };
    let buttons = html! {
        @if shell.may(Permission::IntakeWrite) {
            div.actions {
                form.inline method="post" action={(PATH) "/" (source.name)} {
                    (ui::csrf_input(shell.csrf()))
                    button type="submit" name="do" value=(toggle.0) {
                        (toggle.1) span.visually-hidden { " " (source.name) }
                    }
                }
                a.button href={(PATH) "/" (source.name) "/edit"} {
                    "Edit" span.visually-hidden { " " (source.name) }
                }
                @for asked in [Asked::Renew, Asked::Delete] {
                    @let asking = Asking::of(&source.name, asked);
                    (asked.question(&asking).dialog(shell))
                }
            }
        }
    };
    Row {
        href: None,
        tone: None,
        cells: vec![
            html! { a href={"/events?q=source:" (source.name)} { (source.name) } },
            html! { (source.dialect) },
            ways(source),
            html! {
                (state)
                @if let Some(poll) = &source.poll { @if poll.failures > 0 {
                    " " (ui::badge(Tone::Bad, Icon::Warning, "Fetching fails"))
                    " " span.muted { (poll.error.as_deref().unwrap_or_default()) }
                } }
            },
            html! { (source.accepted) },
            html! { (source.repeated) },
            html! { (source.unknown) },
            html! {
                (source.refused)
                @if source.dropped > 0 { " " span.muted { (source.dropped) " dropped" } }
                @if let Some(problem) = &source.last_problem { " " span.muted { (problem) } }
            },
            last,
            buttons,
        ],
    }
}

/// By which ways its events come.
fn ways(source: &SourceView) -> Markup {
    html! {
        "HTTP"
        @if !source.addresses.is_empty() || !source.certificates.is_empty() { ", syslog" }
        @if let Some(poll) = &source.poll { ", fetched from " (poll.url) }
    }
}

/// Names of the members of the form that says how else events come.
const MEMBERS: [&str; 8] = [
    "addresses",
    "certificates",
    "poll/url",
    "poll/token",
    "poll/filter",
    "poll/every_s",
    "poll/since",
    "poll/ca",
];

/// The tick that takes trust anchors away.
const CA_GONE: &str = "poll/ca/gone";

/// A text as the items of a list.
fn items(text: &str) -> Vec<String> {
    let parts = text.split([',', '\n', ' ']).map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

async fn edit(shell: Shell, Path(name): Path<String>) -> Response {
    shell
        .answer(async {
            let source = find(&shell, &name).await?;
            let mut typed = Typed::default()
                .or("addresses", source.addresses.join(", "))
                .or("certificates", source.certificates.join(", "));
            if let Some(PollView { url, filter, every_s, .. }) = &source.poll {
                typed = typed
                    .or("poll/url", url)
                    .or("poll/filter", filter.as_deref().unwrap_or_default())
                    .or("poll/every_s", every_s.to_string());
            }
            edit_view(&shell, &source, &typed)
        })
        .await
}

async fn find(shell: &Shell, name: &str) -> Result<SourceView, Problem> {
    let sources = shell.engine().intake_sources(shell.context()).await?;
    let found = sources.into_iter().find(|source| source.name == name);
    found.ok_or_else(|| chancery_engine::Error::not_found("source", name).into())
}

fn edit_view(shell: &Shell, source: &SourceView, typed: &Typed) -> Result<Response, Problem> {
    let can_poll = source.dialect == "okta";
    let body = html! {
        (ui::page_header(&source.name, "By which ways its events come, besides HTTP with its secret.", html! {}))
        (parts(shell, PATH))
        @if let Some(error) = typed.general_error(&MEMBERS) {
            (ui::alert_box(AlertKind::Error, error))
        }
        (ui::post_form(&format!("{PATH}/{}/edit", source.name), shell.csrf(), false, html! {
            (ui::section("syslog", "Syslog", html! {}, html! {
                p.hint { "Lines that come to the listeners of this server are this source's if address and certificate fit. With both fields empty it sends no syslog." }
                (ui::field(&typed.field("addresses", "addresses", "Addresses", "Ranges such as 10.0.0.0/8, separated by commas.")))
                (ui::field(&typed.field("certificates", "certificates", "Client certificates", "SHA-256 fingerprints, or common or DNS names, separated by commas.")))
            }))
            @if can_poll {
                (ui::section("poll", "Fetched from Okta", html! {}, html! {
                    (ui::field(&typed.field("url", "poll/url", "Address", "Such as https://example.okta.com. Empty: nothing is fetched.")))
                    (ui::field(&Field { kind: "password", autocomplete: "off", ..typed.field("token", "poll/token", "API token", "Kept encrypted and never shown. Empty: the one that is kept.") }))
                    (ui::field(&typed.field("filter", "poll/filter", "Filter", "Such as eventType sw \"pki.\"; empty: everything.")))
                    (ui::field(&typed.field("every", "poll/every_s", "Asked every, in seconds", "10 to 86400; empty: as it is, at first 60.")))
                    (ui::field(&typed.field("since", "poll/since", "Begin at", "A time such as 2026-11-01T00:00:00Z. Empty: a day ago at first, later where it is.")))
                    @let has_ca = source.poll.as_ref().is_some_and(|poll| poll.has_ca);
                    @let hint = if has_ca { "PEM. It has some; empty: they stay." } else { "PEM; empty: those of the machine." };
                    (ui::text_area(&typed.field("ca", "poll/ca", "Trust anchors", hint), 4, true))
                    @if has_ca {
                        (ui::check_field(&Field { value: "1", ..typed.field("ca-gone", CA_GONE, "Take the trust anchors away", "Those of the machine count then.") }, typed.has(CA_GONE)))
                    }
                    @if let Some(poll) = &source.poll { (course(shell, poll)) }
                }))
            }
            div.actions { (ui::submit("Save", Tone::Info)) }
        }))
    };
    let mut response = shell.page(Nav::Administration, &source.name, body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// How fetching goes.
fn course(shell: &Shell, poll: &PollView) -> Markup {
    let time = |at: Option<chancery_event::Timestamp>| match at {
        Some(at) => ui::relative(at.micros(), shell.now()),
        None => html! { "never" },
    };
    html! {
        p.hint {
            "Last answer: " (time(poll.answered_at)) ". Next: " (time(poll.next_at)) "."
            @if poll.failures > 0 {
                " " (poll.failures) " failures in a row: "
                (poll.error.as_deref().unwrap_or("unknown")) "."
            }
        }
    }
}

fn poll_wish(typed: &Typed) -> Result<PollWish, chancery_engine::Error> {
    let text = |name: &str| Some(typed.text(name).trim().to_owned()).filter(|t| !t.is_empty());
    let wrong = |name: &str, what: &str| chancery_engine::Error::invalid(name, what.to_owned());
    let number = |text: String| text.parse().map_err(|_| wrong("poll/every_s", "a number"));
    let time = |text: String| {
        text.parse().map_err(|_| wrong("poll/since", "a time such as 2026-11-01T00:00:00Z"))
    };
    Ok(PollWish {
        url: text("poll/url").unwrap_or_default(),
        // The form shows what there is: an empty field takes it away.
        filter: Some(typed.text("poll/filter").trim().to_owned()),
        every_s: text("poll/every_s").map(number).transpose()?,
        since: text("poll/since").map(time).transpose()?,
        // It does not show trust anchors, which only a tick takes away.
        ca: text("poll/ca").or_else(|| typed.has(CA_GONE).then(String::new)),
        token: text("poll/token").map(Secret::new),
    })
}

async fn save(shell: Shell, Path(name): Path<String>, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let source = find(&shell, &name).await?;
            let wish = match poll_wish(&typed) {
                Ok(wish) => wish,
                Err(error) => return edit_view(&shell, &source, &typed.refused(error)?),
            };
            let polls = source.dialect == "okta" && !wish.url.is_empty();
            let change = SourceChange {
                addresses: Some(items(typed.text("addresses"))),
                certificates: Some(items(typed.text("certificates"))),
                stop_polling: !polls && source.poll.is_some(),
                poll: polls.then_some(wish),
                ..SourceChange::default()
            };
            match shell.engine().update_intake_source(shell.context(), &name, change).await {
                Ok(_) => Ok(shell.done(PATH, "The source is changed.")),
                Err(error) => edit_view(&shell, &source, &typed.refused(error)?),
            }
        })
        .await
}

fn form(shell: &Shell, typed: &Typed) -> Markup {
    let name = Field {
        required: true,
        autocomplete: "off",
        ..typed.field("name", "name", "Name", "Lower-case letters, digits and hyphens.")
    };
    let dialect = Field {
        required: true,
        ..typed.field("dialect", "dialect", "Speaks", "Its event format.")
    };
    html! {
        @if let Some(error) = typed.general_error(&["name", "dialect"]) {
            (ui::alert_box(AlertKind::Error, error))
        }
        (ui::post_form(PATH, shell.csrf(), false, html! {
            (ui::field(&name))
            (ui::select_field(&dialect, &choices()))
            p.hint { "A secret is made and shown once; the source sends it with its events." }
            div.actions { (ui::submit("Make source", Tone::Info)) }
        }))
    }
}

fn told(shell: &Shell, made: &CreatedSource) -> Response {
    let base = shell.engine().settings().public_url.trim_end_matches('/').to_owned();
    let what =
        format!("It sends to {base}/intake/{} with this secret as a bearer token.", made.name);
    shown_once(shell, "The secret of the source", &what, made.secret.expose(), ("Sources", PATH))
}

async fn create(shell: Shell, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let new = NewSource {
                name: typed.text("name").trim().to_owned(),
                dialect: typed.text("dialect").to_owned(),
                ..NewSource::default()
            };
            match shell.engine().create_intake_source(shell.context(), new).await {
                Ok(made) => Ok(told(&shell, &made)),
                Err(error) => view(&shell, &typed.refused(error)?).await,
            }
        })
        .await
}

async fn change(shell: Shell, Path(name): Path<String>, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let (engine, context) = (shell.engine(), shell.context());
            let done = match typed.text("do") {
                word @ ("enable" | "disable") => {
                    let change =
                        SourceChange { enabled: Some(word == "enable"), ..SourceChange::default() };
                    engine.update_intake_source(context, &name, change).await?;
                    "The source is changed."
                }
                _ => {
                    let message = "one of enable, disable";
                    return Err(chancery_engine::Error::invalid("do", message).into());
                }
            };
            Ok(shell.done(PATH, done))
        })
        .await
}

async fn renewed(shell: &Shell, name: &str) -> Result<Option<CreatedSource>, Problem> {
    let change = SourceChange { renew_secret: true, ..SourceChange::default() };
    Ok(shell.engine().update_intake_source(shell.context(), name, change).await?)
}
