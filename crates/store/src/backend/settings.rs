//! Where the data are, and how many connections are used.

mod parameter;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::postgres::Limits;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the data are.
    pub database: Database,
    /// Connections for reading at most.
    pub readers_max: u32,
    /// A directory that no other process may use meanwhile; the embedded engine keeps its own so.
    pub kept: Option<PathBuf>,
}

/// Which engine, and where.
#[derive(Clone, Debug)]
pub enum Database {
    /// The embedded engine.
    Embedded {
        /// Its directory; made if missing.
        data_dir: PathBuf,
    },
    /// A PostgreSQL server, which several nodes may share.
    Postgres(DatabaseUrl),
}

/// The address of a database on a server. What it may hold of a password is never shown.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(crate) options: Box<PgConnectOptions>,
    /// How long anybody waits for it.
    pub(crate) limits: Limits,
    place: String,
}

/// The settings of the embedded engine.
#[derive(Clone, Debug)]
pub(crate) struct Embedded {
    pub(crate) data_dir: PathBuf,
    pub(crate) readers_max: u32,
}

impl Settings {
    /// The embedded database in `data_dir`.
    pub fn embedded(data_dir: impl Into<PathBuf>) -> Self {
        let database = Database::Embedded { data_dir: data_dir.into() };
        Self { database, readers_max: 6, kept: None }
    }

    /// A database on a PostgreSQL server.
    pub fn postgres(url: DatabaseUrl) -> Self {
        Self { database: Database::Postgres(url), readers_max: 8, kept: None }
    }
}

impl DatabaseUrl {
    /// The same database, with this password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.options = Box::new(self.options.password(password));
        self
    }

    /// The same database, where a statement may take so long. How long is waited for a connection,
    /// a lock or the fate of a commit follows from it.
    #[must_use]
    pub fn with_statement_max(mut self, most: Duration) -> Self {
        self.limits.statement = most;
        self
    }

    /// The same database, where the server ends a session that rests so long in the middle of a
    /// transaction.
    #[must_use]
    pub fn with_rest_max(mut self, most: Duration) -> Self {
        self.limits.rest = most;
        self
    }

    /// Whether an address, as it is written, holds a password.
    pub fn has_password(text: &str) -> bool {
        let place = text.split_once("://").map_or(text, |(_, rest)| rest);
        let place = place.split(['/', '?']).next().unwrap_or_default();
        let user = place.rsplit_once('@').map(|(user, _)| user);
        user.is_some_and(|user| user.split_once(':').is_some_and(|(_, word)| !word.is_empty()))
            || text.split(['?', '&']).skip(1).any(|word| word.starts_with("password="))
    }

    /// The same database, in a schema that is not the user's own.
    #[must_use]
    pub(crate) fn in_schema(mut self, name: &str) -> Self {
        self.options = Box::new(self.options.options([("search_path", name)]));
        self
    }

    /// Whether what goes over the network may be read or answered by somebody else: the server is
    /// on another machine, and its certificate is not looked at.
    pub(crate) fn is_unverified(&self) -> bool {
        let host = self.options.get_host();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_here = self.is_socket()
            || host == "localhost"
            || address.is_ok_and(|address| address.is_loopback());
        !is_here && !is_verifying(&self.options)
    }

    /// Whether the server is reached through a socket of the machine.
    pub fn is_socket(&self) -> bool {
        self.options.get_socket().is_some() || self.options.get_host().starts_with('/')
    }

    /// Server, port, database and user, without password.
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "postgres://USER@HOST:PORT/DATABASE";
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        if !matches!(scheme, Some("postgres" | "postgresql")) {
            return Err(format!("it must look like {form}"));
        }
        // What the parser says may repeat the text, and with it a password.
        let options = PgConnectOptions::from_str(text)
            .map_err(|_| format!("it cannot be read as a URL: it must look like {form}"))?;
        if options.get_database().is_none_or(str::is_empty) {
            return Err(format!("it names no database: it must look like {form}"));
        }
        parameter::check(text, &options)?;
        let names_authority =
            parameter::has(text, "sslrootcert") || std::env::var_os("PGSSLROOTCERT").is_some();
        let options = if is_verifying(&options) && !names_authority {
            options.ssl_root_cert_from_pem(machine_authorities())
        } else {
            options
        };
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let place = format!(
            "{} at {host}:{} as {}",
            options.get_database().unwrap_or_default(),
            options.get_port(),
            options.get_username()
        );
        Ok(Self { options: Box::new(options), limits: Limits::default(), place })
    }
}

fn is_verifying(options: &PgConnectOptions) -> bool {
    matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull)
}

/// The authorities that this machine trusts, or those that SSL_CERT_FILE names.
fn machine_authorities() -> Vec<u8> {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "an authority that this machine trusts cannot be read");
    }
    let mut text = String::new();
    for certificate in found.certs {
        let body = STANDARD.encode(&certificate);
        text.push_str(&format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"));
    }
    text.into_bytes()
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_tells_where_and_hides_the_password() {
        let url: DatabaseUrl = "postgres://ada:s3cret@db.example:6432/rolls".parse().unwrap();
        assert_eq!(url.place(), "rolls at db.example:6432 as ada");
        let settings = Settings::postgres(url.with_password("other"));
        assert!(!format!("{settings:?}").contains("s3cret"));
        assert!(!format!("{settings:?}").contains("other"));
    }

    #[test]
    fn who_may_listen_in_is_known_from_the_url() {
        for (url, unverified) in [
            ("postgres://ada@db.example/rolls", true),
            ("postgres://ada@db.example/rolls?sslmode=require", true),
            ("postgres://ada@db.example/rolls?sslmode=verify-full", false),
            ("postgres://ada@127.0.0.1/rolls", false),
            ("postgres://ada@localhost/rolls", false),
            ("postgres://ada@%2Frun%2Fpostgresql/rolls", false),
        ] {
            let parsed: DatabaseUrl = url.parse().unwrap();
            assert_eq!(parsed.is_unverified(), unverified, "{url}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_noticed() {
        for (url, has) in [
            ("postgres://ada:s3cret@db.example/rolls", true),
            ("postgres://ada:@db.example/rolls", false),
            ("postgres://ada@db.example:5432/rolls", false),
            ("postgres://db.example:5432/rolls", false),
            ("postgres://ada@db.example/rolls?sslmode=require&password=s3cret", true),
        ] {
            assert_eq!(DatabaseUrl::has_password(url), has, "{url}");
        }
    }

    #[test]
    fn parameters_without_effect_are_refused_by_name() {
        let base = "postgres://ada:s3cret@db.example/rolls";
        for (query, says) in [
            ("sslmod=verify-full", "sslmod, which is not known; did you mean sslmode?"),
            ("ssl_root_cert=a.pem", "did you mean sslrootcert?"),
            ("target_session_attrs=any", "target_session_attrs, which is not known; there are"),
            ("sslmode=require&connect_timeout=9", "connect_timeout, which is not known"),
            ("passwort=s3cret", "did you mean password?"),
            ("sslrootcert=a.pem", "sslrootcert has no effect without sslmode=verify-full"),
            ("sslmode=require&ssl-ca=a.pem", "sslrootcert has no effect without"),
            ("sslmode=verify-full&sslcert=a.pem", "sslcert and sslkey"),
            ("sslmode=disable&sslcert=a.pem&sslkey=b.pem", "sslcert has no effect"),
        ] {
            let refused = format!("{base}?{query}").parse::<DatabaseUrl>().unwrap_err();
            assert!(refused.contains(says) && !refused.contains("s3cret"), "{query}: {refused}");
        }
        for query in [
            "",
            "ssl-mode=require&application_name=rolls",
            "sslmode=verify-ca&sslrootcert=a.pem&sslcert=b.pem&sslkey=c.pem",
            "sslcert=b.pem&ssl-key=c.pem",
            "host=/run/postgresql&user=ada&port=6432&dbname=rolls",
            "options[search_path]=rolls&options=-c%20work_mem=8MB",
            "options%5Bsearch_path%5D=rolls&statement-cache-capacity=9&hostaddr=127.0.0.1",
        ] {
            let parsed = format!("{base}?{query}").parse::<DatabaseUrl>();
            assert!(parsed.is_ok(), "{query}: {parsed:?}");
        }
    }

    #[test]
    fn a_wrong_url_is_refused_without_repeating_it() {
        for text in ["mysql://a:s3cret@b/c", "/var/lib", "", "postgres://a:s3cret@h:x/db"] {
            let refused = text.parse::<DatabaseUrl>().unwrap_err();
            assert!(refused.contains("postgres://USER@HOST:PORT/DATABASE"), "{refused}");
            assert!(!refused.contains("s3cret"), "{refused}");
        }
        let refused = "postgres://ada@db.example".parse::<DatabaseUrl>().unwrap_err();
        assert!(refused.contains("no database"), "{refused}");
    }
}
