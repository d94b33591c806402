//! Keys that sign notes: Ed25519 signatures of C2SP signed-note and cosignature/v1 of C2SP
//! tlog-cosignature.
//!
//! Verifier keys travel as `name+hash+base64` strings. Private keys are made from a 32-byte seed;
//! they must never be printed, so neither signer implements `Debug` by derivation.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::hash::sha256;
use crate::note::Signature;

/// Length of an Ed25519 seed and of an Ed25519 public key in bytes.
pub const KEY_SIZE: usize = 32;
const SIGNATURE_SIZE: usize = 64;
const TIMESTAMP_SIZE: usize = 8;

/// What a key signs, by the type byte of the signed-note specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// 0x01: an Ed25519 signature over the note text.
    Ed25519,
    /// 0x04: a timestamped Ed25519 cosignature over a checkpoint (cosignature/v1).
    CosignatureV1,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }
}

/// Why a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The name is empty or has white space, a plus or a control character.
    #[error("a key name is not empty and has no space, plus or control character")]
    Name,
    /// The text is not `name+8 hex digits+base64`.
    #[error("a verifier key reads name+hash+base64")]
    Format,
    /// The type byte is neither 0x01 nor 0x04.
    #[error("the key type is not supported")]
    Kind,
    /// The key id in the text does not belong to the name and key.
    #[error("the key id does not match the key")]
    Id,
    /// The seed is refused by the cryptographic library.
    #[error("the seed makes no key")]
    Seed,
}

/// Why a signature cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignError {
    /// The text is no note text: it must be UTF-8 ending in a newline, without other control
    /// characters.
    #[error("the text is not the text of a note")]
    Text,
    /// The timestamp is above 2^63 − 1.
    #[error("the timestamp is out of range")]
    Timestamp,
    /// The cryptographic library failed.
    #[error("signing failed")]
    Crypto,
}

/// Whether `name` may name a key (signed-note, "Format").
pub fn is_key_name(name: &str) -> bool {
    let refused = |c: char| c.is_whitespace() || c == '+' || c < ' ';
    !name.is_empty() && !name.chars().any(refused)
}

/// `SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]` as a big-endian number.
fn key_id(name: &str, kind: KeyKind, public: &[u8; KEY_SIZE]) -> u32 {
    let mut bytes = Vec::with_capacity(name.len() + 2 + KEY_SIZE);
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(&[b'\n', kind.byte()]);
    bytes.extend_from_slice(public);
    let [a, b, c, d, ..] = sha256(&bytes).0;
    u32::from_be_bytes([a, b, c, d])
}

/// A public key under its name, for one kind of signature. Its text form is the verifier key string
/// `name+8 hex digits+base64(type ‖ key)`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verifier {
    name: String,
    kind: KeyKind,
    public: [u8; KEY_SIZE],
    id: u32,
}

/// What a valid signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// Name of the key.
    pub name: String,
    /// Key id.
    pub id: u32,
    /// Kind of the key.
    pub kind: KeyKind,
    /// For cosignatures: when it was made, seconds since the Unix epoch.
    pub timestamp: Option<u64>,
}

impl Verifier {
    /// A verifier from its parts.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`].
    pub fn new(name: &str, kind: KeyKind, public: [u8; KEY_SIZE]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        Ok(Self { name: name.to_owned(), kind, public, id: key_id(name, kind, &public) })
    }

    /// Name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Key id: together with the name it tells which key made a signature.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Kind of signatures that the key makes.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The Ed25519 public key (RFC 8032).
    pub fn public_key(&self) -> &[u8; KEY_SIZE] {
        &self.public
    }

    /// Whether a signature line claims to be by this key.
    pub fn matches(&self, signature: &Signature) -> bool {
        self.id == signature.id() && self.name == signature.name()
    }

    /// Checks a signature over a note text; `None` when it is not a valid one by this key.
    pub fn verify(&self, text: &str, signature: &Signature) -> Option<Attestation> {
        if !self.matches(signature) {
            return None;
        }
        let (timestamp, message, bytes) = match self.kind {
            KeyKind::Ed25519 => (None, text.to_owned(), signature.bytes()),
            KeyKind::CosignatureV1 => {
                let (timestamp, bytes) = signature.bytes().split_first_chunk::<TIMESTAMP_SIZE>()?;
                let timestamp = u64::from_be_bytes(*timestamp);
                (Some(timestamp), cosigned_message(text, timestamp)?, bytes)
            }
        };
        if bytes.len() != SIGNATURE_SIZE {
            return None;
        }
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        key.verify(message.as_bytes(), bytes).ok()?;
        Some(Attestation { name: self.name.clone(), id: self.id, kind: self.kind, timestamp })
    }
}

/// The message of a cosignature/v1; `None` when the timestamp is above 2^63 − 1.
fn cosigned_message(text: &str, timestamp: u64) -> Option<String> {
    i64::try_from(timestamp).ok()?;
    Some(format!("cosignature/v1\ntime {timestamp}\n{text}"))
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = [self.kind.byte(); 1 + KEY_SIZE];
        key[1..].copy_from_slice(&self.public);
        write!(f, "{}+{:08x}+{}", self.name, self.id, STANDARD.encode(key))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({self})")
    }
}

impl FromStr for Verifier {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, rest) = text.split_once('+').ok_or(KeyError::Format)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Format)?;
        if id.len() != 8 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(KeyError::Format);
        }
        let id = u32::from_str_radix(id, 16).map_err(|_| KeyError::Format)?;
        let key = STANDARD.decode(key).map_err(|_| KeyError::Format)?;
        let (kind, public) = key.split_first().ok_or(KeyError::Format)?;
        let kind = match kind {
            0x01 => KeyKind::Ed25519,
            0x04 => KeyKind::CosignatureV1,
            _ => return Err(KeyError::Kind),
        };
        let public = <[u8; KEY_SIZE]>::try_from(public).map_err(|_| KeyError::Format)?;
        let verifier = Self::new(name, kind, public)?;
        if verifier.id == id { Ok(verifier) } else { Err(KeyError::Id) }
    }
}

/// Checks that `text` may be the text of a note (signed-note, "Format").
pub(crate) fn is_note_text(text: &str) -> bool {
    text.ends_with('\n') && !text.bytes().any(|byte| byte < b' ' && byte != b'\n')
}

/// A named Ed25519 private key.
struct PrivateKey {
    pair: Ed25519KeyPair,
    verifier: Verifier,
}

impl PrivateKey {
    fn new(name: &str, kind: KeyKind, seed: &[u8; KEY_SIZE]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Seed)?;
        let public = pair.public_key().as_ref();
        let public = <[u8; KEY_SIZE]>::try_from(public).map_err(|_| KeyError::Seed)?;
        Ok(Self { verifier: Verifier::new(name, kind, public)?, pair })
    }

    fn sign(&self, message: &str) -> Result<[u8; SIGNATURE_SIZE], SignError> {
        let signature = self.pair.try_sign(message.as_bytes()).map_err(|_| SignError::Crypto)?;
        <[u8; SIGNATURE_SIZE]>::try_from(signature.as_ref()).map_err(|_| SignError::Crypto)
    }

    fn signature(&self, bytes: Vec<u8>) -> Signature {
        Signature::by_key(self.verifier.name(), self.verifier.id(), bytes)
    }
}

/// Signs note texts (type 0x01), the log's own key.
pub struct Signer(PrivateKey);

impl Signer {
    /// The key made from an Ed25519 seed (RFC 8032 private key), under `name`. Keeps no reference
    /// to the seed; wiping it is the caller's part.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`] or [`KeyError::Seed`].
    pub fn from_seed(name: &str, seed: &[u8; KEY_SIZE]) -> Result<Self, KeyError> {
        PrivateKey::new(name, KeyKind::Ed25519, seed).map(Self)
    }

    /// The public half.
    pub fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    /// Signs a note text.
    ///
    /// # Errors
    ///
    /// [`SignError::Text`] or [`SignError::Crypto`].
    pub fn sign(&self, text: &str) -> Result<Signature, SignError> {
        if !is_note_text(text) {
            return Err(SignError::Text);
        }
        Ok(self.0.signature(self.0.sign(text)?.to_vec()))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.0.verifier.name).finish_non_exhaustive()
    }
}

/// Cosigns checkpoints (type 0x04), the key of a witness.
///
/// A cosignature says "this is the largest consistent tree I have seen of this log". The caller
/// must have checked that, and must use a seed that no other key uses: the signed message does not
/// hold the name.
pub struct Cosigner(PrivateKey);

impl Cosigner {
    /// The key made from an Ed25519 seed, under the witness's `name`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`] or [`KeyError::Seed`].
    pub fn from_seed(name: &str, seed: &[u8; KEY_SIZE]) -> Result<Self, KeyError> {
        PrivateKey::new(name, KeyKind::CosignatureV1, seed).map(Self)
    }

    /// The public half.
    pub fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    /// Cosigns a checkpoint's note text at `timestamp`, seconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`SignError`].
    pub fn cosign(&self, text: &str, timestamp: u64) -> Result<Signature, SignError> {
        if !is_note_text(text) {
            return Err(SignError::Text);
        }
        let message = cosigned_message(text, timestamp).ok_or(SignError::Timestamp)?;
        let mut bytes = timestamp.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.0.sign(&message)?);
        Ok(self.0.signature(bytes))
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cosigner").field(&self.0.verifier.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the signed-note specification.
    const EXAMPLE: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

    #[test]
    fn verifier_key_strings() {
        let verifier: Verifier = EXAMPLE.parse().unwrap();
        assert_eq!(verifier.name(), "example.com/foo");
        assert_eq!(verifier.id(), 0x530d_903a);
        assert_eq!(verifier.kind(), KeyKind::Ed25519);
        assert_eq!(verifier.to_string(), EXAMPLE);
        let witness = Verifier::new("w", KeyKind::CosignatureV1, *verifier.public_key()).unwrap();
        assert_eq!(witness.to_string().parse(), Ok(witness));
    }

    #[test]
    fn malformed_verifier_keys() {
        let key = "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        for (text, error) in [
            (String::new(), KeyError::Format),
            ("a".into(), KeyError::Format),
            ("a+530d903a".into(), KeyError::Format),
            (format!("a+530D903A+{key}"), KeyError::Format),
            (format!("a+30d903a+{key}"), KeyError::Format),
            (format!("a++30d903a+{key}"), KeyError::Format),
            (format!("+530d903a+{key}"), KeyError::Name),
            (format!("a b+530d903a+{key}"), KeyError::Name),
            (format!("a\u{2003}b+530d903a+{key}"), KeyError::Name),
            (format!("a\u{1}b+530d903a+{key}"), KeyError::Name),
            (format!("example.com/bar+530d903a+{key}"), KeyError::Id),
            (format!("example.com/foo+530d903a+{key}="), KeyError::Format),
            ("a+530d903a+".into(), KeyError::Format),
            ("a+530d903a+AQ==".into(), KeyError::Format),
            (format!("a+530d903a+Au{}", &key[2..]), KeyError::Kind),
        ] {
            assert_eq!(text.parse::<Verifier>(), Err(error), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let seed = [0x5a; 32];
        let signer = format!("{:?}", Signer::from_seed("log", &seed).unwrap());
        assert_eq!(signer, "Signer(\"log\", ..)");
        let cosigner = format!("{:?}", Cosigner::from_seed("w", &seed).unwrap());
        assert_eq!(cosigner, "Cosigner(\"w\", ..)");
    }

    #[test]
    fn cosignatures() {
        let cosigner = Cosigner::from_seed("w", &[1; 32]).unwrap();
        let signature = cosigner.cosign("o\n1\nx\n", 1_679_315_147).unwrap();
        assert_eq!(signature.bytes().len(), 72);
        let said = cosigner.verifier().verify("o\n1\nx\n", &signature).unwrap();
        assert_eq!(said.timestamp, Some(1_679_315_147));
        assert_eq!(cosigner.verifier().verify("o\n2\nx\n", &signature), None);
        for at in [0, 7, 8, 71] {
            let mut bytes = signature.bytes().to_vec();
            bytes[at] ^= 1;
            let changed = Signature::by_key("w", signature.id(), bytes);
            assert_eq!(cosigner.verifier().verify("o\n1\nx\n", &changed), None, "{at}");
        }
        for length in [0, 7, 8, 64, 71] {
            let bytes = signature.bytes()[..length].to_vec();
            let cut = Signature::by_key("w", signature.id(), bytes);
            assert_eq!(cosigner.verifier().verify("o\n1\nx\n", &cut), None, "{length}");
        }
        assert_eq!(cosigner.cosign("o\n", 1 << 63), Err(SignError::Timestamp));
        assert_eq!(cosigner.cosign("o", 1), Err(SignError::Text));
    }

    #[test]
    fn a_key_of_one_kind_does_not_speak_for_the_other() {
        // Same seed and name: the key id keeps the two apart.
        let signer = Signer::from_seed("n", &[1; 32]).unwrap();
        let cosigner = Cosigner::from_seed("n", &[1; 32]).unwrap();
        assert_ne!(signer.verifier().id(), cosigner.verifier().id());
        let signature = signer.sign("a\n").unwrap();
        assert_eq!(cosigner.verifier().verify("a\n", &signature), None);
        assert!(signer.verifier().verify("a\n", &signature).is_some());
    }
}
