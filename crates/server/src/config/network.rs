//! What may be reached from here: forwarders, channels, and how long deliveries are kept.

use chancery_engine::net::Range;

use super::raw::{Raw, Value};
use super::reader::Reader;
use super::setting::Setting;
use super::source::Source;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "network.allowed_addresses",
        default: "none",
        expected: "addresses or ranges such as 10.0.0.0/8",
        meaning: "Private and other special addresses that forwarders and channels may reach. Public ones are always allowed.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "network.keep_deliveries_days",
        default: "30",
        expected: "days between 1 and 3650",
        meaning: "Deliveries that have ended are kept so many days, with their attempts.",
        flag: None,
        is_secret: false,
    },
];

/// What may be reached from here.
#[derive(Debug, Clone)]
pub struct Network {
    /// Special addresses that may be reached.
    pub allowed_addresses: Vec<Range>,
    /// Deliveries that have ended are kept so many days.
    pub keep_deliveries_days: u32,
}

impl Network {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            allowed_addresses: reader.value("network.allowed_addresses", Vec::new()),
            keep_deliveries_days: reader.number("network.keep_deliveries_days", 30, 1..=3_650)
                as u32,
        }
    }
}

impl Value for Range {
    fn read(raw: &Raw, _: &Source) -> Result<Self, String> {
        let text = raw.text().ok_or_else(String::new)?;
        text.parse().map_err(|error: chancery_engine::net::range::InvalidRange| error.to_string())
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}
