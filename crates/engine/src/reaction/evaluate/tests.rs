//! How long evaluating takes. Figures are only worth something in a release build:
//! `cargo test --release -p chancery-engine --lib evaluate -- --ignored --nocapture`.

use chancery_event::Timestamp;
use serde_json::json;

use super::*;
use crate::automation::{Class, Edit, proposed};
use crate::reaction::configuration::Surroundings;

fn configuration(triggers: usize) -> Configuration {
    let edit = |class, name: String, body| Edit { class, name, body: Some(body), enabled: true };
    let mut edits = vec![edit(
        Class::Action,
        "a".to_owned(),
        json!({ "steps": [{ "step": "raise_alert", "kind": "x", "title": "{type}" }] }),
    )];
    for number in 0..triggers {
        let filter = format!("detail.format:pem detail.size_bytes>{number} outcome:failure");
        edits.push(edit(Class::Rule, format!("r{number}"), json!({ "filter": filter })));
        let body = json!({ "event_types": ["certificate.upload"], "rules": [format!("r{number}")],
            "actions": ["a"] });
        edits.push(edit(Class::Trigger, format!("t{number}"), body));
    }
    let book = proposed(&Default::default(), &edits, Timestamp::from_micros(0)).unwrap();
    Configuration::compile(&book, &Surroundings::default()).unwrap()
}

fn happening(event: &chancery_event::Event) -> Happening<'_> {
    let event_type = chancery_event::EventType::of(event).unwrap();
    Happening { event, event_type, index: None, subject: None, now: event.time }
}

#[test]
fn an_event_that_nobody_listens_to_is_asked_nothing() {
    let configuration = configuration(3);
    let event = chancery_event::EventType::TokenCreate.example();
    assert!(evaluate(&configuration, &happening(&event)).is_empty());
    let event = chancery_event::EventType::CertificateUpload.example();
    let verdicts: Vec<_> =
        evaluate(&configuration, &happening(&event)).iter().map(|one| one.verdict).collect();
    assert_eq!(verdicts, [Verdict::Nearly; 3]);
}

#[test]
#[ignore = "measures"]
fn figures() {
    let configuration = configuration(100);
    let time = |what: &str, event: &chancery_event::Event, rounds: u32| {
        let happening = happening(event);
        let started = Instant::now();
        let mut found = 0;
        for _ in 0..rounds {
            found += std::hint::black_box(evaluate(&configuration, &happening)).len();
        }
        let each = started.elapsed().as_nanos() / u128::from(rounds);
        println!("{what}: {each} ns an event, {found} evaluations");
    };
    let unheard = chancery_event::EventType::TokenCreate.example();
    time("no trigger listens", &unheard, 1_000_000);
    let heard = chancery_event::EventType::CertificateUpload.example();
    time("100 triggers listen", &heard, 2_000);
}
