//! What a run costs, and how the cost grows:
//! `cargo test --release -p chancery-engine --test it sweep -- --ignored --nocapture`.

use std::time::Instant;

use chancery_engine::automation::Class;
use chancery_engine::{Context, Settings, Stepped, bench};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::{Environment, Timestamp};
use chancery_store::Tx;
use chancery_store::bench::fill;
use serde_json::json;

async fn add(stepped: &Stepped, from: i64, to: i64, ends_at: Timestamp, now: Timestamp) {
    let added = bench::store(stepped.engine())
        .transaction("sweep.fill", move |tx: &mut Tx| Box::pin(fill(tx, from..to, ends_at, now)))
        .await;
    assert_eq!(added.unwrap(), u64::try_from(to - from).unwrap());
}

/// How many certificates: as `SWEEP_SIZES` says, or three sizes that show how the cost grows.
fn sizes() -> Vec<i64> {
    match std::env::var("SWEEP_SIZES") {
        Ok(text) => text.split(',').map(|size| size.parse().unwrap()).collect(),
        Err(_) => vec![10_000, 100_000, 1_000_000],
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a test"]
async fn a_run_costs_what_is_due() {
    for size in sizes() {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2027-01-01T00:30:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(1));
        let settings = Settings { allow_unencrypted_key: true, ..Settings::new(dir.path()) };
        let mut stepped = Stepped::open(settings, environment.clone()).await.unwrap();
        let now = environment.now();
        add(&stepped, 0, size, now.plus(60 * Timestamp::DAY), now).await;
        let engine = stepped.engine().clone();
        let context = Context::command_line(&environment);
        let body = json!({
            "kind": "certificate_expiry",
            "schedule": { "cron": "0 * * * *", "time_zone": "UTC" },
            "thresholds": ["30d/33%", "14d/20%", "7d/10%", "1d/2%", "0d"],
        });
        let name = "certificate-expiry";
        engine.update_automation(&context, Class::Monitor, name, None, body, true).await.unwrap();
        let started = Instant::now();
        stepped.run_due().await.unwrap();
        let set_up = started.elapsed();
        stepped.seal().await.unwrap();
        let mut quiet = Vec::new();
        for _ in 0..9 {
            let started = Instant::now();
            let run = engine.run_task(&context, Class::Monitor, name).await.unwrap();
            quiet.push(started.elapsed().as_secs_f64() * 1_000.0);
            assert_eq!((run.counts.watched, run.counts.evaluated), (size as u64, 0));
            stepped.seal().await.unwrap();
        }
        quiet.sort_by(f64::total_cmp);
        // The first ten thousand come within thirty days of their end, over a week.
        clock.advance(30 * Timestamp::DAY + 10_000 * 60 * Timestamp::SECOND - Timestamp::SECOND);
        let started = Instant::now();
        let run = engine.run_task(&context, Class::Monitor, name).await.unwrap();
        let due = started.elapsed();
        assert_eq!(run.counts.fired, 10_000);
        println!(
            "{size} certificates: set up {:.1} s; nothing due {:.1} ms (median of 9, worst {:.1}); \
             10,000 due {:.2} s with event and alert each",
            set_up.as_secs_f64(),
            quiet[4],
            quiet[8],
            due.as_secs_f64()
        );
        stepped.kill().await;
    }
}
