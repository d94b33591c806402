//! Tests of the key files.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn open(dir: &Path, passphrase: Option<&str>, allow: bool) -> Result<Keys, KeyError> {
    let passphrase = passphrase.map(|text| Secret::new(text.to_owned()));
    Keys::open(dir, "log.example", passphrase.as_ref(), allow, &Environment::system())
}

#[test]
fn a_key_is_made_once_private_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let made = open(dir.path(), Some("correct horse"), false).unwrap();
    assert!(made.created);
    let mode = fs::metadata(dir.path().join("log.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(dir.path().join("log.json")).unwrap();
    assert!(!text.contains("\"seed\""), "{text}");
    let again = open(dir.path(), Some("correct horse"), false).unwrap();
    assert!(!again.created);
    assert_eq!(again.signer.verifier().to_string(), made.signer.verifier().to_string());
}

#[test]
fn a_passphrase_is_demanded_checked_and_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(open(dir.path(), None, false), Err(KeyError::PassphraseRequired)));
    assert!(!dir.path().join("log.json").exists());
    open(dir.path(), Some("correct horse"), false).unwrap();
    assert!(matches!(open(dir.path(), Some("two"), false), Err(KeyError::PassphraseWrong(_))));
    assert!(matches!(open(dir.path(), None, true), Err(KeyError::PassphraseMissing(_))));
}

#[test]
fn a_short_passphrase_encrypts_no_key_and_goes_on_opening_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.json");
    assert!(matches!(open(dir.path(), Some("eleven long"), true), Err(KeyError::PassphraseShort)));
    assert!(!path.exists());
    let made = open(dir.path(), None, true).unwrap();
    assert!(matches!(open(dir.path(), Some("eleven long"), true), Err(KeyError::PassphraseShort)));

    // As an earlier version made it.
    let (passphrase, environment) = (Secret::new("short".to_owned()), Environment::system());
    let mut file: KeyFile = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let seed = STANDARD.decode(file.seed.take().unwrap()).unwrap().try_into().unwrap();
    file.encrypted_seed = encrypt(&Secret::new(seed), &passphrase, &environment);
    fs::write(&path, serde_json::to_vec(&file).unwrap()).unwrap();
    let found = open(dir.path(), Some("short"), false).unwrap();
    assert_eq!(found.signer.verifier().to_string(), made.signer.verifier().to_string());
}

#[test]
fn the_origin_of_a_log_never_changes() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), None, true).unwrap();
    let other = Keys::open(dir.path(), "other.example", None, true, &Environment::system());
    assert!(matches!(other, Err(KeyError::OtherOrigin { .. })));
}

#[test]
fn a_key_in_clear_is_encrypted_by_the_first_passphrase_and_refused_without_leave() {
    let dir = tempfile::tempdir().unwrap();
    let made = open(dir.path(), None, true).unwrap();
    let key = dir.path().join("log.json");
    let clear = fs::read(&key).unwrap();
    assert!(matches!(open(dir.path(), None, false), Err(KeyError::PassphraseRequired)));
    assert_eq!(fs::read(&key).unwrap(), clear);

    let same = |keys: Keys| {
        assert_eq!(keys.signer.verifier().to_string(), made.signer.verifier().to_string());
        assert_eq!(keys.secrets.expose(), made.secrets.expose());
        assert!(!keys.created);
    };
    same(open(dir.path(), Some("correct horse"), false).unwrap());
    let text = fs::read_to_string(&key).unwrap();
    assert!(!text.contains("\"seed\"") && text.contains("encrypted_seed"), "{text}");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(open(dir.path(), None, true), Err(KeyError::PassphraseMissing(_))));
    same(open(dir.path(), Some("correct horse"), false).unwrap());
}

#[test]
fn a_verifier_key_that_is_absent_is_written_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("keys");
    let made = open(&dir, Some("correct horse"), false).unwrap();
    let path = dir.join("log.vkey");
    let text = fs::read_to_string(&path).unwrap();
    // As after a crash between the two files.
    fs::remove_file(&path).unwrap();
    assert!(verifier(folder.path()).is_err());
    open(&dir, Some("correct horse"), false).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    let found = verifier(folder.path()).unwrap().to_string();
    assert_eq!(found, made.signer.verifier().to_string());
}
