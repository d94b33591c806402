//! The session cookie, and the mark of a browser that somebody signed in from.
//!
//! With TLS it is `__Host-chancery`: the prefix makes browsers refuse it unless it is `Secure`, for
//! this host alone and for all paths (RFC 6265bis §4.1.3.2). On plain http, for trials on one
//! machine, it is `chancery`.

use axum::http::{HeaderMap, HeaderValue, header};
use chancery_engine::Secret;
use chancery_engine::access::{LoggedIn, MARK_DAYS};

use super::Options;

fn name(options: &Options) -> &'static str {
    if options.secure_cookies { "__Host-chancery" } else { "chancery" }
}

fn attributes(options: &Options) -> &'static str {
    if options.secure_cookies {
        "Path=/; HttpOnly; SameSite=Lax; Secure"
    } else {
        "Path=/; HttpOnly; SameSite=Lax"
    }
}

/// The `Set-Cookie` value of a session that has just begun. It ends with the browser, or on the
/// server before that.
pub fn session_cookie(options: &Options, session: &LoggedIn) -> HeaderValue {
    header_value(&format!("{}={}; {}", name(options), session.cookie.expose(), attributes(options)))
}

fn mark_name(options: &Options) -> &'static str {
    if options.secure_cookies { "__Host-chancery-known" } else { "chancery-known" }
}

/// The `Set-Cookie` value that marks the browser of a session that has just begun. It stays when
/// the session ends.
pub(crate) fn mark_cookie(options: &Options, session: &LoggedIn) -> HeaderValue {
    let (name, mark) = (mark_name(options), session.mark.expose());
    let seconds = MARK_DAYS * 86_400;
    header_value(&format!("{name}={mark}; Max-Age={seconds}; {}", attributes(options)))
}

/// The mark of the browser, if it has one.
pub(crate) fn mark<'a>(headers: &'a HeaderMap, options: &Options) -> Option<&'a str> {
    named(headers, mark_name(options))
}

/// The `Set-Cookie` value that takes the session cookie away.
pub fn clear_session_cookie(options: &Options) -> HeaderValue {
    header_value(&format!("{}=; Max-Age=0; {}", name(options), attributes(options)))
}

fn header_value(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// The value of the session cookie, if there is one.
pub(crate) fn session(headers: &HeaderMap, options: &Options) -> Option<Secret<String>> {
    named(headers, name(options))
        .filter(|value| !value.is_empty())
        .map(|value| value.to_owned().into())
}

/// The value of the first cookie with this name.
pub(crate) fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others_and_under_its_own_name_only() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "theme=dark; __Host-chancery=abc".parse().unwrap());
        headers.append(header::COOKIE, "chancery=def".parse().unwrap());
        let with = |secure| {
            let options = Options { secure_cookies: secure, ..Options::default() };
            session(&headers, &options).map(|secret| secret.expose().clone())
        };
        assert_eq!(with(true).as_deref(), Some("abc"));
        assert_eq!(with(false).as_deref(), Some("def"));
        assert!(session(&HeaderMap::new(), &Options::default()).is_none());
    }
}
