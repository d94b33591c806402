//! Why the engine refuses or fails. Edges turn these into their documents; the reason word goes
//! into the operation's event.

use chancery_event::filter::FilterError;

use crate::{Permission, Role};

/// A refusal or a failure of an operation.
///
/// Use [`Error::Invalid`] for a field somebody can correct, [`Error::NotFound`] for an object that
/// is not there, [`Error::Conflict`] for a state that forbids it, [`Error::Store`] for everything
/// the store says.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody has proved who they are.
    #[error("authentication is required")]
    Unauthenticated,
    /// Name or password is wrong, or the account may not log in; which of them is not told.
    #[error("the name or the password is wrong")]
    WrongCredentials,
    /// The account is locked after too many failed logins.
    #[error("the account is locked after too many failed logins; try again in {minutes} min")]
    Locked {
        /// Minutes until the lock ends.
        minutes: i64,
    },
    /// Too many requests.
    #[error("too many requests; try again in {seconds} s")]
    RateLimited {
        /// Seconds until another try makes sense.
        seconds: u64,
    },
    /// The caller's role does not allow it.
    #[error("the role {role} does not have the permission {}", permission.as_str())]
    Forbidden {
        /// What would be needed.
        permission: Permission,
        /// What the caller has.
        role: Role,
    },
    /// The password has to be given again before this, because it gives power away.
    #[error("the password was last given too long ago for this: give it again, and repeat it")]
    ConfirmationDue,
    /// A field has a value that cannot be accepted.
    #[error("{field}: {message}")]
    Invalid {
        /// Name of the field, as in the API.
        field: String,
        /// What is wrong and what is expected.
        message: String,
    },
    /// An uploaded file cannot be read.
    #[error("{message}")]
    Unreadable {
        /// Stable word: `empty`, `unknown_format`, `private_key`, `wrong_password`, …
        reason: &'static str,
        /// What is wrong, and where.
        message: String,
    },
    /// The certificate is in the inventory already.
    #[error("the inventory has this certificate already: {id}")]
    Duplicate {
        /// The certificate in the inventory.
        id: chancery_event::id::CertificateId,
    },
    /// A rule refused the upload.
    #[error("the upload was refused by the trigger “{trigger}”")]
    Ignored {
        /// Name of the trigger.
        trigger: String,
    },
    /// There is no such object.
    #[error("there is no {what}")]
    NotFound {
        /// Kind and identifier.
        what: String,
    },
    /// The state of the object forbids it.
    #[error("{message}")]
    Conflict {
        /// Stable word.
        reason: &'static str,
        /// What stands against it.
        message: String,
    },
    /// A search expression cannot be understood.
    #[error("{0}")]
    Filter(#[from] FilterError),
    /// The log does not verify; nothing is sealed until somebody looked.
    #[error("the sealed log is damaged: {0}")]
    LogDamaged(String),
    /// What was removed from the database is not at hand: no archive is set, it does not answer, or
    /// it lacks what was written to it.
    #[error("{0}")]
    Archive(String),
    /// The store refuses or fails.
    #[error(transparent)]
    Store(#[from] chancery_store::Error),
    /// Something that should not happen.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// A field that cannot be accepted.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }

    /// An object that is not there.
    pub fn not_found(kind: &str, id: impl std::fmt::Display) -> Self {
        Self::NotFound { what: format!("{kind} {id}") }
    }

    /// The stable word that goes into the operation's event and the problem document.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::WrongCredentials => "wrong_credentials",
            Self::Locked { .. } => "locked",
            Self::RateLimited { .. } => "rate_limited",
            Self::Forbidden { .. } => "forbidden",
            Self::ConfirmationDue => "confirmation_due",
            Self::Invalid { .. } => "invalid",
            Self::Unreadable { reason, .. } | Self::Conflict { reason, .. } => reason,
            Self::Duplicate { .. } => "duplicate",
            Self::Ignored { .. } => "ignored",
            Self::NotFound { .. } => "not_found",
            Self::Filter(_) => "filter",
            Self::LogDamaged(_) => "log_damaged",
            Self::Archive(_) => "archive_unavailable",
            Self::Store(error) if error.is_storage_full() => "storage_full",
            Self::Store(chancery_store::Error::Conflict(_)) => "changed_meanwhile",
            Self::Store(error) if error.is_transient() => "unavailable",
            Self::Store(_) => "store",
            Self::Internal(_) => "internal",
        }
    }

    /// Whether the message may repeat what somebody typed, and so may be about a person. Such a
    /// message goes into the erasable part of the operation's event, never into the sealed one.
    pub(crate) fn quotes_input(&self) -> bool {
        matches!(
            self,
            Self::Invalid { .. }
                | Self::NotFound { .. }
                | Self::Filter(_)
                | Self::Unreadable { .. }
        )
    }

    /// Whether what was to be written may have been written all the same.
    pub(crate) fn leaves_doubt(&self) -> bool {
        use chancery_store::Error::{Commit, Unavailable};
        matches!(self, Self::Store(Commit(_) | Unavailable(_)))
    }

    /// Whether it is about a recorded event that this program cannot read.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Self::Store(chancery_store::Error::Unreadable(_)))
    }

    /// Whether trying the same again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Archive(_) => true,
            Self::Store(error) => error.is_transient(),
            _ => false,
        }
    }
}
