//! Files: one line for each event.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::world::{World, said};

#[tokio::test]
async fn every_event_is_a_line() {
    let world = World::start().await;
    let settings = json!({ "file": "soc.ndjson" });
    world.forwarder("file", settings, &[], json!({})).await.unwrap();
    for number in 0..5 {
        world.group(&format!("group {number}")).await;
    }
    let path = world.server.engine().settings().data_dir.join("forwarders/soc.ndjson");
    let text = said(&path, |text| text.lines().count() >= 5).await;
    let types: Vec<Value> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    assert!(types.iter().all(|event| event["type"] == "configuration.create"));
    world.server.finish().await;
}

#[tokio::test]
async fn with_a_payload_key_every_line_is_encrypted_by_itself() {
    let world = World::start().await;
    let key = STANDARD.encode([7; 32]);
    let settings = json!({ "file": "soc.jose" });
    let secrets = [("payload_key", key.as_str())];
    world.forwarder("file", settings, &secrets, json!({})).await.unwrap();
    for name in ["hidden one", "hidden two"] {
        world.group(name).await;
    }
    let path = world.server.engine().settings().data_dir.join("forwarders/soc.jose");
    let text = said(&path, |text| text.lines().count() >= 2).await;
    assert!(!text.contains("configuration") && !text.contains("hidden"), "{text}");
    let name = |line: &str| {
        let plain = chancery_deliver::decrypt(&key, line).unwrap();
        let event: Value = serde_json::from_slice(&plain).unwrap();
        event["data"]["targets"][0]["name"].as_str().unwrap().to_owned()
    };
    // Two may be under way at once.
    let names: BTreeSet<String> = text.lines().map(name).collect();
    assert_eq!(names, ["hidden one", "hidden two"].map(String::from).into());
    world.server.finish().await;
}
