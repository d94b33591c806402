//! Who asks a server for statistics, and when.

use chancery_throwaway::{Backend, on_each_backend};

use super::*;
use crate::{Settings, Stepped};

on_each_backend!(statistics_are_asked_for_once_the_log_has_grown, 2);

async fn statistics_are_asked_for_once_the_log_has_grown() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        database: chancery_throwaway::database_of(dir.path()).map(|url| url.parse().unwrap()),
        ..Settings::new(dir.path())
    };
    let stepped = Stepped::open(settings, Environment::system()).await.unwrap();
    stepped.seal().await.unwrap();
    let store = stepped.engine().0.store.clone();
    let mut statistics = Statistics::default();
    statistics.look(&store, NEWS - 1).await;
    assert!(statistics.work.is_none(), "too little is new");
    statistics.look(&store, NEWS).await;
    assert_eq!(statistics.work.is_some(), Backend::current() == Backend::Postgres);
    while statistics.work.as_ref().is_some_and(|work| !work.is_finished()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    if store.is_shared() {
        statistics.look(&store, 2 * NEWS - 1).await;
        assert_eq!(statistics.at, NEWS, "the server made them");
        assert!(statistics.work.is_none(), "they are new enough");
    }
    statistics.end().await;
    stepped.kill().await;
}
