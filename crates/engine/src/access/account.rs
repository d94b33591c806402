//! Local accounts: made, changed, deleted by administrators.
//!
//! There is always an administrator who can log in, and nobody takes their own power away by
//! mistake. Names and addresses of people stand in the erasable part of events only. A role counts
//! from the next request on: contexts are built per request.

use chancery_event::id::AccountId;
use chancery_event::types::{Word, account as types};
use chancery_event::{Target, TargetKind, Timestamp};
use chancery_store::Link;
use chancery_store::table::account::{self, Account};
use chancery_store::table::contact;
use chancery_store::table::session as sessions;

use super::{password, session};
use crate::configuration::{name, same_version, shortened, taken};
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, Role, Secret, idempotency};

/// Longest mail address, in characters (RFC 5321 §4.5.3.1.3 leaves 254 for the address itself).
const EMAIL_LENGTH_MAX: usize = 254;

/// An account as administrators and auditors see it.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// Its identifier.
    pub id: AccountId,
    /// Login name, lower-case.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// Mail address.
    pub email: Option<String>,
    /// What it may do: the word of a [`Role`].
    pub role: String,
    /// It may not log in, nor may its tokens.
    pub disabled: bool,
    /// From when on neither it nor its tokens may log in; absent: it has no end.
    pub expires_at: Option<Timestamp>,
    /// The password must be changed at the next login.
    pub must_change: bool,
    /// When the password was set; absent: it has none.
    pub password_set_at: Option<Timestamp>,
    /// From when on the password must be changed; absent: never.
    pub password_ends_at: Option<Timestamp>,
    /// Locked until this time; absent when it is not locked now.
    pub locked_until: Option<Timestamp>,
    /// Last successful login.
    pub last_login_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts changes; hand it to [`Engine::update_account`] to change only what was seen.
    pub version: i64,
}

/// An account to make.
#[derive(Clone)]
pub struct NewAccount {
    /// Login name: 1 to 100 of `a`–`z`, `0`–`9`, `.`, `_`, `@`, `-`; upper case is lowered.
    pub name: String,
    /// What people call it; empty: the login name.
    pub display_name: String,
    /// Mail address.
    pub email: Option<String>,
    /// What it may do: the word of a [`Role`].
    pub role: String,
    /// Its password; `None`: one is generated, to be changed at the first login.
    pub password: Option<Secret<String>>,
    /// From when on it may not be used; `None`: it has no end.
    pub expires_at: Option<Timestamp>,
}

/// A password that was made for somebody; shown once.
pub type OneTimePassword = Option<Secret<String>>;

/// What to change of an account. What is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// What people call it; empty: the login name.
    pub display_name: Option<String>,
    /// Mail address; empty clears.
    pub email: Option<String>,
    /// What it may do: the word of a [`Role`].
    pub role: Option<String>,
    /// It may not log in.
    pub disabled: Option<bool>,
    /// From when on it may not be used; `Some(None)` takes the end away.
    pub expires_at: Option<Option<Timestamp>>,
}

impl Engine {
    /// All accounts, by login name.
    ///
    /// # Errors
    /// The caller may not see accounts.
    pub async fn accounts(&self, context: &Context) -> Result<Vec<AccountView>, Error> {
        context.require(Permission::AccountRead)?;
        let now = self.environment().now();
        let rows = account::all(&mut self.link().await?).await?;
        Ok(rows.into_iter().map(|row| view(row, now)).collect())
    }

    /// One account: anybody's with [`Permission::AccountRead`], one's own without.
    ///
    /// # Errors
    /// There is none with this identifier, or the caller may not see it.
    pub async fn account(&self, context: &Context, id: AccountId) -> Result<AccountView, Error> {
        if context.account_id() != Some(id) {
            context.require(Permission::AccountRead)?;
        }
        let found = account::find(&mut self.link().await?, id).await?;
        let row = found.ok_or_else(|| Error::not_found("account", id))?;
        Ok(view(row, self.environment().now()))
    }

    /// Makes an account (operation `account.create`). Answers the password if none was given.
    ///
    /// # Errors
    /// A member cannot be accepted, or the login name is taken.
    pub async fn create_account(
        &self,
        context: &Context,
        new: NewAccount,
    ) -> Result<(AccountId, OneTimePassword), Error> {
        let attempt = types::Create {
            account_id: None,
            account_kind: "person".into(),
            role: known(&new.role),
            expires_at: new.expires_at,
            login_name: Some(shortened(&new.name)),
            display_name: None,
            email: None,
        };
        let operation = self.operation(context, Permission::AccountWrite, &attempt)?;
        let generated = new.password.is_none();
        let prepared = async {
            context.require(Permission::AccountWrite)?;
            self.confirmed(context)?;
            let (row, secret) = self.new_row(&new)?;
            let hash = password::hash(secret.clone(), self.environment()).await?;
            Ok((Account { password_hash: Some(hash), ..row }, secret))
        };
        let (row, secret) = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => return Err(operation.fail(error).await),
        };
        let id = operation
            .run(move |tx, _| {
                let (row, attempt) = (row.clone(), attempt.clone());
                Box::pin(async move {
                    account::insert(tx, &row).await.map_err(taken("an account"))?;
                    let payload = types::Create {
                        account_id: Some(row.id),
                        login_name: Some(row.name.clone()),
                        display_name: Some(row.display_name.clone()),
                        email: row.email.clone(),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?.person(target(row.id), &row.name);
                    Ok(Done { value: row.id, draft })
                })
            })
            .await?;
        Ok((id, generated.then_some(secret)))
    }

    /// The row of a new account, still without its password, and the password.
    fn new_row(&self, new: &NewAccount) -> Result<(Account, Secret<String>), Error> {
        let login = login_name(&new.name)?;
        let role = Role::named(&new.role)?;
        if let Some(given) = &new.password {
            password::check(given, &login)?;
        }
        let secret = new.password.clone();
        let secret = secret.unwrap_or_else(|| password::generate(self.environment()));
        let now = self.environment().now();
        not_past(new.expires_at, now)?;
        let row = Account {
            id: self.environment().id(),
            display_name: display_name(&new.display_name, &login)?,
            name: login,
            email: email(new.email.as_deref())?,
            role: role.as_str().to_owned(),
            password_hash: None,
            must_change: new.password.is_none(),
            password_set_at: Some(now),
            password_ends_at: self.password_age().end(now),
            disabled: false,
            expires_at: new.expires_at,
            failures: 0,
            locked_until: None,
            last_login_at: None,
            created_at: now,
            version: 1,
        };
        Ok((row, secret))
    }

    /// Changes an account (operation `account.update`). Who is disabled is logged out; sessions do
    /// not outlast the account.
    ///
    /// # Errors
    /// There is none, its version is not `version`, a member cannot be accepted, it is the last
    /// administrator, or the caller would take their own power away.
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
            new_role: change.role.as_deref().map(known),
            expires_at: change.expires_at.flatten(),
            login_name: None,
            display_name: None,
            email: None,
        };
        let is_own = context.account_id() == Some(id);
        let is_confirmed = self.confirmed(context).is_ok();
        self.operation(context, Permission::AccountWrite, &attempt)?
            .about(target(id))
            .run(move |tx, scribe| {
                let change = change.clone();
                Box::pin(async move {
                    let found = account::find(tx, id).await?;
                    let before = found.ok_or_else(|| Error::not_found("account", id))?;
                    same_version("the account", before.version, version)?;
                    let row = changed(&before, &change, scribe.now())?;
                    let weaker = is_administrator(&before) && !is_administrator(&row);
                    if is_own && (weaker || row.disabled || before.role != row.role) {
                        return Err(own("own_rights", "take your own power away"));
                    }
                    if weaker {
                        not_the_last(tx).await?;
                    }
                    if gives_power(&before, &row) && !is_confirmed {
                        return Err(Error::ConfirmationDue);
                    }
                    let changed = members(&before, &row);
                    if !changed.is_empty() {
                        account::update(tx, &row).await?;
                    }
                    if row.disabled {
                        session::end_all(tx, scribe, id, None, "revoked").await?;
                    } else if let Some(end) = row.expires_at {
                        sessions::cap(tx, id, end).await?;
                    }
                    if before.role != row.role {
                        idempotency::forget_of(tx, id).await?;
                    }
                    let role = (before.role != row.role).then_some((before.role, &row.role));
                    let payload = types::Update {
                        account_id: Some(id),
                        changed,
                        old_role: role.as_ref().map(|(old, _)| old.clone().into()),
                        new_role: role.as_ref().map(|(_, new)| (*new).clone().into()),
                        expires_at: row.expires_at,
                        login_name: Some(row.name.clone()),
                        display_name: Some(row.display_name.clone()),
                        email: row.email.clone(),
                    };
                    let draft = Draft::new(&payload)?.person(target(id), &row.name);
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }

    /// Deletes an account with its sessions, tokens and views (operation `account.delete`).
    ///
    /// # Errors
    /// There is none, it is the caller's own or the last administrator, automation refers to it, or
    /// it owns certificates: those would have nobody who answers for them.
    pub async fn delete_account(&self, context: &Context, id: AccountId) -> Result<(), Error> {
        let attempt = types::Delete { account_id: Some(id), login_name: None };
        let is_own = context.account_id() == Some(id);
        self.operation(context, Permission::AccountWrite, &attempt)?
            .about(target(id))
            .run(move |tx, scribe| {
                Box::pin(async move {
                    let found = account::find(tx, id).await?;
                    let row = found.ok_or_else(|| Error::not_found("account", id))?;
                    if is_own {
                        return Err(own("own_account", "delete your own account"));
                    }
                    if is_administrator(&row) {
                        not_the_last(tx).await?;
                    }
                    let owned = account::owned(tx, id).await?;
                    if owned > 0 {
                        let noun = if owned == 1 { "certificate" } else { "certificates" };
                        let message = format!("it owns {owned} {noun}; name another owner first");
                        return Err(Error::Conflict { reason: "in_use", message });
                    }
                    crate::automation::check::unreferred(tx, "account", &row.name).await?;
                    session::end_all(tx, scribe, id, None, "revoked").await?;
                    account::delete(tx, id).await?;
                    contact::delete(tx, "account", &id.to_string()).await?;
                    let payload =
                        types::Delete { account_id: Some(id), login_name: Some(row.name.clone()) };
                    let draft = Draft::new(&payload)?.person(target(id), row.name);
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}

/// A role as an event names it: what somebody typed instead of one is not sealed.
fn known(role: &str) -> Word {
    Role::parse(role).map_or("unknown", Role::as_str).into()
}

/// Whether an end, if there is one, has come.
pub(crate) fn is_over(end: Option<Timestamp>, now: Timestamp) -> bool {
    end.is_some_and(|end| end <= now)
}

pub(super) fn target(id: AccountId) -> Target {
    Target::new(TargetKind::Account, id)
}

/// What nobody does to themselves.
pub(super) fn own(reason: &'static str, what: &str) -> Error {
    Error::Conflict { reason, message: format!("you cannot {what}") }
}

/// Whether a change lets an account do what it could not do before.
fn gives_power(before: &Account, after: &Account) -> bool {
    before.role != after.role || before.disabled && !after.disabled
}

/// One who can log in for good: who has an end is not counted on.
fn is_administrator(row: &Account) -> bool {
    row.role == Role::Administrator.as_str() && !row.disabled && row.expires_at.is_none()
}

/// Refuses if there is but one administrator who can log in for good.
async fn not_the_last(link: &mut Link) -> Result<(), Error> {
    if account::lasting_with_role(link, Role::Administrator.as_str()).await? > 1 {
        return Ok(());
    }
    Err(Error::Conflict {
        reason: "last_administrator",
        message: "this is the last administrator who can log in and has no end".to_owned(),
    })
}

/// The row after a change.
fn changed(before: &Account, change: &AccountChange, now: Timestamp) -> Result<Account, Error> {
    let mut row = before.clone();
    if let Some(text) = &change.display_name {
        row.display_name = display_name(text, &row.name)?;
    }
    if let Some(text) = &change.email {
        row.email = email(Some(text))?;
    }
    if let Some(role) = &change.role {
        Role::named(role)?.as_str().clone_into(&mut row.role);
    }
    row.disabled = change.disabled.unwrap_or(row.disabled);
    if let Some(end) = change.expires_at
        && end != row.expires_at
    {
        not_past(end, now)?;
        row.expires_at = end;
    }
    Ok(row)
}

/// An end lies ahead: what is to end at once is disabled, which says so.
fn not_past(end: Option<Timestamp>, now: Timestamp) -> Result<(), Error> {
    if end.is_some_and(|end| end <= now) {
        let message = "it has passed already; to end an account at once, disable it";
        return Err(Error::invalid("expires_at", message));
    }
    Ok(())
}

fn members(before: &Account, after: &Account) -> Vec<String> {
    [
        ("display_name", before.display_name != after.display_name),
        ("email", before.email != after.email),
        ("role", before.role != after.role),
        ("disabled", before.disabled != after.disabled),
        ("expires_at", before.expires_at != after.expires_at),
    ]
    .into_iter()
    .filter(|(_, changed)| *changed)
    .map(|(member, _)| member.to_owned())
    .collect()
}

fn view(row: Account, now: Timestamp) -> AccountView {
    AccountView {
        id: row.id,
        name: row.name,
        display_name: row.display_name,
        email: row.email,
        role: row.role,
        disabled: row.disabled,
        expires_at: row.expires_at,
        must_change: row.must_change || is_over(row.password_ends_at, now),
        password_set_at: row.password_set_at,
        password_ends_at: row.password_ends_at,
        locked_until: row.locked_until.filter(|until| *until > now),
        last_login_at: row.last_login_at,
        created_at: row.created_at,
        version: row.version,
    }
}

/// A login name in its one spelling.
pub(super) fn login_name(text: &str) -> Result<String, Error> {
    let login = text.trim().to_ascii_lowercase();
    let permitted = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '@' | '-');
    if login.is_empty() || login.len() > 100 || !login.chars().all(permitted) {
        let message = "1 to 100 characters out of a–z, 0–9, “.”, “_”, “@” and “-”";
        return Err(Error::invalid("name", message));
    }
    Ok(login)
}

fn display_name(text: &str, login: &str) -> Result<String, Error> {
    name("display_name", if text.trim().is_empty() { login } else { text })
}

/// A mail address that is one at a glance; whether it works shows when a mail is sent.
fn email(text: Option<&str>) -> Result<Option<String>, Error> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let parts = text.rsplit_once('@');
    let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace());
    if !plain
        || text.chars().count() > EMAIL_LENGTH_MAX
        || parts.is_none_or(|(local, domain)| local.is_empty() || domain.is_empty())
    {
        return Err(Error::invalid("email", "expected an address, such as ada@example.org"));
    }
    Ok(Some(text.to_owned()))
}
