//! Runs of retention that fail, are taken over, or die: nothing goes twice, and what went is told.

use std::sync::Arc;
use std::time::Duration;

use chancery_engine::archive::{Archive, ArchiveError, Directory};
use chancery_engine::bench;
use chancery_event::filter::Filter;
use chancery_event::{Clock as _, LogIndex};
use chancery_store::table::retention::{self, Run};
use chancery_store::{Fault, Tx, log};
use chancery_throwaway::{Backend, on_each_backend, run};
use futures::future::{BoxFuture, join_all};

use crate::retention::{PATIENCE, World};

on_each_backend!(a_write_of_a_run_that_fails_removes_nothing_twice, 2);

async fn a_write_of_a_run_that_fails_removes_nothing_twice() {
    for fault in [Fault::NotPersisted, Fault::Persisted] {
        for name in ["retention.trim", "retention.note"] {
            let world = World::new().await;
            let engine = world.engine();
            // Rows go one by one: the rule has a filter.
            world.rule("index>=0", "event", 5).await;
            bench::store(engine).inject(name, fault);
            world.work().await;
            let settled = async {
                while !world.listed("index<512").await.is_empty() {
                    world.work().await;
                }
            };
            let settled = tokio::time::timeout(PATIENCE, settled).await;
            settled.unwrap_or_else(|_| panic!("{name} {fault:?}"));
            // Ends what broke off.
            world.work().await;
            let runs = engine.retention_runs(&world.context, 100).await.unwrap();
            let ended = runs.iter().filter(|run| run.state != "running");
            let removed: u64 = ended.map(|run| run.removed).sum();
            assert_eq!(removed, 512, "{name} {fault:?}: {runs:?}");
            let counted = engine.event_count(&world.context, &Filter::All).await.unwrap().value;
            assert!(engine.settle(PATIENCE).await);
            assert!(counted > 0 && counted <= world.listed("").await.len() as u64);
            engine.verify_log(&world.context).await.unwrap();
            world.running.stop().await.unwrap();
        }
    }
}

/// An archive whose readers wait until they are let in.
struct Gate {
    inner: Directory,
    open: tokio::sync::Semaphore,
    /// How many have come.
    came: tokio::sync::watch::Sender<u64>,
}

impl Gate {
    /// A closed one.
    fn before(places: &tempfile::TempDir) -> Arc<Self> {
        Arc::new(Self {
            inner: Directory::new(places.path().join("archive")),
            open: tokio::sync::Semaphore::new(0),
            came: tokio::sync::watch::Sender::new(0),
        })
    }
}

struct Gated(Arc<Gate>);

impl Archive for Gated {
    fn put(&self, path: String, bytes: Vec<u8>) -> BoxFuture<'static, Result<(), ArchiveError>> {
        self.0.inner.put(path, bytes)
    }

    fn get(&self, path: String) -> BoxFuture<'static, Result<Option<Vec<u8>>, ArchiveError>> {
        let gate = self.0.clone();
        Box::pin(async move {
            gate.came.send_modify(|came| *came += 1);
            gate.open.acquire().await.unwrap().forget();
            gate.inner.get(path).await
        })
    }

    /// Who only looks whether something is there does not wait.
    fn has(&self, path: String) -> BoxFuture<'static, Result<bool, ArchiveError>> {
        self.0.inner.has(path)
    }

    fn place(&self) -> String {
        self.0.inner.place()
    }
}

on_each_backend!(a_run_that_somebody_ended_removes_nothing_more, 2);

async fn a_run_that_somebody_ended_removes_nothing_more() {
    let places = tempfile::tempdir().unwrap();
    let gate = Gate::before(&places);
    let archive: Arc<dyn Archive> = Arc::new(Gated(gate.clone()));
    let world = World::with(|settings| settings.archive = Some(archive)).await;
    let engine = world.engine();
    world.rule("", "event", 5).await;
    let job = engine.queue_retention(&world.context).await.unwrap();
    gate.came.subscribe().wait_for(|came| *came > 0).await.unwrap();
    // As another node does that takes this one for dead.
    let store = bench::store(engine);
    let now = world.clock.now();
    let ended = store
        .transaction("taken over", move |tx: &mut Tx| {
            Box::pin(async move { retention::end_broken(tx, now).await })
        })
        .await
        .unwrap();
    assert_eq!(ended.len(), 1, "{ended:?}");
    gate.open.add_permits(1_000);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while engine.job(&world.context, job).await.unwrap().error.is_none() {
        assert!(tokio::time::Instant::now() < deadline, "it was not noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut link = store.read().await.unwrap();
    assert_eq!(log::removed_by(&mut link, ended[0].id).await.unwrap().0, 0);
    let runs = retention::runs(&mut link, 100).await.unwrap();
    drop(link);
    let run = runs.iter().find(|run| run.id == ended[0].id).unwrap();
    assert_eq!((run.state.as_str(), run.message.as_deref()), ("failed", Some("it broke off")));
    let told = world.told("retention.run").await;
    assert!(
        told.iter().all(|run| run["removed"] != 0),
        "the ended run has no second end: {told:?}"
    );
    world.running.stop().await.unwrap();
}

on_each_backend!(what_a_run_removed_before_it_died_is_told, 2);

async fn what_a_run_removed_before_it_died_is_told() {
    let world = World::new().await;
    let engine = world.engine();
    let store = bench::store(engine);
    let id = engine.environment().id();
    let dead = Run::begun(id, ("old", 1), "every event", world.clock.now());
    let run = dead.clone();
    let begun = store.transaction("begin", move |tx: &mut Tx| {
        let run = run.clone();
        Box::pin(async move { retention::begin(tx, &run).await })
    });
    begun.await.unwrap();
    let parts = log::parts(&mut store.read().await.unwrap()).await.unwrap();
    if let Some(part) = parts.first() {
        let dropped = log::drop_part(store, *part, dead.id, 0, Duration::from_secs(60)).await;
        assert_eq!(dropped.unwrap(), 256);
    } else {
        let events = log::range(&mut store.read().await.unwrap(), LogIndex(0), 256).await.unwrap();
        let events: Vec<_> = events.into_iter().map(log::Sealed::into_event).collect();
        let trimmed = store.transaction("trim", move |tx: &mut Tx| {
            let events = events.clone();
            Box::pin(async move { log::trim(tx, dead.id, 0, &events).await })
        });
        trimmed.await.unwrap();
    }
    world.work().await;
    let runs = engine.retention_runs(&world.context, 10).await.unwrap();
    let run = runs.iter().find(|run| run.id == dead.id).unwrap();
    assert_eq!((run.state.as_str(), run.removed), ("failed", 256), "{run:?}");
    assert_eq!((run.first_index, run.last_index), (Some(LogIndex(0)), Some(LogIndex(255))));
    let told = world.told("retention.run").await;
    assert_eq!(told[0]["removed"], 256, "{told:?}");
    world.running.stop().await.unwrap();
}

#[test]
fn who_reads_the_archive_keeps_nobody_from_the_database() {
    run(Backend::Postgres, 2, async {
        let places = tempfile::tempdir().unwrap();
        let gate = Gate::before(&places);
        let archive: Arc<dyn Archive> = Arc::new(Gated(gate.clone()));
        let world = World::with(|settings| {
            settings.archive = Some(archive);
            settings.database_connections = 2;
        });
        let world = world.await;
        let engine = world.engine();
        world.rule("", "event", 5).await;
        gate.open.add_permits(1_000);
        assert_eq!(world.run().await.removed, 512);
        gate.open.forget_permits(1_000);
        gate.came.send_replace(0);
        // More of them than there are connections.
        let reading = (0..4).map(|index| {
            let (engine, context) = (engine.clone(), world.context.clone());
            tokio::spawn(async move { engine.event_at(&context, LogIndex(index)).await })
        });
        let reading: Vec<_> = reading.collect();
        gate.came.subscribe().wait_for(|came| *came >= 4).await.unwrap();
        let listed = tokio::time::timeout(PATIENCE, world.listed("index>=512")).await;
        assert!(!listed.expect("lists do not wait for the archive").is_empty());
        gate.open.add_permits(1_000);
        for read in join_all(reading).await {
            read.unwrap().unwrap();
        }
        world.running.stop().await.unwrap();
    });
}
