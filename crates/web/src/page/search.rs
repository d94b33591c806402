//! The search box of the frame: an identifier jumps to its object; anything else finds certificates
//! and events.

use axum::response::Response;
use chancery_engine::history::EventQuery;
use chancery_engine::inventory::search::{CertificateQuery, Sort};
use chancery_engine::{Error, Permission};
use chancery_event::id::{CertificateId, EventId, JobId};
use maud::{Markup, html};

use super::address::Address;
use super::shell::{Shell, see_other};
use super::{GET, certificates, event_row};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, Nav, Table};

/// Characters and words that are looked for at most.
const LONGEST: usize = 400;
const WORDS: usize = 32;
/// Results of each kind.
const RESULTS: usize = 10;

pub(super) fn add(routes: &mut Routes) {
    routes.add(GET, "/search", Access::Session(Permission::CertificateRead), search);
}

async fn search(shell: Shell) -> Response {
    shell.answer(find(&shell)).await
}

async fn find(shell: &Shell) -> Result<Response, Problem> {
    let typed = shell.address.value("q").unwrap_or_default().trim();
    let query: String = typed.chars().take(LONGEST).collect();
    let query = query.as_str();
    if query.is_empty() {
        return Ok(see_other("/certificates"));
    }
    if let Some(to) = jump(shell, query).await? {
        return Ok(see_other(&to));
    }
    if as_words(query).is_empty() {
        let body = ui::empty_state(
            "There is nothing to search for",
            "A search needs letters or digits: a name, a serial number, a fingerprint, a word.",
            Some(ui::button("How to search", "/help/search", None, true)),
        );
        return Ok(shell.page_with(Nav::Elsewhere, "Search", query, body));
    }
    let body = html! {
        (ui::page_header("Search", "Certificates and events that hold these words.", html! {}))
        (certificates_found(shell, query).await?)
        (events_found(shell, query).await?)
    };
    Ok(shell.page_with(Nav::Elsewhere, "Search", query, body))
}

/// The page of the one object that the text names.
async fn jump(shell: &Shell, text: &str) -> Result<Option<String>, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    if let Ok(id) = text.parse::<CertificateId>()
        && engine.certificate(context, id).await.is_ok()
    {
        return Ok(Some(format!("/certificates/{id}")));
    }
    if let Ok(id) = text.parse::<EventId>()
        && engine.event(context, id).await.is_ok()
    {
        return Ok(Some(format!("/events/{id}")));
    }
    if let Ok(id) = text.parse::<JobId>()
        && engine.job(context, id).await.is_ok()
    {
        return Ok(Some(format!("/jobs/{id}")));
    }
    let hex: String = text.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect();
    if hex.len() < 8 || !hex.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let hex = hex.to_ascii_lowercase();
    if hex.len() == 64 {
        let found = engine.certificate_id_by_fingerprint(context, &hex).await?;
        if let Some(id) = found {
            return Ok(Some(format!("/certificates/{id}")));
        }
    }
    let short = hex.trim_start_matches('0');
    let expression =
        format!("(serial:{hex} OR sha1:{hex} OR spki:{hex} OR serial:{short}) archived:true,false");
    let found = page(shell, &expression, 2).await.unwrap_or_default();
    Ok(match found.as_slice() {
        [] => None,
        [one] => Some(format!("/certificates/{}", one.id)),
        _ => Some(Address::new("/certificates").with("q", &format!("serial:{hex}")).to_string()),
    })
}

async fn page(
    shell: &Shell,
    expression: &str,
    limit: usize,
) -> Result<Vec<chancery_engine::row::Certificate>, Error> {
    let filter = shell.engine().parse_certificate_filter(expression).await?;
    let query =
        CertificateQuery { filter, sort: Sort::Expires, descending: true, cursor: None, limit };
    Ok(shell.engine().certificates(shell.context(), &query).await?.items)
}

/// The words as an expression that can always be read: what has no letter or digit is no word.
fn as_words(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric));
    let quoted =
        words.take(WORDS).map(|word| format!("\"{}\"", word.replace(['\\', '"'], " ").trim()));
    quoted.collect::<Vec<_>>().join(" ")
}

async fn certificates_found(shell: &Shell, query: &str) -> Result<Markup, Problem> {
    let engine = shell.engine();
    // A host name, or a part of one, is what people look for most.
    let single = !query.contains(char::is_whitespace);
    let mut expression = match engine.parse_certificate_filter(query).await {
        Ok(_) => query.to_owned(),
        Err(_) => as_words(query),
    };
    let contains = format!("name:*{}*", as_words(query));
    if single && engine.parse_certificate_filter(&contains).await.is_ok() {
        expression = format!("({expression}) OR {contains}");
    }
    let found = page(shell, &expression, RESULTS).await?;
    let all = Address::new("/certificates").with("q", &expression).to_string();
    Ok(ui::section(
        "certificates-found",
        "Certificates",
        html! { a href=(all) { "All" } },
        html! {
            @if found.is_empty() { p.muted { "None holds these words." } }
            @else { (certificates::plain_table("found", "Certificates found", &found, shell.now())) }
        },
    ))
}

async fn events_found(shell: &Shell, query: &str) -> Result<Markup, Problem> {
    if !shell.may(Permission::EventRead) {
        return Ok(html! {});
    }
    let engine = shell.engine();
    let (expression, filter) = match engine.parse_event_filter(query) {
        Ok(filter) => (query.to_owned(), filter),
        Err(_) => {
            let words = as_words(query);
            let filter = engine.parse_event_filter(&words)?;
            (words, filter)
        }
    };
    let query =
        EventQuery { filter, before: None, from: None, limit: RESULTS, oldest_first: false };
    let found = match engine.events(shell.context(), query).await {
        Ok(page) => page.events,
        Err(Error::Forbidden { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let all = Address::new("/events").with("q", &expression).to_string();
    let rows: Vec<_> = found.iter().map(event_row::row).collect();
    Ok(ui::section(
        "events-found",
        "Events",
        html! { a href=(all) { "All" } },
        html! {
            @if found.is_empty() { p.muted { "None holds these words." } }
            @else {
                (ui::data_table(&Table { id: "found-events", caption: "Events found, newest first",
                    columns: &event_row::columns(), rows: &rows }))
            }
        },
    ))
}
