//! The program `chancery`: parses the command line and hands over.

use std::process::ExitCode;

use chancery_server::cli::Cli;
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.run_alone(&cli.global, &mut std::io::stdout().lock()) {
        Some(outcome) => outcome.map(|()| ExitCode::SUCCESS),
        None => run(cli),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(chancery_server::command::run(cli));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}
