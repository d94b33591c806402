//! Where the server listens, where it keeps its data, how it is reached.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::address_range::AddressRange;
use chancery_store::DatabaseUrl;

use super::public_url::PublicUrl;
use super::raw::{Raw, Value};
use super::reader::Reader;
use super::secret::Secret;
use super::setting::Setting;
use super::source::Source;

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
        expected: "sqlite, or postgres://USER@HOST:PORT/DATABASE",
        meaning: "The store: the embedded one in the data directory, or a database on a PostgreSQL server (15 or later) that several nodes may share. Keys stay in the data directory.",
        flag: Some("--database"),
        is_secret: false,
    },
    Setting {
        key: "database_password",
        default: "that of the address, of PGPASSWORD or ~/.pgpass",
        expected: "a text that is not empty",
        meaning: "Password for the PostgreSQL server.",
        flag: None,
        is_secret: true,
    },
    Setting {
        key: "database_password_file",
        default: "none",
        expected: "the path of a file that holds the password",
        meaning: "The same, read from a file.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "database_connections",
        default: "8",
        expected: "a number from 1 to 200",
        meaning: "Connections for reading that a node keeps to the PostgreSQL server at most; up to six more are for writing and for hearing of other nodes.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "database_timeout_seconds",
        default: "20",
        expected: "a number from 2 to 600",
        meaning: "How long the PostgreSQL server may take for a statement. A connection that stays silent for a quarter longer is given up; reaching the server may take a quarter of it. More for a slow network.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "takeover_seconds",
        default: "5",
        expected: "a number from 1 to 300, the same on every node",
        meaning: "After how long without a sign of life another node does what one did alone; after twice that it counts as vanished. More where nodes or the network pause for longer.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "node_name",
        default: "the name of the machine",
        expected: "a text that is not empty",
        meaning: "What this node is called in the list of nodes and in its events.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "drain_seconds",
        default: "0",
        expected: "a number from 0 to 300",
        meaning: "How long a node that is told to stop still takes requests while /health/ready says that it stops, so that load balancers send no more.",
        flag: None,
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
    /// The password for a database on a server, where it stands apart from its address.
    pub database_password: Password,
    /// Connections for reading.
    pub database_connections: u32,
    /// After how many seconds without a sign of life a node is replaced.
    pub takeover_seconds: u32,
    /// What this node is called; `None`: as its machine.
    pub node_name: Option<String>,
    /// How long it takes requests after it was told to stop.
    pub drain_seconds: u32,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<AddressRange>,
}

/// A password for a database, if there is one. Its `Debug` does not show it.
#[derive(Clone)]
pub struct Password(Option<Secret>);

impl Password {
    /// The address with this password, if there is one.
    pub fn with(&self, url: DatabaseUrl) -> DatabaseUrl {
        match &self.0 {
            Some(password) => url.with_password(password.expose()),
            None => url,
        }
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// The store that is used.
#[derive(Debug, Clone)]
pub enum Database {
    /// The embedded one, in the data directory.
    Sqlite,
    /// A database on a server. Its `Debug` shows no password.
    Postgres(DatabaseUrl),
}

impl Database {
    /// The address, if it is on a server.
    pub fn url(&self) -> Option<DatabaseUrl> {
        match self {
            Self::Sqlite => None,
            Self::Postgres(url) => Some(url.clone()),
        }
    }
}

/// What is written for the store; shown without its password.
struct Store(Database);

impl Value for Store {
    fn read(raw: &Raw, _: &Source) -> Result<Self, String> {
        match raw.text() {
            Some("sqlite") => Ok(Self(Database::Sqlite)),
            Some(text) if text.contains("://") => {
                Ok(Self(Database::Postgres(text.parse::<DatabaseUrl>()?)))
            }
            _ => Err(String::new()),
        }
    }

    fn shown(&self) -> String {
        match &self.0 {
            Database::Sqlite => "sqlite".to_owned(),
            Database::Postgres(url) => format!("PostgreSQL: {}", url.place()),
        }
    }
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
        let (database, database_password) = Self::read_database(reader);
        let takeover_seconds = reader.number("takeover_seconds", 5, 1..=300) as u32;
        let database_connections = reader.number("database_connections", 8, 1..=200) as u32;
        let node_name = reader.optional("node_name");
        let drain_seconds = reader.number("drain_seconds", 0, 0..=300) as u32;
        let trusted_proxies = reader.value("trusted_proxies", Vec::new());
        Self {
            listen,
            data_dir,
            backup_dir,
            public_url,
            database,
            database_password,
            database_connections,
            takeover_seconds,
            node_name,
            drain_seconds,
            trusted_proxies,
        }
    }

    fn read_database(reader: &mut Reader) -> (Database, Password) {
        let given = reader.value("database", Store(Database::Sqlite)).0;
        let password = Password(reader.secret("database_password", "database_password_file"));
        let most = reader.number("database_timeout_seconds", 20, 2..=600);
        let database = match given {
            Database::Postgres(url) => {
                let url = url.with_statement_max(Duration::from_secs(most));
                Database::Postgres(password.with(url))
            }
            Database::Sqlite => Database::Sqlite,
        };
        (database, password)
    }
}
