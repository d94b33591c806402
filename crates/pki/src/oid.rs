//! Object identifiers: compared as bytes, shown by name where one is in common use.

/// An object identifier in its DER contents form, built at compile time from its dotted text.
#[derive(Clone, Copy)]
pub(crate) struct Oid {
    bytes: [u8; 16],
    length: usize,
}

impl Oid {
    /// From dotted text. A text that is wrong or too long fails the build, since this runs in
    /// constants.
    pub const fn new(text: &str) -> Self {
        let text = text.as_bytes();
        let mut oid = Self { bytes: [0; 16], length: 0 };
        let (mut at, mut arc, mut index, mut first) = (0, 0u64, 0, 0u64);
        while at <= text.len() {
            if at == text.len() || text[at] == b'.' {
                if index == 0 {
                    first = arc;
                } else if index == 1 {
                    oid = oid.push(first * 40 + arc);
                } else {
                    oid = oid.push(arc);
                }
                index += 1;
                arc = 0;
            } else {
                assert!(text[at].is_ascii_digit());
                arc = arc * 10 + (text[at] - b'0') as u64;
            }
            at += 1;
        }
        oid
    }

    const fn push(mut self, arc: u64) -> Self {
        let mut groups = 1;
        while groups < 9 && arc >> (7 * groups) != 0 {
            groups += 1;
        }
        while groups > 0 {
            groups -= 1;
            let more = if groups > 0 { 0x80 } else { 0 };
            self.bytes[self.length] = ((arc >> (7 * groups)) & 0x7f) as u8 | more;
            self.length += 1;
        }
        self
    }

    /// The DER contents.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Dotted text of DER contents; broken contents become `?` and their hexadecimal digits.
pub(crate) fn dotted(content: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(content.len() * 3);
    let mut arc: u128 = 0;
    let mut first = true;
    for (index, &octet) in content.iter().enumerate() {
        if arc >> 100 != 0 {
            return format!("?{}", crate::asn1::hex(content));
        }
        arc = (arc << 7) | u128::from(octet & 0x7f);
        if octet & 0x80 != 0 {
            if index + 1 == content.len() {
                return format!("?{}", crate::asn1::hex(content));
            }
            continue;
        }
        let written = if first {
            let root = (arc / 40).min(2);
            write!(text, "{root}.{}", arc - root * 40)
        } else {
            write!(text, ".{arc}")
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
        first = false;
        arc = 0;
    }
    if first { "?".to_owned() } else { text }
}

/// Looks a name up.
pub(crate) fn name(table: &[(Oid, &'static str)], content: &[u8]) -> Option<&'static str> {
    table.iter().find(|(oid, _)| oid.as_bytes() == content).map(|(_, name)| *name)
}

/// The name, or the dotted text.
pub(crate) fn name_or_dotted(table: &[(Oid, &'static str)], content: &[u8]) -> String {
    name(table, content).map_or_else(|| dotted(content), str::to_owned)
}

macro_rules! table {
    ($($(#[$doc:meta])* $name:ident { $($oid:literal => $text:literal,)* })*) => {
        $(
            $(#[$doc])*
            pub(crate) const $name: &[(Oid, &str)] =
                &[$((const { Oid::new($oid) }, $text)),*];
        )*
    };
}

macro_rules! single {
    ($($name:ident = $oid:literal;)*) => {
        $(pub(crate) const $name: Oid = Oid::new($oid);)*
    };
}

single! {
    COMMON_NAME = "2.5.4.3";
    EMAIL_ADDRESS = "1.2.840.113549.1.9.1";
    RSA_PSS = "1.2.840.113549.1.1.10";
    MGF1 = "1.2.840.113549.1.1.8";
    EC_PUBLIC_KEY = "1.2.840.10045.2.1";
    P256 = "1.2.840.10045.3.1.7";
    ECDSA_SHA256 = "1.2.840.10045.4.3.2";
    SUBJECT_KEY_ID = "2.5.29.14";
    KEY_USAGE = "2.5.29.15";
    SUBJECT_ALT_NAME = "2.5.29.17";
    BASIC_CONSTRAINTS = "2.5.29.19";
    NAME_CONSTRAINTS = "2.5.29.30";
    CRL_DISTRIBUTION_POINTS = "2.5.29.31";
    CERTIFICATE_POLICIES = "2.5.29.32";
    AUTHORITY_KEY_ID = "2.5.29.35";
    EXTENDED_KEY_USAGE = "2.5.29.37";
    AUTHORITY_INFORMATION = "1.3.6.1.5.5.7.1.1";
    SCT_LIST = "1.3.6.1.4.1.11129.2.4.2";
    POISON = "1.3.6.1.4.1.11129.2.4.3";
    OCSP = "1.3.6.1.5.5.7.48.1";
    CA_ISSUERS = "1.3.6.1.5.5.7.48.2";
    USER_PRINCIPAL_NAME = "1.3.6.1.4.1.311.20.2.3";
    SMTP_UTF8_MAILBOX = "1.3.6.1.5.5.7.8.9";
    DATA = "1.2.840.113549.1.7.1";
    SIGNED_DATA = "1.2.840.113549.1.7.2";
    KEY_BAG = "1.2.840.113549.1.12.10.1.1";
    SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2";
    CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3";
    SECRET_BAG = "1.2.840.113549.1.12.10.1.5";
    SAFE_CONTENTS_BAG = "1.2.840.113549.1.12.10.1.6";
    X509_CERTIFICATE = "1.2.840.113549.1.9.22.1";
    ENCRYPTED_DATA = "1.2.840.113549.1.7.6";
    PBES2 = "1.2.840.113549.1.5.13";
    PBMAC1 = "1.2.840.113549.1.5.14";
    PBKDF2 = "1.2.840.113549.1.5.12";
}

table! {
    /// Attribute types in distinguished names; the first nine are those of RFC 4514 section 3.
    ATTRIBUTES {
        "2.5.4.3" => "CN", "2.5.4.6" => "C", "2.5.4.10" => "O", "2.5.4.11" => "OU", "2.5.4.8" => "ST",
        "2.5.4.7" => "L", "2.5.4.9" => "STREET", "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID", "1.2.840.113549.1.9.1" => "emailAddress",
        "2.5.4.5" => "serialNumber", "2.5.4.4" => "SN", "2.5.4.42" => "GN", "2.5.4.12" => "title",
        "2.5.4.13" => "description", "2.5.4.15" => "businessCategory", "2.5.4.16" => "postalAddress",
        "2.5.4.17" => "postalCode", "2.5.4.18" => "postOfficeBox", "2.5.4.20" => "telephoneNumber",
        "2.5.4.41" => "name", "2.5.4.43" => "initials", "2.5.4.44" => "generationQualifier",
        "2.5.4.45" => "x500UniqueIdentifier", "2.5.4.46" => "dnQualifier", "2.5.4.65" => "pseudonym",
        "2.5.4.97" => "organizationIdentifier", "1.3.6.1.4.1.311.60.2.1.1" => "jurisdictionL",
        "1.3.6.1.4.1.311.60.2.1.2" => "jurisdictionST", "1.3.6.1.4.1.311.60.2.1.3" => "jurisdictionC",
        "1.2.840.113549.1.9.2" => "unstructuredName", "1.2.840.113549.1.9.8" => "unstructuredAddress",
        "0.9.2342.19200300.100.1.3" => "mail",
    }
    /// Public key algorithms.
    KEYS {
        "1.2.840.113549.1.1.1" => "RSA", "1.2.840.10045.2.1" => "EC", "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448", "1.3.101.110" => "X25519", "1.3.101.111" => "X448",
        "1.2.840.113549.1.1.10" => "RSA-PSS", "1.2.840.113549.1.1.7" => "RSA-OAEP",
        "1.2.840.10040.4.1" => "DSA", "1.2.840.113549.1.3.1" => "DH", "1.2.840.10046.2.1" => "DH",
        "2.16.840.1.101.3.4.3.17" => "ML-DSA-44", "2.16.840.1.101.3.4.3.18" => "ML-DSA-65",
        "2.16.840.1.101.3.4.3.19" => "ML-DSA-87", "2.16.840.1.101.3.4.4.1" => "ML-KEM-512",
        "2.16.840.1.101.3.4.4.2" => "ML-KEM-768", "2.16.840.1.101.3.4.4.3" => "ML-KEM-1024",
        "2.16.840.1.101.3.4.3.20" => "SLH-DSA-SHA2-128s", "2.16.840.1.101.3.4.3.21" => "SLH-DSA-SHA2-128f",
        "2.16.840.1.101.3.4.3.22" => "SLH-DSA-SHA2-192s", "2.16.840.1.101.3.4.3.23" => "SLH-DSA-SHA2-192f",
        "2.16.840.1.101.3.4.3.24" => "SLH-DSA-SHA2-256s", "2.16.840.1.101.3.4.3.25" => "SLH-DSA-SHA2-256f",
        "2.16.840.1.101.3.4.3.26" => "SLH-DSA-SHAKE-128s", "2.16.840.1.101.3.4.3.27" => "SLH-DSA-SHAKE-128f",
        "2.16.840.1.101.3.4.3.28" => "SLH-DSA-SHAKE-192s", "2.16.840.1.101.3.4.3.29" => "SLH-DSA-SHAKE-192f",
        "2.16.840.1.101.3.4.3.30" => "SLH-DSA-SHAKE-256s", "2.16.840.1.101.3.4.3.31" => "SLH-DSA-SHAKE-256f",
        "1.2.643.2.2.19" => "GOST R 34.10-2001", "1.2.643.7.1.1.1.1" => "GOST R 34.10-2012-256",
        "1.2.643.7.1.1.1.2" => "GOST R 34.10-2012-512",
        "1.2.840.113549.1.9.16.3.17" => "HSS-LMS", "1.3.6.1.5.5.7.6.34" => "XMSS", "1.3.6.1.5.5.7.6.35" => "XMSSMT",
    }
    /// Named curves; see `certificate::key` for their sizes.
    CURVES {
        "1.2.840.10045.3.1.7" => "P-256", "1.3.132.0.34" => "P-384", "1.3.132.0.35" => "P-521",
        "1.3.132.0.10" => "secp256k1", "1.3.132.0.33" => "P-224", "1.2.840.10045.3.1.1" => "P-192",
        "1.3.36.3.3.2.8.1.1.3" => "brainpoolP192r1", "1.3.36.3.3.2.8.1.1.5" => "brainpoolP224r1",
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1", "1.3.36.3.3.2.8.1.1.9" => "brainpoolP320r1",
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1", "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1",
        "1.2.156.10197.1.301" => "SM2", "1.3.132.0.1" => "sect163k1", "1.3.132.0.15" => "sect163r2",
        "1.3.132.0.26" => "sect233k1", "1.3.132.0.27" => "sect233r1", "1.3.132.0.16" => "sect283k1",
        "1.3.132.0.17" => "sect283r1", "1.3.132.0.36" => "sect409k1", "1.3.132.0.37" => "sect409r1",
        "1.3.132.0.38" => "sect571k1", "1.3.132.0.39" => "sect571r1",
    }
    /// Hash algorithms, as parameters of RSA-PSS name them.
    HASHES {
        "1.3.14.3.2.26" => "SHA1", "2.16.840.1.101.3.4.2.1" => "SHA256",
        "2.16.840.1.101.3.4.2.2" => "SHA384", "2.16.840.1.101.3.4.2.3" => "SHA512",
        "2.16.840.1.101.3.4.2.4" => "SHA224", "2.16.840.1.101.3.4.2.7" => "SHA3-224",
        "2.16.840.1.101.3.4.2.8" => "SHA3-256", "2.16.840.1.101.3.4.2.9" => "SHA3-384",
        "2.16.840.1.101.3.4.2.10" => "SHA3-512",
    }
    /// Keyed hashes, as parameters of PBKDF2 and PBMAC1 name them, by their hash.
    KEYED_HASHES {
        "1.2.840.113549.2.7" => "SHA1", "1.2.840.113549.2.8" => "SHA224", "1.2.840.113549.2.9" => "SHA256",
        "1.2.840.113549.2.10" => "SHA384", "1.2.840.113549.2.11" => "SHA512",
    }
    /// Ciphers of password-based encryption (RFC 7292 appendix C, RFC 8018 appendix B.2).
    PASSWORD_CIPHERS {
        "1.2.840.113549.1.12.1.3" => "PBE-3DES", "1.2.840.113549.1.12.1.4" => "PBE-2DES",
        "1.2.840.113549.1.12.1.5" => "PBE-RC2-128", "1.2.840.113549.1.12.1.6" => "PBE-RC2-40",
        "2.16.840.1.101.3.4.1.2" => "AES-128", "2.16.840.1.101.3.4.1.22" => "AES-192",
        "2.16.840.1.101.3.4.1.42" => "AES-256", "1.2.840.113549.3.7" => "3DES",
    }
    /// Signature algorithms that are not also key algorithms.
    SIGNATURES {
        "1.2.840.113549.1.1.11" => "RSA-SHA256", "1.2.840.113549.1.1.12" => "RSA-SHA384",
        "1.2.840.113549.1.1.13" => "RSA-SHA512", "1.2.840.113549.1.1.14" => "RSA-SHA224",
        "1.2.840.113549.1.1.5" => "RSA-SHA1", "1.3.14.3.2.29" => "RSA-SHA1", "1.2.840.113549.1.1.4" => "RSA-MD5",
        "1.2.840.113549.1.1.2" => "RSA-MD2", "1.2.840.113549.1.1.3" => "RSA-MD4",
        "2.16.840.1.101.3.4.3.13" => "RSA-SHA3-224", "2.16.840.1.101.3.4.3.14" => "RSA-SHA3-256",
        "2.16.840.1.101.3.4.3.15" => "RSA-SHA3-384", "2.16.840.1.101.3.4.3.16" => "RSA-SHA3-512",
        "1.2.840.10045.4.1" => "ECDSA-SHA1", "1.2.840.10045.4.3.1" => "ECDSA-SHA224",
        "1.2.840.10045.4.3.2" => "ECDSA-SHA256", "1.2.840.10045.4.3.3" => "ECDSA-SHA384",
        "1.2.840.10045.4.3.4" => "ECDSA-SHA512", "2.16.840.1.101.3.4.3.9" => "ECDSA-SHA3-224",
        "2.16.840.1.101.3.4.3.10" => "ECDSA-SHA3-256", "2.16.840.1.101.3.4.3.11" => "ECDSA-SHA3-384",
        "2.16.840.1.101.3.4.3.12" => "ECDSA-SHA3-512", "1.2.840.10040.4.3" => "DSA-SHA1",
        "2.16.840.1.101.3.4.3.1" => "DSA-SHA224", "2.16.840.1.101.3.4.3.2" => "DSA-SHA256",
        "1.2.156.10197.1.501" => "SM2-SM3", "1.2.643.2.2.3" => "GOST R 34.10-2001",
        "1.2.643.7.1.1.3.2" => "GOST R 34.10-2012-256", "1.2.643.7.1.1.3.3" => "GOST R 34.10-2012-512",
        "1.3.36.3.3.1.2" => "RSA-RIPEMD160",
    }
    /// Extensions.
    EXTENSIONS {
        "2.5.29.9" => "subject directory attributes", "2.5.29.14" => "subject key identifier",
        "2.5.29.15" => "key usage", "2.5.29.16" => "private key usage period",
        "2.5.29.17" => "subject alternative name", "2.5.29.18" => "issuer alternative name",
        "2.5.29.19" => "basic constraints", "2.5.29.30" => "name constraints",
        "2.5.29.31" => "CRL distribution points", "2.5.29.32" => "certificate policies",
        "2.5.29.33" => "policy mappings", "2.5.29.35" => "authority key identifier",
        "2.5.29.36" => "policy constraints", "2.5.29.37" => "extended key usage",
        "2.5.29.46" => "freshest CRL", "2.5.29.54" => "inhibit any policy",
        "1.3.6.1.5.5.7.1.1" => "authority information access",
        "1.3.6.1.5.5.7.1.11" => "subject information access", "1.3.6.1.5.5.7.1.24" => "TLS feature",
        "1.3.6.1.5.5.7.1.3" => "qualified certificate statements",
        "1.3.6.1.5.5.7.48.1.5" => "OCSP no check",
        "1.3.6.1.4.1.11129.2.4.2" => "signed certificate timestamps",
        "1.3.6.1.4.1.11129.2.4.3" => "precertificate poison",
        "1.3.6.1.4.1.311.20.2" => "Microsoft certificate template name",
        "1.3.6.1.4.1.311.21.1" => "Microsoft CA version",
        "1.3.6.1.4.1.311.21.7" => "Microsoft certificate template",
        "1.3.6.1.4.1.311.21.10" => "Microsoft application policies",
        "1.3.6.1.4.1.311.25.2" => "Microsoft security identifier",
        "2.16.840.1.113730.1.1" => "Netscape certificate type", "2.16.840.1.113730.1.13" => "Netscape comment",
        "1.2.840.113533.7.65.0" => "Entrust version",
    }
    /// Extended key usages.
    EXTENDED_KEY_USAGES {
        "1.3.6.1.5.5.7.3.1" => "serverAuth", "1.3.6.1.5.5.7.3.2" => "clientAuth",
        "1.3.6.1.5.5.7.3.3" => "codeSigning", "1.3.6.1.5.5.7.3.4" => "emailProtection",
        "1.3.6.1.5.5.7.3.5" => "ipsecEndSystem", "1.3.6.1.5.5.7.3.6" => "ipsecTunnel",
        "1.3.6.1.5.5.7.3.7" => "ipsecUser", "1.3.6.1.5.5.7.3.8" => "timeStamping",
        "1.3.6.1.5.5.7.3.9" => "OCSPSigning", "1.3.6.1.5.5.7.3.14" => "eapOverLAN",
        "1.3.6.1.5.5.7.3.17" => "ipsecIKE", "1.3.6.1.5.5.7.3.21" => "sshClient",
        "1.3.6.1.5.5.7.3.22" => "sshServer", "1.3.6.1.5.5.7.3.36" => "documentSigning",
        "1.3.6.1.5.5.8.2.2" => "ikeIntermediate",
        "1.3.6.1.4.1.311.20.2.2" => "smartcardLogon", "1.3.6.1.5.2.3.4" => "kerberosClientAuth",
        "1.3.6.1.5.2.3.5" => "kerberosKDC", "1.3.6.1.4.1.311.10.3.4" => "encryptedFileSystem",
        "1.3.6.1.4.1.311.10.3.12" => "microsoftDocumentSigning",
        "2.5.29.37.0" => "any", "1.3.6.1.4.1.311.10.3.3" => "microsoftServerGatedCrypto",
        "2.16.840.1.113730.4.1" => "netscapeServerGatedCrypto",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_dotted_text_agree() {
        assert_eq!(COMMON_NAME.as_bytes(), [0x55, 4, 3]);
        assert_eq!(RSA_PSS.as_bytes(), [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10]);
        for text in
            ["2.5.29.37.0", "1.3.6.1.4.1.11129.2.4.2", "0.9.2342.19200300.100.1.25", "2.999.1"]
        {
            assert_eq!(dotted(Oid::new(text).as_bytes()), text);
        }
    }

    #[test]
    fn broken_identifiers_are_shown_as_bytes() {
        assert_eq!(dotted(&[]), "?");
        assert_eq!(dotted(&[0x55, 0x84]), "?5584");
        assert!(dotted(&[0xff; 40]).starts_with('?'));
    }
}
