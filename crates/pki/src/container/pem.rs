//! PEM as it is found (RFC 7468 and everything people do to it): text between blocks, CRLF,
//! indentation, header lines, one long line, escaped line ends, no armour at all.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Broken, ContainerError, Finds, KeyPlace, Kind, binary};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
/// Longest label, with the dashes after it.
const LABEL_BYTES_MAX: usize = 72;
const DASHES: &[u8] = b"-----";

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where `what` is first found in a part of the text. Callers bound the part, so that many
/// unfinished blocks do not make the whole quadratic.
fn find(text: &[u8], what: &[u8], part: std::ops::Range<usize>) -> Option<usize> {
    let (from, to) = (part.start, part.end.min(text.len()));
    let rest = text.get(from..to)?;
    rest.windows(what.len()).position(|window| window == what).map(|at| from + at)
}

/// Whether there is any PEM block in it.
pub(super) fn is_pem(text: &[u8]) -> bool {
    find(text, BEGIN, 0..text.len()).is_some()
}

/// Counts lines while only ever going forward.
struct Lines<'a> {
    text: &'a [u8],
    position: usize,
    line: usize,
}

impl Lines<'_> {
    fn at(&mut self, position: usize) -> usize {
        let passed = self.text.get(self.position..position).unwrap_or_default();
        self.line += passed.iter().filter(|octet| **octet == b'\n').count();
        self.position = self.position.max(position);
        self.line
    }
}

/// Reads every block.
pub(super) fn read(
    text: &[u8],
    password: Option<&str>,
    finds: &mut Finds,
) -> Result<(), ContainerError> {
    let mut lines = Lines { text, position: 0, line: 1 };
    let mut from = 0;
    while let Some(begin) = find(text, BEGIN, from..text.len()) {
        let line = lines.at(begin);
        let label_at = begin + BEGIN.len();
        let Some(label_end) = find(text, DASHES, label_at..label_at + LABEL_BYTES_MAX) else {
            from = label_at;
            continue;
        };
        let label = text.get(label_at..label_end).unwrap_or_default();
        let label = String::from_utf8_lossy(label).to_ascii_uppercase();
        if label.contains("PRIVATE KEY") {
            return Err(ContainerError::PrivateKey { place: KeyPlace::Pem, line: Some(line) });
        }
        let body_at = label_end + DASHES.len();
        let next_begin = find(text, BEGIN, body_at..text.len()).unwrap_or(text.len());
        let end = find(text, END, body_at..next_begin);
        let Some(end) = end else {
            finds.add(Some(line), Vec::new(), Err(Broken::NoEnd { line }))?;
            from = next_begin;
            continue;
        };
        let body = text.get(body_at..end).unwrap_or_default();
        match decode(body) {
            Err(offset) => {
                let line = lines.at(body_at + offset);
                if wanted(&label) {
                    finds.add(Some(line), Vec::new(), Err(Broken::Base64 { line }))?;
                }
            }
            Ok(der) => block(&label, &der, line, password, finds)?,
        }
        from = end + END.len();
    }
    Ok(())
}

/// Whether a block of this label should hold certificates.
fn wanted(label: &str) -> bool {
    let label = label.trim();
    matches!(
        label,
        "CERTIFICATE"
            | "X509 CERTIFICATE"
            | "X.509 CERTIFICATE"
            | "TRUSTED CERTIFICATE"
            | "CERTIFICATE CHAIN"
            | "PKCS7"
            | "PKCS #7 SIGNED DATA"
            | "CMS"
            | "PKCS12"
            | "PKCS #12"
    )
}

fn block(
    label: &str,
    der: &[u8],
    line: usize,
    password: Option<&str>,
    finds: &mut Finds,
) -> Result<(), ContainerError> {
    if wanted(label) {
        return match binary(der, Some(line), password, finds) {
            Err(ContainerError::PrivateKey { .. }) => {
                Err(ContainerError::PrivateKey { place: KeyPlace::Pem, line: Some(line) })
            }
            other => other,
        };
    }
    let kind = match label.trim() {
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Kind::Request,
        "X509 CRL" => Kind::Crl,
        "ATTRIBUTE CERTIFICATE" => Kind::AttributeCertificate,
        "PUBLIC KEY" | "RSA PUBLIC KEY" | "EC PUBLIC KEY" => Kind::PublicKey,
        // Parameters often stand beside a certificate and mean nothing here.
        label if label.ends_with("PARAMETERS") => return Ok(()),
        label if label.starts_with("SSH2 ") => Kind::Ssh,
        label if label.starts_with("PGP ") => Kind::Pgp,
        _ => Kind::OtherPem,
    };
    finds.add(Some(line), der.to_vec(), Err(Broken::NotACertificate(kind)))
}

/// Decodes the body of a block, leaving out header lines (`Name: value`) at its beginning. The
/// error is the offset of the first character that does not belong.
fn decode(body: &[u8]) -> Result<Vec<u8>, usize> {
    let mut clean = Vec::with_capacity(body.len());
    let mut at = 0;
    while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
        let length =
            rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |end| end + 1);
        let line = rest.get(..length).unwrap_or_default();
        if clean.is_empty() && line.contains(&b':') {
            at += length;
            continue;
        }
        let mut characters = line.iter().enumerate().peekable();
        while let Some((index, &octet)) = characters.next() {
            match octet {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => clean.push(octet),
                b'\\' if matches!(characters.peek(), Some((_, b'n' | b'r'))) => {
                    characters.next();
                }
                octet if octet.is_ascii_whitespace() || octet == 0 => {}
                // Quotes of mail and comments in front of a line.
                b'>' | b'#' | b'"' | b',' if line.get(..index).is_some_and(<[u8]>::is_empty) => {}
                _ => return Err(at + index),
            }
        }
        at += length;
    }
    BASE64.decode(&clean).map_err(|_| body.len())
}

/// Base64 of DER without BEGIN and END lines.
pub(super) fn bare_base64(text: &[u8]) -> Option<Vec<u8>> {
    if text.first().is_none_or(|first| *first != b'M' && !first.is_ascii_whitespace()) {
        return None;
    }
    decode(text).ok().filter(|der| der.first() == Some(&crate::asn1::SEQUENCE))
}
