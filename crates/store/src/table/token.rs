//! API tokens. The token itself is never stored, only its SHA-256.

use chancery_event::Timestamp;
use chancery_event::id::{AccountId, TokenId};

use crate::{Error, Link, Row, Tx, args, value};

/// An API token as stored.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its identifier.
    pub id: TokenId,
    /// SHA-256 of the token.
    pub secret_hash: [u8; 32],
    /// What it is for.
    pub name: String,
    /// On whose behalf it acts.
    pub account: AccountId,
    /// Its role, never more than its account's.
    pub role: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used_at: Option<Timestamp>,
    /// The token that made it, if one did.
    pub made_by: Option<TokenId>,
}

const COLUMNS: &str =
    "id, secret_hash, name, account, role, created_at, expires_at, revoked_at, used_at, made_by";

fn read(row: &Row) -> Result<Token, Error> {
    Ok(Token {
        id: row.id("id")?,
        secret_hash: row.array("secret_hash")?,
        name: row.text("name")?,
        account: row.id("account")?,
        role: row.text("role")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        revoked_at: row.maybe_time("revoked_at")?,
        used_at: row.maybe_time("used_at")?,
        made_by: row.maybe_id("made_by")?,
    })
}

/// The token with this secret.
pub async fn by_secret(link: &mut Link, hash: &[u8; 32]) -> Result<Option<Token>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM token WHERE secret_hash = $1");
    link.row(sql, args![*hash]).await?.as_ref().map(read).transpose()
}

/// The token with this identifier.
pub async fn find(link: &mut Link, id: TokenId) -> Result<Option<Token>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM token WHERE id = $1");
    link.row(sql, vec![value::id(id)]).await?.as_ref().map(read).transpose()
}

/// All tokens, newest first; only those of one account if `account` is given.
pub async fn all(link: &mut Link, account: Option<AccountId>) -> Result<Vec<Token>, Error> {
    let only = account.map(|id| id.to_string()).unwrap_or_default();
    let sql = format!(
        "SELECT {COLUMNS} FROM token WHERE $1 = '' OR account = $1 ORDER BY created_at DESC, id"
    );
    link.rows(sql, args![only]).await?.iter().map(read).collect()
}

/// Inserts a token.
pub async fn insert(tx: &mut Tx, token: &Token) -> Result<(), Error> {
    let sql =
        format!("INSERT INTO token ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    let mut values = vec![value::id(token.id), token.secret_hash.into(), (&token.name).into()];
    values.push(value::id(token.account));
    values.extend(args![
        &token.role,
        token.created_at,
        token.expires_at,
        token.revoked_at,
        token.used_at,
        token.made_by.map(|id| id.to_string())
    ]);
    tx.execute(sql, values).await.map(|_| ())
}

/// The tokens that a token made and that are not revoked.
pub async fn made_by(link: &mut Link, id: TokenId) -> Result<Vec<Token>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM token WHERE made_by = $1 AND revoked_at IS NULL ORDER BY id"
    );
    link.rows(sql, vec![value::id(id)]).await?.iter().map(read).collect()
}

/// Revokes a token; true if it was not revoked before.
pub async fn revoke(tx: &mut Tx, id: TokenId, at: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    Ok(tx.execute(sql, vec![value::id(id), at.into()]).await? == 1)
}

/// Notes that the token was used.
pub async fn used(tx: &mut Tx, id: TokenId, at: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE token SET used_at = $2 WHERE id = $1";
    tx.execute(sql, vec![value::id(id), at.into()]).await.map(|_| ())
}
