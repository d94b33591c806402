//! The password asked for again before what gives power away. The page that asks keeps what was
//! typed and sends it on with the password, so nothing is lost, and no script is needed.

use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::{Error, Secret};
use maud::html;

use super::shell::Shell;
use super::typed::{Typed, sentence};
use crate::ui::{self, Field, Nav, Tone};

/// The field for the password.
const PASSWORD: &str = "confirm_password";
/// Fields of the page itself.
const OWN: [&str; 3] = ["csrf", "username", PASSWORD];

/// The page that asks for the password, if it is due before `typed` may go to `action`. `None`: go
/// on.
pub(super) async fn asked(shell: &mut Shell, action: &str, typed: &Typed) -> Option<Response> {
    if !shell.engine().confirmation_is_due(shell.context()) {
        return None;
    }
    if !typed.has(PASSWORD) {
        return Some(page(shell, action, typed, ""));
    }
    let password = Secret::new(typed.raw(PASSWORD).to_owned());
    match shell.engine().confirm_session(shell.context(), password).await {
        Ok(at) => {
            shell.caller.confirmed(at);
            None
        }
        Err(Error::Invalid { message, .. }) => {
            let mut response = page(shell, action, typed, &sentence(&message));
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Some(response)
        }
        Err(error) => Some(shell.failed(&error.into())),
    }
}

fn page(shell: &Shell, action: &str, typed: &Typed, error: &str) -> Response {
    let field = Field {
        id: "confirm-password",
        name: PASSWORD,
        label: "Your password",
        kind: "password",
        autocomplete: "current-password",
        required: true,
        error,
        ..Field::default()
    };
    let name = shell.caller.identity().map_or("", |identity| identity.name.as_str());
    let why =
        "What you are about to do gives power away, and you gave your password some time ago.";
    let body = html! {
        (ui::page_header("Is it you?", why, html! {}))
        (ui::post_form(action, shell.csrf(), false, html! {
            @for (name, value) in typed.pairs().filter(|(name, _)| !OWN.contains(name)) {
                input type="hidden" name=(name) value=(value);
            }
            // Password managers look for the name that belongs to the password.
            input.visually-hidden type="text" name="username" value=(name)
                autocomplete="username" tabindex="-1" aria-hidden="true" readonly;
            (ui::field(&field))
            p.hint { "Nothing is done before. What you entered is kept." }
            div.actions { (ui::submit("Go on", Tone::Info)) (ui::button("Cancel", "/", None, false)) }
        }))
    };
    shell.page(Nav::Elsewhere, "Is it you?", body)
}
