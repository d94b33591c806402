//! Rules of retention and legal holds through the API and the page.

use axum::http::Method;
use chancery_engine::Role;
use chancery_testkit::TestServer;
use serde_json::json;

const RULES: &str = "/api/v1/retention/rules";
const HOLDS: &str = "/api/v1/retention/holds";

#[tokio::test]
async fn rules_are_made_tried_changed_and_deleted() {
    let server = TestServer::start().await;
    let wish = json!({ "name": "sessions", "filter": "type:session.*", "after_days": 400 });
    let preview = json!({ "filter": "type:session.*", "after_days": 400 });
    let tried = server.post("/api/v1/retention/preview").json(&preview).send().await.expect(200);
    let tried = tried.json();
    assert_eq!((&tried["events"], &tried["held"]), (&json!(0), &json!(0)), "{tried}");
    assert_eq!(tried["limits"][0]["who"], "the archive", "{tried}");
    let never = json!({ "filter": "type:session.*", "after_days": 0 });
    server.post("/api/v1/retention/preview").json(&never).send().await.expect(422);
    let made = server.post(RULES).json(&wish).send().await.expect(201);
    assert_eq!(made.header("location"), "/api/v1/retention/rules/sessions");
    assert_eq!(
        made.json()["sentence"],
        "events that match type:session.*, 400 days after they happened"
    );
    server.post(RULES).json(&wish).send().await.expect(409);
    for (member, value, status) in [
        ("filter", json!("tpye:x"), 400),
        ("basis", json!("moon"), 422),
        ("after_days", json!(0), 422),
    ] {
        let mut wrong = wish.clone();
        wrong["name"] = json!("other");
        wrong[member] = value;
        server.post(RULES).json(&wrong).send().await.expect(status);
    }
    let change = json!({ "after_days": 30, "basis": "expiry", "version": 1 });
    let path = format!("{RULES}/sessions");
    let put = || server.call(Method::PUT, &path).bearer(server.admin()).json(&change);
    let changed = put().send().await.expect(200);
    assert_eq!(
        (&changed.json()["version"], &changed.json()["basis"]),
        (&json!(2), &json!("expiry"))
    );
    put().send().await.expect(409);
    let run = server.post("/api/v1/retention/runs").send().await.expect(202).json();
    assert!(run["job"].is_string(), "{run}");
    server.delete(&path).send().await.expect(204);
    server.delete(&path).send().await.expect(404);
    server.finish().await;
}

#[tokio::test]
async fn holds_are_placed_and_ended_and_viewers_see_neither() {
    let server = TestServer::start().await;
    let wish = json!({ "name": "case-7", "filter": "family:certificate", "reason": "a court" });
    let placed = server.post(HOLDS).json(&wish).send().await.expect(201).json();
    assert!(placed["placed_by"].as_str().unwrap().starts_with("account/"), "{placed}");
    assert!(placed["released_at"].is_null());
    server.post(HOLDS).json(&wish).send().await.expect(409);
    assert!(placed["events"].is_u64(), "{placed}");
    let nothing = json!({ "name": "case-8", "reason": "a court" });
    server.post(HOLDS).json(&nothing).send().await.expect(422);
    let unknown = "0193a1c2-7f00-7abc-8def-0123456789ab";
    let unknown = json!({ "name": "case-8", "certificate": unknown, "reason": "a court" });
    let refused = server.post(HOLDS).json(&unknown).send().await.expect(422).json();
    assert_eq!(refused["field"], "certificate", "{refused}");
    // What a filter names may still come.
    let later = json!({ "name": "case-9", "filter": "type:retention.run", "reason": "a court" });
    let placed = server.post(HOLDS).json(&later).send().await.expect(201).json();
    assert_eq!(placed["events"], 0, "{placed}");
    server.post(&format!("{HOLDS}/case-9/release")).send().await.expect(204);
    let release = format!("{HOLDS}/case-7/release");
    server.post(&release).send().await.expect(204);
    server.post(&release).send().await.expect(404);
    let all = server.get(HOLDS).send().await.expect(200).json();
    assert!(all["items"][0]["released_at"].is_string(), "{all}");
    assert!(all["items"][0].get("events").is_none(), "{all}");

    let viewer = server.token(Role::Viewer).await;
    for path in [RULES, HOLDS, "/api/v1/retention/runs"] {
        server.call(Method::GET, path).bearer(&viewer).send().await.expect(403);
    }
    server.finish().await;
}

#[tokio::test]
async fn the_page_shows_what_a_rule_would_do_before_it_is_saved() {
    let server = TestServer::start().await;
    let (cookie, csrf) = server.session();
    let path = "/administration/retention";
    let page = async || {
        server.call(Method::GET, path).header("cookie", &cookie).send().await.expect(200).text()
    };
    let empty = page().await;
    assert!(empty.contains("No rules") && empty.contains("Nothing is held"), "{empty}");
    let post = async |to: &str, form: &str, status: u16| {
        let form = format!("csrf={csrf}&{form}");
        let call = server.call(Method::POST, to).header("cookie", &cookie).form(&form);
        call.send().await.expect(status).text()
    };
    let rule = "name=old&filter=&basis=event&after_days=400";
    let rules = "/administration/retention/rules";
    let preview = post(rules, &format!("{rule}&do=preview"), 200).await;
    assert!(preview.contains("Would remove 0 events"), "{preview}");
    post(rules, rule, 303).await;
    let refused = post(rules, "name=Old!&filter=&basis=event&after_days=400", 422).await;
    assert!(refused.contains("lower-case letters"), "{refused}");
    let holds = "/administration/retention/holds";
    let unknown = "certificate=0193a1c2-7f00-7abc-8def-0123456789ab";
    let refused = post(holds, &format!("name=case-7&{unknown}&reason=a+court"), 422).await;
    assert!(refused.contains("no such certificate"), "{refused}");
    post(holds, "name=case-7&filter=family%3Acertificate&certificate=&reason=a+court", 303).await;
    let full = page().await;
    assert!(full.contains("every event, 400 days after they happened"), "{full}");
    assert!(full.contains("case-7") && full.contains("a court"), "{full}");
    post("/administration/retention/rules/old", "do=disable", 303).await;
    post("/administration/retention/holds/case-7", "", 303).await;
    post("/administration/retention/rules/old", "do=delete", 303).await;
    assert!(page().await.contains("No rules"));
    server.finish().await;
}
