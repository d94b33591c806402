//! Refusals on the way to a page: no such address, no permission, a forged form, a failure.
//!
//! They are decided outside of the pages, by guards that know nothing of frames. Whoever is signed
//! in sees them with the navigation around, and a way on; others see them alone. Requests of
//! programs pass through untouched.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use chancery_engine::access::Credential;
use chancery_engine::{Client, Context};
use chancery_event::Origin;

use super::shell::Shell;
use crate::edge::{AppState, Caller, Problem, is_for_programs, session};
use crate::ui;

/// Puts the frame round refusals of pages.
pub(crate) async fn framed(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if is_for_programs(path) || path.starts_with("/assets/") {
        return next.run(request).await;
    }
    let mut seed = Request::new(());
    seed.headers_mut().clone_from(request.headers());
    *seed.uri_mut() = request.uri().clone();
    // What was refused was perhaps not asked for with GET; the page that says so is.
    *seed.method_mut() = Method::GET;
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().cloned() else { return response };
    let caller = caller(&state, &seed).await;
    let is_known = caller.identity().is_some();
    let (mut parts, ()) = seed.into_parts();
    parts.extensions.insert(caller);
    let Ok(shell) = Shell::from_request_parts(&mut parts, &state).await else { return response };
    let mut page = if is_known { shell.failed(&problem) } else { alone(&shell, &problem) };
    *page.status_mut() = problem.status;
    if let Some(retry) = response.headers().get(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, retry.clone());
    }
    page
}

/// Who asks, by the cookie of their session; a guard may have refused before it looked.
async fn caller(state: &AppState, request: &Request<()>) -> Caller {
    let engine = &state.engine;
    if let Some(cookie) = session(request.headers(), &state.options) {
        let credential = Credential::Cookie(cookie);
        let found = engine.authenticate(&credential, Origin::Ui, Client::default()).await;
        if let Ok(identity) = found {
            return Caller::known(identity);
        }
    }
    Caller::anonymous(Context::anonymous(engine.environment(), Origin::Ui, Client::default()))
}

fn alone(shell: &Shell, problem: &Problem) -> Response {
    let detail = problem.detail.as_deref().unwrap_or_default();
    let page = ui::lone_error(shell.preferences(), problem.status.as_u16(), problem.title, detail);
    Html(page.into_string()).into_response()
}
