//! Standard Webhooks signatures: HMAC-SHA-256 (`v1`) and Ed25519 (`v1a`).
//!
//! Signed is `{id}.{timestamp}.{body}`; the header `webhook-signature` holds one entry for each key
//! that is in force, so that a secret can be replaced without a gap: for a while both sign.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Prefix of a symmetric secret.
const SYMMETRIC: &str = "whsec_";
/// Prefix of a signing key.
const PRIVATE: &str = "whsk_";
/// Prefix of a verifying key.
const PUBLIC: &str = "whpk_";

/// What a destination signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HMAC-SHA-256 with a shared secret.
    Hmac,
    /// Ed25519: the receiver cannot sign.
    Ed25519,
}

/// A secret cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct InvalidSecret(pub &'static str);

/// One secret, read.
pub enum Key {
    /// For HMAC.
    Hmac(Box<hmac::Key>),
    /// For Ed25519.
    Ed25519(Box<Ed25519KeyPair>),
}

impl Key {
    /// Reads a secret in its text form.
    ///
    /// # Errors
    /// It has another form.
    pub fn read(secret: &str) -> Result<Self, InvalidSecret> {
        if let Some(text) = secret.strip_prefix(PRIVATE) {
            let wrong = InvalidSecret("whsk_ and a base64 Ed25519 key of 32 or 64 bytes");
            let bytes = STANDARD.decode(text).map_err(|_| wrong.clone())?;
            let seed = bytes.get(..32).filter(|_| matches!(bytes.len(), 32 | 64));
            let pair = seed.and_then(|seed| Ed25519KeyPair::from_seed_unchecked(seed).ok());
            return pair.map(|pair| Self::Ed25519(Box::new(pair))).ok_or(wrong);
        }
        let text = secret.strip_prefix(SYMMETRIC).unwrap_or(secret);
        let wrong = InvalidSecret("whsec_ and the base64 of 24 to 64 bytes");
        let bytes = STANDARD.decode(text).map_err(|_| wrong.clone())?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(wrong);
        }
        Ok(Self::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes))))
    }

    /// One entry of the header.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut signed = format!("{id}.{timestamp}.").into_bytes();
        signed.extend_from_slice(body);
        match self {
            Self::Hmac(key) => format!("v1,{}", STANDARD.encode(hmac::sign(key, &signed))),
            Self::Ed25519(pair) => format!("v1a,{}", STANDARD.encode(pair.sign(&signed))),
        }
    }

    /// What the receiver verifies with, where that is no secret.
    pub fn public(&self) -> Option<String> {
        match self {
            Self::Hmac(_) => None,
            Self::Ed25519(pair) => {
                Some(format!("{PUBLIC}{}", STANDARD.encode(pair.public_key().as_ref())))
            }
        }
    }
}

/// Makes a secret.
///
/// # Errors
/// The machine gives no randomness.
pub fn generate(scheme: Scheme) -> Result<String, InvalidSecret> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| InvalidSecret("randomness"))?;
    let prefix = match scheme {
        Scheme::Hmac => SYMMETRIC,
        Scheme::Ed25519 => PRIVATE,
    };
    Ok(format!("{prefix}{}", STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_is_signed_as_it_says() {
        // Published with the libraries of Standard Webhooks.
        let key = Key::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn made_secrets_are_read_and_others_are_not() {
        for scheme in [Scheme::Hmac, Scheme::Ed25519] {
            let secret = generate(scheme).unwrap();
            let key = Key::read(&secret).unwrap();
            assert_eq!(key.public().is_some(), scheme == Scheme::Ed25519);
            assert_ne!(secret, generate(scheme).unwrap());
        }
        for text in ["", "whsec_", "whsec_c2hvcnQ=", "whsk_c2hvcnQ=", "not base64!"] {
            assert!(Key::read(text).is_err(), "{text}");
        }
    }
}
