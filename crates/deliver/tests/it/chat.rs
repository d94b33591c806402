//! Slack, Teams and ServiceNow: what they are sent, by a receiver in their place.

use chancery_testkit::{Manner, Received, Receiver};
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

#[tokio::test]
async fn a_record_that_servicenow_refuses_is_sent_again_and_no_other() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let settings = json!({ "url": receiver.url(), "mode": "em_event" });
    world.forwarder("servicenow", settings, &[("token", "x")], json!({})).await.unwrap();
    for name in ["one", "two", "three"] {
        world.group(name).await;
    }
    // One by one or together, as they fell.
    let delivered = async |query: &str, count: u64| {
        for _ in 0..1_000 {
            let path = format!("/api/v1/deliveries?state=delivered&limit=10{query}");
            let rows = world.server.get(&path).send().await.expect(200).json();
            let rows = rows["items"].as_array().unwrap().clone();
            if rows.iter().map(|row| row["events"].as_u64().unwrap()).sum::<u64>() >= count {
                return rows;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{count} events were not delivered");
    };
    delivered("", 3).await;
    let before = receiver.received().len();
    // Sent again, they come as one batch; the second is refused within an answer of success.
    let said = json!({ "records": [{ "__status": "success" },
        { "__status": "failure", "__error": { "message": "no such node", "reason": "secret" } },
        { "__status": "success" }] });
    receiver.behave(Manner::Says(200, String::new(), said.to_string()));
    world.server.engine().replay_forwarder(&world.context, "it", 0, None).await.unwrap();
    let batch = json_of(&receiver.wait_for(before + 1).await[before]);
    receiver.behave(Manner::Well);
    let records = batch["records"].as_array().unwrap();
    assert_eq!(records.len(), 3);
    let again = json_of(&receiver.wait_for(before + 2).await[before + 1]);
    assert_eq!(again["records"], json!([records[1]]), "the one that was refused");
    let rows = delivered("&reason=replay", 4).await;
    let of = |events: u64| rows.iter().find(|row| row["events"] == events).unwrap();
    let (whole, part) = (of(3), of(1));
    assert_eq!((&whole["state"], &whole["attempts"]), (&json!("delivered"), &json!(1)));
    let told = whole["error"].as_str().unwrap();
    assert!(told.contains(part["id"].as_str().unwrap()), "{told}");
    assert_eq!((&part["state"], &part["attempts"]), (&json!("delivered"), &json!(2)));
    let path = format!("/api/v1/deliveries/{}", part["id"].as_str().unwrap());
    let shown = world.server.get(&path).send().await.expect(200).json();
    assert!(shown.to_string().contains("ServiceNow took the request and not the record"));
    assert!(!shown.to_string().contains("no such node"), "their words are not repeated: {shown}");
    world.server.finish().await;
}

#[tokio::test]
async fn an_answer_of_success_that_names_an_error_is_a_failure() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let url = receiver.url();
    let modes = ["em_event", "table", "import"];
    for (mode, said, taken) in [
        (
            "em_event",
            json!({ "result": { "Default Bulk Endpoint": "1 events were inserted" } }),
            true,
        ),
        ("em_event", json!({ "records": [{ "__status": "success" }] }), true),
        ("em_event", json!({ "records": [{ "__status": "failure", "__error": {} }] }), false),
        ("em_event", json!({ "error": "the whole was refused", "reason": null }), false),
        ("table", json!({ "result": { "sys_id": "1", "status": "error" } }), true),
        ("table", json!({ "error": { "message": "no rights" }, "status": "failure" }), false),
        ("import", json!({ "import_set": "I1", "result": [{ "status": "inserted" }] }), true),
        (
            "import",
            json!({ "result": [{ "status": "updated" }, { "status": "error",
                "error_message": "no transform map" }] }),
            false,
        ),
    ] {
        assert!(modes.contains(&mode));
        receiver.behave(Manner::Says(201, String::new(), said.to_string()));
        let settings = json!({ "url": url, "mode": mode, "table": "u_events" });
        if taken && said["result"]["Default Bulk Endpoint"].is_string() {
            world.forwarder("servicenow", settings, &[("token", "x")], json!({})).await.unwrap();
        } else {
            world.update(settings).await;
        }
        let sent = world.try_out().await;
        let word = sent.failure.map(|failure| failure.word);
        let expected = if taken { None } else { Some("record_refused") };
        assert_eq!((word, sent.status), (expected, Some(201)), "{mode} {said}");
    }
    let last = receiver.received().pop().unwrap();
    assert!(last.line.starts_with("POST /hook/api/now/import/u_events "), "{}", last.line);
    world.server.finish().await;
}
