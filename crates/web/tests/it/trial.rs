//! Trying a trigger out: on one event, on a part of history, and by a job.

use std::time::Duration;

use chancery_engine::Role;
use chancery_event::Timestamp;
use chancery_testkit::TestServer;
use serde_json::{Value, json};

use super::alerts::ended;
use super::automation::{upload, weak};
use super::browser::Browser;

/// Two certificates of which the trigger matches one.
async fn world() -> TestServer {
    let server = TestServer::start().await;
    weak(&server).await;
    upload(&server, "www.prod.example").await;
    upload(&server, "www.test.example").await;
    assert!(server.engine().reacted(Duration::from_secs(60)).await);
    server.settle().await;
    server
}

/// The events that the trigger listens to, newest first.
async fn occurrences(server: &TestServer) -> Vec<Value> {
    let page = server.get("/api/v1/events?filter=type:certificate.uploaded").send().await;
    page.expect(200).json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_trigger_is_tried_on_one_event() {
    let server = world().await;
    let found = occurrences(&server).await;
    let id = |place: usize| found[place]["event"]["id"].as_str().unwrap().to_owned();
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let event = session.get(&format!("/events/{}", id(0))).await.expect(200).text();
    let link = format!("/automation/trial?event={}", id(0));
    assert!(event.contains(&link), "the event leads there: {event}");
    let form = session.get(&format!("{link}&trigger=prod")).await.expect(200).text();
    assert!(form.contains(&id(0)) && form.contains("<option value=\"prod\" selected"), "{form}");

    let near = [("event", id(0)), ("trigger", "prod".to_owned())];
    let near = near.each_ref().map(|(name, value)| (*name, value.as_str()));
    let near = session.post("/automation/trial", &near).await.expect(200).text();
    assert!(near.contains("Nearly") && near.contains("www.test.example"), "{near}");
    assert!(near.contains("No step would follow"), "{near}");
    // By its number in the log as well.
    let index = found[1]["log_index"].to_string();
    let matched = [("event", index.as_str()), ("trigger", "prod")];
    let matched = session.post("/automation/trial", &matched).await.expect(200).text();
    assert!(matched.contains("Matched") && matched.contains("Would follow"), "{matched}");
    assert!(matched.contains("sets the folder"), "{matched}");
    // It is told what was asked, and nothing has been carried out a second time.
    server.settle().await;
    let tried = server.get("/api/v1/events?filter=type:configuration.test").send().await;
    assert_eq!(tried.expect(200).json()["items"].as_array().unwrap().len(), 2);
    let raised = server.get("/api/v1/events?filter=type:alert.raised").send().await.json();
    assert_eq!(raised["items"].as_array().unwrap().len(), 1);

    for (event, trigger, said) in [
        ("", "prod", "which one?"),
        ("seven", "prod", "no event has this log index or identifier"),
        ("99999", "prod", "no event has this log index or identifier"),
        (id(0).as_str(), "nobody", "no trigger"),
        ("0199aaaa-0000-7000-8000-000000000000", "prod", "no event has this"),
    ] {
        let fields = [("event", event), ("trigger", trigger)];
        let wrong = session.post("/automation/trial", &fields).await.expect(422).text();
        assert!(wrong.to_lowercase().contains(said), "{event} {trigger}: {wrong}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_trigger_is_tried_on_a_part_of_history() {
    let server = world().await;
    let found = occurrences(&server).await;
    let newest = found[0]["event"]["time"].as_str().unwrap().to_owned();
    let later = newest.parse::<Timestamp>().unwrap().plus(1).to_string();
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let path = "/automation/triggers/prod/back-test";
    let all = session.post(path, &[("days", "0")]).await.expect(200).text();
    assert!(all.contains("of them 2"), "{all}");
    let last = [("days", "30"), ("from", newest.as_str()), ("to", later.as_str())];
    let last = session.post(path, &last).await.expect(200).text();
    assert!(last.contains("1 events, of them 1") && !last.contains("Newest that match"), "{last}");
    let first = session.post(path, &[("days", "30"), ("to", newest.as_str())]).await;
    let first = first.expect(200).text();
    assert!(first.contains("of them 1") && first.contains("Newest that match"), "{first}");
    for (from, to, said) in [
        ("yesterday", "", "A time such as"),
        ("", "2026", "A time such as"),
        (later.as_str(), newest.as_str(), "after the beginning"),
    ] {
        let wrong = session.post(path, &[("days", "30"), ("from", from), ("to", to)]).await;
        let wrong = wrong.expect(422).text();
        assert!(wrong.contains(said) && wrong.contains(from), "{from} {to}: {wrong}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_job_tries_a_trigger_and_its_page_tells_what_came_of_it() {
    let server = world().await;
    let asked = json!({ "queued": true });
    let queued = server.post("/api/v1/automation/triggers/prod/back-test").json(&asked);
    let queued = queued.send().await.expect(202).json();
    let id = queued["job"].as_str().unwrap();
    ended(&server, id.parse().unwrap()).await;
    let job = server.get(&format!("/api/v1/jobs/{id}")).send().await.expect(200).json();
    assert_eq!(job["state"], "success", "{job}");
    assert_eq!(job["result"]["verdicts"]["prod"], json!({ "matched": 1, "nearly": 1 }));
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = session.get(&format!("/jobs/{id}")).await.expect(200).text();
    assert!(page.contains("of them 2") && page.contains("Newest that nearly match"), "{page}");
    server.finish().await;
}

#[tokio::test]
async fn what_is_deleted_is_asked_about() {
    let server = world().await;
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = session.get("/automation/triggers/prod").await.expect(200).text();
    assert!(page.contains("Delete this trigger?"), "{page}");
    let asked = session.get("/automation/triggers/prod/delete").await.expect(200).text();
    assert!(asked.contains("It does not act any more"), "{asked}");
    session.get("/automation/triggers/prod").await.expect(200);
    session.post("/automation/triggers/prod/delete", &[]).await.expect(303);
    session.get("/automation/triggers/prod").await.expect(404);
    server.finish().await;
}

#[tokio::test]
async fn who_acted_is_looked_at_unless_erased() {
    let server = world().await;
    let tried = async |filter: &str| {
        let rule = json!({ "class": "rule", "name": "who", "body": { "filter": filter } });
        let body = json!({ "event_types": ["certificate.uploaded"], "rules": ["who"],
            "ignore": true });
        let trigger = json!({ "class": "trigger", "name": "who", "body": body });
        let asked = json!({ "changes": [rule, trigger] });
        let path = "/api/v1/automation/triggers/who/back-test";
        let found = server.post(path).json(&asked).send().await.expect(200).json();
        found["verdicts"]["who"]["ignored"].as_u64().unwrap_or(0)
    };
    assert_eq!(tried("actor:admin").await, 2);
    assert_eq!(tried("-actor:admin").await, 0);
    assert_eq!(tried("actor:admin detail.format:pem").await, 2);
    let found = occurrences(&server).await;
    let path = format!("/api/v1/events/{}/erase", found[0]["event"]["id"].as_str().unwrap());
    server.post(&path).json(&json!({ "ground": "request" })).send().await.expect(204);
    assert_eq!((tried("actor:admin").await, tried("-actor:admin").await), (1, 1));
    server.finish().await;
}
