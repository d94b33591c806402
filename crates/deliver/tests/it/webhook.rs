//! Webhooks: signatures verified by a library of others, and what both sides prove.

use std::process::Command;

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

/// Verifies an Ed25519 signature with OpenSSL.
fn openssl_verifies(public: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    // RFC 8410 §4: the head of a public key.
    let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    std::fs::write(path("key"), [&head[..], public].concat()).unwrap();
    std::fs::write(path("signed"), signed).unwrap();
    std::fs::write(path("signature"), signature).unwrap();
    let output = Command::new("openssl")
        .args(["pkeyutl", "-verify", "-pubin", "-rawin", "-keyform", "DER", "-inkey"])
        .args([&path("key"), "-in", &path("signed"), "-sigfile", &path("signature")])
        .output()
        .unwrap();
    output.status.success()
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
    assert!(openssl_verifies(&public, &signed, &signature));
    let other = [&signed[..], b" "].concat();
    assert!(!openssl_verifies(&public, &other, &signature), "the check can fail");
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

#[tokio::test]
async fn secret_headers_and_addresses_are_sent_and_never_shown() {
    let world = World::start().await;
    let receiver = Receiver::plain().await;
    let url = format!("{}?key=in-the-address", receiver.url());
    let headers = "X-Api-Key: first-secret\r\nAuthorization: Splunk second-secret\n";
    let secrets = [("url", url.as_str()), ("headers", headers)];
    let settings = json!({ "headers": { "x-team": "soc" } });
    world.forwarder("webhook", settings, &secrets, json!({})).await.unwrap();
    let sent = world.try_out().await;
    assert_eq!(sent.failure, None);
    let received = receiver.received().remove(0);
    assert!(received.line.contains("?key=in-the-address"), "{}", received.line);
    assert_eq!(received.headers["x-api-key"], "first-secret");
    assert_eq!(received.headers["authorization"], "Splunk second-secret");
    assert_eq!(received.headers["x-team"], "soc");
    assert_eq!(sent.request["headers"]["x-api-key"], "…");
    for path in ["forwarders/it", "forwarders/it/versions", "deliveries", "events?limit=100"] {
        let text = world.server.get(&format!("/api/v1/{path}")).send().await.expect(200).text();
        for secret in ["first-secret", "second-secret", "in-the-address"] {
            assert!(!text.contains(secret), "{path} shows {secret}");
        }
    }
    assert!(!sent.request.to_string().contains("secret"), "{}", sent.request);
    world.server.finish().await;
}

#[tokio::test]
async fn what_is_secret_does_not_cross_the_network_in_clear() {
    let world = World::start().await;
    let url = "http://8.8.8.8/hook";
    for (kind, settings, secrets, place) in [
        ("webhook", json!({ "url": url }), vec![("token", "x")], "settings/url"),
        ("webhook", json!({ "url": url }), vec![("headers", "X-Key: x")], "settings/url"),
        ("webhook", json!({}), vec![("url", url)], "secrets/url"),
        (
            "webhook",
            json!({ "url": url, "username": "a" }),
            vec![("password", "b")],
            "settings/url",
        ),
        ("slack", json!({}), vec![("url", url)], "secrets/url"),
        ("servicenow", json!({ "url": url }), vec![("token", "x")], "settings/url"),
        (
            "nats",
            json!({ "address": "8.8.8.8", "subject": "a" }),
            vec![("token", "x")],
            "settings/tls",
        ),
        (
            "webhook",
            json!({ "url": url, "headers": { "X-Api-Key": "x" } }),
            vec![],
            "settings/headers/X-Api-Key",
        ),
        (
            "webhook",
            json!({ "url": "https://8.8.8.8/" }),
            vec![("headers", "no header")],
            "secrets/headers",
        ),
    ] {
        let refused = world.forwarder(kind, settings.clone(), &secrets, json!({})).await;
        assert!(
            matches!(refused, Err(Error::Invalid { ref field, .. }) if field == place),
            "{kind} {settings} {place}: {:?}",
            refused.err()
        );
    }
    world.server.finish().await;
}

#[tokio::test]
async fn a_receiver_of_okta_hooks_answers_a_challenge_before_it_is_saved() {
    let world = World::start().await;
    let hook = json!({ "dialect": "okta-hook" });
    for manner in [
        Manner::Well,
        Manner::Status(404, ""),
        Manner::Says(200, String::new(), "{\"verification\": \"guessed\"}".to_owned()),
    ] {
        let receiver = Receiver::plain().await;
        receiver.behave(manner.clone());
        let settings = json!({ "url": receiver.url() });
        let refused = world.forwarder("webhook", settings, &[], hook.clone()).await;
        assert!(
            matches!(refused, Err(Error::Invalid { ref field, .. }) if field == "settings/url"),
            "{manner:?}: {:?}",
            refused.err()
        );
        let asked = receiver.received().remove(0);
        assert!(asked.line.starts_with("GET ") && asked.body.is_empty(), "{}", asked.line);
        assert!(asked.headers["x-okta-verification-challenge"].len() >= 20);
    }
    let receiver = Receiver::plain().await;
    receiver.behave(Manner::Verifies);
    let settings = json!({ "url": receiver.url() });
    world.forwarder("webhook", settings, &[], hook).await.unwrap();
    receiver.behave(Manner::Well);
    world.group("one").await;
    let received = receiver.wait_for(2).await.remove(1);
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(body["eventType"], "com.okta.event_hook");
    world.server.finish().await;
}
