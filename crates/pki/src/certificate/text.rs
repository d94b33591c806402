//! A certificate for reading: its extensions one by one, and a plain text of everything.

use std::fmt::Write as _;

use super::{Certificate, extension};
use crate::asn1::{self, Reader};
use crate::{oid, time};

/// One extension for a detail page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionText {
    /// Dotted identifier.
    pub oid: String,
    /// Its name in words, or the dotted identifier again.
    pub name: String,
    /// Whoever does not understand it must refuse the certificate.
    pub critical: bool,
    /// The value in lower-case hexadecimal.
    pub hex: String,
    /// The value in words, if this crate understands the extension.
    pub readable: Option<String>,
}

pub(super) fn extension_name(kind: &[u8]) -> String {
    oid::name_or_dotted(oid::EXTENSIONS, kind)
}

impl Certificate {
    /// Every extension in its order, also those not understood.
    pub fn extensions(&self) -> Vec<ExtensionText> {
        self.extensions_at
            .iter()
            .map(|at| {
                let (kind, value) = (self.slice(&at.kind), self.slice(&at.value));
                ExtensionText {
                    oid: oid::dotted(kind),
                    name: extension_name(kind),
                    critical: at.critical,
                    hex: asn1::hex(value),
                    readable: readable(kind, value),
                }
            })
            .collect()
    }

    /// Everything in plain lines, `Name: value`, for people and for text search.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let written = writeln!(text, "{name}: {value}");
            debug_assert!(written.is_ok(), "writing to a string cannot fail");
        };
        line("Subject", &self.subject_dn);
        line("Issuer", &self.issuer_dn);
        line("Serial number", &self.serial);
        line("Version", &self.version.to_string());
        line("Not before", &time::text(self.not_before));
        line("Not after", &time::text(self.not_after));
        let size = self.key_size.map(|bits| format!(" {bits} bits")).unwrap_or_default();
        let curve = self.curve.as_ref().map(|curve| format!(" {curve}")).unwrap_or_default();
        line("Key", &format!("{}{curve}{size}", self.key_algorithm));
        line("Signature algorithm", &self.signature_algorithm);
        line("SHA-256 fingerprint", &asn1::hex(&self.fingerprint_sha256));
        line("SHA-1 fingerprint", &asn1::hex(&self.fingerprint_sha1));
        line("SHA-256 of the public key", &asn1::hex(&self.spki_sha256));
        for extension in self.extensions() {
            let critical = if extension.critical { " (critical)" } else { "" };
            let value = extension.readable.unwrap_or(extension.hex);
            line(&format!("{}{critical}", extension.name), &value);
        }
        for warning in &self.warnings {
            line("Warning", warning);
        }
        text
    }
}

/// The value of an understood extension in words.
fn readable(kind: &[u8], value: &[u8]) -> Option<String> {
    let mut known = extension::Known::default();
    if !extension::is_processed(kind) {
        return plain_string(value);
    }
    known.take(kind, value)?;
    let mut parts: Vec<String> = Vec::new();
    parts.extend(known.subject_key_id.as_deref().map(asn1::hex));
    parts.extend(known.authority_key_id.as_deref().map(asn1::hex));
    if known.basic_constraints {
        parts.push(if known.is_ca { "CA".to_owned() } else { "not a CA".to_owned() });
        parts.extend(known.path_len.map(|length| format!("at most {length} CAs below it")));
    }
    parts.extend(known.key_usage.iter().map(|usage| (*usage).to_owned()));
    parts.extend(known.extended_key_usage);
    parts.extend(known.names.iter().map(|name| format!("{}:{}", name.kind.as_str(), name.value)));
    parts.extend(known.policies);
    parts.extend(known.crl_distribution_points);
    parts.extend(known.ocsp_urls.iter().map(|url| format!("OCSP {url}")));
    parts.extend(known.ca_issuer_urls.iter().map(|url| format!("issuer {url}")));
    if kind == oid::SCT_LIST.as_bytes() {
        parts.push(format!("{} timestamps", known.scts));
    }
    if known.precertificate {
        parts.push("this is a precertificate".to_owned());
    }
    if let Some(constraints) = known.name_constraints {
        for (word, names) in
            [("permitted", constraints.permitted), ("excluded", constraints.excluded)]
        {
            let shown = names.iter().map(|name| {
                format!(
                    "{word} {}:{}",
                    name.kind.as_str(),
                    name.value.trim_end().replace('\n', ", ")
                )
            });
            parts.extend(shown);
        }
    }
    Some(parts.join(", "))
}

/// Many private extensions are one character string; show it.
fn plain_string(value: &[u8]) -> Option<String> {
    let element = Reader::new(value).any("").ok()?;
    super::name::string(&element).map(|(text, _)| text)
}
