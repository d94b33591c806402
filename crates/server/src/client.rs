//! A client of the REST API of a running server, for the command line.
//!
//! It says what was tried and what the server answered, in the server's words: problem documents
//! (RFC 9457) become one line. It follows no redirects, so that a token never reaches another host.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, anyhow, bail, ensure};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response, StatusCode, Url};
use serde_json::Value;

use crate::cli::GlobalArguments;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may be silent.
const READ_TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes of an error's body that are looked at.
const PROBLEM_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A server and the right to talk to it.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

/// The parameters of a query.
pub type Query<'a> = [(&'a str, String)];

/// What is sent.
pub enum Body {
    /// Nothing.
    None,
    /// A JSON document.
    Json(Value),
    /// Bytes of a media type.
    Bytes(Vec<u8>, &'static str),
}

/// The plain HTTP client of all commands.
///
/// # Errors
/// The TLS of this machine cannot be used.
pub fn http() -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
        .build()
        .context("cannot set up HTTP")
}

/// An address as somebody types it.
///
/// # Errors
/// It is not one of HTTP.
pub fn address(text: &str) -> Result<Url> {
    let url: Url = text.parse().with_context(|| {
        format!("{text} is not an address such as https://chancery.example.org")
    })?;
    ensure!(
        matches!(url.scheme(), "http" | "https") && url.has_host(),
        "{text} is not an address such as https://chancery.example.org"
    );
    Ok(url)
}

/// The error of a request that got no answer.
pub fn unreachable(url: &Url, error: reqwest::Error) -> Error {
    let connecting = error.is_connect();
    let error = error.without_url();
    // The innermost cause is the one people know: refused, timed out, unknown host, certificate.
    let mut cause = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        cause = inner.to_string();
        source = inner.source();
    }
    let place = format!("{}://{}", url.scheme(), url.authority());
    match connecting {
        true => anyhow!("cannot reach {place}: {cause}; is the server running there?"),
        false => anyhow!("{place} did not answer {}: {cause}", url.path()),
    }
}

/// The error of a request that was refused, in the words of the server.
pub async fn refusal(url: &Url, mut response: Response) -> Error {
    let status = response.status();
    if status.is_redirection() {
        let to = response.headers().get("location").and_then(|to| to.to_str().ok());
        return anyhow!(
            "{url} redirects to {}: give that address if it is meant",
            to.unwrap_or("nowhere")
        );
    }
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > PROBLEM_BYTES_MAX {
            break;
        }
    }
    let problem = serde_json::from_slice(&bytes).unwrap_or_default();
    Refusal { path: url.path().to_owned(), status, problem }.into()
}

/// A request that the server refused.
#[derive(Debug)]
pub struct Refusal {
    path: String,
    /// The status of the answer.
    pub status: StatusCode,
    /// The problem document (RFC 9457); `null` where the answer was none.
    pub problem: Value,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = told(&self.problem).unwrap_or_else(|| "it gives no reason".to_owned());
        let hint = match self.status {
            StatusCode::UNAUTHORIZED => "; give a valid token by CHANCERY_TOKEN or --token",
            _ => "",
        };
        write!(f, "the server refused {} ({}): {said}{hint}", self.path, self.status)
    }
}

impl std::error::Error for Refusal {}

/// Whether the same request would be refused again: the fault is the caller's, and no lack of
/// time.
pub fn is_final(error: &Error) -> bool {
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    error
        .downcast_ref::<Refusal>()
        .is_some_and(|found| found.status.is_client_error() && !passing.contains(&found.status))
}

/// The stable word of a problem document.
pub fn code(problem: &Value) -> Option<&str> {
    let text = problem.get("type").and_then(Value::as_str)?;
    text.strip_prefix("urn:chancery:problem:")
}

/// What a problem document says, in one line.
pub fn told(document: &Value) -> Option<String> {
    let member = |name: &str| document.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let mut text = match (member("title"), member("detail")) {
        (Some(title), Some(detail)) => format!("{title}: {detail}"),
        (title, detail) => title.or(detail)?.to_owned(),
    };
    // Details say most of it already.
    if let Some(suggestion) = member("suggestion").filter(|_| !text.contains("did you mean")) {
        text = format!("{text} (did you mean {suggestion}?)");
    }
    if let Some(existing) = member("existing").filter(|existing| !text.contains(existing)) {
        text = format!("{text} (it is {existing})");
    }
    Some(crate::command::text::plain(&text))
}

impl Client {
    /// A client of the server that the command line names.
    ///
    /// # Errors
    /// None is named, or not by an address.
    pub fn new(global: &GlobalArguments) -> Result<Self> {
        let Some(server) = &global.server else {
            bail!("name the server to talk to: --server URL, or the variable CHANCERY_URL");
        };
        let mut base = address(server)?;
        base.set_query(None);
        base.set_fragment(None);
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { http: http()?, base, token: global.token.clone() })
    }

    fn url(&self, path: &str, query: &Query<'_>) -> Result<Url> {
        let mut url = self.base.join(&format!("api/v1/{path}"))?;
        let given = query.iter().filter(|(_, value)| !value.is_empty());
        let mut given = given.peekable();
        if given.peek().is_some() {
            url.query_pairs_mut().extend_pairs(given);
        }
        Ok(url)
    }

    /// Sends a request below `/api/v1/`; answers what is no error. Empty parameters are left out.
    ///
    /// # Errors
    /// The server was not reached, or refused.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        query: &Query<'_>,
        body: Body,
        headers: &[(&'static str, String)],
    ) -> Result<Response> {
        let url = self.url(path, query)?;
        let mut request = self.http.request(method, url.clone()).header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = match body {
            Body::None => request,
            Body::Json(document) => request.json(&document),
            Body::Bytes(bytes, media_type) => request.header(CONTENT_TYPE, media_type).body(bytes),
        };
        let response = request.send().await.map_err(|error| unreachable(&url, error))?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(refusal(&url, response).await),
        }
    }

    /// The JSON document at `path`.
    ///
    /// # Errors
    /// As [`Client::send`], or the answer is not JSON.
    pub async fn get(&self, path: &str, query: &Query<'_>) -> Result<Value> {
        document(self.send(Method::GET, path, query, Body::None, &[]).await?).await
    }

    /// Sends `body` to `path`; answers the status and the document.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(
        &self,
        path: &str,
        query: &Query<'_>,
        body: Body,
    ) -> Result<(StatusCode, Value)> {
        let response = self.send(Method::POST, path, query, body, &[]).await?;
        Ok((response.status(), document(response).await?))
    }

    /// Items of a list, page by page, `limit` at most.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn list(&self, path: &str, query: &Query<'_>, limit: u64) -> Result<Vec<Value>> {
        let mut items: Vec<Value> = Vec::new();
        let mut cursor = String::new();
        loop {
            let left = limit.saturating_sub(items.len() as u64).min(1_000);
            if left == 0 {
                return Ok(items);
            }
            let mut query = query.to_vec();
            query.push(("limit", left.to_string()));
            query.push(("cursor", cursor));
            let mut page = self.get(path, &query).await?;
            match page.get_mut("items").map(Value::take) {
                Some(Value::Array(found)) => items.extend(found),
                _ => bail!("{} is not a Chancery server this program knows", self.base),
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = next.to_owned(),
                None => return Ok(items),
            }
        }
    }
}

async fn document(response: Response) -> Result<Value> {
    let url = response.url().clone();
    let bytes = response.bytes().await.map_err(|error| unreachable(&url, error))?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes)
        .with_context(|| format!("{url} does not answer with JSON: is it a Chancery server?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(server: &str) -> Result<Client> {
        Client::new(&GlobalArguments { server: Some(server.into()), ..GlobalArguments::default() })
    }

    #[test]
    fn addresses_keep_their_folder_and_queries_are_escaped() {
        let check = |server: &str, query: &Query<'_>, expected: &str| {
            let url = client(server).unwrap().url("events", query).unwrap();
            assert_eq!(url.as_str(), expected);
        };
        check("http://a", &[], "http://a/api/v1/events");
        check("https://a:8443/pki", &[], "https://a:8443/pki/api/v1/events");
        let query = [("filter", "a<3 \"b&c\"".to_owned()), ("cursor", String::new())];
        check("http://a/", &query, "http://a/api/v1/events?filter=a%3C3+%22b%26c%22");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for server in ["", "a.example", "ftp://a", "http://", "file:///etc"] {
            assert!(client(server).is_err(), "{server}");
        }
    }

    #[test]
    fn problems_are_told_in_one_line() {
        let check = |document: &str, expected: Option<&str>| {
            let document = serde_json::from_str(document).unwrap_or_default();
            assert_eq!(told(&document).as_deref(), expected);
        };
        check(r#"{"title":"No","detail":"not so"}"#, Some("No: not so"));
        check(r#"{"title":"No"}"#, Some("No"));
        check(
            r#"{"title":"Unknown field","suggestion":"type"}"#,
            Some("Unknown field (did you mean type?)"),
        );
        check(
            r#"{"title":"Unknown","detail":"did you mean “type”?","suggestion":"type"}"#,
            Some("Unknown: did you mean “type”?"),
        );
        check(r#"{"title":"Known","existing":"a-1"}"#, Some("Known (it is a-1)"));
        check(
            r#"{"title":"Known","detail":"it is there: a-1","existing":"a-1"}"#,
            Some("Known: it is there: a-1"),
        );
        check(r#"{"title":"a\u001b[2J"}"#, Some("a\u{fffd}[2J"));
        check("{}", None);
        check("<html>", None);
    }
}
