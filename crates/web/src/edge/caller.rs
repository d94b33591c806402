//! What a handler learns about who calls.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chancery_engine::access::Identity;
use chancery_engine::{Context, Permission};
use chancery_event::Timestamp;

use super::Problem;

/// Who calls: put there by the guard of a declared route, and by nothing else.
#[derive(Clone, Debug)]
pub struct Caller {
    context: Context,
    identity: Option<Identity>,
}

impl Caller {
    pub(crate) fn known(identity: Identity) -> Self {
        Self { context: identity.context.clone(), identity: Some(identity) }
    }

    pub(crate) fn anonymous(context: Context) -> Self {
        Self { context, identity: None }
    }

    /// Notes that the password was given again in the session.
    pub(crate) fn confirmed(&mut self, at: Timestamp) {
        self.context.proved_at = Some(at);
    }

    /// The context for operations of the engine.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Who it is, if they proved it.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The token that forms of this session must carry; empty for bearer tokens and the anonymous.
    pub fn csrf(&self) -> &str {
        self.identity.as_ref().and_then(|identity| identity.csrf.as_deref()).unwrap_or_default()
    }

    /// Whether the caller has a permission.
    pub fn may(&self, permission: Permission) -> bool {
        self.context.may(permission)
    }

    /// What the account is called in keys of this process: the account, or nobody.
    pub(crate) fn key(&self) -> String {
        self.identity.as_ref().map(|identity| identity.account.to_string()).unwrap_or_default()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Deny by default: a handler mounted past `Routes` has no caller, and answers nothing.
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}
