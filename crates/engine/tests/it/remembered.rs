//! What a node remembers of the log, against older copies of the database.

use std::fs;
use std::path::Path;

use chancery_engine::backup::Restored;
use chancery_engine::{Context, Engine, Running, Settings, StartError, bench, remembered};
use chancery_event::Environment;

async fn open(dir: &Path, accept_restored: bool) -> Result<Running, StartError> {
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        accept_restored,
        ..Settings::new(dir)
    };
    Engine::start(settings, Environment::system()).await
}

/// Records so many events, and ends; answers how many entries the node remembers.
async fn grow(dir: &Path, count: usize) -> u64 {
    let running = open(dir, false).await.unwrap();
    let engine = running.engine().clone();
    let context = bench::context(engine.environment());
    if count > 0 {
        bench::record(&engine, &context, count).await.unwrap();
    }
    running.stop().await.unwrap();
    remembered::read(dir).unwrap().unwrap().0
}

fn put_back(copy: &Path, dir: &Path) {
    for name in ["chancery.db", "chancery.db-wal", "chancery.db-shm"] {
        let _ = fs::remove_file(dir.join(name));
    }
    fs::copy(copy, dir.join("chancery.db")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_that_was_recorded_excuses_no_other() {
    let (data, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = data.path();
    let [old, after, newest] = ["old", "after", "newest"].map(|name| copies.path().join(name));
    let log_size = grow(dir, 5).await;
    fs::copy(dir.join("chancery.db"), &old).unwrap();
    grow(dir, 200).await;
    put_back(&old, dir);
    assert!(matches!(open(dir, false).await, Err(StartError::LogLost { .. })));

    let published = remembered::read(dir).unwrap();
    let running = open(dir, true).await.unwrap();
    let context = Context::command_line(running.engine().environment());
    let restored = Restored { log_size, published };
    running.engine().note_restore(&context, &restored).await.unwrap();
    running.stop().await.unwrap();
    fs::copy(dir.join("chancery.db"), &after).unwrap();

    // It is a log like any other again, and the copy that was just made an older one.
    let size = grow(dir, 20).await;
    assert!(size < published.unwrap().0, "still shorter than what was lost");
    fs::copy(dir.join("chancery.db"), &newest).unwrap();
    put_back(&after, dir);
    assert!(matches!(open(dir, false).await, Err(StartError::LogLost { .. })));
    put_back(&newest, dir);
    assert!(grow(dir, 0).await > size);
}
