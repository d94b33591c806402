//! What a monitor is told to do: the body of an object of automation, read and checked. Pure, but
//! for the filter, which needs the custom attributes.

use serde_json::{Map, Value};

use chancery_event::Timestamp;
use chancery_store::table::monitor::Watched;

use super::threshold::{Threshold, interval};
use super::timetable::{Timetable, TimetableError};
use crate::Error;

/// Thresholds of one monitor at most.
const THRESHOLDS_MAX: usize = 20;

/// What a monitor looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Ends of certificates, before and after.
    CertificateExpiry,
    /// Ends of certificates that issue others.
    AuthorityExpiry,
    /// Ends of API tokens.
    TokenExpiry,
    /// API tokens that nobody uses.
    TokenUnused,
    /// Accounts that nobody uses.
    AccountUnused,
    /// API tokens that were made long ago.
    TokenUnchanged,
    /// Passwords that were set long ago.
    PasswordUnchanged,
    /// Ends of accounts that have one.
    AccountExpiry,
    /// Passwords that must be changed soon, or at the next login.
    PasswordExpiry,
    /// Counts against their limits.
    Limits,
    /// Jobs that wait or run too long.
    Jobs,
    /// The program itself.
    Internal,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::CertificateExpiry,
        Self::AuthorityExpiry,
        Self::TokenExpiry,
        Self::TokenUnused,
        Self::AccountUnused,
        Self::TokenUnchanged,
        Self::PasswordUnchanged,
        Self::AccountExpiry,
        Self::PasswordExpiry,
        Self::Limits,
        Self::Jobs,
        Self::Internal,
    ];

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CertificateExpiry => "certificate_expiry",
            Self::AuthorityExpiry => "authority_expiry",
            Self::TokenExpiry => "token_expiry",
            Self::TokenUnused => "token_unused",
            Self::AccountUnused => "account_unused",
            Self::TokenUnchanged => "token_unchanged",
            Self::PasswordUnchanged => "password_unchanged",
            Self::AccountExpiry => "account_expiry",
            Self::PasswordExpiry => "password_expiry",
            Self::Limits => "limits",
            Self::Jobs => "jobs",
            Self::Internal => "internal",
        }
    }

    /// What it does, for people.
    pub fn about(self) -> &'static str {
        match self {
            Self::CertificateExpiry => "Certificates that near or have passed their end",
            Self::AuthorityExpiry => "Certificates of authorities that near their end",
            Self::TokenExpiry => "API tokens that near or have passed their end",
            Self::TokenUnused => "API tokens that nobody uses",
            Self::AccountUnused => "Accounts that nobody uses",
            Self::TokenUnchanged => "API tokens that were made long ago",
            Self::PasswordUnchanged => "Passwords that nobody has changed for long",
            Self::AccountExpiry => "Accounts that near or have passed their end",
            Self::PasswordExpiry => "Passwords that near or have passed the age they may reach",
            Self::Limits => "Counts of certificates, accounts and storage against their limits",
            Self::Jobs => "Jobs that wait or run too long",
            Self::Internal => "Chancery itself: sealing, consumers of the log, storage, the clock",
        }
    }

    /// The kind that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The objects it watches one by one, if it does.
    pub fn watched(self) -> Option<Watched> {
        match self {
            Self::CertificateExpiry => Some(Watched::Certificates),
            Self::AuthorityExpiry => Some(Watched::Authorities),
            Self::TokenExpiry => Some(Watched::Tokens),
            Self::TokenUnused => Some(Watched::TokenUses),
            Self::AccountUnused => Some(Watched::AccountUses),
            Self::TokenUnchanged => Some(Watched::TokenAges),
            Self::PasswordUnchanged => Some(Watched::PasswordAges),
            Self::AccountExpiry => Some(Watched::Accounts),
            Self::PasswordExpiry => Some(Watched::Passwords),
            Self::Limits | Self::Jobs | Self::Internal => None,
        }
    }

    /// Whether its thresholds are counted from the last use, and so lie behind it.
    pub fn is_about_use(self) -> bool {
        matches!(self, Self::TokenUnused | Self::AccountUnused)
    }

    /// Whether its thresholds are counted from when its objects were made or last changed, and so
    /// lie behind it.
    pub fn is_about_age(self) -> bool {
        matches!(self, Self::TokenUnchanged | Self::PasswordUnchanged)
    }

    /// Whether its thresholds lie behind what they are counted from: its objects have no end that
    /// nears, and it raises no alert.
    pub fn looks_back(self) -> bool {
        self.is_about_use() || self.is_about_age()
    }

    /// What its objects are in events, where they are ways to sign in.
    pub fn method(self) -> &'static str {
        match self {
            Self::AccountUnused | Self::AccountExpiry => "account",
            Self::PasswordExpiry | Self::PasswordUnchanged => "password",
            _ => "token",
        }
    }

    /// Whether a filter can choose among its objects.
    pub fn has_filter(self) -> bool {
        matches!(self, Self::CertificateExpiry | Self::AuthorityExpiry)
    }
}

/// Configured maxima; `None`: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Certificates of the inventory.
    pub certificates: Option<u64>,
    /// Accounts.
    pub accounts: Option<u64>,
    /// Size of the database, in mebibytes.
    pub storage_mib: Option<u64>,
    /// Until when these limits were agreed on with whoever bears the cost.
    pub valid_until: Option<Timestamp>,
}

/// What a monitor is told to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// What it looks at.
    pub kind: Kind,
    /// Which of its objects; `None`: all.
    pub filter: Option<String>,
    /// When it runs.
    pub timetable: Timetable,
    /// When its objects are reported.
    pub thresholds: Vec<Threshold>,
    /// How long until the same threshold is reported again, as written and in microseconds.
    pub repeat: Option<(String, i64)>,
    /// Certificates that have a successor are not reported.
    pub suppress_if_replaced: bool,
    /// Maxima, for [`Kind::Limits`].
    pub limits: Limits,
}

const MEMBERS: [&str; 9] = [
    "title",
    "description",
    "kind",
    "filter",
    "schedule",
    "thresholds",
    "repeat",
    "suppress_if_replaced",
    "limits",
];

impl Definition {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Invalid`] whose field is a JSON pointer into the body.
    pub fn read(body: &Value) -> Result<Self, Error> {
        let members =
            body.as_object().ok_or_else(|| Error::invalid("", "the body is an object"))?;
        only(members, "", &MEMBERS)?;
        text(members, "", "title")?;
        text(members, "", "description")?;
        let kinds = Kind::ALL.map(Kind::as_str).join(", ");
        let kind = text(members, "", "kind")?
            .and_then(Kind::parse)
            .ok_or_else(|| Error::invalid("/kind", format!("write one of {kinds}")))?;
        let filter = text(members, "", "filter")?.map(str::trim).filter(|text| !text.is_empty());
        if filter.is_some() && !kind.has_filter() {
            return Err(Error::invalid("/filter", "only monitors of certificates have a filter"));
        }
        let schedule = members.get("schedule").and_then(Value::as_object).ok_or_else(|| {
            Error::invalid("/schedule", "write an object with cron and time_zone")
        })?;
        only(schedule, "/schedule", &["cron", "time_zone"])?;
        let repeat = match text(members, "", "repeat")?.filter(|text| !text.trim().is_empty()) {
            None => None,
            Some(text) => {
                let micros =
                    interval(text).map_err(|message| Error::invalid("/repeat", message))?;
                Some((text.trim().to_owned(), micros))
            }
        };
        let suppress = match members.get("suppress_if_replaced") {
            None | Some(Value::Null) => true,
            Some(Value::Bool(suppress)) => *suppress,
            Some(_) => {
                return Err(Error::invalid("/suppress_if_replaced", "write true or false"));
            }
        };
        Ok(Self {
            kind,
            filter: filter.map(str::to_owned),
            timetable: timetable(schedule, "/schedule")?,
            thresholds: thresholds(members.get("thresholds"), kind)?,
            repeat,
            suppress_if_replaced: suppress,
            limits: limits(members.get("limits"), kind)?,
        })
    }
}

/// Reads cron and time zone.
pub(crate) fn timetable(members: &Map<String, Value>, place: &str) -> Result<Timetable, Error> {
    let cron = text(members, place, "cron")?
        .ok_or_else(|| Error::invalid(format!("{place}/cron"), "write when it runs"))?;
    let zone = text(members, place, "time_zone")?.unwrap_or("UTC");
    Timetable::parse(cron, zone).map_err(|error| match error {
        TimetableError::Cron(message) => Error::invalid(format!("{place}/cron"), message),
        TimetableError::TimeZone(message) => Error::invalid(format!("{place}/time_zone"), message),
    })
}

/// Refuses members that nobody knows.
pub(crate) fn only(members: &Map<String, Value>, place: &str, known: &[&str]) -> Result<(), Error> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let name: String = name.chars().take(60).collect();
            let message = format!("there is no such member; known are {}", known.join(", "));
            Err(Error::invalid(format!("{place}/{name}"), message))
        }
    }
}

/// A member that is text, if it is there.
pub(crate) fn text<'a>(
    members: &'a Map<String, Value>,
    place: &str,
    name: &str,
) -> Result<Option<&'a str>, Error> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::invalid(format!("{place}/{name}"), "write a text")),
    }
}

fn thresholds(value: Option<&Value>, kind: Kind) -> Result<Vec<Threshold>, Error> {
    let empty = Vec::new();
    let list = match value {
        None | Some(Value::Null) => &empty,
        Some(Value::Array(list)) => list,
        Some(_) => return Err(Error::invalid("/thresholds", "write a list such as [\"30d\"]")),
    };
    if kind.watched().is_none() {
        return match list.is_empty() {
            true => Ok(Vec::new()),
            false => Err(Error::invalid("/thresholds", "monitors of this kind have none")),
        };
    }
    if list.is_empty() || list.len() > THRESHOLDS_MAX {
        return Err(Error::invalid("/thresholds", format!("1 to {THRESHOLDS_MAX} of them")));
    }
    let mut thresholds = Vec::with_capacity(list.len());
    for (position, one) in list.iter().enumerate() {
        let place = format!("/thresholds/{position}");
        let text = one.as_str().ok_or_else(|| Error::invalid(&place, "write a text"))?;
        let threshold = Threshold::parse(text).map_err(|why| Error::invalid(&place, why))?;
        if thresholds.contains(&threshold) {
            return Err(Error::invalid(&place, "this threshold stands here twice"));
        }
        if kind.looks_back() && threshold.days_after().is_none_or(|days| days == 0) {
            let what = if kind.is_about_use() { "use" } else { "change" };
            let message = format!("write days after the last {what}, such as -90d");
            return Err(Error::invalid(&place, message));
        }
        thresholds.push(threshold);
    }
    Ok(thresholds)
}

fn limits(value: Option<&Value>, kind: Kind) -> Result<Limits, Error> {
    let members = match value {
        None | Some(Value::Null) => return Ok(Limits::default()),
        Some(Value::Object(members)) if kind == Kind::Limits => members,
        Some(_) if kind != Kind::Limits => {
            return Err(Error::invalid("/limits", "only monitors of the kind limits have them"));
        }
        Some(_) => return Err(Error::invalid("/limits", "write an object")),
    };
    only(members, "/limits", &["certificates", "accounts", "storage_mib", "valid_until"])?;
    let number = |name: &str| match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) if number > 0 => Ok(Some(number)),
            _ => Err(Error::invalid(format!("/limits/{name}"), "a whole number from 1")),
        },
    };
    Ok(Limits {
        certificates: number("certificates")?,
        accounts: number("accounts")?,
        storage_mib: number("storage_mib")?,
        valid_until: end(members)?,
    })
}

/// A date stands for the whole day.
fn end(members: &Map<String, Value>) -> Result<Option<Timestamp>, Error> {
    let Some(written) = text(members, "/limits", "valid_until")? else { return Ok(None) };
    let written = written.trim();
    let day = format!("{written}T00:00:00Z").parse::<Timestamp>();
    let end = day.map(|start| start.plus(Timestamp::DAY)).or_else(|_| written.parse());
    let expected = "a date such as 2027-12-31, or a time such as 2027-12-31T18:00:00Z";
    end.map(Some).map_err(|_| Error::invalid("/limits/valid_until", expected))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: Value) -> String {
        match Definition::read(&body).unwrap_err() {
            Error::Invalid { field, .. } => field,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_default_is_a_definition() {
        for (name, body) in super::super::defaults::monitors() {
            let read = Definition::read(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(crate::automation::check_name("name", name).is_ok());
            assert_eq!(read.kind.watched().is_some(), !read.thresholds.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_fault_is_told_at_its_place() {
        let body = |change: Value| {
            let mut body = json!({
                "kind": "certificate_expiry",
                "schedule": { "cron": "0 * * * *", "time_zone": "UTC" },
                "thresholds": ["30d"],
            });
            for (name, value) in change.as_object().unwrap() {
                body[name] = value.clone();
            }
            body
        };
        assert!(Definition::read(&body(json!({}))).is_ok());
        assert_eq!(refused(body(json!({ "kind": "weather" }))), "/kind");
        assert_eq!(refused(body(json!({ "thresholds": ["30d", "soon"] }))), "/thresholds/1");
        assert_eq!(refused(body(json!({ "thresholds": [] }))), "/thresholds");
        assert_eq!(refused(body(json!({ "thresholds": ["1d", "1d"] }))), "/thresholds/1");
        assert_eq!(refused(body(json!({ "schedule": { "cron": "often" } }))), "/schedule/cron");
        let zone = json!({ "schedule": { "cron": "0 * * * *", "time_zone": "Mars" } });
        assert_eq!(refused(body(zone)), "/schedule/time_zone");
        assert_eq!(refused(body(json!({ "repeat": "1s" }))), "/repeat");
        assert_eq!(refused(body(json!({ "colour": "red" }))), "/colour");
        assert_eq!(refused(body(json!({ "limits": { "accounts": 1 } }))), "/limits");
        assert_eq!(refused(body(json!({ "kind": "jobs" }))), "/thresholds");
        let end = |text: &str| {
            let limits = json!({ "valid_until": text });
            body(json!({ "kind": "limits", "thresholds": [], "limits": limits }))
        };
        assert_eq!(refused(end("soon")), "/limits/valid_until");
        let read = |text| Definition::read(&end(text)).unwrap().limits.valid_until.unwrap();
        assert_eq!(read("2027-12-31").to_string(), read("2028-01-01T00:00:00Z").to_string());
        let unused = json!({ "kind": "token_unused", "thresholds": ["90d"] });
        assert_eq!(refused(body(unused)), "/thresholds/0");
    }
}
