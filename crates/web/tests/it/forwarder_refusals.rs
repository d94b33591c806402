//! What a forwarder cannot be is refused when it is saved, at its field.

use axum::http::Method;
use chancery_engine::Role;
use chancery_testkit::TestServer;
use serde_json::{Value, json};

use super::browser::Browser;

/// Nothing is made, and the answer names the field.
async fn refused_at(server: &TestServer, new: &Value, field: &str) {
    let refused = server.post("/api/v1/forwarders").json(new).send().await.expect(422);
    assert_eq!(refused.json()["field"], field, "{}", refused.text());
}

#[tokio::test]
async fn a_dialect_whose_attributes_would_be_lost_is_refused() {
    let server = TestServer::start().await;
    let key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    let url = json!({ "url": "https://127.0.0.1/", "signature": "none" });
    let nats = json!({ "address": "127.0.0.1:4222", "subject": "events" });
    let log = json!({ "address": "127.0.0.1:6514" });
    for (number, (kind, settings, key, why)) in [
        ("file", json!({ "file": "events.log" }), "", Some("which this kind does not have")),
        ("syslog", log, "", Some("which this kind does not have")),
        ("webhook", url.clone(), key, Some("does not encrypt")),
        ("nats", nats.clone(), key, Some("does not encrypt")),
        ("webhook", url, "", None),
        ("nats", nats, "", None),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({ "kind": kind, "settings": settings, "dialect": "cloudevents-binary" });
        let new = json!({ "name": format!("f{number}"), "body": body,
            "secrets": if key.is_empty() { json!({}) } else { json!({ "payload_key": key }) } });
        let answer = server.post("/api/v1/forwarders").json(&new).send().await;
        let Some(why) = why else {
            answer.expect(201);
            continue;
        };
        let refused = answer.expect(422).json();
        assert_eq!(refused["field"], "dialect", "{kind}: {refused}");
        assert!(refused["detail"].as_str().unwrap().contains(why), "{kind}: {refused}");
    }
    let mut admin = Browser::sign_in_as(&server, Role::Administrator).await;
    for (kind, is_offered) in [("file", false), ("syslog", false), ("nats", true)] {
        let form = admin.get(&format!("/forwarders/new?kind={kind}")).await.expect(200).text();
        assert!(form.contains("value=\"cloudevents\""), "{kind}");
        assert_eq!(form.contains("value=\"cloudevents-binary\""), is_offered, "{kind}");
    }
    server.finish().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_at_its_field() {
    let server = TestServer::start().await;
    for (settings, field) in [
        (json!({}), "settings/url"),
        (json!({ "url": "ftp://example.org" }), "settings/url"),
        (json!({ "url": "https://ada:pw@example.org/" }), "settings/url"),
        (json!({ "url": "http://10.0.0.1/" }), "settings/url"),
        (json!({ "url": "http://169.254.169.254/latest/meta-data" }), "settings/url"),
        (json!({ "url": "http://[::ffff:192.168.0.1]/" }), "settings/url"),
        (json!({ "url": "https://127.0.0.1/", "colour": "red" }), "settings/colour"),
        (json!({ "url": "https://127.0.0.1/", "ca": "nothing" }), "settings/ca"),
        (json!({ "url": "https://127.0.0.1/", "signature": "rot13" }), "settings/signature"),
        (json!({ "url": "https://127.0.0.1/", "username": "ada" }), "secrets/password"),
        (
            json!({ "url": "https://127.0.0.1/", "headers": { "Host": "x" } }),
            "settings/headers/Host",
        ),
    ] {
        let new = json!({ "name": "soc", "body": { "kind": "webhook", "settings": settings } });
        refused_at(&server, &new, field).await;
    }
    let slack = "https://127.0.0.1/services/x";
    let ca = json!("-----BEGIN CERTIFICATE-----");
    for (body, secrets, field) in [
        // Where nothing is encrypted, nothing of TLS protects anything.
        (
            json!({ "kind": "webhook", "settings": { "url": "http://127.0.0.1/", "ca": ca } }),
            json!({}),
            "settings/ca",
        ),
        (
            json!({ "kind": "syslog", "settings": { "address": "127.0.0.1", "transport": "tcp",
                "client_certificate": ca } }),
            json!({}),
            "settings/client_certificate",
        ),
        (
            json!({ "kind": "nats", "settings": { "address": "127.0.0.1", "subject": "x" } }),
            json!({ "client_key": "x" }),
            "secrets/client_key",
        ),
        (
            json!({ "kind": "email", "settings": { "server": "127.0.0.1", "security": "none",
                "from": "a@example.org", "to": ["b@example.org"], "ca": ca } }),
            json!({}),
            "settings/ca",
        ),
        // More than a message holds would be told as delivered.
        (json!({ "kind": "slack", "batch_max": 11 }), json!({ "url": slack }), "batch_max"),
        // What is not used must not pass for protection.
        (
            json!({ "kind": "slack" }),
            json!({ "url": slack, "payload_key": "x" }),
            "secrets/payload_key",
        ),
        (
            json!({ "kind": "file", "settings": { "file": "a" } }),
            json!({ "payload_key": "hunter2" }),
            "secrets/payload_key",
        ),
    ] {
        let new = json!({ "name": "soc", "body": body, "secrets": secrets });
        refused_at(&server, &new, field).await;
    }
    server.finish().await;
}

#[tokio::test]
async fn a_forwarder_begins_in_the_log_and_is_not_set_on_later() {
    let server = TestServer::start().await;
    server.settle().await;
    let body = json!({ "kind": "webhook", "settings": { "url": "http://127.0.0.1:9/" } });
    let new = |start: u64| json!({ "name": "soc", "body": body, "start": start, "enabled": false });
    refused_at(&server, &new(1 << 40), "start").await;
    server.post("/api/v1/forwarders").json(&new(1)).send().await.expect(201);
    let change = server.call(Method::PUT, "/api/v1/forwarders/soc").bearer(server.admin());
    let refused = change.json(&json!({ "body": body, "start": 2 })).send().await;
    assert!(refused.status.is_client_error() && refused.text().contains("start"), "{refused:?}");
    let shown = server.get("/api/v1/forwarders/soc").send().await.expect(200).json();
    assert_eq!(shown["next_index"], 1, "{shown}");
    server.finish().await;
}

#[tokio::test]
async fn what_a_mode_of_servicenow_does_not_use_or_lacks_is_refused() {
    let server = TestServer::start().await;
    let base = json!({ "url": "https://127.0.0.1/" });
    for (settings, dialect, field) in [
        (json!({}), json!("klingon"), "dialect"),
        (json!({ "mode": "akeyless" }), json!("akeyless"), "dialect"),
        (json!({ "mode": "import" }), json!(null), "settings/table"),
        (json!({ "mode": "em_event", "table": "incident" }), json!(null), "settings/table"),
        (json!({ "mode": "akeyless", "table": "incident" }), json!(null), "settings/table"),
        (json!({ "mode": "table", "table": "Incident" }), json!(null), "settings/table"),
    ] {
        let mut all = base.clone();
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let body = json!({ "kind": "servicenow", "settings": all, "dialect": dialect });
        let new = json!({ "name": "snow", "body": body, "secrets": { "token": "x" } });
        refused_at(&server, &new, field).await;
    }
    server.finish().await;
}

#[tokio::test]
async fn mail_without_a_recipient_is_refused_when_it_is_saved() {
    let server = TestServer::start().await;
    for to in [json!(null), json!([]), json!(["nobody"])] {
        let settings = json!({ "server": "127.0.0.1:25", "security": "none",
            "from": "chancery@example.org", "to": to });
        let new = json!({ "name": "mail", "body": { "kind": "email", "settings": settings } });
        refused_at(&server, &new, "settings/to").await;
    }
    server.finish().await;
}

#[tokio::test]
async fn a_forwarder_into_the_own_intake_is_refused() {
    let own = "http://127.0.0.1:9".to_owned();
    let server = TestServer::start_with(|settings, _| settings.public_url = own).await;
    for (url, is_taken) in [
        ("http://127.0.0.1:9/intake/self", false),
        ("http://127.0.0.1:9/Intake/other?x=1", false),
        ("http://127.0.0.1:9/hook", true),
        ("http://127.0.0.1:8/intake/another", true),
    ] {
        let body = json!({ "kind": "webhook", "settings": { "url": url } });
        let new = json!({ "name": format!("f{}", url.len()), "body": body });
        let answer = server.post("/api/v1/forwarders").json(&new).send().await;
        if is_taken {
            answer.expect(201);
            continue;
        }
        let refused = answer.expect(422).json();
        assert_eq!(refused["field"], "settings/url", "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains("leads back"), "{refused}");
    }
    server.finish().await;
}

/// Forbidden addresses as they can be spelled besides.
const SPELLINGS: [&str; 16] = [
    "2852039166",
    "0xa9fea9fe",
    "025177524776",
    "0251.0376.0251.0376",
    "0xa9.0xfe.0xa9.0xfe",
    "169.254.43518",
    "169.16689662",
    "10.1",
    "10.0.1",
    "0xa.1",
    "012.1",
    "167772161",
    "192.168.257",
    "10.0.0.1.",
    "[::ffff:10.0.0.1]",
    "[::ffff:a00:1]",
];

#[tokio::test]
async fn no_spelling_of_a_forbidden_address_is_saved() {
    let server = TestServer::start().await;
    for host in SPELLINGS {
        let port = "8080";
        for (kind, settings, field) in [
            ("webhook", json!({ "url": format!("http://{host}:{port}/") }), "settings/url"),
            (
                "syslog",
                json!({ "address": format!("{host}:{port}"), "transport": "tcp" }),
                "settings/address",
            ),
        ] {
            let body = json!({ "kind": kind, "settings": settings });
            let new = json!({ "name": "never", "body": body });
            let answer = server.post("/api/v1/forwarders").json(&new).send().await;
            let refused = answer.expect(422).json();
            assert_eq!(refused["field"], field, "{host}: {refused}");
            let detail = refused["detail"].as_str().unwrap();
            let is_refused = detail.contains("such addresses are refused");
            // What ends with a dot is a name, and there is none such.
            assert!(is_refused || host.ends_with('.'), "{host}: {detail}");
        }
    }
    let list = server.get("/api/v1/forwarders").send().await.expect(200).json();
    assert_eq!(list["items"], json!([]), "{list}");
    server.finish().await;
}
