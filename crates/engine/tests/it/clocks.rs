//! Nodes whose clocks are off, and how far each of them is behind.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chancery_engine::automation::Class;
use chancery_engine::{Context, Engine, Settings, bench};
use chancery_event::environment::SeededEntropy;
use chancery_event::{Clock, Environment, Timestamp};
use chancery_store::Tx;
use chancery_store::table::alert;
use chancery_store::table::lease::Term;
use chancery_store::table::node;
use chancery_store::table::task;

use crate::nodes::{
    PATIENCE, copy_keys, ghost, ghost_ahead, held_by, holds_everything, on_server, record, start,
    two, url,
};

/// The clock of a machine that is off by so many microseconds.
struct Off(i64);

impl Clock for Off {
    fn now(&self) -> Timestamp {
        let passed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp::from_micros(i64::try_from(passed.as_micros()).unwrap() + self.0)
    }
}

/// A run of a monitor that has begun.
fn run_of(engine: &Engine, name: &str, started_at: Timestamp) -> task::Run {
    task::Run {
        id: engine.environment().id(),
        class: "monitor".to_owned(),
        name: name.to_owned(),
        version: 1,
        due_at: None,
        started_at,
        ended_at: None,
        state: "running".to_owned(),
        counts: task::Counts { reasons: "{}".to_owned(), ..task::Counts::default() },
        message: None,
        job: None,
    }
}

#[test]
fn a_node_whose_clock_is_off_takes_nobodys_lease() {
    on_server(async {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let database = url(one.path());
        let first = start(one.path(), database.clone()).await.unwrap();
        copy_keys(one.path(), two.path());
        let context = Context::command_line(first.engine().environment());
        holds_everything(first.engine()).await;
        let nodes = first.engine().nodes(&context).await.unwrap();
        let token = format!("{}/token", nodes.into_iter().find(|node| node.own).unwrap().id);
        let monitors = first.engine().tasks(&context, Class::Monitor).await.unwrap();
        let name = monitors[0].object.name.clone();
        let store = bench::store(first.engine());
        // What a node holds that works at it: a monitor for some minutes, a job for an hour.
        let claim = async || {
            let term = Term::of(store.shared_time().unwrap(), 9 * 60 * Timestamp::SECOND);
            let (token, run) = (token.clone(), run_of(first.engine(), &name, term.from));
            let claimed = store.transaction("claim", move |tx: &mut Tx| {
                let (token, run) = (token.clone(), run.clone());
                Box::pin(async move { task::begin(tx, &token, &run, term).await })
            });
            claimed.await.unwrap().is_some()
        };
        // The node itself may run it, which it does when it has just been set up.
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !claim().await {
            assert!(tokio::time::Instant::now() < deadline, "the monitor is never free");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let gone = first.engine().nodes(&context).await.unwrap();
        let job = held_by(first.engine(), gone.iter().find(|node| node.own).unwrap().id).await;
        first.stop().await.unwrap();
        for off in [-3 * Timestamp::HOUR, 3 * Timestamp::HOUR] {
            let settings = Settings {
                allow_unencrypted_key: true,
                database: Some(database.clone()),
                ..Settings::new(two.path())
            };
            let seed = u64::try_from(off.abs()).unwrap() + u64::from(off > 0);
            let environment = Environment::new(Arc::new(Off(off)), SeededEntropy::new(seed));
            let running = Engine::start(settings, environment).await.unwrap();
            let engine = running.engine();
            let context = Context::command_line(engine.environment());
            let refused = engine.run_task(&context, Class::Monitor, &name).await.err();
            assert_eq!(refused.map(|error| error.reason()), Some("running"), "{off}");
            // It takes what is due from the same queue, and leaves what somebody is at.
            let done = engine.queue_log_verification(&context).await.unwrap();
            let deadline = tokio::time::Instant::now() + PATIENCE;
            while engine.job(&context, done).await.unwrap().state != "success" {
                assert!(tokio::time::Instant::now() < deadline, "{off}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let held = engine.job(&context, job).await.unwrap();
            assert_eq!((held.state.as_str(), held.attempts), ("running", 1), "{off}");
            // People see that it is off.
            let seen = async {
                loop {
                    let nodes = engine.nodes(&context).await.unwrap();
                    let own = nodes.into_iter().find(|node| node.own).unwrap();
                    if (own.clock_ahead_ms * 1_000 - off).abs() < 30 * Timestamp::SECOND {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(PATIENCE, seen).await.unwrap();
            running.stop().await.unwrap();
        }
    });
}

#[test]
fn nodes_whose_clocks_are_off_are_named_whichever_node_looks() {
    on_server(async {
        let dir = tempfile::tempdir().unwrap();
        let running = start(dir.path(), url(dir.path())).await.unwrap();
        let engine = running.engine();
        let context = Context::command_line(engine.environment());
        holds_everything(engine).await;
        let alarm = async || {
            let deadline = tokio::time::Instant::now() + PATIENCE;
            // It may be at work by itself.
            while engine.run_task(&context, Class::Monitor, "internal").await.is_err() {
                assert!(tokio::time::Instant::now() < deadline, "the monitor is never free");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let mut link = bench::store(engine).read().await.unwrap();
            let alarm = alert::unresolved(&mut link, "internal/clock").await.unwrap();
            alarm.map(|alarm| alarm.message)
        };
        assert_eq!(alarm().await, None);
        let (slow, fast) = (-600 * Timestamp::SECOND, 592 * Timestamp::SECOND);
        let ghosts = [ghost_ahead(engine, slow).await, ghost_ahead(engine, fast).await];
        let right = ghost(engine).await;
        let told = alarm().await.expect("an alert");
        let words = ["is 600 s behind that of", "is 592 s ahead of that of"];
        for (ghost, words) in ghosts.iter().zip(words) {
            let part = format!("the clock of node {} on elsewhere {words} the database", ghost.id);
            assert!(told.contains(&part), "{part}: {told}");
        }
        assert!(!told.contains(&right.id.to_string()), "{told}");
        // One that is gone dates nothing any more.
        for id in ghosts.map(|ghost| ghost.id) {
            let stopped = bench::store(engine).transaction("stop", move |tx: &mut Tx| {
                Box::pin(async move { node::stop(tx, id, Timestamp::FIRST).await })
            });
            stopped.await.unwrap();
        }
        assert_eq!(alarm().await, None);
        running.stop().await.unwrap();
    });
}

#[test]
fn a_node_that_is_current_is_not_behind_while_others_record() {
    on_server(async {
        let (first, second, _dirs) = two().await;
        let nodes = [first.engine(), second.engine()];
        let context = Context::command_line(nodes[0].environment());
        let ghost = ghost(nodes[0]).await;
        let (mut recorded, mut behind) = (0, 0);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while recorded < 100 || behind == 0 {
            assert!(tokio::time::Instant::now() < deadline, "one that hangs is not behind");
            recorded += record(nodes[recorded % 2], 1).await.len();
            tokio::time::sleep(Duration::from_millis(20)).await;
            for seen in nodes[0].nodes(&context).await.unwrap() {
                if seen.id == ghost.id {
                    behind = seen.lag.max(behind);
                } else {
                    assert_eq!(seen.lag, 0, "{seen:?}");
                }
            }
        }
        let stopped = tokio::join!(first.stop(), second.stop());
        stopped.0.and(stopped.1).unwrap();
    });
}
