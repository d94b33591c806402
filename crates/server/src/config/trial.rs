//! What a start would refuse of the files and directories that the settings name, for `config
//! check`. It must leave nothing behind.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use chancery_engine::key::PASSPHRASE_LENGTH_MIN;

use super::{Config, ConfigError, Problem};
use crate::tls::Identity;

/// Tries the files of TLS, the data directory and the passphrase of a key to be made, as this user.
///
/// # Errors
///
/// Every one that cannot be used, each with its setting.
pub fn start(config: &Config) -> Result<(), ConfigError> {
    let mut problems = Vec::new();
    let mut report = |key: &str, message: String| {
        let given = config.effective.iter().find(|effective| effective.key == key);
        let place = given.map_or_else(|| key.to_owned(), |given| given.source.to_string());
        problems.push(Problem { place, message });
    };
    if let Some(tls) = &config.tls
        && let Err(error) = Identity::load(&tls.certificate, &tls.key, SystemTime::now())
    {
        let message = format!("{:#}", anyhow::Error::new(error));
        report("tls.certificate", message);
    }
    let data_dir = &config.serving.data_dir;
    if let Err(error) = usable(data_dir) {
        let message = format!("data_dir = {}: it cannot be used: {error}", data_dir.display());
        report("data_dir", message);
    }
    let is_new = !data_dir.join("keys/log.json").exists();
    if let Some(passphrase) = config.log.key_passphrase.as_ref().filter(|_| is_new)
        && passphrase.expose().chars().count() < PASSPHRASE_LENGTH_MIN
    {
        let least = PASSPHRASE_LENGTH_MIN;
        let message =
            format!("log.key_passphrase: a new log key takes at least {least} characters");
        report("log.key_passphrase", message);
    }
    if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
}

/// Whether files can be made in a directory, or where it is absent the directory itself: a name
/// that nobody has is made and taken away again, in the directory or in what is there of the way to
/// it.
fn usable(dir: &Path) -> io::Result<()> {
    let place = dir.ancestors().find(|place| !place.as_os_str().is_empty() && place.exists());
    let place = place.unwrap_or(Path::new("."));
    let trial = place.join(format!(".chancery-trial-{}", std::process::id()));
    DirBuilder::new().create(&trial)?;
    fs::remove_dir(&trial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_tried_and_left_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        usable(folder.path()).unwrap();
        usable(&folder.path().join("a/b")).unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(usable(&file).is_err() && usable(&file.join("below")).is_err());
        assert!(usable(Path::new("/proc/chancery")).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
