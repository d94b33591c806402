//! Configuration: what the program is told before it starts.
//!
//! Four sources in rising precedence: defaults, one TOML file, `CHANCERY_*` variables, flags. Read
//! in this order: [`setting`] (what a setting is), one file per section for the settings
//! themselves, [`source`] (where a value came from), `file` and `reader` (how values are found and
//! parsed).
//!
//! Everything wrong is reported at once, each problem with its place. A secret must never appear in
//! a message, in `config check` or in `Debug`; a value that is not understood must never be
//! replaced by a default.
//!
//! A new setting: one entry in the `SETTINGS` of its section, one field, one line in `read`, one
//! row in `docs/CONFIGURATION.md` (a test holds the two together).

pub mod address_range;
pub mod admin;
pub mod archive;
pub mod audit;
pub mod effective;
mod file;
pub mod limits;
pub mod log;
pub mod logging;
pub mod network;
pub mod problem;
pub mod public_url;
pub mod rate;
mod raw;
pub mod reaction;
mod reader;
pub mod secret;
pub mod serving;
pub mod session;
pub mod setting;
pub mod source;
pub mod syslog;
pub mod tls;
pub mod trial;
pub mod validation;

use std::path::{Path, PathBuf};

pub use admin::Admin;
pub use archive::Archive;
pub use audit::Audit;
pub use effective::Effective;
pub use limits::Limits;
pub use log::Log;
pub use logging::Logging;
pub use network::Network;
pub use problem::{ConfigError, Problem};
pub use rate::Rate;
pub use reaction::Reaction;
use reader::Reader;
pub use secret::Secret;
pub use serving::Serving;
pub use session::Session;
use source::Source;
pub use syslog::Syslog;
pub use tls::Tls;
pub use validation::Validation;

/// Where the file is looked for when nobody names one.
pub const STANDARD_FILE: &str = "/etc/chancery/chancery.toml";
/// The name of the file in the data directory that is read when there is no standard file.
pub const FILE_NAME: &str = "chancery.toml";

/// Everything the program was told. Holds secrets, so it has no `Debug`.
pub struct Config {
    /// Where it listens, where it keeps its data, how it is reached.
    pub serving: Serving,
    /// Certificate and key of the listener; `None` serves plain HTTP.
    pub tls: Option<Tls>,
    /// The sealed log.
    pub log: Log,
    /// The first administrator.
    pub admin: Admin,
    /// Sizes that are accepted.
    pub limits: Limits,
    /// How often something may be tried.
    pub rate: Rate,
    /// Sessions of people in a browser.
    pub session: Session,
    /// Validation of certificates.
    pub validation: Validation,
    /// How events act.
    pub reaction: Reaction,
    /// What may be reached from here.
    pub network: Network,
    /// Where the entries of the log are kept beside the database.
    pub archive: Archive,
    /// Listeners for syslog.
    pub syslog: Syslog,
    /// What is recorded beyond the necessary.
    pub audit: Audit,
    /// The diagnostic log of the process.
    pub logging: Logging,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// Every setting in the order of the documentation, secrets hidden.
    pub effective: Vec<Effective>,
    /// What is allowed and probably not meant, one sentence each.
    pub warnings: Vec<String>,
}

/// What the sources say, before any of it is understood.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The file named by `--config` or `CHANCERY_CONFIG`. It must exist.
    pub file: Option<PathBuf>,
    /// The file that is read if it exists and none is named; usually [`STANDARD_FILE`].
    pub standard_file: Option<PathBuf>,
    /// Environment variables. Those that do not begin with `CHANCERY_` are passed over.
    pub variables: Vec<(String, String)>,
    /// Flags that were given, in order; a later one wins.
    pub flags: Vec<Flag>,
    /// `serve --demo`: the data directory defaults to a local one, the standard file is not read.
    pub demo: bool,
}

/// A setting given on the command line.
#[derive(Debug, Clone)]
pub struct Flag {
    /// As typed, such as `--listen`.
    pub name: String,
    /// The key of the setting, such as `listen`.
    pub key: String,
    /// What was given.
    pub value: String,
}

impl Inputs {
    /// The environment of this process and the standard file.
    pub fn of_process() -> Self {
        let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        Self {
            standard_file: Some(STANDARD_FILE.into()),
            variables: variables.collect(),
            ..Self::default()
        }
    }

    /// The file to read: the named one, else the standard one, else that of the data directory.
    fn chosen_file(&self) -> Option<PathBuf> {
        if self.file.is_some() {
            return self.file.clone();
        }
        let in_data_dir = || Some(self.early_data_dir().join(FILE_NAME));
        let standard = self.standard_file.clone().filter(|_| !self.demo);
        [standard, in_data_dir()].into_iter().flatten().find(|path| path.is_file())
    }

    /// The data directory as far as it is known without a file.
    fn early_data_dir(&self) -> PathBuf {
        let flag = self.flags.iter().rev().find(|flag| flag.key == "data_dir");
        let variable = self.variables.iter().find(|(name, _)| name == "CHANCERY_DATA_DIR");
        let given = flag.map(|flag| &flag.value).or(variable.map(|(_, value)| value));
        match given.filter(|value| !value.is_empty()) {
            Some(value) => value.into(),
            None => serving::default_data_dir(self.demo),
        }
    }
}

impl Config {
    /// Reads and understands all sources.
    ///
    /// # Errors
    ///
    /// One error with every problem of every source: unknown settings, values that are not
    /// understood, settings that contradict each other, files that cannot be read.
    pub fn load(inputs: &Inputs) -> Result<Self, ConfigError> {
        Self::load_for(inputs, false)
    }

    /// The same for a start of the server, which demands more than looking at its data does. What
    /// would be refused later is refused here, before anything is made.
    ///
    /// # Errors
    ///
    /// As [`Config::load`]; also a missing passphrase of the log key, and a password of the first
    /// administrator that the policy refuses.
    pub fn load_to_serve(inputs: &Inputs) -> Result<Self, ConfigError> {
        Self::load_for(inputs, true)
    }

    fn load_for(inputs: &Inputs, serves: bool) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(inputs.demo);
        let file = inputs.chosen_file();
        if let Some(path) = &file {
            reader.take_file(path);
        }
        reader.take_variables(&inputs.variables);
        reader.take_flags(&inputs.flags);
        let config = Self::read(&mut reader, file);
        if serves {
            config.log.check_to_serve(&mut reader);
            config.admin.check_to_serve(&mut reader);
        }
        let problems = reader.finish();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }

    fn read(reader: &mut Reader, file: Option<PathBuf>) -> Self {
        let tls = Tls::read(reader);
        let serving = Serving::read(reader, tls.is_some());
        let log = Log::read(reader, &serving.public_url);
        let mut config = Self {
            log,
            admin: Admin::read(reader),
            limits: Limits::read(reader),
            rate: Rate::read(reader),
            session: Session::read(reader),
            validation: Validation::read(reader),
            reaction: Reaction::read(reader),
            network: Network::read(reader),
            archive: Archive::read(reader),
            syslog: Syslog::read(reader, tls.is_some()),
            audit: Audit::read(reader),
            logging: Logging::read(reader),
            effective: reader.effective(),
            warnings: Vec::new(),
            serving,
            tls,
            file,
        };
        config.check_data_dir(reader);
        config.warnings = config.doubts();
        config
    }

    /// A file found through the data directory cannot move the data directory.
    fn check_data_dir(&self, reader: &mut Reader) {
        let Some(file) = &self.file else { return };
        let Some(given @ Source::File { .. }) = reader.source("data_dir") else { return };
        let moved = file.parent().is_some_and(|folder| folder != self.serving.data_dir);
        let is_inside = file.file_name().is_some_and(|name| name == FILE_NAME);
        if is_inside && moved && self.serving.data_dir.join(FILE_NAME).is_file() {
            let message = format!(
                "data_dir names a directory with a {FILE_NAME} of its own, which is not read: \
                 keep one of the two files"
            );
            reader.report(Problem { place: given.to_string(), message });
        }
    }

    fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        let is_local = self.serving.listen.ip().is_loopback();
        if self.tls.is_none() && !is_local && self.serving.trusted_proxies.is_empty() {
            doubts.push(format!(
                "listening on {} without TLS: passwords cross the network in clear text; set \
                 tls.certificate and tls.key, or name the proxy in front in trusted_proxies",
                self.serving.listen
            ));
        }
        if self.tls.is_some() && !self.serving.public_url.is_https() {
            doubts.push(format!(
                "TLS is on, but public_url is {}: browsers will not send the session back",
                self.serving.public_url
            ));
        }
        doubts
    }
}

/// A relative path in a file is meant from the folder of that file.
fn from_folder_of(file: &Path, path: &str) -> PathBuf {
    file.parent().map_or_else(|| path.into(), |folder| folder.join(path))
}

#[cfg(test)]
mod tests;
