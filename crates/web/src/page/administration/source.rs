//! Sources: which other systems may send their events, and what came of it.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::intake::{CreatedSource, NewSource, SourceView};
use chancery_event::Dialect;
use maud::{Markup, html};

use super::{parts, shown_once};
use crate::edge::{Access, Problem, Routes};
use crate::page::form::Fields;
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
            form.inline method="post" action={(PATH) "/" (source.name)} {
                (ui::csrf_input(shell.csrf()))
                @for (value, label) in [toggle, ("renew", "New secret"), ("delete", "Delete")] {
                    button type="submit" name="do" value=(value) {
                        (label) span.visually-hidden { " " (source.name) }
                    }
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
            state,
            html! { (source.accepted) },
            html! { (source.repeated) },
            html! { (source.unknown) },
            html! {
                (source.refused)
                @if let Some(problem) = &source.last_problem { " " span.muted { (problem) } }
            },
            last,
            buttons,
        ],
    }
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
                "delete" => {
                    engine.delete_intake_source(context, &name).await?;
                    "The source is gone; its events stay."
                }
                "renew" => {
                    let made = engine.update_intake_source(context, &name, None, true).await?;
                    if let Some(made) = made {
                        return Ok(told(&shell, &made));
                    }
                    "The source has a new secret."
                }
                word => {
                    let enabled = Some(word == "enable");
                    engine.update_intake_source(context, &name, enabled, false).await?;
                    "The source is changed."
                }
            };
            Ok(shell.done(PATH, done))
        })
        .await
}
