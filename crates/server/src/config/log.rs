//! The sealed log: its name, and how its signing key is kept.

use super::problem::Problem;
use super::public_url::PublicUrl;
use super::raw::{Raw, Value};
use super::reader::Reader;
use super::secret::Secret;
use super::setting::Setting;
use super::source::Source;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "log.origin",
        default: "that of the log; before it begins, host of public_url, then /log",
        expected: "a name without spaces and plus signs, such as chancery.example.org/log",
        meaning: "Name of the log in its checkpoints. It is fixed when the log begins: verifiers know it by this name.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "log.key_passphrase",
        default: "none",
        expected: "a text that is not empty",
        meaning: "Passphrase that encrypts the signing key of the log on disc.",
        flag: None,
        is_secret: true,
    },
    Setting {
        key: "log.key_passphrase_file",
        default: "none",
        expected: "the path of a file that holds the passphrase",
        meaning: "The same, read from a file.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "log.allow_unencrypted_key",
        default: "false",
        expected: "true or false",
        meaning: "Lets the log start without a passphrase; the signing key is then protected by file permissions alone.",
        flag: None,
        is_secret: false,
    },
];

/// The sealed log: its name, and how its signing key is kept.
#[derive(Clone)]
pub struct Log {
    /// The origin line of checkpoints (C2SP tlog-checkpoint), also the name of the key.
    pub origin: String,
    /// Somebody gave it: otherwise a log that has begun keeps the one it has.
    pub origin_is_given: bool,
    /// Encrypts the signing key on disc.
    pub key_passphrase: Option<Secret>,
    /// Starts without a passphrase.
    pub allow_unencrypted_key: bool,
}

/// An origin; C2SP signed-note allows neither spaces nor plus signs in the name of a key.
struct Origin(String);

impl Value for Origin {
    fn read(raw: &Raw, source: &Source) -> Result<Self, String> {
        let text = String::read(raw, source)?;
        if text.contains("://") {
            return Err("an origin has no scheme".into());
        }
        let is_name = !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+');
        if is_name { Ok(Self(text)) } else { Err(String::new()) }
    }

    fn shown(&self) -> String {
        self.0.clone()
    }
}

impl Log {
    pub(super) fn read(reader: &mut Reader, public_url: &PublicUrl) -> Self {
        let default = Origin(format!("{}/log", public_url.authority()));
        Self {
            origin: reader.value("log.origin", default).0,
            origin_is_given: reader.source("log.origin").is_some(),
            key_passphrase: reader.secret("log.key_passphrase", "log.key_passphrase_file"),
            allow_unencrypted_key: reader.value("log.allow_unencrypted_key", false),
        }
    }

    /// A key on disc in clear is a decision, not an omission.
    pub(super) fn check_to_serve(&self, reader: &mut Reader) {
        let is_given = |key| reader.source(key).is_some();
        // Given and refused already, or settled.
        let is_settled = self.key_passphrase.is_some()
            || self.allow_unencrypted_key
            || is_given("log.key_passphrase")
            || is_given("log.key_passphrase_file");
        if is_settled || reader.is_file_lost || reader.demo {
            return;
        }
        let message = "a passphrase for the log key is required: set log.key_passphrase_file \
                       (CHANCERY_LOG_KEY_PASSPHRASE_FILE) or log.key_passphrase; to store the key \
                       unencrypted, set log.allow_unencrypted_key = true";
        reader.report(Problem { place: "log".to_owned(), message: message.to_owned() });
    }
}
