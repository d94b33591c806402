//! The engine for several nodes: a PostgreSQL server, version 15 or later.
//!
//! Read in this order: `session` (how sessions begin), `connection` (statements and their
//! troubles), `writer` (units of work), `wake` (nodes tell each other of commits).
//!
//! Units of work run `SERIALIZABLE`: what a unit read still holds when it commits, as on the
//! embedded engine, where units run one after another. Only sealing does not. Readers see each
//! statement's own moment and cannot write.

mod check;
mod columns;
mod connection;
mod limits;
mod placeholders;
mod session;
#[cfg(test)]
mod tests;
mod wake;
mod writer;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chancery_event::Timestamp;

use sqlx::Connection as _;
use sqlx::postgres::PgPool;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::migration::{self, Step};
use super::settings::DatabaseUrl;
use super::sqlite::Lock;
use crate::link::Inner;
use crate::writer::{Senders, lanes};
use crate::{Error, Link};

pub(crate) use connection::{Connection, Trouble, storable};
pub(crate) use limits::Limits;
use session::{Kind, Session, connect};

pub(super) const STEPS: &[Step] = &[(
    1,
    concat!(
        include_str!("../../migrations/postgres/0001_initial.sql"),
        include_str!("../../migrations/postgres/0001_alerts.sql"),
        include_str!("../../migrations/postgres/0001_reactions.sql"),
        include_str!("../../migrations/postgres/0001_deliveries.sql"),
        include_str!("../../migrations/postgres/0001_intake.sql"),
        include_str!("../../migrations/postgres/0001_notifications.sql"),
        include_str!("../../migrations/postgres/0001_nodes.sql"),
        include_str!("../../migrations/postgres/0001_retention.sql"),
    ),
)];

/// A connection that rested longer is asked whether it still lives before it is lent.
const REST_MAX: Duration = Duration::from_secs(1);

/// Names of the tables that the steps make.
fn tables() -> impl Iterator<Item = &'static str> {
    let lines = STEPS.iter().flat_map(|(_, statements)| statements.lines());
    lines.filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split([' ', '(']).next())
}

pub(crate) struct Postgres {
    readers: PgPool,
    url: DatabaseUrl,
    /// The time of the server when it was last asked, in microseconds, and when that was.
    asked_time: Mutex<Option<(i64, Instant)>>,
    /// Keeps other nodes from the data directory of this one.
    pub(crate) lock: Mutex<Option<Lock>>,
}

/// A store on a server, at work.
pub(crate) struct Opened {
    pub(crate) postgres: Postgres,
    pub(crate) units: Senders,
    pub(crate) committed: watch::Receiver<u64>,
    pub(crate) tasks: Vec<JoinHandle<()>>,
}

/// Opens the database, brings its schema up to date, starts the writers and the waking.
pub(crate) async fn open(
    url: &DatabaseUrl,
    readers_max: u32,
    closing: watch::Receiver<bool>,
) -> Result<Opened, Error> {
    if url.is_unverified() {
        tracing::warn!(
            database = url.place(),
            "the certificate of the database server is not verified: add ?sslmode=verify-full to the URL, and &sslrootcert=FILE where its authority is your own"
        );
    }
    plain(url).await?.close().await?;
    let reading = Session::new(url, Kind::Reading);
    let postgres = Postgres::new(readers(&reading, readers_max), url);
    postgres.look_at_clock().await?;
    migration::check(&mut postgres.read().await?, STEPS).await?;
    let (commits, committed) = watch::channel(0);
    let commits = Arc::new(commits);
    // Counts what other nodes have to hear of.
    let news = Arc::new(watch::Sender::new(0_u64));
    let mut tasks = Vec::new();
    // Each lane has its writer: sealing and projecting do not wait behind what people do.
    let (units, queues) = lanes();
    let queues =
        [("sealing", queues.first), ("common", queues.common), ("projecting", queues.last)];
    for (lane, queue) in queues {
        // The sealer compares and swaps what it relies on, under its lease: it needs no more than
        // `READ COMMITTED`. Tracked, its reads and writes at the end of the log would meet
        // everybody's.
        let kind = if lane == "sealing" { Kind::Sealing } else { Kind::Working };
        let session = Session::new(url, kind);
        let writer = writer::Writer::new(lane, session, commits.clone(), news.clone());
        tasks.push(tokio::spawn(writer.run(queue, closing.clone())));
    }
    tasks.extend(wake::start(url, commits, news.subscribe()));
    Ok(Opened { postgres, units, committed, tasks })
}

/// Opens the database for reading only.
pub(crate) async fn open_to_read(url: &DatabaseUrl, readers_max: u32) -> Result<Postgres, Error> {
    let session = Session::new(url, Kind::Looking);
    let mut link = check::reached(url, connect(&session).await)?;
    check::schema(&mut link, url).await?;
    migration::check(&mut link, STEPS).await?;
    link.close().await?;
    Ok(Postgres::new(readers(&session, readers_max), url))
}

/// A writing connection without a writer behind it, its schema up to date.
pub(crate) async fn plain(url: &DatabaseUrl) -> Result<Link, Error> {
    let session = Session::new(url, Kind::Plain);
    let mut link = check::reached(url, connect(&session).await)?;
    check::server(&mut link, url).await?;
    if let Some(connection) = link.server() {
        // Another node may be at work on the schema.
        connection.control("SET lock_timeout = '1h'; SET statement_timeout = 0").await?;
    }
    migration::migrate(&mut link, STEPS).await?;
    Ok(link)
}

/// Runs one statement by itself.
pub(crate) async fn run(url: &DatabaseUrl, sql: &str) -> Result<(), Error> {
    let mut link = check::reached(url, connect(&Session::new(url, Kind::Plain)).await)?;
    if let Some(connection) = link.server() {
        connection.script(sql).await?;
    }
    link.close().await
}

fn readers(session: &Session, most: u32) -> PgPool {
    session
        .pool()
        .max_connections(most.max(1))
        .acquire_timeout(session.limits().acquire())
        .idle_timeout(Duration::from_secs(300))
        .test_before_acquire(false)
        .before_acquire(|connection, resting| {
            Box::pin(async move {
                if resting.idle_for < REST_MAX {
                    return Ok(true);
                }
                let answer = tokio::time::timeout(Duration::from_secs(2), connection.ping()).await;
                Ok(matches!(answer, Ok(Ok(()))))
            })
        })
        .connect_lazy_with(session.options())
}

impl Postgres {
    fn new(readers: PgPool, url: &DatabaseUrl) -> Self {
        Self { readers, url: url.clone(), asked_time: Mutex::new(None), lock: Mutex::default() }
    }

    /// Asks the server for its time.
    pub(crate) async fn look_at_clock(&self) -> Result<(), Error> {
        let mut link = self.read().await?;
        let began = Instant::now();
        let sql = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) AS n";
        let time = link.number(sql, Vec::new()).await?;
        // The server answered some time in between.
        let asked = began + began.elapsed() / 2;
        if let Ok(mut kept) = self.asked_time.lock() {
            *kept = Some((time, asked));
        }
        Ok(())
    }

    /// The time of the server, by how much has passed since it was asked: no step of the clock of
    /// this machine changes it.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        let (time, asked) = (*self.asked_time.lock().ok()?)?;
        let passed = i64::try_from(asked.elapsed().as_micros()).ok()?;
        Some(Timestamp::from_micros(time.saturating_add(passed)))
    }

    pub(crate) async fn read(&self) -> Result<Link, Error> {
        let connection = self.readers.acquire().await;
        let connection =
            connection.map_err(|error| session::away(Error::from_sqlx("read", error)))?;
        let connection = Connection::pooled(connection, self.url.limits);
        Ok(Link::lent(Inner::Postgres(Box::new(connection))))
    }

    /// A writing connection outside of the lanes.
    pub(crate) async fn alone(&self) -> Result<Link, Error> {
        Ok(connect(&Session::new(&self.url, Kind::Plain)).await?)
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        if let Ok(mut lock) = self.lock.lock() {
            lock.take();
        }
    }

    pub(crate) fn place(&self) -> &str {
        self.url.place()
    }

    pub(crate) async fn size_bytes(&self) -> Result<u64, Error> {
        let sql = "SELECT pg_database_size(current_database()) AS n";
        let size = self.read().await?.number(sql, Vec::new()).await?;
        Ok(u64::try_from(size).unwrap_or(0))
    }
}
