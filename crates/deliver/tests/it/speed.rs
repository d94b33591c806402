//! What deliveries cost. Measures, so it is asked for:
//! `cargo test --release -p chancery-deliver --test it -- --ignored --nocapture speed`.

use std::time::{Duration, Instant};

use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::delivery::{Class, DestinationEdit};
use chancery_testkit::{Manner, Receiver};
use serde_json::{Value, json};

use crate::world::World;

/// Makes events that forwarders of groups select.
async fn events(world: &World, count: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..count {
        let (engine, context) = (world.server.engine().clone(), world.context.clone());
        tasks.spawn(async move {
            let draft = LabelDraft { name: format!("g{number}"), description: String::new() };
            engine.create_label(&context, LabelClass::Group, draft).await.unwrap();
        });
        if tasks.len() >= 256 {
            tasks.join_next().await;
        }
    }
    while tasks.join_next().await.is_some() {}
    world.server.settle().await;
}

async fn make(world: &World, name: &str, kind: &str, settings: Value, more: Value) {
    let mut body = json!({ "kind": kind, "settings": settings,
        "select": { "event_types": ["configuration.create"], "filter": "detail.class:group" } });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    let edit = DestinationEdit { body, start: Some(0), ..DestinationEdit::default() };
    let engine = world.server.engine();
    engine.create_destination(&world.context, Class::Forwarder, name, edit).await.unwrap();
}

/// Waits until a forwarder has come to the end of the log with nothing waiting; answers how long.
async fn drained(world: &World, name: &str) -> Duration {
    let began = Instant::now();
    loop {
        let engine = world.server.engine();
        let view = engine.destination(&world.context, Class::Forwarder, name).await.unwrap();
        let caught_up =
            view.backlog.waiting == 0 && view.row.next_index.0 + 50 > *engine.sealed().borrow();
        if caught_up || began.elapsed().as_secs() > 300 {
            return began.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.unwrap_or_default().split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn speed_of_deliveries_and_batches() {
    const EVENTS: usize = 20_000;
    let world = World::start().await;
    events(&world, EVENTS).await;
    let rate = |took: Duration| (EVENTS as f64 / took.as_secs_f64()) as u64;
    let receiver = Receiver::plain().await;
    make(&world, "fast", "webhook", json!({ "url": receiver.url() }), json!({})).await;
    let took = drained(&world, "fast").await;
    assert_eq!(receiver.received().len(), EVENTS);
    println!(
        "webhook, one event each, every attempt recorded: {}/s, peak {}",
        rate(took),
        memory()
    );
    let batch = json!({ "batch_max": 1000 });
    make(&world, "batch", "webhook", json!({ "url": receiver.url() }), batch.clone()).await;
    println!("webhook, batches of 1,000: {}/s", rate(drained(&world, "batch").await));
    make(&world, "file", "file", json!({ "file": "speed" }), batch.clone()).await;
    println!("file, batches of 1,000: {}/s", rate(drained(&world, "file").await));
    let dir = tempfile::tempdir().unwrap();
    let (_program, port) = crate::nats::server(&dir).await;
    let stream = json!({ "name": "EVENTS", "subjects": ["chancery.>"] });
    crate::nats::ask(port, "$JS.API.STREAM.CREATE.EVENTS", &stream).await;
    let settings = json!({ "address": format!("127.0.0.1:{port}"), "subject": "chancery.events" });
    make(&world, "nats", "nats", settings, batch).await;
    println!("NATS JetStream, batches of 1,000: {}/s", rate(drained(&world, "nats").await));
    println!("peak memory {}", memory());
    world.server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn speed_with_a_thousand_destinations_of_which_a_tenth_hang() {
    const EVENTS: usize = 20;
    let world = World::start().await;
    events(&world, EVENTS).await;
    let (good, bad) = (Receiver::plain().await, Receiver::plain().await);
    bad.behave(Manner::Silent);
    let began = Instant::now();
    for number in 0..1_000 {
        let url = if number % 10 == 0 { bad.url() } else { good.url() };
        make(&world, &format!("d{number}"), "webhook", json!({ "url": url }), json!({})).await;
    }
    println!("1,000 forwarders made in {:?}", began.elapsed());
    let expected = 900 * EVENTS;
    while good.received().len() < expected && began.elapsed().as_secs() < 300 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = began.elapsed();
    println!(
        "900 good ones got their {expected} deliveries within {took:?} of the first, beside 100 \
         that hang; peak {}",
        memory()
    );
    assert_eq!(good.received().len(), expected);
    world.server.finish().await;
}
