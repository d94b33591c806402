//! Secrets of destinations, and of sources that are fetched from: a map of names to texts,
//! encrypted at rest and never shown.
//!
//! AES-256-GCM under a key derived from the log's key; the name of the destination is bound in, so
//! that a row copied to another destination does not open. Versioned by its first byte.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use chancery_event::Environment;

use crate::{Error, Secret};

/// Names and secret values. Has no `Debug` and no `Serialize`.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, Secret<String>>);

impl Secrets {
    /// The secret of this name.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|secret| secret.expose().as_str())
    }

    /// Sets a secret; an empty one goes.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), Secret::new(value));
        }
    }

    /// Names of the secrets there are.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Encrypts.
    pub(crate) fn sealed(
        &self,
        key: &Secret<[u8; 32]>,
        name: &str,
        environment: &Environment,
    ) -> Result<Option<Vec<u8>>, Error> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let plain: BTreeMap<&str, &str> =
            self.0.iter().map(|(name, value)| (name.as_str(), value.expose().as_str())).collect();
        let mut bytes = serde_json::to_vec(&plain)
            .map_err(|error| Error::Internal(format!("secrets: {error}")))?;
        let nonce: [u8; 12] = environment.random();
        cipher(key)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(name.as_bytes()),
                &mut bytes,
            )
            .map_err(|_| Error::Internal("secrets were not encrypted".to_owned()))?;
        let mut sealed = vec![1];
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&bytes);
        Ok(Some(sealed))
    }

    /// Decrypts.
    pub(crate) fn open(
        sealed: Option<&[u8]>,
        key: &Secret<[u8; 32]>,
        name: &str,
    ) -> Result<Self, Error> {
        let Some(sealed) = sealed else { return Ok(Self::default()) };
        let refuse = || {
            Error::Internal(format!("the secrets of {name} do not open with the key of this log"))
        };
        let (version, rest) = sealed.split_first().ok_or_else(refuse)?;
        let (nonce, body) = rest.split_at_checked(12).ok_or_else(refuse)?;
        if *version != 1 {
            return Err(refuse());
        }
        let nonce: [u8; 12] = nonce.try_into().map_err(|_| refuse())?;
        let mut bytes = body.to_vec();
        let plain = cipher(key)?
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(name.as_bytes()),
                &mut bytes,
            )
            .map_err(|_| refuse())?;
        let map: BTreeMap<String, String> = serde_json::from_slice(plain).map_err(|_| refuse())?;
        Ok(Self(map.into_iter().map(|(name, value)| (name, Secret::new(value))).collect()))
    }
}

fn cipher(key: &Secret<[u8; 32]>) -> Result<LessSafeKey, Error> {
    UnboundKey::new(&AES_256_GCM, key.expose())
        .map(LessSafeKey::new)
        .map_err(|_| Error::Internal("the key of secrets cannot be used".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_open_with_their_key_and_name_and_nothing_else() {
        let environment = Environment::system();
        let key = Secret::new([7; 32]);
        let mut secrets = Secrets::default();
        secrets.set("token", "abc");
        secrets.set("gone", "x");
        secrets.set("gone", "");
        let sealed = secrets.sealed(&key, "soc", &environment).unwrap().unwrap();
        assert!(!sealed.windows(3).any(|part| part == b"abc"));
        let opened = Secrets::open(Some(&sealed), &key, "soc").unwrap();
        assert_eq!((opened.find("token"), opened.names()), (Some("abc"), vec!["token".to_owned()]));
        assert!(Secrets::open(Some(&sealed), &key, "other").is_err());
        assert!(Secrets::open(Some(&sealed), &Secret::new([8; 32]), "soc").is_err());
        assert!(Secrets::open(Some(&sealed[..9]), &key, "soc").is_err());
        assert!(Secrets::default().sealed(&key, "soc", &environment).unwrap().is_none());
    }
}
