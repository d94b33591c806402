//! What is recorded beyond the necessary.

use super::reader::Reader;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[Setting {
    key: "audit.verbose",
    default: "false",
    expected: "true or false",
    meaning: "Also records reading operations, not only those that change something.",
    flag: None,
    is_secret: false,
}];

/// What is recorded beyond the necessary.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Reading operations leave an event too.
    pub verbose: bool,
}

impl Audit {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self { verbose: reader.value("audit.verbose", false) }
    }
}
