//! The event history: what triggers made of events, with search, facets and histogram.

use axum::extract::Path;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::reaction::record::{EvaluationQuery, Row as Evaluation, evaluation_schema};
use chancery_event::Timestamp;
use chancery_event::id::EvaluationId;
use maud::{Markup, html};
use serde_json::Value;

use super::{href, parts, reason};
use crate::edge::{Access, Problem, Routes, path_of};
use crate::page::GET;
use crate::page::certificates::{Way, pages};
use crate::page::listing::{self, BARS, Bars, CURSORS, FacetCounts, Narrowed};
use crate::page::saved_view;
use crate::page::shell::Shell;
use crate::ui::{self, Column, Crumb, Nav, Row, Table, Tone};

/// Evaluations on a page.
const PAGE: usize = 50;

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::AutomationRead);
    routes.add(GET, "/automation/history", read, async |shell: Shell| {
        shell.answer(list(&shell)).await
    });
    routes.add(
        GET,
        "/automation/history/{id}",
        read,
        async |shell: Shell, Path(id): Path<String>| shell.answer(one(&shell, &id)).await,
    );
}

async fn list(shell: &Shell) -> Result<Response, Problem> {
    let (engine, context, address) = (shell.engine(), shell.context(), &shell.address);
    let schema = evaluation_schema();
    let narrowed = Narrowed::read(address, &schema);
    let views = saved_view::panel(shell, "evaluations").await?;
    let exports = listing::exports(shell, "/api/v1/evaluations/export", &narrowed, "at");
    let head = html! {
        (ui::page_header("Automation", "What triggers made of events, and why.", exports))
        (parts("/automation/history"))
        (narrowed.search_box("history-search", address, "/automation/history",
            "trigger:weak-keys verdict:nearly at:last(1d)"))
    };
    if narrowed.error.is_some() {
        let body = html! { (head) (listing::not_understood()) (views) };
        return Ok(shell.page(Nav::Automation, "History", body));
    }
    let filter = narrowed.condition("at");
    let before = address.parsed::<EvaluationId>("before");
    let after = address.parsed::<EvaluationId>("after");
    let query = EvaluationQuery { filter: filter.clone(), before, after, limit: PAGE };
    let ((from, to), _) = narrowed.past("at", &schema, shell.now(), 7 * Timestamp::DAY);
    let width = ((to - from) / BARS).max(1);
    let span = (Timestamp::from_micros(from), Timestamp::from_micros(to));
    let (page, (count, facets), bars) = tokio::try_join!(
        engine.evaluations(context, &query),
        engine.evaluation_counts(context, &filter),
        engine.evaluation_histogram(context, &filter, span, width),
    )?;
    let groups: Vec<FacetCounts> = facets
        .into_iter()
        .map(|(field, values)| FacetCounts {
            label: listing::label(field),
            field: field.to_owned(),
            values,
        })
        .collect();
    let words =
        format!("{} shown of {}", page.items.len(), listing::counted(count, count >= 100_000));
    let at = |name: &str, row: Option<&Evaluation>, there: bool| {
        let row = row.filter(|_| there)?;
        Some(address.without(CURSORS).with(name, &row.id.to_string()).to_string())
    };
    let way = Way {
        previous: at("after", page.items.first(), page.newer),
        next: at("before", page.items.last(), page.older),
    };
    let body = html! {
        (head)
        (listing::bars(&Bars { id: "history-histogram", label: "evaluations", series: "Evaluations",
            from, to, width }, address, &bars))
        div.with-facets {
            div { (listing::facets(address, &narrowed.filter, &schema, &groups)) (views) }
            div {
                @if page.items.is_empty() {
                    (ui::empty_state("Nothing here", "Every trigger that listens to an event leaves a record here, also when it does not match.", None))
                } @else {
                    (table(&page.items, shell.now()))
                    (pages(address, &way, &words))
                }
            }
        }
    };
    Ok(shell.page(Nav::Automation, "History", body))
}

/// Evaluations as a table.
pub(super) fn table(items: &[Evaluation], now: i64) -> Markup {
    let columns = [
        Column::new("When"),
        Column::new("Trigger"),
        Column::new("Verdict"),
        Column::new("Event"),
        Column::new("Why not").optional(),
    ];
    let rows: Vec<Row> = items
        .iter()
        .map(|item| Row {
            href: Some(format!("/automation/history/{}", item.id)),
            tone: item.failed.then_some(Tone::Bad),
            cells: vec![
                ui::relative(item.at.micros(), now),
                html! { (item.trigger) },
                html! { (reason::verdict(&item.verdict))
                @if item.failed { " " (ui::badge(Tone::Bad, ui::Icon::Cross, "A step failed")) } },
                html! { a href={"/events/" (item.event_id)} { (item.event_type) } },
                html! { (reason::missed(item)) },
            ],
        })
        .collect();
    ui::data_table(&Table {
        id: "evaluations",
        caption: "Evaluations, newest first",
        columns: &columns,
        rows: &rows,
    })
}

async fn one(shell: &Shell, id: &str) -> Result<Response, Problem> {
    let row = shell.engine().evaluation(shell.context(), path_of::<EvaluationId>(id)?).await?;
    let explained: Value = serde_json::from_str(&row.explanation).unwrap_or_default();
    let done: Value = serde_json::from_str(&row.steps).unwrap_or_default();
    let trigger = href(chancery_engine::automation::Class::Trigger, &row.trigger);
    let object = match row.object.as_deref().and_then(|object| object.split_once('/')) {
        Some(("certificate", id)) => html! { a href={"/certificates/" (id)} { "The certificate" } },
        Some((kind, _)) => html! { (kind.replace('_', " ")) },
        None => html! { span.muted { "—" } },
    };
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "History", href: Some("/automation/history") },
            Crumb { label: &row.trigger, href: None },
        ]))
        (ui::page_header(&format!("{} on {}", row.trigger, row.event_type), "", html! {
            (reason::verdict(&row.verdict))
        }))
        div.columns {
            (ui::section("facts", "What was asked", html! {}, ui::key_values(&[
                ("Trigger", html! { a href=(trigger) { (row.trigger) } " version " (row.trigger_version) }),
                ("Bound to", html! { (row.scope) }),
                ("Event", html! { a href={"/events/" (row.event_id)} { (row.event_type) } }),
                ("About", object),
                ("Asked", ui::time(row.at.micros())),
                ("Took", html! { (row.took_us) " µs" }),
                ("Configuration", html! { "revision " (row.revision) }),
            ])))
            (ui::section("steps", "What followed", html! {}, reason::steps(&done)))
        }
        (ui::section("why", "Why", html! {}, reason::explanation(&explained, &row.verdict)))
    };
    Ok(shell.page(Nav::Automation, &row.trigger, body))
}
