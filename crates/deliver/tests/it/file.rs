//! Files: one line for each event.

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
