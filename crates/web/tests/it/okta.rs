//! The sealed log as collectors of the Okta System Log read it.

use axum::http::Method;
use chancery_engine::Role;
use chancery_event::Timestamp;
use chancery_testkit::{Answer, TestServer};
use serde_json::Value;

fn events(answer: &Answer) -> Vec<Value> {
    answer.json().as_array().expect("a bare array").clone()
}

/// The address behind a relation, without the installation's own.
fn link(answer: &Answer, relation: &str) -> Option<String> {
    let mark = format!(">; rel=\"{relation}\"");
    let links = answer.headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
    let found = links.filter_map(|link| link.strip_suffix(mark.as_str())).next()?;
    Some(found.trim_start_matches("<http://127.0.0.1:8080").to_owned())
}

fn uuids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["uuid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn polling_loses_nothing_and_always_has_a_link() {
    let server = TestServer::start().await;
    server.settle().await;
    // As Okta's SDK for Python asks: of the host, with a slash.
    for path in ["/okta/api/v1/logs?limit=3", "/api/v1/logs/?limit=3"] {
        follow(&server, path.to_owned()).await;
    }
    server.finish().await;
}

async fn follow(server: &TestServer, mut path: String) {
    let mut found = Vec::new();
    loop {
        let page = server.get(&path).send().await.expect(200);
        assert_eq!(page.header("content-type"), "application/json");
        assert_eq!(link(&page, "self").unwrap(), path);
        path = link(&page, "next").expect("polling always goes on");
        if events(&page).is_empty() {
            break;
        }
        found.extend(uuids(&events(&page)));
    }
    let size = server.engine().figures().await.unwrap().log_size;
    assert_eq!(found.len() as u64, size);
    let label = serde_json::json!({ "name": format!("web {size}") });
    server.post("/api/v1/groups").json(&label).send().await.expect(201);
    server.settle().await;
    let page = server.get(&path).send().await.expect(200);
    let new = events(&page);
    assert_eq!(new.len(), 1, "{new:?}");
    assert_eq!(new[0]["eventType"], "chancery.configuration.create");
    assert!(!found.contains(&uuids(&new)[0]));
    let keys: Vec<&String> = new[0].as_object().unwrap().keys().collect();
    assert_eq!(keys.first().unwrap().as_str(), "actor");
    assert_eq!(keys.last().unwrap().as_str(), "target");
}

#[tokio::test]
async fn a_bounded_query_ends_and_goes_both_ways() {
    let server = TestServer::start().await;
    server.settle().await;
    let mut path = "/okta/api/v1/logs?until=2100-01-01T00:00:00Z&limit=4&since=".to_owned();
    path.push_str(&server.now().plus(-3_600_000_000).to_string());
    let mut found = Vec::new();
    let mut next = Some(path.clone());
    while let Some(path) = next {
        let page = server.get(&path).send().await.expect(200);
        found.extend(uuids(&events(&page)));
        next = link(&page, "next");
    }
    let size = server.engine().figures().await.unwrap().log_size;
    assert_eq!(found.len() as u64, size);
    let all = server.get(&path.replace("limit=4", "limit=1000&sortOrder=DESCENDING")).send().await;
    let published = |events: &[Value]| -> Vec<String> {
        events.iter().map(|event| event["published"].as_str().unwrap().to_owned()).collect()
    };
    let downwards = events(&all.expect(200));
    let all = server.get(&path.replace("limit=4", "limit=1000")).send().await.expect(200);
    let upwards = events(&all);
    let mut times = published(&upwards);
    assert!(times.is_sorted(), "oldest first: {times:?}");
    let mut back = published(&downwards);
    back.reverse();
    assert_eq!(back, times, "newest first");
    let mut exactly = uuids(&downwards);
    exactly.reverse();
    assert_eq!(exactly, uuids(&upwards), "also those of one millisecond");
    assert_ne!(times.first(), times.last(), "there is an order to speak of");
    assert_eq!(found, uuids(&upwards), "the pages hold the same in the same order");
    // Backwards it ends where it was told to, on whichever page.
    times.sort();
    let since = times[times.len() / 2].clone();
    let wanted = times.iter().filter(|time| **time >= since).count();
    let bounded = "/okta/api/v1/logs?until=2100-01-01T00:00:00Z&limit=2&sortOrder=DESCENDING";
    let (mut next, mut count, mut pages) = (Some(format!("{bounded}&since={since}")), 0, 0);
    while let Some(path) = next {
        let page = server.get(&path).send().await.expect(200);
        (count, pages) = (count + events(&page).len(), pages + 1);
        next = link(&page, "next");
    }
    assert!(pages > 1 && count == wanted, "{count} of {wanted} on {pages} pages");
    let none = server.get("/okta/api/v1/logs?until=2020-01-01T00:00:00Z").send().await.expect(200);
    assert_eq!((events(&none).len(), link(&none, "next")), (0, None));
    server.finish().await;
}

#[tokio::test]
async fn filters_and_keywords_look_at_what_is_answered() {
    let server = TestServer::start().await;
    let label = serde_json::json!({ "name": "front-line" });
    server.post("/api/v1/groups").json(&label).send().await.expect(201);
    server.settle().await;
    let count = async |query: &str, token: Option<&str>| {
        let path = format!("/okta/api/v1/logs?limit=1000&{query}");
        let call = match token {
            Some(token) => server.call(Method::GET, &path).header("authorization", token),
            None => server.get(&path),
        };
        events(&call.send().await.expect(200)).len()
    };
    let whole = count("", None).await;
    for (query, expected) in [
        ("filter=eventType+eq+%22chancery.configuration.create%22", 1),
        ("filter=eventType+sw+%22chancery.configuration%22+and+outcome.result+eq+%22SUCCESS%22", 1),
        ("filter=eventType+ew+%22ration.create%22+and+not+(outcome.result+eq+%22success%22)", 0),
        ("filter=target.type+eq+%22UserGroup%22+or+uuid+eq+%22x%22", 1),
        ("filter=actor.alternateId+eq+%22admin%22+and+target.displayName+eq+%22front-line%22", 1),
        ("q=FRONT-line", 1),
        ("q=line+front", 1),
        ("q=fron", 0),
        ("filter=legacyEventType+pr", 0),
        ("filter=client.geographicalContext.country+eq+%22US%22", 0),
        ("filter=securityContext.asOrg+co+%22x%22+or+target.displayName+eq+%22front-line%22", 1),
    ] {
        assert_eq!(count(query, None).await, expected, "{query}");
    }
    assert_eq!(count("filter=uuid+pr", None).await, whole);
    let viewer = format!("SSWS {}", server.token(Role::Viewer).await);
    server.settle().await;
    assert_eq!(count("filter=actor.alternateId+eq+%22admin%22", Some(&viewer)).await, 0);
    assert_eq!(count("q=front-line", Some(&viewer)).await, 1);
    server.finish().await;
}

#[tokio::test]
async fn refusals_have_the_shape_of_that_api() {
    let server = TestServer::start().await;
    let check = async |path: &str, status: u16, code: &str| {
        let refused = server.get(path).send().await.expect(status).json();
        assert_eq!(refused["errorCode"], code, "{path}: {refused}");
        assert!(refused["errorCauses"].is_array() && refused["errorId"].is_string());
    };
    let logs = |query: &str| format!("/okta/api/v1/logs?{query}");
    check(&logs("filter=nonsense+eq+%22x%22"), 400, "E0000053").await;
    check(&logs("filter=published+gt+%22x%22"), 400, "E0000053").await;
    check(&logs("filter=eventType+eq"), 400, "E0000053").await;
    check(&logs("filter=debugContext.debugData.url+co+%22x%22"), 400, "E0000031").await;
    check(&logs("limit=1001"), 400, "E0000001").await;
    check(&logs("sortOrder=UP"), 400, "E0000001").await;
    check(&logs("since=2020-01-01T00:00:00Z"), 400, "E0000001").await;
    check(&logs("since=yesterday"), 400, "E0000001").await;
    check(&logs("after=x1&since=2026-11-20T00:00:00Z"), 400, "E0000001").await;
    check(&logs("after=1"), 400, "E0000001").await;
    check(&logs("q=1+2+3+4+5+6+7+8+9+10+11"), 400, "E0000001").await;
    check("/okta/api/v1/users", 404, "E0000007").await;
    check("/api/v1/logs?limit=1001", 400, "E0000001").await;
    let nobody = server.call(Method::GET, &logs("")).send().await.expect(401).json();
    assert_eq!(nobody["errorCode"], "E0000011");
    let wrong = server.call(Method::GET, &logs("")).header("authorization", "SSWS x").send().await;
    assert_eq!(wrong.expect(401).json()["errorCode"], "E0000011");
    let other = server.call(Method::GET, "/api/v1/events").header("authorization", "SSWS x");
    other.send().await.expect(401);
    let posted = server.post(&logs("")).send().await.expect(405).json();
    assert_eq!(posted["errorCode"], "E0000022");
    server.finish().await;
}

#[tokio::test]
async fn too_many_calls_are_refused_with_when_to_come_back() {
    // Time stands still: no call comes back while the test makes its own.
    let (server, _clock) = TestServer::start_standing(13, |_, _| {}).await;
    let first = server.get("/okta/api/v1/logs?limit=0").send().await.expect(200);
    assert_eq!(first.header("x-rate-limit-limit"), "120");
    assert_eq!(first.header("x-rate-limit-remaining"), "119");
    for _ in 0..119 {
        server.get("/okta/api/v1/logs?limit=0").send().await.expect(200);
    }
    let refused = server.get("/okta/api/v1/logs?limit=0").send().await.expect(429);
    assert_eq!(refused.json()["errorCode"], "E0000047");
    assert_eq!(refused.header("x-rate-limit-remaining"), "0");
    let reset: i64 = refused.header("x-rate-limit-reset").parse().unwrap();
    assert!(reset > server.now().micros() / 1_000_000, "{reset}");
    server.finish().await;
}

#[tokio::test]
async fn both_bounds_hold_on_every_page() {
    let (server, clock) = TestServer::start_standing(4, |_, _| {}).await;
    let minute = 60 * Timestamp::SECOND;
    let begin = server.now();
    let group = async |name: &str| {
        let label = serde_json::json!({ "name": name });
        server.post("/api/v1/groups").json(&label).send().await.expect(201);
        server.settle().await;
    };
    clock.advance(30 * minute);
    group("within").await;
    // The clock is put back: what comes now happened before, and stands behind it in the log.
    clock.advance(-20 * minute);
    group("before").await;
    clock.advance(20 * minute);
    group("within, too").await;
    let (since, until) = (begin.plus(20 * minute), begin.plus(40 * minute));
    let bounded = format!("/okta/api/v1/logs?limit=1&since={since}&until={until}");
    for order in ["ASCENDING", "DESCENDING"] {
        let (mut next, mut names) = (Some(format!("{bounded}&sortOrder={order}")), Vec::new());
        while let Some(path) = next {
            let page = server.get(&path).send().await.expect(200);
            let target = |event: &Value| event["target"][0]["displayName"].clone();
            names.extend(events(&page).iter().map(target));
            next = link(&page, "next");
        }
        names.retain(|name| name.is_string());
        names.sort_by_key(ToString::to_string);
        assert_eq!(names, ["within", "within, too"], "{order}");
    }
    clock.advance(10 * minute);
    server.finish().await;
}
