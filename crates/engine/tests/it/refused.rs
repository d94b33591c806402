//! Imports of which not everything comes in: what the log and the job say of it.

use chancery_engine::inventory::{Source, Upload, UploadAnswer, UploadMode};
use chancery_engine::{Context, Engine, bench};
use chancery_event::id::JobId;
use chancery_pki::Certificate;
use chancery_store::Fault;
use chancery_store::table::job::Job;
use chancery_throwaway::on_each_backend;
use serde_json::{Value, json};

use crate::access::events;
use crate::kept_out::pem;
use crate::upload::{leaf, start, upload_of};

/// Certificates of one transaction.
const CHUNK: usize = 512;
const BROKEN: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

fn import(bytes: Vec<u8>, mode: UploadMode) -> Upload {
    Upload { mode, source: Source::Import, ..upload_of(bytes) }
}

async fn queue(engine: &Engine, context: &Context, bytes: Vec<u8>) -> JobId {
    match engine.upload(context, import(bytes, UploadMode::Async)).await.unwrap() {
        UploadAnswer::Queued(id) => id,
        UploadAnswer::Done(_) => panic!("an asynchronous upload is queued"),
    }
}

/// The job as soon as this can be said of it. What it does becomes events, and those wake whoever
/// waits for the log.
async fn job_that(engine: &Engine, id: JobId, wanted: impl Fn(&Job) -> bool) -> Job {
    let context = Context::command_line(engine.environment());
    let mut sealed = engine.sealed();
    loop {
        sealed.mark_unchanged();
        let job = engine.job(&context, id).await.unwrap();
        if wanted(&job) {
            return job;
        }
        sealed.changed().await.unwrap();
    }
}

/// The details of the events that a filter selects.
async fn details(engine: &Engine, filter: &str) -> Vec<Value> {
    let seen = events(engine, filter).await;
    seen.into_iter().map(|seen| Value::Object(seen.event.detail)).collect()
}

on_each_backend!(an_import_that_ends_early_says_how_far_it_came, 2);

async fn an_import_that_ends_early_says_how_far_it_came() {
    for (fault, added) in [(Fault::NotPersisted, CHUNK), (Fault::Persisted, 600)] {
        let dir = tempfile::tempdir().unwrap();
        let running = start(dir.path()).await;
        let engine = running.engine();
        let context = Context::command_line(engine.environment());
        for fault in [Fault::Spared, fault] {
            bench::store(engine).inject("import.chunk", fault);
        }
        let bytes = pem((0..600).map(|number| format!("host{number}.example.com")));
        let answer = engine.upload(&context, import(bytes, UploadMode::Sync)).await;
        assert_eq!(answer.map(|_| ()).unwrap_err().reason(), "unavailable");
        let told = details(engine, "type:certificate.import outcome:failure").await;
        assert_eq!(told.len(), 1);
        assert_eq!((&told[0]["added"], &told[0]["count"]), (&json!(added), &json!(600)));
        let all = engine.parse_certificate_filter("").await.unwrap();
        assert_eq!(engine.certificate_count(&context, &all).await.unwrap(), added as u64);
        running.stop().await.unwrap();
    }
}

on_each_backend!(an_import_that_is_cancelled_says_how_far_it_came, 2);

async fn an_import_that_is_cancelled_says_how_far_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let count = 10 * CHUNK;
    let bytes = pem((0..count).map(|number| format!("host{number}.example.com")));
    let id = queue(engine, &context, bytes).await;
    job_that(engine, id, |job| job.done > 0).await;
    engine.cancel_job(&context, id).await.unwrap();
    let mut sealed = engine.sealed();
    let told = loop {
        sealed.mark_unchanged();
        let told = details(engine, "type:certificate.import").await;
        if !told.is_empty() {
            break told;
        }
        sealed.changed().await.unwrap();
    };
    let all = engine.parse_certificate_filter("").await.unwrap();
    let added = engine.certificate_count(&context, &all).await.unwrap();
    assert!((CHUNK as u64..count as u64).contains(&added), "{added}");
    assert_eq!(told[0]["added"], added);
    assert_eq!(events(engine, "type:certificate.import outcome:failure").await.len(), 1);
    running.stop().await.unwrap();
}

on_each_backend!(what_an_import_refuses_is_told_one_by_one, 2);

async fn what_an_import_refuses_is_told_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let known = leaf("known.example.com");
    let parsed = Certificate::parse(&known).unwrap();
    engine.upload(&context, upload_of(known)).await.unwrap();
    let mut bytes = pem((0..1_198).map(|number| format!("host{number}.example.com")));
    bytes.extend_from_slice(parsed.to_pem().as_bytes());
    bytes.extend_from_slice(BROKEN.as_bytes());

    let id = queue(engine, &context, bytes.clone()).await;
    let job = job_that(engine, id, |job| job.completed_at.is_some()).await;
    assert_eq!(job.state, "success", "{job:?}");
    let result: Value = serde_json::from_str(&job.result.unwrap()).unwrap();
    let items = result["items"].as_array().unwrap();
    assert_eq!(items.len(), 1_000);
    assert_eq!((&items[0]["position"], &items[0]["error"]), (&json!(1_198), &json!("duplicate")));
    assert_eq!((&items[1]["position"], &items[1]["error"]), (&json!(1_199), &json!("malformed")));
    assert_eq!(items[2]["position"], 0);

    let filter = "type:certificate.upload outcome:failure";
    let broken = events(engine, &format!("{filter} reason:malformed")).await;
    let twice = events(engine, &format!("{filter} reason:duplicate")).await;
    assert_eq!((broken.len(), twice.len()), (1, 1));
    let cause = events(engine, "type:certificate.import").await[0].event.id;
    for seen in broken.iter().chain(&twice) {
        let detail = &seen.event.detail;
        assert_eq!((&detail["mode"], &detail["count"]), (&json!("async"), &json!(1)));
        assert_eq!((&detail["job_id"], seen.event.cause), (&json!(id.to_string()), Some(cause)));
    }
    assert_eq!(twice[0].event.detail["serial_number"], parsed.serial);
    assert_eq!(twice[0].event.targets[0].id, twice[0].event.detail["duplicate_of"]);
    let told = format!("{:?}", broken[0].event.personal);
    assert!(told.contains("certificate 1200"), "{told}");

    // At once, each is told again, and now every one that can be read is a duplicate.
    engine.upload(&context, import(bytes, UploadMode::Sync)).await.unwrap();
    assert!(engine.settle(std::time::Duration::from_secs(60)).await);
    let filter = engine.parse_event_filter(&format!("{filter} reason:duplicate")).unwrap();
    let count = engine.event_count(&context, &filter).await.unwrap();
    assert_eq!((count.value, count.at_least), (1 + 1_199, false));
    running.stop().await.unwrap();
}
