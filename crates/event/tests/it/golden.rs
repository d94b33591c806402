//! What is seen outside, kept: example, schema, sealed bytes and leaf hash of every type, and the
//! page about them. A golden of a released type never changes; an incompatible change is a new
//! version with its own file.

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use chancery_event::catalogue::{EventType, events_page};
use chancery_event::{Event, Outcome, PersonalPart, sentence};
use serde_json::{Value, json};

use crate::{check_kept, crate_folder, updating};

/// The salt of all goldens.
const SALT: [u8; 32] = [0x5A; 32];

/// RFC 6962 §2.1: the hash of a leaf is SHA-256(0x00 ‖ bytes).
fn leaf_hash(bytes: &[u8]) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(&[0]);
    hash.update(bytes);
    hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file_name(event_type: EventType) -> String {
    format!("{}.v{}.json", event_type.name(), event_type.info().version)
}

#[test]
fn every_type_has_its_golden_and_no_golden_is_left_over() {
    let folder = crate_folder().join("golden");
    let mut expected = BTreeSet::new();
    for &event_type in EventType::ALL {
        let example = event_type.example();
        let entry = example.entry(SALT).unwrap();
        let golden = json!({
            "example": example.to_json(),
            "schema": event_type.schema(),
            "salt": format!("{:02x}", SALT[0]).repeat(32),
            "personal": entry.personal.map(|part| String::from_utf8(part.part).unwrap()),
            "entry": String::from_utf8(entry.bytes.clone()).unwrap(),
            "leaf_hash": leaf_hash(&entry.bytes),
        });
        let text = serde_json::to_string_pretty(&golden).unwrap() + "\n";
        check_kept(&folder.join(file_name(event_type)), &text);
        expected.insert(file_name(event_type));
    }
    let found: BTreeSet<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let left_over: Vec<_> = found.difference(&expected).collect();
    assert!(left_over.is_empty(), "no type refers to {left_over:?}");
}

#[test]
fn every_example_is_an_event_of_its_schema() {
    for &event_type in EventType::ALL {
        let example = event_type.example();
        let schema = event_type.schema();
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap();
        let problem = |value: &Value| validator.iter_errors(value).next().map(|e| e.to_string());
        let clear = example.to_json();
        assert_eq!(problem(&clear), None, "{event_type}");
        assert_eq!(Event::from_json(&clear).unwrap(), example, "{event_type}");
        let entry = example.entry(SALT).unwrap();
        let sealed: Value = serde_json::from_slice(&entry.bytes).unwrap();
        assert_eq!(problem(&sealed), None, "{event_type}");

        let mut bad = clear.clone();
        bad["type"] = json!("certificate.devour");
        assert!(problem(&bad).is_some(), "{event_type}");
        for name in schema["properties"]["data"]["properties"]["detail"]["required"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let mut bad = clear.clone();
            bad["data"]["detail"].as_object_mut().unwrap().remove(name.as_str().unwrap());
            assert!(problem(&bad).is_some(), "{event_type} does without {name}");
        }
    }
}

#[test]
fn every_example_is_a_payload_and_tells_every_member() {
    for &event_type in EventType::ALL {
        let example = event_type.example();
        assert_eq!(event_type.normalise(&example.detail).unwrap(), example.detail, "{event_type}");
        assert!(!example.detail.is_empty() || !event_type.info().personal.is_empty());
        assert_eq!(without_example(&example.to_json()), None, "{event_type}");
        assert_eq!(EventType::of(&example), Some(event_type));
        let PersonalPart::Clear(personal) = &example.personal else { continue };
        for name in personal.detail.keys() {
            assert!(!example.detail.contains_key(name), "{event_type}: {name} is sealed in clear");
        }
    }
}

/// A member for which the vocabulary of examples has nothing.
fn without_example(value: &Value) -> Option<String> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let nothing = *member == json!("") || *member == json!(-404);
            if nothing { Some(name.clone()) } else { without_example(member) }
        }),
        Value::Array(items) if items.contains(&json!("")) => Some(value.to_string()),
        Value::Array(items) => items.iter().find_map(without_example),
        _ => None,
    }
}

/// For reviewers: how each type reads, well and not.
#[test]
fn the_sentences_are_current() {
    let mut page = String::new();
    for event_type in EventType::ALL {
        let mut event = event_type.example();
        page += &format!("{event_type}\n  + {}\n", sentence(&event));
        event.outcome = Outcome::failure("not_allowed", "this is why");
        page += &format!("  - {}\n", sentence(&event));
    }
    check_kept(&crate_folder().join("tests/sentences.txt"), &page);
}

#[test]
fn the_page_about_events_is_current() {
    check_kept(&crate_folder().join("../../docs/EVENTS.md"), &events_page());
    assert!(!updating() || crate_folder().join("../../docs/EVENTS.md").is_file());
}
