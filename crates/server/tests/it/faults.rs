//! Three nodes on one database under load, while processes, connections and the server fail.
//!
//! A schedule is a list of faults drawn from a seed; clients upload to all nodes throughout. What
//! makes a node silent lasts until the others have declared it gone *and* the log has grown without
//! it. After each fault every node must serve again by itself. At the end:
//!
//! - every acknowledged upload is in the inventory, with exactly one event of each kind;
//! - the indexes of the log are dense, and the whole log verifies: it is one log;
//! - every checkpoint that any node handed out in between is one of that log;
//! - every job has ended, and well;
//! - who was gone is told (`node.vanished`).
//!
//! Clients are told 201, 202, 409 (when an earlier answer was lost) or 503 with `Retry-After`, and
//! nothing else.
//!
//! `CHANCERY_FULL=1` runs 100 random schedules, and every pair of faults at the writes of the node
//! that seals; `CHANCERY_SCHEDULES=n` runs n. Each prints its seed, and
//! `CHANCERY_SEED=seed CHANCERY_SCHEDULES=1` runs that one again. To go on after a part of them:
//! schedule n of a run has the seed of the run plus n.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use chancery_engine::{Context, Engine, bench};
use chancery_event::LogIndex;
use chancery_event::environment::SeededEntropy;
use chancery_seal::{Checkpoint, Edge, Hash, Note, leaf_hash};
use chancery_store::log;
use chancery_throwaway::{Server, Stop};
use reqwest::Client;
use tokio::time::{Instant, sleep, timeout};

use crate::fleet::{Fleet, Manner, Node, Wire};
use crate::kill::{Told, check_engine, jobs_end, random, seed};
use crate::victim::leaf;

const NODES: usize = 3;
/// Service is back everywhere after this long at the latest.
const BACK: Duration = Duration::from_secs(60);
/// An answer takes no longer, whatever happens.
const ANSWER: Duration = Duration::from_secs(50);

/// A commit of the node that seals, and which side of it.
type Write = (&'static str, &'static str);

/// The writes of the sealer when nothing is wrong, each failed and not persisted, and failed but
/// persisted. Those that tell of damage are in the tests of the engine.
const WRITES: [Write; 6] = [
    ("seal.sequence", "before"),
    ("seal.sequence", "after"),
    ("seal.publish", "before"),
    ("seal.publish", "after"),
    ("seal.keep", "before"),
    ("seal.keep", "after"),
];

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// SIGKILL.
    Kill(usize),
    /// SIGKILL of a node that does this, as it does.
    KillAt(Write),
    /// The same, and then of the one that takes over.
    KillTwo(Write, Write),
    /// SIGTERM.
    Stop(usize),
    /// The server stops for a while.
    Server(Stop),
    /// The connection of a node breaks.
    Wire(usize, Wire),
    /// That of the node that seals.
    WireSealer(Wire),
    /// SIGSTOP past the lease.
    Freeze(usize),
    /// The same for a node that does this, as it does.
    FreezeAt(Write),
}

/// What all clients share.
struct Load {
    urls: Vec<Arc<RwLock<String>>>,
    token: String,
    number: AtomicU64,
    over: AtomicBool,
    told: Mutex<Told>,
    /// Refusals of each node that said when to come again.
    refused: Vec<AtomicU64>,
    /// Checkpoints that nodes handed out: size and root.
    handed_out: Mutex<BTreeMap<u64, Hash>>,
}

/// One of each kind, with what chance decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_whatever_fails() {
    let seed = seed();
    println!("CHANCERY_SEED={seed}");
    let chance = SeededEntropy::new(seed);
    let schedule = [
        Fault::KillAt(write(&chance)),
        Fault::Server(if random(&chance).is_multiple_of(2) { Stop::Fast } else { Stop::Immediate }),
        Fault::WireSealer(silence(&chance)),
        Fault::FreezeAt(write(&chance)),
    ];
    run(&Arc::new(Server::start()), &schedule).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_schedules_lose_nothing() {
    let asked = std::env::var("CHANCERY_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let count: u64 = asked.unwrap_or(if full() { 100 } else { 1 });
    let first = seed();
    let server = Arc::new(Server::start());
    for number in 0..count {
        let seed = first.wrapping_add(number);
        let chance = SeededEntropy::new(seed);
        let schedule = (0..4).map(|_| any_fault(&chance)).collect::<Vec<_>>();
        let began = Instant::now();
        println!("schedule {number}: CHANCERY_SEED={seed} {schedule:?}");
        run(&server, &schedule).await;
        println!("schedule {number}: {} s", began.elapsed().as_secs());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_that_seals_may_die_at_each_of_its_writes() {
    let server = Arc::new(Server::start());
    let sealing = &WRITES[..4];
    let alone = sealing.iter().map(|write| Fault::KillAt(*write)).collect::<Vec<_>>();
    run(&server, &alone).await;
    if !full() {
        return;
    }
    run(&server, &WRITES.map(Fault::FreezeAt)).await;
    for first in sealing {
        let pairs = sealing.iter().map(|second| Fault::KillTwo(*first, *second));
        run(&server, &pairs.collect::<Vec<_>>()).await;
    }
}

fn full() -> bool {
    std::env::var("CHANCERY_FULL").is_ok_and(|value| value == "1")
}

fn write(chance: &Arc<SeededEntropy>) -> Write {
    WRITES[usize::try_from(random(chance) % WRITES.len() as u64).unwrap()]
}

fn silence(chance: &Arc<SeededEntropy>) -> Wire {
    let ways = [Wire::Mute, Wire::Deaf, Wire::Silent, Wire::Hole];
    ways[usize::try_from(random(chance) % ways.len() as u64).unwrap()]
}

fn any_fault(chance: &Arc<SeededEntropy>) -> Fault {
    let node = usize::try_from(random(chance) % NODES as u64).unwrap();
    match random(chance) % 11 {
        0 => Fault::Kill(node),
        1 | 2 => Fault::KillAt(write(chance)),
        3 => Fault::Stop(node),
        4 => Fault::Server(Stop::Fast),
        5 => Fault::Server(Stop::Immediate),
        6 => Fault::Wire(node, Wire::Cut),
        7 => Fault::Wire(node, silence(chance)),
        8 => Fault::WireSealer(silence(chance)),
        9 => Fault::Freeze(node),
        _ => Fault::FreezeAt(write(chance)),
    }
}

async fn run(server: &Arc<Server>, schedule: &[Fault]) {
    let mut fleet = Fleet::on(server.clone(), NODES, Manner::quick()).await;
    let load = Arc::new(Load {
        urls: fleet.nodes.iter().map(|node| node.url.clone()).collect(),
        token: fleet.token.clone(),
        number: AtomicU64::new(0),
        over: AtomicBool::new(false),
        told: Mutex::default(),
        refused: (0..NODES).map(|_| AtomicU64::new(0)).collect(),
        handed_out: Mutex::default(),
    });
    let mut clients: Vec<_> =
        (0..NODES).map(|client| tokio::spawn(load.clone().upload(client))).collect();
    clients.push(tokio::spawn(load.clone().watch()));
    load.serves(&fleet, "after the start").await;
    let mut gone = 0;
    for fault in schedule {
        let began = Instant::now();
        gone += strike(&mut fleet, &load, *fault).await;
        load.serves(&fleet, &format!("{fault:?}")).await;
        println!("{fault:?}: {} ms", began.elapsed().as_millis());
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
    let vanished = vanished(running.engine()).await;
    assert!(vanished >= gone, "{gone} nodes were missed, {vanished} times it is told");
    println!(
        "{} uploads and {} jobs acknowledged, {} refused with a time to come again, {events} \
         events verified, {checkpoints} checkpoints lie on one log, {vanished} times a node was \
         missed",
        told.entered.len(),
        told.queued.len(),
        load.refused().iter().sum::<u64>(),
    );
    running.stop().await.unwrap();
}

/// Lets one fault happen and heals it; answers how many nodes others had to declare gone.
async fn strike(fleet: &mut Fleet, load: &Load, fault: Fault) -> usize {
    match fault {
        Fault::Kill(node) => {
            fleet.nodes[node].kill();
            load.grows().await;
            fleet.nodes[node].start();
            0
        }
        Fault::KillAt(write) => {
            let node = killed(fleet, write).await;
            load.grows().await;
            fleet.nodes[node].start();
            0
        }
        Fault::KillTwo(first, second) => {
            let first = killed(fleet, first).await;
            let second = killed(fleet, second).await;
            load.grows().await;
            fleet.nodes[first].start();
            fleet.nodes[second].start();
            0
        }
        Fault::Stop(node) => {
            fleet.nodes[node].stop();
            load.grows().await;
            fleet.nodes[node].start();
            0
        }
        Fault::Server(how) => {
            let before = load.refused();
            fleet.server.stop(how);
            let told = timeout(ANSWER, async {
                while load.refused().iter().zip(&before).any(|(now, before)| now <= before) {
                    sleep(Duration::from_millis(20)).await;
                }
            });
            let told = told.await;
            fleet.server.resume();
            assert!(told.is_ok(), "not every node tells callers that the database is away");
            0
        }
        Fault::Wire(node, wire) => cut_off(fleet, load, node, wire).await,
        Fault::WireSealer(wire) => {
            let node = fleet.sealer().await;
            cut_off(fleet, load, node, wire).await
        }
        Fault::Freeze(node) => {
            let id = fleet.id(node).await;
            fleet.nodes[node].freeze();
            wake(fleet, load, node, &id).await
        }
        Fault::FreezeAt((unit, when)) => {
            let mut ids = Vec::new();
            for node in 0..NODES {
                ids.push(fleet.id(node).await);
            }
            fleet.arm(&format!("{unit} {when} freeze"));
            let node = fleet.victim(Node::is_frozen).await;
            wake(fleet, load, node, &ids[node]).await
        }
    }
}

/// Lets the next node die that comes to a write; answers which.
async fn killed(fleet: &mut Fleet, (unit, when): Write) -> usize {
    fleet.arm(&format!("{unit} {when} kill"));
    let node = fleet.victim(Node::is_dead).await;
    fleet.nodes[node].kill();
    node
}

/// Wakes a frozen node when others do what it did.
async fn wake(fleet: &Fleet, load: &Load, node: usize, id: &str) -> usize {
    fleet.missed(id).await;
    load.grows().await;
    fleet.nodes[node].thaw();
    1
}

/// Cuts a node off until others do what it did.
async fn cut_off(fleet: &Fleet, load: &Load, node: usize, wire: Wire) -> usize {
    let id = fleet.id(node).await;
    fleet.nodes[node].wire(wire);
    fleet.missed(&id).await;
    load.grows().await;
    fleet.nodes[node].wire(Wire::Open);
    1
}

impl Load {
    fn url(&self, node: usize) -> String {
        self.urls[node].read().unwrap().clone()
    }

    /// How often each node has refused.
    fn refused(&self) -> Vec<u64> {
        self.refused.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    /// Waits until a checkpoint is handed out over more than any so far.
    async fn grows(&self) {
        let newest = || self.handed_out.lock().unwrap().keys().next_back().copied();
        let before = newest();
        let deadline = Instant::now() + BACK;
        while newest() <= before {
            assert!(Instant::now() < deadline, "nobody seals, {before:?}");
            sleep(Duration::from_millis(20)).await;
        }
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
                        self.refused[node].fetch_add(1, Ordering::Relaxed);
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
        let connection = Client::builder().timeout(Duration::from_secs(1)).build().unwrap();
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
}

/// How often it is told that a node is gone.
async fn vanished(engine: &Engine) -> usize {
    let mut link = bench::store(engine).read().await.unwrap();
    let (mut from, mut count) = (LogIndex(0), 0);
    loop {
        let page = log::range(&mut link, from, 1_000).await.unwrap();
        let Some(last) = page.last() else { return count };
        from = LogIndex(last.index().0 + 1);
        let is = |sealed: &&log::Sealed| sealed.event().type_name == "node.vanished";
        count += page.iter().filter(is).count();
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
