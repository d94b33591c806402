//! `chancery monitors`.

use clap::{Args, Subcommand};

/// See how monitors stand, run one, see what it will report.
#[derive(Debug, Clone, Subcommand)]
pub enum MonitorsCommand {
    /// Print every monitor with its last and next run.
    List,
    /// Run a monitor now and print what it counted.
    Run(RunArguments),
    /// Print what a monitor will report in the days to come.
    Forecast(ForecastArguments),
}

/// Run a monitor now and print what it counted.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery monitors run certificate-expiry")]
pub struct RunArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Print what a monitor will report, with the inventory and the definition as they are now.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery monitors forecast certificate-expiry --days 90
  chancery monitors forecast authority-expiry --days 365 --json")]
pub struct ForecastArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How many days to look ahead.
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub days: u32,
}
