//! Custom attributes: what they are called, which kind of value they take, and their values.

mod value;

use chancery_event::id::AttributeId;
use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind};
use chancery_store::table::attribute::{self as table, Attribute};
use serde_json::Value;

use super::{Changes, description, name, same_version, shortened, taken, unused};
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

pub use value::{display, parse, to_json};

/// Longest name of an attribute, in characters.
pub const NAME_LENGTH_MAX: usize = 50;
/// Permitted values of a list at most.
pub const CHOICES_MAX: usize = 200;
/// Bytes that the permitted values of a list take together at most; events repeat them.
const CHOICES_BYTES_MAX: usize = 10_000;

/// Which kind of value an attribute takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One line of at most 255 characters.
    String,
    /// Several lines of at most 10,000 characters in all.
    Text,
    /// A whole number within ±2^53.
    Integer,
    /// A number.
    Decimal,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A point in time.
    Datetime,
    /// Several lines of at most 255 characters each, out of a choice where one is given.
    List,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::String,
        Self::Text,
        Self::Integer,
        Self::Decimal,
        Self::Boolean,
        Self::Date,
        Self::Datetime,
        Self::List,
    ];

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Datetime => "datetime",
            Self::List => "list",
        }
    }

    /// The kind that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A custom attribute to define.
#[derive(Clone, Debug)]
pub struct NewAttribute {
    /// `[a-z][a-z0-9_]{0,49}`; the part after `attribute.` in filters. Never changes.
    pub name: String,
    /// What people read; empty: the name.
    pub label: String,
    /// What it is for; may be empty.
    pub description: String,
    /// Which kind of value it takes. Never changes.
    pub kind: Kind,
    /// Permitted values, for [`Kind::List`] only; empty: any.
    pub choices: Vec<String>,
    /// Every certificate should have a value.
    pub required: bool,
}

/// What to change of a custom attribute. What is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct AttributeChange {
    /// What people read.
    pub label: Option<String>,
    /// What it is for; empty clears.
    pub description: Option<String>,
    /// Permitted values of a list; values that certificates have already stay.
    pub choices: Option<Vec<String>>,
    /// Every certificate should have a value.
    pub required: Option<bool>,
}

impl Engine {
    /// All custom attributes, by name.
    ///
    /// # Errors
    /// The caller may not read certificates.
    pub async fn attributes(&self, context: &Context) -> Result<Vec<Attribute>, Error> {
        context.require(Permission::CertificateRead)?;
        Ok(table::all(&mut self.link().await?).await?)
    }

    /// One custom attribute.
    ///
    /// # Errors
    /// There is none with this identifier.
    pub async fn attribute(&self, context: &Context, id: AttributeId) -> Result<Attribute, Error> {
        context.require(Permission::CertificateRead)?;
        let found = table::find(&mut self.link().await?, id).await?;
        found.ok_or_else(|| Error::not_found("attribute", id))
    }

    /// Defines a custom attribute (operation `configuration.create`).
    ///
    /// # Errors
    /// A member cannot be accepted, or the name is taken.
    pub async fn create_attribute(
        &self,
        context: &Context,
        new: NewAttribute,
    ) -> Result<Attribute, Error> {
        let attempt = types::Create {
            class: "attribute".into(),
            object_id: None,
            object_name: Some(shortened(&new.name)),
            changes: Vec::new(),
        };
        let id = self.environment().id::<AttributeId>();
        self.operation(context, Permission::ConfigurationWrite, &attempt)?
            .run(move |tx, scribe| {
                let (new, attempt) = (new.clone(), attempt.clone());
                Box::pin(async move {
                    let word = word(&new.name)?;
                    let shown = if new.label.trim().is_empty() { &word } else { &new.label };
                    let row = Attribute {
                        id,
                        label: name("label", shown)?,
                        name: word,
                        description: description(&new.description)?,
                        kind: new.kind.as_str().to_owned(),
                        choices: choices(new.kind.as_str(), &new.choices)?,
                        required: new.required,
                        version: 1,
                        created_at: scribe.now(),
                    };
                    table::insert(tx, &row).await.map_err(taken("a custom attribute"))?;
                    let changes = changes(None, &row);
                    let payload = types::Create {
                        object_id: Some(id.to_string()),
                        object_name: Some(row.name.clone()),
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.target(target(&row));
                    Ok(Done { value: row, draft: changes.complete(draft) })
                })
            })
            .await
    }

    /// Changes a custom attribute (operation `configuration.update`).
    ///
    /// # Errors
    /// There is none, its version is not `version`, or a member cannot be accepted.
    pub async fn update_attribute(
        &self,
        context: &Context,
        id: AttributeId,
        version: Option<i64>,
        change: AttributeChange,
    ) -> Result<Attribute, Error> {
        let attempt = types::Update {
            class: "attribute".into(),
            object_id: Some(id.to_string()),
            object_name: None,
            changes: Vec::new(),
        };
        self.operation(context, Permission::ConfigurationWrite, &attempt)?
            .about(Target::new(TargetKind::Attribute, id))
            .run(move |tx, _| {
                let (change, attempt) = (change.clone(), attempt.clone());
                Box::pin(async move {
                    let found = table::find(tx, id).await?;
                    let before = found.ok_or_else(|| Error::not_found("attribute", id))?;
                    same_version("the attribute", before.version, version)?;
                    let mut row = before.clone();
                    if let Some(text) = &change.label {
                        row.label = name("label", text)?;
                    }
                    if let Some(text) = &change.description {
                        row.description = description(text)?;
                    }
                    if let Some(list) = &change.choices {
                        row.choices = choices(&row.kind, list)?;
                    }
                    row.required = change.required.unwrap_or(row.required);
                    let changes = changes(Some(&before), &row);
                    if !changes.is_empty() {
                        table::update(tx, &row).await?;
                        row.version += 1;
                    }
                    let payload = types::Update {
                        object_name: Some(row.name.clone()),
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.target(target(&row));
                    Ok(Done { value: row, draft: changes.complete(draft) })
                })
            })
            .await
    }

    /// Deletes a custom attribute (operation `configuration.delete`).
    ///
    /// # Errors
    /// There is none, or certificates have values of it.
    pub async fn delete_attribute(&self, context: &Context, id: AttributeId) -> Result<(), Error> {
        let attempt = types::Delete {
            class: "attribute".into(),
            object_id: Some(id.to_string()),
            object_name: None,
            certificates: None,
        };
        self.operation(context, Permission::ConfigurationWrite, &attempt)?
            .about(Target::new(TargetKind::Attribute, id))
            .run(move |tx, _| {
                let attempt = attempt.clone();
                Box::pin(async move {
                    let found = table::find(tx, id).await?;
                    let row = found.ok_or_else(|| Error::not_found("attribute", id))?;
                    unused("attribute", table::uses(tx, id).await?)?;
                    table::delete(tx, id).await?;
                    let payload = types::Delete {
                        object_name: Some(row.name.clone()),
                        certificates: Some(0),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.target(target(&row));
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}

fn target(row: &Attribute) -> Target {
    Target::new(TargetKind::Attribute, row.id).named(&row.name)
}

/// Reads one member of a definition for the record.
type Member = fn(&Attribute) -> Value;

fn changes(before: Option<&Attribute>, row: &Attribute) -> Changes {
    let mut changes = Changes::default();
    let old = |member: Member| before.map_or(Value::Null, member);
    let members: [(&str, Member); 5] = [
        ("name", |row| row.name.clone().into()),
        ("label", |row| row.label.clone().into()),
        ("kind", |row| row.kind.clone().into()),
        ("choices", |row| row.choices.clone().into()),
        ("required", |row| row.required.into()),
    ];
    for (member, of) in members {
        changes.note(member, old(of), of(row));
    }
    let described = before.map_or("", |before| &before.description);
    changes.note_private("description", described, &row.description);
    changes
}

/// A word that filters can name.
fn word(text: &str) -> Result<String, Error> {
    let word = text.trim();
    let letters = word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !letters || word.len() > NAME_LENGTH_MAX {
        let message = format!(
            "a lower-case letter, then letters, digits and _, {NAME_LENGTH_MAX} characters at most"
        );
        return Err(Error::invalid("name", message));
    }
    Ok(word.to_owned())
}

/// The permitted values of a list, without repetitions.
fn choices(kind: &str, list: &[String]) -> Result<Vec<String>, Error> {
    let refuse = |message: String| Err(Error::invalid("choices", message));
    if list.is_empty() {
        return Ok(Vec::new());
    }
    if kind != Kind::List.as_str() {
        return refuse("only attributes of the kind list have choices".to_owned());
    }
    let mut choices: Vec<String> = Vec::with_capacity(list.len());
    for text in list {
        let choice = name("choices", text)?;
        if !choices.contains(&choice) {
            choices.push(choice);
        }
    }
    if choices.len() > CHOICES_MAX {
        return refuse(format!("at most {CHOICES_MAX}"));
    }
    if choices.iter().map(String::len).sum::<usize>() > CHOICES_BYTES_MAX {
        return refuse(format!("at most {CHOICES_BYTES_MAX} bytes in all"));
    }
    Ok(choices)
}

#[cfg(test)]
mod tests;
