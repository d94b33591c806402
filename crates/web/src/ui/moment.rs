//! Times, dates and counts. The server writes UTC; the script may show local time instead, the
//! `datetime` attribute and the hover text keep the exact instant.

use jiff::Timestamp;
use maud::{Markup, html};

const DAY_US: i64 = 86_400_000_000;

/// RFC 3339 in UTC with microseconds, or nothing when `ts_us` (µs since 1970) is outside years
/// ±9999.
#[must_use]
pub fn rfc3339(ts_us: i64) -> Option<String> {
    let at = Timestamp::from_microsecond(ts_us).ok()?;
    Some(at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

fn shown(ts_us: i64, pattern: &str) -> Option<String> {
    Some(Timestamp::from_microsecond(ts_us).ok()?.strftime(pattern).to_string())
}

/// An instant to the second: `2026-11-21 04:10:09 UTC`.
#[must_use]
pub fn time(ts_us: i64) -> Markup {
    let (Some(exact), Some(text)) = (rfc3339(ts_us), shown(ts_us, "%Y-%m-%d %H:%M:%S")) else {
        return html! { span.muted { "—" } };
    };
    html! {
        time datetime=(exact) title=(exact) data-shape="time" { (text) " " span.zone { "UTC" } }
    }
}

/// A day: `2026-11-21`.
#[must_use]
pub fn date(ts_us: i64) -> Markup {
    let (Some(exact), Some(text)) = (rfc3339(ts_us), shown(ts_us, "%Y-%m-%d")) else {
        return html! { span.muted { "—" } };
    };
    html! { time datetime=(exact) title=(exact) data-shape="date" { (text) } }
}

/// An instant seen from `now_us`: `in 12 d`, `3 min ago`; the exact instant is the hover text.
#[must_use]
pub fn relative(ts_us: i64, now_us: i64) -> Markup {
    let Some(exact) = rfc3339(ts_us) else {
        return html! { span.muted { "—" } };
    };
    html! { time datetime=(exact) title=(exact) data-shape="relative" { (distance(ts_us, now_us)) } }
}

/// A count in groups of three: `1,204,733`.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The words of [`relative`].
pub(crate) fn distance(ts_us: i64, now_us: i64) -> String {
    let ahead = ts_us > now_us;
    let seconds = ts_us.abs_diff(now_us) / 1_000_000;
    let words = match seconds {
        0..5 => return "just now".to_owned(),
        5..90 => format!("{seconds} s"),
        90..5_400 => format!("{} min", seconds / 60),
        5_400..129_600 => format!("{} h", seconds / 3_600),
        _ => {
            let days = ts_us.abs_diff(now_us) / DAY_US.unsigned_abs();
            if days < 1_000 { format!("{days} d") } else { format!("{} y", days / 365) }
        }
    };
    if ahead { format!("in {words}") } else { format!("{words} ago") }
}
