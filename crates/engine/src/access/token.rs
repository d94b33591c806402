//! API tokens: made once, shown once, stored as a hash.

use chancery_event::id::{AccountId, TokenId};
use chancery_event::types::account as types;
use chancery_event::{Target, TargetKind, Timestamp};
use chancery_store::table::{account, token};
use chancery_store::{Link, Tx};

use super::account::is_over;
use super::session::{random_text, sha256};
use crate::configuration::{name, shortened};
use crate::delivery::ready;
use crate::operation::Done;
use crate::scribe::{Draft, Scribe};
use crate::{Context, Engine, Error, Permission, Role, Secret};

/// Longest life of a token, in days.
pub const DAYS_MAX: u32 = 366;

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// On whose behalf: the identifier of an account; `None`: the caller's own.
    pub account: Option<String>,
    /// Its role, by its word; `None`: that of the account.
    pub role: Option<String>,
    /// How long it lives, in days.
    pub days: u32,
}

/// A token without its secret.
#[derive(Clone, Debug)]
pub struct TokenView {
    /// Its identifier.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// On whose behalf.
    pub account: AccountId,
    /// Login name of that account.
    pub account_name: String,
    /// Its role.
    pub role: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used_at: Option<Timestamp>,
}

/// A token that was just made.
pub struct CreatedToken {
    /// Its identifier.
    pub id: TokenId,
    /// The token; never shown again.
    pub secret: Secret<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Engine {
    /// Makes an API token (operation `token.create`). One that a token makes goes with it when it
    /// is revoked; one for the same account does not outlast it either.
    ///
    /// # Errors
    /// The name is empty, the life too long, the role more than the account's, or the caller may
    /// not make tokens for others.
    pub async fn create_token(
        &self,
        context: &Context,
        new: NewToken,
    ) -> Result<CreatedToken, Error> {
        let own = context.account_id();
        let wished = new.account.as_deref().map_or(Ok(own), |text| account_of(text).map(Some));
        let account_id: Option<AccountId> = wished.as_ref().ok().copied().flatten();
        let permission = match wished {
            Ok(account) if account == own => Permission::OwnWrite,
            _ => Permission::AccountWrite,
        };
        let role = new.role.as_deref().map(Role::named).transpose();
        let attempt = types::TokenCreate {
            token_id: None,
            account_id,
            scopes: role.iter().flatten().map(Role::to_string).collect(),
            expires_at: None,
            token_name: Some(shortened(&new.name)),
        };
        let operation = self.operation(context, permission, &attempt)?;
        let checked = self.may_make(context, permission, &new).and_then(|()| {
            let nobody = || Error::invalid("account", "name the account it acts for");
            Ok((wished?.ok_or_else(nobody)?, role?))
        });
        let (operation, (account_id, role)) = ready(operation, checked).await?;
        let (caller, maker, is_own) = (context.role, context.token_id(), own == Some(account_id));
        operation
            .run(move |tx, scribe| {
                let (new, attempt) = (new.clone(), attempt.clone());
                Box::pin(async move {
                    let account = account::find(tx, account_id).await?;
                    let account = account.ok_or_else(|| Error::not_found("account", account_id))?;
                    let now = scribe.now();
                    let role = granted(&account, role, caller, now)?;
                    let wish = now.plus(i64::from(new.days) * Timestamp::DAY);
                    let expires_at = end(tx, &account, maker.filter(|_| is_own), wish).await?;
                    let secret = format!("chy_{}", random_text(scribe.environment()));
                    let row = token::Token {
                        id: scribe.environment().id::<TokenId>(),
                        secret_hash: sha256(&secret),
                        name: new.name.trim().to_owned(),
                        account: account_id,
                        role: role.as_str().to_owned(),
                        created_at: now,
                        expires_at,
                        revoked_at: None,
                        used_at: None,
                        made_by: maker,
                    };
                    token::insert(tx, &row).await?;
                    let payload = types::TokenCreate {
                        token_id: Some(row.id),
                        scopes: vec![row.role.clone()],
                        expires_at: Some(row.expires_at),
                        ..attempt
                    };
                    let draft = Draft::new(&payload)?
                        .person(Target::new(TargetKind::Token, row.id), &row.name)
                        .person(Target::new(TargetKind::Account, account_id), account.name);
                    let value = CreatedToken {
                        id: row.id,
                        secret: Secret::new(secret),
                        expires_at: row.expires_at,
                    };
                    Ok(Done { value, draft })
                })
            })
            .await
    }

    fn may_make(
        &self,
        context: &Context,
        permission: Permission,
        new: &NewToken,
    ) -> Result<(), Error> {
        context.require(permission)?;
        self.confirmed(context)?;
        check(new)
    }

    /// Revokes a token (operation `token.revoke`): one's own, or anybody's with
    /// [`Permission::AccountWrite`]. What it made is revoked with it, each with its own event.
    ///
    /// # Errors
    /// There is no such token, or it is revoked already.
    pub async fn revoke_token(&self, context: &Context, id: TokenId) -> Result<(), Error> {
        let mut link = self.link().await?;
        let found = token::find(&mut link, id).await?;
        drop(link);
        let own = found.as_ref().is_some_and(|t| Some(t.account) == context.account_id());
        let permission = if own { Permission::OwnWrite } else { Permission::AccountWrite };
        let attempt = types::TokenRevoke {
            token_id: Some(id),
            account_id: found.as_ref().map(|token| token.account),
            last_used_at: found.as_ref().and_then(|token| token.used_at),
            token_name: found.as_ref().map(|token| token.name.clone()),
        };
        self.operation(context, permission, &attempt)?
            .about(Target::new(TargetKind::Token, id))
            .run(move |tx, scribe| {
                let attempt = attempt.clone();
                Box::pin(async move {
                    let found = token::find(tx, id).await?;
                    let found = found.ok_or_else(|| Error::not_found("token", id))?;
                    if !token::revoke(tx, id, scribe.now()).await? {
                        return Err(Error::Conflict {
                            reason: "already_revoked",
                            message: "the token is revoked already".to_owned(),
                        });
                    }
                    revoke_made_by(tx, scribe, id).await?;
                    let draft = Draft::new(&attempt)?
                        .person(Target::new(TargetKind::Token, id), found.name)
                        .target(Target::new(TargetKind::Account, found.account));
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }

    /// Tokens, newest first: all of them with [`Permission::AccountRead`], else one's own.
    ///
    /// # Errors
    /// The caller is nobody, or the store cannot be read.
    pub async fn tokens(&self, context: &Context) -> Result<Vec<TokenView>, Error> {
        context.require(Permission::OwnWrite)?;
        let only = if context.may(Permission::AccountRead) { None } else { context.account_id() };
        let mut link = self.link().await?;
        let names: std::collections::HashMap<_, _> =
            account::all(&mut link).await?.into_iter().map(|a| (a.id, a.name)).collect();
        Ok(token::all(&mut link, only)
            .await?
            .into_iter()
            .map(|token| TokenView {
                id: token.id,
                account_name: names.get(&token.account).cloned().unwrap_or_default(),
                name: token.name,
                account: token.account,
                role: token.role,
                created_at: token.created_at,
                expires_at: token.expires_at,
                revoked_at: token.revoked_at,
                used_at: token.used_at,
            })
            .collect())
    }
}

/// When a token ends: it does not outlast its account, and one that a token made for its own
/// account does not outlast that one.
async fn end(
    link: &mut Link,
    account: &account::Account,
    maker: Option<TokenId>,
    wish: Timestamp,
) -> Result<Timestamp, Error> {
    let made_by = match maker {
        Some(id) => token::find(link, id).await?,
        None => None,
    };
    let limits = [account.expires_at, made_by.map(|token| token.expires_at)];
    Ok(limits.into_iter().flatten().fold(wish, std::cmp::min))
}

/// The account that a text names.
fn account_of(text: &str) -> Result<AccountId, Error> {
    let wrong = || Error::invalid("account", "this is not the identifier of an account");
    text.parse().map_err(|_| wrong())
}

/// Revokes a token that is found, and records it (`token.revoke`).
async fn revoke_one(tx: &mut Tx, scribe: &Scribe, found: &token::Token) -> Result<(), Error> {
    if !token::revoke(tx, found.id, scribe.now()).await? {
        return Ok(());
    }
    let payload = types::TokenRevoke {
        token_id: Some(found.id),
        account_id: Some(found.account),
        last_used_at: found.used_at,
        token_name: Some(found.name.clone()),
    };
    let draft = Draft::new(&payload)?
        .person(Target::new(TargetKind::Token, found.id), &found.name)
        .target(Target::new(TargetKind::Account, found.account));
    scribe.record(tx, draft).map(|_| ())
}

/// Revokes what a token made, and what that made.
async fn revoke_made_by(tx: &mut Tx, scribe: &Scribe, id: TokenId) -> Result<(), Error> {
    let mut makers = vec![id];
    while let Some(maker) = makers.pop() {
        for made in token::made_by(tx, maker).await? {
            revoke_one(tx, scribe, &made).await?;
            makers.push(made.id);
        }
    }
    Ok(())
}

/// Revokes every token of an account that still works, with what they made.
pub(super) async fn revoke_all(
    tx: &mut Tx,
    scribe: &Scribe,
    account: AccountId,
) -> Result<(), Error> {
    for found in token::all(tx, Some(account)).await? {
        if found.revoked_at.is_none() && found.expires_at > scribe.now() {
            revoke_one(tx, scribe, &found).await?;
            revoke_made_by(tx, scribe, found.id).await?;
        }
    }
    Ok(())
}

/// The role a token gets: no more than its account has, and no more than who makes it.
fn granted(
    account: &account::Account,
    wish: Option<Role>,
    caller: Option<Role>,
    now: Timestamp,
) -> Result<Role, Error> {
    if account.disabled {
        let message = "the account is disabled".to_owned();
        return Err(Error::Conflict { reason: "disabled", message });
    }
    if is_over(account.expires_at, now) {
        let message = "the account has reached its end".to_owned();
        return Err(Error::Conflict { reason: "expired", message });
    }
    let limit = Role::parse(&account.role).unwrap_or(Role::Viewer);
    let role = wish.unwrap_or(limit);
    if !limit.covers(role) || !caller.is_some_and(|caller| caller.covers(role)) {
        let message = format!("{role} is more than the account or you may do");
        return Err(Error::invalid("role", message));
    }
    Ok(role)
}

fn check(new: &NewToken) -> Result<(), Error> {
    name("name", &new.name)?;
    if new.days == 0 || new.days > DAYS_MAX {
        return Err(Error::invalid("days", format!("between 1 and {DAYS_MAX}")));
    }
    Ok(())
}
