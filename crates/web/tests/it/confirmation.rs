//! The password asked for again before what gives power away, on pages and over the API; accounts
//! and tokens as lists; what a page is told by the change before it.

use std::sync::Arc;

use axum::http::Method;
use chancery_engine::Role;
use chancery_event::Timestamp;
use chancery_event::environment::ManualClock;
use chancery_testkit::{ADMIN_PASSWORD, TestServer};
use serde_json::json;

use crate::browser::{Browser, FIRST};

const MINUTE: i64 = 60 * Timestamp::SECOND;

async fn start() -> (TestServer, Arc<ManualClock>) {
    start_with(0).await
}

/// A server that takes so many sign-ins a minute.
async fn start_with(logins: u32) -> (TestServer, Arc<ManualClock>) {
    TestServer::start_standing(7, |settings, _| settings.logins_per_minute = logins).await
}

#[tokio::test]
async fn a_page_asks_keeps_what_was_typed_and_goes_on() {
    let (server, clock) = start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    clock.advance(11 * MINUTE);
    let wish = [("name", "a \"nightly\" feed"), ("days", "7"), ("role", "viewer")];
    let asked = browser.post("/account/tokens", &wish).await.expect(200).text();
    assert!(
        asked.contains("Is it you?") && asked.contains("action=\"/account/tokens\""),
        "{asked}"
    );
    assert!(asked.contains("value=\"a &quot;nightly&quot; feed\""), "{asked}");
    let listed = || async { server.get("/api/v1/tokens?filter=nightly").send().await.json() };
    assert_eq!(listed().await["items"], json!([]), "nothing is done before");
    let with = |password: &'static str| {
        let mut all = wish.to_vec();
        all.push(("confirm_password", password));
        all
    };
    let wrong = browser.post("/account/tokens", &with("a wrong guess")).await.expect(422).text();
    assert!(wrong.contains("It is not your present password."), "{wrong}");
    assert!(!wrong.contains("a wrong guess"), "a password is not repeated");
    let made = browser.post("/account/tokens", &with(FIRST)).await.expect(200).text();
    assert!(made.contains("Token made") && made.contains("chy_"), "{made}");
    assert_eq!(listed().await["items"][0]["name"], "a \"nightly\" feed");
    // It was given just now: the next one is not asked.
    let next = browser.post("/account/tokens", &wish).await.expect(200).text();
    assert!(next.contains("Token made"), "{next}");
    server.finish().await;
}

#[tokio::test]
async fn changing_an_account_asks_for_what_gives_power_and_for_nothing_else() {
    let (server, clock) = start().await;
    let wish = json!({ "name": "grace", "role": "viewer", "password": "a long enough passphrase" });
    let made = server.post("/api/v1/accounts").json(&wish).send().await.expect(201).json();
    let page = format!("/administration/accounts/{}", made["id"].as_str().unwrap());
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    clock.advance(11 * MINUTE);
    let fields = |role: &'static str, version: &'static str| {
        [("version", version), ("display_name", "Grace"), ("role", role), ("expires_at", "")]
    };
    browser.get(&page).await.expect(200);
    browser.post(&page, &fields("viewer", "1")).await.expect(303);
    let state = format!("{page}/state");
    browser.post(&state, &[("disabled", "1")]).await.expect(303);
    for (path, fields) in [
        (page.clone(), fields("operator", "3").to_vec()),
        (state, vec![("disabled", "0")]),
        (format!("{page}/password"), vec![]),
        (format!("{page}/event-access"), vec![("events", "all"), ("access_version", "0")]),
        (
            format!("{page}/forwarder-access"),
            vec![("forwarders", "all"), ("forwarders_version", "0")],
        ),
        ("/administration/accounts".to_owned(), vec![("name", "eve"), ("role", "viewer")]),
    ] {
        let asked = browser.post(&path, &fields).await.expect(200).text();
        assert!(asked.contains("Is it you?"), "{path}: {asked}");
        assert!(asked.contains(&format!("action=\"{path}\"")), "{path}: {asked}");
    }
    let mut confirmed = fields("operator", "3").to_vec();
    confirmed.push(("confirm_password", FIRST));
    browser.post(&page, &confirmed).await.expect(303);
    let grace = server.get(&format!("/api/v1{}", page.replace("/administration", "")));
    let grace = grace.send().await.expect(200).json();
    assert_eq!((&grace["role"], &grace["disabled"]), (&json!("operator"), &json!(true)));
    server.finish().await;
}

#[tokio::test]
async fn a_session_is_asked_over_the_api_and_a_token_is_not() {
    let (server, clock) = start().await;
    let (cookie, csrf) = server.session();
    let post = |path: &str, body: serde_json::Value| {
        let call = server.call(Method::POST, path).header("cookie", &cookie);
        call.header("x-csrf-token", &csrf).json(&body)
    };
    let wish = json!({ "name": "by cookie", "days": 1 });
    post("/api/v1/tokens", wish.clone()).send().await.expect(201);
    clock.advance(11 * MINUTE);
    let refused = post("/api/v1/tokens", wish.clone()).send().await.expect(403);
    assert_eq!(refused.reason(), "confirmation_due");
    assert!(refused.text().contains("POST /api/v1/me/confirmation"), "{}", refused.text());
    let confirm =
        |password: &str| post("/api/v1/me/confirmation", json!({ "password": password })).send();
    assert_eq!(confirm("a wrong guess").await.expect(422).json()["field"], "password");
    confirm(ADMIN_PASSWORD).await.expect(204);
    post("/api/v1/tokens", wish.clone()).send().await.expect(201);
    clock.advance(11 * MINUTE);
    server.post("/api/v1/tokens").json(&wish).send().await.expect(201);
    let none = server.post("/api/v1/me/confirmation").json(&json!({ "password": "x" }));
    assert_eq!(none.send().await.expect(409).reason(), "no_session");
    server.finish().await;
}

#[tokio::test]
async fn accounts_and_tokens_are_lists_like_the_others() {
    let (server, _) = start().await;
    for (name, role) in [("grace", "operator"), ("ada", "operator"), ("vera", "viewer")] {
        let wish = json!({ "name": name, "role": role, "email": format!("{name}@example.org") });
        server.post("/api/v1/accounts").json(&wish).send().await.expect(201);
    }
    let found = server.get("/api/v1/accounts?filter=role:operator%20ada").send().await.json();
    assert_eq!(found["items"][0]["name"], "ada", "{found}");
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let wrong = server.get("/api/v1/accounts?filter=rôle:x").send().await;
    assert_eq!(wrong.expect(400).reason(), "filter");
    let path = "/api/v1/accounts/export?format=csv&filter=state:must_change";
    let csv = server.get(path).send().await.expect(200).text();
    assert!(csv.starts_with("id,name,display_name,email,role,"), "{csv}");
    assert_eq!(csv.lines().count(), 4, "{csv}");
    let wish = json!({ "name": "=feed()", "days": 1 });
    let secret = server.post("/api/v1/tokens").json(&wish).send().await.expect(201).json();
    let csv = server.get("/api/v1/tokens/export?format=csv&filter=feed").send().await.text();
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.contains(",'=feed(),"), "no formula: {csv}");
    assert!(!csv.contains(secret["token"].as_str().unwrap()), "{csv}");
    server.settle().await;
    for kind in ["account.export", "token.export"] {
        let told = server.get(&format!("/api/v1/events?filter=type:{kind}")).send().await.json();
        assert_eq!(told["items"].as_array().unwrap().len(), 1, "{told}");
        let entry = &told["items"][0]["event"]["data"]["detail"];
        assert_eq!(entry["filtered"], true, "{told}");
    }
    let mut browser = Browser::sign_in_as(&server, Role::Auditor).await;
    let page = browser.get("/administration?q=role:operator").await.expect(200).text();
    assert!(page.contains(">ada<") && page.contains(">grace<") && !page.contains(">vera<"));
    assert!(page.contains("/api/v1/accounts/export?filter=role:operator&amp;format=csv"), "{page}");
    let view = [("list", "accounts"), ("query", "q=role:operator"), ("name", "Operators")];
    let saved = browser.post("/views", &view).await.expect(303);
    let page = browser.follow(saved).await.text();
    assert!(page.contains("The view “Operators” is saved."), "{page}");
    assert!(
        page.contains("href=\"/administration?q=role:operator\" aria-current=\"true\""),
        "{page}"
    );
    let page = browser.get("/administration/tokens?q=feed").await.expect(200).text();
    assert!(page.contains("/api/v1/tokens/export?filter=feed&amp;format=ndjson"), "{page}");
    let page = browser.get("/administration?q=rank:x").await.expect(200).text();
    assert!(page.contains("Nothing is listed until the search can be understood."), "{page}");
    server.finish().await;
}

#[tokio::test]
async fn ones_sessions_are_seen_and_ended() {
    let (server, _) = start().await;
    let mut here = Browser::sign_in_as(&server, Role::Viewer).await;
    let mut there = Browser::new(&server);
    let fields = [("name", "viewer.one"), ("password", FIRST), ("next", "/events")];
    there.post("/login", &fields).await.expect(303);
    there.get("/account").await.expect(200);
    let page = here.get("/account").await.expect(200).text();
    assert!(page.contains("this browser"), "{page}");
    let path = page.split("action=\"/account/sessions/").nth(1).and_then(|it| it.split('"').next());
    let path = format!("/account/sessions/{}", path.expect("a button for the other one"));
    // Nobody ends those of others: it is as if they were not there.
    let mut other = Browser::sign_in_as(&server, Role::Operator).await;
    other.post(&path, &[]).await.expect(404);
    here.post(&path, &[]).await.expect(303);
    assert_eq!(there.get("/account").await.expect(303).header("location"), "/login?next=/account");
    here.get("/account").await.expect(200);
    let all = server.get("/api/v1/me/sessions").send().await.expect(200).json();
    let id = all["items"][0]["id"].as_str().unwrap();
    server.delete(&format!("/api/v1/me/sessions/{id}")).send().await.expect(204);
    server.delete(&format!("/api/v1/me/sessions/{id}")).send().await.expect(404);
    server.finish().await;
}

#[tokio::test]
async fn lists_say_what_of_their_address_they_leave_out() {
    let (server, _) = start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Auditor).await;
    for list in ["/events", "/certificates", "/jobs", "/alerts"] {
        let page = browser.get(&format!("{list}?from=yesterday")).await.expect(200).text();
        assert!(page.contains("<code>yesterday</code> cannot be read, and is left out."), "{list}");
        // Nothing is taken out by a search that cannot be understood.
        let page = browser.get(&format!("{list}?q=%28")).await.expect(200).text();
        assert!(!page.contains("/export?"), "{list}");
        let page = browser.get(list).await.expect(200).text();
        for format in ["csv", "ndjson"] {
            assert!(page.contains(&format!("format={format}")), "{list}: {format}");
        }
    }
    let page = browser.get("/events?q=job&from=2026-11-21T00:00:00Z").await.expect(200).text();
    assert!(page.contains("export?filter=job%20time%3E%3D2026-11-21T00:00:00"), "{page}");
    server.finish().await;
}

#[tokio::test]
async fn a_browser_that_was_signed_in_from_is_not_held_up_by_its_neighbours() {
    // One sign-in is the test server's own, one that of the browser; all share an address.
    let (server, _) = start_with(3).await;
    let mut known = Browser::sign_in_as(&server, Role::Viewer).await;
    known.post("/logout", &[]).await.expect(303);
    let fields = |password: &'static str| {
        [("name", "viewer.one"), ("password", password), ("next", "/events")]
    };
    let mut stranger = Browser::new(&server);
    stranger.post("/login", &fields("a wrong guess")).await.expect(401);
    stranger.post("/login", &fields(FIRST)).await.expect(429);
    let entered = known.post("/login", &fields(FIRST)).await.expect(303);
    assert_eq!(entered.header("location"), "/events");
    // The mark is for one account.
    let other = [("name", "admin"), ("password", ADMIN_PASSWORD), ("next", "/events")];
    known.post("/login", &other).await.expect(429);
    let figures = server.get("/metrics").send().await.expect(200).text();
    for line in [
        "chancery_rate_limited_total{limited=\"login\"} 2",
        "chancery_rate_limited_total{limited=\"failed_login\"} 0",
    ] {
        assert!(figures.contains(line), "{line}: {figures}");
    }
    server.finish().await;
}
