//! The shapes in JSON. Each reader is given one value; the outer shapes of a system are its own.

use serde_json::{Map, Value, json};

use crate::catalogue::{EventType, OutcomeClass, System};
use crate::dialect::code;
use crate::dialect::foreign::{Foreign, Unreadable, bounded, certificates};
use crate::envelope::{Severity, Verdict};
use crate::time::Timestamp;

type Read = Result<Foreign, String>;

fn text(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) => bounded(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn moment(value: &Value, pointer: &str) -> Option<Timestamp> {
    match value.pointer(pointer)? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => {
            number.as_i64().map(|ms| Timestamp::from_micros(ms.saturating_mul(1_000)))
        }
        _ => None,
    }
}

fn severity(text: &str) -> Option<Severity> {
    match text.to_ascii_lowercase().as_str() {
        "debug" | "trace" => Some(Severity::Debug),
        "info" | "informational" | "information" | "notice" => Some(Severity::Info),
        "warn" | "warning" | "medium" => Some(Severity::Warning),
        "error" | "err" | "high" => Some(Severity::Error),
        "critical" | "fatal" | "emergency" | "alert" => Some(Severity::Critical),
        _ => None,
    }
}

/// An event whose code is at `pointer`.
fn begin(value: &Value, pointer: &str, system: Option<System>) -> Read {
    let missing =
        || format!("`{}` is missing: it tells what happened", pointer.trim_start_matches('/'));
    let code = text(value, pointer).ok_or_else(missing)?;
    let meaning = match system {
        Some(system) => code::meaning(&code, system),
        None => EventType::parse(&code),
    };
    let mut event = Foreign::new(&code, meaning, value.to_string()).ok_or_else(missing)?;
    event.certificates = certificates(value);
    let told = system.and_then(|system| code::told_class(&code, system));
    if let Some(class) = told {
        classed(&mut event, class);
    }
    Ok(event)
}

fn classed(event: &mut Foreign, class: OutcomeClass) {
    match class {
        OutcomeClass::Failure => {
            event.result = Verdict::Failure;
            event.severity = event.severity.or(Some(Severity::Error));
        }
        OutcomeClass::Warning => event.severity = event.severity.max(Some(Severity::Warning)),
        OutcomeClass::Success => {}
    }
}

/// CloudEvents, and the native JSON, which is one.
pub(super) fn cloud_event(value: Value) -> Read {
    for name in ["specversion", "id", "source", "type"] {
        if value.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(format!("the attribute `{name}` is missing"));
        }
    }
    if value["specversion"] != "1.0" {
        return Err("`specversion` is not 1.0".to_owned());
    }
    let mut event = begin(&value, "/type", None)?;
    // An identifier counts together with its source (specification §3.1.1).
    event.id =
        text(&value, "/id").zip(text(&value, "/source")).map(|(id, from)| format!("{from} {id}"));
    event.time = match value.get("time") {
        None | Some(Value::Null) => None,
        Some(_) => {
            let time = moment(&value, "/time").filter(|_| value["time"].is_string());
            Some(time.ok_or("`time` is not a date and time of RFC 3339")?)
        }
    };
    event.subject = text(&value, "/subject");
    let result = text(&value, "/data/outcome/result").or(text(&value, "/data/outcome"));
    if let Some(result) = result.and_then(|word| Verdict::parse(&word.to_lowercase())) {
        event.result = result;
    }
    let severe = text(&value, "/data/severity").or(text(&value, "/severitytext"));
    event.severity = severe.and_then(|word| severity(&word));
    event.message = text(&value, "/data/outcome/message").or(text(&value, "/data/message"));
    event.actor = text(&value, "/data/personal/actor_name").or(text(&value, "/data/actor/id"));
    event.client_ip = text(&value, "/data/personal/client_ip");
    Ok(event)
}

/// The structured form of an event in binary mode.
pub(super) fn from_headers<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: &[u8],
) -> Result<Value, Unreadable> {
    let mut event = Map::new();
    let mut is_json = true;
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        if name == "content-type" {
            is_json = value.contains("json");
            event.insert("datacontenttype".to_owned(), value.into());
        }
        let Some(attribute) = name.strip_prefix("ce-") else { continue };
        let fits = (1..=64).contains(&attribute.len())
            && attribute.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !fits || attribute == "data" {
            let message = format!("`ce-{attribute}` is no attribute");
            return Err(Unreadable::Shape { position: 0, message });
        }
        event.insert(attribute.to_owned(), percent_decoded(value).into());
    }
    let data = match (body, is_json) {
        (b"", _) => Value::Null,
        (_, true) => serde_json::from_slice(body).map_err(|e| Unreadable::Json(e.to_string()))?,
        (_, false) => String::from_utf8_lossy(body).into_owned().into(),
    };
    event.insert("data".to_owned(), data);
    Ok(Value::Object(event))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A `LogEvent`, or the call of an event hook with many.
pub(super) fn okta(value: Value) -> Vec<Read> {
    match value.pointer("/data/events") {
        Some(Value::Array(events)) => events.iter().map(log_event).collect(),
        _ => vec![log_event(&value)],
    }
}

fn log_event(value: &Value) -> Read {
    let mut event = begin(value, "/eventType", Some(System::Okta))?;
    event.id = Some(text(value, "/uuid").ok_or("`uuid` is missing")?);
    event.time = moment(value, "/published");
    let result = text(value, "/outcome/result").map(|word| word.to_lowercase());
    event.result = result.and_then(|word| Verdict::parse(&word)).unwrap_or(Verdict::Unknown);
    event.severity = text(value, "/severity").and_then(|word| severity(&word));
    event.message = text(value, "/outcome/reason").or(text(value, "/displayMessage"));
    event.actor = text(value, "/actor/alternateId").filter(|name| name != "unknown");
    event.client_ip = text(value, "/client/ipAddress");
    event.subject = text(value, "/target/0/displayName");
    Ok(event)
}

/// By type, with or without the outer member, in any of their spellings.
pub(super) fn akeyless(value: &Value) -> Vec<Read> {
    let outer = ["Akeyless_Events", "Akeyless Events", "akeyless_events"];
    let inner = outer.iter().find_map(|name| value.get(*name)).unwrap_or(value);
    let Some(types) = inner.as_object().filter(|types| !types.is_empty()) else {
        return vec![Err(
            "expected events by type, such as {\"Certificate_Expired\": […]}".to_owned()
        )];
    };
    let mut events = Vec::new();
    for (code, items) in types {
        match items {
            Value::Array(items) => {
                events.extend(items.iter().map(|item| akeyless_item(code, item)))
            }
            Value::Object(_) => events.push(akeyless_item(code, items)),
            _ => events.push(Err(format!("`{code}` is not a list of events"))),
        }
    }
    events
}

fn akeyless_item(code: &str, item: &Value) -> Read {
    if !item.is_object() {
        return Err(format!("`{code}` is not a list of events"));
    }
    let value = json!({ "type": code, "item": item });
    let mut event = begin(&value, "/type", Some(System::Akeyless))?;
    event.id = text(item, "/payload/event/id").or(text(item, "/event_id"));
    event.time = moment(item, "/payload/event/time").or(moment(item, "/event_created_at"));
    let result = text(item, "/payload/event/outcome").and_then(|word| Verdict::parse(&word));
    event.result = result.unwrap_or(event.result);
    let told = text(item, "/payload/event/severity").and_then(|word| severity(&word));
    event.severity = told.or(event.severity);
    event.message = text(item, "/payload/error")
        .or(text(item, "/payload/error_message"))
        .or(text(item, "/payload/certificate_details/description"));
    event.subject = text(item, "/name").or(text(item, "/item_id"));
    Ok(event)
}

/// An event of its API, or one inside the wrapper of its JSON log lines.
pub(super) fn horizon(value: Value) -> Read {
    let value = match value.get("event") {
        Some(inner @ Value::Object(_)) => inner.clone(),
        _ => value,
    };
    let mut event = begin(&value, "/code", Some(System::Horizon))?;
    let mut details = Map::new();
    for detail in value.get("details").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(key), Some(value)) = (text(detail, "/key"), text(detail, "/value")) {
            details.insert(key, value.into());
        }
    }
    let details = Value::Object(details);
    event.id = text(&value, "/_id").or(text(&value, "/id"));
    event.time = moment(&value, "/timestamp");
    let class = match text(&value, "/status").as_deref() {
        Some("failure") => OutcomeClass::Failure,
        Some("warning") => OutcomeClass::Warning,
        _ => OutcomeClass::Success,
    };
    event.result = Verdict::Success;
    classed(&mut event, class);
    event.message = text(&details, "/message");
    event.actor = text(&details, "/actorId");
    event.client_ip = text(&details, "/ip");
    event.subject = text(&details, "/certificateDn").or(text(&details, "/requestId"));
    event.certificates = certificates(&details);
    Ok(event)
}

/// What a notification provider is sent, or the payload under `data` as its own bus has it.
pub(super) fn czertainly(value: Value) -> Read {
    let mut event = begin(&value, "/event", Some(System::Czertainly))?;
    let data = ["notificationData", "data"].iter().find_map(|name| value.get(*name));
    let data = data.cloned().unwrap_or(Value::Null);
    event.id = text(&value, "/id");
    event.time = moment(&value, "/timestamp");
    let said = text(&value, "/outcome").and_then(|word| Verdict::parse(&word.to_lowercase()));
    let failed = text(&data, "/errorMessage").is_some();
    event.result = said.unwrap_or(if failed { Verdict::Failure } else { event.result });
    event.message = text(&data, "/errorMessage").or(text(&data, "/discoveryMessage"));
    event.actor = text(&data, "/creatorUsername").or(text(&data, "/userUuid"));
    event.subject = text(&data, "/subjectDn")
        .or(text(&data, "/discoveryName"))
        .or(text(&data, "/approvalProfileName"))
        .or(text(&data, "/jobName"));
    Ok(event)
}

/// An entry of the audit log, an alert, or a job.
pub(super) fn qcecuring(value: Value) -> Read {
    let pointer = if value.get("action").is_some() { "/action" } else { "/type" };
    let mut event = begin(&value, pointer, Some(System::Qcecuring))?;
    // A job keeps its identifier from `QUEUED` to the end: each status it reaches is an event.
    let of_job = text(&value, "/id").map(|id| match text(&value, "/status") {
        Some(status) => format!("{id} {status}"),
        None => id,
    });
    event.id = text(&value, "/log_id").or(of_job);
    event.time = ["/timestamp", "/created", "/completed", "/started", "/scheduled"]
        .iter()
        .find_map(|pointer| moment(&value, pointer));
    let status = text(&value, "/status").or(text(&value, "/details/status"));
    if status.is_some_and(|status| status.eq_ignore_ascii_case("failed")) {
        classed(&mut event, OutcomeClass::Failure);
    }
    let told = text(&value, "/severity").or(text(&value, "/details/severity"));
    event.severity = told.and_then(|word| severity(&word)).or(event.severity);
    event.message = ["/message", "/details/error", "/error", "/output", "/details/message"]
        .iter()
        .find_map(|pointer| text(&value, pointer));
    event.actor = text(&value, "/actor_id").or(text(&value, "/triggered_by"));
    event.client_ip = text(&value, "/details/ip");
    event.subject =
        text(&value, "/entity_id").or(text(&value, "/entity")).or(text(&value, "/title"));
    Ok(event)
}

/// OCSF: the code of the product, or else the number of class and activity.
pub(super) fn ocsf(value: Value) -> Read {
    if text(&value, "/class_uid").is_none() {
        return Err("`class_uid` is missing".to_owned());
    }
    let coded = value.pointer("/metadata/event_code").is_some();
    let mut event = begin(&value, if coded { "/metadata/event_code" } else { "/type_uid" }, None)?;
    event.id = text(&value, "/metadata/uid");
    event.time = moment(&value, "/time");
    // 2 is a failure everywhere but in findings, whose status is a list of its own.
    let finding = text(&value, "/category_uid").as_deref() == Some("2");
    if !finding && text(&value, "/status_id").as_deref() == Some("2") {
        event.result = Verdict::Failure;
    }
    if let Some(said) = text(&value, "/unmapped/outcome").and_then(|word| Verdict::parse(&word)) {
        event.result = said;
    }
    event.severity = match text(&value, "/severity_id").as_deref() {
        Some("1" | "2") => Some(Severity::Info),
        Some("3") => Some(Severity::Warning),
        Some("4") => Some(Severity::Error),
        Some("5" | "6") => Some(Severity::Critical),
        _ => None,
    };
    event.message = text(&value, "/status_detail").or(text(&value, "/message"));
    event.actor = text(&value, "/actor/user/name").or(text(&value, "/user/name"));
    event.client_ip = text(&value, "/src_endpoint/ip");
    event.subject = text(&value, "/entity/name").or(text(&value, "/finding_info/title"));
    Ok(event)
}

/// A document of the Elastic Common Schema.
pub(super) fn ecs(value: Value) -> Read {
    let coded = value.pointer("/event/code").is_some();
    let mut event = begin(&value, if coded { "/event/code" } else { "/event/action" }, None)?;
    event.id = text(&value, "/event/id");
    event.time = moment(&value, "/@timestamp");
    event.result = match text(&value, "/event/outcome").as_deref() {
        Some("failure") => Verdict::Failure,
        Some("unknown") => Verdict::Unknown,
        _ => Verdict::Success,
    };
    if let Some(said) = text(&value, "/chancery/result").and_then(|word| Verdict::parse(&word)) {
        event.result = said;
    }
    event.severity = text(&value, "/log/level").and_then(|word| severity(&word));
    event.message = text(&value, "/event/reason").or(text(&value, "/message"));
    event.actor = text(&value, "/user/name");
    event.client_ip = text(&value, "/source/ip").or(text(&value, "/client/ip"));
    event.subject = text(&value, "/chancery/subject");
    if event.certificates.is_empty() || event.certificates[0].fingerprint_sha256.is_none() {
        let hash = text(&value, "/file/hash/sha256").filter(|hash| hash.len() == 64);
        if let (Some(hash), Some(first)) = (hash, event.certificates.first_mut()) {
            first.fingerprint_sha256 = Some(hash.to_lowercase());
        }
    }
    Ok(event)
}
