//! `chancery notices`.

use clap::{Args, Subcommand};

/// See who was told of what and why not, and which certificates reach nobody.
#[derive(Debug, Clone, Subcommand)]
pub enum NoticesCommand {
    /// Print decisions, newest first.
    List(NoticeListArguments),
    /// Print why somebody was told of an event, or was not.
    Why(WhyArguments),
    /// Print who will be told of a certificate.
    Coverage(CoverageArguments),
    /// Print certificates that reach nobody, or not by a message.
    Unreached(UnreachedArguments),
    /// Print what a profile would make of a past event.
    Preview(PreviewArguments),
    /// Let repetitions about an object begin anew: what comes next is told.
    Reset(ResetArguments),
    /// Print the mail addresses that servers refuse.
    Bouncing,
    /// Let mail go again to an address that a server refused.
    Clear(ClearArguments),
}

/// An address.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery notices clear ada@example.org")]
pub struct ClearArguments {
    /// The mail address.
    #[arg(value_name = "ADDRESS")]
    pub address: String,
}

/// An object.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery notices reset certificate/01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4 --profile default")]
pub struct ResetArguments {
    /// What it is about, as kind/id.
    #[arg(value_name = "OBJECT")]
    pub object: String,
    /// Of this profile alone.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

/// Which decisions.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery notices list --decision skipped --reason no_address")]
pub struct NoticeListArguments {
    /// A search expression, such as 'account:ada channel:mail'.
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// sent, held or skipped.
    #[arg(long, value_name = "DECISION")]
    pub decision: Option<String>,
    /// Why, such as no_address or quiet_hours.
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
    /// By this profile.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Of this event.
    #[arg(long, value_name = "ID")]
    pub event: Option<String>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: u64,
}

/// An event and a person.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery notices why 01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4")]
pub struct WhyArguments {
    /// Identifier of the event.
    #[arg(value_name = "EVENT")]
    pub event: String,
    /// Identifier of the account; without it, you.
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
}

/// A certificate.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery notices coverage 01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4")]
pub struct CoverageArguments {
    /// Identifier of the certificate.
    #[arg(value_name = "CERTIFICATE")]
    pub certificate: String,
}

/// Which certificates.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery notices unreached --state nobody --path /prod")]
pub struct UnreachedArguments {
    /// nobody, fallback or bell.
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// In this folder, or below it.
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<String>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: u64,
}

/// A profile and an event.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery notices preview default")]
pub struct PreviewArguments {
    /// Name of the profile.
    #[arg(value_name = "PROFILE")]
    pub profile: String,
    /// Identifier of the event; without it, the newest that fits.
    #[arg(long, value_name = "ID")]
    pub event: Option<String>,
}
