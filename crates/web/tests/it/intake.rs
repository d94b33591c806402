//! Events of other systems come in through the public surface.

use axum::http::Method;
use chancery_engine::Role;
use chancery_engine::intake::{BODIES_PER_MINUTE, SAME_MINUTES};
use chancery_event::Timestamp;
use chancery_testkit::{Answer, Authority, Call, TestServer};
use serde_json::{Value, json};

/// Makes a source; answers its secret.
async fn source(server: &TestServer, name: &str, dialect: &str) -> String {
    let wish = json!({ "name": name, "dialect": dialect });
    let made = server.post("/api/v1/intake-sources").json(&wish).send().await.expect(201).json();
    assert!(made["address"].as_str().unwrap().ends_with(&format!("/intake/{name}")));
    made["secret"].as_str().unwrap().to_owned()
}

fn send(server: &TestServer, name: &str, secret: &str, body: &str) -> Call {
    server
        .call(Method::POST, &format!("/intake/{name}"))
        .header("authorization", &format!("Bearer {secret}"))
        .body("application/json", body)
}

/// Events that a search finds, newest first.
async fn found(server: &TestServer, filter: &str) -> Vec<Value> {
    server.settle().await;
    let filter = filter.replace(' ', "+").replace('"', "%22");
    let path = format!("/api/v1/events?limit=100&filter={filter}");
    let page = server.get(&path).send().await.expect(200).json();
    page["items"].as_array().unwrap().iter().map(|item| item["event"].clone()).collect()
}

fn counts(answer: &Answer) -> (u64, u64, u64) {
    let answer = answer.json();
    let count = |name: &str| answer[name].as_u64().unwrap();
    (count("accepted"), count("repeated"), count("unknown"))
}

const OKTA: &str = r#"{"eventType":"com.okta.event_hook","data":{"events":[
    {"eventType":"pki.cert.revoke","uuid":"u1","published":"2026-11-20T08:00:00.123Z","severity":"WARN",
     "outcome":{"result":"SUCCESS"},"actor":{"alternateId":"grace@example.com"},
     "displayMessage":"Revoke certificate","client":{"ipAddress":"192.0.2.7"}},
    {"eventType":"user.session.start","uuid":"u2","outcome":{"result":"FAILURE","reason":"VERIFICATION_ERROR"}}]}}"#;

chancery_testkit::on_each_backend!(an_okta_hook_is_verified_and_its_events_stand_in_the_log_once);

async fn an_okta_hook_is_verified_and_its_events_stand_in_the_log_once() {
    let server = TestServer::start().await;
    let secret = source(&server, "okta-production", "okta").await;
    let hook = |method| {
        let call = server.call(method, "/intake/okta-production");
        call.header("authorization", &secret)
    };
    let challenge = hook(Method::GET).header("x-okta-verification-challenge", "abc").send().await;
    assert_eq!(challenge.expect(200).json(), json!({ "verification": "abc" }));
    let first = hook(Method::POST).body("application/json", OKTA).send().await.expect(200);
    assert_eq!(counts(&first), (2, 0, 1));
    let again = hook(Method::POST).body("application/json", OKTA).send().await.expect(200);
    assert_eq!(counts(&again), (0, 2, 0));

    let all = found(&server, "type:intake.received source:okta-production origin:intake").await;
    assert_eq!(all.len(), 2, "{all:?}");
    let revoked = &found(&server, "source:okta-production \"pki.cert.revoke\"").await[0];
    let data = &revoked["data"];
    assert_eq!(data["detail"]["code"], "pki.cert.revoke");
    assert_eq!(data["detail"]["means"], "certificate.revoke");
    assert_eq!(data["detail"]["happened_at"], "2026-11-20T08:00:00.123000Z");
    assert_eq!(
        (data["severity"].as_str(), data["origin"].as_str()),
        (Some("warning"), Some("intake"))
    );
    assert_eq!(data["personal"]["actor_name"], "grace@example.com");
    assert_eq!(data["personal"]["detail"]["message"], "Revoke certificate");
    assert!(data["personal"]["detail"]["body"].as_str().unwrap().contains("192.0.2.7"));
    let failed = &found(&server, "source:okta-production outcome:failure").await[0];
    assert_eq!(failed["data"]["detail"]["code"], "user.session.start");
    assert_eq!(failed["data"]["detail"]["means"], Value::Null);
    let sources = server.get("/api/v1/intake-sources").send().await.expect(200).json();
    let figures = &sources["items"][0];
    assert_eq!((figures["accepted"].as_i64(), figures["repeated"].as_i64()), (Some(2), Some(2)));
    assert_eq!(figures["unknown"], 1);

    let viewer = server.token(Role::Viewer).await;
    let path = "/api/v1/events?filter=type:intake.received";
    let seen = server.call(Method::GET, path).bearer(&viewer).send().await.expect(200).text();
    assert!(!seen.contains("grace") && !seen.contains("VERIFICATION_ERROR"), "{seen}");
    server.finish().await;
}

chancery_testkit::on_each_backend!(cloudevents_come_in_all_modes_after_the_handshake);

async fn cloudevents_come_in_all_modes_after_the_handshake() {
    let server = TestServer::start().await;
    let secret = source(&server, "builds", "cloudevents").await;
    let asked = server
        .call(Method::OPTIONS, "/intake/builds")
        .header("webhook-request-origin", "ci.example.com")
        .header("webhook-request-rate", "100000")
        .send()
        .await
        .expect(200);
    assert_eq!(asked.header("webhook-allowed-origin"), "ci.example.com");
    assert_eq!(asked.header("webhook-allowed-rate"), "600");
    server.call(Method::OPTIONS, "/intake/builds").send().await.expect(400);
    let event = |id: u32| {
        json!({ "specversion": "1.0", "id": id.to_string(), "source": "/ci",
        "type": "com.example.build.failed", "data": { "severity": "error" } })
    };
    let one = send(&server, "builds", &secret, &event(1).to_string()).send().await.expect(200);
    assert_eq!(counts(&one), (1, 0, 1));
    let batch = json!([event(1), event(2), event(3)]).to_string();
    let many = send(&server, "builds", &secret, &batch).send().await.expect(200);
    assert_eq!(counts(&many), (2, 1, 2));
    let binary = send(&server, "builds", &secret, "{\"severity\":\"error\"}")
        .header("ce-specversion", "1.0")
        .header("ce-id", "4")
        .header("ce-source", "/ci")
        .header("ce-type", "com.example.build.failed");
    assert_eq!(counts(&binary.send().await.expect(200)), (1, 0, 1));
    assert_eq!(found(&server, "source:builds severity:error").await.len(), 4);

    let own = server.get("/api/v1/events/0?dialect=cloudevents").send().await.expect(200).text();
    let back = send(&server, "builds", &secret, &own).send().await.expect(200);
    assert_eq!(counts(&back), (0, 1, 0), "what comes back from here is not news");
    server.finish().await;
}

/// The same certificate, named by every system.
fn bodies(fingerprint: &str, sha1: &str, serial: &str) -> [(&'static str, String); 7] {
    [
        (
            "akeyless",
            format!(
                r#"{{"Akeyless_Events":{{"Certificate_Expired":[{{"name":"/prod/www","payload":{{"certificate_details":{{"fingerprint":"{fingerprint}"}}}}}}]}}}}"#
            ),
        ),
        (
            "horizon",
            format!(
                r#"{{"code":"LIFECYCLE-REVOKE","_id":"65a1","status":"warning","details":[{{"key":"certificateSerial","value":"00{serial}"}},{{"key":"certificateIssuer","value":"cn=intake ca"}}]}}"#
            ),
        ),
        (
            "czertainly",
            format!(
                r#"{{"event":"certificate_expiring","notificationData":{{"fingerprint":"{fingerprint}","subjectDn":"CN=x"}}}}"#
            ),
        ),
        (
            "qcecuring",
            format!(
                r#"{{"action":"RENEWAL_FAILED","log_id":"q1","entity_id":"c","details":{{"fingerprint_sha256":"{fingerprint}"}}}}"#
            ),
        ),
        (
            "okta",
            format!(
                r#"{{"eventType":"pki.cert.revoke","uuid":"9f6f4a5e-0000-11ee-be56-0242ac120002","published":"2026-11-20T08:00:00.123Z","target":[{{"type":"Certificate","detailEntry":{{"fingerprint":"{sha1}","fingerprint_algorithm":"SHA1"}}}}]}}"#
            ),
        ),
        ("cef", format!("CEF:0|V|P|1|LIFECYCLE-ENROLL|n|3|externalId=7 cs1={fingerprint}")),
        (
            "rfc5424",
            format!(
                "<109>1 2026-11-21T09:30:00Z h horizon - - - {{\"code\":\"LIFECYCLE-RENEW\",\"_id\":\"1\",\"details\":[{{\"key\":\"certificateThumbprint\",\"value\":\"{fingerprint}\"}}]}}"
            ),
        ),
    ]
}

chancery_testkit::on_each_backend!(lines_of_horizon_come_in_together_and_count_once);

async fn lines_of_horizon_come_in_together_and_count_once() {
    let server = TestServer::start().await;
    let secret = source(&server, "horizon", "horizon").await;
    let line = |id: &str, code: &str| {
        json!({ "type": "event", "event": { "_id": id, "code": code, "node": "h1",
            "status": "success", "timestamp": 1_795_253_400_000_i64,
            "details": [{ "key": "actorId", "value": "grace" }] } })
    };
    let lines = [line("a1", "LIFECYCLE-REVOKE"), line("a2", "LIFECYCLE-RENEW"), line("a3", "X-Y")];
    let body = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let first = send(&server, "horizon", &secret, &body).send().await.expect(200);
    assert_eq!(counts(&first), (3, 0, 1), "{}", first.text());
    // `tail` sends some of them again, with what came since.
    let more = format!("{}\n{}\r\n{}", lines[1], lines[2], line("a4", "LIFECYCLE-ENROLL"));
    let again = send(&server, "horizon", &secret, &more).send().await.expect(200);
    assert_eq!(counts(&again), (1, 2, 0), "{}", again.text());
    let all = found(&server, "type:intake.received source:horizon").await;
    let code = |event: &Value| event["data"]["detail"]["code"].as_str().unwrap().to_owned();
    let codes: Vec<String> = all.iter().rev().map(code).collect();
    assert_eq!(codes, ["LIFECYCLE-REVOKE", "LIFECYCLE-RENEW", "X-Y", "LIFECYCLE-ENROLL"]);
    assert_eq!(all[3]["data"]["detail"]["means"], "certificate.revoke");
    server.finish().await;
}

chancery_testkit::on_each_backend!(every_system_is_read_and_named_certificates_are_linked);

async fn every_system_is_read_and_named_certificates_are_linked() {
    let server = TestServer::start().await;
    let authority = Authority::new("Intake CA", server.now());
    let leaf = authority.leaf("www.example.org", server.now(), 90);
    let pem = leaf.to_pem();
    let upload =
        server.post("/api/v1/certificates").body("application/x-pem-file", pem.into_bytes());
    let upload = upload.send().await;
    assert!(upload.status.is_success(), "{}", upload.text());
    server.settle().await;
    let inventory = server.get("/api/v1/certificates?limit=1").send().await.expect(200).json();
    let certificate = &inventory["items"][0];
    let of = |name: &str| {
        certificate[name].as_str().unwrap_or_else(|| panic!("{certificate}")).to_owned()
    };
    let (id, fingerprint) = (
        of("id"),
        leaf.fingerprint_sha256.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    );
    let serial = leaf.serial.to_uppercase();
    let whole = server.get(&format!("/api/v1/certificates/{id}")).send().await.expect(200).json();
    let sha1 = whole["fingerprint_sha1"].as_str().unwrap();
    let bodies = bodies(&fingerprint, sha1, &serial);
    for (dialect, body) in &bodies {
        let secret = source(&server, dialect, dialect).await;
        let sent = send(&server, dialect, &secret, body).send().await.expect(200);
        assert_eq!(counts(&sent), (1, 0, 0), "{dialect}");
        let about = found(&server, &format!("source:{dialect} certificate:{id}")).await;
        assert_eq!(about.len(), 1, "{dialect}: the certificate is linked");
        assert_eq!(about[0]["data"]["detail"]["linked"], 1, "{dialect}");
    }
    let unknown = format!(
        r#"{{"event":"certificate_expiring","notificationData":{{"fingerprint":"{}"}}}}"#,
        "ab".repeat(32)
    );
    let renewed =
        server.call(Method::PATCH, "/api/v1/intake-sources/czertainly").bearer(server.admin());
    let renewed = renewed.json(&json!({ "renew_secret": true })).send().await.expect(200).json();
    let secret = renewed["secret"].as_str().unwrap();
    send(&server, "czertainly", secret, &unknown).send().await.expect(200);
    let event = &found(&server, "source:czertainly").await[0]["data"]["detail"];
    assert_eq!((event["named"].as_u64(), event["linked"].as_u64()), (Some(1), Some(0)));
    assert_eq!(event["unknown_certificates"][0], "ab".repeat(32));
    server.finish().await;
}

chancery_testkit::on_each_backend!(without_the_secret_of_an_enabled_source_nothing_comes_in);

async fn without_the_secret_of_an_enabled_source_nothing_comes_in() {
    let server = TestServer::start().await;
    let secret = source(&server, "akeyless", "akeyless").await;
    let body = r#"{"Certificate_Expired":[{"name":"/a"}]}"#;
    let to = |path: &str| server.call(Method::POST, path).body("application/json", body);
    for call in [
        to("/intake/akeyless"),
        to("/intake/akeyless").header("authorization", "Bearer chi_wrong"),
        to("/intake/nobody").header("authorization", &format!("Bearer {secret}")),
        to("/intake/akeyless").header("authorization", &format!("Digest {secret}")),
        to("/intake/akeyless").bearer(server.admin()),
    ] {
        let refused = call.send().await.expect(401);
        assert_eq!(refused.reason(), "unauthenticated");
    }
    server.call(Method::GET, "/intake/akeyless").send().await.expect(401);
    use base64::Engine as _;
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let ways = [
        ("authorization", format!("Basic {}", base64(&format!("user:{secret}")))),
        ("authorization", format!("Bearer {}", base64(&secret))),
        ("x-intake-token", secret.clone()),
    ];
    for (place, (name, value)) in ways.into_iter().enumerate() {
        let sent = to("/intake/akeyless").header(name, &value).send().await.expect(200);
        assert_eq!(counts(&sent), (u64::from(place == 0), u64::from(place > 0), 0));
    }
    to(&format!("/intake/akeyless?access_token={secret}")).send().await.expect(200);
    let change =
        server.call(Method::PATCH, "/api/v1/intake-sources/akeyless").bearer(server.admin());
    change.json(&json!({ "enabled": false })).send().await.expect(204);
    send(&server, "akeyless", &secret, body).send().await.expect(401);
    server.delete("/api/v1/intake-sources/akeyless").send().await.expect(204);
    server.delete("/api/v1/intake-sources/akeyless").send().await.expect(404);
    let changes = found(&server, "type:configuration.* third_party:akeyless").await;
    assert_eq!(changes.len(), 4, "made, disabled, deleted, and one that was not there");
    assert!(!changes.iter().any(|event| event.to_string().contains(&secret)));
    server.finish().await;
}

chancery_testkit::on_each_backend!(what_cannot_be_read_is_refused_whole_counted_and_recorded);

async fn what_cannot_be_read_is_refused_whole_counted_and_recorded() {
    let (server, _clock) = TestServer::start_standing(12, |_, _| {}).await;
    let secret = source(&server, "horizon", "horizon").await;
    let body = "{\"code\":\"SERVICE-START\",\"_id\":\"1\"}\n{\"status\":\"success\"}";
    for _ in 0..8 {
        let refused = send(&server, "horizon", &secret, body).send().await.expect(400);
        let told = refused.json();
        assert_eq!(told["detail"], "event 2: `code` is missing: it tells what happened");
    }
    assert!(found(&server, "type:intake.received").await.is_empty(), "all or nothing");
    let refusals = found(&server, "type:intake.refused source:horizon").await;
    assert_eq!(refusals.len(), 5, "a few a minute");
    assert_eq!(refusals[0]["data"]["outcome"]["reason"], "malformed");
    let sources = server.get("/api/v1/intake-sources").send().await.expect(200).json();
    assert_eq!(sources["items"][0]["refused"], 8);
    send(&server, "horizon", &secret, &"x".repeat(1_100_000)).send().await.expect(413);
    for wish in [
        json!({ "name": "Bad Name", "dialect": "okta" }),
        json!({ "name": "x", "dialect": "klingon" }),
        json!({ "name": "", "dialect": "okta" }),
    ] {
        server.post("/api/v1/intake-sources").json(&wish).send().await.expect(422);
    }
    let taken = json!({ "name": "horizon", "dialect": "okta" });
    server.post("/api/v1/intake-sources").json(&taken).send().await.expect(409);
    let (cookie, _) = server.session();
    let page = server.call(Method::GET, "/administration/sources").header("cookie", &cookie);
    let page = page.send().await.expect(200).text();
    assert!(page.contains("source:horizon") && page.contains("Make source"), "{page}");
    server.finish().await;
}

chancery_testkit::on_each_backend!(a_foreign_event_fires_a_trigger_that_raises_an_alert);

async fn a_foreign_event_fires_a_trigger_that_raises_an_alert() {
    let server = TestServer::start().await;
    let make = |class: &str, name: &str, body: Value| {
        let new = json!({ "name": name, "body": body });
        server.post(&format!("/api/v1/automation/{class}")).json(&new)
    };
    let rule = json!({ "filter": "detail.code:pki.cert.revoke detail.source:okta" });
    make("rules", "revoked-there", rule).send().await.expect(201);
    let steps =
        json!([{ "step": "raise_alert", "kind": "foreign", "title": "Okta: {detail.code}" }]);
    make("actions", "tell", json!({ "steps": steps })).send().await.expect(201);
    let trigger = json!({ "event_types": ["intake.received"], "rules": ["revoked-there"],
        "actions": ["tell"] });
    make("triggers", "okta-revocations", trigger).send().await.expect(201);
    let secret = source(&server, "okta", "okta").await;
    send(&server, "okta", &secret, OKTA).send().await.expect(200);
    for _ in 0..3_000 {
        let alerts = server.get("/api/v1/alerts").send().await.expect(200).json();
        let alerts = alerts["items"].as_array().unwrap();
        if let Some(alert) = alerts.iter().find(|alert| alert["kind"] == "foreign") {
            assert_eq!(alert["title"], "Okta: pki.cert.revoke");
            assert_eq!(alerts.len(), 1, "the other event of the body does not fit: {alerts:?}");
            return server.finish().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("no alert came");
}

chancery_testkit::on_each_backend!(what_says_neither_who_nor_when_is_a_repetition_for_minutes_only);

async fn what_says_neither_who_nor_when_is_a_repetition_for_minutes_only() {
    let (server, clock) = TestServer::start_standing(8, |_, _| {}).await;
    let minute = 60 * Timestamp::SECOND;
    // The same bytes every time that the job ends.
    let job = r#"{"event":"scheduled_job_finished","notificationData":{"jobName":"sync","jobType":"discovery","status":"Succeeded"}}"#;
    let dated = r#"{"event":"scheduled_job_finished","timestamp":"2026-11-20T08:00:00Z","notificationData":{"jobName":"sync"}}"#;
    let item = r#"{"rotated-secret-failure":[{"name":"/prod/db"}]}"#;
    let czertainly = source(&server, "czertainly", "czertainly").await;
    let akeyless = source(&server, "akeyless", "akeyless").await;
    let sent = async |name: &str, secret: &str, body: &str| {
        counts(&send(&server, name, secret, body).send().await.expect(200))
    };
    let each = async |expected: u64| {
        for (name, secret, body) in
            [("czertainly", &czertainly, job), ("akeyless", &akeyless, item)]
        {
            let (accepted, repeated, _) = sent(name, secret, body).await;
            assert_eq!((accepted, repeated), (expected, 1 - expected), "{name}");
        }
    };
    each(1).await;
    each(0).await;
    clock.advance(SAME_MINUTES * minute - 1);
    // A sender that tries again does not make the window longer.
    each(0).await;
    clock.advance(2);
    each(1).await;
    each(0).await;
    assert_eq!(sent("czertainly", &czertainly, dated).await.0, 1);
    clock.advance(6 * Timestamp::DAY);
    assert_eq!(sent("czertainly", &czertainly, dated).await, (0, 1, 0), "it says when it was");
    each(1).await;
    let mut server = server;
    server.renew().await;
    server.finish().await;
}

#[tokio::test]
async fn a_source_that_sends_too_much_is_asked_to_wait() {
    let (server, clock) = TestServer::start_standing(9, |_, _| {}).await;
    let (noisy, calm) =
        (source(&server, "noisy", "akeyless").await, source(&server, "calm", "akeyless").await);
    let body = r#"{"Certificate_Expired":[{"name":"/a"}]}"#;
    for number in 0..BODIES_PER_MINUTE {
        let sent = send(&server, "noisy", &noisy, body).send().await.expect(200);
        assert_eq!(counts(&sent).0, u64::from(number == 0));
    }
    let refused = send(&server, "noisy", &noisy, body).send().await.expect(429);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    send(&server, "calm", &calm, body).send().await.expect(200);
    clock.advance(60 * Timestamp::SECOND);
    send(&server, "noisy", &noisy, body).send().await.expect(200);
    let mut server = server;
    server.renew().await;
    server.finish().await;
}

#[tokio::test]
async fn every_status_that_a_job_reaches_is_an_event() {
    let server = TestServer::start().await;
    let secret = source(&server, "qcecuring", "qcecuring").await;
    for (status, expected) in
        [("QUEUED", (1, 0)), ("RUNNING", (1, 0)), ("FAILED", (1, 0)), ("FAILED", (0, 1))]
    {
        let job = json!({ "id": "j1", "name": "renew www", "type": "RENEW_CERT",
            "status": status, "scheduled": "2026-11-20T08:00:00Z" });
        let sent = send(&server, "qcecuring", &secret, &job.to_string()).send().await;
        let (accepted, repeated, _) = counts(&sent.expect(200));
        assert_eq!((accepted, repeated), expected, "{status}");
    }
    let failed = found(&server, "source:qcecuring outcome:failure").await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    server.finish().await;
}
