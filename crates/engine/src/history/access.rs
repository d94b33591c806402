//! Which events an account may see: as its role says, or less: those within a scope, or none.
//!
//! What is set here follows the account and its tokens everywhere events are read: every question
//! is asked together with the scope, so that pages, facets, counts, exports and the live stream
//! cannot differ. Who is scoped may not set up what carries events past this, either: forwarders
//! and trials of automation need all of them. Administrators see everything, so that nobody is
//! locked out for good. The published log stays what it is: its entries need `log:read`.

use chancery_event::filter::{Comparison, Filter, Literal, Operand, Operator};
use chancery_event::id::AccountId;
use chancery_event::types::configuration as types;
use chancery_event::{Target, TargetKind};
use chancery_store::table::{account, certificate, event_access as table};

use crate::configuration::Changes;
use crate::delivery::check_path;
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, Role};

/// Certificates that folders may hold; of more, the newest are meant.
const CERTIFICATES_MAX: usize = 10_000;
/// Values of one list of a filter.
const LIST: usize = 1_000;

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
    /// The events that an account may see.
    ///
    /// # Errors
    /// The caller may not see accounts.
    pub async fn event_access(
        &self,
        context: &Context,
        account: AccountId,
    ) -> Result<EventAccess, Error> {
        if context.account_id() != Some(account) {
            context.require(Permission::AccountRead)?;
        }
        let mut link = self.link().await?;
        if account::find(&mut link, account).await?.is_none() {
            return Err(Error::not_found("account", account));
        }
        Ok(table::find(&mut link, account).await?.map(read).unwrap_or_default())
    }

    /// Sets the events that an account may see (operation `configuration.update` of the class
    /// `event_access`).
    ///
    /// # Errors
    /// There is no such account, or a member cannot be accepted.
    pub async fn set_event_access(
        &self,
        context: &Context,
        account: AccountId,
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
        if let Err(error) = self.check_event_access(&access) {
            return Err(operation.fail(error).await);
        }
        operation
            .run(move |tx, scribe| {
                let (access, attempt, target) = (access.clone(), attempt.clone(), target.clone());
                Box::pin(async move {
                    if account::find(tx, account).await?.is_none() {
                        return Err(Error::not_found("account", account));
                    }
                    let old = table::find(tx, account).await?.map(read).unwrap_or_default();
                    let list = |items: &[String]| serde_json::Value::from(items.to_vec());
                    let row = table::EventAccess {
                        account,
                        events: access.events.clone(),
                        paths: list(&access.paths).to_string(),
                        filter: access.filter.clone(),
                        changed_at: scribe.now(),
                    };
                    table::put(tx, &row).await?;
                    let mut changes = Changes::default();
                    changes.note("events", old.events.into(), access.events.into());
                    changes.note("paths", list(&old.paths), list(&access.paths));
                    changes.note("filter", old.filter.into(), access.filter.into());
                    let payload = types::Update { changes: changes.sealed(), ..attempt };
                    Ok(Done { value: (), draft: Draft::new(&payload)?.target(target) })
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

    /// What limits the events that the caller may see; `None`: nothing does.
    pub(crate) async fn event_scope(&self, context: &Context) -> Result<Option<Filter>, Error> {
        let Some(account) = context.account_id() else { return Ok(None) };
        let mut link = self.link().await?;
        let Some(row) = table::find(&mut link, account).await? else { return Ok(None) };
        // A token with a lower role of an administrator's account is that administrator's.
        let found = account::find(&mut link, account).await?;
        if found.is_some_and(|found| found.role == Role::Administrator.as_str()) {
            return Ok(None);
        }
        let access = read(row);
        match access.events.as_str() {
            "all" => return Ok(None),
            "scoped" => {}
            // What is not known is nothing.
            _ => return Ok(Some(Filter::Or(Vec::new()))),
        }
        let mut parts = Vec::new();
        if !access.filter.trim().is_empty() {
            parts.push(self.parse_event_filter(&access.filter)?);
        }
        let mut certificates = Vec::new();
        for path in &access.paths {
            let left = CERTIFICATES_MAX.saturating_sub(certificates.len());
            certificates.extend(certificate::in_folder(&mut link, path, left).await?);
        }
        for some in certificates.chunks(LIST) {
            let ids = some.iter().map(|id| Literal::Text(id.to_string())).collect();
            parts.push(Filter::Comparison(Comparison {
                field: "certificate".to_owned(),
                operator: Operator::In,
                operand: Operand::Many(ids),
            }));
        }
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
        match (self.event_scope(context).await?, context.role) {
            (None, _) => Ok(()),
            (Some(_), Some(role)) => {
                Err(Error::Forbidden { permission: Permission::EventRead, role })
            }
            (Some(_), None) => Err(Error::Unauthenticated),
        }
    }
}

fn read(row: table::EventAccess) -> EventAccess {
    let paths = serde_json::from_str(&row.paths).unwrap_or_default();
    EventAccess { events: row.events, paths, filter: row.filter }
}
