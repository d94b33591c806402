//! What renderers ask of an event, in one place: the certificate it names, the people, the address.
//!
//! Everything comes from the event alone, and names of people only where its personal part is in
//! clear.

use serde_json::Value;

use super::Shown;
use crate::catalogue::{EventType, OutcomeClass, TypeInfo};
use crate::envelope::{ActorKind, Event, Personal, Severity, Target, TargetKind};
use crate::time::Timestamp;

/// Who writes: for the header fields that name a product.
pub(super) const PRODUCT: &str = "Chancery";
/// The version of the program that writes.
pub(super) const PRODUCT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// An event with what the catalogue says of it.
pub(super) struct Facts<'a> {
    pub event: &'a Event,
    pub info: Option<&'static TypeInfo>,
    pub index: Option<u64>,
    personal: Option<&'a Personal>,
}

/// The certificate that an event names, as far as it does.
#[derive(Default)]
pub(super) struct Certificate<'a> {
    pub id: Option<&'a str>,
    pub fingerprint: Option<&'a str>,
    pub serial: Option<&'a str>,
    pub subject: Option<&'a str>,
    pub issuer: Option<&'a str>,
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
}

impl<'a> Facts<'a> {
    pub fn of(shown: Shown<'a>) -> Self {
        Self {
            event: shown.event,
            info: EventType::of(shown.event).map(EventType::info),
            index: shown.log_index.map(|index| index.0),
            personal: shown.event.personal(),
        }
    }

    /// A member of the detail, or of its part about a person.
    pub fn member(&self, name: &str) -> Option<&'a Value> {
        let in_clear = || self.personal.and_then(|personal| personal.detail.get(name));
        self.event.detail.get(name).or_else(in_clear)
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.member(name).and_then(Value::as_str)
    }

    pub fn time(&self, name: &str) -> Option<Timestamp> {
        self.text(name).and_then(|text| text.parse().ok())
    }

    pub fn class(&self) -> OutcomeClass {
        OutcomeClass::of(&self.event.outcome, self.event.severity)
    }

    pub fn is_failure(&self) -> bool {
        self.class() == OutcomeClass::Failure
    }

    pub fn sentence(&self) -> String {
        crate::sentence::sentence(self.event)
    }

    pub fn subject(&self) -> Option<&'a Target> {
        self.event.targets.first()
    }

    /// What people call a target, where the reader may know.
    pub fn target_name(&self, target: &'a Target) -> Option<&'a str> {
        target.name.as_deref().or_else(|| {
            let names = &self.personal?.targets;
            names.get(&target.reference()).map(String::as_str)
        })
    }

    pub fn actor_id(&self) -> Option<&'a str> {
        self.event.actor.id.as_deref()
    }

    /// Login name of the actor; for the program its own name.
    pub fn actor_name(&self) -> Option<&'a str> {
        let name = self.personal.and_then(|personal| personal.actor_name.as_deref());
        name.or((self.event.actor.kind == ActorKind::System).then_some("system"))
    }

    /// A name for the actor in shapes that demand one.
    pub fn actor_label(&self) -> &'a str {
        self.actor_name().or(self.actor_id()).unwrap_or(self.event.actor.kind.as_str())
    }

    pub fn client_ip(&self) -> Option<&'a str> {
        self.personal?.client_ip.as_deref()
    }

    pub fn user_agent(&self) -> Option<&'a str> {
        self.personal?.user_agent.as_deref()
    }

    pub fn session(&self) -> Option<&'a str> {
        self.personal?.session.as_deref()
    }

    /// Why it ended so: the message, or the reason with blanks.
    pub fn because(&self) -> Option<String> {
        let outcome = &self.event.outcome;
        let reason = || outcome.reason.as_ref().map(|reason| reason.replace('_', " "));
        outcome.message.clone().or_else(reason)
    }

    /// The certificate it names, where it names one.
    pub fn certificate(&self) -> Option<Certificate<'a>> {
        let target =
            self.event.targets.iter().find(|target| target.kind == TargetKind::Certificate);
        let id = self.text("certificate_id").or(target.map(|target| target.id.as_str()));
        let fingerprint = self.text("fingerprint_sha256");
        let serial = self.text("serial_number");
        if id.is_none() && fingerprint.is_none() && serial.is_none() {
            return None;
        }
        Some(Certificate {
            id,
            fingerprint,
            serial,
            subject: self.text("subject_dn").or_else(|| self.target_name(target?)),
            issuer: self.text("issuer_dn"),
            not_before: self.time("not_before"),
            not_after: self.time("not_after"),
        })
    }

    /// Name of the host that the installation is known by, from its address.
    pub fn host(&self) -> &'a str {
        let source: &str = &self.event.source;
        let rest = source.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = match host.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        if host.is_empty() { "chancery" } else { host }
    }

    /// Severity as syslog has it (RFC 5424 §6.2.1).
    pub fn syslog_severity(&self) -> u8 {
        match self.event.severity {
            Severity::Debug => 7,
            Severity::Info => 6,
            Severity::Warning => 4,
            Severity::Error => 3,
            Severity::Critical => 2,
        }
    }
}

/// Milliseconds since the Unix epoch.
pub(super) fn millis(time: Timestamp) -> i64 {
    time.micros().div_euclid(1_000)
}

/// RFC 3339 in UTC with three decimals.
pub(super) fn with_millis(time: Timestamp) -> String {
    format!("{:.3}", time.to_jiff())
}

/// A value as text: a text as it is, anything else as JSON.
pub(super) fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The most specific part of a distinguished name in RFC 4514 text that `key` names, such as `CN`.
pub(super) fn dn_part<'a>(dn: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = dn;
    while !rest.is_empty() {
        let end = part_end(rest);
        let (part, after) = rest.split_at(end);
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if name.trim().eq_ignore_ascii_case(key) {
            return Some(value);
        }
        rest = after.get(1..).unwrap_or_default();
    }
    None
}

/// Where the first part of a distinguished name ends: at a comma or plus sign without a backslash.
fn part_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' | b'+' => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_names_are_found_behind_escapes() {
        assert_eq!(dn_part("CN=a\\, b,O=Example,C=GB", "O"), Some("Example"));
        assert_eq!(dn_part("CN=a\\, b,O=Example", "cn"), Some("a\\, b"));
        assert_eq!(dn_part("OU=x+CN=y,C=GB", "CN"), Some("y"));
        assert_eq!(dn_part("C=GB", "CN"), None);
        assert_eq!(dn_part("", "CN"), None);
    }

    #[test]
    fn the_host_is_read_from_the_source() {
        let mut event = EventType::CertificateIssue.example();
        let mut check = |source: &'static str, expected: &str| {
            event.source = source.into();
            assert_eq!(Facts::of(Shown::from(&event)).host(), expected);
        };
        check("https://chancery.example.com:8443/x", "chancery.example.com");
        check("http://user@[::1]:80/", "::1");
        check("urn:chancery:1", "chancery");
    }
}
