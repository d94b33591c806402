//! What the tests of several crates share: a server over a real engine in a directory of its own,
//! requests to it, certificates to send it.
//!
//! Only tests use this crate: it panics where a test has to fail.

mod certificates;
mod log;
mod request;
mod server;

pub use certificates::Authority;
pub use log::PublishedLog;
pub use request::{Answer, Call};
pub use server::{ADMIN_PASSWORD, TestServer};
