//! `chancery token`.

use clap::{Args, Subcommand};

/// Create, list and revoke API tokens.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Create a token and print it, once.
    Create(TokenCreateArguments),
    /// List the tokens, without their secrets.
    List,
    /// Revoke a token at once.
    Revoke(TokenRevokeArguments),
}

/// Create a token and print it. It is shown this once and kept only as a hash.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery token create monitoring --role auditor --days 90
  CHANCERY_TOKEN=$(chancery token create shell --days 1)")]
pub struct TokenCreateArguments {
    /// What it is for; this is the actor in events.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The role it acts in [default: that of the caller].
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// It ends after so many days.
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub days: u32,
}

/// Revoke a token at once. Requests that carry it are refused from then on.
#[derive(Debug, Clone, Args)]
pub struct TokenRevokeArguments {
    /// Its id, as listed.
    #[arg(value_name = "TOKEN-ID")]
    pub id: String,
}
