//! Webhooks: Standard Webhooks over HTTP, signed with HMAC or Ed25519, with bearer, basic or mutual
//! TLS authentication towards the receiver.
//!
//! | setting | |
//! |---|---|
//! | `url` | where to |
//! | `signature` | `hmac`, `ed25519` or `none` |
//! | `headers` | more headers |
//! | `username` | for basic authentication, with the secret `password` |
//! | `ca`, `client_certificate` | see `wire/tls.rs` |
//!
//! Secrets: `signing`, and `signing_previous` until `signing_previous_until`; `token` (bearer),
//! `password`, `client_key`, `payload_key`.

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
use crate::wire::http::{Call, Client};
use crate::wire::tls;

/// Headers whose values are not kept.
pub(crate) const HIDDEN: &[&str] = &["authorization", "proxy-authorization", "cookie", "x-api-key"];
/// Headers that nobody may set: they are HTTP's, or ours.
const RESERVED: [&str; 14] = [
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
    "authorization",
];

struct Read {
    target: Target,
    headers: Vec<(String, String)>,
    tls: Arc<rustls::ClientConfig>,
}

fn scheme(settings: &Settings<'_>) -> Result<Option<Scheme>, Error> {
    Ok(match settings.word("signature", &["hmac", "ed25519", "none"])? {
        "hmac" => Some(Scheme::Hmac),
        "ed25519" => Some(Scheme::Ed25519),
        _ => None,
    })
}

/// Headers as they were given.
pub(crate) fn headers(settings: &Settings<'_>) -> Result<Vec<(String, String)>, Error> {
    let mut headers = Vec::new();
    for (name, value) in settings.pairs("headers")? {
        let lower = name.to_ascii_lowercase();
        let refused = RESERVED.contains(&lower.as_str())
            || lower.starts_with("content-")
            || lower.starts_with("proxy-")
            || lower.starts_with("webhook-");
        let place = format!("settings/headers/{name}");
        if refused {
            return Err(Error::invalid(place, "this header is set by HTTP or by Chancery"));
        }
        let valid = http::HeaderName::from_bytes(lower.as_bytes()).is_ok()
            && http::HeaderValue::from_str(value).is_ok()
            && value.len() <= 4_096;
        if !valid {
            return Err(Error::invalid(place, "no header: printable ASCII, at most 4,096 bytes"));
        }
        headers.push((lower, value.to_owned()));
    }
    Ok(headers)
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
    let target = Target::http("settings/url", settings.needed("url", "the receiver's address")?)?;
    scheme(&settings)?;
    let mut headers = headers(&settings)?;
    if let Some(value) = authorization(&settings, secrets)? {
        if !target.tls && secrets.find("token").or(secrets.find("password")).is_some() {
            tracing::debug!("credentials cross the network in clear");
        }
        headers.push(("authorization".to_owned(), value));
    }
    let tls = tls::config(&settings, secrets)?;
    settings.finish()?;
    Ok(Read { target, headers, tls })
}

pub(crate) fn check(definition: &Definition, secrets: &mut Secrets) -> Result<Checked, Error> {
    let target = read(definition, secrets)?.target;
    body::dialect(definition, Dialect::CloudEvents)?;
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
        (None, _) => secrets.set("signing", ""),
    }
    let endpoint = format!("{}{}", target.origin(), target.path);
    let hosts = vec![("settings/url".to_owned(), target.host, target.port)];
    Ok(Checked { hosts, endpoint, batch_max: 1 })
}

/// The signatures of a body, one for each secret in force.
fn signatures(secrets: &Secrets, id: &str, now: Timestamp, body: &[u8]) -> Vec<String> {
    let previous = secrets.find("signing_previous").filter(|_| {
        let until = secrets.find("signing_previous_until").and_then(|text| text.parse().ok());
        until.is_none_or(|until: Timestamp| now < until)
    });
    [secrets.find("signing"), previous]
        .into_iter()
        .flatten()
        .filter_map(|secret| Key::read(secret).ok())
        .map(|key| key.sign(id, now.micros().div_euclid(Timestamp::SECOND), body))
        .collect()
}

pub(crate) async fn send(client: &Client, address: &Address, parcel: &Parcel) -> Sent {
    let read = match read(&address.definition, &address.secrets) {
        Ok(read) => read,
        Err(error) => return broken(&error),
    };
    let body = match body::of(address, parcel, Dialect::CloudEvents) {
        Ok(body) => body,
        Err(error) => return Sent::failed(Value::Null, error),
    };
    let id = parcel.id.to_string();
    let seconds = parcel.now.micros().div_euclid(Timestamp::SECOND);
    let signatures = signatures(&address.secrets, &id, parcel.now, &body.bytes);
    let mut headers = read.headers;
    headers.push(("content-type".to_owned(), body.media_type));
    headers.extend(body.headers);
    headers.push(("webhook-id".to_owned(), id));
    headers.push(("webhook-timestamp".to_owned(), seconds.to_string()));
    if !signatures.is_empty() {
        headers.push(("webhook-signature".to_owned(), signatures.join(" ")));
    }
    let call = Call {
        owner: (address.name.clone(), address.version),
        target: read.target,
        method: http::Method::POST,
        headers,
        body: body.bytes,
        tls: read.tls,
        hidden: HIDDEN,
        path_is_secret: false,
    };
    client.send(call).await
}

/// A definition that was good when it was saved and is not any more.
pub(crate) fn broken(error: &Error) -> Sent {
    Sent::failed(Value::Null, SendError::new("configuration", error.to_string()))
}

/// The key that the receiver verifies with.
pub(crate) fn public_key(secrets: &Secrets) -> Option<String> {
    Key::read(secrets.find("signing")?).ok()?.public()
}
