//! Names of tiles and entry bundles, and their C2SP tlog-tiles paths in both directions.
//!
//! A path has exactly one spelling. Parsing must never accept a second one (leading zeroes,
//! `.p/256`, `x000/…`), because caches and permissions treat different spellings as different
//! files.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::hash::{HASH_SIZE, Hash};

/// Hashes in a full tile and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// Highest tile level that the tile format can name.
pub const LEVEL_MAX: u8 = 63;

/// Why something is not the name or the content of a tile or bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TileError {
    /// The level is above 63.
    #[error("tile level {0} is above 63")]
    Level(u8),
    /// The width is not within 1..=256.
    #[error("tile width {0} is not within 1 to 256")]
    Width(u16),
    /// The path is not under `tile/` and is not `checkpoint`.
    #[error("the path names no part of a log")]
    Path,
    /// The level of the path is not a decimal number from 0 to 63 without leading zeroes.
    #[error("the path has a malformed tile level")]
    PathLevel,
    /// The index of the path is not in canonical groups of three digits.
    #[error("the path has a malformed tile index")]
    PathIndex,
    /// The width of the path is not a decimal number from 1 to 255 without leading zeroes.
    #[error("the path has a malformed partial width")]
    PathWidth,
    /// The bytes of a tile are not a positive number of hashes up to 256, or fewer than named.
    #[error("tile of {actual} bytes where {expected} are named")]
    Length {
        /// Bytes that the name asks for.
        expected: usize,
        /// Bytes that are there.
        actual: usize,
    },
}

/// The name of a tile of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

/// The name of a bundle of entries; it holds the entries whose hashes are the level-0 tile of the
/// same index and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    index: u64,
    width: u16,
}

/// Anything that a tiled log serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// The latest signed checkpoint: `checkpoint`.
    Checkpoint,
    /// A tile of hashes: `tile/<level>/<index>[.p/<width>]`.
    Tile(TileId),
    /// A bundle of entries: `tile/entries/<index>[.p/<width>]`.
    Entries(BundleId),
}

/// A tile with its content, the concatenated hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// The name of the tile.
    pub id: TileId,
    /// `width` hashes of 32 bytes each.
    pub bytes: Vec<u8>,
}

impl TileId {
    /// Names the tile at `level` (0..=63), `index` within its level, holding `width` (1..=256)
    /// hashes.
    ///
    /// # Errors
    ///
    /// [`TileError::Level`] or [`TileError::Width`] when out of range.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        if level > LEVEL_MAX {
            return Err(TileError::Level(level));
        }
        check_width(width)?;
        Ok(Self { level, index, width })
    }

    /// The caller vouches for `level` ≤ 63 and 1 ≤ `width` ≤ 256.
    pub(crate) fn known(level: u8, index: u64, width: u16) -> Self {
        debug_assert!(level <= LEVEL_MAX && (1..=TILE_WIDTH).contains(&width));
        Self { level, index, width }
    }

    /// The tile `index` of `level` as it is in a tree of `size` leaves; `None` where that tree has
    /// no such tile (or `level` is above 7, which no tree of 64-bit size reaches).
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(8 * u32::from(level))?;
        let start = index.checked_mul(u64::from(TILE_WIDTH))?;
        let left = hashes.checked_sub(start).filter(|left| *left > 0)?;
        let width = u16::try_from(left).unwrap_or(TILE_WIDTH).min(TILE_WIDTH);
        Some(Self::known(level, index, width))
    }

    /// Level: 0 for leaf hashes, *l* for hashes of full tiles of level *l* − 1.
    pub fn level(self) -> u8 {
        self.level
    }

    /// Position of the tile within its level.
    pub fn index(self) -> u64 {
        self.index
    }

    /// Number of hashes, 1..=256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether the tile has all 256 hashes.
    pub fn is_full(self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The full tile at the same place: what to try when a partial tile has been deleted.
    pub fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }

    /// Length of the content in bytes.
    pub fn byte_len(self) -> usize {
        usize::from(self.width) * HASH_SIZE
    }

    /// The hashes that this name asks for, out of `bytes`, which may be a wider version of the
    /// tile.
    ///
    /// # Errors
    ///
    /// [`TileError::Length`] when `bytes` is shorter, longer than a full tile, or no whole number
    /// of hashes.
    pub fn hashes(self, bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
        let (whole, rest) = bytes.as_chunks::<HASH_SIZE>();
        let width = usize::from(self.width);
        if whole.len() < width || whole.len() > usize::from(TILE_WIDTH) || !rest.is_empty() {
            return Err(TileError::Length { expected: self.byte_len(), actual: bytes.len() });
        }
        Ok(whole[..width].iter().map(|bytes| Hash(*bytes)).collect())
    }
}

impl BundleId {
    /// Names the bundle `index` holding `width` (1..=256) entries.
    ///
    /// # Errors
    ///
    /// [`TileError::Width`] when out of range.
    pub fn new(index: u64, width: u16) -> Result<Self, TileError> {
        check_width(width)?;
        Ok(Self { index, width })
    }

    /// The bundle `index` as it is in a tree of `size` leaves; `None` where there is none.
    pub fn in_tree(index: u64, size: u64) -> Option<Self> {
        TileId::in_tree(0, index, size).map(|tile| Self { index: tile.index, width: tile.width })
    }

    /// Position of the bundle; its first entry has index 256 × this.
    pub fn index(self) -> u64 {
        self.index
    }

    /// Number of entries, 1..=256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether the bundle has all 256 entries.
    pub fn is_full(self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The full bundle at the same place.
    pub fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }

    /// The level-0 tile with the hashes of this bundle's entries.
    pub fn tile(self) -> TileId {
        TileId { level: 0, index: self.index, width: self.width }
    }
}

fn check_width(width: u16) -> Result<(), TileError> {
    if (1..=TILE_WIDTH).contains(&width) { Ok(()) } else { Err(TileError::Width(width)) }
}

/// `x001/x234/067[.p/<width>]`.
fn write_index(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    // 2^64 − 1 has 20 digits, which are seven groups of three.
    let mut groups = [0u64; 7];
    let mut count = 0;
    let mut rest = index;
    loop {
        groups[count] = rest % 1000;
        rest /= 1000;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    for group in groups[1..count].iter().rev() {
        write!(f, "x{group:03}/")?;
    }
    write!(f, "{:03}", groups[0])?;
    if width < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_index(f, self.index, self.width)
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_index(f, self.index, self.width)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Tile(id) => id.fmt(f),
            Self::Entries(id) => id.fmt(f),
        }
    }
}

/// A decimal number without sign and without leading zeroes.
fn parse_decimal(text: &str) -> Option<u16> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
        && text.len() <= 3;
    if canonical { text.parse().ok() } else { None }
}

fn parse_group(text: &str) -> Option<u64> {
    let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Parses `x001/x234/067[.p/<width>]`.
fn parse_index(text: &str) -> Result<(u64, u16), TileError> {
    let (groups, width) = match text.split_once(".p/") {
        None => (text, TILE_WIDTH),
        Some((groups, width)) => {
            let width = parse_decimal(width).filter(|width| (1..TILE_WIDTH).contains(width));
            (groups, width.ok_or(TileError::PathWidth)?)
        }
    };
    let (leading, last) = match groups.rsplit_once('/') {
        None => (None, groups),
        Some((leading, last)) => (Some(leading), last),
    };
    let mut index = 0u64;
    for group in leading.into_iter().flat_map(|leading| leading.split('/')) {
        let value = group.strip_prefix('x').and_then(parse_group).ok_or(TileError::PathIndex)?;
        // A first group of `x000` would be a second spelling of the same index.
        if index == 0 && value == 0 {
            return Err(TileError::PathIndex);
        }
        index = push_group(index, value)?;
    }
    let value = parse_group(last).ok_or(TileError::PathIndex)?;
    Ok((push_group(index, value)?, width))
}

fn push_group(index: u64, group: u64) -> Result<u64, TileError> {
    let shifted = index.checked_mul(1000).and_then(|index| index.checked_add(group));
    shifted.ok_or(TileError::PathIndex)
}

impl FromStr for Resource {
    type Err = TileError;

    /// Parses a path relative to the log's prefix, without leading slash.
    fn from_str(path: &str) -> Result<Self, TileError> {
        if path == "checkpoint" {
            return Ok(Self::Checkpoint);
        }
        let path = path.strip_prefix("tile/").ok_or(TileError::Path)?;
        let (level, rest) = path.split_once('/').ok_or(TileError::Path)?;
        if level == "entries" {
            let (index, width) = parse_index(rest)?;
            return Ok(Self::Entries(BundleId { index, width }));
        }
        let level = parse_decimal(level)
            .and_then(|level| u8::try_from(level).ok())
            .filter(|level| *level <= LEVEL_MAX)
            .ok_or(TileError::PathLevel)?;
        let (index, width) = parse_index(rest)?;
        Ok(Self::Tile(TileId { level, index, width }))
    }
}

impl FromStr for TileId {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        match path.parse()? {
            Resource::Tile(id) => Ok(id),
            _ => Err(TileError::Path),
        }
    }
}

impl FromStr for BundleId {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        match path.parse()? {
            Resource::Entries(id) => Ok(id),
            _ => Err(TileError::Path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(level: u8, index: u64, width: u16) -> Resource {
        Resource::Tile(TileId::new(level, index, width).unwrap())
    }

    fn entries(index: u64, width: u16) -> Resource {
        Resource::Entries(BundleId::new(index, width).unwrap())
    }

    #[test]
    fn paths_both_ways() {
        for (path, resource) in [
            ("checkpoint", Resource::Checkpoint),
            ("tile/0/000", tile(0, 0, 256)),
            ("tile/0/000.p/12", tile(0, 0, 12)),
            ("tile/0/x001/234", tile(0, 1234, 256)),
            ("tile/0/x001/x234/067", tile(0, 1_234_067, 256)),
            ("tile/1/x001/000.p/255", tile(1, 1000, 255)),
            ("tile/63/x018/x446/x744/x073/x709/x551/615.p/1", tile(63, u64::MAX, 1)),
            ("tile/entries/999", entries(999, 256)),
            ("tile/entries/x123/x456/789.p/7", entries(123_456_789, 7)),
        ] {
            assert_eq!(path.parse(), Ok(resource), "{path}");
            assert_eq!(resource.to_string(), path);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        use TileError::{Path, PathIndex, PathLevel, PathWidth};
        for (path, error) in [
            ("", Path),
            ("/checkpoint", Path),
            ("checkpoint/", Path),
            ("tile", Path),
            ("tile/", Path),
            ("tile/0", Path),
            ("Tile/0/000", Path),
            ("tile//000", PathLevel),
            ("tile/00/000", PathLevel),
            ("tile/01/000", PathLevel),
            ("tile/+1/000", PathLevel),
            ("tile/64/000", PathLevel),
            ("tile/256/000", PathLevel),
            ("tile/Entries/000", PathLevel),
            ("tile/0/", PathIndex),
            ("tile/0/0", PathIndex),
            ("tile/0/00", PathIndex),
            ("tile/0/0000", PathIndex),
            ("tile/0/+00", PathIndex),
            ("tile/0/٠٠٠", PathIndex),
            ("tile/0/x000", PathIndex),
            ("tile/0/x000/001", PathIndex),
            ("tile/0/x001/x002", PathIndex),
            ("tile/0/001/002", PathIndex),
            ("tile/0/X001/002", PathIndex),
            ("tile/0/x001//002", PathIndex),
            ("tile/0/x001/002/", PathIndex),
            ("tile/0//000", PathIndex),
            ("tile/0/x018/x446/x744/x073/x709/x551/616", PathIndex),
            ("tile/0/x001/x018/x446/x744/x073/x709/x551/615", PathIndex),
            ("tile/0/000.p", PathIndex),
            ("tile/0/000.p/", PathWidth),
            ("tile/0/000.p/0", PathWidth),
            ("tile/0/000.p/256", PathWidth),
            ("tile/0/000.p/012", PathWidth),
            ("tile/0/000.p/+1", PathWidth),
            ("tile/0/000.p/1/", PathWidth),
            ("tile/0/000.p/1.p/1", PathWidth),
            ("tile/entries/000.p/999", PathWidth),
        ] {
            assert_eq!(path.parse::<Resource>(), Err(error), "{path}");
        }
        assert_eq!("tile/0/000".parse::<BundleId>(), Err(Path));
        assert_eq!("checkpoint".parse::<TileId>(), Err(Path));
    }

    #[test]
    fn tiles_of_a_tree() {
        // The example of the specification: a tree of 70,000.
        let width = |level, index| TileId::in_tree(level, index, 70_000).map(TileId::width);
        assert_eq!(width(0, 272), Some(256));
        assert_eq!(width(0, 273), Some(112));
        assert_eq!(width(0, 274), None);
        assert_eq!(width(1, 0), Some(256));
        assert_eq!(width(1, 1), Some(17));
        assert_eq!(width(2, 0), Some(1));
        assert_eq!(width(3, 0), None);
        assert_eq!(TileId::in_tree(1, 0, 256).map(TileId::width), Some(1));
        assert_eq!(TileId::in_tree(0, 1, 256), None);
        assert_eq!(TileId::in_tree(8, 0, u64::MAX), None);
        assert_eq!(TileId::in_tree(0, u64::MAX, u64::MAX), None);
        assert_eq!(TileId::in_tree(7, 0, u64::MAX).map(TileId::width), Some(255));
    }

    #[test]
    fn ranges_are_checked() {
        assert_eq!(TileId::new(64, 0, 1), Err(TileError::Level(64)));
        assert_eq!(TileId::new(0, 0, 0), Err(TileError::Width(0)));
        assert_eq!(TileId::new(0, 0, 257), Err(TileError::Width(257)));
        assert_eq!(BundleId::new(0, 257), Err(TileError::Width(257)));
    }

    #[test]
    fn a_wider_tile_serves_a_narrower_name() {
        let id = TileId::new(0, 0, 2).unwrap();
        let bytes: Vec<u8> = (0..96).collect();
        let hashes = id.hashes(&bytes).unwrap();
        assert_eq!(hashes.len(), 2);
        assert_eq!(hashes[1].0[0], 32);
        for length in [0, 32, 63, 65, 257 * 32] {
            let expected = TileError::Length { expected: 64, actual: length };
            assert_eq!(id.hashes(&vec![0; length]), Err(expected), "{length}");
        }
    }
}
