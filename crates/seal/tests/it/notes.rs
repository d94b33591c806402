//! Notes and checkpoints compared with `signed_note` and `tlog_tiles`, both ways.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_seal::checkpoint::{Checkpoint, Trust};
use chancery_seal::hash::leaf_hash;
use chancery_seal::key::{Signer, Verifier};
use chancery_seal::note::Note;
use chancery_seal::tile::Resource;
use proptest::prelude::*;
use signed_note::{StandardSigner, StandardVerifier, VerifierList};

/// The same key for the other implementation.
fn their_signer(name: &str, seed: &[u8; 32]) -> StandardSigner {
    let verifier = Signer::from_seed(name, seed).unwrap().verifier().clone();
    let key = STANDARD.encode([&[1u8][..], seed].concat());
    StandardSigner::new(&format!("PRIVATE+KEY+{name}+{:08x}+{key}", verifier.id())).unwrap()
}

fn their_verifiers(key: &Verifier) -> VerifierList {
    VerifierList::new(vec![Box::new(StandardVerifier::new(&key.to_string()).unwrap())])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn ours_verifies_there_and_theirs_here(
        seed in any::<[u8; 32]>(),
        name in "[a-z./äλ0-9]{1,20}",
        text in "([ -~äλ]{0,30}\n){1,5}",
    ) {
        let signer = Signer::from_seed(&name, &seed).unwrap();
        let mut note = Note::new(text.clone()).unwrap();
        note.add(signer.sign(&text).unwrap());
        let printed = note.to_string();

        let read = signed_note::Note::from_bytes(printed.as_bytes()).unwrap();
        prop_assert_eq!(read.text(), text.as_bytes());
        prop_assert!(read.verify(&their_verifiers(signer.verifier())).is_ok());

        let mut made = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        made.add_sigs(&[&their_signer(&name, &seed)]).unwrap();
        prop_assert_eq!(String::from_utf8(made.to_bytes()).unwrap(), printed);
        let read = Note::parse(&made.to_bytes()).unwrap();
        prop_assert_eq!(read.verify([signer.verifier()]).unwrap().len(), 1);
    }

    #[test]
    fn any_changed_byte_is_noticed(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let signer = Signer::from_seed("example.com/log", &[9; 32]).unwrap();
        let checkpoint = Checkpoint::new("example.com/log", 77, leaf_hash(b"x")).unwrap();
        let mut bytes = checkpoint.sign(&[&signer]).unwrap().to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let trust = Trust::new("example.com/log", vec![signer.verifier().clone()]);
        prop_assert!(trust.open(&bytes).is_err());
    }

    #[test]
    fn parsers_return(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "\\PC{0,80}") {
        let trust = Trust::new("o", Vec::new());
        prop_assert!(trust.open(&bytes).is_err());
        let _ = Note::parse(&bytes);
        let _ = text.parse::<Checkpoint>();
        let _ = text.parse::<Verifier>();
        // What parses prints as it was.
        if let Ok(resource) = text.parse::<Resource>() {
            prop_assert_eq!(resource.to_string(), text);
        }
    }

    #[test]
    fn paths_have_one_spelling(path in "tile/(0|1|63|64|01|entries)/(x[0-9]{3}/){0,3}[0-9]{2,3}(\\.p/[0-9]{1,3})?") {
        if let Ok(resource) = path.parse::<Resource>() {
            prop_assert_eq!(resource.to_string(), path);
        }
    }

    #[test]
    fn checkpoints_read_alike(size in any::<u64>(), origin in "[a-z./]{1,20}", more in "([a-z ]{1,9}\n){0,3}") {
        let lines: Vec<String> = more.lines().map(str::to_owned).collect();
        let root = leaf_hash(&size.to_be_bytes());
        let checkpoint =
            Checkpoint::new(&origin, size, root).unwrap().with_extensions(lines).unwrap();
        let theirs = tlog_tiles::Checkpoint::new(&origin, size, tlog_tiles::Hash(root.0), &more);
        let bytes = theirs.unwrap().to_bytes();
        prop_assert_eq!(checkpoint.to_string().into_bytes(), bytes.clone());
        prop_assert_eq!(String::from_utf8(bytes).unwrap().parse(), Ok(checkpoint));
    }
}
