//! OCSF 1.8: each event as one of five classes.
//!
//! Most of what happens here is the life of an object: Entity Management (3004), where a
//! certificate is an entity of the type “Certificate”, because the schema has no number for one.
//! What monitors find and what alerts tell is a Compliance Finding (2003), with the certificate as
//! its evidence; logins are Authentication (3002), refused requests API Activity (6003),
//! discoveries Scan Activity (6007). Everything else of the event stands under `unmapped`.

use serde_json::{Map, Value, json};

use super::facts::{Facts, PRODUCT, PRODUCT_VERSION, as_text, dn_part, millis};
use super::{Rendered, Shown, code};
use crate::catalogue::{Kind, OutcomeClass};
use crate::envelope::{Severity, Target, TargetKind};

const JSON: &str = "application/json";
/// Version of the schema that is written.
pub(super) const VERSION: &str = "1.8.0";

pub(super) fn one(shown: Shown<'_>) -> Rendered {
    Rendered::json(JSON, &value(shown))
}

pub(super) fn list(batch: &[Shown<'_>]) -> Rendered {
    let events: Vec<_> = batch.iter().map(|shown| value(*shown)).collect();
    Rendered::json(JSON, &Value::Array(events))
}

/// A class of OCSF: its category, its number, the activity.
struct Class {
    category: u32,
    uid: u32,
    activity: u32,
    activity_name: &'static str,
}

const ENTITY: u32 = 3004;
const FINDING: u32 = 2003;
const AUTHENTICATION: u32 = 3002;
const API: u32 = 6003;
const SCAN: u32 = 6007;

fn class(facts: &Facts<'_>) -> Class {
    let name = facts.event.type_name.as_ref();
    let monitoring = facts.info.is_some_and(|info| info.kind == Kind::Monitoring);
    let of = |uid: u32, activity, activity_name| Class {
        category: uid / 1_000,
        uid,
        activity,
        activity_name,
    };
    match name {
        "session.create" => of(AUTHENTICATION, 1, "Logon"),
        "session.confirm" => of(AUTHENTICATION, 99, "Confirm"),
        "session.end" => of(AUTHENTICATION, 2, "Logoff"),
        "access.denied" | "client.rate_limited" => of(API, 99, "Deny"),
        "discovery.started" => of(SCAN, 1, "Started"),
        "discovery.finished" if facts.is_failure() => of(SCAN, 5, "Error"),
        "discovery.finished" => of(SCAN, 2, "Completed"),
        "alert.raised" => of(FINDING, 1, "Create"),
        "alert.resolve" | "alert.resolved" => of(FINDING, 3, "Close"),
        _ if name.starts_with("alert.") => of(FINDING, 2, "Update"),
        _ if monitoring => of(FINDING, 1, "Create"),
        _ => {
            let (activity, activity_name) = activity(name);
            of(ENTITY, activity, activity_name)
        }
    }
}

/// Activities of Entity Management by the last part of our names.
fn activity(name: &str) -> (u32, &'static str) {
    match name.rsplit('.').next().unwrap_or_default() {
        "create" | "add" | "issue" | "import" | "upload" | "uploaded" | "generate"
        | "discovered" | "key_create" | "register" | "submit" => (1, "Create"),
        "fetch" | "read" | "export" | "verify" | "download" | "list" | "retrieve" => (2, "Read"),
        "update" | "renew" | "rekey" | "replaced" | "migrate" | "status_changed" | "grade"
        | "update_scope" | "rotate" | "sync" | "refresh" | "password_reset" => (3, "Update"),
        "delete" | "erase" | "remove" | "archive" => (4, "Delete"),
        "switch" => (5, "Move"),
        "enroll" | "reenroll" | "bind" => (6, "Enroll"),
        "unlock" => (8, "Enable"),
        "locked" => (9, "Disable"),
        "activate" | "restore" => (10, "Activate"),
        "revoke" | "expired" => (11, "Deactivate"),
        "hold" | "suspend" => (12, "Suspend"),
        _ => (99, "Other"),
    }
}

fn value(shown: Shown<'_>) -> Value {
    let facts = Facts::of(shown);
    let class = class(&facts);
    let event = facts.event;
    let mut members = base(&facts, &class);
    let more = match class.uid {
        AUTHENTICATION => json!({
            "user": user(&facts),
            "service": { "name": PRODUCT },
            "src_endpoint": source(&facts),
        }),
        API => json!({
            "actor": actor(&facts),
            "api": { "operation": facts.text("route").unwrap_or(&event.type_name) },
            "src_endpoint": source(&facts),
        }),
        SCAN => json!({
            "scan": {
                "type_id": 99,
                "type": "Certificate discovery",
                "name": facts.text("discovery_name"),
                "uid": facts.text("discovery_id"),
            },
        }),
        FINDING => json!({
            "compliance": {
                "standards": ["certificate lifecycle"],
                "control": event.type_name,
                "status_id": if event.severity >= Severity::Warning { 3 } else { 1 },
            },
            "finding_info": {
                "uid": finding(&facts),
                "title": facts.sentence(),
                "types": [event.type_name],
                "created_time": millis(event.time),
            },
            "evidences": evidence(&facts),
        }),
        _ => json!({ "actor": actor(&facts), "entity": entity(&facts) }),
    };
    if let Value::Object(more) = more {
        members.extend(more);
    }
    members.insert("unmapped".to_owned(), Value::Object(unmapped(&facts)));
    members.retain(|_, value| !value.is_null());
    Value::Object(members)
}

fn base(facts: &Facts<'_>, class: &Class) -> Map<String, Value> {
    let event = facts.event;
    let (severity_id, severity) = match event.severity {
        Severity::Debug | Severity::Info => (1, "Informational"),
        Severity::Warning => (3, "Medium"),
        Severity::Error => (4, "High"),
        Severity::Critical => (5, "Critical"),
    };
    let (status_id, status) = match facts.class() {
        OutcomeClass::Failure => (2, "Failure"),
        OutcomeClass::Success | OutcomeClass::Warning => (1, "Success"),
    };
    // The status of a finding is another list there: 1 is “New”.
    let finding = class.uid == FINDING;
    let closed = class.activity == 3;
    let base = json!({
        "activity_id": class.activity,
        "activity_name": class.activity_name,
        "category_uid": class.category,
        "class_uid": class.uid,
        "type_uid": class.uid * 100 + class.activity,
        "time": millis(event.time),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": if finding { if closed { 4 } else { 1 } } else { status_id },
        "status": if finding { if closed { "Resolved" } else { "New" } } else { status },
        "status_code": event.outcome.reason,
        "status_detail": event.outcome.message,
        "message": facts.sentence(),
        "metadata": {
            "version": VERSION,
            "uid": event.id,
            "event_code": event.type_name,
            "sequence": facts.index,
            "correlation_uid": event.transaction,
            "original_time": event.time,
            "log_name": "chancery",
            "product": { "name": PRODUCT, "vendor_name": PRODUCT, "version": PRODUCT_VERSION },
        },
    });
    match base {
        Value::Object(mut members) => {
            members.values_mut().for_each(leave_out_absent);
            members
        }
        _ => Map::new(),
    }
}

fn leave_out_absent(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, member| !member.is_null());
        members.values_mut().for_each(leave_out_absent);
    }
}

fn user(facts: &Facts<'_>) -> Value {
    let target = facts.subject().filter(|target| target.kind == TargetKind::Account);
    let name = facts.text("attempted_name").or_else(|| facts.target_name(target?));
    let name = name.or(facts.actor_name());
    let mut user = json!({ "name": name, "uid": facts.actor_id() });
    if name.is_none() && facts.actor_id().is_none() {
        user["uid"] = "unknown".into();
    }
    leave_out_absent(&mut user);
    user
}

fn actor(facts: &Facts<'_>) -> Value {
    let mut actor = json!({ "user": { "name": facts.actor_label(), "uid": facts.actor_id() } });
    leave_out_absent(&mut actor);
    actor
}

fn source(facts: &Facts<'_>) -> Value {
    let ip = facts.client_ip().or(facts.text("client_address"));
    match ip {
        Some(ip) => json!({ "ip": ip }),
        None => json!({ "name": "unknown" }),
    }
}

fn entity(facts: &Facts<'_>) -> Value {
    let subject = facts.subject();
    let kind = subject.map(|target| target.kind).or(facts.info.map(|info| info.resource));
    let (type_id, type_name) = match kind {
        Some(TargetKind::Device) => (1, "Device".to_owned()),
        Some(TargetKind::Account) => (2, "User".to_owned()),
        Some(TargetKind::Group | TargetKind::Team) => (3, "Group".to_owned()),
        Some(kind) => (99, code::camel(kind.as_str(), true)),
        None => (99, "Other".to_owned()),
    };
    let mut entity = json!({
        "type_id": type_id,
        "type": type_name,
        "uid": subject.map(|target| target.id.as_str()).unwrap_or("unknown"),
        "name": subject.and_then(|target| facts.target_name(target)),
    });
    match type_id {
        1 => entity["device"] = json!({ "type_id": 0, "uid": entity["uid"] }),
        2 => entity["user"] = json!({ "uid": entity["uid"] }),
        3 => entity["group"] = json!({ "uid": entity["uid"] }),
        _ => {
            if let Some(certificate) = certificate(facts) {
                entity["data"] = json!({ "certificate": certificate });
            }
        }
    }
    leave_out_absent(&mut entity);
    entity
}

/// The certificate object, where all that it demands is known.
fn certificate(facts: &Facts<'_>) -> Option<Value> {
    let certificate = facts.certificate()?;
    let (serial, issuer) = (certificate.serial?, certificate.issuer?);
    let fingerprints = certificate
        .fingerprint
        .map(|value| json!([{ "algorithm_id": 3, "algorithm": "SHA-256", "value": value }]));
    let mut value = json!({
        "serial_number": serial,
        "issuer": issuer,
        "subject": certificate.subject,
        "uid": certificate.id,
        "created_time": certificate.not_before.map(millis),
        "expiration_time": certificate.not_after.map(millis),
        "fingerprints": fingerprints,
    });
    leave_out_absent(&mut value);
    Some(value)
}

/// One finding stays one while its object and its kind do.
fn finding(facts: &Facts<'_>) -> String {
    let subject = facts.subject();
    match subject {
        Some(target) if target.kind == TargetKind::Alert => target.reference(),
        Some(target) => format!("{}:{}", facts.event.type_name, target.reference()),
        None => facts.event.id.to_string(),
    }
}

fn evidence(facts: &Facts<'_>) -> Value {
    let Some(certificate) = certificate(facts) else { return Value::Null };
    let name = facts.certificate().and_then(|known| dn_part(known.subject?, "CN"));
    let mut tls = json!({ "version": "unknown", "certificate": certificate, "sni": name });
    leave_out_absent(&mut tls);
    // The schema wants more than TLS in an evidence: what the certificate is called here.
    json!([{ "tls": tls, "data": { "subject": facts.subject().map(Target::reference) } }])
}

/// What the schema has no place for, as texts.
fn unmapped(facts: &Facts<'_>) -> Map<String, Value> {
    let event = facts.event;
    let about_people = event.personal().into_iter().flat_map(|personal| &personal.detail);
    let detail = event.detail.iter().chain(about_people);
    let mut members: Map<String, Value> =
        detail.map(|(name, value)| (name.clone(), as_text(value).into())).collect();
    members.insert("origin".to_owned(), event.origin.as_str().into());
    members.insert("outcome".to_owned(), event.outcome.result.as_str().into());
    let targets: Vec<_> = event.targets.iter().map(Target::reference).collect();
    members.insert("targets".to_owned(), targets.join(" ").into());
    members
}
