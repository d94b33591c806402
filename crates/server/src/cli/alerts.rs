//! `chancery alerts`.

use clap::{Args, Subcommand};

/// See what needs somebody, and say who takes care of it.
#[derive(Debug, Clone, Subcommand)]
pub enum AlertsCommand {
    /// Print the alerts that a filter selects, the newest first.
    List(ListArguments),
    /// Acknowledge alerts: say that you take care of them.
    Ack(SelectArguments),
    /// Declare alerts dealt with.
    Resolve(ResolveArguments),
}

/// Print the alerts that a filter selects, the newest first; resolved ones only if asked for.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery alerts list
  chancery alerts list 'severity>=error -assigned_to:*'
  chancery alerts list state:resolved --limit 10 --json")]
pub struct ListArguments {
    /// Which alerts, in the language of the search box.
    #[arg(value_name = "FILTER", default_value = "", hide_default_value = true)]
    pub filter: String,
    /// At most so many alerts.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    pub limit: u64,
}

/// Acknowledge the alerts that a filter selects.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery alerts ack id:01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4
  chancery alerts ack kind:job_failed")]
pub struct SelectArguments {
    /// Which alerts, in the language of the search box.
    #[arg(value_name = "FILTER")]
    pub filter: String,
}

/// Resolve the alerts that a filter selects.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery alerts resolve kind:event_quarantined --comment 'a restore test'")]
pub struct ResolveArguments {
    /// Which alerts, in the language of the search box.
    #[arg(value_name = "FILTER")]
    pub filter: String,
    /// What there is to say about it.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}
