//! The diagnostic log of the process, on standard error. It is not the event log: nothing in it is
//! evidence, and no secret, key or body goes into it.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::Logging;
use crate::config::logging::Format;

/// Starts the diagnostic log, in colour on a terminal alone and only while `NO_COLOR` is unset
/// (no-color.org). A second call changes nothing.
pub fn start(logging: &Logging) {
    let filter = EnvFilter::try_new(&logging.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        // It would complain on standard error that standard error cannot be written, and panic in
        // the middle of a request: a log on a full disc must not take requests down with it.
        .log_internal_errors(false);
    let _ = match logging.format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().try_init(),
    };
}
