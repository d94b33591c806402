//! PKCS#7 / CMS SignedData as a bag of certificates (RFC 5652 section 5.1); its signatures are not
//! looked at.

use super::{Broken, ContainerError, Finds, Kind};
use crate::ParseError;
use crate::asn1::{self, Element, Reader};
use crate::ber;

fn broken(error: ParseError) -> ContainerError {
    ContainerError::Structure { container: "PKCS#7", error }
}

/// Takes every certificate of a SignedData in.
pub(super) fn read(
    der: &[u8],
    line: Option<usize>,
    finds: &mut Finds,
) -> Result<(), ContainerError> {
    let der = ber::normalise(der).map_err(broken)?;
    let certificates = certificates(&der).map_err(broken)?;
    let Some(certificates) = certificates else {
        return Ok(());
    };
    let mut reader = certificates.inside();
    while !reader.is_empty() {
        let item = reader.any("a certificate").map_err(broken)?;
        if item.tag == asn1::SEQUENCE {
            finds.push(line, item.raw)?;
        } else {
            let reason = Broken::NotACertificate(Kind::AttributeCertificate);
            finds.add(line, item.raw.to_vec(), Err(reason))?;
        }
    }
    Ok(())
}

/// The certificates field of a SignedData; `None` if it is absent.
fn certificates(der: &[u8]) -> Result<Option<Element<'_>>, ParseError> {
    let mut outer = Reader::new(der).require(asn1::SEQUENCE, "ContentInfo (SEQUENCE)")?.inside();
    outer.require(asn1::OBJECT_IDENTIFIER, "a content type")?;
    let content = outer.require(0xa0, "the content ([0])")?;
    let mut signed = content.inside().require(asn1::SEQUENCE, "SignedData (SEQUENCE)")?.inside();
    signed.require(asn1::INTEGER, "a version (INTEGER)")?;
    signed.require(asn1::SET, "digest algorithms (SET)")?;
    signed.require(asn1::SEQUENCE, "the encapsulated content (SEQUENCE)")?;
    Ok(signed.optional(0xa0))
}
