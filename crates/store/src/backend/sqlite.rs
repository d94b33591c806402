//! The embedded engine: SQLite in WAL mode, `synchronous=FULL`, one writer, several readers.
//!
//! `NORMAL` would lose acknowledged commits on power failure, so `FULL` is not an option to turn
//! off. A lock file keeps a second process from writing the same directory.

mod connection;
mod readers;
mod regexp;
mod write_back;

use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::Embedded as Settings;
use super::migration::{Step, check, migrate};
use crate::link::Inner;
use crate::{Error, Link};

pub(crate) use connection::{Connection, Row};
pub(crate) use readers::Lent;
use readers::Readers;

pub(super) const STEPS: &[Step] = &[(
    1,
    concat!(
        include_str!("../../migrations/sqlite/0001_initial.sql"),
        include_str!("../../migrations/sqlite/0001_alerts.sql"),
        include_str!("../../migrations/sqlite/0001_reactions.sql"),
        include_str!("../../migrations/sqlite/0001_deliveries.sql"),
        include_str!("../../migrations/sqlite/0001_intake.sql"),
        include_str!("../../migrations/sqlite/0001_notifications.sql"),
        include_str!("../../migrations/sqlite/0001_nodes.sql"),
        include_str!("../../migrations/sqlite/0001_retention.sql"),
    ),
)];

pub(crate) struct Sqlite {
    readers: Arc<Readers>,
    file: PathBuf,
    /// Held as long as the store is open; the lock goes with the file.
    lock: Mutex<Option<Lock>>,
}

/// What every connection is told. `NORMAL` is not durable at commit. Each connection would map the
/// file for itself: several times its size in memory, and a page that cannot be read would end the
/// process instead of being an error.
const SETTINGS: &str = "
    PRAGMA busy_timeout = 10000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA mmap_size = 0;
    PRAGMA temp_store = MEMORY;
";
/// What is deleted is overwritten, so that what was erased about people is not left in the file.
const WRITER: &str = "PRAGMA secure_delete = ON; PRAGMA cache_size = -32768;";
/// Bytes that the write-ahead log grows to before it is written back.
const LOG_BYTES: i64 = 64 * 1_024 * 1_024;
/// What a database is made with. An event has about two kilobytes: of the usual pages of four each
/// holds two events and wastes the rest, and each page is two writes. Sixteen would gain a little
/// more under load, and cost those who commit alone.
const NEW: &str = "PRAGMA page_size = 8192;";
/// The system keeps the pages of the file as well; this is for those of one question.
const READER: &str = "PRAGMA query_only = ON; PRAGMA cache_size = -8192;";

fn file(settings: &Settings) -> PathBuf {
    settings.data_dir.join("chancery.db")
}

/// Refuses a directory whose database has gone to a server: an empty one in its place would begin a
/// second log with the same keys.
fn refuse_moved(file: &Path) -> Result<(), Error> {
    let moved = beside(file, ".moved");
    if file.exists() || !moved.exists() {
        return Ok(());
    }
    let what = "the database of this data directory was moved to a server: set `database` to its address (chancery.toml, CHANCERY_DATABASE or --set database=…). To take the move back, unless a node has worked on the server since, rename the file to chancery.db";
    Err(Error::Path { path: moved, what: what.to_owned() })
}

/// A file that SQLite puts beside the database's.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn open_writer(file: &Path) -> Result<Connection, Error> {
    let opened = Connection::open(file, true, true).and_then(|mut connection| {
        connection.tell(NEW)?;
        connection.tell(SETTINGS)?;
        connection.tell(WRITER)?;
        let frames = frames_max(&mut connection)?;
        connection.tell(&format!("PRAGMA wal_autocheckpoint = {frames}"))?;
        Ok(connection)
    });
    opened.map_err(|error| match Error::from_sqlite("open", error) {
        Error::Unavailable(what) => Error::Path {
            path: file.to_owned(),
            what: format!("{what}: is the directory writable?"),
        },
        other => placed(file, other),
    })
}

/// A file that is no database, or a broken one, with its path.
fn placed(file: &Path, error: Error) -> Error {
    match error {
        Error::Damaged(what) => Error::Path { path: file.to_owned(), what },
        other => other,
    }
}

/// Frames that the write-ahead log grows to before it is written back.
fn frames_max(connection: &mut Connection) -> Result<i64, rusqlite::Error> {
    Ok(LOG_BYTES / connection.integer("PRAGMA page_size")?.max(512))
}

fn open_reader(file: &Path) -> Result<Connection, Error> {
    let opened = Connection::open(file, false, false).and_then(|mut connection| {
        connection.tell(SETTINGS)?;
        connection.tell(READER)?;
        connection.limit(connection::QUESTION_MAX)?;
        Ok(connection)
    });
    opened.map_err(|error| Error::from_sqlite("open", error))
}

/// Opens the database; answers the readers and the one writing connection.
pub(crate) async fn open(settings: &Settings) -> Result<(Sqlite, Link), Error> {
    let lock = lock(&settings.data_dir)?;
    let file = file(settings);
    refuse_moved(&file)?;
    make_file(&file)
        .map_err(|error| Error::Path { path: file.clone(), what: error.to_string() })?;
    let mut writer = Link::own(Inner::Own(Box::new(open_writer(&file)?)));
    migrate(&mut writer, STEPS).await?;
    tune(&mut writer).await?;
    let readers = Arc::new(Readers::new(file.clone(), settings.readers_max));
    Ok((Sqlite { readers, file, lock: Mutex::new(Some(lock)) }, writer))
}

/// Parts of one size that the text index of events keeps before it merges them. Each merge writes
/// everything in them again; a question looks into each of them.
const PARTS: i64 = 8;

/// Tells the text index of events how to write itself. It keeps that in the database.
async fn tune(writer: &mut Link) -> Result<(), Error> {
    let sql = "SELECT v AS n FROM event_text_config WHERE k = 'automerge'";
    match writer.number(sql, Vec::new()).await {
        Ok(PARTS) => return Ok(()),
        // No number is as good as none.
        Ok(_) | Err(Error::Damaged(_)) => {}
        Err(error) => return Err(error),
    }
    let sql = "INSERT INTO event_text (event_text, rank) VALUES ('automerge', $1)";
    writer.execute(sql, vec![PARTS.into()]).await.map(|_| ())
}

/// Opens the database for reading only, also while another process writes it.
pub(crate) async fn open_to_read(settings: &Settings) -> Result<Sqlite, Error> {
    let file = file(settings);
    refuse_moved(&file)?;
    if !file.exists() {
        let what = "there is no database here; is this the data directory?".to_owned();
        return Err(Error::Path { path: file, what });
    }
    let readers = Arc::new(Readers::new(file.clone(), settings.readers_max));
    let sqlite = Sqlite { readers, file, lock: Mutex::new(None) };
    let mut link = sqlite.read().await.map_err(|error| placed(&sqlite.file, error))?;
    check(&mut link, STEPS).await?;
    drop(link);
    Ok(sqlite)
}

/// The lock on a data directory. It is given back by name: a process that was forked off a moment
/// ago may still hold the file open.
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Makes the directory, if it is missing, for its owner alone: the database names people, and
/// holds the hashes of their passwords.
fn make_private(dir: &Path) -> std::io::Result<()> {
    if let Some(parent) = dir.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        made => made,
    }
}

/// Makes the database's file for its owner alone, also in a directory that was there before; the
/// files that SQLite puts beside it get the same mode.
fn make_file(file: &Path) -> std::io::Result<()> {
    match File::options().create_new(true).write(true).mode(0o600).open(file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Keeps other processes from a data directory.
pub(crate) fn lock(dir: &Path) -> Result<Lock, Error> {
    let refuse = |path: &Path, what: String| Error::Path { path: path.to_owned(), what };
    make_private(dir)
        .map_err(|error| refuse(dir, format!("the directory cannot be made: {error}")))?;
    let path = dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| refuse(&path, format!("{error}: is the directory writable?")))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(refuse(dir, "another process is using this data directory".to_owned()))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(refuse(&path, error.to_string())),
    }
}

impl Sqlite {
    pub(crate) async fn read(&self) -> Result<Link, Error> {
        Ok(Link::lent(Inner::Lent(Box::new(self.readers.lend().await?))))
    }

    /// Has the write-ahead log written back beside the writer.
    pub(crate) fn write_back_beside(&self, writer: &mut Link) -> Result<(), Error> {
        let Inner::Own(connection) = &mut writer.inner else { return Ok(()) };
        let frames = frames_max(connection).map_err(|error| Error::from_sqlite("open", error))?;
        write_back::beside(connection, &self.file, frames)
    }

    /// Takes the lock on the directory out of the store: it outlives it.
    pub(crate) fn hold(&self) -> Option<Lock> {
        self.lock.lock().ok()?.take()
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        if let Ok(mut lock) = self.lock.lock() {
            lock.take();
        }
    }

    pub(crate) async fn backup(&self, destination: &Path) -> Result<(), Error> {
        if destination.exists() {
            let what = "it exists already; name a new file".to_owned();
            return Err(Error::Path { path: destination.to_owned(), what });
        }
        let target = destination.to_string_lossy().replace('\'', "''");
        let file = self.file.clone();
        let copied = tokio::task::spawn_blocking(move || {
            let mut connection = Connection::open(&file, false, true)?;
            connection.tell("PRAGMA busy_timeout = 10000")?;
            connection.tell(&format!("VACUUM INTO '{target}'"))
        });
        let copied = copied.await.map_err(|error| Error::Unavailable(error.to_string()))?;
        copied.map_err(|error| Error::from_sqlite("backup", error))
    }

    /// Writes the write-ahead log back and empties it; false if readers kept it from that.
    pub(crate) async fn write_back(&self) -> Result<bool, Error> {
        let file = self.file.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut connection = Connection::open(&file, false, true)?;
            connection.tell("PRAGMA busy_timeout = 10000")?;
            // Its first column: 1 if it was kept from it.
            connection.integer("PRAGMA wal_checkpoint(TRUNCATE)")
        });
        let done = done.await.map_err(|error| Error::Unavailable(error.to_string()))?;
        done.map(|busy| busy == 0).map_err(|error| Error::from_sqlite("write back", error))
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        ["", "-wal", "-shm"]
            .iter()
            .filter_map(|suffix| std::fs::metadata(beside(&self.file, suffix)).ok())
            .map(|metadata| metadata.len())
            .sum()
    }
}
