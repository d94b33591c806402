//! The first administrator, made when the data directory is empty.

use chancery_engine::access::check_password;

use super::problem::Problem;
use super::reader::Reader;
use super::secret::Secret;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "admin.name",
        default: "admin",
        expected: "a name",
        meaning: "Name of the first administrator.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "admin.password",
        default: "none: one is generated and printed once",
        expected: "a text that is not empty",
        meaning: "Password of the first administrator. Used once, when the data directory is empty.",
        flag: None,
        is_secret: true,
    },
    Setting {
        key: "admin.password_file",
        default: "none",
        expected: "the path of a file that holds the password",
        meaning: "The same, read from a file.",
        flag: None,
        is_secret: false,
    },
];

/// The first administrator, made when the data directory is empty.
#[derive(Clone)]
pub struct Admin {
    /// The name to sign in with.
    pub name: String,
    /// `None`: one is generated.
    pub password: Option<Secret>,
}

impl Admin {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            name: reader.value("admin.name", "admin".to_owned()),
            password: reader.secret("admin.password", "admin.password_file"),
        }
    }

    /// The policy that every password must satisfy.
    pub(super) fn check_to_serve(&self, reader: &mut Reader) {
        let Some(password) = &self.password else { return };
        let password = chancery_engine::Secret::new(password.expose().to_owned());
        let Err(error) = check_password(&password, &self.name) else { return };
        let source = |key| reader.source(key).map(|source| (key, source));
        let Some((key, source)) = source("admin.password").or(source("admin.password_file")) else {
            return;
        };
        let reason = match error {
            chancery_engine::Error::Invalid { message, .. } => message,
            error => error.to_string(),
        };
        let message = format!("{key} = (hidden): {reason}");
        reader.report(Problem { place: source.to_string(), message });
    }
}
