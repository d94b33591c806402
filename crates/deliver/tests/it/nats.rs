//! NATS: a real server with JetStream takes, acknowledges and deduplicates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_testkit::TlsFiles;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::world::{Program, World, serving};

/// One request of JetStream's API, by hand.
pub async fn ask(port: u16, subject: &str, body: &Value) -> Value {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut stream = BufReader::new(stream);
    let body = body.to_string();
    let text = format!(
        "CONNECT {{\"verbose\":false}}\r\nSUB answer 1\r\nPUB {subject} answer {}\r\n{body}\r\n",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "hung up");
        if let Some(rest) = line.strip_prefix("MSG answer 1 ") {
            let size: usize = rest.split_whitespace().last().unwrap().parse().unwrap();
            let mut bytes = vec![0; size];
            stream.read_exact(&mut bytes).await.unwrap();
            return serde_json::from_slice(&bytes).unwrap();
        }
    }
}

pub(crate) async fn server(dir: &tempfile::TempDir) -> (Program, u16) {
    let store = dir.path().display().to_string();
    let (program, [port]) = serving(|[port]| {
        let arguments = ["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd", &store];
        Program::start("nats-server", &arguments, None)
    })
    .await;
    (program, port)
}

#[tokio::test]
async fn jetstream_acknowledges_each_event_and_drops_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let (_program, port) = server(&dir).await;
    let stream = json!({ "name": "EVENTS", "subjects": ["chancery.>"] });
    let made = ask(port, "$JS.API.STREAM.CREATE.EVENTS", &stream).await;
    assert!(made["error"].is_null(), "{made}");
    let world = World::start().await;
    let settings = json!({ "address": format!("127.0.0.1:{port}"), "stream": "EVENTS",
        "subject": "chancery.{type}" });
    world.forwarder("nats", settings, &[], json!({})).await.unwrap();
    for number in 0..5 {
        world.group(&format!("group {number}")).await;
    }
    let count = async || {
        let info = ask(port, "$JS.API.STREAM.INFO.EVENTS", &json!({})).await;
        info["state"]["messages"].as_u64().unwrap()
    };
    for _ in 0..3_000 {
        if count().await >= 5 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(count().await, 5);
    let first = ask(port, "$JS.API.STREAM.MSG.GET.EVENTS", &json!({ "seq": 1 })).await;
    assert_eq!(first["message"]["subject"], "chancery.configuration.create");
    // The same events once more: new deliveries, the same identifiers of messages.
    world.delivered(1).await;
    world.server.engine().replay_forwarder(&world.context, "it", 0, None).await.unwrap();
    world.group("the sixth").await;
    for _ in 0..3_000 {
        if count().await >= 6 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(count().await, 6, "what it had it dropped");
    world.server.finish().await;
}

#[tokio::test]
async fn a_subject_that_no_stream_takes_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let (_program, port) = server(&dir).await;
    let world = World::start().await;
    let settings = json!({ "address": format!("127.0.0.1:{port}"), "subject": "nobody.listens" });
    world.forwarder("nats", settings, &[], json!({})).await.unwrap();
    let sent = world.try_out().await;
    assert_eq!(sent.failure.map(|failure| failure.word), Some("refused"));
    world.server.finish().await;
}

#[tokio::test]
async fn with_a_payload_key_what_the_stream_keeps_is_encrypted() {
    let dir = tempfile::tempdir().unwrap();
    let (_program, port) = server(&dir).await;
    let stream = json!({ "name": "EVENTS", "subjects": ["chancery.>"] });
    ask(port, "$JS.API.STREAM.CREATE.EVENTS", &stream).await;
    let world = World::start().await;
    let key = STANDARD.encode([7; 32]);
    let settings = json!({ "address": format!("127.0.0.1:{port}"), "stream": "EVENTS",
        "subject": "chancery.{type}" });
    let secrets = [("payload_key", key.as_str())];
    world.forwarder("nats", settings, &secrets, json!({})).await.unwrap();
    world.group("hidden").await;
    world.delivered(1).await;
    let first = ask(port, "$JS.API.STREAM.MSG.GET.EVENTS", &json!({ "seq": 1 })).await;
    let kept = STANDARD.decode(first["message"]["data"].as_str().unwrap()).unwrap();
    let kept = String::from_utf8(kept).unwrap();
    assert!(!kept.contains("hidden"), "{kept}");
    let event: Value =
        serde_json::from_slice(&chancery_deliver::decrypt(&key, &kept).unwrap()).unwrap();
    assert_eq!(event["data"]["targets"][0]["name"], "hidden", "{event}");
    world.server.finish().await;
}

#[tokio::test]
async fn attributes_of_the_binary_mode_are_headers_of_the_message() {
    let dir = tempfile::tempdir().unwrap();
    let (_program, port) = server(&dir).await;
    let stream = json!({ "name": "EVENTS", "subjects": ["chancery.>"] });
    ask(port, "$JS.API.STREAM.CREATE.EVENTS", &stream).await;
    let world = World::start().await;
    let settings = json!({ "address": format!("127.0.0.1:{port}"), "subject": "chancery.{type}" });
    let binary = json!({ "dialect": "cloudevents-binary" });
    world.forwarder("nats", settings, &[], binary).await.unwrap();
    world.group("häuser").await;
    world.delivered(1).await;
    let first = ask(port, "$JS.API.STREAM.MSG.GET.EVENTS", &json!({ "seq": 1 })).await;
    let part = |name: &str| {
        let bytes = STANDARD.decode(first["message"][name].as_str().unwrap()).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let head = part("hdrs");
    let headers: std::collections::BTreeMap<&str, &str> =
        head.lines().filter_map(|line| line.split_once(": ")).collect();
    let rows =
        world.server.get("/api/v1/events?filter=type:configuration.create&limit=1").send().await;
    let event = rows.expect(200).json()["items"][0]["event"].clone();
    for name in ["id", "type", "source", "specversion", "time", "datacontenttype"] {
        let said = headers.get(format!("ce-{name}").as_str());
        assert_eq!(said.copied(), event[name].as_str(), "{name}: {head}");
    }
    assert_eq!(headers["Nats-Msg-Id"], headers["ce-id"]);
    let data: Value = serde_json::from_str(&part("data")).unwrap();
    assert_eq!(data["targets"][0]["name"], "häuser", "the data alone: {data}");
    world.server.finish().await;
}

#[tokio::test]
async fn a_server_with_tls_is_logged_into_and_sees_a_client_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let tls = TlsFiles::make();
    let path = |name: &str| dir.path().join(name).display().to_string();
    for (name, text) in [("ca", &tls.ca), ("cert", &tls.certificate), ("key", &tls.key)] {
        std::fs::write(path(name), text).unwrap();
    }
    let (program, port) = server(&dir).await;
    let stream = json!({ "name": "EVENTS", "subjects": ["chancery.>"] });
    ask(port, "$JS.API.STREAM.CREATE.EVENTS", &stream).await;
    drop(program);
    let (_program, [port]) = serving(|[port]| {
        let (port, store) = (port.to_string(), dir.path().display().to_string());
        let (ca, cert, key) = (path("ca"), path("cert"), path("key"));
        let mut arguments = vec!["-js", "-a", "127.0.0.1", "-p", &port, "-sd", &store];
        arguments.extend(["--user", "soc", "--pass", "right", "--tls", "--tlsverify"]);
        arguments.extend(["--tlscacert", &ca, "--tlscert", &cert, "--tlskey", &key]);
        Program::start("nats-server", &arguments, None)
    })
    .await;
    for (password, client, is_taken) in
        [("right", true, true), ("wrong", true, false), ("right", false, false)]
    {
        let world = World::start().await;
        let mut settings = json!({ "address": format!("127.0.0.1:{port}"), "tls": true,
            "ca": tls.ca, "username": "soc", "subject": "chancery.{type}", "stream": "EVENTS" });
        let mut secrets = vec![("password", password)];
        if client {
            settings["client_certificate"] = json!(tls.client);
            secrets.push(("client_key", tls.client_key.as_str()));
        }
        world.forwarder("nats", settings, &secrets, json!({})).await.unwrap();
        let sent = world.try_out().await;
        assert_eq!(sent.failure.is_none(), is_taken, "{password} {client}: {sent:?}");
        if is_taken {
            assert_eq!(sent.response["stream"], "EVENTS", "{sent:?}");
        }
        world.server.finish().await;
    }
}
