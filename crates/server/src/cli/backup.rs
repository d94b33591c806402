//! `chancery backup` and `chancery restore`.

use std::path::PathBuf;

use clap::Args;

use super::SettingArguments;

/// Write a consistent copy of the data, also while the server runs.
///
/// The copy is a data directory of its own: `chancery restore` puts it back, and `chancery verify
/// --data-dir` checks it. The configuration is not part of it, nor is any passphrase.
///
/// With --server, the running server makes it in its `backup_dir` and records it. Without, this
/// command makes it; it is recorded if no server runs on the data.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery backup --server https://chancery.example.org
      Made and recorded by the running server, with the token in CHANCERY_TOKEN.

  chancery backup /backup/chancery-$(date +%F) && \\
      chancery verify --data-dir /backup/chancery-$(date +%F)
      On the machine that has the data.")]
pub struct BackupArguments {
    /// The directory to write to; it must not exist, or be empty. Not with --server.
    #[arg(value_name = "DEST")]
    pub destination: Option<PathBuf>,
    /// Which data.
    #[command(flatten)]
    pub settings: SettingArguments,
}

/// Put a backup back as the data directory, and record that.
///
/// The backup is verified first. Nothing is overwritten: the data directory of the configuration
/// must not exist, or be empty. What was recorded after the backup is not in it; name the newest
/// checkpoint that anybody has of the log with --published, and the loss is told and recorded.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  chancery restore /backup/chancery-2026-11-21 --data-dir /var/lib/chancery \\
      --published checkpoint.txt")]
pub struct RestoreArguments {
    /// The backup.
    #[arg(value_name = "BACKUP")]
    pub backup: PathBuf,
    /// A file with the newest published checkpoint: an answer of /log/checkpoint, or a witness's.
    #[arg(long, value_name = "FILE")]
    pub published: Option<PathBuf>,
    /// Where to.
    #[command(flatten)]
    pub settings: SettingArguments,
}
