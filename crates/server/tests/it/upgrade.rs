//! A rolling upgrade: a node of the next version takes the next step of the schema while nodes of
//! this one work, and both work side by side on it until the last one is replaced.
//!
//! The next version is this program with one step more, which adds a column and a table: the rule
//! for steps. A word that only the next version knows is read by its nodes alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chancery_engine::{Context, bench};
use chancery_event::LogIndex;
use chancery_store::log;
use chancery_testkit::Receiver;
use chancery_throwaway::{LATER_STEP, OTHER_STEP, Server};
use reqwest::Client;
use serde_json::{Value, json};

use crate::fleet::{Fleet, Manner, Node};
use crate::victim::leaf;

const PATIENCE: Duration = Duration::from_secs(60);
const VARIABLE: &str = "LATER_STEP_OF_CHANCERY";
const LATER_WORD: &str = "LATER_WORD_OF_CHANCERY";

/// Uploads to nodes in turn until it is over.
async fn upload(urls: Vec<Arc<std::sync::RwLock<String>>>, token: String, over: Arc<AtomicBool>) {
    let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let (der, _) = leaf(&format!("upgrade-{number}.example.com"));
        let url = urls[number % urls.len()].read().unwrap().clone();
        let sent = client.post(format!("{url}/api/v1/certificates")).bearer_auth(&token).body(der);
        let sent = sent.header("content-type", "application/octet-stream").send().await;
        // One that is being replaced is not there, or was not when it had to answer.
        if let Ok(answer) = sent {
            let status = answer.status().as_u16();
            assert!(matches!(status, 201 | 503), "{status}: {:?}", answer.text().await);
        }
    }
}

/// Waits until a node acknowledges an upload that no other has had. One that was just let go on may
/// have lost its connections, and says 503 until it has new ones.
async fn serves(fleet: &Fleet, node: usize) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (der, _) = leaf(&format!("probe-{number}.example.com"));
        let url = fleet.nodes[node].url.read().unwrap().clone();
        let sent = Client::new().post(format!("{url}/api/v1/certificates"));
        let sent = sent.bearer_auth(&fleet.token).body(der);
        let sent = sent.header("content-type", "application/octet-stream").send().await;
        let answer = sent.expect("a node that listens");
        let status = answer.status().as_u16();
        if status == 201 {
            return;
        }
        let text = answer.text().await;
        assert!(status == 503 && Instant::now() < deadline, "node {node}: {status} {text:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_and_new_nodes_work_side_by_side_on_the_new_step() {
    let server = Arc::new(Server::start());
    let mut fleet = Fleet::on(server.clone(), 3, Manner::quick()).await;
    let database = fleet.database();
    let over = Arc::new(AtomicBool::new(false));
    let urls = fleet.nodes.iter().map(|node| node.url.clone()).collect();
    let load = tokio::spawn(upload(urls, fleet.token.clone(), over.clone()));
    assert_eq!(server.steps(&database), 1);
    // The first new one takes the step while two old ones work.
    fleet.nodes[0].stop();
    fleet.nodes[0].tell(VARIABLE, LATER_STEP);
    fleet.nodes[0].start();
    assert_eq!(server.steps(&database), 2);
    for node in 0..3 {
        serves(&fleet, node).await;
    }
    // An old one seals, and a new one does, whatever the others record.
    let is_new = fleet.sealer().await == 0;
    let silent: &[usize] = if is_new { &[0] } else { &[1, 2] };
    let mut gone = Vec::new();
    for node in silent {
        gone.push(fleet.id(*node).await);
    }
    for node in silent {
        fleet.nodes[*node].freeze();
    }
    for id in &gone {
        fleet.missed(id).await;
    }
    let next = fleet.sealer().await;
    assert_eq!(next == 0, !is_new, "node {next} seals while {silent:?} are silent");
    for node in silent {
        fleet.nodes[*node].thaw();
    }
    for node in silent {
        serves(&fleet, *node).await;
    }
    // An old one that ends does not begin again, and says what to do.
    fleet.nodes[1].stop();
    let told = fleet.nodes[1].refused();
    assert!(told.contains("has schema 2, this program knows up to 1"), "{told}");
    assert!(told.contains("or a newer one"), "{told}");
    // The last old one goes on alone beside the new one; then both are replaced.
    serves(&fleet, 2).await;
    for node in [1, 2] {
        if node == 2 {
            fleet.nodes[2].stop();
        }
        fleet.nodes[node].tell(VARIABLE, LATER_STEP);
        fleet.nodes[node].start();
        serves(&fleet, node).await;
    }
    over.store(true, Ordering::Relaxed);
    load.await.unwrap();
    for node in &mut fleet.nodes {
        node.stop();
    }
    let verified = fleet.nodes[0].command(&["verify"]);
    assert!(!verified.is_empty());
    // What another build would have made of that step is not taken for it.
    fleet.nodes[0].tell(VARIABLE, OTHER_STEP);
    let told = fleet.nodes[0].refused();
    assert!(told.contains("step 2 of the schema"), "{told}");
}

/// Asks a node again until its answer is what it ought to be.
async fn until(fleet: &Fleet, node: usize, path: &str, is: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let client = Client::builder().timeout(Duration::from_secs(2)).build().unwrap();
    loop {
        let url = format!("{}{path}", fleet.nodes[node].url.read().unwrap().clone());
        let sent = client.get(url).bearer_auth(&fleet.token).send().await;
        let told = match sent {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        if is(&told) {
            return;
        }
        assert!(Instant::now() < deadline, "node {node}: {told} {}", fleet.complaints());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a node holds all of these leases.
fn holds(told: &str, leases: &[&str]) -> bool {
    let told: Value = serde_json::from_str(told).unwrap_or_default();
    let nodes = told["items"].as_array().into_iter().flatten();
    let own = nodes.filter(|node| node["own"] == true && node["state"] == "running");
    let held: Vec<&Value> = own.flat_map(|node| node["leases"].as_array().unwrap()).collect();
    leases.iter().all(|lease| held.iter().any(|held| *held == lease))
}

/// Makes a forwarder of what happens to groups.
async fn forward(fleet: &Fleet, node: usize, receiver: &Receiver) {
    let select = json!({ "event_types": ["configuration.create"], "filter": "detail.class:group" });
    let settings = json!({ "url": receiver.url() });
    let body = json!({ "kind": "webhook", "settings": settings, "select": select });
    let url = format!("{}/api/v1/forwarders", fleet.nodes[node].url.read().unwrap().clone());
    let body = json!({ "name": "siem", "body": body });
    let made = Client::new().post(url).bearer_auth(&fleet.token).json(&body).send();
    let made = made.await.unwrap();
    assert_eq!(made.status().as_u16(), 201, "{:?}", made.text().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_only_a_newer_node_can_read_waits_for_one() {
    let manner = Manner::quick().with("CHANCERY_NETWORK_ALLOWED_ADDRESSES", "127.0.0.1");
    let mut fleet = Fleet::on(Arc::new(Server::start()), 2, manner).await;
    let leases = ["sealer", "projector"];
    for node in &mut fleet.nodes {
        node.stop();
    }
    // The old one is alone first, and so does everything that one node does.
    fleet.nodes[0].tell(LATER_WORD, "group");
    fleet.nodes[0].start();
    until(&fleet, 0, "/api/v1/nodes", |told| holds(told, &leases)).await;
    let receiver = Receiver::plain().await;
    forward(&fleet, 0, &receiver).await;
    until(&fleet, 0, "/api/v1/nodes", |told| told.contains("\"forwarders\":1")).await;
    fleet.nodes[1].start();
    // The new one records an event about a group, and is silent before anybody has seen it.
    fleet.arm("configuration.create after freeze");
    let url = format!("{}/api/v1/groups", fleet.nodes[1].url.read().unwrap().clone());
    let made = Client::new().post(url).bearer_auth(&fleet.token).json(&json!({ "name": "web" }));
    let made = tokio::spawn(made.send());
    assert_eq!(fleet.victim(Node::is_frozen).await, 1);
    until(&fleet, 0, "/health/ready", |told| told.contains("upgrade this node")).await;
    fleet.nodes[1].thaw();
    assert_eq!(made.await.unwrap().unwrap().status().as_u16(), 201);
    // It takes over what the old one cannot do, and the old one works on beside it.
    until(&fleet, 1, "/api/v1/nodes", |told| holds(told, &leases)).await;
    until(&fleet, 0, "/health/ready", |told| told.contains("\"ok\"")).await;
    serves(&fleet, 0).await;
    serves(&fleet, 1).await;
    // So do the destinations that are to get it, while the old one runs.
    let received = receiver.wait_for(1).await;
    let told = String::from_utf8_lossy(&received[0].body).into_owned();
    assert!(told.contains("configuration.create") && told.contains("web"), "{told}");
    fleet.nodes[0].stop();
    fleet.nodes[0].tell(LATER_WORD, "");
    let running = fleet.ended().await;
    let engine = running.engine();
    assert!(engine.settle(PATIENCE).await);
    assert_eq!(bench::store(engine).quarantined().await.unwrap(), 0);
    let mut link = bench::store(engine).read().await.unwrap();
    let events = log::range(&mut link, LogIndex(0), 10_000).await.unwrap();
    let of = |name: &str| events.iter().filter(|e| e.event().type_name == name).count();
    // The forwarder, and the group.
    assert_eq!((of("configuration.create"), of("event.invalid_pending_seal")), (2, 0));
    drop(link);
    engine.verify_log(&Context::command_line(engine.environment())).await.unwrap();
    running.stop().await.unwrap();
}
