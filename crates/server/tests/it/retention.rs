//! A log of which events were removed from the database: `chancery verify` reads the archive, and
//! says so where it cannot.

use std::time::Duration;

use chancery_engine::retention::RuleDraft;
use chancery_engine::{Context, Engine};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::{Environment, Timestamp};
use chancery_testkit::Bucket;
use serde_json::json;

use crate::documented::block;
use crate::installation::{Installation, PATIENCE, PREPARED, Server};

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
    assert_eq!((status, &document["verified"]), (0, &json!(true)), "{document}");
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

#[test]
fn a_trimmed_backup_is_put_back_with_its_archive_aside() {
    let installation = Installation::prepared();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(trim(&installation)), 256);
    let backup = installation.beside("backup");
    let backup = backup.to_str().unwrap();
    installation.run(&["backup", backup]).well();

    // Nothing is known of where the archive is: it is asked for, and nothing is put back.
    let fresh = Installation::new();
    let run = fresh.run(&["restore", backup]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("--archive DIR"), "{run:?}");
    assert!(!fresh.data_dir().exists());

    let guide = block("BACKUP.md", "mv /var/lib/chancery /var/lib/chancery.old");
    let guide = guide.replace("/backup/2026-11-21", backup);
    let guide = guide.replace("/var/lib/chancery", &installation.data_dir_text());
    installation.shell(&guide).well();
    let (status, verified) = installation.verify();
    assert_eq!((status, &verified["verified"]), (0, &json!(true)), "{verified}");
    assert!(verified["entries"].as_u64() > Some(PREPARED), "{verified}");
}

#[test]
fn a_trimmed_database_is_compared_in_place_with_its_archive_aside() {
    let installation = Installation::prepared();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(trim(&installation)), 256);
    let (place, aside) = (installation.data_dir().join("archive"), installation.beside("aside"));
    std::fs::rename(&place, &aside).unwrap();
    let run = installation.run(&["restore", "--in-place"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.err.contains("--archive DIR"), "{run:?}");
    let archive = aside.to_str().unwrap();
    installation.run(&["restore", "--in-place", "--archive", archive]).well();
    // Nobody made another one meanwhile.
    assert!(!place.exists());
    std::fs::rename(&aside, &place).unwrap();
    let (status, verified) = installation.verify();
    assert_eq!((status, &verified["verified"]), (0, &json!(true)), "{verified}");
}

#[test]
fn a_trimmed_log_that_moves_says_what_becomes_of_its_archive() {
    let installation = Installation::prepared();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(trim(&installation)), 256);
    let server = chancery_throwaway::server();
    let url = server.url(&server.database(None));
    let run = installation.run(&["migrate-store", "--to", &url, "--json"]).well();
    let place = installation.data_dir().join("archive").display().to_string();
    let document = run.document();
    assert_eq!((&document["removed"], &document["archive"]), (&json!(256), &json!(place)));
    for part in ["256 events were removed", &place, "archive.directory", "every node"] {
        assert!(run.err.contains(part), "{part}: {run:?}");
    }
}

/// Waits until something is there.
fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_commands_of_the_guide_run_with_the_archive_in_a_directory() {
    let installation = Installation::prepared();
    let token = installation.token("administrator");
    let archive = installation.beside("archive");
    let setting = format!("archive.directory={}", archive.display());
    let server = Server::start_with(&installation, &[&setting]);
    // The archive is written without a rule, because it was asked for.
    let bundle = archive.join("tile/entries/000");
    until("nothing is archived", || bundle.exists().then_some(()));
    assert!(!installation.data_dir().join("archive").exists());

    let pem = installation.beside("held.pem");
    std::fs::write(&pem, crate::cli::certificate("held.example")).unwrap();
    let made = server.run(&token, &["certificates", "upload", pem.to_str().unwrap()]).well();
    let id = made.out.trim().rsplit(' ').next().unwrap().to_owned();
    let guide = |line: &str| block("RETENTION.md", line);
    let rules = guide("chancery retention preview");
    let holds = guide("chancery retention hold");
    let holds = holds.replace("0193a1c2-7f00-7abc-8def-0123456789ab", &id);
    for lines in [rules, holds, "chancery retention run\n".to_owned()] {
        server.shell(&token, &lines).well();
    }
    let run = |arguments: &[&str]| server.run(&token, &[&["retention"], arguments].concat()).well();
    assert_eq!(run(&["run"]).err, "", "progress is shown on terminals alone");
    let rules = run(&["list", "--json"]).document();
    let names = |list: &serde_json::Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    let mut named = names(&rules);
    named.sort();
    assert_eq!(named, ["expired", "sessions"], "{rules:#}");
    let holds = run(&["holds", "--json"]).document();
    let audit = |hold: &&serde_json::Value| hold["name"] == "audit";
    assert_eq!(names(&holds).len(), 2, "{holds:#}");
    let ended = holds.as_array().unwrap().iter().find(audit).unwrap();
    assert!(ended["released_at"].is_string(), "{holds:#}");
    // A hold says what it names, and one on a certificate that nobody knows is refused.
    let hold = |words: &[&str]| {
        let hold = ["retention", "hold", "late", "--reason", "x"];
        server.run(&token, &[&hold, words].concat())
    };
    let unknown = hold(&["--certificate", "0193a1c2-7f00-7abc-8def-0123456789ab"]);
    assert!(unknown.status != 0 && unknown.err.contains("no such certificate"), "{unknown:?}");
    let none = hold(&["--filter", "index>100000000"]).well();
    assert!(none.out.contains("names no event now"), "{none:?}");
    let runs = run(&["runs", "--json"]).document();
    assert_eq!(runs.as_array().unwrap().len(), 4, "one for each rule, twice: {runs:#}");
    server.stop();
    installation.run(&["verify", "--archive", archive.to_str().unwrap()]).well();
}

#[test]
fn the_program_writes_its_archive_into_a_bucket() {
    let installation = Installation::prepared();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bucket = runtime.block_on(Bucket::start());
    let secret = installation.beside("secret");
    std::fs::write(&secret, format!("{}\n", Bucket::SECRET)).unwrap();
    let settings = [
        format!("archive.s3_endpoint={}", bucket.endpoint()),
        format!("archive.s3_bucket={}", Bucket::NAME),
        "archive.s3_prefix=log/one".to_owned(),
        format!("archive.s3_access_key_id={}", Bucket::KEY),
        format!("archive.s3_secret_access_key_file={}", secret.display()),
        "network.allowed_addresses=127.0.0.0/8".to_owned(),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = Server::start_with(&installation, &settings);
    let find = || runtime.block_on(bucket.find("log/one/tile/entries/000"));
    let bundle = until("nothing is archived", find);
    assert!(bundle.len() > 256 * 100, "256 entries");
    server.stop();
    assert!(!installation.data_dir().join("archive").exists());
}
