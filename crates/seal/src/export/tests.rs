//! Exports are read as they were written, and every change to one is found.

use std::collections::HashMap;
use std::convert::Infallible;

use serde_json::json;

use super::*;
use crate::checkpoint::{Checkpoint, Trust};
use crate::hash::leaf_hash;
use crate::key::Signer;
use crate::proof::{ProofFault, inclusion_proof};
use crate::range::range_proof;
use crate::tile::TileId;
use crate::tree::Edge;

const SIZE: u64 = 600;

fn entry(index: u64) -> String {
    format!("{{\"n\":{index}}}")
}

struct Log {
    tiles: HashMap<TileId, Vec<u8>>,
    note: Note,
    trust: Trust,
}

fn log() -> Log {
    let mut edge = Edge::empty();
    let full = edge.append_many((0..SIZE).map(|n| leaf_hash(entry(n).as_bytes())));
    let tiles = full.into_iter().chain(edge.partial_tiles());
    let tiles = tiles.map(|tile| (tile.id, tile.bytes)).collect();
    let signer = Signer::from_seed("example.org/log", &[7; 32]).unwrap();
    let checkpoint = Checkpoint::new("example.org/log", SIZE, edge.root()).unwrap();
    let trust = Trust::new("example.org/log", vec![signer.verifier().clone()]);
    Log { tiles, note: checkpoint.sign(&[&signer]).unwrap(), trust }
}

fn header(log: &Log, proof: Proof) -> Header {
    Header {
        origin: "example.org/log".into(),
        first: None,
        last: None,
        filter: None,
        key: None,
        checkpoint: log.note.clone(),
        proof,
    }
}

fn line(index: u64, inclusion: Option<Vec<Hash>>) -> String {
    let entry = entry(index);
    let leaf = Some(leaf_hash(entry.as_bytes()));
    let event = json!({ "n": index });
    Line { log_index: index, leaf, inclusion, salt: None, entry, event }.to_line()
}

fn range(log: &Log, start: u64, end: u64) -> Vec<String> {
    let proof = Proof::Range(range_proof(&log.tiles, start, end, SIZE).unwrap());
    let mut lines = vec![header(log, proof).to_line()];
    lines.extend((start..end).map(|index| line(index, None)));
    lines.push(End::after(end - start).to_line());
    lines
}

fn each(log: &Log, indexes: &[u64]) -> Vec<String> {
    let mut lines = vec![header(log, Proof::Each).to_line()];
    lines.extend(
        indexes
            .iter()
            .map(|index| line(*index, Some(inclusion_proof(&log.tiles, *index, SIZE).unwrap()))),
    );
    lines.push(End::after(indexes.len() as u64).to_line());
    lines
}

type Refusal = ExportError<Infallible>;

fn verify(log: &Log, lines: Vec<String>) -> Result<Verified, Refusal> {
    let reader = Reader::open(lines.into_iter().map(Ok))?;
    let content = |line: &Line| match line.event["n"] == line.log_index {
        true => Ok(()),
        false => Err("another number".to_owned()),
    };
    reader.verify(&log.trust, content, |_| {})
}

#[test]
fn ranges_hold() {
    let log = log();
    for (start, end) in [(0, SIZE), (0, 1), (3, 300), (256, 512), (SIZE - 1, SIZE)] {
        let verified = verify(&log, range(&log, start, end)).unwrap();
        assert_eq!(verified.events, end - start);
        assert_eq!(verified.opened.checkpoint.size(), SIZE);
    }
}

#[test]
fn selections_hold() {
    let log = log();
    for indexes in [&[][..], &[0], &[5, 255, 256, SIZE - 1]] {
        assert_eq!(verify(&log, each(&log, indexes)).unwrap().events, indexes.len() as u64);
    }
}

#[test]
fn a_header_is_read_as_written() {
    let log = log();
    let proof = Proof::Range(range_proof(&log.tiles, 3, 9, SIZE).unwrap());
    for proof in [proof, Proof::Each, Proof::None] {
        let full = Header {
            first: Some(3),
            last: Some(8),
            filter: Some("type:a.*".into()),
            key: Some("k".into()),
            ..header(&log, proof)
        };
        assert_eq!(Header::parse(&full.to_line()).unwrap(), full);
        assert!(full.to_line().starts_with("{\"format\":\"chancery-export/1\","));
    }
}

#[test]
fn a_range_without_entries_is_none() {
    let log = log();
    let proof = range_proof(&log.tiles, 3, 9, SIZE).unwrap();
    for (start, end) in [(0, 0), (9, 3)] {
        let proof = Proof::Range(RangeProof { start, end, ..proof.clone() });
        let refused = Header::parse(&header(&log, proof).to_line()).unwrap_err();
        assert!(matches!(refused, FormatError::EmptyRange), "{refused}");
    }
}

#[test]
fn every_change_to_a_range_is_found() {
    let log = log();
    let good = range(&log, 10, 20);
    let check = |what: &str, change: &dyn Fn(&mut Vec<String>), index: Option<u64>, text: &str| {
        let mut lines = good.clone();
        change(&mut lines);
        let error = verify(&log, lines).unwrap_err();
        assert_eq!(error.index(), index, "{what}: {error}");
        assert!(error.to_string().contains(text), "{what}: {error}");
    };
    let in_entry = |lines: &mut Vec<String>, at: usize| {
        lines[at] = lines[at].replace("\\\"n\\\":", "\\\"m\\\":");
    };
    check("an entry", &|l| in_entry(l, 4), Some(13), "leaf hash");
    check("a removed one", &|l| drop(l.remove(4)), Some(13), "must follow");
    check("a double one", &|l| l.insert(4, l[4].clone()), Some(14), "must follow");
    check("swapped ones", &|l| l.swap(4, 5), Some(13), "must follow");
    check("no end", &|l| drop(l.pop()), None, "cut off behind 10");
    check("cut off", &|l| l.truncate(6), Some(15), "cut off behind 5");
    check("the last one removed", &|l| drop(l.remove(10)), Some(19), "missing");
    check("one too many", &|l| l.insert(11, line(20, None)), None, "behind the end");
    check("behind the end", &|l| l.push(line(20, None)), None, "behind the end");
    check("another count", &|l| l[11] = End::after(9).to_line(), None, "says it has 9");
    check(
        "other content",
        &|l| l[4] = l[4].replace("\"n\":13}}", "\"n\":14}}"),
        Some(13),
        "another",
    );
    check("no JSON", &|l| l[4].truncate(9), Some(13), "line 5");
    check("no header", &|l| drop(l.remove(0)), None, "line 1");
    check("nothing", &|l| l.clear(), None, "empty");

    // Entry and leaf hash changed together: the range as a whole is refused.
    let rewritten = |lines: &mut Vec<String>| {
        let mut line = Line::parse(&lines[4]).unwrap();
        line.entry = "{}".into();
        line.leaf = Some(leaf_hash(b"{}"));
        lines[4] = line.to_line();
    };
    check("entry and hash", &rewritten, None, "10 to 19 are not those of the log");
}

#[test]
fn every_change_to_a_selection_is_found() {
    let log = log();
    let good = each(&log, &[3, 300, 599]);
    let mut lines = good.clone();
    lines.swap(1, 2);
    assert!(matches!(verify(&log, lines), Err(Refusal::Order { expected: 301, found: 3, .. })));
    let mut lines = good.clone();
    lines[2] = line(300, None);
    assert_eq!(verify(&log, lines).unwrap_err().index(), Some(300));
    let mut lines = good.clone();
    lines[2] = line(301, Some(inclusion_proof(&log.tiles, 300, SIZE).unwrap()));
    assert!(matches!(
        verify(&log, lines),
        Err(Refusal::Inclusion { index: 301, source: Some(ProofFault::Root) })
    ));
    let mut lines = good;
    lines.pop();
    assert!(matches!(verify(&log, lines), Err(Refusal::CutOff { events: 3, .. })));
}

#[test]
fn what_is_not_signed_or_not_proven_is_refused() {
    let log = log();
    let other = Signer::from_seed("example.org/log", &[8; 32]).unwrap();
    let trust = Trust::new("example.org/log", vec![other.verifier().clone()]);
    let foreign = Log { trust, ..self::log() };
    assert!(matches!(verify(&foreign, range(&log, 0, 5)), Err(Refusal::Checkpoint(_))));
    let none = vec![header(&log, Proof::None).to_line(), End::after(0).to_line()];
    assert!(matches!(verify(&log, none), Err(Refusal::Unproven)));
}

/// What was exported once is read for years: these files never change, and always verify.
/// `UPDATE=1` writes them anew.
#[test]
fn golden_files() {
    let log = log();
    let key = Signer::from_seed("example.org/log", &[7; 32]).unwrap().verifier().to_string();
    let full = |proof| Header {
        first: Some(3),
        last: Some(5),
        filter: Some("n:>2".into()),
        key: Some(key.clone()),
        ..header(&log, proof)
    };
    let proof = Proof::Range(range_proof(&log.tiles, 3, 6, SIZE).unwrap());
    let mut consecutive = range(&log, 3, 6);
    consecutive[0] = Header { filter: None, ..full(proof) }.to_line();
    let mut selected = each(&log, &[3, 5]);
    selected[0] = full(Proof::Each).to_line();
    let salt = Some(STANDARD.encode([9; 32]));
    selected[2] = Line { salt, ..Line::parse(&selected[2]).unwrap() }.to_line();
    for (name, lines) in [("range", consecutive), ("each", selected)] {
        let path = format!("{}/tests/golden/{name}.chancery-export", env!("CARGO_MANIFEST_DIR"));
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, kept, "{path}");
        let kept: Vec<String> = kept.lines().map(str::to_owned).collect();
        let events = kept.len() as u64 - 2;
        assert_eq!(verify(&log, kept).unwrap().events, events);
    }
}
