//! An embedded store is moved to a server: the same log goes on there, and nowhere else.

use std::path::Path;
use std::process::{Command, Output};

use chancery_throwaway::server;
use reqwest::Client;

use crate::process::{ORIGIN, Process, prepare};
use crate::victim::leaf;

fn command(dir: &Path, database: Option<&str>, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(arguments)
        .env("CHANCERY_DATA_DIR", dir)
        .env("CHANCERY_LISTEN", "127.0.0.1:0")
        .env("CHANCERY_LOG_ORIGIN", ORIGIN)
        .env("CHANCERY_LOG_ALLOW_UNENCRYPTED_KEY", "true")
        .envs(database.map(|url| ("CHANCERY_DATABASE", url)))
        .output()
        .unwrap()
}

async fn upload(server: &Process, token: &str, names: std::ops::Range<u32>) {
    for number in names {
        let (der, _) = leaf(&format!("moved-{number}.example.com"));
        let url = format!("{}/api/v1/certificates", server.url);
        let sent = Client::new().post(url).bearer_auth(token).body(der);
        let sent = sent.header("content-type", "application/octet-stream").send().await.unwrap();
        assert_eq!(sent.status().as_u16(), 201);
    }
}

async fn found(server: &Process, token: &str, filter: &str) -> usize {
    let url = format!("{}/api/v1/certificates?filter={filter}", server.url);
    let answer = Client::new().get(url).bearer_auth(token).send().await.unwrap();
    let text = answer.text().await.unwrap();
    let page: serde_json::Value = serde_json::from_str(&text).unwrap();
    page["items"].as_array().unwrap_or_else(|| panic!("{text}")).len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_log_goes_on_and_the_old_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let token = prepare(dir).await;
    let embedded = Process::start(dir);
    upload(&embedded, &token, 0..5).await;
    embedded.stop();
    let name = server().database(None);
    let url = server().url(&name);
    let moved = command(dir, None, &["migrate-store", "--to", &url, "--json"]);
    assert!(moved.status.success(), "{moved:?}");
    let again = command(dir, None, &["migrate-store", "--to", &url]);
    assert!(!again.status.success());
    // Nobody begins a second log with the same keys.
    let refused = command(dir, None, &["serve"]);
    assert!(!refused.status.success());
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(told.contains("the log in the database has 0 entries"), "{told}");
    std::fs::remove_file(dir.join("chancery.db")).unwrap();
    let shared = Process::start_with(dir, &["--set", &format!("database={url}")]);
    assert_eq!(found(&shared, &token, "moved-3.example.com").await, 1);
    upload(&shared, &token, 5..8).await;
    assert_eq!(found(&shared, &token, "moved").await, 8);
    shared.stop();
    let verified = command(dir, Some(&url), &["verify"]);
    assert!(verified.status.success(), "{verified:?}");
}
