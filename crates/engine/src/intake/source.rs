//! Setting up sources: who may send, in which dialect, with which secret.

use chancery_event::Timestamp;
use chancery_event::dialect::Dialect;
use chancery_event::types::configuration as types;
use chancery_store::table::intake::{self as table, Source};
use serde_json::Value;

use super::target;
use crate::access::{random_text, sha256};
use crate::configuration::{Changes, shortened, taken};
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, Secret};

/// The class of sources in events about configuration.
const CLASS: &str = "intake_source";
/// Sources at most.
const SOURCES_MAX: usize = 200;

/// A source to be made.
#[derive(Clone, Debug)]
pub struct NewSource {
    /// 1 to 60 lower-case letters, digits and hyphens; it stands in the address it sends to.
    pub name: String,
    /// Name of the dialect it speaks.
    pub dialect: String,
}

/// A source that was just made, or got a new secret.
pub struct CreatedSource {
    /// Its name.
    pub name: String,
    /// Its secret; never shown again.
    pub secret: Secret<String>,
}

/// A source without its secret.
#[derive(Clone, Debug)]
pub struct SourceView {
    /// Its name.
    pub name: String,
    /// The dialect it speaks.
    pub dialect: String,
    /// Whether it may send.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Events taken in.
    pub accepted: i64,
    /// Events that were there already.
    pub repeated: i64,
    /// Events taken in whose code is not known.
    pub unknown: i64,
    /// Bodies that could not be read.
    pub refused: i64,
    /// When something came last.
    pub last_at: Option<Timestamp>,
    /// What was wrong last; only with [`Permission::PersonalRead`], because it may repeat what was
    /// sent.
    pub last_problem: Option<String>,
}

impl Engine {
    /// All sources, by name.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn intake_sources(&self, context: &Context) -> Result<Vec<SourceView>, Error> {
        context.require(Permission::IntakeRead)?;
        let people = context.may(Permission::PersonalRead);
        let rows = table::all(&mut self.link().await?).await?;
        let view = |row: Source| SourceView {
            name: row.name,
            dialect: row.dialect,
            enabled: row.enabled,
            created_at: row.created_at,
            accepted: row.accepted,
            repeated: row.repeated,
            unknown: row.unknown,
            refused: row.refused,
            last_at: row.last_at,
            last_problem: row.last_problem.filter(|_| people),
        };
        Ok(rows.into_iter().map(view).collect())
    }

    /// Makes a source (operation `configuration.create`).
    ///
    /// # Errors
    /// The name or the dialect cannot be accepted, or the name is taken.
    pub async fn create_intake_source(
        &self,
        context: &Context,
        new: NewSource,
    ) -> Result<CreatedSource, Error> {
        let attempt = types::Create {
            class: CLASS.into(),
            object_id: None,
            object_name: Some(shortened(&new.name)),
            changes: Vec::new(),
        };
        self.operation(context, Permission::IntakeWrite, &attempt)?
            .run(move |tx, scribe| {
                let (new, attempt) = (new.clone(), attempt.clone());
                Box::pin(async move {
                    check_name(&new.name)?;
                    let dialect = readable(&new.dialect)?;
                    if table::all(tx).await?.len() >= SOURCES_MAX {
                        let message = format!("there are {SOURCES_MAX} sources already");
                        return Err(Error::Conflict { reason: "too_many", message });
                    }
                    let secret = format!("chi_{}", random_text(scribe.environment()));
                    let row = Source {
                        name: new.name.clone(),
                        dialect: dialect.name().to_owned(),
                        secret_hash: sha256(&secret),
                        enabled: true,
                        created_at: scribe.now(),
                        accepted: 0,
                        repeated: 0,
                        unknown: 0,
                        refused: 0,
                        last_at: None,
                        last_problem: None,
                    };
                    table::insert(tx, &row).await.map_err(taken("a source"))?;
                    let mut changes = Changes::default();
                    changes.note("dialect", Value::Null, row.dialect.into());
                    let payload = types::Create {
                        object_id: Some(row.name.clone()),
                        changes: changes.sealed(),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.target(target(&row.name));
                    let value = CreatedSource { name: row.name, secret: Secret::new(secret) };
                    Ok(Done { value, draft: changes.complete(draft) })
                })
            })
            .await
    }

    /// Lets a source send or not, or gives it a new secret, which is answered (operation
    /// `configuration.update`). The old secret ends at once.
    ///
    /// # Errors
    /// There is no such source.
    pub async fn update_intake_source(
        &self,
        context: &Context,
        name: &str,
        enabled: Option<bool>,
        renew_secret: bool,
    ) -> Result<Option<CreatedSource>, Error> {
        let name = shortened(name);
        let attempt = types::Update {
            class: CLASS.into(),
            object_id: Some(name.clone()),
            object_name: Some(name.clone()),
            changes: Vec::new(),
        };
        self.operation(context, Permission::IntakeWrite, &attempt)?
            .about(target(&name))
            .run(move |tx, scribe| {
                let (name, attempt) = (name.clone(), attempt.clone());
                Box::pin(async move {
                    let found = table::find(tx, &name).await?;
                    let row = found.ok_or_else(|| Error::not_found("source", &name))?;
                    let mut changes = Changes::default();
                    let after = enabled.unwrap_or(row.enabled);
                    changes.note("enabled", row.enabled.into(), after.into());
                    let secret =
                        renew_secret.then(|| format!("chi_{}", random_text(scribe.environment())));
                    if renew_secret {
                        changes.note("secret", Value::Null, "renewed".into());
                    }
                    let hash = secret.as_deref().map_or(row.secret_hash, sha256);
                    table::update(tx, &name, after, hash).await?;
                    let payload = types::Update { changes: changes.sealed(), ..attempt };
                    let draft = Draft::new(&payload)?.target(target(&name));
                    let value =
                        secret.map(|secret| CreatedSource { name, secret: Secret::new(secret) });
                    Ok(Done { value, draft })
                })
            })
            .await
    }

    /// Deletes a source (operation `configuration.delete`); its events stay.
    ///
    /// # Errors
    /// There is no such source.
    pub async fn delete_intake_source(&self, context: &Context, name: &str) -> Result<(), Error> {
        let name = shortened(name);
        let attempt = types::Delete {
            class: CLASS.into(),
            object_id: Some(name.clone()),
            object_name: Some(name.clone()),
            certificates: None,
        };
        self.operation(context, Permission::IntakeWrite, &attempt)?
            .about(target(&name))
            .run(move |tx, _| {
                let (name, attempt) = (name.clone(), attempt.clone());
                Box::pin(async move {
                    if !table::delete(tx, &name).await? {
                        return Err(Error::not_found("source", &name));
                    }
                    let draft = Draft::new(&attempt)?.target(target(&name));
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=60).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('-') {
        return Ok(());
    }
    Err(Error::invalid("name", "1 to 60 lower-case letters, digits and hyphens"))
}

/// A dialect that can be read. Modes of one system are one here.
fn readable(name: &str) -> Result<Dialect, Error> {
    let found =
        Dialect::named(name).map_err(|error| Error::invalid("dialect", error.to_string()))?;
    Ok(match found {
        Dialect::CloudEventsBinary => Dialect::CloudEvents,
        Dialect::OktaHook => Dialect::Okta,
        Dialect::AkeylessTypes => Dialect::Akeyless,
        other => other,
    })
}
