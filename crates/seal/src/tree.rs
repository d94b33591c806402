//! The right edge of a tree: all that is needed to append leaves and to know the root.
//!
//! Per level the edge holds the partial tile, at most 255 hashes, so its memory is bounded by 8
//! levels whatever the size of the log. It never holds a full tile: `append` hands those out the
//! moment they are complete, and the caller stores them.

use thiserror::Error;

use crate::hash::{Hash, empty_root};
use crate::merkle::{complete_root, fold_left_of};
use crate::tile::{TILE_WIDTH, Tile, TileError, TileId};

/// Largest number of leaves that an [`Edge`] can be loaded with: what a signed 64-bit column can
/// hold.
pub const TREE_SIZE_MAX: u64 = i64::MAX as u64;

/// Why an edge cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TreeError {
    /// More leaves than [`TREE_SIZE_MAX`].
    #[error("a tree of {0} leaves is too large")]
    Size(u64),
    /// A partial tile of the edge is not there.
    #[error("{0} is missing")]
    Missing(TileId),
    /// A partial tile of the edge has the wrong length.
    #[error("{id} is malformed")]
    Malformed {
        /// The tile.
        id: TileId,
        /// What is wrong with it.
        #[source]
        source: TileError,
    },
}

/// The right edge (compact range) of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    /// Per tile level, the hashes of the partial tile; never 256 of them.
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of the tree without leaves.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Loads the edge of a tree of `size` leaves from its partial tiles.
    ///
    /// `tile` is asked once for each name in [`edge_tiles`]`(size)`; it may answer with a wider
    /// version of the tile. Nothing is authenticated here: compare [`Edge::root`] with a signed
    /// root.
    ///
    /// # Errors
    ///
    /// [`TreeError`] when a tile is missing or malformed, or `size` is above [`TREE_SIZE_MAX`].
    pub fn from_tiles(
        size: u64,
        mut tile: impl FnMut(TileId) -> Option<Vec<u8>>,
    ) -> Result<Self, TreeError> {
        if size > TREE_SIZE_MAX {
            return Err(TreeError::Size(size));
        }
        let mut edge = Self { size, levels: vec![Vec::new(); 8] };
        for id in edge_tiles(size) {
            let bytes = tile(id).ok_or(TreeError::Missing(id))?;
            let hashes = id.hashes(&bytes).map_err(|source| TreeError::Malformed { id, source })?;
            edge.levels[usize::from(id.level())] = hashes;
        }
        Ok(edge)
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash; returns the tiles that became full, lowest level first (mostly none: an
    /// empty vector that has not allocated).
    pub fn append(&mut self, leaf: Hash) -> Vec<Tile> {
        let mut full = Vec::new();
        self.append_into(leaf, &mut full);
        full
    }

    /// Appends many leaf hashes; returns all tiles that became full in the order of their
    /// completion.
    pub fn append_many(&mut self, leaves: impl IntoIterator<Item = Hash>) -> Vec<Tile> {
        let mut full = Vec::new();
        for leaf in leaves {
            self.append_into(leaf, &mut full);
        }
        full
    }

    fn append_into(&mut self, leaf: Hash, full: &mut Vec<Tile>) {
        // No overflow: a loaded size is at most 2^63 − 1, and nobody appends 2^63 more.
        self.size += 1;
        let mut carry = leaf;
        for level in 0u8.. {
            let at = usize::from(level);
            if at == self.levels.len() {
                self.levels.push(Vec::with_capacity(usize::from(TILE_WIDTH)));
            }
            let hashes = &mut self.levels[at];
            hashes.push(carry);
            if hashes.len() < usize::from(TILE_WIDTH) {
                return;
            }
            carry = complete_root(hashes);
            let index = (self.size >> (8 * (u32::from(level) + 1))) - 1;
            let bytes = concatenated(hashes);
            full.push(Tile { id: TileId::known(level, index, TILE_WIDTH), bytes });
            hashes.clear();
        }
    }

    /// The root of the tree (RFC 6962 §2.1).
    pub fn root(&self) -> Hash {
        let mut folded = None;
        for hashes in &self.levels {
            folded = fold_left_of(hashes, folded);
        }
        folded.unwrap_or_else(empty_root)
    }

    /// The partial tiles of the tree, lowest level first: store them with the checkpoint of this
    /// size.
    pub fn partial_tiles(&self) -> Vec<Tile> {
        let tile = |id: TileId| Tile { id, bytes: concatenated(self.hashes(id.level())) };
        edge_tiles(self.size).map(tile).collect()
    }

    /// The hashes of the partial tile at `level`.
    pub(crate) fn hashes(&self, level: u8) -> &[Hash] {
        self.levels.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }
}

/// The names of the partial tiles of a tree of `size` leaves, lowest level first; at most eight.
pub fn edge_tiles(size: u64) -> impl Iterator<Item = TileId> {
    (0..8u8).filter_map(move |level| {
        let hashes = size >> (8 * u32::from(level));
        let id = TileId::in_tree(level, hashes / u64::from(TILE_WIDTH), size)?;
        (!id.is_full()).then_some(id)
    })
}

fn concatenated(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{leaf_hash, node_hash};
    use std::collections::HashMap;

    fn leaf(n: u64) -> Hash {
        leaf_hash(&n.to_be_bytes())
    }

    #[test]
    fn three_leaves() {
        let mut edge = Edge::empty();
        assert_eq!(edge.root(), empty_root());
        assert!(edge.partial_tiles().is_empty());
        assert!(edge.append_many((0..3).map(leaf)).is_empty());
        assert_eq!(edge.root(), node_hash(&node_hash(&leaf(0), &leaf(1)), &leaf(2)));
        let tiles = edge.partial_tiles();
        assert_eq!(tiles.len(), 1);
        assert_eq!(tiles[0].id.to_string(), "tile/0/000.p/3");
        assert_eq!(tiles[0].bytes.len(), 96);
    }

    #[test]
    fn full_tiles_come_out_in_order() {
        let mut edge = Edge::empty();
        let full = edge.append_many((0..65_536).map(leaf));
        let names: Vec<String> = full.iter().map(|tile| tile.id.to_string()).collect();
        assert_eq!(names.len(), 257);
        assert_eq!(names[0], "tile/0/000");
        assert_eq!(names[255], "tile/0/255");
        assert_eq!(names[256], "tile/1/000");
        assert!(full.iter().all(|tile| tile.bytes.len() == 8192));
        let partial = edge.partial_tiles();
        assert_eq!(partial.len(), 1);
        assert_eq!(partial[0].id.to_string(), "tile/2/000.p/1");
        assert_eq!(partial[0].bytes, edge.root().0);
    }

    #[test]
    fn a_reloaded_edge_goes_on() {
        let mut edge = Edge::empty();
        let mut other = Edge::empty();
        for n in 0..1500 {
            assert_eq!(edge.append(leaf(n)), other.append(leaf(n)));
            let stored: HashMap<_, _> =
                other.partial_tiles().into_iter().map(|tile| (tile.id, tile.bytes)).collect();
            other = Edge::from_tiles(n + 1, |id| stored.get(&id).cloned()).unwrap();
            assert_eq!(edge.root(), other.root(), "{n}");
        }
    }

    #[test]
    fn loading_refuses() {
        let id = TileId::new(0, 0, 3).unwrap();
        assert_eq!(Edge::from_tiles(3, |_| None), Err(TreeError::Missing(id)));
        let source = TileError::Length { expected: 96, actual: 95 };
        assert_eq!(
            Edge::from_tiles(3, |_| Some(vec![0; 95])),
            Err(TreeError::Malformed { id, source })
        );
        assert_eq!(Edge::from_tiles(1 << 63, |_| None), Err(TreeError::Size(1 << 63)));
        let largest = Edge::from_tiles(TREE_SIZE_MAX, |id| Some(vec![0; id.byte_len()])).unwrap();
        assert_eq!(largest.clone().append(leaf(0)).len(), 7);
    }
}
