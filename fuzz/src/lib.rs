//! What every parser that meets strangers' bytes must keep to, as functions of those bytes.
//!
//! The fuzz targets beside this file call them with what the fuzzer invents; a test of
//! `crates/server` calls them with the corpus and with mutations of it. They panic where a promise
//! is broken and never for any other reason.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_event::Event;
use chancery_event::cursor::{Cursor, LogCursor, Value};
use chancery_event::dialect::{BATCH_MAX, Dialect, serial};
use chancery_event::filter::{
    Field, FieldKind, Filter, FilterError, Keywords, Place, Schema, TEXT_BYTES_MAX,
};
use chancery_pki::{Certificate, container, replacement, signature, validation};
use chancery_seal::export::{Header, Line, Reader};
use chancery_seal::tlog_proof::TlogProof;
use chancery_seal::{
    BundleId, Checkpoint, Note, Resource, Signer, Trust, Verifier, bundle as bundles,
};

#[path = "../../crates/server/src/syslog/frame.rs"]
mod frame;

/// A target: its name, which is also that of its corpus, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 11] = [
    ("bundle", bundle),
    ("certificate", certificate),
    ("container", containers),
    ("cursor", cursor),
    ("dialect", dialect),
    ("event", event),
    ("export", export),
    ("filter", filter),
    ("note", note),
    ("scim", scim),
    ("syslog", syslog),
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

/// Any bytes as an export: its lines are written again as they were read, and what verifies holds
/// nothing but entries of the log.
pub fn export(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for line in text.lines() {
        if let Ok(header) = Header::parse(line) {
            assert_eq!(Header::parse(&header.to_line()).expect("it was written"), header);
        }
        if let Ok(line) = Line::parse(line) {
            let again = Line::parse(&line.to_line()).expect("it was written");
            assert_eq!((again.log_index, &again.entry), (line.log_index, &line.entry));
            assert_eq!((again.leaf, &again.inclusion), (line.leaf, &line.inclusion));
            assert_eq!(again.salt_bytes(), line.salt_bytes());
        }
    }
    let Ok(reader) = Reader::open(text.lines().map(|line| Ok::<_, ()>(line.to_owned()))) else {
        return;
    };
    // The key and the entries of the log that the corpus is of.
    let signer = Signer::from_seed("example.org/log", &[7; 32]).expect("a name and a seed");
    let trust = Trust::new("example.org/log", vec![signer.verifier().clone()]);
    let mut seen = Vec::new();
    let each = |line: &Line| {
        seen.push((line.log_index, line.entry.clone()));
        Ok(())
    };
    if let Ok(verified) = reader.verify(&trust, each, |_| {}) {
        assert_eq!(verified.events, seen.len() as u64);
        for (index, entry) in seen {
            assert_eq!(entry, format!("{{\"n\":{index}}}"));
        }
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
    let filter = match Filter::parse(text, &schema) {
        Ok(filter) => filter,
        Err(error) => return has_place(&error, text),
    };
    let again = Filter::from_json(&filter.to_json(), &schema).expect("JSON reads back");
    assert_eq!(again.normal(), filter.normal());
}

/// What is refused is so with a place inside the text, at characters.
fn has_place(error: &FilterError, text: &str) {
    let Place::Text { offset, length } = error.place else { panic!("{text:?}: {error:?}") };
    assert!(text.get(offset..offset + length).is_some(), "{text:?}: {error:?}");
}

/// Any text as a filter of SCIM: it is refused with a place inside the text, or what is written of
/// it reads back as the same tree.
pub fn scim(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let schema = schema();
    let filter = match Filter::from_scim(text, &schema) {
        Ok(filter) => filter,
        Err(error) => return has_place(&error, text),
    };
    if let Ok(again) = filter.to_scim()
        && again.len() <= TEXT_BYTES_MAX
    {
        let read = Filter::from_scim(&again, &schema).expect("it was written");
        assert_eq!(read.normal(), filter.normal(), "{text:?}: {again:?}");
    }
}

/// Any text as a place in a list, as it is and as what is inside of one: what is read is given out
/// such that it reads back the same, and no database is asked for a text with a NUL.
pub fn cursor(bytes: &[u8]) {
    let packed = URL_SAFE_NO_PAD.encode(bytes);
    for text in [std::str::from_utf8(bytes).ok(), Some(packed.as_str())].into_iter().flatten() {
        if let Ok(place) = text.parse::<LogCursor>() {
            assert_eq!(place.to_string().parse(), Ok(place), "{text:?}");
        }
        let Ok(cursor) = text.parse::<Cursor>() else { continue };
        assert_eq!(cursor.to_string().parse().as_ref(), Ok(&cursor), "{text:?}");
        let value = match &cursor.value {
            Value::Text(value) => value.as_str(),
            Value::Number(_) => "",
        };
        assert!(!value.contains('\0') && !cursor.id.contains('\0'), "{text:?}");
    }
}

/// Any bytes as a stream of syslog: the first byte says in what pieces they come, and that changes
/// nothing about the lines; no line is longer than it may be, nor does more wait than one.
pub fn syslog(bytes: &[u8]) {
    let Some((&size, stream)) = bytes.split_first() else { return };
    let lines_of = |size: usize| {
        let mut buffer = frame::Buffer::default();
        let mut lines = Vec::new();
        for piece in stream.chunks(size.max(1)) {
            // Where it is lost, so it is in whatever pieces it came: the lines before it may not
            // have been handed out.
            lines.extend(buffer.push(piece).ok()?);
        }
        let half = buffer.is_half_done();
        let rest = buffer.rest();
        assert!(half || rest.is_none());
        lines.extend(rest);
        assert!(lines.iter().all(|line| !line.trim().is_empty()));
        Some((lines, buffer.too_long))
    };
    let (pieces, whole) = (lines_of(usize::from(size)), lines_of(stream.len()));
    assert_eq!(pieces.is_some(), whole.is_some());
    // What is too long is noticed where pieces end: only then may they differ.
    if stream.len() <= frame::LINE_MAX {
        assert_eq!(pieces, whole);
    }
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
