//! From bytes to a [`Certificate`]: the skeleton must be there, everything else may be odd.

use aws_lc_rs::digest;

use super::{Certificate, ExtensionAt, extension, key, name, text};
use crate::asn1::{self, Element, Reader};
use crate::{ParseError, time};

impl Certificate {
    /// Reads one certificate. Bytes after it are left out with a warning.
    ///
    /// # Errors
    /// Only what does not have the skeleton of a certificate is refused, with the offset
    /// of the first byte that does not fit.
    pub fn parse(der: &[u8]) -> Result<Self, ParseError> {
        let mut warnings = Vec::new();
        let skeleton = Skeleton::read(der, &mut warnings)?;
        warn_of_frame(der, &skeleton, &mut warnings);
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
}

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
        let whole = Reader::new(der).require(asn1::SEQUENCE, "a certificate (SEQUENCE)")?;
        let mut outer = whole.inside();
        let tbs =
            outer.require(asn1::SEQUENCE, "the part of a certificate that is signed (SEQUENCE)")?;
        let mut inside = tbs.inside();
        let version = match inside.optional(0xa0) {
            Some(version) => asn1::one(version.content, asn1::INTEGER)
                .and_then(|number| asn1::small_integer(number.content))
                .map_or(0, |number| number.saturating_add(1)),
            None => 1,
        };
        let serial = inside.require(asn1::INTEGER, "a serial number (INTEGER)")?;
        let inner_algorithm = inside.require(asn1::SEQUENCE, "a signature algorithm (SEQUENCE)")?;
        let issuer = inside.require(asn1::SEQUENCE, "the issuer's name (SEQUENCE)")?;
        let validity = inside.require(asn1::SEQUENCE, "the validity (SEQUENCE)")?;
        let mut dates = validity.inside();
        let not_before = dates.any("the start of validity (time)")?;
        let not_after = dates.any("the end of validity (time)")?;
        let subject = inside.require(asn1::SEQUENCE, "the subject's name (SEQUENCE)")?;
        let spki = inside.require(asn1::SEQUENCE, "the public key (SEQUENCE)")?;
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
        let algorithm = outer.require(asn1::SEQUENCE, "the signature algorithm (SEQUENCE)")?;
        let signature = outer.require(asn1::BIT_STRING, "the signature (BIT STRING)")?;
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

/// Warns of what is odd about the frame: bytes after it, the version.
fn warn_of_frame(der: &[u8], skeleton: &Skeleton<'_>, warnings: &mut Vec<String>) {
    if der.len() > skeleton.whole.raw.len() {
        let extra = der.len() - skeleton.whole.raw.len();
        warnings.push(format!("{extra} bytes after the certificate were ignored"));
    }
    if !(1..=3).contains(&skeleton.version) {
        warnings.push(format!("version {} does not exist", skeleton.version));
    } else if skeleton.extensions.is_some() && skeleton.version != 3 {
        warnings.push(format!("version {} has extensions", skeleton.version));
    }
}
