//! The program `chancery`: parses the command line and hands over.

use std::process::ExitCode;

use chancery_server::cli::Cli;
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = cli.command.run_alone(&cli.global, &mut std::io::stdout().lock());
    match outcome {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("error: this command is not part of this build");
            ExitCode::from(2)
        }
    }
}
