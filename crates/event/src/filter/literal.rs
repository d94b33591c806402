//! Reading and writing single values: numbers, times, durations.

use jiff::{Timestamp, civil, tz::TimeZone};

use super::{Literal, error::Fault};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Units a duration is read in, in microseconds. A month is 30 days, a year 365: no calendar.
const UNITS: [(&str, i64); 9] = [
    ("us", 1),
    ("ms", 1000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
    ("d", DAY),
    ("w", 7 * DAY),
    ("mo", 30 * DAY),
    ("y", 365 * DAY),
];

/// Units a duration is written in, largest first.
const WRITTEN: [&str; 6] = ["d", "h", "m", "s", "ms", "us"];

/// A time as it is written in a filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    /// An exact point in time or one relative to now.
    Exact(ExactMoment),
    /// A day in UTC: its first microsecond, and the first one of the next day.
    Day(i64, i64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ExactMoment {
    At(i64),
    FromNow(i64),
}

impl ExactMoment {
    pub fn literal(self) -> Literal {
        match self {
            ExactMoment::At(micros) => Literal::Time(micros),
            ExactMoment::FromNow(micros) => Literal::FromNow(micros),
        }
    }
}

/// Reads `30d`, `1h30m`, `2w`; without a sign. `None` if it is no duration or too long.
pub(super) fn duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|n| *n > 0)?;
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&rest[..letters]))?.1;
        rest = &rest[letters..];
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    (!text.is_empty()).then_some(total)
}

/// Writes a duration in the largest unit that divides it.
pub(super) fn duration_text(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let magnitude = micros.unsigned_abs();
    if magnitude == 0 {
        return "0s".to_owned();
    }
    for written in WRITTEN {
        let unit = UNITS.iter().find(|(name, _)| *name == written).map_or(1, |(_, unit)| *unit);
        if magnitude.is_multiple_of(unit.unsigned_abs()) {
            return format!("{sign}{}{written}", magnitude / unit.unsigned_abs());
        }
    }
    format!("{sign}{magnitude}us")
}

/// Reads a time: `now`, `30d` and `-24h` (relative to now), `2026-11-21`, RFC 3339. Without an
/// offset it is in UTC.
pub(super) fn moment(text: &str) -> Result<Moment, Fault> {
    if text.eq_ignore_ascii_case("now") {
        return Ok(Moment::Exact(ExactMoment::FromNow(0)));
    }
    let (sign, bare) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    if let Some(micros) = duration(bare) {
        return Ok(Moment::Exact(ExactMoment::FromNow(sign * micros)));
    }
    if let Some(day) = day(text) {
        return Ok(day);
    }
    let exact = text.parse::<Timestamp>().or_else(|_| {
        let there = text.parse::<civil::DateTime>()?;
        Ok::<_, jiff::Error>(there.to_zoned(TimeZone::UTC)?.timestamp())
    });
    match exact {
        Ok(at) => Ok(Moment::Exact(ExactMoment::At(at.as_microsecond()))),
        Err(_) => Err(Fault::new(format!(
            "“{text}” is not a time; write 2026-11-21, 2026-11-21T10:00:00Z, 30d or -24h"
        ))),
    }
}

fn day(text: &str) -> Option<Moment> {
    let shape = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let date = text.parse::<civil::Date>().ok().filter(|_| shape)?;
    let first = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond();
    Some(Moment::Day(first, first + DAY))
}

/// Writes a point in time as RFC 3339 in UTC; a number outside the years -9999 to 9999 as
/// `@micros`.
pub(super) fn time_text(micros: i64) -> String {
    match Timestamp::from_microsecond(micros) {
        Ok(at) => at.to_string(),
        Err(_) => format!("@{micros}"),
    }
}

/// Reads a whole number.
pub(super) fn integer(text: &str) -> Result<i64, Fault> {
    text.parse().map_err(|_| Fault::new(format!("“{text}” is not a whole number")))
}

/// Reads a finite number.
pub(super) fn decimal(text: &str) -> Result<f64, Fault> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    match text.parse::<f64>() {
        // Adding zero turns a negative zero into zero: one spelling for one value.
        Ok(number) if plain && number.is_finite() => Ok(number + 0.0),
        _ => Err(Fault::new(format!("“{text}” is not a number"))),
    }
}

/// Reads `true` / `yes` or `false` / `no`.
pub(super) fn boolean(text: &str) -> Result<bool, Fault> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" => Ok(true),
        "false" | "no" => Ok(false),
        _ => Err(Fault::new(format!("“{text}” is neither true nor false"))),
    }
}

/// The plain text of a literal, without quotes.
pub(super) fn plain_text(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) => text.clone(),
        Literal::Integer(number) => number.to_string(),
        Literal::Decimal(number) => number.to_string(),
        Literal::Boolean(flag) => flag.to_string(),
        Literal::Time(micros) => time_text(*micros),
        Literal::FromNow(micros) | Literal::Duration(micros) => duration_text(*micros),
    }
}
