//! Answers to writes that carried an idempotency key, so that a repeated request gets the first
//! answer instead of a second effect.

use chancery_event::Timestamp;

use crate::{Error, Link, Tx, args};

/// A stored answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// SHA-256 of method, path and body of the request.
    pub request: [u8; 32],
    /// HTTP status; 0 while the first request is still at work.
    pub status: u16,
    /// Headers to repeat, as a JSON object.
    pub headers: String,
    /// The body.
    pub body: Vec<u8>,
    /// When the first request came.
    pub created_at: Timestamp,
}

/// The answer stored under a key.
pub async fn find(link: &mut Link, account: &str, key: &str) -> Result<Option<Answer>, Error> {
    let sql = "SELECT request, status, headers, body, created_at FROM idempotency
               WHERE account = $1 AND key = $2";
    link.row(sql, args![account, key])
        .await?
        .map(|row| {
            Ok(Answer {
                request: row.array("request")?,
                status: u16::try_from(row.int("status")?).unwrap_or(0),
                headers: row.text("headers")?,
                body: row.bytes("body")?,
                created_at: row.time("created_at")?,
            })
        })
        .transpose()
}

/// Claims a key for a request; false if it is taken.
pub async fn claim(
    tx: &mut Tx,
    account: &str,
    key: &str,
    request: &[u8; 32],
    now: Timestamp,
) -> Result<bool, Error> {
    let sql = "INSERT INTO idempotency (account, key, request, status, headers, body, created_at)
               VALUES ($1, $2, $3, 0, '{}', $4, $5) ON CONFLICT (account, key) DO NOTHING";
    Ok(tx.execute(sql, args![account, key, *request, Vec::<u8>::new(), now]).await? == 1)
}

/// Stores the answer to a claimed key.
pub async fn finish(
    tx: &mut Tx,
    account: &str,
    key: &str,
    status: u16,
    headers: &str,
    body: &[u8],
) -> Result<(), Error> {
    let sql = "UPDATE idempotency SET status = $3, headers = $4, body = $5
               WHERE account = $1 AND key = $2";
    tx.execute(sql, args![account, key, status, headers, body]).await.map(|_| ())
}

/// Gives a claimed key free again, because the request failed in a way worth repeating.
pub async fn release(tx: &mut Tx, account: &str, key: &str) -> Result<(), Error> {
    let sql = "DELETE FROM idempotency WHERE account = $1 AND key = $2 AND status = 0";
    tx.execute(sql, args![account, key]).await.map(|_| ())
}

/// Takes the bodies out of all stored answers that are not an error: they may tell of people. A
/// repetition is told that the first answer is not kept.
pub async fn forget_bodies(tx: &mut Tx, headers: &str, body: &[u8]) -> Result<u64, Error> {
    let sql = "UPDATE idempotency SET status = 409, headers = $1, body = $2
               WHERE status <> 0 AND status < 400";
    tx.execute(sql, args![headers, body]).await
}

/// As [`forget_bodies`], those of one account: what it may see is less now.
pub async fn forget_of(
    tx: &mut Tx,
    account: &str,
    headers: &str,
    body: &[u8],
) -> Result<u64, Error> {
    let sql = "UPDATE idempotency SET status = 409, headers = $2, body = $3
               WHERE account = $1 AND status <> 0 AND status < 400";
    tx.execute(sql, args![account, headers, body]).await
}

/// Removes answers older than `before`; returns how many.
pub async fn delete_before(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    tx.execute("DELETE FROM idempotency WHERE created_at < $1", args![before]).await
}
