//! On whose behalf an operation runs: built at the edge after authentication, carried into every
//! event.

use std::borrow::Cow;

use chancery_event::id::{AccountId, EventId, SessionId, TokenId, TransactionId};
use chancery_event::{Actor, ActorKind, Authentication, Environment, Origin, Personal, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Error, Permission, Role};

/// Where a request came from. Personal data: it goes into the erasable part of events only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Address of the client, behind trusted proxies the forwarded one.
    pub ip: Option<String>,
    /// What the client says it is, shortened to 256 characters.
    pub user_agent: Option<String>,
}

/// Who asks, how they proved it, by which way, within which unit of work.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who acts.
    pub actor: Actor,
    /// Login name, for the personal part of events.
    pub name: Option<String>,
    /// What they may do; `None`: nothing.
    pub role: Option<Role>,
    /// How they proved who they are.
    pub authentication: Option<Authentication>,
    /// By which way the request came in.
    pub origin: Origin,
    /// Where it came from.
    pub client: Client,
    /// The browser session.
    pub session: Option<SessionId>,
    /// When the password was last given in it.
    pub proved_at: Option<Timestamp>,
    /// The unit of work that the events of this request share.
    pub transaction: TransactionId,
    /// The event that brought this about.
    pub cause: Option<EventId>,
    /// How many causes stand behind it.
    pub depth: u16,
}

impl Context {
    /// Somebody who has not proved who they are.
    pub fn anonymous(environment: &Environment, origin: Origin, client: Client) -> Self {
        Self {
            actor: Actor::ANONYMOUS,
            name: None,
            role: None,
            authentication: None,
            origin,
            client,
            session: None,
            proved_at: None,
            transaction: environment.id(),
            cause: None,
            depth: 0,
        }
    }

    /// The program itself: background loops, the first start.
    pub fn system(environment: &Environment) -> Self {
        Self {
            actor: Actor::SYSTEM,
            role: Some(Role::Administrator),
            ..Self::anonymous(environment, Origin::Schedule, Client::default())
        }
    }

    /// Somebody with access to the data directory, at the command line.
    pub fn command_line(environment: &Environment) -> Self {
        Self {
            authentication: Some(Authentication { method: "process".into(), credential: None }),
            origin: Origin::Cli,
            ..Self::system(environment)
        }
    }

    /// An account that authenticated by `method` (`password`, `token`).
    pub fn account(
        environment: &Environment,
        origin: Origin,
        client: Client,
        account: AccountId,
        name: String,
        role: Role,
        authentication: Authentication,
    ) -> Self {
        Self {
            actor: Actor {
                kind: ActorKind::Account,
                id: Some(account.to_string()),
                role: Some(Cow::Borrowed(role.as_str())),
            },
            name: Some(name),
            role: Some(role),
            authentication: Some(authentication),
            ..Self::anonymous(environment, origin, client)
        }
    }

    /// The account that acts, if it is one.
    pub fn account_id(&self) -> Option<AccountId> {
        match self.actor.kind {
            ActorKind::Account => self.actor.id.as_deref()?.parse().ok(),
            _ => None,
        }
    }

    /// The token that acts, if it is one.
    pub fn token_id(&self) -> Option<TokenId> {
        let authentication = self.authentication.as_ref()?;
        (authentication.method == "token")
            .then(|| authentication.credential.as_deref()?.parse().ok())?
    }

    /// Whether the caller has a permission.
    pub fn may(&self, permission: Permission) -> bool {
        self.role.is_some_and(|role| role.may(permission))
    }

    /// Refuses callers without the permission.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] or [`Error::Forbidden`].
    pub fn require(&self, permission: Permission) -> Result<(), Error> {
        match self.role {
            None => Err(Error::Unauthenticated),
            Some(role) if role.may(permission) => Ok(()),
            Some(role) => Err(Error::Forbidden { permission, role }),
        }
    }

    /// The personal part that every event of this context carries.
    pub(crate) fn personal(&self) -> Personal {
        Personal {
            actor_name: self.name.clone(),
            client_ip: self.client.ip.clone(),
            user_agent: self.client.user_agent.clone(),
            session: self.session.map(|id| id.to_string()),
            ..Personal::default()
        }
    }

    /// What a job needs to act on behalf of this context later.
    pub(crate) fn carried(&self) -> Carried {
        Carried {
            actor: self.actor.clone(),
            name: self.name.clone(),
            role: self.role.map(|role| role.as_str().to_owned()),
            authentication: self.authentication.clone(),
            origin: self.origin,
            client_ip: self.client.ip.clone(),
            transaction: self.transaction,
            cause: self.cause,
            depth: self.depth,
        }
    }
}

/// A context as a job carries it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Carried {
    actor: Actor,
    name: Option<String>,
    role: Option<String>,
    authentication: Option<Authentication>,
    origin: Origin,
    client_ip: Option<String>,
    transaction: TransactionId,
    cause: Option<EventId>,
    depth: u16,
}

impl Carried {
    pub(crate) fn context(self) -> Context {
        Context {
            actor: self.actor,
            name: self.name,
            role: self.role.as_deref().and_then(Role::parse),
            authentication: self.authentication,
            origin: self.origin,
            client: Client { ip: self.client_ip, user_agent: None },
            session: None,
            proved_at: None,
            transaction: self.transaction,
            cause: self.cause,
            depth: self.depth,
        }
    }
}
