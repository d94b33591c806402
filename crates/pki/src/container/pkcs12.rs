//! PKCS#12 (RFC 7292): certificates out, keys refused.
//!
//! The outline is walked first, without a password: a key that stands in a readable safe is refused before
//! anything is decrypted. Keys in encrypted safes are refused after decryption and dropped at once.

use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error;

use super::{ContainerError, Finds, KeyPlace};
use crate::ParseError;
use crate::asn1::{self, Reader};
use crate::{ber, oid};

const KEY: ContainerError = ContainerError::PrivateKey { place: KeyPlace::Pkcs12, line: None };

/// What can be seen without a password.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outline {
    has_key: bool,
    has_mac: bool,
    is_encrypted: bool,
}

/// Takes every certificate of a PFX in.
pub(super) fn read(
    der: &[u8],
    line: Option<usize>,
    password: Option<&str>,
    finds: &mut Finds,
) -> Result<(), ContainerError> {
    let broken = |error| ContainerError::Structure { container: "PKCS#12", error };
    let der = ber::normalise(der).map_err(broken)?;
    let outline = outline(&der).map_err(broken)?;
    if outline.has_key {
        return Err(KEY);
    }
    let archive = match Pkcs12Archive::from_pkcs12(&der, password.unwrap_or_default()) {
        Ok(archive) => archive,
        Err(Error::MacError(_) | Error::Pkcs5Error(_) | Error::UnpadError)
            if outline.has_mac || outline.is_encrypted =>
        {
            return Err(match password {
                None | Some("") => ContainerError::PasswordMissing,
                Some(_) => ContainerError::PasswordWrong,
            });
        }
        Err(error) => return Err(ContainerError::Pkcs12(error.to_string())),
    };
    if !archive.keys.is_empty() || !archive.secrets.is_empty() {
        return Err(KEY);
    }
    for bag in &archive.certs {
        finds.push(line, bag.cert.as_der())?;
    }
    Ok(())
}

/// Walks the safes that are not encrypted.
fn outline(der: &[u8]) -> Result<Outline, ParseError> {
    let mut pfx = Reader::new(der).expect(asn1::SEQUENCE, "PFX (SEQUENCE)")?.inside();
    pfx.expect(asn1::INTEGER, "a version (INTEGER)")?;
    let safes = pfx.expect(asn1::SEQUENCE, "the safes (SEQUENCE)")?;
    let mut outline = Outline { has_mac: !pfx.is_empty(), ..Outline::default() };
    let Some(content) = data(&mut safes.inside()) else {
        return Ok(outline);
    };
    let authenticated =
        Reader::new(content).expect(asn1::SEQUENCE, "authenticated safes (SEQUENCE)")?;
    for safe in authenticated.inside().elements() {
        let Some(bags) = data(&mut safe.inside()) else {
            outline.is_encrypted = true;
            continue;
        };
        let Some(bags) = asn1::one(bags, asn1::SEQUENCE) else {
            continue;
        };
        for bag in bags.inside().elements() {
            let kind =
                bag.inside().optional(asn1::OBJECT_IDENTIFIER).map_or(&[][..], |kind| kind.content);
            outline.has_key |=
                kind == oid::KEY_BAG.as_bytes() || kind == oid::SHROUDED_KEY_BAG.as_bytes();
        }
    }
    Ok(outline)
}

/// The octets of a ContentInfo of type data.
fn data<'a>(info: &mut Reader<'a>) -> Option<&'a [u8]> {
    let kind = info.optional(asn1::OBJECT_IDENTIFIER)?;
    if kind.content != oid::DATA.as_bytes() {
        return None;
    }
    Some(info.optional(0xa0)?.inside().optional(asn1::OCTET_STRING)?.content)
}
