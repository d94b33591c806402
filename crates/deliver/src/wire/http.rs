//! HTTP/1.1 requests over connections that the engine's door opened.
//!
//! Limits: those of the destination for connection and handshake and from the request to the head
//! of the answer, [`BODY_MAX`] bytes of its body, which is read so that the connection can be used
//! again, or more where it says what became of each record; it is never kept. A redirect is an
//! answer like any other: it is never followed. Connections are kept for a while, each for its own
//! destination and version alone, and judged anew when they are opened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use chancery_engine::delivery::{Fetched, SendError, Sent};
use chancery_engine::net::{NetError, Network};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use serde_json::{Map, Value, json};

use super::address::Target;
use super::limits::Limits;

/// From the request to the head of the answer, in seconds, where a destination says nothing.
pub(crate) const ANSWER: i64 = 20;
/// For what follows the head, of which nothing is needed.
const DRAIN: Duration = Duration::from_secs(5);
/// For a body that is wanted.
const READ: Duration = Duration::from_secs(60);
/// Bytes of an answer's body that are read before the connection is dropped.
const BODY_MAX: usize = 65_536;
/// Bytes of an answer's head that are kept.
const HEAD_MAX: usize = 8_192;
/// A connection that was idle for longer is not used again.
const IDLE: Duration = Duration::from_secs(30);
/// Connections kept for one destination.
const KEPT_MAX: usize = 64;

type Connection = SendRequest<Full<Bytes>>;

/// Which connections may be used for which request: destination, version, host.
type Key = (String, i64, String);

/// Opens and keeps connections.
pub(crate) struct Client {
    network: Network,
    idle: Mutex<HashMap<Key, Vec<(Connection, Instant)>>>,
}

/// A request, ready to be sent.
pub(crate) struct Call {
    /// Name and version of the destination.
    pub(crate) owner: (String, i64),
    pub(crate) target: Target,
    pub(crate) method: http::Method,
    pub(crate) headers: Vec<(String, String)>,
    /// Headers whose values are not shown.
    pub(crate) secret_headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) tls: Arc<ClientConfig>,
    /// The path holds a secret.
    pub(crate) path_is_secret: bool,
    pub(crate) limits: Limits,
}

/// The body of an answer, as far as it was read.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) bytes: Vec<u8>,
    /// It was read to its end.
    pub(crate) is_whole: bool,
}

impl Client {
    pub(crate) fn new(network: Network) -> Self {
        Self { network, idle: Mutex::new(HashMap::new()) }
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Sends a request once.
    pub(crate) async fn send(&self, call: Call) -> Sent {
        let patience = call.limits.answer.min(DRAIN);
        self.exchange(call, BODY_MAX, patience).await.0
    }

    /// Sends a request once; answers the body as well, up to `body_max` bytes and for `patience`
    /// after its head, for the sender to look at. It is nobody's else.
    pub(crate) async fn exchange(
        &self,
        call: Call,
        body_max: usize,
        patience: Duration,
    ) -> (Sent, Said) {
        let request_head = shown_request(&call);
        let failed =
            |error: SendError| (Sent::failed(request_head.clone(), error), Said::default());
        let request = match request(&call) {
            Ok(request) => request,
            Err(error) => return failed(error),
        };
        let key = (call.owner.0.clone(), call.owner.1, call.target.origin());
        let mut connection = match self.connection(&key, &call).await {
            Ok(connection) => connection,
            Err(error) => return failed(error),
        };
        let limit = call.limits.answer;
        let asked = tokio::time::timeout(limit, connection.send_request(request)).await;
        let response = match asked {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let message = format!("{}: {}", call.target.origin(), chain(&error));
                return failed(SendError::new("connection", message));
            }
            Err(_) => {
                let message = format!("{} does not answer in time", call.target.origin());
                return failed(SendError::new("timeout", message));
            }
        };
        let (head, body) = response.into_parts();
        let said = drained(body, body_max, patience).await;
        if said.is_whole && connection.is_ready() {
            self.keep(key, connection);
        }
        let failure = failure(head.status, &head.headers);
        let sent = Sent {
            failure,
            status: Some(head.status.as_u16()),
            request: request_head,
            response: shown_response(head.status, &head.headers),
            ..Sent::default()
        };
        (sent, said)
    }

    /// Sends a request once and reads what comes back, up to `body_max` bytes.
    pub(crate) async fn fetch_page(
        &self,
        call: Call,
        body_max: usize,
    ) -> Result<Fetched, SendError> {
        let request = request(&call)?;
        let key = (call.owner.0.clone(), call.owner.1, call.target.origin());
        let mut connection = self.connection(&key, &call).await?;
        let origin = call.target.origin();
        let late = |_| SendError::new("timeout", format!("{origin} does not answer in time"));
        let broken = |error: hyper::Error| {
            SendError::new("connection", format!("{origin}: {}", chain(&error)))
        };
        let asked = tokio::time::timeout(call.limits.answer, connection.send_request(request));
        let (head, mut body) = asked.await.map_err(late)?.map_err(broken)?.into_parts();
        let mut bytes = Vec::new();
        let reading = async {
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(broken)?;
                bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                if bytes.len() > body_max {
                    let message = format!("{origin}: its answer is longer than {body_max} bytes");
                    return Err(SendError::new("body_too_long", message));
                }
            }
            Ok(())
        };
        tokio::time::timeout(READ, reading).await.map_err(late)??;
        if connection.is_ready() {
            self.keep(key, connection);
        }
        let shown = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter().map(|(n, v)| (n.as_str().to_owned(), shown(v)));
        Ok(Fetched { status: head.status.as_u16(), headers: headers.collect(), body: bytes })
    }

    /// Sends a request once and answers with what came back, `limit` bytes at most.
    pub(crate) async fn fetch(
        &self,
        call: Call,
        limit: usize,
    ) -> Result<(StatusCode, Vec<u8>), SendError> {
        let request = request(&call)?;
        let key = (call.owner.0.clone(), call.owner.1, call.target.origin());
        let mut connection = self.connection(&key, &call).await?;
        let origin = call.target.origin();
        let late = || SendError::new("timeout", format!("{origin} does not answer in time"));
        let broken = |error: &hyper::Error| {
            SendError::new("connection", format!("{origin}: {}", chain(error)))
        };
        let patience = call.limits.answer;
        let asked = tokio::time::timeout(patience, connection.send_request(request)).await;
        let response = asked.map_err(|_| late())?.map_err(|error| broken(&error))?;
        let (head, body) = response.into_parts();
        let whole = http_body_util::Limited::new(body, limit).collect();
        let read = tokio::time::timeout(patience, whole).await.map_err(|_| late())?;
        let read = read.map_err(|error| SendError::new("body", format!("{origin}: {error}")))?;
        if connection.is_ready() {
            self.keep(key, connection);
        }
        Ok((head.status, read.to_bytes().to_vec()))
    }

    async fn connection(&self, key: &Key, call: &Call) -> Result<Connection, SendError> {
        loop {
            let kept = {
                // One insertion or removal: a panic elsewhere leaves nothing half done.
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.get_mut(key).and_then(Vec::pop)
            };
            match kept {
                None => break,
                Some((connection, since)) if since.elapsed() < IDLE && connection.is_ready() => {
                    return Ok(connection);
                }
                Some(_) => {}
            }
        }
        let target = &call.target;
        let broken = |error: hyper::Error| SendError::new("connection", error.to_string());
        if target.tls {
            let stream = call.limits.connect_tls(&self.network, target, call.tls.clone()).await?;
            let (sender, driver) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
            tokio::spawn(driver);
            Ok(sender)
        } else {
            let stream = call.limits.connect(&self.network, target).await?;
            let (sender, driver) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
            tokio::spawn(driver);
            Ok(sender)
        }
    }

    fn keep(&self, key: Key, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // Connections of destinations that send no more go with time.
        if idle.len() > 1_024 {
            idle.retain(|_, kept| kept.iter().any(|(_, since)| since.elapsed() < IDLE));
        }
        let kept = idle.entry(key).or_default();
        if kept.len() < KEPT_MAX {
            kept.push((connection, Instant::now()));
        }
    }
}

/// A failure of the door in the words of an attempt.
pub(crate) fn refused(error: NetError) -> SendError {
    let word = match error {
        NetError::Refused { .. } => "refused_address",
        NetError::Unresolved { .. } => "unresolved",
        NetError::Unreachable { .. } => "unreachable",
    };
    SendError::new(word, error.to_string())
}

fn chain(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn request(call: &Call) -> Result<Request<Full<Bytes>>, SendError> {
    let wrong = |what: &str| SendError::new("request", what.to_owned());
    let mut request = Request::new(Full::new(Bytes::from(call.body.clone())));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = call.target.path.parse().map_err(|_| wrong("the path is not usable"))?;
    let headers = request.headers_mut();
    let mut add = |name: &str, value: &str| {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("a header's name"))?;
        let value = HeaderValue::from_str(value).map_err(|_| wrong("a header's value"))?;
        headers.insert(name, value);
        Ok(())
    };
    add("host", &call.target.host_header())?;
    add("user-agent", concat!("Chancery/", env!("CARGO_PKG_VERSION")))?;
    for (name, value) in call.headers.iter().chain(&call.secret_headers) {
        add(name, value)?;
    }
    Ok(request)
}

/// Reads a body up to its limits.
async fn drained(mut body: hyper::body::Incoming, most: usize, patience: Duration) -> Said {
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            if bytes.len() > most {
                return false;
            }
        }
        true
    };
    let is_whole = tokio::time::timeout(patience, reading).await.unwrap_or(false);
    Said { bytes, is_whole }
}

/// `Retry-After` in seconds from now: a number of them, or a date (RFC 9110 section 10.2.3).
fn retry_after(text: &str, now: SystemTime) -> Option<i64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let wait = httpdate::parse_http_date(text).ok()?.duration_since(now).ok()?;
    i64::try_from(wait.as_secs()).ok()
}

/// Why an answer is no success.
fn failure(status: StatusCode, headers: &HeaderMap) -> Option<SendError> {
    if status.is_success() {
        return None;
    }
    let mut message = format!("the receiver answered {status}");
    if status.is_redirection() {
        message.push_str(": redirects are not followed");
    }
    let word = if status == StatusCode::GONE { "gone" } else { "status" };
    let retry_after_s = headers
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| retry_after(text.trim(), SystemTime::now()))
        .filter(|seconds| *seconds > 0);
    Some(SendError {
        retry_after_s,
        gone: status == StatusCode::GONE,
        ..SendError::new(word, message)
    })
}

fn shown_request(call: &Call) -> Value {
    let mut headers = Map::new();
    for (name, value) in &call.headers {
        headers.insert(name.clone(), value.clone().into());
    }
    for (name, _) in &call.secret_headers {
        headers.insert(name.clone(), "…".into());
    }
    let path = if call.path_is_secret { "/…" } else { &call.target.path };
    json!({
        "method": call.method.as_str(),
        "address": format!("{}{path}", call.target.origin()),
        "headers": headers,
        "bytes": call.body.len(),
    })
}

fn shown_response(status: StatusCode, headers: &HeaderMap) -> Value {
    let mut shown = Map::new();
    let mut size = 0;
    for (name, value) in headers {
        // A session of the receiver's is nobody's business here.
        let secret = matches!(name.as_str(), "set-cookie" | "www-authenticate" | "authorization");
        let text = if secret {
            "…".to_owned()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        size += name.as_str().len() + text.len();
        if size > HEAD_MAX {
            break;
        }
        shown.insert(name.as_str().to_owned(), text.into());
    }
    json!({ "status": status.as_u16(), "headers": shown })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_seconds_or_as_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (text, expected) in [
            ("60", Some(60)),
            ("Sun, 06 Nov 1994 09:49:37 GMT", Some(3_600)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now), expected, "{text}");
        }
    }
}
