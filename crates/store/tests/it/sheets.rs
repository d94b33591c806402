//! What the log writes in sheets of rows arrives whole, whatever its number, and what was committed
//! without waiting for the disc may be lost: then it is done again from what is durable.

use std::path::Path;
use std::sync::Arc;

use chancery_event::{Environment, Event, LogIndex, Origin, Severity, Timestamp, Verdict};
use chancery_seal::hash::Hash;
use chancery_store::log::{self, Checkpoint, Indexed, Sealed, Sequence};
use chancery_store::{Error, Lane, Recorded, Settings, Store, Tx};
use chancery_throwaway::on_each_backend;

use crate::log::{NOW, Sketch, certificate, project};
use crate::store;

/// Records so many events with one unit, each with an actor, an address and a target.
async fn record(store: &Store, environment: &Environment, count: u64) {
    let event = |number| {
        let sketch = Sketch {
            event_type: "certificate.upload",
            severity: Severity::Info,
            result: Verdict::Success,
            origin: Origin::Api,
            time: NOW,
            actor: Some("ada"),
            ip: Some("192.0.2.7".to_owned()),
            targets: vec![certificate(number)],
            message: None,
        };
        let event = sketch.event(environment, None);
        let entry = event.entry(environment.random()).unwrap();
        Arc::new(Recorded {
            event_id: event.id,
            recorded_at: Timestamp::from_micros(NOW),
            entry: entry.bytes,
            part: entry.personal.map(|part| (part.salt, part.part)),
            seal: [0; 32],
        })
    };
    let events: Arc<Vec<_>> = Arc::new((0..count).map(event).collect());
    let unit = store.transaction("record", move |tx: &mut Tx| {
        for event in events.iter() {
            tx.record(event.clone());
        }
        Box::pin(async { Ok::<(), Error>(()) })
    });
    unit.await.unwrap();
}

/// Gives what is pending its indexes, as the sealer does; answers how large the log is then.
async fn sequence(store: &Store) -> u64 {
    let mut link = store.read().await.unwrap();
    let from = log::state(&mut link).await.unwrap().size;
    let rows = log::pending(&mut link, 10_000).await.unwrap();
    drop(link);
    let indexed = |(row, index): (log::PendingRow, u64)| {
        let event = Arc::new(Event::open(row.entry(), None).unwrap());
        Indexed { row, index: LogIndex(index), event }
    };
    let events: Vec<Indexed> = rows.into_iter().zip(from..).map(indexed).collect();
    let size = from + events.len() as u64;
    let sequence = Arc::new(Sequence::new(from, &events, &[], Timestamp::from_micros(NOW)));
    let unit = store.transaction_in(Lane::Step, "seal.sequence", move |tx: &mut Tx| {
        let sequence = sequence.clone();
        Box::pin(async move { log::sequence(tx, &sequence).await })
    });
    unit.await.unwrap();
    size
}

async fn publish(store: &Store, size: u64) {
    let from = log::state(&mut store.read().await.unwrap()).await.unwrap().signed_size;
    let unit = store.transaction_in(Lane::First, "seal.publish", move |tx: &mut Tx| {
        let at = Timestamp::from_micros(NOW);
        let note = "none".to_owned();
        let checkpoint = Checkpoint { size, root: Hash([0; 32]), note, signed_at: at };
        Box::pin(async move { log::publish(tx, from, &checkpoint).await })
    });
    unit.await.unwrap();
}

async fn count(store: &Store, what: &str) -> u64 {
    let sql = format!("SELECT COUNT(*) AS n FROM {what}");
    let found = store.read().await.unwrap().number(sql, vec![]).await.unwrap();
    u64::try_from(found).unwrap()
}

on_each_backend!(as_many_rows_arrive_as_were_recorded_whatever_their_number);

async fn as_many_rows_arrive_as_were_recorded_whatever_their_number() {
    let (_place, store) = store().await;
    let environment = Environment::system();
    let mut size = 0;
    // Around the rows of a statement and of a sheet.
    for events in [1, 2, 3, 63, 64, 65, 131, 255, 256, 257, 515] {
        record(&store, &environment, events).await;
        assert_eq!(count(&store, "pending_event").await, events);
        assert_eq!(sequence(&store).await, size + events);
        size += events;
        publish(&store, size).await;
        project(&store, size).await;
        assert_eq!(count(&store, "pending_event").await, 0, "{events}");
        for table in ["event", "event_target", "event_key WHERE name = 'actor_name'"] {
            assert_eq!(count(&store, table).await, size, "{table} after {events}");
        }
        let mut link = store.read().await.unwrap();
        let newest = log::range(&mut link, LogIndex(size - events), 1_000).await.unwrap();
        let targets: Vec<_> = newest.iter().map(|sealed| sealed.event().targets.clone()).collect();
        let expected: Vec<_> = (0..events).map(|number| vec![certificate(number)]).collect();
        assert!(targets == expected, "{events} events are not in the order they were recorded in");
    }
}

#[tokio::test]
async fn what_was_erased_is_in_no_file_of_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&Settings::embedded(dir.path())).await.unwrap();
    let environment = Environment::system();
    record(&store, &environment, 200).await;
    let size = sequence(&store).await;
    publish(&store, size).await;
    project(&store, size).await;
    let found = || {
        let files = ["chancery.db", "chancery.db-wal"].map(|name| dir.path().join(name));
        let count = |file| {
            let bytes = std::fs::read(file).unwrap();
            bytes.windows(9).filter(|nine| *nine == b"192.0.2.7").count()
        };
        files.map(count)
    };
    assert!(store.write_back().await.unwrap());
    assert!(found()[0] >= 200, "the addresses are not where they were looked for");
    for index in 0..size {
        let erasing = store.transaction("erase", move |tx: &mut Tx| {
            Box::pin(async move { log::erase(tx, LogIndex(index)).await })
        });
        assert!(erasing.await.unwrap());
    }
    assert!(store.write_back().await.unwrap());
    assert_eq!(found(), [0, 0]);
    store.close().await;
}

/// The files of a database as they would be found after a loss of power that took the end of the
/// write-ahead log.
fn copy(from: &Path, to: &Path, log_bytes: u64) {
    std::fs::copy(from.join("chancery.db"), to.join("chancery.db")).unwrap();
    let log = to.join("chancery.db-wal");
    std::fs::copy(from.join("chancery.db-wal"), &log).unwrap();
    std::fs::File::options().write(true).open(log).unwrap().set_len(log_bytes).unwrap();
}

#[tokio::test]
async fn a_step_that_is_lost_with_the_power_is_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&Settings::embedded(dir.path())).await.unwrap();
    let environment = Environment::system();
    let log_bytes = || std::fs::metadata(dir.path().join("chancery.db-wal")).unwrap().len();
    record(&store, &environment, 100).await;
    let size = sequence(&store).await;
    publish(&store, size).await;
    record(&store, &environment, 300).await;
    let recorded = log_bytes();
    let size = sequence(&store).await;
    let sequenced = log_bytes();
    assert!(sequenced > recorded, "the step did not write to the end of the log");
    let whole = {
        publish(&store, size).await;
        log_bytes()
    };
    // In the middle of a frame as well: what is not whole counts as not written.
    for kept in [recorded, (recorded + sequenced) / 2, sequenced, whole] {
        let found = tempfile::tempdir().unwrap();
        copy(dir.path(), found.path(), kept);
        let store = Store::open(&Settings::embedded(found.path())).await.unwrap();
        let state = log::state(&mut store.read().await.unwrap()).await.unwrap();
        let signed = if kept == whole { 400 } else { 100 };
        assert_eq!(state.signed_size, signed, "{kept} bytes");
        assert_eq!(state.size, if kept < sequenced { 100 } else { 400 }, "{kept} bytes");
        assert_eq!(count(&store, "pending_event").await, 400 - state.size, "{kept} bytes");
        if state.size < 400 {
            assert_eq!(sequence(&store).await, 400);
        }
        if state.signed_size < 400 {
            publish(&store, 400).await;
        }
        project(&store, 400).await;
        let mut link = store.read().await.unwrap();
        let events = log::range(&mut link, LogIndex(0), 1_000).await.unwrap();
        let indexes: Vec<u64> = events.iter().map(|sealed| sealed.index().0).collect();
        assert_eq!(indexes, (0..400).collect::<Vec<u64>>(), "{kept} bytes");
        let events: Vec<_> = events.into_iter().map(Sealed::into_event).collect();
        let ids: std::collections::HashSet<_> = events.iter().map(|(_, event)| event.id).collect();
        assert_eq!(ids.len(), 400, "{kept} bytes");
        drop(link);
        assert_eq!(count(&store, "event_target").await, 400, "{kept} bytes");
        store.close().await;
    }
    store.close().await;
}
