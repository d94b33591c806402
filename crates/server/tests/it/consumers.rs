//! Transactions that commit late, on two nodes, and real consumers: the live stream of each node, a
//! trigger, a forwarder to a receiver. None skips an event, none tells one twice.
//!
//! Each round begins a change on one node and holds its commit: its event is recorded, and nobody
//! sees it. The other node makes changes meanwhile, and all consumers have had them before the held
//! one may commit. A consumer that goes by when events were recorded, or by where they stood among
//! those that waited, is past it by then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery_engine::Context;
use chancery_testkit::Receiver;
use chancery_throwaway::Server;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::fleet::{Fleet, Manner};

const PATIENCE: Duration = Duration::from_secs(60);
const ROUNDS: usize = 4;
const MEANWHILE: usize = 5;

/// What a node tells whoever asks.
#[derive(Clone)]
struct Api {
    client: Client,
    url: String,
    token: String,
}

impl Api {
    fn of(fleet: &Fleet, node: usize) -> Self {
        let url = format!("{}/api/v1", fleet.nodes[node].url.read().unwrap());
        Self { client: Client::new(), url, token: fleet.token.clone() }
    }

    async fn post(&self, path: &str, body: &Value) {
        let sent = self.client.post(format!("{}/{path}", self.url)).bearer_auth(&self.token);
        let answer = sent.json(body).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{path}: {status} {:?}", answer.text().await);
    }

    async fn group(&self, name: String) {
        self.post("groups", &json!({ "name": name })).await;
    }

    async fn items(&self, path: &str) -> Vec<Value> {
        let sent = self.client.get(format!("{}/{path}", self.url)).bearer_auth(&self.token);
        let answer: Value = sent.send().await.unwrap().json().await.unwrap();
        answer["items"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// The groups that were made, as events by name: log index, time and identifier.
    async fn made(&self) -> BTreeMap<String, (u64, String, String)> {
        let filter = "events?limit=1000&filter=type:configuration.create%20outcome:success";
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let read = |item: &Value| {
            let event = &item["event"];
            let name = text(&event["data"]["targets"][0]["name"]);
            (name, (item["log_index"].as_u64().unwrap(), text(&event["time"]), text(&event["id"])))
        };
        let is_group = |item: &&Value| item["event"]["data"]["detail"]["class"] == "group";
        self.items(filter).await.iter().filter(is_group).map(read).collect()
    }
}

/// Log indexes as a live stream told them.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u64>>>);

impl Told {
    /// Listens until the stream ends, from the beginning, or after what was told as a browser does
    /// that comes back.
    fn listen(&self, api: Api) -> JoinHandle<()> {
        let told = self.0.clone();
        tokio::spawn(async move {
            let url = format!("{}/events/stream?from=0&filter=type:configuration.create", api.url);
            let last = told.lock().unwrap().last().map(u64::to_string);
            let mut sent = api.client.get(url).bearer_auth(&api.token);
            if let Some(last) = last {
                sent = sent.header("last-event-id", last);
            }
            let mut stream = sent.send().await.unwrap().error_for_status().unwrap();
            let mut text = String::new();
            while let Ok(Some(chunk)) = stream.chunk().await {
                text.push_str(std::str::from_utf8(&chunk).unwrap());
                while let Some((frame, rest)) = text.split_once("\n\n") {
                    let line = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
                    if let (Some(id), Some(_)) = (line("id: "), line("event: ")) {
                        told.lock().unwrap().push(id.parse().unwrap());
                    }
                    text = rest.to_owned();
                }
            }
        })
    }

    fn indexes(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until these groups were told.
    async fn has(&self, api: &Api, names: &[String]) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (made, told) = (api.made().await, self.indexes());
            let is_told = |name| made.get(name).is_some_and(|(index, ..)| told.contains(index));
            if names.iter().all(is_told) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{names:?}: {made:?} {told:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Everybody who reads events.
struct Consumers {
    api: Api,
    streams: [Told; 2],
    receiver: Receiver,
}

impl Consumers {
    /// Identifiers of events that the trigger was asked about, once for each time.
    async fn reacted(&self) -> Vec<String> {
        let asked = self.api.items("evaluations?limit=1000&filter=trigger:watch").await;
        asked.iter().map(|one| one["event"].as_str().unwrap().to_owned()).collect()
    }

    /// Identifiers of events and of their deliveries that reached the receiver.
    fn received(&self) -> Vec<(String, String)> {
        let read = |received: &chancery_testkit::Received| {
            let event: Value = serde_json::from_slice(&received.body).unwrap();
            (event["id"].as_str().unwrap().to_owned(), received.headers["webhook-id"].clone())
        };
        self.receiver.received().iter().map(read).collect()
    }

    /// Waits until all of them have had these groups.
    async fn have(&self, names: &[String]) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let made = self.api.made().await;
            let sought: Vec<_> = names.iter().filter_map(|name| made.get(name)).collect();
            let told = self.streams.each_ref().map(Told::indexes);
            let (reacted, received) = (self.reacted().await, self.received());
            let has = |(index, _, id): &&(u64, String, String)| {
                told.iter().all(|told| told.contains(index))
                    && reacted.contains(id)
                    && received.iter().any(|(event, _)| event == id)
            };
            if sought.len() == names.len() && sought.iter().all(has) {
                return;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{names:?}: {sought:?} {told:?} {reacted:?} {received:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A trigger on every event of configuration, and a forwarder of them.
async fn consume(api: &Api, receiver: &Receiver) {
    let step = json!({ "step": "raise_alert", "kind": "late", "severity": "info",
                       "title": "Something was made", "message": "It was." });
    let action = json!({ "name": "tell", "body": { "steps": [step] } });
    api.post("automation/actions", &action).await;
    let body = json!({ "event_types": ["configuration.create"], "actions": ["tell"] });
    api.post("automation/triggers", &json!({ "name": "watch", "body": body })).await;
    let select = json!({ "event_types": ["configuration.create"], "filter": "detail.class:group" });
    let body = json!({ "kind": "webhook", "settings": { "url": receiver.url() },
                       "select": select });
    api.post("forwarders", &json!({ "name": "watch", "body": body })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_consumer_skips_an_event_whose_transaction_commits_late() {
    let receiver = Receiver::plain().await;
    // The server ends a session that rests for a minute in the middle of a transaction, not sooner.
    let manner = Manner::default()
        .with("CHANCERY_NETWORK_ALLOWED_ADDRESSES", "127.0.0.1")
        .with("CHANCERY_TAKEOVER_SECONDS", "60");
    let mut fleet = Fleet::on(Arc::new(Server::start()), 2, manner).await;
    let nodes = [Api::of(&fleet, 0), Api::of(&fleet, 1)];
    consume(&nodes[0], &receiver).await;
    let streams = [Told::default(), Told::default()];
    let listening: Vec<_> =
        nodes.iter().zip(&streams).map(|(api, told)| told.listen(api.clone())).collect();
    let consumers = Consumers { api: nodes[0].clone(), streams, receiver };
    for round in 0..ROUNDS {
        // What else the slow node writes waits behind it: the other one reads and reacts.
        let [quick, slow] = &nodes;
        let name = format!("late {round}");
        fleet.arm("configuration.create before hold");
        let (making, late) = (slow.clone(), name.clone());
        let making = tokio::spawn(async move { making.group(late).await });
        fleet.struck().await;
        let meanwhile: Vec<_> = (0..MEANWHILE).map(|n| format!("meanwhile {round} {n}")).collect();
        for name in &meanwhile {
            quick.group(name.clone()).await;
        }
        consumers.have(&meanwhile).await;
        assert!(!making.is_finished(), "its commit is held");
        fleet.release();
        making.await.unwrap();
        consumers.have(std::slice::from_ref(&name)).await;
        // It was recorded first and stands last: the commit was late, not the change.
        let made = consumers.api.made().await;
        let (index, time, _) = &made[&name];
        for name in &meanwhile {
            assert!(made[name].0 < *index && made[name].1 > *time, "{made:?}");
        }
    }
    let made = consumers.api.made().await;
    assert_eq!(made.len(), ROUNDS * (MEANWHILE + 1));
    for told in &consumers.streams {
        let told = told.indexes();
        assert!(told.windows(2).all(|two| two[0] < two[1]), "in order, none twice: {told:?}");
    }
    let reacted = consumers.reacted().await;
    assert_eq!(reacted.iter().collect::<BTreeSet<_>>().len(), reacted.len(), "{reacted:?}");
    // A delivery may be repeated under its identifier, and never has a second one.
    let received: BTreeSet<_> = consumers.received().into_iter().collect();
    assert_eq!(received.len(), made.len(), "{received:?}");
    for listening in listening {
        listening.abort();
    }
    let running = fleet.ended().await;
    let context = Context::command_line(running.engine().environment());
    running.engine().verify_log(&context).await.unwrap();
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_stream_goes_on_at_another_node_when_its_own_is_gone() {
    let mut fleet = Fleet::on(Arc::new(Server::start()), 2, Manner::quick()).await;
    let nodes = [Api::of(&fleet, 0), Api::of(&fleet, 1)];
    let told = Told::default();
    let listening = told.listen(nodes[0].clone());
    let named = |from: usize, to: usize| (from..to).map(|n| format!("group {n}")).collect();
    let (before, after): (Vec<String>, Vec<String>) = (named(0, 5), named(5, 10));
    for (name, api) in before.iter().zip(nodes.iter().cycle()) {
        api.group(name.clone()).await;
    }
    told.has(&nodes[1], &before).await;
    fleet.nodes[0].kill();
    listening.await.unwrap();
    // Nobody listens meanwhile.
    let (missed, seen) = after.split_at(3);
    for name in missed {
        nodes[1].group(name.clone()).await;
    }
    let begun = told.indexes().len();
    let listening = told.listen(nodes[1].clone());
    told.has(&nodes[1], missed).await;
    for name in seen {
        nodes[1].group(name.clone()).await;
    }
    told.has(&nodes[1], seen).await;
    let indexes = told.indexes();
    assert!(begun >= before.len() && indexes.len() >= begun + after.len(), "{indexes:?}");
    assert!(indexes.windows(2).all(|two| two[0] < two[1]), "in order, none twice: {indexes:?}");
    listening.abort();
}
