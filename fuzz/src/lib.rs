//! What every parser that meets strangers' bytes must keep to, as functions of those bytes.
//!
//! The fuzz targets beside this file call them with what the fuzzer invents; a test of
//! `crates/server` calls them with the corpus and with mutations of it. They panic where a promise
//! is broken and never for any other reason.

use std::sync::Arc;

use chancery_event::Event;
use chancery_event::dialect::{BATCH_MAX, Dialect, serial};
use chancery_event::filter::{Field, FieldKind, Filter, Keywords, Schema};
use chancery_pki::{Certificate, container, replacement, signature, validation};
use chancery_seal::tlog_proof::TlogProof;
use chancery_seal::{BundleId, Checkpoint, Note, Resource, Verifier, bundle as bundles};

/// A target: its name, which is also that of its corpus, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 7] = [
    ("bundle", bundle),
    ("certificate", certificate),
    ("container", containers),
    ("dialect", dialect),
    ("event", event),
    ("filter", filter),
    ("note", note),
];

/// Any bytes as an entry bundle: what decodes is encoded to the same bytes.
pub fn bundle(bytes: &[u8]) {
    let Some((&width, rest)) = bytes.split_first() else { return };
    let Ok(id) = BundleId::new(0, u16::from(width).max(1)) else { return };
    if let Ok(entries) = bundles::decode(id, rest) {
        assert_eq!(bundles::encode(entries).expect("it was decoded"), rest);
    }
}

/// Any bytes as a certificate, and everything that can be done with it.
pub fn certificate(bytes: &[u8]) {
    let Ok(certificate) = Certificate::parse(bytes) else { return };
    let _ = certificate.to_text();
    let _ = certificate.names_a_person();
    let _ = signature::verify(&certificate, &certificate);
    let _ = replacement::replaces(&certificate, &certificate);
    let pool = vec![Arc::new(certificate.clone())];
    let _ = validation::validate(&certificate, &pool, &|_| false, 0, 1);
    let again = Certificate::parse(certificate.der()).expect("what was kept parses again");
    assert_eq!(again.fingerprint_sha256, certificate.fingerprint_sha256);
}

/// Any bytes as a file of certificates.
pub fn containers(bytes: &[u8]) {
    if let Ok(found) = container::read(bytes, Some("x")) {
        assert!(found.iter().any(|item| item.result.is_ok()));
        assert!(found.iter().enumerate().all(|(index, item)| item.index == index));
    }
}

/// Any bytes as what other systems send: the first byte chooses the dialect.
pub fn dialect(bytes: &[u8]) {
    let Some((&choice, body)) = bytes.split_first() else { return };
    let dialect = Dialect::ALL[usize::from(choice) % Dialect::ALL.len()];
    let text = String::from_utf8_lossy(body);
    let headers = text.lines().take(16).filter_map(|line| line.split_once(": "));
    let read = match dialect {
        Dialect::CloudEventsBinary => {
            Dialect::parse_binary(headers, b"{}").map(|event| vec![event])
        }
        dialect => dialect.parse(body),
    };
    let events = read.unwrap_or_default();
    assert!(events.len() <= BATCH_MAX);
    for event in events {
        let bounded = |text: &String| (1..=1_024).contains(&text.len()) && !text.contains('\n');
        let texts = [&event.id, &event.message, &event.actor, &event.client_ip, &event.subject];
        assert!(bounded(&event.code) && texts.into_iter().flatten().all(bounded), "{event:?}");
        for named in &event.certificates {
            let both = named.serial_number.is_some() && named.issuer_dn.is_some();
            assert!(named.fingerprint_sha256.is_some() || both);
            assert_eq!(named.serial_number.as_deref().and_then(serial), named.serial_number);
        }
    }
}

/// Any bytes as an event and as a sealed entry.
pub fn event(bytes: &[u8]) {
    let _ = Event::from_slice(bytes);
    if let Ok(event) = Event::open(bytes, None) {
        let _ = chancery_event::sentence(&event);
        let _ = event.to_json();
        let _ = event.entry([0; 32]);
    }
}

/// Any text as a filter: it is refused with a place inside the text, or its canonical spelling and
/// its JSON give the same tree back.
pub fn filter(bytes: &[u8]) {
    let schema = schema();
    if let Ok(json) = serde_json::from_slice(bytes) {
        let _ = Filter::from_json(&json, &schema);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(filter) = Filter::parse(text, &schema) else { return };
    let again = Filter::from_json(&filter.to_json(), &schema).expect("JSON reads back");
    assert_eq!(again.normal(), filter.normal());
}

fn schema() -> Schema {
    let kinds = [
        ("type", FieldKind::Keyword(Keywords::open())),
        ("severity", FieldKind::Ordered(Keywords::known(["info", "warning", "error"]))),
        ("name", FieldKind::Text),
        ("id", FieldKind::Id),
        ("size", FieldKind::Integer),
        ("ratio", FieldKind::Decimal),
        ("ca", FieldKind::Boolean),
        ("expires", FieldKind::Timestamp),
    ];
    Schema::new("thing", kinds.into_iter().map(|(name, kind)| Field::new(name, kind, "")).collect())
}

/// Any text as a signed note, a checkpoint, a proof, a verifier key and a path of the log: what is
/// read is written again to the same text.
pub fn note(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(checkpoint) = text.parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string(), text);
    }
    let _ = text.parse::<Verifier>();
    if let Ok(proof) = text.parse::<TlogProof>() {
        assert_eq!(proof.to_string(), text);
    }
    if let Ok(resource) = text.parse::<Resource>() {
        assert_eq!(resource.to_string(), text);
    }
}
