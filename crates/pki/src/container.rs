//! The files certificates arrive in: PEM, DER, PKCS#7 and PKCS#12, told apart by their contents.
//!
//! Private keys are refused wherever they are recognised, before anything is decrypted for them,
//! and no byte of an input is ever repeated in an error. One broken certificate in a bundle does
//! not lose the others.

use std::fmt;

use crate::asn1;
use crate::{Certificate, ParseError};

mod look;
mod pem;
mod pkcs12;
mod pkcs7;

/// Largest input, in bytes.
pub const INPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most certificates in one input.
pub const CERTIFICATES_MAX: usize = 10_000;

/// What an input (or a part of one) turned out to be instead of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A certificate request (PKCS#10).
    Request,
    /// A certificate revocation list.
    Crl,
    /// A public key alone.
    PublicKey,
    /// An OCSP answer.
    OcspResponse,
    /// An attribute certificate.
    AttributeCertificate,
    /// A Java key store.
    JavaKeyStore,
    /// An SSH key or certificate.
    Ssh,
    /// A PGP message or key.
    Pgp,
    /// An HTML page.
    Html,
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// A ZIP archive.
    Zip,
    /// Gzip data.
    Gzip,
    /// A PDF document.
    Pdf,
    /// A PEM block with another label.
    OtherPem,
    /// Text of some kind.
    Text,
    /// ASN.1 of some kind.
    Asn1,
    /// Other bytes.
    Binary,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Request => "this is a certificate request, not a certificate",
            Self::Crl => "this is a certificate revocation list, not a certificate",
            Self::PublicKey => "this is a public key, not a certificate",
            Self::OcspResponse => "this is an OCSP response, not a certificate",
            Self::AttributeCertificate => {
                "this is an attribute certificate, not a public key certificate"
            }
            Self::JavaKeyStore => {
                "this is a Java key store; export the certificate as PEM or PKCS#12"
            }
            Self::Ssh => "this is an SSH key, not an X.509 certificate",
            Self::Pgp => "this is PGP data, not an X.509 certificate",
            Self::Html => "this looks like an HTML page",
            Self::Json => "this looks like JSON",
            Self::Xml => "this looks like XML",
            Self::Zip => "this is a ZIP archive; upload what is inside",
            Self::Gzip => "this is gzip data; upload what is inside",
            Self::Pdf => "this is a PDF document",
            Self::OtherPem => "this PEM block is not a certificate",
            Self::Text => "this is text without a certificate in it",
            Self::Asn1 => "this is ASN.1 data, but not a certificate",
            Self::Binary => "these bytes are in no known format",
        })
    }
}

/// Where a private key was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a PEM block.
    Pem,
    /// As bare DER.
    Der,
    /// In a PKCS#12 file.
    Pkcs12,
}

/// Why an input was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContainerError {
    /// Nothing, or only white space.
    #[error("the file is empty")]
    Empty,
    /// Above [`INPUT_BYTES_MAX`].
    #[error("the file has {bytes} bytes, more than the {INPUT_BYTES_MAX} allowed")]
    TooLarge {
        /// Size of the input.
        bytes: usize,
    },
    /// Above [`CERTIFICATES_MAX`].
    #[error("the file has more than {CERTIFICATES_MAX} certificates")]
    TooMany,
    /// A private key is in it.
    #[error("the file contains a private key; upload the certificate without its key")]
    PrivateKey {
        /// Where it was seen.
        place: KeyPlace,
        /// Line of the PEM block, from 1.
        line: Option<usize>,
    },
    /// Something else than certificates.
    #[error("no certificate found: {kind}")]
    NotACertificate {
        /// What it looks like.
        kind: Kind,
    },
    /// Bytes that are nothing known.
    #[error(
        "no certificate found: {} (at byte 0: expected text, or 0x30, with which DER begins, \
         found {first:#04x})",
        Kind::Binary
    )]
    UnknownFormat {
        /// The first byte.
        first: u8,
    },
    /// The container is sound and has no certificate in it.
    #[error("the file contains no certificate")]
    NoCertificates,
    /// The only certificate, or every one, is broken; this is the first.
    #[error("certificate {}: {reason}", index + 1)]
    Broken {
        /// Position in the input, from 0.
        index: usize,
        /// What is wrong with it.
        reason: Broken,
    },
    /// The PKCS#7 or PKCS#12 structure is broken.
    #[error("the {container} structure is broken: {error}")]
    Structure {
        /// `PKCS#7` or `PKCS#12`.
        container: &'static str,
        /// Where and how.
        error: ParseError,
    },
    /// PKCS#12 needs a password and none was given.
    #[error("the PKCS#12 file needs a password")]
    PasswordMissing,
    /// The password does not open the PKCS#12 file.
    #[error("the password does not open the PKCS#12 file")]
    PasswordWrong,
    /// PKCS#12 with something not supported or broken inside.
    #[error("the PKCS#12 file cannot be read: {0}")]
    Pkcs12(String),
}

/// Why one certificate of a container could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A character that is not base64.
    #[error("line {line}: this is not base64")]
    Base64 {
        /// Line in the input, from 1.
        line: usize,
    },
    /// The END line is missing.
    #[error("line {line}: the block that begins here has no END line")]
    NoEnd {
        /// Line of the BEGIN, from 1.
        line: usize,
    },
    /// It is something else.
    #[error("{0}")]
    NotACertificate(Kind),
    /// The DER does not have the skeleton of a certificate.
    #[error("{0}")]
    Parse(#[from] ParseError),
}

/// One certificate, or the place where one should have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Position in the input, from 0.
    pub index: usize,
    /// Line where it begins, from 1, in text formats.
    pub line: Option<usize>,
    /// Its bytes; empty if it could not even be decoded.
    pub der: Vec<u8>,
    /// The certificate, or what is wrong.
    pub result: Result<Certificate, Broken>,
}

/// What the parts of an input are gathered in.
#[derive(Default)]
struct Finds {
    list: Vec<Found>,
    /// What PKCS#12 may still ask for, in the whole input.
    budget: pkcs12::Budget,
}

impl Finds {
    fn push(&mut self, line: Option<usize>, der: &[u8]) -> Result<(), ContainerError> {
        let result = Certificate::parse(der).map_err(|error| match look::der_kind(der) {
            look::Der::Other(kind) if kind != Kind::Asn1 && kind != Kind::Binary => {
                Broken::NotACertificate(kind)
            }
            _ => Broken::Parse(error),
        });
        let der = result.as_ref().map_or(der, |certificate| certificate.der()).to_vec();
        self.add(line, der, result)
    }

    fn add(
        &mut self,
        line: Option<usize>,
        der: Vec<u8>,
        result: Result<Certificate, Broken>,
    ) -> Result<(), ContainerError> {
        if self.list.len() >= CERTIFICATES_MAX {
            return Err(ContainerError::TooMany);
        }
        self.list.push(Found { index: self.list.len(), line, der, result });
        Ok(())
    }

    /// The list, unless nothing in it can be used.
    fn finish(self) -> Result<Vec<Found>, ContainerError> {
        if self.list.iter().any(|found| found.result.is_ok()) {
            return Ok(self.list);
        }
        match self.list.into_iter().next() {
            Some(Found { result: Err(Broken::NotACertificate(kind)), .. }) => {
                Err(ContainerError::NotACertificate { kind })
            }
            Some(Found { index, result: Err(reason), .. }) => {
                Err(ContainerError::Broken { index, reason })
            }
            _ => Err(ContainerError::NoCertificates),
        }
    }
}

/// Reads every certificate of a file. `password` is used for PKCS#12 only.
///
/// # Errors
/// See [`ContainerError`]. A list that is returned has at least one readable certificate;
/// broken ones are in it at their place.
pub fn read(bytes: &[u8], password: Option<&str>) -> Result<Vec<Found>, ContainerError> {
    let mut finds = Finds::default();
    gather(bytes, password, &mut finds)?;
    finds.finish()
}

/// As [`read`] without a password; `None` if a key would have to be derived for it, which takes
/// long and is not done here.
pub fn read_at_once(bytes: &[u8]) -> Option<Result<Vec<Found>, ContainerError>> {
    let mut finds = Finds { budget: pkcs12::Budget::none(), ..Finds::default() };
    let gathered = gather(bytes, None, &mut finds);
    if finds.budget.exceeded {
        return None;
    }
    Some(gathered.and_then(|()| finds.finish()))
}

fn gather(bytes: &[u8], password: Option<&str>, finds: &mut Finds) -> Result<(), ContainerError> {
    if bytes.len() > INPUT_BYTES_MAX {
        return Err(ContainerError::TooLarge { bytes: bytes.len() });
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ContainerError::Empty);
    }
    let text = look::as_text(bytes);
    let text = text.as_ref();
    if pem::is_pem(text) {
        return pem::read(text, password, finds);
    }
    if bytes.first() == Some(&asn1::SEQUENCE) {
        binary(bytes, None, password, finds)
    } else if let Some(der) = pem::bare_base64(text) {
        binary(&der, Some(1), password, finds)
    } else {
        Err(match look::kind(text) {
            Kind::Binary => ContainerError::UnknownFormat { first: bytes[0] },
            kind => ContainerError::NotACertificate { kind },
        })
    }
}

/// Takes DER of any supported kind in.
fn binary(
    der: &[u8],
    line: Option<usize>,
    password: Option<&str>,
    finds: &mut Finds,
) -> Result<(), ContainerError> {
    match look::der_kind(der) {
        look::Der::Pkcs7 => pkcs7::read(der, line, finds),
        look::Der::Pkcs12 => pkcs12::read(der, line, password, finds),
        look::Der::PrivateKey => Err(ContainerError::PrivateKey { place: KeyPlace::Der, line }),
        look::Der::Other(kind) if kind != Kind::Asn1 => {
            finds.add(line, Vec::new(), Err(Broken::NotACertificate(kind)))
        }
        look::Der::Certificate | look::Der::Other(_) => certificates(der, line, finds),
    }
}

/// Certificates in DER, one directly after the other.
fn certificates(der: &[u8], line: Option<usize>, finds: &mut Finds) -> Result<(), ContainerError> {
    let mut rest = der;
    loop {
        finds.push(line, rest)?;
        let taken = finds.list.last().map_or(0, |found| match found.result {
            Ok(_) => found.der.len(),
            Err(_) => rest.len(),
        });
        rest = rest.get(taken..).unwrap_or_default();
        if !matches!(look::der_kind(rest), look::Der::Certificate) {
            return Ok(());
        }
    }
}
