//! Verification of a whole log or of a part of it, from its published bytes alone.
//!
//! Two movements meet: `authority` goes down from the signed root and says what each tile must hash
//! to; the walk here goes up from the entries and says what they do hash to. Where the two part,
//! the fault is named with the first faulty entry, if the sealed hashes allow to tell it. Memory is
//! bounded by one bundle and one tile per level. Nothing is ever repaired, and a fault is never
//! passed over: the walk ends at the first one.

use std::borrow::Cow;
use std::ops::Range;

use thiserror::Error;

use crate::bundle::{BundleError, Entries};
use crate::checkpoint::{Checkpoint, CheckpointError, Opened, Trust};
use crate::hash::{HASH_SIZE, Hash, leaf_hash};
use crate::proof::TileSource;
use crate::tile::{BundleId, TILE_WIDTH, Tile, TileId};
use crate::tree::Edge;
use crate::verify::authority::Authority;

mod authority;

/// Where the published bytes of a log come from.
pub trait LogSource: TileSource {
    /// The signed checkpoint, `None` if there is none.
    ///
    /// # Errors
    ///
    /// Whatever the source says; it is passed through.
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, Self::Error>;

    /// The bundle with exactly `id.width()` entries, `None` if there is none. Unlike a tile it must
    /// not be a wider version: [`crate::bundle::trim`] cuts one to size.
    ///
    /// # Errors
    ///
    /// Whatever the source says; it is passed through.
    fn bundle(&self, id: BundleId) -> Result<Option<Cow<'_, [u8]>>, Self::Error>;
}

/// What is wrong with a log, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", place(*index, entries))]
pub struct Fault {
    /// The first faulty entry (or, for a damaged level-0 tile, the entry of the first damaged
    /// hash), where that can be said.
    pub index: Option<u64>,
    /// The entries that the fault lies in or casts doubt on; empty when it concerns none.
    pub entries: Range<u64>,
    /// What it is.
    #[source]
    pub kind: FaultKind,
}

fn place(index: Option<u64>, entries: &Range<u64>) -> String {
    match index {
        Some(index) => format!("fault at entry {index}"),
        None if entries.is_empty() => "fault of the log as a whole".to_owned(),
        None => format!("fault within the entries {} to {}", entries.start, entries.end - 1),
    }
}

/// The kinds of faults.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FaultKind {
    /// There is no checkpoint.
    #[error("the checkpoint is missing")]
    MissingCheckpoint,
    /// The checkpoint is not to be trusted.
    #[error("the checkpoint is refused")]
    Checkpoint(#[source] CheckpointError),
    /// The range asked for is not within the log.
    #[error("the range is not within the log")]
    OutOfRange,
    /// A bundle is not there.
    #[error("{0} is missing")]
    MissingBundle(BundleId),
    /// A bundle ends too early or too late.
    #[error("{id} is malformed")]
    Bundle {
        /// The bundle.
        id: BundleId,
        /// What is wrong with it.
        #[source]
        source: BundleError,
    },
    /// The entry is not the sealed one: the authentic tile has another hash for it.
    #[error("an entry is not the one that was sealed")]
    Entry,
    /// A tile is not there.
    #[error("{0} is missing")]
    MissingTile(TileId),
    /// A tile is not the one that belongs to the entries.
    #[error("{0} is damaged")]
    Tile(TileId),
    /// Entry and tile differ, and the tiles above are too damaged to say which of the two is right.
    #[error("an entry and its tile differ")]
    EntryOrTile,
    /// Entries and their tile have both been changed, away from the sealed tree.
    #[error("entries and their tile have been rewritten")]
    Rewritten,
    /// The tree of the entries is not the one of the checkpoint, though all tiles agree with the
    /// entries.
    #[error("the entries do not have the root of the checkpoint")]
    Root,
}

/// Why a verification ends without success. `E` is the error of the source.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VerifyError<E> {
    /// The log is faulty.
    #[error("the log is faulty")]
    Fault(#[source] Fault),
    /// The source failed: nothing can be said about the log.
    #[error("reading the log failed")]
    Source(#[source] E),
}

impl<E> From<Fault> for VerifyError<E> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn fault(index: Option<u64>, entries: Range<u64>, kind: FaultKind) -> Fault {
    Fault { index, entries, kind }
}

/// Verifies every entry, every tile and the checkpoint of a log. `progress` is told after each
/// bundle how many entries are done.
///
/// # Errors
///
/// [`VerifyError::Fault`] with the first fault found, or [`VerifyError::Source`].
pub fn verify_log<S: LogSource + ?Sized>(
    source: &S,
    trust: &Trust,
    mut progress: impl FnMut(u64),
) -> Result<Opened, VerifyError<S::Error>> {
    let opened = open(source, trust)?;
    let checkpoint = &opened.checkpoint;
    let size = checkpoint.size();
    let mut authority = Authority::new(source, checkpoint).map_err(VerifyError::Source)?;
    let mut edge = Edge::empty();
    for index in 0..size.div_ceil(u64::from(TILE_WIDTH)) {
        let Some(id) = BundleId::in_tree(index, size) else { break };
        let read = Read::new(source, id).map_err(VerifyError::Source)?;
        let expected = Expected::whole(&mut authority, &edge, checkpoint, id);
        read.judge(&expected.map_err(VerifyError::Source)?)?;
        for full in edge.append_many(read.leaves) {
            // Level 0 has been compared with the entries just now.
            if full.id.level() > 0 {
                compare_upper(source, &full, size)?;
            }
        }
        progress(edge.size());
    }
    if edge.root() != *checkpoint.root() {
        return Err(fault(None, 0..size, FaultKind::Root).into());
    }
    for partial in edge.partial_tiles() {
        if partial.id.level() > 0 {
            compare_upper(source, &partial, size)?;
        }
    }
    Ok(opened)
}

/// Verifies the entries `range` of a log, rounded out to whole bundles, against the tiles between
/// them and the signed root. `progress` is told after each bundle how many entries are done.
///
/// # Errors
///
/// As [`verify_log`].
pub fn verify_range<S: LogSource + ?Sized>(
    source: &S,
    trust: &Trust,
    range: Range<u64>,
    mut progress: impl FnMut(u64),
) -> Result<Opened, VerifyError<S::Error>> {
    let opened = open(source, trust)?;
    let size = opened.checkpoint.size();
    if range.start > range.end || range.end > size {
        return Err(fault(None, range, FaultKind::OutOfRange).into());
    }
    let mut authority = Authority::new(source, &opened.checkpoint).map_err(VerifyError::Source)?;
    if let Err(kind) = authority.edge() {
        return Err(fault(None, range, kind.clone()).into());
    }
    let width = u64::from(TILE_WIDTH);
    let mut done = 0;
    for index in range.start / width..range.end.div_ceil(width) {
        let Some(id) = BundleId::in_tree(index, size) else { break };
        let expected = authority.expected(id).map_err(VerifyError::Source)?;
        let expected = expected.map_err(|kind| fault(None, range.clone(), kind))?;
        let read = Read::new(source, id).map_err(VerifyError::Source)?;
        read.judge(&expected)?;
        done += u64::from(id.width());
        progress(done);
    }
    Ok(opened)
}

fn open<S: LogSource + ?Sized>(source: &S, trust: &Trust) -> Result<Opened, VerifyError<S::Error>> {
    let note = source.checkpoint().map_err(VerifyError::Source)?;
    let note = note.ok_or_else(|| fault(None, 0..0, FaultKind::MissingCheckpoint))?;
    let opened = trust.open(&note);
    Ok(opened.map_err(|error| fault(None, 0..0, FaultKind::Checkpoint(error)))?)
}

/// What is known, without looking at the entries, about the hashes of one level-0 tile.
enum Expected<'a> {
    /// The full tile must have this root.
    Root(Hash),
    /// The partial tile of the edge is this one.
    Hashes(&'a [Hash]),
    /// The stored edge is of no use; appended to this edge of verified entries, the right hashes
    /// give the root. A wrong root says nothing, the checkpoint may be of another tree.
    Beyond(&'a Edge, Hash),
    /// The tiles above are of no use.
    Unknown,
}

impl<'a> Expected<'a> {
    /// What is known when all entries before `id` have been verified into `edge`.
    fn whole<S: LogSource + ?Sized>(
        authority: &'a mut Authority<'_, S>,
        edge: &'a Edge,
        checkpoint: &Checkpoint,
        id: BundleId,
    ) -> Result<Self, S::Error> {
        Ok(match authority.expected(id)? {
            Ok(expected) => expected,
            Err(_) if id.is_full() => Self::Unknown,
            Err(_) => Self::Beyond(edge, *checkpoint.root()),
        })
    }

    /// Whether `hashes` are the sealed ones; `None` when that cannot be said.
    fn confirms(&self, hashes: &[Hash]) -> Option<bool> {
        match self {
            Self::Root(root) => {
                let full = hashes.len() == usize::from(TILE_WIDTH);
                Some(full && crate::merkle::complete_root(hashes) == *root)
            }
            Self::Hashes(expected) => Some(hashes == *expected),
            Self::Beyond(edge, root) => {
                let mut edge = (*edge).clone();
                edge.append_many(hashes.iter().copied());
                (edge.root() == *root).then_some(true)
            }
            Self::Unknown => None,
        }
    }
}

/// What the source has for one bundle and its level-0 tile.
struct Read {
    id: BundleId,
    /// Hashes of the entries that could be taken out of the bundle, at most its width.
    leaves: Vec<Hash>,
    /// Why the bundle does not hold exactly its width.
    broken: Option<FaultKind>,
    tile: StoredTile,
}

impl Read {
    fn new<S: LogSource + ?Sized>(source: &S, id: BundleId) -> Result<Self, S::Error> {
        let tile = StoredTile::read(source, id.tile())?;
        let Some(bytes) = source.bundle(id)? else {
            let broken = Some(FaultKind::MissingBundle(id));
            return Ok(Self { id, leaves: Vec::new(), broken, tile });
        };
        let mut leaves = Vec::with_capacity(usize::from(TILE_WIDTH));
        let mut entries = Entries::new(&bytes);
        let mut broken = None;
        for position in 0..id.width() {
            match entries.next() {
                Some(Ok(entry)) => leaves.push(leaf_hash(entry)),
                _ => {
                    let source = BundleError::Truncated { position };
                    broken = Some(FaultKind::Bundle { id, source });
                    break;
                }
            }
        }
        if broken.is_none() && !entries.rest().is_empty() {
            let source = BundleError::Surplus { position: id.width() };
            broken = Some(FaultKind::Bundle { id, source });
        }
        Ok(Self { id, leaves, broken, tile })
    }

    /// Compares entries, tile and what is expected.
    fn judge(&self, expected: &Expected<'_>) -> Result<(), Fault> {
        let first = self.id.index() * u64::from(TILE_WIDTH);
        let entries = first..first + u64::from(self.id.width());
        let fault_at = |position: Option<usize>, kind| {
            let index = position.and_then(|at| u64::try_from(at).ok()).map(|at| first + at);
            // A surplus entry stands right behind the bundle's own.
            let end = index.map_or(entries.end, |index| entries.end.max(index + 1));
            Err(fault(index, entries.start..end, kind))
        };
        let differ = self.tile.first_difference(&self.leaves);
        let whole = self.broken.is_none();

        if whole && differ.is_none() && self.tile.kind.is_none() {
            // An edge that does not lead to the checkpoint is judged at the end, not here.
            return match expected.confirms(&self.leaves) {
                Some(false) => fault_at(None, FaultKind::Rewritten),
                _ => Ok(()),
            };
        }
        // The entries are beyond doubt, so it is the tile.
        if whole && expected.confirms(&self.leaves) == Some(true) {
            let kind = self.tile.kind.clone().unwrap_or(FaultKind::Tile(self.id.tile()));
            return fault_at(differ, kind);
        }
        match (expected.confirms(&self.tile.hashes), &self.broken) {
            // The tile is beyond doubt, so the first difference from it is the first faulty entry.
            (Some(true), None) => fault_at(differ, FaultKind::Entry),
            (Some(true), Some(kind)) => match differ {
                Some(at) if at < self.leaves.len() => fault_at(differ, FaultKind::Entry),
                _ => fault_at(Some(self.leaves.len()), kind.clone()),
            },
            // Neither is right, or nobody knows: the place is sure only where the bundle itself
            // breaks.
            (Some(false), None) => fault_at(None, FaultKind::Rewritten),
            (None, None) => {
                let kind = self.tile.kind.clone().unwrap_or(FaultKind::EntryOrTile);
                fault_at(differ, kind)
            }
            (Some(false), Some(kind)) => fault_at(None, kind.clone()),
            (None, Some(kind)) => {
                let first_of_both = differ.unwrap_or(self.leaves.len()).min(self.leaves.len());
                fault_at(Some(first_of_both), kind.clone())
            }
        }
    }
}

/// A tile as it is stored, read as far as it goes.
struct StoredTile {
    hashes: Vec<Hash>,
    /// Why it cannot be right whatever the entries are.
    kind: Option<FaultKind>,
}

impl StoredTile {
    fn read<S: TileSource + ?Sized>(source: &S, id: TileId) -> Result<Self, S::Error> {
        let Some(bytes) = source.tile(id)? else {
            return Ok(Self { hashes: Vec::new(), kind: Some(FaultKind::MissingTile(id)) });
        };
        let kind = id.hashes(&bytes).is_err().then_some(FaultKind::Tile(id));
        let (whole, _) = bytes.as_chunks::<HASH_SIZE>();
        let hashes = whole.iter().take(usize::from(id.width())).map(|bytes| Hash(*bytes));
        Ok(Self { hashes: hashes.collect(), kind })
    }

    /// Position of the first hash that differs from `hashes`, or that only one of the two has.
    fn first_difference(&self, hashes: &[Hash]) -> Option<usize> {
        let both = self.hashes.len().min(hashes.len());
        let differ = self.hashes.iter().zip(hashes).position(|(stored, own)| stored != own);
        differ.or((self.hashes.len() != hashes.len()).then_some(both))
    }
}

/// Compares a tile above level 0, as computed from the entries, with the stored one.
fn compare_upper<S: TileSource + ?Sized>(
    source: &S,
    computed: &Tile,
    size: u64,
) -> Result<(), VerifyError<S::Error>> {
    let id = computed.id;
    let stored = StoredTile::read(source, id).map_err(VerifyError::Source)?;
    // A computed tile always has the length that its name says; were it otherwise, it would be a
    // fault.
    let hashes = id.hashes(&computed.bytes).unwrap_or_default();
    let differ = stored.first_difference(&hashes);
    if differ.is_none() && stored.kind.is_none() {
        return Ok(());
    }
    // One hash of this level stands for so many entries.
    let share = 8 * u32::from(id.level());
    let at = differ.and_then(|at| u64::try_from(at).ok()).unwrap_or(0);
    let start = (id.index() * u64::from(TILE_WIDTH) + at) << share;
    let end = start.saturating_add(1 << share).min(size);
    let kind = stored.kind.unwrap_or(FaultKind::Tile(id));
    Err(fault(None, start..end, kind).into())
}
