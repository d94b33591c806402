//! The extensions this crate understands: RFC 5280 section 4.2 and signed certificate timestamps.
//!
//! A broken extension is reported as odd and otherwise left empty; it never makes a certificate
//! unreadable.

use super::general_name::{self, GeneralName};
use crate::asn1::{self, Element, Reader};
use crate::oid;

/// Names of the bits of KeyUsage (RFC 5280 section 4.2.1.3), in order.
const KEY_USAGES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

/// What all understood extensions together say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub subject_key_id: Option<Vec<u8>>,
    pub authority_key_id: Option<Vec<u8>>,
    pub basic_constraints: bool,
    pub is_ca: bool,
    pub path_len: Option<u32>,
    pub key_usage: Vec<&'static str>,
    pub has_key_usage: bool,
    pub extended_key_usage: Vec<String>,
    pub names: Vec<GeneralName>,
    /// Normal forms of the directory names among `names`.
    pub directory_names: Vec<String>,
    pub policies: Vec<String>,
    pub crl_distribution_points: Vec<String>,
    pub ocsp_urls: Vec<String>,
    pub ca_issuer_urls: Vec<String>,
    pub scts: usize,
    pub precertificate: bool,
    pub name_constraints: Option<NameConstraints>,
}

/// Permitted and excluded name subtrees (RFC 5280 section 4.2.1.10).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NameConstraints {
    pub permitted: Vec<GeneralName>,
    pub excluded: Vec<GeneralName>,
}

/// Whether validation knows what a critical extension of this type demands.
pub(crate) fn is_processed(kind: &[u8]) -> bool {
    [
        oid::SUBJECT_KEY_ID,
        oid::KEY_USAGE,
        oid::SUBJECT_ALT_NAME,
        oid::BASIC_CONSTRAINTS,
        oid::NAME_CONSTRAINTS,
        oid::CRL_DISTRIBUTION_POINTS,
        oid::CERTIFICATE_POLICIES,
        oid::AUTHORITY_KEY_ID,
        oid::EXTENDED_KEY_USAGE,
        oid::AUTHORITY_INFORMATION,
        oid::SCT_LIST,
        oid::POISON,
    ]
    .iter()
    .any(|known| known.as_bytes() == kind)
}

impl Known {
    /// Takes one extension in; `None` if its value is not what its type demands.
    pub fn take(&mut self, kind: &[u8], value: &[u8]) -> Option<()> {
        let is = |known: &oid::Oid| known.as_bytes() == kind;
        if is(&oid::SUBJECT_KEY_ID) {
            self.subject_key_id = Some(asn1::one(value, asn1::OCTET_STRING)?.content.to_vec());
        } else if is(&oid::AUTHORITY_KEY_ID) {
            let key_id = Reader::elements(asn1::one(value, asn1::SEQUENCE)?.inside())
                .find(|field| field.tag == 0x80);
            self.authority_key_id = key_id.map(|id| id.content.to_vec());
        } else if is(&oid::BASIC_CONSTRAINTS) {
            self.basic_constraints(value)?;
        } else if is(&oid::KEY_USAGE) {
            self.key_usage = key_usage(asn1::one(value, asn1::BIT_STRING)?);
            self.has_key_usage = true;
        } else if is(&oid::EXTENDED_KEY_USAGE) {
            self.extended_key_usage = series(value)?
                .map(|usage| oid::name_or_dotted(oid::EXTENDED_KEY_USAGES, usage.content))
                .collect();
        } else if is(&oid::SUBJECT_ALT_NAME) {
            self.names = series(value)?.map(|name| general_name::read(&name)).collect();
            self.directory_names = series(value)?
                .filter(|name| name.tag == 0xa4)
                .map(|name| general_name::read_constraint(&name).value)
                .collect();
            return (!self.names.is_empty()).then_some(());
        } else if is(&oid::CERTIFICATE_POLICIES) {
            self.policies = series(value)?
                .filter_map(|policy| policy.inside().optional(asn1::OBJECT_IDENTIFIER))
                .map(|policy| oid::dotted(policy.content))
                .collect();
        } else if is(&oid::CRL_DISTRIBUTION_POINTS) {
            self.crl_distribution_points = distribution_points(value)?;
        } else if is(&oid::AUTHORITY_INFORMATION) {
            self.authority_information(value)?;
        } else if is(&oid::SCT_LIST) {
            self.scts = count_scts(asn1::one(value, asn1::OCTET_STRING)?.content)?;
        } else if is(&oid::POISON) {
            self.precertificate = true;
        } else if is(&oid::NAME_CONSTRAINTS) {
            self.name_constraints = Some(name_constraints(value)?);
        }
        Some(())
    }

    fn basic_constraints(&mut self, value: &[u8]) -> Option<()> {
        let mut inside = asn1::one(value, asn1::SEQUENCE)?.inside();
        self.basic_constraints = true;
        if let Some(flag) = inside.optional(asn1::BOOLEAN) {
            self.is_ca = flag.content.iter().any(|octet| *octet != 0);
        }
        if let Some(length) = inside.optional(asn1::INTEGER) {
            self.path_len = Some(asn1::small_integer(length.content)?);
        }
        inside.is_empty().then_some(())
    }

    fn authority_information(&mut self, value: &[u8]) -> Option<()> {
        for access in series(value)? {
            let mut inside = access.inside();
            let method = inside.optional(asn1::OBJECT_IDENTIFIER)?.content;
            let location = general_name::read(&inside.any("").ok()?);
            if location.kind != general_name::Kind::Uri {
                continue;
            }
            if method == oid::OCSP.as_bytes() {
                self.ocsp_urls.push(location.value);
            } else if method == oid::CA_ISSUERS.as_bytes() {
                self.ca_issuer_urls.push(location.value);
            }
        }
        Some(())
    }
}

/// The elements inside a SEQUENCE.
fn series(value: &[u8]) -> Option<impl Iterator<Item = Element<'_>>> {
    Some(asn1::one(value, asn1::SEQUENCE)?.inside().elements())
}

fn key_usage(bits: Element<'_>) -> Vec<&'static str> {
    let octets = bits.bits();
    KEY_USAGES
        .iter()
        .enumerate()
        .filter(|(index, _)| {
            octets.get(index / 8).is_some_and(|octet| octet & (0x80 >> (index % 8)) != 0)
        })
        .map(|(_, name)| *name)
        .collect()
}

fn distribution_points(value: &[u8]) -> Option<Vec<String>> {
    let mut urls = Vec::new();
    for point in series(value)? {
        // DistributionPoint { [0] { [0] fullName } }
        let full_name = point.inside().optional(0xa0).and_then(|name| name.inside().optional(0xa0));
        if let Some(full_name) = full_name {
            let names = full_name.inside().elements().map(|name| general_name::read(&name));
            urls.extend(names.filter(|name| name.kind == general_name::Kind::Uri).map(|n| n.value));
        }
    }
    Some(urls)
}

/// Entries of a SignedCertificateTimestampList (RFC 6962 section 3.3).
fn count_scts(list: &[u8]) -> Option<usize> {
    let (length, mut rest) = list.split_first_chunk::<2>()?;
    if usize::from(u16::from_be_bytes(*length)) != rest.len() {
        return None;
    }
    let mut count = 0;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        rest = after.get(usize::from(u16::from_be_bytes(*length))..)?;
        count += 1;
    }
    Some(count)
}

fn name_constraints(value: &[u8]) -> Option<NameConstraints> {
    let mut constraints = NameConstraints::default();
    for field in series(value)? {
        let names = field
            .inside()
            .elements()
            .filter_map(|subtree| subtree.inside().any("").ok())
            .map(|base| general_name::read_constraint(&base));
        match field.tag {
            0xa0 => constraints.permitted.extend(names),
            0xa1 => constraints.excluded.extend(names),
            _ => return None,
        }
    }
    Some(constraints)
}
