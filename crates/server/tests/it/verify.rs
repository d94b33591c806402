//! `chancery verify` finds every damage and names its place; the sealer refuses to go on over one.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse as _;
use chancery_event::{Event, Personal, PersonalPart};
use chancery_seal::export::{End, Header, Line, Proof};
use chancery_seal::proof::{TileSource, inclusion_proof};
use chancery_seal::range::range_proof;
use chancery_seal::{BundleId, Checkpoint, Note, TileId, TlogProof, bundle, leaf_hash};
use chancery_store::tamper::{Damage, tamper};
use chancery_store::{Store, log};
use chancery_testkit::TestServer;

use crate::installation::{Installation, ORIGIN, PATIENCE, PREPARED, Server};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

fn damage(installation: &Installation, damage: Damage) {
    block_on(tamper(&installation.data_dir(), damage)).unwrap();
}

#[test]
fn a_sound_log_holds() {
    let installation = Installation::prepared();
    let run = installation.run(&["verify"]).well();
    assert!(run.out.starts_with("Verified:"), "{run:?}");
    assert!(run.out.contains(ORIGIN) && run.out.contains("entries/s"), "{run:?}");
    assert!(run.err.contains("--key"), "the key was not checked: {run:?}");

    let (status, document) = installation.verify();
    assert_eq!(status, 0);
    assert_eq!(document["verified"], true);
    let size = document["size"].as_u64().unwrap();
    assert!(size > PREPARED, "{size}");
    assert_eq!(document["entries"], size);
    assert_eq!(document["key_source"], "data_dir");

    let key = installation.data_dir().join("keys/log.vkey");
    let run = installation.run(&["verify", "--json", "--key", key.to_str().unwrap()]).well();
    assert_eq!(run.document()["warnings"], serde_json::json!([]));
    let key = std::fs::read_to_string(key).unwrap();
    installation.run(&["verify", "--key", key.trim()]).well();
}

#[test]
fn a_range_holds() {
    let installation = Installation::prepared();
    for (from, to) in [("0", "0"), ("250", "260"), ("256", "299")] {
        let run = installation.run(&["verify", "--from", from, "--to", to, "--json"]).well();
        assert_eq!(run.document()["range"]["from"].to_string(), from);
        assert_eq!(run.document()["range"]["to"].to_string(), to);
    }
    installation.run(&["verify", "--from", "290"]).well();
    let run = installation.run(&["verify", "--from", "10", "--to", "20"]).well();
    assert!(run.out.contains("256 entries, those asked for and what shares"), "{run:?}");
    let run = installation.run(&["verify"]).well();
    assert!(!run.out.contains("asked for"), "{run:?}");
    let run = installation.run(&["verify", "--from", "5000"]);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.err.contains("not within"), "{run:?}");
    let run = installation.run(&["verify", "--from", "9", "--to", "3"]);
    assert_eq!(run.status, 2, "{run:?}");
}

#[test]
fn what_cannot_be_looked_at_is_no_fault() {
    let installation = Installation::new();
    let run = installation.run(&["verify"]);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.err.contains("data directory"), "{run:?}");
    for arguments in [
        &["verify", "--export", "nowhere.jsonl"][..],
        &["verify", "--proof", "nowhere", "--entry", "nowhere"],
        &["verify", "--url", "http://127.0.0.1:9/log"],
        &["verify", "--url", "nowhere"],
        &["verify", "--key", "nonsense"],
    ] {
        let run = installation.run(arguments);
        assert_eq!(run.status, 2, "{arguments:?} {run:?}");
        assert!(run.err.starts_with("error: "), "{arguments:?} {run:?}");
    }
}

/// Damages a log and expects the fault at `index`.
#[track_caller]
fn check(change: Damage, index: Option<u64>, what: &str) {
    let installation = Installation::prepared();
    damage(&installation, change);
    let (status, document) = installation.verify();
    assert_eq!(status, 1, "{change:?}: {document:#}");
    assert_eq!(document["verified"], false, "{change:?}");
    assert_eq!(document["fault"]["index"].as_u64(), index, "{change:?}: {document:#}");
    let told = document["fault"]["what"].as_str().unwrap();
    assert!(told.contains(what), "{change:?}: {told}");
    let run = installation.run(&["verify"]);
    assert_eq!(run.status, 1);
    let place = index.map(|index| format!("FAULT at entry {index}: ")).unwrap_or("FAULT".into());
    assert!(run.out.starts_with(&place), "{run:?}");
}

#[test]
fn changed_entries_are_named() {
    check(Damage::Entry(0), Some(0), "not the one that was sealed");
    check(Damage::Entry(100), Some(100), "not the one that was sealed");
    check(Damage::Entry(299), Some(299), "not the one that was sealed");
}

#[test]
fn removed_swapped_and_doubled_entries_are_named() {
    check(Damage::Delete(100), Some(100), "malformed");
    check(Damage::Delete(256), Some(256), "missing");
    check(Damage::Swap(40, 41), Some(40), "not the one that was sealed");
    check(Damage::Swap(3, 280), Some(3), "not the one that was sealed");
    check(Damage::Copy(7, 90), Some(90), "not the one that was sealed");
}

#[test]
fn rows_behind_the_log_are_found() {
    let installation = Installation::prepared();
    let size = installation.verify().1["size"].as_u64().unwrap();
    check(Damage::Append(5), Some(size), "outside of the log");
}

#[test]
fn damaged_tiles_are_named() {
    check(Damage::Tile(0, 0, 17), Some(17), "damaged");
    check(Damage::Tile(0, 1, 3), Some(259), "damaged");
    check(Damage::Tile(1, 0, 0), None, "damaged");
    check(Damage::DeleteTile(0, 0), Some(0), "missing");
}

#[test]
fn damaged_checkpoints_are_refused() {
    check(Damage::Checkpoint, None, "checkpoint is refused");
    check(Damage::DeleteCheckpoints, None, "checkpoint is missing");
}

#[test]
fn what_stands_beside_the_bytes_is_compared() {
    check(Damage::Column(120), Some(120), "column severity");
    check(Damage::Personal(121), Some(121), "commitment");
}

#[test]
fn of_several_faults_the_first_is_named_and_the_others_counted() {
    let told = |damages: &[Damage]| {
        let installation = Installation::prepared();
        damages.iter().for_each(|change| damage(&installation, *change));
        let (status, document) = installation.verify();
        assert_eq!(status, 1, "{document:#}");
        let fault = &document["fault"];
        (fault["index"].as_u64(), fault["others"].as_u64(), fault["what"].to_string())
    };
    let (index, others, what) = told(&[Damage::Delete(77), Damage::Column(30)]);
    assert_eq!((index, others), (Some(30), Some(1)), "{what}");
    assert!(what.contains("column severity"), "{what}");
    let (index, others, what) = told(&[Damage::Delete(77), Damage::Column(130)]);
    // What stands behind the first gap of a tile was not looked at.
    assert_eq!((index, others), (Some(77), Some(0)), "{what}");
    let (index, others, what) = told(&[Damage::Column(40), Damage::Column(30)]);
    assert_eq!((index, others), (Some(30), Some(1)), "{what}");
}

#[test]
fn a_range_sees_only_its_own_damage() {
    let installation = Installation::prepared();
    damage(&installation, Damage::Entry(300));
    installation.run(&["verify", "--from", "0", "--to", "255"]).well();
    assert_eq!(installation.run(&["verify", "--from", "260"]).status, 1);
}

#[test]
fn another_key_is_refused() {
    let (installation, other) = (Installation::prepared(), Installation::new());
    other.token("auditor");
    let key = other.data_dir().join("keys/log.vkey");
    let run = installation.run(&["verify", "--key", key.to_str().unwrap()]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.out.contains("checkpoint is refused"), "{run:?}");
}

/// Everything that a log publishes.
struct Published {
    note: Note,
    size: u64,
    entries: Vec<Vec<u8>>,
    tiles: HashMap<(u8, u64), Vec<u8>>,
    key: String,
}

impl TileSource for Published {
    type Error = std::convert::Infallible;

    fn tile(&self, id: TileId) -> Result<Option<Cow<'_, [u8]>>, Self::Error> {
        Ok(self.tiles.get(&(id.level(), id.index())).map(|tile| Cow::Borrowed(tile.as_slice())))
    }
}

impl Published {
    fn read(data_dir: &Path) -> Self {
        block_on(async {
            let store = Store::open_to_read(&chancery_store::Settings::embedded(data_dir)).await;
            let store = store.unwrap();
            let mut link = store.read().await.unwrap();
            let note = log::checkpoint(&mut link).await.unwrap().unwrap().note;
            let note: Note = note.parse().unwrap();
            let size = note.text().parse::<Checkpoint>().unwrap().size();
            let entries = log::entries(&mut link, 0, size).await.unwrap();
            let mut tiles = HashMap::new();
            for (level, count) in [(0, size.div_ceil(256)), (1, 1)] {
                for index in 0..count {
                    let tile = log::tile(&mut link, level, index).await.unwrap().unwrap();
                    tiles.insert((level, index), tile);
                }
            }
            let key = std::fs::read_to_string(data_dir.join("keys/log.vkey")).unwrap();
            let entries = entries.into_iter().map(|(_, entry)| entry).collect();
            Self { note, size, entries, tiles, key }
        })
    }

    fn line(&self, index: u64, inclusion: bool) -> String {
        let entry = String::from_utf8(self.entries[index as usize].clone()).unwrap();
        let inclusion = inclusion.then(|| inclusion_proof(self, index, self.size).unwrap());
        Line {
            log_index: index,
            leaf: Some(leaf_hash(entry.as_bytes())),
            inclusion,
            salt: None,
            event: Event::open(entry.as_bytes(), None).unwrap().to_json(),
            entry,
        }
        .to_line()
    }

    fn export(&self, first: u64, last: u64) -> Vec<String> {
        let proof = range_proof(self, first, last + 1, self.size).unwrap();
        let header = Header {
            origin: ORIGIN.into(),
            first: Some(first),
            last: Some(last),
            filter: None,
            key: Some(self.key.trim().to_owned()),
            checkpoint: self.note.clone(),
            proof: Proof::Range(proof),
        };
        let lines = (first..=last).map(|index| self.line(index, false));
        let end = End::after(last - first + 1).to_line();
        std::iter::once(header.to_line()).chain(lines).chain([end]).collect()
    }
}

#[test]
fn exports_hold_and_changes_to_them_are_named() {
    let installation = Installation::prepared();
    let published = Published::read(&installation.data_dir());
    let file = installation.beside("events.jsonl");
    let name = file.to_str().unwrap();
    let write = |lines: &[String]| std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let lines = published.export(10, 280);
    write(&lines);
    let run = installation.run(&["verify", "--export", name, "--json"]).well();
    assert_eq!(run.document()["entries"], 271);
    assert_eq!(run.document()["key_source"], "export");
    installation.run(&["verify", "--export", name, "--from", "20", "--to", "280"]).well();
    assert_eq!(installation.run(&["verify", "--export", name, "--from", "9"]).status, 2);

    let fault = |lines: &[String]| {
        write(lines);
        let run = installation.run(&["verify", "--export", name, "--json"]);
        assert_eq!(run.status, 1, "{run:?}");
        run.document()["fault"]["index"].as_u64()
    };
    let mut changed = lines.clone();
    changed[41] = changed[41].replacen("account", "accounT", 1);
    assert_eq!(fault(&changed), Some(50), "an entry");
    // The event shown, not the entry.
    let mut changed = lines.clone();
    let at = changed[41].rfind("\"severity\":").unwrap();
    let shown = changed[41][at..].replacen("info", "debug", 1);
    changed[41].replace_range(at.., &shown);
    assert_ne!(changed[41], lines[41]);
    assert_eq!(fault(&changed), Some(50), "the event shown");
    let mut changed = lines.clone();
    changed[41] = changed[41][..changed[41].len() - 1].to_owned();
    assert_eq!(fault(&changed), Some(50), "a malformed line");
    let mut changed = lines.clone();
    changed.remove(41);
    assert_eq!(fault(&changed), Some(50), "a removed line");
    assert_eq!(fault(&lines[..100]), Some(109), "cut off");
}

#[test]
fn a_single_proof_holds() {
    let installation = Installation::prepared();
    let published = Published::read(&installation.data_dir());
    let (proof, entry, key) =
        (installation.beside("p"), installation.beside("e"), installation.beside("k"));
    let index = 123;
    let hashes = inclusion_proof(&published, index, published.size).unwrap();
    let made = TlogProof::new(index, hashes, published.note.clone()).unwrap();
    std::fs::write(&proof, made.to_string()).unwrap();
    std::fs::write(&key, &published.key).unwrap();
    let bytes = &published.entries[123];
    let event = Event::open(bytes, None).unwrap();
    let pretty = format!("{:#}", serde_json::json!({ "event": event.to_json() }));
    let newline = [bytes.as_slice(), b"\n"].concat();
    let path = |path: &Path| path.display().to_string();
    let arguments = [
        "verify".to_owned(),
        "--proof".to_owned(),
        path(&proof),
        "--key".to_owned(),
        path(&key),
        "--json".to_owned(),
        "--entry".to_owned(),
        path(&entry),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for content in [bytes.as_slice(), &newline, pretty.as_bytes()] {
        std::fs::write(&entry, content).unwrap();
        let run = installation.run(&arguments).well();
        assert_eq!(run.document()["range"]["from"], index);
    }
    // Shown to those who may see personal data, it says nothing about the sealed bytes.
    let mut shown = event.clone();
    let personal = Personal { actor_name: Some("admin".into()), ..Personal::default() };
    shown.personal = PersonalPart::Clear(personal);
    std::fs::write(&entry, shown.to_json().to_string()).unwrap();
    let run = installation.run(&arguments);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.err.contains("/api/v1/events/123/entry"), "{run:?}");

    let other = &published.entries[124];
    std::fs::write(&entry, other).unwrap();
    let run = installation.run(&arguments);
    assert_eq!((run.status, run.document()["fault"]["index"].as_u64()), (1, Some(index)));

    // The event can travel in the proof.
    std::fs::write(&proof, made.with_extra(bytes.clone()).unwrap().to_string()).unwrap();
    installation.run(&arguments[..arguments.len() - 2]).well();
}

#[test]
fn the_token_goes_to_the_server_that_was_named_and_to_no_other() {
    use axum::http::HeaderMap;
    use std::sync::{Arc, Mutex};
    type Shown = Arc<Mutex<Vec<Option<String>>>>;

    let installation = Installation::prepared();
    let published = Published::read(&installation.data_dir());
    let shown = Shown::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .fallback(
            |State((files, shown)): State<(Files, Shown)>, headers: HeaderMap, uri: Uri| async move {
                let token = headers.get("authorization").map(|it| it.to_str().unwrap().to_owned());
                shown.lock().unwrap().push(token);
                match uri.path().strip_prefix("/log/").and_then(|path| files.get(path)) {
                    Some(bytes) => bytes.clone().into_response(),
                    None => StatusCode::NOT_FOUND.into_response(),
                }
            },
        )
        .with_state((files(&published), shown.clone()));
    runtime.spawn(async move { axum::serve(listener, router).await });
    let url = format!("{server}/log");
    let verify = |named: Option<&str>| {
        shown.lock().unwrap().clear();
        let mut command = crate::installation::program(&["verify", "--url", &url]);
        command.env("CHANCERY_TOKEN", "chy_secret");
        if let Some(named) = named {
            command.env("CHANCERY_URL", named);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let shown = shown.lock().unwrap().clone();
        assert!(!shown.is_empty());
        shown
    };
    assert!(verify(None).iter().all(Option::is_none), "nobody said that it is ours");
    let elsewhere = Some("http://127.0.0.1:9");
    assert!(verify(elsewhere).iter().all(Option::is_none), "another server was named");
    let expected = Some("Bearer chy_secret".to_owned());
    assert!(verify(Some(&server)).iter().all(|token| *token == expected));
}

/// Contents by path.
type Files = HashMap<String, Vec<u8>>;

/// Serves what a log publishes, as any static server could.
fn serve(files: Files) -> (String, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}/log", listener.local_addr().unwrap());
    let router = Router::new()
        .fallback(|State(files): State<Files>, uri: Uri| async move {
            match uri.path().strip_prefix("/log/").and_then(|path| files.get(path)) {
                Some(bytes) => bytes.clone().into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            }
        })
        .with_state(files);
    runtime.spawn(async move { axum::serve(listener, router).await });
    (url, runtime)
}

fn files(published: &Published) -> Files {
    let mut files = HashMap::from([
        ("checkpoint".to_owned(), published.note.to_string().into_bytes()),
        ("vkey".to_owned(), published.key.clone().into_bytes()),
    ]);
    for ((level, index), bytes) in &published.tiles {
        let id = TileId::in_tree(*level, *index, published.size).unwrap();
        files.insert(id.to_string(), bytes[..id.byte_len()].to_vec());
    }
    for (index, entries) in published.entries.chunks(256).enumerate() {
        let id = BundleId::in_tree(index as u64, published.size).unwrap();
        files.insert(id.to_string(), bundle::encode(entries).unwrap());
    }
    files
}

#[test]
fn a_served_log_is_verified_over_the_network() {
    let installation = Installation::prepared();
    let published = Published::read(&installation.data_dir());
    let files = files(&published);
    let (url, _runtime) = serve(files.clone());
    let run = installation.run(&["verify", "--url", &url, "--json"]).well();
    assert_eq!(run.document()["entries"], published.size);
    assert_eq!(run.document()["key_source"], "fetched");
    for key in [&[][..], &["--key", published.key.trim()]] {
        let server = url.trim_end_matches("/log");
        let run = installation.run(&[&["verify", "--url", server][..], key].concat());
        assert!(run.status == 2 && run.err.contains(&format!("is at {url}")), "{run:?}");
    }
    let run = installation.run(&["verify", "--url", &url]).well();
    assert!(run.err.contains("not checked independently"), "{run:?}");
    let key = published.key.trim();
    let run = installation.run(&["verify", "--url", &url, "--key", key, "--from", "260"]).well();
    assert!(!run.err.contains("warning"), "{run:?}");

    let fault = |change: &dyn Fn(&mut Files)| {
        let mut files = files.clone();
        change(&mut files);
        let (url, _runtime) = serve(files);
        let run = installation.run(&["verify", "--url", &url, "--key", key, "--json"]);
        assert_eq!(run.status, 1, "{run:?}");
        run.document()["fault"]["index"].as_u64()
    };
    let first = fault(&|files| {
        let bytes = files.get_mut("tile/entries/000").unwrap();
        bytes[10] ^= 1;
    });
    assert_eq!(first, Some(0));
    assert_eq!(fault(&|files| files.get_mut("tile/0/000").unwrap()[5 * 32] ^= 1), Some(5));
    assert_eq!(fault(&|files| drop(files.remove("tile/entries/000"))), Some(0));
    assert_eq!(fault(&|files| files.get_mut("checkpoint").unwrap()[20] ^= 1), None);
}

#[test]
fn foreign_pending_rows_are_set_aside_and_the_log_goes_on() {
    let installation = Installation::prepared();
    damage(&installation, Damage::Unsealed(150));
    damage(&installation, Damage::WrongSeal(151));
    block_on(async {
        let running = installation.engine().await;
        assert!(running.engine().settle(PATIENCE).await);
        assert_eq!(running.engine().health().quarantined(), 2);
        running.stop().await.unwrap();
        // A start does not forget them.
        let running = installation.engine().await;
        let deadline = std::time::Instant::now() + PATIENCE;
        while running.engine().health().quarantined() == 0 {
            assert!(std::time::Instant::now() < deadline, "the rows are forgotten");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(running.engine().health().quarantined(), 2);
        running.stop().await.unwrap();
    });
    let (status, document) = installation.verify();
    assert_eq!(status, 0, "{document:#}");
    let published = Published::read(&installation.data_dir());
    let types: Vec<String> = published.entries[PREPARED as usize..]
        .iter()
        .map(|entry| Event::open(entry, None).unwrap().type_name.into_owned())
        .collect();
    for expected in ["event.unsealed_pending", "event.invalid_pending_seal"] {
        assert_eq!(types.iter().filter(|found| *found == expected).count(), 1, "{types:?}");
    }
}

#[test]
fn over_a_damaged_tree_nothing_is_signed() {
    for change in [Damage::Tile(0, 1, 3), Damage::Tile(1, 0, 0)] {
        let installation = Installation::prepared();
        installation.forget();
        damage(&installation, change);
        let before = Published::read(&installation.data_dir());
        block_on(async {
            let running = installation.engine().await;
            wait_for(|| running.engine().health().sealing_stopped().is_some()).await;
            // The stop cannot be sealed either, and does not wait for it.
            let _ = running.stop().await;
        });
        let after = Published::read(&installation.data_dir());
        assert_eq!(after.note, before.note, "{change:?}");
    }
}

/// Gives way to others until it is so.
async fn wait_for(is_so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "it does not come about");
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_server_over_a_damaged_tree_is_not_ready() {
    let installation = Installation::prepared();
    installation.forget();
    damage(&installation, Damage::Tile(0, 1, 3));
    let server = Server::start(&installation);
    let url = format!("{}/health/ready", server.url);
    let told = block_on(async {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let answer = reqwest::get(&url).await.unwrap();
            if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                break answer.text().await.unwrap();
            }
            assert!(std::time::Instant::now() < deadline, "the server stays ready");
        }
    });
    // Everybody may ask: what is damaged, and where, stands in the program's own log.
    assert!(told.contains("sealing has stopped; the program's own log says why"), "{told}");
    for detail in ["entry", "tile", "root", "hash", &installation.data_dir_text()] {
        assert!(!told.contains(detail), "{detail}: {told}");
    }
}

#[test]
fn a_log_that_was_rolled_back_is_told_by_who_kept_a_checkpoint() {
    let [older, newer, other] = [(); 3].map(|()| Installation::prepared());
    for installation in [&newer, &other] {
        block_on(async {
            let running = installation.engine().await;
            assert!(running.engine().settle(PATIENCE).await);
            running.stop().await.unwrap();
        });
    }
    let [was, is, fork] = [&older, &newer, &other].map(|it| Published::read(&it.data_dir()));
    let keep = |name: &str, published: &Published| {
        let file = older.beside(name);
        std::fs::write(&file, published.note.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (before, after) = (keep("before", &was), keep("after", &is));
    let check = |installation: &Installation, arguments: &[&str], missing: Option<u64>| {
        let run = installation.run(&[&["verify", "--json"], arguments].concat());
        assert_eq!(run.status, i32::from(missing.is_some()), "{arguments:?}: {run:?}");
        assert_eq!(run.document()["fault"]["index"].as_u64(), missing, "{arguments:?}");
    };
    let [(old_url, _old), (new_url, _new)] = [&was, &is].map(|log| serve(files(log)));
    let lost = Some(was.size);
    check(&older, &["--published", &before], None);
    check(&older, &["--published", &after], lost);
    check(&older, &["--published", &after, "--from", "290"], lost);
    check(&older, &["--published", &after, "--url", &old_url], lost);
    check(&newer, &["--published", &before], None);
    check(&newer, &["--published", &before, "--url", &new_url], None);
    // It holds by itself; but not where the node knows more.
    check(&older, &[], None);
    std::fs::copy(&after, older.data_dir().join("checkpoint")).unwrap();
    check(&older, &[], lost);
    let told = older.run(&["verify"]).out;
    assert!(told.contains("the log ends here") && told.contains("checkpoint covers"), "{told}");

    // The same beginning and another end, of whichever is the longer one.
    let (longer, shorter) = if is.size < fork.size { (&other, &is) } else { (&newer, &fork) };
    let run = longer.run(&["verify", "--published", &keep("shorter", shorter)]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.out.contains("is not the one that published"), "{run:?}");
    let nothing = keep("nothing", &was);
    std::fs::write(&nothing, "nothing").unwrap();
    assert_eq!(older.run(&["verify", "--published", &nothing]).status, 2);
}

#[test]
fn what_was_set_aside_is_counted_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let start = async || {
            let own = |settings: &mut chancery_engine::Settings| {
                settings.data_dir = dir.path().to_owned();
                settings.database = None;
            };
            TestServer::start_with(|settings, _| own(settings)).await
        };
        let count = async |server: &TestServer, path: &str| {
            let (cookie, _) = server.session();
            let call = server.call(axum::http::Method::GET, path).header("cookie", &cookie);
            let page = call.send().await.expect(200).text();
            let label = |tile: &&str| tile.split("</span>").next().unwrap().contains("Quarantined");
            let tile = page.split("stat-label").skip(1).find(label)?;
            let (_, value) = tile.split_once("stat-value\">")?;
            Some(value.split_once('<')?.0.to_owned())
        };
        let server = start().await;
        let made = rcgen::generate_simple_self_signed(["www.example.com".to_owned()]).unwrap();
        let upload = server.post("/api/v1/certificates");
        upload.body("application/x-pem-file", made.cert.pem()).send().await.expect(201);
        assert_eq!(count(&server, "/log-view").await.as_deref(), Some("0"));
        assert_eq!(count(&server, "/").await, None);
        chancery_engine::bench::store(server.engine())
            .tamper(chancery_store::Tampering::ForgedPending)
            .await
            .unwrap();
        server.settle().await;
        server.finish().await;

        let server = start().await;
        let one = Some("1".to_owned());
        assert_eq!(count(&server, "/log-view").await, one);
        assert_eq!(count(&server, "/").await, one);
        // Somebody has looked: it needs nobody any more, and stays counted.
        let all = serde_json::json!({ "filter": "kind:event_quarantined" });
        server.post("/api/v1/alerts/resolve").json(&all).send().await.expect(200);
        assert_eq!(count(&server, "/").await, None);
        assert_eq!(count(&server, "/log-view").await, one);
        server.finish().await;
    });
}
