//! The database engines behind one concrete [`Store`].

mod migration;
pub(crate) mod postgres;
mod settings;
pub(crate) mod sqlite;

use std::sync::{Arc, Mutex};

use chancery_event::Timestamp;
use futures::future::BoxFuture;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::writer::{Lane, Senders, Work, lanes};
use crate::{Error, Link, Tx};

pub(crate) use settings::Embedded;
pub use settings::{Database, DatabaseUrl, Settings};

/// The store. Cheap to clone; all clones are the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    backend: Backend,
    /// `None`: opened for reading only.
    units: Option<Senders>,
    committed: watch::Receiver<u64>,
    closing: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    #[cfg(any(test, feature = "faults"))]
    faults: crate::fault::Faults,
}

enum Backend {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Store {
    /// Opens the database, brings its schema up to date and starts the writer.
    ///
    /// # Errors
    /// The directory or the server cannot be used, another process has the directory open, or the
    /// schema is unknown.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let (closing, closed) = watch::channel(false);
        match &settings.database {
            Database::Embedded { data_dir } => {
                let readers_max = settings.readers_max;
                let embedded = Embedded { data_dir: data_dir.clone(), readers_max };
                let (sqlite, mut writer) = sqlite::open(&embedded).await?;
                sqlite.write_back_beside(&mut writer)?;
                let (units, queue) = lanes();
                let (commits, committed) = watch::channel(0);
                let writer = crate::writer::run(Tx::new(writer), queue, commits, closed);
                let tasks = vec![alone(writer)?];
                let backend = Backend::Sqlite(sqlite);
                Ok(Self::new(backend, Some(units), committed, closing, tasks))
            }
            Database::Postgres(url) => {
                let lock = settings.kept.as_deref().map(sqlite::lock).transpose()?;
                let opened = postgres::open(url, settings.readers_max, closed).await?;
                let postgres::Opened { mut postgres, units, committed, tasks } = opened;
                postgres.lock = Mutex::new(lock);
                let backend = Backend::Postgres(postgres);
                Ok(Self::new(backend, Some(units), committed, closing, tasks))
            }
        }
    }

    /// Opens the database for reading only, also while a server is running on it.
    ///
    /// # Errors
    /// There is no database, or its schema is not the one this program knows.
    pub async fn open_to_read(settings: &Settings) -> Result<Self, Error> {
        let readers_max = settings.readers_max;
        let backend = match &settings.database {
            Database::Embedded { data_dir } => {
                let embedded = Embedded { data_dir: data_dir.clone(), readers_max };
                Backend::Sqlite(sqlite::open_to_read(&embedded).await?)
            }
            Database::Postgres(url) => {
                Backend::Postgres(postgres::open_to_read(url, readers_max).await?)
            }
        };
        let (_, committed) = watch::channel(0);
        Ok(Self::new(backend, None, committed, watch::Sender::new(false), Vec::new()))
    }

    fn new(
        backend: Backend,
        units: Option<Senders>,
        committed: watch::Receiver<u64>,
        closing: watch::Sender<bool>,
        tasks: Vec<JoinHandle<()>>,
    ) -> Self {
        Self(Arc::new(Inner {
            backend,
            units,
            committed,
            closing,
            tasks: Mutex::new(tasks),
            #[cfg(any(test, feature = "faults"))]
            faults: crate::fault::Faults::default(),
        }))
    }

    /// Closes the store in order: units that were handed in are done, later ones are refused, and
    /// when this returns no connection is open any more.
    pub async fn close(&self) {
        self.0.closing.send_replace(true);
        let tasks = self.0.tasks.lock().map(|mut tasks| std::mem::take(&mut *tasks));
        for task in tasks.unwrap_or_default() {
            let _ = task.await;
        }
        match &self.0.backend {
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Postgres(postgres) => postgres.close().await,
        }
    }

    /// Closes the store in order; what is answered keeps other processes from the directory.
    pub(crate) async fn close_and_hold(&self) -> Option<sqlite::Lock> {
        let held = match &self.0.backend {
            Backend::Sqlite(sqlite) => sqlite.hold(),
            Backend::Postgres(_) => None,
        };
        self.close().await;
        held
    }

    /// The newest step of the schema that this program knows, which the database has.
    pub fn schema_version(&self) -> u32 {
        let steps = match &self.0.backend {
            Backend::Sqlite(_) => sqlite::STEPS,
            Backend::Postgres(_) => postgres::STEPS,
        };
        u32::try_from(migration::newest(steps)).unwrap_or(u32::MAX)
    }

    /// Whether other nodes may work on the same database.
    pub fn is_shared(&self) -> bool {
        matches!(self.0.backend, Backend::Postgres(_))
    }

    /// The time that all nodes of a shared database go by: that of its server; `None` on the
    /// embedded engine.
    pub fn shared_time(&self) -> Option<Timestamp> {
        match &self.0.backend {
            Backend::Sqlite(_) => None,
            Backend::Postgres(postgres) => postgres.time(),
        }
    }

    /// Asks the server for its time.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn look_at_clock(&self) -> Result<(), Error> {
        match &self.0.backend {
            Backend::Sqlite(_) => Ok(()),
            Backend::Postgres(postgres) => postgres.look_at_clock().await,
        }
    }

    /// Which database this is, for people: never with a password.
    pub fn place(&self) -> String {
        match &self.0.backend {
            Backend::Sqlite(_) => "the embedded database".to_owned(),
            Backend::Postgres(postgres) => postgres.place().to_owned(),
        }
    }

    /// Runs `work` as one unit: all of it is committed, durably, or none.
    ///
    /// The answer comes after the commit. `work` may run more than once, and nothing it read is
    /// final before the commit; it must not reach the network (invariant 5). `name` appears in logs
    /// and metrics.
    ///
    /// # Errors
    /// What `work` answers, or that the commit failed and nothing was written.
    pub async fn transaction<T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        F: for<'a> Fn(&'a mut Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.transaction_in(Lane::Common, name, work).await
    }

    /// Runs `work` as [`Store::transaction`] does, in another lane: in [`Lane::Step`] and
    /// [`Lane::Behind`] the embedded engine answers before what was written is durable.
    ///
    /// # Errors
    /// As [`Store::transaction`].
    pub async fn transaction_in<T, E, F>(
        &self,
        lane: Lane,
        name: &'static str,
        work: F,
    ) -> Result<T, E>
    where
        F: for<'a> Fn(&'a mut Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        #[cfg(any(test, feature = "faults"))]
        let fault = self.0.faults.take(name);
        #[cfg(any(test, feature = "faults"))]
        if fault == Some(crate::Fault::NotPersisted) {
            return Err(E::from(Error::Unavailable("a test made this commit fail".to_owned())));
        }
        self.expect_not_reading(name);
        let (reply, answer) = oneshot::channel();
        let unit = Box::new(Work { name, lane, work, result: None, reply });
        let units = self.0.units.as_ref().ok_or_else(|| E::from(Error::ReadOnly))?;
        units.of(lane).send(unit).await.map_err(|_| E::from(Error::Closed))?;
        let answer = answer.await.map_err(|_| E::from(Error::Closed))?;
        #[cfg(any(test, feature = "faults"))]
        if fault.is_some() {
            return Err(E::from(Error::Unavailable(
                "a test hid that this is committed".to_owned(),
            )));
        }
        answer
    }

    /// Makes the next transaction of this name fail for its caller.
    #[cfg(any(test, feature = "faults"))]
    pub fn inject(&self, name: &'static str, fault: crate::Fault) {
        self.0.faults.add(name, fault);
    }

    /// Puts the store in trouble, or ends it.
    #[cfg(any(test, feature = "faults"))]
    pub fn suffer(&self, trouble: crate::Trouble) {
        self.0.faults.suffer(trouble);
    }

    /// Changes stored rows behind the program's back.
    ///
    /// # Errors
    /// [`Error::Damaged`] if there was no such row.
    #[cfg(any(test, feature = "faults"))]
    pub async fn tamper(&self, how: crate::Tampering) -> Result<(), Error> {
        let changed = self.transaction("tamper", move |tx: &mut Tx| {
            let statement = tx.dialect().tampering(how);
            Box::pin(async move { tx.execute(statement, Vec::new()).await })
        });
        match changed.await? {
            0 => Err(Error::Damaged("no row to tamper with".to_owned())),
            _ => Ok(()),
        }
    }

    /// How many pending events were set aside.
    ///
    /// # Errors
    /// The store cannot be read.
    #[cfg(any(test, feature = "faults"))]
    pub async fn quarantined(&self) -> Result<i64, Error> {
        let sql = "SELECT COUNT(*) AS n FROM quarantined_event";
        self.read().await?.number(sql, Vec::new()).await
    }

    /// Faults that have not met their transaction yet.
    #[cfg(any(test, feature = "faults"))]
    pub fn faults_waiting(&self) -> usize {
        self.0.faults.waiting()
    }

    /// A connection for reading, with a view of everything committed so far.
    ///
    /// # Errors
    /// No connection came free in time.
    pub async fn read(&self) -> Result<Link, Error> {
        #[cfg(any(test, feature = "faults"))]
        if self.0.faults.is_out() {
            return Err(Error::Unavailable("a test took the store away".to_owned()));
        }
        match &self.0.backend {
            Backend::Sqlite(sqlite) => sqlite.read().await,
            Backend::Postgres(postgres) => postgres.read().await,
        }
    }

    /// In a debug build, panics if this task has a connection for reading: `what` would be waited
    /// for with it.
    pub fn expect_not_reading(&self, what: &str) {
        crate::lent::none(what);
    }

    /// A writing connection of its own to a server, for what must not wait in the queue of units.
    pub(crate) async fn alone(&self) -> Result<Link, Error> {
        match &self.0.backend {
            Backend::Sqlite(_) => Err(Error::NotHere("the embedded database has no parts")),
            Backend::Postgres(postgres) => postgres.alone().await,
        }
    }

    /// Counts commits that recorded events, of other nodes too as far as they are heard of; the
    /// sealer waits for it to change. On a shared database it also changes when another node has
    /// sealed.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.0.committed.clone()
    }

    /// Writes a consistent copy of the whole database to `destination`, which must not exist.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub async fn backup(&self, destination: &std::path::Path) -> Result<(), Error> {
        match &self.0.backend {
            Backend::Sqlite(sqlite) => sqlite.backup(destination).await,
            Backend::Postgres(_) => Err(Error::NotHere(
                "a database on a server is backed up with its own tools, for example: pg_dump --format=custom",
            )),
        }
    }

    /// Writes the write-ahead log of the embedded database back and empties it, so that nothing of
    /// what was erased stays there. False: readers kept it from that for too long. A server looks
    /// after its files itself.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn write_back(&self) -> Result<bool, Error> {
        match &self.0.backend {
            Backend::Sqlite(sqlite) => sqlite.write_back().await,
            Backend::Postgres(_) => Ok(true),
        }
    }

    /// Bytes that the database takes on disk.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn size_bytes(&self) -> Result<u64, Error> {
        match &self.0.backend {
            Backend::Sqlite(sqlite) => Ok(sqlite.size_bytes()),
            Backend::Postgres(postgres) => postgres.size_bytes().await,
        }
    }
}

/// Runs the writer on a thread of its own: its statements run where they stand, and nobody else
/// should wait for them.
fn alone(writer: impl Future<Output = ()> + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let runtime = tokio::runtime::Handle::current();
    let (done, ended) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name("chancery-writer".to_owned());
    let spawned = thread.spawn(move || {
        runtime.block_on(writer);
        drop(done);
    });
    spawned.map_err(|error| Error::Unavailable(format!("no thread for the writer: {error}")))?;
    Ok(tokio::spawn(async move { drop(ended.await) }))
}

/// A writing connection without a writer behind it, for [`crate::bench`].
pub(crate) async fn plain(settings: &Settings) -> Result<Link, Error> {
    match &settings.database {
        Database::Embedded { data_dir } => {
            let readers_max = settings.readers_max;
            let embedded = Embedded { data_dir: data_dir.clone(), readers_max };
            sqlite::open(&embedded).await.map(|(_, link)| link)
        }
        Database::Postgres(url) => postgres::plain(url).await,
    }
}

#[cfg(test)]
mod tests {
    use super::{postgres, sqlite};

    #[test]
    fn both_engines_have_the_same_steps() {
        let numbers = |steps: &[super::migration::Step]| -> Vec<i64> {
            steps.iter().map(|(number, _)| *number).collect()
        };
        assert_eq!(numbers(sqlite::STEPS), numbers(postgres::STEPS));
    }
}
