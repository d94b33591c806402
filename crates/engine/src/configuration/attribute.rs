//! Custom attributes: their definitions, and their values in and out.

use chancery_event::id::AttributeId;
use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind, Timestamp};
use chancery_store::table::attribute::{self, Attribute};
use chancery_store::table::certificate::AttributeValue;
use serde_json::Value;

use super::{description, in_use, name, note};
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// The kinds of values.
pub const KINDS: [&str; 8] =
    ["string", "text", "integer", "decimal", "boolean", "date", "datetime", "list"];

/// Whole numbers that every reader of JSON keeps exactly: within ±(2⁵³−1).
const INTEGER_MAX: i64 = 9_007_199_254_740_991;

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
}

/// The values that `json` gives for an attribute.
///
/// # Errors
/// [`Error::Invalid`] for the field `attributes.<name>` when they are not of its kind.
pub fn parse(definition: &Attribute, json: &Value) -> Result<Vec<AttributeValue>, Error> {
    let refuse = |expected: &str| {
        Err(Error::invalid(
            format!("attributes.{}", definition.name),
            format!("expected {expected}"),
        ))
    };
    let value = match (definition.kind.as_str(), json) {
        ("string", Value::String(text)) if text.chars().count() <= 255 => {
            AttributeValue::Text(text.clone())
        }
        ("string", _) => return refuse("text of at most 255 characters"),
        ("text", Value::String(text)) if text.chars().count() <= 10_000 => {
            AttributeValue::Text(text.clone())
        }
        ("text", _) => return refuse("text of at most 10,000 characters"),
        ("integer", json) => match whole(json) {
            Some(number) => AttributeValue::Number(number),
            None => return refuse("a whole number within ±9007199254740991"),
        },
        ("decimal", json) => match decimal(json) {
            Some(number) => AttributeValue::Number(number),
            None => return refuse("a number"),
        },
        ("boolean", json) => match boolean(json) {
            Some(flag) => AttributeValue::Number(f64::from(u8::from(flag))),
            None => return refuse("true or false"),
        },
        ("date", Value::String(text)) => match format!("{text}T00:00:00Z").parse::<Timestamp>() {
            Ok(time) if text.len() == 10 => AttributeValue::Time(time),
            _ => return refuse("a date such as 2026-11-21"),
        },
        ("date", _) => return refuse("a date such as 2026-11-21"),
        ("datetime", Value::String(text)) => match text.parse::<Timestamp>() {
            Ok(time) => AttributeValue::Time(time),
            Err(_) => return refuse("a date and time such as 2026-11-21T09:30:00Z"),
        },
        ("datetime", _) => return refuse("a date and time such as 2026-11-21T09:30:00Z"),
        ("list", json) => return list(definition, json),
        (kind, _) => return Err(Error::Internal(format!("attribute kind {kind}"))),
    };
    Ok(vec![value])
}

#[allow(clippy::cast_precision_loss)]
fn whole(json: &Value) -> Option<f64> {
    let number = match json {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.trim().parse::<i64>().ok()?,
        _ => return None,
    };
    // Within this range every whole number has an exact double.
    (number.abs() <= INTEGER_MAX).then_some(number as f64)
}

fn decimal(json: &Value) -> Option<f64> {
    let number = match json {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

fn boolean(json: &Value) -> Option<bool> {
    match json {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn list(definition: &Attribute, json: &Value) -> Result<Vec<AttributeValue>, Error> {
    let refuse =
        |message: String| Err(Error::invalid(format!("attributes.{}", definition.name), message));
    let texts: Vec<String> = match json {
        Value::Array(items) if items.len() <= 100 => {
            let texts: Option<Vec<_>> =
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            match texts {
                Some(texts) => texts,
                None => return refuse("expected a list of texts".to_owned()),
            }
        }
        // A form sends one text; commas separate.
        Value::String(text) => text
            .split(',')
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect(),
        _ => return refuse("expected a list of at most 100 texts".to_owned()),
    };
    for text in &texts {
        if text.is_empty() || text.chars().count() > 255 {
            return refuse("each text has 1 to 255 characters".to_owned());
        }
        if !definition.choices.is_empty() && !definition.choices.contains(text) {
            let choices = definition.choices.join(", ");
            return refuse(format!("“{text}” is not one of: {choices}"));
        }
    }
    Ok(texts.into_iter().map(AttributeValue::Text).collect())
}

/// A value as people read it, and as [`parse`] takes it back.
pub fn display(kind: &str, value: &AttributeValue) -> String {
    match (kind, value) {
        (_, AttributeValue::Text(text)) => text.clone(),
        ("boolean", AttributeValue::Number(number)) => (*number != 0.0).to_string(),
        (_, AttributeValue::Number(number)) => number.to_string(),
        ("date", AttributeValue::Time(time)) => time.to_string().chars().take(10).collect(),
        (_, AttributeValue::Time(time)) => time.to_string(),
    }
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
        name(&draft.label).map_err(|_| Error::invalid("label", "1 to 100 characters"))?
    };
    draft.description = description(&draft.description)?;
    if !draft.choices.is_empty() && draft.kind != "list" {
        return Err(Error::invalid("choices", "only a list has choices"));
    }
    if draft.choices.len() > 200 || draft.choices.iter().any(|c| c.is_empty() || c.len() > 255) {
        return Err(Error::invalid("choices", "at most 200, each of 1 to 255 bytes"));
    }
    Ok(draft)
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
            object_name: None,
            changes: Vec::new(),
        };
        let operation = self.operation(context, Permission::ConfigurationWrite, &attempt)?;
        let draft = match check(&draft) {
            Ok(draft) => draft,
            Err(error) => return Err(operation.fail(error).await),
        };
        operation
            .run(move |tx, scribe| {
                let (attempt, draft) = (attempt.clone(), draft.clone());
                let row = Attribute {
                    id: scribe.environment().id(),
                    name: draft.name,
                    label: draft.label,
                    description: draft.description,
                    kind: draft.kind,
                    choices: draft.choices,
                    required: false,
                    version: 1,
                    created_at: scribe.now(),
                };
                Box::pin(async move {
                    attribute::insert(tx, &row).await.map_err(|error| match error {
                        chancery_store::Error::Exists(_) => Error::Conflict {
                            reason: "name_taken",
                            message: "another attribute has this name".to_owned(),
                        },
                        other => other.into(),
                    })?;
                    let mut changes = Vec::new();
                    note(&mut changes, "kind", None, Some(row.kind.clone().into()));
                    note(&mut changes, "label", None, Some(row.label.clone().into()));
                    note(&mut changes, "description", None, Some(row.description.clone().into()));
                    note(&mut changes, "choices", None, Some(row.choices.clone().into()));
                    let payload = types::Create {
                        object_id: Some(row.id.to_string()),
                        object_name: Some(row.name.clone()),
                        changes,
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.target(target(row.id, &row.name));
                    Ok(Done { value: row.id, draft })
                })
            })
            .await
    }

    /// Changes label, description and choices of an attribute (operation `configuration.update`).
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
                    if version.is_some_and(|version| version != old.version) {
                        return Err(chancery_store::Error::Conflict("the attribute").into());
                    }
                    (draft.name, draft.kind) = (old.name.clone(), old.kind.clone());
                    let draft = check(&draft)?;
                    let mut changes = Vec::new();
                    let new = Attribute {
                        label: draft.label,
                        description: draft.description,
                        choices: draft.choices,
                        ..old.clone()
                    };
                    note(
                        &mut changes,
                        "label",
                        Some(old.label.into()),
                        Some(new.label.clone().into()),
                    );
                    note(
                        &mut changes,
                        "description",
                        Some(old.description.into()),
                        Some(new.description.clone().into()),
                    );
                    note(
                        &mut changes,
                        "choices",
                        Some(old.choices.into()),
                        Some(new.choices.clone().into()),
                    );
                    attribute::update(tx, &new).await?;
                    let payload =
                        types::Update { object_name: Some(new.name.clone()), changes, ..attempt };
                    let draft = Draft::new(&payload)?.target(target(id, &new.name));
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }

    /// Deletes a definition (operation `configuration.delete`).
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
                    let found = attribute::find(tx, id).await?;
                    let old = found.ok_or_else(|| Error::not_found("attribute", id))?;
                    let uses = attribute::uses(tx, id).await?;
                    if uses > 0 {
                        return Err(in_use(uses));
                    }
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
