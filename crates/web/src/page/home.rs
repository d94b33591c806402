//! The first page: what needs you now, what comes in the next thirty days, whether everything is
//! being watched.

use std::borrow::Cow;

use axum::response::Response;
use chancery_engine::alert::{AlertQuery, ShownAlert, Sort as AlertSort};
use chancery_engine::history::{EventQuery, SeenEvent};
use chancery_engine::inventory::search::{CertificateQuery, Sort};
use chancery_engine::monitor::Watchfulness;
use chancery_engine::notification::EstateCoverage;
use chancery_engine::row::Certificate;
use chancery_engine::{Error, Figures, Permission};
use chancery_event::Timestamp;
use maud::{Markup, html};

use super::address::Address;
use super::shell::Shell;
use super::typed::sentence;
use super::{GET, alert_row, certificates, event_row};
use crate::edge::{Access, Problem, Routes};
use crate::ui::{self, AlertKind, Bucket, Histogram, Icon, Nav, Series, Stat, Tone};

/// How far the page looks ahead, in days.
const DAYS: i64 = 30;
/// Certificates and failures listed at most.
const LISTED: usize = 8;

/// The questions behind the tiles: label, expression ([`expression`] fills in the empty one), what it
/// means, tone when there are any.
const NEEDS: [(&str, &str, &str, Tone); 4] = [
    (
        "Expired, not replaced",
        "status:expired replaced:false",
        "their end has passed",
        Tone::Critical,
    ),
    ("Expiring", "", "nothing takes their place yet", Tone::Warning),
    ("Invalid", "status:invalid", "a check failed", Tone::Bad),
    (
        "Untrusted or incomplete",
        "status:untrusted,incomplete",
        "no chain to a trust anchor",
        Tone::Notice,
    ),
];
/// Alerts that wait for somebody.
const WAITING: &str = "state:open,acknowledged";
/// The alert about events that this program did not write.
const SET_ASIDE: &str = "kind:event_quarantined";
/// What failed; alerts stand above already.
const FAILURES: &str = "outcome:failure -type:alert.*";
const COMING: &str = "expires:next(30d) replaced:false";
const SILENT: &str = "expires:next(30d) replaced:true";

pub(super) fn add(routes: &mut Routes) {
    routes.add(GET, "/", Access::Session(Permission::CertificateRead), show);
}

async fn show(shell: Shell) -> Response {
    shell.answer(view(&shell)).await
}

/// What the page is made of.
struct Facts {
    figures: Figures,
    needs: Vec<u64>,
    coming: Vec<Certificate>,
    coming_count: u64,
    silent_count: u64,
    by_day: Vec<(Timestamp, u64)>,
    failures: Vec<SeenEvent>,
    verified: Option<SeenEvent>,
    unjudged: u64,
    alerts: Vec<ShownAlert>,
    alert_count: u64,
    /// Pending events that were set aside, while the alert about them waits for somebody.
    quarantined: u64,
    reach: EstateCoverage,
    /// `None`: nothing runs by the clock here, or there is nothing to watch.
    watching: Option<Watchfulness>,
}

async fn count(shell: &Shell, expression: &str) -> Result<u64, Error> {
    let filter = shell.engine().parse_certificate_filter(expression).await?;
    shell.engine().certificate_count(shell.context(), &filter).await
}

/// What ends soon ends whatever its status is: certificates without a chain or a trust anchor too.
fn expression(shell: &Shell, text: &'static str) -> Cow<'static, str> {
    match text {
        "" => {
            let days = shell.engine().settings().expiring_days;
            Cow::Owned(format!("expires:next({days}d) replaced:false"))
        }
        text => Cow::Borrowed(text),
    }
}

async fn newest(shell: &Shell, expression: &str, limit: usize) -> Result<Vec<SeenEvent>, Error> {
    let filter = shell.engine().parse_event_filter(expression)?;
    let query = EventQuery { filter, before: None, from: None, limit, oldest_first: false };
    Ok(shell.engine().events(shell.context(), query).await?.events)
}

async fn facts(shell: &Shell) -> Result<Facts, Error> {
    let (engine, context) = (shell.engine(), shell.context());
    let filter = engine.parse_certificate_filter(COMING).await?;
    let query = CertificateQuery {
        filter: filter.clone(),
        sort: Sort::Expires,
        descending: false,
        cursor: None,
        limit: LISTED,
    };
    let from = shell.now().div_euclid(Timestamp::DAY) * Timestamp::DAY;
    let (from, to) =
        (Timestamp::from_micros(from), Timestamp::from_micros(from + (DAYS + 1) * Timestamp::DAY));
    let needs = async {
        let mut counts = Vec::with_capacity(NEEDS.len());
        for (_, text, _, _) in NEEDS {
            counts.push(count(shell, &expression(shell, text)).await?);
        }
        Ok::<_, Error>(counts)
    };
    let waiting = AlertQuery {
        filter: engine.parse_alert_filter(WAITING)?,
        sort: AlertSort::Severity,
        descending: true,
        cursor: None,
        limit: LISTED,
    };
    let (alerts, alert_count) = tokio::try_join!(
        engine.alerts(context, &waiting),
        engine.alert_count(context, &waiting.filter),
    )?;
    let set_aside = engine.parse_alert_filter(&format!("{WAITING} {SET_ASIDE}"))?;
    let set_aside = engine.alert_count(context, &set_aside).await?;
    let (figures, needs, coming, coming_count, silent_count, by_day, failures, verified, unjudged) =
        tokio::try_join!(
            engine.figures(),
            needs,
            engine.certificates(context, &query),
            engine.certificate_count(context, &filter),
            count(shell, SILENT),
            engine.certificate_expiries(context, &filter, from, to, Timestamp::DAY),
            newest(shell, FAILURES, LISTED),
            newest(shell, "type:log.verify", 1),
            count(shell, "status:unknown"),
        )?;
    let watching = match figures.certificates > 0 && engine.settings().monitors {
        true => Some(engine.watchfulness(context).await?),
        false => None,
    };
    Ok(Facts {
        watching,
        quarantined: if set_aside > 0 { figures.quarantined } else { 0 },
        figures,
        needs,
        coming: coming.items,
        coming_count,
        silent_count,
        by_day,
        failures,
        verified: verified.into_iter().next(),
        unjudged,
        alerts: alerts.items,
        alert_count,
        reach: engine.estate_coverage(context).await?,
    })
}

async fn view(shell: &Shell) -> Result<Response, Problem> {
    let facts = facts(shell).await?;
    let body = html! {
        (ui::page_header(&headline(&facts), &summary(shell, &facts), html! {
            @if shell.may(Permission::CertificateWrite) {
                (ui::button("Upload certificates", "/certificates/upload", Some(Icon::Upload), facts.figures.certificates == 0))
            }
        }))
        @for finding in shell.engine().health().findings().iter().filter(|finding| !finding.good) {
            (ui::alert_box(AlertKind::Error, &sentence(&finding.message)))
        }
        @if let Some(watching) = &facts.watching { (super::task::watched(watching)) }
        div id="open-alerts" data-refresh-on="alerts" { (alerts(&facts)) }
        @if facts.figures.certificates == 0 { (nothing(shell)) }
        @else {
            (now(shell, &facts))
            (coming(shell, &facts))
        }
        (failures(&facts))
        (watched(shell, &facts))
    };
    Ok(shell.page(Nav::Home, "Home", body))
}

/// How many things somebody has to look at now.
fn needing(facts: &Facts) -> u64 {
    let failed = failed_jobs(facts);
    facts.needs.iter().sum::<u64>() + failed + facts.quarantined
}

fn failed_jobs(facts: &Facts) -> u64 {
    facts.figures.jobs.iter().find(|(state, _)| state == "failed").map_or(0, |(_, n)| *n)
}

/// The answer to the first question, as the title of the page.
fn headline(facts: &Facts) -> String {
    match (facts.figures.certificates, needing(facts)) {
        (0, _) => "Nothing is watched yet".to_owned(),
        (_, 0) => "Nothing needs you now".to_owned(),
        (_, 1) => "1 thing needs you now".to_owned(),
        (_, many) => format!("{} things need you now", ui::grouped(many)),
    }
}

fn summary(shell: &Shell, facts: &Facts) -> String {
    let certificates = facts.figures.certificates;
    if certificates == 0 {
        return "Bring in certificates, and this page tells what needs you.".to_owned();
    }
    let noun = if certificates == 1 { "certificate" } else { "certificates" };
    let end = match facts.coming_count {
        0 => format!("none ends in the next {DAYS} days"),
        1 => format!("one ends in the next {DAYS} days"),
        many => format!("{} end in the next {DAYS} days", ui::grouped(many)),
    };
    let watched = match (gaps(shell, facts).is_empty(), is_ahead(facts)) {
        (true, false) => "everything is being watched",
        (true, true) => "the first look at their ends is still to come",
        (false, _) => "not everything is being watched",
    };
    format!("{} {noun}; {end}; {watched}.", ui::grouped(certificates))
}

/// Whether nothing can be said yet: the first run over the certificates is still to come.
fn is_ahead(facts: &Facts) -> bool {
    facts.watching.as_ref().is_some_and(|watching| watching.unknown)
}

/// Why not everything is being watched; nothing when it is.
fn gaps(shell: &Shell, facts: &Facts) -> Vec<String> {
    /// Events that may wait for a moment while much is going on.
    const BACKLOG: u64 = 10_000;
    let health = shell.engine().health();
    let bad = health.findings().into_iter().filter(|finding| !finding.good);
    let mut gaps: Vec<String> = bad.map(|finding| sentence(&finding.message)).collect();
    if let Some(watching) = &facts.watching {
        if watching.nobody {
            gaps.push(sentence(&watching.sentence));
        }
        gaps.extend(watching.gaps.iter().map(|gap| sentence(gap)));
    }
    for (count, what) in [
        (facts.figures.pending, "events wait to be sealed."),
        (facts.figures.unprojected, "events are not in the search index yet."),
    ] {
        if count > BACKLOG {
            gaps.push(format!("{} {what}", ui::grouped(count)));
        }
    }
    match facts.unjudged {
        0 => {}
        1 => gaps.push("1 certificate has not been judged yet.".to_owned()),
        many => gaps.push(format!("{} certificates have not been judged yet.", ui::grouped(many))),
    }
    gaps
}

fn nothing(shell: &Shell) -> Markup {
    let upload = ui::button(
        "Upload your first certificates",
        "/certificates/upload",
        Some(Icon::Upload),
        true,
    );
    let action = shell.may(Permission::CertificateWrite).then_some(upload);
    ui::section(
        "empty",
        "Begin here",
        html! {},
        ui::empty_state(
            "The inventory is empty",
            "A certificate that is not in the inventory can go silent. Upload a bundle, a chain or a \
         PKCS #12 file; every certificate in it is judged and watched from then on.",
            action,
        ),
    )
}

/// Open alerts, the gravest first; nothing where nothing needs anybody.
fn alerts(facts: &Facts) -> Markup {
    let all = Address::new("/alerts").with("q", WAITING).with("sort", "-severity").to_string();
    html! { @if facts.alert_count > 0 {
        (ui::section("alerts", "Alerts", html! {
            a href=(all) { "All " (ui::grouped(facts.alert_count)) } " · " a href="/review" { "Review" }
        }, alert_row::table("home-alerts", "Open alerts, the gravest first", &facts.alerts)))
    } }
}

fn list_href(expression: &str) -> String {
    Address::new("/certificates").with("q", expression).to_string()
}

fn now(shell: &Shell, facts: &Facts) -> Markup {
    let failed = failed_jobs(facts);
    let quarantined = facts.quarantined;
    let calm = |tone: Tone, count: u64| if count > 0 { tone } else { Tone::Good };
    let hint = |text: &'static str, count: u64| if count > 0 { text } else { "none" };
    html! {
        div.stat-row id="now" {
            @for ((label, question, text, tone), count) in NEEDS.iter().zip(&facts.needs) {
                (ui::stat_tile(&Stat { label, value: &ui::grouped(*count), hint: hint(text, *count),
                    href: Some(&list_href(&expression(shell, question))), tone: calm(*tone, *count) }))
            }
            (ui::stat_tile(&Stat { label: "Failed jobs", value: &ui::grouped(failed), hint: hint("try again or look why", failed),
                href: Some("/jobs?q=state:failed"), tone: calm(Tone::Bad, failed) }))
            (ui::stat_tile(&Stat { label: "Reach nobody", value: &ui::grouped(facts.reach.nobody),
                hint: hint("nobody would hear of their end", facts.reach.nobody),
                href: Some("/notifications/coverage?state=nobody"), tone: calm(Tone::Bad, facts.reach.nobody) }))
            @if quarantined > 0 {
                (ui::stat_tile(&Stat { label: "Quarantined events", value: &ui::grouped(quarantined),
                    hint: "not written by this program", href: Some("/log-view#health"), tone: Tone::Critical }))
            }
        }
    }
}

fn coming(shell: &Shell, facts: &Facts) -> Markup {
    let title = format!("In the next {DAYS} days");
    let all = html! { a href=(list_href(COMING)) { "All " (ui::grouped(facts.coming_count)) } };
    ui::section(
        "coming",
        &title,
        all,
        html! {
            @if facts.coming_count == 0 {
                p { "No certificate ends in the next " (DAYS) " days without another one in its place." }
            } @else {
                (by_day(shell, facts))
                (certificates::plain_table("coming-list", "Certificates that end next", &facts.coming, shell.now()))
            }
            @if facts.silent_count > 0 {
                p.hint {
                    a href=(list_href(SILENT)) { (ui::grouped(facts.silent_count)) " more" }
                    " end in this time and are replaced already."
                }
            }
        },
    )
}

fn by_day(shell: &Shell, facts: &Facts) -> Markup {
    let from = shell.now().div_euclid(Timestamp::DAY) * Timestamp::DAY;
    let moment = |at: i64| ui::rfc3339(at).unwrap_or_default();
    let starts: Vec<i64> = (0..=DAYS).map(|day| from + day * Timestamp::DAY).collect();
    let counts: Vec<[u64; 1]> = starts
        .iter()
        .map(|start| {
            let of_day = |at: &Timestamp| (0..Timestamp::DAY).contains(&(at.micros() - start));
            [facts.by_day.iter().filter(|(at, _)| of_day(at)).map(|(_, count)| count).sum()]
        })
        .collect();
    let hrefs: Vec<String> = starts
        .iter()
        .map(|start| {
            Address::new("/certificates")
                .with("q", "replaced:false")
                .with("from", &moment(*start))
                .with("to", &moment(start + Timestamp::DAY))
                .to_string()
        })
        .collect();
    let buckets: Vec<Bucket<'_>> = starts
        .iter()
        .zip(&hrefs)
        .zip(&counts)
        .map(|((start, href), counts)| Bucket { start: *start, href, counts })
        .collect();
    ui::histogram(&Histogram {
        id: "coming-histogram",
        label: "end, by day",
        series: &[Series { label: "Ends", tone: Tone::Warning }],
        buckets: &buckets,
        from,
        to: from + (DAYS + 1) * Timestamp::DAY,
    })
}

fn failures(facts: &Facts) -> Markup {
    html! {
        @if !facts.failures.is_empty() {
            (ui::section("failures", "Newest failures", html! { a href=(Address::new("/events").with("q", FAILURES)) { "All" } },
                event_row::story(&facts.failures)))
        }
    }
}

fn watched(shell: &Shell, facts: &Facts) -> Markup {
    let figures = &facts.figures;
    let health = shell.engine().health();
    let checkpoint = match health.sealed_at() {
        Some(at) => html! { (ui::relative(at.micros(), shell.now())) },
        None => html! { "none yet" },
    };
    let lag = |count: u64| match count {
        0 => html! { (ui::badge(Tone::Good, Icon::Check, "Up to date")) },
        count => html! { (ui::grouped(count)) " events wait" },
    };
    let judged = figures.certificates.saturating_sub(facts.unjudged);
    let verified = match &facts.verified {
        Some(seen) => html! {
            a href={"/events/" (seen.event.id)} { (ui::relative(seen.event.time.micros(), shell.now())) }
            " " (ui::outcome(seen.event.outcome.result.as_str()))
        },
        None => html! { "not yet; " a href="/log-view" { "verify now" } },
    };
    let gaps = gaps(shell, facts);
    let rows = ui::key_values(&[
        ("Entries under seal", html! { (ui::grouped(figures.log_size)) }),
        ("Last checkpoint", checkpoint),
        ("Sealing", lag(figures.pending)),
        ("Search index", lag(figures.unprojected)),
        (
            "Certificates judged",
            html! { (ui::grouped(judged)) " of " (ui::grouped(figures.certificates)) },
        ),
        ("Last verification", verified),
        ("Storage", html! { (bytes(figures.store_bytes)) }),
        ("Running for", html! { (uptime(figures.uptime_seconds)) }),
    ]);
    ui::section(
        "watched",
        "Is everything being watched?",
        html! { a href="/log-view" { "The log" } },
        html! {
            @if figures.certificates == 0 {
                p.verdict {
                    (ui::badge(Tone::Notice, Icon::Hourglass, "Not yet"))
                    " There is no certificate to watch. Every event goes under seal already."
                }
            } @else if gaps.is_empty() && is_ahead(facts) {
                p.verdict {
                    (ui::badge(Tone::Notice, Icon::Hourglass, "Not yet"))
                    " Certificates have not been looked at for their ends; the monitor runs soon."
                }
            } @else if gaps.is_empty() {
                p.verdict {
                    (ui::badge(Tone::Good, Icon::CheckCircle, "Yes"))
                    " Every certificate is judged, and every event goes under seal."
                }
            } @else {
                p.verdict { (ui::badge(Tone::Warning, Icon::Warning, "No")) " " (gaps.join(" ")) }
            }
            (rows)
        },
    )
}

/// Bytes in the largest unit that leaves a whole number worth reading.
fn bytes(count: u64) -> String {
    match count {
        0..1_048_576 => format!("{} KiB", count / 1_024),
        1_048_576..10_737_418_240 => format!("{} MiB", ui::grouped(count / 1_048_576)),
        _ => format!("{} GiB", ui::grouped(count / 1_073_741_824)),
    }
}

fn uptime(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
