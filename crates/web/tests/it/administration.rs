//! Accounts, tokens, groups, RA profiles, attributes, views, jobs, one's own account.

use axum::http::Method;
use chancery_engine::Role;
use chancery_testkit::{ADMIN_PASSWORD, Authority, TestServer};
use serde_json::{Value, json};

use crate::browser::Browser;

#[tokio::test]
async fn accounts_are_made_changed_and_deleted() {
    let server = TestServer::start().await;
    let wish = json!({ "name": "alice", "role": "operator" });
    let made = server.post("/api/v1/accounts").json(&wish).send().await.expect(201);
    let location = made.header("location").to_owned();
    assert!(made.json()["one_time_password"].as_str().unwrap().len() >= 12);
    assert_eq!(made.json()["name"], "alice");
    server.post("/api/v1/accounts").json(&wish).send().await.expect(409);
    let wrong = json!({ "name": "bob", "role": "king" });
    let wrong = server.post("/api/v1/accounts").json(&wrong).send().await.expect(422);
    assert_eq!(wrong.json()["field"], "role");
    // A word that is no role is an attempt like any other.
    let king = json!({ "name": "x", "role": "king", "days": 7 });
    server.post("/api/v1/tokens").json(&king).send().await.expect(422);
    server.patch(&location).json(&json!({ "role": "king" })).send().await.expect(422);
    server.settle().await;
    for kind in ["account.create", "account.update", "token.create"] {
        let path = format!("/api/v1/events?filter=type:{kind}%20outcome:failure%20reason:invalid");
        let found = server.get(&path).send().await.expect(200).json();
        assert_eq!(found["items"].as_array().unwrap().len(), 1, "{kind}: {found:#}");
    }
    let patch = json!({ "role": "auditor", "email": "alice@example.org" });
    let changed = server.patch(&location).json(&patch).send().await.expect(200).json();
    assert_eq!((&changed["role"], &changed["email"]), (&json!("auditor"), &patch["email"]));
    let version = made.json()["version"].clone();
    let stale = json!({ "disabled": true, "version": version });
    let stale = server.patch(&location).json(&stale).send().await.expect(409);
    assert_eq!(stale.reason(), "changed_meanwhile");
    let reset = server.post(&format!("{location}/password")).send().await.expect(200);
    assert!(reset.json()["one_time_password"].is_string());
    server.post(&format!("{location}/unlock")).send().await.expect(409);
    server.delete(&location).send().await.expect(204);
    server.delete(&location).send().await.expect(404);
    let all = server.get("/api/v1/accounts").send().await.expect(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    server.finish().await;
}

#[tokio::test]
async fn a_word_that_is_no_role_is_an_attempt_through_the_pages_as_well() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let accounts = server.get("/api/v1/accounts").send().await.expect(200).json();
    let id = accounts["items"][0]["id"].as_str().unwrap();
    let own = format!("/administration/accounts/{id}");
    for path in ["/administration/accounts", &own, "/account/tokens"] {
        let page = browser.get(&own).await.expect(200).text();
        let version = page.split("name=\"version\" value=\"").nth(1).unwrap();
        let version = version.split('"').next().unwrap();
        let fields = [
            ("name", "x"),
            ("role", "king"),
            ("days", "7"),
            ("display_name", "x"),
            ("version", version),
        ];
        let answer = browser.post(path, &fields).await;
        assert!(answer.text().contains("of administrator, operator"), "{path}");
    }
    server.settle().await;
    for kind in ["account.create", "account.update", "token.create"] {
        let path = format!("/api/v1/events?filter=type:{kind}%20outcome:failure%20reason:invalid");
        let found = server.get(&path).send().await.expect(200).json();
        assert_eq!(found["items"].as_array().unwrap().len(), 1, "{kind}: {found:#}");
        assert!(!found.to_string().contains("king"), "what was typed is not sealed: {found:#}");
    }
    server.finish().await;
}

#[tokio::test]
async fn tokens_are_listed_and_revoked() {
    let server = TestServer::start().await;
    let wish = json!({ "name": "import", "role": "viewer", "days": 7 });
    let made = server.post("/api/v1/tokens").json(&wish).send().await.expect(201).json();
    let token = made["token"].as_str().unwrap();
    let me = server.call(Method::GET, "/api/v1/me").bearer(token).send().await.expect(200).json();
    assert_eq!((&me["name"], &me["role"]), (&json!("admin"), &json!("viewer")));
    assert_eq!(me["authentication"], "token");
    let all = server.get("/api/v1/tokens").send().await.expect(200);
    assert!(!all.text().contains(token));
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    server.delete(&path).send().await.expect(204);
    server.call(Method::GET, "/api/v1/me").bearer(token).send().await.expect(401);
    let too_long = json!({ "name": "import", "days": 9999 });
    let too_long = server.post("/api/v1/tokens").json(&too_long).send().await.expect(422);
    assert_eq!(too_long.json()["field"], "days");
    server.finish().await;
}

#[tokio::test]
async fn groups_and_ra_profiles_and_attributes_are_kept() {
    let server = TestServer::start().await;
    for place in ["groups", "ra-profiles"] {
        let path = format!("/api/v1/{place}");
        let wish = json!({ "name": "Web", "description": "servers" });
        let made = server.post(&path).json(&wish).send().await.expect(201);
        let location = made.header("location").to_owned();
        server.post(&path).json(&json!({ "name": "web" })).send().await.expect(409);
        let changed = server.patch(&location).json(&json!({ "name": "Edge" })).send().await;
        let changed = changed.expect(200).json();
        assert_eq!(changed["name"], "Edge");
        assert_eq!(changed["description"], "servers", "what is absent stays");
        let stale = server.patch(&location).header("if-match", "\"1.abc\"");
        let stale = stale.json(&json!({ "name": "Late" })).send().await.expect(412);
        assert_eq!(stale.reason(), "changed_meanwhile");
        let all = server.get(&path).send().await.expect(200).json();
        assert_eq!(all["items"][0]["name"], "Edge");
        server.delete(&location).send().await.expect(204);
        server.patch(&location).json(&json!({ "name": "Gone" })).send().await.expect(404);
    }
    let wish = json!({ "name": "environment", "kind": "list", "choices": ["test"] });
    let made = server.post("/api/v1/attributes").json(&wish).send().await.expect(201);
    let location = made.header("location").to_owned();
    let change = json!({ "choices": ["test", "production"] });
    let changed = server.patch(&location).json(&change).send().await.expect(200).json();
    assert_eq!(changed["choices"], change["choices"]);
    assert_eq!(changed["kind"], "list");
    server.delete(&location).send().await.expect(204);
    let wrong = json!({ "name": "x", "kind": "colour" });
    server.post("/api/v1/attributes").json(&wrong).send().await.expect(422);
    server.finish().await;
}

#[tokio::test]
async fn what_every_certificate_needs_is_asked_for_when_it_enters() {
    let server = TestServer::start().await;
    let authority = Authority::new("Needs CA", server.now());
    let pem = |name: &str| authority.leaf(name, server.now(), 50).to_pem();
    let before = server.post("/api/v1/certificates").body("text/plain", pem("old.example"));
    let old = before.send().await.expect(201).header("location").to_owned();
    let wish =
        json!({ "name": "cost", "label": "Cost centre", "kind": "string", "required": true });
    let made = server.post("/api/v1/attributes").json(&wish).send().await.expect(201);
    assert_eq!(made.json()["required"], true);
    let definition = made.header("location").to_owned();
    let upload = |attributes: serde_json::Value| {
        let body = json!({ "certificate": pem("new.example"), "attributes": attributes });
        server.post("/api/v1/certificates").json(&body)
    };
    for wrong in [json!({}), json!({ "cost": null }), json!({ "cost": " " })] {
        let refused = upload(wrong).send().await.expect(422).json();
        assert_eq!(refused["field"], "attributes.cost", "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains("“Cost centre”"), "{refused}");
    }
    let import = server.post("/api/v1/certificates").body("text/plain", pem("raw.example"));
    assert_eq!(import.send().await.expect(422).json()["field"], "attributes.cost");
    let new = upload(json!({ "cost": "b2" })).send().await.expect(201);
    let new = new.header("location").to_owned();
    let clear = json!({ "attributes": { "cost": null } });
    let refused = server.patch(&new).json(&clear).send().await.expect(422).json();
    assert_eq!(refused["field"], "attributes.cost");
    // What was there before stays as it is, and can be changed otherwise.
    server.patch(&old).json(&json!({ "path": "/prod" })).send().await.expect(200);
    server.patch(&definition).json(&json!({ "required": false })).send().await.expect(200);
    server.patch(&new).json(&clear).send().await.expect(200);
    server.finish().await;
}

#[tokio::test]
async fn views_are_ones_own() {
    let server = TestServer::start().await;
    let wish = json!({ "list": "events", "name": "Failures", "query": "filter=outcome:failure" });
    let made = server.post("/api/v1/views").json(&wish).send().await.expect(201);
    assert_eq!(made.json()["own"], true);
    let all = server.get("/api/v1/views?list=events").send().await.expect(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    let none = server.get("/api/v1/views?list=jobs").send().await.expect(200).json();
    assert!(none["items"].as_array().unwrap().is_empty());
    server.delete(made.header("location")).send().await.expect(204);
    server.delete(made.header("location")).send().await.expect(404);
    server.finish().await;
}

#[tokio::test]
async fn an_asynchronous_upload_is_a_job() {
    let server = TestServer::start().await;
    let authority = Authority::new("Test CA", server.now());
    let leaf = authority.leaf("www.example.org", server.now(), 60).to_pem();
    let queued = server.post("/api/v1/certificates?mode=async").body("text/plain", leaf.clone());
    let queued = queued.send().await.expect(202);
    let location = queued.header("location").to_owned();
    assert_eq!(location, format!("/api/v1/jobs/{}", queued.json()["job"].as_str().unwrap()));
    let job = ended(&server, &location).await;
    assert_eq!(job["state"], "success", "{job}");
    let again = server.post("/api/v1/certificates").body("text/plain", leaf).send().await;
    assert_eq!(again.expect(409).reason(), "duplicate");
    let all = server.get("/api/v1/jobs?state=success").send().await.expect(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    server.post(&format!("{location}/cancel")).send().await.expect(409);
    server.post(&format!("{location}/retry")).send().await.expect(409);
    server.finish().await;
}

/// The job once it has ended: asked again whenever the log has grown, since its end is an event.
async fn ended(server: &TestServer, location: &str) -> Value {
    let mut sealed = server.engine().sealed();
    loop {
        sealed.mark_unchanged();
        let job = server.get(location).send().await.expect(200).json();
        if !matches!(job["state"].as_str(), Some("queued" | "running")) {
            return job;
        }
        let grown = tokio::time::timeout(std::time::Duration::from_secs(60), sealed.changed());
        grown.await.expect("the job goes on").expect("a running sealer");
    }
}

#[tokio::test]
async fn ones_own_password_is_changed_with_the_present_one() {
    let server = TestServer::start().await;
    let new = "another horse and battery";
    let change = |present: &str| {
        let body = json!({ "present_password": present, "password": new });
        server.post("/api/v1/me/password").json(&body)
    };
    let wrong = change("wrong wrong wrong").send().await.expect(422);
    assert_eq!(wrong.json()["field"], "present_password");
    change(ADMIN_PASSWORD).send().await.expect(204);
    change(ADMIN_PASSWORD).send().await.expect(422);
    server.finish().await;
}

#[tokio::test]
async fn a_password_that_must_be_changed_comes_first() {
    let server = TestServer::start().await;
    let wish = json!({ "name": "alice", "role": "viewer" });
    let made = server.post("/api/v1/accounts").json(&wish).send().await.expect(201).json();
    let password = made["one_time_password"].as_str().unwrap().to_owned();
    let session = server
        .engine()
        .log_in(chancery_engine::Client::default(), "alice", password.clone().into())
        .await
        .unwrap();
    let cookie = format!("chancery={}", session.cookie.expose());
    let get = |path: &str| server.call(Method::GET, path).header("cookie", &cookie);
    let refused = get("/api/v1/certificates").send().await.expect(403);
    assert_eq!(refused.reason(), "password_change_required");
    let me = get("/api/v1/me").send().await.expect(200).json();
    assert_eq!((&me["must_change"], &me["role"]), (&json!(true), &json!(Role::Viewer.as_str())));
    server.finish().await;
}
