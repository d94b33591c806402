//! The published log, proofs, health, figures.

use axum::http::Method;
use chancery_engine::Role;
use chancery_seal::tlog_proof::TlogProof;
use chancery_seal::{Trust, Verifier};
use chancery_testkit::TestServer;

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
        "chancery_certificates 0".to_owned(),
        "chancery_http_requests_total{method=\"GET\",route=\"/health/ready\",status=\"200\"} 1"
            .to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    server.finish().await;
    let server = TestServer::start_with(|_, options| options.metrics_public = true).await;
    server.call(Method::GET, "/metrics").send().await.expect(200);
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
