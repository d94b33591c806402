//! What is refused because it would reach nobody, or nothing: profiles whose channels carry none of
//! their recipients, and forwarders whose filter no event can meet.

use chancery_event::Timestamp;
use chancery_testkit::TestServer;
use serde_json::{Value, json};

use super::notifications::{BASE, World};

async fn channel(world: &World, name: &str, to: Value) {
    let body = json!({ "kind": "email", "settings": { "server": world.mailbox.server(),
        "security": "none", "from": "chancery@example.org", "to": to } });
    let new = json!({ "name": name, "body": body });
    world.server.post("/api/v1/channels").json(&new).send().await.expect(201);
}

#[tokio::test]
async fn a_profile_whose_channels_carry_nobody_is_refused_at_its_place() {
    let world = World::start().await;
    let next = |level: Value| json!({ "recipients": ["owner"], "escalation": [level] });
    for (profile, field) in [
        (json!({ "recipients": ["none"], "channels": ["mail"] }), "/channels"),
        (json!({ "recipients": ["none"], "channels": ["bell", "mail"] }), "/channels"),
        (
            json!({ "recipients": ["owner", "address:a@example.org"], "channels": ["bell"] }),
            "/recipients/1",
        ),
        (
            json!({ "recipients": ["owner"], "fallback": ["address:a@example.org"],
                "channels": ["bell"] }),
            "/fallback/0",
        ),
        (
            next(json!({ "after": "1h", "recipients": ["address:a@example.org"],
                "channels": ["bell"] })),
            "/escalation/0/recipients/0",
        ),
    ] {
        let new = json!({ "name": "wrong", "body": profile });
        let at = format!("{BASE}/notification_profiles");
        let refused = world.server.post(&at).json(&new).send().await.expect(422).json();
        assert_eq!(refused["field"], field, "{refused}");
    }
    let level = json!({ "after": "1h", "recipients": ["address:a@example.org"] });
    world.make("notification_profiles", "right", next(level)).await;
    world.server.finish().await;
}

#[tokio::test]
async fn mail_with_an_address_of_its_own_needs_no_recipient_at_once_or_in_a_digest() {
    let (server, clock) = TestServer::start_standing(25, |_, _| {}).await;
    let mut world = World::over(server).await;
    world.account("ada", "operator", Some("ada@example.org")).await;
    channel(&world, "soc", json!(["soc@example.org"])).await;
    channel(&world, "board", json!(["board@example.org"])).await;
    let types = json!(["certificate.update"]);
    let now = json!({ "recipients": ["none"], "channels": ["soc"] });
    world.tells_of(types.clone(), "now", now).await;
    // Somebody who is named hears through the same channel at once: the digest is for others.
    let ada = json!({ "recipients": ["account:ada"], "channels": ["board"] });
    world.tells_of(types.clone(), "ada", ada).await;
    let later = json!({ "recipients": ["none"], "channels": ["board"],
        "digest": { "cron": "0 * * * *" } });
    world.tells_of(types, "later", later).await;
    world.owned("www.example.org", "ada").await;
    world.mailbox.wait_for_one_to("soc@example.org").await;
    world.mailbox.wait_for_one_to("ada@example.org").await;
    let held = world.notices("reason=digest&profile=later", |items| !items.is_empty()).await;
    assert!(held[0].get("account").is_none_or(Value::is_null), "{held:?}");
    assert!(world.mailbox.to("board@example.org").is_empty(), "not yet");
    world.server.settle().await;
    clock.advance(3_601 * Timestamp::SECOND);
    world.server.renew().await;
    world.mailbox.wait_for_one_to("board@example.org").await;
    assert_eq!(world.mailbox.to("soc@example.org").len(), 1);
    world.server.finish().await;
}

#[tokio::test]
async fn a_forwarder_whose_filter_nothing_can_meet_is_refused_at_its_filter() {
    let server = TestServer::start().await;
    for select in [
        json!({ "filter": "outcome:success outcome:failure" }),
        json!({ "event_types": ["certificate.*"], "filter": "type:token.create" }),
        json!({ "severities": ["error"], "filter": "severity:info" }),
    ] {
        let body = json!({ "kind": "file", "select": select, "settings": { "file": "x.ndjson" } });
        let new = json!({ "name": "soc", "body": body });
        let refused = server.post("/api/v1/forwarders").json(&new).send().await.expect(422).json();
        assert_eq!(refused["field"], "select/filter", "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains("can meet this"), "{refused}");
    }
    server.finish().await;
}
