//! Event access of accounts: none, scoped, all, and attempts to get around it.

use axum::http::Method;
use chancery_engine::access::NewToken;
use chancery_engine::{Context, Role};
use chancery_event::Dialect;
use chancery_event::id::AccountId;
use chancery_testkit::{Answer, Authority, TestServer};
use serde_json::{Value, json};

struct World {
    server: TestServer,
    account: AccountId,
    token: String,
    /// Log indexes of the events about a certificate within the scope, and outside of it.
    inside: u64,
    outside: u64,
}

impl World {
    /// An account, and two certificates.
    async fn open(role: Role) -> Self {
        let server = TestServer::start().await;
        let wish = json!({ "name": "ada", "display_name": "Ada", "role": role.as_str() });
        let made = server.post("/api/v1/accounts").json(&wish).send().await;
        let made = made.json();
        let id = made["id"].as_str().or(made["account"]["id"].as_str());
        let account: AccountId = id.unwrap_or_else(|| panic!("{made}")).parse().unwrap();
        let context = Context::command_line(server.engine().environment());
        let new = NewToken {
            name: "t".to_owned(),
            account: Some(account.to_string()),
            role: Some(role.to_string()),
            days: 1,
        };
        let token = server.engine().create_token(&context, new).await.unwrap();
        let token = token.secret.expose().clone();
        let authority = Authority::new("Scope CA", server.now());
        let (mut inside, mut outside) = (0, 0);
        for (name, path) in [("in.example.org", "/prod/web"), ("out.example.org", "/production")] {
            let pem = authority.leaf(name, server.now(), 90).to_pem();
            let to = format!("/api/v1/certificates?path={path}");
            let sent = server.post(&to).body("application/x-pem-file", pem.into_bytes());
            let sent = sent.send().await;
            assert!(sent.status.is_success(), "{}", sent.text());
            server.settle().await;
            let found = server.get("/api/v1/events?filter=type:certificate.uploaded&limit=1");
            let found = found.send().await.expect(200).json();
            let index = found["items"][0]["log_index"].as_u64();
            let index = index.unwrap_or_else(|| panic!("{found}"));
            if path == "/prod/web" { inside = index } else { outside = index }
        }
        Self { server, account, token, inside, outside }
    }

    async fn set(&self, access: Value, status: u16) -> Answer {
        let path = format!("/api/v1/accounts/{}/event-access", self.account);
        let call = self.server.call(Method::PUT, &path).bearer(self.server.admin());
        call.json(&access).send().await.expect(status)
    }

    async fn ask(&self, path: &str) -> Answer {
        self.server.call(Method::GET, path).bearer(&self.token).send().await
    }
}

/// The parameters of every way to export events.
fn every_export() -> Vec<String> {
    let formats = ["ndjson", "csv", "jsonl"].map(|format| format!("format={format}"));
    let dialects = Dialect::ALL.iter().filter(|d| **d != Dialect::CloudEventsBinary);
    formats.into_iter().chain(dialects.map(|d| format!("dialect={d}"))).collect()
}

#[tokio::test]
async fn a_scope_follows_the_account_wherever_events_are_read() {
    let world = World::open(Role::Auditor).await;
    world.set(json!({ "events": "scoped", "paths": ["/prod"] }), 204).await;
    let (inside, outside) = (world.inside, world.outside);
    let list = world.ask("/api/v1/events?limit=500").await.expect(200).json();
    let items = list["items"].as_array().unwrap();
    assert!(!items.is_empty());
    for item in items {
        assert!(item.to_string().contains("in.example.org"), "{item}");
    }
    let count = items.len() as u64;
    world.ask(&format!("/api/v1/events/{inside}")).await.expect(200);
    for path in [
        format!("/api/v1/events/{outside}"),
        format!("/api/v1/events/{outside}/entry"),
        format!("/api/v1/events/{outside}/proof"),
        format!("/api/v1/events/{outside}?dialect=okta"),
    ] {
        world.ask(&path).await.expect(404);
    }
    // Questions that would undo it.
    for filter in [
        format!("index:{outside}"),
        "out.example.org".to_owned(),
        "subject:out.example.org".to_owned(),
        "-subject:in.example.org".to_owned(),
        "type:account.*+OR+type:certificate.uploaded+-subject:in.example.org".to_owned(),
    ] {
        let found = world.ask(&format!("/api/v1/events?limit=500&filter={filter}")).await;
        let text = found.expect(200).text();
        assert!(!text.contains("out.example.org"), "{filter}: {text}");
        assert!(!text.contains("account."), "{filter}: {text}");
    }
    let counted = world.ask("/api/v1/events/count").await.expect(200).json();
    let value = counted["value"].as_u64().or(counted["count"].as_u64());
    assert_eq!(value, Some(count), "{counted}");
    let facets = world.ask("/api/v1/events/facets").await.expect(200).text();
    assert!(!facets.contains("account.create") && !facets.contains("service.start"), "{facets}");
    let export = world.ask("/api/v1/events/export").await.expect(200).text();
    assert!(export.contains("in.example.org") && !export.contains("out.example.org"), "{export}");
    assert!(!export.contains("service.start"), "{export}");
    for question in every_export() {
        let export = world.ask(&format!("/api/v1/events/export?{question}")).await;
        let export = export.expect(200).text();
        assert!(export.contains("in.example.org"), "{question}: {export}");
        for foreign in ["out.example.org", "service.start", "account.create"] {
            assert!(!export.contains(foreign), "{question}: {export}");
        }
        if question == "format=jsonl" {
            // Its header and its end are lines as well.
            assert_eq!(export.lines().count() as u64, count + 2, "{export}");
            assert_eq!(export.matches("\"inclusion\"").count() as u64, count, "{export}");
        }
    }
    let okta = world.ask("/okta/api/v1/logs?limit=1000").await.expect(200).text();
    assert!(okta.contains("in.example.org") && !okta.contains("out.example.org"), "{okta}");
    assert!(!okta.contains("service"), "{okta}");
    world.server.finish().await;
}

#[tokio::test]
async fn none_is_nothing_and_bad_settings_are_refused_at_the_field() {
    let world = World::open(Role::Auditor).await;
    for (access, field) in [
        (json!({ "events": "some" }), "events"),
        (json!({ "events": "scoped", "paths": ["prod"] }), "paths"),
        (json!({ "events": "scoped", "filter": "colour:red" }), "filter"),
    ] {
        let refused = world.set(access, 422).await.text();
        assert!(refused.contains(field), "{refused}");
    }
    world.set(json!({ "events": "scoped" }), 204).await;
    let list = world.ask("/api/v1/events").await.expect(200).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(0), "a scope of nothing");
    world.set(json!({ "events": "none" }), 204).await;
    let list = world.ask("/api/v1/events").await.expect(200).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(0));
    world.ask(&format!("/api/v1/events/{}", world.inside)).await.expect(404);
    for question in every_export() {
        let export = world.ask(&format!("/api/v1/events/export?{question}")).await;
        let export = export.expect(200).text();
        for foreign in ["example.org", "service.start", "account.create"] {
            assert!(!export.contains(foreign), "{question}: {export}");
        }
    }
    world.set(json!({ "events": "scoped", "filter": "type:certificate.*" }), 204).await;
    let text = world.ask("/api/v1/events?limit=500").await.expect(200).text();
    assert!(text.contains("out.example.org") && !text.contains("service.start"), "{text}");
    world.set(json!({ "events": "all" }), 204).await;
    world.ask("/api/v1/events/0").await.expect(200);
    let path = format!("/api/v1/accounts/{}/event-access", world.account);
    world
        .server
        .call(Method::PUT, &path)
        .bearer(&world.token)
        .json(&json!({ "events": "all" }))
        .send()
        .await
        .expect(403);
    world.server.finish().await;
}

#[tokio::test]
async fn who_is_scoped_cannot_have_events_carried_past_the_scope() {
    let world = World::open(Role::Operator).await;
    // An operator who may manage every forwarder, and sees few events.
    let account = format!("/api/v1/accounts/{}", world.account);
    let call = |method, path: &str| world.server.call(method, path).bearer(&world.token);
    let all = json!({ "forwarders": "all" });
    world
        .server
        .call(Method::PUT, &format!("{account}/forwarder-access"))
        .bearer(world.server.admin())
        .json(&all)
        .send()
        .await
        .expect(204);
    let forwarder = |name: &str| {
        json!({ "name": name, "body": { "kind": "file",
        "settings": { "file": "out.json" } } })
    };
    call(Method::POST, "/api/v1/forwarders").json(&forwarder("before")).send().await.expect(201);
    world.set(json!({ "events": "scoped", "paths": ["/prod"] }), 204).await;
    call(Method::POST, "/api/v1/forwarders").json(&forwarder("past")).send().await.expect(403);
    call(Method::POST, "/api/v1/forwarders/before/replay")
        .json(&json!({ "from_index": 0 }))
        .send()
        .await
        .expect(403);
    call(Method::POST, "/api/v1/forwarders/before/test").send().await.expect(403);
    call(Method::POST, "/api/v1/forwarders/before/recover")
        .json(&json!({ "since": "2020-01-01T00:00:00Z" }))
        .send()
        .await
        .expect(403);
    world.server.finish().await;
}

#[tokio::test]
async fn a_scope_is_judged_by_all_of_an_event() {
    let world = World::open(Role::Viewer).await;
    // A viewer does not see who acted; the scope asks for that all the same.
    let others = json!({ "events": "scoped", "filter": "family:certificate -actor:admin" });
    world.set(others, 204).await;
    let list = world.ask("/api/v1/events?limit=500").await.expect(200).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(0), "{list}");
    for index in [world.inside, world.outside] {
        for path in ["", "/entry", "/proof"] {
            world.ask(&format!("/api/v1/events/{index}{path}")).await.expect(404);
        }
    }
    let own = json!({ "events": "scoped", "filter": "family:certificate actor:admin" });
    world.set(own, 204).await;
    let text = world.ask(&format!("/api/v1/events/{}", world.inside)).await.expect(200).text();
    assert!(!text.contains("\"admin\""), "{text}");
    world.server.finish().await;
}

#[tokio::test]
async fn previews_and_entries_tell_nothing_past_a_scope() {
    let world = World::open(Role::Auditor).await;
    let of_outside = world.server.get(&format!("/api/v1/events/{}", world.outside)).send().await;
    let event = of_outside.expect(200).json()["event"]["id"].as_str().unwrap().to_owned();
    let post = |path: &str, body: Value| {
        world.server.call(Method::POST, path).bearer(&world.token).json(&body).send()
    };
    let retention = json!({ "filter": "subject:out.example.org", "after_days": 1 });
    let notification = json!({ "event": event, "body": { "recipients": ["default"] } });
    let why = format!("/api/v1/notices/why?event={event}&account={}", world.account);
    let entries = "/log/tile/entries/000.p/1";
    for (access, status) in [
        (json!({ "events": "all" }), [200, 200, 200, 200]),
        (json!({ "events": "scoped", "paths": ["/prod"] }), [403, 403, 404, 403]),
    ] {
        world.set(access, 204).await;
        post("/api/v1/retention/preview", retention.clone()).await.expect(status[0]);
        post("/api/v1/notifications/preview", notification.clone()).await.expect(status[1]);
        world.ask(&why).await.expect(status[2]);
        world.ask(entries).await.expect(status[3]);
    }
    world.server.finish().await;
}
