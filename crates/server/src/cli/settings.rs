//! Settings on the command line, shared by the commands that read the configuration.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Flag, Inputs};

/// Flags that set what the configuration file also can.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingArguments {
    /// The configuration file [default: /etc/chancery/chancery.toml, or chancery.toml in the data
    /// directory].
    #[arg(long, value_name = "FILE", env = "CHANCERY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Directory of the database, the log and its key [default: /var/lib/chancery].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Address and port to listen on [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// How people and machines reach the server [default: the listener itself].
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// PEM file with the certificate chain of the listener; turns TLS on.
    #[arg(long, value_name = "FILE")]
    pub tls_certificate: Option<String>,
    /// PEM file with the private key of the listener.
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<String>,
    /// The store: sqlite, or postgres://USER@HOST:PORT/DATABASE [default: sqlite].
    #[arg(long, value_name = "STORE")]
    pub database: Option<String>,
    /// Any other setting, such as session.idle_minutes=30; can be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    pub assignments: Vec<(String, String)>,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().into(), value.into())),
        _ => Err("a setting is given as KEY=VALUE".into()),
    }
}

impl SettingArguments {
    /// The sources of the configuration: these flags, the environment, and the file.
    pub fn inputs(&self, demo: bool) -> Inputs {
        Inputs { file: self.config.clone(), flags: self.flags(), demo, ..Inputs::of_process() }
    }

    /// The settings that were given, flags of their own last: they are the more deliberate.
    pub fn flags(&self) -> Vec<Flag> {
        let own = [
            ("--data-dir", "data_dir", &self.data_dir),
            ("--listen", "listen", &self.listen),
            ("--public-url", "public_url", &self.public_url),
            ("--tls-certificate", "tls.certificate", &self.tls_certificate),
            ("--tls-key", "tls.key", &self.tls_key),
            ("--database", "database", &self.database),
        ];
        let assigned = self.assignments.iter().map(|(key, value)| Flag {
            name: "--set".into(),
            key: key.clone(),
            value: value.clone(),
        });
        let own = own.into_iter().filter_map(|(name, key, value)| {
            Some(Flag { name: name.into(), key: key.into(), value: value.clone()? })
        });
        assigned.chain(own).collect()
    }
}
