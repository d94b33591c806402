//! Three nodes on one database under load, while processes, connections and the server fail.
//!
//! A schedule is a list of faults drawn from a seed; clients upload to all nodes throughout. After
//! each fault every node must serve again by itself. At the end:
//!
//! - every acknowledged upload is in the inventory, with exactly one event of each kind;
//! - the indexes of the log are dense, and the whole log verifies: it is one log;
//! - every checkpoint that any node handed out in between is one of that log;
//! - every job has ended, and well.
//!
//! Clients are told 201, 202, 409 (when an earlier answer was lost) or 503 with `Retry-After`, and
//! nothing else.
//!
//! `CHANCERY_FULL=1` runs 100 schedules instead of one; `CHANCERY_SEED` repeats a run's choices.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use chancery_engine::{Context, Engine, bench};
use chancery_event::environment::SeededEntropy;
use chancery_seal::{Checkpoint, Edge, Hash, Note, leaf_hash};
use chancery_store::log;
use chancery_throwaway::Stop;
use reqwest::Client;
use tokio::time::{Instant, sleep, timeout};

use crate::fleet::{Fleet, Wire};
use crate::kill::{Told, check_engine, jobs_end, random, seed};
use crate::victim::leaf;

const NODES: usize = 3;
/// A node without its lease for longer than this has lost it.
const PAST_LEASE: Duration = Duration::from_secs(7);
/// Service is back everywhere after this long at the latest.
const BACK: Duration = Duration::from_secs(60);
/// An answer takes no longer, whatever happens.
const ANSWER: Duration = Duration::from_secs(50);

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// SIGKILL.
    Kill(usize),
    /// SIGKILL of the node that seals, while it does.
    KillSealer,
    /// SIGTERM.
    Stop(usize),
    /// The server stops for a while.
    Server(Stop),
    /// The connection breaks.
    Wire(usize, Wire),
    /// SIGSTOP past the lease.
    Freeze(usize),
    /// The same for the node that seals.
    FreezeSealer,
}

/// What all clients share.
struct Load {
    urls: Vec<Arc<RwLock<String>>>,
    token: String,
    number: AtomicU64,
    over: AtomicBool,
    told: Mutex<Told>,
    /// Uploads that each node acknowledged.
    served: Vec<AtomicU64>,
    /// Refusals that said when to come again.
    refused: AtomicU64,
    /// Checkpoints that nodes handed out: size and root.
    handed_out: Mutex<BTreeMap<u64, Hash>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_whatever_fails() {
    let seed = seed();
    println!("CHANCERY_SEED={seed}");
    let chance = SeededEntropy::new(seed);
    if std::env::var("CHANCERY_FULL").is_ok_and(|value| value == "1") {
        for number in 0..100 {
            let schedule = (0..4).map(|_| any_fault(&chance)).collect::<Vec<_>>();
            println!("schedule {number}: {schedule:?}");
            run(&schedule).await;
        }
    } else {
        let victim = || usize::try_from(random(&chance) % NODES as u64).unwrap();
        let silent = if random(&chance).is_multiple_of(2) { Wire::Mute } else { Wire::Deaf };
        let server = if random(&chance).is_multiple_of(2) { Stop::Fast } else { Stop::Immediate };
        let schedule = [
            Fault::KillSealer,
            Fault::Server(server),
            Fault::Wire(victim(), silent),
            Fault::FreezeSealer,
        ];
        println!("{schedule:?}");
        run(&schedule).await;
    }
}

fn any_fault(chance: &Arc<SeededEntropy>) -> Fault {
    let node = usize::try_from(random(chance) % NODES as u64).unwrap();
    match random(chance) % 10 {
        0 => Fault::Kill(node),
        1 | 2 => Fault::KillSealer,
        3 => Fault::Stop(node),
        4 => Fault::Server(Stop::Fast),
        5 => Fault::Server(Stop::Immediate),
        6 => Fault::Wire(node, Wire::Cut),
        7 => Fault::Wire(
            node,
            if random(chance).is_multiple_of(2) { Wire::Mute } else { Wire::Deaf },
        ),
        8 => Fault::Freeze(node),
        _ => Fault::FreezeSealer,
    }
}

async fn run(schedule: &[Fault]) {
    let mut fleet = Fleet::start(NODES).await;
    let load = Arc::new(Load {
        urls: fleet.nodes.iter().map(|node| node.url.clone()).collect(),
        token: fleet.token.clone(),
        number: AtomicU64::new(0),
        over: AtomicBool::new(false),
        told: Mutex::default(),
        served: (0..NODES).map(|_| AtomicU64::new(0)).collect(),
        refused: AtomicU64::new(0),
        handed_out: Mutex::default(),
    });
    let mut clients: Vec<_> =
        (0..NODES).map(|client| tokio::spawn(load.clone().upload(client))).collect();
    clients.push(tokio::spawn(load.clone().watch()));
    load.serves(&fleet, "after the start").await;
    for fault in schedule {
        strike(&mut fleet, &load, *fault).await;
        load.serves(&fleet, &format!("{fault:?}")).await;
    }
    load.over.store(true, Ordering::Relaxed);
    for client in clients {
        if let Err(failed) = client.await {
            eprintln!("{}", fleet.complaints());
            panic!("a client was answered wrongly: {failed}");
        }
    }
    let running = fleet.ended().await;
    let told = std::mem::take(&mut *load.told.lock().unwrap());
    jobs_end(running.engine()).await;
    let events = check_engine(running.engine(), &told, true).await;
    let checkpoints = one_log(running.engine(), &load).await;
    println!(
        "{} uploads and {} jobs acknowledged, {} refused with a time to come again, {events} \
         events verified, {checkpoints} checkpoints lie on one log",
        told.entered.len(),
        told.queued.len(),
        load.refused.load(Ordering::Relaxed),
    );
    running.stop().await.unwrap();
}

/// Lets one fault happen and heals it.
async fn strike(fleet: &mut Fleet, load: &Load, fault: Fault) {
    match fault {
        Fault::Kill(node) => {
            fleet.nodes[node].kill();
            fleet.nodes[node].start();
        }
        Fault::KillSealer => {
            let node = load.sealer().await;
            fleet.nodes[node].kill();
            fleet.nodes[node].start();
        }
        Fault::Stop(node) => {
            fleet.nodes[node].stop();
            fleet.nodes[node].start();
        }
        Fault::Server(how) => {
            let refused = load.refused.load(Ordering::Relaxed);
            fleet.server.stop(how);
            let told = timeout(ANSWER, async {
                while load.refused.load(Ordering::Relaxed) < refused + NODES as u64 {
                    sleep(Duration::from_millis(20)).await;
                }
            });
            let told = told.await;
            fleet.server.resume();
            assert!(told.is_ok(), "callers are not told that the database is away");
        }
        Fault::Wire(node, wire) => {
            fleet.nodes[node].wire(wire);
            sleep(PAST_LEASE).await;
            fleet.nodes[node].wire(Wire::Open);
        }
        Fault::Freeze(node) => freeze(fleet, node).await,
        Fault::FreezeSealer => {
            let node = load.sealer().await;
            freeze(fleet, node).await;
        }
    }
}

async fn freeze(fleet: &Fleet, node: usize) {
    fleet.nodes[node].freeze();
    sleep(PAST_LEASE).await;
    fleet.nodes[node].thaw();
}

impl Load {
    fn url(&self, node: usize) -> String {
        self.urls[node].read().unwrap().clone()
    }

    /// Uploads until it is over, beginning with a node of its own and moving on when that fails.
    async fn upload(self: Arc<Self>, client: usize) {
        let mut node = client;
        let connection = Client::builder().timeout(ANSWER).build().unwrap();
        while !self.over.load(Ordering::Relaxed) {
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            let (der, fingerprint) = leaf(&format!("host-{number}.example.com"));
            let by_job = number % 16 == 15;
            let mut uncertain = false;
            loop {
                let path = if by_job { "?mode=async" } else { "" };
                let request = connection
                    .post(format!("{}/api/v1/certificates{path}", self.url(node)))
                    .bearer_auth(&self.token)
                    .header("content-type", "application/octet-stream")
                    .body(der.clone());
                let Ok(answer) = request.send().await else {
                    // Killed, frozen or restarting: whether it was done is not known.
                    uncertain = true;
                    node = (node + 1) % NODES;
                    if by_job || self.over.load(Ordering::Relaxed) {
                        break;
                    }
                    continue;
                };
                match answer.status().as_u16() {
                    201 => {
                        self.told.lock().unwrap().entered.insert(fingerprint);
                        self.served[node].fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                    202 => {
                        self.told.lock().unwrap().queued.insert(fingerprint);
                        break;
                    }
                    409 if uncertain => {
                        self.told.lock().unwrap().entered.insert(fingerprint);
                        break;
                    }
                    503 => {
                        let when = answer.headers().get("retry-after").cloned();
                        assert!(when.is_some(), "503 without Retry-After");
                        // The change may have been made before the database went away.
                        uncertain = true;
                        self.refused.fetch_add(1, Ordering::Relaxed);
                        node = (node + 1) % NODES;
                        sleep(Duration::from_millis(20)).await;
                        if by_job || self.over.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    other => panic!("{other}: {:?}", answer.text().await),
                }
            }
            if node != client && number.is_multiple_of(8) {
                node = client;
            }
        }
    }

    /// Keeps the checkpoints that nodes hand out.
    async fn watch(self: Arc<Self>) {
        let connection = Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        let mut node = 0;
        while !self.over.load(Ordering::Relaxed) {
            node = (node + 1) % NODES;
            sleep(Duration::from_millis(100)).await;
            let url = format!("{}/log/checkpoint", self.url(node));
            let Ok(answer) = connection.get(url).send().await else { continue };
            if !answer.status().is_success() {
                continue;
            }
            let Ok(text) = answer.text().await else { continue };
            let note = Note::parse(text.as_bytes()).unwrap();
            let checkpoint: Checkpoint = note.text().parse().unwrap();
            let (size, root) = (checkpoint.size(), *checkpoint.root());
            let known = self.handed_out.lock().unwrap().insert(size, root);
            assert!(known.is_none_or(|known| known == root), "two trees of {size} entries");
        }
    }

    /// Waits until every node has acknowledged an upload from now on.
    async fn serves(&self, fleet: &Fleet, when: &str) {
        let connection = Client::builder().timeout(ANSWER).build().unwrap();
        let deadline = Instant::now() + BACK;
        for node in 0..NODES {
            loop {
                let number = self.number.fetch_add(1, Ordering::Relaxed);
                let (der, fingerprint) = leaf(&format!("probe-{number}.example.com"));
                let sent = connection
                    .post(format!("{}/api/v1/certificates", self.url(node)))
                    .bearer_auth(&self.token)
                    .header("content-type", "application/octet-stream")
                    .body(der)
                    .send()
                    .await;
                if sent.is_ok_and(|answer| answer.status().as_u16() == 201) {
                    self.told.lock().unwrap().entered.insert(fingerprint);
                    break;
                }
                if Instant::now() >= deadline {
                    panic!("node {node} does not serve, {when}: {}", fleet.complaints());
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// The node that seals.
    async fn sealer(&self) -> usize {
        let connection = Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        let deadline = Instant::now() + BACK;
        loop {
            for node in 0..NODES {
                let url = format!("{}/api/v1/nodes", self.url(node));
                let sent = connection.get(url).bearer_auth(&self.token).send().await;
                let Ok(answer) = sent else { continue };
                let Ok(text) = answer.text().await else { continue };
                let Ok(nodes) = serde_json::from_str::<serde_json::Value>(&text) else { continue };
                let items = nodes["items"].as_array().cloned().unwrap_or_default();
                let seals = items.iter().any(|node| {
                    node["own"] == true
                        && node["leases"]
                            .as_array()
                            .is_some_and(|all| all.iter().any(|lease| lease == "sealer"))
                });
                if seals {
                    return node;
                }
            }
            assert!(Instant::now() < deadline, "nobody seals");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Recomputes the tree and compares it with every checkpoint that was handed out; answers how many.
async fn one_log(engine: &Engine, load: &Load) -> usize {
    let context = Context::command_line(engine.environment());
    engine.verify_log(&context).await.unwrap();
    let handed_out = std::mem::take(&mut *load.handed_out.lock().unwrap());
    let mut link = bench::store(engine).read().await.unwrap();
    let size = log::state(&mut link).await.unwrap().signed_size;
    let mut edge = Edge::default();
    let mut next = 0;
    while next < size {
        let entries = log::entries(&mut link, next, size.min(next + 1_000)).await.unwrap();
        for (index, entry) in entries {
            assert_eq!(index, next, "indexes are dense");
            edge.append(leaf_hash(&entry));
            next += 1;
            if let Some(root) = handed_out.get(&next) {
                assert_eq!(edge.root(), *root, "the checkpoint over {next} entries");
            }
        }
    }
    assert!(handed_out.keys().all(|handed_out| *handed_out <= size), "a checkpoint is lost");
    handed_out.len()
}
