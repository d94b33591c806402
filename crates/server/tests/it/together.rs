//! Nodes on one database as one service: what people see of them and of what each serves, sessions
//! and repeated requests that move from one to another, what all of them say while the database is
//! away, and a run that its node finishes too late.

use std::sync::Arc;
use std::time::Duration;

use chancery_engine::bench;
use chancery_event::LogIndex;
use chancery_store::log;
use chancery_store::table::task;
use chancery_testkit::Receiver;
use chancery_throwaway::{Server, Stop};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::fleet::{Fleet, Manner, Node};
use crate::victim::leaf;

/// Everything that is waited for comes about after this long at the latest.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the first administrator of a fleet has.
const PASSWORD: &str = "correct-horse-battery-staple-9";

async fn quick(count: usize) -> Fleet {
    Fleet::on(Arc::new(Server::start()), count, Manner::quick()).await
}

fn call(fleet: &Fleet, node: usize, method: Method, path: &str) -> RequestBuilder {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    client.request(method, format!("{}{path}", fleet.nodes[node].url.read().unwrap()))
}

/// An answer of the API to the administrator.
async fn api(fleet: &Fleet, node: usize, method: Method, path: &str, body: Value) -> Response {
    let sent = call(fleet, node, method, &format!("/api/v1/{path}")).bearer_auth(&fleet.token);
    let sent = if body.is_null() { sent } else { sent.json(&body) };
    sent.send().await.unwrap()
}

async fn found(fleet: &Fleet, node: usize, path: &str) -> Value {
    let answer = api(fleet, node, Method::GET, path, Value::Null).await;
    assert_eq!(answer.status().as_u16(), 200, "{path}");
    answer.json().await.unwrap()
}

async fn upload(fleet: &Fleet, node: usize, name: &str) {
    let (der, _) = leaf(name);
    let sent = call(fleet, node, Method::POST, "/api/v1/certificates").bearer_auth(&fleet.token);
    let sent = sent.header("content-type", "application/octet-stream").body(der).send().await;
    assert_eq!(sent.unwrap().status().as_u16(), 201);
}

fn sign_in(fleet: &Fleet, node: usize) -> RequestBuilder {
    let fields = format!("csrf=&name=admin&password={PASSWORD}&next=%2Faccount");
    let form = "application/x-www-form-urlencoded";
    call(fleet, node, Method::POST, "/login").header("content-type", form).body(fields)
}

/// The cookies of a browser that signed in at a node.
async fn cookies(fleet: &Fleet, node: usize) -> String {
    let answer = sign_in(fleet, node).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 303);
    let set = answer.headers().get_all("set-cookie").iter();
    let pairs = set.map(|line| line.to_str().unwrap().split(';').next().unwrap());
    pairs.collect::<Vec<_>>().join("; ")
}

async fn page(fleet: &Fleet, node: usize, path: &str, cookies: &str) -> (u16, String) {
    let sent = call(fleet, node, Method::GET, path).header("cookie", cookies).send().await.unwrap();
    (sent.status().as_u16(), sent.text().await.unwrap())
}

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_show_version_leases_lag_and_who_is_gone() {
    // Long enough between falling behind and counting as gone to be seen.
    let manner = Manner::quick().with("CHANCERY_TAKEOVER_SECONDS", "3");
    let fleet = Fleet::on(Arc::new(Server::start()), 2, manner).await;
    let sealer = fleet.sealer().await;
    let other = 1 - sealer;
    let (first, second) = (fleet.id(sealer).await, fleet.id(other).await);
    let browser = cookies(&fleet, sealer).await;
    for by in [sealer, other] {
        let told = fleet.told(by).await.unwrap();
        let running: Vec<&Value> = told.iter().filter(|node| node["state"] == "running").collect();
        assert_eq!(running.len(), 2, "{told:#?}");
        assert!(running.iter().all(|node| node["version"] == env!("CARGO_PKG_VERSION")));
        let own: Vec<_> = running.iter().filter(|node| node["own"] == true).collect();
        assert_eq!(own.len(), 1);
        assert_eq!(own[0]["id"], if by == sealer { first.as_str() } else { &second });
        let seals = |node: &&&Value| node["leases"].as_array().unwrap().contains(&json!("sealer"));
        let sealing: Vec<_> = running.iter().filter(seals).map(|node| &node["id"]).collect();
        assert_eq!(sealing, [&json!(first)], "{told:#?}");
    }
    let (_, nodes) = page(&fleet, sealer, "/administration/nodes", &browser).await;
    for part in ["2 nodes run on this database", "<code>sealer</code>", env!("CARGO_PKG_VERSION")] {
        assert!(nodes.contains(part), "{part}: {nodes}");
    }
    assert!(!nodes.contains("Vanished"));

    fleet.nodes[other].freeze();
    upload(&fleet, sealer, "behind.example.com").await;
    let seen = async || {
        let told = fleet.told(sealer).await.unwrap();
        told.into_iter().find(|node| node["id"] == second).unwrap()
    };
    until("the node that is frozen falls behind", async || {
        let node = seen().await;
        assert_eq!(node["state"], "running", "it is declared gone later");
        node["lag"].as_u64() > Some(0)
    })
    .await;
    fleet.missed(&second).await;
    assert!(seen().await["ended_at"].is_string());
    let (_, nodes) = page(&fleet, sealer, "/administration/nodes", &browser).await;
    assert!(nodes.contains("One node runs on this database") && nodes.contains("Vanished"));
    fleet.nodes[other].thaw();
    assert_eq!(fleet.id(other).await, second, "the same node is back");
}

/// Waits until all nodes together serve so many of something, as one of them tells; answers the
/// node that serves the most of them.
async fn serve(fleet: &Fleet, by: usize, what: &str, count: u64) -> Value {
    let mut told = Vec::new();
    until(&format!("{count} {what}"), async || {
        told = fleet.told(by).await.unwrap();
        told.iter().map(|node| node[what].as_u64().unwrap()).sum::<u64>() == count
    })
    .await;
    told.into_iter().max_by_key(|node| node[what].as_u64()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_show_how_much_each_of_them_serves() {
    let receiver = Receiver::plain().await;
    // A node that is held counts as gone no sooner than that.
    let manner = Manner::default()
        .with("CHANCERY_NETWORK_ALLOWED_ADDRESSES", "127.0.0.1")
        .with("CHANCERY_TAKEOVER_SECONDS", "60");
    let fleet = Fleet::on(Arc::new(Server::start()), 2, manner).await;
    let browser = cookies(&fleet, 0).await;
    let channels = found(&fleet, 0, "channels").await["items"].as_array().unwrap().len() as u64;
    let settings = json!({ "url": receiver.url() });
    for (class, name) in [("forwarders", "siem"), ("forwarders", "lake"), ("channels", "chat")] {
        let body = json!({ "name": name, "body": { "kind": "webhook", "settings": settings } });
        let made = api(&fleet, 0, Method::POST, class, body).await;
        assert_eq!(made.status().as_u16(), 201, "{class}: {:?}", made.text().await);
    }
    let poll = json!({ "url": format!("http://127.0.0.1:{}", receiver.port), "token": "00secret" });
    let source = json!({ "name": "okta", "dialect": "okta", "poll": poll });
    let made = api(&fleet, 0, Method::POST, "intake-sources", source).await;
    assert_eq!(made.status().as_u16(), 201, "{:?}", made.text().await);
    for by in [0, 1] {
        serve(&fleet, by, "forwarders", 2).await;
        serve(&fleet, by, "channels", channels + 1).await;
        serve(&fleet, by, "sources", 1).await;
        serve(&fleet, by, "jobs", 0).await;
    }
    let (_, nodes) = page(&fleet, 0, "/administration/nodes", &browser).await;
    for part in ["Serves", " forwarder", "1 source"] {
        assert!(nodes.contains(part), "{part}: {nodes}");
    }

    // What lasts a moment is held at that moment.
    let ids = [fleet.id(0).await, fleet.id(1).await];
    let moments = [
        ("job.end before hold", "log/verify?mode=async", "jobs"),
        ("monitor.begin after hold", "monitors/certificate-expiry/run", "runs"),
    ];
    for (moment, path, what) in moments {
        serve(&fleet, 0, what, 0).await;
        fleet.arm(moment);
        let asked = call(&fleet, 0, Method::POST, &format!("/api/v1/{path}"));
        let asked = tokio::spawn(asked.bearer_auth(&fleet.token).send());
        fleet.struck().await;
        // A reader waits for nobody.
        let busy = serve(&fleet, 1, what, 1).await;
        assert!(busy[what] == 1 && ids.iter().any(|id| busy["id"] == **id), "{busy}");
        fleet.release();
        assert!(asked.await.unwrap().unwrap().status().is_success(), "{path}");
        serve(&fleet, 1, what, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_and_a_repeated_request_move_from_node_to_node() {
    let fleet = quick(2).await;
    let browser = cookies(&fleet, 0).await;
    for node in [0, 1] {
        assert_eq!(page(&fleet, node, "/account", &browser).await.0, 200, "{node}");
    }
    let sessions = found(&fleet, 1, "me/sessions").await;
    let sessions = sessions["items"].as_array().unwrap();
    assert_eq!(sessions.len(), 1, "{sessions:#?}");
    let path = format!("me/sessions/{}", sessions[0]["id"].as_str().unwrap());
    let ended = api(&fleet, 0, Method::DELETE, &path, Value::Null).await;
    assert_eq!(ended.status().as_u16(), 204);
    for node in [1, 0] {
        assert_eq!(page(&fleet, node, "/account", &browser).await.0, 303, "{node}: to the login");
        let asked = call(&fleet, node, Method::GET, "/api/v1/me").header("cookie", &browser);
        assert_eq!(asked.send().await.unwrap().status().as_u16(), 401, "{node}");
    }

    let make = async |node: usize, name: &str| {
        let sent = call(&fleet, node, Method::POST, "/api/v1/groups").bearer_auth(&fleet.token);
        let sent = sent.header("idempotency-key", "once").json(&json!({ "name": name }));
        let answer = sent.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, made) = make(0, "web").await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(make(1, "web").await, (201, made));
    let groups = found(&fleet, 1, "groups").await;
    assert_eq!(groups["items"].as_array().unwrap().len(), 1, "{groups}");
    // The same key for something else is a mistake, on whichever node.
    assert_eq!(make(1, "mail").await.0, 422);
}

/// An answer that says that the service is away for a while.
async fn is_away(what: &str, answer: Response) {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    assert_eq!(status, 503, "{what}: {text}");
    let retry = headers.get("retry-after").and_then(|value| value.to_str().ok());
    let retry: Option<u64> = retry.and_then(|seconds| seconds.parse().ok());
    assert!(retry > Some(0), "{what}: {headers:?}");
    let html = headers["content-type"].to_str().unwrap().starts_with("text/html");
    let words = ["cannot be read", "cannot be reached", "unavailable", "try again"];
    assert!(words.iter().any(|word| text.to_lowercase().contains(word)), "{what}: {text}");
    assert_eq!(html, text.starts_with("<!DOCTYPE html>"), "{what}: {text}");
    assert_eq!(html, what.starts_with("page"), "{what}: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_everybody_is_told_and_service_returns() {
    let fleet = quick(2).await;
    let browser = cookies(&fleet, 0).await;
    fleet.server.stop(Stop::Fast);
    let lists = ["certificates", "events", "alerts", "jobs", "deliveries", "nodes", "monitors"];
    for node in [0, 1] {
        for list in lists {
            let path = format!("/api/v1/{list}");
            let sent = call(&fleet, node, Method::GET, &path).bearer_auth(&fleet.token);
            is_away(list, sent.send().await.unwrap()).await;
        }
        for path in ["/", "/certificates", "/events", "/administration/nodes"] {
            let sent = call(&fleet, node, Method::GET, path).header("cookie", &browser);
            is_away(&format!("page {path}"), sent.send().await.unwrap()).await;
        }
        is_away("page of the login", sign_in(&fleet, node).send().await.unwrap()).await;
        let ready = call(&fleet, node, Method::GET, "/health/ready");
        is_away("health", ready.send().await.unwrap()).await;
        let alive = call(&fleet, node, Method::GET, "/health/live").send().await.unwrap();
        assert_eq!(alive.status().as_u16(), 200, "nobody restarts it for that");
    }
    fleet.server.resume();
    for node in [0, 1] {
        until("the node serves again", async || {
            let ready = call(&fleet, node, Method::GET, "/health/ready").send().await.unwrap();
            ready.status().as_u16() == 200
        })
        .await;
        for list in lists {
            found(&fleet, node, list).await;
        }
        assert_eq!(page(&fleet, node, "/certificates", &browser).await.0, 200);
        cookies(&fleet, node).await;
    }
}

/// The run of a monitor that is at work: its monitor and its identifier.
async fn at_work(fleet: &Fleet, node: usize) -> Option<(String, String)> {
    for monitor in found(fleet, node, "monitors").await["items"].as_array().unwrap() {
        let name = monitor["name"].as_str().unwrap();
        let runs = found(fleet, node, &format!("monitors/{name}/runs")).await;
        let mut runs = runs["items"].as_array().unwrap().iter();
        if let Some(run) = runs.find(|run| run["state"] == "running") {
            return Some((name.to_owned(), run["id"].as_str().unwrap().to_owned()));
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_node_lost_it_ends_without_a_trace_of_its_late_end() {
    let mut fleet = quick(2).await;
    let ids = [fleet.id(0).await, fleet.id(1).await];
    fleet.arm("monitor.begin after freeze");
    let by_hand = call(&fleet, 0, Method::POST, "/api/v1/monitors/certificate-expiry/run");
    let by_hand = tokio::spawn(by_hand.bearer_auth(&fleet.token).send());
    let late = fleet.victim(Node::is_frozen).await;
    let other = 1 - late;
    let (name, id) = at_work(&fleet, other).await.expect("the run that was begun");
    fleet.missed(&ids[late]).await;
    // The other one takes it over, and notes that the first run broke off.
    let path = format!("monitors/{name}/run");
    until("the other node takes the monitor over", async || {
        let answer = api(&fleet, other, Method::POST, &path, Value::Null).await;
        answer.status().as_u16() == 200
    })
    .await;
    fleet.nodes[late].thaw();
    fleet.id(late).await;
    let _ = by_hand.await;
    // In order: what the late node still has to do it does before that.
    let running = fleet.ended().await;
    let engine = running.engine();
    assert!(engine.settle(PATIENCE).await);
    let mut link = bench::store(engine).read().await.unwrap();
    let events = log::range(&mut link, LogIndex(0), 10_000).await.unwrap();
    let of_it = events.iter().map(|sealed| sealed.event());
    let of_it: Vec<String> = of_it
        .filter(|event| event.id.to_string() == id && event.type_name == "monitor.run")
        .map(|event| event.outcome.result.as_str().to_owned())
        .collect();
    assert_eq!(of_it, ["abandoned"]);
    let runs = task::runs(&mut link, "monitor", &name, None, 100).await.unwrap();
    let run = runs.iter().find(|run| run.id.to_string() == id).unwrap();
    assert_eq!(run.state, "broken_off", "{run:?}");
    drop(link);
    running.stop().await.unwrap();
}
