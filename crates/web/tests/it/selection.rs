//! Which events a forwarder gets: by attributes and folders of certificates, from the upload to the
//! receiver; and what it gets of people.

use axum::http::Method;
use chancery_event::Timestamp;
use chancery_testkit::{Authority, Manner, Receiver, TestServer};
use serde_json::{Value, json};

async fn forwarder(server: &TestServer, name: &str, body: Value) {
    let new = json!({ "name": name, "body": body });
    server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
}

async fn items(server: &TestServer, path: &str) -> Vec<Value> {
    let answer = server.get(path).send().await.expect(200).json();
    answer["items"].as_array().unwrap().clone()
}

async fn group(server: &TestServer, name: &str) {
    server.post("/api/v1/groups").json(&json!({ "name": name })).send().await.expect(201);
}

chancery_testkit::on_each_backend!(a_filter_by_an_attribute_is_previewed_saved_and_served);

async fn a_filter_by_an_attribute_is_previewed_saved_and_served() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    let authority = Authority::new("Attribute CA", server.now());
    let wish = json!({ "name": "tier", "kind": "list", "choices": ["gold", "tin"] });
    let made = server.post("/api/v1/attributes").json(&wish).send().await.expect(201);
    let tier = made.header("location").to_owned();
    let upload = async |name: &str, tier: &str| {
        let pem = authority.leaf(name, server.now(), 50).to_pem();
        let body = json!({ "certificate": pem, "attributes": { "tier": tier } });
        server.post("/api/v1/certificates").json(&body).send().await.expect(201);
    };
    upload("before.example", "gold").await;
    upload("other.example", "tin").await;
    server.settle().await;
    let body = |filter: &str| {
        json!({ "kind": "webhook", "settings": { "url": receiver.url() },
            "select": { "event_types": ["certificate.uploaded"], "filter": filter } })
    };
    let gold = "object.attribute.tier:gold";
    let preview = json!({ "body": body(gold) });
    let preview = server.post("/api/v1/deliveries/preview").json(&preview).send().await;
    assert_eq!(preview.expect(200).json()["last_7_days"], 1);
    forwarder(&server, "soc", body(gold)).await;
    upload("tin.example", "tin").await;
    upload("gold.example", "gold").await;
    let received = receiver.wait_for(1).await.remove(0);
    assert!(String::from_utf8_lossy(&received.body).contains("gold.example"));
    let rows = items(&server, "/api/v1/deliveries?destination=soc").await;
    assert_eq!(rows.len(), 1, "the one before it was not selected: {rows:?}");
    // What there is not is refused, and what is used stays.
    let wrong = json!({ "name": "wrong", "body": body("object.attribute.colour:red") });
    let refused = server.post("/api/v1/forwarders").json(&wrong).send().await.expect(422);
    assert_eq!(refused.json()["field"], "select/filter");
    let refused = server.delete(&tier).send().await.expect(409);
    assert!(refused.text().contains("named by forwarder “soc”"), "{}", refused.text());
    server.finish().await;
}

chancery_testkit::on_each_backend!(an_upload_goes_where_its_folder_is_selected);

async fn an_upload_goes_where_its_folder_is_selected() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    let authority = Authority::new("Folder CA", server.now());
    let body = json!({ "kind": "webhook", "settings": { "url": receiver.url() },
        "select": { "event_types": ["certificate.uploaded"],
            "locations": { "items": ["/prod/*"] } } });
    forwarder(&server, "prod", body).await;
    for (name, path) in [
        ("lab.example", "/lab"),
        ("near.example", "/production"),
        ("shop.example", "/prod/web"),
        ("top.example", "/"),
        ("last.example", "/prod"),
    ] {
        let pem = authority.leaf(name, server.now(), 50).to_pem();
        let body = json!({ "certificate": pem, "path": path });
        server.post("/api/v1/certificates").json(&body).send().await.expect(201);
    }
    let received = receiver.wait_for(2).await;
    let mut names: Vec<String> = received
        .iter()
        .map(|one| serde_json::from_slice::<Value>(&one.body).unwrap())
        .map(|event| event["data"]["targets"][0]["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["last.example", "shop.example"]);
    // The last of them was selected: everything before it was looked at.
    let rows = items(&server, "/api/v1/deliveries?destination=prod").await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    server.finish().await;
}

#[tokio::test]
async fn what_happens_to_a_forwarder_goes_where_its_folder_is_selected() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    let body = json!({ "kind": "webhook", "settings": { "url": receiver.url() },
        "select": { "event_types": ["forwarder.replay", "configuration.*"],
            "locations": { "targets": ["/prod/*"] } } });
    forwarder(&server, "soc", body).await;
    for (name, path) in [("lab", "/lab"), ("near", "/production"), ("shop", "/prod/web")] {
        let body = json!({ "kind": "webhook", "path": path,
            "settings": { "url": "https://127.0.0.1/" } });
        forwarder(&server, name, body).await;
        let replay = server.post(&format!("/api/v1/forwarders/{name}/replay"));
        replay.json(&json!({ "from_index": 0 })).send().await.expect(202);
        server.delete(&format!("/api/v1/forwarders/{name}")).send().await.expect(204);
    }
    let received = receiver.wait_for(3).await;
    let mut seen: Vec<(String, String)> = received
        .iter()
        .map(|one| serde_json::from_slice::<Value>(&one.body).unwrap())
        .map(|event| (event["type"].clone(), event["data"]["targets"][0]["name"].clone()))
        .map(|(a, b)| (a.as_str().unwrap().to_owned(), b.as_str().unwrap().to_owned()))
        .collect();
    seen.sort();
    let of_shop = ["configuration.create", "configuration.delete", "forwarder.replay"];
    assert_eq!(seen, of_shop.map(|name| (name.to_owned(), "shop".to_owned())));
    let rows = items(&server, "/api/v1/deliveries?destination=soc").await;
    assert_eq!(rows.len(), 3, "{rows:?}");
    let wish = json!({ "body": { "kind": "webhook",
        "select": { "locations": { "targets": ["/prod/*"] } } } });
    let preview = server.post("/api/v1/deliveries/preview").json(&wish).send().await.expect(200);
    assert_eq!(preview.json()["last_7_days"], 3, "the preview agrees");
    server.finish().await;
}

#[tokio::test]
async fn names_of_people_are_sent_where_that_was_asked_for() {
    let server = TestServer::start().await;
    for personal in [false, true] {
        let receiver = Receiver::plain().await;
        let body = json!({ "kind": "webhook", "settings": { "url": receiver.url() },
            "select": { "event_types": ["configuration.create"], "filter": "detail.class:group" },
            "personal": personal });
        forwarder(&server, &format!("personal-{personal}"), body).await;
        group(&server, &format!("group {personal}")).await;
        let received = receiver.wait_for(1).await.remove(0);
        let event: Value = serde_json::from_slice(&received.body).unwrap();
        let name = &event["data"]["personal"]["actor_name"];
        assert_eq!(name.as_str(), personal.then_some("admin"), "{event}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_replay_never_passes_over_what_was_not_sent() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    let body = json!({ "kind": "webhook", "settings": { "url": receiver.url() },
        "select": { "event_types": ["configuration.create"], "filter": "detail.class:group" } });
    let new = json!({ "name": "soc", "body": body, "enabled": false });
    server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    let begun = server.get("/api/v1/forwarders/soc").send().await.expect(200).json();
    let begun = begun["next_index"].as_u64().unwrap();
    for name in ["one", "two", "three"] {
        group(&server, name).await;
    }
    server.settle().await;
    let replay = |from: u64| {
        server.post("/api/v1/forwarders/soc/replay").json(&json!({ "from_index": from }))
    };
    let refused = replay(begun + 2).send().await.expect(422).json();
    assert_eq!(refused["field"], "from_index", "{refused}");
    let told = format!("the forwarder has come to {begun}; what follows is sent anyway");
    assert!(refused["detail"].as_str().unwrap().contains(&told), "{refused}");
    let on = json!({ "enabled": true });
    server.post("/api/v1/forwarders/soc/switch").json(&on).send().await.expect(204);
    assert_eq!(receiver.wait_for(3).await.len(), 3, "nothing was passed over");
    server.finish().await;
}

#[tokio::test]
async fn one_that_sends_every_few_hours_sends_a_batch() {
    let receiver = Receiver::plain().await;
    let (server, clock) = TestServer::start_standing(6, |_, _| {}).await;
    let body = json!({ "kind": "webhook", "settings": { "url": receiver.url() },
        "runner": "periodic", "every_hours": 2,
        "select": { "event_types": ["configuration.create"], "filter": "detail.class:group" } });
    forwarder(&server, "soc", body).await;
    for number in 0..5 {
        group(&server, &format!("g{number}")).await;
    }
    server.settle().await;
    assert_eq!(receiver.received().len(), 0, "it is not its turn");
    clock.advance(2 * Timestamp::HOUR);
    let received = receiver.wait_for(1).await.remove(0);
    assert_eq!(received.headers["content-type"], "application/cloudevents-batch+json");
    let events: Vec<Value> = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(events.len(), 5);
    let mut server = server;
    server.renew().await;
    server.finish().await;
}

#[tokio::test]
async fn an_okta_hook_that_was_made_switched_off_is_asked_when_it_is_switched_on() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    let body = json!({ "kind": "webhook", "dialect": "okta-hook",
        "settings": { "url": receiver.url() }, "select": { "severities": ["critical"] } });
    let new = json!({ "name": "hook", "body": body, "enabled": false });
    server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    assert_eq!(receiver.received().len(), 0, "it is not asked yet");
    let switch = async |enabled: bool| {
        let wish = json!({ "enabled": enabled });
        server.post("/api/v1/forwarders/hook/switch").json(&wish).send().await
    };
    let body =
        server.get("/api/v1/forwarders/hook").send().await.expect(200).json()["body"].clone();
    let put = async |enabled: bool| {
        let wish = json!({ "body": body, "enabled": enabled });
        let call = server.call(Method::PUT, "/api/v1/forwarders/hook").bearer(server.admin());
        call.json(&wish).send().await
    };
    let is_on = async || {
        server.get("/api/v1/forwarders/hook").send().await.expect(200).json()["enabled"].clone()
    };
    for refused in [switch(true).await, put(true).await] {
        assert_eq!(refused.expect(422).json()["field"], "settings/url");
    }
    assert_eq!(is_on().await, false);
    let asked = receiver.received();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|one| one.headers.contains_key("x-okta-verification-challenge")));
    receiver.behave(Manner::Verifies);
    switch(true).await.expect(204);
    assert_eq!(is_on().await, true);
    // One that sends is not asked again for a change that leads nowhere else.
    switch(true).await.expect(204);
    put(true).await.expect(200);
    assert_eq!(receiver.received().len(), 3);
    server.finish().await;
}
