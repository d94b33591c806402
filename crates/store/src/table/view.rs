//! Saved views: a name for the query of a list.

use chancery_event::Timestamp;
use chancery_event::id::{AccountId, ViewId};

use crate::{Error, Link, Row, Tx, args, value};

/// A saved view as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its identifier.
    pub id: ViewId,
    /// Whose view.
    pub account: AccountId,
    /// The list it is of, such as `events`.
    pub list: String,
    /// What people call it.
    pub name: String,
    /// The query string of the list's URL, without `?`.
    pub query: String,
    /// Others see it too.
    pub shared: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

fn read(row: &Row) -> Result<View, Error> {
    Ok(View {
        id: row.id("id")?,
        account: row.id("account")?,
        list: row.text("list")?,
        name: row.text("name")?,
        query: row.text("query")?,
        shared: row.flag("shared")?,
        created_at: row.time("created_at")?,
    })
}

/// Views of a list that an account may use: its own and the shared ones, by name.
pub async fn usable(link: &mut Link, account: AccountId, list: &str) -> Result<Vec<View>, Error> {
    let sql = "SELECT * FROM view WHERE list = $1 AND (account = $2 OR shared = 1)
               ORDER BY lower(name), id";
    link.rows(sql, vec![list.into(), value::id(account)]).await?.iter().map(read).collect()
}

/// The view with this identifier.
pub async fn find(link: &mut Link, id: ViewId) -> Result<Option<View>, Error> {
    let sql = "SELECT * FROM view WHERE id = $1";
    link.row(sql, vec![value::id(id)]).await?.as_ref().map(read).transpose()
}

/// How many views an account has.
pub async fn count(link: &mut Link, account: AccountId) -> Result<i64, Error> {
    link.number("SELECT COUNT(*) AS n FROM view WHERE account = $1", vec![value::id(account)]).await
}

/// Inserts a view.
pub async fn insert(tx: &mut Tx, view: &View) -> Result<(), Error> {
    let mut values = vec![value::id(view.id), value::id(view.account)];
    values.extend(args![&view.list, &view.name, &view.query, view.shared, view.created_at]);
    let sql = "INSERT INTO view (id, account, list, name, query, shared, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    tx.execute(sql, values).await.map(|_| ())
}

/// Deletes a view of an account; true if it was there.
pub async fn delete(tx: &mut Tx, account: AccountId, id: ViewId) -> Result<bool, Error> {
    let sql = "DELETE FROM view WHERE id = $1 AND account = $2";
    Ok(tx.execute(sql, vec![value::id(id), value::id(account)]).await? == 1)
}
