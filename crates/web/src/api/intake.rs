//! `/intake/{source}`: where events of other systems come in.
//!
//! One address for each source, in the dialect that the source speaks: CloudEvents in all three
//! modes with the handshake of their webhook specification, Okta event hooks with their
//! verification, Akeyless, Horizon, CZERTAINLY, and lines of syslog, CEF and LEEF over HTTP. The
//! secret of the source comes as a bearer token, as the password of basic authentication, in
//! `x-intake-token`, in `authorization` bare (Okta's static header), or as `access_token` in the
//! address. Whoever does not have it learns nothing, not even which sources there are.

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_engine::Engine;
use chancery_engine::access::Refusal;
use chancery_engine::intake::{BODIES_PER_MINUTE, Sender, Taken};
use chancery_event::Dialect;
use chancery_event::dialect::{Foreign, Unreadable};
use serde_json::json;

use crate::edge::{Access, AppState, Caller, Json, Problem, Raw, Routes};

/// Adds the routes. The guard lets everybody through to them: they have credentials of their own.
pub(super) fn add(routes: &mut Routes) {
    let path = "/intake/{source}";
    routes.add(Method::POST, path, Access::Public, receive);
    routes.add(Method::GET, path, Access::Public, verify);
    routes.add(Method::OPTIONS, path, Access::Public, handshake);
}

async fn receive(
    State(state): State<AppState>,
    Path(source): Path<String>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    // The body of a request cannot be shared while something is waited for.
    let (given, headers) = (secret(&request), request.headers().clone());
    let sender = sender(&state.engine, &source, &caller, given).await?;
    let Raw(body) = Raw::from_request(request, &state).await?;
    let events = match read(sender.dialect(), &headers, &body) {
        Ok(events) => events,
        Err(problem) => {
            state.engine.refuse_body(&sender, &problem, body.len()).await?;
            return Err(Problem::malformed(problem.to_string()));
        }
    };
    let Taken { accepted, repeated, unknown } = state.engine.take_in(&sender, events).await?;
    let body = json!({ "accepted": accepted, "repeated": repeated, "unknown": unknown });
    Ok((StatusCode::OK, Json(body)).into_response())
}

/// The events of a body. CloudEvents say in the content type which of their modes they are in.
fn read(dialect: Dialect, headers: &HeaderMap, body: &Bytes) -> Result<Vec<Foreign>, Unreadable> {
    let is_binary = dialect == Dialect::CloudEvents && headers.contains_key("ce-specversion");
    if is_binary {
        let pairs =
            headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        return Dialect::parse_binary(pairs, body).map(|event| vec![event]);
    }
    dialect.parse(body)
}

/// Okta's one-time verification of an event hook: the challenge goes back.
async fn verify(
    State(state): State<AppState>,
    Path(source): Path<String>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let challenge = request.headers().get("x-okta-verification-challenge");
    let challenge = challenge.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let given = secret(&request);
    drop(request);
    let sender = sender(&state.engine, &source, &caller, given).await?;
    match challenge.filter(|text| text.len() <= 1_024) {
        Some(challenge) => Ok(Json(json!({ "verification": challenge })).into_response()),
        None => Ok(Json(json!({
            "source": sender.name(),
            "dialect": sender.dialect().name(),
            "send": "POST",
        }))
        .into_response()),
    }
}

/// HTTP 1.1 Web Hooks for Event Delivery §4: the sender asks, this answers what it may. The request
/// carries no credentials; that somebody may send is no secret, each event needs the secret.
async fn handshake(headers: HeaderMap) -> Result<Response, Problem> {
    let origin = headers.get("webhook-request-origin").and_then(|value| value.to_str().ok());
    let Some(origin) = origin.filter(|text| text.len() <= 255 && !text.is_empty()) else {
        return Err(Problem::malformed("the header WebHook-Request-Origin is missing"));
    };
    let mut answer = HeaderMap::new();
    let text = |text: &str| HeaderValue::from_str(text).map_err(|_| Problem::malformed("origin"));
    answer.insert("webhook-allowed-origin", text(origin)?);
    let asked = headers.get("webhook-request-rate").and_then(|value| value.to_str().ok());
    let asked: Option<u32> = asked.and_then(|text| text.parse().ok());
    let rate = asked.map_or(BODIES_PER_MINUTE, |asked| asked.clamp(1, BODIES_PER_MINUTE));
    answer.insert("webhook-allowed-rate", rate.into());
    answer.insert(header::ALLOW, HeaderValue::from_static("GET, OPTIONS, POST"));
    Ok((StatusCode::OK, answer).into_response())
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Address {
    access_token: Option<String>,
}

async fn sender(
    engine: &Engine,
    source: &str,
    caller: &Caller,
    secret: Option<String>,
) -> Result<Sender, Problem> {
    let secret = secret.ok_or_else(nobody)?;
    let client = caller.context().client.clone();
    match engine.sender(source, &secret, client).await {
        Ok(sender) => Ok(sender),
        Err(chancery_engine::Error::Unauthenticated) => {
            // A wrong secret is on record like every other wrong credential.
            let refusal = Refusal {
                method: "POST".to_owned(),
                route: "/intake/{source}".to_owned(),
                permission: None,
                reason: "unauthenticated",
                message: "it is not the secret of a source".to_owned(),
            };
            if let Err(error) = engine.note_refusal(caller.context(), refusal).await {
                tracing::warn!(%error, "a refusal was not recorded");
            }
            Err(nobody())
        }
        Err(error) => Err(error.into()),
    }
}

fn nobody() -> Problem {
    Problem::unauthenticated().with_detail("send the secret of the source, as a bearer token")
}

/// The secret that a request carries, in whichever way its system can.
fn secret(request: &Request) -> Option<String> {
    let text = |name: &str| request.headers().get(name)?.to_str().ok().map(str::trim);
    if let Some(text) = text("x-intake-token") {
        return Some(text.to_owned());
    }
    if let Some(text) = text("authorization") {
        let (scheme, rest) = text.split_once(' ').unwrap_or(("", text));
        return match scheme.to_ascii_lowercase().as_str() {
            "" | "bearer" | "ssws" => Some(plain(rest)),
            "basic" => {
                let decoded = STANDARD.decode(rest.trim()).ok()?;
                let pair = String::from_utf8(decoded).ok()?;
                pair.split_once(':').map(|(_, password)| password.to_owned())
            }
            _ => None,
        };
    }
    Query::<Address>::try_from_uri(request.uri()).ok()?.0.access_token
}

/// Akeyless sends its bearer token in base64.
fn plain(token: &str) -> String {
    let token = token.trim();
    let decoded = || String::from_utf8(STANDARD.decode(token).ok()?).ok();
    if token.starts_with("chi_") { token.to_owned() } else { decoded().unwrap_or(token.to_owned()) }
}
