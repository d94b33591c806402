//! Bytes nobody meant: mutated certificates and containers, deep nesting, huge lengths. Nothing may
//! panic.

use chancery_pki::certificate::Certificate;
use chancery_pki::make::{self, Key, Template};
use chancery_pki::{container, replacement, signature, validation};
use proptest::prelude::*;

fn sample() -> Vec<u8> {
    let mut template = Template::ca("Sample CA", 0, 1_000_000_000_000);
    template.dns = vec!["a.test".to_owned(), "b.test".to_owned()];
    template.emails = vec!["a@b.test".to_owned()];
    template.path_len = Some(3);
    template.permitted_dns = vec!["test".to_owned()];
    make::certificate(&template, &Key::from_seed(b"sample").unwrap(), None).unwrap()
}

/// Everything that can be done with a certificate.
fn exercise(der: &[u8]) {
    let Ok(certificate) = Certificate::parse(der) else {
        return;
    };
    let _ = certificate.to_text();
    let _ = certificate.to_pem();
    let _ = signature::verify(&certificate, &certificate);
    let _ = replacement::replaces(&certificate, &certificate);
    let pool = vec![std::sync::Arc::new(certificate.clone())];
    let _ = validation::validate(&certificate, &pool, &|_| false, 0, i64::MAX);
    assert!(Certificate::parse(certificate.der()).is_ok(), "what was kept parses again");
}

#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Truncate(usize),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        4 => (any::<usize>(), 1u8..).prop_map(|(at, bits)| Change::Flip(at, bits)),
        1 => any::<usize>().prop_map(Change::Truncate),
        2 => (any::<usize>(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, b)| Change::Insert(at, b)),
        1 => (any::<usize>(), 1usize..16).prop_map(|(at, count)| Change::Remove(at, count)),
    ];
    prop::collection::vec(change, 1..6)
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match change {
            Change::Flip(at, bits) => bytes[at % length] ^= bits,
            Change::Truncate(at) => bytes.truncate(at % length),
            Change::Insert(at, new) => {
                let at = at % length;
                bytes.splice(at..at, new.iter().copied());
            }
            Change::Remove(at, count) => {
                let at = at % length;
                bytes.drain(at..(at + count).min(length));
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_certificates(changes in changes()) {
        let bytes = changed(sample(), &changes);
        exercise(&bytes);
        let _ = container::read(&bytes, None);
    }

    #[test]
    fn mutated_pem(changes in changes()) {
        let pem = Certificate::parse(&sample()).unwrap().to_pem().repeat(2);
        let _ = container::read(&changed(pem.into_bytes(), &changes), None);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = container::read(&bytes, Some("x"));
        let mut sequence = vec![0x30, 0x80];
        sequence.extend_from_slice(&bytes);
        let _ = container::read(&sequence, Some("x"));
        exercise(&sequence);
    }
}

#[test]
fn mutated_containers() {
    let folder = crate::openssl::Folder::new();
    folder.run("crl2pkcs7 -nocrl -certfile one.pem -certfile ca.pem -outform DER -out all.p7c");
    folder.run("pkcs12 -export -nokeys -in one.pem -iter 1 -passout pass:x -out all.p12");
    for name in ["all.p7c", "all.p12"] {
        let good = folder.bytes(name);
        for at in 0..good.len() {
            for bits in [0x01, 0x20, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[at] ^= bits;
                let _ = container::read(&bytes, Some("x"));
            }
            let _ = container::read(&good[..at], Some("x"));
        }
    }
}

#[test]
fn deep_nesting_and_huge_lengths() {
    for pattern in
        [&[0x30, 0x80][..], &[0x30, 0x84, 0x00, 0xff, 0xff, 0xff], &[0x24, 0x80], &[0xa0, 0x80]]
    {
        let bytes = [&[0x30, 0x80][..], &pattern.repeat(1_000_000 / pattern.len())].concat();
        assert!(container::read(&bytes, None).is_err());
        exercise(&bytes);
    }
    let signed_data =
        [0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
    let bytes = [&signed_data[..], &[0xa0, 0x80].repeat(1_000_000)].concat();
    assert!(matches!(
        container::read(&bytes, None),
        Err(container::ContainerError::Structure { .. })
    ));
    // Nested definite lengths, each exact.
    let mut nested = vec![0x05, 0x00];
    for _ in 0..2_000 {
        let mut next = vec![0x30, 0x83];
        next.extend_from_slice(&u32::try_from(nested.len()).unwrap().to_be_bytes()[1..]);
        next.extend_from_slice(&nested);
        nested = next;
    }
    assert!(container::read(&nested, None).is_err());
    assert!(container::read(&"-----BEGIN ".repeat(100_000).into_bytes(), None).is_err());
    assert!(
        container::read(&"-----BEGIN CERTIFICATE-----".repeat(9_000).into_bytes(), None).is_err()
    );
}
