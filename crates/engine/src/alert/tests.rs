//! Alerts on a real store: one for each cause, their states, and what each reader has read.

use std::sync::Arc;
use std::time::Duration;

use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::id::AccountId;
use chancery_event::{Authentication, Environment, Origin};
use chancery_store::log;
use chancery_store::table::certificate::{self, Certificate};

use super::search::{AlertQuery, Sort};
use super::*;
use crate::access::NewAccount;
use crate::inventory::{PlacementRequest, Source, Upload, UploadAnswer, UploadMode};
use crate::{Client, Context, Engine, Role, Running, Secret, Settings, Stepped};

struct Trial {
    running: Running,
    clock: Arc<ManualClock>,
    _dir: tempfile::TempDir,
}

fn new(key: &str, severity: Severity) -> NewAlert {
    NewAlert::new(key, "trial", severity, "The moon is down")
}

fn settings(dir: &tempfile::TempDir) -> (Settings, Arc<ManualClock>, Environment) {
    let clock = ManualClock::new("2026-11-21T09:30:00Z".parse().unwrap());
    let environment = Environment::new(clock.clone(), SeededEntropy::new(7));
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        database: chancery_throwaway::database_of(dir.path()).map(|url| url.parse().unwrap()),
        ..Settings::new(dir.path())
    };
    (settings, clock, environment)
}

/// Alerts as a filter finds them, the newest first.
async fn list(engine: &Engine, context: &Context, text: &str) -> Vec<ShownAlert> {
    let query = AlertQuery {
        filter: engine.parse_alert_filter(text).unwrap(),
        sort: Sort::Created,
        descending: true,
        cursor: None,
        limit: 100,
    };
    engine.alerts(context, &query).await.unwrap().items
}

impl Trial {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (settings, clock, environment) = settings(&dir);
        let running = Engine::start(settings, environment).await.unwrap();
        Self { running, clock, _dir: dir }
    }

    fn engine(&self) -> &Engine {
        self.running.engine()
    }

    fn later(&self, micros: i64) {
        self.clock.advance(micros);
    }

    async fn raise(&self, new: NewAlert) -> Raised {
        let engine = self.engine();
        let scribe = engine.scribe(&Context::system(engine.environment()));
        let raised = engine.0.store.transaction("trial", move |tx: &mut Tx| {
            let (scribe, new) = (scribe.clone(), new.clone());
            Box::pin(async move { raise(tx, &scribe, &new).await })
        });
        raised.await.unwrap()
    }

    async fn resolve(&self, key: &'static str) -> bool {
        let engine = self.engine();
        let scribe = engine.scribe(&Context::system(engine.environment()));
        let resolved = engine.0.store.transaction("trial", move |tx: &mut Tx| {
            let scribe = scribe.clone();
            Box::pin(async move { resolve(tx, &scribe, key, "moon_up").await })
        });
        resolved.await.unwrap()
    }

    /// An account, and the context of its token.
    async fn person(&self, name: &str, role: Role) -> Context {
        let engine = self.engine();
        let system = Context::command_line(engine.environment());
        let new = NewAccount {
            name: name.to_owned(),
            display_name: name.to_owned(),
            email: None,
            role: role.to_string(),
            password: Some(Secret::new("correct horse battery staple".to_owned())),
            expires_at: None,
        };
        let id: AccountId = engine.create_account(&system, new).await.unwrap().0;
        let authentication = Authentication { method: "token".into(), credential: None };
        let environment = engine.environment();
        let (origin, client) = (Origin::Api, Client::default());
        let name = name.to_owned();
        Context::account(environment, origin, client, id, name, role, authentication)
    }

    async fn list(&self, context: &Context, text: &str) -> Vec<ShownAlert> {
        list(self.engine(), context, text).await
    }

    async fn told(&self) -> Vec<String> {
        assert!(self.engine().settle(Duration::from_secs(60)).await);
        let mut link = self.engine().link().await.unwrap();
        let events = log::range(&mut link, chancery_event::LogIndex(0), 1_000).await.unwrap();
        let events = events.iter().map(|sealed| sealed.event());
        let ours = events.filter(|event| event.type_name.starts_with("alert."));
        ours.map(|e| format!("{} {} {}", e.type_name, e.outcome.result, e.severity)).collect()
    }
}

chancery_throwaway::on_each_backend!(
    a_cause_has_one_alert_until_it_is_gone_and_a_new_one_when_it_is_back,
    2
);

async fn a_cause_has_one_alert_until_it_is_gone_and_a_new_one_when_it_is_back() {
    let trial = Trial::start().await;
    let reader = trial.person("ada", Role::Viewer).await;
    let first = trial.raise(new("moon", Severity::Warning)).await;
    assert!(first.first);
    trial.later(Timestamp::HOUR);
    let again = trial.raise(new("moon", Severity::Warning)).await;
    assert_eq!(again, Raised { id: first.id, first: false });
    let worse = trial.raise(new("moon", Severity::Critical)).await;
    assert_eq!(worse.id, first.id);
    let seen = trial.engine().alert(&reader, first.id).await.unwrap();
    assert_eq!((seen.alert.occurrences, seen.alert.severity.as_str()), (3, "critical"));
    assert_eq!(seen.alert.last_seen_at.since(seen.alert.created_at), Timestamp::HOUR);
    assert_eq!(seen.level(), "ERROR");
    assert!(trial.resolve("moon").await);
    assert!(!trial.resolve("moon").await, "what is gone cannot go");
    let second = trial.raise(new("moon", Severity::Info)).await;
    assert!(second.first && second.id != first.id);
    let back = trial.engine().alert(&reader, second.id).await.unwrap();
    assert_eq!(back.alert.previous, Some(first.id));
    assert_eq!(
        trial.told().await,
        [
            "alert.raised success warning",
            "alert.escalated failure critical",
            "alert.resolved success info",
            "alert.raised success info",
        ]
    );
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(a_snooze_always_ends, 2);

async fn a_snooze_always_ends() {
    let trial = Trial::start().await;
    let ada = trial.person("ada", Role::Operator).await;
    let engine = trial.engine();
    let id = trial.raise(new("moon", Severity::Warning)).await.id;
    let one = Selection::Ids(vec![id]);
    let now = engine.environment().now();
    for until in [now, now.plus((SNOOZE_DAYS_MAX + 1) * Timestamp::DAY)] {
        let action = Action::Snooze { until, until_change: true };
        let refused = engine.settle_alerts(&ada, &one, &action).await.unwrap_err();
        assert_eq!(refused.reason(), "invalid");
    }
    let until = now.plus(Timestamp::HOUR);
    let sleep = Action::Snooze { until, until_change: false };
    let settled = engine.settle_alerts(&ada, &one, &sleep).await.unwrap();
    assert!(settled.undo.is_some());
    assert_eq!(engine.unread_alerts(&ada, 100).await.unwrap(), 0);
    // The cause occurs again: not enough to wake this one.
    trial.raise(new("moon", Severity::Warning)).await;
    watch::round(engine).await.unwrap();
    assert_eq!(trial.list(&ada, "state:snoozed").await.len(), 1);
    trial.later(Timestamp::HOUR);
    watch::round(engine).await.unwrap();
    let woken = trial.list(&ada, "").await;
    assert_eq!((woken[0].alert.state.as_str(), woken[0].unread), ("open", true));
    // Until it changes, whatever comes first.
    let until = engine.environment().now().plus(Timestamp::HOUR);
    let sleep = Action::Snooze { until, until_change: true };
    engine.settle_alerts(&ada, &one, &sleep).await.unwrap();
    trial.raise(new("moon", Severity::Warning)).await;
    assert_eq!(trial.list(&ada, "state:open").await.len(), 1);
    let woken: Vec<_> =
        trial.told().await.into_iter().filter(|told| told.starts_with("alert.woken")).collect();
    assert_eq!(woken.len(), 2);
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(each_action_is_undone_by_the_one_it_names, 2);

async fn each_action_is_undone_by_the_one_it_names() {
    let trial = Trial::start().await;
    let ada = trial.person("ada", Role::Operator).await;
    let bob = trial.person("bob", Role::Viewer).await;
    let engine = trial.engine();
    let id = trial.raise(new("moon", Severity::Error)).await.id;
    let one = Selection::Ids(vec![id]);
    let until = engine.environment().now().plus(Timestamp::DAY);
    let actions = [
        Action::Acknowledge,
        Action::Assign(bob.account_id()),
        Action::Snooze { until, until_change: true },
        Action::Resolve { comment: Some("done".to_owned()) },
    ];
    for action in actions {
        let before = engine.alert(&ada, id).await.unwrap().alert;
        let settled = engine.settle_alerts(&ada, &one, &action).await.unwrap();
        assert_eq!(settled.changed, [id], "{action:?}");
        let changed = engine.alert(&ada, id).await.unwrap().alert;
        assert_ne!(changed.version, before.version);
        let undo = settled.undo.unwrap();
        let undone = engine.undo_alerts(&ada, undo).await.unwrap();
        assert_eq!(undone.changed, [id], "{undo:?}");
        let mut after = engine.alert(&ada, id).await.unwrap().alert;
        after.version = before.version;
        assert_eq!(after, before, "{action:?}");
        // And once more: there is nothing to change the second time.
        engine.settle_alerts(&ada, &one, &action).await.unwrap();
        if !matches!(action, Action::Snooze { .. }) {
            let twice = engine.settle_alerts(&ada, &one, &action).await.unwrap();
            assert_eq!(twice.unchanged, [id], "{action:?}");
        }
    }
    let refused = engine.settle_alerts(&bob, &one, &Action::Acknowledge).await.unwrap_err();
    assert_eq!(refused.reason(), "forbidden");
    let nobody = Action::Assign(Some(engine.environment().id()));
    engine.settle_alerts(&ada, &one, &Action::Reopen).await.unwrap();
    assert_eq!(engine.settle_alerts(&ada, &one, &nobody).await.unwrap_err().reason(), "invalid");
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(an_alert_is_not_reopened_beside_another_of_its_cause, 2);

async fn an_alert_is_not_reopened_beside_another_of_its_cause() {
    let trial = Trial::start().await;
    let ada = trial.person("ada", Role::Operator).await;
    let engine = trial.engine();
    let old = trial.raise(new("moon", Severity::Error)).await.id;
    trial.resolve("moon").await;
    trial.raise(new("moon", Severity::Error)).await;
    let one = Selection::Ids(vec![old]);
    let settled = engine.settle_alerts(&ada, &one, &Action::Reopen).await.unwrap();
    assert_eq!((settled.changed, settled.unchanged), (vec![], vec![old]));
    assert_eq!(trial.told().await.last().unwrap(), "alert.reopen skipped info");
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(
    what_one_has_read_is_news_to_the_other_until_there_are_news,
    2
);

async fn what_one_has_read_is_news_to_the_other_until_there_are_news() {
    let trial = Trial::start().await;
    let ada = trial.person("ada", Role::Viewer).await;
    let bob = trial.person("bob", Role::Operator).await;
    let engine = trial.engine();
    let mut ids = Vec::new();
    for key in ["a", "b", "c"] {
        trial.later(1);
        ids.push(trial.raise(new(key, Severity::Warning)).await.id);
    }
    let count = async |who: &Context| engine.unread_alerts(who, 100).await.unwrap();
    assert_eq!((count(&ada).await, count(&bob).await), (3, 3));
    trial.later(1);
    let first = Selection::Ids(vec![ids[0]]);
    assert_eq!(engine.mark_alerts(&ada, &first, true).await.unwrap(), [ids[0]]);
    assert!(engine.mark_alerts(&ada, &first, true).await.unwrap().is_empty());
    assert_eq!((count(&ada).await, count(&bob).await), (2, 3));
    let listed = |list: Vec<ShownAlert>| list.iter().map(|a| a.alert.id).collect::<Vec<_>>();
    assert_eq!(listed(trial.list(&ada, "unread:true").await), [ids[2], ids[1]]);
    assert_eq!(listed(trial.list(&ada, "-unread:true").await), [ids[0]]);
    trial.later(1);
    assert_eq!(engine.mark_all_alerts_read(&ada).await.unwrap(), 2);
    assert_eq!(count(&ada).await, 0);
    trial.later(1);
    engine.mark_alerts(&ada, &Selection::Ids(vec![ids[1]]), false).await.unwrap();
    assert_eq!(listed(trial.list(&ada, "unread:true").await), [ids[1]]);
    assert_eq!(count(&ada).await, 1);
    engine.mark_alerts(&ada, &Selection::Ids(vec![ids[1]]), true).await.unwrap();
    assert_eq!(engine.unmark_all_alerts_read(&ada).await.unwrap(), 1);
    assert_eq!(listed(trial.list(&ada, "unread:true").await), [ids[2]], "as it was before");
    trial.later(1);
    trial.raise(new("a", Severity::Error)).await;
    assert_eq!(listed(trial.list(&ada, "unread:true").await), [ids[2], ids[0]], "news");
    engine.settle_alerts(&bob, &Selection::Ids(ids.clone()), &Action::Acknowledge).await.unwrap();
    assert_eq!((count(&ada).await, count(&bob).await), (2, 0), "who acts has read");
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(
    a_private_message_is_for_those_who_may_read_it_and_goes_with_its_event,
    2
);

async fn a_private_message_is_for_those_who_may_read_it_and_goes_with_its_event() {
    let trial = Trial::start().await;
    let viewer = trial.person("vera", Role::Viewer).await;
    let auditor = trial.person("otto", Role::Auditor).await;
    let engine = trial.engine();
    let told = NewAlert {
        message: "grace typed a wrong password".to_owned(),
        private: true,
        ..new("moon", Severity::Warning)
    };
    let id = trial.raise(told).await.id;
    assert!(trial.list(&viewer, "grace").await.is_empty(), "private text is not searched");
    assert_eq!(trial.list(&viewer, "\"moon is\"").await.len(), 1);
    assert_eq!(trial.list(&viewer, "moo*").await.len(), 1);
    assert!(trial.list(&viewer, "moo").await.is_empty());
    let seen = engine.alert(&viewer, id).await.unwrap();
    assert!(seen.withheld && seen.alert.message.is_empty());
    let seen = engine.alert(&auditor, id).await.unwrap();
    assert_eq!(seen.alert.message, "grace typed a wrong password");
    assert!(engine.settle(Duration::from_secs(60)).await);
    let mut link = engine.link().await.unwrap();
    let event = log::by_id(&mut link, seen.alert.raised_event).await.unwrap().unwrap();
    let sealed = String::from_utf8_lossy(event.entry()).into_owned();
    assert!(!sealed.contains("grace"), "{sealed}");
    drop(link);
    let system = Context::command_line(engine.environment());
    engine.erase_personal(&system, seen.alert.raised_event, "request").await.unwrap();
    assert_eq!(engine.alert(&auditor, id).await.unwrap().alert.message, "");
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(
    a_selection_larger_than_one_operation_is_worked_off_in_several,
    2
);

async fn a_selection_larger_than_one_operation_is_worked_off_in_several() {
    let trial = Trial::start().await;
    let ada = trial.person("ada", Role::Operator).await;
    for number in 0..250 {
        trial.raise(new(&format!("moon {number}"), Severity::Warning)).await;
    }
    let filter = trial.engine().parse_alert_filter("kind:trial").unwrap();
    let all = Selection::Filter(filter);
    let settled = trial.engine().settle_alerts(&ada, &all, &Action::Acknowledge).await.unwrap();
    assert_eq!(settled.changed.len(), 250);
    let acknowledged = async || {
        let told = trial.told().await;
        told.iter().filter(|told| told.starts_with("alert.acknowledge")).count()
    };
    assert_eq!(acknowledged().await, 2);
    let undone = trial.engine().undo_alerts(&ada, settled.undo.unwrap()).await.unwrap();
    assert_eq!((undone.changed.len(), undone.unchanged.len()), (250, 0));
    assert_eq!(acknowledged().await, 4);
    assert_eq!(trial.list(&ada, "state:acknowledged").await.len(), 0);
    trial.running.stop().await.unwrap();
}

/// A certificate in the inventory, as its table has it.
async fn certificate(trial: &Trial, name: &str, days: i64) -> Certificate {
    use chancery_pki::make;
    let engine = trial.engine();
    let now = engine.environment().now();
    let key = make::Key::from_seed(name.as_bytes()).unwrap();
    let (from, to) = (now.plus(-Timestamp::DAY).micros(), now.plus(days * Timestamp::DAY).micros());
    let template = make::Template::leaf(&[name], from, to);
    let upload = Upload {
        bytes: make::certificate(&template, &key, None).unwrap(),
        password: None,
        placement: PlacementRequest::default(),
        mode: UploadMode::Sync,
        source: Source::Upload,
    };
    let system = Context::command_line(engine.environment());
    let UploadAnswer::Done(items) = engine.upload(&system, upload).await.unwrap() else {
        panic!("a synchronous upload is done")
    };
    let id = *items[0].result.as_ref().unwrap();
    let row = certificate::find(&mut engine.link().await.unwrap(), id).await.unwrap().unwrap();
    Certificate { status: "valid".to_owned(), ..row }
}

impl Trial {
    /// Tells that a certificate goes from its status to another one.
    async fn becomes(&self, row: &Certificate, status: &'static str) {
        let engine = self.engine();
        let scribe = engine.scribe(&Context::system(engine.environment()));
        let (row, cause) = (row.clone(), engine.environment().id());
        let told = engine.0.store.transaction("trial", move |tx: &mut Tx| {
            let (scribe, row) = (scribe.clone(), row.clone());
            Box::pin(async move {
                let why = (status, "its signature does not fit");
                cause::certificate_status(tx, &scribe, &row, false, why, cause).await
            })
        });
        told.await.unwrap();
    }

    /// Why the newest alert of a kind is resolved; `None`: it is not.
    async fn why(&self, kind: &str) -> Option<String> {
        let system = Context::command_line(self.engine().environment());
        let text = format!("kind:{kind} (state:resolved OR state:open)");
        let found = self.list(&system, &text).await.remove(0);
        found.alert.resolved_because
    }
}

chancery_throwaway::on_each_backend!(
    the_alert_of_a_bad_status_ends_with_the_status_or_with_a_successor,
    2
);

async fn the_alert_of_a_bad_status_ends_with_the_status_or_with_a_successor() {
    let trial = Trial::start().await;
    let row = certificate(&trial, "www.example.org", 20).await;
    trial.becomes(&row, "invalid").await;
    assert_eq!(trial.why("certificate_status").await, None);
    trial.becomes(&Certificate { status: "invalid".to_owned(), ..row.clone() }, "valid").await;
    assert_eq!(trial.why("certificate_status").await.unwrap(), "status_good");
    trial.later(Timestamp::SECOND);
    trial.becomes(&row, "revoked").await;
    assert_eq!(trial.why("certificate_status").await, None, "a new alert");
    certificate(&trial, "www.example.org", 200).await;
    assert_eq!(trial.why("certificate_status").await.unwrap(), "replaced");
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(
    an_alert_that_sealing_stopped_ends_when_sealing_works_again,
    2
);

async fn an_alert_that_sealing_stopped_ends_when_sealing_works_again() {
    let trial = Trial::start().await;
    trial.raise(new(cause::SEAL_STOPPED, Severity::Critical)).await;
    // The program has sealed since it started, and found nothing wrong.
    assert!(trial.engine().settle(Duration::from_secs(60)).await);
    watch::round(trial.engine()).await.unwrap();
    assert_eq!(trial.why("trial").await.unwrap(), "sealing_works");
    trial.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_is_one_alert_until_one_succeeds() {
    let trial = Trial::start().await;
    let system = Context::command_line(trial.engine().environment());
    let dir = tempfile::tempdir().unwrap();
    let taken = dir.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("file"), "not a backup").unwrap();
    for times in 1..=2 {
        trial.engine().back_up(&system, &taken).await.unwrap_err();
        let found = trial.list(&system, "kind:backup_failed").await;
        assert_eq!((found.len(), found[0].alert.occurrences), (1, times));
    }
    let viewer = trial.person("vera", Role::Viewer).await;
    trial.engine().back_up(&viewer, &taken).await.unwrap_err();
    let found = trial.list(&system, "kind:backup_failed").await;
    assert_eq!(found[0].alert.occurrences, 2, "who may not make one has not failed at it");
    trial.engine().back_up(&system, &dir.path().join("free")).await.unwrap();
    assert_eq!(trial.why("backup_failed").await.unwrap(), "backup_succeeded");
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(
    that_the_store_refused_writes_is_told_as_soon_as_it_takes_one,
    2
);

async fn that_the_store_refused_writes_is_told_as_soon_as_it_takes_one() {
    // Without the loop that watches: it would take the first refusal before the second one comes.
    let dir = tempfile::tempdir().unwrap();
    let (settings, clock, environment) = settings(&dir);
    let stepped = Stepped::open(settings, environment).await.unwrap();
    let engine = stepped.engine();
    let system = Context::command_line(engine.environment());
    let since = engine.environment().now();
    engine.health().refuses_writes(since, "no space is left".to_owned());
    clock.advance(Timestamp::HOUR);
    engine.health().refuses_writes(engine.environment().now(), "no space is left".to_owned());
    // Something else went through in the meantime: the refusal is told all the same.
    engine.health().takes_writes();
    watch::round(engine).await.unwrap();
    watch::round(engine).await.unwrap();
    let found = list(engine, &system, "kind:store_refused").await;
    assert_eq!((found.len(), found[0].alert.occurrences), (1, 1));
    assert!(found[0].alert.message.contains(&since.to_string()), "{}", found[0].alert.message);
    assert!(engine.health().findings().iter().all(|finding| finding.good));
    stepped.kill().await;
}

chancery_throwaway::on_each_backend!(resolved_alerts_go_after_their_time_and_open_ones_stay, 2);

async fn resolved_alerts_go_after_their_time_and_open_ones_stay() {
    let trial = Trial::start().await;
    let system = Context::command_line(trial.engine().environment());
    let old = trial.raise(new("moon", Severity::Warning)).await.id;
    trial.raise(new("sun", Severity::Warning)).await;
    assert!(trial.resolve("moon").await);
    trial.later(Timestamp::DAY);
    let newer = trial.raise(new("moon", Severity::Warning)).await.id;
    assert_eq!(trial.engine().alert(&system, newer).await.unwrap().alert.previous, Some(old));
    trial.later(398 * Timestamp::DAY);
    watch::round(trial.engine()).await.unwrap();
    assert_eq!(trial.list(&system, "state:resolved").await.len(), 1, "not yet");
    trial.later(2 * Timestamp::DAY);
    watch::round(trial.engine()).await.unwrap();
    assert!(trial.list(&system, "state:resolved").await.is_empty());
    assert_eq!(trial.list(&system, "").await.len(), 2);
    assert_eq!(trial.engine().alert(&system, newer).await.unwrap().alert.previous, None);
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(
    rare_and_frequent_words_find_the_same_as_reading_every_alert,
    2
);

async fn rare_and_frequent_words_find_the_same_as_reading_every_alert() {
    let trial = Trial::start().await;
    let ada = trial.person("ada", Role::Operator).await;
    trial.raise_many(0, 2_100).await;
    let engine = trial.engine();
    let count = async |text: &str| {
        let filter = engine.parse_alert_filter(text).unwrap();
        engine.alert_count(&ada, &filter).await.unwrap()
    };
    assert_eq!(count("needs").await, 2_100, "too frequent for the index");
    assert_eq!(count("4242 needs").await, 0);
    assert_eq!(count("77").await, 1);
    assert_eq!(count("77*").await, 11, "77 and 770 to 779");
    assert_eq!(count("number -77").await, 2_099);
    assert_eq!(count("77 OR 78").await, 2);
    assert_eq!(
        count("severity:info 77*").await,
        (770..780).chain([77]).filter(|n| n % 4 == 0).count() as u64
    );
    trial.running.stop().await.unwrap();
}

const ALERTS: u32 = 100_000;

impl Trial {
    /// Raises alerts of the causes with these numbers, in one transaction.
    async fn raise_many(&self, from: u32, to: u32) -> Duration {
        let engine = self.engine();
        let scribe = engine.scribe(&Context::system(engine.environment()));
        let began = std::time::Instant::now();
        let raised = engine.0.store.transaction("trial", move |tx: &mut Tx| {
            let scribe = scribe.clone();
            Box::pin(async move {
                for number in from..to {
                    let kinds = ["job_failed", "chain_broken", "certificate_status", "expiring"];
                    let severity = Severity::ALL[1 + number as usize % 4];
                    let mut new = new(&format!("cause:{number}"), severity);
                    new.kind = kinds[number as usize / 7 % 4].into();
                    new.title = format!("Certificate number {number} needs somebody");
                    raise(tx, &scribe, &new).await?;
                }
                Ok::<(), Error>(())
            })
        });
        raised.await.unwrap();
        began.elapsed()
    }

    async fn time_list(&self, who: &Context, text: &str) {
        let engine = self.engine();
        let filter = || engine.parse_alert_filter(text).unwrap();
        let mut times = Vec::new();
        for _ in 0..40 {
            let query = AlertQuery {
                filter: filter(),
                sort: Sort::Severity,
                descending: true,
                cursor: None,
                limit: 50,
            };
            let began = std::time::Instant::now();
            engine.alerts(who, &query).await.unwrap();
            times.push(began.elapsed());
        }
        times.sort();
        let began = std::time::Instant::now();
        engine.alert_count(who, &filter()).await.unwrap();
        let count = began.elapsed();
        let began = std::time::Instant::now();
        engine.alert_facets(who, &filter()).await.unwrap();
        let (p50, p95, facets) = (times[20], times[37], began.elapsed());
        println!("list “{text}”: p50 {p50:?}, p95 {p95:?}; count {count:?}; facets {facets:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; 100,000 alerts"]
async fn speed() {
    let trial = Trial::start().await;
    let ada = trial.person("ada", Role::Operator).await;
    let engine = trial.engine();
    let mut spent = Duration::ZERO;
    for batch in 0..ALERTS / 1_000 {
        trial.later(Timestamp::SECOND);
        spent += trial.raise_many(batch * 1_000, (batch + 1) * 1_000).await;
    }
    println!("raise, first: {:?} each", spent / ALERTS);
    println!("raise, again: {:?} each", trial.raise_many(50_000, 51_000).await / 1_000);
    for text in ["", "severity>=error", "kind:job_failed unread:true", "state:resolved", "4242"] {
        trial.time_list(&ada, text).await;
    }
    let began = std::time::Instant::now();
    engine.unread_alerts(&ada, 100).await.unwrap();
    println!("bell, all unread: {:?}", began.elapsed());
    let began = std::time::Instant::now();
    engine.mark_all_alerts_read(&ada).await.unwrap();
    println!("mark all as read: {:?}", began.elapsed());
    let began = std::time::Instant::now();
    engine.unread_alerts(&ada, 100).await.unwrap();
    println!("bell, all read: {:?}", began.elapsed());
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(what_is_taken_back_stands_as_it_stood, 2);

async fn what_is_taken_back_stands_as_it_stood() {
    let trial = Trial::start().await;
    let ada = trial.person("ada", Role::Operator).await;
    let bob = trial.person("bob", Role::Operator).await;
    let engine = trial.engine();
    let id = trial.raise(new("moon", Severity::Error)).await.id;
    let one = Selection::Ids(vec![id]);
    let alert = async || {
        let mut alert = engine.alert(&bob, id).await.unwrap().alert;
        alert.version = 0;
        alert
    };
    // The program gave it to Bob: that is nobody's having taken it up, also not by taking back.
    let scribe = engine.scribe(&Context::system(engine.environment()));
    let to = bob.account_id().unwrap();
    let given = engine.0.store.transaction("trial", move |tx: &mut Tx| {
        let scribe = scribe.clone();
        Box::pin(async move {
            let mut row = alert::find(tx, id).await?.unwrap();
            give(tx, &scribe, &mut row, to)?;
            Ok::<(), Error>(alert::update(tx, &row).await?)
        })
    });
    given.await.unwrap();
    let before = alert().await;
    assert!(!is_taken_up(&before) && before.assigned_to == Some(to));
    let mine = Action::Assign(ada.account_id());
    let settled = engine.settle_alerts(&ada, &one, &mine).await.unwrap();
    assert!(is_taken_up(&alert().await));
    trial.later(Timestamp::HOUR);
    engine.undo_alerts(&ada, settled.undo.unwrap()).await.unwrap();
    assert_eq!(alert().await, before);
    assert!(!is_taken_up(&before), "who waits for somebody goes on waiting");
    // Bob has acknowledged it and sleeps over it; what Ada takes back of that is his again.
    engine.settle_alerts(&bob, &one, &Action::Acknowledge).await.unwrap();
    let until = engine.environment().now().plus(Timestamp::DAY);
    let sleep = Action::Snooze { until, until_change: true };
    engine.settle_alerts(&bob, &one, &sleep).await.unwrap();
    let resolve = Action::Resolve { comment: None };
    for action in [Action::Unacknowledge, Action::Wake, Action::Assign(None), resolve] {
        let before = alert().await;
        trial.later(Timestamp::SECOND);
        let settled = engine.settle_alerts(&ada, &one, &action).await.unwrap();
        assert_ne!(alert().await, before, "{action:?}");
        let change = settled.undo.unwrap();
        let other = engine.undo_alerts(&bob, change).await.unwrap_err();
        assert_eq!(other.reason(), "not_found", "it is hers to take back");
        trial.later(Timestamp::SECOND);
        let undone = engine.undo_alerts(&ada, change).await.unwrap();
        assert_eq!((undone.changed, alert().await), (vec![id], before), "{action:?}");
        let twice = engine.undo_alerts(&ada, change).await.unwrap();
        assert_eq!((twice.changed, twice.unchanged, twice.undo), (vec![], vec![id], None));
        let again = engine.undo_alerts(&ada, undone.undo.unwrap()).await.unwrap();
        engine.undo_alerts(&ada, again.undo.unwrap()).await.unwrap();
    }
    // What somebody else has done since is not taken back, and a day is enough.
    let settled = engine.settle_alerts(&ada, &one, &Action::Wake).await.unwrap();
    engine.settle_alerts(&bob, &one, &Action::Assign(None)).await.unwrap();
    let since = alert().await;
    let undone = engine.undo_alerts(&ada, settled.undo.unwrap()).await.unwrap();
    assert_eq!((undone.unchanged, alert().await), (vec![id], since));
    trial.later(Timestamp::DAY + Timestamp::SECOND);
    watch::round(engine).await.unwrap();
    let late = engine.undo_alerts(&ada, settled.undo.unwrap()).await.unwrap_err();
    assert_eq!(late.reason(), "not_found");
    trial.running.stop().await.unwrap();
}
