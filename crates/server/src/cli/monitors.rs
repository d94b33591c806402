//! `chancery monitors` and `chancery schedules`.

use clap::{Args, Subcommand};

/// See how monitors stand, run and pause them, see what they will report.
#[derive(Debug, Clone, Subcommand)]
pub enum MonitorsCommand {
    /// Print the monitors that a filter selects, with their last and next runs.
    #[command(after_help = "\
Examples:
  chancery monitors list
  chancery monitors list 'state:failed,missing,broken'")]
    List(FilterArguments),
    /// Run a monitor now and print what it counted.
    #[command(after_help = "\
Examples:
  chancery monitors run certificate-expiry")]
    Run(NameArguments),
    /// Let a monitor rest until it is resumed.
    Pause(NameArguments),
    /// Let a paused monitor go on.
    Resume(NameArguments),
    /// Print what a monitor will report in the days to come.
    Forecast(ForecastArguments),
}

/// See how schedules stand, run and pause them.
#[derive(Debug, Clone, Subcommand)]
pub enum SchedulesCommand {
    /// Print the schedules that a filter selects, with their last and next runs.
    #[command(after_help = "\
Examples:
  chancery schedules list
  chancery schedules list 'job:backup.create next_run<1d'")]
    List(FilterArguments),
    /// Queue the job of a schedule now.
    Run(RunArguments),
    /// Let a schedule rest until it is resumed.
    Pause(NameArguments),
    /// Let a paused schedule go on.
    Resume(NameArguments),
}

/// Which ones.
#[derive(Debug, Clone, Args)]
pub struct FilterArguments {
    /// Which ones, in the language of the search box.
    #[arg(value_name = "FILTER", default_value = "", hide_default_value = true)]
    pub filter: String,
}

/// Which one.
#[derive(Debug, Clone, Args)]
pub struct NameArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Queue the job of a schedule now, and print it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery schedules run log-verification
  chancery schedules run nightly --wait && echo 'it is done'")]
pub struct RunArguments {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Wait until the job has ended; fail if it does.
    #[arg(long)]
    pub wait: bool,
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
