//! Administration: which parts there are, and the accounts.

mod account_page;
mod attribute;
mod forwarder_access;
mod label;
mod node;
mod retention;
mod source;
mod token;

use axum::response::Response;
use chancery_engine::access::{AccountView, NewAccount};
use chancery_engine::{Permission, Role};
use chancery_event::Timestamp;
use maud::{Markup, html};

use super::confirmation;
use super::form::Fields;
use super::listing::{self, FacetCounts, Narrowed};
use super::saved_view;
use super::shell::{Shell, see_other};
use super::typed::Typed;
use super::{GET, POST};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, AlertKind, ChoiceOption, Column, Field, Icon, Nav, Row, Tab, Table, Tone};

pub(super) use token::table as token_table;

const PLACEHOLDER: &str = "role:administrator state:locked logged_in<2026-01-01";

pub(super) fn add(routes: &mut Routes) {
    let session = Access::Session;
    routes.add(GET, "/administration", session(Permission::CertificateRead), show);
    routes.add(POST, "/administration/accounts", session(Permission::AccountWrite), create);
    account_page::add(routes);
    forwarder_access::add(routes);
    token::add(routes);
    label::add(routes);
    source::add(routes);
    attribute::add(routes);
    node::add(routes);
    retention::add(routes);
}

/// The parts of the administration that the role may see.
fn parts(shell: &Shell, current: &str) -> Markup {
    let all = [
        ("Accounts", "/administration", Permission::AccountRead),
        ("Tokens", "/administration/tokens", Permission::AccountRead),
        ("Groups", "/administration/groups", Permission::CertificateRead),
        ("RA profiles", "/administration/ra-profiles", Permission::CertificateRead),
        ("Attributes", "/administration/attributes", Permission::CertificateRead),
        ("Sources", "/administration/sources", Permission::IntakeRead),
        ("Retention", "/administration/retention", Permission::RetentionRead),
        ("Nodes", "/administration/nodes", Permission::MetricsRead),
    ];
    let seen: Vec<Tab<'_>> = all
        .into_iter()
        .filter(|(_, _, permission)| shell.may(*permission))
        .map(|(label, href, _)| Tab { label, href, count: None, selected: href == current })
        .collect();
    ui::tabs("Administration", &seen)
}

async fn show(shell: Shell) -> Response {
    if !shell.may(Permission::AccountRead) {
        return see_other("/administration/groups");
    }
    shell.answer(view(&shell, &Typed::default().or("role", "viewer"))).await
}

/// A page that shows a password or token that was made, once.
pub(super) fn shown_once(
    shell: &Shell,
    title: &str,
    what: &str,
    secret: &str,
    back: (&str, &str),
) -> Response {
    let body = html! {
        (ui::page_header(title, what, html! {}))
        (ui::alert_box(AlertKind::Warning, "This is shown once. Copy it now: only a hash of it is kept."))
        (ui::json_block("secret", "Secret", secret))
        p { (ui::button(back.0, back.1, None, true)) }
    };
    shell.page(Nav::Administration, title, body)
}

/// The roles as choices, the least powerful first.
pub(super) fn role_choices() -> Vec<ChoiceOption<'static>> {
    let label = |role: Role| match role {
        Role::Administrator => "Administrator: everything",
        Role::Operator => "Operator: runs the inventory",
        Role::Auditor => "Auditor: reads everything, the sealed log included",
        Role::Viewer => "Viewer: looks",
    };
    let choice = |role: &Role| ChoiceOption { value: role.as_str(), label: label(*role) };
    Role::ALL.iter().rev().map(choice).collect()
}

async fn view(shell: &Shell, typed: &Typed) -> Result<Response, Problem> {
    let schema = shell.engine().account_schema();
    let narrowed = Narrowed::read(&shell.address, &schema);
    let text = if narrowed.error.is_some() { "" } else { narrowed.text.as_str() };
    let accounts = shell.engine().find_accounts(shell.context(), text).await?;
    let now = Timestamp::from_micros(shell.now());
    let counts = [
        FacetCounts::over("state", accounts.iter().map(|account| account.state(now))),
        FacetCounts::over("role", accounts.iter().map(|account| account.role.as_str())),
    ];
    let views = saved_view::panel(shell, "accounts").await?;
    let body = html! {
        (ui::page_header("Administration", "Accounts, tokens, and how certificates are labelled.",
            listing::exports(shell, "/api/v1/accounts/export", &narrowed, "created")))
        (parts(shell, "/administration"))
        (narrowed.search_box("account-search", &shell.address, "/administration", PLACEHOLDER))
        div.with-facets {
            div {
                @if narrowed.error.is_none() {
                    (listing::facets(&shell.address, &narrowed.filter, &schema, &counts))
                }
                (views)
            }
            div {
                @if narrowed.error.is_some() {
                    (listing::not_understood())
                } @else if accounts.is_empty() {
                    (ui::empty_state("No account fits", "Take a condition away.",
                        Some(ui::button("Show all", "/administration", None, true))))
                } @else { (table(&accounts, shell.now())) }
            }
        }
        @if shell.may(Permission::AccountWrite) {
            (ui::section("new-account", "New account", html! {}, form(shell, typed)))
        }
    };
    let mut response = shell.page(Nav::Administration, "Accounts", body);
    if typed.is_refused() {
        *response.status_mut() = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// Asks for the last day on which an account may be used.
fn last_day_field(typed: &Typed) -> Field<'_> {
    let hint = "It can be used until the end of this day, UTC. Empty: it has no end.";
    Field { kind: "date", ..typed.field("expires-at", "expires_at", "Last day", hint) }
}

/// The end that follows from the last day: the beginning of the next.
fn end_of(typed: &Typed) -> Result<Option<Timestamp>, chancery_engine::Error> {
    let Some(day) = typed.some("expires_at") else { return Ok(None) };
    let parsed: Result<Timestamp, _> = format!("{day}T00:00:00Z").parse();
    let refuse = |_| chancery_engine::Error::invalid("expires_at", "expected a date: 2027-01-31");
    parsed.map(|start| Some(start.plus(Timestamp::DAY))).map_err(refuse)
}

/// The last day on which an account may be used, as the field has it.
fn last_day(end: Option<Timestamp>) -> String {
    end.map(|end| end.plus(-1).to_string().chars().take(10).collect()).unwrap_or_default()
}

/// Whether somebody can sign in with the account.
fn state(account: &AccountView, now: i64) -> Markup {
    match account.state(Timestamp::from_micros(now)) {
        "disabled" => ui::badge(Tone::Neutral, Icon::Deny, "Disabled"),
        "expired" => ui::badge(Tone::Neutral, Icon::Hourglass, "Expired"),
        "locked" => ui::badge(Tone::Warning, Icon::Hourglass, "Locked"),
        "must_change" => ui::badge(Tone::Notice, Icon::Key, "Must change password"),
        _ => ui::badge(Tone::Good, Icon::Check, "Active"),
    }
}

fn table(accounts: &[AccountView], now: i64) -> Markup {
    let columns = [
        Column::new("Login name"),
        Column::new("Name"),
        Column::new("Role"),
        Column::new("State"),
        Column::new("Ends"),
        Column::new("Last signed in").optional(),
        Column::new("Made").optional(),
    ];
    let rows: Vec<Row> = accounts
        .iter()
        .map(|account| Row {
            href: Some(format!("/administration/accounts/{}", account.id)),
            tone: None,
            cells: vec![
                html! { (account.name) },
                html! { (account.display_name) },
                html! { (account.role) },
                state(account, now),
                match account.expires_at {
                    Some(at) => ui::relative(at.micros(), now),
                    None => html! { span.muted { "never" } },
                },
                match account.last_login_at {
                    Some(at) => ui::relative(at.micros(), now),
                    None => html! { span.muted { "never" } },
                },
                ui::date(account.created_at.micros()),
            ],
        })
        .collect();
    ui::data_table(&Table {
        id: "accounts",
        caption: "Accounts, by login name",
        columns: &columns,
        rows: &rows,
    })
}

fn form(shell: &Shell, typed: &Typed) -> Markup {
    let name = Field {
        required: true,
        autocomplete: "off",
        ..typed.field("name", "name", "Login name", "Lower-case letters, digits, and . _ - @.")
    };
    let display = typed.field("display-name", "display_name", "Name", "What people call them.");
    let email = Field { kind: "email", ..typed.field("email", "email", "Mail address", "") };
    let role = Field { required: true, ..typed.field("role", "role", "Role", "") };
    let end = last_day_field(typed);
    let fields = ["name", "display_name", "email", "role", "expires_at"];
    html! {
        @if let Some(error) = typed.general_error(&fields) {
            (ui::alert_box(AlertKind::Error, error))
        }
        (ui::post_form("/administration/accounts", shell.csrf(), false, html! {
            (ui::field(&name)) (ui::field(&display)) (ui::field(&email))
            (ui::select_field(&role, &role_choices())) (ui::field(&end))
            p.hint { "A password is made and shown once; it must be changed at the first sign-in." }
            div.actions { (ui::submit("Make account", Tone::Info)) }
        }))
    }
}

async fn create(mut shell: Shell, Fields(typed): Fields) -> Response {
    let action = "/administration/accounts";
    if let Some(question) = confirmation::asked(&mut shell, action, &typed).await {
        return question;
    }
    shell
        .answer(async {
            let made = async {
                let new = NewAccount {
                    name: typed.text("name").to_owned(),
                    display_name: typed.text("display_name").to_owned(),
                    email: typed.some("email"),
                    role: typed.text("role").to_owned(),
                    password: None,
                    expires_at: end_of(&typed)?,
                };
                shell.engine().create_account(shell.context(), new).await
            };
            match made.await {
                Ok((id, Some(password))) => {
                    let what = format!("The first password of {}.", typed.text("name"));
                    let back = format!("/administration/accounts/{id}");
                    Ok(shown_once(
                        &shell,
                        "Account made",
                        &what,
                        password.expose(),
                        ("To the account", &back),
                    ))
                }
                Ok((id, None)) => {
                    Ok(shell
                        .done(&format!("/administration/accounts/{id}"), "The account is made."))
                }
                Err(error) => view(&shell, &typed.refused(error)?).await,
            }
        })
        .await
}
