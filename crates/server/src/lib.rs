//! The binary: configuration, wiring, command line, shutdown.
//!
//! Everything that knows the outside of the process lives here, and no rule of the trade does:
//! those are in the engine.

#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
pub mod terminal;

pub mod bench;
pub mod cli;
pub mod client;
pub mod command;
pub mod config;
pub mod logging;
pub mod serving;
pub mod syslog;
pub mod tls;
pub mod wiring;
