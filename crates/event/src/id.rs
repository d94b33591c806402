//! Identifiers: one type per kind of object, so that no two can be confused.
//!
//! Every identifier is a UUID version 7 (RFC 9562 §5.7): time-ordered, so that rows inserted
//! together stay together in an index. Identifiers are made through [`crate::Environment`] so that
//! tests and simulations can repeat them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "“{text}” is no {kind} identifier: expected a UUID such as 01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4"
)]
pub struct InvalidId {
    /// What kind of identifier was expected.
    pub kind: &'static str,
    /// What was given, shortened to 80 characters.
    pub text: String,
}

/// What all identifier types share.
pub trait Id: Copy + Sized {
    /// The noun of the object, as used in paths, subjects and messages.
    const KIND: &'static str;
    /// Wraps a UUID.
    fn from_uuid(uuid: Uuid) -> Self;
    /// The UUID inside.
    fn uuid(self) -> Uuid;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl Id for $name {
            const KIND: &'static str = $kind;
            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
            fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": "uuid" })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}", $kind, self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId {
                    kind: $kind,
                    text: text.chars().take(80).collect(),
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    )+};
}

ids! {
    /// An event. The `id` of its CloudEvents envelope.
    EventId = "event";
    /// A certificate of the inventory.
    CertificateId = "certificate";
    /// A group: a label set that certificates can belong to.
    GroupId = "group";
    /// An RA profile: a named issuing configuration.
    RaProfileId = "ra_profile";
    /// A definition of a custom attribute.
    AttributeId = "attribute";
    /// A local account of a person or a service.
    AccountId = "account";
    /// An API token.
    TokenId = "token";
    /// A browser session.
    SessionId = "session";
    /// A job.
    JobId = "job";
    /// An alert.
    AlertId = "alert";
    /// The record of one trigger that was asked about one event.
    EvaluationId = "evaluation";
    /// One event, batch or message for one destination.
    DeliveryId = "delivery";
    /// A wish to tell of one event through one notification profile.
    NotificationId = "notification";
    /// The decision whether one recipient is told by one channel.
    NoticeId = "notice";
    /// An alert that must be acknowledged by a time.
    EscalationId = "escalation";
    /// A saved view of a list.
    ViewId = "view";
    /// A running server process.
    NodeId = "node";
    /// One request or unit of work that several events may share.
    TransactionId = "transaction";
}

/// Position of an entry in the sealed log, from 0. The one total order every reader uses.
///
/// Only the sealer assigns it.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct LogIndex(pub u64);

impl fmt::Display for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for LogIndex {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_round_trips_and_refuses_other_text() {
        let id: CertificateId = "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4".parse().unwrap();
        assert_eq!(id.to_string(), "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4");
        assert_eq!(
            serde_json::from_str::<CertificateId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
        let refused = "nonsense".parse::<CertificateId>().unwrap_err();
        assert!(refused.to_string().contains("no certificate identifier"), "{refused}");
    }
}
