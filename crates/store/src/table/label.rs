//! Groups and RA profiles: two tables of the same shape, named things that certificates belong to.

use chancery_event::Timestamp;

use crate::{Error, Link, Row, Tx, args};

/// Which of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Groups.
    Group,
    /// RA profiles.
    RaProfile,
}

impl Class {
    fn table(self) -> &'static str {
        match self {
            Self::Group => "certificate_group",
            Self::RaProfile => "ra_profile",
        }
    }
}

/// A group or an RA profile as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its identifier, as text.
    pub id: String,
    /// Its name, unique whatever the case.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Counts changes, for optimistic locking.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

fn read(row: &Row) -> Result<Label, Error> {
    Ok(Label {
        id: row.text("id")?,
        name: row.text("name")?,
        description: row.text("description")?,
        version: row.int("version")?,
        created_at: row.time("created_at")?,
    })
}

/// All of a class, by name.
pub async fn all(link: &mut Link, class: Class) -> Result<Vec<Label>, Error> {
    let sql = format!("SELECT * FROM {} ORDER BY lower(name), id", class.table());
    link.rows(sql, vec![]).await?.iter().map(read).collect()
}

/// The one with this identifier.
pub async fn find(link: &mut Link, class: Class, id: &str) -> Result<Option<Label>, Error> {
    let sql = format!("SELECT * FROM {} WHERE id = $1", class.table());
    link.row(sql, args![id]).await?.as_ref().map(read).transpose()
}

/// The one with this name, whatever its case.
pub async fn by_name(link: &mut Link, class: Class, name: &str) -> Result<Option<Label>, Error> {
    let sql = format!("SELECT * FROM {} WHERE lower(name) = $1", class.table());
    link.row(sql, args![name.to_ascii_lowercase()]).await?.as_ref().map(read).transpose()
}

/// Inserts one.
///
/// # Errors
/// [`Error::Exists`] if the name is taken.
pub async fn insert(tx: &mut Tx, class: Class, label: &Label) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO {} (id, name, description, version, created_at) VALUES ($1, $2, $3, $4, $5)",
        class.table()
    );
    let values = args![&label.id, &label.name, &label.description, label.version, label.created_at];
    tx.execute(sql, values).await.map(|_| ())
}

/// Writes name and description if the version is still `label.version`, and counts it up.
///
/// # Errors
/// [`Error::Conflict`] if somebody else changed it first; [`Error::Exists`] if the name is taken.
pub async fn update(tx: &mut Tx, class: Class, label: &Label) -> Result<(), Error> {
    let sql = format!(
        "UPDATE {} SET name = $2, description = $3, version = version + 1
         WHERE id = $1 AND version = $4",
        class.table()
    );
    let values = args![&label.id, &label.name, &label.description, label.version];
    if tx.execute(sql, values).await? == 1 {
        Ok(())
    } else {
        Err(Error::Conflict("the configuration"))
    }
}

/// Deletes one; true if it was there. Callers check first that no certificate uses it.
pub async fn delete(tx: &mut Tx, class: Class, id: &str) -> Result<bool, Error> {
    let sql = format!("DELETE FROM {} WHERE id = $1", class.table());
    Ok(tx.execute(sql, args![id]).await? == 1)
}

/// How many certificates use it.
pub async fn uses(link: &mut Link, class: Class, id: &str) -> Result<i64, Error> {
    let sql = match class {
        Class::Group => "SELECT COUNT(*) AS n FROM certificate_in_group WHERE group_id = $1",
        Class::RaProfile => "SELECT COUNT(*) AS n FROM certificate WHERE ra_profile = $1",
    };
    link.number(sql, args![id]).await
}
