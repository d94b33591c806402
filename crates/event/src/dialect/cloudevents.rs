//! CloudEvents 1.0.2: the JSON format, its batch, and the binary mode of the HTTP binding.
//!
//! The native JSON is the structured mode; a sealed event adds the extension `sequence`: its log
//! index as text, padded so that texts sort as numbers do.

use std::io::Write as _;

use serde_json::Value;

use super::{Rendered, Shown};
use crate::entry::Native;
use crate::envelope::PersonalPart;

/// Media type of one event (JSON event format §3).
pub(super) const STRUCTURED: &str = "application/cloudevents+json";
/// Media type of a batch (JSON event format §4).
pub(super) const BATCH: &str = "application/cloudevents-batch+json";

fn native(shown: Shown<'_>) -> Native<'_> {
    Native { event: shown.event, index: shown.log_index }
}

pub(super) fn structured(shown: Shown<'_>) -> Rendered {
    let mut bytes = Vec::with_capacity(size(&shown));
    write(&mut bytes, shown);
    Rendered::new(STRUCTURED, bytes)
}

pub(super) fn batch(batch: &[Shown<'_>]) -> Rendered {
    let mut bytes = Vec::with_capacity(batch.iter().map(size).sum::<usize>() + 2);
    bytes.push(b'[');
    for (place, shown) in batch.iter().enumerate() {
        if place > 0 {
            bytes.push(b',');
        }
        write(&mut bytes, *shown);
    }
    bytes.push(b']');
    Rendered::new(BATCH, bytes)
}

/// Bytes of the extension `sequence` with its name, and the comma before the next event.
const EXTENSION_MAX: usize = 40;

/// Bytes that one event takes, about.
fn size(shown: &Shown<'_>) -> usize {
    shown.entry.map_or(0, <[u8]>::len) + EXTENSION_MAX
}

/// Writes one event. A sealed one whose personal part is not shown is its entry, which is canonical
/// JSON of the same members, and the extension before them.
fn write(out: &mut Vec<u8>, shown: Shown<'_>) {
    let is_bare = !matches!(shown.event.personal, PersonalPart::Clear(_));
    match (shown.log_index, shown.entry) {
        (Some(index), Some([b'{', members @ ..])) if is_bare => {
            // Writing into a Vec cannot fail.
            let _ = write!(out, "{{\"sequence\":\"{:020}\",", index.0);
            out.extend_from_slice(members);
        }
        // Unwrap safety: all keys are texts, and memory takes what is written.
        _ => serde_json::to_writer(out, &native(shown)).expect("an event is JSON"),
    }
}

/// HTTP binding §3.1: `datacontenttype` is the content type, `data` the body, all other attributes
/// are headers.
pub(super) fn binary(shown: Shown<'_>) -> Rendered {
    let value = native(shown).value();
    let mut rendered = Rendered::new("application/json", Vec::new());
    for (name, attribute) in value.as_object().into_iter().flatten() {
        match (name.as_str(), attribute) {
            ("data", data) => rendered.bytes = super::json(data),
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
