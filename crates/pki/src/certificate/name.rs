//! Distinguished names: as text (RFC 4514), and in a normal form for comparison.
//!
//! The text is for people and search; the raw bytes decide whether two names are the same, and only
//! where they differ the normal form (letter case and spaces ignored, RFC 5280 section 7.1) is
//! asked.

use std::fmt::Write as _;

use crate::asn1::{self, Element, Reader};
use crate::oid;

/// What a name says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NameText {
    /// RFC 4514 text, most specific part first.
    pub text: String,
    /// The most specific common name.
    pub common_name: Option<String>,
    /// Every emailAddress attribute.
    pub emails: Vec<String>,
    /// Something in it is not written as it should be.
    pub odd: bool,
}

/// One attribute of a name: type and value.
struct Attribute<'a> {
    kind: &'a [u8],
    value: Element<'a>,
}

fn attributes<'a>(set: &Element<'a>) -> impl Iterator<Item = Attribute<'a>> {
    set.inside().elements().filter_map(|pair| {
        let mut inside = pair.inside();
        let kind = inside.optional(asn1::OBJECT_IDENTIFIER)?;
        Some(Attribute { kind: kind.content, value: inside.any("a value").ok()? })
    })
}

/// Reads a name from its SEQUENCE.
pub(crate) fn read(name: &Element<'_>) -> NameText {
    let mut result = NameText::default();
    let mut reader = name.inside();
    let mut parts: Vec<Element<'_>> = Vec::with_capacity(8);
    while !reader.is_empty() {
        match reader.any("a relative distinguished name") {
            Ok(part) => parts.push(part),
            Err(_) => {
                result.odd = true;
                break;
            }
        }
    }
    result.text.reserve(name.content.len());
    for part in parts.iter().rev() {
        result.odd |= part.tag != asn1::SET;
        for (index, attribute) in attributes(part).enumerate() {
            if !result.text.is_empty() {
                result.text.push(if index == 0 { ',' } else { '+' });
            }
            result.append(&attribute);
        }
    }
    result
}

impl NameText {
    fn append(&mut self, attribute: &Attribute<'_>) {
        let value = string(&attribute.value);
        self.odd |= value.as_ref().is_none_or(|(_, odd)| *odd);
        match (oid::name(oid::ATTRIBUTES, attribute.kind), value) {
            (Some(name), Some((value, _))) => {
                self.text.push_str(name);
                self.text.push('=');
                escape(&mut self.text, &value);
                if attribute.kind == oid::COMMON_NAME.as_bytes() && self.common_name.is_none() {
                    self.common_name = Some(value);
                } else if attribute.kind == oid::EMAIL_ADDRESS.as_bytes() {
                    self.emails.push(value);
                }
            }
            (name, _) => {
                match name {
                    Some(name) => self.text.push_str(name),
                    None => self.text.push_str(&oid::dotted(attribute.kind)),
                }
                self.text.push_str("=#");
                self.text.push_str(&asn1::hex(attribute.value.raw));
            }
        }
    }
}

/// Appends a value with the escapes of RFC 4514 section 2.4; control characters become `\XX`.
fn escape(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.push('\\'),
            ' ' if index == 0 || index == last => text.push('\\'),
            '#' if index == 0 => text.push('\\'),
            control if control < ' ' || control == '\x7f' => {
                let written = write!(text, "\\{:02X}", u32::from(control));
                debug_assert!(written.is_ok(), "writing to a string cannot fail");
                continue;
            }
            _ => {}
        }
        text.push(character);
    }
}

/// A character string of any ASN.1 kind, and whether its bytes break the rules of that kind.
///
/// `None` for what is no character string. Bytes beyond ASCII in one-byte kinds are read as UTF-8
/// if they are valid UTF-8, since issuers often do that, and as Latin-1 otherwise.
pub(crate) fn string(element: &Element<'_>) -> Option<(String, bool)> {
    let content = element.content;
    match element.tag {
        asn1::UTF8_STRING => match std::str::from_utf8(content) {
            Ok(text) => Some((text.to_owned(), false)),
            Err(_) => Some((latin(content), true)),
        },
        // Numeric, Printable, T61, Videotex, IA5, Graphic, Visible, General
        0x12..=0x16 | 0x19..=0x1b => {
            let plain = content.is_ascii();
            let text = match std::str::from_utf8(content) {
                Ok(text) => text.to_owned(),
                Err(_) => latin(content),
            };
            Some((text, !plain && element.tag != 0x14))
        }
        0x1e => {
            let units: Vec<u16> = content
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect();
            let exact = content.len().is_multiple_of(2);
            match String::from_utf16(&units) {
                Ok(text) => Some((text, !exact)),
                Err(_) => Some((String::from_utf16_lossy(&units), true)),
            }
        }
        0x1c => {
            let text: String = content
                .chunks_exact(4)
                .map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
                .map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect();
            let odd =
                !content.len().is_multiple_of(4) || text.contains(char::REPLACEMENT_CHARACTER);
            Some((text, odd))
        }
        _ => None,
    }
}

pub(crate) fn latin(content: &[u8]) -> String {
    content.iter().map(|octet| char::from(*octet)).collect()
}

/// The form in which two names are compared: one line per part, attributes sorted inside a part,
/// letter case folded, runs of spaces collapsed. Parts keep their order. Empty for bytes that are
/// no name.
pub(crate) fn normal_form(raw: &[u8]) -> String {
    let mut form = String::with_capacity(raw.len());
    let Some(name) = asn1::one(raw, asn1::SEQUENCE) else {
        return form;
    };
    for part in Reader::elements(name.inside()) {
        let mut values: Vec<String> = attributes(&part)
            .map(|attribute| {
                let value = match string(&attribute.value) {
                    Some((value, _)) => fold(&value),
                    None => format!("#{}", asn1::hex(attribute.value.raw)),
                };
                format!("{}={value}", oid::dotted(attribute.kind))
            })
            .collect();
        values.sort();
        form.push_str(&values.join("\u{1f}"));
        form.push('\n');
    }
    form
}

/// Lower case, trimmed, runs of white space as one space.
pub(crate) fn fold(value: &str) -> String {
    let mut folded = String::with_capacity(value.len());
    for word in value.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode;

    fn name(parts: &[(&str, u8, &[u8])]) -> Vec<u8> {
        let sets: Vec<Vec<u8>> = parts
            .iter()
            .map(|(kind, tag, value)| {
                let kind = oid::Oid::new(kind);
                let pair = encode::sequence(&[
                    encode::element(asn1::OBJECT_IDENTIFIER, kind.as_bytes()),
                    encode::element(*tag, value),
                ]);
                encode::element(asn1::SET, &pair)
            })
            .collect();
        encode::sequence(&sets)
    }

    fn text(bytes: &[u8]) -> NameText {
        read(&Reader::new(bytes).any("name").unwrap())
    }

    #[test]
    fn escapes_and_order_are_those_of_rfc_4514() {
        let bytes = name(&[
            ("2.5.4.6", 0x13, b"FR"),
            ("2.5.4.10", 0x0c, b" Sue, Grabbit+Runn "),
            ("2.5.4.3", 0x0c, b"#1\0\"x\""),
        ]);
        let read = text(&bytes);
        assert_eq!(read.text, "CN=\\#1\\00\\\"x\\\",O=\\ Sue\\, Grabbit\\+Runn\\ ,C=FR");
        assert_eq!(read.common_name.as_deref(), Some("#1\0\"x\""));
        assert!(!read.odd);
    }

    #[test]
    fn every_kind_of_string_is_read() {
        let bytes = name(&[
            ("2.5.4.3", 0x1e, &[0, b'B', 0, 0xe9]),
            ("2.5.4.3", 0x1c, &[0, 0, 0, b'U']),
            ("2.5.4.3", 0x14, &[b'T', 0xe9]),
            ("2.5.4.3", 0x13, "é".as_bytes()),
            ("1.2.3.4", 0x0c, b"x"),
        ]);
        let read = text(&bytes);
        assert_eq!(read.text, "1.2.3.4=#0c0178,CN=é,CN=Té,CN=U,CN=Bé");
        assert!(read.odd, "a PrintableString with UTF-8 in it is odd");
    }

    #[test]
    fn normal_form_ignores_case_spaces_and_string_kind_only() {
        let one = name(&[("2.5.4.6", 0x13, b"fr"), ("2.5.4.3", 0x13, b" My   CA")]);
        let same = name(&[("2.5.4.6", 0x13, b"FR"), ("2.5.4.3", 0x0c, b"my ca")]);
        let other = name(&[("2.5.4.3", 0x13, b"my ca"), ("2.5.4.6", 0x13, b"fr")]);
        assert_eq!(normal_form(&one), normal_form(&same));
        assert_ne!(normal_form(&one), normal_form(&other));
        assert_eq!(normal_form(b"junk"), "");
    }
}
