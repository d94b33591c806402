//! How fast a large log is searched:
//! `cargo test --release -p chancery-store --test it speed -- --ignored --nocapture`.
//!
//! `CHANCERY_SPEED_DIR` names a directory to keep the log in between runs.

use std::time::{Duration, Instant};

use chancery_event::filter::Filter;
use chancery_event::search::schema;
use chancery_event::{Origin, Severity, Timestamp, Verdict};
use chancery_store::log::{self, PageRequest};
use chancery_store::{Settings, Store};

use crate::log::{Choice, NOW, Sketch, certificate, environment, project, seal};

const EVENTS: u64 = 1_000_000;
const BATCH: u64 = 4_096;

/// An event of a log that spans 90 days.
fn sketch(index: u64, choice: &mut Choice) -> Sketch {
    let time = NOW - 90 * Timestamp::DAY
        + i64::try_from(index).unwrap() * (90 * Timestamp::DAY / 1_000_000);
    let kind = choice.below(1_000);
    let (event_type, severity, result) = match kind {
        0..300 => ("certificate.upload", Severity::Info, Verdict::Success),
        300 => ("certificate.upload", Severity::Warning, Verdict::Failure),
        301..600 => ("certificate.uploaded", Severity::Info, Verdict::Success),
        600..750 => ("certificate.status_changed", Severity::Info, Verdict::Success),
        750..850 => ("session.create", Severity::Info, Verdict::Success),
        850..860 => ("session.create", Severity::Warning, Verdict::Deny),
        860..900 => ("job.finished", Severity::Info, Verdict::Success),
        900..905 => ("job.finished", Severity::Error, Verdict::Failure),
        905..985 => ("certificate.expiring", Severity::Warning, Verdict::Success),
        985..999 => ("certificate.update", Severity::Info, Verdict::Success),
        _ if index.is_multiple_of(97) => ("log.seal_stopped", Severity::Critical, Verdict::Failure),
        _ => ("certificate.delete", Severity::Warning, Verdict::Success),
    };
    let rare = if index % 250_007 == 5 { " zanzibar" } else { "" };
    Sketch {
        event_type,
        severity,
        result,
        origin: choice.of(&[Origin::Api, Origin::Api, Origin::Ui, Origin::Schedule]),
        time: time + i64::try_from(choice.below(5_000_000)).unwrap(),
        actor: choice.of(&[Some("admin"), Some("admin"), Some("admin"), None, Some("ada")]),
        ip: Some(format!("192.0.2.{}", choice.below(200))),
        targets: vec![certificate(choice.below(100_000))],
        message: Some(format!("made up number {index}{rare}")),
    }
}

async fn opened() -> (Store, Option<tempfile::TempDir>) {
    let kept = std::env::var_os("CHANCERY_SPEED_DIR");
    let temporary = kept.is_none().then(|| tempfile::tempdir().unwrap());
    let dir = match (&kept, &temporary) {
        (Some(dir), _) => std::path::PathBuf::from(dir),
        (None, Some(dir)) => dir.path().to_owned(),
        (None, None) => unreachable!(),
    };
    let settings = match std::env::var("CHANCERY_SPEED_DATABASE") {
        Ok(url) => Settings::postgres(url.parse().unwrap()),
        Err(_) => Settings::embedded(dir),
    };
    let store = Store::open(&settings).await.unwrap();
    let have = log::state(&mut store.read().await.unwrap()).await.unwrap().signed_size;
    if have < EVENTS {
        assert_eq!(have, 0, "a log that was not finished: remove it");
        let started = Instant::now();
        let environment = environment(1);
        let mut choice = Choice(7);
        let mut from = 0;
        let (mut sealing, mut projecting) = (Duration::ZERO, Duration::ZERO);
        while from < EVENTS {
            let to = (from + BATCH).min(EVENTS);
            let events = (from..to).map(|i| sketch(i, &mut choice).event(&environment, None));
            let events = events.collect();
            let at = Instant::now();
            seal(&store, from, events).await;
            sealing += at.elapsed();
            let at = Instant::now();
            project(&store, to).await;
            projecting += at.elapsed();
            from = to;
        }
        println!(
            "made {EVENTS} events in {:.1?} (sealing {sealing:.1?}, projecting {projecting:.1?}), {} MB",
            started.elapsed(),
            store.size_bytes().await.unwrap() / 1_000_000
        );
    }
    (store, temporary)
}

async fn measured<T>(what: &str, times: usize, mut once: impl AsyncFnMut() -> T) -> T {
    let mut took = Vec::new();
    let mut last = once().await;
    for _ in 0..times {
        let at = Instant::now();
        last = once().await;
        took.push(at.elapsed());
    }
    took.sort_unstable();
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)];
    println!("{what:<64} p50 {:>10.2?}  p95 {:>10.2?}", at(50), at(95));
    last
}

const FILTERS: &[&str] = &[
    "",
    "type:certificate.upload",
    "type:certificate.upload severity:warning",
    "type:certificate.upload outcome:failure",
    "type:log.seal_stopped",
    "severity>=warning",
    "severity>=error",
    "outcome:failure",
    "outcome:failure origin:ui",
    "type:certificate.*",
    "-type:certificate.*",
    "target:certificate/00000000-0000-7000-8000-000000012345",
    "actor:admin",
    "actor:ada type:log.seal_stopped",
    "actor:admin severity:error",
    "ip:192.0.2.77",
    "ip:192.0.2.77 severity>=warning",
    "zanzibar",
    "number",
    "certificate severity:error",
    "12345",
    "time>-1h",
    "time>-24h severity>=warning",
    "time:2026-10-03 type:session.create outcome:deny",
    "time:2026-10-03T10:00:00Z..2026-10-03T11:00:00Z",
    "time<2026-09-01 actor:ada",
    "subject:*12345*",
    "-actor:admin -severity:info",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; run in release"]
async fn speed_of_searching_a_million_events() {
    let (store, _dir) = opened().await;
    let mut link = store.read().await.unwrap();
    let rounds = |at: Duration| if at > Duration::from_millis(200) { 3 } else { 40 };
    for text in FILTERS {
        let filter = Filter::parse(text, schema()).unwrap();
        let request = PageRequest { limit: 50, ..PageRequest::default() };
        let at = Instant::now();
        let page = log::page(&mut link, &filter, request, NOW).await.unwrap();
        let times = rounds(at.elapsed());
        let what = format!("page   {text} ({})", page.events.len());
        measured(&what, times, async || log::page(&mut link, &filter, request, NOW).await.unwrap())
            .await;
        let at = Instant::now();
        let log::Counted { groups, sampled, .. } =
            log::facets(&mut link, &filter, NOW).await.unwrap();
        let total: u64 = groups[1].values.iter().map(|(_, n)| n).sum();
        let what = format!("facets {text} ({total}{})", if sampled { "+" } else { "" });
        let times = rounds(at.elapsed());
        measured(&what, times, async || log::facets(&mut link, &filter, NOW).await.unwrap()).await;
        let (to, from) =
            (Timestamp::from_micros(NOW), Timestamp::from_micros(NOW - 30 * Timestamp::DAY));
        let at = Instant::now();
        log::bars(&mut link, &filter, (from, to), 60, NOW).await.unwrap();
        let times = rounds(at.elapsed());
        measured(&format!("bars   {text}"), times, async || {
            log::bars(&mut link, &filter, (from, to), 60, NOW).await.unwrap()
        })
        .await;
    }
}
