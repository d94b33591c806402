//! `chancery backup`, `chancery restore` and `chancery migrate-store`.

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
      --published checkpoint.txt

  pg_restore --dbname=chancery chancery.dump && \\
      chancery restore --in-place --published checkpoint.txt
      With the database on a PostgreSQL server.")]
pub struct RestoreArguments {
    /// The backup.
    #[arg(value_name = "BACKUP", required_unless_present = "in_place")]
    pub backup: Option<PathBuf>,
    /// The database was put back already, with the tools of its server: compare, tell, record.
    ///
    /// Without --published, the checkpoint is taken that this node keeps in its data directory.
    #[arg(long, conflicts_with = "backup")]
    pub in_place: bool,
    /// A file with the newest published checkpoint: an answer of /log/checkpoint, or a witness's.
    #[arg(long, value_name = "FILE")]
    pub published: Option<PathBuf>,
    /// The directory with the entries that were removed from the database, for as long as the
    /// command runs [default: the archive of the configuration, or `archive` in the data
    /// directory].
    #[arg(long, value_name = "DIR")]
    pub archive: Option<PathBuf>,
    /// Where to.
    #[command(flatten)]
    pub settings: SettingArguments,
}

/// Move the embedded database to a PostgreSQL server; the same log goes on there.
///
/// Stop the server first. The database named must be empty. Everything is copied in one
/// transaction and verified; then the embedded database is renamed, and the server starts on the
/// same data directory with `database` set to the new address.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  createdb --encoding=UTF8 --template=template0 --owner=chancery chancery
  CHANCERY_DATABASE_PASSWORD_FILE=/etc/chancery/database-password \\
      chancery migrate-store --to postgres://chancery@db.example.org/chancery")]
pub struct MigrateStoreArguments {
    /// The address of the empty database. Its password does not belong here, where everybody on
    /// this machine can read it, but into `database_password_file` or CHANCERY_DATABASE_PASSWORD.
    #[arg(
        long,
        value_name = "URL",
        env = "CHANCERY_MIGRATE_TO",
        hide_env_values = true,
        required_unless_present = "to_file"
    )]
    pub to: Option<String>,
    /// A file that holds the address.
    #[arg(long, value_name = "FILE")]
    pub to_file: Option<PathBuf>,
    /// Which data.
    #[command(flatten)]
    pub settings: SettingArguments,
}
