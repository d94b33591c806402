//! The list of events: search, facets, histogram, saved views, export, live tail. The address is
//! the whole state.

use axum::response::Response;
use chancery_engine::history::{EventPage, EventQuery};
use chancery_engine::{Error, Permission};
use chancery_event::filter::Filter;
use chancery_event::{LogIndex, Severity, Timestamp};
use maud::{Markup, html};

use super::listing::{self, CURSORS, FacetCounts, Narrowed};
use super::shell::Shell;
use super::{GET, event_row, saved_view};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, Bucket, Histogram, Nav, Series, Table, Tone};

/// Events on a page.
const PAGE: usize = 50;
/// Bars of the histogram.
const BARS: usize = 72;
const PLACEHOLDER: &str = "type:certificate.* outcome:failure time:last(7d) \"timeout\"";

pub(super) fn add(routes: &mut Routes) {
    routes.add(GET, "/events", Access::Session(Permission::EventRead), show);
}

async fn show(shell: Shell) -> Response {
    shell.answer(list(&shell)).await
}

async fn list(shell: &Shell) -> Result<Response, Problem> {
    let (engine, context, address) = (shell.engine(), shell.context(), &shell.address);
    let schema = engine.event_schema();
    let narrowed = Narrowed::read(address, schema);
    let views = saved_view::panel(shell, "events").await?;
    let head = html! {
        (header(shell, &narrowed))
        (narrowed.search_box("event-search", address, "/events", PLACEHOLDER))
    };
    if narrowed.error.is_some() {
        return Ok(shell.page(
            Nav::Events,
            "Events",
            html! { (head) (listing::not_understood()) (views) },
        ));
    }
    let condition = narrowed.condition("time");
    let ((from, to), asked) = narrowed.past("time", schema, shell.now(), 7 * Timestamp::DAY);
    let (page, facets, (bars, bars_sampled)) = tokio::try_join!(
        page(shell, condition.clone()),
        engine.event_facets(context, &condition),
        engine.event_bars(
            context,
            &condition,
            (Timestamp::from_micros(from), Timestamp::from_micros(to)),
            BARS
        ),
    )?;
    let count = facets.count;
    let groups: Vec<FacetCounts> = facets
        .groups
        .into_iter()
        .map(|group| FacetCounts {
            label: listing::label(group.field),
            field: group.field.to_owned(),
            values: group.values,
        })
        .collect();
    let counts: Vec<Vec<u64>> = bars.iter().map(|bar| by_severity(&bar.by_severity)).collect();
    let starts: Vec<i64> = bars.iter().map(|bar| bar.from.micros()).collect();
    let ends: Vec<i64> = bars.iter().map(|bar| bar.to.micros()).collect();
    let shown = format!(
        "{} shown of {}",
        page.page.events.len(),
        listing::counted(count.value, count.at_least)
    );
    let body = html! {
        (head)
        (histogram(shell, &starts, &ends, &counts, (asked, bars_sampled)))
        div.with-facets {
            div {
                (listing::facets(address, &narrowed.filter, schema, &groups))
                @if facets.sampled { (ui::sampled("Counts are of the newest that fit; narrow the search or the time to count all.")) }
                @else if facets.actors_sampled {
                    (ui::sampled("Actors are counted over the newest 2,000 that fit; the other counts are of all."))
                }
                (views)
            }
            div { (rows(shell, &page, &shown)) }
        }
    };
    Ok(shell.page(Nav::Events, "Events", body))
}

fn header(shell: &Shell, narrowed: &Narrowed) -> Markup {
    ui::page_header(
        "Events",
        "Everything that happened, newest first, in the order of the log.",
        listing::exports(shell, "/api/v1/events/export", narrowed, "time"),
    )
}

/// A page of events, newest first, and whether there are newer and older ones.
struct Shown {
    page: EventPage,
    newer: bool,
    older: bool,
}

async fn page(shell: &Shell, filter: Filter) -> Result<Shown, Error> {
    let before = shell.address.parsed::<LogIndex>("before");
    let after = shell.address.parsed::<LogIndex>("after");
    let upwards = before.is_none() && after.is_some();
    let query = EventQuery {
        filter,
        before,
        from: after.filter(|_| upwards).map(|index| LogIndex(index.0.saturating_add(1))),
        limit: PAGE,
        oldest_first: upwards,
    };
    let mut page = shell.engine().events(shell.context(), query).await?;
    let more = page.more;
    if upwards {
        page.events.reverse();
    }
    let (newer, older) = if upwards { (more, true) } else { (before.is_some(), more) };
    Ok(Shown { page, newer, older })
}

fn rows(shell: &Shell, shown: &Shown, words: &str) -> Markup {
    let address = shell.address.without(CURSORS);
    let events = &shown.page.events;
    let live = !shown.newer
        && shell.address.value("from").is_none()
        && shell.address.value("to").is_none();
    let size = *shell.engine().sealed().borrow();
    let stream = address.at("/events/live").with("from", &size.to_string()).to_string();
    let table: Vec<_> = events.iter().map(event_row::row).collect();
    let newer = events.first().map(|first| address.with("after", &first.index.to_string()));
    let older = events.last().map(|last| address.with("before", &last.index.to_string()));
    let newer = newer.filter(|_| shown.newer).map(|href| href.to_string());
    let older = older.filter(|_| shown.older).map(|href| href.to_string());
    html! {
        @if live { (ui::live_region("events", &stream)) }
        @if events.is_empty() {
            (ui::empty_state("No event fits", "Take a condition away, or widen the time.",
                Some(ui::button("Show all events", "/events", None, true))))
            // Rows that come in live need somewhere to go.
            @if live { (ui::data_table(&Table { id: "events", caption: "Events",
                columns: &event_row::columns(), rows: &[] })) }
        } @else {
            (ui::data_table(&Table {
                id: "events",
                caption: "Events, newest first",
                columns: &event_row::columns(),
                rows: &table,
            }))
            (ui::pager(newer.as_deref(), older.as_deref(), words))
        }
    }
}

/// The layers of the histogram, the gravest first.
const LAYERS: [(Severity, &str, Tone); 5] = [
    (Severity::Critical, "Critical", Tone::Critical),
    (Severity::Error, "Error", Tone::Bad),
    (Severity::Warning, "Warning", Tone::Warning),
    (Severity::Info, "Info", Tone::Info),
    (Severity::Debug, "Debug", Tone::Neutral),
];

fn by_severity(counts: &[(Severity, u64)]) -> Vec<u64> {
    let of = |wanted| counts.iter().filter(|(s, _)| *s == wanted).map(|(_, count)| count).sum();
    LAYERS.iter().map(|(severity, _, _)| of(*severity)).collect()
}

fn histogram(
    shell: &Shell,
    starts: &[i64],
    ends: &[i64],
    counts: &[Vec<u64>],
    (asked, sampled): (bool, bool),
) -> Markup {
    let address = shell.address.without(CURSORS);
    let moment = |at: i64| ui::rfc3339(at).unwrap_or_default();
    let hrefs: Vec<String> = starts
        .iter()
        .zip(ends)
        .map(|(from, to)| address.with("from", &moment(*from)).with("to", &moment(*to)).to_string())
        .collect();
    let buckets: Vec<Bucket<'_>> = starts
        .iter()
        .zip(&hrefs)
        .zip(counts)
        .map(|((start, href), counts)| Bucket { start: *start, href, counts })
        .collect();
    let series = LAYERS.map(|(_, label, tone)| Series { label, tone });
    let (Some(first), Some(last)) = (starts.first(), ends.last()) else { return html! {} };
    let chart = ui::histogram(&Histogram {
        id: "event-histogram",
        label: if asked { "events in this span" } else { "events in the last 7 days" },
        series: &series,
        buckets: &buckets,
        from: *first,
        to: *last,
    });
    html! {
        (chart)
        @if sampled {
            (ui::sampled("Bars are of the newest that fit; narrow the search or the time to count all."))
        }
    }
}
