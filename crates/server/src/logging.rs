//! The diagnostic log of the process, on standard error. It is not the event log: nothing in it is
//! evidence, and no secret, key or body goes into it.

use tracing_subscriber::EnvFilter;

use crate::config::Logging;
use crate::config::logging::Format;

/// Starts the diagnostic log. A second call changes nothing.
pub fn start(logging: &Logging) {
    let filter = EnvFilter::try_new(&logging.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would complain on standard error that standard error cannot be written, and panic in
        // the middle of a request: a log on a full disc must not take requests down with it.
        .log_internal_errors(false);
    let _ = match logging.format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().try_init(),
    };
}
