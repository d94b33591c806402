//! The forwarders that an account may manage: a section of its page.

use axum::extract::Path;
use axum::response::Response;
use chancery_engine::delivery::ForwarderAccess;
use chancery_engine::{Error, Permission};
use chancery_event::id::AccountId;
use maud::{Markup, html};

use super::account_page::{confirm, find, view};
use crate::edge::{Access, Problem, Routes, path_of};
use crate::page::POST;
use crate::page::form::Fields;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::ui::{self, ChoiceOption, Tone};

/// What it is about, as the last part of its address.
const PLACE: &str = "/forwarder-access";
/// Fields of its form: those of the account's page have names of their own.
pub(super) const MEMBERS: [&str; 3] = ["forwarders", "forwarder_names", "forwarder_paths"];

pub(super) fn add(routes: &mut Routes) {
    let write = Access::Session(Permission::AccountWrite);
    routes.add(POST, "/administration/accounts/{id}/forwarder-access", write, set);
}

/// The section, filled with what holds where nothing else was typed.
pub(super) async fn section(
    shell: &Shell,
    account: AccountId,
    typed: &Typed,
) -> Result<Markup, Problem> {
    let (access, version) = shell.engine().forwarder_access(shell.context(), account).await?;
    let body = if shell.may(Permission::AccountWrite) {
        let typed = typed
            .clone()
            .or("forwarders_version", version.to_string())
            .or("forwarders", access.forwarders)
            .or("forwarder_names", access.names.join(", "))
            .or("forwarder_paths", access.paths.join(", "));
        form(shell, account, &typed)
    } else {
        html! { p { (words(&access)) } }
    };
    Ok(ui::section("forwarder-access", "Forwarders it may manage", html! {}, body))
}

fn words(access: &ForwarderAccess) -> String {
    match access.forwarders.as_str() {
        "all" => "All of them, if its role is operator.".to_owned(),
        "named" => [access.names.join(", "), access.paths.join(", ")]
            .into_iter()
            .filter(|list| !list.is_empty())
            .collect::<Vec<_>>()
            .join(", "),
        _ => "None.".to_owned(),
    }
}

fn form(shell: &Shell, account: AccountId, typed: &Typed) -> Markup {
    let choices = [("none", "None"), ("named", "Only these"), ("all", "All of them")]
        .map(|(value, label)| ChoiceOption { value, label });
    let which = typed.field(
        "forwarders",
        "forwarders",
        "Forwarders",
        "For operators: administrators manage all of them, auditors and viewers none.",
    );
    let names =
        typed.field("forwarder-names", "forwarder_names", "By name", "Separated by commas.");
    let paths = typed.field(
        "forwarder-paths",
        "forwarder_paths",
        "By folder",
        "Those that live there or below, such as /prod, separated by commas.",
    );
    ui::post_form(
        &format!("/administration/accounts/{account}{PLACE}"),
        shell.csrf(),
        false,
        html! {
            input type="hidden" name="forwarders_version" value=(typed.text("forwarders_version"));
            (ui::select_field(&which, &choices)) (ui::field(&names)) (ui::field(&paths))
            div.actions { (ui::submit("Set", Tone::Info)) }
        },
    )
}

/// A refusal at the field of this form.
fn placed(error: Error) -> Error {
    match error {
        Error::Invalid { field, message } if matches!(field.as_str(), "names" | "paths") => {
            Error::Invalid { field: format!("forwarder_{field}"), message }
        }
        error => error,
    }
}

async fn set(mut shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    if let Some(question) = confirm(&mut shell, &id, PLACE, &typed).await {
        return question;
    }
    shell
        .answer(async {
            let id: AccountId = path_of(&id)?;
            let list = |name: &str| {
                let parts = typed.text(name).split([',', ' ']).map(str::trim);
                parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
            };
            let access = ForwarderAccess {
                forwarders: typed.text("forwarders").to_owned(),
                names: list("forwarder_names"),
                paths: list("forwarder_paths"),
            };
            let set = async {
                let version = Some(typed.version("forwarders_version")?);
                shell.engine().set_forwarder_access(shell.context(), id, version, access).await
            };
            match set.await {
                Ok(()) => Ok(shell.done(&format!("/administration/accounts/{id}"), "Saved.")),
                Err(error) => {
                    let account = find(&shell, id).await?;
                    view(&shell, &account, typed.refused(placed(error))?).await
                }
            }
        })
        .await
}
