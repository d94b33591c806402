//! What changes above a certificate while a verdict on it is being reached.

use chancery_event::Environment;
use chancery_pki::make::{self, Issuer, Key, Template};

use super::*;
use crate::inventory::{PlacementRequest, Source, Upload, UploadAnswer, UploadMode};
use crate::{Settings, Stepped};

async fn enter(engine: &Engine, bytes: Vec<u8>) -> CertificateId {
    let context = Context::command_line(engine.environment());
    let upload = Upload {
        bytes,
        password: None,
        placement: PlacementRequest::default(),
        mode: UploadMode::Sync,
        source: Source::Upload,
    };
    let UploadAnswer::Done(items) = engine.upload(&context, upload).await.unwrap() else {
        panic!("a synchronous upload is done");
    };
    *items[0].result.as_ref().unwrap()
}

async fn make_due(engine: &Engine, id: CertificateId) {
    let now = engine.environment().now();
    let due = engine.0.store.transaction("test.due", move |tx: &mut Tx| {
        Box::pin(
            async move { Ok::<(), Error>(certificate::make_self_due(tx, id, now, None).await?) },
        )
    });
    due.await.unwrap();
}

/// What one round judges, not written yet.
async fn looked_at(engine: &Engine) -> Judged {
    let Waiting { due, issuers, now } = waiting(engine).await.unwrap();
    let verdicts = judge(engine, due, issuers.clone(), now).await.unwrap();
    Judged { issuers, verdicts }
}

async fn status(engine: &Engine, id: CertificateId) -> String {
    let mut link = engine.link().await.unwrap();
    certificate::find(&mut link, id).await.unwrap().unwrap().status
}

chancery_throwaway::on_each_backend!(a_verdict_on_issuers_of_yesterday_is_not_written, 2);

async fn a_verdict_on_issuers_of_yesterday_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let environment = Environment::system();
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        database: chancery_throwaway::database_of(dir.path()).map(|url| url.parse().unwrap()),
        ..Settings::new(dir.path())
    };
    let stepped = Stepped::open(settings, environment.clone()).await.unwrap();
    let engine = stepped.engine().clone();
    let at = |days: i64| environment.now().plus(days * Timestamp::DAY).micros();
    let root_key = Key::from_seed(b"root").unwrap();
    let root = Template::ca("Root", at(-10), at(1_000));
    let root = make::certificate(&root, &root_key, None).unwrap();
    let parsed = Parsed::parse(&root).unwrap();
    let issuer = Issuer { certificate: &parsed, key: &root_key };
    let key = Key::from_seed(b"leaf").unwrap();
    let template = Template::leaf(&["www.example.com"], at(-5), at(90));
    let leaf = make::certificate(&template, &key, Some(&issuer)).unwrap();
    let leaf = enter(&engine, leaf).await;
    assert_eq!(status(&engine, leaf).await, "incomplete");

    // Its issuer enters between the look and the verdict.
    make_due(&engine, leaf).await;
    let judged = looked_at(&engine).await;
    let root = enter(&engine, root).await;
    settle(&engine, judged, &Standing::Alone).await.unwrap();
    stepped.judge().await.unwrap();
    assert_eq!(status(&engine, leaf).await, "untrusted");
    // The root's own signature was checked; whoever comes in below it finds that.
    assert_eq!(engine.0.verified.count(), 1);

    // Its issuer becomes trusted between the look and the verdict.
    make_due(&engine, leaf).await;
    let judged = looked_at(&engine).await;
    let trust = PlacementRequest { trust_anchor: Some(true), ..PlacementRequest::default() };
    let context = Context::command_line(&environment);
    engine.update_certificate(&context, root, None, trust).await.unwrap();
    settle(&engine, judged, &Standing::Alone).await.unwrap();
    stepped.judge().await.unwrap();
    assert_eq!(status(&engine, leaf).await, "valid");
    stepped.kill().await;
}
