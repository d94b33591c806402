//! Signing in: sessions of people in a browser, and how old their passwords may become.

use super::reader::Reader;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "session.idle_minutes",
        default: "60",
        expected: "minutes between 1 and 43200",
        meaning: "A session ends after so many minutes without a request.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "session.lifetime_hours",
        default: "12",
        expected: "hours between 1 and 720",
        meaning: "A session ends after so many hours in any case.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "session.confirm_minutes",
        default: "10",
        expected: "minutes between 0 and 43200",
        meaning: "Making tokens and accounts, changing roles and resetting passwords ask for the password again when it was last given so many minutes ago; 0: never.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "session.password_max_age_days",
        default: "0: never",
        expected: "days between 0 and 3650",
        meaning: "A password must be changed at the next sign-in once it is so many days old.",
        flag: None,
        is_secret: false,
    },
];

/// Sessions of people in a browser.
#[derive(Debug, Clone)]
pub struct Session {
    /// Without a request, in minutes.
    pub idle_minutes: u32,
    /// In any case, in hours.
    pub lifetime_hours: u32,
    /// Before what gives power away, the password is asked for again after so many minutes; 0:
    /// never.
    pub confirm_minutes: u32,
    /// A password must be changed when it is so many days old; 0: never.
    pub password_max_age_days: u32,
}

impl Session {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            idle_minutes: reader.number("session.idle_minutes", 60, 1..=43_200) as u32,
            lifetime_hours: reader.number("session.lifetime_hours", 12, 1..=720) as u32,
            confirm_minutes: reader.number("session.confirm_minutes", 10, 0..=43_200) as u32,
            password_max_age_days: reader.number("session.password_max_age_days", 0, 0..=3_650)
                as u32,
        }
    }
}
