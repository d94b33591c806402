//! `chancery sources`.

use std::path::PathBuf;

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
    /// Say from where a source sends syslog.
    Syslog(SyslogArguments),
    /// Fetch events from an Okta organisation, or stop that.
    Poll(PollArguments),
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

/// Say from where a source sends syslog. What is not given stays; both must fit.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery sources syslog firewall --address 10.1.0.0/16
  chancery sources syslog vpn --certificate vpn.example.org
  chancery sources syslog vpn --nobody")]
pub struct SyslogArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// An address or range; may be repeated, and replaces those of before.
    #[arg(long = "address", value_name = "RANGE")]
    pub addresses: Vec<String>,
    /// A client certificate: SHA-256 fingerprint, or common or DNS name; may be repeated.
    #[arg(long = "certificate", value_name = "FINGERPRINT|NAME")]
    pub certificates: Vec<String>,
    /// It sends no syslog any more.
    #[arg(long, conflicts_with_all = ["addresses", "certificates"])]
    pub nobody: bool,
}

/// Fetch events from an Okta organisation, or stop that.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The token is read from the first line of standard input, or asked for. What is not given stays as it was.

Examples:
  chancery sources poll okta-production https://example.okta.com --filter 'eventType sw \"pki.\"' < token
  chancery sources poll okta-production https://okta.example.org --ca internal.pem --keep-token
  chancery sources poll okta-production --stop")]
pub struct PollArguments {
    /// The source; it must speak okta.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The address of the organisation.
    #[arg(value_name = "ADDRESS", required_unless_present = "stop")]
    pub address: Option<String>,
    /// Which events, in the language of their API; an empty text: all.
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    /// How often is asked, in seconds.
    #[arg(long, value_name = "SECONDS")]
    pub every: Option<u32>,
    /// Since when, such as 2026-11-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// A file with trust anchors instead of the machine's, PEM.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The trust anchors of the machine count again.
    #[arg(long, conflicts_with = "ca")]
    pub no_ca: bool,
    /// Keep the token that is there.
    #[arg(long)]
    pub keep_token: bool,
    /// Fetch nothing any more.
    #[arg(long)]
    pub stop: bool,
}
