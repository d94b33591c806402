//! Alerts through the API and the pages: what raises them, what people do about them, how they go.

use std::time::Duration;

use axum::http::Method;
use chancery_engine::inventory::{PlacementRequest, Source, Upload, UploadAnswer, UploadMode};
use chancery_engine::{Client, Context, Role, Secret};
use chancery_event::catalogue::{EventType, OutcomeClass, System};
use chancery_event::id::JobId;
use chancery_testkit::{Authority, TestServer};
use serde_json::{Value, json};

use super::browser::Browser;

fn upload(pem: &str, mode: UploadMode) -> Upload {
    Upload {
        bytes: pem.as_bytes().to_vec(),
        password: None,
        placement: PlacementRequest::default(),
        mode,
        source: Source::Upload,
    }
}

/// Locks the administrator out.
pub(super) async fn lock(server: &TestServer) {
    for _ in 0..20 {
        let wrong = Secret::new("wrong".to_owned());
        let refused = server.engine().log_in(Client::default(), "admin", wrong).await;
        if refused.err().is_some_and(|error| error.reason() == "locked") {
            break;
        }
    }
}

/// Waits until a job has ended: its end is an event, and events wake whoever waits for the log.
pub(super) async fn ended(server: &TestServer, id: JobId) -> String {
    let context = Context::command_line(server.engine().environment());
    let mut sealed = server.engine().sealed();
    loop {
        sealed.mark_unchanged();
        let job = server.engine().job(&context, id).await.expect("a job");
        if job.completed_at.is_some() {
            return job.state;
        }
        sealed.changed().await.expect("a running server");
    }
}

/// A certificate that is there, and the job that failed to bring it in a second time.
async fn failed_job(server: &TestServer) -> (String, JobId) {
    let context = Context::command_line(server.engine().environment());
    let authority = Authority::new("Alert CA", server.now());
    let pem = authority.leaf("www.example.org", server.now(), 90).to_pem();
    let answer = server.engine().upload(&context, upload(&pem, UploadMode::Sync)).await;
    let UploadAnswer::Done(items) = answer.expect("entered") else { panic!("a job") };
    let certificate = items[0].result.as_ref().expect("entered").to_string();
    let answer = server.engine().upload(&context, upload(&pem, UploadMode::Async)).await;
    let UploadAnswer::Queued(job) = answer.expect("queued") else { panic!("no job") };
    assert_eq!(ended(server, job).await, "failed");
    (certificate, job)
}

async fn list(server: &TestServer, filter: &str) -> Vec<Value> {
    let page = server.get(&format!("/api/v1/alerts?filter={filter}")).send().await.expect(200);
    page.json()["items"].as_array().expect("items").clone()
}

async fn act(server: &TestServer, action: &str, body: Value) -> Value {
    let path = format!("/api/v1/alerts/{action}");
    server.post(&path).json(&body).send().await.expect(200).json()
}

#[tokio::test]
async fn a_failed_job_raises_a_warning_that_goes_when_the_job_succeeds() {
    let server = TestServer::start().await;
    let (certificate, job) = failed_job(&server).await;
    let found = list(&server, "kind:job_failed").await;
    assert_eq!(found.len(), 1);
    let alert = &found[0];
    assert_eq!((&alert["level"], &alert["state"]), (&json!("WARN"), &json!("open")));
    assert_eq!(alert["object"], format!("job/{job}"));
    assert!(alert["message"].as_str().expect("a message").contains("already"), "{alert}");
    // Failing again is the same cause.
    server.post(&format!("/api/v1/jobs/{job}/retry")).send().await.expect(200);
    assert_eq!(ended(&server, job).await, "failed");
    let again = list(&server, "kind:job_failed").await;
    assert_eq!((again.len(), &again[0]["occurrences"]), (1, &json!(2)));
    // Without the certificate in the inventory the same job succeeds.
    server.delete(&format!("/api/v1/certificates/{certificate}")).send().await.expect(204);
    server.post(&format!("/api/v1/jobs/{job}/retry")).send().await.expect(200);
    assert_eq!(ended(&server, job).await, "success");
    assert!(list(&server, "kind:job_failed").await.is_empty());
    let gone = list(&server, "kind:job_failed%20state:resolved").await;
    assert_eq!(gone[0]["resolved_because"], "job_succeeded");
    assert_eq!(gone[0]["resolved_by"], Value::Null);
    server.settle().await;
    let events = server.get("/api/v1/events?filter=type:WARN").send().await.expect(200).json();
    let event = &events["items"][0]["event"];
    assert_eq!(event["type"], "alert.raised");
    let code = EventType::AlertRaised.info().dialect(System::Qcecuring, OutcomeClass::Warning);
    assert_eq!(code.expect("a code").code, "WARN");
    assert_eq!(event["data"]["outcome"]["result"], "success");
    assert_eq!(event["data"]["severity"], "warning");
    server.finish().await;
}

#[tokio::test]
async fn every_action_is_taken_back_by_the_call_it_names() {
    let server = TestServer::start().await;
    failed_job(&server).await;
    let id = list(&server, "").await[0]["id"].as_str().expect("an id").to_owned();
    let one = async || server.get(&format!("/api/v1/alerts/{id}")).send().await.expect(200).json();
    let soon = server.now().plus(3_600_000_000).to_string();
    let actions = [
        ("acknowledge", json!({ "ids": [id] }), "acknowledged"),
        ("assign", json!({ "filter": "kind:job_failed", "assigned_to": "admin" }), "open"),
        ("snooze", json!({ "ids": [id], "until": soon, "until_change": true }), "snoozed"),
        ("resolve", json!({ "ids": [id], "comment": "seen" }), "resolved"),
        ("unread", json!({ "ids": [id] }), "open"),
    ];
    act(&server, "read", json!({ "ids": [id] })).await;
    for (action, body, state) in actions {
        let before = one().await;
        let settled = act(&server, action, body).await;
        assert_eq!(settled["changed"], json!([id]), "{action}");
        let after = one().await;
        assert_eq!(after["state"], state, "{action}");
        assert_ne!(after, before, "{action}");
        shows(&after, action, &soon);
        let undo = &settled["undo"];
        let path = undo["path"].as_str().expect("a path");
        let undone = server.post(path).json(&undo["body"]).send().await.expect(200).json();
        assert_eq!(undone["count"], 1, "{action}: {undone}");
        assert_eq!(one().await, before, "{action}");
    }
    for (action, body, status) in [
        ("acknowledge", json!({}), 422),
        ("acknowledge", json!({ "ids": [id], "filter": "" }), 422),
        ("acknowledge", json!({ "ids": ["01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4"] }), 404),
        ("acknowledge", json!({ "filter": "kind:nothing" }), 409),
        ("acknowledge", json!({ "filter": "knd:x" }), 400),
        ("assign", json!({ "ids": [id], "assigned_to": "nobody.here" }), 422),
        ("snooze", json!({ "ids": [id], "until": "2020-01-01T00:00:00Z" }), 422),
        ("snooze", json!({ "ids": [id] }), 422),
    ] {
        let path = format!("/api/v1/alerts/{action}");
        server.post(&path).json(&body).send().await.expect(status);
    }
    let viewer = server.token(Role::Viewer).await;
    let path = "/api/v1/alerts/acknowledge";
    let call = server.call(Method::POST, path).bearer(&viewer).json(&json!({ "ids": [id] }));
    call.send().await.expect(403);
    server.settle().await;
    for name in [
        "alert.acknowledge",
        "alert.assign",
        "alert.snooze",
        "alert.resolve",
        "alert.reopen",
        "alert.read",
    ] {
        let path = format!("/api/v1/events?filter=type:{name}%20outcome:success");
        let events = server.get(&path).send().await.expect(200).json();
        let events = events["items"].as_array().expect("items");
        assert!(!events.is_empty(), "{name}");
        for event in events.iter().map(|item| &item["event"]) {
            assert_eq!(event["type"], name);
            assert_eq!(event["data"]["outcome"]["result"], "success", "{name}");
            let target = &event["data"]["targets"][0];
            assert_eq!((&target["kind"], &target["id"]), (&json!("alert"), &json!(id)), "{event}");
        }
    }
    server.finish().await;
}

/// What else an alert shows after an action that the administrator took.
fn shows(alert: &Value, action: &str, soon: &str) {
    let expected = match action {
        "acknowledge" => json!({ "acknowledged_by": "admin" }),
        "assign" => json!({ "assigned_to": "admin", "assigned_by": "admin" }),
        "snooze" => json!({ "snoozed_until": soon, "snooze_ends_on_change": true }),
        "resolve" => json!({ "resolved_by": "admin", "resolved_because": "by_hand" }),
        _ => json!({ "unread": true }),
    };
    for (member, value) in expected.as_object().expect("members") {
        assert_eq!(alert[member], *value, "{action}: {member}");
    }
}

/// Presses *Undo* on a page that offers it; answers the page that comes of it.
async fn undo(browser: &mut Browser<'_>, page: &str) -> String {
    let form = page.split("Was that a mistake?").next().expect("a form");
    let form = form.rsplit("<form").next().expect("a form");
    let value = |name: &str| {
        let rest = form.split(&format!("name=\"{name}\" value=\"")).nth(1).expect("a field");
        rest.split('"').next().expect("a value").replace("&amp;", "&")
    };
    let (id, back) = (value("id"), value("back"));
    let rest = page.split("Was that a mistake?").nth(1).expect("a button");
    let action = rest.split("value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let fields = [("id", id.as_str()), ("back", &back), ("action", action.expect("an action"))];
    let answer = browser.post("/alerts/settle", &fields).await;
    browser.follow(answer).await.expect(200).text()
}

#[tokio::test]
async fn pages_take_back_exactly_and_however_many_there_are() {
    let server = TestServer::start().await;
    failed_job(&server).await;
    let mut ada = Browser::sign_in_as(&server, Role::Operator).await;
    let id = list(&server, "").await[0]["id"].as_str().expect("an id").to_owned();
    let one = async || server.get(&format!("/api/v1/alerts/{id}")).send().await.expect(200).json();
    act(&server, "acknowledge", json!({ "ids": [id] })).await;
    let until = server.now().plus(3_600_000_000).to_string();
    act(&server, "snooze", json!({ "ids": [id], "until": until, "until_change": true })).await;
    for action in ["wake", "unacknowledge"] {
        let before = one().await;
        assert_eq!(
            (&before["snooze_ends_on_change"], &before["acknowledged_by"]),
            (&json!(true), &json!("admin"))
        );
        let fields = [("id", id.as_str()), ("action", action), ("back", "/alerts")];
        let answer = ada.post("/alerts/settle", &fields).await;
        let page = ada.follow(answer).await.expect(200).text();
        assert_ne!(one().await, before, "{action}");
        let page = undo(&mut ada, &page).await;
        assert!(page.contains("1 alert is as before."), "{page}");
        assert_eq!(one().await, before, "{action}: not the one who takes it back");
    }
    // More of them than an address has room for.
    let steps = json!([{ "step": "raise_alert", "kind": "many", "title": "one of many" }]);
    let base = "/api/v1/automation";
    let action = json!({ "name": "many", "body": { "steps": steps } });
    server.post(&format!("{base}/actions")).json(&action).send().await.expect(201);
    let types = json!(["configuration.create"]);
    let trigger = json!({ "name": "many", "body": { "event_types": types, "actions": ["many"] } });
    server.post(&format!("{base}/triggers")).json(&trigger).send().await.expect(201);
    for number in 0..110 {
        let group = json!({ "name": format!("group {number}") });
        server.post("/api/v1/groups").json(&group).send().await.expect(201);
    }
    assert!(server.engine().reacted(Duration::from_secs(60)).await);
    let count = async |filter: &str| {
        let path = format!("/api/v1/alerts?limit=1000&filter=kind:many%20{filter}");
        let page = server.get(&path).send().await.expect(200).json();
        page["items"].as_array().expect("items").len()
    };
    let all = count("state:open").await;
    assert!(all >= 110);
    let fields =
        [("scope", "filter"), ("filter", "kind:many"), ("action", "resolve"), ("back", "/alerts")];
    let answer = ada.post("/alerts/settle", &fields).await;
    let page = ada.follow(answer).await.expect(200).text();
    assert_eq!((count("state:open").await, count("state:resolved").await), (0, all));
    let page = undo(&mut ada, &page).await;
    assert!(page.contains(&format!("{all} alerts are as before.")), "{page}");
    assert_eq!((count("state:open").await, count("state:resolved").await), (all, 0));
    server.finish().await;
}

#[tokio::test]
async fn reading_is_each_readers_own_and_all_of_it_can_be_undone() {
    let server = TestServer::start().await;
    failed_job(&server).await;
    let mut ada = Browser::sign_in_as(&server, Role::Viewer).await;
    let mut bob = Browser::sign_in_as(&server, Role::Operator).await;
    let unread = |page: &str| page.contains("1 unread alerts");
    assert!(unread(&ada.get("/alerts").await.expect(200).text()));
    let fields = [("scope", "all"), ("action", "read"), ("back", "/alerts")];
    let answer = ada.post("/alerts/settle", &fields).await;
    let page = ada.follow(answer).await.expect(200).text();
    assert!(page.contains("1 alert is marked as read") && page.contains("Undo"), "{page}");
    assert!(!unread(&ada.get("/alerts").await.text()));
    assert!(unread(&bob.get("/").await.text()), "another reader has not read it");
    let fields = [("scope", "all"), ("action", "unread"), ("back", "/alerts")];
    ada.post("/alerts/settle", &fields).await.expect(303);
    assert!(unread(&ada.get("/alerts/bell").await.expect(200).text()));
    let refused = [("scope", "filter"), ("filter", ""), ("action", "resolve"), ("back", "/alerts")];
    ada.post("/alerts/settle", &refused).await.expect(403);
    let answer = bob.post("/alerts/settle", &refused).await;
    let page = bob.follow(answer).await.expect(200).text();
    assert!(page.contains("1 alert is resolved"), "{page}");
    assert!(bob.get("/alerts").await.text().contains("Nothing needs you"));
    let resolved = bob.get("/alerts?q=state:resolved").await.expect(200).text();
    assert!(resolved.contains("Upload of certificates failed"));
    server.finish().await;
}

#[tokio::test]
async fn a_locked_account_is_an_alert_that_names_it_to_those_who_may_know() {
    let server = TestServer::start().await;
    lock(&server).await;
    let found = list(&server, "kind:account_locked").await;
    assert_eq!(found.len(), 1);
    assert!(found[0]["message"].as_str().expect("a message").contains("admin"));
    assert!(!found[0]["title"].as_str().expect("a title").contains("admin"));
    let id = found[0]["id"].as_str().expect("an id");
    let viewer = server.token(Role::Viewer).await;
    let path = format!("/api/v1/alerts/{id}");
    let seen = server.call(Method::GET, &path).bearer(&viewer).send().await.expect(200).json();
    assert_eq!((&seen["message"], &seen["message_withheld"]), (&json!(""), &json!(true)));
    let account = found[0]["object"].as_str().expect("an object").replace("account/", "");
    server.post(&format!("/api/v1/accounts/{account}/unlock")).send().await.expect(200);
    let gone = list(&server, "kind:account_locked%20state:resolved").await;
    assert_eq!(gone[0]["resolved_because"], "unlocked");
    server.finish().await;
}

#[tokio::test]
async fn pages_of_alerts_show_what_there_is() {
    let server = TestServer::start().await;
    let (_, job) = failed_job(&server).await;
    server.settle().await;
    let mut browser = Browser::sign_in_as(&server, Role::Operator).await;
    let home = browser.get("/").await.expect(200).text();
    assert!(home.contains("Upload of certificates failed"), "home shows what needs somebody");
    let id = list(&server, "").await[0]["id"].as_str().expect("an id").to_owned();
    let page = browser.get(&format!("/alerts/{id}")).await.expect(200).text();
    assert!(page.contains(&format!("/jobs/{job}")) && page.contains("An alert was raised"));
    let fields = [("id", id.as_str()), ("action", "snooze"), ("for", "3600"), ("back", "/alerts")];
    let answer = browser.post("/alerts/settle", &fields).await;
    let snoozed = browser.follow(answer).await.expect(200).text();
    assert!(snoozed.contains("1 alert is snoozed"));
    for path in ["/review", "/review?span=week", "/alerts?q=state:snoozed&sort=-severity"] {
        browser.get(path).await.expect(200);
    }
    assert!(browser.get("/alerts?q=state:snoozed").await.text().contains("Snoozed"));
    let wrong = [("id", id.as_str()), ("action", "devour"), ("back", "//evil.example")];
    browser.post("/alerts/settle", &wrong).await.expect(400);
    server.finish().await;
}

/// The figure of the tile with this label.
fn tile(page: &str, label: &str) -> String {
    let of = format!("{label}</span><span class=\"stat-value\">");
    let rest = page.split(&of).nth(1).unwrap_or_else(|| panic!("{label}: {page}"));
    rest.split('<').next().expect("a figure").to_owned()
}

#[tokio::test]
async fn the_review_is_a_view_that_can_be_changed_and_kept() {
    let server = TestServer::start().await;
    failed_job(&server).await;
    server.settle().await;
    let mut browser = Browser::sign_in_as(&server, Role::Operator).await;
    let daily = browser.get("/review").await.expect(200).text();
    assert!(daily.contains("id=\"failed-jobs\"") && daily.contains("id=\"failures-plot\""));
    assert!(daily.contains("All 1</a>"), "one job failed: {daily}");
    assert_eq!(tile(&daily, "Jobs"), "1");
    assert_eq!(tile(&daily, "Issue and renewal"), "0");
    // The upload that the job was.
    assert_eq!(tile(&daily, "Other operations"), "1");
    assert!(!daily.contains("id=\"patterns\""), "{daily}");
    let weekly = browser.get("/review?span=week").await.expect(200).text();
    for plot in ["lifecycle-plot", "failures-plot", "pattern-plot"] {
        assert!(weekly.contains(&format!("id=\"{plot}\"")), "{plot}");
    }
    for (label, count) in [("Issued", "0"), ("Entered", "1"), ("Jobs", "1"), ("job failed", "1")] {
        assert_eq!(tile(&weekly, label), count, "{label}");
    }
    // A copy with other parts, over another span, of some events alone.
    let query = "span=month&failures=1&q=family:job";
    let own = browser.get(&format!("/review?{query}")).await.expect(200).text();
    assert!(own.contains("id=\"failures-plot\"") && !own.contains("id=\"lifecycle-plot\""));
    assert!(own.contains("The last thirty days") && own.contains("%28family:job%29"), "{own}");
    let fields = [("list", "review"), ("name", "Jobs of the month"), ("query", query)];
    let answer = browser.post("/views", &fields).await;
    let kept = browser.follow(answer).await.expect(200).text();
    assert!(kept.contains("Jobs of the month") && kept.contains("aria-current=\"true\""));
    assert!(browser.get("/review").await.text().contains("Jobs of the month"));
    let wrong = browser.get("/review?q=family:(").await.expect(200).text();
    assert!(wrong.contains("id=\"review-events-error\""), "{wrong}");
    server.finish().await;
}

#[tokio::test]
async fn open_pages_hear_that_alerts_have_changed() {
    use futures::StreamExt as _;
    let server = TestServer::start().await;
    let browser = Browser::sign_in_as(&server, Role::Operator).await;
    let stream = browser.open("/alerts/live").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut stream = stream.into_body().into_data_stream();
    let next = async |stream: &mut axum::body::BodyDataStream| {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(60), stream.next()).await;
            let chunk = next.expect("a word").expect("no end").expect("no error");
            let text = String::from_utf8(chunk.to_vec()).unwrap();
            // A comment only says that the connection lives.
            if !text.starts_with(':') {
                return text;
            }
        }
    };
    let first = next(&mut stream).await;
    assert!(first.starts_with("id: ") && !first.contains("data"), "where it begins: {first}");
    // Other events are no news for the bell.
    server.settle().await;
    let size = server.engine().figures().await.unwrap().log_size;
    let page = server.call(Method::GET, "/catalogue").header("cookie", &server.session().0);
    let page = page.send().await.expect(200).text();
    assert!(page.contains("data-live=\"/alerts/live?from="), "{page}");
    failed_job(&server).await;
    let text = next(&mut stream).await;
    assert!(text.contains("event: alerts"), "{text:?}");
    // A page that was made before hears of it as well, however late it begins to listen.
    let late = browser.open(&format!("/alerts/live?from={size}")).await;
    let mut late = late.into_body().into_data_stream();
    while !next(&mut late).await.contains("event: alerts") {}
    drop((stream, late));
    server.finish().await;
}

#[tokio::test]
async fn parameters_that_nobody_knows_are_refused() {
    let server = TestServer::start().await;
    for path in [
        "/api/v1/alerts?flter=kind:job_failed",
        "/api/v1/alerts/facets?sort=severity",
        "/api/v1/alerts/histogram?bucket=3",
        "/api/v1/evaluations?verdict=matched",
        "/api/v1/automation/fields?type=certificate.update",
        "/api/v1/monitors/internal/runs?since=1",
        "/api/v1/monitors/certificate-expiry/forecast?day=3",
    ] {
        let answer = server.get(path).send().await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{path}: {}", answer.status);
    }
    server.finish().await;
}

#[tokio::test]
async fn lists_are_taken_out_as_they_are_shown_and_that_is_an_event() {
    let server = TestServer::start().await;
    let (_, job) = failed_job(&server).await;
    let taken = async |path: &str| server.get(path).send().await.expect(200).text();
    let csv = taken("/api/v1/alerts/export?filter=kind:job_failed&format=csv").await;
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 2, "{csv}");
    assert!(lines[0].starts_with("id,created_at,last_seen_at,severity,kind,state,title,"), "{csv}");
    assert!(lines[1].contains(",job_failed,open,"), "{csv}");
    assert_eq!(taken("/api/v1/alerts/export?filter=state:resolved").await, "");
    let jobs = taken("/api/v1/jobs/export?filter=state:failed").await;
    let rows: Vec<Value> = jobs.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((rows.len(), &rows[0]["id"]), (1, &json!(job.to_string())), "{jobs}");
    let csv = taken("/api/v1/evaluations/export?format=csv&filter=verdict:matched").await;
    assert!(csv.starts_with("id,at,trigger,trigger_version,verdict,"), "{csv}");
    server.get("/api/v1/jobs/export?format=xml").send().await.expect(422);
    server.get("/api/v1/jobs/export?filter=colour:red").send().await.expect(400);
    server.settle().await;
    for (event, format, count) in [
        ("alert.export", "ndjson", 0),
        ("job.export", "ndjson", 1),
        ("evaluation.export", "csv", 0),
    ] {
        let path = format!("/api/v1/events?limit=1&filter=type:{event}+outcome:success");
        let told = server.get(&path).send().await.expect(200).json();
        let detail = &told["items"][0]["event"]["data"]["detail"];
        assert_eq!(
            (&detail["format"], &detail["count"]),
            (&json!(format), &json!(count)),
            "{told}"
        );
        assert_eq!(detail["filtered"], true);
    }
    server.finish().await;
}

#[tokio::test]
async fn jobs_are_searched_like_every_list() {
    let server = TestServer::start().await;
    let (_, job) = failed_job(&server).await;
    let found = async |filter: &str| {
        let path = format!("/api/v1/jobs?filter={filter}");
        let page = server.get(&path).send().await.expect(200).json();
        page["items"].as_array().unwrap().iter().filter(|one| one["id"] == job.to_string()).count()
    };
    for (filter, count) in [
        ("state:failed", 1),
        ("state:success", 0),
        ("kind:certificate.upload+asked:last(1h)", 1),
        ("-kind:certificate.*", 0),
        ("by:system/*+OR+took%3E=0", 1),
        ("attempts%3E50", 0),
        ("queue:upload+name:*pload*", 1),
    ] {
        assert_eq!(found(filter).await, count, "{filter}");
    }
    let wrong = server.get("/api/v1/jobs?filter=stat:failed").send().await.expect(400);
    assert!(wrong.text().contains("state"), "it suggests what may have been meant");
    for limit in ["abc", "-1", "1.5"] {
        let wrong = server.get(&format!("/api/v1/jobs?limit={limit}")).send().await.expect(400);
        assert!(wrong.text().contains("a whole number from 1 to 1000"), "{}", wrong.text());
    }
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let shown = session.get("/jobs?q=state:failed").await.expect(200).text();
    assert!(shown.contains(&format!("/jobs/{job}")) && shown.contains("1 shown of 1"), "{shown}");
    assert!(shown.contains("/api/v1/jobs/export?filter=state:failed&amp;format=csv"), "{shown}");
    let none = session.get("/jobs?q=state:cancelled").await.expect(200).text();
    assert!(none.contains("Show all jobs"));
    let wrong = session.get("/jobs?q=stat:failed").await.expect(200).text();
    assert!(wrong.contains("state:failed"), "a query that would work");
    for (list, path) in [("jobs", "/jobs"), ("evaluations", "/automation/history")] {
        let view = [("list", list), ("name", "Mine"), ("query", "q=state%3Afailed")];
        session.post("/views", &view).await.expect(303);
        let page = session.get(path).await.expect(200).text();
        assert!(page.contains(&format!("{path}?q=state%3Afailed")), "{page}");
    }
    server.finish().await;
}

#[tokio::test]
async fn what_jobs_and_automation_do_is_recorded_under_its_name() {
    let server = TestServer::start().await;
    let (certificate, job) = failed_job(&server).await;
    server.post(&format!("/api/v1/jobs/{job}/retry")).send().await.expect(200);
    assert_eq!(ended(&server, job).await, "failed");
    for action in ["archive", "restore"] {
        let path = format!("/api/v1/certificates/{certificate}/{action}");
        server.post(&path).json(&json!({})).send().await.expect(200);
    }
    let base = "/api/v1/automation/rules";
    let rule = |filter: &str| json!({ "name": "r", "body": { "filter": filter } });
    server.post(base).json(&rule("outcome:failure")).send().await.expect(201);
    let changed = json!({ "body": { "filter": "outcome:success" } });
    let path = format!("{base}/r");
    let put = server.call(Method::PUT, &path).bearer(server.admin()).json(&changed);
    put.send().await.expect(200);
    server.delete(&path).send().await.expect(204);
    let ahead = server.post("/api/v1/automation/fast-forward").json(&json!({ "days": 1 }));
    ahead.send().await.expect(200);
    server.settle().await;
    for (name, least) in [
        ("job.queued", 1),
        ("job.started", 2),
        ("job.finished", 2),
        ("job.retry", 1),
        ("alert.raised", 1),
        ("certificate.archive", 1),
        ("certificate.restore", 1),
        ("configuration.create", 1),
        ("configuration.update", 1),
        ("configuration.delete", 1),
        ("configuration.test", 1),
    ] {
        let path = format!("/api/v1/events?filter=type:{name}");
        let events = server.get(&path).send().await.expect(200).json();
        let found = events["items"].as_array().expect("items").len();
        assert!(found >= least, "{name}: {found}");
    }
    server.finish().await;
}
