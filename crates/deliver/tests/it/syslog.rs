//! Syslog: rsyslog takes it over UDP, TCP and TLS.

use std::fs;
use std::path::Path;

use chancery_testkit::TlsFiles;
use serde_json::json;

use crate::world::{Program, World, said, serving};

/// An rsyslog that writes whole messages into a file.
struct Rsyslog {
    dir: tempfile::TempDir,
    tls: TlsFiles,
    tcp: u16,
    tls_port: u16,
    _program: Program,
}

impl Rsyslog {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tls = TlsFiles::make();
        let path = |name: &str| dir.path().join(name).display().to_string();
        for (name, text) in [("ca", &tls.ca), ("cert", &tls.certificate), ("key", &tls.key)] {
            fs::write(path(name), text).unwrap();
        }
        let (conf, pid) = (path("conf"), path("pid"));
        let (program, [tcp, tls_port]) = serving(|ports| {
            fs::write(&conf, configuration(dir.path(), ports)).unwrap();
            Program::start("rsyslogd", &["-n", "-f", &conf, "-i", &pid], None)
        })
        .await;
        Self { dir, tls, tcp, tls_port, _program: program }
    }
}

/// What rsyslog is told; messages over UDP come to the same number as those over TCP.
fn configuration(dir: &Path, [tcp, tls_port]: [u16; 2]) -> String {
    let path = |name: &str| dir.join(name).display().to_string();
    format!(
        "global(workDirectory=\"{work}\" maxMessageSize=\"64k\"\n\
               defaultNetstreamDriverCAFile=\"{ca}\"\n\
               defaultNetstreamDriverCertFile=\"{cert}\"\n\
               defaultNetstreamDriverKeyFile=\"{key}\")\n\
             module(load=\"imudp\")\nmodule(load=\"imptcp\")\n\
             module(load=\"imtcp\" streamDriver.name=\"gtls\" streamDriver.mode=\"1\"\n\
               streamDriver.authMode=\"x509/certvalid\")\n\
             template(name=\"whole\" type=\"string\" string=\"%rawmsg%\\n\")\n\
             ruleset(name=\"keep\") {{ action(type=\"omfile\" file=\"{out}\" template=\"whole\") }}\n\
             input(type=\"imudp\" address=\"127.0.0.1\" port=\"{tcp}\" ruleset=\"keep\")\n\
             input(type=\"imptcp\" address=\"127.0.0.1\" port=\"{tcp}\" ruleset=\"keep\")\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{tls_port}\" ruleset=\"keep\")\n",
        work = dir.display(),
        ca = path("ca"),
        cert = path("cert"),
        key = path("key"),
        out = path("out"),
    )
}

#[tokio::test]
async fn rsyslog_takes_messages_over_every_transport() {
    let rsyslog = Rsyslog::start().await;
    let out = rsyslog.dir.path().join("out");
    let mut expected = 0;
    for (transport, port, framing, dialect, mark) in [
        ("udp", rsyslog.tcp, "octet_counting", "rfc5424", "chancery - "),
        ("tcp", rsyslog.tcp, "octet_counting", "cef", "CEF:0|"),
        ("tcp", rsyslog.tcp, "newline", "leef", "LEEF:2.0|"),
        ("tls", rsyslog.tls_port, "octet_counting", "rfc5424", "chancery - "),
    ] {
        let world = World::start().await;
        let mut settings = json!({ "address": format!("127.0.0.1:{port}"),
            "transport": transport, "framing": framing });
        let mut secrets = Vec::new();
        if transport == "tls" {
            settings["ca"] = json!(rsyslog.tls.ca);
            settings["client_certificate"] = json!(rsyslog.tls.client);
            secrets.push(("client_key", rsyslog.tls.client_key.as_str()));
        }
        let more = json!({ "dialect": dialect });
        world.forwarder("syslog", settings, &secrets, more).await.unwrap();
        world.group("first").await;
        world.group("second").await;
        world.delivered(1).await;
        expected += 2;
        let text = said(&out, |text| text.lines().count() >= expected).await;
        let last: Vec<&str> = text.lines().skip(expected - 2).collect();
        assert!(last.iter().all(|line| line.starts_with('<') && line.contains(mark)), "{last:?}");
        world.server.finish().await;
    }
}

#[tokio::test]
async fn a_syslog_server_that_wants_a_certificate_takes_nothing_without_one() {
    let rsyslog = Rsyslog::start().await;
    let world = World::start().await;
    let settings =
        json!({ "address": format!("127.0.0.1:{}", rsyslog.tls_port), "ca": rsyslog.tls.ca });
    world.forwarder("syslog", settings, &[], json!({})).await.unwrap();
    let failure = world.try_out().await.failure;
    assert!(failure.is_some(), "what is not taken is not passed for delivered");
    world.server.finish().await;
}

#[tokio::test]
async fn a_syslog_server_of_another_authority_is_not_talked_to() {
    let rsyslog = Rsyslog::start().await;
    let world = World::start().await;
    let settings = json!({ "address": format!("127.0.0.1:{}", rsyslog.tls_port),
        "ca": TlsFiles::make().ca });
    world.forwarder("syslog", settings, &[], json!({})).await.unwrap();
    let sent = world.try_out().await;
    assert_eq!(sent.failure.map(|failure| failure.word), Some("tls"));
    world.server.finish().await;
}
