//! The list of forwarders, and that of channels: searched, counted, ordered, page by page.
//!
//! There are few of them, and most of what people look for is not stored: all that fit are read,
//! and a page of them is shown.

use axum::response::Response;
use chancery_engine::delivery::DestinationView;
use chancery_event::Timestamp;
use chancery_event::filter::Schema;
use maud::{Markup, html};

use super::{Shelf, kind, moment, state};
use crate::edge::Problem;
use crate::page::address::Address;
use crate::page::listing::{self, FacetCounts, Narrowed};
use crate::page::saved_view;
use crate::page::shell::Shell;
use crate::page::short_list::{Order, Words, part};
use crate::ui::{self, Column, Row, Table, Tone};

const PLACEHOLDER: &str = "state:paused kind:webhook waiting>100";

/// What a span of time in the address is about.
const SPAN: &str = "created";
const ORDERS: Words = &[
    ("name", false),
    ("state", false),
    ("kind", false),
    ("waiting", true),
    ("dead", true),
    ("last", true),
];

fn sort(views: &mut [DestinationView], word: &str, now: Timestamp) {
    match word {
        "state" => views.sort_by_key(|view| view.state(now)),
        "kind" => views.sort_by(|a, b| a.row.kind.cmp(&b.row.kind)),
        "waiting" => views.sort_by_key(|view| view.backlog.waiting),
        "dead" => views.sort_by_key(|view| view.backlog.dead),
        "last" => views.sort_by_key(|view| view.row.course.last_success_at),
        _ => {}
    }
}

/// The page.
pub(super) async fn view(shell: &Shell, shelf: &Shelf) -> Result<Response, Problem> {
    let (engine, address) = (shell.engine(), &shell.address);
    let schema = engine.destination_schema();
    let narrowed = Narrowed::read(address, &schema);
    let text = narrowed.expression(SPAN);
    let mut views = engine.find_destinations(shell.context(), shelf.class, &text).await?;
    let is_whole = text.is_empty() && narrowed.error.is_none();
    let now = Timestamp::from_micros(shell.now());
    let order = Order::read(address, ORDERS);
    order.apply(&mut views, |views, word| sort(views, word, now));
    let saved = saved_view::panel(shell, shelf.root.trim_start_matches('/')).await?;
    let (label, href) = (format!("New {}", shelf.noun), shelf.one("new"));
    let new = || ui::button(&label, &href, None, true);
    let may = shell.may(shelf.write);
    let has_any = !(is_whole && views.is_empty());
    let body = html! {
        (ui::page_header(shelf.plural, shelf.about, html! {
            @if has_any {
                (listing::exports(shell, shelf.export(), &narrowed, SPAN))
                @if may { (new()) }
            }
        }))
        (shelf.tabs())
        @if has_any {
            (narrowed.search_box("destination-search", address, shelf.root, PLACEHOLDER))
        }
        @if narrowed.error.is_some() {
            (listing::not_understood())
        } @else if views.is_empty() && !is_whole {
            (ui::empty_state(&format!("No {} fits", shelf.noun), "Take a condition away.",
                Some(ui::button("Show all", shelf.root, None, true))))
        } @else if views.is_empty() {
            (ui::empty_state(&format!("No {} here", shelf.noun), shelf.empty, may.then(new)))
        } @else {
            div.with-facets {
                div { (facets(address, &narrowed, &schema, &views, now)) (saved) }
                div { (table(shell, shelf, &views, order)) }
            }
        }
    };
    Ok(shell.page(shelf.nav, shelf.plural, body))
}

fn facets(
    address: &Address,
    narrowed: &Narrowed,
    schema: &Schema,
    views: &[DestinationView],
    now: Timestamp,
) -> Markup {
    let counts = [
        FacetCounts::over("state", views.iter().map(|view| view.state(now))),
        FacetCounts::over("kind", views.iter().map(|view| view.row.kind.as_str())),
    ];
    listing::facets(address, &narrowed.filter, schema, &counts)
}

/// One page of them, with the way to its neighbours.
fn table(shell: &Shell, shelf: &Shelf, views: &[DestinationView], order: Order) -> Markup {
    let address = &shell.address;
    let (range, way) = part(address, views.len());
    let column = |word, label| order.column(address, word, label);
    let columns = [
        column("name", "Name"),
        column("state", "State"),
        column("kind", "Kind"),
        Column::new("Sends to").optional(),
        column("waiting", "Waiting").number(),
        column("dead", "Given up").number(),
        column("last", "Last got through").optional(),
    ];
    let rows: Vec<Row> = views[range].iter().map(|view| row(shelf, view, shell.now())).collect();
    let table = Table { id: "destinations", caption: shelf.plural, columns: &columns, rows: &rows };
    html! { (ui::data_table(&table)) (way) }
}

fn row(shelf: &Shelf, view: &DestinationView, now: i64) -> Row {
    Row {
        href: Some(shelf.one(&view.row.name)),
        tone: match (view.row.enabled, view.row.course.failures, view.backlog.dead) {
            (false, ..) => None,
            (true, 0, 0) => None,
            (true, 0, _) => Some(Tone::Warning),
            _ => Some(Tone::Bad),
        },
        cells: vec![
            html! {
                (view.row.name)
                @if !view.definition.title.is_empty() { " " span.muted { (view.definition.title) } }
            },
            state(view, now),
            html! { (kind::label(&view.row.kind)) },
            html! { span.muted.break { (view.endpoint) } },
            html! { (view.backlog.waiting) },
            html! { (view.backlog.dead) },
            moment(view.row.course.last_success_at),
        ],
    }
}
