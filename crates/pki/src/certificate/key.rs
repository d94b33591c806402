//! Public keys and signature algorithms by name and size.

use crate::asn1::{self, Element};
use crate::oid;

/// What a SubjectPublicKeyInfo says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Key {
    pub algorithm: String,
    pub size: Option<u32>,
    pub curve: Option<String>,
    /// Where the octets of the key itself stand in the input.
    pub octets: std::ops::Range<usize>,
    pub odd: bool,
}

/// Reads a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). Never fails: what cannot be read is
/// marked odd.
pub(crate) fn read(info: &Element<'_>) -> Key {
    read_info(info).unwrap_or_else(|| Key {
        algorithm: "unknown".to_owned(),
        odd: true,
        ..Key::default()
    })
}

fn read_info(info: &Element<'_>) -> Option<Key> {
    let mut inside = info.inside();
    let algorithm = inside.optional(asn1::SEQUENCE)?;
    let bits = inside.optional(asn1::BIT_STRING)?;
    let mut parts = algorithm.inside();
    let kind = parts.optional(asn1::OBJECT_IDENTIFIER)?.content;
    let parameters = parts.any("").ok();
    let octets = bits.content_range().start.saturating_add(1).min(bits.content_range().end)
        ..bits.content_range().end;
    let mut key = Key {
        algorithm: oid::name_or_dotted(oid::KEYS, kind),
        octets,
        odd: bits.content.first() != Some(&0),
        ..Key::default()
    };
    match key.algorithm.as_str() {
        "RSA" | "RSA-PSS" | "RSA-OAEP" => {
            key.size = asn1::one(bits.bits(), asn1::SEQUENCE)
                .and_then(|pair| pair.inside().optional(asn1::INTEGER))
                .map(|modulus| asn1::integer_bits(modulus.content));
            key.odd |= key.size.is_none();
        }
        "EC" => key.curve_from(parameters),
        "DSA" => {
            key.size = parameters
                .and_then(|parameters| parameters.inside().optional(asn1::INTEGER))
                .map(|prime| asn1::integer_bits(prime.content));
        }
        "Ed25519" | "X25519" => key.size = Some(256),
        "Ed448" => key.size = Some(456),
        "X448" => key.size = Some(448),
        _ => key.size = u32::try_from(bits.bits().len()).ok().and_then(|n| n.checked_mul(8)),
    }
    Some(key)
}

impl Key {
    fn curve_from(&mut self, parameters: Option<Element<'_>>) {
        let Some(parameters) = parameters else {
            self.odd = true;
            return;
        };
        if parameters.tag == asn1::OBJECT_IDENTIFIER {
            let curve = oid::name_or_dotted(oid::CURVES, parameters.content);
            self.size = curve_bits(&curve);
            self.curve = Some(curve);
            return;
        }
        // Explicit parameters (RFC 3279 section 2.3.5): version, field { kind, prime }, …
        self.curve = Some("explicit".to_owned());
        let mut inside = parameters.inside();
        self.size = inside
            .optional(asn1::INTEGER)
            .and_then(|_| inside.optional(asn1::SEQUENCE))
            .and_then(|field| {
                let mut field = field.inside();
                field.optional(asn1::OBJECT_IDENTIFIER)?;
                field.optional(asn1::INTEGER)
            })
            .map(|prime| asn1::integer_bits(prime.content));
    }
}

/// Bits of a named curve, taken from the digits in its name.
fn curve_bits(name: &str) -> Option<u32> {
    if name == "SM2" {
        return Some(256);
    }
    if name.contains('.') {
        return None;
    }
    let digits: String = name
        .chars()
        .skip_while(|character| !character.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

/// Parameters of an RSA-PSS signature (RFC 4055 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pss {
    pub hash: Option<&'static str>,
    pub mask_hash: Option<&'static str>,
    pub salt_length: u32,
}

/// Reads the parameters out of a signature AlgorithmIdentifier; absent fields have their SHA-1
/// defaults.
pub(crate) fn pss(algorithm: &[u8]) -> Option<Pss> {
    let mut parts = asn1::one(algorithm, asn1::SEQUENCE)?.inside();
    parts.optional(asn1::OBJECT_IDENTIFIER)?;
    let mut result = Pss { hash: Some("SHA1"), mask_hash: Some("SHA1"), salt_length: 20 };
    let Some(parameters) = parts.optional(asn1::SEQUENCE) else {
        return Some(result);
    };
    let identifier = |element: Element<'_>| {
        let mut inside = element.inside();
        let kind = inside.optional(asn1::OBJECT_IDENTIFIER)?.content;
        oid::name(oid::HASHES, kind)
    };
    for field in parameters.inside().elements() {
        let value = field.inside().any("").ok()?;
        match field.tag {
            0xa0 => result.hash = identifier(value),
            0xa1 => {
                let mut inside = value.inside();
                let kind = inside.optional(asn1::OBJECT_IDENTIFIER)?;
                let is_mgf1 = kind.content == oid::MGF1.as_bytes();
                result.mask_hash = inside.any("").ok().and_then(identifier).filter(|_| is_mgf1);
            }
            0xa2 => result.salt_length = asn1::small_integer(value.content)?,
            _ => {}
        }
    }
    Some(result)
}

/// A readable name of a signature AlgorithmIdentifier (the whole SEQUENCE), or its dotted
/// identifier.
pub(crate) fn signature_name(algorithm: &[u8]) -> String {
    let kind = asn1::one(algorithm, asn1::SEQUENCE)
        .and_then(|parts| parts.inside().optional(asn1::OBJECT_IDENTIFIER))
        .map_or(&[][..], |kind| kind.content);
    if kind == oid::RSA_PSS.as_bytes() {
        let hash = pss(algorithm).and_then(|parameters| parameters.hash);
        return format!("RSA-PSS-{}", hash.unwrap_or("unknown"));
    }
    oid::name(oid::SIGNATURES, kind)
        .or_else(|| oid::name(oid::KEYS, kind))
        .map_or_else(|| oid::dotted(kind), str::to_owned)
}
