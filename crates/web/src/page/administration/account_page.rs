//! One account: what it may do, and what an administrator does to it.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::access::{AccountChange, AccountView};
use chancery_engine::history::EventAccess;
use chancery_engine::{Error, Permission};
use chancery_event::id::AccountId;
use maud::{Markup, html};

use super::forwarder_access;
use super::{end_of, last_day, last_day_field, parts, role_choices, shown_once, state};
use crate::edge::{Access, Problem, Routes, path_of};
use crate::page::address::Address;
use crate::page::confirmation;
use crate::page::form::Fields;
use crate::page::question::Question;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, ChoiceOption, Crumb, Field, Nav, Tone};

pub(super) fn add(routes: &mut Routes) {
    let (read, write) =
        (Access::Session(Permission::AccountRead), Access::Session(Permission::AccountWrite));
    routes.add(GET, "/administration/accounts/{id}", read, show);
    routes.add(POST, "/administration/accounts/{id}", write, save);
    routes.add(POST, "/administration/accounts/{id}/state", write, switch);
    routes.add(POST, "/administration/accounts/{id}/event-access", write, set_access);
    routes.add(POST, "/administration/accounts/{id}/unlock", write, unlock);
    routes.add(GET, "/administration/accounts/{id}/password", write, ask_password);
    routes.add(POST, "/administration/accounts/{id}/password", write, password);
    routes.add(GET, "/administration/accounts/{id}/delete", write, ask_delete);
    routes.add(POST, "/administration/accounts/{id}/delete", write, delete);
}

pub(super) async fn find(shell: &Shell, id: AccountId) -> Result<AccountView, Problem> {
    let accounts = shell.engine().accounts(shell.context()).await?;
    let found = accounts.into_iter().find(|account| account.id == id);
    Ok(found.ok_or_else(|| Error::not_found("account", id))?)
}

async fn show(shell: Shell, Path(id): Path<String>) -> Response {
    shell
        .answer(async {
            let account = find(&shell, path_of(&id)?).await?;
            view(&shell, &account, Typed::default()).await
        })
        .await
}

/// The page of an account, with what was typed into one of its forms.
pub(super) async fn view(
    shell: &Shell,
    account: &AccountView,
    typed: Typed,
) -> Result<Response, Problem> {
    let (access, access_version) = shell.engine().event_access(shell.context(), account.id).await?;
    let typed = typed
        .or("access_version", access_version.to_string())
        .or("events", access.events.clone())
        .or("paths", access.paths.join(", "))
        .or("filter", access.filter.clone());
    let typed = typed
        .or("display_name", account.display_name.clone())
        .or("email", account.email.clone().unwrap_or_default())
        .or("role", account.role.clone())
        .or("expires_at", last_day(account.expires_at))
        .or("version", account.version.to_string());
    let events = Address::new("/events").with("q", &format!("target:\"account/{}\"", account.id));
    let may = shell.may(Permission::AccountWrite);
    let never = || html! { span.muted { "never" } };
    let last = account.last_login_at.map_or_else(never, |at| ui::time(at.micros()));
    let forwarders = forwarder_access::section(shell, account.id, &typed).await?;
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Accounts", href: Some("/administration") },
            Crumb { label: &account.name, href: None },
        ]))
        (ui::page_header(&account.name, &account.display_name, html! {
            @if may { (actions(shell, account)) }
        }))
        (parts(shell, "/administration"))
        div.columns {
            (ui::section("facts", "Account", state(account, shell.now()), ui::key_values(&[
                ("Login name", ui::code(&account.name)),
                ("Role", html! { (account.role) }),
                ("Mail address", html! { (account.email.as_deref().unwrap_or("—")) }),
                ("Notifications", html! {
                    @if may { a href={"/administration/accounts/" (account.id) "/contact"} { "How they reach them" } }
                    @else { span.muted { "—" } }
                }),
                ("Ends", account.expires_at.map_or_else(never, |at| ui::time(at.micros()))),
                ("Password set", account.password_set_at.map_or_else(never, |at| ui::time(at.micros()))),
                ("Password to be changed", account.password_ends_at.map_or_else(never, |at| ui::time(at.micros()))),
                ("Last signed in", last),
                ("Made", ui::time(account.created_at.micros())),
                ("Events", html! { a href=(events.to_string()) { "What happened to it" } }),
            ])))
            @if may { (ui::section("change", "Change", html! {}, form(shell, account, &typed))) }
            (ui::section("event-access", "Events it may see", html! {}, html! {
                @if may { (access_form(shell, account, &typed)) }
                @else { p { (access_words(&access)) } }
            }))
            (forwarders)
        }
    };
    let mut response = shell.page(Nav::Administration, &account.name, body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn access_words(access: &EventAccess) -> String {
    match access.events.as_str() {
        "all" => "All that its role allows.".to_owned(),
        "scoped" => format!("{} {}", access.paths.join(", "), access.filter),
        _ => "None.".to_owned(),
    }
}

fn access_form(shell: &Shell, account: &AccountView, typed: &Typed) -> Markup {
    let choices = [("all", "All that its role allows"), ("scoped", "Only these"), ("none", "None")]
        .map(|(value, label)| ChoiceOption { value, label });
    let events = typed.field("events", "events", "Events", "Administrators see all of them.");
    let paths = typed.field(
        "paths",
        "paths",
        "Folders",
        "Of the certificates that events are about, such as /prod, separated by commas.",
    );
    let filter = typed.field(
        "filter",
        "filter",
        "Filter",
        "As in the search: what it selects is seen as well.",
    );
    let action = format!("/administration/accounts/{}/event-access", account.id);
    ui::post_form(
        &action,
        shell.csrf(),
        false,
        html! {
            input type="hidden" name="access_version" value=(typed.text("access_version"));
            (ui::select_field(&events, &choices)) (ui::field(&paths)) (ui::field(&filter))
            div.actions { (ui::submit("Set", Tone::Info)) }
        },
    )
}

async fn set_access(mut shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    if let Some(question) = confirm(&mut shell, &id, "/event-access", &typed).await {
        return question;
    }
    shell
        .answer(async {
            let id: AccountId = path_of(&id)?;
            let paths = typed.text("paths").split([',', ' ']).map(str::trim);
            let access = EventAccess {
                events: typed.text("events").to_owned(),
                paths: paths.filter(|path| !path.is_empty()).map(str::to_owned).collect(),
                filter: typed.text("filter").to_owned(),
            };
            let set = async {
                let version = Some(typed.version("access_version")?);
                shell.engine().set_event_access(shell.context(), id, version, access).await
            };
            match set.await {
                Ok(()) => Ok(shell.done(&format!("/administration/accounts/{id}"), "Saved.")),
                Err(error) => {
                    let account = find(&shell, id).await?;
                    view(&shell, &account, typed.refused(error)?).await
                }
            }
        })
        .await
}

/// Members that have a field on the page.
const MEMBERS: [&str; 7] =
    ["display_name", "email", "role", "expires_at", "events", "paths", "filter"];

fn form(shell: &Shell, account: &AccountView, typed: &Typed) -> Markup {
    let display = typed.field("display-name", "display_name", "Name", "");
    let email = Field { kind: "email", ..typed.field("email", "email", "Mail address", "") };
    let role = Field { required: true, ..typed.field("role", "role", "Role", "") };
    let end = last_day_field(typed);
    let members = [&MEMBERS[..], &forwarder_access::MEMBERS[..]].concat();
    html! {
        @if let Some(error) = typed.general_error(&members) {
            (ui::alert_box(AlertKind::Error, error))
        }
        (ui::post_form(&format!("/administration/accounts/{}", account.id), shell.csrf(), false, html! {
            input type="hidden" name="version" value=(typed.text("version"));
            (ui::field(&display)) (ui::field(&email)) (ui::select_field(&role, &role_choices())) (ui::field(&end))
            div.actions { (ui::submit("Save", Tone::Info)) }
        }))
    }
}

fn actions(shell: &Shell, account: &AccountView) -> Markup {
    let base = format!("/administration/accounts/{}", account.id);
    let is_locked = account.locked_until.is_some_and(|until| until.micros() > shell.now());
    let (word, value) = if account.disabled { ("Enable", "0") } else { ("Disable", "1") };
    html! {
        @if is_locked {
            form method="post" action={(base) "/unlock"} { (ui::csrf_input(shell.csrf())) button type="submit" { "Unlock" } }
        }
        form method="post" action={(base) "/state"} {
            (ui::csrf_input(shell.csrf()))
            input type="hidden" name="disabled" value=(value);
            button type="submit" { (word) }
        }
        (password_question(&format!("{base}/password")).dialog(shell))
        (delete_question(&format!("{base}/delete")).dialog(shell))
    }
}

fn password_question(action: &str) -> Question<'_> {
    Question {
        id: "password-dialog",
        trigger: "Reset password…",
        title: "Make a new password?",
        text: "It is shown once. The account is signed out everywhere, its tokens are revoked, and it must change the password at the next sign-in.",
        action,
        submit: "Make a new password",
        is_final: false,
        fields: None,
    }
}

fn delete_question(action: &str) -> Question<'_> {
    Question {
        id: "delete-dialog",
        trigger: "Delete…",
        title: "Delete this account?",
        text: "Its sessions, tokens and views go with it. What it did stays in the log.",
        action,
        submit: "Delete",
        is_final: true,
        fields: None,
    }
}

/// Asks for the password, if it is due before something of an account may be changed.
pub(super) async fn confirm(
    shell: &mut Shell,
    id: &str,
    what: &str,
    typed: &Typed,
) -> Option<Response> {
    let id = path_of::<AccountId>(id).ok()?;
    confirmation::asked(shell, &format!("/administration/accounts/{id}{what}"), typed).await
}

/// Whether a form gives an account another role than it has.
async fn changes_role(shell: &Shell, id: &str, typed: &Typed) -> bool {
    let Ok(id) = path_of(id) else { return false };
    find(shell, id).await.is_ok_and(|account| account.role != typed.text("role"))
}

async fn save(mut shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    if changes_role(&shell, &id, &typed).await
        && let Some(question) = confirm(&mut shell, &id, "", &typed).await
    {
        return question;
    }
    shell
        .answer(async {
            let id: AccountId = path_of(&id)?;
            let version = Some(typed.version("version")?);
            // What was not touched stays to the second: an end need not be at midnight.
            let before = find(&shell, id).await?.expires_at;
            let saved = async {
                let touched = last_day(before) != typed.text("expires_at");
                let change = AccountChange {
                    display_name: Some(typed.text("display_name").to_owned()),
                    email: Some(typed.text("email").to_owned()),
                    role: Some(typed.text("role").to_owned()),
                    disabled: None,
                    expires_at: if touched { Some(end_of(&typed)?) } else { None },
                };
                shell.engine().update_account(shell.context(), id, version, change).await
            };
            match saved.await {
                Ok(()) => Ok(shell.done(&format!("/administration/accounts/{id}"), "Saved.")),
                Err(error) => {
                    let account = find(&shell, id).await?;
                    view(&shell, &account, typed.refused(error)?).await
                }
            }
        })
        .await
}

/// Shows a refusal on the account's page; what a person cannot correct becomes a page of its own.
async fn told(
    shell: &Shell,
    id: AccountId,
    done: Result<(), Error>,
    notice: &str,
) -> Result<Response, Problem> {
    match done {
        Ok(()) => Ok(shell.done(&format!("/administration/accounts/{id}"), notice)),
        Err(error) => {
            let typed = Typed::default().refused(error)?;
            let account = find(shell, id).await?;
            view(shell, &account, typed).await
        }
    }
}

async fn switch(mut shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    if typed.text("disabled") != "1"
        && let Some(question) = confirm(&mut shell, &id, "/state", &typed).await
    {
        return question;
    }
    shell
        .answer(async {
            let id: AccountId = path_of(&id)?;
            let disabled = typed.text("disabled") == "1";
            let change = AccountChange { disabled: Some(disabled), ..AccountChange::default() };
            let done = shell.engine().update_account(shell.context(), id, None, change).await;
            let notice =
                if disabled { "The account is disabled." } else { "The account is enabled." };
            told(&shell, id, done, notice).await
        })
        .await
}

async fn unlock(shell: Shell, Path(id): Path<String>, _: Fields) -> Response {
    shell
        .answer(async {
            let id: AccountId = path_of(&id)?;
            let done = shell.engine().unlock_account(shell.context(), id).await;
            told(&shell, id, done, "The account is unlocked.").await
        })
        .await
}

async fn ask_password(shell: Shell, Path(id): Path<String>) -> Response {
    ask(&shell, &id, "password", password_question).await
}

async fn ask_delete(shell: Shell, Path(id): Path<String>) -> Response {
    ask(&shell, &id, "delete", delete_question).await
}

async fn ask(shell: &Shell, id: &str, verb: &str, make: fn(&str) -> Question<'_>) -> Response {
    shell
        .answer(async {
            let account = find(shell, path_of(id)?).await?;
            let home = format!("/administration/accounts/{}", account.id);
            let action = format!("{home}/{verb}");
            Ok(make(&action).page(shell, Nav::Administration, &home))
        })
        .await
}

async fn password(mut shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    if let Some(question) = confirm(&mut shell, &id, "/password", &typed).await {
        return question;
    }
    shell
        .answer(async {
            let id: AccountId = path_of(&id)?;
            let account = find(&shell, id).await?;
            let secret = shell.engine().reset_password(shell.context(), id).await?;
            let what = format!("The new password of {}.", account.name);
            let back = format!("/administration/accounts/{id}");
            Ok(shown_once(
                &shell,
                "New password",
                &what,
                secret.expose(),
                ("To the account", &back),
            ))
        })
        .await
}

async fn delete(shell: Shell, Path(id): Path<String>, _: Fields) -> Response {
    shell
        .answer(async {
            let id: AccountId = path_of(&id)?;
            match shell.engine().delete_account(shell.context(), id).await {
                Ok(()) => Ok(shell.done("/administration", "The account is deleted.")),
                Err(error) => told(&shell, id, Err(error), "").await,
            }
        })
        .await
}
