//! Extractors whose refusals are problem documents.

use std::fmt::Display;
use std::str::FromStr;

use axum::body::{Body, Bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Problem;
use super::guard::too_large;

/// JSON, in and out.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let Raw(bytes) = Raw::from_request(Request::from_parts(parts.clone(), body), state).await?;
        let whole = Request::from_parts(parts, Body::from(bytes.clone()));
        match axum::Json::from_request(whole, state).await {
            Err(rejection) if rejection.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Err(refused(&rejection))
            }
            read => {
                no_list(&bytes)?;
                read.map(|axum::Json(value)| Self(value)).map_err(|rejection| refused(&rejection))
            }
        }
    }
}

/// Refuses a list where a body is read as an object: serde would take its items for the members, in
/// the order in which they are declared.
pub(crate) fn no_list(body: &[u8]) -> Result<(), Problem> {
    match body.trim_ascii_start().first() {
        Some(b'[') => Err(Problem::malformed("the body: a JSON object is expected, not a list")),
        _ => Ok(()),
    }
}

fn refused(rejection: &JsonRejection) -> Problem {
    let mut problem = match rejection {
        JsonRejection::JsonDataError(_) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "A field cannot be accepted")
        }
        _ => Problem::malformed(""),
    };
    if rejection.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        problem.status = rejection.status();
    }
    let text = rejection.body_text();
    let said = text.strip_prefix("Failed to deserialize the JSON body into the target type: ");
    if let Some((member, _)) = said.and_then(|said| said.split_once(": "))
        && is_member(member)
    {
        problem.field = Some(member.into());
    }
    problem.with_detail(said.unwrap_or(&text))
}

/// Whether a text is the path of a member of a document, such as `filter.and[0]`.
fn is_member(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']'))
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The body as it is.
#[derive(Clone, Debug)]
pub struct Raw(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                too_large()
            } else {
                Problem::malformed(rejection.body_text())
            }
        })
    }
}

/// Parameters of the query.
#[derive(Clone, Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if !is_utf8(parts.uri.query().unwrap_or_default()) {
            return Err(Problem::malformed("the query is not UTF-8 behind its percent signs"));
        }
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let text = rejection.body_text();
                let said = text.strip_prefix("Failed to deserialize query string: ");
                let said = in_plain_words(said.unwrap_or(&text));
                Err(Problem::malformed(format!("the query: {said}")))
            }
        }
    }
}

/// What the standard library says of numbers, for those who do not know it.
fn in_plain_words(said: &str) -> String {
    let told = [
        ("invalid digit found in string", "a whole number is expected"),
        ("cannot parse integer from empty string", "a whole number is expected, not nothing"),
        ("number too large to fit in target type", "the number is too large"),
        ("number too small to fit in target type", "the number is too small"),
    ];
    told.iter().fold(said.to_owned(), |said, (raw, plain)| said.replace(raw, plain))
}

/// Whether a query is text once its percent signs are resolved (RFC 3986 §2.1). Decoders put
/// replacement characters in the place of what is not, and so ask for something else.
fn is_utf8(query: &str) -> bool {
    let mut bytes = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digit = |place: usize| {
            behind.get(place).and_then(|byte| char::from(*byte).to_digit(16)).unwrap_or(16)
        };
        match (first, digit(0), digit(1)) {
            (b'%', high @ 0..16, low @ 0..16) => {
                bytes.extend(u8::try_from(high * 16 + low));
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// The one parameter of the path. What does not parse is not there: 404.
#[derive(Clone, Debug)]
pub struct PathOf<T>(pub T);

impl<S: Send + Sync, T> FromRequestParts<S> for PathOf<T>
where
    T: FromStr,
    T::Err: Display,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Problem::not_found());
        };
        path_of(&text).map(Self)
    }
}

/// Reads a parameter of the path.
///
/// # Errors
/// 404 if it does not parse.
pub fn path_of<T>(text: &str) -> Result<T, Problem>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse().map_err(|error: T::Err| Problem::not_found().with_detail(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_text_or_refused() {
        for good in ["", "a=b", "a=%C3%BC", "a=100%", "a=%zz", "a=ü", "a=%2"] {
            assert!(is_utf8(good), "{good}");
        }
        for bad in ["a=%FF", "%C3", "a=%C3%28", "x=%ED%A0%80"] {
            assert!(!is_utf8(bad), "{bad}");
        }
    }

    #[test]
    fn members_are_told_from_sentences() {
        for member in ["path", "filter.and[0]", "trust_anchor"] {
            assert!(is_member(member), "{member}");
        }
        for other in ["", "invalid type", "missing field `x`"] {
            assert!(!is_member(other), "{other}");
        }
    }
}
