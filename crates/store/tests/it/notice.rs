//! What may be forgotten of notifications, and what something still refers to.

use chancery_event::Environment;
use chancery_event::Timestamp;
use chancery_store::table::notice::{self, Notice};
use chancery_store::table::notification::{self, Call, Escalation, Stream};
use chancery_store::{Error, Tx};
use chancery_throwaway::on_each_backend;

use crate::store;

const DAY: i64 = Timestamp::DAY;

fn call(environment: &Environment, at: Timestamp) -> Call {
    Call {
        id: environment.id(),
        log_index: None,
        event_id: environment.id(),
        event_type: "certificate.expiring".to_owned(),
        object: None,
        profile: "p".to_owned(),
        trigger: "t".to_owned(),
        title: String::new(),
        candidate: None,
        message: String::new(),
        state: "done".to_owned(),
        outcome: String::new(),
        at,
        done_at: Some(at),
    }
}

fn held(environment: &Environment, call: &Call, at: Timestamp) -> Notice {
    Notice {
        id: environment.id(),
        call: call.id,
        log_index: None,
        event_id: call.event_id,
        event_type: call.event_type.clone(),
        object: None,
        severity: "info".to_owned(),
        profile: "p".to_owned(),
        profile_version: 1,
        level: 0,
        account: None,
        address: Some("a@example.org".to_owned()),
        channel: "mail".to_owned(),
        paths: "[]".to_owned(),
        decision: "held".to_owned(),
        reason: "digest".to_owned(),
        due_at: Some(at.plus(90 * DAY)),
        heading: String::new(),
        delivery: None,
        alert: None,
        at,
    }
}

on_each_backend!(what_something_waits_for_is_kept_and_streams_have_their_own_time);
async fn what_something_waits_for_is_kept_and_streams_have_their_own_time() {
    let (_place, store) = store().await;
    let environment = Environment::system();
    let then: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let calls: Vec<Call> = (0..3).map(|_| call(&environment, then)).collect();
    let [plain, waits, climbs] = [calls[0].id, calls[1].id, calls[2].id];
    let notice = held(&environment, &calls[1], then);
    let level = Escalation {
        id: environment.id(),
        call: climbs,
        alert: environment.id(),
        profile: "p".to_owned(),
        level: 1,
        due_at: then.plus(60 * DAY),
        state: "waiting".to_owned(),
    };
    let stream = Stream {
        profile: "p".to_owned(),
        object: "certificate/x".to_owned(),
        event_type: "certificate.expiring".to_owned(),
        threshold: String::new(),
        policy: "-/1".to_owned(),
        sent: 1,
        first_at: then,
        last_at: then,
        seen_at: then,
        forget_at: then.plus(180 * DAY),
    };
    let rows = (calls, notice, level, stream);
    let written = store.transaction("test", move |tx: &mut Tx| {
        let (calls, notice, level, stream) = rows.clone();
        Box::pin(async move {
            for call in &calls {
                notification::insert(tx, call).await?;
            }
            notice::insert(tx, &[notice]).await?;
            notification::escalate(tx, &level).await?;
            notification::put_stream(tx, &stream).await?;
            Ok::<(), Error>(())
        })
    });
    written.await.unwrap();
    let sweep = async |now: Timestamp| {
        let swept = store.transaction("test", move |tx: &mut Tx| {
            Box::pin(async move { notification::sweep(tx, now.plus(-30 * DAY), now, 100).await })
        });
        swept.await.unwrap()
    };
    assert_eq!(sweep(then.plus(40 * DAY)).await, 1);
    let mut link = store.read().await.unwrap();
    assert!(notification::find(&mut link, plain).await.unwrap().is_none());
    for kept in [waits, climbs] {
        assert!(notification::find(&mut link, kept).await.unwrap().is_some());
    }
    let stream = async |link: &mut chancery_store::Link| {
        let found = notification::streams_of(link, "certificate/x").await.unwrap();
        found.len()
    };
    assert_eq!(stream(&mut link).await, 1, "a long frequency is remembered for as long");
    drop(link);
    assert_eq!(sweep(then.plus(181 * DAY)).await, 1);
    let mut link = store.read().await.unwrap();
    assert_eq!(stream(&mut link).await, 0);
}
