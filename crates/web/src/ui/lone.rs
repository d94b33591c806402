//! Pages that stand alone: before signing in, and where something failed.
//!
//! They never tell why a sign-in was refused, nor anything internal about a failure.

use maud::{Markup, html};

use super::layout::document;
use super::{
    AlertKind, Field, Preferences, Tone, alert_box, csrf_input, field, page_header, seal_logo,
    submit,
};

/// What the page before signing in needs.
#[derive(Debug, Clone)]
pub struct LoginFrame<'a> {
    /// What was chosen on this browser.
    pub preferences: Preferences,
    /// A token bound to this browser.
    pub csrf: &'a str,
    /// The name typed before.
    pub name: &'a str,
    /// Why the last try failed; one text for all reasons.
    pub error: Option<&'a str>,
    /// Where to go afterwards; a path of ours.
    pub next: &'a str,
    /// A notice of the organisation, or empty.
    pub notice: &'a str,
    /// Version of the program.
    pub version: &'a str,
}

/// The page before signing in.
#[must_use]
pub fn login_page(login: &LoginFrame<'_>) -> Markup {
    let name = Field {
        id: "login-name",
        name: "name",
        label: "Name",
        value: login.name,
        required: true,
        autocomplete: "username",
        ..Field::default()
    };
    let password = Field {
        id: "login-password",
        name: "password",
        label: "Password",
        kind: "password",
        required: true,
        autocomplete: "current-password",
        ..Field::default()
    };
    let inner = html! {
        main.lone id="main" {
            div.login {
                (seal_logo())
                h1 { "Chancery" }
                p.subtitle { "Every certificate, every event, under seal." }
                @if let Some(error) = login.error { (alert_box(AlertKind::Error, error)) }
                form.form method="post" action="/login" {
                    (csrf_input(login.csrf))
                    input type="hidden" name="next" value=(login.next);
                    (field(&name)) (field(&password)) (submit("Sign in", Tone::Info))
                }
                @if !login.notice.is_empty() { p.hint { (login.notice) } }
                p.muted.version { "Version " (login.version) }
            }
        }
    };
    document("Sign in", login.preferences, inner)
}

/// A whole page that says what went wrong, for those who are not signed in.
#[must_use]
pub fn lone_error(preferences: Preferences, status: u16, title: &str, detail: &str) -> Markup {
    let inner = html! {
        main.lone id="main" {
            div.login {
                (seal_logo())
                p.failed-status { (status) }
                h1 { (title) }
                @if !detail.is_empty() { p.muted { (sentence(detail)) } }
                p { a.button.primary href="/" { span { "To the start" } } }
            }
        }
    };
    document(title, preferences, inner)
}

/// The body of a page that failed: what happened in words, and a way on. Put it into [`super::layout`].
#[must_use]
pub fn error_page(status: u16, title: &str, detail: &str, way_on: Option<(&str, &str)>) -> Markup {
    html! {
        div.failed {
            p.failed-status { (status) }
            (page_header(title, &sentence(detail), html! {}))
            div.actions {
                @if let Some((label, href)) = way_on {
                    a.button.primary href=(href) { span { (label) } }
                }
                a.button href="/" { span { "Home" } }
            }
        }
    }
}

/// A detail as a sentence: it begins with a capital letter and ends with a stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let stop = if text.ends_with(['.', '?', '!', '…']) { "" } else { "." };
    format!("{}{}{stop}", first.to_uppercase(), letters.as_str())
}
