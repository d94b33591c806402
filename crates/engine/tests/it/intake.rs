//! Lines of syslog that are handed in again after a failure, on each engine.

use std::net::{IpAddr, Ipv4Addr};

use chancery_engine::intake::NewSource;
use chancery_engine::{Context, Engine, Settings, bench};
use chancery_event::Environment;
use chancery_store::Fault;
use chancery_throwaway::{database_of, on_each_backend};

on_each_backend!(lines_are_taken_in_all_of_them_or_none);

async fn lines_are_taken_in_all_of_them_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        allow_unencrypted_key: true,
        monitors: false,
        database: database_of(dir.path()).map(|url| url.parse().unwrap()),
        ..Settings::new(dir.path())
    };
    let running = Engine::start(settings, Environment::system()).await.unwrap();
    let engine = running.engine();
    let context = Context::command_line(engine.environment());
    let new = NewSource {
        name: "router".to_owned(),
        dialect: "rfc5424".to_owned(),
        addresses: vec!["192.0.2.0/24".to_owned()],
        certificates: Vec::new(),
        poll: None,
    };
    engine.create_intake_source(&context, new).await.unwrap();
    let roster = engine.syslog_roster().await.unwrap();
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    let sender = engine.syslog_sender(&roster, address, None).unwrap();
    // More than go into one body; none has an identifier or a time, so all of them are news.
    let mut lines = vec!["su: failed for ada".to_owned(); 1_200];
    lines.push("<999>no priority".to_owned());
    let store = bench::store(engine);
    for name in ["intake.lines", "intake.take", "intake.refuse"] {
        store.inject(name, Fault::NotPersisted);
    }
    let (mut failures, mut refused) = (0, None);
    while refused.is_none() && failures < 5 {
        match engine.take_in_lines(&sender, &lines).await {
            Ok((_, count)) => refused = Some(count),
            Err(_) => failures += 1,
        }
    }
    assert_eq!(refused, Some(1));
    assert!(failures > 0, "a write failed");
    let sources = engine.intake_sources(&context).await.unwrap();
    assert_eq!((sources[0].accepted, sources[0].refused), (1_200, 1));
    let filter = engine.parse_event_filter("type:intake.received").unwrap();
    let counted = engine.event_count(&context, &filter).await.unwrap().value;
    assert!(counted <= 1_200, "{counted}");
    running.stop().await.unwrap();
}
