//! Thresholds: when before (or after) its end an object is to be reported. Pure.
//!
//! Spellings: `30d`, `12h`, `2w`, `6mo` before the end; `-7d` after it; `0d` at the end; `10%` of
//! the lifetime before the end; `30d/33%` the shorter of both, so that one definition is right for
//! lives of a year and of a week.

use std::fmt;

use chancery_event::Timestamp;
use jiff::ToSpan as _;
use jiff::tz::TimeZone;

/// A length of time before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    Hours(i64),
    Days(i64),
    Weeks(i64),
    /// Months of the calendar, UTC.
    Months(i64),
}

/// When to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    lead: Option<Lead>,
    percent: Option<u8>,
}

impl Threshold {
    /// Reads a threshold.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "“{}” is not a threshold: write 30d, 12h, 2w or 6mo before the end, 10% of the \
                 lifetime, 30d/33% for the shorter of both, -1d for after the end",
                text.chars().take(40).collect::<String>()
            )
        };
        let mut threshold = Self { lead: None, percent: None };
        for part in text.trim().split('/') {
            let part = part.trim();
            if let Some(number) = part.strip_suffix('%') {
                let percent: u8 = number.trim().parse().map_err(|_| refuse())?;
                if percent == 0 || percent > 100 {
                    return Err("a share of the lifetime is 1% to 100%".to_owned());
                }
                if threshold.percent.replace(percent).is_some() {
                    return Err(refuse());
                }
            } else {
                let lead = Lead::parse(part).ok_or_else(refuse)?;
                if threshold.lead.replace(lead).is_some() {
                    return Err(refuse());
                }
            }
        }
        match threshold.lead {
            Some(lead) if lead.is_after() && threshold.percent.is_some() => {
                Err("a threshold after the end cannot be a share of the lifetime".to_owned())
            }
            _ => Ok(threshold),
        }
    }

    /// The instant for an object that lives from `start` to `end`.
    pub fn instant(&self, start: Timestamp, end: Timestamp) -> Timestamp {
        let by_lead = self.lead.map(|lead| lead.before(end));
        let by_share = self.percent.map(|percent| {
            let life = i128::from(end.since(start).max(0));
            let lead = life * i128::from(percent) / 100;
            end.plus(-i64::try_from(lead).unwrap_or(i64::MAX))
        });
        by_lead.into_iter().chain(by_share).max().unwrap_or(end)
    }

    /// The lead in whole months, if it was given so.
    pub fn months(&self) -> Option<u32> {
        match self.lead {
            Some(Lead::Months(months)) => u32::try_from(months).ok(),
            _ => None,
        }
    }

    /// The time after the end in whole days, if it was given so.
    pub fn days_after(&self) -> Option<u32> {
        match self.lead {
            Some(Lead::Days(days)) => u32::try_from(-days).ok(),
            Some(Lead::Weeks(weeks)) => u32::try_from(-weeks * 7).ok(),
            _ => None,
        }
    }
}

impl Threshold {
    /// When that is, in words: `30 days before its end`.
    pub fn words(&self) -> String {
        let share = self.percent.map(|percent| format!("{percent}% of its life"));
        match (self.lead, share) {
            (Some(lead), _) if lead.is_end() => "at its end".to_owned(),
            (Some(lead), _) if lead.is_after() => format!("{} after its end", lead.words()),
            (Some(lead), None) => format!("{} before its end", lead.words()),
            (Some(lead), Some(share)) => {
                format!("{} or {share} before its end, whichever is shorter", lead.words())
            }
            (None, Some(share)) => format!("{share} before its end"),
            (None, None) => "at its end".to_owned(),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(lead) = self.lead {
            lead.fmt(f)?;
        }
        if let Some(percent) = self.percent {
            let between = if self.lead.is_some() { "/" } else { "" };
            write!(f, "{between}{percent}%")?;
        }
        Ok(())
    }
}

impl Lead {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| c != '-' && !c.is_ascii_digit())?;
        let number: i64 = text[..digits].parse().ok()?;
        let (lead, most) = match &text[digits..] {
            "h" => (Self::Hours(number), 24 * 3_660),
            "d" => (Self::Days(number), 3_660),
            "w" => (Self::Weeks(number), 520),
            "mo" => (Self::Months(number), 120),
            _ => return None,
        };
        (number.abs() <= most).then_some(lead)
    }

    fn is_after(self) -> bool {
        self.number().0 < 0
    }

    fn is_end(self) -> bool {
        self.number().0 == 0
    }

    /// How many of what.
    fn number(self) -> (i64, &'static str) {
        match self {
            Self::Hours(n) => (n, "hour"),
            Self::Days(n) => (n, "day"),
            Self::Weeks(n) => (n, "week"),
            Self::Months(n) => (n, "month"),
        }
    }

    /// How long, in words, whether before or after.
    fn words(self) -> String {
        match self.number() {
            (1 | -1, unit) => format!("1 {unit}"),
            (number, unit) => format!("{} {unit}s", number.abs()),
        }
    }

    fn before(self, end: Timestamp) -> Timestamp {
        match self {
            Self::Hours(hours) => end.plus(-hours * Timestamp::HOUR),
            Self::Days(days) => end.plus(-days * Timestamp::DAY),
            Self::Weeks(weeks) => end.plus(-weeks * 7 * Timestamp::DAY),
            Self::Months(months) => {
                let zoned = end.to_jiff().to_zoned(TimeZone::UTC);
                match zoned.checked_sub(months.months()) {
                    Ok(moved) => Timestamp::from_micros(moved.timestamp().as_microsecond()),
                    Err(_) => end.plus(-months * 30 * Timestamp::DAY),
                }
            }
        }
    }
}

impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hours(n) => write!(f, "{n}h"),
            Self::Days(n) => write!(f, "{n}d"),
            Self::Weeks(n) => write!(f, "{n}w"),
            Self::Months(n) => write!(f, "{n}mo"),
        }
    }
}

/// A length of time such as `1d` or `12h`, in microseconds.
///
/// # Errors
/// It is none, or shorter than an hour.
pub fn interval(text: &str) -> Result<i64, String> {
    let refuse = || "write 12h, 1d or 2w; at least an hour".to_owned();
    let micros = match Lead::parse(text.trim()).ok_or_else(refuse)? {
        Lead::Hours(n) => n * Timestamp::HOUR,
        Lead::Days(n) => n * Timestamp::DAY,
        Lead::Weeks(n) => n * 7 * Timestamp::DAY,
        Lead::Months(_) => return Err(refuse()),
    };
    if micros < Timestamp::HOUR { Err(refuse()) } else { Ok(micros) }
}

/// The thresholds of one object, in the order in which they are crossed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// Instant, and position in the definition.
    instants: Vec<(Timestamp, usize)>,
    repeat: Option<i64>,
}

/// What was crossed since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossed {
    /// The most pressing: the last one crossed, as its position in the definition.
    pub threshold: usize,
    /// Its instant.
    pub instant: Timestamp,
    /// It fired before; this repeats it.
    pub repeated: bool,
    /// The others, in the order in which they were crossed.
    pub passed: Vec<usize>,
    /// Up to which instant everything is handled once this has fired.
    pub handled: Timestamp,
}

impl Course {
    /// The course of an object that lives from `start` to `end`.
    pub fn new(
        thresholds: &[Threshold],
        repeat: Option<i64>,
        start: Timestamp,
        end: Timestamp,
    ) -> Self {
        let mut instants: Vec<_> = thresholds
            .iter()
            .enumerate()
            .map(|(position, threshold)| (threshold.instant(start, end), position))
            .collect();
        instants.sort();
        Self { instants, repeat: repeat.filter(|repeat| *repeat > 0) }
    }

    /// The first instant after `handled` at which something is crossed or repeated.
    pub fn next_after(&self, handled: Timestamp) -> Option<Timestamp> {
        let next = self.instants.iter().map(|(at, _)| *at).find(|at| *at > handled);
        let repeated = self.repeat.and_then(|repeat| {
            let last = self.instants.iter().rev().map(|(at, _)| *at).find(|at| *at <= handled)?;
            let rounds = handled.since(last) / repeat + 1;
            Some(last.plus(rounds.saturating_mul(repeat)))
        });
        next.into_iter().chain(repeated).min()
    }

    /// What lies after `handled` and not after `now`.
    pub fn crossed(&self, handled: Timestamp, now: Timestamp) -> Option<Crossed> {
        let fresh: Vec<_> =
            self.instants.iter().filter(|(at, _)| *at > handled && *at <= now).collect();
        if let Some((&&(instant, threshold), passed)) = fresh.split_last() {
            let passed = passed.iter().map(|(_, position)| *position).collect();
            let handled = self.last_repeat(instant, now).unwrap_or(instant);
            return Some(Crossed { threshold, instant, repeated: false, passed, handled });
        }
        let last = self.instants.iter().rev().find(|(at, _)| *at <= handled)?;
        let again = self.last_repeat(last.0, now).filter(|again| *again > handled)?;
        Some(Crossed {
            threshold: last.1,
            instant: again,
            repeated: true,
            passed: Vec::new(),
            handled: again,
        })
    }

    /// The last repetition of the threshold at `instant` that is not after `now`, nor after the
    /// next threshold.
    fn last_repeat(&self, instant: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let repeat = self.repeat?;
        let rounds = now.since(instant) / repeat;
        (rounds > 0).then(|| instant.plus(rounds.saturating_mul(repeat)))
    }
}

#[cfg(test)]
mod tests;
