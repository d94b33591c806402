//! Sources that are fetched from: another instance's `/okta/api/v1/logs`, and a receiver that
//! answers as Okta does when it is asked too much, refuses the token, or lies.

use std::sync::Arc;

use axum::http::Method;
use chancery_event::Timestamp;
use chancery_event::environment::ManualClock;
use chancery_testkit::{Answer, Manner, Receiver, TestServer};
use serde_json::{Value, json};

/// A server that others can reach over the network.
async fn reachable() -> (TestServer, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let told = base.clone();
    let server = TestServer::start_with(move |_, options| options.public_url = told).await;
    let router = server.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (server, base)
}

async fn source(server: &TestServer, name: &str) -> Value {
    let all = server.get("/api/v1/intake-sources").send().await.expect(200).json();
    let found = all["items"].as_array().unwrap().iter().find(|item| item["name"] == name);
    found.unwrap().clone()
}

/// Waits until a source is as it should be.
async fn until(server: &TestServer, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..3_000 {
        let source = source(server, "okta").await;
        if holds(&source) {
            return source;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{what}: {}", source(server, "okta").await);
}

async fn found(server: &TestServer, filter: &str) -> Vec<Value> {
    server.settle().await;
    let path = format!("/api/v1/events?limit=500&filter={}", filter.replace(' ', "+"));
    let page = server.get(&path).send().await.expect(200).json();
    page["items"].as_array().unwrap().iter().map(|item| item["event"].clone()).collect()
}

#[tokio::test]
async fn another_instance_is_fetched_from_and_every_event_comes_once() {
    let (there, base) = reachable().await;
    let here = TestServer::start().await;
    for number in 0..5 {
        let group = json!({ "name": format!("g{number}") });
        there.post("/api/v1/groups").json(&group).send().await.expect(201);
    }
    there.settle().await;
    let hour_ago = there.now().plus(-3_600 * Timestamp::SECOND).to_string();
    let poll = json!({ "url": format!("{base}/okta/"), "token": there.admin(), "every_s": 86_400,
        "since": hour_ago });
    let wish = json!({ "name": "okta", "dialect": "okta", "poll": poll });
    here.post("/api/v1/intake-sources").json(&wish).send().await.expect(201);
    let first = until(&here, "everything is there", |source| {
        source["poll"]["answered_at"].is_string() && source["accepted"].as_i64() >= Some(5)
    })
    .await;
    assert!(!first.to_string().contains(there.admin()), "the token is not shown: {first}");
    let groups = found(&here, "type:intake.received source:okta").await;
    let made = |events: &[Value]| {
        events.iter().filter(|e| e["data"]["detail"]["means"] == "configuration.create").count()
    };
    assert_eq!(made(&groups), 5, "{groups:?}");
    let connected = found(&here, "type:third_party.connect outcome:success").await;
    assert_eq!(connected.len(), 1, "{connected:?}");

    // It goes on where it was: only what is new comes, and nothing comes twice.
    there.post("/api/v1/groups").json(&json!({ "name": "late" })).send().await.expect(201);
    there.settle().await;
    let again = json!({ "poll": { "url": format!("{base}/okta"), "every_s": 86_400 } });
    here.patch("/api/v1/intake-sources/okta").json(&again).send().await.expect(204);
    let before = first["accepted"].as_i64().unwrap();
    let second =
        until(&here, "the late one is there", |source| source["accepted"].as_i64() > Some(before))
            .await;
    assert_eq!(second["repeated"], 0, "{second}");

    // A token goes to the address that it was given for, and to no other.
    let moved = json!({ "poll": { "url": format!("{base}/elsewhere") } });
    let refused = here.patch("/api/v1/intake-sources/okta").json(&moved).send().await.expect(422);
    assert!(refused.text().contains("poll/token"), "{}", refused.text());
    there.finish().await;
    here.finish().await;
}

struct Timed {
    server: TestServer,
    clock: Arc<ManualClock>,
    receiver: Receiver,
}

/// A server whose time stands still, with a source that is fetched from a receiver.
async fn timed(manner: Manner) -> Timed {
    let receiver = Receiver::plain().await;
    receiver.behave(manner);
    let (server, clock) = TestServer::start_standing(5, |_, _| {}).await;
    let poll = json!({ "url": format!("http://127.0.0.1:{}", receiver.port), "token": "00secret",
        "filter": "eventType sw \"pki.\"", "every_s": 60 });
    let wish = json!({ "name": "okta", "dialect": "okta", "poll": poll });
    server.post("/api/v1/intake-sources").json(&wish).send().await.expect(201);
    Timed { server, clock, receiver }
}

impl Timed {
    /// What the receiver says from the next round on: no page is under way when it changes.
    async fn behave(&self, manner: Manner) {
        self.round_over().await;
        self.receiver.behave(manner);
    }

    /// Waits until the source is not due: what is under way is booked by then, since time passes
    /// only by `pass`.
    async fn round_over(&self) {
        let now = self.server.now();
        until(&self.server, "the round ends", |source| {
            let next_at = source["poll"]["next_at"].as_str().unwrap();
            next_at.parse::<Timestamp>().unwrap() > now
        })
        .await;
    }

    async fn pass(&mut self, seconds: i64) {
        self.round_over().await;
        self.server.settle().await;
        self.clock.advance(seconds * Timestamp::SECOND);
        self.server.renew().await;
    }

    /// An answer with one event.
    fn event(&self, id: &str, link: &str) -> Manner {
        self.event_of(id, link, "2026-11-20T08:00:00.123Z")
    }

    fn event_of(&self, id: &str, link: &str, published: &str) -> Manner {
        let headers = match link {
            "" => String::new(),
            path => {
                format!("link: <http://127.0.0.1:{}{path}>; rel=\"next\"\r\n", self.receiver.port)
            }
        };
        let body = json!([{ "uuid": id, "eventType": "pki.cert.revoke",
            "published": published, "outcome": { "result": "SUCCESS" } }]);
        Manner::Says(200, headers, body.to_string())
    }
}

#[tokio::test]
async fn who_is_asked_too_much_is_left_alone_until_it_says() {
    let mut world = timed(Manner::Well).await;
    // A page that is no JSON counts as a failure; nothing of it is taken in.
    world.receiver.wait_for(1).await;
    until(&world.server, "it failed", |source| source["poll"]["failures"] == 1).await;
    let reset = world.server.now().micros() / 1_000_000 + 5 + 120;
    let headers = format!("x-rate-limit-remaining: 0\r\nx-rate-limit-reset: {reset}\r\n");
    world.behave(Manner::Says(429, headers, String::new())).await;
    world.pass(5).await;
    world.receiver.wait_for(2).await;
    let next = |source: &Value| source["poll"]["next_at"].as_str().unwrap().to_owned();
    let due = Timestamp::from_micros(reset * Timestamp::SECOND);
    until(&world.server, "it pauses", |source| {
        next(source).parse::<Timestamp>().unwrap().since(due).abs() < 2 * Timestamp::SECOND
    })
    .await;
    world.behave(world.event("u1", "/api/v1/logs?after=1")).await;
    world.pass(60).await;
    assert_eq!(world.receiver.received().len(), 2, "it is left alone");
    world.pass(61).await;
    let received = world.receiver.wait_for(3).await;
    assert_eq!(received[2].headers["authorization"], "SSWS 00secret");
    assert!(received[2].line.contains("filter=eventType%20sw%20%22pki.%22"), "{received:?}");
    until(&world.server, "one came", |source| source["accepted"] == 1).await;
    // The link is followed at once; the same event again changes nothing.
    let received = world.receiver.wait_for(4).await;
    assert!(received[3].line.contains("/api/v1/logs?after=1 "), "{:?}", received[3].line);
    until(&world.server, "the same again ends the round", |source| {
        source["poll"]["failures"] == 0 && source["repeated"] == 1
    })
    .await;
    assert_eq!(source(&world.server, "okta").await["accepted"], 1);
    world.server.finish().await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_keeps_no_other_away() {
    let mut world = timed(Manner::Well).await;
    until(&world.server, "it failed", |source| source["poll"]["failures"] == 1).await;
    let event = |id: &str| {
        json!({ "uuid": id, "eventType": "pki.cert.revoke",
            "published": "2026-11-20T08:00:00.123Z", "outcome": { "result": "SUCCESS" } })
    };
    let page = json!([event("a"), { "uuid": "b" }, event("c"), "no event"]);
    let headers = format!(
        "link: <http://127.0.0.1:{}/api/v1/logs?after=d>; rel=\"next\"\r\n",
        world.receiver.port
    );
    world.behave(Manner::Says(200, headers, page.to_string())).await;
    world.pass(60).await;
    let came = |source: &Value| source["accepted"] == 2 && source["poll"]["failures"] == 0;
    let source = until(&world.server, "the others came", came).await;
    assert_eq!(source["poll"]["error"], Value::Null, "{source}");
    // It went on behind that page.
    let received = world.receiver.wait_for(3).await;
    assert!(received[2].line.contains("/api/v1/logs?after=d "), "{:?}", received[2].line);
    world.round_over().await;
    let told = found(&world.server, "type:intake.refused").await;
    assert!(told.iter().all(|event| event["data"]["outcome"]["reason"] == "malformed"));
    let problems: Vec<String> = told
        .iter()
        .map(|event| event["data"]["personal"]["detail"]["problem"].to_string())
        .collect();
    assert!(problems.iter().any(|text| text.contains("event 2")), "{problems:?}");
    assert_eq!(source["refused"].as_i64().map(|count| count >= 3), Some(true), "{source}");
    world.server.finish().await;
}

#[tokio::test]
async fn a_refused_token_is_an_alert_and_a_page_elsewhere_is_not_followed() {
    let mut world = timed(Manner::Status(401, "")).await;
    // After the third the clock stands: it is not tried a fourth time while the test looks.
    for (failures, wait) in [(1, Some(5)), (2, Some(15)), (3, None)] {
        until(&world.server, "it fails", |source| source["poll"]["failures"] == failures).await;
        if let Some(seconds) = wait {
            world.pass(seconds).await;
        }
    }
    world.round_over().await;
    let told = found(&world.server, "type:third_party.connect outcome:failure").await;
    assert_eq!(told.len(), 1, "once, not each time: {told:?}");
    assert_eq!(told[0]["data"]["outcome"]["reason"], "unauthorized");
    let alerts = async || world.server.get("/api/v1/alerts").send().await.expect(200);
    let raised = alerts().await;
    assert!(!raised.text().contains("00secret"), "{}", raised.text());
    let failing = |answer: &Answer| {
        let alerts = answer.json()["items"].as_array().unwrap().clone();
        alerts.into_iter().find(|alert| alert["kind"] == "source_failing").unwrap()
    };
    let raised = failing(&raised);
    assert_eq!(raised["resolved_at"], Value::Null, "{raised}");
    let (cookie, _) = world.server.session();
    for (path, part) in [
        ("/administration/sources", "Fetching fails"),
        ("/administration/sources", "the token was refused (401)"),
        ("/administration/sources/okta/edit", "3 failures in a row"),
    ] {
        let page = world.server.call(Method::GET, path).header("cookie", &cookie);
        let page = page.send().await.expect(200).text();
        assert!(page.contains(part) && !page.contains("00secret"), "{path}: {page}");
    }

    // The next page would take the token elsewhere.
    let evil = Receiver::plain().await;
    let headers = format!("link: <http://127.0.0.1:{}/api/v1/logs>; rel=\"next\"\r\n", evil.port);
    world.behave(Manner::Says(200, headers, "[]".to_owned())).await;
    world.pass(600).await;
    let failed = until(&world.server, "it is not followed", |source| {
        source["poll"]["error"].as_str().is_some_and(|text| text.contains("not followed"))
    })
    .await;
    assert_eq!(evil.connections(), 0, "{failed}");

    world.behave(world.event("u9", "")).await;
    world.pass(600).await;
    until(&world.server, "it goes on", |source| {
        source["accepted"] == 1 && source["poll"]["failures"] == 0
    })
    .await;
    let connected = found(&world.server, "type:third_party.connect outcome:success").await;
    assert_eq!(connected.len(), 1, "{connected:?}");
    let ended =
        failing(&world.server.get("/api/v1/alerts?filter=state:resolved").send().await.expect(200));
    assert!(ended["resolved_at"].is_string(), "the alert goes when it works again: {ended}");
    world.server.finish().await;
}

#[tokio::test]
async fn a_place_that_is_lost_costs_nothing_of_a_backlog() {
    let mut world = timed(Manner::Status(401, "")).await;
    until(&world.server, "it failed", |source| source["poll"]["failures"] == 1).await;
    // Half a year to catch up with; the first pages are from its beginning.
    let behind = world.server.now().plus(-150 * Timestamp::DAY);
    let since = world.server.now().plus(-180 * Timestamp::DAY).to_string();
    let poll = json!({ "poll": { "url": format!("http://127.0.0.1:{}", world.receiver.port),
        "token": "00secret", "every_s": 60, "since": since } });
    let page = world.event_of("b1", "/api/v1/logs?after=b1", &behind.to_string());
    world.behave(page).await;
    world.server.patch("/api/v1/intake-sources/okta").json(&poll).send().await.expect(204);
    world.pass(60).await;
    until(&world.server, "a page came", |source| source["accepted"] == 1).await;
    // The other system forgets the place.
    world.behave(Manner::Status(400, "")).await;
    world.pass(60).await;
    until(&world.server, "it is refused", |source| source["poll"]["failures"] == 1).await;
    let before = world.receiver.received().len();
    world.behave(Manner::Says(200, String::new(), "[]".to_owned())).await;
    world.pass(600).await;
    let received = world.receiver.wait_for(before + 1).await;
    let asked = &received[before].line;
    let since = asked.split("since=").nth(1).unwrap_or_else(|| panic!("{asked}"));
    let since = since.split(['&', ' ']).next().unwrap().replace("%3A", ":");
    let since: Timestamp = since.parse().unwrap_or_else(|_| panic!("{asked}"));
    assert!(since < behind && behind.since(since) < Timestamp::HOUR, "{asked}");
    world.server.finish().await;
}

#[tokio::test]
async fn a_page_that_leads_to_itself_is_not_asked_for_without_end() {
    let mut world = timed(Manner::Well).await;
    until(&world.server, "it failed", |source| source["poll"]["failures"] == 1).await;
    world.behave(world.event("e1", "/api/v1/logs?after=e1")).await;
    world.pass(60).await;
    // The second page leads to itself, and has the same event every time.
    let source = until(&world.server, "it came again", |source| source["repeated"] == 1).await;
    assert_eq!(source["accepted"], 1, "{source}");
    world.server.settle().await;
    let after = world.receiver.received().len();
    assert_eq!(after, 3, "one that failed, the first page, and the second once");
    world.pass(61).await;
    world.receiver.wait_for(after + 1).await;
    world.server.finish().await;
}
