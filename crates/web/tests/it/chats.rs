//! What chats, ServiceNow and webhooks are told through a profile, and how ServiceNow hears that a
//! certificate is cared for: over the API, with a receiver in the place of each.

use chancery_testkit::{Authority, Receiver, TestServer};
use serde_json::{Value, json};

use super::notifications::World;

async fn channel(server: &TestServer, name: &str, body: Value, secrets: Value) {
    let new = json!({ "name": name, "body": body, "secrets": secrets });
    server.post("/api/v1/channels").json(&new).send().await.expect(201);
}

/// The only message that came.
async fn message(receiver: &Receiver) -> Value {
    serde_json::from_slice(&receiver.wait_for(1).await[0].body).unwrap()
}

fn info(record: &Value) -> Value {
    serde_json::from_str(record["additional_info"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn each_kind_of_channel_says_what_it_is_about_and_leads_to_the_event_and_its_alert() {
    let world = World::start().await;
    let server = &world.server;
    world.account("ada", "operator", None).await;
    let [slack, teams, snow, hook] = [
        Receiver::plain().await,
        Receiver::plain().await,
        Receiver::plain().await,
        Receiver::plain().await,
    ];
    channel(server, "slack", json!({ "kind": "slack" }), json!({ "url": slack.url() })).await;
    channel(server, "teams", json!({ "kind": "teams" }), json!({ "url": teams.url() })).await;
    let settings = json!({ "url": snow.url(), "username": "chancery" });
    let body = json!({ "kind": "servicenow", "settings": settings });
    channel(server, "snow", body, json!({ "password": "x" })).await;
    let settings = json!({ "url": hook.url(), "signature": "none" });
    channel(server, "hook", json!({ "kind": "webhook", "settings": settings }), json!({})).await;
    let channels = json!(["bell", "slack", "teams", "snow", "hook"]);
    let profile = json!({ "recipients": ["owner"], "channels": channels });
    world.tells_of(json!(["certificate.update"]), "p", profile).await;
    let certificate = world.owned("www.example.org", "ada").await;
    let bell = world.notices("channel=bell&decision=sent", |items| !items.is_empty()).await;
    let base = server.engine().settings().public_url.trim_end_matches('/').to_owned();
    let event = format!("{base}/events/{}", bell[0]["event"].as_str().unwrap());
    let alert = format!("{base}/alerts/{}", bell[0]["alert"].as_str().unwrap());

    let card = message(&slack).await;
    let text = card["blocks"][0]["text"]["text"].as_str().unwrap();
    assert!(text.contains("www.example.org came in") && text.contains("For ada"), "{text}");
    let links = format!("<{event}|Open in Chancery> · <{alert}|Open the alert>");
    assert!(card["blocks"].to_string().contains(&links), "{card}");

    let card = message(&teams).await;
    let content = &card["attachments"][0]["content"];
    let buttons: Vec<&Value> =
        content["actions"].as_array().unwrap().iter().map(|one| &one["url"]).collect();
    assert_eq!(buttons, [&json!(event), &json!(alert)], "{card}");
    assert!(content["body"].to_string().contains("www.example.org came in"), "{card}");

    let body = message(&snow).await;
    let record = &body["records"][0];
    assert_eq!(
        (&record["resource"], &record["node"]),
        (&json!("www.example.org"), &record["resource"])
    );
    assert_eq!(record["metric_name"], "certificate");
    let told = info(record);
    assert_eq!((&told["link"], &told["alert"]), (&json!(event), &json!(alert)));
    assert_eq!(told["object"], format!("certificate/{certificate}"));

    let body = message(&hook).await;
    for (member, value) in [
        ("link", event.as_str()),
        ("alert_link", alert.as_str()),
        ("event_type", "certificate.update"),
        ("outcome", "success"),
        ("object", &format!("certificate/{certificate}")),
        ("object_name", "www.example.org"),
        ("profile", "p"),
    ] {
        assert_eq!(body[member], value, "{member}: {body}");
    }
    world.server.finish().await;
}

/// Records that came of one type.
async fn records(receiver: &Receiver, event_type: &str) -> Vec<Value> {
    for _ in 0..3_000 {
        let mut all = Vec::new();
        for received in receiver.received() {
            let body: Value = serde_json::from_slice(&received.body).unwrap();
            all.extend(body["records"].as_array().unwrap().clone());
        }
        if all.iter().any(|one| one["type"] == event_type) {
            return all;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("no record of {event_type} came");
}

#[tokio::test]
async fn servicenow_closes_the_alert_of_a_certificate_that_is_replaced_or_deleted() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    let select = json!({ "event_types": ["certificate.replaced", "certificate.delete"] });
    let body = json!({ "kind": "servicenow", "select": select,
        "settings": { "url": receiver.url() } });
    let new = json!({ "name": "snow", "body": body, "secrets": { "token": "x" } });
    server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    let authority = Authority::new("Snow CA", server.now());
    let upload = async |days: i64| {
        let pem = authority.leaf("www.example.org", server.now(), days).to_pem();
        let sent = server.post("/api/v1/certificates").body("application/x-pem-file", pem);
        sent.send().await.expect(201).json()["id"].as_str().unwrap().to_owned()
    };
    let (old, new) = (upload(5).await, upload(50).await);
    let closing = |all: &[Value], id: &str| -> Vec<String> {
        let closes = all.iter().filter(|one| one["severity"] == "0");
        let keys = closes.map(|one| one["message_key"].as_str().unwrap().to_owned());
        keys.filter(|key| key.ends_with(id)).collect()
    };
    let wanted = |id: &str| {
        [
            format!("certificate.expiring:certificate/{id}"),
            format!("certificate.expired:certificate/{id}"),
            format!("authority.expiring:authority/{id}"),
        ]
    };
    let all = records(&receiver, "certificate.replaced").await;
    assert_eq!(closing(&all, &old), wanted(&old), "{all:?}");
    assert!(closing(&all, &new).is_empty(), "that one goes on");
    server.delete(&format!("/api/v1/certificates/{new}")).send().await.expect(204);
    let all = records(&receiver, "certificate.delete").await;
    assert_eq!(closing(&all, &new), wanted(&new), "{all:?}");
    let own = all.iter().find(|one| one["type"] == "certificate.delete").unwrap();
    assert_eq!((&own["severity"], &own["resource"]), (&json!("4"), &json!("www.example.org")));
    server.finish().await;
}
