//! Automation over HTTP: one trigger from its first word to what it did, and the pages of it.

use std::time::Duration;

use axum::http::Method;
use chancery_engine::Role;
use chancery_testkit::{Authority, TestServer};
use serde_json::{Value, json};

use super::browser::Browser;

const BASE: &str = "/api/v1/automation";

async fn make(server: &TestServer, class: &str, name: &str, body: Value) -> Value {
    let new = json!({ "name": name, "body": body });
    server.post(&format!("{BASE}/{class}")).json(&new).send().await.expect(201).json()
}

pub(super) async fn weak(server: &TestServer) {
    make(server, "rules", "prod", json!({ "filter": "object.cn:*.prod.example" })).await;
    let steps = json!([
        { "step": "set_path", "path": "/prod" },
        { "step": "raise_alert", "kind": "prod", "title": "{object.cn} came in" },
    ]);
    make(server, "actions", "place", json!({ "steps": steps })).await;
    let body = json!({ "event_types": ["certificate.uploaded"], "rules": ["prod"],
        "actions": ["place"] });
    make(server, "triggers", "prod", body).await;
}

pub(super) async fn upload(server: &TestServer, name: &str) -> Value {
    let now = server.now();
    let pem = Authority::new("Automation CA", now).leaf(name, now, 50).to_pem();
    let sent = server.post("/api/v1/certificates").body("application/x-pem-file", pem);
    sent.send().await.expect(201).json()
}

#[tokio::test]
async fn a_trigger_goes_from_its_first_word_to_what_it_did() {
    let server = TestServer::start().await;
    let fields = server.get(&format!("{BASE}/fields?types=certificate.uploaded")).send().await;
    assert!(fields.expect(200).text().contains("object.key_size"));
    assert!(server.get(&format!("{BASE}/steps")).send().await.text().contains("set_owner"));
    weak(&server).await;
    let refused = json!({ "name": "wrong", "body": { "filter": "object.colour:red" } });
    let refused = server.post(&format!("{BASE}/rules")).json(&refused).send().await.expect(422);
    assert_eq!(refused.json()["field"], "/filter");

    let taken = upload(&server, "www.prod.example").await;
    upload(&server, "www.test.example").await;
    assert!(server.engine().reacted(Duration::from_secs(60)).await);
    let id = taken["id"].as_str().unwrap();
    let certificate = server.get(&format!("/api/v1/certificates/{id}")).send().await.json();
    assert_eq!(certificate["path"], "/prod");
    let all = server.get("/api/v1/evaluations").send().await.expect(200).json();
    let verdicts: Vec<_> = all["items"].as_array().unwrap().iter().map(|e| &e["verdict"]).collect();
    assert_eq!(verdicts, ["nearly", "matched"]);
    let near = &all["items"][0]["explanation"][0]["reason"];
    assert_eq!(near["actual"], json!(["www.test.example"]), "{near}");
    let event = all["items"][1]["event"].as_str().unwrap();
    let reactions = server.get(&format!("/api/v1/events/{event}/reactions")).send().await.json();
    assert_eq!(reactions["items"][0]["steps"][0]["result"], "done");
    let facets = server.get("/api/v1/evaluations/facets").send().await.expect(200).json();
    assert_eq!(facets["groups"][0]["field"], "verdict");

    let asked = json!({ "event": event });
    let dry = server.post(&format!("{BASE}/triggers/prod/dry-run")).json(&asked).send().await;
    assert_eq!(dry.expect(200).json()["items"][0]["verdict"], "matched");
    let tried = server.post(&format!("{BASE}/triggers/prod/back-test")).json(&json!({}));
    let tried = tried.send().await.expect(200).json();
    assert_eq!(tried["verdicts"]["prod"], json!({ "matched": 1, "nearly": 1 }));
    let asked = json!({ "filter": "object.cn:*.test.example", "types": "certificate.uploaded" });
    let preview = server.post(&format!("{BASE}/preview")).json(&asked).send().await.expect(200);
    assert_eq!(preview.json()["concerned"], 2);

    let rule = format!("{BASE}/rules/prod");
    let read = server.get(&rule).send().await.expect(200);
    let tag = read.header("etag").to_owned();
    let change = json!({ "body": { "filter": "object.cn:*.test.example" } });
    let changed = server
        .call(Method::PUT, &rule)
        .bearer(server.admin())
        .header("if-match", &tag)
        .json(&change)
        .send()
        .await
        .expect(200);
    assert_eq!(changed.json()["version"], 2);
    server
        .call(Method::PUT, &rule)
        .bearer(server.admin())
        .header("if-match", &tag)
        .json(&change)
        .send()
        .await
        .expect(412);
    let versions = server.get(&format!("{rule}/versions")).send().await.expect(200).json();
    assert_eq!(versions["items"].as_array().unwrap().len(), 2);
    server.delete(&rule).send().await.expect(409);
    server.get(&format!("{BASE}/nothing")).send().await.expect(404);
    server.finish().await;
}

#[tokio::test]
async fn a_file_is_written_planned_compared_and_applied() {
    let server = TestServer::start().await;
    weak(&server).await;
    upload(&server, "www.prod.example").await;
    assert!(server.engine().reacted(Duration::from_secs(60)).await);
    let toml = server.get(&format!("{BASE}/export")).send().await.expect(200).text();
    let same = json!({ "toml": toml });
    let plan = server.post(&format!("{BASE}/plan")).json(&same).send().await.expect(200).json();
    assert_eq!(plan["changes"], json!([]), "{toml}");
    let other = json!({ "toml": toml.replace("*.prod.example", "*.test.example") });
    let plan = server.post(&format!("{BASE}/plan")).json(&other).send().await.expect(200).json();
    assert_eq!(plan["changes"][0]["members"], json!(["filter"]));
    let diff = server.post(&format!("{BASE}/diff")).json(&other).send().await.expect(200).json();
    assert_eq!((&diff["differing"], &diff["concerned"]), (&json!(1), &json!(1)));
    let applied = server
        .call(Method::PUT, &format!("{BASE}/apply"))
        .bearer(server.admin())
        .json(&other)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(applied["revision"], plan["revision"].as_i64().unwrap() + 1);
    let broken = json!({ "toml": "[trigger.x]\nevent_types = [\"certificate.update\"]\nactions = [\"no\"]\n" });
    let broken = server.post(&format!("{BASE}/plan")).json(&broken).send().await.expect(422);
    assert_eq!(broken.json()["field"], "trigger/x#/actions/0");
    let empty = json!({ "toml": "", "prune": true });
    let gone = server
        .call(Method::PUT, &format!("{BASE}/apply"))
        .bearer(server.admin())
        .json(&empty)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(gone["changes"].as_array().unwrap().len(), 3);
    server.finish().await;
}

#[tokio::test]
async fn pages_make_try_and_explain_automation_without_scripts() {
    let server = TestServer::start().await;
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = session.get("/automation").await.expect(200).text();
    assert!(page.contains("No triggers yet"), "{page}");
    let form = session.get("/automation/rules/new").await.expect(200).text();
    assert!(
        form.contains("detail.format") && form.contains("object.key_size"),
        "fields are taught"
    );
    let mut rule = vec![
        ("name", "prod"),
        ("title", "Production"),
        ("filter", "object.cn:*.prod.example"),
        ("enabled", "1"),
    ];
    let saved = rule.clone();
    rule.extend([("do", "preview"), ("preview_type", "certificate.uploaded")]);
    let preview = session.post("/automation/rules/new", &rule).await.expect(200).text();
    assert!(preview.contains("events, of them 0"), "{preview}");
    let wrong = session
        .post("/automation/rules/new", &[("name", "x"), ("filter", "object.colour:red")])
        .await;
    let wrong = wrong.expect(422).text();
    assert!(wrong.contains("filter-error") && wrong.contains("object.colour"), "{wrong}");
    session.post("/automation/rules/new", &saved).await.expect(303);
    let steps = session
        .post("/automation/actions/new", &[("name", "place"), ("do", "step:set_path")])
        .await;
    assert!(steps.expect(200).text().contains("step = &quot;set_path&quot;"));
    let action = &[
        ("name", "place"),
        ("enabled", "1"),
        ("steps", "[[steps]]\nstep=\"set_path\"\npath=\"/prod\""),
    ];
    session.post("/automation/actions/new", action).await.expect(303);
    let picker = session.get("/automation/triggers/new").await.expect(200).text();
    assert!(picker.contains("type-certificate.uploaded") && picker.contains("rule-prod"));
    let trigger = &[
        ("name", "prod"),
        ("event_types", "certificate.uploaded"),
        ("rules", "prod"),
        ("action0", "place"),
        ("scope", "platform"),
        ("order", "0"),
        ("enabled", "1"),
    ];
    session.post("/automation/triggers/new", trigger).await.expect(303);
    upload(&server, "www.prod.example").await;
    upload(&server, "www.test.example").await;
    assert!(server.engine().reacted(Duration::from_secs(60)).await);

    told(&server, &mut session).await;
    session.post("/automation/triggers/prod/delete", &[]).await.expect(303);
    server.finish().await;
}

/// What the pages tell of a trigger that matched once and nearly matched once.
async fn told(server: &TestServer, session: &mut Browser<'_>) {
    let one = session.get("/automation/triggers/prod").await.expect(200).text();
    assert!(one.contains("When it nearly matched") && one.contains("www.test.example"), "{one}");
    let tried =
        session.post("/automation/triggers/prod/back-test", &[("days", "30")]).await.expect(200);
    assert!(tried.text().contains("What came of trying"));
    let edit = session.get("/automation/triggers/prod/edit").await.expect(200).text();
    assert!(edit.contains("value=\"certificate.uploaded\" checked"), "{edit}");
    let history = session.get("/automation/history?q=verdict%3Anearly").await.expect(200).text();
    assert!(history.contains("there was www.test.example"), "{history}");
    let all = server.get("/api/v1/evaluations").send().await.json();
    let matched = &all["items"][1];
    let record = format!("/automation/history/{}", matched["id"].as_str().unwrap());
    assert!(session.get(&record).await.expect(200).text().contains("sets the folder"));
    let event = format!("/events/{}", matched["event"].as_str().unwrap());
    let event = session.get(&event).await.expect(200).text();
    assert!(event.contains("What reacted, what did not and why") && event.contains("Matched"));
    let refused = session.post("/automation/rules/prod/delete", &[]).await.expect(422).text();
    assert!(refused.contains("refers to it"), "{refused}");
}

#[tokio::test]
async fn the_days_to_come_are_told_with_whom_they_reach() {
    let (server, _clock) =
        TestServer::start_standing(16, |settings, _| settings.monitors = true).await;
    let base = "/api/v1/automation";
    let make = async |path: &str, body: Value| {
        server.post(&format!("{base}/{path}")).json(&body).send().await.expect(201);
    };
    make(
        "actions",
        json!({ "name": "tell", "body": { "steps": [
            { "step": "notify", "to": "role:operator", "title": "{object.cn} ends" } ] } }),
    )
    .await;
    make(
        "triggers",
        json!({ "name": "tell", "body": {
            "event_types": ["certificate.expiring"], "actions": ["tell"] } }),
    )
    .await;
    let authority = chancery_testkit::Authority::new("Test CA", server.now());
    let leaf = authority.leaf("www.example.org", server.now(), 20).to_pem();
    server.post("/api/v1/certificates").body("text/plain", leaf).send().await.expect(201);
    server.settle().await;
    // What is watched is enrolled from the log; a run makes sure of it.
    server.post("/api/v1/monitors/certificate-expiry/run").send().await.expect(200);
    let look = server.post(&format!("{base}/fast-forward")).json(&json!({ "days": 30 }));
    let ahead = look.send().await.expect(200).json();
    // 14d/20%, 7d/10% and 1d/2% of what is left are told; the end is another type.
    assert_eq!(ahead["by_type"]["certificate.expired"], 1, "{ahead}");
    let expiring = ahead["by_type"]["certificate.expiring"].as_u64().unwrap();
    assert_eq!(ahead["reach"]["role:operator"], expiring, "{ahead}");
    // The trigger of a new installation tells the administrator, for nobody owns it.
    assert_eq!(ahead["reach"]["account:admin"], ahead["events"], "{ahead}");
    assert_eq!(ahead["channels"], json!({ "bell": ahead["events"] }));
    assert_eq!(ahead["unheard"], 0, "{ahead}");
    let items = ahead["items"].as_array().unwrap();
    assert!(items.iter().any(|item| item["name"] == "www.example.org"), "{ahead}");
    let yaml = server.get(&format!("{base}/export?format=yaml")).send().await.expect(422);
    assert_eq!(yaml.json()["field"], "format");
    server.get(&format!("{base}/export?format=toml")).send().await.expect(200);
    let wrong = server.post(&format!("{base}/fast-forward")).json(&json!({ "days": 0 }));
    assert_eq!(wrong.send().await.expect(422).json()["field"], "days");
    let change = json!({ "class": "trigger", "name": "tell", "body": null });
    let default = json!({ "class": "trigger", "name": "tell-of-expiry", "body": null });
    let without = json!({ "days": 30, "changes": [change, default] });
    let without = server.post(&format!("{base}/fast-forward")).json(&without);
    let without = without.send().await.expect(200).json();
    assert_eq!((&without["reach"], &without["unheard"]), (&json!({}), &ahead["events"]));
    let mut session = Browser::sign_in_as(&server, Role::Auditor).await;
    session.get("/automation/ahead").await.expect(200);
    let told = session.post("/automation/ahead", &[("days", "30")]).await.expect(200).text();
    assert!(told.contains("Everybody with the role operator") && told.contains("www.example.org"));
    server.finish().await;
}

#[tokio::test]
async fn forms_show_what_they_would_do_and_each_fault_at_a_field_they_have() {
    let server = TestServer::start().await;
    upload(&server, "www.prod.example").await;
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let preview =
        &[("do", "preview"), ("event_types", "certificate.uploaded"), ("scope", "platform")];
    let shown = session.post("/automation/triggers/new", preview).await.expect(200).text();
    assert!(shown.contains("Newest that match") && shown.contains("www.prod.example"), "{shown}");
    let unfinished =
        &[("do", "preview"), ("filter", "object.cn:("), ("preview_type", "certificate.uploaded")];
    let shown = session.post("/automation/rules/new", unfinished).await.expect(200).text();
    assert!(shown.contains("Not yet: "), "{shown}");
    let monitor = &[
        ("do", "preview"),
        ("kind", "certificate_expiry"),
        ("filter", "cn:www.prod.example"),
        ("cron", "0 6 * * *"),
        ("time_zone", "UTC"),
    ];
    let shown = session.post("/monitors/new", monitor).await.expect(200).text();
    assert!(shown.contains(">1 certificate</a>"), "{shown}");
    for class in ["rules", "actions", "triggers", "monitors", "schedules"] {
        let path = match class {
            "monitors" | "schedules" => format!("/{class}/new"),
            class => format!("/automation/{class}/new"),
        };
        let wrong = &[
            ("name", "Not A Name"),
            ("filter", "severity:info"),
            ("kind", "jobs"),
            ("steps", "[[steps]]\nstep=\"set_path\"\npath=\"/p\""),
            ("event_types", "certificate.update"),
            ("scope", "platform"),
            ("cron", "0 6 * * *"),
            ("time_zone", "UTC"),
            ("job_kind", "log.verify"),
        ];
        let refused = session.post(&path, wrong).await.expect(422).text();
        assert!(refused.contains("name-error"), "{class}: {refused}");
    }
    server.finish().await;
}
