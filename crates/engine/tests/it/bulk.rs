//! An import writes many certificates together; what comes of each is what single uploads make.

use chancery_engine::inventory::{Source, UploadAnswer};
use chancery_engine::{Context, Error, bench};
use chancery_event::{Environment, LogIndex, Timestamp};
use chancery_pki::Certificate;
use chancery_pki::make::{self, Issuer, Key, Template};
use chancery_store::log;
use chancery_store::table::certificate;
use chancery_throwaway::on_each_backend;

use crate::upload::{start, upload_of};

fn at(days: i64) -> i64 {
    Environment::system().now().plus(days * Timestamp::DAY).micros()
}

fn fingerprint(der: &[u8]) -> String {
    let parsed = Certificate::parse(der).unwrap();
    parsed.fingerprint_sha256.iter().map(|byte| format!("{byte:02x}")).collect()
}

on_each_backend!(an_import_links_counts_and_judges_like_single_uploads, 2);

async fn an_import_links_counts_and_judges_like_single_uploads() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let key = Key::from_seed(b"ca").unwrap();
    let ca = make::certificate(&Template::ca("CA", at(-9), at(900)), &key, None).unwrap();
    let parsed = Certificate::parse(&ca).unwrap();
    let issuer = Issuer { certificate: &parsed, key: &key };
    let leaf = |name: &str, days: i64| {
        let key = Key::from_seed(name.as_bytes()).unwrap();
        let template = Template::leaf(&[name], at(-5), at(days));
        make::certificate(&template, &key, Some(&issuer)).unwrap()
    };
    // Three generations of one name among certificates that are related to nothing, one
    // certificate that comes twice, one that is there already, and the CA at the end.
    let known = leaf("known.example.com", 50);
    engine.upload(&context, upload_of(known.clone())).await.unwrap();
    let generations = [40, 60, 80].map(|days| leaf("g.example.com", days));
    let mut bundle: Vec<Vec<u8>> =
        (0..110).map(|number| leaf(&format!("host-{number}.example.com"), 50)).collect();
    bundle.insert(20, generations[0].clone());
    bundle.insert(50, generations[1].clone());
    bundle.insert(90, generations[2].clone());
    bundle.extend([bundle[7].clone(), known, ca.clone()]);
    let count = bundle.len();
    let mut upload = upload_of(bundle.concat());
    upload.source = Source::Import;
    let UploadAnswer::Done(items) = engine.upload(&context, upload).await.unwrap() else {
        panic!("done")
    };
    assert_eq!(items.len(), count);
    let refused = items.iter().filter(|item| item.result.is_err());
    let positions: Vec<_> = refused.clone().map(|item| item.position).collect();
    assert_eq!(positions, [count - 3, count - 2]);
    refused.for_each(|item| assert!(matches!(item.result, Err(Error::Duplicate { .. }))));

    let mut link = bench::store(engine).read().await.unwrap();
    let mut rows = Vec::new();
    for der in bundle.iter().take(count - 3) {
        let found = certificate::by_fingerprint(&mut link, &fingerprint(der)).await;
        rows.push(found.unwrap().unwrap());
    }
    // Judged with the CA that came along: whole, but trusted by nobody.
    assert!(rows.iter().all(|row| row.status == "untrusted" || row.status == "expiring"));
    let row = |der: &Vec<u8>| rows.iter().find(|row| row.fingerprint_sha256 == fingerprint(der));
    let [first, second, third] = generations.each_ref().map(|der| row(der).unwrap());
    assert_eq!(first.replaced_by, Some(second.id));
    assert_eq!(second.replaced_by, Some(third.id));
    assert_eq!(third.replaced_by, None);
    let names = certificate::names(&mut link, second.id).await.unwrap();
    assert_eq!(names.len(), 1);
    assert_eq!(
        certificate::der(&mut link, second.id).await.unwrap().as_ref(),
        Some(&generations[1])
    );
    drop(link);

    assert!(engine.settle(std::time::Duration::from_secs(60)).await);
    let mut link = bench::store(engine).read().await.unwrap();
    let events = log::range(&mut link, LogIndex(0), 1_000).await.unwrap();
    let of = |name: &str| events.iter().filter(|e| e.event().type_name == name).count();
    // One more than the import brought: the single upload before it.
    assert_eq!(of("certificate.uploaded"), count - 2 + 1);
    assert_eq!((of("certificate.replaced"), of("certificate.import")), (2, 1));
    drop(link);
    engine.verify_log(&context).await.unwrap();
    running.stop().await.unwrap();
}
