//! Alerts about the log itself: what somebody else wrote, and a log that does not verify.

use chancery_throwaway::on_each_backend;
use std::time::Duration;

use chancery_engine::alert::{AlertQuery, ShownAlert, Sort};
use chancery_engine::automation::Class;
use chancery_engine::inventory::{PlacementRequest, UploadAnswer};
use chancery_engine::{Context, Engine, bench};
use chancery_event::Timestamp;
use chancery_event::catalogue::{EventType, OutcomeClass, System};
use chancery_event::id::CertificateId;
use chancery_pki::make::{self, Issuer, Key, Template};
use chancery_store::Tampering;
use serde_json::json;

use crate::access::events;
use crate::monitor::Bench;
use crate::reaction::{action, save, trigger};
use crate::upload::{start, upload_of};

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

/// Waits until the inventory shows one certificate with a status.
async fn judged(engine: &Engine, id: CertificateId, status: &str) {
    let context = Context::command_line(engine.environment());
    let shown = async {
        while engine.certificate(&context, id).await.unwrap().row.status != status {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, shown).await.expect("the status");
}

on_each_backend!(an_alert_about_a_broken_chain_ends_when_the_chain_is_whole_again, 2);

async fn an_alert_about_a_broken_chain_ends_when_the_chain_is_whole_again() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine().clone();
    let context = Context::command_line(engine.environment());
    let now = engine.environment().now();
    let (from, to) = (now.plus(-Timestamp::DAY).micros(), now.plus(90 * Timestamp::DAY).micros());
    let keys = ["ca", "leaf"].map(|name| Key::from_seed(name.as_bytes()).unwrap());
    let ca = make::certificate(&Template::ca("Office CA", from, to), &keys[0], None).unwrap();
    let authority = chancery_pki::Certificate::parse(&ca).unwrap();
    let issuer = Issuer { certificate: &authority, key: &keys[0] };
    let template = Template::leaf(&["www.example.org"], from, to);
    let leaf = make::certificate(&template, &keys[1], Some(&issuer)).unwrap();
    let mut ids = Vec::new();
    for der in [ca, leaf] {
        let answer = engine.upload(&context, upload_of(der)).await.unwrap();
        let UploadAnswer::Done(mut items) = answer else { panic!("done") };
        ids.push(items.remove(0).result.unwrap());
    }
    let anchor = async |trust_anchor: bool| {
        let wish =
            PlacementRequest { trust_anchor: Some(trust_anchor), ..PlacementRequest::default() };
        engine.update_certificate(&context, ids[0], None, wish).await.unwrap();
    };
    anchor(true).await;
    judged(&engine, ids[1], "valid").await;
    assert!(alerts(&engine, "kind:chain_broken").await.is_empty());
    for round in 1..=2 {
        anchor(false).await;
        judged(&engine, ids[1], "untrusted").await;
        let open = alerts(&engine, "kind:chain_broken -state:resolved").await;
        assert_eq!(open.len(), 1, "one for the issuer, not one for each certificate");
        assert!(open[0].alert.title.contains("Office CA"), "{}", open[0].alert.title);
        anchor(true).await;
        judged(&engine, ids[1], "valid").await;
        judged(&engine, ids[0], "valid").await;
        assert!(alerts(&engine, "kind:chain_broken -state:resolved").await.is_empty());
        assert_eq!(alerts(&engine, "kind:chain_broken state:resolved").await.len(), round);
    }
    assert!(engine.settle(PATIENCE).await);
    let resolved = events(&engine, "type:alert.resolved").await;
    let whole =
        resolved.iter().filter(|seen| seen.event.detail["resolved_because"] == "chain_complete");
    assert_eq!(whole.count(), 2, "{:?}", resolved[0].event.detail);
    running.stop().await.unwrap();
}

on_each_backend!(what_steps_told_of_a_certificate_goes_with_its_cause, 2);

async fn what_steps_told_of_a_certificate_goes_with_its_cause() {
    let mut bench = Bench::new().await;
    let context = bench.context();
    let steps = json!([
        { "step": "notify", "to": "account:admin", "title": "{object.cn} ends" },
        { "step": "raise_alert", "kind": "care", "severity": "info", "title": "{object.cn}" },
    ]);
    let trigger = trigger(&["certificate.expiring"], &[], &["tell"]);
    let objects = [(Class::Action, "tell", action(steps)), (Class::Trigger, "tell", trigger)];
    save(bench.engine(), &objects).await.unwrap();
    let renewed = bench.upload("renewed.example", -60, 5).await;
    let deleted = bench.upload("deleted.example", -60, 5).await;
    bench.pass(2 * Timestamp::HOUR).await;
    bench.react().await;
    let open = async |bench: &Bench, id: CertificateId| {
        let id = id.to_string();
        let found = alerts(bench.engine(), "-state:resolved").await;
        let about = |one: &ShownAlert| {
            let object = one.alert.object.as_ref();
            object.filter(|(_, of)| *of == id).map(|_| one.alert.kind.clone())
        };
        let mut kinds: Vec<_> = found.iter().filter_map(about).collect();
        kinds.sort();
        kinds
    };
    for id in [renewed, deleted] {
        assert_eq!(open(&bench, id).await, ["care", "expiring_soon", "notice"]);
    }
    bench.upload("renewed.example", -1, 200).await;
    bench.pass(2 * Timestamp::HOUR).await;
    assert_eq!(open(&bench, renewed).await, ["care"], "what was raised by name stays");
    bench.engine().delete_certificate(&context, deleted, None).await.unwrap();
    assert!(open(&bench, deleted).await.is_empty(), "nothing is left to look at");
}
