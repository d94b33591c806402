//! Browser sessions. The secret itself is never stored, only its SHA-256.

use chancery_event::Timestamp;
use chancery_event::id::{AccountId, SessionId};

use crate::{Error, Link, Row, Tx, args, value};

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
    /// When the password was last given in it.
    pub proved_at: Timestamp,
}

const COLUMNS: &str = "id, secret_hash, csrf, account, created_at, seen_at, expires_at, proved_at";

fn read(row: &Row) -> Result<Session, Error> {
    Ok(Session {
        id: row.id("id")?,
        secret_hash: row.array("secret_hash")?,
        csrf: row.text("csrf")?,
        account: row.id("account")?,
        created_at: row.time("created_at")?,
        seen_at: row.time("seen_at")?,
        expires_at: row.time("expires_at")?,
        proved_at: row.time("proved_at")?,
    })
}

/// The session with this secret.
pub async fn by_secret(link: &mut Link, hash: &[u8; 32]) -> Result<Option<Session>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM session WHERE secret_hash = $1");
    link.row(sql, args![*hash]).await?.as_ref().map(read).transpose()
}

/// The session with this identifier.
pub async fn find(link: &mut Link, id: SessionId) -> Result<Option<Session>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM session WHERE id = $1");
    link.row(sql, vec![value::id(id)]).await?.as_ref().map(read).transpose()
}

/// Sessions of an account, newest first.
pub async fn of_account(link: &mut Link, account: AccountId) -> Result<Vec<Session>, Error> {
    let sql =
        format!("SELECT {COLUMNS} FROM session WHERE account = $1 ORDER BY created_at DESC, id");
    link.rows(sql, vec![value::id(account)]).await?.iter().map(read).collect()
}

/// Sessions that have ended at `now`, or were last used before `idle_since`; `limit` at most.
pub async fn over(
    link: &mut Link,
    now: Timestamp,
    idle_since: Timestamp,
    limit: usize,
) -> Result<Vec<Session>, Error> {
    let sql =
        format!("SELECT {COLUMNS} FROM session WHERE expires_at <= $1 OR seen_at <= $2 LIMIT $3");
    link.rows(sql, args![now, idle_since, limit]).await?.iter().map(read).collect()
}

/// Inserts a session.
pub async fn insert(tx: &mut Tx, session: &Session) -> Result<(), Error> {
    let mut values = vec![value::id(session.id), session.secret_hash.into()];
    values.push((&session.csrf).into());
    values.push(value::id(session.account));
    values.extend(args![session.created_at, session.seen_at, session.expires_at]);
    values.push(session.proved_at.into());
    let sql = format!("INSERT INTO session ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    tx.execute(sql, values).await.map(|_| ())
}

/// Notes that the password was given in the session; true if it was there.
pub async fn proved(tx: &mut Tx, id: SessionId, at: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE session SET proved_at = $2 WHERE id = $1";
    Ok(tx.execute(sql, vec![value::id(id), at.into()]).await? == 1)
}

/// Notes that the session was used.
pub async fn seen(tx: &mut Tx, id: SessionId, at: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE session SET seen_at = $2 WHERE id = $1";
    tx.execute(sql, vec![value::id(id), at.into()]).await.map(|_| ())
}

/// Brings the end of an account's sessions forward where they would last longer than the account.
pub async fn cap(tx: &mut Tx, account: AccountId, at: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE session SET expires_at = $2 WHERE account = $1 AND expires_at > $2";
    tx.execute(sql, vec![value::id(account), at.into()]).await.map(|_| ())
}

/// Ends a session; true if it was there.
pub async fn delete(tx: &mut Tx, id: SessionId) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM session WHERE id = $1", vec![value::id(id)]).await? == 1)
}
