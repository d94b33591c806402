//! Searching accounts: the filter is asked of each of them.

use std::borrow::Cow;

use chancery_event::Timestamp;
use chancery_event::filter::{Field, FieldKind, Filter, Keywords, Object, Schema, Values};

use super::AccountView;
use super::account::is_over;
use crate::{Context, Engine, Error, Role};

const STATES: [&str; 5] = ["active", "disabled", "expired", "locked", "must_change"];

/// The fields accounts are filtered by.
fn schema() -> Schema {
    let known = |words: &[&'static str]| FieldKind::Keyword(Keywords::known(words.iter().copied()));
    let time = |name: &str, doc: &str| Field::new(name, FieldKind::Timestamp, doc);
    let text = |name: &str, doc: &str| Field::new(name, FieldKind::Text, doc);
    let roles = Role::ALL.map(Role::as_str);
    Schema::new(
        "account",
        vec![
            text("name", "Login name"),
            text("display_name", "What people call it"),
            text("email", "Mail address"),
            Field::new("role", known(&roles), "What it may do").facet(),
            Field::new("state", known(&STATES), "Whether somebody can log in with it").facet(),
            time("ends", "From when on it may not be used").alias("expires"),
            time("logged_in", "When somebody last logged in with it").alias("last_login"),
            time("password_set", "When its password was set"),
            time("created", "When it was made"),
            Field::new("id", FieldKind::Id, "Its identifier"),
        ],
    )
}

impl AccountView {
    /// Whether somebody can log in with it at `now`: `active`, `disabled`, `expired`, `locked` or
    /// `must_change`.
    pub fn state(&self, now: Timestamp) -> &'static str {
        match self.locked_until {
            _ if self.disabled => "disabled",
            _ if is_over(self.expires_at, now) => "expired",
            Some(until) if until > now => "locked",
            _ if self.must_change => "must_change",
            _ => "active",
        }
    }
}

struct Searchable<'a>(&'a AccountView, Timestamp);

impl Object for Searchable<'_> {
    fn values(&self, field: &str) -> Values<'_> {
        let Self(account, now) = self;
        let time = |at: Option<Timestamp>| at.map_or(Values::None, |at| Values::time(at.micros()));
        match field {
            "name" => account.name.as_str().into(),
            "display_name" => account.display_name.as_str().into(),
            "email" => account.email.as_deref().map_or(Values::None, Into::into),
            "role" => account.role.as_str().into(),
            "state" => account.state(*now).into(),
            "ends" => time(account.expires_at),
            "logged_in" => time(account.last_login_at),
            "password_set" => time(account.password_set_at),
            "created" => Values::time(account.created_at.micros()),
            "id" => account.id.to_string().into(),
            _ => Values::None,
        }
    }

    fn texts(&self) -> Vec<Cow<'_, str>> {
        let Self(account, _) = self;
        let all = [Some(&account.name), Some(&account.display_name), account.email.as_ref()];
        all.into_iter().flatten().map(|text| text.as_str().into()).collect()
    }
}

impl Engine {
    /// The fields accounts are filtered by.
    pub fn account_schema(&self) -> Schema {
        schema()
    }

    /// Accounts that fit a filter, by login name.
    ///
    /// # Errors
    /// The filter cannot be understood, or the caller may not see accounts.
    pub async fn find_accounts(
        &self,
        context: &Context,
        filter: &str,
    ) -> Result<Vec<AccountView>, Error> {
        let schema = schema();
        let filter = Filter::parse(filter, &schema)?.compile(&schema)?;
        let now = self.environment().now();
        let mut accounts = self.accounts(context).await?;
        accounts.retain(|account| filter.holds(&Searchable(account, now), now.micros()));
        Ok(accounts)
    }
}
