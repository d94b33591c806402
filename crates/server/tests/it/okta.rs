//! Okta's own client for Python reads the log as it reads the one it was written for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::installation::{Installation, Server};

/// Reads everything in pages of five, then what a filter and a word select, then what cannot be.
const PROGRAM: &str = r#"
import asyncio, json, sys
from okta.client import Client

async def main(address, token):
    client = Client({"orgUrl": address, "token": token})
    read = []
    events, answer, error = await client.get_logs({"limit": "5", "sortOrder": "ASCENDING"})
    while error is None and events:
        read += [[event.uuid, event.event_type, event.outcome.result] for event in events]
        if not answer.has_next():
            break
        events, error = await answer.next()
    words = {"filter": 'outcome.result eq "SUCCESS"', "q": "looked-for"}
    found, _, wrong = await client.get_logs(words)
    refused = (await client.get_logs({"filter": "colour eq 1"}))[2]
    print(json.dumps({"read": read, "error": error and str(error), "wrong": wrong and str(wrong),
        "found": [event.target[0].display_name for event in found or []],
        "refused": refused.error_code}))

asyncio.run(main(*sys.argv[1:]))
"#;

/// For the seal of what was just recorded.
const PATIENCE: Duration = Duration::from_secs(60);

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    assert!(folder.is_dir(), "{name} is missing: cargo xtask tools");
    folder
}

#[test]
fn the_client_of_okta_reads_every_event_once_and_finds_what_it_looks_for() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let server = Server::start(&installation);
    for name in ["looked-for", "another"] {
        server.run(&token, &["token", "create", name]).well();
    }
    let listed = || -> Vec<Value> {
        let list = server.run(&token, &["events", "list", "-n", "1000", "--json"]).well();
        list.document().as_array().unwrap().clone()
    };
    let is_there = |events: &[Value]| {
        let made = events.iter().filter(|one| one["event"]["type"] == "token.create");
        made.count() == 3
    };
    let deadline = Instant::now() + PATIENCE;
    let before = loop {
        let events = listed();
        if is_there(&events) {
            break events;
        }
        assert!(Instant::now() < deadline, "{events:?}");
    };
    let before: BTreeSet<String> = before
        .iter()
        .map(|one| one["event"]["id"].as_str().unwrap_or_default().to_owned())
        .collect();
    let folders = [folder("../../target/tools/okta"), folder("../../target/tools/s3")];
    let answer = Command::new("python3")
        .args(["-S", "-c", PROGRAM, &server.url, &token])
        .env("PYTHONPATH", std::env::join_paths(folders).unwrap())
        .env("OKTA_TESTING_TESTINGDISABLEHTTPSCHECK", "true")
        .output()
        .unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!((&answer["error"], &answer["wrong"]), (&Value::Null, &Value::Null), "{answer}");
    let read: Vec<&str> =
        answer["read"].as_array().unwrap().iter().map(|one| one[0].as_str().unwrap()).collect();
    let once: BTreeSet<String> = read.iter().map(|id| (*id).to_owned()).collect();
    assert_eq!(once.len(), read.len(), "none twice");
    assert!(before.len() > 10 && before.is_subset(&once), "{before:?} {once:?}");
    assert_eq!(answer["found"], serde_json::json!(["looked-for"]), "{answer}");
    assert_eq!(answer["refused"], "E0000053", "{answer}");
    server.stop();
}
