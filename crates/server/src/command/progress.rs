//! Progress bars: on standard error, and only where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

/// Where the amount is known.
const KNOWN: &str = "{msg} {human_pos}/{human_len} {wide_bar} {per_sec}, {eta} left";
/// Where nothing is known but what is awaited.
const AWAITED: &str = "{spinner} {msg}, {elapsed} so far";

/// A bar over a known number of entries; one that only counts where `total` is 0.
pub(super) fn entries(total: u64, what: &'static str) -> ProgressBar {
    let template = if total == 0 { "{msg} {human_pos} ({per_sec})" } else { KNOWN };
    bar(total, what, template)
}

/// A bar that counts bytes whose number is not known before.
pub(super) fn bytes(what: &'static str) -> ProgressBar {
    bar(0, what, "{msg} {bytes} ({bytes_per_sec})")
}

/// Shows that something is awaited whose amount is not known. It goes when it is dropped.
pub(super) fn awaited(what: &'static str) -> ProgressBar {
    bar(0, what, AWAITED)
}

/// Shows how it goes with a job of a server, on what [`awaited`] made: as a bar once its amount is
/// known.
pub(super) fn tell_of_job(bar: &ProgressBar, job: &Value) {
    let total = job["total"].as_u64().unwrap_or(0);
    if total > 0 && bar.length() != Some(total) {
        bar.set_length(total);
        if let Ok(style) = ProgressStyle::with_template(KNOWN) {
            bar.set_style(style);
        }
    }
    bar.set_position(job["done"].as_u64().unwrap_or(0));
}

fn bar(total: u64, what: &'static str, template: &str) -> ProgressBar {
    // indicatif draws nothing where standard error is not a terminal.
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
