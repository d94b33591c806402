//! Every page for every role, empty and full, with hostile names in it; and nothing in any page
//! that the policy would refuse.

use std::collections::BTreeSet;

use axum::http::Method;
use chancery_engine::Role;
use chancery_engine::alert::{AlertQuery, Sort};
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::inventory::{PlacementRequest, Source, Upload, UploadAnswer, UploadMode};
use chancery_engine::{Client, Context, Permission, Secret};
use chancery_event::Timestamp;
use chancery_testkit::{Answer, Authority, TestServer};
use chancery_web::edge::Access;
use serde_json::Value;

use super::browser::Browser;

/// Every name that somebody from outside can bring in.
const HOSTILE: &str = "<script>alert(1)</script>";

/// Brings in a chain of which one has a hostile name; answers the identifiers.
async fn fill(server: &TestServer) -> Vec<String> {
    let context = Context::command_line(server.engine().environment());
    let authority = Authority::new("Pages CA", server.now());
    let mut pem = authority.pem();
    for (name, days) in [("www.example.org", 300), ("soon.example.org", 5), (HOSTILE, 40)] {
        pem.push_str(&authority.leaf(name, server.now(), days).to_pem());
    }
    let label = LabelDraft { name: HOSTILE.to_owned(), description: HOSTILE.to_owned() };
    server.engine().create_label(&context, LabelClass::Group, label).await.expect("a group");
    let placement = PlacementRequest {
        groups: Some(vec![HOSTILE.to_owned()]),
        path: Some("/prod/web".to_owned()),
        ..PlacementRequest::default()
    };
    let upload = |mode| Upload {
        bytes: pem.clone().into_bytes(),
        password: None,
        placement: placement.clone(),
        mode,
        source: Source::Upload,
    };
    let answer = server.engine().upload(&context, upload(UploadMode::Sync)).await.expect("entered");
    let UploadAnswer::Done(items) = answer else { panic!("a job") };
    server.engine().upload(&context, upload(UploadMode::Async)).await.expect("a job");
    server.settle().await;
    items.into_iter().map(|item| item.result.expect("entered").to_string()).collect()
}

/// Locks the administrator out; answers the alerts there are.
async fn alert(server: &TestServer) -> Vec<String> {
    for _ in 0..10 {
        let wrong = Secret::new("wrong".to_owned());
        let _ = server.engine().log_in(Client::default(), "admin", wrong).await;
    }
    let context = Context::command_line(server.engine().environment());
    let query = AlertQuery {
        filter: server.engine().parse_alert_filter("").expect("a filter"),
        sort: Sort::Created,
        descending: true,
        cursor: None,
        limit: 10,
    };
    let page = server.engine().alerts(&context, &query).await.expect("alerts");
    assert!(!page.items.is_empty());
    page.items.iter().map(|shown| shown.alert.id.to_string()).collect()
}

/// What no page may have in it.
fn check(path: &str, answer: &Answer) {
    let text = answer.text();
    if !answer.header("content-type").starts_with("text/html") {
        return;
    }
    assert!(text.starts_with("<!DOCTYPE html>"), "{path}");
    assert!(text.contains("<title>"), "{path}");
    assert!(!text.contains(HOSTILE), "{path}: a name became markup");
    assert!(!text.contains("<b>bold"), "{path}: a name became markup");
    for tag in text.split('<').skip(1).filter(|tag| tag.starts_with(char::is_alphabetic)) {
        let tag = tag.split('>').next().unwrap_or_default();
        // What stands between quotes is a value, not an attribute.
        let names: String = tag.split('"').step_by(2).collect();
        assert!(!names.contains("style="), "{path}: <{tag}>");
        for attribute in names.split_whitespace().skip(1) {
            assert!(!attribute.starts_with("on"), "{path}: <{tag}>");
        }
        assert!(!tag.starts_with("script") || names.contains("src="), "{path}: <{tag}>");
        assert!(!tag.contains("javascript:"), "{path}: <{tag}>");
    }
    let mut ids = BTreeSet::new();
    for id in text.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(ids.insert(id.to_owned()), "{path}: two elements are called {id}");
    }
}

/// The permission without which a page is refused.
fn permission(access: Access) -> Option<Permission> {
    match access {
        Access::Session(permission) => Some(permission),
        Access::Any(_) | Access::Public => None,
    }
}

async fn walk(server: &TestServer, role: Role, objects: &[(&str, String)]) {
    let mut browser = Browser::sign_in_as(server, role).await;
    let mut seen = 0;
    for route in server.routes().to_vec() {
        let Some(needed) = permission(route.access) else { continue };
        if route.method != Method::GET
            || ["/events/live", "/alerts/live"].contains(&route.path.as_str())
        {
            continue;
        }
        let prefix = route.path.split('{').next().unwrap_or_default();
        let paths: Vec<String> = match route.path.contains('{') {
            false => vec![route.path.clone()],
            true => objects
                .iter()
                .filter(|(list, _)| *list == prefix)
                .map(|(_, id)| {
                    let rest = route.path.split('}').nth(1).unwrap_or_default();
                    format!("{prefix}{id}{rest}")
                })
                .collect(),
        };
        for path in paths {
            let answer = browser.get(&path).await;
            let status = answer.status.as_u16();
            check(&path, &answer);
            seen += 1;
            match role.may(needed) {
                true => assert!(matches!(status, 200 | 303), "{role} {path}: {status}"),
                false => {
                    assert_eq!(status, 403, "{role} {path}");
                    assert!(answer.text().contains(needed.as_str()), "{path} names no permission");
                }
            }
        }
    }
    assert!(seen > 15, "only {seen} pages");
}

#[tokio::test]
async fn every_page_for_every_role_over_an_empty_inventory() {
    let server = TestServer::start().await;
    for role in Role::ALL {
        walk(&server, role, &[("/catalogue/", "certificate.upload".to_owned())]).await;
    }
    server.finish().await;
}

#[tokio::test]
async fn every_page_for_every_role_with_hostile_names_in_it() {
    let server = TestServer::start().await;
    let certificates = fill(&server).await;
    let context = Context::command_line(server.engine().environment());
    let mut objects: Vec<(&str, String)> = vec![("/catalogue/", "certificate.issue".to_owned())];
    objects.extend(certificates.into_iter().map(|id| ("/certificates/", id)));
    objects.extend((0..20).map(|index| ("/events/", index.to_string())));
    let jobs = server.engine().jobs(&context, None, None, None, 5).await.expect("jobs");
    assert!(!jobs.is_empty());
    objects.extend(jobs.iter().map(|job| ("/jobs/", job.id.to_string())));
    objects.extend(alert(&server).await.into_iter().map(|id| ("/alerts/", id)));
    let accounts = server.engine().accounts(&context).await.expect("accounts");
    objects.extend(accounts.iter().map(|one| ("/administration/accounts/", one.id.to_string())));
    let groups = server.engine().labels(&context, LabelClass::Group).await.expect("groups");
    objects.extend(groups.iter().map(|one| ("/administration/groups/", one.id.clone())));
    for role in Role::ALL {
        walk(&server, role, &objects).await;
    }
    server.finish().await;
}

#[tokio::test]
async fn addresses_with_anything_in_them_are_answered_with_pages() {
    let server = TestServer::start().await;
    fill(&server).await;
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    let hostile = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        format!("/events?q={hostile}"),
        format!("/certificates?q={hostile}&sort={hostile}&from=x"),
        format!("/search?q={hostile}"),
        format!("/catalogue?q={hostile}&family={hostile}"),
        format!("/jobs?state={hostile}&cursor={hostile}"),
        format!("/alerts?q={hostile}&sort={hostile}&undo=read&of={hostile}"),
        "/events?q=outcom:failure".to_owned(),
        "/events?q=(&before=x&after=-1&from=0&to=9".to_owned(),
        "/events?from=2026-11-21T00:00:00Z&to=2020-01-01T00:00:00Z".to_owned(),
        "/events?before=18446744073709551615".to_owned(),
        "/events?after=18446744073709551615".to_owned(),
        "/certificates?from=9999-12-30T00:00:00Z&to=0001-01-01T00:00:00Z".to_owned(),
        "/certificates?q=name:*example*&from=2026-01-01T00:00:00Z".to_owned(),
        "/certificates?q=expires%3C30d%20OR%20ca:true&to=2030-01-01T00:00:00Z".to_owned(),
        "/search?q=%5C%22".to_owned(),
        "/search?q=www.example.org".to_owned(),
        format!("/search?q={}", "word+".repeat(2_000)),
        "/search?q=)(+OR+AND+NOT+x:".to_owned(),
    ] {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        check(&path, &answer);
    }
    for (path, status) in [
        ("/events/zzz", 404),
        ("/events/99999", 404),
        ("/certificates/zzz", 404),
        ("/certificates/01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4", 404),
        ("/jobs/zzz", 404),
        ("/alerts/zzz", 404),
        ("/alerts?cursor=zzz", 422),
        ("/catalogue/nothing", 404),
        ("/certificates?cursor=zzz", 422),
        ("/nothing", 404),
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        check(path, &answer);
        assert!(answer.text().contains("<nav class=\"places\""), "{path} has no way on");
        assert_ne!(answer.header("content-security-policy"), "", "{path}");
    }
    // Whoever is not signed in sees it too, alone.
    let alone = Browser::new(&server).get("/nothing").await.expect(404);
    check("/nothing", &alone);
    assert!(!alone.text().contains("<nav"), "the frame of somebody is shown to nobody");
    server.finish().await;
}

#[tokio::test]
async fn jobs_are_paged_both_ways() {
    let server = TestServer::start().await;
    let context = Context::command_line(server.engine().environment());
    let authority = Authority::new("Jobs CA", server.now());
    for _ in 0..120 {
        let upload = Upload {
            bytes: authority.pem().into_bytes(),
            password: None,
            placement: PlacementRequest::default(),
            mode: UploadMode::Async,
            source: Source::Upload,
        };
        server.engine().upload(&context, upload).await.expect("a job");
    }
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    let link = |page: &str, rel: &str| {
        let rest = page.split_once(&format!("rel=\"{rel}\" href=\""))?.1;
        Some(rest.split('"').next()?.replace("&amp;", "&"))
    };
    let rows = |page: &str| -> Vec<String> {
        let parts = page.split("class=\"row-link\" href=\"").skip(1);
        parts.filter_map(|part| part.split('"').next().map(str::to_owned)).collect()
    };
    let mut pages = Vec::new();
    let mut path = Some("/jobs".to_owned());
    while let Some(here) = path {
        let text = browser.get(&here).await.expect(200).text();
        path = link(&text, "next");
        pages.push(text);
    }
    assert_eq!(pages.iter().map(|page| rows(page).len()).collect::<Vec<_>>(), [50, 50, 20]);
    assert_eq!(link(&pages[0], "prev"), None);
    for place in [1, 0] {
        let back = link(&pages[place + 1], "prev").expect("a way back");
        let text = browser.get(&back).await.expect(200).text();
        assert_eq!(rows(&text), rows(&pages[place]));
        assert_eq!(link(&text, "prev").is_none(), place == 0);
    }
    let none = |list: &Value| list["items"].as_array().is_some_and(Vec::is_empty);
    server.until("/api/v1/jobs?filter=state:queued,running", none).await;
    server.finish().await;
}

#[tokio::test]
async fn a_wrong_search_says_where_and_what_was_meant() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    let page = browser.get("/events?q=severity:warning+outcom:failure").await.expect(200).text();
    assert!(page.contains("<mark>outcom</mark>"), "the fault is not pointed at");
    assert!(page.contains("q=severity:warning%20outcome:failure"), "nothing is suggested");
    server.finish().await;
}

#[tokio::test]
async fn names_of_people_are_hidden_from_those_who_may_not_see_them() {
    let server = TestServer::start().await;
    let mut operator = Browser::sign_in_as(&server, Role::Operator).await;
    operator.get("/account").await.expect(200);
    let fields = [("name", "for a test"), ("days", "3"), ("role", "viewer")];
    operator.post("/account/tokens", &fields).await.expect(200);
    server.settle().await;
    let query = "/events?q=type:token.create";
    let page = operator.get(query).await.text();
    assert!(page.contains("operator.one"));
    assert!(page.contains("actor:operator.one"), "the actor is no facet");
    let mut viewer = Browser::sign_in_as(&server, Role::Viewer).await;
    let page = viewer.get(query).await.expect(200).text();
    assert!(!page.contains("operator.one") && page.contains("not shown"));
    assert!(!page.contains("actor:"), "people are offered to those who may not see them");
    let refused = viewer.get("/events?q=actor:operator.one").await.expect(403);
    assert!(refused.text().contains("personal:read"));
    server.finish().await;
}

/// Bytes that a browser with an empty cache fetches for a page, as they come over the wire.
async fn weight(server: &TestServer, cookie: &str, path: &str) -> (usize, Vec<String>) {
    let fetch = async |path: &str| {
        let call = server.call(Method::GET, path).header("cookie", cookie);
        call.header("accept-encoding", "gzip").send().await.expect(200)
    };
    let plain = server.call(Method::GET, path).header("cookie", cookie).send().await.expect(200);
    let page = fetch(path).await;
    assert_eq!(page.header("content-encoding"), "gzip", "{path}");
    let text = plain.text();
    let loaded: BTreeSet<String> = ["href=\"/assets/", "src=\"/assets/"]
        .iter()
        .flat_map(|mark| text.split(mark).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .map(|name| format!("/assets/{}", name.replace("&amp;", "&")))
        .collect();
    let mut bytes = page.bytes.len();
    for asset in &loaded {
        bytes += fetch(asset).await.bytes.len();
    }
    (bytes, loaded.into_iter().collect())
}

#[tokio::test]
async fn a_first_view_is_light() {
    let server = TestServer::start().await;
    let ids = fill(&server).await;
    let (cookie, _) = server.session();
    let one = format!("/certificates/{}", ids[1]);
    for path in ["/", "/events", "/certificates", &one, "/catalogue", "/login"] {
        let (bytes, loaded) = if path == "/login" {
            weight(&server, "", path).await
        } else {
            weight(&server, &cookie, path).await
        };
        assert!(loaded.iter().any(|asset| asset.contains(".css")), "{path}: {loaded:?}");
        assert!(bytes <= 100_000, "{path}: {bytes} bytes with {loaded:?}");
    }
    server.finish().await;
}

/// The span of the bars of a page, µs since 1970.
fn bars(page: &str) -> (i64, i64) {
    let bound = |name: &str| {
        let (_, rest) = page.split_once(&format!("data-{name}=\"")).expect("bars");
        rest.split_once('"').expect("a number").0.parse().expect("a number")
    };
    (bound("from"), bound("to"))
}

/// Who asks for an hour gets bars of minutes, and who asks for a day of last year sees that day.
#[tokio::test]
async fn bars_are_of_the_time_that_is_asked_for() {
    const HOUR: i64 = Timestamp::HOUR;
    const DAY: i64 = Timestamp::DAY;
    let server = TestServer::start().await;
    server.settle().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let mut shown = async |path: &str| browser.get(path).await.expect(200).text();
    let day = "2025-02-03T00:00:00Z".parse::<Timestamp>().unwrap().micros();
    for (list, field) in
        [("events", "time"), ("jobs", "asked"), ("alerts", "created"), ("deliveries", "created")]
    {
        let (from, to) = bars(&shown(&format!("/{list}?q={field}:2025-02-03")).await);
        assert!((day..=day + DAY).contains(&from) && from <= day, "{list} from {from}");
        assert!((to - day - DAY).abs() < HOUR, "{list} to {to}");
        let (from, to) = bars(&shown(&format!("/{list}?q={field}%3E-1h")).await);
        assert!((HOUR..HOUR + HOUR / 30).contains(&(to - from)), "{list} {from} {to}");
        let (from, to) = bars(&shown(&format!("/{list}?q={field}%3C2125-02-03")).await);
        assert!((6 * DAY..32 * DAY).contains(&(to - from)), "{list} {from} {to}");
        let now = server.now().micros();
        assert!((to - now).abs() < 12 * HOUR, "{list} ends now, not at {to}");
    }
    let page = shown("/events?q=time%3E-1h").await;
    assert!(page.contains("events in this span"));
    assert!(shown("/events").await.contains("events in the last 7 days"));
    let (from, to) = bars(&shown("/certificates?q=expires:2025-02-03").await);
    assert!(from <= day && day - from < DAY && to >= day + DAY && to - day < 3 * DAY);
    server.finish().await;
}
