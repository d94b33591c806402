//! An upload that is not waited for: queued, run, listed, recorded.

use chancery_engine::access::AccountChange;
use chancery_engine::inventory::{Source, Upload, UploadAnswer, UploadMode};
use chancery_engine::{Context, Engine, Role};
use chancery_event::id::JobId;
use chancery_pki::Certificate;
use chancery_throwaway::on_each_backend;

use crate::access::{PASSWORD, enter, events, new_account, told};
use crate::upload::{leaf, start, upload_of};

async fn queue(engine: &Engine, context: &Context, bytes: Vec<u8>) -> JobId {
    let upload = Upload { mode: UploadMode::Async, ..upload_of(bytes) };
    match engine.upload(context, upload).await.unwrap() {
        UploadAnswer::Queued(id) => id,
        UploadAnswer::Done(_) => panic!("an asynchronous upload is queued"),
    }
}

/// Waits until a job has ended; its end is an event, and events wake whoever waits for the log.
async fn ended(engine: &Engine, context: &Context, id: JobId) -> String {
    let mut sealed = engine.sealed();
    loop {
        sealed.mark_unchanged();
        let job = engine.job(context, id).await.unwrap();
        if job.completed_at.is_some() {
            return job.state;
        }
        sealed.changed().await.unwrap();
    }
}

on_each_backend!(an_upload_becomes_a_job_that_brings_the_certificate_in, 2);

async fn an_upload_becomes_a_job_that_brings_the_certificate_in() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let der = leaf("www.example.com");
    let good = queue(engine, &context, der.clone()).await;
    assert_eq!(ended(engine, &context, good).await, "success");
    let twice = queue(engine, &context, der).await;
    assert_eq!(ended(engine, &context, twice).await, "failed");
    let job = engine.job(&context, good).await.unwrap();
    let result: serde_json::Value = serde_json::from_str(job.result.as_deref().unwrap()).unwrap();
    assert_eq!((&result["added"], job.attempts, job.context.as_str()), (&1.into(), 1, "{}"));

    let page = engine.jobs(&context, None, None, None, 1).await.unwrap();
    assert_eq!(page[0].id, twice);
    let before = Some((page[0].scheduled_at, page[0].id));
    let rest = engine.jobs(&context, None, None, before, 9).await.unwrap();
    assert_eq!(rest.iter().map(|job| job.id).collect::<Vec<_>>(), [good]);
    let failed = engine.jobs(&context, Some("failed"), None, None, 9).await.unwrap();
    assert_eq!(failed.iter().map(|job| job.id).collect::<Vec<_>>(), [twice]);
    let imports = Some("certificate.import");
    assert!(engine.jobs(&context, None, imports, None, 9).await.unwrap().is_empty());

    assert_eq!(engine.cancel_job(&context, good).await.unwrap_err().reason(), "ended");
    assert_eq!(engine.retry_job(&context, good).await.unwrap_err().reason(), "not_failed");
    engine.retry_job(&context, twice).await.unwrap();
    assert_eq!(ended(engine, &context, twice).await, "failed");
    assert_eq!(
        told(engine, "type:job.*").await,
        [
            "job.queued success",
            "job.started success",
            "job.finished success",
            "job.queued success",
            "job.started success",
            "job.finished failure job_failed",
            "job.cancel failure ended",
            "job.retry failure not_failed",
            "job.retry success",
            "job.started success",
            "job.finished failure job_failed",
        ]
    );
    let upload = &events(engine, "type:certificate.upload outcome:success").await[0].event.detail;
    assert_eq!((&upload["mode"], &upload["job_id"]), (&"async".into(), &good.to_string().into()));
    let finished = events(engine, "type:job.finished outcome:success").await;
    assert_eq!(finished[0].event.detail["items"], 1);
    running.stop().await.unwrap();
}

on_each_backend!(an_asynchronous_upload_is_a_job_that_ends, 2);

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
    ended(engine, &context, id).await;
    let job = engine.job(&context, id).await.unwrap();
    assert_eq!((job.state.as_str(), job.done, job.total), ("success", 301, 301), "{job:?}");
    let result: serde_json::Value = serde_json::from_str(&job.result.unwrap()).unwrap();
    assert_eq!((&result["added"], &result["invalid"]), (&300.into(), &1.into()));
    assert_eq!(engine.cancel_job(&context, id).await.unwrap_err().reason(), "ended");

    let mut nothing = upload;
    nothing.bytes = b"hello".to_vec();
    let UploadAnswer::Queued(id) = engine.upload(&context, nothing).await.unwrap() else {
        panic!("an asynchronous upload is queued");
    };
    assert_eq!(ended(engine, &context, id).await, "failed");
    let imports = told(engine, "type:certificate.import").await;
    assert_eq!(imports.len(), 2, "the second could not be read: {imports:?}");
    assert!(imports[1].starts_with("certificate.import failure "), "{imports:?}");
    running.stop().await.unwrap();
}

on_each_backend!(a_job_does_no_more_than_who_asked_for_it_may_today, 2);

async fn a_job_does_no_more_than_who_asked_for_it_may_today() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let machine = Context::command_line(engine.environment());
    let new = new_account("grace", Role::Operator);
    let id = engine.create_account(&machine, new).await.unwrap().0;
    let grace = enter(engine, "grace", PASSWORD).await.unwrap().context;
    // It fails at first, so that it can be tried again when everything else has changed.
    let der = leaf("www.example.com");
    let UploadAnswer::Done(done) = engine.upload(&machine, upload_of(der.clone())).await.unwrap()
    else {
        panic!("not queued")
    };
    let job = queue(engine, &grace, der).await;
    assert_eq!(ended(engine, &machine, job).await, "failed");
    let known = *done[0].result.as_ref().unwrap();
    engine.delete_certificate(&machine, known, None).await.unwrap();
    let again = async |role: Option<Role>, disabled: Option<bool>| {
        let role = role.map(|role| role.to_string());
        let change = AccountChange { role, disabled, ..AccountChange::default() };
        engine.update_account(&machine, id, None, change).await.unwrap();
        engine.retry_job(&machine, job).await.unwrap();
        let state = ended(engine, &machine, job).await;
        (state, engine.job(&machine, job).await.unwrap().error.unwrap_or_default())
    };
    let (state, error) = again(Some(Role::Viewer), None).await;
    assert_eq!(state, "failed");
    assert!(error.contains("the role viewer does not have the permission"), "{error}");
    let (state, error) = again(Some(Role::Operator), Some(true)).await;
    assert_eq!(state, "failed");
    assert!(error.contains("may not act any more"), "{error}");
    assert_eq!(told(engine, "type:certificate.uploaded").await.len(), 1, "nothing came in");
    let (state, error) = again(None, Some(false)).await;
    assert_eq!(state, "success", "{error}");
    running.stop().await.unwrap();
}
