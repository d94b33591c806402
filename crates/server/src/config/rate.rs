//! How often something may be tried.

use super::reader::Reader;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "rate.login_per_minute",
        default: "10",
        expected: "a whole number between 1 and 10000",
        meaning: "Sign-ins a minute from one address before they have to wait.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "rate.failed_logins_per_minute",
        default: "60",
        expected: "a whole number between 0 and 100000",
        meaning: "Failed sign-ins a minute from one network (/24, of IPv6 /48) before it has to wait; browsers that somebody signed in from before are not held up. 0: unlimited.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "rate.requests_per_second",
        default: "0: unlimited",
        expected: "a whole number between 0 and 100000",
        meaning: "Requests a second of one account, or from one address without one, averaged over a minute, before they have to wait.",
        flag: None,
        is_secret: false,
    },
];

/// How often something may be tried.
#[derive(Debug, Clone)]
pub struct Rate {
    /// Sign-ins a minute from one address.
    pub login_per_minute: u32,
    /// Failed sign-ins a minute from one network; 0: unlimited.
    pub failed_logins_per_minute: u32,
    /// Requests a second of one account or address; 0: unlimited.
    pub requests_per_second: u32,
}

impl Rate {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            login_per_minute: reader.number("rate.login_per_minute", 10, 1..=10_000) as u32,
            failed_logins_per_minute: reader.number(
                "rate.failed_logins_per_minute",
                60,
                0..=100_000,
            ) as u32,
            requests_per_second: reader.number("rate.requests_per_second", 0, 0..=100_000) as u32,
        }
    }
}
