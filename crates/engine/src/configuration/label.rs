//! Groups and RA profiles.

use chancery_event::id::{GroupId, RaProfileId};
use chancery_event::types::Change;
use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind};
use chancery_store::table::label::{self, Class, Label};

use super::{description, in_use, name, note};
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

    fn target(self, id: &str) -> Target {
        let kind = match self {
            Self::Group => TargetKind::Group,
            Self::RaProfile => TargetKind::RaProfile,
        };
        Target::new(kind, id)
    }
}

fn exists(error: chancery_store::Error) -> Error {
    match error {
        chancery_store::Error::Exists(_) => Error::Conflict {
            reason: "name_taken",
            message: "another one has this name".to_owned(),
        },
        other => other.into(),
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
            object_name: None,
            changes: Vec::new(),
        };
        let operation = self.operation(context, Permission::ConfigurationWrite, &attempt)?;
        let checked =
            name(&draft.name).and_then(|name| Ok((name, description(&draft.description)?)));
        let (name, description) = match checked {
            Ok(checked) => checked,
            Err(error) => return Err(operation.fail(error).await),
        };
        operation
            .run(move |tx, scribe| {
                let id = match class {
                    LabelClass::Group => scribe.environment().id::<GroupId>().to_string(),
                    LabelClass::RaProfile => scribe.environment().id::<RaProfileId>().to_string(),
                };
                let label = Label {
                    id: id.clone(),
                    name: name.clone(),
                    description: description.clone(),
                    version: 1,
                    created_at: scribe.now(),
                };
                let attempt = attempt.clone();
                Box::pin(async move {
                    label::insert(tx, class.class(), &label).await.map_err(exists)?;
                    let mut changes = Vec::new();
                    note(&mut changes, "name", None, Some(label.name.clone().into()));
                    note(&mut changes, "description", None, Some(label.description.into()));
                    let payload = types::Create {
                        object_id: Some(id.clone()),
                        object_name: Some(label.name.clone()),
                        changes,
                        ..attempt
                    };
                    let target = class.target(&id).named(label.name);
                    Ok(Done { value: id, draft: Draft::new(&payload)?.target(target) })
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
            object_name: None,
            changes: Vec::new(),
        };
        let operation = self
            .operation(context, Permission::ConfigurationWrite, &attempt)?
            .about(class.target(id));
        let checked =
            name(&draft.name).and_then(|name| Ok((name, description(&draft.description)?)));
        let (name, description) = match checked {
            Ok(checked) => checked,
            Err(error) => return Err(operation.fail(error).await),
        };
        let id = id.to_owned();
        operation
            .run(move |tx, _| {
                let (attempt, id) = (attempt.clone(), id.clone());
                let (name, description) = (name.clone(), description.clone());
                Box::pin(async move {
                    let found = label::find(tx, class.class(), &id).await?;
                    let old = found.ok_or_else(|| Error::not_found(class.word(), &id))?;
                    if version.is_some_and(|version| version != old.version) {
                        return Err(chancery_store::Error::Conflict("the configuration").into());
                    }
                    let mut changes: Vec<Change> = Vec::new();
                    note(
                        &mut changes,
                        "name",
                        Some(old.name.clone().into()),
                        Some(name.clone().into()),
                    );
                    note(
                        &mut changes,
                        "description",
                        Some(old.description.clone().into()),
                        Some(description.clone().into()),
                    );
                    let new = Label { name: name.clone(), description, ..old };
                    label::update(tx, class.class(), &new).await.map_err(exists)?;
                    let payload =
                        types::Update { object_name: Some(name.clone()), changes, ..attempt };
                    let target = class.target(&id).named(name);
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target) })
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
        let operation = self
            .operation(context, Permission::ConfigurationWrite, &attempt)?
            .about(class.target(id));
        let id = id.to_owned();
        operation
            .run(move |tx, _| {
                let (attempt, id) = (attempt.clone(), id.clone());
                Box::pin(async move {
                    let found = label::find(tx, class.class(), &id).await?;
                    let old = found.ok_or_else(|| Error::not_found(class.word(), &id))?;
                    let uses = label::uses(tx, class.class(), &id).await?;
                    if uses > 0 {
                        return Err(in_use(uses));
                    }
                    label::delete(tx, class.class(), &id).await?;
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
