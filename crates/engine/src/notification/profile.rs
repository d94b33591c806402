//! What a notification profile says, read from its body.

use chancery_event::{Severity, Timestamp};
use serde_json::Value;

use super::quiet::{Quiet, severities};
use crate::monitor::timetable::{Timetable, TimetableError};
use crate::reaction::body::Body;
use crate::{Error, Role};

/// Recipients, channels or levels of one profile at most.
const LIST_MAX: usize = 50;
/// Levels of escalation at most.
pub const LEVELS_MAX: usize = 5;
/// The bell of the program itself.
pub const BELL: &str = "bell";

/// Every channel that is on, and the bell.
pub const ALL: &str = "all";

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// Nobody by name: the channel itself has a fixed receiver.
    Nobody,
    /// Whom the event concerns: the owner and the groups of its certificate, or who did it.
    Default,
    /// The owner of the certificate.
    Owner,
    /// The groups of the certificate.
    Groups,
    /// The account with this login name.
    Account(String),
    /// Every account with this role.
    Role(Role),
    /// The members and the list of this group.
    Group(String),
    /// The addresses in this custom attribute of the certificate.
    ObjectContact(String),
    /// This mail address.
    Address(String),
}

impl Recipient {
    /// Reads one; fails with what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (word, rest) = text.split_once(':').map_or((text, ""), |(a, b)| (a, b.trim()));
        let named = |what: &str| match rest {
            "" => Err(format!("say which: {word}:{what}")),
            name => Ok(name.to_owned()),
        };
        match word {
            "none" if rest.is_empty() => Ok(Self::Nobody),
            "default" if rest.is_empty() => Ok(Self::Default),
            "owner" if rest.is_empty() => Ok(Self::Owner),
            "groups" if rest.is_empty() => Ok(Self::Groups),
            "account" | "user" => named("NAME").map(|name| Self::Account(name.to_lowercase())),
            "role" => Role::parse(rest).map(Self::Role).ok_or_else(|| {
                let known: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
                format!("a role is one of {}", known.join(", "))
            }),
            "group" => named("NAME").map(Self::Group),
            "object_contact" => named("ATTRIBUTE").map(Self::ObjectContact),
            "address" if is_address(rest) => Ok(Self::Address(rest.to_lowercase())),
            "address" => Err("an address such as address:pki@example.org".to_owned()),
            _ => Err(format!(
                "“{text}” is no recipient: none, default, owner, groups, account:NAME, role:NAME, \
                 group:NAME, object_contact:ATTRIBUTE or address:MAIL"
            )),
        }
    }

    /// The one spelling.
    pub fn spelled(&self) -> String {
        match self {
            Self::Nobody => "none".to_owned(),
            Self::Default => "default".to_owned(),
            Self::Owner => "owner".to_owned(),
            Self::Groups => "groups".to_owned(),
            Self::Account(name) => format!("account:{name}"),
            Self::Role(role) => format!("role:{role}"),
            Self::Group(name) => format!("group:{name}"),
            Self::ObjectContact(attribute) => format!("object_contact:{attribute}"),
            Self::Address(address) => format!("address:{address}"),
        }
    }
}

/// Whether a text can be a mail address: as the mail server will be asked to take it.
pub fn is_address(text: &str) -> bool {
    let good = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | ',' | '(' | ')');
    text.len() <= 254
        && text.chars().all(good)
        && text.rsplit_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && (host == "localhost" || host.contains(['.', ':']))
        })
}

/// What the parts of a digest stand under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// What happened.
    Cause,
    /// The groups of the certificate.
    Team,
    /// Its owner.
    Owner,
}

/// One message for many.
#[derive(Clone, Debug, PartialEq)]
pub struct Digest {
    /// When it is sent.
    pub timetable: Timetable,
    /// What its parts stand under.
    pub group_by: Grouping,
    /// Severities that do not wait.
    pub except: Vec<Severity>,
}

/// Who is told next when nobody acknowledges.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Microseconds after the level before it, or after the notification.
    pub after: i64,
    /// Whom.
    pub recipients: Vec<Recipient>,
    /// By which channels; empty: those of the profile.
    pub channels: Vec<String>,
}

/// What a profile says.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Whom.
    pub recipients: Vec<Recipient>,
    /// Whom, where nobody of them can be reached.
    pub fallback: Vec<Recipient>,
    /// Names of channels, and `bell`, or `all`; empty: the bell and every mail channel.
    pub channels: Vec<String>,
    /// The template; `None`: the built-in one.
    pub template: Option<String>,
    /// Not again before so many microseconds have passed.
    pub frequency: Option<i64>,
    /// Not more often than this.
    pub repetitions: Option<i64>,
    /// One message for many.
    pub digest: Option<Digest>,
    /// Hours in which people are left alone.
    pub quiet: Option<Quiet>,
    /// Who is told next.
    pub escalation: Vec<Level>,
}

impl Profile {
    /// Reads a body; the field of an error is a JSON pointer into it.
    pub(crate) fn read(json: &Value) -> Result<Self, Error> {
        let mut body = Body::new(json, "")?;
        body.words()?;
        let recipients = recipients(&mut body, "recipients")?;
        if recipients.is_empty() {
            return Err(body.fault("recipients", "name somebody, or none for the channel alone"));
        }
        let fallback = recipients_of_people(&mut body, "fallback")?;
        let channels = channels(&mut body)?;
        if recipients == [Recipient::Nobody] && channels.iter().all(|name| name == BELL) {
            let message = "without recipients, name a channel that has a receiver of its own";
            return Err(body.fault("channels", message));
        }
        let template = body.text("template")?.map(str::to_owned);
        let frequency = duration(&mut body, "frequency")?;
        let repetitions = match body.value("repetitions") {
            None => None,
            Some(value) => {
                let number = value.as_i64().filter(|number| (1..=10_000).contains(number));
                Some(number.ok_or_else(|| body.fault("repetitions", "a number from 1 to 10,000"))?)
            }
        };
        let digest = part(&mut body, "digest", read_digest)?;
        let quiet = part(&mut body, "quiet_hours", Quiet::read)?;
        let escalation = levels(&mut body)?;
        body.finish()?;
        Ok(Self {
            recipients,
            fallback,
            channels,
            template,
            frequency,
            repetitions,
            digest,
            quiet,
            escalation,
        })
    }

    /// What repetitions are counted under: a change begins anew.
    pub fn policy(&self) -> String {
        let number = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), |n| n.to_string());
        format!("{}/{}", number(self.frequency), number(self.repetitions))
    }

    /// Every recipient it names, with its place.
    pub(crate) fn named(&self) -> Vec<(String, &Recipient)> {
        let mut named = Vec::new();
        let all = |place: &str, list: &'_ [Recipient]| -> Vec<String> {
            (0..list.len()).map(|number| format!("{place}/{number}")).collect()
        };
        let (own, fallback) =
            (all("/recipients", &self.recipients), all("/fallback", &self.fallback));
        named.extend(own.into_iter().zip(&self.recipients));
        named.extend(fallback.into_iter().zip(&self.fallback));
        for (number, level) in self.escalation.iter().enumerate() {
            let places = all(&format!("/escalation/{number}/recipients"), &level.recipients);
            named.extend(places.into_iter().zip(&level.recipients));
        }
        named
    }

    /// Every channel it names, with its place.
    pub(crate) fn named_channels(&self) -> Vec<(String, &str)> {
        let list = |place: String, names: &'_ [String]| -> Vec<String> {
            (0..names.len()).map(|number| format!("{place}/{number}")).collect()
        };
        let mut named: Vec<(String, &str)> = list("/channels".to_owned(), &self.channels)
            .into_iter()
            .zip(self.channels.iter().map(String::as_str))
            .collect();
        for (number, level) in self.escalation.iter().enumerate() {
            let places = list(format!("/escalation/{number}/channels"), &level.channels);
            named.extend(places.into_iter().zip(level.channels.iter().map(String::as_str)));
        }
        named.retain(|(_, name)| *name != BELL && *name != ALL);
        named
    }
}

fn part<T>(
    body: &mut Body<'_>,
    name: &'static str,
    read: impl Fn(&mut Body<'_>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let Some(json) = body.value(name) else { return Ok(None) };
    let mut part = Body::new(json, body.at(name))?;
    let done = read(&mut part)?;
    part.finish()?;
    Ok(Some(done))
}

fn recipients(body: &mut Body<'_>, name: &'static str) -> Result<Vec<Recipient>, Error> {
    let texts = body.texts(name)?;
    if texts.len() > LIST_MAX {
        return Err(body.fault(name, format!("at most {LIST_MAX}")));
    }
    let mut list = Vec::with_capacity(texts.len());
    for (position, text) in texts.iter().enumerate() {
        let place = format!("{}/{position}", body.at(name));
        list.push(Recipient::parse(text).map_err(|message| Error::invalid(place, message))?);
    }
    if list.len() > 1 && list.contains(&Recipient::Nobody) {
        return Err(body.fault(name, "none stands alone"));
    }
    Ok(list)
}

fn recipients_of_people(body: &mut Body<'_>, name: &'static str) -> Result<Vec<Recipient>, Error> {
    let list = recipients(body, name)?;
    if list.contains(&Recipient::Nobody) {
        return Err(body.fault(name, "somebody: leave it out otherwise"));
    }
    Ok(list)
}

fn channels(body: &mut Body<'_>) -> Result<Vec<String>, Error> {
    let names = body.texts("channels")?;
    if names.len() > LIST_MAX {
        return Err(body.fault("channels", format!("at most {LIST_MAX}")));
    }
    Ok(names)
}

/// A duration such as `90s`, `30m`, `24h`, `7d`, in microseconds.
pub(crate) fn duration(body: &mut Body<'_>, name: &'static str) -> Result<Option<i64>, Error> {
    let Some(text) = body.text(name)? else { return Ok(None) };
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => 0,
    };
    let number = text.get(..text.len().saturating_sub(1)).and_then(|n| n.parse::<i64>().ok());
    let seconds = number.and_then(|number| number.checked_mul(unit));
    match seconds {
        Some(seconds) if (1..=86_400 * 3_660).contains(&seconds) => {
            Ok(Some(seconds * Timestamp::SECOND))
        }
        _ => Err(body.fault(name, "a duration such as 30m, 24h or 7d")),
    }
}

fn read_digest(body: &mut Body<'_>) -> Result<Digest, Error> {
    let cron = body.text("cron")?.ok_or_else(|| {
        body.fault("cron", "when it is sent, such as 0 8 * * MON-FRI; or leave out the rest of it")
    })?;
    let zone = body.text("time_zone")?.unwrap_or("UTC");
    let timetable = Timetable::parse(cron, zone).map_err(|error| match error {
        TimetableError::Cron(message) => body.fault("cron", message),
        TimetableError::TimeZone(message) => body.fault("time_zone", message),
    })?;
    let group_by = match body.text("group_by")? {
        None | Some("cause") => Grouping::Cause,
        Some("team") => Grouping::Team,
        Some("owner") => Grouping::Owner,
        Some(_) => return Err(body.fault("group_by", "cause, team or owner")),
    };
    Ok(Digest { timetable, group_by, except: severities(body, "except")? })
}

fn levels(body: &mut Body<'_>) -> Result<Vec<Level>, Error> {
    let Some(value) = body.value("escalation") else { return Ok(Vec::new()) };
    let Some(items) = value.as_array() else {
        return Err(body.fault("escalation", "a list of levels"));
    };
    if items.len() > LEVELS_MAX {
        return Err(body.fault("escalation", format!("at most {LEVELS_MAX} levels")));
    }
    let read = |(number, json)| {
        let mut part = Body::new(json, format!("{}/{number}", body.at("escalation")))?;
        let after = duration(&mut part, "after")?;
        let after = after.ok_or_else(|| part.fault("after", "after how long, such as 30m"))?;
        let recipients = recipients_of_people(&mut part, "recipients")?;
        if recipients.is_empty() {
            return Err(part.fault("recipients", "name somebody"));
        }
        let channels = channels(&mut part)?;
        part.finish()?;
        Ok(Level { after, recipients, channels })
    };
    items.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_profile_says_whom_how_often_in_which_bundles_and_who_is_next() {
        let profile = Profile::read(&json!({
            "title": "On call", "recipients": ["owner", "user:Ada", "role:operator", "group:Web",
                "object_contact:mail", "address:PKI@example.org"],
            "fallback": ["role:administrator"], "channels": ["bell", "mail"], "template": "short",
            "frequency": "24h", "repetitions": 3,
            "digest": { "cron": "0 8 * * *", "group_by": "team", "except": ["critical"] },
            "quiet_hours": { "from": "22:00", "to": "07:00" },
            "escalation": [{ "after": "30m", "recipients": ["role:administrator"] }],
        }))
        .unwrap();
        let spelled: Vec<_> = profile.recipients.iter().map(Recipient::spelled).collect();
        assert_eq!(spelled[1], "account:ada");
        assert_eq!(spelled[5], "address:pki@example.org");
        assert_eq!(profile.frequency, Some(86_400 * Timestamp::SECOND));
        assert_eq!(profile.escalation[0].after, 1_800 * Timestamp::SECOND);
        assert_eq!(profile.named().len(), 8);
        assert_eq!(profile.named_channels(), [("/channels/1".to_owned(), "mail")]);
    }

    #[test]
    fn what_cannot_be_is_refused_at_its_place() {
        for (json, place) in [
            (json!({}), "/recipients"),
            (json!({ "recipients": ["somebody"] }), "/recipients/0"),
            (json!({ "recipients": ["role:king"] }), "/recipients/0"),
            (json!({ "recipients": ["address:nobody"] }), "/recipients/0"),
            (json!({ "recipients": ["none", "owner"] }), "/recipients"),
            (json!({ "recipients": ["none"] }), "/channels"),
            (json!({ "recipients": ["none"], "channels": ["bell"] }), "/channels"),
            (json!({ "recipients": ["owner"], "fallback": ["none"] }), "/fallback"),
            (json!({ "recipients": ["owner"], "frequency": "often" }), "/frequency"),
            (json!({ "recipients": ["owner"], "repetitions": 0 }), "/repetitions"),
            (json!({ "recipients": ["owner"], "digest": { "cron": "x" } }), "/digest/cron"),
            (
                json!({ "recipients": ["owner"], "digest": { "cron": "0 8 * * *", "group_by": "x" } }),
                "/digest/group_by",
            ),
            (
                json!({ "recipients": ["owner"], "quiet_hours": { "from": "x" } }),
                "/quiet_hours/from",
            ),
            (
                json!({ "recipients": ["owner"], "escalation": [{ "recipients": ["owner"] }] }),
                "/escalation/0/after",
            ),
            (
                json!({ "recipients": ["owner"], "escalation": [{ "after": "1h" }] }),
                "/escalation/0/recipients",
            ),
            (json!({ "recipients": ["owner"], "colour": 1 }), "/colour"),
        ] {
            match Profile::read(&json) {
                Err(Error::Invalid { field, .. }) => assert_eq!(field, place, "{json}"),
                other => panic!("{json}: {other:?}"),
            }
        }
    }
}
