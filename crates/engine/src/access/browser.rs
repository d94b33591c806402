//! Browsers that somebody has logged in from before: a mark that they keep in a cookie.
//!
//! A bound on failed logins by address or network would lock out everybody behind the same proxy as
//! whoever tries passwords. A browser with the mark of an account has its own allowance for that
//! account, and for no other. The mark proves nothing else: the password is asked for all the same,
//! and an account that is locked stays locked.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_event::Timestamp;
use chancery_event::id::AccountId;

use super::limit::Limiter;
use crate::{Secret, Settings};

/// What bounds logins.
pub(crate) struct Logins {
    /// By address, or by account of a browser with its mark.
    pub(super) tried: Limiter,
    /// Failed ones by network.
    pub(super) failed: Limiter,
    /// Makes marks.
    pub(super) marks: hmac::Key,
}

impl Logins {
    /// Bounds as the settings have them, and the key that makes marks.
    pub(crate) fn new(settings: &Settings, marks: hmac::Key) -> Self {
        Self {
            tried: Limiter::new(settings.logins_per_minute),
            failed: Limiter::new(settings.failed_logins_per_minute),
            marks,
        }
    }
}

/// How long a mark is good for, in days.
pub const MARK_DAYS: i64 = 180;

/// The mark of a browser that somebody has just logged in from: account, end, code.
pub(super) fn mark(key: &hmac::Key, account: AccountId, now: Timestamp) -> Secret<String> {
    let text = format!("{account}.{}", now.plus(MARK_DAYS * Timestamp::DAY).micros());
    let code = hmac::sign(key, text.as_bytes());
    Secret::new(format!("{text}.{}", URL_SAFE_NO_PAD.encode(code.as_ref())))
}

/// The account whose mark this is, if it is one that has not ended.
pub(super) fn marked(key: &hmac::Key, mark: &str, now: Timestamp) -> Option<AccountId> {
    let (text, code) = mark.rsplit_once('.')?;
    let code = URL_SAFE_NO_PAD.decode(code).ok()?;
    hmac::verify(key, text.as_bytes(), &code).ok()?;
    let (account, ends) = text.split_once('.')?;
    let ends = Timestamp::from_micros(ends.parse().ok()?);
    (ends > now).then(|| account.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_good_for_its_account_until_its_end_and_cannot_be_made_up() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let account: AccountId = "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4".parse().unwrap();
        let now = Timestamp::from_micros(1_000_000_000_000_000);
        let mark = mark(&key, account, now).expose().clone();
        assert_eq!(marked(&key, &mark, now), Some(account));
        let end = now.plus(MARK_DAYS * Timestamp::DAY);
        assert_eq!(marked(&key, &mark, end.plus(-1)), Some(account));
        assert_eq!(marked(&key, &mark, end), None);
        let other = hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]);
        assert_eq!(marked(&other, &mark, now), None);
        let longer = mark.replacen(&end.micros().to_string(), &(end.micros() * 2).to_string(), 1);
        assert_ne!(longer, mark);
        for bad in [longer.as_str(), "", ".", "a.b.c", &mark[1..]] {
            assert_eq!(marked(&key, bad, now), None, "{bad:?}");
        }
    }
}
