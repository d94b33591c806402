//! Attempts that end before an operation can begin: a role or an account that is named by a word
//! which is none.
//!
//! The types of the operations take roles and identifiers, so the edge that read the word finds out
//! first. The attempt is recorded all the same, as every refusal of a value is.

use chancery_event::id::AccountId;
use chancery_event::types::account as types;
use chancery_event::{Target, TargetKind};

use crate::configuration::shortened;
use crate::{Context, Engine, Error, Permission};

impl Engine {
    /// Records that somebody tried to make an account (operation `account.create`, failed), and
    /// hands the error back.
    pub async fn refuse_account(&self, context: &Context, name: &str, error: Error) -> Error {
        let attempt = types::Create {
            account_id: None,
            account_kind: "person".into(),
            role: "unknown".into(),
            expires_at: None,
            login_name: Some(shortened(name)),
            display_name: None,
            email: None,
        };
        match self.operation(context, Permission::AccountWrite, &attempt) {
            Ok(operation) => operation.fail(error).await,
            Err(_) => error,
        }
    }

    /// Records that somebody tried to change an account (operation `account.update`, failed), and
    /// hands the error back.
    pub async fn refuse_account_change(
        &self,
        context: &Context,
        id: AccountId,
        error: Error,
    ) -> Error {
        let attempt = types::Update {
            account_id: Some(id),
            changed: Vec::new(),
            old_role: None,
            new_role: None,
            expires_at: None,
            login_name: None,
            display_name: None,
            email: None,
        };
        match self.operation(context, Permission::AccountWrite, &attempt) {
            Ok(operation) => {
                operation.about(Target::new(TargetKind::Account, id)).fail(error).await
            }
            Err(_) => error,
        }
    }

    /// Records that somebody tried to make a token (operation `token.create`, failed), and hands
    /// the error back.
    pub async fn refuse_token(&self, context: &Context, name: &str, error: Error) -> Error {
        let attempt = types::TokenCreate {
            token_id: None,
            account_id: context.account_id(),
            scopes: Vec::new(),
            expires_at: None,
            token_name: Some(shortened(name)),
        };
        match self.operation(context, Permission::OwnWrite, &attempt) {
            Ok(operation) => operation.fail(error).await,
            Err(_) => error,
        }
    }
}
