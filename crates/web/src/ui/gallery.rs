//! Every block with sample data on one page: for tests, for screenshots, for those who write pages.
//!
//! Pure and the same every time; the data is made up and nothing here is served unless a page asks
//! for it.

use maud::{Markup, html};

mod detail;

use detail::{detail, endings, forms, proof};

use super::{
    Bucket, Column, Crumb, Direction, Facet, FacetValue, Health, Histogram, Icon, Nav, PageFrame,
    Preferences, Row, SealStatus, SearchBox, SearchError, Series, Slice, Stat, Table, Tone, Viewer,
    badge, breadcrumbs, button, certificate_status, code, data_table, delivery_state, donut,
    facet_panel, grouped, histogram, job_state, key_values, layout, live_region, outcome,
    page_header, pager, progress, seal_state, search_box, section, severity, sparkline, stat_row,
    time, validity_bar,
};

/// The instant at which the gallery stands: 2026-11-21 04:10:09.250 UTC, in µs.
pub const NOW: i64 = 1_795_234_209_250_000;
const DAY: i64 = 86_400_000_000;
const LEAF: &str = "5f3a9c0e1b7d4426a8ce0f91d2b35e7768c14a9f3be05d12c7f60a8b94e3d1a7";
const ROOT: &str = "c0d1e49a77b2f63510fe8d2c4b6a99e13507dc82f4a1be66093c5d7e12fab048";

/// The gallery inside the frame.
#[must_use]
pub fn page(preferences: Preferences) -> Markup {
    let body = html! {
        (breadcrumbs(&[
            Crumb { label: "Administration", href: Some("/administration") },
            Crumb { label: "Gallery", href: None },
        ]))
        (page_header("Events", "What happened to certificates in the last 24 hours, in the order of the log.", html! {
            (button("Export", "/events.csv", Some(Icon::Download), false))
            (button("Upload a certificate", "/certificates/upload", Some(Icon::Upload), true))
        }))
        (numbers()) (list()) (shapes()) (states()) (detail()) (proof()) (forms()) (endings())
    };
    layout(PageFrame {
        title: "Gallery",
        current: Nav::Events,
        viewer: Some(Viewer { name: "Ines Okafor", role: "PKI operator" }),
        preferences,
        csrf: "sample-token",
        health: Some(Health { tone: Tone::Good, text: "All watched", href: "/health-view" }),
        bell: Some(super::Bell { unread: 7, log_size: 1_204_733 }),
        query: "",
        seal: Some(SealStatus { tree_size: 1_204_733, text: "sealed 2 s ago", fresh: true }),
        version: "0.1.0",
        body,
    })
}

fn numbers() -> Markup {
    let stat = |label, value, hint, href, tone| Stat { label, value, hint, href: Some(href), tone };
    html! {
        (stat_row(&[
            stat("Need you now", "3", "2 failed renewals, 1 alert", "/alerts", Tone::Critical),
            stat("Expire in 30 days", "48", "41 renew by themselves", "/certificates?q=expires<30d", Tone::Warning),
            stat("Nobody hears about", "0", "of 12,481 certificates", "/coverage", Tone::Good),
            stat("Events today", "9,204", "38 failures", "/events", Tone::Neutral),
            stat("Under seal", "1,204,733", "last checkpoint 2 s ago", "/log-view", Tone::Seal),
        ]))
    }
}

fn list() -> Markup {
    let counts: Vec<[u64; 4]> = (0..48_u64)
        .map(|hour| {
            let wave = (hour * 37 + 11) % 23 + (hour % 24) * 2;
            let grave = if hour % 13 == 5 { 9 } else { hour % 3 };
            [u64::from(hour == 31) * 8, grave, wave / 4 + (hour % 5), wave * 2 + 9]
        })
        .collect();
    let buckets: Vec<Bucket<'_>> = (0..48_i64)
        .zip(&counts)
        .map(|(step, counts)| Bucket {
            start: NOW - 2 * DAY + step * DAY / 24,
            href: "/events?from=2026-11-20T04:00:00Z&to=2026-11-20T05:00:00Z",
            counts,
        })
        .collect();
    let series = [
        Series { label: "Critical", tone: Tone::Critical },
        Series { label: "Error", tone: Tone::Bad },
        Series { label: "Warning", tone: Tone::Warning },
        Series { label: "Info", tone: Tone::Info },
    ];
    html! {
        (search_box(&SearchBox {
            id: "event-search",
            action: "/events",
            query: "type:certificate.* outcom:failure expires<30d",
            placeholder: "type:certificate.* outcome:failure -actor:system \"timeout\"",
            error: Some(SearchError {
                position: 19,
                len: 6,
                message: "There is no field “outcom”.",
                suggestion: Some(("outcome:failure", "/events?q=outcome:failure")),
            }),
            help_href: "/docs/search",
            keep: &[("view", "operators")],
        }))
        (histogram(&Histogram {
            id: "event-histogram",
            label: "events in 48 hours",
            series: &series,
            buckets: &buckets,
            from: NOW - 2 * DAY,
            to: NOW,
        }))
        div.with-facets {
            (facets())
            div {
                (live_region("events", "/api/v1/events/stream"))
                (events())
                (pager(None, Some("/events?before=1204683"), "1–6 of about 9,200"))
            }
        }
    }
}

fn facets() -> Markup {
    let value = |label, count, selected| FacetValue { label, count, href: "/events?q=x", selected };
    facet_panel(&[
        Facet {
            label: "Outcome",
            values: &[
                value("success", 9_101, false),
                value("failure", 38, true),
                value("skipped", 65, false),
            ],
            more: 0,
            more_href: None,
        },
        Facet {
            label: "Event type",
            values: &[
                value("certificate.issue", 4_120, false),
                value("certificate.expiring", 1_204, false),
                value("acme.order", 980, false),
                value("delivery.attempt", 411, false),
            ],
            more: 0,
            more_href: Some("/events/facets/type"),
        },
        Facet {
            label: "Path",
            values: &[value("/prod/web", 5_310, false), value("/prod/mesh", 2_904, false)],
            more: 0,
            more_href: None,
        },
    ])
}

fn events() -> Markup {
    let columns = [
        Column::new("Event").sorted("/events?sort=type", None),
        Column::new("Time").sorted("/events?sort=index", Some(Direction::Descending)),
        Column::new("Severity"),
        Column::new("Outcome"),
        Column::new("Subject"),
        Column::new("Actor").optional(),
        Column::new("Index").number().optional(),
    ];
    let rows = EVENTS.map(event_row);
    data_table(&Table {
        id: "events",
        caption: "Events, newest first",
        columns: &columns,
        rows: &rows,
    })
}

/// Type, minutes ago, severity, outcome, subject, actor, log index.
type SampleEvent = (&'static str, i64, &'static str, &'static str, &'static str, &'static str, u64);

#[rustfmt::skip]
const EVENTS: [SampleEvent; 6] = [
    ("certificate.renew", 1, "error", "failure", "api.payments.example", "trigger: renew early", 1_204_733),
    ("certificate.issue", 2, "info", "success", "mesh-7f3a.prod.internal", "acme: cluster-eu-1", 1_204_732),
    ("certificate.expiring", 4, "warning", "success", "www.example.org", "monitor: lead times", 1_204_731),
    ("certificate.revoke", 9, "critical", "success", "vpn.example.org", "Ines Okafor", 1_204_730),
    ("request.approve", 14, "notice", "deny", "*.lab.example.org", "Tomás Weller", 1_204_729),
    ("delivery.attempt", 15, "debug", "rate_limit", "webhook: change board", "system", 1_204_728),
];

fn event_row((name, ago, grade, result, subject, actor, index): SampleEvent) -> Row {
    Row {
        href: Some(format!("/events/{index}")),
        tone: match grade {
            "critical" => Some(Tone::Critical),
            "error" => Some(Tone::Bad),
            _ => None,
        },
        cells: vec![
            html! { (name) },
            time(NOW - ago * 61_000_000),
            severity(grade),
            outcome(result),
            code(subject),
            html! { (actor) },
            html! { (grouped(index)) },
        ],
    }
}

fn shapes() -> Markup {
    let slice = |label, count, tone| Slice { label, count, tone, href: Some("/certificates") };
    html! {
        div.columns {
            (section("by-status", "Certificates by status", html! { a href="/certificates" { "All" } },
                donut("Certificates by status", &[
                    slice("Valid", 11_902, Tone::Good),
                    slice("Expiring", 331, Tone::Warning),
                    slice("Expired", 127, Tone::Bad),
                    slice("Not yet valid", 12, Tone::Info),
                    slice("Archived", 109, Tone::Neutral),
                ])))
            (section("validity", "Validity", html! {}, html! {
                (validity_bar(NOW - 60 * DAY, NOW + 40 * DAY, NOW, NOW + 10 * DAY))
                (validity_bar(NOW - 41 * DAY, NOW + 6 * DAY, NOW, NOW - 9 * DAY))
                (validity_bar(NOW - 100 * DAY, NOW - 2 * DAY, NOW, NOW - 32 * DAY))
                (validity_bar(NOW + 3 * DAY, NOW + 50 * DAY, NOW, NOW + 20 * DAY))
                p { "Issued per day " (sparkline("Issued per day", &[4, 9, 7, 12, 30, 22, 18, 25, 31, 28])) }
                (progress("Discovery of 10.0.0.0/16", 41_205, Some(65_536)))
                (progress("Import", 1_200, None))
            }))
        }
    }
}

fn states() -> Markup {
    let severities = ["debug", "info", "notice", "warning", "error", "critical", "house-made"];
    let outcomes = [
        "success",
        "failure",
        "skipped",
        "allow",
        "deny",
        "challenge",
        "unknown",
        "rate_limit",
        "deferred",
        "scheduled",
        "abandoned",
        "unanswered",
    ];
    let statuses = [
        "valid",
        "expiring",
        "expired",
        "not_yet_valid",
        "invalid",
        "untrusted",
        "incomplete",
        "revoked",
        "archived",
        "unknown",
    ];
    let jobs = [
        "queued",
        "scheduled",
        "running",
        "waiting",
        "retrying",
        "success",
        "failed",
        "dead",
        "cancelled",
    ];
    let deliveries =
        ["pending", "delivered", "retrying", "failed", "dead", "suppressed", "disabled"];
    let seals = ["recorded", "sealed", "published", "witnessed", "quarantined"];
    let alerts = ["unread", "acknowledged", "snoozed", "resolved"];
    let row = |badges: Vec<Markup>| html! { div.wrap { @for badge in badges { (badge) } } };
    section(
        "states",
        "States",
        html! {},
        key_values(&[
            ("Severity", row(severities.map(severity).into())),
            ("Outcome", row(outcomes.map(outcome).into())),
            ("Certificate", row(statuses.map(certificate_status).into())),
            ("Job", row(jobs.map(job_state).into())),
            ("Delivery", row(deliveries.map(delivery_state).into())),
            ("Alert", row(alerts.map(super::alert_state).into())),
            ("Seal", row(seals.map(seal_state).into())),
            ("Any other", row(vec![badge(Tone::Notice, Icon::Handover, "Renewed elsewhere")])),
        ]),
    )
}
