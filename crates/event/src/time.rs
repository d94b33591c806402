//! Points in time, in microseconds since the Unix epoch, UTC.
//!
//! One representation in memory, in the store and on the wire (RFC 3339 text with six decimals).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 date and time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a date and time: expected RFC 3339, such as 2026-11-21T09:30:00Z")]
pub struct InvalidTimestamp(pub String);

impl Timestamp {
    /// One second, in the unit of this type.
    pub const SECOND: i64 = 1_000_000;
    /// One hour.
    pub const HOUR: i64 = 3_600 * Self::SECOND;
    /// One day of 24 hours.
    pub const DAY: i64 = 24 * Self::HOUR;

    /// The last point in time there is, near the end of the year 9999: “never”.
    pub const LAST: Self = Self(253_402_207_200_999_999);
    /// The first point in time there is.
    pub const FIRST: Self = Self(-377_705_023_201_000_000);

    /// From microseconds since the Unix epoch; values outside the years -9999 to 9999 are clamped.
    pub fn from_micros(micros: i64) -> Self {
        Self(
            micros.clamp(
                jiff::Timestamp::MIN.as_microsecond(),
                jiff::Timestamp::MAX.as_microsecond(),
            ),
        )
    }

    /// Microseconds since the Unix epoch.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// This time moved by `micros` (negative: earlier), clamped to the years -9999 to 9999.
    #[must_use]
    pub fn plus(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this time; negative if `earlier` is in fact later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// The same instant as a `jiff` timestamp.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, always six decimals: one instant has exactly one spelling.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.to_jiff())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self(t.as_microsecond()))
            .map_err(|_| InvalidTimestamp(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;
    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> String {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_six_decimals_and_round_trips() {
        let time = Timestamp::from_micros(1_795_253_400_000_000);
        assert_eq!(time.to_string(), "2026-11-21T09:30:00.000000Z");
        assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        assert_eq!("2026-11-21T10:30:00+01:00".parse::<Timestamp>().unwrap(), time);
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert_eq!(Timestamp::from_micros(i64::MAX), Timestamp::LAST);
        assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::FIRST);
    }
}
