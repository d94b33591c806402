//! What people changed about alerts, so that it can be taken back exactly: how each alert stood
//! before and after, for a while.

use chancery_event::Timestamp;
use chancery_event::id::{AccountId, AlertId, EventId};

use crate::{Error, Link, Tx, args, value};

/// One alert of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The alert.
    pub alert: AlertId,
    /// JSON: how it stood before.
    pub was: String,
    /// JSON: how it stood after.
    pub became: String,
}

/// Notes alerts that an account has changed; the change is named by its first event.
pub async fn note(
    tx: &mut Tx,
    id: EventId,
    account: AccountId,
    changes: &[Change],
    at: Timestamp,
) -> Result<(), Error> {
    let head = "INSERT INTO alert_change (id, alert, account, was, became, at)";
    let row = |change: &Change| {
        let mut values = vec![value::id(id), value::id(change.alert), value::id(account)];
        values.extend(args![&change.was, &change.became, at]);
        values
    };
    tx.insert_many(head, "", changes.iter().map(row).collect()).await
}

/// What an account has changed, by its name; nothing if that was somebody else, or long ago.
pub async fn of(link: &mut Link, id: EventId, account: AccountId) -> Result<Vec<Change>, Error> {
    let sql = "SELECT alert, was, became FROM alert_change WHERE id = $1 AND account = $2
               ORDER BY alert";
    let read = |row: &crate::Row| {
        let (was, became) = (row.text("was")?, row.text("became")?);
        Ok(Change { alert: row.id("alert")?, was, became })
    };
    link.rows(sql, vec![value::id(id), value::id(account)]).await?.iter().map(read).collect()
}

/// Whether [`sweep`] has something to do.
pub async fn any_before(link: &mut Link, before: Timestamp) -> Result<bool, Error> {
    let sql = "SELECT id FROM alert_change WHERE at < $1 LIMIT 1";
    Ok(link.row(sql, args![before]).await?.is_some())
}

/// Forgets changes from before a time, `limit` alerts at most; answers how many.
pub async fn sweep(tx: &mut Tx, before: Timestamp, limit: usize) -> Result<u64, Error> {
    let sql = "DELETE FROM alert_change WHERE (id, alert) IN (
               SELECT id, alert FROM alert_change WHERE at < $1 ORDER BY at LIMIT $2)";
    tx.execute(sql, args![before, limit]).await
}
