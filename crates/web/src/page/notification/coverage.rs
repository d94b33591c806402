//! Routing coverage: how many certificates reach nobody with the list behind it, and for one
//! certificate who will be told, about what, when, through which channel, tested when.

use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::monitor::Threshold;
use chancery_engine::notification::{Coverage, EstateCoverage, ReachQuery, Route, Unreached};
use chancery_event::Timestamp;
use chancery_event::id::CertificateId;
use maud::{Markup, html};

use super::places;
use crate::edge::{Access, Problem, Routes};
use crate::page::GET;
use crate::page::address::Address;
use crate::page::listing::toggles;
use crate::page::shell::Shell;
use crate::ui::{self, AlertKind, Column, Field, Icon, Nav, Row, Stat, Table, Tone};

const PAGE: usize = 50;
/// Parameters that say where a page begins.
const CURSORS: &[&str] = &["after_end", "after"];
/// Where certificates can stand: word, label.
const STATES: [(&str, &str); 3] =
    [("nobody", "Nobody hears"), ("fallback", "Only the fallback"), ("bell", "Only the bell")];

pub(super) fn add(routes: &mut Routes) {
    let read = Access::Session(Permission::CertificateRead);
    routes.add(GET, "/notifications/coverage", read, async |shell: Shell| {
        shell.answer(list(&shell)).await
    });
}

/// Why a certificate is not reached, in words.
pub(in crate::page) fn reason(word: &str) -> &'static str {
    match word {
        "unowned" => "nobody owns it, and no group of it can be reached",
        "no_monitor" => "no monitor will find its end",
        "no_trigger" => "no trigger tells of its end through a profile",
        "ignored" => "a trigger ignores its end",
        "profile_off" => "the profile is switched off or gone",
        "disabled_account" => "the account of its owner is disabled",
        "no_address" => "there is no mail address",
        "no_channel" => "there is no channel but the bell",
        "bouncing" => "the mail server refuses the address",
        "channel_failing" => "the channel fails",
        "channel_off" => "the channel is switched off",
        _ => "somebody has to find out",
    }
}

async fn list(shell: &Shell) -> Result<Response, Problem> {
    let (engine, context, address) = (shell.engine(), shell.context(), &shell.address);
    let estate = engine.estate_coverage(context).await?;
    let text = |name: &str| address.value(name).map(str::to_owned);
    let after =
        address.parsed::<Timestamp>("after_end").zip(address.parsed::<CertificateId>("after"));
    let query =
        ReachQuery { state: text("state"), reason: text("reason"), path: text("path"), after };
    let mut rows = engine.unreached(context, &query, PAGE + 1).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(|last| {
        let here = address.without(CURSORS).with("after_end", &last.reach.not_after.to_string());
        here.with("after", &last.reach.certificate.to_string()).to_string()
    });
    let narrowed = query.state.is_some() || query.reason.is_some() || query.path.is_some();
    let about = "Certificates whose end nobody hears of, or not by a message: by the triggers, profiles, people and channels as they are now.";
    let body = html! {
        (ui::page_header("Who would not hear", about, html! {
            @if shell.may(Permission::Export) {
                (ui::button("CSV", &export(address, "csv"), Some(Icon::Download), false))
                (ui::button("NDJSON", &export(address, "ndjson"), Some(Icon::Download), false))
            }
        }))
        (places("/notifications/coverage"))
        @if !estate.is_complete {
            (ui::alert_box(AlertKind::Info, "Something changed that this depends on: the certificates are being looked at anew."))
        }
        (tiles(&estate))
        div.with-facets {
            div { (facets(shell, &estate)) (below(address)) }
            div {
                @if rows.is_empty() {
                    (ui::empty_state(
                        if narrowed { "None like that" } else { "Every certificate reaches somebody" },
                        "Whom each will reach, and when, stands on its own page.",
                        narrowed.then(|| ui::button("Show all", "/notifications/coverage", None, true))))
                } @else {
                    (table(&rows))
                    @if let Some(next) = next { nav.pager aria-label="Pages" { a href=(next) rel="next" { "Later ends" } } }
                }
            }
        }
    };
    Ok(shell.page(Nav::Notifications, "Who would not hear", body))
}

/// The address of the export of what the list shows.
fn export(address: &Address, format: &str) -> String {
    let mut to = Address::new("/api/v1/notifications/unreached/export").with("format", format);
    for name in ["state", "reason", "path"] {
        if let Some(value) = address.value(name) {
            to = to.with(name, value);
        }
    }
    to.to_string()
}

/// The field that narrows the list to a folder.
fn below(address: &Address) -> Markup {
    let field = Field {
        id: "folder",
        name: "path",
        label: "In this folder, or below it",
        value: address.value("path").unwrap_or_default(),
        hint: "Such as /prod/web. Empty: everywhere.",
        ..Field::default()
    };
    html! {
        form.form method="get" action="/notifications/coverage" {
            @for name in ["state", "reason"] {
                @if let Some(value) = address.value(name) { input type="hidden" name=(name) value=(value); }
            }
            (ui::field(&field))
            div.actions { button type="submit" { "Narrow" } }
        }
    }
}

fn tiles(estate: &EstateCoverage) -> Markup {
    let counts = [estate.nobody, estate.fallback, estate.bell];
    let texts: Vec<(String, String)> = STATES
        .iter()
        .zip(counts)
        .map(|((word, _), count)| {
            (ui::grouped(count), format!("/notifications/coverage?state={word}"))
        })
        .collect();
    let stats: Vec<Stat<'_>> = STATES
        .iter()
        .zip(&texts)
        .zip(counts)
        .map(|(((word, label), (value, href)), count)| Stat {
            label,
            value,
            hint: "certificates",
            href: Some(href),
            tone: match (*word, count) {
                (_, 0) => Tone::Neutral,
                ("nobody", _) => Tone::Bad,
                _ => Tone::Warning,
            },
        })
        .collect();
    ui::stat_row(&stats)
}

fn facets(shell: &Shell, estate: &EstateCoverage) -> Markup {
    let (address, state) = (shell.address.without(CURSORS), shell.address.value("state"));
    let mut states: Vec<(&str, &str, u64)> = Vec::new();
    let mut reasons: Vec<(&str, &str, u64)> = Vec::new();
    for (word, label) in STATES {
        let of = estate.reasons.iter().filter(|(known, ..)| known == word);
        states.push((word, label, of.map(|(.., count)| count).sum()));
    }
    for (known, word, count) in &estate.reasons {
        if state.is_some_and(|only| only != known) {
            continue;
        }
        match reasons.iter_mut().find(|(seen, ..)| seen == word) {
            Some((.., sum)) => *sum += count,
            None => reasons.push((word, reason(word), *count)),
        }
    }
    html! { aside.facets aria-label="Narrow the list" {
        (toggles(&address, "state", "Who hears", &states))
        (toggles(&address, "reason", "Why", &reasons))
    } }
}

fn table(rows: &[Unreached]) -> Markup {
    let columns = [
        Column::new("Certificate"),
        Column::new("Who hears"),
        Column::new("Why"),
        Column::new("Owner").optional(),
        Column::new("Folder").optional(),
        Column::new("Ends"),
    ];
    let rows: Vec<Row> = rows
        .iter()
        .map(|row| Row {
            href: Some(format!("/certificates/{}#coverage", row.reach.certificate)),
            tone: (row.reach.state == "nobody").then_some(Tone::Bad),
            cells: vec![
                html! { (called(row)) },
                badge(&row.reach.state),
                html! { div.why { (reason(&row.reach.reason)) } },
                html! { (row.owner.as_deref().unwrap_or("—")) },
                ui::parted(&row.path),
                ui::date(row.reach.not_after.micros()),
            ],
        })
        .collect();
    let caption = "Certificates, the first to end in front";
    ui::data_table(&Table { id: "unreached", caption, columns: &columns, rows: &rows })
}

/// What people call a certificate.
fn called(row: &Unreached) -> String {
    let names = [row.name.as_ref(), Some(&row.subject)];
    let name = names.into_iter().flatten().find(|name| !name.is_empty());
    name.cloned().unwrap_or_else(|| row.reach.certificate.to_string())
}

fn badge(state: &str) -> Markup {
    match state {
        "nobody" => ui::badge(Tone::Bad, Icon::CrossCircle, "Nobody"),
        "fallback" => ui::badge(Tone::Warning, Icon::Warning, "Only the fallback"),
        "bell" => ui::badge(Tone::Warning, Icon::Bell, "Only the bell"),
        "not_counted" => ui::badge(Tone::Neutral, Icon::Deny, "Nobody has to"),
        _ => ui::badge(Tone::Good, Icon::Check, "Reached"),
    }
}

/// Who will be told of one certificate.
pub(in crate::page) fn section(coverage: &Coverage) -> Markup {
    let columns = [
        Column::new("About"),
        Column::new("Whom"),
        Column::new("By"),
        Column::new("Arrives"),
        Column::new("Because").optional(),
        Column::new("Tested"),
    ];
    let rows: Vec<Row> = coverage.routes.iter().map(row).collect();
    let body = html! {
        @if coverage.state == "not_counted" { p { "It is archived or replaced: what its triggers would tell stands below." } }
        p { (badge(coverage.state)) @if !coverage.reason.is_empty() { " " (reason(coverage.reason)) "." } }
        @if rows.is_empty() { p { "No trigger tells of it through a profile." } }
        @else { (ui::data_table(&Table { id: "routes", caption: "Who will be told of it", columns: &columns, rows: &rows })) }
        @if coverage.more > 0 { p.muted { "And " (coverage.more) " more." } }
        @if !coverage.ahead.is_empty() {
            h3 { "When" }
            ul { @for (at, monitor, threshold) in &coverage.ahead { li {
                (ui::date(at.micros())) ": " (when(threshold)) ", found by "
                a href={"/monitors/" (monitor)} { (monitor) }
            } } }
        }
    };
    ui::section(
        "coverage",
        "Who will hear of it",
        html! { a href="/notifications/coverage" { "All that are not reached" } },
        body,
    )
}

/// A threshold in words.
fn when(threshold: &str) -> String {
    Threshold::parse(threshold).map_or_else(|_| threshold.to_owned(), |read| read.words())
}

fn row(route: &Route) -> Row {
    let name = match route.name.as_str() {
        "" => "Whoever reads it".to_owned(),
        name => name.to_owned(),
    };
    let profile = route.profile.clone();
    let tested = route.told_at.max(route.tested_at);
    Row {
        href: None,
        tone: (!route.is_open).then_some(Tone::Warning),
        cells: vec![
            html! { (route.event_type.name()) },
            html! { (name) @if let Some(address) = &route.address { " " span.muted { (address) } } },
            html! { (route.channel) },
            html! {
                @if route.is_open { (ui::badge(Tone::Good, Icon::Check, if route.reason.is_empty() { "At once" } else { "Later" })) }
                @else { (ui::badge(Tone::Warning, Icon::Deny, "Not")) }
                @if !route.reason.is_empty() { " " span.muted { (route.reason) } }
            },
            html! {
                a href={"/notifications/profiles/" (profile)} { (profile) }
                @if !route.paths.is_empty() { ": " (route.paths.join("; ")) }
            },
            match tested {
                Some(at) => ui::time(at.micros()),
                None => {
                    html! { span.muted { @if route.channel == "bell" { "—" } @else { "never" } } }
                }
            },
        ],
    }
}
