//! The writes of the sealer fail alone and in pairs: whatever comes after whatever, each event is
//! in one log once, and each row that does not belong there is set aside and told of once.
//!
//! Each write fails in two ways: nothing was written, or all of it and the answer was lost. What
//! becomes of a whole process at those places is in the tests of the server.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chancery_engine::{Context, Engine, Running, Settings, bench};
use chancery_event::{Environment, LogIndex};
use chancery_store::table::lease;
use chancery_store::{Fault, Lane, Tampering, Tx, log};
use chancery_throwaway::{Backend, on_each_backend, run};
use futures::future::join_all;

use crate::sealer::{record, stepped};
use crate::upload::settings;

const PATIENCE: Duration = Duration::from_secs(60);
const KINDS: [Fault; 2] = [Fault::NotPersisted, Fault::Persisted];

type Failure = (&'static str, Fault);

/// Every one of these writes, failing in either way.
fn each(writes: &[&'static str]) -> Vec<Failure> {
    writes.iter().flat_map(|write| KINDS.map(|kind| (*write, kind))).collect()
}

/// Each alone, and each after each, itself included.
fn alone_and_in_pairs(failures: &[Failure]) -> Vec<Vec<Failure>> {
    let alone = failures.iter().map(|failure| vec![*failure]);
    let pairs = failures.iter().flat_map(|a| failures.iter().map(|b| vec![*a, *b]));
    alone.chain(pairs).collect()
}

/// How often each type of event is in the log, and each event that was recorded.
async fn counted(engine: &Engine) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
    let mut link = bench::store(engine).read().await.unwrap();
    let events = log::range(&mut link, LogIndex(0), 10_000).await.unwrap();
    assert!(events.iter().zip(0..).all(|(sealed, index)| sealed.index().0 == index), "dense");
    let (mut types, mut ids) = (BTreeMap::new(), BTreeMap::new());
    for event in events.iter().map(log::Sealed::event) {
        *types.entry(event.type_name.to_string()).or_default() += 1;
        *ids.entry(event.id.to_string()).or_default() += 1;
    }
    (types, ids)
}

on_each_backend!(writes_that_fail_in_pairs_leave_one_log, 2);

async fn writes_that_fail_in_pairs_leave_one_log() {
    let (_dir, stepped, engine) = stepped().await;
    let store = bench::store(&engine);
    let failures = each(&["seal.quarantine", "seal.sequence", "seal.publish"]);
    let (mut recorded, mut forged) = (Vec::new(), 0);
    for schedule in alone_and_in_pairs(&failures) {
        for (write, fault) in &schedule {
            store.inject(write, *fault);
        }
        let mut rounds = 0;
        // What was persisted all the same is not written again: then there is more to write.
        while store.faults_waiting() > 0 {
            store.tamper(Tampering::ForgedPending).await.unwrap();
            forged += 1;
            recorded.extend(record(&engine, 3).await);
            let mut failed = 0;
            while stepped.seal().await.is_err() {
                failed += 1;
                assert!(failed <= schedule.len(), "{schedule:?}: it fails by itself");
            }
            rounds += 1;
            assert!(rounds <= schedule.len(), "{schedule:?}: a write was not reached");
        }
        let set_aside = usize::try_from(store.quarantined().await.unwrap()).unwrap();
        assert_eq!(set_aside, forged, "{schedule:?}");
    }
    let (types, ids) = counted(&engine).await;
    assert_eq!(types["event.unsealed_pending"], forged, "each is told once");
    assert!(ids.values().all(|times| *times == 1), "no event is there twice");
    assert!(recorded.iter().all(|id| ids.contains_key(id)), "no event is lost");
    engine.verify_log(&Context::command_line(engine.environment())).await.unwrap();
    stepped.kill().await;
}

/// An engine that takes a lease over after a moment.
async fn quick(dir: &Path) -> Running {
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        takeover: Duration::from_millis(300),
        ..settings(dir)
    };
    Engine::start(settings, Environment::system()).await.unwrap()
}

/// Records events once the store takes them. It ends sessions that rest for as long as it takes to
/// take a lease over twice, which is not long where that is [`quick`].
async fn recorded(engine: &Engine, count: usize) -> Vec<String> {
    let context = bench::context(engine.environment());
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match bench::record(engine, &context, count).await {
            Ok(ids) => return ids.iter().map(ToString::to_string).collect(),
            Err(error) if error.is_transient() && tokio::time::Instant::now() < deadline => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Another node takes the lease of the sealer, and is never heard of again.
async fn take_away(engine: &Engine) {
    let store = bench::store(engine);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut taken = None;
    while taken.is_none() {
        let seen = lease::look(&mut store.read().await.unwrap(), "sealer").await.unwrap();
        let take = store.transaction_in(Lane::First, "ghost", move |tx: &mut Tx| {
            let seen = seen.clone();
            Box::pin(async move { lease::take(tx, "sealer", "ghost", seen.as_ref()).await })
        });
        taken = match take.await {
            Err(error) if error.is_transient() && tokio::time::Instant::now() < deadline => None,
            taken => taken.unwrap(),
        };
    }
}

#[test]
fn taking_and_keeping_the_lease_may_fail_in_pairs_with_what_is_done_under_it() {
    run(Backend::Postgres, 2, async {
        let leases = each(&["seal.take", "seal.keep"]);
        let sealing = each(&["seal.sequence", "seal.publish"]);
        let mut schedules: Vec<_> = leases.iter().map(|failure| vec![*failure]).collect();
        for lease in &leases {
            schedules.extend(leases.iter().chain(&sealing).map(|other| vec![*lease, *other]));
        }
        // Most of the time is spent waiting: several engines share the work.
        let parts = (0..4).map(|part| schedules.iter().skip(part).step_by(4));
        join_all(parts.map(lease_fails)).await;
    });
}

/// Lets schedules happen to the node that seals, one after another, while another one took its
/// lease and vanished.
async fn lease_fails(schedules: impl Iterator<Item = &Vec<Failure>>) {
    let dir = tempfile::tempdir().unwrap();
    let running = quick(dir.path()).await;
    let engine = running.engine().clone();
    let store = bench::store(&engine);
    assert!(engine.settle(PATIENCE).await);
    let mut ids = Vec::new();
    for schedule in schedules {
        for (write, fault) in schedule {
            store.inject(write, *fault);
        }
        take_away(&engine).await;
        ids.extend(recorded(&engine, 3).await);
        let reached = async {
            while store.faults_waiting() > 0 {
                ids.extend(recorded(&engine, 1).await);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        assert!(reached.is_ok(), "{schedule:?}: a write was not reached");
        assert!(engine.settle(PATIENCE).await, "{schedule:?}");
        assert_eq!(engine.health().sealing_stopped(), None, "{schedule:?}");
    }
    let (_, sealed) = counted(&engine).await;
    assert!(sealed.values().all(|times| *times == 1), "no event is there twice");
    assert!(ids.iter().all(|id| sealed.contains_key(id)), "no event is lost");
    engine.verify_log(&Context::command_line(engine.environment())).await.unwrap();
    running.stop().await.unwrap();
}

#[test]
fn a_lease_that_is_not_given_back_is_taken_over() {
    run(Backend::Postgres, 2, async {
        for fault in KINDS {
            let dir = tempfile::tempdir().unwrap();
            let running = quick(dir.path()).await;
            recorded(running.engine(), 3).await;
            assert!(running.engine().settle(PATIENCE).await);
            bench::store(running.engine()).inject("seal.give_back", fault);
            running.stop().await.unwrap();
            let again = quick(dir.path()).await;
            let ids = recorded(again.engine(), 3).await;
            assert!(again.engine().settle(PATIENCE).await, "{fault:?}");
            let (_, sealed) = counted(again.engine()).await;
            assert!(ids.iter().all(|id| sealed.get(id) == Some(&1)), "{fault:?}");
            again.stop().await.unwrap();
        }
    });
}
