//! How often something may be tried.

use super::reader::Reader;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[Setting {
    key: "rate.login_per_minute",
    default: "10",
    expected: "a whole number between 1 and 10000",
    meaning: "Failed sign-ins a minute for one name and for one address before they have to wait.",
    flag: None,
    is_secret: false,
}];

/// How often something may be tried.
#[derive(Debug, Clone)]
pub struct Rate {
    /// Failed sign-ins a minute, for one name and for one address.
    pub login_per_minute: u32,
}

impl Rate {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self { login_per_minute: reader.number("rate.login_per_minute", 10, 1..=10_000) as u32 }
    }
}
