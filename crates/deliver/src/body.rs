//! The body of a parcel: events in a dialect, or a message as JSON, encrypted where that is wanted.

use chancery_engine::Error;
use chancery_engine::delivery::{
    Address, Content, Definition, Message, Parcel, Runner, Secrets, SendError,
};
use chancery_event::dialect::{Dialect, Shown};
use serde_json::json;

use crate::encryption;

/// Largest body, in bytes.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// A body with what belongs in the head of a request.
pub(crate) struct Body {
    pub(crate) media_type: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) bytes: Vec<u8>,
}

/// Events of one delivery at most of one that sends every few hours, where nothing else is said.
pub(crate) const PERIODIC_BATCH: usize = 100;

/// Events of one delivery at most, where the definition says nothing: `most` for one that sends
/// every few hours, one by one otherwise, and where each has headers of its own.
pub(crate) fn batch_or_one(definition: &Definition, most: usize) -> usize {
    let in_headers = definition.dialect.as_deref() == Some(Dialect::CloudEventsBinary.name());
    if definition.runner == Runner::Periodic && !in_headers { most } else { 1 }
}

/// Whether events are always written as a batch, one alone as well.
fn is_batched(definition: &Definition) -> bool {
    let most = definition.batch_max.unwrap_or(batch_or_one(definition, PERIODIC_BATCH));
    most > 1
}

/// The dialect of a definition.
pub(crate) fn dialect(definition: &Definition, default: Dialect) -> Result<Dialect, Error> {
    match definition.dialect.as_deref() {
        None | Some("") => Ok(default),
        Some(name) => {
            Dialect::named(name).map_err(|error| Error::invalid("dialect", error.to_string()))
        }
    }
}

/// Refuses a dialect whose attributes would be lost: those that stand in headers, where there are
/// none, or where the body alone is encrypted.
pub(crate) fn check_dialect(
    definition: &Definition,
    secrets: &Secrets,
    default: Dialect,
    has_headers: bool,
) -> Result<(), Error> {
    let why = match dialect(definition, default)? {
        Dialect::CloudEventsBinary if !has_headers => "which this kind does not have",
        Dialect::CloudEventsBinary if secrets.find("payload_key").is_some() => {
            "which the payload key does not encrypt"
        }
        _ => return Ok(()),
    };
    let message =
        format!("its attributes (id, type, source) are headers, {why}: choose cloudevents");
    Err(Error::invalid("dialect", message))
}

/// Refuses a payload key that is none.
pub(crate) fn check_key(secrets: &Secrets) -> Result<(), Error> {
    match secrets.find("payload_key") {
        Some(key) if !encryption::is_key(key) => {
            Err(Error::invalid("secrets/payload_key", "the base64 of a key of 32 bytes"))
        }
        _ => Ok(()),
    }
}

/// The bytes under the payload key, or as they are where there is none.
pub(crate) fn encrypted(
    secrets: &Secrets,
    media_type: &str,
    plain: Vec<u8>,
) -> Result<Vec<u8>, SendError> {
    let Some(key) = secrets.find("payload_key") else { return Ok(plain) };
    encryption::encrypt(key, media_type, &plain)
        .ok_or_else(|| SendError::new("encryption", "the payload was not encrypted"))
}

/// A dialect that cannot be used, as what happened to a delivery.
pub(crate) fn unusable(error: Error) -> SendError {
    SendError::new("dialect", error.to_string())
}

/// Events as a dialect shows them.
pub(crate) fn shown(content: &Content) -> Vec<Shown<'_>> {
    match content {
        Content::Events(events) => {
            let shown = events.iter();
            shown
                .map(|one| Shown::sealed(one.event(), one.index()).with_entry(one.entry()))
                .collect()
        }
        Content::Message(_) => Vec::new(),
    }
}

/// The body of a parcel.
pub(crate) fn of(address: &Address, parcel: &Parcel, default: Dialect) -> Result<Body, SendError> {
    let dialect = dialect(&address.definition, default).map_err(unusable)?;
    let batch = is_batched(&address.definition);
    let mut body = match &parcel.content {
        Content::Message(message) => Body {
            media_type: "application/json".to_owned(),
            headers: Vec::new(),
            bytes: message_json(message, parcel).into_bytes(),
        },
        Content::Events(_) => {
            let shown = shown(&parcel.content);
            let rendered = match shown.as_slice() {
                [one] if !batch => dialect.render(*one),
                many => dialect.render_batch(many),
            };
            Body {
                media_type: rendered.media_type.to_owned(),
                headers: rendered.headers,
                bytes: rendered.bytes,
            }
        }
    };
    if address.secrets.find("payload_key").is_some() {
        body.bytes = encrypted(&address.secrets, &body.media_type, body.bytes)?;
        body.media_type = encryption::MEDIA_TYPE.to_owned();
        body.headers.clear();
    }
    if body.bytes.len() > BODY_MAX {
        let message = format!("the body has {} bytes, at most {BODY_MAX}", body.bytes.len());
        return Err(SendError::new("too_large", message));
    }
    Ok(body)
}

/// A message for people as JSON.
pub(crate) fn message_json(message: &Message, parcel: &Parcel) -> String {
    let facts: serde_json::Map<String, serde_json::Value> =
        message.facts.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    json!({
        "id": parcel.id.to_string(),
        "time": parcel.created_at.to_string(),
        "subject": message.subject,
        "text": message.text,
        "severity": message.severity,
        "link": message.link,
        "alert_link": message.alert_link,
        "event": message.event,
        "event_type": message.event_type,
        "outcome": message.outcome,
        "object": message.key,
        "object_name": message.object_name,
        "profile": message.profile,
        "facts": facts,
    })
    .to_string()
}
