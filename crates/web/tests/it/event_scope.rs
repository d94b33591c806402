//! One walk over every route that answers `GET`: nothing of an event outside of the scope of an
//! account is in any answer, whatever the route is about.
//!
//! What is planted: a certificate that was uploaded by a job, looked at by a trigger, alerted,
//! told of, delivered, and deleted in the end, so that events and what came of them alone know it.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use chancery_event::id::AccountId;
use chancery_testkit::{Authority, TestServer};
use chancery_web::edge::Access;
use serde_json::{Value, json};

use super::browser::Browser;

const NAME: &str = "planted.example.net";
const PASSWORD: &str = "a long enough passphrase";
/// They go on for as long as somebody listens; what they read is the list of events.
const STREAMS: [&str; 3] = ["/api/v1/events/stream", "/events/live", "/alerts/live"];
/// Where an administrator finds something of it: the walk can fail.
const FINDS: [&str; 14] = [
    "/api/v1/events",
    "/api/v1/events/{id}",
    "/api/v1/events/{id}/reactions",
    "/api/v1/events/export",
    "/api/v1/alerts",
    "/api/v1/alerts/{id}",
    "/api/v1/evaluations",
    "/api/v1/evaluations/{id}",
    "/api/v1/jobs",
    "/api/v1/jobs/{id}",
    "/api/v1/deliveries",
    "/api/v1/deliveries/{id}",
    "/api/v1/notices",
    "/log/tile/entries/{*rest}",
];

/// A server that has planted something.
struct World {
    server: TestServer,
    /// Identifiers, by what they are of.
    events: Vec<String>,
    alerts: Vec<String>,
    evaluations: Vec<String>,
    jobs: Vec<String>,
    deliveries: Vec<String>,
    certificate: String,
    /// Accounts with the word of their role.
    accounts: Vec<(AccountId, &'static str)>,
}

fn strings(list: &Value, member: &str) -> Vec<String> {
    let items = list["items"].as_array().unwrap_or_else(|| panic!("{list}"));
    items.iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

async fn read(server: &TestServer, path: &str) -> Value {
    server.get(path).send().await.expect(200).json()
}

async fn eventually(server: &TestServer, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..3_000 {
        let answer = read(server, path).await;
        if holds(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{path}: {}", read(server, path).await);
}

async fn upload(server: &TestServer, name: &str, query: &str) -> Value {
    let pem = Authority::new("Scope CA", server.now()).leaf(name, server.now(), 90).to_pem();
    let path = format!("/api/v1/certificates?{query}");
    let sent = server.post(&path).body("application/x-pem-file", pem.into_bytes()).send().await;
    assert!(sent.status.is_success(), "{}", sent.text());
    sent.json()
}

async fn automation(server: &TestServer) {
    let make = async |class: &str, name: &str, body: Value| {
        let path = format!("/api/v1/automation/{class}");
        let new = json!({ "name": name, "body": body });
        server.post(&path).json(&new).send().await.expect(201);
    };
    make("rules", "near", json!({ "filter": "object.cn:*.example.net" })).await;
    make("notification_profiles", "admins", json!({ "recipients": ["owner"] })).await;
    let raise = json!([{ "step": "raise_alert", "kind": "came", "title": "{object.cn} came in" }]);
    make("actions", "raise", json!({ "steps": raise })).await;
    let tell = json!([{ "step": "notify", "profile": "admins", "title": "{object.cn} changed" }]);
    make("actions", "tell", json!({ "steps": tell })).await;
    let came = json!({ "event_types": ["certificate.uploaded"], "rules": ["near"],
        "actions": ["raise"] });
    make("triggers", "came", came).await;
    let changed = json!({ "event_types": ["certificate.update"], "actions": ["tell"] });
    make("triggers", "changed", changed).await;
    let file =
        json!({ "name": "all", "body": { "kind": "file", "settings": { "file": "o.json" } } });
    server.post("/api/v1/forwarders").json(&file).send().await.expect(201);
}

impl World {
    async fn plant() -> Self {
        let server = TestServer::start().await;
        automation(&server).await;
        let mut accounts = Vec::new();
        for role in ["operator", "auditor", "viewer"] {
            let wish = json!({ "name": role, "display_name": role, "role": role,
                "password": PASSWORD });
            let made = server.post("/api/v1/accounts").json(&wish).send().await.expect(201).json();
            accounts.push((made["id"].as_str().unwrap().parse().unwrap(), role));
        }
        upload(&server, "seen.example.net", "path=/prod/web").await;
        upload(&server, NAME, "path=/lab&mode=async").await;
        let done = |list: &Value| list["items"].as_array().unwrap().len() == 1;
        let jobs = eventually(&server, "/api/v1/jobs?state=success", done).await;
        let found = read(&server, "/api/v1/certificates").await;
        let mut found = found["items"].as_array().unwrap().iter();
        let planted = found.find(|item| item.to_string().contains(NAME)).unwrap();
        let certificate = planted["id"].as_str().unwrap().to_owned();
        let own = format!("/api/v1/certificates/{certificate}");
        server.patch(&own).json(&json!({ "owner": "admin" })).send().await.expect(200);
        assert!(server.engine().reacted(Duration::from_secs(60)).await);
        let told = |list: &Value| list.to_string().contains(&certificate);
        eventually(&server, "/api/v1/notices", told).await;
        server.delete(&own).send().await.expect(204);
        server.settle().await;
        let about = format!("/api/v1/events?limit=100&filter=certificate:{certificate}");
        let about = read(&server, &about).await;
        let events = about["items"].as_array().unwrap().iter();
        let events = events.map(|one| one["event"]["id"].as_str().unwrap().to_owned());
        let events: Vec<String> = events.collect();
        assert!(events.len() >= 4, "{about}");
        let alerts = format!("/api/v1/alerts?filter={NAME}%20state:resolved");
        let alerts = strings(&read(&server, &alerts).await, "id");
        let evaluations = read(&server, "/api/v1/evaluations").await;
        let evaluations = evaluations["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| events.contains(&one["event"].as_str().unwrap().to_owned()));
        let evaluations = evaluations.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        let sent = |list: &Value| !list["items"].as_array().unwrap().is_empty();
        let deliveries = eventually(&server, "/api/v1/deliveries?destination=all", sent).await;
        let (jobs, deliveries) = (strings(&jobs, "id"), strings(&deliveries, "id"));
        Self { server, events, alerts, evaluations, jobs, deliveries, certificate, accounts }
    }

    /// What must not be in any answer.
    fn marks(&self) -> Vec<&str> {
        let lists = [&self.events, &self.alerts, &self.evaluations, &self.jobs, &self.deliveries];
        let ids = lists.into_iter().flatten().map(String::as_str);
        [NAME, &self.certificate].into_iter().chain(ids).collect()
    }

    /// The addresses of a route: with what was planted in every place of its path.
    fn addresses(&self, route: &str, account: AccountId, size: &str) -> Vec<String> {
        let fill = |place: &str, values: &[String]| -> Vec<String> {
            values.iter().take(6).map(|value| route.replace(place, value)).collect()
        };
        let starts = |prefix: &str| {
            route.strip_prefix("/api/v1").unwrap_or(route).starts_with(&format!("{prefix}/{{"))
        };
        let own = account.to_string();
        let found = match route {
            _ if starts("/events") => fill("{id}", &self.events),
            _ if starts("/alerts") => fill("{id}", &self.alerts),
            _ if starts("/evaluations") || starts("/automation/history") => {
                fill("{id}", &self.evaluations)
            }
            _ if starts("/jobs") => fill("{id}", &self.jobs),
            _ if starts("/deliveries") => fill("{id}", &self.deliveries),
            _ if starts("/certificates") => fill("{id}", std::slice::from_ref(&self.certificate)),
            _ if starts("/accounts") => fill("{id}", std::slice::from_ref(&own)),
            _ if starts("/forwarders") => fill("{name}", &["all".to_owned()]),
            _ if route.ends_with("/notices/why") || route.ends_with("/notifications/why") => {
                let ask = |event| format!("{route}?event={event}&account={own}");
                self.events.iter().take(2).map(ask).collect()
            }
            "/log/tile/entries/{*rest}" => fill("{*rest}", &[format!("000.p/{size}")]),
            "/api/v1/events" => vec![
                format!("{route}?limit=500"),
                format!("{route}?filter={NAME}"),
                format!("{route}?filter=certificate:{}", self.certificate),
            ],
            "/api/v1/alerts" => {
                vec![route.to_owned(), format!("{route}?filter=state:open,resolved,acknowledged")]
            }
            "/search" => vec![format!("{route}?q={NAME}"), format!("{route}?q={}", self.jobs[0])],
            _ if starts("/automation") => ["triggers", "rules", "actions"]
                .iter()
                .map(|class| route.replace("{class}", class).replace("{name}", "came"))
                .collect(),
            _ => vec![route.to_owned()],
        };
        let rest = |path: String| match path.find('{') {
            None => path,
            Some(_) => path
                .split('/')
                .map(|part| if part.starts_with('{') { "x" } else { part })
                .collect::<Vec<_>>()
                .join("/"),
        };
        found.into_iter().map(rest).collect()
    }

    async fn size(&self) -> String {
        let note = self.server.get("/log/checkpoint").send().await.expect(200).text();
        // A whole bundle has no width of its own; what was planted is in the first entries.
        let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
        size.min(255).to_string()
    }

    /// Walks all routes with a token; answers those whose answers hold a mark.
    async fn walk(&self, token: &str, account: AccountId) -> Vec<String> {
        let (size, marks) = (self.size().await, self.marks());
        let mut finds = Vec::new();
        for route in self.server.routes() {
            let is_page = matches!(route.access, Access::Session(_));
            if route.method != Method::GET || is_page || STREAMS.contains(&route.path.as_str()) {
                continue;
            }
            for path in self.addresses(&route.path, account, &size) {
                let call = self.server.call(Method::GET, &path).bearer(token);
                let answer = call.send().await;
                assert!(!answer.status.is_server_error(), "{path}: {}", answer.text());
                let text = String::from_utf8_lossy(&answer.bytes).into_owned();
                // An answer may repeat what was asked.
                let asked = |mark: &str| answer.status != StatusCode::OK && path.contains(mark);
                if marks.iter().any(|mark| text.contains(mark) && !asked(mark)) {
                    finds.push(route.path.clone());
                }
            }
        }
        finds.dedup();
        finds
    }

    /// As [`World::walk`], over the pages, signed in.
    async fn walk_pages(&self, name: &str, account: AccountId) -> Vec<String> {
        let mut browser = Browser::new(&self.server);
        let typed = [("name", name), ("password", PASSWORD), ("next", "/")];
        browser.post("/login", &typed).await.expect(303);
        let mut finds = Vec::new();
        for route in self.server.routes() {
            let is_page = matches!(route.access, Access::Session(_));
            if route.method != Method::GET || !is_page || STREAMS.contains(&route.path.as_str()) {
                continue;
            }
            for path in self.addresses(&route.path, account, "1") {
                let answer = browser.get(&path).await;
                assert!(!answer.status.is_server_error(), "{path}: {}", answer.text());
                let text = String::from_utf8_lossy(&answer.bytes).into_owned();
                // Pages repeat what was asked, in links of their own.
                let asked = |mark: &str| path.contains(mark);
                if self.marks().iter().any(|mark| text.contains(mark) && !asked(mark)) {
                    finds.push(path);
                }
            }
        }
        finds
    }

    async fn limit(&self, account: AccountId, access: &Value) {
        let path = format!("/api/v1/accounts/{account}/event-access");
        let call = self.server.call(Method::PUT, &path).bearer(self.server.admin());
        call.json(access).send().await.expect(204);
    }
}

#[tokio::test]
async fn nothing_of_an_event_outside_of_the_scope_is_in_any_answer() {
    let world = World::plant().await;
    let admin = world.accounts[0].0;
    let found = world.walk(world.server.admin(), admin).await;
    for route in FINDS {
        assert!(found.iter().any(|one| one == route), "{route} is not walked: {found:?}");
    }
    for (account, role) in &world.accounts {
        let wish = json!({ "name": "walk", "account": account, "role": role, "days": 1 });
        let made = world.server.post("/api/v1/tokens").json(&wish).send().await.expect(201);
        let token = made.json()["token"].as_str().unwrap().to_owned();
        for access in [
            json!({ "events": "none" }),
            json!({ "events": "scoped", "paths": ["/prod"] }),
            json!({ "events": "scoped", "filter": "subject:seen.example.net" }),
        ] {
            world.limit(*account, &access).await;
            let found = world.walk(&token, *account).await;
            assert_eq!(found, Vec::<String>::new(), "{role} with {access}");
            let found = world.walk_pages(role, *account).await;
            assert_eq!(found, Vec::<String>::new(), "pages of {role} with {access}");
        }
        // What lies in the scope is there.
        world.limit(*account, &json!({ "events": "scoped", "paths": ["/prod"] })).await;
        for path in ["/api/v1/events", "/api/v1/alerts"] {
            let call = world.server.call(Method::GET, path).bearer(&token);
            let text = call.send().await.expect(200).text();
            assert!(text.contains("seen.example.net"), "{role}, {path}: {text}");
        }
    }
    world.server.finish().await;
}
