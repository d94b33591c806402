//! Regular expressions in filters: every list takes every one that is accepted, and finds the same
//! on both engines.

use chancery_testkit::{Authority, TestServer};
use serde_json::{Value, json};

fn at(path: &str, filter: &str) -> String {
    let filter: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    format!("/api/v1/{path}?filter={filter}")
}

async fn world() -> TestServer {
    let server = TestServer::start().await;
    let authority = Authority::new("Pattern CA", server.now());
    for name in ["a-web.example", "aweb.example", "ÉTÉ.example"] {
        let pem = authority.leaf(name, server.now(), 50).to_pem();
        let upload = server.post("/api/v1/certificates").json(&json!({ "certificate": pem }));
        upload.send().await.expect(201);
    }
    server.settle().await;
    server
}

async fn found(server: &TestServer, path: &str, filter: &str) -> Vec<String> {
    let answer = server.get(&at(path, filter)).send().await.expect(200).json();
    let items = answer["items"].as_array().expect("items");
    let name = |item: &Value| {
        let name = item["subject_cn"].as_str().or(item["object"]["name"].as_str());
        name.unwrap_or_default().to_owned()
    };
    items.iter().map(name).collect()
}

chancery_testkit::on_each_backend!(a_pattern_selects_the_same_wherever_it_is_looked_for);

async fn a_pattern_selects_the_same_wherever_it_is_looked_for() {
    let server = world().await;
    for (pattern, expected) in [
        (r#""\bweb""#, "a-web.example"),
        (r#""(?i)A-WEB""#, "a-web.example"),
        (r#""(?P<host>aweb)\x2e""#, "aweb.example"),
        (r#""^[\D]web""#, "aweb.example"),
        (r#""été""#, "ÉTÉ.example"),
    ] {
        let certificates = found(&server, "certificates", &format!("cn~{pattern}")).await;
        assert_eq!(certificates, [expected], "{pattern}");
        let uploads = format!("type:certificate.uploaded subject~{pattern}");
        let count = server.get(&at("events/count", &uploads)).send().await.expect(200).json();
        assert_eq!(count["count"], 1, "{pattern}: {count}");
    }
    // Every kind of object that is searched in the database.
    for (path, field) in [
        ("events", "subject"),
        ("events/facets", "subject"),
        ("events/histogram", "subject"),
        ("certificates", "issuer"),
        ("certificates/facets", "issuer"),
        ("certificates/histogram", "name"),
        ("alerts", "title"),
        ("alerts/facets", "title"),
        ("alerts/histogram", "object_name"),
        ("jobs", "name"),
        ("deliveries", "error"),
        ("deliveries/counts", "error"),
        ("evaluations", "trigger"),
        ("evaluations/facets", "trigger"),
        ("notices", "address"),
        ("notices/counts", "profile"),
    ] {
        server.get(&at(path, &format!(r#"{field}~"(?i)\bweb""#))).send().await.expect(200);
    }
    server.finish().await;
}

chancery_testkit::on_each_backend!(a_pattern_that_is_too_large_is_refused_where_it_is_written);

async fn a_pattern_that_is_too_large_is_refused_where_it_is_written() {
    let server = TestServer::start().await;
    let filter = r#"subject~"(?:(?:ab|[a-y]d)?){400}""#;
    let refused = server.get(&at("events", filter)).send().await.expect(400).json();
    assert_eq!(refused["position"], json!({ "offset": 8, "length": 25 }), "{refused}");
    assert!(refused.to_string().contains("it is too large"), "{refused}");
    // What is kept is refused when it is saved.
    let hold = json!({ "name": "case-7", "filter": filter, "reason": "Case 7" });
    let refused = server.post("/api/v1/retention/holds").json(&hold).send().await;
    assert!(refused.text().contains("it is too large"), "{}", refused.text());
    server.finish().await;
}
