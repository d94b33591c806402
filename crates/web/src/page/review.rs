//! The daily and the weekly review: what somebody goes through every morning, and the trends of a
//! week, as plots whose bars lead to the list behind them. Both are views: span, parts and events can
//! be changed, and what comes of that is saved under a name like the search of a list.

use axum::response::Response;
use chancery_engine::alert::{AlertQuery, Sort};
use chancery_engine::job::JobQuery;
use chancery_engine::row::Job;
use chancery_engine::{Error, Permission};
use chancery_event::Timestamp;
use maud::{Markup, html};

use super::address::Address;
use super::shell::Shell;
use super::{GET, alert_row, alerts, jobs, saved_view};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, Bucket, Field, Histogram, Nav, Series, Stat, Tab, Tone};

/// Alerts and jobs listed at most.
const LISTED: usize = 20;
/// Bars of a plot of events.
const BARS: usize = 28;
/// What people go through each day: what is grave and open.
const GRAVE: &str = "severity>=error state:open,acknowledged";

/// A line of a plot: label, expression for events, tone.
type Trend = (&'static str, &'static str, Tone);

const LIFECYCLE: [Trend; 4] = [
    ("Issued", "type:certificate.issue outcome:success", Tone::Good),
    ("Renewed", "type:certificate.renew,certificate.rekey outcome:success", Tone::Info),
    ("Replaced", "type:certificate.replaced", Tone::Seal),
    ("Entered", "type:certificate.uploaded,certificate.discovered", Tone::Neutral),
];
const FAILURES: [Trend; 3] = [
    ("Jobs", "type:job.finished outcome:failure", Tone::Critical),
    ("Issue and renewal", "type:certificate.issue,certificate.renew outcome:failure", Tone::Bad),
    (
        "Other operations",
        "outcome:failure -type:job.finished -type:certificate.issue \
        -type:certificate.renew -type:alert.*",
        Tone::Warning,
    ),
];

pub(super) fn add(routes: &mut Routes) {
    routes.add(GET, "/review", Access::Session(Permission::AlertRead), show);
}

async fn show(shell: Shell) -> Response {
    shell.answer(view(&shell)).await
}

/// A part of the review: its parameter and what people call it.
const PARTS: [(&str, &str); 6] = [
    ("grave", "Grave alerts"),
    ("failed-jobs", "Jobs that failed"),
    ("long-jobs", "Jobs that take long"),
    ("lifecycle", "Plot of issuance and renewal"),
    ("failures", "Plot of failures"),
    ("patterns", "Plot and patterns of alerts"),
];
/// What each span shows unless somebody chooses otherwise.
const DAILY: [&str; 4] = ["grave", "failed-jobs", "long-jobs", "failures"];
const WEEKLY: [&str; 3] = ["lifecycle", "failures", "patterns"];

/// What is looked at: the address says it, so that it can be kept as a view.
struct Wanted {
    days: i64,
    parts: Vec<&'static str>,
    /// An expression that events of the plots have to fit besides.
    events: String,
}

impl Wanted {
    fn read(address: &Address) -> Self {
        let days = match address.value("span") {
            Some("week") => 7,
            Some("month") => 30,
            _ => 1,
        };
        let chosen = PARTS.iter().map(|(part, _)| *part);
        let mut parts: Vec<_> = chosen.filter(|part| address.value(part).is_some()).collect();
        if parts.is_empty() {
            parts = if days == 1 { DAILY.to_vec() } else { WEEKLY.to_vec() };
        }
        Self { days, parts, events: address.value("q").unwrap_or_default().to_owned() }
    }

    fn has(&self, part: &str) -> bool {
        self.parts.contains(&part)
    }
}

async fn view(shell: &Shell) -> Result<Response, Problem> {
    let wanted = Wanted::read(&shell.address);
    let to = shell.now() + Timestamp::SECOND;
    let from = to - wanted.days * Timestamp::DAY;
    let is_whole = shell.address.query().is_empty() || shell.address.query() == "span=week";
    let tab = |label, href, selected: bool| Tab { label, href, count: None, selected };
    let misread = shell.engine().parse_event_filter(&wanted.events).err();
    let span = (from, to);
    let events = wanted.events.as_str();
    let about = match wanted.days {
        1 => "The last day: what is grave, what failed, what takes long.",
        7 => "The last seven days: trends and patterns.",
        _ => "The last thirty days: trends and patterns.",
    };
    let body = html! {
        (ui::page_header("Review", about, html! {
            (ui::button("Refresh", &shell.address.to_string(), Some(ui::Icon::Refresh), false))
        }))
        (ui::tabs("Span", &[
            tab("Daily", "/review", is_whole && wanted.days == 1),
            tab("Weekly", "/review?span=week", is_whole && wanted.days == 7),
        ]))
        div.with-facets {
            div {
                (saved_view::panel(shell, "review").await?)
                (choice(&wanted, misread.as_ref().map(ToString::to_string)))
            }
            div {
                @if wanted.has("grave") { (grave(shell).await?) }
                @if wanted.has("failed-jobs") { (failed_jobs(shell, &wanted, from).await?) }
                @if wanted.has("long-jobs") { (long_running(shell).await?) }
                @if misread.is_none() {
                    @if wanted.has("lifecycle") {
                        (trends(shell, "lifecycle", "Issuance and renewal", &LIFECYCLE, events, span).await?)
                    }
                    @if wanted.has("failures") {
                        (trends(shell, "failures", "What failed", &FAILURES, events, span).await?)
                    }
                }
                @if wanted.has("patterns") { (patterns(shell, from, to).await?) }
            }
        }
    };
    Ok(shell.page(Nav::Alerts, "Review", body))
}

/// What is shown, to be changed: the address that comes of it is what a saved view keeps.
fn choice(wanted: &Wanted, misread: Option<String>) -> Markup {
    let span = |days: i64| wanted.days == days;
    let events = Field {
        id: "review-events",
        name: "q",
        label: "Events of the plots",
        hint: "An expression as in the list of events; empty: all.",
        value: &wanted.events,
        error: misread.as_deref().unwrap_or_default(),
        ..Field::default()
    };
    html! {
        details open[misread.is_some()] {
            summary { "Change what is shown" }
            form.stack method="get" action="/review" {
                div.field {
                    label for="review-span" { "Span" }
                    select id="review-span" name="span" {
                        option value="day" selected[span(1)] { "The last day" }
                        option value="week" selected[span(7)] { "The last seven days" }
                        option value="month" selected[span(30)] { "The last thirty days" }
                    }
                }
                @for (part, label) in PARTS {
                    (ui::check_field(&Field {
                        id: &format!("show-{part}"), name: part, label, value: "1", ..Field::default()
                    }, wanted.has(part)))
                }
                (ui::field(&events))
                (ui::submit("Show", Tone::Info))
            }
        }
    }
}

async fn grave(shell: &Shell) -> Result<Markup, Problem> {
    let engine = shell.engine();
    let filter = engine.parse_alert_filter(GRAVE)?;
    let count = engine.alert_count(shell.context(), &filter).await?;
    let query =
        AlertQuery { filter, sort: Sort::Severity, descending: true, cursor: None, limit: LISTED };
    let found = engine.alerts(shell.context(), &query).await?.items;
    let all = Address::new("/alerts").with("q", GRAVE).with("sort", "-severity").to_string();
    let aside = html! { a href=(all) { "All " (ui::grouped(count)) } };
    Ok(ui::section(
        "grave",
        "Alerts of severity ERROR",
        aside,
        html! {
            @if found.is_empty() { p { "None is open." } }
            @else { (alert_row::table("grave-alerts", "Grave alerts, the gravest first", &found)) }
        },
    ))
}

/// Jobs that fit an expression, the newest asked for first, and how many there are.
async fn some_jobs(shell: &Shell, expression: &str) -> Result<(Vec<Job>, u64), Error> {
    let (engine, context) = (shell.engine(), shell.context());
    let filter = engine.parse_job_filter(expression)?;
    let count = engine.job_count(context, &filter).await?;
    let query = JobQuery { filter, before: None, after: None, limit: LISTED };
    Ok((engine.find_jobs(context, &query).await?.items, count))
}

fn all_jobs(expression: &str, count: u64) -> Markup {
    html! { a href=(Address::new("/jobs").with("q", expression)) { "All " (ui::grouped(count)) } }
}

async fn failed_jobs(shell: &Shell, wanted: &Wanted, from: i64) -> Result<Markup, Problem> {
    let expression = format!("state:failed ended>={}", Timestamp::from_micros(from));
    let (found, count) = some_jobs(shell, &expression).await?;
    let aside = all_jobs(&expression, count);
    let none = match wanted.days {
        1 => "None in the last day.",
        7 => "None in the last seven days.",
        _ => "None in the last thirty days.",
    };
    Ok(ui::section(
        "failed-jobs",
        "Jobs that failed",
        aside,
        html! {
            @if found.is_empty() { p { (none) } }
            @else { (jobs::table("failed", &found, shell.now())) }
        },
    ))
}

async fn long_running(shell: &Shell) -> Result<Markup, Problem> {
    let before = Timestamp::from_micros(shell.now() - jobs::LONG);
    let expression = format!("state:running started<{before}");
    let (found, count) = some_jobs(shell, &expression).await?;
    let aside = all_jobs(&expression, count);
    Ok(ui::section(
        "long-jobs",
        "Jobs that take long",
        aside,
        html! {
            @if found.is_empty() { p { "No job has been running for longer than ten minutes." } }
            @else { (jobs::table("long", &found, shell.now())) }
        },
    ))
}

/// Events of several kinds over time.
async fn trends(
    shell: &Shell,
    id: &str,
    title: &str,
    trends: &[Trend],
    besides: &str,
    (from, to): (i64, i64),
) -> Result<Markup, Error> {
    let (engine, context) = (shell.engine(), shell.context());
    if !shell.may(Permission::EventRead) {
        return Ok(html! {});
    }
    let at = Timestamp::from_micros;
    let mut starts: Vec<(i64, i64)> = Vec::new();
    let mut lines: Vec<Vec<u64>> = Vec::new();
    let mut sampled = false;
    let also = |expression: &str| match besides.is_empty() {
        true => expression.to_owned(),
        false => format!("{expression} ({besides})"),
    };
    for (_, expression, _) in trends {
        let filter = engine.parse_event_filter(&also(expression))?;
        let span = (at(from), at(to));
        let (bars, of_newest) = engine.event_bars(context, &filter, span, BARS).await?;
        sampled |= of_newest;
        starts = bars.iter().map(|bar| (bar.from.micros(), bar.to.micros())).collect();
        lines.push(bars.iter().map(|bar| bar.by_severity.iter().map(|(_, n)| n).sum()).collect());
    }
    let counts: Vec<Vec<u64>> = (0..starts.len())
        .map(|place| lines.iter().map(|line| line.get(place).copied().unwrap_or(0)).collect())
        .collect();
    let moment = |at: i64| ui::rfc3339(at).unwrap_or_default();
    let joined: Vec<String> =
        trends.iter().map(|(_, text, _)| format!("({})", also(text))).collect();
    let list = Address::new("/events").with("q", &joined.join(" OR "));
    let hrefs: Vec<String> = starts
        .iter()
        .map(|(from, to)| list.with("from", &moment(*from)).with("to", &moment(*to)).to_string())
        .collect();
    let buckets: Vec<Bucket<'_>> = starts
        .iter()
        .zip(&hrefs)
        .zip(&counts)
        .map(|(((start, _), href), counts)| Bucket { start: *start, href, counts })
        .collect();
    let series: Vec<Series<'_>> =
        trends.iter().map(|(label, _, tone)| Series { label, tone: *tone }).collect();
    let total = |place: usize| lines[place].iter().sum::<u64>();
    Ok(ui::section(
        id,
        title,
        html! { a href=(list) { "The events" } },
        html! {
            div.stat-row { @for (place, (label, text, tone)) in trends.iter().enumerate() {
                @let count = total(place);
                (ui::stat_tile(&Stat {
                    label, value: &ui::grouped(count), hint: "in this span",
                    href: Some(&Address::new("/events").with("q", &also(text)).with("from", &moment(from)).to_string()),
                    tone: if count > 0 { *tone } else { Tone::Neutral },
                }))
            } }
            @if let (Some((first, _)), Some((_, last))) = (starts.first(), starts.last()) {
                (ui::histogram(&Histogram { id: &format!("{id}-plot"), label: "events in this span",
                    series: &series, buckets: &buckets, from: *first, to: *last }))
            }
            @if sampled { (ui::sampled("Counts are of the newest that fit.")) }
        },
    ))
}

/// Which alerts come again and again.
async fn patterns(shell: &Shell, from: i64, to: i64) -> Result<Markup, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let every = "state:open,acknowledged,snoozed,resolved";
    let since = format!("{every} created>={}", Timestamp::from_micros(from));
    let filter = engine.parse_alert_filter(&since)?;
    let facets = engine.alert_facets(context, &filter).await?;
    let kinds = facets.into_iter().find(|(field, _)| *field == "kind").map(|(_, values)| values);
    let again = engine.parse_alert_filter(&format!("{since} occurrences>1"))?;
    let query = AlertQuery {
        filter: again,
        sort: Sort::Severity,
        descending: true,
        cursor: None,
        limit: 10,
    };
    let again = engine.alerts(context, &query).await?.items;
    let list = Address::new("/alerts").with("q", every);
    let width = (to - from).div_euclid(60).max(1);
    let plot = alerts::plot(shell, &filter, "pattern-plot", "alerts raised", (from, width), &list);
    let plot = plot.await?;
    Ok(ui::section(
        "patterns",
        "Patterns of alerts",
        html! { a href=(list) { "The alerts" } },
        html! {
            (plot)
            div.stat-row { @for (kind, count) in kinds.unwrap_or_default().iter().take(6) {
                (ui::stat_tile(&Stat {
                    label: &kind.replace('_', " "), value: &ui::grouped(*count), hint: "alerts raised",
                    href: Some(&list.with("q", &format!("kind:{kind} {every}")).to_string()),
                    tone: Tone::Notice,
                }))
            } }
            @if !again.is_empty() {
                h3 { "Occurred more than once" }
                (alert_row::table("again", "Alerts whose cause occurred more than once", &again))
            }
        },
    ))
}
