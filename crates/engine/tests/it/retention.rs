//! Rules of retention: what goes, what stays, what is told of it, on each engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chancery_engine::access::NewAccount;
use chancery_engine::archive::{Archive, ArchiveError, Directory};
use chancery_engine::history::{EventAccess, EventQuery};
use chancery_engine::retention::{HoldDraft, RuleDraft, Run};
use chancery_engine::{Client, Context, Engine, Role, Running, Settings, bench};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::filter::Filter;
use chancery_event::id::EventId;
use chancery_event::{Authentication, Clock as _, Environment, LogIndex, Origin, Timestamp};
use chancery_seal::{BundleId, TlogProof, Trust, leaf_hash};
use chancery_store::table::notice::{self, Notice};
use chancery_store::table::notification::{self, Call, Escalation};
use chancery_store::table::retention;
use chancery_store::{Fault, Store, Tx, log, transfer};
use chancery_throwaway::{Backend, on_each_backend};
use futures::future::BoxFuture;

const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    running: Running,
    clock: Arc<ManualClock>,
    context: Context,
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
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
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

    fn engine(&self) -> &Engine {
        self.running.engine()
    }

    /// Waits until the archive and the projection have so many entries.
    async fn archived(&self, size: u64) {
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

    async fn rule(&self, filter: &str, basis: &str, after_days: u32) {
        let draft = RuleDraft {
            name: "old".to_owned(),
            filter: filter.to_owned(),
            basis: basis.to_owned(),
            after_days,
            enabled: true,
        };
        self.engine().create_retention_rule(&self.context, draft).await.unwrap();
    }

    async fn hold(&self, filter: &str) {
        let draft = HoldDraft {
            name: "case-7".to_owned(),
            filter: filter.to_owned(),
            reason: "asked for by a court".to_owned(),
            ..HoldDraft::default()
        };
        self.engine().place_legal_hold(&self.context, draft).await.unwrap();
    }

    /// Runs all rules; answers the newest run.
    async fn run(&self) -> Run {
        // Runs that begin at the same moment are in no order.
        let known = self.engine().retention_runs(&self.context, 10).await.unwrap();
        self.work().await;
        let runs = self.engine().retention_runs(&self.context, 10).await.unwrap();
        runs.into_iter().find(|run| known.iter().all(|known| known.id != run.id)).unwrap()
    }

    /// Runs all rules, until that has ended or failed for a first time.
    async fn work(&self) {
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
    async fn listed(&self, filter: &str) -> Vec<u64> {
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
    async fn told(&self, event_type: &str) -> Vec<serde_json::Map<String, serde_json::Value>> {
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

fn everything_after(after_days: u32) -> RuleDraft {
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

on_each_backend!(a_write_of_a_run_that_fails_removes_nothing_twice, 2);

async fn a_write_of_a_run_that_fails_removes_nothing_twice() {
    for fault in [Fault::NotPersisted, Fault::Persisted] {
        for name in ["retention.trim", "retention.note"] {
            let world = World::new().await;
            let engine = world.engine();
            // Rows go one by one: the rule has a filter.
            world.rule("index>=0", "event", 5).await;
            bench::store(engine).inject(name, fault);
            world.work().await;
            let settled = async {
                while !world.listed("index<512").await.is_empty() {
                    world.work().await;
                }
            };
            let settled = tokio::time::timeout(PATIENCE, settled).await;
            settled.unwrap_or_else(|_| panic!("{name} {fault:?}"));
            // Ends what broke off.
            world.work().await;
            let runs = engine.retention_runs(&world.context, 100).await.unwrap();
            let ended = runs.iter().filter(|run| run.state != "running");
            let removed: u64 = ended.map(|run| run.removed).sum();
            assert_eq!(removed, 512, "{name} {fault:?}: {runs:?}");
            let counted = engine.event_count(&world.context, &Filter::All).await.unwrap().value;
            assert!(engine.settle(PATIENCE).await);
            assert!(counted > 0 && counted <= world.listed("").await.len() as u64);
            engine.verify_log(&world.context).await.unwrap();
            world.running.stop().await.unwrap();
        }
    }
}

/// An archive whose readers wait until they are let in.
struct Gate {
    inner: Directory,
    open: tokio::sync::Semaphore,
    /// How many have come.
    came: tokio::sync::watch::Sender<u64>,
}

struct Gated(Arc<Gate>);

impl Archive for Gated {
    fn put(&self, path: String, bytes: Vec<u8>) -> BoxFuture<'static, Result<(), ArchiveError>> {
        self.0.inner.put(path, bytes)
    }

    fn get(&self, path: String) -> BoxFuture<'static, Result<Option<Vec<u8>>, ArchiveError>> {
        let gate = self.0.clone();
        Box::pin(async move {
            gate.came.send_modify(|came| *came += 1);
            gate.open.acquire().await.unwrap().forget();
            gate.inner.get(path).await
        })
    }

    fn place(&self) -> String {
        self.0.inner.place()
    }
}

on_each_backend!(a_run_that_somebody_ended_removes_nothing_more, 2);

async fn a_run_that_somebody_ended_removes_nothing_more() {
    let places = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate {
        inner: Directory::new(places.path().join("archive")),
        open: tokio::sync::Semaphore::new(0),
        came: tokio::sync::watch::Sender::new(0),
    });
    let archive: Arc<dyn Archive> = Arc::new(Gated(gate.clone()));
    let world = World::with(|settings| settings.archive = Some(archive)).await;
    let engine = world.engine();
    world.rule("", "event", 5).await;
    let job = engine.queue_retention(&world.context).await.unwrap();
    gate.came.subscribe().wait_for(|came| *came > 0).await.unwrap();
    // As another node does that takes this one for dead.
    let store = bench::store(engine);
    let now = world.clock.now();
    let ended = store
        .transaction("taken over", move |tx: &mut Tx| {
            Box::pin(async move { retention::end_broken(tx, now).await })
        })
        .await
        .unwrap();
    assert_eq!(ended.len(), 1, "{ended:?}");
    gate.open.add_permits(1_000);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while engine.job(&world.context, job).await.unwrap().error.is_none() {
        assert!(tokio::time::Instant::now() < deadline, "it was not noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut link = store.read().await.unwrap();
    assert_eq!(log::removed_by(&mut link, ended[0].id).await.unwrap().0, 0);
    let runs = retention::runs(&mut link, 100).await.unwrap();
    drop(link);
    let run = runs.iter().find(|run| run.id == ended[0].id).unwrap();
    assert_eq!((run.state.as_str(), run.message.as_deref()), ("failed", Some("it broke off")));
    let told = world.told("retention.run").await;
    assert!(
        told.iter().all(|run| run["removed"] != 0),
        "the ended run has no second end: {told:?}"
    );
    world.running.stop().await.unwrap();
}

on_each_backend!(what_a_run_removed_before_it_died_is_told, 2);

async fn what_a_run_removed_before_it_died_is_told() {
    let world = World::new().await;
    let engine = world.engine();
    let store = bench::store(engine);
    let dead = Run {
        id: engine.environment().id(),
        rule: "old".to_owned(),
        rule_version: 1,
        rule_text: "every event".to_owned(),
        state: "running".to_owned(),
        started_at: world.clock.now(),
        ended_at: None,
        removed: 0,
        held: 0,
        first_index: None,
        last_index: None,
        message: None,
    };
    let run = dead.clone();
    let begun = store.transaction("begin", move |tx: &mut Tx| {
        let run = run.clone();
        Box::pin(async move { retention::begin(tx, &run).await })
    });
    begun.await.unwrap();
    let parts = log::parts(&mut store.read().await.unwrap()).await.unwrap();
    if let Some(part) = parts.first() {
        assert_eq!(log::drop_part(store, *part, dead.id, 0).await.unwrap(), 256);
    } else {
        let events = log::range(&mut store.read().await.unwrap(), LogIndex(0), 256).await.unwrap();
        let events: Vec<_> = events.into_iter().map(log::Sealed::into_event).collect();
        let trimmed = store.transaction("trim", move |tx: &mut Tx| {
            let events = events.clone();
            Box::pin(async move { log::trim(tx, dead.id, 0, &events).await })
        });
        trimmed.await.unwrap();
    }
    world.work().await;
    let runs = engine.retention_runs(&world.context, 10).await.unwrap();
    let run = runs.iter().find(|run| run.id == dead.id).unwrap();
    assert_eq!((run.state.as_str(), run.removed), ("failed", 256), "{run:?}");
    assert_eq!((run.first_index, run.last_index), (Some(LogIndex(0)), Some(LogIndex(255))));
    let told = world.told("retention.run").await;
    assert_eq!(told[0]["removed"], 256, "{told:?}");
    world.running.stop().await.unwrap();
}

/// A notice that waits for its digest; where its event stands was not known when it was written.
fn held_notice(engine: &Engine, event: EventId, far: Timestamp) -> Notice {
    Notice {
        id: engine.environment().id(),
        call: engine.environment().id(),
        log_index: None,
        event_id: event,
        event_type: "certificate.uploaded".to_owned(),
        object: None,
        severity: "info".to_owned(),
        profile: "weekly".to_owned(),
        profile_version: 1,
        level: 0,
        account: None,
        address: None,
        channel: "mail".to_owned(),
        paths: "[]".to_owned(),
        decision: "held".to_owned(),
        reason: "digest".to_owned(),
        due_at: Some(far),
        heading: String::new(),
        delivery: None,
        alert: None,
        at: far,
    }
}

/// A call at entry 400 that was decided, and may go up a level.
fn escalating(engine: &Engine, notice: &Notice) -> (Call, Escalation) {
    let call = Call {
        id: notice.call,
        log_index: Some(LogIndex(400)),
        event_id: notice.event_id,
        event_type: "certificate.uploaded".to_owned(),
        object: None,
        profile: "night".to_owned(),
        trigger: "t".to_owned(),
        title: String::new(),
        candidate: None,
        message: String::new(),
        state: "done".to_owned(),
        outcome: String::new(),
        at: notice.at,
        done_at: Some(notice.at),
    };
    let level = Escalation {
        id: engine.environment().id(),
        call: call.id,
        alert: engine.environment().id(),
        profile: "night".to_owned(),
        level: 1,
        due_at: notice.at,
        state: "waiting".to_owned(),
    };
    (call, level)
}

on_each_backend!(what_is_still_to_be_told_or_watched_stays, 2);

async fn what_is_still_to_be_told_or_watched_stays() {
    let world = World::new().await;
    let engine = world.engine();
    let store = bench::store(engine);
    let event = engine.event_at(&world.context, LogIndex(300)).await.unwrap().event.id;
    let far = world.clock.now().plus(100 * Timestamp::DAY);
    let notice = held_notice(engine, event, far);
    let held = notice.clone();
    let held = store.transaction("held", move |tx: &mut Tx| {
        let held = held.clone();
        Box::pin(async move {
            notice::insert(tx, &[held]).await?;
            // Monitors have seen nothing of the log.
            log::move_cursor(tx, "monitor", LogIndex(0), LogIndex(0), far).await
        })
    });
    held.await.unwrap();
    world.rule("", "event", 5).await;
    let run = world.run().await;
    assert_eq!((run.state.as_str(), run.removed), ("succeeded", 300), "{run:?}");
    let seen = log::cursor(&mut store.read().await.unwrap(), "monitor").await.unwrap();
    assert!(seen.0 >= 700, "monitors saw what went: {seen:?}");
    let preview = engine.preview_retention(&world.context, &everything_after(5)).await.unwrap();
    assert_eq!(preview.limits[0].who, "a notification through weekly", "{preview:?}");
    // An escalation that may still go up waits for its call.
    let (call, level) = escalating(engine, &notice);
    let told = store.transaction("told", move |tx: &mut Tx| {
        let (call, level) = (call.clone(), level.clone());
        Box::pin(async move {
            notice::settle(tx, &[notice.id], None, "dropped").await?;
            notification::insert(tx, &call).await?;
            notification::escalate(tx, &level).await
        })
    });
    told.await.unwrap();
    let run = world.run().await;
    assert_eq!((run.state.as_str(), run.removed), ("succeeded", 100), "{run:?}");
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
        let _held = transfer(&from.store(), &url.parse().unwrap(), |_, _| {}).await.unwrap();
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
        world.running.stop().await.unwrap();
    });
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
    let changed = RuleDraft { after_days: 30, ..good };
    let made = engine.update_retention_rule(&context, Some(1), changed.clone()).await.unwrap();
    assert_eq!((made.version, made.after_days), (2, 30));
    engine.update_retention_rule(&context, Some(1), changed).await.unwrap_err();
    let hold = HoldDraft { name: "case".to_owned(), ..HoldDraft::default() };
    engine.place_legal_hold(&context, hold.clone()).await.unwrap_err();
    let hold = HoldDraft { reason: "why".to_owned(), certificate: "x".to_owned(), ..hold };
    engine.place_legal_hold(&context, hold).await.unwrap_err();
    engine.release_legal_hold(&context, "case").await.unwrap_err();
    engine.delete_retention_rule(&context, "old").await.unwrap();
    assert!(engine.retention_rules(&context).await.unwrap().is_empty());
    running.stop().await.unwrap();
}
