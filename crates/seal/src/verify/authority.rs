//! What the signed root says about each tile: hashes handed down from the root, level by level.
//!
//! A tile is believed only when its hashes lead to a hash that is already believed. Per level the
//! last tile is kept, so a walk from left to right reads every tile above level 0 once.

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::merkle::complete_root;
use crate::proof::TileSource;
use crate::tile::{BundleId, TILE_WIDTH, TileId};
use crate::tree::{Edge, TreeError};
use crate::verify::{Expected, FaultKind};

/// Tile levels of the largest tree.
const LEVELS: usize = 8;

/// A tile that has been looked at: its position in its level, and its hashes or why they are not
/// believed.
type Looked = Option<(u64, Result<Vec<Hash>, FaultKind>)>;

pub(super) struct Authority<'s, S: ?Sized> {
    source: &'s S,
    size: u64,
    /// The right edge, if its tiles are there and lead to the root.
    edge: Result<Edge, FaultKind>,
    looked: [Looked; LEVELS],
}

impl<'s, S: TileSource + ?Sized> Authority<'s, S> {
    /// Reads the edge and compares it with the root.
    pub(super) fn new(source: &'s S, checkpoint: &Checkpoint) -> Result<Self, S::Error> {
        let size = checkpoint.size();
        let mut failed = None;
        let edge = Edge::from_tiles(size, |id| match source.tile(id) {
            Ok(bytes) => bytes.map(std::borrow::Cow::into_owned),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let edge = match edge {
            Ok(edge) if edge.root() == *checkpoint.root() => Ok(edge),
            Ok(_) | Err(TreeError::Size(_)) => Err(FaultKind::Root),
            Err(TreeError::Missing(id)) => Err(FaultKind::MissingTile(id)),
            Err(TreeError::Malformed { id, .. }) => Err(FaultKind::Tile(id)),
        };
        Ok(Self { source, size, edge, looked: Default::default() })
    }

    /// The edge, or why it is not believed.
    pub(super) fn edge(&self) -> Result<&Edge, &FaultKind> {
        self.edge.as_ref()
    }

    /// What the level-0 tile of a bundle must be, or which tile above it is not to be believed.
    pub(super) fn expected(
        &mut self,
        id: BundleId,
    ) -> Result<Result<Expected<'_>, FaultKind>, S::Error> {
        if id.is_full() {
            let root = self.root_of(0, id.index())?;
            return Ok(root.map(Expected::Root));
        }
        let edge = self.edge.as_ref().map_err(FaultKind::clone);
        Ok(edge.map(|edge| Expected::Hashes(edge.hashes(0))))
    }

    /// The root that the full tile `index` of `level` must have. Goes up at most eight levels.
    fn root_of(&mut self, level: u8, index: u64) -> Result<Result<Hash, FaultKind>, S::Error> {
        let above = level + 1;
        let parent = index / u64::from(TILE_WIDTH);
        let slot = usize::from(above);
        if slot >= LEVELS {
            return Ok(Err(FaultKind::Root));
        }
        if self.looked[slot].as_ref().is_none_or(|(position, _)| *position != parent) {
            let hashes = self.look(above, parent)?;
            self.looked[slot] = Some((parent, hashes));
        }
        Ok(match &self.looked[slot] {
            Some((_, Ok(hashes))) => {
                let at = usize::try_from(index % u64::from(TILE_WIDTH)).ok();
                at.and_then(|at| hashes.get(at)).copied().ok_or(FaultKind::Root)
            }
            Some((_, Err(kind))) => Err(kind.clone()),
            None => Err(FaultKind::Root),
        })
    }

    /// Reads a tile and compares it with what stands above it.
    fn look(&mut self, level: u8, index: u64) -> Result<Result<Vec<Hash>, FaultKind>, S::Error> {
        let Some(id) = TileId::in_tree(level, index, self.size) else {
            return Ok(Err(FaultKind::Root));
        };
        if !id.is_full() {
            let edge = self.edge.as_ref().map_err(FaultKind::clone);
            return Ok(edge.map(|edge| edge.hashes(level).to_vec()));
        }
        let expected = match self.root_of(level, index)? {
            Ok(expected) => expected,
            Err(kind) => return Ok(Err(kind)),
        };
        let Some(bytes) = self.source.tile(id)? else {
            return Ok(Err(FaultKind::MissingTile(id)));
        };
        Ok(match id.hashes(&bytes) {
            Ok(hashes) if complete_root(&hashes) == expected => Ok(hashes),
            _ => Err(FaultKind::Tile(id)),
        })
    }
}
