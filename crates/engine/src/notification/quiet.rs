//! Hours in which people are left alone. Pure: the time is passed in.
//!
//! Hours are wall-clock hours of a time zone. A span whose end is not after its beginning goes over
//! midnight and belongs to the day it began on. Where clocks change, the wall decides. Days may be
//! quiet altogether, beside hours or without any.

use chancery_event::{Severity, Timestamp};
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};
use serde_json::{Value, json};

use crate::Error;
use crate::reaction::body::Body;

/// Days of the week, as they are written.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Days looked ahead for an hour that is not quiet.
const AHEAD_MAX: i64 = 9;

/// Hours in which people are left alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Quiet {
    /// Beginning and end; `None`: whole days alone.
    hours: Option<(Time, Time)>,
    zone_name: String,
    zone: TimeZone,
    days: Vec<Weekday>,
    whole_days: Vec<Weekday>,
    except: Vec<Severity>,
}

impl Quiet {
    /// Reads quiet hours: `from`, `to`, `time_zone`, `days` on which they hold (absent: all),
    /// `whole_days` that are quiet altogether, `except` (severities). Hours, whole days or both
    /// have to be there.
    pub(crate) fn read(body: &mut Body<'_>) -> Result<Self, Error> {
        let hours = hours(body)?;
        let (zone_name, zone) = time_zone(body)?;
        let days = weekdays(body, "days")?;
        let whole_days = weekdays(body, "whole_days")?;
        let except = severities(body, "except")?;
        if whole_days.len() == 7 {
            return Err(body.fault("whole_days", "one day of the week has to be left"));
        }
        if hours.is_none() && !days.is_empty() {
            let message = "these days have no hours: say from and to, or make them whole days";
            return Err(body.fault("days", message));
        }
        if hours.is_none() && whole_days.is_empty() {
            let message = "nothing is quiet: say from and to, or whole days, or leave out the rest";
            return Err(body.fault("from", message));
        }
        Ok(Self { hours, zone_name, zone, days, whole_days, except })
    }

    /// Reads what [`Quiet::stored`] wrote; `None` for an empty text.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, Error> {
        if text.is_empty() {
            return Ok(None);
        }
        let json: Value = serde_json::from_str(text)
            .map_err(|error| Error::Internal(format!("quiet hours: {error}")))?;
        let mut body = Body::new(&json, "/quiet")?;
        let read = Self::read(&mut body)?;
        body.finish()?;
        Ok(Some(read))
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let days = |days: &[Weekday]| -> Vec<&str> {
            days.iter()
                .map(|day| DAYS[usize::from(day.to_monday_zero_offset().unsigned_abs())])
                .collect()
        };
        let clock = |time: Time| format!("{:02}:{:02}", time.hour(), time.minute());
        let except: Vec<&str> = self.except.iter().map(|one| one.as_str()).collect();
        let mut shown = json!({ "time_zone": self.zone_name, "days": days(&self.days),
            "whole_days": days(&self.whole_days), "except": except });
        if let Some((from, to)) = self.hours {
            shown["from"] = clock(from).into();
            shown["to"] = clock(to).into();
        }
        shown
    }

    /// Whether a severity gets through at any hour.
    pub fn excepts(&self, severity: Severity) -> bool {
        self.except.contains(&severity)
    }

    /// When the quiet that holds at `now` ends; `None`: it is not quiet, or never ends.
    pub fn ends(&self, now: Timestamp) -> Option<Timestamp> {
        let zoned = now.to_jiff().to_zoned(self.zone.clone());
        if !self.is_quiet(&zoned) {
            return None;
        }
        // Quiet ends at an end of hours, at a midnight, or where the clock jumps over such.
        let jumps = self.zone.following(now.to_jiff()).map(|jump| jump.timestamp()).take(2);
        let mut moments: Vec<_> = jumps.collect();
        for ahead in 0..AHEAD_MAX {
            let Ok(date) = zoned.date().checked_add(ahead.days()) else { continue };
            for time in std::iter::once(Time::midnight()).chain(self.hours.map(|(_, to)| to)) {
                // An hour that the clock shows twice ends twice.
                let wall = || self.zone.to_ambiguous_zoned(date.to_datetime(time));
                let both = [wall().earlier(), wall().later()];
                moments.extend(both.into_iter().flatten().map(|moment| moment.timestamp()));
            }
        }
        let ends = moments.into_iter().filter_map(|moment| {
            let at = Timestamp::from_micros(moment.as_microsecond());
            let is_end = at > now && !self.is_quiet(&moment.to_zoned(self.zone.clone()));
            is_end.then_some(at)
        });
        ends.min()
    }

    fn is_quiet(&self, at: &Zoned) -> bool {
        let (day, time) = (at.weekday(), at.time());
        if self.whole_days.contains(&day) {
            return true;
        }
        let Some((from, to)) = self.hours else { return false };
        let holds = |day: Weekday| self.days.is_empty() || self.days.contains(&day);
        if from < to {
            return holds(day) && from <= time && time < to;
        }
        (holds(day) && time >= from) || (holds(day.previous()) && time < to)
    }
}

/// When none of several quiet hours holds any more; `None`: none holds, or there is no such time in
/// the days to come. Hours that leave no time at all keep nothing back: nobody would be told.
pub(crate) fn end(hours: &[&Quiet], now: Timestamp) -> Option<Timestamp> {
    let mut at = now;
    while at.since(now) <= AHEAD_MAX * Timestamp::DAY {
        match hours.iter().filter_map(|quiet| quiet.ends(at)).max() {
            Some(end) => at = end,
            None => return (at > now).then_some(at),
        }
    }
    None
}

/// The members `from` and `to`: both, or neither.
fn hours(body: &mut Body<'_>) -> Result<Option<(Time, Time)>, Error> {
    if body.text("from")?.is_none() && body.text("to")?.is_none() {
        return Ok(None);
    }
    let (from, to) = (clock(body, "from")?, clock(body, "to")?);
    if from == to {
        return Err(body.fault("to", "another hour than the beginning"));
    }
    Ok(Some((from, to)))
}

fn clock(body: &mut Body<'_>, name: &'static str) -> Result<Time, Error> {
    let text = body.need_text(name)?;
    let read = text.split_once(':').and_then(|(hour, minute)| {
        let two = |text: &str| {
            let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse::<i8>().ok() } else { None }
        };
        Time::new(two(hour)?, two(minute)?, 0, 0).ok()
    });
    read.ok_or_else(|| body.fault(name, "a time of day such as 22:00"))
}

/// The member `time_zone`; absent: UTC.
pub(crate) fn time_zone(body: &mut Body<'_>) -> Result<(String, TimeZone), Error> {
    let name = body.text("time_zone")?.unwrap_or("UTC").to_owned();
    match TimeZone::get(&name) {
        Ok(zone) => Ok((name, zone)),
        Err(_) => Err(body.fault("time_zone", "a name such as Europe/Prague or UTC")),
    }
}

fn weekdays(body: &mut Body<'_>, name: &'static str) -> Result<Vec<Weekday>, Error> {
    let mut days = Vec::new();
    for word in body.texts(name)? {
        let found = DAYS.iter().position(|day| *day == word);
        let day = found
            .and_then(|place| Weekday::from_monday_zero_offset(i8::try_from(place).ok()?).ok());
        days.push(
            day.ok_or_else(|| {
                body.fault(name, format!("“{word}” is no day: {}", DAYS.join(", ")))
            })?,
        );
    }
    Ok(days)
}

/// A list of severities.
pub(crate) fn severities(body: &mut Body<'_>, name: &'static str) -> Result<Vec<Severity>, Error> {
    let words = body.texts(name)?;
    let read = |word: &String| {
        Severity::parse(word).ok_or_else(|| {
            let known: Vec<_> = Severity::ALL.iter().map(|one| one.as_str()).collect();
            body.fault(name, format!("“{word}” is no severity: {}", known.join(", ")))
        })
    };
    words.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(json: Value) -> Quiet {
        Quiet::parse(&json.to_string()).unwrap().unwrap()
    }

    fn ends(quiet: &Quiet, at: &str) -> Option<String> {
        quiet.ends(at.parse().unwrap()).map(|end| end.to_string()[..16].to_owned())
    }

    #[test]
    fn a_night_goes_over_midnight_and_follows_the_zone_through_the_change_of_the_clock() {
        let night = quiet(json!({ "from": "22:00", "to": "07:00", "time_zone": "Europe/Prague" }));
        for (at, end) in [
            ("2027-01-10T20:59:00Z", None),
            ("2027-01-10T21:00:00Z", Some("2027-01-11T06:00")),
            ("2027-01-11T05:59:59Z", Some("2027-01-11T06:00")),
            ("2027-01-11T06:00:00Z", None),
            // 2027-03-28: 02:00 becomes 03:00; seven o'clock comes an hour earlier.
            ("2027-03-27T22:00:00Z", Some("2027-03-28T05:00")),
        ] {
            assert_eq!(ends(&night, at).as_deref(), end, "{at}");
        }
    }

    #[test]
    fn an_end_that_the_clock_shows_twice_or_never_is_found() {
        let night = quiet(json!({ "from": "22:00", "to": "02:30", "time_zone": "Europe/Prague" }));
        for (at, end) in [
            // 2027-10-31: 03:00 becomes 02:00. 02:10 for the first time, 02:40, 02:10 again.
            ("2027-10-31T00:10:00Z", Some("2027-10-31T00:30")),
            ("2027-10-31T00:40:00Z", None),
            ("2027-10-31T01:10:00Z", Some("2027-10-31T01:30")),
            // 2027-03-28: 02:00 becomes 03:00; half past two never comes.
            ("2027-03-27T22:00:00Z", Some("2027-03-28T01:00")),
            ("2027-03-28T01:00:00Z", None),
        ] {
            assert_eq!(ends(&night, at).as_deref(), end, "{at}");
        }
    }

    #[test]
    fn several_quiet_hours_end_when_none_of_them_holds() {
        let night = quiet(json!({ "from": "22:00", "to": "07:00" }));
        let early = quiet(json!({ "from": "06:00", "to": "09:30" }));
        let day = quiet(json!({ "from": "07:00", "to": "22:00" }));
        let at: Timestamp = "2027-01-10T23:00:00Z".parse().unwrap();
        let both = end(&[&night, &early], at).unwrap();
        assert_eq!(both.to_string(), "2027-01-11T09:30:00.000000Z");
        assert_eq!(end(&[&early], at), None, "it is not quiet");
        assert_eq!(end(&[&night, &day], at), None, "they leave no time: nothing is kept back");
    }

    #[test]
    fn whole_days_and_days_join_to_one_quiet() {
        let json = json!({ "from": "18:00", "to": "08:00", "days": ["mon", "tue", "wed", "thu",
            "fri"], "whole_days": ["sat", "sun"], "except": ["critical"] });
        let hours = quiet(json);
        // 2027-01-08 is a Friday: quiet from 18:00 to Monday, where Sunday has no hours of its own.
        assert_eq!(ends(&hours, "2027-01-08T18:30:00Z").as_deref(), Some("2027-01-11T00:00"));
        assert_eq!(ends(&hours, "2027-01-09T12:00:00Z").as_deref(), Some("2027-01-11T00:00"));
        assert_eq!(ends(&hours, "2027-01-11T07:00:00Z"), None);
        assert_eq!(ends(&hours, "2027-01-11T19:00:00Z").as_deref(), Some("2027-01-12T08:00"));
        assert!(hours.excepts(Severity::Critical) && !hours.excepts(Severity::Error));
        assert_eq!(Quiet::parse(&hours.to_json().to_string()).unwrap(), Some(hours));
    }

    #[test]
    fn whole_days_need_no_hours() {
        let json = json!({ "whole_days": ["sat", "sun"], "time_zone": "Europe/Prague" });
        let hours = quiet(json);
        // 2027-01-09 is a Saturday; Prague is an hour ahead.
        for (at, end) in [
            ("2027-01-08T22:59:59Z", None),
            ("2027-01-08T23:00:00Z", Some("2027-01-10T23:00")),
            ("2027-01-10T22:59:59Z", Some("2027-01-10T23:00")),
            ("2027-01-10T23:00:00Z", None),
        ] {
            assert_eq!(ends(&hours, at).as_deref(), end, "{at}");
        }
        assert_eq!(Quiet::parse(&hours.to_json().to_string()).unwrap(), Some(hours));
    }

    #[test]
    fn what_is_no_time_is_refused_at_its_member() {
        for (json, place) in [
            (json!({}), "/quiet/from"),
            (json!({ "time_zone": "Europe/Prague" }), "/quiet/from"),
            (json!({ "except": ["critical"] }), "/quiet/from"),
            (json!({ "days": ["mon"] }), "/quiet/days"),
            (json!({ "days": ["mon"], "whole_days": ["sun"] }), "/quiet/days"),
            (json!({ "from": "22:00" }), "/quiet/to"),
            (json!({ "to": "07:00" }), "/quiet/from"),
            (json!({ "from": "7", "to": "08:00" }), "/quiet/from"),
            (json!({ "from": "25:00", "to": "08:00" }), "/quiet/from"),
            (json!({ "from": "08:00", "to": "08:00" }), "/quiet/to"),
            (
                json!({ "from": "22:00", "to": "07:00", "time_zone": "Mars/Base" }),
                "/quiet/time_zone",
            ),
            (json!({ "from": "22:00", "to": "07:00", "days": ["someday"] }), "/quiet/days"),
            (json!({ "from": "22:00", "to": "07:00", "except": ["loud"] }), "/quiet/except"),
            (json!({ "from": "22:00", "to": "07:00", "whole_days": DAYS }), "/quiet/whole_days"),
        ] {
            match Quiet::parse(&json.to_string()) {
                Err(Error::Invalid { field, .. }) => assert_eq!(field, place),
                other => panic!("{json}: {other:?}"),
            }
        }
    }
}
