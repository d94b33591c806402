//! Schedules: a job by the clock, one at a time, with its history.

use chancery_engine::automation::Class;
use chancery_event::Timestamp;

use crate::monitor::Bench;

const HOUR: i64 = Timestamp::HOUR;

/// How often the verification was started, or was refused.
fn starts(events: &[chancery_event::Event]) -> usize {
    events.iter().filter(|event| event.detail["schedule_id"] == "log-verification").count()
}

chancery_throwaway::on_each_backend!(
    a_missed_run_happens_once_and_a_second_one_is_refused_until_the_job_has_ended,
    2
);

async fn a_missed_run_happens_once_and_a_second_one_is_refused_until_the_job_has_ended() {
    let mut bench = Bench::new().await;
    let context = bench.context();
    // Ten nights while nobody ran.
    bench.restart().await;
    bench.pass(10 * 24 * HOUR).await;
    let events = bench.events("schedule.start").await;
    assert_eq!(starts(&events), 1, "once, not ten times");
    // Nobody runs jobs here: the first has not ended when the second is due.
    bench.pass(24 * HOUR).await;
    let events = bench.events("schedule.start").await;
    let refused: Vec<_> = events
        .iter()
        .filter(|event| event.detail["schedule_id"] == "log-verification")
        .filter(|event| event.outcome.reason.as_deref() == Some("overlap"))
        .collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].outcome.reason.as_deref(), Some("overlap"));
    let engine = bench.engine().clone();
    let again = engine.run_task(&context, Class::Schedule, "log-verification").await;
    assert_eq!(again.unwrap_err().reason(), "running");
    // Cancelling the job ends the run.
    let job = engine.jobs(&context, Some("queued"), Some("log.verify"), None, 10).await.unwrap();
    engine.cancel_job(&context, job[0].id).await.unwrap();
    bench.step().await;
    let finished = bench.events("schedule.finished").await;
    assert_eq!(finished.len(), 1);
    assert_eq!(finished[0].outcome.reason.as_deref(), Some("cancelled"));
    engine.run_task(&context, Class::Schedule, "log-verification").await.unwrap();
    let runs = engine.task_runs(&context, Class::Schedule, "log-verification", None, 10).await;
    // Two of them began at the same moment: which of these is named first means nothing.
    let mut states: Vec<_> = runs.unwrap().into_iter().map(|run| run.state).collect();
    states.sort();
    assert_eq!(states, ["failed", "refused", "refused", "running"]);
}

chancery_throwaway::on_each_backend!(a_paused_schedule_waits_and_goes_on, 2);

async fn a_paused_schedule_waits_and_goes_on() {
    let mut bench = Bench::new().await;
    let context = bench.context();
    let engine = bench.engine().clone();
    engine.pause_task(&context, Class::Schedule, "log-verification", true).await.unwrap();
    bench.pass(48 * HOUR).await;
    let view = engine.task(&context, Class::Schedule, "log-verification").await.unwrap();
    assert_eq!((view.next_at, view.missing), (None, false));
    assert_eq!(starts(&bench.events("schedule.start").await), 0);
    engine.pause_task(&context, Class::Schedule, "log-verification", false).await.unwrap();
    bench.step().await;
    let view = engine.task(&context, Class::Schedule, "log-verification").await.unwrap();
    assert!(view.next_at.is_some_and(|at| at > bench.now()));
    bench.pass(24 * HOUR).await;
    assert_eq!(starts(&bench.events("schedule.start").await), 1);
}
