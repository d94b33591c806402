//! Objects of automation: a class, a name, and versions of a body that never change.
//!
//! The head row says which version counts. A change adds a version, a deletion too (its body is
//! `null`), so that every revision of the whole configuration can be built again.

use chancery_event::Timestamp;

use crate::{Error, Link, Row, Tx, args, table::setting};

/// Name of the setting that holds the revision.
const REVISION: &str = "automation_revision";

/// The version of an object that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// `rule`, `action`, `trigger`, `scope`, `monitor`, `schedule`.
    pub class: String,
    /// Its identity within the class.
    pub name: String,
    /// Counts its changes, from 1.
    pub version: i64,
    /// Revision of the whole configuration that this version came with.
    pub revision: i64,
    /// Whether it counts.
    pub enabled: bool,
    /// JSON.
    pub body: String,
    /// When this version was made.
    pub created_at: Timestamp,
    /// The account that made it; `None`: the program.
    pub created_by: Option<String>,
}

const COLUMNS: &str = "v.class, v.name, v.version, v.revision, v.enabled, v.body, v.created_at,
                       v.created_by";
const HEADS: &str = "FROM automation a JOIN automation_version v
                     ON v.class = a.class AND v.name = a.name AND v.version = a.version";

fn read(row: &Row) -> Result<Object, Error> {
    Ok(Object {
        class: row.text("class")?,
        name: row.text("name")?,
        version: row.int("version")?,
        revision: row.int("revision")?,
        enabled: row.flag("enabled")?,
        body: row.text("body")?,
        created_at: row.time("created_at")?,
        created_by: row.maybe_text("created_by")?,
    })
}

/// What counts now, of all classes, by class and name.
pub async fn all(link: &mut Link) -> Result<Vec<Object>, Error> {
    let sql = format!("SELECT {COLUMNS} {HEADS} ORDER BY a.class, a.name");
    link.rows(sql, vec![]).await?.iter().map(read).collect()
}

/// What counts now of one class, by name.
pub async fn of_class(link: &mut Link, class: &str) -> Result<Vec<Object>, Error> {
    let sql = format!("SELECT {COLUMNS} {HEADS} WHERE a.class = $1 ORDER BY a.name");
    link.rows(sql, args![class]).await?.iter().map(read).collect()
}

/// The version that counts of one object.
pub async fn find(link: &mut Link, class: &str, name: &str) -> Result<Option<Object>, Error> {
    let sql = format!("SELECT {COLUMNS} {HEADS} WHERE a.class = $1 AND a.name = $2");
    link.row(sql, args![class, name]).await?.as_ref().map(read).transpose()
}

/// Every version of an object, newest first; deletions have the body `null`.
pub async fn versions(link: &mut Link, class: &str, name: &str) -> Result<Vec<Object>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM automation_version v WHERE v.class = $1 AND v.name = $2
         ORDER BY v.version DESC"
    );
    link.rows(sql, args![class, name]).await?.iter().map(read).collect()
}

/// What counted when the whole configuration had this revision, by class and name.
pub async fn at_revision(link: &mut Link, revision: i64) -> Result<Vec<Object>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM automation_version v
         WHERE v.body <> 'null' AND v.version = (
             SELECT MAX(o.version) FROM automation_version o
             WHERE o.class = v.class AND o.name = v.name AND o.revision <= $1)
         ORDER BY v.class, v.name"
    );
    link.rows(sql, args![revision]).await?.iter().map(read).collect()
}

/// The revision of the whole configuration; 0 before the first change.
pub async fn revision(link: &mut Link) -> Result<i64, Error> {
    match setting::find(link, REVISION).await? {
        Some(text) => text
            .parse()
            .map_err(|_| Error::Damaged(format!("setting {REVISION}: “{text}” is no number"))),
        None => Ok(0),
    }
}

/// Counts the revision up, for the changes of this transaction.
pub async fn next_revision(tx: &mut Tx) -> Result<i64, Error> {
    let next = revision(tx).await? + 1;
    setting::put(tx, REVISION, &next.to_string()).await?;
    Ok(next)
}

/// The number that the next version of an object gets; those of a deleted one count.
pub async fn next_version(link: &mut Link, class: &str, name: &str) -> Result<i64, Error> {
    let sql = "SELECT MAX(version) AS n FROM automation_version WHERE class = $1 AND name = $2";
    Ok(link.number(sql, args![class, name]).await? + 1)
}

/// Adds a version and lets it count.
pub async fn put(tx: &mut Tx, object: &Object) -> Result<(), Error> {
    add_version(tx, object).await?;
    let sql = "INSERT INTO automation (class, name, version, enabled, changed_at)
               VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (class, name) DO UPDATE
               SET version = excluded.version, enabled = excluded.enabled,
                   changed_at = excluded.changed_at";
    let values =
        args![&object.class, &object.name, object.version, object.enabled, object.created_at];
    tx.execute(sql, values).await.map(|_| ())
}

/// Lets an object count no more. `object` is its last version, with the body `null`.
pub async fn delete(tx: &mut Tx, object: &Object) -> Result<(), Error> {
    add_version(tx, object).await?;
    let sql = "DELETE FROM automation WHERE class = $1 AND name = $2";
    tx.execute(sql, args![&object.class, &object.name]).await.map(|_| ())
}

async fn add_version(tx: &mut Tx, object: &Object) -> Result<(), Error> {
    let sql = "INSERT INTO automation_version
                   (class, name, version, revision, enabled, body, created_at, created_by)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = args![
        &object.class,
        &object.name,
        object.version,
        object.revision,
        object.enabled,
        &object.body,
        object.created_at,
        object.created_by.clone()
    ];
    tx.execute(sql, values).await.map(|_| ())
}
