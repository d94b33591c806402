//! An operation that nobody runs to its end.

use std::time::Duration;

use chancery_event::types::log::EventErase;
use chancery_event::{Environment, LogIndex, TargetKind};
use chancery_throwaway::on_each_backend;

use super::*;
use crate::{Settings, Stepped};

on_each_backend!(an_operation_that_is_dropped_is_one_event_that_it_was_abandoned, 2);

async fn an_operation_that_is_dropped_is_one_event_that_it_was_abandoned() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        database: chancery_throwaway::database_of(dir.path()).map(|url| url.parse().unwrap()),
        ..Settings::new(dir.path())
    };
    let stepped = Stepped::open(settings, Environment::system()).await.unwrap();
    let engine = stepped.engine().clone();
    stepped.seal().await.unwrap();
    let store = &engine.0.store;
    let context = Context::command_line(engine.environment());
    let attempt = EventErase {
        count: 0,
        first_index: None,
        last_index: None,
        ground: "request".into(),
        query: None,
    };
    let permission = Permission::PersonalErase;
    let mut committed = store.committed();
    committed.mark_unchanged();
    let operation = engine.operation(&context, permission, &attempt).unwrap();
    let (id, about) = (operation.event(), Target::new(TargetKind::Event, "nothing"));
    drop(operation.about(about));
    let written = tokio::time::timeout(Duration::from_secs(60), committed.changed()).await;
    written.expect("the end of the operation is recorded").unwrap();
    // Nothing was done under its name either.
    stepped.seal().await.unwrap();
    let mut link = store.read().await.unwrap();
    let events = log::range(&mut link, LogIndex(0), 1_000).await.unwrap();
    let own = |event: &&chancery_event::Event| event.id == id || event.cause == Some(id);
    let own: Vec<_> = events.iter().map(|sealed| sealed.event()).filter(own).collect();
    let [event] = own.as_slice() else { panic!("{own:?}") };
    assert_eq!((event.id, &*event.type_name), (id, "event.erase"));
    assert_eq!(event.outcome.result, Verdict::Abandoned);
    assert_eq!(event.outcome.reason.as_deref(), Some("abandoned"));
    assert_eq!(event.targets[0].id, "nothing");
    drop(link);
    stepped.kill().await;
}
