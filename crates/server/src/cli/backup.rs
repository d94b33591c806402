//! `chancery backup`.

use std::path::PathBuf;

use clap::Args;

use super::SettingArguments;

/// Write a consistent copy of the data, also while the server runs.
///
/// The copy is a data directory of its own: the server starts from it, and `chancery verify
/// --data-dir` checks it. The configuration is not part of it, nor is any passphrase.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  chancery backup /backup/chancery-$(date +%F) && \\
      chancery verify --data-dir /backup/chancery-$(date +%F)")]
pub struct BackupArguments {
    /// The directory to write to; it must not exist, or be empty.
    #[arg(value_name = "DEST")]
    pub destination: PathBuf,
    /// Which data.
    #[command(flatten)]
    pub settings: SettingArguments,
}
