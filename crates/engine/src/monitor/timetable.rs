//! When something runs by the clock: a cron expression in a time zone. Pure.
//!
//! Five fields (minute, hour, day of the month, month, day of the week). A time of day (minute and
//! hour without `*`: `30 2,14`) that does not exist where clocks are put forward is taken at the
//! moment after the gap, and one that exists twice where they are put back is taken once. What
//! comes again and again (`*/15 *`) follows the time that passes.

use std::collections::BTreeSet;

use chancery_event::Timestamp;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;

/// A cron expression in a time zone.
#[derive(Clone, Debug)]
pub struct Timetable {
    text: String,
    cron: Cron,
    /// One for each time of day, where it names several.
    times_of_day: Vec<Cron>,
    zone_name: String,
    zone: TimeZone,
}

/// What is wrong with a timetable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimetableError {
    /// The cron expression.
    Cron(String),
    /// The time zone.
    TimeZone(String),
}

impl Timetable {
    /// Reads a cron expression and the name of a time zone, such as `Europe/Prague` or `UTC`.
    ///
    /// # Errors
    /// Which of them is wrong, and what is expected.
    pub fn parse(cron: &str, zone: &str) -> Result<Self, TimetableError> {
        let text = cron.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.len() > 200 {
            return Err(TimetableError::Cron("at most 200 characters".to_owned()));
        }
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let read = |text: &str| parser.parse(text);
        let parsed = read(&text).map_err(|error| {
            TimetableError::Cron(format!(
                "{error}; write minute, hour, day of the month, month and day of the week, such \
                 as “0 * * * *” for every hour or “30 6 * * MON-FRI”"
            ))
        })?;
        let name = if zone.trim().is_empty() { "UTC" } else { zone.trim() };
        let zone = TimeZone::get(name).map_err(|_| {
            let name: String = name.chars().take(60).collect();
            TimetableError::TimeZone(format!(
                "there is no time zone “{name}”; write one such as UTC or Europe/Prague"
            ))
        })?;
        let times_of_day = times_of_day(&text).iter().flat_map(|text| read(text)).collect();
        let zone_name = name.to_owned();
        let timetable = Self { text, cron: parsed, times_of_day, zone_name, zone };
        let start = Timestamp::from_micros(1_700_000_000_000_000);
        if timetable.next_after(start).is_none() {
            return Err(TimetableError::Cron("there is no such time".to_owned()));
        }
        Ok(timetable)
    }

    /// The cron expression.
    pub fn cron(&self) -> &str {
        &self.text
    }

    /// Name of the time zone.
    pub fn time_zone(&self) -> &str {
        &self.zone_name
    }

    /// The first time after `time`; `None` if there is none any more.
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let zoned = time.to_jiff().to_zoned(self.zone.clone());
        let next_of = |cron: &Cron| {
            let next = cron.find_next_occurrence(&zoned, false).ok()?;
            let next = Timestamp::from_micros(next.timestamp().as_microsecond());
            (next > time).then_some(next)
        };
        match self.times_of_day.as_slice() {
            [] => next_of(&self.cron),
            several => several.iter().filter_map(next_of).min(),
        }
    }

    /// The next `count` times after `time`.
    pub fn next_times(&self, time: Timestamp, count: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next_after(time), |at| self.next_after(*at))
            .take(count)
            .collect()
    }

    /// In words.
    pub fn words(&self) -> String {
        let mut words = self.cron.describe();
        if !words.ends_with('.') {
            words.push('.');
        }
        words
    }
}

/// The expression once for each time of day that it names, if there are several: the library knows
/// gaps and doubled hours only of one that names a single time.
fn times_of_day(text: &str) -> Vec<String> {
    let fields: Vec<&str> = text.splitn(3, ' ').collect();
    let [minutes, hours, rest] = fields.as_slice() else { return Vec::new() };
    let (Some(minutes), Some(hours)) = (listed(minutes, 59), listed(hours, 23)) else {
        return Vec::new();
    };
    if minutes.len() * hours.len() < 2 {
        return Vec::new();
    }
    let of_hour = |hour: &u8| {
        minutes.iter().map(|minute| format!("{minute} {hour} {rest}")).collect::<Vec<_>>()
    };
    hours.iter().flat_map(of_hour).collect()
}

/// The values of a field such as `0,9-17/2`; `None` where it is spelled in another way.
fn listed(field: &str, max: u8) -> Option<BTreeSet<u8>> {
    let mut values = BTreeSet::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        // A step without an end goes on to the last.
        let to = if range == from && part.contains('/') { max } else { to.parse().ok()? };
        let (from, step) = (from.parse().ok()?, step.parse::<u8>().ok().filter(|step| *step > 0)?);
        values.extend((from..=to.min(max)).step_by(usize::from(step)));
    }
    Some(values)
}

impl PartialEq for Timetable {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.zone_name) == (&other.text, &other.zone_name)
    }
}

/// The time of day in a time zone, `10:00:03`, for sentences.
pub fn time_of_day(time: Timestamp, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let zoned = time.to_jiff().to_zoned(zone);
    format!("{:02}:{:02}:{:02}", zoned.hour(), zoned.minute(), zoned.second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let timetable = Timetable::parse(cron, zone).unwrap();
        let from = from.parse().unwrap();
        timetable.next_times(from, count).iter().map(|at| at.to_string()[..16].to_owned()).collect()
    }

    #[test]
    fn times_follow_the_zone_through_both_changes_of_the_clock() {
        // 2027-03-28: 02:00 becomes 03:00. 2027-10-31: 03:00 becomes 02:00.
        let daily = times("30 6 * * *", "Europe/Prague", "2027-03-27T00:00:00Z", 3);
        assert_eq!(daily, ["2027-03-27T05:30", "2027-03-28T04:30", "2027-03-29T04:30"]);
        let gap = times("30 2 * * *", "Europe/Prague", "2027-03-27T12:00:00Z", 2);
        assert_eq!(gap.len(), 2);
        assert!(gap[0].starts_with("2027-03-28T01:"), "{gap:?}");
        let twice = times("30 2 * * *", "Europe/Prague", "2027-10-30T12:00:00Z", 2);
        assert!(
            twice[0].starts_with("2027-10-31") && twice[1].starts_with("2027-11-01"),
            "{twice:?}"
        );
        // The same where several times of day are named.
        let gap = times("0,30 2,14 * * *", "Europe/Prague", "2027-03-27T23:00:00Z", 3);
        assert_eq!(gap, ["2027-03-28T01:00", "2027-03-28T12:00", "2027-03-28T12:30"]);
        let twice = times("30 2,14 * * *", "Europe/Prague", "2027-10-30T23:00:00Z", 3);
        assert_eq!(twice, ["2027-10-31T00:30", "2027-10-31T13:30", "2027-11-01T01:30"]);
        let office = times("0 1-5/2 * * SUN", "Europe/Prague", "2027-10-30T12:00:00Z", 4);
        let sundays =
            ["2027-10-30T23:00", "2027-10-31T02:00", "2027-10-31T04:00", "2027-11-07T00:00"];
        assert_eq!(office, sundays);
        let passing = times("0 * * * *", "Europe/Prague", "2027-10-30T23:30:00Z", 3);
        assert_eq!(passing, ["2027-10-31T00:00", "2027-10-31T01:00", "2027-10-31T02:00"]);
        let hourly = times("0 * * * *", "UTC", "2027-10-31T00:30:00Z", 2);
        assert_eq!(hourly, ["2027-10-31T01:00", "2027-10-31T02:00"]);
    }

    #[test]
    fn what_is_wrong_is_said_at_the_field() {
        assert!(matches!(Timetable::parse("0 * * *", "UTC"), Err(TimetableError::Cron(_))));
        assert!(matches!(Timetable::parse("61 * * * *", "UTC"), Err(TimetableError::Cron(_))));
        assert!(matches!(Timetable::parse("0 0 30 2 *", "UTC"), Err(TimetableError::Cron(_))));
        let zone = Timetable::parse("0 * * * *", "Mars/Olympus");
        assert!(matches!(zone, Err(TimetableError::TimeZone(_))));
        assert_eq!(Timetable::parse("0  *  * * *", "").unwrap().time_zone(), "UTC");
    }
}
