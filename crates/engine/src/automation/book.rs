//! The whole configuration of automation as a value: what counts, by class and name.

use std::collections::BTreeMap;

use chancery_event::Timestamp;
use chancery_store::table::automation as table;
use chancery_store::{Link, table::automation};
use serde_json::Value;

use super::Class;
use crate::Error;

/// One object in the version that counts, or one of its versions.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its class.
    pub class: Class,
    /// Its identity within the class.
    pub name: String,
    /// Counts its changes, from 1.
    pub version: i64,
    /// Revision of the whole configuration that this version came with.
    pub revision: i64,
    /// Whether it counts.
    pub enabled: bool,
    /// What it says; `null` in the version that deleted it.
    pub body: Value,
    /// When this version was made.
    pub changed_at: Timestamp,
    /// The account that made it; `None`: the program.
    pub changed_by: Option<String>,
}

impl Object {
    pub(crate) fn read(row: table::Object) -> Result<Self, Error> {
        let damaged = || Error::Internal(format!("{} {} is damaged", row.class, row.name));
        Ok(Self {
            class: Class::parse(&row.class).ok_or_else(damaged)?,
            body: serde_json::from_str(&row.body).map_err(|_| damaged())?,
            name: row.name,
            version: row.version,
            revision: row.revision,
            enabled: row.enabled,
            changed_at: row.created_at,
            changed_by: row.created_by,
        })
    }

    pub(super) fn row(&self) -> table::Object {
        table::Object {
            class: self.class.as_str().to_owned(),
            name: self.name.clone(),
            version: self.version,
            revision: self.revision,
            enabled: self.enabled,
            body: self.body.to_string(),
            created_at: self.changed_at,
            created_by: self.changed_by.clone(),
        }
    }

    /// What people call it: its title, or its name.
    pub fn title(&self) -> &str {
        let title = self.body.get("title").and_then(Value::as_str);
        title.filter(|title| !title.is_empty()).unwrap_or(&self.name)
    }

    /// What it is for; empty if nobody said.
    pub fn description(&self) -> &str {
        self.body.get("description").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Everything that counts, of one revision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Book {
    /// The revision; that of a book that was never saved is the one it was made from.
    pub revision: i64,
    /// The objects.
    pub objects: BTreeMap<(Class, String), Object>,
}

impl Book {
    /// Reads what counts now.
    pub(crate) async fn read(link: &mut Link) -> Result<Self, Error> {
        let revision = automation::revision(link).await?;
        Self::of(revision, automation::all(link).await?)
    }

    /// Builds a revision again.
    pub(crate) async fn at(link: &mut Link, revision: i64) -> Result<Self, Error> {
        Self::of(revision, automation::at_revision(link, revision).await?)
    }

    fn of(revision: i64, rows: Vec<table::Object>) -> Result<Self, Error> {
        let mut objects = BTreeMap::new();
        for row in rows {
            let object = Object::read(row)?;
            objects.insert((object.class, object.name.clone()), object);
        }
        Ok(Self { revision, objects })
    }

    /// One object.
    pub fn find(&self, class: Class, name: &str) -> Option<&Object> {
        self.objects.get(&(class, name.to_owned()))
    }

    /// The objects of a class, by name.
    pub fn of_class(&self, class: Class) -> impl Iterator<Item = &Object> {
        self.objects.values().filter(move |object| object.class == class)
    }
}
