//! A log of which events were removed from the database: `chancery verify` reads the archive, and
//! says so where it cannot.

use std::time::Duration;

use chancery_engine::retention::RuleDraft;
use chancery_engine::{Context, Engine};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::{Environment, Timestamp};

use crate::installation::{Installation, PATIENCE};

/// Removes everything that can be, as if two years had passed.
async fn trim(installation: &Installation) -> u64 {
    let later = Environment::system().now().plus(800 * Timestamp::DAY);
    let environment = Environment::new(ManualClock::new(later), SeededEntropy::new(3));
    let mut settings = installation.settings();
    settings.monitors = false;
    let running = Engine::start(settings, environment).await.unwrap();
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let rule = RuleDraft {
        name: "all".to_owned(),
        filter: String::new(),
        basis: "event".to_owned(),
        after_days: 365,
        enabled: true,
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    engine.create_retention_rule(&context, rule.clone()).await.unwrap();
    // The archive is written once there is a rule.
    while engine.preview_retention(&context, &rule).await.unwrap().events == 0 {
        assert!(tokio::time::Instant::now() < deadline, "nothing is archived");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    engine.queue_retention(&context).await.unwrap();
    let run = loop {
        let runs = engine.retention_runs(&context, 1).await.unwrap();
        if let Some(run) = runs.into_iter().find(|run| run.ended_at.is_some()) {
            break run;
        }
        assert!(tokio::time::Instant::now() < deadline, "the run does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(run.state, "succeeded", "{run:?}");
    running.stop().await.unwrap();
    run.removed
}

#[test]
fn a_trimmed_log_verifies_with_its_archive_and_not_without() {
    let installation = Installation::prepared();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let removed = runtime.block_on(trim(&installation));
    assert_eq!(removed, 256, "the bundle that is full");
    let (status, document) = installation.verify();
    assert_eq!((status, &document["verified"]), (0, &serde_json::json!(true)), "{document}");
    assert_eq!(document["entries"], document["size"]);

    let (place, moved) = (installation.data_dir().join("archive"), installation.beside("moved"));
    std::fs::rename(&place, &moved).unwrap();
    let run = installation.run(&["verify"]);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.err.contains("removed from the database"), "{run:?}");
    installation.run(&["verify", "--archive", moved.to_str().unwrap()]).well();

    let file = moved.join("tile/entries/000");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let run = installation.run(&["verify", "--archive", moved.to_str().unwrap(), "--json"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert_eq!(run.document()["fault"]["index"], 255, "{run:?}");
}
