//! What an account has read (operation `alert.read`). Its own matter: nobody else's list changes.

use chancery_event::id::AlertId;
use chancery_event::types::alert as types;
use chancery_event::{Outcome, Target, TargetKind, Verdict};
use chancery_store::table::alert::{self, mark};

use super::action::{Selection, TARGETS_MAX};
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

impl Engine {
    /// Marks alerts as read or unread for the caller; answers those that it changed.
    ///
    /// # Errors
    /// The caller has no account, or one of the alerts that are named does not exist.
    pub async fn mark_alerts(
        &self,
        context: &Context,
        selection: &Selection,
        read: bool,
    ) -> Result<Vec<AlertId>, Error> {
        let marked_as = if read { "read" } else { "unread" };
        let attempt = types::Read { alerts: 0, marked_as: marked_as.into(), everything: false };
        let operation = self.operation(context, Permission::OwnWrite, &attempt)?;
        let Some(own) = context.account_id() else {
            return Err(operation.fail(Error::Unauthenticated).await);
        };
        let ids = match self.selected(context, selection).await {
            Ok(ids) => ids,
            Err(error) => return Err(operation.fail(error).await),
        };
        operation
            .run(move |tx, scribe| {
                let (ids, attempt) = (ids.clone(), attempt.clone());
                Box::pin(async move {
                    let mut changed = Vec::new();
                    for part in ids.chunks(500) {
                        let unread = mark::unread_among(tx, own, part).await?;
                        let rows = alert::several(tx, part).await?;
                        let differs = rows.iter().filter(|row| unread.contains(&row.id) == read);
                        changed.extend(differs.map(|row| row.id));
                    }
                    mark::set(tx, own, &changed, !read, scribe.now()).await?;
                    let alerts = changed.len() as u64;
                    let mut draft = Draft::new(&types::Read { alerts, ..attempt })?;
                    for id in changed.iter().take(TARGETS_MAX) {
                        draft = draft.target(Target::new(TargetKind::Alert, id));
                    }
                    Ok(Done { value: changed, draft: skipped_if(alerts == 0, draft) })
                })
            })
            .await
    }

    /// Marks everything there is as read for the caller; answers how many alerts were unread.
    ///
    /// # Errors
    /// The caller has no account.
    pub async fn mark_all_alerts_read(&self, context: &Context) -> Result<u64, Error> {
        self.sweep(context, true).await
    }

    /// Takes the last [`Engine::mark_all_alerts_read`] of the caller back.
    ///
    /// # Errors
    /// The caller has no account.
    pub async fn unmark_all_alerts_read(&self, context: &Context) -> Result<u64, Error> {
        self.sweep(context, false).await
    }

    async fn sweep(&self, context: &Context, read: bool) -> Result<u64, Error> {
        let marked_as = if read { "read" } else { "unread" };
        let attempt = types::Read { alerts: 0, marked_as: marked_as.into(), everything: true };
        let operation = self.operation(context, Permission::OwnWrite, &attempt)?;
        let Some(own) = context.account_id() else {
            return Err(operation.fail(Error::Unauthenticated).await);
        };
        operation
            .run(move |tx, scribe| {
                let attempt = attempt.clone();
                Box::pin(async move {
                    let unread = mark::unread_count(tx, own, u64::MAX / 4).await?;
                    let (until, before) = mark::reader(tx, own).await?;
                    let alerts = if read {
                        mark::set_reader(tx, own, scribe.now().micros(), until).await?;
                        unread
                    } else {
                        mark::set_reader(tx, own, before, before).await?;
                        mark::unread_count(tx, own, u64::MAX / 4).await?.saturating_sub(unread)
                    };
                    let draft = Draft::new(&types::Read { alerts, ..attempt })?;
                    Ok(Done { value: alerts, draft: skipped_if(alerts == 0, draft) })
                })
            })
            .await
    }
}

/// An operation that found nothing to change says so.
pub(super) fn skipped_if(nothing: bool, draft: Draft) -> Draft {
    if !nothing {
        return draft;
    }
    draft.outcome(Outcome {
        result: Verdict::Skipped,
        reason: Some("unchanged".into()),
        message: Some("nothing had to change".to_owned()),
    })
}
