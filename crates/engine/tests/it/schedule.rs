//! Schedules: a job by the clock, one at a time, with its history.

use chancery_engine::access::AccountChange;
use chancery_engine::automation::Class;
use chancery_engine::inventory::PlacementRequest;
use chancery_engine::{Error, Role};
use chancery_event::Timestamp;
use chancery_pki::make::{self, Issuer, Key, Template};
use serde_json::json;

use crate::access::{PASSWORD, enter, new_account};
use crate::monitor::Bench;

const DAY: i64 = Timestamp::DAY;
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

chancery_throwaway::on_each_backend!(
    a_sweep_judges_every_certificate_and_what_it_finds_names_it,
    2
);

async fn a_sweep_judges_every_certificate_and_what_it_finds_names_it() {
    let mut bench = Bench::new().await;
    let (authority, key) = authority(&bench).await;
    let issuer = Issuer { certificate: &authority, key: &key };
    let mut leaves = Vec::new();
    for number in 0..4 {
        let (from, to) = (bench.now().plus(-DAY), bench.now().plus((40 + number) * DAY));
        let name = format!("host-{number}.example.org");
        let template = Template::leaf(&[&name], from.micros(), to.micros());
        let key = Key::from_seed(name.as_bytes()).unwrap();
        leaves.push(bench.add(make::certificate(&template, &key, Some(&issuer)).unwrap()).await);
    }
    bench.pass(HOUR).await;
    // From now on sixty days count as near, which nothing makes due: the sweep finds it.
    bench.restart_with(|settings| settings.expiring_days = 60).await;
    bench.pass(HOUR).await;
    let before = bench.events("certificate.status_changed").await.len();
    let (engine, context) = (bench.engine().clone(), bench.context());
    let run = engine.run_task(&context, Class::Schedule, "validation-sweep").await.unwrap();
    bench.work().await;
    let job = engine.job(&context, run.job.unwrap()).await.unwrap();
    assert_eq!((job.state.as_str(), job.done, job.total), ("success", 5, 5), "{job:?}");
    assert_eq!(job.result.as_deref(), Some(r#"{"count":5}"#));
    assert_eq!(job.triggered_by, "schedule/validation-sweep");
    bench.step().await;
    for id in leaves {
        let row = engine.certificate(&context, id).await.unwrap().row;
        assert_eq!((row.status.as_str(), row.status_at), ("expiring", bench.now()));
    }
    for name in ["job.queued", "job.started", "job.finished"] {
        let mut events = bench.events(name).await;
        events.retain(|event| event.detail["job_id"] == job.id.to_string());
        assert_eq!(events.len(), 1, "{name}");
        assert_eq!((events[0].cause, events[0].depth), (Some(run.id), 1), "{name}");
    }
    let changed = bench.events("certificate.status_changed").await.split_off(before);
    assert_eq!(changed.len(), 4);
    for event in changed {
        assert_eq!(event.detail["new_status"], "expiring");
        assert_eq!((event.cause, event.depth), (Some(run.id), 1));
    }
    let mut finished = bench.events("schedule.finished").await;
    finished.retain(|event| event.detail["schedule_id"] == "validation-sweep");
    assert_eq!((finished[0].cause, finished[0].depth), (Some(run.id), 1));
    let chain = engine.job_causes(&context, job.id).await.unwrap();
    let types: Vec<_> = chain.iter().map(|seen| &*seen.event.type_name).collect();
    assert_eq!(types, ["job.queued", "schedule.start"]);
}

/// A trusted authority of the inventory, and its key.
async fn authority(bench: &Bench) -> (chancery_pki::Certificate, Key) {
    let key = Key::from_seed(b"authority").unwrap();
    let (from, to) = (bench.now().plus(-DAY).micros(), bench.now().plus(3_000 * DAY).micros());
    let der = make::certificate(&Template::ca("Sweep CA", from, to), &key, None).unwrap();
    let id = bench.add(der.clone()).await;
    let wish = PlacementRequest { trust_anchor: Some(true), ..PlacementRequest::default() };
    bench.engine().update_certificate(&bench.context(), id, None, wish).await.unwrap();
    (chancery_pki::Certificate::parse(&der).unwrap(), key)
}

chancery_throwaway::on_each_backend!(by_hand_a_job_does_no_more_than_who_starts_it_may, 2);

async fn by_hand_a_job_does_no_more_than_who_starts_it_may() {
    let mut bench = Bench::new().await;
    let (engine, machine) = (bench.engine().clone(), bench.context());
    let id = engine.create_account(&machine, new_account("grace", Role::Operator)).await.unwrap().0;
    let grace = enter(&engine, "grace", PASSWORD).await.unwrap().context;
    let body = json!({ "job_kind": "backup.create", "cron": "0 3 * * *", "time_zone": "UTC" });
    engine.create_automation(&machine, Class::Schedule, "backup", body, true).await.unwrap();
    for (name, needed) in [("retention", "retention:write"), ("backup", "backup")] {
        let refused = engine.run_task(&grace, Class::Schedule, name).await.unwrap_err();
        let Error::Forbidden { permission, .. } = &refused else { panic!("{refused}") };
        assert_eq!(permission.as_str(), needed, "{name}");
    }
    engine.run_task(&grace, Class::Schedule, "log-verification").await.unwrap();
    let jobs = engine.jobs(&machine, None, None, None, 10).await.unwrap();
    let kinds: Vec<_> = jobs.iter().map(|job| job.kind.as_str()).collect();
    assert_eq!(kinds, ["log.verify"]);
    bench.step().await;
    let starts = bench.events("schedule.start").await;
    let refused = starts.iter().filter(|e| e.outcome.reason.as_deref() == Some("forbidden"));
    assert_eq!(refused.count(), 2, "both are on record: {starts:?}");
    // Power that was taken away between asking and doing is gone.
    let role = |role: Role| AccountChange { role: Some(role.to_string()), ..Default::default() };
    engine.update_account(&machine, id, None, role(Role::Administrator)).await.unwrap();
    let grace = enter(&engine, "grace", PASSWORD).await.unwrap().context;
    let run = engine.run_task(&grace, Class::Schedule, "retention").await.unwrap();
    engine.update_account(&machine, id, None, role(Role::Operator)).await.unwrap();
    bench.work().await;
    let job = engine.job(&machine, run.job.unwrap()).await.unwrap();
    assert_eq!(job.state, "failed");
    assert!(job.error.unwrap().contains("retention:write"));
    let runs = bench.events("retention.run").await;
    assert_eq!(runs[0].outcome.reason.as_deref(), Some("forbidden"));
}
