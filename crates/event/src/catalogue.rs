//! The catalogue: every type of event, declared once.
//!
//! `catalogue/list.rs` declares the types, one entry each; [`crate::types`] holds their payloads.
//! Name, parser, description, schema, example, goldens and `docs/EVENTS.md` derive from the two.
//! The names that other systems have for our events are part of the entries: each of their codes
//! belongs to exactly one type, and a test holds the list against theirs.
//!
//! A name, once released, must never change its meaning; a payload changes by a new version.

#[macro_use]
mod declare;
mod example;
mod list;
mod markdown;
mod schema;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::envelope::{Event, Outcome, Severity, TargetKind, Verdict};
use crate::types::Declared;

pub use list::EventType;
pub use markdown::events_page;

/// The payload of one event type. [`crate::types`] has them all.
pub trait Payload: Declared + Serialize + DeserializeOwned + schemars::JsonSchema {
    /// The type it belongs to.
    const TYPE: EventType;

    /// The members for [`Event::detail`]; absent ones are left out.
    fn detail(&self) -> Map<String, Value> {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        leave_out_absent(&mut value);
        match value {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    /// The members about a person, for [`crate::Personal::detail`].
    fn personal(&self) -> Map<String, Value> {
        Declared::personal(self)
    }
}

fn leave_out_absent(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(leave_out_absent);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_absent),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What kind of fact a type records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody did or tried something; it has an outcome.
    Operation,
    /// Something came about.
    Occurrence,
    /// A monitor found that something came about.
    Monitoring,
}

impl Kind {
    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Occurrence => "occurrence",
            Self::Monitoring => "monitoring",
        }
    }
}

/// Where triggers on a type can be bound besides the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// An RA profile.
    RaProfile,
    /// A group.
    Group,
    /// A discovery.
    Discovery,
}

impl Scope {
    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RaProfile => "ra_profile",
            Self::Group => "group",
            Self::Discovery => "discovery",
        }
    }
}

/// A system whose names for events we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum System {
    /// CZERTAINLY (OmniTrust ILM).
    Czertainly,
    /// EverTrust Horizon.
    Horizon,
    /// Akeyless Event Center.
    Akeyless,
    /// Okta System Log.
    Okta,
    /// QCecuring SSL CLM.
    Qcecuring,
}

impl System {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Czertainly, Self::Horizon, Self::Akeyless, Self::Okta, Self::Qcecuring];

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Czertainly => "czertainly",
            Self::Horizon => "horizon",
            Self::Akeyless => "akeyless",
            Self::Okta => "okta",
            Self::Qcecuring => "qcecuring",
        }
    }

    /// The system that `text` spells, if any.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|system| system.as_str() == text)
    }
}

/// The three outcomes that other systems tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeClass {
    /// It worked, or came about as it should.
    Success,
    /// It failed or was refused.
    Failure,
    /// It worked or came about, and somebody should look at it.
    Warning,
}

impl OutcomeClass {
    /// The class of an outcome with a severity.
    pub fn of(outcome: &Outcome, severity: Severity) -> Self {
        match outcome.result {
            Verdict::Failure
            | Verdict::Deny
            | Verdict::RateLimit
            | Verdict::Abandoned
            | Verdict::Unanswered => Self::Failure,
            _ if severity >= Severity::Warning => Self::Warning,
            _ => Self::Success,
        }
    }
}

/// A set of outcome classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outcomes {
    /// Whether success is in it.
    pub success: bool,
    /// Whether failure is in it.
    pub failure: bool,
    /// Whether warning is in it.
    pub warning: bool,
}

impl Outcomes {
    /// Whether `class` is in it.
    pub fn contains(self, class: OutcomeClass) -> bool {
        match class {
            OutcomeClass::Success => self.success,
            OutcomeClass::Failure => self.failure,
            OutcomeClass::Warning => self.warning,
        }
    }

    /// The words of those in it, or `any`.
    pub fn words(self) -> String {
        let Self { success, failure, warning } = self;
        if success && failure && warning {
            return "any".to_owned();
        }
        let words = [(success, "success"), (failure, "failure"), (warning, "warning")];
        let words: Vec<_> = words.iter().filter(|(in_it, _)| *in_it).map(|(_, w)| *w).collect();
        words.join(",")
    }
}

/// What another system calls our events of a type with certain outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialectName {
    /// The other system.
    pub system: System,
    /// Its code.
    pub code: &'static str,
    /// The outcomes that the code is used for.
    pub outcomes: Outcomes,
    /// Whether that system has given the code up for another one of the same type.
    pub deprecated: bool,
}

/// All that the catalogue says about one type.
#[derive(Debug)]
pub struct TypeInfo {
    /// Dotted name.
    pub name: &'static str,
    /// What kind of fact it records.
    pub kind: Kind,
    /// Version of the payload, from 1.
    pub version: u16,
    /// How much it matters when it went well or came about.
    pub severity: Severity,
    /// How much it matters when it failed.
    pub severity_on_failure: Severity,
    /// What kind of object it is about.
    pub resource: TargetKind,
    /// What it records: the doc comment of its payload.
    pub description: &'static str,
    /// Where triggers on it can be bound besides the platform.
    pub overridden_by: &'static [Scope],
    /// Whether a monitor finds it.
    pub monitoring: bool,
    /// Whether this version of the program records it.
    pub produced: bool,
    /// What other systems call it; of two names of one system the first is preferred.
    pub dialects: &'static [DialectName],
    /// Names and descriptions of the members about a person.
    pub personal: &'static [&'static [(&'static str, &'static str)]],
    shape: Shape,
}

/// The parts of a payload type that need its Rust type.
#[derive(Debug)]
struct Shape {
    schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
    normalise: fn(&Members) -> Result<Members, serde_json::Error>,
}

/// The members of a detail.
type Members = Map<String, Value>;

fn normalise<P: Payload>(detail: &Members) -> Result<Members, serde_json::Error> {
    serde_json::from_value::<P>(Value::Object(detail.clone())).map(|payload| payload.detail())
}

impl TypeInfo {
    /// The severity of an event of this type with this outcome.
    pub fn severity_of(&self, outcome: &Outcome) -> Severity {
        match OutcomeClass::of(outcome, Severity::Info) {
            OutcomeClass::Failure => self.severity_on_failure,
            OutcomeClass::Success | OutcomeClass::Warning => self.severity,
        }
    }

    /// The code by which `system` knows events of this type with outcomes of `class`.
    pub fn dialect(&self, system: System, class: OutcomeClass) -> Option<&'static DialectName> {
        self.dialects
            .iter()
            .find(|name| name.system == system && !name.deprecated && name.outcomes.contains(class))
    }
}

impl EventType {
    /// Its dotted name.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The first part of its name, such as `certificate`.
    pub fn family(self) -> &'static str {
        self.name().split('.').next().unwrap_or_default()
    }

    /// The type with this name, or with this code of another system (exact spelling).
    pub fn parse(text: &str) -> Option<Self> {
        static BY_NAME: LazyLock<HashMap<&'static str, EventType>> = LazyLock::new(|| {
            let mut names = HashMap::new();
            for &event_type in EventType::ALL {
                let info = event_type.info();
                names.insert(info.name, event_type);
                names.extend(info.dialects.iter().map(|dialect| (dialect.code, event_type)));
            }
            names
        });
        BY_NAME.get(text).copied()
    }

    /// The type of an event, where the catalogue knows it.
    pub fn of(event: &Event) -> Option<Self> {
        Self::parse(&event.type_name).filter(|found| found.name() == event.type_name)
    }

    /// The detail as this type's payload has it: unknown members left out.
    ///
    /// # Errors
    /// A member is missing or has the wrong type.
    pub fn normalise(self, detail: &Members) -> Result<Members, serde_json::Error> {
        (self.info().shape.normalise)(detail)
    }

    /// JSON Schema (2020-12) of a whole event of this type.
    pub fn schema(self) -> Value {
        schema::of(self)
    }

    /// A plausible event of this type, always the same.
    pub fn example(self) -> Event {
        example::of(self)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
