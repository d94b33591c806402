//! Receivers that misbehave, in the clear and behind TLS: whatever they do, an attempt ends in time
//! as a failure that says why, and nothing is lost by it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_deliver::Senders;
use chancery_engine::Error;
use chancery_engine::delivery::{
    Address, Content, Definition, DeliveryQuery, Made, Message, Parcel, Secrets, Sender as _,
};
use chancery_engine::net::Network;
use chancery_event::{Environment, Timestamp};
use chancery_testkit::{Manner, Receiver};
use serde_json::{Value, json};

use crate::world::World;

/// The limit of what has to run into it, in seconds: what is slow must not make the tests so.
const LIMIT: u64 = 1;
/// An attempt that ends by itself, or at [`LIMIT`], takes less on the slowest machine.
const MOST: Duration = Duration::from_secs(60);

/// Only who never answers, or not in time, meets a short limit.
fn settings(receiver: &Receiver, manner: &Manner) -> Value {
    let answer = if matches!(manner, Manner::Silent | Manner::Slow) { LIMIT } else { 60 };
    json!({ "url": receiver.url(), "ca": receiver.ca,
        "connect_seconds": 20, "answer_seconds": answer })
}

#[tokio::test]
async fn whatever_a_receiver_does_the_attempt_ends_as_a_failure_that_says_why() {
    for receiver in [Receiver::plain().await, Receiver::tls(false).await] {
        let world = World::start().await;
        let patient = settings(&receiver, &Manner::Well);
        world.forwarder("webhook", patient.clone(), &[], json!({})).await.unwrap();
        for (manner, word, status) in [
            (Manner::Status(500, ""), "status", Some(500)),
            (Manner::Status(429, "retry-after: 60\r\n"), "status", Some(429)),
            (Manner::Status(301, "location: http://10.0.0.1/\r\n"), "status", Some(301)),
            (Manner::Status(410, ""), "gone", Some(410)),
            (Manner::Closes, "connection", None),
            (Manner::Nonsense, "connection", None),
            (Manner::Silent, "timeout", None),
            (Manner::Slow, "timeout", None),
        ] {
            receiver.behave(manner.clone());
            world.update(settings(&receiver, &manner)).await;
            let before = Instant::now();
            let sent = world.try_out().await;
            let failure = sent.failure.unwrap_or_else(|| panic!("{manner:?}"));
            assert_eq!((failure.word, sent.status), (word, status), "{manner:?}: {failure:?}");
            assert!(before.elapsed() < MOST, "{manner:?}");
            if status == Some(429) {
                assert_eq!(failure.retry_after_s, Some(60));
            }
        }
        let requests = receiver.received();
        assert!(requests.iter().all(|one| one.line.starts_with("POST /hook")), "no redirect");
        // These answered 200 before they went wrong; what follows the head is thrown away anyway.
        world.update(patient).await;
        for manner in [Manner::Endless, Manner::Liar] {
            receiver.behave(manner.clone());
            let before = Instant::now();
            let sent = world.try_out().await;
            assert_eq!((sent.failure, sent.status), (None, Some(200)), "{manner:?}");
            assert!(before.elapsed() < MOST, "{manner:?}");
        }
        world.server.finish().await;
    }
}

/// The courier meets what the trials above met, one after the other, and nothing is lost by it.
#[tokio::test]
async fn an_event_gets_through_whatever_came_before() {
    // Each waits five seconds for its second attempt: all wait together.
    let each = [
        Manner::Silent,
        Manner::Slow,
        Manner::Closes,
        Manner::Nonsense,
        Manner::Status(500, ""),
        // Longer than it would wait by itself.
        Manner::Status(429, "retry-after: 8\r\n"),
        Manner::Status(302, "location: http://10.0.0.1/\r\n"),
    ]
    .map(async |manner| {
        let world = World::start().await;
        let receiver = Receiver::tls(false).await;
        let hasty = settings(&receiver, &manner);
        world.forwarder("webhook", hasty, &[], json!({})).await.unwrap();
        receiver.behave(manner.clone());
        world.group("one").await;
        let first = receiver.wait_for(1).await.remove(0);
        receiver.behave(Manner::Well);
        if matches!(manner, Manner::Silent | Manner::Slow) {
            // From now on it has all the time it needs. Who waits is tried again at a change: only
            // these are changed.
            world.update(settings(&receiver, &Manner::Well)).await;
        }
        world.delivered(1).await;
        if matches!(manner, Manner::Status(429, _)) {
            let engine = world.server.engine();
            let of = DeliveryQuery { state: Some("delivered".into()), ..DeliveryQuery::default() };
            let row = engine.deliveries(&world.context, of, 1).await.unwrap().remove(0);
            let tried = engine.delivery(&world.context, row.id).await.unwrap().attempts;
            let at: Vec<_> = tried.iter().rev().map(|attempt| attempt.at).collect();
            assert!(at[1].since(at[0]) >= 8 * Timestamp::SECOND, "{at:?}");
        }
        let all = receiver.received();
        assert!(all.len() >= 2, "{manner:?}");
        for later in &all[1..] {
            assert_eq!(later.headers["webhook-id"], first.headers["webhook-id"], "{manner:?}");
            assert_eq!(later.body, first.body);
        }
        world.server.finish().await;
    });
    futures::future::join_all(each).await;
}

/// A port that takes connections and never says a word.
async fn mute() -> (u16, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    (port, task)
}

#[tokio::test]
async fn a_handshake_that_never_ends_and_a_port_that_says_nothing_run_into_the_limit() {
    let (port, task) = mute().await;
    let limits = json!({ "connect_seconds": LIMIT, "answer_seconds": LIMIT });
    let host = format!("127.0.0.1:{port}");
    for (kind, settings, secrets) in [
        ("webhook", json!({ "url": format!("https://{host}/hook") }), vec![]),
        (
            "servicenow",
            json!({ "url": format!("https://{host}") }),
            vec![("token", "x".to_owned())],
        ),
        ("slack", json!({}), vec![("url", format!("https://{host}/hook"))]),
        ("teams", json!({}), vec![("url", format!("https://{host}/hook"))]),
        ("syslog", json!({ "address": host }), vec![]),
        ("nats", json!({ "address": host, "subject": "a" }), vec![]),
        ("nats", json!({ "address": host, "subject": "a", "tls": true }), vec![]),
        (
            "email",
            json!({ "server": host, "from": "a@b.example", "to": ["c@d.example"],
            "security": "tls" }),
            vec![],
        ),
        ("email", json!({ "server": host, "from": "a@b.example", "to": ["c@d.example"] }), vec![]),
        (
            "email",
            json!({ "server": host, "from": "a@b.example", "to": ["c@d.example"],
            "security": "none" }),
            vec![],
        ),
    ]
    .map(|(kind, settings, secrets): (&str, Value, Vec<(&str, String)>)| (kind, settings, secrets))
    {
        let world = World::start().await;
        let mut settings = settings;
        settings.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
        let secrets: Vec<(&str, &str)> =
            secrets.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.forwarder(kind, settings.clone(), &secrets, json!({})).await.unwrap();
        let before = Instant::now();
        let sent = world.try_out().await;
        let word = sent.failure.map(|failure| failure.word);
        assert_eq!(word, Some("timeout"), "{kind} {settings}");
        assert!(before.elapsed() < MOST, "{kind} {settings}");
        world.server.finish().await;
    }
    task.abort();
}

#[tokio::test]
async fn limits_are_bounded() {
    let world = World::start().await;
    for (member, wrong) in [
        ("connect_seconds", json!(0)),
        ("connect_seconds", json!(21)),
        ("answer_seconds", json!(0)),
        ("answer_seconds", json!(61)),
        ("answer_seconds", json!("soon")),
    ] {
        let mut settings = json!({ "url": "https://8.8.8.8/" });
        settings[member] = wrong;
        let refused = world.forwarder("webhook", settings.clone(), &[], json!({})).await;
        let place = format!("settings/{member}");
        assert!(
            matches!(refused, Err(Error::Invalid { ref field, .. }) if *field == place),
            "{settings}: {:?}",
            refused.err()
        );
    }
    world.server.finish().await;
}

#[tokio::test]
async fn what_is_larger_than_a_body_may_be_is_never_sent() {
    let receiver = Receiver::plain().await;
    let settings = json!({ "url": receiver.url(), "signature": "none" });
    let definition = Definition::read(&json!({ "kind": "webhook", "settings": settings })).unwrap();
    let senders =
        Senders::new(Network::new(vec!["127.0.0.1/32".parse().unwrap()]), std::env::temp_dir());
    let address = Arc::new(Address {
        name: "large".to_owned(),
        version: 1,
        definition,
        secrets: Secrets::default(),
        made: Made::default(),
    });
    let environment = Environment::system();
    let send = async |bytes: usize| {
        let parcel = Parcel {
            id: environment.id(),
            created_at: environment.now(),
            now: environment.now(),
            attempt: 1,
            content: Content::Message(Box::new(Message {
                text: "x".repeat(bytes),
                ..Message::default()
            })),
            public_url: String::new(),
        };
        senders.send(address.clone(), parcel).await.failure.map(|failure| failure.word)
    };
    assert_eq!(
        send(16 << 20).await,
        Some("too_large"),
        "the text alone, without what is around it"
    );
    assert_eq!(receiver.connections(), 0);
    assert_eq!(send(1 << 20).await, None);
    assert_eq!(receiver.received().len(), 1);
}
