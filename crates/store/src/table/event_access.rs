//! Which events an account may see, where that is less than its role says.

use chancery_event::Timestamp;
use chancery_event::id::AccountId;

use crate::{Error, Link, Row, Tx, args, value};

/// What one account may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventAccess {
    /// The account.
    pub account: AccountId,
    /// `none`, `scoped` or `all`.
    pub events: String,
    /// JSON: folders of certificates.
    pub paths: String,
    /// A filter of events; empty for none.
    pub filter: String,
    /// When it was changed.
    pub changed_at: Timestamp,
}

fn read(row: &Row) -> Result<EventAccess, Error> {
    Ok(EventAccess {
        account: row.id("account")?,
        events: row.text("events")?,
        paths: row.text("paths")?,
        filter: row.text("filter")?,
        changed_at: row.time("changed_at")?,
    })
}

/// What is set for an account.
pub async fn find(link: &mut Link, account: AccountId) -> Result<Option<EventAccess>, Error> {
    let sql = "SELECT account, events, paths, filter, changed_at FROM event_access
               WHERE account = $1";
    link.row(sql, vec![value::id(account)]).await?.as_ref().map(read).transpose()
}

/// Sets it.
pub async fn put(tx: &mut Tx, row: &EventAccess) -> Result<(), Error> {
    let sql = "INSERT INTO event_access (account, events, paths, filter, changed_at)
               VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (account) DO UPDATE SET events = excluded.events,
               paths = excluded.paths, filter = excluded.filter,
               changed_at = excluded.changed_at";
    let mut values = vec![value::id(row.account)];
    values.extend(args![&row.events, &row.paths, &row.filter, row.changed_at]);
    tx.execute(sql, values).await.map(|_| ())
}
