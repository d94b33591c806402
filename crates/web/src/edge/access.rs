//! What a route demands of its caller.

use axum::http::Method;
use chancery_engine::Permission;

/// Where people log in.
pub const LOGIN_PATH: &str = "/login";
/// Where people change their own password.
pub const PASSWORD_PATH: &str = "/account/password";

/// Paths that work while the password must be changed first.
const BEFORE_PASSWORD_CHANGE: &[&str] =
    &[PASSWORD_PATH, "/logout", "/api/v1/me", "/api/v1/me/password"];

/// Who may call a route. Every route declares one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody. Credentials are looked at where they are given, and wrong ones are nobody's.
    Public,
    /// Somebody with a browser session and the permission: pages.
    Session(Permission),
    /// Somebody with a browser session or a bearer token, and the permission: the API.
    Any(Permission),
}

impl Access {
    /// The permission that is asked for, if any.
    pub fn permission(self) -> Option<Permission> {
        match self {
            Self::Public => None,
            Self::Session(permission) | Self::Any(permission) => Some(permission),
        }
    }
}

/// A route as it was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    /// Its method; `GET` answers `HEAD` too.
    pub method: Method,
    /// Its path, with parameters in braces.
    pub path: String,
    /// Who may call it.
    pub access: Access,
}

/// Whether somebody who must change their password first may call this path.
pub(crate) fn is_open_before_password_change(path: &str) -> bool {
    BEFORE_PASSWORD_CHANGE.contains(&path)
}

/// Where collectors that were written for Okta read: many of them can be told a host alone, and
/// read where it is there. Okta's own SDK for Python asks with a slash at the end.
pub(crate) const FOR_OKTA: [&str; 4] =
    ["/okta/api/v1/logs", "/okta/api/v1/logs/", "/api/v1/logs", "/api/v1/logs/"];

/// Whether refusals on this path have the shape of Okta's.
pub(crate) fn is_for_okta(path: &str) -> bool {
    path == "/okta" || path.starts_with("/okta/") || FOR_OKTA.contains(&path)
}

/// Whether refusals on this path are for people (pages) or for programs (problem documents).
pub(crate) fn is_for_programs(path: &str) -> bool {
    let under = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
    under("/api")
        || is_for_okta(path)
        || under("/intake")
        || path.starts_with("/log/")
        || under("/health")
        || path == "/metrics"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_documents_and_people_get_pages() {
        for path in ["/api", "/api/v1/x", "/log/checkpoint", "/health/live", "/metrics"] {
            assert!(is_for_programs(path), "{path}");
        }
        for path in ["/", "/apiary", "/log", "/log-view", "/healthy", "/metrics-page"] {
            assert!(!is_for_programs(path), "{path}");
        }
    }
}
