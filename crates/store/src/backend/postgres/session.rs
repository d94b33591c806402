//! How a session begins: with settings that travel in the connection request, and a look at whether
//! they arrived.
//!
//! Everything that checks and then acts relies on `SERIALIZABLE` and on limits of time. A pooler in
//! between may drop what the request asks for, and a name may lead to a standby for a moment. So
//! each session is asked what it is before anybody uses it, and each transaction names its
//! isolation all the same.

use std::sync::Arc;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, Postgres};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

use super::{Connection, Limits};
use crate::backend::settings::DatabaseUrl;
use crate::link::Inner;
use crate::{Error, Link};

/// Settings of every session, beside its limits of time.
const COMMON: [(&str, &str); 3] = [
    ("client_min_messages", "warning"),
    // Statements are short; compiling them costs more than it saves.
    ("jit", "off"),
    // Questions go along a key and stop after a few rows. Where a page out of order counts as much
    // as on a turning disc, the planner makes a map of all rows first.
    ("random_page_cost", "1.1"),
];
/// A client that vanished frees its locks within a minute. Not on sockets of the machine.
const KEEPALIVE: [(&str, &str); 3] = [
    ("tcp_keepalives_idle", "20"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
];

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Units of work.
    Working,
    /// The sealer's.
    Sealing,
    /// Reading on the server that is written to.
    Reading,
    /// Reading, on a standby as well.
    Looking,
    /// Everything else.
    Plain,
}

impl Kind {
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Working => &[("default_transaction_isolation", "serializable")],
            Self::Sealing => &[("default_transaction_isolation", "read committed")],
            // A plan is made for the values at hand: it depends on how many rows they name.
            Self::Reading | Self::Looking => {
                &[("default_transaction_read_only", "on"), ("plan_cache_mode", "force_custom_plan")]
            }
            Self::Plain => &[],
        }
    }

    /// What a transaction begins with.
    pub(super) fn isolation(self) -> &'static str {
        match self {
            Self::Working => "SERIALIZABLE",
            _ => "READ COMMITTED",
        }
    }
}

/// A session before it is connected.
#[derive(Clone)]
pub(super) struct Session {
    options: Box<PgConnectOptions>,
    limits: Limits,
    kind: Kind,
}

/// Why there is no session.
#[derive(Debug)]
pub(super) enum Unfit {
    /// What answers is not what it has to be; with what to do.
    Wrong(String),
    /// Nothing answers, or it refuses.
    Away(Error),
}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Wrong(what) => Self::Unavailable(what),
            Unfit::Away(error) => away(error),
        }
    }
}

/// What a store that worked before finds: whatever the server says, it is away until it says
/// something else.
pub(super) fn away(error: Error) -> Error {
    match error {
        Error::Database { source, .. } => Error::Unavailable(source.to_string()),
        error => error,
    }
}

impl Session {
    pub(super) fn new(url: &DatabaseUrl, kind: Kind) -> Self {
        let options = PgConnectOptions::clone(&url.options)
            .application_name("chancery")
            .statement_cache_capacity(512)
            .options(wanted(url.limits, kind))
            .options(KEEPALIVE);
        Self { options: Box::new(options), limits: url.limits, kind }
    }

    /// How long it waits for the server.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::clone(&self.options)
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// A pool of such sessions; none that is not as it has to be comes into it.
    pub(super) fn pool(&self) -> PgPoolOptions {
        let (limits, kind) = (self.limits, self.kind);
        PgPoolOptions::new().after_connect(move |connection, _| {
            Box::pin(async move {
                let wrong = match look(connection, limits, kind).await? {
                    Ok(_) => return Ok(()),
                    Err(wrong) => wrong,
                };
                Err(sqlx::Error::Configuration(wrong.into()))
            })
        })
    }
}

/// A connection of its own.
pub(super) async fn connect(session: &Session) -> Result<Link, Unfit> {
    let connected = async {
        let mut connection = session.options.connect().await?;
        let looked = look(&mut connection, session.limits, session.kind).await?;
        Ok::<_, sqlx::Error>((connection, looked))
    };
    let most = session.limits.connect();
    match tokio::time::timeout(most, connected).await {
        Ok(Ok((connection, Ok(origin)))) => {
            let connection = Connection::own(connection, origin, session.limits);
            Ok(Link::own(Inner::Postgres(Box::new(connection))))
        }
        Ok(Ok((connection, Err(wrong)))) => {
            let _ = sqlx::Connection::close(connection).await;
            Err(Unfit::Wrong(wrong))
        }
        Ok(Err(error)) => Err(explained(error)),
        Err(_) => Err(Unfit::Away(Error::Unavailable(format!(
            "the server did not answer within {} s (a quarter of database_timeout_seconds)",
            most.as_secs()
        )))),
    }
}

/// Tells what only looks like a server that is away.
fn explained(error: sqlx::Error) -> Unfit {
    let code = error.as_database_error().and_then(|said| said.code().map(|code| code.into_owned()));
    if code.as_deref() == Some("08P01") {
        return Unfit::Wrong(format!(
            "{error}: what answers is not PostgreSQL itself but something in between, such as a connection pooler, that does not hand on what a session needs: connect to the server itself"
        ));
    }
    if code.as_deref() == Some("53300") {
        let message = error.as_database_error().map(|said| said.message().to_owned());
        return Unfit::Wrong(format!(
            "{}: each node needs database_connections and six more (14 where nothing else is set), and one or two for moments. Raise what is exhausted: max_connections of the server, or CONNECTION LIMIT with ALTER ROLE or ALTER DATABASE",
            message.unwrap_or_default()
        ));
    }
    let of_tls = match &error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    };
    if of_tls {
        return Unfit::Wrong(format!(
            "the encrypted connection is refused: {error}. Name the authority of the server's certificate with ?sslmode=verify-full&sslrootcert=FILE in the URL, and the host as the certificate names it"
        ));
    }
    Unfit::Away(Error::from_sqlx("connect", error))
}

/// What a session has to be told.
fn wanted(limits: Limits, kind: Kind) -> Vec<(&'static str, String)> {
    let fixed = COMMON.iter().chain(kind.settings());
    let fixed = fixed.map(|(name, value)| (*name, (*value).to_owned()));
    limits.session().into_iter().chain(fixed).collect()
}

/// Asks a session what it is: which server and course of its log, or what is wrong with it.
async fn look(
    connection: &mut PgConnection,
    limits: Limits,
    kind: Kind,
) -> Result<Result<Arc<str>, String>, sqlx::Error> {
    let wanted = wanted(limits, kind);
    let mut sql = "SELECT pg_is_in_recovery() AS replica, CASE WHEN pg_is_in_recovery() THEN ''
        ELSE (SELECT CAST(system_identifier AS TEXT) FROM pg_control_system())
        || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
        || '/' || (SELECT CAST(oid AS TEXT) FROM pg_database WHERE datname = current_database())
        END AS origin"
        .to_owned();
    for (name, _) in &wanted {
        sql.push_str(&format!(", current_setting('{name}') AS {name}"));
    }
    let row = sqlx::query::<Postgres>(AssertSqlSafe(sql)).persistent(false);
    let row = row.fetch_one(&mut *connection).await?;
    if row.try_get::<bool, _>("replica")? && kind != Kind::Looking {
        return Ok(Err("the server is a read-only replica: name the primary".to_owned()));
    }
    for (name, value) in &wanted {
        let found: String = row.try_get(*name)?;
        if found != *value {
            return Ok(Err(format!(
                "the session has {name} = {found} although {value} was asked for: something in between, such as a connection pooler, drops what a session needs: connect to the server itself"
            )));
        }
    }
    Ok(Ok(row.try_get::<String, _>("origin")?.into()))
}
