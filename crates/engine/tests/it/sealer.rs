//! The sealer when its writes fail, and when somebody has changed what it finds.
//!
//! Each of its writes fails twice: once with nothing written, once with everything written and the
//! answer lost. Whatever happens, the log stays one: every event once, in a tree that verifies.

use std::time::Duration;

use chancery_engine::{Context, Engine, Running, Settings, Stepped, bench};
use chancery_event::{Environment, LogIndex};
use chancery_store::log::{self, Projection, Sealed};
use chancery_store::table::setting;
use chancery_store::{Altered, Fault, Link, Tampering, Tx};
use chancery_throwaway::on_each_backend;

use crate::upload::{settings, start};

const PATIENCE: Duration = Duration::from_secs(60);

/// An engine on a store of its own.
async fn begun() -> (tempfile::TempDir, Running, Engine) {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine().clone();
    (dir, running, engine)
}

/// The same without loops.
pub(crate) async fn stepped() -> (tempfile::TempDir, Stepped, Engine) {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        Settings { allow_unencrypted_key: true, monitors: false, ..settings(dir.path()) };
    let stepped = Stepped::open(settings, Environment::system()).await.unwrap();
    let engine = stepped.engine().clone();
    (dir, stepped, engine)
}

/// Waits until sealing counts as stopped, or does not any more.
async fn stops(engine: &Engine, stopped: bool) {
    let reached = async {
        while engine.health().sealing_stopped().is_some() != stopped {
            tokio::task::yield_now().await;
        }
    };
    let reached = tokio::time::timeout(PATIENCE, reached).await;
    reached.unwrap_or_else(|_| panic!("sealing stopped: not {stopped}"));
}

pub(crate) async fn record(engine: &Engine, count: usize) -> Vec<String> {
    let context = bench::context(engine.environment());
    let ids = bench::record(engine, &context, count).await.unwrap();
    ids.iter().map(ToString::to_string).collect()
}

pub(crate) async fn logged(engine: &Engine) -> Vec<String> {
    let mut link = bench::store(engine).read().await.unwrap();
    let events = log::range(&mut link, LogIndex(0), 10_000).await.unwrap();
    events.iter().map(|sealed| sealed.event().id.to_string()).collect()
}

on_each_backend!(a_write_that_fails_leaves_one_log_whether_it_was_persisted_or_not, 2);

async fn a_write_that_fails_leaves_one_log_whether_it_was_persisted_or_not() {
    let (_dir, running, engine) = begun().await;
    assert!(engine.settle(PATIENCE).await);
    for name in ["seal.sequence", "seal.publish"] {
        for fault in [Fault::NotPersisted, Fault::Persisted] {
            let store = bench::store(&engine);
            store.inject(name, fault);
            let recorded = record(&engine, 300).await;
            assert!(engine.settle(PATIENCE).await, "{name} {fault:?}");
            assert_eq!(store.faults_waiting(), 0, "{name} was not reached");
            let logged = logged(&engine).await;
            for id in &recorded {
                let times = logged.iter().filter(|logged| *logged == id).count();
                assert_eq!(times, 1, "{name} {fault:?}: event {id}");
            }
            assert_eq!(engine.health().sealing_stopped(), None);
            let context = Context::command_line(engine.environment());
            engine.verify_log(&context).await.unwrap();
        }
    }
    running.stop().await.unwrap();
}

on_each_backend!(a_quarantine_that_fails_sets_the_row_aside_once, 2);

async fn a_quarantine_that_fails_sets_the_row_aside_once() {
    for fault in [Fault::NotPersisted, Fault::Persisted] {
        let (_dir, running, engine) = begun().await;
        assert!(engine.settle(PATIENCE).await);
        bench::store(&engine).inject("seal.quarantine", fault);
        bench::store(&engine).tamper(Tampering::ForgedPending).await.unwrap();
        let recorded = record(&engine, 3).await;
        assert!(engine.settle(PATIENCE).await, "{fault:?}");
        let logged = logged(&engine).await;
        assert!(recorded.iter().all(|id| logged.contains(id)));
        assert_eq!(bench::store(&engine).quarantined().await.unwrap(), 1, "{fault:?}");
        let mut link = bench::store(&engine).read().await.unwrap();
        let events = log::range(&mut link, LogIndex(0), 1_000).await.unwrap();
        let alarms = events.iter().filter(|e| e.event().type_name == "event.unsealed_pending");
        assert_eq!(alarms.count(), 1, "{fault:?}");
        drop(link);
        running.stop().await.unwrap();
    }
}

/// The entry of the event that sealing has stopped; it stays pending.
async fn stop_event(link: &mut Link) -> String {
    loop {
        for row in log::pending(link, 1_000).await.unwrap() {
            let entry = String::from_utf8_lossy(row.entry());
            if entry.contains("log.seal_stopped") {
                return entry.into_owned();
            }
        }
        tokio::task::yield_now().await;
    }
}

/// What somebody may change, and what the sealer must then refuse to sign over.
const TAMPERED: [Tampering; 3] =
    [Tampering::FirstHash, Tampering::NewestRoot, Tampering::FirstTile];

on_each_backend!(nothing_is_signed_over_a_log_that_was_changed, 2);

async fn nothing_is_signed_over_a_log_that_was_changed() {
    for how in TAMPERED {
        let (_dir, running, engine) = begun().await;
        assert!(engine.settle(PATIENCE).await);
        record(&engine, 10).await;
        assert!(engine.settle(PATIENCE).await);
        let mut link = bench::store(&engine).read().await.unwrap();
        let before = log::checkpoint(&mut link).await.unwrap().unwrap().size;
        drop(link);
        bench::store(&engine).tamper(how).await.unwrap();
        record(&engine, 10).await;
        stops(&engine, true).await;
        let mut link = bench::store(&engine).read().await.unwrap();
        let state = log::state(&mut link).await.unwrap();
        let newest = log::checkpoint(&mut link).await.unwrap().unwrap();
        assert_eq!((state.signed_size, newest.size), (before, before), "{how:?}");
        assert!(engine.health().findings().iter().any(|finding| !finding.good), "{how:?}");
        let stop = tokio::time::timeout(PATIENCE, stop_event(&mut link)).await.unwrap();
        let word = if how == Tampering::FirstTile { "tree_damaged" } else { "root_mismatch" };
        assert!(stop.contains(word), "{how:?}: {stop}");
        let roots = stop.contains("expected_root") && stop.contains("computed_root");
        assert_eq!(roots, how != Tampering::FirstTile, "{how:?}: {stop}");
        drop(link);
        running.stop().await.unwrap();
    }
}

on_each_backend!(a_log_that_was_put_right_is_sealed_again_and_health_says_so, 2);

async fn a_log_that_was_put_right_is_sealed_again_and_health_says_so() {
    let (_dir, running, engine) = begun().await;
    record(&engine, 10).await;
    assert!(engine.settle(PATIENCE).await);
    let store = bench::store(&engine);
    for times in 1..=2 {
        store.tamper(Tampering::FirstTile).await.unwrap();
        record(&engine, 1).await;
        stops(&engine, true).await;
        store.tamper(Tampering::SameTile).await.unwrap();
        stops(&engine, false).await;
        assert!(engine.settle(PATIENCE).await);
        let mut link = store.read().await.unwrap();
        let events = log::range(&mut link, LogIndex(0), 1_000).await.unwrap();
        let stops: Vec<_> =
            events.iter().filter(|e| e.event().type_name == "log.seal_stopped").collect();
        assert_eq!(stops.len(), times, "each time is told once");
        assert!(stops.iter().all(|stop| stop.event().detail["stopped_by"] == "tree_damaged"));
    }
    running.stop().await.unwrap();
}

on_each_backend!(a_stop_is_told_once_the_store_takes_the_event_and_ends_also_when_nothing_waits, 2);

async fn a_stop_is_told_once_the_store_takes_the_event_and_ends_also_when_nothing_waits() {
    let (_dir, running, engine) = begun().await;
    record(&engine, 10).await;
    assert!(engine.settle(PATIENCE).await);
    let store = bench::store(&engine);
    // Whatever stops sealing also keeps the event that tells of it from being written, twice.
    store.inject("seal.stopped", Fault::NotPersisted);
    store.inject("seal.stopped", Fault::NotPersisted);
    store.tamper(Tampering::FirstTile).await.unwrap();
    record(&engine, 1).await;
    let mut link = store.read().await.unwrap();
    let stop = tokio::time::timeout(PATIENCE, stop_event(&mut link)).await.unwrap();
    assert!(stop.contains("tree_damaged"), "{stop}");
    // Nothing waits any more, so that nothing will be sealed: the log is found in order as it is.
    store.tamper(Tampering::NothingPending).await.unwrap();
    store.tamper(Tampering::SameTile).await.unwrap();
    stops(&engine, false).await;
    drop(link);
    running.stop().await.unwrap();
}

on_each_backend!(a_stop_and_its_end_are_told_once_also_where_telling_them_fails, 2);

async fn a_stop_and_its_end_are_told_once_also_where_telling_them_fails() {
    let faults = [Fault::NotPersisted, Fault::Persisted];
    let (_dir, running, engine) = begun().await;
    let store = bench::store(&engine);
    record(&engine, 10).await;
    assert!(engine.settle(PATIENCE).await);
    let mut times = 0;
    for stop in faults {
        for end in faults {
            times += 1;
            store.inject("seal.stopped", stop);
            store.inject("seal.resumed", end);
            store.tamper(Tampering::FirstTile).await.unwrap();
            record(&engine, 1).await;
            stops(&engine, true).await;
            let told = async {
                while halted(&engine).await.is_none() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, told).await.expect("it is told in the end");
            store.tamper(Tampering::SameTile).await.unwrap();
            stops(&engine, false).await;
            assert!(engine.settle(PATIENCE).await);
            let ended = async {
                while halted(&engine).await.is_some() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, ended).await.expect("its end is told in the end");
            assert_eq!(store.faults_waiting(), 0, "{stop:?} {end:?}");
            let mut link = store.read().await.unwrap();
            let events = log::range(&mut link, LogIndex(0), 1_000).await.unwrap();
            let told = events.iter().filter(|e| e.event().type_name == "log.seal_stopped");
            assert_eq!(told.count(), times, "{stop:?} {end:?}");
        }
    }
    running.stop().await.unwrap();
}

/// What stands in the store of a stop.
async fn halted(engine: &Engine) -> Option<String> {
    let mut link = bench::store(engine).read().await.unwrap();
    setting::find(&mut link, "log.stopped").await.unwrap()
}

on_each_backend!(entries_that_change_between_sequence_and_checkpoint_are_not_signed, 2);

async fn entries_that_change_between_sequence_and_checkpoint_are_not_signed() {
    let (_dir, stepped, engine) = stepped().await;
    let store = bench::store(&engine);
    stepped.seal().await.unwrap();
    let mut link = store.read().await.unwrap();
    let before = log::state(&mut link).await.unwrap();
    // The checkpoint fails once. Before the sealer tries again somebody is quick.
    store.inject("seal.publish", Fault::NotPersisted);
    record(&engine, 10).await;
    stepped.seal().await.unwrap_err();
    let state = log::state(&mut link).await.unwrap();
    assert_eq!((state.size, state.signed_size), (before.size + 10, before.signed_size));
    store.tamper(Tampering::NewestEntry).await.unwrap();
    let refused = stepped.seal().await.unwrap_err();
    assert_eq!(log::state(&mut link).await.unwrap().signed_size, before.signed_size, "{refused}");
    drop(link);
    stepped.kill().await;
}

on_each_backend!(a_pending_row_of_other_types_is_set_aside_and_the_log_goes_on, 2);

async fn a_pending_row_of_other_types_is_set_aside_and_the_log_goes_on() {
    let (_dir, running, engine) = begun().await;
    let store = bench::store(&engine);
    store.tamper(Tampering::OddPending).await.unwrap();
    let recorded = record(&engine, 3).await;
    assert!(engine.settle(PATIENCE).await);
    assert_eq!(store.quarantined().await.unwrap(), 1);
    let logged = logged(&engine).await;
    assert!(recorded.iter().all(|id| logged.contains(id)));
    assert_eq!(engine.health().sealing_stopped(), None);
    running.stop().await.unwrap();
}

on_each_backend!(an_event_that_was_changed_while_it_waited_is_not_sealed, 2);

async fn an_event_that_was_changed_while_it_waited_is_not_sealed() {
    use Altered::{Entry, Identifier, NoPart, Part, Salt, Time};
    let (_dir, stepped, engine) = stepped().await;
    let store = bench::store(&engine);
    stepped.seal().await.unwrap();
    for (times, what) in (1..).zip([Identifier, Time, Entry, Salt, Part, NoPart]) {
        let recorded = record(&engine, 3).await;
        store.tamper(Tampering::AlteredPending(what)).await.unwrap();
        let mut link = store.read().await.unwrap();
        let before = log::state(&mut link).await.unwrap().size;
        let waiting = log::pending(&mut link, 10).await.unwrap();
        let altered = waiting.last().unwrap().event_id().into_owned();
        stepped.seal().await.unwrap();
        assert_eq!(store.quarantined().await.unwrap(), times, "{what:?}");
        let events = log::range(&mut link, LogIndex(before), 100).await.unwrap();
        let ids: Vec<_> = events.iter().map(|sealed| sealed.event().id.to_string()).collect();
        assert!(ids.contains(&recorded[0]) && ids.contains(&recorded[1]), "{what:?}");
        assert!(!ids.contains(&recorded[2]) && !ids.contains(&altered), "{what:?}");
        let alarms: Vec<_> = events
            .iter()
            .map(Sealed::event)
            .filter(|event| event.type_name == "event.invalid_pending_seal")
            .map(|event| (event.targets[0].id.clone(), event.outcome.reason.clone().unwrap()))
            .collect();
        assert_eq!(alarms, [(altered, "invalid_seal".into())], "{what:?}");
    }
    engine.verify_log(&Context::command_line(engine.environment())).await.unwrap();
    stepped.kill().await;
}

on_each_backend!(a_copy_of_a_recorded_event_is_set_aside_and_the_log_goes_on, 2);

async fn a_copy_of_a_recorded_event_is_set_aside_and_the_log_goes_on() {
    let (_dir, stepped, engine) = stepped().await;
    let store = bench::store(&engine);
    stepped.seal().await.unwrap();
    let mut recorded = record(&engine, 3).await;
    // Its seal is as good as that of the event it was copied from.
    store.tamper(Tampering::CopiedPending).await.unwrap();
    stepped.seal().await.unwrap();
    assert_eq!(store.quarantined().await.unwrap(), 1);
    // The same bytes once more, now that the log has them.
    recorded.extend(record(&engine, 1).await);
    store.tamper(Tampering::ReplayedPending).await.unwrap();
    stepped.seal().await.unwrap();
    assert_eq!(store.quarantined().await.unwrap(), 2);
    let logged = logged(&engine).await;
    for id in &recorded {
        assert_eq!(logged.iter().filter(|logged| *logged == id).count(), 1, "event {id}");
    }
    let mut link = store.read().await.unwrap();
    let events = log::range(&mut link, LogIndex(0), 1_000).await.unwrap();
    let alarms: Vec<_> = events
        .iter()
        .filter(|e| e.event().type_name == "event.invalid_pending_seal")
        .map(|e| e.event().outcome.reason.clone().unwrap())
        .collect();
    assert_eq!(alarms, ["duplicate", "duplicate"]);
    drop(link);
    engine.verify_log(&Context::command_line(engine.environment())).await.unwrap();
    stepped.kill().await;
}

on_each_backend!(a_copy_of_an_old_event_is_found_behind_the_newest, 2);

async fn a_copy_of_an_old_event_is_found_behind_the_newest() {
    let (_dir, stepped, engine) = stepped().await;
    let store = bench::store(&engine);
    stepped.seal().await.unwrap();
    let recorded = record(&engine, 1).await;
    store.tamper(Tampering::CopiedPending).await.unwrap();
    stepped.seal().await.unwrap();
    assert_eq!(store.quarantined().await.unwrap(), 1);
    // Others follow, so that it is not among the newest any more.
    let others = record(&engine, 5).await;
    stepped.seal().await.unwrap();
    store.tamper(Tampering::ReplayedPending).await.unwrap();
    stepped.seal().await.unwrap();
    assert_eq!(store.quarantined().await.unwrap(), 2);
    let logged = logged(&engine).await;
    for id in recorded.iter().chain(&others) {
        assert_eq!(logged.iter().filter(|logged| *logged == id).count(), 1, "event {id}");
    }
    engine.verify_log(&Context::command_line(engine.environment())).await.unwrap();
    stepped.kill().await;
}

on_each_backend!(a_copy_of_an_event_that_was_removed_is_set_aside_as_well, 2);

async fn a_copy_of_an_event_that_was_removed_is_set_aside_as_well() {
    let (_dir, stepped, engine) = stepped().await;
    let store = bench::store(&engine);
    stepped.seal().await.unwrap();
    record(&engine, 3).await;
    store.tamper(Tampering::CopiedPending).await.unwrap();
    stepped.seal().await.unwrap();
    assert_eq!(store.quarantined().await.unwrap(), 1);
    // It waits once more, and meanwhile retention takes all of them out of the database.
    store.tamper(Tampering::ReplayedPending).await.unwrap();
    let events = log::range(&mut store.read().await.unwrap(), LogIndex(0), 1_000).await.unwrap();
    let events: Vec<_> = events.into_iter().map(Sealed::into_event).collect();
    let (run, now) = (engine.environment().id(), engine.environment().now());
    let trim = store.transaction("trim", move |tx: &mut Tx| {
        let events = events.clone();
        Box::pin(async move {
            // What is removed has been projected.
            let projection = Projection::new(tx.dialect(), LogIndex(0), &events);
            log::project(tx, &projection, now).await?;
            log::trim(tx, run, 0, &events).await
        })
    });
    trim.await.unwrap();
    let size = log::state(&mut store.read().await.unwrap()).await.unwrap().size;
    stepped.seal().await.unwrap();
    assert_eq!(store.quarantined().await.unwrap(), 2);
    let mut link = store.read().await.unwrap();
    for sealed in log::range(&mut link, LogIndex(size), 1_000).await.unwrap() {
        assert_ne!(sealed.event().type_name, "certificate.uploaded", "sealed a second time");
    }
    drop(link);
    stepped.kill().await;
}

on_each_backend!(a_failure_that_does_not_pass_stops_sealing_until_it_is_gone, 2);

async fn a_failure_that_does_not_pass_stops_sealing_until_it_is_gone() {
    let (_dir, running, engine) = begun().await;
    assert!(engine.settle(PATIENCE).await);
    let store = bench::store(&engine);
    store.tamper(Tampering::EntryBehind).await.unwrap();
    let recorded = record(&engine, 1).await;
    stops(&engine, true).await;
    assert!(engine.health().findings().iter().any(|finding| !finding.good));
    store.tamper(Tampering::NothingBehind).await.unwrap();
    stops(&engine, false).await;
    assert!(engine.settle(PATIENCE).await);
    assert!(logged(&engine).await.contains(&recorded[0]));
    let mut link = store.read().await.unwrap();
    let events = log::range(&mut link, LogIndex(0), 1_000).await.unwrap();
    let stops: Vec<_> =
        events.iter().filter(|e| e.event().type_name == "log.seal_stopped").collect();
    assert_eq!(stops.len(), 1);
    assert_eq!(stops[0].event().detail["stopped_by"], "store");
    drop(link);
    running.stop().await.unwrap();
}
