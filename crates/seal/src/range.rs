//! Proof that a run of consecutive entries is in the tree: for exports and parts of a log.
//!
//! The proof holds the hashes of everything beside the range, in the order in which RFC 6962's
//! splitting meets them from left to right. It generalises the inclusion proof (a range of one
//! entry has the same hashes in another order) and lets a verifier stream millions of entries with
//! one hash per level in memory. It must never be taken for an inclusion proof of C2SP tlog-proof,
//! which orders them upwards.

use thiserror::Error;

use crate::hash::{Hash, empty_root, leaf_hash, node_hash};
use crate::merkle::split_point;
use crate::proof::{ProofError, ProofFault, Span, TileSource, hashes_of, tiles_for};
use crate::tile::TileId;

/// A run of consecutive entries in the tree of `size` leaves, with the hashes beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeProof {
    /// Index of the first entry.
    pub start: u64,
    /// Index behind the last entry.
    pub end: u64,
    /// Number of leaves of the tree.
    pub size: u64,
    /// Hashes of the subtrees beside the range, left to right; at most 126.
    pub hashes: Vec<Hash>,
}

/// Why the entries of a range are refused. `E` is the error of the source of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RangeFault<E> {
    /// The range, its proof and the root do not belong together, or an entry is not the sealed one.
    #[error("the entries do not belong to the tree")]
    Proof(#[source] ProofFault),
    /// There are fewer entries than the range says.
    #[error("entry {index} is missing")]
    Missing {
        /// Index of the first entry that is not there.
        index: u64,
    },
    /// There are more entries than the range says.
    #[error("there is an entry {index} behind the end of the range")]
    Surplus {
        /// Index that the first surplus entry would have.
        index: u64,
    },
    /// An entry does not have the hash that comes with it.
    #[error("entry {index} does not have its hash")]
    Entry {
        /// Index of the first such entry.
        index: u64,
    },
    /// The source of entries failed.
    #[error("reading an entry failed")]
    Source(#[source] E),
}

impl<E> RangeFault<E> {
    /// Index of the first faulty entry, where that can be said.
    pub fn index(&self) -> Option<u64> {
        match self {
            Self::Missing { index } | Self::Surplus { index } | Self::Entry { index } => {
                Some(*index)
            }
            Self::Proof(_) | Self::Source(_) => None,
        }
    }
}

/// Collects what stands beside `start..end` under the subtree `low..high`, left to right.
fn spans_beside(low: u64, high: u64, start: u64, end: u64, spans: &mut Vec<Span>) {
    if end <= low || high <= start {
        spans.push(low..high);
    } else if low < start || end < high {
        // Not wholly inside, so there are at least two leaves to split.
        let middle = low + split_point(high - low);
        spans_beside(low, middle, start, end, spans);
        spans_beside(middle, high, start, end, spans);
    }
}

fn spans(start: u64, end: u64, size: u64) -> Option<Vec<Span>> {
    if start >= end || end > size {
        return None;
    }
    let mut spans = Vec::new();
    spans_beside(0, size, start, end, &mut spans);
    Some(spans)
}

/// Names the tiles that [`range_proof`] will read; none when the range is empty or outside of the
/// tree.
pub fn tiles_for_range(start: u64, end: u64, size: u64) -> Vec<TileId> {
    spans(start, end, size).map_or_else(Vec::new, |spans| tiles_for(&spans, size))
}

/// Proves the entries `start..end` of a tree of `size` leaves.
///
/// # Errors
///
/// [`ProofError`]; an empty range is out of range.
pub fn range_proof<S: TileSource + ?Sized>(
    source: &S,
    start: u64,
    end: u64,
    size: u64,
) -> Result<RangeProof, ProofError<S::Error>> {
    let spans = spans(start, end, size).ok_or(ProofError::OutOfRange { start, end, size })?;
    Ok(RangeProof { start, end, size, hashes: hashes_of(source, &spans, size)? })
}

/// One entry of an export, with the leaf hash that the export states for it, if it does.
///
/// The hash is not trusted. With it a changed entry is found by its index; without it the range is
/// refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported<B> {
    /// The entry's bytes.
    pub entry: B,
    /// The stated leaf hash.
    pub leaf: Option<Hash>,
}

/// Checks a stream of entries against a range proof and the root of a checkpoint that the caller
/// trusts. `progress` is told the number of entries done, every 256 and at the end.
///
/// # Errors
///
/// [`RangeFault`].
pub fn verify_entries<B: AsRef<[u8]>, E>(
    proof: &RangeProof,
    root: &Hash,
    entries: impl IntoIterator<Item = Result<Exported<B>, E>>,
    progress: impl FnMut(u64),
) -> Result<(), RangeFault<E>> {
    let empty = proof.start == 0 && proof.end == 0 && proof.size == 0;
    let expected =
        if empty { Some(0) } else { spans(proof.start, proof.end, proof.size).map(|s| s.len()) };
    match expected {
        None => return Err(RangeFault::Proof(ProofFault::OutOfRange)),
        Some(count) if count != proof.hashes.len() => {
            return Err(RangeFault::Proof(ProofFault::Length));
        }
        Some(_) => {}
    }
    let mut walk = Walk {
        start: proof.start,
        end: proof.end,
        next: proof.start,
        hashes: proof.hashes.iter(),
        entries: entries.into_iter(),
        progress,
    };
    let hash = if empty { empty_root() } else { walk.fold(0, proof.size)? };
    match walk.entries.next() {
        None => {}
        Some(Ok(_)) => return Err(RangeFault::Surplus { index: proof.end }),
        Some(Err(error)) => return Err(RangeFault::Source(error)),
    }
    (walk.progress)(proof.end - proof.start);
    if hash == *root { Ok(()) } else { Err(RangeFault::Proof(ProofFault::Root)) }
}

/// The walk over the tree, left to right; its depth is at most 64.
struct Walk<'a, I, P> {
    start: u64,
    end: u64,
    next: u64,
    hashes: std::slice::Iter<'a, Hash>,
    entries: I,
    progress: P,
}

impl<B, E, I, P> Walk<'_, I, P>
where
    B: AsRef<[u8]>,
    I: Iterator<Item = Result<Exported<B>, E>>,
    P: FnMut(u64),
{
    fn fold(&mut self, low: u64, high: u64) -> Result<Hash, RangeFault<E>> {
        if self.end <= low || high <= self.start {
            return self.hashes.next().copied().ok_or(RangeFault::Proof(ProofFault::Length));
        }
        if high - low == 1 {
            return self.leaf();
        }
        let middle = low + split_point(high - low);
        let left = self.fold(low, middle)?;
        let right = self.fold(middle, high)?;
        Ok(node_hash(&left, &right))
    }

    fn leaf(&mut self) -> Result<Hash, RangeFault<E>> {
        let index = self.next;
        let exported = self.entries.next().ok_or(RangeFault::Missing { index })?;
        let Exported { entry, leaf } = exported.map_err(RangeFault::Source)?;
        let hash = leaf_hash(entry.as_ref());
        if leaf.is_some_and(|stated| stated != hash) {
            return Err(RangeFault::Entry { index });
        }
        self.next += 1;
        if self.next.is_multiple_of(256) {
            (self.progress)(self.next - self.start);
        }
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Edge;
    use std::collections::HashMap;
    use std::convert::Infallible;

    fn entry(n: u64) -> Vec<u8> {
        n.to_be_bytes().to_vec()
    }

    fn log(size: u64) -> (HashMap<TileId, Vec<u8>>, Hash) {
        let mut edge = Edge::empty();
        let full = edge.append_many((0..size).map(|n| leaf_hash(&entry(n))));
        let tiles = full.into_iter().chain(edge.partial_tiles());
        (tiles.map(|tile| (tile.id, tile.bytes)).collect(), edge.root())
    }

    fn check(
        proof: &RangeProof,
        root: &Hash,
        entries: impl IntoIterator<Item = u64>,
        stated: bool,
    ) -> Result<(), RangeFault<Infallible>> {
        let exported = (proof.start..).zip(entries).map(|(index, n)| {
            Ok(Exported { entry: entry(n), leaf: stated.then(|| leaf_hash(&entry(index))) })
        });
        verify_entries(proof, root, exported, |_| {})
    }

    #[test]
    fn all_ranges_of_small_trees() {
        for size in 1..=17 {
            let (tiles, root) = log(size);
            for start in 0..size {
                for end in start + 1..=size {
                    let proof = range_proof(&tiles, start, end, size).unwrap();
                    assert_eq!(check(&proof, &root, start..end, false), Ok(()));
                    let moved = (start..end).map(|n| n + 1);
                    assert!(check(&proof, &root, moved, false).is_err());
                    let shifted = RangeProof { start: start + 1, end: end + 1, ..proof };
                    assert!(check(&shifted, &root, start..end, false).is_err());
                }
            }
        }
    }

    #[test]
    fn a_large_range_and_its_faults() {
        let (tiles, root) = log(3000);
        let few: HashMap<_, _> = tiles_for_range(700, 1900, 3000)
            .into_iter()
            .map(|id| (id, tiles[&id].clone()))
            .collect();
        let proof = range_proof(&few, 700, 1900, 3000).unwrap();
        let mut steps = Vec::new();
        let exported =
            (700..1900).map(|n| Ok::<_, Infallible>(Exported { entry: entry(n), leaf: None }));
        assert_eq!(verify_entries(&proof, &root, exported, |done| steps.push(done)), Ok(()));
        assert_eq!(steps.last(), Some(&1200));
        assert_eq!(steps.len(), 6);

        let short = check(&proof, &root, 700..1899, false);
        assert_eq!(short, Err(RangeFault::Missing { index: 1899 }));
        let long = check(&proof, &root, 700..1901, false);
        assert_eq!(long, Err(RangeFault::Surplus { index: 1900 }));
        let changed = |stated| {
            let entries = (700..1900).map(|n| if n == 1234 { 1 } else { n });
            check(&proof, &root, entries, stated)
        };
        assert_eq!(changed(false), Err(RangeFault::Proof(ProofFault::Root)));
        assert_eq!(changed(true).unwrap_err().index(), Some(1234));
        for at in 0..proof.hashes.len() {
            let mut wrong = proof.clone();
            wrong.hashes[at].0[0] ^= 1;
            let verdict = check(&wrong, &root, 700..1900, false);
            assert_eq!(verdict, Err(RangeFault::Proof(ProofFault::Root)));
        }
    }

    #[test]
    fn impossible_ranges() {
        let (tiles, root) = log(10);
        for (start, end, size) in [(0, 0, 10), (5, 5, 10), (6, 5, 10), (0, 11, 10), (10, 11, 10)] {
            let out = ProofError::OutOfRange { start, end, size };
            assert_eq!(range_proof(&tiles, start, end, size), Err(out));
            let proof = RangeProof { start, end, size, hashes: Vec::new() };
            let fault = RangeFault::Proof(ProofFault::OutOfRange);
            assert_eq!(check(&proof, &root, [], false), Err(fault));
        }
        let nothing = RangeProof { start: 0, end: 0, size: 0, hashes: Vec::new() };
        assert_eq!(check(&nothing, &empty_root(), [], false), Ok(()));
        assert!(check(&nothing, &root, [], false).is_err());
        let huge = RangeProof { start: 0, end: u64::MAX, size: u64::MAX, hashes: Vec::new() };
        assert_eq!(check(&huge, &root, [], false), Err(RangeFault::Missing { index: 0 }));
    }
}
