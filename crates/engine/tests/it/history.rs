//! The log is searched, proven, erased and verified.

use std::time::Duration;

use chancery_engine::history::EventQuery;
use chancery_engine::{Context, Role};
use chancery_event::Origin;
use chancery_event::envelope::PersonalPart;
use chancery_event::filter::Filter;
use chancery_seal::Trust;
use chancery_seal::tlog_proof::TlogProof;
use chancery_throwaway::on_each_backend;

use crate::upload::{leaf, start, upload_of};

fn query(filter: Filter) -> EventQuery {
    EventQuery { filter, before: None, from: None, limit: 100, oldest_first: true }
}

on_each_backend!(events_are_found_the_same_before_and_after_projection, 2);

async fn events_are_found_the_same_before_and_after_projection() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    for name in ["one.example.com", "two.example.com", "three.example.org"] {
        engine.upload(&context, upload_of(leaf(name))).await.unwrap();
    }
    assert!(engine.settle(Duration::from_secs(60)).await);
    let mut told = Vec::new();
    for round in 0..2 {
        for (text, expected) in [
            ("type:certificate.*", 6),
            ("\"two example\" type:certificate.uploaded", 1),
            ("three type:certificate.*", 2),
            ("severity>=warning", 1),
            ("outcome:success -type:certificate.*", 7),
            ("actor:nobody", 0),
        ] {
            let filter = engine.parse_event_filter(text).unwrap();
            let page = engine.events(&context, query(filter.clone())).await.unwrap();
            assert_eq!(page.events.len(), expected, "{text} in round {round}");
            let count = engine.event_count(&context, &filter).await.unwrap();
            assert_eq!(count.value, expected as u64, "{text} in round {round}");
            told.push(page.events.iter().map(|event| event.index).collect::<Vec<_>>());
        }
        while engine.figures().await.unwrap().unprojected > 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(told[..6], told[6..]);
    running.stop().await.unwrap();
}

on_each_backend!(a_proof_verifies_offline_also_after_the_person_is_erased, 2);

async fn a_proof_verifies_offline_also_after_the_person_is_erased() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let client = chancery_engine::Client {
        ip: Some("192.0.2.7".to_owned()),
        user_agent: Some("test".to_owned()),
    };
    let refused = engine.log_in(client, "grace", "wrong".to_owned().into()).await;
    assert!(refused.is_err());
    assert!(engine.settle(Duration::from_secs(60)).await);
    let filter = engine.parse_event_filter("type:session.create outcome:failure").unwrap();
    let found = engine.events(&context, query(filter.clone())).await.unwrap().events.remove(0);
    let personal = found.event.personal().unwrap();
    assert_eq!(personal.client_ip.as_deref(), Some("192.0.2.7"));
    assert!(!String::from_utf8_lossy(&found.entry).contains("grace"));

    let auditor = Context { role: Some(Role::Viewer), ..context.clone() };
    let seen = engine.event(&auditor, found.event.id).await.unwrap();
    assert!(matches!(seen.event.personal, PersonalPart::Committed(_)));
    let by_person = engine.parse_event_filter("ip:192.0.2.7").unwrap();
    assert_eq!(
        engine.events(&auditor, query(by_person.clone())).await.unwrap_err().reason(),
        "forbidden"
    );

    engine.erase_personal(&context, found.event.id, "request").await.unwrap();
    let again = engine.erase_personal(&context, found.event.id, "request").await;
    assert_eq!(again.unwrap_err().reason(), "nothing_personal");
    assert!(engine.settle(Duration::from_secs(60)).await);
    let erased = engine.event(&context, found.event.id).await.unwrap();
    assert!(matches!(erased.event.personal, PersonalPart::Committed(_)));
    assert_eq!(erased.entry, found.entry);
    assert!(engine.events(&context, query(by_person)).await.unwrap().events.is_empty());

    let proof: TlogProof = engine.proof(&context, found.event.id).await.unwrap().parse().unwrap();
    let trust = Trust::new("localhost/log", vec![engine.verifier().clone()]);
    proof.verify(&erased.entry, &trust).unwrap();
    let report = engine.verify_log(&context).await.unwrap();
    assert!(report.count > found.index.0);
    assert_eq!(context.origin, Origin::Cli);
    running.stop().await.unwrap();
}
