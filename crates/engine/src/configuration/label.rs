//! Groups and RA profiles.

use chancery_event::id::{GroupId, RaProfileId};
use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind};
use chancery_store::table::contact;
use chancery_store::table::label::{self, Class, Label};

use super::{Changes, description, name, same_version, shortened, taken, unused};
use crate::automation::check::unreferred;
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// Groups or RA profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelClass {
    /// Groups.
    Group,
    /// RA profiles.
    RaProfile,
}

/// What a group or RA profile is to be called.
#[derive(Clone, Debug)]
pub struct LabelDraft {
    /// Its name, unique whatever the case.
    pub name: String,
    /// What it is for.
    pub description: String,
}

impl LabelClass {
    fn class(self) -> Class {
        match self {
            Self::Group => Class::Group,
            Self::RaProfile => Class::RaProfile,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::RaProfile => "ra_profile",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::RaProfile => "RA profile",
        }
    }

    fn one(self) -> &'static str {
        match self {
            Self::Group => "a group",
            Self::RaProfile => "an RA profile",
        }
    }

    fn target(self, id: &str) -> Target {
        let kind = match self {
            Self::Group => TargetKind::Group,
            Self::RaProfile => TargetKind::RaProfile,
        };
        Target::new(kind, id)
    }
}

impl Engine {
    /// All groups or RA profiles, by name.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn labels(&self, context: &Context, class: LabelClass) -> Result<Vec<Label>, Error> {
        context.require(Permission::CertificateRead)?;
        Ok(label::all(&mut self.link().await?, class.class()).await?)
    }

    /// Makes a group or RA profile (operation `configuration.create`); answers its identifier.
    ///
    /// # Errors
    /// The name is not usable or taken.
    pub async fn create_label(
        &self,
        context: &Context,
        class: LabelClass,
        draft: LabelDraft,
    ) -> Result<String, Error> {
        let attempt = types::Create {
            class: class.word().into(),
            object_id: None,
            object_name: Some(shortened(&draft.name)),
            changes: Vec::new(),
        };
        self.operation(context, Permission::ConfigurationWrite, &attempt)?
            .run(move |tx, scribe| {
                let id = match class {
                    LabelClass::Group => scribe.environment().id::<GroupId>().to_string(),
                    LabelClass::RaProfile => scribe.environment().id::<RaProfileId>().to_string(),
                };
                let (attempt, draft) = (attempt.clone(), draft.clone());
                Box::pin(async move {
                    let label = Label {
                        id: id.clone(),
                        name: name("name", &draft.name)?,
                        description: description(&draft.description)?,
                        version: 1,
                        created_at: scribe.now(),
                    };
                    let inserted = label::insert(tx, class.class(), &label).await;
                    inserted.map_err(taken(class.one()))?;
                    let changes = changes(None, &label);
                    let payload = types::Create {
                        object_id: Some(id.clone()),
                        object_name: Some(label.name.clone()),
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let target = class.target(&id).named(label.name);
                    let draft = changes.complete(Draft::new(&payload)?.target(target));
                    Ok(Done { value: id, draft })
                })
            })
            .await
    }

    /// Changes a group or RA profile (operation `configuration.update`). With `version`, only if it
    /// still has it.
    ///
    /// # Errors
    /// There is none, somebody changed it first, or the name is not usable or taken.
    pub async fn update_label(
        &self,
        context: &Context,
        class: LabelClass,
        id: &str,
        version: Option<i64>,
        draft: LabelDraft,
    ) -> Result<(), Error> {
        let attempt = types::Update {
            class: class.word().into(),
            object_id: Some(id.to_owned()),
            object_name: Some(shortened(&draft.name)),
            changes: Vec::new(),
        };
        let id = id.to_owned();
        self.operation(context, Permission::ConfigurationWrite, &attempt)?
            .about(class.target(&id))
            .run(move |tx, _| {
                let (attempt, id, draft) = (attempt.clone(), id.clone(), draft.clone());
                Box::pin(async move {
                    let found = label::find(tx, class.class(), &id).await?;
                    let old = found.ok_or_else(|| Error::not_found(class.noun(), &id))?;
                    same_version("the configuration", old.version, version)?;
                    let new = Label {
                        name: name("name", &draft.name)?,
                        description: description(&draft.description)?,
                        ..old.clone()
                    };
                    let changes = changes(Some(&old), &new);
                    if old.name.to_lowercase() != new.name.to_lowercase() {
                        unreferred(tx, class.word(), &old.name).await?;
                    }
                    if !changes.is_empty() {
                        let updated = label::update(tx, class.class(), &new).await;
                        updated.map_err(taken(class.one()))?;
                    }
                    let payload = types::Update {
                        object_name: Some(new.name.clone()),
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let target = class.target(&id).named(new.name);
                    let draft = changes.complete(Draft::new(&payload)?.target(target));
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }

    /// Deletes a group or RA profile (operation `configuration.delete`).
    ///
    /// # Errors
    /// There is none, or certificates use it.
    pub async fn delete_label(
        &self,
        context: &Context,
        class: LabelClass,
        id: &str,
    ) -> Result<(), Error> {
        let attempt = types::Delete {
            class: class.word().into(),
            object_id: Some(id.to_owned()),
            object_name: None,
            certificates: None,
        };
        let id = id.to_owned();
        self.operation(context, Permission::ConfigurationWrite, &attempt)?
            .about(class.target(&id))
            .run(move |tx, _| {
                let (attempt, id) = (attempt.clone(), id.clone());
                Box::pin(async move {
                    let found = label::find(tx, class.class(), &id).await?;
                    let old = found.ok_or_else(|| Error::not_found(class.noun(), &id))?;
                    unreferred(tx, class.word(), &old.name).await?;
                    unused(class.noun(), label::uses(tx, class.class(), &id).await?)?;
                    label::delete(tx, class.class(), &id).await?;
                    if class == LabelClass::Group {
                        contact::delete(tx, "group", &id).await?;
                    }
                    let payload = types::Delete {
                        object_name: Some(old.name.clone()),
                        certificates: Some(0),
                        ..attempt
                    };
                    let target = class.target(&id).named(old.name);
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target) })
                })
            })
            .await
    }
}

fn changes(old: Option<&Label>, new: &Label) -> Changes {
    let mut changes = Changes::default();
    let name = old.map(|old| old.name.clone());
    changes.note("name", name.into(), new.name.clone().into());
    changes.note_private("description", old.map_or("", |old| &old.description), &new.description);
    changes
}
