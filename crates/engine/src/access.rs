//! Who may do what: local accounts, browser sessions, API tokens, lockout, rate limits.
//!
//! Edges ask [`crate::Engine::authenticate`] who stands behind a cookie or a bearer token and get a
//! [`crate::Context`]; everything else follows from that.

mod account;
mod account_search;
mod age;
mod bootstrap;
mod browser;
mod confirmation;
mod credential;
pub(crate) mod limit;
mod password;
mod refusal;
pub(crate) mod session;
mod still;
mod token;
mod token_search;

pub(crate) use account::is_over;
pub use account::{AccountChange, AccountView, NewAccount, OneTimePassword};
pub(crate) use browser::Logins;
pub use browser::MARK_DAYS;
pub use limit::{Answer, Limiter};
pub use password::{PASSWORD_LENGTH_MIN, check as check_password};
pub(crate) use refusal::Tally;
pub use refusal::{REFUSALS_RECORDED_MAX, Refusal};
pub use session::{Credential, Identity, LoggedIn, SessionView};
pub(crate) use session::{random_text, sha256};
pub use token::{CreatedToken, NewToken, TokenView};

/// Failed logins in a row after which an account is locked.
pub const FAILURES_MAX: i64 = 5;
/// How long an account stays locked, in minutes.
pub const LOCK_MINUTES: i64 = 15;
