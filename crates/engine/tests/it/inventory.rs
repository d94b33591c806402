//! Certificates are listed, judged and change their status with what stands above them.

use chancery_engine::Context;
use chancery_engine::inventory::search::{CertificateQuery, Sort};
use chancery_engine::inventory::{PlacementRequest, UploadAnswer};
use chancery_event::{Environment, Timestamp};
use chancery_pki::Certificate;
use chancery_pki::make::{self, Issuer, Key, Template};
use chancery_throwaway::on_each_backend;

use crate::upload::{start, upload_of};

async fn names(engine: &chancery_engine::Engine, context: &Context, text: &str) -> Vec<String> {
    let filter = engine.parse_certificate_filter(text).await.unwrap();
    let mut query =
        CertificateQuery { filter, sort: Sort::Expires, descending: false, cursor: None, limit: 2 };
    let mut names = Vec::new();
    loop {
        let page = engine.certificates(context, &query).await.unwrap();
        names.extend(page.items.into_iter().map(|row| row.subject_cn.unwrap_or_default()));
        query.cursor = page.next;
        if query.cursor.is_none() {
            return names;
        }
    }
}

on_each_backend!(a_chain_that_is_completed_and_trusted_makes_its_leaves_valid, 2);

async fn a_chain_that_is_completed_and_trusted_makes_its_leaves_valid() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let now = Environment::system().now();
    let at = |days: i64| now.plus(days * Timestamp::DAY).micros();
    let root_key = Key::from_seed(b"root").unwrap();
    let root =
        make::certificate(&Template::ca("Root", at(-10), at(1_000)), &root_key, None).unwrap();
    let parsed = Certificate::parse(&root).unwrap();
    let issuer = Issuer { certificate: &parsed, key: &root_key };
    for (name, days) in [("a.example.com", 10), ("b.example.com", 40), ("c.example.org", -1)] {
        let key = Key::from_seed(name.as_bytes()).unwrap();
        let template = Template::leaf(&[name], at(-5), at(days));
        let der = make::certificate(&template, &key, Some(&issuer)).unwrap();
        engine.upload(&context, upload_of(der)).await.unwrap();
    }
    assert_eq!(names(engine, &context, "status:incomplete").await.len(), 2);
    let mut upload = upload_of(root);
    upload.placement = PlacementRequest { trust_anchor: Some(true), ..PlacementRequest::default() };
    let UploadAnswer::Done(items) = engine.upload(&context, upload).await.unwrap() else {
        panic!("done")
    };
    let root = *items[0].result.as_ref().unwrap();
    wait(engine, &context, "status:valid -ca:true", &["b.example.com"]).await;
    assert_eq!(names(engine, &context, "status:expiring").await, ["a.example.com"]);
    assert_eq!(names(engine, &context, "status:expired").await, ["c.example.org"]);
    assert_eq!(names(engine, &context, "name:*.com expires<30d").await, ["a.example.com"]);
    assert_eq!(names(engine, &context, "example ca:false").await.len(), 3);
    assert_eq!(names(engine, &context, "").await.len(), 4);

    let distrust = PlacementRequest { trust_anchor: Some(false), ..PlacementRequest::default() };
    engine.update_certificate(&context, root, None, distrust).await.unwrap();
    wait(engine, &context, "status:untrusted", &["a.example.com", "b.example.com", "Root"]).await;
    engine.delete_certificate(&context, root, None).await.unwrap();
    wait(engine, &context, "status:incomplete", &["a.example.com", "b.example.com"]).await;
    running.stop().await.unwrap();
}

async fn wait(engine: &chancery_engine::Engine, context: &Context, text: &str, wanted: &[&str]) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let found = names(engine, context, text).await;
        if found == wanted {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{text}: {found:?}, wanted {wanted:?}");
        tokio::task::yield_now().await;
    }
}
