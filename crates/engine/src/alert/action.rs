//! What people do about alerts. Each action can be taken back (`undo`).
//!
//! One operation changes up to [`BATCH`] alerts and names them all as its targets, so that the
//! history of an alert is the list of its events. A larger selection is worked off as several
//! operations, each complete in itself.

use std::sync::Arc;

use chancery_event::catalogue::Payload;
use chancery_event::id::{AccountId, AlertId, EventId};
use chancery_event::types::alert as types;
use chancery_event::{Target, TargetKind, Timestamp};
use chancery_store::Tx;
use chancery_store::table::account;
use chancery_store::table::alert::{self, Alert, change, mark};

use super::read::skipped_if;
use super::search::{AlertFilter, Sort};
use super::{awake, undo};
use crate::operation::Done;
use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error, Permission};

/// The longest snooze, in days: what nobody wants to see for longer is resolved instead.
pub const SNOOZE_DAYS_MAX: i64 = 90;
/// Alerts of one selection at most.
const SELECTION_MAX: usize = 10_000;
/// Alerts that one operation changes at most.
pub(super) const BATCH: usize = 200;
/// Alerts that an event names at most.
pub(super) const TARGETS_MAX: usize = 200;
/// Up to this many, the event has their titles too: an entry has 65,535 bytes.
const NAMED_MAX: usize = 10;
/// Longest comment, in characters.
const COMMENT_LENGTH_MAX: usize = 500;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Say that one takes care of it.
    Acknowledge,
    /// Take that back.
    Unacknowledge,
    /// Give it to somebody, or to nobody.
    Assign(Option<AccountId>),
    /// Put it out of sight until a time, at most [`SNOOZE_DAYS_MAX`] days away.
    Snooze {
        /// When it comes back at the latest.
        until: Timestamp,
        /// It comes back earlier when its cause occurs again.
        until_change: bool,
    },
    /// End a snooze.
    Wake,
    /// Declare it dealt with.
    Resolve {
        /// What there is to say about it.
        comment: Option<String>,
    },
    /// Open it again after it was resolved.
    Reopen,
}

/// Which alerts.
#[derive(Clone, Debug)]
pub enum Selection {
    /// These.
    Ids(Vec<AlertId>),
    /// Those that a filter selects now.
    Filter(AlertFilter),
}

/// What an action did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The alerts it changed.
    pub changed: Vec<AlertId>,
    /// Those it had nothing to change at.
    pub unchanged: Vec<AlertId>,
    /// What [`Engine::undo_alerts`] takes it back by; `None`: nothing was changed.
    pub undo: Option<EventId>,
}

impl Action {
    /// The one spelling.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Unacknowledge => "unacknowledge",
            Self::Assign(_) => "assign",
            Self::Snooze { .. } => "snooze",
            Self::Wake => "wake",
            Self::Resolve { .. } => "resolve",
            Self::Reopen => "reopen",
        }
    }

    fn draft(&self, alerts: u64) -> Result<Draft, Error> {
        match self.clone() {
            Self::Acknowledge => {
                drafted(&types::Acknowledge { alerts, marked_as: "acknowledged".into() })
            }
            Self::Unacknowledge => {
                drafted(&types::Acknowledge { alerts, marked_as: "unacknowledged".into() })
            }
            Self::Assign(assigned_to) => drafted(&types::Assign { alerts, assigned_to }),
            Self::Snooze { until, until_change } => {
                drafted(&types::Snooze { alerts, until: Some(until), until_change })
            }
            Self::Wake => drafted(&types::Snooze { alerts, until: None, until_change: false }),
            Self::Resolve { comment } => drafted(&types::Resolve { alerts, comment }),
            Self::Reopen => drafted(&types::Reopen { alerts }),
        }
    }

    pub(super) fn begin(
        &self,
        engine: &Engine,
        context: &Context,
    ) -> Result<crate::operation::Operation, Error> {
        let write = Permission::AlertWrite;
        match self.clone() {
            Self::Acknowledge => {
                let marked_as = "acknowledged".into();
                engine.operation(context, write, &types::Acknowledge { alerts: 0, marked_as })
            }
            Self::Unacknowledge => {
                let marked_as = "unacknowledged".into();
                engine.operation(context, write, &types::Acknowledge { alerts: 0, marked_as })
            }
            Self::Assign(assigned_to) => {
                engine.operation(context, write, &types::Assign { alerts: 0, assigned_to })
            }
            Self::Snooze { until, until_change } => {
                let until = Some(until);
                engine.operation(context, write, &types::Snooze { alerts: 0, until, until_change })
            }
            Self::Wake => {
                let attempt = types::Snooze { alerts: 0, until: None, until_change: false };
                engine.operation(context, write, &attempt)
            }
            Self::Resolve { comment } => {
                engine.operation(context, write, &types::Resolve { alerts: 0, comment })
            }
            Self::Reopen => engine.operation(context, write, &types::Reopen { alerts: 0 }),
        }
    }

    /// What is wrong with it whatever the alerts.
    fn check(&self, now: Timestamp) -> Result<(), Error> {
        match self {
            Self::Snooze { until, .. } => {
                let most = now.plus(SNOOZE_DAYS_MAX * Timestamp::DAY);
                if *until <= now || *until > most {
                    let message = format!("a time within the next {SNOOZE_DAYS_MAX} days");
                    return Err(Error::invalid("until", message));
                }
            }
            Self::Resolve { comment: Some(text) } if text.chars().count() > COMMENT_LENGTH_MAX => {
                let message = format!("at most {COMMENT_LENGTH_MAX} characters");
                return Err(Error::invalid("comment", message));
            }
            _ => {}
        }
        Ok(())
    }

    /// Changes an alert; false if there is nothing to change.
    async fn apply(
        &self,
        tx: &mut Tx,
        row: &mut Alert,
        own: AccountId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let resolved = row.resolved_at.is_some();
        match self {
            Self::Acknowledge if !resolved && row.acknowledged.is_none() => {
                row.acknowledged = Some((own, now));
                if row.state == "open" {
                    awake(row);
                }
            }
            Self::Unacknowledge if !resolved && row.acknowledged.is_some() => {
                row.acknowledged = None;
                if row.state == "acknowledged" {
                    awake(row);
                }
            }
            // What the program gave somebody, a person may give them as well: that stops whoever
            // waits for a person.
            Self::Assign(to)
                if !resolved
                    && (row.assigned_to != *to || (to.is_some() && row.assigned_by.is_none())) =>
            {
                row.assigned_to = *to;
                row.assigned_by = to.map(|_| own);
            }
            Self::Snooze { until, until_change } if !resolved => {
                "snoozed".clone_into(&mut row.state);
                row.snoozed_until = Some(*until);
                row.snooze_ends_on_change = *until_change;
            }
            Self::Wake if row.state == "snoozed" => awake(row),
            Self::Resolve { .. } if !resolved => {
                // A snooze is kept, so that reopening finds everything as it was.
                "resolved".clone_into(&mut row.state);
                row.resolved_at = Some(now);
                row.resolved_by = Some(own);
                row.resolved_because = Some("by_hand".to_owned());
            }
            Self::Reopen if resolved && alert::unresolved(tx, &row.cause_key).await?.is_none() => {
                row.resolved_at = None;
                row.resolved_by = None;
                row.resolved_because = None;
                row.news_at = now;
                if row.snoozed_until.is_some_and(|until| until > now) {
                    "snoozed".clone_into(&mut row.state);
                } else {
                    awake(row);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Ends an action on alerts, each as it was and as it is: who acts has read them, what was done can
/// be taken back as `change`, and the event names them.
pub(super) async fn close(
    tx: &mut Tx,
    scribe: &Scribe,
    action: &Action,
    change: EventId,
    changed: &[(Alert, Alert)],
) -> Result<Done<Vec<AlertId>>, Error> {
    let own = scribe.context.account_id().ok_or(Error::Unauthenticated)?;
    let ids: Vec<_> = changed.iter().map(|(row, _)| row.id).collect();
    let changes: Result<Vec<_>, _> =
        changed.iter().map(|(before, after)| undo::noted(before, after)).collect();
    change::note(tx, change, own, &changes?, scribe.now()).await?;
    mark::set(tx, own, &ids, false, scribe.now()).await?;
    let mut draft = action.draft(changed.len() as u64)?;
    for (row, _) in changed {
        let target = Target::new(TargetKind::Alert, row.id);
        let named = changed.len() <= NAMED_MAX;
        draft = draft.target(if named { target.named(&row.title) } else { target });
    }
    let draft = skipped_if(changed.is_empty(), draft);
    Ok(Done { value: ids, draft })
}

fn drafted<P: Payload>(payload: &P) -> Result<Draft, Error> {
    Draft::new(payload)
}

impl Engine {
    /// Does something about alerts (operations `alert.acknowledge`, `alert.assign`,
    /// `alert.snooze`, `alert.resolve`, `alert.reopen`). What somebody acts on counts as read by
    /// them.
    ///
    /// # Errors
    /// A field of the action cannot be accepted, the caller has no account, one of the alerts that
    /// are named does not exist, or there are too many.
    pub async fn settle_alerts(
        &self,
        context: &Context,
        selection: &Selection,
        action: &Action,
    ) -> Result<Settled, Error> {
        let ids = match self.checked(context, selection, action).await {
            Ok(ids) => ids,
            Err(error) => return Err(action.begin(self, context)?.fail(error).await),
        };
        let mut settled = Settled::default();
        for (place, part) in ids.chunks(BATCH).enumerate() {
            let (event, rows) = self.settle_batch(context, part, action, settled.undo).await?;
            settled.unchanged.extend(part.iter().filter(|id| !rows.contains(id)));
            settled.undo = settled.undo.or((!rows.is_empty()).then_some(event));
            settled.changed.extend(rows);
            if place % 10 == 9 {
                tokio::task::yield_now().await;
            }
        }
        Ok(settled)
    }

    async fn checked(
        &self,
        context: &Context,
        selection: &Selection,
        action: &Action,
    ) -> Result<Vec<AlertId>, Error> {
        context.require(Permission::AlertWrite)?;
        if context.account_id().is_none() {
            return Err(Error::Unauthenticated);
        }
        action.check(self.environment().now())?;
        let ids = self.selected(context, selection).await?;
        // An operation that selected nothing is one all the same.
        if ids.is_empty() {
            return Err(Error::Conflict {
                reason: "nothing_selected",
                message: "no alert is selected".to_owned(),
            });
        }
        Ok(ids)
    }

    async fn settle_batch(
        &self,
        context: &Context,
        ids: &[AlertId],
        action: &Action,
        change: Option<EventId>,
    ) -> Result<(EventId, Vec<AlertId>), Error> {
        let operation = action.begin(self, context)?;
        let change = change.unwrap_or(operation.event());
        let Some(own) = context.account_id() else {
            return Err(operation.fail(Error::Unauthenticated).await);
        };
        let work = Arc::new((ids.to_vec(), action.clone()));
        let changed = operation
            .run(move |tx, scribe| {
                let work = work.clone();
                Box::pin(async move {
                    let (ids, action) = &*work;
                    if let Action::Assign(Some(to)) = action {
                        let found = account::find(tx, *to).await?;
                        if found.is_none_or(|account| account.disabled) {
                            let message = "an account that exists and is not disabled";
                            return Err(Error::invalid("assigned_to", message));
                        }
                    }
                    let now = scribe.now();
                    let mut changed = Vec::new();
                    for row in alert::several(tx, ids).await? {
                        let mut after = row.clone();
                        if action.apply(tx, &mut after, own, now).await? {
                            alert::update(tx, &after).await?;
                            changed.push((row, after));
                        }
                    }
                    close(tx, scribe, action, change, &changed).await
                })
            })
            .await?;
        Ok((change, changed))
    }

    /// The alerts that a selection names.
    pub(super) async fn selected(
        &self,
        context: &Context,
        selection: &Selection,
    ) -> Result<Vec<AlertId>, Error> {
        let too_many = || Error::Conflict {
            reason: "too_many",
            message: format!("more than {SELECTION_MAX} alerts are selected; narrow the search"),
        };
        let mut link = self.link().await?;
        match selection {
            Selection::Ids(ids) => {
                let mut ids = ids.clone();
                ids.sort();
                ids.dedup();
                if ids.len() > SELECTION_MAX {
                    return Err(too_many());
                }
                for part in ids.chunks(500) {
                    let known = alert::several(&mut link, part).await?;
                    let missing = part.iter().find(|id| known.iter().all(|row| row.id != **id));
                    if let Some(id) = missing {
                        return Err(Error::not_found("alert", id));
                    }
                }
                drop(link);
                let sight = self.alerts_in_sight(context, &ids).await?;
                match ids.iter().find(|id| !sight.contains(id)) {
                    Some(id) => Err(Error::not_found("alert", id)),
                    None => Ok(ids),
                }
            }
            Selection::Filter(filter) => {
                let request = alert::search::PageRequest {
                    sort: Sort::Created,
                    descending: true,
                    after: None,
                    limit: SELECTION_MAX + 1,
                };
                let filter = filter.in_sight(self, context).await?;
                let rows = filter.search(self, context).page(&mut link, &request).await?;
                if rows.len() > SELECTION_MAX {
                    return Err(too_many());
                }
                Ok(rows.into_iter().map(|row| row.id).collect())
            }
        }
    }
}

impl Engine {
    /// The account that a login name, `me` or an identifier means, for [`Action::Assign`].
    ///
    /// # Errors
    /// There is none, or the caller may not assign alerts.
    pub async fn assignee(&self, context: &Context, text: &str) -> Result<AccountId, Error> {
        context.require(Permission::AlertWrite)?;
        if text == "me" {
            return context.account_id().ok_or(Error::Unauthenticated);
        }
        let mut link = self.link().await?;
        let found = match text.parse::<AccountId>() {
            Ok(id) => account::find(&mut link, id).await?,
            Err(_) => account::by_name(&mut link, &text.to_ascii_lowercase()).await?,
        };
        let found = found.filter(|account| !account.disabled);
        let message = "the login name of an account that is not disabled";
        Ok(found.ok_or_else(|| Error::invalid("assigned_to", message))?.id)
    }
}
