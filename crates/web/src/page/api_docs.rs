//! The API for people: its operations, as they were declared.

use std::sync::Arc;

use axum::response::Response;
use chancery_engine::Permission;
use maud::{Markup, html};

use super::GET;
use super::shell::Shell;
use crate::edge::{Access, RouteInfo, Routes};
use crate::ui::{self, Icon, Nav};

/// Adds the page. Call it when everything else was added: it lists what is there.
pub(super) fn add(routes: &mut Routes) {
    let listed: Vec<RouteInfo> = routes
        .table()
        .iter()
        .filter(|route| route.path.starts_with("/api/") || route.path.starts_with("/log/"))
        .cloned()
        .collect();
    let listed: Arc<[RouteInfo]> = listed.into();
    let page = move |shell: Shell| {
        let listed = listed.clone();
        async move { show(&shell, &listed) }
    };
    routes.add(GET, "/docs/api", Access::Session(Permission::OwnWrite), page);
}

fn show(shell: &Shell, listed: &[RouteInfo]) -> Response {
    let base = &shell.state.options.public_url;
    let example = format!(
        "curl --header \"Authorization: Bearer $TOKEN\" \\\n  '{base}/api/v1/certificates?filter=expires<30d'"
    );
    let body = html! {
        (ui::page_header("API", "Everything these pages show and do, for programs.", html! {
            (ui::button("OpenAPI document", "/api/v1/openapi.json", Some(Icon::Download), true))
            (ui::button("Your tokens", "/account#tokens", Some(Icon::Key), false))
        }))
        (ui::section("begin", "Begin", html! {}, html! {
            ol {
                li { "Make a token on " a href="/account#tokens" { "your account's page" } "; it is shown once." }
                li { "Send it as a bearer token. Lists take the same " a href="/help/search" { "filter" } " as the search boxes." }
                li { "Errors are problem documents (RFC 9457); lists are paged by cursor; times are RFC 3339 in UTC." }
            }
            (ui::json_block("curl", "Shell", &example))
        }))
        (ui::section("operations", "Operations", html! {}, table(listed)))
    };
    shell.page(Nav::Elsewhere, "API", body)
}

fn table(listed: &[RouteInfo]) -> Markup {
    html! {
        div.table-wrap { table.plain {
            thead { tr { th scope="col" { "Method" } th scope="col" { "Address" } th scope="col" { "Permission" } } }
            tbody { @for route in listed { tr {
                td { (ui::code(route.method.as_str())) }
                th scope="row" { (ui::code(&route.path)) }
                td { @match route.access.permission() {
                    Some(permission) => (ui::code(permission.as_str())),
                    None => span.muted { "open to everybody" },
                } }
            } } }
        } }
    }
}
