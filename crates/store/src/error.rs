//! What can go wrong in the store. One enum: callers decide by kind, people read the message.

use std::path::PathBuf;

/// A failure of the store. `Display` never repeats the source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory or a file in it cannot be used.
    #[error("cannot use {path}: {what}")]
    Path {
        /// Which path.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// The database server cannot be used as it is.
    #[error("cannot use the database {place}: {what}")]
    Server {
        /// Which database; never with a password.
        place: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// The engine of the database has no such thing.
    #[error("{0}")]
    NotHere(&'static str),
    /// The schema of the database is not one this program knows.
    #[error(
        "the database has schema {found}, this program knows up to {known}: use the program version that wrote it, or a newer one"
    )]
    UnknownSchema {
        /// The schema found.
        found: i64,
        /// The newest schema this program knows.
        known: i64,
    },
    /// A step of the schema was another one when this database was made.
    #[error(
        "step {number} of the schema in this database is not the one this program knows: the database was made by another build, or by a version before 0.1.0, whose steps still changed; start the program that made it, or put back a backup of this one"
    )]
    ChangedStep {
        /// Which step.
        number: i64,
    },
    /// Storage is exhausted; nothing was written, reads go on.
    #[error("storage is full: nothing was written; free space and try again")]
    StorageFull,
    /// The database cannot be written or reached at present; trying again later may help.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A stored value is not what the schema promises.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// A stored event is none that this program can read.
    #[error("{0}: if a newer version of the program wrote that event, upgrade this node")]
    Unreadable(String),
    /// Somebody else changed the same thing first.
    #[error("{0} was changed by somebody else in the meantime")]
    Conflict(&'static str),
    /// A uniqueness rule of the schema was broken.
    #[error("already exists: {0}")]
    Exists(String),
    /// Anything else the database said, with the name of the transaction or statement.
    #[error("database error in {context}")]
    Database {
        /// Name of the transaction or statement.
        context: String,
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The shared commit that carried this unit of work failed; nothing of it was written.
    #[error("nothing was written: {0}")]
    Commit(std::sync::Arc<Error>),
    /// A unit of work panicked and was undone; the name is that of its transaction.
    #[error("the unit of work “{0}” broke off and was undone")]
    BrokeOff(&'static str),
    /// The store was opened for reading only.
    #[error("the store was opened for reading only")]
    ReadOnly,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// Classifies what SQLite said.
    pub(crate) fn from_sqlite(context: impl Into<String>, source: rusqlite::Error) -> Self {
        let code = source.sqlite_error().map(|said| said.extended_code);
        // Extended result codes carry the primary code in their low byte.
        match code.map(|code| (code, code & 0xff)) {
            Some((_, 13)) => Self::StorageFull,
            Some((_, 9)) => Self::Unavailable("the question took too long".to_owned()),
            // 10 IOERR, 8 READONLY, 14 CANTOPEN, 5 BUSY, 6 LOCKED.
            Some((_, 5 | 6 | 8 | 10 | 14)) => Self::Unavailable(source.to_string()),
            Some((_, 11 | 26)) => Self::Damaged(source.to_string()),
            // CONSTRAINT_PRIMARYKEY, CONSTRAINT_UNIQUE, CONSTRAINT_ROWID.
            Some((1555 | 2067 | 2579, _)) => Self::Exists(source.to_string()),
            _ => Self::Database { context: context.into(), source: source.into() },
        }
    }

    /// Classifies what PostgreSQL said.
    pub(crate) fn from_sqlx(context: impl Into<String>, source: sqlx::Error) -> Self {
        if let sqlx::Error::Database(said) = &source {
            let message = || said.message().to_owned();
            let kind = said.code().map_or(Kind::Other, |code| of_sqlstate(&code));
            match kind {
                Kind::Full => return Self::StorageFull,
                Kind::Away => return Self::Unavailable(message()),
                Kind::Damaged => return Self::Damaged(message()),
                _ if said.is_unique_violation() => return Self::Exists(message()),
                Kind::Other => {}
            }
        }
        match source {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_) => Self::Unavailable(source.to_string()),
            source => Self::Database { context: context.into(), source: source.into() },
        }
    }

    /// Whether storage is exhausted, also when a shared commit says so.
    pub fn is_storage_full(&self) -> bool {
        match self {
            Self::StorageFull => true,
            Self::Commit(inner) => inner.is_storage_full(),
            _ => false,
        }
    }

    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::StorageFull | Self::Unavailable(_) | Self::Closed => true,
            Self::Commit(inner) => inner.is_transient(),
            _ => false,
        }
    }
}

/// What a code of a database means to callers.
enum Kind {
    Full,
    Away,
    Damaged,
    Other,
}

/// SQLSTATE, PostgreSQL's Appendix A.
fn of_sqlstate(code: &str) -> Kind {
    match code {
        // Disk full.
        "53100" => Kind::Full,
        // Read only: the server became a replica. Cancelled, lock not available, lost against
        // another transaction.
        "25006" | "57014" | "55P03" | "40001" | "40P01" | "25P03" => Kind::Away,
        "XX001" | "XX002" => Kind::Damaged,
        // Connection, resources, operator intervention, system.
        code if ["08", "53", "57", "58"].contains(&code.get(..2).unwrap_or("")) => Kind::Away,
        _ => Kind::Other,
    }
}
