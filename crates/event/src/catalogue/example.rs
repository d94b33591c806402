//! Plausible events, made from the schemas: one vocabulary of members for all types.
//!
//! A member of a payload means the same wherever it occurs, so its example is found by its name.
//! Examples stand in goldens and documentation; they must never depend on time or chance.

use std::borrow::Cow;

use aws_lc_rs::digest;
use serde_json::{Map, Value, json};
use uuid::Builder;

use super::{EventType, schema};
use crate::envelope::{
    Actor, ActorKind, Authentication, Event, Origin, Outcome, Personal, PersonalPart, Target,
    TargetKind,
};
use crate::id::Id;
use crate::time::Timestamp;

/// 2026-11-21T09:30:00Z, in milliseconds since the Unix epoch.
const NOW_MS: u64 = 1_795_253_400_000;

fn now() -> Timestamp {
    Timestamp::from_micros(i64::try_from(NOW_MS).unwrap_or_default() * 1_000)
}

/// The example of `event_type`.
pub(super) fn of(event_type: EventType) -> Event {
    let info = event_type.info();
    let protocol = Origin::parse(event_type.family());
    let by_program = info.monitoring
        || matches!(
            event_type.family(),
            "bootstrap"
                | "crl"
                | "datasource"
                | "gateway"
                | "license"
                | "monitor"
                | "notification"
                | "schedule"
                | "secret"
                | "service"
                | "third_party"
                | "trigger"
        );
    let by_account = !by_program && protocol.is_none();
    let person = TargetKind::Account == info.resource;
    let detail = object(event_type, &schema::detail(event_type));
    let target = target(event_type, &detail);
    let mut personal = Personal::default();
    for (name, _) in info.personal.iter().copied().flatten() {
        if !matches!(*name, "subject_dn" | "issuer_dn") {
            personal.detail.insert((*name).to_owned(), text(event_type, name).into());
        }
    }
    if person {
        personal.targets.insert(target.reference(), "grace".to_owned());
    }
    if by_account {
        personal.actor_name = Some("ada".to_owned());
        personal.client_ip = Some("192.0.2.17".to_owned());
        personal.user_agent = Some("Mozilla/5.0 (X11; Linux x86_64)".to_owned());
    }
    Event {
        id: an_id(info.name),
        source: Cow::Borrowed("https://chancery.example.com"),
        type_name: Cow::Borrowed(info.name),
        type_version: info.version,
        time: now(),
        outcome: Outcome::success(),
        severity: info.severity,
        actor: if by_program {
            Actor::SYSTEM
        } else if protocol.is_some() {
            Actor { kind: ActorKind::External, id: None, role: None }
        } else {
            let id = Some(uuid("actor").to_string());
            Actor { kind: ActorKind::Account, id, role: Some("administrator".into()) }
        },
        authentication: by_account
            .then(|| Authentication { method: "password".into(), credential: None }),
        origin: protocol.unwrap_or(if by_program { Origin::Schedule } else { Origin::Ui }),
        transaction: Some(an_id("transaction")),
        cause: None,
        depth: 0,
        targets: vec![target],
        node: an_id("node"),
        detail,
        personal: if personal.is_empty() {
            PersonalPart::None
        } else {
            PersonalPart::Clear(personal)
        },
    }
}

fn target(event_type: EventType, detail: &Map<String, Value>) -> Target {
    let kind = event_type.info().resource;
    let member = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = member(&format!("{kind}_id"))
        .or_else(|| member("object_id"))
        .unwrap_or_else(|| uuid(kind.as_str()).to_string());
    let name = match kind {
        TargetKind::Certificate => member("subject_dn"),
        TargetKind::Account => None,
        _ => member("object_name").or_else(|| member(&format!("{kind}_name"))),
    };
    Target { kind, id, name }
}

fn object(event_type: EventType, schema: &Value) -> Map<String, Value> {
    let Some(properties) = schema["properties"].as_object() else {
        return Map::new();
    };
    properties
        .iter()
        .filter(|(name, _)| !left_out(event_type, name))
        .map(|(name, member)| (name.clone(), value(event_type, name, member)))
        .collect()
}

/// Members that would contradict the rest of an example in which all went well.
fn left_out(event_type: EventType, name: &str) -> bool {
    let upload = event_type == EventType::CertificateUpload;
    matches!(name, "protocol_error" | "error_message")
        || upload && matches!(name, "duplicate_of" | "job_id")
        || name == "successor_id" && event_type == EventType::CertificateExpired
        || name == "computed_root" && event_type != EventType::LogSealStopped
}

fn value(event_type: EventType, name: &str, schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("object") => Value::Object(object(event_type, schema)),
        Some("array") => json!([value(event_type, name, &schema["items"])]),
        Some("boolean") => Value::Bool(true),
        Some("integer") => number(event_type, name).into(),
        Some("string") => match schema["format"].as_str() {
            Some("uuid") => uuid(name).to_string().into(),
            Some("date-time") => time(name).to_string().into(),
            _ => text(event_type, name).into(),
        },
        _ if name == "before" => json!("/"),
        _ => json!("/prod/web"),
    }
}

fn hash(name: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, name.as_bytes()).as_ref());
    bytes
}

fn hex(name: &str) -> String {
    hash(name).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// UUID version 7 of the example's time, its random part taken from `name`.
fn uuid(name: &str) -> uuid::Uuid {
    let mut random = [0; 10];
    random.copy_from_slice(&hash(name)[..10]);
    Builder::from_unix_timestamp_millis(NOW_MS, &random).into_uuid()
}

fn an_id<T: Id>(name: &str) -> T {
    T::from_uuid(uuid(name))
}

fn time(name: &str) -> Timestamp {
    let days = match name {
        "not_before" => -20,
        "not_after" => 25,
        "successor_not_after" | "next_update" => 70,
        "expires_at" => 30,
        "due_at" => 7,
        "last_used_at" | "last_rotated_at" | "last_seen_at" => -95,
        "locked_until" => return now().plus(900 * Timestamp::SECOND),
        "until" => 7,
        "started_at" | "queued_at" => return now().plus(-1800 * Timestamp::SECOND),
        _ => 0,
    };
    now().plus(days * Timestamp::DAY)
}

fn number(event_type: EventType, name: &str) -> i64 {
    match name {
        "count" if matches!(event_type.info().resource, TargetKind::Event | TargetKind::Log) => {
            48_213
        }
        "count" if event_type != EventType::CertificateUpload => 16,
        "attempt"
        | "named"
        | "linked"
        | "attempts"
        | "count"
        | "recipients"
        | "revoked"
        | "secret_version"
        | "approval_profile_version"
        | "entries"
        | "failed"
        | "items_failed" => 1,
        "added" | "updated" | "changed" | "objects" | "certificates" | "found" => 12,
        "duplicates" | "invalid" | "ignored" | "skipped" | "sessions_ended" => 2,
        "items" => 17,
        "failed_attempts" | "limit" | "held" | "refused" => 5,
        "size_bytes" | "body_bytes" => 1_867,
        "duration_ms" => 184,
        "window_s" => 60,
        "uptime_s" => 86_400,
        "away_s" => 42,
        "event_depth" => 8,
        "alerts" | "occurrences" => 3,
        "open_s" => 5_400,
        "threshold_s" => 2_592_000,
        "threshold_months" => 3,
        "days_left" => 25,
        "days_since" => 1,
        "interval_days" => 90,
        "ttl_minutes" => 60,
        "length_min" => 12,
        "percent_passed" => 80,
        "http_status" if event_type == EventType::DeliveryFailing => 503,
        "http_status" => 200,
        "failures" => 7,
        "deliveries" => 12,
        "lag_s" => 5_400,
        "waited_s" => 900,
        "level" | "told" => 1,
        "next_index" | "from_index" => 41_300,
        "to_index" => 48_213,
        "schema_version" => 1,
        "log_size" | "published_size" => 48_213,
        "lost" => 0,
        "first_index" => 0,
        "last_index" => 48_212,
        "row" => 48_214,
        "removed" => 12_480,
        "after_days" => 400,
        "rule_version" => 2,
        "rows" => 4_096,
        "evaluated" => 14,
        "watched" | "inventory" => 48_211,
        "repaired" => 0,
        "monitor_version" => 3,
        _ => UNKNOWN,
    }
}

/// The example of a number whose name is not known; a test refuses it.
pub(super) const UNKNOWN: i64 = -404;

fn text(event_type: EventType, name: &str) -> String {
    if name.ends_with("_sha256") || name.ends_with("root") {
        return hex(name);
    }
    let known = match (event_type.name(), name) {
        ("configuration.test", "class") => "channel",
        (_, "destination") => "soc-webhook",
        (
            "delivery.failing"
            | "delivery.recovered"
            | "delivery.exhausted"
            | "destination.disabled",
            "destination_kind",
        ) => "webhook",
        ("delivery.failing", "failure") => "status",
        ("canary.missed", "because") => "not_delivered",
        ("canary.missed" | "canary.arrived", "channel") => "mail",
        ("notification.escalated", "profile") => "on-call",
        ("delivery.resend", "old_state") => "dead",
        ("destination.disabled", "because") => "failing",
        ("trigger.stopped", "event_type") => "certificate.update",
        ("trigger.stopped", "triggers") => "web-owner",
        ("alert.acknowledge", "marked_as") => "acknowledged",
        (
            "configuration.create" | "configuration.update" | "configuration.delete",
            "object_name",
        )
        | (_, "policy") => "Web servers",
        ("bootstrap.create_configuration", "parts") => "log",
        ("access.denied", "method") => "POST",
        ("service.stop", "stopped_by") => "signal",
        (
            "log.verify"
            | "event.export"
            | "alert.export"
            | "job.export"
            | "evaluation.export"
            | "account.export"
            | "token.export"
            | "delivery.export"
            | "forwarder.export"
            | "configuration.export"
            | "notification.export",
            "format",
        ) => "ndjson",
        ("certificate.revoke" | "acme.certificate.revoke" | "crmp.revoke", "revocation_reason") => {
            "superseded"
        }
        ("job.cancel", "old_state") => "queued",
        ("job.finished" | "schedule.finished", "state") => "succeeded",
        ("discovery.finished", "status") => "completed",
        ("approval.closed", "status") => "approved",
        ("request.submit", "workflow") => "enroll",
        ("event.erase", "query") => "actor:grace before:2025-11-21",
        ("authority.update_scope", "scope") => "device_registration",
        ("account.update", "changed") => "email",
        ("authority.add" | "authority.delete" | "authority.expiring", "subject_dn") => {
            "CN=Example Issuing CA 1,O=Example Ltd,C=GB"
        }
        ("authority.add", "issuer_dn") => "CN=Example Root CA,O=Example Ltd,C=GB",
        _ => match vocabulary(name) {
            "" if name.ends_with("_id") => return uuid(name).to_string(),
            known => known,
        },
    };
    known.to_owned()
}

fn vocabulary(name: &str) -> &'static str {
    let found = VOCABULARY.binary_search_by_key(&name, |(known, _)| known);
    found.map_or("", |at| VOCABULARY[at].1)
}

/// Member and its example, sorted by member.
const VOCABULARY: &[(&str, &str)] = &[
    ("about", "www.example.com"),
    ("account_kind", "person"),
    ("action", "renew"),
    ("alert_kind", "renewal_failed"),
    ("algorithm", "ed25519"),
    ("approval_profile", "Two of three"),
    ("archive", "https://s3.example.com/chancery-log/"),
    ("attempted_name", "grace"),
    ("authority_kind", "intermediate"),
    ("basis", "event"),
    ("body", "{\"eventType\":\"pki.cert.revoke\"}"),
    ("bound_to", "device/7f3a"),
    ("capabilities", "read"),
    ("challenge", "http-01"),
    ("changed", "contact"),
    ("channel_kind", "webhook"),
    ("check", "signature"),
    ("class", "group"),
    ("client_address", "192.0.2.99"),
    ("code", "pki.cert.revoke"),
    ("comment", "replaced by the new load balancer"),
    ("common_name", "www.example.com"),
    ("connector_kind", "adcs"),
    ("connector_name", "network scanner"),
    ("container", "vs-www-443"),
    ("counted", "certificates"),
    ("crl_number", "01a4"),
    ("crmp_action", "enroll"),
    ("destination_kind", "nginx"),
    ("discovery_name", "Data centre north"),
    ("display_name", "Grace Example"),
    ("email", "grace@example.com"),
    ("empty_inputs", "hostname"),
    ("ended_by", "logout"),
    ("endpoint", "www.example.com:443"),
    ("entry_name", "gateway-tls"),
    ("external_request_id", "REQ-20417"),
    ("foreign_id", "9f6f4a5e-7c1d-4e0b-8a3f-5b2c1d0e9f8a"),
    ("format", "pem"),
    ("found_by", "same_names"),
    ("grade", "A"),
    ("ground", "retention"),
    ("hold", "case-2026-7"),
    ("holder", "grace"),
    ("host", "node-2.example.com"),
    ("identifier", "www.example.com"),
    ("identifiers", "www.example.com"),
    ("issuer_dn", "CN=Example Issuing CA 1,O=Example Ltd,C=GB"),
    ("job_kind", "certificate.import"),
    ("justification", "replaced by the new load balancer"),
    ("key_algorithm", "ec-p256"),
    ("key_id", "5d4f1b0a"),
    ("key_thumbprint", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
    ("limited", "login"),
    ("location", "www.example.com:443"),
    ("locked_by", "failed_logins"),
    ("login_name", "grace"),
    ("marked_as", "read"),
    ("means", "certificate.revoke"),
    ("member", "path"),
    ("message", "The authority did not answer."),
    ("message_kind", "PKCSReq"),
    ("method", "password"),
    ("method_kind", "token"),
    ("mode", "sync"),
    ("monitor", "certificate-expiry"),
    ("monitor_kind", "certificate_expiry"),
    ("new_profile", "web-internal"),
    ("new_role", "administrator"),
    ("new_severity", "error"),
    ("new_state", "ready"),
    ("new_status", "expiring"),
    ("new_team", "Platform"),
    ("note", "replaced by the new load balancer"),
    ("object", "certificate/0193a1c2-7f00-7abc-8def-0123456789ab"),
    ("object_kinds", "certificate"),
    ("object_name", "web-internal"),
    ("old_profile", "discovered"),
    ("old_role", "operator"),
    ("old_severity", "warning"),
    ("old_state", "ready"),
    ("old_status", "valid"),
    ("old_team", "Web"),
    ("origin", "chancery.example.com/log"),
    ("parts", "log"),
    ("passed", "30d/33%"),
    ("permission", "certificate:write"),
    ("private_message", "The request of grace was refused."),
    ("problem", "event 1: `uuid` is missing"),
    ("producer_kind", "postgresql"),
    ("profile", "web-internal"),
    ("program_version", "0.1.0"),
    ("query", "type:certificate.* outcome:failure"),
    ("ra_profile", "web-internal"),
    ("raised_by", "monitor/expiry"),
    ("reason", "threshold_crossed"),
    ("recipient_address", "grace@example.com"),
    ("recipient_addresses", "grace@example.com"),
    ("recipient_kind", "role"),
    ("requester_name", "grace"),
    ("reset_by", "administrator"),
    ("resolved_because", "job_succeeded"),
    ("resource", "certificate"),
    ("revocation_reason", "keyCompromise"),
    ("role", "administrator"),
    ("route", "/api/v1/groups"),
    ("rule", "sessions"),
    ("scep_operation", "PKIOperation"),
    ("scep_transaction", "8a1f37c2"),
    ("schedule_name", "Weekly report"),
    ("scopes", "certificates:read"),
    ("secret_kind", "token"),
    ("serial_number", "3f9a1c27d05be481"),
    ("skipped_because", "archived: 2"),
    ("source", "okta-production"),
    ("state", "issued"),
    ("status", "valid"),
    ("stopped_by", "root_mismatch"),
    ("subject_dn", "CN=www.example.com,O=Example Ltd,C=GB"),
    ("system", "okta"),
    ("template", "expiry-notice"),
    ("third_party_kind", "load_balancer"),
    ("threshold", "14d/20%"),
    ("title", "Renewal of www.example.com failed"),
    ("token_name", "nightly export"),
    ("unknown_certificates", "01a4 CN=Example Issuing CA 1,O=Example Ltd,C=GB"),
    ("url", "http://crl.example.com/issuing-1.crl"),
    ("woken_by", "time_over"),
    ("workflow", "renew"),
];
