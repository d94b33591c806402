//! What reacting and trying out cost. Worth something in a release build only:
//! `cargo test --release -p chancery-engine --test it reaction_figures -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use chancery_engine::automation::{Class, Edit};
use chancery_engine::reaction::trial::Trial;
use chancery_engine::{Context, Engine, bench};
use chancery_event::EventType;
use serde_json::{Value, json};

use crate::upload::start;

const EVENTS: usize = 90_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn figures() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let own = bench::context(engine.environment());
    let mut type_name = String::new();
    for _ in 0..EVENTS / 1_000 {
        bench::record(engine, &own, 1_000).await.unwrap();
    }
    assert!(engine.reacted(Duration::from_secs(120)).await);
    let mut link = bench::store(engine).read().await.unwrap();
    let newest = chancery_event::LogIndex(EVENTS as u64 / 2);
    if let Some(sealed) = chancery_store::log::by_index(&mut link, newest).await.unwrap() {
        type_name.push_str(&sealed.event().type_name);
    }
    drop(link);
    let save = async |name: &str, filter: &str, types: Value| {
        let edit = |class, name: &str, body| Edit {
            class,
            name: name.to_owned(),
            body: Some(body),
            enabled: true,
        };
        let steps = json!([{ "step": "raise_alert", "kind": "x", "title": "x" }]);
        let edits = vec![
            edit(Class::Rule, name, json!({ "filter": filter })),
            edit(Class::Action, "a", json!({ "steps": steps })),
            edit(
                Class::Trigger,
                name,
                json!({ "event_types": types, "rules": [name], "actions": ["a"] }),
            ),
        ];
        engine.apply_automation(&context, None, edits).await.unwrap();
    };
    let own_type = || json!([type_name]);
    for (name, filter, types) in [
        ("unheard", "outcome:failure origin:api", json!(["token.revoke"])),
        ("columns", "outcome:failure origin:api", own_type()),
        ("fields", "subject:*7.example.com time>2026-01-01", own_type()),
        ("detail", "detail.format:der detail.subject_dn:CN=host-0*", own_type()),
        ("object", "object.cn:*.example.com", own_type()),
        ("words", "measured issuing", own_type()),
        ("people", "actor:somebody", own_type()),
    ] {
        save(name, filter, types).await;
        let trial = Trial { trigger: Some(name.to_owned()), ..Trial::default() };
        let tried = engine.back_test(&context, trial).await.unwrap().unwrap();
        let rate = tried.events * 1_000_000 / tried.took_us.max(1);
        println!(
            "back-test, trigger {name} ({filter}): {} events, {} concerned, {rate} events/s, {} ns \
             each",
            tried.events,
            tried.concerned,
            tried.took_us * 1_000 / tried.events.max(1)
        );
    }
    let started = Instant::now();
    bench::record(engine, &own, 1_000).await.unwrap();
    assert!(engine.reacted(Duration::from_secs(120)).await);
    println!("1,000 events, one trigger on them, sealed and reacted: {:?}", started.elapsed());
    hundred(engine, &context, &type_name).await;
    running.stop().await.unwrap();
}

/// A hundred triggers on one type: half of them do not match at the first comparison, the others at
/// the second or third.
async fn hundred(engine: &Engine, context: &Context, type_name: &str) {
    let edit = |class, name: String, body| Edit { class, name, body: Some(body), enabled: true };
    let mut edits = Vec::new();
    for number in 0..100 {
        let filter = match number % 2 {
            0 => format!("outcome:failure origin:api id:none-{number}"),
            _ => format!("outcome:success severity:info,warning -actor:somebody-{number} index>2"),
        };
        edits.push(edit(Class::Rule, format!("rule{number}"), json!({ "filter": filter })));
        let body = json!({ "event_types": [type_name], "rules": [format!("rule{number}")],
            "actions": ["a"] });
        edits.push(edit(Class::Trigger, format!("of{number}"), body));
    }
    for name in ["unheard", "columns", "fields", "detail", "object", "words", "people"] {
        edits.push(Edit {
            class: Class::Trigger,
            name: name.to_owned(),
            body: None,
            enabled: true,
        });
    }
    engine.apply_automation(context, None, edits).await.unwrap();
    let event = EventType::parse(type_name).unwrap().example();
    for event in [EventType::TokenRevoke.example(), event] {
        let (found, each) = bench::evaluate(engine, &event, 20_000).await.unwrap();
        println!("evaluating {}: {found} triggers asked, {each:?} an event", event.type_name);
    }
    let tried = engine.back_test(context, Trial::default()).await.unwrap().unwrap();
    println!(
        "back-test, 100 triggers on each event: {} concerned, {} ns each",
        tried.concerned,
        tried.took_us * 1_000 / tried.concerned.max(1)
    );
}
