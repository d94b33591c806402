//! The API for people: how to begin, and every operation with its parameters, bodies, answers and
//! an example, made from the OpenAPI description. Nothing is written here that is not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::Response;
use chancery_engine::Permission;
use maud::{Markup, PreEscaped, html};
use serde_json::Value;

use super::GET;
use super::shell::Shell;
use crate::edge::{Access, Routes};
use crate::ui::{self, Icon, Nav, Tab};

mod operation;

/// Adds the page over the description of everything that was added before it.
pub(super) fn add(routes: &mut Routes, document: &Value) {
    let base = routes.state().options.public_url.trim_end_matches('/').to_owned();
    let chapters = chapters(document);
    // It is the same for everybody and for ever: written once.
    let reference: Arc<str> = reference(document, &chapters, &base).into_string().into();
    let names: Arc<[String]> = chapters.keys().map(|name| (*name).to_owned()).collect();
    let page = move |shell: Shell| {
        let (reference, names) = (reference.clone(), names.clone());
        async move { show(&shell, &names, &reference) }
    };
    routes.add(GET, "/docs/api", Access::Session(Permission::OwnWrite), page);
}

/// An operation with its place.
struct Entry<'a> {
    method: &'a str,
    path: &'a str,
    operation: &'a Value,
}

/// The operations by their tag, in the order of their paths.
fn chapters(document: &Value) -> BTreeMap<&str, Vec<Entry<'_>>> {
    let mut chapters: BTreeMap<&str, Vec<Entry<'_>>> = BTreeMap::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in ["get", "post", "patch", "put", "delete"] {
            let operation = &item[method];
            if operation.is_null() {
                continue;
            }
            let tag = operation["tags"][0].as_str().unwrap_or("other");
            chapters.entry(tag).or_default().push(Entry { method, path, operation });
        }
    }
    chapters
}

fn reference(document: &Value, chapters: &BTreeMap<&str, Vec<Entry<'_>>>, base: &str) -> Markup {
    html! {
        @for (name, entries) in chapters {
            (ui::section(&format!("chapter-{}", anchor(name)), &title(name), html! {
                span.muted { (entries.len()) " operations" }
            }, html! {
                div.operations {
                    @for entry in entries { (operation::markup(document, entry, base)) }
                }
            }))
        }
    }
}

/// A tag as an anchor.
fn anchor(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// A tag as a heading.
fn title(name: &str) -> String {
    super::listing::label(name)
}

fn show(shell: &Shell, names: &[String], reference: &str) -> Response {
    let base = shell.state.options.public_url.trim_end_matches('/');
    let list = format!(
        "export TOKEN=chy_…\ncurl --header \"Authorization: Bearer $TOKEN\" \\\n  --get --data-urlencode 'filter=expires<30d' \\\n  '{base}/api/v1/certificates'"
    );
    let upload = format!(
        "curl --header \"Authorization: Bearer $TOKEN\" \\\n  --header 'Content-Type: application/x-pem-file' \\\n  --data-binary @server.pem '{base}/api/v1/certificates'"
    );
    let hrefs: Vec<String> =
        names.iter().map(|name| format!("#chapter-{}", anchor(name))).collect();
    let labels: Vec<String> = names.iter().map(|name| title(name)).collect();
    let tabs: Vec<Tab<'_>> = hrefs
        .iter()
        .zip(&labels)
        .map(|(href, label)| Tab { label, href, count: None, selected: false })
        .collect();
    let body = html! {
        (ui::page_header("API", "Everything these pages show and do, for programs.", html! {
            (ui::button("Your tokens", "/account#tokens", Some(Icon::Key), false))
            (ui::button("OpenAPI document", "/api/v1/openapi.json", Some(Icon::Download), true))
        }))
        (ui::section("begin", "Begin", html! {}, html! {
            ol {
                li { "Make a token on " a href="/account#tokens" { "your account's page" } "; it is shown once." }
                li { "Send it as a bearer token. Lists take the same " a href="/help/search" { "filter" } " as the search boxes, and are paged by cursor." }
                li { "Errors are problem documents (RFC 9457) with a stable " code { "type" } ". Times are RFC 3339 in UTC." }
                li { "A write may carry an " code { "Idempotency-Key" } ": for 24 hours the same request is then done once, however often it is sent." }
            }
            div.columns {
                (ui::json_block("curl-list", "What ends in 30 days", &list))
                (ui::json_block("curl-upload", "Bring in a certificate", &upload))
            }
        }))
        (ui::tabs("Chapters", &tabs))
        (PreEscaped(reference))
    };
    shell.page(Nav::Elsewhere, "API", body)
}
