//! What became of a transaction whose commit was not answered.
//!
//! The number of a transaction alone does not tell (`pg_xact_status`). A server that crashes
//! forgets numbers that it gave out and nothing durable bears, and gives them out again:
//! "committed" may be said of somebody else's. An event that the transaction recorded is nobody
//! else's.

use std::time::Instant;

use chancery_event::id::EventId;

use super::super::session::{Session, connect};
use super::PAUSE;
use crate::{Error, Link, args, value};

/// By what a transaction is known that wrote something.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// Its number on the server.
    pub(super) number: String,
    /// An event that it recorded.
    pub(super) event: Option<EventId>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is there.
    Committed,
    /// It is not there and never will be.
    Undone,
    /// That cannot be found out.
    Unknown,
}

/// Asks the server that `origin` names, for as long as a session allows.
pub(super) async fn of(session: &Session, mark: &Mark, origin: &str) -> Fate {
    let asked = Instant::now();
    while asked.elapsed() < session.limits().uncertain() {
        if let Ok(mut link) = connect(session).await {
            // Another server has taken over: there the number may be somebody else's.
            if link.server().is_none_or(|connection| *connection.origin() != *origin) {
                return Fate::Unknown;
            }
            if let Ok(Some(fate)) = look(&mut link, mark).await {
                return fate;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    Fate::Unknown
}

/// `None`: it is under way, or the server does not know the number.
async fn look(link: &mut Link, mark: &Mark) -> Result<Option<Fate>, Error> {
    let sql = "SELECT pg_xact_status(CAST($1 AS xid8)) AS fate";
    let row = link.row(sql, args![&mark.number]).await?;
    let fate = row.and_then(|row| row.maybe_text("fate").ok().flatten());
    Ok(match (fate.as_deref(), mark.event) {
        (Some("aborted"), _) => Some(Fate::Undone),
        // Asked after that, so that nothing of it is still to become visible.
        (Some("committed"), Some(event)) => Some(match is_there(link, event).await? {
            true => Fate::Committed,
            false => Fate::Undone,
        }),
        (Some("committed"), None) => Some(Fate::Unknown),
        _ => None,
    })
}

/// Whether an event was recorded, wherever it is by now.
async fn is_there(link: &mut Link, event: EventId) -> Result<bool, Error> {
    let sql = "SELECT (SELECT COUNT(*) FROM pending_event WHERE event_id = $1)
            + (SELECT COUNT(*) FROM quarantined_event WHERE event_id = $1)
            + (SELECT COUNT(*) FROM event WHERE id = $1) AS found";
    let row = link.row(sql, vec![value::id(event)]).await?;
    row.map_or(Ok(false), |row| Ok(row.int("found")? > 0))
}

#[cfg(test)]
mod tests;
