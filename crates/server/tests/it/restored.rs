//! A database on a server is put back from a dump: nobody goes on as if nothing had been lost.

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
