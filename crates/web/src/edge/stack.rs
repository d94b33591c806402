//! What is put around all routes: figures, headers, compression, panics, the time limit.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate as _};

use super::access::{is_for_okta, is_for_programs};
use super::{AppState, Problem, figures, header};

/// Until an answer has begun. Streams go on for as long as somebody reads.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// The router with everything around it.
pub(super) fn wrap(router: Router<AppState>, state: AppState) -> Router {
    let compressed = DefaultPredicate::new()
        .and(NotForContentType::const_new("application/octet-stream"))
        .and(NotForContentType::const_new("application/pkix-cert"));
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .with_state(state.clone())
        // The guard of each route limits its body.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(limit_time))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), crate::page::framed))
        .layer(CompressionLayer::new().gzip(true).compress_when(compressed))
        .layer(from_fn_with_state(state.clone(), figures::count))
        .layer(from_fn_with_state(state, header::secure))
}

async fn nothing_here(request: Request) -> Response {
    told(Problem::not_found().with_detail("there is nothing at this address"), &request)
}

async fn other_method(request: Request) -> Response {
    let problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This address does not take that method",
    );
    told(problem, &request)
}

fn told(problem: Problem, request: &Request) -> Response {
    if is_for_okta(request.uri().path()) {
        return crate::api::okta::fault::Fault::from(&problem).into_response();
    }
    if is_for_programs(request.uri().path()) { problem.into_response() } else { problem.page() }
}

async fn limit_time(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match tokio::time::timeout(ANSWER_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(path, "a request took too long");
            let mut problem =
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "It took too long");
            problem.retry_after = Some(ANSWER_MAX.as_secs());
            problem.into_response()
        }
    }
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = text, "a handler panicked");
    Problem::internal().into_response()
}
