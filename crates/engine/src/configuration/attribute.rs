//! Custom attributes: their definitions, and their values in and out.

mod value;

use chancery_event::id::AttributeId;
use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind};
use chancery_store::table::attribute::{self, Attribute};
use serde_json::Value;

use super::{Changes, description, name, same_version, shortened, taken, unused};
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

pub use value::{display, parse, to_json};

/// The kinds of values.
pub const KINDS: [&str; 8] =
    ["string", "text", "integer", "decimal", "boolean", "date", "datetime", "list"];

/// Permitted values of a list at most.
pub const CHOICES_MAX: usize = 200;
/// Bytes that they take together at most; the event of a change repeats them twice.
const CHOICES_BYTES_MAX: usize = 10_000;

/// What a definition is to be.
#[derive(Clone, Debug)]
pub struct AttributeDraft {
    /// Lower-case word, used as `attribute.<name>`; cannot be changed.
    pub name: String,
    /// What people read.
    pub label: String,
    /// What it is for.
    pub description: String,
    /// One of [`KINDS`]; cannot be changed.
    pub kind: String,
    /// Permitted values of a list; empty: any.
    pub choices: Vec<String>,
    /// A certificate that enters must have a value, and a value cannot be taken away. Certificates
    /// that were there before stay as they are.
    pub required: bool,
}

fn check(draft: &AttributeDraft) -> Result<AttributeDraft, Error> {
    let mut draft = draft.clone();
    let mut letters = draft.name.chars();
    let first = letters.next().is_some_and(|c| c.is_ascii_lowercase());
    if !first
        || draft.name.len() > 50
        || !letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    {
        let message = "a letter a–z, then letters, digits and _, at most 50";
        return Err(Error::invalid("name", message));
    }
    if !KINDS.contains(&draft.kind.as_str()) {
        return Err(Error::invalid("kind", format!("one of {}", KINDS.join(", "))));
    }
    draft.label = if draft.label.trim().is_empty() {
        draft.name.clone()
    } else {
        name("label", &draft.label)?
    };
    draft.description = description(&draft.description)?;
    draft.choices = choices(&draft.kind, &draft.choices)?;
    Ok(draft)
}

/// The permitted values of a list, without repetitions.
fn choices(kind: &str, list: &[String]) -> Result<Vec<String>, Error> {
    let refuse = |message: String| Err(Error::invalid("choices", message));
    if !list.is_empty() && kind != "list" {
        return refuse("only a list has choices".to_owned());
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

/// Reads one member of a definition for the record.
type Member = fn(&Attribute) -> Value;

fn changes(before: Option<&Attribute>, row: &Attribute) -> Changes {
    let mut changes = Changes::default();
    let members: [(&str, Member); 4] = [
        ("label", |row| row.label.clone().into()),
        ("kind", |row| row.kind.clone().into()),
        ("choices", |row| row.choices.clone().into()),
        ("required", |row| row.required.into()),
    ];
    for (member, of) in members {
        changes.note(member, before.map_or(Value::Null, of), of(row));
    }
    let described = before.map_or("", |before| &before.description);
    changes.note_private("description", described, &row.description);
    changes
}

fn target(id: AttributeId, name: &str) -> Target {
    Target::new(TargetKind::Attribute, id).named(name)
}

impl Engine {
    /// All definitions of custom attributes, by name.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn attributes(&self, context: &Context) -> Result<Vec<Attribute>, Error> {
        context.require(Permission::CertificateRead)?;
        Ok(attribute::all(&mut self.link().await?).await?)
    }

    /// Defines a custom attribute (operation `configuration.create`).
    ///
    /// # Errors
    /// The definition is not usable, or the name is taken.
    pub async fn create_attribute(
        &self,
        context: &Context,
        draft: AttributeDraft,
    ) -> Result<AttributeId, Error> {
        let attempt = types::Create {
            class: "attribute".into(),
            object_id: None,
            object_name: Some(shortened(&draft.name)),
            changes: Vec::new(),
        };
        self.operation(context, Permission::ConfigurationWrite, &attempt)?
            .run(move |tx, scribe| {
                let (attempt, draft) = (attempt.clone(), draft.clone());
                Box::pin(async move {
                    let draft = check(&draft)?;
                    let row = Attribute {
                        id: scribe.environment().id(),
                        name: draft.name,
                        label: draft.label,
                        description: draft.description,
                        kind: draft.kind,
                        choices: draft.choices,
                        required: draft.required,
                        version: 1,
                        created_at: scribe.now(),
                    };
                    attribute::insert(tx, &row).await.map_err(taken("an attribute"))?;
                    let changes = changes(None, &row);
                    let payload = types::Create {
                        object_id: Some(row.id.to_string()),
                        object_name: Some(row.name.clone()),
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.target(target(row.id, &row.name));
                    Ok(Done { value: row.id, draft: changes.complete(draft) })
                })
            })
            .await
    }

    /// Changes all but name and kind of an attribute (operation `configuration.update`).
    ///
    /// # Errors
    /// There is none, somebody changed it first, or the definition is not usable.
    pub async fn update_attribute(
        &self,
        context: &Context,
        id: AttributeId,
        version: Option<i64>,
        draft: AttributeDraft,
    ) -> Result<(), Error> {
        let attempt = types::Update {
            class: "attribute".into(),
            object_id: Some(id.to_string()),
            object_name: None,
            changes: Vec::new(),
        };
        let operation = self
            .operation(context, Permission::ConfigurationWrite, &attempt)?
            .about(Target::new(TargetKind::Attribute, id));
        operation
            .run(move |tx, _| {
                let (attempt, mut draft) = (attempt.clone(), draft.clone());
                Box::pin(async move {
                    let found = attribute::find(tx, id).await?;
                    let old = found.ok_or_else(|| Error::not_found("attribute", id))?;
                    same_version("the attribute", old.version, version)?;
                    (draft.name, draft.kind) = (old.name.clone(), old.kind.clone());
                    let draft = check(&draft)?;
                    let new = Attribute {
                        label: draft.label,
                        description: draft.description,
                        choices: draft.choices,
                        required: draft.required,
                        ..old.clone()
                    };
                    let changes = changes(Some(&old), &new);
                    if !changes.is_empty() {
                        attribute::update(tx, &new).await?;
                    }
                    let payload = types::Update {
                        object_name: Some(new.name.clone()),
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.target(target(id, &new.name));
                    Ok(Done { value: (), draft: changes.complete(draft) })
                })
            })
            .await
    }

    /// Deletes a definition (operation `configuration.delete`).
    ///
    /// # Errors
    /// There is none, certificates have values of it, or something refers to it.
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
                    let found = attribute::find(tx, id).await?;
                    let old = found.ok_or_else(|| Error::not_found("attribute", id))?;
                    crate::automation::check::unreferred(tx, "attribute", &old.name).await?;
                    unused("attribute", attribute::uses(tx, id).await?)?;
                    attribute::delete(tx, id).await?;
                    let payload = types::Delete {
                        object_name: Some(old.name.clone()),
                        certificates: Some(0),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.target(target(id, &old.name));
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests;
