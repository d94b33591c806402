//! The diagnostic log of the process, on standard error. It is not the event log.

use tracing_subscriber::EnvFilter;

use super::raw::{Raw, Value};
use super::reader::Reader;
use super::setting::Setting;
use super::source::Source;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "logging.format",
        default: "text",
        expected: "text or json",
        meaning: "Form of the diagnostic log: lines for people or JSON objects for collectors.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "logging.filter",
        default: "info",
        expected: "a filter such as info or info,chancery_engine=debug",
        meaning: "What the diagnostic log holds: a level, or levels for parts of the program.",
        flag: None,
        is_secret: false,
    },
];

/// The diagnostic log of the process.
#[derive(Debug, Clone)]
pub struct Logging {
    /// Lines for people or objects for collectors.
    pub format: Format,
    /// Directives of `tracing_subscriber::EnvFilter`; known to parse.
    pub filter: String,
}

/// The form of a line of the diagnostic log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Value for Format {
    fn read(raw: &Raw, _: &Source) -> Result<Self, String> {
        match raw.text() {
            Some("text") => Ok(Self::Text),
            Some("json") => Ok(Self::Json),
            _ => Err(String::new()),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Json => "json".into(),
        }
    }
}

struct Filter(String);

impl Value for Filter {
    fn read(raw: &Raw, source: &Source) -> Result<Self, String> {
        let text = String::read(raw, source)?;
        match EnvFilter::builder().parse(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(error.to_string()),
        }
    }

    fn shown(&self) -> String {
        self.0.clone()
    }
}

impl Logging {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            format: reader.value("logging.format", Format::Text),
            filter: reader.value("logging.filter", Filter("info".into())).0,
        }
    }
}
