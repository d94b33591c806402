//! The keys of the installation: the log's signing key, and the key that seals pending events,
//! derived from it.
//!
//! A log has one key for as long as it lives: `keys/log.json` in the data directory, mode 0600.
//! With a passphrase the seed is encrypted (argon2id, AES-256-GCM). The verifier key stands in
//! `keys/log.vkey` in clear, for off-line verification; where it is absent it is written again. A
//! seed that was stored in clear once is encrypted at the first start that is given a passphrase,
//! and refused at one that has neither passphrase nor leave. A key is never deleted.
//!
//! Crash here: a file is written whole under another name and renamed; a half-written key is never
//! found. Between the two files: the next start writes the verifier key.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_event::Environment;
use chancery_seal::{Signer, Verifier};
use serde::{Deserialize, Serialize};

use crate::Secret;

/// Shortest passphrase that a key is encrypted with, in characters. What encrypts one already may
/// be shorter.
pub const PASSPHRASE_LENGTH_MIN: usize = 12;

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot use the key file {path}: {what}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The key is encrypted and no passphrase was given.
    #[error(
        "the log key {0} is encrypted: set log.key_passphrase_file (CHANCERY_LOG_KEY_PASSPHRASE_FILE) or log.key_passphrase"
    )]
    PassphraseMissing(PathBuf),
    /// The passphrase does not fit.
    #[error("the passphrase does not open the log key {0}")]
    PassphraseWrong(PathBuf),
    /// No passphrase was given where one is demanded.
    #[error(
        "a passphrase for the log key is required: set log.key_passphrase_file (CHANCERY_LOG_KEY_PASSPHRASE_FILE) or log.key_passphrase; to store the key unencrypted, set log.allow_unencrypted_key = true"
    )]
    PassphraseRequired,
    /// The passphrase is too short for a key that it would encrypt from now on.
    #[error(
        "the passphrase for the new log key has fewer than {PASSPHRASE_LENGTH_MIN} characters: choose a longer one (log.key_passphrase_file or log.key_passphrase)"
    )]
    PassphraseShort,
    /// The key belongs to another log.
    #[error(
        "the key {path} signs for the origin “{found}”, the configuration says “{configured}”: the origin of a log never changes; set log.origin (CHANCERY_LOG_ORIGIN) to “{found}” to go on with it"
    )]
    OtherOrigin {
        /// Which file.
        path: PathBuf,
        /// The origin in the file.
        found: String,
        /// The origin configured.
        configured: String,
    },
    /// The origin is not fit for a key name.
    #[error("the log origin “{0}” is not usable: it must not be empty nor contain spaces or “+”")]
    Origin(String),
}

/// The origin that the log of a data directory has; `None` where none has begun, or where its key
/// cannot be read.
pub fn origin_of(data_dir: &Path) -> Option<String> {
    let text = fs::read_to_string(data_dir.join("keys").join("log.json")).ok()?;
    serde_json::from_str(&text).ok().map(|file: KeyFile| file.origin)
}

#[derive(Serialize, Deserialize)]
struct KeyFile {
    origin: String,
    algorithm: String,
    created_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encrypted_seed: Option<Encrypted>,
}

#[derive(Serialize, Deserialize)]
struct Encrypted {
    derivation: String,
    memory_kib: u32,
    passes: u32,
    salt: String,
    cipher: String,
    nonce: String,
    ciphertext: String,
}

/// The keys, opened.
pub(crate) struct Keys {
    /// Signs checkpoints.
    pub(crate) signer: Signer,
    /// Seals pending events.
    pub(crate) pending: hmac::Key,
    /// Encrypts secrets of destinations.
    pub(crate) secrets: Secret<[u8; 32]>,
    /// Marks browsers that somebody logged in from.
    pub(crate) browsers: hmac::Key,
    /// True if this start made the log key.
    pub(crate) created: bool,
}

impl Keys {
    /// Whether there are keys in `dir`.
    pub(crate) fn are_in(dir: &Path) -> bool {
        dir.join("log.json").exists()
    }

    /// Opens the keys in `dir`, or makes them.
    pub(crate) fn open(
        dir: &Path,
        origin: &str,
        passphrase: Option<&Secret<String>>,
        allow_unencrypted: bool,
        environment: &Environment,
    ) -> Result<Self, KeyError> {
        let path = dir.join("log.json");
        let created = !path.exists();
        let demanded = || match passphrase.is_none() && !allow_unencrypted {
            true => Err(KeyError::PassphraseRequired),
            false => Ok(()),
        };
        let seed = if created {
            demanded()?;
            let seed = Secret::new(environment.random::<32>());
            store(dir, &path, origin, &seed, passphrase, environment)?;
            seed
        } else {
            let Stored { seed, is_encrypted } = load(&path, origin, passphrase)?;
            if !is_encrypted {
                demanded()?;
            }
            if !is_encrypted && passphrase.is_some() {
                store(dir, &path, origin, &seed, passphrase, environment)?;
                tracing::warn!(
                    "the log key {} was stored unencrypted; it is encrypted now. Copies that were \
                     made of it before, in backups say, still hold it in clear",
                    path.display()
                );
            }
            seed
        };
        let signer = Signer::from_seed(origin, seed.expose())
            .map_err(|_| KeyError::Origin(origin.to_owned()))?;
        write_verifier(dir, &signer, created)?;
        let pending = derive(seed.expose(), b"seal of pending events, version 1");
        let browsers = derive(seed.expose(), b"browsers that were logged in from, version 1");
        Ok(Self {
            pending: hmac::Key::new(hmac::HMAC_SHA256, pending.expose()),
            browsers: hmac::Key::new(hmac::HMAC_SHA256, browsers.expose()),
            secrets: derive(seed.expose(), b"secrets of destinations, version 1"),
            signer,
            created,
        })
    }
}

/// Writes the verifier key where it is absent: a start may have ended before it did. A directory of
/// keys that takes no files is no reason not to go on with a key that was there.
fn write_verifier(dir: &Path, signer: &Signer, created: bool) -> Result<(), KeyError> {
    let path = dir.join("log.vkey");
    if !created && path.exists() {
        return Ok(());
    }
    match write(&path, format!("{}\n", signer.verifier()).as_bytes(), 0o644) {
        Err(error) if !created => {
            tracing::warn!("{error}: there is no verifier key for off-line verification");
            Ok(())
        }
        written => written,
    }
}

/// The verifier key of the log whose data directory is `data_dir`.
///
/// # Errors
/// The file is missing or holds no verifier key.
pub fn verifier(data_dir: &Path) -> Result<Verifier, KeyError> {
    let path = data_dir.join("keys").join("log.vkey");
    let refuse = |what: String| KeyError::File { path: path.clone(), what };
    let text = fs::read_to_string(&path).map_err(|error| refuse(error.to_string()))?;
    text.trim().parse().map_err(|_| refuse("it holds no verifier key".to_owned()))
}

fn derive(seed: &[u8; 32], purpose: &[u8]) -> Secret<[u8; 32]> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"chancery");
    let mut bytes = [0; 32];
    // Unwrap safety: 32 bytes is one block of HKDF-SHA-256, a length it always gives.
    salt.extract(seed)
        .expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut bytes))
        .expect("HKDF gives one block");
    Secret::new(bytes)
}

/// A seed as its file holds it.
struct Stored {
    seed: Secret<[u8; 32]>,
    is_encrypted: bool,
}

/// Whether a passphrase may not encrypt a key that it does not encrypt already.
pub(crate) fn is_short(passphrase: &Secret<String>) -> bool {
    passphrase.expose().chars().count() < PASSPHRASE_LENGTH_MIN
}

fn load(
    path: &Path,
    origin: &str,
    passphrase: Option<&Secret<String>>,
) -> Result<Stored, KeyError> {
    let refuse = |what: String| KeyError::File { path: path.to_owned(), what };
    let text = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let file: KeyFile = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    if file.origin != origin {
        return Err(KeyError::OtherOrigin {
            path: path.to_owned(),
            found: file.origin,
            configured: origin.to_owned(),
        });
    }
    let is_encrypted = file.seed.is_none();
    let bytes = match (file.seed, file.encrypted_seed) {
        (Some(seed), _) => {
            STANDARD.decode(seed).map_err(|_| refuse("the seed is not base64".to_owned()))?
        }
        (None, Some(encrypted)) => {
            let passphrase =
                passphrase.ok_or_else(|| KeyError::PassphraseMissing(path.to_owned()))?;
            decrypt(&encrypted, passphrase)
                .ok_or_else(|| KeyError::PassphraseWrong(path.to_owned()))?
        }
        (None, None) => return Err(refuse("it holds no seed".to_owned())),
    };
    let seed = bytes.try_into().map_err(|_| refuse("the seed is not 32 bytes".to_owned()))?;
    Ok(Stored { seed: Secret::new(seed), is_encrypted })
}

fn store(
    dir: &Path,
    path: &Path,
    origin: &str,
    seed: &Secret<[u8; 32]>,
    passphrase: Option<&Secret<String>>,
    environment: &Environment,
) -> Result<(), KeyError> {
    let refuse = |what: String| KeyError::File { path: path.to_owned(), what };
    let encrypted = match passphrase {
        Some(passphrase) if is_short(passphrase) => return Err(KeyError::PassphraseShort),
        Some(passphrase) => Some(
            encrypt(seed, passphrase, environment)
                .ok_or_else(|| refuse("encryption failed".to_owned()))?,
        ),
        None => None,
    };
    fs::create_dir_all(dir).map_err(|error| refuse(error.to_string()))?;
    let file = KeyFile {
        origin: origin.to_owned(),
        algorithm: "ed25519".to_owned(),
        created_at: environment.now().to_string(),
        seed: encrypted.is_none().then(|| STANDARD.encode(seed.expose())),
        encrypted_seed: encrypted,
    };
    let text = serde_json::to_string_pretty(&file).map_err(|error| refuse(error.to_string()))?;
    write(path, text.as_bytes(), 0o600)
}

/// Writes a file whole or not at all, and onto the disk.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyError> {
    let refuse =
        |error: std::io::Error| KeyError::File { path: path.to_owned(), what: error.to_string() };
    let part = path.with_extension("part");
    let mut file = fs::File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(mode)
        .open(&part)
        .map_err(refuse)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(refuse)?;
    fs::rename(&part, path).map_err(refuse)?;
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(refuse)
}

fn stretch(
    passphrase: &Secret<String>,
    salt: &[u8],
    memory_kib: u32,
    passes: u32,
) -> Option<LessSafeKey> {
    let parameters = argon2::Params::new(memory_kib, passes, 1, Some(32)).ok()?;
    let argon =
        argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters);
    let mut key = Secret::new([0; 32]).expose().to_owned();
    argon.hash_password_into(passphrase.expose().as_bytes(), salt, &mut key).ok()?;
    let unbound = UnboundKey::new(&AES_256_GCM, &key).ok();
    zeroize::Zeroize::zeroize(&mut key);
    unbound.map(LessSafeKey::new)
}

fn encrypt(
    seed: &Secret<[u8; 32]>,
    passphrase: &Secret<String>,
    environment: &Environment,
) -> Option<Encrypted> {
    let (memory_kib, passes) = (64 * 1024, 3);
    let salt: [u8; 16] = environment.random();
    let nonce: [u8; 12] = environment.random();
    let key = stretch(passphrase, &salt, memory_kib, passes)?;
    let mut bytes = seed.expose().to_vec();
    let unique = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(unique, Aad::empty(), &mut bytes).ok()?;
    Some(Encrypted {
        derivation: "argon2id".to_owned(),
        memory_kib,
        passes,
        salt: STANDARD.encode(salt),
        cipher: "aes-256-gcm".to_owned(),
        nonce: STANDARD.encode(nonce),
        ciphertext: STANDARD.encode(bytes),
    })
}

fn decrypt(file: &Encrypted, passphrase: &Secret<String>) -> Option<Vec<u8>> {
    let salt = STANDARD.decode(&file.salt).ok()?;
    let nonce: [u8; 12] = STANDARD.decode(&file.nonce).ok()?.try_into().ok()?;
    let mut bytes = STANDARD.decode(&file.ciphertext).ok()?;
    let key = stretch(passphrase, &salt, file.memory_kib, file.passes)?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.open_in_place(nonce, Aad::empty(), &mut bytes).ok().map(|plain| plain.to_vec())
}

#[cfg(test)]
mod tests;
