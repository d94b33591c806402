//! Syslog comes in over UDP, TCP and TLS, from senders of other makes and from rude ones.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chancery_server::config;
use chancery_server::syslog::{Listeners, bind};
use chancery_testkit::{TestServer, TlsFiles};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket};

/// A server with one listener of each kind, and the files of TLS.
struct World {
    server: TestServer,
    listeners: Listeners,
    files: TlsFiles,
    dir: tempfile::TempDir,
}

/// A program that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl World {
    async fn start(connections_max: usize) -> Self {
        let server = TestServer::start().await;
        let (dir, files) = (tempfile::tempdir().unwrap(), TlsFiles::make());
        for (name, text) in [
            ("ca.pem", &files.ca),
            ("cert.pem", &files.certificate),
            ("key.pem", &files.key),
            ("client.pem", &files.client),
            ("client.key", &files.client_key),
        ] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let path = |name: &str| dir.path().join(name);
        let config = config::Syslog {
            udp: vec![local],
            tcp: vec![local],
            tls: vec![local],
            identity: Some((path("cert.pem"), path("key.pem"))),
            client_ca: Some(path("ca.pem")),
            connections_max,
        };
        let bound = bind(&config, None).await.unwrap();
        let listeners = bound.listen(server.engine().clone()).unwrap();
        Self { server, listeners, files, dir }
    }

    fn port(&self, transport: &str) -> u16 {
        let found = self.listeners.addresses.iter().find(|(name, _)| *name == transport);
        found.unwrap().1.port()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn source(&self, name: &str, dialect: &str, more: Value) {
        let mut wish = json!({ "name": name, "dialect": dialect });
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.server.post("/api/v1/intake-sources").json(&wish).send().await.expect(201);
        // A listener knows who may send after a second at most.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }

    async fn figures(&self, name: &str) -> Value {
        let all = self.server.get("/api/v1/intake-sources").send().await.expect(200).json();
        let found = all["items"].as_array().unwrap().iter().find(|item| item["name"] == name);
        found.unwrap().clone()
    }

    /// Waits until a figure of a source is at least so high.
    async fn until(&self, name: &str, figure: &str, count: i64) -> Value {
        for _ in 0..3_000 {
            let figures = self.figures(name).await;
            if figures[figure].as_i64().unwrap() >= count {
                return figures;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{figure} of {name}: {}", self.figures(name).await);
    }

    async fn found(&self, filter: &str) -> Vec<Value> {
        self.server.settle().await;
        let filter = filter.replace(' ', "+").replace('"', "%22");
        let path = format!("/api/v1/events?limit=500&filter={filter}");
        let page = self.server.get(&path).send().await.expect(200).json();
        page["items"].as_array().unwrap().iter().map(|item| item["event"].clone()).collect()
    }

    async fn finish(self) {
        self.listeners.stop().await;
        self.server.finish().await;
    }
}

/// Anybody on this machine.
fn local() -> Value {
    json!({ "addresses": ["127.0.0.0/8"] })
}

#[tokio::test]
async fn logger_is_taken_in_over_udp_and_tcp_in_both_formats_and_framings() {
    let world = World::start(16).await;
    world.source("machines", "rfc5424", local()).await;
    let (udp, tcp) = (world.port("udp").to_string(), world.port("tcp").to_string());
    for (place, arguments) in [
        vec!["-d", "-P", &udp, "--rfc5424"],
        vec!["-d", "-P", &udp, "--rfc3164"],
        vec!["-T", "-P", &tcp, "--rfc5424"],
        vec!["-T", "-P", &tcp, "--rfc3164"],
        vec!["-T", "-P", &tcp, "--rfc5424", "--octet-count"],
    ]
    .into_iter()
    .enumerate()
    {
        let message = format!("message number{place}");
        let ran = Command::new("logger")
            .args(["-n", "127.0.0.1", "-t", "shop", "-p", "auth.err"])
            .args(arguments)
            .arg(&message)
            .status();
        assert!(ran.unwrap().success());
        world.until("machines", "accepted", place as i64 + 1).await;
    }
    let all = world.found("type:intake.received source:machines severity:error").await;
    assert_eq!(all.len(), 5, "{all:?}");
    let of = |event: &Value| event["data"]["personal"]["detail"]["message"].to_string();
    for place in 0..5 {
        let wanted = format!("message number{place}");
        assert!(all.iter().any(|event| of(event).contains(&wanted)), "{wanted}: {all:?}");
    }
    assert!(all.iter().all(|event| event["data"]["detail"]["code"] == "shop"), "{all:?}");
    assert_eq!(all[0]["data"]["personal"]["client_ip"], "127.0.0.1");
    world.finish().await;
}

#[tokio::test]
async fn rsyslog_sends_over_tls_with_a_client_certificate() {
    let world = World::start(16).await;
    // Only the certificate decides: no address is listed.
    world.source("relay", "rfc5424", json!({ "certificates": ["client.example.org"] })).await;
    let path = |name: &str| world.path(name).display().to_string();
    let free = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let input = free.local_addr().unwrap().port();
    drop(free);
    let configuration = format!(
        "global(workDirectory=\"{work}\"\n\
           defaultNetstreamDriverCAFile=\"{ca}\"\n\
           defaultNetstreamDriverCertFile=\"{cert}\"\n\
           defaultNetstreamDriverKeyFile=\"{key}\")\n\
         module(load=\"imudp\")\n\
         input(type=\"imudp\" address=\"127.0.0.1\" port=\"{input}\")\n\
         action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{output}\" protocol=\"tcp\"\n\
           TCP_Framing=\"octet-counted\" template=\"RSYSLOG_SyslogProtocol23Format\"\n\
           StreamDriver=\"gtls\" StreamDriverMode=\"1\" StreamDriverAuthMode=\"x509/certvalid\"\n\
           action.resumeInterval=\"1\" action.resumeRetryCount=\"-1\")\n",
        work = world.dir.path().display(),
        ca = path("ca.pem"),
        cert = path("client.pem"),
        key = path("client.key"),
        output = world.port("tls"),
    );
    fs::write(path("conf"), configuration).unwrap();
    let search = std::env::var("PATH").unwrap_or_default();
    let rsyslog = Command::new("rsyslogd")
        .args(["-n", "-f", &path("conf"), "-i", &path("pid")])
        .env("PATH", format!("{search}:/usr/sbin:/sbin"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _rsyslog = Program(rsyslog.expect("`cargo xtask test` installs rsyslog"));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let input = format!("127.0.0.1:{input}");
    // Until rsyslog listens, nobody takes what is sent to it.
    let mut accepted = 0;
    for number in 0..3_000 {
        let line = format!("<13>Nov 21 09:00:00 host shop[1]: order {number}");
        let _ = socket.send_to(line.as_bytes(), &input).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        accepted = world.figures("relay").await["accepted"].as_i64().unwrap();
        if accepted >= 5 {
            break;
        }
    }
    assert!(accepted >= 5, "rsyslog sends over TLS");
    let all = world.found("type:intake.received source:relay").await;
    assert!(all.iter().all(|event| event["data"]["detail"]["code"] == "shop"), "{all:?}");
    let means = all[0]["data"]["authentication"]["method"].as_str();
    assert_eq!(means, Some("client_certificate"), "{}", all[0]);
    world.finish().await;
}

// More than one thread: a program is waited for that waits for the server.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_certificate_or_address_nothing_comes_in() {
    let world = World::start(16).await;
    // Nobody at all may send: deny by default, also for a source that exists.
    world.source("silent", "rfc5424", json!({})).await;
    let line = "<13>Nov 21 09:00:00 h a: b\n";
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..40 {
        socket.send_to(line.as_bytes(), ("127.0.0.1", world.port("udp"))).await.unwrap();
    }
    let mut tcp = TcpStream::connect(("127.0.0.1", world.port("tcp"))).await.unwrap();
    let _ = tcp.write_all(line.as_bytes()).await;
    let mut byte = [0; 1];
    let closed = tokio::io::AsyncReadExt::read(&mut tcp, &mut byte).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "it is not read from: {closed:?}");

    // An address that is listed, and a certificate that is not shown.
    let both = json!({ "addresses": ["127.0.0.1"], "certificates": ["client.example.org"] });
    world.source("both", "rfc5424", both).await;
    let mut tcp = TcpStream::connect(("127.0.0.1", world.port("tcp"))).await.unwrap();
    let _ = tcp.write_all(line.as_bytes()).await;
    let closed = tokio::io::AsyncReadExt::read(&mut tcp, &mut byte).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    // A certificate of another authority does not even get through the handshake.
    let other = TlsFiles::make();
    fs::write(world.path("other.pem"), &other.client).unwrap();
    fs::write(world.path("other.key"), &other.client_key).unwrap();
    let mut openssl = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &format!("127.0.0.1:{}", world.port("tls"))])
        .args(["-cert".into(), world.path("other.pem"), "-key".into(), world.path("other.key")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _ = std::io::Write::write_all(&mut openssl.stdin.take().unwrap(), line.as_bytes());
    let _ = openssl.wait();

    assert!(world.found("type:intake.received").await.is_empty());
    let denied = world.found("type:access.denied origin:intake").await;
    assert!((1..=5).contains(&denied.len()), "a few a minute: {denied:?}");
    assert_eq!(denied[0]["data"]["detail"]["method"], "SYSLOG");
    assert_eq!(denied[0]["data"]["personal"]["client_ip"], "127.0.0.1");
    assert!(!world.files.ca.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_connection_is_cut_when_its_source_is_taken_off() {
    let world = World::start(16).await;
    world.source("machines", "rfc5424", local()).await;
    let mut tcp = TcpStream::connect(("127.0.0.1", world.port("tcp"))).await.unwrap();
    tcp.write_all(b"<13>Nov 21 09:00:00 h a: b\n").await.unwrap();
    world.until("machines", "accepted", 1).await;
    let change = json!({ "addresses": ["192.0.2.0/24"] });
    let path = "/api/v1/intake-sources/machines";
    world.server.patch(path).json(&change).send().await.expect(204);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    // What was read before is the last of it.
    let _ = tcp.write_all(b"<13>Nov 21 09:00:00 h a: c\n").await;
    let mut byte = [0; 1];
    let closed = tokio::io::AsyncReadExt::read(&mut tcp, &mut byte).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    assert!(world.figures("machines").await["accepted"].as_i64().unwrap() <= 2);
    world.finish().await;
}

#[tokio::test]
async fn broken_lines_are_counted_and_spoil_nothing_else() {
    let world = World::start(16).await;
    world.source("firewall", "cef", local()).await;
    let mut tcp = TcpStream::connect(("127.0.0.1", world.port("tcp"))).await.unwrap();
    let good = "<13>Nov 21 09:00:00 fw CEF:0|V|P|1|77|n|8|externalId=";
    let lines = format!("{good}1\nno cef at all\n{good}2\n{good}1\n");
    tcp.write_all(lines.as_bytes()).await.unwrap();
    // A line without end, of several megabytes.
    let long = vec![b'x'; 1 << 20];
    for _ in 0..4 {
        tcp.write_all(&long).await.unwrap();
    }
    tcp.write_all(format!("\n{good}3\n").as_bytes()).await.unwrap();
    tcp.shutdown().await.unwrap();
    let figures = world.until("firewall", "accepted", 3).await;
    assert_eq!(figures["repeated"], 1, "{figures}");
    let figures = world.until("firewall", "refused", 2).await;
    assert_eq!(figures["accepted"], 3, "{figures}");
    // Octet counting with a length that cannot be: the connection ends.
    let mut tcp = TcpStream::connect(("127.0.0.1", world.port("tcp"))).await.unwrap();
    tcp.write_all(b"9999999 <13>x").await.unwrap();
    let closed = tokio::io::AsyncReadExt::read(&mut tcp, &mut [0; 1]).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    world.until("firewall", "refused", 3).await;
    world.finish().await;
}

#[tokio::test]
async fn more_connections_than_there_are_places_wait_and_are_served_later() {
    let world = World::start(2).await;
    world.source("machines", "rfc5424", local()).await;
    let line = |n: u32| format!("<13>Nov 21 09:00:00 h a: number {n}\n");
    let mut open = Vec::new();
    for number in 0..4 {
        let mut tcp = TcpStream::connect(("127.0.0.1", world.port("tcp"))).await.unwrap();
        tcp.write_all(line(number).as_bytes()).await.unwrap();
        open.push(tcp);
    }
    world.until("machines", "accepted", 2).await;
    // Two hold the places; nothing of the others is read until one goes.
    assert_eq!(world.figures("machines").await["accepted"], 2);
    drop(open);
    world.until("machines", "accepted", 4).await;
    world.finish().await;
}

#[tokio::test]
async fn a_flood_over_udp_is_taken_in_or_counted() {
    const SENT: i64 = 30_000;
    let world = World::start(2).await;
    world.source("machines", "rfc5424", local()).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(("127.0.0.1", world.port("udp"))).await.unwrap();
    for number in 0..SENT {
        let line = format!("<13>1 2026-11-21T09:00:00Z h shop - order - number {number}");
        let _ = socket.send(line.as_bytes()).await;
        if number % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // What the operating system threw away nobody here has seen; of the rest nothing is missing.
    let (mut last, mut same) = (0, 0);
    while last == 0 || same < 10 {
        let figures = world.figures("machines").await;
        let seen = figures["accepted"].as_i64().unwrap() + figures["dropped"].as_i64().unwrap();
        same = if seen == last { same + 1 } else { 0 };
        last = seen;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(last <= SENT, "{last}");
    let figures = world.figures("machines").await;
    if figures["dropped"].as_i64().unwrap() > 0 {
        let told = world.found("type:intake.refused source:machines reason:overflow").await;
        assert!(!told.is_empty());
    }
    println!("{SENT} sent: {figures}");
    world.finish().await;
}
