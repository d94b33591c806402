//! How events act.

use super::reader::Reader;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "reaction.keep_evaluations_days",
        default: "400",
        expected: "days between 1 and 36500",
        meaning: "What came of asking triggers is kept so many days.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "reaction.keep_evaluations_max",
        default: "1000000",
        expected: "a whole number between 1000 and 1000000000",
        meaning: "At most so many of them are kept; the oldest go first.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "reaction.keep_resolved_alerts_days",
        default: "400",
        expected: "days between 1 and 36500",
        meaning: "Resolved alerts are kept so many days.",
        flag: None,
        is_secret: false,
    },
];

/// How events act.
#[derive(Debug, Clone)]
pub struct Reaction {
    /// What came of asking triggers is kept so many days.
    pub keep_evaluations_days: u32,
    /// At most so many of them are kept.
    pub keep_evaluations_max: u64,
    /// Resolved alerts are kept so many days.
    pub keep_resolved_alerts_days: u32,
}

impl Reaction {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            keep_evaluations_days: reader.number("reaction.keep_evaluations_days", 400, 1..=36_500)
                as u32,
            keep_evaluations_max: reader.number(
                "reaction.keep_evaluations_max",
                1_000_000,
                1_000..=1_000_000_000,
            ),
            keep_resolved_alerts_days: reader.number(
                "reaction.keep_resolved_alerts_days",
                400,
                1..=36_500,
            ) as u32,
        }
    }
}
