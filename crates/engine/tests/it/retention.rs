//! Rules of retention: what goes, what stays, what is told of it, on each engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chancery_engine::access::NewAccount;
use chancery_engine::archive::Directory;
use chancery_engine::history::{EventAccess, EventQuery};
use chancery_engine::inventory::UploadAnswer;
use chancery_engine::retention::{HoldDraft, RuleDraft, Run};
use chancery_engine::{Client, Context, Engine, Role, Running, Settings, bench};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::filter::Filter;
use chancery_event::{Authentication, Environment, LogIndex, Origin, Timestamp};
use chancery_seal::{BundleId, TlogProof, Trust, leaf_hash};
use chancery_store::{Store, Tx, log, transfer};
use chancery_throwaway::{Backend, on_each_backend};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) running: Running,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) context: Context,
    dir: tempfile::TempDir,
}

fn settings(dir: &Path) -> Settings {
    Settings {
        allow_unencrypted_key: true,
        monitors: false,
        database: chancery_throwaway::database_of(dir).map(|url| url.parse().unwrap()),
        archive: Some(Arc::new(Directory::new(dir.join("archive")))),
        archive_always: true,
        ..Settings::new(dir)
    }
}

impl World {
    /// An engine whose log has 700 entries that are ten days old, 512 of them in the archive. Parts
    /// of the log have 256 entries.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings(dir.path());
        change(&mut settings);
        let store = Store::open(&settings.store()).await.unwrap();
        let narrow = store.transaction("narrow", |tx: &mut Tx| {
            Box::pin(async move { log::set_width(tx, 256).await })
        });
        narrow.await.unwrap();
        store.close().await;
        let clock = ManualClock::new("2026-11-01T00:00:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(5));
        let running = Engine::start(settings, environment).await.unwrap();
        let engine = running.engine();
        let recording = bench::context(engine.environment());
        for _ in 0..7 {
            bench::record(engine, &recording, 100).await.unwrap();
            clock.advance(Timestamp::SECOND);
        }
        let context = Context::command_line(engine.environment());
        let world = Self { running, clock, context, dir };
        world.archived(512).await;
        world.clock.advance(10 * Timestamp::DAY);
        world
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.running.engine()
    }

    /// Waits until the archive and the projection have so many entries.
    pub(crate) async fn archived(&self, size: u64) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            assert!(self.engine().settle(PATIENCE).await);
            let mut link = bench::store(self.engine()).read().await.unwrap();
            let places = log::cursors(&mut link).await.unwrap();
            let has = |name: &str| places.iter().any(|(of, place)| of == name && place.0 >= size);
            if ["archive", "projection", "dispatch", "coverage"].into_iter().all(has) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{places:?}");
            drop(link);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops the engine, changes something, and starts it again.
    async fn again(self, change: impl FnOnce()) -> Self {
        let Self { running, clock, context, dir } = self;
        running.stop().await.unwrap();
        change();
        let environment = Environment::new(clock.clone(), SeededEntropy::new(6));
        let running = Engine::start(settings(dir.path()), environment).await.unwrap();
        Self { running, clock, context, dir }
    }

    /// Waits until there are these files.
    async fn there(&self, files: &[PathBuf]) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while let Some(missing) = files.iter().find(|file| !file.exists()) {
            assert!(tokio::time::Instant::now() < deadline, "{missing:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn rule(&self, filter: &str, basis: &str, after_days: u32) {
        let draft = RuleDraft {
            name: "old".to_owned(),
            filter: filter.to_owned(),
            basis: basis.to_owned(),
            after_days,
            enabled: true,
        };
        self.engine().create_retention_rule(&self.context, draft).await.unwrap();
    }

    pub(crate) async fn hold(&self, filter: &str) {
        let draft = HoldDraft {
            name: "case-7".to_owned(),
            filter: filter.to_owned(),
            reason: "asked for by a court".to_owned(),
            ..HoldDraft::default()
        };
        self.engine().place_legal_hold(&self.context, draft).await.unwrap();
    }

    /// Runs all rules; answers the newest run.
    pub(crate) async fn run(&self) -> Run {
        // Runs that begin at the same moment are in no order.
        let known = self.engine().retention_runs(&self.context, 10).await.unwrap();
        self.work().await;
        let runs = self.engine().retention_runs(&self.context, 10).await.unwrap();
        runs.into_iter().find(|run| known.iter().all(|known| known.id != run.id)).unwrap()
    }

    /// Runs all rules, until that has ended or failed for a first time.
    pub(crate) async fn work(&self) {
        let job = self.engine().queue_retention(&self.context).await.unwrap();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let job = self.engine().job(&self.context, job).await.unwrap();
            if job.state != "queued" && job.state != "running" || job.error.is_some() {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{job:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Indexes that a list shows for a filter.
    pub(crate) async fn listed(&self, filter: &str) -> Vec<u64> {
        let query = EventQuery {
            filter: self.engine().parse_event_filter(filter).unwrap(),
            before: None,
            from: None,
            limit: 1_000,
            oldest_first: true,
        };
        let page = self.engine().events(&self.context, query).await.unwrap();
        page.events.iter().map(|event| event.index.0).collect()
    }

    async fn bundle(&self, index: u64) -> Vec<u8> {
        let id = BundleId::new(index, 256).unwrap();
        self.engine().log_bundle(&self.context, id).await.unwrap().unwrap()
    }

    /// The events of a type that are sealed, as their details.
    pub(crate) async fn told(
        &self,
        event_type: &str,
    ) -> Vec<serde_json::Map<String, serde_json::Value>> {
        assert!(self.engine().settle(PATIENCE).await);
        let query = EventQuery {
            filter: self.engine().parse_event_filter(&format!("type:{event_type}")).unwrap(),
            before: None,
            from: None,
            limit: 100,
            oldest_first: true,
        };
        let page = self.engine().events(&self.context, query).await.unwrap();
        page.events.into_iter().map(|seen| seen.event.detail).collect()
    }
}

pub(crate) fn everything_after(after_days: u32) -> RuleDraft {
    RuleDraft {
        name: "old".to_owned(),
        filter: String::new(),
        basis: "event".to_owned(),
        after_days,
        enabled: true,
    }
}

on_each_backend!(what_a_rule_removes_is_still_proven_and_told_of, 2);

async fn what_a_rule_removes_is_still_proven_and_told_of() {
    let world = World::new().await;
    let engine = world.engine();
    let before = [world.bundle(0).await, world.bundle(1).await];
    let sample = engine.event_at(&world.context, LogIndex(300)).await.unwrap();
    let everything = engine.event_count(&world.context, &Filter::All).await.unwrap().value;
    let words = world.listed("measured issuing").await;
    assert!(words.contains(&100) && words.contains(&300));
    world.rule("", "event", 5).await;
    world.hold("index:100..110").await;

    let preview = engine.preview_retention(&world.context, &everything_after(5)).await.unwrap();
    assert_eq!((preview.events, preview.held), (501, 11), "{preview:?}");
    assert!(preview.waiting >= 180, "{preview:?}");
    assert_eq!(preview.limits[0].index, LogIndex(512), "{preview:?}");
    assert!(preview.oldest.unwrap() < sample.event.time);

    let run = world.run().await;
    assert_eq!((run.state.as_str(), run.removed, run.held), ("succeeded", 501, 11), "{run:?}");
    assert_eq!((run.first_index, run.last_index), (Some(LogIndex(0)), Some(LogIndex(511))));
    let kept: Vec<u64> = world.listed("index<520").await;
    assert_eq!(kept, (100..=110).chain(512..520).collect::<Vec<_>>());

    // Lists, counts, words and keys agree.
    assert!(engine.settle(PATIENCE).await);
    let all = world.listed("").await;
    let counted = engine.event_count(&world.context, &Filter::All).await.unwrap();
    assert_eq!(counted.value, all.len() as u64);
    assert!(counted.value < everything);
    let found = world.listed("measured issuing").await;
    let left: Vec<u64> = words.into_iter().filter(|index| all.contains(index)).collect();
    assert!(found.len() > 11);
    assert_eq!(found, left);

    // What was removed is told of, and proven.
    let seen = engine.event(&world.context, sample.event.id).await.unwrap();
    let removed = seen.removed.unwrap();
    assert_eq!((removed.run, removed.rule.as_str()), (run.id, "old"));
    assert_eq!(removed.rule_text, "every event, 5 days after they happened");
    assert_eq!((seen.index, &seen.entry), (sample.index, &sample.entry));
    let proof = engine.proof(&world.context, sample.event.id).await.unwrap();
    let proof: TlogProof = proof.parse().unwrap();
    let trust = Trust::new(&engine.settings().log_origin, vec![engine.verifier().clone()]);
    proof.verify(&sample.entry, &trust).unwrap();
    assert_eq!([world.bundle(0).await, world.bundle(1).await], before);
    assert_eq!(engine.event_at(&world.context, LogIndex(105)).await.unwrap().removed, None);
    engine.verify_log(&world.context).await.unwrap();

    export_is_whole(&world).await;

    // When the hold ends, its events go; on a server the parts go with them.
    engine.release_legal_hold(&world.context, "case-7").await.unwrap();
    let run = world.run().await;
    assert_eq!((run.state.as_str(), run.removed, run.held), ("succeeded", 11, 0), "{run:?}");
    assert!(world.listed("index<512").await.is_empty());
    let parts = log::parts(&mut bench::store(engine).read().await.unwrap()).await.unwrap();
    assert!(parts.iter().all(|part| part.first >= 512), "{parts:?}");
    engine.verify_log(&world.context).await.unwrap();
    let runs = world.told("retention.run").await;
    let removed: Vec<_> = runs.iter().map(|run| run["removed"].as_u64().unwrap()).collect();
    assert_eq!(removed, [501, 11]);
    assert_eq!(world.told("legal_hold.place").await.len(), 1);
    assert_eq!(world.told("legal_hold.release").await.len(), 1);
    world.running.stop().await.unwrap();
}

on_each_backend!(what_was_removed_is_shown_within_a_scope_alone, 2);

async fn what_was_removed_is_shown_within_a_scope_alone() {
    let world = World::new().await;
    let engine = world.engine();
    let new = NewAccount {
        name: "ada".to_owned(),
        display_name: String::new(),
        email: None,
        role: Role::Auditor.to_string(),
        password: None,
        expires_at: None,
    };
    let (account, _) = engine.create_account(&world.context, new).await.unwrap();
    let reader = Context::account(
        engine.environment(),
        Origin::Api,
        Client::default(),
        account,
        "ada".to_owned(),
        Role::Auditor,
        Authentication { method: "password".into(), credential: None },
    );
    world.rule("", "event", 5).await;
    world.run().await;
    for (filter, is_shown) in [
        ("type:certificate.uploaded", true),
        ("type:session.*", false),
        // The archive does not know who acted.
        ("actor:bench", false),
        ("-actor:bench", false),
        ("type:certificate.uploaded OR -ip:192.0.2.7", false),
    ] {
        let access = EventAccess { events: "scoped".into(), paths: vec![], filter: filter.into() };
        engine.set_event_access(&world.context, account, None, access).await.unwrap();
        let seen = engine.event_at(&reader, LogIndex(300)).await;
        assert_eq!(seen.is_ok(), is_shown, "{filter}: {seen:?}");
    }
    world.running.stop().await.unwrap();
}

/// A range that is exported is whole, also where it was trimmed.
async fn export_is_whole(world: &World) {
    let engine = world.engine();
    let mut export =
        engine.export_events(&world.context, Filter::All, Some(90), Some(600)).await.unwrap();
    let mut lines = 0;
    while let Some(page) = export.page().await.unwrap() {
        lines += page.lines().count();
    }
    assert_eq!(lines, 511 + 2, "entries between head and end");
    // Exports as rows have what the database has, and say so: 100 to 110 are held.
    let counted = engine.count_within(&world.context, &Filter::All, 90, 601).await.unwrap();
    assert_eq!(counted, 11 + (601 - 512));
}

on_each_backend!(nothing_goes_that_the_archive_does_not_have_as_it_was_sealed, 2);

async fn nothing_goes_that_the_archive_does_not_have_as_it_was_sealed() {
    let world = World::new().await;
    let engine = world.engine();
    world.rule("", "event", 5).await;
    let file = world.dir.path().join("archive/tile/entries/001");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let run = world.run().await;
    assert_eq!(run.state, "failed", "{run:?}");
    assert!(run.message.as_deref().unwrap().contains("tile/entries/001"), "{run:?}");
    // What precedes it went, what could not be checked did not.
    let kept = world.listed("index<512").await;
    assert_eq!(kept.last(), Some(&511));
    assert!(kept.contains(&256), "{kept:?}");
    let failed = world.told("retention.run").await;
    assert_eq!(failed.len(), 1);
    engine.verify_log(&world.context).await.unwrap();
    world.running.stop().await.unwrap();
}

on_each_backend!(a_part_goes_as_a_whole_where_nothing_holds_it, 2);

async fn a_part_goes_as_a_whole_where_nothing_holds_it() {
    let world = World::new().await;
    let engine = world.engine();
    let entry = engine.event_at(&world.context, LogIndex(7)).await.unwrap().entry;
    world.rule("", "event", 5).await;
    world.hold("index:400").await;
    let run = world.run().await;
    assert_eq!((run.removed, run.held), (511, 1), "{run:?}");
    let parts = log::parts(&mut bench::store(engine).read().await.unwrap()).await.unwrap();
    if engine.settings().database.is_some() {
        assert_eq!(parts[0].first, 256, "the part without a hold is gone: {parts:?}");
    }
    let seen = engine.event_at(&world.context, LogIndex(7)).await.unwrap();
    assert_eq!(leaf_hash(&seen.entry), leaf_hash(&entry));
    assert_eq!(seen.removed.unwrap().run, run.id);
    assert!(engine.settle(PATIENCE).await);
    let all = world.listed("").await;
    let counted = engine.event_count(&world.context, &Filter::All).await.unwrap();
    assert_eq!(counted.value, all.len() as u64);
    // A second run finds nothing more.
    let again = world.run().await;
    assert_eq!((again.removed, again.held), (0, 1), "{again:?}");
    assert_eq!(world.told("retention.run").await.len(), 2);
    let quiet = world.listed("type:retention.run severity:info").await;
    assert_eq!(quiet.len(), 1, "what removed nothing is no warning: {quiet:?}");
    world.running.stop().await.unwrap();
}

on_each_backend!(days_may_count_from_the_expiry_of_the_certificate, 2);

async fn days_may_count_from_the_expiry_of_the_certificate() {
    let world = World::new().await;
    let engine = world.engine();
    // Its certificates are not in the inventory: nobody knows when they end.
    world.rule("", "expiry", 1).await;
    let run = world.run().await;
    assert_eq!((run.state.as_str(), run.removed), ("succeeded", 0), "{run:?}");
    let der = crate::upload::leaf("www.example.com");
    engine.upload(&world.context, crate::upload::upload_of(der)).await.unwrap();
    let recording = bench::context(engine.environment());
    bench::record(engine, &recording, 400).await.unwrap();
    world.archived(768).await;
    let of = world.listed("subject:www.example.com").await;
    assert!(!of.is_empty());
    // Ninety days and one later.
    world.clock.advance(200 * Timestamp::DAY);
    let run = world.run().await;
    let reached: Vec<_> = of.iter().filter(|index| **index < 768).collect();
    assert_eq!(run.removed, reached.len() as u64, "{run:?}");
    world.running.stop().await.unwrap();
}

on_each_backend!(an_older_copy_of_the_archive_is_filled_up_again, 2);

async fn an_older_copy_of_the_archive_is_filled_up_again() {
    let world = World::new().await;
    let recording = bench::context(world.engine().environment());
    bench::record(world.engine(), &recording, 400).await.unwrap();
    world.archived(1_024).await;
    world.rule("index<256", "event", 5).await;
    assert_eq!(world.run().await.removed, 256);
    let archive = world.dir.path().join("archive");
    let file = |path: &str| archive.join("tile").join(path);
    let later = ["entries/002", "entries/003", "0/002", "0/003"];
    let whole: Vec<_> = later.iter().map(|path| std::fs::read(file(path)).unwrap()).collect();

    // The older copy has the first two bundles.
    let world = world
        .again(|| later.iter().for_each(|path| std::fs::remove_file(file(path)).unwrap()))
        .await;
    world.there(&later.map(file)).await;
    let again: Vec<_> = later.iter().map(|path| std::fs::read(file(path)).unwrap()).collect();
    assert!(again == whole, "what is written again is the same");
    world.archived(1_024).await;
    world.clock.advance(10 * Timestamp::DAY);
    let more = RuleDraft { filter: "index<768".to_owned(), ..everything_after(5) };
    world.engine().update_retention_rule(&world.context, None, more).await.unwrap();
    let run = world.run().await;
    assert_eq!((run.state.as_str(), run.last_index), ("succeeded", Some(LogIndex(767))), "{run:?}");

    // What was removed since a copy was made is in neither; the rest is written all the same.
    let newer = world.dir.path().join("newer");
    let world = world.again(|| std::fs::rename(&archive, &newer).unwrap()).await;
    world.there(&["entries/003", "0/000", "0/003"].map(file)).await;
    assert!(!file("entries/002").exists());
    world.archived(1_024).await;
    let removed = LogIndex(700);
    let error = world.engine().event_at(&world.context, removed).await.unwrap_err();
    assert!(error.to_string().contains("tile/entries/002"), "{error}");
    std::fs::rename(newer.join("tile/entries/002"), file("entries/002")).unwrap();
    world.engine().event_at(&world.context, removed).await.unwrap();
    world.running.stop().await.unwrap();
}

#[test]
fn a_trimmed_log_moves_to_a_server_and_goes_on() {
    chancery_throwaway::run(Backend::Embedded, 2, async {
        let world = World::new().await;
        world.rule("index>=64", "event", 5).await;
        let run = world.run().await;
        assert_eq!(run.removed, 448, "{run:?}");
        let words = world.listed("measured issuing").await;
        assert!(!words.is_empty());
        let World { running, clock, context, dir } = world;
        let from = settings(dir.path());
        running.stop().await.unwrap();
        let server = chancery_throwaway::server();
        let url = server.url(&server.database(None));
        let moved = transfer(&from.store(), &url.parse().unwrap(), |_, _| {}).await;
        drop(moved.unwrap());
        let moved = Settings { database: Some(url.parse().unwrap()), ..from };
        let environment = Environment::new(clock.clone(), SeededEntropy::new(6));
        let running = Engine::start(moved, environment).await.unwrap();
        let world = World { running, clock, context, dir };
        let recording = bench::context(world.engine().environment());
        bench::record(world.engine(), &recording, 10).await.unwrap();
        world.archived(512).await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let size = async || {
            let mut link = bench::store(world.engine()).read().await.unwrap();
            let at = log::cursor(&mut link, "projection").await.unwrap();
            (at.0, log::latest_index(&mut link).await.unwrap().0)
        };
        loop {
            let (at, size) = size().await;
            if at == size {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "projected {at} of {size}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let engine = world.engine();
        let found = world.listed("measured issuing").await;
        assert!(words.iter().all(|index| found.contains(index)), "{found:?}");
        assert_eq!(found.len(), words.len() + 10);
        let all = world.listed("").await;
        let counted = engine.event_count(&world.context, &Filter::All).await.unwrap();
        assert_eq!(counted.value, all.len() as u64);
        let seen = engine.event_at(&world.context, LogIndex(100)).await.unwrap();
        assert_eq!(seen.removed.unwrap().run, run.id);
        engine.verify_log(&world.context).await.unwrap();
        no_archive_where_none_was_copied(&world, &url).await;
        world.running.stop().await.unwrap();
    });
}

/// A second node, with the keys and nothing else: it says that it lacks the archive, and that it is
/// this, not the log, that keeps it from showing what was removed.
async fn no_archive_where_none_was_copied(world: &World, url: &str) {
    let dir = tempfile::tempdir().unwrap();
    crate::nodes::copy_keys(world.dir.path(), dir.path());
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        database: Some(url.parse().unwrap()),
        ..Settings::new(dir.path())
    };
    let environment = Environment::new(world.clock.clone(), SeededEntropy::new(7));
    let running = Engine::start(settings, environment).await.unwrap();
    let engine = running.engine();
    let is_told = |good: bool| {
        let findings = engine.health().findings();
        let finding = findings.into_iter().find(|finding| finding.part == "archive")?;
        (finding.good == good).then_some(finding.message)
    };
    let told = async |good: bool| {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match is_told(good) {
                Some(message) => return message,
                None => assert!(tokio::time::Instant::now() < deadline, "{good}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let message = told(false).await;
    assert!(message.contains("none is set") && message.contains("tile/entries/000"), "{message}");
    let missing = engine.event_at(&world.context, LogIndex(100)).await.unwrap_err();
    assert_eq!(missing.reason(), "archive_unavailable", "{missing}");
    let missing = engine.verify_log(&world.context).await.unwrap_err();
    assert_eq!(missing.reason(), "archive_unavailable", "{missing}");
    // Put where the node reads.
    let (from, to) = (world.dir.path().join("archive"), dir.path().join("archive"));
    std::os::unix::fs::symlink(from, &to).unwrap();
    told(true).await;
    engine.event_at(&world.context, LogIndex(100)).await.unwrap();
    // What is there, and is not what was sealed, is damage.
    let file = to.join("tile/entries/000");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let damaged = engine.event_at(&world.context, LogIndex(100)).await.unwrap_err();
    assert_eq!(damaged.reason(), "log_damaged", "{damaged}");
    running.stop().await.unwrap();
}

on_each_backend!(rules_and_holds_that_cannot_work_are_refused, 2);

async fn rules_and_holds_that_cannot_work_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let running = Engine::start(settings(dir.path()), Environment::system()).await.unwrap();
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let good = RuleDraft {
        name: "old".to_owned(),
        filter: "type:certificate.*".to_owned(),
        basis: "event".to_owned(),
        after_days: 365,
        enabled: false,
    };
    for (wrong, field) in [
        (RuleDraft { name: "Old!".to_owned(), ..good.clone() }, "name"),
        (RuleDraft { filter: "tpye:x".to_owned(), ..good.clone() }, ""),
        (RuleDraft { basis: "moon".to_owned(), ..good.clone() }, "basis"),
        (RuleDraft { after_days: 0, ..good.clone() }, "after_days"),
    ] {
        let error = engine.create_retention_rule(&context, wrong).await.unwrap_err();
        assert!(field.is_empty() || error.to_string().contains(field), "{error}");
    }
    let made = engine.create_retention_rule(&context, good.clone()).await.unwrap();
    assert_eq!(made.version, 1);
    let taken = engine.create_retention_rule(&context, good.clone()).await.unwrap_err();
    assert_eq!(taken.reason(), "name_taken");
    let changed = RuleDraft { after_days: 30, ..good.clone() };
    let made = engine.update_retention_rule(&context, Some(1), changed.clone()).await.unwrap();
    assert_eq!((made.version, made.after_days), (2, 30));
    engine.update_retention_rule(&context, Some(1), changed).await.unwrap_err();
    let hold = HoldDraft { name: "case".to_owned(), ..HoldDraft::default() };
    engine.place_legal_hold(&context, hold.clone()).await.unwrap_err();
    let hold = HoldDraft { reason: "why".to_owned(), certificate: "x".to_owned(), ..hold };
    engine.place_legal_hold(&context, hold.clone()).await.unwrap_err();
    let id = engine.environment().id::<chancery_event::id::CertificateId>().to_string();
    let unknown = HoldDraft { certificate: id, ..hold.clone() };
    let refused = engine.place_legal_hold(&context, unknown).await.unwrap_err();
    assert!(refused.to_string().contains("no such certificate"), "{refused}");
    let der = crate::upload::leaf("held.example.com");
    let answer = engine.upload(&context, crate::upload::upload_of(der)).await.unwrap();
    let UploadAnswer::Done(items) = answer else { panic!("done") };
    assert!(engine.settle(PATIENCE).await);
    let id = items[0].result.as_ref().unwrap().to_string();
    let known = HoldDraft { certificate: id, ..hold };
    let placed = engine.place_legal_hold(&context, known).await.unwrap();
    assert!(placed.events.is_some_and(|events| events.value > 0), "{placed:?}");
    engine.release_legal_hold(&context, "case").await.unwrap();
    let never = RuleDraft { after_days: 0, ..good };
    engine.preview_retention(&context, &never).await.unwrap_err();
    engine.release_legal_hold(&context, "case").await.unwrap_err();
    engine.delete_retention_rule(&context, "old").await.unwrap();
    assert!(engine.retention_rules(&context).await.unwrap().is_empty());
    running.stop().await.unwrap();
}
