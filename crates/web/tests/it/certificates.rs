//! Certificates through the API: from the upload to the deletion.

use chancery_engine::Role;
use chancery_event::Timestamp;
use chancery_event::cursor::{self, Cursor};
use chancery_pki::make::{self, Key, Template};
use chancery_testkit::{Authority, TestServer};
use serde_json::{Value, json};

use super::browser::Browser;

#[tokio::test]
async fn a_certificate_enters_is_read_changed_and_goes() {
    let server = TestServer::start().await;
    let authority = Authority::new("Test CA", server.now());
    let leaf = authority.leaf("www.example.org", server.now(), 60);
    let made = server.post("/api/v1/certificates").body("application/x-pem-file", leaf.to_pem());
    let made = made.send().await.expect(201);
    let location = made.header("location").to_owned();
    let etag = made.header("etag").to_owned();
    let body = made.json();
    assert_eq!(location, format!("/api/v1/certificates/{}", body["id"].as_str().unwrap()));
    assert_eq!(body["subject_cn"], "www.example.org");
    assert_eq!(body["pem"], leaf.to_pem());

    let read = server.get(&location).send().await.expect(200);
    assert_eq!(read.header("etag"), etag);
    assert_eq!(read.json(), body);
    let same = server.get(&location).header("if-none-match", &etag).send().await.expect(304);
    assert!(same.bytes.is_empty());
    let fingerprint = body["fingerprint_sha256"].as_str().unwrap();
    let found = server.get(&format!("/api/v1/certificates/{fingerprint}")).send().await;
    assert_eq!(found.expect(200).json()["id"], body["id"]);
    let der = server.get(&format!("{location}/der")).send().await.expect(200);
    assert_eq!(der.bytes, leaf.der());
    assert_eq!(der.header("content-type"), "application/pkix-cert");

    let change = json!({ "path": "/prod/web", "owner": "admin" });
    let changed = server.patch(&location).header("if-match", &etag).json(&change).send().await;
    let changed = changed.expect(200).json();
    assert_eq!(changed["path"], "/prod/web");
    assert_eq!(changed["owner"]["name"], "admin");
    let late = server.patch(&location).header("if-match", &etag).json(&change).send().await;
    assert_eq!(late.expect(412).reason(), "changed_meanwhile");
    let cleared = server.patch(&location).json(&json!({ "owner": null })).send().await;
    assert!(cleared.expect(200).json()["owner"].is_null());
    server.patch(&location).json(&json!({})).send().await.expect(200);
    let typo = server.patch(&location).json(&json!({ "pth": "/x" })).send().await;
    assert_eq!(typo.expect(422).reason(), "invalid");

    let archived = server.post(&format!("{location}/archive")).send().await.expect(200);
    assert_eq!(archived.json()["archived"], true);
    server.post(&format!("{location}/archive")).send().await.expect(409);
    server.post(&format!("{location}/restore")).send().await.expect(200);
    server.delete(&location).send().await.expect(204);
    server.get(&location).send().await.expect(404);

    server.settle().await;
    let events = server.get(&format!("{}/events?limit=100", location)).send().await.expect(200);
    its_record_is_complete(&events.json());
    server.finish().await;
}

/// What was done to it is recorded, with what it had before.
fn its_record_is_complete(events: &Value) {
    let types: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["event"]["type"].as_str().unwrap())
        .collect();
    for expected in
        ["certificate.upload", "certificate.update", "certificate.archive", "certificate.delete"]
    {
        assert!(types.contains(&expected), "{expected} is not in {types:?}");
    }
    // What it had is in the record of its end, and what changed nothing says so.
    let of = |kind: &str| {
        let items = events["items"].as_array().unwrap();
        let mut found = items.iter().filter(|item| item["event"]["type"] == kind);
        let is_well = |item: &&Value| item["event"]["data"]["outcome"]["result"] != "failure";
        found.find(is_well).unwrap()["event"]["data"].clone()
    };
    let had = of("certificate.delete")["detail"]["changes"].clone();
    let before = |member: &str| {
        let change = had.as_array().unwrap().iter().find(|change| change["member"] == member);
        change.map(|change| change["before"].clone()).unwrap_or_default()
    };
    assert_eq!(before("path"), "/prod/web");
    assert_eq!((before("trust_anchor"), before("archived")), (json!(false), json!(false)));
    assert!(before("status").is_string() && before("owner").is_null(), "{had:#}");
    let archived = json!([{ "member": "archived", "before": false, "after": true }]);
    assert_eq!(of("certificate.archive")["detail"]["changes"], archived);
    assert_eq!(of("certificate.update")["outcome"]["result"], "skipped");
}

#[tokio::test]
async fn the_names_of_people_are_not_sealed() {
    let server = TestServer::start().await;
    let now = server.now().micros();
    let mut template = Template::ca("Ada Byron", now, now + 90 * Timestamp::DAY);
    template.subject.push(("emailAddress".to_owned(), "ada.byron@example.org".to_owned()));
    let key = Key::from_seed(b"ada").unwrap();
    let der = make::certificate(&template, &key, None).unwrap();
    let upload = server.post("/api/v1/certificates").body("application/pkix-cert", der);
    let made = upload.send().await.expect(201).json();
    assert!(made["subject"].as_str().unwrap().contains("ada.byron"), "{made:#}");
    server.settle().await;
    let events = server.get("/api/v1/events?filter=type:certificate.*").send().await.expect(200);
    let events = events.json();
    let items = events["items"].as_array().unwrap();
    assert!(items.len() >= 2, "{events:#}");
    for item in items {
        let shown = item.to_string();
        assert!(shown.contains("ada.byron"), "shown to an administrator: {shown}");
        let entry = server.get(&format!("/api/v1/events/{}/entry", item["log_index"]));
        let entry = entry.send().await.expect(200).text();
        assert!(!entry.contains("ada.byron") && !entry.contains("Ada Byron"), "{entry}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_change_of_status_names_what_caused_it() {
    let server = TestServer::start().await;
    let authority = Authority::new("Test CA", server.now());
    let leaf = authority.leaf("www.example.org", server.now(), 60).to_pem();
    let upload = |path: &str, pem: String| server.post(path).body("text/plain", pem);
    let leaf = upload("/api/v1/certificates", leaf).send().await.expect(201).json();
    assert_eq!(leaf["status"], "incomplete");
    let path = "/api/v1/certificates?trust_anchor=true";
    let anchor = upload(path, authority.pem()).send().await.expect(201).json();
    let location = format!("/api/v1/certificates/{}", leaf["id"].as_str().unwrap());
    while server.get(&location).send().await.expect(200).json()["status"] == "incomplete" {
        tokio::task::yield_now().await;
    }
    server.settle().await;
    let event = async |path: &str| server.get(path).send().await.expect(200).json();
    let changed = event("/api/v1/events?filter=type:certificate.status_changed").await;
    let changed = changed["items"][0]["event"].clone();
    let cause = changed["data"]["cause"].as_str().expect("a cause");
    let cause = event(&format!("/api/v1/events/{cause}")).await["event"].clone();
    assert_eq!(cause["type"], "certificate.upload");
    assert_eq!(cause["data"]["detail"]["certificate_id"], anchor["id"], "{changed:#}");
    assert_eq!(changed["data"]["depth"], 1);
    server.finish().await;
}

#[tokio::test]
async fn time_that_passes_a_boundary_changes_the_status_and_is_an_event() {
    let (mut server, clock) = TestServer::start_standing(31, |_, _| {}).await;
    let authority = Authority::new("Test CA", server.now());
    let leaf = authority.leaf("www.example.org", server.now(), 60);
    let end = leaf.not_after;
    let upload = |path: &str, pem: String| server.post(path).body("text/plain", pem);
    let path = "/api/v1/certificates?trust_anchor=true";
    upload(path, authority.pem()).send().await.expect(201);
    let made = upload("/api/v1/certificates", leaf.to_pem()).send().await.expect(201).json();
    assert_eq!(made["status"], "valid");
    let location = format!("/api/v1/certificates/{}", made["id"].as_str().unwrap());
    let path = "/api/v1/events?filter=type:certificate.status_changed";
    let thirty_days = 30 * Timestamp::DAY;
    let expected = [
        (end - thirty_days, "valid", "expiring"),
        (end + Timestamp::SECOND, "expiring", "expired"),
    ];
    for (number, (moment, old, new)) in expected.into_iter().enumerate() {
        // A moment before the boundary nothing has changed.
        clock.advance(moment - 2 * Timestamp::SECOND - server.now().micros());
        server.renew().await;
        server.settle().await;
        assert_eq!(server.get(&location).send().await.expect(200).json()["status"], old);
        let told = server.get(path).send().await.expect(200).json();
        assert_eq!(told["items"].as_array().unwrap().len(), number, "{told:#}");
        clock.advance(2 * Timestamp::SECOND);
        while server.get(&location).send().await.expect(200).json()["status"] == old {
            tokio::task::yield_now().await;
        }
        server.settle().await;
        let told = server.get(path).send().await.expect(200).json();
        let told = told["items"].as_array().unwrap();
        assert_eq!(told.len(), number + 1, "{told:#?}");
        let detail = &told[0]["event"]["data"]["detail"];
        assert_eq!(detail["certificate_id"], made["id"]);
        assert_eq!([&detail["old_status"], &detail["new_status"]], [old, new], "{detail:#}");
    }
    server.finish().await;
}

#[tokio::test]
async fn events_name_the_ra_profile_of_a_certificate() {
    let server = TestServer::start().await;
    let profile = json!({ "name": "public servers" });
    let profile = server.post("/api/v1/ra-profiles").json(&profile).send().await.expect(201).json();
    let authority = Authority::new("Test CA", server.now());
    let leaf = authority.leaf("www.example.org", server.now(), 60).to_pem();
    let path = "/api/v1/certificates?ra_profile=public%20servers";
    let made = server.post(path).body("text/plain", leaf).send().await.expect(201).json();
    let location = format!("/api/v1/certificates/{}", made["id"].as_str().unwrap());
    server.patch(&location).json(&json!({ "trust_anchor": true })).send().await.expect(200);
    while server.get(&location).send().await.expect(200).json()["status"] == "incomplete" {
        tokio::task::yield_now().await;
    }
    server.settle().await;
    for of in ["uploaded", "update", "status_changed"] {
        let name = format!("certificate.{of}");
        let path = format!("/api/v1/events?filter=type:{name}");
        let told = server.get(&path).send().await.expect(200).json();
        let detail = &told["items"][0]["event"]["data"]["detail"];
        assert_eq!(detail["ra_profile"], "public servers", "{name}: {told:#}");
        assert_eq!(detail["ra_profile_id"], profile["id"], "{name}");
    }
    let path = "/api/v1/events/export?dialect=czertainly&filter=type:certificate.status_changed";
    let told = server.get(path).send().await.expect(200).text();
    assert!(told.contains(r#""raProfileName":"public servers""#), "{told}");
    server.finish().await;
}

#[tokio::test]
async fn refused_uploads_say_why() {
    let server = TestServer::start().await;
    let authority = Authority::new("Test CA", server.now());
    let leaf = authority.leaf("www.example.org", server.now(), 60).to_pem();
    let upload =
        |media_type: &str, body: &str| server.post("/api/v1/certificates").body(media_type, body);
    let id = upload("text/plain", &leaf).send().await.expect(201).json()["id"].clone();
    let again = upload("text/plain", &leaf).send().await.expect(409);
    assert_eq!(again.reason(), "duplicate");
    assert_eq!(again.json()["existing"], id);
    assert_eq!(upload("text/plain", "").send().await.expect(422).json()["status"], 422);
    upload("text/plain", "nonsense").send().await.expect(422);
    assert_eq!(
        upload("text/html", &leaf).send().await.expect(415).reason(),
        "unsupported_media_type"
    );
    assert_eq!(upload("application/json", "{").send().await.expect(400).reason(), "malformed");
    let unknown = json!({ "certificate": authority.leaf("b.example.org", server.now(), 1).to_pem(), "owner": "nobody" });
    let refused = server.post("/api/v1/certificates").json(&unknown).send().await.expect(422);
    assert_eq!(refused.json()["field"], "owner");
    let key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    upload("text/plain", key).send().await.expect(422);
    server.finish().await;
}

#[tokio::test]
async fn several_certificates_are_answered_one_by_one() {
    let server = TestServer::start().await;
    let authority = Authority::new("Test CA", server.now());
    let leaf = |name: &str| authority.leaf(name, server.now(), 60).to_pem();
    let (first, second) = (leaf("a.example.org"), leaf("b.example.org"));
    let bundle = format!("{first}{second}{}", authority.pem());
    let upload =
        |body: String| server.post("/api/v1/certificates?path=/x").body("text/plain", body);
    let answer = upload(bundle.clone()).send().await.expect(201).json();
    assert_eq!((&answer["accepted"], &answer["refused"]), (&json!(3), &json!(0)));
    let known = upload(bundle).send().await.expect(409);
    assert_eq!(known.reason(), "duplicate");
    let known = known.json();
    assert_eq!((&known["refused"], &known["status"]), (&json!(3), &json!(409)));
    assert!(known["items"][1]["problem"]["existing"].is_string(), "{known:#}");
    let mixed = upload(format!("{first}{}", leaf("c.example.org"))).send().await.expect(207).json();
    assert_eq!((&mixed["accepted"], &mixed["refused"]), (&json!(1), &json!(1)));
    assert_eq!(mixed["items"][0]["problem"]["status"], 409);
    assert_eq!(mixed["items"][1]["position"], 1);
    server.finish().await;
}

#[tokio::test]
async fn both_spellings_of_a_filter_find_the_same_certificates() {
    let server = TestServer::start().await;
    let team = json!({ "name": "team", "label": "Team", "kind": "string" });
    server.post("/api/v1/attributes").json(&team).send().await.expect(201);
    let authority = Authority::new("Test CA", server.now());
    for (number, team) in [(1, "blue"), (2, "blue"), (3, "red"), (4, "blue")] {
        let leaf = authority.leaf(&format!("n{number}.example.org"), server.now(), 10 * number);
        let body = json!({ "certificate": leaf.to_pem(), "attributes": { "team": team } });
        server.post("/api/v1/certificates").json(&body).send().await.expect(201);
    }
    let text = "attribute.team:blue expires<35d";
    let schema = server.engine().certificate_schema().await.unwrap();
    let tree = chancery_event::filter::Filter::parse(text, &schema).unwrap().to_json();
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["subject_cn"].as_str().unwrap().to_owned()).collect()
    };
    let search = async |body: Value, status: u16| {
        let call = server.post("/api/v1/certificates/search").json(&body).send();
        call.await.expect(status).json()
    };
    let query: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let path = format!("/api/v1/certificates?sort=-expires&filter={query}");
    let list = server.get(&path).send().await.expect(200).json();
    assert_eq!(names(&list), ["n2.example.org", "n1.example.org"]);
    let found = search(json!({ "filter": tree, "sort": "-expires" }), 200).await;
    assert_eq!(found["items"], list["items"]);
    // Page by page, too.
    let first = search(json!({ "filter": tree, "sort": "-expires", "limit": 1 }), 200).await;
    assert_eq!(names(&first), ["n2.example.org"]);
    let next = json!({ "filter": tree, "sort": "-expires", "limit": 1,
        "cursor": first["next_cursor"] });
    assert_eq!(names(&search(next, 200).await), ["n1.example.org"]);
    assert_eq!(names(&search(json!({}), 200).await).len(), 4);
    let wrong = json!({ "filter": { "field": "colour", "op": "equals", "value": "red" } });
    assert_eq!(search(wrong, 400).await["position"]["pointer"], "/field");
    assert_eq!(search(json!({ "sort": "colour" }), 422).await["field"], "sort");
    server.finish().await;
}

#[tokio::test]
async fn the_inventory_is_listed_page_by_page_and_exported() {
    let server = TestServer::start().await;
    let authority = Authority::new("Test CA", server.now());
    let bundle: String = (1..=5)
        .map(|n| authority.leaf(&format!("n{n}.example.org"), server.now(), 10 * n).to_pem())
        .collect();
    server.post("/api/v1/certificates").body("text/plain", bundle).send().await.expect(201);
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/certificates?limit=2&sort=-expires&cursor={cursor}");
        let page = server.get(&path).send().await.expect(200);
        pages.push(page.json());
        let Some(next) = page.json()["next_cursor"].as_str().map(str::to_owned) else { break };
        assert!(page.header("link").contains("rel=\"next\""), "{}", page.header("link"));
        cursor = next;
    }
    // And the same way back.
    assert!(pages[0]["previous_cursor"].is_null());
    for place in (0..pages.len() - 1).rev() {
        let cursor = pages[place + 1]["previous_cursor"].as_str().expect("a way back");
        let path = format!("/api/v1/certificates?limit=2&sort=-expires&cursor={cursor}");
        let back = server.get(&path).send().await.expect(200).json();
        assert_eq!(back["items"], pages[place]["items"]);
        assert_eq!(back["previous_cursor"].is_null(), place == 0);
        assert_eq!(back["next_cursor"], pages[place]["next_cursor"]);
    }
    let items = pages.iter().flat_map(|page| page["items"].as_array().unwrap());
    let names: Vec<_> = items.map(|item| item["subject_cn"].as_str().unwrap().to_owned()).collect();
    let expected: Vec<_> = (1..=5).rev().map(|n| format!("n{n}.example.org")).collect();
    assert_eq!(names, expected);
    let soon = server.get("/api/v1/certificates?filter=expires%3C25d").send().await.expect(200);
    assert_eq!(soon.json()["items"].as_array().unwrap().len(), 2);
    let wrong = server.get("/api/v1/certificates?filter=expirs%3C25d").send().await.expect(400);
    assert_eq!(wrong.reason(), "filter");
    assert_eq!(wrong.json()["position"]["offset"], 0);
    assert_eq!(wrong.json()["suggestion"], "expires");
    server.get("/api/v1/certificates?limit=0").send().await.expect(422);
    server.get("/api/v1/certificates?cursor=nonsense").send().await.expect(422);
    // Cursors that no answer gave out: of another order, of another kind, of no certificate.
    let id = pages[0]["items"][0]["id"].as_str().unwrap();
    let text = |text: &str| cursor::Value::Text(text.to_owned());
    for (order, value, id) in [
        ("added", cursor::Value::Number(1), id),
        ("subject", cursor::Value::Number(1), id),
        ("subject", text("a\0"), id),
        ("subject", text("a"), "x"),
    ] {
        let (order, id) = (order.to_owned(), id.to_owned());
        let made_up = Cursor { order, value, id, backwards: false };
        let path = format!("/api/v1/certificates?sort=subject&cursor={made_up}");
        assert_eq!(server.get(&path).send().await.expect(422).json()["field"], "cursor");
    }
    let facets = server.get("/api/v1/certificates/facets").send().await.expect(200).json();
    assert!(facets["groups"].as_array().unwrap().iter().any(|group| group["field"] == "status"));
    server.get("/api/v1/certificates/histogram").send().await.expect(200);

    let csv = server.get("/api/v1/certificates/export?format=csv").send().await.expect(200);
    assert!(csv.header("content-type").starts_with("text/csv"));
    assert_eq!(csv.text().lines().count(), 6, "{}", csv.text());
    let lines = server.get("/api/v1/certificates/export").send().await.expect(200);
    assert_eq!(lines.text().lines().count(), 5);
    server.settle().await;
    let exports = server.get("/api/v1/events?filter=type:certificate.export").send().await;
    assert_eq!(exports.expect(200).json()["items"].as_array().unwrap().len(), 2);
    server.finish().await;
}

#[tokio::test]
async fn an_attempt_that_cannot_be_read_is_an_attempt() {
    let server = TestServer::start().await;
    let send = |media_type: &str, body: &str, query: &str| {
        server.post(&format!("/api/v1/certificates{query}")).body(
            if media_type == "json" { "application/json" } else { "image/png" },
            body.to_owned(),
        )
    };
    send("json", "{\"certificate\":", "").send().await.expect(400);
    // A list is no object, though its items stand in the order of the members.
    let list = send("json", " [\"x\", null, null, null, null, {}, false, null]", "");
    let refused = list.send().await.expect(400);
    assert!(refused.text().contains("not a list"), "{}", refused.text());
    send("json", "{\"certificate\":\"x\",\"colour\":1}", "").send().await.expect(422);
    send("png", "x", "").send().await.expect(415);
    send("json", "{}", "?mode=later").send().await.expect(422);
    let empty = server.post("/api/v1/certificates?mode=async").body("text/plain", "");
    empty.send().await.expect(422);
    server.settle().await;
    let events = "/api/v1/events?order=oldest&filter=type:certificate.upload";
    let events = server.get(events).send().await.expect(200).json();
    let reasons: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["event"]["data"]["outcome"]["reason"].as_str().unwrap().to_owned())
        .collect();
    let expected =
        ["malformed", "malformed", "invalid", "unsupported_media_type", "invalid", "empty"];
    assert_eq!(reasons, expected);
    server.finish().await;
}

#[tokio::test]
async fn what_an_authority_issued_is_counted_without_itself() {
    let server = TestServer::start().await;
    let authority = Authority::new("Counted CA", server.now());
    let upload = async |pem: String| {
        let call = server.post("/api/v1/certificates").body("text/plain", pem);
        call.send().await.expect(201).header("location").to_owned()
    };
    let ca = upload(authority.pem()).await;
    let issued = async |of: &str| server.get(of).send().await.expect(200).json()["issued"].clone();
    assert_eq!(issued(&ca).await, 0);
    let mut leaf = String::new();
    for name in ["one.example", "two.example"] {
        leaf = upload(authority.leaf(name, server.now(), 50).to_pem()).await;
    }
    assert_eq!((issued(&ca).await, issued(&leaf).await), (2.into(), 0.into()));
    server.finish().await;
}

#[tokio::test]
async fn a_story_that_leaves_older_events_out_says_so() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let leaf = Authority::new("Story CA", server.now()).leaf("a.example.org", server.now(), 60);
    let made = server.post("/api/v1/certificates").body("application/x-pem-file", leaf.to_pem());
    let id = made.send().await.expect(201).json()["id"].as_str().unwrap().to_owned();
    let (path, page) = (format!("/api/v1/certificates/{id}"), format!("/certificates/{id}"));
    let list = format!("href=\"/events?q=target:%22certificate/{id}%22\"");
    let told = "These are the newest 100 events.";
    server.settle().await;
    let all = browser.get(&page).await.expect(200).text();
    assert!(!all.contains(told) && all.matches(&list).count() == 1, "{all}");
    // Each change is an event at least.
    for number in 0..100 {
        let change = json!({ "path": format!("/place/{number}") });
        server.patch(&path).json(&change).send().await.expect(200);
    }
    server.settle().await;
    let some = browser.get(&page).await.expect(200).text();
    let note = some.split(told).nth(1).unwrap_or_else(|| panic!("{some}"));
    assert!(note.trim_start().starts_with(&format!("<a {list}>")), "{note}");
    browser.get(&format!("/events?q=target:%22certificate/{id}%22")).await.expect(200);
    server.finish().await;
}
