//! The program `chancery`: parses the command line and hands over.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use chancery_server::cli::Cli;
use chancery_server::terminal;
use clap::Parser;
use tikv_jemallocator::Jemalloc;

/// For the C libraries as well; see decision 16.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.run_alone(&cli.global, &mut terminal::out()) {
        Some(outcome) => outcome.map(|()| ExitCode::SUCCESS),
        None => run(cli),
    };
    outcome.unwrap_or_else(|error| {
        if !terminal::is_nobody_reading(&error) {
            terminal::complain(format_args!("error: {error:#}"));
        }
        ExitCode::FAILURE
    })
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(chancery_server::command::run(cli));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}
