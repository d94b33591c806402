//! What the tests of several crates share: a server over a real engine in a directory of its own,
//! requests to it, certificates to send it, a real browser with a tool that checks accessibility.
//!
//! Only tests use this crate: it panics where a test has to fail.

mod accessibility;
mod bucket;
mod certificates;
mod chromium;
mod log;
mod mailbox;
mod receiver;
mod request;
mod server;

pub use accessibility::{AXE_VERSION, Rules, Violation};
pub use bucket::Bucket;
pub use certificates::Authority;
pub use chancery_throwaway::on_each_backend;
pub use chromium::{Driver, Tab, Wishes};
pub use log::PublishedLog;
pub use mailbox::{Mail, Mailbox};
pub use receiver::{Manner, Received, Receiver, TlsFiles};
pub use request::{Answer, Call};
pub use server::{ADMIN_PASSWORD, TestServer};
