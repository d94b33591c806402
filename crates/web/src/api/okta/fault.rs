//! Errors in the shape of that API: `{errorCode, errorSummary, errorLink, errorId, errorCauses}`.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::edge::Problem;

/// An error of the API.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    code: &'static str,
    summary: String,
    causes: Vec<String>,
}

impl Fault {
    fn new(status: StatusCode, code: &'static str, summary: &str, cause: Option<&str>) -> Self {
        let causes = cause.into_iter().map(str::to_owned).collect();
        Self { status, code, summary: summary.to_owned(), causes }
    }

    /// A parameter cannot be accepted.
    pub(super) fn validation(what: &str) -> Self {
        let summary = format!("Api validation failed: {what}");
        Self::new(StatusCode::BAD_REQUEST, "E0000001", &summary, Some(what))
    }

    /// The filter cannot be read, or names what is not there.
    pub(super) fn filter(cause: &str) -> Self {
        let summary = "Invalid filter or attribute";
        Self::new(StatusCode::BAD_REQUEST, "E0000053", summary, Some(cause))
    }

    /// The operator does not go with the attribute.
    pub(super) fn operator(cause: &str) -> Self {
        let summary = "Unsupported operator for this attribute";
        Self::new(StatusCode::BAD_REQUEST, "E0000031", summary, Some(cause))
    }

    /// Too many calls.
    pub(super) fn too_many() -> Self {
        let summary = "API call exceeded rate limit due to too many requests.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "E0000047", summary, None)
    }
}

impl From<&Problem> for Fault {
    fn from(problem: &Problem) -> Self {
        let (code, summary) = match problem.status {
            StatusCode::UNAUTHORIZED => ("E0000011", "Invalid token provided"),
            StatusCode::FORBIDDEN => {
                ("E0000006", "You do not have permission to perform the requested action")
            }
            StatusCode::NOT_FOUND => ("E0000007", "Not found: Resource not found"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("E0000022", "The endpoint does not support the method")
            }
            StatusCode::TOO_MANY_REQUESTS => return Self::too_many(),
            status if status.is_client_error() => ("E0000001", "Api validation failed"),
            _ => ("E0000009", "Internal Server Error"),
        };
        Self::new(problem.status, code, summary, problem.detail.as_deref())
    }
}

impl From<chancery_engine::Error> for Fault {
    fn from(error: chancery_engine::Error) -> Self {
        Self::from(&Problem::from(error))
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let causes: Vec<_> =
            self.causes.iter().map(|cause| json!({ "errorSummary": cause })).collect();
        let body = json!({
            "errorCode": self.code,
            "errorSummary": self.summary,
            "errorLink": self.code,
            "errorId": format!("chancery-{}", self.code),
            "errorCauses": causes,
        });
        let headers =
            [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
        (self.status, headers, body.to_string()).into_response()
    }
}
