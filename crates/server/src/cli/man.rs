//! `chancery man`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_mangen::Man;

use super::Cli;

/// Print the manual page of chancery(1), or write a page per command.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  chancery man | man -l -
  chancery man --output /usr/local/share/man/man1")]
pub struct ManArguments {
    /// Write chancery.1 and a page per command into this directory, which is made if missing.
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

impl ManArguments {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// That `out` or the directory cannot be written.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let Some(directory) = &self.output else {
            return Ok(Man::new(Cli::command()).render(out)?);
        };
        let place = || format!("cannot write manual pages to {}", directory.display());
        std::fs::create_dir_all(directory).with_context(place)?;
        clap_mangen::generate_to(Cli::command(), directory).with_context(place)
    }
}
