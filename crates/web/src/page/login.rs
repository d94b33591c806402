//! Signing in and out, and the choices kept on the browser.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use chancery_engine::{Error, Permission, Secret};

use super::form::Fields;
use super::shell::{Shell, own_path, see_other};
use super::typed::{Typed, sentence};
use super::{GET, POST};
use crate::edge::{Access, Routes, clear_session_cookie, mark, mark_cookie, session_cookie};
use crate::ui::{self, LoginFrame};

/// What whoever is not let in is told, whatever the reason.
const WRONG: &str = "The name or the password is wrong. After five wrong passwords in a row an \
                     account takes none for 15 minutes.";

pub(super) fn add(routes: &mut Routes) {
    routes.add(GET, "/login", Access::Public, form);
    routes.add(POST, "/login", Access::Public, sign_in);
    routes.add(POST, "/logout", Access::Session(Permission::OwnWrite), sign_out);
    routes.add(POST, "/preferences", Access::Session(Permission::OwnWrite), prefer);
}

async fn form(shell: Shell) -> Response {
    let next = own_path(shell.address.value("next").unwrap_or("/"));
    if shell.caller.identity().is_some() {
        return see_other(next);
    }
    login(&shell, "", next, None)
}

fn login(shell: &Shell, name: &str, next: &str, error: Option<&str>) -> Response {
    let demo = shell.state.options.demo;
    let page = ui::login_page(&LoginFrame {
        preferences: shell.preferences(),
        csrf: "",
        name,
        error,
        next,
        notice: if demo { "This is a demonstration: what you enter is thrown away." } else { "" },
        version: env!("CARGO_PKG_VERSION"),
    });
    Html(page.into_string()).into_response()
}

async fn sign_in(shell: Shell, headers: HeaderMap, Fields(typed): Fields) -> Response {
    let next = own_path(typed.raw("next")).to_owned();
    let name = typed.text("name").to_owned();
    let password = Secret::new(typed.raw("password").to_owned());
    let client = shell.context().client.clone();
    let options = &shell.state.options;
    let known = mark(&headers, options);
    match shell.engine().log_in_marked(client, known, &name, password).await {
        Ok(session) => {
            let mut response =
                see_other(if session.must_change { "/account/password" } else { &next });
            for cookie in [session_cookie(options, &session), mark_cookie(options, &session)] {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(error) => refused(&shell, &typed, &next, error),
    }
}

fn refused(shell: &Shell, typed: &Typed, next: &str, error: Error) -> Response {
    let (status, retry) = match &error {
        // One answer for both: whether there is an account of this name is nobody's business.
        Error::WrongCredentials | Error::Locked { .. } => (StatusCode::UNAUTHORIZED, None),
        Error::RateLimited { seconds } => (StatusCode::TOO_MANY_REQUESTS, Some(*seconds)),
        _ => return shell.failed(&error.into()),
    };
    let text = match &error {
        Error::RateLimited { .. } => sentence(&error.to_string()),
        _ => WRONG.to_owned(),
    };
    let mut response = login(shell, typed.text("name"), next, Some(&text));
    *response.status_mut() = status;
    if let Some(seconds) = retry {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

async fn sign_out(shell: Shell) -> Response {
    // A session that has gone meanwhile is signed out all the same.
    if let Err(error) = shell.engine().log_out(shell.context()).await {
        tracing::info!(%error, "a session ended before it was signed out");
    }
    let mut response = see_other("/login");
    let cookie = clear_session_cookie(&shell.state.options);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// Keeps theme and zone in cookies, for those without scripts, and goes back to where they were.
async fn prefer(shell: Shell, headers: HeaderMap, Fields(typed): Fields) -> Response {
    let mut response = see_other(&came_from(&headers));
    let secure = if shell.state.options.secure_cookies { "; Secure" } else { "" };
    let choices = [("theme", &["auto", "light", "dark"][..]), ("zone", &["utc", "local"][..])];
    for (name, known) in choices {
        let Some(value) = known.iter().find(|value| **value == typed.text(name)) else { continue };
        let cookie = format!("{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax{secure}");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// The path of the page a form stood on. The host is left out, so that it cannot be another one.
fn came_from(headers: &HeaderMap) -> String {
    let referer = headers.get(header::REFERER).and_then(|value| value.to_str().ok());
    let path = referer.and_then(|text| {
        let (_, rest) = text.split_once("://")?;
        rest.find('/').map(|at| rest[at..].to_owned())
    });
    path.unwrap_or_else(|| "/".to_owned())
}
