//! The envelope of an event: CloudEvents 1.0 outside, who-what-where-why inside.
//!
//! [`Event`] is the whole event as this program knows it. Its JSON is CloudEvents structured mode;
//! everything of Chancery stands under `data`. Facts about people stand in one place,
//! `data.personal` ([`Personal`]), because that place, and nothing else, is replaced by a salted
//! commitment before the event is sealed (invariant 10): see [`crate::entry`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{EventId, NodeId, TransactionId};
use crate::time::Timestamp;

/// Whether a word is one that only a later version knows: a process that a test runs is told which.
#[cfg(feature = "faults")]
fn is_of_later(word: &str) -> bool {
    static LATER: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let later = LATER.get_or_init(|| std::env::var("LATER_WORD_OF_CHANCERY").ok());
    later.as_deref() == Some(word)
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize, schemars::JsonSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// All values, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The one spelling used in JSON, the store and the filter.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value that `text` spells, if any.
            pub fn parse(text: &str) -> Option<Self> {
                #[cfg(feature = "faults")]
                if is_of_later(text) {
                    return None;
                }
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// How much an event matters, from least to most.
    Severity {
        /// Of interest when looking for a fault.
        Debug = "debug",
        /// The ordinary course of things.
        Info = "info",
        /// Something a person should look at in time.
        Warning = "warning",
        /// Something failed.
        Error = "error",
        /// Something that must not happen has happened, or is about to.
        Critical = "critical",
    }
}

words! {
    /// How an operation ended: the twelve values of the widest envelope in the field.
    Verdict {
        /// It did what it was asked for.
        Success = "success",
        /// It did not.
        Failure = "failure",
        /// It was not done because it was not needed.
        Skipped = "skipped",
        /// It was permitted.
        Allow = "allow",
        /// It was refused by policy.
        Deny = "deny",
        /// More proof was asked for.
        Challenge = "challenge",
        /// It is not known how it ended.
        Unknown = "unknown",
        /// It was refused because there was too much of it.
        RateLimit = "rate_limit",
        /// It is to be done later.
        Deferred = "deferred",
        /// It has a time at which it will be done.
        Scheduled = "scheduled",
        /// It was given up.
        Abandoned = "abandoned",
        /// Nobody answered.
        Unanswered = "unanswered",
    }
}

words! {
    /// By which way an operation came in.
    Origin {
        /// A page in a browser.
        Ui = "ui",
        /// The REST API.
        Api = "api",
        /// The command line, working on the data directory.
        Cli = "cli",
        /// ACME (RFC 8555).
        Acme = "acme",
        /// EST (RFC 7030).
        Est = "est",
        /// SCEP (RFC 8894).
        Scep = "scep",
        /// The protocol of card management systems.
        Crmp = "crmp",
        /// A trigger that matched an event.
        Trigger = "trigger",
        /// A schedule, a monitor or another background loop.
        Schedule = "schedule",
        /// An event taken in from another system.
        Intake = "intake",
    }
}

words! {
    /// What kind of party acted.
    ActorKind {
        /// A person or service with a local account.
        Account = "account",
        /// The program itself.
        System = "system",
        /// Somebody who has not proved who they are.
        Anonymous = "anonymous",
        /// A system outside.
        External = "external",
    }
}

words! {
    /// What kind of object an event is about.
    TargetKind {
        /// A certificate.
        Certificate = "certificate",
        /// A certification authority.
        Authority = "authority",
        /// A certificate revocation list.
        Crl = "crl",
        /// An RA profile.
        RaProfile = "ra_profile",
        /// A group.
        Group = "group",
        /// A definition of a custom attribute.
        Attribute = "attribute",
        /// A discovery.
        Discovery = "discovery",
        /// An approval.
        Approval = "approval",
        /// A request for a lifecycle operation.
        Request = "request",
        /// A job.
        Job = "job",
        /// A schedule of jobs.
        Schedule = "schedule",
        /// A local account.
        Account = "account",
        /// An API token.
        Token = "token",
        /// A browser session.
        Session = "session",
        /// A role.
        Role = "role",
        /// A team.
        Team = "team",
        /// Stored credentials, an identity provider, a password policy or another piece of
        /// configuration; the detail names its class.
        Configuration = "configuration",
        /// An event.
        Event = "event",
        /// The sealed log.
        Log = "log",
        /// A node.
        Node = "node",
        /// A secret that is rotated or synchronised.
        Secret = "secret",
        /// A way of authenticating.
        AuthenticationMethod = "authentication_method",
        /// A gateway.
        Gateway = "gateway",
        /// A trigger.
        Trigger = "trigger",
        /// A monitor.
        Monitor = "monitor",
        /// An alert.
        Alert = "alert",
        /// A forwarder or a notification channel.
        Destination = "destination",
        /// A device.
        Device = "device",
        /// A system outside.
        ThirdParty = "third_party",
        /// A saved view.
        View = "view",
        /// A protocol account or order, such as ACME's; the detail names it.
        Protocol = "protocol",
        /// Anything else; the detail names its class.
        Other = "other",
    }
}

/// Why an operation ended as it did: a stable snake_case word that programs can match.
pub type Reason = Cow<'static, str>;

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The verdict.
    pub result: Verdict,
    /// Why, as a stable word such as `duplicate`; present on every failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Why, as one sentence for people. Never a secret, never a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Outcome {
    /// It worked.
    pub fn success() -> Self {
        Self { result: Verdict::Success, reason: None, message: None }
    }

    /// It failed, because of `reason`, told to people as `message`.
    pub fn failure(reason: impl Into<Reason>, message: impl Into<String>) -> Self {
        Self {
            result: Verdict::Failure,
            reason: Some(reason.into()),
            message: Some(message.into()),
        }
    }
}

/// Who acted. The name of a person is in [`Personal`], never here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What kind of party.
    pub kind: ActorKind,
    /// Its stable identifier; absent for the anonymous and for the program as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The role under which it acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Cow<'static, str>>,
}

impl Actor {
    /// The program itself.
    pub const SYSTEM: Self = Self { kind: ActorKind::System, id: None, role: None };
    /// Somebody who has not proved who they are.
    pub const ANONYMOUS: Self = Self { kind: ActorKind::Anonymous, id: None, role: None };
}

/// How the actor proved who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// `password`, `token`, `process` (the command line on the data directory) or a later method.
    pub method: Cow<'static, str>,
    /// Identifier of the credential used, such as a token's; never the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// An object that an event is about; the first one is its subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// What kind of object.
    pub kind: TargetKind,
    /// Its identifier.
    pub id: String,
    /// What people call it, as it was when the event happened. For accounts this stands in
    /// [`Personal::targets`] instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Target {
    /// A target without a name.
    pub fn new(kind: TargetKind, id: impl ToString) -> Self {
        Self { kind, id: id.to_string(), name: None }
    }

    /// The same target with what people call it.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// `kind/id`, the spelling of the CloudEvents `subject`.
    pub fn reference(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }
}

/// Everything in an event that is about a person: erasable, never sealed in clear.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// Login name of the actor, as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    /// Address the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<String>,
    /// The client's own description of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Identifier of the browser session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Names of targets that are people, by `kind/id`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, String>,
    /// Members of the type's detail that are about a person.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub detail: Map<String, Value>,
}

impl Personal {
    /// Whether there is nothing about a person.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One event, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Unique for ever.
    pub id: EventId,
    /// The installation that recorded it (CloudEvents `source`, a URI reference).
    pub source: Cow<'static, str>,
    /// Dotted name of its type, such as `certificate.upload`.
    pub type_name: Cow<'static, str>,
    /// Version of that type's payload.
    pub type_version: u16,
    /// When it happened.
    pub time: Timestamp,
    /// How it ended. Occurrences succeed by happening.
    pub outcome: Outcome,
    /// How much it matters.
    pub severity: Severity,
    /// Who acted.
    pub actor: Actor,
    /// How they proved who they are, where they did.
    pub authentication: Option<Authentication>,
    /// By which way it came in.
    pub origin: Origin,
    /// The request or unit of work it belongs to.
    pub transaction: Option<TransactionId>,
    /// The event that brought it about.
    pub cause: Option<EventId>,
    /// How many causes stand behind it; bounded (invariant 13).
    pub depth: u16,
    /// What it is about; the first is the subject.
    pub targets: Vec<Target>,
    /// The node that recorded it.
    pub node: NodeId,
    /// The payload of its type.
    pub detail: Map<String, Value>,
    /// What is known of the person: in clear, absent, or erased.
    pub personal: PersonalPart,
}

/// The personal part of an event in its three states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PersonalPart {
    /// The event is about no person.
    #[default]
    None,
    /// In clear.
    Clear(Personal),
    /// Only the commitment is left (or shown): the part was erased, or the reader may not see it.
    Committed(String),
}

impl Event {
    /// The target the event is about.
    pub fn subject(&self) -> Option<&Target> {
        self.targets.first()
    }

    /// The personal part, where it is in clear.
    pub fn personal(&self) -> Option<&Personal> {
        match &self.personal {
            PersonalPart::Clear(personal) => Some(personal),
            PersonalPart::None | PersonalPart::Committed(_) => None,
        }
    }
}
