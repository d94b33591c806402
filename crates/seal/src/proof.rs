//! Inclusion and consistency proofs: made from tiles, checked against roots.
//!
//! Making a proof reads a handful of tiles through [`TileSource`]; `tiles_for_*` names them
//! beforehand so that an asynchronous caller can fetch them into a map first. Nothing read is
//! trusted here: a proof from wrong tiles simply fails to verify.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::ops::Range;

use thiserror::Error;

use crate::hash::{Hash, empty_root, node_hash};
use crate::merkle::{Subtree, complete_root, split_point, subtrees};
use crate::tile::{TileError, TileId};

/// Where tiles come from.
pub trait TileSource {
    /// What can go wrong on the way to a tile, other than its absence.
    type Error;

    /// The content of a tile, `None` if there is none. A wider version of the tile may be returned:
    /// its first `id.width()` hashes are the same.
    ///
    /// # Errors
    ///
    /// Whatever the source says; it is passed through.
    fn tile(&self, id: TileId) -> Result<Option<Cow<'_, [u8]>>, Self::Error>;
}

impl TileSource for HashMap<TileId, Vec<u8>> {
    type Error = Infallible;

    fn tile(&self, id: TileId) -> Result<Option<Cow<'_, [u8]>>, Infallible> {
        Ok(self.get(&id).map(|bytes| Cow::Borrowed(bytes.as_slice())))
    }
}

impl TileSource for BTreeMap<TileId, Vec<u8>> {
    type Error = Infallible;

    fn tile(&self, id: TileId) -> Result<Option<Cow<'_, [u8]>>, Infallible> {
        Ok(self.get(&id).map(|bytes| Cow::Borrowed(bytes.as_slice())))
    }
}

/// Why a proof cannot be made. `E` is the error of the [`TileSource`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofError<E> {
    /// The entry or the range is not within the tree, or the old tree is larger than the new one.
    #[error("{start}..{end} is not within a tree of {size} leaves")]
    OutOfRange {
        /// First leaf asked for.
        start: u64,
        /// Leaf behind the last one asked for.
        end: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// A tile is not there.
    #[error("{0} is missing")]
    Missing(TileId),
    /// A tile has the wrong length.
    #[error("{id} is malformed")]
    Malformed {
        /// The tile.
        id: TileId,
        /// What is wrong with it.
        #[source]
        source: TileError,
    },
    /// The source failed.
    #[error("reading a tile failed")]
    Source(#[source] E),
}

/// Why a proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofFault {
    /// The index is not below the size, or the old size is above the new one.
    #[error("the proof is for something outside of the tree")]
    OutOfRange,
    /// There are too few or too many hashes for the place in the tree.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root")]
    Root,
    /// The hashes do not lead to the root of the old tree.
    #[error("the proof does not lead to the old root")]
    OldRoot,
}

/// A range of leaves whose hash is one line of a proof.
pub(crate) type Span = Range<u64>;

/// The siblings on the way from leaf `index` to the root, lowest first (RFC 6962 §2.1.1).
fn inclusion_spans(index: u64, size: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    let (mut low, mut high) = (0, size);
    while high - low > 1 {
        let middle = low + split_point(high - low);
        if index < middle {
            spans.push(middle..high);
            high = middle;
        } else {
            spans.push(low..middle);
            low = middle;
        }
    }
    spans.reverse();
    spans
}

/// SUBPROOF(old, D[0:new], true) of RFC 6962 §2.1.2, lowest first.
fn consistency_spans(old: u64, new: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    if old == 0 || old == new {
        return spans;
    }
    let (mut low, mut high) = (0, new);
    // The walk ends at the subtree whose right end is the right end of the old tree.
    while high != old {
        let middle = low + split_point(high - low);
        if old <= middle {
            spans.push(middle..high);
            high = middle;
        } else {
            spans.push(low..middle);
            low = middle;
        }
    }
    // At low = 0 that subtree is the whole old tree, whose root the verifier has.
    if low != 0 {
        spans.push(low..high);
    }
    spans.reverse();
    spans
}

/// Names the tiles that an inclusion proof for `index` in a tree of `size` leaves needs; none when
/// `index` is not within the tree.
pub fn tiles_for_inclusion(index: u64, size: u64) -> Vec<TileId> {
    if index < size { tiles_for(&inclusion_spans(index, size), size) } else { Vec::new() }
}

/// Names the tiles that a consistency proof from `old` to `new` leaves needs; none when `old` is
/// larger.
pub fn tiles_for_consistency(old: u64, new: u64) -> Vec<TileId> {
    if old <= new { tiles_for(&consistency_spans(old, new), new) } else { Vec::new() }
}

pub(crate) fn tiles_for(spans: &[Span], size: u64) -> Vec<TileId> {
    let parts = spans.iter().flat_map(|span| subtrees(span.start, span.end));
    let tiles: BTreeSet<TileId> =
        parts.filter_map(|part| part.place(size)).map(|(id, _)| id).collect();
    tiles.into_iter().collect()
}

/// Proves that the leaf `index` is in the tree of `size` leaves (RFC 6962 §2.1.1).
///
/// # Errors
///
/// [`ProofError`].
pub fn inclusion_proof<S: TileSource + ?Sized>(
    source: &S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    if index >= size {
        return Err(ProofError::OutOfRange { start: index, end: index.saturating_add(1), size });
    }
    hashes_of(source, &inclusion_spans(index, size), size)
}

/// Proves that the tree of `new` leaves begins with the tree of `old` leaves (RFC 6962 §2.1.2).
/// Empty when `old` is 0 or equal to `new`.
///
/// # Errors
///
/// [`ProofError`].
pub fn consistency_proof<S: TileSource + ?Sized>(
    source: &S,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    if old > new {
        return Err(ProofError::OutOfRange { start: 0, end: old, size: new });
    }
    hashes_of(source, &consistency_spans(old, new), new)
}

/// The hash of each span, from the tiles of a tree of `size` leaves. Each tile is read once.
pub(crate) fn hashes_of<S: TileSource + ?Sized>(
    source: &S,
    spans: &[Span],
    size: u64,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    let mut read = BTreeMap::new();
    for id in tiles_for(spans, size) {
        let bytes = source.tile(id).map_err(ProofError::Source)?.ok_or(ProofError::Missing(id))?;
        let hashes = id.hashes(&bytes).map_err(|source| ProofError::Malformed { id, source })?;
        read.insert(id, hashes);
    }
    let out_of_range =
        |span: &Span| ProofError::OutOfRange { start: span.start, end: span.end, size };
    let root = |part: Subtree| {
        let (id, run) = part.place(size)?;
        Some(complete_root(read.get(&id)?.get(run)?))
    };
    let span_hash = |span: &Span| {
        let parts = subtrees(span.start, span.end).into_iter().rev();
        let mut folded: Option<Hash> = None;
        for part in parts {
            let left = root(part)?;
            folded = Some(folded.map_or(left, |right| node_hash(&left, &right)));
        }
        folded
    };
    spans.iter().map(|span| span_hash(span).ok_or_else(|| out_of_range(span))).collect()
}

/// Checks that a leaf with hash `leaf` is at `index` in the tree of `size` leaves with this `root`
/// (RFC 9162 §2.1.3.2).
///
/// # Errors
///
/// [`ProofFault`].
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofFault> {
    if index >= size {
        return Err(ProofFault::OutOfRange);
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofFault::Length);
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            // A right-most node without sibling is carried up as it is.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofFault::Length);
    }
    if hash == *root { Ok(()) } else { Err(ProofFault::Root) }
}

/// Checks that the tree of `new` leaves with root `new_root` begins with the tree of `old` leaves
/// with root `old_root` (RFC 9162 §2.1.4.2). From an empty tree, or between equal sizes, the proof
/// is empty.
///
/// # Errors
///
/// [`ProofFault`].
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofFault> {
    if old > new {
        return Err(ProofFault::OutOfRange);
    }
    if old == 0 || old == new {
        let expected = if old == new { *new_root } else { empty_root() };
        return match proof {
            [] if *old_root == expected && (new > 0 || *new_root == empty_root()) => Ok(()),
            [] => Err(ProofFault::OldRoot),
            _ => Err(ProofFault::Length),
        };
    }
    let (mut at, mut last) = (old - 1, new - 1);
    let shared = at.trailing_ones();
    at >>= shared;
    last >>= shared;
    // Where the old tree is one complete subtree, its root is the first hash.
    let (mut from_old, rest) = match proof.split_first() {
        _ if at == 0 => (*old_root, proof),
        Some((first, rest)) => (*first, rest),
        None => return Err(ProofFault::Length),
    };
    let mut from_new = from_old;
    for sibling in rest {
        if last == 0 {
            return Err(ProofFault::Length);
        }
        if at & 1 == 1 || at == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofFault::Length);
    }
    if from_old != *old_root {
        return Err(ProofFault::OldRoot);
    }
    if from_new == *new_root { Ok(()) } else { Err(ProofFault::Root) }
}
