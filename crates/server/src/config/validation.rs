//! Validation of certificates.

use super::reader::Reader;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[Setting {
    key: "validation.expiring_days",
    default: "30",
    expected: "days between 1 and 3650",
    meaning: "A certificate counts as expiring so many days before its end.",
    flag: None,
    is_secret: false,
}];

/// Validation of certificates.
#[derive(Debug, Clone)]
pub struct Validation {
    /// A certificate counts as expiring so many days before its end.
    pub expiring_days: u32,
}

impl Validation {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self { expiring_days: reader.number("validation.expiring_days", 30, 1..=3_650) as u32 }
    }
}
