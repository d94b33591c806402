//! ServiceNow: the event management's ingestion (`em_event`), a record in a table or in an import
//! set, or the endpoint of the Akeyless application.
//!
//! | setting | |
//! |---|---|
//! | `url` | the instance, such as `https://example.service-now.com` |
//! | `mode` | `em_event`, `table`, `import` or `akeyless` |
//! | `table` | its name, `incident` unless told otherwise; for `import` that of the import set |
//! | `username` | with the secret `password`; or the secret `token` (bearer) |
//!
//! An answer of success says of each record what became of it. Those that it says were not taken
//! count as failures of their own; the others are delivered. An answer that was not read to its end
//! confirms nothing, but for a record of a table: there 201 says all.
//!
//! What ends something there has its key and severity 0. A certificate that is replaced, archived
//! or deleted has records of its own for that, beside the one of its event.

use std::collections::BTreeSet;
use std::sync::Arc;

use chancery_engine::Error;
use chancery_engine::delivery::{
    Address, Checked, Content, Definition, Message, Parcel, Secrets, SendError, Sent,
};
use chancery_event::dialect::Dialect;
use chancery_event::{Event, Verdict};
use serde_json::{Value, json};

use super::webhook::{authorization, broken, not_in_clear};
use super::{alert_of, cut, notices};
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
    let table = match (mode, settings.text("table")?) {
        ("em_event" | "akeyless", Some(_)) => {
            let message = "only the modes table and import have one: leave it out";
            return Err(Error::invalid("settings/table", message));
        }
        ("import", None) => {
            let message = "the name of the import set's table is needed";
            return Err(Error::invalid("settings/table", message));
        }
        (_, given) => given.unwrap_or("incident").to_owned(),
    };
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
    if definition.dialect.as_deref().is_some_and(|dialect| !dialect.is_empty()) {
        return Err(Error::invalid(
            "dialect",
            "its mode says how events are written: leave it out",
        ));
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
    let count = match &parcel.content {
        Content::Events(events) => events.len(),
        Content::Message(_) => 1,
    };
    let mut places: Vec<usize> = (0..count).collect();
    let body = match read.mode {
        "em_event" => {
            let (of, all): (Vec<usize>, Vec<Value>) = records(parcel).into_iter().unzip();
            places = of;
            json!({ "records": all }).to_string().into_bytes()
        }
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
    // Each record comes back as it was sent, spelled otherwise, and with its other columns.
    let most = ANSWER_MIN + 3 * call.body.len() + places.len().saturating_mul(RECORD_BYTES);
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
    judge(&mut sent, of_events(refused(&said.bytes), &places), count);
    sent
}

/// What was refused, by the places of events: several records may be of one. A record that was not
/// sent is no event's.
fn of_events(
    refused: Vec<(Option<usize>, &'static str)>,
    places: &[usize],
) -> Vec<(Option<usize>, &'static str)> {
    let mut seen = BTreeSet::new();
    let place = |at: usize| places.get(at).copied().unwrap_or(usize::MAX);
    let each = refused.into_iter().map(|(at, word)| (at.map(place), word));
    each.filter(|(at, _)| seen.insert(*at)).collect()
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

/// Records, each with the place of the event that it is of.
fn records(parcel: &Parcel) -> Vec<(usize, Value)> {
    match &parcel.content {
        Content::Events(events) => {
            let url = &parcel.public_url;
            let all = events.iter().map(|sealed| of_event(sealed.event(), url)).enumerate();
            all.flat_map(|(place, all)| all.into_iter().map(move |record| (place, record)))
                .collect()
        }
        Content::Message(message) => {
            of_message(message, parcel).into_iter().map(|record| (0, record)).collect()
        }
    }
}

fn of_message(message: &Message, parcel: &Parcel) -> Vec<Value> {
    let about = message.event_type.as_deref().unwrap_or("notice");
    let opened = opened_by(about);
    // The object alone would let one notice about it take the place of another.
    let key = match &message.key {
        Some(object) => format!("notice:{}:{object}", opened.unwrap_or(about)),
        None => parcel.id.to_string(),
    };
    let object = message.key.as_deref().and_then(|key| key.split_once('/'));
    let name = message.object_name.as_deref();
    let word = message.severity.as_deref().unwrap_or("info");
    let info = json!({
        "event_id": message.event,
        "event_type": message.event_type,
        "outcome": message.outcome,
        "link": message.link,
        "alert": message.alert_link,
        "object": message.key,
        "profile": message.profile,
    });
    let record = json!({
        "source": "Chancery",
        "event_class": parcel.public_url,
        "node": node(object.map(|(kind, _)| kind), name, &parcel.public_url),
        "resource": name.or(object.map(|(_, id)| id)).or(message.profile.as_deref()),
        "metric_name": about.split('.').next().unwrap_or_default(),
        "type": about,
        "severity": opened.map_or(severity(word), |_| "0"),
        "description": cut(&format!("{}\n{}", message.subject, message.text), 4_000),
        "additional_info": info.to_string(),
        "message_key": key,
        "resolution_state": opened.map_or("New", |_| "Closing"),
        "time_of_event": when(parcel.created_at),
    });
    let is_done = message.outcome.as_deref().is_none_or(|word| word == "success");
    with_endings(record, "notice:", (about, is_done), object)
}

/// What the record is of, as far as a configuration item there may be called so: the name of a
/// certificate, or this program.
fn node<'a>(kind: Option<&str>, name: Option<&'a str>, public_url: &'a str) -> &'a str {
    match (kind, name) {
        (Some("certificate"), Some(name)) if !name.is_empty() => name,
        _ => public_url,
    }
}

/// Types of events about the end of a certificate, with what they are about.
const ENDS: [(&str, &str); 3] = [
    ("certificate.expiring", "certificate"),
    ("certificate.expired", "certificate"),
    ("authority.expiring", "authority"),
];
/// Operations and occurrences after which nobody has to care for the end of a certificate.
const SETTLED: [&str; 3] = ["certificate.replaced", "certificate.archive", "certificate.delete"];

/// A record, with those that close what was told of the end of its certificate.
fn with_endings(
    record: Value,
    prefix: &str,
    (type_name, is_done): (&str, bool),
    object: Option<(&str, &str)>,
) -> Vec<Value> {
    let mut all = vec![record.clone()];
    if let Some(("certificate", id)) = object
        && is_done
        && SETTLED.contains(&type_name)
    {
        for (end, kind) in ENDS {
            let mut closing = record.clone();
            closing["type"] = end.into();
            closing["severity"] = "0".into();
            closing["resolution_state"] = "Closing".into();
            closing["message_key"] = format!("{prefix}{end}:{kind}/{id}").into();
            all.push(closing);
        }
    }
    all
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

fn of_event(event: &Event, public_url: &str) -> Vec<Value> {
    let target = event.subject();
    let kind = target.map(|target| target.kind.to_string());
    let object = kind.as_deref().zip(target.map(|target| target.id.as_str()));
    let name = target.and_then(|target| target.name.as_deref());
    let subject = target.map(chancery_event::Target::reference).unwrap_or_default();
    let opened = opened_by(&event.type_name);
    let info = json!({
        "event_id": event.id.to_string(),
        "event_type": event.type_name,
        "outcome": event.outcome.result.as_str(),
        "reason": event.outcome.reason,
        "link": format!("{}/events/{}", public_url.trim_end_matches('/'), event.id),
        "alert": alert_of(event, public_url),
        "detail": event.detail,
    });
    let record = json!({
        "source": "Chancery",
        "event_class": public_url,
        "node": node(kind.as_deref(), name, public_url),
        "resource": name.or(object.map(|(_, id)| id)),
        "metric_name": event.type_name.split('.').next().unwrap_or_default(),
        "type": event.type_name,
        "severity": opened.map_or(severity(event.severity.as_str()), |_| "0"),
        "description": chancery_event::sentence::sentence(event),
        "additional_info": info.to_string(),
        "time_of_event": when(event.time),
        "message_key": format!("{}:{subject}", opened.unwrap_or(&event.type_name)),
        "resolution_state": opened.map_or("New", |_| "Closing"),
    });
    let is_done = event.outcome.result == Verdict::Success;
    with_endings(record, "", (&event.type_name, is_done), object)
}

/// A record of a table: what every table of tasks has.
fn record(parcel: &Parcel, table: &str) -> Value {
    let notices = notices(parcel);
    let Some(notice) = notices.first() else { return json!({}) };
    let mut text = notice.text.clone();
    for (name, value) in &notice.facts {
        text.push_str(&format!("\n{name}: {value}"));
    }
    for (_, link) in notice.ways() {
        if !text.contains(link) {
            text.push_str(&format!("\n{link}"));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_refused_is_an_event_that_is_refused_once() {
        // The second event has four records.
        let places = [0, 1, 1, 1, 1, 2];
        let sent = |refused: &[usize]| {
            let refused = refused.iter().map(|at| (Some(*at), "error")).collect();
            let mut sent = Sent::default();
            judge(&mut sent, of_events(refused, &places), 3);
            sent
        };
        let events = |sent: &Sent| -> Vec<usize> {
            sent.refused_events.iter().map(|(place, _)| *place).collect()
        };
        assert_eq!(events(&sent(&[2, 4])), [1]);
        assert_eq!(events(&sent(&[5])), [2]);
        assert!(sent(&[5]).failure.is_none());
        assert!(sent(&[0, 1, 2, 5]).failure.is_some(), "every event was refused");
        assert!(sent(&[6]).failure.is_some(), "it says something of what was not sent");
    }
}
