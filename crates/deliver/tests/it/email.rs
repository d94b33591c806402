//! Mail: aiosmtpd takes it, in clear and with STARTTLS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_testkit::TlsFiles;
use serde_json::json;

use crate::world::{Program, World, free_port, listening, said};

#[tokio::test]
async fn a_mail_server_takes_text_and_html_with_and_without_starttls() {
    let tls = TlsFiles::make();
    for security in ["none", "starttls"] {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(path("cert"), &tls.certificate).unwrap();
        std::fs::write(path("key"), &tls.key).unwrap();
        let (port, out) = (free_port(), dir.path().join("out"));
        let listen = format!("127.0.0.1:{port}");
        let mut arguments =
            vec!["-n", "-l", &listen, "-c", "aiosmtpd.handlers.Debugging", "stdout"];
        let (cert, key) = (path("cert"), path("key"));
        if security == "starttls" {
            arguments.splice(1..1, ["--tlscert", cert.as_str(), "--tlskey", key.as_str()]);
        }
        let _program = Program::start("aiosmtpd", &arguments, Some(&out));
        listening(port).await;
        let world = World::start().await;
        let settings = json!({ "server": listen, "security": security, "ca": tls.ca,
            "from": "chancery@example.org", "to": ["ada@example.org", "grace@example.org"] });
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
