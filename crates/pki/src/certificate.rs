//! One certificate: its bytes as they came, and its fields as plain values.
//!
//! The original DER is kept; hashes and signatures are taken over exactly those bytes and nothing
//! is ever encoded again. Reading is tolerant: whatever has the skeleton of a certificate (RFC 5280
//! section 4.1) is read, and what is odd about it is listed in [`Certificate::warnings`]. Nothing
//! here decides about trust.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::time;

pub(crate) mod extension;
mod general_name;
mod key;
mod name;
mod person;
mod read;
mod text;

pub use general_name::{GeneralName, Kind};
pub(crate) use key::pss;
pub use person::{dn_names_a_person, names_a_person};
pub use text::ExtensionText;

/// One extension by position.
#[derive(Debug, Clone)]
struct ExtensionAt {
    kind: Range<usize>,
    critical: bool,
    value: Range<usize>,
}

/// A certificate.
#[derive(Debug, Clone)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Range<usize>,
    issuer: Range<usize>,
    subject: Range<usize>,
    spki: Range<usize>,
    key_octets: Range<usize>,
    signature_algorithm_at: Range<usize>,
    signature_at: Range<usize>,
    extensions_at: Vec<ExtensionAt>,
    known: extension::Known,

    /// SHA-256 of the DER.
    pub fingerprint_sha256: [u8; 32],
    /// SHA-1 of the DER; for finding, not for trust.
    pub fingerprint_sha1: [u8; 20],
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// Version as people count it: 1, 2 or 3; other numbers are kept with a warning.
    pub version: u32,
    /// Serial number: the octets of the INTEGER in lower-case hexadecimal, without the one zero
    /// octet that only marks a number as positive. A negative number is marked by
    /// [`Certificate::serial_negative`].
    pub serial: String,
    /// The serial number is negative when read as DER.
    pub serial_negative: bool,
    /// Subject as RFC 4514 text; empty for an empty subject.
    pub subject_dn: String,
    /// Issuer as RFC 4514 text.
    pub issuer_dn: String,
    /// Most specific common name of the subject.
    pub subject_cn: Option<String>,
    /// Most specific common name of the issuer.
    pub issuer_cn: Option<String>,
    /// Mail addresses in the subject itself.
    pub subject_emails: Vec<String>,
    /// Start of validity, microseconds since the epoch.
    pub not_before: i64,
    /// Last moment of validity (inclusive), microseconds since the epoch.
    pub not_after: i64,
    /// `RSA`, `EC`, `Ed25519`, `ML-DSA-65`, …, or a dotted identifier.
    pub key_algorithm: String,
    /// Size of the key in bits, where that means something.
    pub key_size: Option<u32>,
    /// Curve of an EC key: `P-256`, …, a dotted identifier, or `explicit`.
    pub curve: Option<String>,
    /// `RSA-SHA256`, `ECDSA-SHA384`, `Ed25519`, …, or a dotted identifier.
    pub signature_algorithm: String,
    /// Issuer and subject are the same name.
    pub self_issued: bool,
    /// What is odd about the certificate, one plain sentence each.
    pub warnings: Vec<String>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl Certificate {
    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or_default()
    }

    /// The certificate as it came.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The signed part, exactly as it stands in the certificate.
    pub fn tbs_der(&self) -> &[u8] {
        self.slice(&self.tbs)
    }

    /// The subject as DER.
    pub fn subject_der(&self) -> &[u8] {
        self.slice(&self.subject)
    }

    /// The issuer as DER.
    pub fn issuer_der(&self) -> &[u8] {
        self.slice(&self.issuer)
    }

    /// The SubjectPublicKeyInfo as DER.
    pub fn spki_der(&self) -> &[u8] {
        self.slice(&self.spki)
    }

    /// The octets of the public key, without algorithm.
    pub(crate) fn key_octets(&self) -> &[u8] {
        self.slice(&self.key_octets)
    }

    /// The signature AlgorithmIdentifier as DER.
    pub(crate) fn signature_algorithm_der(&self) -> &[u8] {
        self.slice(&self.signature_algorithm_at)
    }

    /// The octets of the signature.
    pub(crate) fn signature_octets(&self) -> &[u8] {
        self.slice(&self.signature_at).get(1..).unwrap_or_default()
    }

    /// The subject in the form in which names are compared (letter case and spaces ignored). An
    /// index over this text finds issuers whose names are the same but written differently.
    pub fn subject_normal(&self) -> String {
        name::normal_form(self.subject_der())
    }

    /// The issuer in the form in which names are compared.
    pub fn issuer_normal(&self) -> String {
        name::normal_form(self.issuer_der())
    }

    /// Whether `issuer` bears the name of this certificate's issuer: same bytes, or same normal
    /// form.
    pub fn is_named_issuer(&self, issuer: &Self) -> bool {
        self.issuer_der() == issuer.subject_der() || self.issuer_normal() == issuer.subject_normal()
    }

    /// Subject key identifier.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.known.subject_key_id.as_deref()
    }

    /// Key identifier of the issuer.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.known.authority_key_id.as_deref()
    }

    /// Basic constraints say that it is a CA.
    pub fn is_ca(&self) -> bool {
        self.known.is_ca
    }

    /// How many CAs may follow below this one.
    pub fn path_len(&self) -> Option<u32> {
        self.known.path_len
    }

    /// Key usages by their RFC 5280 names; `None` if there is no such extension.
    pub fn key_usage(&self) -> Option<&[&'static str]> {
        self.known.has_key_usage.then_some(self.known.key_usage.as_slice())
    }

    /// Extended key usages by name, or dotted.
    pub fn extended_key_usage(&self) -> &[String] {
        &self.known.extended_key_usage
    }

    /// Subject alternative names in their order.
    pub fn names(&self) -> &[GeneralName] {
        &self.known.names
    }

    /// Policy identifiers, dotted.
    pub fn policies(&self) -> &[String] {
        &self.known.policies
    }

    /// Addresses of CRLs.
    pub fn crl_distribution_points(&self) -> &[String] {
        &self.known.crl_distribution_points
    }

    /// Addresses of OCSP responders.
    pub fn ocsp_urls(&self) -> &[String] {
        &self.known.ocsp_urls
    }

    /// Addresses of the issuer's certificate.
    pub fn ca_issuer_urls(&self) -> &[String] {
        &self.known.ca_issuer_urls
    }

    /// How many signed certificate timestamps are embedded.
    pub fn scts(&self) -> usize {
        self.known.scts
    }

    /// It carries the poison of RFC 6962 section 3.1 and is no certificate anybody may use.
    pub fn is_precertificate(&self) -> bool {
        self.known.precertificate
    }

    pub(crate) fn has_basic_constraints(&self) -> bool {
        self.known.basic_constraints
    }

    /// Directory names among the alternative names, in normal form.
    pub(crate) fn directory_names(&self) -> &[String] {
        &self.known.directory_names
    }

    pub(crate) fn name_constraints(&self) -> Option<&extension::NameConstraints> {
        self.known.name_constraints.as_ref()
    }

    /// Critical extensions whose demands validation does not look at: dotted identifier, and the
    /// name if the extension is at least known.
    pub fn unprocessed_critical_extensions(&self) -> Vec<(String, Option<&'static str>)> {
        self.extensions_at
            .iter()
            .filter(|extension| extension.critical)
            .map(|extension| self.slice(&extension.kind))
            .filter(|kind| !extension::is_processed(kind))
            .map(|kind| (crate::oid::dotted(kind), crate::oid::name(crate::oid::EXTENSIONS, kind)))
            .collect()
    }

    /// The end of validity is the "no well-defined expiration" of RFC 5280.
    pub fn has_no_expiry(&self) -> bool {
        self.not_after >= time::NO_EXPIRY
    }

    /// It probably names a person; see [`names_a_person`].
    pub fn names_a_person(&self) -> bool {
        let any = |kind| self.names().iter().any(|name| name.kind == kind);
        let for_mail = any(Kind::Email)
            || self.extended_key_usage().iter().any(|usage| usage == "emailProtection");
        names_a_person(&self.subject_dn, for_mail, any(Kind::Dns), self.is_ca())
    }

    /// A short name for lists: common name, else first alternative name, else subject, else serial
    /// number.
    pub fn title(&self) -> &str {
        if let Some(name) = &self.subject_cn {
            return name;
        }
        if let Some(name) = self.names().first() {
            return &name.value;
        }
        if self.subject_dn.is_empty() { &self.serial } else { &self.subject_dn }
    }

    /// PEM (RFC 7468) with lines of 64 characters.
    pub fn to_pem(&self) -> String {
        let encoded = STANDARD.encode(&self.der);
        let mut pem = String::with_capacity(encoded.len() + encoded.len() / 64 + 64);
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }
}

#[cfg(test)]
mod tests;
