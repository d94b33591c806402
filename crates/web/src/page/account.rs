//! One's own account: password, tokens, theme.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::access::{NewToken, PASSWORD_LENGTH_MIN, SessionView};
use chancery_engine::{Error, Permission, Secret};
use chancery_event::Timestamp;
use chancery_event::id::SessionId;
use maud::{Markup, html};

use super::administration::{role_choices, shown_once, token_table};
use super::confirmation;
use super::form::Fields;
use super::shell::Shell;
use super::typed::Typed;
use super::{GET, POST};
use crate::edge::{Access, Problem, Routes, path_of};
use crate::ui::{self, AlertKind, Column, Field, Nav, Row, Table, Tone};

pub(super) fn add(routes: &mut Routes) {
    let access = Access::Session(Permission::OwnWrite);
    routes.add(GET, "/account", access, show);
    routes.add(GET, "/account/password", access, password_form);
    routes.add(POST, "/account/password", access, change_password);
    routes.add(POST, "/account/tokens", access, make_token);
    routes.add(POST, "/account/sessions/{id}/end", access, end_session);
}

async fn show(shell: Shell) -> Response {
    shell.answer(view(&shell, &Typed::default())).await
}

async fn view(shell: &Shell, typed: &Typed) -> Result<Response, Problem> {
    let Some(identity) = shell.caller.identity() else { return Err(Problem::unauthenticated()) };
    let own = shell.engine().account(shell.context(), identity.account).await?;
    let never = || html! { span.muted { "never" } };
    let moment = |at: Option<Timestamp>| at.map_or_else(never, |at| ui::time(at.micros()));
    let mut tokens = shell.engine().tokens(shell.context()).await?;
    tokens.retain(|token| token.account == identity.account);
    let sessions = shell.engine().sessions(shell.context()).await?;
    let body = html! {
        (ui::page_header("Your account", &identity.display_name, html! {}))
        div.columns {
            (ui::section("who", "You", html! {}, html! {
                (ui::key_values(&[
                    ("Login name", ui::code(&identity.name)),
                    ("Role", html! { (identity.role.as_str()) }),
                    ("Your account ends", moment(own.expires_at)),
                    ("Password set", moment(own.password_set_at)),
                    ("Password to be changed", moment(own.password_ends_at)),
                    ("You may", html! { span.wrap {
                        @for permission in Permission::ALL.iter().filter(|p| shell.may(**p)) {
                            (ui::code(permission.as_str()))
                        }
                    } }),
                ]))
                p { a href="/account/contact" { "How notifications reach you" } }
                form method="post" action="/logout" {
                    (ui::csrf_input(shell.csrf()))
                    button type="submit" { "Sign out" }
                }
            }))
            (ui::section("password", "Password", html! {}, password_fields(shell, &Typed::default())))
        }
        (ui::section("sessions", "Where you are signed in", html! {}, session_table(shell, &sessions)))
        (ui::section("tokens", "Your API tokens", html! { a href="/docs/api" { "About the API" } }, html! {
            @if tokens.is_empty() { p.muted { "None yet. Programs sign in with tokens instead of your password." } }
            @else { (token_table(shell, &tokens, "/account", true)) }
            (token_form(shell, typed))
        }))
    };
    Ok(refused(shell.page(Nav::Elsewhere, "Your account", body), typed))
}

/// One's sessions, each but the present one with the button that ends it.
fn session_table(shell: &Shell, sessions: &[SessionView]) -> Markup {
    let columns = [
        Column::new("Signed in"),
        Column::new("Last used"),
        Column::new("Ends at the latest").optional(),
        Column::new("Action"),
    ];
    let now = shell.now();
    let rows: Vec<Row> = sessions
        .iter()
        .map(|session| Row {
            href: None,
            tone: None,
            cells: vec![
                ui::time(session.created_at.micros()),
                ui::relative(session.seen_at.micros(), now),
                ui::time(session.expires_at.micros()),
                html! {
                    @if session.present { span.muted { "this browser" } }
                    @else {
                        form.inline method="post" action={"/account/sessions/" (session.id) "/end"} {
                            (ui::csrf_input(shell.csrf()))
                            button type="submit" {
                                "End"
                                span.visually-hidden { " the session of " (ui::time(session.created_at.micros())) }
                            }
                        }
                    }
                },
            ],
        })
        .collect();
    ui::data_table(&Table {
        id: "session-list",
        caption: "Your sessions, newest first",
        columns: &columns,
        rows: &rows,
    })
}

async fn end_session(shell: Shell, Path(id): Path<String>, _: Fields) -> Response {
    shell
        .answer(async {
            shell.engine().end_session(shell.context(), path_of::<SessionId>(&id)?).await?;
            Ok(shell.done("/account#sessions", "The session has ended."))
        })
        .await
}

fn refused(mut response: Response, typed: &Typed) -> Response {
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}

fn token_form(shell: &Shell, typed: &Typed) -> Markup {
    let role = shell.caller.identity().map_or("viewer", |identity| identity.role.as_str());
    let typed = typed.clone().or("days", "90").or("role", role);
    let name = Field { required: true, ..typed.field("token-name", "name", "What it is for", "") };
    let days = Field {
        required: true,
        kind: "number",
        ..typed.field("token-days", "days", "Days until it ends", "At most 366.")
    };
    let role = Field {
        required: true,
        ..typed.field("token-role", "role", "Role", "Never more than your own.")
    };
    html! {
        h3 { "New token" }
        @if let Some(error) = typed.general_error(&["name", "days", "role"]) {
            (ui::alert_box(AlertKind::Error, error))
        }
        (ui::post_form("/account/tokens", shell.csrf(), false, html! {
            (ui::field(&name)) (ui::field(&days)) (ui::select_field(&role, &role_choices()))
            div.actions { (ui::submit("Make token", Tone::Info)) }
        }))
    }
}

async fn make_token(mut shell: Shell, Fields(typed): Fields) -> Response {
    if let Some(question) = confirmation::asked(&mut shell, "/account/tokens", &typed).await {
        return question;
    }
    shell
        .answer(async {
            let made = async {
                let days = typed.text("days").parse();
                let new = NewToken {
                    name: typed.text("name").to_owned(),
                    account: None,
                    role: Some(typed.text("role").to_owned()),
                    days: days.map_err(|_| Error::invalid("days", "a whole number of days"))?,
                };
                shell.engine().create_token(shell.context(), new).await
            };
            match made.await {
                Ok(token) => {
                    let what = format!("For {}.", typed.text("name"));
                    let back = ("To your account", "/account#tokens");
                    Ok(shown_once(&shell, "Token made", &what, token.secret.expose(), back))
                }
                Err(error) => view(&shell, &typed.refused(error)?).await,
            }
        })
        .await
}

async fn password_form(shell: Shell) -> Response {
    password_page(&shell, &Typed::default())
}

fn password_page(shell: &Shell, typed: &Typed) -> Response {
    let identity = shell.caller.identity();
    let must = identity.is_some_and(|identity| identity.must_change);
    let why = match identity.is_some_and(|identity| identity.password_over) {
        true => {
            "Your password has reached the age that passwords may reach here. Choose another one to go on."
        }
        false => "Your password must be changed before you go on.",
    };
    let body = html! {
        (ui::page_header("Change your password", "", html! {}))
        @if must {
            (ui::alert_box(AlertKind::Warning, why))
        }
        (ui::section("password", "Password", html! {}, password_fields(shell, typed)))
    };
    refused(shell.page(Nav::Elsewhere, "Change your password", body), typed)
}

fn password_fields(shell: &Shell, typed: &Typed) -> Markup {
    let hint = format!("At least {PASSWORD_LENGTH_MIN} characters. Length matters, signs do not.");
    let identity = shell.caller.identity();
    let field = |id, name, label, hint, autocomplete| Field {
        id,
        name,
        label,
        hint,
        kind: "password",
        required: true,
        autocomplete,
        error: typed.error(name),
        ..Field::default()
    };
    html! {
        @if let Some(error) = typed.general_error(&["present_password", "new", "again"]) {
            (ui::alert_box(AlertKind::Error, error))
        }
        (ui::post_form("/account/password", shell.csrf(), false, html! {
            // Password managers file the new password under this name.
            input.visually-hidden type="text" name="username" value=(identity.map_or("", |i| i.name.as_str()))
                autocomplete="username" tabindex="-1" aria-hidden="true" readonly;
            (ui::field(&field("present", "present_password", "Present password", "", "current-password")))
            (ui::field(&field("new", "new", "New password", &hint, "new-password")))
            (ui::field(&field("again", "again", "New password again", "", "new-password")))
            p.hint { "Your other sessions end." }
            div.actions { (ui::submit("Change password", Tone::Info)) }
        }))
    }
}

async fn change_password(shell: Shell, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let changed = if typed.raw("new") == typed.raw("again") {
                let secret = |name: &str| Secret::new(typed.raw(name).to_owned());
                let (present, new) = (secret("present_password"), secret("new"));
                shell.engine().change_own_password(shell.context(), present, new).await
            } else {
                Err(Error::invalid("again", "the two are not the same"))
            };
            match changed {
                Ok(()) => Ok(shell.done("/", "Your password is changed.")),
                Err(Error::WrongCredentials) => {
                    let error = Error::invalid("present_password", "it is not your password");
                    Ok(password_page(&shell, &typed.refused(error)?))
                }
                Err(Error::Invalid { field, message }) => {
                    let field = if field == "password" { "new".to_owned() } else { field };
                    Ok(password_page(&shell, &typed.refused(Error::Invalid { field, message })?))
                }
                Err(error) => Ok(password_page(&shell, &typed.refused(error)?)),
            }
        })
        .await
}
