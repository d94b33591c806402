//! Badges: a state as shape, word and colour. Unknown codes are shown as they are, never dropped.

use maud::{Markup, html};

use super::{Icon, Tone, icon};

/// A badge of any kind.
#[must_use]
pub fn badge(tone: Tone, mark: Icon, text: &str) -> Markup {
    html! { span class={"badge " (tone.class())} { (icon(mark)) span { (text) } } }
}

/// The severity of an event: `debug`, `info`, `notice`, `warning`, `error`, `critical`, in any
/// case.
#[must_use]
pub fn severity(code: &str) -> Markup {
    let (tone, mark, text) = match code.to_ascii_lowercase().as_str() {
        "debug" => (Tone::Neutral, Icon::Dot, "Debug"),
        "info" | "informational" => (Tone::Info, Icon::Info, "Info"),
        "notice" => (Tone::Notice, Icon::Bell, "Notice"),
        "warn" | "warning" => (Tone::Warning, Icon::Warning, "Warning"),
        "error" => (Tone::Bad, Icon::CrossCircle, "Error"),
        "critical" => (Tone::Critical, Icon::Critical, "Critical"),
        _ => (Tone::Neutral, Icon::Question, code),
    };
    badge(tone, mark, text)
}

/// The result of an operation; takes the twelve values of `outcome.result` in any case.
#[must_use]
pub fn outcome(code: &str) -> Markup {
    let (tone, mark, text) = match code.to_ascii_lowercase().as_str() {
        "success" => (Tone::Good, Icon::Check, "Success"),
        "allow" => (Tone::Good, Icon::CheckCircle, "Allowed"),
        "failure" => (Tone::Bad, Icon::CrossCircle, "Failure"),
        "deny" => (Tone::Bad, Icon::Deny, "Denied"),
        "skipped" => (Tone::Neutral, Icon::Skip, "Skipped"),
        "challenge" => (Tone::Notice, Icon::Key, "Challenged"),
        "rate_limit" => (Tone::Warning, Icon::Hourglass, "Rate limited"),
        "deferred" => (Tone::Notice, Icon::Hourglass, "Deferred"),
        "scheduled" => (Tone::Info, Icon::Clock, "Scheduled"),
        "abandoned" => (Tone::Warning, Icon::SignOut, "Abandoned"),
        "unanswered" => (Tone::Warning, Icon::Question, "Unanswered"),
        "warning" => (Tone::Warning, Icon::Warning, "Warning"),
        "unknown" | "" => (Tone::Neutral, Icon::Question, "Unknown"),
        _ => (Tone::Neutral, Icon::Question, code),
    };
    badge(tone, mark, text)
}

/// The status of a certificate.
#[must_use]
pub fn certificate_status(code: &str) -> Markup {
    let (tone, mark, text) = match code.to_ascii_lowercase().as_str() {
        "valid" => (Tone::Good, Icon::CheckCircle, "Valid"),
        "expiring" => (Tone::Warning, Icon::Hourglass, "Expiring"),
        "expired" => (Tone::Bad, Icon::CrossCircle, "Expired"),
        "not_yet_valid" => (Tone::Info, Icon::Clock, "Not yet valid"),
        "invalid" => (Tone::Bad, Icon::Warning, "Invalid"),
        "untrusted" => (Tone::Warning, Icon::Shield, "Untrusted"),
        "incomplete" => (Tone::Notice, Icon::Broken, "Incomplete chain"),
        "revoked" => (Tone::Critical, Icon::Deny, "Revoked"),
        "archived" => (Tone::Neutral, Icon::Archive, "Archived"),
        "unknown" | "" => (Tone::Neutral, Icon::Question, "Unknown"),
        _ => (Tone::Neutral, Icon::Question, code),
    };
    badge(tone, mark, text)
}

/// The state of a job.
#[must_use]
pub fn job_state(code: &str) -> Markup {
    let (tone, mark, text) = match code.to_ascii_lowercase().as_str() {
        "queued" => (Tone::Neutral, Icon::Jobs, "Queued"),
        "scheduled" => (Tone::Info, Icon::Clock, "Scheduled"),
        "running" => (Tone::Info, Icon::Run, "Running"),
        "waiting" => (Tone::Notice, Icon::Hourglass, "Waiting"),
        "retrying" => (Tone::Warning, Icon::Refresh, "Retrying"),
        "success" | "succeeded" | "done" => (Tone::Good, Icon::Check, "Succeeded"),
        "failed" => (Tone::Bad, Icon::CrossCircle, "Failed"),
        "dead" => (Tone::Critical, Icon::Critical, "Gave up"),
        "cancelled" | "canceled" => (Tone::Neutral, Icon::Deny, "Cancelled"),
        _ => (Tone::Neutral, Icon::Question, code),
    };
    badge(tone, mark, text)
}

/// The state of an alert.
#[must_use]
pub fn alert_state(code: &str) -> Markup {
    let (tone, mark, text) = match code.to_ascii_lowercase().as_str() {
        "unread" => (Tone::Notice, Icon::Dot, "Unread"),
        "open" => (Tone::Warning, Icon::Bell, "Open"),
        "acknowledged" => (Tone::Info, Icon::User, "Acknowledged"),
        "snoozed" => (Tone::Neutral, Icon::Clock, "Snoozed"),
        "resolved" => (Tone::Good, Icon::Check, "Resolved"),
        _ => (Tone::Neutral, Icon::Question, code),
    };
    badge(tone, mark, text)
}

/// The state of a delivery to a channel or forwarder.
#[must_use]
pub fn delivery_state(code: &str) -> Markup {
    let (tone, mark, text) = match code.to_ascii_lowercase().as_str() {
        "pending" => (Tone::Neutral, Icon::Hourglass, "Pending"),
        "delivered" => (Tone::Good, Icon::Check, "Delivered"),
        "retrying" => (Tone::Warning, Icon::Refresh, "Retrying"),
        "failed" => (Tone::Bad, Icon::CrossCircle, "Failed"),
        "dead" => (Tone::Critical, Icon::Critical, "Dead letter"),
        "suppressed" | "skipped" => (Tone::Neutral, Icon::Skip, "Suppressed"),
        "disabled" => (Tone::Bad, Icon::Deny, "Disabled"),
        _ => (Tone::Neutral, Icon::Question, code),
    };
    badge(tone, mark, text)
}

/// How far an event is on its way under seal: `recorded`, `sealed`, `published`, `witnessed`,
/// `quarantined`.
#[must_use]
pub fn seal_state(code: &str) -> Markup {
    let (tone, mark, text) = match code.to_ascii_lowercase().as_str() {
        "recorded" => (Tone::Neutral, Icon::Hourglass, "Recorded"),
        "sealed" => (Tone::Seal, Icon::Seal, "Sealed"),
        "published" => (Tone::Seal, Icon::Seal, "Published"),
        "witnessed" => (Tone::Seal, Icon::Seal, "Witnessed"),
        "quarantined" => (Tone::Critical, Icon::Broken, "Quarantined"),
        _ => (Tone::Neutral, Icon::Question, code),
    };
    badge(tone, mark, text)
}
