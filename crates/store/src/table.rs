//! The tables besides the log: one file per table, with its row type and its statements.

pub mod account;
pub mod alert;
pub mod attribute;
pub mod automation;
pub mod certificate;
pub mod contact;
pub mod delivery;
pub mod destination;
pub mod evaluation;
pub mod forwarder_access;
pub mod idempotency;
pub mod intake;
pub mod job;
pub mod label;
pub mod lease;
pub mod monitor;
pub mod node;
pub mod notice;
pub mod notification;
pub mod reach;
pub mod retention;
pub mod session;
pub mod setting;
pub mod task;
pub mod token;
pub mod view;
