//! Events through the API: lists, search, counts, the live stream, exports, erasure.

use std::time::Duration;

use axum::body::BodyDataStream;
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_engine::Role;
use chancery_event::EventType;
use chancery_testkit::TestServer;
use futures::StreamExt as _;
use serde_json::{Value, json};

fn indexes(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["log_index"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn lists_go_both_ways_in_both_orders() {
    let server = TestServer::start().await;
    server.settle().await;
    let size = server.engine().figures().await.unwrap().log_size;
    assert!(size >= 7, "{size}");
    let page = async |query: &str| {
        server.get(&format!("/api/v1/events?limit=3&{query}")).send().await.expect(200).json()
    };
    let first = page("").await;
    assert_eq!(indexes(&first), [size - 1, size - 2, size - 3]);
    assert!(first["previous_cursor"].is_null());
    let next = first["next_cursor"].as_str().unwrap().to_owned();
    let second = page(&format!("cursor={next}")).await;
    assert_eq!(indexes(&second), [size - 4, size - 5, size - 6]);
    let back = second["previous_cursor"].as_str().unwrap().to_owned();
    let again = page(&format!("cursor={back}")).await;
    assert_eq!(indexes(&again), indexes(&first));
    assert!(again["previous_cursor"].is_null());
    assert_eq!(again["next_cursor"], first["next_cursor"]);
    let oldest = page("order=oldest").await;
    assert_eq!(indexes(&oldest), [0, 1, 2]);
    let next = oldest["next_cursor"].as_str().unwrap().to_owned();
    let further = page(&format!("order=oldest&cursor={next}")).await;
    assert_eq!(indexes(&further), [3, 4, 5]);
    let back = further["previous_cursor"].as_str().unwrap().to_owned();
    assert_eq!(indexes(&page(&format!("order=oldest&cursor={back}")).await), [0, 1, 2]);
    server.finish().await;
}

#[tokio::test]
async fn both_spellings_of_a_filter_find_the_same() {
    let server = TestServer::start().await;
    server.settle().await;
    let text = server.get("/api/v1/events?filter=type:bootstrap.*&limit=100").send().await;
    let text = text.expect(200).json();
    assert!(indexes(&text).len() >= 3);
    assert!(text["items"][0]["sentence"].as_str().unwrap().len() > 5);
    let filter =
        chancery_event::filter::Filter::parse("type:bootstrap.*", server.engine().event_schema());
    let search = json!({ "filter": filter.unwrap().to_json(), "limit": 100 });
    let tree = server.post("/api/v1/events/search").json(&search).send().await.expect(200).json();
    assert_eq!(indexes(&tree), indexes(&text));
    let count = server.get("/api/v1/events/count?filter=type:bootstrap.*").send().await;
    assert_eq!(count.expect(200).json()["count"], indexes(&text).len());
    let wrong = json!({ "filter": { "field": "colour", "op": "equals", "value": "red" } });
    let refused = server.post("/api/v1/events/search").json(&wrong).send().await.expect(400);
    assert_eq!(refused.json()["position"]["pointer"], "/field", "{}", refused.text());
    let right = json!({ "filter": { "field": "severity", "op": "equals", "value": "error" } });
    server.post("/api/v1/events/search").json(&right).send().await.expect(200);
    let facets = server.get("/api/v1/events/facets").send().await.expect(200).json();
    assert!(!facets["groups"].as_array().unwrap().is_empty());
    let bars = server.get("/api/v1/events/histogram?buckets=4").send().await.expect(200).json();
    let total: u64 =
        bars["bars"].as_array().unwrap().iter().map(|bar| bar["count"].as_u64().unwrap()).sum();
    assert!(total > 0, "{bars}");
    let many = server.get("/api/v1/events/histogram?buckets=many").send().await.expect(400);
    assert!(many.text().contains("buckets: a whole number is expected"), "{}", many.text());
    server.finish().await;
}

#[tokio::test]
async fn names_of_people_are_for_those_who_may_see_them_until_they_are_erased() {
    let server = TestServer::start().await;
    server.settle().await;
    let newest = "/api/v1/events?limit=1&filter=type:session.create";
    let event = server.get(newest).send().await.expect(200).json()["items"][0].clone();
    assert_eq!(event["event"]["data"]["personal"]["actor_name"], "admin");
    let viewer = server.token(Role::Viewer).await;
    let seen = server.call(Method::GET, newest).bearer(&viewer).send().await.expect(200).json();
    let personal = &seen["items"][0]["event"]["data"]["personal"];
    assert!(personal["actor_name"].is_null() && personal["commitment"].is_string(), "{personal}");
    let by_name = server.call(Method::GET, "/api/v1/events?filter=actor:admin").bearer(&viewer);
    by_name.send().await.expect(403);
    let id = event["event"]["id"].as_str().unwrap().to_owned();
    let erase = |ground: &str| {
        server.post(&format!("/api/v1/events/{id}/erase")).json(&json!({ "ground": ground }))
    };
    assert_eq!(erase("Not a word").send().await.expect(422).json()["field"], "ground");
    erase("request").send().await.expect(204);
    let after = server.get(&format!("/api/v1/events/{id}")).send().await.expect(200).json();
    assert!(after["event"]["data"]["personal"]["actor_name"].is_null());
    // By its log index as well.
    let index = event["log_index"].as_u64().unwrap();
    let again = server.post(&format!("/api/v1/events/{index}/erase"));
    again.json(&json!({ "ground": "request" })).send().await.expect(409);
    server.settle().await;
    let told = "/api/v1/events?filter=type:event.erase";
    let told = server.get(told).send().await.expect(200).json();
    let told: Vec<_> =
        told["items"].as_array().unwrap().iter().map(|i| &i["event"]["data"]).collect();
    // The newest first.
    let ends =
        [("failure", Some("nothing_personal")), ("success", None), ("failure", Some("invalid"))];
    assert_eq!(told.len(), ends.len(), "{told:?}");
    for (data, (result, reason)) in told.into_iter().zip(ends) {
        assert_eq!(data["outcome"]["result"], result, "{data}");
        assert_eq!(data["outcome"]["reason"].as_str(), reason, "{data}");
        let target = &data["targets"][0];
        assert_eq!((&target["kind"], &target["id"]), (&json!("event"), &json!(id)), "{data}");
        assert_eq!(data["detail"]["count"], u64::from(reason.is_none()), "{data}");
    }
    server.finish().await;
}

/// Reads a stream until `count` whole events have come.
async fn read(stream: &mut BodyDataStream, count: usize) -> String {
    let mut text = String::new();
    let came = |text: &str| {
        // A comment only says that the connection lives; what is behind the last blank line may be cut.
        let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        let frames = whole.split("\n\n").filter(|frame| !frame.is_empty());
        frames.filter(|frame| !frame.starts_with(':')).count()
    };
    while came(&text) < count {
        let chunk = tokio::time::timeout(Duration::from_secs(60), stream.next()).await;
        let chunk = chunk.expect("a stream that goes on").expect("no end").expect("no error");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text
}

#[tokio::test]
async fn the_stream_resumes_where_it_was_left() {
    let server = TestServer::start().await;
    server.settle().await;
    let size = server.engine().figures().await.unwrap().log_size;
    let from_start = server.get("/api/v1/events/stream?from=0").open().await;
    assert_eq!(from_start.headers()["content-type"], "text/event-stream");
    let mut stream = from_start.into_body().into_data_stream();
    let text = read(&mut stream, 2).await;
    assert!(text.starts_with("id: 0\n") || text.contains("\nid: 0\n"), "{text}");
    drop(stream);
    let last = (size - 2).to_string();
    let resumed = server.get("/api/v1/events/stream").header("last-event-id", &last).open().await;
    let mut stream = resumed.into_body().into_data_stream();
    let text = read(&mut stream, 2).await;
    assert!(text.contains(&format!("id: {}\n", size - 1)), "{text}");
    // What happens now arrives, and nothing that does not fit the filter.
    let filtered = server.get("/api/v1/events/stream?filter=type:token.create").open().await;
    let mut filtered = filtered.into_body().into_data_stream();
    server.post("/api/v1/log/verify").send().await.expect(200);
    server.token(Role::Viewer).await;
    let text = read(&mut filtered, 2).await;
    // Who is cut off before the first event goes on where the stream began.
    assert!(text.starts_with(&format!("id: {}\n\n", size - 1)), "{text}");
    assert!(text.contains("event: token.create\n"), "{text}");
    assert!(read(&mut stream, 1).await.contains("event: log.verify\n"));
    drop((stream, filtered));
    let wrong = server.get("/api/v1/events/stream").header("last-event-id", "x").send().await;
    assert_eq!(wrong.expect(400).reason(), "malformed");
    server.finish().await;
}

#[tokio::test]
async fn exports_are_complete_and_on_record() {
    let server = TestServer::start().await;
    server.settle().await;
    let size = server.engine().figures().await.unwrap().log_size;
    let lines = server.get("/api/v1/events/export").send().await.expect(200);
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    let rows: Vec<Value> =
        lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<_> = rows.iter().map(|row| row["log_index"].as_u64().unwrap()).collect();
    assert_eq!(found, (0..size).collect::<Vec<_>>());
    let path = "/api/v1/events/export?format=csv&filter=type:bootstrap.*";
    let csv = server.get(path).send().await.expect(200).text();
    assert!(csv.starts_with("log_index,time,type,"), "{csv}");
    server.settle().await;
    let record = server.get("/api/v1/events?limit=1&filter=type:event.export").send().await;
    let record = record.expect(200).json();
    let detail = &record["items"][0]["event"]["data"]["detail"];
    assert_eq!(detail["format"], "csv");
    assert_eq!(detail["count"].as_u64().unwrap() as usize, csv.lines().count() - 1);
    server.get("/api/v1/events/export?format=xml").send().await.expect(422);
    server.finish().await;
}

#[tokio::test]
async fn events_are_told_in_any_dialect() {
    let server = TestServer::start().await;
    server.settle().await;
    let body = |dialect: &str| format!("/api/v1/events/0?dialect={dialect}");
    let native = server.get("/api/v1/events/0").send().await.expect(200).json();
    let id = native["event"]["id"].as_str().unwrap().to_owned();
    let (cookie, _) = server.session();
    for dialect in chancery_event::Dialect::ALL {
        let one = server.get(&body(dialect.name())).send().await.expect(200);
        let of_headers = one.headers.get("ce-id").map(|id| id.to_str().unwrap().to_owned());
        let told = one.text() + of_headers.as_deref().unwrap_or_default();
        let end = if dialect.name() == "horizon" { &id[24..] } else { &id };
        assert!(told.contains(end), "{dialect}: {told}");
        let address = format!("/events/0?dialect={dialect}");
        let page = server.call(Method::GET, &address).header("cookie", &cookie).send().await;
        assert!(page.expect(200).text().contains(dialect.label()), "{dialect}");
    }
    let okta = server.get(&body("okta")).send().await.expect(200);
    assert_eq!(
        (okta.header("content-type"), okta.json()["version"].as_str()),
        ("application/json", Some("0"))
    );
    let page = server.get("/api/v1/events?limit=2&dialect=okta").send().await.expect(200);
    assert_eq!(page.json().as_array().unwrap().len(), 2);
    assert!(page.header("link").contains("dialect=okta&cursor=b"), "{}", page.header("link"));
    let lines = server.get("/api/v1/events/export?dialect=cef").send().await.expect(200);
    assert!(
        lines.text().lines().all(|line| line.starts_with("CEF:0|Chancery|")),
        "{}",
        lines.text()
    );
    server.settle().await;
    let record = server.get("/api/v1/events?limit=1&filter=type:event.export").send().await;
    assert_eq!(record.expect(200).json()["items"][0]["event"]["data"]["detail"]["format"], "cef");
    for path in
        [&body("klingon"), "/api/v1/events?dialect=klingon", "/api/v1/events/export?dialect=x"]
    {
        let refused = server.get(path).send().await.expect(400).text();
        assert!(refused.contains("cloudevents, cloudevents-binary, okta"), "{refused}");
    }
    server.get("/api/v1/events/export?dialect=okta&format=csv").send().await.expect(422);
    server.finish().await;
}

#[tokio::test]
async fn the_catalogue_is_told_with_schemas() {
    let server = TestServer::start().await;
    let all = server.get("/api/v1/event-types").send().await.expect(200).json();
    assert!(all["items"].as_array().unwrap().len() > 150);
    let one = server.get("/api/v1/event-types/certificate.upload").send().await.expect(200).json();
    assert_eq!(one["name"], "certificate.upload");
    assert!(one["schema"]["properties"].is_object());
    let found = |name: &str| {
        let items = all["items"].as_array().unwrap().iter();
        items.clone().find(|one| one["name"] == name).unwrap().clone()
    };
    let (monitored, uploaded) = (found("certificate.expiring"), found("certificate.uploaded"));
    assert_eq!([&monitored["monitoring"], &uploaded["monitoring"]], [true, false]);
    for one in EventType::ALL {
        let scopes: Vec<_> = one.info().overridden_by.iter().map(|it| it.as_str()).collect();
        assert_eq!(found(one.name())["overridden_by"], json!(scopes), "{}", one.name());
    }
    assert_eq!(monitored["overridden_by"], json!(["ra_profile", "group"]));
    server.get("/api/v1/event-types/nonsense").send().await.expect(404);
    server.finish().await;
}

#[tokio::test]
async fn an_export_of_a_range_is_that_range_in_every_form() {
    let server = TestServer::start().await;
    server.settle().await;
    let export = async |query: &str| {
        server.get(&format!("/api/v1/events/export?from=1&to=3{query}")).send().await.expect(200)
    };
    let table = export("&format=csv").await.text();
    let first: Vec<_> = table.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(first, ["1", "2", "3"], "{table}");
    assert_eq!(export("&format=ndjson").await.text().lines().count(), 3);
    assert_eq!(export("&format=jsonl").await.text().lines().count(), 5);
    server.settle().await;
    let told = server.get("/api/v1/events?order=oldest&filter=type:event.export").send().await;
    for item in told.expect(200).json()["items"].as_array().unwrap() {
        let detail = &item["event"]["data"]["detail"];
        let told = (&detail["count"], &detail["first_index"], &detail["last_index"]);
        assert_eq!(told, (&3.into(), &1.into(), &3.into()), "{detail}");
    }
    for (query, field) in [("from=3&to=1", "to"), ("from=99999", "from"), ("to=99999", "to")] {
        for format in ["csv", "ndjson", "jsonl"] {
            let path = format!("/api/v1/events/export?{query}&format={format}");
            let refused = server.get(&path).send().await.expect(422);
            assert_eq!(refused.json()["field"], field, "{path}");
        }
    }
    server.get("/api/v1/certificates/export?from=1").send().await.expect(422);
    server.finish().await;
}

#[tokio::test]
async fn whoever_sees_the_personal_part_can_check_its_commitment() {
    use chancery_event::{Event, PersonalPart, SaltedPart};
    let server = TestServer::start().await;
    server.settle().await;
    let export = server.get("/api/v1/events/export?format=jsonl").send().await.expect(200).text();
    let mut checked = 0;
    for line in export.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let Some(entry) = line["entry"].as_str() else { continue };
        let shown = Event::from_json(&line["event"]).unwrap();
        let Some(salt) = line["salt"].as_str() else {
            assert!(matches!(shown.personal, PersonalPart::None), "{line}");
            continue;
        };
        let salt: [u8; 32] = STANDARD.decode(salt).unwrap().try_into().unwrap();
        let again = shown.entry(salt).unwrap();
        assert_eq!(again.bytes, entry.as_bytes());
        checked += usize::from(again.personal.as_ref().map(SaltedPart::commitment).is_some());
    }
    assert!(checked > 0, "{export}");
    server.finish().await;
}

#[tokio::test]
async fn events_are_found_in_the_spelling_of_scim() {
    let server = TestServer::start().await;
    server.settle().await;
    let found = async |query: &str| {
        indexes(&server.get(&format!("/api/v1/events?{query}")).send().await.expect(200).json())
    };
    let scim = "spelling=scim&filter=type%20sw%20%22bootstrap.%22%20and%20not%20(actor%20pr)";
    assert_eq!(found(scim).await, found("filter=type:bootstrap.*%20-actor:*").await);
    assert!(!found("spelling=scim&filter=type%20sw%20%22bootstrap.%22").await.is_empty());
    let wrong = "/api/v1/events?spelling=scim&filter=type%20is%20%22a%22";
    let refused = server.get(wrong).send().await.expect(400).json();
    assert_eq!(refused["position"], json!({ "offset": 5, "length": 2 }), "{refused}");
    server.get("/api/v1/events?spelling=latin").send().await.expect(422);
    // A slip must not widen what is asked for.
    for path in ["events?filer=a", "events/export?fitler=a", "certificates?limt=1", "jobs?stat=x"] {
        let refused = server.get(&format!("/api/v1/{path}")).send().await.expect(400);
        assert!(refused.text().contains("unknown field"), "{path}: {}", refused.text());
    }
    server.get("/api/v1/jobs?state=asleep").send().await.expect(422);
    server.get("/api/v1/jobs?kind=nap").send().await.expect(422);
    server.finish().await;
}

#[tokio::test]
async fn a_stream_does_not_wait_behind_the_end_of_the_log() {
    let server = TestServer::start().await;
    server.settle().await;
    let ahead = server.get("/api/v1/events/stream").header("last-event-id", "999999");
    assert_eq!(ahead.send().await.expect(422).json()["field"], "Last-Event-ID");
    let from = server.get("/api/v1/events/stream?from=999999").send().await.expect(422);
    assert_eq!(from.json()["field"], "from");
    server.finish().await;
}
