//! A log in memory, as a server would publish it, for tests to verify and to spoil.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;

use chancery_seal::checkpoint::{Checkpoint, Trust};
use chancery_seal::hash::{Hash, leaf_hash};
use chancery_seal::key::Signer;
use chancery_seal::tile::{BundleId, Resource, Tile, TileId};
use chancery_seal::tree::Edge;
use chancery_seal::verify::{Fault, LogSource, VerifyError, verify_log, verify_range};
use chancery_seal::{TileSource, bundle};

pub const ORIGIN: &str = "example.com/log";

#[derive(Clone)]
pub struct MemoryLog(pub HashMap<Resource, Vec<u8>>);

pub fn signer() -> Signer {
    Signer::from_seed(ORIGIN, &[7; 32]).unwrap()
}

pub fn trust() -> Trust {
    Trust::new(ORIGIN, vec![signer().verifier().clone()])
}

/// A short entry; no two are alike.
pub fn entry(n: u64) -> Vec<u8> {
    format!("{n:>8} sealed").into_bytes()
}

impl MemoryLog {
    /// The log of these entries, complete and signed.
    pub fn of(entries: &[Vec<u8>]) -> Self {
        let mut edge = Edge::empty();
        let full = edge.append_many(entries.iter().map(|entry| leaf_hash(entry)));
        let mut published = HashMap::new();
        for Tile { id, bytes } in full.into_iter().chain(edge.partial_tiles()) {
            published.insert(Resource::Tile(id), bytes);
        }
        for (index, chunk) in (0u64..).zip(entries.chunks(256)) {
            let id = BundleId::new(index, u16::try_from(chunk.len()).unwrap()).unwrap();
            published.insert(Resource::Entries(id), bundle::encode(chunk).unwrap());
        }
        let mut log = Self(published);
        log.sign(entries.len() as u64, edge.root());
        log
    }

    /// The log with the entries 0..size.
    pub fn new(size: u64) -> Self {
        Self::of(&(0..size).map(entry).collect::<Vec<_>>())
    }

    pub fn sign(&mut self, size: u64, root: Hash) {
        let checkpoint = Checkpoint::new(ORIGIN, size, root).unwrap();
        let note = checkpoint.sign(&[&signer()]).unwrap().to_string();
        self.0.insert(Resource::Checkpoint, note.into_bytes());
    }

    pub fn bytes(&mut self, path: &str) -> &mut Vec<u8> {
        self.0.get_mut(&path.parse().unwrap()).unwrap()
    }

    /// Replaces one file of the log by the same file of another.
    pub fn take_from(&mut self, other: &Self, path: &str) {
        let resource: Resource = path.parse().unwrap();
        self.0.insert(resource, other.0[&resource].clone());
    }

    pub fn verify(&self) -> Result<(), Fault> {
        fault(verify_log(self, &trust(), |_| {}).map(|_| ()))
    }

    pub fn verify_range(&self, start: u64, end: u64) -> Result<(), Fault> {
        fault(verify_range(self, &trust(), start..end, |_| {}).map(|_| ()))
    }
}

fn fault(result: Result<(), VerifyError<Infallible>>) -> Result<(), Fault> {
    result.map_err(|error| match error {
        VerifyError::Fault(fault) => fault,
        VerifyError::Source(never) => match never {},
    })
}

impl TileSource for MemoryLog {
    type Error = Infallible;

    fn tile(&self, id: TileId) -> Result<Option<Cow<'_, [u8]>>, Infallible> {
        Ok(self.0.get(&Resource::Tile(id)).map(|bytes| Cow::Borrowed(bytes.as_slice())))
    }
}

impl LogSource for MemoryLog {
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.0.get(&Resource::Checkpoint).cloned())
    }

    fn bundle(&self, id: BundleId) -> Result<Option<Cow<'_, [u8]>>, Infallible> {
        Ok(self.0.get(&Resource::Entries(id)).map(|bytes| Cow::Borrowed(bytes.as_slice())))
    }
}
