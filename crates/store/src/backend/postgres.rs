//! The engine for several nodes: a PostgreSQL server, version 15 or later.
//!
//! Read in this order: `connection` (statements and their troubles), `writer` (units of work),
//! `wake` (nodes tell each other of commits).
//!
//! Units of work run `SERIALIZABLE`: what a unit read still holds when it commits, as on the
//! embedded engine, where units run one after another. Only sealing does not. Readers see each
//! statement's own moment and cannot write.

mod check;
mod columns;
mod connection;
mod placeholders;
#[cfg(test)]
mod tests;
mod wake;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::migration::{self, Step};
use super::settings::DatabaseUrl;
use crate::link::Inner;
use crate::writer::{Senders, lanes};
use crate::{Error, Link};

pub(crate) use connection::{Connection, Trouble, storable};

pub(super) const STEPS: &[Step] = &[(
    1,
    concat!(
        include_str!("../../migrations/postgres/0001_initial.sql"),
        include_str!("../../migrations/postgres/0001_reactions.sql"),
        include_str!("../../migrations/postgres/0001_deliveries.sql"),
        include_str!("../../migrations/postgres/0001_intake.sql"),
        include_str!("../../migrations/postgres/0001_notifications.sql"),
        include_str!("../../migrations/postgres/0001_nodes.sql"),
        include_str!("../../migrations/postgres/0001_retention.sql"),
    ),
)];

/// How long reaching the server may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection to read by.
const ACQUIRE_MAX: Duration = Duration::from_secs(8);
/// A connection that rested longer is asked whether it still lives before it is lent.
const REST_MAX: Duration = Duration::from_secs(1);

pub(crate) struct Postgres {
    readers: PgPool,
    url: DatabaseUrl,
}

/// A store on a server, at work.
pub(crate) struct Opened {
    pub(crate) postgres: Postgres,
    pub(crate) units: Senders,
    pub(crate) committed: watch::Receiver<u64>,
    pub(crate) tasks: Vec<JoinHandle<()>>,
}

/// Settings of every session. They travel with the connection request, so that no session is ever
/// without them.
fn session(url: &DatabaseUrl, more: &[(&str, &str)]) -> PgConnectOptions {
    let common = [
        ("statement_timeout", "20s"),
        ("lock_timeout", "15s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("client_min_messages", "warning"),
        // Statements are short; compiling them costs more than it saves.
        ("jit", "off"),
        // A client that vanished frees its locks within a minute.
        ("tcp_keepalives_idle", "20"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_keepalives_count", "3"),
    ];
    PgConnectOptions::clone(&url.options)
        .application_name("chancery")
        .statement_cache_capacity(512)
        .options(common)
        .options(more.iter().copied())
}

/// The sealer compares and swaps what it relies on, under its lease: it needs no more than `READ
/// COMMITTED`. Tracked, its reads and writes at the end of the log would meet everybody's.
fn writing(url: &DatabaseUrl, lane: &str) -> PgConnectOptions {
    let isolation = if lane == "sealing" { "read committed" } else { "serializable" };
    session(url, &[("default_transaction_isolation", isolation)])
}

fn reading(url: &DatabaseUrl) -> PgConnectOptions {
    // A plan is made for the values at hand: it depends on how many rows they name.
    session(
        url,
        &[("default_transaction_read_only", "on"), ("plan_cache_mode", "force_custom_plan")],
    )
}

/// A connection of its own.
async fn connect(options: &PgConnectOptions) -> Result<Link, Error> {
    match tokio::time::timeout(CONNECT_MAX, options.connect()).await {
        Ok(Ok(connection)) => {
            Ok(Link { inner: Inner::Postgres(Box::new(Connection::own(connection))) })
        }
        Ok(Err(error)) => Err(Error::from_sqlx("connect", error)),
        Err(_) => Err(Error::Unavailable(format!(
            "the server did not answer within {} s",
            CONNECT_MAX.as_secs()
        ))),
    }
}

/// Opens the database, brings its schema up to date, starts the writers and the waking.
pub(crate) async fn open(
    url: &DatabaseUrl,
    readers_max: u32,
    closing: watch::Receiver<bool>,
) -> Result<Opened, Error> {
    plain(url).await?.close().await?;
    let postgres = Postgres { readers: readers(url, readers_max), url: url.clone() };
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
        let writer = writer::Writer::new(lane, writing(url, lane), commits.clone(), news.clone());
        tasks.push(tokio::spawn(writer.run(queue, closing.clone())));
    }
    tasks.extend(wake::start(url, commits, news.subscribe()));
    Ok(Opened { postgres, units, committed, tasks })
}

/// Opens the database for reading only.
pub(crate) async fn open_to_read(url: &DatabaseUrl, readers_max: u32) -> Result<Postgres, Error> {
    let mut link = check::reached(url, connect(&reading(url)).await)?;
    check::schema(&mut link, url).await?;
    migration::check(&mut link, STEPS).await?;
    link.close().await?;
    Ok(Postgres { readers: readers(url, readers_max), url: url.clone() })
}

/// A writing connection without a writer behind it, its schema up to date.
pub(crate) async fn plain(url: &DatabaseUrl) -> Result<Link, Error> {
    let mut link = check::reached(url, connect(&session(url, &[])).await)?;
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
    let mut link = check::reached(url, connect(&session(url, &[])).await)?;
    if let Some(connection) = link.server() {
        connection.script(sql).await?;
    }
    link.close().await
}

fn readers(url: &DatabaseUrl, most: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(most.max(1))
        .acquire_timeout(ACQUIRE_MAX)
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
        .connect_lazy_with(reading(url))
}

impl Postgres {
    pub(crate) async fn read(&self) -> Result<Link, Error> {
        let connection = self.readers.acquire().await;
        let connection = connection.map_err(|error| Error::from_sqlx("read", error))?;
        Ok(Link { inner: Inner::Postgres(Box::new(Connection::pooled(connection))) })
    }

    /// A writing connection outside of the lanes.
    pub(crate) async fn alone(&self) -> Result<Link, Error> {
        connect(&session(&self.url, &[])).await
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
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
