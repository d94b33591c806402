//! Verifying the stored log from its bytes, on the server (operation `log.verify`).
//!
//! The same verification that anyone can run off-line, over the same bytes; only the bytes come
//! from the store directly.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chancery_event::id::JobId;
use chancery_event::types::log as types;
use chancery_seal::checkpoint::Opened;
use chancery_seal::proof::TileSource;
use chancery_seal::tile::TILE_WIDTH;
use chancery_seal::verify::{LogSource, VerifyError, verify_log};
use chancery_seal::{BundleId, Hash, TileId, Trust};
use chancery_store::{Link, Store, log};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::archive::Bundles;
use crate::job::{JobError, Kind, Progress};
use crate::operation::{Done, Operation};
use crate::row::Checkpoint;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// Entries that are verified while somebody waits; a small machine needs a few seconds for them.
const AT_ONCE_MAX: u64 = 100_000;
/// How often a verification tells how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// What a verification found.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    /// Entries that were checked.
    pub count: u64,
    /// Root hash of the tree over them, base64.
    pub root: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// Bundles that are read at once.
const CHUNK_BUNDLES: u64 = 16;
/// Their entries.
const CHUNK: u64 = CHUNK_BUNDLES * TILE_WIDTH as u64;
/// Chunks that are read while one is verified. Reading takes longer than hashing.
const CHUNKS_AHEAD: u64 = 2;

type Reading = JoinHandle<Result<Bundles, Error>>;

/// The stored log as a source of published bytes. For use outside of asynchronous code.
struct Stored {
    engine: Engine,
    store: Store,
    handle: Handle,
    note: Option<Vec<u8>>,
    /// Entries done, for whoever watches.
    done: Arc<AtomicU64>,
    /// Set when nobody waits for the result any more.
    given_up: Arc<AtomicBool>,
    /// Entries that a checkpoint covers.
    size: u64,
    ahead: Mutex<Ahead>,
}

/// Gives a verification up when whoever waits for it goes away: a blocking task cannot be aborted.
struct GiveUp(Arc<AtomicBool>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What was read already: while one chunk is verified, the next are read.
#[derive(Default)]
struct Ahead {
    /// Number of the chunk in `bundles`.
    chunk: Option<u64>,
    /// Those of the chunk that nobody has asked for yet.
    bundles: Bundles,
    /// What is being read, in order of its number.
    next: VecDeque<(u64, Reading)>,
}

impl Ahead {
    /// A bundle, if it is there. It is given away: verification asks for each once.
    fn take(&mut self, id: BundleId) -> Option<Vec<u8>> {
        let chunk = self.chunk?;
        let place = id.index().checked_sub(chunk * CHUNK_BUNDLES)?;
        self.bundles.get_mut(usize::try_from(place).ok()?)?.take()
    }
}

impl Stored {
    fn read<T>(
        &self,
        work: impl AsyncFnOnce(&mut Link) -> Result<T, chancery_store::Error>,
    ) -> Result<T, Error> {
        self.is_wanted()?;
        self.handle.block_on(async {
            let mut link = self.store.read().await?;
            Ok(work(&mut link).await?)
        })
    }

    fn is_wanted(&self) -> Result<(), Error> {
        match self.given_up.load(Ordering::Relaxed) {
            true => Err(Error::Internal("nobody waits for the verification".to_owned())),
            false => Ok(()),
        }
    }

    fn begin(&self, chunk: u64) -> Reading {
        let (engine, from) = (self.engine.clone(), chunk * CHUNK);
        let to = self.size.min(from + CHUNK);
        self.handle.spawn(async move { engine.whole_bundles(from, to).await })
    }

    /// Makes `ahead` hold a chunk, and has those behind it read meanwhile.
    fn load(&self, ahead: &mut Ahead, chunk: u64) -> Result<(), Error> {
        self.is_wanted()?;
        let reading = match ahead.next.pop_front() {
            Some((number, reading)) if number == chunk => reading,
            _ => {
                ahead.next.clear();
                self.begin(chunk)
            }
        };
        let behind = ahead.next.back().map_or(chunk, |(number, _)| *number);
        for number in behind + 1..=chunk + CHUNKS_AHEAD {
            if number * CHUNK < self.size {
                ahead.next.push_back((number, self.begin(number)));
            }
        }
        ahead.chunk = None;
        let read = self.handle.block_on(reading);
        ahead.bundles = read.map_err(|error| Error::Internal(error.to_string()))??;
        ahead.chunk = Some(chunk);
        Ok(())
    }
}

impl TileSource for Stored {
    type Error = Error;

    fn tile(&self, id: TileId) -> Result<Option<Cow<'_, [u8]>>, Self::Error> {
        let found = self.read(async |link| log::tile(link, id.level(), id.index()).await)?;
        Ok(found.map(Cow::Owned))
    }
}

impl LogSource for Stored {
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.note.clone())
    }

    fn bundle(&self, id: BundleId) -> Result<Option<Cow<'_, [u8]>>, Self::Error> {
        // A panic elsewhere leaves nothing half done that `load` would not do again.
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = ahead.take(id);
        if found.is_none() {
            self.load(&mut ahead, id.index() / CHUNK_BUNDLES)?;
            found = ahead.take(id);
        }
        // A missing entry makes the bundle shorter than its width; verification names the place.
        Ok(found.map(Cow::Owned))
    }
}

impl Engine {
    /// Verifies the whole stored log (operation `log.verify`).
    ///
    /// # Errors
    /// [`Error::LogDamaged`] names the first fault; the failure is recorded.
    pub async fn verify_log(&self, context: &Context) -> Result<VerifyReport, Error> {
        self.verify_stored(context, &Progress::none()).await
    }

    /// Whether a verification is short enough to wait for it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn verifies_at_once(&self) -> Result<bool, Error> {
        let checkpoint = self.log_checkpoint().await?;
        Ok(checkpoint.is_none_or(|checkpoint| checkpoint.size <= AT_ONCE_MAX))
    }

    /// Queues a verification of the whole stored log, for logs that take long.
    ///
    /// # Errors
    /// The caller may not verify the log.
    pub async fn queue_log_verification(&self, context: &Context) -> Result<JobId, Error> {
        let attempt = nothing_verified(0);
        self.queue(context, Permission::LogVerify, Kind::LogVerify, &attempt).await
    }

    /// Works off a queued verification. A fault is final: looking again does not mend it.
    pub(crate) async fn run_verification(
        &self,
        context: &Context,
        progress: &Progress,
    ) -> Result<Value, JobError> {
        let report = self.verify_stored(context, progress).await.map_err(JobError::of)?;
        Ok(json!({
            "count": report.count,
            "root": report.root,
            "duration_ms": report.duration_ms,
        }))
    }

    async fn verify_stored(
        &self,
        context: &Context,
        progress: &Progress,
    ) -> Result<VerifyReport, Error> {
        let started = Instant::now();
        let checkpoint = self.log_checkpoint().await?;
        let size = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
        let payload = nothing_verified(size);
        let operation = self.operation(context, Permission::LogVerify, &payload)?;
        if let Err(error) = context.require(Permission::LogVerify) {
            return Err(operation.fail(error).await);
        }
        if checkpoint.is_none() {
            // Nothing is sealed yet: there is nothing to find fault with.
            let root = chancery_seal::empty_root();
            return self.verified(operation, payload, &root, started).await;
        }
        let opened = match self.verify_from(checkpoint, progress).await? {
            Ok(opened) => opened,
            Err(VerifyError::Source(error)) => return Err(operation.fail(error).await),
            Err(VerifyError::Fault(fault)) => {
                let kind = std::error::Error::source(&fault).map(ToString::to_string);
                let what = format!("{fault}: {}", kind.unwrap_or_default());
                return Err(operation.fail(Error::LogDamaged(what)).await);
            }
        };
        let checked = &opened.checkpoint;
        let payload = types::Verify { count: checked.size(), log_size: checked.size(), ..payload };
        self.verified(operation, payload, checked.root(), started).await
    }

    /// Reads everything back, and tells each second how far it is.
    async fn verify_from(
        &self,
        checkpoint: Option<Checkpoint>,
        progress: &Progress,
    ) -> Result<Result<Opened, VerifyError<Error>>, Error> {
        let total = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
        let source = Stored {
            engine: self.clone(),
            store: self.0.store.clone(),
            handle: Handle::current(),
            note: checkpoint.map(|checkpoint| checkpoint.note.into_bytes()),
            size: total,
            ahead: Mutex::default(),
            done: Arc::default(),
            given_up: Arc::default(),
        };
        let (done, give_up) = (source.done.clone(), GiveUp(source.given_up.clone()));
        let trust = Trust::new(&self.settings().log_origin, vec![self.verifier().clone()]);
        let mut work = tokio::task::spawn_blocking(move || {
            let tell = |entries| source.done.store(entries, Ordering::Relaxed);
            verify_log(&source, &trust, tell)
        });
        progress.report(0, total).await?;
        loop {
            let told = tokio::time::timeout(PROGRESS_EVERY, &mut work).await;
            progress.report(done.load(Ordering::Relaxed), total).await?;
            if let Ok(ended) = told {
                drop(give_up);
                return ended.map_err(|error| Error::Internal(format!("verification: {error}")));
            }
        }
    }

    /// Records that the log was found in order.
    async fn verified(
        &self,
        operation: Operation,
        payload: types::Verify,
        root: &Hash,
        started: Instant,
    ) -> Result<VerifyReport, Error> {
        let report = VerifyReport {
            count: payload.count,
            root: root.to_string(),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        let payload = types::Verify {
            root: Some(crate::inventory::hex(root.as_bytes())),
            duration_ms: report.duration_ms,
            ..payload
        };
        let target = self.log_target();
        operation
            .run(move |_, _| {
                let (payload, target) = (payload.clone(), target.clone());
                Box::pin(async move {
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target) })
                })
            })
            .await?;
        Ok(report)
    }
}

/// What the event of a verification says before anything was verified.
fn nothing_verified(size: u64) -> types::Verify {
    types::Verify { first_index: 0, count: size, log_size: size, root: None, duration_ms: 0 }
}
