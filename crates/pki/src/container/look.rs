//! Telling formats apart by their first bytes and their outermost structure.

use std::borrow::Cow;

use super::Kind;
use crate::asn1::{self, Reader};
use crate::oid;

/// What a piece of ASN.1 is, as far as its skeleton tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Der {
    Certificate,
    Pkcs7,
    Pkcs12,
    PrivateKey,
    Other(Kind),
}

/// Text without a byte order mark; UTF-16 with one becomes UTF-8.
pub(super) fn as_text(bytes: &[u8]) -> Cow<'_, [u8]> {
    let wide = |units: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = units.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        Cow::Owned(String::from_utf16_lossy(&units).into_bytes())
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(rest),
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] if rest.first() != Some(&0xed) => wide(rest, u16::from_be_bytes),
        _ => Cow::Borrowed(bytes),
    }
}

/// What bytes that are neither PEM nor ASN.1 look like.
pub(super) fn kind(bytes: &[u8]) -> Kind {
    match bytes {
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => return Kind::JavaKeyStore,
        [b'P', b'K', 3, 4, ..] => return Kind::Zip,
        [0x1f, 0x8b, ..] => return Kind::Gzip,
        _ => {}
    }
    let head = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let Ok(head) = std::str::from_utf8(head).or_else(|error| {
        // A character cut at the end of the head is no reason to call it binary.
        std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default()).map_err(|_| error)
    }) else {
        return Kind::Binary;
    };
    let head = head.trim_start().to_ascii_lowercase();
    if head.is_empty() || head.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        Kind::Binary
    } else if head.starts_with("%pdf") {
        Kind::Pdf
    } else if head.starts_with("<!doctype html") || head.contains("<html") {
        Kind::Html
    } else if head.starts_with('<') {
        Kind::Xml
    } else if head.starts_with(['{', '[']) {
        Kind::Json
    } else if head.starts_with("ssh-") || head.starts_with("ecdsa-sha2-") {
        Kind::Ssh
    } else {
        Kind::Text
    }
}

/// Outer tags of up to `N` elements inside the outermost SEQUENCE, also with an indefinite length.
fn outline(der: &[u8]) -> Vec<(u8, &[u8])> {
    let normal;
    let reader = match Reader::new(der).optional(asn1::SEQUENCE) {
        Some(whole) => whole.inside(),
        None if der.get(1) == Some(&0x80) => {
            normal = der.get(2..).unwrap_or_default();
            Reader::new(normal)
        }
        // The outer length runs over the end: look inside all the same.
        None => {
            let skip =
                2 + der.get(1).map_or(0, |l| if l & 0x80 != 0 { usize::from(l & 0x7f) } else { 0 });
            Reader::new(der.get(skip..).unwrap_or_default())
        }
    };
    let mut list = Vec::new();
    let mut rest = reader;
    while list.len() < 6 {
        match rest.peek() {
            None => break,
            Some(tag) => match rest.any("") {
                Ok(element) => list.push((tag, element.content)),
                Err(_) => {
                    list.push((tag, &[]));
                    break;
                }
            },
        }
    }
    list
}

/// Classifies DER (or BER).
pub(super) fn der_kind(der: &[u8]) -> Der {
    if der.first() != Some(&asn1::SEQUENCE) {
        return Der::Other(Kind::Binary);
    }
    let outline = outline(der);
    let tags: Vec<u8> = outline.iter().map(|(tag, _)| *tag).collect();
    let content = |index: usize| outline.get(index).map_or(&[][..], |(_, content)| *content);
    match tags.as_slice() {
        [asn1::OBJECT_IDENTIFIER, ..] => {
            if content(0) == oid::SIGNED_DATA.as_bytes() {
                Der::Pkcs7
            } else {
                Der::Other(Kind::Asn1)
            }
        }
        [asn1::INTEGER, asn1::SEQUENCE, asn1::OCTET_STRING, ..] => Der::PrivateKey,
        [asn1::INTEGER, asn1::OCTET_STRING, ..] if content(0) == [1] => Der::PrivateKey,
        [asn1::INTEGER, asn1::INTEGER, asn1::INTEGER, asn1::INTEGER, ..] => Der::PrivateKey,
        [asn1::INTEGER, asn1::INTEGER] => Der::Other(Kind::PublicKey),
        [asn1::INTEGER, asn1::SEQUENCE, ..] if content(0) == [3] => Der::Pkcs12,
        [0x0a, ..] => Der::Other(Kind::OcspResponse),
        [asn1::SEQUENCE, asn1::OCTET_STRING] => Der::PrivateKey,
        [asn1::SEQUENCE, asn1::BIT_STRING] => Der::Other(Kind::PublicKey),
        [asn1::SEQUENCE, asn1::SEQUENCE, asn1::BIT_STRING, ..] => signed(content(0)),
        [asn1::SEQUENCE, ..]
            if matches!(content(0).first(), None | Some(&0xa0 | &asn1::INTEGER)) =>
        {
            Der::Certificate
        }
        _ => Der::Other(Kind::Asn1),
    }
}

/// Which of the signed structures a to-be-signed part belongs to.
fn signed(tbs: &[u8]) -> Der {
    let tags: Vec<u8> = Reader::new(tbs).elements().take(8).map(|element| element.tag).collect();
    let times = [asn1::UTC_TIME, asn1::GENERALIZED_TIME];
    match tags.as_slice() {
        [0xa0, ..] => Der::Certificate,
        [asn1::INTEGER, asn1::SEQUENCE, asn1::SEQUENCE, time, ..] if times.contains(time) => {
            Der::Other(Kind::Crl)
        }
        [asn1::SEQUENCE, asn1::SEQUENCE, time, ..] if times.contains(time) => Der::Other(Kind::Crl),
        [asn1::INTEGER, asn1::SEQUENCE, asn1::SEQUENCE]
        | [asn1::INTEGER, asn1::SEQUENCE, asn1::SEQUENCE, 0xa0] => Der::Other(Kind::Request),
        [asn1::INTEGER, asn1::SEQUENCE, 0xa0, ..] => Der::Other(Kind::AttributeCertificate),
        [asn1::INTEGER, ..] => Der::Certificate,
        _ => Der::Other(Kind::Asn1),
    }
}
