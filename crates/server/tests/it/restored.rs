//! A database on a server is put back from a dump: nobody goes on as if nothing had been lost.

use std::time::Duration;

use chancery_engine::Context;
use reqwest::Client;
use serde_json::Value;

use crate::fleet::Fleet;
use crate::victim::leaf;

async fn upload(fleet: &Fleet, node: usize, names: std::ops::Range<u32>) {
    let client = Client::new();
    for number in names {
        let (der, _) = leaf(&format!("restored-{number}.example.com"));
        let url = format!("{}/api/v1/certificates", fleet.nodes[node].url.read().unwrap().clone());
        let sent = client.post(url).bearer_auth(&fleet.token).body(der);
        let sent = sent.header("content-type", "application/octet-stream").send().await.unwrap();
        assert_eq!(sent.status().as_u16(), 201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_is_refused_until_its_loss_is_recorded() {
    let mut fleet = Fleet::start(2).await;
    let dump = tempfile::NamedTempFile::new().unwrap();
    upload(&fleet, 0, 0..3).await;
    fleet.server.dump(&fleet.database(), dump.path());
    upload(&fleet, 1, 3..9).await;
    for node in &mut fleet.nodes {
        node.stop();
    }
    let copy = fleet.server.database(None);
    fleet.server.load(&copy, dump.path());
    fleet.move_to(&copy);
    for node in &fleet.nodes {
        let told = node.refused();
        assert!(told.contains("chancery restore --in-place"), "{told}");
    }
    let told = fleet.nodes[1].command(&["restore", "--in-place", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let lost = told["lost"].as_u64().unwrap();
    assert!(lost > 0 && told["log_size"].as_u64().unwrap() > 0, "{told}");
    // The other one stopped before and knows less: its loss is recorded, so it goes along.
    fleet.nodes[0].start();
    fleet.nodes[1].start();
    upload(&fleet, 1, 3..6).await;
    // Nobody changes a log that nodes work on.
    let told = fleet.nodes[1].fails(&["restore", "--in-place"]);
    assert!(told.contains("works on this database"), "{told}");
    for node in &mut fleet.nodes {
        node.stop();
    }
    // From now on it is a log like any other.
    for node in &mut fleet.nodes {
        node.start();
    }
    let verified = fleet.nodes[1].command(&["verify"]);
    assert!(!verified.is_empty());
    let running = fleet.ended().await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    engine.verify_log(&context).await.unwrap();
    running.stop().await.unwrap();
}

/// What the first node recorded of being put back, once it is sealed.
async fn restorings(fleet: &Fleet) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let url = fleet.nodes[0].url.read().unwrap().clone();
    let url = format!("{url}/api/v1/events?filter=type:log.restore");
    loop {
        let told = Client::new().get(&url).bearer_auth(&fleet.token).send().await.unwrap();
        let told: Value = told.json().await.unwrap();
        match told["items"].as_array() {
            Some(items) if !items.is_empty() => return items.clone(),
            _ => assert!(tokio::time::Instant::now() < deadline, "{told}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_beside_keys_alone_says_that_nobody_knows_what_it_lacks() {
    let mut fleet = Fleet::start(1).await;
    let dump = tempfile::NamedTempFile::new().unwrap();
    upload(&fleet, 0, 0..3).await;
    fleet.server.dump(&fleet.database(), dump.path());
    upload(&fleet, 0, 3..5).await;
    fleet.nodes[0].stop();
    let copy = fleet.server.database(None);
    fleet.server.load(&copy, dump.path());
    fleet.move_to(&copy);
    // A machine that has the keys and knows nothing else.
    fleet.nodes[0].forget();
    fleet.nodes[0].start();
    let console = fleet.complaints();
    assert!(console.contains("this is a copy of the log"), "{console}");
    let restored = restorings(&fleet).await.remove(0);
    let detail = &restored["event"]["data"]["detail"];
    assert!(detail["log_size"].as_u64() > Some(0) && detail.get("lost").is_none(), "{restored}");
    upload(&fleet, 0, 3..5).await;
    fleet.nodes[0].stop();
    fleet.nodes[0].start();
    assert_eq!(fleet.complaints().matches("this is a copy of the log").count(), 1);
}
