//! The monitors and schedules that a new installation starts with: ordinary definitions that
//! anybody may change or delete.
//!
//! Leads are given as days together with a share of the lifetime, the shorter of which counts. A
//! certificate of 398, 200 or 100 days is reported 30, 14, 7 and 1 days before its end; one of 47
//! days after two thirds of its life, which is when a renewal should have happened, and so on.

use serde_json::{Value, json};

/// Names and bodies of the monitors.
pub(crate) fn monitors() -> Vec<(&'static str, Value)> {
    let hourly = json!({ "cron": "0 * * * *", "time_zone": "UTC" });
    let daily = json!({ "cron": "15 6 * * *", "time_zone": "UTC" });
    let mut monitors = vec![
        (
            "certificate-expiry",
            json!({
                "title": "Certificates near or past their end",
                "kind": "certificate_expiry",
                "schedule": hourly,
                "thresholds": ["30d/33%", "14d/20%", "7d/10%", "1d/2%", "0d"],
                "suppress_if_replaced": true,
            }),
        ),
        (
            "authority-expiry",
            json!({
                "title": "Authorities near their end",
                "kind": "authority_expiry",
                "schedule": daily,
                "thresholds": ["6mo", "3mo", "1mo"],
                "suppress_if_replaced": true,
            }),
        ),
        (
            "limits",
            json!({
                "title": "Limits and usage",
                "kind": "limits",
                "schedule": hourly,
                "limits": {},
            }),
        ),
        (
            "jobs",
            json!({
                "title": "Jobs that wait or run too long",
                "kind": "jobs",
                "schedule": { "cron": "*/15 * * * *", "time_zone": "UTC" },
            }),
        ),
        (
            "internal",
            json!({
                "title": "Chancery itself",
                "kind": "internal",
                "schedule": { "cron": "*/5 * * * *", "time_zone": "UTC" },
            }),
        ),
    ];
    monitors.extend(of_credentials(&hourly, &daily));
    monitors
}

/// What people and programs sign in with.
fn of_credentials(hourly: &Value, daily: &Value) -> Vec<(&'static str, Value)> {
    vec![
        (
            "token-expiry",
            json!({
                "title": "API tokens near or past their end",
                "kind": "token_expiry",
                "schedule": hourly,
                "thresholds": ["30d/33%", "7d/10%", "0d"],
            }),
        ),
        (
            "account-expiry",
            json!({
                "title": "Accounts near or past their end",
                "kind": "account_expiry",
                "schedule": hourly,
                "thresholds": ["30d/33%", "7d/10%", "0d"],
            }),
        ),
        (
            "password-expiry",
            json!({
                "title": "Passwords that have to be changed",
                "kind": "password_expiry",
                "schedule": hourly,
                "thresholds": ["30d/33%", "7d/10%", "0d"],
            }),
        ),
        (
            "token-unused",
            json!({
                "title": "API tokens that nobody uses",
                "kind": "token_unused",
                "schedule": daily,
                "thresholds": ["-90d"],
            }),
        ),
        (
            "token-unchanged",
            json!({
                "title": "API tokens that were made long ago",
                "kind": "token_unchanged",
                "schedule": daily,
                "thresholds": ["-90d"],
            }),
        ),
        (
            "account-unused",
            json!({
                "title": "Accounts that nobody uses",
                "kind": "account_unused",
                "schedule": daily,
                "thresholds": ["-90d"],
            }),
        ),
    ]
}

/// Names and bodies of the schedules.
pub(crate) fn schedules() -> Vec<(&'static str, Value)> {
    vec![
        (
            "validation-sweep",
            json!({
                "title": "Judge every certificate anew",
                "job_kind": "certificate.validate",
                "cron": "30 2 * * SUN",
                "time_zone": "UTC",
            }),
        ),
        (
            "log-verification",
            json!({
                "title": "Verify the whole log",
                "job_kind": "log.verify",
                "cron": "30 3 * * *",
                "time_zone": "UTC",
            }),
        ),
        (
            "retention",
            json!({
                "title": "Follow the rules of retention",
                "job_kind": "retention.run",
                "cron": "30 1 * * *",
                "time_zone": "UTC",
            }),
        ),
    ]
}
