//! Whose signature is believed.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use chancery_seal::{Trust, Verifier};

/// Where the key of the log came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// Named on the command line.
    Given,
    /// From `keys/log.vkey` of the data directory.
    DataDir,
    /// From the server that also serves the log.
    Fetched,
    /// From the header of the export.
    Export,
}

impl KeySource {
    /// The word in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::DataDir => "data_dir",
            Self::Fetched => "fetched",
            Self::Export => "export",
        }
    }

    /// What the reader must know, if anything.
    pub(crate) fn warning(self) -> Option<&'static str> {
        match self {
            Self::Given => None,
            Self::DataDir => Some(
                "the key was read from the data directory itself: this proves that the log is \
                 consistent, not whose log it is; give the key you know with --key",
            ),
            Self::Fetched => Some(
                "the key was fetched from the same server and not checked independently: whoever \
                 runs it could serve another log with another key; give the key you know with --key",
            ),
            Self::Export => Some(
                "the key was read from the export itself: whoever wrote the file could have made \
                 it up; give the key you know with --key",
            ),
        }
    }
}

/// The key of a log, and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// Its verifier keys; the first names the log.
    pub(crate) verifiers: Vec<Verifier>,
    /// What `chancery_seal` believes.
    pub(crate) trust: Trust,
    /// Where they came from.
    pub(crate) source: KeySource,
}

impl Key {
    /// The log's name is the name of its key. `verifiers` must not be empty.
    pub(crate) fn new(verifiers: Vec<Verifier>, source: KeySource) -> Self {
        let origin = verifiers.first().map_or("", Verifier::name).to_owned();
        Self { trust: Trust::new(&origin, verifiers.clone()), verifiers, source }
    }
}

/// What `--key` gives, once or several times: a key itself, or a file with one key a line. Any of
/// them may have signed; all are keys of one log, so they have one name.
pub(crate) fn given(texts: &[String]) -> Result<Option<Key>> {
    let mut verifiers: Vec<Verifier> = Vec::new();
    for text in texts {
        if let Ok(verifier) = text.trim().parse::<Verifier>() {
            verifiers.push(verifier);
            continue;
        }
        let path = Path::new(text);
        if !path.exists() {
            bail!("--key {text} is neither a verifier key (name+id+key) nor a file");
        }
        verifiers.extend(file(path)?);
    }
    let Some(first) = verifiers.first().map(|first| first.name().to_owned()) else {
        return Ok(None);
    };
    if let Some(other) = verifiers.iter().find(|verifier| verifier.name() != first) {
        bail!("the keys belong to two logs, {first} and {}", other.name());
    }
    Ok(Some(Key::new(verifiers, KeySource::Given)))
}

/// The key beside the log in a data directory.
pub(crate) fn of_data_dir(data_dir: &Path) -> Result<Key> {
    let path = data_dir.join("keys").join("log.vkey");
    ensure!(
        path.exists(),
        "{} has no log key ({} is missing): is this the data directory of a server that has run?",
        data_dir.display(),
        path.display()
    );
    Ok(Key::new(file(&path)?, KeySource::DataDir))
}

fn file(path: &Path) -> Result<Vec<Verifier>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the key file {}", path.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let verifiers: Vec<Verifier> = lines
        .map(|line| line.parse())
        .collect::<Result<_, _>>()
        .with_context(|| format!("{} holds no verifier key", path.display()))?;
    ensure!(!verifiers.is_empty(), "{} holds no verifier key", path.display());
    Ok(verifiers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_seal::Signer;

    #[test]
    fn a_log_may_have_several_keys_and_two_logs_may_not() {
        let key = |name: &str, seed: u8| {
            Signer::from_seed(name, &[seed; 32]).unwrap().verifier().to_string()
        };
        assert!(given(&[]).unwrap().is_none());
        let two = given(&[key("a.example/log", 1), key("a.example/log", 2)]).unwrap().unwrap();
        assert_eq!(two.verifiers.len(), 2);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys");
        std::fs::write(
            &file,
            format!("{}\n{}\n", key("a.example/log", 3), key("a.example/log", 4)),
        )
        .unwrap();
        let file = file.to_str().unwrap().to_owned();
        let three = given(&[key("a.example/log", 1), file]).unwrap().unwrap();
        assert_eq!(three.verifiers.len(), 3);
        let error = given(&[key("a.example/log", 1), key("b.example/log", 1)]).unwrap_err();
        assert!(error.to_string().contains("two logs"), "{error}");
    }
}
