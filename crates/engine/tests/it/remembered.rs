//! What a node remembers of the log, against older copies of the database.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chancery_engine::backup::Restored;
use chancery_engine::{Engine, Running, Settings, StartError, Stepped, bench, remembered};
use chancery_event::{Environment, LogIndex};
use chancery_store::log;
use chancery_store::table::alert;
use chancery_throwaway::{database_of, on_each_backend, server};

fn settings(dir: &Path, restored: Option<Restored>) -> Settings {
    Settings {
        allow_unencrypted_key: true,
        monitors: false,
        database: database_of(dir).map(|url| url.parse().unwrap()),
        restored,
        ..Settings::new(dir)
    }
}

async fn open(dir: &Path, restored: Option<Restored>) -> Result<Running, StartError> {
    Engine::start(settings(dir, restored), Environment::system()).await
}

/// Records so many events, and ends; answers how many entries the node remembers.
async fn grow(dir: &Path, count: usize) -> u64 {
    let running = open(dir, None).await.unwrap();
    let engine = running.engine().clone();
    let context = bench::context(engine.environment());
    if count > 0 {
        bench::record(&engine, &context, count).await.unwrap();
    }
    stop(running, dir).await;
    remembered::read(dir).unwrap().unwrap().0
}

/// Ends a node, and waits until all that it wrote is in the file that is copied.
async fn stop(running: Running, dir: &Path) {
    running.stop().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while dir.join("chancery.db-wal").exists() {
        assert!(Instant::now() < deadline, "the database is not closed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The database of one directory takes the place of another's.
fn put_database(copy: &Path, dir: &Path) {
    if let (Some(from), Some(to)) = (database_of(copy), database_of(dir)) {
        let name = |url: &str| url.rsplit('/').next().unwrap().to_owned();
        server().remove(&name(&to));
        return server().make(&name(&to), Some(&name(&from)));
    }
    for name in ["chancery.db", "chancery.db-wal", "chancery.db-shm"] {
        let _ = fs::remove_file(dir.join(name));
    }
    fs::copy(copy.join("chancery.db"), dir.join("chancery.db")).unwrap();
}

on_each_backend!(a_loss_that_was_recorded_excuses_no_other, 2);

async fn a_loss_that_was_recorded_excuses_no_other() {
    let [data, old, after, newest] = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let (dir, old) = (data.path(), old.path());
    let (after, newest) = (after.path(), newest.path());
    let log_size = grow(dir, 5).await;
    put_database(dir, old);
    grow(dir, 200).await;
    put_database(old, dir);
    assert!(matches!(open(dir, None).await, Err(StartError::LogLost { .. })));

    let published = remembered::read(dir).unwrap();
    let restored = Restored { log_size, published };
    let running = open(dir, Some(restored)).await.unwrap();
    stop(running, dir).await;
    put_database(dir, after);

    // It is a log like any other again, and the copy that was just made an older one.
    let size = grow(dir, 20).await;
    assert!(size < published.unwrap().0, "still shorter than what was lost");
    put_database(dir, newest);
    put_database(after, dir);
    assert!(matches!(open(dir, None).await, Err(StartError::LogLost { .. })));
    put_database(newest, dir);
    assert!(grow(dir, 0).await > size);
}

on_each_backend!(a_loss_is_recorded_before_what_is_known_of_it_is_forgotten, 2);

async fn a_loss_is_recorded_before_what_is_known_of_it_is_forgotten() {
    let (data, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dir, old) = (data.path(), old.path());
    let log_size = grow(dir, 5).await;
    put_database(dir, old);
    let known = grow(dir, 50).await;
    put_database(old, dir);
    let published = remembered::read(dir).unwrap();
    let restored = Restored { log_size, published };
    // It dies as early as it can: before any loop runs.
    let settings = settings(dir, Some(restored));
    Stepped::open(settings, Environment::system()).await.unwrap().kill().await;
    assert_eq!(remembered::read(dir).unwrap().unwrap().0, known);
    let running = open(dir, None).await.unwrap();
    let engine = running.engine();
    assert!(engine.settle(Duration::from_secs(60)).await);
    let mut link = bench::store(engine).read().await.unwrap();
    let events = log::range(&mut link, LogIndex(log_size), 100).await.unwrap();
    let first = events.first().unwrap().event();
    assert_eq!(first.type_name, "log.restore");
    assert_eq!(first.detail["lost"], known - log_size);
    drop(link);
    running.stop().await.unwrap();
}

/// The type and the detail of the entry with an index.
async fn entry(engine: &Engine, index: u64) -> (String, serde_json::Value) {
    assert!(engine.settle(Duration::from_secs(60)).await);
    let mut link = bench::store(engine).read().await.unwrap();
    let events = log::range(&mut link, LogIndex(index), 1).await.unwrap();
    let event = events.first().unwrap().event();
    (event.type_name.to_string(), serde_json::to_value(&event.detail).unwrap())
}

on_each_backend!(a_copy_says_with_its_first_start_that_nobody_knows_what_it_lacks, 2);

async fn a_copy_says_with_its_first_start_that_nobody_knows_what_it_lacks() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dir, copy) = (data.path(), other.path());
    let running = open(dir, None).await.unwrap();
    assert_eq!(running.unknown_loss, None, "the first start of all");
    stop(running, dir).await;
    let size = grow(dir, 5).await;
    crate::nodes::copy_keys(dir, copy);
    put_database(dir, copy);
    let running = open(dir, None).await.unwrap();
    assert_eq!(running.unknown_loss, None, "the original");
    stop(running, dir).await;

    let running = open(copy, None).await.unwrap();
    assert_eq!(running.unknown_loss, Some(size));
    let (name, detail) = entry(running.engine(), size).await;
    assert_eq!(name, "log.restore", "before anything else");
    let mut link = bench::store(running.engine()).read().await.unwrap();
    let alarm = alert::unresolved(&mut link, "log_lost").await.unwrap().expect("an alert");
    assert!(alarm.title.contains("not known"), "{alarm:?}");
    drop(link);
    assert_eq!((&detail["log_size"], detail.get("lost")), (&size.into(), None), "{detail}");
    stop(running, copy).await;
    let size = grow(copy, 1).await;
    let running = open(copy, None).await.unwrap();
    assert_eq!(running.unknown_loss, None, "it is a log like any other now");
    stop(running, copy).await;
    // Whoever takes away what a node remembers has a copy again.
    fs::remove_file(copy.join("checkpoint")).unwrap();
    let running = open(copy, None).await.unwrap();
    assert!(running.unknown_loss > Some(size));
    stop(running, copy).await;
}

on_each_backend!(a_log_that_began_here_is_no_copy_however_early_it_dies, 2);

async fn a_log_that_began_here_is_no_copy_however_early_it_dies() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path();
    let stepped = Stepped::open(settings(dir, None), Environment::system()).await.unwrap();
    stepped.seal().await.unwrap();
    stepped.kill().await;
    assert!(!dir.join("checkpoint").exists(), "it died before it was written");
    let running = open(dir, None).await.unwrap();
    assert_eq!(running.unknown_loss, None);
    stop(running, dir).await;
}
