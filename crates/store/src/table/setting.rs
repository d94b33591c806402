//! Settings of the installation that outlive a process, such as its instance identifier.

use crate::{Error, Link, Tx, args};

/// The value of a setting.
pub async fn find(link: &mut Link, name: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT value FROM setting WHERE name = $1";
    link.row(sql, args![name]).await?.map(|row| row.text("value")).transpose()
}

/// Sets a setting.
pub async fn put(tx: &mut Tx, name: &str, value: &str) -> Result<(), Error> {
    let sql = "INSERT INTO setting (name, value) VALUES ($1, $2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    tx.execute(sql, args![name, value]).await.map(|_| ())
}

/// Takes a setting away, if it is there.
pub async fn remove(tx: &mut Tx, name: &str) -> Result<(), Error> {
    tx.execute("DELETE FROM setting WHERE name = $1", args![name]).await.map(|_| ())
}
