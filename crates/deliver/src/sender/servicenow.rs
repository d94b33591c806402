//! ServiceNow: the event management's ingestion (`em_event`), a record in a table or in an import
//! set, or the endpoint of the Akeyless application.
//!
//! | setting | |
//! |---|---|
//! | `url` | the instance, such as `https://example.service-now.com` |
//! | `mode` | `em_event`, `table`, `import` or `akeyless` |
//! | `table` | its name, or that of the import set's; `incident` |
//! | `username` | with the secret `password`; or the secret `token` (bearer) |
//!
//! An answer of success says of each record what became of it. Those that it says were not taken
//! count as failures of their own; the others are delivered. An answer that was not read to its end
//! confirms nothing, but for a record of a table: there 201 says all.

use std::sync::Arc;

use chancery_engine::Error;
use chancery_engine::delivery::{
    Address, Checked, Content, Definition, Parcel, Secrets, SendError, Sent,
};
use chancery_event::Event;
use chancery_event::dialect::Dialect;
use serde_json::{Value, json};

use super::webhook::{authorization, broken, not_in_clear};
use super::{cut, notices};
use crate::body::{batch_or_one, shown};
use crate::settings::Settings;
use crate::wire::address::Target;
use crate::wire::http::{ANSWER, Call, Client};
use crate::wire::limits::Limits;
use crate::wire::tls;

/// Events of one request, where nothing else is said.
const RECORDS_MAX: usize = 100;
/// Events of one request at most: its answer has to be read to the end.
const BATCH_MAX: usize = 1_000;
/// Bytes of an answer that are read whatever was sent.
const ANSWER_MIN: usize = 65_536;
/// Bytes of an answer for each record, beside what was sent of it: its other columns.
const RECORD_BYTES: usize = 16_384;
/// Bytes of an answer that are read at most.
const ANSWER_MAX: usize = 32 * 1024 * 1024;

struct Read {
    target: Target,
    mode: &'static str,
    table: String,
    authorization: Option<String>,
    tls: Arc<rustls::ClientConfig>,
    limits: Limits,
}

fn read(definition: &Definition, secrets: &Secrets) -> Result<Read, Error> {
    let settings = Settings::new(&definition.settings);
    let url = settings.needed("url", "the address of the instance")?;
    let mut target = Target::http("settings/url", url)?;
    let mode = settings.word("mode", &["em_event", "table", "import", "akeyless"])?;
    let table = settings.text("table")?.unwrap_or("incident").to_owned();
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if table.is_empty() || table.len() > 80 || !table.chars().all(good) {
        return Err(Error::invalid("settings/table", "a name of lower-case letters, digits and _"));
    }
    let authorization = authorization(&settings, secrets)?;
    not_in_clear("settings/url", &target, authorization.is_some())?;
    let tls = tls::config(&settings, secrets, target.tls)?;
    let limits = Limits::read(&settings, ANSWER)?;
    settings.finish()?;
    let base = target.path.trim_end_matches('/').to_owned();
    target.path = match mode {
        "em_event" => format!("{base}/api/global/em/jsonv2"),
        "table" => format!("{base}/api/now/table/{table}"),
        "import" => format!("{base}/api/now/import/{table}"),
        _ => format!("{base}/akeyless-events/"),
    };
    Ok(Read { target, mode, table, authorization, tls, limits })
}

pub(crate) fn check(definition: &Definition, secrets: &Secrets) -> Result<Checked, Error> {
    let read = read(definition, secrets)?;
    if read.authorization.is_none() {
        let message = "a user name with its password, or a token";
        return Err(Error::invalid("settings/username", message));
    }
    let batch_max = match read.mode {
        "em_event" => RECORDS_MAX,
        "akeyless" => batch_or_one(definition, RECORDS_MAX),
        _ => 1,
    };
    let one_by_one = matches!(read.mode, "table" | "import");
    if one_by_one && definition.batch_max.is_some_and(|max| max > 1) {
        return Err(Error::invalid("batch_max", "a record holds one event"));
    }
    if definition.batch_max.is_some_and(|max| max > BATCH_MAX) {
        return Err(Error::invalid("batch_max", format!("ServiceNow: 1 to {BATCH_MAX} events")));
    }
    let endpoint = format!("{}{}", read.target.origin(), read.target.path);
    let hosts = vec![("settings/url".to_owned(), read.target.host, read.target.port)];
    Ok(Checked { hosts, endpoint, batch_max })
}

pub(crate) async fn send(client: &Client, address: &Address, parcel: &Parcel) -> Sent {
    let read = match read(&address.definition, &address.secrets) {
        Ok(read) => read,
        Err(error) => return broken(&error),
    };
    let body = match read.mode {
        "em_event" => json!({ "records": records(parcel) }).to_string().into_bytes(),
        "table" | "import" => record(parcel, &read.table).to_string().into_bytes(),
        _ => Dialect::Akeyless.render_batch(&shown(&parcel.content)).bytes,
    };
    let headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("accept".to_owned(), "application/json".to_owned()),
    ];
    let authorization = read.authorization.map(|value| ("authorization".to_owned(), value));
    let call = Call {
        owner: (address.name.clone(), address.version),
        target: read.target,
        method: http::Method::POST,
        headers,
        body,
        tls: read.tls,
        secret_headers: authorization.into_iter().collect(),
        path_is_secret: false,
        limits: read.limits,
    };
    let count = match &parcel.content {
        Content::Events(events) => events.len(),
        Content::Message(_) => 1,
    };
    // Each record comes back as it was sent, spelled otherwise, and with its other columns.
    let most = ANSWER_MIN + 3 * call.body.len() + count.saturating_mul(RECORD_BYTES);
    let patience = call.limits.answer;
    let (mut sent, said) = client.exchange(call, most.min(ANSWER_MAX), patience).await;
    if sent.failure.is_some() {
        return sent;
    }
    // Sent once more, a record of a table would be there twice.
    let is_made = read.mode == "table" && sent.status == Some(201);
    if !said.is_whole && !is_made {
        let message = "ServiceNow's answer did not come to its end: nothing says what it took";
        sent.failure = Some(SendError::new("unconfirmed", message));
        return sent;
    }
    judge(&mut sent, refused(&said.bytes), count);
    sent
}

/// What an answer says about records that were not taken: their places, and why; or `None` in the
/// place of one that is not said.
///
/// Ingestion and JSONv2 answer `records`, each with `__status` and, unless it is `success`,
/// `__error`; import sets answer `result`, each with `status`. A lone `error` is about everything.
fn refused(body: &[u8]) -> Vec<(Option<usize>, &'static str)> {
    let Ok(said) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    if ["error", "__error", "_error"].iter().any(|name| is_said(&said[*name])) {
        return vec![(None, "the whole request")];
    }
    let failed = |one: &Value| {
        let word = one["__status"].as_str().or(one["status"].as_str()).unwrap_or_default();
        let word = word.to_ascii_lowercase();
        // What is said in words is not repeated: it may hold what was sent.
        match word.as_str() {
            "failure" | "failed" => Some("failure"),
            "error" => Some("error"),
            _ if ["__error", "error", "error_message"].iter().any(|name| is_said(&one[*name])) => {
                Some("error")
            }
            _ => None,
        }
    };
    let list = [&said["records"], &said["result"]].into_iter().find_map(Value::as_array);
    match (list, &said["result"]) {
        (Some(list), _) => {
            let each = list.iter().enumerate();
            each.filter_map(|(place, one)| Some((Some(place), failed(one)?))).collect()
        }
        // A lone record of a table has members of its own, which say nothing about the request.
        (None, one) if one["__status"].is_string() => {
            failed(one).map(|word| (None, word)).into_iter().collect()
        }
        (None, _) => Vec::new(),
    }
}

fn is_said(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value != "" && *value != json!({})
}

/// Books what was refused of `count` records that were sent.
fn judge(sent: &mut Sent, refused: Vec<(Option<usize>, &'static str)>, count: usize) {
    let Some((_, word)) = refused.first().copied() else { return };
    let of_some = refused.iter().all(|(place, _)| place.is_some_and(|place| place < count));
    let message = |word: &str| format!("ServiceNow took the request and not the record: {word}");
    if of_some && refused.len() < count {
        let each = refused.into_iter();
        sent.refused_events = each.filter_map(|(at, word)| Some((at?, message(word)))).collect();
    } else {
        sent.failure = Some(SendError::new("record_refused", message(word)));
    }
}

/// 1 is the worst there, 5 the mildest.
fn severity(word: &str) -> &'static str {
    match word {
        "critical" => "1",
        "error" => "2",
        "warning" => "4",
        _ => "5",
    }
}

fn records(parcel: &Parcel) -> Vec<Value> {
    match &parcel.content {
        Content::Events(events) => {
            events.iter().map(|sealed| of_event(sealed.event(), &parcel.public_url)).collect()
        }
        Content::Message(message) => notices(parcel)
            .iter()
            .map(|notice| {
                let about = message.event_type.as_deref().unwrap_or("notice");
                let opened = opened_by(about);
                // The object alone would let one notice about it take the place of another.
                let key = match &message.key {
                    Some(object) => format!("notice:{}:{object}", opened.unwrap_or(about)),
                    None => parcel.id.to_string(),
                };
                let info = json!({ "event_id": message.event, "link": message.link });
                json!({
                    "source": "Chancery",
                    "node": parcel.public_url,
                    "type": about,
                    "severity": opened.map_or(severity(&notice.severity), |_| "0"),
                    "description": cut(&format!("{}\n{}", notice.title, notice.text), 4_000),
                    "additional_info": info.to_string(),
                    "message_key": key,
                    "resolution_state": opened.map_or("New", |_| "Closing"),
                    "time_of_event": when(parcel.created_at),
                })
            })
            .collect(),
    }
}

/// `yyyy-MM-dd HH:mm:ss`, UTC.
fn when(time: chancery_event::Timestamp) -> String {
    time.to_string().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// What is over closes the alert that its beginning opened: the same key, severity 0.
fn opened_by(type_name: &str) -> Option<&'static str> {
    match type_name {
        "alert.resolved" => Some("alert.raised"),
        "delivery.recovered" => Some("delivery.failing"),
        "forwarder.caught_up" => Some("forwarder.lagging"),
        _ => None,
    }
}

fn of_event(event: &Event, public_url: &str) -> Value {
    let subject = event.subject();
    let resource = subject.map(|target| target.name.clone().unwrap_or_else(|| target.id.clone()));
    let subject = subject.map(chancery_event::Target::reference).unwrap_or_default();
    let opened = opened_by(&event.type_name);
    let info = json!({
        "event_id": event.id.to_string(),
        "event_type": event.type_name,
        "outcome": event.outcome.result.as_str(),
        "reason": event.outcome.reason,
        "link": format!("{}/events/{}", public_url.trim_end_matches('/'), event.id),
        "detail": event.detail,
    });
    json!({
        "source": "Chancery",
        "event_class": public_url,
        "node": public_url,
        "resource": resource,
        "metric_name": event.type_name.split('.').next().unwrap_or_default(),
        "type": event.type_name,
        "severity": opened.map_or(severity(event.severity.as_str()), |_| "0"),
        "description": chancery_event::sentence::sentence(event),
        "additional_info": info.to_string(),
        "time_of_event": when(event.time),
        "message_key": format!("{}:{subject}", opened.unwrap_or(&event.type_name)),
        "resolution_state": opened.map_or("New", |_| "Closing"),
    })
}

/// A record of a table: what every table of tasks has.
fn record(parcel: &Parcel, table: &str) -> Value {
    let notices = notices(parcel);
    let Some(notice) = notices.first() else { return json!({}) };
    let mut text = notice.text.clone();
    for (name, value) in &notice.facts {
        text.push_str(&format!("\n{name}: {value}"));
    }
    if let Some(link) = &notice.link {
        text.push_str(&format!("\n{link}"));
    }
    let urgency = match notice.severity.as_str() {
        "critical" | "error" => "1",
        "warning" => "2",
        _ => "3",
    };
    let mut record = json!({
        "short_description": cut(&notice.title, 160),
        "description": cut(text.trim(), 4_000),
        // Whoever gets the same delivery twice can tell.
        "correlation_id": parcel.id.to_string(),
        "correlation_display": "Chancery",
    });
    if matches!(table, "incident" | "problem") {
        record["urgency"] = urgency.into();
        record["impact"] = urgency.into();
    }
    record
}
