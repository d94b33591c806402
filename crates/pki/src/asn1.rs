//! A small, tolerant reader of DER.
//!
//! It accepts what real certificates contain (lengths that are not minimal, unknown tags) and
//! refuses what would make it guess. It never copies, never recurses, and every error names the
//! byte where it stopped.

/// Why bytes are not the structure that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: expected {expected}, found {found}")]
pub struct ParseError {
    /// Offset from the beginning of the input, in bytes.
    pub offset: usize,
    /// What should have been there.
    pub expected: &'static str,
    /// What was there; never more than a tag or a count.
    pub found: String,
}

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// One element: tag, contents, and where it stands in the input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    /// The first identifier octet.
    pub tag: u8,
    /// Offset of the identifier octet in the whole input.
    pub offset: usize,
    /// Identifier, length and contents.
    pub raw: &'a [u8],
    /// The contents alone.
    pub content: &'a [u8],
}

impl<'a> Element<'a> {
    /// Reads the contents as a series of elements.
    pub fn inside(&self) -> Reader<'a> {
        Reader {
            data: self.content,
            position: 0,
            base: self.offset + (self.raw.len() - self.content.len()),
        }
    }

    /// Where the whole element stands in the input.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.raw.len()
    }

    /// Where the contents stand in the input.
    pub fn content_range(&self) -> std::ops::Range<usize> {
        self.offset + (self.raw.len() - self.content.len())..self.offset + self.raw.len()
    }

    /// The octets of a BIT STRING without the count of unused bits; empty if there is not even that
    /// count.
    pub fn bits(&self) -> &'a [u8] {
        self.content.get(1..).unwrap_or_default()
    }
}

/// Reads elements one after another.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    data: &'a [u8],
    position: usize,
    base: usize,
}

impl<'a> Reader<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0, base: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.position >= self.data.len()
    }

    /// The bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.data.get(self.position..).unwrap_or_default()
    }

    /// The identifier octet of the next element.
    pub fn peek(&self) -> Option<u8> {
        self.data.get(self.position).copied()
    }

    fn error(&self, at: usize, expected: &'static str, found: impl Into<String>) -> ParseError {
        ParseError { offset: self.base + at, expected, found: found.into() }
    }

    /// Reads the next element, whatever it is.
    pub fn any(&mut self, expected: &'static str) -> Result<Element<'a>, ParseError> {
        let start = self.position;
        let Some(&tag) = self.data.get(start) else {
            return Err(self.error(start, expected, "the end of the data"));
        };
        let mut at = start + 1;
        if tag & 0x1f == 0x1f {
            at = self.long_tag(at)?;
        }
        let (length, body) = self.length(at)?;
        let Some(content) = self.data.get(body..).and_then(|rest| rest.get(..length)) else {
            let left = self.data.len() - body.min(self.data.len());
            let found = format!("an element of {length} bytes with only {left} left");
            return Err(self.error(start, expected, found));
        };
        self.position = body + length;
        let raw = self.data.get(start..self.position).unwrap_or_default();
        Ok(Element { tag, offset: self.base + start, raw, content })
    }

    /// Skips the further octets of a tag number above 30 (at most four).
    fn long_tag(&self, mut at: usize) -> Result<usize, ParseError> {
        for _ in 0..4 {
            match self.data.get(at) {
                Some(octet) if octet & 0x80 == 0 => return Ok(at + 1),
                Some(_) => at += 1,
                None => break,
            }
        }
        Err(self.error(at, "a tag number", "one that does not end"))
    }

    /// Reads a length at `at`; returns it and the offset of the contents.
    fn length(&self, at: usize) -> Result<(usize, usize), ParseError> {
        let Some(&first) = self.data.get(at) else {
            return Err(self.error(at, "a length", "the end of the data"));
        };
        if first < 0x80 {
            return Ok((usize::from(first), at + 1));
        }
        if first == 0x80 {
            return Err(self.error(at, "a definite length", "an indefinite one (BER, not DER)"));
        }
        let count = usize::from(first & 0x7f);
        let Some(octets) = self.data.get(at + 1..).and_then(|rest| rest.get(..count)) else {
            return Err(self.error(at, "a length", "the end of the data"));
        };
        let mut length = 0usize;
        for &octet in octets {
            if length > usize::MAX >> 9 {
                return Err(self.error(at, "a length below 2^55", "a longer one"));
            }
            length = (length << 8) | usize::from(octet);
        }
        Ok((length, at + 1 + count))
    }

    /// Reads the next element, which must have this tag.
    pub fn require(&mut self, tag: u8, expected: &'static str) -> Result<Element<'a>, ParseError> {
        match self.peek() {
            Some(found) if found != tag => {
                Err(self.error(self.position, expected, format!("tag 0x{found:02x}")))
            }
            _ => self.any(expected),
        }
    }

    /// Reads the next element if it has this tag and is whole.
    pub fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        if self.peek() == Some(tag) { self.any("").ok() } else { None }
    }

    /// Reads the elements that are left and stops silently at the first that is broken.
    pub fn elements(mut self) -> impl Iterator<Item = Element<'a>> {
        std::iter::from_fn(move || if self.is_empty() { None } else { self.any("").ok() })
    }
}

/// Reads one element that must have this tag; `None` if it is not there or broken.
pub(crate) fn one(data: &[u8], tag: u8) -> Option<Element<'_>> {
    Reader::new(data).optional(tag)
}

/// A small unsigned INTEGER; `None` if negative, empty or above `u32`.
pub(crate) fn small_integer(content: &[u8]) -> Option<u32> {
    if content.first()? & 0x80 != 0 {
        return None;
    }
    let significant = significant(content);
    if significant.len() > 4 {
        return None;
    }
    Some(significant.iter().fold(0, |value, &octet| (value << 8) | u32::from(octet)))
}

/// The octets of an unsigned INTEGER without leading zeros.
pub(crate) fn significant(content: &[u8]) -> &[u8] {
    let zeros = content.iter().take_while(|octet| **octet == 0).count();
    content.get(zeros..).unwrap_or_default()
}

/// Bits of an unsigned INTEGER.
pub(crate) fn integer_bits(content: &[u8]) -> u32 {
    let octets = significant(content);
    match octets.first() {
        Some(first) => u32::try_from(octets.len())
            .map_or(u32::MAX, |n| n.saturating_mul(8))
            .saturating_sub(first.leading_zeros()),
        None => 0,
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for &octet in bytes {
        text.push(char::from(DIGITS[usize::from(octet >> 4)]));
        text.push(char::from(DIGITS[usize::from(octet & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_absolute_offset() {
        let outer = [0x30, 0x04, 0x02, 0x01, 0x05, 0x04];
        let element = Reader::new(&outer).any("a sequence").unwrap();
        let mut inside = element.inside();
        inside.require(INTEGER, "an integer").unwrap();
        let error = inside.require(OCTET_STRING, "a string").unwrap_err();
        assert_eq!(error.offset, 6 - 1 + 1);
        assert!(error.to_string().contains("length"), "{error}");
    }

    #[test]
    fn huge_and_indefinite_lengths_are_refused() {
        for bytes in [
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..],
            &[0x30, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x30, 0x80, 0, 0],
            &[0x3f, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x30],
            &[],
        ] {
            assert!(Reader::new(bytes).any("something").is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn integers() {
        assert_eq!(small_integer(&[0, 0, 0, 0, 0, 1]), Some(1));
        assert_eq!(small_integer(&[0xff]), None);
        assert_eq!(integer_bits(&[0, 0x80, 0]), 16);
        assert_eq!(integer_bits(&[0]), 0);
        assert_eq!(hex(&[0, 0xab]), "00ab");
    }
}
