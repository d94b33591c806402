//! How to search: generated from the fields themselves, so that it cannot be out of date.

use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::automation::{Class, search_schema};
use chancery_event::filter::{Field, FieldKind, Schema};
use maud::{Markup, html};

use super::GET;
use super::prose::prose;
use super::shell::Shell;
use crate::edge::{Access, Routes};
use crate::ui::{self, Nav};

pub(super) fn add(routes: &mut Routes) {
    routes.add(GET, "/help/search", Access::Session(Permission::CertificateRead), search);
}

const SPELLINGS: &[(&str, &str)] = &[
    ("payments timeout", "both words occur, anywhere in the text"),
    ("pay*", "a word that begins so"),
    ("\"connection refused\"", "exactly these words, one after the other, as one value"),
    ("type:certificate.upload", "a field has a value"),
    ("type:certificate.*", "a field begins so; also *end and *middle*"),
    ("severity:error,critical", "one of several values"),
    ("severity>=warning", "less and greater: <, <=, >, >="),
    ("-origin:cli", "not; also NOT origin:cli and origin!=cli"),
    ("a OR b", "either; parentheses group: (a OR b) c"),
    ("expires<30d", "before now + 30 days; units s, min, h, d, w, mo, y"),
    ("expires:next(14d)", "within the next fourteen days; last(…) looks back"),
    ("time:2026-11-21", "on that day, UTC"),
    ("owner:*", "has a value; -owner:* has none"),
    ("subject~\"^www[0-9]+\"", "matches a regular expression"),
    ("count(name)>50", "has so many values"),
];

const AUTOMATION: [(Class, &str, &str); 8] = [
    (Class::Trigger, "Fields of triggers", "/automation"),
    (Class::Rule, "Fields of rules", "/automation/rules"),
    (Class::Action, "Fields of actions", "/automation/actions"),
    (Class::Scope, "Fields of scopes", "/automation/scopes"),
    (Class::Monitor, "Fields of monitors", "/monitors"),
    (Class::Schedule, "Fields of schedules", "/schedules"),
    (Class::Profile, "Fields of notification profiles", "/notifications/profiles"),
    (Class::Template, "Fields of templates", "/notifications/templates"),
];

async fn search(shell: Shell) -> Response {
    let body = shell.answer(async {
        let certificates = shell.engine().certificate_schema().await?;
        let body = html! {
            (ui::page_header("How to search", "One language for every search box, rule and export.", html! {}))
            (ui::section("spelling", "Spelling", html! {}, html! {
                div.table-wrap tabindex="0" role="group" aria-label="Spelling" { table.plain {
                    thead { tr { th scope="col" { "Write" } th scope="col" { "To find what" } } }
                    tbody { @for (text, meaning) in SPELLINGS {
                        tr { td { (ui::code(text)) } td { (meaning) } }
                    } }
                } }
                p.hint { "What stands side by side must all hold. Capital and small letters are the same." }
            }))
            (fields("events", "Fields of events", "/events", shell.engine().event_schema()))
            (fields("alerts", "Fields of alerts", "/alerts", &shell.engine().alert_schema()))
            (fields("notices", "Fields of notices", "/notifications/notices", &shell.engine().notice_schema()))
            (fields("certificates", "Fields of certificates", "/certificates", &certificates))
            (fields("jobs", "Fields of jobs", "/jobs", &shell.engine().job_schema()))
            (fields("evaluations", "Fields of what triggers made of events", "/automation/history", &chancery_engine::reaction::record::evaluation_schema()))
            (fields("deliveries", "Fields of deliveries", "/deliveries", &shell.engine().delivery_schema()))
            (fields("destinations", "Fields of forwarders and channels", "/forwarders", &shell.engine().destination_schema()))
            @for (class, title, list) in AUTOMATION {
                (fields(class.plural(), title, list, &search_schema(class)))
            }
            (fields("accounts", "Fields of accounts", "/administration", &shell.engine().account_schema()))
            (fields("tokens", "Fields of tokens", "/administration/tokens", &shell.engine().token_schema()))
        };
        Ok(shell.page(Nav::Elsewhere, "How to search", body))
    });
    body.await
}

fn fields(id: &str, title: &str, list: &str, schema: &Schema) -> Markup {
    ui::section(
        id,
        title,
        html! { a href=(list) { "Search" } },
        html! {
            div.table-wrap tabindex="0" role="group" aria-label=(title) { table.plain {
                thead { tr {
                    th scope="col" { "Field" } th scope="col" { "Holds" } th scope="col" { "Meaning" }
                } }
                tbody { @for field in schema.fields() { (row(field)) } }
            } }
        },
    )
}

fn row(field: &Field) -> Markup {
    html! {
        tr {
            th scope="row" {
                (ui::code(&field.name))
                @for alias in &field.aliases { " " span.muted { "or " (alias) } }
            }
            td { (field.kind.noun()) }
            td { (prose(&field.doc)) (words(field)) }
        }
    }
}

/// The values of a keyword, where there are few enough to read.
fn words(field: &Field) -> Markup {
    let (FieldKind::Keyword(words) | FieldKind::Ordered(words)) = &field.kind else {
        return html! {};
    };
    let known = words.values().unwrap_or_default();
    html! {
        @if !known.is_empty() && known.len() <= 16 {
            br; span.muted { @for word in known { (ui::code(word)) " " } }
        } @else if !known.is_empty() && matches!(field.name.as_str(), "type" | "event_type") {
            br; a href="/catalogue" { "All " (known.len()) " in the catalogue" }
        }
    }
}
