//! Which events an account may see: as its role says, or less: those within a scope, or none.
//!
//! What is set here follows the account and its tokens everywhere events are read: every question
//! is asked together with the scope, so that pages, facets, counts, exports and the live stream
//! cannot differ. Who is scoped may not set up what carries events past this, either: forwarders,
//! trials of automation, previews, and the entries of the published log need all of them.
//! Administrators see everything, so that nobody is locked out for good.

use chancery_event::filter::Filter;
use chancery_event::id::AccountId;
use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind};
use chancery_store::table::{account, event_access as table};

use super::scope::one_of;
use crate::configuration::{Changes, same_version};
use crate::delivery::check_path;
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, Role, idempotency};

/// The events that an account may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventAccess {
    /// `none`, `scoped`, `all`.
    pub events: String,
    /// Folders: events about certificates that live in or below them.
    pub paths: Vec<String>,
    /// A filter: events that it selects. Empty: none besides those of the folders.
    pub filter: String,
}

impl Default for EventAccess {
    fn default() -> Self {
        Self { events: "all".to_owned(), paths: Vec::new(), filter: String::new() }
    }
}

impl Engine {
    /// The events that an account may see, and the version of that setting.
    ///
    /// # Errors
    /// The caller may not see accounts.
    pub async fn event_access(
        &self,
        context: &Context,
        account: AccountId,
    ) -> Result<(EventAccess, i64), Error> {
        if context.account_id() != Some(account) {
            context.require(Permission::AccountRead)?;
        }
        let mut link = self.link().await?;
        if account::find(&mut link, account).await?.is_none() {
            return Err(Error::not_found("account", account));
        }
        let found = table::find(&mut link, account).await?;
        let version = version_of(found.as_ref());
        Ok((found.map(read).unwrap_or_default(), version))
    }

    /// Sets the events that an account may see (operation `configuration.update` of the class
    /// `event_access`). With `version`, only if the setting still has it.
    ///
    /// # Errors
    /// There is no such account, somebody changed it first, or a member cannot be accepted.
    pub async fn set_event_access(
        &self,
        context: &Context,
        account: AccountId,
        version: Option<i64>,
        access: EventAccess,
    ) -> Result<(), Error> {
        let target = Target::new(TargetKind::Account, account);
        let attempt = types::Update {
            class: "event_access".into(),
            object_id: Some(account.to_string()),
            object_name: None,
            changes: Vec::new(),
        };
        let operation =
            self.operation(context, Permission::AccountWrite, &attempt)?.about(target.clone());
        let checked = self.confirmed(context).and_then(|()| self.check_event_access(&access));
        if let Err(error) = checked {
            return Err(operation.fail(error).await);
        }
        operation
            .run(move |tx, scribe| {
                let (access, attempt, target) = (access.clone(), attempt.clone(), target.clone());
                Box::pin(async move {
                    if account::find(tx, account).await?.is_none() {
                        return Err(Error::not_found("account", account));
                    }
                    let old = table::find(tx, account).await?;
                    same_version("the events that it may see", version_of(old.as_ref()), version)?;
                    let old = old.map(read).unwrap_or_default();
                    let list = |items: &[String]| serde_json::Value::from(items.to_vec());
                    let row = table::EventAccess {
                        account,
                        events: access.events.clone(),
                        paths: list(&access.paths).to_string(),
                        filter: access.filter.clone(),
                        changed_at: scribe.now(),
                    };
                    table::put(tx, &row).await?;
                    idempotency::forget_of(tx, account).await?;
                    let mut changes = Changes::default();
                    changes.note("events", old.events.into(), access.events.into());
                    changes.note("paths", list(&old.paths), list(&access.paths));
                    // It may name people.
                    changes.note_private("filter", &old.filter, &access.filter);
                    let payload = types::Update { changes: changes.sealed(), ..attempt };
                    let draft = Draft::new(&payload)?.target(target);
                    Ok(Done { value: (), draft: changes.complete(draft) })
                })
            })
            .await
    }

    fn check_event_access(&self, access: &EventAccess) -> Result<(), Error> {
        if !matches!(access.events.as_str(), "none" | "scoped" | "all") {
            return Err(Error::invalid("events", "one of none, scoped, all"));
        }
        if access.paths.len() > 100 {
            return Err(Error::invalid("paths", "at most 100 folders"));
        }
        access.paths.iter().try_for_each(|path| check_path("paths", path))?;
        if !access.filter.trim().is_empty() {
            let wrong = |error: Error| Error::invalid("filter", error.to_string());
            let filter = self.parse_event_filter(&access.filter).map_err(wrong)?;
            if filter.comparisons() > 50 {
                return Err(Error::invalid("filter", "at most 50 comparisons"));
            }
        }
        Ok(())
    }

    /// What is set for a caller who may not see all events; `None`: they may.
    pub(crate) async fn limited_access(
        &self,
        context: &Context,
    ) -> Result<Option<EventAccess>, Error> {
        let Some(account) = context.account_id() else { return Ok(None) };
        let mut link = self.link().await?;
        let Some(row) = table::find(&mut link, account).await? else { return Ok(None) };
        // A token with a lower role of an administrator's account is that administrator's.
        let found = account::find(&mut link, account).await?;
        if found.is_some_and(|found| found.role == Role::Administrator.as_str()) {
            return Ok(None);
        }
        Ok(Some(read(row)).filter(|access| access.events != "all"))
    }

    /// What limits the events that the caller may see; `None`: nothing does.
    pub(crate) async fn event_scope(&self, context: &Context) -> Result<Option<Filter>, Error> {
        let Some(access) = self.limited_access(context).await? else { return Ok(None) };
        if access.events != "scoped" {
            // What is not known is nothing.
            return Ok(Some(Filter::Or(Vec::new())));
        }
        let mut parts = Vec::new();
        if !access.filter.trim().is_empty() {
            parts.push(self.parse_event_filter(&access.filter)?);
        }
        parts.extend(one_of("certificate", &self.certificates_in(&access.paths).await?));
        Ok(Some(Filter::Or(parts)))
    }

    /// A question together with what the caller may see.
    pub(super) async fn visible(
        &self,
        context: &Context,
        filter: &Filter,
    ) -> Result<Filter, Error> {
        Ok(match self.event_scope(context).await? {
            None => filter.clone(),
            Some(scope) => {
                let both = Filter::And(vec![scope, filter.clone()]);
                // Both together may be more than a filter can be: the caller's has to be shorter.
                both.compile(self.event_schema())?;
                both
            }
        })
    }

    /// Refuses who may not see all events: what is asked for would carry them past the scope.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub(crate) async fn require_all_events(&self, context: &Context) -> Result<(), Error> {
        match (self.sees_all_events(context).await?, context.role) {
            (true, _) => Ok(()),
            (false, Some(role)) => {
                Err(Error::Forbidden { permission: Permission::EventRead, role })
            }
            (false, None) => Err(Error::Unauthenticated),
        }
    }
}

/// When it was set, in microseconds; 0 as long as nothing is.
fn version_of(row: Option<&table::EventAccess>) -> i64 {
    row.map_or(0, |row| row.changed_at.micros())
}

fn read(row: table::EventAccess) -> EventAccess {
    let paths = serde_json::from_str(&row.paths).unwrap_or_default();
    EventAccess { events: row.events, paths, filter: row.filter }
}
