//! A log from somewhere, fetched ahead of the verification.
//!
//! `chancery_seal` asks for one thing at a time and waits. Here the bundles and tiles it will ask
//! for next are fetched before, a bounded number at once, and their entries are read as events
//! meanwhile. What is fetched is handed on as it came: nothing is judged here.

use std::borrow::Cow;
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Error, Result, anyhow};
use chancery_seal::proof::TileSource;
use chancery_seal::tile::TILE_WIDTH;
use chancery_seal::{BundleId, LogSource, TileId};
use futures::StreamExt as _;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Bundles that are fetched at once.
const AT_ONCE: usize = 8;
/// Findings that are kept; the rest is counted no further.
const FINDINGS_MAX: usize = 1_000;

/// Something that is wrong with an entry beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Its index.
    pub(crate) index: u64,
    /// What is wrong.
    pub(crate) what: String,
}

/// A bundle with what was found in its entries.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    /// The bundle as chancery_seal wants it.
    pub(crate) bytes: Vec<u8>,
    /// Entries in it.
    pub(crate) entries: u64,
    /// Those whose personal part is not there.
    pub(crate) erased: u64,
    /// What is wrong beside the bytes.
    pub(crate) findings: Vec<Finding>,
}

/// Where the bytes of a log come from.
pub(crate) trait Fetch: Send + Sync + 'static {
    /// What it is, for people.
    fn name(&self) -> String;
    /// What is there beside the log and must not be.
    fn surplus(&self) -> impl Future<Output = Result<Vec<Finding>>> + Send {
        async { Ok(Vec::new()) }
    }
    /// The signed checkpoint.
    fn checkpoint(&self) -> impl Future<Output = Result<Option<Vec<u8>>>> + Send;
    /// A tile, or a wider version of it.
    fn tile(&self, id: TileId) -> impl Future<Output = Result<Option<Vec<u8>>>> + Send;
    /// A bundle of exactly the width of `id`.
    fn bundle(&self, id: BundleId) -> impl Future<Output = Result<Option<Fetched>>> + Send;
}

struct Piece {
    index: u64,
    tile: Result<Option<Vec<u8>>>,
    bundle: Result<Option<Fetched>>,
}

/// What was seen on the way.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Entries that were handed out.
    pub(crate) entries: u64,
    /// Those whose personal part is not there.
    pub(crate) erased: u64,
    /// What is wrong beside the bytes, in order.
    pub(crate) findings: Vec<Finding>,
}

struct State {
    pieces: mpsc::Receiver<Piece>,
    /// Index of the bundle that `pieces` gives next.
    next: u64,
    end: u64,
    current: Option<Piece>,
    seen: Seen,
}

/// A log that is fetched ahead.
pub(crate) struct Ahead<F> {
    fetch: Arc<F>,
    checkpoint: Option<Vec<u8>>,
    runtime: Handle,
    /// Only the one thread that verifies takes it.
    state: Mutex<State>,
    /// The entries that are looked at; bundles reach beyond them.
    range: Range<u64>,
}

impl<F: Fetch> Ahead<F> {
    /// Begins to fetch what holds the entries `range` of a tree of `size` leaves.
    pub(crate) fn start(
        fetch: F,
        checkpoint: Option<Vec<u8>>,
        range: Range<u64>,
        size: u64,
    ) -> Self {
        let fetch = Arc::new(fetch);
        let width = u64::from(TILE_WIDTH);
        let bundles = range.start / width..range.end.div_ceil(width);
        let (hand, pieces) = mpsc::channel(AT_ONCE);
        let source = fetch.clone();
        let wanted = bundles.clone().filter_map(move |index| BundleId::in_tree(index, size));
        tokio::spawn(async move {
            let fetched = futures::stream::iter(wanted)
                .map(move |id| {
                    let source = source.clone();
                    // A task of its own: reading the events of one bundle does not hold up another.
                    tokio::spawn(async move {
                        let (tile, bundle) =
                            tokio::join!(source.tile(id.tile()), source.bundle(id));
                        Piece { index: id.index(), tile, bundle }
                    })
                })
                .buffered(AT_ONCE);
            let mut fetched = std::pin::pin!(fetched);
            while let Some(Ok(piece)) = fetched.next().await {
                if hand.send(piece).await.is_err() {
                    return;
                }
            }
        });
        let state = State {
            pieces,
            next: bundles.start,
            end: bundles.end,
            current: None,
            seen: Seen::default(),
        };
        Self { fetch, checkpoint, runtime: Handle::current(), state: Mutex::new(state), range }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen.
    ///
    /// # Errors
    /// The source cannot be asked any more.
    pub(crate) async fn finish(self) -> Result<Seen> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut seen = state.seen;
        seen.findings.extend(self.fetch.surplus().await?);
        Ok(seen)
    }
}

impl State {
    /// The piece of the bundle `index`, if it is this one's turn.
    fn piece(&mut self, index: u64) -> Result<Option<&mut Piece>> {
        if index == self.next && index < self.end {
            let piece = self.pieces.blocking_recv();
            let piece = piece.ok_or_else(|| anyhow!("fetching the log ended early"))?;
            self.next += 1;
            self.current = Some(piece);
        }
        Ok(self.current.as_mut().filter(|piece| piece.index == index))
    }

    fn see(&mut self, fetched: &mut Fetched, range: &Range<u64>) {
        self.seen.entries += fetched.entries;
        self.seen.erased += fetched.erased;
        let room = FINDINGS_MAX.saturating_sub(self.seen.findings.len());
        let findings = fetched.findings.drain(..).filter(|f| range.contains(&f.index));
        self.seen.findings.extend(findings.take(room));
    }
}

impl<F: Fetch> TileSource for Ahead<F> {
    type Error = Error;

    fn tile(&self, id: TileId) -> Result<Option<Cow<'_, [u8]>>> {
        if id.level() == 0
            && let Some(piece) = self.state().piece(id.index())?
        {
            return match &mut piece.tile {
                Ok(bytes) => Ok(bytes.clone().map(Cow::Owned)),
                error => Err(std::mem::replace(error, Ok(None)).err().unwrap_or_else(gone)),
            };
        }
        Ok(self.runtime.block_on(self.fetch.tile(id))?.map(Cow::Owned))
    }
}

impl<F: Fetch> LogSource for Ahead<F> {
    fn checkpoint(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.checkpoint.clone())
    }

    fn bundle(&self, id: BundleId) -> Result<Option<Cow<'_, [u8]>>> {
        let mut state = self.state();
        let fetched = match state.piece(id.index())? {
            Some(piece) => std::mem::replace(&mut piece.bundle, Ok(None)),
            None => self.runtime.block_on(self.fetch.bundle(id)),
        };
        let Some(mut fetched) = fetched? else { return Ok(None) };
        state.see(&mut fetched, &self.range);
        Ok(Some(Cow::Owned(fetched.bytes)))
    }
}

fn gone() -> Error {
    anyhow!("the tile was taken already")
}
