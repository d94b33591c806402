//! The list of alerts: search, facets, alerts over time, saved views; boxes to tick and one form
//! that does something about all that are ticked, or all that fit the search.
//!
//! After a change the page offers to take it back: what to do and with which alerts stands in the
//! address, so that nothing has to be remembered.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use chancery_engine::Permission;
use chancery_engine::alert::{AlertFilter, AlertQuery, ShownAlert, Sort};
use chancery_event::Timestamp;
use chancery_event::filter::Schema;
use maud::{DOCTYPE, Markup, html};

use super::address::Address;
use super::certificates::{Way, pages};
use super::listing::{self, CURSORS, FacetCounts, Narrowed};
use super::shell::Shell;
use super::{GET, alert_row, saved_view};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, Bucket, Column, Direction, Histogram, Icon, Nav, Row, Series, Table, Tone};

/// Alerts on a page.
const PAGE: usize = 50;
/// Bars of the histogram.
const BARS: i64 = 60;
const PLACEHOLDER: &str = "severity>=error kind:job_failed -assigned_to:*";
/// Seconds between two refreshes of the list that nothing asks for: reading marks are no events.
const REFRESH: &str = "30";

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::AlertRead);
    routes.add(GET, "/alerts", read, show);
    routes.add(GET, "/alerts/bell", read, bell);
}

/// The bell alone, for pages that stay open.
async fn bell(shell: Shell) -> Response {
    let page = html! { (DOCTYPE) html lang="en-GB" { head { title { "Alerts" } } body {
        @if let Some(bell) = shell.bell() { (ui::bell(bell)) }
    } } };
    (StatusCode::OK, Html(page.into_string())).into_response()
}

async fn show(mut shell: Shell) -> Response {
    let undo = super::alert::offered(&shell);
    shell.address = shell.address.without(&["undo", "of", "with", "until"]);
    shell.answer(list(&shell, undo)).await
}

/// The expression with the span of time, which is about when alerts were raised.
fn expression(narrowed: &Narrowed, address: &Address) -> String {
    let mut text = narrowed.text.clone();
    if !text.is_empty() && (narrowed.from.is_some() || narrowed.to.is_some()) {
        text = format!("({text})");
    }
    for (name, sign) in [("from", ">="), ("to", "<")] {
        if let Some(at) = address.parsed::<Timestamp>(name) {
            text = format!("{text} created{sign}{at}");
        }
    }
    text.trim().to_owned()
}

/// The order asked for: the newest first, unless told otherwise.
fn order(address: &Address) -> (Sort, bool) {
    let text = address.value("sort").unwrap_or("-created");
    match Sort::parse(text.trim_start_matches('-')) {
        Some(sort) => (sort, text.starts_with('-')),
        None => (Sort::Created, true),
    }
}

async fn list(shell: &Shell, undo: Option<Markup>) -> Result<Response, Problem> {
    let (engine, context, address) = (shell.engine(), shell.context(), &shell.address);
    let schema = engine.alert_schema();
    let narrowed = Narrowed::read(address, &schema);
    let views = saved_view::panel(shell, "alerts").await?;
    let head = html! {
        (header(shell, &narrowed))
        @if let Some(undo) = undo { (undo) }
        (narrowed.search_box("alert-search", address, "/alerts", PLACEHOLDER))
    };
    if narrowed.error.is_some() {
        let body = html! { (head) (listing::not_understood()) (views) };
        return Ok(shell.page(Nav::Alerts, "Alerts", body));
    }
    let text = expression(&narrowed, address);
    let filter = engine.parse_alert_filter(&text)?;
    let (sort, descending) = order(address);
    let query = AlertQuery {
        filter: filter.clone(),
        sort,
        descending,
        cursor: address.value("cursor").map(str::to_owned),
        limit: PAGE,
    };
    let (page, count, facets) = tokio::try_join!(
        engine.alerts(context, &query),
        engine.alert_count(context, &filter),
        engine.alert_facets(context, &filter),
    )?;
    if count == 0 && text.is_empty() {
        let body = html! { (head) (nothing()) (views) };
        return Ok(shell.page(Nav::Alerts, "Alerts", body));
    }
    let group = |(field, values): (&str, Vec<(String, u64)>)| FacetCounts {
        label: if field == "kind" { "Type".to_owned() } else { listing::label(field) },
        field: field.to_owned(),
        values,
    };
    let groups: Vec<FacetCounts> = facets.into_iter().map(group).collect();
    let at = |cursor: &Option<String>| {
        cursor.as_deref().map(|cursor| address.with("cursor", cursor).to_string())
    };
    let way = Way { previous: at(&page.previous), next: at(&page.next) };
    let words = format!("{} shown of {}", page.items.len(), ui::grouped(count));
    let body = html! {
        (head)
        (raised(shell, &narrowed, &schema, &filter).await?)
        div.with-facets {
            div { (listing::facets(address, &narrowed.filter, &schema, &groups)) (views) }
            div id="alert-list" data-refresh=(REFRESH) data-refresh-on="alerts" {
                @if page.items.is_empty() {
                    (ui::empty_state("No alert fits", "Take a condition away, or look at the resolved ones with state:resolved.",
                        Some(ui::button("Show all that are open", "/alerts", None, true))))
                } @else {
                    (table(shell, &page.items, &text, count, (sort, descending)))
                    (pages(address, &way, &words))
                }
            }
        }
    };
    Ok(shell.page(Nav::Alerts, "Alerts", body))
}

fn header(shell: &Shell, narrowed: &Narrowed) -> Markup {
    ui::page_header(
        "Alerts",
        "What somebody has to look at: one for each cause, resolved by itself when the cause is gone.",
        html! {
            (ui::button("Review", "/review", Some(Icon::Clock), false))
            (listing::exports(shell, "/api/v1/alerts/export", narrowed, "created"))
            (ui::button("Refresh", &shell.address.to_string(), Some(Icon::Refresh), false))
            @if shell.bell().is_some_and(|bell| bell.unread > 0) {
                form.inline method="post" action="/alerts/settle" {
                    (ui::csrf_input(shell.csrf()))
                    input type="hidden" name="scope" value="all";
                    input type="hidden" name="back" value=(shell.address);
                    button type="submit" name="action" value="read" { "Mark all as read" }
                }
            }
        },
    )
}

fn nothing() -> Markup {
    ui::empty_state(
        "Nothing needs you",
        "A failed job, a locked account, a broken chain, a stopped log: each raises one alert, counts \
         up while it goes on, and resolves it when the cause is gone. Resolved ones are kept: search \
         for state:resolved.",
        Some(ui::button("Resolved alerts", "/alerts?q=state:resolved", None, false)),
    )
}

async fn raised(
    shell: &Shell,
    narrowed: &Narrowed,
    schema: &Schema,
    filter: &AlertFilter,
) -> Result<Markup, Problem> {
    let ((from, to), _) = narrowed.past("created", schema, shell.now(), 30 * Timestamp::DAY);
    let width = (to - from).div_euclid(BARS).max(1);
    let address = shell.address.without(CURSORS);
    plot(shell, filter, "alert-histogram", "raised in this span", (from, width), &address).await
}

/// Alerts that a filter selects, by when they were raised; bars narrow `address`.
pub(super) async fn plot(
    shell: &Shell,
    filter: &AlertFilter,
    id: &str,
    label: &str,
    (from, width): (i64, i64),
    address: &Address,
) -> Result<Markup, Problem> {
    let to = from + width * BARS;
    let at = Timestamp::from_micros;
    let found =
        shell.engine().alert_times(shell.context(), filter, at(from), at(to), width).await?;
    let mut counts = vec![[0_u64; 1]; usize::try_from(BARS).unwrap_or(0)];
    for (start, count) in found {
        let place = (start.micros() - from).div_euclid(width);
        if let Some(bar) = usize::try_from(place).ok().and_then(|place| counts.get_mut(place)) {
            bar[0] += count;
        }
    }
    let moment = |at: i64| ui::rfc3339(at).unwrap_or_default();
    let starts: Vec<i64> = (0..BARS).map(|bar| from + bar * width).collect();
    let hrefs: Vec<String> = starts
        .iter()
        .map(|start| {
            address.with("from", &moment(*start)).with("to", &moment(start + width)).to_string()
        })
        .collect();
    let buckets: Vec<Bucket<'_>> = starts
        .iter()
        .zip(&hrefs)
        .zip(&counts)
        .map(|((start, href), counts)| Bucket { start: *start, href, counts })
        .collect();
    let series = [Series { label: "Raised", tone: Tone::Warning }];
    Ok(ui::histogram(&Histogram { id, label, series: &series, buckets: &buckets, from, to }))
}

fn table(
    shell: &Shell,
    items: &[ShownAlert],
    text: &str,
    count: u64,
    (sort, descending): (Sort, bool),
) -> Markup {
    let address = shell.address.without(CURSORS);
    let sorted = |label: &str, by: Sort| {
        let now = if descending { Direction::Descending } else { Direction::Ascending };
        let current = (by == sort).then_some(now);
        // The first click shows the gravest or newest.
        let sign = if current == Some(Direction::Descending) { "" } else { "-" };
        let href = address.with("sort", &format!("{sign}{}", by.as_str())).to_string();
        Column::new(label).sorted(&href, current)
    };
    let columns = vec![
        Column::new("Alert"),
        sorted("Severity, state", Sort::Severity),
        Column::new("About"),
        sorted("Raised", Sort::Created),
        Column::new("With").optional(),
        Column::new("Select"),
    ];
    let rows: Vec<Row> = items
        .iter()
        .map(|shown| {
            let mut row = alert_row::row(shown);
            row.cells.push(html! {
                label.tick {
                    input type="checkbox" name="id" value=(shown.alert.id);
                    span.visually-hidden { "Select " (shown.alert.title) }
                }
            });
            row
        })
        .collect();
    html! {
        form method="post" action="/alerts/settle" {
            (ui::csrf_input(shell.csrf()))
            input type="hidden" name="filter" value=(text);
            input type="hidden" name="back" value=(shell.address);
            (toolbar(shell, items.len() as u64, count))
            (ui::data_table(&Table { id: "alerts", caption: "Alerts", columns: &columns, rows: &rows }))
        }
    }
}

fn toolbar(shell: &Shell, shown: u64, count: u64) -> Markup {
    html! {
        div.toolbar role="group" aria-label="Do something about the selected alerts" {
            label.tick { input type="checkbox" name="scope" value="filter";
                span { @if count > shown { "All " (ui::grouped(count)) " that fit" } @else { "All shown" } }
            }
            button type="submit" name="action" value="read" { "Mark read" }
            button type="submit" name="action" value="unread" { "Mark unread" }
            @if shell.may(Permission::AlertWrite) {
                button type="submit" name="action" value="acknowledge" { "Acknowledge" }
                button type="submit" name="action" value="mine" { "Assign to me" }
                label.visually-hidden for="bulk-snooze" { "Snooze for" }
                select id="bulk-snooze" name="for" {
                    @for (value, label) in super::alert::SNOOZES { option value=(value) { (label) } }
                }
                button type="submit" name="action" value="snooze" { "Snooze" }
                button type="submit" name="action" value="resolve" { "Resolve" }
            }
        }
    }
}
