//! Searching API tokens: the filter is asked of each one that the caller may see.

use std::borrow::Cow;

use chancery_event::Timestamp;
use chancery_event::filter::{Field, FieldKind, Filter, Keywords, Object, Schema, Values};

use super::TokenView;
use crate::{Context, Engine, Error, Role};

const STATES: [&str; 3] = ["active", "ended", "revoked"];

/// The fields tokens are filtered by.
fn schema() -> Schema {
    let known = |words: &[&'static str]| FieldKind::Keyword(Keywords::known(words.iter().copied()));
    let time = |name: &str, doc: &str| Field::new(name, FieldKind::Timestamp, doc);
    let roles = Role::ALL.map(Role::as_str);
    Schema::new(
        "token",
        vec![
            Field::new("name", FieldKind::Text, "What it is for"),
            Field::new(
                "account",
                FieldKind::Keyword(Keywords::open()),
                "Login name of its account",
            ),
            Field::new("role", known(&roles), "Its role").facet(),
            Field::new("state", known(&STATES), "Whether it can be used").facet(),
            time("ends", "When it ends").alias("expires"),
            time("used", "When it was last used").alias("last_used"),
            time("created", "When it was made"),
            Field::new("id", FieldKind::Id, "Its identifier"),
        ],
    )
}

impl TokenView {
    /// Whether it can be used at `now`: `active`, `ended` or `revoked`.
    pub fn state(&self, now: Timestamp) -> &'static str {
        match self.revoked_at {
            Some(_) => "revoked",
            None if self.expires_at <= now => "ended",
            None => "active",
        }
    }
}

struct Searchable<'a>(&'a TokenView, Timestamp);

impl Object for Searchable<'_> {
    fn values(&self, field: &str) -> Values<'_> {
        let Self(token, now) = self;
        match field {
            "name" => token.name.as_str().into(),
            "account" => token.account_name.to_ascii_lowercase().into(),
            "role" => token.role.as_str().into(),
            "state" => token.state(*now).into(),
            "ends" => Values::time(token.expires_at.micros()),
            "used" => token.used_at.map_or(Values::None, |at| Values::time(at.micros())),
            "created" => Values::time(token.created_at.micros()),
            "id" => token.id.to_string().into(),
            _ => Values::None,
        }
    }

    fn texts(&self) -> Vec<Cow<'_, str>> {
        let Self(token, _) = self;
        [&token.name, &token.account_name, &token.role].map(|text| text.as_str().into()).into()
    }
}

impl Engine {
    /// The fields tokens are filtered by.
    pub fn token_schema(&self) -> Schema {
        schema()
    }

    /// Tokens that fit a filter, newest first, of those that the caller may see.
    ///
    /// # Errors
    /// The filter cannot be understood, or the caller is nobody.
    pub async fn find_tokens(
        &self,
        context: &Context,
        filter: &str,
    ) -> Result<Vec<TokenView>, Error> {
        let schema = schema();
        let filter = Filter::parse(filter, &schema)?.compile(&schema)?;
        let now = self.environment().now();
        let mut tokens = self.tokens(context).await?;
        tokens.retain(|token| filter.holds(&Searchable(token, now), now.micros()));
        Ok(tokens)
    }
}
