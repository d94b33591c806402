//! What the simulation knows by itself: dates, and what follows from them.

use std::collections::{HashMap, HashSet};

use chancery_event::Timestamp;
use chancery_event::id::{CertificateId, TokenId};

const DAY: i64 = Timestamp::DAY;

/// A lead time as the model computes it.
#[derive(Clone, Copy)]
pub(super) struct Lead {
    pub(super) text: &'static str,
    days: i64,
    /// Share of the life in percent that it is not longer than; 0: however long.
    percent: i64,
    months: i64,
}

const fn lead(text: &'static str, days: i64, percent: i64) -> Lead {
    Lead { text, days, percent, months: 0 }
}

const fn months(text: &'static str, months: i64) -> Lead {
    Lead { text, days: 0, percent: 0, months }
}

/// Lists that the first monitor changes between.
pub(super) const LISTS: [&[Lead]; 3] = [
    &[
        lead("30d/33%", 30, 33),
        lead("14d/20%", 14, 20),
        lead("7d/10%", 7, 10),
        lead("1d/2%", 1, 2),
        lead("0d", 0, 0),
    ],
    &[lead("30d/33%", 30, 33), lead("7d/10%", 7, 10), lead("3d/5%", 3, 5), lead("0d", 0, 0)],
    &[lead("21d/25%", 21, 25), lead("1d/2%", 1, 2), lead("0d", 0, 0)],
];
/// Of the second one, which has a filter and repeats.
pub(super) const NARROW: &[Lead] =
    &[lead("60d/40%", 60, 40), lead("7d/10%", 7, 10), lead("0d", 0, 0), lead("-7d", -7, 0)];
/// Of authorities.
pub(super) const AUTHORITIES: &[Lead] = &[months("6mo", 6), months("3mo", 3), months("1mo", 1)];
/// Of tokens.
pub(super) const TOKENS: &[Lead] =
    &[lead("30d/33%", 30, 33), lead("7d/10%", 7, 10), lead("0d", 0, 0)];

impl Lead {
    /// When it is crossed by what lives from `start` to `end`.
    pub(super) fn instant(&self, start: Timestamp, end: Timestamp) -> Timestamp {
        if self.months > 0 {
            return months_before(end, self.months);
        }
        let lead = match self.percent {
            0 => self.days * DAY,
            percent => {
                let share = i128::from(end.since(start)) * i128::from(percent) / 100;
                (self.days * DAY).min(i64::try_from(share).unwrap())
            }
        };
        end.plus(-lead)
    }
}

/// The lead of a text, in any list.
pub(super) fn lead_of(text: &str) -> &'static Lead {
    let lists = LISTS.into_iter().chain([NARROW, AUTHORITIES, TOKENS]);
    lists.flatten().find(|lead| lead.text == text).unwrap()
}

/// Months of the calendar before a time; the last day of a month that is too short.
fn months_before(end: Timestamp, months: i64) -> Timestamp {
    let text = end.to_string();
    let part = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    let all = year * 12 + month - 1 - months;
    let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    format!("{year:04}-{month:02}-{:02}{}", day.min(length), &text[10..]).parse().unwrap()
}

/// What one monitor has said of one object.
#[derive(Default)]
pub(super) struct Told {
    /// Thresholds, each once.
    pub(super) thresholds: HashSet<String>,
    /// Repetitions of the last one, by number.
    pub(super) repeats: HashSet<(String, i64)>,
    /// Instant of the most pressing one.
    pub(super) reported: Option<Timestamp>,
}

impl Told {
    /// What of a list has been crossed by now and was not reported, if anything.
    pub(super) fn missed(
        &self,
        list: &[Lead],
        (start, end): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Option<Timestamp> {
        let crossed = list.iter().map(|lead| lead.instant(start, end)).filter(|at| *at <= now);
        crossed.max().filter(|crossed| self.reported.is_none_or(|reported| reported < *crossed))
    }
}

/// A certificate as the model knows it.
pub(super) struct Known {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) service: usize,
    pub(super) archived: bool,
    /// A trigger has put it there.
    pub(super) in_prod: bool,
    pub(super) is_ca: bool,
    pub(super) told: HashMap<String, Told>,
}

/// What needs a certificate all the time.
pub(super) struct Service {
    pub(super) life_days: i64,
    /// Renewed when this share of the life is left, in percent; 0: never.
    pub(super) renews_at: i64,
    pub(super) certificates: Vec<CertificateId>,
    pub(super) generation: u64,
}

/// A token as the model knows it.
pub(super) struct Token {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) revoked: bool,
    pub(super) told: Told,
    pub(super) expired: bool,
}

pub(super) type Certificates = HashMap<CertificateId, Known>;
pub(super) type Tokens = HashMap<TokenId, Token>;

/// The end of the last certificate of each service that is not put away: what ends before it is
/// silent.
pub(super) fn latest(services: &[Service], known: &Certificates) -> Vec<Option<Timestamp>> {
    let of = |service: &Service| {
        let used = service.certificates.iter().map(|id| &known[id]).filter(|one| !one.archived);
        used.map(|one| one.end).max()
    };
    services.iter().map(of).collect()
}

#[test]
fn months_end_on_their_last_day() {
    let of = |text: &str, n| months_before(text.parse().unwrap(), n).to_string();
    assert!(of("2028-08-31T10:00:00Z", 6).starts_with("2028-02-29T10:00:00"));
    assert!(of("2027-01-15T00:00:00Z", 3).starts_with("2026-10-15T00:00:00"));
}
