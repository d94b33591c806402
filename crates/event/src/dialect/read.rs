//! Reading the dialects: a body of one event or many becomes [`Foreign`] events.
//!
//! `read/json.rs` has the shapes in JSON, `read/line.rs` the lines. Every reader takes one event, a
//! list, lines and the outer shapes of its system, because senders use all of them.

mod json;
mod line;

use serde_json::Value;

use super::Dialect;
use super::foreign::{BATCH_MAX, Foreign, Unreadable};

impl Dialect {
    /// Reads the events of a body: one, a batch, or lines.
    ///
    /// # Errors
    /// [`Unreadable`]: it has another shape, or there is too much in it. Attributes of CloudEvents
    /// in binary mode are read by [`Dialect::parse_binary`].
    pub fn parse(self, body: &[u8]) -> Result<Vec<Foreign>, Unreadable> {
        let text = std::str::from_utf8(body).map_err(|_| Unreadable::Encoding)?;
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        if self == Self::CloudEventsBinary {
            return Err(Unreadable::Headers);
        }
        if self.is_text() {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            return all(lines.map(|line| line::one(self, line)).collect());
        }
        let values = values(text)?;
        all(values.into_iter().flat_map(|value| self.of_value(value)).collect())
    }

    /// Reads an event of CloudEvents in binary mode (HTTP binding §3.1): attributes from `headers`,
    /// names in any case; the data is `body`.
    ///
    /// # Errors
    /// [`Unreadable`]: an attribute that every event has is missing, or is no attribute.
    pub fn parse_binary<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: &[u8],
    ) -> Result<Foreign, Unreadable> {
        let event = json::from_headers(headers, body)?;
        json::cloud_event(event).map_err(|message| Unreadable::Shape { position: 0, message })
    }

    fn of_value(self, value: Value) -> Vec<Result<Foreign, String>> {
        match self {
            Self::Okta | Self::OktaHook => json::okta(value),
            Self::Akeyless | Self::AkeylessTypes => json::akeyless(&value),
            Self::Horizon => vec![json::horizon(value)],
            Self::Czertainly => vec![json::czertainly(value)],
            Self::Qcecuring => vec![json::qcecuring(value)],
            Self::Ocsf => vec![json::ocsf(value)],
            Self::Ecs => vec![json::ecs(value)],
            _ => vec![json::cloud_event(value)],
        }
    }
}

/// One JSON value, the items of a JSON array, or one value a line.
fn values(text: &str) -> Result<Vec<Value>, Unreadable> {
    let wrong = |error: serde_json::Error| Unreadable::Json(error.to_string());
    match serde_json::from_str(text) {
        Ok(Value::Array(items)) => Ok(items),
        Ok(value) => Ok(vec![value]),
        Err(first) => {
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            if lines.len() < 2 {
                return Err(wrong(first));
            }
            if lines.len() > BATCH_MAX {
                return Err(Unreadable::TooMany(lines.len()));
            }
            lines.into_iter().map(|line| serde_json::from_str(line).map_err(wrong)).collect()
        }
    }
}

fn all(events: Vec<Result<Foreign, String>>) -> Result<Vec<Foreign>, Unreadable> {
    if events.len() > BATCH_MAX {
        return Err(Unreadable::TooMany(events.len()));
    }
    let events = events
        .into_iter()
        .enumerate()
        .map(|(position, event)| event.map_err(|message| Unreadable::Shape { position, message }));
    events.collect()
}
