//! The program looks at itself: each part that can be wrong raises its alert and resolves it, with
//! a clock that a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chancery_engine::automation::Class;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::{Room, Settings};
use chancery_event::Timestamp;
use chancery_store::table::job;
use chancery_store::table::lease::Term;
use chancery_store::{Fault, Tx};
use chancery_throwaway::on_each_backend;

use crate::monitor::Bench;

const SECOND: i64 = Timestamp::SECOND;
const HOUR: i64 = Timestamp::HOUR;

impl Bench {
    /// Looks at the program; answers what the alert about one part of it says, if there is one.
    async fn finding(&self, part: &str) -> Option<String> {
        self.run("internal").await;
        self.alarm(&format!("internal/{part}")).await.map(|alert| alert.message)
    }

    async fn group(&self, name: &str) -> Result<String, chancery_engine::Error> {
        let draft = LabelDraft { name: name.to_owned(), description: String::new() };
        self.engine().create_label(&self.context(), LabelClass::Group, draft).await
    }

    /// The alert about a part is resolved because that is good again.
    async fn is_good_again(&mut self, part: &str) {
        assert_eq!(self.finding(part).await, None, "{part}");
        self.step().await;
        let resolved = self.events("alert.resolved").await;
        let last = resolved.last().expect("a resolved alert");
        assert_eq!(last.detail["resolved_because"], "good_again", "{part}");
        let raised = self.events("alert.raised").await;
        let own = |event: &&chancery_event::Event| {
            event.detail["title"] == format!("Chancery itself: {}", part.replace('_', " "))
        };
        assert!(raised.iter().any(|event| own(&event)), "{part}: {raised:?}");
    }
}

on_each_backend!(an_event_that_waits_for_its_seal_is_told, 2);

async fn an_event_that_waits_for_its_seal_is_told() {
    let mut bench = Bench::new().await;
    bench.step().await;
    bench.group("web").await.unwrap();
    bench.clock.advance(59 * SECOND);
    assert_eq!(bench.finding("seal_lag").await, None, "that is soon enough");
    bench.clock.advance(31 * SECOND);
    let told = bench.finding("seal_lag").await;
    assert_eq!(told.as_deref(), Some("an event has waited 90 s for its seal"));
    bench.step().await;
    bench.is_good_again("seal_lag").await;
}

on_each_backend!(a_consumer_that_is_far_behind_is_told, 2);

async fn a_consumer_that_is_far_behind_is_told() {
    let mut bench = Bench::new().await;
    bench.restart_with(|settings| settings.consumer_lag_max = 1_200).await;
    bench.step().await;
    bench.react().await;
    assert_eq!(bench.finding("consumers").await, None);
    for _ in 0..14 {
        chancery_engine::bench::record(bench.engine(), &bench.context(), 100).await.unwrap();
    }
    // Monitors keep in step, triggers do not.
    bench.step().await;
    let told = bench.finding("consumers").await.expect("an alert");
    assert!(
        told.starts_with("the consumer dispatch is ") && told.ends_with("behind the log"),
        "{told}"
    );
    bench.step().await;
    bench.react().await;
    bench.is_good_again("consumers").await;
}

on_each_backend!(a_disc_that_is_nearly_full_is_told, 2);

async fn a_disc_that_is_nearly_full_is_told() {
    const GIB: u64 = 1 << 30;
    let free = Arc::new(AtomicU64::new(600 * GIB));
    let mut bench = Bench::new().await;
    let says = free.clone();
    let room = Room::new(move |_| Some((says.load(Ordering::Relaxed), 1_000 * GIB)));
    bench.restart_with(|settings: &mut Settings| settings.room = room).await;
    assert_eq!(bench.finding("disk").await, None);
    free.store(2 * GIB, Ordering::Relaxed);
    assert_eq!(bench.finding("disk").await, None, "little of a large disc is enough");
    free.store(GIB / 2, Ordering::Relaxed);
    let told = bench.finding("disk").await;
    assert_eq!(told.as_deref(), Some("512 MiB are left on the disk, 0 %"));
    free.store(600 * GIB, Ordering::Relaxed);
    bench.is_good_again("disk").await;
}

on_each_backend!(a_clock_that_jumps_is_told_whichever_way, 2);

async fn a_clock_that_jumps_is_told_whichever_way() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.finding("clock").await, None, "there is nothing to compare with");
    bench.clock.advance(HOUR);
    // The seconds that the test takes are taken off.
    let told = bench.finding("clock").await.expect("an alert");
    assert!(told.starts_with("the clock jumped forward by 3"), "{told}");
    bench.is_good_again("clock").await;
    bench.clock.advance(-2 * HOUR);
    let told = bench.finding("clock").await.expect("an alert");
    assert!(told.starts_with("the clock jumped back by 7"), "{told}");
    let told = bench.finding("clock").await.expect("it is still behind");
    assert!(told.ends_with("s behind the newest event of the log"), "{told}");
    bench.clock.advance(2 * HOUR);
    bench.finding("clock").await;
    bench.is_good_again("clock").await;
}

on_each_backend!(a_store_that_refuses_writes_is_told, 2);

async fn a_store_that_refuses_writes_is_told() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.finding("store").await, None);
    let store = bench.reader();
    store.inject("configuration.create", Fault::NotPersisted);
    bench.group("web").await.unwrap_err();
    let told = bench.finding("store").await;
    assert!(told.is_some(), "the store refused a write");
    bench.group("web").await.unwrap();
    bench.is_good_again("store").await;
}

on_each_backend!(a_run_that_is_missing_is_told, 2);

async fn a_run_that_is_missing_is_told() {
    let mut bench = Bench::new().await;
    bench.pass(HOUR).await;
    assert_eq!(bench.finding("timetable").await, None);
    // The clock goes on, and nothing runs.
    bench.clock.advance(50 * 60 * SECOND);
    let told = bench.finding("timetable").await.expect("an alert");
    assert!(told.starts_with("no run of ") && told.contains("certificate-expiry"), "{told}");
    let watched = bench.engine().watchfulness(&bench.context()).await.unwrap();
    assert!(watched.bad && !watched.is_whole(), "{watched:?}");
    assert!(watched.findings.iter().any(|found| found.contains("no run of")), "{watched:?}");
    bench.step().await;
    bench.is_good_again("timetable").await;
}

on_each_backend!(a_failed_job_counts_while_its_schedule_is_there_and_as_it_was, 2);

async fn a_failed_job_counts_while_its_schedule_is_there_and_as_it_was() {
    let name = "log-verification";
    for change in ["paused", "deleted", "repaired"] {
        let mut bench = Bench::new().await;
        let (engine, context) = (bench.engine().clone(), bench.context());
        let run = engine.run_task(&context, Class::Schedule, name).await.unwrap();
        fail(&bench, run.job.unwrap()).await;
        let told = bench.finding("failed_jobs").await;
        assert_eq!(told.as_deref(), Some("the newest job of log-verification failed"));
        bench.clock.advance(SECOND);
        let object = engine.automation_object(&context, Class::Schedule, name).await.unwrap();
        match change {
            "paused" => engine.pause_task(&context, Class::Schedule, name, true).await.unwrap(),
            "deleted" => {
                engine.delete_automation(&context, Class::Schedule, name).await.unwrap();
            }
            _ => {
                let mut body = object.body;
                body["job_kind"] = "certificate.validate".into();
                let class = Class::Schedule;
                engine.update_automation(&context, class, name, None, body, true).await.unwrap();
            }
        }
        bench.is_good_again("failed_jobs").await;
    }
}

/// Ends a job as one does that fails for good.
async fn fail(bench: &Bench, id: chancery_event::id::JobId) {
    let now = bench.now();
    let failed: Result<(), chancery_store::Error> = bench
        .reader()
        .transaction("test", move |tx: &mut Tx| {
            Box::pin(async move {
                let held =
                    job::lease(tx, ("verification", &[]), 9, "t", now, Term::of(now, HOUR)).await?;
                let held = held.into_iter().find(|lease| lease.job().id == id).unwrap();
                job::fail(tx, &held, "the disk is full", now).await
            })
        })
        .await;
    failed.unwrap();
}

on_each_backend!(a_job_is_stuck_from_when_its_last_try_began, 2);

async fn a_job_is_stuck_from_when_its_last_try_began() {
    let mut bench = Bench::new().await;
    let (engine, context) = (bench.engine().clone(), bench.context());
    let queued = engine.run_task(&context, Class::Schedule, "log-verification").await.unwrap();
    let id = queued.job.unwrap();
    let lease = async |bench: &Bench| {
        let (now, store) = (bench.now(), bench.reader());
        let lease = store.transaction("test", move |tx: &mut Tx| {
            let term = Term::of(now, 60 * SECOND);
            Box::pin(async move { job::lease(tx, ("verification", &[]), 1, "t", now, term).await })
        });
        assert_eq!(lease.await.unwrap().len(), 1);
    };
    lease(&bench).await;
    // Down for three hours with the job at work; another try begins.
    bench.clock.advance(3 * HOUR);
    lease(&bench).await;
    let begun = bench.now();
    let job = engine.job(&context, id).await.unwrap();
    assert_eq!((job.attempts, job.started_at), (2, Some(begun)));
    bench.clock.advance(60 * SECOND);
    assert_eq!(bench.run("jobs").await.counts.fired, 0, "it runs for a minute");
    bench.clock.advance(2 * HOUR);
    assert_eq!(bench.run("jobs").await.counts.fired, 1);
    let alert = bench.alarm(&format!("job/{id}/late")).await.expect("an alert");
    assert_eq!(alert.kind, "job_stuck");
    assert_eq!(alert.title, "A job of the kind log.verify has run for 121 min");
    engine.cancel_job(&context, id).await.unwrap();
    assert_eq!(bench.run("jobs").await.counts.fired, 0);
    assert!(bench.alarm(&format!("job/{id}/late")).await.is_none());
    bench.step().await;
    let resolved = bench.events("alert.resolved").await;
    assert_eq!(resolved[0].detail["resolved_because"], "job_went_on");
}
