//! What the commands do. Their arguments and help are in [`crate::cli`].
//!
//! One file per command. A command prints its result on standard output (`--json`: one document, or
//! one per line where it streams), everything else on standard error.

pub mod alerts;
mod automation;
pub mod backup;
pub mod catalogue;
pub mod certificates;
pub mod channels;
pub mod events;
pub mod forwarders;
pub mod jobs;
mod migrate_store;
pub mod monitors;
pub mod notices;
mod progress;
mod restore;
mod retention;
pub mod serve;
pub mod sources;
pub(crate) mod text;
pub mod token;
pub mod verify;

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{Cli, Command, SettingArguments};
use crate::config::Config;

/// Runs the command that was given; answers the exit status of the process.
///
/// # Errors
/// What the command reports, for the caller to print.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let global = &cli.global;
    match cli.command {
        Command::Serve(arguments) => return serve::run(&arguments).await,
        Command::Verify(arguments) => return Ok(verify::run(global, &arguments).await),
        Command::Events(command) => events::run(global, command).await?,
        Command::Alerts(command) => alerts::run(global, command).await?,
        Command::Monitors(command) => monitors::run(global, command).await?,
        Command::Schedules(command) => monitors::run_schedules(global, command).await?,
        Command::Jobs(command) => jobs::run(global, command).await?,
        Command::Channels(command) => channels::run(global, command).await?,
        Command::Notices(command) => notices::run(global, command).await?,
        Command::Forwarders(command) => forwarders::run(global, command).await?,
        Command::Sources(command) => sources::run(global, command).await?,
        Command::Retention(command) => retention::run(global, command).await?,
        Command::Certificates(command) => return certificates::run(global, command).await,
        Command::Catalogue(command) => {
            catalogue::run(global, &command, &mut crate::terminal::out())?
        }
        Command::Token(command) => token::run(global, &command).await?,
        Command::Backup(arguments) => return backup::run(global, &arguments).await,
        Command::Restore(arguments) => restore::run(global, &arguments).await?,
        Command::MigrateStore(arguments) => migrate_store::run(global, &arguments).await?,
        Command::Bench(arguments) => crate::bench::run(&arguments, global.json).await?,
        Command::Config(command) => automation::run(global, &command).await?,
        // Those that stand alone have been run by `run_alone` before.
        Command::Completions(_) | Command::Man(_) | Command::Version => {
            anyhow::bail!("this command stands alone and was not run")
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The configuration of this machine: file and environment, no flags.
fn configured() -> Result<Config> {
    let config = std::env::var_os("CHANCERY_CONFIG").map(Into::into);
    let settings = SettingArguments { config, ..SettingArguments::default() };
    Ok(Config::load(&settings.inputs(false))?)
}
