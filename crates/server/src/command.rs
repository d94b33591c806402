//! What the commands do. Their arguments and help are in [`crate::cli`].

pub mod serve;

use std::process::ExitCode;

use crate::cli::{Cli, Command};

/// Runs the command that was given; answers the exit status of the process.
///
/// # Errors
/// What the command reports, for the caller to print.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(arguments) => serve::run(&arguments).await,
        _ => anyhow::bail!("this command is not part of this build"),
    }
}
