//! Writes the write-ahead log back into the database beside the writer.
//!
//! SQLite does it within the commit that makes the log long enough: every few thousand events
//! everybody would wait until tens of megabytes are read, written and on the disc. Here a thread
//! with a connection of its own does most of it. The writer does the little that was committed
//! meanwhile, because the log only begins anew once all of it is written back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::hooks::Wal;

use super::connection::Connection;
use crate::Error;

/// Has the log of the writer's database written back once it has `most` frames.
pub(super) fn beside(writer: &mut Connection, file: &Path, most: i64) -> Result<(), Error> {
    let mut helper = Helper::new(file, most)?;
    let look = move |wal: &mut Wal, frames: i32| {
        helper.look(wal, i64::from(frames));
        // What cannot be written back now stays in the log: the commit is done.
        Ok(())
    };
    let told = writer.after_commits(look);
    told.map_err(|error| Error::from_sqlite("open", error))
}

/// What the thread says of itself.
#[derive(Default)]
struct Progress {
    /// Frames of the log, from its beginning, that are written back.
    back: AtomicI64,
    at_work: AtomicBool,
}

/// The writer's end.
struct Helper {
    progress: Arc<Progress>,
    /// `None` only while it is being dropped.
    asked: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    most: i64,
    /// Frames that the log had after the last commit.
    frames: i64,
    /// What is tried before the log has so many frames was tried.
    not_before: i64,
}

impl Helper {
    fn new(file: &Path, most: i64) -> Result<Self, Error> {
        let opened = Connection::open(file, false, true).and_then(|mut connection| {
            connection.tell(super::SETTINGS)?;
            Ok(connection)
        });
        let connection = opened.map_err(|error| Error::from_sqlite("open", error))?;
        let progress = Arc::new(Progress::default());
        let (asked, asking) = sync_channel(1);
        let known = progress.clone();
        let thread = std::thread::Builder::new().name("chancery-back".to_owned());
        let thread = thread.spawn(move || work(connection, &asking, &known));
        let thread = thread
            .map_err(|error| Error::Unavailable(format!("no thread to write back: {error}")))?;
        let (asked, thread) = (Some(asked), Some(thread));
        Ok(Self { progress, asked, thread, most, frames: 0, not_before: 0 })
    }

    /// After a commit: the log has so many frames.
    fn look(&mut self, wal: &mut Wal, frames: i64) {
        if frames < self.frames {
            // It has begun anew.
            self.progress.back.store(0, Ordering::Release);
            self.not_before = 0;
        }
        self.frames = frames;
        // The longer it is, the more counts as little: on a slow disc as well it comes to an end.
        let little = (frames / 16).max(1);
        if frames < self.most.max(self.not_before) || self.progress.at_work.load(Ordering::Acquire)
        {
            return;
        }
        // If readers hold on to what is in the log, there is no sense in trying at each commit.
        self.not_before = frames + little;
        if frames - self.progress.back.load(Ordering::Acquire) > little {
            self.progress.at_work.store(true, Ordering::Release);
            if self.asked.as_ref().is_some_and(|asked| asked.try_send(()).is_ok()) {
                return;
            }
            self.progress.at_work.store(false, Ordering::Release);
        }
        if let Err(error) = wal.checkpoint() {
            tracing::debug!(%error, "the log is written back later");
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.asked.take();
        // Its connection must be closed before the writer's, which clears up behind them.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn work(mut connection: Connection, asking: &Receiver<()>, progress: &Progress) {
    while asking.recv().is_ok() {
        match connection.write_back() {
            Ok(back) => progress.back.store(back, Ordering::Release),
            Err(error) => tracing::warn!(%error, "the log of the database is not written back"),
        }
        progress.at_work.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_written_to_all_the_time_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("some.db");
        let mut writer = Connection::open(&file, true, true).unwrap();
        writer.tell(super::super::SETTINGS).unwrap();
        writer.tell("CREATE TABLE word (word TEXT)").unwrap();
        beside(&mut writer, &file, 64).unwrap();
        let mut longest = 0;
        // Without it the log only grows.
        for commits in 1.. {
            writer.tell("INSERT INTO word VALUES (randomblob(3000))").unwrap();
            let log = writer.frames().unwrap();
            if log < longest {
                assert!(longest >= 64, "{longest} frames");
                break;
            }
            longest = log;
            assert!(commits < 100_000, "after {commits} commits it has {longest} frames");
        }
        writer.close().unwrap();
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "the last connection clears up: {left:?}");
    }
}
