//! `chancery serve`.

use clap::Args;

use super::SettingArguments;

/// Run the server until it is told to stop (SIGTERM or Ctrl-C).
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  chancery serve --demo
      A server with example certificates and events, at http://127.0.0.1:8080.
      The data goes to a fresh directory under ./chancery-data; the password is printed.

  chancery serve --listen 0.0.0.0:8443 --public-url https://chancery.example.org:8443 \\
      --tls-certificate chain.pem --tls-key key.pem

  CHANCERY_LOG_KEY_PASSPHRASE_FILE=/run/secrets/log chancery serve --data-dir /srv/chancery

All settings: docs/CONFIGURATION.md, and `chancery config check`.")]
pub struct ServeArguments {
    /// Start with example data in a fresh directory under ./chancery-data.
    #[arg(long)]
    pub demo: bool,
    /// What the configuration file also can.
    #[command(flatten)]
    pub settings: SettingArguments,
}
