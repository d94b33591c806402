//! The published log of a test server: what anybody (and an auditor) can fetch, verified with the
//! code of the off-line verifier.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;

use chancery_seal::proof::TileSource;
use chancery_seal::tile::{BundleId, TileId};
use chancery_seal::verify::{LogSource, verify_log};
use chancery_seal::{Trust, Verifier};

/// Everything a log of one checkpoint consists of.
#[derive(Debug, Default)]
pub struct PublishedLog {
    pub(crate) checkpoint: Vec<u8>,
    pub(crate) tiles: HashMap<TileId, Vec<u8>>,
    pub(crate) bundles: HashMap<BundleId, Vec<u8>>,
}

impl TileSource for PublishedLog {
    type Error = Infallible;

    fn tile(&self, id: TileId) -> Result<Option<Cow<'_, [u8]>>, Infallible> {
        Ok(self.tiles.get(&id).map(|bytes| Cow::Borrowed(bytes.as_slice())))
    }
}

impl LogSource for PublishedLog {
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(Some(self.checkpoint.clone()))
    }

    fn bundle(&self, id: BundleId) -> Result<Option<Cow<'_, [u8]>>, Infallible> {
        Ok(self.bundles.get(&id).map(|bytes| Cow::Borrowed(bytes.as_slice())))
    }
}

impl PublishedLog {
    /// Verifies the whole log; answers how many entries it has.
    ///
    /// # Panics
    /// It does not verify.
    pub fn verify(&self, verifier: &Verifier) -> u64 {
        let trust = Trust::new(verifier.name(), vec![verifier.clone()]);
        match verify_log(self, &trust, |_| {}) {
            Ok(opened) => opened.checkpoint.size(),
            Err(error) => panic!("the log does not verify: {error:?}"),
        }
    }
}
