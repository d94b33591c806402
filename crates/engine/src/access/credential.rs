//! Passwords set anew, locks opened, sessions ended.
//!
//! Whoever gets a password from somebody else must choose another one at the next login, and every
//! session that began with the old one ends.

use chancery_event::id::{AccountId, SessionId};
use chancery_event::types::account as types;
use chancery_event::{Origin, Target, TargetKind, Timestamp};
use chancery_store::table::account::{self, Account};
use chancery_store::table::session as table;

use super::account::{own, target};
use super::session::{end_all, minutes_until};
use super::token::revoke_all;
use super::{SessionView, password};
use crate::alert::cause;
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, Secret};

impl Engine {
    /// Gives somebody a new password, which is answered once (operation `account.password_reset`),
    /// opens a lock, ends all sessions and revokes all tokens: whoever had the account has it no
    /// longer.
    ///
    /// # Errors
    /// There is no such account, or it is the caller's own.
    pub async fn reset_password(
        &self,
        context: &Context,
        id: AccountId,
    ) -> Result<Secret<String>, Error> {
        let by = if context.origin == Origin::Cli { "command_line" } else { "administrator" };
        let attempt = types::PasswordReset {
            account_id: Some(id),
            reset_by: by.into(),
            must_change: true,
            sessions_ended: None,
            login_name: None,
        };
        let operation = self.operation(context, Permission::AccountWrite, &attempt)?;
        let operation = operation.about(target(id));
        let prepared = async {
            context.require(Permission::AccountWrite)?;
            self.confirmed(context)?;
            if context.account_id() == Some(id) {
                return Err(own("own_account", "reset your own password; change it instead"));
            }
            self.account_row(id).await?;
            let secret = password::generate(self.environment());
            Ok((password::hash(secret.clone(), self.environment()).await?, secret))
        };
        let (hash, secret) = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => return Err(operation.fail(error).await),
        };
        let age = self.password_age();
        operation
            .run(move |tx, scribe| {
                let (hash, attempt) = (hash.clone(), attempt.clone());
                Box::pin(async move {
                    let found = account::find(tx, id).await?;
                    let mut row = found.ok_or_else(|| Error::not_found("account", id))?;
                    row.password_hash = Some(hash);
                    row.password_set_at = Some(scribe.now());
                    row.password_ends_at = age.end(scribe.now());
                    row.must_change = true;
                    row.failures = 0;
                    row.locked_until = None;
                    account::update(tx, &row).await?;
                    cause::account_unlocked(tx, scribe, id, "unlocked").await?;
                    let ended = end_all(tx, scribe, id, None, "password_changed").await?;
                    revoke_all(tx, scribe, id).await?;
                    let payload = types::PasswordReset {
                        sessions_ended: Some(ended),
                        login_name: Some(row.name.clone()),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.person(target(id), row.name);
                    Ok(Done { value: (), draft })
                })
            })
            .await?;
        Ok(secret)
    }

    /// Changes the caller's own password (operation `account.update`), ends their other sessions.
    /// Wrong attempts count like failed logins.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `present_password` if it is wrong, [`Error::Locked`] after too many
    /// of those; the new password cannot be accepted or is the old one.
    pub async fn change_own_password(
        &self,
        context: &Context,
        present: Secret<String>,
        new: Secret<String>,
    ) -> Result<(), Error> {
        let caller = context.account_id();
        let attempt = types::Update {
            account_id: caller,
            changed: vec!["password".to_owned()],
            old_role: None,
            new_role: None,
            expires_at: None,
            login_name: context.name.clone(),
            display_name: None,
            email: None,
        };
        let operation = self.operation(context, Permission::OwnWrite, &attempt)?;
        let Some(id) = caller else { return Err(operation.fail(Error::Unauthenticated).await) };
        let operation = operation.about(target(id));
        let (checked, hash) = match self.own_password(context, id, present, new).await {
            Ok(prepared) => prepared,
            Err(error) => return Err(operation.fail(error).await),
        };
        let (keep, age) = (context.session, self.password_age());
        operation
            .run(move |tx, scribe| {
                let (checked, hash, attempt) = (checked.clone(), hash.clone(), attempt.clone());
                Box::pin(async move {
                    let found = account::find(tx, id).await?;
                    let mut row = found.ok_or_else(|| Error::not_found("account", id))?;
                    if row.password_hash != checked {
                        // Somebody set it anew while the old one was being checked.
                        return Err(wrong_present(PRESENT));
                    }
                    let now = scribe.now();
                    if let Some(until) = row.locked_until.filter(|until| *until > now) {
                        return Err(Error::Locked { minutes: minutes_until(until, now) });
                    }
                    row.password_hash = Some(hash);
                    row.password_set_at = Some(scribe.now());
                    row.password_ends_at = age.end(scribe.now());
                    row.must_change = false;
                    row.failures = 0;
                    account::update(tx, &row).await?;
                    end_all(tx, scribe, id, keep, "password_changed").await?;
                    if let Some(keep) = keep {
                        table::proved(tx, keep, now).await?;
                    }
                    let draft = Draft::new(&attempt)?.person(target(id), row.name);
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }

    /// Checks both passwords; answers the stored hash that was checked, and the new one.
    async fn own_password(
        &self,
        context: &Context,
        id: AccountId,
        present: Secret<String>,
        new: Secret<String>,
    ) -> Result<(Option<String>, String), Error> {
        context.require(Permission::OwnWrite)?;
        let same = present.expose() == new.expose();
        let row = self.present_password(context, id, present, PRESENT).await?;
        if same {
            return Err(Error::invalid("password", "it must not be the present one"));
        }
        password::check(&new, &row.name)?;
        Ok((row.password_hash, password::hash(new, self.environment()).await?))
    }

    /// Checks a password that the caller gives once more. A wrong one counts like a failed login.
    pub(super) async fn present_password(
        &self,
        context: &Context,
        id: AccountId,
        present: Secret<String>,
        field: &'static str,
    ) -> Result<Account, Error> {
        let row = self.account_row(id).await?;
        let now = self.environment().now();
        if let Some(until) = row.locked_until.filter(|until| *until > now) {
            return Err(Error::Locked { minutes: minutes_until(until, now) });
        }
        if !password::fits(present, row.password_hash.clone()).await? {
            self.count_failure(context, id).await?;
            return Err(wrong_present(field));
        }
        Ok(row)
    }

    async fn account_row(&self, id: AccountId) -> Result<Account, Error> {
        let found = account::find(&mut self.link().await?, id).await?;
        found.ok_or_else(|| Error::not_found("account", id))
    }

    /// Opens the lock of an account (operation `account.unlock`).
    ///
    /// # Errors
    /// There is no such account, or it is not locked.
    pub async fn unlock_account(&self, context: &Context, id: AccountId) -> Result<(), Error> {
        let attempt = types::Unlock { account_id: Some(id), login_name: None };
        self.operation(context, Permission::AccountWrite, &attempt)?
            .about(target(id))
            .run(move |tx, scribe| {
                Box::pin(async move {
                    let found = account::find(tx, id).await?;
                    let mut row = found.ok_or_else(|| Error::not_found("account", id))?;
                    if row.locked_until.is_none_or(|until| until <= scribe.now()) {
                        return Err(Error::Conflict {
                            reason: "not_locked",
                            message: "the account is not locked".to_owned(),
                        });
                    }
                    row.locked_until = None;
                    row.failures = 0;
                    account::note_logins(tx, &row).await?;
                    cause::account_unlocked(tx, scribe, id, "unlocked").await?;
                    let payload =
                        types::Unlock { account_id: Some(id), login_name: Some(row.name.clone()) };
                    let draft = Draft::new(&payload)?.person(target(id), row.name);
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }

    /// The caller's own sessions that have not ended, newest first.
    ///
    /// # Errors
    /// The caller has no account.
    pub async fn sessions(&self, context: &Context) -> Result<Vec<SessionView>, Error> {
        context.require(Permission::OwnWrite)?;
        let own = context.account_id().ok_or(Error::Unauthenticated)?;
        let now = self.environment().now();
        let idle = i64::from(self.settings().session_idle_minutes) * 60 * Timestamp::SECOND;
        let rows = table::of_account(&mut self.link().await?, own).await?;
        Ok(rows
            .into_iter()
            .filter(|row| row.expires_at > now && row.seen_at.plus(idle) > now)
            .map(|row| SessionView {
                id: row.id,
                created_at: row.created_at,
                seen_at: row.seen_at,
                expires_at: row.expires_at,
                present: Some(row.id) == context.session,
            })
            .collect())
    }

    /// Ends a session (`session.end`): one's own, or anybody's with [`Permission::AccountWrite`].
    ///
    /// # Errors
    /// There is no such session.
    pub async fn end_session(&self, context: &Context, id: SessionId) -> Result<(), Error> {
        let attempt =
            types::SessionEnd { account_id: None, ended_by: "revoked".into(), started_at: None };
        let own = context.account_id();
        let all = context.may(Permission::AccountWrite);
        self.operation(context, Permission::OwnWrite, &attempt)?
            .about(Target::new(TargetKind::Session, id))
            .run(move |tx, _| {
                let attempt = attempt.clone();
                Box::pin(async move {
                    let found = table::find(tx, id).await?;
                    let row = found.filter(|row| Some(row.account) == own || all);
                    let row = row.ok_or_else(|| Error::not_found("session", id))?;
                    table::delete(tx, id).await?;
                    let payload = types::SessionEnd {
                        account_id: Some(row.account),
                        started_at: Some(row.created_at),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?
                        .target(Target::new(TargetKind::Session, id))
                        .target(target(row.account));
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}

/// The member that holds the present password when it is changed.
const PRESENT: &str = "present_password";

pub(super) fn wrong_present(field: &'static str) -> Error {
    Error::invalid(field, "it is not your present password")
}
