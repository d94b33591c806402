//! Where the data are, and how many connections are used.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the data are.
    pub database: Database,
    /// Connections for reading at most.
    pub readers_max: u32,
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
        Self { database: Database::Embedded { data_dir: data_dir.into() }, readers_max: 6 }
    }

    /// A database on a PostgreSQL server.
    pub fn postgres(url: DatabaseUrl) -> Self {
        Self { database: Database::Postgres(url), readers_max: 8 }
    }
}

impl DatabaseUrl {
    /// The same database, with this password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.options = Box::new(self.options.password(password));
        self
    }

    /// The same database, in a schema that is not the user's own.
    #[must_use]
    pub(crate) fn in_schema(mut self, name: &str) -> Self {
        self.options = Box::new(self.options.options([("search_path", name)]));
        self
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
        Ok(Self { options: Box::new(options), place })
    }
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
