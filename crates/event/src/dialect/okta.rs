//! Okta System Log: `LogEvent` as its API gives it, and as its event hooks send it.
//!
//! Collectors compare bytes and look members up by name, so the order of members and the nulls are
//! part of the shape: nothing is left out, `version` is a text, times have milliseconds. What their
//! envelope has and ours has not (zone, places, device) is null. The members of our detail stand in
//! `debugContext.debugData` as texts, because every value there is one.

use serde_json::{Map, Value, json};

use super::facts::{Facts, as_text, millis, with_millis};
use super::{Rendered, Shown, code};
use crate::catalogue::System;
use crate::envelope::{ActorKind, Event, Origin, Severity, Target, TargetKind};
use crate::id::Id;
use crate::time::Timestamp;

const JSON: &str = "application/json";

pub(super) fn log_event(shown: Shown<'_>) -> Rendered {
    Rendered::json(JSON, &value(shown))
}

pub(super) fn log_events(batch: &[Shown<'_>]) -> Rendered {
    let events: Vec<_> = batch.iter().map(|shown| value(*shown)).collect();
    Rendered::json(JSON, &Value::Array(events))
}

/// One call of an event hook. Its identifier is that of its first event, so that it stays the same
/// when the call is repeated.
pub(super) fn hook(batch: &[Shown<'_>]) -> Rendered {
    let first = batch.first().map(|shown| shown.event);
    let last = batch.last().map(|shown| with_millis(shown.event.time));
    let events: Vec<_> = batch.iter().map(|shown| in_hook(*shown)).collect();
    let call = json!({
        "eventType": "com.okta.event_hook",
        "eventTypeVersion": "1.0",
        "cloudEventsVersion": "0.1",
        "source": first.map(|event| event.source.as_ref()),
        "eventId": first.map(|event| event.id),
        "data": { "events": events },
        "eventTime": last,
        "contentType": "application/json",
    });
    Rendered::json(JSON, &call)
}

/// The parts of a `LogEvent`, by name; the two shapes put them in different orders.
fn parts(shown: Shown<'_>) -> Map<String, Value> {
    let facts = Facts::of(shown);
    let event = facts.event;
    let mut parts = Map::new();
    let mut put = |name: &str, value: Value| {
        parts.insert(name.to_owned(), value);
    };
    put("actor", actor(&facts));
    put("client", client(&facts));
    put("device", Value::Null);
    put("authenticationContext", authentication(&facts));
    put("displayMessage", facts.sentence().into());
    put("eventType", code::of(event, System::Okta).0.into());
    put("outcome", outcome(&facts));
    put("published", with_millis(event.time).into());
    let security = json!({
        "asNumber": null, "asOrg": null, "isp": null, "domain": null, "isProxy": null,
    });
    put("securityContext", security);
    put("severity", severity(event.severity).into());
    put("debugContext", json!({ "debugData": debug_data(&facts) }));
    put("legacyEventType", Value::Null);
    put("transaction", transaction(event));
    put("uuid", json!(event.id));
    put("version", "0".into());
    put("request", json!({ "ipChain": ip_chain(&facts) }));
    put("target", targets(&facts));
    parts
}

pub(super) fn value(shown: Shown<'_>) -> Value {
    Value::Object(parts(shown))
}

const HOOK_ORDER: [&str; 16] = [
    "uuid",
    "published",
    "eventType",
    "version",
    "displayMessage",
    "severity",
    "client",
    "device",
    "actor",
    "outcome",
    "target",
    "transaction",
    "debugContext",
    "legacyEventType",
    "authenticationContext",
    "securityContext",
];

fn in_hook(shown: Shown<'_>) -> Value {
    let mut parts = parts(shown);
    let chain = parts.get("request").map(|request| request["ipChain"].clone());
    if let (Some(chain), Some(client)) =
        (chain, parts.get_mut("client").and_then(Value::as_object_mut))
    {
        client.insert("ipChain".to_owned(), chain);
    }
    let mut event: Map<String, Value> = HOOK_ORDER
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), parts.remove(*name)?)))
        .collect();
    event.insert("insertionTimestamp".to_owned(), Value::Null);
    Value::Object(event)
}

fn actor(facts: &Facts<'_>) -> Value {
    let kind = match facts.event.actor.kind {
        ActorKind::Account => "User",
        ActorKind::System => "SystemPrincipal",
        ActorKind::Anonymous => "PublicClientApp",
        ActorKind::External => "Client",
    };
    // Every event there has an actor; who is not known is “unknown”.
    let name = facts.actor_name().unwrap_or("unknown");
    json!({
        "id": facts.actor_id().or(facts.actor_name()).unwrap_or("unknown"),
        "type": kind,
        "alternateId": name,
        "displayName": name,
        "detailEntry": null,
    })
}

fn client(facts: &Facts<'_>) -> Value {
    let agent = facts
        .user_agent()
        .map(|agent| json!({ "rawUserAgent": agent, "os": "Unknown", "browser": "UNKNOWN" }));
    let over_http = agent.is_some() || facts.client_ip().is_some();
    json!({
        "userAgent": agent,
        "zone": over_http.then_some("null"),
        "device": over_http.then_some("Unknown"),
        "id": null,
        "ipAddress": facts.client_ip(),
        "geographicalContext": null,
    })
}

fn authentication(facts: &Facts<'_>) -> Value {
    let method = facts.event.authentication.as_ref().map(|how| how.method.as_ref());
    let credential = match method {
        Some("password") => Some("PASSWORD"),
        Some("certificate") => Some("CERTIFICATE"),
        _ => None,
    };
    json!({
        "authenticationProvider": null,
        "credentialProvider": null,
        "credentialType": credential,
        "issuer": null,
        "interface": null,
        "authenticationStep": 0,
        "rootSessionId": facts.session(),
        "externalSessionId": facts.session(),
    })
}

fn outcome(facts: &Facts<'_>) -> Value {
    let outcome = &facts.event.outcome;
    let months = facts.member("threshold_months").and_then(Value::as_u64);
    let reason = match (facts.event.type_name.as_ref(), months) {
        ("authority.expiring", Some(1)) => Some("EXPIRING_1_MONTH".to_owned()),
        ("authority.expiring", Some(months)) => Some(format!("EXPIRING_{months}_MONTHS")),
        _ => facts.because(),
    };
    // Their reasons have 1 to 255 characters.
    let reason = reason.map(|reason| reason.chars().take(255).collect::<String>());
    json!({ "result": outcome.result.as_str().to_uppercase(), "reason": reason })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug => "DEBUG",
        Severity::Info => "INFO",
        Severity::Warning => "WARN",
        Severity::Error | Severity::Critical => "ERROR",
    }
}

fn debug_data(facts: &Facts<'_>) -> Map<String, Value> {
    let event = facts.event;
    let mut data = Map::new();
    for (name, value) in &event.detail {
        data.insert(name.clone(), as_text(value).into());
    }
    for (name, value) in event.personal().into_iter().flat_map(|personal| &personal.detail) {
        data.insert(name.clone(), as_text(value).into());
    }
    data.insert("chanceryType".into(), event.type_name.as_ref().into());
    data.insert("origin".into(), event.origin.as_str().into());
    if let Some(index) = facts.index {
        data.insert("logIndex".into(), index.to_string().into());
    }
    if let Some(cause) = event.cause {
        data.insert("cause".into(), cause.to_string().into());
    }
    data
}

fn transaction(event: &Event) -> Value {
    let job = matches!(event.origin, Origin::Schedule | Origin::Trigger | Origin::Intake);
    let id = event.transaction.map_or(event.id.uuid(), |transaction| transaction.uuid());
    let mut detail = Map::new();
    if let Some(how) = event.authentication.as_ref().filter(|how| how.method == "token")
        && let Some(token) = &how.credential
    {
        detail.insert("requestApiTokenId".to_owned(), token.as_str().into());
    }
    json!({
        "type": if job { "JOB" } else { "WEB" },
        "id": id.as_hyphenated().to_string(),
        "detail": detail,
    })
}

fn ip_chain(facts: &Facts<'_>) -> Vec<Value> {
    let Some(ip) = facts.client_ip() else { return Vec::new() };
    let version = if ip.contains(':') { "V6" } else { "V4" };
    vec![json!({ "ip": ip, "geographicalContext": null, "version": version, "source": null })]
}

fn targets(facts: &Facts<'_>) -> Value {
    let event = facts.event;
    let mut targets: Vec<Value> =
        event.targets.iter().map(|target| one_target(facts, target)).collect();
    // Their renewals name the old certificate and the new one.
    if event.type_name == "certificate.renew"
        && let Some(successor) = facts.text("successor_id")
        && !event.targets.iter().any(|target| target.id == successor)
    {
        targets.push(one_target(facts, &Target::new(TargetKind::Certificate, successor)));
    }
    if targets.is_empty() { Value::Null } else { Value::Array(targets) }
}

fn one_target(facts: &Facts<'_>, target: &Target) -> Value {
    // The name of a borrowed target lives as long as the event; that of a made one is not known.
    let own = facts.event.targets.iter().find(|own| *own == target);
    let name = own.and_then(|own| facts.target_name(own));
    let first = facts.subject() == Some(target);
    let detail = match target.kind {
        TargetKind::Authority => authority_detail(facts, name),
        TargetKind::Certificate if first => certificate_detail(facts),
        _ => Value::Null,
    };
    let mut value = json!({
        "id": target.id,
        "type": type_name(target.kind),
        "alternateId": name.unwrap_or("unknown"),
        "displayName": name.unwrap_or(&target.id),
        "detailEntry": detail,
    });
    if first && let Some(change) = change_details(facts) {
        value["changeDetails"] = change;
    }
    value
}

fn type_name(kind: TargetKind) -> String {
    match kind {
        TargetKind::Account => "User".to_owned(),
        TargetKind::Group => "UserGroup".to_owned(),
        TargetKind::Authority => "CertificateAuthority".to_owned(),
        TargetKind::Crl => "CRL".to_owned(),
        kind => super::code::camel(kind.as_str(), true),
    }
}

/// Published for `pki.cert.issue`, `renew` and `revoke`: the fingerprint. The rest is ours, so that
/// a certificate is found by issuer and serial number as well.
fn certificate_detail(facts: &Facts<'_>) -> Value {
    let Some(certificate) = facts.certificate() else { return Value::Null };
    if certificate.fingerprint.is_none() && certificate.serial.is_none() {
        return Value::Null;
    }
    json!({
        "fingerprint": certificate.fingerprint,
        "fingerprintAlgorithm": certificate.fingerprint.map(|_| "SHA256"),
        "serialNumber": certificate.serial,
        "issuerName": certificate.issuer,
        "notBefore": certificate.not_before.map(millis),
        "notAfter": certificate.not_after.map(millis),
    })
}

/// Published for `pki.ca.add`, `delete`, `renew` and `expiration.warn`; times in milliseconds.
fn authority_detail(facts: &Facts<'_>, name: Option<&str>) -> Value {
    let kind = match facts.text("authority_kind") {
        Some("root") => Some("Root Certificate Authority"),
        Some("registration") => Some("Registration Authority"),
        Some(_) => Some("Intermediate Certificate Authority"),
        None => None,
    };
    let (from, to) = (facts.time("not_before"), facts.time("not_after"));
    json!({
        "authorityInstanceId": facts.text("authority_id"),
        "certType": kind,
        "certName": facts.text("subject_dn").or(name),
        "issuerName": facts.text("issuer_dn"),
        "notBefore": from.map(millis),
        "notAfter": to.map(millis),
        "certStatus": status(facts.event.time, from, to),
    })
}

fn status(now: Timestamp, from: Option<Timestamp>, to: Option<Timestamp>) -> Option<&'static str> {
    match (from, to) {
        (_, Some(to)) if to <= now => Some("EXPIRED"),
        (Some(from), _) if from > now => Some("PENDING"),
        (None, None) => None,
        _ => Some("VALID"),
    }
}

/// What was and what is, from the changes of our detail.
fn change_details(facts: &Facts<'_>) -> Option<Value> {
    let changes = facts.member("changes")?.as_array().filter(|changes| !changes.is_empty())?;
    let side = |side: &str| -> Map<String, Value> {
        let scope = facts.text("scope").filter(|_| facts.event.type_name.contains("scope"));
        let scope = scope.map(|scope| ("scope".to_owned(), scope.to_uppercase().into()));
        let members = changes.iter().filter_map(|change| {
            let value = change.get(side).cloned().unwrap_or(Value::Null);
            Some((change.get("member")?.as_str()?.to_owned(), value))
        });
        scope.into_iter().chain(members).collect()
    };
    Some(json!({ "from": side("before"), "to": side("after") }))
}
