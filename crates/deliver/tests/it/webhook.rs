//! Webhooks: signatures verified by a library of others, and a receiver that misbehaves.

use std::process::Command;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_engine::Error;
use chancery_engine::delivery::Class;
use chancery_testkit::{Manner, Received, Receiver};
use serde_json::{Value, json};

use crate::world::{World, python_packages};

/// Verifies with the Python library of Standard Webhooks.
fn verified(secret: &str, received: &Received) -> Result<(), String> {
    let script = "import sys, json\n\
        sys.path.insert(0, sys.argv[1])\n\
        from standardwebhooks import Webhook\n\
        Webhook(sys.argv[2]).verify(open(sys.argv[4], 'rb').read(), json.loads(sys.argv[3]))\n";
    let body = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(body.path(), &received.body).unwrap();
    let headers = serde_json::to_string(&received.headers).unwrap();
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(python_packages())
        .args([secret, &headers])
        .arg(body.path())
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[tokio::test]
async fn a_library_of_others_verifies_the_signature_also_while_a_secret_is_replaced() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let settings = json!({ "url": receiver.url() });
    let made = world.forwarder("webhook", settings, &[], json!({})).await.unwrap();
    let old = made.generated[0].1.clone();
    world.group("one").await;
    let received = receiver.wait_for(1).await;
    verified(&old, &received[0]).unwrap();
    let mut forged = received[0].clone();
    forged.body.push(b' ');
    assert!(verified(&old, &forged).is_err(), "the check can fail");
    let rotated = world
        .server
        .engine()
        .rotate_signing_secret(&world.context, Class::Forwarder, "it", 1)
        .await
        .unwrap();
    let new = rotated.generated[0].1.clone();
    world.group("two").await;
    let received = receiver.wait_for(2).await;
    verified(&old, &received[1]).unwrap();
    verified(&new, &received[1]).unwrap();
    assert!(verified(&new, &received[0]).is_err());
    world.server.finish().await;
}

#[tokio::test]
async fn an_ed25519_signature_verifies_with_the_public_key() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let settings = json!({ "url": receiver.url(), "signature": "ed25519" });
    world.forwarder("webhook", settings, &[], json!({})).await.unwrap();
    world.group("one").await;
    let received = receiver.wait_for(1).await.remove(0);
    let engine = world.server.engine();
    let view = engine.destination(&world.context, Class::Forwarder, "it").await.unwrap();
    let public = view.public_key.unwrap();
    let public = STANDARD.decode(public.strip_prefix("whpk_").unwrap()).unwrap();
    let signature = received.headers["webhook-signature"].strip_prefix("v1a,").unwrap();
    let signature = STANDARD.decode(signature).unwrap();
    let head =
        format!("{}.{}.", received.headers["webhook-id"], received.headers["webhook-timestamp"]);
    let signed = [head.as_bytes(), &received.body].concat();
    UnparsedPublicKey::new(&ED25519, public).verify(&signed, &signature).unwrap();
    world.server.finish().await;
}

#[tokio::test]
async fn whatever_a_receiver_does_the_attempt_ends_as_a_failure_that_says_why() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let settings = json!({ "url": receiver.url() });
    world.forwarder("webhook", settings, &[], json!({})).await.unwrap();
    for (manner, word, status) in [
        (Manner::Status(500, ""), "status", Some(500)),
        (Manner::Status(429, "retry-after: 60\r\n"), "status", Some(429)),
        (Manner::Status(301, "location: http://10.0.0.1/\r\n"), "status", Some(301)),
        (Manner::Status(410, ""), "gone", Some(410)),
        (Manner::Closes, "connection", None),
        (Manner::Nonsense, "connection", None),
    ] {
        receiver.behave(manner.clone());
        let sent = world.try_out().await;
        let failure = sent.failure.unwrap_or_else(|| panic!("{manner:?}"));
        assert_eq!((failure.word, sent.status), (word, status), "{manner:?}: {failure:?}");
    }
    // These answered 200 before they went wrong; what follows the head is thrown away anyway.
    for manner in [Manner::Endless, Manner::Liar] {
        receiver.behave(manner.clone());
        let before = std::time::Instant::now();
        let sent = world.try_out().await;
        assert_eq!((sent.failure, sent.status), (None, Some(200)), "{manner:?}");
        assert!(before.elapsed().as_secs() < 10, "{manner:?}");
    }
    receiver.behave(Manner::Well);
    assert!(world.try_out().await.failure.is_none());
    world.server.finish().await;
}

#[tokio::test]
async fn silent_and_slow_receivers_run_into_the_time_limit() {
    if std::env::var_os("CHANCERY_FULL").is_none() {
        eprintln!("NOT CHECKED: it takes a minute; `cargo xtask test --full` does");
        return;
    }
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let settings = json!({ "url": receiver.url() });
    world.forwarder("webhook", settings, &[], json!({})).await.unwrap();
    for manner in [Manner::Silent, Manner::Slow] {
        receiver.behave(manner.clone());
        let before = std::time::Instant::now();
        let sent = world.try_out().await;
        assert_eq!(sent.failure.map(|failure| failure.word), Some("timeout"), "{manner:?}");
        assert!((15..40).contains(&before.elapsed().as_secs()), "{manner:?}");
    }
    world.server.finish().await;
}

#[tokio::test]
async fn both_sides_prove_who_they_are() {
    let world = World::start().await;
    let receiver = Receiver::tls(true).await;
    let (certificate, key) = &receiver.client;
    let settings = json!({ "url": receiver.url(), "ca": receiver.ca,
        "client_certificate": certificate, "username": "chancery",
        "headers": { "x-team": "soc" } });
    let secrets = [("client_key", key.as_str()), ("password", "pässword")];
    world.forwarder("webhook", settings, &secrets, json!({})).await.unwrap();
    let sent = world.try_out().await;
    assert_eq!(sent.failure, None);
    let received = receiver.received().remove(0);
    assert!(received.client_certificate);
    let basic = format!("Basic {}", STANDARD.encode("chancery:pässword"));
    assert_eq!(received.headers["authorization"], basic);
    assert_eq!(received.headers["x-team"], "soc");
    world.server.finish().await;
}

#[tokio::test]
async fn a_receiver_without_a_certificate_of_the_authority_is_not_talked_to() {
    let world = World::start().await;
    let (receiver, other) = (Receiver::tls(false).await, Receiver::tls(false).await);
    let settings = json!({ "url": receiver.url(), "ca": other.ca });
    world.forwarder("webhook", settings, &[], json!({})).await.unwrap();
    let sent = world.try_out().await;
    assert_eq!(sent.failure.map(|failure| failure.word), Some("tls"));
    assert!(receiver.received().is_empty());
    world.server.finish().await;
}

#[tokio::test]
async fn a_payload_key_hides_the_payload_and_batches_come_as_one() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let key = STANDARD.encode([7; 32]);
    let settings = json!({ "url": receiver.url() });
    let secrets = [("payload_key", key.as_str())];
    let more = json!({ "batch_max": 10, "dialect": "akeyless" });
    world.forwarder("webhook", settings, &secrets, more).await.unwrap();
    world.group("hidden").await;
    let received = receiver.wait_for(1).await.remove(0);
    assert_eq!(received.headers["content-type"], "application/jose");
    let text = String::from_utf8(received.body).unwrap();
    assert!(!text.contains("hidden"));
    let plain = chancery_deliver::decrypt(&key, &text).unwrap();
    let plain: Value = serde_json::from_slice(&plain).unwrap();
    assert!(plain["Akeyless_Events"].is_object(), "{plain}");
    world.server.finish().await;
}

/// Forbidden addresses as a user may spell them in a URL: none is saved, so none is reached.
#[tokio::test]
async fn addresses_that_may_not_be_reached_are_refused_in_every_spelling() {
    let world = World::start().await;
    for host in [
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "127.0.0.2",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[2002:a00:1::]",
        "[ff02::1]",
        "127.2",
        "2130706434",
        "0x7f000002",
        "0177.0.0.2",
        "168.63.129.16",
        "[2001:db8::1]",
    ] {
        for (kind, settings) in [
            ("webhook", json!({ "url": format!("https://{host}/") })),
            ("servicenow", json!({ "url": format!("https://{host}/"), "username": "x" })),
            ("syslog", json!({ "address": format!("{host}:514"), "transport": "udp" })),
            ("nats", json!({ "address": format!("{host}:4222"), "subject": "a" })),
            (
                "email",
                json!({ "server": format!("{host}:25"), "from": "a@b.c", "security": "tls" }),
            ),
        ] {
            let secrets: &[(&str, &str)] =
                if kind == "servicenow" { &[("password", "x")] } else { &[] };
            let saved = world.forwarder(kind, settings, secrets, json!({})).await;
            assert!(
                matches!(saved, Err(Error::Invalid { ref field, .. }) if field.starts_with("settings/")),
                "{kind} {host}: {:?}",
                saved.err()
            );
        }
    }
    world.server.finish().await;
}
