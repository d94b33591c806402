//! The levels of an alert: who was told because nobody took it up, who is told next, and when.
//! Nothing is decided here: what has not come yet is asked of the same function as live, by the
//! profile and the people as they are now.

use std::collections::BTreeSet;

use chancery_event::Timestamp;
use chancery_event::id::AlertId;
use chancery_store::table::notice::{self, Query};
use chancery_store::table::notification::{self as table, Escalation};
use chancery_store::{Link, log};

use super::book::Profiles;
use super::decide::{Case, Decision, Verdict};
use super::herald;
use super::profile::{Level, Recipient};
use super::recipient::Directory;
use crate::automation::Book;
use crate::{Context, Engine, Error, Permission};

/// Decisions of one event that are looked through for those of a level.
const DECISIONS_MAX: usize = 1_000;

/// One level of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The profile.
    pub profile: String,
    /// Which level, from 1.
    pub level: i64,
    /// `told`, `waiting` (it is the next one), `ahead` (it comes after that one) or `dropped`
    /// (somebody took the alert up, or the profile has no such level any more).
    pub state: String,
    /// When it is or was due.
    pub due_at: Timestamp,
    /// Whom the profile names, as it spells them; empty where it has no such level any more, and
    /// for those who may not see profiles.
    pub recipients: Vec<String>,
    /// Who was told, or would be told now, with the channel: for those who may see accounts.
    pub people: Vec<String>,
}

impl Engine {
    /// The levels of an alert, by profile and level: those that were told, and those to come.
    ///
    /// # Errors
    /// The caller may not see the alert.
    pub async fn escalation_steps(
        &self,
        context: &Context,
        alert: AlertId,
    ) -> Result<Vec<Step>, Error> {
        let planned = self.escalations(context, alert).await?;
        if planned.is_empty() {
            return Ok(Vec::new());
        }
        let sees_people = context.require(Permission::AccountRead).is_ok();
        let sees_profiles = context.require(Permission::AutomationRead).is_ok();
        let mut link = self.link().await?;
        let now = self.environment().now();
        let profiles = Profiles::of(&Book::read(&mut link).await?);
        let directory = Directory::read(&mut link, now).await?;
        let mut steps = Vec::new();
        for one in &planned {
            let named = profiles.find(&one.profile).filter(|named| named.is_enabled);
            let levels = named.map_or(&[][..], |named| named.profile.escalation.as_slice());
            let place = usize::try_from(one.level - 1).unwrap_or(usize::MAX);
            let waits = one.state == "waiting";
            let asked = Asked { link: &mut link, directory: &directory, now };
            let people = match (named, levels.get(place)) {
                _ if !sees_people => Vec::new(),
                (Some(named), Some(level)) if waits => {
                    asked.would_tell(one, &named.profile, level).await?
                }
                _ if one.state == "told" => asked.told(one).await?,
                _ => Vec::new(),
            };
            let spelled = |level: Option<&Level>| match level.filter(|_| sees_profiles) {
                Some(level) => level.recipients.iter().map(Recipient::spelled).collect(),
                None => Vec::new(),
            };
            let step = |level, state: &str, due_at, at| Step {
                profile: one.profile.clone(),
                level,
                state: state.to_owned(),
                due_at,
                recipients: spelled(at),
                people: Vec::new(),
            };
            let first = step(one.level, &one.state, one.due_at, levels.get(place));
            steps.push(Step { people, ..first });
            if waits {
                let mut due_at = one.due_at;
                let ahead = levels.iter().enumerate().skip(place.saturating_add(1));
                for (number, level) in ahead {
                    due_at = due_at.plus(level.after);
                    let number = i64::try_from(number).unwrap_or(i64::MAX).saturating_add(1);
                    steps.push(step(number, "ahead", due_at, Some(level)));
                }
            }
        }
        Ok(steps)
    }
}

/// What the people of a level are asked of.
struct Asked<'a> {
    link: &'a mut Link,
    directory: &'a Directory,
    now: Timestamp,
}

impl Asked<'_> {
    /// Who would be told now.
    async fn would_tell(
        self,
        one: &Escalation,
        profile: &super::profile::Profile,
        level: &Level,
    ) -> Result<Vec<String>, Error> {
        let Some(call) = table::find(self.link, one.call).await? else { return Ok(Vec::new()) };
        let Some(sealed) = log::by_id(self.link, call.event_id).await? else {
            return Ok(Vec::new());
        };
        let subject = herald::subject(self.link, sealed.event()).await?;
        let case = Case {
            profile,
            directory: self.directory,
            event: sealed.event(),
            subject: subject.as_ref(),
            now: self.now,
            repetition: None,
            is_urgent: true,
        };
        let decisions = case.escalate(&level.recipients, &level.channels);
        let named: BTreeSet<String> = decisions
            .iter()
            .filter(|decision| decision.verdict == Verdict::Send)
            .map(whom)
            .collect();
        Ok(named.into_iter().collect())
    }

    /// Who was told, from what was recorded.
    async fn told(self, one: &Escalation) -> Result<Vec<String>, Error> {
        let Some(call) = table::find(self.link, one.call).await? else { return Ok(Vec::new()) };
        let query = Query {
            event: Some(call.event_id),
            profile: Some(one.profile.clone()),
            decision: Some("sent".to_owned()),
            ..Query::default()
        };
        let rows = notice::page(self.link, &query, DECISIONS_MAX).await?;
        let own = rows.iter().filter(|row| row.level == one.level && row.alert == Some(one.alert));
        let named: BTreeSet<String> = own
            .map(|row| {
                let person = row.account.and_then(|id| self.directory.account(id));
                let name = person.map(|person| person.name).or_else(|| row.address.clone());
                by(name.as_deref().unwrap_or_default(), &row.channel)
            })
            .collect();
        Ok(named.into_iter().collect())
    }
}

fn whom(decision: &Decision) -> String {
    let name = decision.person.as_ref().map_or("", |person| person.name.as_str());
    by(name, &decision.channel)
}

fn by(name: &str, channel: &str) -> String {
    match name {
        "" => format!("whoever reads {channel}"),
        name => format!("{name} by {channel}"),
    }
}
