//! An embedded store is moved to a server: the same log goes on there, and nowhere else.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::process::{Command, Output};

use chancery_seal::proof::{
    TileSource, consistency_proof, tiles_for_consistency, verify_consistency,
};
use chancery_seal::{Checkpoint, Note, TileId};
use chancery_throwaway::server;
use reqwest::Client;

use crate::process::{ORIGIN, Process, prepare};
use crate::victim::leaf;

fn command(dir: &Path, database: Option<&str>, arguments: &[&str]) -> Output {
    let variables: Vec<_> = database.map(|url| ("CHANCERY_DATABASE", url)).into_iter().collect();
    with(dir, &variables, arguments)
}

fn with(dir: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(arguments)
        .env("CHANCERY_DATA_DIR", dir)
        .env("CHANCERY_LISTEN", "127.0.0.1:0")
        .env("CHANCERY_LOG_ORIGIN", ORIGIN)
        .env("CHANCERY_LOG_ALLOW_UNENCRYPTED_KEY", "true")
        .envs(variables.iter().copied())
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

/// What a server publishes under `/log/`.
async fn published(server: &Process, path: &str) -> Vec<u8> {
    let answer = Client::new().get(format!("{}/log/{path}", server.url)).send().await.unwrap();
    answer.error_for_status().unwrap().bytes().await.unwrap().to_vec()
}

async fn checkpoint(server: &Process) -> Checkpoint {
    let note = Note::parse(&published(server, "checkpoint").await).unwrap();
    note.text().parse().unwrap()
}

struct Tiles(HashMap<TileId, Vec<u8>>);

impl TileSource for Tiles {
    type Error = Infallible;

    fn tile(&self, id: TileId) -> Result<Option<Cow<'_, [u8]>>, Infallible> {
        Ok(self.0.get(&id).map(|bytes| Cow::Borrowed(bytes.as_slice())))
    }
}

/// Whether what a server publishes now goes on from an earlier checkpoint, as anybody can prove.
async fn goes_on_from(server: &Process, old: &Checkpoint) {
    let new = checkpoint(server).await;
    assert!(new.size() > old.size());
    let mut tiles = Tiles(HashMap::new());
    for id in tiles_for_consistency(old.size(), new.size()) {
        tiles.0.insert(id, published(server, &id.to_string()).await);
    }
    let proof = consistency_proof(&tiles, old.size(), new.size()).unwrap();
    let (size, root) = (new.size(), new.root());
    assert_eq!(verify_consistency(old.size(), old.root(), size, root, &proof), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_log_goes_on_and_the_old_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let token = prepare(dir).await;
    let embedded = Process::start(dir);
    upload(&embedded, &token, 0..5).await;
    let old = checkpoint(&embedded).await;
    embedded.stop();
    let name = server().database(None);
    let url = server().url(&name);
    // The address comes from a file, its password from the configuration.
    let bare = dir.join("address");
    std::fs::write(&bare, format!("{}\n", url.replace(":throw-away@", "@"))).unwrap();
    let from_file = ["migrate-store", "--to-file", bare.to_str().unwrap(), "--json"];
    let refused = with(dir, &[("CHANCERY_DATABASE_PASSWORD", "wrong")], &from_file);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.contains("database_password_file"), "{told}");
    let moved = with(dir, &[("CHANCERY_DATABASE_PASSWORD", "throw-away")], &from_file);
    assert!(moved.status.success(), "{moved:?}");
    assert!(!String::from_utf8_lossy(&moved.stderr).contains("everybody"), "{moved:?}");
    let again = command(dir, None, &["migrate-store", "--to", &url]);
    let told = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success() && told.contains("was moved to a server before"), "{told}");
    // Nobody begins a second log with the same keys, and nobody is led to one.
    for command_line in [["serve"], ["verify"]] {
        let refused = command(dir, None, &command_line);
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && told.contains("set `database`"), "{told}");
    }
    assert!(!dir.join("chancery.db").exists());
    let shared = Process::start_with(dir, &["--set", &format!("database={url}")]);
    assert_eq!(found(&shared, &token, "moved-3.example.com").await, 1);
    upload(&shared, &token, 5..8).await;
    assert_eq!(found(&shared, &token, "moved").await, 8);
    goes_on_from(&shared, &old).await;
    shared.stop();
    let verified = command(dir, Some(&url), &["verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_on_the_command_line_is_remarked_upon_and_one_in_a_variable_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    prepare(dir).await;
    let url = server().url(&server().database(None));
    let elsewhere = url.replace("throw-away", "wrong");
    let refused = with(dir, &[], &["migrate-store", "--to", &elsewhere]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(told.contains("everybody on this machine"), "{told}");
    assert!(told.contains("CHANCERY_DATABASE_PASSWORD"), "{told}");
    assert!(!told.contains("wrong"), "the password is not repeated: {told}");
    let moved = with(dir, &[("CHANCERY_MIGRATE_TO", &url)], &["migrate-store"]);
    assert!(moved.status.success(), "{moved:?}");
    assert!(!String::from_utf8_lossy(&moved.stderr).contains("everybody"), "{moved:?}");
}

/// Has the command struck when its copy is committed; answers what names the place to strike.
fn armed(dir: &Path, what: &str) -> String {
    let file = dir.join("armed");
    std::fs::write(&file, format!("transfer after {what}")).unwrap();
    file.display().to_string()
}

/// A second data directory like the first.
fn copied(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let from = format!("{}/.", dir.display());
    let done = Command::new("cp").args(["-a", &from]).arg(copy.path()).status().unwrap();
    assert!(done.success());
    copy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_dies_after_its_commit_leaves_one_log_whichever_side_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let token = prepare(dir).await;
    let embedded = Process::start(dir);
    upload(&embedded, &token, 0..3).await;
    embedded.stop();
    let url = server().url(&server().database(None));
    let arguments = ["migrate-store", "--to", &url];
    let killed = with(dir, &[("FAULT_IN_CHANCERY", &armed(dir, "kill"))], &arguments);
    assert!(killed.status.code().is_none(), "{killed:?}");
    assert!(dir.join("chancery.db").exists());
    let again = command(dir, None, &arguments);
    let told = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success() && told.contains("an earlier run was broken off"), "{told}");
    assert!(told.contains("the original is as it was"), "{told}");

    // The embedded one goes on: nobody begins on the copy.
    let other = copied(dir);
    let embedded = Process::start(dir);
    upload(&embedded, &token, 3..5).await;
    let old = checkpoint(&embedded).await;
    embedded.stop();
    let refused = command(dir, Some(&url), &["serve"]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.contains("the log in the database has"), "{told}");
    // Emptied, it takes the whole log.
    let fresh = server().url(&server().database(None));
    let moved = command(dir, None, &["migrate-store", "--to", &fresh]);
    assert!(moved.status.success(), "{moved:?}");
    let shared = Process::start_with(dir, &["--set", &format!("database={fresh}")]);
    goes_on_from(&shared, &old).await;
    shared.stop();

    // The copy goes on: nobody begins on the embedded one.
    let other = other.path();
    let shared = Process::start_with(other, &["--set", &format!("database={url}")]);
    upload(&shared, &token, 3..5).await;
    assert_eq!(found(&shared, &token, "moved").await, 5);
    shared.stop();
    let refused = command(other, None, &["serve"]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.contains("the log in the database has"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_whose_connection_ends_after_its_commit_is_done_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    prepare(dir).await;
    let name = server().database(None);
    let url = server().url(&name);
    let fault = armed(dir, "hold");
    let moving = {
        let (dir, url, fault) = (dir.to_owned(), url.clone(), fault.clone());
        let run =
            move || with(&dir, &[("FAULT_IN_CHANCERY", &fault)], &["migrate-store", "--to", &url]);
        std::thread::spawn(run)
    };
    while Path::new(&fault).exists() {
        assert!(!moving.is_finished(), "{:?}", moving.join());
        std::thread::yield_now();
    }
    server().disconnect(&name);
    std::fs::write(dir.join("armed.go"), "").unwrap();
    let moved = moving.join().unwrap();
    assert!(moved.status.success(), "{moved:?}");
    assert!(String::from_utf8_lossy(&moved.stderr).contains("ANALYZE"), "{moved:?}");
    assert!(dir.join("chancery.db.moved").exists());
}
