//! Local accounts.
//!
//! There is always an administrator who can log in: nobody removes the last one, nor their own
//! rights.

use chancery_event::id::AccountId;
use chancery_event::types::account as types;
use chancery_event::{Target, TargetKind, Timestamp};
use chancery_store::Tx;
use chancery_store::table::account::{self, Account};
use chancery_store::table::session;

use super::password;
use crate::operation::{Done, Operation};
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, Role, Secret};

/// An account to make.
#[derive(Clone)]
pub struct NewAccount {
    /// Login name.
    pub name: String,
    /// What people call it; empty: the login name.
    pub display_name: String,
    /// Mail address.
    pub email: Option<String>,
    /// What it may do.
    pub role: Role,
    /// Its password; `None`: one is made and answered once.
    pub password: Option<Secret<String>>,
}

/// A change of an account. What is absent stays.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// Mail address; empty clears.
    pub email: Option<String>,
    /// What it may do.
    pub role: Option<Role>,
    /// May not log in.
    pub disabled: Option<bool>,
}

/// An account as administrators see it.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// Its identifier.
    pub id: AccountId,
    /// Login name.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// Mail address.
    pub email: Option<String>,
    /// Its role.
    pub role: String,
    /// May not log in.
    pub disabled: bool,
    /// Locked until this time.
    pub locked_until: Option<Timestamp>,
    /// The password must be changed at the next login.
    pub must_change: bool,
    /// Last successful login.
    pub last_login_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts changes.
    pub version: i64,
}

/// A password that was made for somebody; shown once.
pub type OneTimePassword = Option<Secret<String>>;

fn view(account: Account) -> AccountView {
    AccountView {
        id: account.id,
        name: account.name,
        display_name: account.display_name,
        email: account.email,
        role: account.role,
        disabled: account.disabled,
        locked_until: account.locked_until,
        must_change: account.must_change,
        last_login_at: account.last_login_at,
        created_at: account.created_at,
        version: account.version,
    }
}

fn target(id: AccountId) -> Target {
    Target::new(TargetKind::Account, id)
}

fn conflict(reason: &'static str, message: &str) -> Error {
    Error::Conflict { reason, message: message.to_owned() }
}

fn login_name(text: &str) -> Result<String, Error> {
    let name = text.trim().to_lowercase();
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._@-".contains(c);
    if name.is_empty() || name.len() > 100 || !name.chars().all(good) {
        return Err(Error::invalid("name", "1 to 100 of the letters a–z, digits, and . _ @ -"));
    }
    Ok(name)
}

fn email(text: Option<&str>) -> Result<Option<String>, Error> {
    match text.map(str::trim) {
        None | Some("") => Ok(None),
        Some(text)
            if text.len() <= 254
                && text.split('@').count() == 2
                && !text.starts_with('@')
                && !text.ends_with('@')
                && !text.contains(char::is_whitespace) =>
        {
            Ok(Some(text.to_owned()))
        }
        Some(_) => Err(Error::invalid("email", "an address such as grace@example.org")),
    }
}

async fn found(tx: &mut Tx, id: AccountId) -> Result<Account, Error> {
    account::find(tx, id).await?.ok_or_else(|| Error::not_found("account", id))
}

/// Refuses to lose the last administrator who can log in.
async fn keep_an_administrator(tx: &mut Tx, losing: &Account) -> Result<(), Error> {
    let administrator = Role::Administrator.as_str();
    if losing.role == administrator
        && !losing.disabled
        && account::active_with_role(tx, administrator).await? <= 1
    {
        return Err(conflict(
            "last_administrator",
            "this is the last administrator who can log in",
        ));
    }
    Ok(())
}

impl Engine {
    /// All accounts, by login name.
    ///
    /// # Errors
    /// The caller may not see accounts.
    pub async fn accounts(&self, context: &Context) -> Result<Vec<AccountView>, Error> {
        context.require(Permission::AccountRead)?;
        let accounts = account::all(&mut self.link().await?).await?;
        Ok(accounts.into_iter().map(view).collect())
    }

    /// Makes an account (operation `account.create`).
    ///
    /// # Errors
    /// Name, address or password is not usable, or the name is taken.
    pub async fn create_account(
        &self,
        context: &Context,
        new: NewAccount,
    ) -> Result<(AccountId, OneTimePassword), Error> {
        let attempt = types::Create {
            account_id: None,
            account_kind: "person".into(),
            role: new.role.as_str().into(),
            login_name: Some(new.name.clone()),
            display_name: Some(new.display_name.clone()),
            email: new.email.clone(),
        };
        let operation = self.operation(context, Permission::AccountWrite, &attempt)?;
        let (row, generated) = match self.new_account(context, new).await {
            Ok(made) => made,
            Err(error) => return Err(operation.fail(error).await),
        };
        let id = operation
            .run(move |tx, _| {
                let (attempt, row) = (attempt.clone(), row.clone());
                Box::pin(async move {
                    account::insert(tx, &row).await.map_err(|error| match error {
                        chancery_store::Error::Exists(_) => {
                            conflict("name_taken", "another account has this name")
                        }
                        other => other.into(),
                    })?;
                    let payload = types::Create {
                        account_id: Some(row.id),
                        login_name: Some(row.name.clone()),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.person(target(row.id), &row.name);
                    Ok(Done { value: row.id, draft })
                })
            })
            .await?;
        Ok((id, generated))
    }

    /// The row of a new account. Nothing slow happens for callers who may not make one.
    async fn new_account(
        &self,
        context: &Context,
        new: NewAccount,
    ) -> Result<(Account, OneTimePassword), Error> {
        context.require(Permission::AccountWrite)?;
        let name = login_name(&new.name)?;
        let email = email(new.email.as_deref())?;
        let generated = new.password.is_none().then(|| password::generate(self.environment()));
        let secret = match (&new.password, &generated) {
            (Some(given), _) => {
                password::check(given, &name)?;
                given.clone()
            }
            (None, Some(generated)) => generated.clone(),
            (None, None) => return Err(Error::Internal("no password".to_owned())),
        };
        let display_name = match new.display_name.trim() {
            "" => name.clone(),
            text => text.chars().take(200).collect(),
        };
        let row = Account {
            id: self.environment().id(),
            name,
            display_name,
            email,
            role: new.role.as_str().to_owned(),
            password_hash: Some(password::hash(secret, self.environment()).await?),
            must_change: generated.is_some(),
            disabled: false,
            failures: 0,
            locked_until: None,
            last_login_at: None,
            created_at: self.environment().now(),
            version: 1,
        };
        Ok((row, generated))
    }

    /// Changes an account (operation `account.update`). With `version`, only if it still has it.
    ///
    /// # Errors
    /// There is none, somebody changed it first, or nobody could administer any more.
    pub async fn update_account(
        &self,
        context: &Context,
        id: AccountId,
        version: Option<i64>,
        change: AccountChange,
    ) -> Result<(), Error> {
        let attempt = types::Update {
            account_id: Some(id),
            changed: Vec::new(),
            old_role: None,
            new_role: None,
            login_name: None,
            display_name: None,
            email: None,
        };
        let own = context.account_id() == Some(id);
        self.operation(context, Permission::AccountWrite, &attempt)?
            .about(target(id))
            .run(move |tx, _| {
                let (mut payload, change) = (attempt.clone(), change.clone());
                Box::pin(async move {
                    let old = found(tx, id).await?;
                    if version.is_some_and(|version| version != old.version) {
                        return Err(chancery_store::Error::Conflict("the account").into());
                    }
                    let new = changed(&old, &change)?;
                    let less = new.disabled && !old.disabled || new.role != old.role;
                    if less && own {
                        return Err(conflict("own_rights", "nobody takes rights from themselves"));
                    }
                    if new.disabled || new.role != Role::Administrator.as_str() {
                        keep_an_administrator(tx, &old).await?;
                    }
                    account::update(tx, &new).await?;
                    if new.disabled {
                        session::delete_of_account(tx, id, None).await?;
                    }
                    tell(&mut payload, &old, &new);
                    let draft = Draft::new(&payload)?.person(target(id), &new.name);
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }

    /// Deletes an account with its sessions, tokens and views (operation `account.delete`).
    ///
    /// # Errors
    /// There is none, it is the caller's own, or nobody could administer any more.
    pub async fn delete_account(&self, context: &Context, id: AccountId) -> Result<(), Error> {
        let attempt = types::Delete { account_id: Some(id), login_name: None };
        let own = context.account_id() == Some(id);
        self.operation(context, Permission::AccountWrite, &attempt)?
            .about(target(id))
            .run(move |tx, _| {
                Box::pin(async move {
                    let old = found(tx, id).await?;
                    if own {
                        return Err(conflict("own_account", "nobody deletes their own account"));
                    }
                    keep_an_administrator(tx, &old).await?;
                    account::delete(tx, id).await?;
                    let payload =
                        types::Delete { account_id: Some(id), login_name: Some(old.name.clone()) };
                    let draft = Draft::new(&payload)?.person(target(id), &old.name);
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }

    /// Unlocks an account (operation `account.unlock`).
    ///
    /// # Errors
    /// There is none, or it is not locked.
    pub async fn unlock_account(&self, context: &Context, id: AccountId) -> Result<(), Error> {
        let attempt = types::Unlock { account_id: Some(id), login_name: None };
        self.operation(context, Permission::AccountWrite, &attempt)?
            .about(target(id))
            .run(move |tx, scribe| {
                let now = scribe.now();
                Box::pin(async move {
                    let mut account = found(tx, id).await?;
                    if account.locked_until.is_none_or(|until| until <= now) {
                        return Err(conflict("not_locked", "the account is not locked"));
                    }
                    account.locked_until = None;
                    account.failures = 0;
                    account::update(tx, &account).await?;
                    let payload = types::Unlock {
                        account_id: Some(id),
                        login_name: Some(account.name.clone()),
                    };
                    let draft = Draft::new(&payload)?.person(target(id), &account.name);
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }

    /// Gives an account a new password, which is answered once, and ends its sessions (operation
    /// `account.password_reset`).
    ///
    /// # Errors
    /// There is no such account.
    pub async fn reset_password(
        &self,
        context: &Context,
        id: AccountId,
    ) -> Result<Secret<String>, Error> {
        let reset_by =
            if context.account_id().is_some() { "administrator" } else { "command_line" };
        let attempt = reset(id, reset_by, true);
        let operation =
            self.operation(context, Permission::AccountWrite, &attempt)?.about(target(id));
        if let Err(error) = context.require(Permission::AccountWrite) {
            return Err(operation.fail(error).await);
        }
        let secret = password::generate(self.environment());
        let hash = password::hash(secret.clone(), self.environment()).await?;
        self.set_password(operation, id, hash, attempt, None).await?;
        Ok(secret)
    }

    /// Changes the caller's own password and ends their other sessions (operation
    /// `account.update`).
    ///
    /// # Errors
    /// The present password is wrong, or the new one is not usable.
    pub async fn change_own_password(
        &self,
        context: &Context,
        present: Secret<String>,
        new: Secret<String>,
    ) -> Result<(), Error> {
        let id = context.account_id().ok_or(Error::Unauthenticated)?;
        let attempt = types::Update {
            account_id: Some(id),
            changed: vec!["password".to_owned()],
            old_role: None,
            new_role: None,
            login_name: None,
            display_name: None,
            email: None,
        };
        let operation = self.operation(context, Permission::OwnWrite, &attempt)?.about(target(id));
        let hash = match self.new_hash(id, present, new).await {
            Ok(hash) => hash,
            Err(error) => return Err(operation.fail(error).await),
        };
        let keep = context.session;
        operation
            .run(move |tx, _| {
                let (attempt, hash) = (attempt.clone(), hash.clone());
                Box::pin(async move {
                    let mut account = found(tx, id).await?;
                    account.password_hash = Some(hash);
                    account.must_change = false;
                    account::update(tx, &account).await?;
                    session::delete_of_account(tx, id, keep).await?;
                    let draft = Draft::new(&attempt)?.person(target(id), &account.name);
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }

    async fn new_hash(
        &self,
        id: AccountId,
        present: Secret<String>,
        new: Secret<String>,
    ) -> Result<String, Error> {
        let account = account::find(&mut self.link().await?, id).await?;
        let account = account.ok_or(Error::Unauthenticated)?;
        if !password::fits(present, account.password_hash).await? {
            return Err(Error::invalid("present_password", "it is not your present password"));
        }
        password::check(&new, &account.name)?;
        password::hash(new, self.environment()).await
    }

    async fn set_password(
        &self,
        operation: Operation,
        id: AccountId,
        hash: String,
        attempt: types::PasswordReset,
        keep: Option<chancery_event::id::SessionId>,
    ) -> Result<(), Error> {
        operation
            .run(move |tx, _| {
                let (mut payload, hash) = (attempt.clone(), hash.clone());
                Box::pin(async move {
                    let mut account = found(tx, id).await?;
                    account.password_hash = Some(hash);
                    account.must_change = true;
                    account.locked_until = None;
                    account.failures = 0;
                    account::update(tx, &account).await?;
                    let ended = session::delete_of_account(tx, id, keep).await?;
                    payload.sessions_ended = Some(u32::try_from(ended).unwrap_or(u32::MAX));
                    payload.login_name = Some(account.name.clone());
                    let draft = Draft::new(&payload)?.person(target(id), &account.name);
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}

fn reset(id: AccountId, reset_by: &'static str, must_change: bool) -> types::PasswordReset {
    types::PasswordReset {
        account_id: Some(id),
        reset_by: reset_by.into(),
        must_change,
        sessions_ended: None,
        login_name: None,
    }
}

fn changed(old: &Account, change: &AccountChange) -> Result<Account, Error> {
    let mut new = old.clone();
    if let Some(name) = &change.display_name {
        new.display_name = name.trim().chars().take(200).collect();
    }
    if let Some(text) = &change.email {
        new.email = email(Some(text))?;
    }
    if let Some(role) = change.role {
        new.role = role.as_str().to_owned();
    }
    if let Some(disabled) = change.disabled {
        new.disabled = disabled;
    }
    Ok(new)
}

/// Names what changed; about the person only in the personal part.
fn tell(payload: &mut types::Update, old: &Account, new: &Account) {
    let mut note = |member: &str, changed: bool| {
        if changed {
            payload.changed.push(member.to_owned());
        }
    };
    note("display_name", old.display_name != new.display_name);
    note("email", old.email != new.email);
    note("role", old.role != new.role);
    note("disabled", old.disabled != new.disabled);
    if old.role != new.role {
        payload.old_role = Some(old.role.clone().into());
        payload.new_role = Some(new.role.clone().into());
    }
    payload.login_name = Some(new.name.clone());
    payload.display_name = (old.display_name != new.display_name).then(|| new.display_name.clone());
    payload.email = if old.email == new.email { None } else { new.email.clone() };
}
