//! Who besides administrators may see events of the event centre and manage forwarders.

use chancery_event::Timestamp;
use chancery_event::id::AccountId;

use crate::{Error, Link, Row, Tx, args, value};

/// What one account may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventAccess {
    /// The account.
    pub account: AccountId,
    /// `none`, `scoped` or `all`.
    pub events: String,
    /// `none`, `named` or `all`.
    pub forwarders: String,
    /// JSON: forwarders that may be managed.
    pub names: String,
    /// JSON: folders that scoped means.
    pub paths: String,
    /// When it was changed.
    pub changed_at: Timestamp,
}

fn read(row: &Row) -> Result<EventAccess, Error> {
    Ok(EventAccess {
        account: row.id("account")?,
        events: row.text("events")?,
        forwarders: row.text("forwarders")?,
        names: row.text("names")?,
        paths: row.text("paths")?,
        changed_at: row.time("changed_at")?,
    })
}

/// What is set for an account.
pub async fn find(link: &mut Link, account: AccountId) -> Result<Option<EventAccess>, Error> {
    let sql = "SELECT * FROM event_access WHERE account = $1";
    link.row(sql, vec![value::id(account)]).await?.as_ref().map(read).transpose()
}

/// Sets it.
pub async fn put(tx: &mut Tx, row: &EventAccess) -> Result<(), Error> {
    let sql = "INSERT INTO event_access (account, events, forwarders, names, paths, changed_at)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (account) DO UPDATE SET events = $2, forwarders = $3, names = $4,
               paths = $5, changed_at = $6";
    let mut values = vec![value::id(row.account)];
    values.extend(args![&row.events, &row.forwarders, &row.names, &row.paths, row.changed_at]);
    tx.execute(sql, values).await.map(|_| ())
}
