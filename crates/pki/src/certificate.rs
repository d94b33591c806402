//! One certificate: its bytes as they came, and its fields as plain values.
//!
//! The original DER is kept; hashes and signatures are taken over exactly those bytes and nothing is ever
//! encoded again. Reading is tolerant: whatever has the skeleton of a certificate (RFC 5280 section 4.1) is
//! read, and what is odd about it is listed in [`Certificate::warnings`]. Nothing here decides about trust.

use std::ops::Range;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::asn1::{self, Element, Reader};
use crate::{ParseError, time};

pub(crate) mod extension;
mod general_name;
mod key;
mod name;
mod text;

pub use general_name::{GeneralName, Kind};
pub(crate) use key::pss;
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
    /// Serial number: the octets of the INTEGER in lower-case hexadecimal, without the one zero octet that
    /// only marks a number as positive. A negative number is marked by [`Certificate::serial_negative`].
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

/// The elements of a TBSCertificate.
struct Skeleton<'a> {
    whole: Element<'a>,
    tbs: Element<'a>,
    version: u32,
    serial: Element<'a>,
    inner_algorithm: Element<'a>,
    issuer: Element<'a>,
    not_before: Element<'a>,
    not_after: Element<'a>,
    subject: Element<'a>,
    spki: Element<'a>,
    extensions: Option<Element<'a>>,
    algorithm: Element<'a>,
    signature: Element<'a>,
}

impl<'a> Skeleton<'a> {
    fn read(der: &'a [u8], warnings: &mut Vec<String>) -> Result<Self, ParseError> {
        let whole = Reader::new(der).expect(asn1::SEQUENCE, "a certificate (SEQUENCE)")?;
        let mut outer = whole.inside();
        let tbs =
            outer.expect(asn1::SEQUENCE, "the part of a certificate that is signed (SEQUENCE)")?;
        let mut inside = tbs.inside();
        let version = match inside.optional(0xa0) {
            Some(version) => asn1::one(version.content, asn1::INTEGER)
                .and_then(|number| asn1::small_integer(number.content))
                .map_or(0, |number| number.saturating_add(1)),
            None => 1,
        };
        let serial = inside.expect(asn1::INTEGER, "a serial number (INTEGER)")?;
        let inner_algorithm = inside.expect(asn1::SEQUENCE, "a signature algorithm (SEQUENCE)")?;
        let issuer = inside.expect(asn1::SEQUENCE, "the issuer's name (SEQUENCE)")?;
        let validity = inside.expect(asn1::SEQUENCE, "the validity (SEQUENCE)")?;
        let mut dates = validity.inside();
        let not_before = dates.any("the start of validity (time)")?;
        let not_after = dates.any("the end of validity (time)")?;
        let subject = inside.expect(asn1::SEQUENCE, "the subject's name (SEQUENCE)")?;
        let spki = inside.expect(asn1::SEQUENCE, "the public key (SEQUENCE)")?;
        let mut extensions = None;
        while !inside.is_empty() {
            match inside.any("a field after the public key") {
                Ok(field) if field.tag == 0xa3 => extensions = Some(field),
                Ok(field) if matches!(field.tag, 0x81 | 0x82 | 0xa1 | 0xa2) => {}
                Ok(field) => warnings.push(format!("unknown field with tag 0x{:02x}", field.tag)),
                Err(error) => {
                    warnings.push(format!("the fields after the public key are broken: {error}"));
                    break;
                }
            }
        }
        let algorithm = outer.expect(asn1::SEQUENCE, "the signature algorithm (SEQUENCE)")?;
        let signature = outer.expect(asn1::BIT_STRING, "the signature (BIT STRING)")?;
        if !outer.is_empty() {
            warnings.push("there are bytes after the signature inside the certificate".to_owned());
        }
        Ok(Self {
            whole,
            tbs,
            version,
            serial,
            inner_algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            spki,
            extensions,
            algorithm,
            signature,
        })
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut out = [0; 20];
    out.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    out
}

fn read_time(element: &Element<'_>, which: &str, warnings: &mut Vec<String>) -> i64 {
    match time::parse(element) {
        Some((at, strict)) => {
            if !strict {
                warnings.push(format!("the {which} of validity is not written as DER demands"));
            }
            at
        }
        None => {
            warnings
                .push(format!("the {which} of validity cannot be read; it is taken as 1970-01-01"));
            0
        }
    }
}

fn read_serial(element: &Element<'_>, warnings: &mut Vec<String>) -> (String, bool) {
    let octets = element.content;
    let negative = octets.first().is_some_and(|first| first & 0x80 != 0);
    let shown = match octets {
        [0, rest @ ..] if rest.first().is_some_and(|next| next & 0x80 != 0) => rest,
        _ => octets,
    };
    if negative {
        warnings.push("the serial number is negative".to_owned());
    } else if asn1::significant(octets).is_empty() {
        warnings.push("the serial number is zero".to_owned());
    } else if let [0, next, ..] = octets
        && next & 0x80 == 0
    {
        warnings.push("the serial number is not written in its shortest form".to_owned());
    }
    if octets.len() > 21 || (octets.len() == 21 && octets.first() != Some(&0)) {
        warnings.push("the serial number is longer than 20 bytes".to_owned());
    }
    (asn1::hex(shown), negative)
}

fn read_extensions(
    field: &Element<'_>,
    known: &mut extension::Known,
    warnings: &mut Vec<String>,
) -> Vec<ExtensionAt> {
    let mut list: Vec<ExtensionAt> = Vec::with_capacity(12);
    let mut kinds: Vec<&[u8]> = Vec::with_capacity(12);
    let Some(series) = field.inside().optional(asn1::SEQUENCE) else {
        warnings.push("the extensions are broken".to_owned());
        return list;
    };
    let mut reader = series.inside();
    while !reader.is_empty() {
        let at = reader.any("an extension").ok().and_then(|item| {
            let mut inside = item.inside();
            let kind = inside.optional(asn1::OBJECT_IDENTIFIER)?;
            let flag = inside.optional(asn1::BOOLEAN);
            let critical = flag.is_some_and(|flag| flag.content.iter().any(|octet| *octet != 0));
            Some((kind, critical, inside.optional(asn1::OCTET_STRING)?))
        });
        let Some((kind, critical, value)) = at else {
            warnings.push(format!("extension {} is broken", list.len() + 1));
            if reader.rest().len() < 2 || list.len() > 10_000 {
                break;
            }
            list.push(ExtensionAt { kind: 0..0, critical: false, value: 0..0 });
            kinds.push(&[]);
            continue;
        };
        if kinds.len() < 64 && kinds.contains(&kind.content) {
            warnings.push(format!(
                "the extension {} is there twice",
                text::extension_name(kind.content)
            ));
        } else if known.take(kind.content, value.content).is_none() {
            warnings
                .push(format!("the extension {} is broken", text::extension_name(kind.content)));
        }
        kinds.push(kind.content);
        list.push(ExtensionAt {
            kind: kind.content_range(),
            critical,
            value: value.content_range(),
        });
    }
    list.retain(|extension| !extension.kind.is_empty());
    list
}

impl Certificate {
    /// Reads one certificate. Bytes after it are left out with a warning.
    ///
    /// # Errors
    /// Only what does not have the skeleton of a certificate is refused, with the offset of the first byte
    /// that does not fit.
    pub fn parse(der: &[u8]) -> Result<Self, ParseError> {
        let mut warnings = Vec::new();
        let skeleton = Skeleton::read(der, &mut warnings)?;
        if der.len() > skeleton.whole.raw.len() {
            let extra = der.len() - skeleton.whole.raw.len();
            warnings.push(format!("{extra} bytes after the certificate were ignored"));
        }
        if !(1..=3).contains(&skeleton.version) {
            warnings.push(format!("version {} does not exist", skeleton.version));
        } else if skeleton.extensions.is_some() && skeleton.version != 3 {
            warnings.push(format!("version {} has extensions", skeleton.version));
        }
        let (serial, serial_negative) = read_serial(&skeleton.serial, &mut warnings);
        let not_before = read_time(&skeleton.not_before, "start", &mut warnings);
        let not_after = read_time(&skeleton.not_after, "end", &mut warnings);
        if not_after < not_before {
            warnings.push("the validity ends before it starts".to_owned());
        }
        let subject = name::read(&skeleton.subject);
        let issuer = name::read(&skeleton.issuer);
        if subject.odd {
            warnings.push("the subject is not written as it should be".to_owned());
        }
        if issuer.odd {
            warnings.push("the issuer is not written as it should be".to_owned());
        }
        let key = key::read(&skeleton.spki);
        if key.odd {
            warnings.push("the public key cannot be read".to_owned());
        }
        let mut known = extension::Known::default();
        let extensions_at = skeleton
            .extensions
            .map(|field| read_extensions(&field, &mut known, &mut warnings))
            .unwrap_or_default();
        if skeleton.inner_algorithm.raw != skeleton.algorithm.raw {
            warnings.push("the two signature algorithms differ".to_owned());
        }
        let self_issued = skeleton.subject.raw == skeleton.issuer.raw
            || (subject.text.eq_ignore_ascii_case(&issuer.text)
                && name::normal_form(skeleton.subject.raw)
                    == name::normal_form(skeleton.issuer.raw));
        Ok(Self {
            fingerprint_sha256: sha256(skeleton.whole.raw),
            fingerprint_sha1: sha1(skeleton.whole.raw),
            spki_sha256: sha256(skeleton.spki.raw),
            der: skeleton.whole.raw.to_vec(),
            tbs: skeleton.tbs.range(),
            issuer: skeleton.issuer.range(),
            subject: skeleton.subject.range(),
            spki: skeleton.spki.range(),
            key_octets: key.octets,
            signature_algorithm: key::signature_name(skeleton.algorithm.raw),
            signature_algorithm_at: skeleton.algorithm.range(),
            signature_at: skeleton.signature.content_range(),
            extensions_at,
            known,
            version: skeleton.version,
            serial,
            serial_negative,
            subject_dn: subject.text,
            issuer_dn: issuer.text,
            subject_cn: subject.common_name,
            issuer_cn: issuer.common_name,
            subject_emails: subject.emails,
            not_before,
            not_after,
            key_algorithm: key.algorithm,
            key_size: key.size,
            curve: key.curve,
            self_issued,
            warnings,
        })
    }

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

    /// The subject in the form in which names are compared (letter case and spaces ignored). An index over
    /// this text finds issuers whose names are the same but written differently.
    pub fn subject_normal(&self) -> String {
        name::normal_form(self.subject_der())
    }

    /// The issuer in the form in which names are compared.
    pub fn issuer_normal(&self) -> String {
        name::normal_form(self.issuer_der())
    }

    /// Whether `issuer` bears the name of this certificate's issuer: same bytes, or same normal form.
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

    /// Critical extensions whose demands validation does not look at: dotted identifier, and the name if
    /// the extension is at least known.
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

    /// It probably names a person: it has a mail address (alternative name, subject) or is for mail, and it
    /// has no DNS name.
    pub fn names_a_person(&self) -> bool {
        let any = |kind| self.names().iter().any(|name| name.kind == kind);
        let mail = any(Kind::Email)
            || !self.subject_emails.is_empty()
            || self.extended_key_usage().iter().any(|usage| usage == "emailProtection");
        mail && !any(Kind::Dns) && !self.is_ca()
    }

    /// A short name for lists: common name, else first alternative name, else subject, else serial number.
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
