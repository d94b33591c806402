//! Definitions of custom attributes.

use chancery_event::Timestamp;
use chancery_event::id::AttributeId;

use crate::{Error, Link, Row, Tx, args, value};

/// A definition as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its identifier.
    pub id: AttributeId,
    /// Lower-case word, used as `attribute.<name>` in filters.
    pub name: String,
    /// What people read.
    pub label: String,
    /// What it is for.
    pub description: String,
    /// `string`, `text`, `integer`, `decimal`, `boolean`, `date`, `datetime` or `list`.
    pub kind: String,
    /// Permitted values of a list; empty: any.
    pub choices: Vec<String>,
    /// Every certificate must have a value.
    pub required: bool,
    /// Counts changes, for optimistic locking.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

fn read(row: &Row) -> Result<Attribute, Error> {
    let choices = row.text("choices")?;
    Ok(Attribute {
        id: row.id("id")?,
        name: row.text("name")?,
        label: row.text("label")?,
        description: row.text("description")?,
        kind: row.text("kind")?,
        choices: serde_json::from_str(&choices)
            .map_err(|_| Error::Damaged("choices of an attribute".to_owned()))?,
        required: row.flag("required")?,
        version: row.int("version")?,
        created_at: row.time("created_at")?,
    })
}

/// All definitions, by name.
pub async fn all(link: &mut Link) -> Result<Vec<Attribute>, Error> {
    link.rows("SELECT * FROM attribute ORDER BY name", vec![]).await?.iter().map(read).collect()
}

/// The definition with this identifier.
pub async fn find(link: &mut Link, id: AttributeId) -> Result<Option<Attribute>, Error> {
    let sql = "SELECT * FROM attribute WHERE id = $1";
    link.row(sql, vec![value::id(id)]).await?.as_ref().map(read).transpose()
}

fn values(attribute: &Attribute) -> Vec<crate::SqlValue> {
    let mut values = vec![value::id(attribute.id)];
    values.extend(args![
        &attribute.name,
        &attribute.label,
        &attribute.description,
        &attribute.kind,
        serde_json::Value::from(attribute.choices.clone()).to_string(),
        attribute.required,
        attribute.version,
        attribute.created_at
    ]);
    values
}

/// Inserts a definition.
///
/// # Errors
/// [`Error::Exists`] if the name is taken.
pub async fn insert(tx: &mut Tx, attribute: &Attribute) -> Result<(), Error> {
    let sql = "INSERT INTO attribute
               (id, name, label, description, kind, choices, required, version, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    tx.execute(sql, values(attribute)).await.map(|_| ())
}

/// Writes everything but name and kind if the version is still the same, and counts it up.
///
/// # Errors
/// [`Error::Conflict`] if somebody else changed it first.
pub async fn update(tx: &mut Tx, attribute: &Attribute) -> Result<(), Error> {
    let sql = "UPDATE attribute SET label = $3, description = $4, choices = $6, required = $7,
               version = $8 + 1 WHERE id = $1 AND name = $2 AND kind = $5 AND version = $8";
    if tx.execute(sql, values(attribute)).await? == 1 {
        Ok(())
    } else {
        Err(Error::Conflict("the attribute"))
    }
}

/// Deletes a definition; true if it was there. Callers check first that nothing uses it.
pub async fn delete(tx: &mut Tx, id: AttributeId) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM attribute WHERE id = $1", vec![value::id(id)]).await? == 1)
}

/// How many certificates have a value.
pub async fn uses(link: &mut Link, id: AttributeId) -> Result<i64, Error> {
    let sql = "SELECT COUNT(DISTINCT certificate) AS n FROM certificate_attribute
               WHERE attribute = $1";
    link.number(sql, vec![value::id(id)]).await
}
