//! Logging in and out, and finding out who stands behind a cookie or a bearer token.

mod over;

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_event::id::{AccountId, SessionId};
use chancery_event::types::account as types;
use chancery_event::{Authentication, Origin, Target, TargetKind, Timestamp};
use chancery_store::Tx;
use chancery_store::table::account::Account;
use chancery_store::table::{account, session, token};

use super::account::is_over;
use super::limit::{Answer, Limiter};
use super::refusal::{caller, network};
use super::{FAILURES_MAX, LOCK_MINUTES, browser, password};
use crate::alert::cause;
use crate::context::Client;
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission, Role, Secret};

pub(crate) use over::{end_all, sweep};

/// How long a request waits until the use of its credential is written down.
const NOTED_MAX: Duration = Duration::from_millis(500);

/// What a client shows.
#[derive(Clone)]
pub enum Credential {
    /// The value of the session cookie.
    Cookie(Secret<String>),
    /// A bearer token.
    Bearer(Secret<String>),
}

/// Who stands behind a credential.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The context for operations.
    pub context: Context,
    /// The account.
    pub account: AccountId,
    /// Its login name.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// What it may do.
    pub role: Role,
    /// The token that forms of this session must carry; `None` for bearer tokens.
    pub csrf: Option<String>,
    /// The password must be changed first.
    pub must_change: bool,
    /// … because it has reached the age that passwords may reach.
    pub password_over: bool,
}

/// A session that has just begun.
pub struct LoggedIn {
    /// The value for the cookie.
    pub cookie: Secret<String>,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// The mark of the browser for the next login, good for [`super::MARK_DAYS`].
    pub mark: Secret<String>,
    /// The password must be changed first.
    pub must_change: bool,
}

/// A session as its owner sees it.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// Its identifier.
    pub id: SessionId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
    /// It is the one that asks.
    pub present: bool,
}

pub(crate) fn sha256(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

/// 32 random bytes as text: a secret for a cookie or a token.
pub(crate) fn random_text(environment: &chancery_event::Environment) -> String {
    URL_SAFE_NO_PAD.encode(environment.random::<32>())
}

/// What became of a password.
enum Check {
    Right,
    Wrong,
    Locked(Timestamp),
    Disabled,
}

impl Engine {
    /// Finds out who stands behind a credential.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] if nobody does: unknown, expired, revoked, disabled.
    pub async fn authenticate(
        &self,
        credential: &Credential,
        origin: Origin,
        client: Client,
    ) -> Result<Identity, Error> {
        match credential {
            Credential::Cookie(secret) => self.by_cookie(secret, origin, client).await,
            Credential::Bearer(secret) => self.by_token(secret, origin, client).await,
        }
    }

    async fn by_cookie(
        &self,
        secret: &Secret<String>,
        origin: Origin,
        client: Client,
    ) -> Result<Identity, Error> {
        let now = self.environment().now();
        let mut link = self.link().await?;
        let found = session::by_secret(&mut link, &sha256(secret.expose())).await?;
        let session = found.ok_or(Error::Unauthenticated)?;
        let idle = i64::from(self.settings().session_idle_minutes) * 60 * Timestamp::SECOND;
        if session.expires_at <= now || session.seen_at.plus(idle) <= now {
            return Err(Error::Unauthenticated);
        }
        let account = account::find(&mut link, session.account).await?;
        drop(link);
        let account = account.filter(|a| may_enter(a, now)).ok_or(Error::Unauthenticated)?;
        if now.since(session.seen_at) > 60 * Timestamp::SECOND {
            let id = session.id;
            let seen = self.0.store.transaction("session.seen", move |tx: &mut Tx| {
                Box::pin(async move { Ok::<(), Error>(session::seen(tx, id, now).await?) })
            });
            noted(seen).await;
        }
        let authentication =
            Authentication { method: "password".into(), credential: Some(session.id.to_string()) };
        let role = Role::parse(&account.role).ok_or(Error::Unauthenticated)?;
        let mut identity = self.identity(account, role, origin, client, authentication);
        identity.context.session = Some(session.id);
        identity.context.proved_at = Some(session.proved_at);
        identity.csrf = Some(session.csrf);
        Ok(identity)
    }

    async fn by_token(
        &self,
        secret: &Secret<String>,
        origin: Origin,
        client: Client,
    ) -> Result<Identity, Error> {
        let now = self.environment().now();
        let mut link = self.link().await?;
        let found = token::by_secret(&mut link, &sha256(secret.expose())).await?;
        let token = found
            .filter(|token| token.revoked_at.is_none() && token.expires_at > now)
            .ok_or(Error::Unauthenticated)?;
        let account = account::find(&mut link, token.account).await?;
        drop(link);
        let account = account.filter(|a| may_enter(a, now)).ok_or(Error::Unauthenticated)?;
        let (own, of_account) = (Role::parse(&token.role), Role::parse(&account.role));
        let (Some(own), Some(of_account)) = (own, of_account) else {
            return Err(Error::Unauthenticated);
        };
        // An account that lost its role takes its tokens down with it.
        let role = if of_account.covers(own) { own } else { of_account };
        if token.used_at.is_none_or(|used| now.since(used) > 60 * Timestamp::SECOND) {
            let id = token.id;
            let used = self.0.store.transaction("token.used", move |tx: &mut Tx| {
                Box::pin(async move { Ok::<(), Error>(token::used(tx, id, now).await?) })
            });
            noted(used).await;
        }
        let authentication =
            Authentication { method: "token".into(), credential: Some(token.id.to_string()) };
        let mut identity = self.identity(account, role, origin, client, authentication);
        identity.must_change = false;
        Ok(identity)
    }

    fn identity(
        &self,
        account: Account,
        role: Role,
        origin: Origin,
        client: Client,
        authentication: Authentication,
    ) -> Identity {
        let password_over = is_over(account.password_ends_at, self.environment().now());
        Identity {
            context: Context::account(
                self.environment(),
                origin,
                client,
                account.id,
                account.name.clone(),
                role,
                authentication,
            ),
            account: account.id,
            name: account.name,
            display_name: account.display_name,
            role,
            csrf: None,
            must_change: account.must_change || password_over,
            password_over,
        }
    }

    /// Begins a session with name and password (operation `session.create`).
    ///
    /// # Errors
    /// [`Error::WrongCredentials`], [`Error::Locked`] or [`Error::RateLimited`].
    pub async fn log_in(
        &self,
        client: Client,
        name: &str,
        password: Secret<String>,
    ) -> Result<LoggedIn, Error> {
        self.log_in_marked(client, None, name, password).await
    }

    /// As [`Engine::log_in`], from a browser that shows the mark of an earlier login
    /// ([`LoggedIn::mark`]).
    ///
    /// # Errors
    /// As [`Engine::log_in`].
    pub async fn log_in_marked(
        &self,
        client: Client,
        mark: Option<&str>,
        name: &str,
        password: Secret<String>,
    ) -> Result<LoggedIn, Error> {
        let context = Context::anonymous(self.environment(), Origin::Ui, client);
        let mut link = self.link().await?;
        let account = account::by_name(&mut link, name).await?;
        drop(link);
        let now = self.environment().now();
        let marked = mark.and_then(|mark| browser::marked(&self.0.logins.marks, mark, now));
        let known = marked.filter(|id| account.as_ref().is_some_and(|found| found.id == *id));
        self.limit_logins(&context, known).await?;
        let logged_in = self.try_password(context.clone(), account, name, password).await;
        if logged_in.is_ok()
            && known.is_none()
            && let Some(network) = network(&context)
        {
            self.0.logins.failed.give_back(&network, now);
        }
        logged_in
    }

    /// One login that its caller is allowed: `account` has the name that was given.
    async fn try_password(
        &self,
        mut context: Context,
        account: Option<Account>,
        name: &str,
        password: Secret<String>,
    ) -> Result<LoggedIn, Error> {
        let now = self.environment().now();
        let fits = password::fits(
            password,
            account.as_ref().and_then(|account| account.password_hash.clone()),
        )
        .await?;
        let attempt = types::SessionCreate {
            account_id: account.as_ref().map(|account| account.id),
            method: "password".into(),
            expires_at: None,
            failed_attempts: None,
            attempted_name: Some(name.chars().take(200).collect()),
        };
        let Some(account) = account else {
            // Nobody is behind this name: the attempt is recorded all the same.
            let operation = self.open_operation(&context, &attempt)?;
            return Err(operation.fail(Error::WrongCredentials).await);
        };
        let check = match account.locked_until {
            _ if account.disabled => Check::Disabled,
            _ if is_over(account.expires_at, now) => Check::Disabled,
            Some(until) if until > now => Check::Locked(until),
            _ if fits => Check::Right,
            _ => Check::Wrong,
        };
        match check {
            Check::Right => {
                let role = Role::parse(&account.role).ok_or(Error::WrongCredentials)?;
                let method = Authentication { method: "password".into(), credential: None };
                let name = account.name.clone();
                context = Context::account(
                    self.environment(),
                    Origin::Ui,
                    context.client,
                    account.id,
                    name,
                    role,
                    method,
                );
                self.begin_session(context, account, attempt).await
            }
            Check::Wrong => self.refuse_login(context, account.id, attempt).await,
            Check::Locked(until) => {
                let minutes = minutes_until(until, now);
                let operation = self.open_operation(&context, &attempt)?;
                Err(operation.fail(Error::Locked { minutes }).await)
            }
            Check::Disabled => {
                let operation = self.open_operation(&context, &attempt)?;
                Err(operation.fail(Error::WrongCredentials).await)
            }
        }
    }

    /// An operation open to everybody: logging in.
    fn open_operation(
        &self,
        context: &Context,
        attempt: &types::SessionCreate,
    ) -> Result<crate::operation::Operation, Error> {
        // Who logs in has no role yet; the operation itself is what grants one.
        let mut context = context.clone();
        context.role = context.role.or(Some(Role::Viewer));
        let operation = self.operation(&context, Permission::OwnWrite, attempt)?;
        Ok(match attempt.account_id {
            Some(id) => operation.about(Target::new(TargetKind::Account, id)),
            None => operation,
        })
    }

    /// Takes a login out of what is allowed: to the account `known` where the browser shows its
    /// mark, else to the address, and to its network until the login has turned out well.
    async fn limit_logins(&self, context: &Context, known: Option<AccountId>) -> Result<(), Error> {
        let (logins, failed) = (&self.0.logins.tried, &self.0.logins.failed);
        if let Some(account) = known {
            return self.limit(context, "login", logins, &format!("known {account}")).await;
        }
        self.limit(context, "login", logins, &caller(context)).await?;
        match network(context) {
            Some(network) => self.limit(context, "failed_login", failed, &network).await,
            None => Ok(()),
        }
    }

    async fn limit(
        &self,
        context: &Context,
        limited: &'static str,
        limiter: &Limiter,
        key: &str,
    ) -> Result<(), Error> {
        match limiter.take(key, self.environment().now()) {
            Answer::Allowed => Ok(()),
            Answer::Refused { seconds, first } => {
                if first {
                    self.note_rate_limit(context, limited, limiter).await?;
                }
                Err(Error::RateLimited { seconds })
            }
        }
    }

    /// Requests refused because there were too many, since the start: by what is limited.
    pub fn rate_limited(&self) -> [(&'static str, u64); 2] {
        [("login", self.0.logins.tried.refused()), ("failed_login", self.0.logins.failed.refused())]
    }

    async fn begin_session(
        &self,
        context: Context,
        account: Account,
        attempt: types::SessionCreate,
    ) -> Result<LoggedIn, Error> {
        let operation = self.open_operation(&context, &attempt)?;
        let (id, checked) = (account.id, account.password_hash);
        let browsers = self.0.logins.marks.clone();
        let lifetime = i64::from(self.settings().session_lifetime_hours) * Timestamp::HOUR;
        operation
            .run(move |tx, scribe| {
                let (attempt, checked) = (attempt.clone(), checked.clone());
                let browsers = browsers.clone();
                Box::pin(async move {
                    let now = scribe.now();
                    let ends = now.plus(lifetime);
                    // Disabled, given another password, or locked by other tries, while this one
                    // was being checked?
                    let account = account::find(tx, id).await?;
                    let mut account = account
                        .filter(|it| may_enter(it, now) && it.password_hash == checked)
                        .ok_or(Error::WrongCredentials)?;
                    if let Some(until) = account.locked_until.filter(|until| *until > now) {
                        return Err(Error::Locked { minutes: minutes_until(until, now) });
                    }
                    account.failures = 0;
                    account.locked_until = None;
                    account.last_login_at = Some(now);
                    account::note_logins(tx, &account).await?;
                    cause::account_unlocked(tx, scribe, id, "logged_in").await?;
                    over::make_room(tx, scribe, id).await?;
                    let cookie = random_text(scribe.environment());
                    let session = session::Session {
                        id: scribe.environment().id::<SessionId>(),
                        secret_hash: sha256(&cookie),
                        csrf: random_text(scribe.environment()),
                        account: id,
                        created_at: now,
                        seen_at: now,
                        // A session does not outlast its account.
                        expires_at: account.expires_at.map_or(ends, |end| end.min(ends)),
                        proved_at: now,
                    };
                    session::insert(tx, &session).await?;
                    let payload =
                        types::SessionCreate { expires_at: Some(session.expires_at), ..attempt };
                    let draft = Draft::new(&payload)?
                        .person(Target::new(TargetKind::Account, id), account.name)
                        .target(Target::new(TargetKind::Session, session.id));
                    let value = LoggedIn {
                        mark: browser::mark(&browsers, id, now),
                        cookie: Secret::new(cookie),
                        expires_at: session.expires_at,
                        must_change: account.must_change || is_over(account.password_ends_at, now),
                    };
                    Ok(Done { value, draft })
                })
            })
            .await
    }

    /// Counts a failed login, locks the account after too many, and answers with the refusal.
    async fn refuse_login(
        &self,
        context: Context,
        id: AccountId,
        attempt: types::SessionCreate,
    ) -> Result<LoggedIn, Error> {
        let failures = self.count_failure(&context, id).await?;
        let attempt = types::SessionCreate {
            failed_attempts: Some(u32::try_from(failures).unwrap_or(u32::MAX)),
            ..attempt
        };
        let operation = self.open_operation(&context, &attempt)?;
        Err(operation.fail(Error::WrongCredentials).await)
    }

    /// Counts a wrong password, and locks the account after too many; answers how many in a row.
    pub(crate) async fn count_failure(
        &self,
        context: &Context,
        id: AccountId,
    ) -> Result<i64, Error> {
        let scribe = self.scribe(context);
        self.0
            .store
            .transaction("login.failure", move |tx: &mut Tx| {
                let scribe = scribe.clone();
                Box::pin(async move {
                    let Some(mut account) = account::find(tx, id).await? else {
                        return Ok::<i64, Error>(0);
                    };
                    if account.locked_until.is_some_and(|until| until > scribe.now()) {
                        // Others locked it while this one was being checked: that is counted, and
                        // the lock does not grow.
                        return Ok(account.failures);
                    }
                    account.failures += 1;
                    let failures = account.failures;
                    if failures >= FAILURES_MAX {
                        let until = scribe.now().plus(LOCK_MINUTES * 60 * Timestamp::SECOND);
                        account.locked_until = Some(until);
                        account.failures = 0;
                        let payload = types::Locked {
                            account_id: id,
                            locked_by: "failed_logins".into(),
                            failed_attempts: u32::try_from(failures).unwrap_or(u32::MAX),
                            locked_until: Some(until),
                            login_name: Some(account.name.clone()),
                        };
                        let target = Target::new(TargetKind::Account, id);
                        let draft = Draft::new(&payload)?.person(target, &account.name);
                        let event = scribe.record(tx, draft)?;
                        cause::account_locked(tx, &scribe, id, &account.name, failures, event)
                            .await?;
                    }
                    account::note_logins(tx, &account).await?;
                    Ok(failures)
                })
            })
            .await
    }

    /// Ends the session of the context (operation `session.end`).
    ///
    /// # Errors
    /// There is no session.
    pub async fn log_out(&self, context: &Context) -> Result<(), Error> {
        let (Some(session), Some(account)) = (context.session, context.account_id()) else {
            return Err(Error::Unauthenticated);
        };
        let attempt = types::SessionEnd {
            account_id: Some(account),
            ended_by: "logout".into(),
            started_at: None,
        };
        self.operation(context, Permission::OwnWrite, &attempt)?
            .about(Target::new(TargetKind::Session, session))
            .run(move |tx, _| {
                let attempt = attempt.clone();
                Box::pin(async move {
                    if !session::delete(tx, session).await? {
                        return Err(Error::not_found("session", session));
                    }
                    let draft = Draft::new(&attempt)?
                        .target(Target::new(TargetKind::Session, session))
                        .target(Target::new(TargetKind::Account, account));
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}

/// Whether an account may be used at all.
fn may_enter(account: &Account, now: Timestamp) -> bool {
    !account.disabled && !is_over(account.expires_at, now)
}

/// Minutes until a lock ends, as people are told.
pub(crate) fn minutes_until(until: Timestamp, now: Timestamp) -> i64 {
    until.since(now) / (60 * Timestamp::SECOND) + 1
}

/// Waits a moment until a use is written down. Who reads is not kept out by what cannot be written:
/// the next use is written then.
async fn noted(written: impl Future<Output = Result<(), Error>>) {
    match tokio::time::timeout(NOTED_MAX, written).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the use of a credential was not written down"),
        Err(_) => tracing::warn!("the use of a credential was not written down in time"),
    }
}
