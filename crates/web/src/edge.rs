//! The edge that the API and the pages share: who calls, what they may, what a refusal looks like.
//!
//! Read in this order: [`Routes`] (the only way to add a route, with its [`Access`]), `guard` (what
//! happens before a handler runs), [`Caller`] (what a handler learns), [`Problem`] (how everything
//! that goes wrong is told), `stack` (what is put around all routes).
//!
//! Nothing here decides what an operation may do: the engine does, again, for itself. And nothing
//! here lets internal details out: a failure of the program is told by its kind alone.

mod access;
mod body;
mod caller;
mod client;
mod cookie;
pub(crate) mod csrf;
mod extract;
mod fault;
mod figures;
mod guard;
mod header;
mod idempotency;
mod problem;
mod routes;
mod stack;
mod state;
pub(crate) mod streams;

pub use access::{Access, LOGIN_PATH, PASSWORD_PATH, RouteInfo};
pub(crate) use access::{FOR_OKTA, is_for_programs};
pub use body::{CsrfForm, CsrfMultipart, FilePart};
pub use caller::Caller;
pub use client::{Address, Proxies};
pub use cookie::{clear_session_cookie, session_cookie};
pub(crate) use cookie::{mark, mark_cookie, named, session};
pub(crate) use extract::no_list;
pub use extract::{Json, Params, PathOf, Raw, path_of};
pub use idempotency::Unrepeatable;
pub use problem::{PROBLEM_JSON, Problem};
pub use routes::Routes;

pub use state::{AppState, Options};
