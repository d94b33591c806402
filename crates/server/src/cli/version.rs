//! `chancery version`.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::GlobalArguments;

/// The version of the program, as in `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs the command.
///
/// # Errors
///
/// That `out` cannot be written.
pub fn run(global: &GlobalArguments, out: &mut dyn Write) -> Result<()> {
    if global.json {
        writeln!(out, "{}", json!({ "name": "chancery", "version": VERSION }))?;
    } else {
        writeln!(out, "chancery {VERSION}")?;
    }
    Ok(())
}
