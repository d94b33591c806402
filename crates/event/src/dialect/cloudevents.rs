//! CloudEvents 1.0.2: the JSON format, its batch, and the binary mode of the HTTP binding.
//!
//! The native JSON is the structured mode; a sealed event adds the extension `sequence`: its log
//! index as text, padded so that texts sort as numbers do.

use serde_json::{Value, json};

use super::{Rendered, Shown};

/// Media type of one event (JSON event format §3).
pub(super) const STRUCTURED: &str = "application/cloudevents+json";
/// Media type of a batch (JSON event format §4).
pub(super) const BATCH: &str = "application/cloudevents-batch+json";

fn value(shown: Shown<'_>) -> Value {
    let mut value = shown.event.to_json();
    if let (Some(index), Some(members)) = (shown.log_index, value.as_object_mut()) {
        let data = members.remove("data");
        members.insert("sequence".into(), json!(format!("{:020}", index.0)));
        members.extend(data.map(|data| ("data".to_owned(), data)));
    }
    value
}

pub(super) fn structured(shown: Shown<'_>) -> Rendered {
    Rendered::new(STRUCTURED, value(shown).to_string().into_bytes())
}

pub(super) fn batch(batch: &[Shown<'_>]) -> Rendered {
    let events: Vec<_> = batch.iter().map(|shown| value(*shown)).collect();
    Rendered::new(BATCH, Value::Array(events).to_string().into_bytes())
}

/// HTTP binding §3.1: `datacontenttype` is the content type, `data` the body, all other attributes
/// are headers.
pub(super) fn binary(shown: Shown<'_>) -> Rendered {
    let value = value(shown);
    let mut rendered = Rendered::new("application/json", Vec::new());
    for (name, attribute) in value.as_object().into_iter().flatten() {
        match (name.as_str(), attribute) {
            ("data", data) => rendered.bytes = data.to_string().into_bytes(),
            ("datacontenttype", _) => {}
            (_, Value::String(text)) => {
                rendered.headers.push((format!("ce-{name}"), header_value(text)));
            }
            (_, other) => rendered.headers.push((format!("ce-{name}"), other.to_string())),
        }
    }
    rendered
}

/// A text as the value of a CloudEvents header (HTTP binding §3.1.3.2): space, `"`, `%` and what is
/// not printable ASCII as percent-encoded UTF-8, in upper case.
pub fn header_value(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            0x21..=0x7E if byte != b'"' && byte != b'%' => value.push(char::from(byte)),
            _ => value.push_str(&format!("%{byte:02X}")),
        }
    }
    value
}
