//! `chancery sources`.

use clap::{Args, Subcommand};

/// See and set up the systems that send their events here.
#[derive(Debug, Clone, Subcommand)]
pub enum SourcesCommand {
    /// Print every source with what came of it.
    List,
    /// Make a source and print its secret.
    Add(AddArguments),
    /// Let a source send again.
    Enable(SourceArguments),
    /// Refuse what a source sends.
    Disable(SourceArguments),
    /// Give a source a new secret and print it; the old one ends at once.
    Renew(SourceArguments),
    /// Delete a source; its events stay.
    Delete(SourceArguments),
}

/// Make a source and print its secret.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery sources add okta-production okta
  chancery sources add firewall rfc5424")]
pub struct AddArguments {
    /// Its name: lower-case letters, digits and hyphens.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it speaks: cloudevents, okta, akeyless, horizon, czertainly, qcecuring, ocsf, ecs, cef,
    /// leef or rfc5424.
    #[arg(value_name = "DIALECT")]
    pub dialect: String,
}

/// Which source.
#[derive(Debug, Clone, Args)]
pub struct SourceArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
}
