//! `chancery jobs`.

use clap::{Args, Subcommand};

/// See what runs in the background, cancel it, try it again.
#[derive(Debug, Clone, Subcommand)]
pub enum JobsCommand {
    /// Print the jobs that a filter selects, the newest first.
    List(ListArguments),
    /// Print a job with everything that is known of it.
    Show(JobArguments),
    /// Cancel a job that has not ended; what it did already stays.
    Cancel(JobArguments),
    /// Queue a failed job again.
    Retry(JobArguments),
}

/// Print the jobs that a filter selects, the newest first.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery jobs list state:failed
  chancery jobs list 'by:schedule/nightly asked:last(7d)' --json")]
pub struct ListArguments {
    /// Which jobs, in the language of the search box.
    #[arg(value_name = "FILTER", default_value = "", hide_default_value = true)]
    pub filter: String,
    /// At most so many jobs.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    pub limit: u64,
}

/// Which job.
#[derive(Debug, Clone, Args)]
pub struct JobArguments {
    /// Its identifier.
    #[arg(value_name = "ID")]
    pub id: String,
}
