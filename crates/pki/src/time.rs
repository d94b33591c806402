//! Times of certificates: reading both ASN.1 kinds, also badly written ones, and saying them in
//! words.
//!
//! A time is `i64` microseconds since the Unix epoch, UTC. No clock is read here.

use crate::asn1::{Element, GENERALIZED_TIME, UTC_TIME};

/// One second.
pub const SECOND: i64 = 1_000_000;
/// One day.
pub const DAY: i64 = 86_400 * SECOND;
/// 9999-12-31T23:59:59Z, which RFC 5280 section 4.1.2.5 uses for "no well-defined expiration date".
pub const NO_EXPIRY: i64 = 253_402_300_799 * SECOND;

/// Days from the epoch to a date of the proleptic Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month, day of a day number.
fn date(days_since_epoch: i64) -> (i64, i64, i64) {
    let shifted = days_since_epoch + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A time from its parts; `None` if a part is out of range. Second 60 is read as 59.
pub fn from_parts(
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
) -> Option<i64> {
    let in_range = (0..=9_999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..=23).contains(&hour)
        && (0..=59).contains(&minute)
        && (0..=60).contains(&second);
    if !in_range || date(days(year, month, day)) != (year, month, day) {
        return None;
    }
    Some((days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second.min(59)) * SECOND)
}

/// `2026-11-21 04:11:17 UTC`.
pub fn text(at: i64) -> String {
    let seconds = at.div_euclid(SECOND);
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// `2026-11-21`.
pub fn day_text(at: i64) -> String {
    let (year, month, day) = date(at.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

/// Reads a UTCTime or GeneralizedTime. The flag says whether it is written as DER demands.
///
/// Also taken: no seconds, fractions of a second, offsets from UTC, no zone (read as UTC), and the
/// other tag's form under one tag, because certificates with each of them are in use.
pub(crate) fn parse(element: &Element<'_>) -> Option<(i64, bool)> {
    if element.tag != UTC_TIME && element.tag != GENERALIZED_TIME {
        return None;
    }
    let text = std::str::from_utf8(element.content).ok()?.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, zone) = text.split_at_checked(digits)?;
    let (seconds, zone_strict) = zone_offset(zone)?;
    let long_year = digits == 14 || (digits == 12 && element.tag == GENERALIZED_TIME);
    let (year, rest) = number.split_at_checked(if long_year { 4 } else { 2 })?;
    let mut year: i64 = year.parse().ok()?;
    if !long_year {
        year += if year >= 50 { 1_900 } else { 2_000 };
    }
    let pair = |index: usize| rest.get(index * 2..index * 2 + 2).map(|two| two.parse::<i64>());
    let second = match pair(4) {
        Some(second) => second.ok()?,
        None if rest.len() == 8 => 0,
        None => return None,
    };
    let part = |index| pair(index).and_then(Result::ok);
    let at = from_parts(year, part(0)?, part(1)?, part(2)?, part(3)?, second)?;
    let expected_digits = if element.tag == UTC_TIME { 12 } else { 14 };
    let strict = zone_strict && digits == expected_digits && text.len() == element.content.len();
    Some((at - seconds * SECOND, strict))
}

/// Seconds east of UTC written after the digits, and whether it is the plain `Z` of DER.
fn zone_offset(zone: &str) -> Option<(i64, bool)> {
    if zone == "Z" {
        return Some((0, true));
    }
    let zone = match zone.strip_prefix(['.', ',']) {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => zone,
    };
    let (sign, digits) = match zone.as_bytes().first() {
        None | Some(b'Z') => return Some((0, false)),
        Some(b'+') => (1, &zone[1..]),
        Some(b'-') => (-1, &zone[1..]),
        Some(_) => return None,
    };
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 = digits.get(2..4).map_or(Some(0), |text| text.parse().ok())?;
    Some((sign * (hours * 3_600 + minutes * 60), false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asn1::Reader;

    fn read(tag: u8, text: &str) -> Option<(String, bool)> {
        let bytes = crate::encode::element(tag, text.as_bytes());
        let element = Reader::new(&bytes).any("time").unwrap();
        parse(&element).map(|(at, strict)| (super::text(at), strict))
    }

    #[test]
    fn both_kinds_and_their_bad_spellings() {
        let cases = [
            (UTC_TIME, "500101000000Z", Some(("1950-01-01 00:00:00 UTC", true))),
            (UTC_TIME, "491231235959Z", Some(("2049-12-31 23:59:59 UTC", true))),
            (UTC_TIME, "2611210411Z", Some(("2026-11-21 04:11:00 UTC", false))),
            (UTC_TIME, "261121041117+0200", Some(("2026-11-21 02:11:17 UTC", false))),
            (GENERALIZED_TIME, "99991231235959Z", Some(("9999-12-31 23:59:59 UTC", true))),
            (GENERALIZED_TIME, "20240229120000.123Z", Some(("2024-02-29 12:00:00 UTC", false))),
            (GENERALIZED_TIME, "20240229120000", Some(("2024-02-29 12:00:00 UTC", false))),
            (UTC_TIME, "20240229120000Z", Some(("2024-02-29 12:00:00 UTC", false))),
            (GENERALIZED_TIME, "20230229120000Z", None),
            (UTC_TIME, "261321041117Z", None),
            (UTC_TIME, "", None),
            (UTC_TIME, "26112104Z", None),
            (UTC_TIME, "2é1321041117Z", None),
            (4, "261121041117Z", None),
        ];
        for (tag, input, expected) in cases {
            let expected = expected.map(|(text, strict)| (text.to_owned(), strict));
            assert_eq!(read(tag, input), expected, "{input}");
        }
    }

    #[test]
    fn no_expiry_is_the_last_second_of_9999() {
        assert_eq!(from_parts(9999, 12, 31, 23, 59, 59), Some(NO_EXPIRY));
        assert_eq!(day_text(0), "1970-01-01");
        assert_eq!(text(-SECOND), "1969-12-31 23:59:59 UTC");
    }
}
