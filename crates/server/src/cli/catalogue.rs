//! `chancery catalogue`.

use clap::{Args, Subcommand};

/// Look up the event types there are. Needs no server.
#[derive(Debug, Clone, Subcommand)]
pub enum CatalogueCommand {
    /// List the event types.
    List(CatalogueListArguments),
    /// Show one event type with its schema and its names in other systems.
    Show(CatalogueShowArguments),
}

/// List the event types.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery catalogue list certificate.
  chancery catalogue list --json | jq -r '.[].name'")]
pub struct CatalogueListArguments {
    /// Only names that contain this text.
    #[arg(value_name = "TEXT")]
    pub text: Option<String>,
}

/// Show one event type with its schema and its names in other systems.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  chancery catalogue show certificate.upload")]
pub struct CatalogueShowArguments {
    /// Its name, or its name in another system.
    #[arg(value_name = "TYPE")]
    pub event_type: String,
}
