//! What a definition of a monitor says is what its runs do: repetition, silence turned off, leads in
//! hours, the limit of storage, and certificates whatever their status.

use chancery_engine::automation::Class;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::inventory::PlacementRequest;
use chancery_event::id::CertificateId;
use chancery_event::{Event, Timestamp};
use chancery_store::Tx;
use chancery_store::table::certificate::{self, StatusRow};
use chancery_throwaway::on_each_backend;
use serde_json::{Value, json};

use crate::monitor::Bench;

const DAY: i64 = Timestamp::DAY;
const HOUR: i64 = Timestamp::HOUR;

impl Bench {
    /// Gives a monitor another definition, with a run each hour.
    async fn define(&mut self, name: &str, mut body: Value) {
        body["schedule"] = json!({ "cron": "0 * * * *", "time_zone": "UTC" });
        let (class, context) = (Class::Monitor, self.context());
        let changed = self.engine().update_automation(&context, class, name, None, body, true);
        changed.await.unwrap();
        self.step().await;
    }

    /// What was told of the end of a certificate.
    async fn told(&self, id: CertificateId) -> Vec<Event> {
        let mut events = self.events("certificate.expiring").await;
        events.retain(|event| event.detail["certificate_id"] == id.to_string());
        events
    }
}

on_each_backend!(the_last_threshold_is_told_again_at_the_interval, 2);

async fn the_last_threshold_is_told_again_at_the_interval() {
    let mut bench = Bench::new().await;
    let body = json!({ "kind": "certificate_expiry", "thresholds": ["30d", "7d"], "repeat": "2d" });
    bench.define("certificate-expiry", body).await;
    let id = bench.upload("www.example.com", -70, 20).await;
    let mut by_day = Vec::new();
    for _ in 0..14 {
        bench.pass(DAY).await;
        by_day.push(bench.told(id).await.len());
    }
    // Ten days ago it came within thirty; from then on every second day, and on the thirteenth day
    // it comes within seven.
    assert_eq!(by_day, [1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 8, 8]);
    let thresholds: Vec<_> =
        bench.told(id).await.iter().map(|event| event.detail["threshold"].clone()).collect();
    assert_eq!(thresholds[..7], ["30d"; 7]);
    assert_eq!(thresholds[7..], ["7d"]);
}

on_each_backend!(what_is_replaced_is_told_where_silence_is_turned_off, 2);

async fn what_is_replaced_is_told_where_silence_is_turned_off() {
    let mut bench = Bench::new().await;
    let body = |suppress: bool| {
        json!({ "kind": "certificate_expiry", "thresholds": ["30d"],
            "suppress_if_replaced": suppress })
    };
    bench.define("certificate-expiry", body(true)).await;
    let old = bench.upload("www.example.com", -70, 20).await;
    bench.upload("www.example.com", -1, 300).await;
    bench.pass(HOUR).await;
    assert!(bench.told(old).await.is_empty() && !bench.is_alarmed(old).await);
    bench.define("certificate-expiry", body(false)).await;
    bench.pass(HOUR).await;
    assert_eq!(bench.told(old).await.len(), 1);
    assert!(bench.is_alarmed(old).await);
}

on_each_backend!(a_lead_may_be_hours, 2);

async fn a_lead_may_be_hours() {
    let mut bench = Bench::new().await;
    let body = json!({ "kind": "certificate_expiry", "thresholds": ["12h"] });
    bench.define("certificate-expiry", body).await;
    let id = bench.upload("www.example.com", -1, 1).await;
    bench.pass(11 * HOUR).await;
    assert!(bench.told(id).await.is_empty(), "thirteen hours are left");
    bench.pass(2 * HOUR).await;
    let told = bench.told(id).await;
    assert_eq!((told.len(), &told[0].detail["threshold"]), (1, &json!("12h")));
}

on_each_backend!(storage_that_reaches_its_limit_is_told, 2);

async fn storage_that_reaches_its_limit_is_told() {
    let mut bench = Bench::new().await;
    let size = chancery_engine::bench::store(bench.engine()).size_bytes().await.unwrap() >> 20;
    let limit = size + 2;
    let body = |limit: u64| json!({ "kind": "limits", "limits": { "storage_mib": limit } });
    bench.define("limits", body(limit)).await;
    bench.pass(HOUR).await;
    assert!(bench.alarm("limit/storage_mib").await.is_none());
    for _ in 0..40 {
        chancery_engine::bench::record(bench.engine(), &bench.context(), 100).await.unwrap();
    }
    bench.pass(HOUR).await;
    let reached = bench.events("license.limit_reached").await;
    assert_eq!(reached.len(), 1);
    assert_eq!(reached[0].detail["counted"], "storage_mib");
    assert!(reached[0].detail["count"].as_u64() >= Some(limit), "{:?}", reached[0].detail);
    assert!(bench.alarm("limit/storage_mib").await.is_some());
    bench.define("limits", body(1 << 20)).await;
    bench.pass(HOUR).await;
    assert!(bench.alarm("limit/storage_mib").await.is_none());
    let resolved = bench.events("alert.resolved").await;
    assert_eq!(resolved.last().unwrap().detail["resolved_because"], "below_limit");
}

on_each_backend!(the_end_is_told_whatever_the_status, 2);

async fn the_end_is_told_whatever_the_status() {
    let mut bench = Bench::new().await;
    bench.upload("www.example.com", -70, 20).await;
    for status in ["revoked", "invalid"] {
        let id = bench.upload(&format!("{status}.example.com"), -70, 20).await;
        bench.step().await;
        let now = bench.now();
        let verdict = StatusRow {
            status: status.to_owned(),
            reason: "for a test".to_owned(),
            checks: "[]".to_owned(),
            chain: "[]".to_owned(),
            at: now,
            due_at: now.plus(365 * DAY),
        };
        let written: Result<(), chancery_store::Error> = bench
            .reader()
            .transaction("test", move |tx: &mut Tx| {
                let verdict = verdict.clone();
                Box::pin(async move { certificate::update_status(tx, id, &verdict).await })
            })
            .await;
        written.unwrap();
        bench.pass(HOUR).await;
        let row = bench.engine().certificate(&bench.context(), id).await.unwrap().row;
        assert_eq!(row.status, status);
        assert_eq!(bench.told(id).await.len(), 1, "{status}");
        assert!(bench.is_alarmed(id).await, "{status}");
    }
}

on_each_backend!(what_a_filter_comes_to_hold_of_is_told, 2);

async fn what_a_filter_comes_to_hold_of_is_told() {
    let mut bench = Bench::new().await;
    let context = bench.context();
    let label = |name: &str| LabelDraft { name: name.to_owned(), description: String::new() };
    let make = |name| bench.engine().create_label(&context, LabelClass::Group, label(name));
    let group = make("lab").await.unwrap();
    let hourly = json!({ "cron": "0 * * * *", "time_zone": "UTC" });
    for (name, filter) in [("by-age", "issued<-40d"), ("by-name", "group:prod*")] {
        let body = json!({ "kind": "certificate_expiry", "filter": filter, "schedule": hourly,
            "thresholds": ["60d"] });
        let made = bench.engine().create_automation(&context, Class::Monitor, name, body, true);
        made.await.unwrap();
    }
    bench.step().await;
    let id = bench.upload("www.example.com", -30, 50).await;
    let placed = PlacementRequest { groups: Some(vec!["lab".to_owned()]), ..Default::default() };
    bench.engine().update_certificate(&context, id, None, placed).await.unwrap();
    bench.pass(HOUR).await;
    let told = async |bench: &Bench, monitor: &str| {
        let events = bench.events("certificate.expiring").await;
        events.iter().filter(|event| event.detail["monitor"] == monitor).count()
    };
    for monitor in ["by-age", "by-name"] {
        assert_eq!(bench.last(monitor).await, (0, r#"{"filtered":1}"#.to_owned()));
    }
    let renamed = label("production");
    let update = bench.engine().update_label(&context, LabelClass::Group, &group, None, renamed);
    update.await.unwrap();
    bench.pass(HOUR).await;
    assert_eq!((told(&bench, "by-age").await, told(&bench, "by-name").await), (0, 1));
    // All its thresholds lie behind it when the filter begins to hold.
    for _ in 0..11 {
        bench.pass(DAY).await;
    }
    assert_eq!((told(&bench, "by-age").await, told(&bench, "by-name").await), (1, 1));
}
