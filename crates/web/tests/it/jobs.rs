//! Jobs over the API and on the pages: who asked for them and why, what they tell, how they are
//! cancelled, who may start them by hand.

use std::time::Duration;

use axum::http::Method;
use chancery_engine::Role;
use chancery_event::Timestamp;
use chancery_testkit::{Authority, TestServer};
use serde_json::{Value, json};

use super::browser::Browser;

/// Waits until a job has ended: its end is an event, and events wake whoever waits for the log.
pub async fn ended(server: &TestServer, id: &str) -> Value {
    let mut sealed = server.engine().sealed();
    loop {
        sealed.mark_unchanged();
        let job = server.get(&format!("/api/v1/jobs/{id}")).send().await.expect(200).json();
        if job["completed_at"].is_string() {
            server.settle().await;
            return job;
        }
        let grown = tokio::time::timeout(Duration::from_secs(60), sealed.changed());
        grown.await.expect("the end of the job").expect("a running sealer");
    }
}

/// What led to a job, the nearest first.
async fn causes(server: &TestServer, id: &str) -> Vec<Value> {
    let path = format!("/api/v1/jobs/{id}/causes");
    let chain = server.get(&path).send().await.expect(200).json();
    let event = |item: &Value| item["event"].clone();
    chain["items"].as_array().expect("items").iter().map(event).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
}

#[tokio::test]
async fn a_scheduled_job_names_its_run() {
    let (server, _clock) =
        TestServer::start_standing(18, |settings, _| settings.monitors = true).await;
    // A log of which nothing is sealed yet has nothing to verify.
    server.settle().await;
    let path = "/api/v1/schedules/log-verification/run";
    let run = server.post(path).send().await.expect(200).json();
    let id = run["job"].as_str().expect("a job").to_owned();
    let job = ended(&server, &id).await;
    assert_eq!(job["triggered_by"], "schedule/log-verification");
    assert_eq!((&job["state"], &job["status"]), (&json!("success"), &json!("SUCCESS")));
    assert_eq!((&job["payload"], &job["ca_id"]), (&json!({}), &Value::Null));
    assert!(job["duration_ms"].is_u64() && job["result"]["count"].as_u64() > Some(0), "{job}");
    let chain = causes(&server, &id).await;
    assert_eq!(types(&chain), ["job.queued", "schedule.start"]);
    assert_eq!((&chain[0]["data"]["cause"], &chain[1]["id"]), (&run["id"], &run["id"]));
    // Everything the job does is brought about by the run.
    for name in ["job.started", "job.finished", "log.verify", "schedule.finished"] {
        let path = format!("/api/v1/events?filter=type:{name}");
        let found = server.get(&path).send().await.expect(200).json();
        let event = &found["items"][0]["event"];
        assert_eq!(event["data"]["cause"], run["id"], "{name}: {event}");
        assert_eq!(event["data"]["depth"], 1, "{name}");
    }
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    let page = browser.get(&format!("/jobs/{id}")).await.expect(200).text();
    assert!(page.contains("href=\"/schedules/log-verification\""), "{page}");
    assert!(page.contains("What led to it"), "{page}");
    let list = browser.get("/jobs").await.expect(200).text();
    for shown in ["schedule/<wbr>log-verification", "log.<wbr>verify", "Asked for, by", "Job, type"]
    {
        assert!(list.contains(shown), "{shown}: {list}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_job_that_a_trigger_starts_names_it() {
    let server = TestServer::start().await;
    let make = async |class: &str, body: Value| {
        let new = json!({ "name": "check", "body": body });
        let path = format!("/api/v1/automation/{class}");
        server.post(&path).json(&new).send().await.expect(201);
    };
    let steps = json!([{ "step": "start_job", "job": "certificate.validate" }]);
    make("actions", json!({ "steps": steps })).await;
    make("triggers", json!({ "event_types": ["certificate.uploaded"], "actions": ["check"] }))
        .await;
    let leaf = Authority::new("Job CA", server.now()).leaf("www.example.org", server.now(), 90);
    let sent = server.post("/api/v1/certificates").body("text/plain", leaf.to_pem()).send().await;
    let certificate = sent.expect(201).json()["id"].clone();
    assert!(server.engine().reacted(Duration::from_secs(60)).await);
    let found = server.get("/api/v1/jobs?filter=by:trigger/check").send().await.expect(200).json();
    assert_eq!(found["items"].as_array().expect("items").len(), 1, "{found}");
    let id = found["items"][0]["id"].as_str().expect("an id").to_owned();
    let job = ended(&server, &id).await;
    assert_eq!(
        (&job["triggered_by"], &job["kind"]),
        (&json!("trigger/check"), &json!("certificate.validate"))
    );
    assert_eq!(
        (&job["payload"]["certificate"], &job["result"]["certificate"]),
        (&certificate, &certificate)
    );
    assert_eq!(
        types(&causes(&server, &id).await),
        ["job.queued", "certificate.uploaded", "certificate.upload"]
    );
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    let page = browser.get(&format!("/jobs/{id}")).await.expect(200).text();
    assert!(page.contains("href=\"/automation/triggers/check\""), "{page}");
    let listed = browser.get("/jobs?q=by:trigger/check").await.expect(200).text();
    assert!(listed.contains("1 shown of 1") && listed.contains("trigger/<wbr>check"), "{listed}");
    server.finish().await;
}

#[tokio::test]
async fn an_open_job_is_cancelled() {
    let (server, _clock) = TestServer::start_standing(21, |settings, _| {
        settings.monitors = true;
        // None of them runs.
        settings.jobs_at_a_time.insert("verification".to_owned(), 0);
    })
    .await;
    let path = "/api/v1/schedules/log-verification";
    let run = server.post(&format!("{path}/run")).send().await.expect(200).json();
    let id = run["job"].as_str().expect("a job").to_owned();
    let one = format!("/api/v1/jobs/{id}");
    let job = server.get(&one).send().await.expect(200).json();
    assert_eq!((&job["status"], &job["duration_ms"]), (&json!("QUEUED"), &Value::Null));
    let queues = server.get("/api/v1/jobs/queues").send().await.expect(200).json();
    let queues = queues["items"].as_array().expect("items");
    assert_eq!(queues.len(), 8);
    let waits = queues.iter().find(|queue| queue["name"] == "verification").expect("a queue");
    let shown = json!({ "name": "verification", "at_a_time": 0, "running": 0, "queued": 1 });
    assert_eq!(*waits, shown);
    // What is slow keeps no other kind waiting.
    let run = server.post("/api/v1/schedules/retention/run").send().await.expect(200).json();
    let job = ended(&server, run["job"].as_str().expect("a job")).await;
    assert_eq!(job["status"], "SUCCESS", "{job}");
    let viewer = server.token(Role::Viewer).await;
    let cancel = format!("{one}/cancel");
    server.call(Method::POST, &cancel).bearer(&viewer).send().await.expect(403);
    let job = server.post(&cancel).send().await.expect(200).json();
    assert_eq!((&job["state"], &job["status"]), (&json!("cancelled"), &json!("CANCELLED")));
    assert!(job["completed_at"].is_string(), "{job}");
    server.post(&cancel).send().await.expect(409);
    server.settle().await;
    let events =
        server.get("/api/v1/events?filter=type:job.cancel").send().await.expect(200).json();
    let results: Vec<_> = events["items"].as_array().expect("items").iter().rev().collect();
    let data = |place: usize| &results[place]["event"]["data"];
    assert_eq!(data(0)["outcome"]["result"], "success");
    assert_eq!(data(0)["detail"]["old_state"], "queued");
    assert_eq!(data(1)["outcome"]["reason"], "ended");
    let task = server.get(path).send().await.expect(200).json();
    assert_eq!(task["last_run"]["state"], "failed", "{task}");
    server.finish().await;
}

#[tokio::test]
async fn by_hand_who_may_not_do_the_job_starts_none() {
    let (server, _clock) =
        TestServer::start_standing(22, |settings, _| settings.monitors = true).await;
    let operator = server.token(Role::Operator).await;
    let run = async |name: &str, status: u16| {
        let path = format!("/api/v1/schedules/{name}/run");
        let call = server.call(Method::POST, &path).bearer(&operator);
        call.send().await.expect(status).json()
    };
    let refused = run("retention", 403).await;
    assert!(refused["detail"].as_str().expect("words").contains("retention:write"), "{refused}");
    let nightly = json!({ "name": "nightly", "definition": {
        "job_kind": "backup.create", "cron": "0 3 * * *", "time_zone": "UTC" } });
    server.post("/api/v1/schedules").json(&nightly).send().await.expect(201);
    run("nightly", 403).await;
    let jobs = server.get("/api/v1/jobs").send().await.expect(200).json();
    assert_eq!(jobs["items"], json!([]), "nothing was queued");
    run("log-verification", 200).await;
    server.settle().await;
    let path = "/api/v1/events?filter=type:schedule.start%20outcome:deny,failure";
    let told = server.get(path).send().await.expect(200).json();
    assert_eq!(told["items"].as_array().expect("items").len(), 2, "{told}");
    for (role, may) in [(Role::Operator, false), (Role::Administrator, true)] {
        let mut browser = Browser::sign_in_as(&server, role).await;
        for name in ["retention", "nightly"] {
            let page = browser.get(&format!("/schedules/{name}")).await.expect(200).text();
            assert_eq!(page.contains("Run now"), may, "{role}, {name}");
        }
        let page = browser.get("/schedules/log-verification").await.expect(200).text();
        assert!(page.contains("Run now"), "{role}");
        if !may {
            let home = browser.get("/").await.expect(200).text();
            assert!(!home.contains("Chancery itself:"), "{home}");
            browser.post("/schedules/retention/run", &[]).await.expect(403);
        }
    }
    server.finish().await;
}

/// Asks for an upload that cannot be worked off; answers its job.
async fn hopeless(server: &TestServer) -> String {
    let call = server.post("/api/v1/certificates?mode=async").body("text/plain", "hello");
    let answer = call.send().await.expect(202).json();
    let id = answer["job"].as_str().or(answer["job_id"].as_str()).or(answer["id"].as_str());
    let id = id.expect("a job").to_owned();
    assert_eq!(ended(server, &id).await["state"], "failed");
    id
}

#[tokio::test]
async fn the_review_has_what_failed_in_its_span_whenever_it_was_asked_for() {
    let (mut server, clock) = TestServer::start_standing(9, |_, _| {}).await;
    let old = hopeless(&server).await;
    clock.advance(2 * Timestamp::DAY);
    server.renew().await;
    for _ in 0..22 {
        hopeless(&server).await;
    }
    clock.advance(2 * Timestamp::DAY);
    server.renew().await;
    let mut browser = Browser::sign_in_as(&server, Role::Operator).await;
    let day = browser.get("/review").await.expect(200).text();
    assert!(day.contains("None in the last day."), "{day}");
    // It was asked for before all of them, and fails again today.
    server.post(&format!("/api/v1/jobs/{old}/retry")).send().await.expect(200);
    assert_eq!(ended(&server, &old).await["state"], "failed");
    let day = browser.get("/review").await.expect(200).text();
    assert!(day.contains(&format!("href=\"/jobs/{old}\"")), "{day}");
    assert!(!day.contains("None in the last day."), "{day}");
    let part = day.split("id=\"failed-jobs\"").nth(1).expect("a part");
    assert!(part.split("</section>").next().unwrap().contains("All 1<"), "{part}");
    let week = browser.get("/review?span=week&failed-jobs=1").await.expect(200).text();
    assert!(week.contains("All 23<"), "{week}");
    clock.advance(40 * Timestamp::DAY);
    drop(browser);
    server.renew().await;
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    for (span, words) in [("week", "the last seven days"), ("month", "the last thirty days")] {
        let path = format!("/review?span={span}&failed-jobs=1");
        let page = browser.get(&path).await.expect(200).text();
        assert!(page.contains(&format!("None in {words}.")), "{page}");
    }
    server.finish().await;
}
