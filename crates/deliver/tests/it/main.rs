//! Senders against receivers on the same machine: our own that misbehaves in every way, and real
//! ones of other makes.

mod chat;
mod email;
mod file;
mod forbidden;
mod misbehaving;
mod nats;
mod s3;
mod speed;
mod syslog;
mod unharmed;
mod webhook;
mod world;
