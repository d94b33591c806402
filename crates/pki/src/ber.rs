//! From BER to DER, as far as containers need it: indefinite lengths become definite ones, octet
//! strings in pieces become whole.
//!
//! What is already definite is copied byte for byte, so a certificate inside keeps the bytes that
//! were signed. Depth is bounded, and so is the work: every byte is looked at once per level at
//! most.

use crate::asn1::ParseError;
use crate::encode;

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 32;

fn error(offset: usize, expected: &'static str, found: &str) -> ParseError {
    ParseError { offset, expected, found: found.to_owned() }
}

/// Normalises the first element of `data`.
pub(crate) fn normalise(data: &[u8]) -> Result<Vec<u8>, ParseError> {
    let mut out = Vec::with_capacity(data.len());
    element(data, 0, 0, &mut out)?;
    Ok(out)
}

struct Header {
    /// Offset of the contents.
    body: usize,
    /// Length of the contents; `None` if indefinite.
    length: Option<usize>,
}

fn header(data: &[u8], at: usize) -> Result<Header, ParseError> {
    let octet = |index: usize| {
        data.get(index).copied().ok_or_else(|| error(index, "an element", "the end of the data"))
    };
    if octet(at)? & 0x1f == 0x1f {
        return Err(error(at, "a tag below 31", "a longer one"));
    }
    let first = octet(at + 1)?;
    if first < 0x80 {
        return Ok(Header { body: at + 2, length: Some(usize::from(first)) });
    }
    if first == 0x80 {
        return Ok(Header { body: at + 2, length: None });
    }
    let count = usize::from(first & 0x7f);
    let mut length = 0usize;
    for index in 0..count {
        if length > usize::MAX >> 9 {
            return Err(error(at, "a length below 2^55", "a longer one"));
        }
        length = (length << 8) | usize::from(octet(at + 2 + index)?);
    }
    Ok(Header { body: at + 2 + count, length: Some(length) })
}

/// Normalises the element at `at` into `out`; returns the offset after it.
fn element(data: &[u8], at: usize, depth: usize, out: &mut Vec<u8>) -> Result<usize, ParseError> {
    if depth > DEPTH_MAX {
        return Err(error(at, "at most 32 levels of nesting", "more"));
    }
    let Header { body, length } = header(data, at)?;
    let tag = data.get(at).copied().unwrap_or_default();
    let end = match length {
        Some(length) => {
            let end = body.checked_add(length).filter(|end| *end <= data.len());
            Some(end.ok_or_else(|| error(at, "a whole element", "the end of the data"))?)
        }
        None if tag & 0x20 == 0 => return Err(error(at, "a definite length", "an indefinite one")),
        None => None,
    };
    if let Some(end) = end
        && (tag & 0x20 == 0 || !needs_work(data, body, end, depth))
    {
        out.extend_from_slice(data.get(at..end).unwrap_or_default());
        return Ok(end);
    }
    let mut inside = Vec::new();
    let mut position = body;
    let after = loop {
        match end {
            Some(end) if position >= end => break end,
            None if data.get(position..position + 2) == Some(&[0, 0]) => break position + 2,
            _ => position = element(data, position, depth + 1, &mut inside)?,
        }
    };
    if tag == 0x24 {
        // An octet string in pieces: the pieces are OCTET STRINGs by now, of which only contents
        // stay.
        let mut whole = Vec::with_capacity(inside.len());
        let mut reader = crate::asn1::Reader::new(&inside);
        while !reader.is_empty() {
            whole.extend_from_slice(reader.any("a piece of an octet string")?.content);
        }
        out.extend_from_slice(&encode::element(0x04, &whole));
    } else {
        out.extend_from_slice(&encode::element(tag, &inside));
    }
    Ok(after)
}

/// Whether something directly or deeper inside is indefinite or in pieces. Broken contents need
/// none: they are left as they are for the reader to complain about.
fn needs_work(data: &[u8], mut at: usize, end: usize, depth: usize) -> bool {
    if depth > DEPTH_MAX {
        return false;
    }
    let is_string = data.get(at..end).is_some_and(<[u8]>::is_empty);
    if is_string {
        return false;
    }
    while at < end {
        let Ok(Header { body, length }) = header(data, at) else {
            return false;
        };
        let tag = data.get(at).copied().unwrap_or_default();
        let Some(length) = length else {
            return true;
        };
        let Some(next) = body.checked_add(length).filter(|next| *next <= end) else {
            return false;
        };
        if tag == 0x24 || (tag & 0x20 != 0 && needs_work(data, body, next, depth + 1)) {
            return true;
        }
        at = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indefinite_lengths_and_pieces_become_definite() {
        let ber = [0x30, 0x80, 0x24, 0x80, 4, 1, b'a', 4, 1, b'b', 0, 0, 2, 1, 5, 0, 0];
        assert_eq!(normalise(&ber).unwrap(), [0x30, 7, 4, 2, b'a', b'b', 2, 1, 5]);
    }

    #[test]
    fn definite_bytes_are_kept_even_where_they_are_not_minimal() {
        let inner = [0x30, 0x81, 3, 2, 1, 5];
        let mut ber = vec![0x30, 0x80];
        ber.extend_from_slice(&inner);
        ber.extend_from_slice(&[0, 0]);
        let der = normalise(&ber).unwrap();
        assert_eq!(&der[2..], inner);
        assert_eq!(normalise(&inner).unwrap(), inner);
    }

    #[test]
    fn deep_nesting_and_missing_ends_are_refused() {
        assert!(normalise(&[0x30, 0x80].repeat(100_000)).is_err());
        assert!(normalise(&[0x30, 0x80, 2, 1, 5]).is_err());
        assert!(normalise(&[0x04, 0x80, 0, 0]).is_err());
        assert!(normalise(&[]).is_err());
    }
}
