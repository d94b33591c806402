//! Dialects: one event in the shapes of other systems, written and read.
//!
//! [`Dialect::render`] and [`Dialect::render_batch`] write; [`Dialect::parse`] reads what such a
//! system sends, as [`Foreign`] events. Read [`Shown`] first: a renderer takes the native event *as
//! its reader may see it*. Who may not see names of people hands in an event whose personal part is
//! committed, and nothing here can bring it back. A renderer must never fail, take the time or use
//! chance: the same event gives the same bytes for ever, so that a resent delivery is the same one.
//!
//! Codes come from the catalogue ([`crate::catalogue::DialectName`]). A type for which the other
//! system has no code keeps our name in that system's spelling (`code.rs`).

mod akeyless;
mod cloudevents;
mod code;
mod czertainly;
mod ecs;
mod facts;
mod foreign;
mod horizon;
mod line;
mod ocsf;
mod okta;
mod qcecuring;
mod read;

use std::fmt;

use crate::envelope::Event;
use crate::id::LogIndex;

pub use cloudevents::header_value;
pub use foreign::{BATCH_MAX, Foreign, NamedCertificate, Unreadable, serial};
pub use line::syslog;

/// An event as its reader may see it: what a renderer is given.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The event. Its personal part is in clear where the reader may see it, else committed.
    pub event: &'a Event,
    /// Its position in the sealed log, where it is sealed.
    pub log_index: Option<LogIndex>,
    entry: Option<&'a [u8]>,
}

impl<'a> Shown<'a> {
    /// A sealed event.
    pub fn sealed(event: &'a Event, log_index: LogIndex) -> Self {
        Self { event, log_index: Some(log_index), entry: None }
    }

    /// The same with its sealed bytes at hand: what can be copied out of them is not written again.
    #[must_use]
    pub fn with_entry(self, entry: &'a [u8]) -> Self {
        Self { entry: Some(entry), ..self }
    }
}

impl<'a> From<&'a Event> for Shown<'a> {
    /// An event that is not sealed yet, or whose position does not matter.
    fn from(event: &'a Event) -> Self {
        Self { event, log_index: None, entry: None }
    }
}

/// What a renderer gives: the body of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Media type of the bytes.
    pub media_type: &'static str,
    /// Headers of HTTP that belong to the shape: names in lower case, values printable ASCII. Empty
    /// but for CloudEvents in binary mode.
    pub headers: Vec<(String, String)>,
    /// The bytes; UTF-8, without a final line end unless it is a batch of lines.
    pub bytes: Vec<u8>,
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Unwrap safety: values and events have texts for keys, and memory takes what is written.
    serde_json::to_vec(value).expect("JSON")
}

impl Rendered {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { media_type, headers: Vec::new(), bytes }
    }

    fn json(media_type: &'static str, value: &impl serde::Serialize) -> Self {
        Self::new(media_type, json(value))
    }

    /// The bytes as text.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

/// A name that is no dialect; tells which there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{text}” is no dialect: expected one of {}", Dialect::names())]
pub struct UnknownDialect {
    /// What was given, shortened to 80 characters.
    pub text: String,
}

/// A shape of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// CloudEvents 1.0 in JSON, the native shape; a batch is the batch format.
    CloudEvents,
    /// CloudEvents 1.0 over HTTP in binary mode: attributes in headers, data in the body. A batch
    /// has no binary mode and is written in the batch format.
    CloudEventsBinary,
    /// Okta System Log: a `LogEvent`; a batch is a bare array.
    Okta,
    /// The call of an Okta event hook; one event is a call with one event.
    OktaHook,
    /// Akeyless Event Center: by type, under `Akeyless_Events`.
    Akeyless,
    /// Akeyless Event Center: by type, without the outer member.
    AkeylessTypes,
    /// EverTrust Horizon; a batch is JSON lines.
    Horizon,
    /// CZERTAINLY (OmniTrust ILM), as its notification providers are sent it.
    Czertainly,
    /// QCecuring SSL CLM: an entry of the audit log.
    Qcecuring,
    /// OCSF 1.8.
    Ocsf,
    /// Elastic Common Schema; a batch is JSON lines.
    Ecs,
    /// ArcSight Common Event Format, version 0, without a syslog header.
    Cef,
    /// IBM QRadar LEEF 2.0, without a syslog header.
    Leef,
    /// Syslog (RFC 5424) with structured data, without framing.
    Syslog,
}

impl Dialect {
    /// All of them, the native one first.
    pub const ALL: &'static [Self] = &[
        Self::CloudEvents,
        Self::CloudEventsBinary,
        Self::Okta,
        Self::OktaHook,
        Self::Akeyless,
        Self::AkeylessTypes,
        Self::Horizon,
        Self::Czertainly,
        Self::Qcecuring,
        Self::Ocsf,
        Self::Ecs,
        Self::Cef,
        Self::Leef,
        Self::Syslog,
    ];

    /// The one spelling, used in addresses, settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudEvents => "cloudevents",
            Self::CloudEventsBinary => "cloudevents-binary",
            Self::Okta => "okta",
            Self::OktaHook => "okta-hook",
            Self::Akeyless => "akeyless",
            Self::AkeylessTypes => "akeyless-types",
            Self::Horizon => "horizon",
            Self::Czertainly => "czertainly",
            Self::Qcecuring => "qcecuring",
            Self::Ocsf => "ocsf",
            Self::Ecs => "ecs",
            Self::Cef => "cef",
            Self::Leef => "leef",
            Self::Syslog => "rfc5424",
        }
    }

    /// What people call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::CloudEvents => "CloudEvents (native)",
            Self::CloudEventsBinary => "CloudEvents, binary mode",
            Self::Okta => "Okta System Log",
            Self::OktaHook => "Okta event hook",
            Self::Akeyless => "Akeyless",
            Self::AkeylessTypes => "Akeyless, by type",
            Self::Horizon => "EverTrust Horizon",
            Self::Czertainly => "CZERTAINLY",
            Self::Qcecuring => "QCecuring audit log",
            Self::Ocsf => "OCSF 1.8",
            Self::Ecs => "Elastic Common Schema",
            Self::Cef => "CEF",
            Self::Leef => "LEEF 2.0",
            Self::Syslog => "Syslog (RFC 5424)",
        }
    }

    /// The dialect that `text` names.
    ///
    /// # Errors
    /// There is none; the message lists those that there are.
    pub fn named(text: &str) -> Result<Self, UnknownDialect> {
        let found = Self::ALL.iter().copied().find(|dialect| dialect.name() == text);
        found.ok_or_else(|| UnknownDialect { text: text.chars().take(80).collect() })
    }

    /// The names of all, separated by commas.
    pub fn names() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|dialect| dialect.name()).collect();
        names.join(", ")
    }

    /// Whether one event is a line of text that is not JSON.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Cef | Self::Leef | Self::Syslog)
    }

    /// One event.
    pub fn render(self, shown: Shown<'_>) -> Rendered {
        match self {
            Self::CloudEvents => cloudevents::structured(shown),
            Self::CloudEventsBinary => cloudevents::binary(shown),
            Self::Okta => okta::log_event(shown),
            Self::OktaHook => okta::hook(&[shown]),
            Self::Akeyless => akeyless::wrapped(&[shown]),
            Self::AkeylessTypes => akeyless::types(&[shown]),
            Self::Horizon => horizon::one(shown),
            Self::Czertainly => czertainly::one(shown),
            Self::Qcecuring => qcecuring::one(shown),
            Self::Ocsf => ocsf::one(shown),
            Self::Ecs => ecs::one(shown),
            Self::Cef => line::rendered(line::cef(shown)),
            Self::Leef => line::rendered(line::leef(shown)),
            Self::Syslog => line::rendered(line::rfc5424(shown)),
        }
    }

    /// Several events as one body, in the order given. A batch of none is a valid, empty body.
    pub fn render_batch(self, batch: &[Shown<'_>]) -> Rendered {
        match self {
            Self::CloudEvents | Self::CloudEventsBinary => cloudevents::batch(batch),
            Self::Okta => okta::log_events(batch),
            Self::OktaHook => okta::hook(batch),
            Self::Akeyless => akeyless::wrapped(batch),
            Self::AkeylessTypes => akeyless::types(batch),
            Self::Horizon => horizon::lines(batch),
            Self::Czertainly => czertainly::list(batch),
            Self::Qcecuring => qcecuring::list(batch),
            Self::Ocsf => ocsf::list(batch),
            Self::Ecs => ecs::lines(batch),
            Self::Cef => line::lines(batch, line::cef),
            Self::Leef => line::lines(batch, line::leef),
            Self::Syslog => line::lines(batch, line::rfc5424),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
