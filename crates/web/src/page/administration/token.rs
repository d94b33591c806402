//! Everybody's API tokens. The secrets are nowhere; only what they are for and when they were used.

use axum::extract::Path;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::access::TokenView;
use chancery_event::id::TokenId;
use maud::{Markup, html};

use super::parts;
use crate::edge::{Access, Routes, path_of};
use crate::page::form::Fields;
use crate::page::listing::{self, FacetCounts, Narrowed};
use crate::page::saved_view;
use crate::page::shell::Shell;
use crate::page::{GET, POST};
use crate::ui::{self, Column, Icon, Nav, Row, Table, Tone};

const PLACEHOLDER: &str = "state:active ends<30d role:operator";

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::AccountRead);
    routes.add(GET, "/administration/tokens", read, show);
    // One's own or anybody's: the engine decides.
    routes.add(POST, "/tokens/{id}/revoke", Access::Session(Permission::OwnWrite), revoke);
}

async fn show(shell: Shell) -> Response {
    shell
        .answer(async {
            let schema = shell.engine().token_schema();
            let narrowed = Narrowed::read(&shell.address, &schema);
            let text = if narrowed.error.is_some() { "" } else { narrowed.text.as_str() };
            let tokens = shell.engine().find_tokens(shell.context(), text).await?;
            let is_whole = narrowed.text.is_empty();
            let now = chancery_event::Timestamp::from_micros(shell.now());
            let counts = [
                FacetCounts::over("state", tokens.iter().map(|token| token.state(now))),
                FacetCounts::over("role", tokens.iter().map(|token| token.role.as_str())),
            ];
            let views = saved_view::panel(&shell, "tokens").await?;
            let body = html! {
                (ui::page_header("Administration", "API tokens of all accounts.", html! {
                    (listing::exports(&shell, "/api/v1/tokens/export", &narrowed, "created"))
                    (ui::button("Make one of your own", "/account#tokens", Some(Icon::Key), true))
                }))
                (parts(&shell, "/administration/tokens"))
                @if !(is_whole && tokens.is_empty()) {
                    (narrowed.search_box("token-search", &shell.address, "/administration/tokens", PLACEHOLDER))
                }
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
                        } @else if tokens.is_empty() && !is_whole {
                            (ui::empty_state("No token fits", "Take a condition away.",
                                Some(ui::button("Show all", "/administration/tokens", None, true))))
                        } @else if tokens.is_empty() {
                            (ui::empty_state("No tokens", "Programs sign in with tokens. Everybody makes their own, on their account's page.", None))
                        } @else {
                            (table(&shell, &tokens, "/administration/tokens", shell.may(Permission::AccountWrite)))
                        }
                    }
                }
            };
            Ok(shell.page(Nav::Administration, "Tokens", body))
        })
        .await
}

/// Tokens with the button that revokes them, where `may_revoke`.
pub(crate) fn table(shell: &Shell, tokens: &[TokenView], back: &str, may_revoke: bool) -> Markup {
    let now = shell.now();
    let columns = [
        Column::new("For"),
        Column::new("Account"),
        Column::new("Role"),
        Column::new("State"),
        Column::new("Ends"),
        Column::new("Last used").optional(),
        Column::new("Action"),
    ];
    let rows: Vec<Row> = tokens
        .iter()
        .map(|token| {
            let is_over = token.expires_at.micros() <= now;
            let state = match token.revoked_at {
                Some(_) => ui::badge(Tone::Neutral, Icon::Deny, "Revoked"),
                None if is_over => ui::badge(Tone::Neutral, Icon::Hourglass, "Ended"),
                None => ui::badge(Tone::Good, Icon::Check, "Active"),
            };
            let used = match token.used_at {
                Some(at) => ui::relative(at.micros(), now),
                None => html! { span.muted { "never" } },
            };
            let button = html! {
                @if may_revoke && token.revoked_at.is_none() && !is_over {
                    form.inline method="post" action={"/tokens/" (token.id) "/revoke"} {
                        (ui::csrf_input(shell.csrf()))
                        input type="hidden" name="back" value=(back);
                        button type="submit" { "Revoke" span.visually-hidden { " " (token.name) } }
                    }
                }
            };
            Row {
                href: None,
                tone: None,
                cells: vec![
                    html! { (token.name) },
                    html! { (token.account_name) },
                    html! { (token.role) },
                    state,
                    ui::date(token.expires_at.micros()),
                    used,
                    button,
                ],
            }
        })
        .collect();
    ui::data_table(&Table {
        id: "token-list",
        caption: "API tokens, newest first",
        columns: &columns,
        rows: &rows,
    })
}

async fn revoke(shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            shell.engine().revoke_token(shell.context(), path_of::<TokenId>(&id)?).await?;
            let back = if typed.text("back") == "/account" {
                "/account"
            } else {
                "/administration/tokens"
            };
            Ok(shell.done(back, "The token is revoked."))
        })
        .await
}
