//! Everything that goes wrong, as the wire sees it: RFC 9457 problem documents.
//!
//! One file maps errors of the engine to them (`fault.rs`). A problem also travels in the
//! extensions of its response, so that the pages can show it within their frame.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chancery_event::id::CertificateId;
use maud::{DOCTYPE, html};
use serde::Serialize;

use crate::ui;

/// Media type of a problem document (RFC 9457 §3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A problem document.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "type": "urn:chancery:problem:invalid",
    "title": "A field cannot be accepted",
    "status": 422,
    "detail": "path: it begins with a slash",
    "field": "path"
}))]
pub struct Problem {
    /// `urn:chancery:problem:` and a stable word.
    #[serde(rename = "type", serialize_with = "urn")]
    #[schema(value_type = String)]
    reason: &'static str,
    /// What kind of problem, in words.
    pub title: &'static str,
    /// The HTTP status.
    #[schema(value_type = u16)]
    #[serde(serialize_with = "status")]
    pub status: StatusCode,
    /// What is wrong this time, and what helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The field that cannot be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub field: Option<Box<str>>,
    /// The certificate that is in the inventory already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub existing: Option<CertificateId>,
    /// Seconds until another try makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    #[serde(flatten)]
    pub(super) filter: Option<Box<FilterFault>>,
}

/// What a problem with a filter has besides.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct FilterFault {
    /// Where in a filter the fault is: `offset` and `length` in bytes, or a JSON `pointer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(super) position: Option<serde_json::Value>,
    /// What was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) suggestion: Option<String>,
}

fn urn<S: serde::Serializer>(reason: &str, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("urn:chancery:problem:{reason}"))
}

fn status<S: serde::Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem with a stable word and a title.
    pub fn new(status: StatusCode, reason: &'static str, title: &'static str) -> Self {
        Self {
            reason,
            title,
            status,
            detail: None,
            field: None,
            existing: None,
            retry_after: None,
            filter: None,
        }
    }

    /// The same problem with what is wrong this time.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The stable word.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// A request that cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "The request cannot be read")
            .with_detail(detail)
    }

    /// A field that cannot be accepted.
    pub fn invalid(field: &str, message: impl std::fmt::Display) -> Self {
        let mut problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "A field cannot be accepted")
                .with_detail(format!("{field}: {message}"));
        problem.field = Some(field.into());
        problem
    }

    /// Nothing is here.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such thing here")
    }

    /// Somebody has to say who they are.
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Authentication is required")
            .with_detail("send a bearer token, or log in")
    }

    /// The program failed; no word about how.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server failed")
            .with_detail("the failure was logged")
    }

    /// The problem as a page that stands alone, for refusals on the way to a page.
    pub fn page(self) -> Response {
        let detail = self.detail.as_deref().unwrap_or_default();
        let inner = ui::error_page(self.status.as_u16(), self.title, detail, None);
        let page = html! {
            (DOCTYPE)
            html lang="en-GB" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) " · Chancery" }
                    link rel="stylesheet" href=(ui::assets::asset_url("app.css"));
                }
                body { main.lone id="main" { (inner) } }
            }
        };
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page.into_string())
                .into_response();
        self.mark(&mut response);
        response
    }

    /// The problem with members of its own kind beside those that all have (RFC 9457 section 3.2).
    pub fn with_members(self, more: &impl Serialize) -> Response {
        let mut document = serde_json::to_value(&self).unwrap_or_default();
        if let (Some(document), Ok(serde_json::Value::Object(more))) =
            (document.as_object_mut(), serde_json::to_value(more))
        {
            document.extend(more);
        }
        let mut response = (self.status, Json(document)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        self.mark(&mut response);
        response
    }

    /// Headers that go with the problem, and the problem itself for those further out.
    fn mark(self, response: &mut Response) {
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let value = HeaderValue::from_static("Bearer realm=\"chancery\"");
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(self);
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let content_type: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, PROBLEM_JSON)];
        let mut response = (self.status, content_type, Json(&self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        self.mark(&mut response);
        response
    }
}
