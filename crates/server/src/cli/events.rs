//! `chancery events`.

use std::path::PathBuf;

use chancery_event::Dialect;
use clap::{Args, Subcommand, ValueEnum};

/// Read the event log of a server.
#[derive(Debug, Clone, Subcommand)]
pub enum EventsCommand {
    /// Print the newest events that a filter selects.
    List(ListArguments),
    /// Print events as they are sealed, until interrupted.
    Tail(TailArguments),
    /// Print one event, in the shape of any system.
    Show(ShowArguments),
    /// Write all events that a filter selects to a file.
    Export(ExportArguments),
}

/// Print one event, in the shape of any system.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery events show 48213
  chancery events show 48213 --dialect okta
  chancery events show 01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4 --dialect cef")]
pub struct ShowArguments {
    /// Which event: its identifier or its log index.
    #[arg(value_name = "EVENT")]
    pub event: String,
    /// The shape: cloudevents, okta, akeyless, horizon, czertainly, qcecuring, ocsf, ecs, cef,
    /// leef, rfc5424 and others.
    #[arg(long, value_name = "DIALECT", default_value = "cloudevents", value_parser = dialect)]
    pub dialect: Dialect,
}

/// Reads the name of a dialect.
fn dialect(text: &str) -> Result<Dialect, String> {
    Dialect::named(text).map_err(|error| error.to_string())
}

/// Print the newest events that a filter selects, newest first.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery events list
  chancery events list 'type:certificate.* outcome:failure' --limit 20
  chancery events list 'time>=2026-11-01' --json")]
pub struct ListArguments {
    /// Which events, in the language of the search box.
    #[arg(value_name = "FILTER", default_value = "", hide_default_value = true)]
    pub filter: String,
    /// At most so many events.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    pub limit: u64,
    /// Only events before this log index: the next page.
    #[arg(long, value_name = "INDEX")]
    pub before: Option<u64>,
}

/// Print events as they are sealed, until interrupted.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery events tail
  chancery events tail 'severity>=warning'
  chancery events tail --from 0 --json | jq .type")]
pub struct TailArguments {
    /// Which events, in the language of the search box.
    #[arg(value_name = "FILTER", default_value = "", hide_default_value = true)]
    pub filter: String,
    /// Begin at this log index [default: with the next event].
    #[arg(long, value_name = "INDEX")]
    pub from: Option<u64>,
}

/// Write all events that a filter selects to a file, oldest first.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery events export --output events.jsonl
      With log indexes and proofs: `chancery verify --export events.jsonl` checks it.

  chancery events export 'type:certificate.*' --format csv > certificates.csv

  chancery events export --dialect ocsf > events.ocsf.ndjson")]
pub struct ExportArguments {
    /// Which events, in the language of the search box.
    #[arg(value_name = "FILTER", default_value = "", hide_default_value = true)]
    pub filter: String,
    /// The form of the file.
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub format: ExportFormat,
    /// One event a line in the shape of another system instead, such as ocsf or cef.
    #[arg(long, value_name = "DIALECT", value_parser = dialect, conflicts_with = "format")]
    pub dialect: Option<Dialect>,
    /// Where to write [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The first log index.
    #[arg(long, value_name = "INDEX")]
    pub from: Option<u64>,
    /// The last log index, itself included.
    #[arg(long, value_name = "INDEX")]
    pub to: Option<u64>,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One event a line, as CloudEvents JSON; can be verified.
    #[value(alias = "ndjson")]
    Jsonl,
    /// A table for spreadsheets.
    Csv,
}
