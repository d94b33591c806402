//! What every page has around it, and how a page that cannot be shown is told.
//!
//! A handler takes a [`Shell`], does its work inside [`Shell::answer`], and hands its body to
//! [`Shell::page`]. A change answers with [`Shell::done`]: the browser is sent on to a page, which
//! shows the notice once. Nothing here queries the store.

use std::future::Future;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use chancery_engine::{Context, Engine, Permission};
use maud::{Markup, html};

use super::address::Address;
use super::notice_cookie;
use crate::edge::{AppState, Caller, Problem, csrf, named};
use crate::ui::{
    self, AlertKind, Bell, Health, Nav, PageFrame, Preferences, SealStatus, Tone, Viewer,
};

/// What a page knows before it begins: who reads, what they chose, where they are.
pub(crate) struct Shell {
    pub(crate) state: AppState,
    pub(crate) caller: Caller,
    /// The address asked for.
    pub(crate) address: Address,
    preferences: Preferences,
    notice: Option<String>,
    bell: Option<Bell>,
    /// The token of the session for the forms of this page.
    csrf: String,
}

impl FromRequestParts<AppState> for Shell {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let log_size = *state.engine.sealed().borrow();
        let unread = match caller.identity() {
            // The bell follows a stream that is closed until the password is changed.
            Some(identity) if identity.must_change => None,
            // One more than the bell shows; a page is shown all the same when they cannot be counted.
            Some(_) => state.engine.unread_alerts(caller.context(), 100).await.ok(),
            None => None,
        };
        let theme = named(&parts.headers, "theme");
        let zone = named(&parts.headers, "zone");
        Ok(Self {
            address: Address::read(uri),
            preferences: Preferences::from_cookies(theme, zone),
            notice: notice_cookie::read(&parts.headers, &state.options, caller.csrf()),
            csrf: csrf::covered(caller.csrf(), state.engine.environment().random()),
            state: state.clone(),
            bell: unread.map(|unread| Bell { unread, log_size }),
            caller,
        })
    }
}

impl Shell {
    pub(crate) fn engine(&self) -> &Engine {
        &self.state.engine
    }

    pub(crate) fn context(&self) -> &Context {
        self.caller.context()
    }

    pub(crate) fn csrf(&self) -> &str {
        &self.csrf
    }

    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.caller.may(permission)
    }

    /// Alerts that the reader has not read, up to 100; `None` if there is no bell.
    pub(crate) fn bell(&self) -> Option<Bell> {
        self.bell
    }

    pub(crate) fn preferences(&self) -> Preferences {
        self.preferences
    }

    /// The time, µs since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.engine().environment().now().micros()
    }

    /// A whole page.
    pub(crate) fn page(&self, current: Nav, title: &str, body: Markup) -> Response {
        self.page_with(current, title, "", body)
    }

    /// The same with something in the search box of the frame.
    pub(crate) fn page_with(&self, place: Nav, title: &str, query: &str, body: Markup) -> Response {
        let identity = self.caller.identity();
        let name = identity.map(|identity| match identity.display_name.as_str() {
            "" => identity.name.as_str(),
            name => name,
        });
        let role = identity.map_or("", |identity| identity.role.as_str());
        let health = self.health();
        let (sealed, fresh) = self.sealed();
        let body = html! {
            @if let Some(notice) = &self.notice { (ui::alert_box(AlertKind::Success, notice)) }
            (body)
        };
        let page = ui::layout(PageFrame {
            title,
            current: place,
            viewer: name.map(|name| Viewer { name, role }),
            preferences: self.preferences,
            csrf: self.csrf(),
            health: health.as_ref().map(|(tone, text)| Health {
                tone: *tone,
                text,
                href: "/log-view#health",
            }),
            bell: self.bell,
            query,
            seal: Some(SealStatus {
                tree_size: *self.engine().sealed().borrow(),
                text: &sealed,
                fresh,
            }),
            version: env!("CARGO_PKG_VERSION"),
            body,
        });
        let mut response = Html(page.into_string()).into_response();
        if self.notice.is_some()
            && let Some(gone) = notice_cookie::clear(&self.state.options)
        {
            response.headers_mut().append(header::SET_COOKIE, gone);
        }
        response
    }

    fn health(&self) -> Option<(Tone, String)> {
        self.caller.identity()?;
        let bad = self.engine().health().findings().iter().filter(|finding| !finding.good).count();
        Some(match bad {
            0 => (Tone::Good, "No faults".to_owned()),
            1 => (Tone::Critical, "1 fault".to_owned()),
            _ => (Tone::Critical, format!("{bad} faults")),
        })
    }

    /// How old the last checkpoint is, in words, and whether sealing goes on.
    fn sealed(&self) -> (String, bool) {
        let health = self.engine().health();
        if health.sealing_stopped().is_some() {
            return ("sealing has stopped".to_owned(), false);
        }
        match health.sealed_at() {
            Some(at) => (format!("sealed {}", ui::distance(at.micros(), self.now())), true),
            None => ("nothing sealed yet".to_owned(), true),
        }
    }

    /// The way on after a change: to a page of ours, with a notice that it shows once.
    pub(crate) fn done(&self, to: &str, notice: &str) -> Response {
        let mut response = see_other(to);
        let cookie = notice_cookie::set(&self.state.options, self.caller.csrf(), notice);
        if let Some(value) = cookie {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
        response
    }

    /// The answer of a handler; what went wrong becomes a page within the frame.
    pub(crate) async fn answer(
        &self,
        work: impl Future<Output = Result<Response, Problem>>,
    ) -> Response {
        match work.await {
            Ok(response) => response,
            Err(problem) => self.failed(&problem),
        }
    }

    /// A page that says what went wrong, and how to go on.
    pub(crate) fn failed(&self, problem: &Problem) -> Response {
        let mut detail = problem.detail.clone().unwrap_or_default();
        if problem.status.is_server_error() {
            let transaction = self.context().transaction;
            detail = format!("{detail} Ask your administrator to look for {transaction}.");
        }
        let way_on = match problem.status {
            StatusCode::NOT_FOUND => Some(("Search certificates", "/certificates")),
            StatusCode::FORBIDDEN => Some(("What you may do", "/account")),
            _ => None,
        };
        let body = ui::error_page(problem.status.as_u16(), problem.title, &detail, way_on);
        let mut response = self.page(Nav::Elsewhere, problem.title, body);
        *response.status_mut() = problem.status;
        if let Some(seconds) = problem.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// 303 to a path of ours; anything else leads home.
pub(crate) fn see_other(to: &str) -> Response {
    let to = HeaderValue::from_str(own_path(to)).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// The path if it is one of ours, `/` otherwise: never another host, whatever browsers make of
/// backslashes and of what they skip.
pub(crate) fn own_path(to: &str) -> &str {
    let ours = to.starts_with('/')
        && !to.starts_with("//")
        && !to.contains(['\\', '\t', '\n', '\r'])
        && to.bytes().all(|byte| byte.is_ascii_graphic());
    if ours { to } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_stays_with_us() {
        for good in ["/", "/events?q=a%20b", "/certificates/1#story"] {
            assert_eq!(own_path(good), good);
        }
        let bad = ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\tb", "x"];
        for bad in bad {
            assert_eq!(own_path(bad), "/", "{bad:?}");
        }
    }
}
