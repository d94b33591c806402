//! Tests of checkpoints and of the trust put into them.

use super::*;
use crate::hash::{empty_root, leaf_hash};
use crate::key::Cosigner;

const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

fn log() -> Signer {
    Signer::from_seed("example.com/log", &[7; 32]).unwrap()
}

fn witness(n: u8) -> Cosigner {
    Cosigner::from_seed(&format!("witness.example/{n}"), &[100 + n; 32]).unwrap()
}

#[test]
fn the_example_of_the_specification() {
    let text = format!("example.com/behind-the-sofa\n20852163\n{ROOT}\n");
    let checkpoint: Checkpoint = text.parse().unwrap();
    assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
    assert_eq!(checkpoint.size(), 20_852_163);
    assert_eq!(checkpoint.root().to_string(), ROOT);
    assert!(checkpoint.extensions().is_empty());
    assert_eq!(checkpoint.to_string(), text);
}

#[test]
fn golden_signed_checkpoint() {
    let checkpoint = Checkpoint::new("example.com/log", 0, empty_root()).unwrap();
    let note = checkpoint.sign(&[&log()]).unwrap().to_string();
    assert_eq!(note, include_str!("../../tests/golden/empty.checkpoint"));
    let trust = Trust::new("example.com/log", vec![log().verifier().clone()]);
    assert_eq!(trust.open(note.as_bytes()).unwrap().checkpoint, checkpoint);
}

#[test]
fn extensions_are_kept() {
    let text = format!("o\n1\n{ROOT}\na b\nc\n");
    let checkpoint: Checkpoint = text.parse().unwrap();
    assert_eq!(checkpoint.extensions(), ["a b", "c"]);
    assert_eq!(checkpoint.to_string(), text);
}

#[test]
fn only_one_spelling() {
    use CheckpointError::{Extension, Origin, Root, Size};
    let text = CheckpointError::Note(NoteError::Text);
    for (body, error) in [
        (String::new(), text.clone()),
        ("\n".into(), Origin),
        ("o\n".into(), Size),
        ("o\n1\n".into(), Root),
        (format!("o\n1\n{ROOT}"), text.clone()),
        (format!("\n1\n{ROOT}\n"), Origin),
        (format!("o\n\n{ROOT}\n"), Size),
        (format!("o\n01\n{ROOT}\n"), Size),
        (format!("o\n+1\n{ROOT}\n"), Size),
        (format!("o\n-1\n{ROOT}\n"), Size),
        (format!("o\n1 \n{ROOT}\n"), Size),
        (format!("o\n18446744073709551616\n{ROOT}\n"), Size),
        (format!("o\n1\n{ROOT} \n"), Root),
        (format!("o\n1\n{}\n", &ROOT[..43]), Root),
        (format!("o\n1\n{ROOT}\n\n"), Extension),
        (format!("o\n1\n{ROOT}\n\nx\n"), Extension),
        (format!("o\r\n1\n{ROOT}\n"), text),
    ] {
        assert_eq!(body.parse::<Checkpoint>(), Err(error), "{body:?}");
    }
    assert_eq!(Checkpoint::new("", 0, empty_root()), Err(Origin));
    assert_eq!(Checkpoint::new("a\nb", 0, empty_root()), Err(Origin));
    let checkpoint = Checkpoint::new("a", 0, empty_root()).unwrap();
    assert_eq!(checkpoint.with_extensions(vec![String::new()]), Err(Extension));
}

#[test]
fn who_is_believed() {
    let checkpoint = Checkpoint::new("example.com/log", 1, leaf_hash(b"x")).unwrap();
    let mut note = checkpoint.sign(&[&log()]).unwrap();
    note.add(witness(1).cosign(note.text(), 5).unwrap());
    let open = |trust: &Trust, note: &Note| trust.open(note.to_string().as_bytes());

    let alone = Trust::new("example.com/log", vec![log().verifier().clone()]);
    assert!(open(&alone, &note).unwrap().by_witnesses.is_empty());

    let known = vec![witness(1).verifier().clone(), witness(2).verifier().clone()];
    let one = alone.clone().with_witnesses(known.clone(), 1);
    let opened = open(&one, &note).unwrap();
    assert_eq!(opened.by_log.len(), 1);
    assert_eq!(opened.by_witnesses[0].timestamp, Some(5));

    let two = alone.clone().with_witnesses(known, 2);
    let too_few = CheckpointError::TooFewWitnesses { found: 1, needed: 2 };
    assert_eq!(open(&two, &note), Err(too_few));

    let other = Trust::new("example.com/other", vec![log().verifier().clone()]);
    let foreign = CheckpointError::ForeignOrigin("example.com/log".into());
    assert_eq!(open(&other, &note), Err(foreign));
}

#[test]
fn a_witness_does_not_speak_for_the_log() {
    let checkpoint = Checkpoint::new("example.com/log", 1, leaf_hash(b"x")).unwrap();
    let mut note = checkpoint.sign(&[]).unwrap();
    note.add(witness(1).cosign(note.text(), 5).unwrap());
    let trust = Trust::new("example.com/log", vec![log().verifier().clone()])
        .with_witnesses(vec![witness(1).verifier().clone()], 1);
    assert_eq!(trust.open(note.to_string().as_bytes()), Err(CheckpointError::NotByLog));
}

#[test]
fn one_witness_key_under_two_names_counts_once() {
    let twin = Cosigner::from_seed("witness.example/twin", &[101; 32]).unwrap();
    let checkpoint = Checkpoint::new("example.com/log", 1, leaf_hash(b"x")).unwrap();
    let mut note = checkpoint.sign(&[&log()]).unwrap();
    note.add(witness(1).cosign(note.text(), 5).unwrap());
    note.add(twin.cosign(note.text(), 5).unwrap());
    let witnesses = vec![witness(1).verifier().clone(), twin.verifier().clone()];
    let trust =
        Trust::new("example.com/log", vec![log().verifier().clone()]).with_witnesses(witnesses, 2);
    let too_few = CheckpointError::TooFewWitnesses { found: 1, needed: 2 };
    assert_eq!(trust.open(note.to_string().as_bytes()), Err(too_few));
}

#[test]
fn a_wrong_cosignature_of_a_known_witness_is_not_passed_over() {
    let checkpoint = Checkpoint::new("example.com/log", 1, leaf_hash(b"x")).unwrap();
    let mut note = checkpoint.sign(&[&log()]).unwrap();
    note.add(witness(1).cosign("something else\n", 5).unwrap());
    let trust = Trust::new("example.com/log", vec![log().verifier().clone()])
        .with_witnesses(vec![witness(1).verifier().clone()], 0);
    let error = trust.open(note.to_string().as_bytes()).unwrap_err();
    assert!(matches!(error, CheckpointError::Note(NoteError::WrongSignature { .. })));
}
