//! Syslog: RFC 5424 messages over UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425), with CEF, LEEF
//! or any other dialect as the message.
//!
//! | setting | |
//! |---|---|
//! | `address` | host and port; 6514 for TLS, else 514 |
//! | `transport` | `tls`, `tcp` or `udp` |
//! | `framing` | `octet_counting` or `newline`, for TCP and TLS |
//! | `ca`, `client_certificate` | see `wire/tls.rs` |
//!
//! Syslog has no receipts: "delivered" means that the receiver's machine took the bytes. After the
//! last byte the connection is closed in our direction, and the receiver's own close is waited for
//! a moment: a receiver that resets it instead has not read everything.

use std::sync::Arc;
use std::time::Duration;

use chancery_engine::Error;
use chancery_engine::delivery::{
    Address, Checked, Content, Definition, Parcel, Secrets, SendError, Sent,
};
use chancery_engine::net::Network;
use chancery_event::dialect::{Dialect, Shown, syslog};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::webhook::broken;
use crate::body::{check_dialect, dialect, shown};
use crate::settings::Settings;
use crate::wire::address::Target;
use crate::wire::http::refused;
use crate::wire::limits::Limits;
use crate::wire::tls;

/// Largest datagram that is sent: what every path carries without fragments.
const DATAGRAM_MAX: usize = 1_232;
/// For writing everything, in seconds, where nothing is said.
const WRITE: i64 = 20;
/// For the receiver's close after ours.
const CLOSE: Duration = Duration::from_millis(300);

struct Read {
    target: Target,
    transport: &'static str,
    counting: bool,
    tls: Arc<rustls::ClientConfig>,
    limits: Limits,
}

fn read(definition: &Definition, secrets: &Secrets) -> Result<Read, Error> {
    let settings = Settings::new(&definition.settings);
    let transport = settings.word("transport", &["tls", "tcp", "udp"])?;
    let port = if transport == "tls" { 6514 } else { 514 };
    let text = settings.needed("address", "host and port of the receiver")?;
    let target = Target::plain("settings/address", text, port, transport == "tls")?;
    let counting = settings.word("framing", &["octet_counting", "newline"])? == "octet_counting";
    let tls = tls::config(&settings, secrets, transport == "tls")?;
    let limits = Limits::read(&settings, WRITE)?;
    settings.finish()?;
    Ok(Read { target, transport, counting, tls, limits })
}

pub(crate) fn check(definition: &Definition, secrets: &Secrets) -> Result<Checked, Error> {
    let read = read(definition, secrets)?;
    check_dialect(definition, secrets, Dialect::Syslog, false)?;
    if secrets.find("payload_key").is_some() {
        return Err(Error::invalid("secrets/payload_key", "syslog carries text: use TLS"));
    }
    let endpoint = format!("{}://{}:{}", read.transport, read.target.host, read.target.port);
    let hosts = vec![("settings/address".to_owned(), read.target.host, read.target.port)];
    Ok(Checked { hosts, endpoint, batch_max: 500 })
}

/// The messages of a parcel, one for each event.
fn messages(address: &Address, parcel: &Parcel) -> Result<Vec<String>, Error> {
    let dialect = dialect(&address.definition, Dialect::Syslog)?;
    let line = |one: &Shown<'_>| {
        let rendered = dialect.render(*one);
        let text = rendered.text().replace(['\r', '\n'], " ");
        match dialect {
            Dialect::Syslog => text,
            _ => syslog(*one, &text),
        }
    };
    let mut lines: Vec<String> = shown(&parcel.content).iter().map(line).collect();
    if let Content::Message(message) = &parcel.content {
        let text = message.subject.replace(['\r', '\n'], " ");
        lines.push(format!("<110>1 {} - chancery - notice - {text}", parcel.created_at));
    }
    Ok(lines)
}

pub(crate) async fn send(network: &Network, address: &Address, parcel: &Parcel) -> Sent {
    let read = match read(&address.definition, &address.secrets) {
        Ok(read) => read,
        Err(error) => return broken(&error),
    };
    let lines = match messages(address, parcel) {
        Ok(lines) => lines,
        Err(error) => return broken(&error),
    };
    let request = json!({
        "address": format!("{}://{}:{}", read.transport, read.target.host, read.target.port),
        "messages": lines.len(),
    });
    let sending = async {
        match read.transport {
            "udp" => datagrams(network, &read.target, &lines).await,
            "tcp" => {
                let stream = read.limits.connect(network, &read.target).await?;
                stream_out(stream, &framed(&lines, read.counting), read.limits.answer).await
            }
            _ => {
                let (limits, tls) = (read.limits, read.tls.clone());
                let stream = limits.connect_tls(network, &read.target, tls).await?;
                stream_out(stream, &framed(&lines, read.counting), limits.answer).await
            }
        }
    };
    match sending.await {
        Ok(()) => Sent { request, ..Sent::default() },
        Err(error) => Sent::failed(request, error),
    }
}

/// RFC 6587 §3.4.1 (and RFC 5425 §4.3): length, blank, message; or a line end behind each.
fn framed(lines: &[String], counting: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        if counting {
            bytes.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
        } else {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
    }
    bytes
}

async fn stream_out(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    bytes: &[u8],
    limit: Duration,
) -> Result<(), SendError> {
    let writing = async {
        stream.write_all(bytes).await?;
        stream.flush().await?;
        stream.shutdown().await
    };
    match tokio::time::timeout(limit, writing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(SendError::new("connection", error.to_string())),
        Err(_) => return Err(SendError::new("timeout", "the receiver does not take what is sent")),
    }
    let mut rest = [0; 512];
    match tokio::time::timeout(CLOSE, stream.read(&mut rest)).await {
        // A missing close_notify is common, and the bytes were taken.
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionReset => {
            Err(SendError::new("connection", "the receiver reset the connection"))
        }
        _ => Ok(()),
    }
}

async fn datagrams(network: &Network, target: &Target, lines: &[String]) -> Result<(), SendError> {
    let socket = network.datagrams(&target.host, target.port).await.map_err(refused)?;
    for line in lines {
        // RFC 5426 §3.2: what is too long is cut by the sender rather than lost on the way.
        let mut end = line.len().min(DATAGRAM_MAX);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let sent = socket.send(&line.as_bytes()[..end]).await;
        sent.map_err(|error| SendError::new("connection", error.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_in_bytes_or_end_with_the_line() {
        let lines = ["<110>1 ü".to_owned(), "b".to_owned()];
        assert_eq!(framed(&lines, true), "9 <110>1 ü1 b".as_bytes());
        assert_eq!(framed(&lines, false), "<110>1 ü\nb\n".as_bytes());
    }
}
