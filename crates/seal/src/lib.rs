//! The sealed log: leaf hashes, Merkle tree, tiles, checkpoints, proofs, verification.
