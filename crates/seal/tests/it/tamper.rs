//! Tampering with a log of 600 entries: always noticed, and the first faulty entry is named.

use chancery_seal::bundle;
use chancery_seal::hash::leaf_hash;
use chancery_seal::tile::Resource;
use chancery_seal::verify::FaultKind;

use crate::log::{MemoryLog, entry};

const SIZE: u64 = 600;
/// Bytes of an entry in its bundle.
const STEP: usize = 2 + 15;
const FULL: &str = "tile/entries/001";
const PARTIAL: &str = "tile/entries/002.p/88";

/// Runs `spoil` on a fresh log and returns the fault found; range verification must find the same
/// entry.
fn spoiled(spoil: impl FnOnce(&mut MemoryLog)) -> chancery_seal::Fault {
    let mut log = MemoryLog::new(SIZE);
    spoil(&mut log);
    let fault = log.verify().expect_err("tampering must be noticed");
    let of_range = log.verify_range(0, SIZE).expect_err("tampering must be noticed in a range too");
    if matches!(fault.kind, FaultKind::Entry | FaultKind::Bundle { .. }) {
        assert_eq!(of_range, fault);
    }
    if let Some(index) = fault.index {
        assert!(fault.entries.contains(&index));
    }
    fault
}

/// The entries of one bundle, changed by `change`, put back.
fn rebundled(path: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> chancery_seal::Fault {
    spoiled(|log| {
        let Ok(Resource::Entries(id)) = path.parse() else { panic!("{path} is no bundle") };
        let bytes = log.bytes(path);
        let decoded = bundle::decode(id, bytes).unwrap();
        let mut entries: Vec<Vec<u8>> = decoded.into_iter().map(<[u8]>::to_vec).collect();
        change(&mut entries);
        // Not `encode`: a tamperer is not bound to 256 entries.
        bytes.clear();
        entries.iter().for_each(|entry| bundle::push_entry(bytes, entry).unwrap());
    })
}

#[test]
fn sound_logs_are_accepted() {
    for size in [0, 1, 2, 255, 256, 257, 511, 512, 513, 600, 65_536, 65_537, 66_000] {
        let log = MemoryLog::new(size);
        assert_eq!(log.verify(), Ok(()), "{size}");
        assert_eq!(log.verify_range(size / 2, size), Ok(()), "{size}");
    }
}

#[test]
fn every_byte_of_a_bundle() {
    for (path, first, width) in [(FULL, 256u64, 256usize), (PARTIAL, 512, 88)] {
        assert_eq!(MemoryLog::new(SIZE).bytes(path).len(), width * STEP);
        for at in 0..width * STEP {
            let fault = spoiled(|log| log.bytes(path)[at] ^= 1 << (at % 8));
            assert_eq!(fault.index, Some(first + (at / STEP) as u64), "{path} byte {at}");
        }
    }
}

#[test]
fn every_truncation_of_a_bundle() {
    for at in 0..88 * STEP {
        let fault = spoiled(|log| log.bytes(PARTIAL).truncate(at));
        assert_eq!(fault.index, Some(512 + (at / STEP) as u64), "cut at {at}");
        assert!(matches!(fault.kind, FaultKind::Bundle { .. }));
    }
    let fault = spoiled(|log| log.bytes(FULL).truncate(100 * STEP));
    assert_eq!(fault.index, Some(356));
}

#[test]
fn additions_to_a_bundle() {
    for added in [&[0u8][..], &[0, 0], &[0, 1, 7]] {
        let fault = spoiled(|log| log.bytes(PARTIAL).extend(added));
        assert_eq!(fault.index, Some(600));
        assert_eq!(fault.entries, 512..601);
        assert!(matches!(fault.kind, FaultKind::Bundle { .. }));
    }
}

#[test]
fn entries_swapped_deleted_duplicated_replaced() {
    for (path, first, width) in
        [("tile/entries/000", 0u64, 256usize), (FULL, 256, 256), (PARTIAL, 512, 88)]
    {
        let last = width - 1;
        for k in [0, 1, width / 2, last] {
            let index = Some(first + k as u64);
            let deleted = rebundled(path, |entries| drop(entries.remove(k)));
            assert_eq!(deleted.index, index, "{path} {k} deleted");
            let replaced = rebundled(path, |entries| entries[k] = entry(9999));
            assert_eq!((replaced.index, replaced.kind), (index, FaultKind::Entry));
            let emptied = rebundled(path, |entries| entries[k].clear());
            assert_eq!((emptied.index, emptied.kind), (index, FaultKind::Entry));
            let inserted = rebundled(path, |entries| entries.insert(k, entry(9999)));
            assert_eq!(inserted.index, index, "{path} {k} inserted");
            let doubled = rebundled(path, |entries| entries.insert(k, entries[k].clone()));
            assert_eq!(doubled.index, index.map(|index| index + 1), "{path} {k} doubled");
            if k < last {
                let swapped = rebundled(path, |entries| entries.swap(k, last));
                assert_eq!((swapped.index, swapped.kind), (index, FaultKind::Entry));
            }
        }
        let bundle_missing = spoiled(|log| drop(log.0.remove(&path.parse().unwrap())));
        assert_eq!(bundle_missing.index, Some(first));
        assert!(matches!(bundle_missing.kind, FaultKind::MissingBundle(_)));
    }
}

#[test]
fn entries_swapped_between_bundles() {
    let fault = spoiled(|log| {
        let mut entries: Vec<Vec<u8>> = (0..SIZE).map(entry).collect();
        entries.swap(300, 555);
        let other = MemoryLog::of(&entries);
        log.take_from(&other, FULL);
        log.take_from(&other, PARTIAL);
    });
    assert_eq!((fault.index, fault.kind), (Some(300), FaultKind::Entry));
}

#[test]
fn tiles_of_leaf_hashes() {
    for (path, first, width) in [("tile/0/001", 256u64, 256usize), ("tile/0/002.p/88", 512, 88)] {
        for at in 0..width * 32 {
            let fault = spoiled(|log| log.bytes(path)[at] ^= 1 << (at % 8));
            assert_eq!(fault.index, Some(first + (at / 32) as u64), "{path} byte {at}");
            assert_eq!(fault.kind, FaultKind::Tile(path.parse().unwrap()));
            let fault = spoiled(|log| log.bytes(path).truncate(at));
            assert_eq!(fault.index, Some(first + (at / 32) as u64), "{path} cut at {at}");
            assert_eq!(fault.kind, FaultKind::Tile(path.parse().unwrap()));
        }
        let fault = spoiled(|log| drop(log.0.remove(&path.parse().unwrap())));
        assert_eq!(fault.kind, FaultKind::MissingTile(path.parse().unwrap()));
        let fault = spoiled(|log| log.bytes(path).push(0));
        assert_eq!(fault.kind, FaultKind::Tile(path.parse().unwrap()));
    }
}

#[test]
fn tiles_above_the_leaves() {
    let path = "tile/1/000.p/2";
    for at in 0..64 {
        let fault = spoiled(|log| log.bytes(path)[at] ^= 0x40);
        let start = 256 * (at as u64 / 32);
        assert_eq!((fault.index, fault.entries), (None, start..start + 256));
        assert_eq!(fault.kind, FaultKind::Tile(path.parse().unwrap()));
    }
    let fault = spoiled(|log| log.bytes(path).truncate(40));
    assert_eq!(fault.kind, FaultKind::Tile(path.parse().unwrap()));
    let fault = spoiled(|log| drop(log.0.remove(&path.parse().unwrap())));
    assert_eq!(fault.kind, FaultKind::MissingTile(path.parse().unwrap()));
}

#[test]
fn an_entry_and_everything_above_it_rewritten() {
    let mut entries: Vec<Vec<u8>> = (0..SIZE).map(entry).collect();
    entries[300] = entry(9999);
    let other = MemoryLog::of(&entries);

    // Entry alone, then with its tile, then with all tiles, at last with a checkpoint of another
    // key.
    let fault = spoiled(|log| log.take_from(&other, FULL));
    assert_eq!((fault.index, fault.kind), (Some(300), FaultKind::Entry));
    let fault = spoiled(|log| {
        log.take_from(&other, FULL);
        log.take_from(&other, "tile/0/001");
    });
    assert_eq!((fault.index, fault.entries), (None, 256..512));
    assert_eq!(fault.kind, FaultKind::Rewritten);
    let fault = spoiled(|log| {
        log.take_from(&other, FULL);
        log.take_from(&other, "tile/0/001");
        log.take_from(&other, "tile/1/000.p/2");
    });
    assert_eq!((fault.index, fault.entries, fault.kind), (None, 0..600, FaultKind::Root));
    let fault = spoiled(|log| {
        *log = other.clone();
        log.sign(600, leaf_hash(b"another root"));
    });
    assert_eq!(fault.kind, FaultKind::Root);
}

#[test]
fn with_the_upper_tiles_gone_the_first_difference_is_still_named() {
    let fault = spoiled(|log| {
        log.bytes("tile/1/000.p/2")[0] ^= 1;
        log.bytes(FULL)[3 * STEP + 5] ^= 1;
    });
    assert_eq!((fault.index, fault.kind), (Some(259), FaultKind::EntryOrTile));
    // At the edge the verified entries before it make up for the tile above.
    let mut log = MemoryLog::new(SIZE);
    log.bytes("tile/1/000.p/2")[0] ^= 1;
    log.bytes(PARTIAL)[3 * STEP + 5] ^= 1;
    let fault = log.verify().unwrap_err();
    assert_eq!((fault.index, fault.kind), (Some(515), FaultKind::Entry));
}

#[test]
fn a_deep_log() {
    // Three levels: the second full tile of level 1 is within reach of a tamperer.
    let sound = MemoryLog::new(131_372);
    let mut log = sound.clone();
    log.bytes("tile/1/001")[37 * 32] ^= 1;
    let fault = log.verify().unwrap_err();
    let start = 65_536 + 37 * 256;
    assert_eq!((fault.index, fault.entries), (None, start..start + 256));
    assert_eq!(fault.kind, FaultKind::Tile("tile/1/001".parse().unwrap()));
    assert_eq!(log.verify_range(0, 65_536), Ok(()));
    assert!(log.verify_range(0, 65_537).is_err());

    let mut log = sound.clone();
    log.bytes("tile/entries/300")[2] ^= 1;
    assert_eq!(log.verify().unwrap_err().index, Some(76_800));
    assert_eq!(log.verify_range(76_700, 76_801).unwrap_err().index, Some(76_800));
    assert_eq!(log.verify_range(0, 76_800), Ok(()));
    assert_eq!(log.verify_range(77_056, 131_372), Ok(()));
}

#[test]
fn every_byte_of_the_checkpoint() {
    let length = MemoryLog::new(SIZE).bytes("checkpoint").len();
    for at in 0..length {
        let fault = spoiled(|log| log.bytes("checkpoint")[at] ^= 1 << (at % 8));
        assert!(matches!(fault.kind, FaultKind::Checkpoint(_)), "byte {at}");
    }
    let fault = spoiled(|log| drop(log.0.remove(&Resource::Checkpoint)));
    assert_eq!(fault.kind, FaultKind::MissingCheckpoint);
}

#[test]
fn an_older_checkpoint_or_a_size_that_is_wrong() {
    let root = leaf_hash(b"");
    for size in [0, 1, 599, 601, 1 << 40, u64::MAX] {
        let fault = spoiled(|log| log.sign(size, root));
        assert!(fault.index.is_none() || fault.index < Some(601), "{size}: {fault:?}");
    }
}
