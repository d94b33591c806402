//! Jobs that work, fail, panic, are taken over, handed back and cancelled.

use std::sync::atomic::{AtomicUsize, Ordering};

use chancery_event::Environment;
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::id::JobId;
use chancery_store::log;
use tokio::sync::Notify;

use super::*;
use crate::inventory::PlacementRequest;
use crate::{Running, Settings};

/// Queues that the engine's own runner does not serve.
const TRIAL: [Queue; 1] = [Queue { name: "trial", at_a_time: 2 }];
const SLOW_AND_FAST: [Queue; 2] =
    [Queue { name: "slow", at_a_time: 1 }, Queue { name: "fast", at_a_time: 1 }];

struct Trial {
    running: Running,
    clock: Arc<ManualClock>,
    stop: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

impl Trial {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-11-21T09:30:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(11));
        let settings = Settings {
            allow_unencrypted_key: true,
            monitors: false,
            database: chancery_throwaway::database_of(dir.path()).map(|url| url.parse().unwrap()),
            ..Settings::new(dir.path())
        };
        let running = Engine::start(settings, environment).await.unwrap();
        Self { running, clock, stop: watch::channel(false).0, _dir: dir }
    }

    fn engine(&self) -> &Engine {
        self.running.engine()
    }

    fn runner<F, W>(&self, heartbeat: Duration, work: W) -> Runner
    where
        F: Future<Output = Result<Value, JobError>> + Send + 'static,
        W: Fn(Errand) -> F + Send + Sync + 'static,
    {
        let pace = Pace { heartbeat, grace: Duration::ZERO };
        let work: Work = Arc::new(move |errand| Box::pin(work(errand)));
        Runner::new(self.engine().clone(), self.stop.subscribe(), TRIAL, pace, work)
    }

    async fn queue(&self) -> JobId {
        self.queue_in("trial").await
    }

    async fn queue_in(&self, queue: &str) -> JobId {
        let context = Context::command_line(self.engine().environment());
        let placement = PlacementRequest::default();
        let kind = Kind::CertificateUpload;
        let mut new =
            crate::job::new(self.engine(), &context, kind, &placement, b"input".to_vec()).unwrap();
        queue.clone_into(&mut new.job.queue);
        new.job.attempts_max = 2;
        let id = new.job.id;
        let queued = self.engine().0.store.transaction("trial.queue", move |tx: &mut Tx| {
            let new = new.clone();
            Box::pin(async move { Ok::<bool, Error>(job::enqueue(tx, &new).await?) })
        });
        assert!(queued.await.unwrap());
        id
    }

    async fn job(&self, id: JobId) -> Job {
        job::find(&mut self.engine().link().await.unwrap(), id).await.unwrap().unwrap()
    }

    /// State and attempts of a job.
    async fn check(&self, id: JobId, state: &str, attempts: i64) {
        let job = self.job(id).await;
        assert_eq!((job.state.as_str(), job.attempts), (state, attempts), "{:?}", job.error);
    }

    /// The reasons of all `job.finished`, `success` where there is none.
    async fn finished(&self) -> Vec<String> {
        assert!(self.engine().settle(Duration::from_secs(60)).await);
        let mut link = self.engine().link().await.unwrap();
        let events = log::range(&mut link, chancery_event::LogIndex(0), 1_000).await.unwrap();
        events
            .iter()
            .map(|sealed| sealed.event())
            .filter(|event| event.type_name == "job.finished")
            .map(|event| {
                let state = event.detail["state"].as_str().unwrap_or_default();
                format!("{state} {}", event.outcome.reason.as_deref().unwrap_or("-"))
            })
            .collect()
    }
}

/// Starts what is due and waits until nothing runs any more.
async fn round(runner: &mut Runner) {
    runner.round().await.unwrap();
    while let Some(ended) = runner.running.join_next().await {
        runner.ended(ended);
    }
}

fn refuse(retry: bool) -> Result<Value, JobError> {
    Err(JobError { retry, message: "the moon is down".to_owned() })
}

const SLOW: Duration = Duration::from_secs(3_600);

chancery_throwaway::on_each_backend!(what_a_job_knows_of_people_goes_and_then_the_job, 2);

async fn what_a_job_knows_of_people_goes_and_then_the_job() {
    let trial = Trial::start().await;
    let engine = trial.engine();
    let context = Context::command_line(engine.environment());
    let input = async |id: JobId| job::input(&mut engine.link().await.unwrap(), id).await.unwrap();
    let works = trial.queue().await;
    round(&mut trial.runner(SLOW, |_| async { Ok(Value::Null) })).await;
    assert!(trial.job(works).await.is_forgotten());
    let fails = trial.queue().await;
    round(&mut trial.runner(SLOW, |_| async { refuse(false) })).await;
    let cancelled = trial.queue().await;
    engine.cancel_job(&context, cancelled).await.unwrap();
    assert!(trial.job(cancelled).await.is_forgotten());
    crate::job::retention::sweep(engine).await.unwrap();
    assert!(!trial.job(fails).await.is_forgotten() && input(fails).await.is_some());

    trial.clock.advance(31 * Timestamp::DAY);
    crate::job::retention::sweep(engine).await.unwrap();
    assert!(trial.job(fails).await.is_forgotten() && input(fails).await.is_none());
    let refused = engine.retry_job(&context, fails).await.unwrap_err();
    assert_eq!(refused.reason(), "too_old");

    let waits = trial.queue().await;
    trial.clock.advance(60 * Timestamp::DAY);
    crate::job::retention::sweep(engine).await.unwrap();
    let mut link = engine.link().await.unwrap();
    for gone in [works, fails, cancelled] {
        assert!(job::find(&mut link, gone).await.unwrap().is_none());
    }
    assert!(job::find(&mut link, waits).await.unwrap().is_some(), "it has not ended");
    let failed = format!("job_failed:job/{fails}");
    let open = chancery_store::table::alert::unresolved(&mut link, &failed).await.unwrap();
    assert!(open.is_none());
    drop(link);
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(a_job_that_works_ends_with_its_result_and_one_event, 2);

async fn a_job_that_works_ends_with_its_result_and_one_event() {
    let trial = Trial::start().await;
    let id = trial.queue().await;
    let mut runner = trial.runner(SLOW, |errand| async move {
        assert_eq!(errand.input, b"input");
        errand.progress.report(3, 4).await.map_err(JobError::of)?;
        Ok(serde_json::json!({ "count": 4, "invalid": 1 }))
    });
    round(&mut runner).await;
    trial.check(id, "success", 1).await;
    let job = trial.job(id).await;
    assert_eq!((job.done, job.total), (3, 4));
    assert_eq!(trial.finished().await, ["succeeded -"]);
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(what_fails_is_tried_again_later_and_then_fails_for_good, 2);

async fn what_fails_is_tried_again_later_and_then_fails_for_good() {
    let trial = Trial::start().await;
    let id = trial.queue().await;
    let mut runner = trial.runner(SLOW, |_| async { refuse(true) });
    round(&mut runner).await;
    trial.check(id, "queued", 1).await;
    let wait = trial.job(id).await.run_at.since(trial.engine().environment().now());
    assert!((2_500_000..=5_000_000).contains(&wait), "{wait}");
    round(&mut runner).await;
    trial.check(id, "queued", 1).await;
    trial.clock.advance(wait);
    round(&mut runner).await;
    trial.check(id, "failed", 2).await;
    assert_eq!(trial.job(id).await.error.as_deref(), Some("the moon is down"));
    assert_eq!(trial.finished().await, ["failed job_failed"]);
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(
    what_cannot_succeed_is_not_tried_again_and_a_panic_is_a_failure,
    2
);

async fn what_cannot_succeed_is_not_tried_again_and_a_panic_is_a_failure() {
    let trial = Trial::start().await;
    let refused = trial.queue().await;
    let mut runner = trial.runner(SLOW, |_| async { refuse(false) });
    round(&mut runner).await;
    trial.check(refused, "failed", 1).await;
    let panicked = trial.queue().await;
    let mut runner = trial.runner(SLOW, |_| async { panic!("a fault of the program") });
    round(&mut runner).await;
    trial.check(panicked, "failed", 1).await;
    assert_eq!(trial.finished().await, ["failed job_failed", "failed internal"]);
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(
    a_job_whose_runner_died_is_taken_over_until_its_tries_are_used_up,
    2
);

async fn a_job_whose_runner_died_is_taken_over_until_its_tries_are_used_up() {
    let trial = Trial::start().await;
    let id = trial.queue().await;
    let runs = Arc::new(AtomicUsize::new(0));
    let count = runs.clone();
    let mut runner = trial.runner(SLOW, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok(Value::Null) }
    });
    // Leased, and never heard of again: the program was killed.
    let dead = runner.lease("trial", 1).await.unwrap();
    round(&mut runner).await;
    trial.check(id, "running", 1).await;
    trial.clock.advance(LEASE);
    round(&mut runner).await;
    trial.check(id, "success", 2).await;
    // The dead come back too late.
    let dead = Arc::new(dead.into_iter().next().unwrap());
    let late = ending::write(trial.engine(), &dead, Ending::Success(Value::Null));
    assert_eq!(late.await.unwrap_err().reason(), "changed_meanwhile");

    let deadly = trial.queue().await;
    for _ in 0..2 {
        assert_eq!(runner.lease("trial", 1).await.unwrap().len(), 1);
        trial.clock.advance(LEASE);
    }
    round(&mut runner).await;
    trial.check(deadly, "failed", 3).await;
    assert_eq!(
        runs.load(Ordering::SeqCst),
        1,
        "what kills the program is not started a third time"
    );
    assert_eq!(trial.finished().await, ["succeeded -", "failed broken_off"]);
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(no_more_run_at_a_time_than_the_queue_allows, 2);

async fn no_more_run_at_a_time_than_the_queue_allows() {
    let trial = Trial::start().await;
    for _ in 0..5 {
        trial.queue().await;
    }
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, peak) = (now.clone(), most.clone());
    let mut runner = trial.runner(SLOW, move |_| {
        let (count, peak) = (count.clone(), peak.clone());
        async move {
            peak.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            count.fetch_sub(1, Ordering::SeqCst);
            Ok(Value::Null)
        }
    });
    for expected in [2, 4, 5] {
        runner.round().await.unwrap();
        assert!(runner.running.len() <= 2);
        round(&mut runner).await;
        assert_eq!(trial.finished().await.len(), expected);
    }
    assert!(most.load(Ordering::SeqCst) <= 2);
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(stopping_hands_a_running_job_back_uncounted, 2);

async fn stopping_hands_a_running_job_back_uncounted() {
    let trial = Trial::start().await;
    let id = trial.queue().await;
    let started = Arc::new(Notify::new());
    let begun = started.clone();
    let runner = trial.runner(SLOW, move |_| {
        begun.notify_one();
        std::future::pending()
    });
    let runner = tokio::spawn(runner.run());
    started.notified().await;
    trial.check(id, "running", 1).await;
    trial.stop.send_replace(true);
    runner.await.unwrap();
    trial.check(id, "queued", 0).await;
    assert!(trial.finished().await.is_empty());
    trial.running.stop().await.unwrap();
}

chancery_throwaway::on_each_backend!(a_running_job_that_is_cancelled_stops, 2);

async fn a_running_job_that_is_cancelled_stops() {
    let trial = Trial::start().await;
    let id = trial.queue().await;
    let mut runner = trial.runner(Duration::from_millis(1), |_| std::future::pending());
    runner.round().await.unwrap();
    let context = Context::command_line(trial.engine().environment());
    trial.engine().cancel_job(&context, id).await.unwrap();
    while let Some(ended) = runner.running.join_next().await {
        runner.ended(ended);
    }
    trial.check(id, "cancelled", 1).await;
    assert_eq!(runner.busy, [0]);
    assert_eq!(trial.finished().await, ["cancelled -"]);
    trial.running.stop().await.unwrap();
}

#[test]
fn retries_wait_twice_as_long_each_time_up_to_an_hour() {
    let environment =
        Environment::new(ManualClock::new(Timestamp::from_micros(0)), SeededEntropy::new(3));
    for (attempts, whole) in
        [(0, 5), (1, 5), (2, 10), (5, 80), (10, 2_560), (11, 3_600), (99, 3_600)]
    {
        let delay = ending::delay(attempts, &environment);
        let whole = whole * Timestamp::SECOND;
        assert!((whole / 2..=whole).contains(&delay), "{attempts}: {delay}");
    }
}

chancery_throwaway::on_each_backend!(a_slow_queue_starves_no_other, 2);

async fn a_slow_queue_starves_no_other() {
    let trial = Trial::start().await;
    let gate = Arc::new(Notify::new());
    for _ in 0..3 {
        trial.queue_in("slow").await;
    }
    let mut fast = Vec::new();
    for _ in 0..3 {
        fast.push(trial.queue_in("fast").await);
    }
    let pace = Pace { heartbeat: SLOW, grace: Duration::ZERO };
    let waiting = gate.clone();
    let work: Work = Arc::new(move |errand| {
        let gate = waiting.clone();
        Box::pin(async move {
            if errand.job.queue == "slow" {
                gate.notified().await;
            }
            Ok(Value::Null)
        })
    });
    let stop = trial.stop.subscribe();
    let mut runner = Runner::new(trial.engine().clone(), stop, SLOW_AND_FAST, pace, work);
    // The slow queue is full with one job that does not end; all of the fast queue is done.
    for _ in &fast {
        runner.round().await.unwrap();
        assert_eq!(runner.busy, [1, 1]);
        let ended = runner.running.join_next().await.unwrap();
        runner.ended(ended);
        assert_eq!(runner.busy[0], 1, "a slow job ended");
    }
    for id in fast {
        trial.check(id, "success", 1).await;
    }
    for _ in 0..3 {
        runner.round().await.unwrap();
        gate.notify_one();
        let ended = runner.running.join_next().await.unwrap();
        runner.ended(ended);
    }
    assert_eq!(runner.busy, [0, 0]);
    trial.running.stop().await.unwrap();
}
