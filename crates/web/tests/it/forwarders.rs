//! Forwarders through the API: from the form to a real receiver, with attempts shown.

use axum::http::Method;
use chancery_engine::Role;
use chancery_event::Timestamp;
use chancery_testkit::{Manner, Received, Receiver, TestServer};
use serde_json::{Value, json};

use super::browser::Browser;

fn webhook(receiver: &Receiver) -> Value {
    json!({ "kind": "webhook", "title": "The SOC",
        "select": { "event_types": ["configuration.create"], "filter": "detail.class:group" },
        "settings": { "url": receiver.url(), "ca": receiver.ca } })
}

async fn group(server: &TestServer, name: &str) {
    server.post("/api/v1/groups").json(&json!({ "name": name })).send().await.expect(201);
}

/// Two forwarders in two folders.
async fn two(server: &TestServer) -> Receiver {
    let receiver = Receiver::plain().await;
    for (name, path) in [("soc", "/prod"), ("test", "/lab")] {
        let mut body = webhook(&receiver);
        body["path"] = json!(path);
        let new = json!({ "name": name, "body": body });
        server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    }
    receiver
}

#[tokio::test]
async fn an_event_reaches_an_https_receiver_and_the_attempt_is_shown() {
    let server = TestServer::start().await;
    let receiver = Receiver::tls(false).await;
    let new = json!({ "name": "soc", "body": webhook(&receiver), "secrets": { "token": "t0ken" } });
    let made = server.post("/api/v1/forwarders").json(&new).send().await.expect(201).json();
    let secret = made["generated"]["signing"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"), "{made}");
    group(&server, "web").await;
    let received = receiver.wait_for(1).await.remove(0);
    assert_eq!(received.headers["authorization"], "Bearer t0ken");
    assert_eq!(received.headers["content-type"], "application/cloudevents+json");
    let event: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(event["type"], "configuration.create");
    assert!(!String::from_utf8_lossy(&received.body).contains("\"admin\""), "no names of people");
    let path = "/api/v1/deliveries?destination=soc&state=delivered";
    let listed = server.until(path, |list| list["items"].as_array().unwrap().len() == 1);
    let id = listed.await["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(received.headers["webhook-id"], id);
    let whole = server.get(&format!("/api/v1/deliveries/{id}")).send().await.expect(200);
    assert!(!whole.text().contains("t0ken") && !whole.text().contains(&secret));
    let whole = whole.json();
    assert_eq!(whole["tries"][0]["status"], 200);
    assert_eq!(whole["tries"][0]["request"]["headers"]["authorization"], "…");
    let took = whole["tries"][0]["took_ms"].as_f64().unwrap();
    assert!(took > 0.0 && took < 60_000.0, "{whole}");
    assert_eq!(whole["message"], Value::Null, "it carries an event");
    let shown = server.get("/api/v1/forwarders/soc").send().await.expect(200);
    assert!(!shown.text().contains("t0ken") && !shown.text().contains(&secret));
    assert_eq!(shown.json()["secrets"], json!(["signing", "token"]));
    server.finish().await;
}

#[tokio::test]
async fn a_failing_receiver_is_told_of_and_recovers() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    receiver.behave(Manner::Status(503, "retry-after: 1\r\n"));
    let new = json!({ "name": "soc", "body": webhook(&receiver) });
    server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    group(&server, "web").await;
    let waiting = "/api/v1/deliveries?state=waiting";
    let failed = |list: &Value| list["items"][0]["attempts"].as_i64() >= Some(1);
    let list = server.until(waiting, failed).await;
    assert_eq!(list["items"][0]["status"], 503);
    let shown = server.get("/api/v1/forwarders/soc").send().await.expect(200).json();
    // It may have been tried again meanwhile.
    assert_eq!(
        (&shown["backlog_waiting"], shown["failures"].as_i64() >= Some(1)),
        (&json!(1), true)
    );
    let figures = server.get("/metrics").send().await.expect(200).text();
    for line in [
        "chancery_deliveries{class=\"forwarder\",state=\"waiting\"} 1",
        "chancery_deliveries{class=\"forwarder\",state=\"dead\"} 0",
        "chancery_destinations{class=\"forwarder\",state=\"",
    ] {
        assert!(figures.contains(line), "{line} is not in\n{figures}");
    }
    receiver.behave(Manner::Well);
    let id = list["items"][0]["id"].as_str().unwrap();
    server.post(&format!("/api/v1/deliveries/{id}/resend")).send().await.expect(202);
    let done = "/api/v1/deliveries?state=delivered";
    server.until(done, |list| list["items"].as_array().unwrap().len() == 1).await;
    let ids: Vec<String> =
        receiver.received().iter().map(|one| one.headers["webhook-id"].clone()).collect();
    assert!(ids.len() >= 2 && ids.iter().all(|one| one == id), "one identifier: {ids:?}");
    server.finish().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_six_hours_is_not_called_before() {
    let (mut server, clock) = TestServer::start_standing(11, |_, _| {}).await;
    let hour = 3_600 * Timestamp::SECOND;
    let asking = [("in-order", true), ("in-parallel", false)].map(async |(name, ordered)| {
        let receiver = Receiver::plain().await;
        receiver.behave(Manner::Status(429, "retry-after: 21600\r\n"));
        let mut body = webhook(&receiver);
        body["ordered"] = json!(ordered);
        let new = json!({ "name": name, "body": body });
        server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
        (name, receiver)
    });
    let asking = futures::future::join_all(asking).await;
    // Comes behind them in each round: what it was sent, they could have been sent.
    let well = Receiver::plain().await;
    let new = json!({ "name": "well", "body": webhook(&well) });
    server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    group(&server, "first").await;
    let paused = |at: Timestamp| {
        move |one: &Value| one["paused_until"] == at.plus(6 * hour).to_string().as_str()
    };
    let began = server.now();
    for (name, _) in &asking {
        server.until(&format!("/api/v1/forwarders/{name}"), paused(began)).await;
    }
    for (number, step) in [hour, 2 * hour, 3 * hour - Timestamp::SECOND].into_iter().enumerate() {
        clock.advance(step);
        server.renew().await;
        group(&server, &format!("meanwhile {number}")).await;
        well.wait_for(number + 2).await;
    }
    for (name, receiver) in &asking {
        assert_eq!(receiver.received().len(), 1, "{name}");
        receiver.behave(Manner::Well);
    }
    clock.advance(Timestamp::SECOND);
    for (name, receiver) in &asking {
        let sent = receiver.wait_for(5).await;
        let done = format!("/api/v1/deliveries?destination={name}&state=delivered");
        server.until(&done, |list| list["items"].as_array().unwrap().len() == 4).await;
        let again = |one: &Received| one.headers["webhook-id"] == sent[0].headers["webhook-id"];
        let place = sent.iter().skip(1).position(again);
        assert!(place == Some(0) || (place.is_some() && *name == "in-parallel"), "{name}");
        let shown = server.get(&format!("/api/v1/forwarders/{name}")).send().await.expect(200);
        assert_eq!(shown.json()["paused_until"], Value::Null, "{name}");
        assert_eq!(receiver.received().len(), 5, "{name}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_secret_of_before_comes_with_the_time_of_its_end() {
    let server = TestServer::start().await;
    let secret = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    for (previous, until, field) in [
        (secret, "", Some("secrets/signing_previous_until")),
        (secret, "tomorrow", Some("secrets/signing_previous_until")),
        ("", "2030-01-01T00:00:00Z", Some("secrets/signing_previous")),
        ("no secret", "2030-01-01T00:00:00Z", Some("secrets/signing_previous")),
        (secret, "2030-01-01T00:00:00Z", None),
    ] {
        let body = json!({ "kind": "webhook", "settings": { "url": "https://127.0.0.1/" } });
        let secrets = json!({ "signing_previous": previous, "signing_previous_until": until });
        let new = json!({ "name": "soc", "body": body, "secrets": secrets });
        let answer = server.post("/api/v1/forwarders").json(&new).send().await;
        match field {
            None => assert_eq!(answer.status.as_u16(), 201, "{}", answer.text()),
            Some(field) => assert_eq!(answer.expect(422).json()["field"], field, "{previous}"),
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn trials_switching_replay_rotation_and_deletion() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    let new = json!({ "name": "soc", "body": webhook(&receiver) });
    server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    let at = |what: &str| format!("/api/v1/forwarders/soc/{what}");
    server.settle().await;
    let trial = server.post(&at("test")).send().await.expect(200).json();
    assert_eq!((&trial["delivered"], &trial["status"]), (&json!(true), &json!(200)));
    receiver.behave(Manner::Status(302, "location: http://127.0.0.1:1/\r\n"));
    let trial = server.post(&at("test")).send().await.expect(200).json();
    assert_eq!((&trial["delivered"], &trial["status"]), (&json!(false), &json!(302)));
    assert!(trial["error"].as_str().unwrap().contains("redirects are not followed"), "{trial}");
    receiver.behave(Manner::Well);
    let off = json!({ "enabled": false });
    server.post(&at("switch")).json(&off).send().await.expect(204);
    group(&server, "while it is off").await;
    server.settle().await;
    let before = receiver.received().len();
    server.post(&at("switch")).json(&json!({ "enabled": true })).send().await.expect(204);
    receiver.wait_for(before + 1).await;
    server.post(&at("replay")).json(&json!({ "from_index": 0 })).send().await.expect(202);
    receiver.wait_for(before + 2).await;
    let rotated = json!({ "overlap_hours": 24 });
    let rotated = server.post(&at("rotate-secret")).json(&rotated).send().await.expect(200).json();
    assert!(rotated["generated"]["signing"].as_str().unwrap().starts_with("whsec_"));
    group(&server, "signed twice").await;
    // An event of before may come once more: what is not booked yet is sent again.
    let mut count = before + 3;
    let signatures = loop {
        let received = receiver.wait_for(count).await;
        let signed =
            received.iter().find(|one| String::from_utf8_lossy(&one.body).contains("signed twice"));
        match signed {
            Some(one) => break one.headers["webhook-signature"].clone(),
            None => count = received.len() + 1,
        }
    };
    assert_eq!(signatures.split(' ').count(), 2, "{signatures}");
    let versions = server.get(&at("versions")).send().await.expect(200).json();
    assert_eq!(versions["items"].as_array().unwrap().len(), 2);
    server.delete("/api/v1/forwarders/soc").send().await.expect(204);
    server.get("/api/v1/forwarders/soc").send().await.expect(404);
    server.finish().await;
}

#[tokio::test]
async fn forwarders_are_managed_by_whom_they_were_given_to() {
    let server = TestServer::start().await;
    let _receiver = two(&server).await;
    let (viewer, auditor) = (server.token(Role::Viewer).await, server.token(Role::Auditor).await);
    let list = "/api/v1/forwarders";
    let get = axum::http::Method::GET;
    server.call(get.clone(), list).bearer(&viewer).send().await.expect(403);
    let seen = server.call(get.clone(), list).bearer(&auditor).send().await.expect(200).json();
    assert_eq!(seen["items"].as_array().unwrap().len(), 2);
    // The administrator's own account, with the role of an operator: what is set counts.
    let me = server.get("/api/v1/me").send().await.expect(200).json();
    let account = me["account"]["id"].as_str().or(me["id"].as_str()).unwrap().to_owned();
    let operator = server.token(Role::Operator).await;
    let names = async || {
        let call = server.call(axum::http::Method::GET, list).bearer(&operator);
        let seen = call.send().await.expect(200).json();
        let items = seen["items"].as_array().unwrap().clone();
        items.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(names().await.is_empty());
    let access = format!("/api/v1/accounts/{account}/forwarder-access");
    let set = async |body: Value| {
        let call = server.call(axum::http::Method::PUT, &access).bearer(server.admin());
        call.json(&body).send().await.expect(204);
    };
    set(json!({ "forwarders": "named", "names": ["test"] })).await;
    assert_eq!(names().await, ["test"]);
    set(json!({ "forwarders": "named", "paths": ["/prod"] })).await;
    assert_eq!(names().await, ["soc"]);
    let off = json!({ "enabled": false });
    let switch = |name: &str| {
        let path = format!("/api/v1/forwarders/{name}/switch");
        server.call(axum::http::Method::POST, &path).bearer(&operator).json(&off)
    };
    switch("soc").send().await.expect(204);
    switch("test").send().await.expect(403);
    set(json!({ "forwarders": "all" })).await;
    assert_eq!(names().await, ["soc", "test"]);
    server.finish().await;
}

/// What the forms of sending again refuse, at its field; and what they take.
async fn sent_again(session: &mut Browser<'_>) {
    for (what, member, value) in [
        ("replay", "from_index", "999999"),
        ("replay", "from_index", "first"),
        ("recover", "since", "yesterday"),
    ] {
        let path = format!("/forwarders/soc/{what}");
        let refused = session.post(&path, &[(member, value)]).await.expect(422).text();
        assert!(refused.contains(&format!("{}-error", member.replace('_', "-"))), "{refused}");
        assert!(refused.contains(value), "what was typed is still there: {refused}");
    }
    let recovered = [("since", "2026-11-01T00:00:00Z")];
    session.post("/forwarders/soc/recover", &recovered).await.expect(303);
}

#[tokio::test]
async fn pages_make_show_try_and_delete_a_forwarder_without_scripts() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let empty = session.get("/forwarders").await.expect(200).text();
    assert!(empty.contains("No forwarder here") && empty.contains("/forwarders/new"));
    let kinds = session.get("/forwarders/new").await.expect(200).text();
    for kind in ["webhook", "syslog", "file", "nats", "email", "slack", "teams", "servicenow"] {
        assert!(kinds.contains(&format!("/forwarders/new?kind={kind}")), "{kind}");
        let form = session.get(&format!("/forwarders/new?kind={kind}")).await.expect(200);
        assert!(form.text().contains("name=\"select/event_types\""), "{kind}");
    }
    let wrong =
        [("kind", "webhook"), ("name", "soc"), ("path", "/"), ("settings/url", "http://10.0.0.1/")];
    let refused = session.post("/forwarders/new", &wrong).await.expect(422).text();
    assert!(refused.contains("a private address") && refused.contains("http://10.0.0.1/"));
    assert!(refused.contains("settings-url-error"), "the fault stands at its field");
    let url = receiver.url();
    let right = [
        ("kind", "webhook"),
        ("name", "soc"),
        ("title", "The SOC"),
        ("path", "/prod"),
        ("settings/url", url.as_str()),
        ("settings/signature", "hmac"),
        ("settings/headers", "X-Team: soc"),
        ("secrets/token", "t0ken"),
        ("select/event_types", "configuration.*\ntoken.create"),
        ("select/severities", "info"),
        ("select/locations/items", ""),
        ("runner", "immediate"),
        ("enabled", "1"),
    ];
    let made = session.post("/forwarders/new", &right).await.expect(200);
    assert!(made.text().contains("whsec_"), "the secret is shown");
    assert_eq!(made.header("cache-control"), "no-store");
    let one = session.get("/forwarders/soc").await.expect(200).text();
    assert!(one.contains("The SOC") && !one.contains("whsec_") && !one.contains("t0ken"));
    session.post("/forwarders/soc/test", &[]).await.expect(303);
    assert_eq!(receiver.wait_for(1).await[0].headers["x-team"], "soc");
    let told = session.get("/forwarders/soc").await.expect(200).text();
    assert!(told.contains("The trial got through"), "{told}");
    let list = session.get("/deliveries?destination=soc&reason=test").await.expect(200).text();
    assert!(list.contains("/deliveries/"), "{list}");
    let id =
        list.split("href=\"/deliveries/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let delivery = session.get(&format!("/deliveries/{id}")).await.expect(200).text();
    assert!(delivery.contains("Attempt 1") && !delivery.contains("t0ken"));
    let sent: Value = serde_json::from_slice(&receiver.received()[0].body).unwrap();
    let log = delivery.split("href=\"/events/").nth(1).unwrap().split('"').next().unwrap();
    let event = session.get(&format!("/events/{log}")).await.expect(200).text();
    assert!(event.contains(sent["id"].as_str().unwrap()), "it leads to the event that was sent");
    let edit = session.get("/forwarders/soc/edit").await.expect(200).text();
    assert!(edit.contains("X-Team: soc") && !edit.contains("t0ken"));
    session.post("/forwarders/soc/off", &[]).await.expect(303);
    assert!(session.get("/forwarders").await.text().contains("Switched off"));
    session.post("/forwarders/soc/on", &[]).await.expect(303);
    for what in ["delete", "replay", "recover", "rotate"] {
        session.get(&format!("/forwarders/soc/{what}")).await.expect(200);
    }
    session.post("/forwarders/soc/replay", &[("from_index", "0")]).await.expect(303);
    sent_again(&mut session).await;
    let rotated = session.post("/forwarders/soc/rotate", &[]).await.expect(200).text();
    assert!(rotated.contains("whsec_"));
    session.post("/forwarders/soc/delete", &[]).await.expect(303);
    session.get("/forwarders/soc").await.expect(404);
    server.finish().await;
}

#[tokio::test]
async fn a_selection_is_previewed_before_anything_is_saved() {
    let server = TestServer::start().await;
    for name in ["one", "two", "three"] {
        group(&server, name).await;
    }
    server.settle().await;
    let preview = async |select: Value| {
        let wish = json!({ "body": { "kind": "webhook", "select": select } });
        server.post("/api/v1/deliveries/preview").json(&wish).send().await.expect(200).json()
    };
    let groups = json!({ "event_types": ["configuration.create"], "filter": "detail.class:group" });
    let found = preview(groups).await;
    assert_eq!((&found["last_24_hours"], &found["last_7_days"]), (&json!(3), &json!(3)));
    assert_eq!(found["is_complete"], true);
    let samples = found["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 3);
    assert!(samples[0]["sentence"].as_str().unwrap().contains("three"), "newest first: {found}");
    let none = preview(json!({ "severities": ["critical"] })).await;
    assert_eq!((&none["last_7_days"], &none["samples"]), (&json!(0), &json!([])));
    let wrong = json!({ "body": { "kind": "webhook", "select": { "filter": "nofield:x" } } });
    let refused = server.post("/api/v1/deliveries/preview").json(&wrong).send().await;
    assert_eq!(refused.expect(422).json()["field"], "select/filter");
    let all = server.get("/api/v1/forwarders").send().await.expect(200).json();
    assert_eq!(all["items"], json!([]), "nothing was saved");
    // Nobody looks at events by it who may not make forwarders.
    let token = server.token(Role::Auditor).await;
    let call = server.call(Method::POST, "/api/v1/deliveries/preview").bearer(&token);
    call.json(&json!({ "body": { "kind": "webhook" } })).send().await.expect(403);
    // The form says the same, and keeps what was typed.
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let typed = [
        ("kind", "webhook"),
        ("name", "soc"),
        ("path", "/"),
        ("settings/url", "https://soc.example.org/"),
        ("select/event_types", "configuration.create"),
        ("select/filter", "detail.class:group"),
        ("preview", "1"),
    ];
    let page = browser.post("/forwarders/new", &typed).await.expect(200).text();
    assert!(page.contains("<strong>3 events</strong>"), "{page}");
    assert!(page.contains("https://soc.example.org/"), "what was typed is still there");
    let all = server.get("/api/v1/forwarders").send().await.expect(200).json();
    assert_eq!(all["items"], json!([]), "nothing was saved");
    server.finish().await;
}

#[tokio::test]
async fn of_an_answer_the_head_is_kept_and_never_the_body() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    for (status, expected) in [(503, "failed"), (200, "delivered")] {
        let headers = "x-request-id: abc-123\r\nset-cookie: session=geheim\r\n".to_owned();
        let said = Manner::Says(status, headers, "what a receiver says to itself".to_owned());
        receiver.behave(said);
        let name = format!("soc-{status}");
        let new = json!({ "name": name, "body": webhook(&receiver) });
        server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
        group(&server, &name).await;
        let path = format!("/api/v1/deliveries?destination={name}&filter=attempts%3E0");
        let made = |list: &Value| list["items"].as_array().unwrap().len() == 1;
        let list = server.until(&path, made).await;
        let id = list["items"][0]["id"].as_str().unwrap().to_owned();
        let whole = server.get(&format!("/api/v1/deliveries/{id}")).send().await.expect(200);
        let (text, whole) = (whole.text(), whole.json());
        let attempt = &whole["tries"][0];
        assert_eq!((&attempt["status"], &attempt["outcome"]), (&json!(status), &json!(expected)));
        assert_eq!(attempt["response"]["headers"]["x-request-id"], "abc-123", "{attempt}");
        let (cookie, _) = server.session();
        let page = server.call(Method::GET, &format!("/deliveries/{id}")).header("cookie", &cookie);
        let page = page.send().await.expect(200).text();
        assert!(page.contains("abc-123"), "{page}");
        for shown in [text, page] {
            assert!(!shown.contains("says to itself") && !shown.contains("geheim"), "{shown}");
        }
        server.delete(&format!("/api/v1/forwarders/{name}")).send().await.expect(204);
    }
    server.finish().await;
}

#[tokio::test]
async fn the_forwarders_of_an_operator_are_given_on_the_page_of_the_account() {
    let server = TestServer::start().await;
    let _receiver = two(&server).await;
    let mut operator = Browser::sign_in_as(&server, Role::Operator).await;
    let mut admin = Browser::sign_in_as(&server, Role::Administrator).await;
    let accounts = server.get("/api/v1/accounts").send().await.expect(200).json();
    let found = accounts["items"].as_array().unwrap().iter();
    let account = found.clone().find(|one| one["name"] == "operator.one").unwrap();
    let page = format!("/administration/accounts/{}", account["id"].as_str().unwrap());
    let action = format!("{page}/forwarder-access");
    let version = |text: &str| {
        let rest = text.split("name=\"forwarders_version\" value=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let none = operator.get("/forwarders").await.expect(200).text();
    assert!(!none.contains("/forwarders/soc") && !none.contains("/forwarders/test"), "{none}");
    for (which, names, paths, sees) in [
        ("named", "test", "", (false, true)),
        ("named", "", "/prod", (true, false)),
        ("all", "", "", (true, true)),
        ("none", "", "", (false, false)),
    ] {
        let shown = admin.get(&page).await.expect(200).text();
        assert!(shown.contains("Forwarders it may manage"), "{shown}");
        let version = version(&shown);
        let form = [
            ("forwarders", which),
            ("forwarder_names", names),
            ("forwarder_paths", paths),
            ("forwarders_version", version.as_str()),
        ];
        admin.post(&action, &form).await.expect(303);
        let stale = admin.post(&action, &form).await.expect(422).text();
        assert!(stale.contains("changed"), "somebody changed it since: {stale}");
        let list = operator.get("/forwarders").await.expect(200).text();
        let seen = (list.contains("/forwarders/soc"), list.contains("/forwarders/test"));
        assert_eq!(seen, sees, "{which} {names} {paths}");
    }
    let shown = admin.get(&page).await.expect(200).text();
    let version = version(&shown);
    let wrong = [
        ("forwarders", "named"),
        ("forwarder_names", "soc"),
        ("forwarder_paths", "prod"),
        ("forwarders_version", version.as_str()),
    ];
    let refused = admin.post(&action, &wrong).await.expect(422).text();
    assert!(refused.contains("forwarder-paths-error"), "the fault stands at its field: {refused}");
    server.finish().await;
}

#[tokio::test]
async fn who_can_manage_no_forwarder_is_given_none() {
    let server = TestServer::start().await;
    for (role, is_taken) in
        [("viewer", false), ("auditor", false), ("operator", true), ("administrator", true)]
    {
        let wish = json!({ "name": format!("the.{role}"), "role": role, "display_name": role,
            "password": "a long enough passphrase" });
        let made = server.post("/api/v1/accounts").json(&wish).send().await.expect(201).json();
        let path = format!("/api/v1/accounts/{}/forwarder-access", made["id"].as_str().unwrap());
        let set = async |forwarders: &str| {
            let call = server.call(Method::PUT, &path).bearer(server.admin());
            call.json(&json!({ "forwarders": forwarders })).send().await
        };
        set("none").await.expect(204);
        let answer = set("all").await;
        if is_taken {
            answer.expect(204);
            continue;
        }
        let refused = answer.expect(422).json();
        assert_eq!(refused["field"], "forwarders", "{role}: {refused}");
        assert!(refused["detail"].as_str().unwrap().contains("operators do"), "{refused}");
        let kept = server.get(&path).send().await.expect(200).json();
        assert_eq!(kept["forwarders"], "none", "{kept}");
    }
    server.finish().await;
}

#[tokio::test]
async fn in_order_means_the_order_of_the_log_whatever_the_clock_says() {
    let (server, clock) = TestServer::start_standing(12, |_, _| {}).await;
    let receiver = Receiver::plain().await;
    receiver.behave(Manner::Status(503, ""));
    let mut body = webhook(&receiver);
    body["ordered"] = json!(true);
    let new = json!({ "name": "soc", "body": body });
    server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    for (number, name) in ["first", "second", "third"].into_iter().enumerate() {
        group(&server, name).await;
        let waiting = "/api/v1/deliveries?state=waiting";
        server.until(waiting, |list| list["items"].as_array().unwrap().len() == number + 1).await;
        // Each was made before the one that it follows, says the clock.
        clock.advance(-2 * Timestamp::SECOND);
    }
    let tried = "/api/v1/deliveries?filter=attempts%3E0";
    server.until(tried, |list| list["items"].as_array().unwrap().len() == 1).await;
    receiver.behave(Manner::Well);
    clock.advance(60 * Timestamp::SECOND);
    let received = receiver.wait_for(4).await;
    let names: Vec<String> = received
        .iter()
        .map(|one| serde_json::from_slice::<Value>(&one.body).unwrap())
        .map(|event| event["data"]["targets"][0]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["first", "first", "second", "third"]);
    server.finish().await;
}

#[tokio::test]
async fn a_replay_of_a_periodic_one_is_sent_at_once() {
    let (mut server, clock) = TestServer::start_standing(14, |_, _| {}).await;
    let receiver = Receiver::plain().await;
    let mut body = webhook(&receiver);
    body["runner"] = json!("periodic");
    body["every_hours"] = json!(24);
    let new = json!({ "name": "soc", "body": body });
    server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    group(&server, "web").await;
    server.settle().await;
    clock.advance(24 * Timestamp::HOUR);
    server.renew().await;
    receiver.wait_for(1).await;
    let done = "/api/v1/deliveries?state=delivered";
    server.until(done, |list| list["items"].as_array().unwrap().len() == 1).await;
    let replay = server.post("/api/v1/forwarders/soc/replay");
    replay.json(&json!({ "from_index": 0 })).send().await.expect(202);
    let again = receiver.wait_for(2).await;
    let events: Value = serde_json::from_slice(&again[1].body).unwrap();
    assert_eq!(events[0]["data"]["targets"][0]["name"], "web", "{events}");
    server.finish().await;
}
