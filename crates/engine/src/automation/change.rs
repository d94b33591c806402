//! Changing automation: one operation for one object, or for a whole file of them.
//!
//! The whole configuration is read and checked in the transaction that changes it, so that no two
//! changes can break each other's references.

use std::collections::BTreeSet;
use std::sync::Arc;

use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind};
use chancery_store::Tx;
use chancery_store::table::automation as table;
use chancery_store::table::notice;
use serde_json::{Map, Value};

use super::{Book, Class, Object, check, check_name};
use crate::configuration::{Changes, same_version, shortened};
use crate::operation::Done;
use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error, Permission};

/// Largest body, in bytes of JSON.
const BODY_MAX: usize = 16_384;
/// Members whose values may repeat what people wrote, and so may be about people.
const PRIVATE: [&str; 5] = ["title", "description", "filter", "steps", "payload"];

/// One change of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Its class.
    pub class: Class,
    /// Its name.
    pub name: String,
    /// What it is to say; `None`: it is to go.
    pub body: Option<Value>,
    /// Whether it is to count.
    pub enabled: bool,
}

impl Engine {
    /// Makes an object (operation `configuration.create`); answers it.
    ///
    /// # Errors
    /// The name is not usable or taken; the body cannot work: the field is a JSON pointer into it.
    pub async fn create_automation(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        body: Value,
        enabled: bool,
    ) -> Result<Object, Error> {
        let attempt = types::Create {
            class: class.as_str().into(),
            object_id: None,
            object_name: Some(shortened(name)),
            changes: Vec::new(),
        };
        let edit = Edit { class, name: name.to_owned(), body: Some(body), enabled };
        let changed = self
            .operation(context, Permission::AutomationWrite, &attempt)?
            .run(move |tx, scribe| {
                let edit = edit.clone();
                Box::pin(async move {
                    check_name("name", &edit.name)?;
                    if table::find(tx, class.as_str(), &edit.name).await?.is_some() {
                        let a = if class == Class::Action { "an" } else { "a" };
                        let message = format!("there is {a} {class} of this name already");
                        return Err(Error::Conflict { reason: "name_taken", message });
                    }
                    one(tx, scribe, edit).await
                })
            })
            .await?;
        self.automation_changed();
        Ok(changed)
    }

    /// Changes an object (operation `configuration.update`); answers it. With `version`, only if it
    /// still has it. Without `enabled`, whether it counts stays as it is.
    ///
    /// # Errors
    /// There is none, somebody changed it first, or the body cannot work.
    pub async fn update_automation(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        version: Option<i64>,
        body: Value,
        enabled: impl Into<Option<bool>>,
    ) -> Result<Object, Error> {
        let attempt = types::Update {
            class: class.as_str().into(),
            object_id: Some(shortened(name)),
            object_name: Some(shortened(name)),
            changes: Vec::new(),
        };
        let enabled = enabled.into();
        let edit = Edit { class, name: name.to_owned(), body: Some(body), enabled: true };
        let changed = self
            .operation(context, Permission::AutomationWrite, &attempt)?
            .about(class.target(&shortened(name)))
            .run(move |tx, scribe| {
                let edit = edit.clone();
                Box::pin(async move {
                    let stored = table::find(tx, class.as_str(), &edit.name).await?;
                    let stored = stored.ok_or_else(|| missing(class, &edit.name))?;
                    same_version("the configuration", stored.version, version)?;
                    let enabled = enabled.unwrap_or(stored.enabled);
                    one(tx, scribe, Edit { enabled, ..edit }).await
                })
            })
            .await?;
        self.automation_changed();
        Ok(changed)
    }

    /// Takes an object out of force (operation `configuration.delete`); its versions stay.
    ///
    /// # Errors
    /// There is none, or another object refers to it.
    pub async fn delete_automation(
        &self,
        context: &Context,
        class: Class,
        name: &str,
    ) -> Result<(), Error> {
        let attempt = types::Delete {
            class: class.as_str().into(),
            object_id: Some(shortened(name)),
            object_name: Some(shortened(name)),
            certificates: None,
        };
        let edit = Edit { class, name: name.to_owned(), body: None, enabled: false };
        self.operation(context, Permission::AutomationWrite, &attempt)?
            .about(class.target(&shortened(name)))
            .run(move |tx, scribe| {
                let edit = edit.clone();
                Box::pin(async move {
                    if table::find(tx, class.as_str(), &edit.name).await?.is_none() {
                        return Err(missing(class, &edit.name));
                    }
                    one(tx, scribe, edit).await
                })
            })
            .await?;
        self.automation_changed();
        Ok(())
    }

    /// Carries out many changes as one revision, or none of them (operation `configuration.update`
    /// of the class `automation`; each object has its own event besides). With `revision`, only if
    /// the configuration still has it. Answers the new revision.
    ///
    /// # Errors
    /// Somebody changed the configuration first, or it cannot work as a whole; the field begins
    /// with class and name.
    pub async fn apply_automation(
        &self,
        context: &Context,
        revision: Option<i64>,
        edits: Vec<Edit>,
    ) -> Result<i64, Error> {
        let attempt = types::Update {
            class: "automation".into(),
            object_id: None,
            object_name: None,
            changes: Vec::new(),
        };
        let target = Target::new(TargetKind::Configuration, "automation");
        let edits = Arc::new(edits);
        let applied = self
            .operation(context, Permission::AutomationWrite, &attempt)?
            .about(target.clone())
            .run(move |tx, scribe| {
                let (edits, target, attempt) = (edits.clone(), target.clone(), attempt.clone());
                Box::pin(async move {
                    let before = table::revision(tx).await?;
                    same_version("the configuration", before, revision)?;
                    let (after, changed) = change(tx, scribe, &edits).await?;
                    for (_, draft) in changed {
                        scribe.record(tx, draft)?;
                    }
                    let mut changes = Changes::default();
                    changes.note("revision", before.into(), after.into());
                    let payload = types::Update { changes: changes.sealed(), ..attempt };
                    let draft = Draft::new(&payload)?.target(target);
                    Ok(Done { value: after, draft })
                })
            })
            .await?;
        self.automation_changed();
        Ok(applied)
    }
}

fn missing(class: Class, name: &str) -> Error {
    Error::not_found(class.as_str(), shortened(name))
}

/// One change; its draft ends the operation.
async fn one(tx: &mut Tx, scribe: &Scribe, edit: Edit) -> Result<Done<Object>, Error> {
    let own = check::place(edit.class, &edit.name, "");
    let deletes = edit.body.is_none();
    let changed = change(tx, scribe, &[edit]).await;
    let changed = changed.map_err(|error| without_place(error, &own, deletes))?.1;
    let (value, draft) = changed
        .into_iter()
        .next()
        .ok_or_else(|| Error::Internal("a change without a result".to_owned()))?;
    Ok(Done { value, draft })
}

/// Of a single object the caller knows class and name: the place is the pointer alone. A fault of
/// another object says that this one is needed as it is.
fn without_place(error: Error, own: &str, deletes: bool) -> Error {
    match error {
        Error::Invalid { field, message } => match field.strip_prefix(own) {
            Some(pointer) => Error::Invalid { field: pointer.to_owned(), message },
            None if deletes => {
                let user = field.split('#').next().unwrap_or_default();
                let message = format!("{user} refers to it");
                Error::Conflict { reason: "in_use", message }
            }
            None => Error::Invalid { field, message },
        },
        error => error,
    }
}

/// Carries out the changes as one revision. Objects that stay the same get no version.
pub(super) async fn change(
    tx: &mut Tx,
    scribe: &Scribe,
    edits: &[Edit],
) -> Result<(i64, Vec<(Object, Draft)>), Error> {
    let before = Book::read(tx).await?;
    let mut after = before.clone();
    let mut touched = BTreeSet::new();
    for edit in edits {
        check_edit(edit, &mut touched)?;
        let key = (edit.class, edit.name.clone());
        match &edit.body {
            None => {
                after.objects.remove(&key);
            }
            Some(body) => {
                let object = made(tx, scribe, edit, body.clone()).await?;
                after.objects.insert(key, object);
            }
        }
    }
    check::book(tx, &before, &after).await?;
    let differs = |edit: &&Edit| {
        let (old, new) = (before.find(edit.class, &edit.name), after.find(edit.class, &edit.name));
        old.map(|o| (&o.body, o.enabled)) != new.map(|o| (&o.body, o.enabled))
    };
    let revision = match edits.iter().any(|edit| differs(&edit)) {
        true => table::next_revision(tx).await?,
        false => before.revision,
    };
    let mut done = Vec::with_capacity(edits.len());
    for edit in edits {
        let old = before.find(edit.class, &edit.name);
        let new = after.find(edit.class, &edit.name);
        let object = match (old, new) {
            (Some(old), Some(_)) if !differs(&edit) => old.clone(),
            (_, Some(new)) => {
                let object = Object { revision, ..new.clone() };
                table::put(tx, &object.row()).await?;
                if edit.class == Class::Profile && object.enabled {
                    // What it holds is decided again: digest and quiet hours may be others.
                    notice::hasten_profile(tx, &edit.name, scribe.now()).await?;
                }
                object
            }
            (Some(_), None) => {
                let gone = made(tx, scribe, edit, Value::Null).await?;
                let gone = Object { revision, ..gone };
                table::delete(tx, &gone.row()).await?;
                gone
            }
            (None, None) => return Err(missing(edit.class, &edit.name)),
        };
        let draft = draft(old, new.map(|_| &object), edit)?;
        done.push((object, draft));
    }
    Ok((revision, done))
}

fn check_edit(edit: &Edit, touched: &mut BTreeSet<(Class, String)>) -> Result<(), Error> {
    let place = check::place(edit.class, &shortened(&edit.name), "");
    check_name(&format!("{place}/name"), &edit.name)?;
    if !touched.insert((edit.class, edit.name.clone())) {
        return Err(Error::invalid(place, "this object stands here twice"));
    }
    match &edit.body {
        Some(body) if !body.is_object() => Err(Error::invalid(place, "the body is an object")),
        Some(body) if body.to_string().len() > BODY_MAX => {
            Err(Error::invalid(place, format!("at most {BODY_MAX} bytes")))
        }
        _ => Ok(()),
    }
}

async fn made(tx: &mut Tx, scribe: &Scribe, edit: &Edit, body: Value) -> Result<Object, Error> {
    let class = edit.class.as_str();
    Ok(Object {
        class: edit.class,
        name: edit.name.clone(),
        version: table::next_version(tx, class, &edit.name).await?,
        revision: 0,
        enabled: edit.enabled,
        body,
        changed_at: scribe.now(),
        changed_by: scribe.context.account_id().map(|id| id.to_string()),
    })
}

/// The event of one change.
fn draft(old: Option<&Object>, new: Option<&Object>, edit: &Edit) -> Result<Draft, Error> {
    let class = edit.class.as_str().into();
    let (id, name) = (Some(edit.name.clone()), Some(edit.name.clone()));
    let changes = changes(old, new);
    let draft = match (old, new) {
        (None, Some(_)) => Draft::new(&types::Create {
            class,
            object_id: id,
            object_name: name,
            changes: changes.sealed(),
        })?,
        (_, None) => {
            let payload =
                types::Delete { class, object_id: id, object_name: name, certificates: None };
            return Ok(Draft::new(&payload)?.target(edit.class.target(&edit.name)));
        }
        (Some(_), Some(_)) => Draft::new(&types::Update {
            class,
            object_id: id,
            object_name: name,
            changes: changes.sealed(),
        })?,
    };
    Ok(changes.complete(draft.target(edit.class.target(&edit.name))))
}

fn changes(old: Option<&Object>, new: Option<&Object>) -> Changes {
    let empty = Map::new();
    let members = |object: Option<&Object>| {
        object.and_then(|object| object.body.as_object()).unwrap_or(&empty).clone()
    };
    let (before, after) = (members(old), members(new));
    let mut changes = Changes::default();
    let number = |object: Option<&Object>| object.map(|o| o.version).into();
    changes.note("version", number(old), number(new));
    let enabled = |object: Option<&Object>| object.map(|o| o.enabled).into();
    changes.note("enabled", enabled(old), enabled(new));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        if PRIVATE.contains(&name.as_str()) {
            changes.note_private(name, &spelled(old), &spelled(new));
        } else {
            changes.note(name, sealable(old), sealable(new));
        }
    }
    changes
}

fn spelled(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// Sealed bytes know whole numbers only: anything else goes in as its JSON text.
fn sealable(value: Option<&Value>) -> Value {
    match value {
        None => Value::Null,
        Some(value @ (Value::String(_) | Value::Bool(_) | Value::Null)) => value.clone(),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            Value::Array(items.clone())
        }
        Some(value) if value.is_i64() => value.clone(),
        Some(value) => value.to_string().into(),
    }
}
