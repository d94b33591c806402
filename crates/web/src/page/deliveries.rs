//! Deliveries: what was sent where, and every attempt at it.

use axum::extract::Path;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::delivery::{Attempt, Class, Delivery, DeliveryQuery, DeliveryView};
use chancery_event::Timestamp;
use chancery_event::id::DeliveryId;
use maud::{Markup, html};

use super::address::Address;
use super::certificates::{Way, pages};
use super::form::Fields;
use super::listing::{self, BARS, Bars, CURSORS, Narrowed, toggles};
use super::shell::Shell;
use super::typed::sentence;
use super::{GET, POST, saved_view};
use crate::edge::{Access, Problem, Routes, path_of};
use crate::ui::{self, AlertKind, Column, Crumb, Icon, Nav, Row, Table, Tone};

/// Deliveries on a page.
const PAGE: usize = 50;
const STATES: [(&str, &str); 3] =
    [("waiting", "Waiting"), ("delivered", "Delivered"), ("dead", "Given up")];
/// Why a delivery was made.
const REASONS: [(&str, &str); 4] = [
    ("log", "From the log"),
    ("replay", "Sent again"),
    ("message", "A message"),
    ("test", "A trial"),
];
const NARROWING: [&str; 9] =
    ["q", "destination", "state", "reason", "event_type", "from", "to", "before", "after"];
const PLACEHOLDER: &str = "state:dead status>=500 error:timeout";

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::ForwarderRead);
    let write = Access::Session(Permission::ForwarderWrite);
    routes.add(GET, "/deliveries", read, async |shell: Shell| shell.answer(list(&shell)).await);
    routes.add(GET, "/deliveries/{id}", read, async |shell: Shell, Path(id): Path<String>| {
        shell.answer(one(&shell, &id)).await
    });
    routes.add(
        POST,
        "/deliveries/{id}/resend",
        write,
        async |shell: Shell, Path(id): Path<String>, _: Fields| {
            shell
                .answer(async {
                    let of = path_of::<DeliveryId>(&id)?;
                    shell.engine().resend_delivery(shell.context(), of).await?;
                    Ok(shell.done(&format!("/deliveries/{id}"), "It waits to be sent again."))
                })
                .await
        },
    );
}

fn query(shell: &Shell) -> DeliveryQuery {
    let address = &shell.address;
    let text = |name: &str| address.value(name).map(str::to_owned);
    DeliveryQuery {
        destinations: text("destination").into_iter().collect(),
        state: text("state").filter(|word| STATES.iter().any(|(known, _)| known == word)),
        reason: text("reason").filter(|word| REASONS.iter().any(|(known, _)| known == word)),
        event_type: text("event_type"),
        from: address.parsed("from"),
        to: address.parsed("to"),
        filter: None,
        before: address.parsed("before"),
        after: address.parsed("after"),
    }
}

async fn list(shell: &Shell) -> Result<Response, Problem> {
    let (engine, context, address) = (shell.engine(), shell.context(), &shell.address);
    let schema = engine.delivery_schema();
    let narrowed = Narrowed::read(address, &schema);
    let views = saved_view::panel(shell, "deliveries").await?;
    let search = narrowed.search_box("delivery-search", address, "/deliveries", PLACEHOLDER);
    if narrowed.error.is_some() {
        let body = html! { (header(shell)) (search) (listing::not_understood()) (views) };
        return Ok(shell.page(Nav::Forwarders, "Deliveries", body));
    }
    let filter = engine.parse_delivery_filter(&narrowed.text)?;
    let query = DeliveryQuery { filter, ..query(shell) };
    let newer = query.after.is_some() && query.before.is_none();
    let mut rows = engine.deliveries(context, query.clone(), PAGE + 1).await?;
    let more = rows.len() > PAGE;
    if newer {
        rows.drain(..rows.len().saturating_sub(PAGE));
    } else {
        rows.truncate(PAGE);
    }
    let counted = DeliveryQuery { destinations: Vec::new(), state: None, ..query.clone() };
    let counts = engine.delivery_counts(context, counted).await?;
    let ((from, to), _) = narrowed.past("created", &schema, shell.now(), 30 * Timestamp::DAY);
    let width = ((to - from) / BARS).max(1);
    let span = (Timestamp::from_micros(from), Timestamp::from_micros(to));
    let bars = engine.delivery_histogram(context, query.clone(), span, width).await?;
    let (label, series) = ("deliveries made", "Deliveries");
    let plot = Bars { id: "delivery-histogram", label, series, from, to, width };
    let at = |name: &str, row: Option<&Delivery>, is_there: bool| {
        let row = row.filter(|_| is_there)?;
        Some(address.without(CURSORS).with(name, &row.id.to_string()).to_string())
    };
    let (has_newer, has_older) = if newer { (more, true) } else { (query.before.is_some(), more) };
    let way = Way {
        previous: at("after", rows.first(), has_newer),
        next: at("before", rows.last(), has_older),
    };
    let narrow = NARROWING.iter().any(|name| address.value(name).is_some());
    let words = format!("{} shown", rows.len());
    let waits = rows.iter().any(|row| row.state == "waiting");
    let body = html! {
        (header(shell))
        (search)
        (listing::bars(&plot, address, &bars))
        div.with-facets {
            div { (facets(shell, &counts)) (views) }
            div id="delivery-list" data-refresh=[waits.then_some("5")] {
                @if rows.is_empty() {
                    (ui::empty_state("No delivery here", "Forwarders and channels leave a delivery for whatever they send, with every attempt at it.",
                        Some(if narrow { ui::button("Show all deliveries", "/deliveries", None, true) }
                            else { ui::button("Forwarders", "/forwarders", None, true) })))
                } @else { (table("deliveries", &rows)) (pages(address, &way, &words)) }
            }
        }
    };
    Ok(shell.page(Nav::Forwarders, "Deliveries", body))
}

fn header(shell: &Shell) -> Markup {
    html! {
        (ui::page_header("Deliveries", "Everything that was sent, newest first: one event, batch or message for one destination.", html! {
            @if shell.may(Permission::Export) {
                (ui::button("CSV", &export(&shell.address, "csv"), Some(Icon::Download), false))
                (ui::button("NDJSON", &export(&shell.address, "ndjson"), Some(Icon::Download), false))
            }
        }))
        (super::forwarder::places("/deliveries"))
    }
}

/// The address of the export of what the list shows.
fn export(address: &Address, format: &str) -> String {
    let mut to = Address::new("/api/v1/deliveries/export").with("format", format);
    for name in ["destination", "state", "reason", "event_type", "from", "to"] {
        if let Some(value) = address.value(name) {
            to = to.with(name, value);
        }
    }
    match address.value("q") {
        Some(text) => to.with("filter", text).to_string(),
        None => to.to_string(),
    }
}

fn facets(shell: &Shell, counts: &[(String, String, u64)]) -> Markup {
    let state = shell.address.value("state");
    let destination = shell.address.value("destination");
    let states: Vec<(String, String, u64)> = STATES
        .iter()
        .map(|(word, label)| {
            let of = counts.iter().filter(|(name, known, _)| {
                known == word && destination.is_none_or(|only| only == name)
            });
            ((*word).to_owned(), (*label).to_owned(), of.map(|(.., count)| count).sum())
        })
        .collect();
    let mut names: Vec<(String, String, u64)> = Vec::new();
    for (name, known, count) in counts {
        let counted = if state.is_none_or(|only| only == known) { *count } else { 0 };
        match names.iter_mut().find(|(seen, ..)| seen == name) {
            Some((.., sum)) => *sum += counted,
            None => names.push((name.clone(), name.clone(), counted)),
        }
    }
    let address = shell.address.without(CURSORS);
    html! { aside.facets aria-label="Narrow the list" {
        (toggles(&shell.address.without(CURSORS), "state", "State", &states))
        (toggles(&shell.address.without(CURSORS), "destination", "Destination", &names))
        details open { summary { "Reason" } ul {
            @for (word, label) in REASONS {
                @let here = address.value("reason") == Some(word);
                li { a.facet href=(if here { address.without(&["reason"]) } else { address.with("reason", word) })
                    aria-current=[here.then_some("true")] { (label) } }
            }
        } }
    } }
}

/// The state of a delivery.
fn state(row: &Delivery) -> Markup {
    ui::delivery_state(match row.state.as_str() {
        "waiting" if row.attempts == 0 => "pending",
        "waiting" => "retrying",
        word => word,
    })
}

/// A table of deliveries.
pub(super) fn table(id: &str, rows: &[Delivery]) -> Markup {
    let columns = [
        Column::new("Delivery"),
        Column::new("Destination"),
        Column::new("State"),
        Column::new("Attempts").number(),
        Column::new("Last answer").optional(),
        Column::new("Made"),
    ];
    let rows: Vec<Row> = rows
        .iter()
        .map(|row| Row {
            href: Some(format!("/deliveries/{}", row.id)),
            tone: match row.state.as_str() {
                "dead" => Some(Tone::Bad),
                "waiting" if row.attempts > 0 => Some(Tone::Warning),
                _ => None,
            },
            cells: vec![
                html! { (what(row)) },
                html! { (row.destination) },
                state(row),
                html! { (row.attempts) },
                html! { @if let Some(status) = row.status { (status) } @else { span.muted { "—" } } },
                ui::time(row.created_at.micros()),
            ],
        })
        .collect();
    ui::data_table(&Table {
        id,
        caption: "Deliveries, newest first",
        columns: &columns,
        rows: &rows,
    })
}

/// What a delivery carries, in a few words.
fn what(row: &Delivery) -> String {
    match (&row.event_type, row.events) {
        (Some(event_type), 1) => event_type.clone(),
        (Some(event_type), many) => format!("{event_type} and {} more", many - 1),
        (None, _) => "a message".to_owned(),
    }
}

async fn one(shell: &Shell, id: &str) -> Result<Response, Problem> {
    let view = shell.engine().delivery(shell.context(), path_of::<DeliveryId>(id)?).await?;
    let DeliveryView { row, attempts, .. } = &view;
    let title = what(row);
    let waits = row.state == "waiting";
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Deliveries", href: Some("/deliveries") },
            Crumb { label: &title, href: None },
        ]))
        (ui::page_header(&title, &format!("For {}", row.destination), html! {
            @if shell.may(Permission::ForwarderWrite) && row.reason != "test" {
                form method="post" action={"/deliveries/" (row.id) "/resend"} {
                    (ui::csrf_input(shell.csrf()))
                    button.primary type="submit" { "Send again" }
                }
            }
        }))
        @if let Some(error) = &row.error { (ui::alert_box(AlertKind::Error, &sentence(error))) }
        div.stack id="delivery-state" data-refresh=[waits.then_some("3")] {
            (ui::section("state", "State", html! {}, facts(shell, &view)))
            (ui::section("attempts", "Attempts", html! {}, html! {
                @if attempts.is_empty() { p.muted { "It was not tried yet." } }
                @for attempt in attempts { (tried(attempt)) }
            }))
        }
    };
    Ok(shell.page(Nav::Forwarders, &title, body))
}

/// The destination, with its page while it has one.
fn destination(view: &DeliveryView) -> Markup {
    let name = &view.row.destination;
    html! {
        @match view.class {
            Some(Class::Forwarder) => { a href={"/forwarders/" (name)} { (name) } },
            Some(Class::Channel) => { a href={"/channels/" (name)} { (name) } },
            None => { (name) " " span.muted { "(deleted)" } },
        }
    }
}

/// The events that it carries, by their places in the log.
fn carries(row: &Delivery) -> Option<Markup> {
    let (first, last) = row.first_index.zip(row.last_index)?;
    let event = |index: u64| html! { a href={"/events/" (index)} { "index " (index) } };
    Some(match row.events {
        1 => event(first),
        many => html! { (many) " events, from " (event(first)) " to " (event(last)) },
    })
}

/// What is known of its message, for whom it is, and where that leads.
fn of_message(shell: &Shell, view: &DeliveryView) -> Vec<(&'static str, Markup)> {
    let Some(message) = &view.message else { return Vec::new() };
    let mut pairs = Vec::new();
    if let Some(subject) = &message.subject {
        pairs.push(("Subject", html! { (subject) }));
    }
    match &message.recipients {
        Some(list) if !list.is_empty() => pairs.push(("To", html! { (list.join(", ")) })),
        _ if message.recipient_count > 0 => {
            pairs.push(("To", html! { (message.recipient_count) " recipients" }));
        }
        _ => {}
    }
    if let Some(event) = &message.event {
        pairs.push(("Tells of", html! { a href={"/events/" (event)} { "this event" } }));
    }
    if !message.notices.is_empty() && shell.may(Permission::AlertRead) {
        let to = Address::new("/notifications/notices").with("delivery", &view.row.id.to_string());
        let count = message.notices.len();
        let words = if count == 1 { "1 notice".to_owned() } else { format!("{count} notices") };
        pairs.push(("Notices", html! { a href=(to.to_string()) { (words) } }));
    }
    pairs
}

fn facts(shell: &Shell, view: &DeliveryView) -> Markup {
    let row = &view.row;
    let moment = |at: Option<Timestamp>| match at {
        Some(at) => ui::time(at.micros()),
        None => html! { span.muted { "—" } },
    };
    let mut pairs = vec![
        ("State", state(row)),
        ("Destination", destination(view)),
        ("Identifier", ui::code(&row.id.to_string())),
        ("Made", ui::time(row.created_at.micros())),
        ("First tried", moment(row.first_attempt_at)),
        ("Last tried", moment(row.last_attempt_at)),
        ("Ended", moment(row.completed_at)),
        ("Attempts", html! { (row.attempts) }),
    ];
    if row.state == "waiting" {
        pairs.push(("Next try", ui::time(row.next_at.micros())));
    }
    if let Some(log) = carries(row) {
        pairs.push(("Log", log));
    }
    pairs.extend(of_message(shell, view));
    ui::key_values(&pairs)
}

fn tried(attempt: &Attempt) -> Markup {
    let pretty = |text: &str| {
        let value = serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
        serde_json::to_string_pretty(&value).unwrap_or_default()
    };
    let heads = format!(
        "{{\n\"request\": {},\n\"response\": {}\n}}",
        pretty(&attempt.request),
        pretty(&attempt.response)
    );
    let id = format!("attempt-{}", attempt.number);
    html! {
        details {
            summary {
                "Attempt " (attempt.number) ", " (ui::time(attempt.at.micros())) ", "
                (attempt.took_us / 1_000) " ms "
                (ui::delivery_state(&attempt.outcome))
                @if let Some(status) = attempt.status { " " (status) }
            }
            @if let Some(error) = &attempt.error { p { (sentence(error)) } }
            (ui::json_block(&id, "Heads of request and answer", &pretty(&heads)))
        }
    }
}
