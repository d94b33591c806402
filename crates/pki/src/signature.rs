//! Verifying signatures of certificates, chosen by the algorithm they name.
//!
//! "The signature is wrong" and "we cannot tell" are different answers and stay different: only a
//! signature that was checked with the right algorithm and key, and failed, is
//! [`SignatureError::Bad`].

use aws_lc_rs::signature::{self as lc, ParsedPublicKey, VerificationAlgorithm};

use crate::Certificate;
use crate::certificate::pss;

/// How far a good signature can be relied upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// A hash and key size in good standing.
    Good,
    /// Verifies, but rests on SHA-1 or a key below 2048 bits (RSA).
    Weak,
}

/// Why a signature did not verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Checked, and wrong: the key did not make this signature over these bytes.
    #[error("the signature is wrong")]
    Bad,
    /// Not checked; the text says what is not supported.
    #[error("the signature cannot be checked: {0}")]
    Unsupported(String),
}

fn unsupported<T>(reason: impl Into<String>) -> Result<T, SignatureError> {
    Err(SignatureError::Unsupported(reason.into()))
}

/// Verifies that `issuer`'s key signed `certificate`. Names, dates and rights are not looked at.
///
/// # Errors
/// [`SignatureError::Bad`] or [`SignatureError::Unsupported`].
pub fn verify(certificate: &Certificate, issuer: &Certificate) -> Result<Strength, SignatureError> {
    let name = certificate.signature_algorithm.as_str();
    let family = name.split('-').next().unwrap_or_default();
    let fits = match family {
        "RSA" => matches!(issuer.key_algorithm.as_str(), "RSA" | "RSA-PSS"),
        "ECDSA" => issuer.key_algorithm == "EC",
        "DSA" => issuer.key_algorithm == "DSA",
        "Ed25519" | "Ed448" | "ML" | "SLH" => issuer.key_algorithm == name,
        _ => return unsupported(format!("{name} is not supported")),
    };
    if !fits {
        return Err(SignatureError::Bad);
    }
    let Some(algorithm) = algorithm(certificate, issuer) else {
        let key = match (&issuer.curve, issuer.key_size) {
            (Some(curve), _) => format!("{} {curve}", issuer.key_algorithm),
            (None, Some(bits)) => format!("{} {bits} bits", issuer.key_algorithm),
            (None, None) => issuer.key_algorithm.clone(),
        };
        return unsupported(format!("{name} with a key {key} is not supported"));
    };
    let Ok(key) = ParsedPublicKey::new(algorithm, issuer.key_octets()) else {
        return unsupported(format!(
            "the {} key of the issuer is not usable",
            issuer.key_algorithm
        ));
    };
    match key.verify_sig(certificate.tbs_der(), certificate.signature_octets()) {
        Ok(()) if name.ends_with("SHA1") => Ok(Strength::Weak),
        Ok(()) if family == "RSA" && issuer.key_size.is_some_and(|bits| bits < 2_048) => {
            Ok(Strength::Weak)
        }
        Ok(()) => Ok(Strength::Good),
        Err(_) => Err(SignatureError::Bad),
    }
}

fn algorithm(
    certificate: &Certificate,
    issuer: &Certificate,
) -> Option<&'static dyn VerificationAlgorithm> {
    let name = certificate.signature_algorithm.as_str();
    let rsa_bits = issuer.key_size.unwrap_or_default();
    if name.starts_with("RSA") && !(1_024..=8_192).contains(&rsa_bits) {
        return None;
    }
    let short = rsa_bits < 2_048;
    Some(match (name, issuer.curve.as_deref()) {
        ("RSA-SHA1", _) => &lc::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        ("RSA-SHA256", _) => &lc::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        ("RSA-SHA384", _) if !short => &lc::RSA_PKCS1_2048_8192_SHA384,
        ("RSA-SHA512", _) => &lc::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        (name, _) if name.starts_with("RSA-PSS-") && !short => return pss_algorithm(certificate),
        ("ECDSA-SHA1", Some("P-256")) => &lc::ECDSA_P256_SHA1_ASN1,
        ("ECDSA-SHA256", Some("P-256")) => &lc::ECDSA_P256_SHA256_ASN1,
        ("ECDSA-SHA384", Some("P-256")) => &lc::ECDSA_P256_SHA384_ASN1,
        ("ECDSA-SHA512", Some("P-256")) => &lc::ECDSA_P256_SHA512_ASN1,
        ("ECDSA-SHA256", Some("P-384")) => &lc::ECDSA_P384_SHA256_ASN1,
        ("ECDSA-SHA384", Some("P-384")) => &lc::ECDSA_P384_SHA384_ASN1,
        ("ECDSA-SHA512", Some("P-384")) => &lc::ECDSA_P384_SHA512_ASN1,
        ("ECDSA-SHA3-384", Some("P-384")) => &lc::ECDSA_P384_SHA3_384_ASN1,
        ("ECDSA-SHA1", Some("P-521")) => &lc::ECDSA_P521_SHA1_ASN1,
        ("ECDSA-SHA224", Some("P-521")) => &lc::ECDSA_P521_SHA224_ASN1,
        ("ECDSA-SHA256", Some("P-521")) => &lc::ECDSA_P521_SHA256_ASN1,
        ("ECDSA-SHA384", Some("P-521")) => &lc::ECDSA_P521_SHA384_ASN1,
        ("ECDSA-SHA512", Some("P-521")) => &lc::ECDSA_P521_SHA512_ASN1,
        ("ECDSA-SHA3-512", Some("P-521")) => &lc::ECDSA_P521_SHA3_512_ASN1,
        ("ECDSA-SHA256", Some("secp256k1")) => &lc::ECDSA_P256K1_SHA256_ASN1,
        ("Ed25519", _) => &lc::ED25519,
        ("ML-DSA-44", _) => &lc::ML_DSA_44,
        ("ML-DSA-65", _) => &lc::ML_DSA_65,
        ("ML-DSA-87", _) => &lc::ML_DSA_87,
        _ => return None,
    })
}

/// RSA-PSS where hash, mask hash and salt length go together, the only form in common use.
fn pss_algorithm(certificate: &Certificate) -> Option<&'static dyn VerificationAlgorithm> {
    let parameters = pss(certificate.signature_algorithm_der())?;
    if parameters.hash != parameters.mask_hash {
        return None;
    }
    match (parameters.hash?, parameters.salt_length) {
        ("SHA256", 32) => Some(&lc::RSA_PSS_2048_8192_SHA256),
        ("SHA384", 48) => Some(&lc::RSA_PSS_2048_8192_SHA384),
        ("SHA512", 64) => Some(&lc::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}
