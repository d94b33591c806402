//! Monitors on a real store with a virtual clock: each threshold once, silence with a reason, runs
//! that are counted, and what a broken-off run leaves behind.

use std::sync::Arc;

use chancery_engine::automation::Class;
use chancery_engine::inventory::UploadAnswer;
use chancery_engine::{Context, Settings, Stepped};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::id::CertificateId;
use chancery_event::{Environment, Event, LogIndex, Timestamp};
use chancery_pki::make::{self, Key, Template};
use chancery_store::table::lease::Term;
use chancery_store::table::{alert, job, monitor as table};
use chancery_store::{Fault, Store, Tx, log};
use serde_json::{Value, json};

use crate::upload::upload_of;

const DAY: i64 = Timestamp::DAY;
const HOUR: i64 = Timestamp::HOUR;

/// An engine that works step by step, its clock, and its directory.
pub(crate) struct Bench {
    _dir: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    environment: Environment,
    stepped: Option<Stepped>,
    settings: Settings,
    key: Key,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::new("2027-01-01T00:30:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(1));
        let key = Key::from_seed(b"monitors").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let database = chancery_throwaway::database_of(dir.path());
        let database = database.map(|url| url.parse().unwrap());
        let settings =
            Settings { allow_unencrypted_key: true, database, ..Settings::new(dir.path()) };
        let mut bench = Self { _dir: dir, clock, environment, stepped: None, settings, key };
        bench.start().await;
        bench
    }

    async fn start(&mut self) {
        let (settings, environment) = (self.settings.clone(), self.environment.clone());
        self.stepped = Some(Stepped::open(settings, environment).await.unwrap());
    }

    /// Ends as a program does that is killed, and starts with other settings.
    pub(crate) async fn restart_with(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        self.restart().await;
    }

    pub(crate) async fn restart(&mut self) {
        self.stepped.take().unwrap().kill().await;
        self.start().await;
    }

    pub(crate) fn engine(&self) -> &chancery_engine::Engine {
        self.stepped.as_ref().unwrap().engine()
    }

    pub(crate) fn context(&self) -> Context {
        Context::command_line(&self.environment)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.environment.now()
    }

    /// Moves the clock and lets everything happen that is due then.
    pub(crate) async fn pass(&mut self, micros: i64) {
        self.clock.advance(micros);
        self.step().await;
    }

    pub(crate) async fn step(&mut self) {
        let stepped = self.stepped.as_mut().unwrap();
        stepped.judge().await.unwrap();
        stepped.seal().await.unwrap();
        stepped.run_due().await.unwrap();
        stepped.seal().await.unwrap();
    }

    /// Does the jobs that are due, and seals what they record.
    pub(crate) async fn work(&mut self) {
        let stepped = self.stepped.as_mut().unwrap();
        stepped.work().await.unwrap();
        stepped.seal().await.unwrap();
    }

    /// Drops evaluations that are kept no longer; answers how many.
    pub(crate) async fn sweep_evaluations(&self) -> u64 {
        self.stepped.as_ref().unwrap().sweep_evaluations().await.unwrap()
    }

    /// Runs a monitor by hand.
    pub(crate) async fn run(&self, name: &str) -> chancery_engine::row::Run {
        let context = self.context();
        self.engine().run_task(&context, Class::Monitor, name).await.unwrap()
    }

    /// The open alert of a cause.
    pub(crate) async fn alarm(&self, key: &str) -> Option<alert::Alert> {
        let store = self.reader();
        alert::unresolved(&mut store.read().await.unwrap(), key).await.unwrap()
    }

    /// Lets the triggers react to what is sealed.
    pub(crate) async fn react(&mut self) {
        self.stepped.as_mut().unwrap().react().await.unwrap();
    }

    /// Lets the herald decide what is to be told.
    pub(crate) async fn notify(&mut self) {
        self.stepped.as_mut().unwrap().notify().await.unwrap();
    }

    pub(crate) async fn upload(&self, name: &str, from_days: i64, to_days: i64) -> CertificateId {
        let at = |days: i64| self.now().plus(days * DAY).micros();
        let template = Template::leaf(&[name], at(from_days), at(to_days));
        self.add(make::certificate(&template, &self.key, None).unwrap()).await
    }

    pub(crate) async fn upload_authority(&self, name: &str, to_days: i64) -> CertificateId {
        let end = self.now().plus(to_days * DAY).micros();
        let template = Template::ca(name, self.now().plus(-DAY).micros(), end);
        self.add(make::certificate(&template, &self.key, None).unwrap()).await
    }

    pub(crate) async fn add(&self, der: Vec<u8>) -> CertificateId {
        let answer = self.engine().upload(&self.context(), upload_of(der)).await.unwrap();
        let UploadAnswer::Done(items) = answer else { panic!("a synchronous upload is done") };
        *items[0].result.as_ref().unwrap()
    }

    /// Everything in the log, of one type.
    pub(crate) async fn events(&self, event_type: &str) -> Vec<Event> {
        let store = self.reader();
        let mut link = store.read().await.unwrap();
        let all = log::range(&mut link, LogIndex(0), 100_000).await.unwrap();
        let of_type = all.into_iter().map(|sealed| sealed.event().clone());
        of_type.filter(|event| event.type_name == event_type).collect()
    }

    pub(crate) fn reader(&self) -> Store {
        chancery_engine::bench::store(self.engine()).clone()
    }

    pub(crate) async fn is_alarmed(&self, id: CertificateId) -> bool {
        self.alarm(&format!("certificate/{id}/expiry")).await.is_some()
    }

    /// What the newest run of a monitor counted: fired, reasons.
    pub(crate) async fn last(&self, name: &str) -> (u64, String) {
        let runs = self.engine().task_runs(&self.context(), Class::Monitor, name, None, 1).await;
        let run = runs.unwrap().remove(0);
        assert_eq!(run.counts.watched, run.counts.inventory, "{run:?}");
        (run.counts.fired, run.counts.reasons)
    }
}

fn threshold(event: &Event) -> &str {
    event.detail["threshold"].as_str().unwrap()
}

chancery_throwaway::on_each_backend!(
    each_threshold_fires_once_also_after_a_restart_and_days_of_downtime,
    2
);

async fn each_threshold_fires_once_also_after_a_restart_and_days_of_downtime() {
    let mut bench = Bench::new().await;
    let id = bench.upload("www.example.com", -70, 28).await;
    bench.pass(Timestamp::HOUR).await;
    let fired = bench.events("certificate.expiring").await;
    assert_eq!(fired.len(), 1);
    assert_eq!(threshold(&fired[0]), "30d/33%");
    assert_eq!(fired[0].detail["certificate_id"], id.to_string());
    assert!(bench.is_alarmed(id).await);
    bench.pass(Timestamp::HOUR).await;
    bench.restart().await;
    bench.pass(Timestamp::HOUR).await;
    assert_eq!(bench.events("certificate.expiring").await.len(), 1);
    // Down from 28 days before the end to 12 hours before it: once, the most pressing.
    bench.stepped.take().unwrap().kill().await;
    bench.clock.advance(27 * DAY + 12 * Timestamp::HOUR);
    bench.start().await;
    bench.step().await;
    let fired = bench.events("certificate.expiring").await;
    assert_eq!(fired.len(), 2);
    assert_eq!(threshold(&fired[1]), "1d/2%");
    assert_eq!(fired[1].detail["passed"], json!(["14d/20%", "7d/10%"]));
    bench.pass(DAY).await;
    assert_eq!(bench.events("certificate.expired").await.len(), 1);
    // The clock is put back by a month, and goes on.
    bench.pass(-30 * DAY).await;
    bench.pass(31 * DAY).await;
    assert_eq!(bench.events("certificate.expiring").await.len(), 2);
    assert_eq!(bench.events("certificate.expired").await.len(), 1);
}

chancery_throwaway::on_each_backend!(
    what_is_replaced_falls_silent_and_speaks_again_without_its_successor,
    2
);

async fn what_is_replaced_falls_silent_and_speaks_again_without_its_successor() {
    let mut bench = Bench::new().await;
    let old = bench.upload("www.example.com", -70, 20).await;
    bench.pass(Timestamp::HOUR).await;
    assert!(bench.is_alarmed(old).await);
    let new = bench.upload("www.example.com", -1, 89).await;
    bench.pass(Timestamp::HOUR).await;
    assert!(!bench.is_alarmed(old).await, "the alert resolves itself");
    bench.pass(8 * DAY).await;
    let (fired, reasons) = bench.last("certificate-expiry").await;
    assert_eq!((fired, reasons.as_str()), (0, r#"{"replaced":1}"#));
    let outlook = bench.engine().outlook(&bench.context(), old).await.unwrap();
    let of_old = outlook.iter().find(|o| o.monitor == "certificate-expiry").unwrap();
    assert_eq!(of_old.verdict, "replaced");
    assert_eq!(of_old.held_by, Some(new.to_string()));
    bench.engine().delete_certificate(&bench.context(), new, None).await.unwrap();
    bench.pass(Timestamp::HOUR).await;
    let fired = bench.events("certificate.expiring").await;
    assert_eq!(threshold(fired.last().unwrap()), "14d/20%", "what it kept silent is told at once");
    assert!(bench.is_alarmed(old).await);
    bench.engine().archive_certificate(&bench.context(), old, true, None).await.unwrap();
    bench.pass(Timestamp::HOUR).await;
    assert!(!bench.is_alarmed(old).await);
    bench.pass(20 * DAY).await;
    assert_eq!(bench.last("certificate-expiry").await.0, 0);
    bench.engine().archive_certificate(&bench.context(), old, false, None).await.unwrap();
    bench.pass(Timestamp::HOUR).await;
    assert_eq!(bench.events("certificate.expired").await.len(), 1);
    bench.engine().delete_certificate(&bench.context(), old, None).await.unwrap();
    bench.pass(Timestamp::HOUR).await;
    assert!(!bench.is_alarmed(old).await);
    assert_eq!(bench.last("certificate-expiry").await.0, 0);
}

chancery_throwaway::on_each_backend!(a_commit_that_fails_leaves_neither_event_nor_mark, 2);

async fn a_commit_that_fails_leaves_neither_event_nor_mark() {
    let mut bench = Bench::new().await;
    bench.upload("www.example.com", -70, 20).await;
    bench.step().await;
    chancery_engine::bench::store(bench.engine()).inject("monitor.look", Fault::NotPersisted);
    bench.pass(Timestamp::HOUR).await;
    assert_eq!(bench.events("certificate.expiring").await.len(), 0);
    let runs = bench.events("monitor.run").await;
    let of_it = |run: &&Event| run.detail["monitor"] == "certificate-expiry";
    let failed = runs.iter().filter(of_it).filter(|run| run.outcome.result.as_str() == "failure");
    assert_eq!(failed.count(), 1, "the run that failed is on record");
    bench.pass(6 * 60 * Timestamp::SECOND).await;
    assert_eq!(bench.events("certificate.expiring").await.len(), 1, "and is tried again soon");
    chancery_engine::bench::store(bench.engine()).inject("monitor.end", Fault::NotPersisted);
    bench.pass(Timestamp::HOUR).await;
    bench.pass(Timestamp::HOUR).await;
    let abandoned = bench.events("monitor.run").await;
    let abandoned = abandoned.iter().filter(|run| run.outcome.result.as_str() == "abandoned");
    assert_eq!(abandoned.count(), 1, "a run that nobody ended is told by the next");
    assert_eq!(bench.events("certificate.expiring").await.len(), 1);
}

chancery_throwaway::on_each_backend!(a_filter_chooses_and_a_broken_one_is_told, 2);

async fn a_filter_chooses_and_a_broken_one_is_told() {
    let mut bench = Bench::new().await;
    let context = bench.context();
    let draft = chancery_engine::configuration::attribute::AttributeDraft {
        required: false,
        name: "team".to_owned(),
        label: "Team".to_owned(),
        description: String::new(),
        kind: "string".to_owned(),
        choices: Vec::new(),
    };
    let attribute = bench.engine().create_attribute(&context, draft.clone()).await.unwrap();
    let body = json!({
        "kind": "certificate_expiry",
        "filter": "path:/prod OR attribute.team:x",
        "schedule": { "cron": "0 * * * *", "time_zone": "UTC" },
        "thresholds": ["30d"],
    });
    let wrong = json!({ "kind": "certificate_expiry", "filter": "colour:red",
        "schedule": { "cron": "0 * * * *" }, "thresholds": ["30d"] });
    let engine = bench.engine().clone();
    let create = |name: &'static str, body: Value| {
        let (engine, context) = (engine.clone(), context.clone());
        async move { engine.create_automation(&context, Class::Monitor, name, body, true).await }
    };
    let refused = create("wrong", wrong).await.unwrap_err();
    assert!(refused.to_string().starts_with("/filter"), "{refused}");
    create("production", body).await.unwrap();
    bench.upload("www.example.com", -70, 20).await;
    bench.step().await;
    bench.pass(Timestamp::HOUR).await;
    assert_eq!(bench.last("production").await, (0, r#"{"filtered":1}"#.to_owned()));
    let refused = bench.engine().delete_attribute(&context, attribute).await.unwrap_err();
    assert!(refused.to_string().contains("monitor “production”"), "{refused}");
    // Somebody takes it away from the store itself.
    let store = bench.reader();
    let behind = store.transaction("test", move |tx: &mut Tx| {
        Box::pin(async move { chancery_store::table::attribute::delete(tx, attribute).await })
    });
    behind.await.unwrap();
    bench.restart().await;
    bench.pass(Timestamp::HOUR).await;
    let started = bench.events("monitor.start").await;
    let failed = started.iter().find(|event| event.outcome.result.as_str() == "failure").unwrap();
    assert_eq!(failed.detail["monitor"], "production");
    let monitor = bench.engine().task(&context, Class::Monitor, "production").await.unwrap();
    assert!(monitor.problem.is_some_and(|problem| problem.contains("team")));
    let watched = bench.engine().watchfulness(&context).await.unwrap();
    assert!(!watched.is_whole() && !watched.bad, "certificates are watched: {watched:?}");
    bench.engine().create_attribute(&context, draft).await.unwrap();
    bench.pass(Timestamp::HOUR).await;
    assert_eq!(bench.last("production").await, (0, r#"{"filtered":1}"#.to_owned()), "it runs");
    let monitor = bench.engine().task(&context, Class::Monitor, "production").await.unwrap();
    assert_eq!(monitor.problem, None);
}

chancery_throwaway::on_each_backend!(authorities_are_told_six_three_and_one_months_before, 2);

async fn authorities_are_told_six_three_and_one_months_before() {
    let mut bench = Bench::new().await;
    bench.upload_authority("Example CA", 200).await;
    bench.upload_authority("Young CA", 2_000).await;
    let mut reasons = Vec::new();
    for _ in 0..30 {
        bench.pass(7 * DAY).await;
    }
    for event in bench.events("authority.expiring").await {
        assert_eq!(event.targets[0].kind.to_string(), "authority");
        reasons.push(event.outcome.reason.clone().unwrap());
    }
    assert_eq!(reasons, ["EXPIRING_6_MONTHS", "EXPIRING_3_MONTHS", "EXPIRING_1_MONTH"]);
}

chancery_throwaway::on_each_backend!(the_forecast_says_what_the_runs_then_report, 2);

async fn the_forecast_says_what_the_runs_then_report() {
    let mut bench = Bench::new().await;
    for number in 0..20 {
        bench.upload(&format!("host-{number}.example.com"), -30 - number, 10 + 7 * number).await;
    }
    bench.upload("host-3.example.com", -1, 80).await;
    bench.pass(Timestamp::HOUR).await;
    let before = bench.events("certificate.expiring").await.len();
    let context = bench.context();
    let forecast = bench.engine().forecast(&context, "certificate-expiry", 60).await.unwrap();
    assert!(forecast.fires > 20 && forecast.silent["replaced"] > 0, "{forecast:?}");
    for _ in 0..60 * 4 {
        bench.pass(6 * Timestamp::HOUR).await;
    }
    let fired = bench.events("certificate.expiring").await.len() - before;
    let expired = bench.events("certificate.expired").await.len();
    assert_eq!((fired + expired) as u64, forecast.fires);
    assert_eq!(forecast.by_day.values().sum::<u64>(), forecast.fires);
    let refused = bench.engine().forecast(&context, "certificate-expiry", 0).await;
    assert!(refused.is_err());
}

chancery_throwaway::on_each_backend!(limits_are_told_once_and_again_after_they_were_left, 2);

async fn limits_are_told_once_and_again_after_they_were_left() {
    let mut bench = Bench::new().await;
    let context = bench.context();
    let body = json!({
        "kind": "limits",
        "schedule": { "cron": "0 * * * *", "time_zone": "UTC" },
        "limits": { "certificates": 2, "accounts": 1 },
    });
    let engine = bench.engine().clone();
    engine.update_automation(&context, Class::Monitor, "limits", None, body, true).await.unwrap();
    let id = bench.upload("one.example.com", -1, 300).await;
    bench.upload("two.example.com", -1, 300).await;
    bench.pass(Timestamp::HOUR).await;
    bench.pass(Timestamp::HOUR).await;
    let reached = bench.events("license.limit_reached").await;
    assert_eq!(reached.len(), 1);
    assert_eq!(
        (&reached[0].detail["count"], reached[0].outcome.result.as_str()),
        (&json!(2), "failure")
    );
    assert_eq!(bench.events("client.count_reached").await.len(), 1);
    engine.delete_certificate(&context, id, None).await.unwrap();
    bench.pass(Timestamp::HOUR).await;
    bench.upload("three.example.com", -1, 300).await;
    bench.pass(Timestamp::HOUR).await;
    assert_eq!(bench.events("license.limit_reached").await.len(), 2);
}

chancery_throwaway::on_each_backend!(a_limit_that_is_taken_out_is_reached_no_more, 2);

async fn a_limit_that_is_taken_out_is_reached_no_more() {
    let mut bench = Bench::new().await;
    let context = bench.context();
    let engine = bench.engine().clone();
    let limits = async |limits: serde_json::Value| {
        let schedule = json!({ "cron": "0 * * * *", "time_zone": "UTC" });
        let body = json!({ "kind": "limits", "schedule": schedule, "limits": limits });
        let name = "limits";
        engine.update_automation(&context, Class::Monitor, name, None, body, true).await.unwrap();
    };
    limits(json!({ "certificates": 1, "accounts": 1_000 })).await;
    bench.upload("one.example.com", -1, 300).await;
    bench.pass(Timestamp::HOUR).await;
    bench.pass(Timestamp::HOUR).await;
    let open = async |bench: &Bench| {
        let store = bench.reader();
        let mut link = store.read().await.unwrap();
        alert::unresolved(&mut link, "limit/certificates").await.unwrap().is_some()
    };
    assert!(open(&bench).await);
    limits(json!({ "accounts": 1_000 })).await;
    bench.pass(Timestamp::HOUR).await;
    bench.pass(Timestamp::HOUR).await;
    assert!(!open(&bench).await);
    // Set again, it is told again.
    limits(json!({ "certificates": 1, "accounts": 1_000 })).await;
    bench.pass(Timestamp::HOUR).await;
    bench.pass(Timestamp::HOUR).await;
    assert!(open(&bench).await);
    assert_eq!(bench.events("license.limit_reached").await.len(), 2);
}

chancery_throwaway::on_each_backend!(every_late_job_is_told_however_many_there_are, 2);

async fn every_late_job_is_told_however_many_there_are() {
    let mut bench = Bench::new().await;
    let now = bench.now();
    let environment = bench.engine().environment().clone();
    let late: Vec<_> = (0..620)
        .map(|number| job::NewJob {
            job: job::Job {
                id: environment.id(),
                kind: "certificate.validate".to_owned(),
                queue: "validation".to_owned(),
                name: format!("job {number}"),
                state: "queued".to_owned(),
                payload: "{}".to_owned(),
                result: None,
                error: None,
                attempts: 0,
                attempts_max: 1,
                done: 0,
                total: 0,
                triggered_by: "system".to_owned(),
                context: "{}".to_owned(),
                scheduled_at: now,
                run_at: now.plus(-HOUR),
                started_at: None,
                completed_at: None,
            },
            input: None,
            unique_key: None,
        })
        .collect();
    let first = late[0].job.id;
    let late = Arc::new(late);
    let queued: Result<(), chancery_store::Error> = chancery_engine::bench::store(bench.engine())
        .transaction("test", move |tx: &mut Tx| {
            let late = late.clone();
            Box::pin(async move {
                for new in late.iter() {
                    assert!(job::enqueue(tx, new).await?);
                }
                Ok(())
            })
        })
        .await;
    queued.unwrap();
    let context = bench.context();
    let mut fired = Vec::new();
    for _ in 0..3 {
        bench.step().await;
        let run = bench.engine().run_task(&context, Class::Monitor, "jobs").await.unwrap();
        assert_eq!(run.counts.evaluated, 620);
        fired.push(run.counts.fired);
    }
    assert_eq!(*fired.last().unwrap(), 0);
    bench.step().await;
    let raised = bench.events("alert.raised").await;
    let late = raised.iter().filter(|event| format!("{:?}", event.detail).contains("job_late"));
    assert_eq!(late.count(), 620);
    assert!(bench.events("alert.resolved").await.is_empty(), "none of them went on");
    bench.engine().cancel_job(&context, first).await.unwrap();
    bench.engine().run_task(&context, Class::Monitor, "jobs").await.unwrap();
    bench.step().await;
    assert_eq!(bench.events("alert.resolved").await.len(), 1);
}

chancery_throwaway::on_each_backend!(what_was_never_enrolled_is_found_by_the_count, 2);

async fn what_was_never_enrolled_is_found_by_the_count() {
    let mut bench = Bench::new().await;
    let id = bench.upload("www.example.com", -70, 20).await;
    bench.pass(Timestamp::HOUR).await;
    let engine = bench.engine().clone();
    let forgotten: Result<(), chancery_store::Error> = chancery_engine::bench::store(&engine)
        .transaction("test", move |tx: &mut Tx| {
            Box::pin(async move {
                let objects = [id.to_string()];
                table::remove(tx, "certificate-expiry", &objects).await.map(|_| ())
            })
        })
        .await;
    forgotten.unwrap();
    bench.pass(Timestamp::HOUR).await;
    let runs = bench.events("monitor.run").await;
    let found = runs.iter().find(|run| run.detail["repaired"] == 1).unwrap();
    assert_eq!(found.severity.as_str(), "error");
    assert_eq!(bench.last("certificate-expiry").await.0, 1, "better twice than never");
}

chancery_throwaway::on_each_backend!(
    what_is_missing_is_found_where_the_counts_are_equal_and_events_wait,
    2
);

async fn what_is_missing_is_found_where_the_counts_are_equal_and_events_wait() {
    let mut bench = Bench::new().await;
    let id = bench.upload("www.example.com", -70, 20).await;
    bench.pass(Timestamp::HOUR).await;
    let engine = bench.engine().clone();
    let other = engine.environment().id::<CertificateId>();
    let exchanged: Result<(), chancery_store::Error> = chancery_engine::bench::store(&engine)
        .transaction("test", move |tx: &mut Tx| {
            Box::pin(async move {
                let monitor = "certificate-expiry";
                let known = table::some(tx, monitor, &[id.to_string()]).await?;
                let mut watch = known[&id.to_string()].clone();
                watch.object = other.to_string();
                table::put(tx, monitor, &[watch]).await?;
                table::remove(tx, monitor, &[id.to_string()]).await.map(|_| ())
            })
        })
        .await;
    exchanged.unwrap();
    bench.clock.advance(25 * Timestamp::HOUR);
    // An event waits for its seal all the time.
    bench.engine().delete_certificate(&bench.context(), other, None).await.unwrap_err();
    let context = bench.context();
    let run = engine.run_task(&context, Class::Monitor, "certificate-expiry").await.unwrap();
    assert_eq!((run.counts.repaired, run.counts.watched), (1, 2));
    assert_eq!(run.counts.fired, 1, "better twice than never");
}

chancery_throwaway::on_each_backend!(the_first_page_turns_red_when_a_run_is_missing, 2);

async fn the_first_page_turns_red_when_a_run_is_missing() {
    let mut bench = Bench::new().await;
    bench.upload("www.example.org", -1, 300).await;
    bench.pass(HOUR).await;
    let context = bench.context();
    let watched = bench.engine().watchfulness(&context).await.unwrap();
    assert!(!watched.bad, "{watched:?}");
    assert_eq!(watched.sentence, "1 of 1 evaluated at 01:30:00, next 02:00", "{watched:?}");
    // The clock goes on, and nothing runs.
    bench.clock.advance(12 * 60 * Timestamp::SECOND);
    assert!(!bench.engine().watchfulness(&context).await.unwrap().bad, "late, not missing");
    bench.clock.advance(10 * 60 * Timestamp::SECOND);
    let missing = bench.engine().watchfulness(&context).await.unwrap();
    assert!(!missing.bad && !missing.is_whole(), "{missing:?}");
    assert_eq!(missing.gaps, ["The monitor internal has not run when it was due."]);
    bench.clock.advance(30 * 60 * Timestamp::SECOND);
    let missing = bench.engine().watchfulness(&context).await.unwrap();
    assert!(missing.bad && missing.sentence.ends_with("next 02:00"), "{missing:?}");
    // What was missed is done before the program looks at itself: no false alarm after downtime.
    bench.step().await;
    let again = bench.engine().watchfulness(&context).await.unwrap();
    assert!(again.is_whole(), "{again:?}");
    assert!(!again.findings.iter().any(|found| found.contains("no run of")), "{again:?}");
}

chancery_throwaway::on_each_backend!(an_alert_stays_while_any_monitor_holds_it, 2);

async fn an_alert_stays_while_any_monitor_holds_it() {
    let mut bench = Bench::new().await;
    let context = bench.context();
    let body = |filter: &str| {
        json!({ "kind": "certificate_expiry", "filter": filter, "thresholds": ["30d"],
            "schedule": { "cron": "0 * * * *", "time_zone": "UTC" } })
    };
    let engine = bench.engine().clone();
    let (own, other) = ("certificate-expiry", "production");
    engine
        .create_automation(&context, Class::Monitor, other, body("name:www.*"), true)
        .await
        .unwrap();
    let change = async |bench: &mut Bench, name: &str, filter: &str| {
        let body = body(filter);
        engine.update_automation(&context, Class::Monitor, name, None, body, true).await.unwrap();
        bench.step().await;
    };
    let id = bench.upload("www.example.com", -70, 20).await;
    bench.pass(HOUR).await;
    assert!(bench.is_alarmed(id).await);
    change(&mut bench, other, "name:mail.*").await;
    assert!(bench.is_alarmed(id).await, "the other monitor has reported it");
    change(&mut bench, own, "name:mail.*").await;
    assert!(!bench.is_alarmed(id).await, "nobody looks at it any more");
    change(&mut bench, other, "name:www.*").await;
    bench.pass(HOUR).await;
    assert!(bench.is_alarmed(id).await, "somebody does again");
    engine.delete_automation(&context, Class::Monitor, other).await.unwrap();
    bench.step().await;
    assert!(!bench.is_alarmed(id).await);
    let resolved = bench.events("alert.resolved").await;
    let why: Vec<_> = resolved.iter().map(|event| &event.detail["resolved_because"]).collect();
    assert_eq!(why, ["filtered", "monitor_deleted"]);
}

chancery_throwaway::on_each_backend!(a_paused_monitor_that_is_run_by_hand_is_not_missing, 2);

async fn a_paused_monitor_that_is_run_by_hand_is_not_missing() {
    let mut bench = Bench::new().await;
    let context = bench.context();
    bench.upload("www.example.com", -1, 300).await;
    bench.pass(HOUR).await;
    let name = "certificate-expiry";
    let engine = bench.engine().clone();
    let object = engine.automation_object(&context, Class::Monitor, name).await.unwrap();
    let paused = engine.update_automation(&context, Class::Monitor, name, None, object.body, false);
    paused.await.unwrap();
    bench.step().await;
    engine.run_task(&context, Class::Monitor, name).await.unwrap();
    bench.pass(3 * HOUR).await;
    let store = bench.reader();
    let mut link = store.read().await.unwrap();
    let alarm = alert::unresolved(&mut link, "internal/timetable").await.unwrap();
    assert!(alarm.is_none(), "{alarm:?}");
}

chancery_throwaway::on_each_backend!(a_scheduled_job_that_fails_is_found_by_the_program_itself, 2);

async fn a_scheduled_job_that_fails_is_found_by_the_program_itself() {
    let mut bench = Bench::new().await;
    bench.pass(HOUR).await;
    let failed = async |bench: &Bench| {
        let store = bench.reader();
        let mut link = store.read().await.unwrap();
        alert::unresolved(&mut link, "internal/failed_jobs").await.unwrap()
    };
    assert!(failed(&bench).await.is_none());
    let put = async |bench: &Bench, id: chancery_event::id::JobId, state: &'static str| {
        let now = bench.now();
        let job = job::Job {
            id,
            kind: "log.verify".to_owned(),
            queue: "log".to_owned(),
            name: "Verify the log".to_owned(),
            state: String::new(),
            payload: "{}".to_owned(),
            result: None,
            error: None,
            attempts: 0,
            attempts_max: 1,
            done: 0,
            total: 0,
            triggered_by: "schedule/log-verification".to_owned(),
            context: "{}".to_owned(),
            scheduled_at: now,
            run_at: now,
            started_at: None,
            completed_at: None,
        };
        let store = bench.reader();
        let written = store.transaction("test", move |tx: &mut Tx| {
            let new = job::NewJob { job: job.clone(), input: None, unique_key: None };
            Box::pin(async move {
                job::enqueue(tx, &new).await?;
                let lease =
                    job::lease(tx, ("log", &[]), 1, "t", now, Term::of(now, HOUR)).await?.remove(0);
                match state {
                    "failed" => job::fail(tx, &lease, "the disk is full", now).await,
                    _ => job::succeed(tx, &lease, "{}", now).await,
                }
            })
        });
        written.await.unwrap();
    };
    let id = || bench.environment.id();
    let (first, second) = (id(), id());
    put(&bench, first, "failed").await;
    bench.pass(10 * 60 * Timestamp::SECOND).await;
    let alarm = failed(&bench).await.expect("an alert");
    assert!(alarm.message.contains("log-verification"), "{}", alarm.message);
    put(&bench, second, "success").await;
    bench.pass(10 * 60 * Timestamp::SECOND).await;
    assert!(failed(&bench).await.is_none(), "the next one went well");
}
