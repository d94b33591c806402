//! Arithmetic of the Merkle tree: how a range of leaves falls apart into complete subtrees, and
//! where in the tiles their hashes stand.
//!
//! Private; [`crate::tree`], [`crate::proof`] and [`crate::verify`] are its users. It must never
//! read anything: it only says which hashes are needed.

use crate::hash::{Hash, node_hash};
use crate::tile::{TILE_WIDTH, TileId};

/// Root of the subtree over 1..=256 hashes whose number is a power of two.
pub(crate) fn complete_root(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two() && hashes.len() <= 256);
    if let [single] = hashes {
        return *single;
    }
    let mut level = [Hash::default(); 128];
    let mut width = hashes.len() / 2;
    for (node, [left, right]) in level.iter_mut().zip(hashes.as_chunks::<2>().0) {
        *node = node_hash(left, right);
    }
    while width > 1 {
        width /= 2;
        for i in 0..width {
            level[i] = node_hash(&level[2 * i], &level[2 * i + 1]);
        }
    }
    level[0]
}

/// Folds `hashes`, a run of neighbours of one level, to the left of what has been folded so far.
///
/// Going from the lowest level to the highest, this yields the root of the tree whose right edge
/// they are: the largest complete subtree always stands leftmost (RFC 6962 §2.1).
pub(crate) fn fold_left_of(hashes: &[Hash], mut folded: Option<Hash>) -> Option<Hash> {
    let mut rest = hashes;
    while !rest.is_empty() {
        let subtree = 1usize << rest.len().trailing_zeros();
        let (before, last) = rest.split_at(rest.len() - subtree);
        let root = complete_root(last);
        folded = Some(folded.map_or(root, |right| node_hash(&root, &right)));
        rest = before;
    }
    folded
}

/// The largest power of two below `count` (RFC 6962 §2.1: k). `count` is at least 2.
pub(crate) fn split_point(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

/// A complete subtree: the leaves `index << height .. (index + 1) << height`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subtree {
    pub(crate) height: u32,
    pub(crate) index: u64,
}

impl Subtree {
    /// The tile of a tree of `size` leaves, and the run of its hashes, that this subtree is made
    /// of. `None` when the subtree is not within the tree.
    pub(crate) fn place(self, size: u64) -> Option<(TileId, std::ops::Range<usize>)> {
        let level = u8::try_from(self.height / 8).ok()?;
        let inner = self.height % 8;
        let first = self.index << inner;
        let id = TileId::in_tree(level, first / u64::from(TILE_WIDTH), size)?;
        let start = usize::try_from(first % u64::from(TILE_WIDTH)).ok()?;
        let end = start + (1 << inner);
        (end <= usize::from(id.width())).then_some((id, start..end))
    }
}

/// The complete subtrees, left to right, whose fold from the right is the hash of the leaves
/// `low..high`.
///
/// `low..high` must be a range that RFC 6962's splitting produces: `low` aligned to the smallest
/// power of two that is not below the length.
pub(crate) fn subtrees(low: u64, high: u64) -> Vec<Subtree> {
    let mut found = Vec::new();
    let mut start = low;
    while start < high {
        let height = 63 - (high - start).leading_zeros();
        found.push(Subtree { height, index: start >> height });
        start += 1 << height;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{empty_root, leaf_hash};

    /// MTH as RFC 6962 §2.1 defines it, to compare with.
    fn mth(hashes: &[Hash]) -> Hash {
        match hashes {
            [] => empty_root(),
            [one] => *one,
            many => {
                let (left, right) =
                    many.split_at(usize::try_from(split_point(many.len() as u64)).unwrap());
                node_hash(&mth(left), &mth(right))
            }
        }
    }

    #[test]
    fn folding_is_the_definition() {
        let hashes: Vec<Hash> = (0..256u16).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        for count in 0..=256 {
            let root = fold_left_of(&hashes[..count], None).unwrap_or_else(empty_root);
            assert_eq!(root, mth(&hashes[..count]), "{count}");
        }
    }

    #[test]
    fn split_points() {
        for (count, k) in [(2, 1), (3, 2), (4, 2), (5, 4), (8, 4), (9, 8), (u64::MAX, 1 << 63)] {
            assert_eq!(split_point(count), k, "{count}");
        }
    }

    #[test]
    fn places() {
        let place = |height, index, size| Subtree { height, index }.place(size);
        let tile = |level, index, width| TileId::new(level, index, width).unwrap();
        assert_eq!(place(0, 0, 1), Some((tile(0, 0, 1), 0..1)));
        assert_eq!(place(3, 33, 300), Some((tile(0, 1, 44), 8..16)));
        assert_eq!(place(3, 37, 300), None);
        assert_eq!(place(8, 0, 300), Some((tile(1, 0, 1), 0..1)));
        assert_eq!(place(9, 1, 1024), Some((tile(1, 0, 4), 2..4)));
        assert_eq!(place(63, 0, u64::MAX), Some((tile(7, 0, 255), 0..128)));
    }
}
