//! Small P-256 certificates for demonstrations and tests.
//!
//! Not a certification authority: no request is checked, no profile enforced and nothing recorded.
//! Keys come from a seed and times are parameters, so two runs make the same certificates except
//! for the signature, which the library draws at random.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::asn1;
use crate::encode::{bit_string, constructed, element, sequence, unsigned};
use crate::oid::{self, Oid};

/// Why a certificate could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MakeError {
    /// The cryptographic library refused the key or the signature.
    #[error("the cryptographic library refused")]
    Refused,
}

/// A P-256 key.
#[derive(Debug)]
pub struct Key {
    pair: EcdsaKeyPair,
}

impl Key {
    /// The key that belongs to a seed. Whoever knows the seed knows the key.
    ///
    /// # Errors
    /// [`MakeError::Refused`] if the library does not take the derived number, which no
    /// seed is known to do.
    pub fn from_seed(seed: &[u8]) -> Result<Self, MakeError> {
        let hash = digest::digest(&digest::SHA256, seed);
        // ECPrivateKey (RFC 5915) without the public key, which the library works out. The top bit
        // is cleared so that the number is below the order of the curve.
        let mut scalar = hash.as_ref().to_vec();
        if let Some(first) = scalar.first_mut() {
            *first &= 0x7f;
        }
        let der = sequence(&[
            unsigned(&[1]),
            element(asn1::OCTET_STRING, &scalar),
            constructed(0xa0, &[element(asn1::OBJECT_IDENTIFIER, oid::P256.as_bytes())]),
        ]);
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &der);
        Ok(Self { pair: pair.map_err(|_| MakeError::Refused)? })
    }

    fn spki(&self) -> Vec<u8> {
        let algorithm = sequence(&[
            element(asn1::OBJECT_IDENTIFIER, oid::EC_PUBLIC_KEY.as_bytes()),
            element(asn1::OBJECT_IDENTIFIER, oid::P256.as_bytes()),
        ]);
        sequence(&[algorithm, bit_string(self.pair.public_key().as_ref())])
    }

    /// SHA-1 of the public key octets (RFC 5280 section 4.2.1.2, first method).
    fn id(&self) -> Vec<u8> {
        let octets = self.pair.public_key().as_ref();
        digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, octets).as_ref().to_vec()
    }
}

/// What a certificate shall say.
#[derive(Debug, Clone)]
pub struct Template {
    /// Attributes of the subject from general to specific: a short name of RFC 4514 (`CN`, `O`, …)
    /// and a value.
    pub subject: Vec<(String, String)>,
    /// DNS names.
    pub dns: Vec<String>,
    /// Mail addresses.
    pub emails: Vec<String>,
    /// Positive serial number, big-endian.
    pub serial: Vec<u8>,
    /// Start of validity, microseconds since the epoch.
    pub not_before: i64,
    /// End of validity, microseconds since the epoch.
    pub not_after: i64,
    /// A CA.
    pub is_ca: bool,
    /// How many CAs may follow; only for a CA.
    pub path_len: Option<u8>,
    /// DNS subtrees a CA may name; none means no constraint.
    pub permitted_dns: Vec<String>,
}

impl Template {
    /// A leaf for DNS names; the first is also the common name.
    pub fn leaf(dns: &[&str], not_before: i64, not_after: i64) -> Self {
        let common_name = dns.first().map_or_else(String::new, |name| (*name).to_owned());
        Self {
            subject: vec![("CN".to_owned(), common_name)],
            dns: dns.iter().map(|name| (*name).to_owned()).collect(),
            emails: Vec::new(),
            serial: serial(&[dns.concat().as_bytes(), &not_before.to_be_bytes()].concat()),
            not_before,
            not_after,
            is_ca: false,
            path_len: None,
            permitted_dns: Vec::new(),
        }
    }

    /// A CA of this common name.
    pub fn ca(common_name: &str, not_before: i64, not_after: i64) -> Self {
        Self {
            subject: vec![("CN".to_owned(), common_name.to_owned())],
            dns: Vec::new(),
            serial: serial(&[common_name.as_bytes(), &not_before.to_be_bytes()].concat()),
            is_ca: true,
            ..Self::leaf(&[], not_before, not_after)
        }
    }
}

/// A positive serial number of 16 bytes derived from anything.
pub fn serial(from: &[u8]) -> Vec<u8> {
    let mut serial = digest::digest(&digest::SHA256, from).as_ref().to_vec();
    serial.truncate(16);
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    serial
}

/// Who signs.
#[derive(Debug)]
pub struct Issuer<'a> {
    /// The issuer's certificate.
    pub certificate: &'a crate::Certificate,
    /// Its key.
    pub key: &'a Key,
}

/// Makes a certificate and returns its DER. Without an issuer it signs itself.
///
/// # Errors
/// [`MakeError::Refused`] if the library cannot sign.
pub fn certificate(
    template: &Template,
    key: &Key,
    issuer: Option<&Issuer<'_>>,
) -> Result<Vec<u8>, MakeError> {
    let algorithm = sequence(&[element(asn1::OBJECT_IDENTIFIER, oid::ECDSA_SHA256.as_bytes())]);
    let subject = name(&template.subject);
    let issuer_name =
        issuer.map_or_else(|| subject.clone(), |i| i.certificate.subject_der().to_vec());
    let tbs = sequence(&[
        constructed(0xa0, &[unsigned(&[2])]),
        unsigned(&template.serial),
        algorithm.clone(),
        issuer_name,
        sequence(&[time(template.not_before), time(template.not_after)]),
        subject,
        key.spki(),
        constructed(0xa3, &[sequence(&extensions(template, key, issuer))]),
    ]);
    let signer = issuer.map_or(key, |issuer| issuer.key);
    let signature = signer.pair.sign(&SystemRandom::new(), &tbs).map_err(|_| MakeError::Refused)?;
    Ok(sequence(&[tbs, algorithm, bit_string(signature.as_ref())]))
}

fn extensions(template: &Template, key: &Key, issuer: Option<&Issuer<'_>>) -> Vec<Vec<u8>> {
    let mut list =
        vec![extension(&oid::SUBJECT_KEY_ID, false, &element(asn1::OCTET_STRING, &key.id()))];
    let authority = match issuer {
        Some(issuer) => issuer.certificate.subject_key_id().map(<[u8]>::to_vec),
        None => Some(key.id()),
    };
    if let Some(id) = authority {
        list.push(extension(&oid::AUTHORITY_KEY_ID, false, &sequence(&[element(0x80, &id)])));
    }
    if template.is_ca {
        let mut parts = vec![element(asn1::BOOLEAN, &[0xff])];
        parts.extend(template.path_len.map(|length| unsigned(&[length])));
        list.push(extension(&oid::BASIC_CONSTRAINTS, true, &sequence(&parts)));
        // keyCertSign and cRLSign
        list.push(extension(&oid::KEY_USAGE, true, &element(asn1::BIT_STRING, &[1, 0x06])));
    } else {
        list.push(extension(&oid::KEY_USAGE, true, &element(asn1::BIT_STRING, &[7, 0x80])));
        let usage = if template.dns.is_empty() { "1.3.6.1.5.5.7.3.4" } else { "1.3.6.1.5.5.7.3.1" };
        let usage = element(asn1::OBJECT_IDENTIFIER, Oid::new(usage).as_bytes());
        list.push(extension(&oid::EXTENDED_KEY_USAGE, false, &sequence(&[usage])));
    }
    let names: Vec<Vec<u8>> = (template.dns.iter().map(|name| element(0x82, name.as_bytes())))
        .chain(template.emails.iter().map(|name| element(0x81, name.as_bytes())))
        .collect();
    if !names.is_empty() {
        list.push(extension(&oid::SUBJECT_ALT_NAME, false, &sequence(&names)));
    }
    if !template.permitted_dns.is_empty() {
        let subtrees: Vec<Vec<u8>> = template
            .permitted_dns
            .iter()
            .map(|name| sequence(&[element(0x82, name.as_bytes())]))
            .collect();
        let value = sequence(&[constructed(0xa0, &subtrees)]);
        list.push(extension(&oid::NAME_CONSTRAINTS, true, &value));
    }
    list
}

fn extension(kind: &Oid, critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![element(asn1::OBJECT_IDENTIFIER, kind.as_bytes())];
    if critical {
        parts.push(element(asn1::BOOLEAN, &[0xff]));
    }
    parts.push(element(asn1::OCTET_STRING, value));
    sequence(&parts)
}

fn name(attributes: &[(String, String)]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = attributes
        .iter()
        .filter_map(|(kind, value)| {
            let (kind, _) = oid::ATTRIBUTES.iter().find(|(_, name)| name == kind)?;
            let tag = if kind.as_bytes() == [0x55, 4, 6] { 0x13 } else { asn1::UTF8_STRING };
            let pair = sequence(&[
                element(asn1::OBJECT_IDENTIFIER, kind.as_bytes()),
                element(tag, value.as_bytes()),
            ]);
            Some(element(asn1::SET, &pair))
        })
        .collect();
    sequence(&parts)
}

/// UTCTime until 2049, GeneralizedTime after it (RFC 5280 section 4.1.2.5).
fn time(at: i64) -> Vec<u8> {
    let digits: String = crate::time::text(at).chars().filter(char::is_ascii_digit).collect();
    match digits.as_str() {
        text if ("1950".."2050").contains(&&text[..4]) => {
            element(asn1::UTC_TIME, format!("{}Z", &text[2..]).as_bytes())
        }
        text => element(asn1::GENERALIZED_TIME, format!("{text}Z").as_bytes()),
    }
}
