//! `Idempotency-Key` on writes of the API, whatever their method: a repeated request gets the first
//! answer. What only reads (searches, previews, dry runs) may be repeated anyway, and its answer is
//! not kept: it may be long, and tell of people.
//!
//! The handler runs in a task of its own, so that a client that goes away does not leave a claimed
//! key behind. Answers of the kind "try again" (429 and 5xx) free the key. An answer that holds a
//! secret is marked [`Unrepeatable`] by its handler: it is never stored, nor is one of more than
//! 64 KiB, and a repetition is told so.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chancery_engine::Permission;
use chancery_engine::idempotency::{Claim, Stored};
use futures::stream::{self, StreamExt as _};
use serde_json::{Map, Value};

use super::guard::read;
use super::{Access, AppState, Caller, Problem};

/// Longest key, in characters.
const KEY_MAX: usize = 255;
/// Longest answer that is stored, in bytes.
const ANSWER_MAX: usize = 64 * 1024;
const REPLAYED: &str = "idempotency-replayed";
/// Headers of an answer that are repeated.
const KEPT: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::LOCATION, header::ETAG, header::WWW_AUTHENTICATE];

/// Marks an answer that holds a secret: it is told once, and never stored.
#[derive(Clone, Copy, Debug)]
pub struct Unrepeatable;

/// Runs the handler, or repeats what it answered before.
pub(super) async fn run(
    state: &AppState,
    access: Access,
    caller: &Caller,
    request: Request,
    next: Next,
) -> Response {
    let key = match key(&request) {
        Ok(Some(key)) if caller.identity().is_some() && changes(access) => key,
        Ok(_) => return next.run(request).await,
        Err(problem) => return problem.into_response(),
    };
    match keyed(state, caller, key, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

/// Whether a route of this access changes anything that is worth doing once.
fn changes(access: Access) -> bool {
    access.permission().is_some_and(|permission| {
        permission != Permission::AutomationTry && !permission.as_str().ends_with(":read")
    })
}

fn key(request: &Request) -> Result<Option<String>, Problem> {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_safe || !request.uri().path().starts_with("/api/") {
        return Ok(None);
    }
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text.is_empty() || text.len() > KEY_MAX {
        let message = format!("Idempotency-Key: 1 to {KEY_MAX} visible ASCII characters");
        return Err(Problem::malformed(message));
    }
    Ok(Some(text.to_owned()))
}

async fn keyed(
    state: &AppState,
    caller: &Caller,
    key: String,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let engine = state.engine.clone();
    let (parts, body) = request.into_parts();
    let bytes = read(body, usize::MAX).await?;
    let value = |name| parts.headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    let digest = engine.request_digest(&[
        parts.method.as_str().as_bytes(),
        parts.uri.path().as_bytes(),
        parts.uri.query().unwrap_or_default().as_bytes(),
        value(header::CONTENT_TYPE),
        value(header::IF_MATCH),
        &bytes,
    ]);
    match engine.claim_key(caller.context(), &key, digest).await? {
        Claim::Granted => {}
        Claim::Answered(stored) => return replay(stored),
        Claim::InProgress => {
            let mut problem = Problem::new(
                StatusCode::CONFLICT,
                "in_progress",
                "The same request is still at work",
            );
            problem.retry_after = Some(1);
            return Err(problem);
        }
        Claim::OtherRequest => {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key_reused",
                "The idempotency key came with another request",
            ));
        }
    }
    let request = Request::from_parts(parts, Body::from(bytes));
    let context = caller.context().clone();
    let task = tokio::spawn(async move {
        let response = next.run(request).await;
        let (response, stored) = capture(response).await;
        let kept = match stored {
            Some(stored) => engine.keep_answer(&context, &key, stored).await,
            None => engine.release_key(&context, &key).await,
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "the answer to an idempotent request was not kept");
        }
        response
    });
    task.await.map_err(|_| Problem::internal())
}

/// Takes what is to be stored out of an answer; `None`: the request may be sent again.
async fn capture(response: Response) -> (Response, Option<Stored>) {
    let status = response.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return (response, None);
    }
    let is_secret = response.extensions().get::<Unrepeatable>().is_some();
    let (parts, body) = response.into_parts();
    let (bytes, rest) = match beginning(body).await {
        Ok(read) => read,
        Err(_) => return (Problem::internal().into_response(), None),
    };
    if let Some(rest) = rest {
        let stored = not_kept("The request was done, and its answer is too long to be repeated");
        return (Response::from_parts(parts, rest), Some(stored));
    }
    let stored = if is_secret {
        not_kept("The request was done, and its answer held a secret that is told once")
    } else {
        let headers: Map<String, Value> = KEPT
            .iter()
            .filter_map(|name| Some((name, parts.headers.get(name)?.to_str().ok()?)))
            .map(|(name, value)| (name.to_string(), value.into()))
            .collect();
        Stored {
            status: status.as_u16(),
            headers: Value::Object(headers).to_string(),
            body: bytes.clone(),
        }
    };
    (Response::from_parts(parts, Body::from(bytes)), Some(stored))
}

/// Reads a body that is not too long to be kept; the whole of one that is comes back unread.
async fn beginning(body: Body) -> Result<(Vec<u8>, Option<Body>), axum::Error> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await.transpose()? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER_MAX {
            let read = stream::iter([Ok(Bytes::from(bytes))]);
            return Ok((Vec::new(), Some(Body::from_stream(read.chain(chunks)))));
        }
    }
    Ok((bytes, None))
}

/// What a repetition gets where the first answer is not kept.
fn not_kept(why: &'static str) -> Stored {
    let problem = Problem::new(StatusCode::CONFLICT, "answer_not_repeatable", why);
    Stored {
        status: problem.status.as_u16(),
        headers: serde_json::json!({ "content-type": super::PROBLEM_JSON }).to_string(),
        body: serde_json::to_vec(&problem).unwrap_or_default(),
    }
}

fn replay(stored: Stored) -> Result<Response, Problem> {
    let status = StatusCode::from_u16(stored.status).map_err(|_| Problem::internal())?;
    let headers: Map<String, Value> =
        serde_json::from_str(&stored.headers).map_err(|_| Problem::internal())?;
    let mut map = HeaderMap::new();
    for (name, value) in &headers {
        let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
        if let (Ok(name), Some(value)) = (name.parse::<HeaderName>(), value) {
            map.insert(name, value);
        }
    }
    map.insert(HeaderName::from_static(REPLAYED), HeaderValue::from_static("true"));
    Ok((status, map, stored.body).into_response())
}
