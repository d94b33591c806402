//! CZERTAINLY (OmniTrust ILM): what its notification providers are sent, and so what its webhook
//! posts: the event, its resource, and the payload of the event as `notificationData`.
//!
//! The nine payloads have exactly the members of their classes, nulls included; other types have
//! ours in that spelling. Their payloads have no identifier, time or actor: ours adds the first two
//! beside the payload.

use serde_json::{Map, Value, json};

use super::facts::{Facts, with_millis};
use super::{Rendered, Shown, code};
use crate::catalogue::System;
use crate::envelope::TargetKind;

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
    json!({
        "event": code::of(event, System::Czertainly).0,
        "resource": resource(&facts),
        "recipients": [],
        "notificationData": data(&facts),
        "objectData": null,
        "id": event.id,
        "source": event.source,
        "timestamp": with_millis(event.time),
        "outcome": event.outcome.result,
    })
}

fn resource(facts: &Facts<'_>) -> String {
    let kind = facts.subject().map(|target| target.kind);
    match kind.or(facts.info.map(|info| info.resource)) {
        Some(TargetKind::Certificate) => "certificates".to_owned(),
        Some(TargetKind::Discovery) => "discoveries".to_owned(),
        Some(TargetKind::Approval) => "approvals".to_owned(),
        Some(TargetKind::Schedule) => "scheduledJobs".to_owned(),
        Some(kind) => code::camel(kind.as_str(), false) + "s",
        None => "none".to_owned(),
    }
}

fn data(facts: &Facts<'_>) -> Value {
    match facts.event.type_name.as_ref() {
        "certificate.status_changed" => certificate(
            facts,
            &["notBefore", "expiresAt", "oldStatus=old_status", "newStatus=new_status"],
        ),
        "certificate.action_performed" => {
            certificate(facts, &["action=action", "errorMessage=error_message", "state=state"])
        }
        "certificate.expiring" => certificate(facts, &["notBefore", "expiresAt"]),
        "certificate.discovered" => discovered(facts),
        "certificate.uploaded" => Value::Object(basics(facts)),
        "discovery.finished" => discovery(facts),
        "approval.requested" | "approval.closed" => approval(facts),
        "schedule.finished" => json!({
            "jobName": facts.text("schedule_name"),
            "jobType": facts.text("job_kind"),
            "status": facts.text("state"),
            "userUuid": facts.actor_id(),
        }),
        _ => others(facts),
    }
}

/// Members of `CertificateEventData`.
fn basics(facts: &Facts<'_>) -> Map<String, Value> {
    let mut members = Map::new();
    let certificate = facts.certificate().unwrap_or_default();
    members.insert("certificateUuid".into(), certificate.id.into());
    members.insert("fingerprint".into(), certificate.fingerprint.into());
    members.insert("serialNumber".into(), certificate.serial.into());
    members.insert("subjectDn".into(), certificate.subject.into());
    members.insert("issuerDn".into(), certificate.issuer.into());
    members
}

/// Members of `CertificateEventAuthorityData`, then those named: `expiresAt`, or `theirs=ours`.
fn certificate(facts: &Facts<'_>, more: &[&str]) -> Value {
    let mut members = basics(facts);
    members.insert("authorityInstanceUuid".into(), facts.text("authority_id").into());
    members.insert("raProfileUuid".into(), facts.text("ra_profile_id").into());
    members.insert("raProfileName".into(), facts.text("ra_profile").into());
    for name in more {
        let (theirs, value) = match name.split_once('=') {
            Some((theirs, "error_message")) => {
                let message = facts.text("error_message").map(str::to_owned);
                let failed = facts.is_failure();
                (theirs, message.or_else(|| facts.because().filter(|_| failed)).into())
            }
            Some((theirs, ours)) => (theirs, facts.text(ours).into()),
            None => (
                *name,
                moment(facts, if *name == "expiresAt" { "not_after" } else { "not_before" }),
            ),
        };
        members.insert(theirs.to_owned(), value);
    }
    Value::Object(members)
}

/// Their pattern: seconds and an offset.
fn moment(facts: &Facts<'_>, name: &str) -> Value {
    let time = facts.time(name).map(|time| format!("{:.0}", time.to_jiff()));
    time.map(|text| text.replace('Z', "+00:00")).into()
}

fn discovered(facts: &Facts<'_>) -> Value {
    let mut members = basics(facts);
    members.insert("discoveryUuid".into(), facts.text("discovery_id").into());
    members.insert("discoveryName".into(), facts.text("discovery_name").into());
    members.insert("discoveryUserUuid".into(), facts.text("started_by").into());
    members.insert("discoveryConnectorUuid".into(), Value::Null);
    members.insert("discoveryConnectorName".into(), facts.text("connector_name").into());
    members.insert("notBefore".into(), moment(facts, "not_before"));
    members.insert("expiresAt".into(), moment(facts, "not_after"));
    Value::Object(members)
}

fn discovery(facts: &Facts<'_>) -> Value {
    json!({
        "discoveryUuid": facts.text("discovery_id"),
        "discoveryName": facts.text("discovery_name"),
        "discoveryUserUuid": facts.text("started_by"),
        "discoveryConnectorUuid": null,
        "discoveryConnectorName": facts.text("connector_name"),
        "discoveryStatus": facts.text("status"),
        "totalCertificateDiscovered": facts.member("found"),
        "discoveryMessage": facts.because(),
    })
}

fn approval(facts: &Facts<'_>) -> Value {
    let (_, object) = facts.text("object").and_then(|o| o.split_once('/')).unwrap_or_default();
    json!({
        "approvalUuid": facts.text("approval_id"),
        "approvalProfileUuid": null,
        "approvalProfileName": facts.text("approval_profile"),
        "version": facts.member("approval_profile_version"),
        "status": facts.text("status").unwrap_or("pending"),
        "expiryAt": moment(facts, "expires_at"),
        "closedAt": moment(facts, "closed_at"),
        "resource": facts.text("resource"),
        "resourceAction": facts.text("action"),
        "objectUuid": Some(object).filter(|object| !object.is_empty()),
        "creatorUuid": facts.actor_id(),
        "creatorUsername": facts.actor_name(),
        "recipientType": facts.text("recipient_kind"),
        "recipientUuid": facts.text("recipient_id"),
    })
}

/// The members of our detail in their spelling.
fn others(facts: &Facts<'_>) -> Value {
    let event = facts.event;
    let about_people = event.personal().into_iter().flat_map(|personal| &personal.detail);
    let members = event.detail.iter().chain(about_people);
    members.map(|(name, value)| (code::camel(name, false), value.clone())).collect()
}
