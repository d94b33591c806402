//! The embedded engine: SQLite in WAL mode, `synchronous=FULL`, one writer, several readers.
//!
//! `NORMAL` would lose acknowledged commits on power failure, so `FULL` is not an option to turn
//! off. A lock file keeps a second process from writing the same directory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use super::Embedded as Settings;
use super::migration::{Step, check, migrate};
use crate::link::Inner;
use crate::{Error, Link};

pub(super) const STEPS: &[Step] = &[(
    1,
    concat!(
        include_str!("../../migrations/sqlite/0001_initial.sql"),
        include_str!("../../migrations/sqlite/0001_reactions.sql"),
        include_str!("../../migrations/sqlite/0001_deliveries.sql"),
        include_str!("../../migrations/sqlite/0001_intake.sql"),
        include_str!("../../migrations/sqlite/0001_nodes.sql"),
    ),
)];

pub(crate) struct Sqlite {
    readers: SqlitePool,
    file: PathBuf,
    /// Held as long as the store is open; the lock goes with the file.
    lock: Mutex<Option<Lock>>,
}

fn options(settings: &Settings) -> (SqliteConnectOptions, PathBuf) {
    let file = settings.data_dir.join("chancery.db");
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10))
        .foreign_keys(true)
        .statement_cache_capacity(256)
        // Rows cross from the database's thread in batches; a small buffer makes the two threads
        // wait for each other.
        .row_buffer_size(1_024)
        .pragma("wal_autocheckpoint", "16000")
        .pragma("cache_size", "-32768")
        // Each connection would map the file for itself: several times its size in memory, and a
        // page that cannot be read would end the process instead of being an error.
        .pragma("mmap_size", "0")
        .pragma("temp_store", "MEMORY")
        .with_regexp();
    (options, file)
}

/// Opens the database; answers the pool of readers and the one writing connection.
pub(crate) async fn open(settings: &Settings) -> Result<(Sqlite, Link), Error> {
    let lock = lock(&settings.data_dir)?;
    let (options, file) = options(settings);
    let opened = |error| match Error::from_sqlx("open", error) {
        Error::Unavailable(what) => {
            Error::Path { path: file.clone(), what: format!("{what}: is the directory writable?") }
        }
        other => other,
    };
    let writer = options.connect().await.map_err(opened)?;
    let mut writer = Link { inner: Inner::Own(Box::new(writer)) };
    migrate(&mut writer, STEPS).await?;
    let readers = readers(settings, options);
    Ok((Sqlite { readers, file, lock: Mutex::new(Some(lock)) }, writer))
}

/// Opens the database for reading only, also while another process writes it.
pub(crate) async fn open_to_read(settings: &Settings) -> Result<Sqlite, Error> {
    let (options, file) = options(settings);
    if !file.exists() {
        let what = "there is no database here; is this the data directory?".to_owned();
        return Err(Error::Path { path: file, what });
    }
    let readers = readers(settings, options.create_if_missing(false));
    let sqlite = Sqlite { readers, file, lock: Mutex::new(None) };
    check(&mut sqlite.read().await?, STEPS).await?;
    Ok(sqlite)
}

fn readers(settings: &Settings, options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(settings.readers_max.max(1))
        .acquire_timeout(Duration::from_secs(10))
        // A local file does not go away like a server does: no question before each use.
        .test_before_acquire(false)
        // The system keeps the pages of the file as well; this is for those of one question.
        .connect_lazy_with(options.pragma("query_only", "ON").pragma("cache_size", "-8192"))
}

/// The lock on a data directory. It is given back by name: a process that was forked off a moment
/// ago may still hold the file open.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

fn lock(dir: &Path) -> Result<Lock, Error> {
    let refuse = |path: &Path, what: String| Error::Path { path: path.to_owned(), what };
    std::fs::create_dir_all(dir)
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
        let connection =
            self.readers.acquire().await.map_err(|error| Error::from_sqlx("read", error))?;
        Ok(Link { inner: Inner::Pooled(connection) })
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
        let mut connection = SqliteConnectOptions::new()
            .filename(&self.file)
            .busy_timeout(Duration::from_secs(10))
            .connect()
            .await
            .map_err(|error| Error::from_sqlx("backup", error))?;
        let target = destination.to_string_lossy().replace('\'', "''");
        let sql = sqlx::AssertSqlSafe(format!("VACUUM INTO '{target}'"));
        sqlx::raw_sql(sql)
            .execute(&mut connection)
            .await
            .map_err(|error| Error::from_sqlx("backup", error))?;
        connection.close().await.map_err(|error| Error::from_sqlx("backup", error))
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        ["", "-wal", "-shm"]
            .iter()
            .filter_map(|suffix| {
                let path = format!("{}{suffix}", self.file.display());
                std::fs::metadata(path).ok().map(|metadata| metadata.len())
            })
            .sum()
    }
}
