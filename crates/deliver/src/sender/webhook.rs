//! Webhooks: Standard Webhooks over HTTP, signed with HMAC or Ed25519, with bearer, basic or mutual
//! TLS authentication towards the receiver.
//!
//! | setting | |
//! |---|---|
//! | `url` | where to; or the secret `url`, where the address holds a key |
//! | `signature` | `hmac`, `ed25519` or `none` |
//! | `headers` | more headers |
//! | `username` | for basic authentication, with the secret `password` |
//! | `ca`, `client_certificate` | see `wire/tls.rs` |
//! | `connect_seconds`, `answer_seconds` | see `wire/limits.rs` |
//!
//! Secrets: `signing`, and `signing_previous` until `signing_previous_until`; `token` (bearer),
//! `password`, `headers` (`Name: value`, one a line), `url`, `client_key`, `payload_key`.
//!
//! With the dialect of Okta's event hooks, the receiver has to answer the verification challenge
//! before such a webhook is saved.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_engine::Error;
use chancery_engine::delivery::{Address, Checked, Definition, Parcel, Secrets, SendError, Sent};
use chancery_event::Timestamp;
use chancery_event::dialect::Dialect;
use serde_json::Value;

use crate::body;
use crate::settings::Settings;
use crate::signature::{Key, Scheme, generate};
use crate::wire::address::Target;
use crate::wire::http::{ANSWER, Call, Client};
use crate::wire::limits::Limits;
use crate::wire::tls;

/// Headers whose values are secrets.
const SECRET: [&str; 3] = ["authorization", "cookie", "x-api-key"];
/// Bytes of the answer to a challenge that are read.
const CHALLENGE_MAX: usize = 4_096;
/// Headers that nobody may set: they are HTTP's, or ours.
const RESERVED: [&str; 13] = [
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "expect",
    "user-agent",
    "cache-control",
    "expires",
    "pragma",
];

struct Read {
    target: Target,
    /// The address is a secret.
    hidden: bool,
    headers: Vec<(String, String)>,
    secret_headers: Vec<(String, String)>,
    tls: Arc<rustls::ClientConfig>,
    limits: Limits,
    /// The keys in force, and until when.
    keys: Vec<(Key, Option<Timestamp>)>,
}

fn scheme(settings: &Settings<'_>) -> Result<Option<Scheme>, Error> {
    Ok(match settings.word("signature", &["hmac", "ed25519", "none"])? {
        "hmac" => Some(Scheme::Hmac),
        "ed25519" => Some(Scheme::Ed25519),
        _ => None,
    })
}

/// Headers as they were given.
fn headers(settings: &Settings<'_>) -> Result<Vec<(String, String)>, Error> {
    let mut headers = Vec::new();
    for (name, value) in settings.pairs("headers")? {
        let place = format!("settings/headers/{name}");
        let lower = header(&place, name, value)?;
        if SECRET.contains(&lower.as_str()) {
            let message = "its value is a secret: give it among the secret headers";
            return Err(Error::invalid(place, message));
        }
        headers.push((lower, value.to_owned()));
    }
    Ok(headers)
}

/// Headers with secret values: `Name: value`, one a line.
fn secret_headers(secrets: &Secrets) -> Result<Vec<(String, String)>, Error> {
    let place = "secrets/headers";
    let mut headers = Vec::new();
    for line in secrets.find("headers").unwrap_or_default().lines() {
        let Some((name, value)) = line.split_once(':') else {
            if line.trim().is_empty() {
                continue;
            }
            return Err(Error::invalid(place, "one header a line, such as X-Api-Key: …"));
        };
        let value = value.trim().to_owned();
        headers.push((header(place, name.trim(), &value)?, value));
    }
    Ok(headers)
}

/// The name of a header in lower case, if somebody may set it.
fn header(place: &str, name: &str, value: &str) -> Result<String, Error> {
    let lower = name.to_ascii_lowercase();
    let refused = RESERVED.contains(&lower.as_str())
        || lower.starts_with("content-")
        || lower.starts_with("proxy-")
        || lower.starts_with("webhook-");
    if refused {
        return Err(Error::invalid(place, "this header is set by HTTP or by Chancery"));
    }
    let valid = http::HeaderName::from_bytes(lower.as_bytes()).is_ok()
        && http::HeaderValue::from_str(value).is_ok()
        && value.len() <= 4_096;
    if !valid {
        return Err(Error::invalid(place, "no header: printable ASCII, at most 4,096 bytes"));
    }
    Ok(lower)
}

/// Refuses that what is secret crosses the network in clear. What stays on this machine may.
pub(crate) fn not_in_clear(place: &str, target: &Target, secret: bool) -> Result<(), Error> {
    let host = target.host.trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if secret && !target.tls && !is_here {
        let message = "what is secret does not cross the network in clear: use TLS";
        return Err(Error::invalid(place, message));
    }
    Ok(())
}

/// What the receiver is told about who calls.
pub(crate) fn authorization(
    settings: &Settings<'_>,
    secrets: &Secrets,
) -> Result<Option<String>, Error> {
    match (settings.text("username")?, secrets.find("password"), secrets.find("token")) {
        (None, None, None) => Ok(None),
        (None, None, Some(token)) => {
            let good = token.bytes().all(|byte| (0x21..0x7f).contains(&byte));
            let good = good.then(|| format!("Bearer {token}"));
            good.map(Some)
                .ok_or_else(|| Error::invalid("secrets/token", "printable ASCII without blanks"))
        }
        (Some(name), Some(password), None) => {
            Ok(Some(format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))))
        }
        (Some(_), None, None) => {
            Err(Error::invalid("secrets/password", "the user name needs its password"))
        }
        (None, Some(_), None) => {
            Err(Error::invalid("settings/username", "the password needs its user name"))
        }
        (_, _, Some(_)) => {
            Err(Error::invalid("secrets/token", "a bearer token, or name and password, not both"))
        }
    }
}

fn read(definition: &Definition, secrets: &Secrets) -> Result<Read, Error> {
    let settings = Settings::new(&definition.settings);
    let (target, hidden) = match (settings.text("url")?, secrets.find("url")) {
        (Some(url), None) => (Target::http("settings/url", url)?, false),
        (None, Some(url)) => (Target::http("secrets/url", url)?, true),
        (None, None) => {
            return Err(Error::invalid("settings/url", "the receiver's address is needed"));
        }
        (Some(_), Some(_)) => {
            let message = "the address stands in the settings or is a secret, not both";
            return Err(Error::invalid("secrets/url", message));
        }
    };
    scheme(&settings)?;
    let headers = headers(&settings)?;
    let mut secret_headers = secret_headers(secrets)?;
    if let Some(value) = authorization(&settings, secrets)? {
        if secret_headers.iter().any(|(name, _)| name == "authorization") {
            let message = "the token or the password makes this header already";
            return Err(Error::invalid("secrets/headers", message));
        }
        secret_headers.push(("authorization".to_owned(), value));
    }
    let place = if hidden { "secrets/url" } else { "settings/url" };
    not_in_clear(place, &target, hidden || !secret_headers.is_empty())?;
    let tls = tls::config(&settings, secrets, target.tls)?;
    let limits = Limits::read(&settings, ANSWER)?;
    settings.finish()?;
    Ok(Read { target, hidden, headers, secret_headers, tls, limits, keys: keys(secrets) })
}

pub(crate) fn check(definition: &Definition, secrets: &mut Secrets) -> Result<Checked, Error> {
    let Read { target, hidden, .. } = read(definition, secrets)?;
    body::check_dialect(definition, secrets, Dialect::CloudEvents, true)?;
    body::check_key(secrets)?;
    let settings = Settings::new(&definition.settings);
    match (scheme(&settings)?, secrets.find("signing")) {
        (Some(scheme), None) => {
            let made = generate(scheme).map_err(|error| Error::Internal(error.to_string()))?;
            secrets.set("signing", made);
        }
        (Some(scheme), Some(secret)) => {
            let wrong = |message: String| Error::invalid("secrets/signing", message);
            let key = Key::read(secret).map_err(|error| wrong(error.to_string()))?;
            if matches!(key, Key::Ed25519(_)) != (scheme == Scheme::Ed25519) {
                return Err(wrong("it belongs to the other kind of signature".to_owned()));
            }
        }
        (None, _) => {
            secrets.set("signing", "");
            secrets.set("signing_previous", "");
            secrets.set("signing_previous_until", "");
        }
    }
    check_overlap(secrets)?;
    let endpoint = format!("{}{}", target.origin(), if hidden { "/…" } else { &target.path });
    let place = if hidden { "secrets/url" } else { "settings/url" };
    let hosts = vec![(place.to_owned(), target.host, target.port)];
    let batch_max = body::batch_or_one(definition, body::PERIODIC_BATCH);
    Ok(Checked { hosts, endpoint, batch_max })
}

/// Refuses a secret of before without its end, or an end without a secret: it would sign for ever.
fn check_overlap(secrets: &Secrets) -> Result<(), Error> {
    let wrong = |name: &str, message: &str| Err(Error::invalid(format!("secrets/{name}"), message));
    let until = secrets.find("signing_previous_until");
    match (secrets.find("signing_previous"), until.map(str::parse::<Timestamp>)) {
        (None, None) => Ok(()),
        (Some(secret), _) if Key::read(secret).is_err() => {
            wrong("signing_previous", "it is no secret to sign with")
        }
        (None, Some(_)) => wrong("signing_previous", "a time until which it signs needs a secret"),
        (Some(_), None) => {
            wrong("signing_previous_until", "the secret of before needs a time until it signs")
        }
        (Some(_), Some(Err(_))) => {
            wrong("signing_previous_until", "a time such as 2026-12-31T00:00:00Z")
        }
        (Some(_), Some(Ok(_))) => Ok(()),
    }
}

/// The keys that bodies are signed with, and until when. One of before whose end cannot be read has
/// ended.
fn keys(secrets: &Secrets) -> Vec<(Key, Option<Timestamp>)> {
    let key = |name| Key::read(secrets.find(name)?).ok();
    let until = secrets.find("signing_previous_until").and_then(|text| text.parse().ok());
    let present = key("signing").map(|key| (key, None));
    let previous = key("signing_previous").zip(until).map(|(key, until)| (key, Some(until)));
    present.into_iter().chain(previous).collect()
}

/// The signatures of a body, one for each key in force.
fn signatures(read: &Read, id: &str, now: Timestamp, body: &[u8]) -> Vec<String> {
    let in_force = read.keys.iter().filter(|(_, until)| until.is_none_or(|until| now < until));
    let seconds = now.micros().div_euclid(Timestamp::SECOND);
    in_force.map(|(key, _)| key.sign(id, seconds, body)).collect()
}

pub(crate) async fn send(client: &Client, address: &Address, parcel: &Parcel) -> Sent {
    let made = address.made.or_make(|| read(&address.definition, &address.secrets));
    let read = match made {
        Ok(read) => read,
        Err(error) => return broken(&error),
    };
    let body = match body::of(address, parcel, Dialect::CloudEvents) {
        Ok(body) => body,
        Err(error) => return Sent::failed(Value::Null, error),
    };
    let id = parcel.id.to_string();
    let seconds = parcel.now.micros().div_euclid(Timestamp::SECOND);
    let signatures = signatures(&read, &id, parcel.now, &body.bytes);
    let mut headers = read.headers.clone();
    headers.push(("content-type".to_owned(), body.media_type));
    headers.extend(body.headers);
    headers.push(("webhook-id".to_owned(), id));
    headers.push(("webhook-timestamp".to_owned(), seconds.to_string()));
    if !signatures.is_empty() {
        headers.push(("webhook-signature".to_owned(), signatures.join(" ")));
    }
    let call = Call {
        owner: (address.name.clone(), address.version),
        target: read.target.clone(),
        method: http::Method::POST,
        headers,
        body: body.bytes,
        tls: read.tls.clone(),
        secret_headers: read.secret_headers.clone(),
        path_is_secret: read.hidden,
        limits: read.limits,
    };
    client.send(call).await
}

/// Asks the receiver of an Okta event hook to show that it wants to be one: it answers a challenge
/// with what it was asked. Receivers of other dialects are not asked.
pub(crate) async fn verify(
    client: &Client,
    address: &Address,
    challenge: String,
) -> Result<(), SendError> {
    let wrong = |error: Error| SendError::new("configuration", error.to_string());
    let dialect = body::dialect(&address.definition, Dialect::CloudEvents).map_err(wrong)?;
    if dialect != Dialect::OktaHook {
        return Ok(());
    }
    let Read { target, headers, secret_headers, tls, hidden, limits, .. } =
        read(&address.definition, &address.secrets).map_err(wrong)?;
    let mut secret_headers = secret_headers;
    secret_headers.push(("x-okta-verification-challenge".to_owned(), challenge.clone()));
    let call = Call {
        owner: (address.name.clone(), address.version),
        target,
        method: http::Method::GET,
        headers,
        secret_headers,
        body: Vec::new(),
        tls,
        path_is_secret: hidden,
        limits,
    };
    let page = client.fetch_page(call, CHALLENGE_MAX).await?;
    let answer: Option<Value> = serde_json::from_slice(&page.body).ok();
    let is_right = answer.is_some_and(|answer| answer["verification"] == challenge.as_str());
    if page.status == 200 && is_right {
        return Ok(());
    }
    let message = "it did not answer the verification challenge of an Okta event hook";
    Err(SendError::new("challenge", message))
}

/// A definition that was good when it was saved and is not any more.
pub(crate) fn broken(error: &Error) -> Sent {
    Sent::failed(Value::Null, SendError::new("configuration", error.to_string()))
}

/// The key that the receiver verifies with.
pub(crate) fn public_key(secrets: &Secrets) -> Option<String> {
    Key::read(secrets.find("signing")?).ok()?.public()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_before_signs_until_its_end_and_not_where_the_end_cannot_be_read() {
        let until = Timestamp::from_micros(Timestamp::DAY);
        for (text, expected) in [(until.to_string(), Some(until)), ("for ever".to_owned(), None)] {
            let mut secrets = Secrets::default();
            secrets.set("signing", generate(Scheme::Hmac).unwrap());
            secrets.set("signing_previous", generate(Scheme::Hmac).unwrap());
            secrets.set("signing_previous_until", text);
            let ends: Vec<_> = keys(&secrets).into_iter().map(|(_, until)| until).collect();
            let signs = [Some(None), expected.map(Some)].into_iter().flatten();
            assert_eq!(ends, signs.collect::<Vec<_>>());
        }
    }
}
