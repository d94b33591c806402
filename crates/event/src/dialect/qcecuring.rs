//! QCecuring SSL CLM: an entry of its audit log.
//!
//! Types that are alerts or jobs there take the code of the alert or the job as their action.

use serde_json::{Map, Value, json};

use super::facts::{Facts, with_millis};
use super::{Rendered, Shown, code};
use crate::catalogue::System;
use crate::envelope::{ActorKind, TargetKind};

const JSON: &str = "application/json";

pub(super) fn one(shown: Shown<'_>) -> Rendered {
    Rendered::json(JSON, &value(shown))
}

pub(super) fn list(batch: &[Shown<'_>]) -> Rendered {
    let events: Vec<_> = batch.iter().map(|shown| value(*shown)).collect();
    Rendered::json(JSON, &Value::Array(events))
}

fn value(shown: Shown<'_>) -> Value {
    let facts = Facts::of(shown);
    let event = facts.event;
    let subject = facts.subject();
    let kind = subject.map(|target| target.kind).or(facts.info.map(|info| info.resource));
    let actor = match event.actor.kind {
        ActorKind::System => "SYSTEM",
        ActorKind::Account | ActorKind::Anonymous | ActorKind::External => "USER",
    };
    json!({
        "log_id": event.id,
        "timestamp": with_millis(event.time),
        "action": code::of(event, System::Qcecuring).0,
        "entity_type": kind.map(|kind| entity(kind, &event.type_name)),
        "entity_id": subject.map(|target| target.id.as_str()),
        "actor_type": actor,
        "actor_id": facts.actor_name().or(facts.actor_id()),
        "details": details(&facts),
    })
}

fn entity(kind: TargetKind, type_name: &str) -> String {
    match kind {
        TargetKind::Request if type_name.starts_with("csr.") => "CSR".to_owned(),
        TargetKind::Gateway => "Agent".to_owned(),
        TargetKind::Authority => "CA".to_owned(),
        TargetKind::Account => "User".to_owned(),
        kind => code::camel(kind.as_str(), true),
    }
}

fn details(facts: &Facts<'_>) -> Map<String, Value> {
    let event = facts.event;
    let about_people = event.personal().into_iter().flat_map(|personal| &personal.detail);
    let mut details: Map<String, Value> = event
        .detail
        .iter()
        .chain(about_people)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut put = |name: &str, value: Value| {
        details.insert(name.to_owned(), value);
    };
    put("severity", event.severity.as_str().to_uppercase().into());
    put("message", facts.sentence().into());
    put("status", if facts.is_failure() { "FAILED" } else { "SUCCESS" }.into());
    if facts.is_failure() {
        put("error", facts.because().into());
    }
    if let Some(ip) = facts.client_ip() {
        put("ip", ip.into());
    }
    details
}
