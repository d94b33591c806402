//! What a change tells the page behind it: a sentence in a cookie, shown once.
//!
//! It carries a code made with the token of the session. Another program on the same host can set
//! cookies too; what it writes is not shown as ours.

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::address::{decode, encode};
use crate::edge::{Options, named};

fn name(options: &Options) -> &'static str {
    if options.secure_cookies { "__Host-notice" } else { "notice" }
}

fn attributes(options: &Options) -> &'static str {
    match options.secure_cookies {
        true => "Path=/; HttpOnly; SameSite=Lax; Secure",
        false => "Path=/; HttpOnly; SameSite=Lax",
    }
}

fn key(csrf: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, format!("notice {csrf}").as_bytes())
}

/// The `Set-Cookie` value of a notice, for the session with the token `csrf`.
pub(super) fn set(options: &Options, csrf: &str, notice: &str) -> Option<HeaderValue> {
    let text = encode(notice);
    let code = URL_SAFE_NO_PAD.encode(hmac::sign(&key(csrf), text.as_bytes()).as_ref());
    let cookie = format!("{}={code}.{text}; Max-Age=60; {}", name(options), attributes(options));
    HeaderValue::from_str(&cookie).ok()
}

/// The notice that a request brings, if this session was told it.
pub(super) fn read(headers: &HeaderMap, options: &Options, csrf: &str) -> Option<String> {
    if csrf.is_empty() {
        return None;
    }
    let (code, text) = named(headers, name(options))?.split_once('.')?;
    let code = URL_SAFE_NO_PAD.decode(code).ok()?;
    hmac::verify(&key(csrf), text.as_bytes(), &code).ok()?;
    Some(decode(text)).filter(|text| !text.is_empty())
}

/// The `Set-Cookie` value that takes the notice away.
pub(super) fn clear(options: &Options) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{}=; Max-Age=0; {}", name(options), attributes(options))).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn only_what_this_session_was_told_is_shown() {
        let options = Options::default();
        let told = set(&options, "token", "The view “a.b” is saved.").unwrap();
        let pair = told.to_str().unwrap().split(';').next().unwrap().to_owned();
        let read = |cookie: &str, csrf: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, cookie.parse().unwrap());
            read(&headers, &options, csrf)
        };
        assert_eq!(read(&pair, "token").as_deref(), Some("The view “a.b” is saved."));
        assert_eq!(read(&pair, "another"), None, "another session");
        assert_eq!(read(&pair, ""), None, "nobody");
        assert_eq!(read("notice=Pay%20here", "token"), None);
        assert_eq!(read("notice=AAAA.Pay%20here", "token"), None);
        let (code, _) = pair.split_once('.').unwrap();
        assert_eq!(read(&format!("{code}.Pay%20here"), "token"), None, "another text");
    }
}
