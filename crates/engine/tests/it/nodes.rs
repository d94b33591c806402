//! Several nodes on one database: one log, one sealer, every event once.

use std::path::Path;
use std::time::Duration;

use chancery_engine::automation::Class;
use chancery_engine::backup::Restored;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::{Context, Engine, Running, Settings, StartError, bench};
use chancery_event::id::{JobId, NodeId};
use chancery_event::{Environment, LogIndex, Timestamp};
use chancery_store::table::job::{self, NewJob};
use chancery_store::table::lease::{self, Term};
use chancery_store::table::node::{self, Node};
use chancery_store::{DatabaseUrl, Lane, Tampering, Tx, log};
use chancery_throwaway::{Backend, database_of, run, server};
use serde_json::json;

use crate::reaction::{save, trigger};
use crate::upload::{leaf, upload_of};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test that needs a server.
pub(crate) fn on_server(test: impl Future<Output = ()>) {
    run(Backend::Postgres, 2, test);
}

pub(crate) fn url(dir: &Path) -> DatabaseUrl {
    database_of(dir).unwrap().parse().unwrap()
}

fn settings(dir: &Path, database: DatabaseUrl) -> Settings {
    let database = Some(database);
    Settings { allow_unencrypted_key: true, database, ..Settings::new(dir) }
}

pub(crate) async fn start(dir: &Path, database: DatabaseUrl) -> Result<Running, StartError> {
    Engine::start(settings(dir, database), Environment::system()).await
}

pub(crate) fn copy_keys(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("keys")).unwrap();
    for file in std::fs::read_dir(from.join("keys")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join("keys").join(file.file_name())).unwrap();
    }
}

/// Two nodes on a database of their own, and their directories.
pub(crate) async fn two() -> (Running, Running, [tempfile::TempDir; 2]) {
    two_with(|_| {}).await
}

/// The same with other settings.
async fn two_with(set: impl Fn(&mut Settings)) -> (Running, Running, [tempfile::TempDir; 2]) {
    two_in([tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()], set).await
}

/// The same in these directories, on the database of the first.
async fn two_in(
    dirs: [tempfile::TempDir; 2],
    set: impl Fn(&mut Settings),
) -> (Running, Running, [tempfile::TempDir; 2]) {
    let database = url(dirs[0].path());
    let start = async |dir: &Path| {
        let mut settings = settings(dir, database.clone());
        set(&mut settings);
        Engine::start(settings, Environment::system()).await.unwrap()
    };
    let first = start(dirs[0].path()).await;
    copy_keys(dirs[0].path(), dirs[1].path());
    let second = start(dirs[1].path()).await;
    (first, second, dirs)
}

pub(crate) async fn record(engine: &Engine, count: usize) -> Vec<String> {
    let context = bench::context(engine.environment());
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.extend(bench::record(engine, &context, 3).await.unwrap());
    }
    ids.iter().map(ToString::to_string).collect()
}

async fn holder(engine: &Engine) -> Option<String> {
    let mut link = bench::store(engine).read().await.unwrap();
    lease::look(&mut link, "sealer").await.unwrap().and_then(|seen| seen.holder)
}

#[test]
fn a_node_that_comes_to_others_holds_no_copy_and_one_that_comes_alone_may() {
    on_server(async {
        let (first, second, dirs) = two().await;
        assert_eq!((first.unknown_loss, second.unknown_loss), (None, None));
        let stopped = tokio::join!(first.stop(), second.stop());
        stopped.0.and(stopped.1).unwrap();
        // Another machine with the keys alone: as it is after the database was loaded from a dump.
        let alone = tempfile::tempdir().unwrap();
        copy_keys(dirs[0].path(), alone.path());
        let third = start(alone.path(), url(dirs[0].path())).await.unwrap();
        let size = third.unknown_loss.unwrap();
        let engine = third.engine();
        assert!(engine.settle(PATIENCE).await);
        let mut link = bench::store(engine).read().await.unwrap();
        let events = log::range(&mut link, LogIndex(size), 1).await.unwrap();
        assert_eq!(events[0].event().type_name, "log.restore");
        drop(link);
        third.stop().await.unwrap();
        // Those that know the log come back to it as they were.
        let first = start(dirs[0].path(), url(dirs[0].path())).await.unwrap();
        assert_eq!(first.unknown_loss, None);
        first.stop().await.unwrap();
    });
}

#[test]
fn nodes_that_ran_where_a_copy_was_made_do_not_vanish_from_it() {
    on_server(async {
        let dir = tempfile::tempdir().unwrap();
        let first = start(dir.path(), url(dir.path())).await.unwrap();
        let ghost = ghost(first.engine()).await;
        let log_size = first.engine().figures().await.unwrap().log_size;
        first.stop().await.unwrap();
        // What `chancery restore` does once nobody works on the database.
        let restored = Some(Restored { log_size, published: None });
        let takeover = Duration::from_millis(500);
        let settings = Settings { restored, takeover, ..settings(dir.path(), url(dir.path())) };
        let second = Engine::start(settings, Environment::system()).await.unwrap();
        let engine = second.engine();
        let context = Context::command_line(engine.environment());
        let nodes = engine.nodes(&context).await.unwrap();
        let ghost = nodes.into_iter().find(|node| node.id == ghost.id).unwrap();
        assert_eq!(ghost.state, "vanished");
        // As long as it takes to find out that a node is gone.
        tokio::time::sleep(takeover * 3).await;
        assert_eq!(told(engine, "node.vanished").await, []);
        second.stop().await.unwrap();
    });
}

#[test]
fn events_of_all_nodes_come_into_one_log_once() {
    on_server(async {
        let (first, second, _dirs) = two().await;
        let nodes = [first.engine().clone(), second.engine().clone()];
        let recorded = tokio::join!(record(&nodes[0], 60), record(&nodes[1], 60));
        for node in &nodes {
            assert!(node.settle(PATIENCE).await);
            let context = Context::command_line(node.environment());
            node.verify_log(&context).await.unwrap();
        }
        let sealer = holder(&nodes[0]).await;
        // The holder stops in order; the other one need not wait for it.
        first.stop().await.unwrap();
        let later = record(&nodes[1], 5).await;
        assert!(nodes[1].settle(PATIENCE).await);
        assert_ne!(holder(&nodes[1]).await, sealer);
        let mut link = bench::store(&nodes[1]).read().await.unwrap();
        let events = log::range(&mut link, LogIndex(0), 10_000).await.unwrap();
        drop(link);
        let logged: Vec<String> =
            events.iter().map(|sealed| sealed.event().id.to_string()).collect();
        for id in recorded.0.iter().chain(&recorded.1).chain(&later) {
            assert_eq!(logged.iter().filter(|logged| *logged == id).count(), 1, "event {id}");
        }
        assert!(events.iter().zip(0..).all(|(sealed, index)| sealed.index().0 == index));
        second.stop().await.unwrap();
    });
}

#[test]
fn a_sealer_that_stops_leaves_to_others_what_they_go_on_recording() {
    on_server(async {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let database = database_of(dirs[0].path()).unwrap();
        let (first, second, _dirs) = two_in(dirs, |_| {}).await;
        let context = bench::context(first.engine().environment());
        let nodes = first.engine().nodes(&context).await.unwrap();
        let own = nodes.into_iter().find(|node| node.own).unwrap().id;
        assert_eq!(holder(first.engine()).await, Some(own.to_string()));
        server().slow_down_sealing(database.rsplit('/').next().unwrap(), 200);
        let engine = second.engine().clone();
        let load = tokio::spawn(async move {
            loop {
                record(&engine, 1).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        tokio::time::timeout(PATIENCE, first.stop()).await.expect("it stops").unwrap();
        assert!(!load.is_finished());
        load.abort();
        assert!(load.await.unwrap_err().is_cancelled());
        second.stop().await.unwrap();
    });
}

/// How far search and triggers have come, the one that is behind.
async fn acted_on(engine: &Engine) -> u64 {
    let mut link = bench::store(engine).read().await.unwrap();
    let places = log::cursors(&mut link).await.unwrap();
    let of = |name: &str| places.iter().find(|(of, _)| of == name).map_or(0, |(_, at)| at.0);
    of("projection").min(of("dispatch"))
}

#[test]
fn nodes_that_do_not_hear_each_other_go_by_their_timers() {
    on_server(async {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let database = database_of(dirs[0].path()).unwrap();
        let name = database.rsplit('/').next().unwrap();
        server().deafen(name);
        let (first, second, _dirs) = two_in(dirs, |settings| settings.monitors = false).await;
        let nodes = [first.engine(), second.engine()];
        let watch = trigger(&["configuration.create"], &[], &["tell"]);
        let steps = json!([{ "step": "raise_alert", "kind": "made", "title": "made" }]);
        let tell = (Class::Action, "tell", json!({ "steps": steps }));
        save(nodes[0], &[tell, (Class::Trigger, "watch", watch)]).await.unwrap();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        for round in 0..3 {
            for (node, number) in nodes.iter().zip(0..) {
                let context = Context::command_line(node.environment());
                let name = format!("group {round} {number}");
                let draft = LabelDraft { name, description: String::new() };
                node.create_label(&context, LabelClass::Group, draft).await.unwrap();
                // Each of them learns of it, whoever seals.
                for node in nodes {
                    assert!(node.settle(PATIENCE).await, "round {round}");
                }
            }
            let size = *nodes[0].sealed().borrow();
            while acted_on(nodes[1]).await < size {
                assert!(tokio::time::Instant::now() < deadline, "round {round}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let context = Context::command_line(nodes[1].environment());
            let filter = nodes[1].parse_evaluation_filter("trigger:watch verdict:matched").unwrap();
            let matched = nodes[1].evaluation_count(&context, &filter).await.unwrap();
            // Making the trigger and its action counts as well.
            assert_eq!(matched, 2 + 2 * (round + 1));
        }
        first.stop().await.unwrap();
        second.stop().await.unwrap();
        assert_eq!(server().unheard(name), 2, "both would have been heard");
    });
}

#[test]
fn the_same_certificate_on_two_nodes_enters_once() {
    on_server(async {
        let (first, second, _dirs) = two().await;
        let upload = async |node: &Running, der: Vec<u8>| {
            let engine = node.engine();
            let context = Context::command_line(engine.environment());
            let answer = engine.upload(&context, upload_of(der)).await.unwrap();
            let chancery_engine::inventory::UploadAnswer::Done(items) = answer else {
                panic!("done")
            };
            items.into_iter().next().unwrap().result.map_err(|error| error.reason())
        };
        for number in 0..12 {
            let der = leaf(&format!("host-{number}.example.com"));
            let (a, b) = tokio::join!(upload(&first, der.clone()), upload(&second, der));
            let refused = [a, b].into_iter().filter_map(Result::err).collect::<Vec<_>>();
            assert_eq!(refused, ["duplicate"]);
        }
        first.stop().await.unwrap();
        second.stop().await.unwrap();
    });
}

/// Sealed events of a type, as log index and subject.
async fn told(engine: &Engine, event_type: &str) -> Vec<(u64, String)> {
    assert!(engine.settle(PATIENCE).await);
    let mut link = bench::store(engine).read().await.unwrap();
    let events = log::range(&mut link, LogIndex(0), 10_000).await.unwrap();
    let of_type = events.iter().filter(|sealed| sealed.event().type_name == event_type);
    of_type.map(|sealed| (sealed.index().0, sealed.event().subject().unwrap().id.clone())).collect()
}

/// Enters a node that never shows that it lives.
pub(crate) async fn ghost(engine: &Engine) -> Node {
    ghost_ahead(engine, 0).await
}

/// The same, whose clock is so many microseconds ahead.
pub(crate) async fn ghost_ahead(engine: &Engine, ahead: i64) -> Node {
    let now = engine.environment().now();
    let ghost = Node {
        id: engine.environment().id::<NodeId>(),
        host: "elsewhere".to_owned(),
        version: "0.0.1".to_owned(),
        state: "running".to_owned(),
        beat: 7,
        log_size: 0,
        ahead,
        started_at: now,
        seen_at: now,
        ended_at: None,
    };
    let entering = ghost.clone();
    let entered = bench::store(engine).transaction("enter", move |tx: &mut Tx| {
        let ghost = entering.clone();
        Box::pin(async move { node::enter(tx, &ghost).await })
    });
    entered.await.unwrap();
    ghost
}

/// A job that a node does, for another hour: as one that this node did.
pub(crate) async fn held_by(engine: &Engine, node: NodeId) -> JobId {
    let context = Context::command_line(engine.environment());
    let done = engine.queue_log_verification(&context).await.unwrap();
    let mut link = bench::store(engine).read().await.unwrap();
    let mut like = job::find(&mut link, done).await.unwrap().unwrap();
    drop(link);
    let id = engine.environment().id::<JobId>();
    like.id = id;
    let (queue, token, now) = (like.queue.clone(), format!("{node}/token"), like.run_at);
    let new = NewJob { job: like, input: None, unique_key: None };
    let held = bench::store(engine).transaction("hold", move |tx: &mut Tx| {
        let (new, queue, token) = (new.clone(), queue.clone(), token.clone());
        Box::pin(async move {
            job::enqueue(tx, &new).await?;
            let far = Term::of(now, Timestamp::HOUR);
            Ok::<_, chancery_store::Error>(
                job::lease(tx, (&queue, &[]), 9, &token, now, far).await?.len(),
            )
        })
    });
    assert!(held.await.unwrap() >= 1);
    id
}

/// Has the log verified, and waits until that is done.
async fn verified(engine: &Engine) -> JobId {
    let context = Context::command_line(engine.environment());
    let id = engine.queue_log_verification(&context).await.unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while engine.job(&context, id).await.unwrap().state != "success" {
        assert!(tokio::time::Instant::now() < deadline, "the job does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    id
}

#[test]
fn a_job_of_a_kind_that_no_node_knows_yet_waits_for_one_that_does() {
    on_server(async {
        let (first, second, _dirs) = two().await;
        let engine = first.engine();
        let done = verified(engine).await;
        let store = bench::store(engine);
        let mut new = job::find(&mut store.read().await.unwrap(), done).await.unwrap().unwrap();
        let id = engine.environment().id::<JobId>();
        (new.id, new.kind) = (id, "log.verify_anew".to_owned());
        let new = NewJob { job: new, input: None, unique_key: None };
        let queued = store.transaction("queue", move |tx: &mut Tx| {
            let new = new.clone();
            Box::pin(async move { job::enqueue(tx, &new).await })
        });
        assert!(queued.await.unwrap());
        // Both nodes pass it over, and do what stands behind it in its queue.
        for node in [&first, &second] {
            verified(node.engine()).await;
        }
        let waits = job::find(&mut store.read().await.unwrap(), id).await.unwrap().unwrap();
        assert_eq!((waits.state.as_str(), waits.attempts), ("queued", 0), "{waits:?}");
        let stopped = tokio::join!(first.stop(), second.stop());
        stopped.0.and(stopped.1).unwrap();
    });
}

/// Waits until the node shows that it alone does everything there is to do alone.
pub(crate) async fn holds_everything(engine: &Engine) {
    let context = Context::command_line(engine.environment());
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let nodes = engine.nodes(&context).await.unwrap();
        let held = nodes.into_iter().find(|node| node.own).unwrap().leases;
        let names =
            ["agenda", "coverage", "dispatcher", "herald", "projector", "sealer", "validator"];
        if names.iter().all(|name| held.iter().any(|held| held == name)) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "it holds only {held:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn nodes_show_themselves_and_tell_once_who_vanishes_and_who_is_back() {
    on_server(async {
        let (first, second, _dirs) = two().await;
        let engine = first.engine().clone();
        let store = bench::store(&engine);
        let context = Context::command_line(engine.environment());
        // A third one that died at once, as far as anybody can tell.
        let ghost = ghost(&engine).await;
        let nodes = engine.nodes(&context).await.unwrap();
        assert_eq!(nodes.iter().filter(|node| node.state == "running").count(), 3);
        assert_eq!(nodes.iter().filter(|node| node.own).count(), 1);
        let job = held_by(&engine, ghost.id).await;
        let state = async |id: NodeId| {
            let nodes = engine.nodes(&context).await.unwrap();
            nodes.into_iter().find(|node| node.id == id).map(|node| node.state)
        };
        let told_of = async |event_type: &str, id: NodeId| {
            let told = told(&engine, event_type).await;
            told.iter().filter(|(_, subject)| *subject == id.to_string()).count()
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while state(ghost.id).await.as_deref() != Some("vanished") {
            assert!(tokio::time::Instant::now() < deadline, "nobody missed it");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(told_of("node.vanished", ghost.id).await, 1);
        // Its job waits for no lease of a minute.
        while engine.job(&context, job).await.unwrap().state != "success" {
            assert!(tokio::time::Instant::now() < deadline, "nobody takes its job over");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Somebody takes the second one for gone; it shows that it is not.
        let own = second.engine().nodes(&context).await.unwrap();
        let own = own.into_iter().find(|node| node.own).unwrap().id;
        let now = engine.environment().now();
        let declared = store.transaction("vanish", move |tx: &mut Tx| {
            Box::pin(async move {
                let running = node::running(tx).await?;
                let beat = running.iter().find(|node| node.id == own).unwrap().beat;
                node::vanish(tx, own, beat, now).await
            })
        });
        assert!(declared.await.unwrap());
        while state(own).await.as_deref() != Some("running") {
            assert!(tokio::time::Instant::now() < deadline, "it does not come back");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(told_of("node.returned", own).await, 1);
        assert_eq!(told_of("node.returned", ghost.id).await, 0);
        second.stop().await.unwrap();
        assert_eq!(state(own).await.as_deref(), Some("stopped"));
        assert_eq!(told(&engine, "service.stop").await.len(), 1);
        holds_everything(&engine).await;
        first.stop().await.unwrap();
    });
}

#[test]
fn a_node_that_lost_the_lease_seals_nothing_until_it_has_it_again() {
    on_server(async {
        let dir = tempfile::tempdir().unwrap();
        let running = start(dir.path(), url(dir.path())).await.unwrap();
        let engine = running.engine().clone();
        assert!(engine.settle(PATIENCE).await);
        let store = bench::store(&engine);
        let ours = lease::look(&mut store.read().await.unwrap(), "sealer").await.unwrap().unwrap();
        // Another node takes over, and vanishes.
        let mut taken = None;
        while taken.is_none() {
            let seen = lease::look(&mut store.read().await.unwrap(), "sealer").await.unwrap();
            let take = store.transaction_in(Lane::First, "seal.take", move |tx: &mut Tx| {
                let seen = seen.clone();
                Box::pin(async move { lease::take(tx, "sealer", "ghost", seen.as_ref()).await })
            });
            taken = take.await.unwrap();
        }
        assert_eq!(taken.unwrap().token(), ours.token + 1);
        let before = log::state(&mut store.read().await.unwrap()).await.unwrap();
        record(&engine, 2).await;
        let settled = engine.settle(Duration::from_secs(2)).await;
        let state = log::state(&mut store.read().await.unwrap()).await.unwrap();
        let now = lease::look(&mut store.read().await.unwrap(), "sealer").await.unwrap().unwrap();
        // On a slow machine it may have the lease back by now.
        let is_gone = now.token == ours.token + 1;
        assert!(!is_gone || (!settled && state == before), "it sealed without the lease");
        // The ghost shows no life: after a while the node takes the lease back.
        assert!(engine.settle(PATIENCE).await);
        let again = lease::look(&mut store.read().await.unwrap(), "sealer").await.unwrap().unwrap();
        assert_eq!(again.token, ours.token + 2);
        assert_eq!(again.holder, ours.holder);
        running.stop().await.unwrap();
    });
}

#[test]
fn every_node_tells_that_sealing_has_stopped_and_how_long_events_wait() {
    on_server(async {
        // Setting monitors up takes a moment, and leaves events when nobody waits for them.
        let (first, second, _dirs) = two_with(|settings| settings.monitors = false).await;
        let nodes = [first.engine().clone(), second.engine().clone()];
        for node in &nodes {
            assert!(node.settle(PATIENCE).await);
            assert_eq!(node.figures().await.unwrap().pending_since, None);
        }
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let until = async |met: &dyn Fn(&Engine) -> bool| {
            while !nodes.iter().all(met) {
                assert!(tokio::time::Instant::now() < deadline);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // Also the one that never sealed knows when the newest checkpoint was signed. Were it behind,
        // it would find on its own that the log is not the one it knows, and tell that too.
        let signed_at = |node: &Engine| node.health().sealed_at();
        until(&|node| signed_at(node).is_some() && signed_at(node) == signed_at(&nodes[0])).await;
        let began = nodes[0].environment().now();
        bench::store(&nodes[0]).tamper(Tampering::FirstHash).await.unwrap();
        record(&nodes[1], 1).await;
        until(&|node| node.health().sealing_stopped().is_some()).await;
        for node in &nodes {
            let told = node.health().findings();
            assert!(told.iter().any(|finding| finding.part == "log" && !finding.good), "{told:?}");
            let since = node.figures().await.unwrap().pending_since.unwrap();
            assert!(since >= began);
        }
        // One of them recorded it, though each tried in its turn.
        let mut link = bench::store(&nodes[0]).read().await.unwrap();
        let told = async |link: &mut chancery_store::Link| {
            let pending = log::pending(link, 1_000).await.unwrap();
            let is_stop =
                |entry: &[u8]| String::from_utf8_lossy(entry).contains("log.seal_stopped");
            pending.iter().filter(|row| is_stop(row.entry())).count()
        };
        assert_eq!(told(&mut link).await, 1);
        let before = lease::look(&mut link, "sealer").await.unwrap().unwrap();
        while lease::look(&mut link, "sealer").await.unwrap().unwrap().token < before.token + 2 {
            assert!(tokio::time::Instant::now() < deadline, "the lease stays where it was");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(told(&mut link).await, 1);
        drop(link);
        first.stop().await.unwrap();
        second.stop().await.unwrap();
    });
}

#[test]
fn a_node_with_other_keys_is_refused_and_makes_none() {
    on_server(async {
        let (one, two, three) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        let database = url(one.path());
        start(one.path(), database.clone()).await.unwrap().stop().await.unwrap();
        let told = start(two.path(), database.clone()).await.err().unwrap().to_string();
        assert!(told.contains("every node needs the same keys"), "{told}");
        assert!(!two.path().join("keys").exists());
        let third = start(three.path(), url(three.path())).await.unwrap();
        // Nor does a second node begin in the directory of one that runs.
        let told = start(three.path(), url(three.path())).await.err().unwrap().to_string();
        assert!(told.contains("another process is using this data directory"), "{told}");
        third.stop().await.unwrap();
        let told = start(three.path(), database).await.err().unwrap().to_string();
        assert!(told.contains("every node needs the same keys"), "{told}");
    });
}

#[test]
fn recording_sealing_and_projecting_do_not_stand_in_each_others_way() {
    on_server(async {
        let dir = tempfile::tempdir().unwrap();
        let running = start(dir.path(), url(dir.path())).await.unwrap();
        let engine = running.engine();
        // Single units at once, so that groups, rounds of the sealer and projections interleave.
        let callers = (0..40).map(|_| record(engine, 25));
        let recorded: Vec<String> =
            futures::future::join_all(callers).await.into_iter().flatten().collect();
        assert_eq!(recorded.len(), 40 * 25 * 3);
        assert!(engine.settle(PATIENCE).await);
        running.stop().await.unwrap();
    });
}

/// What a node finds about the archive: whether all is as it should be, if it can tell.
fn sees_archive(node: &Engine) -> Option<bool> {
    let findings = node.health().findings();
    findings.iter().find(|finding| finding.part == "archive").map(|finding| finding.good)
}

#[test]
fn a_node_that_does_not_see_the_archive_of_the_others_says_so() {
    on_server(async {
        // Each has a directory of its own.
        let (first, second, dirs) = two_with(|settings| {
            settings.monitors = false;
            settings.archive_always = true;
        })
        .await;
        let nodes = [first.engine().clone(), second.engine().clone()];
        record(&nodes[0], 200).await;
        assert!(nodes[0].settle(PATIENCE).await);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let until = async |what: &str, met: &dyn Fn() -> bool| {
            while !met() {
                assert!(tokio::time::Instant::now() < deadline, "{what}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let told = || nodes.each_ref().map(sees_archive);
        until("both have looked", &|| told().iter().all(Option::is_some)).await;
        let blind = told().iter().position(|seen| *seen == Some(false)).unwrap();
        assert_eq!(told()[1 - blind], Some(true), "who writes it sees it");
        let findings = nodes[blind].health().findings();
        let finding = findings.iter().find(|finding| !finding.good).unwrap();
        for part in ["lacks tile/entries/000", dirs[blind].path().to_str().unwrap()] {
            assert!(finding.message.contains(part), "{part}: {}", finding.message);
        }
        // It is put where that node looks as well.
        let from = dirs[1 - blind].path().join("archive");
        let mut copy = std::process::Command::new("cp");
        let copied = copy.arg("-r").arg(from).arg(dirs[blind].path()).status().unwrap();
        assert!(copied.success());
        until("it is seen", &|| told() == [Some(true); 2]).await;
        first.stop().await.unwrap();
        second.stop().await.unwrap();
    });
}
