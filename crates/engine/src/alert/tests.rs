//! Alerts on a real store: one for each cause, their states, and what each reader has read.

use std::sync::Arc;
use std::time::Duration;

use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::id::AccountId;
use chancery_event::{Authentication, Environment, Origin};
use chancery_store::log;

use super::search::{AlertQuery, Sort};
use super::*;
use crate::access::NewAccount;
use crate::{Client, Context, Engine, Role, Running, Secret, Settings};

struct Trial {
    running: Running,
    clock: Arc<ManualClock>,
    _dir: tempfile::TempDir,
}

fn new(key: &str, severity: Severity) -> NewAlert {
    NewAlert::new(key, "trial", severity, "The moon is down")
}

impl Trial {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-11-21T09:30:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(7));
        let settings = Settings {
            allow_unencrypted_key: true,
            monitors: false,
            database: chancery_throwaway::database_of(dir.path()).map(|url| url.parse().unwrap()),
            ..Settings::new(dir.path())
        };
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
            role,
            password: Some(Secret::new("correct horse battery staple".to_owned())),
        };
        let id: AccountId = engine.create_account(&system, new).await.unwrap().0;
        let authentication = Authentication { method: "token".into(), credential: None };
        let environment = engine.environment();
        let (origin, client) = (Origin::Api, Client::default());
        let name = name.to_owned();
        Context::account(environment, origin, client, id, name, role, authentication)
    }

    async fn list(&self, context: &Context, text: &str) -> Vec<ShownAlert> {
        let query = AlertQuery {
            filter: self.engine().parse_alert_filter(text).unwrap(),
            sort: Sort::Created,
            descending: true,
            cursor: None,
            limit: 100,
        };
        self.engine().alerts(context, &query).await.unwrap().items
    }

    async fn told(&self) -> Vec<String> {
        assert!(self.engine().settle(Duration::from_secs(10)).await);
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
    assert_eq!(settled.undo, Some(Action::Wake));
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
        let undone = engine.settle_alerts(&ada, &one, &undo).await.unwrap();
        assert_eq!(undone.changed, [id], "{undo:?}");
        let mut after = engine.alert(&ada, id).await.unwrap().alert;
        (after.version, after.news_at) = (before.version, before.news_at);
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
    assert!(engine.settle(Duration::from_secs(10)).await);
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
    assert_eq!((settled.changed.len(), settled.undo), (250, Some(Action::Unacknowledge)));
    let told = trial.told().await;
    let acknowledged = told.iter().filter(|told| told.starts_with("alert.acknowledge"));
    assert_eq!(acknowledged.count(), 2);
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
