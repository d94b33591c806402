//! What is decided for one call: who is told by which channel, who later, who not, and why. Pure:
//! everything it looks at is passed in.
//!
//! The order in which reasons are asked is the order in which they are told: what keeps the
//! repetition away first, then what the recipient lacks, then the channel, then the hour.

use chancery_event::{Event, Severity, Timestamp};
use chancery_store::table::notification::Stream;

use super::canary;
use super::profile::{ALL, BELL, Grouping, Profile, Recipient};
use super::quiet::{self, Quiet};
use super::recipient::{Directory, Person};
use crate::reaction::Subject;

/// A stream that nothing came for so long begins anew, unless the frequency is longer.
const FORGET: i64 = 30 * 86_400 * Timestamp::SECOND;

/// What is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Now.
    Send,
    /// Not before a time.
    Hold(&'static str, Timestamp),
    /// Not at all.
    Skip(&'static str),
}

/// One recipient and one channel, decided.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    /// Whom; `None`: the channel has a receiver of its own, or there is nobody.
    pub(crate) person: Option<Person>,
    /// The channel.
    pub(crate) channel: String,
    /// What is decided.
    pub(crate) verdict: Verdict,
}

impl Decision {
    /// Whether somebody is told by it, now or later.
    pub(crate) fn tells(&self) -> bool {
        matches!(self.verdict, Verdict::Send | Verdict::Hold(..))
    }
}

/// What one call is about.
pub(crate) struct Case<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) directory: &'a Directory,
    pub(crate) event: &'a Event,
    pub(crate) subject: Option<&'a Subject>,
    pub(crate) now: Timestamp,
    /// What keeps the repetition away.
    pub(crate) repetition: Option<&'static str>,
    /// An escalation: it does not wait, and nothing keeps it away.
    pub(crate) is_urgent: bool,
}

/// The threshold that repetitions are told apart by.
pub(crate) fn threshold(event: &Event) -> String {
    let text = |name: &str| {
        event.detail.get(name).map(|value| match value.as_str() {
            Some(text) => text.to_owned(),
            None => value.to_string(),
        })
    };
    text("threshold").or_else(|| text("threshold_s")).unwrap_or_default()
}

/// Whether a repetition is kept away. `resolved_at` is when the alert of the stream was resolved.
pub(crate) fn repetition(
    profile: &Profile,
    stream: Option<&Stream>,
    resolved_at: Option<Timestamp>,
    now: Timestamp,
) -> Option<&'static str> {
    let stream = stream.filter(|stream| !begins_anew(profile, stream, resolved_at, now))?;
    if profile.repetitions.is_some_and(|most| stream.sent >= most) {
        return Some("repetitions");
    }
    let early = |frequency: i64| now.since(stream.last_at) < frequency;
    profile.frequency.is_some_and(early).then_some("frequency")
}

/// Whether what comes now is news, not a repetition.
pub(crate) fn begins_anew(
    profile: &Profile,
    stream: &Stream,
    resolved_at: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    stream.policy != profile.policy()
        || now.since(stream.seen_at) > forgotten_after(profile)
        || resolved_at.is_some_and(|at| at > stream.last_at)
}

/// After how long a stream that nothing came for begins anew, in microseconds.
pub(crate) fn forgotten_after(profile: &Profile) -> i64 {
    FORGET.max(profile.frequency.unwrap_or(0).saturating_mul(2))
}

/// The channels of a list: those it names, every one for `all`, or the bell and every mail channel.
pub(crate) fn channels(names: &[String], directory: &Directory) -> Vec<String> {
    if names.iter().any(|name| name == ALL) {
        let on = directory.channels.values().filter(|one| one.enabled);
        return std::iter::once(BELL.to_owned()).chain(on.map(|one| one.name.clone())).collect();
    }
    if !names.is_empty() {
        return names.to_vec();
    }
    let mails = directory.channels.values().filter(|one| one.kind == "email" && one.enabled);
    std::iter::once(BELL.to_owned()).chain(mails.map(|one| one.name.clone())).collect()
}

impl Case<'_> {
    /// Decides for recipients and channels; with nobody in reach the fallback of the profile is
    /// asked, and if there is nobody then, that is the decision.
    pub(crate) fn decide(&self) -> Vec<Decision> {
        let channels = channels(&self.profile.channels, self.directory);
        let mut decisions = self.among(&self.profile.recipients, &channels, "");
        if !reaches(&decisions) && !self.profile.fallback.is_empty() {
            decisions.extend(self.among(&self.profile.fallback, &channels, "fallback: "));
        }
        if decisions.is_empty() {
            let verdict = Verdict::Skip("nobody");
            let channel = channels.first().cloned().unwrap_or_default();
            decisions.push(Decision { person: None, channel, verdict });
        }
        decisions
    }

    /// Decides for the recipients of a level of escalation.
    pub(crate) fn escalate(&self, recipients: &[Recipient], names: &[String]) -> Vec<Decision> {
        let names = if names.is_empty() { &self.profile.channels } else { names };
        self.among(recipients, &channels(names, self.directory), "escalation: ")
    }

    fn among(&self, recipients: &[Recipient], channels: &[String], prefix: &str) -> Vec<Decision> {
        let mut people = self.directory.people(recipients, self.event, self.subject);
        for person in &mut people {
            for path in &mut person.paths {
                path.insert_str(0, prefix);
            }
        }
        let mut decisions = Vec::new();
        for channel in channels {
            let is_shared = self.directory.is_shared(channel);
            // A chat has readers of its own, also where nobody is named; and mail may have an
            // address that it goes to.
            let goes_by_itself =
                recipients == [Recipient::Nobody] && self.directory.receives(channel);
            let nobody = !people.iter().any(|person| !person.is_disabled);
            if nobody && (is_shared || goes_by_itself) {
                let verdict = self.judge(None, channel);
                decisions.push(Decision { person: None, channel: channel.clone(), verdict });
            }
            for person in &people {
                let verdict = self.judge(Some(person), channel);
                let person = Some(person.clone());
                decisions.push(Decision { person, channel: channel.clone(), verdict });
            }
        }
        decisions
    }

    fn judge(&self, person: Option<&Person>, channel: &str) -> Verdict {
        if let Some(reason) = self.repetition.filter(|_| !self.is_urgent) {
            return Verdict::Skip(reason);
        }
        if let Some(reason) = obstacle(self.directory, person, channel) {
            return Verdict::Skip(reason);
        }
        if channel == BELL || self.is_urgent || self.is_canary() {
            return Verdict::Send;
        }
        self.later(person)
    }

    /// A canary has to arrive soon: what waits for the morning, or for a digest, would be missed.
    fn is_canary(&self) -> bool {
        self.subject.is_some_and(|subject| canary::is_canary(&subject.row))
    }

    /// Whether it has to wait for a digest, or for the end of quiet hours.
    fn later(&self, person: Option<&Person>) -> Verdict {
        let own = person.and_then(|person| person.quiet.as_ref());
        match later(self.profile, own, self.event.severity, self.now, self.now) {
            Some((reason, at)) => Verdict::Hold(reason, at),
            None => Verdict::Send,
        }
    }
}

/// Until when something decided at `decided_at` waits by what counts at `now`, and for what;
/// `None`: for nothing more. What waited for its digest is due when the first digest after it is.
pub(crate) fn later(
    profile: &Profile,
    own: Option<&Quiet>,
    severity: Severity,
    decided_at: Timestamp,
    now: Timestamp,
) -> Option<(&'static str, Timestamp)> {
    if let Some(digest) = &profile.digest
        && !digest.except.contains(&severity)
        && let Some(at) = digest.timetable.next_after(decided_at)
        && at > now
    {
        return Some(("digest", at));
    }
    let both = profile.quiet.iter().chain(own).filter(|quiet| !quiet.excepts(severity));
    quiet::end(&both.collect::<Vec<_>>(), now).map(|at| ("quiet_hours", at))
}

/// What keeps somebody from being reached by a channel, whatever is to be told.
pub(crate) fn obstacle(
    directory: &Directory,
    person: Option<&Person>,
    channel: &str,
) -> Option<&'static str> {
    if person.is_some_and(|person| person.is_disabled) {
        return Some("disabled_account");
    }
    if channel == BELL {
        return match person {
            Some(person) if person.account.is_some() => None,
            _ => Some("no_account"),
        };
    }
    let Some(row) = directory.channels.get(channel) else { return Some("channel_missing") };
    if !row.enabled {
        return Some("channel_off");
    }
    if row.kind != "email" {
        return None;
    }
    match person.and_then(|person| person.address.as_deref()) {
        None if person.is_none() && directory.receives(channel) => None,
        None => Some("no_address"),
        Some(address) if directory.refused.contains_key(address) => Some("bouncing"),
        Some(_) => None,
    }
}

/// Whether anybody is told, or would be if it were not a repetition.
pub(crate) fn reaches(decisions: &[Decision]) -> bool {
    decisions.iter().any(|one| match one.verdict {
        Verdict::Send | Verdict::Hold(..) => true,
        Verdict::Skip(reason) => matches!(reason, "frequency" | "repetitions"),
    })
}

/// What a notice stands under in a digest.
pub(crate) fn heading(grouping: Grouping, event: &Event, subject: Option<&Subject>) -> String {
    let none = |what: &str| format!("no {what}");
    match grouping {
        Grouping::Cause => event.type_name.to_string(),
        Grouping::Team => match subject.map(|subject| subject.groups.join(", ")) {
            Some(groups) if !groups.is_empty() => groups,
            _ => none("group"),
        },
        Grouping::Owner => {
            subject.and_then(|subject| subject.owner.clone()).unwrap_or_else(|| none("owner"))
        }
    }
}
