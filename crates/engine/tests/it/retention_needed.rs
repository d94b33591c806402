//! What is still to be told or watched stays in the database, whatever rules of retention say.

use chancery_engine::{Engine, bench};
use chancery_event::id::EventId;
use chancery_event::{Clock as _, LogIndex, Timestamp};
use chancery_store::table::notice::{self, Notice};
use chancery_store::table::notification::{self, Call, Escalation};
use chancery_store::{Tx, log};
use chancery_throwaway::on_each_backend;

use crate::retention::{World, everything_after};

/// A notice that waits for its digest; where its event stands was not known when it was written.
fn held_notice(engine: &Engine, event: EventId, far: Timestamp) -> Notice {
    Notice {
        id: engine.environment().id(),
        call: engine.environment().id(),
        log_index: None,
        event_id: event,
        event_type: "certificate.uploaded".to_owned(),
        object: None,
        severity: "info".to_owned(),
        profile: "weekly".to_owned(),
        profile_version: 1,
        level: 0,
        account: None,
        address: None,
        channel: "mail".to_owned(),
        paths: "[]".to_owned(),
        decision: "held".to_owned(),
        reason: "digest".to_owned(),
        due_at: Some(far),
        heading: String::new(),
        delivery: None,
        alert: None,
        at: far,
    }
}

/// A call at entry 400 that was decided, and may go up a level.
fn escalating(engine: &Engine, notice: &Notice) -> (Call, Escalation) {
    let call = Call {
        id: notice.call,
        log_index: Some(LogIndex(400)),
        event_id: notice.event_id,
        event_type: "certificate.uploaded".to_owned(),
        object: None,
        profile: "night".to_owned(),
        trigger: "t".to_owned(),
        title: String::new(),
        candidate: None,
        message: String::new(),
        state: "done".to_owned(),
        outcome: String::new(),
        at: notice.at,
        done_at: Some(notice.at),
    };
    let level = Escalation {
        id: engine.environment().id(),
        call: call.id,
        alert: engine.environment().id(),
        profile: "night".to_owned(),
        level: 1,
        due_at: notice.at,
        state: "waiting".to_owned(),
    };
    (call, level)
}

on_each_backend!(what_is_still_to_be_told_or_watched_stays, 2);

async fn what_is_still_to_be_told_or_watched_stays() {
    let world = World::new().await;
    let engine = world.engine();
    let store = bench::store(engine);
    let event = engine.event_at(&world.context, LogIndex(300)).await.unwrap().event.id;
    let far = world.clock.now().plus(100 * Timestamp::DAY);
    let notice = held_notice(engine, event, far);
    let held = notice.clone();
    let held = store.transaction("held", move |tx: &mut Tx| {
        let held = held.clone();
        Box::pin(async move {
            notice::insert(tx, &[held]).await?;
            // Monitors have seen nothing of the log.
            log::move_cursor(tx, "monitor", LogIndex(0), LogIndex(0), far).await
        })
    });
    held.await.unwrap();
    world.rule("", "event", 5).await;
    let run = world.run().await;
    assert_eq!((run.state.as_str(), run.removed), ("succeeded", 300), "{run:?}");
    let seen = log::cursor(&mut store.read().await.unwrap(), "monitor").await.unwrap();
    assert!(seen.0 >= 700, "monitors saw what went: {seen:?}");
    let preview = engine.preview_retention(&world.context, &everything_after(5)).await.unwrap();
    assert_eq!(preview.limits[0].who, "a notification through weekly", "{preview:?}");
    // An escalation that may still go up waits for its call.
    let (call, level) = escalating(engine, &notice);
    let told = store.transaction("told", move |tx: &mut Tx| {
        let (call, level) = (call.clone(), level.clone());
        Box::pin(async move {
            notice::settle(tx, &[notice.id], None, "dropped").await?;
            notification::insert(tx, &call).await?;
            notification::escalate(tx, &level).await
        })
    });
    told.await.unwrap();
    let run = world.run().await;
    assert_eq!((run.state.as_str(), run.removed), ("succeeded", 100), "{run:?}");
    world.running.stop().await.unwrap();
}
