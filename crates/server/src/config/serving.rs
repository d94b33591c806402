//! Where the server listens, where it keeps its data, how it is reached.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::address_range::AddressRange;
use super::public_url::PublicUrl;
use super::reader::Reader;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "listen",
        default: "127.0.0.1:8080",
        expected: "an address and a port, such as 0.0.0.0:8443",
        meaning: "Address and port to listen on. Without TLS, keep it local or behind a proxy.",
        flag: Some("--listen"),
        is_secret: false,
    },
    Setting {
        key: "data_dir",
        default: "/var/lib/chancery (chancery-data with --demo)",
        expected: "the path of a directory",
        meaning: "Directory of the database, the log and its key. Made when it is missing.",
        flag: Some("--data-dir"),
        is_secret: false,
    },
    Setting {
        key: "backup_dir",
        default: "backups in data_dir",
        expected: "the path of a directory",
        meaning: "Directory under which the server makes the backups it is asked for; better on another disc.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "public_url",
        default: "the listener itself",
        expected: "an address such as https://chancery.example.org",
        meaning: "How people and machines reach the server: links, cookies and the origin of the log follow it.",
        flag: Some("--public-url"),
        is_secret: false,
    },
    Setting {
        key: "database",
        default: "sqlite",
        expected: "sqlite",
        meaning: "The store. Only the embedded one is supported.",
        flag: Some("--database"),
        is_secret: false,
    },
    Setting {
        key: "trusted_proxies",
        default: "none",
        expected: "addresses or ranges such as 10.0.0.0/8",
        meaning: "Proxies whose X-Forwarded-For is believed. Everybody else is who they connect as.",
        flag: None,
        is_secret: false,
    },
];

/// Where the server listens, where it keeps its data, how it is reached.
#[derive(Debug, Clone)]
pub struct Serving {
    /// Address and port of the one listener.
    pub listen: SocketAddr,
    /// Directory of everything that is kept. It may not exist yet.
    pub data_dir: PathBuf,
    /// Where the server makes backups; `None`: in the data directory.
    pub backup_dir: Option<PathBuf>,
    /// The address in links, cookies and the origin of the log.
    pub public_url: PublicUrl,
    /// The store.
    pub database: Database,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<AddressRange>,
}

/// The store that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// The embedded one, in the data directory.
    Sqlite,
}

/// The data directory when nobody names one: a local one for a demonstration.
pub fn default_data_dir(demo: bool) -> PathBuf {
    if demo { "chancery-data".into() } else { "/var/lib/chancery".into() }
}

impl Serving {
    pub(super) fn read(reader: &mut Reader, has_tls: bool) -> Self {
        let listen = reader.value("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
        let data_dir = reader.value("data_dir", default_data_dir(reader.demo));
        let backup_dir = reader.optional("backup_dir");
        let public_url = reader.value("public_url", PublicUrl::of_listener(listen, has_tls));
        let database = Self::read_database(reader);
        let trusted_proxies = reader.value("trusted_proxies", Vec::new());
        Self { listen, data_dir, backup_dir, public_url, database, trusted_proxies }
    }

    fn read_database(reader: &mut Reader) -> Database {
        let given = reader.value("database", "sqlite".to_owned());
        if given.starts_with("postgres://") || given.starts_with("postgresql://") {
            // The address may hold a password, so it is not repeated.
            reader.refuse_unseen("database", "PostgreSQL is not supported by this version");
        } else if given != "sqlite" {
            reader.refuse("database", "");
        }
        Database::Sqlite
    }
}
