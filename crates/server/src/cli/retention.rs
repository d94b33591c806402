//! `chancery retention`.

use clap::{Args, Subcommand};

/// See and set up which events leave the database, and which are held.
#[derive(Debug, Clone, Subcommand)]
pub enum RetentionCommand {
    /// Print every rule.
    List,
    /// Make a rule.
    Add(RuleArguments),
    /// Change a rule to what is given.
    Change(RuleArguments),
    /// Tell what a rule would remove now; nothing is changed.
    Preview(PreviewArguments),
    /// Delete a rule; what it removed stays removed.
    Delete(NameArgument),
    /// Follow all rules now and wait for the end.
    Run,
    /// Print the newest runs.
    Runs,
    /// Print every legal hold.
    Holds,
    /// Place a legal hold: no rule removes what it names.
    Hold(HoldArguments),
    /// End a legal hold.
    Release(NameArgument),
}

/// A rule.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery retention add sessions --filter 'type:session.*' --days 400
  chancery retention add expired --basis expiry --days 730")]
pub struct RuleArguments {
    /// Its name: lower-case letters, digits and hyphens.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it says.
    #[command(flatten)]
    pub what: PreviewArguments,
    /// It is kept but not followed.
    #[arg(long)]
    pub disabled: bool,
}

/// What a rule says.
#[derive(Debug, Clone, Args)]
pub struct PreviewArguments {
    /// Which events, in the condition language; every event unless given.
    #[arg(long, value_name = "FILTER", default_value = "")]
    pub filter: String,
    /// From what the days count: event (its time) or expiry (of its certificate).
    #[arg(long, value_name = "BASIS", default_value = "event")]
    pub basis: String,
    /// So many days after that they go.
    #[arg(long, value_name = "DAYS")]
    pub days: u32,
}

/// Which one.
#[derive(Debug, Clone, Args)]
pub struct NameArgument {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// A legal hold.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery retention hold case-2026-7 --certificate 0193a1c2-7f00-7abc-8def-0123456789ab \\
    --reason 'asked for by the court'
  chancery retention hold audit --filter 'family:certificate' --reason 'audit of 2026'")]
pub struct HoldArguments {
    /// Its name: lower-case letters, digits and hyphens.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which events; * for every event.
    #[arg(long, value_name = "FILTER", default_value = "", conflicts_with = "certificate")]
    pub filter: String,
    /// Every event about this certificate.
    #[arg(long, value_name = "ID", default_value = "")]
    pub certificate: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}
