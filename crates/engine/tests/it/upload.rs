//! Certificates enter the inventory, and everything about it is recorded and sealed.

use std::time::Duration;

use chancery_engine::inventory::{PlacementRequest, Source, Upload, UploadAnswer, UploadMode};
use chancery_engine::{Context, Engine, Running, Settings, bench};
use chancery_event::{Environment, LogIndex};
use chancery_pki::make::{Key, Template};
use chancery_store::{Fault, Store, log};
use chancery_throwaway::on_each_backend;

/// Settings for a directory, on the engine that the test is to run on.
pub(crate) fn settings(dir: &std::path::Path) -> Settings {
    let database = chancery_throwaway::database_of(dir).map(|url| url.parse().unwrap());
    Settings { database, ..Settings::new(dir) }
}

pub(crate) async fn start(dir: &std::path::Path) -> Running {
    let settings = Settings { allow_unencrypted_key: true, monitors: false, ..settings(dir) };
    Engine::start(settings, Environment::system()).await.unwrap()
}

pub(crate) fn leaf(name: &str) -> Vec<u8> {
    let now = Environment::system().now().micros();
    let key = Key::from_seed(name.as_bytes()).unwrap();
    let template = Template::leaf(&[name], now - 86_400_000_000, now + 90 * 86_400_000_000);
    chancery_pki::make::certificate(&template, &key, None).unwrap()
}

pub(crate) fn upload_of(bytes: Vec<u8>) -> Upload {
    Upload {
        bytes,
        password: None,
        placement: PlacementRequest::default(),
        mode: UploadMode::Sync,
        source: Source::Upload,
    }
}

on_each_backend!(an_upload_is_recorded_sealed_and_refused_the_second_time, 2);

async fn an_upload_is_recorded_sealed_and_refused_the_second_time() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine().clone();
    let context = Context::command_line(engine.environment());
    let der = leaf("www.example.com");
    let UploadAnswer::Done(items) = engine.upload(&context, upload_of(der.clone())).await.unwrap()
    else {
        panic!("a synchronous upload is done");
    };
    let id = items[0].result.as_ref().unwrap().to_owned();
    let view = engine.certificate(&context, id).await.unwrap();
    assert_eq!(view.row.status, "untrusted", "{}", view.row.status_reason);
    assert_eq!(view.der, der);
    let UploadAnswer::Done(again) = engine.upload(&context, upload_of(der)).await.unwrap() else {
        panic!("a synchronous upload is done");
    };
    assert_eq!(again[0].result.as_ref().unwrap_err().reason(), "duplicate");
    assert!(engine.settle(Duration::from_secs(60)).await);
    running.stop().await.unwrap();

    let store = Store::open_to_read(&settings(dir.path()).store()).await.unwrap();
    let mut link = store.read().await.unwrap();
    assert_eq!(log::pending_count(&mut link).await.unwrap(), 0);
    let events = log::range(&mut link, LogIndex(0), 1_000).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|e| format!("{} {}", e.event().type_name, e.event().outcome.result))
        .collect();
    assert_eq!(
        told,
        [
            "log.key_create success",
            "bootstrap.create_configuration success",
            "bootstrap.create_identity_provider success",
            "bootstrap.create_password_policy success",
            "bootstrap.create_administrator success",
            "bootstrap.authorize_administrator success",
            "service.start success",
            "certificate.uploaded success",
            "certificate.upload success",
            "certificate.upload failure",
            "service.stop success",
        ]
    );
}

on_each_backend!(an_upload_whose_commit_is_in_doubt_is_told_as_what_it_was, 2);

async fn an_upload_whose_commit_is_in_doubt_is_told_as_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine().clone();
    let context = Context::command_line(engine.environment());
    for (fault, came_in) in [(Fault::Persisted, true), (Fault::NotPersisted, false)] {
        bench::store(&engine).inject("certificate.upload", fault);
        let der = leaf(&format!("{came_in}.example.com"));
        let answer = engine.upload(&context, upload_of(der)).await.unwrap();
        let UploadAnswer::Done(items) = answer else { panic!("a synchronous upload is done") };
        assert_eq!(items[0].result.is_ok(), came_in, "{fault:?}: {:?}", items[0].result);
    }
    assert!(engine.settle(Duration::from_secs(60)).await);
    let mut link = bench::store(&engine).read().await.unwrap();
    let events = log::range(&mut link, LogIndex(0), 1_000).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .filter(|e| e.event().type_name == "certificate.upload")
        .map(|e| e.event().outcome.result.to_string())
        .collect();
    assert_eq!(told, ["success", "failure"]);
    drop(link);
    running.stop().await.unwrap();
}
