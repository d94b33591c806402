//! How old a password may become. The end of each password stands in its row, where monitors see
//! it; when the setting changes, the start of the program computes them anew and records that.

use chancery_event::Timestamp;
use chancery_event::id::AccountId;
use chancery_event::types::account as types;
use chancery_store::table::account::{self, Account};

use super::account::target;
use crate::operation::Done;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// How old a password may become, in microseconds; `None`: as old as it likes.
#[derive(Clone, Copy, Debug)]
pub(super) struct PasswordAge(Option<i64>);

impl PasswordAge {
    /// When a password that was set at this time must be changed.
    pub(super) fn end(self, set_at: Timestamp) -> Option<Timestamp> {
        self.0.map(|age| set_at.plus(age))
    }

    fn of(self, row: &Account) -> Option<Timestamp> {
        row.password_set_at.and_then(|at| self.end(at))
    }
}

impl Engine {
    pub(super) fn password_age(&self) -> PasswordAge {
        let days = self.settings().password_days_max;
        PasswordAge((days > 0).then(|| i64::from(days) * Timestamp::DAY))
    }

    /// Gives every password the end that the setting of now asks for (`account.update` for each
    /// that had another one).
    pub(crate) async fn apply_password_age(&self, context: &Context) -> Result<(), Error> {
        let age = self.password_age();
        let rows = account::all(&mut self.link().await?).await?;
        for row in rows.iter().filter(|row| age.of(row) != row.password_ends_at) {
            self.give_password_end(context, row.id, age).await?;
        }
        Ok(())
    }

    async fn give_password_end(
        &self,
        context: &Context,
        id: AccountId,
        age: PasswordAge,
    ) -> Result<(), Error> {
        let attempt = types::Update {
            account_id: Some(id),
            changed: vec!["password_ends_at".to_owned()],
            old_role: None,
            new_role: None,
            expires_at: None,
            login_name: None,
            display_name: None,
            email: None,
        };
        self.operation(context, Permission::AccountWrite, &attempt)?
            .about(target(id))
            .run(move |tx, _| {
                let attempt = attempt.clone();
                Box::pin(async move {
                    let found = account::find(tx, id).await?;
                    let mut row = found.ok_or_else(|| Error::not_found("account", id))?;
                    row.password_ends_at = age.of(&row);
                    account::update(tx, &row).await?;
                    let draft = Draft::new(&attempt)?.person(target(id), row.name);
                    Ok(Done { value: (), draft })
                })
            })
            .await
    }
}
