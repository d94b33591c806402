//! Alerts about the log itself: what somebody else wrote, and a log that does not verify.

use chancery_throwaway::on_each_backend;
use std::time::Duration;

use chancery_engine::alert::{AlertQuery, ShownAlert, Sort};
use chancery_engine::{Context, Engine, bench};
use chancery_event::catalogue::{EventType, OutcomeClass, System};
use chancery_store::Tampering;

use crate::access::events;
use crate::upload::start;

const PATIENCE: Duration = Duration::from_secs(60);

async fn alerts(engine: &Engine, text: &str) -> Vec<ShownAlert> {
    let context = Context::command_line(engine.environment());
    let query = AlertQuery {
        filter: engine.parse_alert_filter(text).unwrap(),
        sort: Sort::Created,
        descending: false,
        cursor: None,
        limit: 10,
    };
    engine.alerts(&context, &query).await.unwrap().items
}

on_each_backend!(foreign_events_raise_one_grave_alert_that_counts, 2);

async fn foreign_events_raise_one_grave_alert_that_counts() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine().clone();
    for expected in 1..=2 {
        bench::store(&engine).tamper(Tampering::ForgedPending).await.unwrap();
        bench::record(&engine, &bench::context(engine.environment()), 1).await.unwrap();
        assert!(engine.settle(PATIENCE).await);
        let found = alerts(&engine, "kind:event_quarantined").await;
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].alert.occurrences, found[0].level()), (expected, "ERROR"));
    }
    let raised = events(&engine, "type:alert.raised outcome:failure").await;
    assert_eq!(raised.len(), 1, "one alert, one event");
    let event = &raised[0].event;
    let class = OutcomeClass::of(&event.outcome, event.severity);
    let code = EventType::AlertRaised.info().dialect(System::Qcecuring, class).unwrap();
    assert_eq!(code.code, "ERROR");
    let cause = events(&engine, "type:event.unsealed_pending").await;
    assert!(cause.iter().any(|alarm| Some(alarm.event.id) == event.cause), "what brought it");
    running.stop().await.unwrap();
}

on_each_backend!(a_log_that_does_not_verify_is_an_alert_that_is_not_under_seal_yet, 2);

async fn a_log_that_does_not_verify_is_an_alert_that_is_not_under_seal_yet() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine().clone();
    assert!(engine.settle(PATIENCE).await);
    bench::store(&engine).tamper(Tampering::NewestRoot).await.unwrap();
    bench::record(&engine, &bench::context(engine.environment()), 1).await.unwrap();
    let raised = async {
        loop {
            let found = alerts(&engine, "kind:log_seal_stopped").await;
            if !found.is_empty() {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, raised).await.expect("an alert");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].alert.severity.as_str(), found[0].alert.occurrences), ("critical", 1));
    running.stop().await.unwrap();
}
