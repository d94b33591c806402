//! How to search: generated from the fields themselves, so that it cannot be out of date.

use axum::response::Response;
use chancery_engine::automation::{Class, search_schema};
use chancery_engine::reaction::record::evaluation_schema;
use chancery_engine::{Engine, Permission};
use chancery_event::filter::{Field, FieldKind, Schema};
use maud::{Markup, html};

use super::GET;
use super::prose::prose;
use super::shell::Shell;
use crate::edge::{Access, Problem, Routes};
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
    ("a OR b", "either, in capitals; parentheses group: (a OR b) c"),
    ("\"or\"", "the word itself"),
    ("expires<30d", "before now + 30 days; units s, min, h, d, w, mo, y"),
    ("expires:next(14d)", "within the next fourteen days; last(…) looks back"),
    ("time:2026-11-21", "on that day, UTC"),
    ("owner:*", "has a value; -owner:* has none"),
    ("subject~\"^www[0-9]+\"", "matches a regular expression"),
    ("count(name)>50", "has so many values"),
];

const AUTOMATION: [(Class, &str, &str); 8] = [
    (Class::Trigger, "Triggers", "/automation"),
    (Class::Rule, "Rules", "/automation/rules"),
    (Class::Action, "Actions", "/automation/actions"),
    (Class::Scope, "Scopes", "/automation/scopes"),
    (Class::Monitor, "Monitors", "/monitors"),
    (Class::Schedule, "Schedules", "/schedules"),
    (Class::Profile, "Notification profiles", "/notifications/profiles"),
    (Class::Template, "Templates", "/notifications/templates"),
];

async fn search(shell: Shell) -> Response {
    let body = shell.answer(async {
        let lists = lists(shell.engine()).await?;
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
            nav aria-label="Fields" { p.hint { "Fields of "
                @for (place, list) in lists.iter().enumerate() {
                    @if place > 0 { ", " }
                    a href={"#" (list.id)} { (list.title.to_lowercase()) }
                }
            } }
            @for list in &lists { (fields(list)) }
        };
        Ok(shell.page(Nav::Elsewhere, "How to search", body))
    });
    body.await
}

/// A list that is searched.
struct List {
    id: &'static str,
    title: &'static str,
    path: &'static str,
    schema: Schema,
}

/// Every list, in the order in which people meet them.
async fn lists(engine: &Engine) -> Result<Vec<List>, Problem> {
    let list = |id, title, path, schema| List { id, title, path, schema };
    let mut lists = vec![
        list("events", "Events", "/events", engine.event_schema().clone()),
        list("alerts", "Alerts", "/alerts", engine.alert_schema()),
        list("certificates", "Certificates", "/certificates", engine.certificate_schema().await?),
        list("jobs", "Jobs", "/jobs", engine.job_schema()),
        list("notices", "Notices", "/notifications/notices", engine.notice_schema()),
        list("evaluations", "Evaluations", "/automation/history", evaluation_schema()),
        list("deliveries", "Deliveries", "/deliveries", engine.delivery_schema()),
        list("destinations", "Forwarders and channels", "/forwarders", engine.destination_schema()),
    ];
    lists.extend(
        AUTOMATION
            .map(|(class, title, path)| list(class.plural(), title, path, search_schema(class))),
    );
    lists.push(list("accounts", "Accounts", "/administration", engine.account_schema()));
    lists.push(list("tokens", "Tokens", "/administration/tokens", engine.token_schema()));
    Ok(lists)
}

fn fields(list: &List) -> Markup {
    let title = format!("Fields of {}", list.title.to_lowercase());
    ui::section(
        list.id,
        &title,
        html! { a href=(list.path) { "Search" } },
        html! {
            div.table-wrap tabindex="0" role="group" aria-label=(title) { table.plain {
                thead { tr {
                    th scope="col" { "Field" } th scope="col" { "Holds" } th scope="col" { "Meaning" }
                } }
                tbody { @for field in list.schema.fields() { (row(field)) } }
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
