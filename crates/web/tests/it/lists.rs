//! Lists of automation: searched, counted, ordered, kept as views, paged and taken out, on the pages
//! and over the API.

use axum::http::Method;
use chancery_engine::Role;
use chancery_testkit::TestServer;
use serde_json::{Value, json};

use super::browser::Browser;

async fn make(server: &TestServer, class: &str, name: &str, body: Value, enabled: bool) {
    let new = json!({ "name": name, "body": body, "enabled": enabled });
    server.post(&format!("/api/v1/automation/{class}")).json(&new).send().await.expect(201);
}

/// Three triggers, of which one is off and one names an attribute that is gone.
async fn world() -> TestServer {
    let server = TestServer::start().await;
    let team = json!({ "name": "team", "label": "Team", "kind": "string" });
    let team = server.post("/api/v1/attributes").json(&team).send().await.expect(201).json();
    let steps = json!({ "steps": [{ "step": "notify", "to": "owner", "title": "Look" }] });
    make(&server, "actions", "tell", steps, true).await;
    let steps =
        json!({ "steps": [{ "step": "set_attribute", "attribute": "team", "value": "web" }] });
    make(&server, "actions", "place", steps, true).await;
    make(&server, "rules", "weak", json!({ "filter": "object.key_size<2048" }), true).await;
    let of = |event: &str, action: &str, rules: &[&str]| json!({ "event_types": [event], "actions": [action], "rules": rules, "title": event });
    make(&server, "triggers", "weak-keys", of("certificate.uploaded", "tell", &["weak"]), true)
        .await;
    make(&server, "triggers", "ended", of("certificate.expired", "tell", &[]), false).await;
    make(&server, "triggers", "placed", of("certificate.uploaded", "place", &[]), true).await;
    let id = team["id"].as_str().expect("an identifier").parse().expect("an identifier");
    server.lose_attribute(id).await;
    server
}

async fn names(server: &TestServer, path: &str) -> Vec<String> {
    let found = server.get(path).send().await.expect(200).json();
    let items = found["items"].as_array().expect("items");
    items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}

/// The names that a page links to, in its order.
fn shown(page: &str, root: &str) -> Vec<String> {
    let start = format!("href=\"{root}/");
    let links = page.split(&start).skip(1).filter_map(|rest| rest.split_once('"'));
    let mut names: Vec<String> = links.map(|(name, _)| name.to_owned()).collect();
    names.retain(|name| !name.contains(['/', '?']) && name != "new");
    names.dedup();
    names
}

#[tokio::test]
async fn triggers_are_searched_by_what_they_say_and_how_they_go() {
    let server = world().await;
    let at = |filter: &str| format!("/api/v1/automation/triggers?filter={filter}");
    for (filter, expected) in [
        ("", vec!["ended", "placed", "weak-keys"]),
        ("event_type:certificate.uploaded", vec!["placed", "weak-keys"]),
        ("event_type:certificate.*", vec!["ended", "placed", "weak-keys"]),
        ("action:tell", vec!["ended", "weak-keys"]),
        ("rule:weak", vec!["weak-keys"]),
        ("state:off", vec!["ended"]),
        ("state:broken", vec!["placed"]),
        ("expired", vec!["ended"]),
        ("scope:platform%20-rule:*%20state:on", vec![]),
        ("changed%3E-1h%20version:1", vec!["ended", "placed", "weak-keys"]),
    ] {
        assert_eq!(names(&server, &at(filter)).await, expected, "{filter}");
    }
    let refused = server.get(&at("colour:red")).send().await.expect(400).json();
    assert!(refused.to_string().contains("colour"), "{refused}");

    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = browser.get("/automation?q=action:tell").await.expect(200).text();
    assert_eq!(shown(&page, "/automation/triggers"), ["ended", "weak-keys"], "{page}");
    // The facets count what is shown, and a click narrows further.
    assert!(page.contains("href=\"/automation?q=action:tell%20state:off\""), "{page}");
    let page = browser.get("/automation?sort=-name").await.expect(200).text();
    assert_eq!(shown(&page, "/automation/triggers"), ["weak-keys", "placed", "ended"]);
    let page = browser.get("/automation?q=state:broken").await.expect(200).text();
    assert_eq!(shown(&page, "/automation/triggers"), ["placed"]);
    assert!(page.contains("Cannot work"), "{page}");
    let page = browser.get("/automation?q=nothing-like-it").await.expect(200).text();
    assert!(page.contains("No trigger fits") && page.contains("Show all"), "{page}");
    let page = browser.get("/automation?q=acton:tell").await.expect(200).text();
    assert!(page.contains("aria-invalid") && page.contains("q=action:tell"), "{page}");
    // A view is kept, and leads to the list it is of.
    let view = [("list", "triggers"), ("query", "q=state:off"), ("name", "Switched off")];
    browser.post("/views", &view).await.expect(303);
    let page = browser.get("/automation").await.expect(200).text();
    assert!(page.contains("href=\"/automation?q=state:off\""), "{page}");
    assert!(page.contains("Switched off"), "{page}");
    // Every field is explained.
    let help = browser.get("/help/search").await.expect(200).text();
    for told in ["Fields of triggers", "Fields of monitors", "A rule that has to hold"] {
        assert!(help.contains(told), "{told}");
    }
    server.finish().await;
}

/// The value of an attribute of the search box of a list.
fn of_box(page: &str, attribute: &str) -> String {
    let form = page.split("<form class=\"search\"").nth(1);
    let form = form.unwrap_or_else(|| panic!("no box: {page}"));
    let text =
        form.split(&format!(" {attribute}=\"")).nth(1).and_then(|rest| rest.split('"').next());
    text.unwrap_or_else(|| panic!("no {attribute}: {form}"))
        .replace("&gt;", ">")
        .replace("&lt;", "<")
}

#[tokio::test]
async fn what_a_box_suggests_can_be_searched_for() {
    let server = world().await;
    let profile = json!({ "recipients": ["owner"] });
    make(&server, "notification_profiles", "p", profile, true).await;
    let template = json!({ "subject": "s", "text": "t" });
    make(&server, "notification_templates", "t", template, true).await;
    let hourly = json!({ "cron": "0 * * * *", "time_zone": "UTC" });
    let monitor = json!({ "kind": "certificate_expiry", "thresholds": ["7d"], "schedule": hourly });
    make(&server, "monitors", "m", monitor, true).await;
    let schedule = json!({ "job_kind": "log.verify", "cron": "0 3 * * *", "time_zone": "UTC" });
    make(&server, "schedules", "s", schedule, true).await;
    let scope = json!({ "kind": "ra_profile", "name": "tls", "mode": "add" });
    server.post("/api/v1/ra-profiles").json(&json!({ "name": "tls" })).send().await.expect(201);
    make(&server, "scopes", "s", scope, true).await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    for path in [
        "/automation",
        "/automation/rules",
        "/automation/actions",
        "/automation/scopes",
        "/monitors",
        "/schedules",
        "/notifications/profiles",
        "/notifications/templates",
    ] {
        let page = browser.get(path).await.expect(200).text();
        let suggested = of_box(&page, "placeholder");
        let query = form_urlencoded::byte_serialize(suggested.as_bytes()).collect::<String>();
        let page = browser.get(&format!("{path}?q={query}")).await.expect(200).text();
        assert!(!page.contains("aria-invalid"), "{path}: {suggested}");
        assert_eq!(of_box(&page, "value"), suggested, "{path}");
        // A span of time in the address narrows the list as it says.
        let page = browser.get(&format!("{path}?to=2001-01-01T00:00:00Z")).await.expect(200).text();
        assert!(page.contains("Narrowed to the time") && page.contains(" fits"), "{path}: {page}");
    }
    server.finish().await;
}

#[tokio::test]
async fn what_a_list_of_automation_shows_is_taken_out() {
    let server = world().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = browser.get("/automation?q=action:tell").await.expect(200).text();
    let path = "/api/v1/automation/lists/triggers/export?filter=action:tell&amp;format=csv";
    assert!(page.contains(path), "{page}");
    let csv = server.get(&path.replace("&amp;", "&")).send().await.expect(200).text();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("class,name,title,state,problem"), "{csv}");
    assert!(lines[1].starts_with("trigger,ended,certificate.expired,off,"), "{csv}");
    assert!(lines[2].starts_with("trigger,weak-keys,certificate.uploaded,on,"), "{csv}");
    assert_eq!(lines.len(), 3, "{csv}");
    let rows = server.get("/api/v1/automation/lists/triggers/export").send().await.expect(200);
    let rows: Vec<Value> =
        rows.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[1]["name"], &rows[1]["state"]), (&json!("placed"), &json!("broken")));
    assert!(rows[1]["problem"].as_str().expect("why").contains("team"), "{}", rows[1]);
    // Channels, in the same way.
    let mail = json!({ "kind": "email", "settings": { "server": "127.0.0.1:2525",
        "security": "none", "from": "pki@example.org" } });
    let new = json!({ "name": "mail", "body": mail, "enabled": false });
    server.post("/api/v1/channels").json(&new).send().await.expect(201);
    let page = browser.get("/channels").await.expect(200).text();
    let path = "/api/v1/notifications/channels/export";
    assert!(page.contains(&format!("{path}?")), "{page}");
    let csv = server.get(&format!("{path}?format=csv")).send().await.expect(200).text();
    assert!(csv.starts_with("name,kind,enabled") && csv.contains("\nmail,email,false"), "{csv}");
    server.settle().await;
    // Each of them is an event that says what was taken.
    let found = "/api/v1/events?filter=type:configuration.export";
    let found = server.get(found).send().await.expect(200).json();
    let told: Vec<Value> = found["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| {
            let detail = &item["event"]["data"]["detail"];
            json!([detail["class"], detail["count"], detail["filtered"]])
        })
        .collect();
    assert_eq!(
        told,
        [json!(["channel", 1, false]), json!(["trigger", 3, false]), json!(["trigger", 2, true])]
    );
    let viewer = server.token(Role::Viewer).await;
    for path in [path, "/api/v1/automation/lists/rules/export"] {
        server.call(Method::GET, path).bearer(&viewer).send().await.expect(403);
    }
    server.get("/api/v1/automation/lists/colours/export").send().await.expect(404);
    server.finish().await;
}

#[tokio::test]
async fn monitors_and_schedules_are_searched_and_ordered() {
    let (server, _clock) =
        TestServer::start_standing(19, |settings, _| settings.monitors = true).await;
    server.settle().await;
    let at = |class: &str, filter: &str| format!("/api/v1/{class}?filter={filter}");
    let kind = names(&server, &at("monitors", "kind:token_expiry,token_unused")).await;
    assert_eq!(kind.len(), 2, "{kind:?}");
    let one = &kind[0];
    server.post(&format!("/api/v1/monitors/{one}/pause")).send().await.expect(200);
    assert_eq!(names(&server, &at("monitors", "state:off")).await, [one.as_str()]);
    assert_eq!(names(&server, &at("schedules", "job:log.verify")).await, ["log-verification"]);
    server.get(&at("monitors", "job:log.verify")).send().await.expect(400);
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    assert_eq!(names(&server, &at("monitors", "state:paused")).await, [one.as_str()]);
    let page = browser.get("/monitors?q=state:off").await.expect(200).text();
    assert_eq!(shown(&page, "/monitors"), [one.as_str()], "{page}");
    assert!(page.contains("state:paused") && page.contains("paused"), "as its badge says: {page}");
    assert!(page.contains("id=\"watching\""), "how it goes stays above a narrow list: {page}");
    let all = names(&server, "/api/v1/monitors").await;
    let page = browser.get("/monitors?sort=-name").await.expect(200).text();
    let mut turned = all.clone();
    turned.reverse();
    assert_eq!(shown(&page, "/monitors"), turned);
    let page = browser.get("/schedules?q=nothing-like-it").await.expect(200).text();
    assert!(page.contains("No schedule fits"), "{page}");
    server.finish().await;
}

#[tokio::test]
async fn a_monitor_that_was_just_made_runs_at_once() {
    let (server, _clock) =
        TestServer::start_standing(23, |settings, _| settings.monitors = true).await;
    for name in ["first", "second", "third"] {
        let definition = json!({ "kind": "certificate_expiry", "thresholds": ["7d"],
            "schedule": { "cron": "0 * * * *", "time_zone": "UTC" } });
        let new = json!({ "name": name, "definition": definition });
        server.post("/api/v1/monitors").json(&new).send().await.expect(201);
        let run = server.post(&format!("/api/v1/monitors/{name}/run")).send().await;
        assert_eq!(run.expect(200).json()["state"], "succeeded", "{name}");
    }
    server.finish().await;
}

#[tokio::test]
async fn many_rules_come_in_pages() {
    let server = TestServer::start().await;
    for number in 0..53 {
        let body = json!({ "filter": "object.key_size<2048" });
        make(&server, "rules", &format!("r{number:02}"), body, true).await;
    }
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    let page = browser.get("/automation/rules").await.expect(200).text();
    let names = shown(&page, "/automation/rules");
    assert_eq!((names.len(), names[49].as_str()), (50, "r49"));
    assert!(page.contains("1–50 of 53"), "{page}");
    let page = browser.get("/automation/rules?cursor=50").await.expect(200).text();
    assert_eq!(shown(&page, "/automation/rules"), ["r50", "r51", "r52"]);
    // The same over the API: all of them, or page by page.
    let path = "/api/v1/automation/rules";
    assert_eq!(self::names(&server, path).await.len(), 53);
    let first = server.get(&format!("{path}?limit=50&filter=r*")).send().await.expect(200);
    assert!(first.header("link").contains("rel=\"next\""), "{}", first.header("link"));
    let first = first.json();
    assert_eq!(first["items"].as_array().map(Vec::len), Some(50));
    assert_eq!(first["previous_cursor"], Value::Null);
    let next = first["next_cursor"].as_str().expect("a second page");
    let second = format!("{path}?limit=50&filter=r*&cursor={next}");
    assert_eq!(self::names(&server, &second).await, ["r50", "r51", "r52"]);
    let second = server.get(&second).send().await.expect(200).json();
    assert_eq!(second["next_cursor"], Value::Null);
    let back = second["previous_cursor"].as_str().expect("a page before");
    let back = server.get(&format!("{path}?limit=50&filter=r*&cursor={back}")).send().await;
    assert_eq!(back.expect(200).json(), first);
    for (wrong, field) in [("limit=0", "limit"), ("limit=1001", "limit"), ("cursor=x", "cursor")] {
        let refused = server.get(&format!("{path}?{wrong}")).send().await.expect(422).json();
        assert_eq!(refused["field"], field, "{wrong}");
    }
    let page = browser.get("/automation/rules?q=r5*").await.expect(200).text();
    assert_eq!(shown(&page, "/automation/rules").len(), 3, "{page}");
    server.finish().await;
}

/// Makes or removes something of a list.
async fn change(server: &TestServer, list: &str, name: &str, is_made: bool) {
    let path = format!("/api/v1/{list}");
    if !is_made {
        let mut own = name.to_owned();
        if matches!(list, "accounts" | "tokens") {
            let all = server.get(&path).send().await.expect(200).json();
            let found = all["items"].as_array().unwrap().iter().find(|item| item["name"] == name);
            own = found.unwrap()["id"].as_str().unwrap().to_owned();
        }
        let gone = server.delete(&format!("{path}/{own}")).send().await;
        assert!(gone.status.is_success(), "{}", gone.text());
        return;
    }
    let hourly = json!({ "cron": "0 * * * *", "time_zone": "UTC" });
    let new = match list {
        "accounts" => json!({ "name": name, "role": "viewer" }),
        "tokens" => json!({ "name": name, "days": 7 }),
        "forwarders" => {
            json!({ "name": name, "body": { "kind": "file", "settings": { "file": name } } })
        }
        "channels" => json!({ "name": name, "body": { "kind": "email", "settings": {
            "server": "127.0.0.1:9", "security": "none", "from": "chancery@example.org" } } }),
        "monitors" => json!({ "name": name, "definition": {
            "kind": "certificate_expiry", "thresholds": ["7d"], "schedule": hourly } }),
        "schedules" => json!({ "name": name, "definition": {
            "job_kind": "log.verify", "cron": "0 3 * * *", "time_zone": "UTC" } }),
        _ => json!({ "name": name, "body": { "filter": "object.key_size<2048" } }),
    };
    server.post(&path).json(&new).send().await.expect(201);
}

/// A page of two: its names, and the cursors that it gives.
async fn two(server: &TestServer, list: &str, cursor: &str) -> (Vec<String>, [Option<String>; 2]) {
    let path = format!("/api/v1/{list}?limit=2&cursor={cursor}");
    let page = server.get(&path).send().await.expect(200).json();
    let cursors = ["next_cursor", "previous_cursor"];
    (names(server, &path).await, cursors.map(|name| page[name].as_str().map(str::to_owned)))
}

#[tokio::test]
async fn what_is_made_and_deleted_between_pages_skips_and_repeats_nothing() {
    let server = TestServer::start().await;
    let lists = ["accounts", "tokens", "monitors", "schedules", "forwarders", "channels"];
    for (number, list) in lists.into_iter().chain(["automation/rules"]).enumerate() {
        for name in ["n1", "n2", "n3", "n4", "n5"] {
            change(&server, list, &format!("{name}-{number}"), true).await;
        }
        let mut left = names(&server, &format!("/api/v1/{list}")).await;
        let (mut seen, [mut next, _]) = two(&server, list, "").await;
        assert_eq!(seen, left.drain(..2).collect::<Vec<_>>(), "{list}");
        // Some come in before what was read; what was read last goes, and what comes next.
        for name in ["a1", "a2", "a3"] {
            change(&server, list, &format!("{name}-{number}"), true).await;
        }
        for gone in [&seen[1], &left[0]] {
            change(&server, list, gone, false).await;
        }
        // A token that was revoked is listed as such.
        let now = names(&server, &format!("/api/v1/{list}")).await;
        left.retain(|name| now.contains(name));
        let mut last = String::new();
        seen.clear();
        while let Some(cursor) = next {
            let (page, [following, _]) = two(&server, list, &cursor).await;
            seen.extend(page);
            (last, next) = (cursor, following);
        }
        assert_eq!(seen, left, "{list}");
        // And back again, past a place where nobody is any more.
        let mut left = names(&server, &format!("/api/v1/{list}")).await;
        let (page, [_, mut previous]) = two(&server, list, &last).await;
        left.truncate(left.len() - page.len());
        change(&server, list, left.last().expect("one before"), false).await;
        let now = names(&server, &format!("/api/v1/{list}")).await;
        left.retain(|name| now.contains(name));
        let mut seen = Vec::new();
        while let Some(cursor) = previous {
            let (page, [_, further]) = two(&server, list, &cursor).await;
            seen.splice(0..0, page);
            previous = further;
        }
        assert_eq!(seen, left, "{list}");
    }
    server.finish().await;
}
