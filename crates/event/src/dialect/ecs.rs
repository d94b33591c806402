//! Elastic Common Schema: one document for each event, the certificate under `file.x509`, because
//! `x509` may not stand alone there. What the schema has no field for stands under `chancery`.

use serde_json::{Map, Value, json};

use super::facts::{Certificate, Facts, PRODUCT, PRODUCT_VERSION, dn_part};
use super::{Rendered, Shown};
use crate::catalogue::{Kind, OutcomeClass};
use crate::envelope::{Severity, Target, TargetKind, Verdict};

/// Version of the schema that is written.
pub(super) const VERSION: &str = "8.17.0";

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
    let subject = facts.subject();
    let mut value = json!({
        "@timestamp": event.time,
        "ecs": { "version": VERSION },
        "message": facts.sentence(),
        "event": about(&facts),
        "user": { "id": facts.actor_id(), "name": facts.actor_name() },
        "source": { "ip": facts.client_ip(), "address": facts.client_ip() },
        "user_agent": { "original": facts.user_agent() },
        "observer": { "vendor": PRODUCT, "product": PRODUCT, "version": PRODUCT_VERSION,
            "type": "certificate-lifecycle", "hostname": facts.host() },
        "transaction": { "id": event.transaction },
        "error": { "message": facts.because().filter(|_| facts.is_failure()),
            "code": event.outcome.reason.as_ref().filter(|_| facts.is_failure()) },
        "file": facts.certificate().map(|certificate| x509(&certificate)),
        "related": {
            "ip": facts.client_ip().map(|ip| vec![ip]),
            "user": facts.actor_name().map(|name| vec![name]),
            "hash": facts.text("fingerprint_sha256").map(|hash| vec![hash]),
        },
        "chancery": {
            "type": event.type_name,
            "version": event.type_version,
            "origin": event.origin,
            "result": event.outcome.result,
            "subject": subject.map(Target::reference),
            "targets": event.targets.iter().map(Target::reference).collect::<Vec<_>>(),
            "cause": event.cause,
            "detail": detail(&facts),
        },
    });
    leave_out_empty(&mut value);
    value
}

fn detail(facts: &Facts<'_>) -> Map<String, Value> {
    let event = facts.event;
    let about_people = event.personal().into_iter().flat_map(|personal| &personal.detail);
    let members = event.detail.iter().chain(about_people);
    members.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn leave_out_empty(value: &mut Value) {
    if let Value::Object(members) = value {
        members.values_mut().for_each(leave_out_empty);
        members.retain(|_, member| match member {
            Value::Null => false,
            Value::Object(members) => !members.is_empty(),
            _ => true,
        });
    }
}

fn about(facts: &Facts<'_>) -> Value {
    let event = facts.event;
    let outcome = match (event.outcome.result, facts.class()) {
        (Verdict::Unknown, _) => "unknown",
        (_, OutcomeClass::Failure) => "failure",
        _ => "success",
    };
    let alert = facts.info.is_some_and(|info| info.kind == Kind::Monitoring)
        || event.type_name == "alert.raised";
    let (category, kind) = category(facts);
    let severity = match event.severity {
        Severity::Debug => 10,
        Severity::Info => 20,
        Severity::Warning => 40,
        Severity::Error => 60,
        Severity::Critical => 80,
    };
    json!({
        "id": event.id,
        "kind": if alert { "alert" } else { "event" },
        "category": [category],
        "type": [kind],
        "action": event.type_name,
        "code": event.type_name,
        "outcome": outcome,
        "reason": facts.because(),
        "severity": severity,
        "sequence": facts.index,
        "created": event.time,
        "dataset": "chancery.event",
        "module": "chancery",
        "provider": event.node,
    })
}

fn category(facts: &Facts<'_>) -> (&'static str, &'static str) {
    let name = facts.event.type_name.as_ref();
    match name {
        "session.create" => return ("session", "start"),
        "session.confirm" => return ("session", "info"),
        "session.end" => return ("session", "end"),
        "access.denied" | "client.rate_limited" => return ("api", "denied"),
        _ => {}
    }
    let kind = facts.subject().map(|target| target.kind);
    let people = matches!(
        kind,
        Some(TargetKind::Account | TargetKind::Role | TargetKind::Team | TargetKind::Token)
    );
    let category = if people { "iam" } else { "configuration" };
    let kind = match name.rsplit('.').next().unwrap_or_default() {
        "create" | "add" | "issue" | "upload" | "uploaded" | "import" => "creation",
        "delete" | "revoke" | "remove" | "erase" => "deletion",
        "update" | "renew" | "rekey" | "replaced" | "status_changed" | "hold" | "suspend"
        | "activate" | "migrate" => "change",
        _ => "info",
    };
    (category, kind)
}

/// Serial numbers are upper case without colons there.
fn x509(certificate: &Certificate<'_>) -> Value {
    json!({
        "hash": { "sha256": certificate.fingerprint },
        "x509": {
            "serial_number": certificate.serial.map(str::to_uppercase),
            "subject": certificate.subject.map(name),
            "issuer": certificate.issuer.map(name),
            "not_before": certificate.not_before,
            "not_after": certificate.not_after,
        },
    })
}

fn name(dn: &str) -> Value {
    let part = |key: &str| dn_part(dn, key).map(|part| vec![part.to_owned()]);
    json!({
        "distinguished_name": dn,
        "common_name": part("CN"),
        "organization": part("O"),
        "organizational_unit": part("OU"),
        "locality": part("L"),
        "state_or_province": part("ST"),
        "country": part("C"),
    })
}
