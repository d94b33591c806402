//! The sealed log: leaf hashes, Merkle tree, tiles, checkpoints, proofs and their verification.
//!
//! Everything here is a pure function of bytes. The crate never reads a file, a socket or a clock
//! and never learns what an entry means; storage is handed in through [`TileSource`] and
//! [`LogSource`]. The formats are RFC 6962 (hashing) and the C2SP specifications tlog-tiles,
//! signed-note, tlog-checkpoint, tlog-cosignature and tlog-proof, so that other people's tools can
//! check our logs.
//!
//! Reading order: [`hash`], [`tile`], [`bundle`], [`tree`], [`proof`], [`range`], [`key`],
//! [`note`], [`checkpoint`], [`tlog_proof`], [`verify`], [`export`].

pub mod bundle;
pub mod checkpoint;
pub mod export;
pub mod hash;
pub mod key;
mod merkle;
pub mod note;
pub mod proof;
pub mod range;
pub mod tile;
pub mod tlog_proof;
pub mod tree;
pub mod verify;

pub use checkpoint::{Checkpoint, Trust};
pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use key::{Cosigner, Signer, Verifier};
pub use note::Note;
pub use proof::TileSource;
pub use tile::{BundleId, Resource, Tile, TileId};
pub use tlog_proof::TlogProof;
pub use tree::Edge;
pub use verify::{Fault, LogSource};
