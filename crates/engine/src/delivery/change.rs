//! Making, changing, switching and trying out destinations.
//!
//! What is saved was checked by its sender, and every host it names was resolved and judged as it
//! will be when something is sent. Secrets are given apart from the body, kept encrypted and never
//! handed out again; the one exception is a secret that was made here, which is shown once.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_event::types::configuration as types;
use chancery_event::{Environment, LogIndex, Timestamp};
use chancery_store::table::delivery as deliveries;
use chancery_store::table::destination::{self as table, Course, Destination, Version};
use chancery_store::{Link, Tx, log};
use serde_json::Value;

use super::definition::{Definition, Runner};
use super::prepare::{Prepared, changes, check_recipients};
use super::receipt::{disabled_key, failing_key, given_up_key, target, unusable_key};
use super::{Address, Class, Secrets, Sender};
use crate::configuration::{Changes, same_version, shortened};
use crate::operation::{Done, Operation};
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, alert};

/// What somebody wants a destination to be.
#[derive(Clone, Default)]
pub struct DestinationEdit {
    /// The body: see [`Definition`].
    pub body: Value,
    /// Secrets to set; an empty text takes one away. What is absent stays.
    pub secrets: BTreeMap<String, String>,
    /// Whether it is to be served; `None`: as it is, a new one is.
    pub enabled: Option<bool>,
    /// The log index to begin at, or to go to; `None`: a new one begins at the end of the log.
    pub start: Option<u64>,
}

/// Secrets that were made here, by name: shown once.
pub type Generated = Vec<(String, String)>;

/// What became of saving.
pub struct Saved {
    /// The version that counts now.
    pub version: i64,
    /// Secrets that were made.
    pub generated: Generated,
}

impl Class {
    /// What is needed to change one.
    pub fn permission(self) -> Permission {
        match self {
            Self::Forwarder => Permission::ForwarderWrite,
            Self::Channel => Permission::ConfigurationWrite,
        }
    }
}

impl Engine {
    /// Wakes the courier: a destination was made or changed.
    pub fn wake_courier(&self) {
        self.0.destinations.send_modify(|count| *count += 1);
    }

    /// Wakes the courier: something waits to be sent to a destination that it does not know of.
    pub fn wake_courier_for(&self, name: &str) {
        // One insertion: a panic elsewhere leaves nothing half done.
        let mut kicked = self.0.kicked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kicked.insert(name.to_owned());
        drop(kicked);
        self.wake_courier();
    }

    pub(super) fn senders(&self) -> Result<Arc<dyn Sender>, Error> {
        self.settings().sender.clone().ok_or_else(|| Error::Conflict {
            reason: "no_sender",
            message: "this program was started without anything that sends".to_owned(),
        })
    }

    /// A destination as its sender sees it.
    pub(super) async fn address(
        &self,
        link: &mut Link,
        row: &Destination,
    ) -> Result<Address, Error> {
        let version = table::version(link, &row.name, row.version).await?;
        let version = version.ok_or_else(|| Error::not_found("destination", &row.name))?;
        let body: Value = serde_json::from_str(&version.body)
            .map_err(|error| Error::Internal(format!("destination {}: {error}", row.name)))?;
        let definition = serde_json::from_value(body)
            .map_err(|error| Error::Internal(format!("destination {}: {error}", row.name)))?;
        let key = &self.0.secrets_key;
        let secrets = Secrets::open(version.secrets.as_deref(), key, &row.name)?;
        Ok(Address {
            name: row.name.clone(),
            version: row.version,
            definition,
            secrets,
            made: super::Made::default(),
        })
    }

    /// Makes a destination (operation `configuration.create`).
    ///
    /// # Errors
    /// The name is taken; a member cannot be accepted, among them addresses that may not be
    /// reached.
    pub async fn create_destination(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        edit: DestinationEdit,
    ) -> Result<Saved, Error> {
        let attempt = types::Create {
            class: class.as_str().into(),
            object_id: None,
            object_name: Some(shortened(name)),
            changes: Vec::new(),
        };
        let operation = self.operation(context, class.permission(), &attempt)?;
        let prepared = async {
            context.require(class.permission())?;
            crate::automation::check_name("name", name)?;
            self.may_carry(context, class).await?;
            let prepared = self.prepare(class, name, &edit, Secrets::default(), true).await?;
            check_recipients(class, &prepared.definition)?;
            self.may_manage(context, class, name, &prepared.definition.path).await?;
            if edit.enabled != Some(false) {
                self.ask_receiver(prepared.address(name)).await?;
            }
            Ok(prepared)
        };
        let (operation, prepared) = ready(operation, prepared.await).await?;
        let generated = prepared.generated.clone();
        let (name, environment) = (name.to_owned(), self.environment().clone());
        let version = operation
            .run(move |tx, scribe| {
                let (name, edit, prepared) = (name.clone(), edit.clone(), prepared.clone());
                let environment = environment.clone();
                Box::pin(async move {
                    if table::find(tx, &name).await?.is_some() {
                        let message = "there is a destination of this name already".to_owned();
                        return Err(Error::Conflict { reason: "name_taken", message });
                    }
                    let version = table::next_version(tx, &name).await?;
                    let size = log::latest_index(tx).await?;
                    if edit.start.is_some_and(|start| LogIndex(start) > size) {
                        let message = format!("the log has {size} entries");
                        return Err(Error::invalid("start", message));
                    }
                    let row = made(class, &name, version, &prepared, &edit, size, &environment);
                    table::insert(tx, &row).await?;
                    let by = scribe.context.account_id().map(|id| id.to_string());
                    add_version(tx, &row, &prepared, by).await?;
                    let changes = changes(None, Some(&prepared), None, Some(row.enabled));
                    let payload = types::Create {
                        class: class.as_str().into(),
                        object_id: Some(name.clone()),
                        object_name: Some(name.clone()),
                        changes: changes.sealed(),
                    };
                    let draft = Draft::new(&payload)?.target(target(&name));
                    Ok(Done { value: version, draft: changes.complete(draft) })
                })
            })
            .await?;
        self.wake_courier();
        Ok(Saved { version, generated })
    }

    /// Changes a destination (operation `configuration.update`). With `version`, only if it still
    /// has it. The kind stays what it was.
    ///
    /// # Errors
    /// There is none, somebody changed it first, or a member cannot be accepted.
    pub async fn update_destination(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        version: Option<i64>,
        edit: DestinationEdit,
    ) -> Result<Saved, Error> {
        let operation = self.changing(context, class, name)?;
        self.update_in(operation, context, class, name, (version, edit)).await
    }

    /// Goes on with an operation that changes a destination.
    async fn update_in(
        &self,
        operation: Operation,
        context: &Context,
        class: Class,
        name: &str,
        (version, edit): (Option<i64>, DestinationEdit),
    ) -> Result<Saved, Error> {
        let prepared = self.prepare_change(context, class, name, &edit).await;
        let (operation, (prepared, old)) = ready(operation, prepared).await?;
        let generated = prepared.generated.clone();
        let name = name.to_owned();
        let version = operation
            .run(move |tx, scribe| {
                let (name, edit, prepared) = (name.clone(), edit.clone(), prepared.clone());
                let old = old.clone();
                Box::pin(async move {
                    let row = table::find(tx, &name).await?;
                    let mut row = row.ok_or_else(|| Error::not_found("destination", &name))?;
                    same_version("the destination", row.version, version)?;
                    if row.version != old.version {
                        return Err(Error::Store(chancery_store::Error::Conflict("it")));
                    }
                    let was = row.enabled;
                    row.version = table::next_version(tx, &name).await?;
                    row.path = prepared.definition.path.clone();
                    row.changed_at = scribe.now();
                    switch(&mut row, edit.enabled.unwrap_or(was));
                    reschedule(&mut row, &prepared.definition, scribe.now());
                    table::update(tx, &row).await?;
                    deliveries::hasten(tx, &name, scribe.now()).await?;
                    let by = scribe.context.account_id().map(|id| id.to_string());
                    add_version(tx, &row, &prepared, by).await?;
                    settle_alerts(tx, scribe, &name, row.enabled).await?;
                    let changes =
                        changes(Some(&old), Some(&prepared), Some(was), Some(row.enabled));
                    let payload = types::Update {
                        class: class.as_str().into(),
                        object_id: Some(name.clone()),
                        object_name: Some(name.clone()),
                        changes: changes.sealed(),
                    };
                    let draft = Draft::new(&payload)?.target(target(&name));
                    Ok(Done { value: row.version, draft: changes.complete(draft) })
                })
            })
            .await?;
        self.wake_courier();
        Ok(Saved { version, generated })
    }

    /// What an edit makes of a destination, and what that was before.
    async fn prepare_change(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        edit: &DestinationEdit,
    ) -> Result<(Prepared, Arc<Address>), Error> {
        context.require(class.permission())?;
        // Set on, what lies between would never be sent; set back, it is a replay.
        if edit.start.is_some() {
            let message = "where it begins is said when it is made; a replay sends again what was";
            return Err(Error::invalid("start", message));
        }
        let row = self.destination_row(&mut self.link().await?, class, name).await?;
        self.may_manage(context, class, name, &row.path).await?;
        self.may_carry(context, class).await?;
        let old = self.address(&mut self.link().await?, &row).await?;
        // A new secret to sign with says nothing about where it leads: it is made while a name
        // cannot be resolved as well.
        let rotates = edit.body == old.definition.body()
            && edit.secrets.keys().all(|name| name.starts_with("signing"));
        let prepared = self.prepare(class, name, edit, old.secrets.clone(), !rotates).await?;
        check_recipients(class, &prepared.definition)?;
        self.may_manage(context, class, name, &prepared.definition.path).await?;
        if prepared.definition.kind != row.kind {
            let message = format!("it is a {} and stays one: make another", row.kind);
            return Err(Error::invalid("kind", message));
        }
        self.keeps_secrets(&old, &prepared, edit)?;
        let (was, is) = (row.enabled, edit.enabled.unwrap_or(row.enabled));
        if is && (!rotates || !was) {
            self.ask_receiver(prepared.address(name)).await?;
        }
        Ok((prepared, Arc::new(old)))
    }

    /// Replaces the secret that a destination signs with (operation `configuration.update`); for so
    /// many hours the old one signs as well. Answers the new one.
    ///
    /// # Errors
    /// There is none, the caller may not manage it, or it does not sign.
    pub async fn rotate_signing_secret(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        overlap_hours: u32,
    ) -> Result<Saved, Error> {
        let operation = self.changing(context, class, name)?;
        let rotated = self.rotated(context, class, name, overlap_hours).await;
        let (operation, (version, edit)) = ready(operation, rotated).await?;
        self.update_in(operation, context, class, name, (Some(version), edit)).await
    }

    /// The version that signs with the present secret, and the edit that replaces it.
    async fn rotated(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        overlap_hours: u32,
    ) -> Result<(i64, DestinationEdit), Error> {
        let row = self.manageable(context, class, name).await?;
        if overlap_hours > 720 {
            return Err(Error::invalid("overlap_hours", "0 to 720"));
        }
        let address = self.address(&mut self.link().await?, &row).await?;
        let old = address.secrets.find("signing").ok_or_else(|| Error::Conflict {
            reason: "not_signed",
            message: "it does not sign what it sends".to_owned(),
        })?;
        let hours = i64::from(overlap_hours);
        let until = self.environment().now().plus(hours * 3_600 * Timestamp::SECOND);
        let secrets = [
            ("signing", String::new()),
            ("signing_previous", old.to_owned()),
            ("signing_previous_until", until.to_string()),
        ];
        let edit = DestinationEdit {
            body: address.definition.body(),
            secrets: secrets.map(|(name, value)| (name.to_owned(), value)).into(),
            enabled: None,
            start: None,
        };
        Ok((row.version, edit))
    }

    /// Switches a destination on or off (operation `configuration.update`). It goes on where it
    /// was. A receiver that can be asked whether it wants to be one is asked when it is switched
    /// on.
    ///
    /// # Errors
    /// There is none, the caller may not manage it, or its receiver does not want it.
    pub async fn switch_destination(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        enabled: bool,
    ) -> Result<(), Error> {
        let operation = self.changing(context, class, name)?;
        let checked = async {
            let row = self.manageable(context, class, name).await?;
            if enabled && !row.enabled {
                // It may have been made switched off, and never been asked.
                let address = self.address(&mut self.link().await?, &row).await?;
                self.ask_receiver(address).await?;
            }
            Ok(row)
        };
        let (operation, _) = ready(operation, checked.await).await?;
        let name = name.to_owned();
        operation
            .run(move |tx, scribe| {
                let name = name.clone();
                Box::pin(async move {
                    let row = table::find(tx, &name).await?;
                    let mut row = row.ok_or_else(|| Error::not_found("destination", &name))?;
                    let was = row.enabled;
                    row.changed_at = scribe.now();
                    switch(&mut row, enabled);
                    table::update(tx, &row).await?;
                    if enabled {
                        deliveries::hasten(tx, &name, scribe.now()).await?;
                    }
                    settle_alerts(tx, scribe, &name, enabled).await?;
                    let mut changes = Changes::default();
                    changes.note("enabled", was.into(), enabled.into());
                    let payload = types::Update {
                        class: class.as_str().into(),
                        object_id: Some(name.clone()),
                        object_name: Some(name.clone()),
                        changes: changes.sealed(),
                    };
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target(&name)) })
                })
            })
            .await?;
        self.wake_courier();
        Ok(())
    }

    /// Deletes a destination (operation `configuration.delete`). What waits for it is given up; its
    /// versions, deliveries and attempts stay readable.
    ///
    /// # Errors
    /// There is none, or the caller may not manage it.
    pub async fn delete_destination(
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
        let operation =
            self.operation(context, class.permission(), &attempt)?.about(target(&shortened(name)));
        let checked = self.manageable(context, class, name).await;
        let (operation, _) = ready(operation, checked).await?;
        let name = name.to_owned();
        operation
            .run(move |tx, scribe| {
                let (name, attempt) = (name.clone(), attempt.clone());
                Box::pin(async move {
                    if class == Class::Channel {
                        crate::automation::check::unreferred(tx, "channel", &name).await?;
                    }
                    let version = table::next_version(tx, &name).await?;
                    table::delete(tx, &name).await?;
                    let gone = Version {
                        name: name.clone(),
                        version,
                        enabled: false,
                        body: "null".to_owned(),
                        secrets: None,
                        created_at: scribe.now(),
                        created_by: scribe.context.account_id().map(|id| id.to_string()),
                    };
                    table::add_version(tx, &gone).await?;
                    deliveries::give_up(tx, &name, scribe.now()).await?;
                    for key in [disabled_key, failing_key, given_up_key, unusable_key] {
                        let key = key(&name);
                        alert::resolve(tx, scribe, &key, "deleted").await?;
                    }
                    Ok(Done { value: (), draft: Draft::new(&attempt)?.target(target(&name)) })
                })
            })
            .await?;
        self.wake_courier();
        Ok(())
    }

    fn changing(&self, context: &Context, class: Class, name: &str) -> Result<Operation, Error> {
        let attempt = types::Update {
            class: class.as_str().into(),
            object_id: Some(shortened(name)),
            object_name: Some(shortened(name)),
            changes: Vec::new(),
        };
        Ok(self.operation(context, class.permission(), &attempt)?.about(target(&shortened(name))))
    }

    /// The row of a destination that the caller may manage.
    pub(super) async fn manageable(
        &self,
        context: &Context,
        class: Class,
        name: &str,
    ) -> Result<Destination, Error> {
        context.require(class.permission())?;
        let row = self.destination_row(&mut self.link().await?, class, name).await?;
        self.may_manage(context, class, name, &row.path).await?;
        Ok(row)
    }

    pub(super) async fn destination_row(
        &self,
        link: &mut Link,
        class: Class,
        name: &str,
    ) -> Result<Destination, Error> {
        let found = table::find(link, name).await?.filter(|row| row.class == class.as_str());
        found.ok_or_else(|| Error::not_found(class.as_str(), shortened(name)))
    }

    async fn may_manage(
        &self,
        context: &Context,
        class: Class,
        name: &str,
        path: &str,
    ) -> Result<(), Error> {
        if class == Class::Channel || self.forwarder_reach(context).await?.covers(name, path) {
            return Ok(());
        }
        let role = context.role.ok_or(Error::Unauthenticated)?;
        Err(Error::Forbidden { permission: class.permission(), role })
    }

    /// Refuses who may not see all events: a forwarder would carry them past the scope.
    pub(super) async fn may_carry(&self, context: &Context, class: Class) -> Result<(), Error> {
        match class {
            Class::Forwarder => self.require_all_events(context).await,
            Class::Channel => Ok(()),
        }
    }
}

/// Goes on with an operation, or records that it failed.
pub(crate) async fn ready<T>(
    operation: Operation,
    result: Result<T, Error>,
) -> Result<(Operation, T), Error> {
    match result {
        Ok(value) => Ok((operation, value)),
        Err(error) => Err(operation.fail(error).await),
    }
}

fn made(
    class: Class,
    name: &str,
    version: i64,
    prepared: &Prepared,
    edit: &DestinationEdit,
    size: LogIndex,
    environment: &Environment,
) -> Destination {
    let now = environment.now();
    let enabled = edit.enabled.unwrap_or(true);
    let mut row = Destination {
        name: name.to_owned(),
        class: class.as_str().to_owned(),
        kind: prepared.definition.kind.clone(),
        version,
        enabled,
        path: prepared.definition.path.clone(),
        created_at: now,
        changed_at: now,
        disabled_because: (!enabled).then(|| "by_hand".to_owned()),
        next_index: edit.start.map_or(size, LogIndex),
        replay: None,
        batch_at: None,
        course: Course::default(),
    };
    reschedule(&mut row, &prepared.definition, now);
    row
}

/// Keeps the turn of a periodic one, gives it one, or takes it away.
fn reschedule(row: &mut Destination, definition: &Definition, now: Timestamp) {
    let hours = definition.every_hours.unwrap_or(1);
    let next = now.plus(hours * 3_600 * Timestamp::SECOND);
    row.batch_at = match definition.runner {
        Runner::Immediate => None,
        Runner::Periodic => Some(row.batch_at.map_or(next, |at| at.min(next))),
    };
}

fn switch(row: &mut Destination, enabled: bool) {
    let is_held = row.course.failures > 0 || row.course.open_until.is_some();
    if enabled && (!row.enabled || is_held) {
        row.course.failures = 0;
        row.course.failing_since = None;
        row.course.open_until = None;
    }
    if enabled {
        row.disabled_because = None;
    } else if row.enabled {
        row.disabled_because = Some("by_hand".to_owned());
    }
    row.enabled = enabled;
}

async fn settle_alerts(
    tx: &mut Tx,
    scribe: &crate::scribe::Scribe,
    name: &str,
    enabled: bool,
) -> Result<(), Error> {
    // Its failures were forgotten with the change, or it is not tried any more: a success would
    // resolve nothing. What still fails is told again.
    if !enabled {
        alert::resolve(tx, scribe, &unusable_key(name), "disabled").await?;
        return alert::resolve(tx, scribe, &failing_key(name), "disabled").await.map(|_| ());
    }
    alert::resolve(tx, scribe, &failing_key(name), "changed").await?;
    alert::resolve(tx, scribe, &disabled_key(name), "enabled").await.map(|_| ())
}

async fn add_version(
    tx: &mut Tx,
    row: &Destination,
    prepared: &Prepared,
    by: Option<String>,
) -> Result<(), Error> {
    let version = Version {
        name: row.name.clone(),
        version: row.version,
        enabled: row.enabled,
        body: prepared.definition.body().to_string(),
        secrets: prepared.sealed.clone(),
        created_at: row.changed_at,
        created_by: by,
    };
    Ok(table::add_version(tx, &version).await?)
}
