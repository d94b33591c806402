//! The database loses its end under running nodes: nobody goes on as if nothing had been lost.

use std::path::Path;
use std::time::Duration;

use chancery_engine::backup::Restored;
use chancery_engine::{Context, Engine, Running, Settings, bench, remembered};
use chancery_event::{Environment, LogIndex};
use chancery_store::table::alert;
use chancery_store::{DatabaseUrl, log};
use chancery_throwaway::{Backend, database_of, run, server};

use crate::nodes::copy_keys;

const PATIENCE: Duration = Duration::from_secs(60);

async fn start(dir: &Path, database: &str, restored: Option<Restored>) -> Running {
    let database: DatabaseUrl = database.parse().unwrap();
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        database: Some(database),
        restored,
        ..Settings::new(dir)
    };
    Engine::start(settings, Environment::system()).await.unwrap()
}

/// Records once the database takes it.
async fn record(engine: &Engine, count: usize) {
    let context = bench::context(engine.environment());
    let recorded = async {
        while bench::record(engine, &context, count).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, recorded).await.expect("the database comes back");
}

async fn stops(engine: &Engine, stopped: bool) -> Option<String> {
    let reached = async {
        while engine.health().sealing_stopped().is_some() != stopped {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let reached = tokio::time::timeout(PATIENCE, reached).await;
    reached.unwrap_or_else(|_| panic!("stopped: {stopped}"));
    engine.health().sealing_stopped()
}

async fn size(engine: &Engine) -> u64 {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Ok(mut link) = bench::store(engine).read().await
            && let Ok(state) = log::state(&mut link).await
        {
            return state.size;
        }
        assert!(tokio::time::Instant::now() < deadline, "the database comes back");
    }
}

/// The loss is recorded on one node: both go on, and the log says what happened.
async fn goes_on([one, two]: [&Path; 2], url: &str, restored: Restored) {
    let short = restored.log_size;
    let first = start(one, url, Some(restored)).await;
    let second = start(two, url, None).await;
    let engine = second.engine();
    record(engine, 3).await;
    assert!(engine.settle(PATIENCE).await);
    assert_eq!(engine.health().sealing_stopped(), None);
    engine.verify_log(&Context::command_line(engine.environment())).await.unwrap();
    let mut link = bench::store(engine).read().await.unwrap();
    let events = log::range(&mut link, LogIndex(short), 10_000).await.unwrap();
    let alarm = alert::unresolved(&mut link, "log_lost").await.unwrap().expect("an alert");
    assert!(alarm.message.contains(&format!("after {short} entries")), "{}", alarm.message);
    drop(link);
    let of_type = |name: &str| events.iter().filter(|e| e.event().type_name == name).count();
    assert_eq!(of_type("log.restore"), 1);
    // One node tells it, for all of them; once for each time.
    assert_eq!(of_type("log.seal_stopped"), 1);
    let stop = events.iter().find(|e| e.event().type_name == "log.seal_stopped").unwrap();
    assert_eq!(stop.event().detail["stopped_by"], "log_lost");
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[test]
fn running_nodes_do_not_continue_a_log_that_lost_its_end() {
    run(Backend::Postgres, 2, async {
        let [one, two, three] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let url = database_of(one.path()).unwrap();
        let name = url.rsplit('/').next().unwrap().to_owned();
        let first = start(one.path(), &url, None).await;
        copy_keys(one.path(), two.path());
        copy_keys(one.path(), three.path());
        let second = start(two.path(), &url, None).await;
        let nodes = [first.engine().clone(), second.engine().clone()];
        record(&nodes[0], 20).await;
        assert!(nodes[0].settle(PATIENCE).await && nodes[1].settle(PATIENCE).await);
        let dump = tempfile::NamedTempFile::new().unwrap();
        server().dump(&name, dump.path());
        record(&nodes[1], 30).await;
        assert!(nodes[0].settle(PATIENCE).await && nodes[1].settle(PATIENCE).await);
        let whole = size(&nodes[0]).await;
        let copy = server().database(None);
        server().load(&copy, dump.path());

        // A standby that lagged takes over.
        server().swap(&name, &copy);
        for node in &nodes {
            record(node, 3).await;
            let why = stops(node, true).await.unwrap();
            assert!(why.contains("restore --in-place"), "{why}");
            // A node that was taken for gone may have told of it since.
            let (_, known) = why.split_once(" knows ").unwrap();
            let known: u64 = known.split(':').next().unwrap().parse().unwrap();
            assert!(known >= whole, "{why}");
            assert!(node.health().findings().iter().any(|f| f.part == "log" && !f.good));
        }
        let short = size(&nodes[0]).await;
        assert!(short < whole);
        // One who knows nothing of it does not go on either, and neither does it when it is alone.
        let third = start(three.path(), &url, None).await;
        record(third.engine(), 3).await;
        assert!(!third.engine().settle(Duration::from_secs(3)).await, "it sealed");
        stops(third.engine(), true).await;
        third.stop().await.unwrap();
        assert_eq!(size(&nodes[0]).await, short);

        // The right one comes back: everything goes on by itself.
        server().swap(&name, &copy);
        for node in &nodes {
            stops(node, false).await;
            record(node, 3).await;
            assert!(node.settle(PATIENCE).await);
        }
        let whole = size(&nodes[0]).await;

        // It does not: somebody records the loss.
        server().swap(&name, &copy);
        for node in &nodes {
            stops(node, true).await;
        }
        assert_eq!(size(&nodes[0]).await, short);
        first.stop().await.unwrap();
        second.stop().await.unwrap();
        // What they knew is kept: all of it by the one that sealed last.
        let kept = [&one, &two].map(|dir| remembered::read(dir.path()).unwrap());
        assert!(kept.iter().all(|kept| kept.unwrap().0 > short), "{kept:?}");
        let published = kept.into_iter().max_by_key(|kept| kept.unwrap().0).unwrap();
        assert!(published.unwrap().0 >= whole, "{published:?}");
        let restored = Restored { log_size: short, published };
        goes_on([one.path(), two.path()], &url, restored).await;
        server().remove(&copy);
    });
}
