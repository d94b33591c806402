//! `chancery channels`.

use clap::{Args, Subcommand};

/// See how channels stand, make and change them, try them out.
#[derive(Debug, Clone, Subcommand)]
pub enum ChannelsCommand {
    /// Print every channel with its state.
    List,
    /// Print one channel.
    Show(ChannelArguments),
    /// Make a channel from a JSON file.
    Create(ChannelFileArguments),
    /// Replace what a channel says by a JSON file.
    Update(ChannelFileArguments),
    /// Send a trial message and print what came of it.
    Test(ChannelTestArguments),
    /// Switch a channel on; what waits is sent.
    Enable(ChannelArguments),
    /// Switch a channel off; what comes waits.
    Disable(ChannelArguments),
    /// Send again everything that was given up since a time.
    Recover(ChannelRecoverArguments),
    /// Delete a channel.
    Delete(ChannelArguments),
}

/// A channel.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery channels show mail")]
pub struct ChannelArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// A channel and what it is to say.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The file holds the body of the channel: kind, title, settings.

Examples:
  chancery channels create mail mail.json --secret password=/run/secrets/smtp")]
pub struct ChannelFileArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// A JSON file; - for standard input.
    #[arg(value_name = "FILE")]
    pub file: String,
    /// A secret, read from a file so that it does not stand in the list of processes.
    #[arg(long = "secret", value_name = "NAME=FILE")]
    pub secrets: Vec<String>,
}

/// A channel and whom the trial goes to.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery channels test mail --to ada@example.org")]
pub struct ChannelTestArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// A mail address; without one, those of the channel or your own.
    #[arg(long = "to", value_name = "ADDRESS")]
    pub to: Vec<String>,
}

/// A channel and a time.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery channels recover mail --since 2026-11-20T00:00:00Z")]
pub struct ChannelRecoverArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Messages made at this time or later.
    #[arg(long, value_name = "TIME", default_value = "1970-01-01T00:00:00Z")]
    pub since: String,
}
