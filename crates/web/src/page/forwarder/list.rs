//! The list of forwarders, and that of channels: searched, counted, ordered, page by page.
//!
//! There are few of them, and most of what people look for is not stored: all that fit are read,
//! and a page of them is shown.

use axum::response::Response;
use chancery_engine::delivery::{Class, DestinationView};
use chancery_event::Timestamp;
use chancery_event::filter::Schema;
use maud::{Markup, html};

use super::{Shelf, kind, moment, state};
use crate::edge::Problem;
use crate::page::address::Address;
use crate::page::certificates::{Way, pages};
use crate::page::listing::{self, CURSORS, FacetCounts, Narrowed};
use crate::page::saved_view;
use crate::page::shell::Shell;
use crate::ui::{self, Column, Direction, Row, Table, Tone};

const PLACEHOLDER: &str = "state:paused kind:webhook waiting>100";
/// Destinations on a page.
const PAGE: usize = 50;

/// What the list can be ordered by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Name,
    State,
    Kind,
    Waiting,
    Dead,
    Last,
}

impl Sort {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Name, "name"),
        (Self::State, "state"),
        (Self::Kind, "kind"),
        (Self::Waiting, "waiting"),
        (Self::Dead, "dead"),
        (Self::Last, "last"),
    ];

    /// The order that an address asks for, and whether it is turned round.
    fn read(address: &Address) -> (Self, bool) {
        let text = address.value("sort").unwrap_or("name");
        let (word, descending) = match text.strip_prefix('-') {
            Some(word) => (word, true),
            None => (text, false),
        };
        let found = Self::ALL.iter().find(|(_, known)| *known == word);
        found.map_or((Self::Name, false), |(sort, _)| (*sort, descending))
    }

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(sort, _)| *sort == self).map_or("name", |(_, word)| word)
    }

    fn apply(self, views: &mut [DestinationView], descending: bool, now: Timestamp) {
        match self {
            Self::Name => {}
            Self::State => views.sort_by_key(|view| view.state(now)),
            Self::Kind => views.sort_by(|a, b| a.row.kind.cmp(&b.row.kind)),
            Self::Waiting => views.sort_by_key(|view| view.backlog.waiting),
            Self::Dead => views.sort_by_key(|view| view.backlog.dead),
            Self::Last => views.sort_by_key(|view| view.row.course.last_success_at),
        }
        if descending {
            views.reverse();
        }
    }

    /// A column that is ordered by it; the first click on a figure shows the largest first.
    fn column(self, address: &Address, label: &str) -> Column {
        let (sort, descending) = Self::read(address);
        let is_figure = matches!(self, Self::Waiting | Self::Dead | Self::Last);
        let current = (sort == self).then_some(match descending {
            true => Direction::Descending,
            false => Direction::Ascending,
        });
        let turned = if sort == self { !descending } else { is_figure };
        let word = format!("{}{}", if turned { "-" } else { "" }, self.word());
        let href = address.without(CURSORS).with("sort", &word).to_string();
        Column::new(label).sorted(&href, current)
    }
}

/// The page.
pub(super) async fn view(shell: &Shell, shelf: &Shelf) -> Result<Response, Problem> {
    let (engine, address) = (shell.engine(), &shell.address);
    let schema = engine.destination_schema();
    let narrowed = Narrowed::read(address, &schema);
    let text = if narrowed.error.is_some() { "" } else { narrowed.text.as_str() };
    let mut views = engine.find_destinations(shell.context(), shelf.class, text).await?;
    let is_whole = narrowed.text.is_empty();
    let now = Timestamp::from_micros(shell.now());
    let (sort, descending) = Sort::read(address);
    sort.apply(&mut views, descending, now);
    let saved = saved_view::panel(shell, shelf.root.trim_start_matches('/')).await?;
    let (label, href) = (format!("New {}", shelf.noun), shelf.one("new"));
    let new = || ui::button(&label, &href, None, true);
    let may = shell.may(shelf.write);
    let has_any = !(is_whole && views.is_empty());
    let body = html! {
        (ui::page_header(shelf.plural, shelf.about, html! {
            @if has_any {
                @if shelf.class == Class::Forwarder {
                    (listing::exports(shell, "/api/v1/deliveries/forwarders/export", &narrowed, "created"))
                }
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
                div { (table(shell, shelf, &views)) }
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
fn table(shell: &Shell, shelf: &Shelf, views: &[DestinationView]) -> Markup {
    let address = &shell.address;
    let start = address.parsed::<usize>("cursor").unwrap_or(0).min(views.len() - 1);
    let end = (start + PAGE).min(views.len());
    let at = |place: usize| address.without(CURSORS).with("cursor", &place.to_string()).to_string();
    let way = Way {
        previous: (start > 0).then(|| at(start.saturating_sub(PAGE))),
        next: (end < views.len()).then(|| at(end)),
    };
    let words = format!("{}–{} of {}", start + 1, end, views.len());
    let columns = [
        Sort::Name.column(address, "Name"),
        Sort::State.column(address, "State"),
        Sort::Kind.column(address, "Kind"),
        Column::new("Sends to").optional(),
        Sort::Waiting.column(address, "Waiting").number(),
        Sort::Dead.column(address, "Given up").number(),
        Sort::Last.column(address, "Last got through").optional(),
    ];
    let rows: Vec<Row> =
        views[start..end].iter().map(|view| row(shelf, view, shell.now())).collect();
    let table = Table { id: "destinations", caption: shelf.plural, columns: &columns, rows: &rows };
    html! {
        (ui::data_table(&table))
        @if views.len() > PAGE { (pages(address, &way, &words)) }
    }
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
