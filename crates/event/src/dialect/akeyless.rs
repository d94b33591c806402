//! Akeyless Event Center: what its forwarders send, with and without the outer `Akeyless_Events`.
//!
//! Their documents spell the keys of types in several ways; the first spelling is written, all are
//! read. Their shape has no identifier and no time: ours adds both under `payload.event`, where
//! readers of the documented members do not look.

use serde_json::{Map, Value, json};

use super::facts::{Facts, with_millis};
use super::{Rendered, Shown, code};
use crate::catalogue::System;

const JSON: &str = "application/json";

/// `{"Akeyless_Events": {…}}`.
pub(super) fn wrapped(batch: &[Shown<'_>]) -> Rendered {
    let value = json!({ "Akeyless_Events": by_type(batch) });
    Rendered::json(JSON, &value)
}

/// `{"Certificate_Expired": [{…}]}`.
pub(super) fn types(batch: &[Shown<'_>]) -> Rendered {
    Rendered::json(JSON, &Value::Object(by_type(batch)))
}

fn by_type(batch: &[Shown<'_>]) -> Map<String, Value> {
    let mut types: Map<String, Value> = Map::new();
    for shown in batch {
        let key = key(&code::of(shown.event, System::Akeyless).0);
        let items = types.entry(key).or_insert_with(|| json!([]));
        if let Some(items) = items.as_array_mut() {
            items.push(item(*shown));
        }
    }
    types
}

/// Their own spelling: two types stand there with capitals, the others without.
fn key(code: &str) -> String {
    match code {
        "certificate-expired" => "Certificate_Expired".to_owned(),
        "request-access" => "Request_Access".to_owned(),
        code => code.replace('-', "_"),
    }
}

fn item(shown: Shown<'_>) -> Value {
    let facts = Facts::of(shown);
    let event = facts.event;
    let subject = facts.subject();
    let name = subject.and_then(|target| facts.target_name(target));
    let mut payload = Map::new();
    if let Some(certificate) = facts.certificate() {
        let details = json!({
            "expires_at": certificate.not_after.map(|time| time.to_string()),
            "description": facts.sentence(),
            "fingerprint_sha256": certificate.fingerprint,
            "serial_number": certificate.serial,
            "issuer": certificate.issuer,
        });
        payload.insert("certificate_details".to_owned(), details);
    }
    let mut about = json!({
        "id": event.id,
        "time": with_millis(event.time),
        "type": event.type_name,
        "outcome": event.outcome.result,
        "severity": event.severity,
        "actor": facts.actor_name(),
    });
    if facts.is_failure() {
        payload.insert("error".to_owned(), facts.because().into());
        about["reason"] = json!(event.outcome.reason);
    }
    payload.insert("event".to_owned(), about);
    json!({
        "name": name.or(subject.map(|target| target.id.as_str())),
        "item_id": subject.map(|target| target.id.as_str()),
        "payload": payload,
    })
}
