//! Deliveries through the API: searching and exporting them, where an event went, and every event
//! that is told of them.

use std::sync::Arc;

use axum::http::Method;
use chancery_engine::Role;
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::{Environment, Timestamp};
use chancery_testkit::{Answer, Manner, Receiver, TestServer};
use serde_json::{Value, json};

use crate::browser::Browser;

fn webhook(receiver: &Receiver) -> Value {
    json!({ "kind": "webhook", "settings": { "url": receiver.url() },
        "select": { "event_types": ["configuration.create"], "filter": "detail.class:group" } })
}

async fn group(server: &TestServer, name: &str) {
    server.post("/api/v1/groups").json(&json!({ "name": name })).send().await.expect(201);
}

async fn items(server: &TestServer, path: &str) -> Vec<Value> {
    let answer = server.get(path).send().await.expect(200).json();
    answer["items"].as_array().unwrap().clone()
}

/// Waits until a list has so many items.
async fn eventually(server: &TestServer, path: &str, count: usize) -> Vec<Value> {
    for _ in 0..1_000 {
        let found = items(server, path).await;
        if found.len() == count {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{path}: {}", server.get(path).send().await.text());
}

chancery_testkit::on_each_backend!(deliveries_are_searched_exported_and_kept_as_views);

async fn deliveries_are_searched_exported_and_kept_as_views() {
    let server = TestServer::start().await;
    let (good, bad) = (Receiver::plain().await, Receiver::plain().await);
    bad.behave(Manner::Status(503, ""));
    for (name, receiver) in [("good", &good), ("bad", &bad)] {
        let new = json!({ "name": name, "body": webhook(receiver) });
        server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    }
    group(&server, "one").await;
    group(&server, "two").await;
    eventually(&server, "/api/v1/deliveries?filter=state:delivered", 2).await;
    eventually(&server, "/api/v1/deliveries?filter=status%3E=500%20attempts%3E0", 2).await;
    for (filter, count) in [
        ("destination:bad", 2),
        ("destination:bad state:delivered", 0),
        ("503", 2),
        ("-destination:bad type:configuration.*", 2),
        ("created<-1h", 0),
        ("events:1", 4),
    ] {
        let filter = filter.replace(' ', "%20").replace('<', "%3C");
        let found = items(&server, &format!("/api/v1/deliveries?filter={filter}")).await;
        assert_eq!(found.len(), count, "{filter}");
    }
    let refused = server.get("/api/v1/deliveries?filter=colour:red").send().await.expect(400);
    assert_eq!(refused.json()["field"], "filter", "{}", refused.text());
    let path = "/api/v1/deliveries/export?format=csv&filter=destination:good";
    let csv = server.get(path).send().await.expect(200).text();
    assert!(csv.starts_with("id,destination,state"), "{csv}");
    assert_eq!((csv.lines().count(), csv.matches(",good,delivered,").count()), (3, 2), "{csv}");
    let lines = server.get("/api/v1/deliveries/export").send().await.expect(200).text();
    assert_eq!(lines.lines().count(), 4, "{lines}");
    server.settle().await;
    let told = items(&server, "/api/v1/events?filter=type:delivery.export").await;
    assert_eq!(told.len(), 2, "the export is an event");
    let viewer = server.token(Role::Viewer).await;
    let call = server.call(Method::GET, "/api/v1/deliveries/export").bearer(&viewer);
    call.send().await.expect(403);
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = browser.get("/deliveries?q=destination:good&state=delivered").await.expect(200);
    let text = page.text();
    let links = text.split("href=\"/deliveries/").skip(1);
    let shown: std::collections::BTreeSet<&str> = links.map(|rest| &rest[..36]).collect();
    assert_eq!(shown.len(), 2, "{text}");
    assert!(page.text().contains("name=\"state\" value=\"delivered\""), "the search keeps it");
    assert!(page.text().contains("deliveries/export?format=csv"));
    let wrong = browser.get("/deliveries?q=colour:red").await.expect(200);
    assert!(wrong.text().contains("search-error"), "{}", wrong.text());
    let view = [("list", "deliveries"), ("name", "Good ones"), ("query", "q=destination:good")];
    browser.post("/views", &view).await.expect(303);
    assert!(browser.get("/deliveries").await.expect(200).text().contains("Good ones"));
    server.finish().await;
}

#[tokio::test]
async fn forwarders_channels_and_tokens_are_searched() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    for name in ["alpha", "beta"] {
        let new = json!({ "name": name, "body": webhook(&receiver) });
        server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    }
    let off = json!({ "enabled": false });
    server.post("/api/v1/forwarders/beta/switch").json(&off).send().await.expect(204);
    for (list, filter, count) in [
        ("forwarders", "state:off", 1),
        ("forwarders", "alpha", 1),
        ("forwarders", "kind:webhook%20waiting:0", 2),
        ("channels", "kind:webhook", 0),
        ("tokens", "role:administrator%20state:active", 1),
        ("tokens", "state:revoked", 0),
    ] {
        let found = items(&server, &format!("/api/v1/{list}?filter={filter}")).await;
        assert_eq!(found.len(), count, "{list} {filter}");
    }
    for list in ["forwarders", "channels", "tokens"] {
        let path = format!("/api/v1/{list}?filter=colour:red");
        server.get(&path).send().await.expect(400);
    }
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = browser.get("/forwarders?q=state:off").await.expect(200).text();
    assert!(page.contains("/forwarders/beta") && !page.contains("/forwarders/alpha"), "{page}");
    let page = browser.get("/administration/tokens?q=state:revoked").await.expect(200).text();
    assert!(page.contains("No token fits"), "{page}");
    server.finish().await;
}

chancery_testkit::on_each_backend!(an_event_says_where_it_went_to_whom_may_know);

async fn an_event_says_where_it_went_to_whom_may_know() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    let new = json!({ "name": "soc", "body": webhook(&receiver) });
    server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    group(&server, "web").await;
    eventually(&server, "/api/v1/deliveries?state=delivered", 1).await;
    let event: Value = serde_json::from_slice(&receiver.received()[0].body).unwrap();
    let id = event["id"].as_str().unwrap();
    let path = format!("/api/v1/events/{id}/deliveries");
    let went = items(&server, &path).await;
    assert_eq!((went.len(), &went[0]["destination"]), (1, &json!("soc")));
    let operator = server.token(Role::Operator).await;
    let seen = server.call(Method::GET, &path).bearer(&operator).send().await.expect(200).json();
    assert_eq!(seen["items"], json!([]), "an operator sees what they were given");
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = browser.get(&format!("/events/{id}")).await.expect(200).text();
    let link = format!("/deliveries/{}", went[0]["id"].as_str().unwrap());
    assert!(page.contains("Where it was forwarded") && page.contains(&link), "{page}");
    server.finish().await;
}

/// A server whose clock the test moves, and a token that lives long enough.
struct Years {
    server: TestServer,
    clock: Arc<ManualClock>,
    token: String,
}

impl Years {
    async fn start() -> Self {
        let clock = ManualClock::new("2026-11-21T00:00:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(11));
        let server = TestServer::start_in(environment, |_, _| {}).await;
        let wish = json!({ "name": "t", "days": 366 });
        // In a session: what a token makes does not outlast it.
        let (cookie, csrf) = server.session();
        let call = server.call(Method::POST, "/api/v1/tokens").header("cookie", &cookie);
        let made = call.header("x-csrf-token", &csrf).json(&wish).send().await.expect(201).json();
        let token = made["token"].as_str().unwrap().to_owned();
        Self { server, clock, token }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.server.call(method, path).bearer(&self.token).json(body).send().await
    }

    async fn events(&self, event_type: &str) -> usize {
        let path = format!("/api/v1/events?filter=type:{event_type}");
        let call = self.server.call(Method::GET, &path).bearer(&self.token);
        call.send().await.expect(200).json()["items"].as_array().unwrap().len()
    }

    /// Lets time pass until an event of this type is there; now and then something happens.
    async fn until(&self, event_type: &str, step: i64) {
        for round in 0..400 {
            if self.events(event_type).await > 0 {
                return;
            }
            self.clock.advance(step);
            if round % 8 == 0 {
                let name = format!("{event_type} {round}");
                self.ask(Method::POST, "/api/v1/groups", &json!({ "name": name }))
                    .await
                    .expect(201);
            }
            self.server.engine().wake_courier();
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
        panic!("there is no {event_type}");
    }
}

#[tokio::test]
async fn whatever_comes_of_deliveries_is_an_event() {
    let years = Years::start().await;
    let receiver = Receiver::plain().await;
    let new = json!({ "name": "soc", "body": webhook(&receiver) });
    years.ask(Method::POST, "/api/v1/forwarders", &new).await.expect(201);
    let (minute, hour) = (60 * Timestamp::SECOND, 3_600 * Timestamp::SECOND);
    receiver.behave(Manner::Status(500, ""));
    years.until("delivery.failing", minute).await;
    years.until("forwarder.lagging", 5 * minute).await;
    receiver.behave(Manner::Well);
    years.until("delivery.recovered", 10 * minute).await;
    years.until("forwarder.caught_up", minute).await;
    receiver.behave(Manner::Status(500, ""));
    years.until("delivery.exhausted", 3 * hour).await;
    years.until("destination.disabled", 3 * hour).await;
    receiver.behave(Manner::Well);
    let at = |what: &str| format!("/api/v1/forwarders/soc/{what}");
    let none = json!({});
    years.ask(Method::POST, &at("switch"), &json!({ "enabled": true })).await.expect(204);
    let since = json!({ "since": "1970-01-01T00:00:00Z" });
    years.ask(Method::POST, &at("recover"), &since).await.expect(200);
    years.until("delivery.recover", minute).await;
    let replay = json!({ "from_index": 0, "to_index": 1 });
    years.ask(Method::POST, &at("replay"), &replay).await.expect(202);
    years.until("forwarder.replay", minute).await;
    let list = "/api/v1/deliveries?state=delivered";
    let call = years.server.call(Method::GET, list).bearer(&years.token);
    let delivered = call.send().await.expect(200).json();
    let id = delivered["items"][0]["id"].as_str().unwrap();
    years.ask(Method::POST, &format!("/api/v1/deliveries/{id}/resend"), &none).await.expect(202);
    years.until("delivery.resend", minute).await;
    let chat = json!({ "name": "chat",
        "body": { "kind": "webhook", "settings": { "url": receiver.url() } } });
    years.ask(Method::POST, "/api/v1/channels", &chat).await.expect(201);
    years.ask(Method::POST, "/api/v1/channels/chat/test", &none).await.expect(200);
    years.until("notification.post", minute).await;
    let mut server = years.server;
    server.renew().await;
    server.finish().await;
}
