//! Who besides administrators may manage forwarders.

use chancery_event::Timestamp;
use chancery_event::id::AccountId;

use crate::{Error, Link, Row, Tx, args, value};

/// What one account may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwarderAccess {
    /// The account.
    pub account: AccountId,
    /// `none`, `named` or `all`.
    pub forwarders: String,
    /// JSON: forwarders that may be managed.
    pub names: String,
    /// JSON: folders whose forwarders may be managed.
    pub paths: String,
    /// When it was changed.
    pub changed_at: Timestamp,
}

fn read(row: &Row) -> Result<ForwarderAccess, Error> {
    Ok(ForwarderAccess {
        account: row.id("account")?,
        forwarders: row.text("forwarders")?,
        names: row.text("names")?,
        paths: row.text("paths")?,
        changed_at: row.time("changed_at")?,
    })
}

/// What is set for an account.
pub async fn find(link: &mut Link, account: AccountId) -> Result<Option<ForwarderAccess>, Error> {
    let sql = "SELECT * FROM forwarder_access WHERE account = $1";
    link.row(sql, vec![value::id(account)]).await?.as_ref().map(read).transpose()
}

/// Sets it.
pub async fn put(tx: &mut Tx, row: &ForwarderAccess) -> Result<(), Error> {
    let sql = "INSERT INTO forwarder_access (account, forwarders, names, paths, changed_at)
               VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (account) DO UPDATE SET forwarders = $2, names = $3, paths = $4,
               changed_at = $5";
    let mut values = vec![value::id(row.account)];
    values.extend(args![&row.forwarders, &row.names, &row.paths, row.changed_at]);
    tx.execute(sql, values).await.map(|_| ())
}
