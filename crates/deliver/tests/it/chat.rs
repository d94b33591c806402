//! Slack, Teams and ServiceNow: what they are sent, by a receiver in their place.

use chancery_testkit::{Received, Receiver};
use serde_json::{Value, json};

use crate::world::World;

fn json_of(received: &Received) -> Value {
    serde_json::from_slice(&received.body).unwrap()
}

#[tokio::test]
async fn slack_gets_blocks_and_its_address_is_a_secret() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let url = receiver.url();
    world.forwarder("slack", json!({}), &[("url", &url)], json!({})).await.unwrap();
    world.group("a <b> & c").await;
    let card = json_of(&receiver.wait_for(1).await[0]);
    assert_eq!(card["blocks"][0]["type"], "section");
    let text = card.to_string();
    assert!(text.contains("a &lt;b&gt; &amp; c") && !text.contains("<b>"), "{text}");
    let sent = world.try_out().await;
    assert!(!sent.request.to_string().contains("/hook"), "{}", sent.request);
    world.server.finish().await;
}

#[tokio::test]
async fn teams_gets_an_adaptive_card() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let url = receiver.url();
    world.forwarder("teams", json!({}), &[("url", &url)], json!({})).await.unwrap();
    world.group("web").await;
    let card = json_of(&receiver.wait_for(1).await[0]);
    let content = &card["attachments"][0]["content"];
    assert_eq!((&content["type"], &content["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    assert_eq!(content["body"][1]["type"], "FactSet");
    world.server.finish().await;
}

#[tokio::test]
async fn servicenow_gets_events_or_records() {
    for (mode, line) in [
        ("em_event", "POST /hook/api/global/em/jsonv2 HTTP/1.1"),
        ("table", "POST /hook/api/now/table/incident HTTP/1.1"),
        ("akeyless", "POST /hook/akeyless-events/ HTTP/1.1"),
    ] {
        let world = World::start().await;
        let receiver = Receiver::plain().await;
        let settings = json!({ "url": receiver.url(), "mode": mode, "username": "chancery" });
        let secrets = [("password", "secret")];
        world.forwarder("servicenow", settings, &secrets, json!({})).await.unwrap();
        world.group("web").await;
        let received = receiver.wait_for(1).await.remove(0);
        assert_eq!(received.line, line);
        let body = json_of(&received);
        match mode {
            "em_event" => {
                let record = &body["records"][0];
                assert_eq!(record["type"], "configuration.create");
                assert_eq!(record["severity"], "5");
                assert!(record["additional_info"].as_str().unwrap().contains("event_id"));
            }
            "table" => assert!(body["short_description"].as_str().unwrap().contains("web")),
            _ => assert!(body["Akeyless_Events"].is_object()),
        }
        world.server.finish().await;
    }
}
