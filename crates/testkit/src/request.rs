//! Requests to a test server, and what it answers.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt as _;

/// A request that is being put together.
#[must_use = "a call is made by sending it"]
pub struct Call {
    router: Router,
    request: Request<Body>,
}

impl Call {
    pub(crate) fn new(router: Router, method: Method, path: &str) -> Self {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { router, request }
    }

    /// With a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = value.parse().expect("a header value");
        self.request.headers_mut().append(name, value);
        self
    }

    /// With a bearer token.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With a body of some media type.
    pub fn body(self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let mut call = self.header("content-type", media_type);
        *call.request.body_mut() = Body::from(bytes.into());
        call
    }

    /// With a JSON body.
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// With a form, already encoded.
    pub fn form(self, encoded: &str) -> Self {
        self.body("application/x-www-form-urlencoded", encoded)
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Answer {
        let response = self.open().await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a whole body");
        Answer { status: parts.status, headers: parts.headers, bytes: bytes.to_vec() }
    }

    /// Sends it and answers as soon as the answer begins: for streams.
    pub async fn open(self) -> axum::response::Response {
        match self.router.oneshot(self.request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The same answer, if it has this status.
    ///
    /// # Panics
    /// It has another one.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// It is something else.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A header as text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The stable word of a problem document.
    ///
    /// # Panics
    /// The body is no problem document.
    pub fn reason(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let kind = self.json()["type"].as_str().unwrap_or_default().to_owned();
        let prefix = "urn:chancery:problem:";
        kind.strip_prefix(prefix).unwrap_or_else(|| panic!("{kind}")).to_owned()
    }
}
