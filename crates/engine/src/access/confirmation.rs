//! The password given once more within a session, before what gives power away: tokens, accounts,
//! roles, passwords of others, what others see.
//!
//! Whoever finds a browser that was left open can look; they cannot make themselves a way in that
//! outlasts the session. Tokens and the command line are not asked: they have no password.

use chancery_event::types::account as types;
use chancery_event::{Target, TargetKind, Timestamp};
use chancery_store::table::{account, session};

use super::credential::wrong_present;
use super::session::minutes_until;
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, Secret};

/// The member that holds the password.
const MEMBER: &str = "password";

impl Engine {
    /// Whether the caller has to give the password again ([`Engine::confirm_session`]) before what
    /// gives power away.
    pub fn confirmation_is_due(&self, context: &Context) -> bool {
        let minutes = i64::from(self.settings().session_confirm_minutes);
        if context.session.is_none() || minutes == 0 {
            return false;
        }
        let until = minutes * 60 * Timestamp::SECOND;
        context.proved_at.is_none_or(|at| at.plus(until) <= self.environment().now())
    }

    /// Refuses callers who have to give the password again first.
    pub(crate) fn confirmed(&self, context: &Context) -> Result<(), Error> {
        if self.confirmation_is_due(context) { Err(Error::ConfirmationDue) } else { Ok(()) }
    }

    /// Takes the password of a session once more (operation `session.confirm`); answers when that
    /// was, for [`Context::proved_at`]. Wrong ones count like failed logins.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `password` if it is wrong, [`Error::Locked`] after too many of those;
    /// the caller has no session.
    pub async fn confirm_session(
        &self,
        context: &Context,
        password: Secret<String>,
    ) -> Result<Timestamp, Error> {
        let (caller, session) = (context.account_id(), context.session);
        let attempt = types::SessionConfirm { account_id: caller, method: "password".into() };
        let operation = self.operation(context, Permission::OwnWrite, &attempt)?;
        let (Some(id), Some(session)) = (caller, session) else {
            let message = "only the session of a browser is confirmed".to_owned();
            return Err(operation.fail(Error::Conflict { reason: "no_session", message }).await);
        };
        let target = Target::new(TargetKind::Session, session);
        let operation = operation.about(target.clone());
        let checked = match self.present_password(context, id, password, MEMBER).await {
            Ok(row) => row.password_hash,
            Err(error) => return Err(operation.fail(error).await),
        };
        operation
            .run(move |tx, scribe| {
                let (attempt, checked, target) = (attempt.clone(), checked.clone(), target.clone());
                Box::pin(async move {
                    let found = account::find(tx, id).await?;
                    let mut row = found.ok_or_else(|| Error::not_found("account", id))?;
                    let now = scribe.now();
                    // Set anew, or locked by other tries, while this one was being checked?
                    if row.password_hash != checked {
                        return Err(wrong_present(MEMBER));
                    }
                    if let Some(until) = row.locked_until.filter(|until| *until > now) {
                        return Err(Error::Locked { minutes: minutes_until(until, now) });
                    }
                    if row.failures != 0 {
                        row.failures = 0;
                        account::note_logins(tx, &row).await?;
                    }
                    if !session::proved(tx, session, now).await? {
                        return Err(Error::Unauthenticated);
                    }
                    let draft = Draft::new(&attempt)?
                        .target(target)
                        .person(Target::new(TargetKind::Account, id), row.name);
                    Ok(Done { value: now, draft })
                })
            })
            .await
    }
}
