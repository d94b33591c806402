//! `chancery completions`.

use std::io::Write;

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;

/// Print the completions of a shell.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery completions bash > /etc/bash_completion.d/chancery
  chancery completions zsh > \"${fpath[1]}/_chancery\"
  chancery completions fish > ~/.config/fish/completions/chancery.fish")]
pub struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

impl CompletionsArguments {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// That `out` cannot be written.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        // Into memory first: the generator panics where a pipe is closed early.
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "chancery", &mut text);
        Ok(out.write_all(&text)?)
    }
}
