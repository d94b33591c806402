//! Rights that end, and what must not outlive or outgrow them: tokens, streams, scopes, secrets.

use axum::http::Method;
use chancery_engine::Role;
use chancery_testkit::{Authority, Manner, Receiver, TestServer};
use futures::StreamExt as _;
use serde_json::{Value, json};

const PASSWORD: &str = "a long enough passphrase";

async fn account(server: &TestServer, name: &str, role: &str) -> String {
    let wish = json!({ "name": name, "display_name": name, "role": role, "password": PASSWORD });
    let made = server.post("/api/v1/accounts").json(&wish).send().await.expect(201).json();
    made["id"].as_str().unwrap().to_owned()
}

/// A token that `by` makes: its identifier, itself, its end.
async fn token(server: &TestServer, by: &str, wish: &Value) -> (String, String, String) {
    let made = server.call(Method::POST, "/api/v1/tokens").bearer(by).json(wish).send().await;
    let made = made.expect(201).json();
    let text = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    (text("id"), text("token"), text("expires_at"))
}

async fn of_account(server: &TestServer, account: &str, days: u32) -> (String, String, String) {
    let wish = json!({ "name": "t", "account": account, "days": days });
    token(server, server.admin(), &wish).await
}

async fn works(server: &TestServer, token: &str) -> bool {
    server.call(Method::GET, "/api/v1/me").bearer(token).send().await.status == 200
}

#[tokio::test]
async fn a_token_takes_along_what_it_made_and_a_new_password_takes_all() {
    let server = TestServer::start().await;
    let ada = account(&server, "ada", "operator").await;
    let (first, leaked, ends) = of_account(&server, &ada, 2).await;
    let long = json!({ "name": "child", "days": 300 });
    let (_, child, child_ends) = token(&server, &leaked, &long).await;
    assert_eq!(child_ends, ends, "what a token makes does not outlast it");
    let (_, grandchild, _) = token(&server, &child, &long).await;
    assert!(works(&server, &child).await && works(&server, &grandchild).await);
    server.delete(&format!("/api/v1/tokens/{first}")).send().await.expect(204);
    for gone in [&leaked, &child, &grandchild] {
        assert!(!works(&server, gone).await);
    }
    let (_, other, _) = of_account(&server, &ada, 9).await;
    let reset = format!("/api/v1/accounts/{ada}/password");
    server.post(&reset).send().await.expect(200);
    assert!(!works(&server, &other).await, "a new password is for whoever has it now");
    server.settle().await;
    let told = server.get("/api/v1/events?filter=type:token.revoke").send().await.json();
    assert_eq!(told["items"].as_array().unwrap().len(), 4, "each is on record");
    server.finish().await;
}

#[tokio::test]
async fn a_stream_and_an_export_end_with_the_rights_they_began_with() {
    let server = TestServer::start().await;
    let ada = account(&server, "ada", "auditor").await;
    let (id, token, _) = of_account(&server, &ada, 2).await;
    server.settle().await;
    let open = |path: &'static str| server.call(Method::GET, path).bearer(&token).open();
    let stream = open("/api/v1/events/stream?filter=type:token.*").await;
    let mut stream = stream.into_body().into_data_stream();
    let begin = stream.next().await.unwrap().unwrap();
    assert!(begin.starts_with(b"id: "), "{begin:?}");
    let exports = ["/api/v1/events/export", "/api/v1/events/export?format=jsonl"];
    let exports = [open(exports[0]).await, open(exports[1]).await];
    server.delete(&format!("/api/v1/tokens/{id}")).send().await.expect(204);
    server.settle().await;
    // The event that would have come next is that of the revocation.
    while let Some(part) = stream.next().await {
        let part = part.unwrap();
        assert!(!part.windows(12).any(|some| some == b"token.revoke"), "{part:?}");
    }
    for export in exports {
        let mut rows = export.into_body().into_data_stream();
        let mut broken = false;
        while let Some(part) = rows.next().await {
            broken |= part.is_err();
        }
        assert!(broken, "it ends in an error: nobody takes it for complete");
    }
    server.finish().await;
}

#[tokio::test]
async fn who_is_bound_to_folders_does_not_move_certificates_into_them() {
    let server = TestServer::start().await;
    let ada = account(&server, "ada", "operator").await;
    let (_, token, _) = of_account(&server, &ada, 2).await;
    let scope = json!({ "events": "scoped", "paths": ["/prod/web"] });
    let access = format!("/api/v1/accounts/{ada}/event-access");
    let call = server.call(Method::PUT, &access).bearer(server.admin());
    call.json(&scope).send().await.expect(204);
    let mut ids = Vec::new();
    for (name, path) in [("in.example.org", "/prod/web/a"), ("out.example.org", "/production")] {
        let now = server.now();
        let pem = Authority::new("Scope CA", now).leaf(name, now, 90).to_pem();
        let sent = server.post(&format!("/api/v1/certificates?path={path}"));
        let sent = sent.body("application/x-pem-file", pem).send().await.expect(201).json();
        ids.push(sent["id"].as_str().unwrap().to_owned());
    }
    let to = async |id: &str, path: &str| {
        let call = server.call(Method::PATCH, &format!("/api/v1/certificates/{id}"));
        call.bearer(&token).json(&json!({ "path": path })).send().await.status.as_u16()
    };
    assert_eq!(to(&ids[0], "/prod/web/b").await, 200);
    assert_eq!(to(&ids[0], "/production").await, 403, "out of the scope");
    assert_eq!(to(&ids[1], "/PROD/web").await, 403, "into the scope");
    assert_eq!(to(&ids[1], "/elsewhere").await, 403, "it is not in the scope");
    assert_eq!(to(&ids[1], "/production").await, 200, "it stays");
    server.finish().await;
}

#[tokio::test]
async fn settings_of_access_are_not_overwritten_unseen() {
    let server = TestServer::start().await;
    let ada = account(&server, "ada", "operator").await;
    let settings = [
        ("event-access", json!({ "events": "none" }), json!({ "events": "all" })),
        ("forwarder-access", json!({ "forwarders": "all" }), json!({ "forwarders": "none" })),
    ];
    for (what, first, second) in settings {
        let path = format!("/api/v1/accounts/{ada}/{what}");
        let tag = server.get(&path).send().await.expect(200).header("etag").to_owned();
        let put = |body: &Value| {
            let call = server.call(Method::PUT, &path).bearer(server.admin());
            call.header("if-match", &tag).json(body).send()
        };
        put(&first).await.expect(204);
        put(&second).await.expect(412);
        let held = server.get(&path).send().await.expect(200);
        assert_ne!(held.header("etag"), tag);
        for (member, value) in first.as_object().unwrap() {
            assert_eq!(&held.json()[member], value);
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn a_stored_secret_does_not_follow_a_forwarder_to_another_place() {
    let server = TestServer::start().await;
    let (old, new) = (Receiver::tls(false).await, Receiver::tls(false).await);
    let to = |receiver: &Receiver, more: Value| {
        let mut body = json!({ "kind": "webhook", "select": { "event_types": ["configuration.create"], "filter": "detail.class:group" },
            "settings": { "url": receiver.url(), "ca": receiver.ca } });
        for (name, value) in more.as_object().unwrap() {
            body["settings"][name] = value.clone();
        }
        body
    };
    let made = json!({ "name": "soc", "body": to(&old, json!({})),
        "secrets": { "token": "t0ken" } });
    server.post("/api/v1/forwarders").json(&made).send().await.expect(201);
    let put = async |change: Value, status: u16| {
        let call = server.call(Method::PUT, "/api/v1/forwarders/soc").bearer(server.admin());
        call.json(&change).send().await.expect(status).json()
    };
    let refused = put(json!({ "body": to(&new, json!({})) }), 422).await;
    assert_eq!(refused["field"], "secrets/token", "{refused}");
    let headers = json!({ "headers": { "x-kept": "yes" } });
    put(json!({ "body": to(&old, headers) }), 200).await;
    put(json!({ "body": to(&new, json!({})), "secrets": { "token": "another" } }), 200).await;
    server.post("/api/v1/forwarders/soc/test").send().await.expect(200);
    let received = new.wait_for(1).await.remove(0);
    assert_eq!(received.headers["authorization"], "Bearer another");
    // Without the secret there is nothing that could follow.
    put(json!({ "body": to(&old, json!({})), "secrets": { "token": "" } }), 200).await;
    server.finish().await;
}

#[tokio::test]
async fn what_only_reads_is_not_kept_for_a_repetition() {
    let server = TestServer::start().await;
    let search = || {
        server
            .post("/api/v1/events/search")
            .header("idempotency-key", "k")
            .json(&json!({ "limit": 1 }))
            .send()
    };
    search().await.expect(200);
    assert_eq!(search().await.expect(200).header("idempotency-replayed"), "");
    server.finish().await;
}

#[tokio::test]
async fn a_token_does_not_divert_the_notices_of_its_account() {
    let server = TestServer::start().await;
    let me = server.get("/api/v1/me").send().await.expect(200).json();
    let id = me["id"].as_str().or(me["account"]["id"].as_str()).unwrap_or_else(|| panic!("{me}"));
    let path = format!("/api/v1/accounts/{id}/contact");
    let elsewhere = json!({ "email": "mallory@example.net" });
    let weak = server.token(Role::Viewer).await;
    let call = server.call(Method::PUT, &path).bearer(&weak).json(&elsewhere);
    call.send().await.expect(403);
    let (cookie, csrf) = server.session();
    let call = server.call(Method::PUT, &path).header("cookie", &cookie);
    let own = json!({ "email": "ada@example.org" });
    call.header("x-csrf-token", &csrf).json(&own).send().await.expect(204);
    server.finish().await;
}

#[tokio::test]
async fn a_new_forwarder_of_an_old_name_gets_nothing_of_the_old_one() {
    let server = TestServer::start().await;
    let (old, new) = (Receiver::plain().await, Receiver::plain().await);
    old.behave(Manner::Status(503, "retry-after: 1000\r\n"));
    let to = |receiver: &Receiver| {
        let select =
            json!({ "event_types": ["configuration.create"], "filter": "detail.class:group" });
        let settings = json!({ "url": receiver.url(), "ca": receiver.ca });
        json!({ "name": "soc",
            "body": { "kind": "webhook", "select": select, "settings": settings } })
    };
    server.post("/api/v1/forwarders").json(&to(&old)).send().await.expect(201);
    server.post("/api/v1/groups").json(&json!({ "name": "web" })).send().await.expect(201);
    old.wait_for(1).await;
    server.delete("/api/v1/forwarders/soc").send().await.expect(204);
    server.post("/api/v1/forwarders").json(&to(&new)).send().await.expect(201);
    let list = server.get("/api/v1/deliveries?destination=soc").send().await.expect(200).json();
    let id = list["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{list}"));
    let resent = server.post(&format!("/api/v1/deliveries/{id}/resend")).send().await.expect(409);
    assert_eq!(resent.reason(), "destination_gone");
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    let recovered = server.post("/api/v1/forwarders/soc/recover").json(&since).send().await;
    let recovered = recovered.expect(200).json();
    assert_eq!(recovered["deliveries"], 0, "{recovered}");
    server.finish().await;
}

#[tokio::test]
async fn a_wrong_secret_of_a_source_is_on_record() {
    let server = TestServer::start().await;
    let call = server.call(Method::POST, "/intake/okta").bearer("chi_wrong").json(&json!({}));
    call.send().await.expect(401);
    server.settle().await;
    let told = server.get("/api/v1/events?filter=type:access.denied").send().await.json();
    assert!(told.to_string().contains("/intake/{source}"), "{told}");
    server.finish().await;
}

#[tokio::test]
async fn streams_of_one_account_have_an_end() {
    let server = TestServer::start().await;
    let mut open = Vec::new();
    for _ in 0..50 {
        let stream = server.get("/api/v1/events/stream").open().await;
        assert_eq!(stream.status(), 200);
        open.push(stream);
    }
    server.get("/api/v1/events/stream").send().await.expect(429);
    open.pop();
    assert_eq!(server.get("/api/v1/events/stream").open().await.status(), 200);
    server.finish().await;
}
