//! Retention: rules by which events leave the database, legal holds that keep them, runs.
//!
//! Read in this order: this file (what rules and holds say), `change` (setting them up), `select`
//! (which events a rule reaches), `run` (removing them), `preview`. Docs: `docs/RETENTION.md`; why
//! it is so: `docs/decisions/0014-retention.md`.
//!
//! Nothing is removed that was not read back from the archive and checked, that a consumer still
//! needs, or that a hold names. What is sealed never changes.

mod change;
mod preview;
pub(crate) mod run;
mod select;

use chancery_event::filter::Filter;
use chancery_event::{LogIndex, Target, TargetKind, Timestamp};
use chancery_store::table::retention as table;

use crate::{Context, Engine, Error, Permission};

pub use chancery_store::log::Count;
pub use change::{HoldDraft, Placed, RuleDraft};
pub use preview::Preview;
pub use table::{Hold, Rule, Run};

/// Rules at most, and legal holds that last.
const MANY: usize = 200;

/// From what the days of a rule count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// From the time of the event.
    Event,
    /// From the expiry of the certificate that the event is about.
    Expiry,
}

impl Basis {
    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Expiry => "expiry",
        }
    }

    /// The basis that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Event, Self::Expiry].into_iter().find(|basis| basis.as_str() == text)
    }
}

/// What a rule says, in a sentence.
pub fn sentence(rule: &Rule) -> String {
    let what = if rule.filter.is_empty() {
        "every event".to_owned()
    } else {
        format!("events that match {}", rule.filter)
    };
    let days = match rule.after_days {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    match Basis::parse(&rule.basis) {
        Some(Basis::Expiry) => format!("{what}, {days} after their certificate has expired"),
        _ => format!("{what}, {days} after they happened"),
    }
}

/// What is in the way of removing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Who still needs the events from here on.
    pub who: String,
    /// The first log index that is needed.
    pub index: LogIndex,
}

impl Engine {
    /// The rules of retention, by name.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn retention_rules(&self, context: &Context) -> Result<Vec<Rule>, Error> {
        context.require(Permission::RetentionRead)?;
        Ok(table::rules(&mut self.link().await?).await?)
    }

    /// One rule.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn retention_rule(&self, context: &Context, name: &str) -> Result<Rule, Error> {
        context.require(Permission::RetentionRead)?;
        let found = table::rule(&mut self.link().await?, name).await?;
        found.ok_or_else(|| Error::not_found("retention rule", name))
    }

    /// Legal holds: those that last, then those that ended.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn legal_holds(&self, context: &Context) -> Result<Vec<Hold>, Error> {
        context.require(Permission::RetentionRead)?;
        Ok(table::holds(&mut self.link().await?).await?)
    }

    /// One legal hold.
    ///
    /// # Errors
    /// There never was one of this name.
    pub async fn legal_hold(&self, context: &Context, name: &str) -> Result<Hold, Error> {
        let all = self.legal_holds(context).await?;
        let found = all.into_iter().find(|hold| hold.name == name);
        found.ok_or_else(|| Error::not_found("legal hold", name))
    }

    /// Runs of rules, newest first.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn retention_runs(&self, context: &Context, limit: usize) -> Result<Vec<Run>, Error> {
        context.require(Permission::RetentionRead)?;
        Ok(table::runs(&mut self.link().await?, limit.clamp(1, 1_000)).await?)
    }

    /// Where the archive is, without credentials; `None`: there is none.
    pub fn archive_place(&self) -> Option<String> {
        self.archive().map(|archive| archive.place())
    }
}

/// A rule or hold as a target of events.
fn target(class: &str, name: &str) -> Target {
    Target::new(TargetKind::Configuration, format!("{class}/{name}")).named(name)
}

fn days_before(now: Timestamp, days: u32) -> Timestamp {
    now.plus(-i64::from(days) * Timestamp::DAY)
}

/// A filter of events as it is stored: empty for every event.
fn filter_of(text: &str) -> Result<Filter, Error> {
    if text.trim().is_empty() {
        return Ok(Filter::All);
    }
    Ok(Filter::parse(text, chancery_event::search::schema())?)
}
