//! Parts of the log are made ahead and hold whatever comes, on a server; and nobody drops one past
//! a legal hold.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chancery_event::id::EventId;
use chancery_event::{Environment, Event, LogIndex, Origin, Severity, Timestamp, Verdict};
use chancery_store::log::{self, Part};
use chancery_store::table::retention::{self, Hold, Run};
use chancery_store::{DatabaseUrl, Error, Settings, Store, Tx};
use chancery_throwaway::{Backend, on_each_backend, run, server};
use tokio::task::JoinHandle;

use crate::log::{NOW, Sketch, certificate, environment, seal};

/// How long anybody here waits for somebody else at most.
const PATIENCE: Duration = Duration::from_secs(60);

on_each_backend!(the_newest_part_is_given_statistics);

async fn the_newest_part_is_given_statistics() {
    let (_place, store) = crate::store().await;
    let environment = environment(1);
    let shared = Backend::current() == Backend::Postgres;
    assert!(!log::analyze(&store, LogIndex(0)).await.unwrap(), "there is nothing yet");
    seal(&store, 0, sketched(&environment, 300)).await;
    assert_eq!(log::analyze(&store, LogIndex(0)).await.unwrap(), shared);
    assert!(!log::analyze(&store, LogIndex(290)).await.unwrap(), "ten of three hundred are new");
    if shared {
        let sql = "SELECT CAST(reltuples AS BIGINT) AS n FROM pg_class
                   WHERE oid = to_regclass('event_p0')";
        assert_eq!(store.read().await.unwrap().number(sql, Vec::new()).await.unwrap(), 300);
    }
    store.close().await;
}

on_each_backend!(parts_are_made_ahead_of_the_log);

/// So many events, one a microsecond.
fn sketched(environment: &Environment, count: u64) -> Vec<Event> {
    let sketch = |number: u64| Sketch {
        event_type: "certificate.uploaded",
        severity: Severity::Info,
        result: Verdict::Success,
        origin: Origin::Api,
        time: NOW + i64::try_from(number).unwrap(),
        actor: None,
        ip: None,
        targets: vec![certificate(number % 5)],
        message: None,
    };
    (0..count).map(|number| sketch(number).event(environment, None)).collect()
}

async fn parts_are_made_ahead_of_the_log() {
    let (_place, store) = crate::store().await;
    let narrow = store.transaction("narrow", |tx: &mut Tx| {
        Box::pin(async move { log::set_width(tx, 256).await })
    });
    narrow.await.unwrap();
    let environment = environment(1);
    let sketched = |count: u64| sketched(&environment, count);
    seal(&store, 0, sketched(100)).await;
    let parts = async || log::parts(&mut store.read().await.unwrap()).await.unwrap();
    let first = Part { first: 0, end: 256 };
    let second = Part { first: 256, end: 512 };
    if Backend::current() == Backend::Embedded {
        assert!(parts().await.is_empty());
    } else {
        assert_eq!(parts().await, [first]);
    }
    // A quarter of the last is left: the next one is there.
    seal(&store, 100, sketched(100)).await;
    if Backend::current() == Backend::Postgres {
        assert_eq!(parts().await, [first, second]);
    }
    // More at once than a part has.
    seal(&store, 200, sketched(900)).await;
    let mut link = store.read().await.unwrap();
    assert_eq!(log::entries(&mut link, 0, 1_100).await.unwrap().len(), 1_100);
    if Backend::current() == Backend::Postgres {
        let parts = log::parts(&mut link).await.unwrap();
        assert!(parts.last().unwrap().end >= 1_164, "{parts:?}");
        assert!(parts.windows(2).all(|two| two[0].end == two[1].first), "{parts:?}");
    }
    drop(link);
    store.close().await;
}

on_each_backend!(where_to_look_is_forgotten_with_the_last_that_was_there);

async fn where_to_look_is_forgotten_with_the_last_that_was_there() {
    let (_place, store) = crate::store().await;
    let run = begin_in_hours(&store).await;
    let all = log::range(&mut store.read().await.unwrap(), LogIndex(0), 1_000).await.unwrap();
    let all: Vec<_> = all.into_iter().map(log::Sealed::into_event).collect();
    let trim = async |wanted: &dyn Fn(u64) -> bool| {
        let events: Vec<_> = all.iter().filter(|(index, _)| wanted(index.0)).cloned().collect();
        let trimmed = store.transaction("trim", move |tx: &mut Tx| {
            let events = events.clone();
            Box::pin(async move { log::trim(tx, run, 0, &events).await })
        });
        trimmed.await.unwrap();
    };
    assert_eq!(places(&store).await, (vec![0, 1, 2], vec![0, 60, 180, 300, 420, 540]));
    trim(&|index| index < 256 && index != 100).await;
    assert_eq!(places(&store).await, (vec![0, 1, 2], vec![60, 180, 300, 420, 540]));
    trim(&|index| index == 100).await;
    assert_eq!(places(&store).await, (vec![1, 2], vec![180, 300, 420, 540]));
    // More may come into the newest block.
    trim(&|index| index >= 256).await;
    assert_eq!(places(&store).await, (vec![2], vec![]));
    store.close().await;
}

#[test]
fn where_to_look_is_forgotten_with_a_part() {
    run(Backend::Postgres, 1, async {
        let (_place, store) = crate::store().await;
        let run = begin_in_hours(&store).await;
        let part = log::parts(&mut store.read().await.unwrap()).await.unwrap()[0];
        assert_eq!(log::drop_part(&store, part, run, 0, PATIENCE).await.unwrap(), 256);
        assert_eq!(places(&store).await, (vec![1, 2], vec![180, 300, 420, 540]));
        let counted = "SELECT MIN(block) AS n FROM event_block_count";
        let counted = store.read().await.unwrap().number(counted, Vec::new()).await.unwrap();
        assert_eq!(counted, 1, "counts of the block that is gone are gone");
        store.close().await;
    });
}

/// 600 events, one every half a minute, and a run of retention that has begun. The first hour is
/// half over when they begin.
async fn begin_in_hours(store: &Store) -> EventId {
    let narrow = store.transaction("narrow", |tx: &mut Tx| {
        Box::pin(async move { log::set_width(tx, 256).await })
    });
    narrow.await.unwrap();
    let mut events = sketched(&environment(1), 600);
    for (event, number) in events.iter_mut().zip(0..) {
        event.time = Timestamp::from_micros(NOW + number * 30 * Timestamp::SECOND);
    }
    seal(store, 0, events).await;
    count(store).await;
    begin(store).await.id
}

/// The blocks of which something is noted, and where the noted hours begin.
async fn places(store: &Store) -> (Vec<i64>, Vec<i64>) {
    let mut link = store.read().await.unwrap();
    let mut all = async |sql: &'static str| {
        let rows = link.rows(sql, Vec::new()).await.unwrap();
        rows.iter().map(|row| row.int("n").unwrap()).collect()
    };
    let blocks = all("SELECT DISTINCT block AS n FROM event_block ORDER BY block").await;
    (blocks, all("SELECT first_index AS n FROM event_span ORDER BY hour").await)
}

/// The first hold there ever is must stop a part that is being dropped as any later one does.
#[test]
fn a_part_and_the_first_hold_wait_for_each_other() {
    run(Backend::Postgres, 2, async {
        let (name, store, work, part) = divided().await;
        // A reader of the part: whoever drops it waits for that, in the middle of its transaction.
        let mut reader = session(&name, "SELECT COUNT(*) FROM event WHERE log_index < 256");
        waiting(&name, "pid <> pg_backend_pid() AND mode = 'AccessShareLock' AND granted").await;
        let dropping = dropping(&name, part, work.id).await;
        waiting(&name, "mode = 'AccessExclusiveLock' AND NOT granted").await;
        let placing = tokio::spawn({
            let store = store.clone();
            async move { place(&store).await }
        });
        waiting(&name, "locktype = 'transactionid' AND NOT granted").await;
        assert!(!placing.is_finished(), "the hold waits for who drops the part");
        drop(reader.stdin.take());
        reader.wait().unwrap();
        // The part is gone, and the hold came after it.
        assert_eq!(dropping.await.unwrap().unwrap(), 256);
        placing.await.unwrap().unwrap();
        // From now on the revision is another one.
        let parts = log::parts(&mut store.read().await.unwrap()).await.unwrap();
        let late = log::drop_part(&store, parts[0], work.id, 0, PATIENCE).await;
        assert!(matches!(late, Err(Error::Conflict("a legal hold"))), "{late:?}");
        store.close().await;
    });
}

/// A store whose first part is full, a run of retention that has begun, and that part.
async fn divided() -> (String, Store, Run, Part) {
    let name = server().database(None);
    let store = open(&name).await;
    let narrow = store.transaction("narrow", |tx: &mut Tx| {
        Box::pin(async move { log::set_width(tx, 256).await })
    });
    narrow.await.unwrap();
    seal(&store, 0, sketched(&environment(1), 300)).await;
    count(&store).await;
    let work = begin(&store).await;
    let part = log::parts(&mut store.read().await.unwrap()).await.unwrap()[0];
    (name, store, work, part)
}

/// A store that waits for locks as long as a test may take to look at who waits.
async fn open(database: &str) -> Store {
    let url: DatabaseUrl = server().url(database).parse().unwrap();
    let url = url.with_statement_max(PATIENCE * 2).with_rest_max(PATIENCE * 2);
    Store::open(&Settings::postgres(url)).await.unwrap()
}

/// Counts what is sealed, as the projector does.
async fn count(store: &Store) {
    let events = log::range(&mut store.read().await.unwrap(), LogIndex(0), 1_000).await.unwrap();
    let events: Vec<_> = events.into_iter().map(log::Sealed::into_event).collect();
    let counted = store.transaction("project", move |tx: &mut Tx| {
        let events = events.clone();
        Box::pin(async move {
            let projection = log::Projection::new(tx.dialect(), LogIndex(0), &events);
            log::project(tx, &projection, Timestamp::from_micros(NOW)).await
        })
    });
    counted.await.unwrap();
}

/// Another node drops a part.
async fn dropping(database: &str, part: Part, run: EventId) -> JoinHandle<Result<u64, Error>> {
    let other = open(database).await;
    tokio::spawn(async move { log::drop_part(&other, part, run, 0, PATIENCE).await })
}

/// A session that runs a statement and keeps what it has locked until its input ends.
fn session(database: &str, statement: &str) -> Child {
    let programs = chancery_throwaway::programs().unwrap();
    let url = server().url(database);
    let line = format!(
        "(echo \"BEGIN; {statement};\"; cat) | {}/psql -q '{url}' > /dev/null",
        programs.display()
    );
    Command::new("/bin/sh").args(["-c", &line]).stdin(Stdio::piped()).spawn().unwrap()
}

/// Noting millions of events as removed takes minutes; who counts new ones is not held up by it.
#[test]
fn nobody_who_counts_waits_while_a_part_is_noted_as_removed() {
    run(Backend::Postgres, 2, async {
        let (name, store, work, part) = divided().await;
        // Somebody else is about to note one of them: noting the others waits for that.
        let note = "INSERT INTO removed_event SELECT id, log_index FROM event WHERE log_index = 9";
        let mut other = session(&name, note);
        let noted = "mode = 'RowExclusiveLock' AND granted
                     AND relation = 'removed_event'::regclass";
        waiting(&name, noted).await;
        let dropping = dropping(&name, part, work.id).await;
        waiting(&name, "locktype = 'transactionid' AND NOT granted").await;
        for table in ["event_hour", "event_day"] {
            let sql = format!(
                "SET lock_timeout = '5s'; WITH counted AS
                 (UPDATE {table} SET events = events RETURNING 1) SELECT COUNT(*) > 0 FROM counted"
            );
            assert_eq!(server().sql(&name, &sql).lines().last(), Some("t"), "{table}");
        }
        let run = "SET lock_timeout = '5s'; UPDATE retention_run SET held = held";
        server().sql(&name, run);
        place(&store).await.expect("a hold is placed at once");
        drop(other.stdin.take());
        other.wait().unwrap();
        // It came in time.
        let dropped = dropping.await.unwrap();
        assert!(matches!(dropped, Err(Error::Conflict("a legal hold"))), "{dropped:?}");
        let counted = "SELECT SUM(events) FROM event_hour";
        assert_eq!(server().sql(&name, counted), "300", "nothing was taken out of the counts");
        store.close().await;
    });
}

/// Waits until a lock is as described.
async fn waiting(database: &str, what: &str) {
    let sql = format!(
        "SELECT COUNT(*) FROM pg_locks WHERE {what} AND (database IS NULL OR database =
         (SELECT oid FROM pg_database WHERE datname = current_database()))"
    );
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while server().sql(database, &sql) == "0" {
        assert!(tokio::time::Instant::now() < deadline, "nobody waits: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A run of retention that has begun.
pub(crate) async fn begin(store: &Store) -> Run {
    let id = environment(2).id();
    let run = Run::begun(id, ("old", 1), "every event", Timestamp::from_micros(NOW));
    let begun = run.clone();
    let begun = store.transaction("begin", move |tx: &mut Tx| {
        let run = begun.clone();
        Box::pin(async move { retention::begin(tx, &run).await })
    });
    begun.await.unwrap();
    run
}

async fn place(store: &Store) -> Result<(), Error> {
    let hold = Hold {
        name: "case".to_owned(),
        filter: "index>=0".to_owned(),
        reason: "a court".to_owned(),
        placed_by: "system".to_owned(),
        placed_at: Timestamp::from_micros(NOW),
        released_by: None,
        released_at: None,
    };
    store
        .transaction("place", move |tx: &mut Tx| {
            let hold = hold.clone();
            Box::pin(async move { retention::place(tx, &hold).await })
        })
        .await
}
