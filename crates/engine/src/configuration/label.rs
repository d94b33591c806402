//! Groups and RA profiles: named things that certificates belong to. Two classes, one shape.

use chancery_event::id::{GroupId, RaProfileId};
use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind};
use chancery_store::table::label::{self, Class, Label};

use super::{Changes, description, name, same_version, shortened, taken, unused};
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// A group or an RA profile to make.
#[derive(Clone, Debug, Default)]
pub struct NewLabel {
    /// Its name: 1 to 100 characters, unique whatever the case.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
}

/// What to change of a group or an RA profile. What is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct LabelChange {
    /// Its name.
    pub name: Option<String>,
    /// What it is for; empty clears.
    pub description: Option<String>,
}

/// What tells the two classes apart in events and messages.
#[derive(Clone, Copy)]
struct Words {
    class: &'static str,
    noun: &'static str,
    article: &'static str,
    kind: TargetKind,
}

fn words(class: Class) -> Words {
    match class {
        Class::Group => {
            Words { class: "group", noun: "group", article: "a group", kind: TargetKind::Group }
        }
        Class::RaProfile => Words {
            class: "ra_profile",
            noun: "RA profile",
            article: "an RA profile",
            kind: TargetKind::RaProfile,
        },
    }
}

macro_rules! class {
    ($class:ident $id:ident $noun:literal: $all:ident $one:ident $create:ident $update:ident $delete:ident) => {
        impl Engine {
            #[doc = concat!("All ", $noun, "s, by name.")]
            ///
            /// # Errors
            /// The caller may not read certificates.
            pub async fn $all(&self, context: &Context) -> Result<Vec<Label>, Error> {
                context.require(Permission::CertificateRead)?;
                Ok(label::all(&mut self.link().await?, Class::$class).await?)
            }

            #[doc = concat!("One ", $noun, ".")]
            ///
            /// # Errors
            /// There is none with this identifier.
            pub async fn $one(&self, context: &Context, id: $id) -> Result<Label, Error> {
                context.require(Permission::CertificateRead)?;
                let mut link = self.link().await?;
                let found = label::find(&mut link, Class::$class, &id.to_string()).await?;
                found.ok_or_else(|| Error::not_found($noun, id))
            }

            #[doc = concat!("Makes one ", $noun, " (operation `configuration.create`).")]
            ///
            /// # Errors
            /// The name cannot be accepted or is taken.
            pub async fn $create(&self, context: &Context, new: NewLabel) -> Result<Label, Error> {
                let id = self.environment().id::<$id>();
                self.create_label(context, Class::$class, id.to_string(), new).await
            }

            #[doc = concat!("Changes one ", $noun, " (operation `configuration.update`).")]
            ///
            /// # Errors
            /// There is none, its version is not `version`, or the name is taken.
            pub async fn $update(
                &self,
                context: &Context,
                id: $id,
                version: Option<i64>,
                change: LabelChange,
            ) -> Result<Label, Error> {
                self.update_label(context, Class::$class, id.to_string(), version, change).await
            }

            #[doc = concat!("Deletes one ", $noun, " (operation `configuration.delete`).")]
            ///
            /// # Errors
            /// There is none, or certificates carry it.
            pub async fn $delete(&self, context: &Context, id: $id) -> Result<(), Error> {
                self.delete_label(context, Class::$class, id.to_string()).await
            }
        }
    };
}

class!(Group GroupId "group": groups group create_group update_group delete_group);
class!(RaProfile RaProfileId "RA profile":
    ra_profiles ra_profile create_ra_profile update_ra_profile delete_ra_profile);

impl Engine {
    async fn create_label(
        &self,
        context: &Context,
        class: Class,
        id: String,
        new: NewLabel,
    ) -> Result<Label, Error> {
        let words = words(class);
        let attempt = types::Create {
            class: words.class.into(),
            object_id: None,
            object_name: Some(shortened(&new.name)),
            changes: Vec::new(),
        };
        self.operation(context, Permission::ConfigurationWrite, &attempt)?
            .run(move |tx, scribe| {
                let (new, id, attempt) = (new.clone(), id.clone(), attempt.clone());
                Box::pin(async move {
                    let row = Label {
                        id: id.clone(),
                        name: name("name", &new.name)?,
                        description: description(&new.description)?,
                        version: 1,
                        created_at: scribe.now(),
                    };
                    label::insert(tx, class, &row).await.map_err(taken(words.article))?;
                    let mut changes = Changes::default();
                    changes.note("name", serde_json::Value::Null, row.name.clone().into());
                    changes.note_private("description", "", &row.description);
                    let payload = types::Create {
                        object_id: Some(id),
                        object_name: Some(row.name.clone()),
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.target(target(class, &row));
                    Ok(Done { value: row, draft: changes.complete(draft) })
                })
            })
            .await
    }

    async fn update_label(
        &self,
        context: &Context,
        class: Class,
        id: String,
        version: Option<i64>,
        change: LabelChange,
    ) -> Result<Label, Error> {
        let words = words(class);
        let attempt = types::Update {
            class: words.class.into(),
            object_id: Some(id.clone()),
            object_name: change.name.as_deref().map(shortened),
            changes: Vec::new(),
        };
        self.operation(context, Permission::ConfigurationWrite, &attempt)?
            .about(Target::new(words.kind, &id))
            .run(move |tx, _| {
                let (change, id, attempt) = (change.clone(), id.clone(), attempt.clone());
                Box::pin(async move {
                    let found = label::find(tx, class, &id).await?;
                    let before = found.ok_or_else(|| Error::not_found(words.noun, &id))?;
                    same_version(words.class, before.version, version)?;
                    let mut row = before.clone();
                    if let Some(text) = &change.name {
                        row.name = name("name", text)?;
                    }
                    if let Some(text) = &change.description {
                        row.description = description(text)?;
                    }
                    let mut changes = Changes::default();
                    changes.note("name", before.name.into(), row.name.clone().into());
                    changes.note_private("description", &before.description, &row.description);
                    if !changes.is_empty() {
                        label::update(tx, class, &row).await.map_err(taken(words.article))?;
                        row.version += 1;
                    }
                    let payload = types::Update {
                        object_name: Some(row.name.clone()),
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.target(target(class, &row));
                    Ok(Done { value: row, draft: changes.complete(draft) })
                })
            })
            .await
    }

    async fn delete_label(&self, context: &Context, class: Class, id: String) -> Result<(), Error> {
        let words = words(class);
        let attempt = types::Delete {
            class: words.class.into(),
            object_id: Some(id.clone()),
            object_name: None,
            certificates: None,
        };
        self.operation(context, Permission::ConfigurationWrite, &attempt)?
            .about(Target::new(words.kind, &id))
            .run(move |tx, _| {
                let (id, attempt) = (id.clone(), attempt.clone());
                Box::pin(async move {
                    let found = label::find(tx, class, &id).await?;
                    let row = found.ok_or_else(|| Error::not_found(words.noun, &id))?;
                    unused(words.noun, label::uses(tx, class, &id).await?)?;
                    label::delete(tx, class, &id).await?;
                    let payload = types::Delete {
                        object_name: Some(row.name.clone()),
                        certificates: Some(0),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.target(target(class, &row));
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}

fn target(class: Class, row: &Label) -> Target {
    Target::new(words(class).kind, &row.id).named(&row.name)
}
