//! Takes back what somebody did about alerts: each of them stands as it stood before, whoever had
//! acknowledged it or given it to whom. What has changed again since is left alone.
//!
//! Each change is kept for [`KEPT`], under the event that it began with. Only who made it takes it
//! back. The events of that are those of the opposite action.

use std::sync::Arc;

use chancery_event::Timestamp;
use chancery_event::id::{AccountId, AlertId, EventId};
use chancery_store::Tx;
use chancery_store::table::account;
use chancery_store::table::alert::change::{self, Change};
use chancery_store::table::alert::{self, Alert};
use serde::{Deserialize, Serialize};

use super::action::{Action, BATCH, Settled, close};
use super::awake;
use crate::{Context, Engine, Error, Permission};

/// How long a change can be taken back.
pub(super) const KEPT: i64 = Timestamp::DAY;

/// What people can change about an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    state: String,
    news_at: Timestamp,
    acknowledged: Option<(AccountId, Timestamp)>,
    assigned_to: Option<AccountId>,
    assigned_by: Option<AccountId>,
    snoozed_until: Option<Timestamp>,
    snooze_ends_on_change: bool,
    resolved_at: Option<Timestamp>,
    resolved_by: Option<AccountId>,
    resolved_because: Option<String>,
}

impl Standing {
    fn of(row: &Alert) -> Self {
        Self {
            state: row.state.clone(),
            news_at: row.news_at,
            acknowledged: row.acknowledged,
            assigned_to: row.assigned_to,
            assigned_by: row.assigned_by,
            snoozed_until: row.snoozed_until,
            snooze_ends_on_change: row.snooze_ends_on_change,
            resolved_at: row.resolved_at,
            resolved_by: row.resolved_by,
            resolved_because: row.resolved_because.clone(),
        }
    }

    /// The same, whatever news there are.
    fn is(&self, other: &Self) -> bool {
        *self == Self { news_at: self.news_at, ..other.clone() }
    }

    fn restore(self, row: &mut Alert, became: &Self, now: Timestamp) {
        if row.news_at == became.news_at {
            row.news_at = self.news_at;
        }
        row.state = self.state;
        row.acknowledged = self.acknowledged;
        row.assigned_to = self.assigned_to;
        row.assigned_by = self.assigned_by;
        row.snoozed_until = self.snoozed_until;
        row.snooze_ends_on_change = self.snooze_ends_on_change;
        row.resolved_at = self.resolved_at;
        row.resolved_by = self.resolved_by;
        row.resolved_because = self.resolved_because;
        if row.state == "snoozed" && row.snoozed_until.is_none_or(|until| until <= now) {
            awake(row);
        }
    }

    /// The action that leads from `became` back to this.
    fn action(&self, became: &Self) -> Action {
        match (self.resolved_at, became.resolved_at) {
            (None, Some(_)) => return Action::Reopen,
            (Some(_), None) => return Action::Resolve { comment: None },
            _ => {}
        }
        let whose = |of: &Self| (of.assigned_to, of.assigned_by);
        if whose(self) != whose(became) {
            return Action::Assign(self.assigned_to);
        }
        match (self.acknowledged, became.acknowledged) {
            (None, Some(_)) => return Action::Unacknowledge,
            (Some(_), None) => return Action::Acknowledge,
            _ => {}
        }
        match self.snoozed_until {
            Some(until) => Action::Snooze { until, until_change: self.snooze_ends_on_change },
            None => Action::Wake,
        }
    }
}

/// Notes how an alert stood and how it stands now.
pub(super) fn noted(before: &Alert, after: &Alert) -> Result<Change, Error> {
    let text = |row: &Alert| {
        serde_json::to_string(&Standing::of(row))
            .map_err(|error| Error::Internal(format!("a change of an alert: {error}")))
    };
    Ok(Change { alert: before.id, was: text(before)?, became: text(after)? })
}

/// An alert to be put back.
#[derive(Clone)]
struct Back {
    alert: AlertId,
    was: Standing,
    became: Standing,
}

fn back(change: &Change) -> Result<Back, Error> {
    let read = |text: &str| {
        serde_json::from_str(text)
            .map_err(|error| Error::Internal(format!("a change of an alert: {error}")))
    };
    Ok(Back { alert: change.alert, was: read(&change.was)?, became: read(&change.became)? })
}

impl Engine {
    /// Takes back what the caller did about alerts, by the event that [`Settled::undo`] named: what
    /// nobody has changed since stands as it stood before. That can be taken back as well.
    ///
    /// # Errors
    /// The caller has made no such change within the last day.
    pub async fn undo_alerts(&self, context: &Context, id: EventId) -> Result<Settled, Error> {
        context.require(Permission::AlertWrite)?;
        let own = context.account_id().ok_or(Error::Unauthenticated)?;
        let changes = change::of(&mut self.link().await?, id, own).await?;
        if changes.is_empty() {
            return Err(Error::not_found("change", id));
        }
        let ids: Vec<_> = changes.iter().map(|change| change.alert).collect();
        let sight = self.alerts_in_sight(context, &ids).await?;
        let mut groups: Vec<(Action, Vec<Back>)> = Vec::new();
        for change in changes.iter().filter(|change| sight.contains(&change.alert)) {
            let back = back(change)?;
            let action = back.was.action(&back.became);
            match groups.iter_mut().find(|(of, _)| *of == action) {
                Some((_, group)) => group.push(back),
                None => groups.push((action, vec![back])),
            }
        }
        let mut settled = Settled::default();
        for (action, group) in groups {
            for part in group.chunks(BATCH) {
                let (event, changed) =
                    self.undo_batch(context, part, &action, settled.undo).await?;
                let unchanged = part.iter().map(|back| back.alert);
                settled.unchanged.extend(unchanged.filter(|id| !changed.contains(id)));
                settled.undo = settled.undo.or((!changed.is_empty()).then_some(event));
                settled.changed.extend(changed);
            }
        }
        Ok(settled)
    }

    async fn undo_batch(
        &self,
        context: &Context,
        part: &[Back],
        action: &Action,
        change: Option<EventId>,
    ) -> Result<(EventId, Vec<AlertId>), Error> {
        let operation = action.begin(self, context)?;
        let change = change.unwrap_or(operation.event());
        let work = Arc::new((part.to_vec(), action.clone()));
        let done = operation.run(move |tx, scribe| {
            let work = work.clone();
            Box::pin(async move {
                let (part, action) = &*work;
                let now = scribe.now();
                let mut changed = Vec::new();
                for back in part {
                    let Some(row) = alert::find(tx, back.alert).await? else { continue };
                    if let Some(after) = restored(tx, &row, back, now).await? {
                        alert::update(tx, &after).await?;
                        changed.push((row, after));
                    }
                }
                close(tx, scribe, action, change, &changed).await
            })
        });
        Ok((change, done.await?))
    }
}

/// The alert as it stood before; `None`: it has changed since, or its cause has another one.
async fn restored(
    tx: &mut Tx,
    row: &Alert,
    back: &Back,
    now: Timestamp,
) -> Result<Option<Alert>, Error> {
    if !back.became.is(&Standing::of(row)) {
        return Ok(None);
    }
    let opens = row.resolved_at.is_some() && back.was.resolved_at.is_none();
    if opens && alert::unresolved(tx, &row.cause_key).await?.is_some() {
        return Ok(None);
    }
    let mut after = row.clone();
    back.was.clone().restore(&mut after, &back.became, now);
    // Whoever it was given to may be gone.
    if let Some(to) = after.assigned_to
        && account::find(tx, to).await?.is_none()
    {
        (after.assigned_to, after.assigned_by) = (None, None);
    }
    Ok(Some(after))
}
