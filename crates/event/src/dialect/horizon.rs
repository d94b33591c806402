//! EverTrust Horizon: an event as its API and its JSON log lines have it.
//!
//! `code`, `module`, `node`, `status` and a list of texts by key, where everything else lives. Our
//! members take the key that Horizon uses for the same thing, and their own name in its spelling
//! otherwise. Absent members are left out.

use serde_json::{Value, json};

use super::facts::{Facts, as_text, millis};
use super::{Rendered, Shown, code};
use crate::catalogue::{OutcomeClass, System};
use crate::envelope::{Origin, TargetKind};
use crate::id::Id;

pub(super) fn one(shown: Shown<'_>) -> Rendered {
    Rendered::json("application/json", &value(shown))
}

/// JSON lines.
pub(super) fn lines(batch: &[Shown<'_>]) -> Rendered {
    let mut text = String::new();
    for shown in batch {
        text.push_str(&value(*shown).to_string());
        text.push('\n');
    }
    Rendered::new("application/x-ndjson", text.into_bytes())
}

fn value(shown: Shown<'_>) -> Value {
    let facts = Facts::of(shown);
    let event = facts.event;
    let (code, class) = code::of(event, System::Horizon);
    let status = match class {
        OutcomeClass::Success => "success",
        OutcomeClass::Failure => "failure",
        OutcomeClass::Warning => "warning",
    };
    json!({
        "_id": object_id(&facts),
        "code": code,
        "module": module(&code, &facts),
        "node": event.node,
        "timestamp": millis(event.time),
        "status": status,
        "details": details(&facts),
    })
}

/// 24 hexadecimal digits as theirs are: seconds, then the random end of our identifier.
fn object_id(facts: &Facts<'_>) -> String {
    let seconds = facts.event.time.micros().div_euclid(1_000_000);
    let random = facts.event.id.uuid().as_u128() & u128::from(u64::MAX);
    format!("{:08x}{random:016x}", u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// The part of Horizon that a code belongs to.
fn module(code: &str, facts: &Facts<'_>) -> &'static str {
    const PREFIXES: &[(&str, &str)] = &[
        ("ACME-", "acme"),
        ("ANALYTICS-", "analytics"),
        ("BOOTSTRAP-", "bootstrap"),
        ("CA-", "ca"),
        ("CONF-", "configuration"),
        ("CRMP-", "crmp"),
        ("DATASOURCE-", "configuration"),
        ("EST-", "est"),
        ("GRADING-", "grading"),
        ("INTERNAL-MONITOR-", "internal_monitor"),
        ("INVALID-SEAL-", "event"),
        ("UNSEALED-", "event"),
        ("LICENSE-", "license"),
        ("PKI-CONNECTOR", "ca"),
        ("REQUEST-", "request"),
        ("SCEP-", "scep"),
        ("SCHEDULED-TASK-", "scheduler"),
        ("SEC-", "security"),
        ("SERVICE-", "service"),
        ("SYNC-", "thirdparty"),
        ("THIRD-PARTY-", "thirdparty"),
        ("TRIGGER-", "thirdparty"),
    ];
    if let Some((_, module)) = PREFIXES.iter().find(|(prefix, _)| code.starts_with(prefix)) {
        return module;
    }
    match (facts.event.origin, facts.subject().map(|target| target.kind)) {
        (Origin::Acme, _) => "acme",
        (Origin::Est, _) => "est",
        (Origin::Scep, _) => "scep",
        (Origin::Crmp, _) => "crmp",
        (_, Some(TargetKind::Certificate | TargetKind::Request)) => "webra",
        (_, Some(TargetKind::Authority | TargetKind::Crl)) => "ca",
        (_, Some(TargetKind::Account | TargetKind::Token | TargetKind::Session)) => "security",
        (_, Some(TargetKind::Job | TargetKind::Schedule)) => "scheduler",
        (_, Some(TargetKind::Monitor | TargetKind::Alert)) => "internal_monitor",
        (_, Some(TargetKind::Event | TargetKind::Log)) => "event",
        _ => "service",
    }
}

/// Our members and the keys that Horizon has for them.
const KEYS: &[(&str, &str)] = &[
    ("certificate_id", "certificateId"),
    ("subject_dn", "certificateDn"),
    ("serial_number", "certificateSerial"),
    ("issuer_dn", "certificateIssuer"),
    ("ra_profile", "certificateProfile"),
    ("not_before", "certificateNotBefore"),
    ("not_after", "certificateNotAfter"),
    ("fingerprint_sha256", "certificateThumbprint"),
    ("request_id", "requestId"),
    ("workflow", "requestWorkflow"),
    ("requester_name", "requester"),
    ("comment", "requesterComment"),
    ("authority_id", "ca"),
    ("connector_kind", "pkiConnector"),
    ("schedule_name", "scheduledTaskName"),
    ("job_kind", "scheduledTaskType"),
    ("next_update", "crlNextUpdate"),
    ("scep_transaction", "scepTransactionId"),
    ("message_kind", "scepMessageType"),
    ("profile", "profileName"),
];

fn details(facts: &Facts<'_>) -> Vec<Value> {
    let event = facts.event;
    let mut details = Vec::new();
    let mut put = |key: &str, value: Option<String>| {
        details.extend(value.map(|value| json!({ "key": key, "value": value })));
    };
    let personal = event.personal();
    let about_people = personal.into_iter().flat_map(|personal| &personal.detail);
    for (name, value) in event.detail.iter().chain(about_people) {
        let known = KEYS.iter().find(|(ours, _)| ours == name);
        let key = known.map_or_else(|| code::camel(name, false), |(_, key)| (*key).to_owned());
        put(&key, Some(as_text(value)));
    }
    put("actorId", facts.actor_name().or(facts.actor_id()).map(str::to_owned));
    put("actorType", Some(event.actor.kind.as_str().to_owned()));
    put("ip", facts.client_ip().map(str::to_owned));
    if facts.class() != OutcomeClass::Success {
        put("message", facts.because());
    }
    put("eventId", Some(event.id.to_string()));
    details
}
