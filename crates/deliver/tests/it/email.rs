//! Mail: aiosmtpd takes it, in clear and with STARTTLS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_testkit::TlsFiles;
use serde_json::json;

use crate::world::{Program, World, said, serving};

/// A mail server that tells what it is told: by TLS from the first byte, with a login, and with
/// recipients that it does not take.
const SERVER: &str = r#"
import asyncio, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult
port, certificate, key, hidden = sys.argv[1:]
class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        print("EHLO", hostname, flush=True)
        return responses
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone"):
            return "550 5.1.1 nobody is called " + address
        if address.startswith("relay"):
            return "550 5.7.1 relaying denied for " + address
        if address.startswith("full"):
            return "452 4.2.2 the mailbox is full: " + address
        if address.startswith("grey"):
            return "450 4.7.1 come back later: " + address
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        print("MAIL", ",".join(envelope.rcpt_tos), flush=True)
        return "250 2.0.0 queued"
def login(server, session, envelope, mechanism, data):
    print("AUTH", mechanism, data.login.decode(), data.password.decode(), flush=True)
    return AuthResult(success=data.password == b"right", handled=True)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
make = lambda: SMTP(Handler(), hostname="mx.example.org", authenticator=login,
                    auth_require_tls=False, auth_exclude_mechanism=hidden.split(","))
loop = asyncio.new_event_loop()
loop.run_until_complete(loop.create_server(make, "127.0.0.1", int(port), ssl=context))
loop.run_forever()
"#;

#[tokio::test]
async fn a_server_with_tls_from_the_first_byte_is_logged_into_by_what_it_offers() {
    let tls = TlsFiles::make();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(path("cert"), &tls.certificate).unwrap();
    std::fs::write(path("key"), &tls.key).unwrap();
    for (hidden, way) in [("LOGIN", "PLAIN"), ("PLAIN", "LOGIN")] {
        let out = dir.path().join(way);
        let (_program, [port]) = serving(|[port]| {
            let (port, cert, key) = (port.to_string(), path("cert"), path("key"));
            let arguments = ["-c", SERVER, &port, &cert, &key, hidden];
            Program::start("/usr/bin/python3", &arguments, Some(&out))
        })
        .await;
        let world = World::start().await;
        let settings = |to: &[&str]| {
            json!({ "server": format!("127.0.0.1:{port}"), "security": "tls", "ca": tls.ca,
                "from": "chancery@example.org", "to": to, "username": "chancery" })
        };
        let to = ["gone.bob@example.org", "ada@example.org"];
        let secrets = [("password", "right")];
        world.forwarder("email", settings(&to), &secrets, json!({})).await.unwrap();
        world.group("web").await;
        world.delivered(1).await;
        let text = said(&out, |text| text.contains("MAIL")).await;
        assert!(text.contains("EHLO [127.0.0.1]"), "an address, where there is no name: {text}");
        assert!(text.contains(&format!("AUTH {way} chancery right")), "{text}");
        assert!(text.contains("MAIL ada@example.org"), "who is taken gets it: {text}");
        let trial = world.try_out().await;
        assert_eq!(trial.response, json!({ "answer": "250 2.0.0", "refused": 1 }), "codes alone");
        let bouncing = world.bouncing().await;
        assert_eq!(bouncing, ["gone.bob@example.org"], "and who is not is told of");
        // That mail may not pass is said of the server, not of a person.
        world.update(settings(&["relay@example.org"])).await;
        let failure = world.try_out().await.failure.unwrap();
        assert_eq!((failure.word, failure.refused_recipient.as_deref()), ("refused", None));
        assert_eq!(failure.message, "the mail server answered 550 5.7.1 to RCPT TO");
        world.update(settings(&["gone@example.org"])).await;
        let failure = world.try_out().await.failure.unwrap();
        let gone = (failure.word, failure.refused_recipient.as_deref());
        assert_eq!(gone, ("recipient_refused", Some("gone@example.org")));
        assert!(!failure.message.contains("nobody"), "its words are not kept: {failure:?}");
        // A mailbox may be full; that all have to wait may be said of us.
        for (to, busy) in [("full@example.org", true), ("grey@example.org", false)] {
            world.update(settings(&[to])).await;
            let failure = world.try_out().await.failure.unwrap();
            let word = if busy { "recipient_busy" } else { "refused" };
            assert_eq!((failure.word, failure.is_recipient_busy), (word, busy), "{failure:?}");
            assert_eq!(failure.refused_recipient, None);
        }
        world.server.finish().await;
    }
}

#[tokio::test]
async fn a_mail_server_takes_text_and_html_with_and_without_starttls() {
    let tls = TlsFiles::make();
    for security in ["none", "starttls"] {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(path("cert"), &tls.certificate).unwrap();
        std::fs::write(path("key"), &tls.key).unwrap();
        let out = dir.path().join("out");
        let (_program, [port]) = serving(|[port]| {
            let (listen, cert, key) = (format!("127.0.0.1:{port}"), path("cert"), path("key"));
            let mut arguments =
                vec!["-n", "-l", &listen, "-c", "aiosmtpd.handlers.Debugging", "stdout"];
            if security == "starttls" {
                arguments.splice(1..1, ["--tlscert", &cert, "--tlskey", &key]);
            }
            Program::start("aiosmtpd", &arguments, Some(&out))
        })
        .await;
        let world = World::start().await;
        let mut settings = json!({ "server": format!("127.0.0.1:{port}"),
            "security": security, "from": "chancery@example.org",
            "to": ["ada@example.org", "grace@example.org"] });
        if security == "starttls" {
            settings["ca"] = json!(tls.ca);
        }
        world.forwarder("email", settings, &[], json!({})).await.unwrap();
        world.group("web").await;
        world.delivered(1).await;
        let text = said(&out, |text| text.contains("END MESSAGE")).await;
        assert!(text.contains("To: <ada@example.org>"), "{text}");
        assert!(text.contains("multipart/alternative"), "{text}");
        let bodies: String = text
            .split("\n\n")
            .filter_map(|part| STANDARD.decode(part.split("\n--").next()?.replace('\n', "")).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect();
        assert!(bodies.contains("configuration.create") && bodies.contains("<table>"), "{bodies}");
        let trial = world.try_out().await;
        assert_eq!((trial.failure, trial.status), (None, Some(250)), "{security}");
        assert_eq!(trial.response, json!({ "answer": "250", "refused": 0 }), "no words of theirs");
        world.server.finish().await;
    }
}

#[tokio::test]
async fn a_password_does_not_cross_the_network_in_clear() {
    let world = World::start().await;
    let settings = json!({ "server": "127.0.0.1:25", "security": "none", "username": "ada",
        "from": "a@b.example" });
    let refused = world.forwarder("email", settings, &[("password", "x")], json!({})).await;
    assert!(matches!(refused, Err(chancery_engine::Error::Invalid { ref field, .. })
            if field == "settings/security"));
    world.server.finish().await;
}
