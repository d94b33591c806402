//! Verification as its callers use it: progress, sources that fail, ranges, proofs of single
//! entries.

use std::borrow::Cow;

use chancery_seal::note::Note;
use chancery_seal::proof::inclusion_proof;
use chancery_seal::range::{Exported, range_proof, verify_entries};
use chancery_seal::tile::{BundleId, TileId};
use chancery_seal::verify::{FaultKind, LogSource, VerifyError, verify_log, verify_range};
use chancery_seal::{TileSource, TlogProof};

use crate::log::{MemoryLog, entry, trust};

/// A source whose disk fails from a bundle on.
struct Failing(MemoryLog, u64);

#[derive(Debug, PartialEq, Eq)]
struct DiskError;

impl TileSource for Failing {
    type Error = DiskError;

    fn tile(&self, id: TileId) -> Result<Option<Cow<'_, [u8]>>, DiskError> {
        self.0.tile(id).map_err(|never| match never {})
    }
}

impl LogSource for Failing {
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, DiskError> {
        self.0.checkpoint().map_err(|never| match never {})
    }

    fn bundle(&self, id: BundleId) -> Result<Option<Cow<'_, [u8]>>, DiskError> {
        if id.index() >= self.1 {
            return Err(DiskError);
        }
        self.0.bundle(id).map_err(|never| match never {})
    }
}

#[test]
fn progress_counts_entries() {
    let log = MemoryLog::new(600);
    let mut steps = Vec::new();
    let opened = verify_log(&log, &trust(), |done| steps.push(done)).unwrap();
    assert_eq!(opened.checkpoint.size(), 600);
    assert_eq!(steps, [256, 512, 600]);
    steps.clear();
    verify_range(&log, &trust(), 300..600, |done| steps.push(done)).unwrap();
    assert_eq!(steps, [256, 344]);
}

#[test]
fn a_failing_source_is_not_a_fault_of_the_log() {
    let failing = Failing(MemoryLog::new(600), 1);
    let mut done = 0;
    let verdict = verify_log(&failing, &trust(), |entries| done = entries);
    assert_eq!(verdict, Err(VerifyError::Source(DiskError)));
    assert_eq!(done, 256);
    assert!(verify_range(&failing, &trust(), 0..256, |_| {}).is_ok());
}

#[test]
fn ranges_outside_of_the_log() {
    let log = MemoryLog::new(600);
    #[expect(clippy::reversed_empty_ranges)]
    let ranges = [0..601, 601..601, 5..4, 0..u64::MAX];
    for range in ranges {
        let verdict = verify_range(&log, &trust(), range.clone(), |_| {});
        let Err(VerifyError::Fault(fault)) = verdict else { panic!("{range:?} was accepted") };
        assert_eq!(fault.kind, FaultKind::OutOfRange);
    }
    assert_eq!(log.verify_range(0, 0), Ok(()));
    assert_eq!(log.verify_range(600, 600), Ok(()));
}

#[test]
fn wider_tiles_are_good_enough() {
    // The tiles of the log at 700 serve the checkpoint of the log at 600, under the names of the
    // latter.
    let mut log = MemoryLog::new(600);
    let grown = MemoryLog::new(700);
    *log.bytes("tile/0/002.p/88") = grown.0[&"tile/0/002.p/188".parse().unwrap()].clone();
    assert_eq!(log.verify(), Ok(()));
    assert_eq!(log.verify_range(500, 600), Ok(()));
}

#[test]
fn a_proof_and_an_export_out_of_a_log() {
    let mut log = MemoryLog::new(70_000);
    let opened = verify_log(&log, &trust(), |_| {}).unwrap();
    let note = Note::parse(log.bytes("checkpoint")).unwrap();
    for index in [0, 255, 256, 65_535, 65_536, 69_999] {
        let hashes = inclusion_proof(&log, index, 70_000).unwrap();
        let proof = TlogProof::new(index, hashes, note.clone()).unwrap().to_string();
        let proof: TlogProof = proof.parse().unwrap();
        assert!(proof.verify(&entry(index), &trust()).is_ok());
        assert!(proof.verify(&entry(index + 1), &trust()).is_err());
    }
    let proof = range_proof(&log, 1000, 68_000, 70_000).unwrap();
    let root = opened.checkpoint.root();
    let export =
        (1000..68_000).map(|n| Ok::<_, DiskError>(Exported { entry: entry(n), leaf: None }));
    assert_eq!(verify_entries(&proof, root, export, |_| {}), Ok(()));
}
