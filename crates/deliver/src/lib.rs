//! Senders: everything that leaves the house, in the formats of its receivers.
//!
//! The engine decides what is sent when and keeps the books; a sender here makes bytes of a parcel
//! and sends them once, within its time limits. Read in this order: [`Senders`] (which kind is sent
//! how), `settings` (members of a definition), `body` (events in a dialect), `signature` (Standard
//! Webhooks), `wire` (TLS, HTTP, SMTP, NATS over connections that the engine's door opened), then
//! one file for each kind under `sender`.
//!
//! Nothing here opens a connection by itself, follows a redirect, or keeps the body of an answer.

mod body;
mod encryption;
mod s3;
mod sender;
mod senders;
mod settings;
pub mod signature;
mod wire;

pub use encryption::decrypt;
pub use s3::{S3, S3Settings};
pub use senders::Senders;
