//! `chancery token`.

use clap::{Args, Subcommand};

use super::SettingArguments;

/// Create, list and revoke API tokens.
///
/// With --server over its API. Without, directly in the data directory, which must not be in use by
/// a server: for setting up unattended.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Create a token and print it, once.
    Create(TokenCreateArguments),
    /// List the tokens, without their secrets.
    List(TokenListArguments),
    /// Revoke a token at once.
    Revoke(TokenRevokeArguments),
}

/// List the tokens, without their secrets.
#[derive(Debug, Clone, Default, Args)]
pub struct TokenListArguments {
    /// Which data, where no server is named.
    #[command(flatten)]
    pub settings: SettingArguments,
}

/// Create a token and print it. It is shown this once and kept only as a hash.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery token create monitoring --role auditor --days 90
  chancery token create first --data-dir /srv/chancery
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
    /// Which data, where no server is named.
    #[command(flatten)]
    pub settings: SettingArguments,
}

/// Revoke a token at once. Requests that carry it are refused from then on.
#[derive(Debug, Clone, Args)]
pub struct TokenRevokeArguments {
    /// Its id, as listed.
    #[arg(value_name = "TOKEN-ID")]
    pub id: String,
    /// Which data, where no server is named.
    #[command(flatten)]
    pub settings: SettingArguments,
}
