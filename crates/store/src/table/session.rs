//! Browser sessions. The secret itself is never stored, only its SHA-256.

use chancery_event::Timestamp;
use chancery_event::id::{AccountId, SessionId};

use crate::{Error, Link, Tx, args, value};

/// A browser session as stored.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its identifier.
    pub id: SessionId,
    /// SHA-256 of the cookie's value.
    pub secret_hash: [u8; 32],
    /// The token that forms must carry.
    pub csrf: String,
    /// Whose session.
    pub account: AccountId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
}

/// The session with this secret.
pub async fn by_secret(link: &mut Link, hash: &[u8; 32]) -> Result<Option<Session>, Error> {
    let sql = "SELECT id, secret_hash, csrf, account, created_at, seen_at, expires_at
               FROM session WHERE secret_hash = $1";
    link.row(sql, args![*hash])
        .await?
        .map(|row| {
            Ok(Session {
                id: row.id("id")?,
                secret_hash: row.array("secret_hash")?,
                csrf: row.text("csrf")?,
                account: row.id("account")?,
                created_at: row.time("created_at")?,
                seen_at: row.time("seen_at")?,
                expires_at: row.time("expires_at")?,
            })
        })
        .transpose()
}

/// Inserts a session.
pub async fn insert(tx: &mut Tx, session: &Session) -> Result<(), Error> {
    let mut values = vec![value::id(session.id), session.secret_hash.into()];
    values.push((&session.csrf).into());
    values.push(value::id(session.account));
    values.extend(args![session.created_at, session.seen_at, session.expires_at]);
    let sql =
        "INSERT INTO session (id, secret_hash, csrf, account, created_at, seen_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    tx.execute(sql, values).await.map(|_| ())
}

/// Notes that the session was used.
pub async fn seen(tx: &mut Tx, id: SessionId, at: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE session SET seen_at = $2 WHERE id = $1";
    tx.execute(sql, vec![value::id(id), at.into()]).await.map(|_| ())
}

/// Ends a session; true if it was there.
pub async fn delete(tx: &mut Tx, id: SessionId) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM session WHERE id = $1", vec![value::id(id)]).await? == 1)
}

/// Ends all sessions of an account but `keep`; returns how many.
pub async fn delete_of_account(
    tx: &mut Tx,
    account: AccountId,
    keep: Option<SessionId>,
) -> Result<u64, Error> {
    let keep = keep.map(|id| id.to_string()).unwrap_or_default();
    let sql = "DELETE FROM session WHERE account = $1 AND id <> $2";
    tx.execute(sql, vec![value::id(account), keep.into()]).await
}

/// Removes sessions that have ended; returns how many.
pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    tx.execute("DELETE FROM session WHERE expires_at <= $1", args![now]).await
}
