//! PKCS#12 (RFC 7292): certificates out, keys refused.
//!
//! The structure is walked twice. The first walk needs no password: a key that stands in a readable
//! safe is refused before anything is decrypted. The second opens encrypted safes for their
//! certificates; a key found there is refused too, and never itself decrypted.

use super::{Broken, ContainerError, Finds, KeyPlace, Kind};
use crate::ParseError;
use crate::asn1::{self, Element, Reader};
use crate::{ber, oid};

mod crypt;

pub(super) use crypt::Budget;
use crypt::Failure;

/// Bags inside bags inside …
const DEPTH_MAX: usize = 4;

const KEY: ContainerError = ContainerError::PrivateKey { place: KeyPlace::Pkcs12, line: None };

fn broken(error: ParseError) -> ContainerError {
    ContainerError::Structure { container: "PKCS#12", error }
}

/// The parts of a PFX.
struct Pfx<'a> {
    /// AuthenticatedSafe as DER.
    content: &'a [u8],
    mac: Option<Element<'a>>,
}

/// Takes every certificate of a PFX in.
pub(super) fn read(
    der: &[u8],
    line: Option<usize>,
    password: Option<&str>,
    finds: &mut Finds,
) -> Result<(), ContainerError> {
    let der = ber::normalise(der).map_err(broken)?;
    let pfx = pfx(&der)?;
    // Inside an OCTET STRING the encoding may change again.
    let content = ber::normalise(pfx.content).map_err(broken)?;
    let safes = Reader::new(&content).require(asn1::SEQUENCE, "authenticated safes (SEQUENCE)");
    let safes = safes.map_err(broken)?;
    for safe in safes.inside().elements() {
        if let Some(bags) = data(&safe) {
            take_bags(bags, line, 0, &mut None)?;
        }
    }
    let password = crypt::Password::new(password.unwrap_or_default());
    // What a failure means: without a password, that one is needed.
    let refused = |failure| match failure {
        Failure::Password if password.is_empty() => ContainerError::PasswordMissing,
        Failure::Password => ContainerError::PasswordWrong,
        Failure::Unsupported(what) => ContainerError::Pkcs12(what),
    };
    finds.budget.open().map_err(refused)?;
    if let Some(mac) = &pfx.mac {
        crypt::verify_mac(mac, pfx.content, &password, &mut finds.budget).map_err(refused)?;
    }
    for safe in safes.inside().elements() {
        if let Some(bags) = data(&safe) {
            take_bags(bags, line, 0, &mut Some(finds))?;
            continue;
        }
        let Some((algorithm, secret)) = encrypted(&safe) else {
            return Err(ContainerError::Pkcs12(
                "a safe is not encrypted with a password".to_owned(),
            ));
        };
        let bags =
            crypt::decrypt(&algorithm, &secret, &password, &mut finds.budget).map_err(refused)?;
        // Decryption with a wrong password can look right; what is no SEQUENCE shows it.
        if bags.first() != Some(&asn1::SEQUENCE) {
            return Err(refused(Failure::Password));
        }
        take_bags(&bags, line, 0, &mut Some(finds))?;
    }
    Ok(())
}

fn pfx(der: &[u8]) -> Result<Pfx<'_>, ContainerError> {
    let mut parts =
        Reader::new(der).require(asn1::SEQUENCE, "PFX (SEQUENCE)").map_err(broken)?.inside();
    parts.require(asn1::INTEGER, "a version (INTEGER)").map_err(broken)?;
    let safes = parts.require(asn1::SEQUENCE, "the safes (SEQUENCE)").map_err(broken)?;
    let Some(content) = data(&safes) else {
        return Err(ContainerError::Pkcs12(
            "it is protected by a signature, not a password".to_owned(),
        ));
    };
    Ok(Pfx { content, mac: parts.optional(asn1::SEQUENCE) })
}

/// The octets of a ContentInfo of type data.
fn data<'a>(info: &Element<'a>) -> Option<&'a [u8]> {
    let mut parts = info.inside();
    let kind = parts.optional(asn1::OBJECT_IDENTIFIER)?;
    if kind.content != oid::DATA.as_bytes() {
        return None;
    }
    Some(parts.optional(0xa0)?.inside().optional(asn1::OCTET_STRING)?.content)
}

/// Algorithm and octets of a ContentInfo of type encrypted data (RFC 5652 section 8).
fn encrypted<'a>(info: &Element<'a>) -> Option<(Element<'a>, Vec<u8>)> {
    let mut parts = info.inside();
    let kind = parts.optional(asn1::OBJECT_IDENTIFIER)?;
    if kind.content != oid::ENCRYPTED_DATA.as_bytes() {
        return None;
    }
    let mut encrypted = parts.optional(0xa0)?.inside().optional(asn1::SEQUENCE)?.inside();
    encrypted.optional(asn1::INTEGER)?;
    let mut inner = encrypted.optional(asn1::SEQUENCE)?.inside();
    inner.optional(asn1::OBJECT_IDENTIFIER)?;
    let algorithm = inner.optional(asn1::SEQUENCE)?;
    let content = inner.any("").ok()?;
    match content.tag {
        0x80 => Some((algorithm, content.content.to_vec())),
        0xa0 => {
            let pieces =
                content.inside().elements().flat_map(|piece| piece.content.iter().copied());
            Some((algorithm, pieces.collect()))
        }
        _ => None,
    }
}

/// Takes the bags of a SafeContents: refuses keys, and gathers certificates if `finds` is given.
fn take_bags(
    contents: &[u8],
    line: Option<usize>,
    depth: usize,
    finds: &mut Option<&mut Finds>,
) -> Result<(), ContainerError> {
    let contents = ber::normalise(contents).map_err(broken)?;
    let bags = Reader::new(&contents).require(asn1::SEQUENCE, "bags (SEQUENCE)").map_err(broken)?;
    let mut reader = bags.inside();
    while !reader.is_empty() {
        let bag = reader.require(asn1::SEQUENCE, "a bag (SEQUENCE)").map_err(broken)?;
        let mut parts = bag.inside();
        let kind = parts.require(asn1::OBJECT_IDENTIFIER, "a kind of bag").map_err(broken)?.content;
        let is = |known: &oid::Oid| known.as_bytes() == kind;
        if is(&oid::KEY_BAG) || is(&oid::SHROUDED_KEY_BAG) || is(&oid::SECRET_BAG) {
            return Err(KEY);
        }
        let Some(value) = parts.optional(0xa0) else {
            continue;
        };
        if is(&oid::SAFE_CONTENTS_BAG) && depth < DEPTH_MAX {
            take_bags(value.content, line, depth + 1, finds)?;
        } else if is(&oid::CERTIFICATE_BAG)
            && let Some(finds) = finds
        {
            match certificate(&value) {
                Some(der) => finds.push(line, der)?,
                None => {
                    let reason = Broken::NotACertificate(Kind::Asn1);
                    finds.add(line, value.content.to_vec(), Err(reason))?;
                }
            }
        }
    }
    Ok(())
}

/// The certificate of a CertBag (RFC 7292 section 4.2.3).
fn certificate<'a>(value: &Element<'a>) -> Option<&'a [u8]> {
    let mut parts = value.inside().optional(asn1::SEQUENCE)?.inside();
    let kind = parts.optional(asn1::OBJECT_IDENTIFIER)?;
    if kind.content != oid::X509_CERTIFICATE.as_bytes() {
        return None;
    }
    Some(parts.optional(0xa0)?.inside().optional(asn1::OCTET_STRING)?.content)
}
