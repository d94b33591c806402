//! A server that is killed at any instant delivers every event, each with one effect at a receiver
//! that takes an identifier in once.
//!
//! Clients upload; a forwarder sends each `certificate.uploaded` to a receiver in this process. When
//! the receiver has had a random number of further requests, the server gets SIGKILL: before a
//! lease, a delivery, a request, its answer, its receipt or its commit, as it falls. After the last
//! start every event has come, and each under one identifier of a delivery, however often it came.
//!
//! `CHANCERY_FULL=1` kills 60 times in place of 6; on PostgreSQL, where the lease of the dead server
//! has to run out first, 4 times in place of once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chancery_event::environment::SeededEntropy;
use chancery_testkit::{Received, Receiver};
use chancery_throwaway::{database_of, on_each_backend};
use serde_json::{Value, json};

use crate::kill::{random, seed};
use crate::victim::{Caller, Server, leaf};

/// Longer than the lease of a destination that a killed server held.
const PATIENCE: Duration = Duration::from_secs(240);
/// The server is killed after so many further requests at most.
const REQUESTS_MAX: u64 = 30;

on_each_backend!(a_killed_server_delivers_each_event_with_one_effect, 2);

async fn a_killed_server_delivers_each_event_with_one_effect() {
    let full = std::env::var("CHANCERY_FULL").is_ok_and(|value| value == "1");
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let mut settings = vec![("CHANCERY_NETWORK_ALLOWED_ADDRESSES", "127.0.0.1".to_owned())];
    let database = database_of(folder.path());
    let kills = match (&database, full) {
        (None, false) => 6,
        (None, true) => 60,
        (Some(_), false) => 1,
        (Some(_), true) => 4,
    };
    settings.extend(database.map(|url| ("CHANCERY_DATABASE", url)));
    let seed = seed();
    println!("CHANCERY_SEED={seed}");
    let chance = SeededEntropy::new(seed);
    let receiver = Receiver::plain().await;
    let token = Server::token_with(&data_dir, &settings);
    for cycle in 0..kills {
        let server = Server::start_with(&data_dir, &token, &settings);
        let caller = server.client();
        if cycle == 0 {
            let body = json!({ "kind": "webhook", "settings": { "url": receiver.url() },
                "select": { "event_types": ["certificate.uploaded"] } });
            let made = json!({ "name": "killed", "body": body });
            let made = caller.post("/api/v1/forwarders", &made).await.unwrap();
            assert_eq!(made.status().as_u16(), 201, "{:?}", made.text().await);
        }
        let uploading = tokio::spawn(upload(caller, cycle));
        let wanted = receiver.received().len()
            + usize::try_from(random(&chance) % REQUESTS_MAX + 1).unwrap();
        let began = Instant::now();
        while receiver.received().len() < wanted {
            assert!(began.elapsed() < PATIENCE, "{} came", receiver.received().len());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.kill();
        uploading.await.unwrap();
    }
    let server = Server::start_with(&data_dir, &token, &settings);
    let began = Instant::now();
    let (expected, effects) = loop {
        let effects = effects(&receiver.received());
        // Read after them: what came is in the log.
        let expected = events(&server.client()).await;
        if expected.iter().all(|event| effects.contains_key(event)) {
            break (expected, effects);
        }
        assert!(began.elapsed() < PATIENCE, "{} of {} came", effects.len(), expected.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for (event, deliveries) in &effects {
        assert_eq!(deliveries.len(), 1, "event {event} took effect as {deliveries:?}");
        assert!(expected.contains(event), "{event} is in no log");
    }
    println!("{} events, {} requests, {kills} kills", expected.len(), receiver.received().len());
}

/// By event: the identifiers it came under.
fn effects(received: &[Received]) -> BTreeMap<String, BTreeSet<String>> {
    let mut effects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in received {
        let body: Value = serde_json::from_slice(&one.body).unwrap();
        let event = body["id"].as_str().unwrap().to_owned();
        effects.entry(event).or_default().insert(one.headers["webhook-id"].clone());
    }
    effects
}

/// Uploads until the server is gone.
async fn upload(caller: Caller, cycle: u64) {
    for number in 0..200 {
        let (der, _) = leaf(&format!("host-{cycle}-{number}.example.com"));
        if caller.upload(der, "").await.is_err() {
            return;
        }
    }
}

/// Identifiers of the events that have to be delivered.
async fn events(caller: &Caller) -> BTreeSet<String> {
    let (mut found, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let path = format!("/api/v1/events?filter=type:certificate.uploaded&limit=500{cursor}");
        let page: Value = caller.get(&path).await.unwrap().json().await.unwrap();
        let items = page["items"].as_array().unwrap();
        found.extend(items.iter().map(|item| item["event"]["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}
