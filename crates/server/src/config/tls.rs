//! Certificate and key of the listener.

use std::path::PathBuf;

use super::problem::Problem;
use super::reader::Reader;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "tls.certificate",
        default: "none: plain HTTP",
        expected: "the path of a PEM file",
        meaning: "Certificate chain of the listener, leaf first.",
        flag: Some("--tls-certificate"),
        is_secret: false,
    },
    Setting {
        key: "tls.key",
        default: "none: plain HTTP",
        expected: "the path of a PEM file",
        meaning: "Private key of the listener: PKCS#8, PKCS#1 or SEC1.",
        flag: Some("--tls-key"),
        is_secret: false,
    },
];

/// Certificate and key of the listener. Both or neither.
#[derive(Debug, Clone)]
pub struct Tls {
    /// PEM file with the chain, leaf first.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

impl Tls {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let certificate: Option<PathBuf> = reader.optional("tls.certificate");
        let key: Option<PathBuf> = reader.optional("tls.key");
        let (has, lacks) = match (certificate, key) {
            (Some(certificate), Some(key)) => return Some(Self { certificate, key }),
            (None, None) => return None,
            (Some(_), None) => ("tls.certificate", "tls.key"),
            (None, Some(_)) => ("tls.key", "tls.certificate"),
        };
        // A value that was given and not understood has been reported already.
        if let (None, Some(source)) = (reader.source(lacks), reader.source(has)) {
            let message = format!("{has} is set and {lacks} is not: TLS needs both");
            reader.report(Problem { place: source.to_string(), message });
        }
        None
    }
}
