//! Canonical JSON: RFC 8785, narrowed to what events need.
//!
//! One value has exactly one spelling, so that its hash means something. Members are sorted by
//! UTF-16 code units (RFC 8785 §3.2.3), strings carry the shortest escapes (§3.2.2.2), and there is
//! no white space. Numbers are integers from -(2^53-1) to 2^53-1, the range in which every JSON
//! reader agrees (RFC 7493 §2.2); fractions and larger numbers are refused, never rounded.
//!
//! This module must never change what it writes: released entries are hashed over these bytes.

use std::cmp::Ordering;
use std::io::Write as _;

use serde_json::{Map, Number, Value};

/// The largest magnitude of a number: 2^53 - 1.
pub const INTEGER_MAX: i64 = (1 << 53) - 1;

/// A value that has no canonical form here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the number {number} at “{pointer}” is not an integer within ±(2^53-1)")]
pub struct CanonicalError {
    /// JSON pointer (RFC 6901) of the number within the value.
    pub pointer: String,
    /// The number as it was given.
    pub number: String,
}

impl CanonicalError {
    /// The same error seen from one level further out.
    #[must_use]
    pub fn under(mut self, member: &str) -> Self {
        let escaped = member.replace('~', "~0").replace('/', "~1");
        self.pointer.insert_str(0, &format!("/{escaped}"));
        self
    }
}

/// The canonical bytes of `value`.
///
/// # Errors
/// A number is no integer within ±(2^53-1).
pub fn to_vec(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(256);
    write(&mut out, value)?;
    Ok(out)
}

/// Appends the canonical bytes of `value` to `out`. On an error `out` holds a useless prefix.
///
/// # Errors
/// A number is no integer within ±(2^53-1).
pub fn write(out: &mut Vec<u8>, value: &Value) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(out, number)?,
        Value::String(text) => write_str(out, text),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(out, item).map_err(|error| error.under(&at.to_string()))?;
            }
            out.push(b']');
        }
        Value::Object(map) => write_map(out, map)?,
    }
    Ok(())
}

/// Appends the canonical bytes of an object.
///
/// # Errors
/// A number is no integer within ±(2^53-1).
pub fn write_map(out: &mut Vec<u8>, map: &Map<String, Value>) -> Result<(), CanonicalError> {
    let mut members: Vec<(&String, &Value)> = map.iter().collect();
    members.sort_unstable_by(|(a, _), (b, _)| by_utf16(a, b));
    out.push(b'{');
    for (at, (name, value)) in members.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_str(out, name);
        out.push(b':');
        write(out, value).map_err(|error| error.under(name))?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends a string with its quotation marks and the shortest escapes.
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[start..at]);
        start = at + 1;
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x09 => b't',
            0x0A => b'n',
            0x0C => b'f',
            0x0D => b'r',
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 0xF)]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}

fn write_number(out: &mut Vec<u8>, number: &Number) -> Result<(), CanonicalError> {
    match number.as_i64() {
        Some(integer) if (-INTEGER_MAX..=INTEGER_MAX).contains(&integer) => {
            // Writing into a Vec cannot fail.
            let _ = write!(out, "{integer}");
            Ok(())
        }
        _ => Err(CanonicalError { pointer: String::new(), number: number.to_string() }),
    }
}

/// RFC 8785 §3.2.3. The order of UTF-8 bytes is the same unless both names leave ASCII.
fn by_utf16(a: &str, b: &str) -> Ordering {
    if a.is_ascii() || b.is_ascii() {
        a.as_bytes().cmp(b.as_bytes())
    } else {
        a.encode_utf16().cmp(b.encode_utf16())
    }
}

#[cfg(test)]
pub(crate) mod tests;
