//! Whether a caller who was let in is still let in: for answers that go on for long.
//!
//! A stream or an export begins with a context. Signed out, disabled, demoted or with their token
//! revoked, its reader gets no further: each batch asks here first. Nothing is noted as use.

use chancery_event::ActorKind;
use chancery_store::table::{account, session, token};

use super::is_over;
use crate::{Context, Engine, Error, Role};

impl Engine {
    /// The context as it would be if the caller came now; those of the program itself stay.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] if nobody would be let in.
    pub async fn as_of_now(&self, context: &Context) -> Result<Context, Error> {
        if context.actor.kind != ActorKind::Account {
            return Ok(context.clone());
        }
        let id = context.account_id().ok_or(Error::Unauthenticated)?;
        let now = self.environment().now();
        let mut link = self.link().await?;
        if let Some(session) = context.session {
            let found = session::find(&mut link, session).await?;
            found.filter(|row| row.expires_at > now).ok_or(Error::Unauthenticated)?;
        }
        if let Some(token) = context.token_id() {
            let found = token::find(&mut link, token).await?;
            let holds = |row: &token::Token| row.revoked_at.is_none() && row.expires_at > now;
            found.filter(holds).ok_or(Error::Unauthenticated)?;
        }
        let found = account::find(&mut link, id).await?;
        let row = found.filter(|row| !row.disabled && !is_over(row.expires_at, now));
        let today = row.and_then(|row| Role::parse(&row.role)).ok_or(Error::Unauthenticated)?;
        let role = context.role.map(|then| if today.covers(then) { then } else { today });
        Ok(Context { role, ..context.clone() })
    }
}
