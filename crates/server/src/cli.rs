//! The command line: its commands, their arguments, and their help.
//!
//! The doc comments in this folder are the help texts. Arguments are plain structs, so that a
//! command can be called without a command line. What a command *does* is not here, except for the
//! few that need neither data nor a server ([`Command::run_alone`]).

pub mod alerts;
pub mod backup;
pub mod bench;
pub mod catalogue;
pub mod certificates;
pub mod channels;
pub mod completions;
pub mod config;
pub mod events;
pub mod forwarders;
pub mod jobs;
pub mod man;
pub mod monitors;
pub mod notices;
pub mod retention;
pub mod serve;
pub mod settings;
pub mod sources;
pub mod token;
pub mod verify;
pub mod version;

use clap::{Args, Parser, Subcommand};

pub use settings::SettingArguments;

/// Certificate-lifecycle event centre: every certificate, everything that happens to it, provably.
///
/// One program keeps the inventory, records every operation in a sealed log that anyone can verify,
/// and shows both in a browser, over an API and on this command line.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "\
Try it, with data that is thrown away by deleting one directory:
  chancery serve --demo

Talk to a running server:
  export CHANCERY_URL=https://chancery.example.org CHANCERY_TOKEN=…
  chancery events tail

Check the log of a server without trusting it:
  chancery verify --url https://chancery.example.org/log")]
pub struct Cli {
    #[command(flatten)]
    /// Options of every command.
    pub global: GlobalArguments,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct GlobalArguments {
    /// Print JSON instead of text for people.
    #[arg(long, global = true)]
    pub json: bool,
    /// The running server to talk to.
    #[arg(long, global = true, value_name = "URL", env = "CHANCERY_URL")]
    pub server: Option<String>,
    /// The API token to use there; better given by the variable, which others cannot read.
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "CHANCERY_TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(serve::ServeArguments),
    /// Verify a log, a range of it, an export or a single proof.
    Verify(verify::VerifyArguments),
    /// Read the event log of a server.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// See what needs somebody, and say who takes care of it.
    #[command(subcommand)]
    Alerts(alerts::AlertsCommand),
    /// See how monitors stand, run and pause them, see what they will report.
    #[command(subcommand)]
    Monitors(monitors::MonitorsCommand),
    /// See how schedules stand, run and pause them.
    #[command(subcommand)]
    Schedules(monitors::SchedulesCommand),
    /// See what runs in the background, cancel it, try it again.
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// See how channels stand, change them, try them out.
    #[command(subcommand)]
    Channels(channels::ChannelsCommand),
    /// See who was told of what and why not, and which certificates reach nobody.
    #[command(subcommand)]
    Notices(notices::NoticesCommand),
    /// See how forwarders stand, change them, send again what did not arrive.
    #[command(subcommand)]
    Forwarders(forwarders::ForwardersCommand),
    /// See and set up the systems that send their events here.
    #[command(subcommand)]
    Sources(sources::SourcesCommand),
    /// See and set up which events leave the database, and which are held.
    #[command(subcommand)]
    Retention(retention::RetentionCommand),
    /// Upload, import and look up certificates.
    #[command(subcommand, visible_alias = "certs")]
    Certificates(certificates::CertificatesCommand),
    /// Look up the event types there are.
    #[command(subcommand)]
    Catalogue(catalogue::CatalogueCommand),
    /// Create, list and revoke API tokens.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Write a consistent copy of the data while the server runs.
    Backup(backup::BackupArguments),
    /// Put a backup back as the data directory.
    Restore(backup::RestoreArguments),
    /// Move the embedded database to a PostgreSQL server.
    MigrateStore(backup::MigrateStoreArguments),
    /// Measure this machine: recording, sealing, searching.
    Bench(bench::BenchArguments),
    /// Look at the settings; read and write the automation of a server.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print the completions of a shell.
    Completions(completions::CompletionsArguments),
    /// Print the manual, or write a page per command.
    Man(man::ManArguments),
    /// Print the version.
    Version,
}

impl Command {
    /// Runs a command that needs neither data nor a server, and writes to `out`.
    ///
    /// `None` means that the command is not one of those and was not run.
    ///
    /// # Errors
    ///
    /// What the command reports: problems of the configuration, or that writing failed.
    pub fn run_alone(
        &self,
        global: &GlobalArguments,
        out: &mut dyn std::io::Write,
    ) -> Option<anyhow::Result<()>> {
        Some(match self {
            Self::Config(command) => return command.run(global, out),
            Self::Completions(arguments) => arguments.run(out),
            Self::Man(arguments) => arguments.run(out),
            Self::Version => version::run(global, out),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
