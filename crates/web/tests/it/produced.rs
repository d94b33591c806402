//! Events that are caused over HTTP and read there, with what they say: types that no other test
//! names. `job.cancel` is with the jobs.

use std::sync::Arc;
use std::time::Duration;

use chancery_event::Timestamp;
use chancery_event::environment::ManualClock;
use chancery_testkit::{Authority, TestServer};
use serde_json::{Value, json};

use super::alerts::lock;

/// Events of a type, newest first; waits until there are some.
async fn events(server: &TestServer, event_type: &str) -> Vec<Value> {
    let mut sealed = server.engine().sealed();
    loop {
        sealed.mark_unchanged();
        server.settle().await;
        let path = format!("/api/v1/events?filter=type:{event_type}&limit=1000");
        let page = server.get(&path).send().await.expect(200).json();
        let items = page["items"].as_array().expect("items");
        if !items.is_empty() {
            return items.iter().map(|item| item["event"].clone()).collect();
        }
        let grown = tokio::time::timeout(Duration::from_secs(60), sealed.changed());
        grown.await.unwrap_or_else(|_| panic!("no {event_type}")).expect("a running sealer");
    }
}

/// More certificates than are uploaded one by one.
const MANY: usize = 120;

fn detail(event: &Value) -> &Value {
    &event["data"]["detail"]
}

async fn make(server: &TestServer, class: &str, name: &str, body: Value) {
    let new = json!({ "name": name, "body": body });
    let path = format!("/api/v1/automation/{class}");
    server.post(&path).json(&new).send().await.expect(201);
}

/// An action of these steps, and a trigger of these types that carries it out.
async fn reacts(server: &TestServer, name: &str, types: &[&str], steps: Value) {
    make(server, "actions", name, json!({ "steps": steps })).await;
    make(server, "triggers", name, json!({ "event_types": types, "actions": [name] })).await;
}

async fn upload(server: &TestServer, pem: String) -> Value {
    let call = server.post("/api/v1/certificates").body("application/x-pem-file", pem);
    call.send().await.json()
}

#[tokio::test]
async fn a_lock_and_its_end_are_events() {
    let server = TestServer::start().await;
    lock(&server).await;
    let locked = events(&server, "account.locked").await;
    assert_eq!(locked.len(), 1);
    let target = &locked[0]["data"]["targets"][0];
    assert_eq!(target["kind"], "account");
    let id = target["id"].as_str().expect("an account");
    server.post(&format!("/api/v1/accounts/{id}/unlock")).send().await.expect(200);
    let unlocked = events(&server, "account.unlock").await;
    assert_eq!(unlocked[0]["data"]["outcome"]["result"], "success");
    assert_eq!(unlocked[0]["data"]["targets"][0]["id"], id);
    let resolved = events(&server, "alert.resolved").await;
    assert_eq!(detail(&resolved[0])["alert_kind"], "account_locked");
    assert_eq!(detail(&resolved[0])["resolved_because"], "unlocked");
    assert_eq!(resolved[0]["data"]["cause"], unlocked[0]["id"]);
    server.finish().await;
}

#[tokio::test]
async fn an_alert_that_gets_worse_and_one_that_wakes_are_events() {
    let server = TestServer::start().await;
    let raise = |severity: &str| {
        json!([{ "step": "raise_alert", "kind": "group", "key": "groups", "severity": severity,
            "title": "groups change" }])
    };
    reacts(&server, "made", &["configuration.create"], raise("warning")).await;
    reacts(&server, "gone", &["configuration.delete"], raise("error")).await;
    let group = json!({ "name": "web" });
    let made = server.post("/api/v1/groups").json(&group).send().await.expect(201).json();
    assert!(server.engine().reacted(Duration::from_secs(60)).await);
    let list = "/api/v1/alerts?filter=kind:group";
    let alerts = server.get(list).send().await.expect(200).json();
    let id = alerts["items"][0]["id"].as_str().expect("an alert").to_owned();
    let until = server.now().plus(Timestamp::DAY).to_string();
    let sleep = json!({ "ids": [id], "until": until, "until_change": true });
    server.post("/api/v1/alerts/snooze").json(&sleep).send().await.expect(200);
    let path = format!("/api/v1/groups/{}", made["id"].as_str().expect("a group"));
    server.delete(&path).send().await.expect(204);
    assert!(server.engine().reacted(Duration::from_secs(60)).await);
    let escalated = events(&server, "alert.escalated").await;
    let told = detail(&escalated[0]);
    assert_eq!(told["alert_id"], id);
    assert_eq!(
        (&told["old_severity"], &told["new_severity"]),
        (&json!("warning"), &json!("error"))
    );
    let woken = events(&server, "alert.woken").await;
    assert_eq!(detail(&woken[0])["alert_id"], id);
    assert_eq!(detail(&woken[0])["woken_by"], "changed");
    let alert = server.get(&format!("/api/v1/alerts/{id}")).send().await.expect(200).json();
    assert_eq!((&alert["state"], &alert["severity"]), (&json!("open"), &json!("error")));
    server.finish().await;
}

#[tokio::test]
async fn a_trigger_that_feeds_itself_is_stopped_and_that_is_an_event() {
    let server = TestServer::start().await;
    let steps = json!([{ "step": "set_path", "path": "/a{object.path}" }]);
    reacts(&server, "round", &["certificate.update"], steps).await;
    let leaf = Authority::new("Round CA", server.now()).leaf("www.example.org", server.now(), 90);
    let taken = upload(&server, leaf.to_pem()).await;
    let path = format!("/api/v1/certificates/{}", taken["id"].as_str().expect("an id"));
    server.patch(&path).json(&json!({ "path": "/x" })).send().await.expect(200);
    assert!(server.engine().reacted(Duration::from_secs(60)).await);
    let stopped = events(&server, "trigger.stopped").await;
    assert_eq!(stopped.len(), 1);
    let targets = stopped[0]["data"]["targets"].as_array().expect("targets");
    let is_it =
        |target: &&Value| (&target["kind"], &target["id"]) == (&json!("trigger"), &json!("round"));
    assert!(targets.iter().any(|target| is_it(&target)), "{:?}", stopped[0]);
    assert!(stopped[0]["data"]["cause"].is_string());
    server.finish().await;
}

#[tokio::test]
async fn an_import_and_what_replaces_another_are_events() {
    let server = TestServer::start().await;
    let authority = Authority::new("Import CA", server.now());
    // So many certificates come in as one import.
    let mut pem = String::new();
    for number in 0..MANY {
        let name = format!("host-{number}.example.org");
        pem.push_str(&authority.leaf(&name, server.now(), 20).to_pem());
    }
    let answer = upload(&server, pem).await;
    let imported = events(&server, "certificate.import").await;
    let told = detail(&imported[0]);
    assert_eq!((&told["count"], &told["added"]), (&json!(MANY), &json!(MANY)), "{told}");
    let ids: Vec<_> = answer["items"].as_array().expect("items").iter().map(|i| &i["id"]).collect();
    let new =
        upload(&server, authority.leaf("host-7.example.org", server.now(), 200).to_pem()).await;
    let replaced = events(&server, "certificate.replaced").await;
    assert_eq!(replaced.len(), 1);
    let targets = replaced[0]["data"]["targets"].as_array().expect("targets");
    let of = |id: &Value| targets.iter().any(|target| target["id"] == *id);
    assert!(of(&new["id"]) && ids.into_iter().any(of), "{:?}", replaced[0]);
    server.finish().await;
}

#[tokio::test]
async fn what_nobody_takes_up_is_escalated_and_that_is_an_event() {
    let (mut server, clock) = TestServer::start_standing(3, |_, _| {}).await;
    let profile = json!({ "recipients": ["role:operator"], "channels": ["bell"],
        "escalation": [{ "after": "30m", "recipients": ["role:administrator"] }] });
    make(&server, "notification_profiles", "p", profile).await;
    let steps = json!([{ "step": "notify", "profile": "p", "title": "a group" }]);
    reacts(&server, "p", &["configuration.create"], steps).await;
    let ada = json!({ "name": "ada", "role": "operator", "password": "a long enough passphrase" });
    server.post("/api/v1/accounts").json(&ada).send().await.expect(201);
    server.post("/api/v1/groups").json(&json!({ "name": "web" })).send().await.expect(201);
    assert!(server.engine().reacted(Duration::from_secs(60)).await);
    // It is told, and nobody takes it up.
    events(&server, "alert.raised").await;
    advance(&mut server, &clock).await;
    let escalated = events(&server, "notification.escalated").await;
    let told = detail(&escalated[0]);
    assert_eq!((&told["profile"], &told["level"]), (&json!("p"), &json!(1)), "{told}");
    let raised = events(&server, "alert.raised").await;
    let about = |event: &&Value| detail(event)["alert_id"] == told["alert_id"];
    assert!(raised.iter().any(|event| about(&event)), "{raised:?}");
    server.finish().await;
}

async fn advance(server: &mut TestServer, clock: &Arc<ManualClock>) {
    server.settle().await;
    clock.advance(31 * 60 * Timestamp::SECOND);
    server.renew().await;
}
