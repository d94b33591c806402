//! NATS JetStream: each event is published and acknowledged by the stream.
//!
//! | setting | |
//! |---|---|
//! | `address` | host and port; 4222 |
//! | `subject` | where to; `{type}` becomes the event's type |
//! | `stream` | the stream that is expected to take it |
//! | `tls` | TLS is demanded |
//! | `username` | with the secret `password`; or the secret `token` |
//!
//! `Nats-Msg-Id` is the event's identifier, so that JetStream drops what it has already.
//! CloudEvents in binary mode have their attributes in the headers `ce-…`. The protocol is a few
//! lines of text; it is spoken here over the engine's door, because a library would open
//! connections by itself.

use std::sync::Arc;
use std::time::Instant;

use chancery_engine::Error;
use chancery_engine::delivery::{
    Address, Checked, Content, Definition, Parcel, Secrets, SendError, Sent,
};
use chancery_engine::net::Network;
use chancery_event::dialect::Dialect;
use serde::Deserialize;
use serde_json::{Value, json};

use super::webhook::{broken, not_in_clear};
use crate::body::{check_dialect, check_key, dialect, encrypted, message_json, shown, unusable};
use crate::settings::Settings;
use crate::wire::address::Target;
use crate::wire::limits::Limits;
use crate::wire::line::Lines;
use crate::wire::tls;

/// For each answer, in seconds, where nothing is said.
const PATIENCE: i64 = 15;
/// Bytes of a message besides its payload, about.
const HEAD_SIZE: usize = 256;

struct Read {
    target: Target,
    subject: String,
    stream: Option<String>,
    tls: Option<Arc<rustls::ClientConfig>>,
    login: Value,
    limits: Limits,
}

fn read(definition: &Definition, secrets: &Secrets) -> Result<Read, Error> {
    let settings = Settings::new(&definition.settings);
    let text = settings.needed("address", "host and port of the server")?;
    let target = Target::plain("settings/address", text, 4222, false)?;
    let subject = settings.needed("subject", "where to, such as chancery.events")?.to_owned();
    let good = |c: char| c.is_ascii_graphic() && !matches!(c, '*' | '>');
    let parts_good = subject.split('.').all(|part| !part.is_empty());
    if subject.len() > 200 || !subject.chars().all(good) || !parts_good {
        let message = "words joined by dots, without * and >, such as chancery.events.{type}";
        return Err(Error::invalid("settings/subject", message));
    }
    let stream = settings.text("stream")?.map(str::to_owned);
    let is_encrypted = settings.flag("tls", false)?;
    let config = tls::config(&settings, secrets, is_encrypted)?;
    let tls = is_encrypted.then_some(config);
    let mut login = json!({});
    match (settings.text("username")?, secrets.find("password"), secrets.find("token")) {
        (None, None, None) => {}
        (Some(name), Some(password), None) => login = json!({ "user": name, "pass": password }),
        (None, None, Some(token)) => login = json!({ "auth_token": token }),
        _ => {
            let message = "a user name with its password, or a token";
            return Err(Error::invalid("settings/username", message));
        }
    }
    if tls.is_none() && login != json!({}) {
        not_in_clear("settings/tls", &target, true)?;
    }
    let limits = Limits::read(&settings, PATIENCE)?;
    settings.finish()?;
    Ok(Read { target, subject, stream, tls, login, limits })
}

pub(crate) fn check(definition: &Definition, secrets: &Secrets) -> Result<Checked, Error> {
    let read = read(definition, secrets)?;
    check_dialect(definition, secrets, Dialect::CloudEvents, true)?;
    check_key(secrets)?;
    let endpoint = format!("nats://{}:{}/{}", read.target.host, read.target.port, read.subject);
    let hosts = vec![("settings/address".to_owned(), read.target.host, read.target.port)];
    Ok(Checked { hosts, endpoint, batch_max: 500 })
}

/// One message: subject, identifier, headers, payload.
struct Entry {
    subject: String,
    id: String,
    headers: Vec<(String, String)>,
    payload: Vec<u8>,
}

fn entries(address: &Address, parcel: &Parcel, subject: &str) -> Result<Vec<Entry>, SendError> {
    let dialect = dialect(&address.definition, Dialect::CloudEvents).map_err(unusable)?;
    let mut entries = Vec::new();
    for one in shown(&parcel.content) {
        let rendered = dialect.render(one);
        let mut headers = rendered.headers;
        if dialect == Dialect::CloudEventsBinary {
            // The NATS binding knows no header of its own for it, unlike HTTP's.
            headers.push(("ce-datacontenttype".to_owned(), rendered.media_type.to_owned()));
        }
        entries.push(Entry {
            subject: subject.replace("{type}", &one.event.type_name),
            id: one.event.id.to_string(),
            headers,
            payload: encrypted(&address.secrets, rendered.media_type, rendered.bytes)?,
        });
    }
    if let Content::Message(message) = &parcel.content {
        let payload = message_json(message, parcel).into_bytes();
        entries.push(Entry {
            subject: subject.replace("{type}", "notice"),
            id: parcel.id.to_string(),
            headers: Vec::new(),
            payload: encrypted(&address.secrets, "application/json", payload)?,
        });
    }
    Ok(entries)
}

pub(crate) async fn send(network: &Network, address: &Address, parcel: &Parcel) -> Sent {
    let read = match read(&address.definition, &address.secrets) {
        Ok(read) => read,
        Err(error) => return broken(&error),
    };
    let mut request = json!({
        "address": format!("nats://{}:{}", read.target.host, read.target.port),
        "subject": read.subject,
    });
    let entries = match entries(address, parcel, &read.subject) {
        Ok(entries) => entries,
        Err(error) => return Sent::failed(request, error),
    };
    request["messages"] = entries.len().into();
    match publish(network, &read, &entries, &parcel.id.to_string()).await {
        Ok(response) => Sent { request, response, ..Sent::default() },
        Err(error) => Sent::failed(request, error),
    }
}

async fn publish(
    network: &Network,
    read: &Read,
    entries: &[Entry],
    id: &str,
) -> Result<Value, SendError> {
    let mut lines = greet(network, read).await?;
    let inbox = format!("_INBOX.{}", id.replace('-', ""));
    lines.write(format!("SUB {inbox}.* 1\r\n").as_bytes()).await?;
    let payloads: usize = entries.iter().map(|entry| entry.payload.len()).sum();
    let mut batch = Vec::with_capacity(payloads + entries.len() * HEAD_SIZE);
    for (number, entry) in entries.iter().enumerate() {
        let mut head = format!("NATS/1.0\r\nNats-Msg-Id: {}\r\n", entry.id);
        if let Some(stream) = &read.stream {
            head.push_str(&format!("Nats-Expected-Stream: {stream}\r\n"));
        }
        // Names and values are printable ASCII: whoever renders sees to that.
        for (name, value) in &entry.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let (first, whole) = (head.len(), head.len() + entry.payload.len());
        let line = format!("HPUB {} {inbox}.{number} {first} {whole}\r\n", entry.subject);
        batch.extend_from_slice(line.as_bytes());
        batch.extend_from_slice(head.as_bytes());
        batch.extend_from_slice(&entry.payload);
        batch.extend_from_slice(b"\r\n");
    }
    lines.write(&batch).await?;
    let (mut acknowledged, mut duplicates, mut last) = (0, 0, Receipt::default());
    while acknowledged < entries.len() {
        let receipt = receipt(&mut lines).await?;
        if let Some(error) = receipt.error {
            let code = error["err_code"].as_i64().or(error["code"].as_i64()).unwrap_or(0);
            return Err(SendError::new("refused", format!("JetStream refused: error {code}")));
        }
        duplicates += usize::from(receipt.duplicate);
        acknowledged += 1;
        last = receipt;
    }
    Ok(json!({ "stream": last.stream, "sequence": last.seq, "duplicates": duplicates }))
}

/// Connects and introduces itself.
async fn greet(network: &Network, read: &Read) -> Result<Lines, SendError> {
    let (started, patience) = (Instant::now(), read.limits.answer);
    let stream = read.limits.connect(network, &read.target).await?;
    let mut lines;
    if let Some(config) = &read.tls {
        // The server speaks first, in clear; then both go on in TLS.
        let mut first = Vec::new();
        let mut byte = [0; 1];
        let greeting = async {
            use tokio::io::AsyncReadExt as _;
            let mut stream = stream;
            while !first.ends_with(b"\r\n") && first.len() < 65_536 {
                if stream.read(&mut byte).await? == 0 {
                    break;
                }
                first.push(byte[0]);
            }
            Ok::<_, std::io::Error>(stream)
        };
        let stream = match tokio::time::timeout(patience, greeting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(SendError::new("connection", error.to_string())),
            Err(_) => return Err(SendError::new("timeout", "the server does not greet")),
        };
        let left = read.limits.connect.saturating_sub(started.elapsed());
        let stream = tls::wrap(stream, &read.target.host, config.clone(), left).await?;
        lines = Lines::new(stream, patience);
    } else {
        lines = Lines::new(stream, patience);
        let greeting = lines.line().await?;
        let info = greeting.strip_prefix("INFO ").ok_or_else(strange)?;
        let info: Value = serde_json::from_str(info).map_err(|_| strange())?;
        if info["tls_required"] == json!(true) {
            return Err(SendError::new("tls", "the server demands TLS: switch it on"));
        }
    }
    let mut connect = json!({ "verbose": false, "pedantic": false, "headers": true,
        "no_responders": true, "lang": "rust", "name": "chancery",
        "version": env!("CARGO_PKG_VERSION"), "protocol": 1, "tls_required": read.tls.is_some() });
    if let (Some(connect), Some(login)) = (connect.as_object_mut(), read.login.as_object()) {
        connect.extend(login.clone());
    }
    lines.write(format!("CONNECT {connect}\r\nPING\r\n").as_bytes()).await?;
    loop {
        let line = lines.line().await?;
        match line.split(' ').next().unwrap_or_default() {
            "PONG" => return Ok(lines),
            "PING" => lines.write(b"PONG\r\n").await?,
            "-ERR" => return Err(complaint(&line)),
            "INFO" | "+OK" => {}
            _ => return Err(strange()),
        }
    }
}

/// What was said is not repeated: whoever set up the address must not read what lives there.
fn strange() -> SendError {
    SendError::new("protocol", "this is no NATS server")
}

/// What a server complains about, in our words.
fn complaint(line: &str) -> SendError {
    let line = line.to_ascii_lowercase();
    let known = ["authorization", "authentication", "permissions", "maximum", "slow consumer"];
    let what = known.iter().find(|word| line.contains(**word)).unwrap_or(&"something else");
    SendError::new("refused", format!("the NATS server refused: {what}"))
}

/// What JetStream answers to a message (its API's `PubAck`).
#[derive(Default, Deserialize)]
struct Receipt {
    stream: Option<String>,
    seq: Option<u64>,
    #[serde(default)]
    duplicate: bool,
    error: Option<Value>,
}

/// The next receipt of the stream.
async fn receipt(lines: &mut Lines) -> Result<Receipt, SendError> {
    loop {
        let line = lines.line().await?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let size = |place: usize| words.get(place).and_then(|word| word.parse::<usize>().ok());
        match words.first().copied().unwrap_or_default() {
            "MSG" => {
                let size = size(words.len() - 1).ok_or_else(strange)?.min(65_536);
                let bytes = lines.bytes(size + 2).await?;
                let body = bytes.get(..size).unwrap_or_default();
                return serde_json::from_slice(body).map_err(|_| strange());
            }
            // A message with a head and no body: nobody listens on the subject.
            "HMSG" => {
                let size = size(words.len() - 1).ok_or_else(strange)?.min(65_536);
                lines.bytes(size + 2).await?;
                let message = "no stream of JetStream takes this subject";
                return Err(SendError::new("refused", message));
            }
            "PING" => lines.write(b"PONG\r\n").await?,
            "-ERR" => return Err(complaint(&line)),
            _ => {}
        }
    }
}
