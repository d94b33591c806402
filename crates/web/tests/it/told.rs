//! Levels of escalation over the API, by a clock that the test moves.

use axum::http::Method;
use chancery_engine::Role;
use chancery_event::Timestamp;
use chancery_testkit::TestServer;
use serde_json::{Value, json};

use super::browser::Browser;
use super::notifications::World;

const MINUTE: i64 = 60 * Timestamp::SECOND;

async fn until(server: &TestServer, path: &str, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    for _ in 0..3_000 {
        let list = server.get(path).send().await.expect(200).json();
        let items = list["items"].as_array().unwrap();
        if holds(items) {
            return items.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{path}: {}", server.get(path).send().await.text());
}

/// The level that was told and the mail stand in the log.
async fn recorded(world: &World, alert: &str) {
    let events = "/api/v1/events?filter=type:notification.escalated";
    let events = until(&world.server, events, |items| !items.is_empty()).await;
    let detail = &events[0]["event"]["data"]["detail"];
    assert_eq!((&detail["alert_id"], &detail["level"]), (&json!(alert), &json!(1)), "{detail}");
    assert_eq!((&detail["profile"], &detail["told"]), (&json!("p"), &json!(1)), "{detail}");
    let events = "/api/v1/events?filter=type:notification.email";
    let events = until(&world.server, events, |items| items.len() == 2).await;
    let event = &events[0]["event"]["data"];
    assert_eq!(event["outcome"]["result"], "success", "{event}");
    assert_eq!(event["detail"]["channel_id"], "mail", "{event}");
}

#[tokio::test]
async fn what_nobody_takes_up_goes_up_and_says_who_is_next() {
    let (server, clock) = TestServer::start_standing(5, |_, _| {}).await;
    let mut world = World::over(server).await;
    world.account("ada", "operator", Some("ada@example.org")).await;
    world.account("chief", "viewer", Some("chief@example.org")).await;
    let levels = json!([
        { "after": "30m", "recipients": ["account:chief"] },
        { "after": "1h", "recipients": ["role:administrator", "address:board@example.org"] },
    ]);
    let profile = json!({ "recipients": ["owner"], "channels": ["mail"], "escalation": levels });
    world.tells_of(json!(["certificate.update"]), "p", profile).await;
    world.owned("www.example.org", "ada").await;
    let sent = world.notices("decision=sent&channel=mail", |items| !items.is_empty()).await;
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(world.mailbox.wait_for(1).await[0].recipients, ["ada@example.org"]);
    let alert = sent[0]["alert"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/alerts/{alert}/escalations");
    let steps = until(&world.server, &path, |items| items.len() == 2).await;
    let told =
        |step: &Value| (step["level"].clone(), step["state"].clone(), step["people"].clone());
    assert_eq!(told(&steps[0]), (json!(1), json!("waiting"), json!(["chief by mail"])));
    assert_eq!(told(&steps[1]), (json!(2), json!("ahead"), json!([])));
    assert_eq!(steps[1]["recipients"], json!(["role:administrator", "address:board@example.org"]));
    let at = |step: &Value| step["due_at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(at(&steps[1]).since(at(&steps[0])), 60 * MINUTE);
    let mut browser = Browser::sign_in_as(&world.server, Role::Administrator).await;
    let page = browser.get(&format!("/alerts/{alert}")).await.expect(200).text();
    assert!(page.contains("Who is told next") && page.contains("chief by mail"), "{page}");
    assert!(page.contains("level 1 is told"), "{page}");
    // Nobody takes it up. Nothing is under way when the time passes.
    let delivered = |items: &[Value]| items.iter().all(|one| one["delivery_state"] == "delivered");
    world.notices("decision=sent&channel=mail", delivered).await;
    world.server.settle().await;
    clock.advance(31 * MINUTE);
    world.server.renew().await;
    let mails = world.mailbox.wait_for(2).await;
    assert_eq!(mails[1].recipients, ["chief@example.org"]);
    assert!(mails[1].header("Subject").starts_with("Not acknowledged (level 1)"));
    assert!(mails[1].text().contains(&format!("/alerts/{alert}")), "{}", mails[1].text());
    recorded(&world, &alert).await;
    let steps = until(&world.server, &path, |items| items.len() == 2).await;
    assert_eq!(told(&steps[0]), (json!(1), json!("told"), json!(["chief by mail"])));
    assert_eq!((&steps[1]["level"], &steps[1]["state"]), (&json!(2), &json!("waiting")));
    // Who may not see accounts is told when, not who.
    let viewer = world.server.token(Role::Viewer).await;
    let call = world.server.call(Method::GET, &path).bearer(&viewer);
    let seen = call.send().await.expect(200).json();
    assert_eq!(told(&seen["items"][0]), (json!(1), json!("told"), json!([])), "{seen}");
    // Somebody takes it up: nobody else is told.
    let act = json!({ "ids": [alert] });
    world.server.post("/api/v1/alerts/acknowledge").json(&act).send().await.expect(200);
    clock.advance(2 * 60 * MINUTE);
    world.server.renew().await;
    let steps = until(&world.server, &path, |items| {
        items.iter().any(|one| one["level"] == 2 && one["state"] == "dropped")
    })
    .await;
    assert_eq!(steps.len(), 2);
    assert_eq!(world.mailbox.mails().len(), 2);
    let mut browser = Browser::sign_in_as(&world.server, Role::Operator).await;
    let page = browser.get(&format!("/alerts/{alert}")).await.expect(200).text();
    assert!(page.contains("Nobody is told any more"), "{page}");
    world.server.finish().await;
}

#[tokio::test]
async fn levels_begin_although_nobody_could_be_told_at_first() {
    let (server, clock) = TestServer::start_standing(6, |_, _| {}).await;
    let mut world = World::over(server).await;
    world.account("mute", "operator", None).await;
    world.account("chief", "viewer", Some("chief@example.org")).await;
    let levels = json!([{ "after": "30m", "recipients": ["account:chief"] }]);
    let profile =
        json!({ "recipients": ["account:mute"], "channels": ["mail"], "escalation": levels });
    world.tells_of(json!(["certificate.update"]), "p", profile).await;
    let nobody = json!({ "recipients": ["groups"], "channels": ["mail"], "repetitions": 1,
        "escalation": [{ "after": "40m", "recipients": ["address:board@example.org"] }] });
    world.tells_of(json!(["certificate.update"]), "q", nobody).await;
    world.owned("www.example.org", "mute").await;
    let mut alerts = Vec::new();
    for (profile, reason) in [("p", "no_address"), ("q", "nobody")] {
        let query = format!("decision=skipped&profile={profile}");
        let skipped = world.notices(&query, |items| !items.is_empty()).await;
        assert_eq!(skipped[0]["reason"], reason, "{skipped:?}");
        let alert = skipped[0]["alert"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/alerts/{alert}");
        let shown = world.server.get(&path).send().await.expect(200).json();
        assert!(shown.to_string().contains("Nobody could be told of it at first."), "{shown}");
        let path = format!("{path}/escalations");
        let steps = until(&world.server, &path, |all| all.len() == 1).await;
        assert_eq!(steps[0]["state"], "waiting");
        alerts.push(alert);
    }
    world.server.settle().await;
    clock.advance(31 * MINUTE);
    world.server.renew().await;
    assert_eq!(world.mailbox.wait_for(1).await[0].recipients, ["chief@example.org"]);
    // Somebody takes the other one up: its level is not told.
    let act = json!({ "ids": [alerts[1]] });
    world.server.post("/api/v1/alerts/acknowledge").json(&act).send().await.expect(200);
    world.server.settle().await;
    clock.advance(31 * MINUTE);
    world.server.renew().await;
    let path = format!("/api/v1/alerts/{}/escalations", alerts[1]);
    until(&world.server, &path, |all| all.iter().any(|one| one["state"] == "dropped")).await;
    assert_eq!(world.mailbox.mails().len(), 1);
    world.server.finish().await;
}

#[tokio::test]
async fn what_waits_for_a_group_goes_to_the_list_that_it_has_then() {
    let (server, clock) = TestServer::start_standing(8, |_, _| {}).await;
    let mut world = World::over(server).await;
    let mut groups = Vec::new();
    for name in ["web", "gone"] {
        let new = json!({ "name": name });
        let made = world.server.post("/api/v1/groups").json(&new).send().await.expect(201);
        groups.push(format!("/api/v1/groups/{}/contact", made.json()["id"].as_str().unwrap()));
    }
    let put = async |world: &World, path: &str, contact: Value| {
        let call = world.server.call(Method::PUT, path).bearer(world.server.admin());
        call.json(&contact).send().await.expect(204);
    };
    put(&world, &groups[0], json!({ "email": "old@example.org" })).await;
    put(&world, &groups[1], json!({ "email": "left@example.org" })).await;
    let profile = json!({ "recipients": ["group:web", "group:gone", "address:other@example.org"],
        "channels": ["mail"], "digest": { "cron": "0 15 * * *" } });
    world.tells_of(json!(["certificate.update"]), "p", profile).await;
    world.account("ada", "operator", None).await;
    world.owned("www.example.org", "ada").await;
    world.notices("decision=held", |items| items.len() == 3).await;
    put(&world, &groups[0], json!({ "email": "new@example.org" })).await;
    put(&world, &groups[1], json!({})).await;
    world.server.settle().await;
    clock.advance(6 * Timestamp::HOUR);
    world.server.renew().await;
    world.notices("decision=held", |items| items.is_empty()).await;
    let skipped = world.notices("reason=no_address", |items| !items.is_empty()).await;
    assert_eq!(skipped[0]["paths"], json!(["group:gone"]), "{skipped:?}");
    world.mailbox.wait_for(2).await;
    for (address, count) in [
        ("new@example.org", 1),
        ("left@example.org", 0),
        ("old@example.org", 0),
        ("other@example.org", 1),
    ] {
        assert_eq!(world.mailbox.to(address).len(), count, "{address}");
    }
    world.server.finish().await;
}
