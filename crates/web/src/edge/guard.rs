//! What happens before the handler of a route runs, in this order: the size of the body, who calls,
//! how often, with what permission, and whether a browser was tricked into calling.
//!
//! A request that gets past the guard carries a [`Caller`]. A request that does not is answered
//! with a problem document, or on pages with a page or the way to the login.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use chancery_engine::access::{Answer, Credential, Identity, Refusal};
use chancery_engine::{Client, Context, Secret};
use chancery_event::Origin;
use http_body_util::Limited;

use super::access::{is_for_okta, is_for_programs, is_open_before_password_change};
use super::client::client;
use super::{
    Access, AppState, Caller, LOGIN_PATH, PASSWORD_PATH, Problem, cookie, csrf, idempotency,
};
use crate::api::okta::fault::Fault;

/// Longest form without files, in bytes.
const FORM_MAX: usize = 1024 * 1024;

/// Headers that say one thing: which of two is meant, nobody can know, and whoever stands in front
/// of this program may read the other.
const ONCE: &[&str] =
    &["authorization", "content-type", "idempotency-key", "last-event-id", "x-csrf-token"];

/// What the guard of one route knows.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) state: AppState,
    pub(super) access: Access,
    /// The declared path, with parameters in braces.
    pub(super) route: Arc<str>,
    pub(super) body_max: usize,
}

/// What the guard reads off a request before it looks at anything else.
struct Door {
    method: Method,
    is_safe: bool,
    path: String,
    client: Client,
    /// How long the body says it is, in bytes.
    announced: Option<usize>,
}

impl Door {
    fn origin(&self) -> Origin {
        if is_for_programs(&self.path) { Origin::Api } else { Origin::Ui }
    }
}

/// Reason of a body that is too long.
const TOO_LARGE: &str = "too_large";
/// Routes that take certificates: who sends to them has tried to upload.
const UPLOADS: [&str; 2] = ["/api/v1/certificates", "/certificates/upload"];

/// How long a body says it is (RFC 9110 §8.6).
fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The middleware round every handler.
pub(super) async fn guard(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let back = request
        .uri()
        .path_and_query()
        .filter(|_| request.method() == Method::GET)
        .map(|whole| whole.as_str().to_owned());
    // What stands in boxes is not moved with all the layers around it.
    match Box::pin(gate.admit(request)).await {
        Ok((caller, door, mut request)) => {
            let transaction = caller.context().transaction.to_string();
            request.extensions_mut().insert(caller.clone());
            let mut response =
                Box::pin(idempotency::run(&gate.state, gate.access, &caller, request, next)).await;
            // Only what came in tells how long a body is that did not say so.
            if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let problem = gate.too_large();
                gate.record(&caller, &door, &problem).await;
                response = refusal(problem, &path, back.as_deref());
            }
            if let Ok(value) = transaction.parse() {
                response.headers_mut().insert("x-request-id", value);
            }
            response
        }
        Err(problem) => refusal(problem, &path, back.as_deref()),
    }
}

fn refusal(problem: Problem, path: &str, back: Option<&str>) -> Response {
    if is_for_okta(path) {
        return Fault::from(&problem).into_response();
    }
    if is_for_programs(path) {
        return problem.into_response();
    }
    match problem.reason() {
        "unauthenticated" => {
            let next: String =
                back.map(|back| format!("?next={}", percent(back))).unwrap_or_default();
            Redirect::to(&format!("{LOGIN_PATH}{next}")).into_response()
        }
        "password_change_required" => Redirect::to(PASSWORD_PATH).into_response(),
        _ => problem.page(),
    }
}

/// Percent-encodes everything but unreserved characters and slashes (RFC 3986 §2.3).
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

impl Gate {
    async fn admit(&self, request: Request) -> Result<(Caller, Door, Request), Problem> {
        let announced = announced(request.headers());
        let request = request.map(|body| Body::new(Limited::new(body, self.body_max)));
        for name in ONCE {
            if request.headers().get_all(*name).iter().nth(1).is_some() {
                return Err(Problem::malformed(format!("the header {name} came more than once")));
            }
        }
        let options = &self.state.options;
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let path = request.uri().path().to_owned();
        let client = client(request.headers(), request.extensions(), &options.trusted_proxies);
        let door = Door { method: request.method().clone(), is_safe, path, client, announced };
        let credential = match self.credential(request.headers(), is_safe) {
            Ok(credential) => credential,
            Err(problem) => return Err(self.nobody(&door, true, problem).await),
        };
        let by_bearer = matches!(credential, Some(Credential::Bearer(_)));
        let by_cookie = matches!(credential, Some(Credential::Cookie(_)));
        let caller = match self.caller(credential, &door).await {
            Ok(caller) => caller,
            Err(problem) => return Err(self.nobody(&door, by_bearer, problem).await),
        };
        self.limit_rate(&caller).await?;
        match self.check(&caller, &door, by_bearer, by_cookie, request).await {
            Ok(request) => Ok((caller, door, request)),
            Err(problem) => {
                // Without credentials, looking at a page is on the way to the login.
                if caller.identity().is_some() || !is_safe {
                    self.record(&caller, &door, &problem).await;
                }
                Err(problem)
            }
        }
    }

    /// What the declaration of the route and the origin of the request demand.
    async fn check(
        &self,
        caller: &Caller,
        door: &Door,
        by_bearer: bool,
        by_cookie: bool,
        request: Request,
    ) -> Result<Request, Problem> {
        if let Some(permission) = self.access.permission() {
            if caller.identity().is_some_and(|identity| identity.must_change)
                && !is_open_before_password_change(&door.path)
            {
                return Err(password_first());
            }
            caller.context().require(permission)?;
        }
        if !door.is_safe && !by_bearer {
            same_origin(request.headers(), &self.state.options.public_url)?;
        }
        if door.announced.is_some_and(|length| length > self.body_max) {
            return Err(self.too_large());
        }
        if !door.is_safe && by_cookie {
            let (token, request) = self.form_token(request).await?;
            let given = csrf::uncovered(token.as_deref().unwrap_or_default());
            return if same(&given, caller.csrf()) {
                Ok(request)
            } else {
                Err(forged("the form has no valid csrf token; load the page again"))
            };
        }
        Ok(request)
    }

    /// Credentials that are nobody's: they count against the address they came from. A cookie that
    /// has run out is not worth an event until something is to be written with it.
    async fn nobody(&self, door: &Door, shown: bool, problem: Problem) -> Problem {
        let caller = self.anonymous(door);
        if let Err(limited) = self.limit_rate(&caller).await {
            return limited;
        }
        if shown || !door.is_safe {
            self.record(&caller, door, &problem).await;
        }
        problem
    }

    /// Records a refusal, or an upload that was too long to be read; other problems leave no trace
    /// here.
    async fn record(&self, caller: &Caller, door: &Door, problem: &Problem) {
        let reason = problem.reason();
        if reason == TOO_LARGE && door.method == Method::POST && UPLOADS.contains(&&*self.route) {
            let size = door.announced.unwrap_or(self.body_max) as u64;
            let said = problem.detail.clone().unwrap_or_default();
            let engine = &self.state.engine;
            return engine.refuse_upload(caller.context(), size, TOO_LARGE, said).await;
        }
        let is_refusal = match reason {
            "unauthenticated" | "forbidden" | "forged" => true,
            "password_change_required" => !door.is_safe,
            _ => false,
        };
        if !is_refusal {
            return;
        }
        let refusal = Refusal {
            method: door.method.to_string(),
            route: self.route.to_string(),
            permission: self.access.permission(),
            reason,
            message: problem.detail.clone().unwrap_or_else(|| problem.title.to_owned()),
        };
        if let Err(error) = self.state.engine.note_refusal(caller.context(), refusal).await {
            tracing::warn!(%error, route = %self.route, "a refusal was not recorded");
        }
    }

    /// The body is longer than this route takes.
    fn too_large(&self) -> Problem {
        too_large().with_detail(format!("at most {} bytes", self.body_max))
    }

    /// What the client shows, as far as this route looks at it.
    fn credential(
        &self,
        headers: &HeaderMap,
        is_safe: bool,
    ) -> Result<Option<Credential>, Problem> {
        let cookie = || cookie::session(headers, &self.state.options).map(Credential::Cookie);
        let bearer = headers.get(header::AUTHORIZATION).map(|value| {
            let text = value.to_str().unwrap_or_default();
            let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
            // Collectors of the Okta System Log say SSWS for a token.
            let is_token = scheme.eq_ignore_ascii_case("bearer")
                || scheme.eq_ignore_ascii_case("ssws") && is_for_okta(&self.route);
            (is_token, Secret::new(token.trim().to_owned()))
        });
        Ok(match (self.access, bearer) {
            (Access::Session(_), _) => cookie(),
            (_, Some((true, token))) => Some(Credential::Bearer(token)),
            (Access::Any(_), Some((false, _))) => return Err(Problem::unauthenticated()),
            // A form that is open to everybody is nobody's: it carries no token of a session.
            (Access::Public, _) if !is_safe => None,
            _ => cookie(),
        })
    }

    fn anonymous(&self, door: &Door) -> Caller {
        let environment = self.state.engine.environment();
        Caller::anonymous(Context::anonymous(environment, door.origin(), door.client.clone()))
    }

    async fn caller(&self, credential: Option<Credential>, door: &Door) -> Result<Caller, Problem> {
        let Some(credential) = credential else { return Ok(self.anonymous(door)) };
        let engine = &self.state.engine;
        let found: Result<Identity, _> =
            engine.authenticate(&credential, door.origin(), door.client.clone()).await;
        match found {
            Ok(identity) => Ok(Caller::known(identity)),
            Err(_) if self.access == Access::Public => Ok(self.anonymous(door)),
            Err(error) => Err(error.into()),
        }
    }

    async fn limit_rate(&self, caller: &Caller) -> Result<(), Problem> {
        let (engine, limiter) = (&self.state.engine, &self.state.limiter);
        if limiter.per_minute() == 0 {
            return Ok(());
        }
        let key = match caller.identity() {
            Some(_) => caller.key(),
            None => caller.context().client.ip.clone().unwrap_or_default(),
        };
        match limiter.take(&key, engine.environment().now()) {
            Answer::Allowed => Ok(()),
            Answer::Refused { seconds, first } => {
                if first
                    && let Err(error) =
                        engine.note_rate_limit(caller.context(), "request", limiter).await
                {
                    tracing::warn!(%error, "a rate limit was not recorded");
                }
                Err(chancery_engine::Error::RateLimited { seconds }.into())
            }
        }
    }

    /// The token a request carries: in its header, or in the field `csrf` of its form. The body is
    /// put back for the handler.
    async fn form_token(&self, request: Request) -> Result<(Option<String>, Request), Problem> {
        if let Some(value) = request.headers().get("x-csrf-token") {
            let token = value.to_str().ok().map(str::to_owned);
            return Ok((token, request));
        }
        let media_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split(';').next())
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let limit = match media_type.as_str() {
            "application/x-www-form-urlencoded" => FORM_MAX.min(self.body_max),
            "multipart/form-data" => self.body_max,
            _ => return Ok((None, request)),
        };
        let (parts, body) = request.into_parts();
        let bytes = read(body, limit).await?;
        let again = || {
            let mut request = Request::new(Body::from(bytes.clone()));
            *request.method_mut() = parts.method.clone();
            *request.uri_mut() = parts.uri.clone();
            *request.headers_mut() = parts.headers.clone();
            request
        };
        let token = if media_type == "multipart/form-data" {
            token_of_parts(again()).await?
        } else {
            form_field(&bytes, "csrf")
        };
        Ok((token, Request::from_parts(parts, Body::from(bytes))))
    }
}

/// The whole body, `limit` bytes at most.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    axum::body::to_bytes(body, limit).await.map_err(|error| {
        use std::error::Error as _;
        let is_long = |error: &(dyn std::error::Error + 'static)| {
            error.is::<http_body_util::LengthLimitError>()
        };
        let mut cause = error.source();
        while let Some(inner) = cause {
            if is_long(inner) {
                return too_large();
            }
            cause = inner.source();
        }
        Problem::malformed("the body ended early")
    })
}

async fn token_of_parts(request: Request) -> Result<Option<String>, Problem> {
    let unreadable = |error: &dyn std::fmt::Display| Problem::malformed(error.to_string());
    let mut parts =
        Multipart::from_request(request, &()).await.map_err(|error| unreadable(&error))?;
    while let Some(field) = parts.next_field().await.map_err(|error| unreadable(&error))? {
        if field.name() == Some("csrf") {
            return field.text().await.map(Some).map_err(|error| unreadable(&error));
        }
    }
    Ok(None)
}

fn form_field(bytes: &Bytes, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(bytes);
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

fn same(given: &str, expected: &str) -> bool {
    !expected.is_empty()
        && aws_lc_rs::constant_time::verify_slices_are_equal(given.as_bytes(), expected.as_bytes())
            .is_ok()
}

/// Refuses what a browser sends on behalf of another site. Clients that say nothing pass: they are
/// no browsers of today, and the token is asked for besides.
fn same_origin(headers: &HeaderMap, public_url: &str) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some("same-origin" | "none") => return Ok(()),
        Some(_) => return Err(forged("the request was made by another site")),
        None => {}
    }
    let Some(origin) = text("origin") else { return Ok(()) };
    let host = origin.split_once("://").map(|(_, host)| host);
    if origin == public_url || (host.is_some() && host == text("host")) {
        return Ok(());
    }
    Err(forged("the request was made by another site"))
}

fn forged(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forged", "The request may be forged").with_detail(detail)
}

fn password_first() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "password_change_required",
        "The password must be changed first",
    )
}

pub(super) fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE, "The body is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &str)], passes: bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let answer = same_origin(&map, "https://chancery.example");
        assert_eq!(answer.is_ok(), passes, "{headers:?}");
    }

    #[test]
    fn browsers_of_other_sites_are_refused() {
        check(&[], true);
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[("sec-fetch-site", "none")], true);
        check(&[("sec-fetch-site", "same-site")], false);
        check(&[("sec-fetch-site", "cross-site"), ("origin", "https://chancery.example")], false);
        check(&[("origin", "https://chancery.example"), ("host", "inner:8080")], true);
        check(&[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")], true);
        check(&[("origin", "https://evil.example"), ("host", "chancery.example")], false);
        check(&[("origin", "null"), ("host", "chancery.example")], false);
    }

    #[test]
    fn the_token_of_a_form_is_found_wherever_it_stands() {
        let field = |body: &'static str| form_field(&Bytes::from_static(body.as_bytes()), "csrf");
        let long = format!("ca={}&csrf=tok", "%41".repeat(100_000));
        assert_eq!(form_field(&Bytes::from(long), "csrf").as_deref(), Some("tok"));
        assert_eq!(field("a=1&csrf=x%2By&b=2").as_deref(), Some("x+y"));
        assert_eq!(field("csrf=first&csrf=second").as_deref(), Some("first"));
        assert_eq!(field("a=1"), None);
        assert!(!same("", ""));
        assert!(same("abc", "abc"));
    }

    #[test]
    fn the_way_back_is_encoded() {
        assert_eq!(percent("/events?q=a b&x=ü"), "/events%3Fq%3Da%20b%26x%3D%C3%BC");
    }
}
