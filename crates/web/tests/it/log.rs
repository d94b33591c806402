//! The published log, proofs, health, figures.

use axum::http::Method;
use chancery_engine::Role;
use chancery_seal::tlog_proof::TlogProof;
use chancery_seal::{Trust, Verifier};
use chancery_testkit::TestServer;
use serde_json::Value;

use crate::browser::Browser;

#[tokio::test]
async fn anybody_gets_tiles_and_auditors_entries() {
    let server = TestServer::start().await;
    server.settle().await;
    let checkpoint = server.call(Method::GET, "/log/checkpoint").send().await.expect(200);
    assert_eq!(checkpoint.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(checkpoint.header("cache-control"), "no-cache");
    let size: u64 = checkpoint.text().lines().nth(1).unwrap().parse().unwrap();
    let tile = server.call(Method::GET, &format!("/log/tile/0/000.p/{size}")).send().await;
    let tile = tile.expect(200);
    assert_eq!(tile.bytes.len() as u64, size * 32);
    assert!(tile.header("cache-control").contains("immutable"));
    // A narrower tile is its beginning, and stays as it is.
    let narrow = server.call(Method::GET, "/log/tile/0/000.p/1").send().await.expect(200);
    assert_eq!(narrow.bytes, tile.bytes[..32]);
    for wrong in
        ["0/000", "0/001", "1/000", "0/000.p/0", "0/000.p/256", "0/0", "x/000", "0/000.p/255"]
    {
        let answer = server.call(Method::GET, &format!("/log/tile/{wrong}")).send().await;
        assert_eq!(answer.expect(404).reason(), "not_found", "{wrong}");
    }
    let bundle = format!("/log/tile/entries/000.p/{size}");
    let viewer = server.token(Role::Viewer).await;
    server.call(Method::GET, &bundle).bearer(&viewer).send().await.expect(403);
    let auditor = server.token(Role::Auditor).await;
    let entries = server.call(Method::GET, &bundle).bearer(&auditor).send().await.expect(200);
    assert!(entries.header("cache-control").starts_with("private"));
    server.get("/log/tile/entries/009").send().await.expect(404);
    server.finish().await;
}

#[tokio::test]
async fn an_event_proves_itself_off_line() {
    let server = TestServer::start().await;
    server.settle().await;
    let key = server.call(Method::GET, "/log/vkey").send().await.expect(200).text();
    let verifier: Verifier = key.trim().parse().unwrap();
    let trust = Trust::new(verifier.name(), vec![verifier.clone()]);
    let first = server.get("/api/v1/events/0").send().await.expect(200).json();
    let id = first["event"]["id"].as_str().unwrap().to_owned();
    let entry = server.get(&format!("/api/v1/events/{id}/entry")).send().await.expect(200).bytes;
    let proof = server.get(&format!("/api/v1/events/{id}/proof")).send().await.expect(200);
    assert!(proof.header("content-type").starts_with("text/plain"));
    let proof: TlogProof = proof.text().parse().unwrap();
    proof.verify(&entry, &trust).unwrap();
    assert!(proof.verify(&[entry.as_slice(), b" "].concat(), &trust).is_err());
    server.finish().await;
}

#[tokio::test]
async fn the_log_verifies_on_the_server_too() {
    let server = TestServer::start().await;
    server.settle().await;
    let size = server.engine().figures().await.unwrap().log_size;
    let report = server.post("/api/v1/log/verify").send().await.expect(200).json();
    assert_eq!(report["entries"], size);
    server.finish().await;
}

#[tokio::test]
async fn a_long_log_is_verified_by_a_job() {
    let server = TestServer::start().await;
    server.settle().await;
    let size = server.engine().figures().await.unwrap().log_size;
    let queued = server.post("/api/v1/log/verify?mode=async").send().await.expect(202);
    let place = queued.header("location").to_owned();
    assert_eq!(place, format!("/api/v1/jobs/{}", queued.json()["job"].as_str().unwrap()));
    let job = ended(&server, &place).await;
    assert_eq!((&job["state"], &job["kind"]), (&"success".into(), &"log.verify".into()));
    assert_eq!(job["done"], job["total"]);
    assert!(job["result"]["count"].as_u64().unwrap() >= size, "{job}");
    server.settle().await;
    let filter = "/api/v1/events?filter=type:log.verify";
    let events = server.get(filter).send().await.expect(200).json();
    assert_eq!(events["items"].as_array().unwrap().len(), 1);
    let wrong = server.post("/api/v1/log/verify?mode=soon").send().await.expect(422);
    assert_eq!(wrong.json()["field"], "mode");
    let viewer = server.token(Role::Viewer).await;
    let call = server.call(Method::POST, "/api/v1/log/verify?mode=async").bearer(&viewer);
    call.send().await.expect(403);
    server.finish().await;
}

/// The job at an address, when it has ended.
async fn ended(server: &TestServer, place: &str) -> Value {
    let is_over = |job: &Value| !matches!(job["state"].as_str(), Some("queued" | "running"));
    server.until(place, is_over).await
}

#[tokio::test]
async fn a_backup_is_asked_for_and_recorded() {
    let server = TestServer::start().await;
    let operator = server.token(Role::Operator).await;
    let call = server.call(Method::POST, "/api/v1/backups").bearer(&operator);
    call.send().await.expect(403);
    let queued = server.post("/api/v1/backups").send().await.expect(202);
    let job = ended(&server, queued.header("location")).await;
    if server.engine().settings().database.is_some() {
        assert_eq!(job["state"], "failed", "{job}");
        assert!(job["error"].as_str().unwrap().contains("pg_dump"), "{job}");
        return server.finish().await;
    }
    assert_eq!(job["state"], "success", "{job}");
    let directory = std::path::PathBuf::from(job["result"]["directory"].as_str().unwrap());
    assert!(directory.join("chancery.db").is_file() && directory.join("keys/log.vkey").is_file());
    let beside: Vec<_> = std::fs::read_dir(directory.parent().unwrap()).unwrap().collect();
    assert_eq!(beside.len(), 1, "nothing half done stays behind");
    server.settle().await;
    let events = server.get("/api/v1/events?filter=type:backup.create").send().await;
    let event = events.expect(200).json()["items"][0]["event"].clone();
    assert_eq!(event["data"]["detail"]["bytes_sha256"], job["result"]["sha256"]);
    assert_eq!(event["data"]["actor"]["kind"], "account");
    server.finish().await;
}

#[tokio::test]
async fn health_and_figures_tell_how_it_is() {
    let server = TestServer::start().await;
    server.settle().await;
    server.call(Method::GET, "/health/live").send().await.expect(200);
    let ready = server.call(Method::GET, "/health/ready").send().await.expect(200).json();
    assert_eq!(ready["status"], "ok");
    assert!(ready["findings"].as_array().unwrap().iter().all(|finding| finding["good"] == true));
    server.call(Method::GET, "/metrics").send().await.expect(401);
    let text = server.get("/metrics").send().await.expect(200).text();
    let size = server.engine().figures().await.unwrap().log_size;
    for line in [
        format!("chancery_events_sealed_total {size}"),
        "chancery_events_pending 0".to_owned(),
        "chancery_seal_lag_seconds 0".to_owned(),
        "chancery_sealing_stopped 0".to_owned(),
        "chancery_certificates 0".to_owned(),
        "chancery_http_requests_total{method=\"GET\",route=\"/health/ready\",status=\"200\"} 1"
            .to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    // It was told to stop: balancers are to know before it does.
    server.engine().health().leaves();
    let leaving = server.call(Method::GET, "/health/ready").send().await.expect(503).json();
    let told = leaving["findings"].as_array().unwrap().iter().find(|f| f["part"] == "node");
    assert_eq!(told.unwrap()["message"], "this node is stopping");
    server.finish().await;
}

#[tokio::test]
async fn verification_and_sealing_do_not_disturb_each_other() {
    let server = TestServer::start().await;
    server.settle().await;
    for _ in 0..40 {
        let (report, _) = tokio::join!(
            server.post("/api/v1/log/verify").send(),
            server.post("/api/v1/log/verify").send(),
        );
        report.expect(200);
    }
    server.finish().await;
}

#[tokio::test]
async fn the_page_of_the_log_says_what_was_put_back() {
    for (lost, told) in [
        (None, Some("nobody said how far the log had been. It goes on from index 1,200")),
        (Some(50), Some("lacked published entries (50 from index 1,200 on)")),
        (Some(0), None),
    ] {
        let published = lost.map(|lost| (1_200 + lost, chancery_seal::leaf_hash(b"lost")));
        let restored = chancery_engine::backup::Restored { log_size: 1_200, published };
        let server = TestServer::start_with(|settings, _| settings.restored = Some(restored)).await;
        server.settle().await;
        let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
        let page = browser.get("/log-view").await.expect(200).text();
        assert!(page.contains("Put back from a copy"), "{page}");
        assert_eq!(page.contains("The data was put back from a copy"), told.is_some(), "{page}");
        assert!(told.is_none_or(|told| page.contains(told)), "{page}");
        server.finish().await;
    }
}
