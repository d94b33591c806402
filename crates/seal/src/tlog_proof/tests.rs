//! Tests of the tlog-proof text and its verification.

use super::*;
use crate::checkpoint::Checkpoint;
use crate::key::{Cosigner, Signer};
use crate::proof::inclusion_proof;
use crate::tile::TileId;
use crate::tree::Edge;
use std::collections::HashMap;

const GOLDEN: &str = include_str!("../../tests/golden/entry-3-of-5.tlog-proof");

fn signer() -> Signer {
    Signer::from_seed("example.com/log", &[7; 32]).unwrap()
}

fn trust() -> Trust {
    Trust::new("example.com/log", vec![signer().verifier().clone()])
}

fn proof() -> TlogProof {
    let mut edge = Edge::empty();
    edge.append_many((0..5u8).map(|n| leaf_hash(&[n])));
    let tiles: HashMap<TileId, Vec<u8>> =
        edge.partial_tiles().into_iter().map(|tile| (tile.id, tile.bytes)).collect();
    let checkpoint = Checkpoint::new("example.com/log", 5, edge.root()).unwrap();
    let note = checkpoint.sign(&[&signer()]).unwrap();
    TlogProof::new(3, inclusion_proof(&tiles, 3, 5).unwrap(), note).unwrap()
}

#[test]
fn golden_bytes() {
    let proof = proof().with_extra(b"event".to_vec()).unwrap();
    assert_eq!(proof.to_string(), GOLDEN);
    assert_eq!(GOLDEN.parse(), Ok(proof));
}

#[test]
fn verification() {
    let proof: TlogProof = GOLDEN.parse().unwrap();
    assert_eq!(proof.verify(&[3], &trust()).unwrap().checkpoint.size(), 5);
    assert_eq!(proof.extra(), Some(&b"event"[..]));
    let refused = proof.verify(&[4], &trust());
    assert_eq!(refused, Err(TlogProofError::Inclusion(ProofFault::Root)));
    let other = Signer::from_seed("example.com/log", &[8; 32]).unwrap();
    let foreign = Trust::new("example.com/log", vec![other.verifier().clone()]);
    let refused = proof.verify(&[3], &foreign).unwrap_err();
    assert_eq!(refused, CheckpointError::Note(NoteError::NoKnownKey).into());
}

#[test]
fn witnesses_can_be_demanded() {
    let mut proof = proof();
    let witness = Cosigner::from_seed("w", &[1; 32]).unwrap();
    let demanding = trust().with_witnesses(vec![witness.verifier().clone()], 1);
    assert!(proof.verify(&[3], &demanding).is_err());
    let cosignature = witness.cosign(proof.checkpoint.text(), 17).unwrap();
    proof.checkpoint.add(cosignature);
    let proof: TlogProof = proof.to_string().parse().unwrap();
    let opened = proof.verify(&[3], &demanding).unwrap();
    assert_eq!(opened.by_witnesses[0].timestamp, Some(17));
}

#[test]
fn any_changed_byte_of_the_proof_is_noticed() {
    let text = proof().to_string();
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let parsed = String::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
            let accepted = parsed.is_some_and(|p: TlogProof| p.verify(&[3], &trust()).is_ok());
            assert!(!accepted, "byte {at}, bit {bit}");
        }
        let cut = text.get(..at).and_then(|cut| cut.parse::<TlogProof>().ok());
        assert_eq!(cut, None, "cut at {at}");
    }
}

#[test]
fn malformed_texts() {
    use TlogProofError::{Extra, FirstLine, HashLine, Index};
    let note = proof().checkpoint.to_string();
    let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let start = FIRST_LINE;
    for (text, error) in [
        (String::new(), FirstLine),
        (format!("{start}\r\nindex 0\n\n{note}"), FirstLine),
        (format!("{start}2\nindex 0\n\n{note}"), FirstLine),
        (format!("{start}\nextra \nindex 0\n\n{note}"), Extra),
        (format!("{start}\nextra A\nindex 0\n\n{note}"), Extra),
        (format!("{start}\nextra AB==\nindex 0\n\n{note}"), Extra),
        (format!("{start}\nextra AA==\nextra AA==\nindex 0\n\n{note}"), Index),
        (format!("{start}\nindex 0\nextra AA==\n\n{note}"), HashLine { line: 1 }),
        (format!("{start}\nindex 00\n\n{note}"), Index),
        (format!("{start}\nindex  0\n\n{note}"), Index),
        (format!("{start}\nindex -1\n\n{note}"), Index),
        (format!("{start}\nindex \n\n{note}"), Index),
        (format!("{start}\nindex 0\n{hash}\n{hash} \n\n{note}"), HashLine { line: 2 }),
        (format!("{start}\nindex 0\n{hash}"), HashLine { line: 1 }),
        (
            format!("{start}\nindex 0\n{}\n{note}", format!("{hash}\n").repeat(65)),
            HashLine { line: 65 },
        ),
        (format!("{start}\nindex 0\n\n"), NoteError::Text.into()),
        (format!("{start}\nindex 0\n\nx\n"), NoteError::Unsigned.into()),
    ] {
        assert_eq!(text.parse::<TlogProof>(), Err(error), "{text}");
    }
    let unsigned = Note::new("x\n").unwrap();
    assert_eq!(TlogProof::new(0, vec![], unsigned), Err(NoteError::Unsigned.into()));
}
