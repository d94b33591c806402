//! Windows of the log, read for the destinations that stand where one begins.
//!
//! While the deliveries of a window are being committed the next one is read ahead. It is used in
//! the next round or dropped, so that nothing about people stays in memory for long.

use std::sync::Arc;

use chancery_event::{EventType, LogIndex};
use chancery_store::log;
use tokio::task::JoinSet;

use super::flight::Readable;
use super::selection::{Folders, know_folders};
use crate::reaction::happening::{Subject, certificate_of};
use crate::{Engine, Error};

/// Events of one window at most.
pub(super) const EVENTS_MAX: usize = 2_048;
/// Indexes looked through at a time.
pub(super) const WINDOW: u64 = 16_384;

/// Which window is wanted, and what of its events.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Indexes `from..to`.
    pub(super) from: u64,
    pub(super) to: u64,
    /// The types that somebody may select.
    pub(super) types: Vec<EventType>,
    /// Whether the part about people is needed.
    pub(super) people: bool,
    /// Whether the certificates are needed that events are about.
    pub(super) objects: bool,
    /// Whether it is needed where things lie.
    pub(super) folders: bool,
}

/// A part of the log that was read.
pub(super) struct Window {
    /// Everything before this index was looked at.
    pub(super) end: u64,
    /// Whether it ended early, with as many events as there may be.
    pub(super) is_cut: bool,
    pub(super) events: Vec<(Readable, Option<Subject>)>,
    pub(super) folders: Folders,
}

impl Wanted {
    /// Reads it.
    async fn read(&self, engine: &Engine) -> Result<Window, Error> {
        let mut link = engine.link().await?;
        let range = (LogIndex(self.from), LogIndex(self.to));
        let types: Vec<&str> = self.types.iter().map(|of| of.name()).collect();
        let found = match self.people {
            true => log::of_types(&mut link, range, &types, EVENTS_MAX).await?,
            false => log::of_types_bare(&mut link, range, &types, EVENTS_MAX).await?,
        };
        let is_cut = found.len() == EVENTS_MAX;
        let end = match found.last() {
            Some(last) if is_cut => last.index().0 + 1,
            _ => self.to,
        };
        let mut events = Vec::with_capacity(found.len());
        let mut folders = Folders::new();
        for sealed in found {
            if self.folders {
                know_folders(&mut link, sealed.event(), &mut folders).await?;
            }
            let subject = match certificate_of(sealed.event()).filter(|_| self.objects) {
                Some(id) => Subject::read(&mut link, id).await?,
                None => None,
            };
            events.push((Readable::new(Arc::new(sealed)), subject));
        }
        Ok(Window { end, is_cut, events, folders })
    }
}

/// A window that is being read before it is asked for.
#[derive(Default)]
pub(super) struct Ahead {
    wanted: Option<Wanted>,
    /// One at most; it ends with this.
    reading: JoinSet<Result<Window, Error>>,
}

impl Ahead {
    /// Begins to read.
    pub(super) fn begin(&mut self, engine: &Engine, wanted: Wanted) {
        self.forget();
        let (engine, of) = (engine.clone(), wanted.clone());
        self.reading.spawn(async move { of.read(&engine).await });
        self.wanted = Some(wanted);
    }

    /// What was asked for: read ahead, or now.
    pub(super) async fn take(&mut self, engine: &Engine, wanted: &Wanted) -> Result<Window, Error> {
        if self.wanted.take().as_ref() == Some(wanted)
            && let Some(Ok(read)) = self.reading.join_next().await
        {
            return read;
        }
        self.forget();
        wanted.read(engine).await
    }

    /// Drops what nobody asked for.
    pub(super) fn forget(&mut self) {
        self.wanted = None;
        self.reading = JoinSet::new();
    }
}
