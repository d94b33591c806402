//! Cookies, forged requests, headers, limits, idempotency.

use axum::http::Method;
use chancery_engine::Role;
use chancery_engine::access::REFUSALS_RECORDED_MAX;
use chancery_testkit::{Call, TestServer};
use serde_json::{Value, json};

use super::browser::Browser;

/// A write by cookie: a token wish.
fn write(server: &TestServer) -> Call {
    let (cookie, _) = server.session();
    server
        .call(Method::POST, "/api/v1/tokens")
        .header("cookie", &cookie)
        .json(&json!({ "name": "by cookie", "days": 1 }))
}

#[tokio::test]
async fn a_write_by_cookie_needs_the_token_of_the_session() {
    let server = TestServer::start().await;
    let (cookie, csrf) = server.session();
    server.call(Method::GET, "/api/v1/tokens").header("cookie", &cookie).send().await.expect(200);
    assert_eq!(write(&server).send().await.expect(403).reason(), "forged");
    let wrong = write(&server).header("x-csrf-token", "wrong").send().await;
    assert_eq!(wrong.expect(403).reason(), "forged");
    write(&server).header("x-csrf-token", &csrf).send().await.expect(201);
    let cross = write(&server)
        .header("x-csrf-token", &csrf)
        .header("sec-fetch-site", "cross-site")
        .send()
        .await;
    assert_eq!(cross.expect(403).reason(), "forged");
    let other = write(&server)
        .header("x-csrf-token", &csrf)
        .header("origin", "https://evil.example")
        .send()
        .await;
    assert_eq!(other.expect(403).reason(), "forged");
    server.finish().await;
}

#[tokio::test]
async fn a_form_carries_the_token_in_a_field() {
    let server = TestServer::start().await;
    server.settle().await;
    let (cookie, csrf) = server.session();
    let send = |form: String| {
        server.call(Method::POST, "/api/v1/log/verify").header("cookie", &cookie).form(&form)
    };
    assert_eq!(send("a=b".to_owned()).send().await.expect(403).reason(), "forged");
    send(format!("a=b&csrf={csrf}")).send().await.expect(200);
    let multipart = |token: &str| {
        let body = format!(
            "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{token}\r\n--x--\r\n"
        );
        server
            .call(Method::POST, "/api/v1/log/verify")
            .header("cookie", &cookie)
            .body("multipart/form-data; boundary=x", body)
    };
    multipart("wrong").send().await.expect(403);
    multipart(&csrf).send().await.expect(200);
    server.finish().await;
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let server = TestServer::start_with(|_, options| {
        options.public_url = "https://chancery.example".to_owned();
    })
    .await;
    for path in ["/api/v1/tokens", "/health/live", "/nothing", "/api/v1/nothing"] {
        let answer = server.call(Method::GET, path).send().await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
        assert!(answer.header("strict-transport-security").starts_with("max-age="), "{path}");
    }
    let page = server.call(Method::GET, "/nothing").send().await.expect(404);
    assert!(page.header("content-type").starts_with("text/html"), "{}", page.text());
    let document = server.call(Method::GET, "/api/v1/nothing").send().await.expect(404);
    assert_eq!(document.reason(), "not_found");
    let method = server.call(Method::DELETE, "/api/v1/tokens").send().await.expect(405);
    assert_eq!(method.reason(), "method_not_allowed");
    server.finish().await;
}

#[tokio::test]
async fn bodies_are_limited() {
    let server = TestServer::start_with(|_, options| options.max_upload_bytes = 4_000).await;
    let big = vec![b'x'; 5_000];
    let long = server.post("/api/v1/certificates").header("content-length", "5000");
    let answer = long.body("text/plain", big.clone()).send().await.expect(413);
    assert_eq!(answer.reason(), "too_large");
    assert_eq!(answer.json()["detail"], "at most 4000 bytes");
    let mut browser = Browser::sign_in_as(&server, Role::Operator).await;
    browser.upload("/certificates/upload", &[], &big).await.expect(413);
    let stranger = server.call(Method::POST, "/api/v1/certificates").body("text/plain", big);
    stranger.send().await.expect(401);
    server.settle().await;
    // Each attempt of one who may upload is on record.
    let failed = "/api/v1/events?filter=type:certificate.upload%20reason:too_large";
    let failed = server.get(failed).send().await.expect(200).json();
    let sizes = failed["items"].as_array().unwrap().iter();
    let sizes: Vec<_> = sizes.map(|item| &item["event"]["data"]["detail"]["size_bytes"]).collect();
    assert_eq!(sizes.len(), 2, "{failed}");
    assert_eq!(sizes[1], 5_000, "{failed}");
    let long = json!({ "name": "x".repeat(2 << 20), "days": 1 });
    server.post("/api/v1/tokens").json(&long).send().await.expect(413);
    let list = server.post("/api/v1/tokens").json(&json!(["a token", 1])).send().await.expect(400);
    assert!(list.json()["detail"].as_str().unwrap().contains("not a list"));
    server.finish().await;
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_and_no_second_effect() {
    let server = TestServer::start().await;
    let verify = |key: &str, body: &str| {
        server.post("/api/v1/log/verify").header("idempotency-key", key).body("text/plain", body)
    };
    server.settle().await;
    let first = verify("one", "").send().await.expect(200);
    assert_eq!(first.header("idempotency-replayed"), "");
    server.settle().await;
    let size = server.engine().figures().await.unwrap().log_size;
    let again = verify("one", "").send().await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.bytes, first.bytes);
    server.settle().await;
    assert_eq!(server.engine().figures().await.unwrap().log_size, size);
    assert_eq!(verify("one", "other").send().await.expect(422).reason(), "key_reused");
    let other = verify("two", "").send().await.expect(200);
    assert_eq!(other.header("idempotency-replayed"), "");
    assert_eq!(verify("", "").send().await.expect(400).reason(), "malformed");
    server.finish().await;
}

#[tokio::test]
async fn a_key_is_honoured_on_every_write() {
    let server = TestServer::start().await;
    let wish = json!({ "name": "web" });
    let made = server.post("/api/v1/groups").json(&wish).send().await.expect(201).json();
    let path = format!("/api/v1/groups/{}", made["id"].as_str().unwrap());
    let rename = |name: &str, version: &str| {
        let call = server.patch(&path).header("idempotency-key", "rename");
        call.header("if-match", version).json(&json!({ "name": name }))
    };
    let first = rename("www", "\"1\"").send().await.expect(200);
    let again = rename("www", "\"1\"").send().await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.bytes, first.bytes);
    // Another version, or another body, is another request.
    assert_eq!(rename("www", "\"2\"").send().await.expect(422).reason(), "key_reused");
    assert_eq!(rename("mail", "\"1\"").send().await.expect(422).reason(), "key_reused");
    let delete = || server.delete(&path).header("idempotency-key", "delete").send();
    assert_eq!(delete().await.expect(204).header("idempotency-replayed"), "");
    assert_eq!(delete().await.expect(204).header("idempotency-replayed"), "true");
    server.delete(&path).send().await.expect(404);
    server.finish().await;
}

#[tokio::test]
async fn a_secret_is_told_once() {
    let server = TestServer::start().await;
    let make = || {
        let wish = json!({ "name": "once", "days": 1 });
        server.post("/api/v1/tokens").header("idempotency-key", "k").json(&wish)
    };
    let made = make().send().await.expect(201);
    assert!(made.json()["token"].as_str().unwrap().starts_with("chy_"));
    let again = make().send().await.expect(409);
    assert_eq!(again.reason(), "answer_not_repeatable");
    server.finish().await;
}

#[tokio::test]
async fn too_many_requests_are_refused_for_a_while() {
    let (server, _clock) =
        TestServer::start_standing(14, |settings, _| settings.requests_per_second = 1).await;
    let mut refused = None;
    for _ in 0..80 {
        let answer = server.call(Method::GET, "/health/live").send().await;
        if answer.status.as_u16() == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a refusal");
    assert_eq!(refused.reason(), "rate_limited");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    // Others are not affected: the administrator's own requests count for themselves.
    server.get("/api/v1/tokens").send().await.expect(200);
    let told = events(&server, "type:client.rate_limited").await;
    assert_eq!(told.len(), 1, "once a window");
    assert_eq!(told[0]["data"]["detail"]["limited"], "request");
    server.finish().await;
}

/// The events that a search finds, oldest first.
async fn events(server: &TestServer, filter: &str) -> Vec<Value> {
    server.settle().await;
    let address = format!("/api/v1/events?order=oldest&limit=100&filter={filter}");
    let page = server.get(&address).send().await.expect(200).json();
    page["items"].as_array().unwrap().iter().map(|item| item["event"].clone()).collect()
}

#[tokio::test]
async fn what_the_door_refuses_is_told() {
    let server = TestServer::start().await;
    let viewer = server.token(Role::Viewer).await;
    let id = "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4";
    let path = format!("/api/v1/certificates/{id}");
    server.call(Method::DELETE, &path).bearer(&viewer).send().await.expect(403);
    server.call(Method::DELETE, &path).bearer("chy_nonsense").send().await.expect(401);
    server.call(Method::DELETE, &path).send().await.expect(401);
    write(&server).send().await.expect(403);
    // Looking without credentials is what every browser does before the login.
    server.call(Method::GET, "/events").send().await.expect(303);
    server.call(Method::GET, "/api/v1/certificates").send().await.expect(401);
    let told = events(&server, "type:access.denied").await;
    let line = |event: &Value| {
        let data = &event["data"];
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        format!(
            "{} {} {} {} {}",
            word(&data["actor"]["kind"]),
            word(&data["outcome"]["reason"]),
            word(&data["detail"]["method"]),
            word(&data["detail"]["route"]),
            word(&data["detail"]["permission"]),
        )
    };
    let told: Vec<_> = told.iter().map(line).collect();
    let place = "DELETE /api/v1/certificates/{id} certificate:delete";
    assert_eq!(
        told,
        [
            format!("account forbidden {place}"),
            format!("anonymous unauthenticated {place}"),
            format!("anonymous unauthenticated {place}"),
            "account forged POST /api/v1/tokens own:write".to_owned(),
        ]
    );
    server.finish().await;
}

#[tokio::test]
async fn being_refused_does_not_fill_the_log() {
    let (server, _clock) = TestServer::start_standing(15, |_, _| {}).await;
    let viewer = server.token(Role::Viewer).await;
    for _ in 0..40 {
        let call = server.call(Method::POST, "/api/v1/groups").bearer(&viewer);
        call.json(&json!({ "name": "x" })).send().await.expect(403);
    }
    let told = events(&server, "type:access.denied").await;
    assert_eq!(told.len(), REFUSALS_RECORDED_MAX as usize);
    assert!(told.iter().all(|event| event["data"]["detail"]["refused"] == 1));
    server.finish().await;
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused() {
    let server = TestServer::start().await;
    let viewer = server.token(Role::Viewer).await;
    let twice = server.get("/api/v1/tokens").header("authorization", &format!("Bearer {viewer}"));
    let refused = twice.send().await.expect(400);
    assert!(refused.text().contains("authorization"), "{}", refused.text());
    let twice = server.post("/api/v1/tokens").header("idempotency-key", "a");
    let twice = twice.header("idempotency-key", "b").json(&json!({ "name": "x", "days": 1 }));
    assert!(twice.send().await.expect(400).text().contains("idempotency-key"));
    let latin = server.get("/api/v1/events?filter=%FF").send().await.expect(400);
    assert!(latin.text().contains("UTF-8"), "{}", latin.text());
    let wrong = server.post("/api/v1/tokens").json(&json!({ "name": 5, "days": 1 }));
    let wrong = wrong.send().await.expect(422).json();
    assert_eq!(wrong["field"], "name");
    assert!(wrong["detail"].as_str().unwrap().starts_with("name: invalid type"), "{wrong}");
    server.finish().await;
}
