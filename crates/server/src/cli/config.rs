//! `chancery config`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{GlobalArguments, SettingArguments};
use crate::config::{Config, Effective, trial};

/// Look at the settings of the program; read and write the automation of a server.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting that results, and where it comes from.
    Check(ConfigCheckArguments),
    /// Write the automation of a server as a file.
    Export(ConfigExportArguments),
    /// Print what applying a file would change.
    Plan(ConfigFileArguments),
    /// Print what a file would have done differently on recorded history.
    Diff(ConfigDiffArguments),
    /// Make the automation of a server as a file says, as one revision.
    Apply(ConfigFileArguments),
}

/// Write the automation of a server as a TOML file: rules, actions, triggers, scopes, monitors.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  chancery config export > automation.toml")]
pub struct ConfigExportArguments {
    /// Where to write it; standard output unless named.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A file of automation.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  chancery config plan automation.toml
  chancery config apply automation.toml --prune")]
pub struct ConfigFileArguments {
    /// The TOML file; - is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Objects that the file does not have go.
    #[arg(long)]
    pub prune: bool,
}

/// What a file would have done differently: recorded events are evaluated with what is saved and
/// with the file, and the verdicts that differ are told. Nothing is carried out.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  chancery config diff automation.toml --from 2026-11-01T00:00:00Z")]
pub struct ConfigDiffArguments {
    /// The file.
    #[command(flatten)]
    pub file: ConfigFileArguments,
    /// From this time on, as in 2026-11-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
}

/// Print every setting that results, and where it comes from; or every problem, with status 1.
///
/// Reads what `chancery serve` would read with the same flags, the files of TLS as well, and starts
/// nothing. A directory for the data that is absent is not made. Secrets are
/// shown as (set).
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  chancery config check
  chancery config check --config new.toml && systemctl restart chancery")]
pub struct ConfigCheckArguments {
    /// As with `serve --demo`.
    #[arg(long)]
    pub demo: bool,
    /// What the configuration file also can.
    #[command(flatten)]
    pub settings: SettingArguments,
}

impl ConfigCommand {
    /// Runs the command, if it needs no server.
    ///
    /// # Errors
    ///
    /// All problems of the configuration in one error, or that `out` cannot be written.
    pub fn run(&self, global: &GlobalArguments, out: &mut dyn Write) -> Option<Result<()>> {
        let Self::Check(arguments) = self else { return None };
        Some(check(arguments, global, out))
    }
}

fn check(
    arguments: &ConfigCheckArguments,
    global: &GlobalArguments,
    out: &mut dyn Write,
) -> Result<()> {
    let config = Config::load_to_serve(&arguments.settings.inputs(arguments.demo))?;
    trial::start(&config)?;
    if global.json { write_json(&config, out) } else { write_text(&config, out) }
}

fn write_json(config: &Config, out: &mut dyn Write) -> Result<()> {
    let settings: Vec<_> = config.effective.iter().map(Effective::document).collect();
    let file = config.file.as_ref().map(|file| file.display().to_string());
    let document = json!({ "file": file, "settings": settings, "warnings": config.warnings });
    writeln!(out, "{document:#}")?;
    Ok(())
}

fn write_text(config: &Config, out: &mut dyn Write) -> Result<()> {
    let value = |effective: &Effective| effective.value.clone().unwrap_or_else(|| "—".into());
    let width = |length: fn(&Effective) -> usize| config.effective.iter().map(length).max();
    let keys = width(|effective| effective.key.len()).unwrap_or(0);
    let values = width(|effective| effective.value.as_ref().map_or(1, |v| v.chars().count()));
    let values = values.unwrap_or(0).min(40);
    match &config.file {
        Some(file) => writeln!(out, "file: {}\n", file.display())?,
        None => writeln!(out, "file: none\n")?,
    }
    for effective in &config.effective {
        let (key, value) = (effective.key, value(effective));
        writeln!(out, "{key:keys$}  {value:values$}  ({})", effective.source)?;
    }
    for warning in &config.warnings {
        writeln!(out, "\nwarning: {warning}")?;
    }
    Ok(())
}
