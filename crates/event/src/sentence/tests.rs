//! Sentences for chosen events; `tests/it/golden.rs` keeps one for every type.

use serde_json::json;

use super::*;
use crate::envelope::{Outcome, PersonalPart};

fn check(event: &Event, expected: &str) {
    assert_eq!(sentence(event), expected);
}

#[test]
fn an_operation_tells_who_did_what() {
    let mut event = EventType::CertificateUpload.example();
    check(&event, "ada uploaded the certificate CN=www.example.com");
    let message = "a certificate with this fingerprint exists already.";
    event.outcome = Outcome::failure("duplicate", message);
    check(
        &event,
        "Upload of the certificate CN=www.example.com by ada failed: \
         a certificate with this fingerprint exists already",
    );
    event.outcome.message = None;
    event.targets.clear();
    event.personal = PersonalPart::None;
    event.actor.id = Some("7".to_owned());
    check(&event, "Upload of a certificate by account 7 failed: duplicate");
    event.outcome.result = Verdict::RateLimit;
    event.outcome.reason = None;
    event.actor = crate::Actor::ANONYMOUS;
    check(
        &event,
        "Upload of a certificate by somebody unknown was refused because there was too much of it",
    );
}

#[test]
fn a_failed_login_names_who_was_tried() {
    let mut event = EventType::SessionCreate.example();
    event.outcome = Outcome::failure("wrong_password", "the password is wrong");
    check(&event, "Login as grace failed: the password is wrong");
    event.personal = PersonalPart::None;
    check(&event, "Login failed: the password is wrong");
}

#[test]
fn an_erased_person_is_not_named() {
    let event = EventType::AccountCreate.example();
    check(&event, "ada created the account grace");
    let entry = event.entry([1; 32]).unwrap();
    let erased = Event::open(&entry.bytes, None).unwrap();
    let text = sentence(&erased);
    assert!(!text.contains("ada") && !text.contains("grace"), "{text}");
    assert!(text.starts_with("Account 01"), "{text}");
}

#[test]
fn the_fullest_template_that_can_be_filled_is_used() {
    let mut event = EventType::BackupCreate.example();
    check(&event, "ada made a backup of 1867 bytes");
    event.detail.remove("size_bytes");
    check(&event, "ada made a backup");
    let mut event = EventType::JobFinished.example();
    event.outcome = Outcome::failure("timeout", "the lease ran out");
    event.detail.insert("state".into(), json!("failed"));
    check(&event, "The job certificate.import ended after 1 attempt: failed: the lease ran out");
}

#[test]
fn a_type_of_the_future_has_a_sentence_too() {
    let mut event = EventType::CertificateUpload.example();
    event.type_name = "certificate.devour".into();
    check(&event, "ada did certificate.devour to the certificate CN=www.example.com");
    event.targets.clear();
    event.outcome = Outcome::failure("full", "no room");
    check(&event, "Certificate.devour of something by ada failed: no room");
}

#[test]
fn no_type_of_the_catalogue_needs_the_last_resort() {
    for event_type in EventType::ALL {
        let name = event_type.name();
        let known = match event_type.info().kind {
            Kind::Operation => {
                let last = name.rsplit('.').next().unwrap();
                words::operations(name).is_some() || words::verb(last).is_some()
            }
            Kind::Occurrence | Kind::Monitoring => !words::occurrences(name).is_empty(),
        };
        assert!(known, "{name} has no words of its own");
        let text = sentence(&event_type.example());
        assert!(!text.contains(['{', '}', '\n']) && !text.ends_with('.'), "{text}");
        assert!(text.starts_with("ada ") || text.starts_with(char::is_uppercase), "{text}");
    }
}
