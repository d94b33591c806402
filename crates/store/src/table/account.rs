//! Local accounts.

use chancery_event::Timestamp;
use chancery_event::id::AccountId;

use crate::{Error, Link, Row, Tx, args, value};

/// A local account as stored.
#[derive(Clone)]
pub struct Account {
    /// Its identifier.
    pub id: AccountId,
    /// Login name, lower-case.
    pub name: String,
    /// What people call them.
    pub display_name: String,
    /// Mail address.
    pub email: Option<String>,
    /// `administrator`, `operator`, `auditor` or `viewer`.
    pub role: String,
    /// argon2id in PHC format; `None`: cannot log in by password.
    pub password_hash: Option<String>,
    /// The password must be changed at the next login.
    pub must_change: bool,
    /// When the password was set; `None`: there is none.
    pub password_set_at: Option<Timestamp>,
    /// From when on the password must be changed; `None`: never.
    pub password_ends_at: Option<Timestamp>,
    /// May not log in.
    pub disabled: bool,
    /// From when on it may not log in; `None`: it has no end.
    pub expires_at: Option<Timestamp>,
    /// Consecutive failed logins.
    pub failures: i64,
    /// Locked until this time.
    pub locked_until: Option<Timestamp>,
    /// Last successful login.
    pub last_login_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts changes, for optimistic locking.
    pub version: i64,
}

const COLUMNS: &str = "id, name, display_name, email, role, password_hash, must_change, \
                       password_set_at, password_ends_at, disabled, expires_at, failures, \
                       locked_until, last_login_at, created_at, version";

fn read(row: &Row) -> Result<Account, Error> {
    Ok(Account {
        id: row.id("id")?,
        name: row.text("name")?,
        display_name: row.text("display_name")?,
        email: row.maybe_text("email")?,
        role: row.text("role")?,
        password_hash: row.maybe_text("password_hash")?,
        must_change: row.flag("must_change")?,
        password_set_at: row.maybe_time("password_set_at")?,
        password_ends_at: row.maybe_time("password_ends_at")?,
        disabled: row.flag("disabled")?,
        expires_at: row.maybe_time("expires_at")?,
        failures: row.int("failures")?,
        locked_until: row.maybe_time("locked_until")?,
        last_login_at: row.maybe_time("last_login_at")?,
        created_at: row.time("created_at")?,
        version: row.int("version")?,
    })
}

/// The account with this identifier.
pub async fn find(link: &mut Link, id: AccountId) -> Result<Option<Account>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE id = $1");
    link.row(sql, vec![value::id(id)]).await?.as_ref().map(read).transpose()
}

/// The account with this login name, which is compared in lower case.
pub async fn by_name(link: &mut Link, name: &str) -> Result<Option<Account>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE name = $1");
    link.row(sql, args![name.to_lowercase()]).await?.as_ref().map(read).transpose()
}

/// All accounts, by login name.
pub async fn all(link: &mut Link) -> Result<Vec<Account>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM account ORDER BY name");
    link.rows(sql, vec![]).await?.iter().map(read).collect()
}

/// How many accounts with this role can log in and have no end.
pub async fn lasting_with_role(link: &mut Link, role: &str) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM account
               WHERE role = $1 AND disabled = 0 AND expires_at IS NULL";
    link.number(sql, args![role]).await
}

/// Inserts an account.
///
/// # Errors
/// [`Error::Exists`] if the name is taken.
pub async fn insert(tx: &mut Tx, account: &Account) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO account ({COLUMNS})
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
    );
    tx.execute(sql, values(account)).await.map(|_| ())
}

/// Writes all columns of an account whose version is still `account.version`, and counts it up.
///
/// # Errors
/// [`Error::Conflict`] if somebody else changed it first.
pub async fn update(tx: &mut Tx, account: &Account) -> Result<(), Error> {
    let sql = "UPDATE account SET name = $2, display_name = $3, email = $4, role = $5,
               password_hash = $6, must_change = $7, password_set_at = $8,
               password_ends_at = $9, disabled = $10, expires_at = $11, failures = $12,
               locked_until = $13, last_login_at = $14, created_at = $15, version = $16 + 1
               WHERE id = $1 AND version = $16";
    if tx.execute(sql, values(account)).await? == 1 {
        Ok(())
    } else {
        Err(Error::Conflict("the account"))
    }
}

/// Notes how logins went: failures in a row, the lock, the last success. The version stays, so that
/// nobody's login stands in the way of a change somebody is making.
pub async fn note_logins(tx: &mut Tx, account: &Account) -> Result<(), Error> {
    let sql = "UPDATE account SET failures = $2, locked_until = $3, last_login_at = $4
               WHERE id = $1";
    let mut values = vec![value::id(account.id)];
    values.extend(args![account.failures, account.locked_until, account.last_login_at]);
    tx.execute(sql, values).await.map(|_| ())
}

/// How many certificates an account owns.
pub async fn owned(link: &mut Link, id: AccountId) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM certificate WHERE owner = $1";
    link.number(sql, vec![value::id(id)]).await
}

/// Deletes an account with its sessions, tokens and views; true if it was there.
pub async fn delete(tx: &mut Tx, id: AccountId) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM account WHERE id = $1", vec![value::id(id)]).await? == 1)
}

fn values(account: &Account) -> Vec<crate::SqlValue> {
    let mut values = vec![value::id(account.id)];
    values.extend(args![
        &account.name,
        &account.display_name,
        account.email.as_deref(),
        &account.role,
        account.password_hash.as_deref(),
        account.must_change,
        account.password_set_at,
        account.password_ends_at,
        account.disabled,
        account.expires_at,
        account.failures,
        account.locked_until,
        account.last_login_at,
        account.created_at,
        account.version
    ]);
    values
}
