//! When something runs by the clock: a cron expression in a time zone. Pure.
//!
//! Five fields (minute, hour, day of the month, month, day of the week). Where clocks are put
//! forward, a time that does not exist is taken at the moment after the gap; where they are put
//! back, a time that exists twice is taken once.

use chancery_event::Timestamp;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;

/// A cron expression in a time zone.
#[derive(Clone, Debug)]
pub struct Timetable {
    text: String,
    cron: Cron,
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
        let parsed = parser.parse(&text).map_err(|error| {
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
        let timetable = Self { text, cron: parsed, zone_name: name.to_owned(), zone };
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
        let next = self.cron.find_next_occurrence(&zoned, false).ok()?;
        let next = Timestamp::from_micros(next.timestamp().as_microsecond());
        (next > time).then_some(next)
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
