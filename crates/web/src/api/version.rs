//! ETags: the version of an object and a digest of what is told of it.
//!
//! A reader compares the whole tag (`If-None-Match`), because names of groups and the like change
//! without the object. A writer means the version (`If-Match`), because that is what it read.

use aws_lc_rs::digest;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::edge::Problem;

/// The answer with its tag; 304 if the reader has it already.
pub(super) fn tagged<T: Serialize>(
    headers: &HeaderMap,
    version: i64,
    body: &T,
) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(body).map_err(|_| Problem::internal())?;
    let tag = tag(version, &bytes);
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|known| {
            matches!(known.trim().trim_start_matches("W/"), "*")
                || known.trim().trim_start_matches("W/") == tag
        });
    let etag = HeaderValue::from_str(&tag).map_err(|_| Problem::internal())?;
    let caching = HeaderValue::from_static("private, no-cache");
    let common = [(header::ETAG, etag), (header::CACHE_CONTROL, caching)];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((common, json, bytes).into_response())
}

/// What was found, or nothing where nothing is there. Any other problem stays one: what is merely
/// unreadable must not pass for absent.
///
/// # Errors
/// It could not be read.
pub(super) fn present<T>(found: Result<T, Problem>) -> Result<Option<T>, Problem> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(problem) if problem.status == StatusCode::NOT_FOUND => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn tag(version: i64, bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    let short: String = hash.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{version}.{short}\"")
}

/// The version that a writer read, from `If-Match`; `None`: any.
///
/// # Errors
/// 412 if the tag cannot be one of ours.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let bare = text.trim_matches('"');
    let version = bare.split('.').next().unwrap_or_default();
    version.parse().map(Some).map_err(|_| {
        Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "changed_meanwhile",
            "Somebody else changed it meanwhile",
        )
        .with_detail("If-Match carries no tag of this object")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_means_the_version_and_a_reader_the_whole() {
        let first = tag(3, b"a");
        assert!(first.starts_with("\"3."), "{first}");
        assert_ne!(first, tag(3, b"b"));
        let mut headers = HeaderMap::new();
        assert_eq!(if_match(&headers).unwrap(), None);
        headers.insert(header::IF_MATCH, first.parse().unwrap());
        assert_eq!(if_match(&headers).unwrap(), Some(3));
        headers.insert(header::IF_MATCH, "\"nonsense\"".parse().unwrap());
        assert_eq!(if_match(&headers).unwrap_err().status, 412);
        headers.insert(header::IF_MATCH, "*".parse().unwrap());
        assert_eq!(if_match(&headers).unwrap(), None);
    }

    #[test]
    fn what_the_reader_has_is_not_sent_again() {
        let tag = tag(1, b"\"x\"");
        let mut headers = HeaderMap::new();
        assert_eq!(tagged(&headers, 1, &"x").unwrap().status(), 200);
        headers.insert(header::IF_NONE_MATCH, format!("\"0\", W/{tag}").parse().unwrap());
        assert_eq!(tagged(&headers, 1, &"x").unwrap().status(), 304);
        assert_eq!(tagged(&headers, 1, &"y").unwrap().status(), 200);
    }
}
