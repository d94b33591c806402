//! A server that is killed at any instant loses nothing that it has acknowledged and leaves nothing
//! half done.
//!
//! Clients upload over HTTP; a random time after a random number of uploads has been acknowledged
//! the process gets SIGKILL, with other uploads under way. Every third time the next start is killed
//! as well, a random time after it began: in most cases before it listens, while it puts right what
//! the one before left. After each restart on the same growing directory:
//!
//! - every acknowledged upload is in the inventory;
//! - each certificate of the inventory has exactly one `certificate.uploaded` event, and each such
//!   event its certificate;
//! - each certificate that was uploaded by itself has exactly one successful `certificate.upload`;
//! - everything recorded is sealed, and the whole log verifies;
//! - at the end every job has ended, and well.
//!
//! `CHANCERY_FULL=1` runs 200 cycles instead of 12; `CHANCERY_SEED` repeats a run's choices.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chancery_engine::{Context, Engine, bench};
use chancery_event::environment::{Entropy, SeededEntropy};
use chancery_event::{LogIndex, Verdict};
use chancery_store::{log, table};
use tokio::sync::mpsc;

use crate::victim::{Caller, Server, engine, leaf};

const CLIENTS: u64 = 4;
/// A cycle ends after so many acknowledged uploads at most.
const UPLOADS_MAX: u64 = 40;
/// And so long after the last that counts, in microseconds at most: an acknowledgement is no
/// special instant.
const DELAY_MAX: u64 = 50_000;
/// A start that is killed lives so long at most, in microseconds.
const START_MAX: u64 = 300_000;
/// Longer than the lease of a job that a killed server held.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the clients were told.
#[derive(Default)]
pub(crate) struct Told {
    /// Fingerprints whose upload was acknowledged.
    pub(crate) entered: HashSet<String>,
    /// Fingerprints in jobs that were acknowledged.
    pub(crate) queued: HashSet<String>,
}

enum Acknowledged {
    Entered(String),
    Queued(String),
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_is_half_done() {
    let full = std::env::var("CHANCERY_FULL").is_ok_and(|value| value == "1");
    let (cycles, check_every) = if full { (200, 10) } else { (12, 1) };
    let seed = seed();
    println!("CHANCERY_SEED={seed}");
    let chance = SeededEntropy::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let token = Server::token(&data_dir);
    let mut told = Told::default();
    let (mut starts, mut listened) = (0, 0);
    for cycle in 0..cycles {
        if cycle % 3 == 1 {
            let after = Duration::from_micros(random(&chance) % START_MAX);
            starts += 1;
            listened += u32::from(Server::kill_start(&data_dir, after));
        }
        let server = Server::start(&data_dir, &token);
        let after = random(&chance) % UPLOADS_MAX + 1;
        let delay = Duration::from_micros(random(&chance) % DELAY_MAX);
        run_until_killed(server, cycle, (after, delay), &mut told).await;
        if cycle % check_every == 0 {
            check(&data_dir, &told, false).await;
        }
    }
    assert!(told.entered.len() as u64 >= cycles, "the clients got through");
    let events = check(&data_dir, &told, true).await;
    println!(
        "{cycles} times killed, and {starts} starts, {listened} of which listened; {} uploads and {} jobs acknowledged, {events} events verified",
        told.entered.len(),
        told.queued.len()
    );
}

/// What was asked for, or one of its own.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("CHANCERY_SEED").ok().and_then(|text| text.parse().ok());
    seed.unwrap_or_else(|| u64::from(std::process::id()) ^ now_nanos())
}

fn now_nanos() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::from(now.subsec_nanos())
}

pub(crate) fn random(chance: &Arc<SeededEntropy>) -> u64 {
    let mut bytes = [0; 8];
    chance.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Uploads from several clients; kills the server some time after so many uploads have been
/// acknowledged.
async fn run_until_killed(
    server: Server,
    cycle: u64,
    (after, delay): (u64, Duration),
    told: &mut Told,
) {
    let (tell, mut telling) = mpsc::unbounded_channel();
    let number = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(upload_on(server.client(), cycle, number.clone(), tell.clone())))
        .collect();
    drop(tell);
    let (mut server, mut seen) = (Some(server), 0);
    // Ends when all clients have met the end of the server.
    while let Some(acknowledged) = telling.recv().await {
        match acknowledged {
            Acknowledged::Entered(fingerprint) => told.entered.insert(fingerprint),
            Acknowledged::Queued(fingerprint) => told.queued.insert(fingerprint),
        };
        seen += 1;
        if seen >= after
            && let Some(server) = server.take()
        {
            tokio::time::sleep(delay).await;
            server.kill();
        }
    }
    for client in clients {
        client.await.unwrap();
    }
    assert!(seen >= after, "a client stopped before the server was killed");
}

/// Uploads until the server is gone; every eighth upload goes through a job.
async fn upload_on(
    caller: Caller,
    cycle: u64,
    number: Arc<AtomicU64>,
    tell: mpsc::UnboundedSender<Acknowledged>,
) {
    loop {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let (der, fingerprint) = leaf(&format!("host-{cycle}-{number}.example.com"));
        let by_job = number % 8 == 7;
        let answer = caller.upload(der, if by_job { "?mode=async" } else { "" }).await;
        // Only the status line counts: an answer cut short after it was acknowledged all the same.
        let Ok(answer) = answer else { return };
        let acknowledged = match answer.status().as_u16() {
            201 => Acknowledged::Entered(fingerprint),
            202 => Acknowledged::Queued(fingerprint),
            other => panic!("{other}: {:?}", answer.text().await),
        };
        let _ = tell.send(acknowledged);
    }
}

/// Restarts on the directory and compares what is there with what was told.
/// Answers how many events the log has.
async fn check(data_dir: &Path, told: &Told, jobs: bool) -> u64 {
    let running = engine(data_dir).await;
    let engine = running.engine().clone();
    if jobs {
        jobs_end(&engine).await;
    }
    let count = check_engine(&engine, told, jobs).await;
    running.stop().await.unwrap();
    count
}

/// Compares what an engine has with what was told; answers how many events the log has.
pub(crate) async fn check_engine(engine: &Engine, told: &Told, jobs: bool) -> u64 {
    let context = Context::command_line(engine.environment());
    let verified = engine.verify_log(&context).await.unwrap();
    let (inventory, counts) = both(engine).await;
    let mut link = bench::store(engine).read().await.unwrap();
    let expected = told.entered.iter().chain(told.queued.iter().filter(|_| jobs));
    for fingerprint in expected {
        let found = table::certificate::by_fingerprint(&mut link, fingerprint).await.unwrap();
        let row = found.unwrap_or_else(|| panic!("{fingerprint} was acknowledged and is lost"));
        assert_eq!(counts.get(&row.id.to_string()), Some(&(1, 1)), "{fingerprint}");
    }
    assert_eq!(inventory, counts.len(), "certificates and their events");
    for (id, seen) in &counts {
        assert_eq!(*seen, (1, 1), "events of certificate {id}");
        let row = table::certificate::find(&mut link, id.parse().unwrap()).await.unwrap();
        assert!(row.is_some(), "certificate {id} has an event and is not there");
    }
    verified.count
}

/// How many certificates there are, and their events, both at a time when no job has added any.
async fn both(engine: &Engine) -> (usize, HashMap<String, (u32, u32)>) {
    loop {
        let before = count(engine).await;
        assert!(engine.settle(PATIENCE).await, "everything recorded gets sealed");
        let events = events(engine).await;
        if count(engine).await == before {
            return (before, events);
        }
    }
}

async fn count(engine: &Engine) -> usize {
    let mut link = bench::store(engine).read().await.unwrap();
    usize::try_from(table::certificate::count(&mut link).await.unwrap()).unwrap()
}

pub(crate) async fn jobs_end(engine: &Engine) {
    let ended = async {
        let mut sealed = engine.sealed();
        loop {
            let mut link = bench::store(engine).read().await.unwrap();
            let counts = table::job::counts(&mut link).await.unwrap();
            drop(link);
            if !counts.iter().any(|(state, _)| state == "queued" || state == "running") {
                // Also one that was killed after its certificate had entered, before it could say so.
                assert!(!counts.iter().any(|(state, _)| state == "failed"), "{counts:?}");
                return;
            }
            // The end of a job is an event; a lease that runs out is not.
            let _ = tokio::time::timeout(Duration::from_secs(1), sealed.changed()).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("jobs of a killed server are taken over");
}

/// By certificate: how many `certificate.uploaded`, how many successful `certificate.upload`.
async fn events(engine: &Engine) -> HashMap<String, (u32, u32)> {
    let mut link = bench::store(engine).read().await.unwrap();
    let mut counts: HashMap<String, (u32, u32)> = HashMap::new();
    let mut from = LogIndex(0);
    loop {
        let page = log::range(&mut link, from, 1_000).await.unwrap();
        let Some(last) = page.last() else { return counts };
        from = LogIndex(last.index().0 + 1);
        for event in page.iter().map(|sealed| sealed.event()) {
            let Some(subject) = event.subject() else { continue };
            match &*event.type_name {
                "certificate.uploaded" => counts.entry(subject.id.clone()).or_default().0 += 1,
                "certificate.upload" if event.outcome.result == Verdict::Success => {
                    counts.entry(subject.id.clone()).or_default().1 += 1;
                }
                _ => {}
            }
        }
    }
}
