//! `chancery forwarders`.

use clap::{Args, Subcommand};

/// See how forwarders stand, make and change them, send again what did not arrive.
#[derive(Debug, Clone, Subcommand)]
pub enum ForwardersCommand {
    /// Print every forwarder with its state and its backlog.
    List,
    /// Print one forwarder.
    Show(NameArguments),
    /// Make a forwarder from a JSON file.
    Create(CreateArguments),
    /// Replace what a forwarder says by a JSON file.
    Update(CreateArguments),
    /// Print how much the selection of a JSON file would have got of the last week; saves nothing.
    Preview(FileArguments),
    /// Send a trial and print what came of it.
    Test(NameArguments),
    /// Switch a forwarder on; it goes on where it was.
    Enable(NameArguments),
    /// Switch a forwarder off.
    Disable(NameArguments),
    /// Send a part of the log once more: everything from an index on, or up to another.
    Replay(ReplayArguments),
    /// Send again everything that was given up since a time.
    Recover(RecoverArguments),
    /// Replace the signing secret and print the new one.
    RotateSecret(RotateArguments),
    /// Print deliveries, newest first.
    Deliveries(DeliveriesArguments),
    /// Send one delivery again.
    Resend(ResendArguments),
    /// Delete a forwarder.
    Delete(NameArguments),
}

/// A forwarder.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery forwarders test soc-webhook")]
pub struct NameArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// What a forwarder is to say.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery forwarders preview soc.json")]
pub struct FileArguments {
    /// A JSON file; - for standard input.
    #[arg(value_name = "FILE")]
    pub file: String,
}

/// A forwarder and what it is to say.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The file holds the body of the forwarder: kind, select, settings and so on.

Examples:
  chancery forwarders create soc-webhook soc.json --secret token=/run/secrets/soc-token
  chancery forwarders update soc-webhook soc.json")]
pub struct CreateArguments {
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

/// A forwarder and an index.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery forwarders replay soc-webhook --from 0
  chancery forwarders replay soc-webhook --from 1200 --to 1300")]
pub struct ReplayArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The log index to go on from.
    #[arg(long, value_name = "INDEX")]
    pub from: u64,
    /// The log index to end before; where the forwarder is now unless told otherwise.
    #[arg(long, value_name = "INDEX")]
    pub to: Option<u64>,
}

/// A forwarder and a time.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery forwarders recover soc-webhook --since 2026-11-20T00:00:00Z")]
pub struct RecoverArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Deliveries made at this time or later.
    #[arg(long, value_name = "TIME", default_value = "1970-01-01T00:00:00Z")]
    pub since: String,
}

/// A forwarder and how long the old secret stays.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery forwarders rotate-secret soc-webhook --overlap-hours 48")]
pub struct RotateArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Hours for which the old secret signs as well.
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub overlap_hours: u32,
}

/// Which deliveries.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery forwarders deliveries --forwarder soc-webhook --state dead")]
pub struct DeliveriesArguments {
    /// Of this forwarder.
    #[arg(long, value_name = "NAME")]
    pub forwarder: Option<String>,
    /// waiting, delivered or dead.
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: u64,
}

/// A delivery.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery forwarders resend 01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4")]
pub struct ResendArguments {
    /// Its identifier.
    #[arg(value_name = "ID")]
    pub id: String,
}
