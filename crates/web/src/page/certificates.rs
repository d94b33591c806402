//! The list of certificates: search, facets, expiries over time, saved views, export. The address
//! is the whole state.

use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::inventory::search::{CertificateFilter, CertificateQuery, Sort};
use chancery_engine::row::Certificate;
use chancery_event::Timestamp;
use chancery_event::filter::Schema;
use maud::{Markup, html};

use super::address::Address;
use super::listing::{self, CURSORS, FacetCounts, Narrowed};
use super::prose::parted;
use super::shell::Shell;
use super::{GET, saved_view};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, Bucket, Column, Direction, Histogram, Icon, Nav, Row, Series, Table, Tone};

/// Certificates on a page.
const PAGE: usize = 50;
/// Bars of the histogram.
const BARS: i64 = 60;
const PLACEHOLDER: &str = "status:valid expires<30d name:*.example.org -group:lab";

pub(super) fn add(routes: &mut Routes) {
    routes.add(GET, "/certificates", Access::Session(Permission::CertificateRead), show);
}

async fn show(shell: Shell) -> Response {
    shell.answer(list(&shell)).await
}

/// The expression with the span of time, which is about the end of validity.
fn expression(narrowed: &Narrowed, address: &Address) -> String {
    let mut text = narrowed.text.clone();
    if !text.is_empty() && (narrowed.from.is_some() || narrowed.to.is_some()) {
        text = format!("({text})");
    }
    for (name, sign) in [("from", ">="), ("to", "<")] {
        if let Some(at) = address.parsed::<Timestamp>(name) {
            text = format!("{text} expires{sign}{at}");
        }
    }
    text.trim().to_owned()
}

/// The order asked for: the nearest end of validity first, unless told otherwise.
fn order(address: &Address) -> (Sort, bool) {
    let text = address.value("sort").unwrap_or("expires");
    let descending = text.starts_with('-');
    match Sort::parse(text.trim_start_matches('-')) {
        Some(sort) => (sort, descending),
        None => (Sort::Expires, false),
    }
}

async fn list(shell: &Shell) -> Result<Response, Problem> {
    let (engine, context, address) = (shell.engine(), shell.context(), &shell.address);
    let schema = engine.certificate_schema().await?;
    let narrowed = Narrowed::read(address, &schema);
    let views = saved_view::panel(shell, "certificates").await?;
    let text = expression(&narrowed, address);
    let head = html! {
        (header(shell, &narrowed, &text))
        (narrowed.search_box("certificate-search", address, "/certificates", PLACEHOLDER))
    };
    if narrowed.error.is_some() {
        return Ok(shell.page(
            Nav::Certificates,
            "Certificates",
            html! { (head) (listing::not_understood()) (views) },
        ));
    }
    let filter = engine.parse_certificate_filter(&text).await?;
    let (sort, descending) = order(address);
    let query = CertificateQuery {
        filter: filter.clone(),
        sort,
        descending,
        cursor: address.value("cursor").map(str::to_owned),
        limit: PAGE,
    };
    let page = engine.certificates(context, &query).await?;
    let facets = engine.certificate_facets(context, &filter).await?;
    let (count, at_least) = (facets.count, facets.sampled);
    if count == 0 && !at_least && text.is_empty() {
        return Ok(shell.page(
            Nav::Certificates,
            "Certificates",
            html! { (head) (nothing(shell)) },
        ));
    }
    let groups = counts(facets.groups);
    let at = |cursor: &str| address.with("cursor", cursor).to_string();
    let way =
        Way { previous: page.previous.as_deref().map(at), next: page.next.as_deref().map(at) };
    let words = format!("{} shown of {}", page.items.len(), listing::counted(count, at_least));
    let body = html! {
        (head)
        (expiries(shell, &narrowed, &schema, &filter).await?)
        div.with-facets {
            div {
                (listing::facets(address, &narrowed.filter, &schema, &groups))
                @if facets.sampled { (ui::sampled("Counts are of the 10,000 that entered last.")) }
                (views)
            }
            div {
                @if page.items.is_empty() {
                    (ui::empty_state("No certificate fits", "Take a condition away, or widen the time.",
                        Some(ui::button("Show all certificates", "/certificates", None, true))))
                } @else {
                    (table(shell, &page.items, sort, descending))
                    (pages(address, &way, &words))
                }
            }
        }
    };
    Ok(shell.page(Nav::Certificates, "Certificates", body))
}

fn counts(groups: Vec<(&'static str, Vec<(String, u64)>)>) -> Vec<FacetCounts> {
    let group = |(field, values): (&str, Vec<(String, u64)>)| FacetCounts {
        label: match field {
            "ra_profile" => "RA profile".to_owned(),
            "issuer_cn" => "Issuer".to_owned(),
            field => listing::label(field),
        },
        field: field.to_owned(),
        values,
    };
    groups.into_iter().map(group).collect()
}

fn header(shell: &Shell, narrowed: &Narrowed, expression: &str) -> Markup {
    let export = |format: &str| {
        let address = Address::new("/api/v1/certificates/export")
            .with("filter", expression)
            .with("sort", shell.address.value("sort").unwrap_or_default());
        address.with("format", format).to_string()
    };
    ui::page_header(
        "Certificates",
        "Everything in the inventory, the nearest end first.",
        html! {
            @if shell.may(Permission::Export) && narrowed.error.is_none() {
                (ui::button("CSV", &export("csv"), Some(Icon::Download), false))
                (ui::button("NDJSON", &export("ndjson"), Some(Icon::Download), false))
            }
            @if shell.may(Permission::CertificateWrite) {
                (ui::button("Upload", "/certificates/upload", Some(Icon::Upload), true))
            }
        },
    )
}

fn nothing(shell: &Shell) -> Markup {
    let upload =
        ui::button("Upload certificates", "/certificates/upload", Some(Icon::Upload), true);
    let action = shell.may(Permission::CertificateWrite).then_some(upload);
    ui::empty_state(
        "The inventory is empty",
        "Upload PEM, DER, PKCS #7 or PKCS #12. From then on every certificate is judged, watched, \
         and everything that happens to it is recorded.",
        action,
    )
}

/// The span that bars are of where ends of validity in this one are asked for: the 13 months to
/// come and what has just passed, as far as nothing else is said.
fn span((from, to): (i64, i64), now: i64) -> (i64, i64) {
    const AHEAD: i64 = 395 * Timestamp::DAY;
    const FURTHEST: i64 = 7_000 * AHEAD;
    let (open, to) = (to == i64::MAX, to.clamp(-FURTHEST, FURTHEST));
    let from = match from {
        i64::MIN if to <= now - 30 * Timestamp::DAY => to - AHEAD,
        i64::MIN => now - 30 * Timestamp::DAY,
        from => from.clamp(-FURTHEST, FURTHEST),
    };
    let to = if open { from.max(now) + AHEAD } else { to };
    (from, to.max(from + BARS))
}

async fn expiries(
    shell: &Shell,
    narrowed: &Narrowed,
    schema: &Schema,
    filter: &CertificateFilter,
) -> Result<Markup, Problem> {
    let now = shell.now();
    let (mut from, to) = span(narrowed.condition("expires").times("expires", schema, now), now);
    let mut width = (to - from).div_euclid(BARS).max(1);
    if width >= Timestamp::HOUR {
        // Whole hours are counted already.
        from = from.div_euclid(Timestamp::HOUR) * Timestamp::HOUR;
        width = (to - from).div_euclid(BARS * Timestamp::HOUR) * Timestamp::HOUR + Timestamp::HOUR;
    }
    let to = from + width * BARS;
    let at = Timestamp::from_micros;
    let found = shell
        .engine()
        .certificate_expiries(shell.context(), filter, at(from), at(to), width)
        .await?;
    let soon = now + i64::from(shell.engine().settings().expiring_days) * Timestamp::DAY;
    let mut counts = vec![[0_u64; 3]; usize::try_from(BARS).unwrap_or(0)];
    for (start, count) in found {
        let place =
            usize::try_from((start.micros() - from).div_euclid(width)).unwrap_or(usize::MAX);
        let layer = match start.micros() {
            start if start + width <= now => 0,
            start if start < soon => 1,
            _ => 2,
        };
        if let Some(bar) = counts.get_mut(place) {
            bar[layer] += count;
        }
    }
    let address = shell.address.without(CURSORS);
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
    let series = [
        Series { label: "Past their end", tone: Tone::Bad },
        Series { label: "Expiring", tone: Tone::Warning },
        Series { label: "Later", tone: Tone::Good },
    ];
    Ok(ui::histogram(&Histogram {
        id: "expiry-histogram",
        label: "end in this span",
        series: &series,
        buckets: &buckets,
        from,
        to,
    }))
}

/// What people call a certificate in lists.
pub(super) fn title(row: &Certificate) -> &str {
    match &row.subject_cn {
        Some(name) if !name.is_empty() => name,
        _ if !row.subject_dn.is_empty() => &row.subject_dn,
        _ => &row.fingerprint_sha256,
    }
}

/// A key in words: algorithm and size, where the name does not say it.
pub(super) fn key(row: &Certificate) -> String {
    match row.key_size {
        0 => row.key_algorithm.clone(),
        _ if row.key_algorithm.contains("P-") => row.key_algorithm.clone(),
        bits => format!("{} {bits}", row.key_algorithm),
    }
}

/// The status, and whether it is put away or another has taken its place.
pub(super) fn status(row: &Certificate) -> Markup {
    html! {
        (ui::certificate_status(&row.status))
        @if row.archived { " " (ui::certificate_status("archived")) }
        @if row.replaced_by.is_some() { " " (ui::badge(Tone::Info, Icon::Handover, "Replaced")) }
    }
}

fn row(row: &Certificate, now: i64) -> Row {
    let issuer = row.issuer_cn.as_deref().unwrap_or(&row.issuer_dn);
    Row {
        href: Some(format!("/certificates/{}", row.id)),
        tone: match row.status.as_str() {
            "expired" | "invalid" if row.replaced_by.is_none() => Some(Tone::Bad),
            "revoked" => Some(Tone::Critical),
            _ => None,
        },
        cells: vec![
            html! { (title(row)) },
            html! { span { (status(row)) } },
            html! { span {
                (ui::date(row.not_after.micros())) " "
                span.under { (ui::relative(row.not_after.micros(), now)) }
            } },
            html! { span {
                @if row.self_issued { span.muted { "itself" } }
                @else { span.clip title=(issuer) { (issuer) } }
                span.under { (key(row)) }
            } },
            parted(&row.path),
            ui::date(row.created_at.micros()),
        ],
    }
}

/// Rows without sorting, for the home page and the search results.
pub(super) fn plain_table(id: &str, caption: &str, rows: &[Certificate], now: i64) -> Markup {
    let columns = [
        Column::new("Subject"),
        Column::new("Status"),
        Column::new("Expires"),
        Column::new("Issuer and key").optional(),
        Column::new("Path").optional(),
        Column::new("Added").optional(),
    ];
    let rows: Vec<Row> = rows.iter().map(|one| row(one, now)).collect();
    ui::data_table(&Table { id, caption, columns: &columns, rows: &rows })
}

fn table(shell: &Shell, items: &[Certificate], sort: Sort, descending: bool) -> Markup {
    let address = shell.address.without(CURSORS);
    let sorted = |label: &str, by: Sort| {
        let current = (by == sort).then_some(if descending {
            Direction::Descending
        } else {
            Direction::Ascending
        });
        let sign = if current == Some(Direction::Ascending) { "-" } else { "" };
        let href = address.with("sort", &format!("{sign}{}", by.as_str())).to_string();
        Column::new(label).sorted(&href, current)
    };
    let columns = [
        sorted("Subject", Sort::Subject),
        sorted("Status", Sort::Status),
        sorted("Expires", Sort::Expires),
        Column::new("Issuer and key"),
        Column::new("Path").optional(),
        sorted("Added", Sort::Added).optional(),
    ];
    let rows: Vec<Row> = items.iter().map(|one| row(one, shell.now())).collect();
    ui::data_table(&Table {
        id: "certificates",
        caption: "Certificates",
        columns: &columns,
        rows: &rows,
    })
}

/// The addresses of the pages beside this one.
pub(super) struct Way {
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
}

/// Paging both ways, and back to the start: the order may be any, so nothing is newer or older.
pub(super) fn pages(address: &Address, way: &Way, words: &str) -> Markup {
    let is_first = CURSORS.iter().all(|name| address.value(name).is_none());
    let first = address.without(CURSORS).to_string();
    html! {
        nav.pager aria-label="Pages" {
            span.pager-back {
                @match &way.previous {
                    Some(href) => a.button rel="prev" href=(href) { (ui::icon(Icon::Previous)) span { "Previous" } },
                    None => span.button.off aria-disabled="true" { (ui::icon(Icon::Previous)) span { "Previous" } },
                }
                @if !is_first { a href=(first) { "First page" } }
            }
            span.muted { (words) }
            @match &way.next {
                Some(href) => a.button rel="next" href=(href) { span { "Next" } (ui::icon(Icon::Next)) },
                None => span.button.off aria-disabled="true" { span { "Next" } (ui::icon(Icon::Next)) },
            }
        }
    }
}
