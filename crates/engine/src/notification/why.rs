//! Why somebody was told of an event, or was not: answered from records alone, while they are kept.
//!
//! What reached somebody need not name them: mail goes to addresses, and a chat is read by whoever
//! is in it.

use std::collections::BTreeSet;

use chancery_event::id::{AccountId, EventId};
use chancery_event::{LogIndex, Timestamp};
use chancery_store::table::account::{self, Account};
use chancery_store::table::notice::{self as table, Notice, Query};
use chancery_store::table::notification::{self, Call};
use chancery_store::table::{contact, destination, evaluation};
use chancery_store::{Link, log};

use super::profile::BELL;
use super::query::{Told, reason_words, told};
use crate::{Context, Engine, Error, Permission};

/// Decisions of one event that are looked through at most.
const DECISIONS_MAX: usize = 1_000;

/// Why somebody was told of an event, or was not.
#[derive(Clone, Debug)]
pub struct Why {
    /// The answer, a sentence each.
    pub answer: Vec<String>,
    /// The wishes to tell of the event.
    pub calls: Vec<Call>,
    /// The decisions about the person.
    pub told: Vec<Told>,
    /// The triggers that were asked about the event, with what came of each.
    pub triggers: Vec<(String, String)>,
    /// Which triggers looked at it is still known.
    pub knows_triggers: bool,
}

/// What is known of an event, to be put in words.
struct Known<'a> {
    name: &'a str,
    told: &'a [Told],
    /// Messages to a channel that everybody in it reads, whomever they name.
    posts: &'a [Told],
    calls: &'a [Call],
    triggers: &'a [(String, String)],
    /// Decisions about others.
    others: usize,
    /// The triggers have looked at it.
    is_seen: bool,
    kept: Kept,
}

/// What is kept of the time of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Everything.
    All,
    /// Decisions, and not what came of asking triggers.
    Decisions,
    /// Nothing; records are kept for so many days.
    Nothing(i64),
}

impl Engine {
    /// Why an account was told of an event, or was not, from what was recorded. Mail to an address
    /// that is the account's counts as well, and messages that everybody in a channel reads are
    /// named.
    ///
    /// # Errors
    /// There is no such event or account, or the caller may not ask about somebody else.
    pub async fn why_told(
        &self,
        context: &Context,
        event: EventId,
        person: AccountId,
    ) -> Result<Why, Error> {
        context.require(Permission::AlertRead)?;
        if context.account_id() != Some(person) {
            context.require(Permission::AccountRead)?;
        }
        // Refused here as where it is read: what follows tells of the event.
        let sealed = self.event(context, event).await?;
        let mut link = self.link().await?;
        let who = account::find(&mut link, person).await?;
        let who = who.ok_or_else(|| Error::not_found("account", person))?;
        let sees_people = context.require(Permission::AccountRead).is_ok();
        let addresses = addresses(&mut link, &who, sees_people).await?;
        let calls = notification::of_event(&mut link, event).await?;
        let all = Query { event: Some(event), ..Query::default() };
        let rows = table::page(&mut link, &all, DECISIONS_MAX).await?;
        let theirs = |row: &Notice| match (row.account, &row.address) {
            (Some(account), _) => account == person,
            (None, Some(address)) => addresses.contains(&address.to_lowercase()),
            (None, None) => false,
        };
        let (mine, others): (Vec<Notice>, Vec<Notice>) = rows.into_iter().partition(theirs);
        let count = others.len();
        let mentioned: BTreeSet<_> = mine.iter().filter_map(|row| row.delivery).collect();
        let others = others.into_iter();
        let unnamed = others.filter(|row| row.delivery.is_none_or(|id| !mentioned.contains(&id)));
        let posts = posts(&mut link, unnamed.collect()).await?;
        let (told, posts) = (told(&mut link, mine).await?, told(&mut link, posts).await?);
        let asked = evaluation::of_event(&mut link, event).await?;
        let triggers: Vec<(String, String)> =
            asked.into_iter().map(|row| (row.trigger, row.verdict)).collect();
        let seen = log::cursor(&mut link, crate::reaction::dispatcher::CURSOR).await?;
        let seen = seen.0.max(*self.0.dispatched.borrow());
        let at = (sealed.index, sealed.event.time);
        let kept = self.kept(&mut link, at, triggers.is_empty()).await?;
        let known = Known {
            name: &who.display_name,
            told: &told,
            posts: &posts,
            calls: &calls,
            triggers: &triggers,
            others: count,
            is_seen: sealed.index.0 < seen,
            kept,
        };
        let knows_triggers = !triggers.is_empty() || kept == Kept::All;
        Ok(Why { answer: answer(&known), calls, told, triggers, knows_triggers })
    }

    /// What is kept of the time of an event. Records go once they are too old, and evaluations also
    /// when there are too many of them.
    async fn kept(
        &self,
        link: &mut Link,
        (index, time): (LogIndex, Timestamp),
        is_unasked: bool,
    ) -> Result<Kept, Error> {
        let settings = self.settings();
        let days = i64::from(settings.keep_evaluations_days);
        if time < self.environment().now().plus(-days * Timestamp::DAY) {
            return Ok(Kept::Nothing(days));
        }
        let most = settings.keep_evaluations_max;
        match is_unasked && evaluation::is_full_after(link, index, most).await? {
            true => Ok(Kept::Decisions),
            false => Ok(Kept::All),
        }
    }
}

/// The addresses that are an account's, in lower case. One that somebody entered for themselves
/// counts for those who may see people: entering it shows nobody what it was sent.
async fn addresses(
    link: &mut Link,
    who: &Account,
    sees_people: bool,
) -> Result<BTreeSet<String>, Error> {
    let own = match sees_people {
        true => contact::find(link, "account", &who.id.to_string()).await?,
        false => None,
    };
    let own = own.and_then(|contact| contact.email);
    Ok(who.email.iter().chain(&own).map(|address| address.to_lowercase()).collect())
}

/// Those that were sent to a channel that everybody in it reads, one for each message.
async fn posts(link: &mut Link, rows: Vec<Notice>) -> Result<Vec<Notice>, Error> {
    let channels = destination::all(link, Some("channel")).await?;
    let is_mail = |row: &Notice| {
        let channel = channels.iter().find(|one| one.name == row.channel);
        channel.map_or(row.address.is_some(), |one| one.kind == "email")
    };
    let mut messages = BTreeSet::new();
    let mut posts = rows;
    posts.retain(|row| {
        let is_post = row.decision == "sent" && row.channel != BELL && !is_mail(row);
        is_post && messages.insert((row.channel.clone(), row.profile.clone(), row.delivery))
    });
    Ok(posts)
}

fn answer(known: &Known<'_>) -> Vec<String> {
    let name = known.name;
    let mut answer: Vec<String> = known.told.iter().map(|one| decided(name, one)).collect();
    answer.extend(known.posts.iter().map(posted));
    if !known.told.is_empty() {
        return answer;
    }
    if let Kept::Nothing(days) = known.kept {
        answer.push(format!(
            "Records of notifications are kept for {days} days, and the event is older: why {name} \
             was told or was not is not known any more."
        ));
        return answer;
    }
    for call in known.calls {
        let (profile, trigger, others) = (&call.profile, &call.trigger, known.others);
        answer.push(match (call.state.as_str(), call.outcome.as_str()) {
            ("waiting", _) => {
                format!("The trigger {trigger} tells through the profile {profile}; that is not decided yet.")
            }
            (_, "") => format!(
                "The trigger {trigger} told through the profile {profile}, and {name} is not among its recipients ({others} decisions about others)."
            ),
            (_, outcome) => format!(
                "The trigger {trigger} wanted to tell through the profile {profile}: {}.",
                reason_words(outcome)
            ),
        });
    }
    if answer.is_empty() {
        return nobody(known);
    }
    answer
}

/// Why nothing was decided at all.
fn nobody(known: &Known<'_>) -> Vec<String> {
    if !known.is_seen {
        return vec!["No trigger has looked at the event yet.".to_owned()];
    }
    if known.kept == Kept::Decisions {
        let words = "Nobody was told through a profile. Which triggers looked at the event is not \
                     known any more: too much was evaluated since.";
        return vec![words.to_owned()];
    }
    if known.triggers.is_empty() {
        return vec!["No trigger listened to events of this type: nobody was told.".to_owned()];
    }
    let words = |(trigger, verdict): &(String, String)| match verdict.as_str() {
        "matched" => {
            format!("The trigger {trigger} held, and has no step that tells through a profile.")
        }
        "ignored" => format!("The trigger {trigger} ignored the event."),
        "not_reached" => {
            format!("The trigger {trigger} was not reached: another one ignored the event.")
        }
        _ => format!("The trigger {trigger} looked at the event, and its rules did not hold."),
    };
    known.triggers.iter().map(words).collect()
}

/// What became of a message.
fn carried(one: &Told) -> String {
    match (one.delivery_state.as_deref(), &one.delivery_error) {
        (Some("delivered"), _) => ", and it got through".to_owned(),
        (Some("dead"), Some(error)) => format!(", and it was given up: {error}"),
        (Some("dead"), None) => ", and it was given up".to_owned(),
        (Some(_), Some(error)) => format!(", and it is tried again: {error}"),
        (Some(_), None) => ", and it is on its way".to_owned(),
        (None, _) => String::new(),
    }
}

/// A message that everybody in a channel reads.
fn posted(one: &Told) -> String {
    let (channel, profile) = (&one.notice.channel, &one.notice.profile);
    let state = carried(one);
    format!(
        "It was posted to {channel} through the profile {profile}, for whoever reads that channel\
         {state}."
    )
}

fn decided(name: &str, one: &Told) -> String {
    let notice = &one.notice;
    let paths: Vec<String> = serde_json::from_str(&notice.paths).unwrap_or_default();
    let paths = if paths.is_empty() { String::new() } else { format!(" ({})", paths.join(", ")) };
    let (channel, profile) = (&notice.channel, &notice.profile);
    match notice.decision.as_str() {
        "sent" => {
            let state = carried(one);
            format!("{name} was told by {channel} through the profile {profile}{paths}{state}.")
        }
        "held" => format!(
            "{name} will be told by {channel} through the profile {profile}{paths}: {}.",
            reason_words(&notice.reason)
        ),
        _ => format!(
            "{name} was not told by {channel} through the profile {profile}{paths}: {}.",
            reason_words(&notice.reason)
        ),
    }
}
