//! The tables besides the log: one file per table, with its row type and its statements.

pub mod account;
pub mod alert;
pub mod attribute;
pub mod automation;
pub mod certificate;
pub mod idempotency;
pub mod job;
pub mod label;
pub mod lease;
pub mod session;
pub mod setting;
pub mod token;
pub mod view;
