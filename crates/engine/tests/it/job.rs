//! Asynchronous uploads and imports run as jobs.

use chancery_engine::Context;
use chancery_engine::inventory::{Source, UploadAnswer, UploadMode};
use chancery_pki::Certificate;

use crate::upload::{leaf, start, upload_of};

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_upload_is_a_job_that_ends() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let mut pem = String::new();
    for number in 0..300 {
        let der = leaf(&format!("host{number}.example.com"));
        pem.push_str(&Certificate::parse(&der).unwrap().to_pem());
    }
    pem.push_str("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let mut upload = upload_of(pem.into_bytes());
    (upload.mode, upload.source) = (UploadMode::Async, Source::Import);
    let UploadAnswer::Queued(id) = engine.upload(&context, upload.clone()).await.unwrap() else {
        panic!("an asynchronous upload is queued");
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let job = loop {
        let job = engine.job(&context, id).await.unwrap();
        if job.state == "success" || job.state == "failed" {
            break job;
        }
        assert!(std::time::Instant::now() < deadline, "{job:?}");
        tokio::task::yield_now().await;
    };
    assert_eq!((job.state.as_str(), job.done, job.total), ("success", 301, 301), "{job:?}");
    let result: serde_json::Value = serde_json::from_str(&job.result.unwrap()).unwrap();
    assert_eq!((&result["added"], &result["invalid"]), (&300.into(), &1.into()));
    let ended = engine.cancel_job(&context, id).await;
    assert_eq!(ended.unwrap_err().reason(), "ended");

    let mut nothing = upload;
    nothing.bytes = b"hello".to_vec();
    let UploadAnswer::Queued(id) = engine.upload(&context, nothing).await.unwrap() else {
        panic!("an asynchronous upload is queued");
    };
    while engine.job(&context, id).await.unwrap().state != "failed" {
        assert!(std::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    running.stop().await.unwrap();
}
