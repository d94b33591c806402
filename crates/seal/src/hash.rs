//! SHA-256 hashes of leaves and nodes, as in RFC 6962 §2.1.
//!
//! The one place where bytes are hashed into the tree. It must never hash a leaf without the 0x00
//! prefix or a node without 0x01: the two prefixes are what keeps an entry from posing as a
//! subtree.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{self, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// Length of a hash in bytes.
pub const HASH_SIZE: usize = 32;

/// Entries up to this many bytes are hashed from the stack in one call.
const STACK_ENTRY_MAX: usize = 4095;

/// A SHA-256 value: a leaf hash, the hash of a node, or a root.
///
/// `Display` and `FromStr` use the standard base64 alphabet with padding (44 characters), the
/// spelling of checkpoints and proofs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; HASH_SIZE]);

/// Why a text or a byte string is not a [`struct@Hash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HashError {
    /// The text is not canonical base64 of 32 bytes.
    #[error("a hash is 32 bytes in canonical base64")]
    Base64,
    /// The byte string has another length than 32.
    #[error("a hash has 32 bytes, not {0}")]
    Length(usize),
}

impl Hash {
    /// The hash as bytes.
    pub fn as_bytes(&self) -> &[u8; HASH_SIZE] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        // The length is checked first so that a huge line is never decoded.
        if text.len() != 44 {
            return Err(HashError::Base64);
        }
        let bytes = STANDARD.decode(text).map_err(|_| HashError::Base64)?;
        Self::try_from(bytes.as_slice()).map_err(|_| HashError::Base64)
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = HashError;

    fn try_from(bytes: &[u8]) -> Result<Self, HashError> {
        <[u8; HASH_SIZE]>::try_from(bytes).map(Self).map_err(|_| HashError::Length(bytes.len()))
    }
}

impl From<[u8; HASH_SIZE]> for Hash {
    fn from(bytes: [u8; HASH_SIZE]) -> Self {
        Self(bytes)
    }
}

/// SHA-256 of `bytes`, without any prefix.
pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.0.copy_from_slice(digest::digest(&SHA256, bytes).as_ref());
    hash
}

/// The hash of a log entry: `SHA-256(0x00 ‖ entry)` (RFC 6962 §2.1).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    // One call on a joined buffer is faster than feeding two pieces to a digest context.
    if entry.len() <= STACK_ENTRY_MAX {
        let mut joined = [0u8; STACK_ENTRY_MAX + 1];
        joined[1..=entry.len()].copy_from_slice(entry);
        return sha256(&joined[..=entry.len()]);
    }
    let mut context = digest::Context::new(&SHA256);
    context.update(&[0x00]);
    context.update(entry);
    let mut hash = Hash::default();
    hash.0.copy_from_slice(context.finish().as_ref());
    hash
}

/// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)` (RFC 6962 §2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut joined = [0x01; 1 + 2 * HASH_SIZE];
    joined[1..=HASH_SIZE].copy_from_slice(&left.0);
    joined[1 + HASH_SIZE..].copy_from_slice(&right.0);
    sha256(&joined)
}

/// The root of the tree without entries: SHA-256 of the empty string (RFC 6962 §2.1).
pub fn empty_root() -> Hash {
    sha256(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(hash: Hash) -> String {
        hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn published_values() {
        // The empty tree, the empty leaf and the first published leaf of the RFC 6962 test vectors.
        assert_eq!(
            hex(empty_root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            hex(leaf_hash(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        assert_eq!(
            hex(leaf_hash(&[0])),
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
        );
        assert_eq!(
            hex(node_hash(&leaf_hash(b""), &leaf_hash(&[0]))),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
        );
    }

    #[test]
    fn long_entries_hash_alike_on_both_paths() {
        for length in [STACK_ENTRY_MAX - 1, STACK_ENTRY_MAX, STACK_ENTRY_MAX + 1, 65_535] {
            let mut joined = vec![7u8; length + 1];
            joined[0] = 0;
            assert_eq!(leaf_hash(&joined[1..]), sha256(&joined), "{length}");
        }
    }

    #[test]
    fn text_is_canonical_base64() {
        let hash = leaf_hash(b"x");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(zero.parse(), Ok(Hash::default()));
        for bad in [
            "",
            "AAAA",
            // trailing bits set
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
            // padding missing, white space, URL alphabet
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA =",
            "____AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ] {
            assert_eq!(bad.parse::<Hash>(), Err(HashError::Base64), "{bad}");
        }
        assert_eq!(Hash::try_from(&[0u8; 31][..]), Err(HashError::Length(31)));
    }
}
