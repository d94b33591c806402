//! Deliveries with several nodes on one database: a destination is served by one of them, and taken
//! over by the other.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery_engine::archive::Directory;
use chancery_engine::delivery::{
    Address, Checked, Class, Content, Definition, DeliveryQuery, DestinationEdit, Parcel, Secrets,
    Sender, Sent,
};
use chancery_engine::net::Network;
use chancery_engine::retention::RuleDraft;
use chancery_engine::{Context, Engine, Error, Running, Settings, bench};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::{Environment, LogIndex, Timestamp};
use chancery_store::{Store, Tx, log};
use chancery_throwaway::{Backend, database_of, on_each_backend, run};
use futures::future::BoxFuture;
use serde_json::json;

use crate::nodes::copy_keys;

/// Counts how often each entry of the log came, and by which delivery.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<BTreeMap<u64, Vec<String>>>>);

impl Fake {
    fn seen(&self) -> BTreeMap<u64, Vec<String>> {
        self.0.lock().unwrap().clone()
    }
}

impl Sender for Fake {
    fn kinds(&self) -> Vec<&'static str> {
        vec!["fake"]
    }

    fn check(&self, _: &Definition, _: &mut Secrets) -> Result<Checked, Error> {
        Ok(Checked { batch_max: 1, ..Checked::default() })
    }

    fn send(&self, _: Arc<Address>, parcel: Parcel) -> BoxFuture<'static, Sent> {
        let fake = self.clone();
        Box::pin(async move {
            if let Content::Events(events) = &parcel.content {
                let mut seen = fake.0.lock().unwrap();
                for sealed in events {
                    seen.entry(sealed.index().0).or_default().push(parcel.id.to_string());
                }
            }
            Sent { status: Some(200), ..Sent::default() }
        })
    }

    fn network(&self) -> Network {
        Network::default()
    }
}

async fn node(dir: &Path, database: &Path, fake: &Fake) -> Running {
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        database: database_of(database).map(|url| url.parse().unwrap()),
        sender: Some(Arc::new(fake.clone())),
        ..Settings::new(dir)
    };
    Engine::start(settings, Environment::system()).await.unwrap()
}

async fn all_of(engine: &Engine, fake: &Fake) {
    for _ in 0..3_000 {
        let size = *engine.sealed().borrow();
        let seen = fake.seen();
        if (0..size).all(|index| seen.contains_key(&index)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} of {} came", fake.seen().len(), *engine.sealed().borrow());
}

/// Waits until it is written down of every delivery that it got through: one of which it is not is
/// sent again by who comes next.
async fn all_booked(engine: &Engine) {
    let context = Context::command_line(engine.environment());
    until(async || {
        let rows = engine.deliveries(&context, DeliveryQuery::default(), 1_000).await.unwrap();
        let events: u64 = rows.iter().map(|row| row.events).sum();
        events >= *engine.sealed().borrow() && rows.iter().all(|row| row.state == "delivered")
    })
    .await;
}

/// Each entry came by one delivery. One may come twice, under its identifier.
fn came_once(fake: &Fake) {
    for (index, mut deliveries) in fake.seen() {
        deliveries.dedup();
        assert_eq!(deliveries.len(), 1, "entry {index} came with {deliveries:?}");
    }
}

async fn record(engine: &Engine) {
    let context = bench::context(engine.environment());
    for _ in 0..5 {
        bench::record(engine, &context, 3).await.unwrap();
    }
    assert!(engine.settle(Duration::from_secs(60)).await);
}

async fn make(engine: &Engine) {
    let edit =
        DestinationEdit { body: json!({ "kind": "fake" }), start: Some(0), ..Default::default() };
    let context = Context::command_line(engine.environment());
    engine.create_destination(&context, Class::Forwarder, "soc", edit).await.unwrap();
}

#[test]
fn a_destination_is_served_by_one_node_and_taken_over_by_the_other() {
    run(Backend::Postgres, 2, async {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let fake = Fake::default();
        let first = node(one.path(), one.path(), &fake).await;
        copy_keys(one.path(), two.path());
        let second = node(two.path(), one.path(), &fake).await;
        make(first.engine()).await;
        record(first.engine()).await;
        record(second.engine()).await;
        all_of(second.engine(), &fake).await;
        all_booked(second.engine()).await;
        first.stop().await.unwrap();
        record(second.engine()).await;
        all_of(second.engine(), &fake).await;
        came_once(&fake);
        second.stop().await.unwrap();
    });
}

on_each_backend!(a_restart_goes_on_where_it_was);

async fn a_restart_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    for round in 0..3 {
        let running = node(dir.path(), dir.path(), &fake).await;
        if round == 0 {
            make(running.engine()).await;
        }
        record(running.engine()).await;
        all_of(running.engine(), &fake).await;
        all_booked(running.engine()).await;
        running.stop().await.unwrap();
    }
    came_once(&fake);
}

on_each_backend!(what_left_the_database_is_sent_again_from_the_archive, 2);

async fn what_left_the_database_is_sent_again_from_the_archive() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        database: database_of(dir.path()).map(|url| url.parse().unwrap()),
        archive: Some(Arc::new(Directory::new(dir.path().join("archive")))),
        archive_always: true,
        sender: Some(Arc::new(fake.clone())),
        ..Settings::new(dir.path())
    };
    let store = Store::open(&settings.store()).await.unwrap();
    let narrow = store.transaction("narrow", |tx: &mut Tx| {
        Box::pin(async move { log::set_width(tx, 256).await })
    });
    narrow.await.unwrap();
    store.close().await;
    let clock = ManualClock::new("2026-11-01T00:00:00Z".parse().unwrap());
    let environment = Environment::new(clock.clone(), SeededEntropy::new(5));
    let running = Engine::start(settings, environment).await.unwrap();
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    make(engine).await;
    bench::record(engine, &bench::context(engine.environment()), 600).await.unwrap();
    all_of(engine, &fake).await;
    until(async || places(engine).await.is_some_and(|place| place >= 512)).await;
    clock.advance(10 * Timestamp::DAY);
    let rule = RuleDraft {
        name: "old".to_owned(),
        filter: String::new(),
        basis: "event".to_owned(),
        after_days: 5,
        enabled: true,
    };
    engine.create_retention_rule(&context, rule).await.unwrap();
    until(async || {
        engine.queue_retention(&context).await.unwrap();
        let runs = engine.retention_runs(&context, 10).await.unwrap();
        runs.iter().any(|run| run.removed > 256)
    })
    .await;
    // A single one is sent again under its identifier, with what it carried.
    let carried = engine.deliveries_of_event(&context, LogIndex(100)).await.unwrap();
    assert_eq!(carried.len(), 1);
    engine.resend_delivery(&context, carried[0].id).await.unwrap();
    until(async || fake.seen()[&100].len() == 2).await;
    assert_eq!(fake.seen()[&100][0], fake.seen()[&100][1]);
    // A part of the log is: what is still there; the answer says how much is not.
    let removed = engine.replay_forwarder(&context, "soc", 100, Some(110)).await.unwrap();
    assert_eq!(removed, 10);
    running.stop().await.unwrap();
}

/// How far archive, projection and dispatch have come.
async fn places(engine: &Engine) -> Option<u64> {
    let mut link = bench::store(engine).read().await.unwrap();
    let places = log::cursors(&mut link).await.unwrap();
    let of = |name: &str| places.iter().find(|(of, _)| of == name).map(|(_, place)| place.0);
    ["archive", "projection", "dispatch", "coverage"].into_iter().map(of).min().flatten()
}

async fn until(done: impl AsyncFn() -> bool) {
    for _ in 0..1_500 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    panic!("it does not come to be");
}
