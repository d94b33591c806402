//! What a destination says: which events, when, in which dialect, where to.
//!
//! Read from JSON at the boundary, every unknown member refused. What stands under `settings`
//! belongs to the kind, and is read by the sender.

use chancery_event::filter::{Filter, FilterError, Schema};
use chancery_event::{EventType, Severity};
use chancery_store::table::attribute::Attribute;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;
use crate::reaction::{field, possible};

/// Events of one delivery at most, whatever is said.
const BATCH_MAX: usize = 10_000;
/// Patterns, types, places: entries of one list at most.
const LIST_MAX: usize = 500;

/// Kinds that people read.
pub(super) const CHANNEL_KINDS: [&str; 5] = ["email", "slack", "teams", "webhook", "servicenow"];
/// Members that belong to streams of events.
const STREAM: [&str; 8] =
    ["path", "select", "runner", "every_hours", "batch_max", "ordered", "dialect", "personal"];

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Names of types, or the beginning of names followed by `*`; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub event_types: Vec<String>,
    /// Severities; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub severities: Vec<String>,
    /// A filter in the text grammar; empty: none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filter: String,
    /// Where the objects live; all empty: anywhere.
    #[serde(skip_serializing_if = "Locations::is_empty")]
    pub locations: Locations,
}

/// Where objects live, by class: a folder with all below it (`/prod/*`), or one object
/// (`/prod/web/shop`). A class without an entry contributes nothing once another has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Locations {
    /// Certificates, authorities, secrets, requests and what else is kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// Accounts, tokens, identity providers and other ways to authenticate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub auth_methods: Vec<String>,
    /// Systems outside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Gateways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
}

impl Locations {
    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.each().iter().all(|(_, list)| list.is_empty())
    }

    pub(super) fn each(&self) -> [(&'static str, &Vec<String>); 4] {
        [
            ("items", &self.items),
            ("auth_methods", &self.auth_methods),
            ("targets", &self.targets),
            ("gateways", &self.gateways),
        ]
    }
}

/// When it sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Runner {
    /// As soon as events are sealed.
    #[default]
    Immediate,
    /// Every so many hours, in batches.
    Periodic,
}

/// What a destination says. Secrets are kept apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// How it sends: `webhook`, `syslog`, `file`, …
    pub kind: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The folder it lives in; permissions can be given by folder.
    #[serde(default = "root")]
    pub path: String,
    /// Which events.
    #[serde(default)]
    pub select: Selection,
    /// When it sends.
    #[serde(default)]
    pub runner: Runner,
    /// Hours between two batches of a periodic one, 1 to 24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_hours: Option<i64>,
    /// Events of one delivery at most; absent: as the kind does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_max: Option<usize>,
    /// One after another, in the order of the log; a failure holds up what follows.
    #[serde(default)]
    pub ordered: bool,
    /// How events are written; absent: as the kind does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// Names and addresses of people are sent along.
    #[serde(default)]
    pub personal: bool,
    /// What the kind needs to know.
    #[serde(default)]
    pub settings: Map<String, Value>,
}

fn root() -> String {
    "/".to_owned()
}

impl Definition {
    /// Reads a body. What its filter names is looked at apart, where attributes are known.
    ///
    /// # Errors
    /// A member is unknown, missing, or says what cannot be.
    pub fn read(body: &Value) -> Result<Self, Error> {
        let read: Self = serde_json::from_value(body.clone()).map_err(|error| {
            let text = error.to_string();
            let member = text.split('`').nth(1).unwrap_or_default().to_owned();
            Error::invalid(if member.is_empty() { "body".to_owned() } else { member }, text)
        })?;
        read.check()?;
        Ok(read)
    }

    /// The body as it is stored and shown.
    pub fn body(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    /// The body of a channel: without what belongs to streams.
    pub fn channel_body(&self) -> Value {
        let mut body = self.body();
        if let Some(members) = body.as_object_mut() {
            for member in STREAM {
                members.remove(member);
            }
        }
        body
    }

    /// Refuses what a channel cannot have: it carries messages for people, not events.
    ///
    /// # Errors
    /// A kind that nobody reads, or a member that belongs to streams.
    pub(super) fn check_channel(&self) -> Result<(), Error> {
        if !CHANNEL_KINDS.contains(&self.kind.as_str()) {
            return Err(Error::invalid("kind", format!("one of {}", CHANNEL_KINDS.join(", "))));
        }
        let plain = Self {
            kind: self.kind.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            path: root(),
            settings: self.settings.clone(),
            ..Self::default()
        };
        let (own, plain) = (self.body(), plain.body());
        match STREAM.into_iter().find(|member| own.get(*member) != plain.get(*member)) {
            None => Ok(()),
            Some(member) => {
                let message = "a channel carries messages: leave it out, or make a forwarder";
                Err(Error::invalid(member, message))
            }
        }
    }

    fn check(&self) -> Result<(), Error> {
        if self.title.chars().count() > 200 || self.description.chars().count() > 2_000 {
            return Err(Error::invalid("title", "at most 200 characters, the description 2,000"));
        }
        check_path("path", &self.path)?;
        match (self.runner, self.every_hours) {
            (Runner::Periodic, Some(1..=24)) | (Runner::Immediate, None) => {}
            (Runner::Periodic, _) => {
                return Err(Error::invalid(
                    "every_hours",
                    "a periodic one sends every 1 to 24 hours",
                ));
            }
            (Runner::Immediate, Some(_)) => {
                let message = "only a periodic one waits: leave it out, or choose periodic";
                return Err(Error::invalid("every_hours", message));
            }
        }
        if self.batch_max.is_some_and(|max| max == 0 || max > BATCH_MAX) {
            return Err(Error::invalid("batch_max", format!("1 to {BATCH_MAX} events")));
        }
        self.select.check()
    }
}

impl Selection {
    fn check(&self) -> Result<(), Error> {
        for (position, pattern) in self.event_types.iter().enumerate() {
            if !EventType::ALL.iter().any(|known| fits(pattern, known.name())) {
                let message = format!("no type of the catalogue is called {pattern}");
                return Err(Error::invalid(format!("select/event_types/{position}"), message));
            }
        }
        for (position, word) in self.severities.iter().enumerate() {
            if Severity::parse(word).is_none() {
                let words: Vec<_> = Severity::ALL.iter().map(|one| one.as_str()).collect();
                let message = format!("one of {}", words.join(", "));
                return Err(Error::invalid(format!("select/severities/{position}"), message));
            }
        }
        for (class, list) in self.locations.each() {
            if list.len() > LIST_MAX {
                return Err(Error::invalid(
                    format!("select/locations/{class}"),
                    format!("at most {LIST_MAX} places"),
                ));
            }
            for (position, place) in list.iter().enumerate() {
                let name = format!("select/locations/{class}/{position}");
                check_path(
                    &name,
                    place.strip_suffix("/*").filter(|p| !p.is_empty()).unwrap_or("/"),
                )?;
                if !place.starts_with('/') {
                    return Err(Error::invalid(name, "a folder such as /prod/*, or a whole path"));
                }
            }
        }
        if self.filter.len() > 4_000 {
            return Err(Error::invalid("select/filter", "at most 4,000 characters"));
        }
        Ok(())
    }

    /// Refuses a filter that cannot be read with the attributes that certificates have, and one
    /// that no event of the types and severities that are selected can meet.
    ///
    /// # Errors
    /// It names what does not exist, is no filter, or can never hold.
    pub(super) fn check_filter(&self, attributes: &[Attribute]) -> Result<(), Error> {
        let schema = field::all(attributes);
        let wrong = |error: FilterError| Error::invalid("select/filter", error.to_string());
        let filter = self.read_filter(&schema).map_err(wrong)?;
        filter.compile(&schema).map_err(wrong)?;
        let severity = |word: &String| Filter::parse(&format!("severity:{word}"), &schema);
        let severities: Result<Vec<_>, _> = self.severities.iter().map(severity).collect();
        let mut wanted = vec![filter];
        match severities.map_err(wrong)? {
            none if none.is_empty() => {}
            some => wanted.push(Filter::Or(some)),
        }
        possible(&Filter::And(wanted), &self.types(), &schema).map_err(|error| match error {
            Error::Invalid { message, .. } => Error::invalid("select/filter", message),
            error => error,
        })
    }

    /// Its filter as a tree.
    ///
    /// # Errors
    /// It names what does not exist, or is no filter.
    pub(super) fn read_filter(&self, schema: &Schema) -> Result<Filter, FilterError> {
        Filter::parse(&self.filter, schema)
    }

    /// The types that are selected.
    pub fn types(&self) -> Vec<EventType> {
        let wanted = |of: &EventType| {
            self.event_types.is_empty() || self.event_types.iter().any(|p| fits(p, of.name()))
        };
        EventType::ALL.iter().copied().filter(wanted).collect()
    }
}

/// Whether a pattern names a type: wholly, or by its beginning and a `*`.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

/// Refuses what is no folder.
pub(crate) fn check_path(field: &str, path: &str) -> Result<(), Error> {
    let good = path.starts_with('/')
        && path.len() <= 500
        && (path == "/" || !path.ends_with('/'))
        && !path.contains("//")
        && !path.chars().any(char::is_control);
    if good { Ok(()) } else { Err(Error::invalid(field, "a folder such as /prod/web")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field_of(body: Value) -> String {
        match Definition::read(&body) {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_definition_is_read_and_written_back() {
        let body = json!({ "kind": "webhook", "select": { "event_types": ["certificate.*"],
            "severities": ["error"], "filter": "outcome:failure",
            "locations": { "items": ["/prod/*"] } }, "runner": "periodic", "every_hours": 3,
            "settings": { "url": "https://example.org" } });
        let read = Definition::read(&body).unwrap();
        assert_eq!(read.path, "/");
        assert_eq!(Definition::read(&read.body()).unwrap(), read);
        assert!(read.select.types().contains(&EventType::CertificateUpload));
        assert!(!read.select.types().contains(&EventType::TokenCreate));
    }

    #[test]
    fn a_channel_has_nothing_of_a_stream() {
        let read = |body: Value| Definition::read(&body).unwrap();
        let mail = read(json!({ "kind": "email", "settings": { "from": "a@b.c" } }));
        assert!(mail.check_channel().is_ok());
        let shown = mail.channel_body();
        assert_eq!(shown, json!({ "kind": "email", "settings": { "from": "a@b.c" } }));
        assert_eq!(read(shown), mail);
        for (body, member) in [
            (json!({ "kind": "syslog" }), "kind"),
            (json!({ "kind": "webhook", "personal": true }), "personal"),
            (json!({ "kind": "webhook", "ordered": true }), "ordered"),
            (json!({ "kind": "webhook", "path": "/prod" }), "path"),
            (json!({ "kind": "webhook", "dialect": "cef" }), "dialect"),
            (json!({ "kind": "webhook", "select": { "severities": ["error"] } }), "select"),
        ] {
            match read(body).check_channel() {
                Err(Error::Invalid { field, .. }) => assert_eq!(field, member),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_filter_is_read_with_the_attributes_there_are() {
        let read = |filter: &str| Selection { filter: filter.to_owned(), ..Selection::default() };
        for filter in ["nofield:x", "object.attribute.tier:gold", "outcome:"] {
            match read(filter).check_filter(&[]) {
                Err(Error::Invalid { field, .. }) => assert_eq!(field, "select/filter"),
                other => panic!("{filter}: {other:?}"),
            }
        }
        assert!(read("outcome:failure").check_filter(&[]).is_ok());
    }

    #[test]
    fn a_filter_that_nothing_selected_can_meet_is_refused() {
        let select = |types: &[&str], severities: &[&str], filter: &str| Selection {
            event_types: types.iter().map(|one| (*one).to_owned()).collect(),
            severities: severities.iter().map(|one| (*one).to_owned()).collect(),
            filter: filter.to_owned(),
            ..Selection::default()
        };
        for wrong in [
            select(&[], &[], "outcome:success outcome:failure"),
            select(&["certificate.*"], &[], "type:token.create"),
            select(&["token.create"], &[], "object.cn:www.example.org"),
            select(&[], &["error", "critical"], "severity:info"),
        ] {
            match wrong.check_filter(&[]) {
                Err(Error::Invalid { field, .. }) => assert_eq!(field, "select/filter"),
                other => panic!("{wrong:?}: {other:?}"),
            }
        }
        for right in [
            select(&[], &[], ""),
            select(&["certificate.*"], &["error", "info"], "severity:info"),
            select(&["certificate.*", "token.create"], &[], "type:token.create"),
            select(&["token.*", "certificate.*"], &[], "object.cn:www.example.org"),
            select(&[], &[], "outcome:success OR outcome:failure"),
        ] {
            assert!(right.check_filter(&[]).is_ok(), "{right:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_at_its_member() {
        for (body, field) in [
            (json!({}), "kind"),
            (json!({ "kind": "webhook", "colour": 1 }), "colour"),
            (json!({ "kind": "webhook", "path": "prod" }), "path"),
            (json!({ "kind": "webhook", "runner": "periodic" }), "every_hours"),
            (json!({ "kind": "webhook", "runner": "periodic", "every_hours": 25 }), "every_hours"),
            (json!({ "kind": "webhook", "every_hours": 2 }), "every_hours"),
            (json!({ "kind": "webhook", "batch_max": 0 }), "batch_max"),
            (
                json!({ "kind": "webhook", "select": { "event_types": ["nothing.at_all"] } }),
                "select/event_types/0",
            ),
            (
                json!({ "kind": "webhook", "select": { "severities": ["loud"] } }),
                "select/severities/0",
            ),
            (
                json!({ "kind": "webhook", "select": { "locations": { "items": ["prod"] } } }),
                "select/locations/items/0",
            ),
        ] {
            assert_eq!(field_of(body.clone()), field, "{body}");
        }
    }
}
